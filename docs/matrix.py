"""Which test of `tests/test_contract.py` runs which loss: ``python docs/matrix.py > docs/matrix.md``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jaxloss


ROOT = Path(__file__).parents[1]
NOT_LOSSES = {"Total", "checked", "class_balanced_weights", "combine", "dynamic_weight_average", "gradnorm_loss"}
NOT_LOSSES |= {"reduce", "uncertainty_weighting"}
LOSSES = sorted(name for name in vars(jaxloss) if not name.startswith("_") and name not in {*NOT_LOSSES, "plotting"})

# By column what it stands for, and the tests, all of which a ✓ takes.
COLUMNS = {
    "jit": (
        "`jit`, `grad`, `jacfwd`, `jacrev`, `linearize`; no call is left behind in a caller's `jit`",
        ["value_and_gradient_through", "leaves_no_call_behind_in_a_callers_jit"],
    ),
    "control flow": ("`scan`, `while_loop`, `cond`, `remat`, `eval_shape`", ["value_and_gradient_through"]),
    "eager": ("eagerly, and `lower().compile()`", ["value_and_gradient_eagerly_through"]),
    "second": (
        "`hessian`, forward over reverse and reverse over reverse, also out of a `scan`",
        ["second_derivatives_in_every_mode"],
    ),
    "others": ("the gradient of every other argument and option", ["gradient_of_every_other_argument_and_option"]),
    "vmap": ("`vmap` over every argument", ["vmap_over_every_argument"]),
    "sweep": (
        "options that are numbers sweep under `vmap` and don't recompile",
        ["numbers_sweep_under_vmap_and_do_not_recompile"],
    ),
    "export": ("`jax.export` with a symbolic batch", ["export_with_a_symbolic_batch"]),
    "shard_map": ("`shard_map` with `check_vma` on and off, `vmap(axis_name=...)`", ["mapped_axes"]),
    "pmap": ("`pmap`", ["pmap"]),
    "sharded": ("sharded `jit`, automatic and explicit axes", ["sharded_jit"]),
    "mask": ("masked elements leave no trace, in any derivative", ["masked_elements_leave_no_trace"]),
    "weights": (
        "weights are copies, and are learned from zero",
        ["weight_two_is_two_copies", "weights_are_learned_from_zero"],
    ),
    "reduction": ("every `reduction`", ["reductions"]),
    "empty": ("no weight left, an empty batch", ["no_weight_left_is_zero_with_zero_gradient", "empty_batch"]),
    "half": ("bfloat16 and float16", ["precision"]),
    "x64": ("`jax_enable_x64`", ["x64", "weak_types_and_python_scalars"]),
    "debug": ("`jax_debug_nans`, `jax_check_tracer_leaks`", ["debug_nans_and_leak_checks"]),
    "checked": ("`checked`, around the loss and its gradient", ["checked_changes_nothing_where_values_fit"]),
    "errors": ("shapes and calls that don't fit", ["shapes_that_do_not_fit", "calls_that_do_not_fit"]),
    "pickle": ("pickles, shows its signature", ["is_a_plain_function_that_pickles_and_shows_itself"]),
}

HEAD = """\
# What is tested

Every loss under every transform and mode that the contract names, each as a test of
[tests/test_contract.py](../tests/test_contract.py) with one device or eight, and everywhere under
`jax_numpy_dtype_promotion="strict"`, `jax_numpy_rank_promotion="raise"` and warnings as errors. ✓ is a test that `make
test` runs; this page is made from the list of them, and a test fails when it is out of date. "No number" is a loss
without an option that is one. Two things can't work, for any loss, and raise an error that is tested: `axis_name` with
`reduction="none"`, which reduces nothing, and `checked` inside `jit` instead of around it."""


def tests_by_loss() -> dict[str, set[str]]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    collected = subprocess.run(
        [*command, "tests/test_contract.py"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    found: dict[str, set[str]] = {name: set() for name in LOSSES}
    for line in collected.splitlines():
        test, _, parameters = line.partition("::")[2].partition("[")
        words = parameters.rstrip("]").split("-")
        for name in found.keys() & {*words}:
            found[name].add(test.removeprefix("test_"))
    return found


def cell(tests: set[str], column: str) -> str:
    if tests.issuperset(COLUMNS[column][1]):
        return "✓"
    return "no number" if column == "sweep" else ""


def page() -> str:
    found = tests_by_loss()
    meaning = "\n".join(f"- **{column}**: {text}" for column, (text, _) in COLUMNS.items())
    lines = ["| loss | " + " | ".join(COLUMNS) + " |", "|---|" + ":-:|" * len(COLUMNS)]
    lines += [f"| `{name}` | " + " | ".join(cell(found[name], column) for column in COLUMNS) + " |" for name in LOSSES]
    table = "\n".join(lines)
    return f"{HEAD}\n\n{meaning}\n\n{table}\n"


if __name__ == "__main__":
    print(page(), end="")
