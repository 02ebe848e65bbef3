"""For scripts: one call, no event loop to write."""

from __future__ import annotations

from typing import Any

from pingpong._client import Client
from pingpong._errors import InvalidRequestError
from pingpong._outcomes import Outcome
from pingpong._requests import Request


def ask(request: Request | str, **options: Any) -> Outcome:
    """
    Ask once, configured as `Client.from_env` is, and wait for the answer: `print(pingpong.ask("…", strategy="cheapest"))`.

    Raises:
        PingPongError: No answer.
        InvalidRequestError: An event loop is running already; use `Client` there.
    """
    from anyio import run

    try:
        return run(_ask, request, options)
    except RuntimeError as exc:
        if "Already running" not in str(exc):
            raise
        hint = "use `async with Client.from_env() as client` there"
        raise InvalidRequestError(f"ask() was called inside an event loop; {hint}.") from exc


async def _ask(request: Request | str, options: dict[str, Any]) -> Outcome:
    async with Client.from_env() as client:
        return await client.complete(request, **options)
