"""Real processes: what the operating system does to them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import os
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
answer = {"long": "word " * 50_000, "steering": "red \\x1b[31m alert"}.get(behaviour, "hello")
transport = Endless() if behaviour == "endless" else FakeTransport({"fake:small": [answer]})
registry = fake_registry([fake_card()], [fake_plugin("cli", commands=plugin.pingpong_commands())])
seams = {"registry": registry, "transport": transport, "clock": FakeClock()}
root.main(args, obj=App(env={**os.environ, "FAKE_KEY": "k"}, seams=seams))
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


def run_script(*args: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """The program as it is installed, by its entry point."""
    code = "import sys; from pingpong_cli.main import main; sys.argv[0] = 'pingpong'; main()"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **more.pop("env", {})}
    return subprocess.run([sys.executable, "-c", code, *args], env=env, text=True, timeout=60, **more)


def test_a_terminal_without_the_characters() -> None:
    """Where stdout cannot hold a character, a question mark stands for it instead of an error."""
    done = run_script("--json", "ask", "hi", "--model", "ß", env={"PYTHONIOENCODING": "ascii:strict"}, capture_output=True)
    assert (done.returncode, done.stderr) == (2, "")
    assert "'?' is no model id" in json.loads(done.stdout)["error"]["message"]


def _close(*streams: int) -> Callable[[], None]:
    def run() -> None:
        for stream in streams:
            os.close(stream)

    return run


@pytest.mark.parametrize("args", [("ask", "2+2?", "--simulate"), ("plugins",), ("--json", "plugins")])
def test_closed_stdout_is_one_paragraph(args: tuple[str, ...]) -> None:
    """What cannot be written because stdout is closed is exit code 1, and one line says so."""
    done = run_script(*args, stderr=subprocess.PIPE, preexec_fn=_close(1))
    assert done.returncode == 1
    assert "stdout is closed" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_closed_stderr_is_no_error() -> None:
    """Notes that nobody can read keep no answer back; with stdout closed too the exit code still tells the loss."""
    done = run_script("plugins", stdout=subprocess.PIPE, preexec_fn=_close(2))
    assert (done.returncode, "cli" in done.stdout) == (0, True)
    assert run_script("plugins", preexec_fn=_close(1, 2)).returncode == 1


def on_terminal(behaviour: str, *args: str, **env: str) -> str:
    """All that the program writes to a terminal."""
    ours, theirs = os.openpty()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm", **env}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, behaviour, *args], stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    os.close(theirs)
    told = b""
    with suppress(OSError):  # Linux says EIO when the last writer is gone
        while piece := os.read(ours, 65536):
            told += piece
    os.close(ours)
    assert process.wait(60) in (0, 2)
    return told.decode()


def test_terminal_shows_a_spinner_and_is_not_steered() -> None:
    """A terminal sees that something is waited for, and no control character of the answer."""
    told = on_terminal("steering", *ASK)
    assert "Waiting for the answer" in told
    assert "red \ufffd[31m alert" in told


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_plain_terminal_gets_no_escape(env: dict[str, str]) -> None:
    """NO_COLOR and a dumb terminal keep every escape sequence away, tables included."""
    told = on_terminal("short", *ASK, "--explain", **env)
    assert "hello" in told
    assert "\x1b" not in told


def test_no_prompt_on_a_terminal() -> None:
    """Without a prompt a terminal is not read from; the usage says how to give one."""
    assert "There is no prompt." in on_terminal("short", "ask")
