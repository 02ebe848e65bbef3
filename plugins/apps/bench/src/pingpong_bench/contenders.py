"""Who is measured: the table of contenders, and what each one gives to be measured by."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.util import find_spec

from attrs import frozen

from pingpong_bench import floors, others, ours
from pingpong_bench.opened import Opened

REFERENCE = "httpx"
"""Every ratio is to this contender."""


@frozen(kw_only=True)
class Contender:
    """
    One way to make the same call.

    Attributes:
        title: For people.
        modules: What must be importable; none of them is imported before `open`.
        distribution: Whose version is told; "" for none of its own.
        open: From the provider's base URL to what is measured.
    """

    name: str
    title: str
    modules: tuple[str, ...] = ()
    distribution: str = ""
    is_ours: bool = False
    open: Callable[[str], AbstractAsyncContextManager[Opened]]

    @property
    def missing(self) -> str:
        """Why it cannot be measured here, "" where it can."""
        gone = [name for name in self.modules if find_spec(name) is None]
        return f"{' and '.join(gone)} is not installed" if gone else ""


FAST = ("aiohttp", "pingpong_aiohttp")

CONTENDERS = (
    Contender(name="raw", title="raw socket", open=floors.raw),
    Contender(name="aiohttp", title="bare aiohttp", modules=("aiohttp",), distribution="aiohttp", open=floors.aiohttp),
    Contender(name=REFERENCE, title="bare httpx", modules=("httpx",), distribution="httpx", open=floors.httpx),
    Contender(name="relay", title="raw bytes over aiohttp", modules=FAST, is_ours=True, open=ours.relay),
    Contender(
        name="pingpong-aiohttp",
        title="Ping-Pong over aiohttp",
        modules=FAST,
        distribution="pingpong-aiohttp",
        is_ours=True,
        open=ours.fast,
    ),
    Contender(name="pingpong-httpx", title="Ping-Pong over httpx", distribution="pingpong-core", is_ours=True, open=ours.httpx),
    Contender(name="pingpong-host", title="Ping-Pong, host's httpx", is_ours=True, open=ours.host),
    Contender(name="openai", title="OpenAI SDK", modules=("openai",), distribution="openai", open=others.openai_sdk),
    Contender(name="litellm", title="LiteLLM", modules=("litellm",), distribution="litellm", open=others.litellm_call),
    Contender(name="litellm-router", title="LiteLLM Router", modules=("litellm",), open=others.litellm_router),
    Contender(
        name="pydantic-ai",
        title="pydantic-ai",
        modules=("pydantic_ai", "openai"),
        distribution="pydantic-ai-slim",
        open=others.pydantic_ai_direct,
    ),
)
