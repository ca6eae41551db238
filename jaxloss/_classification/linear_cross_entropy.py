"""The cross entropy of a linear layer, without its logits.

The tokens go through in chunks. For one number, the gradient is computed along with the value, chunk by chunk, and
kept: three matrix products in all, and the derivative by hand is an inner product with it, which every transform takes.
On TPUs `linear_blocks` finds the same gradient by blocks of classes. For a loss of every token the chunks are computed
again on the way back: four products.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from .._contract import classes, devices
from .._contract.arrays import real
from .._contract.jit import jit_over_classes
from .._contract.reduction import reduce_sums, sum_of_weights, valid_reduction
from .._contract.types import Array, ArrayLike, AxisName, NonNegative, Positive, Proportion, Reduction
from .._contract.units import power_of_two
from .._contract.weights import element_weights, weigh
from .._numerics.derivatives import precomputed
from .._numerics.nll import smoothed_nll
from .._numerics.products import product
from . import linear_blocks, linear_head
from .linear_head import Layer, Tokens


@jit_over_classes
def linear_cross_entropy(
    hidden: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    bias: ArrayLike | None = None,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    label_smoothing: Proportion | None = None,
    z_loss: NonNegative | None = None,
    soft_cap: Positive | None = None,
    chunk_size: int | None = None,
    class_axis_name: AxisName | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy of a linear layer's logits, which are never held in memory.

    .. math::
      \ell = \mathrm{cross\_entropy} \left( s \tanh \left( (h W + b) / s \right), y \right)

    with the soft cap :math:`s` only where it is given; `cross_entropy` has the rest.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for the head of a language model, or any layer with thousands of classes: the logits, of which there are
    tokens times classes, would be the largest array of the program. The numbers, the noise model and the pull of a
    wrong label are those of `cross_entropy`. Beside the gradients themselves it needs a chunk of the logits and, unless
    the kernel is frozen, a float32 array of the kernel's size; with a mask, or where no chunks of one size fit, also a
    copy of ``hidden`` and of labels that are probabilities. Chunks without a token that exists cost nothing, so padding
    is nearly free. The gradient of ``reduction="none"`` computes the logits once more: prefer ``weights``.

    A TPU that has all tokens of the call, several chunks of them, with integer labels, no float16 and nothing masked,
    takes them by blocks of classes instead: a float32 array of the size of ``hidden`` and 512 to 4096 classes' logits
    at a time, for a fourth product and a kernel's gradient in the kernel's own dtype.

    Args:
      hidden: what the layer gets, ``[..., features]``.
      kernel: ``[features, classes]``, as Flax keeps it. An embedding ``[classes, features]`` that is shared with the
        input is passed as ``embedding.T`` (of which XLA for CPUs makes a copy). Products of two half-precision arrays
        add up in float32, and so does the gradient of the kernel, over all chunks.
      labels: class indices ``[...]``, or probabilities ``[..., classes]``. The dtype decides.
      bias: ``[classes]``.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its own label, before smoothing. The
        mean divides by these weights too.
      ignore_index: integer labels of this value are masked. None ignores nothing (PyTorch ignores -100 by default).
      label_smoothing: in [0, 1], over all classes.
      z_loss: at least 0, times the square of the log-normalizer.
      soft_cap: above 0, the logits' largest size (Gemma 2 takes 30).
      chunk_size: how many tokens go through at once, over all devices. Smaller ones need less memory, larger ones may
        be faster. By default, for each device over which tokens may lie, about half of ``features`` (a quarter with
        ``reduction="none"``, but for float32) and 64 or more. Blocks of classes have a size of their own.
      class_axis_name: axis of a surrounding ``shard_map`` over whose devices the classes are split, or a tuple of axes.
        Each device passes its slice of whatever has an axis of classes, in equal parts and in order, and all pass the
        same tokens, whose integer labels count the classes of all. Value and gradients are those of the whole; under
        ``check_vma=False`` only gradients that are taken inside.

    Returns:
      The reduced loss, at least float32; per token, in the shape of ``hidden`` without its last axis, with
      ``reduction="none"``.

    Raises:
      ValueError: if ``kernel`` or ``bias`` doesn't fit ``hidden``, ``chunk_size`` is less than 1, or
        ``class_axis_name`` is no axis of a surrounding ``shard_map``, or also an ``axis_name``.
      TypeError: if ``chunk_size`` isn't an integer.

    Source: Wijmans et al., *Cut your losses in large-vocabulary language models* (2024), arXiv:2411.09009; Hsu et al.,
    *Liger kernel* (2024), arXiv:2410.10989 (the gradient along with the value).

    Example:
      >>> hidden = jnp.array([[1.0, 0.0], [0.0, 1.0]])
      >>> kernel = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> jaxloss.linear_cross_entropy(hidden, kernel, jnp.array([0, 1]), reduction="none")
      Array([0.23954484, 5.0133862 ], dtype=float32)
    """
    valid_reduction(reduction, axis_name)
    devices.splits_classes(class_axis_name, axis_name)
    hidden, kernel, bias, logits = linear_head.operands(hidden, kernel, bias)
    rows, dtype = logits.shape[:-1], logits.dtype
    labels, poison, mask, _ = classes.labels_for(
        mask, labels, "hidden @ kernel", logits, len(rows), ignore_index=ignore_index, axis_name=class_axis_name
    )
    weights = weigh(weights, class_weights, labels, mask, len(rows), logits, class_axis_name)
    weight, exists = element_weights(rows, dtype, weights, mask)
    masked = exists is not None
    exists = jnp.broadcast_to(exists if masked else True, rows)
    if masked:
        hidden = jnp.where(exists[..., None], hidden, 0)
    # Slopes are multiplied by weights in half precision, whose range they must not leave.
    unit = power_of_two(jnp.max(jnp.abs(weight), initial=0))
    tokens = Tokens(hidden, labels, poison, jnp.broadcast_to(weight / unit, rows), exists)
    layer = Layer(kernel, bias, soft_cap, label_smoothing, z_loss)
    tokens, layer = linear_head.as_varying(tokens, layer, class_axis_name)
    chunks, restore = linear_head.chunked(tokens, chunk_size, reduction, masked)
    if reduction == "none":
        of_tokens = functools.partial(_token_losses, axis_name=class_axis_name)
        return restore(linear_head.each(of_tokens, chunks, layer, masked)) * weight
    total = _total(chunks, layer, masked, class_axis_name)
    if reduction == "mean" and weights is not None:
        return reduce_sums(total, sum_of_weights(weight / unit, rows), reduction, axis_name, unit)
    return reduce_sums(total * unit, sum_of_weights(weight, rows), reduction, axis_name)


# What meets the classes before the sum over them: where each device has a slice of these, it has a part of the slopes.
_AT_CLASSES = {"hidden", "labels", "kernel", "bias", "soft_cap"}


def _token_losses(products: Array, tokens: Tokens, layer: Layer, axis_name: AxisName | None) -> Array:
    """What each token costs, from its products with the kernel."""
    reads = classes.reads(linear_head.logits_of(products, layer), labels=tokens.labels if real(tokens.labels) else None)
    costs = smoothed_nll(reads, tokens.labels, tokens.poison, 1, layer.label_smoothing, layer.z_loss, axis_name)
    return jnp.where(tokens.exists, jnp.squeeze(costs, 1), 0)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _total(chunks: Tokens, layer: Layer, masked: bool, axis_name: AxisName | None) -> Array:
    """The weighted sum of what the tokens cost."""
    of_tokens = functools.partial(_token_losses, axis_name=axis_name)
    return jnp.sum(chunks.weight * linear_head.each(of_tokens, chunks, layer, True))


def _total_rule(masked: bool, axis_name: AxisName | None, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """Along with the value the gradient in everything, of which what isn't asked for is dead code."""
    chunks, layer = primals
    d_chunks, d_layer = tangents
    by_chunks, by_layer = _gradient(chunks, layer, masked, axis_name)
    dtype = chunks.weight.dtype
    total = jnp.sum(chunks.weight * by_chunks.weight)
    change = part = jnp.zeros_like(total)
    slopes, changes = {**by_chunks._asdict(), **by_layer._asdict()}, {**d_chunks._asdict(), **d_layer._asdict()}
    for name, d_x in changes.items():
        if d_x is not None and not isinstance(d_x, SymbolicZero) and d_x.dtype != jax.dtypes.float0:
            along = jnp.sum(slopes[name].astype(dtype) * d_x.astype(dtype))
            change, part = (change, part + along) if name in _AT_CLASSES else (change + along, part)
    (part,) = devices.psum([part], axis_name)
    value = functools.partial(_total, masked=masked, axis_name=axis_name)
    return precomputed(value, total, *primals), change + part


_total.defjvp(_total_rule, symbolic_zeros=True)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _gradient(chunks: Tokens, layer: Layer, masked: bool, axis_name: AxisName | None) -> tuple[Tokens, Layer]:
    """The slopes of `_total` in what tokens and layer hold; that in the weights is what each token costs.

    On TPUs by blocks of classes, unless there may be chunks of tokens to skip.
    """
    by_chunk = functools.partial(_by_chunk, axis_name=axis_name)
    if masked or not linear_blocks.fits(chunks, layer):
        return by_chunk(chunks, layer)
    by_block = functools.partial(linear_blocks.gradient, axis_name=axis_name)
    return lax.platform_dependent(chunks, layer, tpu=by_block, default=by_chunk)


@_gradient.defjvp
def _(masked: bool, axis_name: AxisName | None, primals: Any, tangents: Any) -> tuple[Any, Any]:
    return jax.jvp(functools.partial(_by_chunk, axis_name=axis_name), primals, tangents)


def _by_chunk(chunks: Tokens, layer: Layer, axis_name: AxisName | None) -> tuple[Tokens, Layer]:
    @functools.partial(jax.checkpoint, prevent_cse=False)
    @linear_head.if_any
    def add(by_layer: Layer, chunk: Tokens) -> tuple[Layer, Tokens]:
        products = product(chunk.hidden, layer.kernel)
        costs, pull = jax.vjp(
            functools.partial(_token_losses, axis_name=axis_name), products, chunk, layer._replace(kernel=None)
        )
        by_products, by_chunk, by_rest = pull(chunk.weight + jnp.zeros_like(costs))
        by_products = by_products.astype(chunk.hidden.dtype)
        by_kernel = product(chunk.hidden, by_products, (0, 0), layer.kernel)
        by_hidden = product(by_products, layer.kernel, (1, 1), chunk.hidden).astype(chunk.hidden.dtype)
        by_layer = jax.tree.map(jnp.add, by_layer, by_rest._replace(kernel=by_kernel))
        by_labels = by_chunk.labels if real(chunk.labels) else None
        return by_layer, Tokens(by_hidden, by_labels, by_chunk.poison, costs, None)

    dtype = chunks.weight.dtype
    by_layer, by_chunks = lax.scan(add, jax.tree.map(lambda x: linear_head.zeros(x, dtype), layer), chunks)
    return by_chunks, by_layer
