"""Losses of the sparse relatives of the softmax, from scores over classes.

Both are ``max_p <p, s> - regularizer(p) - s_y`` over distributions p, where the best p is
``max(x - threshold, 0) ** power`` with x the scores over the power. Measured from the largest score, which becomes
x = 1, the threshold lies between 0 and 1, and written in terms of it and of ``1 - p_y`` nothing is subtracted that a
small loss would be lost in. The threshold minimises the loss, so its own derivative adds nothing to the gradient.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import classes
from .._contract.checks import nan_with_any
from .._contract.jit import jit_over_classes
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.softmax import row_max, shifted


@jit_over_classes
def sparsemax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_mask: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Loss of the sparsemax, the distribution nearest to the scores.

    .. math::
      \ell = \max_p \left( \langle p, s \rangle - \tfrac{1}{2} \lVert p \rVert_2^2 \right) + \tfrac{1}{2} - s_y
      \qquad \mathrm{sparsemax}(s) = \operatorname*{arg\,max}_p \,\cdot

    Exactly 0 where the label wins by 1 or more. The maximum is over distributions; Optax's ``sparsemax_loss`` is the
    one of two classes, its ``multiclass_sparsemax_loss`` this one.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for a classifier whose probabilities may be exactly 0, or one that stops learning from what it has right
    by a margin of 1 yet has a smooth loss. The gradient, :math:`\mathrm{sparsemax}(s) - y`, never exceeds 1, but a
    wrong label pulls with all of it however sure the model is; classes without probability get none.

    Args:
      scores: ``[..., classes]``, floating point, the class axis at ``axis``. A score of ``-inf`` rules its class out.
      labels: class indices, the shape of ``scores`` without the class axis.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_mask: bool, ``[classes]`` or the rank of ``scores`` with each dimension equal or 1; classes that are False
        take no part, whatever their scores hold. A label among them is out of range.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Martins and Astudillo, *From softmax to sparsemax* (2016), arXiv:1602.02068.

    Example:
      >>> scores = jnp.array([[3.0, 0.0, 1.0], [2.0, 0.0, 0.0], [0.5, 0.5, -1.0]])
      >>> jaxloss.sparsemax_loss(scores, jnp.array([0, 1, 0]), reduction="none")
      Array([0.  , 2.  , 0.25], dtype=float32)
    """
    scores, labels, poison, axis, mask, *_ = classes.labelled(
        mask, labels, scores=scores, axis=axis, class_mask=class_mask, only_integers=True
    )
    losses = _fenchel_young(scores, labels, poison, axis, 1)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit_over_classes
def entmax15_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_mask: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Loss of the 1.5-entmax, halfway between softmax and sparsemax.

    .. math::
      \ell = \max_p \left( \langle p, s \rangle + \tfrac{4}{3}
      \left( 1 - \textstyle\sum_c p_c^{3/2} \right) \right) - s_y
      \qquad \mathrm{entmax}(s) = \operatorname*{arg\,max}_p \,\cdot

    Exactly 0 where the label wins by 2 or more. The maximum is over distributions.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for a classifier or a decoder whose probabilities may be exactly 0 but fade out more smoothly than those
    of `sparsemax_loss`. The gradient, :math:`\mathrm{entmax}(s) - y`, never exceeds 1, but a wrong label pulls with
    all of it however sure the model is; classes without probability get none.

    Args:
      scores: ``[..., classes]``, floating point, the class axis at ``axis``. A score of ``-inf`` rules its class out.
      labels: class indices, the shape of ``scores`` without the class axis.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_mask: bool, ``[classes]`` or the rank of ``scores`` with each dimension equal or 1; classes that are False
        take no part, whatever their scores hold. A label among them is out of range.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Peters et al., *Sparse sequence-to-sequence models* (2019), arXiv:1905.05702.

    Example:
      >>> scores = jnp.array([[3.0, 0.0, 1.0], [2.0, 0.0, 0.0], [0.5, 0.5, -1.0]])
      >>> jaxloss.entmax15_loss(scores, jnp.array([0, 1, 0]), reduction="none")
      Array([0.        , 2.        , 0.39052427], dtype=float32)
    """
    scores, labels, poison, axis, mask, *_ = classes.labelled(
        mask, labels, scores=scores, axis=axis, class_mask=class_mask, only_integers=True
    )
    losses = _fenchel_young(scores, labels, poison, axis, 2)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _fenchel_young(scores: Array, labels: Array, poison: Array, axis: int, power: int) -> Array:
    top = row_max(scores, axis, poison + nan_with_any(scores, axis))
    threshold = _threshold(scores, top, axis, power)
    return jnp.squeeze(_regret(scores, top, threshold, labels, axis, power), axis)


def _heights(scores: Array, top: Array, power: int) -> Array:
    return 1 + shifted(scores, top) / power


def _threshold(scores: Array, top: Array, axis: int, power: int) -> Array:
    """Where the sum of ``max(x - threshold, 0) ** power`` is 1, by Newton's method.

    The sum is convex, so that the steps from 0, where it is too large, never go too far.
    """
    heights = _heights(scores, top, power)
    x = lax.stop_gradient(heights)
    is_top = x == 1
    tops = jnp.sum(is_top, axis, keepdims=True, dtype=x.dtype)
    others = jnp.where(is_top, -1, x)  # which no threshold lets through

    def newton(t: Array) -> Array:
        rest = jnp.sum(jnp.maximum(others - t, 0) ** power, axis, keepdims=True)
        excess = rest + (tops - 1) * (1 - t) ** power - (t if power == 1 else t * (2 - t))  # one top, less 1
        above = jnp.maximum(others + (-t), 0)  # spelled apart: a shared one would be written to memory in full
        if power == 1:
            slope = tops + jnp.sum(jnp.ceil(above), axis, keepdims=True)
        else:
            slope = 2 * (tops * (1 - t) + jnp.sum(above, axis, keepdims=True))
        return jnp.where(excess > 0, t + excess / jnp.maximum(slope, 1), t)

    def grows(steps: tuple[Array, Array]) -> Array:
        return jnp.any(steps[1] > steps[0])

    first = newton(jnp.zeros_like(tops))
    t = lax.while_loop(grows, lambda steps: (steps[1], newton(steps[1])), (first - 1, first))[1]

    # A loop can't be differentiated in reverse, so it is held constant, and a step of exactly 0 has the derivatives, of
    # every order: for a fixed support the threshold is the root of a polynomial.
    above = jnp.where(x > t, heights - t, 0)
    total = jnp.sum(above**power, axis, keepdims=True)
    excess = total - lax.stop_gradient(total)
    count = jnp.sum(x > t, axis, keepdims=True, dtype=x.dtype)
    count = jnp.where(count == 0, 1, count)  # all classes are ruled out
    if power == 1:
        return t + excess / count
    half = jnp.sum(above, axis, keepdims=True)
    half = jnp.where(half == 0, 1, half)
    return t + excess / (half + jnp.sqrt(jnp.square(half) - count * excess))


@functools.partial(jax.custom_jvp, nondiff_argnums=(4, 5))
def _regret(scores: Array, top: Array, threshold: Array, labels: Array, axis: int, power: int) -> Array:
    """The loss, from what the label lacks (the power-th root of its probability, from 1) and what the others have."""
    x = _heights(scores, top, power)
    roots = jnp.where(classes.is_label(x, labels, axis), 0, jnp.maximum(x - threshold, 0))
    others = jnp.sum(roots ** (power + 1), axis, keepdims=True)
    short = threshold - shifted(classes.at_label(scores, labels, axis), top) / power
    lack = jnp.minimum(short, 1)
    own = jnp.square(lack) if power == 1 else jnp.square(lack) * (3 - lack)
    return power / (power + 1) * (others + own) + power * jnp.maximum(short - 1, 0)


@_regret.defjvp
def _(axis: int, power: int, primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    """Minus the label, plus the distribution."""
    scores, top, threshold, labels = primals
    x = _heights(scores, top, power)
    short = threshold - shifted(scores, top) / power
    lack = jnp.where(short < 1, short, 1)
    probs = jnp.where(x > threshold, x - threshold, 0) ** power
    slope = jnp.where(classes.is_label(x, labels, axis), -(lack if power == 1 else lack * (2 - lack)), probs)
    slope = slope + 0 * top  # NaN for all where the label doesn't fit
    return _regret(*primals, axis, power), jnp.sum(slope * tangents[0], axis, keepdims=True)
