"""What went wrong, as one paragraph that says what to do, one JSON object, and an exit code."""

from __future__ import annotations

import errno
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import click
from attrs import field, frozen
from pingpong import AllFailed, PingPongError, to_json

OTHER, USAGE, BUDGET, NO_ROUTE, PROVIDERS, CLARIFICATION, INTERRUPTED, CLOSED_PIPE = 1, 2, 3, 4, 5, 6, 130, 141

EXIT_CODES = {
    0: "answered",
    OTHER: "another failure: time used up, answer rejected, output not written, a broken plugin",
    USAGE: "wrong usage, configuration, key or request",
    BUDGET: "refused by the budget",
    NO_ROUTE: "no model may serve the request",
    PROVIDERS: "every provider that was asked failed",
    CLARIFICATION: "the request is unclear; the message is the question",
    INTERRUPTED: "interrupted",
    CLOSED_PIPE: "the reader of stdout closed it",
}
"""What each exit code means; shown in the help."""

_CODE_OF_KIND = {"budget_exceeded": BUDGET, "no_route": NO_ROUTE, "needs_clarification": CLARIFICATION}
_CODE_OF_FAULT = {"caller": USAGE, "provider": PROVIDERS}

_CURES = {
    "authentication": "Check that the key is the right one and was copied whole.",
    "permission_denied": "Check what the key's project may use.",
    "not_found": "Check the model's name with `pingpong models`, and base_url if you set one.",
    "rate_limited": "Wait a little, or let other models step in: --strategy fallback.",
    "quota_exhausted": "Check the account's credit and limits at the provider.",
    "overloaded": "Try again later, or let other models step in: --strategy fallback.",
    "server_error": "Try again later, or let other models step in: --strategy fallback.",
    "provider_timeout": "Give it more time with --timeout, or choose a faster model.",
    "deadline_exceeded": "Give it more time with --timeout, or choose a faster model.",
    "malformed_response": "Check that base_url, if you set one, is the provider's own API; else try again.",
    "stream_truncated": "The answer is not whole; ask again.",
    "content_policy": "Reword the prompt.",
    "context_length_exceeded": "Shorten the prompt, or choose a model with a larger context (`pingpong models`).",
    "answer_rejected": "Ask again, choose another model, or leave the validator out.",
    "plugin_error": "`pingpong plugins doctor` shows what is broken.",
}
"""What to do, for kinds whose messages come from elsewhere and do not say it."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@frozen(kw_only=True)
class Failure:
    """
    What to show and how to exit.

    Attributes:
        details: Further members of the JSON object.
        more: Lines that --verbose adds.
        is_quiet: Nothing is shown, because nobody listens.
    """

    kind: str
    message: str
    exit_code: int
    is_retryable: bool = False
    attempts: tuple[Any, ...] = ()
    details: Mapping[str, Any] = field(factory=dict)
    more: tuple[str, ...] = ()
    is_quiet: bool = False

    def to_json(self) -> dict[str, Any]:
        """The object that --json prints."""
        told = {"kind": self.kind, "message": self.message, "retryable": self.is_retryable}
        return {"error": {**self.details, **told, "attempts": list(self.attempts)}}


def failure_from(exc: BaseException) -> Failure:
    """The failure that an exception means; total."""
    if isinstance(exc, PingPongError):
        return _of_ours(exc)
    if isinstance(exc, click.ClickException):
        return Failure(kind="usage", message=_usage(exc), exit_code=USAGE)
    if isinstance(exc, click.Abort | KeyboardInterrupt):
        return Failure(kind="interrupted", message="Interrupted.", exit_code=INTERRUPTED)
    if isinstance(exc, BrokenPipeError):
        return Failure(kind="closed_pipe", message="", exit_code=CLOSED_PIPE, is_quiet=True)
    if isinstance(exc, OSError):
        return _of_system(exc)
    message = (
        f"Ping-Pong broke ({type(exc).__name__}: {exc}). This is a mistake in it or in a plugin, not yours; "
        "--verbose shows where. Please report it."
    )
    return Failure(kind="bug", message=message, exit_code=OTHER, more=tuple(traceback.format_exception(exc)))


def exit_code_of(error: PingPongError) -> int:
    """0 never; of several errors the common code, else that of failed providers."""
    if isinstance(error, AllFailed):
        codes = {exit_code_of(e) for e in _leaves(error)}
        return codes.pop() if len(codes) == 1 else PROVIDERS
    return _CODE_OF_KIND.get(error.kind) or _CODE_OF_FAULT.get(error.fault, OTHER)


def _leaves(error: PingPongError) -> Iterator[PingPongError]:
    if isinstance(error, AllFailed):
        for inner in error.exceptions:
            if isinstance(inner, PingPongError):
                yield from _leaves(inner)
    else:
        yield error


def _of_ours(error: PingPongError) -> Failure:
    commonest = Counter(e.kind for e in _leaves(error)).most_common(1)
    cure = _CURES.get(commonest[0][0] if commonest else error.kind)
    message = " ".join(filter(None, [_told(error), cure]))
    details = to_json(error)
    if isinstance(error, AllFailed):
        details["errors"] = [to_json(e) for e in _leaves(error)]
    return Failure(
        kind=error.kind,
        message=message,
        exit_code=exit_code_of(error),
        is_retryable=error.retryable,
        attempts=tuple(to_json(a) for a in error.attempts),
        details=details,
        more=(*_facts(error), *_causes(error)),
    )


def _told(error: PingPongError) -> str:
    """Its message; of several errors, equal ones told once with the models they befell."""
    if not isinstance(error, AllFailed):
        return str(error)
    models: dict[tuple[str, str], list[str]] = {}
    for leaf in _leaves(error):
        models.setdefault((leaf.kind, leaf.message), []).append(_where(leaf))
    reasons = [
        f"{', '.join(dict.fromkeys(filter(None, names)))} ({kind}): {message.rstrip('.')}".lstrip()
        for (kind, message), names in models.items()
    ]
    return f"{error.message} {'; '.join(reasons)}."


def _where(error: PingPongError) -> str:
    return ":".join(filter(None, [error.provider, error.model]))


def _facts(error: PingPongError) -> Iterator[str]:
    for leaf in _leaves(error):
        known = {"status": leaf.status, "code": leaf.code, "request id": leaf.request_id, "retry after (s)": leaf.retry_after_s}
        told = "".join(f", {name} {value}" for name, value in known.items() if value is not None)
        where = _where(leaf)
        yield f"{where + ': ' if where else ''}{leaf.kind}{told}"
    for a in error.attempts:
        yield f"attempt {a.number} at {a.model}: {a.status}, {a.latency_ms:.0f} ms, {a.error_kind or 'no error'}"


def _causes(error: BaseException) -> Iterator[str]:
    seen = {id(error)}
    cause = error.__cause__ or error.__context__
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield f"caused by {type(cause).__name__}: {cause}"
        cause = cause.__cause__ or cause.__context__


def _usage(exc: click.ClickException) -> str:
    message = exc.format_message().strip()
    ctx = exc.ctx if isinstance(exc, click.UsageError) else None
    end = "" if message.endswith((".", "?")) else "."
    return f"{message}{end} `{ctx.command_path} --help` shows the usage." if ctx else message


def _of_system(exc: OSError) -> Failure:
    reason = exc.strerror or type(exc).__name__
    if exc.errno in _FULL:
        message = f"The output cannot be written ({reason}). Free some space, or send it somewhere else, and ask again."
        return Failure(kind="output", message=message, exit_code=OTHER)
    if exc.errno == errno.EBADF and exc.filename is None:
        message = "The output cannot be written: stdout is closed. Leave it open, or send it to a file, and ask again."
        return Failure(kind="output", message=message, exit_code=OTHER)
    where = f" on {exc.filename}" if exc.filename else ""
    message = f"The system refused something{where}: {reason}. --verbose shows where."
    return Failure(kind="system", message=message, exit_code=OTHER, more=tuple(traceback.format_exception(exc)))
