"""Losses of a class that are a function of its probability alone."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from .._contract.checks import message
from .._contract.jit import jit_over_classes
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, Finite, NonNegative, NonPositive, Proportion, Reduction
from .._numerics.derivatives import times
from .curves import box_cox, expected_curve, focal, miss, poly1, taylor


@jit_over_classes
def softmax_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma: NonNegative = 2.0,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy of the softmax that turns away from easy examples.

    .. math::
      \ell = -(1 - p_y)^\gamma \log p_y \qquad\text{or, for probabilities}\qquad
      \ell = -\sum_c y_c (1 - p_c)^\gamma \log p_c \qquad p = \mathrm{softmax}(z)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when a few hard classes drown in many easy examples. It has no noise model: it isn't proper, and its
    probabilities come out less sure than they should be, which often helps an overconfident network. A label
    that the model finds impossible pulls as hard as under `cross_entropy`, one that it doubts harder (by up to a third
    at gamma 5). Keras' ``CategoricalFocalCrossentropy`` multiplies all of it by ``alpha``,
    0.25.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``.
      labels: class indices, the logits' shape without the class axis; or probabilities of the logits' shape, for which
        the loss is the expected one. The dtype decides.
      gamma: at least 0; 0 is `cross_entropy`.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its label. The mean divides by these
        weights too.
      ignore_index: integer labels of this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Lin et al., *Focal loss for dense object detection* (2017), arXiv:1708.02002.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> jaxloss.softmax_focal_loss(logits, jnp.array([0, 1]), reduction="none")
      Array([0.01086933, 4.9469457 ], dtype=float32)
    """
    losses, weights, mask = expected_curve(
        focal,
        (gamma,),
        logits,
        labels,
        weights,
        mask,
        axis=axis,
        class_weights=class_weights,
        ignore_index=ignore_index,
    )
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit_over_classes
def poly1_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon: Finite = 1.0,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    label_smoothing: Proportion | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy with its first polynomial coefficient changed.

    .. math::
      \ell = -\log p_y + \varepsilon (1 - p_y) \qquad p = \mathrm{softmax}(z)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it as a cheap variation of `cross_entropy`: one number to tune, above 0 for more weight on examples that are
    nearly right, below 0 (not under -1) for less. It has no noise model of its own. A label pulls with
    :math:`(1 - p_y) (1 + \varepsilon p_y)`: with 1 where the model finds it impossible, as under `cross_entropy`, and
    with more in between if epsilon is above 1. Optax' default is ``epsilon=2``.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``.
      labels: class indices, the logits' shape without the class axis; or probabilities of the logits' shape, for which
        the loss is the expected one. The dtype decides.
      epsilon: any number; 0 is `cross_entropy`.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its label. The mean divides by these
        weights too.
      ignore_index: integer labels of this value are masked. None ignores nothing.
      label_smoothing: in [0, 1], over all classes.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Leng et al., *PolyLoss* (2022), arXiv:2204.12511.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> jaxloss.poly1_cross_entropy(logits, jnp.array([0, 1]), reduction="none")
      Array([0.4525587, 6.006737 ], dtype=float32)
    """
    losses, weights, mask = expected_curve(
        poly1,
        (epsilon,),
        logits,
        labels,
        weights,
        mask,
        axis=axis,
        class_weights=class_weights,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


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

    Source: Zhang and Sabuncu 2018, *Generalized cross entropy loss for training deep neural networks with noisy
    labels*, arXiv:1805.07836.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> jaxloss.generalized_cross_entropy(logits, jnp.array([0, 1]), reduction="none")
      Array([0.22053815, 1.3858346 ], dtype=float32)
    """
    losses, weights, mask = expected_curve(
        box_cox,
        (q,),
        logits,
        labels,
        weights,
        mask,
        axis=axis,
        class_weights=class_weights,
        ignore_index=ignore_index,
    )
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


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
    losses, weights, mask = expected_curve(
        lambda nll, alpha, price: times(alpha, nll) + price * miss(nll),
        (alpha, jnp.multiply(beta, -jnp.asarray(log_zero))),
        logits,
        labels,
        weights,
        mask,
        axis=axis,
        class_weights=class_weights,
        ignore_index=ignore_index,
    )
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


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
    if isinstance(order, bool) or not isinstance(order, (int, np.integer)) or order < 1:
        raise ValueError(message(f"order must be an integer of at least 1, got {order!r}"))
    losses, weights, mask = expected_curve(
        lambda nll: taylor(miss(nll), int(order)),
        (),
        logits,
        labels,
        weights,
        mask,
        axis=axis,
        class_weights=class_weights,
        ignore_index=ignore_index,
    )
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)
