"""The gradient of the head by blocks of classes, as TPUs take it.

Chunks of tokens read and write all of the kernel's float32 gradient each. Blocks of classes write each part of it once,
in its own dtype, and the logits of all tokens in one block are few enough to stay on the chip. The price is a fourth
product: one pass finds the sums of the softmax, and only another one knows the slopes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import devices
from .._contract.arrays import real
from .._contract.checks import nan_where
from .._contract.types import Array, AxisName
from .._contract.units import inverse_power
from .._numerics.derivatives import clip_to_finite
from .._numerics.nll import regularized
from .._numerics.products import product
from .._numerics.softmax import class_nll, log_total, reciprocal_or_0, shifted
from . import linear_head
from .linear_head import Layer, Tokens


_LOGITS = 2**24  # of a block: 64 MiB, half of what a TPU v5e or v6e keeps on the chip
_NARROW, _WIDE = 512, 4096  # fewer classes leave too little to do for all that is read beside them
_FEWEST = 2  # chunks: what goes through at once adds no gradients up, and takes three products
_FAR = 60.0  # exp(60) is far from overflowing, in any sum


class _Sums(NamedTuple):
    """What a softmax is made of, of each token, over the classes so far."""

    top: Array  # the largest logit, finite
    others: Array  # the sum of exp(z - top) without the label
    label: Array  # its logit
    far: Array  # whether a block's largest logit lay too far above those before it, for `others` to be right


class _Slopes(NamedTuple):
    """Over the classes so far; and the sum of z - top, scaled."""

    hidden: Array
    kernel: Array
    bias: Any
    soft_cap: Any
    mean: Any


def fits(chunks: Tokens, layer: Layer) -> bool:
    """Whether there are enough tokens, integer labels, sizes that are known, and nothing spread over devices.

    float16 lacks the range for sums of slopes that aren't divided by the weight yet.
    """
    sizes = *chunks.hidden.shape, layer.kernel.shape[1]
    if real(chunks.labels) or not all(isinstance(size, int) and size for size in sizes) or sizes[0] < _FEWEST:
        return False
    return layer.kernel.dtype != jnp.float16 and devices.is_alone(chunks.hidden)


def gradient(chunks: Tokens, layer: Layer, axis_name: AxisName | None) -> tuple[Tokens, Layer]:
    """The slopes of the weighted sum of what the tokens cost, which is itself the slope in their weights."""
    tokens = Tokens(*(x.reshape(-1, *x.shape[2:]) for x in chunks[:-1]))
    labels, poisoned = jnp.squeeze(tokens.labels, 1), jnp.isnan(jnp.squeeze(tokens.poison, 1))
    classes, dtype = layer.kernel.shape[1], tokens.weight.dtype
    count, scale = classes * devices.axis_size(axis_name), inverse_power(classes)
    largest = jnp.finfo(dtype).max
    width = _LOGITS // len(tokens.hidden) // _NARROW * _NARROW
    width = min(classes, max(_NARROW, min(_WIDE, width)))

    def scanned(step: Callable[[Any, Any, int], Any], carry: Any) -> Any:
        """Over all blocks, and over what they leave. XLA should see that each starts at a multiple of their width."""
        blocks = jnp.arange(classes // width, dtype=jnp.int32)
        carry, _ = lax.scan(lambda carry, block: (step(carry, block * width, width), None), carry, blocks)
        left = classes % width
        return step(carry, classes - left, left) if left else carry

    def logits(start: Any, width: int) -> tuple[Array, Array, Callable[[Array], Any]]:
        """Of a block, with its kernel and the way back to its products, its bias and the soft cap."""
        kernel = lax.dynamic_slice_in_dim(layer.kernel, start, width, 1)
        bias = None if layer.bias is None else lax.dynamic_slice_in_dim(layer.bias, start, width)

        def capped(products: Array, bias: Any, soft_cap: Any) -> Array:
            return linear_head.logits_of(products, Layer(kernel, bias, soft_cap))

        z, pull = jax.vjp(capped, product(tokens.hidden, kernel), bias, layer.soft_cap)
        return z, kernel, pull

    def is_label(z: Array, start: Any) -> Array:
        return lax.broadcasted_iota(jnp.int32, z.shape, 1) == (labels - start)[:, None]

    def add(sums: _Sums, start: Any, width: int) -> _Sums:
        """The block is summed against the largest logit of those before it: until its own is known, it would have to be
        written down."""
        z, *_ = logits(start, width)
        top = jnp.maximum(sums.top, _row_top(z))
        beside = jnp.where(is_label(z, start), 0, jnp.exp(z - sums.top[:, None]))
        others = (sums.others + jnp.sum(beside, 1)) * jnp.exp(sums.top - top)
        label = sums.label + jnp.sum(jnp.where(is_label(z, start), z, 0), 1)
        return _Sums(top, others, label, sums.far | jnp.any(top - sums.top > _FAR))

    def add_again(others: Array, start: Any, width: int) -> Array:
        z, *_ = logits(start, width)
        return others + jnp.sum(jnp.where(is_label(z, start), 0, jnp.exp(shifted(z, sums.top[:, None]))), 1)

    zero = linear_head.zeros(tokens.hidden[:, 0], dtype)
    sums = scanned(add, _Sums(_row_top(logits(0, width)[0]), zero, zero, jnp.any(zero != 0)))
    far = sums.far | jnp.any(sums.top == largest)
    others = lax.cond(far, lambda _: scanned(add_again, zero), lambda others: others, sums.others)
    top = devices.pmax(sums.top, axis_name)
    x = jnp.where(labels < classes, shifted(sums.label, top), 0)  # 0 where another device has the label
    others, x = devices.psum([others * jnp.exp(shifted(sums.top, top)), x], axis_name)

    def costs(others: Array, x: Array, mean: Array, label_smoothing: Any, z_loss: Any) -> Array:
        losses, log_normalizer = _label_nll(others, x)
        losses = regularized(losses, top, log_normalizer, mean, label_smoothing, z_loss)
        return jnp.where(tokens.exists, losses, 0)

    others = nan_where(poisoned, others)
    options = layer.label_smoothing, layer.z_loss
    _, pull_sums = jax.vjp(lambda others, x, mean: costs(others, x, mean, *options), others, x, jnp.zeros_like(x))
    by_sums = (devices.pbroadcast(x, axis_name)[:, None] for x in (*pull_sums(tokens.weight), top))
    by_others, by_label, by_mean, of_row = by_sums
    doubled = jnp.where(of_row == largest, 2, 1)  # see `shifted`
    by_mean = jnp.where(of_row == largest, 0, by_mean)  # which is -inf there, whatever the others are

    def back(found: _Slopes, start: Any, width: int) -> _Slopes:
        z, kernel, pull = logits(start, width)
        exp = jnp.exp((jnp.minimum(z, largest) - of_row) * doubled)
        slope = jnp.where(is_label(z, start), by_label, by_others * exp)
        if layer.label_smoothing is not None:
            slope += by_mean / count
        by_products, by_bias, by_cap = pull(slope)
        by_products = by_products.astype(tokens.hidden.dtype)
        by_kernel = product(tokens.hidden, by_products, (0, 0)).astype(kernel.dtype)
        return _Slopes(
            found.hidden + product(by_products, kernel, (1, 1)),
            lax.dynamic_update_slice_in_dim(found.kernel, by_kernel, start, 1),
            None if by_bias is None else lax.dynamic_update_slice_in_dim(found.bias, by_bias, start, 0),
            None if by_cap is None else found.soft_cap + by_cap,
            None if found.mean is None else found.mean + jnp.sum(scale * z - scale * of_row, 1),
        )

    def zeros(x: Any, dtype: Any = dtype) -> Any:
        return None if x is None else linear_head.zeros(x, dtype)

    of_mean = None if layer.label_smoothing is None else zero
    of_kernel = zeros(layer.kernel, layer.kernel.dtype)
    found = scanned(back, _Slopes(zeros(tokens.hidden), of_kernel, zeros(layer.bias), zeros(layer.soft_cap), of_mean))

    mean = zero
    if found.mean is not None:
        (mean,) = devices.psum([found.mean / (scale * count)], axis_name)
        mean = jnp.where(top == largest, -jnp.inf, mean)
    losses, pull = jax.vjp(functools.partial(costs, others, x, mean), *options)
    by_smoothing, by_z_loss = pull(tokens.weight)

    def as_chunks(x: Array) -> Array:
        return x.reshape(*chunks.weight.shape, *x.shape[1:])

    by_hidden = as_chunks(found.hidden.astype(tokens.hidden.dtype))
    by_tokens = Tokens(by_hidden, None, jnp.zeros_like(chunks.poison), as_chunks(losses), None)
    return by_tokens, Layer(found.kernel.astype(dtype), found.bias, found.soft_cap, by_smoothing, by_z_loss)


def _row_top(z: Array) -> Array:
    """The largest logit of each row, as `row_max` has it."""
    return clip_to_finite(jnp.max(lax.stop_gradient(z), 1))


@jax.custom_jvp
def _label_nll(others: Array, x: Array) -> tuple[Array, Array]:
    """As `hard_nll` has them: the loss of a label that lies x below the top, and log sum exp(z - top)."""
    log_normalizer = log_total(others + jnp.expm1(x))
    return class_nll(log_normalizer, x), log_normalizer


@_label_nll.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Any, Any]:
    (others, x), (d_others, d_x) = primals, tangents
    exp = jnp.exp(x)
    by_others = reciprocal_or_0(others + exp)
    changes = by_others * d_others - others * by_others * d_x, by_others * d_others + exp * by_others * d_x
    return _label_nll(others, x), changes
