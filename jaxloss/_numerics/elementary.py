"""Elementary functions of the inner loops: as accurate as JAX's own, and faster in XLA's backend for CPUs.

There `jnp.log1p` takes twice as long as a logarithm, and a power ten times as long as an exponential. So these are
polynomials of least relative error (`benchmarks/polynomials.py` finds the coefficients), and what they share is spelled
alike, so that XLA keeps one. In float64, where nobody waits for them, they are JAX's own functions.
`benchmarks/NOTES.md` has the gain of each.
"""

from __future__ import annotations

import functools
import math

import jax.numpy as jnp

from .._contract.types import Array
from .derivatives import differentiable, quotient, times, with_partials


def horner(x: Array, *coefficients: float) -> Array:
    """The polynomial with these coefficients, the constant first."""
    result = jnp.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        result = result * x + coefficient
    return result


# log1p(x) / x for x in [0, 1], to 5e-9
_LOG1P = (1.0, -0.499999024, 0.333299624, -0.249541337, 0.196759393, -0.153055926, 0.106036549)
_LOG1P += (-0.0569595342, 0.0198514623, -0.00324402517)
# log(cosh(x)) / x**2, by x**2 for x in [0, 1], to 7e-9
_LOG_COSH = (0.5, -0.0833329925, 0.022216575, -0.00671043836, 0.00207734785, -0.000556226449, 0.0000865712246)


@functools.partial(differentiable, partials=(lambda x: 1 / (1 + x),))
def log1p_unit(x: Array) -> Array:
    """``log(1 + x)`` for `x` in [0, 1], within 2e-7 of itself."""
    return jnp.log1p(x) if x.dtype == jnp.float64 else x * horner(x, *_LOG1P)


# At 0 the derivative from the right, as JAX's own of an absolute value: that of a minimum is 0 there, and with it the
# curvature of every function that `z >= 0` tells how to put together.
@functools.partial(differentiable, partials=(lambda z: jnp.where(z >= 0, -1, 1) * exp_minus_abs(z),))
def exp_minus_abs(z: Array) -> Array:
    """``exp(-abs(z))``, spelled so that XLA computes it once for `z` and ``-z``."""
    return jnp.exp(jnp.minimum(z, -z))


# JAX's own derivative is p (1 - p), which is 0 for a sure one.
@functools.partial(differentiable, partials=(lambda z: sigmoid(z) * sigmoid(-z),))
def sigmoid(z: Array) -> Array:
    e = exp_minus_abs(z)
    return jnp.where(z >= 0, 1, e) / (1 + e)


@functools.partial(differentiable, partials=(sigmoid,))
def softplus(z: Array) -> Array:
    """``log(1 + exp(z))``."""
    return jnp.maximum(z, 0) + log1p_unit(exp_minus_abs(z))


@with_partials(jnp.tanh)
def log_cosh(x: Array) -> Array:
    """``log(cosh(x))``, within 4e-7 of itself: near 0 from a polynomial or, as 1 / cosh^2 = 1 - tanh^2, from tanh."""
    distance = jnp.abs(x)
    small = jnp.square(jnp.minimum(distance, 1))
    if x.dtype == jnp.float64:
        near = -0.5 * jnp.log1p(-jnp.square(jnp.tanh(jnp.minimum(distance, 1))))
    else:
        near = small * horner(small, *_LOG_COSH)
    return jnp.where(distance < 1, near, distance - math.log(2) + log1p_unit(jnp.exp(-2 * distance)))


@functools.partial(
    differentiable,
    partials=(lambda x, y: times(y, power(x, y - 1)), lambda x, y: times(power(x, y), jnp.log(x))),
)
def power(x: Array, y: Array) -> Array:
    """``x ** y`` for `x` of at least 0, as accurate as rounding ``y * log(x)`` leaves it."""
    return x**y if x.dtype == jnp.float64 else jnp.exp(times(y, jnp.log(x)))


def _smooth_sign(error: Array, beta: Array) -> Array:
    return jnp.where(jnp.abs(error) < beta, quotient(error, jnp.where(beta == 0, 1, beta)), jnp.sign(error) + 0 * beta)


@with_partials(_smooth_sign, lambda error, beta: -0.5 * jnp.square(_smooth_sign(error, beta)))
def smooth_l1(error: Array, beta: Array) -> Array:
    distance = jnp.abs(error)
    quadratic = jnp.minimum(distance, beta)
    return distance - quadratic + 0.5 * quadratic * jnp.abs(_smooth_sign(error, beta))
