"""
Other libraries, each used as its own documentation shows and imported only when it is measured.

They are told to stay offline before they are imported. None of them retries: a failure is to be seen, not to be paid for.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Any

from pingpong_bench.opened import Answer, Opened
from pingpong_bench.payloads import CALL, KEY, MODEL, PROMPT

USAGE = {"include_usage": True}


def _told(answer: Any) -> Answer:
    """The answer in an object, or in a list of chunks, of OpenAI's shape; LiteLLM's objects have it too."""
    if not isinstance(answer, list):
        choice, usage = answer.choices[0], answer.usage
        return Answer(choice.message.content, choice.finish_reason, usage.prompt_tokens, usage.completion_tokens)
    choices = [chunk.choices[0] for chunk in answer if chunk.choices]
    text = "".join(c.delta.content or "" for c in choices)
    reason = next(c.finish_reason for c in reversed(choices) if c.finish_reason)
    usage = next(chunk.usage for chunk in reversed(answer) if getattr(chunk, "usage", None))
    return Answer(text, reason, usage.prompt_tokens, usage.completion_tokens)


@asynccontextmanager
async def openai_sdk(base_url: str) -> AsyncIterator[Opened]:
    """`AsyncOpenAI`."""
    sdk = import_module("openai")
    async with sdk.AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0) as client:

        async def call() -> Any:
            return await client.chat.completions.create(**CALL)

        async def stream() -> Any:
            return [c async for c in await client.chat.completions.create(**CALL, stream=True, stream_options=USAGE)]

        yield Opened(call=call, stream=stream, told=_told)


def _litellm() -> Any:
    """LiteLLM, offline: its own table of prices and no telemetry, https://docs.litellm.ai/docs/proxy/config_settings."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_TELEMETRY", "False")
    litellm: Any = import_module("litellm")
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    return litellm


def _completions(complete: Any, **where: Any) -> Opened:
    messages = CALL["messages"]

    async def call() -> Any:
        return await complete(messages=messages, **where)

    async def stream() -> Any:
        return [c async for c in await complete(messages=messages, stream=True, stream_options=USAGE, **where)]

    return Opened(call=call, stream=stream, told=_told)


@asynccontextmanager
async def litellm_call(base_url: str) -> AsyncIterator[Opened]:
    """`litellm.acompletion`."""
    litellm = _litellm()
    yield _completions(litellm.acompletion, model=f"openai/{MODEL}", api_base=base_url, api_key=KEY, num_retries=0)


@asynccontextmanager
async def litellm_router(base_url: str) -> AsyncIterator[Opened]:
    """`litellm.Router.acompletion` over three deployments of the one model."""
    litellm = _litellm()
    params = {"model": f"openai/{MODEL}", "api_base": base_url, "api_key": KEY}
    deployments = [{"model_name": MODEL, "litellm_params": params, "model_info": {"id": f"deployment-{i}"}} for i in range(3)]
    router = litellm.Router(model_list=deployments, num_retries=0)
    yield _completions(router.acompletion, model=MODEL)


@asynccontextmanager
async def pydantic_ai_direct(base_url: str) -> AsyncIterator[Opened]:
    """`pydantic_ai.direct`, the leanest way it offers: one model request without an agent's graph around it."""
    ai, direct = import_module("pydantic_ai"), import_module("pydantic_ai.direct")
    models, providers = import_module("pydantic_ai.models.openai"), import_module("pydantic_ai.providers.openai")
    sdk = import_module("openai").AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0)
    async with sdk:
        model = models.OpenAIChatModel(MODEL, provider=providers.OpenAIProvider(openai_client=sdk))
        messages = [ai.ModelRequest.user_text_prompt(PROMPT)]

        async def call() -> Any:
            return await direct.model_request(model, messages)

        async def stream() -> Any:
            async with direct.model_request_stream(model, messages) as events:
                async for _ in events:
                    pass
                return events.get()

        yield Opened(call=call, stream=stream, told=_told_by_pydantic)


def _told_by_pydantic(answer: Any) -> Answer:
    text = "".join(part.content for part in answer.parts)
    return Answer(text, str(answer.finish_reason), answer.usage.input_tokens, answer.usage.output_tokens)
