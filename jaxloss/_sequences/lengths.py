"""Which frames and labels of a sequence exist, and which sequences hold what doesn't fit."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import lax

from .._contract.checks import array, message, real, report
from .._contract.shapes import as_number, bool_mask, reshape_hint, unsharded
from .._contract.types import Array, ArrayLike


class Labels(NamedTuple):
    """Labels of sequences, harmless where none exists."""

    labels: Array  # int32, [..., labels]
    lengths: Array  # int32, [...]; 0 for sequences that are masked
    exist: Array  # [..., labels]
    fit: Array  # [...], whether length and labels do


def in_one_place(x: Array, axes: int) -> Array:
    """`x` with its last axes unsharded: these are gathered from, or gone along step by step."""
    for axis in range(x.ndim - axes, x.ndim):
        x = unsharded(x, axis)
    return x


def existing(mask: ArrayLike | None, rows: tuple[int, ...]) -> Array:
    return jnp.broadcast_to(True if mask is None else bool_mask(mask, rows), rows)


def upto(count: Any, lengths: Array) -> Array:
    """Of so many places, the first of each sequence, as many as its length."""
    places = lax.broadcasted_iota(jnp.int32, (1,) * lengths.ndim + (count,), lengths.ndim)
    return places < lengths[..., None]


def lengths_of(name: str, x: ArrayLike | None, count: Any, exists: Array) -> tuple[Array, Array]:
    """How many of `count` places each sequence has, and whether that fits; 0 where it doesn't, or is masked."""
    rows = exists.shape
    if x is None:
        return jnp.where(exists, as_number(count, jnp.int32), 0), jnp.ones_like(exists)
    x = array(name, x)
    if real(x) or x.dtype == jnp.bool_:
        hint = "; of a mask take its sum" if x.ndim > len(rows) else ""
        raise TypeError(message(f"{name} must be integers of shape {rows}, got {x.dtype} of shape {x.shape}{hint}"))
    if x.shape != rows:
        hint = reshape_hint(x.shape, rows, whole=True)
        raise ValueError(message(f"{name} must have shape {rows}, one for each sequence, got {x.shape}{hint}"))
    x = _wide(x)
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
    if real(labels):
        hint = "; class indices are integers: labels.astype(jnp.int32)"
        raise TypeError(
            message(
                f"labels must be integers of shape {_shown(rows, steps)}, got {labels.dtype} of {labels.shape}{hint}"
            )
        )
    if labels.shape[:-1] != rows or not labels.ndim or steps not in (None, labels.shape[-1]):
        hint = "; with one number a sequence add an axis: labels[..., None]" if labels.shape == rows else ""
        raise ValueError(message(f"labels must have shape {_shown(rows, steps)}, got {labels.shape}{hint}"))
    labels = in_one_place(_wide(labels), 1)
    count, fit = lengths_of(lengths_name, lengths, labels.shape[-1], exists)
    exist = upto(labels.shape[-1], count)
    good = (labels >= 0) & (labels < classes)
    rule = f"lie in [0, {classes})"
    if blank is not None:
        good &= labels != blank
        rule += f" and differ from blank, {blank}"
    report("labels", labels, good | ~exist, rule)
    return Labels(jnp.where(exist & good, labels, 0).astype(jnp.int32), count, exist, fit & jnp.all(good | ~exist, -1))


def _shown(rows: tuple[int, ...], steps: Any) -> str:
    return f"({', '.join(map(str, (*rows, 'labels' if steps is None else steps)))})"


def _wide(x: Array) -> Array:
    """Integers that hold any size of an array."""
    return x.astype(jnp.int32) if x.dtype.itemsize < 4 else x


def valid_blank(blank: int, classes: Any) -> None:
    if isinstance(blank, bool) or not isinstance(blank, int):
        raise TypeError(message(f"blank must be an integer, got {blank!r}"))
    if blank < 0 or (isinstance(classes, int) and blank >= classes):
        raise ValueError(message(f"blank must lie in [0, {classes}), got {blank}"))
