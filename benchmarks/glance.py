"""All tables as one, a line for each family: `benchmarks/results/README.md`, from what the others wrote beside them."""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jaxloss


RESULTS = Path(__file__).with_name("results")

HOW = """\
Value and gradient of every row of `benchmarks/rows.py`, by family. Each cell has the median of our numbers to the
other's, below 1 is better; how many rows are ahead (at most 0.9), about the same, and behind (above 1.1); and the one
that lies farthest behind. "JAX" is the row's own peer: Optax or rax where they have the loss, else the formula by hand,
without our checks. "New memory" is time again, in pages that the system has to clear first. What was compiled for a
chip was never run on one. [NOTES.md](../NOTES.md) says why we are behind where we are."""


def kept(where: str, rows: Sequence[dict[str, Any]]) -> str:
    """For this table: what a benchmark found, a line a row, and what it was run on."""

    def short(x: Any) -> Any:
        if isinstance(x, dict):
            return {name: short(value) for name, value in x.items()}
        if isinstance(x, list):
            return [short(value) for value in x]
        return float(f"{x:.4g}") if isinstance(x, float) else x

    lines = ",\n".join(json.dumps(short(row)) for row in rows)
    return f'{{"where": {json.dumps(where)}, "rows": [\n{lines}\n]}}\n'


class Column(NamedTuple):
    title: str
    file: str
    ratio: Any  # of a row of the file, or None


def time_to(who: str | None, place: int = 0) -> Any:
    def ratio(row: dict[str, Any]) -> float | None:
        ratios = row["time"].get(who or row["peer"], [])
        return ratios[place] if place < len(ratios) else None

    return ratio


def temporaries(ours: float | None, theirs: float | None) -> float | None:
    """Less than a MiB is none."""
    if ours is None or theirs is None:
        return None
    return max(ours, 1) / max(theirs, 1)


def compiled(chip: str) -> list[Column]:
    file = f"accelerators-{chip}.json"
    return [
        Column(f"{chip}: cycles", file, lambda row: row["cycles"]),
        Column(f"{chip}: traffic", file, lambda row: row["traffic"]),
        Column(f"{chip}: temporaries", file, lambda row: temporaries(*row["temporaries"])),
    ]


TABLES = {
    "On a CPU": [
        Column("time, to JAX", "losses-cpu.json", time_to(None)),
        Column("in new memory", "losses-cpu.json", time_to(None, 1)),
        Column("to PyTorch", "losses-cpu.json", time_to("torch")),
        Column(
            "temporaries, to JAX",
            "losses-cpu.json",
            lambda row: temporaries(*(row["temporaries"].get(name) for name in ("jaxloss", row["peer"]))),
        ),
    ],
    "As compiled for a TPU v5e, to JAX": [*compiled("v5e-bfloat16"), *compiled("v5e-float32")],
}


def family(loss: str) -> str:
    wing = getattr(jaxloss, loss.partition(",")[0]).__module__.rpartition(".")[0]
    return (sys.modules[wing].__doc__ or wing).splitlines()[0].partition(":")[0].rstrip(".")


def cell(rows: Sequence[dict[str, Any]], column: Column) -> str:
    found = [(ratio, row["loss"]) for row in rows if (ratio := column.ratio(row)) is not None]
    if not found:
        return ""
    ratios = [ratio for ratio, _ in found]
    ahead, behind = sum(x <= 0.9 for x in ratios), sum(x > 1.1 for x in ratios)
    text = f"**{statistics.median(ratios):.2f}** ({ahead}, {len(ratios) - ahead - behind}, {behind})"
    worst, loss = max(found)
    return text + (f" {loss} {worst:.{0 if worst >= 10 else 1}f}" if worst > 1.1 else "")


def table(columns: Sequence[Column]) -> str:
    files = {column.file: json.loads((RESULTS / column.file).read_text()) for column in columns}
    families = dict.fromkeys(family(row["loss"]) for found in files.values() for row in found["rows"])
    lines = [f"| | {' | '.join(column.title for column in columns)} |", "|---" * (1 + len(columns)) + "|"]
    for name in [*families, "all"]:
        cells = []
        for column in columns:
            rows = [row for row in files[column.file]["rows"] if name in ("all", family(row["loss"]))]
            cells.append(cell(rows, column))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    where = (f"[{file[:-5]}]({file[:-4]}md): {found['where']}" for file, found in files.items())
    return "\n\n".join(["\n".join(lines), *where])


def main() -> None:
    parts = ["# All losses at a glance", HOW]
    for title, columns in TABLES.items():
        if made := [column for column in columns if (RESULTS / column.file).exists()]:
            parts += [f"## {title}", table(made)]
    if parts[2:]:
        (RESULTS / "README.md").write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
