"""Calls go through your own httpx client: its proxies, certificates, limits and instrumentation."""

import httpx
from pingpong import Client


async def answer(prompt: str, http: httpx.AsyncClient) -> str:
    """One answer; the HTTP client stays yours to close."""
    async with Client.from_env(http_client=http) as client:
        return (await client.complete(prompt, model="openai:gpt-6-luna")).text
