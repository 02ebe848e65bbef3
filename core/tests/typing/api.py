"""How the public API types: checked by mypy, never run."""

from collections.abc import Sequence
from decimal import Decimal
from typing import assert_type

import pingpong
from pingpong import (
    Ask,
    Attempt,
    BodyDecoder,
    Call,
    Card,
    Client,
    CostBounds,
    Decision,
    EmbedResponse,
    Event,
    Fallback,
    Message,
    Outcome,
    Part,
    PingPongError,
    Plan,
    Request,
    Response,
    Stream,
    StreamEnd,
    TextDelta,
    TokenCount,
    TransportContext,
    TransportOptions,
    Trouble,
    Usage,
    Validator,
    Verdict,
    cost_usd,
    events_from_response,
    headers_in,
    response_from_events,
    user,
    waiting,
)


async def a_client_answers(client: Client) -> None:
    """Complete, stream, plan, embed and count give records."""
    outcome = await client.complete("hello", strategy="cheapest")
    assert_type(outcome, Outcome)
    assert_type(outcome.text, str)
    assert_type(outcome.cost_usd, Decimal | None)
    assert_type(outcome.attempts, tuple[Attempt, ...])
    assert_type(outcome.decision, Decision)
    assert_type(outcome.usage, Usage)
    async with client.stream(Request("hello", model="openai:gpt-6-luna")) as stream:
        assert_type(stream, Stream)
        async for event in stream:
            assert_type(event, Event)
            if isinstance(event, TextDelta):
                assert_type(event.text, str)
            elif isinstance(event, StreamEnd):
                assert_type(event.usage, Usage | None)
        assert_type(await stream.outcome(), Outcome)
    decision = await client.plan("hello")
    assert_type(decision.plan, Plan)
    assert_type(decision.bounds, CostBounds | None)
    assert_type(await client.embed("hello", model="openai:text-embedding-3-small"), EmbedResponse)
    assert_type(await client.count_tokens("hello", model="anthropic:claude-haiku-5-5"), TokenCount)


def a_script_asks() -> None:
    """The one line for scripts gives an outcome."""
    assert_type(pingpong.ask("hello", strategy="cheapest"), Outcome)


def strings_and_messages_make_a_request() -> None:
    """Messages are always a tuple, whatever they were given as."""
    assert_type(Request("hello").messages, tuple[Message, ...])
    assert_type(Request([user("hello")]).messages, tuple[Message, ...])
    assert_type(user("hello").parts, tuple[Part, ...])


def plans_nest() -> None:
    """A plan is one union, so nodes hold nodes."""
    plan: Plan = Fallback((Call("openai:gpt-6-luna"), Fallback((Call("gemini:gemini-3.5-flash-lite", max_attempts=1),))))
    assert_type(pingpong.cost_bounds(plan, lambda model, reads_answer: (None, None)), CostBounds)


def records_fold_and_price(response: Response, card: Card, error: PingPongError) -> None:
    """The pure helpers give what they promise."""
    assert_type(response_from_events(events_from_response(response)), Response)
    assert_type(cost_usd(response.usage, card.price), Decimal | None)
    assert_type(error.retry_after_s, float | None)


class Length:
    """A validator is any object with this method; nothing is inherited."""

    def step(self, request: Request, response: Response, answers: Sequence[Outcome]) -> Verdict | Ask:
        """A verdict at once."""
        return Verdict(validator="length", score=min(1.0, len(response.text) / 100))


def a_plain_class_is_a_validator() -> Validator:
    """Protocols are met by shape."""
    return Length()


def a_transport_of_ones_own(context: TransportContext, raw: list[tuple[bytes, bytes]]) -> None:
    """A plugin's transport gets its options, and waits, decodes and fails with the kernel's parts."""
    options = context.transport
    assert_type(options, TransportOptions)
    headers = headers_in(raw, options.max_header_bytes)
    assert_type(headers, dict[str, str])
    with waiting(context.clock, 1.0, options.idle_timeout_s, "api.test:443"):
        assert_type(BodyDecoder(headers["content-encoding"], options.max_response_bytes).feed(b""), bytes)
    assert_type(Trouble.silent.error("api.test:443"), PingPongError)
