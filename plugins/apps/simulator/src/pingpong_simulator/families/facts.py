"""Facts from the prompt: what the conversation says of whom, followed from name to name. Difficulty: the steps. Pure."""

from __future__ import annotations

import re
from random import Random

from pingpong_simulator.families.solved import Solved, difficulty_from, solved

NAME = "facts"
_TYPICAL_COST = 3.2
_OF = re.compile(r"\b[Tt]he (\w+) of ([A-Z]\w+) is (?:called |named )?(\w+)")
_OWN = re.compile(r"\b([A-Z]\w+)['’]s (\w+) is (?:called |named )?(\w+)")
_MY = re.compile(r"\b[Mm]y ((?:\w+ ){0,2}\w+) is (?:called |named )?(\w+)")
_ASKED_OF = re.compile(r"\b(?:[Ww]ho|[Ww]hat|[Ww]hich \w+)(?: is|['’]s) ((?:the \w+ of )+)([A-Z]\w+)\b")
_ASKED_OWN = re.compile(r"\b(?:[Ww]ho|[Ww]hat|[Ww]hich \w+)(?: is|['’]s) ([A-Z]\w+)['’]s (\w+)\b")
_ASKED_MY = re.compile(r"\b[Ww]hat(?: is|['’]s) my ((?:\w+ ){0,2}\w+)\b")

Facts = dict[tuple[str, str], str]


def solve(question: str, text: str) -> Solved | None:
    """Where the chain of relations in the question leads, by the facts of the whole conversation."""
    facts = _facts(text)
    chain = _chain(question)
    if chain is None or not facts:
        return None
    relations, name = chain
    for relation in relations:
        if (name, relation) not in facts:
            return None
        name = facts[name, relation]
    return solved(NAME, name, difficulty_from(len(relations), _TYPICAL_COST), (*facts.values(), f"Not{name}"))


def _facts(text: str) -> Facts:
    found = {(name, relation): value for relation, name, value in _OF.findall(text)}
    found |= {(name, relation): value for name, relation, value in _OWN.findall(text)}
    return found | {("I", relation.lower()): value for relation, value in _MY.findall(text)}


def _chain(question: str) -> tuple[list[str], str] | None:
    """The relations to follow, nearest first, and whom to start from."""
    if asked := _ASKED_OF.search(question):
        return re.findall(r"the (\w+) of", asked[1])[::-1], asked[2]
    if asked := _ASKED_OWN.search(question):
        return [asked[2]], asked[1]
    if asked := _ASKED_MY.search(question):
        return [asked[1].lower()], "I"
    return None


_NAMES = (
    "Ada", "Bela", "Cato", "Dora", "Egon", "Flora", "Gil", "Hana", "Ivo", "Jana", "Kian", "Lena", "Milo", "Nora",
    "Otto", "Pia",
)  # fmt: skip
_RELATIONS = ("mentor", "deputy", "neighbour", "partner")
_N_FACTS = 9
_INTROS = ("According to the text", "By what is written here", "Going by these notes", "From what you can read here")


def prompt(draw: Random, level: int) -> str:
    """Nine facts, of which a chain of one to six answers the question; their number says nothing of its length."""
    hops = 1 + (level - 1) * 5 // 7
    names = draw.sample(_NAMES, len(_NAMES))
    relations = [draw.choice(_RELATIONS) for _ in range(_N_FACTS)]
    chain = [f"The {relations[i]} of {names[i]} is {names[i + 1]}." for i in range(hops)]
    others = [f"The {relations[i]} of {names[i + 1]} is {names[i + 2]}." for i in range(hops, _N_FACTS)]
    lines = draw.sample([*chain, *others], _N_FACTS)
    asked = "".join(f"the {relation} of " for relation in reversed(relations[:hops]))
    return f"{' '.join(lines)} {draw.choice(_INTROS)}, who is {asked}{names[0]}?"
