"""Divergences and distances in float64 NumPy, from the formulas: what the rows of `cases.py` are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy


special: Any = scipy.special


def entropies(y, p):
    """Kullback-Leibler terms."""
    return special.xlogy(y, y) - special.xlogy(y, p)


def kl(log_probs, labels, log_labels=False, axis=-1):
    y = np.exp(labels) if log_labels else labels
    return (special.xlogy(y, y) - y * log_probs).sum(axis)


def reverse_kl(log_probs, labels, log_labels=False, axis=-1):
    log_y = labels if log_labels else np.log(labels)
    return (np.exp(log_probs) * (log_probs - log_y)).sum(axis)


def js(log_probs, labels, mixture=0.5, axis=-1):
    p, y = np.exp(log_probs), labels
    m = mixture * y + (1 - mixture) * p
    return (mixture * entropies(y, m) + (1 - mixture) * entropies(p, m)).sum(axis)


def renyi(log_probs, labels, alpha, axis=-1):
    if alpha == 1:
        return kl(log_probs, labels, axis=axis) / labels.sum(axis)
    powers = labels**alpha * np.exp((1 - alpha) * log_probs)
    return np.log(powers.sum(axis) / labels.sum(axis)) / (alpha - 1)


def wasserstein(probs, labels, positions=None, axis=-1):
    moved = abs(np.cumsum(np.moveaxis(probs - labels, axis, -1), -1)[..., :-1])
    gaps = 1 if positions is None else np.diff(np.asarray(positions, np.float64))
    return (moved * gaps).sum(-1)


def gaussian_kl(mean, log_variance, prior_mean=0.0, prior_log_variance=0.0, axis=-1):
    d = log_variance - prior_log_variance
    terms = 0.5 * (np.exp(d) - 1 - d + (mean - prior_mean) ** 2 / np.exp(prior_log_variance))
    return terms if axis is None else terms.sum(axis)


def distillation(logits, teacher_logits, temperature=2.0, divergence="forward_kl", mixture=0.5, axis=-1):
    log_p, log_y = (special.log_softmax(z / temperature, axis) for z in (logits, teacher_logits))
    if divergence == "js":
        return temperature**2 * js(log_p, np.exp(log_y), mixture, axis)
    predicted, labels = (log_p, log_y) if divergence == "forward_kl" else (log_y, log_p)
    return temperature**2 * kl(predicted, labels, log_labels=True, axis=axis)
