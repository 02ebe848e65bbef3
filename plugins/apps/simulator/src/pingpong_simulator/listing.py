"""
The lists of models that providers serve, each in its own shape and with its own models only. Pure.

All three ask `/v1/models`; the headers of their credentials tell them apart.

Source: https://platform.openai.com/docs/api-reference/models, https://platform.claude.com/docs/en/api/models/list,
https://ai.google.dev/api/models
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from attrs import frozen
from pingpong import Card, InvalidRequestError, NotFoundError, WireRequest, WireResponse

Json = dict[str, Any]
_PATH = re.compile(r"/(?P<version>v1|v1alpha|v1beta)/models(?:/(?P<model>.+))?")
_EPOCH = date(1970, 1, 1)
_MOST = 1000


@frozen
class Asked:
    """A request for one model, or for the list where `model` is None; `provider` is who the client takes us for."""

    provider: str
    model: str | None


def asked_from_wire(wire: WireRequest) -> Asked | None:
    """What is asked of the models, None where the request asks something else."""
    found = _PATH.fullmatch(wire.path) if wire.method == "GET" else None
    return None if found is None else Asked(_provider(wire, found["version"]), found["model"])


def _provider(wire: WireRequest, version: str) -> str:
    if "x-goog-api-key" in wire.headers or "key" in wire.query or version != "v1":
        return "gemini"
    return "anthropic" if {"x-api-key", "anthropic-version"} & wire.headers.keys() else "openai"


def answer(wire: WireRequest, asked: Asked, cards: Sequence[Card]) -> WireResponse:
    """
    The model or the list.

    Args:
        cards: Those of the provider.

    Raises:
        NotFoundError: There is no such model.
        InvalidRequestError: A page that does not exist; the message names the parameter.
    """
    one, page = _FORMS.get(asked.provider, (_of_openai, _all))
    if asked.model is None:
        body = page([one(card) for card in cards], wire.query)
    else:
        card = next((c for c in cards if asked.model in (c.model, *c.aliases)), None)
        if card is None:
            raise NotFoundError(f"The model {asked.model[:100]!r} does not exist here.", status=404)
        body = one(card)
    return WireResponse(200, {"content-type": "application/json"}, json.dumps(body).encode())


def _released(card: Card) -> datetime:
    day = card.released or _EPOCH
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _of_openai(card: Card) -> Json:
    created = int(_released(card).timestamp())
    return {"id": card.model, "object": "model", "created": created, "owned_by": card.provider}


def _all(rows: list[Json], query: Mapping[str, str]) -> Json:
    return {"object": "list", "data": rows}


def _of_anthropic(card: Card) -> Json:
    return {
        "type": "model",
        "id": card.model,
        "display_name": card.model,
        "created_at": _released(card).isoformat().replace("+00:00", "Z"),
        # Retired models still answer here, so none is told to be gone.
        "lifecycle": "active" if card.retired is None else "deprecated",
        "deprecated_at": None,
        "capabilities": None,
        "line": None,
        "max_input_tokens": card.context_tokens,
        "max_tokens": card.max_output_tokens,
    }


def _anthropic_page(rows: list[Json], query: Mapping[str, str]) -> Json:
    size = _size(query, "limit", 20)
    ids = [row["id"] for row in rows]
    after, before = query.get("after_id"), query.get("before_id")
    for name, value in (("after_id", after), ("before_id", before)):
        if value is not None and value not in ids:
            raise InvalidRequestError(f"{name}: there is no model {value[:100]!r}.")
    if before is not None:
        end = ids.index(before)
        start, has_more = max(end - size, 0), end > size
    else:
        start = 0 if after is None else ids.index(after) + 1
        end, has_more = start + size, start + size < len(ids)
    page = rows[start:end]
    first, last = (page[0]["id"], page[-1]["id"]) if page else (None, None)
    return {"data": page, "has_more": has_more, "first_id": first, "last_id": last}


def _of_gemini(card: Card) -> Json:
    limits = {"inputTokenLimit": card.context_tokens, "outputTokenLimit": card.max_output_tokens}
    return {
        "name": f"models/{card.model}",
        "version": "001",
        "displayName": card.model,
        **{name: value for name, value in limits.items() if value is not None},
        "supportedGenerationMethods": list(card.endpoints),
    }


def _gemini_page(rows: list[Json], query: Mapping[str, str]) -> Json:
    size, token = _size(query, "pageSize", 50), query.get("pageToken") or "0"
    if query.get("filter"):
        raise InvalidRequestError("filter: the list of models takes none.")
    if not token.isdecimal() or int(token) > len(rows):
        raise InvalidRequestError("pageToken: give the nextPageToken of an earlier page.")
    end = int(token) + size
    more = {"nextPageToken": str(end)} if end < len(rows) else {}
    return {"models": rows[int(token) : end], **more}


def _size(query: Mapping[str, str], name: str, usual: int) -> int:
    text = query.get(name) or str(usual)
    if not text.isdecimal() or not 1 <= int(text) <= _MOST:
        raise InvalidRequestError(f"{name}: give a whole number from 1 to {_MOST}.")
    return int(text)


_FORMS: Mapping[str, tuple[Callable[[Card], Json], Callable[[list[Json], Mapping[str, str]], Json]]] = {
    "anthropic": (_of_anthropic, _anthropic_page),
    "gemini": (_of_gemini, _gemini_page),
}
"""One model and one page; every other provider's are OpenAI's."""
