"""Losses of pairs in a ranked list: the item of the higher label should have the higher score."""

from __future__ import annotations

from .._contract.jit import jit
from .._contract.types import Array, ArrayLike, AxisName, EachNonNegative, NonNegative, Reduction
from .._numerics.derivatives import positive
from .._numerics.elementary import softplus
from . import items, pairs
from .pairs import Call, LambdaWeights


@jit
def pairwise_logistic_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""RankNet's loss of a list: the logistic loss of its pairs.

    .. math::
      \ell = \frac{\sum_{(i, j) \in P} w_i \lambda_{ij} \log (1 + e^{s_j - s_i})}{\sum_{(i, j) \in P} w_i}

    with the pairs :math:`P` of a list in which :math:`y_i > y_j`, the weights of their better items,
    :math:`w_i`, and their lambda weights, :math:`\lambda_{ij}`, both 1 unless given.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    An element is a list, and its items are members: ``mask`` says which items exist, in the shape of ``scores``;
    ``weights`` say how much each list counts, in the shape that ``"none"`` returns. A masked item is in no pair, and no
    rank and no count knows of it: a padded list costs what the short one does. A list without a pair doesn't count. The
    mean is over lists, however long they are; with their numbers of pairs as ``weights``, it is over all pairs of the
    batch: ``jnp.sum(y[..., :, None] > y[..., None, :], (-1, -2))`` of ``y = jnp.where(mask, labels, jnp.nan)``.

    Lambda weights are held constant. With the gains :math:`G = 2^y - 1`, the ranks by score :math:`r` (1 is the best,
    equal scores by place), :math:`D(r) = 1 / \log_2 (1 + r)` and the number of items :math:`n` they are

    - ``"label_diff"``: :math:`|y_i - y_j|`;
    - ``"dcg"``: :math:`n |G_i - G_j| |D(r_i) - D(r_j)|`, LambdaRank's, with :math:`D = 0` beyond ``top_n``;
    - ``"dcg2"``: :math:`n |G_i - G_j| (D(d) - D(d + 1))` with :math:`d = |r_i - r_j|`, LambdaLoss', and where the worse
      rank is beyond ``top_n`` over :math:`1 - D` of that;
    - ``"ndcg"`` and ``"ndcg2"``: the same with :math:`G` over the list's DCG in the best order, up to ``top_n``.
      Only here labels may be 128 and more, of which the gains are no float32.

    Choose it to rank by pairs: smooth, convex, and a pair that is wrong pulls with 1 at most. What is called LambdaRank
    is ``lambda_weights="ndcg"``, which minds the top of the list; as published it sums over pairs, so give it the
    numbers of pairs as ``weights``, lest lists with few of them be the loudest. Its noise model is Bradley and Terry's,
    of which item of a pair is preferred. BPR is this loss of lists with labels of 0 and 1.

    Args:
      scores: ``[..., items]``, floating point, higher for what should come first.
      labels: relevance, the shape of ``scores``: finite numbers, of which the order counts; at least 0 for lambda
        weights of gains.
      item_weights: at least 0, ``[..., items]``: what a pair counts is that of its better item. None is 1 each.
      lambda_weights: how much a pair matters, see above. None is 1 each.
      top_n: at least 1, the ranks that count in lambda weights of gains. None is all.

    Returns:
      The reduced loss, at least float32; per list, the shape of ``scores`` without its last axis, with
      ``reduction="none"``.

    Raises:
      ValueError: if ``top_n`` is given without lambda weights of gains.

    Source: Burges et al., *Learning to rank using gradient descent* (2005), doi:10.1145/1102351.1102363; Burges et al.,
    *Learning to rank with nonsmooth cost functions* (2006); Wang et al., *The LambdaLoss framework for ranking metric
    optimization* (2018), doi:10.1145/3269206.3271784.

    Example:
      >>> scores, labels = jnp.array([[1.0, 2.0, 0.0]]), jnp.array([[2, 0, 1]])
      >>> jaxloss.pairwise_logistic_loss(scores, labels)
      Array(1.2511505, dtype=float32)
      >>> jaxloss.pairwise_logistic_loss(scores, labels, lambda_weights="ndcg")
      Array(0.7159466, dtype=float32)
    """
    call = Call(scores, labels, weights, mask, item_weights, lambda_weights, top_n, reduction, axis_name)
    return pairs.mean_over_pairs(call, lambda d, _: softplus(-d))


@jit
def pairwise_hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Hinge loss of the pairs of a list: the better item should lead by a margin.

    .. math::
      \ell = \frac{\sum_{(i, j) \in P} w_i \lambda_{ij} \max (0, m - (s_i - s_j))}{\sum_{(i, j) \in P} w_i}

    with the pairs :math:`P` of a list in which :math:`y_i > y_j`, the weights of their better items,
    :math:`w_i`, and their lambda weights, :math:`\lambda_{ij}`, both 1 unless given.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    `pairwise_logistic_loss` says what a list is, what mask and weights are of, and what the lambda weights are. A list
    without a pair doesn't count.

    Choose it where a pair that is right by the margin should pull no more: training is left with the pairs that are
    wrong, as a support vector machine for ranks. It has no noise model.

    Args:
      scores: ``[..., items]``, floating point, higher for what should come first.
      labels: relevance, the shape of ``scores``: finite numbers, of which the order counts; at least 0 for lambda
        weights of gains.
      margin: at least 0, by how much the better item should lead.
      item_weights: at least 0, ``[..., items]``: what a pair counts is that of its better item. None is 1 each.
      lambda_weights: how much a pair matters, see `pairwise_logistic_loss`. None is 1 each.
      top_n: at least 1, the ranks that count in lambda weights of gains. None is all.

    Returns:
      The reduced loss, at least float32; per list, the shape of ``scores`` without its last axis, with
      ``reduction="none"``.

    Raises:
      ValueError: if ``top_n`` is given without lambda weights of gains.

    Source: Herbrich et al., *Support vector learning for ordinal regression* (1999), doi:10.1049/cp:19991091.

    Example:
      >>> scores, labels = jnp.array([[1.0, 2.0, 0.0]]), jnp.array([[2, 0, 1]])
      >>> jaxloss.pairwise_hinge_loss(scores, labels)
      Array(1.6666666, dtype=float32)
    """
    call = Call(scores, labels, weights, mask, item_weights, lambda_weights, top_n, reduction, axis_name)
    return pairs.mean_over_pairs(call, lambda d, _: positive(margin - d))


@jit
def pairwise_soft_zero_one_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Smoothed share of the pairs of a list that are in the wrong order.

    .. math::
      \ell = \frac{\sum_{(i, j) \in P} w_i \lambda_{ij} \,\sigma(s_j - s_i)}{\sum_{(i, j) \in P} w_i}
      \qquad \sigma(z) = \frac{1}{1 + e^{-z}}

    with the pairs :math:`P` of a list in which :math:`y_i > y_j`, the weights of their better items,
    :math:`w_i`, and their lambda weights, :math:`\lambda_{ij}`, both 1 unless given.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    `pairwise_logistic_loss` says what a list is, what mask and weights are of, and what the lambda weights are. A list
    without a pair doesn't count.

    Choose it where labels are noisy: a pair that is hopelessly wrong costs 1 and pulls no more, so few such pairs don't
    rule the list, nor can training start from them. It has no noise model.

    Args:
      scores: ``[..., items]``, floating point, higher for what should come first.
      labels: relevance, the shape of ``scores``: finite numbers, of which the order counts; at least 0 for lambda
        weights of gains.
      item_weights: at least 0, ``[..., items]``: what a pair counts is that of its better item. None is 1 each.
      lambda_weights: how much a pair matters, see `pairwise_logistic_loss`. None is 1 each.
      top_n: at least 1, the ranks that count in lambda weights of gains. None is all.

    Returns:
      The reduced loss, at least float32; per list, the shape of ``scores`` without its last axis, with
      ``reduction="none"``.

    Raises:
      ValueError: if ``top_n`` is given without lambda weights of gains.

    Source: Nguyen and Sanner, *Algorithms for direct 0-1 loss optimization in binary classification* (2013), for pairs.

    Example:
      >>> scores, labels = jnp.array([[1.0, 2.0, 0.0]]), jnp.array([[2, 0, 1]])
      >>> jaxloss.pairwise_soft_zero_one_loss(scores, labels)
      Array(0.6269323, dtype=float32)
    """
    call = Call(scores, labels, weights, mask, item_weights, lambda_weights, top_n, reduction, axis_name)
    return pairs.mean_over_pairs(call, lambda d, _: items.sigmoid(-d))
