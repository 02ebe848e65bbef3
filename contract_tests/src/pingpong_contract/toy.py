"""
The driver of a toy wire, sound or with one flaw: what proves that the checks of this package can fail.

The wire is a sliver of chat completions, served by nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pingpong import (
    ApiKey,
    Card,
    Driver,
    DriverOptions,
    DriverRecord,
    Endpoint,
    EndpointRecord,
    Event,
    FinishReason,
    InvalidRequestError,
    Message,
    Parsed,
    PartEnd,
    PingPongError,
    RateLimited,
    Request,
    Response,
    Role,
    ServerError,
    SseParser,
    StreamEnd,
    StreamError,
    StreamStart,
    StreamTruncated,
    Text,
    TextDelta,
    ToolCall,
    Usage,
    WireRequest,
    WireResponse,
    response_from_events,
)

ENDPOINT = EndpointRecord(name="chat/completions", operation="chat", path="/chat/completions")


class ToyDecoder:
    """Decodes the toy stream: text only."""

    def __init__(self, flaw: str) -> None:
        self.flaw, self.parser, self.text, self.has_started = flaw, SseParser(), "", False
        self.told: list[Event] = []
        self.usage: Usage | None = None
        self.is_done = False

    def feed(self, chunk: bytes) -> list[Event]:
        """Events of a chunk."""
        if self.flaw == "cuts characters":
            chunk = chunk.decode("utf-8", "replace").encode()
        if self.flaw == "knows LF alone":
            chunk = chunk.replace(b"\r", b"")
        events = [event for sse in self.parser.feed(chunk) for event in self.take(sse.data)]
        self.told += events
        return events

    def take(self, data: bytes) -> list[Event]:
        """Events of one server-sent event."""
        if data == b"[DONE]":
            self.is_done = True
            return self.finish()
        chunk = json.loads(data)
        events: list[Event] = []
        if not self.has_started and self.flaw != "never starts":
            events.append(StreamStart("toy", chunk["model"], chunk["id"]))
        self.has_started = self.flaw != "starts twice"
        self.usage = usage_of(chunk.get("usage"), self.flaw) or self.usage
        for choice in chunk["choices"]:
            if text := choice["delta"].get("content"):
                self.text += text
                events.append(TextDelta(1 if self.flaw == "skips a number" else 0, text))
            if self.flaw == "tells nothing":
                events.append(TextDelta(0, ""))
        return events

    def finish(self) -> list[Event]:
        """Part end and end."""
        index = 1 if self.flaw == "skips a number" else 0
        text = self.text.strip() + "!" if self.flaw == "ends with other words" else self.text
        parts: list[Event] = [] if self.flaw == "never ends a part" else [PartEnd(index, Text(text))]
        end: list[Event] = [] if self.flaw == "never ends" else [StreamEnd(FinishReason.stop, "stop", usage=self.usage)]
        late: list[Event] = [TextDelta(0, "x")] if self.flaw == "talks on" else end if self.flaw == "ends twice" else []
        return [*parts, *end, *late] if self.flaw != "talks after a part" else [*parts, TextDelta(0, "x"), *end]

    def close(self) -> list[Event]:
        """An error where the marker is missing."""
        if self.flaw == "ends a cut stream" and not self.is_done:
            return self.finish()
        partial = None if self.flaw == "forgets what it told" else response_from_events(self.told)
        error = ServerError("cut") if self.flaw == "blames the server" else StreamTruncated("cut")
        return [] if self.is_done else [StreamError(error, partial)]


def usage_of(usage: Mapping[str, int] | None, flaw: str) -> Usage | None:
    """The toy's usage."""
    if not usage or flaw == "loses usage":
        return None
    miss = 1 if flaw == "counts wrong" else 0
    return Usage(uncached_input_tokens=usage["prompt_tokens"] + miss, visible_output_tokens=usage["completion_tokens"])


class ToyCodec:
    """The toy's client half, sound where `flaw` is ""."""

    def __init__(self, flaw: str) -> None:
        self.flaw = flaw

    def encode(self, request: Request, card: Card, *, is_stream: bool) -> WireRequest:
        """A request of one model and its messages' text."""
        messages = [{"role": str(m.role), "content": m.text} for m in request.messages]
        if self.flaw == "drops a message":
            messages = messages[1:]
        body = {"model": card.model, "messages": messages, "stream": is_stream or self.flaw == "streams anyway"}
        return WireRequest("POST", "/chat/completions", {}, json.dumps(body).encode())

    def decode(self, wire: WireResponse) -> Response:
        """A whole answer."""
        if self.flaw == "raises":
            raise KeyError("choices")
        if self.flaw == "takes it for an error":
            raise InvalidRequestError("no")
        body = json.loads(wire.body)
        message = body["choices"][0]["message"]
        calls = tuple(ToolCall(self.call_id(c), c["function"]["name"], self.arguments(c)) for c in message.get("tool_calls", ()))
        reason = FinishReason.tool_calls if calls else FinishReason.stop
        return Response(
            provider="toy",
            model="other" if self.flaw == "names another model" else body["model"],
            parts=(*(Text(t) for t in (message["content"],) if t), *(() if self.flaw == "drops calls" else calls)),
            finish_reason=FinishReason.length if self.flaw == "invents a reason" else reason,
            raw_finish_reason="??" if self.flaw == "invents a word" else body["choices"][0]["finish_reason"],
            usage=usage_of(body["usage"], self.flaw),
            response_id=body["id"],
        )

    def call_id(self, call: Mapping[str, Any]) -> str:
        """The id of a call."""
        return "same" if self.flaw == "reuses ids" else str(call["id"])

    def arguments(self, call: Mapping[str, Any]) -> str:
        """The arguments of a call."""
        return {"changes arguments": '{"a": 2}', "empties arguments": ""}.get(self.flaw, str(call["function"]["arguments"]))

    def stream_decoder(self, headers: Mapping[str, str]) -> ToyDecoder:
        """A fresh decoder."""
        return ToyDecoder(self.flaw)

    def error(self, wire: WireResponse) -> PingPongError:
        """An error by status."""
        kind = RateLimited if wire.status == 429 and self.flaw != "blames the caller" else InvalidRequestError
        error = json.loads(wire.body)["error"]
        return kind(
            error["message"],
            status=None if self.flaw == "loses the status" else wire.status,
            code="?" if self.flaw == "invents a code" else error["code"],
            retryable=False if self.flaw == "never retries" else None,
            retry_after_s=None if self.flaw == "does not wait" else float(wire.headers.get("retry-after", 0)) or None,
        )


class ToyDialect:
    """The toy's server half, sound where `flaw` is ""."""

    def __init__(self, flaw: str) -> None:
        self.flaw = flaw

    def parse(self, wire: WireRequest, params: Mapping[str, str]) -> Parsed[Request]:
        """What a client asked."""
        body = json.loads(wire.body)
        messages = [Message(Role(m["role"]), m["content"]) for m in body["messages"]]
        return Parsed(Request(messages), body["model"], body["stream"], wire)

    def render(self, response: Response, parsed: Parsed[Any] | None = None) -> WireResponse:
        """A whole answer; its text parts become one."""
        calls = [
            {"id": c.call_id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in response.tool_calls
        ]
        message = {"content": response.text + ("!" if self.flaw == "renders other words" else ""), "tool_calls": calls}
        body = {
            "id": response.response_id,
            "model": response.model,
            "choices": [{"index": 0, "message": message, "finish_reason": response.raw_finish_reason}],
            "usage": _usage_body(response.usage),
        }
        return WireResponse(200, {}, json.dumps(body).encode())

    def stream_renderer(self, parsed: Parsed[Any] | None = None) -> ToyRenderer:
        """A fresh renderer."""
        return ToyRenderer(self.flaw)

    def stream_headers(self, parsed: Parsed[Any] | None = None) -> Mapping[str, str]:
        """Server-sent events."""
        return {"content-type": "text/event-stream"}

    def render_error(self, error: PingPongError) -> WireResponse:
        """An error with its status and code."""
        headers = {"retry-after": f"{error.retry_after_s}"} if error.retry_after_s and self.flaw != "hides the wait" else {}
        return WireResponse(
            error.status or 500, headers, json.dumps({"error": {"message": str(error), "code": error.code}}).encode()
        )


class ToyRenderer:
    """Renders text deltas, usage and the marker."""

    def __init__(self, flaw: str) -> None:
        self.flaw, self.head = flaw, {"id": "", "model": ""}

    def render(self, event: Event) -> bytes:
        """The bytes of one event."""
        if isinstance(event, StreamStart):
            self.head = {"id": event.response_id or "", "model": event.model}
        if isinstance(event, TextDelta):
            return self.chunk({"choices": [{"index": 0, "delta": {"content": event.text}}]})
        if not isinstance(event, StreamEnd):
            return b""
        usage = None if self.flaw == "streams no usage" else event.usage
        return self.chunk({"choices": [], "usage": _usage_body(usage)}) + b"data: [DONE]\n\n"

    def chunk(self, body: Mapping[str, Any]) -> bytes:
        """One server-sent event."""
        return b"data: " + json.dumps({**self.head, **body}).encode() + b"\n\n"


def _usage_body(usage: Usage | None) -> Mapping[str, int] | None:
    return None if usage is None else {"prompt_tokens": usage.input_tokens, "completion_tokens": usage.output_tokens}


def toy_driver(flaw: str = "") -> Driver:
    """The toy's driver, with the flaw of this name or, for "", sound."""
    return Driver(
        name="toy",
        base_url="https://api.example.org/v1",
        endpoints=(Endpoint(ENDPOINT, ToyCodec(flaw), ToyDialect(flaw)),),
        credentials=ApiKey(header="authorization"),
        estimate_tokens=lambda request, card: 0,
    )


def make(record: DriverRecord, options: DriverOptions, env: Mapping[str, str]) -> Driver:
    """The factory that `RECORD` names; the environment variable `TOY_FLAW` chooses the flaw."""
    return toy_driver(env.get("TOY_FLAW", ""))


RECORD = DriverRecord(
    name="toy", factory="pingpong_contract.toy:make", cards="pingpong_contract:none.json", endpoints=(ENDPOINT,), corpora=("toy",)
)
