"""`pingpong plan`, `models`, `plugins` and `plugins doctor`."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve
from click.testing import CliRunner
from pingpong import PolicyRecord
from pingpong.testing import fake_card, fake_driver_record, fake_plugin, fake_registry
from pingpong_cli.main import root


def test_plan_is_drawn_and_calls_nothing(world: Any) -> None:
    """The tree has a line for each node, then reasons and bounds; no request leaves."""
    run = world.run("plan", "hi")
    assert run.exit_code == 0
    for text in ("fallback: the first that answers", "call fake:small (at most 2 attempts)", "in order", "at most 4 attempts."):
        assert text in run.stdout
    assert world.transport.requests == []


def test_plan_json(world: Any) -> None:
    """The object holds plan, bounds as decimal text, and every candidate."""
    told = json.loads(world.run("plan", "hi", "--json", "--max-output-tokens", "5").stdout)
    assert told["plan"]["type"] == "fallback"
    assert told["bounds"]["max_attempts"] == 4
    assert isinstance(told["bounds"]["high_usd"], str)
    assert len(told["candidates"]) == 2


def test_plan_of_a_refusal(world: Any) -> None:
    """A refusal is a plan like any other: it is shown, and costs nothing."""
    run = world.run("plan", "hi", "--strategy", "unclear")
    assert (run.exit_code, "refuse (clarification): Which city" in run.stdout) == (0, True)
    assert "It costs nothing" in run.stdout


def test_models_table(world: Any) -> None:
    """Each model has its sizes, prices and whether it can be used."""
    run = world.run("models")
    line = next(line for line in run.stdout.splitlines() if "fake:small" in line)
    assert line.split()[:5] == ["fake:small", "10,000", "1,000", "1", "2"]
    assert line.split()[-1] == "yes"


def test_models_without_a_key(world: Any) -> None:
    """What keeps a model from use is told in its row and in JSON."""
    world.env = {"COLUMNS": "160"}
    assert "no key: set FAKE_KEY" in world.run("models").stdout
    told = json.loads(world.run("models", "--json").stdout)["models"]
    assert {(m["id"], m["is_available"], m["why_not"]) for m in told} == {
        ("fake:small", False, "no key: set FAKE_KEY"),
        ("other:big", False, "no key: set FAKE_KEY"),
    }
    assert told[0]["price"]["input_usd_per_mtok"] == "1"


@pytest.mark.parametrize("width", [12, 24, 40, 60, 80, 100])
def test_models_in_a_narrow_terminal(width: int, world: Any) -> None:
    """Whatever the width, no line is longer and every id can be read; other columns go first."""
    world.cards = (fake_card("fake:a-model-of-a-rather-long-name"), fake_card("other:big"))
    world.env = {"COLUMNS": str(width)}
    lines = world.run("models").stdout.splitlines()
    assert max(len(line.rstrip()) for line in lines) <= width
    ids = "".join(line.split()[0] for line in lines[2:] if line.strip())
    told = ids if width < 40 else " ".join(lines)
    assert "fake:a-model-of-a-rather-long-name" in told
    assert "other:big" in told
    assert ("usable" in lines[1]) == (width >= 60)


def test_retired_models_are_hidden_until_asked_for(world: Any) -> None:
    """A retired model is listed with --all only."""
    world.cards = (fake_card("fake:small"), fake_card("fake:old", retired=date(2025, 1, 1)))
    assert "fake:old" not in world.run("models").stdout
    assert "retired on 2025-01-01" in world.run("models", "--all").stdout


def test_models_of_one_provider(world: Any) -> None:
    """--provider keeps one provider's; an unknown one is named with the known."""
    assert "fake:small" not in world.run("models", "--provider", "other").stdout
    run = world.run("models", "--provider", "nope")
    assert (run.exit_code, "Known: fake, other" in run.stderr) == (2, True)


BROKEN = SimpleNamespace(
    name="broken", value="broken:plugin", dist=SimpleNamespace(name="pingpong-broken", version="2.0"), load=lambda: 1 / 0
)
HOLLOW = fake_plugin("hollow", routers=[PolicyRecord(name="hollow", factory="no.such.module:Router")])


def test_plugins(command_world: Any, tmp_path: Path) -> None:
    """Every plugin is listed with its state; a broken one with its distribution, version and reason."""
    world = command_world(tmp_path, BROKEN)
    run = world.run("plugins")
    assert "commands: ask, plan" in run.stdout
    assert "pingpong-broken 2.0" in run.stdout
    assert "ZeroDivisionError" in run.stdout
    states = {p["name"]: p["state"] for p in json.loads(world.run("plugins", "--json").stdout)["plugins"]}
    assert states == {"broken": "failed", "cli": "loaded", "fakes": "loaded", "policies": "loaded"}


def test_doctor_of_a_sound_installation(world: Any) -> None:
    """Nothing broken is exit code 0; keys, plugins and versions are told."""
    run = world.run("plugins", "doctor", "--json")
    told = json.loads(run.stdout)
    assert (run.exit_code, told["is_ok"]) == (0, True)
    findings = {f["name"]: (f["state"], f["text"]) for f in told["findings"]}
    assert findings["driver fake"] == ("ok", "1 models, a key is set")
    assert findings["pingpong-core"][0] == "ok"


@pytest.mark.parametrize(
    ("plugin", "text"), [(BROKEN, "ZeroDivisionError"), (HOLLOW, "cannot load no.such.module:Router")]
)  # fmt: skip
def test_doctor_finds_broken_plugins(plugin: Any, text: str, command_world: Any, tmp_path: Path) -> None:
    """A plugin that cannot be imported, or names what cannot be, is exit code 1."""
    run = command_world(tmp_path, plugin).run("plugins", "doctor")
    assert run.exit_code == 1
    assert text in " ".join(run.stdout.split())


def test_doctor_survives_a_broken_configuration(world: Any, tmp_path: Path) -> None:
    """A file that is no TOML is a finding, not the end of the examination."""
    (tmp_path / "pingpong.toml").write_text("=")
    run = world.run("plugins", "doctor", "--json")
    findings = {f["name"]: f["state"] for f in json.loads(run.stdout)["findings"]}
    assert (run.exit_code, findings["configuration"], findings["plugin cli"]) == (1, "broken", "ok")


def test_doctor_tells_blocked_plugins_apart(world: Any) -> None:
    """A blocked plugin is a note, since somebody wanted it so."""
    world.plugins = (*world.plugins, BROKEN)
    app = world.app()
    app.seams["registry"] = fake_registry(world.cards, world.plugins, block=["broken"])
    run = CliRunner().invoke(root, ["plugins", "doctor", "--json"], obj=app)
    findings = {f["name"]: f["state"] for f in json.loads(run.stdout)["findings"]}
    assert (run.exit_code, findings["plugin broken"]) == (0, "note")


def test_doctor_and_models_name_unreadable_cards(command_world: Any, tmp_path: Path) -> None:
    """A driver whose cards cannot be read is broken for the doctor, and skipped with a note by `models`."""
    record = evolve(fake_driver_record("torn", ()), cards="pingpong:no-such-file.json")
    world = command_world(tmp_path, fake_plugin("torn", drivers=[record]))
    run = world.run("plugins", "doctor", "--json")
    told = [f["text"] for f in json.loads(run.stdout)["findings"] if f["name"] == "cards"]
    assert (run.exit_code, len(told)) == (1, 1)
    assert "no-such-file.json" in told[0]
    models = world.run("models")
    assert "fake:small" in models.stdout
    assert "Skipped: The cards" in models.stderr


def test_doctor_tries_each_driver(world: Any, tmp_path: Path) -> None:
    """A driver whose options are wrong is broken, with the key path."""
    (tmp_path / "pingpong.toml").write_text("[drivers.fake]\nbase_ulr = 'x'")
    run = world.run("plugins", "doctor", "--json")
    findings = {f["name"]: f for f in json.loads(run.stdout)["findings"]}
    assert (run.exit_code, findings["driver fake"]["state"]) == (1, "broken")
    assert "[drivers.fake]" in findings["driver fake"]["text"]


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("[routers.falback]", "falback"),
        ("[routers.fallback]\nsped = 1", "sped"),
        ("strategy = 'falback'", "falback"),
        ("[fusers.magic]", "magic"),
        ("validators = ['grumpier']", "grumpier"),
        ("truncator = 'scissors'", "scissors"),
        ("max_cost_usd = -1", "max_cost_usd"),
        ("[transport]\nproxyy = 'x'", "proxyy"),
        ("[drivers.opnai]", "opnai"),
        ("[middleware.zz]", "zz"),
    ],
)
def test_doctor_finds_what_would_break_a_request(table: str, words: str, world: Any, tmp_path: Path) -> None:
    """A name or setting that makes the client or its first request fail is broken, and named."""
    (tmp_path / "pingpong.toml").write_text(table)
    run = world.run("plugins", "doctor", "--json")
    broken = [f["text"] for f in json.loads(run.stdout)["findings"] if f["state"] == "broken"]
    assert run.exit_code == 1
    assert any(words in text for text in broken)


def test_doctor_notes_missing_keys(simulated: Any) -> None:
    """No key is no fault: a note names the variable."""
    run = simulated.run("plugins", "doctor")
    assert run.exit_code == 0
    assert "no key: set FAKE_KEY" in run.stdout
