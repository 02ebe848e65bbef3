"""OpenAI's own client against the dialects, in process: what it reads, and which exception each error becomes."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest
from pingpong import (
    AuthenticationError,
    ConflictError,
    ContextLengthExceeded,
    EmbedResponse,
    FinishReason,
    InvalidRequestError,
    NotFoundError,
    Overloaded,
    PermissionDenied,
    PingPongError,
    QuotaExhausted,
    RateLimited,
    Reasoning,
    Response,
    ServerError,
    StreamError,
    Text,
    ToolCall,
    Usage,
    WireRequest,
    events_from_response,
)
from pingpong_openai.driver import make
from pingpong_openai.options import OpenAIOptions
from pingpong_openai.plugin import RECORD
from pydantic import BaseModel

USAGE = Usage(uncached_input_tokens=5, cache_read_tokens=2, visible_output_tokens=3, reasoning_tokens=1)
CALLS = (ToolCall("call_a", "f", '{"a":1}'), ToolCall("call_b", "g", "{}"))
ANSWER = Response(provider="openai", model="m", parts=(Text("Héllo"), *CALLS), finish_reason=FinishReason.tool_calls, usage=USAGE)
ASK: list[Any] = [{"role": "user", "content": "hi"}]
TOOL: Any = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}


class Server:
    """The dialects behind a transport: answers `answer`, or fails with it, at once or in the middle of a stream."""

    def __init__(self) -> None:
        self.endpoints: dict[str, Any] = {e.record.path: e for e in make(RECORD, OpenAIOptions(), {}).endpoints}
        self.answer: Any = ANSWER
        self.is_cut_short = False
        self.asked: Any = None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """One request, one answer."""
        dialect = self.endpoints[request.url.path].dialect
        try:
            self.asked = dialect.parse(WireRequest(request.method, request.url.path, {}, request.read()), {})
        except InvalidRequestError as error:
            return self._sent(dialect.render_error(error))
        if isinstance(self.answer, PingPongError) and not self.is_cut_short:
            return self._sent(dialect.render_error(self.answer))
        if not self.asked.is_stream:
            return self._sent(dialect.render(self.answer, self.asked))
        renderer = dialect.stream_renderer(self.asked)
        events = [*list(events_from_response(ANSWER))[:-1], StreamError(self.answer)] if self.is_cut_short else None
        body = b"".join(renderer.render(event) for event in events or events_from_response(self.answer))
        return httpx2.Response(200, headers=dict(dialect.stream_headers(self.asked)), content=body)

    @staticmethod
    def _sent(wire: Any) -> httpx2.Response:
        return httpx2.Response(wire.status, headers=dict(wire.headers), content=wire.body)


@pytest.fixture
def server() -> Server:
    """A fresh server."""
    return Server()


@pytest.fixture
def client(server: Server) -> openai.OpenAI:
    """The official client, without retries of its own."""
    transport = httpx2.Client(transport=httpx2.MockTransport(server))
    return openai.OpenAI(api_key="k", base_url="http://test/v1", http_client=transport, max_retries=0)


def test_chat_whole_and_streamed(server: Server, client: openai.OpenAI) -> None:
    """Text, calls and usage arrive as the client's own types."""
    whole: Any = client.chat.completions.create(model="m", messages=ASK)
    with client.chat.completions.stream(model="m", messages=ASK, stream_options={"include_usage": True}) as stream:
        streamed: Any = stream.get_final_completion()
    for completion in (whole, streamed):
        message = completion.choices[0].message
        assert message.content == "Héllo"
        assert [call.function.arguments for call in message.tool_calls] == ['{"a":1}', "{}"]
        assert completion.usage.prompt_tokens_details.cached_tokens == 2
    server.answer = Response(provider="openai", model="m", parts=(Text("no"),), finish_reason=FinishReason.refusal)
    assert client.chat.completions.create(model="m", messages=ASK).choices[0].message.refusal == "no"


def test_responses_whole_streamed_and_sent_back(server: Server, client: openai.OpenAI) -> None:
    """Reasoning, text and calls arrive, and the client's own objects are a readable next request."""
    server.answer = Response(
        provider="openai", model="m", parts=(Reasoning("why"), *ANSWER.parts), finish_reason=FinishReason.tool_calls, usage=USAGE
    )
    whole: Any = client.responses.create(model="m", input=ASK, instructions="be")
    with client.responses.stream(model="m", input="hi", tools=[TOOL]) as stream:
        streamed: Any = stream.get_final_response()
    for response in (whole, streamed):
        assert response.output_text == "Héllo"
        assert response.output[0].summary[0].text == "why"
        assert response.output[2].arguments == '{"a":1}'
        assert response.usage.output_tokens_details.reasoning_tokens == 1
    client.responses.create(model="m", input=[*ASK, *whole.output])
    assert server.asked.request.messages[1].parts == server.answer.parts


def test_json_schema_is_parsed(server: Server, client: openai.OpenAI) -> None:
    """The client's typed helpers send a schema we read and parse what we answer."""

    class Answer(BaseModel):
        a: int

    server.answer = Response(provider="openai", model="m", parts=(Text('{"a":3}'),), finish_reason=FinishReason.stop)
    parsed = client.chat.completions.parse(model="m", messages=ASK, response_format=Answer).choices[0].message.parsed
    assert parsed == Answer(a=3)
    assert server.asked.request.output_schema.name == "Answer"
    assert client.responses.parse(model="m", input="hi", text_format=Answer).output_parsed == Answer(a=3)


def test_embeddings_in_its_default_encoding(server: Server, client: openai.OpenAI) -> None:
    """The client asks for base64 and gets the numbers."""
    server.answer = EmbedResponse(provider="openai", model="m", vectors=((0.5, 1.0), (0.25, 0.0)))
    assert [row.embedding for row in client.embeddings.create(model="m", input=["a", "b"]).data] == [[0.5, 1.0], [0.25, 0.0]]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RateLimited("x", retry_after_s=2.0), openai.RateLimitError),
        (QuotaExhausted("x"), openai.RateLimitError),
        (ContextLengthExceeded("x"), openai.BadRequestError),
        (InvalidRequestError("x", status=422), openai.UnprocessableEntityError),
        (AuthenticationError("x"), openai.AuthenticationError),
        (PermissionDenied("x"), openai.PermissionDeniedError),
        (NotFoundError("x"), openai.NotFoundError),
        (ConflictError("x"), openai.ConflictError),
        (ServerError("x"), openai.InternalServerError),
        (Overloaded("x"), openai.InternalServerError),
    ],
)
def test_each_error_is_the_exception_the_client_documents(
    server: Server, client: openai.OpenAI, error: PingPongError, expected: type[openai.APIError]
) -> None:
    """On every endpoint, streamed or not."""
    server.answer = error
    calls: tuple[Any, ...] = (
        lambda: client.chat.completions.create(model="m", messages=ASK),
        lambda: client.chat.completions.create(model="m", messages=ASK, stream=True),
        lambda: client.responses.create(model="m", input="hi"),
        lambda: client.embeddings.create(model="m", input="hi"),
    )
    for call in calls:
        with pytest.raises(expected):
            call()


def test_an_error_inside_a_stream_is_raised(server: Server, client: openai.OpenAI) -> None:
    """After the answer began, the client still raises with our message."""
    server.answer, server.is_cut_short = ServerError("boom"), True
    with pytest.raises(openai.APIError, match="boom"):
        list(client.chat.completions.create(model="m", messages=ASK, stream=True))
    with pytest.raises(openai.APIError, match="boom"):
        list(client.responses.create(model="m", input="hi", stream=True))
