"""Losses of pairs in a ranked list: the difference of their scores should be that of their labels."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from .._contract.jit import jit
from .._contract.types import Array, ArrayLike, AxisName, EachNonNegative, Proportion, Reduction
from .._numerics.derivatives import difference, positive, square, times
from . import items, pairs
from .items import Lists
from .pairs import Call, LambdaWeights


@jit
def pairwise_mse_loss(
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
    r"""Squared error of the differences of scores in a list, against those of labels.

    .. math::
      \ell = \frac{\sum_{i, j} w_i \lambda_{ij} \left( (y_i - y_j) - (s_i - s_j) \right)^2}{\sum_{i, j} w_i}

    over all ordered pairs of items that exist, each with itself included: rax's divisor, the squared number of items.
    Without item and lambda weights it is twice the variance of :math:`y - s`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    `pairwise_logistic_loss` says what a list is, what mask and weights are of, and what the lambda weights are. Here a
    pair need not differ in labels, and a list counts if it has an item.

    Choose it where differences of labels have a size that scores should match, but for an offset of each list. Its
    noise model is the Gaussian distribution of those differences.

    Args:
      scores: ``[..., items]``, floating point, higher for what should come first.
      labels: relevance, the shape of ``scores``: finite numbers; at least 0 for lambda weights of gains.
      item_weights: at least 0, ``[..., items]``: what a pair counts is that of its first item. None is 1 each.
      lambda_weights: how much a pair matters, see `pairwise_logistic_loss`. None is 1 each.
      top_n: at least 1, the ranks that count in lambda weights of gains. None is all.

    Returns:
      The reduced loss, at least float32; per list, the shape of ``scores`` without its last axis, with
      ``reduction="none"``.

    Raises:
      ValueError: if ``top_n`` is given without lambda weights of gains.

    Source: Jagerman et al., *Rax: composable learning-to-rank using JAX* (2022), doi:10.1145/3534678.3539065.

    Example:
      >>> jaxloss.pairwise_mse_loss(jnp.array([[1.0, 2.0, 0.0]]), jnp.array([[2.0, 0.0, 1.0]]))
      Array(4., dtype=float32)
    """
    call = Call(scores, labels, weights, mask, item_weights, lambda_weights, top_n, reduction, axis_name)
    if item_weights is not None or lambda_weights is not None:
        return pairs.mean_over_pairs(call, lambda d, t: square(t - d), every=True)
    given = pairs.lists(call)
    counts = jnp.any(given.exists, -1)
    return items.reduced(2 * _variance(given), counts, given, weights, reduction, axis_name)


@jit
def pairwise_quantile_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    quantile: Proportion = 0.5,
    squared: bool = False,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Quantile loss of the differences of scores in a list, against those of labels.

    .. math::
      \ell = \frac{\sum_{(i, j) \in P} w_i \lambda_{ij} \left( q \max(0, e_{ij})^k
        + (1 - q) \max(0, -e_{ij})^k \right)}{\sum_{(i, j) \in P} w_i},
      \qquad e_{ij} = (y_i - y_j) - (s_i - s_j)

    with the pairs :math:`P` of a list in which :math:`y_i > y_j`, the weights of their better items,
    :math:`w_i`, and their lambda weights, :math:`\lambda_{ij}`, both 1 unless given. The power :math:`k`
    is 1, or 2 if ``squared``.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    `pairwise_logistic_loss` says what a list is, what mask and weights are of, and what the lambda weights are. A list
    without a pair doesn't count.

    Choose it where differences of labels have a size that scores should match, and one kind of error is worse: a
    quantile near 1 charges leads that are too small. Its noise model is the asymmetric Laplace distribution.

    Args:
      scores: ``[..., items]``, floating point, higher for what should come first.
      labels: relevance, the shape of ``scores``: finite numbers, of which the order counts; at least 0 for lambda
        weights of gains.
      quantile: in [0, 1], the price of a lead that is too small; one that is too large costs the rest.
      squared: expectiles, of squared errors.
      item_weights: at least 0, ``[..., items]``: what a pair counts is that of its better item. None is 1 each.
      lambda_weights: how much a pair matters, see `pairwise_logistic_loss`. None is 1 each.
      top_n: at least 1, the ranks that count in lambda weights of gains. None is all.

    Returns:
      The reduced loss, at least float32; per list, the shape of ``scores`` without its last axis, with
      ``reduction="none"``.

    Raises:
      ValueError: if ``top_n`` is given without lambda weights of gains.

    Source: Jagerman et al., *Rax: composable learning-to-rank using JAX* (2022), doi:10.1145/3534678.3539065; Koenker
    and Bassett, *Regression quantiles* (1978), doi:10.2307/1913643.

    Example:
      >>> jaxloss.pairwise_quantile_loss(jnp.array([[1.0, 2.0, 0.0]]), jnp.array([[2.0, 0.0, 1.0]]), quantile=0.75)
      Array(1.5, dtype=float32)
    """
    call = Call(scores, labels, weights, mask, item_weights, lambda_weights, top_n, reduction, axis_name)

    def cost(d: Array, t: Array) -> Array:
        under, over = positive(t - d), positive(d - t)
        if squared:
            under, over = square(under), square(over)
        return times(quantile, under) + times(1 - quantile, over)

    return pairs.mean_over_pairs(call, cost)


def _variance(given: Lists) -> Array:
    """Of labels less scores. Both are first taken from their largest, which an offset that they share doesn't round."""
    exists = given.exists
    y, s = (difference(x, _largest(x, exists)) for x in (given.labels, given.scores))
    error = jnp.where(exists, difference(y, s), 0)
    count = jnp.maximum(jnp.sum(exists, -1, keepdims=True, dtype=error.dtype), 1)
    mean = jnp.sum(error, -1, keepdims=True) / count
    squares = jnp.where(exists, square(difference(error, mean)), 0)
    return jnp.sum(squares, -1) / jnp.squeeze(count, -1)


def _largest(x: Array, exists: Array) -> Array:
    top = jnp.max(jnp.where(exists, lax.stop_gradient(x), -jnp.inf), -1, keepdims=True, initial=-jnp.inf)
    return jnp.where(jnp.any(exists, -1, keepdims=True), top, 0)
