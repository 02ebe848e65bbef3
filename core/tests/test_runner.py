"""Plans as the runner executes them, over fakes; every test on asyncio and trio."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pingpong as pp
import pytest
from attrs import frozen
from pingpong.testing import (
    Cut,
    FakeClock,
    FakeTransport,
    Silence,
    collect,
    factory_path,
    fake_card,
    fake_client,
    fake_plugin,
    fake_price,
    fake_response,
)

pytestmark = pytest.mark.anyio

CARDS = [fake_card("a:one"), fake_card("b:two"), fake_card("c:three")]


@frozen
class Fixed:
    """A router that always returns one plan."""

    plan: Any

    def prepare(self, cards: Any) -> None:
        return None

    def route(self, query: pp.Query) -> Any:
        return self.plan

    def explain(self, query: pp.Query) -> tuple[pp.Candidate, ...]:
        chosen = {c.model for c in pp.calls_of(self.plan)}
        return tuple(pp.Candidate(c.id, c.id in chosen, "fixed") for c in query.cards)


@frozen
class Scores:
    """A validator that scores by text: the part after the last `=`; rejects below 0; replaces `fix`; asks where told."""

    plan: Any = None

    def step(self, request: pp.Request, response: pp.Response, answers: tuple[pp.Outcome, ...]) -> Any:
        if self.plan is not None and not answers:
            return pp.Ask(pp.Request("judge: " + response.text), self.plan)
        text = answers[0].text if answers else response.text
        score = float(text.rpartition("=")[2]) if "=" in text else 1.0
        replacement = fake_response("fixed") if text == "fix" else None
        finding = (pp.Finding("below zero"),) if score < 0 else ()
        return pp.Verdict(
            validator="scores", score=max(score, 0), is_rejected=score < 0, findings=finding, replacement=replacement
        )


@frozen
class Join:
    """A fuser that joins the texts."""

    def step(self, request: pp.Request, responses: tuple[pp.Response, ...], answers: tuple[pp.Outcome, ...]) -> pp.Fusion:
        return pp.Fusion(response=fake_response("+".join(r.text for r in responses)), agreement=0.25)


@frozen
class Boom:
    """A step that is broken."""

    def step(self, *args: Any) -> Any:
        raise KeyError("bug")


JUDGE = pp.Call("c:three")


def client_for(plan: Any, script: Any, **options: Any) -> Any:
    def record(name: str, factory: Any, **flags: Any) -> pp.PolicyRecord:
        return pp.PolicyRecord(name=name, factory=factory_path(factory), **flags)

    policies = fake_plugin(
        "policies",
        routers=[record("fixed", lambda: Fixed(plan))],
        validators=[
            record("scores", Scores),
            record("judged", lambda: Scores(JUDGE)),
            record("replaces", Scores, may_replace=True),
            record("boom", Boom),
        ],
        fusers=[record("join", Join)],
    )
    clock = FakeClock()
    options.setdefault("config", pp.Config(strategy="fixed"))
    transport = FakeTransport(script, clock)
    return fake_client(transport, cards=CARDS, plugins=[policies], clock=clock, **options), transport


def fallback(*models: str, **limits: Any) -> pp.Fallback:
    return pp.Fallback(tuple(pp.Call(m, **limits) for m in models))


async def test_fallback_takes_the_next_model_on_error() -> None:
    """A failed model is followed by the next; both attempts are in the outcome, in order."""
    client, _ = client_for(fallback("a:one", "b:two", max_attempts=1), {"a:one": [pp.ServerError("down")], "b:two": ["hello"]})
    outcome = await client.complete("hi")
    assert outcome.text == "hello"
    assert [(a.model, a.status) for a in outcome.attempts] == [("a:one", "failed"), ("b:two", "success")]
    assert outcome.decision.strategy == "fixed"


async def test_fallback_of_failures_raises_a_group_with_every_error() -> None:
    """Where all fail, one group holds each model's error, and carries the attempts and the decision."""
    script = {"a:one": [pp.ServerError("down")], "b:two": [pp.RateLimited("slow down")]}
    client, _ = client_for(fallback("a:one", "b:two", max_attempts=1), script)
    with pytest.raises(pp.AllFailed) as caught:
        await client.complete("hi")
    assert [type(e) for e in caught.value.exceptions] == [pp.ServerError, pp.RateLimited]
    assert [a.error_kind for a in caught.value.attempts] == ["server_error", "rate_limited"]
    assert caught.value.decision is not None


async def test_retries_wait_as_the_policy_says_and_end_at_the_limit() -> None:
    """A retryable error is tried again after the provider's Retry-After, at most `max_attempts` times in all."""
    client, transport = client_for(fallback("a:one", max_attempts=3), {"a:one": [pp.RateLimited("x", retry_after_s=7)]})
    with pytest.raises(pp.RateLimited):
        await client.complete("hi")
    assert client.clock.naps == [7.0, 7.0]
    assert len(transport.requests) == 3


async def test_errors_that_cannot_pass_are_not_retried() -> None:
    """A 400 is sent once."""
    client, transport = client_for(fallback("a:one", max_attempts=3), {"a:one": [pp.InvalidRequestError("no")]})
    with pytest.raises(pp.InvalidRequestError):
        await client.complete("hi")
    assert len(transport.requests) == 1


async def test_the_deadline_bounds_everything_and_is_not_multiplied() -> None:
    """A silent first model uses the whole time up; the second is not called."""
    client, transport = client_for(fallback("a:one", "b:two"), {"a:one": [Silence()], "b:two": ["late"]})
    with pytest.raises(pp.DeadlineExceeded):
        await client.complete("hi", timeout_s=30)
    assert client.clock.monotonic_s() == 30
    assert [m for m, _ in transport.requests] == ["a:one"]


async def test_an_attempts_own_timeout_leads_to_the_next_model() -> None:
    """`Call.timeout_s` ends one attempt as the provider's timeout, and the plan goes on."""
    plan = fallback("a:one", "b:two", max_attempts=1, timeout_s=5)
    client, _ = client_for(plan, {"a:one": [Silence()], "b:two": ["hello"]})
    outcome = await client.complete("hi", timeout_s=30)
    assert (outcome.text, outcome.attempts[0].error_kind) == ("hello", "provider_timeout")


async def test_cascade_goes_on_while_the_detector_doubts() -> None:
    """The first answer scored at least the threshold is given, with its score as confidence."""
    plan = pp.Cascade((pp.Call("a:one"), pp.Call("b:two")), pp.Step("scores"), 0.8)
    client, _ = client_for(plan, {"a:one": ["weak=0.3"], "b:two": ["strong=0.9"]})
    outcome = await client.complete("hi")
    assert (outcome.text, outcome.confidence) == ("strong=0.9", 0.9)


async def test_cascade_gives_its_best_answer_where_none_is_good_enough() -> None:
    """The highest score wins where no answer reaches the threshold."""
    plan = pp.Cascade((pp.Call("a:one"), pp.Call("b:two")), pp.Step("scores"), 0.99)
    client, _ = client_for(plan, {"a:one": ["weak=0.3"], "b:two": ["weaker=0.2"]})
    outcome = await client.complete("hi")
    assert (outcome.text, outcome.confidence) == ("weak=0.3", 0.3)


async def test_cascade_survives_a_failing_member() -> None:
    """An error in a cascade counts as doubt."""
    plan = pp.Cascade((pp.Call("a:one", 1), pp.Call("b:two", 1)), pp.Step("scores"), 0.5)
    client, _ = client_for(plan, {"a:one": [pp.ServerError("down")], "b:two": ["ok=0.9"]})
    assert (await client.complete("hi")).text == "ok=0.9"


async def test_ensemble_fuses_what_answered() -> None:
    """All members are called, failures are left out, and answers are fused in the plan's order."""
    plan = pp.Ensemble(fallback("a:one", "b:two", "c:three", max_attempts=1).nodes, pp.Step("join"))
    client, transport = client_for(plan, {"a:one": ["x"], "b:two": [pp.ServerError("down")], "c:three": ["z"]})
    outcome = await client.complete("hi")
    assert (outcome.text, outcome.confidence) == ("x+z", 0.25)
    assert sorted(m for m, _ in transport.requests) == ["a:one", "b:two", "c:three"]


async def test_ensemble_of_failures_raises_them_all() -> None:
    """No answer at all is a group of every member's error, in the plan's order."""
    plan = pp.Ensemble(fallback("a:one", "b:two", max_attempts=1).nodes, pp.Step("join"))
    client, _ = client_for(plan, {"a:one": [pp.ServerError("1")], "b:two": [pp.InvalidRequestError("2")]})
    with pytest.raises(pp.AllFailed) as caught:
        await client.complete("hi")
    assert [type(e) for e in caught.value.exceptions] == [pp.ServerError, pp.InvalidRequestError]


async def test_an_ensemble_out_of_time_is_a_deadline() -> None:
    """Where the request's deadline stops every member, that is the error, and not a group of it."""
    plan = pp.Ensemble(fallback("a:one", "b:two", max_attempts=1).nodes, pp.Step("join"))
    client, _ = client_for(plan, {"a:one": [Silence()], "b:two": [Silence()]})
    with pytest.raises(pp.DeadlineExceeded) as caught:
        await client.complete("hi", timeout_s=30)
    assert [a.error_kind for a in caught.value.attempts] == ["deadline_exceeded", "deadline_exceeded"]


@pytest.mark.parametrize(("reason", "error"), [("no_route", pp.NoRoute), ("budget", pp.BudgetExceeded),
                                               ("policy", pp.NoRoute), ("clarification", pp.NeedsClarification)])  # fmt: skip
async def test_refuse_raises_its_reason_and_calls_nothing(reason: Any, error: Any) -> None:
    """A refusal is an error of its own kind; no request leaves."""
    client, transport = client_for(pp.Refuse(reason, "because"), {})
    with pytest.raises(error, match="because"):
        await client.complete("hi")
    assert transport.requests == []


async def test_validators_of_the_request_look_at_the_answer() -> None:
    """A named validator's verdict is in the outcome."""
    client, _ = client_for(fallback("a:one"), {"a:one": ["fine=0.7"]})
    outcome = await client.complete("hi", validators=("scores",))
    assert [(v.validator, v.score) for v in outcome.verdicts] == [("scores", 0.7)]


async def test_a_rejected_answer_is_not_given_out() -> None:
    """A rejecting verdict fails the request; the answer is kept as `partial`."""
    client, _ = client_for(fallback("a:one"), {"a:one": ["bad=-1"]})
    with pytest.raises(pp.AnswerRejected, match="below zero") as caught:
        await client.complete("hi", validators="scores")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "bad=-1"


async def test_a_validator_may_replace_the_answer() -> None:
    """A replacement is what the caller gets, streamed or not, and nothing of the first answer is streamed."""
    client, _ = client_for(fallback("a:one"), {"a:one": ["fix"]})
    assert (await client.complete("hi", validators="replaces")).text == "fixed"
    async with client.stream("hi", validators="replaces") as stream:
        events = await collect(stream)
    assert "".join(e.text for e in events if isinstance(e, pp.TextDelta)) == "fixed"


async def test_a_step_asks_through_the_runner() -> None:
    """A judge's question is an attempt of its own, with its purpose, in the same outcome and ledger."""
    plan = pp.Check(pp.Call("a:one"), (pp.Step("judged", asks=(JUDGE,)),))
    client, _ = client_for(plan, {"a:one": ["answer"], "c:three": ["verdict=0.4"]})
    outcome = await client.complete("hi")
    assert [(a.model, a.purpose) for a in outcome.attempts] == [("a:one", "answer"), ("c:three", "judge")]
    assert outcome.verdicts[0].score == 0.4
    assert outcome.cost_usd == Decimal("0.00004")
    assert len(client.ledger.entries) == 4


async def test_a_step_may_only_ask_what_the_plan_allows() -> None:
    """A question that the plan does not name is the plugin's fault, so that cost bounds hold."""
    plan = pp.Check(pp.Call("a:one"), (pp.Step("judged"),))
    client, transport = client_for(plan, {"a:one": ["answer"]})
    with pytest.raises(pp.PluginError, match="judged"):
        await client.complete("hi")
    assert [m for m, _ in transport.requests] == ["a:one"]


async def test_a_broken_step_is_named() -> None:
    """What a plugin raises becomes a `PluginError` that names it."""
    client, _ = client_for(pp.Check(pp.Call("a:one"), (pp.Step("boom"),)), {"a:one": ["answer"]})
    with pytest.raises(pp.PluginError, match="'boom' broke: KeyError"):
        await client.complete("hi")


async def test_streamed_fallback_shows_one_start_of_the_model_that_answers() -> None:
    """A failure before content is invisible: the caller sees one start, of the second model."""
    script = {"a:one": [Cut(fake_response(provider="a", model="one"), 1)], "b:two": ["hello"]}
    client, transport = client_for(fallback("a:one", "b:two", max_attempts=1), script)
    async with client.stream("hi") as stream:
        events = await collect(stream)
        outcome = await stream.outcome()
    assert [e.kind for e in events] == ["start", "text", "part_end", "end"]
    assert isinstance(events[0], pp.StreamStart)
    assert events[0].provider == "b"
    assert [a.error_kind for a in outcome.attempts] == ["stream_truncated", None]
    assert transport.n_open == 0


async def test_nothing_is_rerouted_after_content() -> None:
    """A stream cut after content ends in one error with the partial answer; no second model is called."""
    script = {"a:one": [Cut(fake_response("hello", provider="a", model="one"), 2)], "b:two": ["never"]}
    client, transport = client_for(fallback("a:one", "b:two"), script)
    async with client.stream("hi") as stream:
        events = await collect(stream)
        with pytest.raises(pp.StreamTruncated):
            await stream.outcome()
    assert [e.kind for e in events] == ["start", "text", "error"]
    assert isinstance(events[-1], pp.StreamError)
    assert isinstance(events[-1].partial, pp.Response)
    assert events[-1].partial.text == "hello"
    assert events[-1].partial.finish_reason is None
    assert [m for m, _ in transport.requests] == ["a:one"]


async def test_a_stream_that_never_starts_still_has_a_start() -> None:
    """Where no attempt gives content, the last one's start precedes the error."""
    client, _ = client_for(fallback("a:one", max_attempts=1), {"a:one": [pp.ServerError("down")]})
    async with client.stream("hi") as stream:
        events = await collect(stream)
    assert [e.kind for e in events] == ["start", "error"]
    assert isinstance(events[0], pp.StreamStart)
    assert (events[0].provider, events[0].model) == ("a", "one")
    assert isinstance(events[1], pp.StreamError)
    assert isinstance(events[1].error, pp.ServerError)


@pytest.mark.parametrize(
    "plan",
    [
        pp.Cascade((pp.Call("a:one"), pp.Call("b:two")), pp.Step("scores"), 0.5),
        pp.Ensemble((pp.Call("a:one"),), pp.Step("join")),
        pp.Fallback((pp.Refuse("no_route", "x"), pp.Call("a:one"))),
        pp.Check(pp.Call("a:one"), (pp.Step("scores"),)),
        pp.Check(pp.Cascade((pp.Call("a:one"),), pp.Step("scores")), (pp.Step("scores"),)),
    ],
)
async def test_every_plan_streams_what_it_completes(plan: Any) -> None:
    """Streamed or not, a plan gives the same answer, and its stream keeps the grammar."""
    client, _ = client_for(plan, {"a:one": ["yes=0.9"]})
    whole = await client.complete("hi")
    async with client.stream("hi") as stream:
        events = await collect(stream)
        streamed = await stream.outcome()
    kinds = [e.kind for e in events]
    assert (kinds[0], kinds[-1], kinds.count("start"), kinds.count("end")) == ("start", "end", 1, 1)
    assert streamed.response == whole.response == pp.response_from_events(events)


async def test_a_tapped_stream_ends_in_the_verdict() -> None:
    """A check that cannot replace streams content on, reports beside the stream, and ends in an error on rejection."""
    client, _ = client_for(fallback("a:one"), {"a:one": ["bad=-1"]})
    async with client.stream("hi", validators="scores") as stream:
        events = await collect(stream)
        reports = stream.reports
    assert [e.kind for e in events] == ["start", "text", "part_end", "error"]
    assert [type(r).__name__ for r in reports] == ["Attempt", "Verdict"]


async def test_leaving_a_stream_early_closes_it_and_leaves_an_entry() -> None:
    """Breaking out of a stream closes the upstream and writes a cancelled entry with estimated usage."""
    client, transport = client_for(fallback("a:one"), {"a:one": ["hello"]})
    async with client.stream("hi") as stream:
        async for event in stream:
            if event.kind == "text":
                break
    assert transport.n_open == 0
    entry = client.ledger.entries[-1]
    assert (entry.status, entry.usage.is_estimated) == ("cancelled", True)
    with pytest.raises(pp.InvalidRequestError, match="closed before it ended"):
        await stream.outcome()


async def test_the_cost_cap_counts_what_is_held() -> None:
    """A second attempt that could pass the cap is refused before it leaves, and says so."""
    cards = [fake_card("a:one", price=fake_price("0", "1000")), fake_card("b:two", price=None)]
    client = fake_client(FakeTransport({"a:one": [pp.ServerError("x")]}), cards=cards)
    with pytest.raises(pp.BudgetExceeded, match="cap"):
        await client.complete("hi", model="a:one", max_cost_usd=Decimal("0.5"))
    with pytest.raises(pp.PingPongError) as caught:
        await client.complete("hi", model="a:one", max_cost_usd=Decimal("1.5"), max_output_tokens=1000)
    assert [a.status for a in caught.value.attempts] == ["failed", "failed"]


async def test_an_unknown_price_is_refused_under_a_cap() -> None:
    """Without a price no cap can be kept, so the call is refused; without a cap its cost is unknown, not free."""
    from attrs import evolve

    client = fake_client(cards=[evolve(fake_card("a:one"), price=None)])
    with pytest.raises(pp.BudgetExceeded, match="no known price"):
        await client.complete("hi", model="a:one", max_cost_usd=Decimal(1))
    assert (await client.complete("hi", model="a:one")).cost_usd is None


async def test_a_schema_answer_cut_by_length_is_an_error_of_its_own() -> None:
    """Half a JSON document is never passed off as the answer, and its tokens are still in the ledger."""
    cut = fake_response('{"a":', finish_reason=pp.FinishReason.length)
    client = fake_client(FakeTransport({"fake:small": [cut]}))
    with pytest.raises(pp.StructuredOutputTruncated) as caught:
        await client.complete("hi", model="fake:small", output_schema=pp.OutputSchema({"type": "object"}))
    assert caught.value.attempts[0].usage == cut.usage


async def test_a_broken_driver_is_blamed_by_name() -> None:
    """What a codec raises that is no error of ours becomes a `PluginError` that names the driver, and an entry."""

    def explode(request: pp.Request) -> str:
        raise KeyError("bug")

    client = fake_client(FakeTransport({"fake:small": [explode]}))
    with pytest.raises(pp.PluginError, match="Driver 'fake'") as caught:
        await client.complete("hi", model="fake:small")
    assert caught.value.attempts[0].status == "failed"


async def test_a_key_that_the_provider_repeats_is_masked() -> None:
    """An error message never carries the key, even where the provider's own text does."""
    client = fake_client(cards=CARDS, transport=Echoing())
    with pytest.raises(pp.PingPongError) as caught:
        await client.complete("hi", model="a:one")
    assert "secret" not in str(caught.value)
    assert "***" in str(caught.value)
    assert "secret" not in repr(caught.value.attempts)


class Echoing(FakeTransport):
    """A transport whose error repeats the key it was sent."""

    async def send(self, base_url: str, request: pp.WireRequest, deadline_s: float) -> pp.WireResponse:
        raise pp.AuthenticationError(f"Incorrect key: {request.headers['authorization']}")
