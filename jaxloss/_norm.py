"""Lengths and directions of vectors, right at 0 and wherever the squares would under- or overflow."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ._types import Array


Axes = tuple[int, ...]


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def norm(x: Array, axes: Axes) -> Array:
    """The Euclidean norm, with the axes kept at size 1. Its derivative at 0 is 0."""
    return _length(x, axes)[0]


@norm.defjvp
def _(axes: Axes, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    (x,), (d_x,) = primals, tangents
    return norm(x, axes), jnp.sum(unit(x, axes) * d_x, axes, keepdims=True)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def unit(x: Array, axes: Axes) -> Array:
    """The vector of norm 1 in the direction of `x`; 0 for 0, with derivative 0."""
    length, scaled = _length(x, axes)
    return scaled * lax.rsqrt(jnp.where(length == 0, 1, jnp.sum(jnp.square(scaled), axes, keepdims=True)))


@unit.defjvp
def _(axes: Axes, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    (x,), (d_x,) = primals, tangents
    direction, length = unit(x, axes), norm(x, axes)
    across = d_x - direction * jnp.sum(direction * d_x, axes, keepdims=True)
    return direction, jnp.where(length == 0, 0, across / jnp.where(length == 0, 1, length))


def _length(x: Array, axes: Axes) -> tuple[Array, Array]:
    """The norm, and `x` over its largest entry, so that no square is too large or too small."""
    largest = jnp.finfo(x.dtype).max
    top = jnp.max(jnp.abs(x), axes, keepdims=True, initial=0)
    scaled = jnp.clip(x, -largest, largest) / jnp.clip(jnp.where(top == 0, 1, top), 0, largest)
    return top * jnp.sqrt(jnp.sum(jnp.square(scaled), axes, keepdims=True)), scaled
