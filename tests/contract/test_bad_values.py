"""A bad value spoils all of its element and nothing else: the loss, and the slope in every argument, of every entry."""

from __future__ import annotations

import functools
import inspect
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss
from jaxloss._contract.jit import _parts
from jaxloss._contract.types import Number

from ..harness.case import Case
from ..harness.derivatives import real
from ..harness.rows import CASES, exhaustive


pytestmark = pytest.mark.usefixtures("compiles_fast")
# The label says which of two losses it is, and has no slope; only the label's entry is looked at.
NO_SLOPE = dict.fromkeys(["hinge_embedding_loss", "cosine_embedding_loss", "contrastive_loss"], "labels")
ONE_ENTRY = {jaxloss.nll_loss: "log_probs"}


@exhaustive([case for case in CASES if not case.meeting])
def test_every_slope_of_an_element_with_a_bad_value_is_nan(case: Case):
    arguments = case.arguments()
    floats = [name for name, x in arguments.items() if real(x)]

    @jax.jit
    @functools.partial(jax.value_and_grad, has_aux=True)
    def spoiled(x, held):
        losses = case.loss(**x, **held, **case.options, reduction="none")
        return jnp.sum(losses), losses

    bad = [(name, value) for name, value, _ in case.bad] + [(name, np.nan) for name in floats]
    for name, value in bad:
        if name == ONE_ENTRY.get(case.loss) and np.isnan(value):
            continue
        given = {key: x.copy() for key, x in arguments.items()}
        given[name].reshape(len(given[name]), -1)[0, 0] = value
        x = {key: given.pop(key) for key in floats}
        (_, losses), slopes = spoiled(x, given)
        spoilt = np.isnan(losses)
        assert spoilt[0].any() and not spoilt[1:].any(), (name, value)
        for key in set(floats) - {*case.constant, NO_SLOPE.get(case.loss.__name__)}:
            slope = np.isnan(slopes[key])
            assert not slope[1:].any(), (name, value, key)
            if slope.shape == spoilt.shape:
                np.testing.assert_array_equal(slope, spoilt, f"{name} {value} {key}")
            elif case.members is not None:
                np.testing.assert_array_equal(slope, case.lifted(spoilt), f"{name} {value} {key}")
            elif losses.ndim == 1:  # of a class that is masked out there is none
                allowed = case.options.get("class_mask", np.ones(slope.shape[1:], bool))
                assert slope[0][allowed].all(), (name, value, key)


@exhaustive(CASES)
def test_an_option_out_of_range_spoils_every_loss_and_its_own_slope(case: Case):
    """Where that only shows while the loss runs."""
    hints = typing.get_type_hints(inspect.unwrap(case.loss), include_extras=True)
    for name in case.options:
        if not any(isinstance(part, Number) and part.scalar for part in _parts(hints[name])):
            continue

        @jax.jit
        @functools.partial(jax.value_and_grad, has_aux=True)
        def spoiled(option, name=name):
            losses = case.loss(**case.arguments(), **{**case.options, name: option}, reduction="none")
            return jnp.sum(losses), losses

        (_, losses), slope = spoiled(jnp.float32(np.nan))
        counted = case.expected(case.arguments())[1] > 0
        assert np.isnan(losses)[counted].all() and (np.isnan(slope) or name in case.constant), name


EPS = 2.0**-23
ROUNDED = {
    "probs": (jaxloss.binary_cross_entropy, ([1 + EPS, 0.5], [1.0, 0]), ([1.0, 0.5], [1.0, 0])),
    "labels": (jaxloss.binary_cross_entropy, ([0.25, 0.5], [1 + 4 * EPS, -EPS]), ([0.25, 0.5], [1.0, 0])),
    "labels of logits": (jaxloss.binary_cross_entropy_with_logits, ([3.0, 1], [1 + EPS, -EPS]), ([3.0, 1], [1.0, 0])),
    "soft labels": (jaxloss.cross_entropy, ([[3.0, 1]], [[1 + EPS, -EPS]]), ([[3.0, 1]], [[1.0, 0]])),
    "log_probs": (jaxloss.kl_divergence, ([[EPS, -20.0]], [[1.0, 0]]), ([[0.0, -20]], [[1.0, 0]])),
    "log_probs of a class": (jaxloss.nll_loss, ([[EPS, -20.0]], [[1.0, 0]]), ([[0.0, -20]], [[1.0, 0]])),
    "labels of classes": (
        jaxloss.multilabel_soft_margin_loss,
        ([[3.0, 1]], [[1 + EPS, -EPS]]),
        ([[3.0, 1]], [[1.0, 0]]),
    ),
    "signs": (jaxloss.hinge_loss, ([0.5, 0.25], [1 + EPS, EPS - 1]), ([0.5, 0.25], [1.0, -1])),
    "counts": (jaxloss.poisson_nll_loss, ([0.5, 0.25], [-EPS, 1]), ([0.5, 0.25], [0.0, 1])),
}


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", ROUNDED)
def test_what_leaves_its_range_by_rounding_is_the_nearest_value(name, dtype, x64):
    loss, rounded, right = ROUNDED[name]
    both = jax.jit(lambda x, y: jax.value_and_grad(lambda x, y: jnp.sum(loss(x, y, reduction="none")), (0, 1))(x, y))
    unit = float(jnp.finfo(dtype).eps) / EPS
    rounded = [np.asarray(b) + unit * (np.asarray(a) - np.asarray(b)) for a, b in zip(rounded, right)]
    arrays = [[jnp.asarray(x, dtype) for x in given] for given in (rounded, right)]
    jax.tree.map(np.testing.assert_array_equal, both(*arrays[0]), both(*arrays[1]))
    far = jax.tree.map(lambda a, b: a + 8 * (a - b), *arrays)
    assert np.isnan(both(*far)[0])


def test_what_leaves_its_range_by_rounding_in_half_precision():
    near, far = jnp.array([1.0078125], jnp.bfloat16), jnp.array([1.0625], jnp.bfloat16)
    labels = jnp.array([1.0])
    assert jaxloss.binary_cross_entropy(near, labels) == 0
    assert np.isnan(jaxloss.binary_cross_entropy(far, labels))
    assert np.isnan(jaxloss.binary_cross_entropy(near.astype(jnp.float32), labels))
    assert jaxloss.poisson_nll_loss(jnp.zeros(1), jnp.bfloat16([-0.0078125])) == 1


def test_options_that_leave_their_range_by_rounding():
    logits, label = jnp.zeros((1, 2)), jnp.array([0])
    for smoothing in (-1e-17, 1 + 4e-16, jnp.float32(-1e-7), jnp.float32(1 + EPS)):
        np.testing.assert_allclose(
            jaxloss.cross_entropy(logits, label, label_smoothing=smoothing), np.log(2), rtol=1e-6
        )
