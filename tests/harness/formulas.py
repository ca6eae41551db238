"""What the formulas of several families share, in float64 NumPy."""

from __future__ import annotations

import numpy as np


def log_normalizer(logits: np.ndarray, axis: int) -> np.ndarray:
    top = logits.max(axis, keepdims=True)
    return np.log(np.exp(logits - top).sum(axis, keepdims=True)) + top


def one_hot(labels: np.ndarray, count: int, axis: int = -1) -> np.ndarray:
    return np.moveaxis(np.eye(count)[labels], -1, axis)


def binary(probs, labels):
    return -labels * np.log(probs) - (1 - labels) * np.log1p(-probs)


def binary_with_logits(logits, labels, pos_weight=1.0, label_smoothing=0.0):
    labels = (1 - label_smoothing) * labels + label_smoothing / 2
    return pos_weight * labels * np.logaddexp(0, -logits) + (1 - labels) * np.logaddexp(0, logits)


def class_weighted(labels, class_weights, axis=-1, **options):
    if labels.dtype.kind != "f":
        return np.asarray(class_weights, np.float64)[labels]
    return np.moveaxis(labels, axis, -1) @ np.asarray(class_weights, np.float64)


def cosine(predictions, labels, axis=-1):
    lengths = np.sqrt((predictions**2).sum(axis) * (labels**2).sum(axis))
    return 1 - (predictions * labels).sum(axis) / lengths


def held(x, grid=8):
    """The point of a grid that a number was moved from: there factors are held."""
    return np.round(grid * np.asarray(x)) / grid
