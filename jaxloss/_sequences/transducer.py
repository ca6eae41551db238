"""Labels in the order of the frames, each depending on those before it: transducers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import chunks, devices, inputs
from .._contract.arrays import array
from .._contract.checks import nan_where
from .._contract.jit import jit_over_classes
from .._contract.messages import message
from .._contract.reduction import reduce
from .._contract.shapes import along, exactly, full_mask, padded, unsharded
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from . import lattice, lengths
from .emissions import log_probs_of


_CHUNK = 2**20  # logits of a chunk, or half as many numbers of its joint layer, which stands twice


@jit_over_classes
def rnnt_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    logit_lengths: ArrayLike | None = None,
    label_lengths: ArrayLike | None = None,
    blank: int = 0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Transducer loss (RNN-T): labels in order, each after any number of frames, given those before it.

    .. math::
      \ell = -\log \alpha_{T, U}, \qquad
      \alpha_{t, u} = \alpha_{t - 1, u}\, p_{t - 1, u}(\text{blank}) + \alpha_{t, u - 1}\, p_{t, u - 1}(y_u), \qquad
      \alpha_{0, 0} = 1

    where blank goes on to the next frame, and :math:`p = \mathrm{softmax}(z)`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is a sequence: losses, ``weights`` and ``mask`` have the shape of the leading axes. Lengths say which of
    its frames and labels exist; what lies beyond may hold anything. A sequence that fits no path, for want of frames or
    because logits of ``-inf`` rule all out, costs infinity and has the gradient 0. A length out of range, or a label
    that is, or is blank, makes its sequence NaN.

    Choose it for streaming speech recognition, where `ctc_loss`, which takes labels as independent given the frames,
    would need a language model beside it. Its noise model is the categorical distribution of each step. The logits are
    large: `linear_rnnt_loss` never holds them.

    Args:
      logits: scores before the softmax, ``[..., frames, labels + 1, classes]``, the joint network's output:
        ``[t, u]`` is frame ``t`` after ``u`` labels.
      labels: class indices, ``[..., labels]``.
      logit_lengths: integers ``[...]``, how many frames each sequence has. None is all.
      label_lengths: integers ``[...]``, how many labels. None is all.
      blank: the class of no label, 0 as in `ctc_loss`; torchaudio's is the last by default.

    Returns:
      The reduced loss, at least float32; per sequence with ``reduction="none"``.

    Raises:
      ValueError: if ``blank`` is no class, or ``logits`` don't fit the labels.
      TypeError: if labels or lengths aren't integers.

    Source: Graves, *Sequence transduction with recurrent neural networks* (2012), arXiv:1211.3711.

    Example:
      >>> jaxloss.rnnt_loss(jnp.zeros((1, 3, 2, 4)), jnp.array([[1]]), reduction="none")
      Array([4.446565], dtype=float32)
    """
    given = inputs.narrow("logits", logits)
    if given.ndim < 3:
        raise ValueError(message(f"logits must have shape [..., frames, labels + 1, classes], got {given.shape}"))
    given = unsharded(given, -3, -2, -1)
    shape = given.shape[:-3], given.shape[-3], given.shape[-2], given.shape[-1]
    own, frame, fit = _sequences(labels, mask, shape, logit_lengths, label_lengths, blank)
    cell = frame[..., None] & lengths.upto(shape[2], own.lengths + 1)[..., None, :]
    log_probs, fit = _of_cells(given, cell, own, blank, fit)
    return reduce(_losses(log_probs, own, frame, fit), weights, mask, reduction=reduction, axis_name=axis_name)


@jit_over_classes
def linear_rnnt_loss(
    hidden_frames: ArrayLike,
    hidden_labels: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    bias: ArrayLike | None = None,
    activation: Callable[..., Any] | None = None,
    chunk_size: int | None = None,
    logit_lengths: ArrayLike | None = None,
    label_lengths: ArrayLike | None = None,
    blank: int = 0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Transducer loss of a linear joint network, whose logits are never held in memory.

    .. math::
      \ell = \mathrm{rnnt} \left( z, y \right), \qquad z_{t, u} = \tanh(f_t + g_u) W + b

    with `rnnt_loss` of the logits of all frames :math:`f` after all numbers of labels :math:`g`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is a sequence, and lengths, impossible sequences and what doesn't fit are as in `rnnt_loss`.

    Choose it for every transducer that ends in such a layer: the logits, of which there are frames times labels times
    classes, would be the largest array of the program. Frames go through in chunks, whose logits are computed again on
    the way back: four products instead of three. Its noise model is that of `rnnt_loss`.

    Args:
      hidden_frames: what the encoder makes of the frames, ``[..., frames, features]``.
      hidden_labels: what the predictor makes of the labels so far, ``[..., labels + 1, features]``.
      kernel: ``[features, classes]``, as Flax keeps it.
      labels: class indices, ``[..., labels]``.
      bias: ``[classes]``. None is 0.
      activation: a function of arrays, number by number. None is ``jnp.tanh``.
      chunk_size: how many frames of all sequences go through at once. By default as many as have a million logits, and
        half as many numbers of the joint layer.
      logit_lengths: integers ``[...]``, how many frames each sequence has. None is all.
      label_lengths: integers ``[...]``, how many labels. None is all.
      blank: the class of no label.

    Returns:
      The reduced loss, at least float32; per sequence with ``reduction="none"``.

    Raises:
      ValueError: if ``blank`` is no class, or an argument doesn't fit the others.
      TypeError: if labels, lengths or ``chunk_size`` aren't integers.

    Source: Graves, *Sequence transduction with recurrent neural networks* (2012), arXiv:1211.3711.

    Example:
      >>> frames, so_far = jnp.zeros((1, 3, 2)), jnp.ones((1, 2, 2))
      >>> kernel = jnp.array([[1.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
      >>> jaxloss.linear_rnnt_loss(frames, so_far, kernel, jnp.array([[1]]), reduction="none")
      Array([2.0878396], dtype=float32)
    """
    f, g, head, offset = _operands(hidden_frames, hidden_labels, kernel, bias)
    shape = f.shape[:-2], f.shape[-2], g.shape[-2], head.shape[1]
    own, frame, fit = _sequences(labels, mask, shape, logit_lengths, label_lengths, blank, "hidden_labels")
    place = lengths.upto(shape[2], jnp.where(frame[..., :1].any(-1), own.lengths + 1, 0))
    fit &= ~lengths.any_nan(f, frame) & ~lengths.any_nan(g, place)
    f, g = lengths.cleared(f, frame, fit), lengths.cleared(g, place, fit)
    act = activation or jnp.tanh
    f, g, head, offset, frame, place, own, fit = devices.alike((f, g, head, offset, frame, place, own, fit))
    dtype = head.dtype if head.dtype == jnp.asarray(hidden_frames).dtype else f.dtype

    def of_chunk(chunk: tuple[Array, Array]) -> Array:
        f, frame = chunk
        joint = act(f[..., :, None, :] + g[..., None, :, :]).astype(dtype)
        products = ((joint.ndim - 1,), (0,)), ((), ())
        logits = lax.dot_general(joint, head.astype(dtype), products, preferred_element_type=f.dtype)
        logits = logits if offset is None else logits + along(offset, logits.ndim, logits.ndim - 1)
        return _of_cells(logits, frame[..., None] & place[..., None, :], own, blank, fit)[0]

    plan = chunks.chunks_of(shape[1], _frames_of_chunk(chunk_size, f, g, head))

    def cut(x: Array, axis: int) -> Array:
        return jnp.moveaxis(chunks.cut(jnp.moveaxis(x, axis, 0)[None], plan), 1, axis)

    whole = jax.checkpoint(of_chunk, prevent_cse=False)
    log_probs = jnp.moveaxis(lax.map(whole, (cut(f, -2), cut(frame, -1))), -3, 1)
    log_probs = jnp.moveaxis(chunks.restored(log_probs, plan)[0], 0, -3)
    return reduce(_losses(log_probs, own, frame, fit), weights, mask, reduction=reduction, axis_name=axis_name)


def _sequences(
    labels: ArrayLike,
    mask: ArrayLike | None,
    shape: tuple[tuple[int, ...], Any, Any, Any],
    logit_lengths: ArrayLike | None,
    label_lengths: ArrayLike | None,
    blank: int,
    name: str = "logits",
) -> tuple[lengths.Labels, Array, Array]:
    """Labels, which frames exist, and which sequences fit."""
    rows, frames, places, classes = shape
    exists = full_mask(mask, rows)
    own = lengths.labels_of(labels, label_lengths, classes, exists, blank=blank)
    wanted = (*rows, places - 1)
    exactly("labels", own.labels, wanted, f"shape {wanted}, one label less than the places of {name}")
    count, fit = lengths.lengths_of("logit_lengths", logit_lengths, frames, exists)
    return own, lengths.upto(frames, count), own.fit & fit


def _of_cells(logits: Array, cell: Array, own: lengths.Labels, blank: int, fit: Array) -> tuple[Array, Array]:
    """The log-probabilities of blank and of the next label, at each place; and which sequences fit.

    Frames and labels are one axis here.
    """
    shape, rank = cell.shape, fit.ndim
    following = padded(own.labels, 0, 1, 0)
    symbols = jnp.stack([jnp.full_like(following, blank), following], -1)[..., None, :, :]
    symbols = jnp.broadcast_to(symbols, (*shape, 2))

    def joined(x: Array) -> Array:
        return x.reshape(*shape[:rank], shape[rank] * shape[rank + 1], *x.shape[rank + 2 :])

    log_probs, fit = log_probs_of(joined(logits), joined(cell), joined(symbols), fit)
    return log_probs.reshape(*shape, 2), fit


def _losses(log_probs: Array, own: lengths.Labels, frame: Array, fit: Array) -> Array:
    """From the log-probabilities ``[..., frames, labels + 1, 2]`` of blank and of the next label.

    By diagonals: all that lies as many steps from the start is found at once. Beyond the last frame blank is certain
    and no label possible, nor one beyond the last: so what has arrived slides on, to the end of its column.
    """
    blank = jnp.where(frame[..., None], log_probs[..., 0], 0)
    following = frame[..., None] & lengths.upto(log_probs.shape[-2], own.lengths)[..., None, :]
    label = jnp.where(following, log_probs[..., 1], -jnp.inf)

    def step(alpha: Array, log_probs: tuple[Array, Array]) -> Array:
        blank, label = log_probs
        return lattice.log_add(alpha + blank, lattice.shifted_in(alpha + label)[..., :-1])

    xs = lattice.diagonals(blank, 0), lattice.diagonals(label, -jnp.inf)
    start = lattice.first_only(lattice.zeros_before(xs[0]))
    alpha, level = lattice.scanned(step, start, xs)
    return nan_where(~fit, lattice.nll(lattice.at(alpha, own.lengths) + level))


def _operands(
    hidden_frames: ArrayLike, hidden_labels: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None
) -> tuple[Array, Array, Array, Array | None]:
    f = inputs.floating("hidden_frames", hidden_frames)
    g = inputs.floating("hidden_labels", hidden_labels).astype(f.dtype)
    if f.ndim < 2:
        raise ValueError(message(f"hidden_frames must have shape [..., frames, features], got {f.shape}"))
    lengths.same_but_in_length("hidden_labels", g, f, "labels + 1")
    head = inputs.kernel_for("hidden_frames", f, kernel)
    offset = None if bias is None else array("bias", bias).astype(f.dtype)
    if offset is not None:
        exactly("bias", offset, head.shape[1:], f"shape {head.shape[1:]}")
    f, g, head = (unsharded(x, -2, -1) for x in (f, g, head))
    return f, g, head, offset


def _frames_of_chunk(chunk_size: int | None, f: Array, g: Array, head: Array) -> int:
    """How many frames of each sequence go through at once."""
    if chunk_size is None:
        places: tuple[Any, ...] = (*f.shape[:-2], g.shape[-2])
        known = all(isinstance(n, int) for n in (*places, *head.shape))
        chunk_size = max(1, _CHUNK // max(1, math.prod(places) * max(2 * head.shape[0], head.shape[1]))) if known else 8
    return chunks.valid_chunk_size(chunk_size)
