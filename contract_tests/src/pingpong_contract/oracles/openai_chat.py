"""
What a chat completion says, streamed or not.

Source: https://platform.openai.com/docs/api-reference/chat/object and .../chat-streaming
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pingpong import WireResponse

from pingpong_contract.oracles import openai_errors
from pingpong_contract.oracles._expected import Answer, Call, Expected, Failure, Tokens
from pingpong_contract.oracles._reading import arguments_of, mapping, sse, text_of

_FINISH = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}


def expected(response: WireResponse, *, is_streaming: bool) -> Expected:
    """What the recorded answer says."""
    if response.status >= 300:
        return openai_errors.expected(response)
    if is_streaming:
        return _from_stream(response.body)
    body = json.loads(text_of(response.body))
    choice: dict[str, Any] = next((c for c in body["choices"] if c.get("index", 0) == 0), {})
    return _answer(body, choice.get("message") or {}, choice.get("finish_reason"), body.get("usage"))


def _from_stream(body: bytes) -> Expected:
    head: dict[str, Any] = {}
    whole: dict[str, Any] = {"tool_calls": {}}
    finish, usage, is_done = None, None, False
    for _, data in sse(body):
        if data.strip() == "[DONE]":
            is_done = True
            break
        chunk = json.loads(data)
        if chunk.get("error"):
            return openai_errors.inside_200(chunk["error"])
        head = {name: head.get(name) or chunk.get(name) for name in ("id", "model")}
        usage = chunk.get("usage") or usage
        for choice in chunk.get("choices") or ():
            if choice.get("index", 0) == 0:
                _add_delta(whole, choice.get("delta") or {})
                finish = choice.get("finish_reason") or finish
    whole["tool_calls"] = [whole["tool_calls"][i] for i in sorted(whole["tool_calls"])]
    answer = _answer(head, whole, finish, usage)
    return answer if is_done or finish else Failure(status=None, kinds=frozenset({"stream_truncated"}))


def _add_delta(whole: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for name in ("content", "refusal", "reasoning_content", "reasoning"):
        if isinstance(delta.get(name), str):
            whole[name] = whole.get(name, "") + delta[name]
    if delta.get("function_call"):
        _add_function(whole.setdefault("function_call", {}), delta["function_call"])
    for piece in delta.get("tool_calls") or ():
        call = whole["tool_calls"].setdefault(piece.get("index", 0), {"function": {}})
        call["id"] = call.get("id") or piece.get("id")
        _add_function(call["function"], piece.get("function") or {})


def _add_function(function: dict[str, Any], piece: Mapping[str, Any]) -> None:
    function["name"] = function.get("name") or piece.get("name")
    function["arguments"] = function.get("arguments", "") + (piece.get("arguments") or "")


def _answer(head: Mapping[str, Any], message: Mapping[str, Any], finish: str | None, usage: Any) -> Answer:
    refusal = message.get("refusal") or ""
    calls = tuple(_call(c) for c in message.get("tool_calls") or ())
    if message.get("function_call"):
        calls += (_call({"function": message["function_call"]}),)
    readings = {_FINISH.get(finish or "", "unknown")}
    if refusal and finish == "stop":
        readings = {"refusal"}
    elif calls and finish == "stop":
        # A call forced by tool_choice ends with "stop": https://platform.openai.com/docs/guides/function-calling
        readings.add("tool_calls")
    return Answer(
        text=(message.get("content") or "") + refusal,
        reasoning=message.get("reasoning_content") or message.get("reasoning") or "",
        calls=calls,
        finish_reasons=frozenset(readings),
        raw_finish_reasons=frozenset({finish}),
        tokens=_tokens(usage),
        model=head.get("model"),
        response_id=head.get("id"),
    )


def _call(call: Mapping[str, Any]) -> Call:
    if "custom" in call:
        custom = call["custom"]
        return Call(call_id=call.get("id"), name=custom["name"], arguments=custom["input"], is_custom=True)
    function = call["function"]
    return Call(call_id=call.get("id"), name=function["name"], arguments=arguments_of(function.get("arguments") or ""))


def _tokens(usage: Any) -> Tokens | None:
    if not usage:
        return None
    inputs = mapping(usage.get("prompt_tokens_details"))
    outputs = mapping(usage.get("completion_tokens_details"))
    return Tokens(
        input=usage["prompt_tokens"],
        output=usage.get("completion_tokens") or 0,
        cache_read=inputs.get("cached_tokens") or 0,
        cache_write=inputs.get("cache_write_tokens") or 0,
        reasoning=outputs.get("reasoning_tokens") or 0,
    )
