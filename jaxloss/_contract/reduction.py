"""The way out: per-element losses into one number."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import lax

from . import devices
from .arrays import array, widened
from .jit import jit
from .messages import choice, message
from .shapes import as_number, axes_of, without
from .total import Total, over_devices, ratio
from .types import Array, ArrayLike, Axes, AxisName, Reduction
from .units import inverse_power, power_of_two
from .weights import element_weights


@jit
def reduce(
    losses: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes | None = None,
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
      axis: the axis, or tuple of axes, to reduce; None is all of them. Each remaining entry is reduced by itself: the
        log-probability of a sequence is ``reduce(log_probs, mask=mask, axis=-1, reduction="sum")``.
      reduction: ``"mean"``, ``"sum"``, ``"none"`` or ``"total"``.
      axis_name: mapped axis, or tuple of axes, to reduce over as well.

    Returns:
      A scalar, or the shape of ``losses`` without ``axis``; the shape of ``losses`` for ``"none"``; a `Total` (of
      arrays, with ``axis``) for ``"total"``.

    Raises:
      ValueError: if a shape doesn't fit, ``reduction`` is unknown, or ``axis`` or ``axis_name`` is given with
        ``"none"``.

    Example:
      >>> jaxloss.reduce(jnp.array([1.0, 2.0, jnp.nan]), mask=jnp.array([True, True, False]))
      Array(1.5, dtype=float32)
      >>> jaxloss.reduce(jnp.array([[1.0, 2.0], [3.0, 6.0]]), mask=jnp.array([[True, False], [True, True]]), axis=-1)
      Array([1. , 4.5], dtype=float32)
    """
    valid_reduction(reduction, axis_name, axis)
    losses = array("losses", losses)
    losses = losses.astype(widened(losses))
    axes = tuple(range(losses.ndim)) if axis is None else axes_of(axis, "losses", losses)
    weight, exists = element_weights(losses.shape, losses.dtype, weights, mask)
    if exists is not None:
        losses = jnp.where(exists, losses, 0)
    if reduction == "none":
        return losses * weight
    if reduction != "mean" or weights is None:
        weight_sum = sum_of_weights(weight, losses.shape, axes)
        return reduce_sums(jnp.sum(losses * weight, axes), weight_sum, reduction, axis_name)
    total, weight, unit = _sums_in_units(losses, weight, axes)
    return reduce_sums(total, weight, reduction, axis_name, unit)


def valid_reduction(reduction: Reduction, axis_name: AxisName | None, axis: Axes | None = None) -> None:
    choice("reduction", reduction, "mean", "sum", "none", "total")
    for name, given in (("axis_name", axis_name), ("axis", axis)):
        if reduction == "none" and given is not None:
            says = f"{name} must be left out with reduction='none', which reduces nothing, got {given!r}"
            raise ValueError(message(says))


def _sums_in_units(losses: Array, weight: Array, axes: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """Both sums in units of a power of two of the average weight, in which they leave the range of the dtype no more
    than the mean does."""
    own = axes if weight.ndim else ()
    small = inverse_power(math.prod(weight.shape[axis] for axis in own))
    whole, part = (jnp.sum(x, own, keepdims=True) for x in (weight, weight * small))
    large = jnp.isinf(whole)  # which `part` is only if a weight is
    size = jnp.abs(lax.stop_gradient(jnp.where(large, part, whole)))
    root = power_of_two(jnp.sqrt(size) * jnp.where(large, 1, small**0.5))
    each = 1 / root
    # In two steps, lest one be out of range; as rounded, lest XLA take the factor out of the sum, or on CPUs write it
    # out for each element.
    info = jnp.finfo(losses.dtype)
    weighted = lax.reduce_precision(losses * each * weight * each, info.nexp, info.nmant)
    weight_sum = jnp.where(large, part * each * each / small, whole * each * each)
    weight_sum, unit = (_each_entry(x, losses.shape, axes) for x in (weight_sum, jnp.square(root)))
    return jnp.sum(weighted, axes), weight_sum * copies(weight, losses.shape, axes), unit


def sum_of_weights(weight: Array, shape: tuple[int, ...], axes: tuple[int, ...] | None = None) -> Array:
    axes = tuple(range(len(shape))) if axes is None else axes
    total = jnp.sum(weight, axes if weight.ndim else (), keepdims=True)
    return _each_entry(total, shape, axes) * copies(weight, shape, axes)


def _each_entry(x: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """A sum over `axes`, which it has at size 1 or is a scalar, for each entry that remains."""
    return jnp.broadcast_to(jnp.squeeze(x, axes) if x.ndim else x, without(shape, axes))


def copies(weight: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """How many elements along `axes` share a weight."""
    own = weight.shape or (1,) * len(shape)
    return as_number(math.prod(shape[axis] for axis in axes if own[axis] == 1), weight.dtype)


def reduce_sums(
    total: Array, weight: Array, reduction: Reduction, axis_name: AxisName | None, unit: Array | None = None
) -> Array:
    """The way out, with both sums; for a mean they may be in units of a power of two of this device's."""
    if axis_name is not None:
        if unit is not None:  # the devices' largest
            share = unit / devices.pmax(unit, axis_name)
            total, weight = total * share, weight * share
        total, weight = over_devices(total, axis_name), over_devices(weight, axis_name)
    if reduction == "mean":
        return ratio(total, weight)
    result: Any = total if reduction == "sum" else Total(total, weight)
    return result
