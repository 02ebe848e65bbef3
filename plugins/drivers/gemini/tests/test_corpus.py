"""Every recorded answer of the Gemini API decodes to what its bytes say, under any chunking."""

from __future__ import annotations

import pytest
from pingpong_contract.corpus import Interaction
from pingpong_contract.corpus_cases import CorpusCases
from pingpong_gemini.plugin import RECORD

LEFT_OUT: dict[str, str] = {}
"""By recording, why it is not supported."""
UNCLAIMED: dict[str, str] = {
    "chat/completions": "the OpenAI-compatible door of the same models, which an OpenAI-compatible driver speaks",
    "interactions": "a stateful API of its own beside generateContent, not claimed by this driver",
}
"""By endpoint, why recorded chat traffic is not claimed."""
CASES = CorpusCases(record=RECORD, left_out=LEFT_OUT, unclaimed=UNCLAIMED)


@pytest.mark.parametrize("interaction", CASES.params())
def test_a_recorded_answer_decodes_to_what_its_bytes_say(interaction: Interaction | None) -> None:
    """Text, calls, finish reason, usage and errors equal the oracle's reading, and chunking changes nothing."""
    CASES.check(interaction)


def test_nearly_everything_recorded_is_in() -> None:
    """At least 95% of each endpoint and kind is in, and what is out is listed with a reason that still holds."""
    CASES.check_share()


def test_both_halves_agree_on_what_was_recorded() -> None:
    """What the dialect writes of a recorded answer or reads of a recorded request, the codec gives back unchanged."""
    CASES.check_round_trips()
