"""Regression: each loss as the tests call it."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

import jaxloss

from ..harness import probes
from ..harness.case import (
    POSITIVES,
    REALS,
    Case,
    apart,
    floats,
    normal,
    outside,
    positive,
    uniform,
)
from ..harness.formulas import cosine
from . import formulas


CASES = [
    Case(
        jaxloss.l1_loss,
        {"predictions": normal(4), "labels": normal(4)},
        lambda predictions, labels: abs(predictions - labels),
        probes=probes.number(),
    ),
    Case(
        jaxloss.mse_loss,
        {"predictions": normal(4), "labels": normal(4)},
        lambda predictions, labels: (predictions - labels) ** 2,
        smooth=True,
        probes=probes.number(),
    ),
    Case(jaxloss.huber_loss, REALS, formulas.huber, {"delta": 0.7}, probes=probes.number()),
    Case(jaxloss.smooth_l1_loss, REALS, formulas.smooth_l1, {"beta": 0.7}, probes=probes.number()),
    Case(
        jaxloss.log_cosh_loss,
        REALS,
        lambda predictions, labels: np.log(np.cosh(predictions - labels)),
        smooth=True,
        probes=probes.number(),
    ),
    Case(
        jaxloss.charbonnier_loss,
        REALS,
        lambda predictions, labels, scale: np.hypot(predictions - labels, scale),
        {"scale": 0.5},
        smooth=True,
        probes=probes.number(),
    ),
    Case(
        jaxloss.general_robust_loss,
        {
            **REALS,
            "alpha": floats("robustness", lambda rng, shape: rng.uniform(-3, 1.4, shape), 4),
            "scale": positive(4),
        },
        formulas.barron,
        bad=outside(("alpha", np.inf, "[-inf, inf)"), ("scale", -1.0, "(0, inf)")),
        smooth=True,
        probes=probes.number(),
    ),
    Case(jaxloss.general_robust_loss, REALS, formulas.barron, {"alpha": 1.8, "scale": 0.5}, name="near_2"),
    Case(
        jaxloss.quantile_loss,
        {**REALS, "quantile": uniform(4)},
        formulas.quantile,
        bad=outside(("quantile", 1.5, "[0, 1]")),
        probes=probes.number(),
    ),
    Case(jaxloss.quantile_loss, REALS, formulas.quantile, {"quantile": 0.9, "huber_delta": 0.5}, name="huber"),
    Case(
        jaxloss.expectile_loss,
        REALS,
        lambda predictions, labels, expectile: (
            formulas.charged(predictions - labels, expectile) * (predictions - labels) ** 2
        ),
        {"expectile": 0.9},
        probes=probes.number(),
    ),
    Case(
        jaxloss.mape_loss,
        {"predictions": normal(4), "labels": apart(4)},
        lambda predictions, labels: abs(predictions - labels) / abs(labels),
        bad=(("labels", 0, "labels must not be 0 unless epsilon is given, got 0.0"),),
        probes=probes.number(0.5, 0.5, y=0.5),
    ),
    Case(
        jaxloss.mape_loss,
        REALS,
        lambda predictions, labels, epsilon: abs(predictions - labels) / np.maximum(abs(labels), epsilon),
        {"epsilon": 0.5},
        name="epsilon",
    ),
    Case(
        jaxloss.smape_loss,
        REALS,
        lambda predictions, labels: 2 * abs(predictions - labels) / (abs(predictions) + abs(labels)),
        probes=probes.number(0.5, 0.5, (-3.0, 3.0), y=0.5),
    ),
    Case(
        jaxloss.msle_loss,
        POSITIVES,
        lambda predictions, labels: (np.log1p(predictions) - np.log1p(labels)) ** 2,
        bad=outside(("predictions", -1.0, "(-1, inf)"), ("labels", -1.5, "(-1, inf)")),
        smooth=True,
        probes=probes.number(0.0, 0.0, (-0.9, 30.0)),
    ),
    Case(
        jaxloss.relative_l2_loss,
        {"predictions": normal(4), "labels": apart(4)},
        formulas.relative_l2,
        probes=lambda loss, **_: [
            probes.Probe(
                lambda p, y: loss(p[None], y[None]),
                lambda s: s,
                jnp.array(0.5),
                0.5,
                lambda s: (0.5, jnp.array(0.5 + s)),
                names={"norm": 0.5},
            )
        ],
    ),
    Case(
        jaxloss.relative_l2_loss,
        {"predictions": normal(4, 2, 2), "labels": apart(4, 2, 2)},
        formulas.relative_l2,
        {"axis": (-3, -1), "epsilon": 3.0},
        name="axes",
    ),
    Case(jaxloss.cosine_distance, {"predictions": normal(4), "labels": normal(4)}, cosine, probes=probes.directions()),
]
