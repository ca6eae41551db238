"""Losses for counts and amounts: the likelihoods of generalized linear models, from the mean."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp

from . import _inputs
from ._checks import message, nan_unless, report
from ._derivatives import quotient, times, with_partials
from ._jit import jit
from ._reduction import reduce
from ._special import (
    exprel,
    exprel_slope,
    itakura_saito,
    log1p_deficit,
    log1prel,
    log_factorial,
    stirling_error,
    xlogy,
)
from ._types import (
    Array,
    ArrayLike,
    AxisName,
    EachNonNegative,
    EachNumber,
    EachPositive,
    Reduction,
)


_HALF_LOG_2_PI = 0.9189385332046728


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
    predictions, labels = _inputs.elementwise(mask, predictions=predictions, labels=labels)
    labels = _inputs.valid("labels", labels, "[0, inf)")
    if log_input:
        losses = _poisson_nll(predictions, labels)
    else:
        predictions = _inputs.valid("predictions", predictions, "[0, inf)")
        losses = predictions - xlogy(labels, predictions)
    if full == "stirling":
        many = jnp.where(labels > 1, labels, 1)
        losses = losses + jnp.where(labels > 1, xlogy(many, many) - many + 0.5 * jnp.log(many) + _HALF_LOG_2_PI, 0)
    elif full:
        losses = losses + log_factorial(labels)
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
    predictions, labels = _inputs.elementwise(mask, harmless=1.0, predictions=predictions, labels=labels)
    predictions = _inputs.valid("predictions", predictions, "[0, inf)")
    labels = _inputs.valid("labels", labels, "[0, inf)")
    dispersion = _inputs.parameter("dispersion", dispersion, "[0, inf)", mask, predictions)
    losses = _negative_binomial(predictions, labels, dispersion) - _log_rising(labels, dispersion)
    if full:
        losses = losses + log_factorial(labels)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def gamma_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    concentration: EachPositive,
    full: bool = False,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Negative log-likelihood of a gamma distribution, from its mean.

    .. math::
      \ell = k \left( \frac{y}{p} - \log \frac{y}{p} \right) - k \log k + \log \Gamma(k)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for positive amounts whose spread grows with their size: claims, durations, rainfall. Its noise model is
    the gamma distribution with the variance :math:`p^2 / k`; a concentration of 1 is the exponential distribution. An
    outlier above pulls with :math:`k y / p^2`, in proportion to itself; one near 0 with :math:`k / p` at most.

    Args:
      predictions: the means, above 0; floating point, any shape.
      labels: numbers above 0 of the predictions' shape.
      concentration: above 0, the shape parameter :math:`k`. A scalar, or the predictions' rank with each dimension
        equal or 1.
      full: whether to add :math:`\log y`, so that the loss is minus the log-density.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: McCullagh and Nelder, *Generalized Linear Models* (1989), chapter 8.

    Example:
      >>> jaxloss.gamma_nll_loss(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]), concentration=1.0, reduction="none")
      Array([1.       , 1.3068528], dtype=float32)
    """
    predictions, labels = _inputs.elementwise(mask, harmless=1.0, predictions=predictions, labels=labels)
    predictions = _inputs.valid("predictions", predictions, "(0, inf)")
    labels = _inputs.valid("labels", labels, "(0, inf)")
    concentration = _inputs.parameter("concentration", concentration, "(0, inf)", mask, predictions)
    normalizer = stirling_error(1 / concentration) - 0.5 * jnp.log(concentration) + _HALF_LOG_2_PI
    losses = concentration * itakura_saito(labels, predictions) + normalizer
    if full:
        losses = losses + jnp.log(labels)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def tweedie_deviance_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    power: EachNumber,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Deviance of a Tweedie distribution: squared error, Poisson, gamma and what lies between, by one number.

    .. math::
      \ell = 2 \left( \frac{\max(y, 0)^{2 - \rho}}{(1 - \rho) (2 - \rho)} - \frac{y \, p^{1 - \rho}}{1 - \rho}
      + \frac{p^{2 - \rho}}{2 - \rho} \right)

    with its limits: :math:`2 (y \log (y / p) - y + p)` at the power 1, :math:`2 (y / p - 1 - \log (y / p))` at 2; at 0
    it is :math:`(p - y)^2`, for numbers of any sign. It is 0 for a perfect prediction.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it with a power between 1 and 2 for amounts that are often exactly 0, such as claims and rainfall; the
    variance of the noise is proportional to :math:`p^\rho`. Its noise model is the Tweedie family (0: Gaussian, 1:
    Poisson, 2: gamma, 3: inverse Gaussian; between 0 and 1 there is none, but the loss has its minimum at the mean
    there too). An outlier pulls with :math:`2 (p - y) / p^\rho`, without bound above, so a large power forgives large
    labels.

    Args:
      predictions: the means, above 0 (any number where the power is 0); floating point, any shape.
      labels: numbers of the predictions' shape: above 0 for powers of 2 and more, at least 0 between 0 and 2, any
        below.
      power: the exponent of the variance, :math:`\rho`. A scalar, or the predictions' rank with each dimension equal or
        1.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Jørgensen, *Exponential dispersion models* (1987), doi:10.1111/j.2517-6161.1987.tb01685.x.

    Example:
      >>> powers = jnp.array([0.0, 1.0, 1.5, 2.0])
      >>> jaxloss.tweedie_deviance_loss(jnp.full(4, 2.0), jnp.ones(4), power=powers, reduction="none")
      Array([1.        , 0.6137056 , 0.48528138, 0.38629436], dtype=float32)
    """
    predictions, labels = _inputs.elementwise(mask, harmless=1.0, predictions=predictions, labels=labels)
    power = _inputs.parameter("power", power, "(-inf, inf)", mask, predictions)
    fits = ((predictions > 0) | (power == 0)) & jnp.isfinite(predictions + power)
    report("predictions", predictions, fits, "be above 0, any number where power is 0")
    least = (labels > 0) | ((labels == 0) & (power < 2)) | ((labels < 0) & (power <= 0))
    report("labels", labels, least, "be above 0 for a power of 2 or more, at least 0 between 0 and 2")
    losses = _tweedie(predictions + nan_unless(fits & least, predictions.dtype), labels, power)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@with_partials(lambda z, y: jnp.exp(z) - y, lambda z, y: -z)
def _poisson_nll(z: Array, y: Array) -> Array:
    rate = jnp.exp(z)
    return jnp.where(rate == jnp.inf, jnp.inf, rate - jnp.where(y == 0, 0, y * z))


def _negative_binomial_by_dispersion(p: Array, y: Array, a: Array) -> Array:
    """Of ``p * log1prel(a * p) + y * log1p(a * p)``."""
    bend = jax.jvp(log1prel, (a * p,), (jnp.ones_like(a * p),))[1]
    return p * (p * bend) + quotient(y * p, 1 + a * p)


@with_partials(
    lambda p, y, a: (1 - quotient(y, jnp.where((y == 0) & (p == 0), 1, p))) / (1 + a * p),
    lambda p, y, a: jnp.log1p(a * p) - jnp.log(p),
    _negative_binomial_by_dispersion,
)
def _negative_binomial(p: Array, y: Array, a: Array) -> Array:
    """What depends on the mean: the derivative in it, written out, doesn't cancel."""
    return p * log1prel(a * p) + y * jnp.log1p(a * p) - xlogy(y, p)


def _log_rising(y: Array, a: Array) -> Array:
    """``lgamma(y + 1 / a) - lgamma(1 / a) + y * log(a)``, 0 at a = 0, by Stirling's formula and its error."""
    stretch = 1 + a * y
    errors = stirling_error(quotient(a, stretch)) - stirling_error(a + jnp.zeros_like(y))
    return (y - 0.5) * jnp.log1p(a * y) - y * log1p_deficit(a * y) + errors


def _box_cox(a: Array, log: Array) -> Array:
    """``(exp(log) ** a - 1) / a``."""
    return log * exprel(a * log)


def _log_ratio(p: Array, y: Array) -> Array:
    """The logarithm of y / p, where both are positive."""
    tiny = jnp.finfo(p.dtype).tiny
    p, y = jnp.maximum(p, tiny), jnp.maximum(y, tiny)
    t = (y - p) / p
    return jnp.where(jnp.abs(t) < 0.5, jnp.log1p(t), jnp.log(y) - jnp.log(p))


def _tweedie_edge(p: Array, y: Array, power: Array) -> tuple[Array, Array, Array]:
    """For a label of at most 0: both terms of the deviance and their derivative in the power."""
    a, b = jnp.where(power < 2, 2 - power, 1), jnp.where(power < 1, 1 - power, 1)
    first, second = 2 * p**a / a, -2 * y * p**b / b
    slope = first * (1 / a - jnp.log(p)) + second * (1 / b - jnp.log(p))
    return first, second, slope


def _tweedie_by_power(p: Array, y: Array, power: Array) -> Array:
    log = _log_ratio(p, y)
    a, b = 1 - power, 2 - power
    change = jnp.exp(log) * exprel_slope(a * log) - exprel_slope(b * log)
    inside = -jnp.log(p) * _tweedie(p, y, power) - 2 * p**b * jnp.square(log) * change
    return jnp.where(y > 0, inside, _tweedie_edge(p, y, power)[2])


def _tweedie_slope(p: Array, y: Array, power: Array) -> Array:
    base = jnp.where(power == 0, 1, p)
    return 2 * ((p - y) * (1 / base)) * base ** (1 - power)


def _tweedie_by_label(p: Array, y: Array, power: Array) -> Array:
    return jnp.where(power == 0, 2 * (y - p), 2 * p ** (1 - power) * _box_cox(1 - power, _log_ratio(p, y)))


@with_partials(_tweedie_slope, _tweedie_by_label, _tweedie_by_power)
def _tweedie(p: Array, y: Array, power: Array) -> Array:
    """Twice p^(2 - power) times the integral of (r - s) s^-power from 1 to r = y / p."""
    log = _log_ratio(p, y)
    a, b = 1 - power, 2 - power
    near = jnp.abs(log) * jnp.maximum(1, jnp.abs(b)) < 0.5
    x = jnp.where(near, log, 0)
    terms, factorial, partial, total = jnp.ones_like(x), 1.0, jnp.ones_like(x), jnp.zeros_like(x)
    for n in range(2, 14):  # sum of (1 + b + ... + b^(n - 2)) x^n / n!
        factorial *= n
        total += partial * terms / factorial
        partial, terms = 1 + b * partial, terms * x
    series = 2 * times(x * x * total, p**b)
    by_p = (y < p) == (b > 0)  # scaled by the one whose power is the larger
    own = times(jnp.exp(log), _box_cox(a, log)) - _box_cox(b, log)
    direct = 2 * jnp.where(by_p, p, y) ** b * jnp.where(by_p, own, _box_cox(b, -log) - _box_cox(a, -log))
    first, second, _ = _tweedie_edge(p, y, power)
    general = jnp.where(y > 0, jnp.where(near, series, direct), first + second)
    return jnp.where(power == 0, jnp.square(p - y), general)
