"""Sums over all paths through a lattice, in log space.

The derivative of each addition is its share of the sum, in [0, 1]: so the way back through a scan is the posterior, by
multiplications alone. All that is -inf has slope 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .._contract.shapes import padded
from .._contract.types import Array
from .._numerics.derivatives import at_least, difference
from .._numerics.elementary import exp_minus_abs, log1p_unit, sigmoid
from .lengths import places


_EVERY = 8  # steps of a scan after which its level is taken off


@jax.custom_jvp
def log_add(x: Array, y: Array) -> Array:
    """``log(exp(x) + exp(y))``. The selection, not a maximum, has the slope that the rest expects of it at ties."""
    return jnp.where(x >= y, x, y) + log1p_unit(exp_minus_abs(difference(x, y)))


@log_add.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (x, y), (d_x, d_y) = primals, tangents
    return log_add(x, y), d_y + sigmoid(difference(x, y)) * (d_x - d_y)


def log_sum(x: Array, axis: int) -> Array:
    """``log(sum(exp(x)))`` along an axis: log1p of what is beside the largest, lest that drown it."""
    top = jnp.expand_dims(_largest(x, axis), axis)
    nothing = top == -jnp.inf
    top = jnp.where(nothing, 0, top)
    x = x - top
    is_top = x == 0
    tops = jnp.sum(is_top, axis, keepdims=True, dtype=x.dtype)
    beside = jnp.sum(jnp.where(is_top, jnp.expm1(x), jnp.exp(x)), axis, keepdims=True) + (tops - 1)
    total = top + jnp.log1p(jnp.where(nothing, 0, beside))
    return jnp.squeeze(jnp.where(nothing, -jnp.inf, total), axis)


def _largest(x: Array, axis: int) -> Array:
    return lax.stop_gradient(jnp.max(x, axis, initial=-jnp.inf))


def scanned(step: Callable[[Any, Any], Any], start: Any, xs: Any) -> tuple[Any, Array]:
    """``step(carry, x) -> carry`` over all, and the level of the last, which is to be added to its entries.

    Of 500 frames log-probabilities are near -2000, where float32 has steps of 1e-4. So what is largest among the
    carry's last axes is taken off now and then: off what comes in, since XLA would write what goes out twice.
    """

    def levelled(carry: tuple[Any, Array], x: Any) -> tuple[Any, Array]:
        states, count = carry
        held = lax.stop_gradient(states)
        level = lax.cond(count % _EVERY == 0, _level, lambda held: jnp.zeros_like(_level(held)), held)
        states = jax.tree.map(lambda state: state - level[..., None], states)
        return (step(states, x), count + 1), level

    (states, _), levels = lax.scan(levelled, (start, jnp.int32(0)), xs)
    return states, jnp.sum(levels, 0)


def _level(states: Any) -> Array:
    """The largest of all; 0 where all are -inf."""
    tops = [_largest(state, -1) for state in jax.tree.leaves(states)]
    top = tops[0]
    for other in tops[1:]:
        top = jnp.maximum(top, other)
    return jnp.where(jnp.isfinite(top), top, 0)


def zeros_before(xs: Array) -> Array:
    """Zeros of the shape, sharding and type of an entry of `xs`, of which there may be none."""
    return jnp.sum(xs[:0], 0)


def first_only(zeros: Array) -> Array:
    """0 in the first place of the last axis, -inf in all others."""
    return jnp.where(places(zeros.shape[-1], zeros.ndim) == 0, zeros, -jnp.inf)


def shifted_in(x: Array, fill: float = -jnp.inf) -> Array:
    """One place further along the last axis, behind `fill`."""
    return padded(x, 1, 0, fill)


def at(x: Array, place: Array) -> Array:
    """The entry of the last axis at the place of each sequence."""
    return jnp.squeeze(jnp.take_along_axis(x, place[..., None], -1, mode="promise_in_bounds"), -1)


def nll(log_p: Array, impossible: float = jnp.inf) -> Array:
    """Of sequences; what fits no path costs this, and has slope 0."""
    none = log_p == -jnp.inf
    return jnp.where(none, impossible, at_least(-jnp.where(none, 0, log_p), 0))


def diagonals(x: Array, fill: float) -> Array:
    """``[..., rows, columns]`` as ``[rows + columns - 1, ..., columns]``: entry ``d, j`` is that of row ``d - j``.

    Rows are padded by as many as there are columns, and each column then starts one place later than the one before.
    """
    rows, columns = x.shape[-2:]
    x = padded(jnp.swapaxes(x, -1, -2), 0, columns, fill)
    lead = x.shape[:-2]
    flat = x.reshape(*lead, columns * (rows + columns))[..., : columns * (rows + columns - 1)]
    return jnp.moveaxis(flat.reshape(*lead, columns, rows + columns - 1), -1, 0)
