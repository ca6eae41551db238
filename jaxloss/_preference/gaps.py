"""How far a chosen answer lies above a rejected one, by the divergence that holds the policy to its reference."""

from __future__ import annotations

from typing import Literal, TypeAlias

import jax.numpy as jnp
from jax import lax

from .._contract.types import Array
from .._numerics.derivatives import absolute, difference, squarable, times, unbounded, with_partials
from .._numerics.elementary import softplus
from .._numerics.special import exprel, exprel_slope


Divergence: TypeAlias = Literal["reverse_kl", "forward_kl", "js", "alpha"]


def settled(a: Array, b: Array, divergence: Divergence, alpha: Array, low: bool) -> Array:
    """The gap for a loss that is flat where it is infinite, or -infinite if `low`.

    There it is constant and finite, so that its slopes, which are infinite, don't meet the loss's, which are 0.
    """
    if divergence == "reverse_kl" and not low:  # slopes of 1, wherever it is
        return difference(a, b)
    far = lax.stop_gradient(gap(a, b, divergence, alpha))
    flat = jnp.isinf(far) if low else far == jnp.inf
    near = gap(jnp.where(flat, 0, a), jnp.where(flat, 0, b), divergence, alpha)
    return jnp.where(flat, squarable(far), near)


def gap(a: Array, b: Array, divergence: Divergence, alpha: Array) -> Array:
    """Of the log-ratios `a` and `b`, chosen and rejected."""
    if divergence == "reverse_kl":
        return difference(a, b)
    if divergence == "js":
        return difference(softplus(-b), softplus(-a))
    return _power_gap(a, b, jnp.ones_like(alpha) if divergence == "forward_kl" else alpha)


def _base(a: Array, b: Array, alpha: Array) -> Array:
    """The end at which ``exp(-alpha * t)`` is larger."""
    return jnp.where(alpha > 0, jnp.minimum(a, b), jnp.maximum(a, b))


def _integrals(d: Array, alpha: Array) -> tuple[Array, Array]:
    """Of ``exp(-abs(alpha) * s)`` over `s` from 0 to ``abs(d)``, with the sign of `d`, and of `s` times it."""
    decay = absolute(times(alpha, d))
    far = decay > 80  # and so nothing is left at the other end, which may be infinite
    decay, rate, d = jnp.where(far, 0, decay), jnp.where(far, alpha, 1), jnp.where(far, jnp.sign(d), d)
    return (
        jnp.where(far, d / jnp.abs(rate), d * exprel(-decay)),
        jnp.where(far, jnp.square(1 / rate), jnp.square(d) * exprel_slope(-decay)),
    )


def _by_alpha(a: Array, b: Array, alpha: Array) -> Array:
    a, b = (0.5 * squarable(2 * x) for x in (a, b))  # so that no infinity meets another
    d, base = a - b, _base(a, b, alpha)
    whole, moment = _integrals(d, alpha)
    back = jnp.where(alpha > 0, 1, -1) * jnp.sign(d)
    return -times(base * whole + back * moment, jnp.exp(-alpha * base))


@with_partials(
    unbounded(lambda a, b, alpha: jnp.exp(-times(alpha, a))),
    unbounded(lambda a, b, alpha: -jnp.exp(-times(alpha, b))),
    unbounded(_by_alpha),
)
def _power_gap(a: Array, b: Array, alpha: Array) -> Array:
    """``(exp(-alpha * b) - exp(-alpha * a)) / alpha``, as the integral of ``exp(-alpha * t)`` from `b` to `a`.

    No two powers are subtracted, which may be infinite, or nearly equal.
    """
    whole, _ = _integrals(difference(a, b), alpha)
    return times(whole, jnp.exp(-times(alpha, _base(a, b, alpha))))
