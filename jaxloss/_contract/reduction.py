"""The way out: per-element losses into one number."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from . import devices
from .checks import array, message, nan_unless, report, widened
from .jit import jit
from .shapes import bool_mask, broadcastable
from .types import Array, ArrayLike, AxisName, Reduction


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Total:
    """A weighted sum of losses and the weight that went into it: a mean that can still be added to.

    The mean of means is wrong wherever the parts hold unequal weight. Totals add up to the right one: across
    microbatches with ``+`` or the builtin ``sum``, across devices with `psum`. A pytree: it goes through ``scan``,
    ``jit`` and checkpoints.

    Attributes:
      total: the sum of mask * weight * loss.
      weight: the sum of mask * weight.

    Example:
      >>> one = jaxloss.mse_loss(jnp.array([1.0, 1.0, 1.0]), jnp.zeros(3), reduction="total")
      >>> two = jaxloss.mse_loss(jnp.array([3.0]), jnp.zeros(1), reduction="total")
      >>> (one + two).mean()
      Array(3., dtype=float32)
    """

    total: Array
    weight: Array

    def __add__(self, other: Total) -> Total:
        if not isinstance(other, Total):
            return NotImplemented
        return Total(self.total + other.total, self.weight + other.weight)

    def __radd__(self, other: int) -> Total:
        """Lets the builtin ``sum`` start at its 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def psum(self, axis_name: AxisName) -> Total:
        """The total over all devices of the mapped axis or axes, inside ``shard_map``, ``pmap`` or ``vmap``."""
        total = self
        for name in devices.names(axis_name):
            # One at a time: a psum over two names refuses a value that varies along only one of them.
            total = Total(lax.psum(total.total, name), lax.psum(total.weight, name))
        return total

    def mean(self) -> Array:
        """``total / weight``; exactly 0, with zero gradient, when there is no weight."""
        empty = self.weight == 0
        return jnp.where(empty, 0, self.total / jnp.where(empty, 1, self.weight))


@jit
def reduce(
    losses: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Per-element losses, weighted and masked, into one number; the last step of every loss here and of your own.

    With losses :math:`l`, weights :math:`w` and mask :math:`m` (1 where not given):

    ================  =================================================================================
    ``reduction``     result
    ================  =================================================================================
    ``"mean"``        :math:`\sum m w l / \sum m w`; exactly 0 with zero gradient when no weight is left
    ``"sum"``         :math:`\sum m w l`
    ``"none"``        :math:`m w l`, in the shape of the losses; masked elements are 0
    ``"total"``       a `Total` of both sums, to be added across microbatches, devices or steps
    ================  =================================================================================

    The mean divides by the weight that took part, always: weight ``k`` is the same as ``k`` copies of the element, and
    padding changes nothing. Whoever wants another divisor takes ``"sum"`` and divides.

    **Weights** multiply; a weight of 0 keeps its gradient with respect to the weight, so weights can be learned from
    zero (with ``"sum"``: the mean of no weight at all is 0 with zero gradient). **Mask** says what exists: a masked
    element reaches neither the value nor any derivative, whatever it holds, NaN and inf included. For that a loss of
    this package also clears its masked inputs; `reduce` alone can clear only the losses that it is given. (What comes
    before the loss is the model's: NaN in its own padding still spoils the gradient of a matrix product. Pad with 0.)

    **Devices.** Under ``jit`` with sharded arrays nothing is needed. Inside ``shard_map``, ``pmap`` or
    ``vmap(axis_name=...)``, ``axis_name`` takes both sums across the axis before dividing, so shards may hold unequal
    weight, or none. What the training loop then does with the gradients depends on where they are taken:

    ===========================================================  =============  ===================  =============
    gradient taken                                               replicated     sharded              varying
    ===========================================================  =============  ===================  =============
    under ``jit`` with sharded arrays; or outside ``shard_map``  nothing        nothing              nothing
    inside ``shard_map`` (``check_vma=True``)                    nothing        nothing              ``lax.psum``
    inside ``pmap``, ``vmap`` or ``shard_map(check_vma=False)``  ``lax.pmean``  / ``lax.axis_size``  ``lax.pmean``
    ===========================================================  =============  ===================  =============

    by what the parameters are: replicated; sharded, as in FSDP, and gathered in the loss by ``lax.all_gather`` (whose
    transpose sums over the devices, hence the division by their number); or cast to varying by ``lax.pcast``. What is
    added to the loss, such as a penalty, must be the same on every device: that of sharded or varying parameters goes
    through ``lax.psum`` or ``lax.pmean`` first.

    Args:
      losses: per-element losses, any shape. Half precision is summed in float32; integers and bools are numbers, so
        that a masked accuracy is ``reduce(predicted == labels, mask=mask)``.
      weights: how much each element counts. A scalar, or the rank of ``losses`` with each dimension equal or 1.
      mask: which elements exist: bool, or 0 and 1. Same shapes as ``weights``.
      reduction: ``"mean"``, ``"sum"``, ``"none"`` or ``"total"``.
      axis_name: mapped axis, or tuple of axes, to reduce over as well.

    Returns:
      A scalar; the shape of ``losses`` for ``"none"``; a `Total` for ``"total"``.

    Raises:
      ValueError: if a shape doesn't fit, ``reduction`` is unknown, or ``axis_name`` is given with ``"none"``.

    Example:
      >>> jaxloss.reduce(jnp.array([1.0, 2.0, jnp.nan]), mask=jnp.array([True, True, False]))
      Array(1.5, dtype=float32)
    """
    valid_reduction(reduction, axis_name)
    losses = array("losses", losses)
    losses = losses.astype(widened(losses))
    weight, exists = element_weights(losses.shape, losses.dtype, weights, mask)
    if exists is not None:
        losses = jnp.where(exists, losses, 0)
    weighted = losses * weight
    if reduction == "none":
        return weighted
    return reduce_sums(jnp.sum(weighted), weight, losses.shape, reduction, axis_name)


def valid_reduction(reduction: Reduction, axis_name: AxisName | None) -> None:
    if reduction not in ("mean", "sum", "none", "total"):
        raise ValueError(message(f"reduction must be 'mean', 'sum', 'none' or 'total', got {reduction!r}"))
    if reduction == "none" and axis_name is not None:
        raise ValueError(
            message("axis_name reduces over devices, but reduction='none' reduces nothing; leave axis_name out")
        )


def element_weights(
    shape: tuple[int, ...], dtype: Any, weights: ArrayLike | None, mask: ArrayLike | None
) -> tuple[Array, Array | None]:
    """How much each element counts, which fits `shape` axis by axis, and which ones exist."""
    weight = jnp.ones((), dtype) if weights is None else broadcastable("weights", weights, shape).astype(dtype)
    if mask is None:
        return weight, None
    exists = bool_mask(mask, shape)
    return jnp.where(exists, weight + _nan_unless_bool(mask, dtype), 0), exists


def reduce_sums(
    weighted_sum: Array, weight: Array, shape: tuple[int, ...], reduction: Reduction, axis_name: AxisName | None
) -> Array:
    """The way out, with the weighted sum of losses of this shape."""
    copies = math.prod(size for size, own in zip(shape, weight.shape or itertools.repeat(1)) if own == 1)
    total = Total(weighted_sum, jnp.sum(weight) * _number(copies, weight.dtype))
    if axis_name is not None:
        total = total.psum(axis_name)
    results: dict[str, Any] = {"mean": total.mean(), "sum": total.total, "total": total}
    return results[reduction]


def _number(size: int, dtype: Any) -> Array:
    """A count as an array; one of more than 2^31 doesn't pass as a Python integer."""
    return jnp.asarray(float(size) if isinstance(size, int) else size, dtype)


def _nan_unless_bool(mask: ArrayLike, dtype: Any) -> Array:
    """NaN where a mask of numbers is neither 0 nor 1."""
    values = jnp.asarray(mask)
    if values.dtype == jnp.bool_:
        return jnp.zeros((), dtype)
    fits = (values == 0) | (values == 1)
    report("mask", values, fits, "be bool, or 0 and 1")
    return nan_unless(fits, dtype)
