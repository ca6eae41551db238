"""The sums of a softmax, row by row: what all losses of logits are made of.

Rows keep the class axis, at size 1. In a row without a class all logits are -inf, its largest counts as the lowest
finite number, and its sums are 0.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import classes, devices, inputs
from .._contract.checks import nan_where
from .._contract.types import Array, AxisName
from .derivatives import clip_to_finite, unfused
from .sums import reduced


def row_max(
    z: Array, axis: int, poison: Array | None = None, *, masked: bool = False, axis_name: AxisName | None = None
) -> Array:
    """The largest logit of each row, held constant and finite; NaN where it is poisoned."""
    (top,) = reduced([(_as_widened(lax.stop_gradient(z)), lax.max)], axis, masked)
    top = clip_to_finite(devices.pmax(top, axis_name))
    return top if poison is None else nan_where(jnp.isnan(poison), top)


def _as_widened(z: Array) -> Array:
    """`z`, whose maximum XLA for TPUs would else take of what it was before, in bfloat16, in a slow pass of its own."""
    return lax.platform_dependent(z, tpu=unfused, default=lambda z: z)


def shifted(z: Array, top: Array) -> Array:
    """How far logits lie below the largest; infinitely far below an infinite one."""
    largest = jnp.finfo(z.dtype).max
    return (jnp.where(z > largest, largest, z) - top) * jnp.where(top == largest, 2, 1)  # a minimum may lose a NaN


def log_sum_exp(reads: classes.Reads, top: Array, axis: int, axis_name: AxisName | None = None) -> Array:
    """log sum exp(z - top) of each row; 0 where all classes are ruled out."""
    return log_total(beside_top(reads, top, axis, axis_name))


def log_total(beside: Array) -> Array:
    """log sum exp(z - top), from that sum less 1; 0 where all classes are ruled out."""
    return jnp.log1p(jnp.where(beside == -1, 0, beside))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def beside_top(reads: classes.Reads, top: Array, axis: int, axis_name: AxisName | None) -> Array:
    """The sum of exp(z - top) less 1: that of all classes but the top. -1 where all are ruled out.

    From the sum and, where its largest term, which is 1, would drown the others, from that of all other terms. The two
    are spelled apart, each of its own read of the logits and of their top, because a shared ``z - top`` would be
    written to memory in full; so would be a constant that is another's too, like 0 or 1. The bounds are such that both
    have the right slope at the largest.
    """
    masked = reads.class_mask is not None
    of_total, of_rest = inputs.apart(top, 2)
    x = jnp.minimum(reads.total.astype(top.dtype) + (-of_total), jnp.finfo(top.dtype).tiny)
    exp = jnp.exp(x)
    y = x if masked else reads.rest.astype(top.dtype) - of_rest
    exp_y = exp if masked else jnp.exp(y)
    parts = [(exp, lax.add), (exp_y * beside_weight(y), lax.add)]
    total, rest = devices.psum(reduced(parts, axis, masked), axis_name)
    rest = rest / 8
    drowned = (total > 0) & (total < 1.5) & (top < jnp.finfo(top.dtype).max)
    beside = jnp.where(drowned | jnp.isnan(rest), rest, total - 1)  # the total's minimum may lose a NaN
    return present(beside, reads)


def beside_weight(x: Array) -> Array:
    """8 where a class is no top of a row that is sure, 0 for a top, there with the slope of 8 times the exponential."""
    x = jnp.maximum(x, -1.5)  # lest the slope be 0 times infinity
    return jnp.minimum(x * (32 * x + 8), 8)


@beside_top.defjvp
def _(axis: int, axis_name: AxisName | None, primals: Any, tangents: Any) -> tuple[Array, Array]:
    reads, top = primals
    slope = jnp.exp(shifted(present(reads.scores, reads), top))
    change = present(directional(slope, tangents[0].scores, axis), reads)
    return beside_top(*primals, axis, axis_name), devices.psum([change], axis_name)[0]


def present(x: Array, reads: classes.Reads) -> Array:
    """0 for rows that don't exist."""
    return x if reads.exists is None else jnp.where(reads.exists, x, 0)


def class_nll(log_normalizer: Array, x: Array) -> Array:
    """The loss of a class; a class that is ruled out costs infinity even where all are."""
    return jnp.where(x == -jnp.inf, jnp.inf, log_normalizer - x)


def reciprocal_or_0(x: Array) -> Array:
    """0 for 0: all classes are ruled out."""
    return jnp.where(x == 0, 0, 1 / jnp.where(x == 0, 1, x))


def directional(slope: Array, tangent: Array, axis: int) -> Array:
    return jnp.sum(slope * tangent, axis, keepdims=True)
