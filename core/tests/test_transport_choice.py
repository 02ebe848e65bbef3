"""Which transport a client sends with: the named one, the fastest that runs here, or httpx."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pingpong as pp
import pytest
from pingpong.testing import FakeTransport, factory_path, fake_card, fake_plugin, fake_registry

CARDS = [fake_card("a:one")]


class Fast(FakeTransport):
    """A plugin's transport, which keeps what it was made with."""

    def __init__(self, context: pp.TransportContext) -> None:
        super().__init__()
        self.context = context


def broken(context: pp.TransportContext) -> FakeTransport:
    raise ImportError("no such engine")


def fast_plugin(name: str = "aiohttp", factory: Any = Fast, **facts: Any) -> Any:
    record = pp.TransportRecord(name=name, factory=factory_path(factory), **facts)
    return fake_plugin(f"fast-{name}", transports=[record])


def client(*plugins: Any, config: Any = None, **seams: Any) -> pp.Client:
    registry = fake_registry(CARDS, plugins)
    return pp.Client(config or pp.Config(), registry=registry, env={"FAKE_KEY": "k"}, seed=1, **seams)


def used(made: pp.Client) -> Any:
    """The transport that a call of this client would go through."""
    return made.models.target("a:one").transport


@pytest.mark.anyio
async def test_the_fast_transport_is_taken_by_itself_where_it_runs(anyio_backend: str) -> None:
    """The record named aiohttp is chosen on its event loop, httpx on another; what else is installed is never chosen."""
    fast, other = fast_plugin(backends=("asyncio",)), fast_plugin("faster")
    assert isinstance(used(client(fast, other)), Fast if anyio_backend == "asyncio" else pp.HttpxTransport)
    assert isinstance(used(client(other)), pp.HttpxTransport)


@pytest.mark.anyio
async def test_a_transport_is_made_of_the_clients_options() -> None:
    """A plugin's factory gets the clock and what `[transport]` says; the client makes one, and closes it."""
    made = client(fast_plugin(), config=pp.Config(transport={"max_connections": 7}))
    transport = used(made)
    assert (transport.context.clock, transport.context.transport) == (made.clock, pp.TransportOptions(max_connections=7))
    assert used(made) is transport
    await made.aclose()
    assert transport.is_closed


@pytest.mark.anyio
async def test_a_name_decides() -> None:
    """Any plugin's transport can be named, and httpx against the fast one."""
    plugins = (fast_plugin(), fast_plugin("faster"))
    named = used(client(*plugins, config=pp.Config(transport={"name": "faster"})))
    assert named.context.transport.name == "faster"
    assert isinstance(used(client(*plugins, config=pp.Config(transport={"name": "httpx"}))), pp.HttpxTransport)


@pytest.mark.anyio
async def test_the_host_decides_first() -> None:
    """A host's client runs on httpx, its transport is used as it is, and neither minds a name."""
    config = pp.Config(transport={"name": "aiohttp"})
    own = FakeTransport()
    assert used(client(fast_plugin(), config=config, transport=own)) is own
    async with httpx.AsyncClient() as http_client:
        assert isinstance(used(client(fast_plugin(), config=config, http_client=http_client)), pp.HttpxTransport)


@pytest.mark.anyio
async def test_what_breaks_gives_way_unless_it_is_named() -> None:
    """A fast transport that cannot be made is listed among the problems and httpx sends; a named one is an error."""
    made = client(fast_plugin(factory=broken))
    assert isinstance(used(made), pp.HttpxTransport)
    assert [str(p) for p in made.models.problems] == ["The transport 'aiohttp' broke: ImportError."]
    with pytest.raises(pp.PluginError, match="aiohttp"):
        used(client(fast_plugin(factory=broken), config=pp.Config(transport={"name": "aiohttp"})))


@pytest.mark.anyio
async def test_a_named_transport_that_cannot_run_here_is_refused_before_anything_is_sent(anyio_backend: str) -> None:
    """The wrong event loop, a simulator and an unknown name are configuration errors that say what to do."""
    elsewhere = "trio" if anyio_backend == "asyncio" else "asyncio"
    config = pp.Config(transport={"name": "aiohttp"})
    with pytest.raises(pp.ConfigError, match=f"aiohttp sends nothing on {anyio_backend}; leave name out, or name httpx"):
        await client(fast_plugin(backends=(elsewhere,)), config=config).complete("hi", model="a:one")
    with pytest.raises(pp.ConfigError, match="set simulate = true instead"):
        used(client(fast_plugin(is_simulator=True), config=pp.Config(simulate=False, transport={"name": "aiohttp"})))
    with pytest.raises(pp.ConfigError, match=r"no transport named 'aiohtp'\. Did you mean 'aiohttp'"):
        used(client(fast_plugin(), config=pp.Config(transport={"name": "aiohtp"})))


def test_outside_an_event_loop_httpx_is_taken() -> None:
    """Where no loop runs nobody can tell which will, and httpx serves both."""
    assert isinstance(used(client(fast_plugin(backends=("asyncio",)))), pp.HttpxTransport)
    with pytest.raises(pp.ConfigError, match="on no event loop"):
        used(client(fast_plugin(), config=pp.Config(transport={"name": "aiohttp"})))


def test_file_and_environment_name_a_transport(tmp_path: Path) -> None:
    """`[transport] name` names it, PINGPONG_TRANSPORT wins over that and leaves the other keys, and a wrong key is told."""
    (tmp_path / "pingpong.toml").write_text('[transport]\nname = "httpx"\nmax_connections = 5\n')
    assert pp.find_config({}, tmp_path).transport == {"name": "httpx", "max_connections": 5}
    named = pp.find_config({"PINGPONG_TRANSPORT": "aiohttp"}, tmp_path)
    assert named.transport == {"name": "aiohttp", "max_connections": 5}
    with pytest.raises(pp.ConfigError, match=r"\[transport\].*nmae"):
        client(config=pp.Config(transport={"nmae": "httpx"}))
