"""Starts and ends the scripted provider."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pingpong import PluginError

from pingpong_bench.scenarios import Size

END_TIMEOUT_S = 5.0


@contextmanager
def serving(size: Size) -> Iterator[str]:
    """
    The address of a scripted provider in a process of its own, which is ended on the way out by its own id.

    It leads a session of its own, so that Ctrl-C reaches this process alone, and ends by itself when this one is gone.
    """
    arguments = map(str, (size.burst_words, size.paced_words, size.interval_ms))
    command = [sys.executable, "-m", "pingpong_bench.server", *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, start_new_session=True)  # noqa: S603  # our own program
    with process:
        assert process.stdin is not None  # noqa: S101  # it is a pipe
        assert process.stdout is not None  # noqa: S101  # it is a pipe
        try:
            port = process.stdout.readline().strip()
            if not port:
                raise PluginError("The local server of the measurement did not start; its own message says why.")
            yield f"http://127.0.0.1:{int(port)}"
        finally:
            process.stdin.close()
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
