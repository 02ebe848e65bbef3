"""The examples of the documentation run, and do what their page says."""

import asyncio
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pingpong import AuthenticationError, Client
from starlette.testclient import TestClient

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GOOGLE_API_KEY")


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def snippet(name: str) -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs/snippets" / name))


def programs() -> list[Any]:
    """The Python that pages hold themselves; what they include from a file is tested as that file."""
    found = [(page, b) for page in PAGES for b in re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.M | re.S)]
    return [pytest.param(block, id=page.relative_to(ROOT).as_posix()) for page, block in found if "--8<--" not in block]


@pytest.fixture
def app() -> Iterator[TestClient]:
    with TestClient(snippet("starlette_app.py")["make_app"]()) as client:
        yield client


@pytest.mark.parametrize("program", programs())
def test_a_program_on_a_page_runs(program: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a key it prints the simulator's answer, and an attempt that says what it cost."""
    exec(compile(program, "page", "exec"), {"__name__": "__main__"})  # noqa: S102  # our own pages
    assert re.search(r"^\w+:\S+ success 0\.\d+ \d+ ms$", capsys.readouterr().out, re.MULTILINE)


def test_the_app_answers_whole(app: TestClient) -> None:
    """/ask gives the text, its cost as decimal text, and the models that were called."""
    told = app.post("/ask", json={"prompt": "What is 12 + 30?"}).json()
    assert told["text"]
    assert float(told["cost_usd"]) > 0
    assert [model.partition(":")[1] for model in told["models"]] == [":"]


def test_the_app_streams(app: TestClient) -> None:
    """/stream gives text as text."""
    answer = app.post("/stream", content="What is 12 + 30?")
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text


def test_the_app_says_whose_fault_it_was(app: TestClient) -> None:
    """An empty prompt is the caller's: 400, with kind and whether to try again."""
    answer = app.post("/ask", json={"prompt": " "})
    assert answer.status_code == 400
    assert (answer.json()["error"]["kind"], answer.json()["error"]["retryable"]) == ("invalid_request", False)


def test_a_handed_in_http_client_carries_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request leaves through the host's own client, with the key, and the host's client stays open."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    seen: list[httpx.Request] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(401, json={"error": {"message": "no", "type": "invalid_request_error", "code": "invalid_api_key"}})

    async def ask() -> bool:
        async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as http:
            with pytest.raises(AuthenticationError):
                await snippet("own_http_client.py")["answer"]("hello", http)
            return http.is_closed

    assert asyncio.run(ask()) is False
    assert [request.headers["authorization"] for request in seen] == ["Bearer sk-test"]


def test_the_example_test_passes() -> None:
    """What the page shows as a test is one, and passes."""
    told = asyncio.run(snippet("test_with_fakes.py")["ask_twice_at_most"]())
    assert told == ("hello", ["failed", "success"])


def test_the_examples_hold_no_hidden_setup() -> None:
    """A client from an environment without keys, as the pages open it, is simulated and says so."""
    assert Client.from_env(env={}).is_simulated
