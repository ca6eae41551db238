"""Losses that charge errors above and below differently."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import inputs
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, EachNonNegative, EachProportion, Reduction
from .._numerics.derivatives import square, times, unbounded, with_partials
from .._numerics.elementary import smooth_l1


@jit
def quantile_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    quantile: EachProportion = 0.5,
    huber_delta: EachNonNegative | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Pinball loss: absolute error that charges the two sides differently.

    .. math::
      \ell = \begin{cases} \tau (y - p) & p \le y \\ (1 - \tau) (p - y) & p > y \end{cases}

    With ``huber_delta``, the quantile Huber loss: :math:`|p - y|` gives way to `smooth_l1_loss`. (rlax multiplies it by
    the threshold.)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for intervals instead of points: the best constant is the :math:`\tau`-quantile of the labels, so two of
    them bound an interval. Its noise model is the asymmetric Laplace distribution. An outlier pulls with :math:`\tau`
    or :math:`1 - \tau`, however far it lies. At the median it is half of `l1_loss`.

    Args:
      predictions: floating point, any shape.
      labels: numbers of the predictions' shape.
      quantile: in [0, 1], :math:`\tau`. A scalar, or the predictions' rank with each dimension equal or 1: predictions
        ``[..., quantiles]`` take ``quantile`` of shape ``[1, ..., quantiles]`` and the labels broadcast by
        ``jnp.broadcast_to(labels[..., None], predictions.shape)``.
      huber_delta: at least 0, the error below which the loss is quadratic, in the units of the labels; 0 or None:
        nowhere.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Koenker and Bassett, *Regression quantiles* (1978), doi:10.2307/1913643; Dabney et al. 2018,
    arXiv:1710.10044 (Huber).

    Example:
      >>> predictions, labels = jnp.zeros((2, 3)), jnp.array([2.0, -2.0])
      >>> labels = jnp.broadcast_to(labels[..., None], predictions.shape)
      >>> jaxloss.quantile_loss(predictions, labels, quantile=jnp.array([[0.1, 0.5, 0.9]]), reduction="none")
      Array([[0.2, 1. , 1.8],
             [1.8, 1. , 0.2]], dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    quantile = inputs.parameter("quantile", quantile, "[0, 1]", mask, predictions)
    error = predictions - labels
    if huber_delta is None:
        losses = _pinball(error, quantile)
    else:
        huber_delta = inputs.parameter("huber_delta", huber_delta, "[0, inf)", mask, predictions)
        losses = times(_asymmetric(error, quantile), smooth_l1(error, huber_delta))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def expectile_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    expectile: EachProportion = 0.5,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Squared error that charges the two sides differently.

    .. math::
      \ell = \begin{cases} \tau (y - p)^2 & p \le y \\ (1 - \tau) (p - y)^2 & p > y \end{cases}

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it where `quantile_loss` would do but must be smooth, as for the values of implicit Q-learning: the best
    constant is the :math:`\tau`-expectile, which is to the mean what the quantile is to the median. Its noise model is
    the asymmetric Gaussian. The gradient grows with the error without bound, so an outlier pulls as hard as it likes.
    At 0.5 it is half of `mse_loss`.

    Args:
      predictions: floating point, any shape.
      labels: numbers of the predictions' shape.
      expectile: in [0, 1], :math:`\tau`. A scalar, or the predictions' rank with each dimension equal or 1.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Newey and Powell, *Asymmetric least squares estimation and testing* (1987), doi:10.2307/1911031.

    Example:
      >>> jaxloss.expectile_loss(jnp.zeros(2), jnp.array([2.0, -2.0]), expectile=0.75, reduction="none")
      Array([3., 1.], dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    expectile = inputs.parameter("expectile", expectile, "[0, 1]", mask, predictions)
    error = predictions - labels
    losses = times(_asymmetric(error, expectile), square(error))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@with_partials(
    lambda error, share: _asymmetric(error, share) * jnp.sign(error), unbounded(lambda error, share: -error + 0 * share)
)
def _pinball(error: Array, share: Array) -> Array:
    return times(_asymmetric(error, share), jnp.abs(error))


def _asymmetric(error: Array, share: Array) -> Array:
    return jnp.where(error > 0, 1 - share, share)
