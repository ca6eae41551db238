"""Likelihoods: each loss as the tests call it."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness import probes
from ..harness.case import (
    POSITIVES,
    REALS,
    Case,
    counts,
    floats,
    normal,
    outside,
    positive,
    with_options,
)
from . import formulas


COUNTS = {"predictions": positive(4), "labels": counts(4)}

CASES = [
    Case(
        jaxloss.gaussian_nll_loss,
        {**REALS, "variance": positive(4)},
        formulas.gaussian,
        {"full": True},
        bad=outside(("variance", -0.5, "[0, inf)")),
        probes=probes.number(),
    ),
    Case(
        jaxloss.laplace_nll_loss,
        {**REALS, "scale": positive(4)},
        formulas.laplace,
        {"full": True},
        bad=outside(("scale", 0.0, "(0, inf)")),
        probes=probes.number(),
    ),
    Case(
        jaxloss.student_t_nll_loss,
        {**REALS, "scale": positive(4), "df": positive(4)},
        formulas.student_t,
        {"full": True},
        bad=outside(("scale", 0.0, "(0, inf)"), ("df", -2.0, "(0, inf)")),
        smooth=True,
        probes=probes.number(),
    ),
    Case(
        jaxloss.gaussian_mixture_nll_loss,
        {"logits": normal(4), "labels": normal(), "means": normal(4), "scales": positive(4)},
        formulas.mixture,
        {"full": True},
        bad=outside(("means", np.inf, "(-inf, inf)"), ("scales", 0.0, "(0, inf)")),
        smooth=True,
        probes=probes.mixture,
    ),
    Case(
        jaxloss.poisson_nll_loss,
        {"predictions": normal(4), "labels": counts(4)},
        formulas.poisson,
        {"full": True},
        probes=lambda loss, **_: [probes.Probe(loss, lambda s: s, 1.0, 0.0, lambda s: (0.0, s), (-3.0, 3.0))],
    ),
    Case(
        jaxloss.poisson_nll_loss,
        {"predictions": positive(4), "labels": counts(4, least=2)},  # off the step at 1
        formulas.poisson,
        {"log_input": False, "full": "stirling"},
        bad=outside(("predictions", -1.0, "[0, inf)"), ("labels", -1.0, "[0, inf)")),
        name="rate",
    ),
    Case(
        jaxloss.negative_binomial_nll_loss,
        {**COUNTS, "dispersion": positive(4)},
        formulas.negative_binomial,
        {"full": True},
        bad=outside(("predictions", -1.0, "[0, inf)"), ("labels", -1.0, "[0, inf)"), ("dispersion", -0.5, "[0, inf)")),
        smooth=True,
        probes=probes.number(1.0, 1.0, (0.05, 30.0)),
    ),
    Case(
        jaxloss.gamma_nll_loss,
        {**POSITIVES, "concentration": positive(4)},
        formulas.gamma,
        {"full": True},
        bad=outside(("predictions", 0.0, "(0, inf)"), ("labels", 0.0, "(0, inf)"), ("concentration", -1.0, "(0, inf)")),
        smooth=True,
        probes=probes.number(1.0, 1.0, (0.05, 30.0)),
    ),
    Case(
        jaxloss.tweedie_deviance_loss,
        {**POSITIVES, "power": floats("power", lambda rng, shape: rng.uniform(-1, 4, shape), 4)},
        formulas.tweedie,
        bad=(
            ("predictions", 0.0, "predictions must be above 0, or any number where power is 0, got 0.0"),
            ("power", np.inf, "power must lie in (-inf, inf), got inf"),
        ),
        smooth=True,
        probes=probes.number(1.0, 1.0, (0.05, 30.0)),
    ),
    Case(
        jaxloss.tweedie_deviance_loss,
        {"predictions": positive(4), "labels": counts(4, least=1)},
        formulas.tweedie,
        {"power": 1.5},
        bad=(("labels", -1, "labels must be above 0 for a power of 2 or more, at least 0 between 0 and 2, got -1.0"),),
        name="counts",
    ),
    Case(
        jaxloss.gaussian_crps_loss,
        {**REALS, "scale": positive(4)},
        formulas.gaussian_crps,
        bad=outside(("scale", 0.0, "(0, inf)")),
        smooth=True,
        probes=probes.number(),
    ),
    Case(
        jaxloss.ensemble_crps_loss,
        {"predictions": normal(4), "labels": normal()},
        formulas.ensemble_crps,
        near_kinks=True,
        probes=probes.ensemble,
    ),
    Case(
        jaxloss.ensemble_crps_loss,
        {"predictions": normal(4, 2), "labels": normal(2)},
        formulas.ensemble_crps,
        {"axis": 1, "fair": True},
        name="fair",
        near_kinks=True,
    ),
]


# Options that the rows leave alone, because each row runs under every test: for those of values and derivatives.
MORE = [
    with_options(case, options={"full": False}, name="not-full")
    for case in CASES
    if case.loss is jaxloss.laplace_nll_loss
]
