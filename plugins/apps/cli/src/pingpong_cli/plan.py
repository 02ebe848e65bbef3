"""`pingpong plan`: what `ask` would do, drawn as a tree; nothing is called."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import click
from pingpong import Call, CostBounds, Decision, Plan, Request

from pingpong_cli.app import App, json_option, verbose_option
from pingpong_cli.prompts import overrides_from, request_from, request_options
from pingpong_cli.reports import children_of, decision_json, decision_table, node_text
from pingpong_cli.text import usd_text

if TYPE_CHECKING:
    from rich.tree import Tree


def make() -> click.Command:
    """The command."""
    return plan


@click.command("plan")
@request_options
@json_option
@verbose_option
@click.pass_obj
def plan(app: App, /, **params: Any) -> None:
    """Show which models `ask` would call for PROMPT, why, and what that can cost. Nothing is called."""
    decision: Decision = anyio.run(_decided, app, request_from(params), overrides_from(params))
    if app.is_json:
        app.print_json(decision_json(decision))
        return
    console = app.console()
    costs = {c.model: c.cost_high_usd for c in decision.candidates}
    console.print(_tree(decision.plan, costs, f"strategy {decision.strategy}"))
    console.print(decision_table(decision))
    console.print(_bounds_line(decision.bounds))


async def _decided(app: App, request: Request, overrides: dict[str, Any]) -> Decision:
    async with app.client_factory(**overrides) as client:
        return await client.plan(request)


def _tree(node: Plan, costs: dict[str, Decimal | None], title: str) -> Tree:
    from rich.tree import Tree

    tree = Tree(title)
    _grow(tree, node, costs)
    return tree


def _grow(tree: Tree, node: Plan, costs: dict[str, Decimal | None]) -> None:
    text = node_text(node)
    if isinstance(node, Call) and costs.get(node.model) is not None:
        text = f"{text}: at most {usd_text(costs[node.model])} each"
    branch = tree.add(text)
    for child in children_of(node):
        _grow(branch, child, costs)


def _bounds_line(bounds: CostBounds | None) -> str:
    if bounds is None:
        return "Its cost is unknown."
    if not bounds.max_attempts:
        return "It costs nothing: no model is called."
    low, high = usd_text(bounds.low_usd), usd_text(bounds.high_usd)
    return f"It costs {low} to {high}, in at most {bounds.max_attempts} attempt{'s' * (bounds.max_attempts != 1)}."
