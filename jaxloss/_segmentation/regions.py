"""What losses of regions share: the way in, the sums over pixels, and the way out.

A region is what is pooled into one number: the pixels of one class in one image, or in a whole batch. It is an element,
and its pixels are members. What doesn't fit makes its pixel NaN, and so the sums of all regions which that pixel is in.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from .._contract import classes, sets
from .._contract.arrays import array, real, widened
from .._contract.checks import nan_unless, report, rounding
from .._contract.inputs import narrow, valid
from .._contract.messages import message
from .._contract.reduction import reduce, valid_reduction
from .._contract.sets import Sets
from .._contract.shapes import along, as_number, places
from .._contract.total import over_devices
from .._contract.types import Array, ArrayLike, Axes, AxisName, Reduction
from .._contract.weights import weight_each
from .._numerics.derivatives import quotient


class Layout(NamedTuple):
    """Which axes of the first argument are kept, and over which its pixels are pooled."""

    axis: int | None
    kept: tuple[int, ...]
    pooled: tuple[int, ...]
    sets: Sets
    over: AxisName | None  # the devices over which regions are pooled
    between: AxisName | None  # those which hold regions of their own

    @property
    def class_axis(self) -> int:
        """For labels that are indices: there are none without a class axis."""
        return -1 if self.axis is None else self.axis

    @property
    def class_place(self) -> int:
        """Where the losses have the class axis."""
        if self.axis is None:
            raise ValueError(message("class_weights must come with a class axis, got axis=None"))
        return self.kept.index(self.axis)

    def on_one_device(self) -> Layout:
        """Itself, where none of what is pooled lies on several devices."""
        if self.over is not None:
            of, hint = self.sets.element, "keep the axis of the batch: batch_axes=0"
            raise ValueError(message(f"axis_name must not spread one {of} over devices, got batch_axes=(); {hint}"))
        return self


class Regions(NamedTuple):
    probs: Array  # 0 where masked, NaN where it or the label doesn't fit
    labels: Array  # numbers, 0 where masked; or indices with the class axis at size 1, -1 where masked
    exists: Array | None  # which pixels, with the class axis at size 1
    layout: Layout


def laid_out(
    name: str,
    x: Array,
    axis: int | None,
    batch_axes: Axes,
    axis_name: AxisName | None,
    *,
    element: str = "region",
    of: str = "class",
    by_class: bool = True,
) -> Layout:
    batch = places("batch_axes", batch_axes, name, x)
    if axis in batch:
        raise ValueError(message(f"batch_axes must not hold the {of} axis, got {batch_axes!r} with axis={axis}"))
    kept = tuple(sorted({*batch, axis} - {None}))
    pooled = tuple(place for place in range(x.ndim) if place not in kept)
    pixels = tuple(size for place, size in enumerate(x.shape) if place != axis)
    elements = tuple(x.shape[place] for place in kept if by_class or place != axis)
    over, between = (None, axis_name) if batch else (axis_name, None)
    return Layout(axis, kept, pooled, Sets(elements, pixels, element, "pixel"), over, between)


def existing(mask: ArrayLike | None, layout: Layout, dtype: Any) -> tuple[Array | None, Array]:
    """Which pixels exist, and for each 0, or NaN where a mask of numbers is neither 0 nor 1: as the first argument."""
    exists, poison = sets.existing(mask, layout.sets, dtype)
    return None if exists is None else _lifted(exists, layout.axis), _lifted(poison, layout.axis)


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
    element = "region" if by_class else "image"
    layout = laid_out("probs", p, axis, batch_axes, axis_name, element=element, by_class=by_class)
    exists, poison = sets.existing(mask, layout.sets, p.dtype)
    labels = array("labels", labels)

    if axis is not None and labels.shape != p.shape:
        labels, unfit, _, exists = classes.labels_for(exists, labels, "probs", p, axis, ignore_index=ignore_index)
        poison = unfit + _lifted(poison, axis)
        labels = labels if exists is None else jnp.where(exists, labels, -1)
    else:
        if labels.shape != p.shape:
            hint = "; of class indices pass the class axis as axis"
            raise ValueError(message(f"labels must have the shape of probs, {p.shape}, got {labels.shape}{hint}"))
        if ignore_index is not None:
            if axis is not None or real(labels) or labels.dtype == jnp.bool_:
                wanted = "labels that are class indices"
                raise ValueError(
                    message(f"ignore_index must come with {wanted}, got {labels.dtype}; pass mask instead")
                )
            wanted = labels != classes.ignored(ignore_index, False, labels.dtype)
            exists = wanted if exists is None else exists & wanted
        exists, poison = None if exists is None else _lifted(exists, axis), _lifted(poison, axis)
        labels = _numbers(labels, exists, p.dtype, binary)
    p = p if exists is None else jnp.where(exists, p, 0)
    p = valid("probs", p, "[0, 1]", given) + poison
    return Regions(p, labels, exists, layout)


def _numbers(given: Array, exists: Array | None, dtype: Any, binary: bool) -> Array:
    """Labels in [0, 1], or of 0 and 1."""
    labels = given.astype(dtype) if exists is None else jnp.where(exists, given.astype(dtype), 0)
    if not binary:
        return valid("labels", labels, "[0, 1]", given)
    whole = jnp.round(lax.stop_gradient(labels))
    fits = ((whole == 0) | (whole == 1)) & (jnp.abs(labels - whole) <= rounding(given, dtype))
    report("labels", labels, fits, "be 0 or 1")
    return labels + lax.stop_gradient(whole - labels) + nan_unless(fits, dtype)


def _lifted(x: Array, axis: int | None) -> Array:
    return x if axis is None or not x.ndim else jnp.expand_dims(x, axis)


def of_each_pixel(exists: Array, x: Array, axis: int | None) -> Array:
    """In the shape of `x`, with the class axis at size 1."""
    return jnp.broadcast_to(exists, [1 if place == axis else size for place, size in enumerate(x.shape)])


def has_pixels(r: Regions) -> Array:
    """Which regions have any, axis by axis."""
    kept, pooled = r.layout.kept, r.layout.pooled
    some = count(r.probs, pooled) > 0
    return jnp.reshape(some, (1,) * len(kept)) if r.exists is None else jnp.any(r.exists, pooled) & some


def count(x: Array, axes: tuple[int, ...]) -> Array:
    """How many entries these axes hold."""
    return as_number(math.prod(x.shape[axis] for axis in axes), x.dtype)


def share(part: Array, whole: Array, of_nothing: float = 0.0) -> Array:
    nothing = whole == 0
    return jnp.where(nothing, of_nothing, quotient(part, jnp.where(nothing, 1, whole)))


def across(layout: Layout, sums: list[Array], exists: Array) -> tuple[list[Array], Array]:
    """Sums over pixels, and whether there are any, of the whole regions: over all devices that share them."""
    if layout.over is None:
        return sums, exists
    packed = jnp.stack([*sums, jnp.broadcast_to(exists, sums[0].shape).astype(sums[0].dtype)])
    *sums, found = over_devices(packed, layout.over)
    return sums, found > 0


def by_class(class_weights: ArrayLike | None, layout: Layout, like: Array) -> Array:
    """Weights of classes, lined up with something of each region."""
    if class_weights is None:
        return jnp.ones((1,) * like.ndim, like.dtype)
    weights = weight_each(class_weights, like.shape[layout.class_place]).astype(like.dtype)
    return along(weights, like.ndim, layout.class_place)


def reduced(
    losses: Array,
    exists: Array,
    weights: ArrayLike | None,
    class_weights: ArrayLike | None,
    layout: Layout,
    reduction: Reduction,
) -> Array:
    """The way out. A region of NaN exists, whatever else is said of it."""
    exists = exists | jnp.isnan(losses)
    weights = None if weights is None else sets.weights_of(weights, layout.sets)
    if class_weights is not None:
        factors = [by_class(class_weights, layout, losses)]
        factors += [] if weights is None else [weights.astype(losses.dtype)]
        weights = math.prod(jnp.where(exists, factor, 0) for factor in factors)
    return reduce(losses, weights, exists, reduction=reduction, axis_name=layout.between)
