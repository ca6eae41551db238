"""Losses that ask for a margin between the right answer and the others."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax

from . import _inputs
from ._checks import array, message, nan_unless, real, report, within
from ._classification import binary_nll, weigh_classes
from ._derivatives import above_zero, positive, times, with_partials
from ._jit import jit
from ._reduction import live, reduce
from ._special import sigmoid, softplus
from ._types import Array, ArrayLike, AxisName, NonNegative, Reduction


@jit
def hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Hinge loss of two classes, that of support vector machines.

    .. math::
      \ell = \max(0, 1 - y s)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for a classifier that stops learning from what it has right by a margin of 1; unlike
    `binary_cross_entropy_with_logits` it gives no probabilities and has no noise model. The gradient is -1 or 1 on the
    wrong side of the margin, so a wrong label pulls with 1 however far off it is, and forever. At the margin the
    gradient is 0.

    Args:
      scores: of the positive class, floating point, any shape; the decision is their sign.
      labels: -1 or 1, or bool, of the scores' shape. Anything else is out of range, 0 too.

    Returns:
      The reduced loss, at least float32; per element in the scores' shape with ``reduction="none"``.

    Source: Cortes and Vapnik, *Support-vector networks* (1995), doi:10.1007/BF00994018.

    Example:
      >>> jaxloss.hinge_loss(jnp.array([2.0, 0.25, 3.0]), jnp.array([1, 1, -1]), reduction="none")
      Array([0.  , 0.75, 4.  ], dtype=float32)
    """
    (scores,) = _inputs.elementwise(mask, scores=scores)
    signs, doubt = _inputs.signs(mask, labels, scores.shape, scores.dtype, "scores")
    losses = _hinge(scores, signs + doubt)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def squared_hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Square of the hinge loss.

    .. math::
      \ell = \max(0, 1 - y s)^2

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it instead of `hinge_loss` where the loss should be smooth and near misses should hardly count. It has no
    noise model. The gradient grows with the distance from the margin without bound, so a few wrong labels can own the
    fit.

    Args:
      scores: of the positive class, floating point, any shape; the decision is their sign.
      labels: -1 or 1, or bool, of the scores' shape. Anything else is out of range, 0 too.

    Returns:
      The reduced loss, at least float32; per element in the scores' shape with ``reduction="none"``.

    Source: Tang, *Deep learning using linear support vector machines* (2013), arXiv:1306.0239.

    Example:
      >>> jaxloss.squared_hinge_loss(jnp.array([2.0, 0.5, 3.0]), jnp.array([1, 1, -1]), reduction="none")
      Array([ 0.  ,  0.25, 16.  ], dtype=float32)
    """
    (scores,) = _inputs.elementwise(mask, scores=scores)
    signs, doubt = _inputs.signs(mask, labels, scores.shape, scores.dtype, "scores")
    losses = _squared_hinge(scores, signs + doubt)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def soft_margin_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Logistic loss for labels of -1 and 1.

    .. math::
      \ell = \log(1 + e^{-y s})

    The same as `binary_cross_entropy_with_logits` with the labels 0 and 1.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it where labels come as -1 and 1 and the scores are to be log-odds: its noise model is the Bernoulli
    distribution. A wrong label pulls with nearly 1 however sure the model is, no harder.

    Args:
      scores: of the positive class, floating point, any shape; the decision is their sign.
      labels: -1 or 1, or bool, of the scores' shape. Anything else is out of range, 0 too.

    Returns:
      The reduced loss, at least float32; per element in the scores' shape with ``reduction="none"``.

    Source: Friedman et al., *Additive logistic regression* (2000), doi:10.1214/aos/1016218223.

    Example:
      >>> jaxloss.soft_margin_loss(jnp.array([0.0, 20.0, -200.0]), jnp.array([1, 1, 1]), reduction="none")
      Array([6.9314718e-01, 2.0611537e-09, 2.0000000e+02], dtype=float32)
    """
    (scores,) = _inputs.elementwise(mask, scores=scores)
    signs, doubt = _inputs.signs(mask, labels, scores.shape, scores.dtype, "scores")
    losses = _soft_margin(scores, signs + doubt)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def perceptron_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""What a score is on the wrong side of 0: the loss of the perceptron.

    .. math::
      \ell = \max(0, -y s)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to learn from mistakes alone, without a margin; scores that are all 0 cost nothing and learn nothing, so
    mind how the model starts. It has no noise model. A wrong label pulls with 1 however far off it is.

    Args:
      scores: of the positive class, floating point, any shape; the decision is their sign.
      labels: -1 or 1, or bool, of the scores' shape. Anything else is out of range, 0 too.

    Returns:
      The reduced loss, at least float32; per element in the scores' shape with ``reduction="none"``.

    Source: Rosenblatt, *The perceptron* (1958), doi:10.1037/h0042519.

    Example:
      >>> jaxloss.perceptron_loss(jnp.array([2.0, 0.5, 3.0]), jnp.array([1, -1, -1]), reduction="none")
      Array([0. , 0.5, 3. ], dtype=float32)
    """
    (scores,) = _inputs.elementwise(mask, scores=scores)
    signs, doubt = _inputs.signs(mask, labels, scores.shape, scores.dtype, "scores")
    losses = _perceptron(scores, signs + doubt)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
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
    scores, labels, doubt, axis, mask, _ = _inputs.classes(mask, labels, scores=scores, axis=axis, only_integers=True)
    losses = positive(1 + jnp.max(_lead(scores, labels, doubt, axis), axis))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
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
    if p not in (1, 2):
        raise ValueError(message(f"p must be 1 or 2, got {p!r}"))
    scores, labels, doubt, axis, mask, _ = _inputs.classes(mask, labels, scores=scores, axis=axis, only_integers=True)
    terms = positive(margin + _lead(scores, labels, doubt, axis))
    losses = jnp.mean(terms if p == 1 else jnp.square(terms), axis)
    weights = weigh_classes(weights, class_weights, labels, mask, axis, losses, scores.shape[axis])
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
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
    scores, labels, doubt, axis, mask, _ = _inputs.classes(mask, labels, scores=scores, axis=axis, only_integers=True)
    losses = positive(jnp.max(_lead(scores, labels, doubt, axis), axis))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
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
    example without targets costs nothing. Time and memory grow with the square of the number of
    classes.

    Args:
      scores: ``[..., classes]``, floating point, the class axis at ``axis``.
      labels: of the scores' shape: along ``axis`` the indices of the targets, ended by the first -1, what follows being
        ignored; one that is listed twice counts twice. Or bool: which classes are targets.
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
    scores, copies, doubt = _targets(mask, scores, labels, axis)
    losses = _pairwise_hinge(scores, copies, doubt)
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
    axis = _inputs.class_axis(axis, "scores", _inputs.floating("scores", scores))
    (scores, labels), _ = _inputs.vectors(mask, axis=axis, scores=scores, labels=labels)
    fits = within(labels, "[0, 1]")
    report("labels", labels, fits, "lie in [0, 1]")
    labels = labels + nan_unless(jnp.all(fits, axis, keepdims=True), labels.dtype)
    terms = binary_nll(scores, labels, jnp.ones((), scores.dtype))
    if class_weights is not None:
        terms = times(_inputs.over_classes("class_weights", class_weights, scores, axis).astype(terms.dtype), terms)
    losses = jnp.mean(terms, axis)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _of_margin(value: Callable[[Array], Array], slope: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    """A function of the margin ``y s``, from its value and its derivative there."""
    by_score, by_sign = lambda s, y: y * slope(y * s), lambda s, y: times(slope(y * s), s)
    return with_partials(by_score, by_sign)(lambda s, y: value(y * s))


_hinge = _of_margin(lambda m: positive(1 - m), lambda m: -above_zero(1 - m))
_squared_hinge = _of_margin(lambda m: jnp.square(positive(1 - m)), lambda m: -2 * positive(1 - m))
_soft_margin = _of_margin(lambda m: softplus(-m), lambda m: -sigmoid(-m))
_perceptron = _of_margin(lambda m: positive(-m), lambda m: -above_zero(-m))


def _above(a: Array, b: Array) -> Array:
    """``a - b``: 0 for equal infinities, infinite where `b` is ruled out."""
    return jnp.where(b == -jnp.inf, jnp.inf, jnp.where(a == b, 0, a - b))


def _lead(scores: Array, labels: Array, doubt: Array, axis: int) -> Array:
    """How far each class lies above the label; the label itself infinitely far below."""
    return _above_label(scores * (1 + doubt), labels, axis) + doubt


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _above_label(scores: Array, labels: Array, axis: int) -> Array:
    own = _inputs.at(scores, labels, axis)
    return jnp.where(_inputs.is_label(scores, labels, axis), -jnp.inf, _above(scores, own))


@_above_label.defjvp
def _(axis: int, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    (scores, labels), (d_scores, _) = primals, tangents
    is_label = _inputs.is_label(scores, labels, axis)
    own = jnp.sum(jnp.where(is_label, d_scores, 0), axis, keepdims=True)
    return _above_label(scores, labels, axis), jnp.where(is_label, 0, d_scores - own)


def _targets(mask: ArrayLike | None, scores: ArrayLike, labels: ArrayLike, axis: int) -> tuple[Array, Array, Array]:
    """Scores, how often each class is a target, and 0 for each row, NaN where a label is no class; classes last."""
    axis = _inputs.class_axis(axis, "scores", _inputs.floating("scores", scores))
    labels = array("labels", labels)
    if real(labels):
        hint = "the indices of the targets, ended by -1, or bool"
        raise TypeError(message(f"labels must be integers, {hint}, got {labels.dtype}"))
    (scores, listed), _ = _inputs.vectors(mask, axis=axis, scores=scores, labels=labels)
    scores, listed = jnp.moveaxis(scores, axis, -1), jnp.moveaxis(listed, axis, -1)
    if labels.dtype == jnp.bool_:
        return scores, listed, jnp.zeros_like(scores[..., :1])
    count = scores.shape[-1]
    fits = (listed >= -1) & (listed < count)
    exists = True if mask is None else jnp.expand_dims(live(mask, scores.shape[:-1]), -1)
    report(
        "labels", labels, jnp.moveaxis(fits | ~jnp.broadcast_to(exists, fits.shape), -1, axis), f"lie in [-1, {count})"
    )
    index = listed.astype(jnp.int32)
    target = jnp.cumsum(index == -1, -1, dtype=jnp.int32) == 0
    classes = lax.broadcasted_iota(jnp.int32, index.shape, index.ndim - 1) + jnp.zeros_like(index)
    hits = (index[..., :, None] == classes[..., None, :]) & target[..., :, None]
    return scores, jnp.sum(hits, -2, dtype=scores.dtype), nan_unless(jnp.all(fits, -1, keepdims=True), scores.dtype)


@jax.custom_jvp
def _pairwise_hinge(scores: Array, copies: Array, doubt: Array) -> Array:
    pairs, excess = _pairs(scores, copies)
    return jnp.sum(jnp.where(pairs > 0, pairs * positive(excess), 0), (-2, -1)) / scores.shape[-1] + jnp.sum(doubt, -1)


@_pairwise_hinge.defjvp
def _(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    scores, copies, doubt = primals
    pairs, excess = _pairs(scores, copies)
    pull = jnp.where(pairs > 0, pairs * above_zero(excess), 0)
    slope = (jnp.sum(pull, -2) - jnp.sum(pull, -1)) / scores.shape[-1] + doubt
    return _pairwise_hinge(scores, copies, doubt), jnp.sum(slope * tangents[0], -1)


def _pairs(scores: Array, copies: Array) -> tuple[Array, Array]:
    """For each target and each class how often the two make a pair, and by how much that falls short of its margin."""
    pairs = copies[..., :, None] * (copies == 0).astype(copies.dtype)[..., None, :]
    return pairs, 1 + _above(scores[..., None, :], scores[..., :, None])
