"""Reading of a corpus, and which endpoint an interaction belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest
from pingpong import EndpointRecord, WireRequest, WireResponse
from pingpong_contract.corpus import Interaction, claimed, corpus_folder, endpoint_of, interactions
from pingpong_contract.toy import ENDPOINT
from pingpong_contract.toy_traffic import entry, recorded, write_corpus

GENERATE = EndpointRecord(name="generateContent", operation="chat", path="/v1beta/models/{model}:generateContent")
EMBED = EndpointRecord(name="embedContent", operation="embed", path="/v1beta/models/{model}:batchEmbedContents")
CHAT = EndpointRecord(name="chat/completions", operation="chat", path="/v1/chat/completions")
READ = EndpointRecord(name="responses/{id}", operation="chat", method="GET", path="/v1/responses/{id}")
RECORDS = (GENERATE, EMBED, CHAT, READ)


def _interaction(path: str, *, host: str = "api.example.org", endpoint: str = "?", method: str = "POST") -> Interaction:
    return Interaction(
        file="f", n=0, provider="p", endpoint=endpoint, kind="plain", is_streaming=False, wire="json", host=host,
        request=WireRequest(method, path), response=WireResponse(200),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("interaction", "expected"),
    [
        (_interaction("/v1/chat/completions"), CHAT),
        (_interaction("/v1/chat/completions?a=1"), CHAT),
        (_interaction("/v1/chat/completions", method="GET"), None),
        (_interaction("/other/v1/chat/completions"), None),
        (_interaction("//openai/deployments/x/chat/completions", host="example.azure.com"), CHAT),
        (_interaction("/v1beta/openai/chat/completions"), None),
        (_interaction("/v1/models/ace-1:generateContent"), GENERATE),
        (_interaction("/v1beta/models/ace-1:streamGenerateContent"), None),
        (_interaction("/v1/projects/p/publishers/g/models/ace:generateContent", host="vertex.example"), GENERATE),
        (_interaction("/v1beta/models/ace:embedContent", endpoint="embedContent"), EMBED),
        (_interaction("/v1/responses/r1", method="GET"), READ),
        (_interaction("/v1/responses/r1"), None),
    ],
)
def test_an_interaction_belongs_to_the_endpoint_of_its_method_and_path(
    interaction: Interaction, expected: EndpointRecord | None
) -> None:
    """Queries, API versions and, on other hosts, prefixes do not matter; the index's name helps where no path fits."""
    assert endpoint_of(interaction, RECORDS, "https://api.example.org") == expected


def test_an_interaction_is_read_whole(tmp_path: Path) -> None:
    """Text and binary bodies become bytes, header names lower case, the query stays in the target, kinds lose their suffix."""
    first = recorded("zwölf\r\n", headers={"Content-Type": "x", "Retry-After": "1"})
    pairs = [(entry("a", 0, kind="tools+stream"), first), (entry("a", 1, kind="plain"), recorded(b"\xff\x00", status=500))]
    folder = write_corpus(tmp_path, {"a": pairs})
    text, binary = interactions(folder, ["toy"])
    assert (text.id, text.group) == ("toy/a[0]", ("chat/completions", "tools", True))
    assert (text.request.target, text.host) == ("/v1/chat/completions?a=1", "api.example.org")
    assert text.request.headers == {"x-a": "1"}
    assert text.response == WireResponse(200, {"content-type": "x", "retry-after": "1"}, "zwölf\r\n".encode())
    assert binary.response == WireResponse(500, {}, b"\xff\x00")
    assert interactions(folder, ["other"]) == ()


def test_claimed_traffic_carries_its_endpoint(tmp_path: Path) -> None:
    """What no endpoint claims is left out."""
    pairs = [
        (entry("a", 0, kind="plain"), recorded("{}")),
        (entry("a", 1, kind="other", endpoint="files"), recorded("{}", path="/v1/files")),
    ]
    folder = write_corpus(tmp_path, {"a": pairs})
    found = claimed(folder, ["toy"], [ENDPOINT], "https://api.example.org/v1")
    assert [(i.id, e) for i, e in found] == [("toy/a[0]", ENDPOINT)]


def test_the_corpus_is_where_the_variable_says(tmp_path: Path) -> None:
    """Unset, empty or without an index means no corpus."""
    assert corpus_folder({}) is None
    assert corpus_folder({"PINGPONG_WIRE_CORPUS": str(tmp_path)}) is None
    write_corpus(tmp_path, {"a": [(entry("a", 0, kind="plain"), recorded("{}"))]})
    assert corpus_folder({"PINGPONG_WIRE_CORPUS": str(tmp_path)}) == tmp_path
