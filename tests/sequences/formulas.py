"""Sequences in float64 NumPy, from the formulas: what the rows of `cases.py` are compared with.

Every alignment is written out, one by one, where the losses go step by step.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np

from ..harness.formulas import log_normalizer, one_hot


def _lengths(lengths, rows, count):
    return np.full(rows, count) if lengths is None else lengths


def _minus_log_sum(log_probs):
    if not len(log_probs):
        return np.inf
    top = log_probs.max()
    return -np.log(np.exp(log_probs - top).sum()) - top


@functools.cache
def _paths(labels, frames, classes, blank):
    """All classes of frames that become the labels when repeats are merged and blanks are dropped."""
    fits = lambda path: tuple(c for c, _ in itertools.groupby(path) if c != blank) == labels  # noqa: E731
    return np.array([path for path in itertools.product(range(classes), repeat=frames) if fits(path)], int)


def ctc(logits, labels, logit_lengths=None, label_lengths=None, blank=0, zero_infinity=False):
    rows, count, classes = logits.shape
    frames, places = _lengths(logit_lengths, rows, count), _lengths(label_lengths, rows, labels.shape[1])
    log_probs = logits - log_normalizer(logits, -1)

    def loss(row):
        paths = _paths(tuple(labels[row, : places[row]].tolist()), int(frames[row]), classes, blank)
        found = _minus_log_sum(log_probs[row, np.arange(frames[row]), paths].sum(-1))
        return 0.0 if zero_infinity and found == np.inf else found

    return np.array([loss(row) for row in range(rows)])


def crf(logits, labels, transitions, start=0.0, end=0.0, lengths=None):
    rows, count, tags = logits.shape
    steps = _lengths(lengths, rows, count)
    first, last = (np.broadcast_to(np.asarray(x, np.float64), tags) for x in (start, end))

    def loss(row):
        if not steps[row]:
            return 0.0
        places = np.arange(steps[row])

        def score(path):
            moves = transitions[path[..., :-1], path[..., 1:]].sum(-1)
            return first[path[..., 0]] + logits[row, places, path].sum(-1) + moves + last[path[..., -1]]

        every = np.array([*itertools.product(range(tags), repeat=steps[row])])
        return -_minus_log_sum(score(every)) - score(labels[row, : steps[row]])

    return np.array([loss(row) for row in range(rows)])


def unlikelihood(logits, labels, axis=-1):
    if labels.dtype.kind == "i":
        labels = one_hot(labels, logits.shape[axis], axis)
    return -(labels * np.log1p(-np.exp(logits - log_normalizer(logits, axis)))).sum(axis)


def rnnt(logits, labels, logit_lengths=None, label_lengths=None, blank=0):
    rows, count = logits.shape[:2]
    frames, places = _lengths(logit_lengths, rows, count), _lengths(label_lengths, rows, labels.shape[1])
    log_probs = logits - log_normalizer(logits, -1)

    def loss(row):
        own, each = log_probs[row], labels[row, : places[row]]
        at = [*itertools.combinations_with_replacement(range(frames[row]), places[row])]  # the frame of each label
        after = [[sum(frame <= t for frame in path) for t in range(frames[row])] for path in at]
        if not at:
            return np.inf
        at = np.array(at, int).reshape(len(at), places[row])
        of_labels = own[at, np.arange(places[row]), each].sum(-1)
        return _minus_log_sum(of_labels + own[np.arange(frames[row]), np.array(after, int), blank].sum(-1))

    return np.array([loss(row) for row in range(rows)])


def linear_rnnt(hidden_frames, hidden_labels, labels, kernel, bias=0.0, activation=np.tanh, chunk_size=None, **options):
    joint = activation(hidden_frames[:, :, None] + hidden_labels[:, None])
    return rnnt(joint @ np.asarray(kernel, np.float64) + np.asarray(bias, np.float64), labels, **options)


def soft_dtw(predictions, labels, gamma=1.0, divergence=False, prediction_lengths=None, label_lengths=None):
    rows = len(predictions)
    steps = _lengths(prediction_lengths, rows, predictions.shape[1])
    others = _lengths(label_lengths, rows, labels.shape[1])

    def alignments(i, j):
        """All ways to the pair of steps i and j, as sums of what they lead through."""
        if (i, j) == (0, 0):
            return [[(0, 0)]]
        before = [(i - 1, j), (i, j - 1), (i - 1, j - 1)]
        return [[*path, (i, j)] for k, m in before if k >= 0 <= m for path in alignments(k, m)]

    def apart(x, y):
        if not len(x) or not len(y):
            return 0.0 if len(x) == len(y) else np.inf
        costs = np.square(x[:, None] - y).sum(-1)
        every = np.array([sum(costs[cell] for cell in path) for path in alignments(len(x) - 1, len(y) - 1)])
        return gamma * _minus_log_sum(-every / gamma)

    def loss(row):
        x, y = predictions[row, : steps[row]], labels[row, : others[row]]
        return apart(x, y) - (apart(x, x) + apart(y, y)) / 2 if divergence else apart(x, y)

    return np.array([loss(row) for row in range(rows)])
