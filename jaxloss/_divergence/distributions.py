"""What divergences share: two distributions at the door, and terms that keep their accuracy where these are close."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from .._contract import inputs
from .._contract.checks import nan_unless, nearest, report, rounding, within
from .._contract.types import Array, ArrayLike, Axes
from .._numerics.derivatives import times
from .._numerics.special import exp_remainder


def from_logs(
    mask: ArrayLike | None, axis: Axes, log_probs: ArrayLike, labels: ArrayLike, labelled: str, logs: str = "[-inf, 0]"
) -> tuple[Array, Array, tuple[int, ...]]:
    return distributions(mask, axis, (logs, labelled), log_probs=log_probs, labels=labels)


def distributions(
    mask: ArrayLike | None, axis: Axes, intervals: tuple[str, ...], **given: ArrayLike
) -> tuple[Array, Array, tuple[int, ...]]:
    """Two distributions, and the axes of their classes; where a value doesn't fit its interval, all of both is NaN."""
    arrays, axes = inputs.vectors(mask, axis=axis, harmless=0.0, **given)
    poison = jnp.zeros((), arrays[0].dtype)
    for (name, x), came, interval in zip(zip(given, arrays), given.values(), intervals):
        near = rounding(came, x.dtype)
        report(name, x, within(x, interval, near), {"[-inf, 0]": "be at most 0"}.get(interval, f"lie in {interval}"))
        for extreme in (jnp.min, jnp.max):  # not jnp.all, which would write a mask to memory
            farthest = extreme(lax.stop_gradient(x), axes, keepdims=True, initial=0)
            poison = poison + nan_unless(within(farthest, interval, near), x.dtype)
    first, labels = (nearest(x, interval) for x, interval in zip(arrays, intervals))
    return first + poison, labels + poison, axes


def from_probs(
    mask: ArrayLike | None, axis: Axes, probs: ArrayLike, labels: ArrayLike
) -> tuple[Array, Array, tuple[int, ...]]:
    return distributions(mask, axis, ("[0, 1]", "[0, 1]"), probs=probs, labels=labels)


def log_or(x: Array, otherwise: float) -> Array:
    """The logarithm; for 0 another number."""
    return jnp.where(x == 0, otherwise, jnp.log(jnp.where(x == 0, 1, x)))


def finite(x: Array) -> Array:
    """0 for what is infinite."""
    return jnp.where(jnp.isinf(x), 0, x)


def excess(p: Array, y: Array, d: Array) -> Array:
    """``p - y - y * d`` for `d`, the logarithm of p / y: at least 0. For y = 0 it is `p`, and infinite where `p` is."""
    near = times(y, exp_remainder(jnp.minimum(d, 1)))
    return jnp.where((y == 0) | (p == jnp.inf), p, jnp.where(d < 1, near, p - y * (1 + jnp.maximum(d, 1))))


def gain(p: Array, y: Array, d: Array) -> Array:
    """``p - y``, accurate where the two are close."""
    return jnp.where((jnp.abs(d) < 1) & (y > 0), y * jnp.expm1(jnp.clip(d, -1, 1)), p - y)
