"""
Content blocks of the wire and canonical parts, both ways. Pure.

Fields without a canonical place stay in the part's `opaque`; a block without a canonical part becomes an `Opaque` part.

Source: https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from typing import Any

from pingpong import (
    Audio,
    File,
    Image,
    InvalidRequestError,
    Opaque,
    Part,
    Reasoning,
    Text,
    ToolCall,
    ToolCallResponse,
    UnsupportedCapability,
)
from pingpong_wire import base64_text, bytes_from_base64, json_text, refuse_opaque

from pingpong_anthropic.wire import (
    PROVIDER,
    WireError,
    arguments_from_input,
    fields_from_opaque,
    input_from_arguments,
    opaque_from_fields,
    text_field,
)

_PDF = "application/pdf"


def parts_from_content(content: Any) -> tuple[Part, ...]:
    """
    Parts of a message's or tool result's content: a string, blocks, or nothing.

    Raises:
        WireError: A block is not what the protocol says.
    """
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    if not isinstance(content, list):
        raise WireError("content is neither a string nor a list of blocks")
    return tuple(part_from_block(block) for block in content)


def part_from_block(block: Any) -> Part:
    """
    The part that one block is; a type this driver does not know gives an `Opaque`.

    Raises:
        WireError: The block, or a field its type needs, is missing or of the wrong kind.
    """
    if not isinstance(block, dict):
        raise WireError("a content block is not an object")
    match text_field(block, "type"):
        case "text":
            known = ("type", "text") if block.get("citations") else ("type", "text", "citations")
            return Text(text_field(block, "text"), opaque_from_fields(block, *known))
        case "thinking":
            # A signature that has not come yet, or never will, is sent as "".
            known = ("type", "thinking") if block.get("signature") else ("type", "thinking", "signature")
            return Reasoning(text_field(block, "thinking"), opaque_from_fields(block, *known))
        case "redacted_thinking":
            return Reasoning("", Opaque(PROVIDER, json_text(block)))
        case "tool_use":
            call = (text_field(block, "id"), text_field(block, "name"), arguments_from_input(block.get("input") or {}))
            return ToolCall(*call, opaque_from_fields(block, "type", "id", "name", "input"))
        case "tool_result":
            return _tool_result_from_block(block)
        case "image":
            return _image_from_block(block)
        case "document":
            return _document_from_block(block)
        case _:
            return Opaque(PROVIDER, json_text(block))


def _tool_result_from_block(block: dict[str, Any]) -> ToolCallResponse:
    return ToolCallResponse(
        text_field(block, "tool_use_id"),
        parts_from_content(block.get("content")),
        None,
        block.get("is_error") is True,
        opaque_from_fields(block, "type", "tool_use_id", "content", "is_error"),
    )


def _source(block: dict[str, Any]) -> dict[str, Any]:
    source = block.get("source")
    if not isinstance(source, dict):
        raise WireError("source is missing or not an object")
    return source


def _bytes_from_base64(source: dict[str, Any]) -> bytes:
    return bytes_from_base64(text_field(source, "data"), lambda fault: WireError(f"source.data {fault}"))


def _image_from_block(block: dict[str, Any]) -> Image:
    source = _source(block)
    opaque = opaque_from_fields(block, "type", "source")
    match source.get("type"):
        case "base64":
            return Image(data=_bytes_from_base64(source), media_type=text_field(source, "media_type"), opaque=opaque)
        case "url":
            return Image(url=text_field(source, "url"), opaque=opaque)
        case _:
            return Image(opaque=opaque_from_fields(block, "type"))


def _document_from_block(block: dict[str, Any]) -> File:
    source = _source(block)
    name = block.get("title") if isinstance(block.get("title"), str) else None
    opaque = opaque_from_fields(block, "type", "source", "title")
    match source.get("type"):
        case "base64":
            data = _bytes_from_base64(source)
            return File(data=data, media_type=text_field(source, "media_type"), name=name, opaque=opaque)
        case "text":
            data = text_field(source, "data").encode()
            return File(data=data, media_type=text_field(source, "media_type"), name=name, opaque=opaque)
        case "url":
            # "URLPDFSource" is the only address a document may have.
            return File(url=text_field(source, "url"), media_type=_PDF, name=name, opaque=opaque)
        case _:
            return File(name=name, opaque=opaque_from_fields(block, "type", "title"))


def content_from_parts(parts: tuple[Part, ...]) -> str | list[dict[str, Any]]:
    """
    Content of a message or tool result: a string for one plain text, else blocks.

    Empty texts among others are left out, as the wire refuses them.

    Raises:
        UnsupportedParameter, UnsupportedCapability, InvalidRequestError: As `block_from_part`.
    """
    if len(parts) == 1 and isinstance(text := parts[0], Text) and (text.opaque is None or not fields_from_opaque(text.opaque)):
        return text.text
    return [block_from_part(part) for part in parts if not (isinstance(part, Text) and not part.text)]


def block_from_part(part: Part) -> dict[str, Any]:
    """
    The block that carries one part.

    Raises:
        UnsupportedParameter: Another provider's `Opaque` part.
        UnsupportedCapability: Audio, or a file of a kind this wire has no block for.
        InvalidRequestError: Media without bytes, address or reference, or bytes without their type.
    """
    extra = {} if isinstance(part, Opaque) else fields_from_opaque(part.opaque)
    match part:
        case Text():
            return {"type": "text", "text": part.text, **extra}
        case Reasoning():
            if extra.get("type") == "redacted_thinking":
                return extra
            return {"type": "thinking", "thinking": part.text, "signature": "", **extra}
        case ToolCall():
            arguments = input_from_arguments(part.arguments)
            return {"type": "tool_use", "id": part.call_id, "name": part.name, "input": arguments, **extra}
        case ToolCallResponse():
            return _block_from_tool_result(part, extra)
        case Image():
            return {"type": "image", "source": extra.get("source") or _image_source(part), **extra}
        case File():
            title = {} if part.name is None else {"title": part.name}
            return {"type": "document", "source": extra.get("source") or _document_source(part), **title, **extra}
        case Opaque(provider=provider):
            if provider != PROVIDER:
                refuse_opaque(part, PROVIDER)
            return fields_from_opaque(part)
        case Audio():
            raise UnsupportedCapability("Anthropic's Messages API takes no audio.", provider=PROVIDER)


def _block_from_tool_result(part: ToolCallResponse, extra: dict[str, Any]) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "tool_result", "tool_use_id": part.call_id}
    if part.parts:
        block["content"] = content_from_parts(part.parts)
    if part.is_error:
        block["is_error"] = True
    return {**block, **extra}


def _image_source(part: Image) -> dict[str, Any]:
    if part.url is not None:
        return {"type": "url", "url": part.url}
    return _base64_source(part.data, part.media_type, "image")


def _base64_source(data: bytes | None, media_type: str | None, kind: str) -> dict[str, Any]:
    if data is None or media_type is None:
        raise InvalidRequestError(f"The {kind} has neither data with a media_type, nor a url.", provider=PROVIDER)
    return {"type": "base64", "media_type": media_type, "data": base64_text(data)}


def _document_source(part: File) -> dict[str, Any]:
    if part.url is not None:
        return {"type": "url", "url": part.url}
    media_type = part.media_type or ""
    if part.data is not None and media_type.startswith("text/"):
        try:
            # "PlainTextSource" knows no other media type; the text itself arrives whole.
            return {"type": "text", "media_type": "text/plain", "data": part.data.decode()}
        except UnicodeDecodeError as exc:
            raise InvalidRequestError("A text file is not UTF-8; convert it first.", provider=PROVIDER) from exc
    if part.data is not None and media_type and media_type != _PDF:
        raise UnsupportedCapability(f"Anthropic takes PDF and text documents, not {media_type}.", provider=PROVIDER)
    return _base64_source(part.data, part.media_type, "file")
