"""Requests as clients of the responses wire send them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pingpong import (
    File,
    Image,
    InvalidRequestError,
    Message,
    OutputSchema,
    Part,
    Request,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolCallResponse,
    ToolChoice,
    system,
)

from pingpong_openai.chat.encode import TOOL_FAILED
from pingpong_openai.fields import named_results, number, text_in, whole
from pingpong_openai.jsonwire import kept, kept_if_any
from pingpong_openai.media import file_from_wire, file_reference, split_url
from pingpong_openai.responses.encode import INCLUDED
from pingpong_openai.responses.items import CALL_TYPES, WIRE, is_custom_call, parts_from_item

_ROLES = {"system": Role.system, "developer": Role.system, "user": Role.user}
_OUTPUTS = {"function_call_output", "custom_tool_call_output"}
_CANONICAL = frozenset(
    {
        "background",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "model",
        "parallel_tool_calls",
        "reasoning",
        "stream",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_p",
    }
)


def request_from_body(provider: str, body: Mapping[str, Any]) -> Request:
    """
    The request in a body; fields without a canonical place are in its provider options, under their own names.

    Raises:
        InvalidRequestError: A field is missing or of another shape, or the answer is not to be waited for; the message names it.
    """
    if body.get("background"):
        raise InvalidRequestError("Unsupported value: 'background' must be false, as nobody would fetch the answer.")
    tools, other_tools = _tools(body)
    tool_choice = _tool_choice(body.get("tool_choice"))
    text, schema = _text(body.get("text") or {})
    reasoning = dict(body.get("reasoning") or {})
    effort = reasoning.pop("effort", None)
    special = {
        "tools": other_tools,
        "tool_choice": body.get("tool_choice") if tool_choice is None else None,
        "text": text,
        "reasoning": reasoning,
        "include": [name for name in body.get("include") or () if name != INCLUDED],
    }
    options = {name: value for name, value in body.items() if name not in _CANONICAL and value is not None}
    options |= {name: value for name, value in special.items() if value}
    return Request(
        _messages(provider, body),
        tools=tools,
        tool_choice=tool_choice,
        output_schema=schema,
        parallel_tool_calls=body.get("parallel_tool_calls"),
        max_output_tokens=whole(body, "max_output_tokens"),
        temperature=number(body, "temperature"),
        top_p=number(body, "top_p"),
        reasoning_effort=effort,
        provider_options={provider: options} if options else {},
    )


def _tools(body: Mapping[str, Any]) -> tuple[list[Tool], list[Any]]:
    tools: list[Tool] = []
    others: list[Any] = []
    for i, wire in enumerate(body.get("tools") or ()):
        if not isinstance(wire, dict) or wire.get("type") != "function":
            others.append(wire)
            continue
        name, description, strict = text_in(wire, "name", f"tools[{i}]"), wire.get("description") or "", wire.get("strict")
        given = {} if wire.get("parameters") is None else {"parameters": wire["parameters"]}
        tools.append(Tool(name, description, is_strict=strict, **given))
    return tools, others


def _tool_choice(wire: Any) -> ToolChoice | None:
    if wire in ("auto", "none", "required"):
        return ToolChoice(wire)
    if isinstance(wire, dict) and wire.get("type") == "function":
        return ToolChoice("named", text_in(wire, "name", "tool_choice"))
    return None


def _text(wire: Mapping[str, Any]) -> tuple[dict[str, Any], OutputSchema | None]:
    others = {name: value for name, value in wire.items() if name != "format"}
    given = wire.get("format") or {}
    if given.get("type") == "json_schema":
        name = text_in(given, "name", "text.format")
        return others, OutputSchema(given.get("schema") or {}, name, given.get("description"), bool(given.get("strict")))
    # Plain text is the default; only what says something else is kept.
    return ({**others, "format": given} if given and given.get("type") != "text" else others), None


def _messages(provider: str, body: Mapping[str, Any]) -> tuple[Message, ...]:
    wire = body.get("input")
    if not isinstance(wire, str | list):
        raise InvalidRequestError("Missing required parameter: 'input'.")
    messages = [system(body["instructions"])] if body.get("instructions") else []
    if isinstance(wire, str):
        return (*messages, Message(Role.user, wire))
    custom_ids: set[str] = set()
    for i, item in enumerate(wire):
        message = _message(provider, item, f"input[{i}]", custom_ids)
        is_continued = messages and message.role is Role.assistant and messages[-1].role is Role.assistant
        if is_continued:
            message = Message(Role.assistant, (*messages.pop().parts, *message.parts))
        messages.append(message)
        custom_ids |= {part.call_id for part in message.parts if isinstance(part, ToolCall) and is_custom_call(provider, part)}
    return named_results(messages)


def _message(provider: str, item: Any, where: str, custom_ids: set[str]) -> Message:
    if not isinstance(item, dict):
        raise InvalidRequestError(f"Invalid type for '{where}': expected an object.")
    kind, role = item.get("type", "message"), item.get("role")
    if kind in _OUTPUTS:
        return _tool_result(provider, item, where, custom_ids)
    if kind == "message" and role in _ROLES:
        return Message(_ROLES[role], tuple(_content(provider, item.get("content"), f"{where}.content")))
    if kind == "message" and role == "assistant":
        return Message(Role.assistant, tuple(_assistant(provider, item, where)))
    if kind == "message":
        raise InvalidRequestError(f"Invalid value for '{where}.role': {role!r}.")
    if kind in CALL_TYPES:
        text_in(item, "call_id", where)
        text_in(item, "name", where)
    return Message(Role.assistant, tuple(part for _, part in parts_from_item(provider, {"status": "completed", **item})))


def _assistant(provider: str, item: Mapping[str, Any], where: str) -> Iterator[Part]:
    content = item.get("content")
    phase = {"phase": item["phase"]} if item.get("phase") else {}
    if isinstance(content, str):
        yield Text(content, kept_if_any(provider, WIRE, phase))
    elif isinstance(content, list) and all(isinstance(part, dict) for part in content):
        # Clients also write a model's earlier words as `input_text` or `text`.
        plain = ({**part, "type": "output_text"} if part.get("type") in ("input_text", "text") else part for part in content)
        message = {"status": "completed", **item, "type": "message", "content": list(plain)}
        yield from (part for _, part in parts_from_item(provider, message))
    else:
        raise InvalidRequestError(f"Invalid type for '{where}.content': expected a string or a list of content parts.")


def _tool_result(provider: str, item: Mapping[str, Any], where: str, custom_ids: set[str]) -> Message:
    call_id = text_in(item, "call_id", where)
    parts = tuple(_content(provider, item.get("output"), f"{where}.output"))
    is_error = len(parts) > 1 and parts[0] == Text(TOOL_FAILED)
    kind = item["type"]
    is_known = kind == "function_call_output" or call_id in custom_ids
    opaque = None if is_known else kept(provider, WIRE, {"type": kind})
    return Message(Role.tool, (ToolCallResponse(call_id, parts[1:] if is_error else parts, is_error=is_error, opaque=opaque),))


def _content(provider: str, wire: Any, where: str) -> Iterator[Part]:
    if isinstance(wire, str):
        yield Text(wire)
    elif isinstance(wire, list):
        yield from (_content_part(provider, part, f"{where}[{i}]") for i, part in enumerate(wire))
    else:
        raise InvalidRequestError(f"Invalid type for '{where}': expected a string or a list of content parts.")


def _content_part(provider: str, wire: Any, where: str) -> Part:
    kind = wire.get("type") if isinstance(wire, dict) else None
    if kind is None:
        raise InvalidRequestError(f"Missing required parameter: '{where}.type'.")
    extra = {"prompt_cache_breakpoint": wire["prompt_cache_breakpoint"]} if "prompt_cache_breakpoint" in wire else {}
    opaque = kept_if_any(provider, WIRE, extra)
    if kind in ("input_text", "output_text", "text"):
        return Text(text_in(wire, "text", where), opaque)
    if kind == "input_image":
        return _image(provider, wire, where)
    if kind == "input_file":
        return _file(provider, wire, where)
    raise InvalidRequestError(f"Invalid value for '{where}.type': {kind!r}.")


def _image(provider: str, wire: Mapping[str, Any], where: str) -> Image:
    detail = None if wire.get("detail") == "auto" else wire.get("detail")
    if isinstance(wire.get("file_id"), str):
        return Image(detail=detail, opaque=file_reference(provider, wire["file_id"]))
    data, media_type, url = split_url(text_in(wire, "image_url", where), f"{where}.image_url")
    return Image(data=data, media_type=media_type, url=url, detail=detail)


def _file(provider: str, wire: Mapping[str, Any], where: str) -> File:
    if isinstance(wire.get("file_id"), str):
        return File(opaque=file_reference(provider, wire["file_id"]))
    if isinstance(wire.get("file_url"), str):
        return File(url=wire["file_url"], name=wire.get("filename"))
    return file_from_wire(text_in(wire, "file_data", where), wire.get("filename"), f"{where}.file_data")
