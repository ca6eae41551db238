"""The entropy of a softmax, row by row, its most likely class, and the log-probabilities of several classes.

With x = z - top <= 0 the entropy is log(sum exp(x)) and the mean of -x under the softmax: neither is negative, so a
sure row keeps its digits. Its slope at a class of probability p is p (-x - that mean), which needs no logarithm.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import classes, devices, inputs
from .._contract.arrays import iota
from .._contract.types import Array, AxisName
from .derivatives import clip_to_finite, precomputed
from .softmax import beside_top, class_nll, directional, log_sum_exp, present, reciprocal_or_0, shifted
from .sums import reduced


_FAR = 1e3  # below the top, where a class has no part: exp(-1000) is 0


class Top(NamedTuple):
    """The largest logit of each row, held constant. Rows keep the class axis, at size 1."""

    given: Array  # -inf where all classes are ruled out, inf where one is infinite
    finite: Array  # clipped
    place: Array  # int32, the first class that has it, counted over all devices


def top_of(reads: classes.Reads, axis: int, axis_name: AxisName | None = None) -> Top:
    x = lax.stop_gradient(reads.top)
    own, place = _largest(x, axis, reads.class_mask is not None)
    own = own.astype(reads.scores.dtype)
    top = devices.pmax(own, axis_name)
    if devices.names(axis_name):
        size = x.shape[axis]
        first = place + size * jnp.asarray(lax.axis_index(devices.names(axis_name)), jnp.int32)
        place = devices.pmin(jnp.where(own < top, size * devices.axis_size(axis_name) - 1, first), axis_name)
    top, place = present(top, reads), present(place, reads)
    return Top(top, clip_to_finite(top), place)


def _largest(x: Array, axis: int, masked: bool) -> tuple[Array, Array]:
    """The largest entry of each row, and where it first is.

    XLA's loop for both is many times slower on CPUs than that for the maximum alone. So there: maxima of blocks, then
    the first block that has the largest, and the entries of that one.
    """
    count = x.shape[axis]
    width = 0
    if isinstance(count, int) and not masked:
        width = next((width for width in range(int(count**0.5), 7, -1) if count % width == 0), 0)

    def plain(x: Array) -> tuple[Array, Array]:
        return reduced([(x, lax.max)], axis, masked)[0], lax.expand_dims(lax.argmax(x, axis, jnp.int32), (axis,))

    def compared(x: Array) -> tuple[Array, Array]:
        top = jnp.max(x, axis, keepdims=True)
        place = jnp.min(jnp.where(x < top, count - 1, iota(x, axis)), axis, keepdims=True)
        return top, place

    def by_block(x: Array) -> tuple[Array, Array]:
        x = x.reshape(*x.shape[:axis], count // width, width, *x.shape[axis + 1 :])
        tops = jnp.max(x, axis + 1)
        block = lax.expand_dims(lax.argmax(tops, axis, jnp.int32), (axis,))
        inside = jnp.take_along_axis(x, jnp.expand_dims(block, axis + 1), axis, mode="promise_in_bounds")
        return jnp.max(tops, axis, keepdims=True), width * block + lax.argmax(inside, axis + 1, jnp.int32)

    if {*jax.typeof(x).sharding.spec} - {None}:  # explicit sharding takes no argmax along what is sharded
        return compared(x)
    return lax.platform_dependent(x, cpu=by_block, default=plain) if width else plain(x)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def entropy(
    reads: classes.Reads, top: Array, log_normalizer: Array, axis: int, axis_name: AxisName | None = None
) -> Array:
    """The entropy of each row's softmax, from log sum exp(z - top); 0 where all classes are ruled out."""
    return log_normalizer + _spread(reads, top, axis, axis_name) * jnp.exp(-log_normalizer)


@entropy.defjvp
def _(axis: int, axis_name: AxisName | None, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """The whole change with the logits: that of the normalizer is a part of it."""
    reads, top, log_normalizer = primals
    scale = jnp.exp(-log_normalizer)
    mean = _spread(reads, top, axis, axis_name) * scale
    f = functools.partial(entropy, axis=axis, axis_name=axis_name)
    value = precomputed(f, log_normalizer + mean, *primals)
    x = _below(reads, top)
    scale, mean = (devices.pbroadcast(part, axis_name) for part in (scale, mean))
    change = present(directional(jnp.exp(x) * scale * (-x - mean), tangents[0].scores, axis), reads)
    return value, devices.psum([change], axis_name)[0]


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _spread(reads: classes.Reads, top: Array, axis: int, axis_name: AxisName | None) -> Array:
    """The sum of -x exp(x). From a read of its own, and as XLA's library for CPUs takes it: see `beside_top`."""
    (own,) = inputs.apart(top, 1)
    x = reads.mean.astype(top.dtype) - own
    (total,) = reduced([(jnp.exp(x) * jnp.minimum(-x, _FAR), lax.add)], axis, reads.class_mask is not None)
    total = jnp.where(top == jnp.finfo(top.dtype).max, 0, total)  # infinite classes share all there is
    return devices.psum([present(total, reads)], axis_name)[0]


@_spread.defjvp
def _(axis: int, axis_name: AxisName | None, primals: Any, tangents: Any) -> tuple[Array, Array]:
    reads, top = primals
    x = _below(reads, top)
    change = present(directional(jnp.exp(x) * (-x - 1), tangents[0].scores, axis), reads)
    return _spread(*primals, axis, axis_name), devices.psum([change], axis_name)[0]


def _below(reads: classes.Reads, top: Array) -> Array:
    """z - top, finite."""
    return jnp.maximum(shifted(present(reads.scores, reads), top), -_FAR)


@functools.partial(jax.custom_jvp, nondiff_argnums=(4, 5))
def several_log_probs(
    reads: classes.Reads, top: Array, place: Array, labels: Array, axis: int, axis_name: AxisName | None = None
) -> tuple[Array, Array]:
    """For each row the log-probabilities of its labels, along the class axis, and log sum exp(z - top).

    `place`, where the top is, and the labels count the classes of all devices.
    """
    log_normalizer = log_sum_exp(reads, top, axis, axis_name)
    x = present(entries(shifted(reads.scores, top), labels, axis, axis_name), reads)
    return -class_nll(log_normalizer, x), log_normalizer


@several_log_probs.defjvp
def _(axis: int, axis_name: AxisName | None, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """By changes of the labels' logits, and of the normalizer without the top, whose part is written apart: 1 - p."""
    reads, top, place, labels = primals
    z, d_z = present(reads.scores, reads), present(tangents[0].scores, reads)
    beside = beside_top(reads, top, axis, axis_name)
    scale = reciprocal_or_0(1 + beside)
    x = entries(shifted(z, top), place, axis, axis_name)
    shared = devices.pbroadcast(scale, axis_name)
    is_first = classes.is_label(z, devices.local_index(place, z.shape[axis], axis_name), axis)
    rest = jnp.where(is_first, 0, jnp.exp(shifted(z, top)) * shared)
    (change,) = devices.psum([directional(rest, d_z, axis)], axis_name)
    d_first, d_labels = (entries(d_z, index, axis, axis_name) for index in (place, labels))
    d_others = d_labels - jnp.exp(x) * scale * d_first
    d_log_probs = jnp.where(labels == place, (beside - jnp.expm1(x)) * scale * d_first, d_others) - change
    f = functools.partial(several_log_probs, axis=axis, axis_name=axis_name)
    values = precomputed(f, several_log_probs(*primals, axis, axis_name), *primals)
    return values, (d_log_probs, change + jnp.exp(x) * scale * d_first)


def entries(x: Array, index: Array, axis: int, axis_name: AxisName | None) -> Array:
    """The entries of each row at several classes, of all devices."""
    index = devices.local_index(index, x.shape[axis], axis_name)

    def one(index: Array) -> tuple[Array, Array]:
        entry, own = classes.at_local_label(x, jnp.expand_dims(index, axis), axis)
        return jnp.squeeze(entry, axis), jnp.squeeze(own, axis)

    found, own = jax.vmap(one, axis, axis)(index)
    return found if axis_name is None else devices.psum([jnp.where(own, found, 0)], axis_name)[0]
