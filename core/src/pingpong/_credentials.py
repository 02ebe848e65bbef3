"""Credentials: where a key comes from and how it goes on a request. A secret cannot be printed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from attrs import field, frozen

from pingpong._errors import MissingCredential, PingPongError


class Secret:
    """A string that shows itself to nobody but `reveal()`; it does not print, format, pickle or copy into JSON."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret; call it only where it goes on the wire."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> Any:
        raise TypeError("A Secret cannot be pickled or copied; pass the credentials' source instead.")


KeySource = Callable[[], Awaitable[Secret]]
"""Gives the current key; may refresh it, which is not an attempt."""


class Credentials(Protocol):
    """Authenticates requests. `headers` may refresh a token; `is_present` never does I/O beyond reading what is local."""

    @property
    def is_present(self) -> bool:
        """Whether a key is at hand."""

    @property
    def waits(self) -> bool:
        """Whether `headers` may wait for anything; what never does saves each call a deadline's cost."""

    async def headers(self) -> Mapping[str, str]:
        """
        Headers to add to a request.

        Raises:
            MissingCredential: No key; the message names the variables that would hold it.
        """


def checked_key(value: str, source: str) -> Secret:
    """
    A key without surrounding white space.

    Raises:
        MissingCredential: It is empty, or has characters that no header can carry. The value is not repeated.
    """
    key = value.strip()
    if not key:
        raise MissingCredential(f"{source} is empty; put the provider's key there.")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise MissingCredential(f"{source} holds white space or characters no key has; copy the key again.")
    return Secret(key)


@frozen(kw_only=True)
class ApiKey:
    """
    A key that goes into one header.

    Attributes:
        header, prefix: `authorization` and `Bearer `, or what the provider uses.
        key: The key given outright, a source that is awaited for each request, or None.
        file: A file that holds the key, read at each request so that it can be rotated.
        env_vars: Variable names, for the message when nothing is found.
        env: The environment as it was when the driver was made.
    """

    header: str
    prefix: str = ""
    key: Secret | KeySource | None = None
    file: str | None = None
    env_vars: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    provider: str = ""
    waits: bool = field(init=False)
    _fixed: Secret | None = field(init=False, eq=False)

    @property
    def is_present(self) -> bool:
        """Whether a key is at hand: given, in its file, or in the environment."""
        if self.key is not None:
            return True
        if self.file is not None:
            return Path(self.file).is_file()
        return any(self.env.get(name, "").strip() for name in self.env_vars)

    @waits.default
    def _is_source(self) -> bool:
        return not (self.key is None or isinstance(self.key, Secret))

    @_fixed.default
    def _fixed_key(self) -> Secret | None:
        """A key that never changes; None where it is read at each request, or cannot be used, which each request then tells."""
        is_fixed = isinstance(self.key, Secret) or (self.key is None and self.file is None)
        with suppress(MissingCredential):
            return self._found() if is_fixed else None
        return None

    async def headers(self) -> Mapping[str, str]:
        """The one header that authenticates."""
        key = self._fixed
        if key is None:
            key = self._given(await _key_from_source(self.key, self.provider)) if callable(self.key) else self._found()
        return {self.header: self.prefix + key.reveal()}

    def _given(self, key: Secret) -> Secret:
        return checked_key(key.reveal(), f"The key given for {self.provider or 'the provider'}")

    def _found(self) -> Secret:
        if isinstance(self.key, Secret):
            return self._given(self.key)
        if self.file is not None:
            return _key_from_file(self.file)
        for name in self.env_vars:
            if self.env.get(name, "").strip():
                return checked_key(self.env[name], f"The environment variable {name}")
        names = " or ".join(self.env_vars) or "its key variable"
        message = f"No key for {self.provider}: set {names}, or api_key_file in pingpong.toml."
        raise MissingCredential(message, provider=self.provider)


async def _key_from_source(source: KeySource, provider: str) -> Secret:
    try:
        key = await source()
    except PingPongError:
        raise
    except Exception as exc:
        message = f"The key source of {provider} failed: {type(exc).__name__}; it must be an async function that gives a Secret."
        raise MissingCredential(message, provider=provider) from exc
    if not isinstance(key, Secret):
        raise MissingCredential(f"The key source of {provider} gave {type(key).__name__}, not a Secret.", provider=provider)
    return key


def _key_from_file(path: str) -> Secret:
    try:
        return checked_key(Path(path).read_text(), f"The key file {path}")
    except (OSError, UnicodeDecodeError) as exc:
        raise MissingCredential(f"The key file {path} cannot be read: {type(exc).__name__}.") from exc
