"""
Ping-Pong: send each prompt to the right model, check the answer, prove what was done.

Names are imported on first use, so that `import pingpong` stays cheap.
"""

from importlib import import_module
from typing import Any

_NAMES = {
    "_cards": "Card Price PriceTier RateLimits cost_bound_usd cost_usd split_model_id",
    "_client": "Client MemoryLedger Stream",
    "_clock": "Clock",
    "_config": "Config PluginFilter config_from_file find_config",
    "_credentials": "ApiKey Credentials KeySource Secret checked_key",
    "_drivers": "AnyEndpoint Codec Dialect Driver DriverOptions DriverRecord Endpoint EndpointRecord Operation Parsed StreamDecoder StreamRenderer",
    "_errors": "AllFailed AnswerRejected AuthenticationError BudgetExceeded CannotFit ConfigError ConflictError ConnectionFailed ContentPolicyError ContextLengthExceeded DeadlineExceeded InvalidRequestError LimitError MalformedResponse MissingCredential NeedsClarification NoRoute NotFoundError Overloaded PermissionDenied PingPongError PluginError ProviderError ProviderTimeout QuotaExhausted RateLimited RequestCancelled ResponseTooLarge ServerError StreamTruncated StructuredOutputTruncated UnknownModelError UnsupportedCapability UnsupportedParameter",
    "_events": "ContentEvent Event PartEnd ReasoningDelta StreamEnd StreamError StreamStart TextDelta ToolCallDelta events_from_response response_from_events",
    "_framing": "MAX_EVENT_BYTES NdjsonParser SseEvent SseParser",
    "_http": "BodyDecoder TransportOptions Trouble headers_in headers_out tls_context waiting where_of",
    "_json": "from_json to_json",
    "_messages": "Audio File Image Message Opaque Part Reasoning Role Text ToolCall ToolCallResponse assistant system text_of tool_result user",
    "_models": "TransportContext",
    "_outcomes": "Ask Attempt Candidate Decision Finding Fusion Outcome Purpose Query Report Reservation Signals State Truncation Verdict",
    "_plans": "Call Cascade Check CostBounds Ensemble Fallback Plan Refuse Step calls_of cost_bounds",
    "_policies": "CALL_SLOTS CallMiddleware CommandRecord CountTokens Fuser Ledger MiddlewareRecord PolicyRecord REQUEST_SLOTS RequestMiddleware RetryPolicy Router SignalRecord StoreRecord TransportRecord Truncator Validator",
    "_registry": "PluginStatus Registry",
    "_requests": "Capability EmbedRequest OutputSchema ReasoningEffort Request Tool ToolChoice estimate_text_tokens needs_of",
    "_responses": "EmbedResponse FinishReason Response TOKEN_CLASSES TokenCount Usage",
    "_retries": "FullJitter",
    "_sync": "ask",
    "_transport": "HttpxTransport SystemClock",
    "_wire": "Transport WireRequest WireResponse WireStream params_from_path target_from_template",
}
_MODULE_OF = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module 'pingpong' has no attribute {name!r}")
    value = getattr(import_module(f"pingpong.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
