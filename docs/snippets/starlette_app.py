"""An HTTP service around one client: opened with the app, closed with it, shared by all its requests."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pingpong import Client, PingPongError, StreamError, TextDelta
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

STATUS = {"caller": 400, "provider": 502, "plugin": 500, "limit": 503}


async def ask(request: Request) -> Response:
    """The whole answer, with what it cost."""
    client: Client = request.state.client
    body = await request.json()
    try:
        outcome = await client.complete(body["prompt"], strategy="cheapest", timeout_s=30, user=body.get("user"))
    except PingPongError as error:
        told = {"kind": error.kind, "message": str(error), "retryable": error.retryable}
        return JSONResponse({"error": told}, STATUS[error.fault])
    cost = None if outcome.cost_usd is None else f"{outcome.cost_usd:f}"
    return JSONResponse({"text": outcome.text, "cost_usd": cost, "models": [a.model for a in outcome.attempts]})


async def stream(request: Request) -> Response:
    """The answer as it is written. When the browser goes away, the provider's connection is closed."""
    client: Client = request.state.client
    prompt = (await request.body()).decode()

    async def text() -> AsyncIterator[str]:
        async with client.stream(prompt, strategy="fallback") as answer:
            async for event in answer:
                if isinstance(event, TextDelta):
                    yield event.text
                elif isinstance(event, StreamError):
                    yield f"\n[{event.error.kind}]"

    return StreamingResponse(text(), media_type="text/plain")


def make_app(open_client: Callable[[], Client] = Client.from_env) -> Starlette:
    """The app; tests hand in a client of fakes."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Client]]:
        async with open_client() as client:
            yield {"client": client}

    routes = [Route("/ask", ask, methods=["POST"]), Route("/stream", stream, methods=["POST"])]
    return Starlette(routes=routes, lifespan=lifespan)
