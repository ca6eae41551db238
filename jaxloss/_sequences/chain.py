"""Labels of steps, each of which depends on the one before."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import devices, inputs
from .._contract.checks import array, message, nan_where
from .._contract.jit import jit_over_classes
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.derivatives import at_least, difference
from . import lengths as of_sequences
from .lattice import log_sum


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

    Source: Lafferty et al., *Conditional random fields* (ICML 2001).

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
    exists = of_sequences.existing(mask, z.shape[:-2])
    own = of_sequences.labels_of(labels, lengths, tags, exists, lengths_name="lengths", steps=steps)
    if steps == 0:
        losses = jnp.sum(z, (-2, -1))
        return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)
    z = of_sequences.in_one_place(z, 2)
    held = own.exist | ~own.fit[..., None]
    z = nan_where(~own.fit[..., None, None], jnp.where(held[..., None], z, 0))
    if start is not None:
        z = z + jnp.where(_is_first(z), _scores("start", start, (tags,), z), 0)
    if end is not None:
        last = own.exist & ~of_sequences.upto(steps, own.lengths - 1)
        z = z + jnp.where(last[..., None], _lifted(_scores("end", end, (tags,), z), z), 0)
    losses = _nll(z, moves, own.labels, held)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _scores(name: str, x: ArrayLike, shape: tuple[Any, ...], like: Array) -> Array:
    x = array(name, x)
    if x.shape != shape:
        raise ValueError(message(f"{name} must have shape {shape}, to fit the tags of logits, got {x.shape}"))
    return inputs.narrow(name, x).astype(like.dtype)


def _lifted(x: Array, like: Array) -> Array:
    return jnp.expand_dims(x, tuple(range(like.ndim - x.ndim)))


def _is_first(z: Array) -> Array:
    shape = (1,) * (z.ndim - 2) + (z.shape[-2], 1)
    return lax.broadcasted_iota(jnp.int32, shape, z.ndim - 2) == 0


def _nll(z: Array, moves: Array, labels: Array, exist: Array) -> Array:
    """All scores count from those of the labels, step by step: nothing large is subtracted from something large."""
    z, moves, labels, exist = devices.alike((z, moves, labels, exist))
    of_label = jnp.take_along_axis(z, labels[..., None], -1, mode="promise_in_bounds")
    of_move, allowed = _moves_of(moves, labels)
    both = exist & (lax.broadcasted_iota(jnp.int32, (1,) * (exist.ndim - 1) + exist.shape[-1:], exist.ndim - 1) > 0)
    far = jnp.any(difference(z, of_label) == jnp.inf, (-2, -1))  # also where the label is ruled out
    impossible = far | jnp.any(of_label == -jnp.inf, (-2, -1)) | jnp.any(both & ~allowed, -1)
    ruled_out = impossible[..., None, None]
    z = difference(jnp.where(ruled_out, 0, z), jnp.where(ruled_out, 0, of_label))
    of_move = jnp.where(both, of_move, 0)

    @jax.checkpoint
    def step(alpha: Array, x: tuple[Array, Array, Array]) -> tuple[Array, None]:
        z, of_move, here = x
        pairs = alpha[..., :, None] + _lifted(moves, alpha[..., None])
        return jnp.where(here[..., None], log_sum(pairs, -2) + z - of_move[..., None], alpha), None

    first = jnp.where(exist[..., 0, None], z[..., 0, :], -jnp.inf)
    # Also the first step, at which nothing is done: one step less would be a size that can't be left open.
    xs = jnp.moveaxis(z, -2, 0), jnp.moveaxis(of_move, -1, 0), jnp.moveaxis(both, -1, 0)
    alpha, _ = lax.scan(step, first, xs)
    none = ~exist[..., 0]
    losses = jnp.where(none, 0, at_least(log_sum(jnp.where(none[..., None], 0, alpha), -1), 0))
    return jnp.where(impossible, jnp.inf, losses)


def _moves_of(moves: Array, labels: Array) -> tuple[Array, Array]:
    """The scores of the labels' own transitions, 0 where there is none, and whether there is.

    By products with what is one-hot: a gather by sharded labels would not know its sharding.
    """
    ruled_out = moves == -jnp.inf
    shape = (1,) * labels.ndim + moves.shape[:1]
    tags = lax.broadcasted_iota(jnp.int32, shape, labels.ndim)
    previous = jnp.pad(labels, [(0, 0)] * (labels.ndim - 1) + [(1, 0)], constant_values=-1)[..., :-1]
    before, after = (previous[..., None] == tags).astype(moves.dtype), labels[..., None] == tags

    def picked(x: Array) -> Array:
        return jnp.sum(jnp.where(after, jnp.matmul(before, x, precision=lax.Precision.HIGHEST), 0), -1)

    return picked(jnp.where(ruled_out, 0, moves)), picked(ruled_out.astype(moves.dtype)) == 0
