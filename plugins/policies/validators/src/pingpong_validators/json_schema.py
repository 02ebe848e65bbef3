"""The validator `json-schema`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NoReturn

from attrs import field, frozen
from jsonschema.exceptions import SchemaError, ValidationError, best_match
from jsonschema.protocols import Validator as Checker
from jsonschema.validators import Draft202012Validator, validator_for
from pingpong import Finding, Outcome, Request, Response, Verdict
from referencing import Registry
from referencing.exceptions import Unresolvable

MAX_FINDINGS = 20
MAX_QUOTED_CHARS = 80
MAX_PATH_CHARS = 120

_NO_REMOTE: Registry[Any] = Registry()
"""Resolves nothing outside the schema itself, so that a `$ref` never opens a connection."""


def _is_schema(instance: Any, attribute: Any, value: Mapping[str, Any] | None) -> None:
    if value is not None and (problem := _schema_problem(value)):
        raise ValueError(problem)


def _schema_problem(schema: Mapping[str, Any]) -> str | None:
    try:
        validator_for(schema, default=Draft202012Validator).check_schema(dict(schema))
    except SchemaError as exc:
        return f"the schema is no JSON Schema: {_place(exc)} breaks {exc.validator!r}"
    except Exception as exc:  # a meta-schema that crashes its checker, by recursion say, is no schema either
        return f"the schema cannot be checked: {type(exc).__name__}"
    return None


@frozen(kw_only=True)
class JsonSchema:
    """
    Whether the answer is JSON of a schema; pure, linear in the answer apart from what the schema's own patterns cost.

    Drafts are recognised by `$schema`, 2020-12 else. `format` is not asserted, as that draft has it by default.
    References outside the schema are not followed.

    Attributes:
        schema: The schema; None takes the request's own. One that is no JSON Schema raises ValueError here.
    """

    schema: Mapping[str, Any] | None = field(default=None, validator=_is_schema)

    def step(self, request: Request, response: Response, answers: tuple[Outcome, ...]) -> Verdict:
        """
        Score 1, or 0 and rejected, with a finding for each place that breaks the schema, 20 at most.

        Findings name places and rules, never values of the answer. An answer that calls tools is not the final one,
        and a request without a schema asks for nothing: both score 1 and say so.
        """
        schema = self.schema
        if schema is None and request.output_schema is not None:
            schema = request.output_schema.schema
        if schema is None:
            return _passed("the request has no output schema; nothing was checked")
        if response.tool_calls and not response.text.strip():
            return _passed("the answer calls tools; nothing was checked")
        if self.schema is None and (problem := _schema_problem(schema)):
            return _rejected([Finding(problem)])
        try:
            value = json.loads(response.text, parse_constant=_refuse_constant)
        except json.JSONDecodeError as exc:
            return _rejected([Finding(f"the answer is not JSON: {exc.msg}", exc.pos, exc.pos)])
        except (ValueError, RecursionError) as exc:
            return _rejected([Finding(f"the answer is not JSON we can read: {_short(str(exc))}")])
        return _judged(value, schema)


def _judged(value: Any, schema: Mapping[str, Any]) -> Verdict:
    checker: Checker = validator_for(schema, default=Draft202012Validator)(schema, registry=_NO_REMOTE)
    try:
        findings = [Finding(_reason(error)) for error in islice(_leaves(checker.iter_errors(value)), MAX_FINDINGS)]
    except Unresolvable as exc:
        return _rejected([Finding(f"the schema refers to what it does not hold: {_short(str(exc.ref))}")])
    except Exception as exc:  # patterns that do not compile and endless references end here; a verdict is total
        return _rejected([Finding(f"the answer cannot be checked against the schema: {type(exc).__name__}")])
    return _rejected(findings) if findings else Verdict(validator="json-schema", score=1.0)


def _leaves(errors: Iterable[ValidationError]) -> Iterable[ValidationError]:
    """Of a failed `anyOf` and its kin, the branch that came closest."""
    return (best_match([error]) or error for error in errors)


def _reason(error: ValidationError) -> str:
    return f"{_place(error)} breaks {error.validator}: {_short(json.dumps(error.validator_value, default=str))}"


def _place(error: ValidationError | SchemaError) -> str:
    path = error.json_path
    return path if len(path) <= MAX_PATH_CHARS else f"{path[:MAX_PATH_CHARS]}…"


def _short(text: str) -> str:
    return text if len(text) <= MAX_QUOTED_CHARS else f"{text[:MAX_QUOTED_CHARS]}…"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _passed(reason: str) -> Verdict:
    return Verdict(validator="json-schema", score=1.0, findings=(Finding(reason),))


def _rejected(findings: list[Finding]) -> Verdict:
    return Verdict(validator="json-schema", score=0.0, findings=tuple(findings), is_rejected=True)
