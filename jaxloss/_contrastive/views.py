"""Views of one image, of which some teach the others."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from .._contract import classes, inputs
from .._contract.arrays import array
from .._contract.jit import jit
from .._contract.messages import message
from .._contract.reduction import reduce
from .._contract.shapes import broadcastable, exactly, full_mask, unsharded
from .._contract.types import Array, ArrayLike, AxisName, Positive, Reduction
from .._numerics import softmax
from .._numerics.derivatives import times


@jit
def dino_loss(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    center: ArrayLike | None = None,
    temperature: Positive = 0.1,
    teacher_temperature: Positive = 0.04,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Each view of an image should say what a teacher says of its other views.

    .. math::
      \ell_v = -\frac{1}{n_v} \sum_{k \neq v} \sum_c q_{kc} \log \mathrm{softmax}(z_v / t)_c,
      \qquad q_k = \mathrm{softmax} \big( (z^\text{teacher}_k - \text{center}) / t_\text{teacher} \big)

    over the :math:`n_v` views :math:`k` that the teacher has seen, but for the view itself.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is a view of an image: losses, ``weights`` and ``mask`` are ``[views, batch]``. A masked view is
    neither taught nor teaches. A view counts as often as it has others to learn from, so that the mean is that over all
    pairs, as in the source: ``"none"`` gives the weighted sum of a view's terms, and the weight of ``"total"`` has
    their number. A view without another that teaches doesn't exist. ``axis_name`` names axes that split the batch.

    Choose it to learn without labels from crops of images, with a teacher that is a moving average of the student. Its
    noise model is a choice among the classes, as the teacher makes it. Nothing here keeps all images from the same
    answer: that is what ``center`` and a low ``teacher_temperature`` are for. No gradient reaches the teacher's part.

    Args:
      logits: floating point, ``[views, batch, classes]``, the student's. A logit of ``-inf`` rules its class out.
      teacher_logits: ``[teacher views, batch, classes]``, of the first of these views; held constant, with all of its
        options.
      center: ``[classes]``, taken from the teacher's logits: their running mean,
        ``0.9 * center + 0.1 * teacher_logits.mean((0, 1))``.
      temperature: above 0, :math:`t`.
      teacher_temperature: above 0, :math:`t_\text{teacher}`.

    Returns:
      The reduced loss, at least float32; per view, ``[views, batch]``, the sum of its terms, with
      ``reduction="none"``.

    Raises:
      ValueError: if a shape doesn't fit, or there are more teacher views than views.

    Source: Caron et al., *Emerging properties in self-supervised vision transformers* (2021), arXiv:2104.14294.

    Example:
      >>> logits, teacher_logits = jnp.array([[[0.1, 0.0]], [[0.0, 0.0]]]), jnp.array([[[0.0, 0.0]], [[0.04, 0.0]]])
      >>> jaxloss.dino_loss(logits, teacher_logits, reduction="none")
      Array([[0.58220315],
             [0.6931472 ]], dtype=float32)
    """
    z, teacher = _views(logits, teacher_logits)
    rows = z.shape[:2]
    exists = full_mask(mask, rows)
    teaches = unsharded(exists, 0)[: teacher.shape[0]]
    probs = _taught(unsharded(teacher, 0), teaches, center, teacher_temperature)

    count = _of_others(teaches.astype(z.dtype), rows[0]) * exists.astype(z.dtype)
    target = _of_others(probs, rows[0])

    z = jnp.where(count[..., None] > 0, z, 0)
    top = softmax.row_max(z, 2)
    below = softmax.shifted(z, top) / temperature
    normalizer = softmax.log_sum_exp(classes.reads(below), jnp.zeros_like(top), 2)
    # Both terms are at least 0: a sure view's loss keeps its accuracy.
    losses = jnp.squeeze(normalizer, 2) - jnp.sum(times(target, below), 2) / jnp.maximum(count, 1)
    weights = 1.0 if weights is None else broadcastable("weights", weights, rows).astype(z.dtype)
    return reduce(losses, jnp.where(count > 0, weights, 0) * count, mask, reduction=reduction, axis_name=axis_name)


def _views(logits: ArrayLike, teacher_logits: ArrayLike) -> tuple[Array, Array]:
    z = inputs.floating("logits", logits)
    teacher = lax.stop_gradient(inputs.floating("teacher_logits", teacher_logits).astype(z.dtype))
    if z.ndim != 3 or 0 in z.shape[2:]:
        raise ValueError(message(f"logits must have shape [views, batch, classes], got {z.shape}"))
    if (
        teacher.ndim != 3
        or teacher.shape[1:] != z.shape[1:]
        or not min(1, z.shape[0]) <= teacher.shape[0] <= z.shape[0]
    ):
        wanted = f"(1 to {z.shape[0]}, {z.shape[1]}, {z.shape[2]})"
        raise ValueError(message(f"teacher_logits must be of the first views, of shape {wanted}, got {teacher.shape}"))
    return z, teacher


def _taught(teacher: Array, exists: Array, center: ArrayLike | None, temperature: Any) -> Array:
    """The teacher's probabilities, held constant; 0 where masked."""
    exists = exists[..., None]
    teacher = jnp.where(exists, teacher, 0)
    if center is not None:
        center = array("center", center)
        exactly("center", center, teacher.shape[2:], f"shape {teacher.shape[2:]}")
        teacher = teacher - center.astype(teacher.dtype)[None, None]
    below = softmax.shifted(teacher, softmax.row_max(teacher, 2))
    probs = jnp.exp(below / temperature)
    return lax.stop_gradient(jnp.where(exists, probs / jnp.sum(probs, 2, keepdims=True), 0))


def _of_others(x: Array, views: Any) -> Array:
    """For each view the sum over all but itself, of what there is for the first of them: before it and behind it, as
    the difference to the sum over all would cancel."""
    count, *rest = x.shape

    def beside(x: Array, *by: int) -> Array:
        return jnp.pad(x, [by, *[(0, 0) for _ in rest]])

    before = beside(jnp.cumsum(x, 0), 1, 0)[:count]
    behind = beside(lax.cumsum(x, 0, reverse=True), 0, 1)[1:]
    of_all = jnp.broadcast_to(jnp.sum(x, 0), (views - count, *rest))
    return jnp.concatenate([before + behind, of_all])
