"""What a softmax says of each row: log-probabilities, log-normalizer, entropy and prediction, from one reading."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .._contract import classes, devices
from .._contract.checks import array, message, nan_unless, real, report, widened
from .._contract.jit import jit, jit_over_classes
from .._contract.reduction import reduce
from .._contract.shapes import bool_mask, reshape_hint
from .._contract.types import Array, ArrayLike, AxisName, Positive, Reduction
from .._numerics.entropy import entries, entropy, log_normalizer_of, several_log_probs, top_of
from .._numerics.softmax import hard_nll
from .linear_cross_entropy import (
    _as_varying,
    _chunk_size,
    _chunked,
    _each,
    _Layer,
    _logits,
    _operands,
    _Tokens,
)


class LogProbs(NamedTuple):
    """What a softmax says of each row.

    Attributes:
      log_probs: the logarithm of the probability of the row's label, or of each of its labels; at most 0.
      log_normalizer: the logarithm of the sum of the exponentials of the logits.
      entropy: of the softmax, in nats; at least 0.
      predicted: int32, the class of the largest logit, the first one of equals.
    """

    log_probs: Array
    log_normalizer: Array
    entropy: Array
    predicted: Array


@jit
def softmax_entropy(
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_mask: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Entropy of the softmax, in nats: how unsure a classifier or a policy is.

    .. math::
      \ell = -\sum_c p_c \log p_c \qquad\text{with}\qquad p = \mathrm{softmax}(z)
    """
    reads, axis = classes.unlabelled(mask, logits=logits, axis=axis, class_mask=class_mask)
    top = top_of(reads, axis).finite
    losses = jnp.squeeze(entropy(reads, top, log_normalizer_of(reads, top, axis), axis), axis)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit_over_classes
def softmax_log_probs(
    logits: ArrayLike,
    labels: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_mask: ArrayLike | None = None,
    class_axis_name: AxisName | None = None,
) -> LogProbs:
    r"""Log-probabilities of labels under a softmax, with its log-normalizer, its entropy and its prediction.
    """
    devices.splits_classes(class_axis_name, None)
    reads, axis = classes.unlabelled(mask, logits=logits, axis=axis, class_mask=class_mask)
    labels, poison, several = _targets(
        labels, "logits", reads.scores, axis, reads.exists, reads.class_mask, class_axis_name
    )
    return _squeezed(_fields(reads, labels, poison, axis, class_axis_name), several, axis)


@jit_over_classes
def linear_log_probs(
    hidden: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    mask: ArrayLike | None = None,
    *,
    bias: ArrayLike | None = None,
    soft_cap: Positive | None = None,
    chunk_size: int | None = None,
    class_axis_name: AxisName | None = None,
) -> LogProbs:
    r"""`softmax_log_probs` of a linear layer's logits, which are never held in memory.
    """
    devices.splits_classes(class_axis_name, None)
    hidden, kernel, bias = _operands(hidden, kernel, bias)
    rows, dtype = hidden.shape[:-1], widened(hidden)
    logits = jax.ShapeDtypeStruct((*rows, kernel.shape[1]), dtype)
    masked = mask is not None
    exists = jnp.broadcast_to(bool_mask(mask, rows) if masked else True, rows)
    labels, poison, several = _targets(
        labels, "hidden @ kernel", logits, len(rows), exists[..., None] if masked else None, None, class_axis_name
    )
    if masked:
        hidden = jnp.where(exists[..., None], hidden, 0)
    tokens = _Tokens(hidden, labels, poison, jnp.ones(rows, dtype), exists)
    tokens, layer = _as_varying(tokens, _Layer(kernel, bias, soft_cap, None, None), class_axis_name)
    chunks, restore = _chunked(tokens, rows, _chunk_size(chunk_size, hidden.shape[-1], "none"), masked)
    of_tokens = functools.partial(_token_fields, axis_name=class_axis_name)
    return _squeezed(jax.tree.map(restore, _each(of_tokens, chunks, layer, masked)), several, len(rows))


def _targets(
    labels: ArrayLike,
    name: str,
    scores: Array | jax.ShapeDtypeStruct,
    axis: int,
    exists: Array | None,
    allowed: Array | None,
    axis_name: AxisName | None,
) -> tuple[Array, Array, bool]:
    """Labels in range along the class axis, counting the classes of all devices; for each 0, or NaN if it doesn't fit;
    and whether rows have several."""
    labels = array("labels", labels)
    shape = scores.shape
    rows = shape[:axis] + shape[axis + 1 :]
    if real(labels):
        hint = "; of probabilities take jnp.argmax along the class axis"
        raise TypeError(
            message(f"labels must be integers of shape {rows}, got {labels.dtype} of shape {labels.shape}{hint}")
        )
    several = labels.ndim == len(shape) and labels.shape[:axis] + labels.shape[axis + 1 :] == rows
    if not several and labels.shape != rows:
        many = ", ".join(map(str, (*shape[:axis], "k", *shape[axis + 1 :])))
        hint = reshape_hint(labels.shape, rows, whole=True)
        raise ValueError(
            message(
                f"labels must be integers of shape {rows}, or ({many}) for k classes of each row, to fit {name} of shape "
                f"{shape}, got {labels.dtype} of shape {labels.shape}{hint}"
            )
        )
    count = shape[axis] * devices.axis_size(axis_name)
    given = labels if several else jnp.expand_dims(labels, axis)
    fits = (given >= 0) & (given < count)
    index = jnp.where(fits, given, 0).astype(jnp.int32)
    hint = ""
    if allowed is not None:
        hint = ", in classes that class_mask allows"
        spread = allowed | jnp.zeros_like(scores, bool)
        fits &= entries(spread.astype(jnp.int32), index, axis, axis_name) > 0
    if exists is not None:
        fits |= ~exists
    seen = (given, fits) if several else (labels, jnp.squeeze(fits, axis))
    report("labels", *seen, f"lie in [0, {count}){hint}")
    return index, nan_unless(fits, scores.dtype), several


def _fields(
    reads: classes.Reads, labels: Array, poison: Array, axis: int, axis_name: AxisName | None = None
) -> LogProbs:
    """Rows keep the class axis, at size 1, or that of their labels."""
    top, own = top_of(reads, axis, axis_name), reads.scores.shape[axis]
    if labels.shape[axis] == 1:
        local = devices.local_index(labels, own, axis_name)
        nll, log_normalizer = hard_nll(reads, top.finite, local, axis, axis_name)
        log_probs = -nll
    else:
        log_probs, log_normalizer = several_log_probs(reads, top.finite, top.place, labels, axis, axis_name)
    log_probs = log_probs * (1 + poison)  # in the slope as well
    entropies = entropy(reads, top.finite, log_normalizer, axis, axis_name)
    fields = LogProbs(log_probs, top.given + log_normalizer, entropies, top.place)
    if reads.exists is None:
        return fields
    return LogProbs(*(jnp.where(reads.exists, field, 0) for field in fields))


def _squeezed(fields: LogProbs, several: bool, axis: int) -> LogProbs:
    log_probs, *rest = fields
    return LogProbs(log_probs if several else jnp.squeeze(log_probs, axis), *(jnp.squeeze(x, axis) for x in rest))


def _token_fields(products: Array, tokens: _Tokens, layer: _Layer, axis_name: AxisName | None) -> LogProbs:
    reads = classes.reads(_logits(products, layer), exists=tokens.exists[:, None])
    return _fields(reads, tokens.labels, tokens.poison, 1, axis_name)
