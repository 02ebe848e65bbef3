"""
The closed tree of errors. The class says whose fault it is, `kind` says what happened.

    PingPongError
    ├── InvalidRequestError          the caller: change the request, the key or the configuration
    │   ├── UnsupportedParameter     the chosen model or endpoint cannot honour an option
    │   ├── UnsupportedCapability    … cannot do what the request needs (tools, images, streaming, …)
    │   ├── ContextLengthExceeded    the input does not fit the model
    │   ├── ContentPolicyError       the provider refuses this input
    │   ├── UnknownModelError        no card of that name
    │   ├── MissingCredential        no key found
    │   └── ConfigError              a setting is wrong; names file, key path and fix
    ├── ProviderError                the provider or the way to it
    │   ├── AuthenticationError      401
    │   ├── PermissionDenied         403
    │   ├── NotFoundError            404, a model or path the provider does not know
    │   ├── ConflictError            409
    │   ├── RateLimited              429 that passes
    │   ├── QuotaExhausted           402 or 429 that does not pass by waiting
    │   ├── Overloaded               529, 503, or the same said in a body
    │   ├── ServerError              5xx
    │   ├── ProviderTimeout          408, 504
    │   ├── ConnectionFailed         DNS, refused, reset, TLS
    │   ├── MalformedResponse        an answer that breaks the protocol
    │   └── StreamTruncated          a stream without its terminal marker
    ├── PluginError                  a plugin broke its contract
    ├── LimitError                   a limit of ours
    │   ├── BudgetExceeded           money
    │   ├── DeadlineExceeded         time
    │   ├── ResponseTooLarge         bytes
    │   ├── StructuredOutputTruncated the answer to a JSON Schema was cut by length
    │   ├── CannotFit                no truncation fits the budget
    │   ├── AnswerRejected           a validator rejects the answer
    │   ├── NoRoute                  no model may serve the request
    │   ├── RequestCancelled         the caller gave the request up
    │   └── NeedsClarification       the request is unclear; ask the user
    └── AllFailed                    several of the above (an exception group)

No message holds a key, a prompt or a body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from pingpong._outcomes import Attempt, Decision
    from pingpong._responses import Response

Fault = Literal["caller", "provider", "plugin", "limit"]


class PingPongError(Exception):
    """
    Root of every error that leaves Ping-Pong.

    Attributes:
        kind: Stable snake_case name, the same in JSON, logs and the ledger.
        fault: Who has to act: caller, provider, plugin or a limit of ours.
        retryable: Whether the same request may succeed when sent again.
        provider, model: Where it happened, None before a model was chosen.
        status: HTTP status, None where no answer arrived.
        code: The provider's own code or type, verbatim.
        request_id: The provider's id of the failed request.
        retry_after_s: How long the provider asks to wait, in seconds, >= 0.
        partial: What a failed stream had answered until then.
        attempts: Every attempt of the request that failed, in order.
        decision: Why these models were chosen, once that is known.
    """

    kind: ClassVar[str] = "error"
    fault: ClassVar[Fault] = "plugin"
    is_retryable_by_default: ClassVar[bool] = False

    def __init_subclass__(cls, kind: str = "", fault: Fault | None = None, retryable: bool = False) -> None:
        """A class's kind is its name in snake_case without `Error`, its fault that of its base, unless it says otherwise."""
        cls.kind = kind or re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__.removesuffix("Error")).lower()
        cls.fault = fault or cls.fault
        cls.is_retryable_by_default = retryable or cls.is_retryable_by_default

    def __init__(
        self,
        message: str,
        *,
        retryable: bool | None = None,
        provider: str | None = None,
        model: str | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        partial: Response | None = None,
    ) -> None:
        super().__init__(message)
        self.retryable = self.is_retryable_by_default if retryable is None else retryable
        self.provider = provider
        self.model = model
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.partial = partial
        self.attempts: tuple[Attempt, ...] = ()
        self.decision: Decision | None = None

    @property
    def message(self) -> str:
        """What failed, what was seen, what to do."""
        return str(self.args[0])

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.message,), self.__dict__)


class InvalidRequestError(PingPongError, fault="caller"):
    """The request cannot work as it is; the provider said so (400, 422) or we did before asking."""


class UnsupportedParameter(InvalidRequestError):
    """
    An option that the chosen endpoint cannot honour; set `on_unsupported="drop"` to go on without it.

    `options` names the request's fields to leave out; a codec that raises it gives them, and the kernel drops them.
    """

    def __init__(self, message: str, *, options: tuple[str, ...] = (), **facts: Any) -> None:
        super().__init__(message, **facts)
        self.options = options


class UnsupportedCapability(InvalidRequestError):
    """Something the request needs and no endpoint of the model offers."""


class ContextLengthExceeded(InvalidRequestError):
    """The input, or input and output together, are larger than the model's context."""


class ContentPolicyError(InvalidRequestError):
    """The provider refuses the input by policy, before any answer."""


class UnknownModelError(InvalidRequestError):
    """No card bears this name."""


class MissingCredential(InvalidRequestError):
    """No key was found; the message names the variable that would hold it."""


class ConfigError(InvalidRequestError):
    """A setting is missing or wrong; the message names file, key path and fix."""


class ProviderError(PingPongError, kind="provider_error", fault="provider"):
    """The provider, or the way to it, failed."""


class AuthenticationError(ProviderError):
    """The provider does not accept the key (401)."""


class PermissionDenied(ProviderError):
    """The key may not do this (403)."""


class NotFoundError(ProviderError):
    """The provider does not know the model or the path (404)."""


class ConflictError(ProviderError, retryable=True):
    """The provider reports a conflict (409); the same request may pass later."""


class RateLimited(ProviderError, retryable=True):
    """Too many requests or tokens for now (429)."""


class QuotaExhausted(ProviderError):
    """The account has no credit or quota left (402, 429 by code); waiting does not help."""


class Overloaded(ProviderError, retryable=True):
    """The provider is overloaded (529, 503, or said in a body)."""


class ServerError(ProviderError, kind="server_error", retryable=True):
    """The provider failed (5xx)."""


class ProviderTimeout(ProviderError, retryable=True):
    """The provider gave up waiting (408, 504)."""


class ConnectionFailed(ProviderError, retryable=True):
    """No answer: name not found, connection refused or reset, TLS failure."""


class MalformedResponse(ProviderError, retryable=True):
    """The answer breaks the provider's own protocol."""


class StreamTruncated(ProviderError, retryable=True):
    """The stream ended without its terminal marker; `partial` holds what had arrived."""


class PluginError(PingPongError, kind="plugin_error"):
    """A plugin is broken or broke its contract; the message names its distribution and version."""


class LimitError(PingPongError, fault="limit"):
    """A limit of ours stopped the request."""


class BudgetExceeded(LimitError):
    """The next attempt could cost more than is left, or its price is unknown under a cap."""


class DeadlineExceeded(LimitError):
    """The total time for the request is used up."""


class ResponseTooLarge(LimitError):
    """An answer, event or header is larger than its cap in bytes."""


class StructuredOutputTruncated(LimitError):
    """The answer to a JSON Schema was cut by `max_output_tokens`, so it is not valid JSON."""


class CannotFit(LimitError):
    """No truncation that keeps what must stay fits the token budget."""


class AnswerRejected(LimitError):
    """A validator rejects the answer; `partial` holds it."""


class NoRoute(LimitError):
    """No model may serve the request; the decision says why for each."""


class RequestCancelled(LimitError):
    """The caller cancelled the request or left its stream; only middleware is told so."""


class NeedsClarification(LimitError):
    """The request is unclear; the message is the question to put to the user."""


class AllFailed(PingPongError, ExceptionGroup[PingPongError], fault="provider"):
    """Every model that the plan named failed; `exceptions` holds one error per model, in order."""

    def __new__(cls, message: str, exceptions: Sequence[PingPongError]) -> AllFailed:
        return ExceptionGroup.__new__(cls, message, exceptions)

    def __init__(self, message: str, exceptions: Sequence[PingPongError]) -> None:
        super().__init__(message, retryable=any(e.retryable for e in exceptions))

    def __str__(self) -> str:
        errors = [e for e in self.exceptions if isinstance(e, PingPongError)]
        reasons = "; ".join(f"{e.provider or '?'}:{e.model or '?'} {e.kind}: {e.message}" for e in errors)
        return f"{self.message} ({reasons})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.message, self.exceptions), self.__dict__)

    def derive(self, excs: Sequence[PingPongError]) -> AllFailed:  # type: ignore[override]  # group of our own errors only
        return AllFailed(self.message, excs)


class blamed:  # lower case: it reads as a statement: `with blamed("The ledger"):`
    """What is raised inside and is neither an error of ours nor one of `but` becomes a `PluginError` that names the plugin."""

    # A class, not a generator: it stands several times around every call, at a third of the cost.
    __slots__ = ("_but", "_plugin")

    def __init__(self, plugin: str, but: tuple[type[Exception], ...] = ()) -> None:
        self._plugin = plugin
        self._but = but

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        if isinstance(exc, Exception) and not isinstance(exc, (PingPongError, *self._but)):
            raise _broke(self._plugin, exc) from exc


def broken_by(plugin: str, call: Callable[..., object], *args: Any) -> PingPongError | None:
    """What a plugin's call raised, as an error of ours that names it; None where all went well."""
    try:
        call(*args)
    except PingPongError as error:
        return error
    except Exception as exc:
        broke = _broke(plugin, exc)
        broke.__cause__ = exc
        return broke
    return None


def _broke(plugin: str, exc: Exception) -> PingPongError:
    return PluginError(f"{plugin} broke: {type(exc).__name__}.")
