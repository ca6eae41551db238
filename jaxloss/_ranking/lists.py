"""Losses of a whole list at once: a softmax over its items, or the likelihood of their order."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import classes
from .._contract.jit import jit
from .._contract.types import Array, ArrayLike, AxisName, EachNonNegative, Finite, Reduction
from .._contract.units import power_of_two
from .._numerics.derivatives import clip_to_finite, times
from .._numerics.nll import every_nll
from .._numerics.soft_nll import soft_nll
from .._numerics.softmax import row_max
from . import items, order
from .items import Lists


@jit
def ranking_softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Softmax cross entropy of a list: each item is drawn as often as its label says.

    .. math::
      \ell = -\sum_i y_i \log \frac{e^{s_i}}{\sum_j e^{s_j}}

    over the items that exist. The labels are not normalised: a list counts as often as they sum to.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    An element is a list, and its items are members: ``mask`` says which items exist, in the shape of ``scores``;
    ``weights`` say how much each list counts, in the shape that ``"none"`` returns. A masked item is in no sum, so a
    padded list costs what the short one does. A list without an item doesn't count.

    Choose it first: it is fast, smooth and convex, and bounds the NDCG and the reciprocal rank. With one relevant item
    it is `cross_entropy` over the list. ListNet's loss takes ``labels=jax.nn.softmax(labels, where=mask)``; weights of
    items multiply the labels. Its noise model is the categorical distribution.

    Args:
      scores: ``[..., items]``, floating point, higher for what should come first.
      labels: relevance, at least 0 and finite, the shape of ``scores``.

    Returns:
      The reduced loss, at least float32; per list, the shape of ``scores`` without its last axis, with
      ``reduction="none"``.

    Source: Cao et al., *Learning to rank: from pairwise approach to listwise approach* (2007),
    doi:10.1145/1273496.1273513.

    Example:
      >>> scores, labels = jnp.array([[1.0, 2.0, 0.0]]), jnp.array([[2, 0, 1]])
      >>> jaxloss.ranking_softmax_loss(scores, labels)
      Array(5.222818, dtype=float32)
    """
    given = items.lists(scores, labels, mask, "[0, inf)")
    losses, _ = _cross_entropy(given)
    return items.reduced(losses, jnp.any(given.exists, -1), given, weights, reduction, axis_name)


@jit
def poly1_softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon: Finite = 1.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Softmax cross entropy of a list with its first polynomial coefficient changed.

    .. math::
      \ell = -\sum_i y_i \log p_i + \varepsilon \left( 1 - \frac{\sum_i y_i p_i}{\sum_i y_i} \right)
      \qquad p = \mathrm{softmax}(s)

    over the items that exist; 0 where no label is above 0.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    `ranking_softmax_loss` says what a list is, and what mask and weights are of.

    Choose it as a cheap variation of `ranking_softmax_loss`: one number to tune, above 0 for more weight on items that
    are nearly first, below 0 for less. It has no noise model of its own.

    Args:
      scores: ``[..., items]``, floating point, higher for what should come first.
      labels: relevance, at least 0 and finite, the shape of ``scores``.
      epsilon: how much the first coefficient is changed by. 0 is `ranking_softmax_loss`.

    Returns:
      The reduced loss, at least float32; per list, the shape of ``scores`` without its last axis, with
      ``reduction="none"``.

    Source: Leng et al., *PolyLoss* (2022), arXiv:2204.12511.

    Example:
      >>> scores, labels = jnp.array([[1.0, 2.0, 0.0]]), jnp.array([[2, 0, 1]])
      >>> jaxloss.poly1_softmax_loss(scores, labels)
      Array(6.0296555, dtype=float32)
    """
    given = items.lists(scores, labels, mask, "[0, inf)")
    losses, nll = _cross_entropy(given)
    y = given.labels
    mass = jnp.sum(y, -1)
    missed = jnp.sum(times(y, -jnp.expm1(-nll)), -1) / jnp.where(mass == 0, 1, mass)
    losses = losses + epsilon * missed
    return items.reduced(losses, jnp.any(given.exists, -1), given, weights, reduction, axis_name)


@jit
def unique_softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    item_weights: EachNonNegative | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Softmax cross entropy of each item of a list against the items of lower labels.

    .. math::
      \ell = \sum_i w_i (2^{y_i} - 1) \log \Bigl( 1 + \sum_{j: y_j < y_i} e^{s_j - s_i} \Bigr)

    over the items that exist. Items of equal labels don't compete, and those of the lowest label cost nothing.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    `ranking_softmax_loss` says what a list is, and what mask and weights are of.

    Choose it where labels are grades: unlike under `ranking_softmax_loss`, a very good item need not push a good one
    down. It has no noise model.

    Args:
      scores: ``[..., items]``, floating point, higher for what should come first.
      labels: grades, at least 0 and finite, the shape of ``scores``.
      item_weights: at least 0, ``[..., items]``, of the item's term. None is 1 each.

    Returns:
      The reduced loss, at least float32; per list, the shape of ``scores`` without its last axis, with
      ``reduction="none"``.

    Source: Zhu and Klabjan, *Listwise learning to rank by exploring unique ratings* (2020), arXiv:2001.01828.

    Example:
      >>> scores, labels = jnp.array([[1.0, 2.0, 0.0]]), jnp.array([[2, 0, 1]])
      >>> jaxloss.unique_softmax_loss(scores, labels)
      Array(6.3497458, dtype=float32)
    """
    given = order.by_label(items.lists(scores, labels, mask, "[0, inf)", item_weights))
    gains = clip_to_finite(items.gains(given, False))
    terms = items.weighted(given, times(gains, order.against_lower(given, ties=False)))
    return items.reduced(jnp.sum(terms, -1), jnp.any(given.exists, -1), given, weights, reduction, axis_name)


@jit
def listmle_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Negative log-likelihood of the order of a list, as Plackett and Luce draw it: the best first.

    .. math::
      \ell = \sum_i \Bigl( \log \sum_{j: y_j \le y_i} e^{s_j} - s_i \Bigr)

    over the items that exist. Items of equal labels share a denominator, as in Breslow's likelihood of survival times:
    the loss doesn't depend on the order in which they are listed. To break ties at random, as some do, add noise to the
    labels: ``labels + 1e-6 * jax.random.uniform(key, labels.shape)``.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    `ranking_softmax_loss` says what a list is, and what mask and weights are of.

    Choose it where the whole order counts, and labels are ranks rather than grades: a list of three grades has no
    order within each. Its noise model is the Plackett-Luce distribution of orders.

    Args:
      scores: ``[..., items]``, floating point, higher for what should come first.
      labels: finite numbers, the shape of ``scores``, of which only the order counts.

    Returns:
      The reduced loss, at least float32; per list, the shape of ``scores`` without its last axis, with
      ``reduction="none"``.

    Source: Xia et al., *Listwise approach to learning to rank: theory and algorithm* (2008),
    doi:10.1145/1390156.1390306.

    Example:
      >>> scores, labels = jnp.array([[1.0, 2.0, 0.0]]), jnp.array([[2, 0, 1]])
      >>> jaxloss.listmle_loss(scores, labels)
      Array(3.534534, dtype=float32)
    """
    given = order.by_label(items.lists(scores, labels, mask))
    terms = items.weighted(given, order.against_lower(given, ties=True))
    return items.reduced(jnp.sum(terms, -1), jnp.any(given.exists, -1), given, weights, reduction, axis_name)


def _cross_entropy(given: Lists) -> tuple[Array, Array]:
    """Of each list the expected negative log-likelihood of its labels, and of each item its own."""
    axis = given.scores.ndim - 1
    if given.scores.shape[axis] == 0:  # of which there is no largest
        return jnp.sum(given.scores, axis), given.scores
    reads = classes.reads(given.scores, class_mask=given.exists if given.masked else None)
    top = row_max(reads.top, axis, masked=given.masked)
    unit = power_of_two(jnp.max(given.labels, axis, keepdims=True))  # in which no sum of labels overflows
    losses, log_normalizer = soft_nll(reads, top, given.labels / unit, axis)
    return jnp.squeeze(unit * losses, axis), every_nll(reads.scores, top, log_normalizer, axis)
