"""Streams told differently mean the same, and cuts are true beginnings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pingpong_contract.oracles._reading import sse_json
from pingpong_contract.variations import cuts, rewordings

JSON = st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3)


@given(st.lists(JSON, min_size=1, max_size=4), st.sampled_from(["\n", "\r\n", "\r"]))
def test_retold_streams_hold_the_same_values(values: list[dict[str, str]], end: str) -> None:
    """Line ends, comments, marks, spaces, ids and split data change no value."""
    import json

    body = "".join(f"event: x{end}data: {json.dumps(value)}{end}{end}" for value in values).encode()
    retold = dict(rewordings(body))
    assert len(retold) == 8
    assert len(set(retold.values())) == 8
    assert all(sse_json(other) == values for other in retold.values())


@given(st.lists(JSON, max_size=60), st.text(max_size=3))
def test_cuts_are_beginnings(values: list[dict[str, str]], seed: str) -> None:
    """Each cut is shorter than the body, the empty one is among them, and there are not many."""
    body = "".join(f"data: {value}\n\n" for value in values).encode()
    found = list(cuts(body, seed))
    assert all(body.startswith(part) and len(part) < len(body) for _, part in found)
    assert len(found) <= 46
    assert found == list(cuts(body, seed))
    assert (b"" in [part for _, part in found]) == bool(body)


def test_other_bodies_are_not_retold() -> None:
    """A JSON array is left as it is."""
    assert list(rewordings(b'[{"a": 1}]')) == []
