"""The check of one recorded answer passes a sound driver and catches every flaw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from pingpong import EmbedResponse, Endpoint, EndpointRecord, TokenCount, Usage, WireResponse
from pingpong_contract.check import BYTEWISE_BELOW_BYTES, check, partitions
from pingpong_contract.corpus import Interaction, interactions
from pingpong_contract.toy import ToyCodec, ToyDialect, toy_driver
from pingpong_contract.toy_traffic import CALL, entry, recorded, stream_body, whole_body, write_corpus

USED = Usage(uncached_input_tokens=3)
ERROR = '{"error": {"message": "slow down", "code": "rate_limit_exceeded", "type": "requests"}}'
CALLS = [CALL, {**CALL, "id": "t2"}]
TRAFFIC = {
    "stream": [(entry("stream", 0, kind="plain+stream"), recorded(stream_body()))],
    "body": [(entry("body", 0, kind="tools"), recorded(whole_body(content="Hallo", tool_calls=CALLS)))],
    "error": [(entry("error", 0, kind="error", status=429), recorded(ERROR, status=429, headers={"Retry-After": "7"}))],
    "cut": [(entry("cut", 0, kind="plain+stream"), recorded(stream_body().split("data: ")[1]))],
    "elsewhere": [(entry("elsewhere", 0, kind="other", endpoint="files"), recorded("{}", path="/v1/files"))],
}


@pytest.fixture
def traffic(tmp_path: Path) -> dict[str, Interaction]:
    """Each kind of toy traffic by its name."""
    return {Path(i.file).stem: i for i in interactions(write_corpus(tmp_path, TRAFFIC), ["toy"])}


@pytest.mark.parametrize("name", ["stream", "body", "error", "cut"])
def test_a_sound_driver_passes(traffic: dict[str, Interaction], name: str) -> None:
    """A driver that decodes what the bytes say has no fault."""
    assert check(toy_driver(), traffic[name]) == []


FLAWS = {
    "stream": {
        "cuts characters": "byte by byte: other events than whole: event 1 is",
        "never starts": "the stream starts with text",
        "starts twice": "the stream starts more than once",
        "skips a number": "parts are numbered [1]",
        "tells nothing": "part 0: an empty text delta",
        "ends with other words": "part 0: its deltas say 'Grüße dir', its end 'Grüße dir!'",
        "never ends a part": "parts [0] have no end",
        "never ends": "the stream does not end with end or error but with ['part_end']",
        "talks on": "the stream does not end with end or error but with ['text']",
        "ends twice": "events follow a terminal event",
        "talks after a part": "part 0: text after its end",
        "loses usage": "usage: expected Tokens(input=3",
        "counts wrong": "input_tokens: expected 3, got 4",
        "knows LF alone": "retold with CR: other events than whole",
        "ends a cut stream": "cut at 0 of",
        "blames the server": "cut at 0 of 334: expected stream_truncated, got StreamError",
        "forgets what it told": "cut at 213 of 334: the partial answer says '', the events 'Grüße '",
    },
    "body": {
        "raises": "the codec raised KeyError",
        "takes it for an error": "expected an answer, got InvalidRequestError",
        "names another model": "model: expected 'ace', got 'other'",
        "drops calls": "tool_calls: expected ['add', 'add'], got []",
        "invents a reason": "finish_reason: expected tool_calls, got length",
        "invents a word": "raw_finish_reason: expected tool_calls, got ??",
        "reuses ids": "tool call ids are not unique: ['same', 'same']",
        "changes arguments": "arguments of add: expected '{\"a\": 1}', got '{\"a\": 2}'",
        "empties arguments": "add: empty arguments",
    },
    "error": {
        "blames the caller": "error kind: expected rate_limited, got invalid_request",
        "loses the status": "status: expected 429, got None",
        "invents a code": "code: expected rate_limit_exceeded or requests, got ?",
        "never retries": "retryable: expected True, got False",
        "does not wait": "retry_after_s: expected 7.0, got None",
    },
    "cut": {"ends a cut stream": "expected Failure(status=None, kinds=frozenset({'stream_truncated'})"},
}


@pytest.mark.parametrize(("name", "flaw"), [(name, flaw) for name, flaws in FLAWS.items() for flaw in flaws])
def test_every_flaw_is_caught_by_the_check_for_it(traffic: dict[str, Interaction], name: str, flaw: str) -> None:
    """A driver with one flaw has a fault that says where it and the bytes differ."""
    faults = check(toy_driver(flaw), traffic[name])
    assert any(fault.startswith(FLAWS[name][flaw]) for fault in faults), faults


ROWS = '{"data": [{"index": 0, "embedding": [1, 2]}], "usage": {"prompt_tokens": 3}}'


@pytest.mark.parametrize(
    ("path", "body", "value", "faults"),
    [
        ("/v1/embeddings", ROWS, EmbedResponse(provider="toy", model="m", vectors=((1, 2),), usage=USED), []),
        (
            "/v1/embeddings",
            ROWS,
            EmbedResponse(provider="toy", model="m", vectors=((1, 2),)),
            ["input_tokens: expected 3, got None"],
        ),
        ("/v1/responses/input_tokens", '{"input_tokens": 3}', TokenCount(provider="toy", model="m", input_tokens=3), []),
        (
            "/v1/responses/input_tokens",
            '{"input_tokens": 3}',
            TokenCount(provider="toy", model="m", input_tokens=4),
            ["input_tokens: expected 3, got 4"],
        ),
        (
            "/v1/embeddings",
            ROWS,
            TokenCount(provider="toy", model="m", input_tokens=3),
            ["expected Vectors(vectors=((1.0, 2.0),)"],
        ),
    ],
)
def test_vectors_and_counts_are_compared(tmp_path: Path, path: str, body: str, value: Any, faults: list[str]) -> None:
    """Vectors, their tokens, counts, and the kind of value itself are held against the bytes."""
    folder = write_corpus(tmp_path, {"a": [(entry("a", 0, kind="other", endpoint="a"), recorded(body, path=path))]})
    (interaction,) = interactions(folder, ["toy"])

    class Codec(ToyCodec):
        def decode(self, wire: WireResponse) -> Any:
            return value

    record = EndpointRecord(name="a", operation="embed", path=path.removeprefix("/v1"))
    driver = evolve(toy_driver(), endpoints=(Endpoint(record, Codec(""), ToyDialect("")),))
    found = check(driver, interaction)
    assert len(found) == len(faults)
    assert all(one.startswith(other) for one, other in zip(found, faults, strict=True))


def test_a_cut_character_names_the_partition(traffic: dict[str, Interaction]) -> None:
    """A decoder that is right on whole bodies alone is told which partition breaks it."""
    (fault,) = check(toy_driver("cuts characters"), traffic["stream"])
    assert fault.startswith("byte by byte: other events than whole")


def test_an_unclaimed_path_is_a_fault(traffic: dict[str, Interaction]) -> None:
    """An interaction that no endpoint claims cannot pass by accident."""
    assert check(toy_driver(), traffic["elsewhere"]) == ["/v1/files: no endpoint of the driver for this path"]


@given(st.binary(min_size=0, max_size=300), st.text(max_size=5))
def test_every_partition_is_the_whole_body(body: bytes, seed: str) -> None:
    """Chunks of every partition join to the body, and the same seed cuts at the same places."""
    found: list[Any] = list(partitions(body, seed))
    assert all(b"".join(chunks) == body for _, chunks in found)
    assert found == list(partitions(body, seed))
    assert len([name for name, _ in found if name.startswith("split")]) == max(len(body) - 1, 0)


def test_large_bodies_are_not_fed_byte_by_byte() -> None:
    """The costly partitions stop at their bounds; the random ones stay."""
    names = [name for name, _ in partitions(bytes(BYTEWISE_BELOW_BYTES), "x")]
    assert names == ["whole", *(f"random partition {i}" for i in range(5))]
