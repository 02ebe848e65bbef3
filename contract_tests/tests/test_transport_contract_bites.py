"""The contract of transports proves itself: each broken transport here is caught by the check that is there for it."""

from __future__ import annotations

import gc
import re
import socket
from collections.abc import Callable, Mapping
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from attrs import evolve, field, frozen
from pingpong import (
    Clock,
    ConnectionFailed,
    DeadlineExceeded,
    HttpxTransport,
    InvalidRequestError,
    PingPongError,
    ResponseTooLarge,
    Transport,
    TransportOptions,
    WireRequest,
    WireResponse,
    WireStream,
)
from pingpong_contract.transports import CHECKS, Maker, for_transport, run_check


@frozen
class Stream:
    """A good stream; the broken ones differ in one method."""

    good: WireStream

    @property
    def status(self) -> int:
        return self.good.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self.good.headers

    async def read(self) -> bytes:
        return await self.good.read()

    async def aclose(self) -> None:
        await self.good.aclose()


@frozen
class Sound:
    """A good transport; the broken ones differ in one method."""

    good: Transport

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        return await self.good.send(base_url, request, deadline_s)

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> WireStream:
        return await self.good.open(base_url, request, deadline_s)

    async def aclose(self) -> None:
        await self.good.aclose()


class FollowsRedirects(Sound):
    """Goes where a redirect points."""

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        answer = await self.good.send(base_url, request, deadline_s)
        location = answer.headers.get("location")
        return answer if location is None else await self.good.send(location, evolve(request, target=""), deadline_s)


class Patient(Sound):
    """Knows no deadline."""

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        return await self.good.send(base_url, request, float("inf"))


class LooksAtTheClockLate(Sound):
    """Looks at the deadline when the answer is there."""

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        await self.good.send(base_url, request, float("inf"))
        raise DeadlineExceeded("late")


class SwallowsCuts(Sound):
    """Takes a body that was cut for the whole of it."""

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        stream, pieces = await self.good.open(base_url, request, deadline_s), []
        try:
            while piece := await stream.read():
                pieces.append(piece)
        except ConnectionFailed:
            pass
        finally:
            await stream.aclose()
        return WireResponse(stream.status, stream.headers, b"".join(pieces))


class EndsWhereItBreaks(Sound):
    """Its streams say that they ended, once they have failed."""

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> WireStream:
        class Ends(Stream):
            async def read(self) -> bytes:
                try:
                    return await self.good.read()
                except InvalidRequestError:
                    return b""

        return Ends(await self.good.open(base_url, request, deadline_s))


class TriesAgain(Sound):
    """Sends a request again when its connection broke."""

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        try:
            return await self.good.send(base_url, request, deadline_s)
        except ConnectionFailed:
            return await self.good.send(base_url, request, deadline_s)


class SaysTheKey(Sound):
    """Puts the request's headers into its errors."""

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        try:
            return await self.good.send(base_url, request, deadline_s)
        except PingPongError as exc:
            exc.args = (f"{exc.message} The headers were {dict(request.headers)}.",)
            raise


class Hoards(Sound):
    """Its streams keep their connection when they are left."""

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> WireStream:
        class Kept(Stream):
            async def aclose(self) -> None:
                pass

        return Kept(await self.good.open(base_url, request, deadline_s))


class Unshielded(Sound):
    """Its streams wait before they close, and so do not close in a cancelled task."""

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> WireStream:
        class Waits(Stream):
            async def aclose(self) -> None:
                await anyio.lowlevel.checkpoint()
                await self.good.aclose()

        return Waits(await self.good.open(base_url, request, deadline_s))


@frozen
class LosesSlots(Sound):
    """A cancelled call keeps its slot."""

    slots: anyio.Semaphore

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        await self.slots.acquire()
        answer = await self.good.send(base_url, request, deadline_s)
        self.slots.release()
        return answer


@frozen
class KeepsCookies(Sound):
    """Sends every cookie back."""

    jar: dict[str, str] = field(factory=dict)

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        answer = await self.good.send(base_url, evolve(request, headers={**request.headers, **self.jar}), deadline_s)
        self.jar["cookie"] = answer.headers.get("set-cookie", "")
        return answer


class KeepsCapitals(Sound):
    """Gives header names as it likes them."""

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        answer = await self.good.send(base_url, request, deadline_s)
        return evolve(answer, headers={name.title(): value for name, value in answer.headers.items()})


class CountsAfterwards(Sound):
    """Looks at the size of a body when it has all of it."""

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        answer = await self.good.send(base_url, request, deadline_s)
        if len(answer.body) > 2000:
            raise ResponseTooLarge("too large")
        return answer


class Outlives(Sound):
    """Serves on after aclose."""

    async def aclose(self) -> None:
        pass


class RaisesItsOwn(Sound):
    """Lets the errors of its HTTP library through."""

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        try:
            return await self.good.send(base_url, request, deadline_s)
        except ConnectionFailed as exc:
            raise httpx.ReadError("raw") from exc


@frozen
class LeavesSockets(Sound):
    """Opens a socket with each call and leaves it to the garbage collector."""

    sockets: list[socket.socket] = field(factory=list)

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        self.sockets.append(socket.socket())
        return await self.good.send(base_url, request, deadline_s)


@frozen
class Raw:
    """Speaks HTTP over a socket of its own, which no recorder knows of."""

    async def send(self, base_url: str, request: WireRequest, deadline_s: float) -> WireResponse:
        host, _, port = base_url.partition("//")[2].partition(":")
        async with await anyio.connect_tcp(host, int(port)) as stream:
            await stream.send(f"{request.method} {request.target} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
            head, _, body = (await stream.receive()).partition(b"\r\n\r\n")
        return WireResponse(200, {"x-a": "b"} if b"x-a" in head else {}, body)

    async def open(self, base_url: str, request: WireRequest, deadline_s: float) -> WireStream:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


def over(broken: Callable[[Transport], Transport], **options: Any) -> Maker:
    """A broken transport over a good one, whose options may be others than asked for."""
    return lambda clock, asked: broken(HttpxTransport(clock=clock, options=evolve(asked, **options)))


def in_environment(clock: Clock, options: TransportOptions) -> Transport:
    """A client that takes its proxy from the environment; closed by the garbage collector."""
    return HttpxTransport(httpx.AsyncClient(trust_env=True), clock=clock, options=options)


BROKEN: tuple[tuple[str, Maker, str], ...] = (
    ("T-redirect-given", over(FollowsRedirects), "seen: (200, None, b'hello')"),
    ("T-deadline-head", over(Patient), "seen: it waits after 0.5 s"),
    ("T-deadline-past", over(LooksAtTheClockLate), "case: requests, new connection, plain\nexpected: 0\nseen: 1"),
    ("T-body-cut", over(SwallowsCuts), "seen: status 200 and a body of 3 bytes"),
    ("T-stream-failed", over(EndsWhereItBreaks), "seen: 0 bytes"),
    ("T-reuse-no-retry", over(TriesAgain), "seen: status 200"),
    ("T-error-secrets", over(SaysTheKey), "seen: ['canary-key']"),
    ("T-reuse-surplus", over(Sound), "case: in one write, plain, second\nexpected: b'hello'\nseen: b'stale'"),  # httpx's own flaw
    ("T-reuse-left-early", over(Hoards), "expected: an answer\nseen: it waits after 0.5 s"),
    ("T-cancel-between-reads", over(Unshielded), "seen: it waits after 0.5 s"),
    ("T-cancel-head", over(lambda good: LosesSlots(good, anyio.Semaphore(1))), "seen: it waits after 0.5 s"),
    ("T-request-no-cookies", over(KeepsCookies), "seen: [b'who=canary; path=/, b=c'"),
    ("T-head-values", over(KeepsCapitals), "'X-Id': 'a, b, c'"),
    ("T-encoding-bomb", over(CountsAfterwards, max_response_bytes=2**30), "expected: under 4 MB taken"),
    ("T-limit-connections", over(Sound, max_connections=100), "seen: 20"),
    (
        "T-limit-head-option",
        over(Sound, max_header_bytes=90_000),
        "case: 2100 bytes, plain\nexpected: an error\nseen: status 200",
    ),
    ("T-idle-stream", over(Sound, idle_timeout_s=1000.0), "seen: it waits after 0.5 s"),
    ("T-tls-untrusted", over(Sound, verify=False), "case: unknown authority, plain\nexpected: an error\nseen: status 200"),
    ("T-proxy-plain", over(Sound, proxy=None), "seen: ConnectionFailed"),
    ("T-environment-unused", in_environment, "expected: b'hello'\nseen: b'stolen'"),
    ("T-close-twice", over(Outlives), "expected: no connection is left open (used)"),
    ("T-error-refused", over(RaisesItsOwn), "expected: an error of pingpong's tree\nseen: ReadError: raw"),
    ("T-close-leaks", over(LeavesSockets), "nothing left behind\nseen: ResourceWarning"),
    ("T-seen-cassette", lambda clock, options: Raw(), "seen: "),
)


def verdict(check_id: str, make: Maker, wait_s: float = 5.0) -> str:
    """What a check says against a transport, empty where the rule holds."""
    try:
        run_check(CHECKS[check_id], make, "asyncio", wait_s=wait_s)
    except AssertionError as failure:
        return str(failure)
    return ""


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # to leave things unclosed is what some of them do
@pytest.mark.parametrize(("check_id", "make", "seen"), BROKEN, ids=[check_id for check_id, _, _ in BROKEN])
def test_a_broken_transport_is_caught(check_id: str, make: Maker, seen: str) -> None:
    """A transport with one flaw fails the check that is there for it, which says the rule, what it expected and what it saw."""
    message = verdict(check_id, make, wait_s=0.5)
    gc.collect()
    assert message.startswith(f"{check_id}: {CHECKS[check_id].rule}\n")
    assert seen in message


@pytest.mark.parametrize("check_id", ["T-redirect-given", "T-deadline-head", "T-stream-failed", "T-cancel-between-reads"])
def test_what_they_are_built_on_is_sound(check_id: str) -> None:
    """Without its flaw a broken transport keeps the rules, so each is caught for its flaw alone."""
    assert verdict(check_id, over(Sound)) == ""


def test_what_is_left_out_must_be_broken() -> None:
    """A check on the list is expected to fail; one that passes has no business there, and an unknown name is refused."""
    make = over(FollowsRedirects)
    contract: Any = for_transport(make, left_out={"T-redirect-given": "we do", "T-body-framing": "no reason"})()
    with pytest.raises(pytest.xfail.Exception, match="we do"):
        contract.test_rule("T-redirect-given", "asyncio")
    with pytest.raises(pytest.fail.Exception, match="T-body-framing is left out"):
        contract.test_rule("T-body-framing", "asyncio")
    contract.test_rule("T-body-cut", "asyncio")
    with pytest.raises(ValueError, match="T-nonsense"):
        for_transport(make, left_out={"T-nonsense": "x"})


def test_every_check_says_its_rule() -> None:
    """Ids are kebab-case under T-, and each rule is a sentence of its own."""
    rules = [check.rule for check in CHECKS.values()]
    assert all(re.fullmatch(r"T(-[a-z0-9]+)+", check_id) for check_id in CHECKS)
    assert all(rule.endswith(".") for rule in rules)
    assert len(set(rules)) == len(rules)
