"""Keys as a client uses them: where they come from, that they go on the wire, and nowhere else."""

from __future__ import annotations

import json
import pickle
import traceback
from pathlib import Path
from typing import Any

import pingpong as pp
import pytest
from pingpong.testing import FakeTransport, collect, fake_card, fake_client, fake_registry

pytestmark = pytest.mark.anyio

KEY = "sk-live-0123456789"


def client_with(transport: FakeTransport, env: dict[str, str] | None = None, **table: Any) -> pp.Client:
    return fake_client(transport, config=pp.Config(drivers={"fake": table}), env=env or {})


def sent(transport: FakeTransport) -> list[str]:
    return [request.headers["authorization"] for _, request in transport.requests]


async def test_a_missing_key_names_its_variable() -> None:
    """Whole or streamed, chat or embedding: the error says which variable to set, and nothing is sent."""
    transport = FakeTransport()
    client = client_with(transport)
    for ask in (client.complete, client.embed, lambda *a, **k: client.stream(*a, **k).outcome()):
        with pytest.raises(pp.MissingCredential, match="No key for fake: set FAKE_KEY, or api_key_file") as caught:
            await ask("hi", model="fake:small")
        assert caught.value.provider == "fake"
    assert transport.requests == []


async def test_a_key_comes_from_the_environment_trimmed() -> None:
    """White space around a key in a variable is not part of it; a variable of white space is no key."""
    transport = FakeTransport()
    await client_with(transport, {"FAKE_KEY": f" {KEY}\n"}).complete("hi", model="fake:small")
    assert sent(transport) == [f"Bearer {KEY}"]
    with pytest.raises(pp.MissingCredential, match="FAKE_KEY"):
        await client_with(transport, {"FAKE_KEY": "  "}).complete("hi", model="fake:small")


async def test_a_key_file_is_read_for_each_request(tmp_path: Path) -> None:
    """A key that is rotated in its file is used from the next request on."""
    path, transport = tmp_path / "key", FakeTransport()
    client = client_with(transport, api_key_file=str(path))
    for key in ("sk-old", "sk-new"):
        path.write_text(f"{key}\n")
        await client.complete("hi", model="fake:small")
    assert sent(transport) == ["Bearer sk-old", "Bearer sk-new"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: FileNotFoundError"),
        (b"", "is empty"),
        (b"sk two\n", "white space"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
async def test_an_unusable_key_file_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    """The file is named with what is wrong, without its content."""
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(pp.MissingCredential, match=message) as caught:
        await client_with(FakeTransport(), api_key_file=str(path)).complete("hi", model="fake:small")
    assert str(path) in str(caught.value)
    assert "sk two" not in "".join(traceback.format_exception(caught.value))


async def test_a_key_source_is_awaited_for_each_request() -> None:
    """A callable may refresh the key; that is not an attempt."""
    keys = iter(["sk-1", "sk-2"])

    async def source() -> pp.Secret:
        return pp.Secret(next(keys))

    transport = FakeTransport()
    client = client_with(transport, api_key=source)
    for _ in range(2):
        outcome = await client.complete("hi", model="fake:small")
    assert sent(transport) == ["Bearer sk-1", "Bearer sk-2"]
    assert len(outcome.attempts) == 1


async def test_a_key_source_that_breaks_is_no_secret_in_the_error() -> None:
    """What it raises is told by its class only."""

    async def source() -> pp.Secret:
        raise RuntimeError(f"vault said {KEY}")

    with pytest.raises(pp.MissingCredential, match="key source of fake failed: RuntimeError") as caught:
        await client_with(FakeTransport(), api_key=source).complete("hi", model="fake:small")
    assert KEY not in str(caught.value)
    assert KEY not in json.dumps(pp.to_json(caught.value))


@pytest.mark.parametrize("key", ["", " ", "sk-1\r\nx-evil: 1", "sk two", "sk-\u00e9", "sk-\x00"])
async def test_a_malformed_key_never_leaves(key: str) -> None:
    """A key given outright, by a source or by the environment is checked before it becomes a header, and not repeated."""

    async def source() -> pp.Secret:
        return pp.Secret(key)

    transport = FakeTransport()
    given: tuple[Any, ...] = (pp.Secret(key), source)
    clients = [client_with(transport, api_key=k) for k in given] + [client_with(transport, {"FAKE_KEY": key})]
    for client in clients:
        with pytest.raises(pp.MissingCredential) as caught:
            await client.complete("hi", model="fake:small")
        assert not key.strip() or key not in str(caught.value)
    assert transport.requests == []


@pytest.mark.parametrize("key", [5, True, ["sk"]])
async def test_a_key_that_is_no_text_is_a_configuration_error(key: Any) -> None:
    """A number in the driver's table is refused with the table's name."""
    with pytest.raises(pp.ConfigError, match=r"\[drivers\.fake\].*api_key"):
        await client_with(FakeTransport(), api_key=key).complete("hi", model="fake:small")


def every_text(value: Any) -> str:
    """All ways in which a value may be shown or stored."""
    texts = [repr(value), str(value), f"{value}", "%s" % (value,)]  # noqa: UP031  # old code formats so
    return "\n".join(texts)


async def test_a_key_from_a_file_of_settings_shows_nowhere(tmp_path: Path) -> None:
    """A key written into `pingpong.toml` goes on the wire, and into no repr, JSON, pickle, outcome, entry or error."""
    path, transport = tmp_path / "pingpong.toml", FakeTransport({"fake:small": ["hello", pp.InvalidRequestError("no")]})
    path.write_text(f'[drivers.fake]\napi_key = "{KEY}"\n')
    client = pp.Client.from_file(path, registry=fake_registry([fake_card()]), env={}, transport=transport)
    assert isinstance(client.ledger, pp.MemoryLedger)
    outcome = await client.complete("hi", model="fake:small")
    with pytest.raises(pp.InvalidRequestError) as caught:
        await client.complete("hi", model="fake:small")
    async with client.stream("hi", model="fake:small") as stream:
        events = await collect(stream)
    assert sent(transport) == [f"Bearer {KEY}"] * 3
    shown = [client, client.config, outcome, client.ledger.entries, caught.value, events, transport.requests, client.models]
    assert KEY not in "\n".join(map(every_text, shown))
    assert KEY not in json.dumps(pp.to_json(client.config))
    assert KEY not in json.dumps(pp.to_json(outcome.attempts[0]))
    assert KEY.encode() not in pickle.dumps(caught.value)


async def test_a_key_that_the_provider_repeats_is_masked() -> None:
    """A provider that quotes the key in its error does not get it into ours, nor into the ledger."""

    def refuse(request: pp.Request) -> str:
        raise pp.AuthenticationError(f"Incorrect API key provided: {KEY}.")

    client = client_with(FakeTransport({"fake:small": [refuse]}), api_key=pp.Secret(KEY))
    with pytest.raises(pp.AuthenticationError, match=r"provided: \*\*\*") as caught:
        await client.complete("hi", model="fake:small")
    assert KEY not in every_text(caught.value) + every_text(caught.value.attempts) + repr(client.ledger)


def test_options_show_no_key_as_json() -> None:
    """A driver's options as JSON have the key masked, and text becomes a secret on the way in."""
    options = pp.from_json(pp.DriverOptions, {"api_key": KEY})
    assert options.api_key == pp.Secret(KEY)
    assert pp.to_json(options)["api_key"] == "Secret('***')"
    assert KEY not in every_text(options)


@pytest.mark.parametrize(
    ("given", "is_present"),
    [
        ({"key": pp.Secret("k")}, True),
        ({"env_vars": ("A", "B"), "env": {"B": "k"}}, True),
        ({"env_vars": ("A",), "env": {"A": " "}}, False),
        ({"env_vars": ("A",)}, False),
        ({"file": "no-such-file-under-test"}, False),
    ],
)
async def test_whether_a_key_is_at_hand_is_told_without_reading_it(given: Any, is_present: bool) -> None:
    """Given, in the environment or in a file that exists; where it is not, asking for headers says so."""
    key = pp.ApiKey(header="x-api-key", provider="fake", **given)
    assert key.is_present is is_present
    if is_present:
        assert await key.headers() == {"x-api-key": "k"}
    else:
        with pytest.raises(pp.MissingCredential):
            await key.headers()


async def test_a_key_file_is_at_hand_once_it_exists(tmp_path: Path) -> None:
    """A folder is no key file."""
    path = tmp_path / "key"
    key = pp.ApiKey(header="x-api-key", prefix="K ", file=str(path), env_vars=("A",), env={"A": "other"})
    assert not key.is_present
    path.write_text("k")
    assert key.is_present
    assert await key.headers() == {"x-api-key": "K k"}
    assert not pp.ApiKey(header="x-api-key", file=str(tmp_path)).is_present
