"""String work: a word in the prompt goes through the steps that the prompt names. Difficulty: steps and letters. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from attrs import frozen

from pingpong_simulator.families.solved import Solved, difficulty_from, slips, solved

NAME = "strings"
_TYPICAL_COST = 7.0
_MAX_CHARS = 200
_VOWELS = "aeiouAEIOU"
_QUOTED = re.compile(r"[\"“`]([A-Za-z]{2,})[\"”`]|(?<!\w)['‘]([A-Za-z]{2,})['’](?!\w)")
_NAKED = re.compile(r"\b(?:in|of|spell) (?:the (?:word|string) )?([A-Za-z]{3,})(?: backwards?)?\s*[?.]", re.I)


@frozen
class Step:
    """
    One thing to do with a word.

    Attributes:
        pattern: Finds the step in a prompt; a group holds its parameter.
        phrase: Says it in a prompt, of `it`; `{}` is the parameter.
        apply: The word, and the parameter or "", to what comes out.
        weight: Cost for six letters.
    """

    pattern: re.Pattern[str]
    phrase: str
    apply: Callable[[str, str], str]
    weight: float


def _step(pattern: str, phrase: str, weight: float, apply: Callable[[str, str], str]) -> Step:
    return Step(re.compile(pattern, re.I), phrase, apply, weight)


def _shifted(word: str, by: str) -> str:
    def letter(char: str) -> str:
        first = ord("A" if char.isupper() else "a")
        return chr((ord(char) - first + int(by)) % 26 + first)

    return "".join(map(letter, word))


CHANGES = (
    _step(r"\brevers(?:e|ed|ing)\b|\bbackwards?\b", "reverse it", 1.5, lambda w, _: w[::-1]),
    _step(r"\bupper[- ]?case\b|\bcapital letters\b", "write it in upper case", 0.4, lambda w, _: w.upper()),
    _step(
        r"\b(?:remove|drop|delete)\w* (?:every|all(?: the)?|the|each) vowels?\b",
        "remove every vowel",
        1.0,
        lambda w, _: "".join(c for c in w if c not in _VOWELS),
    ),
    _step(r"\bsort(?:ed)? (?:its|the) letters\b", "sort its letters from a to z", 2.0, lambda w, _: "".join(sorted(w))),
    _step(r"\bevery (?:second|other) letter\b", "keep every second letter, starting with the first", 1.2, lambda w, _: w[::2]),
    _step(
        r"\bswap (?:its |the )?first and last letters?\b",
        "swap its first and last letters",
        0.8,
        lambda w, _: w[-1] + w[1:-1] + w[0],
    ),
    _step(
        r"\b(?:shift|move) (?:each|every) letter (?:forward )?(?:by )?(\d)\b", "shift every letter forward by {}", 2.2, _shifted
    ),
)
COUNTS = (
    _step(
        r"\b(?:how many|count the|number of) vowels\b",
        "how many vowels does it have",
        0.8,
        lambda w, _: str(sum(c in _VOWELS for c in w)),
    ),
    _step(
        r"\bhow (?:many times|often) does (?:the letter )?[\"'“‘`]?([a-z])[\"'”’`]? |\bhow many [\"'“‘`]?([a-z])[\"'”’`]?s\b",
        "how many times does the letter {} occur in it",
        0.8,
        lambda w, x: str(w.lower().count(x.lower())),
    ),
    _step(r"\bhow (?:long|many (?:letters|characters))\b", "how many letters does it have", 0.5, lambda w, _: str(len(w))),
)


def solve(question: str, text: str) -> Solved | None:
    """The word after all the steps that the question names, in their order; a count comes last."""
    words = [a or b for a, b in _QUOTED.findall(question)] or _NAKED.findall(question)
    if not words or len(question) > 20 * _MAX_CHARS:
        return None
    word = max(words, key=len)[:_MAX_CHARS]
    changes = [found for step in CHANGES for found in _found(step, question)]
    counts = [found for step in COUNTS for found in _found(step, question)]
    steps = [*sorted(changes, key=lambda f: f[0]), *counts[:1]]
    if not steps:
        return None
    cost = 0.0
    for _, step, parameter in steps:
        cost += step.weight * len(word) / 6
        if word:
            word = step.apply(word, parameter)
    mistakes = slips(int(word)) if word.isdecimal() else _misspelt(word)
    return solved(NAME, word or "nothing", difficulty_from(cost, _TYPICAL_COST), mistakes)


def _found(step: Step, question: str) -> list[tuple[int, Step, str]]:
    return [(m.start(), step, next(filter(None, m.groups()), "")) for m in step.pattern.finditer(question)]


def _misspelt(word: str) -> list[str]:
    """The word with two neighbours swapped, a letter lost, or a letter twice."""
    middle = len(word) // 2
    swaps = [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)]
    return [*swaps, word[:middle] + word[middle + 1 :], word[:middle] + word[middle : middle + 1] + word[middle:]]


_SYLLABLES = (
    "bal", "cor", "dim", "fen", "gul", "hap", "jor", "kel", "lum", "mir", "nov", "pel", "qua", "ris", "sol", "tam",
    "urn", "vex", "wil", "zan",
)  # fmt: skip
_OPENINGS = ('Take the word "{}"', 'Start with the word "{}"', 'Here is a word: "{}"', 'You are given the word "{}"')


def prompt(draw: Random, level: int) -> str:
    """A made-up word and one to five steps."""
    word = "".join(draw.choice(_SYLLABLES) for _ in range(2 + level // 3))
    changes = draw.sample(CHANGES, min(1 + (level - 1) // 2, 4))
    phrases = [step.phrase.format(draw.randint(2, 5)) for step in changes]
    ending = "What do you get?"
    if draw.random() < 0.4:
        letter = draw.choice(word)
        ending = draw.choice(COUNTS).phrase.format(letter).capitalize() + " then?"
    return f"{draw.choice(_OPENINGS).format(word)}, then {', then '.join(phrases)}. {ending}"
