"""
A `Request` out of the body of a Messages request: the inverse of `encode`. Pure.

Fields without a canonical place become `provider_options["anthropic"]`, so that encoding gives them back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from attrs import evolve
from msgspec import UNSET, Meta, Struct, UnsetType
from pingpong import (
    InvalidRequestError,
    Message,
    OutputSchema,
    Part,
    Request,
    Role,
    Tool,
    ToolCall,
    ToolCallResponse,
    ToolChoice,
    WireRequest,
)

from pingpong_anthropic.blocks import parts_from_content
from pingpong_anthropic.options import MESSAGES_OPTIONS
from pingpong_anthropic.wire import PROVIDER, WireError, object_from_json

Table = dict[str, Any]
Share = Annotated[float, Meta(ge=0, le=1)]
"""Temperature and top_p run from 0 to 1 here."""

_CANONICAL_OPTIONS = frozenset({"betas", "tool_options", "tools", "thinking", "output_config"})


class _Turn(Struct):
    role: Literal["user", "assistant", "system"]
    content: str | list[Any]


class _Choice(Struct):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _Tool(Struct):
    name: Annotated[str, Meta(min_length=1)]
    input_schema: Table
    description: str | None = None
    strict: bool | None = None


class _Schema(Struct):
    schema: Table
    type: Literal["json_schema"]


class _Output(Struct):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: _Schema | None = None


class _Thinking(Struct):
    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Annotated[int, Meta(ge=1)] | None = None


class Body(Struct, forbid_unknown_fields=True):
    """The fields that have a canonical place, with the types that the API insists on; `max_tokens` apart."""

    model: Annotated[str, Meta(min_length=1)]
    messages: Annotated[list[_Turn], Meta(min_length=1)]
    max_tokens: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    system: str | list[Any] | None = None
    stream: bool | None = False
    temperature: Share | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Meta(ge=0)] | None = None
    stop_sequences: list[str] | None = None
    tools: list[Table] | None = None
    tool_choice: _Choice | None = None
    thinking: _Thinking | None = None
    output_config: _Output | None = None
    output_format: _Schema | None = None


_KNOWN = frozenset(Body.__struct_fields__)


def body_from_wire(wire: WireRequest) -> tuple[Body, Table]:
    """
    The body twice: its canonical fields, and the whole table.

    Raises:
        InvalidRequestError: It is not what the endpoint takes; the message names the field.
    """
    try:
        table = object_from_json(wire.body, "The request body")
        return msgspec.convert({n: v for n, v in table.items() if n in _KNOWN or n not in MESSAGES_OPTIONS}, Body), table
    except (WireError, msgspec.ValidationError) as exc:
        raise InvalidRequestError(f"{exc}.", provider=PROVIDER) from exc


def request_from_body(body: Body, table: Table, wire: WireRequest) -> Request:
    """
    The request that a body asks for.

    Raises:
        InvalidRequestError: A field is not what the endpoint takes; the message names it.
    """
    options: Table = {n: v for n, v in table.items() if n in MESSAGES_OPTIONS - _CANONICAL_OPTIONS}
    if betas := wire.headers.get("anthropic-beta"):
        options["betas"] = [name.strip() for name in betas.split(",")]
    tools = _tools(body.tools or [], options)
    effort, budget = _thinking(body, table, options)
    choice, is_parallel = _choice(body.tool_choice)
    output = body.output_config.format if body.output_config else None
    schema = output or body.output_format
    return Request(
        _messages(body),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=is_parallel,
        output_schema=OutputSchema(schema.schema) if schema else None,
        max_output_tokens=None if body.max_tokens is UNSET else body.max_tokens,
        temperature=body.temperature,
        top_p=body.top_p,
        top_k=body.top_k,
        stop=body.stop_sequences or (),
        reasoning_effort=effort,
        reasoning_budget_tokens=budget,
        provider_options={PROVIDER: options} if options else {},
    )


def _parts(content: Any, where: str) -> tuple[Part, ...]:
    try:
        return parts_from_content(content)
    except WireError as exc:
        raise InvalidRequestError(f"{where}: {exc}.", provider=PROVIDER) from exc


def _messages(body: Body) -> list[Message]:
    messages: list[Message] = []
    if body.system is not None:
        messages.append(Message(Role.system, _parts(body.system, "system")))
    names: dict[str, str] = {}
    for i, turn in enumerate(body.messages):
        run: list[Part] = []
        for part in _parts(turn.content, f"messages.{i}.content"):
            if isinstance(part, ToolCall):
                names[part.call_id] = part.name
            if isinstance(part, ToolCallResponse):
                part = evolve(part, name=names.get(part.call_id))
            if run and isinstance(part, ToolCallResponse) != isinstance(run[0], ToolCallResponse):
                messages.append(_message(turn.role, run))
                run = []
            run.append(part)
        messages.append(_message(turn.role, run))
    return messages


def _message(role: str, parts: list[Part]) -> Message:
    """One message of parts that are all tool results, or none of them; the wire has no role for results."""
    return Message(Role.tool if parts and isinstance(parts[0], ToolCallResponse) else role, tuple(parts))


def _tools(tables: list[Table], options: Table) -> list[Tool]:
    tools, others, extras = [], [], {}
    for i, table in enumerate(tables):
        if table.get("type") not in (None, "custom"):
            others.append(table)
            continue
        try:
            tool = msgspec.convert(table, _Tool)
        except msgspec.ValidationError as exc:
            raise InvalidRequestError(f"tools.{i}: {exc}.", provider=PROVIDER) from exc
        tools.append(Tool(tool.name, tool.description or "", tool.input_schema, tool.strict))
        if extra := {n: v for n, v in table.items() if n not in _Tool.__struct_fields__ and v is not None}:
            extras[tool.name] = extra
    if others:
        options["tools"] = others
    if extras:
        options["tool_options"] = extras
    return tools


def _choice(choice: _Choice | None) -> tuple[ToolChoice | None, bool | None]:
    if choice is None:
        return None, None
    is_parallel = None if choice.disable_parallel_tool_use is None else not choice.disable_parallel_tool_use
    if choice.type == "tool":
        return ToolChoice("named", choice.name), is_parallel
    if choice.type == "any":
        return ToolChoice("required"), is_parallel
    # The wire has no place but a choice for parallel calls; "auto" is its default.
    return (None if choice.type == "auto" and is_parallel is not None else ToolChoice(choice.type)), is_parallel


def _thinking(body: Body, table: Mapping[str, Any], options: Table) -> tuple[Any, int | None]:
    """Effort and budget; what says more than these two goes into `options` as it came."""
    effort: str | None = body.output_config.effort if body.output_config else None
    rest = {n: v for n, v in (table.get("output_config") or {}).items() if n not in ("effort", "format") and v is not None}
    if rest:
        options["output_config"] = rest
    thinking = body.thinking
    if thinking is None:
        return effort, None
    is_told = len(table["thinking"]) == (2 if thinking.type == "enabled" else 1)
    if thinking.type == "disabled" and effort is None:
        effort = "none"
    elif not (thinking.type == "adaptive" and effort) and thinking.type != "enabled":
        is_told = False
    if not is_told:
        options["thinking"] = table["thinking"]
    return effort, thinking.budget_tokens
