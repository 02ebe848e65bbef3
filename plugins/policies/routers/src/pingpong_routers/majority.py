"""The fuser `majority`: the answer most members agree on, else the one closest to the others."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter

from attrs import frozen
from pingpong import Fusion, Outcome, Request, Response

_WORDS = re.compile(r"\w+")
_EDGES = " \t\n.,;:!?\"'`*_“”‘’«»。、！？"  # punctuation of several scripts


def _without_noise(text: str) -> str:
    """Text in compatibility form without case, repeated white space, and punctuation at its ends."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(_EDGES)


def _canonical_json(text: str) -> str | None:
    """JSON with sorted keys and no white space, None where the text is not JSON."""
    try:
        return json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return None


def key_of(response: Response, *, is_json: bool) -> str:
    """What two answers must share to agree: normalised text, or the JSON value, and the tools they call."""
    text = response.text
    value = _canonical_json(text) if is_json else None
    calls = [f"{c.name} {_canonical_json(c.arguments) or c.arguments}" for c in response.tool_calls]
    return "\n".join([_without_noise(text) if value is None else value, *calls]).strip()


def overlap(a: frozenset[str], b: frozenset[str]) -> float:
    """Shared words over all words, 0..1; 1 for two answers without words."""
    return len(a & b) / len(a | b) if a or b else 1.0


@frozen(kw_only=True)
class Majority:
    """Pure; the same answers in the same order give the same fusion. Empty answers count only where all are."""

    def step(self, request: Request, responses: tuple[Response, ...], answers: tuple[Outcome, ...]) -> Fusion:
        """
        One of the answers as it came, and how much it agrees with the others.

        Most agreeing answers win; among equally many, the one with the highest mean likeness to the others,
        then the first. Likeness is 1 for agreeing answers, else the overlap of their words. One answer alone has no agreement.
        """
        keys = [key_of(r, is_json=request.output_schema is not None) for r in responses]
        told = [i for i, key in enumerate(keys) if key] or [*range(len(keys))]
        if len(told) == 1:
            return Fusion(response=responses[told[0]], agreement=None if len(responses) == 1 else 0.0)
        words = {i: frozenset(_WORDS.findall(keys[i])) for i in told}
        votes = Counter(keys[i] for i in told)

        def likeness(i: int) -> float:
            others = [1.0 if keys[i] == keys[j] else overlap(words[i], words[j]) for j in told if j != i]
            return sum(others) / (len(responses) - 1)

        best = max(told, key=lambda i: (votes[keys[i]], likeness(i), -i))
        return Fusion(response=responses[best], agreement=likeness(best))
