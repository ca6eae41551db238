"""Ordinal regression."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import inputs
from .._contract.arrays import array, iota, real
from .._contract.checks import nan_unless, nan_with_any, report
from .._contract.jit import jit_over_classes
from .._contract.messages import message
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.logistic import binary_nll


@jit_over_classes
def coral_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Binary cross entropy of every threshold between ordered classes.

    .. math::
      \ell = -\sum_{k=1}^{K-1} [y \ge k] \log \sigma(z_k) + [y < k] \log \sigma(-z_k)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for ratings, stages and ages: a prediction that is off by three costs more than one that is off by one.
    Each threshold is a yes-or-no question of its own, whose noise model is the Bernoulli distribution. The answers
    of an example agree if its logits differ by a bias only, as in CORAL: ``score[..., None] + biases``. A wrong
    label pulls with 1 at most at each threshold between it and the right one.

    Args:
      logits: of lying above each threshold, ``[..., classes - 1]``, the thresholds at ``axis``.
      labels: class indices from 0 to ``classes - 1``, the logits' shape without ``axis``.
      axis: the axis of the thresholds.

    Returns:
      The reduced loss, at least float32; per example, summed over the thresholds, with ``reduction="none"``.

    Source: Cao et al., *Rank consistent ordinal regression for neural networks* (2020), arXiv:1901.07884.

    Example:
      >>> jaxloss.coral_loss(jnp.array([[1.0, 0.0, -1.0]]), jnp.array([1]))
      Array(1.3196707, dtype=float32)
    """
    given = array("labels", labels)
    if real(given):
        raise TypeError(message(f"labels must be integers, got {given.dtype}; cast with labels.astype(jnp.int32)"))
    logits, labels, axis = inputs.members(mask, axis=axis, logits=logits, labels=given)
    count = logits.shape[axis]
    fits = (labels >= 0) & (labels <= count)
    report("labels", jnp.squeeze(labels, axis).astype(jnp.int32), jnp.squeeze(fits, axis), f"lie in [0, {count + 1})")
    threshold = iota(logits, axis, logits.dtype)
    poison = nan_unless(fits, logits.dtype) + nan_with_any(logits, axis)
    above = (labels > threshold).astype(logits.dtype) + poison
    losses = jnp.sum(binary_nll(logits, above), axis)
    if count == 0:  # no threshold says it
        losses = losses + jnp.squeeze(poison, axis)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)
