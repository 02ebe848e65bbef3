"""
A short text that matches a regular expression, for the `pattern` of a JSON Schema. Pure.

Knows literals, classes, groups, alternatives, repeats and anchors; what it cannot make, it says it cannot.
"""

from __future__ import annotations

import re
import string

MAX_REPEATS = 256
_OF_CLASS = {"d": "0", "w": "a", "s": " ", "D": "a", "W": "-", "S": "a", "t": "\t", "n": "\n"}
_EMPTY_ESCAPES = "bBAZ"
_CANDIDATES = "a0A" + string.printable
_REPEAT = re.compile(r"\{(\d+)(?:,\d*)?\}|([?*])|(\+)")


def text_from_pattern(pattern: str) -> str | None:
    """A text that matches, with every repeat as short as it may be; None where this module knows none."""
    reader = _Reader(pattern)
    try:
        text = reader.alternatives()
        return text if reader.is_at_end and re.search(pattern, text) else None
    except (IndexError, ValueError, RecursionError, re.error):
        return None


class _Reader:
    """Reads a pattern once from left to right and gives the text as it goes."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        """Whether all of the pattern was read."""
        return self._at == len(self._pattern)

    def alternatives(self) -> str:
        """The first of several alternatives; the others are read over."""
        first = self._sequence()
        while not self.is_at_end and self._pattern[self._at] == "|":
            self._at += 1
            self._sequence()
        return first

    def _sequence(self) -> str:
        text = ""
        while not self.is_at_end and self._pattern[self._at] not in "|)":
            text += self._atom() * self._repeats()
        return text

    def _repeats(self) -> int:
        match = _REPEAT.match(self._pattern, self._at)
        if match is None:
            return 1
        self._at = match.end()
        if not self.is_at_end and self._pattern[self._at] in "?+":
            self._at += 1
        if match[1] is None:
            return 0 if match[2] else 1
        if int(match[1]) > MAX_REPEATS:
            raise ValueError("too many repeats")
        return int(match[1])

    def _take(self) -> str:
        self._at += 1
        return self._pattern[self._at - 1]

    def _atom(self) -> str:
        char = self._take()
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == "\\":
            escaped = self._take()
            return "" if escaped in _EMPTY_ESCAPES else _OF_CLASS.get(escaped, escaped)
        return {"^": "", "$": "", ".": "a"}.get(char, char)

    def _group(self) -> str:
        opening = re.compile(r"\?(?::|P?<\w+>)").match(self._pattern, self._at)
        if opening is not None:
            self._at = opening.end()
        elif self._pattern.startswith("?", self._at):
            raise ValueError("a group that looks around")
        text = self.alternatives()
        if self._take() != ")":
            raise ValueError("a group without its end")
        return text

    def _class(self) -> str:
        match = re.compile(r"\^?\]?(?:\\.|[^\]\\])*\]").match(self._pattern, self._at)
        if match is None:
            raise ValueError("a class without its end")
        self._at = match.end()
        one = re.compile("[" + match[0])
        found = [char for char in _CANDIDATES if one.fullmatch(char)]
        return found[0]
