"""Batches with labels: each anchor's positives and negatives beyond a margin, the worst of them most."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from .._contract.jit import jit
from .._contract.types import Array, ArrayLike, AxisName, Finite, Positive, Reduction
from .._numerics.elementary import softplus
from . import anchors
from .anchors import Call, Found
from .columns import log_sum_exp


@jit
def multi_similarity_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: Positive = 2.0,
    beta: Positive = 50.0,
    base_similarity: Finite = 0.5,
    mining_margin: Finite | None = None,
    normalize: bool = True,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Positives should be more similar than a base, negatives less, the hardest first.

    .. math::
      \ell_i = \frac{1}{\alpha} \log \Big( 1 + \sum_{p \in P} e^{-\alpha (s_p - b)} \Big)
        + \frac{1}{\beta} \log \Big( 1 + \sum_{n \in N} e^{\beta (s_n - b)} \Big)

    with the positives :math:`P` of an anchor (the others that have its label), its negatives :math:`N`, and the cosine
    :math:`s_j` of anchor and row :math:`j`, or with ``normalize=False`` their product.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is an anchor, a row of the batch: losses, ``weights`` and ``mask`` are ``[batch]``. A masked row is no
    anchor, no positive and no negative; ``weights`` weigh anchors only. Every anchor counts; without positives its
    first term is 0, without negatives its second. With ``axis_name``, which must name the axes that split the batch and
    no others, rows on other devices are positives and negatives too.

    Choose it for retrieval with labels of many classes. With ``mining_margin`` only pairs that are hard for their
    anchor count: positives less similar than the most similar negative, and the other way round, within this margin.
    It has no noise model. The pull of a negative is at most 1, that of a positive too.

    Args:
      embeddings: floating point, ``[batch, features]``.
      labels: integers of any size or sign, or bool, ``[batch]``: names, of which only whether they are equal counts.
      alpha: above 0, :math:`\alpha`: how much harder positives count more.
      beta: above 0, :math:`\beta`, the same of negatives.
      base_similarity: :math:`b`.
      mining_margin: :math:`\epsilon`: positives with :math:`s_p - \epsilon < \max_N s` and negatives with
        :math:`s_n + \epsilon > \min_P s` count; it has no gradient. None takes all.
      normalize: whether to take cosines. A zero vector has cosine 0 with everything, and no gradient.
      ref_embeddings: ``[references, features]``, what the anchors are compared with instead of their batch, such as a
        memory of earlier batches; none of them is an anchor itself. The same on all devices.
      ref_labels: ``[references]``, their labels.
      ref_mask: ``[references]``, which of them exist.

    Returns:
      The reduced loss, at least float32; per anchor, ``[batch]``, with ``reduction="none"``.

    Raises:
      TypeError: if labels are floating point, or integers that JAX would cut to 32 bits.
      ValueError: if a shape doesn't fit, references come without labels, or under ``check_vma=True`` the batch
        is the same along ``axis_name``.

    Source: Wang et al., *Multi-similarity loss with general pair weighting* (2019), arXiv:1904.06627.

    Example:
      >>> embeddings = jnp.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
      >>> jaxloss.multi_similarity_loss(embeddings, jnp.array([0, 0, 1, 1]), reduction="none")
      Array([0.21874397, 0.3188783 , 0.3188783 , 0.21874397], dtype=float32)
    """
    call = Call(embeddings, labels, weights, mask, ref_embeddings, ref_labels, ref_mask, reduction, axis_name)

    def loss(s: Array, positive: Array, negative: Array) -> Found:
        if mining_margin is not None:
            hardest = jnp.max(jnp.where(negative, s, -jnp.inf), 1, keepdims=True, initial=-jnp.inf)
            easiest = jnp.min(jnp.where(positive, s, jnp.inf), 1, keepdims=True, initial=jnp.inf)
            positive &= ~(s - mining_margin >= hardest)  # so that what is NaN counts, the margin too
            negative &= ~(s + mining_margin <= easiest)
            s += 0 * mining_margin
        base = jnp.asarray(base_similarity)
        together, apart = log_sum_exp((base - s) * alpha, positive), log_sum_exp((s - base) * beta, negative)
        losses = softplus(together) / alpha + softplus(apart) / beta
        return Found(losses, jnp.ones_like(losses))

    return anchors.of_similarities(call, loss, normalize)


@jit
def circle_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma: Positive = 80.0,
    margin: Finite = 0.4,
    normalize: bool = True,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Positives and negatives are pulled harder the farther they are from where they should be.

    .. math::
      \ell_i = \log \Big( 1
        + \sum_{n \in N} e^{\gamma a_n (s_n - m)} \sum_{p \in P} e^{-\gamma a_p (s_p - 1 + m)} \Big),
      \qquad a_n = \max(0, s_n + m), \quad a_p = \max(0, 1 + m - s_p)

    with the positives :math:`P` of an anchor (the others that have its label), its negatives :math:`N`, and the cosine
    :math:`s_j` of anchor and row :math:`j`, or with ``normalize=False`` their product. The factors :math:`a` are held
    constant, as in the paper: neither the embeddings nor ``margin`` have a slope through them.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is an anchor, a row of the batch: losses, ``weights`` and ``mask`` are ``[batch]``. A masked row is no
    anchor, no positive and no negative; ``weights`` weigh anchors only. An anchor without a positive or a negative
    doesn't count. With ``axis_name``, which must name the axes that split the batch and no others, rows on other
    devices are positives and negatives too.

    Choose it for retrieval, where a similarity that is already right should be left alone. It has no noise model. The
    pull of a pair is at most :math:`\gamma (2 + m)` in its similarity.

    Args:
      embeddings: floating point, ``[batch, features]``.
      labels: integers of any size or sign, or bool, ``[batch]``: names, of which only whether they are equal counts.
      gamma: above 0, :math:`\gamma`, the scale.
      margin: :math:`m`: positives should reach :math:`1 - m`, negatives stay below :math:`m`.
      normalize: whether to take cosines. A zero vector has cosine 0 with everything, and no gradient.
      ref_embeddings: ``[references, features]``, what the anchors are compared with instead of their batch, such as a
        memory of earlier batches; none of them is an anchor itself. The same on all devices.
      ref_labels: ``[references]``, their labels.
      ref_mask: ``[references]``, which of them exist.

    Returns:
      The reduced loss, at least float32; per anchor, ``[batch]``, with ``reduction="none"``.

    Raises:
      TypeError: if labels are floating point, or integers that JAX would cut to 32 bits.
      ValueError: if a shape doesn't fit, references come without labels, or under ``check_vma=True`` the batch
        is the same along ``axis_name``.

    Source: Sun et al., *Circle loss: a unified perspective of pair similarity optimization* (2020), arXiv:2002.10857.

    Example:
      >>> embeddings = jnp.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
      >>> jaxloss.circle_loss(embeddings, jnp.array([0, 0, 1, 1]), gamma=10.0, reduction="none")
      Array([0.30895743, 1.1897781 , 1.1897781 , 0.30895743], dtype=float32)
    """
    call = Call(embeddings, labels, weights, mask, ref_embeddings, ref_labels, ref_mask, reduction, axis_name)

    def loss(s: Array, positive: Array, negative: Array) -> Found:
        held, held_margin = lax.stop_gradient((s, margin))
        near, far = jnp.maximum(1 + held_margin - held, 0), jnp.maximum(held + held_margin, 0)
        some = jnp.any(positive, 1) & jnp.any(negative, 1)
        together = log_sum_exp(near * (1 - margin - s) * gamma, positive)
        apart = log_sum_exp(far * (s - margin) * gamma, negative)
        return Found(softplus(jnp.where(some, together, 0) + jnp.where(some, apart, -jnp.inf)), some)

    return anchors.of_similarities(call, loss, normalize)
