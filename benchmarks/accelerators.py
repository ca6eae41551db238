"""Value and gradient of every loss compiled for TPUs and GPUs that are only described: nothing runs.

    make bench-accelerators                                    all of them; tables in benchmarks/results/
    make bench-accelerators TARGETS=v5e ONLY='kl_.*|l1_loss'   one chip, a regex of losses; printed only

XLA compiles for a chip without having one. `hlo.py` reads from the program how often it goes over the data, and what
XLA thinks that it takes. `problems.py` says what is compiled. The H100 takes part where CUDA's plugin is installed:

    python -m pip --python .venv-accelerators/bin/python install 'jax[cuda12]'   # 5.5 GB
"""

from __future__ import annotations

import argparse
import datetime
import functools
import itertools
import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple


# JAX itself runs on the CPU. No plugin looks for a chip, or for a machine that says which it has.
os.environ.update(JAX_PLATFORMS="cpu", CUDA_VISIBLE_DEVICES="-1", ALLOW_MULTIPLE_LIBTPU_LOAD="1")
os.environ.update(TPU_SKIP_MDS_QUERY="1", TPU_ACCELERATOR_TYPE="v5litepod-4")
os.environ.update(TPU_WORKER_HOSTNAMES="localhost", TPU_WORKER_ID="0")

import jax
from glance import kept
from hlo import TURNS, Program
from jax.experimental import topologies
from jax.sharding import SingleDeviceSharding
from losses import reached, row_of, versions
from measure import MIB, built, step
from network import amount
from problems import Loss, Problem, heads, of_rows, sharded, vocabularies
from rows import MISSING, ROWS, TARGETED


# As XLA has it in xla/backends/gpu/target_config/specs, with the versions of CUDA that it asks for.
H100 = """
gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152 shared_memory_per_core: 233472
  threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128 block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535 block_dim_limit_z: 65535 memory_bandwidth: 3352320000000 l2_cache_size: 52428800
  clock_rate_ghz: 1.98 device_memory_size: 84942979072 shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 minor: 0 } registers_per_core_limit: 65536 registers_per_block_limit: 65536
}
platform_name: "CUDA" dnn_version_info { major: 9 minor: 8 } runtime_version { major: 12 minor: 9 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""


class Chip(NamedTuple):
    platform: str
    description: dict[str, str]
    measure: str = "cycles"
    rows: Sequence[Any] = ROWS

    def devices(self, **description: str) -> Sequence[Any]:
        return topologies.get_topology_desc(platform=self.platform, **self.description | description).devices


CHIPS = {
    "v5e": Chip("tpu", {"topology_name": "v5e:2x2"}),
    "v6e": Chip("tpu", {"topology_name": "v6e:2x2"}, rows=TARGETED),  # the compiler is that of v5e: fewer will do
    "v5p": Chip("tpu", {"topology_name": "v5p:2x2x1"}, rows=TARGETED),
    "h100": Chip("cuda", {"topology": "1x1x1", "target_config": H100}, "kernels"),
}
HERE = [name for name, chip in CHIPS.items() if chip.platform == "tpu" or "jax-cuda12-plugin" in versions()]

NEVER_RUN = """\
Compiled by XLA for a chip that was only described, never run on one: no number here is a time on it. In parentheses
what the peer has, whose arguments are widened to float32 first (those of a head aren't: its product adds up in
float32). Compiling, tracing included, is on a CPU that may do other work."""
HOW = f"""\
The rows are those of `benchmarks/rows.py`, with more elements, so that they don't fit into what lies on the chip.
Temporaries are those in HBM. Traffic is what the program reads from HBM and writes to it, as `benchmarks/hlo.py` counts
it, to that of reading every argument and writing value and gradient once. With ~ the end of a loop depends on its data,
and counts as {TURNS} turns; with ? JAX can't read libtpu's program back."""
MEASURES = {
    "cycles": "Cycles, in millions, are XLA's own estimate, which is coarse and doesn't know what custom kernels take.",
    "kernels": "Kernels are what the program launches; the matrix products in it are not tuned to their sizes.",
}


class Compiled(NamedTuple):
    """What isn't known is None."""

    seconds: float
    temporaries: float  # MiB
    traffic: float | None = None  # to the floor
    cycles: float | None = None  # millions
    kernels: float | None = None
    sent: str = "?"
    guessed: bool = False


class Result(NamedTuple):
    problem: Problem
    ours: Compiled | None
    theirs: Compiled | None

    def ratio(self, measure: str) -> float | None:
        ours, theirs = (getattr(x, measure, None) for x in (self.ours, self.theirs))
        if ours is None or theirs is None:
            return None
        return ours / theirs if theirs else math.inf if ours else 1.0

    def above(self, measure: str) -> bool:
        """Whether ours takes more; temporaries of less than a MiB don't count, nor does the number of kernels."""
        ratio = self.ratio(measure)
        negligible = measure == "kernels" or (measure == "temporaries" and self.ours and self.ours.temporaries <= 1)
        return ratio is not None and not reached(ratio, 1) and not negligible


@functools.cache  # problems may share a peer
def compiled(f: Loss, arguments: tuple[Any, ...], argnums: tuple[int, ...], platform: str) -> Compiled | None:
    try:
        program, *seconds = built(step(f, argnums), arguments, platform)
    except Exception as error:  # whatever is too large or missing, in whatever layer; hours of others are to follow
        print(f"doesn't compile: {str(error).splitlines()[0]}", flush=True)
        return None
    memory = program.memory_analysis()
    found = Compiled(sum(seconds), memory.temp_size_in_bytes / MIB)
    try:
        text = program.as_text()
    except jax.errors.JaxRuntimeError:  # "async-update instruction should have 1 operands but sees 3"
        return found
    read = Program(text)
    cost = read.cost()
    return found._replace(
        traffic=cost.traffic / (memory.argument_size_in_bytes + memory.output_size_in_bytes),
        cycles=cost.cycles / 1e6,
        kernels=cost.kernels,
        sent="; ".join(f"{cost.messages[kind]} {kind}, {amount(size)}" for kind, size in cost.sent.items()),
        guessed=read.guessed,
    )


def result(problem: Problem, platform: str) -> Result:
    arguments = tuple(problem.arguments)
    return Result(problem, *(compiled(f, arguments, problem.argnums, platform) for f in (problem.ours, problem.theirs)))


# --- tables ----------------------------------------------------------------------------------------------------------


def number(x: Compiled | None, measure: str, digits: int) -> str:
    if x is None:
        return "fails"
    value = getattr(x, measure)
    if value is None:
        return "?"
    return f"{value:.{digits}f}" + " ~" * (measure in ("traffic", "cycles") and x.guessed)


def cell(found: Result, measure: str, digits: int) -> str:
    text = f"{number(found.ours, measure, digits)} ({number(found.theirs, measure, digits)})"
    return text + " ✗" * (measure == "temporaries" and found.above(measure))


def ratio(found: Result, measure: str) -> str:
    value = found.ratio(measure)
    return "?" if value is None else f"**{value:.2f}**" + " ✗" * found.above(measure)


def described(found: Result, measure: str) -> str:
    problem = found.problem
    cells = [str(problem), problem.size, problem.peer, cell(found, "seconds", 1), cell(found, "temporaries", 0)]
    for name, digits in (("traffic", 2), (measure, 0 if measure == "kernels" else 2)):
        cells += [cell(found, name, digits), ratio(found, name)]
    return row_of(cells)


def header(measure: str) -> str:
    return (
        f"| loss | size | peer | compile, s | temporaries, MiB | traffic | to the peer | {measure} | to the peer |\n"
        "|---|---|---|--:|--:|--:|--:|--:|--:|"
    )


def score(results: Sequence[Result], measure: str) -> str:
    lines = [f"Above 1.1 of the peer (✗), of {len(results)}:", ""]
    for name in ("temporaries", "traffic", *([] if measure == "kernels" else [measure])):
        above = [found for found in results if found.above(name)]
        shown = [cell(found, name, 0) if name == "temporaries" else f"{found.ratio(name):.2f}" for found in above]
        listed = [f"{found.problem} {found.problem.size}: {x.removesuffix(' ✗')}" for found, x in zip(above, shown)]
        lines.append(f"- {name}: {len(above)}" + (f" ({'; '.join(listed)})" if above else ""))
    return "\n".join(lines)


def plain(found: Result, measures: Sequence[str]) -> dict[str, Any]:
    """What `glance.py` reads."""
    ratios = {measure: found.ratio(measure) for measure in measures}
    memory = [x and x.temporaries for x in (found.ours, found.theirs)]
    return {"loss": str(found.problem).replace("`", ""), **ratios, "temporaries": memory}


def one_chip(name: str, dtype: str, chosen: Callable[[Any], bool]) -> tuple[str, str]:
    chip = CHIPS[name]
    sharding = SingleDeviceSharding(chip.devices()[0])
    parts = [
        ("Every loss", of_rows([row for row in chip.rows if chosen(row)], dtype, sharding)),
        ("`cross_entropy` of vocabularies", filter(chosen, vocabularies(dtype, sharding))),
        ("`linear_cross_entropy`, both gradients", filter(chosen, heads(dtype, sharding))),
    ]
    print(header(chip.measure))
    tables, results = [], []
    for title, problems in parts:
        lines = [header(chip.measure)]
        for problem in problems:
            results.append(result(problem, chip.platform))
            lines.append(described(results[-1], chip.measure))
            print(lines[-1], flush=True)
        tables += [f"## {title}", "\n".join(lines)] if lines[1:] else []
    head = [f"# Compiled for {name}, {dtype}", NEVER_RUN, f"{HOW}\n{MEASURES[chip.measure]}"]
    rows = [plain(found, ("traffic", chip.measure)) for found in results]
    text = "\n\n".join([*head, about(), score(results, chip.measure), *tables])
    return text, kept(f"{name}, {dtype}; {about()}", rows)


def about() -> str:
    return f"{versions()}; {datetime.date.today()}."


def eight_chips(only: str | None) -> str:
    lines = ["| step | compile, s | temporaries, MiB | ours sends | the peer sends |", "|---|--:|--:|---|---|"]
    devices = CHIPS["v5e"].devices(topology_name="v5e:2x4")
    print("\n".join(lines))
    for problem in filter(functools.partial(is_chosen, only), sharded(devices)):
        found = result(problem, "tpu")
        sent = (x.sent if x else "fails" for x in (found.ours, found.theirs))
        lines.append(row_of([str(problem), cell(found, "seconds", 1), cell(found, "temporaries", 0), *sent]))
        print(lines[-1], flush=True)
    steps = " ".join((sharded.__doc__ or "").split())
    what = f"{steps} Of the messages: how many, and the bytes that a chip gives to them."
    return "\n\n".join(["# Compiled for eight v5e, bfloat16", NEVER_RUN, what, about(), "\n".join(lines)])


def is_chosen(only: str | None, x: Any) -> bool:
    return only is None or re.fullmatch(only, x.loss) is not None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="REGEX", help="print the rows of these losses, write nothing")
    parser.add_argument("--targets", default=",".join(HERE), help="by default %(default)s")
    parser.add_argument("--dtypes", default="bfloat16,float32")
    options = parser.parse_args()
    targets = options.targets.split(",")
    if MISSING:
        parser.error(f"rows.py has no row for {', '.join(MISSING)}")
    if {*targets} - {*HERE}:
        others = "; h100 takes CUDA's plugin" * ("h100" not in HERE)
        parser.error(f"targets are {', '.join(HERE)}{others}")
    chosen = functools.partial(is_chosen, options.only)
    if not any(map(chosen, ROWS)):
        parser.error(f"no loss is called {options.only}")
    folder = Path(__file__).with_name("results")

    def write(name: str, text: str) -> None:
        if not options.only:
            folder.mkdir(exist_ok=True)
            folder.joinpath(f"accelerators-{name}").write_text(text.rstrip("\n") + "\n")

    for name, dtype in itertools.product(targets, options.dtypes.split(",")):
        print(f"\n{name}, {dtype}\n")
        text, rows = one_chip(name, dtype, chosen)
        write(f"{name}-{dtype}.md", text)
        write(f"{name}-{dtype}.json", rows)
    if "v5e" in targets and "bfloat16" in options.dtypes:
        print("\nv5e, eight of them, bfloat16\n", flush=True)
        write("v5e-sharded.md", eight_chips(options.only))


if __name__ == "__main__":
    main()
