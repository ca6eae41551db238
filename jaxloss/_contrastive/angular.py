"""Angles between embeddings and the directions of classes, with a margin for the own class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec as P

from .._contract import chunks, classes, devices, inputs
from .._contract.checks import nan_with_any
from .._contract.jit import jit_over_classes
from .._contract.reduction import reduce, valid_reduction
from .._contract.shapes import unsharded
from .._contract.types import Array, ArrayLike, AxisName, NonNegative, Positive, Reduction
from .._numerics import norm
from .._numerics.elementary import softplus
from .._numerics.products import product
from . import columns


@jit_over_classes
def arcface_loss(
    embeddings: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 0.5,
    scale: Positive = 64.0,
    class_axis_name: AxisName | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy of scaled cosines, where the angle to the own class counts as larger by a margin.

    .. math::
      \ell = -\log \frac{e^{s \cos(\theta_y + m)}}{e^{s \cos(\theta_y + m)} + \sum_{c \neq y} e^{s \cos \theta_c}}

    with the angles :math:`\theta_c` between the embedding and the classes. Beyond :math:`\theta_y = \pi - m`, where the
    cosine would rise again, :math:`\cos \theta_y - m \sin m` stands for :math:`\cos(\theta_y + m)`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to learn embeddings, as of faces, from many classes with few examples each, which are then compared by
    their cosines: the margin draws each class together. Its noise model is a choice among the classes. `cosface_loss`
    has its margin in the cosine, and is easier on wrong labels far off. The angle is never taken: value and gradient
    are right for vectors that are the same or opposite. The rows x classes matrix is never held.

    Args:
      embeddings: floating point, ``[..., features]``, of any length: a zero vector has cosine 0 with everything, and no
        gradient.
      kernel: ``[features, classes]``, the classes' directions, of any length; or ``[features, classes, centers]``,
        several for each class, of which the nearest counts (sub-center ArcFace, for labels of which some are wrong).
      labels: class indices, ``[...]``.
      margin: at least 0, :math:`m`, in radians.
      scale: above 0, :math:`s`.
      class_axis_name: axis of a surrounding ``shard_map`` over whose devices the classes are split, or a tuple of axes.
        Each device passes its slice of the kernel, in equal parts and in order, and all pass the same embeddings, whose
        labels count the classes of all. Value and gradients are those of the whole; under ``check_vma=False`` only
        gradients that are taken inside.

    Returns:
      The reduced loss, at least float32; per row, ``[...]``, with ``reduction="none"``.

    Raises:
      ValueError: if ``kernel`` doesn't fit ``embeddings``, or ``class_axis_name`` is no axis of a surrounding
        ``shard_map``, or also an ``axis_name``.

    Source: Deng et al., *ArcFace: additive angular margin loss for deep face recognition* (2018), arXiv:1801.07698;
    Deng et al., *Sub-center ArcFace* (2020), doi:10.1007/978-3-030-58621-8_43.

    Example:
      >>> embeddings, kernel = jnp.array([[1.0, 0.0], [1.0, 1.0]]), jnp.array([[1.0, 0.0], [0.0, 1.0]])
      >>> jaxloss.arcface_loss(embeddings, kernel, jnp.array([0, 1]), scale=4.0, reduction="none")
      Array([0.02944913, 1.8697048 ], dtype=float32)
    """

    def aim(cosine: Array, sine: Array) -> Array:
        turned = cosine * jnp.cos(margin) - sine * jnp.sin(margin)
        return jnp.where(cosine >= -jnp.cos(margin), turned, cosine - margin * jnp.sin(margin))

    return _of_angles(aim, scale, embeddings, kernel, labels, weights, mask, class_axis_name, reduction, axis_name)


@jit_over_classes
def cosface_loss(
    embeddings: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 0.35,
    scale: Positive = 64.0,
    class_axis_name: AxisName | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy of scaled cosines, where the cosine with the own class counts as smaller by a margin.

    .. math::
      \ell = -\log \frac{e^{s (\cos \theta_y - m)}}{e^{s (\cos \theta_y - m)} + \sum_{c \neq y} e^{s \cos \theta_c}}

    with the angles :math:`\theta_c` between the embedding and the classes.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to learn embeddings, as of faces, from many classes with few examples each, which are then compared by
    their cosines. Its noise model is a choice among the classes. `arcface_loss` has its margin in the angle;
    ``margin=0`` is the plain softmax of cosines (NormFace). The rows x classes matrix is never held.

    Args:
      embeddings: floating point, ``[..., features]``, of any length: a zero vector has cosine 0 with everything, and no
        gradient.
      kernel: ``[features, classes]``, the classes' directions, of any length; or ``[features, classes, centers]``,
        several for each class, of which the nearest counts.
      labels: class indices, ``[...]``.
      margin: at least 0, :math:`m`, in units of the cosine.
      scale: above 0, :math:`s`.
      class_axis_name: axis of a surrounding ``shard_map`` over whose devices the classes are split, or a tuple of axes.
        Each device passes its slice of the kernel, in equal parts and in order, and all pass the same embeddings, whose
        labels count the classes of all. Value and gradients are those of the whole; under ``check_vma=False`` only
        gradients that are taken inside.

    Returns:
      The reduced loss, at least float32; per row, ``[...]``, with ``reduction="none"``.

    Raises:
      ValueError: if ``kernel`` doesn't fit ``embeddings``, or ``class_axis_name`` is no axis of a surrounding
        ``shard_map``, or also an ``axis_name``.

    Source: Wang et al., *CosFace: large margin cosine loss for deep face recognition* (2018), arXiv:1801.09414.

    Example:
      >>> embeddings, kernel = jnp.array([[1.0, 0.0], [1.0, 1.0]]), jnp.array([[1.0, 0.0], [0.0, 1.0]])
      >>> jaxloss.cosface_loss(embeddings, kernel, jnp.array([0, 1]), scale=4.0, reduction="none")
      Array([0.0716447, 1.6204174], dtype=float32)
    """

    def aim(cosine: Array, _: Array) -> Array:
        return cosine - margin

    return _of_angles(aim, scale, embeddings, kernel, labels, weights, mask, class_axis_name, reduction, axis_name)


def _of_angles(
    aim: Callable[[Array, Array], Array],
    scale: Any,
    embeddings: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None,
    mask: ArrayLike | None,
    class_axis_name: AxisName | None,
    reduction: Reduction,
    axis_name: AxisName | None,
) -> Array:
    """The cross entropy of scaled cosines; `aim` makes the own one's of cosine and sine."""
    valid_reduction(reduction, axis_name)
    devices.splits_classes(class_axis_name, axis_name)
    x, centers = _directions(embeddings, kernel)
    rows = x.shape[:-1]
    scores = jax.ShapeDtypeStruct((*rows, centers.shape[0]), x.dtype)
    labels, poison, mask, exists = classes.labels_for(
        mask, labels, "embeddings @ kernel", scores, len(rows), only_integers=True, axis_name=class_axis_name
    )
    if exists is not None:
        x = jnp.where(exists, x, 0)
    flat, restored = chunks.flattening(x)
    x, labels = flat(norm.unit(x * (1 + poison))), flat(labels)
    # What meets the classes before the sum over devices has a part of its slope on each; after it the same on all.
    x, centers, steepness = devices.alike((x, centers, scale), but=class_axis_name)
    x, steepness = (devices.pbroadcast(part, class_axis_name) for part in (x, steepness))
    others = _others(steepness, x, labels, centers)
    others, cosine, sine = _of_all_devices(others, *_own(x, labels, centers), class_axis_name)
    losses = restored(softplus(others - scale * aim(cosine, sine)))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _directions(embeddings: ArrayLike, kernel: ArrayLike) -> tuple[Array, Array]:
    """The embeddings as they are, and the kernel as unit vectors: ``[classes, centers, features]``."""
    x = inputs.floating("embeddings", embeddings)
    centers = inputs.kernel_for("embeddings", x, kernel, centers=True).astype(x.dtype)
    centers = centers if centers.ndim == 3 else centers[..., None]
    return x, norm.unit(jnp.moveaxis(unsharded(centers, 0, 1, 2), 0, 2))


def _others(scale: Array, x: Array, labels: Array, centers: Array) -> Array:
    """log sum exp of the scaled cosines with all other classes, by row."""
    count, several, features = centers.shape
    every = centers.reshape(count * several, features)
    poison = nan_with_any(centers, (1, 2)).reshape(1, count)  # a maximum may lose a NaN

    def block(_: None, rows: tuple[Array, Array]) -> tuple[None, Array]:
        x, labels = rows
        cosines = product(x, every, (1, 1))
        if several != 1:
            cosines = jnp.max(cosines.reshape(x.shape[0], count, several), 2) + poison
        return None, columns.log_sum_exp(scale * cosines, ~classes.is_label(cosines, labels, 1))

    return columns.by_blocks(block, (x, labels), count * several)[1]


def _own(x: Array, labels: Array, centers: Array) -> tuple[Array, Array, Array]:
    """Whether the own class is among these, and cosine and sine of the angle to its nearest center, of which equals
    share.

    The sine is the length of what is left of `x` without its part along the center: exact near 0 and pi.
    """
    here = labels < centers.shape[0]
    label = jnp.squeeze(jnp.minimum(labels, centers.shape[0] - 1), 1)
    kind = jax.typeof(label).sharding
    place = NamedSharding(kind.mesh, P(kind.spec[0])) if {*kind.spec} - {None} else None
    own = centers.at[label].get(mode="promise_in_bounds", out_sharding=place)
    x = x[:, None]
    cosines = jnp.sum(own * x, 2)
    squares = jnp.sum(jnp.square(x - cosines[..., None] * own), 2)
    along = squares <= (4 * jnp.finfo(x.dtype).eps) ** 2  # of rounding alone, which has any direction
    sines = jnp.where(along, jnp.all(x == 0, 2).astype(x.dtype), jnp.sqrt(jnp.where(along, 1, squares)))
    nearest = (cosines == jnp.max(lax.stop_gradient(cosines), 1, keepdims=True)).astype(x.dtype)
    share = nearest / jnp.maximum(jnp.sum(nearest, 1, keepdims=True), 1)
    return jnp.squeeze(here, 1), jnp.sum(share * cosines, 1), jnp.sum(share * sines, 1)


def _of_all_devices(
    others: Array, here: Array, cosine: Array, sine: Array, axis_name: AxisName | None
) -> tuple[Array, Array, Array]:
    """From what each has of the classes, in two messages."""
    if not devices.names(axis_name):
        return others, cosine, sine
    top = devices.pmax(lax.stop_gradient(others), axis_name)
    top = jnp.where(jnp.isfinite(top), top, 0)
    parts = [jnp.exp(others - top), *(jnp.where(here, part, 0) for part in (cosine, sine))]
    total, cosine, sine = devices.psum(parts, axis_name)
    return columns.log_of_sum(total, top), cosine, sine
