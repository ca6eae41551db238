"""The negative log-likelihood under a softmax, row by row: the core of every cross entropy.

With x = z - top <= 0 and others = the sum of exp(x) without the label, log(others + exp(x_y)) - x_y would round a
confident loss to 0. log1p(others + expm1(x_y)) - x_y keeps its relative accuracy, and so does the gradient at the
label written as -others / sum, not softmax - 1. Derivatives by hand, because autodiff would subtract again.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero

from .._contract import classes, devices, inputs
from .._contract.checks import nan_where, nearest, real
from .._contract.shapes import as_number, inverse_power
from .._contract.types import Array, AxisName
from .derivatives import precomputed, square, times


def row_max(z: Array, axis: int, poison: Array | None = None) -> Array:
    """The largest logit of each row, held constant and finite; NaN where it is poisoned."""
    top = _row_max(z, axis)
    return top if poison is None else nan_where(jnp.isnan(poison), top)


def _row_max(z: Array, axis: int, masked: bool = False, axis_name: AxisName | None = None) -> Array:
    largest = jnp.finfo(z.dtype).max
    (top,) = _reduced([(lax.stop_gradient(z), lax.max)], axis, masked)
    return jnp.clip(devices.pmax(top, axis_name), -largest, largest)


def _mean_below_top(reads: classes.Reads, top: Array, axis: int, axis_name: AxisName | None) -> Array:
    """The mean of z - top, over the classes of the class mask."""
    own = reads.mean.shape[axis]
    count = own * devices.axis_size(axis_name)
    allowed = as_number(count, top.dtype)
    if reads.class_mask is not None:
        allowed = jnp.sum(reads.class_mask, axis, keepdims=True, dtype=top.dtype)
        allowed = allowed * as_number(own // reads.class_mask.shape[axis], top.dtype)
        allowed = jnp.maximum(devices.psum([allowed], axis_name)[0], 1)
    scale = inverse_power(count)  # so that no sum overflows
    (total,) = devices.psum([_scaled_sum(reads, top, axis, scale)], axis_name)
    mean = _present(total, reads) / (scale * allowed)
    return jnp.where(top == jnp.finfo(top.dtype).max, -jnp.inf, mean)


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _scaled_sum(reads: classes.Reads, top: Array, axis: int, scale: float) -> Array:
    scaled = _allowed(scale * reads.mean.astype(top.dtype) - scale * top, reads)  # spelled apart: see `_beside_top`
    return _reduced([(scaled, lax.add)], axis, reads.class_mask is not None)[0]


@_scaled_sum.defjvp
def _(axis: int, scale: float, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    changes = _allowed(scale * tangents[0].scores, primals[0])
    return _scaled_sum(*primals, axis, scale), jnp.sum(changes, axis, keepdims=True)


def _reduced(parts: list[tuple[Array, Any]], axis: int, masked: bool) -> list[Array]:
    """Each array by its operation along the axis, which is kept.

    Of what comes from a selection, as classes that are masked do, XLA's library for CPUs would have an array in memory;
    a loop of several reductions is XLA's own.
    """
    arrays, operations = [array for array, _ in parts], [operation for _, operation in parts]
    identity = {lax.add: 0, lax.max: -jnp.inf, lax.min: jnp.inf}

    def loop(*arrays: Array) -> list[Array]:
        by = [*operations, lax.min] if len(arrays) == 1 else operations
        starts = [np.array(identity[operation], arrays[0].dtype) for operation in by]
        found = lax.reduce(
            (*arrays, *arrays[: len(by) - len(arrays)]),
            tuple(starts),
            lambda a, b: tuple(operation(x, y) for operation, x, y in zip(by, a, b)),
            (axis,),
        )
        if len(arrays) == 1:
            found = [jnp.where(jnp.isnan(found[1]), found[1], found[0])]  # lest XLA see that one is enough
        return [lax.expand_dims(x, (axis,)) for x in found]

    def each(*arrays: Array) -> list[Array]:
        by = {lax.add: jnp.sum, lax.max: jnp.max}
        return [by[operation](x, axis, keepdims=True) for operation, x in zip(operations, arrays)]

    return lax.platform_dependent(*arrays, cpu=loop, default=each) if masked else each(*arrays)


def smoothed_nll(
    reads: classes.Reads,
    labels: Array,
    poison: Array,
    axis: int,
    label_smoothing: Any = None,
    z_loss: Any = None,
    axis_name: AxisName | None = None,
) -> Array:
    """The cross entropy of each row, the class axis kept at size 1; each device of `axis_name` may have a slice."""
    top = _row_max(reads.top.astype(reads.scores.dtype), axis, reads.class_mask is not None, axis_name)
    top = nan_where(jnp.isnan(poison), _present(top, reads))
    if real(labels):
        losses, log_normalizer = soft_nll(reads, top, labels, axis, axis_name)
    else:
        losses, log_normalizer = hard_nll(reads, top, labels, axis, axis_name)
    if label_smoothing is not None:
        mean = _mean_below_top(reads, top, axis, axis_name)
        losses = times(1 - label_smoothing, losses) + times(label_smoothing, log_normalizer - mean)
    if z_loss is not None:
        normalizer = top + log_normalizer
        losses = losses + times(z_loss, square(normalizer))
    return losses


def _present(x: Array, reads: classes.Reads) -> Array:
    """0 for rows that don't exist."""
    return x if reads.exists is None else jnp.where(reads.exists, x, 0)


def _allowed(x: Array, reads: classes.Reads) -> Array:
    """0 for classes that are ruled out."""
    return x if reads.class_mask is None else jnp.where(reads.class_mask, x, 0)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def hard_nll(
    reads: classes.Reads, top: Array, labels: Array, axis: int, axis_name: AxisName | None = None
) -> tuple[Array, Array]:
    """For each row the negative log-likelihood of its label, and log sum exp(z - top)."""
    log_normalizer = log_sum_exp(reads, top, axis, axis_name)
    x = _label_logit(reads, top, labels, axis, axis_name)
    return _minus_log(log_normalizer, x), log_normalizer


@hard_nll.defjvp
def _(axis: int, axis_name: AxisName | None, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    reads, top, labels = primals
    z, d_z = _present(reads.scores, reads), tangents[0].scores
    is_label = classes.is_label(z, labels, axis)
    exp = jnp.where(is_label, 0, jnp.exp(shifted(z, top)))
    x = _label_logit(reads, top, labels, axis, axis_name)
    if reads.rest.dtype == z.dtype:  # in the memory of the gradient
        (others,) = devices.psum([jnp.sum(exp, axis, keepdims=True)], axis_name)
    else:
        others = _beside_top(reads, top, axis, axis_name) - jnp.expm1(x)
    log_normalizer = _log1p(others + jnp.expm1(x))
    values = _minus_log(log_normalizer, x), log_normalizer
    others, x = (devices.pbroadcast(part, axis_name) for part in (others, x))
    scale = _reciprocal(others + jnp.exp(x))
    slope = jnp.where(is_label, -others * scale, exp * scale)
    softmax = jnp.where(is_label, jnp.exp(x) * scale, exp * scale)
    changes = [_present(_directional(part, d_z, axis), reads) for part in (slope, softmax)]
    values = precomputed(functools.partial(hard_nll, axis=axis, axis_name=axis_name), values, *primals)
    return values, tuple(devices.psum(changes, axis_name))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _beside_top(reads: classes.Reads, top: Array, axis: int, axis_name: AxisName | None) -> Array:
    """The sum of exp(z - top) less 1: that of all classes but the top. -1 where all are ruled out.

    From the sum and, where its largest term, which is 1, would drown the others, from that of all other terms. The two
    are spelled apart, each of its own read of the logits and of their top, because a shared ``z - top`` would be
    written to memory in full; so would be a constant that is another's too, like 0 or 1. The bounds are such that both
    have the right slope at the largest.
    """
    masked = reads.class_mask is not None
    of_total, of_rest = inputs.apart(top, 2)
    x = jnp.minimum(reads.total.astype(top.dtype) + (-of_total), jnp.finfo(top.dtype).tiny)
    exp = jnp.exp(x)
    y = x if masked else reads.rest.astype(top.dtype) - of_rest
    exp_y = exp if masked else jnp.exp(y)
    parts = [(exp, lax.add), (exp_y * _beside_weight(y), lax.add)]
    total, rest = devices.psum(_reduced(parts, axis, masked), axis_name)
    rest = rest / 8
    drowned = (total > 0) & (total < 1.5) & (top < jnp.finfo(top.dtype).max)
    beside = jnp.where(drowned | jnp.isnan(rest), rest, total - 1)  # the total's minimum may lose a NaN
    return _present(beside, reads)


def _beside_weight(x: Array) -> Array:
    """8 where a class is no top of a row that is sure, 0 for a top, there with the slope of 8 times the exponential."""
    x = jnp.maximum(x, -1.5)  # lest the slope be 0 times infinity
    return jnp.minimum(x * (32 * x + 8), 8)


@_beside_top.defjvp
def _(axis: int, axis_name: AxisName | None, primals: Any, tangents: Any) -> tuple[Array, Array]:
    reads, top = primals
    slope = jnp.exp(shifted(_present(reads.scores, reads), top))
    change = _present(_directional(slope, tangents[0].scores, axis), reads)
    return _beside_top(*primals, axis, axis_name), devices.psum([change], axis_name)[0]


class _SoftRows(NamedTuple):
    """What is summed over the classes of each row."""

    cost: Array  # the expected negative log-likelihood
    beside: Array  # see `_beside_top`
    mass: Array  # of the label
    mass_beside: Array  # without that of the top classes


def soft_nll(
    reads: classes.Reads, top: Array, labels: Array, axis: int, axis_name: AxisName | None = None
) -> tuple[Array, Array]:
    """For each row the expected negative log-likelihood under its label's distribution, and log sum exp(z - top)."""
    rows = _soft_rows(reads, top, labels, axis, axis_name, False)
    return rows.cost, _log1p(rows.beside)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4, 5))
def _soft_rows(
    reads: classes.Reads, top: Array, labels: Array, axis: int, axis_name: AxisName | None, masses: bool
) -> _SoftRows:
    def exact(reads: classes.Reads, top: Array, labels: Array) -> _SoftRows:
        return _exact_soft_rows(_present(reads.scores, reads), top, labels, axis, axis_name)

    if axis_name is not None or not reads.labels:
        return exact(reads, top, labels)
    quick = functools.partial(_quick_soft_rows, axis=axis, masses=masses)
    return lax.platform_dependent(reads, top, labels, cpu=quick, default=exact)


def _soft_rule(
    axis: int, axis_name: AxisName | None, masses: bool, primals: tuple[Any, ...], tangents: tuple[Any, ...]
) -> tuple[_SoftRows, _SoftRows]:
    reads, top, labels = primals
    (d_z, *_), _, d_labels = tangents
    rows = _soft_rows(*primals, axis, axis_name, True)
    x = shifted(_present(reads.scores, reads), top)
    changes = [jnp.zeros_like(x)] * 4
    if not isinstance(d_z, SymbolicZero):
        # Softmax - label, without subtracting a softmax near 1 from a label near 1.
        beside, mass, mass_beside = (devices.pbroadcast(part, axis_name) for part in rows[1:])
        exp, scale = jnp.exp(x), _reciprocal(1 + beside)
        near = mass_beside - mass * (beside + (1 - exp)) * scale
        slope = jnp.where(exp * scale > 2 / 3, near, mass * exp * scale - labels)
        changes[:2] = [_present(part * d_z, reads) for part in (slope, exp)]
    if not isinstance(d_labels, SymbolicZero):
        far = devices.pbroadcast(_log1p(rows.beside), axis_name) - x
        changes[0] += jax.jvp(lambda y: times(y, far), (labels,), (d_labels,))[1]
        changes[2:] = [d_labels, jnp.where(x == 0, 0, d_labels)]
    changes = devices.psum([jnp.sum(change, axis, keepdims=True) for change in changes], axis_name)
    return rows, _SoftRows(*changes)


_soft_rows.defjvp(_soft_rule, symbolic_zeros=True)


def _exact_soft_rows(z: Array, top: Array, labels: Array, axis: int, axis_name: AxisName | None = None) -> _SoftRows:
    x = shifted(z, top)
    exp = jnp.exp(x)
    is_top = x == 0
    apart = [[jnp.where(is_top, 0, part), jnp.where(is_top, part, 0)] for part in (exp, labels)]
    parts = [*apart, [times(labels, -x)]]  # in JAX 0.10 what one loop reduces must depend on the same inputs
    sums = [total for each in parts for total in _reduced([(part, lax.add) for part in each], axis, True)]
    rest, tops, mass_beside, mass_top, expected = devices.psum(sums, axis_name)
    beside = jnp.where(tops == 0, -1, rest + (tops - 1))  # no tops: all classes are ruled out
    mass = mass_beside + mass_top
    return _SoftRows(mass * _log1p(beside) + expected, beside, mass, mass_beside)


def _quick_soft_rows(reads: classes.Reads, top: Array, _: Array, axis: int, masses: bool) -> _SoftRows:
    """The same as XLA's reduction library for CPUs does it, which knows no selection, each sum of its own read and with
    constants of its own; but for what that can't tell: a label's mass where a class is ruled out, infinite logits.

    What isn't the top counts with 1 wherever it matters: in rows whose top has more than two thirds.
    """
    wide, (of_total, of_cost) = top.dtype, inputs.apart(top, 2)
    add = functools.partial(jnp.sum, axis=axis, keepdims=True)
    total = add(jnp.exp(reads.total.astype(wide) - of_total))

    def beside_top(z: Array, y: Array, top: Array) -> tuple[Array, Array]:
        (z, of_mass), (top, top_of_mass) = inputs.apart(z, 2), inputs.apart(top, 2)
        x = z.astype(wide) - top
        rest = add(jnp.exp(x) * _beside_weight(x)) / 8
        other = jnp.minimum(jnp.square(jnp.maximum(of_mass.astype(wide) - top_of_mass, -2)), 1 / 4)
        mass = 32 * add(_in_range(y, wide, 1 / 8) * other) if masses else jnp.zeros_like(total)
        return jnp.where(total < 1.5, rest, total - 1), mass

    exists = jnp.ones_like(total, bool) if reads.exists is None else reads.exists
    beside, mass_beside = lax.cond(
        _anywhere((total < 1.5) & exists),
        beside_top,
        lambda *_: (total - 1, jnp.zeros_like(total)),
        reads.rest,
        reads.labels[0],
        top,
    )
    far = jnp.minimum(_log1p(beside) - (reads.mean.astype(wide) - of_cost), jnp.finfo(wide).max / 2)
    cost = 4 * add(_in_range(reads.labels[0], wide, 1 / 4) * far)
    mass = 2 * add(_in_range(reads.labels[1], wide, 1 / 2)) if masses else jnp.zeros_like(total)
    fits = (total >= 1) & (total < jnp.inf) & (jnp.abs(cost) < 1024) | ~exists
    rows = _SoftRows(*(_present(x, reads) for x in (cost, beside, mass, mass_beside)))

    def exact(z: Array, y: Array, top: Array) -> _SoftRows:
        z, y = _present(z.astype(wide), reads), _present(nearest(y.astype(wide), "[0, 1]"), reads)
        return _exact_soft_rows(z, top, y, axis)

    return lax.cond(_anywhere(~fits), exact, lambda *_: rows, reads.rest, reads.labels[0], top)


@jax.custom_batching.custom_vmap
def _anywhere(x: Array) -> Array:
    """Whether any is true, in all of a batch of `vmap`: a condition of each example would run both its branches."""
    return jnp.any(x)


@_anywhere.def_vmap
def _(size: int, batched: list[bool], x: Array) -> tuple[Array, bool]:
    return _anywhere(x), False


def _in_range(y: Array, dtype: Any, unit: float) -> Array:
    """The nearest probability in units that no other loop has, whose bounds would be written to memory, as 0 would."""
    y = y.astype(dtype)
    zero = lax.stop_gradient(y - y)  # or NaN, which the maxima may lose
    return -jnp.maximum(-jnp.maximum(y * unit, zero), -unit) + zero


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def every_nll(z: Array, top: Array, log_normalizer: Array, axis: int) -> Array:
    """The negative log-likelihood of every class."""
    return _minus_log(log_normalizer, shifted(z, top))


@every_nll.defjvp
def _(axis: int, primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    """Softmax - 1 where a class is all but sure, without subtracting: changes against that of the top classes."""
    z, top, log_normalizer = primals
    x = shifted(z, top)
    is_top = (x == 0).astype(z.dtype)
    tops = jnp.sum(is_top, axis, keepdims=True)
    lead = _directional(is_top, tangents[0], axis) / jnp.maximum(tops, 1)
    change = tangents[0] - lead
    softmax = jnp.where((x == 0) & (tops == 1), 0, jnp.exp(x - log_normalizer))
    return every_nll(*primals, axis), _directional(softmax, change, axis) - change


def log_sum_exp(reads: classes.Reads, top: Array, axis: int, axis_name: AxisName | None = None) -> Array:
    """log sum exp(z - top) of each row; 0 where all classes are ruled out."""
    return _log1p(_beside_top(reads, top, axis, axis_name))


def _log1p(beside: Array) -> Array:
    """log sum exp(z - top), from that sum less 1; 0 where all classes are ruled out."""
    return jnp.log1p(jnp.where(beside == -1, 0, beside))


def _label_logit(reads: classes.Reads, top: Array, labels: Array, axis: int, axis_name: AxisName | None) -> Array:
    """How far each label's logit lies below the top."""
    if axis_name is None:
        entry = classes.at_label(reads.scores, labels, axis)
    else:
        entry, own = classes.at_local_label(reads.scores, labels, axis)
        entry = jnp.where(own, entry, top)  # another device has it: 0 here
    return devices.psum([_present(shifted(entry, top), reads)], axis_name)[0]


def shifted(z: Array, top: Array) -> Array:
    """How far logits lie below the largest; infinitely far below an infinite one."""
    largest = jnp.finfo(z.dtype).max
    return (jnp.where(z > largest, largest, z) - top) * jnp.where(top == largest, 2, 1)  # a minimum may lose a NaN


def _minus_log(log_normalizer: Array, x: Array) -> Array:
    """The loss of a class; a class that is ruled out costs infinity even where all are."""
    return jnp.where(x == -jnp.inf, jnp.inf, log_normalizer - x)


def _reciprocal(x: Array) -> Array:
    """0 for 0: all classes are ruled out."""
    return jnp.where(x == 0, 0, 1 / jnp.where(x == 0, 1, x))


def _directional(slope: Array, tangent: Array, axis: int) -> Array:
    return jnp.sum(slope * tangent, axis, keepdims=True)
