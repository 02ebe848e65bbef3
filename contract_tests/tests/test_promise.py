"""The promise about cancellation, in this environment and in one that holds the kernel and one driver alone."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pingpong_contract import promise

ROOT = Path(__file__).parents[2]
N_CALLS = 10_000 if os.environ.get("PINGPONG_FULL") == "1" else 450
DRIVERS = ("openai", "anthropic", "gemini")


def keep(python: str, driver: str, backend: str) -> dict[str, object]:
    """The script's result in a process of its own."""
    command = [python, str(Path(promise.__file__)), driver, "--calls", str(N_CALLS), "--backend", backend]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout
    result: dict[str, object] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_after_cancelled_calls_the_next_hundred_succeed(driver: str, backend: str) -> None:
    """With everything installed, calls cancelled at random points cost no later call anything."""
    assert keep(sys.executable, driver, backend)["succeeded"] == promise.N_AFTER


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of a fresh environment with pingpong-core and one driver, out of what is installed already."""
    uv = shutil.which("uv") or shutil.which(str(ROOT / ".uv/bin/uv"))
    if uv is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("uv is missing: python3 -m venv .uv && .uv/bin/pip install uv")
    folder = tmp_path_factory.mktemp("alone") / "venv"
    python = str(folder / "bin/python")
    needed = [ROOT / "core", *sorted((ROOT / "plugins/libraries").glob("*/")), ROOT / "plugins/drivers/openai"]
    editable = [argument for path in needed for argument in ("-e", str(path))]
    subprocess.run([uv, "venv", "-q", "-p", sys.executable, str(folder)], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--offline", "-p", python, *editable], check=True, cwd=ROOT)
    return python


def test_with_the_kernel_and_one_driver_alone(alone: str) -> None:
    """The promise does not depend on what else is installed."""
    listed = subprocess.run([alone, "-m", "pip", "--version"], capture_output=True)
    assert listed.returncode != 0, "the environment holds more than it should"
    assert keep(alone, "openai", "asyncio")["succeeded"] == promise.N_AFTER
