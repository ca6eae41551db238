"""Several reductions of one reading, and sums over many axes."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .._contract.types import Array


def reduced(parts: list[tuple[Array, Any]], axis: int, masked: bool) -> list[Array]:
    """Each array by its operation along the axis, which is kept.

    Of what comes from a selection, as classes that are masked do, XLA's library for CPUs would have an array in memory;
    a loop of several reductions is XLA's own.
    """
    arrays, operations = [array for array, _ in parts], [operation for _, operation in parts]
    identity = {lax.add: 0, lax.max: -jnp.inf, lax.min: jnp.inf}

    def loop(*arrays: Array) -> list[Array]:
        by = [*operations, lax.min] if len(arrays) == 1 else operations
        starts = [np.array(identity[operation], arrays[0].dtype) for operation in by]
        found = lax.reduce(
            (*arrays, *arrays[: len(by) - len(arrays)]),
            tuple(starts),
            lambda a, b: tuple(operation(x, y) for operation, x, y in zip(by, a, b)),
            (axis,),
        )
        if len(arrays) == 1:
            found = [jnp.where(jnp.isnan(found[1]), found[1], found[0])]  # lest XLA see that one is enough
        return [lax.expand_dims(x, (axis,)) for x in found]

    def each(*arrays: Array) -> list[Array]:
        by = {lax.add: jnp.sum, lax.max: jnp.max}
        return [by[operation](x, axis, keepdims=True) for operation, x in zip(operations, arrays)]

    return lax.platform_dependent(*arrays, cpu=loop, default=each) if masked else each(*arrays)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def read_once(terms: list[Array], axis: int) -> list[Array]:
    """The sums along an axis, which is kept, from one reading: XLA's library for CPUs would write the terms first."""
    return reduced([(x, lax.add) for x in terms], axis, True)


@read_once.defjvp
def _(axis: int, primals: tuple[Any], tangents: tuple[Any]) -> tuple[list[Array], list[Array]]:
    return read_once(*primals, axis), [jnp.sum(x, axis, keepdims=True) for x in tangents[0]]


_LONG = 1 << 13  # additions of float32 in a row


def pooled(terms: list[Array], axes: tuple[int, ...]) -> list[Array]:
    """The sum of each over these axes, from one reading, and in stages: no running sum gets long."""
    for axis in sorted(axes, reverse=True):
        terms = _along(terms, axis)
    return terms


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def total(x: Array, axes: tuple[int, ...]) -> Array:
    """The sum over these axes, in stages."""
    return pooled([x], axes)[0]


@total.defjvp
def _(axes: tuple[int, ...], primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return total(*primals, axes), jnp.sum(*tangents, axes)


def _along(terms: list[Array], axis: int) -> list[Array]:
    size = terms[0].shape[axis]
    if not isinstance(size, int) or size <= _LONG or jax.typeof(terms[0]).sharding.spec[axis] is not None:
        return _added(terms, axis)
    step = math.isqrt(size)
    whole = size - size % step
    blocks = [
        lax.slice_in_dim(x, 0, whole, axis=axis).reshape(*x.shape[:axis], -1, step, *x.shape[axis + 1 :]) for x in terms
    ]
    sums = _added(_added(blocks, axis + 1), axis)
    if whole == size:
        return sums
    return [a + b for a, b in zip(sums, _added([lax.slice_in_dim(x, whole, size, axis=axis) for x in terms], axis))]


def _added(terms: list[Array], axis: int) -> list[Array]:
    return [jnp.squeeze(x, axis) for x in reduced([(x, lax.add) for x in terms], axis, True)]
