"""Images, sound and files as the wires write them: data URLs, base64 and file ids."""

from __future__ import annotations

from pingpong import Audio, File, Image, InvalidRequestError, Opaque
from pingpong_wire import attached, base64_text, bytes_from_base64, json_text

_AUDIO_FORMATS = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/wave": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}
_AUDIO_TYPES = {"wav": "audio/wav", "mp3": "audio/mpeg"}


def from_base64(text: str, field: str) -> bytes:
    """The bytes of base64 text in a client's `field`. Raises `InvalidRequestError`."""
    return bytes_from_base64(text, lambda fault: InvalidRequestError(f"{field} {fault}."))


def url_of(part: Image | File) -> str | None:
    """The part's address, or its bytes as a data URL; None where it has neither."""
    if part.data is None:
        return part.url
    if part.media_type is None:
        raise InvalidRequestError(f"{type(part).__name__}: bytes need their media_type.")
    return f"data:{part.media_type};base64,{base64_text(part.data)}"


def split_url(url: str, field: str) -> tuple[bytes | None, str | None, str | None]:
    """Bytes and media type of a data URL, or the address: (data, media_type, url)."""
    if not url.startswith("data:"):
        return None, None, url
    head, _, text = url.removeprefix("data:").partition(",")
    if not head.endswith(";base64"):
        raise InvalidRequestError(f"{field}: a data URL must be base64.")
    return from_base64(text, field), head.removesuffix(";base64"), None


def file_id_of(part: Image | File, provider: str) -> str | None:
    """The provider's own id of an uploaded file, kept as `{"file_id": …}`."""
    file_id = attached(part.opaque, provider).get("file_id")
    return file_id if isinstance(file_id, str) else None


def file_from_wire(text: str, name: str | None, field: str) -> File:
    """The file in a `file_data` field: a data URL, or bare base64 whose type only its name tells."""
    data, media_type, bare = split_url(text, field)
    if bare is not None:
        is_pdf = (name or "").lower().endswith(".pdf")
        data, media_type = from_base64(bare, field), "application/pdf" if is_pdf else "application/octet-stream"
    return File(data=data, media_type=media_type, name=None if name == _made_up_name(media_type) else name)


def file_reference(provider: str, file_id: str) -> Opaque:
    """What `file_id_of` reads."""
    return Opaque(provider, json_text({"file_id": file_id}))


def file_name(part: File) -> str:
    """The file's name; the provider insists on one with bytes, so it is made up where the caller gave none."""
    return part.name or _made_up_name(part.media_type)


def _made_up_name(media_type: str | None) -> str:
    return "file." + (media_type or "bin").rpartition("/")[2]


def input_audio(part: Audio) -> dict[str, str]:
    """The `input_audio` object: wav or mp3, by bytes only."""
    if part.data is None:
        raise InvalidRequestError("Audio: this wire takes bytes, not an address.")
    audio_format = _AUDIO_FORMATS.get(part.media_type or "")
    if audio_format is None:
        raise InvalidRequestError(f"Audio: {part.media_type} is not taken; send audio/wav or audio/mpeg.")
    return {"data": base64_text(part.data), "format": audio_format}


def audio_from_input(data: str, audio_format: str) -> Audio:
    """The sound in an `input_audio` object."""
    return Audio(data=from_base64(data, "input_audio.data"), media_type=_AUDIO_TYPES.get(audio_format, f"audio/{audio_format}"))
