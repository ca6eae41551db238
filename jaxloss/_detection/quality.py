"""Cross entropies of detectors, whose labels say how good a box is, how near a peak, or where an edge lies."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from .._contract import classes, inputs
from .._contract.checks import nan_unless, report, rounding
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.shapes import as_number
from .._contract.types import Array, ArrayLike, AxisName, NonNegative, Reduction
from .._numerics.derivatives import absolute, clip_to_finite, squarable, times, unbounded, with_partials
from .._numerics.elementary import power, sigmoid
from .._numerics.logistic import binary_nll, binary_slope, focal_nll
from .._numerics.nll import hard_nll
from .._numerics.softmax import row_max


@jit
def distribution_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy of the two bins between which a number lies, by how near it is to each.

    .. math::
      \ell = -(i + 1 - y) \log p_i - (y - i) \log p_{i+1} \qquad i = \lfloor y \rfloor, \; p = \mathrm{softmax}(z)

    for bins at :math:`0, 1, \dots, n`. A label that is a whole number makes it `cross_entropy`; :math:`n` is one too,
    from which mmdetection must keep away.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for a number whose distribution is wanted and may have two peaks: the edges of a box in units of the
    stride, or a return (the two-hot cross entropy of MuZero's and Dreamer's value heads). The prediction is the mean of
    the bins. Its noise model is the categorical distribution.

    Args:
      logits: scores of the bins before the softmax, ``[..., bins]``, the axis of bins at ``axis``. A logit of ``-inf``
        rules its bin out.
      labels: numbers in :math:`[0, n]`, the logits' shape without the axis of bins. Bins elsewhere, at
        :math:`a + b i`, take ``(labels - a) / b``.
      axis: the axis of bins.

    Returns:
      The reduced loss, at least float32; per number, without the axis of bins, with ``reduction="none"``.

    Source: Li et al., *Generalized focal loss* (2020), arXiv:2006.04388.

    Example:
      >>> logits = jnp.array([[0.0, 2.0, 2.0, 0.0], [0.0, 0.0, 0.0, 9.0]])
      >>> jaxloss.distribution_focal_loss(logits, jnp.array([1.5, 3.0]), reduction="none")
      Array([8.200752e-01, 3.701609e-04], dtype=float32)
    """
    given = labels
    logits, labels, _ = inputs.members(mask, axis=axis, logits=logits, labels=labels)
    axis = classes.axis_of(axis, "logits", logits)
    last = logits.shape[axis] - 1
    most, near = as_number(last, logits.dtype), rounding(given, logits.dtype)
    fits = (labels >= -near) & (labels <= most + near * most)
    report("labels", jnp.squeeze(labels, axis), jnp.squeeze(fits, axis), f"lie in [0, {last}]")
    labels = labels + lax.stop_gradient(jnp.clip(labels, 0, most) - labels)
    low = jnp.minimum(jnp.floor(lax.stop_gradient(jnp.where(fits, labels, 0))), jnp.maximum(most - 1, 0))
    reads = classes.reads(logits)
    top = row_max(logits, axis, nan_unless(fits, logits.dtype))
    below, above = (hard_nll(reads, top, bin.astype(jnp.int32), axis)[0] for bin in (low, jnp.minimum(low + 1, most)))
    losses = times(low + 1 - labels, below) + times(labels - low, above)
    return reduce(jnp.squeeze(losses, axis), weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def quality_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: NonNegative = 2.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Binary cross entropy that turns away from what is right already, for labels between 0 and 1.

    .. math::
      \ell = |y - p|^\beta \left( -y \log p - (1 - y) \log (1 - p) \right) \qquad p = \sigma(z)

    It is least, at 0, where :math:`p = y`: `sigmoid_focal_loss`, which weighs by how far a label of 0 or 1 is off, is
    least elsewhere for any other label.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for one score that says both whether there is an object and how well its box fits: the label is the
    overlap, 0 for background. It has no noise model: it isn't proper, and of labels that differ for the same input the
    mean comes out too near to 1/2. mmdetection sums over classes, and divides by the number of objects: take
    ``reduction="sum"`` and divide.

    Args:
      logits: any shape.
      labels: numbers in [0, 1] of the logits' shape.
      beta: at least 0; 0 is `binary_cross_entropy_with_logits`.

    Returns:
      The reduced loss, at least float32; per element in the logits' shape with ``reduction="none"``.

    Source: Li et al., *Generalized focal loss* (2020), arXiv:2006.04388.

    Example:
      >>> jaxloss.quality_focal_loss(jnp.array([0.0, 0.0, 3.0]), jnp.array([0.5, 0.9, 0.0]), reduction="none")
      Array([0.        , 0.11090355, 2.7662807 ], dtype=float32)
    """
    logits, labels = inputs.proportions(mask, logits=logits, labels=labels)
    return reduce(_quality_focal(logits, labels, beta), weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def varifocal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: NonNegative = 0.75,
    gamma: NonNegative = 2.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Binary cross entropy in which objects count by how well their boxes fit, and background the less the easier.

    .. math::
      \ell = \begin{cases} y \left( -y \log p - (1 - y) \log (1 - p) \right) & y > 0 \\
      -\alpha \, p^\gamma \log (1 - p) & y = 0 \end{cases} \qquad p = \sigma(z)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it as `quality_focal_loss`, where the few good boxes should count most: of objects nothing is turned down. It
    has no noise model. mmdetection divides by the number of objects: take ``reduction="sum"`` and divide.

    Args:
      logits: any shape.
      labels: numbers in [0, 1] of the logits' shape: the overlap, and exactly 0 for background. The loss jumps there.
      alpha: at least 0, the weight of the background.
      gamma: at least 0, how much easy background is turned down.

    Returns:
      The reduced loss, at least float32; per element in the logits' shape with ``reduction="none"``.

    Source: Zhang et al., *VarifocalNet* (2021), arXiv:2008.13367.

    Example:
      >>> jaxloss.varifocal_loss(jnp.array([0.0, 0.0, 3.0]), jnp.array([0.5, 0.9, 0.0]), reduction="none")
      Array([0.3465736 , 0.62383246, 2.0747104 ], dtype=float32)
    """
    logits, labels = inputs.proportions(mask, logits=logits, labels=labels)
    alpha, gamma = jnp.asarray(alpha), jnp.asarray(gamma)
    logits = inputs.spoiled(logits, labels + alpha + gamma)
    background = labels == 0
    negative = times(alpha, focal_nll(jnp.where(background, logits, 0), gamma))
    positive = times(labels, binary_nll(logits, labels))
    losses = jnp.where(background, negative, positive)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def gaussian_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: NonNegative = 2.0,
    beta: NonNegative = 4.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Focal loss of heatmaps whose peaks are objects, and what lies near a peak hardly counts as background.

    .. math::
      \ell = \begin{cases} -(1 - p)^\alpha \log p & y = 1 \\
      -(1 - y)^\beta p^\alpha \log (1 - p) & y < 1 \end{cases} \qquad p = \sigma(z)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to find points: corners, centres, keypoints, with Gaussians around them as labels. It has no noise model.
    The papers divide by the number of peaks, not of pixels: ``reduction="sum"`` over ``jnp.maximum(jnp.sum(labels ==
    1), 1)``. mmdetection's takes probabilities, and its ``gamma`` is ``beta`` here.

    Args:
      logits: any shape.
      labels: numbers in [0, 1] of the logits' shape, exactly 1 at peaks: keep them in float32, since bfloat16 rounds
        what lies near a peak to one.
      alpha: at least 0, how much what is easy is turned down.
      beta: at least 0, how fast background counts again around a peak.

    Returns:
      The reduced loss, at least float32; per element in the logits' shape with ``reduction="none"``.

    Source: Law and Deng, *CornerNet* (2018), arXiv:1808.01244; Zhou et al. 2019, arXiv:1904.07850 (CenterNet).

    Example:
      >>> logits, labels = jnp.array([2.0, 0.0, -2.0]), jnp.array([1.0, 0.8, 0.0])
      >>> jaxloss.gaussian_focal_loss(logits, labels, reduction="sum") / jnp.sum(labels == 1)
      Array(0.00388438, dtype=float32)
    """
    logits, labels = inputs.proportions(mask, logits=logits, labels=labels)
    alpha, beta = jnp.asarray(alpha), jnp.asarray(beta)
    logits = inputs.spoiled(jnp.where(labels == 1, -logits, logits), labels + beta)
    losses = _off_peak(labels, beta, focal_nll(logits, alpha))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _by_distance(x: Array, y: Array) -> Array:
    return clip_to_finite(times(y, _raised(x, y - 1)))


def _by_power(x: Array, y: Array) -> Array:
    return _raised(x, y) * jnp.log(jnp.where(x == 0, 1, x))


@with_partials(_by_distance, _by_power)
def _raised(x: Array, y: Array) -> Array:
    """``x ** y`` of a distance; no distance has no direction, so that its powers below 0 are 0 too."""
    return jnp.where(x == 0, (y == 0).astype(x.dtype), power(jnp.where(x == 0, 1, x), y))


def _share(y: Array, beta: Array) -> Array:
    peak = y == 1
    return jnp.where(peak, 1, power(jnp.where(peak, 1, 1 - y), beta))


@with_partials(
    unbounded(lambda y, beta, losses: times(jnp.where(y == 1, 0, -beta * _share(y, beta - 1)), losses)),
    unbounded(lambda y, beta, losses: times(_share(y, beta) * jnp.log(jnp.where(y == 1, 1, 1 - y)), losses)),
    lambda y, beta, losses: _share(y, beta),
)
def _off_peak(y: Array, beta: Array, losses: Array) -> Array:
    """Losses that count with ``(1 - y) ** beta``, and peaks in full."""
    return times(_share(y, beta), losses)


def _pull(z: Array, y: Array, beta: Array) -> Array:
    """The derivative of the power by the probability, or minus that by the label; times the cross entropy."""
    off = binary_slope(z, y)
    return times(beta * jnp.sign(off), _raised(absolute(off), beta - 1)) * binary_nll(z, y)


def _quality_slope(z: Array, y: Array, beta: Array) -> Array:
    z = squarable(z)
    off = binary_slope(z, y)
    return _raised(absolute(off), beta) * off + sigmoid(z) * sigmoid(-z) * _pull(z, y, beta)


def _quality_by_label(z: Array, y: Array, beta: Array) -> Array:
    return -_pull(squarable(z), y, beta) - times(_raised(absolute(binary_slope(z, y)), beta), z)


def _quality_by_beta(z: Array, y: Array, beta: Array) -> Array:
    z = squarable(z)
    return _by_power(absolute(binary_slope(z, y)), beta) * binary_nll(z, y)


@with_partials(_quality_slope, unbounded(_quality_by_label), _quality_by_beta)
def _quality_focal(z: Array, y: Array, beta: Array) -> Array:
    return times(_raised(absolute(binary_slope(z, y)), beta), binary_nll(z, y))
