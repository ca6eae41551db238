"""Items in the order of their labels: running sums of exponentials take the place of items x items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import lax

from .._contract.arrays import iota
from .._contract.shapes import as_number, padded
from .._contract.types import Array
from .._numerics.derivatives import difference
from .._numerics.elementary import softplus
from .items import Lists


def by_label(given: Lists) -> Lists:
    """Lowest labels first, and last what doesn't exist: what is summed over items doesn't depend on their order."""
    y, last = lax.stop_gradient(given.labels), given.labels.ndim - 1
    place = lax.sort((~given.exists, y, iota(y, last)), dimension=last, num_keys=2)[2]
    scores, labels, exists = (jnp.take_along_axis(x, place, last) for x in given[:3])
    w = given.item_weights
    w = None if w is None else jnp.take_along_axis(w, place, last)
    return given._replace(scores=scores, labels=labels, exists=exists, item_weights=w)


def against_lower(given: Lists, *, ties: bool) -> Array:
    """``log(1 + sum exp(s_j - s_i))`` of each item, over those of lower labels; with `ties` of equal ones as well.

    Of lists as `by_label` leaves them. An item is never in its own sum, where it would drown the others.
    """
    s, y, exists = given.scores, given.labels, given.exists
    place = iota(s, s.ndim - 1)
    starts = (place == 0) | (y != _before(y, 0)) | (exists != _before(exists, False))
    lower = _until(s, place == 0)
    if ties:
        after = (jnp.flip(x, -1) for x in (s, padded(starts, 0, 1, True)[..., 1:]))
        equal = tuple(jnp.flip(x, -1) for x in _until(*after))
        top = jnp.maximum(lower[0], equal[0])
        total = sum(x * jnp.exp(difference(of, top)) for of, x in (lower, equal))
    else:
        _, top, total = _accumulated(_latest, (False, 0, 0), (starts, *lower))
    some = total > 0
    above = difference(top, s) + jnp.log(jnp.where(some, total, 1))
    return jnp.where(some, softplus(above), 0)


def _until(s: Array, starts: Array) -> tuple[Array, Array]:
    """Of all before each place, since the last start: the largest, held constant, and ``sum exp(s - largest)``.

    Of nothing the sum is 0, on the scale of the item itself.
    """

    def larger(one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
        return one[0] | other[0], jnp.where(other[0], other[1], jnp.maximum(one[1], other[1]))

    def add(one: tuple[Array, Array], other: tuple[Array, Array]) -> tuple[Array, Array]:
        return one[0] * other[0], one[1] * other[0] + other[1]

    known = lax.stop_gradient(s)
    _, top = _accumulated(larger, (False, -jnp.inf), (starts, known))
    # A running scale: with one for the whole list, what lies far below its largest would be lost.
    kept = jnp.where(starts, 0, jnp.exp(difference(_before(top, 0), top)))
    _, total = _accumulated(add, (1, 0), (kept, jnp.exp(difference(s, top))))
    return jnp.where(starts, known, _before(top, 0)), jnp.where(starts, 0, _before(total, 0))


def _latest(one: tuple[Array, ...], other: tuple[Array, ...]) -> tuple[Array, ...]:
    """What was there at the last start."""
    starts = other[0]
    return one[0] | starts, *(jnp.where(starts, b, a) for a, b in zip(one[1:], other[1:]))


def _accumulated(f: Callable[[Any, Any], Any], identity: tuple[Any, ...], xs: tuple[Array, ...]) -> tuple[Array, ...]:
    """Along the last axis, by steps of 1, 2, 4...: a loop of few turns, which compiles soon for any number of items."""
    count = xs[0].shape[-1]
    turns = max(0, count - 1).bit_length() if isinstance(count, int) else 31

    def turn(xs: tuple[Array, ...], step: Array) -> tuple[tuple[Array, ...], None]:
        start = as_number(count, jnp.int32) - step
        longer = (padded(x, count, 0, fill) for x, fill in zip(xs, identity))
        before = tuple(lax.dynamic_slice_in_dim(x, start, count, axis=x.ndim - 1) for x in longer)
        return f(before, xs), None

    steps = jnp.minimum(jnp.left_shift(1, jnp.arange(turns, dtype=jnp.int32)), as_number(count, jnp.int32))
    return lax.scan(turn, xs, steps)[0]


def _before(x: Array, fill: Any) -> Array:
    return padded(x, 1, 0, fill)[..., :-1]
