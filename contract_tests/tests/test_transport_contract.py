"""The transports that the kernel brings, held to the contract: over its own client, and over a host's."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import httpx
import httpx2
from attrs import frozen
from pingpong import Clock, HttpxTransport, Transport, TransportOptions, WireRequest, WireResponse, WireStream
from pingpong_contract.transports import for_transport

LEFT_OUT = {"T-reuse-surplus": "h11 keeps what came after an answer for the next one, and httpcore has no way to look at it"}

_BY_HOST = "proxy and certificates are those of the host's client, not of the options"
HOSTS = dict.fromkeys(
    ("T-tls-trusted", "T-tls-client-cert", "T-tls-left", "T-tls-frozen", "T-proxy-plain", "T-proxy-tunnel", "T-proxy-broken"),
    _BY_HOST,
) | {"T-request-no-cookies": "a host's client keeps cookies where the host lets it, and sends them with every call"}


@frozen
class WithHost:
    """A host with a transport on its own client, which it closes afterwards."""

    transport: HttpxTransport
    client: Any

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        """As the transport."""
        return await self.transport.send(base_url, request, deadline_s)

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> WireStream:
        """As the transport."""
        return await self.transport.open(base_url, request, deadline_s)

    async def aclose(self) -> None:
        """The transport, then the client."""
        await self.transport.aclose()
        await self.client.aclose()


def on_host(library: ModuleType) -> Callable[[Clock, TransportOptions], Transport]:
    """Makes transports over a client of httpx or httpx2, configured as a careful host does."""

    def make(clock: Clock, options: TransportOptions) -> Transport:
        client = library.AsyncClient(trust_env=False)
        return WithHost(HttpxTransport(client, clock=clock, options=options), client)

    return make


TestOwnClient = for_transport(lambda clock, options: HttpxTransport(clock=clock, options=options), left_out=LEFT_OUT)
TestHttpxOfHost = for_transport(on_host(httpx), left_out=LEFT_OUT | HOSTS)
TestHttpx2OfHost = for_transport(on_host(httpx2), left_out=LEFT_OUT | HOSTS)
