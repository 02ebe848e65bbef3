"""
Faults on demand: one small record, its text form, and what it means as an error. Pure.

    ok                           answer as usual
    429;retry_after=2            this status, in the provider's own error shape
    429;kind=quota_exhausted     … of this kind of `PingPongError`
    error_event=overloaded       a 200 whose body says an error; in a stream after one content event, or `;after=<events>`
    cut=120, cut_events=3        the body ends cleanly after so many bytes, or events
    reset=120                    the connection breaks after so many bytes
    garbage                      a 200 whose body is noise
    silence                      no answer at all, until the caller gives up
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Literal, get_args

import pingpong
from attrs import define, field, frozen
from pingpong import InvalidRequestError, PingPongError, ProviderError

HEADER = "x-pingpong-fault"
"""The request header that asks for a fault, whatever the provider."""

Sort = Literal["ok", "status", "error_event", "cut", "cut_events", "reset", "garbage", "silence"]
_BARE = ("ok", "garbage", "silence")
_COUNTED = ("cut", "cut_events", "reset")

_KIND_OF_STATUS = {
    401: "authentication", 402: "quota_exhausted", 403: "permission_denied", 404: "not_found", 408: "provider_timeout",
    409: "conflict", 413: "context_length_exceeded", 429: "rate_limited", 503: "overloaded", 504: "provider_timeout",
    529: "overloaded",
}  # fmt: skip


def _provider_kinds() -> dict[str, type[PingPongError]]:
    """Kinds of error that a provider can tell."""
    classes = (getattr(pingpong, name) for name in dir(pingpong) if name[0].isupper())
    found = [c for c in classes if isinstance(c, type) and issubclass(c, InvalidRequestError | ProviderError)]
    return {cls.kind: cls for cls in found}


@frozen(kw_only=True)
class Fault:
    """
    One fault.

    Attributes:
        status: HTTP status of a `status` fault, 300..599.
        kind: Kind of the error that is told; "" lets the status decide.
        retry_after_s: What the provider asks to wait.
        after: Bytes or events that are sent before it strikes, >= 0.
    """

    sort: Sort = "ok"
    status: int | None = None
    kind: str = ""
    retry_after_s: float | None = None
    after: int = 1


def fault_from_text(text: str) -> Fault:
    """
    Read the text form.

    Raises:
        InvalidRequestError: It is none; the message says which word.
    """
    head, *rest = [word.strip() for word in text.strip().split(";")]
    name, _, value = head.partition("=")
    details = dict(_pair(word) for word in rest)
    if unknown := set(details) - {"retry_after", "kind", "after"}:
        raise InvalidRequestError(f"A fault has no {min(unknown)!r}; it has retry_after, kind and after.")
    kind, after = details.get("kind", ""), int(_number(details.get("after", "1")))
    wait_s = _number(details["retry_after"]) if "retry_after" in details else None
    if name.isdecimal() and len(name) == 3 and 300 <= int(name) <= 599 and not value:
        return Fault(sort="status", status=int(name), kind=_known(kind), retry_after_s=wait_s)
    if name in _BARE and not value:
        return Fault(sort=name)  # type: ignore[arg-type]  # one of the literals
    if name in _COUNTED and value:
        return Fault(sort=name, after=int(_number(value)))  # type: ignore[arg-type]  # one of the literals
    if name == "error_event":
        return Fault(sort="error_event", kind=_known(value or "server_error"), retry_after_s=wait_s, after=after)
    known = ", ".join(["<status>", *get_args(Sort)[2:], "ok"])
    raise InvalidRequestError(f"{head!r} is no fault; write one of {known} (pingpong simulate --help).")


def _pair(word: str) -> tuple[str, str]:
    name, _, value = word.partition("=")
    return name.strip(), value.strip()


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value <= 1e9:
        raise InvalidRequestError(f"{text!r} in a fault is no number from 0 to a thousand million.")
    return value


def _known(kind: str) -> str:
    kinds = _provider_kinds()
    if kind and kind not in kinds:
        raise InvalidRequestError(f"A fault has no kind {kind!r}; the kinds are {', '.join(sorted(kinds))}.")
    return kind


def error_from_fault(fault: Fault) -> PingPongError:
    """The error that a `status` or `error_event` fault makes the provider tell."""
    status = fault.status
    kind = fault.kind or _KIND_OF_STATUS.get(status or 500, "server_error" if (status or 500) >= 500 else "invalid_request")
    return _provider_kinds()[kind](
        f"Simulated fault: {kind}.", status=status, retry_after_s=fault.retry_after_s, request_id="req_simulated_fault"
    )


@define(eq=False)
class FaultScript:
    """Faults by full model id, one for each request in turn; the last one stays."""

    faults: Mapping[str, Sequence[Fault]]
    _turns: dict[str, Iterator[Fault]] = field(factory=dict)
    _last: dict[str, Fault] = field(factory=dict)

    def next(self, model_id: str) -> Fault:
        """The fault of this model's next request."""
        turns = self._turns.setdefault(model_id, iter(self.faults.get(model_id, ())))
        self._last[model_id] = next(turns, self._last.get(model_id, Fault()))
        return self._last[model_id]


def script_from_table(table: Mapping[str, object]) -> FaultScript:
    """
    A script out of `{"openai:gpt-5.4-mini": ["429;retry_after=2", "ok"]}`; a lone text is a list of one.

    Raises:
        InvalidRequestError: A fault is none, or a value is no list of texts; the message names the model.
    """
    faults: dict[str, tuple[Fault, ...]] = {}
    for model, value in table.items():
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
            raise InvalidRequestError(f'faults."{model}": write a list of texts, such as ["429", "ok"].')
        try:
            faults[model] = tuple(fault_from_text(text) for text in texts)
        except InvalidRequestError as exc:
            raise InvalidRequestError(f'faults."{model}": {exc}') from exc
    return FaultScript(faults)


def check_models(script: FaultScript, known: Collection[str]) -> None:
    """Refuse faults of models that do not exist, which would never strike. Raises `InvalidRequestError`."""
    for model in script.faults:
        if model not in known:
            near = get_close_matches(model, known, 1)
            hint = f"did you mean {near[0]}?" if near else "write provider:model, as `pingpong models` does."
            raise InvalidRequestError(f'faults."{model}": there is no such model; {hint}')
