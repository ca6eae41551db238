"""Metrics of ranked lists made smooth: the rank of an item is how many others seem to be above it."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract.arrays import iota
from .._contract.jit import jit
from .._contract.types import Array, ArrayLike, AxisName, Positive, Reduction
from .._numerics.derivatives import at_least, difference, reciprocal, times
from . import items, pairs
from .items import Lists


@jit
def approx_ndcg_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 1.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""One less a smooth NDCG: the gains of a list, discounted by smooth ranks, over those of the best order.

    .. math::
      \ell = 1 - \frac{\sum_i (2^{y_i} - 1) \, D(\tilde r_i)}{\sum_i (2^{y_i} - 1) \, D(r^*_i)},
      \qquad D(r) = \frac{1}{\log_2 (1 + r)}, \qquad
      \tilde r_i = 1 + \sum_{j \ne i} \sigma \left( \frac{s_j - s_i}{T} \right)

    with :math:`\sigma(z) = 1 / (1 + e^{-z})` and the ranks by label :math:`r^*`. It is 0 for a perfect order and 1 at
    most; rax and TF-Ranking return it less 1.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    An element is a list, and its items are members: ``mask`` says which items exist, in the shape of ``scores``;
    ``weights`` say how much each list counts, in the shape that ``"none"`` returns. A masked item has no rank and
    counts in no other's. A list without a label above 0 doesn't count.

    Choose it where the NDCG is the score, late in training: it is flat where scores lie far apart, and not convex. For
    gains of your own, :math:`g`, take labels of ``log2(1 + g)``. It has no noise model.

    Args:
      scores: ``[..., items]``, floating point, higher for what should come first.
      labels: grades, at least 0 and finite, the shape of ``scores``.
      temperature: above 0. Low ones come nearer to the NDCG, and have steeper and fewer slopes.

    Returns:
      The reduced loss, at least float32; per list, the shape of ``scores`` without its last axis, with
      ``reduction="none"``.

    Source: Qin et al., *A general approximation framework for direct optimization of information retrieval measures*
    (2010), doi:10.1007/s10791-009-9124-x.

    Example:
      >>> scores, labels = jnp.array([[1.0, 2.0, 0.0]]), jnp.array([[2, 0, 1]])
      >>> jaxloss.approx_ndcg_loss(scores, labels)
      Array(0.33005303, dtype=float32)
    """
    given = items.lists(scores, labels, mask, "[0, inf)")
    ranks = 1 + _above(given, temperature)
    losses = at_least(1 - jnp.sum(items.gains(given, True) * items.discount(ranks), -1), 0)
    counts = jnp.any(given.labels > 0, -1)
    return items.reduced(jnp.where(counts, losses, 0), counts, given, weights, reduction, axis_name)


@jit
def approx_mrr_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 1.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""One less a smooth reciprocal rank: that of the first relevant item of a list.

    .. math::
      \ell = 1 - \max_{i: y_i \ge 1} \frac{1}{\tilde r_i}, \qquad
      \tilde r_i = 1 + \sum_{j \ne i} \sigma \left( \frac{s_j - s_i}{T} \right)

    with :math:`\sigma(z) = 1 / (1 + e^{-z})`. It is 0 for a relevant item far above all others, and below 1; rax and
    TF-Ranking return it less 1.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    An element is a list, and its items are members: ``mask`` says which items exist, in the shape of ``scores``;
    ``weights`` say how much each list counts, in the shape that ``"none"`` returns. A masked item has no rank and
    counts in no other's. A list without a label of at least 1 doesn't count.

    Choose it where only the first hit counts, late in training: only the best of the relevant items learns, those that
    tie for it share the slope. It has no noise model.

    Args:
      scores: ``[..., items]``, floating point, higher for what should come first.
      labels: finite numbers, the shape of ``scores``; relevant from 1 on. Of grades pass what counts as a hit, say
        ``labels >= 3``.
      temperature: above 0. Low ones come nearer to the reciprocal rank, and have steeper and fewer slopes.

    Returns:
      The reduced loss, at least float32; per list, the shape of ``scores`` without its last axis, with
      ``reduction="none"``.

    Source: Qin et al., *A general approximation framework for direct optimization of information retrieval measures*
    (2010), doi:10.1007/s10791-009-9124-x.

    Example:
      >>> scores, labels = jnp.array([[1.0, 2.0, 0.0]]), jnp.array([[2, 0, 1]])
      >>> jaxloss.approx_mrr_loss(scores, labels)
      Array(0.5, dtype=float32)
    """
    given = items.lists(scores, labels, mask)
    relevant = given.exists & (given.labels >= 1)
    counts = jnp.any(relevant, -1)
    first = jnp.min(jnp.where(relevant, _above(given, temperature), jnp.inf), -1, initial=jnp.inf)
    first = jnp.where(counts, first, 0)
    return items.reduced(first / (1 + first), counts, given, weights, reduction, axis_name)


def _above(given: Lists, temperature: ArrayLike) -> Array:
    """How many other items seem to be above each one."""
    s, exists = given.scores, given.exists
    place = iota(s, s.ndim - 1)
    scale = reciprocal(jnp.asarray(temperature, s.dtype))

    def block(s_i: Array, place_i: Array) -> Array:
        others = pairs.columns(exists) & (pairs.columns(place) != place_i)
        return jnp.sum(jnp.where(others, items.sigmoid(times(scale, difference(pairs.columns(s), s_i))), 0), -1)

    return pairs.by_rows(block, s, place)
