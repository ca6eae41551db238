"""Losses of pairs: two that belong together or don't, two scores of which one should be the larger."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import inputs
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, Axes, AxisName, Finite, NonNegative, Reduction
from .._numerics import norm
from .._numerics.derivatives import difference, positive, times


@jit
def hinge_embedding_loss(
    distances: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""The distance of what belongs together, and what lacks to a margin for what doesn't.

    .. math::
      \ell = \begin{cases} d & y = 1 \\ \max(0, m - d) & y = -1 \end{cases}

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to learn a distance from pairs that are known to be alike or not. It has no noise model. A wrong label
    pulls with 1: a pair wrongly called alike however far apart it is, one wrongly called unlike only within the margin.

    Args:
      distances: floating point, any shape.
      labels: 1 for pairs that belong together, -1 for others; or bool; of the shape of ``distances``. Anything else is
        out of range, 0 too.
      margin: at least 0, :math:`m`, the distance beyond which unlike pairs cost nothing.

    Returns:
      The reduced loss, at least float32; per element in the shape of ``distances`` with ``reduction="none"``.

    Source: Hadsell et al., *Dimensionality reduction by learning an invariant mapping* (2006),
    doi:10.1109/CVPR.2006.100 (there squared).

    Example:
      >>> jaxloss.hinge_embedding_loss(jnp.array([0.25, 0.25, 3.0]), jnp.array([1, -1, -1]), reduction="none")
      Array([0.25, 0.75, 0.  ], dtype=float32)
    """
    (distances,) = inputs.elementwise(mask, distances=distances)
    signs, poison = inputs.signs(mask, labels, distances.shape, distances.dtype, "distances")
    distances = distances * inputs.spoiled(1 + poison, jnp.asarray(margin))
    losses = jnp.where(signs > 0, distances, positive(margin - distances))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def cosine_embedding_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: Finite = 0.0,
    axis: Axes = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""The cosine distance of what belongs together, and the cosine above a margin of what doesn't.

    .. math::
      \ell = \begin{cases} 1 - \cos(a, b) & y = 1 \\ \max(0, \cos(a, b) - m) & y = -1 \end{cases}

    The cosine of a vector that is 0 is 0, without gradient.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for pairs that are known to be alike or not, where only directions count. It has no noise model. A wrong
    label pulls with no more than :math:`1 / \lVert a \rVert`, and hardly at all on vectors that point the same or
    opposite ways.

    Args:
      embeddings_a: floating point, any shape with ``axis``.
      embeddings_b: of the same shape.
      labels: 1 for pairs that belong together, -1 for others; or bool; of the shape without ``axis``. Anything else is
        out of range, 0 too.
      margin: :math:`m`, the cosine up to which unlike pairs cost nothing.
      axis: the axis of the vectors, or a tuple of axes.

    Returns:
      The reduced loss, at least float32; per pair, without ``axis``, with ``reduction="none"``.

    Source: Bromley et al., *Signature verification using a "Siamese" time delay neural network* (1993), NIPS.

    Example:
      >>> a, b = jnp.array([[1.0, 0.0], [1.0, 0.0]]), jnp.array([[0.0, 2.0], [2.0, 2.0]])
      >>> jaxloss.cosine_embedding_loss(a, b, jnp.array([1, -1]), reduction="none")
      Array([1.        , 0.70710677], dtype=float32)
    """
    (a, b), axes = inputs.vectors(mask, axis=axis, embeddings_a=embeddings_a, embeddings_b=embeddings_b)
    distances = jnp.squeeze(norm.one_minus_cosine(a, b, axes), axes)
    of = f"embeddings_a without axis {axis}"
    signs, poison = inputs.signs(mask, labels, distances.shape, distances.dtype, of)
    distances = distances * inputs.spoiled(1 + poison, jnp.asarray(margin))
    losses = jnp.where(signs > 0, distances, positive((1 - margin) - distances))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def margin_ranking_loss(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: Finite = 0.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""What lacks to a margin between two scores, of which one should be the larger.

    .. math::
      \ell = \max(0, -y (a - b) + m)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to learn scores from comparisons. With a margin of 0, scores that are all the same cost nothing. It has no
    noise model. A wrong label pulls the two apart with 1 each, however far apart they are.

    Args:
      scores_a: floating point, any shape.
      scores_b: of the same shape.
      labels: 1 where ``scores_a`` should be larger, -1 where ``scores_b`` should; or bool; of the same shape. Anything
        else is out of range, 0 too.
      margin: :math:`m`, in the units of the scores.

    Returns:
      The reduced loss, at least float32; per element in the shape of ``scores_a`` with ``reduction="none"``.

    Source: Joachims, *Optimizing search engines using clickthrough data* (2002), doi:10.1145/775047.775067.

    Example:
      >>> a, b = jnp.array([3.0, 3.0]), jnp.array([1.0, 1.0])
      >>> jaxloss.margin_ranking_loss(a, b, jnp.array([1, -1]), margin=0.5, reduction="none")
      Array([0. , 2.5], dtype=float32)
    """
    a, b = inputs.elementwise(mask, scores_a=scores_a, scores_b=scores_b)
    signs, poison = inputs.signs(mask, labels, a.shape, a.dtype, "scores_a")
    losses = positive(margin - times(signs + poison, difference(a, b)))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)
