"""Divergences between distributions over classes, from log-probabilities."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp

from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, Axes, AxisName, Proportion, Reduction
from .._numerics.derivatives import clip_to_finite, quotient, times, unbounded, with_partials
from .distributions import excess, finite, from_logs, gain, log_or, to_mixture


@jit
def kl_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    log_labels: bool = False,
    axis: Axes = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Kullback-Leibler divergence of the predicted distribution from the label's.

    .. math::
      \ell = \sum_c y_c \left( \log y_c - \log p_c \right)

    A class with :math:`y_c = 0` adds 0 whatever :math:`p_c` is; one with :math:`p_c = 0 < y_c` makes the divergence
    infinite. Neither distribution is renormalised, so it is at least 0 only as far as both sum to 1.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to fit a distribution to another: soft labels, a teacher (from logits `distillation_loss` is more
    accurate), an approximate posterior. It is the cross entropy less the entropy of the labels, so its gradient is the
    same, :math:`-y`, and its noise model the categorical distribution. It charges most where the labels have
    probability and the model has none: one wrong label pulls with all of its probability.

    Args:
      log_probs: logarithms of probabilities, at most 0 (``-inf`` too), any shape with ``axis``.
      labels: probabilities of the shape of ``log_probs``, or their logarithms.
      log_labels: whether the labels are logarithms. (PyTorch's ``log_target``.)
      axis: the axis of the classes, or a tuple of axes.

    Returns:
      The reduced loss, at least float32; per distribution, without ``axis``, with ``reduction="none"``. The mean is
      over distributions. (PyTorch's ``"mean"`` is over classes too.)

    Source: Kullback and Leibler, *On information and sufficiency* (1951), doi:10.1214/aoms/1177729694.

    Example:
      >>> probs, labels = jnp.array([[0.25, 0.75], [0.5, 0.5]]), jnp.array([[0.25, 0.75], [0.0, 1.0]])
      >>> jaxloss.kl_divergence(jnp.log(probs), labels, reduction="none")
      Array([0.       , 0.6931472], dtype=float32)
    """
    log_probs, labels, sound, axes = from_logs(mask, axis, log_probs, labels, "[-inf, 0]" if log_labels else "[0, 1]")
    terms = (_kl_of_logs if log_labels else _kl)(labels, log_probs)
    return reduce(sound * jnp.sum(terms, axes), weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def reverse_kl_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    log_labels: bool = False,
    axis: Axes = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Kullback-Leibler divergence of the label's distribution from the predicted one.

    .. math::
      \ell = \sum_c p_c \left( \log p_c - \log y_c \right)

    A class with :math:`p_c = 0` adds 0 whatever :math:`y_c` is; one with :math:`y_c = 0 < p_c` makes the divergence
    infinite. Neither distribution is renormalised.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when the model should settle on one mode of the labels instead of covering all, as in variational
    inference and when small models learn from large ones. The labels must have no zeros where the model has
    probability: one-hot labels cost infinity. A class that the labels wrongly rule out pulls with
    :math:`p (\log p - \log y + 1)`, without bound; one that they wrongly favour hardly pulls while :math:`p` is small.

    Args:
      log_probs: logarithms of probabilities, at most 0 (``-inf`` too), any shape with ``axis``.
      labels: probabilities of the shape of ``log_probs``, or their logarithms.
      log_labels: whether the labels are logarithms, which reach further down than probabilities.
      axis: the axis of the classes, or a tuple of axes.

    Returns:
      The reduced loss, at least float32; per distribution, without ``axis``, with ``reduction="none"``.

    Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 10.1.2; Gu et al. 2024, arXiv:2306.08543
    (distillation).

    Example:
      >>> probs, labels = jnp.array([[0.25, 0.75], [0.0, 1.0]]), jnp.array([[0.25, 0.75], [0.5, 0.5]])
      >>> jaxloss.reverse_kl_divergence(jnp.log(probs), labels, reduction="none")
      Array([0.       , 0.6931472], dtype=float32)
    """
    log_probs, labels, sound, axes = from_logs(mask, axis, log_probs, labels, "[-inf, 0]" if log_labels else "[0, 1]")
    terms = _kl_of_logs(log_probs, labels) if log_labels else _reverse_kl(log_probs, labels)
    return reduce(sound * jnp.sum(terms, axes), weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def generalized_kl_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Kullback-Leibler divergence of measures, which need not sum to 1.

    .. math::
      \ell = \sum_c y_c \left( \log y_c - \log p_c \right) - y_c + p_c

    Each term is at least 0, and 0 only where the two agree; where both sum to 1 it is `kl_divergence`, and near
    agreement more accurate.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for histograms, spectra and other non-negative amounts whose total counts too, as in non-negative matrix
    factorisation. Its noise model is the Poisson distribution, with the rates :math:`p`. An outlier pulls with
    :math:`p - y`: too large in proportion to itself, too small with no more than :math:`p`.

    Args:
      log_probs: logarithms of amounts, below infinity (``-inf`` too), any shape with ``axis``.
      labels: amounts of at least 0, of the shape of ``log_probs``.
      axis: the axis to be summed over, or a tuple of axes.

    Returns:
      The reduced loss, at least float32; per measure, without ``axis``, with ``reduction="none"``.

    Source: Csiszár, *Why least squares and maximum entropy?* (1991), doi:10.1214/aos/1176348385.

    Example:
      >>> amounts, labels = jnp.array([[1.0, 2.0], [1.0, 2.0]]), jnp.array([[1.0, 2.0], [0.0, 4.0]])
      >>> jaxloss.generalized_kl_divergence(jnp.log(amounts), labels, reduction="none")
      Array([0.       , 1.7725887], dtype=float32)
    """
    log_probs, labels, sound, axes = from_logs(mask, axis, log_probs, labels, "[0, inf)", "[-inf, inf)")
    losses = sound * jnp.sum(_generalized_kl(log_probs, labels), axes)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def js_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    mixture: Proportion = 0.5,
    axis: Axes = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Jensen-Shannon divergence: how far two distributions lie from their mixture.

    .. math::
      \ell = \pi \, \mathrm{KL}(y \,\|\, m) + (1 - \pi) \, \mathrm{KL}(p \,\|\, m)
      \qquad\text{with}\qquad
      m = \pi y + (1 - \pi) p

    It is never infinite: at most the entropy of the mixture's weights, :math:`\log 2` at 1/2, where it is symmetric. It
    goes to 0 at both ends of the mixture. Divided by :math:`\pi` it becomes :math:`\mathrm{KL}(y \,\|\, p)` as
    :math:`\pi \to 0`, which is `kl_divergence`; divided by :math:`1 - \pi` it becomes :math:`\mathrm{KL}(p \,\|\, y)`
    as :math:`\pi \to 1`, which is `reverse_kl_divergence`. (Generalized knowledge distillation has the same formula;
    some libraries jump to those two at the ends.)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when either distribution may have zeros, or when labels may be wrong: it is bounded, and the gradient of a
    class that the model rules out vanishes, where that of `kl_divergence` doesn't, so a wrong label pulls least when
    the model is sure of another class. A mixture between 0 and 1/2 covers, one above seeks modes.

    Args:
      log_probs: logarithms of probabilities, at most 0 (``-inf`` too), any shape with ``axis``.
      labels: probabilities of the shape of ``log_probs``.
      mixture: in [0, 1], :math:`\pi`, the share of the labels in the mixture.
      axis: the axis of the classes, or a tuple of axes.

    Returns:
      The reduced loss, at least float32; per distribution, without ``axis``, with ``reduction="none"``.

    Source: Lin, *Divergence measures based on the Shannon entropy* (1991), doi:10.1109/18.61115; Agarwal et al. 2024,
    arXiv:2306.13649 (distillation); Englesson and Azizpour 2021, arXiv:2105.04522 (wrong labels).

    Example:
      >>> probs, labels = jnp.array([[0.25, 0.75], [0.0, 1.0]]), jnp.array([[0.25, 0.75], [1.0, 0.0]])
      >>> jaxloss.js_divergence(jnp.log(probs), labels, reduction="none")
      Array([0.       , 0.6931472], dtype=float32)
    """
    log_probs, labels, sound, axes = from_logs(mask, axis, log_probs, labels, "[0, 1]")
    losses = sound * jnp.sum(_js(log_probs, labels, jnp.asarray(mixture)), axes)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@with_partials(
    lambda y, log_p: clip_to_finite(jnp.where(y == 0, -finite(log_p), log_or(y, 0) + 1 - log_p)),
    lambda y, log_p: -y,
)
def _kl(y: Array, log_p: Array) -> Array:
    """``y * log(y / p)``. At y = 0 the slope of ``y * log(y)`` is taken as 0."""
    return y * (log_or(y, 0) - jnp.where(y == 0, 0, log_p))


def _logs_apart(log_y: Array, log_p: Array) -> Array:
    return jnp.where(log_y == -jnp.inf, 0, jnp.where(log_y == -jnp.inf, 0, log_y) - log_p)


@with_partials(
    lambda log_y, log_p: clip_to_finite(times(jnp.exp(log_y), _logs_apart(log_y, log_p) + 1)),
    lambda log_y, log_p: -jnp.exp(log_y),
)
def _kl_of_logs(log_y: Array, log_p: Array) -> Array:
    return times(jnp.exp(log_y), _logs_apart(log_y, log_p))


@with_partials(
    lambda log_p, y: clip_to_finite(times(jnp.exp(log_p), _logs_apart(log_p, log_or(y, -jnp.inf)) + 1)),
    lambda log_p, y: -clip_to_finite(quotient(jnp.exp(log_p), jnp.where(jnp.exp(log_p) == 0, 1, y))),
)
def _reverse_kl(log_p: Array, y: Array) -> Array:
    return times(jnp.exp(log_p), _logs_apart(log_p, log_or(y, -jnp.inf)))


@with_partials(
    unbounded(lambda log_p, y: gain(jnp.exp(log_p), y, log_p - log_or(y, 0))),
    lambda log_p, y: clip_to_finite(
        jnp.where(y == 0, jnp.where(log_p == -jnp.inf, 0, -log_p - 1), log_or(y, 0) - log_p)
    ),
)
def _generalized_kl(log_p: Array, y: Array) -> Array:
    return excess(jnp.exp(log_p), y, log_p - log_or(y, 0))


class _Mixed(NamedTuple):
    """What `to_mixture` gives for the labels and for the predictions; and the mixture."""

    of_y: Array
    log_y: Array
    of_p: Array
    log_p: Array
    m: Array


def _mixed(log_p: Array, y: Array, mixture: Array) -> _Mixed:
    p, rest = jnp.exp(log_p), 1 - mixture
    m = mixture * y + rest * p
    reciprocal = 1 / jnp.where(m == 0, 1, m)
    of_labels = to_mixture(y, m, rest * (y - p), reciprocal)
    of_predictions = to_mixture(p, m, mixture * (p - y), reciprocal)
    return _Mixed(*of_labels, *of_predictions, m)


def _js_by_log_probs(log_p: Array, y: Array, mixture: Array) -> Array:
    return times(1 - mixture, times(jnp.exp(log_p), _mixed(log_p, y, mixture).log_p))


def _js_by_labels(log_p: Array, y: Array, mixture: Array) -> Array:
    mixed = _mixed(log_p, y, mixture)
    lost = jnp.where(mixed.m == 0, 0, -log_or(mixed.m, 0) - 1)
    return times(mixture, jnp.where(y == 0, lost, mixed.log_y))


def _js_by_mixture(log_p: Array, y: Array, mixture: Array) -> Array:
    mixed = _mixed(log_p, y, mixture)
    return clip_to_finite(mixed.of_y - mixed.of_p)


@with_partials(_js_by_log_probs, _js_by_labels, _js_by_mixture)
def _js(log_p: Array, y: Array, mixture: Array) -> Array:
    """A term of the divergence. What `to_mixture` takes off the two parts adds up to 0."""
    mixed = _mixed(log_p, y, mixture)
    return times(mixture, mixed.of_y) + times(1 - mixture, mixed.of_p)
