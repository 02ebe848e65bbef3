"""
The promise about cancellation, for any driver: after N calls cancelled at random points, the next 100 all succeed.

`python promise.py DRIVER [--calls N] [--backend asyncio|trio]` needs pingpong-core and that driver alone: it serves the
driver's own dialect from a second process on 127.0.0.1, and calls it through a `Client`. One JSON line is the result.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pingpong as pp

N_AFTER = 100
N_AT_A_TIME = 150
"""More than the pools of HTTP clients hold: it is in their queues that cancelled calls used to leak."""


def answer(provider: str, model: str) -> pp.Response:
    """What the server says to everyone."""
    usage = pp.Usage(uncached_input_tokens=3, visible_output_tokens=2)
    return pp.Response(
        provider=provider, model=model, parts=(pp.Text("all is well"),), finish_reason=pp.FinishReason.stop, usage=usage,
        raw_finish_reason=None,
    )  # fmt: skip


async def serve(driver: pp.Driver, seed: int) -> None:
    """Answer chat requests on a free port, which is printed, with small random pauses, until stdin ends."""
    draw = Random(seed)  # noqa: S311  # pauses, not secrets
    chat = [e for e in driver.endpoints if e.record.operation == "chat"]

    async def one(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            buffer = b""
            while True:
                while b"\r\n\r\n" not in buffer:
                    buffer += await stream.receive()
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                lines = head.decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
                while len(buffer) < int(headers.get("content-length", 0)):
                    buffer += await stream.receive()
                body, buffer = buffer[: int(headers.get("content-length", 0))], buffer[int(headers.get("content-length", 0)) :]
                target = lines[0].split(" ")[1]
                await _answer(stream, chat, pp.WireRequest("POST", target, headers, body), draw)

    async def guarded(stream: anyio.abc.SocketStream) -> None:
        try:
            await one(stream)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    print(listener.extra(anyio.abc.SocketAttribute.local_port), flush=True)  # noqa: S610, T201  # anyio's extra; the caller reads it
    async with anyio.create_task_group() as group:
        group.start_soon(listener.serve, guarded)
        await anyio.to_thread.run_sync(sys.stdin.read, abandon_on_cancel=True)
        group.cancel_scope.cancel()


async def _answer(stream: anyio.abc.SocketStream, chat: list[Any], wire: pp.WireRequest, draw: Random) -> None:
    endpoint, params = next((e, found) for e in chat if (found := pp.params_from_path(e.record.path, wire.path)) is not None)
    parsed = endpoint.dialect.parse(wire, params)
    said = answer("", parsed.model)
    await anyio.sleep(draw.random() * 0.004)
    if not parsed.is_stream:
        rendered = endpoint.dialect.render(said, parsed)
        await stream.send(_head(rendered.headers, f"content-length: {len(rendered.body)}") + rendered.body)
        return
    await stream.send(_head(endpoint.dialect.stream_headers(parsed), "transfer-encoding: chunked"))
    renderer = endpoint.dialect.stream_renderer(parsed)
    for event in pp.events_from_response(said):
        await anyio.sleep(draw.random() * 0.002)
        if chunk := renderer.render(event):
            await stream.send(b"%x\r\n%s\r\n" % (len(chunk), chunk))
    await stream.send(b"0\r\n\r\n")


def _head(headers: Any, framing: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", *(f"{k}: {v}" for k, v in headers.items()), framing]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"


async def keep(driver: str, url: str, n_calls: int, seed: int) -> dict[str, Any]:
    """Cancel `n_calls` calls at random points, half of them streams, then count how many of the next 100 succeed."""
    draw = Random(seed)  # noqa: S311  # where to cancel, not secrets
    config = pp.Config(drivers={driver: {"api_key": "sk-promise", "base_url": url}}, simulate=False, timeout_s=30)
    async with pp.Client(config, env={}, seed=seed) as client:
        card = next(c for c in client.models.cards if c.provider == driver and client.models.target(c.id).endpoints("chat"))
        cancelled = 0

        async def call(is_stream: bool) -> str:
            if not is_stream:
                return (await client.complete("Is all well?", model=card.id, max_output_tokens=16)).text
            async with client.stream("Is all well?", model=card.id, max_output_tokens=16) as stream:
                return (await stream.outcome()).text

        async def cancel_one() -> None:
            nonlocal cancelled
            with anyio.move_on_after(draw.random() * 0.1) as scope:
                await call(draw.random() < 0.5)
            cancelled += scope.cancelled_caught

        left = n_calls
        while left > 0:
            async with anyio.create_task_group() as group:
                for _ in range(min(left, N_AT_A_TIME)):
                    group.start_soon(cancel_one)
            left -= N_AT_A_TIME
        succeeded = 0
        for i in range(N_AFTER):
            succeeded += await call(i % 2 == 0) == "all is well"
    return {"driver": driver, "model": card.id, "calls": n_calls, "cancelled": cancelled, "succeeded": succeeded}


def main(argv: list[str] | None = None) -> int:
    """Run it; the exit status is 0 where the promise is kept."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("driver")
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--backend", choices=("asyncio", "trio"), default="asyncio")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if options.serve:
        config = pp.Config(drivers={options.driver: {"api_key": "sk-promise"}}, simulate=False)
        run(lambda: serve(pp.Client(config, env={}).models.driver(options.driver), options.seed), "asyncio")
        return 0
    command = [sys.executable, str(Path(__file__)), options.driver, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = f"http://127.0.0.1:{(server.stdout or sys.stdin).readline().strip()}"
            result = run(lambda: keep(options.driver, url, options.calls, options.seed), options.backend)
        finally:
            server.terminate()
    print(json.dumps(result | {"backend": options.backend}))  # noqa: T201  # the result
    return 0 if result["succeeded"] == N_AFTER and result["cancelled"] > 0 else 1


def run(work: Callable[[], Any], backend: str) -> Any:
    """On one event loop or the other."""
    return anyio.run(work, backend=backend)


if __name__ == "__main__":
    raise SystemExit(main())
