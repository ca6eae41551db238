"""Series that run at different speeds."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from .._contract import devices, inputs
from .._contract.arrays import array
from .._contract.checks import nan_where
from .._contract.jit import jit
from .._contract.messages import message
from .._contract.reduction import reduce
from .._contract.shapes import full_mask, unsharded
from .._contract.types import Array, ArrayLike, AxisName, Positive, Reduction
from .._numerics.derivatives import at_least, quotient
from . import lattice, lengths


@jit
def soft_dtw_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma: Positive = 1.0,
    divergence: bool = False,
    prediction_lengths: ArrayLike | None = None,
    label_lengths: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Soft dynamic time warping: how far two series lie apart when either may wait for the other.

    .. math::
      \ell = -\gamma \log \sum_{A} e^{-c(A) / \gamma}, \qquad
      c(A) = \sum_{(i, j) \in A} \| x_i - y_j \|^2

    over all alignments :math:`A`, which lead from the first pair of steps to the last by one step in either or both.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is a pair of series: losses, ``weights`` and ``mask`` have the shape of the leading axes. Lengths say
    how many steps of each exist; what lies beyond may hold anything. An empty series costs infinity beside one that
    isn't, with the gradient 0, and 0 beside another. A length out of range makes its pair NaN.

    Choose it for time series whose shape matters and whose timing doesn't: forecasts that may come a little early,
    gestures, averages of series (the series of least loss). Each cell of a best alignment has a Gaussian noise model.
    The loss falls below 0 where many alignments are nearly as good as the best; ``divergence=True`` doesn't, and is
    least for equal series. `mse_loss` compares step by step.

    Args:
      predictions: ``[..., steps, features]``.
      labels: ``[..., other steps, features]``.
      gamma: above 0, in units of the squared distance: how much worse than the best an alignment may be and still
        count. Towards 0 it is dynamic time warping itself.
      divergence: whether to subtract half of what each series costs beside itself.
      prediction_lengths: integers ``[...]``, how many steps the predictions have. None is all.
      label_lengths: integers ``[...]``, how many the labels. None is all.

    Returns:
      The reduced loss, at least float32; per pair of series with ``reduction="none"``.

    Raises:
      ValueError: if the leading axes or the features of the two differ.
      TypeError: if lengths aren't integers.

    Source: Cuturi and Blondel, *Soft-DTW* (2017), arXiv:1703.01541; the divergence is that of Blondel et al. (2021),
    arXiv:2010.08354.

    Example:
      >>> early, late = jnp.array([[[0.0], [1.0], [0.0], [0.0]]]), jnp.array([[[0.0], [0.0], [1.0], [0.0]]])
      >>> jaxloss.soft_dtw_loss(early, late, gamma=0.01)
      Array(0., dtype=float32)
      >>> jaxloss.mse_loss(early, late)
      Array(0.5, dtype=float32)
    """
    x = inputs.floating("predictions", predictions)
    y = array("labels", labels)
    if x.ndim < 2:
        raise ValueError(message(f"predictions must have shape [..., steps, features], got {x.shape}"))
    lengths.same_but_in_length("labels", y, x, "other steps")
    exists = full_mask(mask, x.shape[:-2])
    steps, fit = lengths.lengths_of("prediction_lengths", prediction_lengths, x.shape[-2], exists)
    others, others_fit = lengths.lengths_of("label_lengths", label_lengths, y.shape[-2], exists)
    x, y = unsharded(x, -2, -1), unsharded(y.astype(x.dtype), -2, -1)
    here, there = lengths.upto(x.shape[-2], steps), lengths.upto(y.shape[-2], others)
    fit &= others_fit & ~lengths.any_nan(x, here) & ~lengths.any_nan(y, there)
    x, y = lengths.cleared(_finite(x), here, fit), lengths.cleared(_finite(y), there, fit)
    x, y, steps, others = devices.alike((x, y, steps, others))
    gamma = jnp.asarray(gamma)
    losses = _soft_dtw(x, steps, y, others, gamma)
    if divergence:
        alone = _soft_dtw(x, steps, x, steps, gamma) + _soft_dtw(y, others, y, others, gamma)
        losses = jnp.where(losses == jnp.inf, jnp.inf, at_least(losses - alone / 2, 0))
    return reduce(nan_where(~fit, losses), weights, mask, reduction=reduction, axis_name=axis_name)


def _finite(x: Array) -> Array:
    """With finite differences: those of infinities are 0 or too large to square, which is what becomes of them."""
    half = float(jnp.finfo(x.dtype).max) / 2
    return jnp.clip(x, -half, half)


@jax.custom_jvp
def _squared_distances(x: Array, y: Array) -> Array:
    return jnp.sum(jnp.square(_differences(x, y)), -1)


@_squared_distances.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    """Both sums take their differences anew: shared, they would be written to memory."""
    (x, for_y), (y, of_y) = (inputs.apart(series, 2) for series in primals)
    d_x, d_y = tangents
    change = jnp.sum(_differences(x, y) * d_x[..., :, None, :], -1)
    return _squared_distances(*primals), 2 * (change - jnp.sum(_differences(for_y, of_y) * d_y[..., None, :, :], -1))


def _differences(x: Array, y: Array) -> Array:
    return x[..., :, None, :] - y[..., None, :, :]


def _soft_dtw(x: Array, steps: Array, y: Array, others: Array, gamma: Array) -> Array:
    """By diagonals: all pairs of steps that are as many steps from the start are found at once.

    All start before the first step of either. What has arrived at the last step of `x` stays there, to the end of its
    column.
    """
    costs = _squared_distances(x, y)
    exist = lengths.upto(x.shape[-2], steps)[..., :, None] & lengths.upto(y.shape[-2], others)[..., None, :]
    before = [(0, 0)] * steps.ndim + [(1, 0)] * 2
    scores = jnp.pad(jnp.where(exist, -quotient(costs, gamma), -jnp.inf), before, constant_values=-jnp.inf)
    over = jnp.broadcast_to(~lengths.upto(x.shape[-2] + 1, steps + 1)[..., None], scores.shape)

    def step(alpha: tuple[Array, Array], x: tuple[Array, Array]) -> tuple[Array, Array]:
        (waits, both), (score, over) = alpha, x
        proceeds = lattice.shifted_in(waits)[..., :-1]
        arrives = lattice.log_add(lattice.log_add(waits, proceeds), both) + score
        return jnp.where(over, waits, arrives), proceeds

    xs = lattice.diagonals(scores, -jnp.inf)[1:], lattice.diagonals(over, True)[1:]
    zeros = lattice.zeros_before(xs[0])
    (alpha, _), level = lattice.scanned(step, (lattice.first_only(zeros), zeros - jnp.inf), xs)
    total = lattice.at(alpha, others) + level
    impossible = total == -jnp.inf
    return jnp.where(impossible, jnp.inf, 0 - gamma * jnp.where(impossible, 0, total))
