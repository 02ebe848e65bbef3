"""What this distribution brings, by name."""

from __future__ import annotations

from pingpong import PolicyRecord
from pingpong.hookspecs import hookimpl


@hookimpl
def pingpong_validators() -> list[PolicyRecord]:
    """Two checks that need no model."""
    return [
        PolicyRecord(
            name="not-empty",
            factory="pingpong_validators.not_empty:NotEmpty",
            help="Rejects an answer that says nothing and calls no tool.",
        ),
        PolicyRecord(
            name="json-schema",
            factory="pingpong_validators.json_schema:JsonSchema",
            help="Rejects an answer that is not JSON of the request's output schema.",
        ),
    ]
