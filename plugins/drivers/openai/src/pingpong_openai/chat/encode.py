"""Requests as the chat completions wire writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, NoReturn

from pingpong import (
    Audio,
    Capability,
    Card,
    File,
    Image,
    InvalidRequestError,
    Message,
    Opaque,
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
from pingpong_wire import refuse_opaque

from pingpong_openai.chat.answer import WIRE
from pingpong_openai.chat.render import call_on_wire, is_legacy
from pingpong_openai.jsonwire import attached, merged, refuse_unplaced
from pingpong_openai.media import file_id_of, file_name, input_audio, url_of

TOOL_FAILED = "The tool failed:"
"""First text of a tool result that is an error: the wire has no field for that, and the model must know."""

_SAME_NAME = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty", "parallel_tool_calls", "reasoning_effort")
_same_values: Callable[[Request], tuple[Any, ...]] = attrgetter(*_SAME_NAME)
_NONE_SET = (None,) * len(_SAME_NAME)
_NO_PLACE = ("top_k", "reasoning_budget_tokens")


def body_from_request(provider: str, names: frozenset[str], request: Request, card: Card, *, is_stream: bool) -> dict[str, Any]:
    """
    The JSON body of a request; `names` are the provider options that it takes.

    Source: https://platform.openai.com/docs/api-reference/chat/create
    """
    refuse_unplaced(request, provider, _NO_PLACE, "chat/completions")
    # Reasoning models take instructions from the role `developer`; older ones know `system` only.
    system = "developer" if Capability.reasoning in card.capabilities else "system"
    body: dict[str, Any] = {"model": card.model}
    body["messages"] = _messages(provider, request.messages, system)
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        body["tool_choice"] = _tool_choice(request.tool_choice)
    if request.output_schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": _schema(request.output_schema)}
    if request.max_output_tokens is not None:
        body["max_completion_tokens"] = request.max_output_tokens
    same = _same_values(request)
    if same != _NONE_SET:
        body |= {name: value for name, value in zip(_SAME_NAME, same, strict=True) if value is not None}
    if request.stop:
        body["stop"] = list(request.stop)
    if is_stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return merged(body, request.provider_options.get(provider, {}), names)


def _tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = tool.parameters
    if tool.is_strict is not None:
        function["strict"] = tool.is_strict
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    return choice.mode if choice.name is None else {"type": "function", "function": {"name": choice.name}}


def _schema(schema: OutputSchema) -> dict[str, Any]:
    wire: dict[str, Any] = {"name": schema.name, "schema": schema.schema, "strict": schema.is_strict}
    return wire if schema.description is None else {**wire, "description": schema.description}


def _messages(provider: str, messages: tuple[Message, ...], system: str) -> list[dict[str, Any]]:
    wire: list[dict[str, Any]] = []
    legacy_ids: set[str] | None = None
    for message in messages:
        if message.role is Role.assistant:
            wire.append(_assistant(provider, message))
        elif message.role is Role.tool:
            if legacy_ids is None:
                calls = [part for m in messages for part in m.parts if isinstance(part, ToolCall)]
                legacy_ids = {call.call_id for call in calls if is_legacy(provider, call)}
            wire += _tool_results(provider, message, legacy_ids)
        else:
            role = system if message.role is Role.system else "user"
            wire.append({"role": role, "content": _content(provider, message.parts)})
    return wire


def _tool_results(provider: str, message: Message, legacy_ids: set[str]) -> Iterator[dict[str, Any]]:
    for part in message.parts:
        if isinstance(part, ToolCallResponse):
            yield _tool_result(provider, part, is_of_legacy_call=part.call_id in legacy_ids)
        elif isinstance(part, Opaque):
            _refuse(provider, part)


def _content(provider: str, parts: tuple[Part, ...]) -> str | list[dict[str, Any]]:
    if len(parts) == 1 and isinstance(text := parts[0], Text) and text.opaque is None:
        return text.text
    wire = [piece for part in parts for piece in _content_part(provider, part)]
    is_plain = len(wire) == 1 and wire[0].keys() == {"type", "text"}
    return wire[0]["text"] if is_plain else wire


def _content_part(provider: str, part: Part) -> Iterator[dict[str, Any]]:
    given = attached(getattr(part, "opaque", None), provider, WIRE)
    extra = {"prompt_cache_breakpoint": given["prompt_cache_breakpoint"]} if "prompt_cache_breakpoint" in given else {}
    match part:
        case Text():
            yield {"type": "text", "text": part.text, **extra}
        case Image():
            if (url := url_of(part)) is None:
                raise InvalidRequestError("Image: chat/completions takes bytes or an address, not a file id.")
            detail = {} if part.detail is None else {"detail": part.detail}
            yield {"type": "image_url", "image_url": {"url": url, **detail}, **extra}
        case Audio():
            yield {"type": "input_audio", "input_audio": input_audio(part), **extra}
        case File():
            yield {"type": "file", "file": _file(provider, part), **extra}
        case Opaque():
            _refuse(provider, part)
        case _:
            raise InvalidRequestError(f"{type(part).__name__} has no place in this message of chat/completions.")


def _file(provider: str, part: File) -> dict[str, Any]:
    if (file_id := file_id_of(part, provider)) is not None:
        return {"file_id": file_id}
    if part.data is None:
        raise InvalidRequestError("File: chat/completions takes bytes or a file id, not an address; the responses endpoint does.")
    return {"filename": file_name(part), "file_data": url_of(part)}


def _assistant(provider: str, message: Message) -> dict[str, Any]:
    texts = tuple(part for part in message.parts if isinstance(part, Text))
    calls = [part for part in message.parts if isinstance(part, ToolCall)]
    has_other = bool(calls) or any(isinstance(part, Audio) for part in message.parts)
    wire: dict[str, Any] = {"role": "assistant", "content": None if has_other else ""}
    if texts:
        wire["content"] = _content(provider, texts)
    if modern := [call_on_wire(provider, call) for call in calls if not is_legacy(provider, call)]:
        wire["tool_calls"] = modern
    for part in message.parts:
        if isinstance(part, ToolCall) and is_legacy(provider, part):
            wire["function_call"] = {"name": part.name, "arguments": part.arguments}
        elif isinstance(part, Audio):
            wire["audio"] = _said(provider, part)
        elif isinstance(part, Image | File):
            raise InvalidRequestError(f"{type(part).__name__} has no place in an assistant message of chat/completions.")
        elif isinstance(part, Opaque) and "choice" not in attached(part, provider, WIRE):
            # A further choice was never part of the conversation, so leaving it out loses nothing that was said.
            _refuse(provider, part)
    return wire


def _refuse(provider: str, part: Opaque) -> NoReturn:
    refuse_opaque(part, f"chat/completions of {provider}")


def _said(provider: str, part: Audio) -> dict[str, str]:
    audio_id = attached(part.opaque, provider, WIRE).get("id")
    if not isinstance(audio_id, str):
        raise InvalidRequestError(
            "Audio: chat/completions takes an earlier spoken answer by the id it gave it, and this has none."
        )
    return {"id": audio_id}


def _tool_result(provider: str, part: ToolCallResponse, *, is_of_legacy_call: bool) -> dict[str, Any]:
    for inner in part.parts:
        if not isinstance(inner, Text | Opaque):
            raise InvalidRequestError(
                f"{type(inner).__name__}: tool results of chat/completions are text; those of responses may be images and files."
            )
    content = _content(provider, (Text(TOOL_FAILED), *part.parts) if part.is_error else part.parts)
    if is_of_legacy_call:
        text = content if isinstance(content, str) else "\n".join(piece["text"] for piece in content)
        return {"role": "function", "name": part.name or "", "content": text}
    return {"role": "tool", "tool_call_id": part.call_id, "content": content or ""}
