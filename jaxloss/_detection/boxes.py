"""Losses of boxes, by how far they overlap."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import inputs
from .._contract.checks import report
from .._contract.jit import jit
from .._contract.messages import message
from .._contract.reduction import reduce
from .._contract.shapes import one_axis, unsharded
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .overlap import aspect, distance, emptiness, iou, overlap_losses


@jit
def iou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""One minus the share that two boxes have in common (Jaccard): intersection over union.

    .. math::
      \ell = 1 - \frac{|A \cap B|}{|A \cup B|}

    Equal boxes cost exactly 0, also without an area; those that have nothing in common 1. There is no epsilon: the unit
    of the boxes doesn't matter (torchvision and MONAI add 1e-7 to areas, so that equal boxes with sides of 1e-4 cost
    0.9). Yu et al. take the negative logarithm, ``-jnp.log1p(-loss)`` of ``"none"``, as mmdetection does by default.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to report or fine-tune the overlap itself, for boxes that already meet: apart they have no gradient, and
    `giou_loss` or `diou_loss` bring them together. It has no noise model.

    Args:
      predictions: boxes, ``[..., 4]`` along ``axis``: ``(x1, y1, x2, y2)``, the lower corner, then the upper one, in
        any unit; or ``2 * d`` numbers in ``d`` dimensions. A corner that is infinite, or a lower one above its upper
        one, is out of range.
      labels: boxes of the same shape.
      axis: where the corners lie.

    Returns:
      The reduced loss, at least float32; per box, without ``axis``, with ``reduction="none"``. The mean is over boxes
      (torchvision's default is ``"none"``).

    Raises:
      ValueError: if the corners aren't 2 a dimension along ``axis``.

    Source: Yu et al., *UnitBox: an advanced object detection network* (2016), arXiv:1608.01471.

    Example:
      >>> boxes, labels = jnp.array([[0.0, 0, 2, 2], [0, 0, 1, 1]]), jnp.array([[0.0, 0, 2, 1], [3, 0, 4, 1]])
      >>> jaxloss.iou_loss(boxes, labels, reduction="none")
      Array([0.5, 1. ], dtype=float32)
    """
    boxes = _taken(predictions, labels, mask, axis)
    return reduce(overlap_losses(*boxes, (iou,)), weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def giou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Intersection over union that also draws boxes together when they are apart.

    .. math::
      \ell = 1 - \frac{|A \cap B|}{|A \cup B|} + \frac{|C| - |A \cup B|}{|C|}

    with the smallest box :math:`C` that encloses both; between 0, for equal boxes, and 2. There is no epsilon, see
    `iou_loss`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for boxes that may be far off, as DETR does beside `l1_loss`; a matrix of costs to match by is a ``vmap``
    of a ``vmap``, see docs/recipes.md. It first grows a box until it meets the other; `diou_loss` moves it there. It
    has no noise model.

    Args:
      predictions: boxes, ``[..., 4]`` along ``axis``: ``(x1, y1, x2, y2)``, the lower corner, then the upper one, in
        any unit; or ``2 * d`` numbers in ``d`` dimensions. A corner that is infinite, or a lower one above its upper
        one, is out of range.
      labels: boxes of the same shape.
      axis: where the corners lie.

    Returns:
      The reduced loss, at least float32; per box, without ``axis``, with ``reduction="none"``. The mean is over boxes
      (torchvision's default is ``"none"``).

    Raises:
      ValueError: if the corners aren't 2 a dimension along ``axis``.

    Source: Rezatofighi et al., *Generalized intersection over union* (2019), arXiv:1902.09630.

    Example:
      >>> boxes, labels = jnp.array([[0.0, 0, 2, 2], [0, 0, 1, 1]]), jnp.array([[0.0, 0, 2, 1], [3, 0, 4, 1]])
      >>> jaxloss.giou_loss(boxes, labels, reduction="none")
      Array([0.5, 1.5], dtype=float32)
    """
    boxes = _taken(predictions, labels, mask, axis)
    return reduce(overlap_losses(*boxes, (iou, emptiness)), weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def diou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Intersection over union, and how far the centres are apart.

    .. math::
      \ell = 1 - \frac{|A \cap B|}{|A \cup B|} + \frac{\rho^2}{c^2}

    with the distance :math:`\rho` of the centres and the diagonal :math:`c` of the smallest box that encloses both;
    between 0, for equal boxes, and 2. There is no epsilon, see `iou_loss`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it as `giou_loss`, when boxes should move rather than grow together: it also pulls a box that lies within the
    other to the middle, where `giou_loss` doesn't care. It has no noise model.

    Args:
      predictions: boxes, ``[..., 4]`` along ``axis``: ``(x1, y1, x2, y2)``, the lower corner, then the upper one, in
        any unit; or ``2 * d`` numbers in ``d`` dimensions. A corner that is infinite, or a lower one above its upper
        one, is out of range.
      labels: boxes of the same shape.
      axis: where the corners lie.

    Returns:
      The reduced loss, at least float32; per box, without ``axis``, with ``reduction="none"``. The mean is over boxes
      (torchvision's default is ``"none"``).

    Raises:
      ValueError: if the corners aren't 2 a dimension along ``axis``.

    Source: Zheng et al., *Distance-IoU loss* (2020), arXiv:1911.08287.

    Example:
      >>> boxes, labels = jnp.array([[0.0, 0, 2, 2], [0, 0, 1, 1]]), jnp.array([[0.0, 0, 2, 1], [3, 0, 4, 1]])
      >>> jaxloss.diou_loss(boxes, labels, reduction="none")
      Array([0.53125  , 1.5294118], dtype=float32)
    """
    boxes = _taken(predictions, labels, mask, axis)
    return reduce(overlap_losses(*boxes, (iou, distance)), weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def ciou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Intersection over union, how far the centres are apart, and how much the shapes differ.

    .. math::
      \ell = \ell_{\mathrm{DIoU}} + \alpha v \qquad v = \frac{4}{\pi^2} \left(\arctan \frac{w_A}{h_A} -
      \arctan \frac{w_B}{h_B}\right)^2 \qquad \alpha = \frac{v}{\ell_{\mathrm{IoU}} + v}

    where :math:`\alpha` counts as a constant for derivatives, as in torchvision (mmdetection's is 0 where boxes overlap
    by less than half). A box without width and height has the angle 0. There is no epsilon, see `iou_loss`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it as `diou_loss`, when boxes that overlap well should get the right shape sooner. It has no noise model.

    Args:
      predictions: boxes, ``[..., 4]`` along ``axis``: ``(x1, y1, x2, y2)``, the lower corner, then the upper one, in
        any unit. A corner that is infinite, or a lower one above its upper one, is out of range.
      labels: boxes of the same shape.
      axis: where the corners lie.

    Returns:
      The reduced loss, at least float32; per box, without ``axis``, with ``reduction="none"``. The mean is over boxes
      (torchvision's default is ``"none"``).

    Raises:
      ValueError: if the corners aren't 4 numbers along ``axis``.

    Source: Zheng et al., *Distance-IoU loss* (2020), arXiv:1911.08287.

    Example:
      >>> boxes, labels = jnp.array([[0.0, 0, 2, 2], [0, 0, 1, 1]]), jnp.array([[0.0, 0, 2, 1], [3, 0, 4, 1]])
      >>> jaxloss.ciou_loss(boxes, labels, reduction="none")
      Array([0.53449816, 1.5294118 ], dtype=float32)
    """
    boxes = _taken(predictions, labels, mask, axis, flat=True)
    return reduce(
        overlap_losses(*boxes, (iou, distance, aspect)), weights, mask, reduction=reduction, axis_name=axis_name
    )


def _taken(
    predictions: ArrayLike, labels: ArrayLike, mask: ArrayLike | None, axis: int, *, flat: bool = False
) -> tuple[Array, Array, int]:
    """Boxes in the dtype to compute in, and the axis of their corners."""
    (a, b), _ = inputs.vectors(mask, axis=axis, predictions=predictions, labels=labels)
    axis = one_axis(axis, "predictions", a, "reshape predictions so that the corners lie on one axis")
    count = a.shape[axis]
    if not isinstance(count, int) or count % 2 or not count or (flat and count != 4):
        wanted = "4 numbers" if flat else "2 numbers a dimension"
        hint = "lower corner, then upper" if isinstance(count, int) else "a fixed number of them"
        raise ValueError(message(f"predictions must hold {wanted} along axis {axis}, {hint}, got shape {a.shape}"))
    a, b = unsharded(a, axis), unsharded(b, axis)
    for name, x in (("predictions", a), ("labels", b)):
        low, high = jnp.split(x, 2, axis)
        fits = jnp.isfinite(x) & jnp.concatenate([~(low > high), jnp.ones_like(high, bool)], axis)
        report(name, x, fits, "be finite, and no lower corner above its upper one")
    return a, b, axis
