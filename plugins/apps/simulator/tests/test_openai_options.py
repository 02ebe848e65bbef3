"""What the official `openai` client may ask of the simulator beyond the canonical fields: honoured, or refused by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

MODEL = "gpt-5.4-mini"
EMBEDDER = "text-embedding-3-small"
ASK: list[Any] = [{"role": "user", "content": "What is 2 + 2?"}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
CHAT_TOOL: Any = {
    "type": "function",
    "function": {"name": "get_weather", "description": "Weather of a city", "parameters": SCHEMA},
}
TOOL: Any = {"type": "function", "name": "get_weather", "description": "Weather of a city", "parameters": SCHEMA, "strict": True}


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0, timeout=20) as client:
        yield client


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("n", {"n": 3}),
        ("logprobs", {"logprobs": True}),
        ("temperature", {"temperature": 9}),
        ("top_p", {"top_p": 1.5}),
        ("presence_penalty", {"presence_penalty": -3}),
        ("reasoning_effort", {"reasoning_effort": "huge"}),
        ("stop", {"stop": ["a", "b", "c", "d", "e"]}),
        ("modalities", {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}),
        ("functions", {"functions": [{"name": "f", "parameters": SCHEMA}], "function_call": {"name": "f"}}),
        ("function_call", {"function_call": "auto"}),
        ("tools", {"tools": [{"type": "custom", "custom": {"name": "c"}}], "tool_choice": "required"}),
        ("tool_choice", {"tools": [CHAT_TOOL], "tool_choice": {"type": "custom", "custom": {"name": "c"}}}),
        ("tool_choice", {"tools": [CHAT_TOOL], "tool_choice": {"type": "function", "function": {"name": "other"}}}),
        ("tool_choice", {"tool_choice": "required"}),
        ("response_format", {"response_format": {"type": "grammar"}}),
        ("logit_bias", {"logit_bias": {"50256": -100}}),
        ("web_search_options", {"web_search_options": {}}),
        ("no_such_field", {"extra_body": {"no_such_field": 1}}),
    ],
)
@pytest.mark.parametrize("is_stream", [False, True])
def test_chat_ignores_nothing(client: openai.OpenAI, field: str, options: Any, is_stream: bool) -> None:
    """A request for what is not simulated is OpenAI's 400, which names the field."""
    with pytest.raises(openai.BadRequestError, match=field) as refused:
        client.chat.completions.create(model=MODEL, messages=ASK, stream=is_stream, **options)
    assert refused.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("temperature", {"temperature": 9}),
        ("previous_response_id", {"previous_response_id": "resp_1"}),
        ("conversation", {"conversation": "conv_1"}),
        ("background", {"background": True}),
        ("include", {"include": ["message.output_text.logprobs"]}),
        ("top_logprobs", {"top_logprobs": 3}),
        ("tools", {"tools": [{"type": "web_search"}]}),
        ("tools", {"tools": [{"type": "custom", "name": "c"}], "tool_choice": "required"}),
        ("text.verbosity", {"text": {"verbosity": "low"}}),
        ("prompt", {"prompt": {"id": "pmpt_1"}}),
    ],
)
def test_responses_ignores_nothing(client: openai.OpenAI, field: str, options: Any) -> None:
    """The Responses API refuses by name what is not simulated."""
    with pytest.raises(openai.BadRequestError, match=field):
        client.responses.create(model=MODEL, input="What is 2 + 2?", **options)


def test_options_without_effect_are_taken(client: openai.OpenAI) -> None:
    """What changes no answer is no reason to refuse one."""
    told: Any = {"metadata": {"a": "b"}, "store": True, "safety_identifier": "x", "service_tier": "auto", "prompt_cache_key": "k"}
    chat = client.chat.completions.create(
        model=MODEL, messages=ASK, n=1, logprobs=False, user="u", modalities=["text"], response_format={"type": "text"}, **told
    )
    assert "4" in (chat.choices[0].message.content or "")
    answer = client.responses.create(
        model=MODEL, input="What is 2 + 2?", truncation="disabled", text={"verbosity": "medium"}, **told
    )
    assert "4" in answer.output_text


def test_json_objects_without_a_schema(client: openai.OpenAI) -> None:
    """JSON mode gives a JSON object that holds the answer, on both APIs."""
    chat = client.chat.completions.create(model=MODEL, messages=ASK, response_format={"type": "json_object"})
    answer = client.responses.create(model=MODEL, input="What is 2 + 2?", text={"format": {"type": "json_object"}})
    for text in (chat.choices[0].message.content or "", answer.output_text):
        assert json.loads(text)["answer"] == "4"


def test_allowed_tools_are_called(client: openai.OpenAI) -> None:
    """A required choice among listed tools calls one of those, on both APIs; an unknown one is refused."""
    other: Any = {"type": "function", "function": {"name": "send_mail", "parameters": SCHEMA}}
    listed: Any = {"mode": "required", "tools": [{"type": "function", "function": {"name": "send_mail"}}]}
    tools = [CHAT_TOOL, other]
    choice: Any = {"type": "allowed_tools", "allowed_tools": listed}
    chat = client.chat.completions.create(model=MODEL, messages=ASK, tools=tools, tool_choice=choice)
    assert {c.function.name for c in chat.choices[0].message.tool_calls or [] if c.type == "function"} == {"send_mail"}
    both: Any = [TOOL, {**TOOL, "name": "send_mail"}]
    one: Any = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "send_mail"}]}
    answer = client.responses.create(model=MODEL, input="What is 2 + 2?", tools=both, tool_choice=one)
    assert {item.name for item in answer.output if item.type == "function_call"} == {"send_mail"}
    with pytest.raises(openai.BadRequestError, match="send_mail"):
        client.chat.completions.create(model=MODEL, messages=ASK, tools=[CHAT_TOOL], tool_choice=choice)


@pytest.mark.parametrize("given", ["", ["a", ""], [], [1, 2], [[1, 2], [3]]])
def test_embeddings_of_nothing(client: openai.OpenAI, given: Any) -> None:
    """Empty inputs and token ids are OpenAI's 400, which names the field."""
    with pytest.raises(openai.BadRequestError, match="input") as refused:
        client.embeddings.create(model=EMBEDDER, input=given)
    assert refused.value.type == "invalid_request_error"


def test_vectors_have_a_greatest_length(client: openai.OpenAI) -> None:
    """A vector longer than any model's is refused."""
    with pytest.raises(openai.BadRequestError, match="dimensions"):
        client.embeddings.create(model=EMBEDDER, input="x", dimensions=100_000)


def test_answers_have_request_ids(client: openai.OpenAI) -> None:
    """Plain and streamed answers, vectors, lists and refusals carry `x-request-id`, the same one each time."""
    raw = client.with_raw_response
    chats = [raw.chat.completions.create(model=MODEL, messages=ASK).headers for _ in range(2)]
    assert chats[0]["x-request-id"] == chats[1]["x-request-id"]
    stream = raw.chat.completions.create(model=MODEL, messages=ASK, stream=True)
    ids = [chats[0]["x-request-id"], stream.headers["x-request-id"]]
    stream.parse().close()
    ids.append(raw.responses.create(model=MODEL, input="x").headers["x-request-id"])
    ids.append(raw.embeddings.create(model=EMBEDDER, input="x").headers["x-request-id"])
    ids.append(raw.models.list().headers["x-request-id"])
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MODEL, messages=ASK, n=2)
    assert len({*ids, refused.value.request_id}) == 6
