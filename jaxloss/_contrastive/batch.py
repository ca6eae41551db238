"""Two views of a batch, compared by statistics of its features: there is one number for the whole batch."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from .._contract import devices
from .._contract.jit import jit
from .._contract.reduction import reduce, valid_reduction
from .._contract.shapes import as_number
from .._contract.total import over_devices
from .._contract.types import Array, ArrayLike, AxisName, NonNegative, Reduction
from .._contract.units import power_of_two
from .._contract.weights import element_weights
from .._numerics.derivatives import at_least, positive, root, square, times
from .._numerics.products import product
from . import columns
from .columns import Side


@jit
def vicreg_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    invariance_weight: NonNegative = 25.0,
    variance_weight: NonNegative = 25.0,
    covariance_weight: NonNegative = 1.0,
    eps: NonNegative = 1e-4,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""VICReg: two views should agree, while each feature varies over the batch, and no two of them together.

    With the means over the batch and the covariances :math:`C` of each view,

    .. math::
      \ell = \lambda \frac1d \sum_k \overline{(a_k - b_k)^2} + \sum_{C \in \{C_a, C_b\}} \Big(
        \frac{\mu}{2 d} \sum_k \max(0, 1 - \sqrt{C_{kk} + \epsilon})
        + \frac{\nu}{d} \sum_{k \neq l} C_{kl}^2 \Big)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is the batch: ``"mean"``, ``"sum"`` and ``"none"`` are the same number, ``"total"`` is that with weight
    1, and 0 with weight 0 where no row is left. So the totals of microbatches add up to the mean of their losses, not
    to the loss of all their rows, which ``axis_name`` gives. ``weights`` and ``mask`` are ``[batch]``: a weight is a
    count of copies of the row, and covariances divide by their sum less 1.

    Choose it to learn embeddings from pairs of views without negatives, in batches of a few hundred rows;
    `barlow_twins_loss` has one weight less to set, `info_nce_loss` needs rows that are no pairs to be unlike. It has no
    noise model. Where a feature doesn't vary at all, the gradient of its variance is 0: what has collapsed stays so.

    Args:
      embeddings_a: floating point, ``[batch, features]``: one view of each thing.
      embeddings_b: of the same shape: the other view.
      invariance_weight: at least 0, :math:`\lambda`.
      variance_weight: at least 0, :math:`\mu`; half of it for each view, as in the authors' code.
      covariance_weight: at least 0, :math:`\nu`.
      eps: at least 0, :math:`\epsilon`, which bounds the slope where a feature hardly varies.

    Returns:
      The loss, at least float32; the same number for every ``reduction``.

    Raises:
      ValueError: if a shape doesn't fit, or under ``check_vma=True`` the batch is the same along ``axis_name``.

    Source: Bardes et al., *VICReg: variance-invariance-covariance regularization for self-supervised learning* (2021),
    arXiv:2105.04906.

    Example:
      >>> a, b = jnp.array([[1.0, 0.0], [-1.0, 0.0]]), jnp.array([[1.0, 0.5], [-1.0, -0.5]])
      >>> jaxloss.vicreg_loss(a, b)
      Array(12.14264, dtype=float32)
    """
    a, b, counts = _batch(embeddings_a, embeddings_b, weights, mask, reduction, axis_name)
    number, features = over_devices(jnp.sum(counts), axis_name), as_number(max(a.shape[1], 1), a.dtype)
    several = number > 1
    share = jnp.where(several, counts / jnp.where(several, number - 1, 1), 0)
    gaps = over_devices(jnp.sum(counts[:, None] * square(a - b)), axis_name)
    loss = times(invariance_weight, gaps / (features * _divisor(number)))
    for x in (a, b):
        x = x - _mean(x, counts, number, axis_name)
        variance = over_devices(jnp.sum(share[:, None] * square(x), 0), axis_name)
        shortfall = jnp.sum(positive(1 - root(variance + eps)))
        loss += times(0.5 * variance_weight / features, shortfall)
        loss += times(covariance_weight / features, _beside_diagonal(x, x, share, variance, axis_name))
    return reduce(loss, mask=number != 0, reduction=reduction)


@jit
def barlow_twins_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    redundancy_weight: NonNegative = 5e-3,
    eps: NonNegative = 1e-5,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Barlow Twins: each feature of one view should correlate with itself in the other view, and with no other.

    .. math::
      \ell = \sum_k (1 - C_{kk})^2 + \lambda \sum_{k \neq l} C_{kl}^2, \qquad
      C_{kl} = \overline{\frac{a_k - \bar a_k}{\sqrt{\operatorname{var} a_k + \epsilon}}
        \cdot \frac{b_l - \bar b_l}{\sqrt{\operatorname{var} b_l + \epsilon}}}

    with means and variances over the batch.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is the batch: ``"mean"``, ``"sum"`` and ``"none"`` are the same number, ``"total"`` is that with weight
    1, and 0 with weight 0 where no row is left. So the totals of microbatches add up to the mean of their losses, not
    to the loss of all their rows, which ``axis_name`` gives. ``weights`` and ``mask`` are ``[batch]``: a weight is a
    count of copies of the row.

    Choose it to learn embeddings from pairs of views without negatives, with many features; their scale makes no
    difference, which `vicreg_loss` fixes instead. It has no noise model. It is a sum over features, of which
    more want a smaller step.

    Args:
      embeddings_a: floating point, ``[batch, features]``: one view of each thing.
      embeddings_b: of the same shape: the other view.
      redundancy_weight: at least 0, :math:`\lambda`.
      eps: at least 0, :math:`\epsilon`, beside which variances count. With 0 a feature that doesn't vary correlates
        with nothing, and has no gradient.

    Returns:
      The loss, at least float32; the same number for every ``reduction``.

    Raises:
      ValueError: if a shape doesn't fit, or under ``check_vma=True`` the batch is the same along ``axis_name``.

    Source: Zbontar et al., *Barlow Twins: self-supervised learning via redundancy reduction* (2021), arXiv:2103.03230.

    Example:
      >>> a, b = jnp.array([[1.0, 1.0], [-1.0, 0.0]]), jnp.array([[2.0, -1.0], [-2.0, 1.0]])
      >>> jaxloss.barlow_twins_loss(a, b)
      Array(4.0099006, dtype=float32)
    """
    a, b, counts = _batch(embeddings_a, embeddings_b, weights, mask, reduction, axis_name)
    number = over_devices(jnp.sum(counts), axis_name)
    share = counts / _divisor(number)
    (a, left_a), (b, left_b) = (_standardized(x, counts, number, eps, axis_name) for x in (a, b))
    # 1 - C of each feature, from the difference: of what correlates well, C would leave only rounding.
    off = 0.5 * (over_devices(jnp.sum(share[:, None] * square(a - b), 0), axis_name) + left_a + left_b)
    loss = jnp.sum(square(off)) + redundancy_weight * _beside_diagonal(a, b, share, 1 - off, axis_name)
    return reduce(loss, mask=number != 0, reduction=reduction)


def _batch(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None,
    mask: ArrayLike | None,
    reduction: Reduction,
    axis_name: AxisName | None,
) -> tuple[Array, Array, Array]:
    """Both views, 0 where masked, and how often each row counts."""
    valid_reduction(reduction, axis_name)
    a, b = (columns.side(x, mask, False, axis_name=axis_name) for x in columns.pair(embeddings_a, embeddings_b))
    return a.vectors, b.vectors, row_counts(a, weights, mask)


def row_counts(rows: Side, weights: ArrayLike | None, mask: ArrayLike | None) -> Array:
    """How often each row counts, 0 where masked."""
    shape = rows.exists.shape
    weight, _ = element_weights(shape, rows.vectors.dtype, weights, mask)
    return jnp.where(rows.exists, weight, 0)


def _divisor(number: Array) -> Array:
    return jnp.where(number == 0, 1, number)


def _mean(x: Array, counts: Array, number: Array, axis_name: AxisName | None) -> Array:
    return (over_devices(jnp.sum(counts[:, None] * x, 0), axis_name) / _divisor(number))[None]


def _standardized(
    x: Array, counts: Array, number: Array, eps: ArrayLike, axis_name: AxisName | None
) -> tuple[Array, Array]:
    """Features of mean 0 and variance 1, and what `eps` leaves of that variance: all, of what doesn't vary."""
    x = x - _mean(x, counts, number, axis_name)
    # In units of the largest value, of which no square leaves the range of the dtype.
    largest, least = (lax.stop_gradient(size) for size in (jnp.max(jnp.abs(x), 0, initial=0), jnp.asarray(eps)))
    per_unit = 1 / power_of_two(jnp.maximum(devices.pmax(largest, axis_name), jnp.sqrt(least)))
    floor = eps * per_unit * per_unit
    variance = (
        over_devices(jnp.sum(counts[:, None] * square(x * per_unit[None]), 0), axis_name) / _divisor(number) + floor
    )
    constant = variance == 0
    reciprocal = jnp.where(constant, 0, lax.rsqrt(jnp.where(constant, 1, variance)))
    return x * (per_unit * reciprocal)[None], jnp.where(constant, 1, floor * square(reciprocal))


def _beside_diagonal(a: Array, b: Array, share: Array, diagonal: Array, axis_name: AxisName | None) -> Array:
    """The sum of the squares of ``a' diag(share) b`` without its diagonal, a block of rows of that at a time.

    Of few rows it is the product of two matrices of rows by rows, less the diagonal: of low rank they are far apart.
    """
    rows, features = a.shape
    if isinstance(rows, int) and isinstance(features, int) and features > 2 * rows * devices.axis_size(axis_name):
        all_a, all_b, all_shares = columns.gathered((a, b, share), axis_name)
        squares = share[:, None] * all_shares[None] * product(a, all_a, (1, 1)) * product(b, all_b, (1, 1))
        return at_least(over_devices(jnp.sum(squares), axis_name) - jnp.sum(square(diagonal)), 0)
    of_a = columns.side((share[:, None] * a).T, None, False)
    everyone = columns.gathered(of_a.place, None)

    def block(_: None, some: Side) -> tuple[None, Array]:
        entries = square(over_devices(product(some.vectors, b), axis_name))
        return None, jnp.sum(jnp.where(some.place[:, None] == everyone[None], 0, entries), 1)

    _, beside = columns.by_blocks(block, of_a, features)
    return jnp.sum(beside)
