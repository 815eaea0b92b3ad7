"""The result as a picture: cost of a caller, delay, gaps and memory of each system, and the capacities."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mirliton.benchmark.result import FLOOR, MIRLITON, Measurement, Result

_COLOURS = {FLOOR: "#999999", MIRLITON: "#009e73"}
_OTHERS = ("#e69f00", "#56b4e9", "#cc79a7", "#d55e00")
_WIDTH = 0.8
_KIBI = 1024


class NoPlot(Exception):
    """The optional package for pictures is not installed."""


def draw(result: Result, path: Path) -> None:
    """Write it as the kind of file that its ending says (.svg, .png, .pdf). Raises `NoPlot` with what to install."""
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot
    except ImportError as error:
        raise NoPlot("no plot: pip install 'mirliton[pictures]'") from error
    figure, axes = pyplot.subplots(3, 2, figsize=(15, 14), layout="constrained")
    found = result.measurements
    heard = [made for made in found if made.system != FLOOR]
    _bars(axes[0][0], "Processor time of a caller (‰ of a core)", found, lambda made: 1000 * made.a_caller)
    _bars(axes[0][1], "Loss (%)", found, lambda made: 100 * made.measured.traffic.loss)
    _bars(axes[1][0], "Packet gap, 99.9 % (ms)", found, lambda made: made.measured.traffic.gap_p999_ms)
    _bars(axes[1][1], "Added from mouth to ear, median (ms)", found, lambda made: made.measured.delay.p50_ms)
    _bars(axes[2][0], "Memory of a leg (KiB)", heard, lambda made: made.memory.per_call() / _KIBI)
    _capacities(axes[2][1], result)
    figure.suptitle(f"mirliton bench, {result.machine.date[:10]}, {result.machine.cpu}, one core for the bridge")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _bars(axis: Any, title: str, found: Sequence[Measurement], figure: Callable[[Measurement], float | None]) -> None:
    names = list(dict.fromkeys(made.scenario.name for made in found))
    systems = list(dict.fromkeys(made.system for made in found))
    height = _WIDTH / max(1, len(systems))
    for made in found:
        value, system = figure(made), systems.index(made.system)
        if value is None:
            continue
        at = names.index(made.scenario.name) + system * height
        axis.barh(at, value, height, color=_colour(made.system, systems), hatch="" if made.valid else "//")
        axis.text(value, at, f" {value:.3g}", va="center", fontsize=7)
    axis.set_yticks([k + (_WIDTH - height) / 2 for k in range(len(names))], names, fontsize=8)
    axis.invert_yaxis()
    axis.margins(x=0.15)
    axis.set_xlim(left=0)
    axis.set_title(title + ("" if all(made.valid for made in found) else " (hatched: not valid)"), fontsize=10)
    _legend(axis, systems)


def _capacities(axis: Any, result: Result) -> None:
    systems = list(dict.fromkeys(found.system for found in result.capacities))
    for k, found in enumerate(result.capacities):
        axis.barh(k, found.callers, color=_colour(found.system, systems))
        mark = "" if found.limited_by == "bridge" else "≥ "
        axis.text(found.callers, k, f" {mark}{found.callers}", va="center", fontsize=7)
    axis.set_yticks(
        range(len(result.capacities)), [f"{found.system}, {found.codec}" for found in result.capacities], fontsize=8
    )
    axis.invert_yaxis()
    axis.set_title("Callers on a core" if result.capacities else "Callers on a core: --capacity finds out", fontsize=10)


def _colour(system: str, systems: Sequence[str]) -> str:
    others = [name for name in systems if name not in _COLOURS]
    return _COLOURS.get(system) or _OTHERS[others.index(system) % len(_OTHERS)]


def _legend(axis: Any, systems: Sequence[str]) -> None:
    for system in systems:
        axis.barh(0, 0, color=_colour(system, systems), label=system)
    axis.legend(fontsize=7)
