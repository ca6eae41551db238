"""Preferences in float64 NumPy, from the formulas: what the rows of `cases.py` are compared with."""

from __future__ import annotations

import numpy as np

from ..harness.bends import sigmoid


def softplus(x):
    return np.logaddexp(0, x)


def gap(a, b, divergence="reverse_kl", alpha=0.5):
    if divergence == "js":
        return softplus(-b) - softplus(-a)
    alpha = {"reverse_kl": 0, "forward_kl": 1, "alpha": alpha}[divergence]
    return a - b if alpha == 0 else (np.exp(-alpha * b) - np.exp(-alpha * a)) / alpha


def logistic(x, smoothing=0.0):
    return (1 - smoothing) * softplus(-x) + smoothing * softplus(x)


def bernoulli_kl(p, q):
    return p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))


def of_pair(a, b, beta=0.1, variant="sigmoid", label_smoothing=None, margin=0.0, **kind):
    x = beta * gap(a, b, **kind) - margin
    e = {"exo": 1e-3}.get(variant, 0.0) if label_smoothing is None else label_smoothing
    return {
        "sigmoid": lambda: logistic(x, e),
        "hinge": lambda: np.maximum(0, 1 - x),
        "ipo": lambda: ((x - 0.5) / beta) ** 2,
        "robust": lambda: ((1 - e) * softplus(-x) - e * softplus(x)) / (1 - 2 * e),
        "exo": lambda: bernoulli_kl(sigmoid(x), 1 - e),
        "nca": lambda: softplus(-beta * a) + softplus(beta * a) / 2 + softplus(beta * b) / 2,
        "apo_zero": lambda: sigmoid(-beta * a) + sigmoid(beta * b),
        "apo_down": lambda: sigmoid(beta * a) + sigmoid(beta * b - beta * a),
    }[variant]()


def dpo(chosen_log_probs, rejected_log_probs, reference_chosen_log_probs, reference_rejected_log_probs, **options):
    ratios = chosen_log_probs - reference_chosen_log_probs, rejected_log_probs - reference_rejected_log_probs
    return of_pair(*ratios, **options)


def cpo(chosen_log_probs, rejected_log_probs, alpha=0.0, **options):
    return of_pair(chosen_log_probs, rejected_log_probs, divergence="alpha", alpha=alpha, **options)


def log_odds(log_prob):
    return log_prob - np.log(-np.expm1(log_prob))


def orpo(chosen_log_probs, rejected_log_probs, beta=0.1, nll_weight=1.0):
    odds = softplus(log_odds(rejected_log_probs) - log_odds(chosen_log_probs))
    return -nll_weight * chosen_log_probs + beta * odds


def kto(log_probs, reference_log_probs, labels, kl, beta=0.1):
    u = beta * (log_probs - reference_log_probs - np.maximum(kl, 0))
    return labels * sigmoid(-u) + (1 - labels) * sigmoid(u)


def bradley_terry(chosen_scores, rejected_scores, margin=0.0, label_smoothing=0.0, centering=0.0):
    x = chosen_scores - rejected_scores - margin
    return logistic(x, label_smoothing) + centering * (chosen_scores + rejected_scores) ** 2
