"""Rows of a batch against all columns: a block of rows at a time, so that batch x batch is never held.

A batch is a whole batch wherever it lies: what other devices have of it is gathered, and each row gets back the slopes
that it earned as somebody's column.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec as P

from .._contract import chunks, devices, inputs
from .._contract.arrays import array
from .._contract.messages import message
from .._contract.shapes import broadcastable, exactly
from .._contract.types import Array, ArrayLike, AxisName
from .._contract.weights import nan_unless_bool
from .._numerics.norm import unit


_BLOCK = 2**20  # numbers, of rows x columns
_ROWS = 256  # of a block, where it isn't known how many columns there are


class Side(NamedTuple):
    """Rows of a batch, or the columns that they meet."""

    vectors: Array  # [rows, features], 0 where masked
    exists: Array  # [rows]
    place: Array  # [rows], in the whole batch; -1 for what lies outside of it
    labels: Any = None  # [rows]


def embeddings(name: str, x: ArrayLike, like: Array | None = None, rows: str = "batch") -> Array:
    """``[batch, features]``, in the dtype to compute in; with as many features as `like`."""
    x = inputs.floating(name, x)
    if x.ndim != 2:
        hint = "reshape(-1, features) makes one batch of several, jax.vmap keeps them apart"
        raise ValueError(message(f"{name} must have shape [{rows}, features], got {x.shape}; {hint}"))
    if like is None:
        return x
    if x.shape[1] != like.shape[1]:
        raise ValueError(message(f"{name} must have {like.shape[1]} features, got shape {x.shape}"))
    return x.astype(like.dtype)


def pair(embeddings_a: ArrayLike, embeddings_b: ArrayLike) -> tuple[Array, Array]:
    a = embeddings("embeddings_a", embeddings_a)
    b = inputs.floating("embeddings_b", embeddings_b).astype(a.dtype)
    exactly("embeddings_b", b, a.shape, f"the shape of embeddings_a, {a.shape}")
    return a, b


def side(
    x: Array,
    mask: ArrayLike | None,
    normalize: bool,
    *,
    name: str = "mask",
    axis_name: AxisName | None = None,
    in_batch: bool = True,
    labels: Any = None,
) -> Side:
    """Embeddings with who of them exists, and where in the whole batch they are."""
    rows = x.shape[:1]
    place = _like_rows(x, lax.broadcasted_iota(jnp.int32, rows, 0))
    exists = place >= 0
    if mask is not None:
        mask = array(name, mask)
        hint = f"; {name} says which rows exist, pairs follow from that" if mask.ndim == 2 else ""
        exists &= broadcastable(name, mask, rows, "the rows", hint).astype(jnp.bool_)
        x = jnp.where(exists[:, None], x, 0)
        if name != "mask":  # of which the reduction takes care
            x += nan_unless_bool(mask, x.dtype).reshape(-1, 1)
    if not in_batch:
        place = place * 0 - 1
    elif names := devices.names(axis_name):
        _varies(x, names)
        place += x.shape[0] * jnp.asarray(lax.axis_index(names), jnp.int32)
    return Side(unit(x) if normalize else x, exists, place, labels)


def _like_rows(x: Array, rows: Array) -> Array:
    """A vector, spread over devices as the rows of `x` are."""
    kind = jax.typeof(x).sharding
    return jax.sharding.reshard(rows, NamedSharding(kind.mesh, P(kind.spec[0]))) if kind.spec[0] is not None else rows


def _varies(x: Array, names: tuple[str, ...]) -> None:
    for name in names:
        if name in devices.mapped_axes(lax.axis_index(name)) and name not in devices.mapped_axes(x):
            hint = "along it the batch is the same, and each row would meet copies of itself: leave it out"
            raise ValueError(message(f"axis_name must name axes that split the batch, got {name!r}; {hint}"))


def gathered(x: Any, axis_name: AxisName | None) -> Any:
    """What all devices have of a batch, in order; under explicit sharding, in one place."""

    def gather(x: Array) -> Array:
        for name in reversed(devices.names(axis_name)):
            x = lax.all_gather(x, name, tiled=True)
        return devices.in_one_place(x)

    return jax.tree.map(gather, x)


def scattered(x: Array, axis_name: AxisName | None) -> Array:
    """The sum over devices of a number for each row of the whole batch, for the rows of this one."""
    for name in devices.names(axis_name):
        x = lax.psum_scatter(x, name, tiled=True)
    return x


def own_slice(x: Array, like: Side, axis_name: AxisName | None) -> Array:
    """Of a number for each row of the whole batch, those of this device."""
    return x if axis_name is None else lax.dynamic_slice_in_dim(x, like.place[0], like.place.shape[0])


def together(*sides: Side) -> Side:
    return jax.tree.map(lambda *x: jnp.concatenate(x), *sides)


def others(rows: Side, columns: Side) -> Array:
    """Which columns a row meets: those that exist, but for itself."""
    return (rows.place[:, None] != columns.place[None]) & rows.exists[:, None] & columns.exists[None]


def by_blocks(
    of_block: Callable[[Any, Any], tuple[Any, Any]], rows: Any, width: Any, carry: Any = None
) -> tuple[Any, Any]:
    """``of_block(carry, some rows) -> carry, results by row`` over all rows, computed again on the way back.

    A block has `width` numbers for each row.
    """
    lead = jax.tree.leaves(rows)[0]
    length = max(1, _BLOCK // max(1, width)) if isinstance(width, int) else _ROWS
    length *= devices.spread_of(lead) if devices.mesh_is_known(lead) else 1  # of each device
    plan = chunks.chunks_of(lead.shape[0], length, devices.spread_of(lead))
    if isinstance(plan.count, int) and plan.count <= 1:
        return of_block(carry, rows)

    blocks = jax.tree.map(lambda x: chunks.cut_rows(x, plan), rows)
    carry, found = lax.scan(jax.checkpoint(of_block, prevent_cse=False), carry, blocks)
    return carry, jax.tree.map(lambda x: chunks.joined_rows(x, plan), found)


def zeros(columns: Array, *entering: Any) -> Array:
    """A number for each column to start from, which may vary wherever anything that enters it does."""
    return devices.alike((jnp.zeros(columns.shape[:1], columns.dtype), columns, entering))[0]


# --- sums of exponentials ------------------------------------------------------------------------------------------


class Sum(NamedTuple):
    """Of exp(z - top)."""

    top: Array  # the largest, held constant and finite
    total: Array


def on_one_scale(part: Sum, axis_name: AxisName | None) -> Sum:
    """With the top of all devices, so that their totals can be added up."""
    top = devices.pmax(part.top, axis_name)
    return Sum(top, part.total * jnp.exp(part.top - top))


def largest(z: Array, axis: int) -> Array:
    """Held constant and finite."""
    top = lax.stop_gradient(jnp.max(z, axis, initial=-jnp.inf))
    return jnp.where(jnp.isfinite(top), top, 0)


def log_of_sum(total: Array, top: Array) -> Array:
    """The logarithm of a sum of exp(z - top), plus top; -inf of nothing, with slope 0."""
    nothing = total == 0
    return jnp.where(nothing, -jnp.inf, jnp.log(jnp.where(nothing, 1, total)) + top)


def log_sum_exp(z: Array, where: Array) -> Array:
    """By row, over the columns that count. The others are out before the exponential, so that it can't overflow."""
    z = jnp.where(where, z, -jnp.inf)
    top = largest(z, 1)
    return log_of_sum(jnp.sum(jnp.exp(z - top[:, None]), 1), top)
