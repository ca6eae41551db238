"""Margins in float64 NumPy, from the formulas: what the rows of `cases.py` are compared with."""

from __future__ import annotations

import numpy as np

from ..harness.formulas import cosine, one_hot


def hinge(x):
    return np.maximum(x, 0)


def leads(scores, labels, axis=-1):
    """How far each class lies above the label, the classes last; and where it is the label."""
    scores = np.moveaxis(scores, axis, -1)
    return scores - np.take_along_axis(scores, labels[..., None], -1), one_hot(labels, scores.shape[-1])


def multi_margin(scores, labels, axis=-1, p=1, margin=1.0, class_weights=None):
    lead, is_label = leads(scores, labels, axis)
    return (hinge(margin + lead) ** p * (1 - is_label)).mean(-1)


def sparse_regret(scores, labels, power, axis=-1, class_mask=True):
    """The Fenchel-Young loss of sparsemax (power 1) or 1.5-entmax (power 2), the threshold by bisection."""
    scores = np.moveaxis(scores, axis, -1) * 1.0
    x = np.where(class_mask, scores, -np.inf) / power
    low, high = x.max(-1, keepdims=True) - 1, x.max(-1, keepdims=True)
    for _ in range(100):
        middle = (low + high) / 2
        enough = (hinge(x - middle) ** power).sum(-1, keepdims=True) >= 1
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    p = hinge(x - low) ** power
    regularizer = (p**2).sum(-1) / 2 - 0.5 if power == 1 else 4 / 3 * ((p**1.5).sum(-1) - 1)
    lead = np.where(class_mask, scores, 0) - np.take_along_axis(scores, labels[..., None], -1)
    return (p * lead).sum(-1) - regularizer


def multilabel_margin(scores, labels, axis=-1):
    scores, labels = np.moveaxis(scores, axis, -1), np.moveaxis(labels, axis, -1)
    losses, rows = [], scores.shape[:-1]
    for s, listed in zip(scores.reshape(-1, scores.shape[-1]), labels.reshape(-1, labels.shape[-1])):
        targets = listed[: np.argmax(listed == -1)] if -1 in listed else listed
        others = [c for c in range(len(s)) if c not in targets]
        losses.append(sum(hinge(1 - s[t] + s[c]) for t in targets for c in others) / len(s))
    return np.reshape(losses, rows)


def cosine_embedding(embeddings_a, embeddings_b, labels, margin=0.0, axis=-1):
    distance = cosine(embeddings_a, embeddings_b, axis)
    return np.where(labels > 0, distance, hinge(1 - distance - margin))


def triplet(anchors, positives, negatives, margin=1.0, p=2, swap=False, axis=-1, distance=None):
    d = lambda a, b: np.linalg.norm(a - b, p, axis)  # noqa: E731
    away = np.minimum(d(anchors, negatives), d(positives, negatives)) if swap else d(anchors, negatives)
    return hinge(d(anchors, positives) - away + margin)


def city_block(a, b):
    return abs(a - b).sum(-1)
