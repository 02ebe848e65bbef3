"""The engine: one answer for one request, tools, schemas, limits, reasoning, vectors and caching."""

from __future__ import annotations

import json
import math
from typing import Any

import jsonschema
import pytest
from attrs import evolve
from pingpong import (
    Capability,
    Card,
    EmbedRequest,
    FinishReason,
    Image,
    InvalidRequestError,
    OutputSchema,
    Request,
    Text,
    Tool,
    ToolChoice,
    assistant,
    system,
    tool_result,
    user,
)
from pingpong_simulator import tokens
from pingpong_simulator.caching import PromptCache
from pingpong_simulator.engine import Model, answer, vectors
from pingpong_simulator.tasks import tasks

CARD = Card(provider="toy", model="m", endpoints=("chat",), capabilities=frozenset({Capability.reasoning}))
MODEL = Model(CARD, 0.99)
WEATHER = Tool(
    "get_weather", "Weather of a city", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
)
CLOCK = Tool("get_time", "The time of day", {"type": "object", "properties": {"zone": {"enum": ["UTC", "CET"]}}})
OPEN = Request("Design a rate limiter for a public API")


def test_equal_arguments_give_equal_answers() -> None:
    """An answer is decided by seed, model and request; how it is carried does not matter."""
    assert answer(OPEN, MODEL, 1) == answer(evolve(OPEN, provider_options={"toy": {"x": 1}}, timeout_s=3.0), MODEL, 1)
    texts = {answer(evolve(OPEN, seed=seed), MODEL, 1).text for seed in range(6)}
    assert len(texts) > 1
    assert len({answer(OPEN, MODEL, seed).text for seed in range(6)}) > 1
    assert len({answer(OPEN, Model(evolve(CARD, model=f"m{i}"), 0.9), 1).text for i in range(6)}) > 1
    pictures = {answer(Request(user((Text("Describe"), Image(data=bytes([i]))))), MODEL, 1).response_id for i in range(3)}
    assert len(pictures) == 3


@pytest.mark.parametrize("seed", range(5))
def test_open_answers_say_that_they_are_simulated(seed: int) -> None:
    """An open prompt gets numbered advice, on its subject where it is known, that says it is simulated."""
    text = answer(OPEN, MODEL, seed).text
    assert "simulated" in text.lower()
    assert "token bucket" in text
    assert "\n6. " in text


def test_multiline_answers_are_not_dressed() -> None:
    """What a program prints on several lines is given as it is."""
    question = "What does this print?\n```python\nprint(1)\nprint(2)\n```"
    assert answer(Request(question), MODEL, 1).text == "1\n2"


def test_calls_one_tool_for_each_thing_named() -> None:
    """A tool is called once for every name in the prompt, with ids of their own, or once where parallel calls are off."""
    request = Request("What is the weather in San Francisco, CA and Tokyo?", tools=(WEATHER, CLOCK))
    response = answer(request, MODEL, 1)
    assert [json.loads(c.arguments)["city"] for c in response.tool_calls] == ["San Francisco, CA", "Tokyo"]
    assert len({c.call_id for c in response.tool_calls}) == 2
    assert response.finish_reason is FinishReason.tool_calls
    assert len(answer(evolve(request, parallel_tool_calls=False), MODEL, 1).tool_calls) == 1


def test_calls_every_tool_that_is_asked_for() -> None:
    """A prompt about two tools' subjects calls both; asked for several in parallel, one tool is called twice."""
    both = answer(Request("What are weather and time in UTC?", tools=(WEATHER, CLOCK)), MODEL, 1).tool_calls
    assert [c.name for c in both] == ["get_weather", "get_time"]
    twice = Request("Check the weather twice, both at once", tools=(WEATHER,), parallel_tool_calls=True)
    assert len(answer(twice, MODEL, 1).tool_calls) == 2


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (None, []),
        (ToolChoice("auto"), []),
        (ToolChoice("none"), []),
        (ToolChoice("required"), ["get_weather"]),
        (ToolChoice("named", "get_time"), ["get_time"]),
        (ToolChoice("named", "unknown"), []),
    ],
)
def test_tool_choice_is_obeyed(choice: ToolChoice | None, names: list[str]) -> None:
    """A greeting calls no tool unless the choice insists; the named tool is the one called."""
    response = answer(Request("Hello there", tools=(WEATHER, CLOCK), tool_choice=choice), MODEL, 1)
    assert [c.name for c in response.tool_calls] == names


def test_arguments_satisfy_the_schema() -> None:
    """Whatever a tool wants, its arguments are valid."""
    place = {"type": "object", "properties": {"name": {"type": "string", "minLength": 3}}, "required": ["name"]}
    schema = {
        "type": "object",
        "properties": {
            "days": {"type": "integer", "minimum": 1, "maximum": 5},
            "unit": {"enum": ["fahrenheit", "celsius"]},
            "where": {"type": "array", "items": place, "minItems": 2},
        },
        "required": ["days", "unit", "where"],
    }
    request = Request("Forecast for 3 days in celsius", tools=(Tool("forecast", "", schema),))
    (call,) = answer(request, MODEL, 1).tool_calls
    values = json.loads(call.arguments)
    jsonschema.validate(values, schema)
    assert (values["days"], values["unit"]) == (3, "celsius")


def test_a_tool_schema_without_a_value_is_the_callers_error() -> None:
    """Parameters that contradict themselves are refused."""
    broken = Tool("weather", "", {"type": "object", "properties": {"a": {"enum": []}}, "required": ["a"]})
    with pytest.raises(InvalidRequestError, match="enum"):
        answer(Request("weather", tools=(broken,)), MODEL, 1)


def test_results_are_told() -> None:
    """After tool results the answer tells them in order, failures as failures, and calls nothing again."""
    first = Request("What is the weather in Paris and Tokyo?", tools=(WEATHER,))
    one, two = answer(first, MODEL, 1).tool_calls
    turns = (*first.messages, assistant((one, two)), tool_result(one, "sunny"), tool_result(two, "", is_error=True))
    response = answer(evolve(first, messages=turns), MODEL, 1)
    assert response.text == "get_weather says: sunny\nget_weather failed: nothing in words"
    again = answer(evolve(first, messages=turns, tool_choice=ToolChoice("required")), MODEL, 1)
    assert again.finish_reason is FinishReason.tool_calls


def test_facts_may_stand_in_earlier_turns_and_tool_results() -> None:
    """A question is answered from the whole conversation."""
    call = answer(Request("weather of Oslo", tools=(WEATHER,)), MODEL, 1).tool_calls[0]
    turns = (
        system("The mentor of Ana is Bo."),
        user("weather of Oslo"),
        assistant((call,)),
        tool_result(call, "The deputy of Bo is Cy."),
        assistant("Noted."),
        user("Who is the deputy of the mentor of Ana?"),
    )
    assert "Cy" in answer(Request(turns), MODEL, 1).text


def test_structured_output_holds_the_answer() -> None:
    """JSON of the schema, with the task's answer in the property called so."""
    properties = {"answer": {"type": "number"}, "unit": {"type": ["string", "null"]}}
    schema = {"type": "object", "properties": properties, "required": ["answer", "unit"]}
    response = answer(Request("What is 6 * 7?", output_schema=OutputSchema(schema)), MODEL, 1)
    jsonschema.validate(json.loads(response.text), schema)
    assert json.loads(response.text)["answer"] == 42


@pytest.mark.parametrize(
    ("options", "is_shown"),
    [
        ({}, False),
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": "low"}, True),
        ({"reasoning_budget_tokens": 5}, True),
    ],
)
def test_reasons_when_asked(options: dict[str, Any], is_shown: bool) -> None:
    """A model that can reason does so when asked, within its budget; others never do."""
    request = evolve(OPEN, **options)
    reasoning = answer(request, MODEL, 1).reasoning
    assert bool(reasoning) is is_shown
    assert tokens.count(reasoning) <= (request.reasoning_budget_tokens or 1000)
    assert answer(request, Model(evolve(CARD, capabilities=frozenset()), 0.9), 1).reasoning == ""


def test_the_earliest_stop_sequence_ends_the_answer() -> None:
    """Text ends before the first stop sequence that occurs in it, which is named; an answer may end up empty."""
    response = answer(evolve(OPEN, stop=("nowhere", "3.", "2.")), MODEL, 1)
    assert response.stop_sequence == "2."
    assert response.text.endswith("\n")
    assert "1." in response.text
    assert answer(evolve(OPEN, stop=(answer(OPEN, MODEL, 1).text[:3],)), MODEL, 1).parts == ()


@pytest.mark.parametrize("limit", [1, 5, 30, 10_000])
def test_the_token_limit_ends_the_answer(limit: int) -> None:
    """Output, reasoning counted, never exceeds the limit, and says so when it was cut."""
    response = answer(evolve(OPEN, reasoning_effort="low", max_output_tokens=limit), MODEL, 1)
    assert sum(tokens.output_tokens(response)) <= limit
    assert (response.finish_reason is FinishReason.length) is (limit < 10_000)


def test_a_tool_call_is_never_cut() -> None:
    """A call that does not fit the token limit is left out, not halved."""
    request = Request("weather in Paris and Tokyo", tools=(WEATHER,), max_output_tokens=12)
    response = answer(request, MODEL, 1)
    assert len(response.tool_calls) < 2
    assert all(json.loads(c.arguments) for c in response.tool_calls)
    assert response.finish_reason is FinishReason.length


def test_vectors() -> None:
    """Unit vectors of the asked length, seeded, nearer for texts that share words."""
    request = EmbedRequest(("a red cat", "a red dog", "quantum tax law", ""), dimensions=256)
    cat, dog, law, nothing = vectors(request, MODEL, 1)
    assert {len(v) for v in (cat, dog, law, nothing)} == {256}
    assert all(math.isclose(math.hypot(*v), 1) for v in (cat, dog, law, nothing))
    assert _dot(cat, dog) > _dot(cat, law) + 0.2
    assert vectors(request, MODEL, 1) == vectors(request, MODEL, 1) != vectors(request, MODEL, 2)
    assert len(vectors(EmbedRequest("x"), MODEL, 1)[0]) == 1536
    assert vectors(EmbedRequest("x", dimensions=1), MODEL, 1)[0] in ((1.0,), (-1.0,))


def _dot(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("text", ["", "Hello, world!  42", "ünïcödé 日本語 \u2028 x_y", "\n\n a\t", "²½ a1b2", "\ud800"])
def test_pieces_are_the_text(text: str) -> None:
    """The tokens of a text, joined, are the text."""
    assert "".join(tokens.pieces(text)) == text


def test_tokens_count_the_same_each_time_and_less_than_estimated() -> None:
    """Counts are whole-text sums and stay below the kernel's upper estimate for prompts in prose."""
    from pingpong import estimate_text_tokens

    for task in tasks(2, 50):
        assert 0 < tokens.count(task.prompt) <= estimate_text_tokens(task.prompt)


def test_prompt_cache_counts_whole_blocks_of_long_prefixes() -> None:
    """Nothing below 1,024 tokens, whole blocks above, per model, and only from the beginning."""
    cache = PromptCache()
    long = "word " * 2000
    assert cache.read("a", Request(long)) == 0
    assert cache.read("a", Request(f"{long} more")) >= 1920
    assert cache.read("b", Request(long)) == 0
    assert cache.read("a", Request(f"other {long}")) == 0
    assert cache.read("a", Request("word " * 500)) == 0
    assert cache.read("a", Request("word " * 500)) == 0
