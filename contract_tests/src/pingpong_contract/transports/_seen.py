"""What watches a test's network sees the transport: cassettes record and replay it, and a block stops it."""

from __future__ import annotations

import tempfile
import traceback
from pathlib import Path

from pingpong import WireResponse

from pingpong_contract.transports._lab import CHUNKED, OK, PLAIN_OR_STREAMED, POST, Lab
from pingpong_contract.transports._verdict import Broken, check, expect, expect_that


@check("T-seen-cassette")
async def cassette(lab: Lab) -> None:
    """VCR records a call, plain and streamed, and plays it back with the server gone."""
    import vcr  # type: ignore[import-untyped]  # shipped without types

    answers = {
        "plain": [OK.replace(b"\r\n\r\n", b"\r\nx-a: b\r\n\r\n")],
        "streamed": [CHUNKED + b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"],
    }
    with tempfile.TemporaryDirectory() as folder:
        for way, is_streamed in PLAIN_OR_STREAMED:
            server = lab.serve(answers[way])
            path, got = str(Path(folder, f"{way}.yaml")), []
            for mode in ("once", "none"):
                async with lab.transport() as transport:
                    with vcr.use_cassette(path, record_mode=mode):
                        got.append(await lab.call(transport, server.url, POST, is_streamed=is_streamed))
                lab.servers.stop_listening()
            seen = [(answer.status, answer.body, answer.headers.get("x-a")) for answer in got]
            expect(f"{way}: recorded, played back", expected=[(200, b"hello", "b" if way == "plain" else None)] * 2, seen=seen)
            expect(f"{way}: requests at the server", expected=1, seen=server.n_heads)


@check("T-seen-block")
async def block(lab: Lab) -> None:
    """Where pytest-recording blocks the network, a call fails and reaches nobody."""
    from pytest_recording.network import blocking_context

    server = lab.serve([OK])
    async with lab.transport() as transport:
        for way, is_streamed in PLAIN_OR_STREAMED:
            got: WireResponse | None = None
            try:
                with blocking_context():
                    got = await lab.call(transport, server.url, is_streamed=is_streamed)
            except Exception as exc:  # the block's own error, alone or in a group, or one of ours
                seen = "".join(traceback.format_exception(exc))
                expect_that("Network is disabled" in seen, way, expected="the block's error, or it as the cause", seen=repr(exc))
            if got is not None:
                raise Broken(way, expected="an error", seen=f"status {got.status}")
        expect("connections", expected=0, seen=server.n_accepted)
        await lab.still_works(transport, server.url, "after the block")
