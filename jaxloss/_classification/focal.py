"""Binary cross entropies that weigh examples by how well they are classified already."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import inputs
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, NonNegative, Proportion, Reduction
from .._numerics.derivatives import quotient, squarable, times, unbounded, with_partials
from .._numerics.elementary import log1p_unit, power, sigmoid, softplus
from .._numerics.logistic import (
    binary_nll,
    binary_slope,
    focal_by_gamma,
    focal_nll,
    focal_slope,
    smoothed,
    split_by_sign,
)


@jit
def sigmoid_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma: NonNegative = 2.0,
    alpha: Proportion | None = None,
    label_smoothing: Proportion | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Binary cross entropy that turns away from easy examples.

    .. math::
      \ell = \alpha_t (1 - p_t)^\gamma \left( -y \log p - (1 - y) \log (1 - p) \right) \qquad p = \sigma(z)

    with :math:`p_t = y p + (1 - y) (1 - p)` and :math:`\alpha_t = \alpha y + (1 - \alpha) (1 - y)`, for labels between
    0 and 1 too (as in Optax and torchvision; MONAI weighs the two terms separately). Without ``alpha``,
    :math:`\alpha_t` is 1. Label smoothing :math:`\varepsilon` comes first: :math:`y \leftarrow (1 - \varepsilon) y +
    \varepsilon / 2`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when nearly all examples are easy negatives, as the background is for a detector. It has no noise model:
    it isn't proper, and its probabilities come out less sure than they should be. A wrong label pulls as hard as under
    `binary_cross_entropy_with_logits`, and no easy example outweighs it. torchvision's default is ``alpha=0.25``, which
    Keras ignores unless told not to.

    Args:
      logits: any shape.
      labels: numbers in [0, 1] of the logits' shape.
      gamma: at least 0; 0 is `binary_cross_entropy_with_logits`.
      alpha: in [0, 1], the share of the positives.
      label_smoothing: in [0, 1], toward 1/2.

    Returns:
      The reduced loss, at least float32; per element in the logits' shape with ``reduction="none"``.

    Source: Lin et al., *Focal loss for dense object detection* (2017), arXiv:1708.02002.

    Example:
      >>> logits, labels = jnp.array([4.0, -4.0, 1000.0]), jnp.array([1, 1, 0])
      >>> jaxloss.sigmoid_focal_loss(logits, labels, reduction="none")
      Array([5.871571e-06, 3.874907e+00, 1.000000e+03], dtype=float32)
    """
    logits, labels = inputs.proportions(mask, logits=logits, labels=labels)
    shares = None if alpha is None else (jnp.asarray(alpha), 1 - jnp.asarray(alpha))
    if label_smoothing is not None:
        swap = labels > 0.5  # the two sides, so that the smaller share is the one to smooth
        logits = jnp.where(swap, -logits, logits)
        labels = smoothed(jnp.where(swap, 1 - labels, labels), jnp.asarray(label_smoothing))
        if shares is not None:
            shares = jnp.where(swap, *shares[::-1]), jnp.where(swap, *shares)
    losses = _focal(logits, labels, gamma)
    if shares is not None:
        losses = times(shares[0] * labels + shares[1] * (1 - labels), losses)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def asymmetric_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma_positive: NonNegative = 1.0,
    gamma_negative: NonNegative = 4.0,
    clip: Proportion = 0.05,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Focal loss with one strength for positives, another for negatives, and easy negatives left out.

    .. math::
      \ell = -y (1 - p)^{\gamma_+} \log p - (1 - y) q^{\gamma_-} \log (1 - q) \qquad p = \sigma(z), \;
      q = \max(p - m, 0)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for many labels at once, of which an example has few: negatives below the ``clip`` :math:`m` cost nothing,
    the others ever less the easier they are. It has no noise model. A negative that is labelled wrongly stops pulling
    once the model is sure of it: as :math:`z` grows its gradient vanishes, because :math:`1 - q` stops at :math:`m`; a
    positive pulls as under `binary_cross_entropy_with_logits`.

    Args:
      logits: any shape.
      labels: numbers in [0, 1] of the logits' shape.
      gamma_positive: at least 0, for positives.
      gamma_negative: at least 0, for negatives.
      clip: in [0, 1], the probability :math:`m` below which a negative costs nothing.

    Returns:
      The reduced loss, at least float32; per element in the logits' shape with ``reduction="none"``.

    Source: Ridnik et al., *Asymmetric loss for multi-label classification* (2021), arXiv:2009.14119.

    Example:
      >>> jaxloss.asymmetric_loss(jnp.array([0.0, 0.0, -4.0]), jnp.array([1, 0, 0]), reduction="none")
      Array([0.3465736 , 0.02451511, 0.        ], dtype=float32)
    """
    logits, labels = inputs.proportions(mask, logits=logits, labels=labels)
    losses = _asymmetric(inputs.spoiled(logits, labels), labels, gamma_positive, gamma_negative, clip)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _numerator(z: Array, y: Array) -> tuple[Array, Array, Array]:
    """The miss is ``(right * e + wrong) / (1 + e)``: where nothing is wrong, the numerator (there 1 for e), and e."""
    _, wrong, right, e = split_by_sign(z, 1 - y, y)
    return wrong == 0, jnp.where(wrong == 0, 1, right * e + wrong), e


def _miss_bend(z: Array, y: Array) -> Array:
    sign, wrong, right, e = split_by_sign(z, 1 - y, y)
    sure, numerator, _ = _numerator(z, y)
    change = quotient(quotient(e * (right * jnp.square(e) - wrong), numerator), numerator)
    return sign * (1 - 2 * y) * jnp.where(sure, e, change) / jnp.square(1 + e)


def _miss_bend_by_label(z: Array, y: Array) -> Array:
    sure, numerator, e = _numerator(z, y)
    return -jnp.where(sure, _finite_reciprocal(e), quotient(quotient(e, numerator), numerator))


@with_partials(_miss_bend, _miss_bend_by_label)
def _miss_slope(z: Array, y: Array) -> Array:
    """The derivative of `_log_miss` in `z`."""
    sure, numerator, e = _numerator(z, y)
    return (1 - 2 * y) * quotient(jnp.where(sure, 1, e), numerator) / (1 + e)


def _miss_by_label(z: Array, y: Array) -> Array:
    sure, numerator, e = _numerator(z, y)
    return jnp.where(z < 0, 1, -1) * (1 - e) * _finite_reciprocal(jnp.where(sure, e, numerator))


def _finite_reciprocal(x: Array) -> Array:
    return 1 / jnp.maximum(x, jnp.finfo(x.dtype).tiny)


@with_partials(_miss_slope, _miss_by_label)
def _log_miss(z: Array, y: Array) -> Array:
    """``log(y * sigmoid(-z) + (1 - y) * sigmoid(z))``."""
    sure, numerator, e = _numerator(z, y)
    return jnp.where(sure, -jnp.abs(z), jnp.log(numerator)) - log1p_unit(e)


def _power(z: Array, y: Array, gamma: Array) -> Array:
    return jnp.exp(times(gamma, _log_miss(z, y)))


def _focal_slope(z: Array, y: Array, gamma: Array) -> Array:
    return _power(z, y, gamma) * (times(gamma * _miss_slope(z, y), binary_nll(z, y)) + binary_slope(z, y))


def _focal_by_label(z: Array, y: Array, gamma: Array) -> Array:
    less = times(sigmoid(-z) - sigmoid(z), jnp.exp(times(gamma - 1, _log_miss(z, y))))
    return times(gamma * binary_nll(z, y), less) - times(_power(z, y, gamma), z)


def _focal_by_gamma(z: Array, y: Array, gamma: Array) -> Array:
    z = squarable(z)
    return times(_power(z, y, gamma) * binary_nll(z, y), _log_miss(z, y))


@with_partials(_focal_slope, unbounded(_focal_by_label), unbounded(_focal_by_gamma))
def _focal(z: Array, y: Array, gamma: Array) -> Array:
    return times(_power(z, y, gamma), binary_nll(z, y))


def _clipped(z: Array, clip: Array) -> tuple[Array, Array, Array, Array]:
    """``q = max(sigmoid(z) - clip, 0)``, ``-log(1 - q)``, that over q, and ``log q``."""
    q = jnp.maximum(sigmoid(z) - clip, 0)
    small = jnp.minimum(q, 0.5)
    log_rest = jnp.where(clip == 0, -softplus(z), jnp.log(sigmoid(-z) + jnp.where(clip == 0, 1, clip)))
    log = jnp.where(q < 0.5, -jnp.log1p(-small), -log_rest)
    ratio = jnp.where(q < 1e-4, 1 + 0.5 * q, log / jnp.where(q < 1e-4, 1, q))
    near = jnp.where(q < 0.5, 0, -sigmoid(-z) - clip)  # q - 1
    return q, log, ratio, jnp.where(q < 0.5, jnp.log(jnp.where(q > 0, small, 1)), jnp.log1p(near))


def _clipped_by_q(z: Array, gamma: Array, clip: Array) -> tuple[Array, Array]:
    """The two terms of the derivative in q, the second but for 1 / (1 - q)."""
    q, _, ratio, _ = _clipped(z, clip)
    raised = jnp.where(q > 0, power(jnp.where(q > 0, q, 1), gamma), 0)
    return gamma * raised * ratio, raised


def _clipped_slope(z: Array, gamma: Array, clip: Array) -> Array:
    z = squarable(z)
    first, second = _clipped_by_q(z, gamma, clip)
    rest = sigmoid(-z)
    share = jnp.where(clip == 0, 1, rest / (rest + jnp.where(clip == 0, 1, clip)))
    return sigmoid(z) * (times(rest, first) + second * share)


def _clipped_by_gamma(z: Array, gamma: Array, clip: Array) -> Array:
    q, log, _, log_q = _clipped(squarable(z), clip)
    return jnp.where(q > 0, times(power(jnp.where(q > 0, q, 1), gamma) * log, log_q), 0)


def _clipped_by_clip(z: Array, gamma: Array, clip: Array) -> Array:
    first, second = _clipped_by_q(squarable(z), gamma, clip)
    return -first - second / jnp.maximum(sigmoid(-z) + clip, jnp.finfo(z.dtype).tiny)


@with_partials(_clipped_slope, _clipped_by_gamma, _clipped_by_clip)
def _clipped_focal(z: Array, gamma: Array, clip: Array) -> Array:
    q, log, _, _ = _clipped(z, clip)
    return power(q, gamma) * log


# One function, so that XLA goes through memory once for the loss and once for its slope.
@with_partials(
    lambda z, y, g, h, clip: times(1 - y, _clipped_slope(z, h, clip)) - times(y, focal_slope(-z, g)),
    unbounded(lambda z, y, g, h, clip: focal_nll(-z, g) - _clipped_focal(z, h, clip)),
    lambda z, y, g, h, clip: times(y, focal_by_gamma(-z, g)),
    lambda z, y, g, h, clip: times(1 - y, _clipped_by_gamma(z, h, clip)),
    lambda z, y, g, h, clip: times(1 - y, _clipped_by_clip(z, h, clip)),
)
def _asymmetric(z: Array, y: Array, positive: Array, negative: Array, clip: Array) -> Array:
    return times(y, focal_nll(-z, positive)) + times(1 - y, _clipped_focal(z, negative, clip))
