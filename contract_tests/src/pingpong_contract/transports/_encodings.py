"""Content encodings: what is asked for, what is undone, and what is refused."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

from pingpong import ConnectionFailed, MalformedResponse, ResponseTooLarge

from pingpong_contract.transports._lab import CHUNKED, PLAIN_OR_STREAMED, POST, Lab
from pingpong_contract.transports._server import Answer
from pingpong_contract.transports._steps import held
from pingpong_contract.transports._verdict import check, expect, expect_that

if TYPE_CHECKING or sys.version_info < (3, 14):
    from backports import zstd
else:
    from compression import zstd

_TEXT = bytes(range(256)) * 40
_PACKERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstd.compress}


def _answer(encoding: str, body: bytes, size: int | None = None) -> Answer:
    """A body in chunks of `size` bytes, by default in one piece with its length."""
    head = f"HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\n".encode()
    if size is None:
        return [head + b"content-length: %d\r\n\r\n" % len(body) + body]
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
    return [head + b"transfer-encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"]


async def _decodes(lab: Lab, encoding: str, bodies: dict[str, tuple[bytes, bytes]]) -> None:
    async with lab.transport() as transport:
        for case, (packed, text) in bodies.items():
            for size in (None, 1, 7):
                server = lab.serve(_answer(encoding, packed, size))
                for way, is_streamed in PLAIN_OR_STREAMED:
                    got = (await lab.call(transport, server.url, is_streamed=is_streamed)).body
                    where = f"{case}, {'one piece' if size is None else f'chunks of {size}'}, {way}"
                    expect_that(got == text, where, expected=f"the {len(text)} bytes as packed", seen=f"{len(got)} bytes")


def _bodies(pack: Callable[[bytes], bytes]) -> dict[str, tuple[bytes, bytes]]:
    return {
        "one member": (pack(_TEXT), _TEXT),
        "several members": (pack(b"one") + pack(b"") + pack(_TEXT), b"one" + _TEXT),
        "nothing in it": (pack(b""), b""),
        "no byte at all": (b"", b""),
    }


@check("T-gzip-decoded")
async def gzip_decoded(lab: Lab) -> None:
    """A gzip body is undone, whatever its chunks and the case of its name, x-gzip too, of several members, or of no byte."""
    await _decodes(lab, "gzip", _bodies(gzip.compress))
    await _decodes(lab, "x-gzip", {"x-gzip": (gzip.compress(_TEXT), _TEXT)})
    await _decodes(lab, "GZip", {"capitals": (gzip.compress(_TEXT), _TEXT)})
    server = lab.serve([b"HTTP/1.1 204 No Content\r\ncontent-encoding: gzip\r\n\r\n"])
    async with lab.transport() as transport:
        for way, is_streamed in PLAIN_OR_STREAMED:
            expect(f"204, {way}", expected=b"", seen=(await lab.call(transport, server.url, is_streamed=is_streamed)).body)


@check("T-zstd-decoded")
async def zstd_decoded(lab: Lab) -> None:
    """A zstd body is undone, whatever its chunks and with any number of frames."""
    await _decodes(lab, "zstd", _bodies(zstd.compress))


@check("T-encoding-asked")
async def asked_for(lab: Lab) -> None:
    """A plain call asks for gzip and zstd at most, a stream for no encoding: proxies hold a compressed stream back."""
    server = lab.serve([b"HTTP/1.1 204 No Content\r\n\r\n"])
    async with lab.transport() as transport:
        for _, is_streamed in PLAIN_OR_STREAMED:
            await lab.call(transport, server.url, is_streamed=is_streamed)
    asked = [b",".join(request.values(b"accept-encoding")).decode() for request in server.requests]
    names = {name.partition(";")[0].strip() for name in asked[0].split(",")}
    expect_that(names <= {"gzip", "zstd"}, "plain", expected="gzip and zstd at most", seen=asked[0])
    expect("streamed", expected="identity", seen=asked[1])


@check("T-encoding-flows")
async def flows(lab: Lab) -> None:
    """A stream that comes encoded all the same gives out what was flushed before the rest comes, and no empty piece."""
    gzipper, zipper = zlib.compressobj(wbits=31), zstd.ZstdCompressor()
    first, last = gzipper.compress(b"one") + gzipper.flush(zlib.Z_SYNC_FLUSH), gzipper.compress(b"two") + gzipper.flush()
    packed = {"gzip": (first, last)}
    first = zipper.compress(b"one") + zipper.flush(zipper.FLUSH_BLOCK)
    packed["zstd"] = (first, zipper.compress(b"two") + zipper.flush())
    async with lab.transport() as transport:
        for encoding, parts in packed.items():
            chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in parts]
            head = CHUNKED.replace(b"\r\n\r\n", f"\r\ncontent-encoding: {encoding}\r\n\r\n".encode())
            server = lab.serve([head, chunks[0], held, chunks[1] + b"0\r\n\r\n"])
            stream = await transport.open(server.url, POST, lab.far())
            expect(f"{encoding}, before the rest", expected=b"one", seen=await stream.read())
            server.release()
            expect(f"{encoding}, the rest", expected=[b"two", b""], seen=[await stream.read(), await stream.read()])
            await stream.aclose()


@check("T-encoding-cut")
async def cut(lab: Lab) -> None:
    """An encoded body that ends before its encoding does is ConnectionFailed, though the framing is whole."""
    async with lab.transport() as transport:
        for encoding, pack in _PACKERS.items():
            packed = pack(_TEXT)
            for n_bytes in (1, 3, len(packed) // 2, len(packed) - 1):
                server = lab.serve(_answer(encoding, packed[:n_bytes]))
                for way, is_streamed in PLAIN_OR_STREAMED:
                    case = f"{encoding}, {n_bytes} of {len(packed)} bytes, {way}"
                    await lab.fails_as(ConnectionFailed, transport, server.url, case=case, is_streamed=is_streamed)


@check("T-encoding-corrupt")
async def corrupt(lab: Lab) -> None:
    """A body that is not what its content-encoding says, or has one that was not asked for, is MalformedResponse."""
    flipped = bytearray(gzip.compress(_TEXT))
    flipped[-6] ^= 255
    summed = bytearray(zstd.compress(_TEXT, options={zstd.CompressionParameter.checksum_flag: 1}))
    summed[-2] ^= 255
    answers = {
        "gzip that is none": _answer("gzip", b"this is no gzip at all"),
        "zstd that is none": _answer("zstd", b"this is no zstd at all"),
        "gzip with a wrong checksum": _answer("gzip", bytes(flipped)),
        "zstd with a wrong checksum": _answer("zstd", bytes(summed)),
        "gzip, then garbage": _answer("gzip", gzip.compress(_TEXT) + b"garbage"),
        "br": _answer("br", b"x"),
        "gzip twice": _answer("gzip, gzip", gzip.compress(gzip.compress(b"x"))),
        "zstd with a window over 8 MB": _answer("zstd", _wide_zstd()),
    }
    async with lab.transport() as transport:
        for case, answer in answers.items():
            server = lab.serve(answer)
            for way, is_streamed in PLAIN_OR_STREAMED:
                await lab.fails_as(MalformedResponse, transport, server.url, case=f"{case}, {way}", is_streamed=is_streamed)


def _wide_zstd() -> bytes:
    """A frame whose header asks the reader for a window of 128 MB; RFC 9659 lets HTTP have 8 MB."""
    window_log = 27
    empty_last_block = b"\x01\x00\x00"
    return b"\x28\xb5\x2f\xfd" + b"\x00" + bytes([(window_log - 10) << 3]) + empty_last_block


@lru_cache
def _bomb(encoding: str) -> bytes:
    size = 32 * 1024 * 1024
    return gzip.compress(bytes(size), 1) if encoding == "gzip" else zstd.compress(bytes(size), 1)


@check("T-encoding-bomb")
async def bomb(lab: Lab) -> None:
    """A small body that would swell to 32 MB ends as ResponseTooLarge before that memory is taken."""
    async with lab.transport(max_response_bytes=2000) as transport:
        for encoding, pack in _PACKERS.items():
            many = b"".join([pack(bytes(1500))] * 200)
            for name, body, size in (("one member", _bomb(encoding), None), ("many members", many, 50)):
                server = lab.serve(_answer(encoding, body, size))
                for way, is_streamed in PLAIN_OR_STREAMED:
                    case = f"{encoding}, {name}, {way}"
                    tracemalloc.start()
                    try:
                        await lab.fails_as(ResponseTooLarge, transport, server.url, case=case, is_streamed=is_streamed)
                        _, peak_bytes = tracemalloc.get_traced_memory()
                    finally:
                        tracemalloc.stop()
                    expect_that(peak_bytes < 4_000_000, case, expected="under 4 MB taken", seen=f"{peak_bytes} bytes")
            server = lab.serve(_answer(encoding, pack(bytes(2000))))
            expect(f"{encoding}, exactly the cap", expected=bytes(2000), seen=(await lab.call(transport, server.url)).body)
