"""Cross entropies of yes or no."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import classes, inputs
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.shapes import bool_mask
from .._contract.types import Array, ArrayLike, AxisName, NonNegatives, Proportion, Reduction
from .._numerics.derivatives import at_least, quotient, with_partials
from .._numerics.logistic import smoothed_binary_nll, weighted_binary_nll


@jit
def binary_cross_entropy(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy of two classes, from the probability of the positive one.

    .. math::
      \ell = -y \log p - (1 - y) \log(1 - p)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    A probability of exactly 0 or 1 costs 0 where it agrees with the label. Where it disagrees, it counts as the
    smallest normal number of its dtype, :math:`t`, as does whatever lies below: it costs :math:`-\log t` (87.3 in
    float32 and bfloat16, 9.7 in float16), with the gradient :math:`\mp 1 / t` toward the label.
    (PyTorch's ends at 100, Keras' at about 16.)

    Choose it when the model gives probabilities; `binary_cross_entropy_with_logits` is more accurate. Its noise model
    is the Bernoulli distribution.

    Args:
      probs: probabilities in [0, 1], any shape.
      labels: numbers in [0, 1] of the shape of ``probs``.

    Returns:
      The reduced loss, at least float32; per element in the shape of ``probs`` with ``reduction="none"``. The mean is
      over all elements: an autoencoder, whose loss is a sum over pixels, takes ``"sum"`` and divides by the images.

    Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.2.

    Example:
      >>> jaxloss.binary_cross_entropy(jnp.array([0.5, 0.0, 1.0]), jnp.array([1, 0, 0]), reduction="none")
      Array([ 0.6931472,  0.       , 87.33655  ], dtype=float32)
    """
    p, y = inputs.elementwise(mask, harmless=0.5, probs=probs, labels=labels)
    p, y = inputs.valid("probs", p, "[0, 1]", probs), inputs.valid("labels", y, "[0, 1]", labels)
    least = jnp.finfo(jnp.result_type(probs)).tiny
    losses = _binary_cross_entropy(inputs.spoiled(p, y), y, jnp.asarray(least, p.dtype))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    pos_weight: NonNegatives | None = None,
    label_smoothing: Proportion | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy of two classes, from the logit of the positive one; also one of many labels at once.

    .. math::
      \ell = -w y \log \sigma(z) - (1 - y) \log \sigma(-z)

    with the positive weight :math:`w` and, under label smoothing :math:`\varepsilon`,
    :math:`y \leftarrow (1 - \varepsilon) y + \varepsilon / 2`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for yes-or-no questions, one or many an example. Its noise model is the Bernoulli distribution; the
    gradient, :math:`\sigma(z) - y` without ``pos_weight``, never exceeds 1.

    Args:
      logits: any shape.
      labels: numbers in [0, 1] of the logits' shape.
      pos_weight: at least 0, multiplies the term of the positive label only (of soft labels too). A scalar,
        ``[classes]`` along the last axis, or the logits' rank with each dimension equal or 1.
      label_smoothing: in [0, 1], toward 1/2.

    Returns:
      The reduced loss, at least float32; per element in the logits' shape with ``reduction="none"``. The mean is
      over all elements: an autoencoder, whose loss is a sum over pixels, takes ``"sum"`` and divides by the images.

    Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.2.

    Example:
      >>> logits, labels = jnp.array([0.0, jnp.inf, 3.0]), jnp.array([1, 1, 0])
      >>> jaxloss.binary_cross_entropy_with_logits(logits, labels, reduction="none")
      Array([0.6931472, 0.       , 3.0485873], dtype=float32)
    """
    logits, labels = inputs.proportions(mask, logits=logits, labels=labels)
    positive, unfit = jnp.ones((), logits.dtype), labels
    if pos_weight is not None:
        positive = classes.lined_up("pos_weight", pos_weight, logits, logits.ndim - 1)
        if mask is not None:
            positive = jnp.where(bool_mask(mask, logits.shape), positive, 1)
        unfit = unfit + positive
    if label_smoothing is None:
        losses = weighted_binary_nll(inputs.spoiled(logits, unfit), labels, positive)
    else:
        smoothing = jnp.asarray(label_smoothing)
        losses = smoothed_binary_nll(inputs.spoiled(logits, unfit + smoothing), labels, positive, smoothing)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _log(p: Array, least: Array) -> Array:
    return jnp.where(p < least, jnp.log(least), jnp.log(jnp.where(p < least, 1, p)))


def _log_not(p: Array, least: Array) -> Array:
    """``log(1 - p)``, accurate for small `p` and no less so for `p` near 1, where ``1 - p`` is exact."""
    return jnp.where(p < 0.5, jnp.log1p(-jnp.minimum(p, 0.5)), _log(1 - p, least))


@with_partials(
    lambda p, y, least: quotient(1 - y, at_least(1 - p, least)) - quotient(y, at_least(p, least)),
    lambda p, y, least: _log_not(p, least) - _log(p, least),
)
def _binary_cross_entropy(p: Array, y: Array, least: Array) -> Array:
    return y * -_log(p, least) + (1 - y) * -_log_not(p, least)
