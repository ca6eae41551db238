"""The cross entropy of a linear layer, without its logits.

The tokens go through in chunks. For one number, the gradient is computed along with the value, chunk by chunk, and
kept: three matrix products in all, and the derivative by hand is an inner product with it, which every transform takes.
For a loss of every token the chunks are computed again on the way back: four products.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from . import _inputs
from ._checks import array, message, real
from ._classification import weigh_classes
from ._derivatives import times
from ._jit import jit, widened
from ._reduction import Total, leave, total_weight, weigh
from ._softmax import smoothed_nll
from ._types import Array, ArrayLike, AxisName, NonNegative, Positive, Proportion, Reduction


@jit
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
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy of a linear layer's logits, which are never held."""
    hidden, kernel, bias = _layer(hidden, kernel, bias)
    rows, count, dtype = hidden.shape[:-1], kernel.shape[1], widened(hidden)
    if chunk_size is not None and (isinstance(chunk_size, bool) or not isinstance(chunk_size, int) or chunk_size < 1):
        raise ValueError(message(f"chunk_size must be an integer of at least 1, got {chunk_size!r}"))
    logits = {"hidden @ kernel": jnp.zeros((*rows, count), dtype)}  # for its shape: nothing reads it
    _, labels, doubt, axis, mask, _ = _inputs.classes(mask, labels, axis=-1, ignore_index=ignore_index, **logits)
    weights = weigh_classes(weights, class_weights, labels, mask, axis, jnp.zeros(rows, dtype), count)
    weight, exists = weigh(rows, dtype, weights, mask)
    if exists is not None:
        exists = jnp.broadcast_to(exists, rows)
        hidden = jnp.where(exists[..., None], hidden, 0)
    tokens = _Tokens(hidden, labels, doubt, jnp.broadcast_to(weight, rows), exists)
    head, options = (kernel, bias), (soft_cap, label_smoothing, z_loss)
    chunks, restore = _cut(tokens, rows, chunk_size)
    weighted = total = None
    if reduction == "none":
        weighted = restore(_each(chunks, head, options)) * tokens.weight
        total = jnp.zeros((), dtype)
    else:
        total = _total(chunks, head, options)
    return leave(Total(total, total_weight(weight, rows)), weighted, reduction, axis_name)


class _Tokens(NamedTuple):
    hidden: Array  # [..., features]
    labels: Array  # [..., 1], or [..., classes] of probabilities
    doubt: Array  # [..., 1], see `_inputs.Classes`
    weight: Array  # [...]
    exists: Array | None  # [...]


Head: TypeAlias = tuple[Array, Array | None]  # kernel [features, classes] and bias [classes]
Options: TypeAlias = tuple[Array | None, Array | None, Array | None]  # soft_cap, label_smoothing, z_loss


def _layer(hidden: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None) -> tuple[Array, Array, Array | None]:
    """In the dtype to multiply in: that of the wider one, but not wider than the loss."""
    hidden, kernel = _inputs.narrow("hidden", hidden), _inputs.narrow("kernel", kernel)
    if not hidden.ndim:
        raise ValueError(message("hidden must have an axis of features, got shape ()"))
    features = hidden.shape[-1]
    if kernel.ndim != 2 or kernel.shape[0] != features:
        tied = kernel.ndim == 2 and kernel.shape[1] == features
        hint = "; transposed it fits, without a copy: kernel.T" if tied else ""
        raise ValueError(message(f"kernel must have shape ({features}, classes), got {kernel.shape}{hint}"))
    wide = widened(hidden)
    if jnp.finfo(kernel.dtype).bits > jnp.finfo(wide).bits:
        kernel = kernel.astype(wide)
    dtype = jnp.promote_types(hidden.dtype, kernel.dtype)
    if bias is not None:
        bias = array("bias", bias).astype(wide)
        if bias.shape != kernel.shape[1:]:
            raise ValueError(message(f"bias must have shape {kernel.shape[1:]}, got {bias.shape}"))
    return hidden.astype(dtype), kernel.astype(dtype), bias


def _cut(tokens: _Tokens, rows: tuple[int, ...], chunk_size: int | None) -> tuple[_Tokens, Callable[[Array], Array]]:
    """Tokens as ``[chunks, tokens of a chunk, ...]``, and the way back.

    A chunk takes its share from each of as many groups of neighbours as there are devices, so that a sharded batch
    keeps all of them at work. Within a group the tokens that exist come first: chunks without any are skipped.
    """
    count, features = math.prod(rows), tokens.hidden.shape[-1]
    groups = math.gcd(count, jax.device_count()) if count else 1
    size = max(1, count // groups)
    if chunk_size is None:
        chunk_size = 1 << max(6, (features // 2).bit_length() - 1)
    width = min(size, max(1, chunk_size // groups))
    chunks = -(-size // width)
    chunks = next((more for more in range(chunks, 2 * chunks) if size % more == 0), chunks)
    width = -(-size // chunks)

    def cut(x: Array, tail: int) -> Array:
        x = x.reshape(groups, size if count else 0, *x.shape[x.ndim - tail :])
        if order is not None:
            x = jnp.take_along_axis(x, jnp.expand_dims(order, tuple(range(2, x.ndim))), 1)
        x = jnp.pad(x, [(0, 0), (0, chunks * width - x.shape[1]), *[(0, 0)] * tail])
        x = jnp.moveaxis(x.reshape(groups, chunks, width, *x.shape[2:]), 1, 0)
        return x.reshape(chunks, groups * width, *x.shape[3:])

    def restore(x: Array) -> Array:
        x = jnp.moveaxis(x.reshape(chunks, groups, width), 0, 1).reshape(groups, chunks * width)[
            :, : size if count else 0
        ]
        if order is not None:
            x = jnp.take_along_axis(x, jnp.argsort(order, 1), 1)
        return x.reshape(rows)

    order = None
    if tokens.exists is not None:
        order = jnp.argsort(~tokens.exists.reshape(groups, -1), 1, stable=True)
    tails = (1, 1, 1, 0, 0)
    return _Tokens(*(None if x is None else cut(x, tail) for x, tail in zip(tokens, tails))), restore


def _product(hidden: Array, kernel: Array) -> Array:
    return jnp.matmul(hidden, kernel, preferred_element_type=widened(hidden))


def _costs(products: Array, labels: Array, doubt: Array, bias: Array | None, options: Options) -> Array:
    """What each token costs, from its products with the kernel."""
    soft_cap, label_smoothing, z_loss = options
    logits = products if bias is None else products + bias[None]
    if soft_cap is not None:
        logits = soft_cap * jnp.tanh(logits / soft_cap)
    return jnp.squeeze(smoothed_nll(logits, labels, doubt, 1, None, label_smoothing, z_loss), 1)


def _if_any(exists: Array | None, work: Callable[..., Any], carry: Any, chunk: _Tokens) -> Any:
    """`work`, but for chunks without a token that exists, which change nothing."""
    if exists is None:
        return work(carry, chunk)

    def skip(carry: Any, chunk: _Tokens) -> Any:
        _, out = jax.eval_shape(work, carry, chunk)
        return carry, jax.tree.map(lambda x: _varying(jnp.zeros(x.shape, x.dtype), carry, chunk), out)

    return lax.cond(jnp.any(exists), work, skip, carry, chunk)


def _varying(x: Array, *like: Any) -> Array:
    """`x`, typed as varying over every mapped axis over which anything in `like` does."""
    axes = tuple(frozenset().union(*map(_mapped_axes, jax.tree.leaves(like))) - _mapped_axes(x))
    if not axes:
        return x
    return lax.pcast(x, axes, to="varying") if hasattr(lax, "pcast") else lax.pvary(x, axes)


def _mapped_axes(x: Array) -> frozenset[str]:
    kind: Any = jax.typeof(x)
    return kind.vma if hasattr(kind, "vma") else kind.mat.varying  # before and since JAX 0.10


@jax.custom_jvp
def _total(chunks: _Tokens, head: Head, options: Options) -> Array:
    """The weighted sum of what the tokens cost."""
    kernel, bias = head

    def add(total: Array, chunk: _Tokens) -> tuple[Array, None]:
        def work(total: Array, chunk: _Tokens) -> tuple[Array, None]:
            costs = _costs(_product(chunk.hidden, kernel), chunk.labels, chunk.doubt, bias, options)
            return total + jnp.sum(times(chunk.weight, costs)), None

        return _if_any(chunk.exists, work, total, chunk)

    start = _varying(jnp.zeros((), chunks.weight.dtype), chunks, head, options)
    return lax.scan(add, start, chunks)[0]


def _total_rule(primals: Any, tangents: Any) -> tuple[Array, Array]:
    chunks, head, options = primals
    d_chunks, d_head, d_options = tangents
    kernel, bias = head
    known = lambda tangent: tangent is None or isinstance(tangent, SymbolicZero)  # noqa: E731
    soft = real(chunks.labels)

    def work(sums: Any, chunk: _Tokens) -> tuple[Any, Any]:
        total, *slopes = sums
        labels = chunk.labels if soft else None
        products = _product(chunk.hidden, kernel)
        costs, pull = jax.vjp(
            lambda products, labels, bias, options: _costs(
                products, labels if soft else chunk.labels, chunk.doubt, bias, options
            ),
            products,
            labels,
            bias,
            options,
        )
        by_products, by_labels, by_bias, by_options = pull(chunk.weight)
        by_products = by_products.astype(kernel.dtype)
        by_kernel = None if known(d_head[0]) else _product(chunk.hidden.T, by_products)
        by_hidden = None if known(d_chunks.hidden) else _product(by_products, kernel.T)
        slopes = jax.tree.map(jnp.add, slopes, [by_kernel, by_bias, by_options])
        return (total + jnp.sum(times(chunk.weight, costs)), *slopes), (costs, by_hidden, by_labels)

    zeros = jax.tree.map(
        lambda x: jnp.zeros_like(x, dtype=chunks.weight.dtype), [None if known(d_head[0]) else kernel, bias, options]
    )
    start = _varying_tree((jnp.zeros((), chunks.weight.dtype), *zeros), chunks, head, options)
    step = jax.checkpoint(lambda sums, chunk: _if_any(chunk.exists, work, sums, chunk))
    (total, by_kernel, by_bias, by_options), (costs, by_hidden, by_labels) = lax.scan(step, start, chunks)
    slopes = [by_hidden, by_labels, costs, by_kernel, by_bias, *by_options]
    changes = [d_chunks.hidden, d_chunks.labels, d_chunks.weight, *d_head, *d_options]
    change = jnp.zeros_like(total)
    for slope, d_x in zip(slopes, changes):
        if slope is not None and not known(d_x):
            change += jnp.sum(slope * d_x.astype(slope.dtype))
    return total, change


_total.defjvp(_total_rule, symbolic_zeros=True)


def _varying_tree(tree: Any, *like: Any) -> Any:
    return jax.tree.map(lambda x: _varying(x, *like), tree)


def _each(chunks: _Tokens, head: Head, options: Options) -> Array:
    """What each token costs, computed again on the way back."""
    kernel, bias = head
    carrier = kernel.astype(chunks.weight.dtype)

    @jax.checkpoint
    def step(_: None, chunk: _Tokens) -> tuple[None, Array]:
        def work(_: None, chunk: _Tokens) -> tuple[None, Array]:
            products = _carried_product(chunk.hidden, kernel, carrier)
            return None, _costs(products, chunk.labels, chunk.doubt, bias, options)

        return _if_any(chunk.exists, work, None, chunk)

    return lax.scan(step, None, chunks)[1]


@jax.custom_jvp
def _carried_product(hidden: Array, kernel: Array, carrier: Array) -> Array:
    """The product, differentiated by the wide `carrier`: so the slopes of all chunks add up in its dtype."""
    return _product(hidden, kernel)


def _carried_rule(primals: Any, tangents: Any) -> tuple[Array, Array]:
    hidden, kernel, carrier = primals
    d_hidden, _, d_carrier = tangents
    products = _carried_product(hidden, kernel, carrier)
    change = jnp.zeros_like(products)
    if not isinstance(d_hidden, SymbolicZero):
        change += _product(d_hidden, kernel)
    if not isinstance(d_carrier, SymbolicZero):
        change += _product(hidden.astype(carrier.dtype), d_carrier)
    return products, change


_carried_product.defjvp(_carried_rule, symbolic_zeros=True)
