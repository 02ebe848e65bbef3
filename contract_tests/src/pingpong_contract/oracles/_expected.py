"""What an oracle says of recorded bytes. Words and sums are plain values, so that no code of a driver can be part of them."""

from __future__ import annotations

from attrs import frozen


@frozen(kw_only=True)
class Call:
    """
    One function call that the model asks for.

    Attributes:
        call_id: None where the wire sends none, so that a made-up one is right.
        arguments: The parsed JSON value, or the text itself where it is not JSON.
        is_custom: Free-form input of a tool without a schema; a driver may keep it as opaque content instead.
    """

    call_id: str | None
    name: str
    arguments: object
    is_custom: bool = False


@frozen(kw_only=True)
class Tokens:
    """Token sums, cache included in `input`, reasoning in `output`. `reasoning` is None where the wire does not tell it."""

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int | None = None


@frozen(kw_only=True)
class Answer:
    """
    A chat answer, the first one where the provider sent several.

    Attributes:
        text: Visible text, a refusal's words included, reasoning not.
        reasoning: Reasoning or its summaries; None where not judged.
        finish_reasons: Every canonical reading that the protocol's documentation allows.
        raw_finish_reasons: Every word of the provider's that may be called its finish reason.
        tokens: None where the provider sent no usage.
        model, response_id: None where the provider sent none.
    """

    text: str
    reasoning: str | None
    calls: tuple[Call, ...]
    finish_reasons: frozenset[str]
    raw_finish_reasons: frozenset[str | None]
    tokens: Tokens | None
    model: str | None
    response_id: str | None
    stop_sequence: str | None = None


@frozen
class Vectors:
    """Embeddings of shape (n_inputs, n_dimensions), in input order; `input_tokens` is None where not told."""

    vectors: tuple[tuple[float, ...], ...]
    input_tokens: int | None = None


@frozen
class Count:
    """Input tokens of a request, cache included."""

    input_tokens: int


@frozen(kw_only=True)
class Failure:
    """
    An error, by status or inside a 200.

    Attributes:
        status: HTTP status; None inside a 200, where the body alone says what happened.
        kinds: Kinds of `pingpong` errors that status and provider code allow.
        codes: What may be called the provider's code; empty where not judged.
        retry_after_s: What the headers ask to wait; None where they ask nothing.
    """

    status: int | None
    kinds: frozenset[str]
    codes: frozenset[str] = frozenset()
    retry_after_s: float | None = None

    @property
    def is_retryable(self) -> bool | None:
        """Whether the same request may pass later; None where the allowed kinds differ in that."""
        readings = {kind in _RETRYABLE for kind in self.kinds}
        return readings.pop() if len(readings) == 1 else None


_RETRYABLE = frozenset(
    {"conflict", "rate_limited", "overloaded", "server_error", "provider_timeout", "malformed_response", "stream_truncated"}
)

Expected = Answer | Vectors | Count | Failure
