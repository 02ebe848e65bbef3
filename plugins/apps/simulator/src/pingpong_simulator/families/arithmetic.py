"""Arithmetic: an expression found in the prompt is evaluated exactly. Difficulty: operations and the digits they carry. Pure."""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from random import Random

from pingpong_simulator.families.solved import Solved, difficulty_from, slips, solved

NAME = "arithmetic"
_TYPICAL_COST = 14.0
_MAX_CHARS = 300
_MAX_QUESTION_CHARS = 20_000
_CUE = re.compile(r"\b(what(?:'s| is)|how much is|calculate|compute|evaluate|work out|value of|result of|add up)\b|=", re.I)
_EXPRESSION = re.compile(r"(?<![\w.])[-(]*\d[\d\s.+\-*/()]*[\d)]")
_WORDS = (
    (re.compile(r"\b\d{4}-\d\d-\d\d\b"), "a day"),
    (re.compile(r"(?<=\d),(?=\d{3}\b)"), ""),
    (re.compile(r"(?<=[\d)])\s*(?:plus|\+)\s*(?=[\d(])", re.I), " + "),
    (re.compile(r"(?<=[\d)])\s*(?:minus|−|–)\s*(?=[\d(])", re.I), " - "),
    (re.compile(r"(?<=[\d)])\s*(?:times|multiplied by|×|·)\s*(?=[\d(])", re.I), " * "),
    (re.compile(r"(?<=[\d)])\s*(?:divided by|over|÷)\s*(?=[\d(])", re.I), " / "),
    (re.compile(r"(?<=\d)\s*(?:%|percent) of\s*(?=[\d(])", re.I), " / 100 * "),
)
_FORMS = ("What is {}?", "Compute {}.", "Work out {}.", "How much is {}?", "Please evaluate {}.", "Calculate {} for me.")


def solve(question: str, text: str) -> Solved | None:
    """The value of the longest expression in the question, where something asks for a value."""
    if len(question) > _MAX_QUESTION_CHARS:
        return None
    for pattern, sign in _WORDS:
        question = pattern.sub(sign, question)
    if not _CUE.search(question):
        return None
    found = sorted(_EXPRESSION.findall(question), key=len, reverse=True)
    for expression in found:
        value = _value(expression.strip()) if len(expression) <= _MAX_CHARS else None
        if value is not None:
            number, cost = value
            rest = number - int(number)
            mistakes = [_written(Fraction(slip) + rest) for slip in slips(int(number))]
            return solved(NAME, _written(number), difficulty_from(cost, _TYPICAL_COST), mistakes)
    return None


def _value(expression: str) -> tuple[Fraction, float] | None:
    """Value and cost of an expression that has an operator."""
    try:
        tree = ast.parse(expression, mode="eval").body
        number, cost = _evaluated(tree)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError):
        return None
    return (number, cost) if cost else None


def _evaluated(node: ast.expr) -> tuple[Fraction, float]:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Fraction(str(node.value)), 0.0
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        number, cost = _evaluated(node.operand)
        return -number, cost
    if not isinstance(node, ast.BinOp):
        raise ValueError("not arithmetic")
    (left, left_cost), (right, right_cost) = _evaluated(node.left), _evaluated(node.right)
    size = (_digits(left) + _digits(right)) / 2
    match node.op:
        case ast.Add():
            value, weight = left + right, 1.0
        case ast.Sub():
            value, weight = left - right, 1.0
        case ast.Mult():
            value, weight = left * right, 1.6
        case ast.Div():
            value, weight = left / right, 1.6
        case _:
            raise ValueError("not arithmetic")
    return value, left_cost + right_cost + weight * size


def _digits(number: Fraction) -> int:
    return len(str(abs(number.numerator)))


def _written(number: Fraction) -> str:
    if number.denominator == 1:
        return str(number.numerator)
    return f"{float(number):.4f}".rstrip("0")


def prompt(draw: Random, level: int) -> str:
    """An expression of as many operations as the level says, in random nesting."""
    largest = 9 if level < 3 else 40 if level < 6 else 99
    terms = [str(draw.randint(2, largest)) for _ in range(level + 1)]
    while len(terms) > 1:
        at = draw.randrange(len(terms) - 1)
        sign = draw.choice("++--*")
        joined = f"{terms[at]} {sign} {terms[at + 1]}"
        terms[at : at + 2] = [joined if len(terms) == 2 else f"({joined})"]
    return draw.choice(_FORMS).format(terms[0])
