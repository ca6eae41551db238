"""Losses for a class against scores or probabilities."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from .._contract import classes, devices, inputs
from .._contract.arrays import real
from .._contract.checks import nan_unless, nearest, report, rounding
from .._contract.jit import jit_over_classes
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, NonNegative, Proportion, Reduction
from .._contract.weights import weigh
from .._numerics.derivatives import times
from .._numerics.nll import smoothed_nll
from .._numerics.softmax import present


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
      class_weights: ``[classes]``; an example counts with the (expected) weight of its label. The mean divides by these
        weights too.
      ignore_index: integer labels of this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.4.

    Example:
      >>> jaxloss.nll_loss(jnp.log(jnp.array([[0.5, 0.5], [0.25, 0.75]])), jnp.array([0, 1]), reduction="none")
      Array([0.6931472 , 0.28768212], dtype=float32)
    """
    given = log_probs
    log_probs, labels, poison, axis, mask, reads = classes.labelled(
        mask, labels, log_probs=log_probs, axis=axis, ignore_index=ignore_index
    )
    near = rounding(given, log_probs.dtype)
    fits = log_probs <= near
    if real(labels):
        fits |= labels == 0
        report("log_probs", log_probs, fits, "be at most 0")
        poison = poison + nan_unless(jnp.all(fits, axis, keepdims=True), log_probs.dtype)
        losses = -jnp.sum(times(labels + poison, nearest(log_probs, "[-inf, 0]")), axis)
    else:
        report("log_probs", log_probs, fits | ~classes.is_label(log_probs, labels, axis), "be at most 0")
        entries = _label_entry(reads(), labels, poison, near, axis)
        losses = -nearest(jnp.squeeze(entries, axis), "[-inf, 0]")
    weights = weigh(weights, class_weights, labels, mask, axis, log_probs)
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
    model is: where many are wrong, see `generalized_cross_entropy`.

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
    logits, labels, poison, axis, mask, reads = classes.labelled(
        mask,
        labels,
        logits=logits,
        axis=axis,
        class_mask=class_mask,
        ignore_index=ignore_index,
        axis_name=class_axis_name,
    )
    losses = smoothed_nll(reads(), labels, poison, axis, label_smoothing, z_loss, class_axis_name)
    losses = jnp.squeeze(losses, axis)
    weights = weigh(weights, class_weights, labels, mask, axis, logits, class_axis_name)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def _label_entry(reads: classes.Reads, labels: Array, poison: Array, near: float, axis: int) -> Array:
    """The entry at the label; NaN where that is above 0, or poisoned, and so is the gradient of the whole row.

    It is all that is read of the scores, and before these are widened.
    """
    entry = classes.at_label(reads.top, labels, axis, alone=True).astype(poison.dtype)
    entry = present(entry, reads)
    return entry + poison + nan_unless(entry <= near, entry.dtype)


@_label_entry.defjvp
def _(near: float, axis: int, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    reads, labels, _ = primals
    value = _label_entry(*primals, near, axis)
    slope = inputs.spoiled(classes.is_label(reads.scores, labels, axis).astype(value.dtype), value)
    slope = jnp.where(False, reads.scores, slope)  # nothing to compute, but XLA places it where its operands lie
    change = jnp.sum(slope * tangents[0].scores, axis, keepdims=True)
    return value, present(change, reads)
