"""How far two boxes overlap.

Along each dimension they make four lengths: what both cover, what either covers alone, and a gap. Multiplied out those
are volumes, sums of what is never negative: nothing cancels, however near or small the boxes are. The slopes are
written by hand, where autodiff's take XLA for CPUs up to ten times as long: by an edge that moves outward, inside of
the other box and outside. On its edge they share, so that equal boxes have none.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from .._contract.checks import nan_unless
from .._contract.types import Array
from .._contract.units import power_of_two
from .._numerics.derivatives import positive


class _Side(NamedTuple):
    """Two boxes along one dimension, in units of about the length that encloses them."""

    both: Array  # how long they overlap
    own: Array  # what the one box has alone
    other: Array
    gap: Array
    shift: Array  # of the upper edges and the lower ones, added up
    low: Array  # 1 if the one box's lower edge lies outside of the other box, 0 inside, 1/2 on its edge
    high: Array
    unit: Array


class _Slope(NamedTuple):
    """By an edge of the one box that moves outward, inside of the other box and outside; by one that moves up."""

    inside: Array | float
    outside: Array | float
    up: Array | float = 0.0


# From both boxes along each dimension to a value, and its slopes.
Term = Callable[[list[_Side]], tuple[Array, list[_Slope]]]


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def overlap_losses(a: Array, b: Array, axis: int, terms: tuple[Term, ...]) -> Array:
    sides, same, poison = _sides(a, b, axis)
    return jnp.squeeze(jnp.where(same, 0, sum(term(sides)[0] for term in terms)) + poison, axis)


def _rule(axis: int, terms: tuple[Term, ...], primals: tuple[Array, Array], tangents: Any) -> tuple[Array, Array]:
    value = overlap_losses(*primals, axis, terms)
    sides, same, poison = _sides(*primals, axis)
    change = jnp.zeros_like(value)
    for tangent in tangents:
        if not isinstance(tangent, SymbolicZero):
            slopes = jnp.zeros_like(tangent)  # written in place: XLA's concatenation for CPUs takes twice as long
            for k, slope in enumerate(_slopes(sides, terms)):
                slopes = lax.dynamic_update_index_in_dim(slopes, jnp.where(same, 0, slope) + poison, k, axis)
            change += jnp.sum(slopes * tangent, axis)
        sides = [_swapped(side) for side in sides]
    return value, change


overlap_losses.defjvp(_rule, symbolic_zeros=True)


def _sides(a: Array, b: Array, axis: int) -> tuple[list[_Side], Array, Array]:
    """Both boxes along each dimension; whether they are the same; 0, or NaN if they are none."""
    count = a.shape[axis] // 2
    corners = [  # a quarter of them, so that no difference overflows
        [0.25 * lax.index_in_dim(x, k + upper, axis) for x in (a, b) for upper in (0, count)] for k in range(count)
    ]
    finite = [jnp.isfinite(x) for each in corners for x in each]
    ordered = [low <= high for a1, a2, b1, b2 in corners for low, high in ((a1, a2), (b1, b2))]
    sides = [_side(*each) for each in corners]
    same = functools.reduce(jnp.logical_and, [side.own + side.other + side.gap == 0 for side in sides])
    return sides, same, nan_unless(functools.reduce(jnp.logical_and, finite + ordered), a.dtype)


def _side(a1: Array, a2: Array, b1: Array, b2: Array) -> _Side:
    unit = power_of_two(jnp.maximum(a2, b2) - jnp.minimum(a1, b1))
    overlap = jnp.minimum(a2, b2) - jnp.maximum(a1, b1)
    own = jnp.minimum(positive(b1 - a1) + positive(a2 - b2), a2 - a1)
    other = jnp.minimum(positive(a1 - b1) + positive(b2 - a2), b2 - b1)
    both, gap, shift, per = positive(overlap), positive(-overlap), (a1 - b1) + (a2 - b2), 1 / unit
    low, high = (0.5 + 0.5 * jnp.sign(x) for x in (b1 - a1, a2 - b2))
    return _Side(per * both, per * own, per * other, per * gap, per * shift, low, high, unit)


def _swapped(side: _Side) -> _Side:
    return _Side(side.both, side.other, side.own, side.gap, -side.shift, 1 - side.low, 1 - side.high, side.unit)


def _slopes(sides: list[_Side], terms: tuple[Term, ...]) -> list[Array]:
    """By each corner of the one box."""
    lower, upper = [], []
    for side, *slopes in zip(sides, *(term(sides)[1] for term in terms)):
        inside, outside, up = (sum(parts) for parts in zip(*slopes))
        scale = 0.25 / side.unit
        lower.append(scale * (up - (1 - side.low) * inside - side.low * outside))
        upper.append(scale * (up + (1 - side.high) * inside + side.high * outside))
    return lower + upper


def _volumes(sides: list[_Side]) -> tuple[Any, Any, Any, Any]:
    """What both boxes cover, what either covers alone, and the rest of what encloses them."""
    both, own, other, rest = 1.0, 0.0, 0.0, 0.0
    for i, x, y, z, *_ in sides:
        rest = both * z + own * (y + z) + other * (x + z) + rest * (i + x + y + z)
        own, other = own * (i + x) + both * x, other * (i + y) + both * y
        both = both * i
    return both, own, other, rest


def _others(sides: list[_Side]) -> list[tuple[Any, Any, Any, Any]]:
    """The volumes without each dimension in turn."""
    return [_volumes(sides[:k] + sides[k + 1 :]) for k in range(len(sides))]


def _per(volume: Any) -> Array:
    """One over it; 0 for none."""
    none = volume < jnp.finfo(volume.dtype).tiny
    return jnp.where(none, 0, 1 / jnp.where(none, 1, volume))


def iou(sides: list[_Side]) -> tuple[Array, list[_Slope]]:
    both, own, other, _ = _volumes(sides)
    per = _per(both + own + other)
    slopes = [
        _Slope(
            -jnp.where(side.both > 0, (face * per) * ((side.own * (face + rim) + both + other) * per), 0),
            (both * per) * ((face + rim) * per),
        )
        for side, (face, rim, *_) in zip(sides, _others(sides))
    ]
    return jnp.where(per == 0, 1, (own + other) * per), slopes


def emptiness(sides: list[_Side]) -> tuple[Array, list[_Slope]]:
    """The share of what encloses both boxes that neither covers."""
    *_, rest = volumes = _volumes(sides)
    per = _per(sum(volumes))
    slopes = [
        _Slope(
            -(rim + jnp.where(side.both > 0, 0, face)) * per,
            (other * (side.both + side.other) - rim * side.other - (face + rim) * side.gap)
            * (face + rim + other + more)
            * per
            * per,
        )
        for side, (face, rim, other, more) in zip(sides, _others(sides))
    ]
    return rest * per, slopes


def distance(sides: list[_Side]) -> tuple[Array, list[_Slope]]:
    """The squared distance of the centres, as a share of the squared diagonal of what encloses both boxes."""
    largest = functools.reduce(jnp.maximum, [side.unit for side in sides])
    shares = [side.unit / largest for side in sides]
    shifts = [0.5 * side.shift * share for side, share in zip(sides, shares)]
    around = [sum(side[:4]) * share for side, share in zip(sides, shares)]
    per = _per(sum(map(jnp.square, around)))
    ratio = sum(map(jnp.square, shifts)) * per
    slopes = [
        _Slope(0.0, -2 * ratio * length * share * per, shift * share * per)
        for length, shift, share in zip(around, shifts, shares)
    ]
    return ratio, slopes


def aspect(sides: list[_Side]) -> tuple[Array, list[_Slope]]:
    """How much the angles of the diagonals differ, which counts the more the better the boxes overlap."""
    (w, h), (dw, dh) = _diagonal(sides)
    (w_other, h_other), _ = _diagonal([_swapped(side) for side in sides])
    angle = jnp.arctan2(w * h_other - w_other * h, h * h_other + w * w_other)
    v = 4 / math.pi**2 * jnp.square(angle)
    alpha = lax.stop_gradient(v * _per(iou(sides)[0] + v))
    pull = 8 / math.pi**2 * alpha * angle / (jnp.square(w) + jnp.square(h))
    return alpha * v, [_Slope(pull * h * dw, pull * h * dw), _Slope(-pull * w * dh, -pull * w * dh)]


def _diagonal(sides: list[_Side]) -> tuple[list[Array], list[Array]]:
    """The width and the height of the one box, in units of the larger, and what they grow by; upright for a point."""
    lengths = [(side.both + side.own) * side.unit for side in sides]
    largest = functools.reduce(jnp.maximum, lengths)
    point = largest == 0
    per = 1 / power_of_two(largest)
    w, h = (length * per for length in lengths)
    return [w, jnp.where(point, 1, h)], [jnp.where(point, 0, side.unit * per) for side in sides]
