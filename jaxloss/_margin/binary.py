"""Losses of a margin between two classes."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp

from .._contract import inputs
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.derivatives import above_zero, positive, times, unbounded, with_partials
from .._numerics.elementary import sigmoid, softplus


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
    (scores,) = inputs.elementwise(mask, scores=scores)
    signs, poison = inputs.signs(mask, labels, scores.shape, scores.dtype, "scores")
    losses = _hinge(scores, signs + poison)
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
    (scores,) = inputs.elementwise(mask, scores=scores)
    signs, poison = inputs.signs(mask, labels, scores.shape, scores.dtype, "scores")
    losses = _squared_hinge(scores, signs + poison)
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
    (scores,) = inputs.elementwise(mask, scores=scores)
    signs, poison = inputs.signs(mask, labels, scores.shape, scores.dtype, "scores")
    losses = _soft_margin(scores, signs + poison)
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
    (scores,) = inputs.elementwise(mask, scores=scores)
    signs, poison = inputs.signs(mask, labels, scores.shape, scores.dtype, "scores")
    losses = _perceptron(scores, signs + poison)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _of_margin(value: Callable[[Array], Array], slope: Callable[[Array], Array]) -> Callable[[Array, Array], Array]:
    """A function of the margin ``y s``, from its value and its derivative there."""
    by_score, by_sign = lambda s, y: y * slope(y * s), lambda s, y: times(slope(y * s), s)
    return with_partials(unbounded(by_score), unbounded(by_sign))(lambda s, y: value(y * s))


_hinge = _of_margin(lambda m: positive(1 - m), lambda m: -above_zero(1 - m))
_squared_hinge = _of_margin(lambda m: jnp.square(positive(1 - m)), lambda m: -2 * positive(1 - m))
_soft_margin = _of_margin(lambda m: softplus(-m), lambda m: -sigmoid(-m))
_perceptron = _of_margin(lambda m: positive(-m), lambda m: -above_zero(-m))
