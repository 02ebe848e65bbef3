"""The plot that `--plot` writes: ratios to bare httpx as bars, one panel a scenario. matplotlib is imported when it is drawn."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from attrs import frozen
from pingpong import ConfigError

from pingpong_bench.contenders import CONTENDERS, REFERENCE
from pingpong_bench.report import TITLES, Report

SUFFIXES = (".svg", ".png")

INK, GRID, OURS, OTHERS, BASE = "#7d848c", "#7d848c40", "#e8710a", "#8fa3b8", "#5b6b7b"
"""Each is readable on white and on near-black; the ground is left clear."""


@frozen
class Bar:
    """One contender in one scenario."""

    label: str
    ratio: float
    colour: str


@frozen
class Panel:
    """One scenario, its dearest contender first."""

    title: str
    bars: tuple[Bar, ...]


def panels(report: Report) -> tuple[Panel, ...]:
    """What is drawn: scenarios that have a ratio, without the raw relay, which does another job."""
    ours = {c.name for c in CONTENDERS if c.is_ours}
    drawn = []
    for s in report.scenarios:
        ratios = {name: r for name in report.contenders if name != "relay" and (r := report.ratio(s.name, name)) is not None}
        colours = {name: OURS if name in ours else BASE if name == REFERENCE else OTHERS for name in ratios}
        bars = [Bar(TITLES[name], ratio, colours[name]) for name, ratio in sorted(ratios.items(), key=lambda i: -i[1])]
        if bars:
            title = s.title if s.concurrency == 1 or s.kind == "stream" else f"{s.concurrency} calls at a time"
            titles = {"burst": "streamed burst, an event", "paced": "paced streams, an event", "call-1": "1 call at a time"}
            drawn.append(Panel(titles.get(s.name, title), tuple(bars)))
    return tuple(drawn)


def check_plot(path: Path) -> None:
    """Raise `ConfigError` where the plot cannot be drawn, before anything is measured."""
    if path.suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--plot {path}: the name must end in {' or '.join(SUFFIXES)}.")
    if find_spec("matplotlib") is None:
        raise ConfigError("--plot needs matplotlib; install it with: pip install 'pingpong-bench[plot]'")


def draw(report: Report, path: Path) -> None:
    """Write the plot. Raises `OSError` where the file cannot be written."""
    matplotlib: Any = import_module("matplotlib")
    figures: Any = import_module("matplotlib.figure")
    drawn = panels(report)
    n_rows = -(-len(drawn) // 2)
    tallest = max(len(panel.bars) for panel in drawn)
    style = {"svg.fonttype": "none", "svg.hashsalt": "pingpong", "font.size": 10, "text.color": INK, "axes.labelcolor": INK}
    with matplotlib.rc_context({**style, "xtick.color": INK, "ytick.color": INK, "axes.edgecolor": INK}):
        figure = figures.Figure(figsize=(11, n_rows * (0.32 * tallest + 1.0)), layout="constrained")
        grid = figure.subplots(n_rows, 2, squeeze=False, sharex=True)
        places = [place for row in grid for place in row]
        widest = max(bar.ratio for panel in drawn for bar in panel.bars)
        narrowest = min(bar.ratio for panel in drawn for bar in panel.bars)
        for place, panel in zip(places, drawn, strict=False):
            _draw_panel(place, panel, (narrowest / 1.6, widest * 2.2))
        for place in places[len(drawn) :]:
            place.set_axis_off()
        figure.suptitle("CPU time against bare httpx, log scale; less is better", color=INK, fontsize=12)
        figure.savefig(path, transparent=True, dpi=160, metadata={"Date": None} if path.suffix == ".svg" else {})


def _draw_panel(place: Any, panel: Panel, span: tuple[float, float]) -> None:
    labels, ratios = [b.label for b in panel.bars], [b.ratio for b in panel.bars]
    bars = place.barh(labels, ratios, color=[b.colour for b in panel.bars], height=0.7)
    place.bar_label(bars, [f"{ratio:.2f}×" for ratio in ratios], padding=4, fontsize=9, color=INK)
    place.set_xscale("log")
    place.set_xlim(*span)
    place.set_title(panel.title, loc="left", fontsize=11, color=INK)
    place.axvline(1, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=0)
    place.tick_params(which="both", length=0, labelbottom=False)
    place.margins(y=0.02)
    place.grid(axis="x", color=GRID, linewidth=0.6)
    place.set_axisbelow(True)
    for side in ("top", "right", "bottom"):
        place.spines[side].set_visible(False)
