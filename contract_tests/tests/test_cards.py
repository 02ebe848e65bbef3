"""`models.json` out of `models.toml`, and what is refused on the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pingpong import ConfigError
from pingpong_contract.cards import cards_from_toml, json_from_cards, main, provider_from_folder, target_of

CARD = """
[[model]]
model = "ace-1"
endpoints = ["chat/completions"]
context_tokens = 200000
capabilities = ["tools", "streaming"]
source_url = "https://example.org/models"
as_of = 2026-01-31
"""
PRICE = """
[model.price]
input_usd_per_mtok = "0.250"
output_usd_per_mtok = "1E+1"
source_url = "https://example.org/prices"
as_of = 2026-01-31
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A driver folder with one model."""
    folder = tmp_path / "ace"
    (folder / "src" / "pingpong_ace_two").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[project]\nname = "pingpong-ace-two"\n')
    (folder / "models.toml").write_text(CARD + PRICE)
    return folder


def test_the_provider_is_the_distribution_without_its_prefix(folder: Path) -> None:
    """The distribution's name gives the provider; a folder without one gives its own name."""
    assert provider_from_folder(folder) == "ace-two"
    (folder / "pyproject.toml").unlink()
    assert provider_from_folder(folder) == "ace"


def test_written_cards_pass_the_check_until_they_differ(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What the command writes, its check accepts; a changed source is an exit of 1 that names the file and the fix."""
    assert main([str(folder), "--check"]) == 1
    assert main([str(folder)]) == 0
    assert main([str(folder), "--check"]) == 0
    (folder / "models.toml").write_text(CARD)
    capsys.readouterr()
    assert main([str(folder), "--check"]) == 1
    assert "differs from models.toml" in capsys.readouterr().err


def test_cards_hold_decimals_as_strings_and_iso_dates(folder: Path) -> None:
    """Prices stay exact strings, dates become ISO text, the provider is filled in, sets are sorted."""
    main([str(folder)])
    (card,) = json.loads(target_of(folder, "ace-two").read_text())["cards"]
    assert card["provider"] == "ace-two"
    assert card["capabilities"] == ["streaming", "tools"]
    assert card["as_of"] == "2026-01-31"
    assert (card["price"]["input_usd_per_mtok"], card["price"]["output_usd_per_mtok"]) == ("0.250", "10")


def test_equal_cards_give_equal_text(tmp_path: Path) -> None:
    """The order of keys in the source does not reach the generated file."""
    lines = CARD.strip().splitlines()
    texts = []
    for i, source in enumerate((lines, [lines[0], *reversed(lines[1:])])):
        file = tmp_path / f"{i}.toml"
        file.write_text("\n".join(source))
        texts.append(json_from_cards(cards_from_toml(file, "ace")))
    assert texts[0] == texts[1]


BROKEN = {
    "not TOML": ("[[model", "not valid TOML"),
    "no models": ("", "no [[model]] tables"),
    "a stray key": ('x = 1\n[[model]]\nmodel = "a"', "unknown top-level key 'x'"),
    "a provider": (CARD + 'provider = "ace"\n', "provider: leave it out"),
    "an unknown key": (CARD + "colour = 1\n", "model 'ace-1': colour: unknown key"),
    "no model name": (CARD.replace('model = "ace-1"\n', ""), "model[0]: model: missing"),
    "no date": (CARD.replace("as_of = 2026-01-31", ""), "as_of: missing"),
    "an empty source": (CARD.replace("https://example.org/models", ""), "source_url: empty"),
    "a date in quotes": (CARD.replace("2026-01-31", '"2026-01-31"'), "as_of: expected a date"),
    "an unknown capability": (CARD.replace("streaming", "flying"), "capabilities[1]: 'flying' is none of"),
    "a number for a list": (CARD.replace('["chat/completions"]', "1"), "endpoints: expected a list"),
    "a negative size": (CARD.replace("200000", "-1"), "context_tokens: -1 is negative"),
    "a fractional size": (CARD.replace("200000", "1.5"), "context_tokens: expected an integer"),
    "a truth as a size": (CARD.replace("200000", "true"), "context_tokens: expected an integer"),
    "skill above one": (CARD + "skill = 2\n", "skill: 2 is above 1"),
    "a price as a float": (CARD + PRICE.replace('"0.250"', "0.25"), "price.input_usd_per_mtok: expected a decimal string"),
    "a price in words": (CARD + PRICE.replace("0.250", "cheap"), "price.input_usd_per_mtok: 'cheap' is no decimal"),
    "an endless price": (CARD + PRICE.replace("0.250", "NaN"), "price.input_usd_per_mtok: 'NaN' is no price"),
    "half a price": (CARD + PRICE.replace('input_usd_per_mtok = "0.250"', ""), "price.input_usd_per_mtok: missing"),
    "a price without source": (CARD + PRICE.replace("https://example.org/prices", ""), "price.source_url: empty"),
    "a unit price as a list": (CARD + PRICE + "other_usd_per_unit = []\n", "price.other_usd_per_unit: expected a table"),
    "an unordered tier": (
        CARD + PRICE + 2 * '[[model.price.tiers]]\nabove_input_tokens = 1\ninput_usd_per_mtok = "1"\noutput_usd_per_mtok = "1"\n',
        "price.tiers: above_input_tokens must rise",
    ),
    "a table as limits": (CARD + "rate_limits = 3\n", "rate_limits: expected a table"),
    "the same model twice": (CARD + CARD, "the name 'ace-1' is taken twice"),
    "an alias taken": (CARD + 'aliases = ["ace-1"]\n', "the name 'ace-1' is taken twice"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_source_is_refused_with_its_place(tmp_path: Path, name: str) -> None:
    """Every mistake is refused with the file, the key path and what to do."""
    text, message = BROKEN[name]
    file = tmp_path / "models.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        cards_from_toml(file, "ace")
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


def test_missing_files_and_folders_are_named(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong folder, a missing source, a missing package and a wrong distribution name each end with 1 and their path."""
    (folder / "src" / "pingpong_ace_two").rmdir()
    bare, misnamed = tmp_path / "bare", tmp_path / "misnamed"
    bare.mkdir()
    misnamed.mkdir()
    (misnamed / "pyproject.toml").write_text('[project]\nname = "ace"\n')
    for path, message in (
        (tmp_path / "nowhere", "no such folder"),
        (folder, "no such folder"),
        (bare, "no such file"),
        (misnamed, "name the distribution pingpong-<provider>"),
    ):
        assert main([str(path)]) == 1
        said = capsys.readouterr().err
        assert message in said
        assert str(path) in said
