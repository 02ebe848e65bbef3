"""
Tasks whose answers can be checked: written by a seed, solved by reading the prompt, judged by comparing. Pure.

Neither the length of a prompt nor any mark in it tells its difficulty or its family: every prompt is filled up with
neutral sentences of one common stock, to a length that is drawn apart from everything else.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from attrs import frozen

from pingpong_simulator.draws import draw_from
from pingpong_simulator.families import arithmetic, code, facts, strings
from pingpong_simulator.families.solved import Family, Solved

FAMILIES: dict[str, Family] = {m.NAME: m for m in (code, strings, facts, arithmetic)}
"""By name, in the order in which a prompt is held against them: the most particular first."""

LEVELS = 8
_LENGTHS_CHARS = (560, 1100)

_NEUTRAL = (
    "The kettle in the kitchen takes a while to warm up in the morning.",
    "Somebody left a bicycle by the gate again.",
    "We usually meet in the small room with the round table.",
    "Rain is expected later, so the windows should stay shut.",
    "The minutes of the last meeting are still with the printer.",
    "Most of us prefer tea, though a few bring their own coffee.",
    "The plants on the sill need a little water now and then.",
    "Nobody has complained about the new chairs so far.",
    "The lift was repaired and runs quietly now.",
    "A delivery came early and is waiting at the front desk.",
    "The library opens a bit later during the holidays.",
    "Please keep the corridor free of boxes.",
    "The old map on the wall has faded near the window.",
    "There is a spare umbrella behind the door.",
    "Lunch was good today, and there is some soup left.",
    "The garden looks tidy since the hedge was cut.",
    "The radio plays softly in the workshop next door.",
    "Our neighbours are painting their fence in a light shade.",
    "It has been a quiet week, all things considered.",
    "The bus stop moved to the other side of the road.",
)


@frozen
class Task:
    """A prompt, its right answer, and what kind of prompt it is. `difficulty` is 0..1."""

    prompt: str
    expected: str
    family: str
    difficulty: float


def solve(question: str, text: str | None = None) -> Solved | None:
    """The solution of a question, None where it is an open one; `text` is the whole conversation where there is more."""
    found = (family.solve(question, question if text is None else text) for family in FAMILIES.values())
    return next((solution for solution in found if solution is not None), None)


def tasks(seed: int, n: int) -> Iterator[Task]:
    """`n` tasks, all families alike often and levels evenly mixed; equal seeds give equal tasks."""
    for i in range(n):
        draw = draw_from("task", seed, i)
        family = FAMILIES[draw.choice(sorted(FAMILIES))]
        prompt = _filled_up(family.prompt(draw, draw.randint(1, LEVELS)), draw)
        solution = solve(prompt)
        if solution is None:
            raise ValueError(f"The prompt of task {i} of seed {seed} does not solve.")
        yield Task(prompt, solution.answer, solution.family, solution.difficulty)


def _filled_up(core: str, draw: Random) -> str:
    """The core between neutral sentences, at about a length drawn here."""
    target_chars = draw.randint(*_LENGTHS_CHARS)
    before: list[str] = []
    after: list[str] = []
    stock = draw.sample(_NEUTRAL, len(_NEUTRAL))
    length = len(core)
    while stock and length + len(stock[-1]) / 2 < target_chars:
        sentence = stock.pop()
        (before if draw.random() < 0.5 else after).append(sentence)
        length += len(sentence) + 1
    return "\n\n".join(part for part in (" ".join(before), core, " ".join(after)) if part)


def is_right(task: Task, answer: str) -> bool:
    """Whether an answer's last word is the expected one, quotes, full stop and thousands separators aside."""
    words = answer.split()
    return bool(words) and _bare(words[-1]) == task.expected


def _bare(word: str) -> str:
    bare = word.strip("\"'`*“”‘’()[].,;:!?")
    digits = bare.replace(",", "")
    return digits if digits.removeprefix("-").isdecimal() else bare
