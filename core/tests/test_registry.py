"""The registry: what it finds, what it refuses, and whom it names."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pingpong as pp
import pytest
from pingpong import hookspecs
from pingpong.testing import fake_plugin

ROUTER = pp.PolicyRecord(name="mine", factory="pingpong.testing:fake_price")


def broken(name: str, error: BaseException) -> Any:
    def load() -> Any:
        raise error

    return SimpleNamespace(name=name, value=f"{name}:x", dist=SimpleNamespace(name=f"pingpong-{name}", version="2.1"), load=load)


@pytest.mark.parametrize("error", [ImportError("no module named x"), SystemExit(3), RuntimeError("boom")])
def test_a_broken_plugin_is_named_and_the_rest_work(error: BaseException) -> None:
    """A plugin that cannot be imported is reported with distribution and version; others still bring their records."""
    registry = pp.Registry(found=[broken("bad", error), fake_plugin("good", routers=[ROUTER])])
    assert set(registry.records("routers")) == {"mine"}
    bad = registry.plugins[0]
    assert (bad.state, bad.origin) == ("failed", "pingpong-bad 2.1")
    assert type(error).__name__ in bad.reason


def test_strict_plugins_make_a_broken_one_fatal() -> None:
    """`PINGPONG_STRICT_PLUGINS=1` turns the report into an error."""
    registry = pp.Registry(found=[broken("bad", ImportError("x"))], env={"PINGPONG_STRICT_PLUGINS": "1"})
    with pytest.raises(pp.PluginError, match=r"bad of pingpong-bad 2\.1"):
        registry.records("routers")


@pytest.mark.parametrize(
    ("options", "env"),
    [
        ({"block": ["bad"]}, {}),
        ({"block": ["pingpong-bad"]}, {}),
        ({"allow": ["good"]}, {}),
        ({}, {"PINGPONG_DISABLE": "bad, other"}),
        ({}, {"PINGPONG_PLUGINS": "pingpong-good"}),
    ],
)
def test_a_blocked_plugin_is_never_imported(options: Any, env: dict[str, str]) -> None:
    """Blocking, by plugin or distribution name, by argument or environment, works for one that cannot be imported."""
    loads: list[str] = []
    bad = broken("bad", AssertionError("imported"))
    bad.load = lambda: loads.append("bad")
    registry = pp.Registry(found=[bad, fake_plugin("good", routers=[ROUTER])], env=env, **options)
    assert set(registry.records("routers")) == {"mine"}
    assert loads == []
    assert [p.state for p in registry.plugins] == ["blocked", "loaded"]


def test_two_plugins_of_one_name_are_both_refused() -> None:
    """A name that two plugins claim belongs to neither; the message names both with their versions."""
    registry = pp.Registry(found=[fake_plugin("a", routers=[ROUTER]), fake_plugin("b", routers=[ROUTER])])
    assert registry.records("routers") == {}
    with pytest.raises(pp.ConfigError, match=r"a \(pingpong-a 1\.0\) and b \(pingpong-b 1\.0\)"):
        registry.record("routers", "mine")


def test_a_misspelt_hook_is_reported() -> None:
    """A hook that no specification knows is the plugin's failure, not silence."""

    @hookspecs.hookimpl
    def pingpong_ruoters() -> list[Any]:
        return []

    module = SimpleNamespace(__name__="typo", pingpong_ruoters=pingpong_ruoters)
    point = fake_plugin("typo")
    point.load = lambda: module
    registry = pp.Registry(found=[point])
    assert registry.records("routers") == {}
    assert registry.plugins[0].state == "failed"
    assert "pingpong_ruoters" in registry.plugins[0].reason


def test_a_hook_that_returns_no_record_is_reported() -> None:
    """A record without a name is the plugin's failure."""
    registry = pp.Registry(found=[fake_plugin("odd", routers=[object()])])
    assert registry.records("routers") == {}
    assert "not a record with a name" in registry.plugins[0].reason


def test_an_unknown_name_suggests_the_nearest() -> None:
    """A name nobody brings is a configuration error with the nearest one, or all there are."""
    registry = pp.Registry(found=[fake_plugin("good", routers=[ROUTER])])
    with pytest.raises(pp.ConfigError, match="Did you mean 'mine'"):
        registry.record("routers", "mime")
    with pytest.raises(pp.ConfigError, match=r"no driver named 'x'\. Known: none"):
        registry.record("drivers", "x")


def test_a_factory_that_cannot_be_imported_names_the_distribution() -> None:
    """A record's factory is imported on use; a broken one is a `PluginError` with the plugin's origin."""
    record = pp.PolicyRecord(name="mine", factory="pingpong.no_such_module:Router")
    registry = pp.Registry(found=[fake_plugin("good", routers=[record])])
    with pytest.raises(pp.PluginError, match=r"router 'mine' of pingpong-good 1\.0"):
        registry.resolve("routers", "mine", record.factory)


def test_listing_imports_the_named_module_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listing records imports the module the entry point names, not the module of the factory."""
    package = tmp_path / "lazy_plugin_under_test"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "plugin.py").write_text(
        "from pingpong import PolicyRecord\nfrom pingpong.hookspecs import hookimpl\n\n@hookimpl\ndef pingpong_routers():\n"
        "    return [PolicyRecord(name='lazy', factory='lazy_plugin_under_test.router:Router')]\n"
    )
    (package / "router.py").write_text("Router = object\n")
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("lazy", "lazy_plugin_under_test.plugin", hookspecs.GROUP)
    registry = pp.Registry(found=[point])
    assert "lazy_plugin_under_test.plugin" not in sys.modules
    assert set(registry.records("routers")) == {"lazy"}
    assert "lazy_plugin_under_test.router" not in sys.modules
    assert registry.resolve("routers", "lazy", "lazy_plugin_under_test.router:Router") is object


def test_plugins_report_their_records_and_cost() -> None:
    """A loaded plugin lists its records by kind and what loading it cost."""
    plugin = pp.Registry(found=[fake_plugin("good", routers=[ROUTER])]).plugins[0]
    assert plugin.records == {"routers": ("mine",)}
    assert plugin.load_ms >= 0
