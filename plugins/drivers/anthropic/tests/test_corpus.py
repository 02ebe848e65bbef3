"""Recorded traffic, decoded under many chunkings and judged by an oracle that shares no code with the driver."""

from __future__ import annotations

import pytest
from pingpong_anthropic.plugin import RECORD
from pingpong_contract.corpus import Interaction
from pingpong_contract.corpus_cases import CorpusCases

CASES = CorpusCases(record=RECORD)


@pytest.mark.parametrize("interaction", CASES.params())
def test_a_recorded_answer_decodes_to_what_its_bytes_say(interaction: Interaction | None) -> None:
    """Every recorded answer of the claimed endpoints decodes to what an independent reading of it says."""
    CASES.check(interaction)


def test_nearly_everything_recorded_is_in() -> None:
    """No group of recordings is left out, and no chat traffic goes unclaimed in silence."""
    CASES.check_share()


def test_both_halves_agree_on_what_was_recorded() -> None:
    """What the dialect writes of a recorded answer or reads of a recorded request, the codec gives back unchanged."""
    CASES.check_round_trips()
