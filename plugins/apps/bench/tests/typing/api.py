"""How the bench's own interfaces type: checked by mypy, never run."""

from typing import Any, assert_type

import click
from pingpong_bench import command, counts_command
from pingpong_bench.contenders import CONTENDERS, Contender
from pingpong_bench.report import Report, report_json
from pingpong_bench.run import run
from pingpong_bench.verdicts import Verdict


def the_commands_are_click_commands() -> tuple[click.Command, click.Command]:
    return command.make(), counts_command.make()


def a_run_gives_a_report() -> None:
    report = run(["kernel"], None, is_quick=True, tell=lambda text: None)
    assert_type(report, Report)
    assert_type(report_json(report), dict[str, Any])
    assert_type(report.ratio("call-1", "openai"), float | None)
    assert_type(report.budgets, tuple[Verdict, ...])
    assert_type([c.name for c in report.budgets if c.is_met], list[str])


def contenders_are_records() -> None:
    assert_type(CONTENDERS[0], Contender)
