"""What a softmax says of each row: log-probabilities, log-normalizer, entropy and prediction, from one reading."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from .._contract import classes, devices
from .._contract.arrays import array, indices
from .._contract.checks import nan_unless, report
from .._contract.jit import jit_over_classes
from .._contract.messages import message
from .._contract.shapes import bool_mask, reshape_hint
from .._contract.types import Array, ArrayLike, AxisName, Positive
from .._contract.weights import nan_unless_bool
from .._numerics.entropy import entries, entropy, several_log_probs, top_of
from .._numerics.nll import hard_nll
from . import linear_head
from .linear_head import Layer, Tokens


class LogProbs(NamedTuple):
    """What a softmax says of each row.

    Attributes:
      log_probs: the logarithm of the probability of the row's label, or of each of its labels; at most 0.
      log_normalizer: the logarithm of the sum of the exponentials of the logits.
      entropy: of the softmax, in nats; at least 0.
      predicted: int32, the class of the largest logit, the first one of equals; 0 where all classes are ruled out.

    Example:
      >>> jaxloss.softmax_log_probs(jnp.array([1.0, 1.0]), jnp.array(1)).entropy
      Array(0.6931472, dtype=float32)
    """

    log_probs: Array
    log_normalizer: Array
    entropy: Array
    predicted: Array


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

    .. math::
      \log p_y = z_y - \log \textstyle\sum_c e^{z_c} \qquad
      \log \textstyle\sum_c e^{z_c} \qquad
      -\sum_c p_c \log p_c \qquad
      \arg\max_c z_c

    Choose it where a loss needs the log-probabilities themselves, as those of preferences and policies do, or where
    beside `cross_entropy` its parts are logged. What isn't used costs nothing, and the first three can be
    differentiated in any combination. The numbers are those of `cross_entropy` and `softmax_entropy`: a sure row keeps
    its digits, log-probabilities are at most 0 and entropies at least 0. Sums over rows are the caller's, by
    `jaxloss.reduce`, with the mask once more.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``. A logit of ``-inf`` rules its
        class out.
      labels: class indices, the logits' shape without the class axis; or several for each row, such as a teacher's
        best, along an axis in the class axis' place: ``[..., k]``, or ``[batch, k, height, width]`` with ``axis=1``.
      mask: which rows exist: bool, or 0 and 1; a scalar, or the rank of the rows with each dimension equal or 1. The
        others are 0 in every field and reach no derivative, whatever they hold.
      axis: the class axis.
      class_mask: bool, ``[classes]`` or the logits' rank with each dimension equal or 1; classes that are False take no
        part, whatever their logits hold. A label among them is out of range.
      class_axis_name: axis of a surrounding ``shard_map`` over whose devices the classes are split, as in
        `cross_entropy`. The labels and the prediction count the classes of all devices.

    Returns:
      `LogProbs` of arrays in the shape of the logits without the class axis, at least float32; ``log_probs`` in that of
      the labels. A label out of range makes its own log-probability NaN, and the gradient that goes through it.

    Raises:
      TypeError: if the labels aren't integers.
      ValueError: if ``class_axis_name`` is no axis of a surrounding ``shard_map``.

    Source: Bishop, *Pattern Recognition and Machine Learning* (2006), section 4.3.4.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> labels = jnp.array([0, 1])
      >>> each = jaxloss.softmax_log_probs(logits, labels)
      >>> loss = -jaxloss.reduce(each.log_probs)
      >>> loss, jnp.exp(loss)  # `cross_entropy`, and the perplexity
      (Array(2.6264653, dtype=float32), Array(13.824818, dtype=float32))
      >>> jaxloss.reduce(each.predicted == labels)  # the accuracy
      Array(0.5, dtype=float32)
      >>> 1e-4 * jaxloss.reduce(each.log_normalizer**2)  # the part of a z-loss
      Array(0.00150748, dtype=float32)
      >>> jaxloss.softmax_log_probs(logits, jnp.array([[0, 1], [2, 1]])).log_probs
      Array([[-0.23954476, -2.2395449 ],
             [-0.0133859 , -5.013386  ]], dtype=float32)
    """
    devices.splits_classes(class_axis_name, None)
    reads, axis = classes.unlabelled(mask, logits=logits, axis=axis, class_mask=class_mask)
    labels, poison, several = _targets(
        labels, "logits", reads.scores, axis, reads.exists, reads.class_mask, class_axis_name
    )
    return _finished(_fields(reads, labels, poison, axis, class_axis_name), mask, several, axis)


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
    r"""Log-probabilities of labels under the softmax of a linear layer, and all of `softmax_log_probs`, without logits.

    .. math::
      z = s \tanh \left( (h W + b) / s \right)

    with the soft cap :math:`s` only where it is given.

    Choose it for the head of a language model: to train by preferences or by a policy's gradient, whose losses take
    log-probabilities; to distill from the ``k`` best classes of a teacher; or to log what the head says beside its
    loss. A second pass through the head would cost as much as the first. It takes the memory of
    ``linear_cross_entropy(reduction="none")``, and as many products: four with the gradients, where one number of
    `linear_cross_entropy` takes three.

    Args:
      hidden: what the layer gets, ``[..., features]``.
      kernel: ``[features, classes]``, as Flax keeps it. Products of two half-precision arrays add up in float32, and so
        does the gradient of the kernel, over all chunks.
      labels: class indices ``[...]``, or several for each token, ``[..., k]``.
      mask: which tokens exist: bool, or 0 and 1; a scalar, or the rank of the tokens with each dimension equal or 1.
        The others are 0 in every field and reach no derivative, whatever they hold. Chunks without any cost nothing.
      bias: ``[classes]``.
      soft_cap: above 0, the logits' largest size (Gemma 2 takes 30).
      chunk_size: how many tokens go through at once, over all devices; as in `linear_cross_entropy`.
      class_axis_name: axis of a surrounding ``shard_map`` over whose devices the classes are split, as in
        `linear_cross_entropy`. The labels and the prediction count the classes of all devices.

    Returns:
      `LogProbs` of arrays in the shape of ``hidden`` without its last axis, at least float32; ``log_probs`` in that of
      the labels. A label out of range makes its own log-probability NaN, and the gradient that goes through it. A
      temperature is ``hidden``, ``bias`` and ``soft_cap`` divided by it.

    Raises:
      ValueError: if ``kernel`` or ``bias`` doesn't fit ``hidden``, ``chunk_size`` is less than 1, or
        ``class_axis_name`` is no axis of a surrounding ``shard_map``.
      TypeError: if the labels or ``chunk_size`` aren't integers.

    Source: Wijmans et al., *Cut your losses in large-vocabulary language models* (2024), arXiv:2411.09009.

    Example:
      >>> hidden = jnp.array([[[1.0, 0.0], [0.0, 1.0]]])
      >>> kernel = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> each = jaxloss.linear_log_probs(hidden, kernel, jnp.array([[0, 1]]))
      >>> each.log_probs, each.predicted
      (Array([[-0.23954476, -5.013386  ]], dtype=float32), Array([[0, 2]], dtype=int32))
      >>> jnp.sum(each.log_probs, axis=-1)  # of each sequence: masked tokens are 0
      Array([-5.2529306], dtype=float32)
    """
    devices.splits_classes(class_axis_name, None)
    hidden, kernel, bias, logits = linear_head.operands(hidden, kernel, bias)
    rows, dtype = logits.shape[:-1], logits.dtype
    masked = mask is not None
    exists = jnp.broadcast_to(bool_mask(mask, rows) if masked else True, rows)
    labels, poison, several = _targets(
        labels, "hidden @ kernel", logits, len(rows), exists[..., None] if masked else None, None, class_axis_name
    )
    if masked:
        hidden = jnp.where(exists[..., None], hidden, 0)
    tokens = Tokens(hidden, labels, poison, jnp.ones(rows, dtype), exists)
    tokens, layer = linear_head.as_varying(tokens, Layer(kernel, bias, soft_cap), class_axis_name)
    chunks, restore = linear_head.chunked(tokens, chunk_size, "none", masked)
    of_tokens = functools.partial(_token_fields, axis_name=class_axis_name)
    fields = jax.tree.map(restore, linear_head.each(of_tokens, chunks, layer, masked))
    return _finished(fields, mask, several, len(rows))


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
    classes.no_probabilities(labels, rows)
    several = labels.ndim == len(shape) and labels.shape[:axis] + labels.shape[axis + 1 :] == rows
    if not several and labels.shape != rows:
        many = ", ".join(map(str, (*shape[:axis], "k", *shape[axis + 1 :])))
        hint = reshape_hint(labels.shape, rows, whole=True)
        raise ValueError(
            message(
                f"labels must be integers of shape {rows}, or ({many}) for k classes of each row, to fit {name} of "
                f"shape {shape}, got {labels.dtype} of shape {labels.shape}{hint}"
            )
        )
    count = shape[axis] * devices.axis_size(axis_name)
    given = indices(labels if several else jnp.expand_dims(labels, axis))
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


def _finished(fields: LogProbs, mask: ArrayLike | None, several: bool, axis: int) -> LogProbs:
    """Without the class axis; NaN where a mask of numbers is neither 0 nor 1."""
    if mask is not None:
        sound = 1 + nan_unless_bool(mask, fields.entropy.dtype)
        sound = jnp.expand_dims(sound, axis) if sound.ndim else sound
        log_probs, log_normalizer, entropies, predicted = fields
        fields = LogProbs(log_probs * sound, log_normalizer * sound, entropies * sound, predicted)
    log_probs, *rest = fields
    return LogProbs(log_probs if several else jnp.squeeze(log_probs, axis), *(jnp.squeeze(x, axis) for x in rest))


def _token_fields(products: Array, tokens: Tokens, layer: Layer, axis_name: AxisName | None) -> LogProbs:
    reads = classes.reads(linear_head.logits_of(products, layer), exists=tokens.exists[:, None])
    return _fields(reads, tokens.labels, tokens.poison, 1, axis_name)
