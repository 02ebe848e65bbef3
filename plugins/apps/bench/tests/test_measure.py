"""How it is measured: in turn, after one look at the answer, and never a figure for what failed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest
from pingpong_bench.contenders import CONTENDERS, Contender
from pingpong_bench.measure import Gap, Row, measured, reason_of, rotated, spent_s
from pingpong_bench.opened import Answer, expected
from pingpong_bench.scenarios import FULL, QUICK, Scenario, scenarios

pytestmark = pytest.mark.anyio

SCENARIO = Scenario(name="call-1", title="1 call", kind="call", path="/v1", n=3, concurrency=1)
Make = Callable[..., Contender]


def caller(seen: list[str], name: str, answer: Answer | None = None) -> Any:
    async def call() -> Answer:
        seen.append(name)
        return answer or expected(0)

    return call


async def run(*contenders: Contender, rounds: int = 3) -> tuple[list[Row], list[Gap]]:
    return await measured(SCENARIO, contenders, "http://nowhere.invalid", rounds, lambda text: None)


async def test_every_round_begins_with_another(contender: Make) -> None:
    """Contenders take turns, each measured as often as the others, after fifty calls to warm up."""
    seen: list[str] = []
    rows, gaps = await run(*(contender(name, caller(seen, name)) for name in "abc"))
    assert [(row.contender, len(row.rounds_us)) for row in rows] == [("a", 3), ("b", 3), ("c", 3)]
    assert gaps == []
    turns = "".join(name for name, _ in groupby(seen[3:]))
    assert turns == "abcbcacab"
    assert len(seen) == 3 + 9 * (50 + SCENARIO.n)


async def test_a_wrong_answer_has_no_figure(contender: Make) -> None:
    """An answer that is not the script's is told, and the contender is not measured."""
    wrong = Answer("something else", "stop", 24, 80)
    rows, (gap,) = await run(contender("a", caller([], "a", wrong)), contender("b", caller([], "b")))
    assert [row.contender for row in rows] == ["b"]
    assert (gap.contender, gap.is_failure) == ("a", True)
    assert "its answer differs" in gap.reason


async def test_an_error_takes_every_figure_away(contender: Make) -> None:
    """One that fails in a later round is told with the reason; what it had until then is not shown."""
    calls = iter(range(1000))

    async def fails_late() -> Answer:
        if next(calls) > 60:
            raise ValueError("worn out\nand more")
        return expected(0)

    rows, (gap,) = await run(contender("a", fails_late), contender("b", caller([], "b")))
    assert [(row.contender, len(row.rounds_us)) for row in rows] == [("b", 3)]
    assert gap == Gap("call-1", "a", "ValueError: worn out", is_failure=True)


async def test_what_is_not_installed_is_not_opened(contender: Make) -> None:
    """A missing module is the reason, and no failure; a contender that has no calls by design is passed over."""
    missing = contender("a", None, modules=("no_such_module",))
    rows, gaps = await run(missing, contender("b", None))
    assert rows == []
    assert gaps == [Gap("call-1", "a", "no_such_module is not installed")]


async def test_one_that_does_not_open_is_told(contender: Make) -> None:
    """An error on opening is a gap like any other."""

    def broken(base_url: str) -> Any:
        raise ImportError("half installed")

    _, gaps = await run(contender("a", None, open=broken))
    assert gaps == [Gap("call-1", "a", "ImportError: half installed", is_failure=True)]


@pytest.mark.parametrize(("n", "concurrency"), [(7, 3), (3, 3), (2, 5), (1, 1)])
async def test_the_work_is_done_as_often_as_asked(n: int, concurrency: int) -> None:
    """Whatever the concurrency, so many works are done."""
    seen: list[str] = []
    assert await spent_s(caller(seen, "a"), n, concurrency) >= 0
    assert len(seen) == n


def test_rotation_and_reasons(contender: Make) -> None:
    """Each is first in its turn; a group's first error is the reason, a limit of time is told in words."""
    a, b = contender("a", None), contender("b", None)
    assert [rotated([a, b], n) for n in (0, 1, 2)] == [[a, b], [b, a], [a, b]]
    assert rotated([], 3) == []
    assert reason_of(ExceptionGroup("two", [ValueError("first"), ValueError("second")])) == "ValueError: first"
    assert reason_of(TimeoutError()) == "it took longer than 120 s"
    assert reason_of(ValueError()) == "ValueError: "


@pytest.mark.parametrize("size", [FULL, QUICK])
def test_every_scenario_gives_each_worker_something(size: Any) -> None:
    """No scenario has fewer works than are to run at a time; names are unique, as are the contenders'."""
    shown = scenarios(size)
    assert all(s.n >= s.concurrency for s in shown)
    assert [s.name for s in shown] == ["call-1", "call-32", "call-100", "burst", "paced"]
    assert len({c.name for c in CONTENDERS}) == len(CONTENDERS)
