"""
The body of a Messages request out of a `Request`. Pure.

What has no place on this wire and changes nothing there is left out: an image's `detail`, the name of an output schema,
a tool result's tool name, reasoning that bears no signature of this provider (the API refuses it unsigned).

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pingpong import (
    Card,
    InvalidRequestError,
    Message,
    Opaque,
    Part,
    Reasoning,
    Request,
    Role,
    Text,
    Tool,
    UnsupportedParameter,
    WireRequest,
)
from pingpong_wire import json_bytes

from pingpong_anthropic.blocks import content_from_parts
from pingpong_anthropic.options import (
    DEFAULT_MAX_TOKENS,
    LEAST_BUDGET,
    budget_from_effort,
    takes_budget,
    takes_only_budget,
    takes_system_turns,
)
from pingpong_anthropic.wire import PROVIDER, fields_from_opaque

API_VERSION = "2023-06-01"

_ELSEWHERE = frozenset({"endpoint", "betas", "tools", "tool_options", "output_config"})


def options_of(request: Request) -> Mapping[str, Any]:
    """The request's options for this provider."""
    return request.provider_options.get(PROVIDER, {})


def wire_request(target: str, body: Mapping[str, Any], request: Request) -> WireRequest:
    """The HTTP request; betas go into their header and choose the path's beta form."""
    headers = {"content-type": "application/json", "anthropic-version": API_VERSION}
    betas = options_of(request).get("betas")
    if betas:
        headers["anthropic-beta"] = betas if isinstance(betas, str) else ",".join(betas)
        target = f"{target}?beta=true"
    return WireRequest("POST", target, headers, json_bytes(body))


def body_from_request(request: Request, card: Card, *, is_stream: bool) -> dict[str, Any]:
    """
    The JSON body, as a table.

    Raises:
        UnsupportedParameter: A thinking budget or an effort that the model has no form of, another provider's part.
        InvalidRequestError: Content this wire cannot carry, or nothing but system messages.
    """
    options = options_of(request)
    system, messages = _system_and_messages(request, card)
    if not messages:
        raise InvalidRequestError("Anthropic needs at least one message that is not a system message.", provider=PROVIDER)
    max_tokens = request.max_output_tokens or card.max_output_tokens or DEFAULT_MAX_TOKENS
    body: dict[str, Any] = {"model": card.model, "max_tokens": max_tokens}
    if system:
        body["system"] = system
    body["messages"] = messages
    body.update(_tools(request, options))
    body.update(_sampling(request))
    output = _thinking_and_output(request, card, max_tokens)
    if extra := options.get("output_config"):
        output["output_config"] = {**output.get("output_config", {}), **extra}
    body.update(output)
    body.update({name: value for name, value in options.items() if name not in _ELSEWHERE})
    if is_stream:
        body["stream"] = True
    return body


def _turns(messages: tuple[Message, ...]) -> Iterator[tuple[Role, tuple[Part, ...]]]:
    """Messages, with neighbouring tool messages joined, and neighbouring system messages too."""
    role: Role | None = None
    parts: tuple[Part, ...] = ()
    for message in messages:
        if message.role is role and role in (Role.tool, Role.system):
            parts += message.parts
            continue
        if role is not None:
            yield role, parts
        role, parts = message.role, message.parts
    if role is not None:
        yield role, parts


def _system_and_messages(request: Request, card: Card) -> tuple[Any, list[dict[str, Any]]]:
    turns = list(_turns(request.messages))
    system: Any = None
    if turns and turns[0][0] is Role.system:
        system = content_from_parts(turns.pop(0)[1])
    wire: list[dict[str, Any]] = []
    for i, (role, parts) in enumerate(turns):
        if role is Role.system:
            next_role = turns[i + 1][0] if i + 1 < len(turns) else Role.assistant
            role, parts = _placed_system(parts, card, wire, next_role)
        kept = tuple([p for p in parts if not isinstance(p, Reasoning) or fields_from_opaque(p.opaque)])
        # An empty turn says nothing and the API refuses it; turns of one role that then meet are joined by the API.
        if content := content_from_parts(kept):
            wire.append({"role": "user" if role is Role.tool else role.value, "content": content})
    return system, wire


def _placed_system(
    parts: tuple[Part, ...], card: Card, before: list[dict[str, Any]], next_role: Role
) -> tuple[Role, tuple[Part, ...]]:
    """
    A later system message at its own place: as it is where the API takes it there, else as marked text of the user.

    "It must immediately follow a user turn, and must either end the array or precede an assistant turn."
    Source: https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages
    """
    is_placed = bool(before) and before[-1]["role"] == "user" and next_role is Role.assistant
    if any(isinstance(p, Opaque) for p in parts) or (is_placed and takes_system_turns(card.model)):
        return Role.system, parts
    marked = (Text(f"<system>\n{p.text}\n</system>", p.opaque) if isinstance(p, Text) and p.text else p for p in parts)
    return Role.user, tuple(marked)


def _tools(request: Request, options: Mapping[str, Any]) -> dict[str, Any]:
    extras = options.get("tool_options", {})
    tools = [_tool(tool, extras.get(tool.name, {})) for tool in request.tools]
    tools += options.get("tools", ())
    body: dict[str, Any] = {"tools": tools} if tools else {}
    choice: dict[str, Any] | None = None
    if request.tool_choice is not None:
        mode = request.tool_choice.mode
        choice = {"type": {"required": "any", "named": "tool"}.get(mode, mode)}
        if request.tool_choice.name is not None:
            choice["name"] = request.tool_choice.name
    # "none" has no field for it, and a model that calls no tool calls none in parallel.
    if request.parallel_tool_calls is not None and (choice is None or choice["type"] != "none"):
        choice = {**(choice or {"type": "auto"}), "disable_parallel_tool_use": not request.parallel_tool_calls}
    if choice is not None:
        body["tool_choice"] = choice
    return body


def _tool(tool: Tool, extra: Mapping[str, Any]) -> dict[str, Any]:
    wire: dict[str, Any] = {"name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    wire["input_schema"] = tool.parameters
    if tool.is_strict is not None:
        wire["strict"] = tool.is_strict
    return {**wire, **extra}


def _sampling(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = {
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "stop_sequences": list(request.stop) or None,
    }
    return {name: value for name, value in body.items() if value is not None}


def _thinking_and_output(request: Request, card: Card, max_tokens: int) -> dict[str, Any]:
    _refuse_thinking(request, card, max_tokens)
    body: dict[str, Any] = {}
    output: dict[str, Any] = {}
    effort, budget = request.reasoning_effort, request.reasoning_budget_tokens
    if effort == "none":
        body["thinking"] = {"type": "disabled"}
    elif effort is not None and not takes_only_budget(card.model):
        body["thinking"] = {"type": "adaptive"}
        output["effort"] = effort
    elif effort is not None:
        body["thinking"] = {"type": "enabled", "budget_tokens": budget_from_effort(effort, max_tokens)}
    if budget is not None:
        body["thinking"] = {"type": "enabled", "budget_tokens": budget}
    if request.output_schema is not None:
        output["format"] = {"type": "json_schema", "schema": request.output_schema.schema}
    if output:
        body["output_config"] = output
    return body


def _refuse_thinking(request: Request, card: Card, max_tokens: int) -> None:
    """
    Refuse amounts of thinking that the model has no form of.

    Raises:
        UnsupportedParameter: Some are set; `options` names them all.
    """
    effort, budget = request.reasoning_effort, request.reasoning_budget_tokens
    faults: dict[str, str] = {}
    if effort == "minimal":
        faults["reasoning_effort"] = "minimal is no effort of Anthropic's; use low"
    elif effort not in (None, "none") and takes_only_budget(card.model) and max_tokens <= LEAST_BUDGET:
        faults["reasoning_effort"] = f"{card.model} thinks with {LEAST_BUDGET} tokens at least; raise max_output_tokens"
    if budget is not None and not takes_budget(card.model):
        faults["reasoning_budget_tokens"] = f"{card.model} takes no budget; use reasoning_effort"
    elif budget is not None and effort is not None and (effort == "none" or takes_only_budget(card.model)):
        faults["reasoning_effort"] = f"{effort} has no place beside reasoning_budget_tokens; give one of them"
    if faults:
        what = "; ".join(f"{name}: {fault}" for name, fault in faults.items())
        raise UnsupportedParameter(f'{what}, or set on_unsupported="drop".', options=tuple(faults), provider=PROVIDER)
