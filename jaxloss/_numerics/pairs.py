"""Sums over all pairs of what lies on an axis, without an array of pairs in memory."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jax import lax

from .._contract.types import Array


def summed_over_pairs(
    term: Callable[..., Array], own: tuple[Array, ...], others: tuple[Array, ...], axis: int
) -> Array:
    """For each entry of `own` along the axis, the sum of its terms with every entry of `others`.

    On CPUs one of the others after the other; on accelerators all at once, summed up as they are computed.
    """

    def one_by_one(own: tuple[Array, ...], others: tuple[Array, ...]) -> Array:
        def add(total: Array, other: tuple[Array, ...]) -> tuple[Array, None]:
            return total + term(*own, *(jnp.expand_dims(x, axis) for x in other)), None

        like = term(*own, *(lax.slice_in_dim(x, 0, min(1, x.shape[axis]), axis=axis) for x in others))
        return lax.scan(add, jnp.zeros_like(like), tuple(jnp.moveaxis(x, axis, 0) for x in others))[0]

    def at_once(own: tuple[Array, ...], others: tuple[Array, ...]) -> Array:
        each, every = (jnp.expand_dims(x, axis + 1) for x in own), (jnp.expand_dims(x, axis) for x in others)
        return jnp.sum(term(*each, *every), axis + 1)

    return lax.platform_dependent(own, others, cpu=one_by_one, default=at_once)
