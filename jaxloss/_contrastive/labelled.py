"""Batches with labels: softmaxes over the similarities of each anchor to its positives and negatives."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract.jit import jit
from .._contract.types import Array, ArrayLike, AxisName, Positive, Reduction
from .._numerics.derivatives import reciprocal
from .._numerics.elementary import softplus
from . import anchors
from .anchors import Call, Found
from .columns import log_sum_exp


@jit
def ntxent_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 0.07,
    normalize: bool = True,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Each positive should be told from all negatives of its batch.

    .. math::
      \ell_i = \frac{1}{\lvert P \rvert} \sum_{p \in P}
        -\log \frac{e^{s_p / t}}{e^{s_p / t} + \sum_{n \in N} e^{s_n / t}}

    with the positives :math:`P` of an anchor (the others that have its label), its negatives :math:`N`, and the cosine
    :math:`s_j` of anchor and row :math:`j`, or with ``normalize=False`` their product.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is an anchor, a row of the batch: losses, ``weights`` and ``mask`` are ``[batch]``. A masked row is no
    anchor, no positive and no negative; ``weights`` weigh anchors only. An anchor without a positive doesn't count.
    With ``axis_name``, which must name the axes that split the batch and no others, rows on other devices are positives
    and negatives too.

    Choose it for two views of each example, as SimCLR: ``ntxent_loss(jnp.concatenate([a, b]), jnp.tile(jnp.arange(n),
    2))``, where over ``axis_name`` the numbers must be those of the whole batch; with labels of classes `supcon_loss`.
    Small data wants higher temperatures, such as 0.5. Other positives are in no denominator. Its noise model is a
    choice among the rows. An anchor counts once, however many positives it has: the mean over all positive pairs, as
    Optax and pytorch-metric-learning take it, is ``weights=(labels[:, None] == labels).sum(1) - 1``.

    Args:
      embeddings: floating point, ``[batch, features]``.
      labels: integers of any size or sign, or bool, ``[batch]``: names, of which only whether they are equal counts.
      temperature: above 0, :math:`t`; it may be learned: ``temperature=jnp.exp(log_t)``.
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

    Source: Chen et al., *A simple framework for contrastive learning of visual representations* (2020),
    arXiv:2002.05709; Sohn 2016 (N-pairs).

    Example:
      >>> embeddings = jnp.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
      >>> jaxloss.ntxent_loss(embeddings, jnp.array([0, 0, 1, 1]), temperature=0.5, reduction="none")
      Array([0.23325747, 0.6271231 , 0.6271231 , 0.23325747], dtype=float32)
    """
    call = Call(embeddings, labels, weights, mask, ref_embeddings, ref_labels, ref_mask, reduction, axis_name)

    def loss(s: Array, positive: Array, negative: Array) -> Found:
        z = s * reciprocal(temperature)
        beside = log_sum_exp(z, negative)[:, None] - z
        losses = anchors.mean_where(softplus(jnp.where(positive, beside, -jnp.inf)), positive)
        return Found(losses, jnp.any(positive, 1))

    return anchors.of_similarities(call, loss, normalize)


@jit
def supcon_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 0.1,
    normalize: bool = True,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Rows of one label should lie together, and apart from all others.

    .. math::
      \ell_i = \log \sum_{j \in P \cup N} e^{s_j / t} - \frac{1}{\lvert P \rvert} \sum_{p \in P} s_p / t

    with the positives :math:`P` of an anchor (the others that have its label), its negatives :math:`N`, and the cosine
    :math:`s_j` of anchor and row :math:`j`, or with ``normalize=False`` their product.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is an anchor, a row of the batch: losses, ``weights`` and ``mask`` are ``[batch]``. A masked row is no
    anchor, no positive and no negative; ``weights`` weigh anchors only. An anchor without a positive doesn't count.
    With ``axis_name``, which must name the axes that split the batch and no others, rows on other devices are positives
    and negatives too.

    Choose it to learn embeddings from labels of classes, in batches that hold several rows of each; it is the plainest
    of its kind and has one number to tune. Its noise model is a choice among the rows. With several positives it isn't
    0 where all is right: they share one softmax.

    Args:
      embeddings: floating point, ``[batch, features]``.
      labels: integers of any size or sign, or bool, ``[batch]``: names, of which only whether they are equal counts.
      temperature: above 0, :math:`t`; it may be learned: ``temperature=jnp.exp(log_t)``.
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

    Source: Khosla et al., *Supervised contrastive learning* (2020), arXiv:2004.11362: its "out" form, without a base
    temperature.

    Example:
      >>> embeddings = jnp.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
      >>> jaxloss.supcon_loss(embeddings, jnp.array([0, 0, 1, 1]), temperature=0.5, reduction="none")
      Array([0.23325747, 0.6271231 , 0.6271231 , 0.23325747], dtype=float32)
    """
    call = Call(embeddings, labels, weights, mask, ref_embeddings, ref_labels, ref_mask, reduction, axis_name)

    def loss(s: Array, positive: Array, negative: Array) -> Found:
        z, some = s * reciprocal(temperature), jnp.any(positive, 1)
        near = log_sum_exp(z, positive | ~some[:, None])
        losses = softplus(log_sum_exp(z, negative) - near) + (near - anchors.mean_where(z, positive))
        return Found(jnp.where(some, losses, 0), some)

    return anchors.of_similarities(call, loss, normalize)
