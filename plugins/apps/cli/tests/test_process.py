"""Real processes: what the operating system does to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import sys
import anyio
from pingpong.testing import FakeClock, FakeTransport, fake_card, fake_plugin, fake_registry
from pingpong_cli import plugin
from pingpong_cli.app import App
from pingpong_cli.main import root

class Endless(FakeTransport):
    async def open(self, base_url, request, deadline_s):
        print("asked", file=sys.stderr, flush=True)
        try:
            await anyio.sleep_forever()
        finally:
            print("closed", file=sys.stderr, flush=True)

behaviour, *args = sys.argv[1:]
answer = "word " * 50_000 if behaviour == "long" else "hello"
transport = Endless() if behaviour == "endless" else FakeTransport({"fake:small": [answer]})
registry = fake_registry([fake_card()], [fake_plugin("cli", commands=plugin.pingpong_commands())])
seams = {"registry": registry, "transport": transport, "clock": FakeClock()}
root.main(args, obj=App(env={"FAKE_KEY": "k"}, seams=seams))
"""
ASK = ("ask", "hi", "--model", "fake:small")


def start(behaviour: str, *args: str, **streams: Any) -> subprocess.Popen[bytes]:
    """The program in a process of its own."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    streams.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen([sys.executable, "-c", PROGRAM, behaviour, *args], stderr=subprocess.PIPE, env=env, **streams)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
@pytest.mark.parametrize("args", [ASK, (*ASK, "--json"), (*ASK, "--explain"), ("models",), ("--help",)])
def test_full_disk_is_one_paragraph(args: tuple[str, ...]) -> None:
    """When stdout cannot be written, stderr says so in one line that tells what to do, and the exit code is 1."""
    with open("/dev/full", "wb") as full:
        process = start("short", *args, stdout=full)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"No space left on device" in stderr
    assert b"Free some space" in stderr
    assert stderr.count(b"\n") == 1


def test_closed_pipe_is_quiet() -> None:
    """A reader that goes away ends the program with 141 and not a word."""
    process = start("long", *ASK, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(4)
    process.stdout.close()
    stderr = process.stderr.read()
    assert (process.wait(60), stderr) == (141, b"")
    process.stderr.close()


def test_interrupt_is_clean() -> None:
    """Ctrl-C while waiting closes the request, says so, and exits with 130; no traceback."""
    process = start("endless", *ASK, stdout=subprocess.PIPE)
    assert process.stderr is not None
    assert process.stderr.readline() == b"asked\n"
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, b"")
    assert stderr.split() == [b"closed", b"Error:", b"Interrupted."]


def test_bytes_that_are_no_text() -> None:
    """Invalid UTF-8 on a real pipe is exit code 2 and, with --json, one object."""
    process = start("short", "ask", "--model", "fake:small", "--json", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    stdout, stderr = process.communicate(b"caf\xe9", timeout=60)
    assert (process.returncode, stderr) == (2, b"")
    assert "byte 0xe9 at position 3" in json.loads(stdout)["error"]["message"]


def test_a_latin_terminal_gets_the_answer() -> None:
    """Where stdout cannot hold a character, a question mark stands for it instead of an error."""
    code = "import sys; from pingpong_cli.main import main; sys.argv = ['pingpong', '--version']; main()"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "ascii:strict"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
