"""The limits that keep the house small and its walls standing: sizes, who may import what, names, the cost of an import."""

import ast
import io
import json
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pingpong
import pytest

ROOT = Path(__file__).parents[2]
KERNEL = ROOT / "core/src/pingpong"
KERNEL_CAP = 3280  # what the kernel has, and why: adr/0013 and adr/0017
TESTING_CAP = 400
FILE_CAP = 400

IMPURE_KERNEL = {"_attempts", "_client", "_registry", "_runner", "_runs", "_sync", "_transport", "hookspecs", "testing"}
"""The files of the kernel that run, find or time something; every other one, of today and tomorrow, is pure."""

PURE_FOLDERS = ("plugins/drivers", "plugins/policies", "plugins/libraries")
IMPURE = {"anyio", "asyncio", "trio", "httpx", "httpx2", "pluggy", "time", "random", "os"}
NAMES: dict[str, str] = vars(pingpong)["_MODULE_OF"]
LATE = ("httpx", "httpx2", "httpcore", "httpcore2", "cattrs", "openai", "anthropic", "google.genai")


def source_files() -> Iterator[Path]:
    for folder in (ROOT / "core/src", ROOT / "contract_tests/src", *ROOT.glob("plugins/*/*/src")):
        yield from folder.rglob("*.py")


def code_lines(text: str) -> int:
    """Lines that hold code: no blank, comment or docstring line."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in layout:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            lines.difference_update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return len(lines)


def top_level_imports(text: str) -> set[str]:
    """Every module that a file imports, anywhere in it, by its first name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


def pure_files() -> list[Path]:
    plugins = [path for folder in PURE_FOLDERS for path in (ROOT / folder).glob("*/src/**/*.py")]
    kernel = [path for path in KERNEL.glob("*.py") if path.stem not in IMPURE_KERNEL]
    return sorted(kernel) + sorted(plugins)


def test_counting_leaves_out_what_is_no_code() -> None:
    """Blank lines, comments and docstrings do not count; every line of a call does."""
    assert code_lines('"""Module."""\n\n# why\nx = f(\n    1,\n)\n\ndef f():\n    """Doc."""\n    return 1\n') == 5


def test_the_kernel_keeps_to_its_lines() -> None:
    """core/src holds no more lines of code than adr/0017 allows, the public fakes apart."""
    counted = {path.name: code_lines(path.read_text()) for path in KERNEL.rglob("*.py") if path.name != "testing.py"}
    total = sum(counted.values())
    assert total <= KERNEL_CAP, f"{total} lines: {json.dumps(dict(sorted(counted.items(), key=lambda item: -item[1])))}"


def test_the_fakes_keep_to_their_lines() -> None:
    """testing.py holds at most 400 lines of code."""
    assert code_lines((KERNEL / "testing.py").read_text()) <= TESTING_CAP


def test_no_source_file_is_long() -> None:
    """No source file of any package has more than 400 lines."""
    long = {str(p.relative_to(ROOT)): n for p in source_files() if (n := len(p.read_text().splitlines())) > FILE_CAP}
    assert long == {}


@pytest.mark.parametrize("path", pure_files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_pure_files_import_nothing_that_does_something(path: Path) -> None:
    """Records, codecs, dialects, estimators and policies know no clock, chance, environment, event loop or socket."""
    assert top_level_imports(path.read_text()) & IMPURE == set()


def test_an_impure_import_is_seen_wherever_it_stands() -> None:
    """An import inside a function counts as one at the top does; one of the package's own modules does not."""
    text = "from . import time\nfrom pingpong import os\ndef f():\n    import random.x\n    from anyio.abc import y\n"
    assert top_level_imports(text) & IMPURE == {"random", "anyio"}


def test_the_kernel_calls_no_plugin_by_name() -> None:
    """Core, its tests included, imports no plugin and not the contract suite."""
    names = {module for path in (ROOT / "core").rglob("*.py") for module in top_level_imports(path.read_text())}
    assert {name for name in names if name.startswith("pingpong_")} == set()


def test_stub_and_table_name_the_same() -> None:
    """What type checkers see is what can be imported."""
    stub = ast.parse((KERNEL / "__init__.pyi").read_text())
    in_stub = {(alias.asname, node.module) for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    in_table = {(name, f"pingpong.{module}") for name, module in NAMES.items()}
    assert in_stub == in_table


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_public_name_imports(name: str) -> None:
    """Each name of the table is an attribute of the package."""
    assert getattr(pingpong, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    """The lazy table does not hide a misspelt name."""
    with pytest.raises(AttributeError, match="no attribute 'Cleint'"):
        vars(pingpong)["__getattr__"]("Cleint")


def test_dir_lists_the_public_names() -> None:
    """Interactive completion sees names that are not imported yet."""
    assert set(NAMES) <= set(dir(pingpong))


def test_the_import_is_light() -> None:
    """`import pingpong`, touching Client and Request, loads no HTTP client, no cattrs and no provider's SDK."""
    program = "import json, sys, pingpong; pingpong.Client, pingpong.Request; print(json.dumps([*sys.modules]))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(json.loads(run.stdout)) & set(LATE) == set()
