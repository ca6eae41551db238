"""Losses for labels of which many are wrong: an impossible label pulls little, or no more than a given strength."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract.jit import jit_over_classes
from .._contract.messages import whole_number
from .._contract.types import Array, ArrayLike, AxisName, NonNegative, NonPositive, Proportion, Reduction
from .._numerics.derivatives import times
from .curves import Call, box_cox, expected_curve, miss, taylor


@jit_over_classes
def generalized_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    q: Proportion = 0.7,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Between cross entropy and mean absolute error, by one number.

    .. math::
      \ell = \frac{1 - p_y^q}{q} \qquad p = \mathrm{softmax}(z)

    with its limit :math:`-\log p_y` at :math:`q = 0`; at 1 it is half the absolute error between the probabilities and
    the one-hot label.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when many labels are wrong. Its noise model is labels flipped at random. An example pulls with
    :math:`p_y^q (1 - p_y)`: a label that the model finds impossible pulls hardly at all, which protects from wrong
    labels and makes the beginning of the training slow.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``.
      labels: class indices, the logits' shape without the class axis; or probabilities of the logits' shape, for which
        the loss is the expected one. The dtype decides.
      q: in [0, 1].
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its label. The mean divides by these
        weights too.
      ignore_index: integer labels of this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Zhang and Sabuncu, *Generalized cross entropy loss for training deep neural networks with noisy labels*
    (2018), arXiv:1805.07836.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> jaxloss.generalized_cross_entropy(logits, jnp.array([0, 1]), reduction="none")
      Array([0.22053815, 1.3858346 ], dtype=float32)
    """
    call = Call(logits, labels, weights, mask, axis, class_weights, ignore_index, reduction, axis_name)
    return expected_curve(call, box_cox, q)


@jit_over_classes
def symmetric_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: NonNegative = 0.1,
    beta: NonNegative = 1.0,
    log_zero: NonPositive = -4.0,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy plus cross entropy with label and prediction exchanged.

    .. math::
      \ell = -\alpha \log p_y - \beta A (1 - p_y) \qquad p = \mathrm{softmax}(z)

    where :math:`A` stands for the :math:`\log 0` of a one-hot label.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when many labels are wrong: the second term, a mean absolute error, is bounded and keeps learning from
    clean labels; the first keeps it fast. Its noise model is labels flipped at random. A wrong label pulls with
    :math:`\alpha` where the model finds it impossible.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``.
      labels: class indices, the logits' shape without the class axis; or probabilities of the logits' shape, for which
        the loss is the expected one. The dtype decides.
      alpha: at least 0, the strength of the cross entropy.
      beta: at least 0, the strength of the reversed one.
      log_zero: :math:`A`, at most 0.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its label. The mean divides by these
        weights too.
      ignore_index: integer labels of this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Wang et al., *Symmetric cross entropy for robust learning with noisy labels* (2019), arXiv:1908.06112.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> jaxloss.symmetric_cross_entropy(logits, jnp.array([0, 1]), reduction="none")
      Array([0.8760102, 4.4747453], dtype=float32)
    """
    call = Call(logits, labels, weights, mask, axis, class_weights, ignore_index, reduction, axis_name)
    return expected_curve(
        call,
        lambda nll, alpha, price: times(alpha, nll) + price * miss(nll),
        alpha,
        jnp.multiply(beta, -jnp.asarray(log_zero)),
    )


@jit_over_classes
def taylor_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    order: int = 2,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy cut off after the first terms of its Taylor series.

    .. math::
      \ell = \sum_{k=1}^{t} \frac{(1 - p_y)^k}{k} \qquad p = \mathrm{softmax}(z)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when many labels are wrong. Its noise model is labels flipped at random: order 1 is half the absolute
    error and forgets them entirely, a large order comes close to `cross_entropy`. An example pulls with :math:`(1 -
    p_y) (1 - (1 - p_y)^t)`, so an impossible label hardly at all.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``.
      labels: class indices, the logits' shape without the class axis; or probabilities of the logits' shape, for which
        the loss is the expected one. The dtype decides.
      order: the number of terms, at least 1.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its label. The mean divides by these
        weights too.
      ignore_index: integer labels of this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Feng et al., *Can cross entropy loss be robust to label noise?* (2020), doi:10.24963/ijcai.2020/305.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> jaxloss.taylor_cross_entropy(logits, jnp.array([0, 1]), reduction="none")
      Array([0.2357014, 1.4867254], dtype=float32)
    """
    order = whole_number("order", order, 1)
    call = Call(logits, labels, weights, mask, axis, class_weights, ignore_index, reduction, axis_name)
    return expected_curve(call, lambda nll: taylor(miss(nll), order))
