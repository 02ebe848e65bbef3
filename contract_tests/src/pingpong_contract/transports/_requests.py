"""What goes out: the request as it was given, and nothing that nobody asked for."""

from __future__ import annotations

import os
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve
from pingpong import InvalidRequestError, WireRequest

from pingpong_contract.transports._lab import GET, OK, PLAIN_OR_STREAMED, POST, Lab
from pingpong_contract.transports._verdict import check, expect, expect_that

_TARGET = "/v1/a%2Fb/gen%65rate:now;p=1/~x_y-z?key=%2Bx+y&b=%7E&a;b=%C3%A9&q='(*)!,$@:/?&empty=&flag"
_OWN_HEADERS = frozenset({b"host", b"content-length", b"accept-encoding", b"connection", b"accept", b"user-agent"})
"""What HTTP or its libraries add to a request."""


@check("T-request-bytes")
async def bytes_as_given(lab: Lab) -> None:
    """Method, target, headers and body arrive byte for byte, below the base URL's path; only what HTTP needs is added."""
    headers = {"content-type": 'application/x; a="b"', "x-api-key": "sk-A/b+c==", "user-agent": "mine/1", "accept": "text/x"}
    server = lab.serve([OK])
    async with lab.transport() as transport:
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            for _, is_streamed in PLAIN_OR_STREAMED:
                request = WireRequest(method, _TARGET, headers, b"\x00\xff\r\n\r\n{}")
                await lab.call(transport, f"{server.url}/prefix%2F", request, is_streamed=is_streamed)
                got = server.requests[-1]
                expect("request line", expected=(method, f"/prefix%2F{_TARGET}"), seen=(got.method.decode(), got.target.decode()))
                expect(f"body of {method}", expected=request.body, seen=got.body)
                for name, value in headers.items():
                    expect(name, expected=[value.encode()], seen=got.values(name.encode()))
                expect("host", expected=[f"127.0.0.1:{server.port}".encode()], seen=got.values(b"host"))
                expect("content-length", expected=[b"%d" % len(request.body)], seen=got.values(b"content-length"))
                added = {name.lower() for name, _ in got.headers} - {name.encode() for name in headers} - _OWN_HEADERS
                expect("headers that nobody asked for", expected=set(), seen=added)


@check("T-request-empty")
async def empty_body(lab: Lab) -> None:
    """A POST without a body says content-length: 0, and a GET has no body at all."""
    server = lab.serve([OK])
    async with lab.transport() as transport:
        await lab.call(transport, server.url, WireRequest("POST", "/v1/empty"))
        await lab.call(transport, server.url, GET)
    post, get = server.requests
    expect("POST", expected=([b"0"], b""), seen=(post.values(b"content-length"), post.body))
    expect_that(get.values(b"content-length") in ([], [b"0"]), "GET", expected="none, or 0", seen=get.values(b"content-length"))
    expect("GET's transfer-encoding", expected=[], seen=get.values(b"transfer-encoding"))


@check("T-request-large")
async def large_body(lab: Lab) -> None:
    """A body of 5 MB arrives unchanged."""
    request = WireRequest("POST", "/v1/files", {"content-type": "application/octet-stream"}, bytes(range(256)) * 20_000)
    server = lab.serve([OK])
    async with lab.transport() as transport:
        for way, is_streamed in PLAIN_OR_STREAMED:
            await lab.call(transport, server.url, request, is_streamed=is_streamed)
            same = server.requests[-1].body == request.body
            expect_that(same, way, expected="the bytes as given", seen=f"{len(server.requests[-1].body)} others")


@check("T-request-no-cookies")
async def cookies(lab: Lab) -> None:
    """What one answer sets as a cookie does not go out with another call: it may be another tenant's."""
    server = lab.serve([b"HTTP/1.1 200 OK\r\nset-cookie: who=canary; path=/\r\nset-cookie: b=c\r\ncontent-length: 0\r\n\r\n"])
    async with lab.transport() as transport:
        for _, is_streamed in PLAIN_OR_STREAMED * 2:
            await lab.call(transport, server.url, is_streamed=is_streamed)
    expect("cookie headers", expected=[], seen=[value for got in server.requests for value in got.values(b"cookie")])


_UNSENDABLE: dict[str, WireRequest] = {
    "a newline in a value": evolve(POST, headers={"authorization": "Bearer canary\nx-evil: 1"}),
    "a carriage return in a value": evolve(POST, headers={"authorization": "Bearer canary\r"}),
    "a NUL in a value": evolve(POST, headers={"authorization": "Bearer canary\x00"}),
    "a value that is not ASCII": evolve(POST, headers={"authorization": "Bearer canary\u2026"}),
    "a newline in a name": evolve(POST, headers={"x-a\nx-canary": "1"}),
    "a space in a name": evolve(POST, headers={"x canary": "1"}),
    "a newline in the target": evolve(POST, target="/v1/canary\r\nx-evil: 1"),
    "a newline in the method": evolve(POST, method="POST /canary HTTP/1.1\r\nx:"),
}


@check("T-request-refused")
async def refused(lab: Lab) -> None:
    """A header, target, method or address that HTTP forbids is the caller's error, is not sent, and is not repeated."""
    server = lab.serve([OK])
    urls = {"another scheme": "gopher://canary.invalid", "a port that is no number": "http://canary:port", "no address": ""}
    cases = [(case, server.url, request) for case, request in _UNSENDABLE.items()]
    cases += [(case, url, evolve(POST, headers={"authorization": "Bearer canary"})) for case, url in urls.items()]
    async with lab.transport() as transport:
        for case, url, request in cases:
            for way, is_streamed in PLAIN_OR_STREAMED:
                where = f"{case}, {way}"
                error = await lab.fails_as(InvalidRequestError, transport, url, request, case=where, is_streamed=is_streamed)
                shown = "".join(traceback.format_exception(error)) + repr(error)
                expect_that("canary" not in shown, where, expected="no word of the request", seen=shown[-300:])
        expect("requests sent", expected=0, seen=server.n_heads)
        await lab.still_works(transport, server.url, "after what was refused")


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Set variables, in both cases of letters, and put back what there was."""
    both = variables | {name.lower(): value for name, value in variables.items()}
    before = {name: os.environ.get(name) for name in both}
    os.environ.update(both)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _netrc() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "netrc")
        path.write_text("machine 127.0.0.1 login me password canary\n", encoding="utf-8")
        path.chmod(0o600)
        yield str(path)


@check("T-environment-unused")
async def environment_unused(lab: Lab) -> None:
    """Proxies and passwords come from the options alone: HTTP_PROXY, NO_PROXY and a netrc file change nothing."""
    proxy, server = lab.serve([b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nstolen"]), lab.serve([OK])
    names = {"HTTP_PROXY": proxy.url, "HTTPS_PROXY": proxy.url, "ALL_PROXY": proxy.url, "NO_PROXY": ""}
    with _netrc() as path, environment(NETRC=path, **names):
        async with lab.transport() as transport:
            for way, is_streamed in PLAIN_OR_STREAMED:
                got = await lab.call(transport, server.url, is_streamed=is_streamed)
                expect(way, expected=b"hello", seen=got.body)
    expect("connections to the environment's proxy", expected=0, seen=proxy.n_accepted)
    expect("passwords sent", expected=[], seen=[value for got in server.requests for value in got.values(b"authorization")])
