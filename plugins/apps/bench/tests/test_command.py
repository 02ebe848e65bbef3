"""`pingpong bench calls` as people run it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from pingpong import ConfigError
from pingpong_bench import command, plot
from pingpong_bench.report import Report
from rich.console import Console

RUN = "import sys; from pingpong_cli.main import main; sys.argv[0] = 'pingpong'; main()"
QUICK = ("bench", "calls", "--quick")


def run(*args: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own."""
    return subprocess.run([sys.executable, "-c", RUN, *args], capture_output=True, text=True, timeout=120)


def test_a_quick_run_prints_one_object() -> None:
    """Every part is there: the machine, a row for each chosen contender in each scenario, and every budget of the kernel."""
    done = run(*QUICK, "--json", "--only", "pingpong-httpx", "--only", "kernel")
    assert (done.returncode in (0, 1), done.stderr) == (True, "")
    data = json.loads(done.stdout)
    assert data["is_quick"] is True
    assert {r["contender"] for r in data["rows"]} == {"httpx", "pingpong-httpx"}
    assert len(data["rows"]) == 2 * len(data["scenarios"])
    assert all(r["cpu_us"] > 0 and len(r["rounds_us"]) == data["rounds"] for r in data["rows"])
    measured = {v["name"] for v in data["budgets"] if v["measured"] is not None}
    assert measured == {"import", "listing", "deciding", "share"}
    assert data["not_measured"] == []
    assert data["machine"]["versions"]["httpx"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("--only", "nonsense"), "'nonsense' is not one of"),
        (("--rounds", "0"), "--rounds"),
        (("--plot", "calls.pdf"), "must end in .svg or .png"),
        (("--write", "no/such/folder/page.md"), "cannot be written"),
    ],
)
def test_wrong_usage_is_told_before_anything_runs(args: tuple[str, ...], words: str) -> None:
    """Exit code 2 and one paragraph; with --json one object."""
    done = run(*QUICK, *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    as_json = run(*QUICK, "--json", *args)
    assert words in json.loads(as_json.stdout)["error"]["message"]


def test_an_interrupt_is_clean_and_takes_the_server_along() -> None:
    """Ctrl-C on a terminal: exit code 130, no traceback; the terminal closes, which the server held open too."""
    ours, theirs = os.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    program = [sys.executable, "-c", RUN, *QUICK, "--only", "pingpong-httpx", "--rounds", "1000"]
    process = subprocess.Popen(program, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    told, is_sent = b"", False
    with suppress(OSError):  # Linux says EIO when the last writer is gone
        while piece := os.read(ours, 65536):
            told += piece
            if b"round 2 of 1000" in told and not is_sent:
                process.send_signal(signal.SIGINT)
                is_sent = True
    os.close(ours)
    assert process.wait(60) == 130
    assert b"Interrupted." in told
    assert b"Traceback" not in told


class FakeApp:
    """What the command line's context object is to the command."""

    def __init__(self) -> None:
        self.flags: dict[str, Any] = {}
        self.told: list[Any] = []

    @property
    def is_json(self) -> bool:
        return bool(self.flags.get("is_json"))

    def console(self, *, is_stderr: bool = False) -> Console:
        return Console(stderr=is_stderr, width=100, color_system=None)

    def print_json(self, value: Any) -> None:
        self.told.append(value)


def invoke(monkeypatch: pytest.MonkeyPatch, report: Report, *args: str) -> tuple[Result, FakeApp]:
    """The command in this process, with a run that is already done."""
    monkeypatch.setattr(command, "run", lambda *args, **options: report)
    app = FakeApp()
    return CliRunner().invoke(command.make(), args, obj=app), app


def test_the_exit_code_tells_whether_budgets_are_met(monkeypatch: pytest.MonkeyPatch, report: Report, kept: Report) -> None:
    """1 when one is missed, 0 when all that were measured are met."""
    assert [invoke(monkeypatch, r)[0].exit_code for r in (report, kept)] == [1, 0]


def test_the_table_and_the_page(monkeypatch: pytest.MonkeyPatch, report: Report, tmp_path: Path) -> None:
    """stdout holds both tables and the reasons; the page is written beside them."""
    result, _ = invoke(monkeypatch, report, "--write", str(tmp_path / "page.md"))
    assert "Ping-Pong over aiohttp" in result.output
    assert "decide over 500 cards" in result.output
    assert "OpenAI SDK: openai is not installed." in result.output
    assert (tmp_path / "page.md").read_text().startswith("# The budgets, measured\n")


def test_json_is_the_report_alone(monkeypatch: pytest.MonkeyPatch, report: Report) -> None:
    """With --json nothing else is printed."""
    result, app = invoke(monkeypatch, report, "--json")
    assert (result.output, len(app.told)) == ("", 1)


def test_a_missing_matplotlib_is_one_clear_message(monkeypatch: pytest.MonkeyPatch, report: Report, tmp_path: Path) -> None:
    """It says what to install, and nothing is measured or written."""
    monkeypatch.setattr(plot, "find_spec", lambda name: None)
    result, _ = invoke(monkeypatch, report, "--plot", str(tmp_path / "calls.svg"))
    assert isinstance(result.exception, ConfigError)
    assert "pip install 'pingpong-bench[plot]'" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_plot_without_calls_is_refused(monkeypatch: pytest.MonkeyPatch, report: Report) -> None:
    """The kernel alone has nothing to draw."""
    result, _ = invoke(monkeypatch, report, "--only", "kernel", "--plot", "calls.svg")
    assert result.exit_code == 2
    assert "--only kernel" in result.output


@pytest.mark.parametrize("suffix", plot.SUFFIXES)
def test_the_plot_is_drawn(report: Report, tmp_path: Path, suffix: str) -> None:
    """Both kinds of picture come out, the same bytes each time for the same figures."""
    pytest.importorskip("matplotlib", reason="drawing needs pingpong-bench[plot]")
    files = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]
    for file in files:
        plot.draw(report, file)
    one, two = (file.read_bytes() for file in files)
    assert one == two
    assert one.startswith(b"<?xml" if suffix == ".svg" else b"\x89PNG")
