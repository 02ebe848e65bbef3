"""How the transport types: checked by mypy, never run."""

from pingpong import Clock, Transport, TransportContext, TransportOptions, TransportRecord
from pingpong_aiohttp import plugin, transport


def the_factory_gives_a_transport(context: TransportContext) -> Transport:
    return transport.make(context)


def it_can_be_handed_to_a_client(clock: Clock) -> Transport:
    return transport.AiohttpTransport(clock=clock, options=TransportOptions(max_connections=10))


def the_hook_gives_records() -> list[TransportRecord]:
    return plugin.pingpong_transports()
