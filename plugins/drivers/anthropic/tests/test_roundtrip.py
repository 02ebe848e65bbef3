"""Properties: what one half writes, the other reads back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pingpong import (
    Card,
    File,
    FinishReason,
    Image,
    Message,
    Opaque,
    OutputSchema,
    Part,
    Reasoning,
    Request,
    Response,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolCallResponse,
    ToolChoice,
    Usage,
    assistant,
    events_from_response,
    response_from_events,
    system,
    user,
)
from pingpong_anthropic.messages import MessagesCodec, MessagesDialect
from pingpong_anthropic.usage import FINISH_REASONS

CARD = Card(provider="anthropic", model="claude-sonnet-4-6", endpoints=("messages",))
CODEC, DIALECT = MessagesCodec(), MessagesDialect()

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
names = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
tables = st.dictionaries(words, values, max_size=3)


def json_of(value: object) -> str:
    """Compact JSON, as the driver writes it."""
    return msgspec.json.encode(value).decode()


def attached(*fields: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Opaque | None]:
    """Nothing, or what the provider may attach to a part."""
    return st.none() | st.one_of(fields).map(lambda f: Opaque("anthropic", json_of(f)))


citations = st.lists(st.fixed_dictionaries({"type": names, "cited_text": words}), min_size=1, max_size=2)
signatures = words.map(lambda s: {"signature": s})
arguments = tables.map(json_of) | st.sampled_from(['{"a":', "[1]", "nonsense"])
texts = st.builds(Text, words, attached(citations.map(lambda c: {"citations": c})))
redacted = words.map(lambda d: Reasoning("", Opaque("anthropic", json_of({"type": "redacted_thinking", "data": d}))))
callers = st.just({"caller": {"type": "direct"}})
calls = st.builds(ToolCall, names, names, arguments, attached(callers))
server = st.builds(
    lambda i, table: Opaque("anthropic", json_of({"type": "server_tool_use", "id": i, "name": "web_search", "input": table})),
    names,
    tables,
)
reasonings = st.builds(Reasoning, words, signatures.map(lambda s: Opaque("anthropic", json_of(s))))
answers: st.SearchStrategy[Part] = texts | reasonings | redacted | calls | server | st.just(Text(""))
counts = st.integers(0, 10**9)
units = st.dictionaries(st.sampled_from(["web_search_requests", "web_fetch_requests"]), st.integers(1, 9))
usages = st.builds(
    Usage,
    uncached_input_tokens=counts,
    cache_read_tokens=counts,
    cache_write_tokens=counts,
    cache_write_1h_tokens=counts,
    visible_output_tokens=counts,
    reasoning_tokens=counts,
    other_units=units,
)
endings = st.sampled_from([*FINISH_REASONS.items(), ("brand_new", FinishReason.unknown)])
rests = st.sampled_from(
    [None, '{"container":{"id":"c"},"usage":{"service_tier":"standard"}}', '{"stop_details":{"type":"refusal"}}']
)


@st.composite
def responses(draw: st.DrawFn) -> Response:
    """Answers as this provider gives them."""
    raw, reason = draw(endings)
    rest = draw(rests)
    return Response(
        provider="anthropic",
        model=draw(names),
        parts=tuple(draw(st.lists(answers, max_size=4))),
        finish_reason=reason,
        raw_finish_reason=raw,
        stop_sequence=draw(words) if raw == "stop_sequence" else None,
        usage=draw(st.none() | usages),
        response_id=draw(st.none() | names),
        request_id=draw(st.none() | names),
        opaque=Opaque("anthropic", rest) if rest else None,
    )


@given(responses())
@settings(max_examples=100)
def test_a_rendered_answer_decodes_to_itself(response: Response) -> None:
    """decode(render(x)) == x."""
    assert response == CODEC.decode(DIALECT.render(response))


@given(responses(), st.lists(st.integers(0, 4000), max_size=8), st.booleans())
@settings(max_examples=100)
def test_a_rendered_stream_folds_to_the_answer(response: Response, cuts: list[int], is_split: bool) -> None:
    """The streamed answer is the whole one, under random partitions and with its JSON over several data lines."""
    renderer = DIALECT.stream_renderer()
    body = b"".join(renderer.render(event) for event in events_from_response(response))
    if is_split:
        body = body.replace(b'data: {"type":', b'data: {\ndata: "type":')
    decoder = CODEC.stream_decoder({"request-id": response.request_id} if response.request_id else {})
    ends = sorted({min(cut, len(body)) for cut in cuts} | {0, len(body)})
    events = [event for a, b in pairwise(ends) for event in decoder.feed(body[a:b])]
    assert response == response_from_events([*events, *decoder.close()])


@given(responses())
@settings(max_examples=50)
def test_an_answer_goes_back_into_the_conversation(response: Response) -> None:
    """response.message is encoded with all that the provider attached; only empty texts say nothing."""
    parts = tuple(p for p in response.parts if not (isinstance(p, Text) and not p.text))
    request = Request((user("q"), response.message, user("r")), max_output_tokens=9)
    got = DIALECT.parse(CODEC.encode(request, CARD, is_stream=False), {}).request.messages
    assert (user("q"), *([Message(Role.assistant, parts)] if parts else []), user("r")) == got


media = st.one_of(
    st.builds(Image, data=st.binary(max_size=9), media_type=st.just("image/png")),
    st.builds(File, data=st.binary(max_size=9), media_type=st.just("application/pdf"), name=st.none() | words),
    st.builds(File, data=words.map(str.encode), media_type=st.just("text/plain")),
    st.builds(Image, url=st.just("https://x.test/a.png")),
)
users: st.SearchStrategy[Message] = st.lists(texts | media, min_size=1, max_size=3).map(lambda parts: user(tuple(parts)))
histories = st.lists(texts | reasonings | redacted | calls | server, min_size=1, max_size=3).map(lambda p: assistant(tuple(p)))
results = st.builds(
    ToolCallResponse, st.just("id-of-no-call"), st.lists(texts | media, max_size=2).map(tuple), st.none(), st.booleans()
)
options = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 1),
        "top_p": st.floats(0, 1),
        "top_k": st.integers(0, 500),
        "stop": st.lists(words, min_size=1, max_size=2).map(tuple),
        "tools": st.lists(st.builds(Tool, names, st.text(max_size=5), tables, st.none() | st.booleans()), max_size=2).map(tuple),
        "output_schema": tables.map(OutputSchema),
        "tool_choice": st.sampled_from([ToolChoice("none"), ToolChoice("required"), ToolChoice("named", "f")]),
        "reasoning_effort": st.sampled_from(["none", "low", "medium", "high", "xhigh", "max"]),
    },
)


@given(st.lists(st.tuples(users, histories), max_size=2), users, st.none() | words, st.none() | results, options, st.booleans())
@settings(max_examples=100)
def test_an_encoded_request_parses_to_itself(
    turns: list[tuple[Message, Message]],
    last: Message,
    rule: str | None,
    result: ToolCallResponse | None,
    chosen: dict[str, Any],
    is_stream: bool,
) -> None:
    """parse(encode(r)) == r for everything that the wire has a place for."""
    messages = [system(rule)] if rule else []
    messages += [message for turn in turns for message in turn]
    messages += [Message(Role.tool, (result,))] if result else []
    request = Request((*messages, last), max_output_tokens=100, **chosen)
    parsed = DIALECT.parse(CODEC.encode(request, CARD, is_stream=is_stream), {})
    assert (request, CARD.model, is_stream) == (parsed.request, parsed.model, parsed.is_stream)


CHANGES: list[tuple[str, Callable[[], Request]]] = [
    ("text", lambda: Request("other", max_output_tokens=9)),
    ("role", lambda: Request((user("q"), assistant("q")), max_output_tokens=9)),
    ("limit", lambda: Request("q", max_output_tokens=8)),
    ("stop", lambda: Request("q", max_output_tokens=9, stop="x")),
    ("effort", lambda: Request("q", max_output_tokens=9, reasoning_effort="low")),
    ("schema", lambda: Request("q", max_output_tokens=9, output_schema=OutputSchema({"type": "object"}))),
]


@pytest.mark.parametrize(("name", "changed"), CHANGES)
def test_a_changed_request_changes_the_wire(name: str, changed: Callable[[], Request]) -> None:
    """No canonical value is left behind."""
    base = CODEC.encode(Request("q", max_output_tokens=9), CARD, is_stream=False)
    assert base != CODEC.encode(changed(), CARD, is_stream=False), name
