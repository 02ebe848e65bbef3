"""
JSON Schema out of the API's older `Schema` objects, a subset of OpenAPI 3.0 with types in upper case.

Source: `Schema` in google/ai/generativelanguage/v1beta/content.proto
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pingpong_gemini._json import Json, camel

_COUNTS = frozenset({"minItems", "maxItems", "minProperties", "maxProperties", "minLength", "maxLength"})


def json_schema_from_openapi(schema: Mapping[str, Any]) -> Json:
    """The JSON Schema of the same meaning: types in lower case, `nullable` as a type, 64-bit counts as numbers."""
    out: Json = {}
    for key, value in camel(dict(schema)).items():
        if key == "type" and isinstance(value, str):
            out[key] = value.lower()
        elif key == "properties" and isinstance(value, Mapping):
            out[key] = {name: _schema(inner) for name, inner in value.items()}
        elif key == "items":
            out[key] = _schema(value)
        elif key == "anyOf" and isinstance(value, list):
            out[key] = [_schema(inner) for inner in value]
        elif key in _COUNTS and isinstance(value, str) and value.isdecimal():
            out[key] = int(value)
        elif key != "nullable":
            out[key] = value
    if schema.get("nullable") is True and isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]
    return out


def _schema(value: object) -> object:
    return json_schema_from_openapi(value) if isinstance(value, Mapping) else value
