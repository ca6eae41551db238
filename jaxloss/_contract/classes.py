"""Labels of classes: the way in of every loss over them, and the entry of a row at its label."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import AxisType

from . import devices
from .arrays import array, indices, iota, real, widened
from .checks import nan_unless, nearest, report, rounding, within
from .inputs import apart, narrow, row_mask
from .messages import message
from .shapes import along, broadcastable, exactly, one_axis, reshape_hint, without
from .types import Array, ArrayLike, AxisName


class Classes(NamedTuple):
    """Scores over classes and what they are compared with. Rows keep the class axis, at size 1."""

    scores: Array
    labels: Array  # see `Labels`
    poison: Array
    axis: int
    mask: ArrayLike | None
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
    _, given, scores, axis, allowed = _scores(axis, class_mask, inputs)
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
    name, given, scores, axis, allowed = _scores(axis, class_mask, inputs)
    own = labels_for(
        mask, labels, name, scores, axis, allowed, ignore_index, only_integers=only_integers, axis_name=axis_name
    )
    several = functools.partial(
        reads, scores, given, own.exists, allowed, jnp.asarray(labels) if real(own.labels) else None
    )
    if allowed is not None:
        scores = jnp.where(allowed, scores, -jnp.inf)
    if own.exists is not None:
        scores = jnp.where(own.exists, scores, 0)
    return Classes(scores, own.labels, own.poison, axis, own.mask, several)


def _scores(
    axis: int, class_mask: ArrayLike | None, inputs: dict[str, ArrayLike]
) -> tuple[str, Array, Array, int, Array | None]:
    """The name of scores over classes, the scores as they came and in the dtype to compute in, the axis of the classes,
    and which of these take part."""
    ((name, x),) = inputs.items()
    given = narrow(name, x)
    scores = given.astype(widened(given))
    axis = axis_of(axis, name, scores)
    return name, given, scores, axis, None if class_mask is None else _allowed(class_mask, scores, axis)


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
    rows = without(scores.shape, (axis,))
    soft = real(labels)
    if only_integers:
        no_probabilities(labels, rows)
    if labels.shape != (scores.shape if soft else rows):
        raise ValueError(_labels_wanted(name, scores.shape, rows, labels, only_integers))
    labels = labels if soft else indices(labels)
    if ignore_index is not None:
        wanted = labels != ignored(ignore_index, soft, labels.dtype)
        mask = wanted if mask is None else jnp.where(wanted, broadcastable("mask", mask, rows), jnp.zeros_like(mask))
    exists = None if mask is None else row_mask(mask, scores, (axis,))
    hint = "" if allowed is None else ", in classes that class_mask allows"
    labels, fits = (_probabilities if soft else _indices)(labels, scores, axis, exists, allowed, hint, axis_name)
    return Labels(labels, nan_unless(fits, scores.dtype), mask, exists)


def _probabilities(
    labels: Array,
    scores: Array | jax.ShapeDtypeStruct,
    axis: int,
    exists: Array | None,
    allowed: Array | None,
    hint: str,
    axis_name: AxisName | None,
) -> tuple[Array, Array]:
    """Labels of the scores' shape, 0 where masked, and whether those of each row fit."""
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
    labels = nearest(labels, "[0, 1]") if allowed is None else jnp.where(allowed, nearest(labels, "[0, 1]"), 0)
    return labels, devices.pall(jnp.all(fits, axis, keepdims=True), axis_name)


def _indices(
    labels: Array,
    scores: Array | jax.ShapeDtypeStruct,
    axis: int,
    exists: Array | None,
    allowed: Array | None,
    hint: str,
    axis_name: AxisName | None,
) -> tuple[Array, Array]:
    """Labels among the classes of this device, and whether that of each row fits."""
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
    return labels, fits


def no_probabilities(labels: Array, rows: tuple[int, ...]) -> None:
    """An error where labels aren't integers."""
    if real(labels):
        hint = "; of probabilities take jnp.argmax along the class axis"
        raise TypeError(
            message(f"labels must be integers of shape {rows}, got {labels.dtype} of shape {labels.shape}{hint}")
        )


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
        exactly(name, x, (count,), f"shape ({count},), one for each class")
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
    """The label to ignore, in the dtype of the labels."""
    index = array("ignore_index", ignore_index)
    if soft:
        raise ValueError(message("ignore_index must come with integer labels, got probabilities; pass mask instead"))
    if real(index) or index.dtype == jnp.bool_ or index.shape:
        raise TypeError(message(f"ignore_index must be an integer, got {index.dtype} of shape {index.shape}"))
    limits = jnp.iinfo(dtype)
    if jnp.iinfo(index.dtype).min < limits.min < 0:
        index = jnp.clip(index, limits.min, limits.max)
    return index.astype(dtype)


def _labels_wanted(name: str, shape: tuple[int, ...], rows: tuple[int, ...], labels: Array, only_integers: bool) -> str:
    probabilities = "" if only_integers else f" or probabilities of shape {shape}"
    if labels.shape == shape and not only_integers:
        hint = "; one-hot labels are probabilities: labels.astype(jnp.float32)"
    elif labels.shape == rows:
        hint = "; class indices are integers: labels.astype(jnp.int32)"
    else:
        hint = reshape_hint(labels.shape, shape if real(labels) else rows, whole=True)
        for axis, count in enumerate(shape):
            if not real(labels) and labels.shape == without(shape, (axis,)):
                hint = f"; with axis={axis} they fit, for {count} classes"
    return message(
        f"labels must be integers of shape {rows}{probabilities}, to fit {name} of shape {shape}, "
        f"got {labels.dtype} of shape {labels.shape}{hint}"
    )
