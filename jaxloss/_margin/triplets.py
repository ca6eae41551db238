"""Triplets: an anchor should lie nearer to its positive than to its negative, by a margin."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .._contract import inputs
from .._contract.arrays import real
from .._contract.jit import jit
from .._contract.messages import message
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, Axes, AxisName, NonNegative, Reduction
from .._numerics import norm
from .._numerics.derivatives import positive


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

    with the distance :math:`d(a, b) = \lVert a - b \rVert_p`. (PyTorch adds its ``eps`` of 1e-6 to every entry of
    :math:`a - b`; here nothing is added, and the gradient of a distance of 0 is 0.) With ``swap``,
    :math:`\min(d(a, n), d(p, n))` instead of :math:`d(a, n)`: of anchor and positive, the one that is nearer to the
    negative.

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
