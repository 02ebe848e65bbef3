"""The truncator `drop-oldest`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from attrs import evolve
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from pingpong import (
    CannotFit,
    Message,
    Request,
    Role,
    ToolCall,
    ToolCallResponse,
    Truncation,
    assistant,
    system,
    tool_result,
    user,
)
from pingpong_truncators.drop_oldest import DropOldest

CALL = ToolCall("call_0", "find", "{}")


def count(request: Request) -> int:
    """Ten tokens a message and one for each eight characters, calls and results included."""
    return sum(10 + len(str(list(m.parts))) // 8 for m in request.messages)


def ten(request: Request) -> int:
    """Ten tokens a message."""
    return 10 * len(request.messages)


def dropped(messages: Sequence[Message], limit_messages: int) -> tuple[int, ...]:
    """What is dropped so that so many messages are left."""
    request = Request(messages)
    result = DropOldest().step(request, 10 * limit_messages, ten, ())
    assert result.request.messages == tuple(m for i, m in enumerate(messages) if i not in result.dropped)
    return result.dropped


CHAT = (system("s"), user("1"), assistant("2"), user("3"), assistant("4"), user("5"))
AGENT = (user("0"), assistant((CALL,)), tool_result(CALL, "x"), assistant((CALL,)), tool_result(CALL, "y"))


@pytest.mark.parametrize(
    ("messages", "limit", "expected"),
    [
        (CHAT, 6, ()),
        (CHAT, 5, (1, 2)),
        (CHAT, 4, (1, 2)),
        (CHAT, 3, (1, 2, 3, 4)),
        (AGENT, 4, (1, 2)),
        (AGENT, 3, (1, 2)),
        ((user("0"), *AGENT[1:3], user("3"), assistant("4"), user("5")), 3, (0, 1, 2)),
    ],
)
def test_oldest_turns_go_first(messages: Sequence[Message], limit: int, expected: tuple[int, ...]) -> None:
    """Whole turns go, oldest first; within the last turn, whole groups of a call and its result."""
    assert dropped(messages, limit) == expected


def test_pinned_answer_keeps_its_question() -> None:
    """A pinned message stays with the question of its turn, so that the conversation still begins with a user."""
    messages = (user("0"), evolve(assistant("1"), is_pinned=True), user("2"), assistant("3"), user("4"))
    assert dropped(messages, 3) == (2, 3)


def test_pinned_result_keeps_its_call() -> None:
    """Pinning a tool's result keeps the call it answers."""
    pinned = evolve(tool_result(CALL, "x"), is_pinned=True)
    assert dropped((user("0"), assistant((CALL,)), pinned, user("3"), assistant("4"), user("5")), 4) == (3, 4)


def test_repeated_call_ids_belong_to_the_nearest_call() -> None:
    """Where ids repeat from turn to turn, dropping an old call leaves a later pair of the same id whole."""
    messages = (user("0"), assistant((CALL,)), tool_result(CALL, "x"), user("3"), assistant((CALL,)), tool_result(CALL, "y"))
    assert dropped(messages, 3) == (0, 1, 2)


def test_one_message_answering_two_calls_joins_them() -> None:
    """Two assistant messages whose calls are answered together stay or go together."""
    one, two = ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}")
    both = Message(Role.tool, (ToolCallResponse("a", "x"), ToolCallResponse("b", "y")))
    messages = (user("0"), assistant((one,)), assistant((two,)), both, assistant("4"), user("5"), assistant("6"))
    assert dropped((*messages[:1], *messages[1:5], user("5")), 5) == (0, 1, 2, 3, 4)
    assert dropped((*messages[:4], assistant("4")), 4) == (1, 2, 3)


@pytest.mark.parametrize("limit_tokens", [-5, 0, 19])
def test_cannot_fit_tells_the_figures(limit_tokens: int) -> None:
    """Where system message and last question are too large together, the error says how large and how much room there is."""
    with pytest.raises(CannotFit, match=rf"takes 20 tokens, and there is room for {max(limit_tokens, 0)}\."):
        DropOldest().step(Request(CHAT), limit_tokens, ten, ())


def test_huge_limit_is_identity() -> None:
    """A request that fits comes back as the same object (TRU-02, 14)."""
    request = Request(CHAT)
    assert DropOldest().step(request, 10**18, ten, ()).request is request


def test_counter_is_asked_a_logarithm_of_times() -> None:
    """A thousand turns cost at most two and log2 of them counter calls (TRU-12)."""
    asked = 0

    def spy(request: Request) -> int:
        nonlocal asked
        asked += 1
        return ten(request)

    messages = [m for i in range(1000) for m in (user(f"{i}"), assistant(f"{i}"))]
    DropOldest().step(Request((*messages, user("last"))), 300, spy, ())
    assert asked <= 2 + math.ceil(math.log2(1001))


def _tool_turn(ids: list[str]) -> list[Message]:
    calls = tuple(ToolCall(i, "find", "{}") for i in ids)
    return [assistant(calls), *(tool_result(c, "found 👩‍👩‍👧") for c in calls)]


_turns = st.one_of(
    st.builds(lambda t: [user(t)], st.text(max_size=9)),
    st.builds(lambda t: [user(t), assistant(t)], st.text(max_size=9)),
    st.builds(lambda t: [system(t)], st.text(max_size=9)),
    st.lists(st.sampled_from(["call_0", "call_1", "x"]), min_size=1, max_size=3, unique=True).map(_tool_turn),
    st.lists(st.sampled_from(["call_0", "x"]), min_size=1, max_size=2, unique=True).map(
        lambda ids: [user("look"), *_tool_turn(ids), assistant("done")]
    ),
)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    """A conversation with tool calls, some messages pinned."""
    messages = [m for turn in draw(st.lists(_turns, max_size=7)) for m in turn]
    pins = draw(st.sets(st.integers(0, 40), max_size=2))
    pinned = [evolve(m, is_pinned=i in pins) for i, m in enumerate(messages)]
    return Request((*pinned, user(draw(st.text(max_size=9)))))


def fitted(request: Request, limit_tokens: int) -> Truncation | None:
    """The truncation, None where nothing fits."""
    try:
        return DropOldest().step(request, limit_tokens, count, ())
    except CannotFit:
        return None


def pairs(messages: Sequence[Message]) -> list[tuple[str, int]]:
    """Ids of calls, positive, and of results, negative, in order."""
    found = [(p, m) for m in messages for p in m.parts if isinstance(p, ToolCall | ToolCallResponse)]
    return sorted((p.call_id, 1 if isinstance(p, ToolCall) else -1) for p, _ in found)


@given(request=requests(), limit_tokens=st.integers(-5, 400))
@example(request=Request((user("👩‍👩‍👧" * 5), assistant("a"), user("b"))), limit_tokens=13)
@settings(max_examples=300, deadline=None)
def test_truncation_keeps_its_promises(request: Request, limit_tokens: int) -> None:
    """It fits, reports exactly what went, keeps what must stay and whole messages, and cuts no pair (TRU-01, 05..07, 09, 13)."""
    before = request.messages
    result = fitted(request, limit_tokens)
    if result is None:
        return
    kept = [i for i in range(len(before)) if i not in result.dropped]
    assert count(result.request) <= limit_tokens
    assert [*result.request.messages] == [before[i] for i in kept]
    assert evolve(result.request, messages=before) == request
    must = [i for i, m in enumerate(before) if m.role is Role.system or m.is_pinned] + [len(before) - 1]
    assert {*must} <= {*kept}
    assert sum(sign for _, sign in pairs(result.request.messages)) == sum(sign for _, sign in pairs(before)) == 0
    told = [m for m in result.request.messages if m.role is not Role.system]
    opens = next(m.role for m in before if m.role is not Role.system)
    assert told[0].role is Role.user or opens is not Role.user


@given(request=requests(), limits=st.tuples(st.integers(0, 400), st.integers(0, 400)))
@settings(max_examples=200, deadline=None)
def test_identity_idempotent_monotone_deterministic(request: Request, limits: tuple[int, int]) -> None:
    """What fits stays as it is, twice is once, a larger limit drops a subset, the same again gives the same (TRU-02..04, 11)."""
    small, large = sorted(limits)
    less, more = fitted(request, small), fitted(request, large)
    if more is not None:
        assert DropOldest().step(more.request, large, count, ()) == Truncation(request=more.request)
        assert more == fitted(request, large)
        assert count(request) > large or more.request is request
    if less is not None:
        assert more is not None
        assert {*more.dropped} <= {*less.dropped}


class GrowingChat(RuleBasedStateMachine):
    """A conversation that is truncated before each answer, as an agent's would be."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: tuple[Message, ...] = (system("be brief"), user("begin"))

    @rule(turn=_turns)
    def grow(self, turn: list[Message]) -> None:
        """Say more, then make it fit."""
        grown = Request((*self.messages, *turn, user("and?")))
        result = fitted(grown, 150)
        self.messages = result.request.messages if result else (system("be brief"), user("begin"))

    @invariant()
    def is_sound(self) -> None:
        """It fits, begins with the system message, and no call stands without its result."""
        assert count(Request(self.messages)) <= 150
        assert self.messages[0].role is Role.system
        assert sum(sign for _, sign in pairs(self.messages)) == 0


GrowingChat.TestCase.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
TestGrowingChat = GrowingChat.TestCase
