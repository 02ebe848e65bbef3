"""Money and answers as text, failures as codes, reasons in groups."""

from __future__ import annotations

import errno
from decimal import Decimal

import click
import pingpong
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pingpong import AllFailed, BudgetExceeded, Candidate, PingPongError, ServerError, UnsupportedParameter
from pingpong_cli.failures import EXIT_CODES, exit_code_of, failure_from
from pingpong_cli.reports import grouped
from pingpong_cli.text import exact_usd, harmless, time_text, usd_text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "unknown"),
        (Decimal(0), "$0"),
        (Decimal("0.0000001"), "$0.000001"),
        (Decimal("0.01234"), "$0.0124"),
        (Decimal("1234.561"), "$1,234.57"),
    ],
)
def test_usd_text(amount: Decimal | None, text: str) -> None:
    """Digits follow the size, and what is cut off is rounded up."""
    assert usd_text(amount) == text


@given(st.decimals(0, 10**6, places=12))
@settings(deadline=None)
def test_money_is_never_shown_as_less(amount: Decimal) -> None:
    """The text for display is at least the amount; the exact one is the amount."""
    assert Decimal(usd_text(amount).strip("$").replace(",", "")) >= amount
    assert Decimal(exact_usd(amount).strip("$")) == amount


def test_time_text() -> None:
    """Milliseconds below a second, seconds above."""
    assert [time_text(ms) for ms in (None, 12.4, 1234.0)] == ["", "12 ms", "1.2 s"]


@given(st.text())
@settings(deadline=None)
def test_harmless_text_moves_no_cursor(text: str) -> None:
    """Only tabs and line ends are left of the control characters, and everything else is as it was."""
    shown = harmless(text)
    assert len(shown) == len(text)
    assert all(a == b or (b == "\ufffd" and not a.isprintable()) for a, b in zip(text, shown, strict=True))
    assert "\x1b" not in shown


def _all_errors() -> list[type[PingPongError]]:
    found = [getattr(pingpong, name) for name in dir(pingpong)]
    return [cls for cls in found if isinstance(cls, type) and issubclass(cls, PingPongError) and cls is not AllFailed]


@pytest.mark.parametrize("cls", _all_errors())
def test_every_error_has_a_documented_code(cls: type[PingPongError]) -> None:
    """No kind of error ends with 0 or with a code that the help does not list."""
    failure = failure_from(cls("It broke."))
    assert failure.exit_code in EXIT_CODES
    assert failure.exit_code != 0
    assert failure.message.startswith("It broke.")
    assert failure.to_json()["error"]["kind"] == cls.kind


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([ServerError("x"), ServerError("y")], 5),
        ([BudgetExceeded("x"), BudgetExceeded("y")], 3),
        ([UnsupportedParameter("x"), UnsupportedParameter("y")], 2),
        ([BudgetExceeded("x"), ServerError("y")], 5),
        ([AllFailed("x", [BudgetExceeded("y")]), BudgetExceeded("z")], 3),
    ],
)
def test_code_of_several_errors(errors: list[PingPongError], code: int) -> None:
    """Failures of one sort have that sort's code, mixed ones that of failed providers."""
    assert exit_code_of(AllFailed("All failed.", errors)) == code


@pytest.mark.parametrize(
    ("exc", "kind", "code"),
    [
        (KeyboardInterrupt(), "interrupted", 130),
        (click.Abort(), "interrupted", 130),
        (click.UsageError("no"), "usage", 2),
        (BrokenPipeError(), "closed_pipe", 141),
        (OSError(errno.ENOSPC, "No space left on device"), "output", 1),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "system", 1),
        (RuntimeError("x"), "bug", 1),
    ],
)
def test_foreign_exceptions(exc: BaseException, kind: str, code: int) -> None:
    """Whatever else can happen has a kind and a code too."""
    failure = failure_from(exc)
    assert (failure.kind, failure.exit_code) == (kind, code)
    assert code in EXIT_CODES


def test_causes_are_told_with_verbose() -> None:
    """The chain behind an error is in the lines that --verbose adds."""
    error = ServerError("down", provider="p", model="m", status=502)
    error.__cause__ = OSError("reset")
    assert failure_from(error).more == ("p:m: server_error, status 502", "caused by OSError: reset")


def test_equal_errors_are_told_once() -> None:
    """What befell several models is told once, with their names."""
    errors: list[PingPongError] = [ServerError("It is down.", provider="p", model=m) for m in "ab"]
    told = failure_from(AllFailed("All 3 failed.", [*errors, BudgetExceeded("Too dear.")])).message
    assert told.startswith("All 3 failed. p:a, p:b (server_error): It is down; (budget_exceeded): Too dear.")


def test_boring_reasons_share_a_row() -> None:
    """Chosen models have a row each; the others one for each reason, whatever its figures."""
    others = [Candidate(f"b:{i}", False, f"could cost ${i}.5, above the cap of $0.1") for i in range(5)]
    rows = grouped([Candidate("a:1", True, "cheapest", Decimal("0.5")), *others, Candidate("c:1", False, "no key: set C")])
    assert rows == [
        ("*", "a:1", "cheapest; at most $0.5000"),
        ("", "c:1", "no key: set C"),
        ("", "b:0, b:1 and 3 more", "could cost $0.5, above the cap of $0.1, and the like"),
    ]
