"""The ledger: a reservation before each request, one entry an attempt however it ends, safe before anything is given out."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import anyio
import pingpong as pp
import pytest
from attrs import define, field
from pingpong.testing import Cut, FakeClock, FakeTransport, Silence, collect, fake_card, fake_client, fake_response

pytestmark = pytest.mark.anyio


@define(eq=False)
class Log:
    """A ledger that tells what happened when, into one log; `breaks` says which of its methods fail."""

    log: list[str] = field(factory=list)
    entries: list[Any] = field(factory=list)
    breaks: tuple[str, ...] = ()
    error: Exception = field(factory=lambda: OSError("disk full"))

    def record(self, entry: Any) -> None:
        word = "reserve" if isinstance(entry, pp.Reservation) else entry.status
        if word in self.breaks:
            raise self.error
        self.log.append(word)
        self.entries.append(entry)

    async def settled(self, attempt_ids: Collection[str]) -> None:
        self.log.append(f"settled {len(attempt_ids)}")
        if "settled" in self.breaks:
            raise self.error


@define(eq=False)
class Told(FakeTransport):
    """A fake transport that tells its sends into a ledger's log."""

    ledger: Log
    script: Any

    def __attrs_post_init__(self) -> None:
        FakeTransport.__init__(self, self.script)

    async def send(self, *args: Any) -> Any:
        self.ledger.log.append("send")
        return await FakeTransport.send(self, *args)

    async def open(self, *args: Any) -> Any:
        self.ledger.log.append("send")
        return await FakeTransport.open(self, *args)


both = pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])


async def ask(client: pp.Client, is_stream: bool, **options: Any) -> pp.Outcome:
    if is_stream:
        return await client.stream("hi", model="fake:small", **options).outcome()
    return await client.complete("hi", model="fake:small", **options)


@both
async def test_each_attempt_is_reserved_sent_and_entered_in_that_order(is_stream: bool) -> None:
    """The reservation is written before its request leaves, the entry when it ended, and all are safe before the return."""
    ledger = Log()
    client = fake_client(Told(ledger, {"fake:small": [pp.ServerError("down"), "hello"]}), ledger=ledger)
    outcome = await ask(client, is_stream)
    assert ledger.log == ["reserve", "send", "failed", "reserve", "send", "success", "settled 2"]
    first, _, second, last = ledger.entries
    assert (first.attempt_id, second.attempt_id) == tuple(a.attempt_id for a in outcome.attempts)
    assert {e.request_id for e in ledger.entries} == {outcome.request_id}
    assert (last.usage, last.cost_usd, last.held_usd) == (outcome.response.usage, outcome.cost_usd, second.held_usd)
    assert second.held_usd >= last.cost_usd


async def test_entries_are_safe_before_the_terminal_event() -> None:
    """A stream's `end` and `error` come after the ledger has settled; content does not wait."""
    for script, last in (("hello", "end"), (Cut(fake_response("hello"), 2), "error")):
        ledger = Log()
        client = fake_client(FakeTransport({"fake:small": [script]}), ledger=ledger)
        async with client.stream("hi", model="fake:small") as stream:
            async for event in stream:
                is_settled = ledger.log[-1:] == ["settled 1"]
                assert is_settled == (event.kind == last), event.kind


async def test_a_failure_settles_before_it_is_raised() -> None:
    """An error waits for the ledger as an answer does, embeddings too."""
    ledger = Log()
    client = fake_client(FakeTransport({"fake:small": [pp.InvalidRequestError("no")]}), ledger=ledger)
    for call in (client.complete, client.embed):
        with pytest.raises(pp.InvalidRequestError):
            await call("hi", model="fake:small")
    assert ledger.log == ["reserve", "failed", "settled 1"] * 2


@pytest.mark.parametrize("operation", ["complete", "embed", "count_tokens"])
async def test_a_cancelled_attempt_leaves_one_entry(operation: str) -> None:
    """Cancelling the caller's scope in the middle of a request writes `cancelled`, with estimated usage where it may bill."""
    ledger, clock = Log(), Hanging()
    client = fake_client(FakeTransport({"fake:small": [Silence()]}, clock), clock=clock, ledger=ledger)
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: getattr(client, operation)("hi", model="fake:small"))
        await clock.waits.wait()
        group.cancel_scope.cancel()
    assert [type(e) for e in ledger.entries] == [pp.Reservation, pp.Attempt]
    entry = ledger.entries[-1]
    assert (entry.status, entry.error_kind) == ("cancelled", None)
    assert operation == "count_tokens" or entry.usage.is_estimated
    assert entry.usage is None or entry.usage.input_tokens >= 1


class Hanging(FakeClock):
    """A clock whose sleeps never end, and that tells when one began."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        self.waits.set()
        await anyio.sleep_forever()


async def test_a_cancelled_stream_leaves_one_entry_and_closes() -> None:
    """Cancelling while content is being read closes the upstream; the entry has what had arrived."""
    ledger = Log()
    transport = FakeTransport({"fake:small": ["hello"]})
    client = fake_client(transport, ledger=ledger)
    with anyio.CancelScope() as scope:
        async with client.stream("hi", model="fake:small") as stream:
            async for event in stream:
                if event.kind == "text":
                    scope.cancel()
    assert transport.n_open == 0
    assert ledger.log == ["reserve", "cancelled"]
    assert ledger.entries[-1].usage.is_estimated


async def test_a_cancelled_ensemble_enters_every_member() -> None:
    """One entry for each member that was under way."""
    from pingpong.testing import factory_path, fake_plugin

    class Both:
        def prepare(self, cards: Any) -> None:
            return None

        def route(self, query: pp.Query) -> pp.Plan:
            return pp.Ensemble([pp.Call(c.id) for c in query.cards], pp.Step("none"))

        def explain(self, query: pp.Query) -> Any:
            return ()

    ledger, clock = Log(), Hanging()
    cards = [fake_card("a:one"), fake_card("b:two")]
    client = fake_client(
        FakeTransport({c.id: [Silence()] for c in cards}, clock), cards=cards, clock=clock, ledger=ledger,
        plugins=[fake_plugin("r", routers=[pp.PolicyRecord(name="both", factory=factory_path(Both))])],
        config=pp.Config(strategy="both"),
    )  # fmt: skip
    async with anyio.create_task_group() as group:
        group.start_soon(client.complete, "hi")
        while ledger.log.count("reserve") < 2:
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert ledger.log == ["reserve", "reserve", "cancelled", "cancelled"]


@both
async def test_what_is_refused_before_it_leaves_is_no_entry(is_stream: bool) -> None:
    """A missing key is an attempt of the outcome but no entry: nothing left, nothing is held."""
    ledger = Log()
    client = fake_client(ledger=ledger, env={})
    with pytest.raises(pp.MissingCredential) as caught:
        await ask(client, is_stream)
    assert ledger.entries == []
    assert [a.status for a in caught.value.attempts] == ["refused"]


@both
async def test_without_a_reservation_nothing_leaves(is_stream: bool) -> None:
    """A ledger that cannot write the reservation stops the request before money is spent."""
    ledger = Log(breaks=("reserve",))
    transport = FakeTransport()
    with pytest.raises(pp.PluginError, match="OSError"):
        await ask(fake_client(transport, ledger=ledger), is_stream)
    assert transport.requests == []


@both
@pytest.mark.parametrize("breaks", ["success", "settled"])
async def test_a_failing_ledger_fails_the_request(is_stream: bool, breaks: str) -> None:
    """Spend that cannot be written down is never passed off as done: a `PluginError` with the attempt, never a raw one."""
    ledger = Log(breaks=(breaks,))
    client = fake_client(ledger=ledger)
    with pytest.raises(pp.PluginError, match=r"ledger.*OSError") as caught:
        await ask(client, is_stream)
    assert len(caught.value.attempts) == 1


@pytest.mark.parametrize("breaks", ["success", "settled"])
async def test_a_failing_ledger_ends_a_stream_in_an_error(breaks: str) -> None:
    """Iteration raises nothing: the failure is the last event."""
    client = fake_client(ledger=Log(breaks=(breaks,)))
    async with client.stream("hi", model="fake:small") as stream:
        events = await collect(stream)
    assert [e.kind for e in events] == ["start", "text", "part_end", "error"]
    assert events[-1].kind == "error"


async def test_a_failing_ledger_does_not_hide_the_providers_error() -> None:
    """Where both fail, the provider's error is what is raised."""
    client = fake_client(FakeTransport({"fake:small": [pp.InvalidRequestError("no")]}), ledger=Log(breaks=("settled",)))
    with pytest.raises(pp.InvalidRequestError, match="failed"):
        await client.complete("hi", model="fake:small")


async def test_embeddings_fail_with_the_ledger() -> None:
    """The same holds for an embedding."""
    client = fake_client(ledger=Log(breaks=("settled",)))
    with pytest.raises(pp.PluginError, match=r"ledger.*OSError"):
        await client.embed("hi", model="fake:small")
