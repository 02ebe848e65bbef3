"""
For the reference: lists every field of an attrs record, with its type and default, in the order of the class.

A record's docstring says of its fields only what their names and types do not; readers of the reference want all of them.
"""

import re
from typing import Any

import griffe

_ROW = re.compile(r"^    (?P<names>[a-z]\w*(?:, [a-z]\w*)*): (?P<text>.*(?:\n {5,}.*)*)", re.MULTILINE)
_SECTION = re.compile(r"^Attributes:\n(?P<rows>(?:    .*\n?)+)", re.MULTILINE)


def is_record(cls: griffe.Class) -> bool:
    """Whether attrs makes the class's constructor."""
    return any(str(d.value).partition("(")[0] in ("frozen", "define") for d in cls.decorators)


def fields_of(cls: griffe.Class) -> list[griffe.Attribute]:
    """The public fields of a record, those of a private parent first."""
    parents = [base for base in cls.resolved_bases if isinstance(base, griffe.Class) and is_record(base)]
    inherited = [field for base in parents for field in fields_of(base)]
    own = [m for m in cls.members.values() if isinstance(m, griffe.Attribute) and not m.name.startswith("_")]
    own = [m for m in own if m.annotation is not None and "property" not in m.labels]
    return inherited + [m for m in own if "ClassVar" not in str(m.annotation)]


def default_of(field: griffe.Attribute) -> str:
    """What stands for the field where the caller leaves it out, as Markdown; "" where it cannot be left out."""
    value = str(field.value) if field.value is not None else ""
    if value.startswith("field("):
        match = re.search(r"\b(?:default|factory)=((?:[^(),]|\([^()]*\))+)", value)
        value = match[1] if match else ""
        value = {"dict": "{}", "list": "[]"}.get(value, "" if value.startswith("lambda") else value)
    return f" Default: `{value}`." if value else ""


def described(text: str) -> dict[str, str]:
    """What a docstring's rows say, by field; a row may describe several."""
    rows = [(row["names"].split(", "), row["text"]) for row in _ROW.finditer(text)]
    # Markdown takes a ">" at the start for a quotation.
    return {name: text.replace(">=", "≥", 1) if text.startswith(">=") else text for names, text in rows for name in names}


class Records(griffe.Extension):
    """Rewrites the `Attributes:` section of each record before the docstring is parsed."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Once all modules are read, so that parents are known."""
        for module in pkg.modules.values():
            for cls in module.classes.values():
                if not cls.is_alias and cls.docstring is not None and is_record(cls):
                    cls.docstring.value = self._rewritten(cls, cls.docstring.value)

    def _rewritten(self, cls: griffe.Class, text: str) -> str:
        section = _SECTION.search(text)
        said = described(section["rows"]) if section else {}
        for base in cls.resolved_bases:
            inherited = _SECTION.search(base.docstring.value) if base.docstring else None
            said = described(inherited["rows"]) | said if inherited else said
        fields = fields_of(cls)
        rows = "".join(f"    {f.name} ({f.annotation}): {said.get(f.name, '')}{default_of(f)}\n" for f in fields)
        if not rows:
            return text
        return text.replace(section[0], f"Attributes:\n{rows}") if section else f"{text.rstrip()}\n\nAttributes:\n{rows}"
