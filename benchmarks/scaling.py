"""Time and temporaries of value and gradient of every loss against its size, over four decades:

    python benchmarks/scaling.py                     the batch axis, then the axis that the losses lack
    python benchmarks/scaling.py cross_entropy       one loss, printed only

The batch grows from 100 to 1,000,000 rows. Where a loss takes a whole row (classes, members, features), that axis
grows as well, from 10 to 100,000 over 8 rows. A size is left out once its temporaries pass 1 GiB. Written to
`benchmarks/results/` are a picture for each axis and a table of the exponents over the last two decades: 1 is linear.
"""

from __future__ import annotations

import argparse
import datetime
import math
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np


sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.harness.case import BATCH, Case
from tests.harness.rows import CASES


MIB = 2**20
MOST = 1024 * MIB
SIZES = {"batch": [10**k for k in range(2, 7)], "row": [10**k for k in range(1, 6)]}
MEANING = {
    "batch": "rows of the batch, each as small as the tests have it",
    "row": "classes, members or features, over 8 rows",
}


class Point(NamedTuple):
    size: int
    seconds: float
    temporaries: int  # bytes
    given: int  # bytes of the arguments


def first_cases(names: list[str]) -> list[Case]:
    """The plainest row of each loss."""
    first = {case.loss: case for case in reversed(CASES)}
    return [case for case in CASES if first[case.loss] is case and (not names or case.loss.__name__ in names)]


def row_axis(case: Case) -> int | None:
    """The axis that the losses lack, counted from the front."""
    arguments = case.arguments()
    lead = next(iter(arguments.values()))
    if case.expected(arguments)[0].ndim == lead.ndim:
        return None
    return case.options.get("axis", -1) % lead.ndim


def grown(case: Case, axis: str, size: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Arguments and options with this axis drawn anew from what the tests have, to this size."""
    rng = np.random.default_rng(0)
    arguments = case.arguments()
    if axis == "batch":
        rows = rng.integers(0, BATCH, size)
        return {name: x[rows] for name, x in arguments.items()}, case.options
    place = row_axis(case)
    assert place is not None
    old = next(iter(arguments.values())).shape[place]
    entries = rng.integers(0, old, size)

    def grow(x: Any, place: int) -> Any:
        fits = isinstance(x, np.ndarray) and x.ndim > place and x.shape[place] == old
        return x.take(entries, place) if fits else x

    options = {name: grow(x, 0) for name, x in case.options.items()}
    return {name: grow(x, place) for name, x in arguments.items()}, options


def measure(case: Case, axis: str, size: int) -> Point | None:
    arguments, options = grown(case, axis, size)
    arrays = {name: x for name, x in options.items() if isinstance(x, np.ndarray)}
    choices = {name: x for name, x in options.items() if name not in arrays}
    lead, *others = arguments.values()
    names = [*arguments][1:]

    def loss(lead: Any, others: Any, arrays: Any) -> Any:
        return case.loss(lead, **dict(zip(names, others)), **arrays, **choices)

    given = lead, others, arrays
    compiled = jax.jit(jax.value_and_grad(loss)).lower(*given).compile()
    temporaries = compiled.memory_analysis().temp_size_in_bytes
    if temporaries > MOST:
        return None
    given = jax.device_put(given)
    run = lambda: jax.block_until_ready(compiled(*given))  # noqa: E731
    run()
    taken: list[float] = []
    while len(taken) < 5 or (sum(taken) < 0.05 and len(taken) < 200):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return Point(size, float(np.median(taken)), temporaries, sum(x.nbytes for x in jax.tree.leaves(given)))


def curve(case: Case, axis: str) -> list[Point]:
    points = []
    for size in SIZES[axis]:
        point = measure(case, axis, size)
        if point is None:
            break
        points.append(point)
    return points


def exponent(points: list[Point], what: str) -> float:
    """The slope over the last two decades on logarithmic axes; NaN where there is nothing to measure."""
    sizes, values = ([getattr(point, name) for point in points[-3:]] for name in ("size", what))
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0]) if all(values) else math.nan


def draw(curves: dict[str, list[Point]], axis: str, about: str, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    columns = 8
    rows = -(-len(curves) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(2 * columns, 1.75 * rows + 1), sharex=True, sharey=True, layout="constrained"
    )
    ends = SIZES[axis][0], SIZES[axis][-1]
    for panel, (name, points) in zip(axes.flat, curves.items()):
        sizes = [point.size for point in points]
        for start in (1e-6, 1e-4, 1e-2):  # what linear looks like
            panel.plot(ends, [start * size for size in ends], color="0.8", linewidth=0.7, zorder=0)
        panel.plot(sizes, [1e3 * point.seconds for point in points], "o-", markersize=3, color="C0")
        panel.plot(sizes, [point.temporaries / MIB or math.nan for point in points], "s--", markersize=3, color="C1")
        panel.set(xscale="log", yscale="log", xlim=(ends[0] / 2, ends[1] * 2), ylim=(1e-4, 1e4))
        panel.set_xticks(SIZES[axis][::2])
        panel.set_yticks([1e-3, 1, 1e3])
        panel.minorticks_off()
        panel.tick_params(labelsize=7)
        panel.spines[["top", "right"]].set_visible(False)
        panel.set_title(name.removesuffix("_loss"), fontsize=7.5)
    for panel in axes.flat[len(curves) :]:
        panel.set_axis_off()
    for panel in axes.flat[max(0, len(curves) - columns) : len(curves)]:
        panel.tick_params(labelbottom=True)
    handles = axes.flat[0].get_lines()[-2:] + axes.flat[0].get_lines()[:1]
    figure.legend(handles, ["time, ms", "temporaries, MiB", "linear"], loc="outside upper right", ncols=3)
    figure.suptitle("Value and gradient against size", x=0.01, ha="left", fontsize=12)
    figure.supxlabel(f"{MEANING[axis]}\n{about}", fontsize=8)
    figure.savefig(file, dpi=100)
    plt.close(figure)


def table(curves: dict[str, list[Point]]) -> str:
    lines = [
        "| loss | largest | ms there | time ~ size^ | temporaries ~ size^ | temporaries to arguments |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name, points in curves.items():
        last = points[-1]
        slopes = [exponent(points, what) for what in ("seconds", "temporaries")]
        shown = ["" if math.isnan(slope) else f"**{slope:.2f}**" if slope > 1.5 else f"{slope:.2f}" for slope in slopes]
        lines.append(
            f"| `{name}` | {last.size} | {1e3 * last.seconds:.3g} | {shown[0]} | {shown[1]} "
            f"| {last.temporaries / last.given:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("losses", nargs="*")
    options = parser.parse_args()
    backend = jax.default_backend()
    device = f"{platform.machine()} CPU, {os.cpu_count()} cores" if backend == "cpu" else jax.devices()[0].device_kind
    about = f"{device}; JAX {jax.__version__}; {datetime.date.today()}"
    text = [
        f"# Scaling of value and gradient\n\n{about}; medians; exponents over the last two decades. "
        "Above 1 where the arguments outgrow the caches; bold from 1.5.\n"
    ]
    results = Path(__file__).with_name("results")
    results.mkdir(exist_ok=True)
    for axis in SIZES:
        cases = [case for case in first_cases(options.losses) if axis == "batch" or row_axis(case) is not None]
        curves = {}
        for case in cases:
            curves[case.loss.__name__] = curve(case, axis)
            print(axis, table({case.loss.__name__: curves[case.loss.__name__]}).splitlines()[-1], flush=True)
        text.append(f"## Against {MEANING[axis]}\n\n{table(curves)}\n")
        if not options.losses:
            file = f"scaling-{backend}.png" if axis == "batch" else f"scaling-{axis}-{backend}.png"
            draw(curves, axis, about, results / file)
    if not options.losses:
        results.joinpath(f"scaling-{backend}.md").write_text("\n".join(text))


if __name__ == "__main__":
    main()
