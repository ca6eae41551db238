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
from jax.custom_derivatives import SymbolicZero

from .._contract import classes, devices
from .._contract.checks import nan_where, real
from .._contract.shapes import as_number, inverse_power
from .._contract.types import Array, AxisName
from .derivatives import finite_at_zero, precomputed, times


def row_max(z: Array, axis: int, poison: Array | None = None, axis_name: AxisName | None = None) -> Array:
    """The largest logit of each row, held constant and finite; NaN where it is poisoned."""
    largest = jnp.finfo(z.dtype).max
    top = devices.pmax(jnp.max(lax.stop_gradient(z), axis, keepdims=True), axis_name)
    top = jnp.clip(top, -largest, largest)
    return top if poison is None else nan_where(jnp.isnan(poison), top)


def smoothed_nll(
    logits: Array,
    labels: Array,
    poison: Array,
    axis: int,
    class_mask: Array | None = None,
    label_smoothing: Any = None,
    z_loss: Any = None,
    axis_name: AxisName | None = None,
) -> Array:
    """The cross entropy of each row, the class axis kept at size 1; each device of `axis_name` may have a slice."""
    top = row_max(logits, axis, poison, axis_name)
    losses, log_normalizer = (soft_nll if real(labels) else hard_nll)(logits, top, labels, axis, axis_name)
    if label_smoothing is not None:
        # Scaled by a power of two, so that no sum overflows, and so spelled apart: see `_partition_sums`.
        count = logits.shape[axis] * devices.axis_size(axis_name)
        scale = inverse_power(count)
        scaled = scale * logits - scale * top
        if class_mask is None:
            (total,) = devices.psum([jnp.sum(scaled, axis, keepdims=True)], axis_name)
            allowed = as_number(count, logits.dtype)
        else:
            allowed = jnp.sum(jnp.broadcast_to(class_mask, logits.shape), axis, keepdims=True, dtype=logits.dtype)
            total = jnp.sum(jnp.where(class_mask, scaled, 0), axis, keepdims=True)
            total, allowed = devices.psum([total, allowed], axis_name)
            allowed = jnp.maximum(allowed, 1)
        uniform = total / (scale * allowed)
        uniform = jnp.where(top == jnp.finfo(logits.dtype).max, -jnp.inf, uniform)
        losses = times(1 - label_smoothing, losses) + times(label_smoothing, log_normalizer - uniform)
    if z_loss is not None:
        normalizer = top + log_normalizer
        absent = (z_loss == 0) & jnp.isinf(jnp.square(normalizer))  # cleared before the square, whose slope is infinite
        losses = losses + z_loss * jnp.square(jnp.where(absent, 0, normalizer))
    return losses


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def hard_nll(z: Array, top: Array, labels: Array, axis: int, axis_name: AxisName | None = None) -> tuple[Array, Array]:
    """For each row the negative log-likelihood of its label, and log sum exp(z - top)."""
    *sums, x = devices.psum([*_partition_sums(z, top, axis), _label_logit(z, top, labels, axis, axis_name)], axis_name)
    log_normalizer = _log_normalizer(top, *sums)
    return _minus_log(log_normalizer, x), log_normalizer


@hard_nll.defjvp
def _(axis: int, axis_name: AxisName | None, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    z, top, labels = primals
    is_label = classes.is_label(z, labels, axis)
    exp = jnp.where(is_label, 0, jnp.exp(shifted(z, top)))
    others, x = devices.psum(
        [jnp.sum(exp, axis, keepdims=True), _label_logit(z, top, labels, axis, axis_name)], axis_name
    )
    log_normalizer = jnp.log1p(others + jnp.expm1(x))
    values = _minus_log(log_normalizer, x), log_normalizer
    others, x = (devices.pbroadcast(part, axis_name) for part in (others, x))
    scale = _reciprocal(others + jnp.exp(x))
    slope = jnp.where(is_label, -others * scale, exp * scale)
    softmax = jnp.where(is_label, jnp.exp(x) * scale, exp * scale)
    changes = devices.psum(
        [_directional(slope, tangents[0], axis), _directional(softmax, tangents[0], axis)], axis_name
    )
    return precomputed(functools.partial(hard_nll, axis=axis, axis_name=axis_name), values, *primals), tuple(changes)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def soft_nll(z: Array, top: Array, labels: Array, axis: int, axis_name: AxisName | None = None) -> tuple[Array, Array]:
    """For each row the expected negative log-likelihood under its label's distribution, and log sum exp(z - top)."""
    expected = jnp.sum(times(labels, -shifted(z, top)), axis, keepdims=True)
    parts = [*_partition_sums(z, top, axis), jnp.sum(labels, axis, keepdims=True), expected]
    *sums, mass, expected = devices.psum(parts, axis_name)
    log_normalizer = _log_normalizer(top, *sums)
    return mass * log_normalizer + expected, log_normalizer


def _soft_rule(
    axis: int, axis_name: AxisName | None, primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> tuple[Any, Any]:
    z, top, labels = primals
    d_z, _, d_labels = tangents
    x = shifted(z, top)
    exp = jnp.exp(x)
    is_top = x == 0
    parts = [jnp.where(is_top, 0, exp), jnp.where(is_top, exp, 0), jnp.where(is_top, 0, labels)]
    parts += [jnp.where(is_top, labels, 0), times(labels, -x)]
    parts = devices.psum([jnp.sum(part, axis, keepdims=True) for part in parts], axis_name)
    rest, tops, labels_rest, labels_tops, expected = parts
    log_normalizer = jnp.log1p(jnp.where(tops == 0, 0, rest + (tops - 1)))  # no tops: all classes are ruled out
    mass = labels_rest + labels_tops
    values = mass * log_normalizer + expected, log_normalizer
    changes = [jnp.zeros_like(x), jnp.zeros_like(x)]
    if not isinstance(d_z, SymbolicZero):
        # Softmax - label, without subtracting a softmax near 1 from a label near 1.
        rest, tops, labels_rest, labels_tops = (devices.pbroadcast(part, axis_name) for part in parts[:4])
        mass, scale = labels_rest + labels_tops, _reciprocal(rest + tops)
        near = labels_rest + (labels_tops - labels) - mass * (rest + (tops - exp)) * scale
        slope = jnp.where(exp * scale > 0.5, near, mass * exp * scale - labels)
        changes = [slope * d_z, exp * scale * d_z]
    if not isinstance(d_labels, SymbolicZero):
        far = devices.pbroadcast(log_normalizer, axis_name) - x
        changes[0] += finite_at_zero(labels, far) * d_labels
    changes = devices.psum([jnp.sum(change, axis, keepdims=True) for change in changes], axis_name)
    return precomputed(functools.partial(soft_nll, axis=axis, axis_name=axis_name), values, *primals), tuple(changes)


soft_nll.defjvp(_soft_rule, symbolic_zeros=True)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def every_nll(z: Array, top: Array, log_normalizer: Array, axis: int) -> Array:
    """The negative log-likelihood of every class."""
    return _minus_log(log_normalizer, shifted(z, top))


@every_nll.defjvp
def _(axis: int, primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    """Softmax - 1 where a class is all but sure, without subtracting: changes against that of the top classes."""
    z, top, log_normalizer = primals
    x = shifted(z, top)
    is_top = (x == 0).astype(z.dtype)
    tops = jnp.sum(is_top, axis, keepdims=True)
    lead = _directional(is_top, tangents[0], axis) / jnp.maximum(tops, 1)
    change = tangents[0] - lead
    softmax = jnp.where((x == 0) & (tops == 1), 0, jnp.exp(x - log_normalizer))
    return every_nll(*primals, axis), _directional(softmax, change, axis) - change


def _partition_sums(z: Array, top: Array, axis: int) -> tuple[Array, Array]:
    """The sum of exp(z - top), and that without its largest term, which is 1 and where it would drown the others.

    The two are spelled apart because a shared ``z - top`` would be written to memory in full. The bounds are such that
    both have the right slope at the largest.
    """
    total = jnp.sum(jnp.exp(jnp.minimum(z + (-top), jnp.finfo(z.dtype).tiny)), axis, keepdims=True)
    rest = jnp.sum(jnp.exp(z - top) * jnp.minimum((top - z) * (4 * (top - z) - 1), 1), axis, keepdims=True)
    return total, rest


def _log_normalizer(top: Array, total: Array, rest: Array) -> Array:
    drowned = (total < 1.5) & (top < jnp.finfo(total.dtype).max)
    return jnp.log1p(jnp.where(drowned | jnp.isnan(rest), rest, total - 1))  # the total's minimum may lose a NaN


def _label_logit(z: Array, top: Array, labels: Array, axis: int, axis_name: AxisName | None) -> Array:
    """How far each label's logit lies below the top; 0 where the label's class is another device's."""
    if axis_name is None:
        return shifted(classes.at_label(z, labels, axis), top)
    entry, own = classes.at_local_label(z, labels, axis)
    return shifted(jnp.where(own, entry, top), top)


def shifted(z: Array, top: Array) -> Array:
    """How far logits lie below the largest; infinitely far below an infinite one."""
    largest = jnp.finfo(z.dtype).max
    return (jnp.where(z > largest, largest, z) - top) * jnp.where(top == largest, 2, 1)  # a minimum may lose a NaN


def _minus_log(log_normalizer: Array, x: Array) -> Array:
    """The loss of a class; a class that is ruled out costs infinity even where all are."""
    return jnp.where(x == -jnp.inf, jnp.inf, log_normalizer - x)


def _reciprocal(x: Array) -> Array:
    """0 for 0: all classes are ruled out."""
    return jnp.where(x == 0, 0, 1 / jnp.where(x == 0, 1, x))


def _directional(slope: Array, tangent: Array, axis: int) -> Array:
    return jnp.sum(slope * tangent, axis, keepdims=True)
