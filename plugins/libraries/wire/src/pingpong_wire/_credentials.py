"""Credentials with headers of the host's own beside them."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen
from pingpong import Credentials


def _lower(headers: Mapping[str, str]) -> Mapping[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@frozen
class KeyAndHeaders:
    """A key, and headers that go with it; their names become lower-case, and the key wins over a header of its name."""

    key: Credentials
    extra: Mapping[str, str] = field(converter=_lower, repr=False)

    @property
    def is_present(self) -> bool:
        """Whether the key is at hand."""
        return self.key.is_present

    @property
    def waits(self) -> bool:
        """As the key does."""
        return self.key.waits

    async def headers(self) -> Mapping[str, str]:
        """The extra headers and the one that authenticates. Raises `MissingCredential` as the key does."""
        return {**self.extra, **await self.key.headers()}
