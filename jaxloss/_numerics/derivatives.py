"""Derivatives written by hand, in a form that every transform takes.

Inside `lax.scan` JAX differentiates the value that a rule belongs to by its body, when it comes to second derivatives:
the bodies must be right to differentiate too, if less accurate.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from .._contract.types import Array, ArrayLike


def with_partials(*partials: Callable[..., Any]) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """The derivative of an elementwise function as its partial derivatives, one for each of its first arguments.

    An argument that is held constant adds nothing, not 0 times a partial that may be infinite.
    """
    return lambda f: differentiable(lambda *primals: unfused(f(*primals)), partials)


def differentiable(f: Callable[..., Array], partials: tuple[Callable[..., Any], ...]) -> Callable[..., Array]:
    """The same, of a function that may run in one loop with what comes behind it."""
    differentiable = jax.custom_jvp(f)

    def rule(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
        value = differentiable(*primals)
        slopes = [
            _along(partial(*primals), tangent)
            for partial, tangent in zip(partials, tangents)
            if not isinstance(tangent, SymbolicZero)
        ]
        return value, sum(slopes, start=jnp.zeros_like(value))

    differentiable.defjvp(rule, symbolic_zeros=True)
    return differentiable


def _along(slope: Array | tuple[Array, Array], tangent: Array) -> Array:
    return math.prod(slope, start=tangent) if isinstance(slope, tuple) else slope * tangent


def unbounded(partial: Callable[..., Array]) -> Callable[..., tuple[Array, Array]]:
    """A partial derivative that may be infinite, in two factors that aren't: 0 times each is 0, in either mode."""

    def factors(*primals: Array) -> tuple[Array, Array]:
        slope = partial(*primals)
        return clip_to_finite(slope), jnp.where(jnp.isinf(slope), jnp.finfo(slope.dtype).max, 1)

    return factors


def derivative(f: Callable[..., Array], place: int) -> Callable[..., Array]:
    """The derivative of an elementwise function in one of its arguments."""

    def along(*x: Array) -> Array:
        return jax.jvp(lambda one: f(*x[:place], one, *x[place + 1 :]), (x[place],), (jnp.ones_like(x[place]),))[1]

    return along


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def precomputed(f: Callable[..., Any], value: Any, *primals: Any) -> Any:
    """``f(*primals)``, whose value is known already: for rules, whose second derivatives are then those of the rule."""
    return value


@precomputed.defjvp
def _(f: Callable[..., Any], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    return jax.jvp(f, primals[1:], tangents[1:])


def unfused(x: Array) -> Array:
    """`x` as it is rounded, kept out of what follows: XLA's reductions on CPUs run long chains many times slower."""
    info = jnp.finfo(x.dtype)
    return lax.reduce_precision(x, info.nexp, info.nmant)


absolute = differentiable(jnp.abs, (jnp.sign,))  # jnp.abs has slope 1 at its kink; here it is 0


def above_zero(x: Array) -> Array:
    """1 above 0, else 0; NaN for NaN."""
    return jnp.where(x <= 0, 0, jnp.sign(x))


# Not jnp.maximum: it has slope 1/2 at its kink, and in front of a sum XLA's for CPUs may lose a NaN.
positive = differentiable(lambda x: jnp.where(x <= 0, 0, x), (above_zero,))


@with_partials(lambda a, b: jnp.ones_like(a), lambda a, b: -jnp.ones_like(b))
def difference(a: Array, b: Array) -> Array:
    """``a - b``, 0 for equal infinities."""
    same = (a == b) & jnp.isinf(a)  # equals that are finite have a slope
    return jnp.where(same, 0, a) - jnp.where(same, 0, b)


def _quotient_rule(primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    a, b = primals
    ratio = quotient(a, b)
    d_a, d_b = (None if isinstance(tangent, SymbolicZero) else tangent for tangent in tangents)
    change = jnp.zeros_like(ratio) if d_a is None else d_a
    return ratio, quotient(change if d_b is None else change - clip_to_finite(ratio) * d_b, b)


# Divided last: neither the square of `b` nor a slope that is infinite where nothing depends on it.
quotient = jax.custom_jvp(lambda a, b: a / b)
quotient.defjvp(_quotient_rule, symbolic_zeros=True)


@with_partials(lambda x: clip_to_finite(-1 / jnp.square(x)))
def reciprocal(x: Array) -> Array:
    """``1 / x``, for temperatures: one that is learned by its logarithm has a finite slope however low it is."""
    return 1 / x


@with_partials(lambda x: jnp.where(x == 0, 0, 0.5 / jnp.sqrt(jnp.where(x == 0, 1, x))))
def root(x: Array) -> Array:
    """The square root, with slope 0 at 0."""
    return jnp.sqrt(x)


def at_least(x: Array, least: ArrayLike) -> Array:
    """The larger one, but for the derivative `x`: what lies below still learns."""
    return x + lax.stop_gradient(jnp.maximum(least - x, 0))


def clip_to_finite(x: Array) -> Array:
    """What is infinite as the largest number: such a slope times 0 is 0, and less another it has a direction."""
    largest = jnp.finfo(x.dtype).max
    return jnp.clip(x, -largest, largest)


def squarable(x: Array) -> Array:
    """`x`, no larger than what has a finite square: for slopes, so that an infinity doesn't meet a 0."""
    largest = float(jnp.finfo(x.dtype).max) ** 0.5
    return jnp.clip(x, -largest, largest)


def finite_at_zero(factor: ArrayLike, value: Array) -> Array:
    """`value`, but 0 where it is infinite and meets a factor of 0."""
    return jnp.where(jnp.isinf(value) & (factor == 0), 0, value)


@functools.partial(differentiable, partials=(unbounded(finite_at_zero), lambda factor, value: factor))
def times(factor: ArrayLike, value: Array) -> Array:
    """The product, in which 0 times infinity is 0, for the value and for the derivatives."""
    return jnp.multiply(factor, finite_at_zero(factor, value))


square = differentiable(jnp.square, (lambda x: clip_to_finite(2 * x),))


def score_gap(a: Array, b: Array) -> Array:
    """``a - b``: 0 for equal infinities, infinite where `b` is ruled out."""
    return jnp.where(b == -jnp.inf, jnp.inf, jnp.where(a == b, 0, a - b))
