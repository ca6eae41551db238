"""Losses of distances: pairs that belong together or don't, and triplets."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .._contract import inputs
from .._contract.checks import message, nan_unless, real
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
    distances = distances * (1 + poison + nan_unless(~jnp.isnan(jnp.asarray(margin)), distances.dtype))
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
    distances = distances * (1 + poison + nan_unless(~jnp.isnan(jnp.asarray(margin)), distances.dtype))
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


@jit
def triplet_margin_loss(
    anchors: ArrayLike,
    positives: ArrayLike,
    negatives: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    p: float = 2.0,
    swap: bool = False,
    axis: Axes = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""An anchor should lie nearer to its positive than to its negative, by a margin.

    .. math::
      \ell = \max(0, d(a, p) - d(a, n) + m)

    With ``swap``, :math:`\min(d(a, n), d(p, n))` instead of :math:`d(a, n)`: of anchor and positive, the one that is
    nearer to the negative.
    The distance is :math:`d(a, b) = \lVert a - b \rVert_p`. (PyTorch adds its ``eps`` of 1e-6 to every entry of
    :math:`a - b`; here nothing is added, and the gradient of a distance of 0 is 0.)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to learn an embedding from triplets; triplets that are right by the margin teach nothing, so choose hard
    ones. It has no noise model. A wrong triplet pulls with no more than 2 on its anchor (in the Euclidean norm),
    however far off it is.

    Args:
      anchors: floating point, any shape with ``axis``.
      positives: of the same shape; what the anchors belong to.
      negatives: of the same shape; what the anchors don't belong to.
      margin: at least 0, :math:`m`, in the units of the distances.
      p: the norm: a plain number of at least 1, or ``float("inf")``, where entries that are largest alike share the
        gradient.
      swap: whether the positive may stand in for the anchor.
      axis: the axis of the vectors, or a tuple of axes.

    Returns:
      The reduced loss, at least float32; per triplet, without ``axis``, with ``reduction="none"``.

    Source: Schroff et al., *FaceNet* (2015), arXiv:1503.03832; Balntas et al. 2016, doi:10.5244/C.30.119 (swap).

    Example:
      >>> anchors, positives, negatives = jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0]]), jnp.array([[0.0, 2.0]])
      >>> jaxloss.triplet_margin_loss(anchors, positives, negatives)
      Array(4., dtype=float32)
    """
    if isinstance(p, bool) or not isinstance(p, (int, float, np.number)) or not p >= 1:
        raise ValueError(message(f"p must be a plain number of at least 1, or inf, got {p!r}"))
    (anchors, positives, negatives), axes = inputs.vectors(
        mask, axis=axis, anchors=anchors, positives=positives, negatives=negatives
    )

    def distance(a: Array, b: Array) -> Array:
        return jnp.squeeze(norm.p_norm(a - b, float(p), axes), axes)

    losses = _triplet_hinge(anchors, positives, negatives, distance=distance, margin=margin, swap=swap)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def triplet_margin_with_distance_loss(
    anchors: ArrayLike,
    positives: ArrayLike,
    negatives: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    distance: Callable[..., Any] | None = None,
    margin: NonNegative = 1.0,
    swap: bool = False,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""An anchor should lie nearer to its positive than to its negative, in a distance of your own.

    .. math::
      \ell = \max(0, d(a, p) - d(a, n) + m)

    With ``swap``, :math:`\min(d(a, n), d(p, n))` instead of :math:`d(a, n)`: of anchor and positive, the one that is
    nearer to the negative.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it where `triplet_margin_loss` would do but for the distance: cosine, squared, hyperbolic. It has no noise
    model. How hard a wrong triplet pulls is up to the distance. What is masked never reaches it: it gets arbitrary
    vectors instead, no two the same.

    Args:
      anchors: floating point, ``[..., features]``; there may be several axes of features.
      positives: of the same shape; what the anchors belong to.
      negatives: of the same shape; what the anchors don't belong to.
      distance: a function of two arrays of the anchors' shape that gives one number for each example, without the axes
        of features. None is the Euclidean distance over the last axis. Define it once: each new function compiles anew.
      margin: at least 0, :math:`m`, in the units of the distance.
      swap: whether the positive may stand in for the anchor.

    Returns:
      The reduced loss, at least float32; per triplet, in the shape of the distances, with ``reduction="none"``.

    Source: Schroff et al., *FaceNet* (2015), arXiv:1503.03832; Balntas et al. 2016, doi:10.5244/C.30.119 (swap).

    Example:
      >>> def squared(a, b):
      ...     return jnp.sum((a - b) ** 2, -1)
      >>> anchors, positives, negatives = jnp.array([[0.0, 0.0]]), jnp.array([[3.0, 4.0]]), jnp.array([[0.0, 2.0]])
      >>> jaxloss.triplet_margin_with_distance_loss(anchors, positives, negatives, distance=squared)
      Array(22., dtype=float32)
    """
    triplet = inputs.elementwise(None, anchors=anchors, positives=positives, negatives=negatives)
    distance = _euclidean if distance is None else distance
    if not callable(distance):
        hint = "such as lambda a, b: jnp.sum((a - b) ** 2, -1), or None for the Euclidean distance"
        raise TypeError(message(f"distance must be a function of two arrays, {hint}, got {distance!r}"))
    axes = _feature_axes(distance, triplet[0])
    if mask is not None:
        exists = inputs.row_mask(mask, triplet[0], axes)
        triplet = [jnp.where(exists, x, _placeholder(x, place)) for place, x in enumerate(triplet, start=1)]
    losses = _triplet_hinge(*triplet, distance=distance, margin=margin, swap=swap)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _triplet_hinge(
    anchors: Array,
    positives: Array,
    negatives: Array,
    *,
    distance: Callable[[Array, Array], Array],
    margin: ArrayLike,
    swap: bool,
) -> Array:
    away = distance(anchors, negatives)
    if swap:
        away = jnp.minimum(away, distance(positives, negatives))
    return positive(distance(anchors, positives) - away + margin)


def _euclidean(a: Array, b: Array) -> Array:
    return jnp.squeeze(norm.euclidean(a - b, (a.ndim - 1,)), -1)


def _feature_axes(distance: Callable[[Array, Array], Array], x: Array) -> tuple[int, ...]:
    """The axes that a distance takes away, which must be the last ones."""
    result = jax.eval_shape(distance, x, x)
    if x.ndim and getattr(result, "shape", None) == x.shape:
        says = f"distance must give one number for each example, of shape {x.shape[:-1]}, got shape {x.shape}"
        raise ValueError(message(f"{says}; sum over the features"))
    if not hasattr(result, "shape") or not real(result) or result.shape != x.shape[: len(result.shape)]:
        got = f"{result.dtype} of shape {result.shape}" if hasattr(result, "shape") else f"{result}"
        raise ValueError(
            message(
                f"distance must give a floating point number for each example, of a shape that anchors' shape, "
                f"{x.shape}, begins with, got {got}"
            )
        )
    return tuple(range(len(result.shape), x.ndim))


def _placeholder(x: Array, place: int) -> Array:
    """Vectors that are nobody's: small, and neither equal nor parallel for different places."""
    size = math.prod(x.shape[-1:])
    rising = lax.broadcasted_iota(x.dtype, x.shape[-1:], 0) / max(size, 1) if x.ndim else jnp.zeros((), x.dtype)
    return jnp.broadcast_to((place + rising**place) / (8 * max(size, 1)), x.shape)
