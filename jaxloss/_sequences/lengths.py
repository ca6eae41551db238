"""Which frames and labels of a sequence exist, and which sequences hold what doesn't fit."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from .._contract.arrays import array, indices, real
from .._contract.checks import nan_unless, report
from .._contract.messages import message
from .._contract.shapes import as_number, exactly, unsharded
from .._contract.types import Array, ArrayLike


class Labels(NamedTuple):
    """Labels of sequences, harmless where none exists."""

    labels: Array  # int32, [..., labels]
    lengths: Array  # int32, [...]; 0 for sequences that are masked
    exist: Array  # [..., labels]
    fit: Array  # [...], whether length and labels do


def places(count: Any, ndim: int) -> Array:
    """0, 1, ... along the last of so many axes."""
    return lax.broadcasted_iota(jnp.int32, (1,) * (ndim - 1) + (count,), ndim - 1)


def upto(count: Any, lengths: Array) -> Array:
    """Of so many places, the first of each sequence, as many as its length."""
    return places(count, lengths.ndim + 1) < lengths[..., None]


def any_nan(x: Array, exist: Array) -> Array:
    """Whether a sequence ``[..., places, features]`` holds one where it exists."""
    return jnp.any(jnp.isnan(x) & exist[..., None], (-2, -1))


def cleared(x: Array, exist: Array, fit: Array) -> Array:
    """Sequences ``[..., places, features]``, 0 beyond their ends; where one is not fit, NaN with all slopes."""
    fit = fit[..., None, None]
    return jnp.where(exist[..., None] | ~fit, x, 0) * (1 + nan_unless(fit, x.dtype))


def lengths_of(name: str, x: ArrayLike | None, count: Any, exists: Array) -> tuple[Array, Array]:
    """How many of `count` places each sequence has, and whether that fits; 0 where it doesn't, or is masked."""
    rows = exists.shape
    if x is None:
        return jnp.where(exists, as_number(count, jnp.int32), 0), jnp.ones_like(exists)
    x = array(name, x)
    if real(x) or x.dtype == jnp.bool_:
        hint = "; of a mask take its sum" if x.ndim > len(rows) else ""
        raise TypeError(message(f"{name} must be integers of shape {rows}, got {x.dtype} of shape {x.shape}{hint}"))
    exactly(name, x, rows, f"shape {rows}, one for each sequence")
    x = indices(x)
    fits = (x >= 0) & (x <= count)
    report(name, x, fits | ~exists, f"lie in [0, {count}]")
    return jnp.where(fits & exists, x, 0).astype(jnp.int32), fits | ~exists


def labels_of(
    labels: ArrayLike,
    lengths: ArrayLike | None,
    classes: Any,
    exists: Array,
    *,
    lengths_name: str = "label_lengths",
    blank: int | None = None,
    steps: Any = None,
) -> Labels:
    """Labels of sequences, of which `steps` may say how many places there are; none is blank."""
    labels = array("labels", labels)
    rows = exists.shape
    wanted = _shown(*rows, "labels" if steps is None else steps)
    if real(labels):
        hint = "; class indices are integers: labels.astype(jnp.int32)"
        raise TypeError(
            message(f"labels must be integers of shape {wanted}, got {labels.dtype} of shape {labels.shape}{hint}")
        )
    if labels.shape[:-1] != rows or not labels.ndim or steps not in (None, labels.shape[-1]):
        hint = "; with one number a sequence add an axis: labels[..., None]" if labels.shape == rows else ""
        raise ValueError(message(f"labels must have shape {wanted}, got {labels.shape}{hint}"))
    labels = unsharded(indices(labels), -1)
    count, fit = lengths_of(lengths_name, lengths, labels.shape[-1], exists)
    exist = upto(labels.shape[-1], count)
    good = (labels >= 0) & (labels < classes)
    rule = f"lie in [0, {classes})"
    if blank is not None:
        good &= labels != _valid_blank(blank, classes)
        rule += f" and differ from blank, {blank}"
    report("labels", labels, good | ~exist, rule)
    return Labels(jnp.where(exist & good, labels, 0).astype(jnp.int32), count, exist, fit & jnp.all(good | ~exist, -1))


def same_but_in_length(name: str, x: Array, like: Array, places: str) -> None:
    """An error unless `x` has the shape of `like`, ``[..., places, features]``, but for the number of places."""
    if x.ndim != like.ndim or (*x.shape[:-2], x.shape[-1]) != (*like.shape[:-2], like.shape[-1]):
        wanted = _shown(*like.shape[:-2], places, like.shape[-1])
        raise ValueError(message(f"{name} must have shape {wanted}, got {x.shape}"))


def _shown(*shape: Any) -> str:
    return f"({', '.join(map(str, shape))})"


def _valid_blank(blank: Any, classes: Any) -> int:
    if isinstance(blank, bool) or not isinstance(blank, (int, np.integer)):
        raise TypeError(message(f"blank must be an integer, got {blank!r}"))
    if blank < 0 or (isinstance(classes, int) and blank >= classes):
        raise ValueError(message(f"blank must lie in [0, {classes}), got {blank}"))
    return int(blank)
