"""Anchors against all others of their batch, or against references, which labels make positives and negatives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.sharding import PartitionSpec as P

from .._contract.arrays import array, real
from .._contract.messages import message
from .._contract.reduction import reduce, valid_reduction
from .._contract.shapes import broadcastable, exactly
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.products import product
from . import columns
from .columns import Side


class Call(NamedTuple):
    """What all of these losses take."""

    embeddings: ArrayLike
    labels: ArrayLike
    weights: ArrayLike | None
    mask: ArrayLike | None
    ref_embeddings: ArrayLike | None
    ref_labels: ArrayLike | None
    ref_mask: ArrayLike | None
    reduction: Reduction
    axis_name: AxisName | None


class Found(NamedTuple):
    """Of each anchor."""

    losses: Array
    terms: Array  # how many its loss is the mean of; 0 if it doesn't count


def sides(call: Call, normalize: bool) -> tuple[Side, Side]:
    """The anchors, and what they are compared with."""
    valid_reduction(call.reduction, call.axis_name)
    x = columns.embeddings("embeddings", call.embeddings)
    labels = _names("labels", call.labels, x, "embeddings")
    anchors = columns.side(x, call.mask, normalize, axis_name=call.axis_name, labels=labels)
    if call.ref_embeddings is None:
        for name in ("ref_labels", "ref_mask"):
            if getattr(call, name) is not None:
                raise ValueError(message(f"ref_embeddings must come with {name}, got None"))
        return anchors, columns.gathered(anchors, call.axis_name)
    if call.ref_labels is None:
        raise ValueError(message("ref_labels must come with ref_embeddings, got None"))
    x = columns.embeddings("ref_embeddings", call.ref_embeddings, x, "references")
    labels = _names("ref_labels", call.ref_labels, x, "ref_embeddings")
    wide = np.promote_types(labels.dtype, anchors.labels.dtype)
    refs = columns.side(x, call.ref_mask, normalize, name="ref_mask", in_batch=False, labels=labels.astype(wide))
    return anchors._replace(labels=anchors.labels.astype(wide)), columns.gathered(refs, None)


def _names(name: str, labels: ArrayLike, x: Array, of: str) -> Array:
    """Labels that may be any integers: only whether they are equal counts."""
    labels, rows = array(name, labels), x.shape[:1]
    if real(labels):
        hint = f"np.unique({name}, return_inverse=True)[1] numbers any names"
        raise TypeError(message(f"{name} must be integers of at most 32 bits, got {labels.dtype}; {hint}"))
    exactly(name, labels, rows, f"shape {rows}, one for each row of {of}")
    return labels.astype(jnp.int64 if labels.dtype.itemsize > 4 else jnp.int32)


def by_blocks(
    compared: Callable[[Array, Array], Array],
    of_block: Callable[[Array, Array, Array], Any],
    anchors: Side,
    others: Side,
    numbers: int = 1,
) -> Any:
    """``of_block(how they compare, which are positives, which negatives)`` for all anchors, a block at a time.

    A block has so many numbers for each anchor and column.
    """

    def block(_: None, rows: Side) -> tuple[None, Any]:
        meets = columns.others(rows, others)
        same = rows.labels[:, None] == others.labels[None]
        return None, of_block(compared(rows.vectors, others.vectors), meets & same, meets & ~same)

    return columns.by_blocks(block, anchors, others.place.shape[0] * numbers)[1]


def reduced(found: Found, call: Call) -> Array:
    """The mean over anchors, or over their terms."""
    weights: Any = lax.stop_gradient(found.terms).astype(found.losses.dtype)
    if call.weights is not None:
        weights *= broadcastable("weights", call.weights, found.losses.shape).astype(found.losses.dtype)
    return reduce(found.losses, weights, call.mask, reduction=call.reduction, axis_name=call.axis_name)


def mean_where(x: Array, where: Array) -> Array:
    """By row; 0 of nothing."""
    return jnp.sum(jnp.where(where, x, 0), 1) / count(where, x.dtype)


def count(where: Array, dtype: Any) -> Array:
    """By row, at least 1."""
    return jnp.maximum(jnp.sum(where, 1, dtype=dtype), 1)


def at_rows(x: Array, index: Array) -> Array:
    """Rows of what is in one place, spread as their indices are."""
    kind = jax.typeof(index).sharding
    return x.at[index].get(out_sharding=kind.update(spec=P(*kind.spec, None)) if {*kind.spec} - {None} else None)


def of_similarities(call: Call, loss: Callable[[Array, Array, Array], Found], normalize: bool) -> Array:
    rows, others = sides(call, normalize)
    return reduced(by_blocks(_similarities, loss, rows, others), call)


def _similarities(a: Array, b: Array) -> Array:
    return product(a, b, (1, 1))
