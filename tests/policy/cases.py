"""Losses of policies: each as the tests call it."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness.case import Case, apart, floats, normal, on_a_grid, outside
from . import formulas


SAMPLED = {"log_probs": normal(4), "old_log_probs": normal(4), "advantages": apart(4)}
BY_ROW = {**SAMPLED, "advantages": apart(1)}
ON_A_GRID = {**SAMPLED, "log_probs": on_a_grid(4)}
CONSTANT = ("old_log_probs", "advantages")
BAD_ADVANTAGE = outside(("advantages", np.inf, "(-inf, inf)"), ("advantages", -np.inf, "(-inf, inf)"))
VALUES = {"predictions": normal(4), "labels": normal(4), "old_predictions": normal(4)}
REFERRED = {"log_probs": normal(4), "reference_log_probs": normal(4)}
NEAR = {**REFERRED, "log_probs": floats("real", lambda rng, shape: 0.1 * rng.normal(size=shape), 4)}

CASES = [
    Case(
        jaxloss.ppo_clip_loss,
        SAMPLED,
        formulas.ppo_clip,
        {"epsilon_low": 0.3, "epsilon_high": 0.5, "dual_clip": 3.0},
        constant=CONSTANT,
        bad=BAD_ADVANTAGE,
    ),
    Case(jaxloss.ppo_clip_loss, SAMPLED, formulas.ppo_clip, constant=CONSTANT, bad=BAD_ADVANTAGE, name="plain"),
    Case(
        jaxloss.cispo_loss,
        ON_A_GRID,
        formulas.cispo,
        {"min_ratio": 0.5, "max_ratio": 2.0},
        constant=(*CONSTANT, "min_ratio", "max_ratio"),
        bad=BAD_ADVANTAGE,
        smooth=True,
    ),
    Case(
        jaxloss.clipped_value_loss,
        VALUES,
        formulas.clipped_value,
        {"epsilon": 0.7},
        constant=("old_predictions",),
    ),
    Case(jaxloss.kl_estimate, REFERRED, formulas.kl_estimate, constant=("reference_log_probs",), smooth=True),
    Case(
        jaxloss.kl_estimate,
        REFERRED,
        formulas.kl_estimate,
        {"estimator": "k1"},
        constant=("reference_log_probs",),
        name="k1",
    ),
    Case(
        jaxloss.kl_estimate,
        NEAR,
        formulas.kl_estimate,
        {"estimator": "k2"},
        constant=("reference_log_probs",),
        name="k2",
    ),
]
MORE = [
    Case(
        jaxloss.ppo_clip_loss,
        BY_ROW,
        formulas.ppo_clip,
        {"epsilon_low": 1.5, "dual_clip": 2.0},
        constant=CONSTANT,
        name="advantages_by_row",
    ),
]
