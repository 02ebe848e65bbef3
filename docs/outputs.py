"""
The outputs of commands that the pages show: `python docs/outputs.py` runs each command and writes what it prints.

A page marks one by a comment, `<!-- output of: pingpong plan "hello" -->`, before a fenced block of text.
Commands run without a key, 100 columns wide, in a folder that holds the last TOML block before them as its pingpong.toml,
else nothing, with the simulator's seed fixed. `--check` compares and writes nothing; times differ from run to run, so they
are compared by their unit alone.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
_SHOWN = re.compile(r"(?P<head><!-- output of: (?P<command>.+?) -->\n\n```text\n)(?P<output>.*?)(?=```)", re.DOTALL)
_CONFIG = re.compile(r"```toml\n(.*?)```", re.DOTALL)
_TIMES = re.compile(r"\d+(\.\d+)? ?(?=m?s\b)")
_PADDING = re.compile(r"[ ─━]{2,}")


def pages() -> list[Path]:
    """Every page that may show an output."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def printed(command: str, config: str) -> str:
    """What a command prints on a machine without keys, both streams as a terminal would show them."""
    program, *arguments = shlex.split(command)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pingpong.toml").write_text(f"{config}\n[simulator]\nseed = 1\n")
        env = {"PATH": path, "HOME": folder, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
        run = subprocess.run(
            [program, *arguments], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60
        )
    lines = [line.rstrip() for line in run.stdout.splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def timeless(output: str) -> str:
    """An output without its times, and without the padding of tables, whose width hangs on them."""
    return _PADDING.sub(" ", _TIMES.sub("#", output))


def renewed(text: str) -> str:
    """A page with each output as the command gives it now; one that differs by its times alone stays."""

    def renew(shown: re.Match[str]) -> str:
        configs = _CONFIG.findall(text, 0, shown.start())
        now = printed(shown["command"], configs[-1] if configs else "")
        return shown[0] if timeless(now) == timeless(shown["output"]) else shown["head"] + now

    return _SHOWN.sub(renew, text)


def main(arguments: list[str]) -> int:
    """Write the pages anew, or with `--check` name those that are out of date."""
    stale = [(page, text) for page in pages() if (text := renewed(page.read_text())) != page.read_text()]
    for page, text in stale:
        sys.stdout.write(f"{page.relative_to(ROOT)} is out of date\n")
        if "--check" not in arguments:
            page.write_text(text)
    return int("--check" in arguments and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
