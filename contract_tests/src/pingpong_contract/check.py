"""Where a driver and the oracle differ on one recorded answer, under many chunkings of the same bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

from attrs import evolve
from pingpong import (
    Driver,
    EmbedResponse,
    Endpoint,
    Event,
    PartEnd,
    PingPongError,
    Reasoning,
    Response,
    StreamEnd,
    StreamError,
    StreamStart,
    Text,
    TokenCount,
    ToolCall,
    ToolCallDelta,
    WireResponse,
    response_from_events,
)

from pingpong_contract.corpus import Interaction, endpoint_of
from pingpong_contract.oracles import Answer, Call, Count, Expected, Failure, Oracle, Tokens, Vectors, oracle_from_path
from pingpong_contract.variations import cuts, rewordings

BYTEWISE_BELOW_BYTES = 64 * 1024
EVERY_SPLIT_BELOW_BYTES = 4 * 1024
RANDOM_PARTITIONS = 5


def check(driver: Driver, interaction: Interaction) -> list[str]:
    """
    What the driver gets wrong of this interaction, one sentence each; empty where all is right.

    A streamed answer is fed whole, byte by byte (below 64 KiB), at every two-way split (below 4 KiB) and at random
    partitions seeded by the interaction's id, and retold in other notations; all must give the same events. Cut short, it
    must end in `stream_truncated` with what it had told.
    """
    record = endpoint_of(interaction, [e.record for e in driver.endpoints], driver.base_url)
    oracle = oracle_from_path(interaction.request.path)
    if record is None or oracle is None:
        return [f"{interaction.request.path}: no {'endpoint of the driver' if record is None else 'oracle'} for this path"]
    endpoint: Any = next(e for e in driver.endpoints if e.record is record)
    expected = oracle(interaction.response, is_streaming=interaction.is_streaming)
    try:
        if interaction.response.status >= 300:
            return _error_faults(endpoint.codec.error(interaction.response), expected)
        if interaction.is_streaming:
            return _stream_faults(endpoint, interaction, oracle, expected)
        return _value_faults(endpoint, interaction.response, expected)
    except Exception as exc:  # a codec that raises is a fault like any other, and must not hide the rest
        return [f"the codec raised {type(exc).__name__}: {exc}"]


def partitions(body: bytes, seed: str) -> Iterator[tuple[str, list[bytes]]]:
    """(name, chunks) of each partition that a stream is fed in; the first is the whole body."""
    yield "whole", [body]
    if len(body) < BYTEWISE_BELOW_BYTES:
        yield "byte by byte", [body[i : i + 1] for i in range(len(body))]
    if len(body) < EVERY_SPLIT_BELOW_BYTES:
        for at in range(1, len(body)):
            yield f"split at {at}", [body[:at], body[at:]]
    for i in range(RANDOM_PARTITIONS if len(body) > 1 else 0):
        rng = random.Random(f"{seed} {i}")  # noqa: S311  # reproducible, not secret
        cuts = sorted(rng.randrange(1, len(body)) for _ in range(rng.randrange(1, 40)))
        yield f"random partition {i}", [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]


def _value_faults(endpoint: Endpoint[Any, Any], wire: WireResponse, expected: Expected) -> list[str]:
    try:
        value = endpoint.codec.decode(wire)
    except PingPongError as error:
        return _error_faults(error, expected)
    if isinstance(value, Response) and isinstance(expected, Answer):
        return [*_part_faults(value), *_answer_faults(value, expected)]
    if isinstance(value, EmbedResponse) and isinstance(expected, Vectors):
        used = value.usage.input_tokens if value.usage else None
        return _differences([("vectors", expected.vectors, value.vectors), ("input_tokens", expected.input_tokens, used)])
    if isinstance(value, TokenCount) and isinstance(expected, Count):
        return _differences([("input_tokens", expected.input_tokens, value.input_tokens)])
    return [f"expected {expected}, decoded {value}"]


def _stream_faults(endpoint: Endpoint[Any, Any], interaction: Interaction, oracle: Oracle, expected: Expected) -> list[str]:
    body = interaction.response.body
    whole = _events(endpoint, interaction, [body])
    if faults := grammar_faults(whole) + _events_faults(whole, expected):
        return faults
    retellings = [(f"retold {name}", [other]) for name, other in rewordings(body)]
    for name, chunks in [*partitions(body, interaction.id), *retellings]:
        events = _events(endpoint, interaction, chunks)
        if list(map(_comparable, events)) != list(map(_comparable, whole)):
            return [f"{name}: other events than whole: {_first_difference(events, whole)}"]
    text = response_from_events(whole).text
    for name, part in cuts(body, interaction.id):
        cut = oracle(evolve(interaction.response, body=part), is_streaming=True)
        # A cut behind what the oracle takes for the end is no fault, and a driver may wait for more.
        if isinstance(cut, Failure) and (faults := _cut_faults(_events(endpoint, interaction, [part]), text)):
            return [f"{name}: {fault}" for fault in faults]
    return []


def _events(endpoint: Endpoint[Any, Any], interaction: Interaction, chunks: Sequence[bytes]) -> list[Event]:
    decoder = endpoint.codec.stream_decoder(interaction.response.headers)
    return [event for chunk in chunks for event in decoder.feed(chunk)] + list(decoder.close())


def _cut_faults(events: Sequence[Event], text: str) -> list[str]:
    if faults := grammar_faults(events):
        return faults
    last = events[-1]
    if not isinstance(last, StreamError) or last.error.kind != "stream_truncated":
        return [f"expected stream_truncated, got {_short(last)}"]
    told = response_from_events(events).text
    partial = last.partial.text if last.partial else ""
    if partial != told or not text.startswith(told):
        return [f"the partial answer says {_short(partial)}, the events {_short(told)}"]
    return []


def _events_faults(events: Sequence[Event], expected: Expected) -> list[str]:
    last = events[-1]
    if isinstance(last, StreamError):
        return _error_faults(last.error, expected)
    if not isinstance(expected, Answer):
        return [f"expected {expected}, but the stream ended well"]
    response = response_from_events(events)
    return [*_part_faults(response), *_answer_faults(response, expected)]


def grammar_faults(events: Sequence[Event]) -> list[str]:
    """What breaks the grammar of a stream: one start, then content, each part told whole, then one end or error."""
    kinds = [event.kind for event in events]
    if not kinds or kinds[-1] not in ("end", "error"):
        return [f"the stream does not end with end or error but with {kinds[-1:]}"]
    faults = []
    if any(isinstance(event, StreamEnd | StreamError) for event in events[:-1]):
        faults.append("events follow a terminal event")
    if kinds[0] != "start" and kinds != ["error"]:
        faults.append(f"the stream starts with {kinds[0]}")
    if kinds.count("start") > 1:
        faults.append("the stream starts more than once")
    ended: dict[int, PartEnd] = {}
    told: dict[int, str] = {}
    for event in events:
        if isinstance(event, StreamStart | StreamEnd | StreamError):
            continue
        if event.index in ended:
            faults.append(f"part {event.index}: {event.kind} after its end")
        if isinstance(event, PartEnd):
            ended[event.index] = event
            continue
        piece = event.arguments if isinstance(event, ToolCallDelta) else event.text
        if not piece and event.kind != "tool_call":
            faults.append(f"part {event.index}: an empty {event.kind} delta")
        told[event.index] = told.get(event.index, "") + piece
    if kinds[-1] == "end" and sorted(ended) != list(range(len(ended))):
        faults.append(f"parts are numbered {sorted(ended)}")
    if kinds[-1] == "end" and (open_parts := sorted(set(told) - set(ended))):
        faults.append(f"parts {open_parts} have no end")
    return [*faults, *_told_faults(ended, told)]


def _told_faults(ended: dict[int, PartEnd], told: dict[int, str]) -> list[str]:
    faults = []
    for index, event in ended.items():
        part = event.part
        if isinstance(part, Text | Reasoning) and part.text != told.get(index, ""):
            faults.append(f"part {index}: its deltas say {told.get(index, '')!r}, its end {part.text!r}")
        if isinstance(part, ToolCall) and _json(told.get(index, "")) != _json(part.arguments):
            faults.append(f"part {index}: its deltas say {told.get(index, '')!r}, its end {part.arguments!r}")
    return faults


def _part_faults(response: Response) -> list[str]:
    ids = [call.call_id for call in response.tool_calls]
    faults = [f"tool call ids are not unique: {ids}"] if len(set(ids)) < len(ids) else []
    return faults + [f"{call.name}: empty arguments" for call in response.tool_calls if not call.arguments]


def _answer_faults(response: Response, expected: Answer) -> list[str]:
    reason = str(response.finish_reason)
    pairs: list[tuple[str, object, object]] = [("text", expected.text, response.text)]
    if expected.reasoning is not None:
        # Summaries are joined in different ways, so white space is left out of the comparison.
        pairs.append(("reasoning", "".join(expected.reasoning.split()), "".join(response.reasoning.split())))
    pairs += _usage_pairs(expected.tokens, response)
    pairs += [("model", expected.model or "", response.model), ("response_id", expected.response_id, response.response_id)]
    pairs.append(("stop_sequence", expected.stop_sequence, response.stop_sequence))
    faults = _differences(pairs)
    if reason not in expected.finish_reasons:
        faults.append(f"finish_reason: expected {' or '.join(sorted(expected.finish_reasons))}, got {reason}")
    if response.raw_finish_reason not in expected.raw_finish_reasons:
        words = " or ".join(sorted(map(str, expected.raw_finish_reasons)))
        faults.append(f"raw_finish_reason: expected {words}, got {response.raw_finish_reason}")
    return faults + _call_faults(response.tool_calls, expected.calls)


def _usage_pairs(tokens: Tokens | None, response: Response) -> list[tuple[str, object, object]]:
    usage = response.usage
    if usage is None or tokens is None:
        return [("usage", tokens, usage)]
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    pairs: list[tuple[str, object, object]] = [
        ("input_tokens", tokens.input, usage.input_tokens),
        ("output_tokens", tokens.output, usage.output_tokens),
        ("cache_read_tokens", tokens.cache_read, usage.cache_read_tokens),
        ("cache_write_tokens", tokens.cache_write, written),
    ]
    if tokens.reasoning is not None:
        pairs.append(("reasoning_tokens", tokens.reasoning, usage.reasoning_tokens))
    return pairs


def _call_faults(calls: Sequence[ToolCall], expected: Sequence[Call]) -> list[str]:
    functions = [call for call in expected if not call.is_custom]
    wanted = functions if len(calls) == len(functions) else expected
    if len(calls) != len(wanted):
        return [f"tool_calls: expected {[c.name for c in expected]}, got {[c.name for c in calls]}"]
    faults = []
    for want, call in zip(wanted, calls, strict=True):
        faults += _differences(
            [
                ("tool call name", want.name, call.name),
                ("tool call id", want.call_id or call.call_id, call.call_id),
                (f"arguments of {want.name}", _canonical(want.arguments), _canonical(_json(call.arguments))),
            ]
        )
    return faults


def _json(text: str) -> object:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _error_faults(error: PingPongError, expected: Expected) -> list[str]:
    if not isinstance(expected, Failure):
        return [f"expected an answer, got {type(error).__name__}: {error}"]
    faults = []
    if error.kind not in expected.kinds:
        faults.append(f"error kind: expected {' or '.join(sorted(expected.kinds))}, got {error.kind}")
    if expected.is_retryable is not None and error.retryable != expected.is_retryable:
        faults.append(f"retryable: expected {expected.is_retryable}, got {error.retryable}")
    if expected.codes and error.code not in expected.codes:
        faults.append(f"code: expected {' or '.join(sorted(expected.codes))}, got {error.code}")
    if expected.status is not None:
        faults += _differences([("status", expected.status, error.status)])
    if expected.retry_after_s is not None:
        faults += _differences([("retry_after_s", expected.retry_after_s, error.retry_after_s)])
    return faults


def _differences(pairs: Sequence[tuple[str, object, object]]) -> list[str]:
    return [f"{name}: expected {_short(want)}, got {_short(got)}" for name, want, got in pairs if want != got]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:140]} … {text[-140:]} ({len(text)} characters)"


def _comparable(event: Event) -> object:
    # Exceptions compare by identity, so an error event is compared by what it says.
    if isinstance(event, StreamError):
        return (event.kind, event.error.kind, event.error.code, event.error.message, event.partial)
    return event


def _first_difference(events: Sequence[Event], first: Sequence[Event]) -> str:
    for i, (got, want) in enumerate(zip(events, first, strict=False)):
        if _comparable(got) != _comparable(want):
            return f"event {i} is {_short(got)}, whole it is {_short(want)}"
    return f"{len(events)} events, whole {len(first)}"
