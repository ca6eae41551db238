"""How many pixels of a region are right and wrong: true and false positives, false negatives, or squares."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp

from .._contract import classes
from .._contract.arrays import real
from .._contract.types import Array
from .._numerics import sums
from . import regions
from .regions import Regions


def share_of_wrong(wrong: Array, right: Array) -> Array:
    """``1 - right / (right + wrong)`` without the subtraction; 0 of nothing."""
    return regions.share(wrong, wrong + right)


def sums_of(r: Regions, squared: bool, present: bool) -> tuple[list[Array], Array]:
    """What `_pooled` says of each region, over all devices, and which regions exist."""
    each = _pooled(r.probs, r.labels, r.layout.class_axis, r.layout.pooled, squared, present)
    return regions.across(r.layout, each, regions.has_pixels(r))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2, 3, 4, 5))
def _pooled(p: Array, y: Array, axis: int, pooled: tuple[int, ...], squared: bool, present: bool) -> list[Array]:
    """Sums over the pixels of a region: true and false positives, false negatives, or squares; labels.

    XLA for CPUs would write out what several plain sums share.
    """
    return sums.pooled(_terms(p, y, axis, squared, present), pooled)


@_pooled.defjvp
def _(axis: Any, pooled: tuple[int, ...], squared: bool, present: bool, primals: Any, tangents: Any) -> Any:
    p, y = primals
    if real(y) or squared:
        terms = functools.partial(_terms, axis=axis, squared=squared, present=present)
        changes = [jnp.sum(change, pooled) for change in jax.jvp(terms, primals, tangents)[1]]
    else:  # linear, with one selection on the way back where three sums have three
        hit = jnp.sum(jnp.where(classes.is_label(p, y, axis), tangents[0], 0), pooled)
        changes = [hit, jnp.sum(tangents[0], pooled) - hit, -hit, *[jnp.zeros_like(hit)] * present]
    return _pooled(*primals, axis, pooled, squared, present), changes


def _terms(p: Array, y: Array, axis: Any, squared: bool, present: bool) -> list[Array]:
    one = 1 + 0 * p  # JAX differentiates no reduction of which a part is constant
    if real(y):
        terms = [p * y, jnp.square(p - y)] if squared else [p * y, p * (1 - y), (1 - p) * y]
        return [*terms, one * y] if present else terms
    hit = classes.is_label(p, y, axis)
    wrong = [jnp.square(jnp.where(hit, 1 - p, p))] if squared else [jnp.where(hit, 0, p), jnp.where(hit, 1 - p, 0)]
    return [jnp.where(hit, p, 0), *wrong, *[jnp.where(hit, one, 0)] * present]
