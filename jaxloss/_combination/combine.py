"""Several losses as one number."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from .._contract.arrays import is_array
from .._contract.messages import calling, message
from .._contract.types import Array, ArrayLike
from .._numerics.derivatives import times
from .named import Loss, add_up, means, same_names


Schedule: TypeAlias = Callable[[Any], Any]


@calling("combine")
def combine(
    losses: Mapping[str, Loss],
    weights: Mapping[str, ArrayLike | Schedule] | None = None,
    *,
    step: ArrayLike | None = None,
) -> tuple[Array, dict[str, Array]]:
    r"""The weighted sum of several losses, and the losses themselves for logging.

    .. math::
      \ell = \sum_k w_k \ell_k

    Made for ``jax.value_and_grad(..., has_aux=True)``. A weight of 0 leaves a loss out, also one that is infinite, but
    not one that is NaN.

    Args:
      losses: by name, each a scalar or a `Total`, which counts with its mean: add totals up over microbatches and
        devices first, and the combination is exact.
      weights: by the same names, each a number, an array of shape ``()``, or a schedule, a function of ``step`` such as
        Optax'. Without it all weigh 1.
      step: what the schedules get.

    Returns:
      The sum, and the losses by name, without their weights; at least float32.

    Raises:
      ValueError: if a name is missing or unknown, a loss or a weight isn't a scalar, or a schedule has no ``step``.
      TypeError: if ``losses`` or ``weights`` isn't a mapping.

    Example:
      >>> losses = {"class": jnp.array(2.0), "box": jaxloss.Total(jnp.array(6.0), jnp.array(2.0))}
      >>> value, parts = jaxloss.combine(losses, {"class": 1.0, "box": lambda step: step / 10}, step=5)
      >>> value, parts["box"]
      (Array(3.5, dtype=float32), Array(3., dtype=float32))
    """
    parts = means("losses", losses)
    if weights is None:
        return add_up([*parts.values()]), parts
    same_names("losses", losses, "weights", weights)
    given = {name: _at_step(name, weight, step) for name, weight in weights.items()}
    factors = means("weights", given)
    return add_up([times(factors[name].astype(part.dtype), part) for name, part in parts.items()]), parts


def _at_step(name: str, weight: Any, step: ArrayLike | None) -> Any:
    if is_array(weight) or not callable(weight):  # variables may be called
        return weight
    if step is None:
        raise ValueError(message(f"step must be given where weights[{name!r}] is a schedule, got None"))
    return weight(step)
