"""Requests as the responses wire writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, NoReturn

from pingpong import (
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

from pingpong_openai.chat.encode import TOOL_FAILED
from pingpong_openai.jsonwire import attached, merged, refuse_unplaced
from pingpong_openai.media import file_id_of, file_name, url_of
from pingpong_openai.responses.items import WIRE, call_item, is_custom_call, message_item, reasoning_item, runs

_SAME_NAME = ("max_output_tokens", "temperature", "top_p", "parallel_tool_calls")
_same_values: Callable[[Request], tuple[Any, ...]] = attrgetter(*_SAME_NAME)
_NONE_SET = (None,) * len(_SAME_NAME)
_NO_PLACE = ("stop", "seed", "presence_penalty", "frequency_penalty", "top_k", "reasoning_budget_tokens")
INCLUDED = "reasoning.encrypted_content"
"""Asked of reasoning models, so that their reasoning can be sent back where OpenAI stores nothing."""


def body_from_request(provider: str, names: frozenset[str], request: Request, card: Card, *, is_stream: bool) -> dict[str, Any]:
    """
    The JSON body of a request; `names` are the provider options that it takes.

    Source: https://platform.openai.com/docs/api-reference/responses/create
    """
    refuse_unplaced(request, provider, _NO_PLACE, "responses")
    is_reasoning = Capability.reasoning in card.capabilities
    system = "developer" if is_reasoning else "system"
    body: dict[str, Any] = {"model": card.model, "input": _input(provider, request.messages, system)}
    if request.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
    if request.tool_choice is not None:
        body["tool_choice"] = _tool_choice(request.tool_choice)
    if request.output_schema is not None:
        body["text"] = {"format": _format(request.output_schema)}
    if request.reasoning_effort is not None:
        body["reasoning"] = {"effort": request.reasoning_effort}
    if is_reasoning:
        body["include"] = [INCLUDED]
    same = _same_values(request)
    if same != _NONE_SET:
        body |= {name: value for name, value in zip(_SAME_NAME, same, strict=True) if value is not None}
    if is_stream:
        body["stream"] = True
    return merged(body, request.provider_options.get(provider, {}), names)


def _tool(tool: Tool) -> dict[str, Any]:
    wire: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    return {**wire, "parameters": tool.parameters, "strict": tool.is_strict}


def _tool_choice(choice: ToolChoice) -> str | dict[str, Any]:
    return choice.mode if choice.name is None else {"type": "function", "name": choice.name}


def _format(schema: OutputSchema) -> dict[str, Any]:
    wire: dict[str, Any] = {"type": "json_schema", "name": schema.name, "schema": schema.schema, "strict": schema.is_strict}
    return wire if schema.description is None else {**wire, "description": schema.description}


def _input(provider: str, messages: tuple[Message, ...], system: str) -> list[dict[str, Any]]:
    wire: list[dict[str, Any]] = []
    custom_ids: set[str] | None = None
    for message in messages:
        if message.role is Role.assistant:
            wire += _assistant(provider, message)
        elif message.role is Role.tool:
            if custom_ids is None:
                calls = [part for m in messages for part in m.parts if isinstance(part, ToolCall)]
                custom_ids = {call.call_id for call in calls if is_custom_call(provider, call)}
            wire += _tool_results(provider, message, custom_ids)
        else:
            wire += _spoken(provider, message, system if message.role is Role.system else "user")
    return wire


def _tool_results(provider: str, message: Message, custom_ids: set[str]) -> Iterator[dict[str, Any]]:
    for part in message.parts:
        if isinstance(part, ToolCallResponse):
            yield _tool_result(provider, part, is_custom=part.call_id in custom_ids)
        elif isinstance(part, Opaque):
            yield _whole_item(provider, part)


def _spoken(provider: str, message: Message, role: str) -> list[dict[str, Any]]:
    items = [_whole_item(provider, part) for part in message.parts if isinstance(part, Opaque)]
    parts = tuple([part for part in message.parts if not isinstance(part, Opaque)]) if items else message.parts
    if content := _content(provider, parts):
        items.append({"role": role, "content": content})
    return items


def _whole_item(provider: str, part: Opaque) -> dict[str, Any]:
    item = attached(part, provider, WIRE).get("item")
    if not isinstance(item, dict):
        _refuse(provider, part)
    return item


def _refuse(provider: str, part: Opaque) -> NoReturn:
    refuse_opaque(part, f"responses of {provider}")


def _assistant(provider: str, message: Message) -> Iterator[dict[str, Any]]:
    for kind, said, parts in runs(provider, message.parts):
        if kind == "message" and "id" in said:
            yield message_item(provider, said, parts)
        elif kind == "message":
            phase = {"phase": said["phase"]} if "phase" in said else {}
            yield from ({"role": "assistant", "content": part.text, **phase} for part in parts if isinstance(part, Text))
        elif kind == "reasoning":
            # Another provider's reasoning has no id here, and this wire takes back only its own.
            if "id" in said or "encrypted_content" in said:
                yield reasoning_item(provider, said, parts)
        elif kind == "call":
            yield from (call_item(provider, part) for part in parts if isinstance(part, ToolCall))
        elif kind == "item":
            yield said["item"]
        else:
            yield _other(provider, parts[0])


def _other(provider: str, part: Part) -> dict[str, Any]:
    if isinstance(part, Opaque):
        return _whole_item(provider, part)
    raise InvalidRequestError(f"{type(part).__name__} has no place in an assistant message of the responses endpoint.")


def _content(provider: str, parts: tuple[Part, ...]) -> str | list[dict[str, Any]]:
    if len(parts) == 1 and isinstance(text := parts[0], Text) and text.opaque is None:
        return text.text
    pieces = [_content_part(provider, part) for part in parts]
    is_plain = len(pieces) == 1 and pieces[0].keys() == {"type", "text"}
    return pieces[0]["text"] if is_plain else pieces


def _content_part(provider: str, part: Part) -> dict[str, Any]:
    given = attached(getattr(part, "opaque", None), provider, WIRE)
    extra = {"prompt_cache_breakpoint": given["prompt_cache_breakpoint"]} if "prompt_cache_breakpoint" in given else {}
    match part:
        case Text():
            return {"type": "input_text", "text": part.text, **extra}
        case Image():
            file_id = file_id_of(part, provider)
            where = {"file_id": file_id} if file_id is not None else {"image_url": url_of(part)}
            return {"type": "input_image", **where, "detail": part.detail or "auto", **extra}
        case File():
            return {"type": "input_file", **_file(provider, part), **extra}
        case _:
            raise InvalidRequestError(f"{type(part).__name__} has no place in this message of the responses endpoint.")


def _file(provider: str, part: File) -> dict[str, Any]:
    if (file_id := file_id_of(part, provider)) is not None:
        return {"file_id": file_id}
    if part.data is None:
        return {"file_url": part.url, **({"filename": part.name} if part.name else {})}
    return {"filename": file_name(part), "file_data": url_of(part)}


def _tool_result(provider: str, part: ToolCallResponse, *, is_custom: bool) -> dict[str, Any]:
    for given_part in part.parts:
        if isinstance(given_part, Opaque):
            _refuse(provider, given_part)
    inner = tuple(inner for inner in part.parts if not isinstance(inner, Opaque))
    output = _content(provider, (Text(TOOL_FAILED), *inner) if part.is_error else inner)
    given = attached(part.opaque, provider, WIRE)
    kind = "custom_tool_call_output" if is_custom or given.get("type") == "custom_tool_call_output" else "function_call_output"
    return {"type": kind, "call_id": part.call_id, "output": output or ""}
