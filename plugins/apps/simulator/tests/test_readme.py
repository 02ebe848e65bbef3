"""The README's examples."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from pingpong_simulator.options import options_from_table

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_tasks_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The example prints three tasks and finds their right answers right."""
    example = next(block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "is_right" in block)
    exec(example, {})  # noqa: S102  # our own README
    assert capsys.readouterr().out.count("True") == 3


def test_settings_example_is_valid() -> None:
    """The configuration shown is one that the simulator takes."""
    (table,) = re.findall(r"```toml\n(.*?)```", README, re.S)
    options = options_from_table(tomllib.loads(table)["simulator"])
    assert [options.faults.next("openai:gpt-5.4-mini").status for _ in range(2)] == [429, None]
