"""What the pages list is what there is: public names, settings, outputs of commands."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import attrs
import pingpong
import pytest
from pingpong import Client, Config, DriverOptions, TransportOptions

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CONFIGURE = (DOCS / "how-to/configure.md").read_text()
NAMES = vars(pingpong)["_MODULE_OF"]


def rows(heading: str) -> dict[str, str]:
    """First two cells of each row of the table under a heading of the configuration page, without their marks."""
    section = CONFIGURE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    found = re.findall(r"^\| `(\w+)` \|([^|]*)\|", section, re.MULTILINE)
    return {name: default.strip("` ") for name, default in found}


def defaults(record: type[attrs.AttrsInstance]) -> dict[str, str]:
    """What a record's fields are where nothing is said, as TOML would write it; "" for nothing."""
    made = record()
    return {field.name: toml(getattr(made, field.name)) for field in attrs.fields(record)}


def toml(value: object) -> str:
    if value is None or value == () or value == {} or attrs.has(type(value)):
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def test_the_reference_names_every_public_name() -> None:
    """Each name that `pingpong` exports stands on exactly one page, and no other name does."""
    pages = "\n".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    shown = re.findall(r"^::: pingpong\.([A-Za-z_]+)$", pages, re.MULTILINE)
    assert sorted(shown) == sorted([*NAMES, "hookspecs", "testing"])


@pytest.mark.parametrize(
    ("heading", "record", "left_out"),
    [("Top level", Config, {"path"}), ("`[drivers.NAME]`", DriverOptions, set()), ("`[transport]`", TransportOptions, set())],
)
def test_the_settings_page_lists_every_key(heading: str, record: type[attrs.AttrsInstance], left_out: set[str]) -> None:
    """Each table of the page holds its record's keys with their defaults."""
    assert rows(heading) == {name: default for name, default in defaults(record).items() if name not in left_out}


def test_the_example_of_a_configuration_is_one(tmp_path: Path) -> None:
    """The file that the page shows opens a client, and sets what it says."""
    text = re.findall(r"^```toml\n(.*?)^```$", CONFIGURE, re.MULTILINE | re.DOTALL)[0]
    file = tmp_path / "pingpong.toml"
    file.write_text(text)
    client = Client.from_file(file, env={"OPENAI_API_KEY": "sk-test"})
    assert client.config.strategy == tomllib.loads(text)["strategy"]
    assert client.is_simulated is False


def test_shown_outputs_are_what_commands_print() -> None:
    """Every output on a page is what the command gives now, times apart."""
    run = subprocess.run([sys.executable, DOCS / "outputs.py", "--check"], capture_output=True, text=True)
    assert (run.stdout, run.stderr, run.returncode) == ("", "", 0)


def test_the_exit_codes_are_those_of_the_help() -> None:
    """The table lists the codes that `pingpong --help` lists."""
    page = (DOCS / "reference/cli.md").read_text()
    shown = page.partition("Exit codes:\n")[2].partition("```")[0]
    assert re.findall(r"^\| (\d+) \|", page, re.MULTILINE) == re.findall(r"^ +(\d+)  ", shown, re.MULTILINE)


def test_every_sentence_has_its_line() -> None:
    """No line of prose on a page holds two sentences."""
    two = re.compile(r"[a-z\d)`\"]\. [A-Z]")
    found = [f"{page.relative_to(ROOT)}: {line}" for page in pages() for line in prose(page) if two.search(line)]
    assert found == []


def pages() -> list[Path]:
    return [ROOT / "README.md", *DOCS.rglob("*.md")]


def prose(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [line.lstrip("0123456789. ") for line in text.splitlines() if not line.startswith("|")]
