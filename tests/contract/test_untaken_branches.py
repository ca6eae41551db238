"""What is selected away is no NaN in the first place: good inputs pass JAX's NaN checks, operation by operation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import checkify

import jaxloss

from ..harness.case import Case
from ..harness.problems import arrays, problem
from ..harness.rows import CASES, exhaustive, some


pytestmark = pytest.mark.usefixtures("compiles_fast")


def passes(f: Any, *x: Any) -> None:
    """Value and gradient, with each operation on its own, and as traced."""
    derive = jax.value_and_grad(f)
    with jax.disable_jit(), jax.debug_nans(True):
        derive(*x)
    error, _ = checkify.checkify(derive, errors=checkify.nan_checks)(*x)
    assert not error.get()


@exhaustive(CASES)
def test_no_operation_makes_a_nan_of_good_inputs(case: Case):
    p = problem(case)
    passes(lambda x: arrays(case, p.rest)(x, p.rest), jnp.asarray(p.x))


INF = np.inf
RULED_OUT = np.array([[0.0, -INF, 1.0], [2.0, 1.0, -INF]], np.float32)
HARD, SOFT = np.array([0, 1]), np.array([[0.5, 0, 0.5], [0.25, 0.75, 0]], np.float32)
ALLOWED = np.array([True, True, False])
LOGS = np.log(np.where(SOFT == 0, 1, SOFT)) + np.where(SOFT == 0, -INF, 0).astype(np.float32)
BY_CLASS = [
    jaxloss.cross_entropy,
    jaxloss.softmax_focal_loss,
    jaxloss.poly1_cross_entropy,
    jaxloss.generalized_cross_entropy,
    jaxloss.symmetric_cross_entropy,
    jaxloss.taylor_cross_entropy,
    jaxloss.bi_tempered_logistic_loss,
]
GOOD = {
    **{
        f"{loss.__name__} {kind}, ruled out": (
            loss,
            (RULED_OUT, labels),
            {"t1": 0.7, "t2": 1.5} if "temper" in loss.__name__ else {},
        )
        for loss in BY_CLASS
        for kind, labels in (("hard", HARD), ("soft", SOFT))
    },
    "cross_entropy class_mask": (
        jaxloss.cross_entropy,
        (RULED_OUT[:, ::2], HARD * 0),
        {"class_mask": ALLOWED[:2], "label_smoothing": 0.1},
    ),
    "sparsemax": (jaxloss.sparsemax_loss, (RULED_OUT, HARD), {}),
    "entmax15": (jaxloss.entmax15_loss, (RULED_OUT, HARD), {}),
    "linear": (jaxloss.linear_cross_entropy, (SOFT, np.eye(3, dtype=np.float32), HARD), {"bias": RULED_OUT[0]}),
    "nll": (jaxloss.nll_loss, (LOGS, HARD), {}),
    "kl": (jaxloss.kl_divergence, (LOGS, SOFT), {}),
    "js": (jaxloss.js_divergence, (LOGS, SOFT[::-1]), {}),
    "renyi": (jaxloss.renyi_divergence, (LOGS, SOFT), {"alpha": 0.5}),
    "mixture": (
        jaxloss.gaussian_mixture_nll_loss,
        (RULED_OUT, HARD.astype(np.float32)),
        {"means": SOFT, "scales": np.float32(1)},
    ),
    "generalized kl": (jaxloss.generalized_kl_divergence, (np.array([0, -INF], np.float32), HARD[::-1]), {}),
    "reverse kl": (jaxloss.reverse_kl_divergence, (np.array([0, -INF], np.float32), HARD[::-1]), {}),
    "renyi, all ruled out": (jaxloss.renyi_divergence, (np.array([-INF, 0], np.float32), HARD[::-1]), {"alpha": 0.5}),
    "tweedie": (jaxloss.tweedie_deviance_loss, (np.array([-1, 0, 2], np.float32), np.zeros(3)), {"power": 0.0}),
    "poisson, no rate": (jaxloss.poisson_nll_loss, (np.array([-INF, 2, INF], np.float32), np.array([0, 0, 1])), {}),
    "probabilities": (jaxloss.binary_cross_entropy, (np.array([0, 1, 0.5], np.float32), np.array([0, 1, 1])), {}),
    "poisson": (jaxloss.poisson_nll_loss, (np.array([0, 2], np.float32), np.array([0, 3])), {"log_input": False}),
    "binomial": (
        jaxloss.negative_binomial_nll_loss,
        (np.array([0, 2], np.float32), np.array([0, 3])),
        {"dispersion": np.float32(0)},
    ),
    "a vector of zeros": (jaxloss.cosine_distance, (np.zeros((2, 3), np.float32), SOFT), {}),
    "the same vectors": (jaxloss.triplet_margin_loss, (SOFT, SOFT, SOFT), {}),
}


BY_LABELS = {"generalized kl", "reverse kl", "renyi, all ruled out", "tweedie", "poisson, no rate"}


@pytest.mark.parametrize("name", some(GOOD, "cross_entropy hard, ruled out", "kl", "mixture", "linear"))
def test_no_operation_makes_a_nan_of_inputs_at_the_edge(name):
    loss, (x, *rest), options = GOOD[name]
    passes(lambda x: loss(x, *rest, **options), jnp.asarray(x))
    if name in BY_LABELS:
        passes(lambda y: loss(x, y, **options), jnp.asarray(rest[0], jnp.float32))


def test_a_masked_weight_makes_no_nan():
    x, mask = jnp.array([1.0, 2, 3]), np.array([True, False, True])
    derive = jax.value_and_grad(lambda weights: jaxloss.mse_loss(x, 2 * x, weights, mask))
    error, _ = checkify.checkify(jax.jit(derive), errors=checkify.nan_checks)(jnp.array([1, np.nan, 1]))
    assert not error.get()
