"""Losses of boxes, by how far they overlap.

Along each dimension two boxes make four lengths: what both cover, what either covers alone, and a gap. Multiplied out
they are volumes, sums of what is never negative: nothing cancels, however near or small the boxes are. The slopes are
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

from .._contract import inputs
from .._contract.checks import message, nan_unless, report
from .._contract.jit import jit
from .._contract.reduction import power_of_two, reduce
from .._contract.shapes import one_axis, unsharded
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.derivatives import positive


@jit
def iou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""One minus the share that two boxes have in common (Jaccard): intersection over union.

    .. math::
      \ell = 1 - \frac{|A \cap B|}{|A \cup B|}

    Equal boxes cost exactly 0, also without an area; those that have nothing in common 1. There is no epsilon: the unit
    of the boxes doesn't matter (torchvision and MONAI add 1e-7 to areas, so that equal boxes with sides of 1e-4 cost
    0.9). Yu et al. take the negative logarithm, ``-jnp.log1p(-loss)`` of ``"none"``, as mmdetection does by default.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to report or fine-tune the overlap itself, for boxes that already meet: apart they have no gradient, and
    `giou_loss` or `diou_loss` bring them together. It has no noise model.

    Args:
      predictions: boxes, ``[..., 4]`` along ``axis``: ``(x1, y1, x2, y2)``, the lower corner, then the upper one, in
        any unit; or ``2 * d`` numbers in ``d`` dimensions. A corner that is infinite, or a lower one above its upper
        one, is out of range.
      labels: boxes of the same shape.
      axis: where the corners lie.

    Returns:
      The reduced loss, at least float32; per box, without ``axis``, with ``reduction="none"``. The mean is over boxes
      (torchvision's default is ``"none"``).

    Raises:
      ValueError: if the corners aren't 2 a dimension along ``axis``.

    Source: Yu et al., *UnitBox: an advanced object detection network* (2016), arXiv:1608.01471.

    Example:
      >>> boxes, labels = jnp.array([[0.0, 0, 2, 2], [0, 0, 1, 1]]), jnp.array([[0.0, 0, 2, 1], [3, 0, 4, 1]])
      >>> jaxloss.iou_loss(boxes, labels, reduction="none")
      Array([0.5, 1. ], dtype=float32)
    """
    boxes = _taken(predictions, labels, mask, axis)
    return reduce(_losses(*boxes, (_iou,)), weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def giou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Intersection over union that also draws boxes together when they are apart.

    .. math::
      \ell = 1 - \frac{|A \cap B|}{|A \cup B|} + \frac{|C| - |A \cup B|}{|C|}

    with the smallest box :math:`C` that encloses both; between 0, for equal boxes, and 2. There is no epsilon, see
    `iou_loss`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for boxes that may be far off, as DETR does beside `l1_loss`; a matrix of costs to match by is a ``vmap``
    of a ``vmap``, see docs/recipes.md. It first grows a box until it meets the other; `diou_loss` moves it there. It
    has no noise model.

    Args:
      predictions: boxes, ``[..., 4]`` along ``axis``: ``(x1, y1, x2, y2)``, the lower corner, then the upper one, in
        any unit; or ``2 * d`` numbers in ``d`` dimensions. A corner that is infinite, or a lower one above its upper
        one, is out of range.
      labels: boxes of the same shape.
      axis: where the corners lie.

    Returns:
      The reduced loss, at least float32; per box, without ``axis``, with ``reduction="none"``. The mean is over boxes
      (torchvision's default is ``"none"``).

    Raises:
      ValueError: if the corners aren't 2 a dimension along ``axis``.

    Source: Rezatofighi et al., *Generalized intersection over union* (2019), arXiv:1902.09630.

    Example:
      >>> boxes, labels = jnp.array([[0.0, 0, 2, 2], [0, 0, 1, 1]]), jnp.array([[0.0, 0, 2, 1], [3, 0, 4, 1]])
      >>> jaxloss.giou_loss(boxes, labels, reduction="none")
      Array([0.5, 1.5], dtype=float32)
    """
    boxes = _taken(predictions, labels, mask, axis)
    return reduce(_losses(*boxes, (_iou, _emptiness)), weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def diou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Intersection over union, and how far the centres are apart.

    .. math::
      \ell = 1 - \frac{|A \cap B|}{|A \cup B|} + \frac{\rho^2}{c^2}

    with the distance :math:`\rho` of the centres and the diagonal :math:`c` of the smallest box that encloses both;
    between 0, for equal boxes, and 2. There is no epsilon, see `iou_loss`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it as `giou_loss`, when boxes should move rather than grow together: it also pulls a box that lies within the
    other to the middle, where `giou_loss` doesn't care. It has no noise model.

    Args:
      predictions: boxes, ``[..., 4]`` along ``axis``: ``(x1, y1, x2, y2)``, the lower corner, then the upper one, in
        any unit; or ``2 * d`` numbers in ``d`` dimensions. A corner that is infinite, or a lower one above its upper
        one, is out of range.
      labels: boxes of the same shape.
      axis: where the corners lie.

    Returns:
      The reduced loss, at least float32; per box, without ``axis``, with ``reduction="none"``. The mean is over boxes
      (torchvision's default is ``"none"``).

    Raises:
      ValueError: if the corners aren't 2 a dimension along ``axis``.

    Source: Zheng et al., *Distance-IoU loss* (2020), arXiv:1911.08287.

    Example:
      >>> boxes, labels = jnp.array([[0.0, 0, 2, 2], [0, 0, 1, 1]]), jnp.array([[0.0, 0, 2, 1], [3, 0, 4, 1]])
      >>> jaxloss.diou_loss(boxes, labels, reduction="none")
      Array([0.53125  , 1.5294118], dtype=float32)
    """
    boxes = _taken(predictions, labels, mask, axis)
    return reduce(_losses(*boxes, (_iou, _distance)), weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def ciou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Intersection over union, how far the centres are apart, and how much the shapes differ.

    .. math::
      \ell = \ell_{\mathrm{DIoU}} + \alpha v \qquad v = \frac{4}{\pi^2} \left(\arctan \frac{w_A}{h_A} -
      \arctan \frac{w_B}{h_B}\right)^2 \qquad \alpha = \frac{v}{\ell_{\mathrm{IoU}} + v}

    where :math:`\alpha` counts as a constant for derivatives, as in torchvision (mmdetection's is 0 where boxes overlap
    by less than half). A box without width and height has the angle 0. There is no epsilon, see `iou_loss`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it as `diou_loss`, when boxes that overlap well should get the right shape sooner. It has no noise model.

    Args:
      predictions: boxes, ``[..., 4]`` along ``axis``: ``(x1, y1, x2, y2)``, the lower corner, then the upper one, in
        any unit. A corner that is infinite, or a lower one above its upper one, is out of range.
      labels: boxes of the same shape.
      axis: where the corners lie.

    Returns:
      The reduced loss, at least float32; per box, without ``axis``, with ``reduction="none"``. The mean is over boxes
      (torchvision's default is ``"none"``).

    Raises:
      ValueError: if the corners aren't 4 numbers along ``axis``.

    Source: Zheng et al., *Distance-IoU loss* (2020), arXiv:1911.08287.

    Example:
      >>> boxes, labels = jnp.array([[0.0, 0, 2, 2], [0, 0, 1, 1]]), jnp.array([[0.0, 0, 2, 1], [3, 0, 4, 1]])
      >>> jaxloss.ciou_loss(boxes, labels, reduction="none")
      Array([0.53449816, 1.5294118 ], dtype=float32)
    """
    boxes = _taken(predictions, labels, mask, axis, flat=True)
    return reduce(_losses(*boxes, (_iou, _distance, _aspect)), weights, mask, reduction=reduction, axis_name=axis_name)


def _taken(
    predictions: ArrayLike, labels: ArrayLike, mask: ArrayLike | None, axis: int, *, flat: bool = False
) -> tuple[Array, Array, int]:
    """Boxes in the dtype to compute in, and the axis of their corners."""
    (a, b), _ = inputs.vectors(mask, axis=axis, predictions=predictions, labels=labels)
    axis = one_axis(axis, "predictions", a, "reshape predictions so that the corners lie on one axis")
    count = a.shape[axis]
    if not isinstance(count, int) or count % 2 or not count or (flat and count != 4):
        wanted = "4 numbers" if flat else "2 numbers a dimension"
        hint = "lower corner, then upper" if isinstance(count, int) else "and that many are compiled for"
        raise ValueError(message(f"predictions must hold {wanted} along axis {axis}, {hint}, got shape {a.shape}"))
    a, b = unsharded(a, axis), unsharded(b, axis)
    for name, x in (("predictions", a), ("labels", b)):
        low, high = jnp.split(x, 2, axis)
        fits = jnp.isfinite(x) & jnp.concatenate([~(low > high), jnp.ones_like(high, bool)], axis)
        report(name, x, fits, "be finite, and no lower corner above its upper one")
    return a, b, axis


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
def _losses(a: Array, b: Array, axis: int, terms: tuple[Term, ...]) -> Array:
    sides, same, poison = _sides(a, b, axis)
    return jnp.squeeze(jnp.where(same, 0, sum(term(sides)[0] for term in terms)) + poison, axis)


def _rule(axis: int, terms: tuple[Term, ...], primals: tuple[Array, Array], tangents: Any) -> tuple[Array, Array]:
    value = _losses(*primals, axis, terms)
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


_losses.defjvp(_rule, symbolic_zeros=True)


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


def _iou(sides: list[_Side]) -> tuple[Array, list[_Slope]]:
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


def _emptiness(sides: list[_Side]) -> tuple[Array, list[_Slope]]:
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


def _distance(sides: list[_Side]) -> tuple[Array, list[_Slope]]:
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


def _aspect(sides: list[_Side]) -> tuple[Array, list[_Slope]]:
    """How much the angles of the diagonals differ, which counts the more the better the boxes overlap."""
    (w, h), (dw, dh) = _diagonal(sides)
    (w_other, h_other), _ = _diagonal([_swapped(side) for side in sides])
    angle = jnp.arctan2(w * h_other - w_other * h, h * h_other + w * w_other)
    v = 4 / math.pi**2 * jnp.square(angle)
    alpha = lax.stop_gradient(v * _per(_iou(sides)[0] + v))
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
