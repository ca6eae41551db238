"""Labels of steps, each of which depends on the one before."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import devices, inputs
from .._contract.arrays import array, iota
from .._contract.checks import nan_where
from .._contract.jit import jit_over_classes
from .._contract.messages import message
from .._contract.reduction import reduce
from .._contract.shapes import exactly, full_mask, unsharded
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.derivatives import at_least, difference
from . import lengths as of_sequences
from .lattice import log_sum, shifted_in


_REPRESENTABLE = 64.0  # exponents up to which products of exponentials neither over- nor underflow
_NEVER = -1e30  # instead of -inf, where 0 times it must be 0


@jit_over_classes
def crf_nll_loss(
    logits: ArrayLike,
    transitions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Negative log-likelihood of labels under a linear chain: a conditional random field.

    .. math::
      \ell = \log \sum_{\pi} e^{s(\pi)} - s(y), \qquad
      s(\pi) = a_{\pi_1} + \sum_t z_{t, \pi_t} + \sum_{t > 1} A_{\pi_{t - 1}, \pi_t} + b_{\pi_T}

    with the transitions :math:`A` and the scores of start and end, :math:`a` and :math:`b`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is a sequence: losses, ``weights`` and ``mask`` have the shape of the leading axes. ``lengths`` say how
    many of its steps exist; what lies beyond may hold anything, and no step at all costs 0. A transition or a logit of
    ``-inf`` is impossible; labels that need it cost infinity and have the gradient 0. A length or a label out of range
    makes its sequence NaN.

    Choose it to tag sequences whose tags depend on their neighbours, as parts of names do. Its noise model is the
    categorical distribution over whole sequences; without transitions it is the sum of `cross_entropy` over steps. The
    gradient of a logit is the probability of its tag, less 1 at the label: so ``one_hot(labels) + gradient`` of the
    sum is the posterior, whose largest entry decodes a step.

    Args:
      logits: scores of each tag, ``[..., steps, tags]``.
      transitions: ``[tags, tags]``; ``transitions[i, j]`` scores tag ``j`` after ``i``.
      labels: tags, ``[..., steps]``.
      start: ``[tags]``, scores of the first tag. None is 0.
      end: ``[tags]``, scores of the last. None is 0.
      lengths: integers ``[...]``, how many steps each sequence has. None is all.

    Returns:
      The reduced loss, at least float32; per sequence with ``reduction="none"``.

    Raises:
      ValueError: if ``transitions``, ``start`` or ``end`` don't fit the tags.
      TypeError: if labels or lengths aren't integers.

    Source: Lafferty et al., *Conditional random fields* (2001).

    Example:
      >>> logits = jnp.array([[[2.0, 0.0], [0.0, 0.0], [0.0, 2.0]]])
      >>> transitions = jnp.array([[0.0, 0.0], [-jnp.inf, 0.0]])
      >>> jaxloss.crf_nll_loss(logits, transitions, jnp.array([[0, 0, 1]]))
      Array(0.8200752, dtype=float32)
      >>> jaxloss.crf_nll_loss(logits, transitions, jnp.array([[1, 0, 0]]))
      Array(inf, dtype=float32)
    """
    z = inputs.floating("logits", logits)
    if z.ndim < 2:
        raise ValueError(message(f"logits must have shape [..., steps, tags], got {z.shape}"))
    steps, tags = z.shape[-2:]
    moves = _scores("transitions", transitions, (tags, tags), z)
    exists = full_mask(mask, z.shape[:-2])
    own = of_sequences.labels_of(labels, lengths, tags, exists, lengths_name="lengths", steps=steps)
    if steps == 0:
        losses = nan_where(~own.fit, jnp.sum(z, (-2, -1)))
        return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)
    z = unsharded(z, -2, -1)
    held = own.exist | ~own.fit[..., None]
    z = of_sequences.cleared(z, own.exist, own.fit)
    if start is not None:
        is_first = of_sequences.places(steps, z.ndim - 1)[..., None] == 0
        z = z + jnp.where(is_first, _scores("start", start, (tags,), z), 0)
    if end is not None:
        last = own.exist & ~of_sequences.upto(steps, own.lengths - 1)
        z = z + jnp.where(last[..., None], _scores("end", end, (tags,), z), 0)
    losses = _nll(z, moves, own.labels, held)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _scores(name: str, x: ArrayLike, shape: tuple[Any, ...], like: Array) -> Array:
    x = array(name, x)
    exactly(name, x, shape, f"shape {shape}, to fit the tags of logits")
    return inputs.narrow(name, x).astype(like.dtype)


def _nll(z: Array, moves: Array, labels: Array, exist: Array) -> Array:
    """All scores count from those of the labels, step by step: nothing large is subtracted from something large."""
    z, moves, labels, exist = devices.alike((z, moves, labels, exist))
    of_label = jnp.take_along_axis(z, labels[..., None], -1, mode="promise_in_bounds")
    of_move, allowed = _moves_of(moves, labels)
    both = exist & (of_sequences.places(exist.shape[-1], exist.ndim) > 0)
    far = jnp.any(difference(z, of_label) == jnp.inf, (-2, -1))  # also where the label is ruled out
    impossible = far | jnp.any(of_label == -jnp.inf, (-2, -1)) | jnp.any(both & ~allowed, -1)
    ruled_out = impossible[..., None, None]
    z = difference(jnp.where(ruled_out, 0, z), jnp.where(ruled_out, 0, of_label))

    reach = _range(moves, (-2, -1))

    @jax.checkpoint
    def step(alpha: Array, x: tuple[Array, Array, Array]) -> tuple[Array, None]:
        z, of_move, here = x
        near = jnp.all(_range(alpha, -1) + reach < _REPRESENTABLE)
        arrives = lax.cond(near, _by_products, _by_pairs, alpha, moves, of_move)
        return jnp.where(here[..., None], arrives + z, alpha), None

    first = jnp.where(exist[..., 0, None], z[..., 0, :], -jnp.inf)
    # Also the first step, at which nothing is done: one step less would be a size that can't be left open.
    xs = jnp.moveaxis(z, -2, 0), jnp.moveaxis(of_move, -1, 0), jnp.moveaxis(both, -1, 0)
    alpha, _ = lax.scan(step, first, xs)
    none = ~exist[..., 0]
    losses = jnp.where(none, 0, at_least(log_sum(jnp.where(none[..., None], 0, alpha), -1), 0))
    return jnp.where(impossible, jnp.inf, losses)


def _range(x: Array, axis: int | tuple[int, ...]) -> Array:
    """From the least to the largest number, of those that aren't -inf."""
    x = lax.stop_gradient(x)
    return jnp.max(x, axis) - jnp.min(jnp.where(x == -jnp.inf, jnp.inf, x), axis)


def _by_pairs(alpha: Array, moves: Array, of_move: Array) -> Array:
    moves = jnp.expand_dims(moves, tuple(range(alpha.ndim - 1)))
    return log_sum(alpha[..., :, None] + moves, -2) - of_move[..., None]


def _by_products(alpha: Array, moves: Array, of_move: Array) -> Array:
    """The same where no exponential of a sum underflows: one product with the exponentials of the moves.

    It is log1p of what comes beside the best tag of the step before, lest that drown it.
    """
    axis = alpha.ndim - 1
    place = jnp.expand_dims(lax.argmax(alpha, axis, jnp.int32), axis)
    best = (iota(alpha, axis) == place) & (alpha > -jnp.inf)
    top = jnp.sum(jnp.where(best, alpha, 0), -1, keepdims=True)
    most = lax.stop_gradient(jnp.max(moves))
    beside = jnp.matmul(
        jnp.where(best, 0, jnp.exp(alpha - top)), jnp.exp(moves - most), precision=lax.Precision.HIGHEST
    )
    of_best = jnp.matmul(best.astype(moves.dtype), jnp.maximum(moves, _NEVER), precision=lax.Precision.HIGHEST)
    follows = of_best > _NEVER
    some = follows | (beside > 0)
    alone = top + (most - of_move[..., None]) + jnp.log(jnp.where(follows | ~some, 1, beside))
    both = top + (of_best - of_move[..., None]) + jnp.log1p(beside / jnp.where(follows, jnp.exp(of_best - most), 1))
    return jnp.where(some, jnp.where(follows, both, alone), -jnp.inf)


def _moves_of(moves: Array, labels: Array) -> tuple[Array, Array]:
    """The scores of the labels' own transitions, 0 where there is none, and whether there is.

    By products with what is one-hot: a gather by sharded labels would not know its sharding.
    """
    ruled_out = moves == -jnp.inf
    tags = of_sequences.places(moves.shape[0], labels.ndim + 1)
    previous = shifted_in(labels, -1)[..., :-1]
    before, after = (previous[..., None] == tags).astype(moves.dtype), labels[..., None] == tags

    def picked(x: Array) -> Array:
        return jnp.sum(jnp.where(after, jnp.matmul(before, x, precision=lax.Precision.HIGHEST), 0), -1)

    return picked(jnp.where(ruled_out, 0, moves)), picked(ruled_out.astype(moves.dtype)) == 0
