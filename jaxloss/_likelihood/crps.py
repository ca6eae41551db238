"""Continuous ranked probability scores: distributions and ensembles against a number."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import inputs
from .._contract.arrays import iota
from .._contract.checks import nan_with_any
from .._contract.jit import jit
from .._contract.messages import message
from .._contract.reduction import reduce
from .._contract.shapes import as_number, unsharded
from .._contract.types import Array, ArrayLike, AxisName, EachPositive, Reduction
from .._numerics.derivatives import quotient, with_partials
from .._numerics.pairs import summed_over_pairs


_FEW = 128  # members, of which each is compared with every other sooner than they are sorted


@jit
def gaussian_crps_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: EachPositive,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Continuous ranked probability score of a Gaussian with a scale for each element.

    .. math::
      \ell = (p - y) \, \mathrm{erf}(z / \sqrt 2) + s \left( 2 \varphi(z) - \frac{1}{\sqrt \pi} \right)
      \qquad z = \frac{p - y}{s}

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to learn how sure a prediction is, in the units of the labels and with less fear of outliers than
    `gaussian_nll_loss`: as the scale goes to 0 it becomes `l1_loss`, and an outlier pulls with 1, on the scale with
    :math:`1 / \sqrt \pi`. It scores a Gaussian, but is minimal at the truth whatever the noise is.

    Args:
      predictions: the means; floating point, any shape.
      labels: numbers of the predictions' shape.
      scale: above 0, the standard deviation. A scalar, or the predictions' rank with each dimension equal or 1.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Gneiting et al., *Calibrated probabilistic forecasting using ensemble model output statistics and minimum
    CRPS estimation* (2005), doi:10.1175/MWR2904.1.

    Example:
      >>> jaxloss.gaussian_crps_loss(jnp.zeros(2), jnp.array([0.0, 100.0]), scale=1.0, reduction="none")
      Array([ 0.23369497, 99.43581   ], dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    scale = inputs.parameter("scale", scale, "(0, inf)", mask, predictions)
    losses = _gaussian_crps(predictions - labels, scale)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def ensemble_crps_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    fair: bool = False,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Continuous ranked probability score of an ensemble of predictions.

    .. math::
      \ell = \frac{1}{m} \sum_i |p_i - y| - \frac{1}{2 m^2} \sum_{i, j} |p_i - p_j|

    ``fair`` divides the second term by :math:`2 m (m - 1)` instead, so that its expectation doesn't depend on the size
    of the ensemble. The members are sorted: :math:`m \log m` steps, not :math:`m^2`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to train a generator of scenarios, as in weather forecasting: the first term draws the members to the
    label, the second keeps them apart. It has no noise model; it is minimal when the members are drawn from the
    distribution of the labels. An outlier pulls on the members with 1 together, and on none with more than
    :math:`(2 m - 1) / m^2`, however far it lies.

    Args:
      predictions: the members, floating point, any shape with ``axis``.
      labels: numbers of the predictions' shape without ``axis``.
      axis: the members' axis.
      fair: whether to correct for the size of the ensemble, which must then be at least 2.

    Returns:
      The reduced loss, at least float32; in the labels' shape with ``reduction="none"``.

    Raises:
      ValueError: if there are no members, or fewer than two with ``fair=True``.

    Source: Gneiting and Raftery, *Strictly proper scoring rules* (2007), doi:10.1198/016214506000001437; Ferro 2014,
    doi:10.1002/qj.2270 (fair).

    Example:
      >>> jaxloss.ensemble_crps_loss(jnp.array([[1.0, 3.0, 2.0]]), jnp.array([2.0]))
      Array(0.22222224, dtype=float32)
    """
    predictions, labels, axis = inputs.members(mask, axis=axis, predictions=predictions, labels=labels)
    count = predictions.shape[axis]
    if isinstance(count, int) and count < 1 + fair:
        least = "two members where fair" if fair else "one member"
        raise ValueError(message(f"predictions must have at least {least}, got shape {predictions.shape}"))
    losses = jnp.squeeze(_ensemble_crps(unsharded(predictions, axis), labels, axis, fair), axis)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _bend(e: Array, s: Array, power: int) -> Array:
    z = _standard(e, s)
    return quotient(2 * z**power * _normal(z), s)


@with_partials(lambda e, s: _bend(e, s, 0), lambda e, s: -_bend(e, s, 1))
def _by_error(e: Array, s: Array) -> Array:
    return lax.erf(_standard(e, s) * 0.7071067811865476)


@with_partials(lambda e, s: -_bend(e, s, 1), lambda e, s: _bend(e, s, 2))
def _by_scale(e: Array, s: Array) -> Array:
    return 2 * _normal(_standard(e, s)) - 0.5641895835477563


@with_partials(_by_error, _by_scale)
def _gaussian_crps(e: Array, s: Array) -> Array:
    return e * _by_error(e, s) + s * _by_scale(e, s)


def _standard(e: Array, s: Array) -> Array:
    """The error in standard deviations, as many as make a difference."""
    return jnp.clip(quotient(e, s), -40, 40)


def _normal(z: Array) -> Array:
    return 0.3989422804014327 * jnp.exp(-0.5 * jnp.square(z))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _ensemble_crps(x: Array, y: Array, axis: int, fair: bool) -> Array:
    """The squared distance of the members' distribution function from the label's: a sum over the gaps between sorted
    members, none of whose terms is negative."""
    count = x.shape[axis]
    x = lax.sort(x, axis)
    k = lax.broadcasted_iota(x.dtype, x.shape, axis) + 1
    left = lax.slice_in_dim(x, 0, count - 1, axis=axis)
    right = lax.slice_in_dim(x, 1, count, axis=axis)
    below = lax.slice_in_dim(k, 0, count - 1, axis=axis)
    above = count - below
    middle = jnp.clip(y, left, right)
    one = 1 if fair else 0
    before = jnp.where(middle == left, 0, middle - left) * (below * (below - one))
    after = jnp.where(middle == right, 0, right - middle) * (above * (above - one))
    size = as_number(count, x.dtype)
    inside = jnp.sum((before + after) / (size * (size - one)), axis, keepdims=True)
    first, last = lax.slice_in_dim(x, 0, 1, axis=axis), lax.slice_in_dim(x, count - 1, count, axis=axis)
    return inside + jnp.maximum(first - y, 0) + jnp.maximum(y - last, 0)


@_ensemble_crps.defjvp
def _(axis: int, fair: bool, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    (x, y), (d_x, d_y) = primals, tangents
    x, y = lax.stop_gradient((x, y))
    size = as_number(x.shape[axis], x.dtype)
    toward = jnp.sign(x - y) / size
    apart = _rank(x, axis) / (size * (size - 1 if fair else size))
    slope = toward - apart + nan_with_any(x, axis)
    change = jnp.sum(slope * d_x, axis, keepdims=True) - jnp.sum(toward, axis, keepdims=True) * d_y
    return _ensemble_crps(*primals, axis, fair), change


def _order(a: Array, b: Array) -> Array:
    """1 where `a` lies above `b`, -1 below, 0 for equal ones, infinities included."""
    return (a > b).astype(a.dtype) - (a < b).astype(a.dtype)


def _rank(x: Array, axis: int) -> Array:
    """How many members lie below each less how many lie above; equal ones count for neither."""
    count = x.shape[axis]
    if isinstance(count, int) and count <= _FEW:
        return summed_over_pairs(_order, (x,), (x,), axis)
    place = iota(x, axis)
    x, origin = lax.sort((x, place), axis, num_keys=1)
    last = count - 1
    step = x != jnp.roll(x, 1, axis)
    start = lax.cummax(jnp.where(step, place, 0), axis)
    end = lax.cummin(jnp.where(jnp.roll(step, -1, axis), place, last), axis, reverse=True)
    _, rank = lax.sort((origin, start + end - last), axis, num_keys=1)
    return rank.astype(x.dtype)
