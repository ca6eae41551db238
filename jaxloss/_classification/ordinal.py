"""Ordinal regression, and weights for rare classes."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import jax.numpy as jnp

from .._contract import inputs
from .._contract.checks import array, message, nan_unless, places, real, report
from .._contract.jit import jit, jit_over_classes, widened
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, Number, Reduction
from .cross_entropy import binary_nll


Share: TypeAlias = Annotated[ArrayLike, Number("[0, 1)")]


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
    threshold = places(logits, axis, logits.dtype)
    doubt = nan_unless(fits, logits.dtype)
    above = (labels > threshold).astype(logits.dtype) + doubt
    losses = jnp.sum(binary_nll(logits, above, jnp.ones((), logits.dtype)), axis)
    losses = losses + jnp.squeeze(doubt, axis)  # said once more for want of thresholds
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def class_balanced_weights(counts: ArrayLike, *, beta: Share = 0.999) -> Array:
    r"""Class weights by the effective number of examples.

    .. math::
      w_c \propto \frac{1 - \beta}{1 - \beta^{n_c}}

    normalised to sum to the number of classes. At ``beta=0`` all weigh 1; near 1 they go like :math:`1 / n_c`. A class
    without an example gets 0. For the ``class_weights`` of `cross_entropy` and its kin.

    Args:
      counts: the number of examples of each class, ``[classes]``, numbers of at least 0.
      beta: in [0, 1), nearer to 1 the more each example tells that is new.

    Returns:
      The weights, ``[classes]``, float32 or wider.

    Raises:
      ValueError: if ``counts`` isn't a vector.

    Source: Cui et al., *Class-balanced loss based on effective number of samples* (2019), arXiv:1901.05555.

    Example:
      >>> jaxloss.class_balanced_weights(jnp.array([1000, 100, 10]))
      Array([0.04216039, 0.28000015, 2.6778393 ], dtype=float32)
    """
    counts = array("counts", counts)
    if counts.ndim != 1:
        raise ValueError(message(f"counts must have shape (classes,), got shape {counts.shape}"))
    counts = inputs.valid("counts", counts.astype(widened(counts)), "[0, inf)")
    powers = jnp.where(counts == 0, 1, counts)
    few = jnp.asarray(beta) < 0.5
    low, high = jnp.where(few, beta, 0.5), jnp.where(few, 0.5, beta)
    missing = jnp.where(few, 1 - low**powers, -jnp.expm1(powers * jnp.log1p(high - 1)))
    raw = jnp.where(counts == 0, 0, 1 / missing)
    total = jnp.sum(raw)
    return raw * (len(counts) / jnp.where(total == 0, 1, total))
