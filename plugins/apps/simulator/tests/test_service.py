"""The service and the in-process transport: routing, faults, pace, and whole calls through `pingpong.Client`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from decimal import Decimal
from types import UnionType
from typing import Any

import pytest
from attrs import evolve
from pingpong import (
    AuthenticationError,
    Card,
    Client,
    Config,
    ConfigError,
    ConnectionFailed,
    ContextLengthExceeded,
    DeadlineExceeded,
    InvalidRequestError,
    MalformedResponse,
    NotFoundError,
    Overloaded,
    PingPongError,
    Price,
    RateLimited,
    Request,
    StreamError,
    StreamTruncated,
    Tool,
    WireRequest,
)
from pingpong.testing import FakeClock
from pingpong_simulator.draws import draw_from
from pingpong_simulator.options import options_from_table
from pingpong_simulator.replies import Reply
from pingpong_simulator.service import Service
from pingpong_simulator.skill import chance_of_right, pace_of, ranks_from, skill_of
from pingpong_simulator.transport import SimulatorTransport

MODELS = ("openai:gpt-5.4-mini", "anthropic:claude-haiku-4-5", "gemini:gemini-2.5-flash")
CHAT = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "Design a cache"}]}
MakeService = Callable[..., Service]
MakeClient = Callable[..., Client]


def _wire(body: object = CHAT, path: str = "/v1/chat/completions", **headers: str) -> WireRequest:
    return WireRequest("POST", path, {"content-type": "application/json", **headers}, json.dumps(body).encode())


def _body(reply: Reply) -> bytes:
    return b"".join(piece.data for piece in reply.pieces)


def test_routes_by_path_and_base_url(make_service: MakeService) -> None:
    """A path finds its endpoint under any version of the API, and only at the driver's own base URL where one is given."""
    service = make_service()
    openai = next(d for d in service.drivers() if d.name == "openai")
    assert service.reply(_wire(), openai.base_url).status == 200
    assert service.reply(_wire(), "https://api.anthropic.com").status == 404
    contents = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
    for version in ("v1", "v1beta", "v1alpha"):
        assert service.reply(_wire(contents, f"/{version}/models/gemini-2.5-flash:generateContent")).status == 200
    alias = next(a for c in service.cards if c.provider == "openai" and "chat/completions" in c.endpoints for a in c.aliases)
    assert service.reply(_wire(CHAT | {"model": alias})).status == 200


@pytest.mark.parametrize(
    ("path", "marks"),
    [("/v1/messages/batches", b'"type":"error"'), ("/v1beta/nonsense", b'"NOT_FOUND"'), ("/v1/chat/nonsense", b'"param"')],
)
def test_unknown_paths_get_the_nearest_providers_404(make_service: MakeService, path: str, marks: bytes) -> None:
    """What no endpoint serves is a 404 in the shape of the provider whose paths look most like it."""
    reply = make_service().reply(_wire({}, path))
    assert reply.status == 404
    assert marks in _body(reply)


def test_wrong_requests_get_the_providers_errors(make_service: MakeService) -> None:
    """Unknown models, refused keys, bad bodies and bad fault texts are 4xx answers, never exceptions."""
    service = make_service()
    assert service.reply(_wire(CHAT | {"model": "nope"})).status == 404
    assert service.reply(_wire(CHAT | {"model": "text-embedding-3-small"})).status == 404
    assert service.reply(_wire(authorization="Bearer invalid-key")).status == 401
    assert service.reply(_wire(CHAT | {"messages": []})).status == 400
    assert service.reply(evolve(_wire(), body=b"{")).status == 400
    assert service.reply(_wire(**{"x-pingpong-fault": "nonsense"})).status == 400


def test_streams_come_in_small_pieces_cut_anywhere(make_service: MakeService) -> None:
    """A stream has a piece for every token at least, some of them cut in the middle of an event."""
    reply = make_service().reply(_wire(CHAT | {"stream": True}))
    assert len(reply.pieces) > 50
    assert any(not piece.data.endswith(b"\n\n") for piece in reply.pieces)
    assert _body(reply).endswith(b"data: [DONE]\n\n")


def test_faults_strike_the_bytes(make_service: MakeService) -> None:
    """Cut and broken bodies have as many bytes as asked, garbage is no JSON, a silent reply never comes."""
    service = make_service()

    def struck(fault: str, *, is_stream: bool = True) -> Reply:
        return service.reply(_wire(CHAT | {"stream": is_stream}, **{"x-pingpong-fault": fault}))

    assert len(_body(struck("cut=130"))) == 130
    assert not struck("cut=130").is_broken
    assert len(_body(struck("reset=7", is_stream=False))) == 7
    assert struck("reset=7").is_broken
    assert _body(struck("cut=0")) == b""
    with pytest.raises(ValueError):  # noqa: PT011  # which one depends on the noise
        json.loads(_body(struck("garbage", is_stream=False)))
    assert math.isinf(struck("silence").after_s)
    inside = struck("error_event=overloaded", is_stream=False)
    assert inside.status == 200
    assert b"Simulated fault" in _body(inside)
    late = _body(struck("error_event=overloaded;after=100000"))
    assert b"Simulated fault" in late
    assert b"[DONE]" not in late


def test_scripts_run_per_model(make_service: MakeService) -> None:
    """A model's script is followed request by request, and a header goes before it."""
    service = make_service(faults={"openai:gpt-5.4-mini": ["429;retry_after=2", "ok"]})
    assert service.reply(_wire(**{"x-pingpong-fault": "500"})).status == 500
    first = service.reply(_wire())
    assert (first.status, first.headers["retry-after"]) == (429, "2")
    assert [service.reply(_wire()).status for _ in range(2)] == [200, 200]


def test_pace_follows_price_and_scale(make_service: MakeService) -> None:
    """Dearer models take longer to begin and between tokens; scale 0 takes no time at all."""
    cheap, dear = (pace_of(rank, 1.0, draw_from("x")) for rank in (0.0, 1.0))
    assert 0.06 < cheap.first_token_s < dear.first_token_s < 0.37
    assert cheap.tokens_per_s > dear.tokens_per_s > 90
    slow = make_service(latency=10.0).reply(_wire(CHAT | {"stream": True}))
    assert slow.after_s > 0.5
    assert sum(p.after_s for p in slow.pieces) > 1
    at_once = make_service().reply(_wire(CHAT | {"stream": True}))
    assert (at_once.after_s, sum(p.after_s for p in at_once.pieces)) == (0, 0)


def test_skill_is_stated_or_by_price_rank() -> None:
    """The dearest model ranks highest, equal prices share a rank, an unknown price is the middle, a stated skill holds."""

    def card(model: str, usd: str | None, skill: float | None = None) -> Card:
        price = usd and Price(
            input_usd_per_mtok=Decimal(usd), output_usd_per_mtok=Decimal(usd), source_url="", as_of=FakeClock().epoch.date()
        )
        return Card(provider="p", model=model, endpoints=(), price=price or None, skill=skill)

    cards = (card("a", "1"), card("b", "5"), card("c", "5"), card("d", "9"), card("e", None), card("f", "9", 0.2))
    ranks = ranks_from(cards)
    assert [ranks[c.id] for c in cards] == [0.0, 0.5, 0.5, 1.0, 0.5, 1.0]
    assert [round(skill_of(c, ranks[c.id]), 2) for c in cards] == [0.35, 0.65, 0.65, 0.95, 0.65, 0.2]
    assert chance_of_right(0.5, 0.5) == 0.5
    assert chance_of_right(0.9, 0.2) > 0.99 > 0.01 > chance_of_right(0.2, 0.9)


@pytest.mark.anyio
@pytest.mark.parametrize("model", MODELS)
async def test_client_completes_and_streams_alike(make_client: MakeClient, model: str) -> None:
    """Through the kernel, streamed and plain answers are one answer, marked as simulated and priced from its usage."""
    async with make_client() as client:
        whole = await client.complete("Design a rate limiter for a public API", model=model)
        async with client.stream("Design a rate limiter for a public API", model=model) as stream:
            kinds = [event.kind async for event in stream]
            streamed = await stream.outcome()
    assert whole.is_simulated
    assert (kinds[0], kinds[-1]) == ("start", "end")
    assert len(kinds) > 50
    assert streamed.response.parts == whole.response.parts
    assert streamed.response.usage == whole.response.usage
    assert whole.cost_usd == streamed.cost_usd
    assert whole.cost_usd is not None
    assert whole.cost_usd > 0


@pytest.mark.anyio
@pytest.mark.parametrize("model", MODELS)
async def test_client_calls_tools(make_client: MakeClient, model: str) -> None:
    """Parallel tool calls come through every driver."""
    weather = Tool("get_weather", "Weather", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
    request = Request("What is the weather in Paris and Tokyo?", model=model, tools=(weather,))
    async with make_client() as client, client.stream(request) as stream:
        response = (await stream.outcome()).response
    assert [json.loads(c.arguments) for c in response.tool_calls] == [{"city": "Paris"}, {"city": "Tokyo"}]


@pytest.mark.anyio
@pytest.mark.parametrize("model", ["openai:text-embedding-3-small", "gemini:gemini-embedding-001"])
async def test_client_embeds(make_client: MakeClient, model: str) -> None:
    """Embeddings have the asked dimensions."""
    async with make_client() as client:
        response = await client.embed("hello", model=model, dimensions=32)
    assert [len(v) for v in response.vectors] == [32]


@pytest.mark.anyio
@pytest.mark.parametrize("model", MODELS[1:])
async def test_client_counts_tokens(make_client: MakeClient, model: str) -> None:
    """Token counts agree with the usage of the answer."""
    async with make_client() as client:
        counted = await client.count_tokens("What is 2 + 2?", model=model)
        outcome = await client.complete("What is 2 + 2?", model=model)
    assert outcome.response.usage is not None
    assert counted.input_tokens == outcome.response.usage.input_tokens > 0


@pytest.mark.anyio
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("401", AuthenticationError),
        ("404", NotFoundError),
        ("400", InvalidRequestError),
        ("429", RateLimited),
        ("529", Overloaded),
        ("error_event=overloaded;after=2", Overloaded),
        ("cut_events=2", StreamTruncated),
        ("cut=400", StreamTruncated),
        ("reset=400", ConnectionFailed),
        ("garbage", StreamTruncated | MalformedResponse),
        ("silence", DeadlineExceeded),
    ],
)
async def test_faults_reach_the_caller_as_their_kind(
    make_client: MakeClient, model: str, fault: str, kind: type[PingPongError] | UnionType
) -> None:
    """Every fault of a stream ends it with one error of its kind, whatever the provider."""
    client = make_client(faults={model: [fault]})
    async with client, client.stream("Design a cache", model=model, timeout_s=1.0) as stream:
        events = [event async for event in stream]
    last = events[-1]
    assert isinstance(last, StreamError)
    assert isinstance(last.error, kind)
    assert sum(event.kind in ("end", "error") for event in events) == 1


@pytest.mark.anyio
async def test_plain_answers_fail_as_their_kind(make_client: MakeClient) -> None:
    """Errors inside a 200, noise and cut bodies of plain answers are errors too."""
    model = MODELS[1]
    for fault, cls in (("error_event=overloaded", Overloaded), ("garbage", MalformedResponse), ("cut=50", MalformedResponse)):
        async with make_client(faults={model: [fault]}) as client:
            with pytest.raises(cls):
                await client.complete("Design a cache", model=model, timeout_s=5.0)


@pytest.mark.anyio
async def test_retries_after_a_fault(make_client: MakeClient) -> None:
    """A rate limit that passes is retried, and the outcome shows both attempts."""
    async with make_client(faults={MODELS[0]: ["429;retry_after=0", "ok"]}) as client:
        outcome = await client.complete("What is 2 + 2?", model=MODELS[0])
    assert [a.status for a in outcome.attempts] == ["failed", "success"]


@pytest.mark.anyio
async def test_a_context_too_small_is_told(make_client: MakeClient) -> None:
    """An input larger than the model's context fails as the provider would say it."""
    model = "openai:gpt-4"
    async with make_client() as client:
        with pytest.raises(ContextLengthExceeded):
            await client.complete("word " * 9000, model=model)


@pytest.mark.anyio
async def test_latency_is_spent_in_the_clients_time() -> None:
    """The wait for the first token and between tokens goes through the client's clock, and a deadline ends it."""
    clock = FakeClock()
    config = Config(simulate=True, simulator={"latency": 1.0})
    async with Client(config, env={}, clock=clock, seed=1) as client:
        outcome = await client.complete("Design a cache", model=MODELS[0])
        assert 100 < outcome.latency_ms < 5000
        async with client.stream("Design a cache", model=MODELS[0]) as stream:
            (attempt,) = (await stream.outcome()).attempts
        assert attempt.first_content_ms is not None
        assert 50 < attempt.first_content_ms < attempt.latency_ms - 100
        with pytest.raises(DeadlineExceeded):
            await client.complete("Design a cache", model=MODELS[0], timeout_s=0.05)


@pytest.mark.anyio
async def test_a_closed_transport_and_stream_refuse(make_client: MakeClient, make_service: MakeService) -> None:
    """After closing, neither the transport nor a stream answers; closing twice is fine."""
    clock = FakeClock()
    transport = SimulatorTransport(make_service(), clock)
    base_url = next(d.base_url for d in make_service().drivers() if d.name == "openai")
    stream = await transport.open(base_url, _wire(), 9.0)
    await stream.aclose()
    with pytest.raises(InvalidRequestError, match="closed"):
        await stream.read()
    await transport.aclose()
    await transport.aclose()
    with pytest.raises(InvalidRequestError, match="closed"):
        await transport.send(base_url, _wire(), 9.0)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"latncy": 1}, "latency"),
        ({"latency": -1}, "latency"),
        ({"latency": "fast"}, "latency"),
        ({"seed": "x"}, "seed"),
        ({"faults": ["429"]}, "table of models"),
        ({"faults": {"openai:x": ["4x"]}}, "openai:x"),
        ({"zzz": 1}, "zzz"),
    ],
)
def test_wrong_settings_name_key_and_fix(table: dict[str, Any], words: str) -> None:
    """A wrong setting of the simulator's table is a `ConfigError` that names it."""
    with pytest.raises(ConfigError, match=words):
        options_from_table(table)
