"""Items of a list against all others of it: a block of rows at a time, so that items x items is never held."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import chunks
from .._contract.chunks import Chunks
from .._contract.messages import choice, message, whole_number
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.derivatives import clip_to_finite, difference, quotient, times
from . import items
from .items import Lists


LambdaWeights: TypeAlias = Literal["label_diff", "dcg", "ndcg", "dcg2", "ndcg2"]
_BLOCK = 2**17  # numbers, of rows x items in all lists
_MANY = 2**32  # likewise, where XLA never writes them
_ROWS = 16  # of a block, where it isn't known how many items or lists there are


def by_rows(of_block: Callable[..., Any], *rows: Array) -> Any:
    """``of_block(*some rows) -> numbers by row`` over all items, computed again on the way back.

    Rows are ``[..., items]``, in a block ``[rows, ..., 1]``: there ``columns(x)`` meets them, and sums over the last
    axis leave ``[rows, ...]``.
    """
    rows = tuple(jnp.moveaxis(x, -1, 0) for x in rows)
    few = _plan(rows[0], _BLOCK)
    if isinstance(few.count, int) and few.count <= 1:
        found = of_block(*(x[..., None] for x in rows))
        return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), found)

    def blocks(plan: Chunks, *rows: Array) -> Any:
        block = jax.checkpoint(lambda rows: of_block(*rows), prevent_cse=False)
        found = lax.map(block, tuple(chunks.cut_rows(x, plan)[..., None] for x in rows))
        return jax.tree.map(lambda x: chunks.joined_rows(x, plan), found)

    # XLA for TPUs adds pairs up as it makes them: many at once hold no more than few, and wait less.
    many = _plan(rows[0], _MANY)
    found = lax.platform_dependent(*rows, tpu=functools.partial(blocks, many), default=functools.partial(blocks, few))
    return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), found)


def _plan(lead: Array, numbers: int) -> Chunks:
    count, width = lead.shape[0], math.prod(lead.shape)
    if not (isinstance(count, int) and isinstance(width, int)):  # exported for any number of them
        return Chunks(1, count, (count + _ROWS - 1) // _ROWS, _ROWS)
    blocks = -(-count // max(1, numbers // max(1, width)))
    return Chunks(1, count, blocks, -(-count // max(1, blocks)))


def columns(x: Array) -> Array:
    return x[None]


class Call(NamedTuple):
    """What all losses of pairs take."""

    scores: ArrayLike
    labels: ArrayLike
    weights: ArrayLike | None
    mask: ArrayLike | None
    item_weights: ArrayLike | None
    lambda_weights: LambdaWeights | None
    top_n: int | None
    reduction: Reduction
    axis_name: AxisName | None


def lists(call: Call) -> Lists:
    """The way in."""
    kind = call.lambda_weights
    choice("lambda_weights", kind, *get_args(LambdaWeights), None)
    if call.top_n is not None:
        whole_number("top_n", call.top_n, 1)
        if not _of_gains(kind):
            raise ValueError(
                message(f"lambda_weights must be 'dcg', 'ndcg', 'dcg2' or 'ndcg2' with top_n, got {kind!r}")
            )
    interval = "[0, inf)" if _of_gains(kind) else "(-inf, inf)"
    return items.lists(call.scores, call.labels, call.mask, interval, call.item_weights)


def mean_over_pairs(call: Call, cost: Callable[[Array, Array], Array], *, every: bool = False) -> Array:
    """Of each list the mean of ``cost(difference of scores, of labels)``, reduced.

    Over the pairs whose first item has the higher label; or, with `every`, over all.
    """
    given = lists(call)
    s, y, exists = given.scores, given.labels, given.exists
    held, of_pair = _lambdas(given, call.lambda_weights, call.top_n)

    def block(s_i: Array, y_i: Array, exists_i: Array, *held_i: Array) -> tuple[Array, Array]:
        gap = y_i - columns(y)
        pair = exists_i & columns(exists) & (True if every else y_i > columns(y))
        costs = cost(difference(s_i, columns(s)), gap)
        if of_pair is not None:
            lambdas = clip_to_finite(lax.stop_gradient(of_pair(held_i, [*map(columns, held)])))
            costs = times(lambdas, costs)
        return jnp.sum(jnp.where(pair, costs, 0), -1), jnp.sum(pair, -1, dtype=s.dtype)

    total, pairs = (jnp.sum(items.weighted(given, x), -1) for x in by_rows(block, s, y, exists, *held))
    nothing = pairs == 0
    losses = jnp.where(nothing, 0, quotient(total, jnp.where(nothing, 1, pairs)))
    return items.reduced(losses, ~nothing, given, call.weights, call.reduction, call.axis_name)


# --- lambda weights --------------------------------------------------------------------------------------------------


def _of_gains(kind: LambdaWeights | None) -> bool:
    return kind is not None and kind != "label_diff"


def _lambdas(given: Lists, kind: LambdaWeights | None, top_n: int | None) -> tuple[list[Array], Any]:
    """Of each item what weights of pairs are made of, and how: of those of the one and of the other."""
    if kind is None:
        return [], None
    if kind == "label_diff":
        return [given.labels], lambda one, other: jnp.abs(one[0] - other[0])
    gains = items.gains(given, kind[0] == "n", top_n)
    gains = gains * jnp.sum(given.exists, -1, keepdims=True, dtype=gains.dtype)
    ranks = items.ranks(given.scores, given.exists)
    if not kind.endswith("2"):
        held = [gains, items.discount(ranks, top_n)]
        return held, lambda one, other: times(jnp.abs(one[1] - other[1]), jnp.abs(one[0] - other[0]))

    def apart(one: list[Array], other: list[Array]) -> Array:
        distance = jnp.abs(one[1] - other[1])
        step = items.discount(jnp.maximum(distance, 1)) - items.discount(distance + 1)
        if top_n is not None:
            far = jnp.maximum(one[1], other[1])
            step *= jnp.where(far > top_n, 1 / (1 - items.discount(jnp.maximum(far, 2))), 1)
        return times(step, jnp.abs(one[0] - other[0]))

    return [gains, ranks], apart
