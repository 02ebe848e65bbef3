"""Requests: what is refused before anything is spent, what is needed of a model, and how large a text is."""

from __future__ import annotations

from typing import Any

import pingpong as pp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pingpong import Capability as C
from pingpong.testing import FakeTransport, fake_client

CALL = pp.ToolCall("1", "clock", "{}")
HALF = "\ud83d"
"""Half of a surrogate pair, as a cut UTF-16 text has it."""

REFUSED: list[tuple[Any, str]] = [
    ("", "empty"),
    (" \n\t\u3000", "empty"),
    ((), "no messages"),
    ([pp.system("rules")], "empty"),
    ([pp.system("rules"), pp.user("")], "empty"),
    ([pp.user(())], "empty"),
    (HALF, r"messages\[0\].*surrogate pair at character 0"),
    ([pp.user("ok"), pp.assistant("é" + HALF)], r"messages\[1\].*character 1"),
    ([pp.system(HALF), pp.user("ok")], r"messages\[0\].*surrogate"),
    ([pp.user("ok"), pp.Message(pp.Role.assistant, (pp.Reasoning(HALF),))], "surrogate"),
    ([pp.user("ok"), pp.Message(pp.Role.assistant, (pp.ToolCall("1", "t", f'"{HALF}"'),))], r"messages\[1\].*surrogate"),
    ([pp.user("ok"), pp.assistant((CALL,)), pp.tool_result(CALL, HALF)], r"messages\[2\].*surrogate"),
    ([pp.user((CALL,))], "ToolCall belongs to an assistant message, not to user"),
    ([pp.user("ok"), pp.system((pp.Reasoning("hm"),))], "Reasoning belongs to an assistant"),
    ([pp.user((pp.ToolCallResponse("1", "12:00"),))], "tool call responses, and nothing else"),
    ([pp.user("ok"), pp.Message(pp.Role.tool, "12:00")], "tool call responses, and nothing else"),
]


@pytest.mark.anyio
@pytest.mark.parametrize(("messages", "message"), REFUSED)
async def test_what_no_provider_could_answer_is_refused(messages: Any, message: str) -> None:
    """The caller is told which message is wrong and why; nothing is sent, entered or attempted."""
    transport = FakeTransport()
    client = fake_client(transport)
    request = pp.Request(messages, model="fake:small")
    for ask in (client.complete, client.plan, client.count_tokens, lambda r: client.stream(r).outcome()):
        with pytest.raises(pp.InvalidRequestError, match=message) as caught:
            await ask(request)
        assert caught.value.attempts == ()
    assert transport.requests == []
    assert client.ledger.entries == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    "messages",
    [
        "x",
        "naïve 🙂 漢字",
        [pp.system("rules"), pp.user("hi"), pp.assistant(""), pp.user("again")],
        [pp.user((pp.Image(data=b"png", media_type="image/png"),))],
        [pp.user("hi"), pp.assistant((pp.Reasoning(""), CALL)), pp.tool_result(CALL, "12:00"), pp.user("so?")],
        [pp.user("hi"), pp.assistant((CALL,)), pp.tool_result(CALL, (pp.Image(url="https://x.test/a.png"),), is_error=True)],
        [pp.user((pp.Opaque("fake", "{}"),))],
        [
            pp.user("hi"),
            pp.assistant((CALL,)),
            pp.Message(pp.Role.tool, (pp.ToolCallResponse("1", "ok"), pp.Opaque("fake", "{}"))),
        ],
    ],
)
async def test_what_can_be_answered_is_sent_whole(messages: Any) -> None:
    """A request that passes arrives as it was given."""
    seen: list[pp.Request] = []

    def answer(request: pp.Request) -> str:
        seen.append(request)
        return "ok"

    request = pp.Request(messages, model="fake:small")
    await fake_client(FakeTransport({"fake:small": [answer]})).complete(request)
    assert seen == [request]


NEEDS: list[tuple[Any, set[C]]] = [
    ({}, set()),
    ({"tools": [pp.Tool("t")]}, {C.tools}),
    ({"output_schema": pp.OutputSchema({})}, {C.json_schema}),
    ({"temperature": 0.0, "top_p": 0.1, "top_k": 1, "seed": 0}, {C.temperature, C.top_p, C.top_k, C.seed}),
    ({"presence_penalty": 0.0}, {C.penalties}),
    ({"reasoning_effort": "none"}, {C.reasoning}),
    ({"reasoning_budget_tokens": 0, "frequency_penalty": 1.0}, {C.reasoning, C.penalties}),
    ({"stop": ["a"], "parallel_tool_calls": False}, {C.stop, C.parallel_tool_calls}),
    ({"tool_choice": pp.ToolChoice("none")}, {C.tool_choice}),
    ({"max_output_tokens": 1}, set()),
]


@pytest.mark.parametrize(("options", "needs"), NEEDS)
def test_needs_of_options(options: Any, needs: set[C]) -> None:
    """Each option that is set needs its capability; with `drop` only content and streaming do."""
    request = pp.Request("hi", **options)
    assert pp.needs_of(request, is_stream=False) == needs
    assert pp.needs_of(request, is_stream=True) == needs | {C.streaming}
    droppable = pp.Request("hi", **options, on_unsupported="drop")
    assert pp.needs_of(droppable, is_stream=False) == needs & {C.tools, C.json_schema}


@pytest.mark.parametrize(
    ("part", "needs"),
    [
        (pp.Text("x"), set()),
        (pp.Image(data=b"x", media_type="image/png"), {C.image_input}),
        (pp.Audio(data=b"x", media_type="audio/wav"), {C.audio_input}),
        (pp.File(data=b"x", media_type="application/pdf"), {C.file_input}),
        (pp.File(url="https://x.test/a.mp4", media_type="video/mp4"), {C.video_input}),
        (pp.File(url="https://x.test/a"), {C.file_input}),
        (pp.ToolCallResponse("1", (pp.Image(url="https://x.test/a.png"),)), {C.tools, C.image_input}),
        (pp.ToolCallResponse("1", "12:00"), {C.tools}),
        (CALL, {C.tools}),
        (pp.Opaque("fake", "{}"), set()),
    ],
)
def test_needs_of_parts(part: pp.Part, needs: set[C]) -> None:
    """Each kind of part needs its capability, inside a tool's result too, and none of them can be dropped."""
    request = pp.Request([pp.Message(pp.Role.user, (part,))], on_unsupported="drop")
    assert pp.needs_of(request, is_stream=False) == needs


texts = st.text(st.characters() | st.sampled_from("ab 0\n{}漢🙂"), max_size=60)


@given(texts, texts)
def test_an_estimate_never_falls_when_text_is_added(one: str, more: str) -> None:
    """Appending or prepending leaves the estimate as large at least, and it is 1 at least."""
    whole = pp.estimate_text_tokens(one + more)
    assert whole >= pp.estimate_text_tokens(one) >= 1
    assert whole >= pp.estimate_text_tokens(more)


@given(texts, texts)
def test_an_estimate_of_the_whole_is_no_more_than_of_the_parts(one: str, more: str) -> None:
    """Splitting a text never makes it smaller, so a sum over messages is an upper estimate."""
    assert pp.estimate_text_tokens(one + more) <= pp.estimate_text_tokens(one) + pp.estimate_text_tokens(more)


@given(texts, texts)
def test_an_estimate_does_not_depend_on_order(one: str, more: str) -> None:
    """It counts by byte classes only."""
    assert pp.estimate_text_tokens(one + more) == pp.estimate_text_tokens(more + one)


@given(st.text(st.characters(min_codepoint=128, exclude_categories=["Cs"]), min_size=2, max_size=60))
def test_an_estimate_beyond_ascii_is_larger_than_of_as_many_letters(text: str) -> None:
    """Text in other scripts counts by its bytes, so it is not taken for as short as English of its length."""
    assert pp.estimate_text_tokens(text) > pp.estimate_text_tokens("a" * len(text))


@given(st.text(st.characters(categories=["Cs"]), min_size=1, max_size=5))
def test_an_estimate_is_total(text: str) -> None:
    """Even text that is not Unicode has an estimate."""
    assert pp.estimate_text_tokens(text) >= 1


@pytest.mark.parametrize("options", [{"max_output_tokens": 0}, {"temperature": -0.1}, {"temperature": float("nan")}])
def test_a_value_out_of_range_is_refused_where_it_is_written(options: Any) -> None:
    """Ranges that hold for every provider are checked when the request is made; the error is ours and names the option."""
    with pytest.raises(pp.InvalidRequestError, match=f"{next(iter(options))} is .*; give a number, [01] or more"):
        pp.Request("hi", **options)
    with pytest.raises(pp.InvalidRequestError, match=f"{next(iter(options))} is .*; give a number, [01] or more"):
        pp.from_json(pp.Request, {"messages": [], **options})


def test_an_embedding_has_a_dimension_at_least() -> None:
    """No vector has none."""
    with pytest.raises(pp.InvalidRequestError, match="dimensions is 0; give a number, 1 or more"):
        pp.EmbedRequest("hi", dimensions=0)


def test_strings_are_one_of_what_is_a_sequence() -> None:
    """A string, a message or a sequence make messages; a string makes one stop sequence, validator or input."""
    assert pp.Request("a").messages == pp.Request(pp.user("a")).messages == pp.Request([pp.user("a")]).messages
    request = pp.Request("a", stop="END", validators="v")
    assert (request.stop, request.validators) == (("END",), ("v",))
    assert pp.EmbedRequest("a").inputs == ("a",)
