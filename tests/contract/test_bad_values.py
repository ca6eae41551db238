"""A bad value spoils all of its element and nothing else: the loss, and the slope in every argument, of every entry."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss

from ..harness.case import Case
from ..harness.derivatives import real
from ..harness.rows import CASES, exhaustive


pytestmark = pytest.mark.usefixtures("compiles_fast")
# The label says which of two losses it is, and has no slope; only the label's entry is looked at.
NO_SLOPE = {"hinge_embedding_loss": "labels", "cosine_embedding_loss": "labels"}
ONE_ENTRY = {jaxloss.nll_loss: "log_probs"}


@exhaustive(CASES)
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
            elif losses.ndim == 1:  # of a class that is masked out there is none
                allowed = case.options.get("class_mask", np.ones(slope.shape[1:], bool))
                assert slope[0][allowed].all(), (name, value, key)
