"""Rows in chunks that go through one after the other, each with its share of every device's rows."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec as P

from . import devices
from .messages import message
from .types import Array


class Chunks(NamedTuple):
    """Each takes its share from each of as many groups of neighbours as there are devices, so that a sharded batch
    keeps all of them at work."""

    groups: int
    size: Any  # rows of a group
    count: Any  # chunks
    width: Any  # rows of a group in a chunk


def valid_chunk_size(chunk_size: Any) -> int:
    if isinstance(chunk_size, bool) or not isinstance(chunk_size, (int, np.integer)):
        raise TypeError(message(f"chunk_size must be an integer, got {chunk_size!r}"))
    if chunk_size < 1:
        raise ValueError(message(f"chunk_size must be at least 1, got {chunk_size}"))
    return int(chunk_size)


def chunks_of(count: Any, length: int, spread: int = 1) -> Chunks:
    """Of so many rows, which lie on as many devices, in chunks of about this length."""
    if not isinstance(count, int):  # exported for any number of rows
        return Chunks(1, count, (count + length - 1) // length, length)
    groups = math.gcd(count, spread) or 1
    width = max(1, min(count, length) // groups)
    chunks = -(-count // (groups * width))
    chunks = next((more for more in range(chunks, 2 * chunks) if count % (groups * more) == 0), chunks)
    return Chunks(groups, count // groups, chunks, -(-count // (groups * max(1, chunks))))


def grouped(x: Array, chunks: Chunks) -> Array:
    """``[rows, ...]`` as ``[groups, size, ...]``."""
    return x.reshape(chunks.groups, chunks.size, *x.shape[1:])


def cut(x: Array, chunks: Chunks) -> Array:
    """Groups as ``[chunks, rows of a chunk, ...]``, the last of them filled with 0."""
    groups, size, count, width = chunks
    tail = x.shape[2:]
    x = jnp.pad(x, [(0, 0), (0, count * width - size), *[(0, 0) for _ in tail]])
    x = jnp.moveaxis(x.reshape(groups, count, width, *tail), 1, 0)
    return x.reshape(count, groups * width, *tail)


def restored(x: Array, chunks: Chunks) -> Array:
    """The way back to groups."""
    groups, size, count, width = chunks
    tail = x.shape[2:]
    return jnp.moveaxis(x.reshape(count, groups, width, *tail), 0, 1).reshape(groups, count * width, *tail)[:, :size]


def joined(x: Array, chunks: Chunks) -> Array:
    """Groups as ``[rows, ...]``."""
    return x.reshape(chunks.groups * chunks.size, *x.shape[2:])


def cut_rows(x: Array, chunks: Chunks) -> Array:
    """``[rows, ...]`` as ``[chunks, rows of a chunk, ...]``."""
    return cut(grouped(devices.split_by_many(x), chunks), chunks)


def joined_rows(x: Array, chunks: Chunks) -> Array:
    """The way back from there."""
    return joined(restored(x, chunks), chunks)


def flattening(lead: Array) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """Ways to make one axis of all of `lead` but the last, and back.

    Explicit sharding follows where sharded axes come first, and one step at a time.
    """
    rows, place = lead.shape[:-1], jax.typeof(lead).sharding
    axes = sorted(range(len(rows)), key=lambda axis: place.spec[axis] is None)

    def flat(x: Array) -> Array:
        x = devices.split_by_many(x)
        x = x.transpose(*axes, *range(len(rows), x.ndim))
        return x.reshape(math.prod(rows), *x.shape[len(rows) :])

    def back(x: Array) -> Array:
        x = x.reshape([*(rows[axis] for axis in axes), *x.shape[1:]])
        x = x.transpose(*np.argsort(axes), *range(len(rows), x.ndim))
        by_row = P(*place.spec[:-1])
        return jax.sharding.reshard(x, NamedSharding(place.mesh, by_row)) if {*by_row} - {None} else x

    return flat, back
