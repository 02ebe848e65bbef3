"""
The kernel's budgets, measured over fakes: `python core/benchmarks/budgets.py [--json] [--write FILE]`.

CPU time only (user and system), medians of interleaved rounds, so that a busy machine changes little.
What it measures and the bounds are DESIGN's: import, listing, deciding, and the framework's own share of a call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import pingpong as pp
from attrs import asdict, define, frozen
from pingpong.testing import factory_path, fake_card, fake_client, fake_plugin, fake_price, fake_response

ROUNDS = 9


@frozen
class Figure:
    """One budget and what was measured, in `unit`; `is_met` compares them."""

    what: str
    measured: float
    budget: float
    unit: str

    @property
    def is_met(self) -> bool:
        return self.measured <= self.budget


def child_cpu_s(code: str, path: str = "") -> float:
    """CPU seconds of a fresh interpreter that runs `code`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path, "PATH": ""})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def import_ratio() -> Figure:
    """`import pingpong`, touching `Client` and `Request`, against `import httpx`; a bare interpreter taken off both."""
    runs = {"bare": "pass", "ours": "import pingpong; pingpong.Client; pingpong.Request", "httpx": "import httpx"}
    seen: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, code in runs.items():
            seen[name].append(child_cpu_s(code))
    bare = median(seen["bare"])
    ratio = (median(seen["ours"]) - bare) / (median(seen["httpx"]) - bare)
    return Figure("import pingpong, touching Client and Request, against import httpx", ratio, 1.3, "×")


DRIVER = """
from pingpong import DriverRecord, EndpointRecord
from pingpong.hookspecs import hookimpl

@hookimpl
def pingpong_drivers():
    chat = EndpointRecord(name="chat", operation="chat", path="/chat")
    return [DriverRecord(name="d{i}", factory="bench_d{i}.driver:make", cards="bench_d{i}:models.json", endpoints=(chat,))]
"""


def install_drivers(folder: Path, n: int, n_cards: int) -> None:
    """Lay out `n` driver distributions with entry points and cards, as an installer would."""
    for i in range(n):
        package, info = folder / f"bench_d{i}", folder / f"bench_d{i}-1.0.dist-info"
        package.mkdir()
        info.mkdir()
        (package / "__init__.py").touch()
        (package / "plugin.py").write_text(DRIVER.replace("{i}", str(i)))
        cards = [pp.to_json(fake_card(f"d{i}:m{j}", endpoints=("chat",))) for j in range(n_cards)]
        (package / "models.json").write_text(json.dumps({"cards": cards}))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bench-d{i}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[pingpong]\nd{i} = bench_d{i}.plugin\n")


def listing_ms() -> Figure:
    """Listing all plugins and models of 25 drivers with 20 cards each, beyond the import."""
    listing = (
        "c = pingpong.Client(env={}); assert len([x for x in c.models.cards if x.provider[0] == 'd']) == 500; c.registry.plugins"
    )
    with tempfile.TemporaryDirectory() as name:
        install_drivers(Path(name), 25, 20)
        touch = "import pingpong; pingpong.Client; pingpong.Request"
        with_list, without = [], []
        for _ in range(ROUNDS):
            with_list.append(child_cpu_s(f"{touch}; {listing}", name))
            without.append(child_cpu_s(touch, name))
    return Figure(
        "list all plugins and models, 25 drivers with 500 cards", (median(with_list) - median(without)) * 1000, 100, "ms"
    )


@frozen
class Scan:
    """A router that looks at every card, as the cheapest one does: the first that is available, capable and large enough."""

    def prepare(self, cards: tuple[pp.Card, ...]) -> tuple[pp.Card, ...]:
        return tuple(sorted(cards, key=lambda c: c.price.input_usd_per_mtok if c.price else Decimal("Infinity")))

    def route(self, query: pp.Query) -> pp.Plan:
        unavailable, needs, tokens = query.state.unavailable, query.signals.needs, query.signals.input_tokens
        able = [
            c
            for c in query.prepared
            if c.id not in unavailable and needs <= c.capabilities and (c.context_tokens or tokens) >= tokens
        ]
        return pp.Fallback([pp.Call(c.id) for c in able[:3]])

    def explain(self, query: pp.Query) -> tuple[pp.Candidate, ...]:
        return ()


def cpu_us(work: Callable[[], object], n: int) -> float:
    """Median CPU microseconds of one `work`, over rounds of `n`."""
    rounds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(n):
            work()
        rounds.append((time.process_time() - started) / n * 1e6)
    return median(rounds)


def deciding_us() -> Figure:
    """Kernel and router together, from request to decision, over 500 cards."""
    record = pp.PolicyRecord(name="scan", factory=factory_path(Scan))
    cards = [fake_card(f"p{i % 25}:m{i}", price=fake_price(str(i + 1))) for i in range(500)]
    client = fake_client(cards=cards, plugins=[fake_plugin("scan", routers=[record])], config=pp.Config(strategy="scan"))
    request, now = pp.Request("Design a rate limiter for a public API."), client.clock.utc_now()
    return Figure("deciding over 500 cards", cpu_us(lambda: client.decider.decide(request, now, is_stream=False), 300), 200, "µs")


@define
class Bucket:
    """A token bucket in the limits slot."""

    clock: pp.Clock
    level: float = 1e9
    at_s: float = 0.0

    async def before(self, info: pp.Reservation) -> None:
        now_s = self.clock.monotonic_s()
        self.level = min(1e9, self.level + (now_s - self.at_s) * 1e6)
        self.at_s = now_s
        if self.level < info.input_tokens:
            raise pp.RateLimited("no tokens left")
        self.level -= info.input_tokens

    def after(self, info: pp.Reservation, attempt: pp.Attempt, response: pp.Response | None) -> None:
        used = attempt.usage.input_tokens if attempt.usage else 0
        self.level += info.input_tokens - used


@define
class Breaker:
    """A breaker in its slot: opens after five failures in a row."""

    clock: pp.Clock
    failures: int = 0

    async def before(self, info: pp.Reservation) -> None:
        if self.failures >= 5:
            raise pp.Overloaded("open")

    def after(self, info: pp.Reservation, attempt: pp.Attempt, response: pp.Response | None) -> None:
        self.failures = 0 if attempt.status == "success" else self.failures + 1


class Instant:
    """A transport that answers at once with the same bytes."""

    def __init__(self, body: bytes) -> None:
        self.answer = pp.WireResponse(200, {"content-type": "application/json"}, body)

    async def send(self, base_url: str, request: pp.WireRequest, deadline_s: float) -> pp.WireResponse:
        return self.answer


class TypedCodec:
    """A small typed wire by hand: what a driver's codec costs at least, encode and decode."""

    def encode(self, request: pp.Request, card: pp.Card, *, is_stream: bool) -> pp.WireRequest:
        messages = [{"role": str(m.role), "content": m.text} for m in request.messages]
        body = msgspec.json.encode({"model": card.model, "messages": messages})
        return pp.WireRequest("POST", "/chat", {"content-type": "application/json"}, body)

    def decode(self, wire: pp.WireResponse) -> pp.Response:
        data = msgspec.json.decode(wire.body)
        usage = pp.Usage(uncached_input_tokens=data["in"], visible_output_tokens=data["out"])
        return pp.Response(
            provider="fake", model=data["model"], parts=(pp.Text(data["text"]),), finish_reason=pp.FinishReason.stop, usage=usage
        )


def share_us() -> Figure:
    """One whole `complete()` over a transport that costs nothing: rings, breaker, limits, retry, price, ledger, codec."""
    from pingpong import testing

    middleware = [
        pp.MiddlewareRecord(name="bucket", ring="call", slot="limits", factory=factory_path(Bucket), waits=False),
        pp.MiddlewareRecord(name="breaker", ring="call", slot="breaker", factory=factory_path(Breaker), waits=False),
    ]
    body = json.dumps({"model": "m1", "text": fake_response().text, "in": 10, "out": 5}).encode()
    codec: Any = TypedCodec()
    kept, testing.FAKE_ENDPOINTS = testing.FAKE_ENDPOINTS, (pp.Endpoint(testing.FAKE_RECORDS[0], codec, codec),)  # type: ignore[assignment]  # a wire of our own
    transport: Any = Instant(body)
    client = fake_client(
        transport, cards=[fake_card(f"fake:m{i}") for i in range(3)], plugins=[fake_plugin("mw", middleware=middleware)],
        clock=pp.SystemClock(),
    )  # fmt: skip
    request = pp.Request("Design a rate limiter for a public API.", model="fake:m1")

    async def rounds() -> float:
        seen = []
        for _ in range(ROUNDS + 1):
            client.ledger.entries.clear()
            started = time.process_time()
            for _ in range(1000):
                await client.complete(request)
            seen.append((time.process_time() - started) * 1e3)
        return median(seen[1:])

    measured = asyncio.run(rounds())
    testing.FAKE_ENDPOINTS = kept
    return Figure("the framework's own share of a call", measured, 40, "µs")


def main() -> int:
    """Measure, print, and say by the exit code whether every budget is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--write", type=Path, help="write the table as Markdown to FILE")
    options = parser.parse_args()
    figures = [import_ratio(), listing_ms(), deciding_us(), share_us()]
    if options.json:
        print(json.dumps({"python": platform.python_version(), "figures": [asdict(f) for f in figures]}, indent=2))
    else:
        print(table(figures))
    if options.write:
        options.write.write_text(PAGE.format(table=table(figures), python=platform.python_version(), rounds=ROUNDS))
    return 0 if all(f.is_met for f in figures) else 1


PAGE = """# The kernel's budgets, measured

This page is written by `python core/benchmarks/budgets.py --write docs/explanation/budgets.md`.
The figures are CPU time over fakes, medians of {rounds} interleaved rounds, on CPython {python} and one two-core machine.

{table}
"""


def table(figures: list[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = [f"| {f.what} | {f.measured:.2f} {f.unit} | {f.budget:g} {f.unit} | {'yes' if f.is_met else 'NO'} |" for f in figures]
    return "\n".join(["| what | measured | budget | met |", "|---|---|---|---|", *rows])


if __name__ == "__main__":
    raise SystemExit(main())
