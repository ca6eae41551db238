"""Barron's family of losses."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from .._contract import inputs
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, EachPositive, EachShape, Reduction
from .._numerics.derivatives import absolute, clip_to_finite, quotient, unbounded, with_partials
from .._numerics.special import cauchy, cauchy_by_b, exprel, exprel_slope


@jit
def general_robust_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: EachShape,
    scale: EachPositive = 1.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Barron's family of losses, from squared error to indifference to outliers, by one number.

    .. math::
      \ell = \frac{|\alpha - 2|}{\alpha} \left( \left( \frac{x^2}{|\alpha - 2|} + 1 \right)^{\alpha / 2} - 1 \right)
      \qquad x = \frac{p - y}{s}

    and its limits: half the square at :math:`\alpha = 2`, :math:`\log(\tfrac{1}{2} x^2 + 1)` (Cauchy) at 0, :math:`1 -
    e^{-x^2 / 2}` (Welsch) at :math:`-\infty`. In between lie the pseudo-Huber loss (1) and that of Geman and McClure
    (-2).

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when you don't know how heavy the tails are: sweep over ``alpha``, or anneal it downwards. An outlier
    pulls like :math:`|x|^{\alpha - 1}` and so, below 1, the less the farther it lies. Its noise model, for
    :math:`\alpha \ge 0`, is the generalized distribution of the paper, whose normalizer is not part of the loss: to
    learn ``alpha`` or ``scale`` along with the model, add it, or they run away.

    The value and all derivatives are right at and near 0, 2 and :math:`-\infty`, but at exactly 2 the derivative in
    ``alpha`` itself diverges, like :math:`-\tfrac{1}{4} x^2 \log|\alpha - 2|`. There it is taken as at a distance of
    one rounding error from 2: large, but finite.

    Args:
      predictions: floating point, any shape.
      labels: numbers of the predictions' shape.
      alpha: the shape: any number, or -inf. A scalar, or the predictions' rank with each dimension equal or 1.
      scale: above 0, the error at which an outlier begins, in the units of the labels. Shapes as ``alpha``.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Barron, *A general and adaptive robust loss function* (2019), arXiv:1701.03077.

    Example:
      >>> alphas = jnp.array([2.0, 1.0, 0.0, -2.0, -jnp.inf])
      >>> jaxloss.general_robust_loss(jnp.full(5, 4.0), jnp.zeros(5), alpha=alphas, reduction="none")
      Array([8.        , 3.1231055 , 2.1972246 , 1.6       , 0.99966455], dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    alpha = inputs.parameter("alpha", alpha, "[-inf, inf)", mask, predictions)
    scale = inputs.parameter("scale", scale, "(0, inf)", mask, predictions)
    losses = _barron(quotient(predictions - labels, scale), alpha)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


class _Shape(NamedTuple):
    """What the losses of Barron's family are made of."""

    alpha: Array  # finite
    width: Array  # |alpha - 2|, above 0
    side: Array  # the sign of alpha - 2
    log: Array  # width / 2 * log1p(x^2 / width)
    power: Array  # (1 + x^2 / width) ** (alpha / 2 - 1)


def _shape(x: Array, alpha: Array) -> _Shape:
    eps = jnp.finfo(x.dtype).eps
    alpha = jnp.maximum(alpha, -(eps**-2))  # as good as -inf
    width = jnp.maximum(absolute(alpha - 2), eps)
    side = jnp.where(alpha < 2, -1, 1).astype(x.dtype)
    log = cauchy(x, width)
    return _Shape(alpha, width, side, log, jnp.where(alpha == 2, 1, jnp.exp(side * log)))


def _barron_slope(x: Array, alpha: Array) -> Array:
    x = clip_to_finite(x)
    far = jnp.abs(x) > 1e6  # where the power alone may underflow
    _, _, side, log, power = _shape(x, alpha)
    logs = side * log + jnp.log(jnp.where(far, jnp.abs(x), 1))
    return jnp.where(far & (alpha != 2), jnp.sign(x) * jnp.exp(logs), x * power)


def _barron_by_alpha(x: Array, alpha: Array) -> Array:
    value = _barron(x, alpha)
    x = clip_to_finite(x)
    alpha, width, side, log, power = _shape(x, alpha)
    far = jnp.abs(alpha - 2) >= 0.5
    t = jnp.where(far, alpha / width * log, 0)
    whole = 2 * log / width
    by_width, large = cauchy_by_b(x, width), jnp.maximum(t, 30)
    # Where the exponential is all of exprel_slope it is taken out, lest infinity be subtracted from infinity.
    apart = by_width - 0.5 * jnp.square(whole / large) * (large - 1)
    near_t = jnp.exp(jnp.minimum(t, 30)) * by_width - 0.5 * whole * whole * exprel_slope(jnp.minimum(t, 30))
    away = side * jnp.where(t > 30, jnp.exp(t) * apart, near_t)
    square = x * power * x
    near = (width * power + square) * log / width - 0.5 * square - value + side * jnp.expm1(side * log)
    slope = jnp.where(far, away, near / jnp.where(far, 1, alpha))
    return jnp.where(jnp.isinf(value), value, slope)


@with_partials(unbounded(_barron_slope), unbounded(_barron_by_alpha))
def _barron(x: Array, alpha: Array) -> Array:
    """From ``log``: a limit at 0 is one of exprel, and near 2 the square comes first and the rest is a correction."""
    infinite, x = jnp.isinf(x) & (alpha >= 0), clip_to_finite(x)
    alpha, width, side, log, power = _shape(x, alpha)
    far = log * exprel(alpha / width * log)
    near = (x * power * x + width * jnp.expm1(side * log)) / jnp.clip(alpha, 1.5, 2.5)
    return jnp.where(infinite, jnp.inf, jnp.where(jnp.abs(alpha - 2) < 0.5, near, far))
