"""Losses that make of the Jaccard loss of sets of pixels, which is a number for each set, one of errors of any size.

With the pixels in falling order of their errors, each error counts by how much the Jaccard loss of those up to its
pixel is more than that of those before: the Lovász extension.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import classes, inputs
from .._contract.arrays import iota, real
from .._contract.checks import nan_with_any
from .._contract.jit import jit, jit_over_classes
from .._contract.reduction import valid_reduction
from .._contract.shapes import unsharded
from .._contract.types import Array, ArrayLike, Axes, AxisName, Reduction
from .._numerics import sums
from .._numerics.derivatives import positive, times
from . import regions
from .regions import Regions


@jit_over_classes
def lovasz_softmax_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_present: bool = True,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Lovász-softmax loss of regions: the Jaccard loss of pixels that are right or wrong, extended to probabilities.

    With the errors of the pixels of a region, :math:`e = |y - p|`, in falling order, the label's pixels :math:`F` and
    the first k pixels :math:`M_k`:

    .. math::
      \ell = \sum_k e_k (J_k - J_{k-1}), \qquad J_k = 1 - \frac{|F \setminus M_k|}{|F \cup M_k|}

    `dice_loss` says what a region is, and what mask and weights are of. For probabilities of 0 and 1 this is
    `jaccard_loss` without smoothing. The paper's code pools the regions of a batch, which is ``batch_axes=()`` here.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it where the score is the intersection over union, to train on or, at the end, to tune with: unlike
    `jaccard_loss` it is convex in the errors. It sorts all pixels of each class, which takes longer than all other
    losses of regions, and pixels whose errors are equal share nothing: one of them comes first.

    Args:
      probs: probabilities, ``[batch, ..., classes]``, the class axis at ``axis``.
      labels: class indices, in the shape of the pixels; or bool, or 0 and 1, of the shape of ``probs``, for classes
        that overlap.
      axis: the class axis; None: there is none, each region is of one class.
      batch_axes: the axis or axes that are kept beside the class axis; see `dice_loss`.
      class_weights: ``[classes]``, times the weights of the regions. 0 leaves a class out.
      ignore_index: pixels whose integer label has this value are masked. None ignores nothing.
      only_present: leaves out regions whose class no pixel has; they cost their largest probability otherwise.

    Returns:
      The reduced loss, at least float32; per region, ``[batch, classes]``, with ``reduction="none"``.

    Raises:
      ValueError: if ``axis_name`` is given without a batch axis.

    Source: Berman et al., *The Lovász-softmax loss* (2018), arXiv:1705.08790.

    Example:
      >>> probs = jnp.array([[[0.5, 0.5], [1.0, 0.0]]])
      >>> jaxloss.lovasz_softmax_loss(probs, jnp.array([[0, 1]]), reduction="none")
      Array([[0.75, 1.  ]], dtype=float32)
    """
    of_class = regions.regions(probs, labels, mask, axis, batch_axes, ignore_index, reduction, axis_name, binary=True)
    p, y = of_class.probs, of_class.labels
    if real(y):
        hits = y == 1
        errors = jnp.where(hits, y - p, p - y)
    else:
        hits = classes.is_label(p, y, of_class.layout.class_axis)
        errors = jnp.where(hits, 1 - p, p)
    losses = _extended(errors, hits, of_class)
    exists = regions.has_pixels(of_class)
    if only_present:
        exists &= jnp.any(hits, of_class.layout.pooled)
    return regions.reduced(losses, exists, weights, class_weights, of_class.layout, reduction)


@jit
def lovasz_hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    batch_axes: Axes = 0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Lovász hinge of regions: the Jaccard loss of pixels that are right or wrong, extended to scores.

    With :math:`e = \max(0, 1 - y s)` of the pixels of a region in falling order, the label's pixels :math:`F` and the
    first k pixels :math:`M_k`:

    .. math::
      \ell = \sum_k e_k (J_k - J_{k-1}), \qquad J_k = 1 - \frac{|F \setminus M_k|}{|F \cup M_k|}

    A region, which is an element, is all pixels of an image. ``mask`` says which pixels exist, in the shape of
    ``scores``; ``weights`` say how much each region counts, in the shape that ``"none"`` returns.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for one class against its background, where the score is the intersection over union. As with
    `hinge_loss`, what is right by a margin of 1 costs nothing, and wrong labels pull however far off they are.

    Args:
      scores: of the class, floating point, ``[batch, ...]``; the decision is their sign.
      labels: -1 or 1, or bool, of the shape of ``scores``. Anything else is out of range, 0 too.
      batch_axes: the axis or axes that are kept; over all others regions are pooled. ``(0, -1)`` keeps a last axis of
        several labels.

    Returns:
      The reduced loss, at least float32; per region, ``[batch]``, with ``reduction="none"``.

    Raises:
      ValueError: if ``axis_name`` is given without a batch axis.

    Source: Yu and Blaschko, *Learning submodular losses with the Lovász hinge* (2015), arXiv:1512.07797.

    Example:
      >>> scores = jnp.array([[2.0, 0.5, -0.5, -3.0]])
      >>> jaxloss.lovasz_hinge_loss(scores, jnp.array([[1, -1, 1, -1]]), reduction="none")
      Array([1.], dtype=float32)
    """
    valid_reduction(reduction, axis_name)
    s = inputs.floating("scores", scores)
    layout = regions.laid_out("scores", s, None, batch_axes, axis_name)
    exists, poison = regions.existing(mask, layout, s.dtype)
    signs, unfit = inputs.signs(exists, labels, s.shape, s.dtype, "scores")
    s = s if exists is None else jnp.where(exists, s, 0)
    of_image = Regions(s, signs + unfit + poison, exists, layout)
    hits = signs > 0 if exists is None else (signs > 0) & exists
    losses = _extended(positive(1 - s * of_image.labels), hits, of_image)
    return regions.reduced(losses, regions.has_pixels(of_image), weights, None, layout, reduction)


def _extended(errors: Array, hits: Array, r: Regions) -> Array:
    """The loss of each region."""
    layout = r.layout.on_one_device()
    errors, hits = _rows(errors, layout), _rows(hits, layout)
    masked = None
    if r.exists is not None:
        masked = ~_rows(regions.of_each_pixel(r.exists, r.probs, layout.axis), layout)
    known = lax.stop_gradient(errors)
    losses = times(_steps(known, hits, masked) + nan_with_any(known, -1), errors)
    losses = losses if masked is None else jnp.where(masked, 0, losses)
    return sums.total(losses, (losses.ndim - 1,))


def _rows(x: Array, layout: regions.Layout) -> Array:
    """The pixels of each region along the last axis, which isn't split."""
    x = jnp.transpose(unsharded(x, *layout.pooled), (*layout.kept, *layout.pooled))
    kept = x.shape[: len(layout.kept)]
    return x.reshape(*kept, math.prod(x.shape[len(kept) :]))


def _steps(errors: Array, hits: Array, masked: Array | None) -> Array:
    """By how much the Jaccard loss grows with each pixel, in falling order of the errors: at the pixel's own place."""
    key = -errors if masked is None else jnp.where(masked, jnp.inf, -errors)
    place = 2 * iota(errors, errors.ndim - 1, jnp.uint32) + hits.astype(jnp.uint32)
    _, place = lax.sort((key, place), num_keys=1)
    place, hit = place >> 1, (place & 1).astype(jnp.int32)
    found = jnp.cumsum(hit, -1)  # integers count further than float32
    missed = iota(hit, hit.ndim - 1) + 1 - found
    size = jnp.sum(hit, -1, keepdims=True, dtype=jnp.int32)
    union, left = (count.astype(errors.dtype) for count in (size + missed, size - found))
    of_miss = jnp.where(union == 1, 1, left / union / jnp.maximum(union - 1, 1))  # the first where nothing is labelled
    steps = jnp.where(hit == 1, 1 / union, of_miss)
    if any(axis is not None for axis in jax.typeof(steps).sharding.spec):
        return _sorted_back(place, steps)
    return lax.platform_dependent(place, steps, cpu=_put_back, default=_sorted_back)


def _sorted_back(place: Array, steps: Array) -> Array:
    """Each step at its place by a sort: explicit sharding scatters nothing."""
    return lax.sort((place, steps), num_keys=1)[1]


def _put_back(place: Array, steps: Array) -> Array:
    """The same by a scatter: on a CPU the loss takes 0.6 of the time."""
    rows = place.reshape(-1, place.shape[-1]), steps.reshape(-1, steps.shape[-1])

    def put(row: tuple[Array, Array]) -> Array:
        place, steps = row
        return jnp.zeros_like(steps).at[place].set(steps, unique_indices=True)

    return lax.map(put, rows).reshape(steps.shape)  # by row: a scatter's indices take twice what its values do
