"""Losses of regions in float64, by their formulas."""

from __future__ import annotations

import numpy as np


def pixels(probs, labels, mask, axis=-1, ignore_index=None):
    """Labels as numbers of the shape of `probs`, and which pixels exist, with the class axis at size 1."""
    if ignore_index is not None:
        mask = mask & (labels != ignore_index)
    if axis is None:
        return labels.astype(float), mask
    if labels.ndim < probs.ndim:
        index = np.arange(probs.shape[axis]).reshape([-1 if k == axis % probs.ndim else 1 for k in range(probs.ndim)])
        labels = np.expand_dims(labels, axis) == index
    return labels.astype(float), np.expand_dims(mask, axis)


def pooled(x, axis, batch_axes=0):
    kept = {int(one) % x.ndim for one in [*np.ravel(batch_axes), *([] if axis is None else [axis])]}
    return x.sum(tuple({*range(x.ndim)} - kept))


def overlap(
    probs,
    labels,
    mask,
    alpha=0.5,
    beta=0.5,
    gamma=1.0,
    smooth=1.0,
    squared=False,
    axis=-1,
    batch_axes=0,
    ignore_index=None,
    class_weights=None,
    only_present=False,
):
    """1 - (TP + s) / (TP + s + W) of each region."""
    y, exists = pixels(probs, labels, mask, axis, ignore_index)
    right = pooled(exists * probs * y, axis, batch_axes) + smooth
    if squared:
        wrong = alpha * pooled(exists * (probs - y) ** 2, axis, batch_axes)
    else:
        wrong = pooled(exists * (alpha * probs * (1 - y) + beta * (1 - probs) * y), axis, batch_axes)
    return (1 - right / (right + wrong)) ** gamma


def generalized(
    probs, labels, mask, power=2.0, smooth=1.0, axis=-1, batch_axes=0, ignore_index=None, class_weights=1.0
):
    """Sudre's, by the smallest size above 0 of the image."""
    y, exists = pixels(probs, labels, mask, axis, ignore_index)
    right, wrong, size = (
        pooled(exists * x, axis, batch_axes) for x in (probs * y, probs * (1 - y) + (1 - probs) * y, y)
    )
    counted = np.where((size > 0) & (class_weights > 0), size, np.inf).min(-1, keepdims=True)
    least = np.where(np.isinf(counted), 1, counted)
    v = class_weights * np.where(size > 0, least / np.where(size > 0, size, 1), 1) ** power
    return 1 - ((v * right).sum(-1) + smooth) / ((v * (right + wrong / 2)).sum(-1) + smooth)


def region_weights(labels, mask, axis=-1, batch_axes=0, ignore_index=None, class_weights=1.0, only_present=False, **_):
    """Class weights, of classes that some pixel has."""
    shape = [*mask.shape]
    shape.insert(axis % (mask.ndim + 1), np.size(class_weights))
    y, exists = pixels(np.empty(shape), labels, mask, axis, ignore_index)
    return class_weights * (pooled(exists * y, axis, batch_axes) > 0 if only_present else 1.0)
