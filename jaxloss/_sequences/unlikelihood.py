"""What a model should not say."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import classes
from .._contract.arrays import array, real
from .._contract.jit import jit_over_classes
from .._contract.reduction import reduce
from .._contract.shapes import unsharded
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.derivatives import times
from .._numerics.elementary import softplus
from .._numerics.softmax import row_max, shifted
from .lattice import log_sum


@jit_over_classes
def unlikelihood_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    ignore_index: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Unlikelihood: what a model should not say costs the more, the surer it is to say it.

    .. math::
      \ell = -\sum_c y_c \log(1 - p_c), \qquad p = \mathrm{softmax}(z)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is a row of classes, as in `cross_entropy`: one position of a sequence, of which padding is masked.

    Choose it beside `cross_entropy` where a language model repeats itself: the labels are then the words of the context
    that aren't the right next one, and `combine` adds the two. Under the categorical noise model it is the likelihood
    of not drawing the class. The gradient is bounded by the sum of the labels, also for a class that is all but sure,
    where fairseq's, which clips :math:`1 - p`, is 0.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``.
      labels: what should not be said: class indices, the logits' shape without the class axis; or of the logits' whole
        shape how much each class counts, in [0, 1], or bools, a set of classes. The dtype and the shape decide.
      axis: the class axis.
      ignore_index: integer labels of this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per row, without the class axis, with ``reduction="none"``.

    Source: Welleck et al., *Neural text generation with unlikelihood training* (2019), arXiv:1908.04319.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 100.0]])
      >>> jaxloss.unlikelihood_loss(logits, jnp.array([0, 2]), reduction="none")
      Array([ 1.5463976, 99.306854 ], dtype=float32)
      >>> jaxloss.unlikelihood_loss(logits[:1], jnp.array([[True, True, False]]))
      Array(1.6590143, dtype=float32)
    """
    several = array("labels", labels)
    if several.dtype == jnp.bool_ and several.shape == jnp.shape(logits):
        labels = several.astype(jnp.float32)
    logits, labels, poison, axis, mask, *_ = classes.labelled(
        mask, labels, logits=logits, axis=axis, ignore_index=ignore_index
    )
    logits = unsharded(logits, axis)
    below = shifted(logits, row_max(logits, axis, poison))
    if real(labels):
        costs = softplus(_odds_of_each(below, axis))
        losses = jnp.sum(times(unsharded(labels, axis), costs), axis)
    else:
        is_label = classes.is_label(below, labels, axis)
        own = jnp.squeeze(classes.at_label(below, labels, axis), axis)
        losses = softplus(_log_odds(own, log_sum(jnp.where(is_label, -jnp.inf, below), axis)))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _log_odds(x: Array, others: Array) -> Array:
    """How far a class lies above the log-sum of all others: -log(1 - p) is its softplus, which rounds nothing away."""
    ruled_out = x == -jnp.inf
    return jnp.where(ruled_out, -jnp.inf, jnp.where(ruled_out, 0, x) - others)


def _odds_of_each(below: Array, axis: int) -> Array:
    """Of every class against all others: of the largest by a sum without it, as 1 - p may be too small to subtract."""
    top = classes.is_label(below, jnp.argmax(below, axis, keepdims=True).astype(jnp.int32), axis)
    total = jnp.expand_dims(log_sum(below, axis), axis)
    beside = jnp.expand_dims(log_sum(jnp.where(top, -jnp.inf, below), axis), axis)
    p = jnp.where(top, 0, jnp.exp(below - jnp.where(total == -jnp.inf, 0, total)))
    return _log_odds(below, jnp.where(top, beside, total + jnp.log1p(-p)))
