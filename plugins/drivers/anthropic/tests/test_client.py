"""The provider's official client against the dialect, unchanged and in process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import pytest
from attrs import define, field
from pingpong import (
    AuthenticationError,
    ConflictError,
    ContextLengthExceeded,
    Event,
    FinishReason,
    InvalidRequestError,
    NotFoundError,
    Opaque,
    Overloaded,
    Parsed,
    PermissionDenied,
    PingPongError,
    ProviderTimeout,
    QuotaExhausted,
    RateLimited,
    Reasoning,
    Request,
    Response,
    ServerError,
    StreamError,
    StreamStart,
    Text,
    TextDelta,
    TokenCount,
    ToolCall,
    Usage,
    WireRequest,
    WireResponse,
    events_from_response,
)
from pingpong_anthropic.count_tokens import CountTokensDialect
from pingpong_anthropic.messages import MessagesDialect
from pydantic import BaseModel

RESPONSE = Response(
    provider="anthropic",
    model="claude-sonnet-4-6",
    response_id="msg_1",
    request_id="req_1",
    parts=(
        Reasoning("hm", Opaque("anthropic", '{"signature":"sig"}')),
        Text("Hi "),
        Text("you", Opaque("anthropic", '{"citations":[{"type":"search_result_location","cited_text":"x"}]}')),
        ToolCall("toolu_1", "add", '{"a":1}'),
    ),
    finish_reason=FinishReason.tool_calls,
    raw_finish_reason="tool_use",
    usage=Usage(uncached_input_tokens=5, cache_read_tokens=3, visible_output_tokens=4, reasoning_tokens=2),
)
ASK: dict[str, Any] = {"model": "claude-sonnet-4-6", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
TOOL: Any = {"name": "add", "input_schema": {"type": "object"}}


@define
class Server:
    """Answers every request with one response, stream or error, through the dialects."""

    response: Response = RESPONSE
    error: PingPongError | None = None
    events: list[Event] = field(factory=list)
    seen: list[Parsed[Request]] = field(factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        wire = self.answer(WireRequest(request.method, request.url.raw_path.decode(), headers, request.content))
        return httpx2.Response(wire.status, headers=dict(wire.headers), content=wire.body)

    def answer(self, wire: WireRequest) -> WireResponse:
        dialect = CountTokensDialect() if wire.path.endswith("count_tokens") else MessagesDialect()
        try:
            self.seen.append(dialect.parse(wire, {}))
            if self.error is not None:
                raise self.error
        except PingPongError as error:
            return dialect.render_error(error)
        if isinstance(dialect, CountTokensDialect):
            return dialect.render(TokenCount(provider="anthropic", model="", input_tokens=7))
        if not self.seen[-1].is_stream:
            return dialect.render(self.response)
        renderer = dialect.stream_renderer()
        events = self.events or events_from_response(self.response)
        return WireResponse(200, dialect.stream_headers(), b"".join(map(renderer.render, events)))


@pytest.fixture
def server() -> Server:
    """What the client talks to."""
    return Server()


@pytest.fixture
def client(server: Server) -> Iterator[anthropic.Anthropic]:
    """The official client, on a transport without sockets."""
    with httpx2.Client(transport=httpx2.MockTransport(server)) as http:
        yield anthropic.Anthropic(api_key="k", max_retries=0, http_client=http)


def test_an_answer_and_its_stream_are_the_same_message(client: anthropic.Anthropic, server: Server) -> None:
    """Thinking, text, citations, tool calls, usage and finish reason reach the client either way."""
    whole = client.messages.create(**ASK, tools=[TOOL])
    with client.messages.stream(**ASK, tools=[TOOL]) as stream:
        kinds = [event.type for event in stream]
        streamed = stream.get_final_message()
    blocks = [block.model_dump(exclude={"parsed_output"}) for block in whole.content]
    assert blocks[0] == {"type": "thinking", "thinking": "hm", "signature": "sig"}
    assert (blocks[1]["text"], blocks[3]["input"]) == ("Hi ", {"a": 1})
    usage = whole.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_input_tokens) == (5, 6, 3)
    assert (whole.stop_reason, whole.id, whole.model) == ("tool_use", "msg_1", RESPONSE.model)
    assert (streamed.stop_reason, streamed.id, streamed.model) == (whole.stop_reason, whole.id, whole.model)
    assert [block.model_dump(exclude={"parsed_output"}) for block in streamed.content] == blocks
    assert {"text", "thinking", "signature", "citation", "input_json"} <= set(kinds)
    assert [parsed.is_stream for parsed in server.seen] == [False, True]
    assert server.seen[0].request.tools[0].name == "add"


def test_structured_output_reaches_the_client(client: anthropic.Anthropic, server: Server) -> None:
    """The client's schema is read, and the answer is parsed by it."""

    class Sum(BaseModel):
        total: int

    server.response = Response(
        provider="anthropic", model="m", response_id="m", parts=(Text('{"total":3}'),), finish_reason=FinishReason.stop
    )
    parsed = client.messages.parse(**ASK, output_format=Sum)
    assert Sum(total=3) == parsed.parsed_output
    schema = server.seen[0].request.output_schema
    assert schema is not None
    assert schema.schema["required"] == ["total"]
    with client.messages.stream(**ASK, output_format=Sum) as stream:
        assert Sum(total=3) == stream.get_final_message().parsed_output


def test_tokens_are_counted(client: anthropic.Anthropic, server: Server) -> None:
    """Token counting works, in its beta form too."""
    asked = {"model": ASK["model"], "messages": ASK["messages"]}
    assert client.messages.count_tokens(**asked).input_tokens == 7
    assert client.beta.messages.count_tokens(**asked, betas=["a-1"]).input_tokens == 7
    assert "a-1" in server.seen[-1].request.provider_options["anthropic"]["betas"]


ERRORS: list[tuple[Callable[..., PingPongError], type[anthropic.APIStatusError]]] = [
    (InvalidRequestError, anthropic.BadRequestError),
    (ContextLengthExceeded, anthropic.ContentTooLargeError),
    (AuthenticationError, anthropic.AuthenticationError),
    (QuotaExhausted, anthropic.APIStatusError),
    (PermissionDenied, anthropic.PermissionDeniedError),
    (NotFoundError, anthropic.NotFoundError),
    (ConflictError, anthropic.ConflictError),
    (RateLimited, anthropic.RateLimitError),
    (ServerError, anthropic.InternalServerError),
    (ProviderTimeout, anthropic.InternalServerError),
    (Overloaded, anthropic.InternalServerError),
]


@pytest.mark.parametrize(("error", "exception"), ERRORS)
def test_every_error_is_the_clients_own(
    client: anthropic.Anthropic, server: Server, error: Callable[..., PingPongError], exception: type[anthropic.APIStatusError]
) -> None:
    """Each error arrives as the exception that the client documents, with request id."""
    server.error = error("boom", request_id="req_9")
    with pytest.raises(exception) as caught:
        client.messages.create(**ASK)
    assert caught.value.request_id == "req_9"


def test_an_error_inside_a_stream_reaches_the_client(client: anthropic.Anthropic, server: Server) -> None:
    """A stream that fails on its way raises in the client."""
    server.events = [StreamStart("anthropic", "m", "id"), TextDelta(0, "a"), StreamError(Overloaded("busy"))]
    with client.messages.stream(**ASK) as stream, pytest.raises(anthropic.APIStatusError, match="busy"):
        list(stream)


def test_a_bad_request_names_its_field(client: anthropic.Anthropic) -> None:
    """What the dialect refuses is a 400 with the field's name."""
    with pytest.raises(anthropic.BadRequestError, match="foo"):
        client.messages.create(**ASK, extra_body={"foo": 1})
