"""The way in: dtypes, shapes, masked inputs made harmless, values that don't fit made NaN."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .arrays import array, real, widened
from .checks import nan_unless, nearest, report, rounding, within
from .messages import message
from .shapes import axes_of, bool_mask, broadcastable, exactly, full_mask, one_axis, without
from .types import Array, ArrayLike, Axes


def elementwise(mask: ArrayLike | None, *, harmless: float = 0.0, **inputs: ArrayLike) -> list[Array]:
    """Inputs of one shape, in the dtype to compute in, `harmless` where masked. The first one leads."""
    (name, lead), *others = inputs.items()
    lead = floating(name, lead)
    arrays = [lead]
    for other, x in others:
        x = array(other, x)
        exactly(other, x, lead.shape, f"the shape of {name}, {lead.shape}")
        arrays.append(x.astype(lead.dtype))
    if mask is None:
        return arrays
    exists = bool_mask(mask, lead.shape)
    return [jnp.where(exists, x, harmless) for x in arrays]


def proportions(mask: ArrayLike | None, **inputs: ArrayLike) -> list[Array]:
    """The same of inputs whose last lies in [0, 1]."""
    name, given = [*inputs.items()][-1]
    *others, x = elementwise(mask, harmless=0.0, **inputs)
    return [*others, valid(name, x, "[0, 1]", given)]


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


def kernel_for(name: str, x: Array, kernel: ArrayLike, *, centers: bool = False) -> Array:
    """The kernel of a layer from the features of `x`, its last axis, to at least one class, in its own dtype."""
    if not x.ndim:
        raise ValueError(message(f"{name} must have an axis of features, got shape ()"))
    kernel, features = narrow("kernel", kernel), x.shape[-1]
    if kernel.ndim not in (2, 2 + centers) or kernel.shape[0] != features or 0 in kernel.shape[1:]:
        wanted = f"({features}, classes)" + (f" or ({features}, classes, centers)" if centers else "")
        hint = "; transposed it fits: kernel.T" if kernel.ndim == 2 and kernel.shape[1] == features else ""
        raise ValueError(message(f"kernel must have shape {wanted}, got {kernel.shape}{hint}"))
    return kernel


def apart(x: Array, count: int) -> tuple[Array, ...]:
    """`x` so many times, which XLA's backend for CPUs doesn't know to be one."""
    return lax.platform_dependent(
        x,
        cpu=lambda x: tuple(lax.optimization_barrier((x,) * count)),
        default=lambda x: (x,) * count,
    )


def parameter(
    name: str, x: ArrayLike, interval: str, mask: ArrayLike | None, like: Array, of: str = "predictions"
) -> Array:
    """An option of one number, or of one for each element: fits `like` axis by axis, and must lie in `interval`."""
    given = broadcastable(name, x, like.shape, f"the {of}")
    x = given.astype(like.dtype)
    if mask is not None and x.ndim == like.ndim:
        x = jnp.where(bool_mask(mask, like.shape), x, 0.25)  # which lies in every interval
    return valid(name, x, interval, given)


def vectors(
    mask: ArrayLike | None, *, axis: Axes, harmless: float = 0.0, **inputs: ArrayLike
) -> tuple[list[Array], tuple[int, ...]]:
    """Inputs of one shape whose losses lack the axes `axis`, and those axes; the mask has the shape of the losses."""
    arrays = elementwise(None, harmless=harmless, **inputs)
    axes = axes_of(axis, next(iter(inputs)), arrays[0])
    return _clear_rows(mask, axes, harmless, *arrays), axes


def members(mask: ArrayLike | None, *, axis: int, **inputs: ArrayLike) -> tuple[Array, Array, int]:
    """Several of the first input along `axis` for each of the second, which gets that axis at size 1."""
    (name, lead), (other, x) = inputs.items()
    lead = floating(name, lead)
    place = one_axis(axis, name, lead, f"reshape {name} so that they lie on one axis")
    x = array(other, x).astype(lead.dtype)
    rows = without(lead.shape, (place,))
    exactly(other, x, rows, f"the shape of {name} without axis {axis}, {rows}")
    lead, x = _clear_rows(mask, (place,), 0.0, lead, jnp.expand_dims(x, place))
    return lead, x, place


def _clear_rows(mask: ArrayLike | None, axes: tuple[int, ...], harmless: float, *arrays: Array) -> list[Array]:
    if mask is None:
        return [*arrays]
    return [jnp.where(row_mask(mask, arrays[0], axes), x, harmless) for x in arrays]


def row_mask(mask: ArrayLike, x: Array | jax.ShapeDtypeStruct, axes: tuple[int, ...]) -> Array:
    """Which vectors exist, with the axes kept at size 1."""
    return jnp.expand_dims(full_mask(mask, without(x.shape, axes)), axes)


def signs(
    mask: ArrayLike | None, labels: ArrayLike, shape: tuple[int, ...], dtype: Any, of: str
) -> tuple[Array, Array]:
    """Labels of `shape` that are -1 or 1, or bool; and for each 0, or NaN where it is anything else."""
    labels = array("labels", labels)
    exactly("labels", labels, shape, f"the shape of {of}, {shape}")
    sign = labels.astype(dtype)
    if labels.dtype == jnp.bool_:
        sign = 2 * sign - 1
    if mask is not None:
        sign = jnp.where(bool_mask(mask, shape), sign, 1)
    off = lax.stop_gradient(jnp.abs(sign) - 1)
    fits = jnp.abs(off) <= rounding(labels, dtype)
    report("labels", labels, fits, "be -1 or 1, or bool")
    return sign - jnp.sign(lax.stop_gradient(sign)) * off, nan_unless(fits, dtype)


def spoiled(x: Array, by: Array) -> Array:
    """`x`, but NaN where `by` is: a slope in `by` may hold `x` alone."""
    return x + nan_unless(~jnp.isnan(by), x.dtype)


def valid(name: str, x: Array, interval: str, given: Any = None) -> Array:
    """`x` plus NaN where it lies outside `interval`: a select would cut the gradient to 0 where it must be NaN.

    `given` is what it was in the caller's dtype, in which it may have been rounded.
    """
    fits = within(x, interval, rounding(given, x.dtype))
    report(name, x, fits, f"lie in {interval}")
    return nearest(x, interval) + nan_unless(fits, x.dtype)
