"""What goes over the wire, as values: the border between pure codecs and the transport."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import parse_qs, quote, unquote

from attrs import field, frozen


@frozen
class WireRequest:
    """
    One HTTP request to a provider, without credentials.

    Attributes:
        target: Path below the driver's base URL, with its query: `/v1/messages`.
        headers: Lower-case names; `content-type` included where there is a body.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> Mapping[str, str]:
        """The query's first value of each name."""
        return {k: v[0] for k, v in parse_qs(self.target.partition("?")[2], keep_blank_values=True).items()}


@frozen
class WireResponse:
    """One HTTP answer; header names are lower-case, the body is decoded of its content encoding."""

    status: int
    headers: Mapping[str, str] = field(factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


def target_from_template(template: str, **params: str) -> str:
    """Fill `{name}` places of a path template; values are percent-encoded, slashes and colons kept."""
    return template.format(**{k: quote(v, safe="/:@-._~") for k, v in params.items()})


@lru_cache(maxsize=256)
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(template)))


def params_from_path(template: str, path: str) -> Mapping[str, str] | None:
    """The `{name}` values of a path that fits the template, None where it does not fit."""
    match = _pattern(template).fullmatch(path)
    return None if match is None else {k: unquote(v) for k, v in match.groupdict().items()}
