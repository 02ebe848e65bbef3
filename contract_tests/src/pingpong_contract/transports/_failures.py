"""The network's failures as typed errors, which name host and port and nothing else of the request."""

from __future__ import annotations

import socket
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from pingpong import ConnectionFailed, PingPongError, WireRequest

from pingpong_contract.transports._lab import CHUNKED, OK, PLAIN_OR_STREAMED, Lab
from pingpong_contract.transports._server import Answer
from pingpong_contract.transports._steps import close, dripped, hang, reset
from pingpong_contract.transports._verdict import check, expect, expect_that


@contextmanager
def free_port() -> Iterator[int]:
    """A port that nobody listens on while it is held."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@check("T-error-refused")
async def connection_refused(lab: Lab) -> None:
    """A refused connection is a retryable ConnectionFailed that names host and port."""
    async with lab.transport(max_connections=1) as transport:
        with free_port() as port:
            for scheme in ("http", "https"):
                for way, is_streamed in PLAIN_OR_STREAMED:
                    url, case = f"{scheme}://127.0.0.1:{port}", f"{scheme}, {way}"
                    error = await lab.fails_as(ConnectionFailed, transport, url, case=case, is_streamed=is_streamed)
                    seen = (error.retryable, f"127.0.0.1:{port}" in str(error))
                    expect(f"{case}: {error}", expected=(True, True), seen=seen)


@check("T-error-name")
async def unknown_name(lab: Lab) -> None:
    """A name that does not exist is a retryable ConnectionFailed that names host and port."""
    async with lab.transport(max_connections=1) as transport:
        for url, where in (("https://a.invalid/v1", "a.invalid:443"), ("http://a.invalid:8080", "a.invalid:8080")):
            error = await lab.fails_as(ConnectionFailed, transport, url, case=url)
            expect(f"{url}: {error}", expected=(True, True), seen=(error.retryable, where in str(error)))


@check("T-connect-name")
async def every_address(lab: Lab) -> None:
    """A name with several addresses, as localhost often is, is tried at each until one answers."""
    server = lab.serve([OK])
    async with lab.transport() as transport:
        for way, is_streamed in PLAIN_OR_STREAMED:
            got = await lab.call(transport, f"http://localhost:{server.port}", is_streamed=is_streamed)
            expect(way, expected=b"hello", seen=got.body)


@check("T-error-where")
async def names_host_and_port(lab: Lab) -> None:
    """A connection that breaks is a retryable ConnectionFailed whose message names host and port."""
    answers: dict[str, Answer] = {
        "closed": [close],
        "reset": [reset],
        "cut": [CHUNKED + b"9\r\nabc", close],
        "cut by reset": [CHUNKED + b"9\r\nabc", reset],
    }
    async with lab.transport() as transport:
        for case, answer in answers.items():
            server = lab.serve(answer)
            for way, is_streamed in PLAIN_OR_STREAMED:
                where = f"127.0.0.1:{server.port}"
                error = await lab.fails_as(
                    ConnectionFailed, transport, server.url, case=f"{case}, {way}", is_streamed=is_streamed
                )
                expect(f"{case}, {way}: {error}", expected=(True, True), seen=(error.retryable, where in str(error)))


_SECRETS = ("canary-key", "canary-path", "canary-query", "canary-body", "canary-user", "canary-pw", "canary-echo")
_SECRET = WireRequest("POST", "/v1/canary-path?key=canary-query", {"x-api-key": "canary-key"}, b'{"prompt": "canary-body"}')
_ECHO = b"canary-echo canary-key /v1/canary-path?key=canary-query canary-body"


def all_text(error: BaseException | None) -> str:
    """Everything that an error and those behind it show: printed, as repr, and in their arguments."""
    texts = []
    while error is not None:
        texts += ["".join(traceback.format_exception(error)), str(error), repr(error), repr(error.args)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(texts)


def expect_no_secret(case: str, error: PingPongError) -> None:
    """No canary is in anything that the error shows."""
    text = all_text(error)
    found = [secret for secret in _SECRETS if secret in text]
    lines = [line for line in text.splitlines() if any(secret in line for secret in found)]
    expect_that(not found, case, expected="no word of header, target, body or user", seen=f"{found} in {lines[:3]}")


@check("T-error-secrets")
async def secrets(lab: Lab) -> None:
    """No error shows a header, the target, the body or the user of the URL, nor does what is behind it."""
    answers: dict[str, Answer] = {
        "closed": [close], "reset": [reset], "cut": [CHUNKED + b"9\r\nabc", close], "no HTTP": [b"SSH-2.0\r\n\r\n", close],
        "a bad chunk": [CHUNKED + b"zz\r\nabc", close], "silent": [hang],
        "a foreign encoding": [b"HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\nx"],
        "too large": [b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n" + bytes(4000), hang],
        "a long head": [b"HTTP/1.1 200 OK\r\na: " + bytes(70_000), close],
    }  # fmt: skip
    await _show_nothing(lab, answers)
    async with lab.transport() as transport:
        with free_port() as port:
            for where in (f"http://canary-user:canary-pw@127.0.0.1:{port}", "https://canary-user:canary-pw@a.invalid"):
                expect_no_secret(where[-14:], await lab.error(transport, where, _SECRET, case=where[-14:]))


@check("T-error-echo")
async def echoes(lab: Lab) -> None:
    """What a broken server sent, which may repeat a key, is shown by no error, nor by what is behind it."""
    answers: dict[str, Answer] = {
        "no HTTP": [_ECHO + b"\r\n\r\n", close],
        "a bad header": [b"HTTP/1.1 200 OK\r\n" + _ECHO + b"\r\n\r\n", close],
        "a bad length": [b"HTTP/1.1 200 OK\r\ncontent-length: " + _ECHO + b"\r\n\r\n", close],
        "a bad chunk": [CHUNKED + _ECHO + b"\r\n" + _ECHO, close],
        "a foreign encoding": [b"HTTP/1.1 200 OK\r\ncontent-encoding: canary-echo\r\ncontent-length: 1\r\n\r\nx"],
        "bad gzip": [b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(_ECHO) + _ECHO],
        "too large": [b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n", dripped(_ECHO * 40, 5000), hang],
        "a long head": [b"HTTP/1.1 200 OK\r\na: " + _ECHO * 3000 + b"\r\ncontent-length: 9\r\n\r\n", close],
    }
    await _show_nothing(lab, answers)
    greeting = lab.serve([close], greeting=[b"220 mail " + _ECHO + b"\r\n", hang])
    async with lab.transport() as transport:
        url = greeting.url.replace("http:", "https:")
        expect_no_secret("no TLS", await lab.error(transport, url, _SECRET, case="no TLS"))
        await greeting.no_connection("after a server that speaks no TLS")
    refusing = lab.serve([b"HTTP/1.1 407 canary-echo\r\ncontent-length: 0\r\n\r\n"])
    async with lab.transport(proxy=refusing.url) as transport:
        expect_no_secret("a proxy", await lab.error(transport, "https://a.invalid", _SECRET, case="a proxy"))


async def _show_nothing(lab: Lab, answers: dict[str, Answer]) -> None:
    async with lab.transport(max_response_bytes=2000, idle_timeout_s=0.1) as transport:
        for case, answer in answers.items():
            server = lab.serve(answer)
            url = server.url.replace("//", "//canary-user:canary-pw@")
            for way, is_streamed in PLAIN_OR_STREAMED:
                deadline_s = lab.clock.monotonic_s() + (5 if case != "silent" or is_streamed else 0.1)
                where = f"{case}, {way}"
                error = await lab.error(transport, url, _SECRET, case=where, is_streamed=is_streamed, deadline_s=deadline_s)
                expect_no_secret(where, error)
