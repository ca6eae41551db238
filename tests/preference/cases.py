"""Preferences: each loss as the tests call it."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness import probes
from ..harness.case import BAD_SHARE, Case, floats, normal, outside, uniform
from . import formulas


AT_MOST_0 = floats("negative", lambda rng, shape: -rng.uniform(0.1, 3, shape), 4)
PAIR = {"chosen_log_probs": normal(4), "rejected_log_probs": normal(4)}
REFERENCES = {"reference_chosen_log_probs": normal(4), "reference_rejected_log_probs": normal(4)}
SCORES = {"chosen_scores": normal(4), "rejected_scores": normal(4)}
SOFT = {"label_smoothing": uniform(4), "margin": normal(4)}
BAD_SOFT = outside(("label_smoothing", 1.5, "[0, 1]"), ("margin", np.inf, "(-inf, inf)"))


def dpo(name: str, /, inputs=(), bad=(), probes=None, **options) -> Case:
    return Case(
        jaxloss.dpo_loss,
        {**PAIR, **REFERENCES, **dict(inputs)},
        formulas.dpo,
        options,
        bad=bad,
        constant=tuple(REFERENCES),
        probes=probes,
        name=name,
    )


def cpo(name: str, /, inputs=(), bad=(), probes=None, **options) -> Case:
    return Case(jaxloss.cpo_loss, {**PAIR, **dict(inputs)}, formulas.cpo, options, bad=bad, probes=probes, name=name)


CASES = [
    dpo("", probes=probes.pairs_of_answers(0.0, 0.0), beta=0.7),
    dpo("soft", SOFT, BAD_SOFT, beta=0.7),
    dpo("hinge", beta=0.7, variant="hinge", margin=0.3),
    dpo("robust", beta=0.7, variant="robust", label_smoothing=0.2),
    dpo("nca", beta=0.7, variant="nca"),
    dpo("alpha", beta=0.7, divergence="alpha", alpha=0.4),
    cpo("", probes=probes.pairs_of_answers(), beta=0.7),
    cpo("alphapo", beta=2.0, margin=1.0, alpha=0.25),
    Case(
        jaxloss.orpo_loss,
        {"chosen_log_probs": AT_MOST_0, "rejected_log_probs": AT_MOST_0},
        formulas.orpo,
        {"beta": 0.7, "nll_weight": 0.8},
        bad=tuple(
            (name, 0.5, f"{name} must be at most 0, got 0.5") for name in ("chosen_log_probs", "rejected_log_probs")
        ),
        smooth=True,
        probes=probes.odds,
    ),
    Case(
        jaxloss.kto_loss,
        {"log_probs": normal(4), "reference_log_probs": normal(4), "labels": uniform(4), "kl": normal(4)},
        formulas.kto,
        {"beta": 0.7},
        bad=BAD_SHARE + outside(("kl", np.inf, "(-inf, inf)")),
        constant=("reference_log_probs", "kl"),
        smooth=True,
        probes=probes.single_answers,
    ),
    Case(
        jaxloss.bradley_terry_loss,
        SCORES,
        formulas.bradley_terry,
        smooth=True,
        probes=probes.pairs_of_answers(),
    ),
    Case(
        jaxloss.bradley_terry_loss,
        {**SCORES, **SOFT},
        formulas.bradley_terry,
        {"centering": 0.1},
        bad=BAD_SOFT,
        smooth=True,
        name="options",
    ),
]
MORE = [
    dpo("ipo", beta=0.7, variant="ipo", margin=0.3),
    dpo("exo", beta=0.7, variant="exo"),
    dpo("exo_smoothed", {"margin": normal(4)}, beta=0.7, variant="exo", label_smoothing=0.3),
    dpo("apo_zero", beta=0.7, variant="apo_zero"),
    dpo("apo_down", beta=0.7, variant="apo_down"),
    dpo("forward_kl", beta=0.7, divergence="forward_kl"),
    dpo("js", beta=0.7, variant="ipo", divergence="js"),
    dpo("negative_alpha", SOFT, beta=0.7, divergence="alpha", alpha=-0.4),
    cpo("soft", SOFT, beta=0.7),
    cpo("ipo", beta=0.7, variant="ipo"),
    cpo("robust", beta=0.7, variant="robust", label_smoothing=0.2),
    cpo("nca", beta=0.7, variant="nca"),
]
