"""The HTTP server's own edges."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest
from pingpong_simulator import http as simulator_http


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
