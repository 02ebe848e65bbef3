"""The simulator as a transport: in this process, without sockets, in the client's own time. On asyncio and trio."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from pingpong import Clock, ConnectionFailed, InvalidRequestError, TransportContext, WireRequest, WireResponse

from pingpong_simulator.options import options_from_table
from pingpong_simulator.replies import Piece, Reply
from pingpong_simulator.service import Service


class SimulatedStream:
    """A `WireStream` over a reply whose head has arrived."""

    def __init__(self, reply: Reply, clock: Clock, deadline_s: float) -> None:
        self._reply, self._clock, self._deadline_s = reply, clock, deadline_s
        self._pieces: Iterator[Piece] = iter(reply.pieces)
        self._is_closed = False

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Lower-case names."""
        return self._reply.headers

    async def read(self) -> bytes:
        """
        The next bytes, b"" at the end of the body.

        Raises:
            DeadlineExceeded: The deadline passed.
            ConnectionFailed: A fault broke the connection.
            InvalidRequestError: The stream is closed.
        """
        if self._is_closed:
            raise InvalidRequestError("The stream is closed; read it before closing it.")
        with self._clock.deadline(self._deadline_s):
            for piece in self._pieces:
                await self._clock.sleep(piece.after_s)
                if piece.data:
                    return piece.data
        if self._reply.is_broken:
            raise ConnectionFailed("The simulated connection broke before the body ended.")
        return b""

    async def aclose(self) -> None:
        """Nothing to close; reading is over."""
        self._is_closed = True


class SimulatorTransport:
    """A `Transport` that answers by itself."""

    def __init__(self, service: Service, clock: Clock) -> None:
        self._service, self._clock = service, clock
        self._is_closed = False

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        """The whole answer, whatever its status. Raises as `SimulatedStream.read`."""
        stream = await self.open(base_url, request, deadline_s)
        body = bytearray()
        while chunk := await stream.read():
            body += chunk
        return WireResponse(stream.status, stream.headers, bytes(body))

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> SimulatedStream:
        """The answer's head. Raises as `SimulatedStream.read`."""
        if self._is_closed:
            raise InvalidRequestError("The transport is closed; open a new one.")
        reply = self._service.reply(request, base_url)
        left_s = max(deadline_s - self._clock.monotonic_s(), 0.0)
        with self._clock.deadline(deadline_s):
            # Silence is as long as the caller's patience, and a little more.
            await self._clock.sleep(left_s + 1.0 if math.isinf(reply.after_s) else reply.after_s)
        return SimulatedStream(reply, self._clock, deadline_s)

    async def aclose(self) -> None:
        """Refuse further requests; idempotent."""
        self._is_closed = True


def make(context: TransportContext) -> SimulatorTransport:
    """
    The transport of one client.

    Raises:
        ConfigError: A wrong setting in the configuration's transport table.
    """
    options = options_from_table(context.options, models=[card.id for card in context.cards])
    service = Service(
        drivers=context.drivers,
        cards=context.cards,
        seed=context.seed if options.seed is None else options.seed,
        latency=options.latency,
        script=options.faults,
    )
    return SimulatorTransport(service, context.clock)
