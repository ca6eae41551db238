"""Negative log-likelihoods of a number under a predicted distribution."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import inputs
from .._contract.checks import nan_where
from .._contract.jit import jit
from .._contract.messages import message
from .._contract.reduction import reduce
from .._contract.types import (
    Array,
    ArrayLike,
    AxisName,
    EachNonNegative,
    EachNumber,
    EachPositive,
    Positive,
    Proportion,
    Reduction,
)
from .._numerics.derivatives import (
    absolute,
    at_least,
    clip_to_finite,
    quotient,
    squarable,
    times,
    unbounded,
    with_partials,
)
from .._numerics.softmax import row_max, shifted
from .._numerics.special import HALF_LOG_2_PI, cauchy, log1p_deficit, stirling_error


@jit
def gaussian_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    variance: EachNonNegative,
    full: bool = False,
    eps: Positive = 1e-6,
    beta: Proportion | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Negative log-likelihood of a Gaussian with a variance for each element.

    .. math::
      \ell = \tfrac{1}{2} \left( \log v + \frac{(p - y)^2}{v} \right) \qquad v = \max(\text{variance}, \varepsilon)

    The gradient of the variance is taken as if it were :math:`v`, so one below ``eps`` still learns, as in PyTorch.
    With ``beta``, each loss is multiplied by :math:`v^\beta`, which is held constant: at 1 the gradient in the
    predictions is half that of `mse_loss` whatever the variance, at 0 that of the likelihood.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to learn how sure a prediction is. Its noise model is the Gaussian. An outlier pulls with :math:`(p - y) /
    v`, without bound, and inflates the variance; `student_t_nll_loss` bears it better. Where the variance shrinks
    faster than the error, training stalls: try ``beta=0.5``.

    Args:
      predictions: the means; floating point, any shape.
      labels: numbers of the predictions' shape.
      variance: at least 0 (a variance, not a standard deviation or logarithm). A scalar, or the predictions' rank with
        each dimension equal or 1.
      full: whether to add the constant :math:`\tfrac{1}{2} \log 2\pi`, so that the loss is minus the log-density.
      eps: above 0, bounds the variance from below.
      beta: in [0, 1], the strength of the weighting by variance. None: no weighting.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Nix and Weigend, *Estimating the mean and variance of the target probability distribution* (1994),
    doi:10.1109/ICNN.1994.374138; Seitzer et al. 2022, arXiv:2203.09168 (``beta``).

    Example:
      >>> variance = jnp.array([1.0, 4.0])
      >>> jaxloss.gaussian_nll_loss(jnp.zeros(2), jnp.array([0.0, 2.0]), variance=variance, reduction="none")
      Array([0.       , 1.1931472], dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    variance = inputs.parameter("variance", variance, "[0, inf)", mask, predictions)
    variance = at_least(variance, eps)
    losses = _gaussian_nll(predictions - labels, variance)
    if full:
        losses = losses + HALF_LOG_2_PI
    if beta is not None:
        losses = losses * lax.stop_gradient(variance) ** beta
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def laplace_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: EachPositive,
    full: bool = False,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Negative log-likelihood of a Laplace distribution with a scale for each element.

    .. math::
      \ell = \log s + \frac{|p - y|}{s}

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to learn how sure a prediction is where labels have outliers: `l1_loss` with a learned scale. Its noise
    model is the Laplace distribution. An outlier pulls with :math:`1 / s`, however far it lies.

    Args:
      predictions: the medians; floating point, any shape.
      labels: numbers of the predictions' shape.
      scale: above 0, the mean absolute deviation. A scalar, or the predictions' rank with each dimension equal or 1.
      full: whether to add the constant :math:`\log 2`, so that the loss is minus the log-density.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Laplace, *Mémoire sur la probabilité des causes par les évènements* (1774).

    Example:
      >>> jaxloss.laplace_nll_loss(jnp.zeros(2), jnp.array([0.0, 2.0]), scale=jnp.array([1.0, 2.0]), reduction="none")
      Array([0.       , 1.6931472], dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    scale = inputs.parameter("scale", scale, "(0, inf)", mask, predictions)
    losses = jnp.log(scale) + quotient(absolute(predictions - labels), scale)
    if full:
        losses = losses + math.log(2)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def student_t_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: EachPositive,
    df: EachPositive,
    full: bool = False,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Negative log-likelihood of Student's t distribution with a scale for each element.

    .. math::
      \ell = \log s + \frac{\nu + 1}{2} \log \left( 1 + \frac{(p - y)^2}{\nu s^2} \right)
      + \log \Gamma(\tfrac{\nu}{2}) - \log \Gamma(\tfrac{\nu + 1}{2}) + \tfrac{1}{2} \log \tfrac{\nu}{2}

    Its limit for large :math:`\nu` is `gaussian_nll_loss` with the variance :math:`s^2`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for labels with gross outliers: beyond about :math:`s \sqrt{\nu}` one pulls the less the farther it lies,
    with :math:`(\nu + 1) / |p - y|`. Its noise model is Student's t. Fix ``df`` between 2 and 5, or learn it too.

    Args:
      predictions: the medians; floating point, any shape.
      labels: numbers of the predictions' shape.
      scale: above 0, in the units of the labels. A scalar, or the predictions' rank with each dimension equal or 1.
      df: above 0, the degrees of freedom :math:`\nu`; 1 is the Cauchy distribution. Shapes as ``scale``.
      full: whether to add the constant :math:`\tfrac{1}{2} \log 2\pi`, so that the loss is minus the log-density.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Lange et al., *Robust statistical modeling using the t distribution* (1989),
    doi:10.1080/01621459.1989.10478852.

    Example:
      >>> jaxloss.student_t_nll_loss(jnp.zeros(2), jnp.array([1.0, 1e6]), scale=1.0, df=1.0, reduction="none")
      Array([ 0.91893846, 27.856813  ], dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    scale = inputs.parameter("scale", scale, "(0, inf)", mask, predictions)
    df = inputs.parameter("df", df, "(0, inf)", mask, predictions)
    rare = 1 / df
    tail = times(1 + rare, cauchy(quotient(predictions - labels, scale), df))
    losses = jnp.log(scale) + tail + 0.5 * log1p_deficit(rare) + stirling_error(2 / df) - stirling_error(2 / (df + 1))
    if full:
        losses = losses + HALF_LOG_2_PI
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def gaussian_mixture_nll_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    means: EachNumber,
    scales: EachPositive,
    full: bool = False,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Negative log-likelihood of a mixture of Gaussians: the loss of mixture density networks.

    .. math::
      \ell = -\log \sum_k \pi_k \frac{1}{s_k} \exp \left( -\frac{(m_k - y)^2}{2 s_k^2} \right)
      \qquad \pi = \mathrm{softmax}(z)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when one input has several right answers, whose mean would be none of them. Its noise model is a mixture
    of Gaussians. An outlier pulls on the component that explains it best, with :math:`(m_k - y) / s_k^2`, without
    bound. The likelihood itself is unbounded: a component may collapse onto one label, so bound ``scales`` from below.

    Args:
      logits: of the components' shares, ``[..., components]``; floating point.
      labels: numbers of the logits' shape without the last axis.
      means: of the components. A scalar, or the logits' rank with each dimension equal or 1.
      scales: above 0, the components' standard deviations. Shapes as ``means``.
      full: whether to add the constant :math:`\tfrac{1}{2} \log 2\pi`, so that the loss is minus the log-density.

    Returns:
      The reduced loss, at least float32; in the labels' shape with ``reduction="none"``.

    Source: Bishop, *Mixture density networks* (1994), Aston University NCRG/94/004.

    Example:
      >>> logits, means = jnp.zeros((1, 2)), jnp.array([[-1.0, 1.0]])
      >>> jaxloss.gaussian_mixture_nll_loss(logits, jnp.array([1.0]), means=means, scales=1e-20)
      Array(-45.358555, dtype=float32)
    """
    logits, labels, axis = inputs.members(mask, axis=-1, logits=logits, labels=labels)
    if logits.shape[axis] == 0:
        raise ValueError(message(f"logits must have at least one component, got shape {logits.shape}"))
    exists = None if mask is None else inputs.row_mask(mask, logits, (axis,))
    means = inputs.parameter("means", means, "(-inf, inf)", exists, logits, "logits")
    scales = inputs.parameter("scales", scales, "(0, inf)", exists, logits, "logits")
    logits = shifted(logits, row_max(logits, axis))
    losses = _mixture_nll(logits, means - labels, jnp.broadcast_to(scales, logits.shape))
    if full:
        losses = losses + HALF_LOG_2_PI
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@with_partials(unbounded(lambda e, v: e / v), unbounded(lambda e, v: 0.5 * (1 / v - jnp.square(e / v))))
def _gaussian_nll(e: Array, v: Array) -> Array:
    return 0.5 * (jnp.log(v) + e * (e / v))


@jax.custom_jvp
def _mixture_nll(logits: Array, errors: Array, scales: Array) -> Array:
    return jax.nn.logsumexp(logits, -1) - jax.nn.logsumexp(_log_joint(logits, errors, scales), -1)


@_mixture_nll.defjvp
def _(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    """A component without a share comes first, so that 0 meets no infinite slope; and each slope in two factors."""
    logits, errors, scales = primals
    d_logits, d_errors, d_scales = tangents
    responsibilities = jax.nn.softmax(_log_joint(logits, errors, scales), -1)
    z = clip_to_finite(quotient(errors, scales))
    pull = quotient(responsibilities * z, scales)
    widen = quotient(responsibilities, scales) - pull * z
    (pull, by_pull), (widen, by_widen) = map(unbounded(jnp.asarray), (pull, widen))
    slopes = (jax.nn.softmax(logits, -1) - responsibilities) * d_logits
    slopes += pull * d_errors * by_pull + widen * d_scales * by_widen
    return _mixture_nll(*primals), jnp.sum(slopes, -1)


def _log_joint(logits: Array, errors: Array, scales: Array) -> Array:
    """With the logarithm of each component's density, finite however far away it is."""
    density = -0.5 * jnp.square(squarable(quotient(errors, scales))) - jnp.log(scales)
    unknown = jnp.isnan(density)
    return nan_where(unknown, logits + jnp.where(unknown, 0, density))
