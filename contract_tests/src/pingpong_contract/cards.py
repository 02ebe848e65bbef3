"""
`models.json` out of `models.toml`: the cards that the kernel reads, from the file that people write.

    python -m pingpong_contract.cards DRIVER_FOLDER... [--check]

`models.toml` holds `[[model]]` tables with the field names of `pingpong.Card`, `provider` left out, and of `pingpong.Price`
in the sub-table `price`. Decimals are strings, dates are TOML dates. `--check` compares and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import attrs
from pingpong import Card, ConfigError, Price, PriceTier, RateLimits

_RECORDS: tuple[type, ...] = (Card, Price, PriceTier, RateLimits)
_NEEDED = frozenset({"source_url", "as_of"})
"""Optional for the kernel, needed of every card and price here: a figure without source and date is nobody's."""


def provider_from_folder(folder: Path) -> str:
    """
    The provider that a driver folder serves: its distribution's name without `pingpong-`, else the folder's own name.

    Raises:
        ConfigError: The folder is missing, or its distribution is not named `pingpong-<name>`.
    """
    if not folder.is_dir():
        raise ConfigError(f"{folder}: no such folder; name a driver's folder, as in plugins/drivers/openai.")
    file = folder / "pyproject.toml"
    if not file.is_file():
        return folder.resolve().name
    name = str(_toml(file).get("project", {}).get("name", ""))
    if not name.startswith("pingpong-") or name == "pingpong-":
        raise ConfigError(f"{file}: project.name is {name!r}; name the distribution pingpong-<provider>.")
    return name.removeprefix("pingpong-")


def cards_from_toml(file: Path, provider: str) -> list[dict[str, Any]]:
    """
    The cards of a `models.toml`, in its order, as JSON values.

    Raises:
        ConfigError: Something is missing, unknown or of the wrong kind; names file, model, key path and fix.
    """
    if not file.is_file():
        raise ConfigError(f"{file}: no such file; write the driver's models there as [[model]] tables.")
    document = _toml(file)
    if unknown := sorted(set(document) - {"model"}):
        raise ConfigError(f"{file}: unknown top-level key {unknown[0]!r}; only [[model]] tables belong here.")
    tables = document.get("model")
    if not isinstance(tables, list) or not tables:
        raise ConfigError(f"{file}: no [[model]] tables; write one for each model.")
    cards: list[dict[str, Any]] = []
    for i, table in enumerate(tables):
        named = table.get("model") if isinstance(table, dict) else None
        where = f"{file}: model {named!r}" if isinstance(named, str) else f"{file}: model[{i}]"
        if isinstance(table, dict) and "provider" in table:
            raise ConfigError(f"{where}: provider: leave it out; it is {provider!r} for every model of this driver.")
        card = _record(Card, table if not isinstance(table, dict) else {**table, "provider": provider}, where, "")
        _check_card(card, where)
        cards.append(card)
    _check_names(cards, file)
    return cards


def json_from_cards(cards: Sequence[Mapping[str, Any]]) -> str:
    """The text of `models.json`; equal cards give equal text."""
    return json.dumps({"cards": cards}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def target_of(folder: Path, provider: str) -> Path:
    """Where a driver folder keeps its generated cards."""
    return folder / "src" / f"pingpong_{provider.replace('-', '_')}" / "models.json"


def _toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{file}: not valid TOML: {exc}.") from exc


def _fail(where: str, path: str, fix: str) -> ConfigError:
    return ConfigError(f"{where}: {path}: {fix}" if path else f"{where}: {fix}")


def _record(kind: type, value: Any, where: str, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _fail(where, path, f"expected a table, found {_shown(value)}.")
    hints = get_type_hints(kind)
    known = {f.name: f for f in attrs.fields(kind)}
    prefix = f"{path}." if path else ""
    for name in value:
        if name not in known:
            raise _fail(where, prefix + name, f"unknown key; {kind.__name__} has {', '.join(sorted(known))}.")
    for name, f in known.items():
        if name not in value and (f.default is attrs.NOTHING or name in _NEEDED):
            raise _fail(where, prefix + name, "missing; add it.")
    return {name: _value(hints[name], item, where, prefix + name) for name, item in value.items()}


def _value(hint: Any, value: Any, where: str, path: str) -> Any:
    if isinstance(hint, UnionType):
        hint = next(arg for arg in get_args(hint) if arg is not type(None))
    origin, args = get_origin(hint), get_args(hint)
    if origin in (tuple, frozenset):
        if not isinstance(value, list):
            raise _fail(where, path, f"expected a list, found {_shown(value)}.")
        items = [_value(args[0], item, where, f"{path}[{i}]") for i, item in enumerate(value)]
        return sorted(set(items)) if origin is frozenset else items
    if origin is dict:
        if not isinstance(value, dict):
            raise _fail(where, path, f"expected a table, found {_shown(value)}.")
        return {key: _value(args[1], item, where, f"{path}.{key}") for key, item in value.items()}
    return _record(hint, value, where, path) if hint in _RECORDS else _scalar(hint, value, where, path)


def _scalar(hint: Any, value: Any, where: str, path: str) -> Any:
    if hint is Decimal:
        return _decimal(value, where, path)
    if hint is date and isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        if value in list(hint):
            return str(value)
        raise _fail(where, path, f"{value!r} is none of {', '.join(hint)}.")
    if hint is str and isinstance(value, str):
        return value
    if hint in (int, float) and isinstance(value, int | hint) and not isinstance(value, bool):
        if value < 0:
            raise _fail(where, path, f"{value} is negative; write what the provider publishes.")
        return value
    wanted = {str: "a string", int: "an integer", float: "a number", date: "a date, as in 2026-01-31 without quotes"}[hint]
    raise _fail(where, path, f"expected {wanted}, found {_shown(value)}.")


def _decimal(value: Any, where: str, path: str) -> str:
    if not isinstance(value, str):
        raise _fail(where, path, f'expected a decimal string, as in "0.25", found {_shown(value)}; put it in quotes.')
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise _fail(where, path, f'{value!r} is no decimal; write it as in "0.25".') from None
    if not amount.is_finite() or amount < 0:
        raise _fail(where, path, f"{value!r} is no price; write a figure of at least 0.")
    return f"{amount:f}"


def _shown(value: Any) -> str:
    return f"{type(value).__name__} {value!r}"


def _check_card(card: Mapping[str, Any], where: str) -> None:
    for name in ("model", "endpoints", "source_url"):
        if not card[name]:
            raise _fail(where, name, "empty; fill it in.")
    if card.get("skill", 0) > 1:
        raise _fail(where, "skill", f"{card['skill']} is above 1; give a share between 0 and 1.")
    price = card.get("price") or {}
    if price and not price["source_url"]:
        raise _fail(where, "price.source_url", "empty; fill it in.")
    bounds = [tier["above_input_tokens"] for tier in price.get("tiers", ())]
    if bounds != sorted(set(bounds)):
        raise _fail(where, "price.tiers", "above_input_tokens must rise from tier to tier; sort them.")


def _check_names(cards: Sequence[Mapping[str, Any]], file: Path) -> None:
    seen: set[str] = set()
    for card in cards:
        for name in (card["model"], *card.get("aliases", ())):
            if name in seen:
                raise ConfigError(f"{file}: model {card['model']!r}: the name {name!r} is taken twice; remove one.")
            seen.add(name)


def _run(folder: Path, *, is_check: bool) -> str | None:
    """What is wrong with the folder's `models.json`, None where all is well; writes it unless checking."""
    provider = provider_from_folder(folder)
    text = json_from_cards(cards_from_toml(folder / "models.toml", provider))
    target = target_of(folder, provider)
    if is_check:
        is_same = target.is_file() and target.read_text(encoding="utf-8") == text
        return None if is_same else f"{target}: differs from models.toml; run python -m pingpong_contract.cards {folder}."
    if not target.parent.is_dir():
        return f"{target.parent}: no such folder; the package of {folder} must be there first."
    target.write_text(text, encoding="utf-8")
    return None


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code of the command: 0 all written or equal, 1 something is wrong and was said on stderr."""
    parser = argparse.ArgumentParser(prog="python -m pingpong_contract.cards", description="models.json out of models.toml")
    parser.add_argument("folders", nargs="+", type=Path, metavar="DRIVER_FOLDER")
    parser.add_argument("--check", action="store_true", help="compare only, exit 1 where they differ")
    options = parser.parse_args(argv)
    failures = 0
    for folder in options.folders:
        try:
            problem = _run(folder, is_check=options.check)
        except ConfigError as exc:
            problem = exc.message
        if problem is not None:
            failures += 1
            sys.stderr.write(problem + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
