"""The validator `not-empty`."""

from __future__ import annotations

from attrs import frozen
from pingpong import Audio, File, Finding, Image, Outcome, Request, Response, ToolCall, Verdict


@frozen(kw_only=True)
class NotEmpty:
    """Pure and linear: an answer needs a visible character, a tool call, or a medium."""

    def step(self, request: Request, response: Response, answers: tuple[Outcome, ...]) -> Verdict:
        """Score 1, or 0 and rejected. White space, control and format characters are not visible."""
        is_said = any(c.isprintable() and not c.isspace() for c in response.text)
        if is_said or any(isinstance(p, ToolCall | Image | Audio | File) for p in response.parts):
            return Verdict(validator="not-empty", score=1.0)
        reason = f"the answer is empty; it ended with {response.finish_reason or 'no reason given'}"
        return Verdict(validator="not-empty", score=0.0, findings=(Finding(reason),), is_rejected=True)
