"""Regression in float64 NumPy, from the formulas: what the rows of `cases.py` are compared with."""

from __future__ import annotations

import numpy as np


def huber(predictions, labels, delta=1.0):
    error = abs(predictions - labels)
    return np.where(error <= delta, error**2 / 2, delta * (error - delta / 2))


def smooth_l1(predictions, labels, beta=1.0):
    error = abs(predictions - labels)
    return np.where(error < beta, error**2 / (2 * beta), error - beta / 2)


def barron(predictions, labels, alpha, scale=1.0):
    """The formula of the paper; its limits by continuity."""
    x, alpha = (predictions - labels) / scale, np.asarray(alpha, np.float64)
    apart = np.where((alpha == 2) | (alpha == 0) | np.isinf(alpha), 1, alpha)
    b = abs(apart - 2)
    general = b / apart * ((x**2 / b + 1) ** (apart / 2) - 1)
    limits = [(alpha == 2, x**2 / 2), (alpha == 0, np.log1p(x**2 / 2)), (np.isinf(alpha), -np.expm1(-(x**2) / 2))]
    return np.select(*map(list, zip(*limits)), general) + 0 * x


def charged(error, share):
    return np.where(error > 0, 1 - share, share)


def quantile(predictions, labels, quantile=0.5, huber_delta=None):
    error = predictions - labels
    distance = abs(error) if huber_delta is None else smooth_l1(predictions, labels, huber_delta)
    return charged(error, quantile) * distance


def relative_l2(predictions, labels, axis=-1, epsilon=0.0):
    length = lambda x: np.sqrt((x**2).sum(axis))  # noqa: E731
    return length(predictions - labels) / np.maximum(length(labels), epsilon)
