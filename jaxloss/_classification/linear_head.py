"""A linear layer over classes whose logits are never held: its tokens go through in chunks.

`operands` takes the layer in; `chunked` cuts the tokens, and puts back in order what comes out; `each` gives something
of every token by its logits, which are computed again on the way back.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from .._contract import chunks, devices, inputs
from .._contract.arrays import array, widened
from .._contract.shapes import exactly
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.derivatives import squarable, with_partials
from .._numerics.products import product


class Tokens(NamedTuple):
    hidden: Array  # [..., features]
    labels: Any  # [..., 1], or [..., classes] of probabilities
    poison: Array  # [..., 1], see `classes.Classes`
    weight: Array  # [...]
    exists: Any  # [...]
    any_exists: Array | None = None  # of each chunk


class Layer(NamedTuple):
    """What all tokens share."""

    kernel: Array  # [features, classes]
    bias: Array | None  # [classes]
    soft_cap: Any
    label_smoothing: Any = None
    z_loss: Any = None


def operands(
    hidden: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None
) -> tuple[Array, Array, Array | None, jax.ShapeDtypeStruct]:
    """In the dtype to multiply in: their own if they share one, else that of the loss; and what the logits are like."""
    hidden = inputs.narrow("hidden", hidden)
    kernel = inputs.kernel_for("hidden", hidden, kernel)
    wide = widened(hidden)
    dtype = hidden.dtype if hidden.dtype == kernel.dtype else wide
    if bias is not None:
        bias = array("bias", bias).astype(wide)
        exactly("bias", bias, kernel.shape[1:], f"shape {kernel.shape[1:]}")
    logits = jax.ShapeDtypeStruct((*hidden.shape[:-1], kernel.shape[1]), wide)
    return hidden.astype(dtype), kernel.astype(dtype), bias, logits


def _chunk_length(chunk_size: int | None, hidden: Array, reduction: Reduction) -> int:
    if chunk_size is None:
        features: Any = hidden.shape[-1]
        features = features if isinstance(features, int) else 1024  # exported for any number of them
        fewer = reduction == "none" and hidden.dtype != jnp.float32  # beside a wide copy of the kernel
        return devices.spread_of(hidden) << max(6, (features // (4 if fewer else 2)).bit_length() - 1)
    return chunks.valid_chunk_size(chunk_size)


def chunked(
    tokens: Tokens, chunk_size: int | None, reduction: Reduction, masked: bool
) -> tuple[Tokens, Callable[[Array], Array]]:
    """Tokens as ``[chunks, tokens of a chunk, ...]``, and the way back.

    Within a group the tokens that exist come first: chunks without any are skipped.
    """
    hidden = tokens.hidden
    length = _chunk_length(chunk_size, hidden, reduction)
    plan = chunks.chunks_of(math.prod(hidden.shape[:-1]), length, devices.spread_of(hidden))

    flat, unflat = chunks.flattening(hidden)

    def group(x: Array) -> Array:
        return chunks.grouped(flat(x), plan)

    order = jnp.argsort(~group(tokens.exists), 1, stable=True) if masked else None

    def ordered(x: Array, order: Array | None) -> Array:
        return x if order is None else jnp.take_along_axis(x, jnp.expand_dims(order, tuple(range(2, x.ndim))), 1)

    def restore(x: Array) -> Array:
        x = ordered(chunks.restored(x, plan), None if order is None else jnp.argsort(order, 1))
        return unflat(chunks.joined(x, plan))

    tokens = jax.tree.map(lambda x: chunks.cut(ordered(group(x), order), plan), tokens)
    some = jnp.any(tokens.exists, 1) if masked else jnp.ones(plan.count, bool)
    return tokens._replace(any_exists=some), restore


def _sech2(z: Array, cap: Array) -> Array:
    e = jnp.exp(-2 * jnp.abs(z / cap))
    return 4 * e / jnp.square(1 + e)


@with_partials(_sech2, lambda z, cap: jnp.tanh(z / cap) - squarable(z / cap) * _sech2(z, cap))
def _capped(z: Array, cap: Array) -> Array:
    return cap * jnp.tanh(z / cap)


def as_varying(tokens: Tokens, layer: Layer, axis_name: AxisName | None) -> tuple[Tokens, Layer]:
    """Everything as varying over the mapped axes over which anything does, and over the classes' where it meets them.

    So each slope adds up on its device, and is summed over the devices once.
    """
    tokens, layer = devices.alike((tokens, layer), but=axis_name)
    soft_cap = None if layer.soft_cap is None else devices.pbroadcast(layer.soft_cap, axis_name)
    return tokens._replace(hidden=devices.pbroadcast(tokens.hidden, axis_name)), layer._replace(soft_cap=soft_cap)


def logits_of(products: Array, layer: Layer) -> Array:
    logits = products if layer.bias is None else products + layer.bias[None]
    return logits if layer.soft_cap is None else _capped(logits, layer.soft_cap)


def if_any(work: Callable[[Any, Tokens], tuple[Any, Any]]) -> Callable[[Any, Tokens], tuple[Any, Any]]:
    """`work` of a scan, but for chunks without a token that exists: those change nothing and give zeros.

    It saves memory where all tokens exist, too: what is constant in `work`, and as large as the logits of a chunk, JAX
    would keep outside of the loop.
    """

    def skip(carry: Any, chunk: Tokens) -> tuple[Any, Any]:
        _, out = jax.eval_shape(work, carry, chunk)
        return carry, jax.tree.map(lambda x: zeros(x, x.dtype), out)

    return lambda carry, chunk: lax.cond(chunk.any_exists, work, skip, carry, chunk)


def zeros(like: Any, dtype: Any) -> Array:
    """Zeros of this shape, sharding and type."""
    zeros = lax.full(like.shape, 0, dtype, sharding=jax.typeof(like).sharding)
    return devices.varying(zeros, devices.mapped_axes(like))


def each(of_tokens: Callable[..., Any], tokens: Tokens, layer: Layer, skip: bool) -> Any:
    """What each token costs, or else gives, by its products with the kernel; computed again on the way back."""
    wide_kernel = layer.kernel.astype(tokens.weight.dtype)

    def work(_: None, chunk: Tokens) -> tuple[None, Any]:
        return None, of_tokens(_wide_product(chunk.hidden, layer.kernel, wide_kernel), chunk, layer)

    step = jax.checkpoint(if_any(work) if skip else work, prevent_cse=False)
    return lax.scan(step, None, tokens)[1]


@jax.custom_jvp
def _wide_product(hidden: Array, kernel: Array, wide_kernel: Array) -> Array:
    """The product with `kernel`, differentiated by its wide copy, in whose dtype the slopes of all chunks add up."""
    return product(hidden, kernel)


def _wide_rule(primals: Any, tangents: Any) -> tuple[Array, Array]:
    hidden, kernel, wide_kernel = primals
    d_hidden, _, d_kernel = tangents
    products = _wide_product(hidden, kernel, wide_kernel)
    change = jnp.zeros_like(products)
    if not isinstance(d_hidden, SymbolicZero):
        change += product(d_hidden, kernel)
    if not isinstance(d_kernel, SymbolicZero):
        change += product(hidden.astype(wide_kernel.dtype), d_kernel)
    return products, change


_wide_product.defjvp(_wide_rule, symbolic_zeros=True)
