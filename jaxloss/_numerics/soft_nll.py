"""The expected negative log-likelihood of labels that are probabilities, row by row."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from .._contract import classes, devices, inputs
from .._contract.checks import clipped, nearest
from .._contract.types import Array, AxisName
from .derivatives import times
from .softmax import beside_weight, log_total, present, reciprocal_or_0, shifted
from .sums import reduced


class _SoftRows(NamedTuple):
    """What is summed over the classes of each row."""

    cost: Array  # the expected negative log-likelihood
    beside: Array  # see `beside_top`
    mass: Array  # of the label
    mass_beside: Array  # without that of the top classes


def soft_nll(
    reads: classes.Reads, top: Array, labels: Array, axis: int, axis_name: AxisName | None = None
) -> tuple[Array, Array]:
    """For each row the expected negative log-likelihood under its label's distribution, and log sum exp(z - top)."""
    rows = _soft_rows(reads, top, labels, axis, axis_name, False)
    return rows.cost, log_total(rows.beside)


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4, 5))
def _soft_rows(
    reads: classes.Reads, top: Array, labels: Array, axis: int, axis_name: AxisName | None, masses: bool
) -> _SoftRows:
    def exact(reads: classes.Reads, top: Array, labels: Array) -> _SoftRows:
        return _exact_soft_rows(present(reads.scores, reads), top, labels, axis, axis_name)

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
    x = shifted(present(reads.scores, reads), top)
    changes = [jnp.zeros_like(x)] * 4
    if not isinstance(d_z, SymbolicZero):
        # Softmax - label, without subtracting a softmax near 1 from a label near 1.
        beside, mass, mass_beside = (devices.pbroadcast(part, axis_name) for part in rows[1:])
        exp, scale = jnp.exp(x), reciprocal_or_0(1 + beside)
        near = mass_beside - mass * (beside + (1 - exp)) * scale
        slope = jnp.where(exp * scale > 2 / 3, near, mass * exp * scale - labels)
        changes[:2] = [present(part * d_z, reads) for part in (slope, exp)]
    if not isinstance(d_labels, SymbolicZero):
        far = devices.pbroadcast(log_total(rows.beside), axis_name) - x
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
    sums = [total for each in parts for total in reduced([(part, lax.add) for part in each], axis, True)]
    rest, tops, mass_beside, mass_top, expected = devices.psum(sums, axis_name)
    # All classes: in a row with a NaN, which the maximum may lose, no class may be the top either.
    ruled_out = (tops == 0) & (rest == 0)
    beside = jnp.where(ruled_out, -1, rest + (tops - 1))
    mass = mass_beside + mass_top
    return _SoftRows(mass * log_total(beside) + expected, beside, mass, mass_beside)


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
        rest = add(jnp.exp(x) * beside_weight(x)) / 8
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
    far = jnp.minimum(log_total(beside) - (reads.mean.astype(wide) - of_cost), jnp.finfo(wide).max / 2)
    cost = 4 * add(_in_range(reads.labels[0], wide, 1 / 4) * far)
    mass = 2 * add(_in_range(reads.labels[1], wide, 1 / 2)) if masses else jnp.zeros_like(total)
    fits = (total >= 1) & (total < jnp.inf) & (jnp.abs(cost) < 1024) | ~exists
    rows = _SoftRows(*(present(x, reads) for x in (cost, beside, mass, mass_beside)))

    def exact(z: Array, y: Array, top: Array) -> _SoftRows:
        z, y = present(z.astype(wide), reads), present(nearest(y.astype(wide), "[0, 1]"), reads)
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
    y = y.astype(dtype) * unit
    return clipped(y, lax.stop_gradient(y - y), unit)
