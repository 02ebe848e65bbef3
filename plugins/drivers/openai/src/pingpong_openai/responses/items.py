"""
Output items of the responses wire as parts, and back.

An item may hold several parts (contents of a message, summaries of a reasoning item); the parts of one item share its id
in their opaque values, and adjacent ones become one item again.

Source: https://platform.openai.com/docs/api-reference/responses/object
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from pingpong import MalformedResponse, Opaque, Part, Reasoning, Text, ToolCall

from pingpong_openai.ids import given_id, made_up_id
from pingpong_openai.jsonwire import attached, kept, kept_if_any

WIRE = "responses"
"""Key of this wire in opaque values."""

Key = tuple[str, int]
"""Place of a part in its item: section and number, as the stream's deltas name it."""

CALL_KEY: Key = ("item", 0)
_CALL_TEXT = {"function_call": "arguments", "custom_tool_call": "input"}
CALL_TYPES = frozenset(_CALL_TEXT)


def parts_from_item(provider: str, item: Mapping[str, Any]) -> list[tuple[Key, Part]]:
    """
    The parts of one output item, at least one; what has no canonical form is opaque.

    Raises:
        MalformedResponse: A field that the protocol requires is missing or of another type.
    """
    kind = item.get("type")
    try:
        if kind == "message" and item.get("content"):
            return list(_message_parts(provider, item))
        if kind == "reasoning":
            return _reasoning_parts(provider, item)
        if kind in CALL_TYPES:
            return [(CALL_KEY, _call(provider, item, kind))]
    except (KeyError, TypeError, AttributeError) as exc:
        raise MalformedResponse(f"{provider} sent a {kind} item of another shape.", provider=provider) from exc
    return [(CALL_KEY, kept(provider, WIRE, {"item": item}))]


def is_refusal_item(item: Mapping[str, Any]) -> bool:
    """Whether the item is a message that refuses."""
    return item.get("type") == "message" and any(part.get("type") == "refusal" for part in item.get("content") or ())


def _said(item: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """What an item says beyond its content: id and status where they tell something, and the named fields."""
    said = {"id": given_id(item.get("id")), **{name: item.get(name) for name in names}}
    if item.get("status") != "completed":
        said["status"] = item.get("status")
    return {name: value for name, value in said.items() if value}


def _message_parts(provider: str, item: Mapping[str, Any]) -> Iterator[tuple[Key, Part]]:
    said = _said(item, ("phase",))
    for i, content in enumerate(item["content"]):
        kind = content["type"]
        if kind == "output_text":
            extra = {name: content[name] for name in ("annotations", "logprobs") if content.get(name)}
            yield ("content", i), Text(_text(content["text"]), kept_if_any(provider, WIRE, {**said, **extra}))
        elif kind == "refusal":
            # The mark serves to send the item back as it was, which needs its id.
            mark = {**said, "type": "refusal"} if said else {}
            yield ("content", i), Text(_text(content["refusal"]), kept_if_any(provider, WIRE, mark))
        else:
            yield ("content", i), kept(provider, WIRE, {**said, "content": content})


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("text expected")
    return value


def _reasoning_parts(provider: str, item: Mapping[str, Any]) -> list[tuple[Key, Part]]:
    said = _said(item, ("encrypted_content",))
    pieces = [(section, i, piece) for section in ("summary", "content") for i, piece in enumerate(item.get(section) or ())]
    parts: list[tuple[Key, Part]] = []
    for section, i, piece in pieces:
        extra = {} if section == "summary" else {"in": section}
        # Only the first part carries what belongs to the item as a whole; the others say which item is theirs.
        whole = said if not parts else {name: said[name] for name in ("id",) if name in said}
        parts.append(((section, i), Reasoning(_text(piece["text"]), kept_if_any(provider, WIRE, {**whole, **extra}))))
    return parts or [(("summary", 0), Reasoning("", kept_if_any(provider, WIRE, said)))]


def _call(provider: str, item: Mapping[str, Any], kind: str) -> ToolCall:
    text = _CALL_TEXT[kind]
    known = {"type", "id", "status", "call_id", "name", text}
    said = _said(item, tuple(name for name in item if name not in known))
    if kind != "function_call":
        said["type"] = kind
    arguments = _text(item[text]) or "{}"
    return ToolCall(_text(item["call_id"]), _text(item["name"]), arguments, kept_if_any(provider, WIRE, said))


def is_custom_call(provider: str, call: ToolCall) -> bool:
    """Whether the call is one of a custom tool, whose arguments are free text."""
    return attached(call.opaque, provider, WIRE).get("type") == "custom_tool_call"


def call_item(provider: str, call: ToolCall) -> dict[str, Any]:
    """The item of a call, with what was kept of it and nothing made up."""
    said = attached(call.opaque, provider, WIRE)
    kind = "custom_tool_call" if said.pop("type", None) == "custom_tool_call" else "function_call"
    return {"type": kind, "call_id": call.call_id, "name": call.name, _CALL_TEXT[kind]: call.arguments, **said}


def content_piece(provider: str, part: Part, *, is_refusal: bool = False) -> dict[str, Any]:
    """One content of an output message."""
    said = attached(getattr(part, "opaque", None), provider, WIRE)
    if not isinstance(part, Text):
        return dict(attached(part if isinstance(part, Opaque) else None, provider, WIRE)["content"])
    if is_refusal or said.get("type") == "refusal":
        return {"type": "refusal", "refusal": part.text}
    notes, logprobs = said.get("annotations", []), said.get("logprobs", [])
    return {"type": "output_text", "text": part.text, "annotations": notes, "logprobs": logprobs}


def runs(provider: str, parts: tuple[Part, ...]) -> Iterator[tuple[str, dict[str, Any], list[Part]]]:
    """
    The parts of one item after the other: (kind, what the first part keeps of the item, parts).

    Kinds: message, reasoning, call, item (opaque and whole), other.
    """

    def place(part: Part) -> tuple[str, object]:
        said = attached(part if isinstance(part, Opaque) else getattr(part, "opaque", None), provider, WIRE)
        if isinstance(part, Text) or "content" in said:
            return "message", (said.get("id"), said.get("phase"))
        if isinstance(part, Reasoning):
            return "reasoning", said.get("id")
        return ("call" if isinstance(part, ToolCall) else "item" if "item" in said else "other"), id(part)

    for (kind, _), group in groupby(parts, key=place):
        found = list(group)
        first = found[0]
        yield kind, attached(first if isinstance(first, Opaque) else getattr(first, "opaque", None), provider, WIRE), found


def message_item(provider: str, said: Mapping[str, Any], parts: list[Part], refusal: Part | None = None) -> dict[str, Any]:
    """An output message without made-up fields but its status, which the wire requires."""
    item: dict[str, Any] = {"type": "message", "role": "assistant", "status": said.get("status", "completed")}
    item |= {name: said[name] for name in ("id", "phase") if name in said}
    item["content"] = [content_piece(provider, part, is_refusal=part is refusal) for part in parts]
    return item


def reasoning_item(provider: str, said: Mapping[str, Any], parts: list[Part]) -> dict[str, Any]:
    """A reasoning item without made-up fields."""
    item: dict[str, Any] = {"type": "reasoning", "summary": []}
    item |= {name: said[name] for name in ("id", "encrypted_content", "status") if name in said}
    pieces = [(part, attached(part.opaque, provider, WIRE).get("in")) for part in parts if isinstance(part, Reasoning)]
    if len(pieces) > 1 or (pieces and pieces[0][0].text):
        item["summary"] = [{"type": "summary_text", "text": part.text} for part, section in pieces if section is None]
        if content := [{"type": "reasoning_text", "text": part.text} for part, section in pieces if section is not None]:
            item["content"] = content
    return item


def output_from_parts(provider: str, parts: tuple[Part, ...], refusal: Part | None, first: int = 0) -> list[dict[str, Any]]:
    """The output items that say these parts, ids made up where there are none; `first` is the first one's number."""
    items: list[dict[str, Any]] = []
    for kind, said, found in runs(provider, parts):
        n = first + len(items)
        if kind == "message":
            items.append({"id": made_up_id("msg", n), **message_item(provider, said, found, refusal)})
        elif kind == "reasoning":
            items.append({"id": made_up_id("rs", n), **reasoning_item(provider, said, found)})
        elif kind == "call":
            calls = [call_item(provider, call) for call in found if isinstance(call, ToolCall)]
            items.extend({"id": made_up_id("fc", n), "status": "completed", **call} for call in calls)
        elif kind == "item":
            items.append(said["item"])
    return items
