"""The hardest of many losses as one number."""

from __future__ import annotations

from typing import Annotated, Any

import jax.numpy as jnp
from jax import lax

from .._contract import devices
from .._contract.inputs import floating, spoiled
from .._contract.jit import jit
from .._contract.reduction import reduce, valid_reduction
from .._contract.total import over_devices
from .._contract.types import Array, ArrayLike, AxisName, Number, Reduction
from .._contract.units import power_of_two
from .._contract.weights import element_weights
from .._numerics.derivatives import quotient


@jit
def average_top_k_loss(
    losses: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    fraction: Annotated[ArrayLike, Number("(0, 1]")],
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""The mean of the largest losses: top-k cross entropy, online hard example mining, the conditional value at risk.

    .. math::
      \ell = \frac{\sum m w s l}{\sum m w s}, \qquad s_i = \begin{cases} 1 & l_i > t \\ 0 & l_i < t \end{cases}, \qquad
      \sum m w s = k \sum m w

    The largest losses take part until a fraction :math:`k` of the weight that exists is taken; those that equal the
    last one, :math:`t`, share the rest alike. So a weight is copies, a fraction of 1 is the mean of all, one near 0 the
    maximum. A second `jaxloss.reduce`, for any loss with ``reduction="none"``; across the devices of ``axis_name`` the
    threshold is that of all.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it where most elements are easy and their mean drowns the rest, as of pixels with few of a foreground; noisy
    labels are hard ones, too, which it prefers. To take all losses above a threshold instead, pass ``mask=losses > t``
    to `jaxloss.reduce`.

    Args:
      losses: per-element losses, any shape. Which of them take part is constant for differentiation.
      fraction: in (0, 1], of the weight, or of the number of elements where there are no weights.

    Returns:
      The reduced loss, at least float32; with ``reduction="none"`` the losses in their shape, times weight and share.

    Source: Fan et al., *Learning with average top-k loss* (2017), arXiv:1705.08826; Shrivastava et al. (2016),
    arXiv:1604.03540 (online hard example mining).

    Example:
      >>> losses = jaxloss.l1_loss(jnp.array([1.0, -4.0, 2.0, 0.5]), jnp.zeros(4), reduction="none")
      >>> jaxloss.average_top_k_loss(losses, fraction=0.5)
      Array(3., dtype=float32)
    """
    valid_reduction(reduction, axis_name)
    losses = floating("losses", losses)
    weight, exists = element_weights(losses.shape, losses.dtype, weights, mask)
    if exists is not None:
        losses = jnp.where(exists, losses, 0)
    held, each = (lax.stop_gradient(x) for x in (losses, jnp.broadcast_to(weight, losses.shape)))
    share = _shares(held, each, lax.stop_gradient(fraction), axis_name)
    losses = jnp.where((share == 0) & ~jnp.isnan(losses), 0, losses)  # which may be infinite
    return reduce(losses, weight * share, exists, reduction=reduction, axis_name=axis_name)


def _shares(losses: Array, weight: Array, fraction: Any, axis_name: AxisName | None) -> Array:
    """How much of each takes part. The threshold is found bit by bit, which takes no sort and no gathering."""
    unit = power_of_two(devices.pmax(jnp.max(jnp.abs(weight), initial=0), axis_name))  # in which sums stay in range

    def weight_of(which: Array) -> Array:
        return over_devices(jnp.sum(jnp.where(which, weight / unit, 0)), axis_name)

    keys, bits = _ordered(losses)
    wanted = fraction * weight_of(keys >= 0)

    def next_bit(i: Any, threshold: Array) -> Array:
        higher = threshold | (jnp.ones((), keys.dtype) << (bits - 1 - i).astype(keys.dtype))
        return jnp.where(weight_of(keys >= higher) >= wanted, higher, threshold)

    none = devices.varying(jnp.zeros((), keys.dtype), devices.mapped_axes(wanted))
    threshold = lax.fori_loop(0, bits, next_bit, none)
    last = keys == threshold
    rest, of_last = wanted - weight_of(keys > threshold), weight_of(last)
    some = jnp.clip(quotient(rest, jnp.where(of_last == 0, 1, of_last)), 0, 1)
    some = jnp.where(fraction >= 1, 1, some)
    return spoiled(jnp.where(keys > threshold, 1, jnp.where(last, some, 0)), fraction)


def _ordered(x: Array) -> tuple[Array, int]:
    """Unsigned integers in the order of floats, and how many bits they have."""
    bits = jnp.finfo(x.dtype).bits
    unsigned = lax.bitcast_convert_type(x, jnp.dtype(f"uint{bits}"))
    sign = jnp.asarray(1 << (bits - 1), unsigned.dtype)
    return jnp.where(unsigned >= sign, ~unsigned, unsigned | sign), bits
