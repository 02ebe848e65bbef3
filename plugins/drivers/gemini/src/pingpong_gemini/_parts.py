"""
One content part between wire and canonical form, in both directions and for both halves of every endpoint.

What a wire part holds beyond the canonical fields (thought signatures above all) becomes the canonical part's `opaque`:
the wire object's remaining fields, verbatim. A part of a kind that has no canonical form is an `Opaque` part.

Source: `Part` in google/ai/generativelanguage/v1beta/content.proto; https://ai.google.dev/gemini-api/docs/thought-signatures
"""

from __future__ import annotations

from typing import Any

from pingpong import Audio, File, Image, InvalidRequestError, Opaque, Part, Reasoning, Text, ToolCall, ToolCallResponse, text_of
from pingpong_wire import base64_text, json_or_none, json_text, object_from_json, refuse_opaque

from pingpong_gemini._json import PROVIDER, Json, attached, bytes_from_wire, camel, opaque_of, patched

Media = Image | Audio | File
_KINDS = ("functionCall", "functionResponse", "inlineData", "fileData")
_AS_OBJECT = "responseAsObject"
"""Marks a tool's answer whose text is the whole `response` object, not its `output`."""


CANDIDATE = "candidate"
"""Key of the `Opaque` part that keeps a further candidate; no wire part has a field of that name."""


def further_candidate(part: Part) -> Json | None:
    """The further candidate that an answer's part keeps, None for any other part."""
    return attached(part).get(CANDIDATE) if isinstance(part, Opaque) else None


def plain_text(part: Json) -> str | None:
    """The text of a part that is nothing else, as most pieces of a stream are; None for any other."""
    text = part.get("text") if len(part) == 1 else None
    return text if isinstance(text, str) else None


def part_from_wire(value: object, index: int) -> Part:
    """
    The canonical part of one wire part.

    Args:
        value: The wire part.
        index: The part's position in its message; names a tool call to which the wire gave no id.
    """
    part = camel(value)
    if (text := plain_text(part)) is not None:
        return Text(text)
    kind = next((k for k in _KINDS if isinstance(part.get(k), dict)), None)
    inner = camel(part.pop(kind)) if kind else {}
    try:
        if kind == "functionCall":
            return _call_from_wire(inner, part, index)
        if kind == "functionResponse":
            return _result_from_wire(inner, part, index)
        if kind is not None:
            return _media_from_wire(kind, inner, part)
    except (KeyError, ValueError):
        return Opaque(PROVIDER, json_text(value))
    return _text_from_wire(value, part)


def _text_from_wire(value: object, part: Json) -> Part:
    text = part.pop("text", None)
    is_thought = part.pop("thought", None) is True
    if text is None and not is_thought and set(part) - {"thoughtSignature"}:
        return Opaque(PROVIDER, json_text(value))
    if text is not None and not isinstance(text, str):
        return Opaque(PROVIDER, json_text(value))
    return (Reasoning if is_thought else Text)(text or "", opaque_of(part))


def _call_from_wire(call: Json, rest: Json, index: int) -> Part:
    name, arguments = _string(call.pop("name")), call.pop("args", None) or {}
    if not isinstance(arguments, dict):
        raise ValueError("args is no object")
    call_id = call.pop("id", None)
    has_id = isinstance(call_id, str) and call_id != ""
    extra = call if has_id else {**call, "id": None}
    opaque = opaque_of({**rest, "functionCall": extra} if extra else rest)
    return ToolCall(call_id if has_id else f"call_{index}", name, json_text(arguments), opaque)


def _result_from_wire(result: Json, rest: Json, index: int) -> Part:
    name, response = _string(result.pop("name")), result.pop("response", None)
    call_id = result.pop("id", None)
    has_id = isinstance(call_id, str) and call_id != ""
    extra = result if has_id else {**result, "id": None}
    media = [_result_media(p) for p in _list(extra.pop("parts", []))]
    text, is_error, is_object = _output_from_wire(response)
    if is_object:
        rest = {**rest, _AS_OBJECT: True}
    opaque = opaque_of({**rest, "functionResponse": extra} if extra else rest)
    parts = (*([] if text is None else [Text(text)]), *media)
    return ToolCallResponse(call_id if has_id else f"call_{index}", parts, name, is_error, opaque)


def _output_from_wire(response: object) -> tuple[str | None, bool, bool]:
    """Text, whether it is an error, and whether the text is the JSON of the whole object."""
    if not response:
        return None, False, False
    if isinstance(response, dict) and len(response) == 1:
        key, value = next(iter(response.items()))
        if key in ("output", "error") and isinstance(value, str):
            return value, key == "error", False
    return json_text(response), False, True


def _result_media(value: object) -> Media:
    part = camel(value)
    return _media_from_wire("inlineData", camel(part.pop("inlineData")), part)


def _media_from_wire(kind: str, media: Json, rest: Json) -> Media:
    media_type = media.pop("mimeType", None)
    data = bytes_from_wire(media.pop("data")) if kind == "inlineData" else None
    url = _string(media.pop("fileUri")) if kind == "fileData" else None
    opaque = opaque_of({**rest, kind: media} if media else rest)
    group = _string(media_type or "").partition("/")[0]
    make = Image if group == "image" else Audio if group == "audio" else File
    return make(data=data, url=url, media_type=media_type, opaque=opaque)


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("not a string")
    return value


def part_to_wire(part: Part) -> Json | None:
    """
    The wire part of a canonical one; None where nothing is left to say.

    Raises:
        UnsupportedParameter: An opaque part of another provider.
        InvalidRequestError: Content that this wire cannot carry.
    """
    if isinstance(part, Opaque):
        return _opaque_to_wire(part)
    patch = attached(part.opaque)
    if isinstance(part, Reasoning):
        return patched({"text": part.text, "thought": True}, patch) if part.text or patch else None
    if isinstance(part, Text):
        return patched({"text": part.text}, patch)
    if isinstance(part, ToolCall):
        call = {"id": part.call_id, "name": part.name, "args": arguments_object(part)}
        return patched({"functionCall": call}, patch)
    if isinstance(part, ToolCallResponse):
        return _result_to_wire(part, patch)
    return patched(_media_to_wire(part), patch)


def _opaque_to_wire(part: Opaque) -> Json | None:
    if part.provider != PROVIDER:
        refuse_opaque(part, PROVIDER)
    value = attached(part)
    # A further candidate was never part of the conversation, so leaving it out loses nothing that was said.
    return None if CANDIDATE in value else value


def arguments_object(call: ToolCall) -> Json:
    """
    The arguments as the object that this wire wants.

    Raises:
        InvalidRequestError: They are not a JSON object.
    """
    return object_from_json(
        call.arguments, lambda fault: InvalidRequestError(f"What the call of {call.name!r} takes {fault}, which Gemini wants.")
    )


def _result_to_wire(part: ToolCallResponse, patch: Json) -> Json:
    if not part.name:
        raise InvalidRequestError("A tool call response needs the tool's name, as Gemini matches answers by it.")
    is_object = patch.pop(_AS_OBJECT, False)
    result: Json = {"id": part.call_id, "name": part.name, "response": _response_to_wire(part, is_object=is_object)}
    media: list[Json] = []
    for inner in part.parts:
        if isinstance(inner, Image | Audio | File):
            if inner.data is None:
                raise InvalidRequestError("Gemini takes media in a tool call response as bytes only, not by address.")
            media.append(patched(_media_to_wire(inner), attached(inner.opaque)))
        elif isinstance(inner, Opaque) and inner.provider != PROVIDER:
            refuse_opaque(inner, PROVIDER)
        elif not isinstance(inner, Text):
            raise InvalidRequestError(f"A tool call response cannot hold a {type(inner).__name__} part on this wire.")
    if media:
        result["parts"] = media
    return patched({"functionResponse": result}, patch)


def _response_to_wire(part: ToolCallResponse, *, is_object: bool) -> Json:
    """`output` and `error` are the keys that the API documents for a tool's answer and its failure."""
    text = text_of(part.parts)
    if is_object and not part.is_error:
        value = json_or_none(text)
        if isinstance(value, dict):
            return value
    if part.is_error:
        return {"error": text}
    return {"output": text} if any(isinstance(p, Text) for p in part.parts) else {}


def _media_to_wire(part: Media) -> Json:
    if part.data is not None:
        if not part.media_type:
            raise InvalidRequestError(f"{type(part).__name__} bytes need their media_type, as in image/png.")
        return {"inlineData": {"mimeType": part.media_type, "data": base64_text(part.data)}}
    if part.url is not None:
        return {"fileData": {**({"mimeType": part.media_type} if part.media_type else {}), "fileUri": part.url}}
    if attached(part.opaque):
        return {}
    raise InvalidRequestError(f"{type(part).__name__} holds neither bytes nor an address that Gemini could read.")
