"""A sum of losses and of their weight: a mean that can still be added to."""

from __future__ import annotations

import dataclasses
import functools
import sys
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from . import devices
from .arrays import widened
from .checks import nan_unless
from .messages import calling
from .types import Array, ArrayLike, AxisName
from .units import power_of_two


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
            return jax.tree.map(lambda x: over_devices(x, axis_name), self)

    def mean(self) -> Array:
        """``total / weight``; exactly 0, with zero gradient, when there is no weight; NaN where that overflows."""
        total, weight = self.total + self.total_rest, self.weight + self.weight_rest
        dtype = widened(total)
        return ratio(jnp.asarray(total, dtype), jnp.asarray(weight, dtype))


jax.export.register_pytree_node_serialization(
    Total, serialized_name="jaxloss.Total", serialize_auxdata=lambda _: b"", deserialize_auxdata=lambda _: ()
)


def _add(a: Array, a_rest: Array, b: Array, b_rest: Array) -> tuple[Array, Array]:
    """The sum of numbers of two parts each, as two: Knuth's, then Dekker's."""
    total = a + b
    back = total - a
    rest = a_rest + b_rest + lax.stop_gradient((a - (total - back)) + (b - back))
    finite = jnp.isfinite(total)
    rest = jnp.where(finite, rest, 0)
    whole = total + rest
    return whole, jnp.where(finite, rest - (whole - total), 0)


def over_devices(x: Array, axis_name: AxisName | None) -> Array:
    """The sum of what each device has of its own elements.

    One name at a time: a psum over two refuses a value that varies along only one of them.
    """
    return functools.reduce(lax.psum, devices.names(axis_name), x)


def ratio(total: Array, weight: Array) -> Array:
    unit = power_of_two(jnp.abs(weight))  # else a square of the weight, in the derivative, may be out of range
    total, weight = total / unit, weight / unit
    empty = weight == 0
    mean = jnp.where(empty, 0, total / jnp.where(empty, 1, weight))
    return mean + nan_unless(~jnp.isinf(weight), mean.dtype)
