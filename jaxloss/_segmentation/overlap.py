"""Losses by how much a predicted region and its label overlap: ratios of sums over pixels."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from .._contract.jit import jit_over_classes
from .._contract.types import Array, ArrayLike, Axes, AxisName, NonNegative, Positive, Reduction
from .._numerics.elementary import power
from . import confusion, regions
from .regions import Regions


@jit_over_classes
def dice_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    squared: bool = False,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_present: bool = False,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Soft Dice loss of regions: 1 less the overlap of prediction and label, over the mean of their sizes.

    With true and false positives and false negatives of a region, :math:`TP = \sum p y`,
    :math:`FP = \sum p (1 - y)` and :math:`FN = \sum (1 - p) y`, over its pixels:

    .. math::
      \ell = 1 - \frac{TP + s}{TP + s + W},
      \qquad W = \tfrac{1}{2} (FP + FN) \quad\text{or, squared,}\quad W = \tfrac{1}{2} \sum (p - y)^2

    A region, which is an element, is the pixels of one class in one image. ``mask`` says which pixels exist, in the
    shape of ``probs`` without its class axis, and is the one that `cross_entropy` takes for the same labels;
    ``weights`` say how much each region counts, in the shape that ``"none"`` returns.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it where what matters is rare: the score doesn't grow with the background, as the accuracy of pixels does.
    Alone it is restless, so it is mostly added to `cross_entropy`. It takes probabilities, of a softmax or of a sigmoid
    for classes that may overlap; half-precision logits are better widened before that, and NaN in masked logits has to
    be cleared before it, too. A model of one class without a class axis needs ``axis=None``.

    Args:
      probs: probabilities, ``[batch, ..., classes]``, the class axis at ``axis``.
      labels: class indices, in the shape of the pixels; or numbers in [0, 1] of the shape of ``probs``, for soft labels
        and for classes that overlap. The shape decides.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out. None: there is none, each region is of one
        class.
      batch_axes: the axis or axes that are kept beside the class axis; over all others regions are pooled. ``()`` makes
        one region a class of the whole batch, over all devices of ``axis_name``, and is also what an image without a
        batch axis needs. Totals of several microbatches are then means of their losses, not the loss of the whole.
      smooth: at least 0, as if so many more pixels were right. It lets a region without a label learn, which costs 1
        with 0, whatever is predicted. MONAI's and nnU-Net's, which they add to 2 TP, are twice this.
      squared: V-Net's form, which is 0 exactly where ``probs`` are the labels, also where those are soft; the plain
        form of a half against a half is a half.
      class_weights: ``[classes]``, the background's included, times the weights of the regions. 0 leaves a class out.
      ignore_index: pixels whose integer label has this value are masked. None ignores nothing.
      only_present: leaves out regions whose class no pixel has.

    Returns:
      The reduced loss, at least float32; per region, ``[batch, classes]``, with ``reduction="none"``.

    Raises:
      ValueError: if ``batch_axes`` are no axes of ``probs`` or hold the class axis, ``class_weights`` is given without
        a class axis, or ``ignore_index`` with labels that aren't integers.

    Source: Milletari et al., *V-Net* (2016), arXiv:1606.04797; Sudre et al. (2017), arXiv:1707.03237.

    Example:
      >>> probs = jnp.array([[[0.5, 0.5], [1.0, 0.0]]])  # an image of two pixels
      >>> jaxloss.dice_loss(probs, jnp.array([[0, 1]]), smooth=0.0, reduction="none")
      Array([[0.6, 1. ]], dtype=float32)
    """
    r = regions.regions(probs, labels, mask, axis, batch_axes, ignore_index, reduction, axis_name)
    losses, exists = _overlap(r, 0.5, 0.5, None, smooth, only_present, squared)
    return regions.reduced(losses, exists, weights, class_weights, r.layout, reduction)


@jit_over_classes
def jaccard_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    squared: bool = False,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_present: bool = False,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Soft Jaccard loss of regions: 1 less the intersection of prediction and label over their union.

    .. math::
      \ell = 1 - \frac{TP + s}{TP + s + W},
      \qquad W = FP + FN \quad\text{or, squared,}\quad W = \sum (p - y)^2

    `dice_loss` says what a region is, and what mask and weights are of.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it where the score is the intersection over union. It orders predictions as `dice_loss` does, of which it is
    a function (2 d / (1 + d) for each region without smoothing): large errors pull less, small ones more.

    Args:
      probs: probabilities, ``[batch, ..., classes]``, the class axis at ``axis``.
      labels: class indices, in the shape of the pixels; or numbers in [0, 1] of the shape of ``probs``.
      axis: the class axis; None: there is none, each region is of one class.
      batch_axes: the axis or axes that are kept beside the class axis; see `dice_loss`.
      smooth: at least 0, as if so many more pixels were right.
      squared: the Tanimoto loss, which is 0 exactly where ``probs`` are the labels, also where those are soft.
      class_weights: ``[classes]``, times the weights of the regions. 0 leaves a class out.
      ignore_index: pixels whose integer label has this value are masked. None ignores nothing.
      only_present: leaves out regions whose class no pixel has.

    Returns:
      The reduced loss, at least float32; per region, ``[batch, classes]``, with ``reduction="none"``.

    Source: Rahman and Wang, *Optimizing intersection-over-union in deep neural networks* (2016),
    doi:10.1007/978-3-319-50835-1_22.

    Example:
      >>> probs = jnp.array([[[0.5, 0.5], [1.0, 0.0]]])
      >>> jaxloss.jaccard_loss(probs, jnp.array([[0, 1]]), smooth=0.0, reduction="none")
      Array([[0.75, 1.  ]], dtype=float32)
    """
    r = regions.regions(probs, labels, mask, axis, batch_axes, ignore_index, reduction, axis_name)
    losses, exists = _overlap(r, 1, 1, None, smooth, only_present, squared)
    return regions.reduced(losses, exists, weights, class_weights, r.layout, reduction)


@jit_over_classes
def tversky_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: NonNegative = 0.5,
    beta: NonNegative = 0.5,
    gamma: Positive | None = None,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_present: bool = False,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Tversky loss of regions: the overlap of prediction and label, with a price for each kind of error.

    .. math::
      \ell = \left( 1 - \frac{TP + s}{TP + s + \alpha FP + \beta FN} \right)^\gamma

    with the power only where it is given. `dice_loss` is that of 1/2 and 1/2, and says what a region is, and what mask
    and weights are of; `jaccard_loss` is that of 1 and 1.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it where one kind of error is worse: ``beta`` above ``alpha`` finds more of what is rare and small, as
    lesions, for more false alarms (the paper takes 0.3 and 0.7).

    Args:
      probs: probabilities, ``[batch, ..., classes]``, the class axis at ``axis``.
      labels: class indices, in the shape of the pixels; or numbers in [0, 1] of the shape of ``probs``.
      alpha: at least 0, the price of false positives. Keras up to 3.15.1, and the focal Tversky paper, call it beta.
      beta: at least 0, the price of false negatives.
      gamma: above 0, a power of each region's loss, focal Tversky's: below 1 regions that are nearly right keep a slope
        (the paper's 4/3 is an inverse, 0.75 here). The slope of a loss of 0 is 0.
      axis: the class axis; None: there is none, each region is of one class.
      batch_axes: the axis or axes that are kept beside the class axis; see `dice_loss`.
      smooth: at least 0, as if so many more pixels were right.
      class_weights: ``[classes]``, times the weights of the regions. 0 leaves a class out.
      ignore_index: pixels whose integer label has this value are masked. None ignores nothing.
      only_present: leaves out regions whose class no pixel has.

    Returns:
      The reduced loss, at least float32; per region, ``[batch, classes]``, with ``reduction="none"``.

    Source: Salehi et al., *Tversky loss function for image segmentation* (2017), arXiv:1706.05721; Abraham and Khan
    (2018), arXiv:1810.07842 (focal).

    Example:
      >>> probs = jnp.array([[[0.5, 0.5], [1.0, 0.0]]])
      >>> jaxloss.tversky_loss(probs, jnp.array([[0, 1]]), alpha=0.3, beta=0.7, smooth=0.0, reduction="none")
      Array([[0.5652174, 1.       ]], dtype=float32)
    """
    r = regions.regions(probs, labels, mask, axis, batch_axes, ignore_index, reduction, axis_name)
    losses, exists = _overlap(r, alpha, beta, gamma, smooth, only_present)
    return regions.reduced(losses, exists, weights, class_weights, r.layout, reduction)


def _overlap(
    r: Regions,
    alpha: Any,
    beta: Any,
    gamma: ArrayLike | None,
    smooth: ArrayLike,
    only_present: bool,
    squared: bool = False,
) -> tuple[Array, Array]:
    """The loss of each region, and which exist."""
    (right, *wrong), exists = confusion.sums_of(r, squared, only_present)
    if only_present:
        exists &= wrong.pop() != 0
    charged = alpha * wrong[0] if squared else alpha * wrong[0] + beta * wrong[1]
    losses = confusion.share_of_wrong(charged, right + smooth)
    if gamma is not None:
        zero = losses == 0
        losses = jnp.where(zero, 0, power(jnp.where(zero, 1, losses), gamma))
    return losses, exists
