"""
The answer to a request, decided by seed, model and request alone. Pure.

In this order: call a tool, tell what tools gave back, give JSON of the schema, answer a task that the prompt sets, else an essay.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from random import Random
from typing import Any

from attrs import evolve, frozen
from pingpong import (
    Audio,
    Capability,
    Card,
    EmbedRequest,
    File,
    FinishReason,
    Image,
    Message,
    OutputSchema,
    Part,
    Reasoning,
    Request,
    Response,
    Role,
    Text,
    ToolCallResponse,
)

from pingpong_simulator import tokens
from pingpong_simulator.calls import answer_from_results, calls_for, hints_from, last_user_text
from pingpong_simulator.draws import digest, draw_from
from pingpong_simulator.essay import essay
from pingpong_simulator.families.solved import Solved
from pingpong_simulator.instances import instance
from pingpong_simulator.skill import chance_of_right
from pingpong_simulator.tasks import solve

DIMENSIONS = 1536
"""Length of a vector where the request does not say: that of OpenAI's text-embedding-3-small."""

_SIGNS_OF_WORD = 16


@frozen
class Model:
    """A simulated model: its card and its skill 0..1."""

    card: Card
    skill: float


def answer(request: Request, model: Model, seed: int) -> Response:
    """
    The whole answer, without usage; equal arguments give equal answers, streamed or not.

    Raises:
        InvalidRequestError: A schema in the request has no value.
    """
    draw = draw_from(seed, model.card.id, *_identity(request))
    parts = _parts(request, model, draw)
    finish = FinishReason.tool_calls if any(hasattr(p, "call_id") for p in parts) else FinishReason.stop
    response = Response(
        provider=model.card.provider,
        model=model.card.model,
        parts=(*_reasoning(request, model), *parts),
        finish_reason=finish,
        response_id=f"sim_{draw.getrandbits(96):024x}",
    )
    return _limited(_stopped(response, request.stop), request.max_output_tokens)


def _identity(request: Request) -> Iterator[object]:
    """What makes two requests the same question; how it is carried (streamed, by which endpoint) is no part of it."""
    yield request.seed
    yield request.temperature
    yield from tokens.input_texts(request)
    for message in request.messages:
        for part in message.parts:
            if isinstance(part, Image | Audio | File):
                yield part.url
                yield hashlib.sha256(part.data or b"").hexdigest()


def _parts(request: Request, model: Model, draw: Random) -> tuple[Part, ...]:
    if calls := calls_for(request, draw):
        return calls
    prompt = last_user_text(request)
    solution = solve(prompt, "\n".join(_said(request.messages)))
    known = None if solution is None else _attempted(solution, model, draw)
    if request.output_schema is not None:
        return (Text(_json(request.output_schema, prompt, known)),)
    told = answer_from_results(request)
    if told is not None:
        return (Text(told),)
    return (Text(_phrased(known, draw) if known is not None else essay(prompt, draw)),)


def _said(messages: tuple[Message, ...]) -> Iterator[str]:
    for message in messages:
        yield message.text
        for part in message.parts:
            if isinstance(part, ToolCallResponse):
                yield from _said((Message(Role.user, part.parts),))


def _attempted(solution: Solved, model: Model, draw: Random) -> str:
    """The right answer as often as the model's skill allows, else a mistake."""
    if draw.random() < chance_of_right(model.skill, solution.difficulty):
        return solution.answer
    return draw.choice(solution.mistakes)


_PHRASES = ("{}", "The answer is {}.", "That gives {}.", "I get {}.", "Result: {}")


def _phrased(known: str, draw: Random) -> str:
    return draw.choice(_PHRASES).format(known) if "\n" not in known else known


def _json(schema: OutputSchema, prompt: str, known: str | None) -> str:
    value: Any = instance(schema.schema, hints_from(prompt, known))
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _reasoning(request: Request, model: Model) -> tuple[Reasoning, ...]:
    """A short line of thought for models that reason, when the request asks them to."""
    is_asked = request.reasoning_effort not in (None, "none") or bool(request.reasoning_budget_tokens)
    if not is_asked or Capability.reasoning not in model.card.capabilities:
        return ()
    length = tokens.count(last_user_text(request))
    text = f"(Simulated reasoning.) The question has {length} tokens. I look for what is asked, work it out, and check it once."
    return (Reasoning(tokens.first_tokens(text, request.reasoning_budget_tokens or len(text))),)


def _stopped(response: Response, stops: tuple[str, ...]) -> Response:
    """The response cut before the first stop sequence in its text."""
    for i, part in enumerate(response.parts):
        found = [(part.text.find(s), s) for s in stops if s and s in part.text] if isinstance(part, Text) else []
        if found:
            at, sequence = min(found)
            text = part.text[:at] if isinstance(part, Text) else ""
            kept = (*response.parts[:i], Text(text)) if text else response.parts[:i]
            return evolve(response, parts=kept, finish_reason=FinishReason.stop, stop_sequence=sequence)
    return response


def _limited(response: Response, limit: int | None) -> Response:
    """The response cut at the token limit, reasoning counted; a tool call is left out rather than cut."""
    if limit is None or sum(tokens.output_tokens(response)) <= limit:
        return response
    kept: list[Part] = []
    for part in response.parts:
        if isinstance(part, Text | Reasoning):
            text = tokens.first_tokens(part.text, limit)
            limit -= tokens.count(text)
            if text:
                kept.append(evolve(part, text=text))
        else:
            limit -= tokens.count(f"{getattr(part, 'name', '')} {getattr(part, 'arguments', '')}")
            if limit >= 0:
                kept.append(part)
    return evolve(response, parts=tuple(kept), finish_reason=FinishReason.length, stop_sequence=None)


def vectors(request: EmbedRequest, model: Model, seed: int) -> tuple[tuple[float, ...], ...]:
    """Unit vectors, one an input; texts that share words point in similar directions."""
    size = request.dimensions or DIMENSIONS
    return tuple(_vector(text, size, seed, model.card.id) for text in request.inputs)


def _vector(text: str, size: int, seed: int, model_id: str) -> tuple[float, ...]:
    values = [0.0] * size
    for word in (text, *(piece.strip().lower() for piece in tokens.pieces(text))):
        number = int(digest("embed", seed, model_id, word), 16)
        for _ in range(_SIGNS_OF_WORD):
            number, at = divmod(number, size)
            number, sign = divmod(number, 2)
            values[at] += 1.0 if sign else -1.0
    if not any(values):
        values[0] = 1.0
    norm = math.sqrt(sum(v * v for v in values))
    return tuple(v / norm for v in values)
