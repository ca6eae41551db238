"""How alike two images look."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from .._contract import inputs
from .._contract.checks import nan_unless
from .._contract.jit import jit
from .._contract.messages import message, whole_number
from .._contract.reduction import valid_reduction
from .._contract.shapes import one_axis, unsharded
from .._contract.types import Array, ArrayLike, Axes, AxisName, NonNegative, Positive, Reduction
from .._contract.units import power_of_two
from .._numerics import sums
from .._numerics.derivatives import at_least
from . import regions


@jit
def ssim_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    data_range: Positive = 1.0,
    window_size: int = 11,
    sigma: Positive = 1.5,
    k1: NonNegative = 0.01,
    k2: NonNegative = 0.03,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Structural dissimilarity of images: 1 less the SSIM, the mean over all windows of an image and channel.

    With means, variances and covariance of both images in a Gaussian window,

    .. math::
      \ell = 1 - \frac{2 \mu_x \mu_y + (k_1 R)^2}{\mu_x^2 + \mu_y^2 + (k_1 R)^2}
      \cdot \frac{2 \sigma_{xy} + (k_2 R)^2}{\sigma_x^2 + \sigma_y^2 + (k_2 R)^2}

    An element is one channel of one image: ``weights`` say how much each counts, in the shape that ``"none"`` returns.
    ``mask`` says which pixels exist, in the shape of ``predictions`` without its channel axis. A window counts if all
    of its pixels exist, and an image without one doesn't exist, so padding changes nothing.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for images that are looked at: it compares contrast and structure, where `mse_loss` blurs. It is blind to
    small shifts of brightness, so it is mostly added to `l1_loss`. Kornia pads images at their borders, and its
    ``ssim_loss`` is half of this; windows here lie within the image, as in the paper and in MONAI.

    Args:
      predictions: images, ``[batch, ..., channels]``, the channel axis at ``axis``; signals and volumes too.
      labels: the shape of ``predictions``.
      data_range: above 0, the largest value that images may have less the smallest: 255 for those of 8 bits.
      window_size: pixels along each axis of the image, at most as many as that has.
      sigma: above 0, the standard deviation of the window, in pixels.
      k1: at least 0. Brightness below this share of the range makes no difference.
      k2: at least 0. Contrast below this share of the range makes no difference.
      axis: the channel axis; ``axis=1`` for images as PyTorch lays them out. None: there is none.
      batch_axes: the axis or axes that are kept beside the channel axis; all others are those of an image. ``()`` takes
        one image without a batch axis.

    Returns:
      The reduced loss, at least float32; per image and channel, ``[batch, channels]``, with ``reduction="none"``.

    Raises:
      ValueError: if the window is larger than the image, or ``axis_name`` is given without a batch axis.

    Source: Wang et al., *Image quality assessment: from error visibility to structural similarity* (2004),
    doi:10.1109/TIP.2003.819861.

    Example:
      >>> image = jnp.linspace(0.0, 1.0, 256).reshape(1, 16, 16, 1)
      >>> jaxloss.ssim_loss(image, image)
      Array(0., dtype=float32)
      >>> round(float(jaxloss.ssim_loss(1 - image, image)), 3)
      1.826
    """
    valid_reduction(reduction, axis_name)
    x, y = inputs.elementwise(None, predictions=predictions, labels=labels)
    hint = "reshape predictions so that the channels lie on one axis"
    axis = None if axis is None else one_axis(axis, "predictions", x, hint)
    layout = regions.laid_out(
        "predictions", x, axis, batch_axes, axis_name, element="image", of="channel"
    ).on_one_device()
    size, pooled = _fitting(window_size, x, layout, batch_axes), layout.pooled
    exists, poison = regions.existing(mask, layout, x.dtype)
    if exists is not None:
        exists = regions.of_each_pixel(exists, x, axis)
        x, y = jnp.where(exists, x, 0), jnp.where(exists, y, 0)
    fits = jnp.isfinite(x) & jnp.isfinite(y) & ~jnp.isnan(poison)
    poison = nan_unless(jnp.all(fits, pooled, keepdims=True), x.dtype)

    # In units of the largest value, of which no square leaves the range of the dtype.
    largest = jnp.max(jnp.maximum(jnp.abs(x), jnp.abs(y)), pooled, keepdims=True, initial=0)
    unit = power_of_two(jnp.maximum(largest, data_range))
    x, y = x / unit + poison, y / unit + poison
    least_brightness, least_contrast = (k * (data_range / unit) for k in (k1, k2))

    # Moments about the mean of the image, beside the square of which a variance would lose its digits. Of the error,
    # not of 1 - SSIM, in which a small loss would.
    pixels = regions.count(x, pooled) if exists is None else jnp.sum(exists, pooled, dtype=x.dtype, keepdims=True)
    offset = lax.stop_gradient(jnp.sum(y, pooled, keepdims=True) / jnp.maximum(pixels, 1))
    error, x, y = x - y, x - offset, y - offset
    moments = x, error, jnp.square(x) + jnp.square(y), jnp.square(error)
    mean, mean_error, square, square_error = (_windows(part, pooled, size, sigma) for part in moments)
    mean_label = mean - mean_error
    variance = at_least(square - jnp.square(mean) - jnp.square(mean_label), 0)
    variance_error = at_least(square_error - jnp.square(mean_error), 0)
    brightness = jnp.square(mean + offset) + jnp.square(mean_label + offset) + jnp.square(least_brightness)
    of_means = regions.share(jnp.square(mean_error), brightness)
    losses = of_means + (1 - of_means) * regions.share(variance_error, variance + jnp.square(least_contrast))
    losses = at_least(losses, 0)

    count = regions.count(losses, pooled)
    if exists is not None:
        whole = _windows(1 - exists.astype(x.dtype), pooled, size, None) == 0
        losses, count = jnp.where(whole, losses, 0), jnp.sum(whole, pooled, dtype=x.dtype)
    losses = sums.total(losses, pooled) / jnp.maximum(count, 1) + jnp.squeeze(poison, pooled)
    there = jnp.broadcast_to(count > 0, losses.shape)
    return regions.reduced(losses, there, weights, None, layout, reduction)


def _fitting(window_size: int, x: Array, layout: regions.Layout, batch_axes: Axes) -> int:
    size = whole_number("window_size", window_size, 1)
    image = tuple(x.shape[place] for place in layout.pooled)
    if not image or any(isinstance(length, int) and length < size for length in image):
        hint = f"an image is what axis={layout.axis} and batch_axes={batch_axes!r} leave of shape {x.shape}"
        raise ValueError(message(f"window_size must fit into an image, of shape {image}, got {size}; {hint}"))
    return size


_BLOCK = 256  # windows along an axis in one product: of a longer one, most of the matrix would be 0


def _windows(x: Array, axes: tuple[int, ...], size: int, sigma: ArrayLike | None) -> Array:
    """The mean in each window, by how far from its middle; without `sigma` the sum.

    By products with band matrices, which are faster than convolutions, and than sums of shifted images.
    """
    x = unsharded(x, *axes)
    for axis in axes:
        count = x.shape[axis] - size + 1
        starts = range(0, count, _BLOCK) if isinstance(count, int) else [0]
        ends = [start + _BLOCK + size - 1 for start in starts[:-1]] + [x.shape[axis]]
        blocks = [lax.slice_in_dim(x, start, end, axis=axis) for start, end in zip(starts, ends)]
        means = [_product(_band(block.shape[axis], size, sigma, x.dtype), block, axis) for block in blocks]
        x = jnp.concatenate(means, axis)
    return x


def _product(band: Array, x: Array, axis: int) -> Array:
    return jnp.moveaxis(jnp.tensordot(band, x, (1, axis), precision=lax.Precision.HIGHEST), 0, axis)


def _band(length: int, size: int, sigma: ArrayLike | None, dtype: Any) -> Array:
    """The weights of each pixel in each window, a window a row."""
    shape = (length - size + 1, length)
    place = lax.broadcasted_iota(jnp.int32, shape, 1) - lax.broadcasted_iota(jnp.int32, shape, 0)
    inside = (place >= 0) & (place < size)
    if sigma is None:
        return inside.astype(dtype)
    weights = _weights(jnp.where(inside, place, 0).astype(dtype), size, sigma)
    return jnp.where(inside, weights / jnp.sum(_weights(jnp.arange(size, dtype=dtype), size, sigma)), 0)


def _weights(place: Array, size: int, sigma: ArrayLike) -> Array:
    """The Gaussian of a window, in units of its largest."""
    distance, least = place - (size - 1) / 2, 0.0 if size % 2 else 0.5
    return jnp.exp(-0.5 * (jnp.square(distance) - least**2) / sigma / sigma)
