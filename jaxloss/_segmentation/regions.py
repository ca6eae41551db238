"""What losses of regions share: the way in, the sums over pixels, and the way out.

A region is what is pooled into one number: the pixels of one class in one image, or in a whole batch. It is an element,
and its pixels are members. What doesn't fit makes its pixel NaN, and so the sums of all regions which that pixel is in.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax.numpy as jnp

from .._contract import classes, sets
from .._contract.checks import array, message, nan_unless, real, report, widened
from .._contract.inputs import narrow, valid
from .._contract.reduction import psum, reduce, valid_reduction
from .._contract.sets import Sets
from .._contract.shapes import along, as_number, places
from .._contract.types import Array, ArrayLike, Axes, AxisName, Reduction


class Regions(NamedTuple):
    probs: Array  # 0 where masked, NaN where it or the label doesn't fit
    labels: Array  # numbers, 0 where masked; or indices with the class axis at size 1, -1 where masked
    exists: Array | None  # which pixels, with the class axis at size 1
    axis: int | None
    kept: tuple[int, ...]
    pooled: tuple[int, ...]
    sets: Sets
    over: AxisName | None  # the devices over which regions are pooled
    between: AxisName | None  # those which hold regions of their own

    @property
    def class_place(self) -> int:
        """Where the losses have the class axis."""
        if self.axis is None:
            raise ValueError(message("class_weights need a class axis, got axis=None"))
        return self.kept.index(self.axis)


def regions(
    probs: ArrayLike,
    labels: ArrayLike,
    mask: ArrayLike | None,
    axis: int | None,
    batch_axes: Axes,
    ignore_index: ArrayLike | None,
    reduction: Reduction,
    axis_name: AxisName | None,
    *,
    binary: bool = False,
    by_class: bool = True,
) -> Regions:
    """The way in. With `binary`, labels that are numbers must be 0 or 1; unless `by_class`, the elements are images."""
    valid_reduction(reduction, axis_name)
    given = narrow("probs", probs)
    p = given.astype(widened(given))
    axis = None if axis is None else classes.axis_of(axis, "probs", p)
    batch = places("batch_axes", batch_axes, "probs", p)
    if axis in batch:
        raise ValueError(message(f"batch_axes must not hold the class axis, got {batch_axes!r} with axis={axis}"))
    kept = tuple(sorted({*batch, axis} - {None}))
    pooled = tuple(place for place in range(p.ndim) if place not in kept)
    pixels = tuple(size for place, size in enumerate(p.shape) if place != axis)
    elements = tuple(p.shape[place] for place in kept if by_class or place != axis)
    of = Sets(elements, pixels, "region" if by_class else "image", "pixel")
    exists, poison = sets.existing(mask, of, p.dtype)
    labels = array("labels", labels)

    if axis is not None and labels.shape != p.shape:
        labels, unfit, _, exists = classes.labels_for(exists, labels, "probs", p, axis, ignore_index=ignore_index)
        poison = unfit + _lifted(poison, axis)
        labels = labels if exists is None else jnp.where(exists, labels, -1)
    else:
        if labels.shape != p.shape:
            hint = "; of class indices axis is the axis"
            raise ValueError(message(f"labels must have the shape of probs, {p.shape}, got {labels.shape}{hint}"))
        if ignore_index is not None:
            if axis is not None or real(labels) or labels.dtype == jnp.bool_:
                raise ValueError(message("ignore_index needs integer labels of the pixels' shape; else pass mask"))
            wanted = labels != classes.ignored(ignore_index, False, labels.dtype)
            exists = wanted if exists is None else exists & wanted
        exists, poison = None if exists is None else _lifted(exists, axis), _lifted(poison, axis)
        came, labels = labels, labels.astype(p.dtype)
        labels = labels if exists is None else jnp.where(exists, labels, 0)
        if binary:
            fits = (labels == 0) | (labels == 1)
            report("labels", labels, fits, "be 0 or 1")
            labels = labels + nan_unless(fits, labels.dtype)
        else:
            labels = valid("labels", labels, "[0, 1]", came)
    p = p if exists is None else jnp.where(exists, p, 0)
    p = valid("probs", p, "[0, 1]", given) + poison
    alone = any(place != axis for place in kept)
    over, between = (None, axis_name) if alone else (axis_name, None)
    return Regions(p, labels, exists, axis, kept, pooled, of, over, between)


def _lifted(x: Array, axis: int | None) -> Array:
    return x if axis is None or not x.ndim else jnp.expand_dims(x, axis)


def has_pixels(r: Regions) -> Array:
    """Which regions have any, axis by axis."""
    count = as_number(math.prod(r.probs.shape[place] for place in r.pooled), jnp.float32)
    if r.exists is None:
        return jnp.reshape(count > 0, (1,) * len(r.kept))
    return jnp.any(r.exists, r.pooled) & (count > 0)


def across(r: Regions, sums: list[Array], exists: Array) -> tuple[list[Array], Array]:
    """Sums over pixels, and whether there are any, of the whole regions: over all devices that share them."""
    if r.over is None:
        return sums, exists
    packed = jnp.stack([*sums, jnp.broadcast_to(exists, sums[0].shape).astype(sums[0].dtype)])
    *sums, found = psum(packed, r.over)
    return sums, found > 0


def by_class(class_weights: ArrayLike | None, r: Regions, like: Array) -> Array:
    """Weights of classes, lined up with something of each region."""
    if class_weights is None:
        return jnp.ones((1,) * like.ndim, like.dtype)
    weights = classes.weight_each(class_weights, like.shape[r.class_place]).astype(like.dtype)
    return along(weights, like.ndim, r.class_place)


def reduced(
    losses: Array,
    exists: Array,
    weights: ArrayLike | None,
    class_weights: ArrayLike | None,
    r: Regions,
    reduction: Reduction,
) -> Array:
    """The way out. A region of NaN exists, whatever else is said of it."""
    exists = exists | jnp.isnan(losses)
    weights = None if weights is None else sets.weights_of(weights, r.sets)
    if class_weights is not None:
        factors = [by_class(class_weights, r, losses), *([] if weights is None else [weights.astype(losses.dtype)])]
        weights = math.prod(jnp.where(exists, factor, 0) for factor in factors)
    return reduce(losses, weights, exists, reduction=reduction, axis_name=r.between)
