"""Which rows a test runs: in `make test-all` all of them, in `make test` what tells something new."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

import jaxloss

from .case import Case


TESTS = Path(__file__).parents[1]


def gathered(file: str, name: str) -> list[Any]:
    """A list of all the families that have one in a file of this name."""
    rooms = sorted(path.parent.name for path in TESTS.glob(f"*/{file}.py"))
    modules = (importlib.import_module(f"tests.{room}.{file}") for room in rooms)
    return [row for module in modules for row in getattr(module, name, [])]


CASES: list[Case] = gathered("cases", "CASES")
MORE: list[Case] = gathered("cases", "MORE")
# For what doesn't depend on the options: the first row of each loss.
FIRST = list({case.loss: case for case in reversed(CASES)}.values())[::-1]
all_cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
one_case_a_loss = pytest.mark.parametrize("case", FIRST, ids=lambda case: case.loss.__name__)

# One row for each way in which losses are made: elementwise, by a rule written by hand, of members and of vectors, by
# class, by a loop, by a sort, of norms, of rows that meet.
KINDS = [
    "huber_loss",
    "general_robust_loss",
    "gaussian_mixture_nll_loss",
    "kl_divergence",
    "cross_entropy-options",
    "linear_cross_entropy",
    "sparsemax_loss",
    "triplet_margin_loss",
    "clip_loss",
]


def of_each_kind(cases: list[Case]) -> list[Case]:
    rows = {kind: [case for case in cases if case.loss.__name__ == kind.partition("-")[0]] for kind in KINDS}
    return [next((case for case in rows if case.id == kind), rows[0]) for kind, rows in rows.items() if rows]


def in_turn(cases: list[Case], always: list[Case], others: list[Case]) -> Callable[[Any], Any]:
    """All of these rows in `make test-all`; in `make test` some, and a third of others, each test another one."""

    def decorate(test: Any) -> Any:
        third = others[len(test.__name__) % 3 :: 3] or others[:1]
        return pytest.mark.parametrize("case", some(cases, *always, *third), ids=lambda case: case.id)(test)

    return decorate


# What seldom depends on the options, and is seen by another test where it does.
most_cases = in_turn(CASES, FIRST, [case for case in CASES if case not in FIRST])


def exhaustive(cases: list[Case]) -> Callable[[Any], Any]:
    """Of these rows, in `make test`, a third of the kinds: what it tests is JAX's machinery."""
    return in_turn(cases, [], of_each_kind(cases))


def some(values: Iterable[Any], *quick: Any) -> list[Any]:
    """Parameters of which `make test` takes only `quick`."""
    rest = pytest.mark.exhaustive
    each = ((value, value if isinstance(value, tuple) else (value,)) for value in values)
    return [value if value in quick else pytest.param(*several, marks=rest) for value, several in each]


# Several losses as one number: with tests of their own.
REDUCTIONS = {"reduce", "average_top_k_loss"}


def public_losses() -> dict[str, Any]:
    return {
        name: f
        for name, f in vars(jaxloss).items()
        if inspect.isfunction(f) and not name.startswith("_") and "reduction" in inspect.signature(f).parameters
    }
