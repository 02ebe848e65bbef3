"""Faults: text form, errors and scripts."""

from __future__ import annotations

import pytest
from pingpong import InvalidRequestError, Overloaded, QuotaExhausted, RateLimited, ServerError
from pingpong_simulator.faults import Fault, error_from_fault, fault_from_text, script_from_table


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ok", Fault()),
        ("429", Fault(sort="status", status=429)),
        (" 429 ; retry_after=2 ", Fault(sort="status", status=429, retry_after_s=2)),
        ("429;kind=quota_exhausted", Fault(sort="status", status=429, kind="quota_exhausted")),
        ("error_event=overloaded", Fault(sort="error_event", kind="overloaded")),
        ("error_event", Fault(sort="error_event", kind="server_error")),
        ("error_event=rate_limited;after=0", Fault(sort="error_event", kind="rate_limited", after=0)),
        ("cut=120", Fault(sort="cut", after=120)),
        ("cut_events=3", Fault(sort="cut_events", after=3)),
        ("reset=0", Fault(sort="reset", after=0)),
        ("garbage", Fault(sort="garbage")),
        ("silence", Fault(sort="silence")),
    ],
)
def test_text_form(text: str, expected: Fault) -> None:
    """Every fault has a short text form."""
    assert fault_from_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "maybe",
        "200",
        "999",
        "429=2",
        "cut",
        "cut=-1",
        "cut=x",
        "ok=1",
        "429;wait=2",
        "429;kind=nonsense",
        "429;retry_after=soon",
    ],
)
def test_bad_text_is_refused(text: str) -> None:
    """What is no fault is refused with a reason."""
    with pytest.raises(InvalidRequestError, match="fault"):
        fault_from_text(text)


@pytest.mark.parametrize(
    ("fault", "cls"),
    [
        (Fault(sort="status", status=429), RateLimited),
        (Fault(sort="status", status=529), Overloaded),
        (Fault(sort="status", status=500), ServerError),
        (Fault(sort="status", status=418), InvalidRequestError),
        (Fault(sort="status", status=429, kind="quota_exhausted"), QuotaExhausted),
        (Fault(sort="error_event", kind="overloaded"), Overloaded),
    ],
)
def test_error_class_follows_kind_then_status(fault: Fault, cls: type[Exception]) -> None:
    """A fault's kind decides its error, else its status does."""
    error = error_from_fault(fault)
    assert type(error) is cls
    assert error.status == fault.status


def test_script_goes_on_with_its_last_fault() -> None:
    """Faults come in turn for each model, the last one stays, and other models have none."""
    script = script_from_table({"a:b": ["429;retry_after=1", "503", "ok"], "a:c": "garbage"})
    assert [script.next("a:b").status for _ in range(4)] == [429, 503, None, None]
    assert [script.next("a:c").sort for _ in range(2)] == ["garbage", "garbage"]
    assert script.next("a:d") == Fault()


@pytest.mark.parametrize("value", [3, [3], ["nope"], {"a": 1}])
def test_bad_script_names_the_model(value: object) -> None:
    """A wrong entry is refused by the model's name."""
    with pytest.raises(InvalidRequestError, match="openai:x"):
        script_from_table({"openai:x": value})
