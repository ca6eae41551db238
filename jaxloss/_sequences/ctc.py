"""Labels in the order of the frames, without knowing which frame has which."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import inputs
from .._contract.checks import nan_where
from .._contract.jit import jit_over_classes
from .._contract.messages import message
from .._contract.reduction import reduce
from .._contract.shapes import full_mask, padded, unsharded
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from . import lattice, lengths
from .emissions import log_probs_of


@jit_over_classes
def ctc_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    logit_lengths: ArrayLike | None = None,
    label_lengths: ArrayLike | None = None,
    blank: int = 0,
    zero_infinity: bool = False,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Connectionist temporal classification: labels in order, at frames that nobody has marked.

    .. math::
      \ell = -\log \sum_{\pi : B(\pi) = y} \prod_t \mathrm{softmax}(z_t)_{\pi_t}

    where :math:`B` merges what repeats in the frames' classes :math:`\pi` and drops the blanks.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is a sequence: losses, ``weights`` and ``mask`` have the shape of the leading axes. Lengths say which of
    its frames and labels exist; what lies beyond may hold anything. Of paddings or a mask on the right they are the
    sum: ``logit_lengths=frame_mask.sum(-1)``. A sequence that fits no path, having fewer frames than labels and repeats
    between them, costs infinity and has the gradient 0; so does one whose paths all lead through logits of ``-inf``. A
    length out of range, or a label that is, or is blank, makes its sequence NaN.

    Choose it for speech or handwriting, where labels are fewer than frames and in their order; its noise model takes
    the frames as independent, given the logits. `rnnt_loss` lets a label depend on those before it. PyTorch's
    ``"mean"`` divides each loss by its label length first: ``reduce(losses / jnp.maximum(label_lengths, 1))`` of
    ``reduction="none"``. The mean per label is ``losses.sum() / label_lengths.sum()``.

    Args:
      logits: scores before the softmax, ``[..., frames, classes]``; log-probabilities are welcome, they are their own
        log-softmax. A logit of ``-inf`` rules its class out.
      labels: class indices, ``[..., labels]``.
      logit_lengths: integers ``[...]``, how many frames each sequence has. None is all.
      label_lengths: integers ``[...]``, how many labels. None is all.
      blank: the class of no label, 0 as in PyTorch and Optax.
      zero_infinity: whether sequences that fit no path cost 0. They count in the mean even so: mask them to leave them
        out.

    Returns:
      The reduced loss, at least float32; per sequence with ``reduction="none"``.

    Raises:
      ValueError: if ``blank`` is no class.
      TypeError: if labels or lengths aren't integers.

    Source: Graves et al., *Connectionist temporal classification* (2006), doi:10.1145/1143844.1143891.

    Example:
      >>> logits = jnp.array([[[0.0, 2.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 2.0]]])
      >>> jaxloss.ctc_loss(logits, jnp.array([[1, 2]]), reduction="none")
      Array([0.450669], dtype=float32)
      >>> jaxloss.ctc_loss(logits, jnp.array([[1, 1]]), logit_lengths=jnp.array([2]))
      Array(inf, dtype=float32)
    """
    given = inputs.narrow("logits", logits)
    if given.ndim < 2:
        raise ValueError(message(f"logits must have shape [..., frames, classes], got {given.shape}"))
    given = unsharded(given, -2, -1)
    exists = full_mask(mask, given.shape[:-2])
    own = lengths.labels_of(labels, label_lengths, given.shape[-1], exists, blank=blank)
    frames, fit = lengths.lengths_of("logit_lengths", logit_lengths, given.shape[-2], exists)
    frame = lengths.upto(given.shape[-2], frames)
    symbols = padded(own.labels, 0, 1, blank)
    log_probs, fit = log_probs_of(given, frame, symbols[..., None, :], own.fit & fit)
    # Beyond the last frame blank is certain, so that nothing has to be selected in the loop.
    is_last = lengths.places(symbols.shape[-1], symbols.ndim) == own.labels.shape[-1]
    certain = jnp.where(is_last, 0.0, -jnp.inf).astype(log_probs.dtype)
    log_probs = jnp.where(frame[..., None], log_probs, certain[..., None, :])
    log_p = _log_likelihood(jnp.moveaxis(log_probs, -2, 0), own)
    losses = lattice.nll(log_p, 0 if zero_infinity else jnp.inf)
    return reduce(nan_where(~fit, losses), weights, mask, reduction=reduction, axis_name=axis_name)


def _log_likelihood(log_probs: Array, own: lengths.Labels) -> Array:
    """Of the labels, from the log-probabilities ``[frames, ..., labels + 1]`` of them and of blank.

    The states are: so many labels done, after a blank or in the last of them.
    """
    repeats = own.labels == lattice.shifted_in(own.labels, -1)[..., :-1]

    def step(states: tuple[Array, Array], log_probs: Array) -> tuple[Array, Array]:
        after_blank, in_label = states
        done = lattice.log_add(after_blank, lattice.shifted_in(in_label))
        enter = jnp.where(repeats, after_blank[..., :-1], done[..., :-1])
        return done + log_probs[..., -1:], lattice.log_add(enter, in_label) + log_probs[..., :-1]

    zeros = lattice.zeros_before(log_probs)
    start = lattice.first_only(zeros), zeros[..., :-1] - jnp.inf
    (after_blank, in_label), level = lattice.scanned(step, start, log_probs)
    return lattice.at(lattice.log_add(after_blank, lattice.shifted_in(in_label)), own.lengths) + level
