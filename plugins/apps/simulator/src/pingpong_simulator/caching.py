"""Which of a request's tokens a provider would have found in its prompt cache. Holds hashes only, never text."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice

from pingpong import Request

from pingpong_simulator import tokens
from pingpong_simulator.draws import digest

MIN_TOKENS = 1024
BLOCK_TOKENS = 128
"""Prefixes count from 1,024 tokens on, in steps of 128. Source: https://platform.openai.com/docs/guides/prompt-caching"""

_MAX_BLOCKS = 100_000


class PromptCache:
    """Remembers the prefixes of the requests that each model has read; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[str, None] = OrderedDict()

    def read(self, model_id: str, request: Request) -> int:
        """How many tokens at the request's beginning were read before by this model; remembers the request."""
        words = (piece for text in tokens.input_texts(request) for piece in tokens.pieces(text))
        link, known = model_id, 0
        while len(block := list(islice(words, BLOCK_TOKENS))) == BLOCK_TOKENS:
            link = digest(link, *block)
            known += BLOCK_TOKENS if link in self._blocks else 0
            self._blocks[link] = None
            self._blocks.move_to_end(link)
        while len(self._blocks) > _MAX_BLOCKS:
            self._blocks.popitem(last=False)
        return known if known >= MIN_TOKENS else 0
