"""Messages and their parts: what is said, free of any provider's wire."""

from __future__ import annotations

from enum import StrEnum

from attrs import field, frozen


class Role(StrEnum):
    """Who speaks. `tool` carries tool call responses only."""

    system = "system"
    user = "user"
    assistant = "assistant"
    tool = "tool"


@frozen
class Opaque:
    """
    Something only one provider understands.

    As a part it is content of its own (a server-side tool's block, say). As the `opaque` of another part
    it is what the provider attached and wants back unchanged (a signature, an item id, a cache mark).

    Attributes:
        provider: The driver that wrote it; every other driver must leave it out.
        json: JSON text, as that driver wrote it.
    """

    provider: str
    json: str = field(repr=False)


@frozen
class Text:
    """Visible text, exact Unicode."""

    text: str
    opaque: Opaque | None = None


@frozen
class Reasoning:
    """The model's reasoning, or its summary; "" where the provider keeps it to itself. Its signature is in `opaque`."""

    text: str
    opaque: Opaque | None = None


@frozen(kw_only=True)
class _Media:
    """
    Bytes or the address of some.

    Attributes:
        data: The bytes themselves; exactly one of `data`, `url` and an `opaque` reference is set.
        url: Where the provider may fetch them; Ping-Pong never does.
        media_type: IANA media type, needed with `data`.
    """

    data: bytes | None = field(default=None, repr=False)
    url: str | None = None
    media_type: str | None = None
    opaque: Opaque | None = None


@frozen(kw_only=True)
class Image(_Media):
    """A picture. `detail` is the caller's hint: low, high or auto."""

    detail: str | None = None


@frozen(kw_only=True)
class Audio(_Media):
    """Sound. `transcript` is what the provider says was spoken."""

    transcript: str | None = None


@frozen(kw_only=True)
class File(_Media):
    """A document, video or any other file, by bytes, address or a provider's own id in `opaque`."""

    name: str | None = None


@frozen
class ToolCall:
    """
    The model asks for a tool to be run.

    Attributes:
        call_id: Unique in its response; made up as `call_<index>` where a provider sends none.
        name: The tool's name.
        arguments: JSON text; as the model wrote it where it is not valid JSON. Never "": no arguments are `{}`.
    """

    call_id: str
    name: str
    arguments: str
    opaque: Opaque | None = None


def _parts(value: Content) -> tuple[Part, ...]:
    if isinstance(value, str):
        return (Text(value),)
    return tuple(value) if isinstance(value, list | tuple) else (value,)


@frozen
class ToolCallResponse:
    """What the tool gave back. `name` repeats the call's, for providers that match by it."""

    call_id: str
    parts: tuple[Part, ...] = field(converter=_parts)
    name: str | None = None
    is_error: bool = False
    opaque: Opaque | None = None


Part = Text | Reasoning | Image | Audio | File | ToolCall | ToolCallResponse | Opaque
Content = str | Part | tuple[Part, ...] | list[Part]
"""What stands for parts wherever they are taken."""


@frozen
class Message:
    """
    One turn, or one instruction.

    Attributes:
        role: Who speaks; system messages may stand anywhere, drivers keep their content and order.
        parts: Shape (n_parts,), in order; a string is one `Text`.
        is_pinned: Truncators must keep it.
    """

    role: Role = field(converter=Role)
    parts: tuple[Part, ...] = field(converter=_parts)
    is_pinned: bool = False

    @property
    def text(self) -> str:
        """The visible text, parts joined without a separator."""
        return text_of(self.parts)


def text_of(parts: tuple[Part, ...]) -> str:
    """Visible text of the parts, joined without a separator; reasoning is not part of it."""
    return "".join(p.text for p in parts if isinstance(p, Text))


def system(content: Content) -> Message:
    """A system message."""
    return Message(Role.system, content)


def user(content: Content) -> Message:
    """A user's message."""
    return Message(Role.user, content)


def assistant(content: Content) -> Message:
    """A model's earlier answer."""
    return Message(Role.assistant, content)


def tool_result(call: ToolCall, content: Content, *, is_error: bool = False) -> Message:
    """The message that answers one tool call."""
    return Message(Role.tool, (ToolCallResponse(call.call_id, content, call.name, is_error),))
