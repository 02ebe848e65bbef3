"""What the kernel costs by itself, over fakes: import, listing, deciding, and its own share of a call."""

from __future__ import annotations

import asyncio
import json
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

import pingpong as pp
from attrs import frozen

from pingpong_bench.ours import REQUEST, client_of
from pingpong_bench.payloads import PROMPT, answer_body
from pingpong_bench.scenarios import Size

IMPORT = "import pingpong; pingpong.Client; pingpong.Request"

LISTING = f"{IMPORT}; c = pingpong.Client(env={{}}); c.models.cards; c.registry.plugins"

CARDS_A_DRIVER = 20

DECIDED_CARDS = 500


@frozen
class Figure:
    """One measurement over fakes; its name is that of its budget."""

    name: str
    value: float


def _child_cpu_s(code: str, path: str = "") -> float:
    """CPU seconds of a fresh interpreter that runs `code`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)  # os.times() counts in steps of 10 ms
    env = {"PYTHONPATH": path, "PATH": ""}
    subprocess.run([sys.executable, "-c", code], check=True, env=env, stdout=subprocess.DEVNULL)  # noqa: S603  # our own code
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def import_ratio(size: Size) -> Figure:
    """`import pingpong`, touching `Client` and `Request`, against `import httpx`; a bare interpreter taken off both."""
    codes = {"bare": "pass", "ours": IMPORT, "httpx": "import httpx"}
    seen: dict[str, list[float]] = {name: [] for name in codes}
    for _ in range(size.rounds):
        for name, code in codes.items():
            seen[name].append(_child_cpu_s(code))
    bare = median(seen["bare"])
    return Figure("import", (median(seen["ours"]) - bare) / max(median(seen["httpx"]) - bare, 1e-9))


_DRIVER = """
from pingpong import DriverRecord, EndpointRecord
from pingpong.hookspecs import hookimpl

@hookimpl
def pingpong_drivers():
    chat = EndpointRecord(name="chat", operation="chat", path="/chat")
    return [DriverRecord(name="d{i}", factory="bench_d{i}.driver:make", cards="bench_d{i}:models.json", endpoints=(chat,))]
"""


def _install_drivers(folder: Path, n: int) -> None:
    """Lay out `n` driver distributions with entry points and cards, as an installer would."""
    from pingpong.testing import fake_card

    for i in range(n):
        package, info = folder / f"bench_d{i}", folder / f"bench_d{i}-1.0.dist-info"
        package.mkdir()
        info.mkdir()
        (package / "__init__.py").touch()
        (package / "plugin.py").write_text(_DRIVER.replace("{i}", str(i)))
        cards = [pp.to_json(fake_card(f"d{i}:m{j}", endpoints=("chat",))) for j in range(CARDS_A_DRIVER)]
        (package / "models.json").write_text(json.dumps({"cards": cards}))
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bench-d{i}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[pingpong]\nd{i} = bench_d{i}.plugin\n")


def listing_ms(size: Size) -> Figure:
    """Listing all plugins and models beyond the import: those laid out here, and whatever else is installed."""
    with_list, without = [], []
    with tempfile.TemporaryDirectory() as name:
        _install_drivers(Path(name), size.listed_drivers)
        for _ in range(size.rounds):
            with_list.append(_child_cpu_s(LISTING, name))
            without.append(_child_cpu_s(IMPORT, name))
    return Figure("listing", (median(with_list) - median(without)) * 1000)


@frozen
class _Scan:
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


def deciding_us(size: Size) -> Figure:
    """Kernel and router together, from request to decision, over 500 cards."""
    from pingpong.testing import factory_path, fake_card, fake_client, fake_plugin, fake_price

    record = pp.PolicyRecord(name="scan", factory=factory_path(_Scan))
    cards = [fake_card(f"p{i % 25}:m{i}", price=fake_price(str(i + 1))) for i in range(DECIDED_CARDS)]
    client = fake_client(cards=cards, plugins=[fake_plugin("scan", routers=[record])], config=pp.Config(strategy="scan"))
    request, now = pp.Request(PROMPT), client.clock.utc_now()
    seen = []
    for _ in range(size.rounds + 1):
        started_s = time.process_time()
        for _ in range(size.kernel_calls):
            client.decider.decide(request, now, is_stream=False)
        seen.append((time.process_time() - started_s) / size.kernel_calls * 1e6)
    return Figure("deciding", median(seen[1:]))


class _Instant:
    """A transport that answers at once with the same bytes."""

    def __init__(self) -> None:
        self.answer = pp.WireResponse(200, {"content-type": "application/json"}, answer_body())

    async def send(self, base_url: str, request: pp.WireRequest, deadline_s: float) -> pp.WireResponse:
        return self.answer


def share_us(size: Size) -> Figure:
    """
    One whole `complete()` over a transport that costs nothing: rings, breaker, limits, retry, price, ledger.

    The codec is the OpenAI driver's own, so typed encode and decode of a real answer are in it.
    """
    ledger = pp.MemoryLedger()
    transport: Any = _Instant()
    client = client_of("http://127.0.0.1:9", ledger, transport=transport)

    async def rounds() -> float:
        seen = []
        for _ in range(size.rounds + 1):
            ledger.entries.clear()
            started_s = time.process_time()
            for _ in range(size.kernel_calls):
                await client.complete(REQUEST)
            seen.append((time.process_time() - started_s) / size.kernel_calls * 1e6)
        return median(seen[1:])

    return Figure("share", asyncio.run(rounds()))


KERNEL: tuple[tuple[str, Callable[[Size], Figure]], ...] = (
    ("import", import_ratio),
    ("listing", listing_ms),
    ("deciding", deciding_us),
    ("the framework's own share", share_us),
)
