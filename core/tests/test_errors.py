"""The tree of errors, and that secrets show nowhere."""

from __future__ import annotations

import copy
import json
import pickle
import re
import traceback
from collections.abc import Iterator

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pingpong import AllFailed, ApiKey, MissingCredential, PingPongError, RateLimited, Response, Secret, ServerError, checked_key
from pingpong import _errors as errors

KEY = "sk-live-0123456789"


def classes_below(root: type[PingPongError]) -> Iterator[type[PingPongError]]:
    """The whole tree, the root first."""
    yield root
    for cls in root.__subclasses__():
        yield from classes_below(cls)


TREE = [cls for cls in classes_below(PingPongError) if cls.__module__ == errors.__name__]
LEAVES = [cls for cls in TREE if cls is not AllFailed]


def made(cls: type[PingPongError]) -> PingPongError:
    """An error of that class with every attribute set."""
    error = cls(
        "what failed; what to do",
        retryable=True,
        provider="p",
        model="m",
        status=429,
        code="slow_down",
        request_id="r1",
        retry_after_s=1.5,
        partial=Response(provider="p", model="m"),
    )
    error.attempts = ()
    return error


def test_kinds_are_unique_and_faults_closed() -> None:
    """Each class has a kind of its own, in snake case, and says whose fault it is by its branch."""
    kinds = [cls.kind for cls in TREE]
    assert len(kinds) == len(set(kinds))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", kind) for kind in kinds)
    assert {cls.fault for cls in classes_below(errors.InvalidRequestError)} == {"caller"}
    assert {cls.fault for cls in classes_below(errors.ProviderError)} == {"provider"}
    assert {cls.fault for cls in classes_below(errors.LimitError)} == {"limit"}
    assert {cls.fault for cls in classes_below(errors.PluginError)} == {"plugin"}


def test_module_draws_every_class() -> None:
    """The drawing at the top of the module names exactly the classes there are, each below its parent."""
    drawn = re.findall(r"^( {4}[│ ├└─]*)(\w+)", errors.__doc__ or "", flags=re.MULTILINE)
    path: dict[int, str] = {}
    pairs = set()
    for indent, name in drawn:
        path[len(indent)] = name
        parents = [path[i] for i in sorted(path) if i < len(indent)]
        pairs.add((name, parents[-1] if parents else "Exception"))
    assert pairs == {(cls.__name__, cls.__bases__[0].__name__) for cls in TREE}


@pytest.mark.parametrize("cls", LEAVES)
def test_errors_survive_pickle_and_copy(cls: type[PingPongError]) -> None:
    """An error from a worker process arrives with class, message and every attribute."""
    error = made(cls)
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301  # our own bytes
        assert (type(again), again.message, str(again)) == (cls, error.message, error.message)
        assert vars(again) == vars(error)


@pytest.mark.parametrize("cls", LEAVES)
def test_retryable_can_be_overridden(cls: type[PingPongError]) -> None:
    """The class gives the default, the argument the exception from it."""
    assert cls("x").retryable is cls.is_retryable_by_default
    assert cls("x", retryable=not cls.is_retryable_by_default).retryable is not cls.is_retryable_by_default


def test_all_failed_is_a_group_under_the_root() -> None:
    """It lists each model's failure, is retryable if any of them is, splits as a group, and survives pickling."""
    group = AllFailed("Every model failed", [ServerError("boom", provider="p", model="m"), errors.QuotaExhausted("no credit")])
    assert str(group) == "Every model failed (p:m server_error: boom; ?:? quota_exhausted: no credit)"
    assert group.retryable
    assert not AllFailed("x", [errors.QuotaExhausted("no credit")]).retryable
    with pytest.raises(ExceptionGroup) as caught:
        raise group
    matched, rest = caught.value.split(ServerError)
    assert isinstance(matched, AllFailed)
    assert isinstance(rest, AllFailed)
    assert [e.kind for e in rest.exceptions if isinstance(e, PingPongError)] == ["quota_exhausted"]
    again = pickle.loads(pickle.dumps(group))  # noqa: S301  # our own bytes
    assert (str(again), [e.message for e in again.exceptions], again.retryable) == (str(group), ["boom", "no credit"], True)


@given(st.text(min_size=8))
def test_secret_is_never_printed(value: str) -> None:
    """No way to turn a secret into text or bytes gives its value; only `reveal` does."""
    secret = Secret(value)
    shown = {str(secret), repr(secret), f"{secret}", f"{secret:>40}".strip(), "%s" % secret, repr([secret]), repr({"k": secret})}  # noqa: UP031
    assert {text.replace("[", "").replace("]", "").replace("{'k': ", "").replace("}", "") for text in shown} == {"Secret('***')"}
    for leak in (json.dumps, pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError) as caught:
            leak(secret)
        assert value not in str(caught.value)
    with pytest.raises(TypeError):
        vars(secret)
    assert secret.reveal() == value


def test_secrets_compare_and_hash_by_value() -> None:
    """Equal secrets are one key of a mapping, and a secret never equals its own text."""
    assert len({Secret(KEY), Secret(KEY), Secret("other-key")}) == 2
    assert Secret(KEY) != KEY


def test_credentials_do_not_print_the_key() -> None:
    """Neither the record nor a traceback through it shows a key that was given outright."""
    credentials = ApiKey(header="authorization", prefix="Bearer ", key=Secret(KEY))
    assert KEY not in repr(credentials)
    assert anyio.run(credentials.headers) == {"authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize("value", ["", "  \n", "sk two", "sk-\u00e9-secret", "sk-\x00-secret"])
def test_unusable_key_is_refused_without_repeating_it(value: str) -> None:
    """A key no header can carry is named by its source only, in the traceback too."""
    with pytest.raises(MissingCredential, match="MY_KEY") as caught:
        checked_key(value, "MY_KEY")
    text = "".join(traceback.format_exception(caught.value))
    assert not value.strip() or value.strip() not in text


def test_key_is_trimmed() -> None:
    """The line end that a key file or a paste brings along is not part of the key."""
    assert checked_key(f" {KEY}\r\n", "MY_KEY").reveal() == KEY


def test_error_repr_holds_the_message_only() -> None:
    """A failed attempt's answer stays out of the error's own text."""
    error = RateLimited("Slow down.", partial=Response(provider="p", model="m", raw=b"PROMPT"))
    assert "PROMPT" not in repr(error) + str(error)
