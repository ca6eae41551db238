"""Losses of policies in float64 NumPy, from the formulas: what the rows of `cases.py` are compared with."""

from __future__ import annotations

import numpy as np

from ..harness.formulas import held


def ppo_clip(log_probs, old_log_probs, advantages, epsilon_low=0.2, epsilon_high=0.2, dual_clip=None):
    ratio = np.exp(log_probs - old_log_probs)
    surrogate = np.minimum(ratio * advantages, np.clip(ratio, 1 - epsilon_low, 1 + epsilon_high) * advantages)
    if dual_clip is not None:
        surrogate = np.where(advantages < 0, np.maximum(surrogate, dual_clip * advantages), surrogate)
    return -surrogate


def cispo(log_probs, old_log_probs, advantages, min_ratio=0.0, max_ratio=5.0):
    """Its ratio at the nearest point of a grid, on which the rows' numbers lie: differences don't move it."""
    ratio = np.exp(held(log_probs) - old_log_probs)
    return -np.minimum(np.maximum(ratio, min_ratio), max_ratio) * advantages * log_probs


def clipped_value(predictions, labels, old_predictions, epsilon=0.2):
    clipped = np.clip(predictions, old_predictions - epsilon, old_predictions + epsilon)
    return np.maximum((predictions - labels) ** 2, (clipped - labels) ** 2)


def kl_estimate(log_probs, reference_log_probs, estimator="k3"):
    d = log_probs - reference_log_probs
    return {"k1": d, "k2": d**2 / 2, "k3": np.exp(-d) - 1 + d}[estimator]
