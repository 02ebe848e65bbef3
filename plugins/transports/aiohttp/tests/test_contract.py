"""The contract of every transport, kept by this one."""

from __future__ import annotations

from pingpong_aiohttp.transport import AiohttpTransport
from pingpong_contract.transports import for_transport

TestContract = for_transport(lambda clock, options: AiohttpTransport(clock=clock, options=options), backends=("asyncio",))
