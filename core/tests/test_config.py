"""Configuration: files, environment, keyword arguments, and errors that name file, key path and fix."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pingpong as pp
import pytest
from pingpong.testing import FakeClock, FakeTransport, fake_card, fake_client, fake_registry


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def client(folder: Path, env: dict[str, str] | None = None) -> pp.Client:
    registry = fake_registry([fake_card("a:one"), fake_card("b:two")])
    return pp.Client.from_env(env=env or {}, folder=folder, registry=registry, transport=FakeTransport(), clock=FakeClock())


def test_the_nearest_file_upwards_is_read(tmp_path: Path) -> None:
    """`pingpong.toml` in a parent folder holds for its subfolders."""
    write(tmp_path / "pingpong.toml", 'strategy = "cheapest"\nmax_cost_usd = "0.05"\nmodels = ["b:two", "a:one"]\n')
    (tmp_path / "sub").mkdir()
    found = client(tmp_path / "sub")
    assert (found.config.strategy, found.config.max_cost_usd) == ("cheapest", Decimal("0.05"))
    assert [c.id for c in found.models.cards] == ["b:two", "a:one"]


def test_the_environment_names_the_file_and_changes_it(tmp_path: Path) -> None:
    """`PINGPONG_CONFIG` names the file; other variables take precedence over what it says."""
    path = write(tmp_path / "other.toml", 'strategy = "cheapest"\ntimeout_s = 5\n')
    env = {
        "PINGPONG_CONFIG": str(path),
        "PINGPONG_TIMEOUT_S": "7.5",
        "PINGPONG_MODELS": "a:one, b:two",
        "PINGPONG_SIMULATE": "0",
        "PINGPONG_MAX_COST_USD": "0.1",
    }
    config = client(tmp_path, env).config
    assert (config.strategy, config.timeout_s, config.models) == ("cheapest", 7.5, ("a:one", "b:two"))
    assert (config.simulate, config.max_cost_usd) == (False, Decimal("0.1"))


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    """No file is no error."""
    assert client(tmp_path).config == pp.Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('strtegy = "x"', "strtegy is no setting; did you mean strategy"),
        ("timeout_s = -1", "timeout_s must be a number of seconds above 0"),
        ("timeout_s = nan", "timeout_s must be a number of seconds above 0"),
        ('timeout_s = "soon"', r"\$\.timeout_s"),
        ("max_cost_usd = 0.1", "write money as text"),
        ("[plugins]\nalow = []", r"alow.*\$\.plugins"),
        ("strategy = ", "not TOML"),
        ('models = ["a:on"]', "no model 'a:on'. Did you mean a:one"),
        ('models = ["one"]', "write provider:model"),
    ],
)
def test_a_wrong_file_names_itself_the_key_and_the_fix(tmp_path: Path, text: str, message: str) -> None:
    """Every mistake in a file is one clear error."""
    path = write(tmp_path / "pingpong.toml", text)
    with pytest.raises(pp.InvalidRequestError, match=message) as caught:
        client(tmp_path)
    assert isinstance(caught.value, pp.UnknownModelError) or str(path) in str(caught.value) or "model id" in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A missing or unreadable file is named with the reason."""
    with pytest.raises(pp.ConfigError, match=r"none\.toml: the configuration cannot be read"):
        pp.Client.from_file(tmp_path / "none.toml")
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b"\xff\xfe")
    with pytest.raises(pp.ConfigError, match="not TOML"):
        pp.Client.from_file(bad)


@pytest.mark.parametrize(
    ("name", "value"), [("TIMEOUT_S", "soon"), ("MAX_COST_USD", "much"), ("MAX_COST_USD", "NaN"), ("SIMULATE", "perhaps")]
)
def test_a_wrong_variable_is_named(tmp_path: Path, name: str, value: str) -> None:
    """A variable that cannot be read as what it should be is named with its value."""
    with pytest.raises(pp.ConfigError, match=f"PINGPONG_{name} is '{value}'"):
        client(tmp_path, {f"PINGPONG_{name}": value})


async def _use(drivers: Any) -> None:
    await fake_client(config=pp.Config(drivers=drivers)).complete("hi", model="fake:small")


@pytest.mark.anyio
async def test_a_drivers_table_is_checked_against_its_options() -> None:
    """An unknown option of a driver names its table and the key."""
    with pytest.raises(pp.ConfigError, match=r"\[drivers\.fake\].*api_kye"):
        await _use({"fake": {"api_kye": "x"}})


@pytest.mark.anyio
async def test_keyword_arguments_configure_a_driver() -> None:
    """A key and a base URL given outright are used, and the key is on the wire only."""
    transport = FakeTransport()
    config = pp.Config(drivers={"fake": {"api_key": pp.Secret("sk-1"), "headers": {}}})
    client = fake_client(transport, config=config, env={})
    await client.complete("hi", model="fake:small")
    assert transport.requests[0][1].headers["authorization"] == "Bearer sk-1"
    assert "sk-1" not in repr(client.config)
