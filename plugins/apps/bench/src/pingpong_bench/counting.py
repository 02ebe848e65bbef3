"""Counting what code does where a clock could only guess: repeatable on any machine, whatever else it is doing."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any

from attrs import frozen


@frozen
class Count:
    """
    What one run of some work did.

    Attributes:
        instructions: Bytecode instructions of CPython, those of libraries written in Python included.
        c_calls: Calls into functions written in C, whose own work no instruction counts.
    """

    instructions: int
    c_calls: int


async def counted(work: Callable[[], Awaitable[object]]) -> Count:
    """
    Count one run of `work`, after it has run often enough that everything it imports and caches is there.

    It runs four times in all. Same interpreter and same work, same count: neither hash seed nor load changes it.
    A tracer that was set before, such as that of a coverage tool, is put back.
    """
    for _ in range(2):
        await work()
    return Count(await _instructions(work), await _c_calls(work))


async def _instructions(work: Callable[[], Awaitable[object]]) -> int:
    n = 0

    def in_frame(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal n
        n += event == "opcode"
        return in_frame

    def entered(frame: FrameType, event: str, arg: Any) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return in_frame

    before = sys.gettrace()
    sys.settrace(entered)
    try:
        await work()
    finally:
        sys.settrace(before)
    return n


async def _c_calls(work: Callable[[], Awaitable[object]]) -> int:
    n = 0

    def called(frame: FrameType, event: str, arg: Any) -> None:
        nonlocal n
        n += event == "c_call"

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        await work()
    finally:
        sys.setprofile(before)
    return n
