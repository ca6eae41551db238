"""Divergences between distributions that are given by their parameters: means and variances, logits."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from .._contract import classes, inputs
from .._contract.checks import nan_unless
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, Axes, AxisName, EachNumber, Positive, Reduction
from .._numerics.derivatives import squarable, times, unbounded, with_partials
from .._numerics.elementary import horner
from .._numerics.softmax import row_max, shifted
from .._numerics.special import exp_remainder
from .distributions import excess, finite, gain, log_or


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
    poison = nan_unless(jnp.all(fits, axes, keepdims=True) if fits.ndim else fits, mean.dtype)
    error, log_ratio = mean + poison - prior_mean, log_variance + poison - prior_log_variance
    terms = _gaussian_kl(error, log_ratio, prior_log_variance)
    return reduce(jnp.sum(terms, axes), weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def distillation_loss(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 2.0,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Kullback-Leibler divergence of a student's softmax from a teacher's, both softened by a temperature.

    .. math::
      \ell = T^2 \, \mathrm{KL} \left( \mathrm{softmax}(t / T) \,\|\, \mathrm{softmax}(z / T) \right)

    With the factor :math:`T^2` the gradients keep their size when the temperature changes; for large temperatures they
    are those of half the squared error of the centred logits, over the number of classes. No gradient reaches the
    teacher's logits; the temperature's own takes both into account.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to train a small model on the logits of a large one, usually beside `cross_entropy` with the true labels:
    ``0.5 * cross_entropy(z, y) + 0.5 * distillation_loss(z, t)``. Its noise model is the categorical distribution, with
    the teacher's softmax for labels. The gradient, :math:`T (p - y)`, never exceeds the temperature; a wrong teacher
    pulls with all of its probability, and a higher temperature lets it be less sure.

    Args:
      logits: the student's scores before the softmax, ``[..., classes]``, the class axis at ``axis``. A logit of
        ``-inf`` rules its class out, which costs infinity unless the teacher's does too.
      teacher_logits: the teacher's, of the same shape.
      temperature: above 0, :math:`T`. 1 is the plain divergence; Hinton et al. tried 1 to 20, and for small students
        2.5 to 4 was best.
      axis: the class axis.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Hinton, Vinyals and Dean, *Distilling the knowledge in a neural network* (2015), arXiv:1503.02531.

    Example:
      >>> student, teacher = jnp.array([[0.0, 0.0], [3.0, 1.0]]), jnp.array([[2.0, 0.0], [13.0, 11.0]])
      >>> jaxloss.distillation_loss(student, teacher, temperature=1.0, reduction="none")
      Array([0.32781303, 0.        ], dtype=float32)
    """
    (logits, teacher_logits), _ = inputs.vectors(mask, axis=axis, logits=logits, teacher_logits=teacher_logits)
    axis = classes.axis_of(axis, "logits", logits)
    losses = _distillation(logits, lax.stop_gradient(teacher_logits), jnp.asarray(temperature), axis)
    return reduce(jnp.squeeze(losses, axis), weights, mask, reduction=reduction, axis_name=axis_name)


def _over_root(error: Array, log_variance: Array) -> Array:
    return times(error, jnp.exp(-0.5 * log_variance))


@with_partials(
    unbounded(lambda error, log_ratio, log_variance: _over_root(_over_root(error, log_variance), log_variance)),
    unbounded(lambda error, log_ratio, log_variance: 0.5 * jnp.expm1(log_ratio)),
    unbounded(lambda error, log_ratio, log_variance: -0.5 * jnp.square(_over_root(error, log_variance))),
)
def _gaussian_kl(error: Array, log_ratio: Array, log_variance: Array) -> Array:
    return 0.5 * (exp_remainder(log_ratio) + jnp.square(_over_root(error, log_variance)))


class _Softmaxes(NamedTuple):
    """Of student and teacher, with what tells them apart; the axis is kept at size 1 in `mean` and `far`.

    Attributes:
      p: the student's softmax.
      y: the teacher's.
      x: the student's logits below their top.
      u: the teacher's.
      apart: ``x - u``, in the order that rounds less; 0 where the teacher gives nothing.
      mean: of `apart`, under the teacher's softmax.
      far: the divergence, good where it is large: its parts are rounded.
    """

    p: Array
    y: Array
    x: Array
    u: Array
    apart: Array
    mean: Array
    far: Array


def _softmaxes(z: Array, t: Array, temperature: Array, axis: int) -> _Softmaxes:
    top_z, top_t = row_max(z, axis), row_max(t, axis)
    x, u = shifted(z, top_z), shifted(t, top_t)
    (p, log_x), (y, log_u) = _softmax(x, temperature, axis), _softmax(u, temperature, axis)
    near = jnp.isfinite(x) & jnp.isfinite(u) & (jnp.abs(z - t) + jnp.abs(top_z - top_t) <= -(x + u))
    apart = jnp.where(near, (z - t) - (top_z - top_t), x - jnp.where(y == 0, 0, u))
    apart = jnp.where(y == 0, 0, apart)
    mean = jnp.sum(times(y, apart), axis, keepdims=True)
    far = log_x - log_u - mean / temperature
    return _Softmaxes(p, y, x, u, apart, mean, far)


def _softmax(x: Array, temperature: Array, axis: int) -> tuple[Array, Array]:
    """With the logarithm of its normalizer. From logits that are finite, lest 0 times infinity be the change with the
    temperature."""
    x = jnp.maximum(x, -(jnp.finfo(x.dtype).max ** 0.5)) / temperature
    log_normalizer = log_or(jnp.sum(jnp.exp(x), axis, keepdims=True), 0)
    return jnp.exp(x - log_normalizer), log_normalizer


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def _distillation(z: Array, t: Array, temperature: Array, axis: int) -> Array:
    """The axis is kept at size 1. A teacher without any class costs infinity.

    With `d` the differences of the logits from their mean, over the temperature, the divergence is the logarithm of
    the teacher's mean of exp(d), which is 1 and a sum of terms that aren't negative.
    """
    s = _softmaxes(z, t, temperature, axis)
    centred = s.apart - finite(s.mean)
    d = centred / temperature
    square = jnp.square(squarable(temperature))
    rest = excess(s.p * jnp.exp(jnp.minimum(s.far, 1)), s.y, d)
    hot = (jnp.abs(d) < 1) & (s.y > 0)  # times the square last, the remainder would be too small
    terms = jnp.where(hot, s.y * jnp.square(centred) * _per_square(jnp.clip(d, -1, 1)), square * rest)
    total = jnp.sum(terms, axis, keepdims=True)
    near = total / temperature / temperature
    near = total * jnp.where(near == 0, 1, jnp.log1p(near) / jnp.where(near == 0, 1, near))
    losses = jnp.where(s.far < 1, near, jnp.square(temperature) * s.far)
    # Added, not selected: XLA may lose a NaN in the maximum.
    return losses + jnp.where(row_max(t, axis) == -jnp.finfo(t.dtype).max, jnp.inf, 0)


def _distillation_rule(axis: int, primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    z, t, temperature = primals
    d_z, _, d_temperature = tangents
    losses = _distillation(z, t, temperature, axis)
    p, y, x, u, apart, mean, _ = _softmaxes(z, t, temperature, axis)
    per_logit = losses / temperature
    d = jnp.where(y == 0, 0, (apart - finite(mean) - per_logit) / temperature)
    change = jnp.zeros_like(losses)
    if not isinstance(d_z, SymbolicZero):
        change += jnp.sum(temperature * gain(p, y, d) * d_z, axis, keepdims=True)
    if not isinstance(d_temperature, SymbolicZero):
        # By the teacher's softmax and by `d`; no terms that cancel where the temperature is high.
        mean_u = jnp.sum(times(y, u), axis, keepdims=True)
        u = jnp.where(y == 0, 0, u - mean_u)
        x = x - mean_u - mean - per_logit
        small = jnp.clip(d, -1, 1)
        near = y * jnp.square(small) * (u * _per_square(small) + temperature * small * _per_cube(small))
        far = times(p, x - 2 * temperature) - y * (u * (1 + d) - temperature * (2 + d))
        slope = -jnp.sum(jnp.where((jnp.abs(d) < 1) & (y > 0), near, far), axis, keepdims=True)
        change += jnp.where(losses == jnp.inf, 0, slope) * d_temperature
    return losses, change


_distillation.defjvp(_distillation_rule, symbolic_zeros=True)


def _per_square(t: Array) -> Array:
    """``exp_remainder(t) / t**2`` for `t` in [-1, 1]."""
    return horner(t, *(1 / math.factorial(n) for n in range(2, _terms(t))))


def _per_cube(t: Array) -> Array:
    """``(t * expm1(t) - 2 * exp_remainder(t)) / t**3`` for `t` in [-1, 1]."""
    return horner(t, *((n - 2) / math.factorial(n) for n in range(3, _terms(t))))


def _terms(t: Array) -> int:
    """Where a series of reciprocal factorials has reached the precision of `t`."""
    return 13 if t.dtype == jnp.float32 else 21
