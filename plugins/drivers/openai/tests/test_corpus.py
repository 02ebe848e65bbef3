"""Every recorded interaction of the driver's endpoints, judged by an oracle that shares no code with it."""

from __future__ import annotations

import pytest
from pingpong_contract.corpus import Interaction
from pingpong_contract.corpus_cases import CorpusCases
from pingpong_contract.round_trip import answer_round_trip
from pingpong_openai.plugin import pingpong_drivers

UNCLAIMED = {"completions": "the legacy text completion API, which current models do not serve"}
"""By endpoint, why recorded chat traffic is not claimed."""
CASES = CorpusCases(record=pingpong_drivers()[0], unclaimed=UNCLAIMED)


@pytest.mark.parametrize("interaction", CASES.params())
def test_a_recorded_answer_decodes_to_what_its_bytes_say(interaction: Interaction | None) -> None:
    """Text, calls, finish reason, usage and errors equal what the oracle reads, under any chunking."""
    CASES.check(interaction)


@pytest.mark.parametrize("interaction", CASES.params())
def test_a_recorded_answer_survives_both_halves(interaction: Interaction | None) -> None:
    """What was decoded of a recording comes back equal from the dialect, whole and streamed."""
    if interaction is None:
        CASES.need_corpus()
    else:
        assert answer_round_trip(CASES.driver, interaction) == []


def test_both_halves_agree_on_what_was_recorded() -> None:
    """At most 5% of recordings change on their way through both halves: requests by token ids and background mode are refused."""
    CASES.check_round_trips()


def test_nearly_everything_recorded_is_in() -> None:
    """At least 95% of each group of recordings is judged, and the list of those left out is true."""
    CASES.check_share()
