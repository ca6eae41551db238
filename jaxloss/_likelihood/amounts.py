"""Losses for amounts: gamma and Tweedie distributions, from the mean."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import inputs
from .._contract.checks import nan_unless, report
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, EachNumber, EachPositive, Reduction
from .._numerics.derivatives import derivative, times, unbounded, with_partials
from .._numerics.special import HALF_LOG_2_PI, exprel, exprel_slope, itakura_saito, stirling_error


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
    normalizer = stirling_error(1 / concentration) - 0.5 * jnp.log(concentration) + HALF_LOG_2_PI
    losses = times(concentration, itakura_saito(labels, predictions)) + normalizer
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
    report("predictions", predictions, fits, "be above 0, or any number where power is 0")
    least = (labels > 0) | ((labels == 0) & (power < 2)) | ((labels < 0) & (power <= 0))
    report("labels", labels, least, "be above 0 for a power of 2 or more, at least 0 between 0 and 2")
    losses = _tweedie(predictions + nan_unless(fits & least, predictions.dtype), labels, power)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


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


def _edge_powers(power: Array) -> tuple[Array, Array]:
    return jnp.where(power < 2, 2 - power, 1), jnp.where(power < 1, 1 - power, 1)


def _tweedie_edge(p: Array, y: Array, power: Array) -> tuple[Array, Array]:
    """For a label of at most 0: both terms of the deviance."""
    a, b = _edge_powers(power)
    return 2 * p**a / a, -2 * y * p**b / b


def _tweedie_by_power(p: Array, y: Array, power: Array) -> Array:
    value, log = _tweedie(p, y, power), _log_ratio(p, y)
    a, b = 1 - power, 2 - power
    far = jnp.maximum(jnp.abs(a * log), jnp.abs(b * log)) > 30  # and so exponentials may overflow where powers do not
    x, some = jnp.where(far, 0, log), jnp.where(y > 0, y, 1)
    near = times(jnp.exp(x) * exprel_slope(a * x) - exprel_slope(b * x), p**b)
    apart = _scaled_exprel_slope(some**b, some * p**a, a * log) - _scaled_exprel_slope(some**b, p**b, b * log)
    scale = jnp.where(value > 1, 2.0**-20, 1.0)  # neither term may overflow before the two are one
    change = 2 * jnp.square(log) * (scale * jnp.where(far, apart, near))
    inside = (-jnp.log(p) * (scale * value) - change) / scale
    (first, second), (a, c) = _tweedie_edge(p, y, power), _edge_powers(power)
    edge = first * (1 / a - jnp.log(p)) + second * (1 / c - jnp.log(p))
    slope = jnp.where(y > 0, inside, edge)
    return jnp.where(jnp.isinf(value), jnp.where(b > 0, -jnp.inf, jnp.inf), slope)


def _scaled_exprel_slope(large: Array, small: Array, t: Array) -> Array:
    """``small * exprel_slope(t)``, where `large` is ``small * exp(t)``: neither factor overflows."""
    down = -jnp.abs(t)
    return jnp.where(t > 0, large * (exprel(down) - exprel_slope(down)), small * exprel_slope(down))


def _mean_or_one(p: Array, power: Array) -> Array:
    """What the power of 0, for which the mean may be of any sign, takes for it."""
    return jnp.where(power == 0, 1, p)


def _tweedie_mixed(p: Array, y: Array, power: Array) -> Array:
    return -2 * _mean_or_one(p, power) ** -power


def _tweedie_slope(p: Array, y: Array, power: Array) -> Array:
    base, direct = _mean_or_one(p, power), power < 1
    return 2 * times((p - y) / jnp.where(direct, 1, base), base ** jnp.where(direct, -power, 1 - power))


def _tweedie_label_slope(p: Array, y: Array, power: Array) -> Array:
    a, log, base = 1 - power, _log_ratio(p, y), _mean_or_one(p, power)
    far = (jnp.abs(a * log) > 30) | (y <= 0)  # where one of the powers is all
    own = jnp.where(y > 0, jnp.where(y > 0, y, 1) ** a, jnp.where(a < 0, jnp.inf, 0))
    near = times(_box_cox(a, jnp.where(far, 0, log)), base**a)
    slope = jnp.where(far, jnp.where(a * log > 0, own, -(base**a)) / jnp.where(a == 0, 1, a), near)
    return jnp.where(power == 0, 2 * (y - p), 2 * slope)


_tweedie_by_label = with_partials(
    _tweedie_mixed,
    lambda p, y, power: jnp.where(power == 0, 2, jnp.where(y > 0, 2 * jnp.where(y > 0, y, 1) ** -power, 0)),
    derivative(_tweedie_label_slope, 2),
)(_tweedie_label_slope)


@with_partials(unbounded(_tweedie_slope), unbounded(_tweedie_by_label), unbounded(_tweedie_by_power))
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
    down, up = jnp.where(by_p, log, 0), jnp.where(by_p, 0, -log)  # in the other's place both terms may overflow
    own = times(jnp.exp(down), _box_cox(a, down)) - _box_cox(b, down)
    direct = 2 * jnp.where(by_p, p, some) ** b * jnp.where(by_p, own, _box_cox(b, up) - _box_cox(a, up))
    first, second = _tweedie_edge(p, y, power)
    general = jnp.where(y > 0, jnp.where(near, series, direct), first + second)
    return jnp.where(power == 0, jnp.square(p - y), general)
