"""The scripted provider: what it answers, and that nothing of it is left behind."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from pingpong import MemoryLedger
from pingpong_bench import floors, ours
from pingpong_bench.contenders import CONTENDERS
from pingpong_bench.loopback import serving
from pingpong_bench.opened import expected
from pingpong_bench.payloads import DONE, STREAM
from pingpong_bench.scenarios import QUICK, Scenario, scenarios

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A scripted provider for this file."""
    with serving(QUICK) as address:
        yield address


@pytest.mark.parametrize("scenario", scenarios(QUICK), ids=lambda s: s.name)
@pytest.mark.parametrize("name", ["raw", "httpx", "pingpong-httpx", "pingpong-host"])
async def test_contenders_give_the_same_answer(url: str, scenario: Scenario, name: str) -> None:
    """Text, finish reason and tokens are the script's, whoever asks, in one piece, in a burst and paced."""
    contender = next(c for c in CONTENDERS if c.name == name)
    async with contender.open(f"{url}{scenario.path}") as opened:
        work = opened.call if scenario.kind == "call" else opened.stream
        if work is not None:
            assert opened.told(await work()) == expected(scenario.words)
        else:
            assert (name, scenario.kind) == ("raw", "stream")


async def test_a_paced_stream_comes_event_by_event(url: str) -> None:
    """The path decides the pace: each event is a piece of its own, and the last is the mark of the end."""
    async with httpx.AsyncClient() as client, client.stream("POST", f"{url}/paced/v1/chat/completions", json=STREAM) as response:
        pieces = [piece async for piece in response.aiter_raw()]
    assert pieces[-1] == DONE
    assert len(pieces) == QUICK.paced_words + 4


async def test_raw_hears_of_a_lost_connection(url: str) -> None:
    """A connection that the server closes is an error for whoever waits, not a wait without end."""
    async with floors.raw(f"{url}/v1") as opened:
        assert opened.call is not None
        await opened.call()
    exchange = floors.Exchange()
    exchange.answer = asyncio.get_running_loop().create_future()
    exchange.connection_lost(None)
    with pytest.raises(ConnectionResetError):
        await exchange.answer


def _is_gone(url: str) -> bool:
    try:
        httpx.get(url, trust_env=False)
    except httpx.ConnectError:
        return True
    except httpx.HTTPError:
        return False
    return False


def test_the_server_ends_whatever_happens() -> None:
    """An interrupt on the way takes the server along."""
    context = serving(QUICK)
    url = context.__enter__()
    context.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert _is_gone(url)


def test_the_server_ends_with_a_process_that_crashed() -> None:
    """When whoever started it is killed, its stdin ends, and so does it: the pipe that both hold open closes."""
    code = """
import sys, time
from pingpong_bench.loopback import serving
from pingpong_bench.scenarios import QUICK
with serving(QUICK) as url:
    print(url, flush=True)
    sys.stdin.read()
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert urlsplit(url).hostname == "127.0.0.1"
        process.send_signal(signal.SIGKILL)
        _, err = process.communicate(timeout=30)  # its stderr is the server's too: this waits for both
    assert (process.returncode, err) == (-signal.SIGKILL, "")
    assert _is_gone(url)


def test_our_client_runs_with_its_rings(url: str) -> None:
    """Breaker and token bucket stand in the call ring, and no other plugin than the driver's and the transports' is loaded."""
    client = ours.client_of(f"{url}/v1", MemoryLedger())
    loaded = {p.name for p in client.registry.plugins if p.state == "loaded"}
    assert {"openai", "rings"} <= loaded <= {"openai", "aiohttp", "rings"}
    assert sorted(client.registry.records("middleware")) == ["breaker", "bucket"]
