"""Labels of classes: the way in of every loss over them, and the entry of a row at its label."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import AxisType

from . import devices
from .checks import array, iota, message, nan_unless, nearest, real, report, rounding, widened, within
from .inputs import apart, narrow, row_mask
from .shapes import along, bool_mask, broadcastable, one_axis, reshape_hint
from .types import Array, ArrayLike, AxisName


class Classes(NamedTuple):
    """Scores over classes and what they are compared with. Rows keep the class axis, at size 1."""

    scores: Array
    labels: Array  # see `Labels`
    poison: Array
    axis: int
    mask: ArrayLike | None
    class_mask: Array | None  # lined up with the scores
    reads: Callable[[], Reads]  # the scores once more, for who wants them


class Reads(NamedTuple):
    """The same scores over classes several times: what two loops share XLA's backend for CPUs writes to memory."""

    scores: Array  # in the dtype to compute in; what is differentiated
    top: Array  # this and the next three as they came
    total: Array
    rest: Array
    mean: Array
    exists: Array | None  # which rows; others hold what they held
    class_mask: Array | None  # where it is False, the scores are -inf
    labels: tuple[Array, ...]  # probabilities, twice as they came


def reads(
    scores: Array,
    given: Array | None = None,
    exists: Array | None = None,
    class_mask: Array | None = None,
    labels: Array | None = None,
) -> Reads:
    copies = [scores, *apart(scores if given is None else given, 4)]
    if class_mask is not None:
        copies = [jnp.where(class_mask, copy, -jnp.inf) for copy in copies]
    return Reads(*copies, exists, class_mask, () if labels is None else apart(labels, 2))


def unlabelled(
    mask: ArrayLike | None, *, axis: int, class_mask: ArrayLike | None = None, **inputs: ArrayLike
) -> tuple[Reads, int]:
    """Scores over classes alone, as `labelled` takes them in, and the axis of the classes."""
    ((name, scores),) = inputs.items()
    given = narrow(name, scores)
    scores = given.astype(widened(given))
    axis = axis_of(axis, name, scores)
    allowed = None if class_mask is None else _allowed(class_mask, scores, axis)
    exists = None if mask is None else row_mask(mask, scores, (axis,))
    return reads(scores, given, exists, allowed), axis


class Labels(NamedTuple):
    """Labels of rows over classes. Rows keep the class axis, at size 1."""

    labels: Array  # int32, one a row and in range, or probabilities of the scores' shape
    poison: Array  # 0 for each row, NaN if its label doesn't fit: to be added where it reaches the whole row
    mask: ArrayLike | None  # joined with the labels to ignore
    exists: Array | None


def labelled(
    mask: ArrayLike | None,
    labels: ArrayLike,
    *,
    axis: int,
    class_mask: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_integers: bool = False,
    axis_name: AxisName | None = None,
    **inputs: ArrayLike,
) -> Classes:
    """Scores over classes with labels, in the dtype to compute in, harmless where masked."""
    ((name, scores),) = inputs.items()
    given = narrow(name, scores)
    scores = given.astype(widened(given))
    axis, came = axis_of(axis, name, scores), labels
    allowed = None if class_mask is None else _allowed(class_mask, scores, axis)
    labels, poison, mask, exists = labels_for(
        mask, labels, name, scores, axis, allowed, ignore_index, only_integers=only_integers, axis_name=axis_name
    )
    several = functools.partial(reads, scores, given, exists, allowed, jnp.asarray(came) if real(labels) else None)
    if allowed is not None:
        scores = jnp.where(allowed, scores, -jnp.inf)
    if exists is not None:
        scores = jnp.where(exists, scores, 0)
    return Classes(scores, labels, poison, axis, mask, allowed, several)


def labels_for(
    mask: ArrayLike | None,
    labels: ArrayLike,
    name: str,
    scores: Array | jax.ShapeDtypeStruct,
    axis: int,
    allowed: Array | None = None,
    ignore_index: ArrayLike | None = None,
    *,
    only_integers: bool = False,
    axis_name: AxisName | None = None,
) -> Labels:
    """Labels for scores of this shape and dtype, of whose classes each device of `axis_name` has a slice.

    Integers count all classes; what comes back counts those of this device, and is one past the last for the others'.
    """
    labels = array("labels", labels)
    rows = scores.shape[:axis] + scores.shape[axis + 1 :]
    soft = real(labels)
    if soft and only_integers:
        hint = "; of probabilities take jnp.argmax along the class axis"
        raise TypeError(
            message(f"labels must be integers of shape {rows}, got {labels.dtype} of shape {labels.shape}{hint}")
        )
    if labels.shape != (scores.shape if soft else rows):
        raise ValueError(message(_labels_wanted(name, scores.shape, rows, labels, only_integers)))
    if not soft and labels.dtype.itemsize < 4:
        labels = labels.astype(jnp.int32)
    if ignore_index is not None:
        wanted = labels != ignored(ignore_index, soft, labels.dtype)
        mask = wanted if mask is None else jnp.where(wanted, broadcastable("mask", mask, rows), jnp.zeros_like(mask))
    exists = None if mask is None else jnp.expand_dims(jnp.broadcast_to(bool_mask(mask, rows), rows), axis)
    hint = "" if allowed is None else ", in classes that class_mask allows"

    if soft:
        near = rounding(labels, scores.dtype)
        labels = labels.astype(scores.dtype)
        if exists is not None:
            labels = jnp.where(exists, labels, 0)
        fits = within(labels, "[0, 1]", near)
        if allowed is not None:
            fits &= allowed | (jnp.abs(labels) <= near)
        report("labels", labels, fits, f"lie in [0, 1]{hint}")
        if allowed is None:  # not jnp.all, which would write a mask to memory; the maximum may lose a NaN
            held = lax.stop_gradient(labels)
            fits = jnp.max(jnp.abs(held - 0.5), axis, keepdims=True) <= 0.5 + near
            fits &= ~jnp.isnan(jnp.sum(held, axis, keepdims=True))
        labels = nearest(labels, "[0, 1]")
        if allowed is not None:
            labels = jnp.where(allowed, labels, 0)
        fits = devices.pall(jnp.all(fits, axis, keepdims=True), axis_name)
    else:
        own = scores.shape[axis]
        count = own * devices.axis_size(axis_name)
        given = jnp.expand_dims(labels, axis)
        fits = (given >= 0) & (given < count)
        labels = devices.local_index(jnp.where(fits, given, 0).astype(jnp.int32), own, axis_name)
        if allowed is not None:
            spread = allowed | jnp.zeros_like(scores, bool)  # as the scores are
            of_label, ours = at_local_label(spread, labels, axis)
            fits &= devices.pall(of_label | ~ours, axis_name)
        if exists is not None:
            fits |= ~exists
        report("labels", jnp.squeeze(given, axis), jnp.squeeze(fits, axis), f"lie in [0, {count}){hint}")
    return Labels(labels, nan_unless(fits, scores.dtype), mask, exists)


def axis_of(axis: int, name: str, scores: Array) -> int:
    place = one_axis(axis, name, scores, f"reshape {name} so that the classes lie on one axis")
    if scores.shape[place] == 0:
        raise ValueError(message(f"{name} must have at least one class, got shape {scores.shape} with axis={axis}"))
    return place


def lined_up(name: str, x: ArrayLike, logits: Array, axis: int) -> Array:
    """`x` of shape `[classes]`, or of the logits' rank axis by axis, or a scalar, lined up with the logits."""
    x = array(name, x)
    if logits.ndim and x.shape == (logits.shape[axis],):
        return along(x, logits.ndim, axis)
    if logits.ndim > 1 and x.ndim == 1:
        count = logits.shape[axis]
        raise ValueError(message(f"{name} must have shape ({count},), one for each class, got shape {x.shape}"))
    return broadcastable(name, x, logits.shape, "the logits")


def at_label(x: Array, index: Array, axis: int, *, alone: bool = False) -> Array:
    """The entry of each row at its label.

    A gather is leanest, except along a sharded axis, where it fails under explicit sharding, and on TPUs, where it
    breaks fusion, unless it is `alone`, with nothing else to read all of `x`: there a comparison with every class.
    """

    def gather(x: Array, index: Array) -> Array:
        return jnp.take_along_axis(x, index, axis, mode="promise_in_bounds")

    def compare(x: Array, index: Array) -> Array:
        return jnp.sum(jnp.where(is_label(x, index, axis), x, jnp.zeros_like(x)), axis, keepdims=True, dtype=x.dtype)

    if jax.typeof(x).sharding.spec[axis] is not None:
        return compare(x, index)
    return gather(x, index) if alone else lax.platform_dependent(x, index, tpu=compare, default=gather)


def at_local_label(x: Array, index: Array, axis: int) -> tuple[Array, Array]:
    """The entry of each row at its label, and whether that lies in this slice of the classes: else any entry."""
    last = x.shape[axis] - 1
    return at_label(x, jnp.minimum(index, last), axis), index <= last


def vector_at_label(x: Array, index: Array, axis: int) -> Array:
    """For each row the entry of a vector over classes, without the class axis; 0 where it is another device's."""
    if AxisType.Explicit in jax.typeof(index).sharding.mesh.axis_types:  # whose spec lacks an axis that vmap took
        shape = index.shape[:axis] + x.shape + index.shape[axis + 1 :]
        hits = lax.broadcasted_iota(jnp.int32, shape, axis) == index
        return jnp.sum(jnp.where(hits, along(x, index.ndim, axis), 0), axis)
    return x.at[jnp.squeeze(index, axis)].get(mode="fill", fill_value=0)


def is_label(x: Array, index: Array, axis: int) -> Array:
    """True in `x`'s shape where the class is the row's label."""
    return iota(x, axis) == index


def _allowed(class_mask: ArrayLike, scores: Array, axis: int) -> Array:
    allowed = lined_up("class_mask", class_mask, scores, axis)
    if allowed.dtype != jnp.bool_:
        raise TypeError(message(f"class_mask must be bool, got {allowed.dtype}; compare it with != 0"))
    return allowed


def ignored(ignore_index: ArrayLike, soft: bool, dtype: Any) -> Array:
    """In the dtype of the labels."""
    ignored = array("ignore_index", ignore_index)
    if soft:
        raise ValueError(message("ignore_index needs integer labels; with probabilities pass mask instead"))
    if real(ignored) or ignored.dtype == jnp.bool_ or ignored.shape:
        raise TypeError(message(f"ignore_index must be an integer, got {ignored.dtype} of shape {ignored.shape}"))
    limits = jnp.iinfo(dtype)
    if jnp.iinfo(ignored.dtype).min < limits.min < 0:
        ignored = jnp.clip(ignored, limits.min, limits.max)
    return ignored.astype(dtype)


def _labels_wanted(name: str, shape: tuple[int, ...], rows: tuple[int, ...], labels: Array, only_integers: bool) -> str:
    probabilities = "" if only_integers else f" or probabilities of shape {shape}"
    if labels.shape == shape and not only_integers:
        hint = "; one-hot labels are probabilities: labels.astype(jnp.float32)"
    elif labels.shape == rows:
        hint = "; class indices are integers: labels.astype(jnp.int32)"
    else:
        hint = reshape_hint(labels.shape, shape if real(labels) else rows, whole=True)
        for axis, count in enumerate(shape):
            if not real(labels) and labels.shape == shape[:axis] + shape[axis + 1 :]:
                hint = f"; with axis={axis} they fit, for {count} classes"
    return (
        f"labels must be integers of shape {rows}{probabilities}, to fit {name} of shape {shape}, "
        f"got {labels.dtype} of shape {labels.shape}{hint}"
    )


def weigh(
    weights: ArrayLike | None,
    class_weights: ArrayLike | None,
    labels: Array,
    mask: ArrayLike | None,
    axis: int,
    logits: Array | jax.ShapeDtypeStruct,
    axis_name: AxisName | None = None,
) -> ArrayLike | None:
    """The weights of the rows of these logits times the (expected) weight of their classes."""
    if class_weights is None:
        return weights
    rows = logits.shape[:axis] + logits.shape[axis + 1 :]
    by_class = weight_each(class_weights, logits.shape[axis]).astype(logits.dtype)
    if real(labels):
        expected = jnp.sum(labels * along(by_class, labels.ndim, axis), axis)
    else:
        expected = vector_at_label(by_class, labels, axis)
    (expected,) = devices.psum([expected], axis_name)
    factors = [expected]
    if weights is not None:
        factors.append(broadcastable("weights", weights, rows).astype(logits.dtype))
    if mask is not None:  # before the product, where a masked NaN would reach the derivative of the other factor
        factors = [jnp.where(bool_mask(mask, rows), factor, 0) for factor in factors]
    return math.prod(factors)


def weight_each(class_weights: ArrayLike, count: int) -> Array:
    by_class = array("class_weights", class_weights)
    if by_class.shape != (count,):
        raise ValueError(
            message(f"class_weights must have shape ({count},), one for each class, got shape {by_class.shape}")
        )
    return by_class
