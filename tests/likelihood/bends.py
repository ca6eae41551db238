"""Kinks of likelihoods, and edges of domains and options: with the derivatives there."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness.bends import at, errors, near
from . import formulas


KINKS = [
    at(jaxloss.laplace_nll_loss, "zero", {"predictions": [0], "scale": 0.5}, **errors(0), scale=2.0),
    at(
        jaxloss.gaussian_nll_loss,
        "variance_at_its_floor",
        {"predictions": [2], "variance": -1},
        **errors(1),
        variance=0.5,
        eps=0.5,
    ),
    at(
        jaxloss.poisson_nll_loss,
        "stirling_from_one",
        {"labels": [-np.log(2)]},
        predictions=[2.0],
        labels=[1.0],
        log_input=False,
        full="stirling",
    ),
    at(
        jaxloss.ensemble_crps_loss,
        "members_at_the_label_and_each_other",
        {"predictions": [[1 / 9] * 3], "labels": [-1 / 3]},
        predictions=[[0.0, 0, 1]],
        labels=[0.0],
    ),
]
EDGES = [
    at(
        jaxloss.gaussian_nll_loss,
        "no_variance",
        {"predictions": [200], "variance": [0.5 * (100 - 4e4)], "eps": 0},
        **errors(2),
        variance=[0.0],
        eps=0.01,
    ),
    *(
        at(
            jaxloss.gaussian_nll_loss,
            f"beta_of_{beta}",
            {"predictions": [0.5 * 4.0**beta], "beta": 0.5 * (np.log(4) + 1) * np.log(4) * 4.0**beta},
            **errors(2),
            variance=4.0,
            beta=float(beta),
        )
        for beta in (0, 1)
    ),
    at(
        jaxloss.gaussian_crps_loss,
        "no_scale",
        {"predictions": [1], "scale": -(np.pi**-0.5)},
        lost_in_a_scan=True,
        **errors(2),
        scale=1e-30,
    ),
    at(jaxloss.gaussian_crps_loss, "far", {"predictions": [1], "scale": -(np.pi**-0.5)}, **errors(1e30), scale=1.0),
    *(
        at(
            jaxloss.tweedie_deviance_loss,
            f"power_of_{power}",
            {
                "predictions": [-2 / 2.0**power],
                "labels": [slope],
                "power": near(lambda r: float(formulas.tweedie(2.0, 3.0, r)), float(power)),
            },
            predictions=[2.0],
            labels=[3.0],
            power=float(power),
        )
        for power, slope in ((0, 2), (1, 2 * np.log(1.5)), (2, 2 * (1 / 2 - 1 / 3)), (3, 1 / 4 - 1 / 9))
    ),
    at(
        jaxloss.tweedie_deviance_loss,
        "label_of_zero",
        {"predictions": [2 * 2**0.5, 4], "labels": [-4 * 2**0.5, -8]},
        predictions=[2.0, 4],
        labels=[0.0, 0],
        power=0.5,
    ),
    at(
        jaxloss.poisson_nll_loss,
        "no_count",
        {"predictions": [np.exp(0.5)], "labels": [-0.5 - np.euler_gamma]},
        predictions=[0.5],
        labels=[0.0],
        full=True,
    ),
    at(jaxloss.poisson_nll_loss, "no_rate", {"predictions": [1]}, predictions=[0.0], labels=[0.0], log_input=False),
    at(jaxloss.poisson_nll_loss, "log_of_no_rate", {"predictions": [0]}, predictions=[-np.inf], labels=[0.0]),
    at(
        jaxloss.negative_binomial_nll_loss,
        "no_dispersion",
        {"predictions": [-0.5], "dispersion": -2 + 6 - 3},
        predictions=[2.0],
        labels=[3.0],
        dispersion=0.0,
    ),
    at(
        jaxloss.negative_binomial_nll_loss,
        "no_count_and_no_mean",
        {"predictions": [1], "dispersion": 0},
        predictions=[0.0],
        labels=[0.0],
        dispersion=0.5,
    ),
    at(jaxloss.ensemble_crps_loss, "one_member", {"predictions": [[1]]}, predictions=[[2.0]], labels=[0.0]),
]
