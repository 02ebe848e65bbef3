"""The guard against regressions: counting is repeatable, it sees what costs, and nothing is over its recorded ceiling."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pingpong import ConfigError
from pingpong_bench.counting import Count, counted
from pingpong_bench.counts import Counted, differences, python_version, record, recorded

CEILINGS = Path(__file__).parent / "ceilings.json"
RUN = "from pingpong_cli.main import main; main()"
CALL, EVENT = Count(5000, 100), Count(400, 20)
FOUND = (Counted("fake chat", CALL, EVENT), Counted("fake whole", CALL, None))


BROKEN = """
from attrs import evolve
from pingpong.hookspecs import hookimpl
from pingpong.testing import fake_card, fake_driver, fake_driver_record

ODD = fake_driver_record("odd", [fake_card("odd:small")])
UNMADE = fake_driver_record("unmade", [fake_card("unmade:small")])


def odd(*args):
    driver = fake_driver(*args)
    return evolve(driver, endpoints=tuple(evolve(e, dialect=None) for e in driver.endpoints))


def unmade(*args):
    raise KeyError("boom")


@hookimpl
def pingpong_drivers():
    return [evolve(ODD, factory="broken_drivers:odd"), evolve(UNMADE, factory="broken_drivers:unmade")]
"""


def bench_counts(*args: str, path: str = "") -> subprocess.CompletedProcess[str]:
    """`pingpong bench counts` in a process of its own, where no coverage tool traces along."""
    return subprocess.run(
        [sys.executable, "-c", RUN, "bench", "counts", *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": path},
    )


def test_nothing_is_over_its_ceiling() -> None:
    """One call and one streamed event of every driver do no more than was recorded, and no much less."""
    if recorded(CEILINGS) is None:
        pytest.skip(f"the ceilings are recorded for another Python than {python_version()}, whose instructions differ")
    run = bench_counts("--check", str(CEILINGS), "--json")
    told = json.loads(run.stdout)["differences"]
    assert told == [], "\n".join([*told, "If it is meant: pingpong bench counts --write plugins/apps/bench/tests/ceilings.json"])


def test_a_difference_is_told_and_exits_with_1(tmp_path: Path) -> None:
    """The command compares with the file it is given, and says which figure is over its ceiling."""
    assert bench_counts("--write", str(tmp_path / "c.json")).returncode == 0
    low = json.loads((tmp_path / "c.json").read_text())
    name = next(iter(low["counts"]))
    low["counts"][name]["call_instructions"] -= 1
    (tmp_path / "low.json").write_text(json.dumps(low))
    run = bench_counts("--check", str(tmp_path / "low.json"))
    assert run.returncode == 1
    assert f"{name}: call instructions" in run.stdout
    assert "over its ceiling" in run.stdout


def test_a_driver_that_breaks_is_named_and_the_others_are_counted(tmp_path: Path) -> None:
    """One whose dialect raises and one that cannot be made are told, and the command exits with 1."""
    (tmp_path / "broken_drivers.py").write_text(BROKEN)
    (tmp_path / "broken-1.dist-info").mkdir()
    (tmp_path / "broken-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (tmp_path / "broken-1.dist-info/entry_points.txt").write_text("[pingpong]\nbroken = broken_drivers\n")
    run = bench_counts("--json", path=str(tmp_path))
    done = json.loads(run.stdout)
    assert run.returncode == 1
    assert "openai responses" in done["counts"]
    assert [name in told for name, told in zip(("odd chat", "unmade"), done["not_counted"], strict=True)] == [True, True]


@pytest.mark.anyio
async def test_counting_sees_what_costs() -> None:
    """Every further turn of a loop costs the same number of instructions, and each call into C is counted."""

    def work(n: int) -> Any:
        async def turns() -> None:
            for _ in range(n):
                len("")

        return turns

    zero, one, two = [await counted(work(n)) for n in (0, 1, 2)]
    assert one.instructions - zero.instructions == two.instructions - one.instructions > 0
    assert (one.c_calls - zero.c_calls, two.c_calls - one.c_calls) == (1, 1)


@pytest.mark.anyio
async def test_counting_is_repeatable_and_leaves_no_trace() -> None:
    """The same work gives the same count, and the tracer of before is back."""
    before = sys.gettrace(), sys.getprofile()

    async def work() -> None:
        json.loads(json.dumps({"a": [1, 2]}))

    assert await counted(work) == await counted(work)
    assert (sys.gettrace(), sys.getprofile()) == before


def test_what_was_recorded_comes_back(tmp_path: Path) -> None:
    """The counts of now differ in nothing from what was just recorded."""
    path = tmp_path / "counts.json"
    path.write_text(record(FOUND))
    ceilings = recorded(path)
    assert ceilings is not None
    assert differences(FOUND, ceilings) == []


@pytest.mark.parametrize(
    ("ceiling", "words"),
    [
        ({"call_instructions": 4999, "call_c_calls": 100}, "call instructions: 5000, over its ceiling of 4999"),
        ({"call_instructions": 5200, "call_c_calls": 100}, "call instructions: 5000, well under its ceiling of 5200"),
        ({"call_c_calls": 100}, "call instructions: 5000, and nothing is recorded"),
    ],
)
def test_a_difference_names_the_figure(ceiling: dict[str, int], words: str) -> None:
    """More, much less and unknown are each told with both figures."""
    [told] = differences(FOUND[1:], {"fake whole": ceiling})
    assert words in told


def test_a_driver_that_is_gone_is_told() -> None:
    """A ceiling that guards nothing is a difference."""
    assert differences((), {"fake chat": {}}) == ["fake chat is recorded, but no driver brings it."]


def test_ceilings_of_another_python_are_not_compared(tmp_path: Path) -> None:
    """Instructions differ between versions, so they say nothing there."""
    path = tmp_path / "counts.json"
    path.write_text(json.dumps({"python": "2.7", "counts": {}}))
    assert recorded(path) is None


def test_a_record_of_nothing_is_compared_too(tmp_path: Path) -> None:
    """A file without counts lets nothing pass."""
    (tmp_path / "none.json").write_text(json.dumps({"python": python_version(), "counts": {}}))
    run = bench_counts("--check", str(tmp_path / "none.json"))
    assert run.returncode == 1
    assert "nothing is recorded" in run.stdout


WRONG = [f'{{"python": "{python_version()}", "counts": {counts}}}' for counts in ("[]", '{"a": 1}', '{"a": {"b": "c"}}')]


@pytest.mark.parametrize("text", ["", "[]", "{}", *WRONG])
def test_a_file_of_no_counts_is_refused(tmp_path: Path, text: str) -> None:
    """It says how to write one."""
    path = tmp_path / "counts.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="--write"):
        recorded(path)
