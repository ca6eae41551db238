"""Distances between distributions over classes, from probabilities."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from .._contract import classes, inputs
from .._contract.arrays import array
from .._contract.checks import nan_unless, report
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.shapes import along, exactly, unsharded
from .._contract.types import Array, ArrayLike, Axes, AxisName, Reduction
from .._numerics import norm
from .._numerics.derivatives import absolute, root
from .distributions import from_probs


@jit
def total_variation_distance(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Total variation: the largest difference of the probabilities that two distributions give to any event.

    .. math::
      \ell = \tfrac{1}{2} \sum_c |p_c - y_c|

    Between 0 and 1.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when a divergence charges rare classes too much. The gradient of a class is 1/2 up or down however wrong
    its label is, and 0 where the two agree; with one-hot labels it is the mean absolute error, which flipped labels
    hardly mislead but which is slow to train.

    Args:
      probs: probabilities in [0, 1], floating point, any shape with ``axis``.
      labels: probabilities of the shape of ``probs``.
      axis: the axis of the classes, or a tuple of axes.

    Returns:
      The reduced loss, at least float32; per distribution, without ``axis``, with ``reduction="none"``.

    Source: Levin, Peres and Wilmer, *Markov Chains and Mixing Times* (2009), section 4.1; Ghosh et al. 2017,
    arXiv:1712.09482 (wrong labels).

    Example:
      >>> probs, labels = jnp.array([[0.25, 0.75], [0.0, 1.0]]), jnp.array([[0.5, 0.5], [1.0, 0.0]])
      >>> jaxloss.total_variation_distance(probs, labels, reduction="none")
      Array([0.25, 1.  ], dtype=float32)
    """
    probs, labels, sound, axes = from_probs(mask, axis, probs, labels)
    losses = 0.5 * sound * jnp.sum(absolute(probs - labels), axes)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def hellinger_distance(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Hellinger distance: Euclidean distance of the square roots of probabilities.

    .. math::
      \ell = \sqrt{\tfrac{1}{2} \sum_c \left( \sqrt{p_c} - \sqrt{y_c} \right)^2}

    Between 0 and 1. Some call its square by the same name. In the derivative a probability of 0 counts as the smallest
    normal number of float32 (or float64).

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for a bounded distance that still minds ratios. (`total_variation_distance` lies between its square and
    :math:`\sqrt{2}` times itself.) A class pulls with :math:`\left( 1 - \sqrt{y / p} \right) / 4 \ell`, the less the
    farther the two distributions lie apart, so outliers and wrong labels count little. At coincident distributions the
    gradient is 0.

    Args:
      probs: probabilities in [0, 1], floating point, any shape with ``axis``.
      labels: probabilities of the shape of ``probs``.
      axis: the axis of the classes, or a tuple of axes.

    Returns:
      The reduced loss, at least float32; per distribution, without ``axis``, with ``reduction="none"``.

    Source: Beran, *Minimum Hellinger distance estimates for parametric models* (1977), doi:10.1214/aos/1176343842.

    Example:
      >>> probs, labels = jnp.array([[0.25, 0.75], [0.0, 1.0]]), jnp.array([[0.25, 0.75], [1.0, 0.0]])
      >>> jaxloss.hellinger_distance(probs, labels, reduction="none")
      Array([0., 1.], dtype=float32)
    """
    probs, labels, sound, axes = from_probs(mask, axis, probs, labels)
    losses = sound * jnp.squeeze(_hellinger(probs, labels, axes), axes)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def wasserstein_distance(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    positions: ArrayLike | None = None,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Wasserstein (earth mover's) distance on a line: how much probability must be moved, times how far.

    .. math::
      \ell = \sum_{k=1}^{K-1} (x_{k+1} - x_k) \left| \sum_{c \le k} (p_c - y_c) \right|

    for classes in order, at the positions :math:`x`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for classes that have an order and a distance, such as ages, ratings and histograms: a near miss costs
    less than a far one, where `kl_divergence` sees no difference, and no zero makes it infinite. A wrong label pulls in
    proportion to how far it lies from the prediction. Both distributions should have the same sum: what one has in
    excess counts as if it lay at the last position.

    Args:
      probs: probabilities in [0, 1], floating point, ``[..., classes]``, the class axis at ``axis``.
      labels: probabilities of the shape of ``probs``.
      positions: ``[classes]``, where the classes lie, in ascending order; None: 0, 1, 2, and so on.
      axis: the class axis.

    Returns:
      The reduced loss, at least float32; per distribution, without ``axis``, with ``reduction="none"``.

    Source: Vallender, *Calculation of the Wasserstein distance between probability distributions on the line* (1974),
    doi:10.1137/1118101; Hou et al. 2016, arXiv:1611.05916 (squared, for classes in order).

    Example:
      >>> probs, labels = jnp.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), jnp.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
      >>> jaxloss.wasserstein_distance(probs, labels, reduction="none")
      Array([1., 2.], dtype=float32)
      >>> jaxloss.wasserstein_distance(probs, labels, positions=jnp.array([0.0, 10.0, 15.0]), reduction="none")
      Array([10., 15.], dtype=float32)
    """
    place = classes.axis_of(axis, "probs", inputs.floating("probs", probs))
    probs, labels, sound, axes = from_probs(mask, place, probs, labels)
    moved = absolute(jnp.cumsum(unsharded(probs - labels, place), place))
    gaps = along(_gaps(positions, probs, place), probs.ndim, place)
    return reduce(sound * jnp.sum(moved * gaps, axes), weights, mask, reduction=reduction, axis_name=axis_name)


def _gaps(positions: ArrayLike | None, probs: Array, axis: int) -> Array:
    """From each class to the next; 0 from the last one, so that its NaN stays NaN."""
    count = probs.shape[axis]
    if positions is None:
        return (lax.iota(jnp.int32, count) < count - 1).astype(probs.dtype)
    x = array("positions", positions).astype(probs.dtype)
    exactly("positions", x, (count,), f"shape ({count},), one for each class")
    steps = jnp.diff(x, prepend=x[:1])
    fits = jnp.isfinite(x) & ~(steps < 0)
    report("positions", x, fits, "be finite and in ascending order")
    return jnp.roll(steps, -1) + nan_unless(jnp.all(fits), x.dtype)


def _root_slope(p: Array, y: Array) -> Array:
    """``(1 - sqrt(y / p)) / 2``, in which a `p` of 0 counts as the smallest normal number."""
    least = jnp.finfo(p.dtype).tiny ** 0.5
    some = jnp.where(p == 0, 1, p)
    return 0.5 * jnp.where(p == 0, 1 - root(y) / least, _roots_apart(some, y) / jnp.sqrt(some))


def _roots_apart(p: Array, y: Array) -> Array:
    total = root(p) + root(y)
    return (p - y) / jnp.where(total == 0, 1, total)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _hellinger(p: Array, y: Array, axes: tuple[int, ...]) -> Array:
    return 0.5**0.5 * norm.euclidean(_roots_apart(p, y), axes)


def _hellinger_rule(axes: tuple[int, ...], primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    p, y = primals
    value = _hellinger(p, y, axes)
    change = jnp.zeros_like(value)
    for own, other, tangent in ((p, y, tangents[0]), (y, p, tangents[1])):
        if not isinstance(tangent, SymbolicZero):
            change += jnp.sum(_root_slope(own, other) * tangent, axes, keepdims=True)
    apart = value != 0
    return value, jnp.where(apart, 0.5 * change / jnp.where(apart, value, 1), 0)


_hellinger.defjvp(_hellinger_rule, symbolic_zeros=True)
