"""The official `google-genai` client against the simulator over HTTP, unchanged."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pydantic
import pytest
from google import genai
from google.genai import errors, types

MODEL = "gemini-2.5-flash"
EMBEDDER = "gemini-embedding-001"
ASK = "What is 2 + 2?"
OPEN = "Design a rate limiter for a public API"
CITIES = "What is the weather in Paris and Tokyo?"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = types.FunctionDeclaration(name="get_weather", description="Weather of a city", parameters_json_schema=SCHEMA)
TOOLS: Any = [types.Tool(function_declarations=[WEATHER])]
PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
Config = types.GenerateContentConfig


class Sum(pydantic.BaseModel):
    """What structured output is parsed into."""

    answer: int
    steps: list[str]


def _calling(mode: str, *names: str) -> types.ToolConfig:
    calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode(mode), allowed_function_names=list(names) or None)
    return types.ToolConfig(function_calling_config=calling)


def _options(url: str, fault: str | None = None, *, timeout_ms: int = 20_000) -> types.HttpOptions:
    headers = None if fault is None else {"x-pingpong-fault": fault}
    once = types.HttpRetryOptions(attempts=1)
    return types.HttpOptions(base_url=url, headers=headers, timeout=timeout_ms, retry_options=once)


@pytest.fixture
def client(url: str) -> Iterator[genai.Client]:
    with genai.Client(api_key="any", http_options=_options(url)) as client:
        yield client


@pytest.fixture
def make_faulty(url: str) -> Iterator[Callable[..., genai.Client]]:
    """Clients whose every request asks for one fault; closed at the end."""
    made: list[genai.Client] = []

    def make(fault: str, *, timeout_ms: int = 20_000) -> genai.Client:
        made.append(genai.Client(api_key="any", http_options=_options(url, fault, timeout_ms=timeout_ms)))
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_content(client: genai.Client) -> None:
    """Content comes with text, finish reason and usage."""
    answer = client.models.generate_content(model=MODEL, contents=ASK, config=Config(system_instruction="Be brief."))
    assert "4" in (answer.text or "")
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason is types.FinishReason.STOP
    usage = answer.usage_metadata
    assert usage is not None
    assert usage.total_token_count == (usage.prompt_token_count or 0) + (usage.candidates_token_count or 0)


def test_several_turns(client: genai.Client) -> None:
    """A chat knows its earlier turns."""
    chat = client.chats.create(model="gemini-2.5-pro")
    chat.send_message("My name is Ada.")
    assert "Ada" in (chat.send_message("What is my name?").text or "")


def test_stream_tells_the_same(client: genai.Client) -> None:
    """A streamed answer adds up to the plain one."""
    plain = client.models.generate_content(model=MODEL, contents=OPEN)
    chunks = list(client.models.generate_content_stream(model=MODEL, contents=OPEN))
    assert "".join(c.text or "" for c in chunks) == plain.text
    assert len(chunks) > 20
    assert chunks[-1].usage_metadata is not None
    assert plain.usage_metadata is not None
    assert chunks[-1].usage_metadata.total_token_count == plain.usage_metadata.total_token_count


def test_tools_round_trip(client: genai.Client) -> None:
    """Parallel calls come with arguments of the schema, and the next answer uses the results."""
    question = types.Content(role="user", parts=[types.Part(text=CITIES)])
    first = client.models.generate_content(model=MODEL, contents=[question], config=Config(tools=TOOLS))
    calls = first.function_calls or []
    assert [c.args for c in calls] == [{"city": "Paris"}, {"city": "Tokyo"}]
    assert first.candidates is not None
    asked = first.candidates[0].content
    results = [types.Part.from_function_response(name=c.name or "", response={"result": "sunny"}) for c in calls]
    turns: Any = [question, asked, types.Content(role="user", parts=results)]
    second = client.models.generate_content(model=MODEL, contents=turns, config=Config(tools=TOOLS))
    assert (second.text or "").count("sunny") == 2


def test_streamed_tool_calls(client: genai.Client) -> None:
    """Streamed calls arrive whole, also where a call is required."""
    calling = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY))
    chunks = client.models.generate_content_stream(model=MODEL, contents=CITIES, config=Config(tools=TOOLS, tool_config=calling))
    assert [c.args for chunk in chunks for c in chunk.function_calls or []] == [{"city": "Paris"}, {"city": "Tokyo"}]


def test_automatic_function_calling(client: genai.Client) -> None:
    """A chat that may call a Python function by itself calls it and tells its result."""

    def get_weather(city: str) -> str:
        """Weather of a city."""
        return f"rain in {city}"

    chat = client.chats.create(model=MODEL, config=Config(tools=[get_weather]))
    assert "rain in Paris" in (chat.send_message("What is the weather in Paris?").text or "")


def test_response_schemas(client: genai.Client) -> None:
    """Structured output by a Pydantic class and by JSON Schema."""
    json_type = "application/json"
    parsed = client.models.generate_content(
        model=MODEL, contents=ASK, config=Config(response_mime_type=json_type, response_schema=Sum)
    ).parsed
    assert isinstance(parsed, Sum)
    assert parsed.answer == 4
    raw = client.models.generate_content(
        model=MODEL, contents=ASK, config=Config(response_mime_type=json_type, response_json_schema=Sum.model_json_schema())
    )
    assert Sum.model_validate_json(raw.text or "").answer == 4


def test_thinking(client: genai.Client) -> None:
    """Thoughts come first where they are asked for, and their tokens are counted."""
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=1000)
    answer = client.models.generate_content(model=MODEL, contents=ASK, config=Config(thinking_config=thinking))
    assert answer.candidates is not None
    assert answer.candidates[0].content is not None
    assert [p.thought for p in answer.candidates[0].content.parts or []] == [True, None]
    assert answer.usage_metadata is not None
    assert (answer.usage_metadata.thoughts_token_count or 0) > 5


def test_limits(client: genai.Client) -> None:
    """The token cap ends content with MAX_TOKENS, a stop sequence before itself."""
    capped = client.models.generate_content(model=MODEL, contents=OPEN, config=Config(max_output_tokens=5))
    assert capped.candidates is not None
    assert capped.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    stopped = client.models.generate_content(model=MODEL, contents=OPEN, config=Config(stop_sequences=["2."]))
    assert "2." not in (stopped.text or "2.")


def test_images_and_token_counts(client: genai.Client) -> None:
    """A picture is taken and counted."""
    seen: Any = [types.Part.from_bytes(data=PNG, mime_type="image/png"), ASK]
    counted = client.models.count_tokens(model=MODEL, contents=ASK).total_tokens or 0
    assert 5 < counted < 30
    assert (client.models.count_tokens(model=MODEL, contents=seen).total_tokens or 0) > counted + 100
    assert "4" in (client.models.generate_content(model=MODEL, contents=seen).text or "")


@pytest.mark.parametrize("model", [EMBEDDER, "gemini-embedding-2"])
def test_embeddings(client: genai.Client, model: str) -> None:
    """Vectors of the asked length, one an input, the same each time."""
    config = types.EmbedContentConfig(output_dimensionality=64)
    pets: Any = ["cat", "dog"]
    both = client.models.embed_content(model=EMBEDDER, contents=pets, config=config).embeddings or []
    assert [len(e.values or ()) for e in both] == [64, 64]
    one = client.models.embed_content(model=model, contents="cat", config=config).embeddings or []
    assert len(one[0].values or ()) == 64
    assert model != EMBEDDER or one[0].values == both[0].values


@pytest.mark.parametrize(
    ("field", "config"),
    [
        ("generationConfig.responseLogprobs", Config(response_logprobs=True)),
        ("generationConfig.logprobs", Config(logprobs=3, response_logprobs=True)),
        ("generationConfig.responseModalities", Config(response_modalities=["AUDIO"])),
        ("generationConfig.responseMimeType", Config(response_mime_type="text/x.enum")),
        ("generationConfig.speechConfig", Config(speech_config=types.SpeechConfig(language_code="de-DE"))),
        ("generationConfig.temperature", Config(temperature=9)),
        ("generationConfig.topP", Config(top_p=3)),
        ("candidate", Config(candidate_count=3)),
        ("stopSequences", Config(stop_sequences=list("abcdef"))),
        ("cachedContent", Config(cached_content="cachedContents/1")),
        ("tools", Config(tools=[types.Tool(google_search=types.GoogleSearch())])),
        ("tool choice", Config(tools=TOOLS, tool_config=_calling("ANY", "get_weather", "other"))),
        ("tool_choice", Config(tool_config=_calling("ANY"))),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_nothing_is_ignored(client: genai.Client, field: str, config: types.GenerateContentConfig, is_stream: bool) -> None:
    """A request for what is not simulated is Google's 400, which names the field."""
    ask = client.models.generate_content_stream if is_stream else client.models.generate_content
    with pytest.raises(errors.ClientError, match=field) as refused:
        list(ask(model=MODEL, contents=ASK, config=config))
    assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")


def test_options_without_effect_are_taken(client: genai.Client) -> None:
    """What changes no answer is no reason to refuse one."""
    safe = types.SafetySetting(
        category=types.HarmCategory.HARM_CATEGORY_HARASSMENT, threshold=types.HarmBlockThreshold.BLOCK_NONE
    )
    plain = Config(response_mime_type="text/plain", response_modalities=["TEXT"], safety_settings=[safe], candidate_count=1)
    assert "4" in (client.models.generate_content(model=MODEL, contents=ASK, config=plain).text or "")


def test_json_without_a_schema(client: genai.Client) -> None:
    """JSON is given where only the media type asks for it."""
    text = client.models.generate_content(model=MODEL, contents=ASK, config=Config(response_mime_type="application/json")).text
    assert json.loads(text or "") == {"answer": "4"}


def test_thoughts_as_they_are_asked_for(client: genai.Client) -> None:
    """Thoughts come where they are to be included, and do not where they are not."""

    def thoughts(config: types.ThinkingConfig) -> int:
        answer = client.models.generate_content(model=MODEL, contents=ASK, config=Config(thinking_config=config))
        assert answer.candidates is not None
        assert answer.candidates[0].content is not None
        return sum(part.thought is True for part in answer.candidates[0].content.parts or [])

    assert thoughts(types.ThinkingConfig(include_thoughts=True)) == 1
    assert thoughts(types.ThinkingConfig(include_thoughts=True, thinking_budget=-1)) == 1
    assert thoughts(types.ThinkingConfig(include_thoughts=False, thinking_budget=1000)) == 0


def test_allowed_functions_are_called(client: genai.Client) -> None:
    """Of several functions only the allowed ones are called."""
    names = ("get_weather", "send_mail", "open_door")
    tools: Any = [types.Tool(function_declarations=[WEATHER.model_copy(update={"name": name}) for name in names])]
    config = Config(tools=tools, tool_config=_calling("ANY", "send_mail", "open_door"))
    calls = client.models.generate_content(model=MODEL, contents=CITIES, config=config).function_calls or []
    assert calls
    assert {call.name for call in calls} <= {"send_mail", "open_door"}


def test_models_are_listed(url: str, client: genai.Client) -> None:
    """The list holds Gemini's models only, in pages, under both versions of the API; an unknown one is Google's 404."""
    names = [model.name or "" for model in client.models.list(config={"page_size": 3})]
    assert f"models/{MODEL}" in names
    assert f"models/{EMBEDDER}" in names
    assert len(names) == len(set(names)) > 3
    assert not [name for name in names if name.startswith(("models/gpt", "models/claude", "models/text-embedding-3"))]
    options = _options(url)
    options.api_version = "v1"
    with genai.Client(api_key="any", http_options=options) as stable:
        assert [model.name for model in stable.models.list()] == names
    model = client.models.get(model=MODEL)
    assert (model.name, "generateContent" in (model.supported_actions or [])) == (f"models/{MODEL}", True)
    with pytest.raises(errors.ClientError) as unknown:
        client.models.get(model="gpt-5.4-mini")
    assert (unknown.value.code, unknown.value.status) == (404, "NOT_FOUND")
    with pytest.raises(errors.ClientError, match="pageSize"):
        client.models.list(config={"page_size": 5000})
    with pytest.raises(errors.ClientError, match="pageToken"):
        client.models.list(config={"page_token": "nonsense"})
    with pytest.raises(errors.ClientError, match="filter"):
        client.models.list(config={"filter": "name:x"})


def test_nothing_to_embed_is_refused(client: genai.Client) -> None:
    """An empty text has no vector."""
    texts: Any = ["cat", ""]
    with pytest.raises(errors.ClientError, match="empty") as refused:
        client.models.embed_content(model=EMBEDDER, contents=texts)
    assert refused.value.status == "INVALID_ARGUMENT"


def test_answers_have_request_ids(client: genai.Client) -> None:
    """Plain and streamed answers and refusals name the request as Google does."""
    plain = client.models.generate_content(model=MODEL, contents=ASK).sdk_http_response
    chunk = next(iter(client.models.generate_content_stream(model=MODEL, contents=ASK))).sdk_http_response
    assert plain is not None
    assert chunk is not None
    assert {"x-goog-request-id"} <= {name.lower() for name in plain.headers or {}}
    assert {"x-goog-request-id"} <= {name.lower() for name in chunk.headers or {}}


@pytest.mark.parametrize(
    ("fault", "cls", "status"),
    [
        ("400", errors.ClientError, "INVALID_ARGUMENT"),
        ("401", errors.ClientError, "UNAUTHENTICATED"),
        ("403", errors.ClientError, "PERMISSION_DENIED"),
        ("404", errors.ClientError, "NOT_FOUND"),
        ("409", errors.ClientError, "ABORTED"),
        ("422", errors.ClientError, "INVALID_ARGUMENT"),
        ("429", errors.ClientError, "RESOURCE_EXHAUSTED"),
        ("500", errors.ServerError, "INTERNAL"),
        ("503", errors.ServerError, "UNAVAILABLE"),
        ("504", errors.ServerError, "DEADLINE_EXCEEDED"),
    ],
)
def test_every_error_is_the_documented_one(
    make_faulty: Callable[..., genai.Client], fault: str, cls: type[errors.APIError], status: str
) -> None:
    """Every status is the exception that the client documents, with Google's name for it, on every endpoint."""
    client = make_faulty(fault)
    calls: list[Callable[[], object]] = [
        lambda: client.models.generate_content(model=MODEL, contents=ASK),
        lambda: list(client.models.generate_content_stream(model=MODEL, contents=ASK)),
        lambda: client.models.count_tokens(model=MODEL, contents=ASK),
        lambda: client.models.embed_content(model=EMBEDDER, contents=ASK),
    ]
    for call in calls:
        with pytest.raises(cls) as caught:
            call()
        assert (caught.value.code, caught.value.status) == (int(fault), status)


def test_wrong_key_and_model(url: str, client: genai.Client) -> None:
    """A key called invalid and an unknown model fail as Google's errors."""
    with genai.Client(api_key="invalid", http_options=_options(url)) as stranger, pytest.raises(errors.ClientError) as refused:
        stranger.models.generate_content(model=MODEL, contents=ASK)
    assert refused.value.status == "UNAUTHENTICATED"
    with pytest.raises(errors.ClientError) as unknown:
        client.models.generate_content(model="no-such-model", contents=ASK)
    assert unknown.value.status == "NOT_FOUND"


@pytest.mark.parametrize("fault", ["error_event=overloaded;after=0", "error_event=overloaded;after=4"])
def test_errors_inside_a_stream(make_faulty: Callable[..., genai.Client], fault: str) -> None:
    """An error inside a 200 raises `ServerError`, first or in the middle."""
    with pytest.raises(errors.ServerError) as caught:
        list(make_faulty(fault).models.generate_content_stream(model=MODEL, contents=OPEN))
    assert caught.value.status == "UNAVAILABLE"


def test_cut_broken_and_silent_streams(make_faulty: Callable[..., genai.Client]) -> None:
    """A cut stream has no finish reason; broken and silent ones raise the HTTP library's error, as the client lets it."""

    def read(fault: str, **options: Any) -> list[types.GenerateContentResponse]:
        return list(make_faulty(fault, **options).models.generate_content_stream(model=MODEL, contents=OPEN))

    cut = read("cut_events=3")
    assert len(cut) == 3
    assert not any(candidate.finish_reason for chunk in cut for candidate in chunk.candidates or [])
    with pytest.raises(httpx2.RemoteProtocolError):
        read("reset=300")
    with pytest.raises(httpx2.TimeoutException):
        read("silence", timeout_ms=500)


def test_async_client(url: str) -> None:
    """The asynchronous client streams and fails alike."""

    async def main() -> str:
        async with genai.Client(api_key="any", http_options=_options(url, "429")).aio as refused:
            with pytest.raises(errors.ClientError):
                await refused.models.generate_content(model=MODEL, contents=ASK)
        async with genai.Client(api_key="any", http_options=_options(url)).aio as client:
            chunks = [c.text or "" async for c in await client.models.generate_content_stream(model=MODEL, contents=ASK)]
        return "".join(chunks)

    assert "4" in asyncio.run(main())
