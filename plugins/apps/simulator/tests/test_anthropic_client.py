"""The official `anthropic` client against the simulator over HTTP, unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import pydantic
import pytest
from anthropic.types import TextBlock, ToolUseBlock

MODEL = "claude-haiku-4-5"
ASK: list[Any] = [{"role": "user", "content": "What is 2 + 2?"}]
BAD: list[Any] = [{"role": "bob", "content": "x"}]
OPEN: list[Any] = [{"role": "user", "content": "Design a rate limiter for a public API"}]
CITIES: Any = {"role": "user", "content": "What is the weather in Paris and Tokyo?"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: Any = [{"name": "get_weather", "description": "Weather of a city", "input_schema": SCHEMA}]
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Sum(pydantic.BaseModel):
    """What structured output is parsed into."""

    answer: int
    steps: list[str]


@pytest.fixture
def client(url: str) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=url, api_key="any", max_retries=0, timeout=20) as client:
        yield client


def _text(message: Any) -> str:
    return "".join(b.text for b in message.content if isinstance(b, TextBlock))


def test_message(client: anthropic.Anthropic) -> None:
    """A message answers with text, stop reason, model and usage."""
    message = client.messages.create(model=MODEL, max_tokens=100, system="Be brief.", messages=ASK)
    assert "4" in _text(message)
    assert (message.stop_reason, message.model, message.role) == ("end_turn", MODEL, "assistant")
    assert message.usage.input_tokens > 5
    assert message.usage.output_tokens >= 1


def test_several_turns(client: anthropic.Anthropic) -> None:
    """An earlier turn is known in a later one."""
    turns: list[Any] = [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "What is my name?"},
    ]
    assert "Ada" in _text(client.messages.create(model="claude-opus-5", max_tokens=100, messages=turns))


def test_stream_tells_the_same(client: anthropic.Anthropic) -> None:
    """The stream helper adds up to the plain message, usage included."""
    plain = client.messages.create(model=MODEL, max_tokens=500, messages=OPEN)
    with client.messages.stream(model=MODEL, max_tokens=500, messages=OPEN) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == _text(plain) == _text(final)
    assert (final.usage.input_tokens, final.usage.output_tokens) == (plain.usage.input_tokens, plain.usage.output_tokens)
    assert (final.stop_reason, final.id) == (plain.stop_reason, plain.id)


def test_raw_stream(client: anthropic.Anthropic) -> None:
    """`stream=True` gives the documented order of events."""
    with client.messages.create(model=MODEL, max_tokens=100, messages=ASK, stream=True) as stream:
        kinds = [event.type for event in stream]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_tools_round_trip(client: anthropic.Anthropic) -> None:
    """Parallel calls come with inputs of the schema, and the next answer uses the results, failed ones too."""
    first = client.messages.create(model=MODEL, max_tokens=200, messages=[CITIES], tools=TOOLS)
    calls = [b for b in first.content if isinstance(b, ToolUseBlock)]
    assert first.stop_reason == "tool_use"
    assert [c.input for c in calls] == [{"city": "Paris"}, {"city": "Tokyo"}]
    results = [
        {"type": "tool_result", "tool_use_id": calls[0].id, "content": "sunny"},
        {"type": "tool_result", "tool_use_id": calls[1].id, "content": "no such city", "is_error": True},
    ]
    turns: list[Any] = [CITIES, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    said = _text(client.messages.create(model=MODEL, max_tokens=200, messages=turns, tools=TOOLS))
    assert said == "get_weather says: sunny\nget_weather failed: no such city"


def test_streamed_tool_calls(client: anthropic.Anthropic) -> None:
    """Streamed inputs arrive whole; one call where parallel ones are off, none where tools are forbidden."""
    with client.messages.stream(model=MODEL, max_tokens=200, messages=[CITIES], tools=TOOLS) as stream:
        calls = [b.input for b in stream.get_final_message().content if b.type == "tool_use"]
    assert calls == [{"city": "Paris"}, {"city": "Tokyo"}]
    choice: Any = {"type": "any", "disable_parallel_tool_use": True}
    one = client.messages.create(model=MODEL, max_tokens=200, messages=[CITIES], tools=TOOLS, tool_choice=choice)
    assert len(one.content) == 1
    none = client.messages.create(model=MODEL, max_tokens=200, messages=[CITIES], tools=TOOLS, tool_choice={"type": "none"})
    assert none.stop_reason != "tool_use"


def test_output_format(client: anthropic.Anthropic) -> None:
    """`parse` gives the Pydantic object of the schema it sent; `output_config` alone gives its JSON."""
    parsed = client.messages.parse(model=MODEL, max_tokens=200, messages=ASK, output_format=Sum).parsed_output
    assert parsed is not None
    assert parsed.answer == 4
    config: Any = {"format": {"type": "json_schema", "schema": Sum.model_json_schema()}}
    raw = client.messages.create(model=MODEL, max_tokens=200, messages=ASK, output_config=config)
    assert Sum.model_validate_json(_text(raw)).answer == 4


@pytest.mark.parametrize("is_stream", [False, True])
def test_thinking(client: anthropic.Anthropic, is_stream: bool) -> None:
    """With thinking enabled a thinking block comes first, and its tokens are counted."""
    asked: Any = {"model": MODEL, "max_tokens": 2000, "messages": ASK, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    if is_stream:
        with client.messages.stream(**asked) as stream:
            message: Any = stream.get_final_message()
    else:
        message = client.messages.create(**asked)
    assert [b.type for b in message.content] == ["thinking", "text"]
    assert message.usage.output_tokens_details.thinking_tokens > 5


def test_limits(client: anthropic.Anthropic) -> None:
    """The token cap ends a message with `max_tokens`, a stop sequence with its own name."""
    capped = client.messages.create(model=MODEL, max_tokens=5, messages=OPEN)
    assert (capped.stop_reason, capped.usage.output_tokens) == ("max_tokens", 5)
    stopped = client.messages.create(model=MODEL, max_tokens=500, messages=OPEN, stop_sequences=["2."])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "2.")
    assert "2." not in _text(stopped)


def test_tokens_are_counted(client: anthropic.Anthropic) -> None:
    """Token counting agrees with the usage of the message, and pictures count."""
    counted = client.messages.count_tokens(model=MODEL, messages=ASK).input_tokens
    assert counted == client.messages.create(model=MODEL, max_tokens=100, messages=ASK).usage.input_tokens
    source: Any = {"type": "base64", "media_type": "image/png", "data": PNG}
    parts: Any = [{"type": "image", "source": source}, {"type": "text", "text": "What is 2 + 2?"}]
    turn: list[Any] = [{"role": "user", "content": parts}]
    assert client.messages.count_tokens(model=MODEL, messages=turn).input_tokens > counted + 100
    assert "4" in _text(client.messages.create(model=MODEL, max_tokens=100, messages=turn))


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("container", {"extra_body": {"container": "container_1"}}),
        ("mcp_servers", {"extra_body": {"mcp_servers": [{"type": "url", "url": "https://example.com", "name": "x"}]}}),
        ("speed", {"extra_body": {"speed": "fast"}}),
        ("tools", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        ("tool_options", {"tools": [{**TOOLS[0], "defer_loading": True}]}),
        ("tool_choice", {"tools": TOOLS, "tool_choice": {"type": "tool", "name": "other"}}),
        ("tool_choice", {"tool_choice": {"type": "any"}}),
        ("temperature", {"extra_body": {"temperature": 1.5}}),
        ("no_such_field", {"extra_body": {"no_such_field": 1}}),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_nothing_is_ignored(client: anthropic.Anthropic, field: str, options: Any, is_stream: bool) -> None:
    """A request for what is not simulated is Anthropic's 400, which names the field."""
    with pytest.raises(anthropic.BadRequestError, match=field) as refused:
        client.messages.create(model=MODEL, max_tokens=50, messages=ASK, stream=is_stream, **options)
    body: Any = refused.value.body
    assert body["error"]["type"] == "invalid_request_error"


def test_options_without_effect_are_taken(client: anthropic.Anthropic) -> None:
    """What changes no answer is no reason to refuse one."""
    tool: Any = {**TOOLS[0], "type": "custom", "cache_control": {"type": "ephemeral"}}
    message = client.messages.create(
        model=MODEL,
        max_tokens=100,
        messages=ASK,
        tools=[tool],
        metadata={"user_id": "u"},
        service_tier="auto",
        thinking={"type": "disabled"},
        extra_headers={"anthropic-beta": "some-beta-2026-01-01"},
    )
    assert [b.type for b in message.content] == ["text"]


def test_models_are_listed_by_page(client: anthropic.Anthropic) -> None:
    """The list holds Anthropic's models only, in pages whose ids lead to the next; pages that do not exist are refused."""
    page = client.models.list(limit=2)
    ids = [model.id for model in page.data]
    assert (page.has_more, page.first_id, page.last_id, len(ids)) == (True, ids[0], ids[1], 2)
    everything = [model.id for model in page]
    assert everything[:2] == ids
    assert len(everything) == len(set(everything)) > 4
    assert MODEL in everything
    assert all(name.startswith("claude") for name in everything)
    before = client.models.list(limit=2, before_id=everything[3])
    assert ([m.id for m in before.data], before.has_more) == (everything[1:3], True)
    last = client.models.list(after_id=everything[-1])
    assert (last.data, last.has_more, last.first_id) == ([], False, None)
    for wrong in ({"limit": 0}, {"after_id": "gpt-5.4-mini"}, {"before_id": "nobody"}):
        with pytest.raises(anthropic.BadRequestError, match=min(wrong)):
            client.models.list(**wrong)


def test_one_model(client: anthropic.Anthropic) -> None:
    """A model is found by name, with its sizes; another provider's is Anthropic's 404."""
    model = client.models.retrieve(MODEL)
    assert (model.id, model.type, (model.max_input_tokens or 0) > 1000) == (MODEL, "model", True)
    with pytest.raises(anthropic.NotFoundError) as unknown:
        client.models.retrieve("gpt-5.4-mini")
    body: Any = unknown.value.body
    assert body["error"]["type"] == "not_found_error"


def test_answers_have_request_ids(client: anthropic.Anthropic) -> None:
    """Plain and streamed answers, counts, lists and refusals carry `request-id`."""
    raw = client.with_raw_response
    ids = [client.messages.create(model=MODEL, max_tokens=50, messages=ASK)._request_id]
    with client.messages.stream(model=MODEL, max_tokens=50, messages=ASK) as stream:
        ids.append(stream.request_id)
    ids.append(raw.messages.count_tokens(model=MODEL, messages=ASK).headers["request-id"])
    ids.append(raw.models.list().headers["request-id"])
    with pytest.raises(anthropic.NotFoundError) as unknown:
        client.models.retrieve("gpt-5.4-mini")
    assert len({*ids, unknown.value.request_id} - {None}) == 5


def _create(client: anthropic.Anthropic, fault: str) -> object:
    return client.messages.create(model=MODEL, max_tokens=100, messages=ASK, extra_headers={"x-pingpong-fault": fault})


def _count(client: anthropic.Anthropic, fault: str) -> object:
    return client.messages.count_tokens(model=MODEL, messages=ASK, extra_headers={"x-pingpong-fault": fault})


@pytest.mark.parametrize("call", [_create, _count])
@pytest.mark.parametrize(
    ("fault", "cls", "kind"),
    [
        ("400", "BadRequestError", "invalid_request_error"),
        ("401", "AuthenticationError", "authentication_error"),
        ("403", "PermissionDeniedError", "permission_error"),
        ("404", "NotFoundError", "not_found_error"),
        ("409", "ConflictError", "conflict_error"),
        ("413", "ContentTooLargeError", "request_too_large"),
        ("422", "UnprocessableEntityError", "invalid_request_error"),
        ("429", "RateLimitError", "rate_limit_error"),
        ("500", "InternalServerError", "api_error"),
        ("503", "ServiceUnavailableError", "overloaded_error"),
        ("504", "GatewayTimeoutError", "timeout_error"),
        ("529", "OverloadedError", "overloaded_error"),
        ("silence", "APITimeoutError", None),
    ],
)
def test_every_error_is_the_documented_one(
    client: anthropic.Anthropic, call: Callable[[anthropic.Anthropic, str], object], fault: str, cls: str, kind: str | None
) -> None:
    """Every status is the exception that the client documents, with Anthropic's type of error and the request id."""
    with pytest.raises(anthropic.APIError) as caught:
        call(client.with_options(timeout=0.5) if fault == "silence" else client, fault)
    assert type(caught.value) is getattr(anthropic, cls)
    if isinstance(caught.value, anthropic.APIStatusError):
        body: Any = caught.value.body
        assert (caught.value.status_code, body["error"]["type"]) == (int(fault), kind)
        assert caught.value.request_id == "req_simulated_fault"


def test_retry_after(client: anthropic.Anthropic) -> None:
    """The time to wait is told in the header."""
    with pytest.raises(anthropic.RateLimitError) as caught:
        _create(client, "429;retry_after=2")
    assert caught.value.response.headers["retry-after"] == "2"


def test_wrong_key_model_and_body(url: str, client: anthropic.Anthropic) -> None:
    """A key called invalid, an unknown model, an unknown path and wrong bodies fail as they do at Anthropic."""
    with (
        anthropic.Anthropic(base_url=url, api_key="invalid", max_retries=0) as stranger,
        pytest.raises(anthropic.AuthenticationError),
    ):
        stranger.messages.create(model=MODEL, max_tokens=9, messages=ASK)
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="no-such-model", max_tokens=9, messages=ASK)
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.list()
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model=MODEL, max_tokens=9, messages=[])
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model=MODEL, max_tokens=9, messages=BAD)


@pytest.mark.parametrize("fault", ["error_event=overloaded;after=0", "error_event=overloaded;after=4"])
def test_errors_inside_a_stream(client: anthropic.Anthropic, fault: str) -> None:
    """An error event in a 200 raises `APIStatusError` with Anthropic's type, first or in the middle."""
    with (
        client.messages.stream(model=MODEL, max_tokens=200, messages=OPEN, extra_headers={"x-pingpong-fault": fault}) as stream,
        pytest.raises(anthropic.APIStatusError) as caught,
    ):
        stream.until_done()
    body: Any = caught.value.body
    assert (caught.value.status_code, body["error"]["type"]) == (200, "overloaded_error")


def test_cut_and_broken_streams(client: anthropic.Anthropic) -> None:
    """A cleanly cut stream has no stop reason; a broken one raises the HTTP library's error, as the client lets it."""

    def read(fault: str) -> Any:
        headers = {"x-pingpong-fault": fault}
        with client.messages.stream(model=MODEL, max_tokens=200, messages=OPEN, extra_headers=headers) as stream:
            return stream.get_final_message()

    assert read("cut_events=3").stop_reason is None
    assert read("cut=900").stop_reason is None
    with pytest.raises((anthropic.APIConnectionError, httpx2.RemoteProtocolError)):
        read("reset=900")


def test_async_client(url: str) -> None:
    """The asynchronous client streams and fails alike."""

    async def main() -> str:
        async with anthropic.AsyncAnthropic(base_url=url, api_key="any", max_retries=0) as client:
            headers = {"x-pingpong-fault": "429"}
            with pytest.raises(anthropic.RateLimitError):
                await client.messages.create(model=MODEL, max_tokens=9, messages=ASK, extra_headers=headers)
            async with client.messages.stream(model=MODEL, max_tokens=100, messages=ASK) as stream:
                return await stream.get_final_text()

    assert "4" in asyncio.run(main())
