"""Two halves that agree lose nothing; each disagreement is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from pingpong_contract.corpus import Interaction, interactions
from pingpong_contract.round_trip import answer_round_trip, request_round_trip
from pingpong_contract.toy import toy_driver
from pingpong_contract.toy_traffic import entry, recorded, stream_body, whole_body, write_corpus

ERROR = '{"error": {"message": "slow down", "code": "rate_limit_exceeded"}}'
TRAFFIC = {
    "stream": [(entry("stream", 0, kind="plain+stream"), recorded(stream_body()))],
    "body": [(entry("body", 0, kind="plain"), recorded(whole_body(content="Hallo")))],
    "error": [(entry("error", 0, kind="error", status=429), recorded(ERROR, status=429, headers={"retry-after": "7"}))],
}


@pytest.fixture
def traffic(tmp_path: Path) -> dict[str, Interaction]:
    """Each kind of toy traffic by its name."""
    return {Path(i.file).stem: i for i in interactions(write_corpus(tmp_path, TRAFFIC), ["toy"])}


@pytest.mark.parametrize("name", TRAFFIC)
def test_sound_halves_lose_nothing(traffic: dict[str, Interaction], name: str) -> None:
    """Answers, streams, errors and requests come back as they went."""
    assert answer_round_trip(toy_driver(), traffic[name]) == []
    assert request_round_trip(toy_driver(), traffic[name]) == []


LOST = [
    ("body", "renders other words", "parts: (Text(text='Hallo'"),
    ("stream", "streams no usage", "streamed: usage: Usage(uncached_input_tokens=3"),
    ("error", "hides the wait", "retry_after_s: 7.0 became None"),
    ("body", "raises", "KeyError"),
]


@pytest.mark.parametrize(("name", "flaw", "loss"), LOST)
def test_lost_answers_are_named(traffic: dict[str, Interaction], name: str, flaw: str, loss: str) -> None:
    """What a half changes on the way is told by the field."""
    assert answer_round_trip(toy_driver(flaw), traffic[name])[0].startswith(loss)


@pytest.mark.parametrize(("flaw", "loss"), [("drops a message", "messages: "), ("streams anyway", "model or streaming changed")])
def test_lost_requests_are_named(traffic: dict[str, Interaction], flaw: str, loss: str) -> None:
    """What encode changes of a parsed request is told by the field."""
    assert request_round_trip(toy_driver(flaw), traffic["body"])[0].startswith(loss)
