"""Google's own Python client works against the dialects, unchanged and without a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from attrs import define, field
from pingpong import (
    AuthenticationError,
    Driver,
    EmbedRequest,
    EmbedResponse,
    Event,
    FinishReason,
    Opaque,
    OutputSchema,
    Overloaded,
    PingPongError,
    RateLimited,
    Reasoning,
    Request,
    Response,
    StreamError,
    StreamStart,
    Text,
    TextDelta,
    TokenCount,
    ToolCall,
    ToolCallResponse,
    ToolChoice,
    Usage,
    WireRequest,
    events_from_response,
    params_from_path,
)

pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own deprecations are not ours to judge
genai = pytest.importorskip("google.genai")
http = pytest.importorskip("httpx2" if find_spec("httpx2") else "httpx")  # the client takes the first where it is installed

MODEL = "gemini-3.6-flash"
ANSWER = Response(
    provider="gemini",
    model=MODEL,
    response_id="r1",
    parts=(
        Reasoning("hmm"),
        Text("Hello"),
        ToolCall("c1", "double", '{"x":21}', Opaque("gemini", '{"thoughtSignature":"c2ln"}')),
    ),
    finish_reason=FinishReason.tool_calls,
    raw_finish_reason="STOP",
    usage=Usage(uncached_input_tokens=3, cache_read_tokens=1, visible_output_tokens=4, reasoning_tokens=2),
)


@define
class Served:
    """What the server answers next, and what it was asked."""

    driver: Driver
    answer: Any = None
    asked: list[Any] = field(factory=list)

    def __call__(self, request: Any) -> Any:
        """One HTTP exchange, by the dialect of the endpoint that the path names."""
        # Since 3.0 the client calls `v1` unless told otherwise; the wire is the same.
        target = request.url.raw_path.decode().replace("/v1/", "/v1beta/")
        wire = WireRequest(request.method, target, dict(request.headers), request.read())
        for endpoint in self.driver.endpoints:
            params = params_from_path(endpoint.record.path, wire.path)
            if params is not None:
                return self._served(endpoint.dialect, wire, params)
        raise AssertionError(target)

    def _served(self, dialect: Any, wire: WireRequest, params: Any) -> Any:
        parsed = dialect.parse(wire, params)
        self.asked.append(parsed.request)
        if parsed.is_stream and not isinstance(self.answer, PingPongError):
            renderer = dialect.stream_renderer(parsed)
            body = b"".join(renderer.render(event) for event in _events(self.answer))
            return http.Response(200, headers=dict(dialect.stream_headers(parsed)), content=body)
        is_error = isinstance(self.answer, PingPongError)
        answer = dialect.render_error(self.answer) if is_error else dialect.render(self.answer, parsed)
        return http.Response(answer.status, headers=dict(answer.headers), content=answer.body)


def _events(answer: Response | list[Event]) -> Iterator[Event]:
    return iter(answer) if isinstance(answer, list) else events_from_response(answer)


@pytest.fixture
def served(driver: Driver) -> Served:
    """The server."""
    return Served(driver)


@pytest.fixture
def models(served: Served) -> Iterator[Any]:
    """The client's door to the models."""
    options = genai.types.HttpOptions(client_args={"transport": http.MockTransport(served)})
    client = genai.Client(api_key="k", http_options=options)
    yield client.models
    client.close()


def test_an_answer_with_thoughts_and_calls(models: Any, served: Served) -> None:
    """Settings arrive, and text, call, counts and finish reason come out of the client."""
    served.answer = ANSWER
    types = genai.types
    schema = types.Schema(type="OBJECT", properties={"x": types.Schema(type="NUMBER")})
    declaration = types.FunctionDeclaration(name="double", description="d", parameters=schema)
    config = types.GenerateContentConfig(
        system_instruction="be brief",
        temperature=0.5,
        tools=[types.Tool(function_declarations=[declaration])],
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(mode="ANY", allowed_function_names=["double"])
        ),
        thinking_config=types.ThinkingConfig(thinking_level="LOW", include_thoughts=True),
    )
    answer = models.generate_content(model=MODEL, contents="hi", config=config)
    assert (answer.text, answer.function_calls[0].args, answer.function_calls[0].id) == ("Hello", {"x": 21}, "c1")
    assert answer.candidates[0].content.parts[2].thought_signature == b"sig"
    assert (answer.candidates[0].finish_reason, answer.usage_metadata.total_token_count) == ("STOP", 10)
    request: Request = served.asked[0]
    assert (request.messages[0].text, request.temperature, request.reasoning_effort) == ("be brief", 0.5, "low")
    assert (request.tools[0].parameters["properties"], request.tool_choice) == (
        {"x": {"type": "number"}},
        ToolChoice("named", "double"),
    )


def test_a_conversation_with_media_and_a_tools_answer_streams(models: Any, served: Served) -> None:
    """The client's history reaches the server whole, and its stream is the answer in pieces."""
    served.answer = ANSWER
    types = genai.types
    first = models.generate_content(model=MODEL, contents="hi").candidates[0].content
    image = types.Part.from_bytes(data=b"\x00\xff\xfe", mime_type="image/png")
    result = types.Part.from_function_response(name="double", response={"result": 42})
    contents = [types.Content(role="user", parts=[image]), first, types.Content(role="user", parts=[result])]
    chunks = list(models.generate_content_stream(model=MODEL, contents=contents))
    assert "".join(c.text or "" for c in chunks) == "Hello"
    assert [c.name for chunk in chunks for c in chunk.function_calls or ()] == ["double"]
    assert (chunks[-1].candidates[0].finish_reason, chunks[-1].usage_metadata.total_token_count) == ("STOP", 10)
    messages = served.asked[-1].messages
    assert messages[0].parts[0].data == b"\x00\xff\xfe"
    answer = messages[2].parts[0]
    assert isinstance(answer, ToolCallResponse)
    assert (answer.call_id, answer.parts) == ("c1", (Text('{"result":42}'),))
    sent = messages[1].parts[2]
    assert (sent.call_id, json.loads(sent.opaque.json)) == ("c1", {"thoughtSignature": "c2ln"})


@pytest.mark.parametrize("key", ["response_schema", "response_json_schema"])
def test_structured_output(models: Any, served: Served, key: str) -> None:
    """Either way of asking for JSON is one output schema, and the client reads the answer."""
    text = '{"name":"Bob"}'
    served.answer = Response(
        provider="gemini", model=MODEL, parts=(Text(text),), finish_reason=FinishReason.stop, raw_finish_reason="STOP"
    )
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    answer = models.generate_content(model=MODEL, contents="hi", config={"response_mime_type": "application/json", key: schema})
    assert answer.text == text
    assert served.asked[0].output_schema == OutputSchema(schema)


def test_counting_and_embedding(models: Any, served: Served) -> None:
    """Counts and batches of vectors come out of the client."""
    served.answer = TokenCount(provider="gemini", model="", input_tokens=7)
    assert models.count_tokens(model=MODEL, contents="hi there").total_tokens == 7
    served.answer = EmbedResponse(provider="gemini", model="", vectors=((1.0, 2.0), (3.0, 4.0)))
    found = models.embed_content(model="gemini-embedding-001", contents=["a", "b"], config={"output_dimensionality": 2})
    assert [e.values for e in found.embeddings] == [[1.0, 2.0], [3.0, 4.0]]
    assert served.asked[-1] == EmbedRequest(("a", "b"), dimensions=2)


@pytest.mark.parametrize(
    ("error", "kind", "code", "status"),
    [
        (RateLimited("slow", status=429, retry_after_s=1.5), "ClientError", 429, "RESOURCE_EXHAUSTED"),
        (AuthenticationError("no", status=400, code="API_KEY_INVALID"), "ClientError", 400, "INVALID_ARGUMENT"),
        (Overloaded("busy", status=503), "ServerError", 503, "UNAVAILABLE"),
    ],
)
def test_errors_are_the_clients_own(models: Any, served: Served, error: PingPongError, kind: str, code: int, status: str) -> None:
    """Whole and streamed, an error is the exception that the client documents."""
    served.answer = error
    with pytest.raises(getattr(genai.errors, kind)) as caught:
        models.generate_content(model=MODEL, contents="hi")
    assert (caught.value.code, caught.value.status, caught.value.message) == (code, status, str(error))
    with pytest.raises(getattr(genai.errors, kind)) as caught:
        list(models.generate_content_stream(model=MODEL, contents="hi"))
    assert caught.value.code == code


def test_an_error_in_mid_stream_is_raised(models: Any, served: Served) -> None:
    """What was said before is given, then the client raises."""
    served.answer = [StreamStart("gemini", MODEL), TextDelta(0, "a"), StreamError(Overloaded("busy", status=503))]
    stream = models.generate_content_stream(model=MODEL, contents="hi")
    assert next(stream).text == "a"
    with pytest.raises(genai.errors.ServerError):
        next(stream)
