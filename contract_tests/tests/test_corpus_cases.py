"""The ready-made corpus tests fail where they must, and only there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from pingpong_contract.corpus_cases import CorpusCases, driver_from_record
from pingpong_contract.toy import RECORD
from pingpong_contract.toy_traffic import entry, recorded, stream_body, whole_body, write_corpus


@pytest.fixture
def corpus(tmp_path: Path) -> dict[str, str]:
    """An environment with 25 plain answers, one stream and one file operation."""
    answers = [(entry("answers", n, kind="plain"), recorded(whole_body(content=f"{n}"))) for n in range(25)]
    stream = [(entry("stream", 0, kind="plain+stream"), recorded(stream_body()))]
    files = [(entry("files", 0, kind="other", endpoint="files"), recorded("{}", path="/v1/files"))]
    folder = write_corpus(tmp_path, {"answers": answers, "stream": stream, "files": files})
    return {"PINGPONG_WIRE_CORPUS": str(folder)}


def _cases(env: Mapping[str, str], **given: Any) -> CorpusCases:
    return CorpusCases(record=RECORD, env=env, **given)


def test_a_sound_driver_passes_every_case(corpus: dict[str, str]) -> None:
    """All claimed interactions become cases with readable ids, and all are judged well."""
    cases = _cases(corpus)
    params = cases.params()
    assert [p.id for p in params][-2:] == ["toy/answers[24]", "toy/stream[0]"]
    for interaction in cases.interactions:
        cases.check(interaction)
    cases.check_share()


def test_a_flaw_fails_its_cases_alone(corpus: dict[str, str]) -> None:
    """A flaw of the stream decoder fails the streamed case, names file and path, and leaves the others."""
    cases = _cases({**corpus, "TOY_FLAW": "never ends"})
    cases.check(cases.interactions[0])
    with pytest.raises(pytest.fail.Exception, match=r"toy/stream.yaml \[0\] /v1/chat/completions"):
        cases.check(cases.interactions[-1])


def test_a_left_out_case_is_an_expected_failure_until_it_passes(corpus: dict[str, str]) -> None:
    """Left out and failing is xfail with the reason; left out and passing is a failure."""
    left_out = {"toy/stream[0]": "no streams"}
    broken, sound = (_cases({**corpus, "TOY_FLAW": flaw}, left_out=left_out) for flaw in ("never ends", ""))
    with pytest.raises(pytest.xfail.Exception, match="no streams"):
        broken.check(broken.interactions[-1])
    with pytest.raises(pytest.fail.Exception, match="take it off the list"):
        sound.check(sound.interactions[-1])


def test_one_in_twenty_may_be_left_out_of_each_group(corpus: dict[str, str]) -> None:
    """One of 25 is within the bound, two are not, and one of one is not."""
    _cases(corpus, left_out={"toy/answers[0]": "why"}).check_share()
    two = {"toy/answers[0]": "why", "toy/answers[1]": "why"}
    with pytest.raises(pytest.fail.Exception, match="chat/completions plain: 2 of 25"):
        _cases(corpus, left_out=two).check_share()
    with pytest.raises(pytest.fail.Exception, match="chat/completions plain streamed: 1 of 1"):
        _cases(corpus, left_out={"toy/stream[0]": "why"}).check_share()


def test_the_list_may_name_files_of_another_corpus_only(corpus: dict[str, str]) -> None:
    """An unknown file is ignored; a known file without that interaction is a stale entry."""
    _cases(corpus, left_out={"toy/elsewhere[0]": "why"}).check_share()
    for stale in ("toy/answers[99]", "toy/files[0]"):
        with pytest.raises(pytest.fail.Exception, match="claims no such interaction"):
            _cases(corpus, left_out={stale: "why"}).check_share()


def test_chat_traffic_is_not_left_unclaimed_in_silence(tmp_path: Path) -> None:
    """Chat traffic of an endpoint that the driver lacks fails until a reason is given."""
    pairs = [(entry("a", 0, kind="plain", endpoint="complete"), recorded("{}", path="/v1/complete"))]
    env = {"PINGPONG_WIRE_CORPUS": str(write_corpus(tmp_path, {"a": pairs}))}
    with pytest.raises(pytest.fail.Exception, match="complete: recorded chat or embeddings traffic"):
        _cases(env).check_share()
    _cases(env, unclaimed={"complete": "retired by the provider"}).check_share()
    with pytest.raises(pytest.fail.Exception, match="The corpus holds nothing"):
        _cases(env).check(None)


def test_halves_may_disagree_on_one_in_twenty(corpus: dict[str, str]) -> None:
    """Sound halves pass; a half that loses every message fails and names the recordings."""
    _cases(corpus).check_round_trips()
    with pytest.raises(pytest.fail.Exception, match=r"toy/answers\[0\]: messages"):
        _cases({**corpus, "TOY_FLAW": "drops a message"}).check_round_trips()


@pytest.mark.parametrize(("env", "outcome"), [({}, pytest.skip.Exception), ({"CI": "true"}, pytest.fail.Exception)])
def test_without_a_corpus_cases_skip_and_under_ci_fail(env: dict[str, str], outcome: type[BaseException]) -> None:
    """Each test says which variable is missing; CI does not let it pass."""
    cases = _cases(env)
    assert [p.id for p in cases.params()] == ["no corpus"]
    for judge in (cases.check_share, cases.check_round_trips, lambda: cases.check(None)):
        with pytest.raises(outcome, match="PINGPONG_WIRE_CORPUS"):
            judge()


def test_a_factory_must_give_a_driver() -> None:
    """A record whose factory gives something else is refused, naming the factory."""
    wrong = evolve(RECORD, factory="builtins:print")
    with pytest.raises(TypeError, match="builtins:print gave a NoneType"):
        driver_from_record(wrong, {})
