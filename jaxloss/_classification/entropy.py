"""The entropy of a softmax."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import classes
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.entropy import entropy, top_of
from .._numerics.softmax import log_sum_exp


@jit
def softmax_entropy(
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_mask: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Entropy of the softmax, in nats: how unsure a classifier or a policy is.

    .. math::
      \ell = -\sum_c p_c \log p_c \qquad\text{with}\qquad p = \mathrm{softmax}(z)

    It lies between 0, where one class is sure, and the logarithm of the number of classes, where all are alike.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to keep a policy exploring, or a classifier unsure where it has no label: subtract a little of it from the
    loss, ``loss - 0.01 * softmax_entropy(logits)``. Minimised, it makes predictions sure (entropy minimisation). There
    is no label that could be wrong; its gradient, :math:`-p_c (\log p_c + \ell)`, fades where one class is sure. Beside
    a loss of the same logits `softmax_log_probs` has both from one reading.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``. A logit of ``-inf`` rules its
        class out.
      axis: the class axis.
      class_mask: bool, ``[classes]`` or the logits' rank with each dimension equal or 1; classes that are False take no
        part, whatever their logits hold.

    Returns:
      The reduced entropy, at least float32; per row, without the class axis, with ``reduction="none"``. 0 where all
      classes are ruled out. Some call the negative of it an entropy loss.

    Source: Shannon, *A mathematical theory of communication* (1948), doi:10.1002/j.1538-7305.1948.tb01338.x; Williams
    and Peng, *Function optimization using connectionist reinforcement learning algorithms* (1991),
    doi:10.1080/09540099108946587 (as a bonus).

    Example:
      >>> jaxloss.softmax_entropy(jnp.array([[1.0, 1.0], [0.0, 20.0]]), reduction="none")
      Array([6.9314718e-01, 4.3284228e-08], dtype=float32)
    """
    reads, axis = classes.unlabelled(mask, logits=logits, axis=axis, class_mask=class_mask)
    top = top_of(reads, axis).finite
    losses = jnp.squeeze(entropy(reads, top, log_sum_exp(reads, top, axis), axis), axis)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)
