"""Losses for a class against scores or probabilities."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp

from .._contract import devices, inputs
from .._contract.checks import array, message, nan_unless, real, report
from .._contract.jit import jit, jit_over_classes
from .._contract.reduction import fit, live, reduce
from .._contract.types import Array, ArrayLike, AxisName, NonNegative, NonNegatives, Proportion, Reduction
from .._numerics.derivatives import at_least, quotient, times, with_partials
from .._numerics.elementary import exp_minus_abs, log1p_unit, softplus
from .._numerics.softmax import smoothed_nll


@jit_over_classes
def nll_loss(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Negative log-likelihood of the labelled class, from log-probabilities.

    .. math::
      \ell = -\log p_y \qquad\text{or, for probabilities}\qquad \ell = -\sum_c y_c \log p_c

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when the model ends in a ``log_softmax``; from logits `cross_entropy` is more accurate and takes less
    memory. Its noise model is the categorical distribution.

    Args:
      log_probs: logarithms of probabilities, ``[..., classes]``, the class axis at ``axis``.
      labels: class indices, the shape of ``log_probs`` without the class axis; or probabilities of its whole shape.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its label.
      ignore_index: integer labels of this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.4.

    Example:
      >>> jaxloss.nll_loss(jnp.log(jnp.array([[0.5, 0.5], [0.25, 0.75]])), jnp.array([0, 1]), reduction="none")
      Array([0.6931472 , 0.28768212], dtype=float32)
    """
    log_probs, labels, doubt, axis, mask, _ = inputs.classes(
        mask, labels, log_probs=log_probs, axis=axis, ignore_index=ignore_index
    )
    if real(labels):
        fits = (log_probs <= 0) | (labels == 0)
        report("log_probs", log_probs, fits, "be at most 0")
        doubt = doubt + nan_unless(jnp.all(fits, axis, keepdims=True), log_probs.dtype)
        losses = -jnp.sum(times(labels + doubt, log_probs), axis)
    else:
        fits = (log_probs <= 0) | ~inputs.is_label(log_probs, labels, axis)
        report("log_probs", log_probs, fits, "be at most 0")
        doubt = doubt + nan_unless(inputs.at(log_probs, labels, axis) <= 0, log_probs.dtype)
        losses = -jnp.squeeze(_label_entry(log_probs, labels, doubt, axis), axis)
    weights = weigh_classes(weights, class_weights, labels, mask, axis, log_probs)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


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
      The reduced loss, at least float32; per element in the shape of ``probs`` with ``reduction="none"``.

    Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.2.

    Example:
      >>> jaxloss.binary_cross_entropy(jnp.array([0.5, 0.0, 1.0]), jnp.array([1, 0, 0]), reduction="none")
      Array([ 0.6931472,  0.       , 87.33655  ], dtype=float32)
    """
    p, y = inputs.elementwise(mask, harmless=0.5, probs=probs, labels=labels)
    p, y = inputs.valid("probs", p, "[0, 1]"), inputs.valid("labels", y, "[0, 1]")
    least = jnp.finfo(jnp.result_type(probs)).tiny
    losses = _binary_cross_entropy(p, y, jnp.asarray(least, p.dtype))
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
      The reduced loss, at least float32; per element in the logits' shape with ``reduction="none"``.

    Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.2.

    Example:
      >>> logits, labels = jnp.array([0.0, jnp.inf, 3.0]), jnp.array([1, 1, 0])
      >>> jaxloss.binary_cross_entropy_with_logits(logits, labels, reduction="none")
      Array([0.6931472, 0.       , 3.0485873], dtype=float32)
    """
    logits, labels = inputs.elementwise(mask, logits=logits, labels=labels)
    labels = inputs.valid("labels", labels, "[0, 1]")
    if label_smoothing is not None:
        labels = labels + label_smoothing * (0.5 - labels)
    positive = jnp.ones((), logits.dtype)
    if pos_weight is not None:
        positive = inputs.over_classes("pos_weight", pos_weight, logits, logits.ndim - 1)
    losses = binary_nll(logits, labels, positive)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit_over_classes
def cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    class_mask: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    label_smoothing: Proportion | None = None,
    z_loss: NonNegative | None = None,
    class_axis_name: AxisName | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy of the softmax with a class, or with a distribution over classes.

    .. math::
      \ell = \log \textstyle\sum_c e^{z_c} - z_y
      \qquad\text{or, for probabilities}\qquad
      \ell = \sum_c y_c \left(\log \textstyle\sum_k e^{z_k} - z_c\right)

    Label smoothing :math:`\varepsilon` gives :math:`\varepsilon / K` of the label to each of the :math:`K` classes
    (that ``class_mask`` allows): :math:`y \leftarrow (1 - \varepsilon) y + \varepsilon / K`. The z-loss adds
    :math:`\zeta (\log \sum_c e^{z_c})^2`, under the same weights.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to train a classifier or a language model; its noise model is the categorical distribution. The gradient,
    :math:`\mathrm{softmax}(z) - y`, never exceeds 1, but a wrong label pulls with nearly all of it however sure the
    model is: smooth the labels if many are wrong.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``. A logit of ``-inf`` rules its
        class out.
      labels: class indices, the logits' shape without the class axis; or probabilities of the logits' shape, which are
        not renormalised. The dtype decides.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its own label, before smoothing. The
        mean divides by these weights too.
      class_mask: bool, ``[classes]`` or the logits' rank with each dimension equal or 1; classes that are False take no
        part, whatever their logits hold. A label among them is out of range.
      ignore_index: integer labels of this value are masked. None ignores nothing (PyTorch ignores -100 by default).
      label_smoothing: in [0, 1], over all classes.
      z_loss: at least 0; around 1e-4 keeps the logits of large models from drifting (Chowdhery et al. 2022).
      class_axis_name: axis of a surrounding ``shard_map`` over whose devices the classes are split, or a tuple of axes.
        Each device passes its slice of whatever has an axis of classes, in equal parts and in order, and all pass the
        same rows, whose integer labels count the classes of all. Value and gradient are those of the whole; under
        ``check_vma=False`` only a gradient that is taken inside.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Raises:
      ValueError: if ``class_axis_name`` is no axis of a surrounding ``shard_map``, or also an ``axis_name``.

    Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.4; Szegedy et al. 2016,
    arXiv:1512.00567 (label smoothing); Chowdhery et al. 2022, arXiv:2204.02311 (z-loss).

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> jaxloss.cross_entropy(logits, jnp.array([0, 1]), reduction="none")
      Array([0.23954484, 5.0133862 ], dtype=float32)
      >>> jaxloss.cross_entropy(logits, jnp.array([0, -1]), ignore_index=-1)
      Array(0.23954484, dtype=float32)
    """
    devices.splits_classes(class_axis_name, axis_name)
    over = class_axis_name
    logits, labels, doubt, axis, mask, class_mask = inputs.classes(
        mask, labels, logits=logits, axis=axis, class_mask=class_mask, ignore_index=ignore_index, over=over
    )
    losses = smoothed_nll(logits, labels, doubt, axis, class_mask, label_smoothing, z_loss, over)
    losses = jnp.squeeze(losses, axis)
    weights = weigh_classes(weights, class_weights, labels, mask, axis, logits, over)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def weigh_classes(
    weights: ArrayLike | None,
    class_weights: ArrayLike | None,
    labels: Array,
    mask: ArrayLike | None,
    axis: int,
    logits: Array | jax.ShapeDtypeStruct,
    over: AxisName | None = None,
) -> ArrayLike | None:
    """The weights of the rows of these logits times the (expected) weight of their classes."""
    if class_weights is None:
        return weights
    rows = logits.shape[:axis] + logits.shape[axis + 1 :]
    by_class = each_class(class_weights, logits.shape[axis]).astype(logits.dtype)
    if real(labels):
        expected = jnp.sum(labels * inputs.along(by_class, labels.ndim, axis), axis)
    else:
        expected = inputs.by_label(by_class, labels, axis)
    (expected,) = devices.total([expected], over)
    factors = [expected] if weights is None else [expected, fit("weights", weights, rows).astype(logits.dtype)]
    if mask is not None:  # before the product, where a masked NaN would reach the derivative of the other factor
        factors = [jnp.where(live(mask, rows), factor, 0) for factor in factors]
    return math.prod(factors)


def each_class(class_weights: ArrayLike, count: int) -> Array:
    by_class = array("class_weights", class_weights)
    if by_class.shape != (count,):
        raise ValueError(
            message(f"class_weights must have shape ({count},), one for each class, got shape {by_class.shape}")
        )
    return by_class


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def _label_entry(x: Array, labels: Array, doubt: Array, axis: int) -> Array:
    """The entry at the label; where that is in doubt it is NaN, and so is the gradient of the whole row."""
    return inputs.at(x, labels, axis) + doubt


@_label_entry.defjvp
def _(axis: int, primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    x, labels, doubt = primals
    slope = inputs.is_label(x, labels, axis).astype(x.dtype) + doubt
    return _label_entry(x, labels, doubt, axis), jnp.sum(slope * tangents[0], axis, keepdims=True)


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


def shares(z: Array, negative: Array, positive: Array) -> tuple[Array, Array, Array, Array]:
    """The sign of a logit; the shares that the logit speaks against and for; ``exp(-abs(z))``."""
    up = z >= 0
    sign = jnp.where(up, 1, -1)
    return sign, jnp.where(up, negative, positive), jnp.where(up, positive, negative), exp_minus_abs(z)


def binary_slope(z: Array, y: Array, w: Array) -> Array:
    sign, wrong, right, e = shares(z, 1 - y, w * y)
    return sign * (wrong - right * e) / (1 + e)


@with_partials(
    binary_slope, lambda z, y, w: times(w, softplus(-z)) - softplus(z), lambda z, y, w: times(y, softplus(-z))
)
def binary_nll(z: Array, y: Array, w: Array) -> Array:
    """Nothing here is subtracted, so a confident loss keeps its relative accuracy."""
    _, wrong, right, e = shares(z, 1 - y, w * y)
    return times(wrong, jnp.abs(z)) + (wrong + right) * log1p_unit(e)
