"""Pairs of embeddings that somebody labelled: together, or apart by a margin."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import inputs
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, Axes, AxisName, NonNegative, Reduction
from .._numerics import norm
from .._numerics.derivatives import positive, square


@jit
def contrastive_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    positive_margin: NonNegative = 0.0,
    axis: Axes = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Two embeddings should lie together, or else apart by a margin.

    .. math::
      \ell = \begin{cases}
        \max(0, d - m_+)^2 & y = 1 \\
        \max(0, m - d)^2 & y = -1
      \end{cases}
      \qquad d = \lVert a - b \rVert

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for pairs that somebody has labelled, as of signatures or duplicates; for batches with labels of classes
    `supcon_loss` or `batch_triplet_loss` find the pairs themselves. It has no noise model. The pull grows with the
    distance, so a wrong pair pulls as hard as it is far off. Pairs that are apart by the margin teach nothing; at a
    distance of 0 the gradient is 0.

    Args:
      embeddings_a: floating point, any shape with ``axis``.
      embeddings_b: of the same shape.
      labels: 1 or True together, -1 or False apart; in the shape of the embeddings without ``axis``.
      margin: at least 0, :math:`m`, in the units of the distance.
      positive_margin: at least 0, :math:`m_+`: how near is near enough.
      axis: the axis of the features, or a tuple of axes.

    Returns:
      The reduced loss, at least float32; per pair, without ``axis``, with ``reduction="none"``.

    Source: Hadsell et al., *Dimensionality reduction by learning an invariant mapping* (2006),
    doi:10.1109/CVPR.2006.100, without its factor of a half.

    Example:
      >>> a, b = jnp.array([[0.0, 0.0], [0.0, 0.0]]), jnp.array([[0.3, 0.4], [0.3, 0.4]])
      >>> jaxloss.contrastive_loss(a, b, jnp.array([1, -1]), margin=2.0, reduction="none")
      Array([0.25, 2.25], dtype=float32)
    """
    (a, b), axes = inputs.vectors(mask, axis=axis, embeddings_a=embeddings_a, embeddings_b=embeddings_b)
    distance = jnp.squeeze(norm.euclidean(a - b, axes), axes)
    signs, poison = inputs.signs(mask, labels, distance.shape, a.dtype, f"embeddings_a without axis {axis}")
    distance = inputs.spoiled(distance, poison + (margin + positive_margin))
    losses = jnp.where(signs > 0, square(positive(distance - positive_margin)), square(positive(margin - distance)))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)
