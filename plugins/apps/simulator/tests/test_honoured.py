"""Options whose way through a provider's wire is not the point: the table, and one of a schema's values as an answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from attrs import evolve
from pingpong import EmbedRequest, InvalidRequestError, Parsed, Request, Response, Text, WireRequest
from pingpong_simulator.honoured import HONOURED, bare, check_embedding, honoured
from pingpong_simulator.service import Service

COLOURS = {"type": "STRING", "enum": ["ultra\u00adviolet", 'in"fra', "green"]}
ENUM = {"generationConfig": {"responseMimeType": "text/x.enum", "responseSchema": COLOURS}}


def test_every_endpoint_has_rules(make_service: Callable[..., Service]) -> None:
    """Each endpoint of the installed drivers is in the table, so that none refuses all options unawares."""
    names = {endpoint.record.name for driver in make_service().drivers() for endpoint in driver.endpoints}
    assert names <= set(HONOURED)


def test_an_unknown_endpoint_takes_no_options() -> None:
    """Where nothing is known every option is refused, and several are named together."""
    with pytest.raises(InvalidRequestError, match="'a', 'b'"):
        honoured(Request("x", provider_options={"other": {"a": 1, "b": {"c": 2}, "d": None}}), "other", "talk")
    with pytest.raises(InvalidRequestError, match="'a'"):
        check_embedding(EmbedRequest("x", provider_options={"other": {"a": 1}}), "other", "turn")


def test_an_object_is_no_value_and_no_list() -> None:
    """What has rules for its members must be an object."""
    with pytest.raises(InvalidRequestError, match="'response_format'"):
        honoured(Request("x", provider_options={"openai": {"response_format": "json"}}), "openai", "chat/completions")


def test_one_of_the_values(make_service: Callable[..., Service], monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of the media type `text/x.enum` is one of the schema's values, without quotes."""
    service = make_service()
    gemini = next(d for d in service.drivers() if d.name == "gemini")
    dialect = type(next(e for e in gemini.endpoints if e.record.name == "generateContent").dialect)
    parse = dialect.parse

    def parsed(self: Any, wire: WireRequest, params: Mapping[str, str]) -> Parsed[Request]:
        found: Parsed[Any] = parse(self, wire, params)
        return evolve(found, request=evolve(found.request, provider_options={"gemini": ENUM}))

    monkeypatch.setattr(dialect, "parse", parsed)
    body = {"contents": [{"role": "user", "parts": [{"text": "Is grass green?"}]}]}
    reply = service.reply(WireRequest("POST", "/v1beta/models/gemini-2.5-flash:generateContent", {}, json.dumps(body).encode()))
    answer = json.loads(reply.pieces[0].data)
    assert answer["candidates"][0]["content"]["parts"][0]["text"] == "green"


@pytest.mark.parametrize(("text", "said"), [('"in\\"fra"', 'in"fra'), ('"ultra', "ultra"), ("7", "7")])
def test_bare_values(text: str, said: str) -> None:
    """Escapes are read, and a text that was cut keeps what it has."""
    response = Response(provider="gemini", model="m", parts=(Text(text),))
    assert bare(response).text == said


def test_an_enum_without_values_is_refused() -> None:
    """The media type alone leaves nothing to choose from."""
    options = {"gemini": {"generationConfig": {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING"}}}}
    with pytest.raises(InvalidRequestError, match="responseMimeType"):
        honoured(Request("x", provider_options=options), "gemini", "generateContent")
