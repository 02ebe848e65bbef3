"""
Small JSON values that satisfy a JSON Schema, with words from the prompt where they fit. Pure.

Knows what providers take in tool parameters and output schemas: types, enum, const, required, nested objects and arrays,
bounds, formats, patterns, anyOf, oneOf, allOf and local references.

Source: https://json-schema.org/draft/2020-12/json-schema-validation
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen
from pingpong import InvalidRequestError

from pingpong_simulator.patterns import text_from_pattern

Schema = Mapping[str, Any]
MAX_DEPTH = 24
_ANSWER_NAMES = frozenset({"answer", "result", "value", "solution", "output", "final_answer", "text", "response"})
_FORMATS = {
    "date": "2026-01-31", "date-time": "2026-01-31T12:00:00Z", "time": "12:00:00Z", "duration": "PT1H",
    "email": "someone@example.com", "idn-email": "someone@example.com", "hostname": "example.com", "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1", "uri": "https://example.com/", "uri-reference": "/example", "regex": "a",
    "uuid": "00000000-0000-4000-8000-000000000000", "json-pointer": "",
}  # fmt: skip
_FILLER = "example"


@frozen
class Hints:
    """
    What the prompt offers to fill a value with.

    Attributes:
        answer: What a property called answer, result or the like is to hold, None for nothing in particular.
        words, numbers: Found in the prompt, the likeliest first.
        prompt: All of it, to look for the values of an enum.
    """

    answer: str | None = None
    words: tuple[str, ...] = ()
    numbers: tuple[float, ...] = ()
    prompt: str = ""


def instance(schema: Schema, hints: Hints) -> Any:
    """
    A value that is valid for the schema: required properties, and one item where an array may have one.

    Raises:
        InvalidRequestError: No value was found, because the schema contradicts itself, never ends or uses what is unknown here.
    """
    return _value(schema, schema, hints, "", 0)


def _value(schema: Any, root: Schema, hints: Hints, name: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise InvalidRequestError("The JSON Schema refers to itself without an end.")
    if not isinstance(schema, Mapping):
        return hints.answer or _FILLER
    schema = _resolved(schema, root, depth)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return _of_enum(schema["enum"], hints)
    if branches := schema.get("anyOf") or schema.get("oneOf"):
        return _of_branches(schema, branches, root, hints, name, depth)
    match _type(schema):
        case "object":
            return _object(schema, root, hints, depth)
        case "array":
            return _array(schema, root, hints, name or "item", depth)
        case "string":
            return _string(schema, hints, name)
        case "integer" | "number" as kind:
            return _number(schema, hints, name, is_whole=kind == "integer")
        case "boolean":
            return True
        case "null":
            return None
        case other:
            raise InvalidRequestError(f"The JSON Schema has a type {other!r} that does not exist.")


def _resolved(schema: Schema, root: Schema, depth: int) -> Schema:
    """The schema with its reference followed and its `allOf` merged in."""
    if depth > MAX_DEPTH:
        raise InvalidRequestError("The JSON Schema refers to itself without an end.")
    merged = {k: v for k, v in schema.items() if k not in ("$ref", "allOf")}
    others = [*([_referred(schema["$ref"], root)] if "$ref" in schema else ()), *schema.get("allOf", ())]
    for other in others:
        found = _resolved(other, root, depth + 1)
        properties = {**found.get("properties", {}), **merged.get("properties", {})}
        required = [*found.get("required", ()), *merged.get("required", ())]
        merged = {**found, **merged}
        if properties:
            merged |= {"properties": properties, "required": list(dict.fromkeys(required))}
    return merged


def _referred(reference: Any, root: Schema) -> Schema:
    found: Any = root
    if not isinstance(reference, str) or not reference.startswith("#"):
        raise InvalidRequestError("The JSON Schema refers outside of itself; give the definition under $defs.")
    for key in reference.removeprefix("#").split("/")[1:]:
        found = found.get(key.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        raise InvalidRequestError(f"The JSON Schema refers to {reference!r}, which it does not define.")
    return found


def _type(schema: Schema) -> str:
    kind = schema.get("type")
    if isinstance(kind, list | tuple):
        return next((k for k in kind if k != "null"), "null")
    if kind is None:
        shapes = {"properties": "object", "items": "array", "minimum": "number", "maximum": "number"}
        return next((shape for key, shape in shapes.items() if key in schema), "string")
    return str(kind)


def _of_enum(values: Any, hints: Hints) -> Any:
    if not isinstance(values, list | tuple) or not values:
        raise InvalidRequestError("The JSON Schema has an enum without values.")
    named = (v for v in values if isinstance(v, str) and v and v.lower() in hints.prompt.lower())
    return next(named, values[0])


def _of_branches(schema: Schema, branches: Any, root: Schema, hints: Hints, name: str, depth: int) -> Any:
    """The first branch that has a value, null only as the last resort."""
    rest = {k: v for k, v in schema.items() if k not in ("anyOf", "oneOf")}
    ordered = sorted(branches, key=lambda b: isinstance(b, Mapping) and b.get("type") == "null")
    problem: InvalidRequestError | None = None
    for branch in ordered:
        try:
            return _value({**rest, "allOf": [*rest.get("allOf", ()), branch]}, root, hints, name, depth + 1)
        except InvalidRequestError as exc:
            problem = exc
    raise problem or InvalidRequestError("The JSON Schema has no alternative to take.")


def _object(schema: Schema, root: Schema, hints: Hints, depth: int) -> dict[str, Any]:
    properties: Schema = schema.get("properties") or {}
    required = list(schema.get("required") or ())
    if not required and depth == 0:
        required = list(properties)
    optional = [n for n in properties if n not in required]
    missing = max(int(schema.get("minProperties", 0)) - len(required), 0)
    names = [*required, *optional[:missing]]
    made: dict[str, Any] = {}
    for i, name in enumerate(names):
        mine = evolve(hints, words=hints.words[i:] + hints.words[:i]) if i < len(hints.words) else hints
        made[name] = _value(properties.get(name, {}), root, mine, name, depth + 1)
    return made


def _array(schema: Schema, root: Schema, hints: Hints, name: str, depth: int) -> list[Any]:
    first = list(schema.get("prefixItems") or ())
    items = schema.get("items", {})
    least = int(schema.get("minItems", 0))
    most = int(schema.get("maxItems", max(least, 1)))
    made = [_value(s, root, hints, name, depth + 1) for s in first]
    while len(made) < min(max(least, 1), most) and items is not False:
        shifted = evolve(hints, words=hints.words[len(made) :], numbers=hints.numbers[len(made) :])
        try:
            value = _value(items, root, shifted, name, depth + 1)
        except InvalidRequestError:
            if len(made) >= least:
                break
            raise
        if schema.get("uniqueItems") and value in made:
            value = _other(value, made)
        made.append(value)
    return made


def _other(value: Any, made: list[Any]) -> Any:
    """A value of the same type that is not in the array yet."""
    if isinstance(value, str):
        return f"{value} {len(made) + 1}"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value + len(made)
    raise InvalidRequestError("The JSON Schema asks for more different items than are known here.")


def _string(schema: Schema, hints: Hints, name: str) -> str:
    wanted = [hints.answer] if hints.answer is not None and (name in _ANSWER_NAMES or not name) else []
    fixed = [_FORMATS[schema["format"]]] if schema.get("format") in _FORMATS else []
    made = text_from_pattern(schema["pattern"]) if isinstance(schema.get("pattern"), str) else None
    given = [v for v in (schema.get("default"), *(schema.get("examples") or ())) if isinstance(v, str)]
    least = int(schema.get("minLength", 0))
    filler = (_FILLER * (least // len(_FILLER) + 1))[: max(least, min(len(_FILLER), schema.get("maxLength", len(_FILLER))))]
    padded = [made + "a" * (least - len(made)), made + "0" * (least - len(made))] if made is not None else []
    for text in [*fixed, *wanted, *hints.words, *given, *([made] if made is not None else []), *padded, filler]:
        if _fits_string(schema, text) and not (fixed and text not in fixed):
            return text
    raise InvalidRequestError(f"No text was found for {name or 'a string'} of the JSON Schema.")


def _fits_string(schema: Schema, text: str) -> bool:
    if not schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", math.inf):
        return False
    try:
        return "pattern" not in schema or re.search(schema["pattern"], text) is not None
    except re.error:
        return True


def _number(schema: Schema, hints: Hints, name: str, *, is_whole: bool) -> int | float:
    step = schema.get("multipleOf") or (1 if is_whole else None)
    low = max(schema.get("minimum", -math.inf), _beyond(schema.get("exclusiveMinimum"), step, 1))
    high = min(schema.get("maximum", math.inf), _beyond(schema.get("exclusiveMaximum"), step, -1))
    near = low if low > -math.inf else high if high < math.inf else 1
    snapped = [math.ceil(near / step) * step, math.floor(near / step) * step] if step else [near]
    candidates = [*_answer_number(hints, name), *hints.numbers, 1, 0, *snapped, (low + high) / 2]
    for number in candidates:
        if low <= number <= high and (step is None or math.isclose(number / step, round(number / step), abs_tol=1e-9)):
            return int(number) if is_whole or float(number).is_integer() else number
    raise InvalidRequestError(f"No number was found for {name or 'a number'} of the JSON Schema.")


def _beyond(bound: Any, step: float | None, sign: int) -> float:
    """An exclusive bound as an inclusive one; nothing where there is none."""
    if not isinstance(bound, int | float) or isinstance(bound, bool):
        return -sign * math.inf
    return bound + sign * (step or max(abs(bound) * 1e-9, 1e-9))


def _answer_number(hints: Hints, name: str) -> list[float]:
    try:
        return [float(hints.answer)] if hints.answer is not None and (name in _ANSWER_NAMES or not name) else []
    except ValueError:
        return []
