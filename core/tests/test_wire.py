"""What goes over the wire as values: targets, templates, and what they do not show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pingpong import WireRequest, WireResponse, params_from_path, target_from_template


def test_path_and_query_of_a_target() -> None:
    """The query's first value of each name, blank ones kept."""
    request = WireRequest("POST", "/v1/x:go?alt=sse&key=&alt=json")
    assert (request.path, request.query) == ("/v1/x:go", {"alt": "sse", "key": ""})
    assert (WireRequest("GET", "/v1").path, WireRequest("GET", "/v1").query) == ("/v1", {})


@pytest.mark.parametrize(
    ("template", "path", "params"),
    [
        ("/v1/chat", "/v1/chat", {}),
        ("/v1/chat", "/v1/chats", None),
        ("/v1/{model}:go", "/v1/a/b:c:go", {"model": "a/b:c"}),
        ("/v1/{model}:go", "/v1/:go", None),
        ("/v1.x/{model}", "/v1yx/m", None),
        ("/a/{b}/c/{d}", "/a/1/c/2", {"b": "1", "d": "2"}),
    ],
)
def test_params_of_a_path(template: str, path: str, params: dict[str, str] | None) -> None:
    """Places take what stands in them, slashes and colons included; other paths do not fit."""
    assert params_from_path(template, path) == params


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_a_value_survives_the_path(model: str) -> None:
    """Whatever a model is called, the path is ASCII and gives its name back."""
    path = target_from_template("/v1/{model}:go", model=model)
    assert path.isascii()
    assert "?" not in path
    assert params_from_path("/v1/{model}:go", path) == {"model": model}


def test_bodies_and_headers_are_not_printed() -> None:
    """Prompts and keys stay out of a repr."""
    request = WireRequest("POST", "/v1", {"authorization": "KEY"}, b"PROMPT")
    response = WireResponse(200, {"set-cookie": "KEY"}, b"ANSWER")
    assert not any(word in repr(request) + repr(response) for word in ("KEY", "PROMPT", "ANSWER"))
