"""What losses of lists share: the way in and the way out. A list is an element, its items are members.

What doesn't fit in an item makes all of its list NaN, so that the slope of none of its scores looks plausible.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from .._contract import inputs, sets
from .._contract.arrays import array, iota
from .._contract.checks import nan_with_any
from .._contract.messages import message
from .._contract.reduction import reduce
from .._contract.sets import Sets
from .._contract.shapes import exactly, unsharded
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.derivatives import times


class Lists(NamedTuple):
    """All ``[..., items]``, and all of a list NaN if one of its items is."""

    scores: Array  # 0 for items that don't exist, as labels and item weights are
    labels: Array
    exists: Array
    item_weights: Array | None
    masked: bool  # whether there was a mask
    spoil: Array  # of each list 0, or NaN
    sets: Sets


def lists(
    scores: ArrayLike,
    labels: ArrayLike,
    mask: ArrayLike | None,
    interval: str = "(-inf, inf)",
    item_weights: ArrayLike | None = None,
) -> Lists:
    """The way in; labels must lie in `interval`."""
    s = inputs.floating("scores", scores)
    if not s.ndim:
        raise ValueError(message("scores must have an axis of items, got shape ()"))
    last, of = s.ndim - 1, Sets(s.shape[:-1], s.shape, "list", "item")
    labels = array("labels", labels)
    exactly("labels", labels, s.shape, f"the shape of scores, {s.shape}")
    found, poison = sets.existing(mask, of, s.dtype)
    s, y = (unsharded(x, last) for x in (s, labels.astype(s.dtype)))
    exists = jnp.ones_like(s, bool)
    if found is not None:
        exists = exists & unsharded(found, last)
        s, y = jnp.where(exists, s, 0), jnp.where(exists, y, 0)
    y = inputs.valid("labels", y, interval, labels) + (unsharded(poison, last) if poison.ndim else poison)
    spoil = nan_with_any(s, -1) + nan_with_any(y, -1)
    w = None
    if item_weights is not None:
        w = inputs.parameter("item_weights", item_weights, "[0, inf)", found, s, "scores")
        w = jnp.where(exists, unsharded(w, last) if w.ndim else w, 0)
        spoil = spoil + nan_with_any(w, -1)
    s, y = s * (1 + spoil), y * (1 + spoil)  # as a factor it reaches the slopes, also of what takes no part
    w = None if w is None else w * (1 + spoil)
    return Lists(s, y, exists, w, mask is not None, jnp.squeeze(spoil, -1), of)


def reduced(
    losses: Array,
    counts: Array,
    given: Lists,
    weights: ArrayLike | None,
    reduction: Reduction,
    axis_name: AxisName | None,
) -> Array:
    """The way out. A list of NaN counts, whatever else is said of it."""
    losses = losses + given.spoil
    counts = counts | jnp.isnan(lax.stop_gradient(losses))
    weights = None if weights is None else sets.weights_of(weights, given.sets)
    return reduce(losses, weights, counts, reduction=reduction, axis_name=axis_name)


def weighted(given: Lists, terms: Array) -> Array:
    """Terms of items times the items' weights; of those that don't exist 0."""
    terms = jnp.where(given.exists, terms, 0)
    return terms if given.item_weights is None else times(given.item_weights, terms)


def sigmoid(z: Array) -> Array:
    """In plain code: a scan would lose a rule where a function of the value is differentiated twice."""
    up = z >= 0
    e = jnp.exp(jnp.where(up, -z, z))
    return jnp.where(up, 1, e) / (1 + e)


def ranks(x: Array, exists: Array) -> Array:
    """1 for the largest; equals by their place, and last what doesn't exist. Held constant."""
    x = lax.stop_gradient(x)
    place, last = iota(x, x.ndim - 1), x.ndim - 1
    order = lax.sort((~exists, -x, place), dimension=last, num_keys=2)[2]
    return (lax.sort((order, place), dimension=last, num_keys=1)[1] + 1).astype(x.dtype)


def discount(rank: Array, top_n: int | None = None) -> Array:
    """0 beyond `top_n`."""
    by_rank = 1 / jnp.log2(1 + rank)
    return by_rank if top_n is None else jnp.where(rank <= top_n, by_rank, 0)


def gains(given: Lists, normalized: bool, top_n: int | None = None) -> Array:
    """``2 ** label - 1``; where `normalized`, over the sum of them, discounted in the best order.

    These are taken in units of the largest, so that none overflows.
    """
    y, exists = given.labels, given.exists
    if not normalized:
        fits = y < jnp.finfo(y.dtype).maxexp  # others are infinite, without a slope
        return jnp.where(fits, jnp.expm1(math.log(2) * jnp.where(fits & exists, y, 0)), jnp.inf)
    unit = jnp.max(lax.stop_gradient(y), -1, keepdims=True, initial=0)
    g = jnp.where(exists, -jnp.exp2(y - unit) * jnp.expm1(-math.log(2) * y), 0)
    ideal = jnp.sum(g * discount(ranks(y, exists), top_n), -1, keepdims=True)
    return g / jnp.where(ideal == 0, 1, ideal)
