"""Kinks of divergences and distances, and edges of domains and options: with the derivatives there."""

from __future__ import annotations

from typing import Any

import numpy as np

import jaxloss

from ..harness.bends import at, near, softmax
from . import formulas


LOGS, SHARES = np.log([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
Z = [1.0, 0.0, -1.0]
P = softmax(*Z)


def kl(y: Any, p: Any) -> float:
    return float((y * np.log(y / p)).sum())


KINKS = [
    at(
        jaxloss.total_variation_distance,
        "equal",
        {"probs": [[0, 0.5, -0.5]], "labels": [[0, -0.5, 0.5]]},
        probs=[[0.5, 0.3, 0.2]],
        labels=[[0.5, 0.2, 0.3]],
    ),
    at(
        jaxloss.hellinger_distance,
        "equal",
        {"probs": [[0, 0]], "labels": [[0, 0]]},
        probs=[[0.25, 0.75]],
        labels=[[0.25, 0.75]],
    ),
    at(
        jaxloss.wasserstein_distance,
        "equal",
        {"probs": [[0, 0]], "positions": [0, 0]},
        probs=[[0.25, 0.75]],
        labels=[[0.25, 0.75]],
        positions=[0.0, 1],
    ),
]
EDGES = [
    at(
        jaxloss.kl_divergence,
        "no_label",
        {"log_probs": [[0, -1]], "labels": [[0, 1]]},
        log_probs=[[-np.inf, 0.0]],
        labels=[[0.0, 1]],
    ),
    at(
        jaxloss.js_divergence,
        "mixture_of_zero",
        {"mixture": kl(SHARES, np.exp(LOGS)), "log_probs": [[0, 0, 0]]},
        log_probs=[LOGS],
        labels=[SHARES],
        mixture=0.0,
    ),
    at(
        jaxloss.js_divergence,
        "mixture_of_one",
        {"mixture": -kl(np.exp(LOGS), SHARES), "log_probs": [[0, 0, 0]]},
        log_probs=[LOGS],
        labels=[SHARES],
        mixture=1.0,
    ),
    at(
        jaxloss.renyi_divergence,
        "order_of_one",
        {"log_probs": [-SHARES], "alpha": near(lambda a: float(formulas.renyi(LOGS, SHARES, a)), 1.0)},
        log_probs=[LOGS],
        labels=[SHARES],
        alpha=1.0,
    ),
    at(
        jaxloss.distillation_loss,
        "temperature_of_one",
        {"logits": [P - 1 / 3]},
        logits=[Z],
        teacher_logits=[[0.0, 0, 0]],
        temperature=1.0,
    ),
    at(
        jaxloss.distillation_loss,
        "very_hot",
        {"logits": [np.array(Z) / 3]},
        logits=[Z],
        teacher_logits=[[0.0, 0, 0]],
        temperature=1e6,
    ),
]
BENDS = [
    ("renyi_of_order_one", lambda y, alpha: jaxloss.renyi_divergence(LOGS, y, alpha=alpha), (SHARES, 1.0)),
]
