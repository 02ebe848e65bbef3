"""What the simulator can be told in the configuration's `[simulator]` table."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from attrs import field, fields_dict, frozen
from pingpong import ConfigError, InvalidRequestError

from pingpong_simulator.faults import FaultScript, check_models, script_from_table


@frozen(kw_only=True)
class SimulatorOptions:
    """
    How the simulator behaves.

    Attributes:
        seed: Decides every answer; None takes the client's.
        latency: Scale of the pace, >= 0; 1 is brisk but believable, 0 answers at once.
        faults: By full model id, faults for its requests in turn.
    """

    seed: int | None = None
    latency: float = 1.0
    faults: FaultScript = field(factory=lambda: FaultScript({}))


def options_from_table(
    table: Mapping[str, Any], path: str = "[simulator]", models: Collection[str] | None = None
) -> SimulatorOptions:
    """
    The options in a table.

    Args:
        models: Full ids of those that faults can be for; None for any.

    Raises:
        ConfigError: Names the key and the fix.
    """
    known = fields_dict(SimulatorOptions)
    for name in table:
        if name not in known:
            near = get_close_matches(name, known, 1)
            raise ConfigError(f"{path}: {name} is no setting{f'; did you mean {near[0]}?' if near else '.'}")
    seed, latency, faults = table.get("seed"), table.get("latency", 1.0), table.get("faults", {})
    if seed is not None and (not isinstance(seed, int) or isinstance(seed, bool)):
        raise ConfigError(f"{path}: seed must be a whole number.")
    if isinstance(latency, bool) or not isinstance(latency, int | float) or not 0 <= latency < math.inf:
        raise ConfigError(f"{path}: latency must be a number from 0 (at once) up; 1 is the usual pace.")
    if not isinstance(faults, Mapping):
        raise ConfigError(f'{path}: faults must be a table of models, such as "openai:gpt-5.4-mini" = ["429", "ok"].')
    try:
        script = script_from_table(faults)
        if models is not None:
            check_models(script, models)
    except InvalidRequestError as exc:
        raise ConfigError(f"{path}: {exc}") from exc
    return SimulatorOptions(seed=seed, latency=float(latency), faults=script)
