"""Small code: a program in a subset of Python, found in the prompt, is run. Difficulty: the statements it executes. Pure."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any

from pingpong_simulator.families.solved import Solved, difficulty_from, slips, solved

NAME = "code"
MAX_STEPS = 2000
MAX_BITS = 256
_MAX_QUESTION_CHARS = 20_000
_TYPICAL_COST = 16.0
_CUE = re.compile(r"\bwhat\b[^?]*\b(?:print|output|show|write|value)\w*\b|\boutput of\b|\bwhat (?:does|will|is)\b", re.I)
_FENCED = re.compile(r"```(?:python|py)?\n(.*?)```", re.S | re.I)


class _NotOurs(Exception):
    """The program uses something that this subset does not have, or runs too long."""


def _range(*bounds: int) -> range:
    """A range that is short enough to walk."""
    numbers = range(*bounds)
    if len(numbers) > MAX_STEPS:
        raise _NotOurs
    return numbers


_BINARY: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip
_COMPARED: Mapping[type, Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}  # fmt: skip
_CALLED: Mapping[str, Callable[..., Any]] = {"len": len, "abs": abs, "min": min, "max": max, "range": _range, "str": str}


class _Machine:
    """Runs one program; `printed` is what it wrote, `steps` how many statements it executed."""

    def __init__(self) -> None:
        self.printed: list[str] = []
        self.steps = 0
        self._values: dict[str, Any] = {}

    def run(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self.steps += 1
            if self.steps > MAX_STEPS:
                raise _NotOurs
            self._run_one(statement)

    def _run_one(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                self._keep(name, self._value(value))
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value):
                self._keep(name, self._binary(op, self._values.get(name), self._value(value)))
            case ast.If(test=test, body=body, orelse=orelse):
                self.run(body if self._value(test) else orelse)
            case ast.For(target=ast.Name(id=name), iter=source, body=body, orelse=[]):
                items = self._value(source)
                if not isinstance(items, range | str):
                    raise _NotOurs
                for item in items:
                    self._keep(name, item)
                    self.run(body)
            case ast.While(test=test, body=body, orelse=[]):
                while self._value(test):
                    self.run(body)
            case ast.Expr(value=ast.Call(func=ast.Name(id="print"), args=args, keywords=[])):
                self.printed.append(" ".join(str(self._value(arg)) for arg in args))
            case _:
                raise _NotOurs

    def _keep(self, name: str, value: Any) -> None:
        is_large = value.bit_length() > MAX_BITS if isinstance(value, int) else isinstance(value, str) and len(value) > MAX_BITS
        if is_large:
            raise _NotOurs
        self._values[name] = value

    def _binary(self, op: ast.operator, left: Any, right: Any) -> Any:
        if type(op) not in _BINARY or not isinstance(left, int | str) or not isinstance(right, int | str):
            raise _NotOurs
        if isinstance(op, ast.Mod) and isinstance(left, str):
            raise _NotOurs
        if isinstance(op, ast.Mult) and str in (type(left), type(right)) and max(_size(left), _size(right)) > MAX_BITS:
            raise _NotOurs
        return _BINARY[type(op)](left, right)

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=int() | str() as value):
                return value
            case ast.Name(id=name) if name in self._values:
                return self._values[name]
            case ast.BinOp(left=left, op=op, right=right):
                return self._binary(op, self._value(left), self._value(right))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._value(operand)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARED:
                return _COMPARED[type(op)](self._value(left), self._value(right))
            case ast.BoolOp(op=op, values=values):
                parts = [bool(self._value(value)) for value in values]
                return all(parts) if isinstance(op, ast.And) else any(parts)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _CALLED:
                return _CALLED[name](*(self._value(arg) for arg in args))
        raise _NotOurs


def _size(value: int | str) -> int:
    return value if isinstance(value, int) else len(value)


def run(program: str) -> tuple[str, int] | None:
    """What a program prints, and how many statements it takes; None for what this subset cannot run."""
    machine = _Machine()
    try:
        machine.run(ast.parse(program).body)
    except (_NotOurs, SyntaxError, TypeError, ValueError, ArithmeticError, RecursionError, AttributeError):
        return None
    return ("\n".join(machine.printed), machine.steps) if machine.printed else None


def solve(question: str, text: str) -> Solved | None:
    """What the program in the question prints, where the question asks for it."""
    fenced = _FENCED.search(question) if len(question) <= _MAX_QUESTION_CHARS else None
    if fenced is None or not _CUE.search(question[: fenced.start()] + question[fenced.end() :]):
        return None
    result = run(fenced[1])
    if result is None:
        return None
    printed, steps = result
    is_number = printed.removeprefix("-").isdecimal()
    mistakes = slips(int(printed)) if is_number else [printed[::-1], printed + printed[-1:]]
    return solved(NAME, printed, difficulty_from(steps, _TYPICAL_COST), mistakes)


_FORMS = ("What does this program print?", "What is the output of this program?", "What will this program write when it is run?")
_NAMES = ("total", "score", "level", "amount", "tally")


def prompt(draw: Random, level: int) -> str:
    """A loop with a choice in it; how often it turns decides, and that takes no more room."""
    name, other = draw.sample(_NAMES, 2)
    turns, every, modulus = draw.randint(2 * level - 1, 2 * level), draw.randint(2, 3), draw.randint(53, 97)
    program = (
        f"{name} = {draw.randint(2, 9)}\n{other} = {draw.randint(2, 9)}\nfor i in range({turns:d}):\n"
        f"    if i % {every} == 0:\n        {name} = ({name} + {other} * {draw.randint(2, 4)}) % {modulus}\n"
        f"    else:\n        {other} = {other} + i\nprint({name} {draw.choice('+-')} {other})\n"
    )
    return f"{draw.choice(_FORMS)}\n```python\n{program}```"
