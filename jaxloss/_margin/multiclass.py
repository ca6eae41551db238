"""Losses of a margin between the label and the other classes."""

from __future__ import annotations

import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp

from .._contract import classes
from .._contract.checks import nan_with_any
from .._contract.jit import jit_over_classes
from .._contract.messages import choice
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, NonNegative, Reduction
from .._contract.weights import weigh
from .._numerics.derivatives import positive, score_gap, square


@jit_over_classes
def multiclass_hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Hinge loss of many classes, by the best of the wrong ones (Crammer and Singer).

    .. math::
      \ell = \max_c \left( s_c + [c \ne y] \right) - s_y

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for a classifier that stops learning from what it has right by a margin of 1. It has no noise model. A
    wrong label pulls its class up and the best other one down, with 1 each, however far apart they are; of several
    that are best, each gets its share. `multi_margin_loss` pulls on every class within the margin.

    Args:
      scores: ``[..., classes]``, floating point, the class axis at ``axis``. A score of ``-inf`` rules its class out.
      labels: class indices, the shape of ``scores`` without the class axis.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Crammer and Singer, *On the algorithmic implementation of multiclass kernel-based vector machines* (2001),
    JMLR 2:265-292.

    Example:
      >>> scores = jnp.array([[3.0, 0.0, 1.0], [3.0, 0.0, 2.5]])
      >>> jaxloss.multiclass_hinge_loss(scores, jnp.array([0, 2]), reduction="none")
      Array([0. , 1.5], dtype=float32)
    """
    scores, labels, poison, axis, mask, *_ = classes.labelled(
        mask, labels, scores=scores, axis=axis, only_integers=True
    )
    losses = positive(1 + _largest_lead(scores, labels, axis)) * _sound(scores, poison, axis)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit_over_classes
def multi_margin_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    p: Literal[1, 2] = 1,
    margin: NonNegative = 1.0,
    class_weights: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Hinge loss of many classes, summed over the wrong ones (Weston and Watkins).

    .. math::
      \ell = \frac{1}{C} \sum_{c \ne y} \max(0, m - s_y + s_c)^p

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for a classifier that stops learning from what it has right by a margin, where every class within the
    margin should learn, not only the best as in `multiclass_hinge_loss`. It has no noise model. A wrong label pulls
    with at most 1 for ``p=1``, however far off it is, and without bound for ``p=2``.

    Args:
      scores: ``[..., classes]``, floating point, the class axis at ``axis``. A score of ``-inf`` rules its class out.
      labels: class indices, the shape of ``scores`` without the class axis.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      p: the power, 1 or 2.
      margin: at least 0, :math:`m`, in the units of the scores.
      class_weights: ``[classes]``; an example counts with the weight of its label. The mean divides by these weights
        too (PyTorch's divides by the number of examples).

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Weston and Watkins, *Support vector machines for multi-class pattern recognition* (1999), ESANN.

    Example:
      >>> scores = jnp.array([[3.0, 0.0, 1.0], [3.0, 0.0, 2.5]])
      >>> jaxloss.multi_margin_loss(scores, jnp.array([0, 2]), reduction="none")
      Array([0. , 0.5], dtype=float32)
    """
    choice("p", p, 1, 2)
    scores, labels, poison, axis, mask, *_ = classes.labelled(
        mask, labels, scores=scores, axis=axis, only_integers=True
    )
    terms = positive(margin + _above_label(scores, labels, axis))
    losses = jnp.mean(terms if p == 1 else square(terms), axis)
    losses = losses * _sound(scores, poison, axis)
    weights = weigh(weights, class_weights, labels, mask, axis, scores)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit_over_classes
def multiclass_perceptron_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""How far the best class lies above the label.

    .. math::
      \ell = \max_c s_c - s_y

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to learn from mistakes alone, without a margin, as in structured prediction; classes that all score the
    same cost nothing and learn nothing. It has no noise model. A wrong label pulls its class up and the best one down,
    with 1 each, however far apart they are.

    Args:
      scores: ``[..., classes]``, floating point, the class axis at ``axis``. A score of ``-inf`` rules its class out.
      labels: class indices, the shape of ``scores`` without the class axis.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Collins, *Discriminative training methods for hidden Markov models* (2002), doi:10.3115/1118693.1118694.

    Example:
      >>> scores = jnp.array([[3.0, 0.0, 1.0], [3.0, 0.0, 2.5]])
      >>> jaxloss.multiclass_perceptron_loss(scores, jnp.array([0, 2]), reduction="none")
      Array([0. , 0.5], dtype=float32)
    """
    scores, labels, poison, axis, mask, *_ = classes.labelled(
        mask, labels, scores=scores, axis=axis, only_integers=True
    )
    losses = positive(_largest_lead(scores, labels, axis)) * _sound(scores, poison, axis)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _largest_lead(scores: Array, labels: Array, axis: int) -> Array:
    """How far the best other class lies above the label; infinitely far below where there is no other."""
    others = jnp.where(classes.is_label(scores, labels, axis), -jnp.inf, scores)
    best = jnp.max(others, axis, keepdims=True)
    return jnp.squeeze(score_gap(best, classes.at_label(scores, labels, axis)), axis)


@_largest_lead.defjvp
def _(axis: int, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    """In one sum over the classes, of which equal best ones share."""
    scores, labels = primals
    is_label = classes.is_label(scores, labels, axis)
    others = jnp.where(is_label, -jnp.inf, scores)
    is_best = (others == jnp.max(others, axis, keepdims=True)) & ~is_label
    share = 1 / jnp.maximum(jnp.sum(is_best, axis, keepdims=True, dtype=scores.dtype), 1)
    slope = jnp.where(is_label, -1, jnp.where(is_best, share, 0))
    return _largest_lead(*primals, axis), jnp.sum(slope * tangents[0], axis)


def _sound(scores: Array, poison: Array, axis: int) -> Array:
    """1 for each row; NaN where one of its scores or its label is bad, for all of its slopes."""
    return jnp.squeeze(1 + poison + nan_with_any(scores, axis), axis)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _above_label(scores: Array, labels: Array, axis: int) -> Array:
    """How far each class lies above the label; the label itself infinitely far below."""
    own = classes.at_label(scores, labels, axis)
    return jnp.where(classes.is_label(scores, labels, axis), -jnp.inf, score_gap(scores, own))


@_above_label.defjvp
def _(axis: int, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    (scores, labels), (d_scores, _) = primals, tangents
    is_label = classes.is_label(scores, labels, axis)
    own = jnp.sum(jnp.where(is_label, d_scores, 0), axis, keepdims=True)
    others = (~is_label).astype(scores.dtype)  # a factor, by which a slope of NaN stays one
    return _above_label(scores, labels, axis), others * (d_scores - own)
