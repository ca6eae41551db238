"""Lengths and angles of vectors, right at 0 and wherever the squares would under- or overflow.

Products with a vector are spelled differently in the value and in the derivative: a shared one would be written to
memory in full.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from .._contract.checks import nan_unless, nan_with_any
from .._contract.inputs import spoiled
from .._contract.types import Array
from .derivatives import absolute, clip_to_finite, unfused


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def euclidean(x: Array, axes: tuple[int, ...]) -> Array:
    """The Euclidean norm, with the axes kept at size 1. Its derivative at 0 is 0."""
    infinite, _, scale, squares = _parts(x, axes)
    root = jnp.where(squares == 0, 0, jnp.sqrt(jnp.where(squares == 0, 1, squares)))
    return jnp.where(infinite, jnp.inf, root * scale)


@euclidean.defjvp
def _(axes: tuple[int, ...], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    (x,), (d_x,) = primals, tangents
    infinite, *_ = _parts(x, axes)
    tiny = jnp.finfo(x.dtype).tiny  # a quarter of the reciprocal of the largest number
    factors = jnp.where(infinite, tiny, 2 * _reciprocal(x, axes)), jnp.where(infinite, 0.25, 0.5)
    slope = clip_to_finite(x) * factors[0] * factors[1]  # an infinite entry makes up the length alone
    return euclidean(x, axes), jnp.sum(slope * d_x, axes, keepdims=True)


def p_norm(x: Array, p: float, axes: tuple[int, ...]) -> Array:
    """The p-norm for `p` of at least 1, with the axes kept at size 1. Its derivative at 0 is 0."""
    if p == 2:
        return euclidean(x, axes)
    if p == 1:
        return jnp.sum(absolute(x), axes, keepdims=True)
    if math.isinf(p):
        return jnp.max(absolute(x), axes, keepdims=True, initial=0) + nan_with_any(x, axes)
    return _root_of_powers(x, int(p) if p == int(p) else p, axes)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _root_of_powers(x: Array, p: float, axes: tuple[int, ...]) -> Array:
    top, scale = _scale(x, axes)
    total = jnp.sum(_divided(scale, jnp.abs(x)) ** p, axes, keepdims=True)
    return jnp.where(jnp.isinf(top), jnp.inf, total ** (1 / p) * scale)


@_root_of_powers.defjvp
def _(p: float, axes: tuple[int, ...], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    (x,), (d_x,) = primals, tangents
    _, scale = _scale(x, axes)
    size = _divided(scale, absolute(x))
    total = jnp.sum(size**p, axes, keepdims=True)
    root = jnp.where(total == 0, 1, total) ** (1 / p)
    slope = jnp.sign(x) * jnp.where((x == 0) | jnp.isinf(x), 1, size / root) ** (p - 1)
    return _root_of_powers(x, p, axes), jnp.sum(spoiled(slope, total) * d_x, axes, keepdims=True)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def one_minus_cosine(a: Array, b: Array, axes: tuple[int, ...]) -> Array:
    """``1 - cos``, with the axes kept at size 1: from the difference of the unit vectors, which keeps small angles.

    1 with derivative 0 where a vector is 0.
    """
    one, other = _reciprocal(a, axes), _reciprocal(b, axes)
    distance = 0.5 * jnp.sum(jnp.square(a * one - b * other), axes, keepdims=True)
    return jnp.where((one == 0) | (other == 0), 1 + 0 * distance, distance)  # NaN if the other one is


def _cosine_rule(axes: tuple[int, ...], primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    a, b = primals
    distance = one_minus_cosine(a, b, axes)
    change = jnp.zeros_like(distance)
    for x, other, d_x in ((a, b, tangents[0]), (b, a, tangents[1])):
        if not isinstance(d_x, SymbolicZero):
            own, its = _reciprocal(x, axes), _reciprocal(other, axes)
            slope = (x * (2 * own * (1 - distance)) - other * (2 * its)) * (0.5 * own)
            change += jnp.sum(slope * d_x, axes, keepdims=True)
    return distance, change


one_minus_cosine.defjvp(_cosine_rule, symbolic_zeros=True)


@jax.custom_jvp
def unit(x: Array) -> Array:
    """Vectors of length 1 along the last axis; 0 for 0, with slope 0."""
    return x * _reciprocal(x, (x.ndim - 1,))


@unit.defjvp
def _(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (d_x,) = primals, tangents
    direction, turn = unit(x), d_x * _reciprocal(x, (x.ndim - 1,))
    return direction, turn - direction * jnp.sum(direction * turn, -1, keepdims=True)


def _reciprocal(x: Array, axes: tuple[int, ...]) -> Array:
    """1 over the norm; 0 for 0 and for what is too short to tell, NaN for a vector without a direction."""
    _, zero, scale, squares = _parts(x, axes)
    measurable = ~zero & (squares < jnp.inf)
    length = jnp.where(measurable, lax.rsqrt(jnp.where(measurable, squares, 1)) / scale, 0)
    return length + nan_unless(measurable | zero, x.dtype)


def _parts(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array, Array, Array]:
    """Whether an entry is infinite, whether the largest is less than a normal number, a scale whose reciprocal is a
    number too, and the sum of squares over it.

    On accelerators three scales in one pass, of which one fits; CPUs take less for a pass more, by the largest entry.
    """
    return lax.platform_dependent(
        x, cpu=functools.partial(_by_largest, axes=axes), default=functools.partial(_by_three, axes=axes)
    )


def _by_largest(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array, Array, Array]:
    top, scale = _scale(x, axes)
    squares = jnp.sum(jnp.square(_divided(scale, x)), axes, keepdims=True)
    zero = (top < jnp.finfo(x.dtype).tiny) & ~jnp.isnan(squares)  # XLA may lose a NaN in the maximum
    return jnp.isinf(top), zero, scale, squares


def _by_three(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array, Array, Array]:
    info = jnp.finfo(x.dtype)
    far = 2.0 ** (info.maxexp * 5 // 8)
    close = jnp.clip(x, -1, 1)  # lest an infinite square that isn't asked for have a slope
    small, plain, large = (jnp.sum(jnp.square(each), axes, keepdims=True) for each in (close * far, x, x / far))
    is_small, is_large = plain < 2.0 ** (-info.maxexp * 3 // 8), plain > 2.0 ** (info.maxexp * 3 // 4)
    squares = jnp.where(is_small, small, jnp.where(is_large, large, plain))
    unit = jnp.where(is_small, 1 / far, jnp.where(is_large, far, jnp.ones_like(plain)))
    length = jnp.sqrt(jnp.where((squares > 0) & (squares < jnp.inf), squares, 1))
    scale = lax.stop_gradient(_invertible(length * unit))  # of the vector's size, for the curvature
    squares = squares / jnp.square(scale / unit)
    return large == jnp.inf, small < (float(info.tiny) * far) ** 2, scale, squares


def _scale(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    info = jnp.finfo(x.dtype)
    top = lax.stop_gradient(jnp.max(jnp.abs(x), axes, keepdims=True, initial=0))
    return top, lax.optimization_barrier(jnp.where(top < info.tiny, 1, _invertible(top)))


def _invertible(scale: Array) -> Array:
    """No scale so small or large that its reciprocal isn't a normal number."""
    info = jnp.finfo(scale.dtype)
    return jnp.clip(scale, info.tiny / info.eps, info.max / 4)


def _divided(scale: Array, x: Array) -> Array:
    # Unfused, and the scale behind a barrier: of a constant XLA would divide the square by the scale's, 0 by 0.
    return unfused(x * (1 / scale))
