"""Losses of a class that are a function of its probability alone."""

from __future__ import annotations

from .._contract.jit import jit_over_classes
from .._contract.types import Array, ArrayLike, AxisName, Finite, NonNegative, Proportion, Reduction
from .curves import Call, expected_curve, focal, poly1


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
    probabilities come out less sure than they should be, which often helps an overconfident network. A label that the
    model finds impossible pulls as hard as under `cross_entropy`, one that it doubts harder (by up to a third at gamma
    5). Keras' ``CategoricalFocalCrossentropy`` multiplies all of it by ``alpha``, 0.25.

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
    call = Call(logits, labels, weights, mask, axis, class_weights, ignore_index, reduction, axis_name)
    return expected_curve(call, focal, gamma)


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
    call = Call(logits, labels, weights, mask, axis, class_weights, ignore_index, reduction, axis_name)
    return expected_curve(call, poly1, epsilon, label_smoothing=label_smoothing)
