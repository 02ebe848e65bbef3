"""`pingpong ask`."""

from __future__ import annotations

import json
import socket
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from pingpong import AuthenticationError, ConnectionFailed, Reasoning, ServerError, Text
from pingpong.testing import Cut, Silence, fake_card, fake_response


def test_answer_alone_on_stdout(world: Any) -> None:
    """The answer and a line end are all of stdout, and stderr is empty."""
    run = world.run("ask", "Say hi")
    assert (run.exit_code, run.stdout, run.stderr) == (0, "Say hi\n", "")


def test_whole_answer_is_the_same(world: Any) -> None:
    """Without streaming, stdout is the same."""
    assert world.run("ask", "Say hi", "--no-stream").stdout == "Say hi\n"


@pytest.mark.parametrize(
    ("args", "stdin"), [(("-",), "from stdin"), ((), "from stdin"), (("--file", "-"), "\ufefffrom stdin")]
)  # fmt: skip
def test_prompt_from_stdin(args: tuple[str, ...], stdin: str, world: Any) -> None:
    """What is piped in is the prompt, without a byte order mark."""
    assert world.run("ask", *args, stdin=stdin.encode()).stdout == "from stdin\n"


def test_prompt_from_file(world: Any, tmp_path: Path) -> None:
    """`--file` reads the prompt."""
    (tmp_path / "prompt.txt").write_text("aus der Datei: ß", encoding="utf-8")
    assert world.run("ask", "--file", str(tmp_path / "prompt.txt")).stdout == "aus der Datei: ß\n"


def test_options_reach_the_request(world: Any, tmp_path: Path) -> None:
    """Every option that describes the request arrives at the provider as it was given."""
    (tmp_path / "schema.json").write_text('{"type": "object"}')
    args = ("--system", "Be brief.", "--temperature", "0.5", "--max-output-tokens", "7", "--timeout", "9")
    run = world.run("ask", "hi", *args, "--max-cost", "$0.25", "--schema", str(tmp_path / "schema.json"))
    sent = world.sent()
    assert run.exit_code == 0
    assert [(m["role"], m["parts"][0]["text"]) for m in sent["messages"]] == [("system", "Be brief."), ("user", "hi")]
    expected = {"temperature": 0.5, "max_output_tokens": 7, "timeout_s": 9.0, "max_cost_usd": "0.25"}
    assert {name: sent[name] for name in expected} == expected
    assert sent["output_schema"]["schema"] == {"type": "object"}


def test_model_is_called_alone(world: Any) -> None:
    """`--model` calls that model and tells so in the decision."""
    run = world.run("ask", "hi", "--model", "other:big", "--json")
    assert [model for model, _ in world.transport.requests] == ["other:big"]
    assert (json.loads(run.stdout)["model_used"], json.loads(run.stdout)["strategy"]) == ("other:big", "model")


def test_explain_goes_to_stderr(world: Any) -> None:
    """Tables of models and attempts and the exact total are on stderr; stdout stays the answer."""
    world.script = {"fake:small": [ServerError("down")]}
    run = world.run("ask", "hi", "--explain")
    assert run.stdout == "hi\n"
    for text in ("fake:small", "other:big", "failed: server_error", "success", "Total $0.00002,", "3 attempts"):
        assert text in run.stderr


def test_json_is_one_object_with_everything(world: Any) -> None:
    """stdout is one JSON object with the promised members; money is decimal text, the time has a zone."""
    run = world.run("ask", "hi", "--json")
    told = json.loads(run.stdout)
    expected = {
        "response": "hi", "model_used": "fake:small", "cost_usd": "0.00002", "confidence": None, "input_tokens": 10,
        "output_tokens": 5, "strategy": "fallback", "fallback_chain": ["fake:small", "other:big"], "ensemble_models": [],
    }  # fmt: skip
    assert {name: told[name] for name in expected} == expected
    assert told["latency_ms"] >= 0
    assert told["attempts"][0]["cost_usd"] == "0.00002"
    assert [c["model"] for c in told["decision"]["candidates"]] == ["fake:small", "other:big"]
    assert told["metadata"]["is_simulated"] is False
    assert datetime.fromisoformat(told["timestamp"]).tzinfo is not None


def test_unknown_price_is_null(world: Any) -> None:
    """A model without a price has a cost of null, not of zero."""
    world.cards = (evolve(fake_card("fake:small"), price=None),)
    assert json.loads(world.run("ask", "hi", "--json").stdout)["cost_usd"] is None


def test_json_failure_is_one_object(world: Any) -> None:
    """A failure prints `{"error": …}` on stdout with kind, message, retryable and the attempts made."""
    world.script = {"fake:small": [ServerError("down")], "other:big": [ServerError("down")]}
    run = world.run("ask", "hi", "--json")
    error = json.loads(run.stdout)["error"]
    assert run.exit_code == 5
    assert (error["kind"], error["retryable"], len(error["attempts"])) == ("all_failed", True, 4)
    assert [e["provider"] for e in error["errors"]] == ["fake", "other"]


@pytest.mark.parametrize(
    ("args", "script", "exit_code", "text"),
    [
        (("--validator", "grumpy"), {}, 1, "leave the validator out"),
        (("--model", "fake:small"), {"fake:small": [Silence()]}, 1, "--timeout"),
        (("--max-cost", "0.000000001"), {}, 3, "raise the cap"),
        (("--strategy", "unclear"), {}, 6, "Which city do you mean?"),
        (("--model", "fake:small"), {"fake:small": [AuthenticationError("no")]}, 5, "Error: "),
        (("--model", "fake:small"), {"fake:small": [Cut(fake_response(), 2)]}, 5, "ask again"),
    ],
)
def test_exit_codes(args: tuple[str, ...], script: Any, exit_code: int, text: str, world: Any) -> None:
    """Each way to fail has its documented exit code and a paragraph that says what to do."""
    world.script = script
    run = world.run("ask", "hi", *args)
    assert run.exit_code == exit_code
    assert text in run.stderr
    assert "Traceback" not in run.stderr


def test_failures_are_explained_too(world: Any) -> None:
    """With --explain a failure shows reasons and attempts before its paragraph."""
    world.script = {"fake:small": [ServerError("down")]}
    told = world.run("ask", "hi", "--model", "fake:small", "--explain").stderr
    assert told.index("the request names it") < told.index("failed: server_error") < told.index("Error: ")
    world.env = {"COLUMNS": "120"}
    told = world.run("ask", "hi", "--explain").stderr
    assert told.index("no key: set FAKE_KEY") < told.index("Error: ")
    assert "attempt" not in told


def test_no_route(world: Any) -> None:
    """Without a key no model may serve, which is exit code 4, and the message names the variable."""
    world.env = {}
    run = world.run("ask", "hi")
    assert (run.exit_code, "set FAKE_KEY" in run.stderr) == (4, True)


BAD_INPUT: tuple[tuple[tuple[str, ...], str], ...] = (
    (("ask", ""), "The prompt is empty"),
    (("ask", "hi", "--model", "fake:smal"), "Did you mean fake:small"),
    (("ask", "hi", "--model", "small"), "write provider:model"),
    (("ask", "hi", "--strategy", "fallbak"), "Did you mean 'fallback'"),
    (("ask", "hi", "--validator", "none"), "There is no validator named 'none'"),
    (("ask", "hi", "--model", "fake:small", "--strategy", "fallback"), "not both"),
    (("ask", "hi", "--file", "x"), "not both"),
    (("ask", "--file", "missing.txt"), "missing.txt cannot be read"),
    (("ask", "hi", "--schema", "missing.json"), "missing.json cannot be read"),
    (("ask", "hi", "--max-cost", "cheap"), "'cheap' is not a number of at least 0"),
    (("ask", "hi", "--max-cost", "nan"), "'nan' is not a number"),
    (("ask", "hi", "--timeout", "0"), "'0' is not a number above 0"),
    (("ask", "hi", "--timeout", "inf"), "'inf' is not a number above 0"),
    (("ask", "hi", "--temperature", "-1"), "--temperature"),
    (("ask", "hi", "--bogus"), "`pingpong ask --help` shows the usage"),
    (("--config", "missing.toml", "ask", "hi"), "missing.toml: the configuration cannot be read"),
)


@pytest.mark.parametrize(("args", "text"), BAD_INPUT)
def test_bad_input_is_one_paragraph(args: tuple[str, ...], text: str, world: Any) -> None:
    """Wrong input ends with exit code 2 and one line on stderr that names what to do; nothing is sent."""
    run = world.run(*args)
    assert (run.exit_code, run.stdout) == (2, "")
    assert text in run.stderr
    assert run.stderr.count("\n") == 1
    assert world.transport.requests == []


@pytest.mark.parametrize("args", [args for args, _ in BAD_INPUT if args[0] == "ask"])
def test_bad_input_as_json(args: tuple[str, ...], world: Any) -> None:
    """With --json the same is one error object on stdout, and stderr is empty."""
    run = world.run("--json", *args)
    error = json.loads(run.stdout)["error"]
    assert (run.exit_code, run.stderr, error["retryable"], error["attempts"]) == (2, "", False, [])


@pytest.mark.parametrize(("content", "text"), [("{", "is not JSON"), ("[]", "holds no JSON object")])
def test_schema_files_are_checked(content: str, text: str, world: Any, tmp_path: Path) -> None:
    """A schema file that is no JSON object is named."""
    (tmp_path / "schema.json").write_text(content)
    run = world.run("ask", "hi", "--schema", str(tmp_path / "schema.json"))
    assert (run.exit_code, text in run.stderr) == (2, True)


def test_a_prompt_has_a_largest_size(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond the limit is refused before it is read whole."""
    monkeypatch.setattr("pingpong_cli.prompts.MAX_PROMPT_BYTES", 3)
    run = world.run("ask", stdin="four")
    assert (run.exit_code, "larger than 3 bytes" in run.stderr) == (2, True)


def test_validator_is_explained(world: Any) -> None:
    """What a validator said stands below the attempts."""
    run = world.run("ask", "hi", "--validator", "kind", "--explain")
    assert "kind: 0.90: polite" in run.stderr


def test_invalid_utf8(world: Any) -> None:
    """Bytes that are not UTF-8 are named with their place."""
    run = world.run("ask", stdin=b"ab\xff")
    assert (run.exit_code, "byte 0xff at position 2" in run.stderr) == (2, True)


@pytest.mark.parametrize(
    ("toml", "text"),
    [("strategy =", "not TOML"), ("stratgy = 'x'", "did you mean strategy"), ("timeout_s = -1", "timeout_s must be")],
)
def test_broken_configuration(toml: str, text: str, world: Any, tmp_path: Path) -> None:
    """A broken file is named with what is wrong in it."""
    (tmp_path / "pingpong.toml").write_text(toml)
    run = world.run("ask", "hi")
    assert (run.exit_code, text in run.stderr, str(tmp_path / "pingpong.toml") in run.stderr) == (2, True, True)


def test_missing_and_malformed_keys(world: Any) -> None:
    """A missing key is named by its variable; a malformed one is not repeated."""
    world.env = {}
    assert "set FAKE_KEY" in world.run("ask", "hi", "--model", "fake:small").stderr
    world.env = {"FAKE_KEY": "two words"}
    run = world.run("ask", "hi", "--model", "fake:small")
    assert (run.exit_code, "FAKE_KEY" in run.stderr, "two words" in run.output) == (2, True, False)


def test_refused_connection(world: Any, tmp_path: Path) -> None:
    """A port where nobody listens is exit code 5 and a paragraph about the network, not a traceback."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    (tmp_path / "pingpong.toml").write_text(f'[drivers.fake]\nbase_url = "http://127.0.0.1:{port}"')
    world.is_offline = False
    run = world.run("ask", "hi", "--model", "fake:small")
    assert (run.exit_code, run.stdout) == (5, "")
    assert "base_url" in run.stderr
    assert "Traceback" not in run.stderr


def test_simulated_is_said_once_on_stderr(simulated: Any) -> None:
    """Without a key one line names the variable that would make answers real; stdout stays the answer."""
    run = simulated.run("ask", "hi")
    assert (run.exit_code, run.stdout) == (0, "hi\n")
    assert run.stderr.count("\n") == 1
    assert "Simulated" in run.stderr
    assert "set FAKE_KEY" in run.stderr


def test_simulated_in_json(simulated: Any) -> None:
    """The object says that the answer is simulated."""
    assert json.loads(simulated.run("ask", "hi", "--json").stdout)["metadata"]["is_simulated"] is True


def test_simulate_with_a_key(simulated: Any) -> None:
    """--simulate answers from the simulator in spite of a key, and says how to stop that."""
    simulated.env = {"FAKE_KEY": "secret"}
    assert "leave out --simulate" in simulated.run("ask", "hi", "--simulate").stderr


def test_no_simulate_without_a_key(simulated: Any) -> None:
    """--no-simulate without a key refuses instead of simulating."""
    run = simulated.run("ask", "hi", "--no-simulate")
    assert (run.exit_code, run.stdout) == (4, "")


def test_verbose_shows_reasoning_causes_and_attempts(world: Any) -> None:
    """--verbose adds the model's reasoning, and for a failure its attempts and facts; never on stdout."""
    thoughtful = fake_response(parts=(Reasoning("Let me think."), Text("done")))
    world.script = {"fake:small": [thoughtful]}
    run = world.run("ask", "hi", "--verbose")
    assert (run.stdout, "Let me think." in run.stderr) == ("done\n", True)
    world.script = {"fake:small": [ServerError("down")]}
    run = world.run("ask", "hi", "--model", "fake:small", "-v")
    assert "attempt 2 at fake:small: failed" in run.stderr
    assert "status 500" in run.stderr


def test_a_cut_answer_keeps_its_line(world: Any) -> None:
    """What had arrived before the stream broke is shown, with its line ended, before the error."""
    world.script = {"fake:small": [Cut(fake_response("half an ans"), 2)]}
    run = world.run("ask", "hi", "--model", "fake:small")
    assert run.stdout == "half an ans\n"
    assert run.exit_code == 5


def test_one_dead_provider_is_no_failure(world: Any) -> None:
    """With a second provider the answer still comes, from it."""
    world.script = {"fake:small": [ConnectionFailed("down")]}
    assert json.loads(world.run("ask", "hi", "--json").stdout)["model_used"] == "other:big"
