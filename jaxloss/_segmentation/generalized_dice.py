"""The overlap of all classes of an image at once, weighed by their sizes."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from .._contract.jit import jit_over_classes
from .._contract.types import Array, ArrayLike, Axes, AxisName, NonNegative, Reduction
from .._numerics.derivatives import quotient
from .._numerics.elementary import power
from . import confusion, regions


@jit_over_classes
def generalized_dice_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    power: NonNegative = 2.0,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Generalized Dice loss of images: the overlap of all classes, rare ones counting more.

    .. math::
      \ell = 1 - \frac{\sum_c v_c TP_c + s}{\sum_c v_c TP_c + s + W},
      \qquad W = \tfrac{1}{2} \sum_c v_c (FP_c + FN_c), \qquad v_c = (T_{\min} / T_c)^p

    with the sizes of the labels, :math:`T_c = \sum y_c`, of which :math:`T_{\min}` is the image's smallest above 0.
    A class that no pixel has counts as much as the rarest. An element is an image: ``weights`` say how much each of
    them counts; `dice_loss` has the rest. Optax's ``multiclass_generalized_dice_loss`` is a weighted mean of the losses
    of the classes, which an absent class takes over.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it where classes differ in size by orders of magnitude and their sizes should not matter. Steep weights are
    restless in small batches; ``power=1`` is calmer.

    Args:
      probs: probabilities, ``[batch, ..., classes]``, the class axis at ``axis``.
      labels: class indices, in the shape of the pixels; or numbers in [0, 1] of the shape of ``probs``.
      power: at least 0, of the weights of the classes: 2, 1 and 0 are MONAI's square, simple and uniform.
      axis: the class axis; None: there is none, each image is of one class.
      batch_axes: the axis or axes that are kept; see `dice_loss`.
      smooth: at least 0, as if so many more pixels of the rarest class were right.
      class_weights: ``[classes]``, times those by size. 0 leaves a class out, and out of the smallest size, too.
      ignore_index: pixels whose integer label has this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per image, ``[batch]``, with ``reduction="none"``.

    Source: Sudre et al., *Generalised Dice overlap as a deep learning loss function* (2017), arXiv:1707.03237.

    Example:
      >>> probs = jnp.array([[[0.5, 0.5], [1.0, 0.0], [1.0, 0.0]]])
      >>> jaxloss.generalized_dice_loss(probs, jnp.array([[0, 0, 1]]), smooth=0.0, reduction="none")
      Array([0.71428573], dtype=float32)
    """
    r = regions.regions(probs, labels, mask, axis, batch_axes, ignore_index, reduction, axis_name, by_class=False)
    (right, over, under, size), exists = confusion.sums_of(r, squared=False, present=True)
    wrong = 0.5 * (over + under)
    if axis is not None or class_weights is not None:
        place = r.layout.class_place
        by_size = _by_size(size, power, regions.by_class(class_weights, r.layout, size), place)
        right, wrong = (jnp.sum(by_size * part, place) for part in (right, wrong))
        exists = jnp.any(exists, place)
    losses = confusion.share_of_wrong(wrong, right + smooth)
    return regions.reduced(losses, exists, weights, None, r.layout, reduction)


def _by_size(size: Array, exponent: Any, by_class: Array, place: int) -> Array:
    """How much each class counts: 1 for the rarest and for those that aren't there."""
    there = size != 0
    least = jnp.min(jnp.where(there & (by_class != 0), size, jnp.inf), place, keepdims=True)
    ratio = quotient(least, jnp.where(there, size, 1))
    ratio = jnp.where(there & (least < jnp.inf), ratio, 1)
    return by_class * power(ratio, exponent)
