"""Losses for counts: Poisson and negative binomial distributions, from the mean."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp

from .._contract import inputs
from .._contract.jit import jit
from .._contract.messages import message
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, EachNonNegative, Reduction
from .._numerics.derivatives import derivative, quotient, times, unbounded, with_partials
from .._numerics.special import (
    HALF_LOG_2_PI,
    log1p_bend,
    log1p_deficit,
    log1prel,
    log_factorial,
    rising_error,
    stirling_series,
    xlogy,
)


@jit
def poisson_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    log_input: bool = True,
    full: bool | Literal["stirling"] = False,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Negative log-likelihood of a Poisson distribution, from the logarithm of the rate or from the rate.

    .. math::
      \ell = e^z - y z \qquad\text{or}\qquad \ell = p - y \log p

    A rate of 0 costs 0 for a count of 0 and infinity for any other; nothing is added to the rate (PyTorch adds its
    ``eps`` of 1e-8). Keras' ``Poisson`` takes rates.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for counts of events that don't depend on each other. Its noise model is the Poisson distribution, whose
    variance is its mean; for more than that, `negative_binomial_nll_loss`. From the logarithm an outlier pulls with
    :math:`e^z - y`: a count that is too large in proportion to itself, one that is too small with no more than the
    rate.

    Args:
      predictions: logarithms of rates, or rates of at least 0; floating point, any shape.
      labels: counts of at least 0 (not necessarily whole) of the predictions' shape.
      log_input: whether the predictions are logarithms.
      full: whether to add :math:`\log y!`, so that the loss is minus the log-probability. With ``"stirling"`` its
        approximation :math:`y \log y - y + \tfrac{1}{2} \log 2 \pi y` for counts above 1 and 0 for others, as in
        PyTorch.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Nelder and Wedderburn, *Generalized linear models* (1972), doi:10.2307/2344614.

    Example:
      >>> jaxloss.poisson_nll_loss(jnp.array([0.0, 2.0]), jnp.array([0, 3]), log_input=False, reduction="none")
      Array([0.        , -0.07944155], dtype=float32)
    """
    if full not in (False, True, "stirling"):
        raise ValueError(message(f"full must be a bool or 'stirling', got {full!r}"))
    rates, counts = predictions, labels
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    labels = inputs.valid("labels", labels, "[0, inf)", counts)
    if not log_input:
        predictions = inputs.valid("predictions", predictions, "[0, inf)", rates)
    predictions = inputs.spoiled(predictions, labels)
    nll, full_nll = (_poisson, _full_poisson) if log_input else (_poisson_of_rate, _full_poisson_of_rate)
    if full == "stirling":
        many = jnp.where(labels > 1, labels, 1)
        factorial = jnp.where(labels > 1, xlogy(many, many) - many + 0.5 * jnp.log(many) + HALF_LOG_2_PI, 0)
        losses = full_nll(predictions, labels, factorial, jnp.zeros_like(labels))
    elif full:
        losses = full_nll(predictions, labels, log_factorial(labels), stirling_series(1 / _at_least_8(labels)))
    else:
        losses = nll(predictions, labels)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def negative_binomial_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    dispersion: EachNonNegative,
    full: bool = False,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Negative log-likelihood of a negative binomial distribution, from its mean.

    .. math::
      \ell = \left( y + \tfrac{1}{\alpha} \right) \log(1 + \alpha p) - y \log(\alpha p)
      - \log \Gamma(y + \tfrac{1}{\alpha}) + \log \Gamma(\tfrac{1}{\alpha})

    with the variance :math:`p + \alpha p^2` and, at a dispersion :math:`\alpha` of 0, the loss of the Poisson
    distribution, :math:`p - y \log p`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for counts that scatter more than a Poisson distribution allows: sales, clicks, gene expression. Its noise
    model is the negative binomial distribution, a Poisson whose rate varies. An outlier pulls with :math:`(p - y) / (p
    + \alpha p^2)`, without bound, but the less the larger the dispersion.

    Args:
      predictions: the means, at least 0; floating point, any shape.
      labels: counts of at least 0 (not necessarily whole) of the predictions' shape.
      dispersion: at least 0, :math:`\alpha`; one over the number of failures. A scalar, or the predictions' rank with
        each dimension equal or 1.
      full: whether to add :math:`\log y!`, so that the loss is minus the log-probability.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Lawless, *Negative binomial and mixed Poisson regression* (1987), doi:10.2307/3314912.

    Example:
      >>> means, counts, dispersion = jnp.full(2, 2.0), jnp.full(2, 3), jnp.array([0.0, 0.5])
      >>> jaxloss.negative_binomial_nll_loss(means, counts, dispersion=dispersion, reduction="none")
      Array([-0.07944155, 0.28768212], dtype=float32)
    """
    rates, counts = predictions, labels
    predictions, labels = inputs.elementwise(mask, harmless=1.0, predictions=predictions, labels=labels)
    predictions = inputs.valid("predictions", predictions, "[0, inf)", rates)
    labels = inputs.valid("labels", labels, "[0, inf)", counts)
    dispersion = inputs.parameter("dispersion", dispersion, "[0, inf)", mask, predictions)
    if full:
        losses = _full_negative_binomial(predictions, labels, dispersion, log_factorial(labels))
    else:
        losses = _negative_binomial(predictions, labels, dispersion)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _rate_slope(z: Array, y: Array, *_: Array) -> Array:
    return jnp.exp(z) - y


@with_partials(unbounded(_rate_slope), unbounded(lambda z, y: -z))
def _poisson(z: Array, y: Array) -> Array:
    rate = jnp.exp(z)
    return rate - times(y, jnp.where(rate == jnp.inf, 0, z))


def _poisson_of_rate(p: Array, y: Array) -> Array:
    return p - xlogy(y, p)


def _at_least_8(y: Array) -> Array:
    """Counts from 8, where Stirling's series converges and the loss would cancel with the factorial.

    From there on a loss is a deviance and the rest of the factorial (Loader 2000), all at least 0.
    """
    return jnp.maximum(y, 8)


def _saddle_point(deviance: Array, y: Array, error: Array) -> Array:
    return deviance + 0.5 * jnp.log(_at_least_8(y)) + HALF_LOG_2_PI + error


def _log_of(ratio: Array, log: Array) -> Array:
    """The logarithm of `ratio`, or `log`, which rounds earlier, where the ratio is out of range."""
    within = (ratio > 1e-30) & (ratio < 1e30)
    return jnp.where(within, jnp.log(jnp.where(within, ratio, 1)), log)


def _poisson_deviance(rate: Array, log_rate: Array, y: Array) -> Array:
    """``rate - y - y * log(rate / y)``, also where the rate underflows."""
    deficit = log1p_deficit((rate - y) / y, _log_of(rate / y, log_rate - jnp.log(y)))
    return jnp.where(rate == jnp.inf, rate, (rate - y) * deficit)


# Of the factorial's logarithm these take the derivative as it comes, and none of its error.
@with_partials(unbounded(_rate_slope), unbounded(lambda z, y, *_: -z), lambda z, *_: jnp.ones_like(z))
def _full_poisson(z: Array, y: Array, factorial: Array, error: Array) -> Array:
    deviance = _poisson_deviance(jnp.exp(z), z, _at_least_8(y))
    return jnp.where(y > 8, _saddle_point(deviance, y, error), _poisson(z, y) + factorial)


@with_partials(
    unbounded(lambda p, y, *_: 1 - y / jnp.where((y == 0) & (p == 0), 1, p)),
    unbounded(lambda p, y, *_: -jnp.log(p)),
    lambda p, *_: jnp.ones_like(p),
)
def _full_poisson_of_rate(p: Array, y: Array, factorial: Array, error: Array) -> Array:
    deviance = _poisson_deviance(p, jnp.log(p), _at_least_8(y))
    return jnp.where(y > 8, _saddle_point(deviance, y, error), _poisson_of_rate(p, y) + factorial)


def _excess(p: Array, y: Array, a: Array) -> Array:
    return quotient(y - p, 1 + a * p)


def _odds_by_label(p: Array, y: Array, a: Array) -> Array:
    return quotient(a, 1 + a * y)


def _odds_by_dispersion(p: Array, y: Array, a: Array) -> Array:
    return quotient(_excess(p, y, a), 1 + a * y)


@with_partials(lambda p, y, a: -quotient(a, 1 + a * p), _odds_by_label, _odds_by_dispersion)
def _log1p_ratio(p: Array, y: Array, a: Array) -> Array:
    """``log((1 + a * y) / (1 + a * p))``."""
    s = a * _excess(p, y, a)
    near = jnp.abs(s) < 0.5
    return jnp.where(near, jnp.log1p(jnp.where(near, s, 0)), jnp.log((1 + a * y) / (1 + a * p)))


@with_partials(unbounded(lambda p, y, a: quotient(1 / p, 1 + a * p)), _odds_by_label, _odds_by_dispersion)
def _log_odds(p: Array, y: Array, a: Array) -> Array:
    """``log(p * (1 + a * y) / (1 + a * p))``."""
    return jnp.log(p) + _log1p_ratio(p, y, a)


def _deviance_by_dispersion(p: Array, y: Array, a: Array) -> Array:
    """Of ``y * log(y / p) - (y + 1 / a) * log((1 + a * y) / (1 + a * p))``."""
    excess = _excess(p, y, a)
    return -excess * (excess * log1p_bend(a * excess, _log1p_ratio(p, y, a)))


# The order of the two derivatives changed, the first two have no terms that cancel.
_deviance_slope = with_partials(
    lambda p, y, a: quotient(_excess(p, y, a), 1 + a * p),
    lambda p, y, a: -_odds_by_dispersion(p, y, a),
    derivative(_deviance_by_dispersion, 2),
)(_deviance_by_dispersion)


def _binomial_by_mean(p: Array, y: Array, a: Array, *_: Array) -> Array:
    return (1 - quotient(y, jnp.where((y == 0) & (p == 0), 1, p))) / (1 + a * p)


def _binomial_by_label(p: Array, y: Array, a: Array, *_: Array) -> Array:
    return derivative(rising_error, 0)(y, a) - _log_odds(p, y, a)


def _binomial_by_dispersion(p: Array, y: Array, a: Array, *_: Array) -> Array:
    return derivative(rising_error, 1)(y, a) + _deviance_slope(p, y, a)


@with_partials(unbounded(_binomial_by_mean), unbounded(_binomial_by_label), unbounded(_binomial_by_dispersion))
def _negative_binomial(p: Array, y: Array, a: Array) -> Array:
    rising = y * (jnp.log1p(a * y) - log1p_deficit(a * y)) - rising_error(y, a)  # the gammas', less by y log(a)
    return p * log1prel(a * p) + y * jnp.log1p(a * p) - xlogy(y, p) - rising


def _binomial_deviance(p: Array, y: Array, a: Array) -> Array:
    """Of successes and of failures, each at least 0."""
    excess, log_ratio = _excess(p, y, a), _log1p_ratio(p, y, a)
    log = _log_of(p / y * ((1 + a * y) / (1 + a * p)), _log_odds(p, y, a) - jnp.log(y))
    return excess * (log1p_deficit(a * excess, log_ratio) - log1p_deficit(-excess / y, log))


@with_partials(
    unbounded(_binomial_by_mean),
    unbounded(_binomial_by_label),
    unbounded(_binomial_by_dispersion),
    lambda p, y, a, _: jnp.ones_like(p + a),
)
def _full_negative_binomial(p: Array, y: Array, a: Array, factorial: Array) -> Array:
    error = stirling_series(1 / _at_least_8(y)) + rising_error(y, a)
    return jnp.where(
        y > 8,
        _saddle_point(_binomial_deviance(p, _at_least_8(y), a), y, error),
        _negative_binomial(p, y, a) + factorial,
    )
