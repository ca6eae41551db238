"""Kinks of preferences, edges of domains and options, and points at which rules take another branch."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness.bends import at


INF = np.inf


def pair(chosen: list[float], rejected: list[float]) -> dict[str, list[float]]:
    return {"chosen_log_probs": chosen, "rejected_log_probs": rejected}


def ratios(chosen: list[float], rejected: list[float]) -> dict[str, list[float]]:
    zeros = [0.0] * len(chosen)
    return {
        **pair(chosen, rejected),
        "reference_chosen_log_probs": zeros,
        "reference_rejected_log_probs": zeros,
    }


KINKS = [
    at(
        jaxloss.dpo_loss,
        "corner_of_the_hinge",
        {"chosen_log_probs": [0], "rejected_log_probs": [0], "beta": 0},
        **ratios([2.0], [0.0]),
        beta=0.5,
        variant="hinge",
    ),
    at(
        jaxloss.cpo_loss,
        "corner_of_the_hinge",
        {"chosen_log_probs": [0], "rejected_log_probs": [0], "margin": 0},
        **pair([2.0], [-2.0]),
        beta=0.5,
        margin=1.0,
        variant="hinge",
    ),
]
EDGES = [
    at(
        jaxloss.dpo_loss,
        "answers_without_probability",
        {"chosen_log_probs": [-0.5, 0, -0.25], "rejected_log_probs": [0.5, 0, 0.25]},
        **ratios([-INF, 0.0, -INF], [0.0, -INF, -INF]),
        beta=0.5,
    ),
    at(
        jaxloss.dpo_loss,
        "powers_that_overflow",
        {"chosen_log_probs": [0, 0], "rejected_log_probs": [0, 0], "beta": 0, "alpha": 0},
        **ratios([0.0, -100.0], [-300.0, -INF]),
        beta=0.5,
        divergence="alpha",
        alpha=1.0,
    ),
    at(
        jaxloss.dpo_loss,
        "sure_pairs",
        {"chosen_log_probs": [0, 0], "rejected_log_probs": [0, 0], "beta": 0},
        **ratios([0.0, -INF], [-INF, 0.0]),
        beta=0.5,
        variant="exo",
    ),
    at(
        jaxloss.cpo_loss,
        "alpha_of_zero",
        {"chosen_log_probs": [-0.25], "rejected_log_probs": [0.25], "alpha": 0},
        **pair([-1.0], [-1.0]),
        beta=0.5,
        alpha=0.0,
    ),
    at(
        jaxloss.orpo_loss,
        "a_better_answer_that_is_sure",
        {"chosen_log_probs": [-1 - 0.5 / np.expm1(2)], "rejected_log_probs": [0]},
        **pair([0.0], [-2.0]),
        beta=0.5,
    ),
    at(
        jaxloss.kto_loss,
        "sure",
        {"log_probs": [0, 0], "labels": [-1, 1]},
        log_probs=[INF, -INF],
        reference_log_probs=[0.0, 0.0],
        labels=[1.0, 1.0],
        kl=-1.0,
    ),
    at(
        jaxloss.bradley_terry_loss,
        "sure",
        {"chosen_scores": [0, -0.75], "rejected_scores": [0, 0.75], "label_smoothing": [INF, -INF]},
        chosen_scores=[3.0, -INF],
        rejected_scores=[-INF, 3.0],
        label_smoothing=[0.0, 0.25],
    ),
]


def powers(chosen, rejected, alpha):
    return jaxloss.cpo_loss(chosen, rejected, beta=0.7, margin=0.3, alpha=alpha, reduction="sum")


def exo(chosen, rejected, smoothing):
    return jaxloss.cpo_loss(chosen, rejected, beta=0.7, variant="exo", label_smoothing=smoothing, reduction="sum")


def point(*x):
    return [np.array(each) for each in x]


AT_REST = np.log(9) / 0.7  # as many nats apart as the odds of the smoothing are: there the divergence is 0
BENDS = [
    ("powers of equals", powers, point([-0.5, 0.3, -1.0], [-0.5, 0.3, -1.0], 0.4)),
    ("powers, far", powers, point([-0.5, 0.3], [-3.0, 4.0], 30.0)),
    ("powers, by a negative alpha", powers, point([-0.5, 0.3, 0.1], [-0.5, 0.4, -0.2], -0.4)),
    ("exo, near", exo, point([1.0, 3.0, AT_REST], [0.5, 0.5, 0.1], 0.1)),
    ("exo, at rest", exo, point([AT_REST], [0.0], 0.1)),
    ("exo, at even odds", exo, point([0.01, 0.0], [0.0, 1e-3], 0.5)),
]
