"""The way out: per-element losses into one number."""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from . import devices
from .checks import array, calling, message, nan_unless, real, report, widened
from .jit import jit
from .shapes import as_number, axes_of, bool_mask, broadcastable, inverse_power
from .types import Array, ArrayLike, Axes, AxisName, Reduction


_NOT_GIVEN: Any = ...  # not None, which trees that are made of a total may hold, as `out_axes`


def _tell_flax() -> None:
    """Lets Flax's state dicts and bytes hold totals, once something else has imported it."""
    flax: Any = sys.modules.get("flax.serialization")
    if flax is not None and not _TOLD:
        _TOLD.append(flax)
        names = [field.name for field in dataclasses.fields(Total)]
        flax.register_serialization_state(
            Total,
            lambda total: {name: flax.to_state_dict(getattr(total, name)) for name in names},
            lambda total, state: Total(*(flax.from_state_dict(getattr(total, name), state[name]) for name in names)),
        )


_TOLD: list[Any] = []


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Total:
    """A weighted sum of losses and the weight that went into it: a mean that can still be added to.

    The mean of means is wrong wherever the parts hold unequal weight. Totals add up to the right one: across
    microbatches with ``+`` or the builtin ``sum``, across devices with `psum`. ``*`` and ``/`` by a number scale each
    loss, and so the mean; ``jax.tree.map`` would scale both sums and leave the mean as it was. `with_weight` divides by
    another count. A pytree: it goes through ``scan``, ``jit``, ``jax.export``, and checkpoints: pickled, of Orbax or of
    Flax.

    Attributes:
      total: the sum of mask * weight * loss.
      weight: the sum of mask * weight.
      total_rest: what additions have rounded off ``total``, lest a running total of very many stop growing.
      weight_rest: the same of ``weight``.

    Example:
      >>> one = jaxloss.mse_loss(jnp.array([1.0, 1.0, 1.0]), jnp.zeros(3), reduction="total")
      >>> two = jaxloss.mse_loss(jnp.array([3.0]), jnp.zeros(1), reduction="total")
      >>> (one + two).mean()
      Array(3., dtype=float32)
    """

    __array_ufunc__ = None  # NumPy's numbers leave products to it

    total: Array
    weight: Array
    total_rest: Array = dataclasses.field(default=_NOT_GIVEN, repr=False)
    weight_rest: Array = dataclasses.field(default=_NOT_GIVEN, repr=False)

    def __post_init__(self) -> None:
        _tell_flax()
        for name in ("total", "weight"):
            if getattr(self, f"{name}_rest") is _NOT_GIVEN:
                object.__setattr__(self, f"{name}_rest", jnp.zeros_like(getattr(self, name)))

    def __add__(self, other: Total) -> Total:
        if not isinstance(other, Total):
            return NotImplemented
        total, total_rest = _add(self.total, self.total_rest, other.total, other.total_rest)
        weight, weight_rest = _add(self.weight, self.weight_rest, other.weight, other.weight_rest)
        return Total(total, weight, total_rest, weight_rest)

    def __radd__(self, other: int) -> Total:
        """Lets the builtin ``sum`` start at its 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __mul__(self, factor: ArrayLike) -> Total:
        """Each loss times a number: the sum is scaled, not the weight, and so the mean is, too."""
        if isinstance(factor, Total):
            return NotImplemented
        return dataclasses.replace(self, total=self.total * factor, total_rest=self.total_rest * factor)

    __rmul__ = __mul__

    def __truediv__(self, divisor: ArrayLike) -> Total:
        """Each loss over a number; another count to divide by goes to `with_weight`."""
        if isinstance(divisor, Total):
            return NotImplemented
        return dataclasses.replace(self, total=self.total / divisor, total_rest=self.total_rest / divisor)

    def __sub__(self, other: Any) -> Total:
        hint = "to take a number off each loss: Total(t.total - number * t.weight, t.weight)"
        raise TypeError(f"nothing can be subtracted from a Total; {hint}")

    def __getattr__(self, name: str) -> Any:
        hint = "; give a metric total=t.total and count=t.weight" if name in ("sum", "size") else ""
        raise AttributeError(f"a Total has no attribute {name!r}{hint}")

    def with_weight(self, weight: ArrayLike) -> Total:
        """The same sum, of which the mean divides by another weight: a count of rows, of all positions, a constant.

        A device passes its own share, before `psum`.

        Example:
          >>> losses = jaxloss.mse_loss(jnp.ones((2, 3)), jnp.zeros((2, 3)), reduction="total")
          >>> losses.with_weight(2).mean()  # the sum over features, the mean over rows
          Array(3., dtype=float32)
        """
        weight = jnp.asarray(weight, widened(self.total))
        return dataclasses.replace(self, weight=weight, weight_rest=jnp.zeros_like(weight))

    def psum(self, axis_name: AxisName) -> Total:
        """The total over all devices of the mapped axis or axes, inside ``shard_map``, ``pmap`` or ``vmap``."""
        with calling("Total.psum"):
            return jax.tree.map(lambda x: psum(x, axis_name), self)

    def mean(self) -> Array:
        """``total / weight``; exactly 0, with zero gradient, when there is no weight; NaN where that overflows."""
        total, weight = self.total + self.total_rest, self.weight + self.weight_rest
        dtype = widened(total)
        return _ratio(jnp.asarray(total, dtype), jnp.asarray(weight, dtype))


jax.export.register_pytree_node_serialization(
    Total, serialized_name="jaxloss.Total", serialize_auxdata=lambda _: b"", deserialize_auxdata=lambda _: ()
)


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
    if reduction not in ("mean", "sum", "none", "total"):
        raise ValueError(message(f"reduction must be 'mean', 'sum', 'none' or 'total', got {reduction!r}"))
    if reduction == "none" and axis_name is not None:
        raise ValueError(
            message("axis_name reduces over devices, but reduction='none' reduces nothing; leave axis_name out")
        )
    if reduction == "none" and axis is not None:
        raise ValueError(message("axis says what to reduce, but reduction='none' reduces nothing; leave axis out"))


def element_weights(
    shape: tuple[int, ...], dtype: Any, weights: ArrayLike | None, mask: ArrayLike | None
) -> tuple[Array, Array | None]:
    """How much each element counts, which fits `shape` axis by axis, and which ones exist."""
    weight = jnp.ones((), dtype) if weights is None else broadcastable("weights", weights, shape).astype(dtype)
    if mask is None:
        return weight, None
    exists = bool_mask(mask, shape)
    return jnp.where(exists, weight, 0) + nan_unless_bool(mask, dtype), exists


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
    remaining = tuple(size for axis, size in enumerate(shape) if axis not in axes)
    return jnp.broadcast_to(jnp.squeeze(x, axes) if x.ndim else x, remaining)


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
        total, weight = psum(total, axis_name), psum(weight, axis_name)
    if reduction == "mean":
        return _ratio(total, weight)
    result: Any = total if reduction == "sum" else Total(total, weight)
    return result


def power_of_two(x: Array) -> Array:
    """The one nearest to `x`, by which products and quotients are exact; 1 for what has none."""
    info = jnp.finfo(x.dtype)
    power = lax.reduce_precision(lax.stop_gradient(x), info.nexp, 0)
    power = jnp.where((power > 0) & ~jnp.isnan(power), power, 1)
    return jnp.clip(power, 4 * info.tiny, 1 / (4 * info.tiny))  # whose reciprocal is one too


def _add(a: Array, a_rest: Array, b: Array, b_rest: Array) -> tuple[Array, Array]:
    """The sum of numbers of two parts each, as two: Knuth's, then Dekker's."""
    total = a + b
    back = total - a
    rest = a_rest + b_rest + lax.stop_gradient((a - (total - back)) + (b - back))
    finite = jnp.isfinite(total)
    rest = jnp.where(finite, rest, 0)
    whole = total + rest
    return whole, jnp.where(finite, rest - (whole - total), 0)


def psum(x: Array, axis_name: AxisName | None) -> Array:
    """One name at a time: a psum over two refuses a value that varies along only one of them."""
    return functools.reduce(lax.psum, devices.names(axis_name), x)


def _ratio(total: Array, weight: Array) -> Array:
    unit = power_of_two(jnp.abs(weight))  # else a square of the weight, in the derivative, may be out of range
    total, weight = total / unit, weight / unit
    empty = weight == 0
    mean = jnp.where(empty, 0, total / jnp.where(empty, 1, weight))
    return mean + nan_unless(~jnp.isinf(weight), mean.dtype)


def nan_unless_bool(mask: ArrayLike, dtype: Any) -> Array:
    """NaN where a mask of numbers is neither 0 nor 1."""
    values = jnp.asarray(mask)
    if values.dtype == jnp.bool_:
        return jnp.zeros((), dtype)
    fits = (values == 0) | (values == 1)
    hint = "" if real(values) else "; segment ids make one with segment_ids != 0"
    report("mask", values, fits, "be bool, or 0 and 1", hint)
    return nan_unless(fits, dtype)
