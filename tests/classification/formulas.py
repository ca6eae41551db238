"""Classification in float64 NumPy, from the formulas: what the rows of `cases.py` are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy

from ..harness.formulas import binary, log_normalizer, one_hot


special: Any = scipy.special


def nll(log_probs, labels, axis=-1, class_weights=None, ignore_index=None):
    if labels.dtype.kind != "f":
        labels = one_hot(labels, log_probs.shape[axis], axis)
    return -(labels * log_probs).sum(axis)


def softmax(
    logits,
    labels,
    axis=-1,
    class_weights=None,
    class_mask=None,
    ignore_index=None,
    label_smoothing=0.0,
    z_loss=0.0,
):
    count = logits.shape[axis]
    if class_mask is None:
        class_mask = np.ones(count, bool)
    shape = [count if i == axis % logits.ndim else 1 for i in range(logits.ndim)]
    allowed = np.asarray(class_mask).reshape(shape)
    if labels.dtype.kind != "f":
        labels = one_hot(labels, count, axis)
    labels = (1 - label_smoothing) * labels + label_smoothing * allowed / allowed.sum()
    normalizer = log_normalizer(np.where(allowed, logits, -np.inf), axis)
    terms = np.where(allowed, labels * (normalizer - logits), 0)
    return terms.sum(axis) + z_loss * np.squeeze(normalizer, axis) ** 2


def entropy(logits, axis=-1, class_mask=None):
    if class_mask is not None:
        logits = np.moveaxis(np.where(class_mask, np.moveaxis(logits, axis, -1), -np.inf), -1, axis)
    return special.entr(special.softmax(logits, axis)).sum(axis)


def linear_softmax(hidden, labels, kernel, bias=0.0, soft_cap=None, chunk_size=None, **options):
    logits = hidden @ np.asarray(kernel, np.float64) + np.asarray(bias, np.float64)
    if soft_cap is not None:
        logits = soft_cap * np.tanh(logits / soft_cap)
    return softmax(logits, labels, **{name: x for name, x in options.items() if name != "class_weights"})


def bent(curve):
    """The expected curve of the probability of the label."""

    def reference(logits, labels, axis=-1, class_weights=None, label_smoothing=0.0, **options):
        if labels.dtype.kind != "f":
            labels = one_hot(labels, logits.shape[axis], axis)
        labels = (1 - label_smoothing) * labels + label_smoothing / logits.shape[axis]
        return (labels * curve(special.softmax(logits, axis), **options)).sum(axis)

    return reference


softmax_focal = bent(lambda p, gamma: -((1 - p) ** gamma) * np.log(p))


poly1 = bent(lambda p, epsilon: -np.log(p) + epsilon * (1 - p))


generalized = bent(lambda p, q: (1 - p**q) / q)


symmetric = bent(lambda p, alpha, beta, log_zero: -alpha * np.log(p) - beta * log_zero * (1 - p))


taylor = bent(lambda p, order: sum((1 - p) ** k / k for k in range(1, order + 1)))


def sigmoid_focal(logits, labels, gamma=2.0, alpha=None, label_smoothing=0.0):
    labels = (1 - label_smoothing) * labels + label_smoothing / 2
    p = special.expit(logits)
    miss = labels * (1 - p) + (1 - labels) * p
    share = 1 if alpha is None else alpha * labels + (1 - alpha) * (1 - labels)
    return share * miss**gamma * binary(p, labels)


def asymmetric(logits, labels, gamma_positive, gamma_negative, clip):
    p = special.expit(logits)
    q = np.maximum(p - clip, 0)
    return -labels * (1 - p) ** gamma_positive * np.log(p) - (1 - labels) * q**gamma_negative * np.log1p(-q)


def bi_tempered(logits, labels, t1, t2, axis=-1, class_weights=None):
    """By bisection."""
    exp = lambda x, t: np.maximum(1 + (1 - t) * x, 0) ** (1 / (1 - t))  # noqa: E731
    log = lambda x, t: (x ** (1 - t) - 1) / (1 - t)  # noqa: E731
    x = logits - logits.max(axis, keepdims=True)
    low, high = 0 * x.sum(axis, keepdims=True), 0 * x.sum(axis, keepdims=True) + 1e8
    for _ in range(100):
        middle = (low + high) / 2
        above = exp(x - middle, t2).sum(axis, keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    p = exp(x - low, t2)
    if labels.dtype.kind != "f":
        labels = one_hot(labels, logits.shape[axis], axis)
    return -(labels * log(p, t1)).sum(axis) - labels.sum(axis) * (1 - (p ** (2 - t1)).sum(axis)) / (2 - t1)


def coral(logits, labels):
    above = labels[..., None] > np.arange(logits.shape[-1])
    return (np.logaddexp(0, logits) - above * logits).sum(-1)
