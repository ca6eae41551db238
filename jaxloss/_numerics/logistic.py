"""The negative log-likelihood of a yes or no under a sigmoid, by logits."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract.types import Array
from .derivatives import squarable, times, unbounded, with_partials
from .elementary import exp_minus_abs, log1p_unit, sigmoid, softplus


def split_by_sign(z: Array, negative: Array, positive: Array) -> tuple[Array, Array, Array, Array]:
    """The sign of a logit; the shares that the logit speaks against and for; ``exp(-abs(z))``."""
    up = z >= 0
    sign = jnp.where(up, 1, -1)
    return sign, jnp.where(up, negative, positive), jnp.where(up, positive, negative), exp_minus_abs(z)


def _nll(z: Array, negative: Array, positive: Array) -> Array:
    """Nothing here is subtracted, so a confident loss keeps its relative accuracy."""
    _, wrong, right, e = split_by_sign(z, negative, positive)
    return times(wrong, jnp.abs(z)) + (wrong + right) * log1p_unit(e)


def _slope(z: Array, negative: Array, positive: Array) -> Array:
    sign, wrong, right, e = split_by_sign(z, negative, positive)
    return sign * (wrong - right * e) / (1 + e)


def _by_label(z: Array, w: Array) -> Array:
    return times(w, softplus(-z)) - softplus(z)


@with_partials(
    lambda z, y, w: _slope(z, 1 - y, w * y),
    unbounded(lambda z, y, w: _by_label(z, w)),
    unbounded(lambda z, y, w: times(y, softplus(-z))),
)
def weighted_binary_nll(z: Array, y: Array, w: Array) -> Array:
    """With a weight of the positive label."""
    return _nll(z, 1 - y, w * y)


def binary_nll(z: Array, y: Array) -> Array:
    return weighted_binary_nll(z, y, jnp.ones((), z.dtype))


def binary_slope(z: Array, y: Array) -> Array:
    """The probability less the label, as accurate as the distance of either from 0 or 1."""
    return _slope(z, 1 - y, y)


@with_partials(lambda y, smoothing: 1 - smoothing, lambda y, smoothing: 0.5 - y)
def smoothed(y: Array, smoothing: Array) -> Array:
    """As accurate as `y`, unless that is near 1: its distance from there would be rounded off."""
    return (1 - smoothing) * y + 0.5 * smoothing


def _shares(y: Array, w: Array, smoothing: Array) -> tuple[Array, Array]:
    return smoothed(1 - y, smoothing), w * smoothed(y, smoothing)


@with_partials(
    lambda z, y, w, smoothing: _slope(z, *_shares(y, w, smoothing)),
    unbounded(lambda z, y, w, smoothing: times(1 - smoothing, _by_label(z, w))),
    unbounded(lambda z, y, w, smoothing: times(smoothed(y, smoothing), softplus(-z))),
    unbounded(lambda z, y, w, smoothing: times(0.5 - y, _by_label(z, w))),
)
def smoothed_binary_nll(z: Array, y: Array, w: Array, smoothing: Array) -> Array:
    return _nll(z, *_shares(y, w, smoothing))


def _sigmoid_power(z: Array, gamma: Array) -> Array:
    return jnp.exp(times(gamma, -softplus(-z)))


def focal_slope(z: Array, gamma: Array) -> Array:
    z = squarable(z)
    return _sigmoid_power(z, gamma) * (gamma * sigmoid(-z) * softplus(z) + sigmoid(z))


def focal_by_gamma(z: Array, gamma: Array) -> Array:
    z = squarable(z)
    return times(-softplus(-z), _sigmoid_power(z, gamma) * softplus(z))


@with_partials(focal_slope, focal_by_gamma)
def focal_nll(z: Array, gamma: Array) -> Array:
    """``sigmoid(z) ** gamma * -log(sigmoid(-z))``: of a no, the less the easier; of a yes by ``-z``."""
    return times(_sigmoid_power(z, gamma), softplus(z))
