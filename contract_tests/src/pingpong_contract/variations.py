"""The same stream told differently, or cut short: bytes that a provider may send as well, made of bytes that it did send."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

MOST_CUTS = 40
RANDOM_CUTS = 5


def rewordings(body: bytes) -> Iterator[tuple[str, bytes]]:
    """
    (name, body) of streams of server-sent events that mean the same as this one; nothing for other bodies.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
    """
    if not re.match(rb"(\xef\xbb\xbf)?(data|event|id|retry)?:", body):
        return
    plain = re.sub(rb"\r\n|\r", b"\n", body.removeprefix(b"\xef\xbb\xbf"))
    yield "with LF", plain
    yield "with CRLF", plain.replace(b"\n", b"\r\n")
    yield "with CR", plain.replace(b"\n", b"\r")
    yield "with a byte order mark", b"\xef\xbb\xbf" + plain
    yield "without the space behind colons", re.sub(rb"(?m)^(data|event): ", rb"\1:", plain)
    yield "with comments", b": keep-alive\n\n" + plain.replace(b"\n\n", b"\n: note\n\n: note\n\n")
    yield "with ids and retries", re.sub(rb"(?m)^data:", b"id: 1\nretry: 10\ndata:", plain)
    yield "with data of two lines", re.sub(rb"(?m)^(data: *\{)", rb"\1\ndata: ", plain)


def cuts(body: bytes, seed: str) -> Iterator[tuple[str, bytes]]:
    """(name, body) of this stream cut at ends of events (at most 40 of them, evenly chosen) and at a few seeded places."""
    ends = [match.end() for match in re.finditer(rb"\r?\n\r?\n|\r\r|\},?\r?\n", body)]
    rng = random.Random(seed)  # noqa: S311  # reproducible, not secret
    places = [*ends[:: len(ends) // MOST_CUTS + 1], *(rng.randrange(len(body)) for _ in range(RANDOM_CUTS if body else 0))]
    for at in sorted({0, *places} - {len(body)}):
        yield f"cut at {at} of {len(body)}", body[:at]
