"""The negative log-likelihood of a yes or no under a sigmoid, by logits."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract.types import Array
from .derivatives import times, with_partials
from .elementary import exp_minus_abs, log1p_unit, softplus


def split_by_sign(z: Array, negative: Array, positive: Array) -> tuple[Array, Array, Array, Array]:
    """The sign of a logit; the shares that the logit speaks against and for; ``exp(-abs(z))``."""
    up = z >= 0
    sign = jnp.where(up, 1, -1)
    return sign, jnp.where(up, negative, positive), jnp.where(up, positive, negative), exp_minus_abs(z)


def binary_slope(z: Array, y: Array, w: Array) -> Array:
    sign, wrong, right, e = split_by_sign(z, 1 - y, w * y)
    return sign * (wrong - right * e) / (1 + e)


@with_partials(
    binary_slope, lambda z, y, w: times(w, softplus(-z)) - softplus(z), lambda z, y, w: times(y, softplus(-z))
)
def binary_nll(z: Array, y: Array, w: Array) -> Array:
    """Nothing here is subtracted, so a confident loss keeps its relative accuracy."""
    _, wrong, right, e = split_by_sign(z, 1 - y, w * y)
    return times(wrong, jnp.abs(z)) + (wrong + right) * log1p_unit(e)
