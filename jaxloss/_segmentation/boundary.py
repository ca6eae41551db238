"""Losses by how far pixels lie from a region's boundary."""

from __future__ import annotations

from .._contract.inputs import elementwise, spoiled, valid
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, Reduction


@jit
def boundary_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Boundary loss of segmentation: probabilities times how far their pixels lie from the region.

    .. math::
      \ell = p \, d

    with the signed distance :math:`d` of a pixel to the boundary of its class' region, negative inside. The sum over
    pixels approximates the distance between the boundaries. An element is a pixel of one class, and may be negative.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it beside a loss of overlap, such as `generalized_dice_loss`, for regions so unequal in size that only their
    boundaries tell: alone it is least for a region of everything inside, however sure of it the model is. The paper
    moves the weight from the one to the other while training, which `jaxloss.combine` does by a schedule.

    Args:
      probs: probabilities, any shape.
      labels: signed distances, in the shape of ``probs``, from the data pipeline: outside of a mask ``g``
        ``scipy.ndimage.distance_transform_edt(~g)``, inside ``1 - distance_transform_edt(g)``; 0 where ``g`` is empty
        or full.

    Returns:
      The reduced loss, at least float32; per element in the shape of ``probs`` with ``reduction="none"``.

    Source: Kervadec et al., *Boundary loss for highly unbalanced segmentation* (2019), arXiv:1812.07032.

    Example:
      >>> distance = jnp.array([2.0, 1.0, 0.0, -1.0])  # the last two pixels are inside
      >>> jaxloss.boundary_loss(jnp.array([0.0, 0.5, 0.75, 1.0]), distance, reduction="none")
      Array([ 0. ,  0.5,  0. , -1. ], dtype=float32)
    """
    p, distance = elementwise(mask, probs=probs, labels=labels)
    p, distance = valid("probs", p, "[0, 1]", probs), valid("labels", distance, "(-inf, inf)", labels)
    losses = spoiled(p, distance) * spoiled(distance, p)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)
