"""
What a request asks beside its messages, between `Request` and `generationConfig`, `tools` and `toolConfig`.

Source: `GenerationConfig`, `Tool`, `ToolConfig` in google/ai/generativelanguage/v1beta; https://ai.google.dev/gemini-api/docs/thinking
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, get_args

from pingpong import InvalidRequestError, OutputSchema, ReasoningEffort, Request, Tool, ToolChoice, UnsupportedParameter

from pingpong_gemini._json import PROVIDER, Json, camel
from pingpong_gemini._schemas import json_schema_from_openapi

PROVIDER_OPTIONS = frozenset(
    {"safetySettings", "cachedContent", "tools", "toolConfig", "generationConfig", "serviceTier", "labels", "store"}
)
"""
Taken from `Request.provider_options["gemini"]`. `tools` are added to the request's own (`[{"googleSearch": {}}]`),
`toolConfig` and `generationConfig` are merged with what the request sets, which wins; the others are sent as they are.
"""

_NUMBERS = {
    "maxOutputTokens": "max_output_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "seed": "seed",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
}
_numbers: Callable[[Request], tuple[Any, ...]] = attrgetter(*_NUMBERS.values())
_NONE_SET = (None,) * len(_NUMBERS)
_SCHEMAS = ("responseJsonSchema", "_responseJsonSchema", "responseSchema")
_JSON_TYPE = "application/json"
_ENUM_TYPE = "text/x.enum"

_BUDGET_OF_EFFORT = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24576}
"""For models before Gemini 3, which take a budget in tokens. Source: https://ai.google.dev/gemini-api/docs/openai#thinking"""

_LEVELS = ("minimal", "low", "medium", "high", "xhigh")
"""What Gemini 3 and later take; thinking cannot be switched off there. Source: https://ai.google.dev/gemini-api/docs/thinking"""

_MODE_OF_CHOICE = {"auto": "AUTO", "none": "NONE", "required": "ANY", "named": "ANY"}


def settings_to_wire(request: Request, model: str) -> Json:
    """
    The body's fields beside the conversation, for a model by name.

    Raises:
        UnsupportedParameter: An amount of reasoning that the model does not take.
        InvalidRequestError: Both an effort and a budget, or provider options of the wrong kind.
    """
    options = dict(request.provider_options.get(PROVIDER, {}))
    body: Json = {}
    tools = [*_tools_to_wire(request.tools), *_list(options.pop("tools", ()), "tools")]
    tool_config = _tool_config(request, _object(options.pop("toolConfig", None), "toolConfig"))
    config = _generation_config(request, model, _object(options.pop("generationConfig", None), "generationConfig"))
    for name, value in (("tools", tools), ("toolConfig", tool_config), ("generationConfig", config)):
        if value:
            body[name] = value
    return {**body, **{name: options[name] for name in sorted(options) if name != "endpoint"}}


def _object(value: object, name: str) -> Json:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidRequestError(f"provider_options.gemini.{name}: give an object.")
    return camel(dict(value))


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise InvalidRequestError(f"provider_options.gemini.{name}: give a list.")
    return list(value)


def _tools_to_wire(tools: tuple[Tool, ...]) -> list[Json]:
    declarations: list[Json] = []
    for tool in tools:
        described = {"description": tool.description} if tool.description else {}
        declarations.append({"name": tool.name, **described, "parametersJsonSchema": tool.parameters})
    return [{"functionDeclarations": declarations}] if declarations else []


def _tool_config(request: Request, options: Json) -> Json:
    """VALIDATED holds the model to the schemas of its tools, for all of them or none; ANY does so of itself."""
    choice = request.tool_choice
    calling: Json = {}
    if choice is not None:
        calling["mode"] = _MODE_OF_CHOICE[choice.mode]
    if choice is not None and choice.name is not None:
        calling["allowedFunctionNames"] = [choice.name]
    if request.tools and any(tool.is_strict for tool in request.tools) and (choice is None or choice.mode == "auto"):
        calling["mode"] = "VALIDATED"
    merged = {**_object(options.get("functionCallingConfig"), "toolConfig.functionCallingConfig"), **calling}
    return {**options, **({"functionCallingConfig": merged} if merged else {})}


def _generation_config(request: Request, model: str, options: Json) -> Json:
    numbers = _numbers(request)
    config: Json = {}
    if numbers != _NONE_SET:
        config = {name: value for name, value in zip(_NUMBERS, numbers, strict=True) if value is not None}
    if request.stop:
        config["stopSequences"] = list(request.stop)
    if request.output_schema is not None:
        config["responseMimeType"] = _JSON_TYPE
        config["responseJsonSchema"] = request.output_schema.schema
    given = _object(options.get("thinkingConfig"), "generationConfig.thinkingConfig")
    if thinking := _thinking(request, model, given):
        config["thinkingConfig"] = thinking
    return {**options, **config}


def _thinking(request: Request, model: str, given: Json) -> Json:
    """Thoughts are asked for whenever the request sets how much to think, unless the provider options say otherwise."""
    effort, budget = request.reasoning_effort, request.reasoning_budget_tokens
    if effort is not None and budget is not None:
        raise InvalidRequestError("Give reasoning_effort or reasoning_budget_tokens, not both: Gemini takes one of them.")
    amount: Json = {}
    if budget is not None:
        amount = {"thinkingBudget": budget}
    elif effort is not None and is_older(model):
        amount = {"thinkingBudget": _known(_budgets(model), effort, model)}
    elif effort is not None:
        amount = {"thinkingLevel": _known({level: level for level in _LEVELS}, effort, model)}
    shown = {"includeThoughts": True} if amount and amount.get("thinkingBudget") != 0 else {}
    return {**shown, **given, **amount}


def _budgets(model: str) -> Mapping[str, int]:
    """By effort; "reasoning cannot be turned off for Gemini 2.5 Pro". Source: https://ai.google.dev/gemini-api/docs/openai#thinking"""
    is_always_thinking = model.startswith("gemini-2.5-pro")
    return {effort: budget for effort, budget in _BUDGET_OF_EFFORT.items() if budget or not is_always_thinking}


def is_older(model: str) -> bool:
    """Whether the model is from before Gemini 3: it takes a budget of thoughts instead of a level, and calls unsigned."""
    return model.startswith(("gemini-1", "gemini-2", "gemini-robotics-er-1.5"))


def _known(amounts: Mapping[str, Any], effort: str, model: str) -> Any:
    if effort not in amounts:
        raise UnsupportedParameter(
            f"{model} does not take reasoning_effort {effort!r}; it takes {', '.join(amounts)}.",
            options=("reasoning_effort",),
            provider=PROVIDER,
            model=model,
        )
    return amounts[effort]


def settings_from_wire(body: Json) -> Json:
    """
    The fields of `Request` that a body sets beside its messages, and `provider_options` for the rest.

    Args:
        body: Its own keys in lowerCamelCase; the conversation taken out.

    Raises:
        InvalidRequestError: A field the API does not have, or a value it does not take; the message names the field.
    """
    rest = dict(body)
    fields, options = _config_from_wire(camel(rest.pop("generationConfig", None)))
    tools, other_tools = _tools_from_wire(rest.pop("tools", None) or [])
    choice, is_strict, tool_config = _choice_from_wire(camel(rest.pop("toolConfig", None)))
    if unknown := sorted(set(rest) - PROVIDER_OPTIONS):
        raise InvalidRequestError(f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot find field.')
    fields["tools"] = tuple(Tool(t.name, t.description, t.parameters, True) for t in tools) if is_strict else tools
    fields["tool_choice"] = choice
    kept = {"tools": other_tools, "toolConfig": tool_config, "generationConfig": options, **rest}
    if kept := {name: value for name, value in kept.items() if value}:
        fields["provider_options"] = {PROVIDER: kept}
    return fields


def _config_from_wire(config: Json) -> tuple[Json, Json]:
    fields: Json = {}
    for wire, name in _NUMBERS.items():
        value = config.pop(wire, None)
        if value is not None:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise InvalidRequestError(f"generationConfig.{wire}: give a number.")
            fields[name] = value
    stop = config.pop("stopSequences", None) or []
    if not isinstance(stop, list) or not all(isinstance(s, str) for s in stop):
        raise InvalidRequestError("generationConfig.stopSequences: give a list of strings.")
    fields["stop"] = tuple(stop)
    if config.get("candidateCount", 1) != 1:
        raise InvalidRequestError("generationConfig.candidateCount: one candidate is given, not several.")
    config.pop("candidateCount", None)
    schemas = [(name, config.pop(name, None)) for name in _SCHEMAS]
    name, schema = next(((n, s) for n, s in schemas if isinstance(s, Mapping)), ("", None))
    if schema is not None and config.get("responseMimeType") == _JSON_TYPE:
        del config["responseMimeType"]
        fields["output_schema"] = OutputSchema(json_schema_from_openapi(schema) if name == "responseSchema" else schema)
    elif schema is not None and config.get("responseMimeType") == _ENUM_TYPE:
        config[name] = schema
    elif schema is not None:
        raise InvalidRequestError(f"generationConfig.{name}: set responseMimeType to {_JSON_TYPE} with it.")
    if thinking := camel(config.pop("thinkingConfig", None)):
        fields.update(_thinking_from_wire(thinking))
        if thinking:
            config["thinkingConfig"] = thinking
    return fields, config


def _thinking_from_wire(thinking: Json) -> Json:
    """Takes out of the object what has a canonical field."""
    fields: Json = {}
    level, budget = thinking.get("thinkingLevel"), thinking.get("thinkingBudget")
    if isinstance(level, str) and level.lower() in get_args(ReasoningEffort):
        del thinking["thinkingLevel"]
        fields["reasoning_effort"] = level.lower()
    elif isinstance(budget, int) and budget >= 0:
        del thinking["thinkingBudget"]
        fields["reasoning_budget_tokens"] = budget
    is_shown = thinking.get("includeThoughts") is True
    if fields and is_shown and fields.get("reasoning_budget_tokens") != 0:
        del thinking["includeThoughts"]
    elif fields and not is_shown and fields.get("reasoning_budget_tokens") != 0:
        thinking["includeThoughts"] = False
    return fields


def _tools_from_wire(value: object) -> tuple[tuple[Tool, ...], list[Any]]:
    """Function tools, and the other tools as the wire has them."""
    if not isinstance(value, list):
        raise InvalidRequestError("tools: give a list.")
    tools: list[Tool] = []
    others: list[Any] = []
    for entry in map(camel, value):
        declarations = entry.pop("functionDeclarations", None) or []
        if not isinstance(declarations, list):
            raise InvalidRequestError("tools.functionDeclarations: give a list.")
        tools += map(_tool_from_wire, map(camel, declarations))
        if entry:
            others.append(entry)
    return tuple(tools), others


def _tool_from_wire(declaration: Json) -> Tool:
    name = declaration.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidRequestError("tools.functionDeclarations.name: give the function's name.")
    description = str(declaration.get("description") or "")
    schema, openapi = declaration.get("parametersJsonSchema"), declaration.get("parameters")
    if isinstance(schema, Mapping):
        return Tool(name, description, schema)
    if isinstance(openapi, Mapping):
        return Tool(name, description, json_schema_from_openapi(openapi))
    return Tool(name, description)


def _choice_from_wire(config: Json) -> tuple[ToolChoice | None, bool, Json]:
    """The choice, whether tools are strict, and what of the object has no canonical field."""
    calling = camel(config.pop("functionCallingConfig", None))
    mode, names = calling.get("mode"), calling.get("allowedFunctionNames") or []
    if mode == "ANY" and isinstance(names, list) and len(names) == 1 and isinstance(names[0], str):
        return ToolChoice("named", names[0]), False, config
    if not names and mode in ("AUTO", "NONE", "ANY"):
        return ToolChoice({"AUTO": "auto", "NONE": "none", "ANY": "required"}[mode]), False, config  # type: ignore[arg-type]  # the three literals
    if not names and mode == "VALIDATED":
        return None, True, config
    return None, False, {**config, **({"functionCallingConfig": calling} if calling else {})}
