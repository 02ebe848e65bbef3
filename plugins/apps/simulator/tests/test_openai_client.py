"""The official `openai` client against the simulator over HTTP, unchanged."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pydantic
import pytest

MODEL = "gpt-5.4-mini"
EMBEDDER = "text-embedding-3-small"
ASK: list[Any] = [{"role": "user", "content": "What is 2 + 2?"}]
BAD: list[Any] = [{"role": "bob", "content": "x"}]
OPEN: list[Any] = [{"role": "user", "content": "Design a rate limiter for a public API"}]
CITIES = "What is the weather in Paris and Tokyo?"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
CHAT_TOOL: Any = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city", "parameters": SCHEMA},
}
TOOL: Any = {"type": "function", "name": "get_weather", "description": "Weather of a city", "parameters": SCHEMA, "strict": True}
PNG = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class Sum(pydantic.BaseModel):
    """What structured output is parsed into."""

    answer: int
    steps: list[str]


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0, timeout=20) as client:
        yield client


def test_chat(client: openai.OpenAI) -> None:
    """A chat answers with text, finish reason, model and usage."""
    answer = client.chat.completions.create(model=MODEL, messages=[{"role": "system", "content": "Be brief."}, *ASK])
    assert "4" in (answer.choices[0].message.content or "")
    assert (answer.choices[0].finish_reason, answer.model) == ("stop", MODEL)
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 10


def test_chat_of_several_turns(client: openai.OpenAI) -> None:
    """An earlier turn is known in a later one."""
    turns: list[Any] = [
        {"role": "user", "content": "My name is Ada."},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "What is my name?"},
    ]
    answer = client.chat.completions.create(model="gpt-5.1", messages=turns)
    assert "Ada" in (answer.choices[0].message.content or "")


def test_chat_stream_tells_the_same(client: openai.OpenAI) -> None:
    """A streamed chat adds up to the plain answer, with usage last when it is asked for."""
    plain = client.chat.completions.create(model=MODEL, messages=OPEN)
    with client.chat.completions.create(
        model=MODEL, messages=OPEN, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == plain.choices[0].message.content
    assert chunks[-1].usage == plain.usage
    assert len(chunks) > 20


def test_chat_tools_round_trip(client: openai.OpenAI) -> None:
    """Parallel calls come with arguments of the schema, and the next answer uses the results."""
    messages: list[Any] = [{"role": "user", "content": CITIES}]
    first = client.chat.completions.create(model=MODEL, messages=messages, tools=[CHAT_TOOL])
    calls = first.choices[0].message.tool_calls or []
    assert first.choices[0].finish_reason == "tool_calls"
    assert [c.function.arguments for c in calls if c.type == "function"] == ['{"city":"Paris"}', '{"city":"Tokyo"}']
    messages.append(first.choices[0].message)
    messages += [{"role": "tool", "tool_call_id": c.id, "content": "sunny"} for c in calls]
    second = client.chat.completions.create(model=MODEL, messages=messages, tools=[CHAT_TOOL])
    assert (second.choices[0].message.content or "").count("sunny") == 2


def test_chat_streams_tool_calls(client: openai.OpenAI) -> None:
    """The client's stream helper puts parallel calls together again; one call where parallel ones are off."""
    messages: list[Any] = [{"role": "user", "content": CITIES}]
    with client.chat.completions.stream(model=MODEL, messages=messages, tools=[CHAT_TOOL]) as stream:
        final = stream.get_final_completion()
    assert [c.function.arguments for c in final.choices[0].message.tool_calls or []] == ['{"city":"Paris"}', '{"city":"Tokyo"}']
    one = client.chat.completions.create(
        model=MODEL, messages=messages, tools=[CHAT_TOOL], parallel_tool_calls=False, tool_choice="required"
    )
    assert len(one.choices[0].message.tool_calls or []) == 1


def test_chat_parses_json_schema(client: openai.OpenAI) -> None:
    """`parse` gives the Pydantic object of the schema it sent."""
    parsed = client.chat.completions.parse(model=MODEL, messages=ASK, response_format=Sum).choices[0].message.parsed
    assert parsed is not None
    assert parsed.answer == 4


def test_chat_limits(client: openai.OpenAI) -> None:
    """The token cap ends an answer with `length`, a stop sequence before itself."""
    capped = client.chat.completions.create(model=MODEL, messages=OPEN, max_completion_tokens=5)
    assert (capped.choices[0].finish_reason, capped.usage and capped.usage.completion_tokens) == ("length", 5)
    stopped = client.chat.completions.create(model="gpt-4o-mini", messages=OPEN, stop=["2."])
    assert "2." not in (stopped.choices[0].message.content or "")
    assert stopped.choices[0].finish_reason == "stop"


def test_seed_is_honoured(client: openai.OpenAI) -> None:
    """Equal seeds give equal answers, other seeds other ones."""

    def ask(seed: int) -> str | None:
        return client.chat.completions.create(model="gpt-4o-mini", messages=OPEN, seed=seed).choices[0].message.content

    assert ask(1) == ask(1)
    assert len({ask(seed) for seed in range(5)}) > 1


def test_images_are_accepted(client: openai.OpenAI) -> None:
    """A picture beside the question is taken and counted."""
    parts: list[Any] = [{"type": "text", "text": "What is 2 + 2?"}, {"type": "image_url", "image_url": {"url": PNG}}]
    with_image = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": parts}])
    without = client.chat.completions.create(model=MODEL, messages=ASK)
    assert with_image.usage is not None
    assert without.usage is not None
    assert with_image.usage.prompt_tokens > without.usage.prompt_tokens + 100


def test_responses(client: openai.OpenAI) -> None:
    """The Responses API answers, keeps turns, and reports usage."""
    answer = client.responses.create(model=MODEL, input="What is 2 + 2?", instructions="Be brief.")
    assert "4" in answer.output_text
    assert (answer.status, answer.usage and answer.usage.output_tokens_details.reasoning_tokens) == ("completed", 0)
    capped = client.responses.create(model=MODEL, input="Design a cache", max_output_tokens=16)
    assert capped.incomplete_details is not None
    assert (capped.status, capped.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_responses_stream_with_reasoning(client: openai.OpenAI) -> None:
    """A streamed response reasons when asked, and its final object equals what the events told."""
    with client.responses.stream(model=MODEL, input="What is 2 + 2?", reasoning={"effort": "low", "summary": "auto"}) as stream:
        text = "".join(e.delta for e in stream if e.type == "response.output_text.delta")
        final = stream.get_final_response()
    assert [item.type for item in final.output] == ["reasoning", "message"]
    assert final.output_text == text
    assert final.usage is not None
    assert final.usage.output_tokens_details.reasoning_tokens > 5


def test_responses_tools_round_trip(client: openai.OpenAI) -> None:
    """Function calls of the Responses API come in parallel and their outputs are used."""
    first = client.responses.create(model=MODEL, input=CITIES, tools=[TOOL])
    calls = [item for item in first.output if item.type == "function_call"]
    assert [c.arguments for c in calls] == ['{"city":"Paris"}', '{"city":"Tokyo"}']
    turns: list[Any] = [{"role": "user", "content": CITIES}, *first.output]
    turns += [{"type": "function_call_output", "call_id": c.call_id, "output": "rain"} for c in calls]
    assert client.responses.create(model=MODEL, input=turns, tools=[TOOL]).output_text.count("rain") == 2


def test_responses_stream_tool_calls(client: openai.OpenAI) -> None:
    """Streamed function calls arrive whole."""
    with client.responses.stream(model=MODEL, input=CITIES, tools=[TOOL]) as stream:
        final = stream.get_final_response()
    assert [i.arguments for i in final.output if i.type == "function_call"] == ['{"city":"Paris"}', '{"city":"Tokyo"}']


def test_responses_json_schema(client: openai.OpenAI) -> None:
    """Structured output by `text_format`, and by `text.format` of `create`."""
    parsed = client.responses.parse(model=MODEL, input="What is 2 + 2?", text_format=Sum).output_parsed
    assert parsed is not None
    assert parsed.answer == 4
    schema = {**Sum.model_json_schema(), "additionalProperties": False}
    raw = client.responses.create(
        model=MODEL,
        input="What is 2 + 2?",
        text={"format": {"type": "json_schema", "name": "sum", "schema": schema, "strict": True}},
    )
    assert Sum.model_validate_json(raw.output_text).answer == 4


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings(client: openai.OpenAI, encoding: Any) -> None:
    """Vectors of the asked length and of norm 1, the same each time, in either encoding."""
    first = client.embeddings.create(model=EMBEDDER, input=["cat", "dog"], dimensions=64, encoding_format=encoding)
    again = client.embeddings.create(model=EMBEDDER, input="cat", dimensions=64)
    cat = first.data[0].embedding
    if isinstance(cat, str):
        assert len(base64.b64decode(cat)) == 64 * 4
        return
    assert len(first.data) == 2
    assert len(cat) == 64
    assert sum(x * x for x in cat) == pytest.approx(1, abs=1e-5)
    assert cat == pytest.approx(again.data[0].embedding, abs=1e-6)
    assert first.usage.prompt_tokens == 2


def test_models_are_listed(client: openai.OpenAI) -> None:
    """The list of models holds OpenAI's and no other's; one is found by name, an unknown one is OpenAI's 404."""
    listed = list(client.models.list())
    assert {m.owned_by for m in listed} == {"openai"}
    assert MODEL in {m.id for m in listed}
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError) as unknown:
        client.models.retrieve("claude-haiku-4-5")
    assert unknown.value.type == "invalid_request_error"


def test_prompt_cache_is_counted(client: openai.OpenAI) -> None:
    """A long prefix that comes again is reported as cached."""
    long = "The town has a river and an old bridge that few people use. " * 150
    first, second = (
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": f"{long}{q}"}])
        for q in ("Tell me one thing.", "Tell me another.")
    )
    cached = [a.usage.prompt_tokens_details.cached_tokens for a in (first, second) if a.usage and a.usage.prompt_tokens_details]
    assert cached[0] == 0
    assert (cached[1] or 0) >= 1024
    assert first.usage is not None
    assert second.usage is not None
    assert abs(first.usage.prompt_tokens - second.usage.prompt_tokens) <= 2


def _chat(client: openai.OpenAI, fault: str) -> object:
    return client.chat.completions.create(model=MODEL, messages=ASK, extra_headers={"x-pingpong-fault": fault})


def _respond(client: openai.OpenAI, fault: str) -> object:
    return client.responses.create(model=MODEL, input="What is 2 + 2?", extra_headers={"x-pingpong-fault": fault})


def _embed(client: openai.OpenAI, fault: str) -> object:
    return client.embeddings.create(model=EMBEDDER, input="a", extra_headers={"x-pingpong-fault": fault})


@pytest.mark.parametrize("call", [_chat, _respond, _embed])
@pytest.mark.parametrize(
    ("fault", "cls"),
    [
        ("400", openai.BadRequestError),
        ("401", openai.AuthenticationError),
        ("403", openai.PermissionDeniedError),
        ("404", openai.NotFoundError),
        ("409", openai.ConflictError),
        ("422", openai.UnprocessableEntityError),
        ("429", openai.RateLimitError),
        ("500", openai.InternalServerError),
        ("503", openai.InternalServerError),
        ("529", openai.InternalServerError),
        ("silence", openai.APITimeoutError),
    ],
)
def test_every_error_is_the_documented_one(
    client: openai.OpenAI, call: Callable[[openai.OpenAI, str], object], fault: str, cls: type[openai.APIError]
) -> None:
    """Every status, on every endpoint, is the exception that the client documents, with message and request id."""
    with pytest.raises(cls) as caught:
        call(client.with_options(timeout=0.5) if fault == "silence" else client, fault)
    assert type(caught.value) is cls
    if isinstance(caught.value, openai.APIStatusError):
        assert caught.value.status_code == int(fault)
        assert caught.value.request_id == "req_simulated_fault"
        assert "Simulated fault" in str(caught.value)


def test_error_codes_and_waits(client: openai.OpenAI) -> None:
    """Quota, context length and the time to wait are told as OpenAI tells them."""
    with pytest.raises(openai.RateLimitError) as limited:
        _chat(client, "429;retry_after=2")
    assert limited.value.response.headers["retry-after"] == "2"
    with pytest.raises(openai.RateLimitError) as quota:
        _chat(client, "429;kind=quota_exhausted")
    assert quota.value.code == "insufficient_quota"
    with pytest.raises(openai.BadRequestError) as length:
        _chat(client, "400;kind=context_length_exceeded")
    assert length.value.code == "context_length_exceeded"


def test_wrong_key_model_and_body(url: str, client: openai.OpenAI) -> None:
    """A key called invalid, an unknown model, an empty conversation and a wrong role fail as they do at OpenAI."""
    with (
        openai.OpenAI(base_url=f"{url}/v1", api_key="invalid", max_retries=0) as stranger,
        pytest.raises(openai.AuthenticationError) as refused,
    ):
        stranger.chat.completions.create(model=MODEL, messages=ASK)
    assert (refused.value.code, refused.value.type) == ("invalid_api_key", "invalid_request_error")
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="no-such-model", messages=ASK)
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=MODEL, messages=[])
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=MODEL, messages=BAD)
    with pytest.raises(openai.NotFoundError):
        client.files.list()


def test_errors_inside_a_stream(client: openai.OpenAI) -> None:
    """An error event raises `APIError` after what came before it, on both APIs."""
    headers = {"x-pingpong-fault": "error_event=overloaded;after=2"}
    seen: list[object] = []
    with pytest.raises(openai.APIError, match="overloaded"):
        seen.extend(client.chat.completions.create(model=MODEL, messages=OPEN, stream=True, extra_headers=headers))
    assert len(seen) >= 2
    with pytest.raises(openai.APIError, match="overloaded"):
        list(client.responses.create(model=MODEL, input="Design a cache", stream=True, extra_headers=headers))


def test_cut_and_broken_streams(client: openai.OpenAI) -> None:
    """A cleanly cut stream ends early without an end of its own; a broken one raises `APIConnectionError`."""
    cut = list(
        client.chat.completions.create(
            model=MODEL, messages=OPEN, stream=True, extra_headers={"x-pingpong-fault": "cut_events=3"}
        )
    )
    assert cut
    assert all(c.choices[0].finish_reason is None for c in cut)
    with pytest.raises(openai.APIConnectionError):
        list(
            client.chat.completions.create(
                model=MODEL, messages=OPEN, stream=True, extra_headers={"x-pingpong-fault": "reset=300"}
            )
        )


def test_async_client(url: str) -> None:
    """The asynchronous client streams and fails alike."""

    async def main() -> str:
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0) as client:
            with pytest.raises(openai.RateLimitError):
                await client.responses.create(model=MODEL, input="x", extra_headers={"x-pingpong-fault": "429"})
            async with client.chat.completions.stream(model=MODEL, messages=ASK) as stream:
                return (await stream.get_final_completion()).choices[0].message.content or ""

    assert "4" in asyncio.run(main())
