"""Embeddings against a learned vector for each class."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import classes
from .._contract.jit import jit_over_classes
from .._contract.reduction import reduce, valid_reduction
from .._contract.total import over_devices
from .._contract.types import Array, ArrayLike, AxisName, Finite, Positive, Reduction
from .._numerics.derivatives import clip_to_finite
from .._numerics.elementary import softplus
from .._numerics.products import product
from . import columns
from .batch import row_counts
from .columns import Side, Sum


_FAR = 60.0  # above the top of all rows that count


@jit_over_classes
def proxy_anchor_loss(
    embeddings: ArrayLike,
    proxies: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: Finite = 0.1,
    alpha: Positive = 32.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Proxy Anchor: a proxy for each class pulls the rows of that class and pushes all others, the worst hardest.

    With the cosines :math:`s_{ic}` of row i and proxy c, and the classes :math:`P` that have a row in the batch,

    .. math::
      \ell = \frac1{|P|} \sum_{c \in P} \log \Big( 1 + \sum_{i: y_i = c} e^{-\alpha (s_{ic} - m)} \Big)
        + \frac1C \sum_c \log \Big( 1 + \sum_{i: y_i \neq c} e^{\alpha (s_{ic} + m)} \Big)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is the batch: ``"mean"``, ``"sum"`` and ``"none"`` are the same number, ``"total"`` is that with weight
    1, and 0 with weight 0 where no row is left. So the totals of microbatches add up to the mean of their losses, not
    to the loss of all their rows, which ``axis_name`` gives. ``weights`` and ``mask`` are ``[batch]``: a weight is a
    count of copies of the row. The proxies are the same on all devices.

    Choose it for retrieval with labels of many classes, of which a batch holds few rows each: it converges fast, since
    proxies stand for the rows that aren't there. It has no noise model. A zero vector has cosine 0 with everything, and
    no gradient. The classes x batch matrix is never held.

    Args:
      embeddings: floating point, ``[batch, features]``.
      proxies: ``[classes, features]``, learned with the embeddings, at a larger step.
      labels: class indices, ``[batch]``. One out of range makes the loss NaN.
      margin: :math:`m`, of cosines.
      alpha: above 0, :math:`\alpha`; larger ones look at the worst rows only.

    Returns:
      The loss, at least float32; the same number for every ``reduction``.

    Raises:
      ValueError: if a shape doesn't fit, or under ``check_vma=True`` the batch is the same along ``axis_name``.
      TypeError: if ``labels`` are no integers.

    Source: Kim et al., *Proxy anchor loss for deep metric learning* (2020), arXiv:2003.13911.

    Example:
      >>> embeddings, proxies = jnp.array([[1.0, 0.0], [3.0, 4.0]]), jnp.array([[1.0, 1.0], [0.0, 2.0]])
      >>> jaxloss.proxy_anchor_loss(embeddings, proxies, jnp.array([0, 1]), alpha=2.0)
      Array(1.7827861, dtype=float32)
    """
    valid_reduction(reduction, axis_name)
    x = columns.embeddings("embeddings", embeddings)
    proxies = columns.embeddings("proxies", proxies, x, "classes")
    of_rows = jax.ShapeDtypeStruct((x.shape[0], proxies.shape[0]), x.dtype)
    labelled = classes.labels_for(mask, labels, "embeddings @ proxies.T", of_rows, 1, only_integers=True)
    rows = columns.side(x, mask, True, axis_name=axis_name)
    counts = row_counts(rows, weights, mask)
    number = over_devices(jnp.sum(counts), axis_name)
    x = rows.vectors + over_devices(jnp.sum(labelled.poison), axis_name)

    def block(_: None, some: Side) -> tuple[None, tuple[Sum, Sum]]:
        cosines = product(some.vectors, x, (1, 1))
        own = some.place[:, None] == labelled.labels.T
        near, far = (cosines - margin) * alpha, (cosines + margin) * alpha
        return None, (_summed(-near, counts, own), _summed(far, counts, ~own))

    _, found = columns.by_blocks(block, columns.side(proxies, None, True), x.shape[0])
    (of_own, pull), (_, push) = (_everywhere(part, axis_name) for part in found)
    present = jnp.sum(of_own != 0, dtype=x.dtype)
    loss = jnp.sum(pull) / jnp.maximum(present, 1) + jnp.mean(push)
    return reduce(loss, mask=number != 0, reduction=reduction)


def _summed(z: Array, counts: Array, where: Array) -> Sum:
    """By class, each row as often as it counts."""
    z = jnp.where(where, z, -jnp.inf)
    of_some = jnp.where(counts[None] != 0, z, -jnp.inf)
    top = clip_to_finite(lax.stop_gradient(jnp.max(of_some, 1, initial=-jnp.inf)))
    z = z - top[:, None]
    z = jnp.where(z > _FAR, _FAR, z)  # only of weight 0: what their slope by it is bounded by
    return Sum(top, jnp.sum(counts[None] * jnp.exp(z), 1))


def _everywhere(part: Sum, axis_name: AxisName | None) -> tuple[Array, Array]:
    """The sum over all devices, and the logarithm of 1 and that sum."""
    top, total = columns.on_one_scale(part, axis_name)
    total = over_devices(total, axis_name)
    return total, softplus(columns.log_of_sum(total, top))
