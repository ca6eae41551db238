"""Pairs of embeddings, each with all other pairs of its batch for negatives."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from .._contract.jit import jit
from .._contract.messages import message
from .._contract.reduction import reduce, valid_reduction
from .._contract.types import Array, ArrayLike, AxisName, Finite, Positive, Reduction
from .._numerics.derivatives import reciprocal
from .._numerics.elementary import softplus
from .._numerics.products import product
from . import columns
from .columns import Side, Sum


@jit
def info_nce_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 0.07,
    normalize: bool = True,
    negatives: ArrayLike | None = None,
    negatives_mask: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Each row of ``embeddings_a`` should find its own of ``embeddings_b`` among those of the whole batch.

    .. math::
      \ell_i = -\log \frac{e^{s_{ii} / t}}{e^{s_{ii} / t} + \sum_{j \neq i} e^{s_{ij} / t}}

    with the cosines :math:`s_{ij}` of :math:`a_i` and :math:`b_j`, or with ``normalize=False`` their products.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is a row of the batch: losses, ``weights`` and ``mask`` are ``[batch]``. A masked row is no anchor and
    nobody's negative; ``weights`` weigh anchors only, and a row of weight 0 still is everybody's negative. With
    ``axis_name``, which must name the axes that split the batch and no others, rows on other devices are negatives too.

    Choose it for pairs that belong together with nothing else known, such as a query and its answer; `clip_loss` asks
    the question both ways. Its noise model is a choice among the rows. It is bounded from below by what a batch can
    tell: larger batches are harder, and rows that belong together without being a pair push each other apart. The
    batch x batch matrix is never held: blocks of rows are computed again on the way back.

    Args:
      embeddings_a: floating point, ``[batch, features]``: the anchors.
      embeddings_b: of the same shape: row i belongs to row i.
      temperature: above 0, :math:`t`; lower ones look at the nearest negatives only. It may be learned:
        ``temperature=jnp.exp(log_t)``.
      normalize: whether to take cosines. A zero vector has cosine 0 with everything, and no gradient.
      negatives: ``[n, features]``, more of them for all anchors, the same on all devices.
      negatives_mask: ``[n]``, which of those exist.

    Returns:
      The reduced loss, at least float32; per row, ``[batch]``, with ``reduction="none"``.

    Raises:
      ValueError: if a shape doesn't fit, or under ``check_vma=True`` the batch is the same along ``axis_name``.

    Source: van den Oord et al., *Representation learning with contrastive predictive coding* (2018), arXiv:1807.03748.

    Example:
      >>> a, b = jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([[2.0, 0.0], [1.0, 1.0]])
      >>> jaxloss.info_nce_loss(a, b, temperature=0.5, reduction="none")
      Array([0.4425476 , 0.21762173], dtype=float32)
    """
    rows, all_b, own = _sides(embeddings_a, embeddings_b, mask, normalize, reduction, axis_name)
    if negatives is None:
        if negatives_mask is not None:
            raise ValueError(message("negatives must come with negatives_mask, got None"))
    else:
        more = columns.embeddings("negatives", negatives, rows.vectors, "n")
        more = columns.side(more, negatives_mask, normalize, name="negatives_mask", in_batch=False)
        all_b = columns.together(all_b, more)

    scale = reciprocal(temperature)

    def block(_: None, rows: Side) -> tuple[None, Array]:
        z = scale * product(rows.vectors, all_b.vectors, (1, 1))
        return None, columns.log_sum_exp(z, columns.others(rows, all_b))

    _, negative = columns.by_blocks(block, rows, all_b.place.shape[0])
    return reduce(softplus(negative - scale * own), weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def clip_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    logit_scale: Positive = 1 / 0.07,
    normalize: bool = True,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Of two kinds of embeddings, such as of images and texts, each should find its own among those of the other.

    .. math::
      \ell_i = -\frac12 \log \frac{e^{c s_{ii}}}{\sum_j e^{c s_{ij}}}
        - \frac12 \log \frac{e^{c s_{ii}}}{\sum_j e^{c s_{ji}}}

    with the cosines :math:`s_{ij}` of :math:`a_i` and :math:`b_j`, or with ``normalize=False`` their products.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is a row of the batch, a pair: losses, ``weights`` and ``mask`` are ``[batch]``. A masked pair is no
    anchor and nobody's negative; ``weights`` weigh anchors only. With ``axis_name``, which must name the axes that
    split the batch and no others, pairs on other devices are negatives too, and get the slopes that they earn there.

    Choose it for pairs of two modalities; `siglip_loss` looks at each pair by itself. Its noise model is a choice among
    the rows, both ways. Rows that match without being a pair are negatives all the same. The batch x batch matrix is
    never held, and is computed once for both ways.

    Args:
      embeddings_a: floating point, ``[batch, features]``.
      embeddings_b: of the same shape: row i belongs to row i.
      logit_scale: above 0, :math:`c`, the factor itself, one over the temperature. CLIP learns its logarithm, and caps
        it: ``logit_scale=jnp.minimum(jnp.exp(log_scale), 100)``.
      normalize: whether to take cosines. A zero vector has cosine 0 with everything, and no gradient.

    Returns:
      The reduced loss, at least float32; per row, ``[batch]``, with ``reduction="none"``.

    Raises:
      ValueError: if a shape doesn't fit, or under ``check_vma=True`` the batch is the same along ``axis_name``.

    Source: Radford et al., *Learning transferable visual models from natural language supervision* (2021),
    arXiv:2103.00020.

    Example:
      >>> a, b = jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([[2.0, 0.0], [1.0, 1.0]])
      >>> jaxloss.clip_loss(a, b, logit_scale=2.0, reduction="none")
      Array([0.2847378 , 0.45538446], dtype=float32)
    """
    rows, all_b, own = _sides(embeddings_a, embeddings_b, mask, normalize, reduction, axis_name)

    def block(by_column: Sum, rows: Side) -> tuple[Sum, Array]:
        z = product(rows.vectors, all_b.vectors, (1, 1)) * logit_scale
        meets = columns.others(rows, all_b)
        return _added(by_column, jnp.where(meets, z, -jnp.inf)), columns.log_sum_exp(z, meets)

    nothing = columns.zeros(all_b.vectors, rows, logit_scale)
    start = Sum(nothing + jnp.finfo(nothing.dtype).min, nothing)
    by_column, by_row = columns.by_blocks(block, rows, all_b.place.shape[0], start)
    top, total = columns.on_one_scale(by_column, axis_name)
    by_column = columns.log_of_sum(columns.scattered(total, axis_name), columns.own_slice(top, rows, axis_name))
    own = logit_scale * own
    losses = 0.5 * (softplus(by_row - own) + softplus(by_column - own))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def siglip_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    logit_scale: Positive = 10.0,
    logit_bias: Finite = -10.0,
    normalize: bool = True,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Of two kinds of embeddings, such as of images and texts, each pair should say by itself whether it belongs.

    .. math::
      \ell_i = \log(1 + e^{-z_{ii}}) + \frac12 \sum_{j \neq i} \big( \log(1 + e^{z_{ij}}) + \log(1 + e^{z_{ji}}) \big),
      \qquad z_{ij} = c s_{ij} + b

    with the cosines :math:`s_{ij}` of :math:`a_i` and :math:`b_j`, or with ``normalize=False`` their products.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is a row of the batch, a pair: losses, ``weights`` and ``mask`` are ``[batch]``. A masked pair is no
    anchor and nobody's negative; ``weights`` weigh anchors only. With ``axis_name``, which must name the axes that
    split the batch and no others, pairs on other devices are negatives too, and get the slopes that they earn there.
    The mean is that of the paper.

    Choose it for pairs of two modalities, as `clip_loss`. Its noise model is a coin for each pair. Most pairs don't
    belong together, so ``logit_bias`` starts low. Rows that match without being a pair are negatives all the same:
    where many match, k in a batch, its probability that two do falls to about 1 / k.

    Args:
      embeddings_a: floating point, ``[batch, features]``.
      embeddings_b: of the same shape: row i belongs to row i.
      logit_scale: above 0, :math:`c`, the factor itself; the paper learns its logarithm:
        ``logit_scale=jnp.exp(log_scale)``.
      logit_bias: :math:`b`, learned as well.
      normalize: whether to take cosines. A zero vector has cosine 0 with everything, and no gradient.

    Returns:
      The reduced loss, at least float32; per row, ``[batch]``, with ``reduction="none"``.

    Raises:
      ValueError: if a shape doesn't fit, or under ``check_vma=True`` the batch is the same along ``axis_name``.

    Source: Zhai et al., *Sigmoid loss for language image pre-training* (2023), arXiv:2303.15343.

    Example:
      >>> a, b = jnp.array([[1.0, 0.0], [0.0, 1.0]]), jnp.array([[2.0, 0.0], [1.0, 1.0]])
      >>> jaxloss.siglip_loss(a, b, logit_scale=2.0, logit_bias=-1.0, reduction="none")
      Array([0.930667 , 1.1247407], dtype=float32)
    """
    rows, all_b, own = _sides(embeddings_a, embeddings_b, mask, normalize, reduction, axis_name)

    def block(by_column: Array, rows: Side) -> tuple[Array, Array]:
        z = logit_scale * product(rows.vectors, all_b.vectors, (1, 1)) + logit_bias
        apart = softplus(jnp.where(columns.others(rows, all_b), z, -jnp.inf))
        return by_column + jnp.sum(apart, 0), jnp.sum(apart, 1)

    start = columns.zeros(all_b.vectors, rows, logit_scale, logit_bias)
    by_column, by_row = columns.by_blocks(block, rows, all_b.place.shape[0], start)
    apart = 0.5 * (by_row + columns.scattered(by_column, axis_name))
    together = softplus(-(logit_scale * own + logit_bias))
    return reduce(together + apart, weights, mask, reduction=reduction, axis_name=axis_name)


def _sides(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    mask: ArrayLike | None,
    normalize: bool,
    reduction: Reduction,
    axis_name: AxisName | None,
) -> tuple[Side, Side, Array]:
    """The rows of a, all of b, and the products of those that belong together, which aren't read off the others."""
    valid_reduction(reduction, axis_name)
    a, b = columns.pair(embeddings_a, embeddings_b)
    rows, of_b = (columns.side(x, mask, normalize, axis_name=axis_name) for x in (a, b))
    return rows, columns.gathered(of_b, axis_name), jnp.sum(rows.vectors * of_b.vectors, 1)


def _added(so_far: Sum, z: Array) -> Sum:
    """By column, over the rows so far; of none the top is the lowest finite number."""
    top = jnp.maximum(so_far.top, lax.stop_gradient(jnp.max(z, 0, initial=-jnp.inf)))
    return Sum(top, so_far.total * jnp.exp(so_far.top - top) + jnp.sum(jnp.exp(z - top[None]), 0))
