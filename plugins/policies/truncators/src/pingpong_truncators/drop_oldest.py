"""
The truncator `drop-oldest`. Pure.

Messages are dropped in groups: an assistant message with tool calls goes with the messages that answer them, everything
else goes alone. What is left always begins with a user message, as providers want it, system messages apart.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence

from attrs import evolve, frozen
from pingpong import CannotFit, CountTokens, Message, Outcome, Request, Role, ToolCall, ToolCallResponse, Truncation


@frozen
class Group:
    """Messages that stay or go together: their indices, ascending."""

    members: tuple[int, ...]
    is_user: bool
    is_kept: bool


def groups_of(messages: Sequence[Message]) -> list[Group]:
    """
    The messages in groups, by their first member.

    Calls and answers match by call id, the nearest call before the answer, because providers without ids repeat them.
    Kept are system messages, groups with a pinned message, the last user message, the last group of all, and the
    question that opens the turn of a kept group.
    """
    owner: dict[str, int] = {}
    members: dict[int, list[int]] = {}
    for i, message in enumerate(messages):
        homes = [owner[p.call_id] for p in message.parts if isinstance(p, ToolCallResponse) and p.call_id in owner]
        home = min(homes, default=i)
        for other in {*homes} - {home}:
            members[home] += members.pop(other)
            owner = {call: home if at == other else at for call, at in owner.items()}
        members.setdefault(home, []).append(i)
        owner |= {p.call_id: home for p in message.parts if isinstance(p, ToolCall)}
    return _kept(messages, [tuple(sorted(m)) for _, m in sorted(members.items())])


def _kept(messages: Sequence[Message], groups: list[tuple[int, ...]]) -> list[Group]:
    last_user = max((i for i, m in enumerate(messages) if m.role is Role.user), default=-1)
    found: list[Group] = []
    needs_question = False
    for n, members in reversed([*enumerate(groups)]):
        first = messages[members[0]]
        is_user = first.role is Role.user
        must = first.role is Role.system or members[0] == last_user or n == len(groups) - 1
        is_kept = must or any(messages[i].is_pinned for i in members) or (is_user and needs_question)
        needs_question = not is_user and (needs_question or (is_kept and first.role is not Role.system))
        found.append(Group(members, is_user, is_kept))
    return found[::-1]


def cuts_of(groups: Sequence[Group]) -> tuple[list[int], list[int]]:
    """
    What may be dropped: the indices in the order in which they go, and how many of them each cut takes, ascending.

    A cut falls before a question, or anywhere behind the last one.
    """
    last_user = max((n for n, g in enumerate(groups) if g.is_user), default=-1)
    order: list[int] = []
    cuts: list[int] = []
    for n, group in enumerate(groups):
        if group.is_user or n > last_user:
            cuts.append(len(order))
        if not group.is_kept:
            order += group.members
    return order, sorted({*cuts, len(order)} - {0})


@frozen(kw_only=True)
class DropOldest:
    """
    Leaves out the oldest turns until the request fits.

    Identity where it fits already; idempotent; a larger limit keeps at least as much. The counter is asked
    O(log n_messages) times, and is taken to grow with the messages.
    """

    def step(self, request: Request, limit_tokens: int, count: CountTokens, answers: tuple[Outcome, ...]) -> Truncation:
        """
        The request without its oldest messages, and their indices.

        Raises:
            CannotFit: System and pinned messages and the last turn alone are larger than `limit_tokens`.
        """
        if count(request) <= limit_tokens:
            return Truncation(request=request)
        order, cuts = cuts_of(groups_of(request.messages))
        at = bisect_left(cuts, True, key=lambda taken: count(_without(request, order[:taken])) <= limit_tokens)
        if at == len(cuts):
            least = count(_without(request, order))
            raise CannotFit(
                f"What must stay (system and pinned messages, the last question) takes {least:,} tokens, and there is room "
                f"for {max(limit_tokens, 0):,}. Shorten it, lower max_output_tokens, or choose a model with a larger context."
            )
        gone = order[: cuts[at]]
        return Truncation(request=_without(request, gone), dropped=tuple(sorted(gone)))


def _without(request: Request, gone: Collection[int]) -> Request:
    out = frozenset(gone)
    return evolve(request, messages=tuple(m for i, m in enumerate(request.messages) if i not in out))
