"""Losses of detectors in float64 NumPy, from the formulas: what the rows of `cases.py` are compared with."""

from __future__ import annotations

import numpy as np


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

    held = [np.round(np.asarray(x, float) * GRID) / GRID for x in (predictions, labels)]
    alpha = share(v(*held), iou(*held, axis) + v(*held), 0)
    return diou(predictions, labels, axis) + alpha * v(predictions, labels)
