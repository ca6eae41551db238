"""Value and gradient of every loss beside what one would write instead, in one run:

    make bench                         all of them; a table and a picture in benchmarks/results/
    make bench ONLY=cross_entropy      one loss, printed only

Rounds are interleaved, one timing of each contender after the other. PyTorch and Keras take part where they are
installed. `rows.py` says what is compared, `measure.py` how.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import re
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any


os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # else PyTorch's threads spin while the others are timed
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # no pool of processes beside the timings
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch wants memory too

import jax
from glance import kept
from measure import Record, Result, allocate, fresh_ratios, measured, on_gpu
from row import torch
from rows import MISSING, OTHERS, ROWS, TARGETED

import jaxloss


PEERS = {"peer": ("C0", "o"), "torch": ("C1", "s"), "torch.compile": ("C1", "D"), "keras": ("C2", "^")}
PEERS |= {"floor": ("0.5", "|")}

HOW = """\
Value and gradient with respect to the first argument; what makes up a row is in `benchmarks/rows.py`. Contenders take
turns, one timing each a round; calls of less than 2 ms are repeated within one. Milliseconds are medians. Ratios are
our time to the contender's, taken round by round, then their median: below 1, ours is faster. Large arrays get the
memory of freed ones, as from an allocator that keeps it; where there are targets, and on CPUs, a second ratio is that
in pages that are new from the system in each call, as glibc hands them out for its largest. In parentheses the target
and whether each ratio reaches it: ✓ where it is at most the target, or at most 1.1 where the target is 1, which is a
tie; else ✗. The floor is a compiled copy that reads what has the shape of the first argument and writes one array like
it; for `linear_cross_entropy`, and for `linear_rnnt_loss` where it has a target, the three bare matrix products. Errors
are of the gradient, against float64: largest difference to largest entry, ours (the peer's)."""

DETAILS = """\
## Details

The ratio with its 10 % and 90 % quantiles. Temporaries are XLA's, as compiled; the peak is what one call adds to the
resident memory, results included. Tracing (with lowering) and compiling start with empty caches. Errors are against
float64: of the value, relative; of the gradient, largest difference to largest entry; of the gradient's single entries,
the largest relative one."""


def peer_of(result: Result) -> str:
    return next(iter(result.row.peers))


def target_of(result: Result, contender: str) -> float | None:
    if result.row.targets is None:
        return None
    return getattr(result.row.targets, "peer" if contender == peer_of(result) else contender, None)


def reached(ratio: float, target: float) -> bool:
    return ratio <= (1.1 if target == 1 else target)


def cell(result: Result, contender: str) -> str:
    if contender not in result.records:
        return ""
    record, target = result.records[contender], target_of(result, contender)
    ratios = [record.ratio[1]] + ([] if record.fresh is None else [record.fresh])
    text = " / ".join(f"{ratio:.2f}" for ratio in ratios)
    if target is None:
        return text
    return f"**{text}** ({target:g} {''.join('✓' if reached(ratio, target) else '✗' for ratio in ratios)})"


def row_of(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def label(result: Result) -> str:
    return f"{result.row.loss}, {result.row.note}" if result.row.note else result.row.loss


def summary(results: Sequence[Result]) -> str:
    lines = [
        "| loss | size | dtype | ms | peer | to it | torch | torch.compile | keras | floor | error |",
        "|---|---|---|--:|---|--:|--:|--:|--:|--:|--:|",
    ]
    for result in results:
        ours, peer = result.records["jaxloss"], peer_of(result)
        pair = [r.errors[1] if r.errors else 0 for r in (ours, result.records[peer])]
        ratios = [cell(result, name) for name in (peer, "torch", "torch.compile", "keras", "floor")]
        kind = [f"`{result.row.loss}`" + label(result).removeprefix(result.row.loss), result.size, result.row.dtype]
        time, error = f"{ours.milliseconds:.2f}", f"{pair[0]:.0e} ({pair[1]:.0e})"
        lines.append(row_of([*kind, time, peer, *ratios, error]))
    return "\n".join(lines)


def details(results: Sequence[Result]) -> str:
    lines = [
        "| | ms | ours to it | in new memory | temporaries, MiB | peak, MiB | tracing, s | compiling, s "
        "| value | gradient | entry |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for result in results:
        lines.append(f"| **{label(result)}**, {result.size}, {result.row.dtype} |" + " |" * 10)
        for name, record in result.records.items():
            lines.append(row_of([name, *described(record)]))
    return "\n".join(lines)


def described(record: Record) -> list[str]:
    def number(x: float | None, digits: int) -> str:
        return "" if x is None else f"{x:.{digits}f}"

    low, middle, high = record.ratio
    return [
        f"{record.milliseconds:.3f}",
        f"{middle:.2f} ({low:.2f} to {high:.2f})",
        number(record.fresh, 2),
        number(record.temporaries, 1),
        number(record.peak, 1),
        number(record.lowering, 2),
        number(record.compiling, 2),
        *(("", "", "") if record.errors is None else (f"{x:.1e}" for x in record.errors)),
    ]


def plain(result: Result) -> dict[str, Any]:
    """What `glance.py` reads."""
    return {
        "loss": label(result),
        "peer": peer_of(result),
        "time": {name: [x for x in (r.ratio[1], r.fresh) if x] for name, r in result.records.items()},
        "temporaries": {name: r.temporaries for name, r in result.records.items() if r.temporaries is not None},
    }


def draw(results: Sequence[Result], title: str, path: Path) -> None:
    """Two columns, those with targets on the left."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.lines import Line2D

    halves = [[r for r in results if r.row in rows] for rows in (TARGETED, OTHERS)]
    figure, axes = plt.subplots(
        1, 2, figsize=(18, 1.6 + 0.25 * max(map(len, halves))), layout="constrained", sharex=True
    )
    for axis, half, heading in zip(axes, halves, ["with targets", "all others"]):
        for y, result in enumerate(half):
            for name, (color, marker) in PEERS.items():
                name = peer_of(result) if name == "peer" else name
                if name not in result.records:
                    continue
                low, middle, high = result.records[name].ratio
                face = "white" if name == "torch.compile" else color
                axis.plot([low, high], [y, y], color=color, lw=1, alpha=0.5, zorder=2)
                axis.plot(middle, y, marker, color=color, mfc=face, ms=9 if marker == "|" else 6, zorder=3)
                target = target_of(result, name)
                if target is not None:
                    axis.plot([target, target], [y - 0.4, y + 0.4], color=color, lw=2.5, alpha=0.45, zorder=1)
        for y in range(0, len(half), 2):
            axis.axhspan(y - 0.5, y + 0.5, color="0.96", zorder=0)
        texts = [f"{label(r)}  {r.size}" + (", bfloat16" if r.row.dtype == "bfloat16" else "") for r in half]
        axis.set_yticks(range(len(half)), texts, fontsize=8)
        axis.set(ylim=(len(half) - 0.5, -0.5), xscale="log", title=heading)
        axis.axvline(1, color="black", lw=1)
        axis.grid(axis="x", which="both", color="0.9", lw=0.6)
        axis.set_axisbelow(True)
        axis.set_xlabel("time of jaxloss / time of the other: left of 1, jaxloss is faster")
        axis.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    names = {"peer": "Optax, rax or by hand", "torch": "PyTorch", "keras": "Keras on JAX", "floor": "floor: a copy"}
    handles = [
        Line2D(
            [], [], color=c, marker=m, ls="", mfc="white" if name == "torch.compile" else c, label=names.get(name, name)
        )
        for name, (c, m) in PEERS.items()
    ]
    handles.append(Line2D([], [], color="0.5", lw=2.5, alpha=0.45, marker="|", ls="", ms=12, mew=2.5, label="target"))
    figure.legend(handles=handles, loc="outside lower center", ncols=6, frameon=False)
    figure.suptitle(title)
    figure.savefig(path, dpi=100)


def machine() -> tuple[str, str]:
    """In words, and for the name of a file."""
    if jax.default_backend() != "cpu":
        kind = jax.devices()[0].device_kind
        return kind, kind.replace(" ", "-").lower()
    info = Path("/proc/cpuinfo")
    name = re.search(r"model name\s*: (.*)", info.read_text()) if info.exists() else None
    return f"{name[1] if name else platform.processor()} ({platform.machine()}), {os.cpu_count()} cores", "cpu"


def versions() -> str:
    found = [f"Python {platform.python_version()}", f"jaxloss {jaxloss.__version__}"]
    for name in ("jax", "jaxlib", "libtpu", "jax-cuda12-plugin", "optax", "rax", "torch", "keras"):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="LOSS", help="print this loss's rows, write nothing")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    if MISSING:
        parser.error(f"rows.py has no row for {', '.join(MISSING)}")
    rows = [row for row in ROWS if options.only in (None, row.loss)]
    if not rows:
        parser.error(f"no loss is called {options.only}")
    if torch is None:
        print(f"without PyTorch; to add it: python -m pip --python {sys.executable} install torch")
    allocate(fresh=False)
    apart = ProcessPoolExecutor(1, get_context("spawn"), initializer=allocate, initargs=(True,))
    results = []
    for row in rows:
        start = time.perf_counter()
        one_memory = on_gpu() or row.targets is None
        fresh = {} if one_memory else apart.submit(fresh_ratios, ROWS.index(row), options.rounds).result()
        results.append(measured(row, options.rounds, fresh))
        kind = f"{label(results[-1])}, {results[-1].size}, {row.dtype}"
        ratios = ", ".join(f"{name} {r.ratio[1]:.2f}" for name, r in results[-1].records.items() if name != "jaxloss")
        ours = results[-1].records["jaxloss"].milliseconds
        print(f"{kind}: {ours:.2f} ms; to {ratios} ({time.perf_counter() - start:.0f} s)", flush=True)
    apart.shutdown()
    aims = [
        (record, target)
        for result in results
        for name, record in result.records.items()
        if (target := target_of(result, name)) is not None
    ]
    score = f"Targets reached: {sum(reached(r.ratio[1], target) for r, target in aims)} of {len(aims)}"
    if not on_gpu():
        score += f"; in new memory {sum(r.fresh is not None and reached(r.fresh, target) for r, target in aims)}"
    words, kind = machine()
    head = f"{words}; {versions()}; {datetime.date.today()}; {options.rounds} rounds."
    parts = ["# Every loss beside its peers", head, HOW, f"{score}.", summary(results), DETAILS, details(results)]
    if options.only:
        print(f"\n{summary(results)}\n\n{details(results)}")
        return
    folder = Path(__file__).with_name("results")
    folder.mkdir(exist_ok=True)
    folder.joinpath(f"losses-{kind}.md").write_text("\n\n".join(parts) + "\n")
    folder.joinpath(f"losses-{kind}.json").write_text(kept(head, [plain(result) for result in results]))
    draw(results, f"Value and gradient: {words}; {datetime.date.today()}", folder / f"losses-{kind}.png")
    print(score)


if __name__ == "__main__":
    main()
