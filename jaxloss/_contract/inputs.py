"""The way in: dtypes, shapes, masked inputs made harmless, values that don't fit made NaN."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

from . import devices
from .checks import array, message, nan_unless, places, real, report, within
from .jit import widened
from .reduction import fit, live, remedy
from .types import Array, ArrayLike, Axes, AxisName


def elementwise(mask: ArrayLike | None, *, harmless: float = 0.0, **inputs: ArrayLike) -> list[Array]:
    """Inputs of one shape, in the dtype to compute in, `harmless` where masked. The first one leads."""
    (name, lead), *others = ((name, array(name, x)) for name, x in inputs.items())
    lead = floating(name, lead)
    for other, x in others:
        if x.shape != lead.shape:
            hint = remedy(x.shape, lead.shape, whole=True)
            raise ValueError(message(f"{other} must have the shape of {name}, {lead.shape}, got {x.shape}{hint}"))
    arrays = [x.astype(lead.dtype) for x in (lead, *(x for _, x in others))]
    if mask is None:
        return arrays
    exists = live(mask, lead.shape)
    return [jnp.where(exists, x, harmless) for x in arrays]


def floating(name: str, x: ArrayLike) -> Array:
    """What a loss is differentiated by: floating point, in the dtype to compute in."""
    x = narrow(name, x)
    return x.astype(widened(x))


def narrow(name: str, x: ArrayLike) -> Array:
    """Floating point, in its own dtype: for products, which widen by themselves."""
    x = array(name, x)
    if not real(x):
        raise TypeError(message(f"{name} must be floating point, got {x.dtype}; cast with {name}.astype(jnp.float32)"))
    return x


def parameter(
    name: str, x: ArrayLike, interval: str, mask: ArrayLike | None, like: Array, of: str = "predictions"
) -> Array:
    """An option of one number, or of one for each element: fits `like` axis by axis, and must lie in `interval`."""
    x = fit(name, x, like.shape, f"the {of}").astype(like.dtype)
    if mask is not None and x.ndim == like.ndim:
        x = jnp.where(live(mask, like.shape), x, 0.5)  # which lies in every interval
    return valid(name, x, interval)


def vectors(
    mask: ArrayLike | None, *, axis: Axes, harmless: float = 0.0, **inputs: ArrayLike
) -> tuple[list[Array], tuple[int, ...]]:
    """Inputs of one shape whose losses lack the axes `axis`, and those axes; the mask has the shape of the losses."""
    arrays = elementwise(None, harmless=harmless, **inputs)
    axes = _axes(axis, next(iter(inputs)), arrays[0])
    return _clear_rows(mask, axes, harmless, *arrays), axes


def members(mask: ArrayLike | None, *, axis: int, **inputs: ArrayLike) -> tuple[Array, Array, int]:
    """Several of the first input along `axis` for each of the second, which gets that axis at size 1."""
    (name, lead), (other, x) = inputs.items()
    lead = floating(name, lead)
    place = _one_axis(axis, name, lead, f"reshape {name} so that they lie on one axis")
    x = array(other, x).astype(lead.dtype)
    rows = lead.shape[:place] + lead.shape[place + 1 :]
    if x.shape != rows:
        hint = remedy(x.shape, rows, whole=True)
        raise ValueError(
            message(f"{other} must have the shape of {name} without axis {axis}, {rows}, got {x.shape}{hint}")
        )
    lead, x = _clear_rows(mask, (place,), 0.0, lead, jnp.expand_dims(x, place))
    return lead, x, place


def _one_axis(axis: Axes, name: str, x: Array, hint: str) -> int:
    if isinstance(axis, tuple):
        raise TypeError(message(f"axis must be one integer, got {axis!r}; {hint}"))
    return _axes(axis, name, x)[0]


def _axes(axis: Axes, name: str, x: Array) -> tuple[int, ...]:
    axes = axis if isinstance(axis, tuple) else (axis,)
    for one in axes:
        if isinstance(one, bool) or not isinstance(one, (int, np.integer)):
            raise TypeError(message(f"axis must be an integer or a tuple of them, got {axis!r}"))
        if not -x.ndim <= one < x.ndim:
            raise ValueError(message(f"axis must be an axis of {name}, of shape {x.shape}, got {one}"))
    places = tuple(int(one) % x.ndim for one in axes)
    if len({*places}) != len(places) or not places:
        raise ValueError(message(f"axis must name at least one axis, and each only once, got {axis!r}"))
    return places


def _clear_rows(mask: ArrayLike | None, axes: tuple[int, ...], harmless: float, *arrays: Array) -> list[Array]:
    if mask is None:
        return [*arrays]
    return [jnp.where(live_rows(mask, arrays[0], axes), x, harmless) for x in arrays]


def live_rows(mask: ArrayLike, x: Array, axes: tuple[int, ...]) -> Array:
    """Which vectors exist, with the axes kept at size 1."""
    rows = tuple(size for place, size in enumerate(x.shape) if place not in axes)
    return jnp.expand_dims(jnp.broadcast_to(live(mask, rows), rows), axes)


def signs(
    mask: ArrayLike | None, labels: ArrayLike, shape: tuple[int, ...], dtype: Any, of: str
) -> tuple[Array, Array]:
    """Labels of `shape` that are -1 or 1, or bool; and for each 0, or NaN where it is anything else."""
    labels = array("labels", labels)
    if labels.shape != shape:
        hint = remedy(labels.shape, shape, whole=True)
        raise ValueError(message(f"labels must have the shape of {of}, {shape}, got {labels.shape}{hint}"))
    sign = labels.astype(dtype)
    if labels.dtype == jnp.bool_:
        sign = 2 * sign - 1
    if mask is not None:
        sign = jnp.where(live(mask, shape), sign, 1)
    fits = jnp.abs(sign) == 1
    report("labels", labels, fits, "be -1 or 1, or bool")
    return sign, nan_unless(fits, dtype)


def valid(name: str, x: Array, interval: str) -> Array:
    """`x` plus NaN where it lies outside `interval`: a select would cut the gradient to 0 where it must be NaN."""
    fits = within(x, interval)
    report(name, x, fits, f"lie in {interval}")
    return x + nan_unless(fits, x.dtype)


class Classes(NamedTuple):
    """Scores over classes and what they are compared with. Rows keep the class axis, at size 1."""

    scores: Array
    labels: Array  # see `Labels`
    doubt: Array
    axis: int
    mask: ArrayLike | None
    class_mask: Array | None  # lined up with the scores


class Labels(NamedTuple):
    """Labels of rows over classes. Rows keep the class axis, at size 1."""

    labels: Array  # int32, one a row and in range, or probabilities of the scores' shape
    doubt: Array  # 0 for each row, NaN if its label doesn't fit: to be added where it reaches the whole row
    mask: ArrayLike | None  # joined with the labels to ignore
    exists: Array | None


def classes(
    mask: ArrayLike | None,
    labels: ArrayLike,
    *,
    axis: int,
    class_mask: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_integers: bool = False,
    over: AxisName | None = None,
    **inputs: ArrayLike,
) -> Classes:
    """Scores over classes with labels, in the dtype to compute in, harmless where masked."""
    ((name, scores),) = inputs.items()
    scores = floating(name, scores)
    axis = class_axis(axis, name, scores)
    allowed = None if class_mask is None else _allowed(class_mask, scores, axis)
    labels, doubt, mask, exists = class_labels(
        mask, labels, name, scores, axis, allowed, ignore_index, only_integers=only_integers, over=over
    )
    if allowed is not None:
        scores = jnp.where(allowed, scores, -jnp.inf)
    if exists is not None:
        scores = jnp.where(exists, scores, 0)
    return Classes(scores, labels, doubt, axis, mask, allowed)


def class_labels(
    mask: ArrayLike | None,
    labels: ArrayLike,
    name: str,
    scores: Array | jax.ShapeDtypeStruct,
    axis: int,
    allowed: Array | None = None,
    ignore_index: ArrayLike | None = None,
    *,
    only_integers: bool = False,
    over: AxisName | None = None,
) -> Labels:
    """Labels for scores of this shape and dtype, of whose classes each device `over` these axes has a slice.

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
        wanted = labels != _ignored(ignore_index, soft, labels.dtype)
        mask = wanted if mask is None else jnp.where(wanted, fit("mask", mask, rows), jnp.zeros_like(mask))
    exists = None if mask is None else jnp.expand_dims(jnp.broadcast_to(live(mask, rows), rows), axis)
    hint = "" if allowed is None else ", in classes that class_mask allows"

    if soft:
        labels = labels.astype(scores.dtype)
        if exists is not None:
            labels = jnp.where(exists, labels, 0)
        fits = within(labels, "[0, 1]")
        if allowed is not None:
            fits &= allowed | (labels == 0)
        report("labels", labels, fits, f"lie in [0, 1]{hint}")
        fits = devices.everywhere(jnp.all(fits, axis, keepdims=True), over)
    else:
        own = scores.shape[axis]
        count = own * devices.count(over)
        given = jnp.expand_dims(labels, axis)
        fits = (given >= 0) & (given < count)
        labels = devices.within_slice(jnp.where(fits, given, 0).astype(jnp.int32), own, over)
        if allowed is not None:
            of_label, ours = at_own(allowed | jnp.zeros_like(scores, bool), labels, axis)  # spread as the scores are
            fits &= devices.everywhere(of_label | ~ours, over)
        if exists is not None:
            fits |= ~exists
        report("labels", jnp.squeeze(given, axis), jnp.squeeze(fits, axis), f"lie in [0, {count}){hint}")
    return Labels(labels, nan_unless(fits, scores.dtype), mask, exists)


def class_axis(axis: int, name: str, scores: Array) -> int:
    place = _one_axis(axis, name, scores, f"reshape {name} so that the classes lie on one axis")
    if scores.shape[place] == 0:
        raise ValueError(message(f"{name} must have at least one class, got shape {scores.shape} with axis={axis}"))
    return place


def over_classes(name: str, x: ArrayLike, logits: Array, axis: int) -> Array:
    """`x` of shape `[classes]`, or of the logits' rank axis by axis, or a scalar, lined up with the logits."""
    x = array(name, x)
    if logits.ndim and x.shape == (logits.shape[axis],):
        return along(x, logits.ndim, axis)
    if logits.ndim > 1 and x.ndim == 1:
        count = logits.shape[axis]
        raise ValueError(message(f"{name} must have shape ({count},), one for each class, got shape {x.shape}"))
    return fit(name, x, logits.shape, "the logits")


def along(x: Array, ndim: int, axis: int) -> Array:
    """A vector as the one axis of `ndim` that isn't 1."""
    return jnp.expand_dims(x, [other for other in range(ndim) if other != axis])


def whole(x: Array, axis: int) -> Array:
    """`x` with this axis in one place: explicit sharding neither sorts nor adds up along one that is sharded."""
    sharding = jax.typeof(x).sharding
    spec = [*sharding.spec]
    if spec[axis] is None:
        return x
    spec[axis] = None
    return jax.sharding.reshard(x, NamedSharding(sharding.mesh, P(*spec)))


def at(x: Array, index: Array, axis: int) -> Array:
    """The entry of each row at its label.

    A gather is leanest, except on TPUs, where it breaks fusion, and along a sharded axis, where it fails under explicit
    sharding: there a comparison with every class.
    """

    def gather(x: Array, index: Array) -> Array:
        return jnp.take_along_axis(x, index, axis, mode="promise_in_bounds")

    def compare(x: Array, index: Array) -> Array:
        return jnp.sum(jnp.where(is_label(x, index, axis), x, jnp.zeros_like(x)), axis, keepdims=True, dtype=x.dtype)

    if jax.typeof(x).sharding.spec[axis] is not None:
        return compare(x, index)
    return lax.platform_dependent(x, index, tpu=compare, default=gather)


def at_own(x: Array, index: Array, axis: int) -> tuple[Array, Array]:
    """The entry of each row at its label, and whether that lies in this slice of the classes: else any entry."""
    last = x.shape[axis] - 1
    return at(x, jnp.minimum(index, last), axis), index <= last


def by_label(x: Array, index: Array, axis: int) -> Array:
    """For each row the entry of a vector over classes, without the class axis; 0 where it is another device's."""
    if AxisType.Explicit in jax.typeof(index).sharding.mesh.axis_types:  # whose spec lacks an axis that vmap took
        shape = index.shape[:axis] + x.shape + index.shape[axis + 1 :]
        hits = lax.broadcasted_iota(jnp.int32, shape, axis) == index
        return jnp.sum(jnp.where(hits, along(x, index.ndim, axis), 0), axis)
    return x.at[jnp.squeeze(index, axis)].get(mode="fill", fill_value=0)


def is_label(x: Array, index: Array, axis: int) -> Array:
    """True in `x`'s shape where the class is the row's label."""
    return places(x, axis) == index


def _allowed(class_mask: ArrayLike, scores: Array, axis: int) -> Array:
    allowed = over_classes("class_mask", class_mask, scores, axis)
    if allowed.dtype != jnp.bool_:
        raise TypeError(message(f"class_mask must be bool, got {allowed.dtype}; compare it with != 0"))
    return allowed


def _ignored(ignore_index: ArrayLike, soft: bool, dtype: Any) -> Array:
    ignored = array("ignore_index", ignore_index)
    if soft:
        raise ValueError(message("ignore_index needs integer labels; with probabilities pass mask instead"))
    if real(ignored) or ignored.shape:
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
        hint = remedy(labels.shape, shape if real(labels) else rows, whole=True)
        for axis, count in enumerate(shape):
            if not real(labels) and labels.shape == shape[:axis] + shape[axis + 1 :]:
                hint = f"; with axis={axis} they fit, for {count} classes"
    return (
        f"labels must be integers of shape {rows}{probabilities}, to fit {name} of shape {shape}, "
        f"got {labels.dtype} of shape {labels.shape}{hint}"
    )
