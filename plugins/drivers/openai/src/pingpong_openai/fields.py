"""Fields of a client's body, checked; the error names the field as the provider does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from attrs import evolve
from pingpong import InvalidRequestError, Message, Part, ToolCall, ToolCallResponse


def listed(body: Mapping[str, Any], name: str) -> list[Any]:
    """A list that must be there."""
    value = body.get(name)
    if not isinstance(value, list):
        raise InvalidRequestError(f"Missing required parameter: '{name}'.")
    return value


def text_in(body: Any, name: str, where: str) -> str:
    """A text that must be there; `where` is the path of `body`."""
    value = body.get(name) if isinstance(body, dict) else None
    if not isinstance(value, str):
        raise InvalidRequestError(f"Missing required parameter: '{where}.{name}'.")
    return value


def whole(body: Mapping[str, Any], name: str) -> int | None:
    """An integer, None where absent or null."""
    value = body.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise InvalidRequestError(f"Invalid type for '{name}': expected an integer.")
    return value


def number(body: Mapping[str, Any], name: str) -> float | None:
    """A number, None where absent or null."""
    value = body.get(name)
    if value is not None and (not isinstance(value, int | float) or isinstance(value, bool)):
        raise InvalidRequestError(f"Invalid type for '{name}': expected a number.")
    return value


def model_in(body: Mapping[str, Any]) -> str:
    """The model's name, which every body must have."""
    value = body.get("model")
    if not isinstance(value, str) or not value:
        raise InvalidRequestError("you must provide a model parameter")
    return value


def named_results(messages: Iterable[Message]) -> tuple[Message, ...]:
    """The messages, each tool result with the name of the call it answers; the wires send its id alone."""
    names: dict[str, str] = {}
    named: list[Message] = []
    for message in messages:
        names |= {part.call_id: part.name for part in message.parts if isinstance(part, ToolCall)}
        named.append(evolve(message, parts=tuple(_named(part, names) for part in message.parts)))
    return tuple(named)


def _named(part: Part, names: Mapping[str, str]) -> Part:
    return evolve(part, name=names.get(part.call_id)) if isinstance(part, ToolCallResponse) else part


@contextmanager
def refusing_bad_shapes() -> Iterator[None]:
    """
    Turn what a body of some other shape breaks into the caller's error.

    The fields that clients get wrong are checked by name; for the rest this keeps `parse` total over any JSON.
    """
    try:
        yield
    except ValueError as exc:
        raise InvalidRequestError(f"Invalid value in the request: {exc}") from exc
    except (TypeError, AttributeError, KeyError) as exc:
        raise InvalidRequestError("A field of the request has another type than this endpoint takes.") from exc
