"""Losses of detectors in float64 NumPy, from the formulas: what the rows of `cases.py` are compared with."""

from __future__ import annotations

import numpy as np

from ..harness.formulas import binary_with_logits


GRID = 16  # on whose corners a box is held constant where a formula says so


def overlap(predictions, labels, axis=-1):
    """The areas of intersection, union and enclosure; and all corners, the axis in front."""
    (a1, a2), (b1, b2) = (np.split(np.moveaxis(np.asarray(x, float), axis, 0), 2) for x in (predictions, labels))
    shared = np.maximum(np.minimum(a2, b2) - np.maximum(a1, b1), 0).prod(0)
    union = (a2 - a1).prod(0) + (b2 - b1).prod(0) - shared
    return shared, union, (np.maximum(a2, b2) - np.minimum(a1, b1)).prod(0), (a1, a2, b1, b2)


def share(part, whole, nothing):
    return np.where(whole == 0, nothing, part / np.where(whole == 0, 1, whole))


def iou(predictions, labels, axis=-1):
    shared, union, _, _ = overlap(predictions, labels, axis)
    equal = (np.asarray(predictions) == np.asarray(labels)).all(axis)
    return 1 - share(shared, union, equal)


def giou(predictions, labels, axis=-1):
    _, union, around, _ = overlap(predictions, labels, axis)
    return iou(predictions, labels, axis) + share(around - union, around, 0)


def diou(predictions, labels, axis=-1):
    *_, (a1, a2, b1, b2) = overlap(predictions, labels, axis)
    distance = (((a1 + a2) / 2 - (b1 + b2) / 2) ** 2).sum(0)
    diagonal = ((np.maximum(a2, b2) - np.minimum(a1, b1)) ** 2).sum(0)
    return iou(predictions, labels, axis) + share(distance, diagonal, 0)


def ciou(predictions, labels, axis=-1):
    """With alpha as of the nearest corners of the grid: it is held constant."""

    def v(predictions, labels):
        *_, (a1, a2, b1, b2) = overlap(predictions, labels, axis)
        angles = [np.arctan(share(w, h, np.where(w > 0, np.inf, 0))) for w, h in (a2 - a1, b2 - b1)]
        return 4 / np.pi**2 * (angles[0] - angles[1]) ** 2

    a, b = (np.round(np.asarray(x, float) * GRID) / GRID for x in (predictions, labels))
    alpha = share(v(a, b), iou(a, b, axis) + v(a, b), 0)
    return diou(predictions, labels, axis) + alpha * v(predictions, labels)


def distribution_focal(logits, labels, axis=-1):
    z = np.moveaxis(logits, axis, -1) * 1.0
    top = z.max(-1, keepdims=True)
    costs = top + np.log(np.exp(z - top).sum(-1, keepdims=True)) - z
    low = np.clip(np.floor(labels), 0, max(z.shape[-1] - 2, 0)).astype(int)
    high = np.minimum(low + 1, z.shape[-1] - 1)
    below, above = (np.take_along_axis(costs, bin[..., None], -1)[..., 0] for bin in (low, high))
    return np.where(labels == low, 0, labels - low) * above + (low + 1 - labels) * below


def sigmoid(z):
    return np.exp(-np.logaddexp(0, -np.asarray(z, float)))


def quality_focal(logits, labels, beta=2.0):
    return abs(labels * sigmoid(-logits) - (1 - labels) * sigmoid(logits)) ** beta * binary_with_logits(logits, labels)


def varifocal(logits, labels, alpha=0.75, gamma=2.0):
    negative = alpha * sigmoid(logits) ** gamma * np.logaddexp(0, logits)
    return np.where(labels > 0, labels * binary_with_logits(logits, labels), negative)


def gaussian_focal(logits, labels, alpha=2.0, beta=4.0):
    peak = sigmoid(-logits) ** alpha * np.logaddexp(0, -logits)
    return np.where(labels == 1, peak, (1 - labels) ** beta * sigmoid(logits) ** alpha * np.logaddexp(0, logits))
