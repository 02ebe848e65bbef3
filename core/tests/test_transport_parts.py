"""What every HTTP transport shares: options, headers, decoding, and waits on the clock."""

from __future__ import annotations

import gzip
import importlib
import ssl
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pingpong as pp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pingpong import BodyDecoder, TransportOptions
from pingpong.testing import FakeClock

zstd: Any = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

TEXT = bytes(range(256)) * 40
PACK = {"gzip": gzip.compress, "x-gzip": gzip.compress, "zstd": zstd.compress, "": bytes, "identity": bytes}
packed_one_way = pytest.mark.parametrize("encoding", PACK)
compressed = pytest.mark.parametrize("encoding", ["gzip", "zstd"])


def decoded(encoding: str, pieces: list[bytes], max_bytes: int = 1_000_000) -> bytes:
    decoder = BodyDecoder(encoding, max_bytes)
    body = b"".join(map(decoder.feed, pieces))
    decoder.finish()
    return body


@packed_one_way
@given(cuts=st.lists(st.integers(0, 20_000), max_size=8))
def test_a_body_decodes_under_any_chunking(encoding: str, cuts: list[int]) -> None:
    """Two parts, one after the other, give the same bytes however they are cut."""
    packed = PACK[encoding](TEXT) + PACK[encoding](b"") + PACK[encoding](TEXT)
    edges = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
    assert decoded(encoding, [packed[a:b] for a, b in pairwise(edges)]) == TEXT * 2


@packed_one_way
def test_a_body_decodes_byte_by_byte(encoding: str) -> None:
    """One byte at a time is enough for every decoder."""
    packed = PACK[encoding](TEXT)
    assert decoded(encoding, [packed[i : i + 1] for i in range(len(packed))]) == TEXT


@compressed
def test_a_body_that_ends_too_early_is_told(encoding: str) -> None:
    """A compressed body that stops inside a part failed; no byte of it at all is an empty body."""
    with pytest.raises(pp.ConnectionFailed, match="compressed answer"):
        decoded(encoding, [PACK[encoding](TEXT)[:-1]])
    assert decoded(encoding, []) == b""


@compressed
def test_what_is_not_compressed_as_told_is_malformed(encoding: str) -> None:
    """Noise, and noise after a whole part, name the encoding."""
    for noise in (b"no such thing", PACK[encoding](TEXT) + b"no such thing"):
        with pytest.raises(pp.MalformedResponse, match=f"not the {encoding} "):
            decoded(encoding, [noise])


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "deflate"])
def test_an_encoding_that_was_not_asked_for_is_malformed(encoding: str) -> None:
    """What we do not undo is refused before the body."""
    with pytest.raises(pp.MalformedResponse, match="not asked for"):
        BodyDecoder(encoding, 1)


@packed_one_way
def test_the_cap_is_the_largest_size_that_passes(encoding: str) -> None:
    """One byte more than the cap is too much, in one part or over several."""
    assert len(decoded(encoding, [PACK[encoding](bytes(2000))], 2000)) == 2000
    for bodies in ((bytes(2001),), (bytes(1500), bytes(501))):
        with pytest.raises(pp.ResponseTooLarge):
            decoded(encoding, [b"".join(map(PACK[encoding], bodies))], 2000)


@compressed
def test_a_bomb_is_never_held(encoding: str) -> None:
    """A small chunk that would swell to 100 MB is refused without that memory being taken."""
    bomb = PACK[encoding](bytes(100_000_000))
    decoded(encoding, [PACK[encoding](b"")])  # what the first use imports is not counted
    tracemalloc.start()
    with pytest.raises(pp.ResponseTooLarge):
        decoded(encoding, [bomb], 2000)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 20_000_000


def test_a_zstd_window_over_8_mb_is_refused() -> None:
    """RFC 9659 lets a decoder refuse it, so that no header makes us hold more."""
    parameter = zstd.CompressionParameter
    for window_log, is_taken in ((23, True), (24, False)):
        packer = zstd.ZstdCompressor(options={parameter.window_log: window_log, parameter.content_size_flag: 0})
        packed = packer.compress(TEXT) + packer.flush()
        if is_taken:
            assert decoded("zstd", [packed]) == TEXT
        else:
            with pytest.raises(pp.MalformedResponse, match="zstd"):
                decoded("zstd", [packed])


def test_headers_are_capped_in_number_and_bytes() -> None:
    """256 headers and exactly the cap of bytes pass, one more of either does not."""
    assert pp.headers_in([(b"A", b"1"), (b"a", b"\xe9")], 4) == {"a": "1, \u00e9"}
    assert len(pp.headers_in([(b"x%d" % i, b"") for i in range(256)], 2000)) == 256
    for raw in ([(b"a", b"1"), (b"b", b"234")], [(b"x", b"")] * 257):
        with pytest.raises(pp.ResponseTooLarge, match="max_header_bytes"):
            pp.headers_in(raw, 5 if len(raw) == 2 else 10_000)


@pytest.mark.parametrize("headers", [{"a b": "c"}, {"": "c"}, {"a:": "c"}, {"\u00e9": "c"}, {"a": "\u00e9"}])
def test_headers_that_http_forbids_are_refused_without_being_repeated(headers: dict[str, str]) -> None:
    """No library gets the chance to send them its own way."""
    with pytest.raises(pp.InvalidRequestError, match="not valid in HTTP") as caught:
        pp.headers_out(headers, is_stream=False)
    assert "\u00e9" not in str(caught.value)


@pytest.mark.parametrize(
    ("base_url", "where"),
    [
        ("https://u:p@api.test/v1", "api.test:443"),
        ("http://api.test", "api.test:80"),
        ("http://API.test:8080/v1?x=1", "api.test:8080"),
        ("http://[::1]:1", "::1:1"),
    ],
)
def test_where_of_tells_host_and_port_alone(base_url: str, where: str) -> None:
    """Neither user, password nor path is told of an address."""
    assert pp.where_of(base_url) == where


def test_one_context_serves_all_transports(tmp_path: Path) -> None:
    """Certificates are loaded once; a context of the host's own is taken as it is."""
    assert pp.tls_context(TransportOptions()) is pp.tls_context(TransportOptions(max_connections=3))
    own = ssl.create_default_context()
    assert pp.tls_context(TransportOptions(verify=own)) is own
    unchecked = pp.tls_context(TransportOptions(verify=False))
    assert (unchecked.check_hostname, unchecked.verify_mode) == (False, ssl.CERT_NONE)
    for options in (TransportOptions(verify=str(tmp_path / "none")), TransportOptions(client_cert=str(tmp_path / "none"))):
        with pytest.raises(pp.ConfigError, match=r"^(verify|client_cert): .*none"):
            pp.tls_context(options)


@pytest.mark.parametrize("option", ["idle_timeout_s", "max_header_bytes", "max_connections"])
def test_options_are_checked(option: str) -> None:
    """0 is no limit that anything could keep."""
    wrong: dict[str, Any] = {option: 0}
    with pytest.raises(ValueError, match=option):
        TransportOptions(**wrong)


@pytest.mark.anyio
@pytest.mark.parametrize(("idle_timeout_s", "error"), [(5.0, pp.ProviderTimeout), (20.0, pp.DeadlineExceeded)])
async def test_a_wait_ends_at_whichever_comes_first(idle_timeout_s: float, error: type[pp.PingPongError]) -> None:
    """Silence and deadline are one wait on the clock, and the error tells which it was."""
    clock = FakeClock(epoch=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(error), pp.waiting(clock, 10.0, idle_timeout_s, "api.test:443"):
        await clock.sleep(3600)
    assert clock.utc_now() == clock.epoch + timedelta(seconds=min(idle_timeout_s, 10.0))
