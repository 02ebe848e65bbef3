"""How an answer's head and body are read, whatever their framing, and what becomes of broken ones."""

from __future__ import annotations

from attrs import evolve
from pingpong import ConnectionFailed, MalformedResponse, ResponseTooLarge, WireRequest, WireResponse

from pingpong_contract.transports._lab import CHUNKED, GET, OK, PLAIN_OR_STREAMED, POST, Lab
from pingpong_contract.transports._server import Answer
from pingpong_contract.transports._steps import close, dripped, echo, hang, reset
from pingpong_contract.transports._verdict import check, expect, expect_that

_WHOLE: dict[str, tuple[Answer, int, bytes]] = {
    "content-length": ([OK], 200, b"hello"),
    "empty": ([b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"], 200, b""),
    "EOF-delimited": ([b"HTTP/1.1 200 OK\r\n\r\nuntil the end", close], 200, b"until the end"),
    "EOF-delimited, HTTP/1.0": ([b"HTTP/1.0 200 OK\r\n\r\nuntil the end", close], 200, b"until the end"),
    "EOF-delimited and empty": ([b"HTTP/1.1 200 OK\r\n\r\n", close], 200, b""),
    "chunked": ([CHUNKED + b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"], 200, b"onetwo"),
    "chunked and empty": ([CHUNKED + b"0\r\n\r\n"], 200, b""),
    "chunk extensions": ([CHUNKED + b"5;a=1;b=\"2\"\r\nhello\r\n0;last\r\n\r\n"], 200, b"hello"),
    "trailers": ([CHUNKED + b"005\r\nhello\r\n0\r\nx-sum: 1\r\nx-other: 2\r\n\r\n"], 200, b"hello"),
    "hexadecimal in both cases": ([CHUNKED + b"a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n"], 200, b"0123456789" * 2),
    "204": ([b"HTTP/1.1 204 No Content\r\n\r\n"], 204, b""),
    "304": ([b"HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\n\r\n"], 304, b""),
    "no reason phrase": ([b"HTTP/1.1 529 \r\ncontent-length: 4\r\n\r\nbusy"], 529, b"busy"),
    "error status": ([b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\noops"], 500, b"oops"),
}  # fmt: skip


@check("T-body-framing")
async def framing(lab: Lab) -> None:
    """A body is read whole, however its end is marked, and every status is an answer."""
    async with lab.transport() as transport:
        for case, (answer, status, body) in _WHOLE.items():
            server = lab.serve(answer)
            for way, is_streamed in PLAIN_OR_STREAMED:
                got = await lab.call(transport, server.url, is_streamed=is_streamed)
                expect(f"{case}, {way}", expected=(status, body), seen=(got.status, got.body))


@check("T-body-head")
async def answer_to_head(lab: Lab) -> None:
    """An answer to HEAD has no body, whatever its content-length says, and the connection serves on."""
    server = lab.serve([b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"], [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n"], [OK])
    async with lab.transport() as transport:
        for way, is_streamed in PLAIN_OR_STREAMED:
            got = await lab.call(transport, server.url, WireRequest("HEAD", "/v1/models"), is_streamed=is_streamed)
            expect(way, expected=(200, b""), seen=(got.status, got.body))
        await lab.still_works(transport, server.url, "after two HEAD")
    expect("connections used", expected=1, seen=server.n_accepted)


@check("T-body-split")
async def split_anywhere(lab: Lab) -> None:
    """An answer is the same however the network cuts it: at any one place, or into single bytes."""
    wire = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-a: b\r\n\r\n3;e=1\r\none\r\n0a\r\n0123456789\r\n0\r\nt: u\r\n\r\n"
    answers = [[wire[:at], dripped(wire[at:], len(wire))] for at in range(1, len(wire))]
    server = lab.serve(*answers, [dripped(wire)], [dripped(wire)], [OK])
    async with lab.transport() as transport:
        for n in range(len(answers) + 2):
            got = await lab.call(transport, server.url, is_streamed=n % 2 == 0)
            expect(f"cut {n + 1}", expected=(b"one0123456789", "b"), seen=(got.body, got.headers.get("x-a")))
        await lab.still_works(transport, server.url, "after answers in pieces")


@check("T-body-large")
async def large(lab: Lab) -> None:
    """A body of 5 MB arrives unchanged, in one chunk or in thousands of one byte."""
    body = bytes(range(256)) * 20_000
    whole = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    tiny = CHUNKED + b"".join(b"1\r\n%c\r\n" % value for value in body[:5000]) + b"0\r\n\r\n"
    server = lab.serve([whole], [whole], [tiny])
    async with lab.transport() as transport:
        for way, is_streamed in PLAIN_OR_STREAMED:
            got = await lab.call(transport, server.url, is_streamed=is_streamed)
            expect_that(got.body == body, way, expected=f"{len(body)} bytes as sent", seen=f"{len(got.body)} bytes, not the same")
        for way, is_streamed in PLAIN_OR_STREAMED:
            got = await lab.call(transport, server.url, is_streamed=is_streamed)
            expect_that(got.body == body[:5000], f"{way}, 1-byte chunks", expected="5000 bytes", seen=f"{len(got.body)} bytes")


_CUT: dict[str, Answer] = {
    "content-length, closed early": [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", close],
    "content-length, nothing came": [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n", close],
    "content-length, reset": [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", reset],
    "in a chunk's size": [CHUNKED + b"3\r\nabc\r\n1", close],
    "in a chunk": [CHUNKED + b"9\r\nabc", close],
    "between chunks": [CHUNKED + b"3\r\nabc\r\n", close],
    "between chunks, reset": [CHUNKED + b"3\r\nabc\r\n", reset],
    "before the last empty line": [CHUNKED + b"3\r\nabc\r\n0\r\n", close],
    "in the trailers": [CHUNKED + b"3\r\nabc\r\n0\r\nx-sum: ", close],
    "in the head": [b"HTTP/1.1 200 OK\r\ncontent-le", close],
    "before the head": [close],
    "before the head, reset": [reset],
}


@check("T-body-cut")
async def cut(lab: Lab) -> None:
    """An answer that ends before its end is ConnectionFailed, never a shorter answer, and its connection is closed."""
    async with lab.transport() as transport:
        for case, answer in _CUT.items():
            server = lab.serve(answer)
            for way, is_streamed in PLAIN_OR_STREAMED:
                await lab.fails_as(ConnectionFailed, transport, server.url, case=f"{case}, {way}", is_streamed=is_streamed)
            await server.no_connection(case)


@check("T-body-cut-late")
async def cut_after_pieces(lab: Lab) -> None:
    """What came before a cut is given out first, then ConnectionFailed."""
    server = lab.serve([CHUNKED + b"3\r\none\r\n", close])
    async with lab.transport() as transport:
        stream = await transport.open(server.url, POST, lab.far())
        expect("first read", expected=b"one", seen=await stream.read())
        try:
            seen: object = await stream.read()
        except Exception as error:
            seen = type(error)
        expect("second read", expected=ConnectionFailed, seen=seen)
        await stream.aclose()


_MALFORMED: dict[str, bytes] = {
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "no status": b"HTTP/1.1 \r\n\r\n",
    "a status that is no number": b"HTTP/1.1 2x0 OK\r\ncontent-length: 0\r\n\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\ncanary-line\r\ncontent-length: 0\r\n\r\n",
    "a NUL in a header": b"HTTP/1.1 200 OK\r\nx: a\x00canary\r\ncontent-length: 0\r\n\r\n",
    "a content-length that is no number": b"HTTP/1.1 200 OK\r\ncontent-length: canary\r\n\r\n",
    "a negative content-length": b"HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\nhello",
    "two content-lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
    "a chunk size that is no number": CHUNKED + b"canary\r\nabc\r\n0\r\n\r\n",
    "a negative chunk size": CHUNKED + b"-3\r\nabc\r\n0\r\n\r\n",
    "an endless chunk size": CHUNKED + b"f" * 40 + b"\r\nabc",
    "a chunk longer than its size": CHUNKED + b"3\r\nabcdef\r\n0\r\n\r\n",
}  # fmt: skip


@check("T-head-malformed")
async def malformed(lab: Lab) -> None:
    """What is not HTTP ends as a typed error that does not repeat it, and the connection is closed."""
    async with lab.transport() as transport:
        for case, answer in _MALFORMED.items():
            server = lab.serve([answer, hang])
            for way, is_streamed in PLAIN_OR_STREAMED:
                kinds = (ConnectionFailed, MalformedResponse, ResponseTooLarge)
                error = await lab.fails_as(kinds, transport, server.url, GET, case=f"{case}, {way}", is_streamed=is_streamed)
                expect_that("canary" not in str(error), f"{case}, {way}", expected="no word of the server's", seen=str(error))
            await server.no_connection(case)


@check("T-head-interim")
async def interim(lab: Lab) -> None:
    """Interim answers (100, 103) are passed over, and the final one is the answer."""
    before = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    server = lab.serve([before + OK], [before, OK], [dripped(before + OK)], [OK])
    async with lab.transport() as transport:
        for n in range(4):
            got = await lab.call(transport, server.url, is_streamed=n % 2 == 1)
            expect(f"answer {n + 1}", expected=(200, b"hello", None), seen=(got.status, got.body, got.headers.get("link")))


@check("T-head-upgrade")
async def upgrade(lab: Lab) -> None:
    """An upgrade that nobody asked for (101) is an answer or a typed error, and its connection is not used again."""
    server = lab.serve([b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", close], [OK])
    async with lab.transport(max_connections=1) as transport:
        try:
            got = await lab.call(transport, server.url)
            expect("status", expected=101, seen=got.status)
        except ConnectionFailed:
            pass
        await lab.still_works(transport, server.url, "after an upgrade")


@check("T-answer-own")
async def own_answers(lab: Lab) -> None:
    """Of many calls at a time each gets its own answer."""
    server = lab.serve([echo])
    async with lab.transport(max_connections=7) as transport:

        async def call(n: int) -> WireResponse:
            return await lab.call(transport, server.url, evolve(POST, body=b"call %d" % n), is_streamed=n % 2 == 0)

        async with lab.many(60, call) as calls:
            for n, one in enumerate(calls):
                expect(f"call {n}", expected=b"call %d" % n, seen=await one.body())


@check("T-head-values")
async def header_values(lab: Lab) -> None:
    """Header names are lower-case, values latin-1 without the space around them, and repeated ones joined by a comma."""
    lines = b"X-Id: a\r\nX-NAME:  caf\xe9 au lait \t\r\nx-empty:\r\nx-id: b\r\nX-iD: c\r\n"
    answer = b"HTTP/1.1 200 OK\r\n" + lines + b"content-length: 0\r\n\r\n"
    server = lab.serve([answer])
    async with lab.transport() as transport:
        for way, is_streamed in PLAIN_OR_STREAMED:
            got = dict((await lab.call(transport, server.url, is_streamed=is_streamed)).headers)
            wanted = {"x-id": "a, b, c", "x-name": "caf\u00e9 au lait", "x-empty": "", "content-length": "0"}
            expect(way, expected=wanted, seen=got)


@check("T-redirect-given")
async def redirects(lab: Lab) -> None:
    """A redirect is an answer: it is given out with its location and not followed."""
    elsewhere = lab.serve([OK])
    async with lab.transport() as transport:
        for status in (301, 302, 303, 307, 308):
            location = f"{elsewhere.url}/stolen".encode()
            server = lab.serve([b"HTTP/1.1 %d Moved\r\nlocation: %b\r\ncontent-length: 2\r\n\r\nno" % (status, location)])
            for way, is_streamed in PLAIN_OR_STREAMED:
                for request in (GET, POST):
                    got = await lab.call(transport, server.url, request, is_streamed=is_streamed)
                    seen = (got.status, got.headers.get("location"), got.body)
                    expect(f"{request.method}, {way}", expected=(status, location.decode(), b"no"), seen=seen)
            expect(f"requests that a {status} cost", expected=4, seen=len(server.requests))
    expect("connections to the other server", expected=0, seen=elsewhere.n_accepted)
