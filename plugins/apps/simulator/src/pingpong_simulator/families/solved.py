"""What solving a prompt gives, whatever its family. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from random import Random
from typing import Protocol

from attrs import frozen


@frozen
class Solved:
    """
    A prompt that was understood.

    Attributes:
        answer: The right answer, one word or number.
        difficulty: 0..1, from the steps that the answer takes and the size of what they work on; never from the prompt's length.
        mistakes: Shape (>= 1,), plausible wrong answers.
    """

    family: str
    answer: str
    difficulty: float
    mistakes: tuple[str, ...]


class Family(Protocol):
    """One family: it reads prompts, and writes them."""

    def solve(self, question: str, text: str) -> Solved | None:
        """The solution of a question, None where it is not of this family; `text` is the whole conversation."""

    def prompt(self, draw: Random, level: int) -> str:
        """A prompt of level 1 (easiest) to 8."""


def difficulty_from(cost: float, typical: float) -> float:
    """A cost >= 0 as a difficulty in 0..1; `typical` is the cost of 0.63."""
    return 1 - math.exp(-cost / typical)


def solved(family: str, answer: str, difficulty: float, mistakes: Iterable[str]) -> Solved:
    """A solution whose mistakes are none of them right."""
    wrong = tuple(dict.fromkeys(m for m in mistakes if m and m != answer))
    return Solved(family, answer, difficulty, wrong or (answer + "x",))


def slips(number: int) -> list[str]:
    """Numbers that one takes for this one: off by a little, by ten, or with two digits swapped."""
    digits = str(abs(number))
    swapped = int(digits[:-2] + digits[-1] + digits[-2]) if len(digits) > 1 else number + 3
    near = [number + 1, number - 1, number + 2, number + 10, number - 10, swapped if number >= 0 else -swapped]
    return [str(n) for n in near]
