"""Divergences between distributions that are given by their parameters: means and variances."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import inputs
from .._contract.checks import nan_unless
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, Axes, AxisName, EachNumber, Reduction
from .._numerics.derivatives import times, unbounded, with_partials
from .._numerics.special import exp_remainder


@jit
def gaussian_kl_divergence(
    mean: ArrayLike,
    log_variance: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    prior_mean: EachNumber = 0.0,
    prior_log_variance: EachNumber = 0.0,
    axis: Axes | None = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Kullback-Leibler divergence of a Gaussian with a diagonal covariance from a prior: the term of an autoencoder.

    .. math::
      \ell = \tfrac{1}{2} \sum_d \left( \log \sigma_{0d}^2 - \log \sigma_d^2
      + \frac{\sigma_d^2 + (\mu_d - \mu_{0d})^2}{\sigma_{0d}^2} - 1 \right)

    It is never negative, and 0 only where the two agree.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to keep an encoder's distribution near a prior, or one policy near another. Its gradient is
    :math:`(\mu - \mu_0) / \sigma_0^2` for the mean, in proportion to how far out it lies, and
    :math:`(\sigma^2 / \sigma_0^2 - 1) / 2` for the log-variance.

    Args:
      mean: the means :math:`\mu`, floating point, any shape with ``axis``.
      log_variance: logarithms of the variances (not of standard deviations), of the shape of ``mean``.
      prior_mean: the prior's means :math:`\mu_0`. A scalar, or the rank of ``mean`` with each dimension equal or 1.
      prior_log_variance: logarithms of the prior's variances; the same shapes.
      axis: the axis of the latent dimensions, or a tuple of axes, to be summed over; None sums over none, so that
        weights, mask and mean are per dimension.

    Returns:
      The reduced loss, at least float32; per distribution, without ``axis``, with ``reduction="none"``. The mean is
      over distributions: an autoencoder's other term must be summed over its pixels or be weighed to match.

    Source: Kingma and Welling, *Auto-encoding variational Bayes* (2014), arXiv:1312.6114, appendix B.

    Example:
      >>> mean, log_variance = jnp.array([[0.0, 0.0], [1.0, 2.0]]), jnp.zeros((2, 2))
      >>> jaxloss.gaussian_kl_divergence(mean, log_variance, reduction="none")
      Array([0. , 2.5], dtype=float32)
    """
    if axis is None:
        mean, log_variance = inputs.elementwise(mask, mean=mean, log_variance=log_variance)
        axes, rows = (), mask
    else:
        (mean, log_variance), axes = inputs.vectors(mask, axis=axis, mean=mean, log_variance=log_variance)
        rows = None if mask is None else inputs.row_mask(mask, mean, axes)
    prior_mean = inputs.parameter("prior_mean", prior_mean, "(-inf, inf)", rows, mean, "mean")
    prior_log_variance = inputs.parameter("prior_log_variance", prior_log_variance, "(-inf, inf)", rows, mean, "mean")
    fits = jnp.isfinite(prior_mean) & jnp.isfinite(prior_log_variance)
    fits &= ~(jnp.isnan(mean) | jnp.isnan(log_variance))
    poison = nan_unless(jnp.all(fits, axes, keepdims=True), mean.dtype)
    error, log_ratio = mean + poison - prior_mean, log_variance + poison - prior_log_variance
    terms = _gaussian_kl(error, log_ratio, prior_log_variance)
    return reduce(jnp.sum(terms, axes), weights, mask, reduction=reduction, axis_name=axis_name)


def _over_root(error: Array, log_variance: Array) -> Array:
    return times(error, jnp.exp(-0.5 * log_variance))


@with_partials(
    unbounded(lambda error, log_ratio, log_variance: _over_root(_over_root(error, log_variance), log_variance)),
    unbounded(lambda error, log_ratio, log_variance: 0.5 * jnp.expm1(log_ratio)),
    unbounded(lambda error, log_ratio, log_variance: -0.5 * jnp.square(_over_root(error, log_variance))),
)
def _gaussian_kl(error: Array, log_ratio: Array, log_variance: Array) -> Array:
    return 0.5 * (exp_remainder(log_ratio) + jnp.square(_over_root(error, log_variance)))
