"""Task families: prompts are parsed, difficulty is real, and nothing on the surface gives it away."""

from __future__ import annotations

import contextlib
import io
import re
import statistics
from collections.abc import Sequence

import pytest
from pingpong import Card, Request
from pingpong_simulator.engine import Model, answer
from pingpong_simulator.families import code
from pingpong_simulator.tasks import FAMILIES, Task, is_right, solve, tasks

MANY = tuple(tasks(1, 1200))


@pytest.mark.parametrize(
    ("question", "family", "expected"),
    [
        ("What is 17 * 23?", "arithmetic", "391"),
        ("what's 2 plus 2", "arithmetic", "4"),
        ("Compute ((3 + 4) * -2) - 1.", "arithmetic", "-15"),
        ("How much is 15% of 80?", "arithmetic", "12"),
        ("Calculate 1,200 divided by 7", "arithmetic", "171.4286"),
        ('Reverse the string "stressed".', "strings", "desserts"),
        ("How many vowels are in 'banana'?", "strings", "3"),
        ("How many r's are in strawberry?", "strings", "3"),
        ('How many times does the letter "s" occur in the word "success" then?', "strings", "3"),
        ('Take the word "abcz", then shift every letter forward by 1, then write it in upper case.', "strings", "BCDA"),
        ('Remove every vowel from "education", sort its letters and tell how long it is.', "strings", "4"),
        ('Take "ab", then remove all vowels, then swap its first and last letters.', "strings", "bb"),
        ("The mentor of Ana is Bo. The deputy of Bo is Cy. Who is the deputy of the mentor of Ana?", "facts", "Cy"),
        ("Bo's neighbour is Di. According to the text, who is Bo's neighbour?", "facts", "Di"),
        ("My favourite colour is blue. What is my favourite colour?", "facts", "blue"),
        ("What does this print?\n```python\nx = 2\nwhile x < 50:\n    x *= x\nprint(x)\n```", "code", "256"),
        ("What is the output?\n```\nfor c in 'abc':\n    pass\n```", None, None),
        ("Design a rate limiter for a public API", None, None),
        ("Explain how to reverse a string in Python", None, None),
        ("What happened on 2026-11-20?", None, None),
        ("Who is the mentor of Ana?", None, None),
        ("What is 1 / 0?", None, None),
        ("What is 2 ** 9?", None, None),
        (f"What is {'(' * 30_000}1 + 1?", None, None),
        (f"What does this print?\n```\nprint(1)\n```{' what' * 10_000}", None, None),
    ],
)
def test_solves_what_the_prompt_asks(question: str, family: str | None, expected: str | None) -> None:
    """A question is parsed and answered rightly, and an open or impossible one is left alone."""
    solution = solve(question)
    assert (solution.family, solution.answer) == (family, expected) if solution else (family, expected) == (None, None)


def test_arithmetic_equals_python() -> None:
    """Every generated expression has the value that Python gives it."""
    for task in _of("arithmetic"):
        expression = max(re.findall(r"[\d(][\d\s+\-*()]*[\d)]", task.prompt), key=len)
        assert str(eval(expression)) == task.expected  # noqa: S307  # digits, brackets and operators only


def test_code_equals_python() -> None:
    """Every generated program prints what Python prints when it runs it."""
    for task in _of("code"):
        program = task.prompt.split("```python\n")[1].split("```")[0]
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(program, {})  # noqa: S102  # our own generator's program
        assert out.getvalue().strip() == task.expected


@pytest.mark.parametrize(
    "program",
    [
        "print(x)",
        "import os\nprint(1)",
        "while 1 < 2:\n    x = 1\nprint(x)",
        "x = 2\nfor i in range(100):\n    x = x * x\nprint(x)",
        "x = 'a' * 100000\nprint(x)",
        "print(1 // 0)",
        "print('%s' % 1)",
        "for i in 5:\n    print(i)",
        "x = 1",
        "print(",
        "print(2 ** 3)",
        "for i in range(1500):\n    x = i\n    y = i\nprint(x)",
        "print(max(range(1000000000)))",
        "print(open('x'))",
    ],
)
def test_code_declines_what_it_cannot_or_must_not_run(program: str) -> None:
    """Unknown names, imports, endless loops and values that explode give no answer and raise nothing."""
    assert code.run(program) is None


def test_code_runs_its_subset() -> None:
    """Choices, comparisons, strings and the few functions work as Python's."""
    loop = "s = 'ab'\nt = ''\nn = -1\nfor c in s:\n    t = c + t\n"
    choice = "if len(t) == 2 and n < 3 or t > 'a':\n    print(t, abs(-3), max(1, 2))\n"
    assert code.run(loop + choice) == ("ba 3 2", 8)


def test_equal_seeds_give_equal_tasks() -> None:
    """Tasks are decided by seed and number alone."""
    assert tuple(tasks(3, 20)) == tuple(tasks(3, 40))[:20]
    assert tuple(tasks(3, 20)) != tuple(tasks(4, 20))


def test_length_tells_neither_difficulty_nor_family() -> None:
    """Prompt length does not correlate with difficulty, over all and in each family, and families are alike long."""
    assert abs(_correlation(MANY)) < 0.07
    for family in FAMILIES:
        assert abs(_correlation(_of(family))) < 0.13
    means = [statistics.mean(len(t.prompt) for t in _of(family)) for family in FAMILIES]
    assert max(means) - min(means) < 0.05 * min(means)


def test_every_family_spans_the_difficulties() -> None:
    """Each family has easy and hard tasks, so that knowing the family does not give the difficulty."""
    for family in FAMILIES:
        difficulties = [t.difficulty for t in _of(family)]
        assert min(difficulties) < 0.35
        assert max(difficulties) > 0.8
        assert len(difficulties) > 200


def _of(family: str) -> list[Task]:
    return [t for t in MANY if t.family == family]


def _correlation(some: Sequence[Task]) -> float:
    return statistics.correlation([len(t.prompt) for t in some], [t.difficulty for t in some])


def _accuracy(skill: float, some: Sequence[Task]) -> float:
    model = Model(Card(provider="toy", model=f"m{skill}", endpoints=()), skill)
    return statistics.mean(is_right(t, answer(Request(t.prompt), model, 5).text) for t in some)


def test_accuracy_falls_with_difficulty_and_rises_with_skill() -> None:
    """Of harder tasks every model gets fewer right, and at equal difficulty the abler model gets more right."""
    ordered = sorted(MANY, key=lambda t: t.difficulty)
    bands = [ordered[i : i + 300] for i in range(0, 1200, 300)]
    table = {skill: [_accuracy(skill, band) for band in bands] for skill in (0.35, 0.65, 0.95)}
    for row in table.values():
        assert row == sorted(row, reverse=True)
    for easy, middle, hard in zip(*table.values(), strict=True):
        assert easy <= middle <= hard
    assert table[0.35][0] > 0.5 > 0.1 > table[0.35][3]
    assert table[0.95][0] > 0.99
    assert table[0.95][3] > 0.6


@pytest.mark.parametrize(
    ("said", "verdict"),
    [("391", True), ("The answer is 391.", True), ('Result: "391"', True), ("392", False), ("391 or 392", False), ("", False)],
)
def test_checker_reads_the_last_word(said: str, verdict: bool) -> None:
    """An answer counts as right by its last word, dressed as it may be."""
    assert is_right(Task("What is 17 * 23?", "391", "arithmetic", 0.2), said) is verdict


def test_checker_takes_thousands_separators() -> None:
    """1,234 is 1234."""
    assert is_right(Task("", "1234", "arithmetic", 0.2), "It is 1,234.")


def test_mistakes_are_wrong() -> None:
    """No mistake that a model may make is the right answer."""
    for task in MANY:
        solution = solve(task.prompt)
        assert solution is not None
        assert solution.mistakes
        assert not any(is_right(task, mistake) for mistake in solution.mistakes)
