"""Commands out of records."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from pingpong import CommandRecord
from pingpong.testing import factory_path, fake_plugin
from pingpong_cli.app import App
from pingpong_cli.main import root

LAZY = fake_plugin("lazy", commands=[CommandRecord(name="lazy", factory="no.such.module:make", help="Never imported.")])


def command(name: str, says: str) -> CommandRecord:
    """A record of a command that says something."""

    @click.command()
    def speak() -> None:
        """Say it."""
        click.echo(says)

    return CommandRecord(name=name, factory=factory_path(lambda: speak), help=f"Says {says}.")


def test_help_reads_records_only(command_world: Any, tmp_path: Path) -> None:
    """The list shows a command whose module does not even exist, from its record, and the exit codes."""
    run = command_world(tmp_path, LAZY).run("--help")
    assert run.exit_code == 0
    assert "Never imported." in run.stdout
    assert "refused by the budget" in run.stdout


def test_broken_command_is_named(command_world: Any, tmp_path: Path) -> None:
    """Running it names the distribution and version that brings it, and where to look."""
    run = command_world(tmp_path, LAZY).run("lazy")
    assert run.exit_code == 1
    assert "pingpong-lazy 1.0" in run.stderr
    assert "plugins doctor" in run.stderr


@pytest.mark.parametrize("factory", [lambda: 1 / 0, lambda: "no command"])
def test_bad_factory_is_named(factory: Any, command_world: Any, tmp_path: Path) -> None:
    """A factory that raises, or gives something else than a command, is its plugin's mistake."""
    record = CommandRecord(name="bad", factory=factory_path(factory), help="")
    run = command_world(tmp_path, fake_plugin("bad", commands=[record])).run("bad")
    assert (run.exit_code, "pingpong-bad 1.0" in run.stderr) == (1, True)


def test_paths_make_groups(command_world: Any, tmp_path: Path) -> None:
    """`router train` and `router show` become a group; its line in the list names them."""
    world = command_world(tmp_path, fake_plugin("r", commands=[command("router train", "ready"), command("router show", "this")]))
    assert world.run("router", "train").stdout == "ready\n"
    assert "Commands: show, train." in world.run("--help").stdout
    assert "Says ready." in world.run("router", "--help").stdout


def test_a_group_can_be_a_command(command_world: Any, tmp_path: Path) -> None:
    """With `talk` and `talk more`, each runs alone."""
    world = command_world(tmp_path, fake_plugin("t", commands=[command("talk", "little"), command("talk more", "much")]))
    assert world.run("talk").stdout == "little\n"
    assert world.run("talk", "more").stdout == "much\n"


def test_unknown_command(world: Any) -> None:
    """A wrong name is wrong usage."""
    run = world.run("aks")
    assert (run.exit_code, "No such command 'aks'" in run.stderr) == (2, True)


@pytest.mark.parametrize("args", [("ask", "2+2?"), ("ask", "--help")])
def test_a_name_that_two_plugins_claim(args: tuple[str, ...], command_world: Any, tmp_path: Path) -> None:
    """The command that both lose is told with both plugins and what to do, also where they quarrel about more names."""
    rival = fake_plugin("rival", commands=[command("ask", "mine"), command("plan", "mine")])
    run = command_world(tmp_path, rival).run(*args)
    assert run.exit_code == 2
    assert "'ask' is claimed by cli (pingpong-cli" in run.stderr
    assert "rival (pingpong-rival 1.0); block or uninstall one." in run.stderr


def test_a_command_that_breaks_is_a_bug(command_world: Any, tmp_path: Path) -> None:
    """An exception nobody foresaw is one paragraph; --verbose adds the traceback."""

    @click.command()
    def burst() -> None:
        """Burst."""
        raise KeyError("oops")

    record = CommandRecord(name="burst", factory=factory_path(lambda: burst), help="")
    world = command_world(tmp_path, fake_plugin("b", commands=[record]))
    run = world.run("burst")
    assert (run.exit_code, "This is a mistake in it" in run.stderr, "Traceback" in run.stderr) == (1, True, False)
    assert "Traceback" in world.run("-v", "burst").stderr
    assert json.loads(world.run("--json", "burst").stdout)["error"]["kind"] == "bug"


def test_version(world: Any) -> None:
    """--version tells the installed one."""
    assert world.run("--version").stdout == "pingpong, version 0.1.0\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, world: Any) -> None:
    """Each shell gets a script that calls this program."""
    run = world.run("completion", shell)
    assert (run.exit_code, "_PINGPONG_COMPLETE" in run.stdout) == (0, True)


def test_help_loads_nothing_heavy() -> None:
    """`pingpong --help` imports no HTTP client, no tables, no event loop library and no driver class."""
    code = (
        "import sys\nfrom pingpong_cli.main import root\nroot.main(['--help'], standalone_mode=False)\n"
        "heavy = {'httpx', 'rich', 'anyio', 'cattrs', 'msgspec', 'pingpong._client'}\n"
        "print(sorted(m for m in sys.modules if m in heavy or m.endswith('.driver')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_a_blocked_plugin_brings_no_command(tmp_path: Path) -> None:
    """What the configuration blocks is not imported, and its commands are not there."""
    (tmp_path / "pingpong.toml").write_text('[plugins]\nblock = ["simulator"]')
    run = CliRunner().invoke(root, ["--help"], obj=App(env={}, folder=tmp_path))
    assert run.exit_code == 0
    assert "ask" in run.stdout
    assert "simulate" not in run.stdout


def test_a_broken_configuration_leaves_the_help(tmp_path: Path) -> None:
    """--help works where the configuration does not."""
    (tmp_path / "pingpong.toml").write_text("=")
    run = CliRunner().invoke(root, ["--help"], obj=App(env={}, folder=tmp_path))
    assert (run.exit_code, "ask" in run.stdout) == (0, True)
