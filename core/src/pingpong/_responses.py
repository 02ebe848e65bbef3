"""Responses and the tokens they used. A response holds one answer (adr/0006)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from operator import attrgetter

from attrs import field, fields, frozen
from attrs.validators import ge

from pingpong._messages import Message, Opaque, Part, Reasoning, Role, ToolCall, text_of


@frozen(kw_only=True)
class Usage:
    """
    Tokens of one attempt, in disjoint classes, each >= 0; as the provider counted them.

    Attributes:
        uncached_input_tokens: Input read at the full price, audio apart.
        cache_read_tokens, cache_write_tokens, cache_write_1h_tokens: Input read from, or written to, a prompt cache.
        input_audio_tokens: Uncached audio input.
        visible_output_tokens, reasoning_tokens, output_audio_tokens: What the model wrote.
        other_units: Billed units that are not tokens (web searches, say), by the provider's name.
        is_estimated: Whether we counted because the provider did not (a cut stream, a missing usage block).
    """

    uncached_input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    input_audio_tokens: int = 0
    visible_output_tokens: int = 0
    reasoning_tokens: int = 0
    output_audio_tokens: int = 0
    other_units: Mapping[str, int] = field(factory=dict)
    is_estimated: bool = False

    def __attrs_post_init__(self) -> None:
        if min(_counts(self)) < 0:
            raise ValueError("token counts cannot be negative")

    @property
    def token_counts(self) -> tuple[int, ...]:
        """The counts of `TOKEN_CLASSES`, in their order."""
        return _counts(self)

    @property
    def input_tokens(self) -> int:
        """All input, cache included."""
        return sum(self.token_counts[:_N_INPUT_CLASSES])

    @property
    def output_tokens(self) -> int:
        """All output, reasoning included."""
        return sum(self.token_counts[_N_INPUT_CLASSES:])

    def __add__(self, other: Usage) -> Usage:
        units = {k: self.other_units.get(k, 0) + other.other_units.get(k, 0) for k in {*self.other_units, *other.other_units}}
        counts = (a + b for a, b in zip(self.token_counts, other.token_counts, strict=True))
        is_estimated = self.is_estimated or other.is_estimated
        return Usage(**dict(zip(TOKEN_CLASSES, counts, strict=True)), other_units=units, is_estimated=is_estimated)


TOKEN_CLASSES: tuple[str, ...] = tuple(f.name for f in fields(Usage) if f.name.endswith("_tokens"))
"""Names of the disjoint token classes of `Usage`, in order; those of input come first."""

_N_INPUT_CLASSES = 5
_counts: Callable[[Usage], tuple[int, ...]] = attrgetter(*TOKEN_CLASSES)


class FinishReason(StrEnum):
    """Why the answer ended. `unknown` keeps the provider's word in `Response.raw_finish_reason`."""

    stop = "stop"
    length = "length"
    tool_calls = "tool_calls"
    content_filter = "content_filter"
    refusal = "refusal"
    pause = "pause"
    malformed_tool_call = "malformed_tool_call"
    unknown = "unknown"


@frozen(kw_only=True)
class Response:
    """
    One answer of one model.

    Attributes:
        provider: The driver's name.
        model: The model's name as the provider gave it back, "" where it does not.
        parts: Shape (n_parts,), in the order the model wrote them; may be empty.
        finish_reason: Why it ended; None only in a partial answer.
        raw_finish_reason: The provider's own word for it.
        stop_sequence: Which stop sequence matched, where the provider says so.
        usage: None where the provider reports none, never zeros in its place.
        response_id: The provider's id of the answer.
        request_id: The provider's id of the HTTP request, from its headers.
        raw: The body of a non-streamed answer; left out of comparison.
    """

    provider: str
    model: str
    parts: tuple[Part, ...] = ()
    finish_reason: FinishReason | None = None
    raw_finish_reason: str | None = None
    stop_sequence: str | None = None
    usage: Usage | None = None
    response_id: str | None = None
    request_id: str | None = None
    opaque: Opaque | None = None
    raw: bytes | None = field(default=None, eq=False, repr=False)

    @property
    def text(self) -> str:
        """The visible text, parts joined without a separator; a refusal's words included."""
        return text_of(self.parts)

    @property
    def reasoning(self) -> str:
        """The reasoning text, parts joined without a separator."""
        return "".join(p.text for p in self.parts if isinstance(p, Reasoning))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The tool calls, in order."""
        return tuple(p for p in self.parts if isinstance(p, ToolCall))

    @property
    def message(self) -> Message:
        """The answer as an assistant message for the next turn, signatures and all."""
        return Message(Role.assistant, self.parts)


@frozen(kw_only=True)
class EmbedResponse:
    """Vectors of shape (n_inputs, n_dimensions), in input order."""

    provider: str
    model: str
    vectors: tuple[tuple[float, ...], ...] = field(repr=False)
    usage: Usage | None = None
    request_id: str | None = None


@frozen(kw_only=True)
class TokenCount:
    """How many input tokens the provider says a request has, cache included."""

    provider: str
    model: str
    input_tokens: int = field(validator=ge(0))
    request_id: str | None = None
