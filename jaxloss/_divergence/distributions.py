"""What divergences share: two distributions at the door, and terms that keep their accuracy where these are close."""

from __future__ import annotations

import functools

import jax.numpy as jnp
from jax import lax

from .._contract import inputs
from .._contract.checks import nan_unless, nearest, report, rounding, within
from .._contract.types import Array, ArrayLike, Axes
from .._numerics.derivatives import times
from .._numerics.elementary import horner
from .._numerics.special import exp_remainder


def from_logs(
    mask: ArrayLike | None, axis: Axes, log_probs: ArrayLike, labels: ArrayLike, labelled: str, logs: str = "[-inf, 0]"
) -> tuple[Array, Array, Array, tuple[int, ...]]:
    return distributions(mask, axis, (logs, labelled), log_probs=log_probs, labels=labels)


def from_probs(
    mask: ArrayLike | None, axis: Axes, probs: ArrayLike, labels: ArrayLike
) -> tuple[Array, Array, Array, tuple[int, ...]]:
    return distributions(mask, axis, ("[0, 1]", "[0, 1]"), probs=probs, labels=labels)


def distributions(
    mask: ArrayLike | None, axis: Axes, intervals: tuple[str, ...], **given: ArrayLike
) -> tuple[Array, Array, Array, tuple[int, ...]]:
    """Two distributions; for each pair 1, or NaN where a value doesn't fit its interval; the axes of the classes.

    A loss is multiplied by it: so accelerators take the sum and the check in one pass over both. On CPUs XLA would
    keep what value and slope share in memory, unless the check stands between.
    """
    arrays, axes = inputs.vectors(mask, axis=axis, harmless=0.0, **given)
    nears = [rounding(came, x.dtype) for came, x in zip(given.values(), arrays)]
    for name, x, interval, near in zip(given, arrays, intervals, nears):
        rule = {"[-inf, 0]": "be at most 0"}.get(interval, f"lie in {interval}")
        report(name, x, within(x, interval, near), rule)

    def in_front(*arrays: Array) -> tuple[Array, Array]:
        fits = [  # by extremes, lest XLA for CPUs write a mask to memory
            within(extreme(x, axes, keepdims=True, initial=0), interval, near)
            for x, interval, near in zip(arrays, intervals, nears)
            for extreme in (jnp.min, jnp.max)
        ]
        poison = nan_unless(functools.reduce(jnp.logical_and, fits), arrays[0].dtype)
        return poison, jnp.ones_like(poison)

    def at_last(*arrays: Array) -> tuple[Array, Array]:
        fits = functools.reduce(jnp.logical_and, map(within, arrays, intervals, nears)).astype(arrays[0].dtype)
        poison = nan_unless(jnp.min(fits, axes, keepdims=True, initial=1) > 0, arrays[0].dtype)
        return jnp.zeros_like(poison), 1 + poison

    between, sound = lax.platform_dependent(*map(lax.stop_gradient, arrays), cpu=in_front, default=at_last)
    first, labels = (nearest(x, interval) + between for x, interval in zip(arrays, intervals))
    return first, labels, jnp.squeeze(sound, axes), axes


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


def to_mixture(a: Array, m: Array, over: Array, reciprocal: Array, scale: Array | float = 1.0) -> tuple[Array, Array]:
    """``scale**2 * (a * log(a / m) - (a - m))``, at least 0, and ``log(a / m)``, for ``over = scale * (a - m)``.

    The scale comes in first: what is close at a high temperature would be too small.
    """
    each = over * reciprocal
    u = each / scale
    close = jnp.abs(u) < 0.25
    x, terms = jnp.where(close, u, 0), 14 if u.dtype == jnp.float32 else 27
    near = over * jnp.where(close, each, 0) * horner(x, *((-1) ** n / (n * (n - 1)) for n in range(2, terms)))
    far = jnp.where(m == 0, jnp.inf, log_or(jnp.where(close | (m == 0), 1, a * reciprocal), 0))
    return (
        jnp.where(close, near, scale * (times(scale, times(a, far)) - over)),
        jnp.where(close, jnp.log1p(x), far),
    )
