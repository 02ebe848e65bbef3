"""`pingpong simulate` as a process of its own: starts, answers, follows its faults file, ends cleanly on Ctrl-C."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from pingpong import Client, Config, ConfigError, Registry
from pingpong_simulator.command import make

RUN = "from pingpong_simulator.command import make; make()()"
ASK = json.dumps({"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": "What is 2 + 2?"}]}).encode()


def _status(url: str) -> int:
    request = urllib.request.Request(f"{url}/v1/chat/completions", ASK, {"content-type": "application/json"})  # noqa: S310  # http
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310  # our own server
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_serves_until_interrupted(tmp_path: Path) -> None:
    """One JSON line gives the address, the faults file is followed, and Ctrl-C ends it with code 0 and no traceback."""
    faults = tmp_path / "faults.toml"
    faults.write_text('[faults]\n"openai:gpt-5.4-mini" = ["503", "ok"]\n')
    command = [sys.executable, "-c", RUN, "--json", "--latency", "0", "--faults", str(faults)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url = json.loads(process.stdout.readline())["url"]
            assert [_status(url), _status(url)] == [503, 200]
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (0, "", "")


def test_a_taken_port_is_one_clear_sentence() -> None:
    """A port that is in use is a `ConfigError` that says what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(make(), ["--port", str(taken.getsockname()[1])])
    assert isinstance(result.exception, ConfigError)
    assert "--port" in str(result.exception)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        (b"[faults", "not TOML"),
        (b"\xff", "not TOML"),
        (b'[faults]\n"openai:x" = ["4x"]', "openai:x"),
        (b'[faults]\n"openai:gpt-5.4-minni" = ["429"]', "there is no such model; did you mean openai:gpt-5.4-mini?"),
        (b'[faults]\nnonsense = ["429"]', "write provider:model"),
        (b'"openai:gpt-5.4-mini" = ["429"]', "[faults]"),
    ],
)
def test_a_wrong_faults_file_is_named(tmp_path: Path, content: bytes | None, words: str) -> None:
    """A missing, malformed or wrong faults file is a `ConfigError` that names the file."""
    faults = tmp_path / "faults.toml"
    if content is not None:
        faults.write_bytes(content)
    result = CliRunner().invoke(make(), ["--faults", str(faults)])
    assert isinstance(result.exception, ConfigError)
    assert str(faults) in str(result.exception)
    assert words in str(result.exception)


def test_without_drivers_there_is_nothing_to_serve() -> None:
    """The context object's client is used, and one without drivers is told so."""
    bare = SimpleNamespace(client_factory=lambda: Client(Config(), env={}, registry=Registry(allow=["simulator"])))
    result = CliRunner().invoke(make(), [], obj=bare)
    assert isinstance(result.exception, ConfigError)
    assert "install" in str(result.exception)


def test_prints_the_variables_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --json it prints the variables that point each client at it; an interrupt while serving is no failure."""

    def interrupted(self: object, sockets: object = None) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("uvicorn.Server.run", interrupted)
    result = CliRunner().invoke(make(), [])
    assert result.exit_code == 0
    for line in ("OPENAI_BASE_URL=http://127.0.0.1:", "ANTHROPIC_BASE_URL=http://127.0.0.1:", "GOOGLE_GEMINI_BASE_URL="):
        assert f"export {line}" in result.output
