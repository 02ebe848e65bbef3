"""Whether an answer calls tools, which, and with what arguments. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from random import Random

from attrs import evolve
from pingpong import Request, Role, Tool, ToolCall, ToolCallResponse, text_of

from pingpong_simulator.instances import Hints, instance

MAX_CALLS = 8
_WORD = re.compile(r"[^\W\d_]{3,}")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NAME = re.compile(r"(?<![.?!]\s)(?<!^)\b[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)*(?:, [A-Z]{2}\b)?")
_QUOTED = re.compile(r"[\"“`]([^\"”`\n]{1,80})[\"”`]")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")
_SEVERAL = re.compile(r"\b(?:both|each|parallel|all of|at once|two|three)\b", re.I)
_COMMON = frozenset((
    "about", "after", "and", "any", "are", "ask", "can", "current", "data", "find", "for", "from", "get", "give",
    "given", "has", "have", "her", "his", "how", "into", "its", "list", "look", "make", "need", "not", "one", "please",
    "return", "returns", "set", "show", "tell", "than", "that", "the", "their", "them", "then", "there", "these",
    "this", "tool", "use", "used", "user", "uses", "using", "value", "values", "want", "was", "what", "when", "where",
    "which", "who", "will", "with", "work", "would", "you", "your",
))  # fmt: skip


def last_user_text(request: Request) -> str:
    """What the user said last, "" where the user said nothing in words."""
    return next((m.text for m in reversed(request.messages) if m.role is Role.user and m.text), "")


def hints_from(prompt: str, answer: str | None = None) -> Hints:
    """What a prompt offers to fill arguments with: quoted texts, then names, then its longest word; and its numbers."""
    words = [*_QUOTED.findall(prompt), *_NAME.findall(prompt)]
    words += sorted(_words(prompt) - _COMMON, key=lambda w: (-len(w), w))[:1]
    numbers = tuple(float(n) for n in _NUMBER.findall(prompt))
    return Hints(answer, tuple(dict.fromkeys(words)), numbers, prompt)


def _words(text: str) -> set[str]:
    return {w.lower() for w in _WORD.findall(_CAMEL.sub(" ", text.replace("_", " ")))}


def _stems(text: str) -> set[str]:
    return {word[:5] for word in _words(text) - _COMMON}


def calls_for(request: Request, draw: Random) -> tuple[ToolCall, ...]:
    """
    The calls that the request makes plausible, none for an answer in words.

    Raises:
        InvalidRequestError: The chosen tool does not exist, or its parameters are a schema without a value.
    """
    prompt = last_user_text(request)
    tools = _chosen(request, prompt)
    hints = hints_from(prompt)
    calls = [(tool, arguments) for tool in tools for arguments in _arguments(request, tool, hints, len(tools) > 1)]
    if request.parallel_tool_calls is False:
        calls = calls[:1]
    return tuple(
        ToolCall(f"call_{draw.getrandbits(80):020x}", tool.name, json.dumps(values, separators=(",", ":"), ensure_ascii=False))
        for tool, values in calls[:MAX_CALLS]
    )


def _chosen(request: Request, prompt: str) -> Sequence[Tool]:
    """Tools that the request insists on, or that share a word with what was asked."""
    mode = request.tool_choice.mode if request.tool_choice else "auto"
    if mode == "none" or not request.tools:
        return ()
    if mode == "named":
        name = request.tool_choice.name if request.tool_choice else None
        return [tool for tool in request.tools if tool.name == name]
    if mode == "auto" and request.messages[-1].role is Role.tool:
        return ()
    asked = _stems(prompt)
    likely = [tool for tool in request.tools if asked & _stems(f"{tool.name} {tool.description}")]
    return likely or (request.tools[:1] if mode == "required" else ())


def _arguments(request: Request, tool: Tool, hints: Hints, has_others: bool) -> list[object]:
    """One set of arguments, or one for each thing that the prompt names where it names several."""
    names = _NAME.findall(hints.prompt)
    takes_text = any(
        isinstance(p, dict) and p.get("type") == "string" and "enum" not in p
        for p in dict(tool.parameters.get("properties") or {}).values()
    )
    if not has_others and takes_text and len(names) > 1:
        return [instance(tool.parameters, evolve(hints, words=(name,))) for name in dict.fromkeys(names)]
    first = instance(tool.parameters, hints)
    is_several = not has_others and (request.parallel_tool_calls is True and _SEVERAL.search(hints.prompt) is not None)
    return [first, first] if is_several else [first]


def answer_from_results(request: Request) -> str | None:
    """An answer that tells what the tools gave back, None where the last message holds no results."""
    results: list[ToolCallResponse] = []
    for message in reversed(request.messages):
        if message.role is not Role.tool:
            break
        results = [*(p for p in message.parts if isinstance(p, ToolCallResponse)), *results]
    return "\n".join(map(_told, results)) if results else None


def _told(result: ToolCallResponse) -> str:
    said = text_of(result.parts).strip() or "nothing in words"
    return f"{result.name or 'The tool'} {'failed' if result.is_error else 'says'}: {said}"
