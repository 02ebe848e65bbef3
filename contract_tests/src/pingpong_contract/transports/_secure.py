"""TLS and proxies, as the options say and as nothing else does."""

from __future__ import annotations

import base64
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import anyio
import trustme
from pingpong import ConnectionFailed, WireRequest

from pingpong_contract.transports._failures import expect_no_secret, free_port
from pingpong_contract.transports._lab import FIRST_PIECE, OK, PLAIN_OR_STREAMED, POST, Lab
from pingpong_contract.transports._requests import environment
from pingpong_contract.transports._server import Server
from pingpong_contract.transports._steps import close, hang, tunnel
from pingpong_contract.transports._verdict import check, expect, expect_that


@lru_cache
def _authority() -> trustme.CA:
    return trustme.CA()


@lru_cache
def _context(name: str = "127.0.0.1") -> ssl.SSLContext:
    """A server's context, with a certificate for this name by an authority that nobody trusts unless told to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert(name).configure_cert(context)
    return context


@contextmanager
def _authority_file() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "ca.pem"))
        _authority().cert_pem.write_to_path(path)
        yield path


async def _is_refused(lab: Lab, server: Server, case: str, **options: object) -> None:
    async with lab.transport(**options) as transport:
        for way, is_streamed in PLAIN_OR_STREAMED:
            where = f"127.0.0.1:{server.port}"
            error = await lab.fails_as(ConnectionFailed, transport, server.url, case=f"{case}, {way}", is_streamed=is_streamed)
            expect_that(where in str(error), f"{case}, {way}", expected=f"a message with {where}", seen=str(error))
    expect(f"requests, {case}", expected=0, seen=server.n_heads)


@check("T-tls-untrusted")
async def untrusted(lab: Lab) -> None:
    """A certificate of an authority that nobody trusts, or for another name, is ConnectionFailed, and no request is sent."""
    await _is_refused(lab, lab.serve([OK], tls=_context()), "unknown authority")
    with _authority_file() as path:
        await _is_refused(lab, lab.serve([OK], tls=_context("other.test")), "another name", verify=path)
        with environment(SSL_CERT_FILE=path, SSL_CERT_DIR=str(Path(path).parent), REQUESTS_CA_BUNDLE=path):
            await _is_refused(lab, lab.serve([OK], tls=_context()), "an authority out of the environment")


@check("T-tls-trusted")
async def trusted(lab: Lab) -> None:
    """A certificate is accepted with its authority's file or context, and any one where verify is off; connections are kept."""
    server, other = lab.serve([OK], tls=_context()), lab.serve([OK], tls=_context("other.test"))
    context = ssl.create_default_context()
    _authority().configure_trust(context)
    with _authority_file() as path:
        for case, verify, target in (("file", path, server), ("context", context, server), ("off", False, other)):
            before = target.n_accepted
            async with lab.transport(verify=verify) as transport:
                for way, is_streamed in PLAIN_OR_STREAMED * 2:
                    got = await lab.call(transport, target.url, is_streamed=is_streamed)
                    expect(f"{case}, {way}", expected=b"hello", seen=got.body)
            expect(f"connections for four calls, {case}", expected=1, seen=target.n_accepted - before)
            await target.no_connection(case)


@check("T-tls-client-cert")
async def client_certificate(lab: Lab) -> None:
    """A server that asks for a certificate of ours gets the one of client_cert, and refuses a call without it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert("127.0.0.1").configure_cert(context)
    _authority().configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    server = lab.serve([OK], tls=context)
    with _authority_file() as path, tempfile.TemporaryDirectory() as folder:
        ours = str(Path(folder, "ours.pem"))
        _authority().issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(ours)
        async with lab.transport(verify=path) as transport:
            await lab.fails_as(ConnectionFailed, transport, server.url, case="without a certificate")
        expect("requests without a certificate", expected=0, seen=server.n_heads)
        async with lab.transport(verify=path, client_cert=ours) as transport:
            expect("with it", expected=b"hello", seen=(await lab.call(transport, server.url)).body)


@check("T-tls-left")
async def left(lab: Lab) -> None:
    """Over TLS too, a stream that is left closes its connection, and a body cut short is ConnectionFailed."""
    server = lab.serve([FIRST_PIECE, hang], [FIRST_PIECE, close], [OK], tls=_context())
    async with lab.transport(verify=False, max_connections=1) as transport:
        stream = await transport.open(server.url, POST, lab.far())
        expect("first read", expected=b"one", seen=await stream.read())
        await stream.aclose()
        await server.no_connection("a stream that was left")
        await lab.fails_as(ConnectionFailed, transport, server.url, case="cut")
        await lab.still_works(transport, server.url, "after it")


@check("T-tls-frozen")
async def frozen_peer(lab: Lab) -> None:
    """A peer that no longer answers holds up neither a stream's aclose nor the transport's, though TLS has a goodbye to say."""
    server = lab.serve([FIRST_PIECE, hang], tls=_context())
    for case, is_left in (("a stream left", True), ("a stream open at aclose", False)):
        between = lab.serve(greeting=[tunnel(server.port, answer=b"", is_freezing=True)])
        with anyio.move_on_after(lab.wait_s) as scope:
            async with lab.transport(verify=False) as transport:
                stream = await transport.open(between.url.replace("http:", "https:"), POST, lab.far())
                expect("first read", expected=b"one", seen=await stream.read())
                between.release()
                await lab.turns()
                if is_left:
                    await stream.aclose()
                    await between.no_connection(case)
                await transport.aclose()
                await between.no_connection(case)
                await stream.aclose()
        expect_that(not scope.cancelled_caught, case, expected="an end", seen=f"it waits after {lab.wait_s:g} s")


@check("T-proxy-plain")
async def proxy_plain(lab: Lab) -> None:
    """A plain request goes to the options' proxy, with its whole URL, over TLS that `verify` trusts; the proxy finds the name."""
    with _authority_file() as path:
        for scheme, tls in (("http", None), ("https", _context())):
            proxy = lab.serve([OK], tls=tls)
            async with lab.transport(proxy=proxy.url, verify=path) as transport:
                for way, is_streamed in PLAIN_OR_STREAMED:
                    case, url = f"{way}, {scheme} proxy", "http://a.invalid:8080/prefix"
                    got = await lab.call(transport, url, WireRequest("POST", "/v1/x?a=%2F", {}, b"{}"), is_streamed=is_streamed)
                    expect(case, expected=b"hello", seen=got.body)
                    expect(case, expected=b"http://a.invalid:8080/prefix/v1/x?a=%2F", seen=proxy.requests[-1].target)
                    expect(f"host, {case}", expected=[b"a.invalid:8080"], seen=proxy.requests[-1].values(b"host"))


@check("T-proxy-tunnel")
async def proxy_tunnel(lab: Lab) -> None:
    """An https request goes through CONNECT; the proxy sees host and port and its own password, the server neither of them."""
    server = lab.serve([OK], tls=_context("a.invalid"))
    proxy = lab.serve([tunnel(server.port)])
    url = proxy.url.replace("//", "//canary-user:canary-pw@")
    with _authority_file() as path:
        async with lab.transport(proxy=url, verify=path) as transport:
            for way, is_streamed in PLAIN_OR_STREAMED:
                request = WireRequest("POST", "/v1/canary-path", {"x-api-key": "canary-key"}, b"{}")
                got = await lab.call(transport, "https://a.invalid:8443", request, is_streamed=is_streamed)
                expect(way, expected=b"hello", seen=got.body)
    connect = proxy.requests[0]
    expect("what the proxy sees", expected=(b"CONNECT", b"a.invalid:8443"), seen=(connect.method, connect.target))
    password = b"Basic " + base64.b64encode(b"canary-user:canary-pw")
    expect("proxy-authorization at the proxy", expected=[password], seen=connect.values(b"proxy-authorization"))
    expect("the request's key at the proxy", expected=[], seen=connect.values(b"x-api-key"))
    expect("tunnels for two calls", expected=1, seen=len(proxy.requests))
    expect("proxy-authorization at the server", expected=[], seen=server.requests[0].values(b"proxy-authorization"))
    expect("the request's key at the server", expected=[b"canary-key"], seen=server.requests[0].values(b"x-api-key"))


@check("T-proxy-broken")
async def proxy_broken(lab: Lab) -> None:
    """A proxy that is not there or refuses the tunnel is ConnectionFailed; nothing goes round it, no password is shown."""
    refusing = lab.serve([b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n"])
    server = lab.serve([OK])
    request = WireRequest("POST", "/v1/canary-path", {"x-api-key": "canary-key"}, b"{}")
    with free_port() as port:
        cases = {
            "refuses the tunnel": (refusing.url, "https://a.invalid"),
            "is not there": (f"http://127.0.0.1:{port}", server.url),
        }  # fmt: skip
        for case, (proxy, url) in cases.items():
            async with lab.transport(proxy=proxy.replace("//", "//canary-user:canary-pw@")) as transport:
                for way, is_streamed in PLAIN_OR_STREAMED:
                    where = f"a proxy that {case}, {way}"
                    error = await lab.fails_as(ConnectionFailed, transport, url, request, case=where, is_streamed=is_streamed)
                    expect_no_secret(where, error)
    await refusing.no_connection()
    expect("connections past the proxy", expected=0, seen=server.n_accepted)
