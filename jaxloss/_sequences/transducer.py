"""Labels in the order of the frames, each depending on those before it: transducers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .._contract import devices, inputs
from .._contract.checks import array, message, nan_where
from .._contract.chunks import valid_chunk_size
from .._contract.jit import jit_over_classes
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.derivatives import at_least
from . import lattice, lengths
from .emissions import log_probs_of


_CELLS = 1024  # of frames x labels x sequences in a chunk


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
    given = lengths.in_one_place(given, 3)
    shape = given.shape[:-3], given.shape[-3], given.shape[-2], given.shape[-1]
    own, frame, fit = _sequences(labels, mask, shape, logit_lengths, label_lengths, blank)
    cell = frame[..., None] & lengths.upto(shape[2], own.lengths + 1)[..., None, :]
    log_probs, fit = _of_cells(given, cell, own, blank, fit)
    return reduce(
        nan_where(~fit, _losses(log_probs, own, frame)), weights, mask, reduction=reduction, axis_name=axis_name
    )


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
      chunk_size: how many frames of all sequences go through at once. By default about 1000 places of the lattice.
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
    fit &= ~_any_nan(f, frame) & ~_any_nan(g, place)
    # A sequence that doesn't fit keeps everything, so that its slopes are NaN everywhere.
    keep = ~fit[..., None]
    f = jnp.where((frame | keep)[..., None], f, 0)
    g = jnp.where((place | keep)[..., None], g, 0)
    act = activation or jnp.tanh
    f, g, head, offset, frame, place, own, fit = devices.alike((f, g, head, offset, frame, place, own, fit))
    dtype = head.dtype if head.dtype == jnp.asarray(hidden_frames).dtype else f.dtype

    def of_chunk(chunk: tuple[Array, Array]) -> Array:
        f, frame = chunk
        joint = act(f[..., :, None, :] + g[..., None, :, :]).astype(dtype)
        products = ((joint.ndim - 1,), (0,)), ((), ())
        logits = lax.dot_general(joint, head.astype(dtype), products, preferred_element_type=f.dtype)
        logits = logits if offset is None else logits + jnp.expand_dims(offset, tuple(range(logits.ndim - 1)))
        return _of_cells(logits, frame[..., None] & place[..., None, :], own, blank, fit)[0]

    width, count = _chunks(chunk_size, f, g)
    whole = jax.checkpoint(of_chunk, prevent_cse=False)
    log_probs = _joined(lax.map(whole, (_cut(f, -2, width, count), _cut(frame, -1, width, count))), fit.ndim, shape[1])
    return reduce(
        nan_where(~fit, _losses(log_probs, own, frame)), weights, mask, reduction=reduction, axis_name=axis_name
    )


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
    lengths.valid_blank(blank, classes)
    exists = lengths.existing(mask, rows)
    own = lengths.labels_of(labels, label_lengths, classes, exists, blank=blank)
    if own.labels.shape[-1] + 1 != places:
        hint = f"{own.labels.shape[-1]} labels make {own.labels.shape[-1] + 1} places"
        raise ValueError(message(f"labels must be one less than the places of {name}, {places}; {hint}"))
    count, fit = lengths.lengths_of("logit_lengths", logit_lengths, frames, exists)
    return own, lengths.upto(frames, count), own.fit & fit


def _of_cells(logits: Array, cell: Array, own: lengths.Labels, blank: int, fit: Array) -> tuple[Array, Array]:
    """The log-probabilities of blank and of the next label, at each place; and which sequences fit.

    Frames and labels are one axis here.
    """
    shape, rank = cell.shape, fit.ndim
    following = jnp.pad(own.labels, [(0, 0)] * rank + [(0, 1)])
    symbols = jnp.stack([jnp.full_like(following, blank), following], -1)[..., None, :, :]
    symbols = jnp.broadcast_to(symbols, (*shape, 2))

    def joined(x: Array) -> Array:
        return x.reshape(*shape[:rank], shape[rank] * shape[rank + 1], *x.shape[rank + 2 :])

    log_probs, fit = log_probs_of(joined(logits), joined(cell), joined(symbols), fit)
    return log_probs.reshape(*shape, 2), fit


def _losses(log_probs: Array, own: lengths.Labels, frame: Array) -> Array:
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
    log_p = lattice.at(alpha, own.lengths) + level
    impossible = log_p == -jnp.inf
    return jnp.where(impossible, jnp.inf, at_least(-jnp.where(impossible, 0, log_p), 0))


def _any_nan(x: Array, exists: Array) -> Array:
    return jnp.any(jnp.isnan(x) & exists[..., None], (-2, -1))


def _operands(
    hidden_frames: ArrayLike, hidden_labels: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None
) -> tuple[Array, Array, Array, Array | None]:
    f = inputs.floating("hidden_frames", hidden_frames)
    g = inputs.floating("hidden_labels", hidden_labels).astype(f.dtype)
    head = inputs.narrow("kernel", kernel)
    if f.ndim < 2:
        raise ValueError(message(f"hidden_frames must have shape [..., frames, features], got {f.shape}"))
    if g.ndim != f.ndim or g.shape[:-2] != f.shape[:-2] or g.shape[-1] != f.shape[-1]:
        wanted = f"({', '.join(map(str, (*f.shape[:-2], 'labels + 1', f.shape[-1])))})"
        raise ValueError(message(f"hidden_labels must have shape {wanted}, got {g.shape}"))
    if head.ndim != 2 or head.shape[0] != f.shape[-1]:
        raise ValueError(message(f"kernel must have shape ({f.shape[-1]}, classes), got {head.shape}"))
    offset = None if bias is None else array("bias", bias).astype(f.dtype)
    if offset is not None and offset.shape != head.shape[1:]:
        raise ValueError(message(f"bias must have shape {head.shape[1:]}, got {offset.shape}"))
    return lengths.in_one_place(f, 2), lengths.in_one_place(g, 2), lengths.in_one_place(head, 2), offset


def _chunks(chunk_size: int | None, f: Array, g: Array) -> tuple[Any, Any]:
    """How many frames of each sequence go through at once, and how often."""
    frames = f.shape[-2]
    if chunk_size is None:
        cells: Any = (
            np.prod([*f.shape[:-2], g.shape[-2]]) if all(isinstance(n, int) for n in (*f.shape, *g.shape)) else 0
        )
        chunk_size = max(1, _CELLS // max(1, int(cells))) if cells else 8
    width = valid_chunk_size(chunk_size)
    if isinstance(frames, int):
        width = max(1, -(-frames // max(1, -(-frames // width))))  # even ones
    return width, (frames + width - 1) // width


def _cut(x: Array, axis: int, width: Any, count: Any) -> Array:
    """``[..., frames, ...]`` as ``[chunks, ..., frames of a chunk, ...]``."""
    axis %= x.ndim
    padding = [(0, count * width - size) if place == axis else (0, 0) for place, size in enumerate(x.shape)]
    x = jnp.pad(x, padding).reshape(*x.shape[:axis], count, width, *x.shape[axis + 1 :])
    return jnp.moveaxis(x, axis, 0)


def _joined(x: Array, axis: int, frames: Any) -> Array:
    x = jnp.moveaxis(x, 0, axis)
    x = x.reshape(*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2 :])
    return lax.slice_in_dim(x, 0, frames, axis=axis)
