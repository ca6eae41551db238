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

from . import _inputs
from ._checks import real
from ._derivatives import finite_at_zero, known, times
from ._types import Array


def peak(z: Array, doubt: Array, axis: int) -> Array:
    """The largest logit of each row, held constant and finite; NaN where its label is in doubt."""
    largest = jnp.finfo(z.dtype).max
    return jnp.clip(jnp.max(lax.stop_gradient(z), axis, keepdims=True), -largest, largest) + doubt


def smoothed_nll(
    logits: Array,
    labels: Array,
    doubt: Array,
    axis: int,
    class_mask: Array | None = None,
    label_smoothing: Any = None,
    z_loss: Any = None,
) -> Array:
    """The cross entropy of each row, with the class axis kept at size 1."""
    top = peak(logits, doubt, axis)
    losses, log_normalizer = (soft_nll if real(labels) else hard_nll)(logits, top, labels, axis)
    if label_smoothing is not None:
        below = 0.5 * logits - 0.5 * top  # halved, and so spelled apart: see `_excess`
        if class_mask is None:
            uniform = 2 * jnp.mean(below, axis, keepdims=True)
        else:
            allowed = jnp.sum(jnp.broadcast_to(class_mask, logits.shape), axis, keepdims=True, dtype=logits.dtype)
            uniform = 2 * jnp.sum(jnp.where(class_mask, below, 0), axis, keepdims=True) / jnp.maximum(allowed, 1)
        uniform = jnp.where(top == jnp.finfo(logits.dtype).max, -jnp.inf, uniform)
        losses = times(1 - label_smoothing, losses) + times(label_smoothing, log_normalizer - uniform)
    if z_loss is not None:
        normalizer = top + log_normalizer
        absent = (z_loss == 0) & jnp.isinf(jnp.square(normalizer))  # cleared before the square, whose slope is infinite
        losses = losses + z_loss * jnp.square(jnp.where(absent, 0, normalizer))
    return losses


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def hard_nll(z: Array, top: Array, labels: Array, axis: int) -> tuple[Array, Array]:
    """For each row the negative log-likelihood of its label, and log sum exp(z - top)."""
    log_normalizer = jnp.log1p(_excess(z, top, axis))
    return _minus_log(log_normalizer, below(_inputs.at(z, labels, axis), top)), log_normalizer


@hard_nll.defjvp
def _(axis: int, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    z, top, labels = primals
    x = below(_inputs.at(z, labels, axis), top)
    is_label = _inputs.is_label(z, labels, axis)
    exp = jnp.where(is_label, 0, jnp.exp(below(z, top)))
    others = jnp.sum(exp, axis, keepdims=True)
    scale = _reciprocal(others + jnp.exp(x))
    log_normalizer = jnp.log1p(others + jnp.expm1(x))
    slope = jnp.where(is_label, -others * scale, exp * scale)
    softmax = jnp.where(is_label, jnp.exp(x) * scale, exp * scale)
    values = known(functools.partial(hard_nll, axis=axis), (_minus_log(log_normalizer, x), log_normalizer), *primals)
    return values, (_along(slope, tangents[0], axis), _along(softmax, tangents[0], axis))


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def soft_nll(z: Array, top: Array, labels: Array, axis: int) -> tuple[Array, Array]:
    """For each row the expected negative log-likelihood under its label's distribution, and log sum exp(z - top)."""
    log_normalizer = jnp.log1p(_excess(z, top, axis))
    return _expected(labels, below(z, top), log_normalizer, axis), log_normalizer


def _soft_rule(axis: int, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    z, top, labels = primals
    d_z, _, d_labels = tangents
    x = below(z, top)
    exp = jnp.exp(x)
    is_top = x == 0
    rest = jnp.sum(jnp.where(is_top, 0, exp), axis, keepdims=True)
    tops = jnp.sum(jnp.where(is_top, exp, 0), axis, keepdims=True)
    scale = _reciprocal(rest + tops)
    log_normalizer = jnp.log1p(jnp.where(tops == 0, 0, rest + (tops - 1)))  # no tops: all classes are ruled out
    values = _expected(labels, x, log_normalizer, axis), log_normalizer
    slopes = [jnp.zeros_like(top), jnp.zeros_like(top)]
    if not isinstance(d_z, SymbolicZero):
        # Softmax - label, without subtracting a softmax near 1 from a label near 1.
        labels_rest = jnp.sum(jnp.where(is_top, 0, labels), axis, keepdims=True)
        labels_tops = jnp.sum(jnp.where(is_top, labels, 0), axis, keepdims=True)
        mass = labels_rest + labels_tops
        near = labels_rest + (labels_tops - labels) - mass * (rest + (tops - exp)) * scale
        slope = jnp.where(exp * scale > 0.5, near, mass * exp * scale - labels)
        slopes = [_along(slope, d_z, axis), _along(exp * scale, d_z, axis)]
    if not isinstance(d_labels, SymbolicZero):
        slopes[0] += _along(finite_at_zero(labels, log_normalizer - x), d_labels, axis)
    return known(functools.partial(soft_nll, axis=axis), values, *primals), tuple(slopes)


soft_nll.defjvp(_soft_rule, symbolic_zeros=True)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def every_nll(z: Array, top: Array, log_normalizer: Array, axis: int) -> Array:
    """The negative log-likelihood of every class."""
    return _minus_log(log_normalizer, below(z, top))


@every_nll.defjvp
def _(axis: int, primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    """Softmax - 1 where a class is all but sure, without subtracting: changes against that of the top classes."""
    z, top, log_normalizer = primals
    x = below(z, top)
    is_top = (x == 0).astype(z.dtype)
    lead = _along(is_top, tangents[0], axis) / jnp.maximum(jnp.sum(is_top, axis, keepdims=True), 1)
    change = tangents[0] - lead
    softmax = jnp.where(x == 0, 0, jnp.exp(x - log_normalizer))
    return every_nll(*primals, axis), _along(softmax, change, axis) - change


def _excess(z: Array, top: Array, axis: int) -> Array:
    """The sum of exp(z - top) but for the largest term, which is 1.

    A second sum, without the largest term, where it would drown the others. The two are spelled apart because a shared
    ``z - top`` would be written to memory in full. The bounds are such that both have the right slope at the largest.
    """
    total = jnp.sum(jnp.exp(jnp.minimum(z + (-top), jnp.finfo(z.dtype).tiny)), axis, keepdims=True)
    rest = jnp.sum(jnp.exp(z - top) * jnp.minimum((top - z) * (4 * (top - z) - 1), 1), axis, keepdims=True)
    return jnp.where((total < 1.5) & (top < jnp.finfo(z.dtype).max), rest, total - 1)


def below(z: Array, top: Array) -> Array:
    """How far logits lie below the largest; infinitely far below an infinite one."""
    largest = jnp.finfo(z.dtype).max
    return (jnp.minimum(z, largest) - top) * jnp.where(top == largest, 2, 1)


def _minus_log(log_normalizer: Array, x: Array) -> Array:
    """The loss of a class; a class that is ruled out costs infinity even where all are."""
    return jnp.where(x == -jnp.inf, jnp.inf, log_normalizer - x)


def _expected(labels: Array, x: Array, log_normalizer: Array, axis: int) -> Array:
    mass = jnp.sum(labels, axis, keepdims=True)
    return mass * log_normalizer + jnp.sum(times(labels, -x), axis, keepdims=True)


def _reciprocal(x: Array) -> Array:
    """0 for 0: all classes are ruled out."""
    return jnp.where(x == 0, 0, 1 / jnp.where(x == 0, 1, x))


def _along(slope: Array, tangent: Array, axis: int) -> Array:
    return jnp.sum(slope * tangent, axis, keepdims=True)
