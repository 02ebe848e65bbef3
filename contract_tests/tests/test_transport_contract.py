"""The transports that the kernel brings, held to the contract."""

from __future__ import annotations

from pingpong import HttpxTransport
from pingpong_contract.transports import for_transport

LEFT_OUT = {
    "T-reuse-surplus": "h11 keeps what came after an answer for the next one, and httpcore has no way to look at it",
    "T-error-echo": "the causes are httpcore's errors, which quote what a server sent that is no HTTP",
}

TestOwnClient = for_transport(lambda clock, options: HttpxTransport(clock=clock, options=options), left_out=LEFT_OUT)
