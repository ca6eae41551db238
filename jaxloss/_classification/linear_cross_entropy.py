"""The cross entropy of a linear layer, without its logits.

The tokens go through in chunks. For one number, the gradient is computed along with the value, chunk by chunk, and
kept: three matrix products in all, and the derivative by hand is an inner product with it, which every transform takes.
For a loss of every token the chunks are computed again on the way back: four products.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

from .._contract import classes, devices, inputs
from .._contract.checks import array, message, real, widened
from .._contract.jit import jit_over_classes
from .._contract.reduction import element_weights, power_of_two, reduce_sums, sum_of_weights, valid_reduction
from .._contract.types import Array, ArrayLike, AxisName, NonNegative, Positive, Proportion, Reduction
from .._numerics.derivatives import precomputed, squarable, with_partials
from .._numerics.nll import smoothed_nll


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
      z_loss: at least 0, times the square of the log-normaliser.
      soft_cap: above 0, the logits' largest size (Gemma 2 takes 30).
      chunk_size: how many tokens go through at once, over all devices. Smaller ones need less memory, larger ones may
        be faster. By default, for each device over which tokens may lie, about half of ``features`` (a quarter with
        ``reduction="none"``) and 64 or more.
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
    hidden, kernel, bias = _operands(hidden, kernel, bias)
    rows, dtype = hidden.shape[:-1], widened(hidden)
    logits = jax.ShapeDtypeStruct((*rows, kernel.shape[1]), dtype)
    labels, poison, mask, _ = classes.labels_for(
        mask, labels, "hidden @ kernel", logits, len(rows), ignore_index=ignore_index, axis_name=class_axis_name
    )
    weights = classes.weigh(weights, class_weights, labels, mask, len(rows), logits, class_axis_name)
    weight, exists = element_weights(rows, dtype, weights, mask)
    masked = exists is not None
    exists = jnp.broadcast_to(exists if masked else True, rows)
    if masked:
        hidden = jnp.where(exists[..., None], hidden, 0)
    # Slopes are multiplied by weights in half precision, whose range they must not leave.
    unit = power_of_two(jnp.max(jnp.abs(weight), initial=0))
    tokens = _Tokens(hidden, labels, poison, jnp.broadcast_to(weight / unit, rows), exists)
    layer = _Layer(kernel, bias, soft_cap, label_smoothing, z_loss)
    tokens, layer = _as_varying(tokens, layer, class_axis_name)
    chunks, restore = _chunked(tokens, rows, _chunk_size(chunk_size, hidden, reduction), masked)
    if reduction == "none":
        of_tokens = functools.partial(_token_losses, axis_name=class_axis_name)
        return restore(_each(of_tokens, chunks, layer, masked)) * weight
    total = _total(chunks, layer, class_axis_name)
    if reduction == "mean" and weights is not None:
        return reduce_sums(total, sum_of_weights(weight / unit, rows), reduction, axis_name, unit)
    return reduce_sums(total * unit, sum_of_weights(weight, rows), reduction, axis_name)


class _Tokens(NamedTuple):
    hidden: Array  # [..., features]
    labels: Array  # [..., 1], or [..., classes] of probabilities
    poison: Array  # [..., 1], see `classes.Classes`
    weight: Array  # [...]
    exists: Array  # [...]
    any_exists: Array | None = None  # of each chunk


class _Layer(NamedTuple):
    """What all tokens share."""

    kernel: Array  # [features, classes]
    bias: Array | None  # [classes]
    soft_cap: Any
    label_smoothing: Any
    z_loss: Any


# What meets the classes before the sum over them: where each device has a slice of these, it has a part of the slopes.
_AT_CLASSES = {"hidden", "labels", "kernel", "bias", "soft_cap"}


def _operands(hidden: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None) -> tuple[Array, Array, Array | None]:
    """In the dtype to multiply in: their own if they share one, else that of the loss."""
    hidden, kernel = inputs.narrow("hidden", hidden), inputs.narrow("kernel", kernel)
    if not hidden.ndim:
        raise ValueError(message("hidden must have an axis of features, got shape ()"))
    features = hidden.shape[-1]
    if kernel.ndim != 2 or kernel.shape[0] != features or not kernel.shape[1]:
        tied = kernel.ndim == 2 and kernel.shape[1] == features
        hint = "; transposed it fits: kernel.T" if tied else ""
        raise ValueError(message(f"kernel must have shape ({features}, classes), got {kernel.shape}{hint}"))
    dtype = hidden.dtype if hidden.dtype == kernel.dtype else widened(hidden)
    if bias is not None:
        bias = array("bias", bias).astype(widened(hidden))
        if bias.shape != kernel.shape[1:]:
            raise ValueError(message(f"bias must have shape {kernel.shape[1:]}, got {bias.shape}"))
    return hidden.astype(dtype), kernel.astype(dtype), bias


def _chunk_size(chunk_size: int | None, hidden: Array, reduction: Reduction) -> int:
    if chunk_size is None:
        features: Any = hidden.shape[-1]
        features = features if isinstance(features, int) else 1024  # exported for any number of them
        return devices.spread_of(hidden) << max(6, (features // (4 if reduction == "none" else 2)).bit_length() - 1)
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, (int, np.integer)):
        raise TypeError(message(f"chunk_size must be an integer, got {chunk_size!r}"))
    if chunk_size < 1:
        raise ValueError(message(f"chunk_size must be at least 1, got {chunk_size}"))
    return int(chunk_size)


def _chunked(
    tokens: _Tokens, rows: tuple[int, ...], chunk_size: int, masked: bool
) -> tuple[_Tokens, Callable[[Array], Array]]:
    """Tokens as ``[chunks, tokens of a chunk, ...]``, and the way back.

    A chunk takes its share from each of as many groups of neighbours as there are devices, so that a sharded batch
    keeps all of them at work. Within a group the tokens that exist come first: chunks without any are skipped.
    """
    count = math.prod(rows)
    if isinstance(count, int):
        groups = math.gcd(count, devices.spread_of(tokens.hidden)) or 1
        width = max(1, min(count, chunk_size) // groups)
        chunks = -(-count // (groups * width))
        chunks = next((more for more in range(chunks, 2 * chunks) if count % (groups * more) == 0), chunks)
        width = -(-count // (groups * max(1, chunks)))
    else:  # exported for any number of tokens
        groups, width = 1, chunk_size
        chunks = (count + width - 1) // width
    size = count // groups

    # Explicit sharding follows where sharded axes come first, and one step at a time.
    place = jax.typeof(tokens.hidden).sharding
    axes = sorted(range(len(rows)), key=lambda axis: place.spec[axis] is None)

    def group(x: Array) -> Array:
        tail = x.shape[len(rows) :]
        x = x.transpose(*axes, *range(len(rows), x.ndim))
        return x.reshape(count, *tail).reshape(groups, size, *tail)

    order = jnp.argsort(~group(tokens.exists), 1, stable=True) if masked else None

    def cut(x: Array) -> Array:
        x = group(x)
        tail = x.shape[2:]
        if order is not None:
            x = jnp.take_along_axis(x, jnp.expand_dims(order, tuple(range(2, x.ndim))), 1)
        x = jnp.pad(x, [(0, 0), (0, chunks * width - size), *[(0, 0) for _ in tail]])
        x = jnp.moveaxis(x.reshape(groups, chunks, width, *tail), 1, 0)
        return x.reshape(chunks, groups * width, *tail)

    def restore(x: Array) -> Array:
        tail = x.shape[2:]
        x = jnp.moveaxis(x.reshape(chunks, groups, width, *tail), 0, 1).reshape(groups, chunks * width, *tail)[:, :size]
        if order is not None:
            back = jnp.argsort(order, 1)
            x = jnp.take_along_axis(x, jnp.expand_dims(back, tuple(range(2, x.ndim))), 1)
        x = x.reshape(count, *tail).reshape([*(rows[axis] for axis in axes), *tail])
        x = x.transpose(*np.argsort(axes), *range(len(rows), x.ndim))
        by_row = P(*place.spec[:-1])
        return jax.sharding.reshard(x, NamedSharding(place.mesh, by_row)) if {*by_row} - {None} else x

    chunked = jax.tree.map(cut, tokens)
    some = jnp.any(chunked.exists, 1) if masked else jnp.ones(chunks, bool)
    return chunked._replace(any_exists=some), restore


def _product(a: Array, b: Array, over: tuple[int, int] = (1, 0), like: Array | None = None) -> Array:
    """The matrix product over these axes, contracted in place: a transposed kernel would be copied.

    Explicit sharding is told where the result belongs: with `like`, or with the tokens and classes that it is made of.
    """
    dimensions = ((over[0],), (over[1],)), ((), ())
    kinds = [jax.typeof(x).sharding for x in (a, b)]
    mesh = next((kind.mesh for kind in kinds if AxisType.Explicit in kind.mesh.axis_types), None)
    place = None
    if mesh is not None and {*kinds[0].spec, *kinds[1].spec} != {None}:
        rows, columns = kinds[0].spec[1 - over[0]], kinds[1].spec[1 - over[1]]
        columns = None if {*np.ravel(rows)} & {*np.ravel(columns)} else columns  # the tokens keep their devices
        place = NamedSharding(mesh, P(rows, columns) if like is None else jax.typeof(like).sharding.spec)
    return lax.dot_general(a, b, dimensions, preferred_element_type=widened(a), out_sharding=place)


def _sech2(z: Array, cap: Array) -> Array:
    e = jnp.exp(-2 * jnp.abs(z / cap))
    return 4 * e / jnp.square(1 + e)


@with_partials(_sech2, lambda z, cap: jnp.tanh(z / cap) - squarable(z / cap) * _sech2(z, cap))
def _capped(z: Array, cap: Array) -> Array:
    return cap * jnp.tanh(z / cap)


def _as_varying(tokens: _Tokens, layer: _Layer, axis_name: AxisName | None) -> tuple[_Tokens, _Layer]:
    """Everything as varying over the mapped axes over which anything does, and over the classes' where it meets them.

    So each slope adds up on its device, and is summed over the devices once.
    """
    axes = frozenset().union(*map(devices.mapped_axes, jax.tree.leaves((tokens, layer)))) - {*devices.names(axis_name)}
    tokens, layer = jax.tree.map(lambda x: devices.varying(x, axes), (tokens, layer))
    soft_cap = None if layer.soft_cap is None else devices.pbroadcast(layer.soft_cap, axis_name)
    return tokens._replace(hidden=devices.pbroadcast(tokens.hidden, axis_name)), layer._replace(soft_cap=soft_cap)


def _logits(products: Array, layer: _Layer) -> Array:
    logits = products if layer.bias is None else products + layer.bias[None]
    return logits if layer.soft_cap is None else _capped(logits, layer.soft_cap)


def _token_losses(products: Array, tokens: _Tokens, layer: _Layer, axis_name: AxisName | None) -> Array:
    """What each token costs, from its products with the kernel."""
    reads = classes.reads(_logits(products, layer), labels=tokens.labels if real(tokens.labels) else None)
    costs = smoothed_nll(reads, tokens.labels, tokens.poison, 1, layer.label_smoothing, layer.z_loss, axis_name)
    return jnp.where(tokens.exists, jnp.squeeze(costs, 1), 0)


def _if_any(work: Callable[[Any, _Tokens], tuple[Any, Any]]) -> Callable[[Any, _Tokens], tuple[Any, Any]]:
    """`work` of a scan, but for chunks without a token that exists: those change nothing and give zeros.

    It saves memory where all tokens exist, too: what is constant in `work`, and as large as the logits of a chunk, JAX
    would keep outside of the loop.
    """

    def skip(carry: Any, chunk: _Tokens) -> tuple[Any, Any]:
        _, out = jax.eval_shape(work, carry, chunk)
        return carry, jax.tree.map(lambda x: _zeros(x, x.dtype), out)

    return lambda carry, chunk: lax.cond(chunk.any_exists, work, skip, carry, chunk)


def _zeros(like: Any, dtype: Any) -> Array:
    """Zeros of this shape, sharding and type."""
    zeros = lax.full(like.shape, 0, dtype, sharding=jax.typeof(like).sharding)
    return devices.varying(zeros, devices.mapped_axes(like))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _total(chunks: _Tokens, layer: _Layer, axis_name: AxisName | None) -> Array:
    """The weighted sum of what the tokens cost."""
    of_tokens = functools.partial(_token_losses, axis_name=axis_name)
    return jnp.sum(chunks.weight * _each(of_tokens, chunks, layer, True))


def _total_rule(axis_name: AxisName | None, primals: Any, tangents: Any) -> tuple[Array, Array]:
    """Along with the value the gradient in everything, of which what isn't asked for is dead code."""
    chunks, layer = primals
    d_chunks, d_layer = tangents

    @functools.partial(jax.checkpoint, prevent_cse=False)
    @_if_any
    def add(by_layer: _Layer, chunk: _Tokens) -> tuple[_Layer, _Tokens]:
        products = _product(chunk.hidden, layer.kernel)
        costs, pull = jax.vjp(
            functools.partial(_token_losses, axis_name=axis_name), products, chunk, layer._replace(kernel=None)
        )
        by_products, by_chunk, by_rest = pull(chunk.weight + jnp.zeros_like(costs))
        by_products = by_products.astype(chunk.hidden.dtype)
        by_kernel = _product(chunk.hidden, by_products, (0, 0), layer.kernel)
        by_hidden = _product(by_products, layer.kernel, (1, 1), chunk.hidden).astype(chunk.hidden.dtype)
        by_layer = jax.tree.map(jnp.add, by_layer, by_rest._replace(kernel=by_kernel))
        return by_layer, by_chunk._replace(hidden=by_hidden, weight=costs)

    dtype = chunks.weight.dtype
    by_layer, by_chunks = lax.scan(add, jax.tree.map(lambda x: _zeros(x, dtype), layer), chunks)
    total = jnp.sum(chunks.weight * by_chunks.weight)
    change = part = jnp.zeros_like(total)
    slopes, changes = {**by_chunks._asdict(), **by_layer._asdict()}, {**d_chunks._asdict(), **d_layer._asdict()}
    for name, d_x in changes.items():
        if d_x is not None and not isinstance(d_x, SymbolicZero) and d_x.dtype != jax.dtypes.float0:
            along = jnp.sum(slopes[name].astype(dtype) * d_x.astype(dtype))
            change, part = (change, part + along) if name in _AT_CLASSES else (change + along, part)
    (part,) = devices.psum([part], axis_name)
    return precomputed(functools.partial(_total, axis_name=axis_name), total, *primals), change + part


_total.defjvp(_total_rule, symbolic_zeros=True)


def _each(of_tokens: Callable[..., Any], chunks: _Tokens, layer: _Layer, skip: bool) -> Any:
    """What each token costs, or else gives, by its products with the kernel; computed again on the way back."""
    wide_kernel = layer.kernel.astype(chunks.weight.dtype)

    def work(_: None, chunk: _Tokens) -> tuple[None, Any]:
        return None, of_tokens(_wide_product(chunk.hidden, layer.kernel, wide_kernel), chunk, layer)

    step = jax.checkpoint(_if_any(work) if skip else work, prevent_cse=False)
    return lax.scan(step, None, chunks)[1]


@jax.custom_jvp
def _wide_product(hidden: Array, kernel: Array, wide_kernel: Array) -> Array:
    """The product with `kernel`, differentiated by its wide copy, in whose dtype the slopes of all chunks add up."""
    return _product(hidden, kernel)


def _wide_rule(primals: Any, tangents: Any) -> tuple[Array, Array]:
    hidden, kernel, wide_kernel = primals
    d_hidden, _, d_kernel = tangents
    products = _wide_product(hidden, kernel, wide_kernel)
    change = jnp.zeros_like(products)
    if not isinstance(d_hidden, SymbolicZero):
        change += _product(d_hidden, kernel)
    if not isinstance(d_kernel, SymbolicZero):
        change += _product(hidden.astype(wide_kernel.dtype), d_kernel)
    return products, change


_wide_product.defjvp(_wide_rule, symbolic_zeros=True)
