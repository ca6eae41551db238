"""Sums of any size and dtype, and what every loss of a number is: never negative, also where it rounds."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss

from ..harness.numbers import BF16, F16, close
from ..harness.rows import all_cases


pytestmark = pytest.mark.thin(4)


# --- 6: sums ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [BF16, F16], ids=lambda dtype: dtype.__name__)
def test_half_precision_sums_do_not_saturate(dtype):
    ones = jnp.ones(100_000, dtype)
    assert jaxloss.l1_loss(ones, jnp.zeros(100_000), reduction="sum") == 100_000
    assert jaxloss.reduce(ones, reduction="sum") == 100_000
    assert jaxloss.mse_loss(jnp.full(10, 300, dtype), jnp.zeros(10)) == 90_000


def test_long_sums_do_not_drift():
    for weights in (None, jnp.float32(0.3)):
        losses = jnp.full(100_000_000, 0.1, jnp.float32)
        total = jaxloss.reduce(losses, weights, reduction="total")
        factor = 1 if weights is None else float(weights)
        close(total.total, 1e8 * float(np.float32(0.1)) * factor, rtol=1e-6)
        close(total.weight, 1e8 * factor, rtol=1e-6)
        close(total.mean(), 0.1, rtol=1e-6)


# --- 7: signs and kinks -------------------------------------------------------------------------------------------


@all_cases
def test_never_negative(case):
    """Also where rounding could push it below zero; a log-density may lie there."""
    arguments = case.arguments(seed=5)
    first = next(iter(arguments))
    for scale in (1e-6, 1e-3, 1, 30):
        scaled = {**arguments, first: np.minimum(arguments[first] * np.float32(scale), 1 if first == "probs" else 1e30)}
        with np.errstate(invalid="ignore", divide="ignore"):
            expected, _ = case.expected(scaled)
        losses = np.asarray(case.loss(**scaled, **case.options, reduction="none"))
        assert np.all(losses[expected >= 0] >= 0)


def test_scalars():
    assert jaxloss.l1_loss(jnp.float32(3), 1) == 2
    close(jaxloss.cross_entropy(jnp.zeros(4), 2), np.log(4))
    close(jaxloss.binary_cross_entropy_with_logits(jnp.float32(0), True), np.log(2))


# --- 9: size ------------------------------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_more_than_two_to_the_31_elements():
    """The last row of 2^31 + 2^20 bool losses counts as much as the first, and so does its mask."""
    rows, count = 2**20 + 512, 2048
    ends = jnp.zeros((rows, 1), jnp.bool_).at[jnp.array([0, rows - 1])].set(True)
    total = jaxloss.reduce(jnp.broadcast_to(ends, (rows, count)), mask=ends, reduction="total")
    assert total.total == total.weight == 2 * count
