"""The HTTP server's own edges."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections.abc import Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import pytest
from pingpong_simulator import http as simulator_http
from pingpong_simulator.service import Service


def _connection(url: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)


def test_listens_on_loopback_only(url: str) -> None:
    """The address is 127.0.0.1, whatever the machine's interfaces."""
    assert urlsplit(url).hostname == "127.0.0.1"


def test_a_body_too_large_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body beyond the cap is read over, not kept, and answered with 413; the connection serves on."""
    monkeypatch.setattr(simulator_http, "MAX_BODY_BYTES", 1000)
    connection = _connection(url)
    connection.request("POST", "/v1/messages", b"x" * 5000)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (413, b"The body is too large.")
    connection.request("GET", "/v1/models")
    listed = connection.getresponse()
    assert listed.status == 200
    assert b"gpt-5.4-mini" in listed.read()
    connection.close()


def test_plain_answers_say_their_length(url: str) -> None:
    """A whole body has a content-length; query and path are kept apart."""
    connection = _connection(url)
    connection.request("POST", "/v1/nothing?key=invalid", b"{}")
    answer = connection.getresponse()
    assert (answer.status, int(answer.headers["content-length"])) == (404, len(answer.read()))
    connection.close()


def test_waits_as_the_reply_says(make_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch) -> None:
    """The head waits for the first token, and every piece of a stream for its tokens."""
    naps: list[float] = []

    async def nap(seconds: float) -> None:
        naps.append(seconds)

    monkeypatch.setattr("pingpong_simulator.http.asyncio.sleep", nap)
    body = {"model": "claude-haiku-4-5", "max_tokens": 100, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    scope = {"type": "http", "method": "POST", "path": "/v1/messages", "query_string": b"", "headers": []}
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": json.dumps(body).encode(), "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(simulator_http.Application(make_service(latency=1.0))(scope, receive, send))
    assert sent[0]["status"] == 200
    assert 0.06 < naps[0] < 0.4
    assert len(naps) == len(sent) - 1
    assert sum(naps[1:]) > 0.1
