"""Losses for counts and amounts: the likelihoods of generalized linear models, from the mean."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp

from .._contract import inputs
from .._contract.checks import message, nan_unless, report
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import (
    Array,
    ArrayLike,
    AxisName,
    EachNonNegative,
    EachNumber,
    EachPositive,
    Reduction,
)
from .._numerics.derivatives import derivative, quotient, times, with_partials
from .._numerics.special import (
    exprel,
    exprel_slope,
    itakura_saito,
    log1p_bend,
    log1p_deficit,
    log1prel,
    log_factorial,
    rising_error,
    stirling_error,
    stirling_series,
    xlogy,
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
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    labels = inputs.valid("labels", labels, "[0, inf)")
    if not log_input:
        predictions = inputs.valid("predictions", predictions, "[0, inf)")
    nll, full_nll = (_poisson, _full_poisson) if log_input else (_poisson_of_rate, _full_poisson_of_rate)
    if full == "stirling":
        many = jnp.where(labels > 1, labels, 1)
        factorial = jnp.where(labels > 1, xlogy(many, many) - many + 0.5 * jnp.log(many) + _HALF_LOG_2_PI, 0)
        losses = full_nll(predictions, labels, factorial, jnp.zeros_like(labels))
    elif full:
        losses = full_nll(predictions, labels, log_factorial(labels), stirling_series(1 / _many(labels)))
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
    predictions, labels = inputs.elementwise(mask, harmless=1.0, predictions=predictions, labels=labels)
    predictions = inputs.valid("predictions", predictions, "[0, inf)")
    labels = inputs.valid("labels", labels, "[0, inf)")
    dispersion = inputs.parameter("dispersion", dispersion, "[0, inf)", mask, predictions)
    if full:
        losses = _full_negative_binomial(predictions, labels, dispersion, log_factorial(labels))
    else:
        losses = _negative_binomial(predictions, labels, dispersion)
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
    predictions, labels = inputs.elementwise(mask, harmless=1.0, predictions=predictions, labels=labels)
    predictions = inputs.valid("predictions", predictions, "(0, inf)")
    labels = inputs.valid("labels", labels, "(0, inf)")
    concentration = inputs.parameter("concentration", concentration, "(0, inf)", mask, predictions)
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
    predictions, labels = inputs.elementwise(mask, harmless=1.0, predictions=predictions, labels=labels)
    power = inputs.parameter("power", power, "(-inf, inf)", mask, predictions)
    fits = ((predictions > 0) | (power == 0)) & jnp.isfinite(predictions + power)
    report("predictions", predictions, fits, "be above 0, any number where power is 0")
    least = (labels > 0) | ((labels == 0) & (power < 2)) | ((labels < 0) & (power <= 0))
    report("labels", labels, least, "be above 0 for a power of 2 or more, at least 0 between 0 and 2")
    losses = _tweedie(predictions + nan_unless(fits & least, predictions.dtype), labels, power)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _rate_slope(z: Array, y: Array, *_: Array) -> Array:
    return jnp.exp(z) - y


@with_partials(_rate_slope, lambda z, y: -z)
def _poisson(z: Array, y: Array) -> Array:
    rate = jnp.exp(z)
    return jnp.where(rate == jnp.inf, jnp.inf, rate - jnp.where(y == 0, 0, y * z))


def _poisson_of_rate(p: Array, y: Array) -> Array:
    return p - xlogy(y, p)


def _many(y: Array) -> Array:
    """Counts from 8, where Stirling's series converges and the loss would cancel with the factorial.

    From there on a loss is a deviance and the rest of the factorial (Loader 2000), all at least 0.
    """
    return jnp.maximum(y, 8)


def _saddle(deviance: Array, y: Array, error: Array) -> Array:
    return deviance + 0.5 * jnp.log(_many(y)) + _HALF_LOG_2_PI + error


def _log_of(ratio: Array, log: Array) -> Array:
    """The logarithm of `ratio`, or `log`, which rounds earlier, where the ratio is out of range."""
    within = (ratio > 1e-30) & (ratio < 1e30)
    return jnp.where(within, jnp.log(jnp.where(within, ratio, 1)), log)


def _poisson_deviance(rate: Array, log_rate: Array, y: Array) -> Array:
    """``rate - y - y * log(rate / y)``, also where the rate underflows."""
    deficit = log1p_deficit((rate - y) / y, _log_of(rate / y, log_rate - jnp.log(y)))
    return jnp.where(rate == jnp.inf, rate, (rate - y) * deficit)


# Of the factorial's logarithm these take the derivative as it comes, and none of its error.
@with_partials(_rate_slope, lambda z, y, *_: -z, lambda z, *_: jnp.ones_like(z))
def _full_poisson(z: Array, y: Array, factorial: Array, error: Array) -> Array:
    deviance = _poisson_deviance(jnp.exp(z), z, _many(y))
    return jnp.where(y > 8, _saddle(deviance, y, error), _poisson(z, y) + factorial)


@with_partials(
    lambda p, y, *_: 1 - y / jnp.where((y == 0) & (p == 0), 1, p),
    lambda p, y, *_: -jnp.log(p),
    lambda p, *_: jnp.ones_like(p),
)
def _full_poisson_of_rate(p: Array, y: Array, factorial: Array, error: Array) -> Array:
    deviance = _poisson_deviance(p, jnp.log(p), _many(y))
    return jnp.where(y > 8, _saddle(deviance, y, error), _poisson_of_rate(p, y) + factorial)


def _excess(p: Array, y: Array, a: Array) -> Array:
    return quotient(y - p, 1 + a * p)


def _odds_by_label(p: Array, y: Array, a: Array) -> Array:
    return quotient(a, 1 + a * y)


def _odds_by_dispersion(p: Array, y: Array, a: Array) -> Array:
    return quotient(_excess(p, y, a), 1 + a * y)


@with_partials(lambda p, y, a: -quotient(a, 1 + a * p), _odds_by_label, _odds_by_dispersion)
def _log_stretch(p: Array, y: Array, a: Array) -> Array:
    """``log((1 + a * y) / (1 + a * p))``."""
    s = a * _excess(p, y, a)
    near = jnp.abs(s) < 0.5
    return jnp.where(near, jnp.log1p(jnp.where(near, s, 0)), jnp.log((1 + a * y) / (1 + a * p)))


@with_partials(lambda p, y, a: quotient(1 / p, 1 + a * p), _odds_by_label, _odds_by_dispersion)
def _log_odds(p: Array, y: Array, a: Array) -> Array:
    """``log(p * (1 + a * y) / (1 + a * p))``."""
    return jnp.log(p) + _log_stretch(p, y, a)


def _deviance_by_dispersion(p: Array, y: Array, a: Array) -> Array:
    """Of ``y * log(y / p) - (y + 1 / a) * log((1 + a * y) / (1 + a * p))``."""
    excess = _excess(p, y, a)
    return -excess * (excess * log1p_bend(a * excess, _log_stretch(p, y, a)))


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


@with_partials(_binomial_by_mean, _binomial_by_label, _binomial_by_dispersion)
def _negative_binomial(p: Array, y: Array, a: Array) -> Array:
    rising = y * (jnp.log1p(a * y) - log1p_deficit(a * y)) - rising_error(y, a)  # the gammas', less by y log(a)
    return p * log1prel(a * p) + y * jnp.log1p(a * p) - xlogy(y, p) - rising


def _binomial_deviance(p: Array, y: Array, a: Array) -> Array:
    """Of successes and of failures, each at least 0."""
    excess, log_stretch = _excess(p, y, a), _log_stretch(p, y, a)
    log = _log_of(p / y * ((1 + a * y) / (1 + a * p)), _log_odds(p, y, a) - jnp.log(y))
    return excess * (log1p_deficit(a * excess, log_stretch) - log1p_deficit(-excess / y, log))


@with_partials(_binomial_by_mean, _binomial_by_label, _binomial_by_dispersion, lambda p, y, a, _: jnp.ones_like(p + a))
def _full_negative_binomial(p: Array, y: Array, a: Array, factorial: Array) -> Array:
    error = stirling_series(1 / _many(y)) + rising_error(y, a)
    return jnp.where(
        y > 8, _saddle(_binomial_deviance(p, _many(y), a), y, error), _negative_binomial(p, y, a) + factorial
    )


def _box_cox(a: Array, log: Array) -> Array:
    """``(exp(log) ** a - 1) / a``."""
    return log * exprel(a * log)


def _log_ratio(p: Array, y: Array) -> Array:
    """The logarithm of y / p, where both are positive."""
    tiny = jnp.finfo(p.dtype).tiny
    p, y = jnp.maximum(p, tiny), jnp.maximum(y, tiny)
    t = (y - p) / p
    near = jnp.abs(t) < 0.5
    return jnp.where(near, jnp.log1p(jnp.where(near, t, 0)), jnp.log(y) - jnp.log(p))


def _tweedie_edge(p: Array, y: Array, power: Array) -> tuple[Array, Array, Array]:
    """For a label of at most 0: both terms of the deviance and their derivative in the power."""
    a, b = jnp.where(power < 2, 2 - power, 1), jnp.where(power < 1, 1 - power, 1)
    first, second = 2 * p**a / a, -2 * y * p**b / b
    slope = first * (1 / a - jnp.log(p)) + second * (1 / b - jnp.log(p))
    return first, second, slope


def _tweedie_by_power(p: Array, y: Array, power: Array) -> Array:
    value, log = _tweedie(p, y, power), _log_ratio(p, y)
    a, b = 1 - power, 2 - power
    far = jnp.maximum(jnp.abs(a * log), jnp.abs(b * log)) > 30  # and so exponentials may overflow where powers do not
    x, some = jnp.where(far, 0, log), jnp.where(y > 0, y, 1)
    near = times(jnp.exp(x) * exprel_slope(a * x) - exprel_slope(b * x), p**b)
    apart = _scaled(some**b, some * p**a, a * log) - _scaled(some**b, p**b, b * log)
    scale = jnp.where(value > 1, 2.0**-20, 1.0)  # neither term may overflow before the two are one
    change = 2 * jnp.square(log) * (scale * jnp.where(far, apart, near))
    inside = (-jnp.log(p) * (scale * value) - change) / scale
    slope = jnp.where(y > 0, inside, _tweedie_edge(p, y, power)[2])
    return jnp.where(jnp.isinf(value), jnp.where(b > 0, -jnp.inf, jnp.inf), slope)


def _scaled(large: Array, small: Array, t: Array) -> Array:
    """``small * exprel_slope(t)``, where `large` is ``small * exp(t)``: neither factor overflows."""
    down = -jnp.abs(t)
    return jnp.where(t > 0, large * (exprel(down) - exprel_slope(down)), small * exprel_slope(down))


def _mean_or_one(p: Array, power: Array) -> Array:
    """What the power of 0, for which the mean may be of any sign, takes for it."""
    return jnp.where(power == 0, 1, p)


def _tweedie_mixed(p: Array, y: Array, power: Array) -> Array:
    return -2 * _mean_or_one(p, power) ** -power


def _tweedie_slope(p: Array, y: Array, power: Array) -> Array:
    base = _mean_or_one(p, power)
    return 2 * ((p - y) * (1 / base)) * base ** (1 - power)


def _tweedie_label_slope(p: Array, y: Array, power: Array) -> Array:
    return jnp.where(power == 0, 2 * (y - p), 2 * p ** (1 - power) * _box_cox(1 - power, _log_ratio(p, y)))


_tweedie_by_label = with_partials(
    _tweedie_mixed,
    lambda p, y, power: jnp.where(power == 0, 2, jnp.where(y > 0, 2 * jnp.where(y > 0, y, 1) ** -power, 0)),
    derivative(_tweedie_label_slope, 2),
)(_tweedie_label_slope)


@with_partials(_tweedie_slope, _tweedie_by_label, _tweedie_by_power)
def _tweedie(p: Array, y: Array, power: Array) -> Array:
    """Twice p^(2 - power) times the integral of (r - s) s^-power from 1 to r = y / p."""
    some = jnp.where(y > 0, y, 1)
    log = _log_ratio(p, some)
    a, b = 1 - power, 2 - power
    near = jnp.abs(log) * jnp.maximum(1, jnp.abs(b)) < 0.5
    x = jnp.where(near, log, 0)
    terms, factorial, partial, total = jnp.ones_like(x), 1.0, jnp.ones_like(x), jnp.zeros_like(x)
    for n in range(2, 14):  # sum of (1 + b + ... + b^(n - 2)) x^n / n!
        factorial *= n
        total += partial * terms / factorial
        partial, terms = 1 + b * partial, terms * x
    series = 2 * times(x * x * total, p**b)
    by_p = (some < p) == (b > 0)  # scaled by the one whose power is the larger
    own = times(jnp.exp(log), _box_cox(a, log)) - _box_cox(b, log)
    direct = 2 * jnp.where(by_p, p, some) ** b * jnp.where(by_p, own, _box_cox(b, -log) - _box_cox(a, -log))
    first, second, _ = _tweedie_edge(p, y, power)
    general = jnp.where(y > 0, jnp.where(near, series, direct), first + second)
    return jnp.where(power == 0, jnp.square(p - y), general)
