"""Requests as clients of the chat completions wire send them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pingpong import (
    Audio,
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
)

from pingpong_openai.chat.answer import WIRE
from pingpong_openai.chat.encode import TOOL_FAILED
from pingpong_openai.fields import listed, named_results, number, text_in, whole
from pingpong_openai.jsonwire import kept, kept_if_any
from pingpong_openai.media import audio_from_input, file_from_wire, file_reference, split_url

_ROLES = {"system": Role.system, "developer": Role.system, "user": Role.user, "assistant": Role.assistant}
_CANONICAL = frozenset(
    {
        "frequency_penalty",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "model",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning_effort",
        "response_format",
        "seed",
        "stop",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_p",
    }
)
_USAGE_ONLY = {"include_usage": True}


def request_from_body(provider: str, body: Mapping[str, Any]) -> Request:
    """
    The request in a body; fields without a canonical place are in its provider options, under their own names.

    Raises:
        InvalidRequestError: A field is missing or of another shape; the message names it.
    """
    asked = listed(body, "messages")
    if not asked:
        raise InvalidRequestError("Invalid 'messages': empty array. Expected an array with minimum length 1.")
    messages = named_results(_message(provider, m, f"messages[{i}]") for i, m in enumerate(asked))
    tools, other_tools = _tools(body)
    options = {name: value for name, value in body.items() if name not in _CANONICAL and value is not None}
    if other_tools:
        options["tools"] = other_tools
    choice, schema = body.get("tool_choice"), _output_schema(body.get("response_format"))
    tool_choice = _tool_choice(choice)
    if choice is not None and tool_choice is None:
        options["tool_choice"] = choice
    if body.get("response_format") is not None and schema is None:
        options["response_format"] = body["response_format"]
    stream_options = {k: v for k, v in (body.get("stream_options") or {}).items() if k not in _USAGE_ONLY}
    if stream_options:
        options["stream_options"] = stream_options
    stop = body.get("stop") or ()
    limit = whole(body, "max_completion_tokens")
    return Request(
        messages,
        tools=tools,
        tool_choice=tool_choice,
        output_schema=schema,
        parallel_tool_calls=body.get("parallel_tool_calls"),
        max_output_tokens=whole(body, "max_tokens") if limit is None else limit,
        temperature=number(body, "temperature"),
        top_p=number(body, "top_p"),
        seed=whole(body, "seed"),
        presence_penalty=number(body, "presence_penalty"),
        frequency_penalty=number(body, "frequency_penalty"),
        reasoning_effort=body.get("reasoning_effort"),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        provider_options={provider: options} if options else {},
    )


def _tools(body: Mapping[str, Any]) -> tuple[list[Tool], list[Any]]:
    tools: list[Tool] = []
    others: list[Any] = []
    for i, wire in enumerate(body.get("tools") or ()):
        if not isinstance(wire, dict) or wire.get("type") != "function":
            others.append(wire)
            continue
        function = wire.get("function") or {}
        parameters = function.get("parameters")
        tool = Tool(
            text_in(function, "name", f"tools[{i}].function"), function.get("description") or "", is_strict=function.get("strict")
        )
        tools.append(tool if parameters is None else Tool(tool.name, tool.description, parameters, tool.is_strict))
    return tools, others


def _tool_choice(wire: Any) -> ToolChoice | None:
    if wire in ("auto", "none", "required"):
        return ToolChoice(wire)
    if isinstance(wire, dict) and wire.get("type") == "function":
        return ToolChoice("named", text_in(wire.get("function") or {}, "name", "tool_choice.function"))
    return None


def _output_schema(wire: Any) -> OutputSchema | None:
    if not isinstance(wire, dict) or wire.get("type") != "json_schema":
        return None
    schema = wire.get("json_schema") or {}
    name = text_in(schema, "name", "response_format.json_schema")
    return OutputSchema(schema.get("schema") or {}, name, schema.get("description"), bool(schema.get("strict")))


def _message(provider: str, wire: Any, where: str) -> Message:
    if not isinstance(wire, dict):
        raise InvalidRequestError(f"Invalid type for '{where}': expected an object.")
    role, content = wire.get("role"), wire.get("content")
    if role in ("tool", "function"):
        # The deprecated role `function` answers by name, and its call has no id.
        call_id = "call_0" if role == "function" else text_in(wire, "tool_call_id", where)
        parts = _content(provider, content, f"{where}.content")
        is_error = bool(parts) and len(parts) > 1 and parts[0] == Text(TOOL_FAILED)
        result = ToolCallResponse(call_id, parts[1:] if is_error else parts, is_error=is_error)
        return Message(Role.tool, (result,))
    if role not in _ROLES:
        raise InvalidRequestError(f"Invalid value for '{where}.role': {role!r}.")
    if role == "assistant":
        return Message(Role.assistant, _assistant(provider, wire, where))
    return Message(_ROLES[role], _content(provider, content, f"{where}.content"))


def _content(provider: str, wire: Any, where: str) -> tuple[Part, ...]:
    if isinstance(wire, str):
        return (Text(wire),)
    if not isinstance(wire, list):
        raise InvalidRequestError(f"Invalid type for '{where}': expected a string or a list of content parts.")
    return tuple(_content_part(provider, part, f"{where}[{i}]") for i, part in enumerate(wire))


def _content_part(provider: str, wire: Any, where: str) -> Part:
    kind = wire.get("type") if isinstance(wire, dict) else None
    if kind is None:
        raise InvalidRequestError(f"Missing required parameter: '{where}.type'.")
    extra = {"prompt_cache_breakpoint": wire["prompt_cache_breakpoint"]} if "prompt_cache_breakpoint" in wire else {}
    opaque = kept_if_any(provider, WIRE, extra)
    if kind in ("text", "refusal"):
        return Text(text_in(wire, kind, where), opaque)
    value = wire.get(kind)
    if not isinstance(value, dict):
        raise InvalidRequestError(f"Missing required parameter: '{where}.{kind}'.")
    if kind == "image_url":
        data, media_type, url = split_url(text_in(value, "url", f"{where}.image_url"), f"{where}.image_url.url")
        return Image(data=data, media_type=media_type, url=url, detail=value.get("detail"), opaque=opaque)
    if kind == "input_audio":
        return audio_from_input(text_in(value, "data", f"{where}.input_audio"), str(value.get("format")))
    if kind == "file":
        return _file(provider, value, where)
    raise InvalidRequestError(f"Invalid value for '{where}.type': {kind!r}.")


def _file(provider: str, wire: Mapping[str, Any], where: str) -> File:
    if isinstance(wire.get("file_id"), str):
        return File(opaque=file_reference(provider, wire["file_id"]))
    return file_from_wire(text_in(wire, "file_data", f"{where}.file"), wire.get("filename"), f"{where}.file.file_data")


def _assistant(provider: str, wire: Mapping[str, Any], where: str) -> tuple[Part, ...]:
    content = wire.get("content")
    parts = list(_content(provider, content, f"{where}.content")) if content is not None else []
    if wire.get("refusal"):
        parts.append(Text(text_in(wire, "refusal", where)))
    if wire.get("audio"):
        parts.append(Audio(opaque=kept(provider, WIRE, {"id": text_in(wire["audio"], "id", f"{where}.audio")})))
    for i, call in enumerate(wire.get("tool_calls") or ()):
        parts.append(_call(provider, call, f"{where}.tool_calls[{i}]"))
    if wire.get("function_call"):
        function = wire["function_call"]
        opaque = kept(provider, WIRE, {"type": "function_call"})
        parts.append(ToolCall("call_0", text_in(function, "name", f"{where}.function_call"), _arguments(function), opaque))
    return tuple(parts)


def _call(provider: str, wire: Any, where: str) -> ToolCall:
    if not isinstance(wire, dict):
        raise InvalidRequestError(f"Invalid type for '{where}': expected an object.")
    call_id = text_in(wire, "id", where)
    if wire.get("type") == "custom":
        custom = wire.get("custom") or {}
        opaque = kept(provider, WIRE, {"type": "custom"})
        return ToolCall(call_id, text_in(custom, "name", f"{where}.custom"), custom.get("input") or "{}", opaque)
    function = wire.get("function") or {}
    return ToolCall(call_id, text_in(function, "name", f"{where}.function"), _arguments(function))


def _arguments(function: Mapping[str, Any]) -> str:
    return str(function.get("arguments") or "{}")
