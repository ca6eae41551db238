"""Corners of the clipping, and edges of options: with the derivatives there."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness.bends import at


# Ratios of 2 and of 1 are exact; where clipping begins the slope is 0, whichever side it comes from.
TWICE = [[0.0, np.log(2), -np.log(2)]] * 2
ADVANTAGES = [[3.0] * 3, [-3.0] * 3]

KINKS = [
    at(
        jaxloss.ppo_clip_loss,
        "corners",
        {"log_probs": [[-3, 0, -1.5], [3, 0, 0]], "epsilon_low": -3, "epsilon_high": -3, "dual_clip": 3},
        log_probs=TWICE,
        old_log_probs=np.zeros((2, 3)),
        advantages=ADVANTAGES,
        epsilon_low=0.5,
        epsilon_high=1.0,
        dual_clip=2.0,
    ),
    at(
        jaxloss.ppo_clip_loss,
        "no_room",
        {"log_probs": [0, 0]},
        log_probs=[0.0, 0],
        old_log_probs=[0.0, 0],
        advantages=[3.0, -3],
        epsilon_low=0.0,
        epsilon_high=0.0,
    ),
    # Where both errors are as large the prediction learns; within the range there is but one.
    at(
        jaxloss.clipped_value_loss,
        "corner_and_tie",
        {"predictions": [4, 2], "labels": [-4, -2], "epsilon": 0},
        predictions=[1.0, 2],
        labels=[-1.0, 1],
        old_predictions=[0.0, -1],
        epsilon=1.0,
    ),
]
EDGES = [
    at(
        jaxloss.ppo_clip_loss,
        "no_lower_bound",
        {"log_probs": [np.exp(-9), 0], "epsilon_low": 0},
        log_probs=[-9.0, -np.inf],
        old_log_probs=[0.0, 0],
        advantages=[-1.0, -1],
        epsilon_low=1.5,
    ),
    at(
        jaxloss.cispo_loss,
        "ratio_of_one",
        {"log_probs": [-3, 2], "min_ratio": 0, "max_ratio": 0},
        log_probs=[-200.0, 200],
        old_log_probs=[0.0, 0],
        advantages=[3.0, -2],
        min_ratio=1.0,
        max_ratio=1.0,
    ),
]
