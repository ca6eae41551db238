"""Kinks of regression, and edges of domains and options: with the derivatives there."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness.bends import at, errors, near
from . import formulas


KINKS = [
    at(jaxloss.l1_loss, "zero", {"predictions": [0, 1], "labels": [0, -1]}, **errors(0, 1)),
    at(jaxloss.huber_loss, "zero_and_delta", {"predictions": [0, 1, -1], "delta": 0}, **errors(0, 1, -1), delta=1.0),
    at(
        jaxloss.smooth_l1_loss,
        "zero_and_beta",
        {"predictions": [0, 1, -1], "beta": -1},
        **errors(0, 0.5, -0.5),
        beta=0.5,
    ),
    at(jaxloss.smooth_l1_loss, "beta_of_zero", {"predictions": [0, 1], "beta": -0.5}, **errors(0, 2), beta=0.0),
    at(jaxloss.quantile_loss, "zero", {"predictions": [0], "labels": [0], "quantile": 0}, **errors(0), quantile=0.9),
    at(
        jaxloss.quantile_loss,
        "zero_and_huber_delta",
        {"predictions": [0, 0.1, -0.9], "huber_delta": -0.5},
        **errors(0, 0.5, -0.5),
        quantile=0.9,
        huber_delta=0.5,
    ),
    at(jaxloss.quantile_loss, "huber_delta_of_zero", {"predictions": [0]}, **errors(0), quantile=0.9, huber_delta=0.0),
    at(jaxloss.expectile_loss, "zero", {"predictions": [0], "expectile": 0}, **errors(0), expectile=0.9),
    at(jaxloss.mape_loss, "zero_error", {"predictions": [0], "labels": [0]}, predictions=[2.0], labels=[2.0]),
    at(jaxloss.mape_loss, "label_of_zero", {"labels": [-2]}, predictions=[2.0], labels=[0.0], epsilon=0.5),
    at(
        jaxloss.smape_loss,
        "equal",
        {"predictions": [0, 0], "labels": [0, 0]},
        predictions=[1.0, 0.0],
        labels=[1.0, 0.0],
    ),
    at(jaxloss.smape_loss, "prediction_of_zero", {"predictions": [-0.4]}, predictions=[0.0], labels=[5.0]),
    at(jaxloss.relative_l2_loss, "equal", {"predictions": [3 * [0]]}, predictions=[[1.0, 2, 3]], labels=[[1.0, 2, 3]]),
    at(
        jaxloss.cosine_distance,
        "zero_vector",
        {"predictions": [[0, 0]], "labels": [[0, 0]]},
        predictions=[[0.0, 0]],
        labels=[[1.0, 2]],
    ),
]
EDGES = [
    *(
        at(
            jaxloss.general_robust_loss,
            f"zero_error_{alpha}",
            {"predictions": [0], "alpha": 0, "scale": 0},
            **errors(0),
            alpha=alpha,
            scale=2.0,
        )
        for alpha in (-2.0, 0.0, 0.5, 1.0)
    ),
    at(
        jaxloss.general_robust_loss,
        "hardly_an_error",
        {"predictions": [1.69e-15], "scale": 0},
        predictions=[-0.00012023091403],
        labels=[-0.00012023106683],
        alpha=-0.0012,
        scale=319.6,
    ),
    at(
        jaxloss.msle_loss,
        "far_below",
        {"predictions": [-2 * np.log1p(2e7)], "labels": [2 * np.log1p(2e7) / 2e7]},
        predictions=[0.0],
        labels=[2e7],
    ),
    at(jaxloss.charbonnier_loss, "far", {"predictions": [1, -1], "scale": 0}, **errors(1e36, -np.inf), scale=1e-3),
    *(
        at(
            jaxloss.general_robust_loss,
            f"alpha_of_{alpha}",
            {"predictions": [slope]},
            **errors(2),
            alpha=alpha,
        )
        for alpha, slope in ((2.0, 2), (1.0, 2 / 5**0.5), (0.0, 2 / 3), (-2.0, 2 / 4), (-np.inf, 2 * np.exp(-2)))
    ),
    at(
        jaxloss.general_robust_loss,
        "slope_in_alpha_at_zero",
        {"alpha": near(lambda a: float(formulas.barron(2.0, 0.0, a)), 0.0)},
        **errors(2),
        alpha=0.0,
    ),
    at(jaxloss.charbonnier_loss, "zero", {"predictions": [0], "scale": 1}, **errors(0), scale=0.5),
    *(
        at(
            jaxloss.quantile_loss,
            f"quantile_of_{q}",
            {"predictions": [1 - q, -q], "quantile": 1},
            **errors(2, -3),
            quantile=float(q),
        )
        for q in (0, 1)
    ),
    *(
        at(
            jaxloss.expectile_loss,
            f"expectile_of_{q}",
            {"predictions": [4 * (1 - q), -6 * q], "expectile": 5},
            **errors(2, -3),
            expectile=float(q),
        )
        for q in (0, 1)
    ),
]
BENDS = [
    ("general_robust", lambda p, alpha: jaxloss.general_robust_loss(p, 1.0, alpha=alpha), (np.array(1.0), 1.0)),
    ("msle_far_below", lambda p: jaxloss.msle_loss(p, 1e17), (np.array(0.0),)),
]
