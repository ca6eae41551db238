"""Log-probabilities of the few classes that a lattice asks for, at each of its places."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from .._contract import classes
from .._contract.arrays import widened
from .._contract.checks import nan_where
from .._contract.types import Array
from .._numerics.derivatives import unfused
from .._numerics.softmax import log_sum_exp, present, row_max, shifted


def log_probs_of(given: Array, exist: Array, symbols: Array, fit: Array) -> tuple[Array, Array]:
    """From logits ``[..., places, classes]`` those of symbols, which fit axis by axis; 0 where no place exists.

    And which sequences fit, now that the logits are known to hold no NaN. Slopes are scattered: compared with every
    class they would each be an array of the logits' size, which XLA for CPUs adds up in memory.
    """
    axis = given.ndim - 1
    reads = classes.reads(given.astype(widened(given)), given, exist[..., None])
    top = present(row_max(reads.top.astype(reads.scores.dtype), axis), reads)
    fit = fit & ~jnp.any(jnp.isnan(log_sum_exp(reads, top, axis)), tuple(range(fit.ndim, given.ndim)))
    return _log_probs(reads, top, symbols, jnp.expand_dims(fit, tuple(range(fit.ndim, given.ndim)))), fit


@jax.custom_jvp
def _log_probs(reads: classes.Reads, top: Array, symbols: Array, fit: Array) -> Array:
    axis = top.ndim - 1
    return present(shifted(_entries(reads.scores, symbols), top) - log_sum_exp(reads, top, axis), reads)


@_log_probs.defjvp
def _(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    """What doesn't fit spoils the slope of every entry of its sequence."""
    (reads, top, symbols, fit), d_z = primals, tangents[0].scores
    axis = top.ndim - 1
    # Spoilt in what is small: the softmax itself, wanted twice, would be written to memory.
    log_normalizer = nan_where(~fit, log_sum_exp(reads, top, axis))
    softmax = jnp.exp(shifted(present(reads.scores, reads), top) - log_normalizer)
    # Unfused: the sum of products, beside a gather, XLA for CPUs gets wrong beyond 256 batches of a `vmap`.
    change = _entries(d_z, symbols) - jnp.sum(unfused(softmax * d_z), axis, keepdims=True)
    return _log_probs(*primals), jnp.where(reads.exists | ~fit, change, 0)


def _entries(x: Array, symbols: Array) -> Array:
    return jnp.take_along_axis(x, symbols, x.ndim - 1, mode="promise_in_bounds")
