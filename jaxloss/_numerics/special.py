"""Special functions that keep their accuracy, and that of their derivatives, where the textbook form cancels."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import AxisType

from .._contract.types import Array
from .derivatives import derivative, quotient, unbounded, with_partials
from .elementary import horner


HALF_LOG_2_PI = 0.9189385332046728


def exprel_slope(t: Array) -> Array:
    """The derivative of `exprel`: its series near 0."""
    near = jnp.abs(t) < 0.5
    coefficients = [(n + 1) / math.factorial(n + 2) for n in range(13)]
    far = jnp.where(near, 1, t)
    return jnp.where(
        near, horner(jnp.where(near, t, 0), *coefficients), quotient(jnp.exp(far) - quotient(jnp.expm1(far), far), far)
    )


@with_partials(exprel_slope)
def exprel(t: Array) -> Array:
    """``expm1(t) / t``, 1 at 0."""
    tiny = _tiny(t)
    return jnp.where(tiny, 1 + 0.5 * t, jnp.expm1(t) / jnp.where(tiny, 1, t))


def _tiny(x: Array) -> Array:
    """Where two terms of a series are all: where a slope would divide by the square of `x`."""
    return jnp.abs(x) < jnp.finfo(x.dtype).eps ** 0.5


def _split(u: Array, log: Array | None) -> tuple[Array, Array, Array, Array]:
    """Whether `u` is near 0; log1p_bend(u) there, and what it takes elsewhere: `u` and its logarithm."""
    near = (u > -0.5) & (u < 1)
    x, far = jnp.where(near, u, 0), jnp.where(near, 1, u)
    w = x / (2 + x)  # log1p(u) = 2 artanh(w)
    odd = horner(w * w, *(1 / n for n in range(3, 33, 2)))
    return near, (1 - 2 * w / (2 + x) * odd) / (2 + x), far, jnp.log1p(far) if log is None else jnp.where(near, 0, log)


def log1p_deficit(u: Array, log: Array | None = None) -> Array:
    """``1 - log1p(u) / u``, about u / 2 for small `u`; from `log`, if given, where ``1 + u`` would round."""
    near, bend, far, log = _split(u, log)
    return jnp.where(near, u * bend, 1 - quotient(log, far))


def log1p_bend(u: Array, log: Array) -> Array:
    """``log1p_deficit(u, log) / u``, 1 / 2 at 0."""
    near, bend, far, log = _split(u, log)
    return jnp.where(near, bend, quotient(1 - quotient(log, far), far))


@with_partials(lambda u: -derivative(log1p_deficit, 0)(u))
def log1prel(u: Array) -> Array:
    """``log1p(u) / u``, 1 at 0."""
    tiny = _tiny(u)
    return jnp.where(tiny, 1 - 0.5 * u, jnp.log1p(u) / jnp.where(tiny, 1, u))


# Times the reciprocal: XLA joins two divisions in a row, and the product of small numbers is 0. By the larger one
# first: then nothing leaves the range that the slope doesn't.
@with_partials(lambda a, b: jnp.square(1 / a), lambda a, b: -jnp.square(1 / b))
def _itakura_saito_by_a(a: Array, b: Array) -> Array:
    return (a - b) / jnp.maximum(a, b) * (1 / jnp.minimum(a, b))


@with_partials(unbounded(_itakura_saito_by_a), unbounded(lambda a, b: (b - a) / b * (1 / b)))
def itakura_saito(a: Array, b: Array) -> Array:
    """``a / b - 1 - log(a / b)`` of positive numbers: at least 0, and 0 where they are equal."""
    t = (a - b) / b
    near = jnp.abs(t) < 0.5
    near_t = jnp.where(near, t, 0)
    ratio = a / b
    lost = (ratio == 0) | (ratio == jnp.inf)
    log = jnp.where(lost, jnp.log(a) - jnp.log(b), jnp.log(jnp.where(lost, 1, ratio)))
    return jnp.where(near, near_t * log1p_deficit(near_t), t - log)


def _cauchy_by_x(x: Array, b: Array) -> Array:
    far = jnp.abs(x) > 1e6 * jnp.sqrt(b)  # and so the square may overflow
    near_x, far_x = jnp.where(far, 0, x), jnp.where(far, x, 1)
    return jnp.where(far, b * (1 / far_x), near_x / (1 + jnp.square(near_x) / b))


def cauchy_by_b(x: Array, b: Array) -> Array:
    u = jnp.square(x) / b
    near = jnp.minimum(u, 1)
    return jnp.where(
        u < 1, 0.5 * near * (near / (1 + near) - log1p_deficit(near)), cauchy(x, b) / b - 0.5 + 0.5 / (1 + u)
    )


@with_partials(_cauchy_by_x, unbounded(cauchy_by_b))
def cauchy(x: Array, b: Array) -> Array:
    """``b / 2 * log1p(x**2 / b)``, also where the square overflows."""
    u = jnp.square(x) / b
    large = jnp.isinf(u)
    far = jnp.where(large, jnp.log(jnp.where(large, jnp.abs(x), 1)) - 0.5 * jnp.log(b), 0.5 * jnp.log1p(u))
    return jnp.where(u < 1, 0.5 * jnp.square(x) * log1prel(jnp.minimum(u, 1)), b * far)


@with_partials(unbounded(lambda y, x: jnp.log(x)), unbounded(lambda y, x: y / jnp.where((y == 0) & (x == 0), 1, x)))
def xlogy(y: Array, x: Array) -> Array:
    """``y * log(x)``, 0 where `y` is."""
    return jnp.where(y == 0, 0, y * jnp.log(jnp.where(y == 0, 1, x)))


_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)


def stirling_series(w: Array) -> Array:
    """`stirling_error` for `w` of at most 1 / 8."""
    return w * horner(jnp.square(w), *_STIRLING)


def stirling_error(w: Array) -> Array:
    """``lgamma(z) - (z - 1/2) * log(z) + z - log(2 pi) / 2`` at ``z = 1 / w``, for `w` from 0, where it is 0."""
    large = w < 0.125
    steps, total = 7, jnp.zeros_like(w)
    for k in range(steps):  # up to where the series converges
        one_by = w / (1 + k * w)
        total += (1 + 0.5 * one_by) * log1prel(one_by) - 1
    return stirling_series(jnp.where(large, w, w / (1 + steps * w))) + jnp.where(large, 0, total)


def rising_error(y: Array, a: Array) -> Array:
    """``log1p(a * y) / 2 + stirling_error(a) - stirling_error(a / (1 + a * y))``, in proportion to small `y`.

    Both gammas are taken eight steps up to where the series converges, unless it does so here; and the rest is put
    together so that each term is small with `y` and with `a`.
    """
    steps = jnp.where(a < 0.125, 0, jnp.full_like(a, 8))
    top = 1 + steps * a
    share = quotient(a * y, top + a * y)
    total = 0.5 * jnp.log1p(quotient(a * y, top)) - y * jnp.log1p(quotient(steps * a, 1 + a * y))
    total += steps * share * log1prel(steps * a * share)
    for k in range(8):
        total += jnp.log1p(jnp.maximum(steps - k, 0) * share * quotient(a, 1 + k * a))
    w, v = quotient(a, top), quotient(a, top + a * y)
    series, slope = jnp.zeros_like(v), jnp.zeros_like(v)
    for coefficient in reversed(_STIRLING):  # and its divided difference, between the squares
        series, slope = series * jnp.square(v) + coefficient, slope * jnp.square(w) + series
    return total + w * share * (series + w * (w + v) * slope)


@with_partials(lambda y: lax.digamma(y + 1))
def log_factorial(y: Array) -> Array:
    return jnp.where((y == 0) | (y == 1), 0, _lgamma(y + 1))


def _lgamma(x: Array) -> Array:
    """The one of JAX 0.12 looks up a table, for which explicit sharding has no rule."""
    place = jax.typeof(x).sharding
    work: Any = lax.lgamma
    if AxisType.Explicit in place.mesh.axis_types:
        work = jax.sharding.auto_axes(work, out_sharding=place)
    return work(x)


@with_partials(unbounded(jnp.expm1))
def exp_remainder(t: Array) -> Array:
    """``exp(t) - 1 - t``: at least 0, and 0 at 0."""
    near = jnp.abs(t) < 0.5
    x, coefficients = jnp.where(near, t, 0), [1 / math.factorial(n) for n in range(2, 15)]
    return jnp.where(near, x * x * horner(x, *coefficients), jnp.where(t == jnp.inf, t, jnp.expm1(t) - t))
