"""Losses of regions in float64, by their formulas."""

from __future__ import annotations

import functools
import itertools

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


def extended(errors, hits, exists, axis, batch_axes):
    """Of each region the sum of its errors, in falling order, times the steps of the Jaccard loss of the first ones."""
    parts = (np.broadcast_to(x, errors.shape) for x in (errors * exists, hits & exists, exists))
    (errors, shape), (hits, _), (exists, _) = (images(x, axis, batch_axes) for x in parts)
    errors, hits, exists = (x.reshape(len(x), -1) for x in (errors, hits, exists))
    losses = []
    for e, hit, there in zip(errors, hits, exists):
        order = np.flatnonzero(there)[np.argsort(-e[there], kind="stable")]
        of_label, total = hit[order].cumsum(), hit.sum()
        union = total + np.arange(1, len(order) + 1) - of_label
        losses.append(e[order] @ np.diff(1 - (total - of_label) / union, prepend=0))
    return np.reshape(losses, shape)


def lovasz_softmax(
    probs, labels, mask, axis=-1, batch_axes=0, ignore_index=None, class_weights=None, only_present=True
):
    y, exists = pixels(probs, labels, mask, axis, ignore_index)
    return extended(abs(y - probs), y == 1, exists, axis, batch_axes)


def lovasz_hinge(scores, labels, mask, batch_axes=0):
    return extended(np.maximum(0, 1 - labels * scores), labels > 0, mask, None, batch_axes)


def neighbours(place, shape, box):
    """Places of an image beside one, itself included: in the whole box, or along each axis."""
    steps = (step for step in itertools.product((-1, 0, 1), repeat=len(shape)) if box or np.count_nonzero(step) < 2)
    near = (tuple(np.add(place, step)) for step in steps)
    return [other for other in near if all(0 <= i < size for i, size in zip(other, shape))]


def skeleton(x, exists, iterations):
    """Of images, one a row; the smallest and the largest of what exists beside each pixel."""

    def each(x, choose, outside, box):
        x, found = np.where(exists, x, outside), np.empty_like(x)
        for place in np.ndindex(x.shape[1:]):
            near = [x[(slice(None), *other)] for other in neighbours(place, x.shape[1:], box)]
            found[(slice(None), *place)] = functools.reduce(choose, near)
        return found

    def ends(x):
        opened = each(each(x, np.minimum, np.inf, False), np.maximum, -np.inf, True)
        return np.where(exists, np.maximum(0, x - opened), 0)

    with np.errstate(invalid="ignore"):
        result = ends(x)
        for _ in range(iterations):
            x = np.where(exists, each(x, np.minimum, np.inf, False), 0)
            result = result + np.maximum(0, ends(x) * (1 - result))
    return result


def cldice(probs, labels, mask, iterations=3, smooth=1.0, axis=-1, batch_axes=0, ignore_index=None, class_weights=None):
    y, exists = pixels(probs, labels, mask, axis, ignore_index)
    (p, shape), (y, _), (exists, _) = (
        images(np.broadcast_to(x, probs.shape), axis, batch_axes) for x in (probs, y, exists)
    )
    p, y = p * exists, y * exists
    q, t = skeleton(p, exists, iterations), skeleton(y, exists, iterations)
    total = lambda x: x.reshape(len(x), -1).sum(1)  # noqa: E731
    precision, sensitivity = (total(a * b) + smooth for a, b in ((q, y), (t, p)))
    precision, sensitivity = precision / (total(q) + smooth), sensitivity / (total(t) + smooth)
    return np.reshape(1 - 2 * precision * sensitivity / (precision + sensitivity), shape)


def images(x, axis=-1, batch_axes=0):
    """The images, one a row, and the shape of the kept axes."""
    kept = sorted(
        {int(one) % x.ndim for one in [*np.ravel(np.array(batch_axes, int)), *([] if axis is None else [axis])]}
    )
    x = np.moveaxis(x, kept, range(len(kept)))
    shape = x.shape[: len(kept)]
    return x.reshape(-1, *x.shape[len(kept) :]), shape


def windows(x, size):
    """All windows of images, one after the other."""
    for corner in itertools.product(*(range(length - size + 1) for length in x.shape[1:])):
        yield x[(slice(None), *(slice(start, start + size) for start in corner))].reshape(len(x), -1)


def ssim_of_windows(predictions, labels, mask, window_size, sigma, k1, k2, data_range, axis, batch_axes):
    """Losses and whether they exist, of each window and image."""
    exists = np.broadcast_to(mask if axis is None else np.expand_dims(mask, axis), labels.shape)
    x, y, exists = (images(part, axis, batch_axes)[0] for part in (predictions, labels, exists))
    gauss = np.exp(-((np.arange(window_size) - (window_size - 1) / 2) ** 2) / (2 * sigma**2))
    w = functools.reduce(np.multiply.outer, [gauss / gauss.sum()] * (x.ndim - 1)).ravel()
    c1, c2 = (k1 * data_range) ** 2, (k2 * data_range) ** 2
    for a, b, whole in zip(*(windows(part, window_size) for part in (x, y, exists))):
        (mean_a, mean_b), (from_a, from_b) = (a @ w, b @ w), (a - (a @ w)[:, None], b - (b @ w)[:, None])
        light = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
        yield 1 - light * (2 * (from_a * from_b) @ w + c2) / ((from_a**2 + from_b**2) @ w + c2), whole.all(1)


def ssim(
    predictions,
    labels,
    mask,
    window_size=11,
    sigma=1.5,
    k1=0.01,
    k2=0.03,
    data_range=1.0,
    axis=-1,
    batch_axes=0,
):
    options = window_size, sigma, k1, k2, data_range, axis, batch_axes
    losses, whole = map(np.array, zip(*ssim_of_windows(predictions, labels, mask, *options)))
    mean = (losses * whole).sum(0) / np.maximum(whole.sum(0), 1)
    return mean.reshape(images(labels, axis, batch_axes)[1])


def has_window(labels, mask, window_size=11, axis=-1, batch_axes=0, **_):
    """1 for each image of which some window exists whole."""
    exists = np.broadcast_to(mask if axis is None else np.expand_dims(mask, axis), labels.shape)
    found = np.any([whole.all(1) for whole in windows(images(exists, axis, batch_axes)[0], window_size)], 0)
    return 1.0 * found.reshape(images(labels, axis, batch_axes)[1])
