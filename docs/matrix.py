"""Which test runs which loss, for `docs/matrix.md`; the faults below are of `tests/project/mutants.py`."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import jaxloss
from tests.harness.rows import REDUCTIONS


ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/matrix.md"
FAULTS = "\n## Faults\n"
EXIT = {"weights", "mask", "reduction"}
LOSSES = sorted(
    name
    for name, f in vars(jaxloss).items()
    if inspect.isfunction(f) and {*inspect.signature(f).parameters} >= EXIT and name not in REDUCTIONS
)

# By column what it stands for, and the tests, all of which a mark takes.
COLUMNS = {
    "values": (
        "value and every `reduction`, gradients by each argument, option and weight in both modes, second derivatives, "
        "also out of a `scan`, all under `jit` and `vmap`; in float64",
        ["values_and_derivatives"],
    ),
    "mask": (
        "masked elements leave no trace in any of these, weights are copies, no weight left is 0, values that don't "
        "fit are NaN",
        ["masks_weights_and_values_that_do_not_fit"],
    ),
    "half": ("the same of values and slopes in float32 and bfloat16, as users compile", ["precision"]),
    "x64": ("float32 stays float32 under `jax_enable_x64`", ["float32_stays_float32"]),
    "empty": ("an empty batch", ["empty_batch"]),
    "errors": ("shapes and calls that don't fit", ["shapes_that_do_not_fit", "calls_that_do_not_fit"]),
    "trace": (
        "pickles, shows its signature, leaves no call behind in a caller's `jit`, has no weak type, takes a symbolic "
        "batch",
        [
            "is_a_plain_function_that_pickles_and_shows_itself",
            "leaves_no_call_behind_in_a_callers_jit",
            "weak_types_and_python_scalars",
            "symbolic_shapes",
        ],
    ),
    "axis_name": (
        "with it the program is that without, but for three scalars; or rows of the batch meet across devices",
        ["devices_meet_in_scalars_only"],
    ),
    "explicit": ("each axis sharded explicitly; the gradient stays where its input is", ["explicit_sharding"]),
    "debug": ("`jax_debug_nans`", ["debug_nans"]),
    "transforms": (
        "`grad`, `jacfwd`, `jacrev`, `linearize`, `scan`, `while_loop`, `cond`, `remat`, `eval_shape` in one program; "
        "eagerly; ahead of time",
        ["value_and_gradient_through", "value_and_gradient_eagerly_through"],
    ),
    "hessian": (
        "whole Hessians in each order of modes; reverse over reverse by every argument",
        ["whole_hessians", "reverse_over_reverse_by_every_argument"],
    ),
    "alone": ("the gradient of each other argument and option alone", ["gradient_of_every_other_argument_and_option"]),
    "float16": ("float16", ["float16"]),
    "vmap": ("`vmap` over each argument", ["vmap_over_every_argument"]),
    "sweep": (
        "options that are numbers sweep under `vmap` and don't recompile",
        ["numbers_sweep_under_vmap_and_do_not_recompile"],
    ),
    "export": ("`jax.export` with every axis symbolic, reloaded with derivatives", ["export_for_any_size"]),
    "mapped": (
        "`shard_map` with `check_vma` on and off, `vmap(axis_name=...)`, `pmap`, run on eight devices",
        ["mapped_axes", "pmap"],
    ),
    "sharded": ("sharded `jit`, automatic and explicit axes, run on eight devices", ["sharded_jit"]),
    "leaks": ("`jax_check_tracer_leaks`", ["no_leaks"]),
    "forms": ("what XLA gets for TPUs and GPUs instead, run on the CPU", ["forms_of_other_platforms"]),
    "checked": ("`checked`, around the loss, its gradient and a scan", ["checked_changes_nothing_where_values_fit"]),
}

WITHOUT = {"sweep": "no number", "axis_name": "rows meet", "mapped": "by batch"}

HEAD = """\
# What is tested

Every loss under every transform and mode that the contract names, each as a test of
[test_contract](../tests/contract/test_contract.py), [test_transforms](../tests/contract/test_transforms.py) or
[test_platforms](../tests/contract/test_platforms.py), and everywhere under `jax_numpy_dtype_promotion="strict"`,
`jax_numpy_rank_promotion="raise"` and warnings as errors. ✓ is a test that `make test` runs, ○ one of `make test-all`;
this page is made from the list of them, and a test fails when it is out of date. "No number" is a loss without an
option that is one; "by batch" one of whose first axis no device has a part, which its family tests by its batch. Two
things can't work, for any loss, and raise an error that is tested: `axis_name` with `reduction="none"`, which reduces
nothing, and `checked` inside `jit` instead of around it.

What a loss computes, `make test` asks of every row. What JAX makes of the program goes by how a loss is made:
elementwise, by a rule of its own, of members, of vectors, by class, in a loop, by a sort, of norms, of rows that meet.
Each such test takes three of these nine kinds in turn; and of every loss it is asked that nothing in its program could
behave otherwise: that it traces for a symbolic batch and for every explicit sharding, and that devices meet only in the
two sums of `reduce`. All the rest is in `make test-all`, for every loss."""


def collected(*options: str) -> dict[str, set[str]]:
    """By loss the tests that a run with these options takes of it."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    files = [f"tests/contract/test_{file}.py" for file in ("contract", "transforms", "platforms")]
    listed = subprocess.run([*command, *options, *files], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found: dict[str, set[str]] = {name: set() for name in LOSSES}
    for line in listed.splitlines():
        test, _, parameters = line.partition("::")[2].partition("[")
        words = parameters.rstrip("]").split("-")
        for name in found.keys() & {*words}:
            found[name].add(test.removeprefix("test_"))
    return found


def page() -> str:
    quick, whole = collected("-m", "not exhaustive"), collected()

    def cell(name: str, column: str) -> str:
        tests = COLUMNS[column][1]
        if quick[name].issuperset(tests):
            return "✓"
        return "○" if whole[name].issuperset(tests) else WITHOUT.get(column, "")

    meaning = "\n".join(f"- **{column}**: {text}" for column, (text, _) in COLUMNS.items())
    lines = ["| loss | " + " | ".join(COLUMNS) + " |", "|---|" + ":-:|" * len(COLUMNS)]
    lines += [f"| `{name}` | " + " | ".join(cell(name, column) for column in COLUMNS) + " |" for name in LOSSES]
    table = "\n".join(lines)
    return f"{HEAD}\n\n{meaning}\n\n{table}\n" + "".join(PAGE.read_text(encoding="utf-8").partition(FAULTS)[1:])
