"""Losses of sets: an element is made of members. A mask says which members exist, weights how much each element counts.

So the two have shapes of their own, and where one has the other's, the error says which of them was meant.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp

from .arrays import array
from .shapes import broadcastable, matches
from .types import Array, ArrayLike
from .weights import nan_unless_bool


class Sets(NamedTuple):
    """The shapes of elements and of their members, and what they are called."""

    elements: tuple[int, ...]  # what ``"none"`` returns
    members: tuple[int, ...]
    element: str
    member: str


def existing(mask: ArrayLike | None, sets: Sets, dtype: Any) -> tuple[Array | None, Array]:
    """Which members exist, axis by axis, or None for all; and for each 0, or NaN where a mask of numbers is neither 0
    nor 1."""
    if mask is None:
        return None, jnp.zeros((), dtype)
    hint = f"; a mask says which {sets.member}s exist: to leave {sets.element}s out give them weight 0"
    given = _fitting("mask", mask, sets.members, sets.elements, f"the {sets.member}s", hint)
    return given.astype(jnp.bool_), nan_unless_bool(given, dtype)


def weights_of(weights: ArrayLike, sets: Sets) -> Array:
    hint = f"; weights say how much each {sets.element} counts: to leave {sets.member}s out pass mask"
    return _fitting("weights", weights, sets.elements, sets.members, f"the {sets.element}s", hint)


def _fitting(name: str, x: ArrayLike, shape: tuple[int, ...], others: tuple[int, ...], of: str, other: str) -> Array:
    """At the full rank, also what is one number for all."""
    x = array(name, x)
    x = broadcastable(name, x, shape, of, other if matches(x.shape, others) else "")
    return x if x.ndim else x.reshape((1,) * len(shape))
