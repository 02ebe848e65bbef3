"""JSON form of every record, by cattrs: for plans, outcomes, cards, configuration and whatever comes from outside."""

from __future__ import annotations

import base64
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar, get_args

from pingpong import _events, _messages, _plans
from pingpong._credentials import Secret
from pingpong._errors import InvalidRequestError, PingPongError
from pingpong._outcomes import Decision

T = TypeVar("T")

# What is told of a decision: its reasons stand in for the query they are rebuilt from, which holds the whole conversation.
_DECISION = ("strategy", "plan", "is_simulated", "bounds", "candidates")
_ERROR_FACTS = ("retryable", "fault", "provider", "model", "status", "code", "request_id", "retry_after_s")


def _tag(cls: type) -> str:
    name = getattr(cls, "kind", None) or cls.__name__
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


@lru_cache(1)
def _converter() -> Any:
    from ssl import SSLContext

    from cattrs import Converter

    converter = Converter(forbid_extra_keys=True)
    converter.register_unstructure_hook(Decimal, lambda d: f"{d:f}")
    converter.register_structure_hook(Decimal, _decimal)
    converter.register_unstructure_hook(Secret, repr)
    converter.register_structure_hook_func(lambda t: Secret in get_args(t), _key)
    converter.register_structure_hook_func(lambda t: SSLContext in get_args(t), lambda value, _: value)
    for moment in (datetime, date):
        converter.register_unstructure_hook(moment, lambda d: d.isoformat())
        converter.register_structure_hook(moment, lambda v, cls: v if isinstance(v, cls) else cls.fromisoformat(v))
    converter.register_unstructure_hook(bytes, lambda b: base64.b64encode(b).decode("ascii"))
    converter.register_structure_hook(bytes, lambda v, _: base64.b64decode(v, validate=True))
    converter.register_unstructure_hook_func(lambda t: getattr(t, "__origin__", None) is frozenset, sorted)
    converter.register_unstructure_hook_func(lambda t: isinstance(t, type) and issubclass(t, PingPongError), _error_json)
    converter.register_unstructure_hook(Decision, lambda d: {name: to_json(getattr(d, name)) for name in _DECISION})
    for union in (_messages.Part, _plans.Plan, _events.Event):
        _tag_union(converter, union)
    return converter


def _tag_union(converter: Any, union: Any) -> None:
    """Tell the members of a union apart by their `type`, looked up late because plans hold plans."""
    classes = {_tag(c): c for c in get_args(union)}

    def structure(value: Any, _: Any) -> Any:
        if not isinstance(value, dict) or value.get("type") not in classes:
            raise ValueError(f"needs a type, one of {', '.join(classes)}")
        return converter.structure({k: v for k, v in value.items() if k != "type"}, classes[value["type"]])

    def unstructure(value: Any) -> Any:
        return {"type": _tag(type(value)), **converter.unstructure(value)}

    converter.register_structure_hook_func(lambda t: t == union, structure)
    converter.register_unstructure_hook_func(lambda t: t == union, unstructure)


def _decimal(value: Any, _: type) -> Decimal:
    if isinstance(value, float | bool):
        raise ValueError(f"write money as text, not as {value!r}")
    amount = Decimal(value)
    if not amount.is_finite():
        raise ValueError(f"{value!r} is no amount of money")
    return amount


def _key(value: Any, _: Any) -> Any:
    """A key as text becomes a secret; a secret, a source of one, or None stays what it is."""
    if not (value is None or isinstance(value, str | Secret) or callable(value)):
        raise ValueError("write the key as text")
    return Secret(value) if isinstance(value, str) else value


def _error_json(error: PingPongError) -> dict[str, Any]:
    """The error as `--json` and the gateway show it."""
    return {"kind": error.kind, "message": str(error), **{name: getattr(error, name) for name in _ERROR_FACTS}}


def to_json(value: Any, kind: Any = None) -> Any:
    """
    JSON-ready form of a record: money as decimal text, times as RFC 3339, bytes as base64, secrets never.

    Args:
        kind: The union a value belongs to (`Plan`, `Part`, `Event`), so that it carries its `type`.
    """
    if kind is None:
        kind = next((u for u in (_plans.Plan, _messages.Part, _events.Event) if type(value) in get_args(u)), None)
    return _converter().unstructure(value, unstructure_as=kind)


def from_json(kind: Any, data: Any) -> Any:
    """
    A record out of its JSON form; unknown keys are refused.

    Raises:
        InvalidRequestError: Names the path of everything that is wrong.
    """
    from cattrs import transform_error
    from cattrs.v import format_exception

    def told(exc: BaseException, kind: Any) -> str:
        return str(exc) if type(exc) is ValueError or isinstance(exc, PingPongError) else format_exception(exc, kind)

    try:
        return _converter().structure(data, kind)
    except Exception as exc:
        raise InvalidRequestError("; ".join(transform_error(exc, format_exception=told))) from exc
