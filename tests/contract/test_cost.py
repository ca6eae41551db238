"""What losses cost, as far as it is exact: memory, messages between devices, programs compiled and what is in them.

Compiled, not run. How long it takes is measured in `benchmarks/`.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec as P

from ..harness.case import Case
from ..harness.rows import CASES, FIRST, exhaustive
from .test_network import messages


ROWS, COLUMNS = 256, 64


class Problem(NamedTuple):
    """A call by shapes: the first argument, the others with the options that are arrays, and the loss of both."""

    lead: jax.ShapeDtypeStruct
    rest: dict[str, jax.ShapeDtypeStruct]
    loss: Any

    @property
    def size(self) -> int:
        return sum(size(x) for x in (self.lead, *self.rest.values()))


def size(x: jax.ShapeDtypeStruct) -> int:
    return x.size * x.dtype.itemsize


def row_axis(case: Case) -> int:
    axis = case.options.get("axis", -1)
    axis = axis if isinstance(axis, int) else -1
    return axis % next(iter(case.arguments().values())).ndim


def problem(case: Case, sharding: NamedSharding | None = None) -> Problem:
    """With many rows, and as many columns as an N^2 needs to show: the axis of classes or features, and all like it."""
    arguments = case.arguments()
    narrow = next(iter(arguments.values())).shape[row_axis(case)]
    columns = narrow if case.inputs[next(iter(arguments))].kind == "box" else COLUMNS  # which has its corners

    def grown(shape: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(columns if length == narrow else length for length in shape)

    given = {
        name: jax.ShapeDtypeStruct((ROWS, *grown(x.shape[1:])), x.dtype, sharding=sharding)
        for name, x in arguments.items()
    }
    arrays = {
        name: jax.ShapeDtypeStruct(grown(x.shape), x.dtype)
        for name, x in case.options.items()
        if isinstance(x, np.ndarray)
    }
    choices = {name: x for name, x in case.options.items() if name not in arrays}
    lead = given.pop(next(iter(given)))
    return Problem(lead, given | arrays, lambda lead, rest: case.loss(lead, **rest, **choices))


@functools.cache
def lowered(case: Case) -> Any:
    p = problem(case)
    return jax.jit(jax.value_and_grad(p.loss)).lower(p.lead, p.rest)


@functools.cache
def compiled(case: Case) -> Any:
    return lowered(case).compile()


# --- memory --------------------------------------------------------------------------------------------------------


# Temporaries of value and gradient as a multiple of the arguments' bytes. One array for the terms of a sum, one for
# what the gradient shares with them and one to spare; more only where it is said why.
MOST = 3.0
MORE = {
    "arcface_loss": (6, "unit vectors, the own class of each row, what is left beside it, and their slopes"),
    "bi_tempered_logistic_loss": (14, "the normaliser's iterations, and powers of them on the way back"),
    "circle_loss": (4, "positives and negatives with the factors of each pair"),
    "cosface_loss": (5, "unit vectors, the own class of each row, and their slopes"),
    "crf_nll_loss": (
        COLUMNS + 4,
        "each tag before each other, at one step: N^2 by definition, and each tag by products",
    ),
    "cldice_loss": (33, "shifted images of one iteration, and what each starts with"),
    "ensemble_crps_loss": (5, "sorted members with their places"),
    "gamma_nll_loss": (4, "log gamma, and what its slope shares with it"),
    "multilabel_margin_loss": (COLUMNS + 2, "each target against each other class: N^2 by definition, of each row"),
    "negative_binomial_nll_loss": (6, "log gamma of three arguments, and their slopes"),
    "ntxent_loss": (4, "the softmax of each positive against all negatives"),
    "poisson_nll_loss": (4, "in JAX 0.12 log gamma looks up a table"),
    "poly1_cross_entropy": (5, "the label's probability, and smoothed"),
    "lovasz_softmax_loss": (4.2, "errors with their places, sorted, and what they are written back into"),
    "siglip_loss": (4, "what each pair costs, and its slope, by row and by column"),
    "ssim_loss": (5, "four moments, on their way from axis to axis and back"),
    "student_t_nll_loss": (4, "log gamma of two arguments, and their slopes"),
    "linear_rnnt_loss": (6, "a chunk of the logits, and their slopes"),
    "unlikelihood_loss": (4, "all classes but the label's, and their exponentials"),
    "batch_triplet_loss": (4.5, "as much as five arrays of rows by columns hold"),
    "asymmetric_loss": (4, "powers of both probabilities, and their slopes"),
}
OF_PAIRS = ("pairwise_logistic_loss", "pairwise_hinge_loss", "pairwise_soft_zero_one_loss", "pairwise_quantile_loss")
OF_PAIRS += ("unique_softmax_loss", "listmle_loss", "approx_ndcg_loss", "approx_mrr_loss")
MORE |= dict.fromkeys(OF_PAIRS, (26, "a block of pairs, and its slopes: as large for lists of any length"))


@exhaustive(FIRST)
def test_temporaries(case):
    most, _ = MORE.get(case.loss.__name__, (MOST, ""))
    block = 4 * ROWS**2 if case.meeting else 0  # of rows by columns: larger batches take several
    assert compiled(case).memory_analysis().temp_size_in_bytes <= most * (problem(case).size + block)


# Losses of a class that need no array of the scores' size but the gradient, with options that don't either.
LEAN = {
    "cross_entropy",
    "cross_entropy-images",
    "cross_entropy-options",
    "generalized_cross_entropy",
    "nll_loss",
    "nll_loss-axis",
    "softmax_focal_loss",
    "symmetric_cross_entropy",
    "taylor_cross_entropy",
}


@pytest.mark.parametrize("case", [case for case in CASES if case.id in LEAN], ids=lambda case: case.id)
def test_no_array_of_the_size_of_the_scores_in_the_value_of_a_class(case):
    """A one-hot array would be one; nor with the gradient, but for what it is itself."""
    p = problem(case)
    value = jax.jit(p.loss).lower(p.lead, p.rest).compile()
    for program in (value, compiled(case)):
        assert program.memory_analysis().temp_size_in_bytes < size(p.lead) / 4


# --- programs ------------------------------------------------------------------------------------------------------


NUMBERED = {case.loss: case for case in CASES if any(isinstance(x, float) for x in case.options.values())}.values()


@pytest.mark.thin(3)
@pytest.mark.usefixtures("compiles_fast")
@pytest.mark.parametrize("case", NUMBERED, ids=lambda case: case.id)
def test_other_numbers_compile_nothing_in_an_eager_call(case, caplog):
    numbers = {name: x for name, x in case.options.items() if isinstance(x, float)}
    case.loss(**case.arguments(), **case.options)
    with jax.log_compiles():
        case.loss(**case.arguments(1), **case.options | {name: 0.5 * x for name, x in numbers.items()})
        assert "Compiling" not in caplog.text
        jax.jit(lambda x: x + len(numbers))(jnp.zeros(()))  # the log would have it
        assert "Compiling" in caplog.text


# --- devices -------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("compiles_fast")
@exhaustive([case for case in FIRST if not case.meeting])
def test_a_sharded_batch_only_adds_up_scalars(case):
    mesh = jax.make_mesh((8,), ("data",))
    p = problem(case, NamedSharding(mesh, P("data")))
    sent = messages(jax.value_and_grad(p.loss), p.lead, p.rest)
    assert sent and all(kind == "all-reduce" and bytes_ <= 8 for kind, bytes_ in sent)
