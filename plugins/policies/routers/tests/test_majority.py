"""The fuser `majority`."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pingpong import OutputSchema, Request, Response, Text, ToolCall
from pingpong_routers.majority import Majority

ASKED = Request("What is 6 x 7?")


def answers(*texts: str) -> tuple[Response, ...]:
    """One response of each text, told apart by its model."""
    return tuple(Response(provider="p", model=str(i), parts=(Text(t),)) for i, t in enumerate(texts))


def fused(*texts: str, request: Request = ASKED) -> tuple[str, float | None]:
    """Text and agreement of the fusion."""
    fusion = Majority().step(request, answers(*texts), ())
    assert fusion.response.text in texts
    return fusion.response.text, fusion.agreement


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("41", "42", " 42.\n"), "42"),
        (("Paris", "**paris**", "Rome"), "Paris"),
        (("\uff14\uff12", "41", "42"), "\uff14\uff12"),
        (("the cat sat", "a cat sat down", "a cat sat"), "a cat sat"),
        (("", "only one", ""), "only one"),
        (("first", "second"), "first"),
    ],
)
def test_choice(texts: tuple[str, ...], expected: str) -> None:
    """Agreement beats all; without it the closest to the others; empty answers lose; else the first."""
    assert fused(*texts)[0] == expected


@pytest.mark.parametrize(
    ("texts", "agreement"), [(("42",), None), (("42", "42."), 1.0), (("42", "", ""), 0.0), (("a b", "b c"), 1 / 3)]
)
def test_agreement(texts: tuple[str, ...], agreement: float | None) -> None:
    """It is the mean likeness to all other members; one answer alone has none."""
    assert fused(*texts)[1] == agreement


def test_json_answers_agree_by_value() -> None:
    """With a schema, key order and white space do not matter, and text that is no JSON is compared as text."""
    request = Request("q", output_schema=OutputSchema({"type": "object"}))
    assert fused('{"a":1, "b":2}', '{"b": 2,"a": 1}', request=request)[1] == 1.0
    assert fused("{", "{", request=request)[1] == 1.0


def test_tool_calls_count_as_answers() -> None:
    """Two members that call the same tool with equal arguments outvote one that talks."""
    talk = Response(provider="p", model="0", parts=(Text("I would look it up."),))
    calls = [Response(provider="p", model=m, parts=(ToolCall(m, "find", a),)) for m, a in (("1", '{"q":1}'), ("2", '{"q": 1}'))]
    assert Majority().step(ASKED, (talk, *calls), ()).response == calls[0]


@given(st.lists(st.text(max_size=12), min_size=1, max_size=5), st.randoms())
@settings(deadline=None)
def test_total_pure_and_bounded(texts: list[str], lots: object) -> None:
    """Any answers give one of them as it came, an agreement in 0..1 or None, and the same again."""
    text, agreement = fused(*texts)
    assert agreement is None or 0 <= agreement <= 1
    assert (text, agreement) == fused(*texts)
