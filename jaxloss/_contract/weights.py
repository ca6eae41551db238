"""How much each element counts: its weight, its mask, its class."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from . import devices
from .arrays import array, real
from .checks import nan_unless, report
from .classes import vector_at_label
from .shapes import along, bool_mask, broadcastable, exactly, without
from .types import Array, ArrayLike, AxisName


def element_weights(
    shape: tuple[int, ...], dtype: Any, weights: ArrayLike | None, mask: ArrayLike | None
) -> tuple[Array, Array | None]:
    """How much each element counts, which fits `shape` axis by axis, and which ones exist."""
    weight = jnp.ones((), dtype) if weights is None else broadcastable("weights", weights, shape).astype(dtype)
    if mask is None:
        return weight, None
    exists = bool_mask(mask, shape)
    return jnp.where(exists, weight, 0) + nan_unless_bool(mask, dtype), exists


def nan_unless_bool(mask: ArrayLike, dtype: Any) -> Array:
    """NaN where a mask of numbers is neither 0 nor 1."""
    values = jnp.asarray(mask)
    if values.dtype == jnp.bool_:
        return jnp.zeros((), dtype)
    fits = (values == 0) | (values == 1)
    hint = "" if real(values) else "; segment ids make one with segment_ids != 0"
    report("mask", values, fits, "be bool, or 0 and 1", hint)
    return nan_unless(fits, dtype)


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
    rows = without(logits.shape, (axis,))
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
    exactly("class_weights", by_class, (count,), f"shape ({count},), one for each class")
    return by_class
