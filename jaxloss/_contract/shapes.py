"""Shapes and axes: what fits what, and what to say where it doesn't."""

from __future__ import annotations

import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec as P

from .arrays import array
from .messages import message
from .types import Array, ArrayLike, Axes


def broadcastable(
    name: str, x: ArrayLike, shape: tuple[int, ...], of: str = "the per-element losses", hint: str = ""
) -> Array:
    """`x` if it is a scalar or matches `shape` axis by axis; nothing else broadcasts."""
    x = array(name, x)
    if x.shape == () or matches(x.shape, shape):
        return x
    raise ValueError(
        message(
            f"{name} must be a scalar or match {of}, of shape {shape}, axis by axis (each dimension equal or 1), "
            f"got shape {x.shape}{hint or reshape_hint(x.shape, shape)}"
        )
    )


def matches(own: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether each dimension is equal, or 1."""
    return len(own) == len(shape) and all(one in (1, size) for one, size in zip(own, shape))


def bool_mask(mask: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Which elements exist, as bools."""
    return broadcastable("mask", mask, shape).astype(jnp.bool_)


def full_mask(mask: ArrayLike | None, shape: tuple[int, ...]) -> Array:
    """The same in all of the shape; without a mask all exist."""
    return jnp.broadcast_to(True if mask is None else bool_mask(mask, shape), shape)


def reshape_hint(got: tuple[int, ...], wanted: tuple[int, ...], *, whole: bool = False) -> str:
    """The reshapes that would make `got` fit `wanted` axis by axis, or fill it whole, as the end of an error."""
    kept = tuple(size for size in got if size != 1)
    fits = []
    for places in itertools.combinations(range(len(wanted)), len(kept)):
        shape = [1] * len(wanted)
        for place, size in zip(places, kept):
            shape[place] = size
        if all(own == size or (own == 1 and not whole) for own, size in zip(shape, wanted)):
            fits.append(str(tuple(shape)))
    return f"; reshape it to {' or '.join(dict.fromkeys(fits))}" if fits else ""


def exactly(name: str, x: Array, shape: tuple[int, ...], wanted: str) -> None:
    """An error unless `x` has this shape, which it must have as `wanted` says."""
    if x.shape != shape:
        hint = reshape_hint(x.shape, shape, whole=True)
        raise ValueError(message(f"{name} must have {wanted}, got {x.shape}{hint}"))


def one_axis(axis: Axes, name: str, x: Array, hint: str) -> int:
    if isinstance(axis, tuple):
        raise TypeError(message(f"axis must be one integer, got {axis!r}; {hint}"))
    return axes_of(axis, name, x)[0]


def axes_of(axis: Axes, name: str, x: Array) -> tuple[int, ...]:
    if isinstance(axis, tuple) and not axis:
        raise ValueError(message("axis must name at least one axis, got ()"))
    return places("axis", axis, name, x)


def places(option: str, axes: Axes, name: str, x: Array) -> tuple[int, ...]:
    """Axes of `x`, which may be none, counted from the front."""
    each = axes if isinstance(axes, tuple) else (axes,)
    for one in each:
        if isinstance(one, bool) or not isinstance(one, (int, np.integer)):
            raise TypeError(message(f"{option} must be an integer or a tuple of them, got {axes!r}"))
        if not -x.ndim <= one < x.ndim:
            raise ValueError(message(f"{option} must be an axis of {name}, of shape {x.shape}, got {one}"))
    found = tuple(int(one) % x.ndim for one in each)
    if len({*found}) != len(found):
        raise ValueError(message(f"{option} must name each axis only once, got {axes!r}"))
    return found


def without(shape: tuple[int, ...], axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for axis, size in enumerate(shape) if axis not in axes)


def as_number(size: Any, dtype: Any) -> Array:
    """A size, which may be symbolic, as a number. More than 2^31 don't pass as a Python integer."""
    return jnp.asarray(float(size) if isinstance(size, int) else size, dtype)


def along(x: Array, ndim: int, axis: int) -> Array:
    """A vector as the one axis of `ndim` that isn't 1."""
    return jnp.expand_dims(x, [other for other in range(ndim) if other != axis])


def padded(x: Array, before: Any, behind: Any, fill: Any) -> Array:
    """`x` with so many more entries along its last axis, which hold `fill`."""
    return jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(before, behind)], constant_values=fill)


def unsharded(x: Array, *axes: int) -> Array:
    """`x` with these axes in one place: explicit sharding neither sorts nor adds up along one that is sharded."""
    sharding = jax.typeof(x).sharding
    spec = [*sharding.spec]
    for axis in axes:
        spec[axis] = None
    return x if spec == [*sharding.spec] else jax.sharding.reshard(x, NamedSharding(sharding.mesh, P(*spec)))
