"""Losses of a margin between the classes that are targets and those that aren't."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from .._contract import classes, inputs
from .._contract.arrays import array, iota, real
from .._contract.checks import nan_unless, nan_with_any, nearest, report, rounding, within
from .._contract.jit import jit, jit_over_classes
from .._contract.messages import message
from .._contract.reduction import reduce
from .._contract.shapes import along, unsharded
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._contract.weights import weight_each
from .._numerics.derivatives import above_zero, positive, score_gap, times
from .._numerics.logistic import binary_nll
from .._numerics.pairs import summed_over_pairs


@jit_over_classes
def multilabel_margin_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Hinge loss of many labels at once: every target against every other class.

    .. math::
      \ell = \frac{1}{C} \sum_{t \in T} \sum_{c \notin T} \max(0, 1 - s_t + s_c)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to rank the classes that apply above those that don't, where `multilabel_soft_margin_loss` would ask of
    each class by itself. It has no noise model. A wrong target pulls with no more than 1, however far off it is; an
    example without targets costs nothing. Time grows with the square of the number of classes, memory doesn't.

    Args:
      scores: ``[..., classes]``, floating point, the class axis at ``axis``.
      labels: of the scores' shape: along ``axis`` the indices of the targets, ended by the first -1, what follows must
        lie in range but takes no part; one that is listed twice counts twice. Or bool: which classes are targets.
      axis: the class axis.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Elisseeff and Weston, *A kernel method for multi-labelled classification* (2001), NIPS.

    Example:
      >>> scores = jnp.array([[0.1, 0.2, 0.4, 0.8]])
      >>> jaxloss.multilabel_margin_loss(scores, jnp.array([[3, 0, -1, -1]]))
      Array(0.85, dtype=float32)
      >>> jaxloss.multilabel_margin_loss(scores, jnp.array([[True, False, False, True]]))
      Array(0.85, dtype=float32)
    """
    scores, copies, poison = _targets(mask, scores, labels, axis)
    losses = _pairwise_hinge(scores, copies, poison)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def multilabel_soft_margin_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Binary cross entropy of many labels at once, averaged over the classes.

    .. math::
      \ell = -\frac{1}{C} \sum_c w_c \left( y_c \log \sigma(s_c) + (1 - y_c) \log \sigma(-s_c) \right)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it where any number of classes may apply and an example should count as one, with its own weight and mask;
    `binary_cross_entropy_with_logits` does the same with a weight and a mask for each class. Its noise model is the
    Bernoulli distribution, class by class. A wrong label pulls with no more than :math:`w_c / C`.

    Args:
      scores: logits, ``[..., classes]``, the class axis at ``axis``.
      labels: numbers in [0, 1] of the scores' shape.
      axis: the class axis.
      class_weights: ``[classes]``, multiply the terms of the sum, which is divided by the number of classes all the
        same.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Nam et al., *Large-scale multi-label text classification* (2014), arXiv:1312.5419.

    Example:
      >>> scores, labels = jnp.array([[0.0, 3.0], [-2.0, 0.0]]), jnp.array([[1, 1], [0, 1]])
      >>> jaxloss.multilabel_soft_margin_loss(scores, labels, reduction="none")
      Array([0.3708672, 0.4100376], dtype=float32)
    """
    axis = classes.axis_of(axis, "scores", inputs.floating("scores", scores))
    given = labels
    (scores, labels), _ = inputs.vectors(mask, axis=axis, scores=scores, labels=labels)
    fits = within(labels, "[0, 1]", rounding(given, scores.dtype))
    report("labels", labels, fits, "lie in [0, 1]")
    labels = nearest(labels, "[0, 1]")
    poison = nan_unless(jnp.all(fits, axis, keepdims=True), labels.dtype) + nan_with_any(scores, axis)
    terms = binary_nll(scores + poison, labels + poison)
    if class_weights is not None:
        by_class = weight_each(class_weights, scores.shape[axis]).astype(terms.dtype)
        terms = times(along(by_class, terms.ndim, axis), terms)
    losses = jnp.mean(terms, axis)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _targets(mask: ArrayLike | None, scores: ArrayLike, labels: ArrayLike, axis: int) -> tuple[Array, Array, Array]:
    """Scores, how often each class is a target, and 0 for each row, NaN where a label is no class; classes last."""
    axis = classes.axis_of(axis, "scores", inputs.floating("scores", scores))
    labels = array("labels", labels)
    if real(labels):
        hint = "the indices of the targets, ended by -1, or bool"
        raise TypeError(message(f"labels must be integers, {hint}, got {labels.dtype}"))
    (scores, listed), _ = inputs.vectors(mask, axis=axis, scores=scores, labels=labels)
    scores, listed = (jnp.moveaxis(unsharded(x, axis), axis, -1) for x in (scores, listed))
    poison = nan_with_any(scores, -1)
    if labels.dtype == jnp.bool_:
        return scores, listed, poison
    count = scores.shape[-1]
    fits = (listed >= -1) & (listed < count)
    report("labels", labels, jnp.moveaxis(fits, -1, axis), f"lie in [-1, {count})")
    index = listed.astype(jnp.int32)
    target = jnp.cumsum(index == -1, -1, dtype=jnp.int32) == 0
    place = iota(index, index.ndim - 1)

    def hit(place: Array, index: Array, target: Array) -> Array:
        return ((index == place) & target).astype(scores.dtype)

    poison += nan_unless(jnp.all(fits, -1, keepdims=True), scores.dtype)
    return scores, summed_over_pairs(hit, (place,), (index, target), index.ndim - 1), poison


@jax.custom_jvp
def _pairwise_hinge(scores: Array, copies: Array, poison: Array) -> Array:
    of_targets = _summed(scores, copies, positive)
    return jnp.sum(of_targets, -1) / scores.shape[-1] + jnp.sum(poison, -1)


@_pairwise_hinge.defjvp
def _(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    scores, copies, poison = primals
    pull = _summed(scores, copies, above_zero, of_targets=False) - _summed(scores, copies, above_zero)
    slope = pull / scores.shape[-1] + poison
    return _pairwise_hinge(scores, copies, poison), jnp.sum(slope * tangents[0], -1)


def _summed(scores: Array, copies: Array, of_excess: Callable[[Array], Array], *, of_targets: bool = True) -> Array:
    """For each target, or for each other class, the sum over its pairs, by how much they fall short of the margin."""

    def pair(target: Array, its_copies: Array, other: Array, no_copies: Array) -> Array:
        is_pair = (its_copies > 0) & (no_copies == 0)
        return jnp.where(is_pair, its_copies * of_excess(1 + score_gap(other, target)), 0)

    def turned(other: Array, no_copies: Array, target: Array, its_copies: Array) -> Array:
        return pair(target, its_copies, other, no_copies)

    both = scores, copies
    return summed_over_pairs(pair if of_targets else turned, both, both, scores.ndim - 1)
