"""Triplets that a batch with labels holds: each anchor with a positive nearer than a negative, or not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax

from .._contract.arrays import iota
from .._contract.checks import nan_with_any
from .._contract.jit import jit
from .._contract.messages import choice
from .._contract.shapes import unsharded
from .._contract.types import Array, ArrayLike, AxisName, NonNegative, Reduction
from .._contract.units import power_of_two
from .._numerics import norm
from .._numerics.derivatives import positive
from .._numerics.elementary import softplus
from .._numerics.products import product
from . import anchors
from .anchors import Call, Found


_FEW = 8  # positives that go through at once
_FEATURES = 16


@jit
def batch_triplet_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    mining: Literal["hard", "semihard", "all"] = "hard",
    smooth: bool = False,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Of the triplets in a batch, an anchor should lie nearer to its positives than to its negatives, by a margin.

    .. math::
      \ell_i = \begin{cases}
        h(\max_P d_p - \min_N d_n + m) & \text{hard} \\
        \frac{1}{\lvert P \rvert} \sum_{p \in P} h(d_p - d_{n(p)} + m) & \text{semihard} \\
        \frac{1}{T} \sum_{p \in P} \sum_{n \in N} h(d_p - d_n + m) & \text{all}
      \end{cases}
      \qquad h(x) = \max(0, x)

    with the positives :math:`P` of an anchor (the others that have its label), its negatives :math:`N`, and their
    Euclidean distances from it, which have units: normalise the embeddings yourself. Semihard takes the nearest
    negative beyond the positive, or else the farthest of all. :math:`T` counts the triplets that cost something.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is an anchor, a row of the batch: losses, ``weights`` and ``mask`` are ``[batch]``. A masked row is no
    anchor, no positive and no negative; ``weights`` weigh anchors only. An anchor without a positive or a negative
    doesn't count. With ``mining="all"`` the mean is over the triplets that cost something: an anchor counts as often as
    it has such, and ``"none"`` returns the sum over them. With ``axis_name``, which must name the axes that split the
    batch and no others, rows on other devices are positives and negatives too.

    Choose it to learn distances from labels; ``"hard"`` is fast and may collapse where labels are noisy, ``"semihard"``
    is gentler, ``"all"`` the smoothest. `triplet_margin_loss` takes triplets that you have chosen. It has no noise
    model. A wrong triplet pulls with no more than 2 on its anchor (in the Euclidean norm), however far off it is.

    Args:
      embeddings: floating point, ``[batch, features]``.
      labels: integers of any size or sign, or bool, ``[batch]``: names, of which only whether they are equal counts.
      margin: at least 0, :math:`m`, in the units of the distances.
      mining: which triplets count.
      smooth: :math:`h(x) = \log(1 + e^x)` instead; with ``margin=0.0`` the soft margin.
      ref_embeddings: ``[references, features]``, what the anchors are compared with instead of their batch, such as a
        memory of earlier batches; none of them is an anchor itself. The same on all devices.
      ref_labels: ``[references]``, their labels.
      ref_mask: ``[references]``, which of them exist.

    Returns:
      The reduced loss, at least float32; per anchor, ``[batch]``, with ``reduction="none"``.

    Raises:
      TypeError: if labels are floating point, or integers that JAX would cut to 32 bits.
      ValueError: if ``mining`` is unknown, a shape doesn't fit, references come without labels, or under
        ``check_vma=True`` the batch is the same along ``axis_name``.

    Source: Hermans et al., *In defense of the triplet loss* (2017), arXiv:1703.07737 (hard, all, smooth); Schroff et
    al., *FaceNet* (2015), arXiv:1503.03832 (semihard).

    Example:
      >>> embeddings = jnp.array([[0.0, 0.0], [3.0, 4.0], [0.0, 2.0], [9.0, 9.0]])
      >>> jaxloss.batch_triplet_loss(embeddings, jnp.array([0, 0, 1, 1]), reduction="none")
      Array([ 4.       ,  2.3944488, 10.401754 ,  4.591504 ], dtype=float32)
    """
    choice("mining", mining, "hard", "semihard", "all")
    call = Call(embeddings, labels, weights, mask, ref_embeddings, ref_labels, ref_mask, reduction, axis_name)
    rows, others = anchors.sides(call, False)

    def cost(near: Array, far: Array) -> Array:
        return softplus(near - far + margin) if smooth else positive(near - far + margin)

    if others.place.shape[0] == 0:
        nothing = 0 * jnp.sum(rows.vectors, 1)
        return anchors.reduced(Found(nothing, nothing), call)
    if mining == "hard":
        held = [side._replace(vectors=lax.stop_gradient(side.vectors)) for side in (rows, others)]
        far, near, some, poison = anchors.by_blocks(_distances, _hardest, held[0], held[1])
        return anchors.reduced(_of_chosen(rows.vectors + poison, others.vectors, far, near, some, cost), call)
    of_block = functools.partial(_semihard if mining == "semihard" else _every, cost=cost)
    return anchors.reduced(anchors.by_blocks(_distances, of_block, rows, others, _FEW), call)


Cost = Callable[[Array, Array], Array]


def _hardest(d: Array, positives: Array, negatives: Array) -> tuple[Array, Array, Array, Array]:
    """Of each anchor the farthest positive and the nearest negative, the first of equals; whether it has both; and 0,
    or NaN if it meets one."""
    far, near = (_first_largest(jnp.where(at, x, -jnp.inf)) for at, x in ((positives, d), (negatives, -d)))
    return far, near, jnp.any(positives, 1) & jnp.any(negatives, 1), nan_with_any(d, 1)


def _first_largest(x: Array) -> Array:
    """Where it is, by row: two plain reductions instead of an argmax."""
    place = iota(x, 1)
    return jnp.min(jnp.where(x == jnp.max(x, 1, keepdims=True), place, x.shape[1] - 1), 1)


def _of_chosen(x: Array, others: Array, far: Array, near: Array, some: Array, cost: Cost) -> Found:
    """The distances once more, now with slopes: of two rows for each anchor."""
    of_far, of_near = (jnp.where(some[:, None], x - anchors.at_rows(others, index), 0) for index in (far, near))
    losses = cost(*(norm.euclidean(difference, (1,))[:, 0] for difference in (of_far, of_near)))
    return Found(jnp.where(some, losses, 0), some)


def _semihard(d: Array, positives: Array, negatives: Array, cost: Cost) -> Found:
    some = jnp.any(positives, 1) & jnp.any(negatives, 1)
    last = jnp.where(some, jnp.max(jnp.where(negatives, d, -jnp.inf), 1), 0)

    def step(d: Array, of_few: Array, exist: Array) -> Array:
        n = d[:, None]
        beyond = jnp.min(jnp.where(negatives[:, None] & (n > of_few[:, :, None]), n, jnp.inf), 2)
        chosen = jnp.where(jnp.isinf(beyond), last[:, None], beyond)
        return jnp.sum(jnp.where(exist & some[:, None], cost(of_few, chosen), 0), 1)

    losses = _over_positives(step, d, positives) / anchors.count(positives, d.dtype)
    return Found(losses + jnp.where(some, nan_with_any(d, 1)[:, 0], 0), some)  # a NaN isn't beyond anything


def _every(d: Array, positives: Array, negatives: Array, cost: Cost) -> Found:
    def step(d: Array, of_few: Array, exist: Array) -> tuple[Array, Array]:
        each = jnp.where(exist[:, :, None] & negatives[:, None], cost(of_few[:, :, None], d[:, None]), 0)
        return jnp.sum(each, (1, 2)), jnp.sum(each > 0, (1, 2), dtype=d.dtype)

    total, terms = _over_positives(step, d, positives)
    terms = lax.stop_gradient(terms)
    return Found(total / jnp.maximum(terms, 1), terms)


def _over_positives(step: Callable[[Array, Array, Array], Any], d: Array, positives: Array) -> Any:
    """The sum of ``step(distances, those to a few positives, which of them exist)`` over all positives.

    A few at a time; what lies beyond the most that an anchor has is skipped. It has a condition of its own as a whole:
    even a step that is skipped adds zeros to the slopes of all distances.
    """
    size, place = d.shape[1], iota(d, 1)
    few = min(_FEW, size) if isinstance(size, int) else _FEW
    steps = -(-size // few)
    count = jnp.sum(positives, 1, dtype=jnp.int32)

    def of_next(last: Array, d: Array) -> tuple[Array, Any]:
        """From the few columns of positives behind the last one, found one after the other: less work than to sort."""
        places = []
        for _ in range(few):
            last = jnp.min(jnp.where(positives & (place > last[:, None]), place, size), 1)
            places.append(last)
        of_few = jnp.take_along_axis(d, jnp.minimum(jnp.stack(places, 1), size - 1), 1)
        return last, step(d, of_few, jnp.stack(places, 1) < size)

    last, first = of_next(jnp.zeros_like(count) - 1, d)
    if isinstance(steps, int) and steps == 1:
        return first

    def nothing(last: Array, _: Array) -> tuple[Array, Any]:
        return last, jax.tree.map(jnp.zeros_like, first)

    def rest(last: Array, d: Array) -> tuple[Array, Any]:
        def add(so_far: tuple[Array, Any], start: Any) -> tuple[Any, None]:
            last, total = so_far
            last, more = lax.cond(jnp.any(count > start * few), of_next, nothing, last, d)
            return (last, jax.tree.map(jnp.add, total, more)), None

        return lax.scan(jax.checkpoint(add, prevent_cse=False), nothing(last, d), jnp.arange(1, steps))[0]

    return jax.tree.map(jnp.add, first, lax.cond(jnp.any(count > few), rest, nothing, last, d)[1])


@jax.custom_jvp
def _distances(a: Array, b: Array) -> Array:
    """Of each row of `a` from each of `b`, by differences: far from 0 products of rows would lose them.

    The slopes are by products, of rows that are centred; 0 at 0.
    """
    unit = power_of_two(jnp.maximum(jnp.max(jnp.abs(a), initial=0), jnp.max(jnp.abs(b), initial=0)))
    squares = lax.platform_dependent(a / unit, b / unit, cpu=_squares_by_features, default=_squares)
    nothing = squares == 0
    return jnp.where(nothing, 0, unit * jnp.sqrt(jnp.where(nothing, 1, squares)))


def _squares(a: Array, b: Array) -> Array:
    return jnp.sum(jnp.square(a[:, None] - b[None]), 2)


def _squares_by_features(a: Array, b: Array) -> Array:
    """The same, a few features at a time, each in vectors along the columns."""
    if not isinstance(a.shape[1], int) or a.shape[1] <= _FEATURES:
        return _squares(a, b)
    a, b = (unsharded(x, 1).T for x in (a, b))
    a, b = (jnp.pad(x, [(0, -len(x) % _FEATURES), (0, 0)]).reshape(-1, _FEATURES, x.shape[1]) for x in (a, b))

    def add(total: Any, both: tuple[Array, Array]) -> tuple[Array, None]:
        for x, y in zip(*both):
            total += jnp.square(x[:, None] - y[None])
        return total, None

    first, _ = add(0, (a[0], b[0]))
    return lax.scan(add, first, (a[1:], b[1:]))[0]


@_distances.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    (a, b), (d_a, d_b) = primals, tangents
    d = _distances(a, b)
    some = jnp.sum(jnp.any(b != 0, 1), dtype=b.dtype)  # masked rows are 0
    middle = lax.stop_gradient(jnp.sum(b, 0, keepdims=True) / jnp.maximum(some, 1))
    a, b = a - middle, b - middle
    change = jnp.sum(a * d_a, 1)[:, None] + jnp.sum(b * d_b, 1)[None]
    change -= product(d_a, b, (1, 1)) + product(a, d_b, (1, 1))
    nothing = d == 0
    return d, jnp.where(nothing, 0, change / jnp.where(nothing, 1, d))
