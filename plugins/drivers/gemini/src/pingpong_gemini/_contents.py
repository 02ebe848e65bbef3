"""
Conversations between messages and `systemInstruction` with `contents`.

The wire knows two roles. System messages, wherever they stand, go into the one system instruction in their order. Answers of
tools are user content; those of messages in a row go into one content, as the API wants the answers to parallel calls together.
Google matches an answer with its call by id where there is one, else by name and order; so where a call came without an id,
none is sent with its answer.

Gemini 3 and later refuse a turn whose first call bears no signature. A call that another model made has none, so there the
mark goes out that the provider documents for such histories; the dialect reads over it.

Source: https://ai.google.dev/api/caching#Content, https://ai.google.dev/gemini-api/docs/function-calling,
https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import evolve
from pingpong import InvalidRequestError, Message, Opaque, Part, Reasoning, Request, Role, Text, ToolCall, ToolCallResponse
from pingpong_wire import json_text

from pingpong_gemini._json import PROVIDER, Json, attached, camel, opaque_of
from pingpong_gemini._parts import part_from_wire, part_to_wire

UNSIGNED = "skip_thought_signature_validator"
"""Stands for the signature of a call that another model made."""


def contents_to_wire(request: Request, *, needs_signatures: bool) -> Json:
    """
    `systemInstruction`, where there is one, and `contents`, for a model that needs calls to be signed or not.

    Raises:
        UnsupportedParameter, InvalidRequestError: As `part_to_wire`.
    """
    system: list[Json] = []
    contents: list[Json] = []
    calls: dict[str, ToolCall] = {}
    last: Role | None = None
    for message in request.messages:
        parts = _parts_to_wire(message.parts, calls)
        if message.role is Role.system:
            system += parts
        elif message.role is Role.tool and last is Role.tool:
            contents[-1]["parts"] += parts
        elif parts:
            is_model = message.role is Role.assistant
            contents.append({"role": "model" if is_model else "user", "parts": parts})
            if is_model and needs_signatures and (call := next((part for part in parts if "functionCall" in part), None)):
                call.setdefault("thoughtSignature", UNSIGNED)
            last = message.role
    return {**({"systemInstruction": {"parts": system}} if system else {}), "contents": contents}


def _parts_to_wire(parts: Iterable[Part], calls: dict[str, ToolCall]) -> list[Json]:
    wire: list[Json] = []
    for part in parts:
        if isinstance(part, ToolCall):
            calls[part.call_id] = part
        one = part_to_wire(_named(part, calls))
        if one is not None:
            if isinstance(part, ToolCallResponse) and _came_without_id(calls.get(part.call_id)):
                one["functionResponse"].pop("id", None)
            wire.append(one)
    return wire


def _named(part: Part, calls: dict[str, ToolCall]) -> Part:
    """The part; an answer of a tool without the tool's name takes it from the call."""
    if isinstance(part, ToolCallResponse) and part.name is None and part.call_id in calls:
        return evolve(part, name=calls[part.call_id].name)
    return part


def _came_without_id(call: ToolCall | None) -> bool:
    function = attached(call.opaque).get("functionCall") if call else None
    return isinstance(function, dict) and "id" in function


def messages_from_wire(body: Json) -> tuple[Message, ...]:
    """
    The messages of a request body whose own keys are in lowerCamelCase.

    Raises:
        InvalidRequestError: A content is not what the API takes; the message names the field.
    """
    messages: list[Message] = []
    if system := _parts_of(body.get("systemInstruction"), "systemInstruction"):
        messages.append(Message(Role.system, tuple(_spoken(value, i) for i, value in enumerate(system))))
    contents = body.get("contents")
    if isinstance(contents, dict | str):
        contents = [contents]
    if not isinstance(contents, list) or not contents:
        raise InvalidRequestError("contents: give at least one content.")
    open_calls: list[ToolCall] = []
    for i, content in enumerate(contents):
        values = _parts_of(content, f"contents[{i}]")
        if camel(content).get("role") == "model":
            parts = tuple(part_from_wire(_without_mark(value), n) for n, value in enumerate(values))
            open_calls = [p for p in parts if isinstance(p, ToolCall)]
            messages.append(Message(Role.assistant, parts))
        else:
            messages += _user_messages([_spoken(value, n) for n, value in enumerate(values)], open_calls)
    return tuple(messages)


def _parts_of(content: object, at: str) -> list[object]:
    """The content's parts; one part alone, and a bare string, are taken as the API takes them."""
    if content is None:
        return []
    if isinstance(content, str):
        return [{"text": content}]
    parts = camel(content).get("parts")
    if isinstance(parts, dict):
        parts = [parts]
    if not isinstance(parts, list) or not all(isinstance(p, dict) for p in parts):
        raise InvalidRequestError(f"{at}.parts: give a list of parts.")
    return parts


def _without_mark(value: object) -> Json:
    part = camel(value)
    return {k: v for k, v in part.items() if not (k == "thoughtSignature" and v == UNSIGNED)}


def _spoken(value: object, index: int) -> Part:
    """A part of user or system content, in which nothing can be the model's own."""
    part = part_from_wire(value, index)
    return Opaque(PROVIDER, json_text(value)) if isinstance(part, Reasoning | ToolCall) else part


def _user_messages(parts: Sequence[Part], open_calls: list[ToolCall]) -> list[Message]:
    """User content as messages: answers of tools apart from what the user says, in order."""
    messages: list[Message] = []
    for part in parts:
        role = Role.tool if isinstance(part, ToolCallResponse) else Role.user
        if isinstance(part, ToolCallResponse):
            part = _matched(part, open_calls)
        if messages and messages[-1].role is role:
            messages[-1] = evolve(messages[-1], parts=(*messages[-1].parts, part))
        else:
            messages.append(Message(role, (part,)))
    return messages or [Message(Role.user, (Text(""),))]


def _matched(part: ToolCallResponse, open_calls: list[ToolCall]) -> ToolCallResponse:
    """The answer with its call's id: by that id, else the first call of its name that has no answer yet."""
    has_id = not _lacks_id(part)
    call = next((c for c in open_calls if (c.call_id == part.call_id if has_id else c.name == part.name)), None)
    if call is None:
        return part
    open_calls.remove(call)
    if has_id or not _came_without_id(call):
        return part if has_id else evolve(part, call_id=call.call_id)
    rest = attached(part.opaque)
    function = {k: v for k, v in rest.pop("functionResponse").items() if k != "id"}
    return evolve(part, call_id=call.call_id, opaque=opaque_of({**rest, **({"functionResponse": function} if function else {})}))


def _lacks_id(part: ToolCallResponse) -> bool:
    function = attached(part.opaque).get("functionResponse")
    return isinstance(function, dict) and "id" in function
