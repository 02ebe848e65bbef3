"""A whole client over this transport: chosen by itself, recorded, replayed and blocked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pingpong as pp
import pytest
import pytest_recording.network
import vcr  # type: ignore[import-untyped]  # vcrpy ships no types
from pingpong.testing import fake_card, fake_driver_record, fake_plugin, fake_response
from pingpong_aiohttp import plugin
from pingpong_aiohttp.transport import AiohttpTransport

pytestmark = pytest.mark.anyio

CARD = fake_card("fake:small")


def client(url: str, **transport: Any) -> pp.Client:
    drivers = fake_plugin("fakes", drivers=[fake_driver_record("fake", [CARD])])
    transports = fake_plugin("aiohttp", transports=plugin.pingpong_transports())
    config = pp.Config(drivers={"fake": {"base_url": url}}, transport=transport)
    return pp.Client(config, registry=pp.Registry(found=[drivers, transports]), env={"FAKE_KEY": "fake-secret"})


def answer(text: str) -> bytes:
    """A whole answer in the fake driver's wire."""
    body = json.dumps(pp.to_json(fake_response(text))).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)


def stream(text: str) -> bytes:
    """The same as server-sent events."""
    events = b"".join(b"data: %b\n\n" % json.dumps(pp.to_json(e)).encode() for e in pp.events_from_response(fake_response(text)))
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    return head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(events), events)


def written(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


async def test_a_client_sends_through_it_by_itself(serve: Any) -> None:
    """No setting is needed; the request goes out once, with its key, and closing the client closes the connection."""
    async with serve(answer("hi there")) as server:
        async with client(server.url) as made:
            outcome = await made.complete("hi", model="fake:small")
            assert isinstance(made.models.target("fake:small").transport, AiohttpTransport)
        assert outcome.text == "hi there"
        assert [b"authorization: bearer fake-secret" in r.lower() for r in server.requests] == [True]


async def test_one_setting_switches_it_off(serve: Any) -> None:
    """`name = "httpx"` sends through httpx."""
    async with serve(answer("hi")) as server, client(server.url, name="httpx") as made:
        assert (await made.complete("hi", model="fake:small")).text == "hi"
        assert isinstance(made.models.target("fake:small").transport, pp.HttpxTransport)


async def test_a_proxy_that_only_httpx_might_know_falls_back() -> None:
    """A SOCKS proxy keeps the automatic choice away, with a reason; a named aiohttp says so."""
    made = client("http://a.invalid", proxy="socks5://127.0.0.1:1")
    assert isinstance(made.models.target("fake:small").transport, pp.HttpxTransport)
    assert "aiohttp can use" in str(made.models.problems[0])
    with pytest.raises(pp.ConfigError, match="aiohttp can use"):
        client("http://a.invalid", name="aiohttp", proxy="socks5://127.0.0.1:1").models.target("fake:small")


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_cassettes_record_and_replay_it(serve: Any, tmp_path: Path, is_streamed: bool) -> None:
    """VCR.py records a call and plays it with the server gone, plain and streamed, and leaves the key out as it is told."""
    cassette = str(tmp_path / "call.yaml")
    options: Any = {"filter_headers": ["authorization"]}

    async def ask(url: str) -> str:
        async with client(url) as made:
            if not is_streamed:
                return (await made.complete("hi", model="fake:small")).text
            async with made.stream("hi", model="fake:small") as answered:
                return (await answered.outcome()).text

    async with serve((stream if is_streamed else answer)("recorded")) as server:
        with vcr.use_cassette(cassette, record_mode="once", **options):
            assert await ask(server.url) == "recorded"
        assert len(server.requests) == 1
    with vcr.use_cassette(cassette, record_mode="none", **options) as played:
        assert await ask(server.url) == "recorded"
        assert played.play_count == 1
    assert "fake-secret" not in written(cassette)


async def test_a_blocked_network_stops_it(serve: Any) -> None:
    """pytest-recording's block is felt, and nothing is sent."""
    async with serve(answer("hi")) as server:
        with pytest_recording.network.blocking_context():
            async with client(server.url) as made:
                with pytest.raises(pp.PingPongError) as caught:
                    await made.complete("hi", model="fake:small")
        assert server.requests == []
    assert "Network is disabled" in repr(caught.value.__cause__)
