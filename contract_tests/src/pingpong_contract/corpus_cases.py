"""
The tests that a driver's `tests/test_corpus.py` is made of.

    LEFT_OUT: dict[str, str] = {}
    CASES = CorpusCases(record=pingpong_drivers()[0], left_out=LEFT_OUT)


    @pytest.mark.parametrize("interaction", CASES.params())
    def test_a_recorded_answer_decodes_to_what_its_bytes_say(interaction: Interaction | None) -> None:
        CASES.check(interaction)


    def test_nearly_everything_recorded_is_in() -> None:
        CASES.check_share()


    def test_both_halves_agree_on_what_was_recorded() -> None:
        CASES.check_round_trips()

Without a corpus the tests are skipped with the reason; under `CI=true` they fail.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet
from attrs import define, field
from pingpong import Driver, DriverRecord

from pingpong_contract.check import check
from pingpong_contract.corpus import CORPUS_VARIABLE, Interaction, claimed, corpus_folder, endpoint_of, interactions
from pingpong_contract.round_trip import answer_round_trip, request_round_trip

LEAST_SHARE = 0.95
_NOT_CHAT = frozenset({"other", "error"})


def corpus_or_skip(env: Mapping[str, str] = os.environ) -> Path:
    """The corpus folder; without one the calling test is skipped, and under `CI=true` it fails."""
    folder = corpus_folder(env)
    if folder is not None:
        return folder
    reason = f"no recorded traffic: {CORPUS_VARIABLE} names no folder with an index.jsonl"
    if env.get("CI") == "true":
        pytest.fail(f"{reason}; set it to the corpus folder.")
    pytest.skip(reason)


def driver_from_record(record: DriverRecord, env: Mapping[str, str]) -> Driver:
    """The driver that a record declares, with its default options; no key is needed to decode."""
    driver = _load(record.factory)(record, _load(record.options)(), env)
    if not isinstance(driver, Driver):
        raise TypeError(f"{record.factory} gave a {type(driver).__name__}; it must return a pingpong.Driver.")
    return driver


def _load(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


@define(kw_only=True, slots=False)
class CorpusCases:
    """
    One driver's recorded traffic, as test cases.

    Attributes:
        left_out: By `Interaction.id`, why the driver does not support this recording.
        unclaimed: By the index's endpoint name, why the driver does not claim chat or embeddings traffic of its folders.
    """

    record: DriverRecord
    left_out: Mapping[str, str] = field(factory=dict)
    unclaimed: Mapping[str, str] = field(factory=dict)
    env: Mapping[str, str] = field(factory=lambda: os.environ)

    @cached_property
    def driver(self) -> Driver:
        """The driver under test."""
        return driver_from_record(self.record, self.env)

    @cached_property
    def folder(self) -> Path | None:
        """The corpus, None where there is none."""
        return corpus_folder(self.env)

    @cached_property
    def interactions(self) -> tuple[Interaction, ...]:
        """Every interaction of the driver's folders and endpoints; empty without a corpus."""
        if self.folder is None:
            return ()
        pairs = claimed(self.folder, self.record.corpora, self.record.endpoints, self.driver.base_url)
        return tuple(interaction for interaction, _ in pairs)

    def params(self) -> list[ParameterSet]:
        """One case per interaction, with readable ids; a single empty one without a corpus."""
        return [pytest.param(i, id=i.id) for i in self.interactions] or [pytest.param(None, id="no corpus")]

    def check(self, interaction: Interaction | None) -> None:
        """Fail where driver and oracle differ, and where a left-out interaction would pass."""
        if interaction is None:
            self.need_corpus()
            pytest.fail(f"The corpus holds nothing for the folders {self.record.corpora} and endpoints of {self.record.name}.")
        faults = check(self.driver, interaction)
        reason = self.left_out.get(interaction.id)
        if reason is not None and not faults:
            pytest.fail(f"{interaction.id} is left out ({reason}) but passes; take it off the list.")
        if reason is not None:
            pytest.xfail(f"left out: {reason}")
        if faults:
            pytest.fail("\n".join([f"{interaction.file} [{interaction.n}] {interaction.request.path}", *faults]), pytrace=False)

    def check_share(self) -> None:
        """Fail where less than 95% of a group is in, where the list is stale, and where chat traffic is unclaimed in silence."""
        self.need_corpus()
        problems = [*self._thin_groups(), *self._stale_entries(), *self._silent_endpoints()]
        if problems:
            pytest.fail("\n".join(problems), pytrace=False)

    def check_round_trips(self) -> None:
        """Fail where the driver's two halves disagree on more than 5% of what was recorded, answers and requests."""
        self.need_corpus()
        losses = [
            f"{interaction.id}: {'; '.join(lost)}"
            for interaction in self.interactions
            for round_trip in (answer_round_trip, request_round_trip)
            if (lost := round_trip(self.driver, interaction))
        ]
        if len(losses) > (1 - LEAST_SHARE) * 2 * len(self.interactions):
            pytest.fail("\n".join(losses), pytrace=False)

    def need_corpus(self) -> None:
        """Skip without a corpus; fail under `CI=true`."""
        corpus_or_skip(self.env)

    def _thin_groups(self) -> list[str]:
        total = Counter(i.group for i in self.interactions)
        left = Counter(i.group for i in self.interactions if i.id in self.left_out)
        return [
            f"{endpoint} {kind}{' streamed' if is_streaming else ''}: {left[group]} of {total[group]} are left out"
            for group in sorted(left)
            for endpoint, kind, is_streaming in [group]
            if 1 - left[group] / total[group] < LEAST_SHARE
        ]

    def _stale_entries(self) -> list[str]:
        # The list may name files of another corpus; what it says of this one's files must be true.
        claimed_ids = {i.id for i in self.interactions}
        files = {i.id.rpartition("[")[0] for i in self._all()}
        return [
            f"{name}: left out, but the driver claims no such interaction of this file; take it off the list"
            for name in sorted(self.left_out)
            if name.rpartition("[")[0] in files and name not in claimed_ids
        ]

    def _silent_endpoints(self) -> list[str]:
        endpoints, base_url = self.record.endpoints, self.driver.base_url
        silent = {
            i.endpoint
            for i in self._all()
            if i.kind not in _NOT_CHAT and i.endpoint not in self.unclaimed and endpoint_of(i, endpoints, base_url) is None
        }
        return [f"{name}: recorded chat or embeddings traffic that no endpoint claims; say why" for name in sorted(silent)]

    def _all(self) -> tuple[Interaction, ...]:
        return interactions(self.folder, self.record.corpora) if self.folder is not None else ()
