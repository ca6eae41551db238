"""Losses by the skeletons of regions: the lines in their middle."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import classes, devices
from .._contract.arrays import real
from .._contract.jit import jit_over_classes
from .._contract.messages import whole_number
from .._contract.shapes import unsharded
from .._contract.types import Array, ArrayLike, Axes, AxisName, NonNegative, Reduction
from .._numerics import sums
from .._numerics.derivatives import positive
from . import regions


@jit_over_classes
def cldice_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    iterations: int = 3,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Centerline Dice loss: how much of each skeleton, of prediction and label, lies within the other's region.

    With soft skeletons S, which are what opening takes off while a region is eroded again and again:

    .. math::
      \ell = 1 - \frac{2 a b}{a + b},
      \qquad a = \frac{\sum S(p) \, y + s}{\sum S(p) + s}, \qquad b = \frac{\sum S(y) \, p + s}{\sum S(y) + s}

    `dice_loss` says what a region is, and what mask and weights are of. A masked pixel is outside of the image, as what
    is beyond its border, so padding changes nothing. MONAI pools the classes of an image, and the paper's code the
    batch as well.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for what is thin and has to hang together, as vessels, roads and neurites, added to `dice_loss`: a gap in
    a line costs as much as one in what is wide. A background is best left out as ``probs[..., 1:]``: with a weight of 0
    its skeleton is still worked out.

    Args:
      probs: probabilities, ``[batch, ..., classes]``, the class axis at ``axis``.
      labels: class indices, in the shape of the pixels; or numbers in [0, 1] of the shape of ``probs``.
      iterations: how often regions are eroded, about half the width of the widest line. Each takes time alike.
      axis: the class axis; None: there is none, each region is of one class.
      batch_axes: the axis or axes that are kept beside the class axis; all others, one to three, are those of an image.
      smooth: at least 0, as if so many more pixels of each skeleton were right.
      class_weights: ``[classes]``, times the weights of the regions.
      ignore_index: pixels whose integer label has this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per region, ``[batch, classes]``, with ``reduction="none"``.

    Raises:
      ValueError: if ``iterations`` is no integer of at least 0, or ``axis_name`` is given without a batch axis.

    Source: Shit et al., *clDice, a novel topology-preserving loss function* (2021), arXiv:2003.07311.

    Example:
      >>> line = jnp.zeros((1, 5, 6, 1)).at[:, 1:4].set(1.0)
      >>> jaxloss.cldice_loss(line, line)
      Array(0., dtype=float32)
      >>> round(float(jaxloss.cldice_loss(line.at[:, :, 3].set(0.0), line)), 3)  # with a gap
      0.077
    """
    iterations = whole_number("iterations", iterations, 0)
    r = regions.regions(probs, labels, mask, axis, batch_axes, ignore_index, reduction, axis_name)
    p, y, pooled = r.probs, r.labels, r.layout.on_one_device().pooled
    y = y if real(y) else classes.is_label(p, y, r.layout.class_axis).astype(p.dtype)
    p, y = (unsharded(x, *pooled) for x in (p, y))
    exists = None if r.exists is None else unsharded(r.exists, *pooled)
    p_skeleton, y_skeleton = (_skeleton(x, exists, pooled, iterations) for x in (p, y))
    right, wrong, found, lost = (
        sums.total(part, pooled)
        for part in (p_skeleton * y, p_skeleton * (1 - y), y_skeleton * p, y_skeleton * (1 - p))
    )
    a, b = (regions.share(on + smooth, on + off + smooth, 1.0) for on, off in ((right, wrong), (found, lost)))
    not_a, not_b = (regions.share(off, on + off + smooth) for on, off in ((right, wrong), (found, lost)))
    losses = regions.share(a * not_b + b * not_a, a + b, 1.0)
    return regions.reduced(losses, regions.has_pixels(r), weights, class_weights, r.layout, reduction)


def _skeleton(x: Array, exists: Array | None, axes: tuple[int, ...], iterations: int) -> Array:
    @jax.checkpoint  # else the way back holds all arrays of all iterations
    def thinned(held: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        x, skeleton = held
        x = _eroded(x, exists, axes)
        ends = _ends(x, exists, axes)
        return (x, skeleton + positive(ends - skeleton * ends)), None

    return lax.scan(thinned, (x, _ends(x, exists, axes)), length=iterations)[0][1]


def _ends(x: Array, exists: Array | None, axes: tuple[int, ...]) -> Array:
    """What opening takes off: of a region that is eroded what doesn't come back by growing."""
    opened = _where(exists, _eroded(x, exists, axes), -jnp.inf)
    for axis in axes:
        opened = _along(opened, axis, _larger, -jnp.inf)
    return positive(x - _where(exists, opened, 0))


def _eroded(x: Array, exists: Array | None, axes: tuple[int, ...]) -> Array:
    """The smallest of each pixel and those beside it. What is masked is out of the image: the largest."""
    x = _where(exists, x, jnp.inf)
    low = functools.reduce(_smaller, [_along(x, axis, _smaller, jnp.inf) for axis in axes])
    return _where(exists, low, 0)


# Of equals the first: the derivative is one selection. That of JAX's own, which shares, takes several times as long.
def _smaller(a: Array, b: Array) -> Array:
    return jnp.where(a <= b, a, b)


def _larger(a: Array, b: Array) -> Array:
    return jnp.where(a >= b, a, b)


def _where(exists: Array | None, x: Array, masked: float) -> Array:
    return x if exists is None else jnp.where(exists, x, masked)


def _along(x: Array, axis: int, choose: Callable[[Array, Array], Array], outside: float) -> Array:
    """The choice of each pixel and of the two beside it along an axis."""
    fill = devices.varying(jnp.asarray(outside, x.dtype), devices.mapped_axes(x))

    def shifted(by: int) -> Array:
        return lax.pad(x, fill, [(by, -by, 0) if place == axis else (0, 0, 0) for place in range(x.ndim)])

    return choose(x, choose(shifted(1), shifted(-1)))
