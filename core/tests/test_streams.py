"""Streams: what iteration, `outcome()` and `reports` give, in any order and however the stream ends."""

from __future__ import annotations

from typing import Any

import anyio
import pingpong as pp
import pytest
from attrs import frozen
from pingpong.testing import FakeTransport, collect, factory_path, fake_client, fake_plugin, fake_response

pytestmark = pytest.mark.anyio


async def test_outcome_before_the_end_reads_the_rest() -> None:
    """`outcome()` drains what was not read; it gives the same again, and iteration is then over."""
    client = fake_client(FakeTransport({"fake:small": ["hello"]}))
    async with client.stream("hi", model="fake:small") as stream:
        assert (await anext(stream)).kind == "start"
        outcome = await stream.outcome()
        assert await stream.outcome() is outcome
        assert await collect(stream) == []
    assert outcome.text == "hello"
    assert [a.status for a in outcome.attempts] == ["success"]


async def test_outcome_is_there_after_the_context_where_the_stream_ended() -> None:
    """A stream that was read to its end keeps its outcome."""
    client = fake_client()
    async with client.stream("hi", model="fake:small") as stream:
        await collect(stream)
    assert (await stream.outcome()).text == "hi"


async def test_a_stream_nobody_read_costs_nothing() -> None:
    """Opening and leaving a stream sends nothing, and has no outcome."""
    transport = FakeTransport()
    client = fake_client(transport)
    async with client.stream("hi", model="fake:small") as stream:
        assert stream.reports == ()
    assert transport.requests == []
    with pytest.raises(pp.InvalidRequestError, match="closed before it ended"):
        await stream.outcome()


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (pp.Request(" ", model="fake:small"), "invalid_request"),
        (pp.Request("hi", model="fake:none"), "unknown_model"),
        (pp.Request("hi", strategy="none"), "config"),
        (pp.Request("hi", model="fake:small", provider_options={"fake": {"x": 1}}), "unsupported_parameter"),
    ],
)
async def test_a_stream_of_an_impossible_request_keeps_the_grammar(request_: pp.Request, kind: str) -> None:
    """It gives a start and an error, raises nothing while iterated, and `outcome()` raises the same error."""
    client = fake_client()
    async with client.stream(request_) as stream:
        events = await collect(stream)
        with pytest.raises(pp.InvalidRequestError) as caught:
            await stream.outcome()
    assert [e.kind for e in events] == ["start", "error"]
    assert isinstance(events[-1], pp.StreamError)
    assert events[-1].error is caught.value
    assert caught.value.kind == kind


@frozen
class Says:
    """A validator whose verdict is its name."""

    name: str

    def step(self, request: pp.Request, response: pp.Response, answers: Any) -> pp.Verdict:
        return pp.Verdict(validator=self.name, score=1)


def says(*names: str) -> Any:
    return fake_plugin(
        "says", validators=[pp.PolicyRecord(name=n, factory=factory_path(lambda n=n: Says(n))) for n in names]
    )  # fmt: skip


async def test_reports_come_in_the_order_they_happened() -> None:
    """Attempts when they ended, then verdicts in the order they were asked for; the outcome has the same."""
    transport = FakeTransport({"fake:small": [pp.ServerError("down"), "hello"]})
    client = fake_client(transport, plugins=[says("b", "a")])
    seen: list[tuple[str, int]] = []
    async with client.stream("hi", model="fake:small", validators=("b", "a")) as stream:
        async for event in stream:
            seen.append((event.kind, len(stream.reports)))
        outcome = await stream.outcome()
    assert stream.reports == (*outcome.attempts, *outcome.verdicts)
    assert [v.validator for v in outcome.verdicts] == ["b", "a"]
    assert seen == [("start", 1), ("text", 1), ("part_end", 1), ("end", 4)]


async def test_a_failed_stream_says_what_was_tried() -> None:
    """The error carries attempts and decision, as from `complete`."""
    client = fake_client(FakeTransport({"fake:small": [pp.ServerError("down")]}))
    async with client.stream("hi", model="fake:small") as stream:
        events = await collect(stream)
    error = events[-1]
    assert isinstance(error, pp.StreamError)
    assert [a.error_kind for a in error.error.attempts] == ["server_error", "server_error"]
    assert error.error.decision is not None


async def test_first_content_is_timed() -> None:
    """A streamed attempt says when its first content came, a whole one does not."""
    client = fake_client()
    streamed = await client.stream("hi", model="fake:small").outcome()
    whole = await client.complete("hi", model="fake:small")
    assert streamed.attempts[0].first_content_ms == 0
    assert whole.attempts[0].first_content_ms is None


async def test_an_answer_without_content_streams_start_and_end() -> None:
    """No parts, no content events."""
    client = fake_client(FakeTransport({"fake:small": [fake_response(parts=())]}))
    async with client.stream("hi", model="fake:small") as stream:
        events = await collect(stream)
    assert [e.kind for e in events] == ["start", "end"]


async def test_a_schema_answer_cut_by_length_ends_the_stream_in_an_error() -> None:
    """What streamed was half a document: the terminal event is an error, with the answer as `partial`."""
    cut = fake_response('{"a":', finish_reason=pp.FinishReason.length)
    client = fake_client(FakeTransport({"fake:small": [cut]}))
    async with client.stream("hi", model="fake:small", output_schema=pp.OutputSchema({"type": "object"})) as stream:
        events = await collect(stream)
    last = events[-1]
    assert isinstance(last, pp.StreamError)
    assert isinstance(last.error, pp.StructuredOutputTruncated)
    assert last.partial == cut
    assert [a.status for a in last.error.attempts] == ["failed"]


async def test_streams_side_by_side_do_not_mix() -> None:
    """Two streams read in turns each give their own answer."""
    client = fake_client()
    async with client.stream("one", model="fake:small") as a, client.stream("two", model="fake:small") as b:
        events: dict[str, list[pp.Event]] = {"a": [], "b": []}
        for _ in range(4):
            events["a"].append(await anext(a))
            events["b"].append(await anext(b))
        assert ((await a.outcome()).text, (await b.outcome()).text) == ("one", "two")
    assert pp.response_from_events(events["a"]).text == "one"
    assert pp.response_from_events(events["b"]).text == "two"


async def test_leaving_a_stream_by_an_exception_closes_it() -> None:
    """The caller's own exception passes through; the upstream is closed and the attempt entered."""
    transport = FakeTransport()
    client = fake_client(transport)

    async def read() -> None:
        async with client.stream("hi", model="fake:small") as stream:
            async for event in stream:
                if event.kind == "text":
                    raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await read()
    assert transport.n_open == 0
    entry = client.ledger.entries[-1]
    assert isinstance(entry, pp.Attempt)
    assert entry.status == "cancelled"


async def test_a_stream_may_be_read_under_a_callers_deadline() -> None:
    """A scope of the caller's around each event neither leaks nor is swallowed."""
    client = fake_client()
    kinds = []
    async with client.stream("hi", model="fake:small") as stream:
        while True:
            with anyio.fail_after(5):
                event = await anext(stream, None)
            if event is None:
                break
            kinds.append(event.kind)
    assert kinds == ["start", "text", "part_end", "end"]
