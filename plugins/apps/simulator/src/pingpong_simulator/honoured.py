"""
What the simulator does with a provider's own options: the one table of those it knows, and what they make of a request. Pure.

A dialect keeps what has no canonical field in `provider_options`. An option is in the table because it is honoured here, or
because it has no effect on what a simulated answer says. Whatever else a request sets is refused by name, never ignored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_args

from attrs import evolve, frozen
from pingpong import EmbedRequest, InvalidRequestError, OutputSchema, ReasoningEffort, Request, Response, Text, ToolChoice

Rule = Callable[[Any], bool] | Mapping[str, Any]
"""Whether a value is taken, or the rules of an object's members."""


def _any(_: Any) -> bool:
    return True


def _of(*values: Any) -> Rule:
    return lambda value: value in values


def _allows_functions(choice: Any) -> bool:
    """Whether a choice lists function tools to choose among."""
    given = choice.get("allowed_tools", choice) if isinstance(choice, Mapping) and choice.get("type") == "allowed_tools" else None
    tools = given.get("tools") if isinstance(given, Mapping) and given.get("mode") in ("auto", "required") else None
    return isinstance(tools, list) and all(isinstance(tool, Mapping) and tool.get("type") == "function" for tool in tools)


_OF_OPENAI: dict[str, Rule] = {
    "metadata": _any,
    "prompt_cache_key": _any,
    "prompt_cache_retention": _any,
    "safety_identifier": _any,
    "service_tier": _of("auto", "default"),
    "store": _any,
    "stream_options": {"include_obfuscation": _any},
    "tool_choice": _allows_functions,
    "top_logprobs": _of(0),
    "user": _any,
}
_OF_CHAT = _OF_OPENAI | {
    "logit_bias": _of({}),
    "logprobs": _of(False),
    "modalities": _of(["text"]),
    "n": _of(1),
    "response_format": {"type": _of("text", "json_object")},
    "verbosity": _of("medium"),
}
_OF_RESPONSES = _OF_OPENAI | {
    "background": _of(False),
    # Counts calls of tools that the provider runs; there are none here.
    "max_tool_calls": _any,
    "reasoning": {"summary": _of("auto", "concise", "detailed"), "generate_summary": _of("auto", "concise", "detailed")},
    "text": {"format": {"type": _of("json_object")}, "verbosity": _of("medium")},
    "truncation": _of("disabled"),
}
_CACHED = {"cache_control": _any}
_OF_MESSAGES: dict[str, Rule] = _CACHED | {
    "betas": _any,
    "inference_geo": _any,
    "metadata": _any,
    "service_tier": _any,
    "speed": _of("standard"),
    "thinking": {"type": _any, "budget_tokens": _any, "display": _of("summarized")},
    "tool_options": lambda tools: all(not {*tool} - {"type", "cache_control", "input_examples"} for tool in tools.values()),
}
_ENUM = "text/x.enum"
"""Media type of an answer that is one of a schema's values, without quotes. Source: google/ai/generativelanguage/v1beta"""

_OF_GEMINI: dict[str, Rule] = {
    "generationConfig": {
        "responseLogprobs": _of(False),
        "responseMimeType": _of("text/plain", "application/json", _ENUM),
        "responseModalities": _of(["TEXT"]),
        "responseSchema": _any,
        "thinkingConfig": {"includeThoughts": _of(True, False), "thinkingBudget": _of(-1)},
    },
    "labels": _any,
    "safetySettings": _any,
    "toolConfig": {"functionCallingConfig": {"mode": _of("AUTO", "ANY", "NONE", "VALIDATED"), "allowedFunctionNames": _any}},
}

HONOURED: Mapping[str, Mapping[str, Rule]] = {
    "chat/completions": _OF_CHAT,
    "responses": _OF_RESPONSES,
    "embeddings": {"user": _any},
    "messages": _OF_MESSAGES,
    "messages/count_tokens": _OF_MESSAGES,
    "generateContent": _OF_GEMINI,
    "streamGenerateContent": _OF_GEMINI,
    "countTokens": _OF_GEMINI,
    "embedContent": {"taskType": _any, "title": _any},
    "batchEmbedContents": {"taskType": _any, "title": _any},
}
"""By endpoint, so that drivers of the same wire share it."""


@frozen
class _Range:
    field: str
    name: str
    low: float
    high: float


_OPENAI_RANGES = (_Range("temperature", "temperature", 0, 2), _Range("top_p", "top_p", 0, 1))
_CHAT_RANGES = (
    *_OPENAI_RANGES,
    _Range("presence_penalty", "presence_penalty", -2, 2),
    _Range("frequency_penalty", "frequency_penalty", -2, 2),
)
_GEMINI_RANGES = (
    _Range("temperature", "generationConfig.temperature", 0, 2),
    _Range("top_p", "generationConfig.topP", 0, 1),
    _Range("presence_penalty", "generationConfig.presencePenalty", -2, 2),
    _Range("frequency_penalty", "generationConfig.frequencyPenalty", -2, 2),
)
_RANGES = {
    "chat/completions": _CHAT_RANGES,
    "responses": _OPENAI_RANGES,
    "generateContent": _GEMINI_RANGES,
    "streamGenerateContent": _GEMINI_RANGES,
}
"""
Ranges that no dialect checks.

Source: https://platform.openai.com/docs/api-reference/chat/create, https://ai.google.dev/api/generate-content#generationconfig
"""

_JSON_OBJECT = OutputSchema({"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]})
_MOST_NAMED = 5
_MOST_DIMENSIONS = 3072
"""Of text-embedding-3-large and gemini-embedding-001, the longest vectors there are."""

_MOST_STOPS = {"chat/completions": 4, "generateContent": 5, "streamGenerateContent": 5}
"""Source: the references of `stop` and `stopSequences` at the pages named above."""

_MODES = {"ANY": "required", "NONE": "none"}


def check_embedding(request: EmbedRequest, provider: str, endpoint: str) -> None:
    """Refuse an empty input and options that are not honoured. Raises `InvalidRequestError`, naming the field."""
    _check_options(request.provider_options.get(provider, {}), endpoint)
    if not request.inputs:
        raise InvalidRequestError("Invalid 'input': the list is empty; give at least one text.")
    if (request.dimensions or 0) > _MOST_DIMENSIONS:
        raise InvalidRequestError(f"Invalid 'dimensions': {request.dimensions} is more than {_MOST_DIMENSIONS}.")
    if "" in request.inputs:
        raise InvalidRequestError(f"Invalid 'input': text {request.inputs.index('')} is empty; give at least one character.")


def honoured(request: Request, provider: str, endpoint: str) -> Request:
    """
    The request with the provider's options in canonical fields.

    Raises:
        InvalidRequestError: An option that is not honoured, or a value out of its range; the message names it.
    """
    options = request.provider_options.get(provider, {})
    _check_options(options, endpoint)
    for limit in _RANGES.get(endpoint, ()):
        value = getattr(request, limit.field)
        if value is not None and not limit.low <= value <= limit.high:
            raise InvalidRequestError(f"Invalid '{limit.name}': {value} is not from {limit.low} to {limit.high}.")
    if len(request.stop) > (most := _MOST_STOPS.get(endpoint, len(request.stop))):
        raise InvalidRequestError(f"Invalid stop sequences ('stop', 'stopSequences'): at most {most} are taken.")
    if request.reasoning_effort not in (None, *get_args(ReasoningEffort)):
        raise InvalidRequestError(f"Invalid 'reasoning_effort': give one of {', '.join(get_args(ReasoningEffort))}.")
    request = _with_thinking(_with_allowed_tools(request, options), options)
    if request.output_schema is None and _wants_json(options):
        request = evolve(request, output_schema=_JSON_OBJECT)
    if is_bare(request, provider):
        schema = _table(options, "generationConfig", "responseSchema")
        if not schema.get("enum"):
            raise InvalidRequestError(f"generationConfig.responseMimeType: {_ENUM} needs a responseSchema with an enum.")
        request = evolve(request, output_schema=OutputSchema(schema))
    _check_choice(request)
    return request


def is_bare(request: Request, provider: str) -> bool:
    """Whether the answer is to be one of a schema's values as it stands, without the quotes of JSON."""
    options = request.provider_options.get(provider, {})
    return _table(options, "generationConfig").get("responseMimeType") == _ENUM


def bare(response: Response) -> Response:
    """The response with each text that is a JSON string as what it says."""
    return evolve(response, parts=tuple(_bare(part) if isinstance(part, Text) else part for part in response.parts))


def _bare(part: Text) -> Text:
    try:
        return evolve(part, text=str(json.loads(part.text)))
    except ValueError:  # cut at the token limit
        return evolve(part, text=part.text.removeprefix('"'))


def _check_options(options: Mapping[str, Any], endpoint: str) -> None:
    if refused := list(_refused(options, HONOURED.get(endpoint, {}), "")):
        names = ", ".join(f"'{name[:100]}'" for name in refused[:_MOST_NAMED])
        raise InvalidRequestError(f"Unsupported parameter: {names}: the simulator does not honour this value; leave it out.")


def _refused(value: Any, rule: Rule | None, path: str) -> Iterator[str]:
    """The paths in a value that no rule takes; null is as good as nothing."""
    if value is None:
        return
    if isinstance(rule, Mapping) and isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _refused(inner, rule.get(name), f"{path}.{name}" if path else name)
    elif rule is None or isinstance(rule, Mapping) or not rule(value):
        yield path


def _table(value: Any, *names: str) -> Mapping[str, Any]:
    """The object at a path of members, {} where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _wants_json(options: Mapping[str, Any]) -> bool:
    formats = (_table(options, "response_format"), _table(options, "text", "format"))
    mime_type = _table(options, "generationConfig").get("responseMimeType")
    return mime_type == "application/json" or any(f.get("type") == "json_object" for f in formats)


def _with_allowed_tools(request: Request, options: Mapping[str, Any]) -> Request:
    """Only the tools that a choice lists, and its mode."""
    choice, calling = _table(options, "tool_choice"), _table(options, "toolConfig", "functionCallingConfig")
    if not choice and not calling:
        return request
    given = _table(choice, "allowed_tools") or choice
    listed = [(_table(tool, "function") or tool).get("name") for tool in given.get("tools", ())]
    names = listed or calling.get("allowedFunctionNames") or [tool.name for tool in request.tools]
    mode: Any = given.get("mode") or _MODES.get(calling.get("mode", ""), "auto")
    known = {tool.name for tool in request.tools}
    if unknown := [name for name in names if name not in known]:
        raise InvalidRequestError(f"Invalid tool choice: there is no tool {unknown[0]!r} among 'tools'.")
    tools = tuple(tool for tool in request.tools if tool.name in names)
    return evolve(request, tools=tools, tool_choice=ToolChoice(mode))


def _check_choice(request: Request) -> None:
    choice = request.tool_choice
    if choice is not None and choice.mode == "required" and not request.tools:
        raise InvalidRequestError("Invalid 'tool_choice': a tool is required, and 'tools' has none.")
    if choice is not None and choice.mode == "named" and choice.name not in {tool.name for tool in request.tools}:
        raise InvalidRequestError(f"Invalid 'tool_choice': there is no tool {choice.name!r} among 'tools'.")


def _with_thinking(request: Request, options: Mapping[str, Any]) -> Request:
    """What says whether thoughts are told, as an amount of reasoning."""
    is_told = _table(options, "generationConfig", "thinkingConfig").get("includeThoughts")
    if is_told is False or _table(options, "thinking").get("type") == "disabled":
        return evolve(request, reasoning_effort="none", reasoning_budget_tokens=None)
    if is_told and request.reasoning_effort is None and request.reasoning_budget_tokens is None:
        return evolve(request, reasoning_effort="medium")
    return request
