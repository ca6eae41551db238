"""The negative log-likelihood under a softmax, row by row: the core of every cross entropy.

With x = z - top <= 0 and others = the sum of exp(x) without the label, log(others + exp(x_y)) - x_y would round a
confident loss to 0. log1p(others + expm1(x_y)) - x_y keeps its relative accuracy, and so does the gradient at the
label written as -others / sum, not softmax - 1. Derivatives by hand, because autodiff would subtract again.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import classes, devices
from .._contract.arrays import real
from .._contract.checks import nan_where
from .._contract.shapes import as_number
from .._contract.types import Array, AxisName
from .._contract.units import inverse_power
from .derivatives import precomputed, square, times
from .soft_nll import soft_nll
from .softmax import (
    beside_top,
    class_nll,
    directional,
    log_sum_exp,
    log_total,
    present,
    reciprocal_or_0,
    row_max,
    shifted,
)
from .sums import reduced


def smoothed_nll(
    reads: classes.Reads,
    labels: Array,
    poison: Array,
    axis: int,
    label_smoothing: Any = None,
    z_loss: Any = None,
    axis_name: AxisName | None = None,
) -> Array:
    """The cross entropy of each row, the class axis kept at size 1; each device of `axis_name` may have a slice."""
    masked = reads.class_mask is not None
    top = row_max(reads.top.astype(reads.scores.dtype), axis, masked=masked, axis_name=axis_name)
    top = nan_where(jnp.isnan(poison), present(top, reads))
    if real(labels):
        losses, log_normalizer = soft_nll(reads, top, labels, axis, axis_name)
    else:
        losses, log_normalizer = hard_nll(reads, top, labels, axis, axis_name)
    mean = None if label_smoothing is None else _mean_below_top(reads, top, axis, axis_name)
    return regularized(losses, top, log_normalizer, mean, label_smoothing, z_loss)


def regularized(
    losses: Array, top: Array, log_normalizer: Array, mean: Any, label_smoothing: Any, z_loss: Any
) -> Array:
    """With label smoothing, by the mean of z - top, and the z-loss."""
    if label_smoothing is not None:
        losses = times(1 - label_smoothing, losses) + times(label_smoothing, log_normalizer - mean)
    if z_loss is not None:
        normalizer = top + log_normalizer
        losses = losses + times(z_loss, square(normalizer))
    return losses


def _mean_below_top(reads: classes.Reads, top: Array, axis: int, axis_name: AxisName | None) -> Array:
    """The mean of z - top, over the classes of the class mask."""
    own = reads.mean.shape[axis]
    count = own * devices.axis_size(axis_name)
    allowed = as_number(count, top.dtype)
    if reads.class_mask is not None:
        allowed = jnp.sum(reads.class_mask, axis, keepdims=True, dtype=top.dtype)
        allowed = allowed * as_number(own // reads.class_mask.shape[axis], top.dtype)
        allowed = jnp.maximum(devices.psum([allowed], axis_name)[0], 1)
    scale = inverse_power(count)  # so that no sum overflows
    (total,) = devices.psum([_scaled_sum(reads, top, axis, scale)], axis_name)
    mean = present(total, reads) / (scale * allowed)
    return jnp.where(top == jnp.finfo(top.dtype).max, -jnp.inf, mean)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _scaled_sum(reads: classes.Reads, top: Array, axis: int, scale: float) -> Array:
    scaled = _if_allowed(scale * reads.mean.astype(top.dtype) - scale * top, reads)  # spelled apart: see `beside_top`
    return reduced([(scaled, lax.add)], axis, reads.class_mask is not None)[0]


@_scaled_sum.defjvp
def _(axis: int, scale: float, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    changes = _if_allowed(scale * tangents[0].scores, primals[0])
    return _scaled_sum(*primals, axis, scale), jnp.sum(changes, axis, keepdims=True)


def _if_allowed(x: Array, reads: classes.Reads) -> Array:
    """0 for classes that are ruled out."""
    return x if reads.class_mask is None else jnp.where(reads.class_mask, x, 0)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def hard_nll(
    reads: classes.Reads, top: Array, labels: Array, axis: int, axis_name: AxisName | None = None
) -> tuple[Array, Array]:
    """For each row the negative log-likelihood of its label, and log sum exp(z - top)."""
    log_normalizer = log_sum_exp(reads, top, axis, axis_name)
    x = _label_logit(reads, top, labels, axis, axis_name)
    return class_nll(log_normalizer, x), log_normalizer


@hard_nll.defjvp
def _(axis: int, axis_name: AxisName | None, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    reads, top, labels = primals
    z, d_z = present(reads.scores, reads), tangents[0].scores
    is_label = classes.is_label(z, labels, axis)
    exp = jnp.where(is_label, 0, jnp.exp(shifted(z, top)))
    x = _label_logit(reads, top, labels, axis, axis_name)
    if reads.rest.dtype == z.dtype:  # in the memory of the gradient
        (others,) = devices.psum([jnp.sum(exp, axis, keepdims=True)], axis_name)
    else:
        others = beside_top(reads, top, axis, axis_name) - jnp.expm1(x)
    log_normalizer = log_total(others + jnp.expm1(x))
    values = class_nll(log_normalizer, x), log_normalizer
    others, x = (devices.pbroadcast(part, axis_name) for part in (others, x))
    scale = reciprocal_or_0(others + jnp.exp(x))
    slope = jnp.where(is_label, -others * scale, exp * scale)
    softmax = jnp.where(is_label, jnp.exp(x) * scale, exp * scale)
    changes = [present(directional(part, d_z, axis), reads) for part in (slope, softmax)]
    values = precomputed(functools.partial(hard_nll, axis=axis, axis_name=axis_name), values, *primals)
    return values, tuple(devices.psum(changes, axis_name))


def _label_logit(reads: classes.Reads, top: Array, labels: Array, axis: int, axis_name: AxisName | None) -> Array:
    """How far each label's logit lies below the top."""
    if axis_name is None:
        entry = classes.at_label(reads.scores, labels, axis)
    else:
        entry, own = classes.at_local_label(reads.scores, labels, axis)
        entry = jnp.where(own, entry, top)  # another device has it: 0 here
    return devices.psum([present(shifted(entry, top), reads)], axis_name)[0]


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def every_nll(z: Array, top: Array, log_normalizer: Array, axis: int) -> Array:
    """The negative log-likelihood of every class."""
    return class_nll(log_normalizer, shifted(z, top))


@every_nll.defjvp
def _(axis: int, primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    """Softmax - 1 where a class is all but sure, without subtracting: changes against that of the top classes."""
    z, top, log_normalizer = primals
    x = shifted(z, top)
    is_top = (x == 0).astype(z.dtype)
    tops = jnp.sum(is_top, axis, keepdims=True)
    lead = directional(is_top, tangents[0], axis) / jnp.maximum(tops, 1)
    change = tangents[0] - lead
    softmax = jnp.where((x == 0) & (tops == 1), 0, jnp.exp(x - log_normalizer))
    return every_nll(*primals, axis), directional(softmax, change, axis) - change
