"""Traffic of the toy wire, and a corpus written of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

CHUNKS: tuple[dict[str, Any], ...] = (
    {"id": "c1", "model": "ace", "choices": [{"index": 0, "delta": {"content": "Grüße "}}]},
    {"id": "c1", "model": "ace", "choices": [{"index": 0, "delta": {"content": "dir"}, "finish_reason": "stop"}]},
    {"id": "c1", "model": "ace", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}},
)
REQUEST = json.dumps({"model": "ace", "messages": [{"role": "user", "content": "hi"}], "stream": False})
CALL = {"id": "t1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


def stream_body(chunks: Sequence[Mapping[str, Any]] = CHUNKS) -> str:
    """The chunks as server-sent events with their terminal marker."""
    return "".join(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n" for chunk in chunks) + "data: [DONE]\n\n"


def whole_body(**message: Any) -> str:
    """A whole answer with this message."""
    finish = "tool_calls" if "tool_calls" in message else "stop"
    choice = {"index": 0, "message": {"role": "assistant", "content": None, **message}, "finish_reason": finish}
    return json.dumps({"id": "c1", "model": "ace", "choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})


def entry(name: str, n: int, *, kind: str, endpoint: str = "chat/completions", status: int = 200) -> dict[str, Any]:
    """One line of the index."""
    is_streaming = kind.endswith("+stream")
    return {
        "file": f"cassettes/toy/{name}.yaml", "n": n, "provider": "toy", "endpoint": endpoint, "kind": kind,
        "streaming": is_streaming, "wire": "sse" if is_streaming else "json", "status": status,
    }  # fmt: skip


def recorded(
    body: str | bytes, *, status: int = 200, path: str = "/v1/chat/completions", headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """One interaction of a cassette."""
    return {
        "request": {"method": "POST", "uri": f"https://api.example.org{path}?a=1", "headers": {"X-A": ["1"]}, "body": REQUEST},
        "response": {
            "status": {"code": status, "message": "x"},
            "headers": {name: [value] for name, value in (headers or {}).items()},
            "body": {"string": body},
        },
    }


def write_corpus(folder: Path, files: Mapping[str, Sequence[tuple[dict[str, Any], dict[str, Any]]]]) -> Path:
    """Write cassettes and index, by file name out of (index line, interaction) pairs; gives the folder back."""
    (folder / "cassettes" / "toy").mkdir(parents=True)
    lines = []
    for name, pairs in files.items():
        text = yaml.safe_dump({"version": 1, "interactions": [interaction for _, interaction in pairs]}, allow_unicode=True)
        (folder / "cassettes" / "toy" / f"{name}.yaml").write_text(text, encoding="utf-8")
        lines += [json.dumps(line) for line, _ in pairs]
    (folder / "index.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
