"""
Recorded provider traffic, one frozen record per interaction, matched to a driver's endpoints.

The corpus is a folder, named by the environment variable `PINGPONG_WIRE_CORPUS`: `index.jsonl` beside `cassettes/<provider>/`
with vcrpy's YAML (version 1, bodies decoded of their content encoding).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from attrs import field, frozen
from pingpong import EndpointRecord, WireRequest, WireResponse, params_from_path

CORPUS_VARIABLE = "PINGPONG_WIRE_CORPUS"


@frozen(kw_only=True)
class Interaction:
    """
    One recorded exchange.

    Attributes:
        file: Path below the corpus folder; `n` is the interaction's 0-based place in it.
        provider: The folder's name, the only source of the provider.
        endpoint: The index's name of the endpoint; `path` says what was really called.
        kind: plain, multiturn, tools, structured, reasoning, media, cache, embeddings, error or other.
        is_streaming: Whether the request asked for a stream; an error's answer is whole all the same.
        wire: json, sse, json-array, ndjson, eventstream or empty.
        host: Where it was recorded, redacted for some.
    """

    file: str
    n: int
    provider: str
    endpoint: str
    kind: str
    is_streaming: bool
    wire: str
    host: str
    request: WireRequest = field(repr=False)
    response: WireResponse = field(repr=False)

    @property
    def id(self) -> str:
        """Readable and unique: the file without folder and ending, and the place in it."""
        return f"{self.provider}/{Path(self.file).stem}[{self.n}]"

    @property
    def group(self) -> tuple[str, str, bool]:
        """What a share of supported interactions is counted by: (endpoint, kind, is_streaming)."""
        return (self.endpoint, self.kind, self.is_streaming)


def corpus_folder(env: Mapping[str, str] = os.environ) -> Path | None:
    """The corpus, None where the variable is unset or names no folder with an index."""
    value = env.get(CORPUS_VARIABLE, "")
    return Path(value) if value and (Path(value) / "index.jsonl").is_file() else None


def interactions(folder: Path, providers: Sequence[str]) -> tuple[Interaction, ...]:
    """Every interaction of these provider folders, in the index's order."""
    return tuple(_interaction(folder, entry) for entry in _index(folder) if entry["provider"] in providers)


def claimed(
    folder: Path, providers: Sequence[str], endpoints: Sequence[EndpointRecord], base_url: str
) -> tuple[tuple[Interaction, EndpointRecord], ...]:
    """The interactions of these folders that one of the endpoints claims, each with that endpoint."""
    pairs = ((i, endpoint_of(i, endpoints, base_url)) for i in interactions(folder, providers))
    return tuple((interaction, record) for interaction, record in pairs if record is not None)


def endpoint_of(interaction: Interaction, endpoints: Sequence[EndpointRecord], base_url: str) -> EndpointRecord | None:
    """
    The endpoint that an interaction belongs to, by method and path; queries and the API version in front do not matter.

    On the driver's own host the base URL's path must match. On another host (a cloud that resells the wire) any prefix may
    stand before the template. Where several templates fit, or none, the index's endpoint name decides.
    """
    base = urlsplit(base_url)
    path = _plain(interaction.request.path)
    full = [e for e in endpoints if params_from_path(_plain(base.path + e.path), path) is not None]
    if not full and interaction.host != base.hostname:
        full = [e for e in endpoints if any(params_from_path(_plain(e.path), end) is not None for end in _endings(path))]
    fitting = [e for e in full if e.method == interaction.request.method]
    named = [e for e in fitting or endpoints if e.name == interaction.endpoint and e.method == interaction.request.method]
    return next(iter(named or fitting), None)


def _plain(path: str) -> str:
    return re.sub(r"^/v\d+((alpha|beta)\d*)?(?=/)", "", re.sub(r"/{2,}", "/", path))


def _endings(path: str) -> Iterator[str]:
    return (path[match.start() :] for match in re.finditer("/", path))


@lru_cache(maxsize=4)
def _index(folder: Path) -> tuple[Mapping[str, Any], ...]:
    with (folder / "index.jsonl").open(encoding="utf-8") as lines:
        return tuple(json.loads(line) for line in lines if line.strip())


@cache
def _cassette(file: Path) -> Sequence[Mapping[str, Any]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    with file.open("rb") as stream:
        document = yaml.load(stream, Loader=loader)  # noqa: S506  # both are safe loaders
    return tuple(document["interactions"])


def _interaction(folder: Path, entry: Mapping[str, Any]) -> Interaction:
    recorded = _cassette(folder / entry["file"])[entry["n"]]
    request, response = recorded["request"], recorded["response"]
    uri = urlsplit(request["uri"])
    target = (uri.path or "/") + (f"?{uri.query}" if uri.query else "")
    return Interaction(
        file=entry["file"],
        n=entry["n"],
        provider=entry["provider"],
        endpoint=entry["endpoint"],
        kind=entry["kind"].removesuffix("+stream"),
        is_streaming=entry["streaming"],
        wire=entry["wire"],
        host=uri.hostname or "",
        request=WireRequest(request["method"], target, _headers(request["headers"]), _body(request["body"])),
        response=WireResponse(
            response["status"]["code"], _headers(response["headers"]), _body((response["body"] or {}).get("string"))
        ),
    )


def _headers(headers: Mapping[str, Any] | None) -> Mapping[str, str]:
    pairs = (headers or {}).items()
    return {k.lower(): ", ".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in pairs}


def _body(value: str | bytes | None) -> bytes:
    return value.encode() if isinstance(value, str) else value or b""
