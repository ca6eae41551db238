"""Likelihoods against what users would otherwise call: scipy.stats, scikit-learn; PyTorch and
Keras by the formulas they document."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy
import sklearn.metrics

import jaxloss

from ..harness.peers import close


# Libraries without types of their own.
pytestmark = pytest.mark.exhaustive
metrics: Any = sklearn.metrics
integrate: Any = scipy.integrate
special: Any = scipy.special
stats: Any = scipy.stats


N = 12
rng = np.random.default_rng(0)
P, Y = rng.normal(size=(2, N, 3)).astype(np.float32)
SCALE, SHAPE, MEAN = rng.uniform(0.3, 3, (3, N, 3)).astype(np.float32)
AMOUNTS = rng.gamma(2, size=(N, 3)).astype(np.float32)
COUNTS = rng.poisson(3, (N, 3)).astype(np.int32)
WEIGHTS = rng.uniform(0.5, 2, (N, 1)).astype(np.float32)
p, y, scale, shape, mean, amounts, w = (
    x.astype(np.float64) for x in (P, Y, SCALE, SHAPE, MEAN, AMOUNTS, WEIGHTS[:, 0])
)
each = {"reduction": "none"}


# --- scipy: log-densities and special functions -------------------------------------------------------------------


def crps(cdf, label: float) -> float:
    """The integral of the squared distance between two distribution functions."""
    below = integrate.quad(lambda t: cdf(t) ** 2, -40, label, limit=200)[0]
    return below + integrate.quad(lambda t: (1 - cdf(t)) ** 2, label, 40, limit=200)[0]


SCIPY = {
    "norm": (
        lambda: jaxloss.gaussian_nll_loss(P, Y, variance=SCALE**2, full=True, **each),
        -stats.norm.logpdf(y, p, scale),
    ),
    "laplace": (
        lambda: jaxloss.laplace_nll_loss(P, Y, scale=SCALE, full=True, **each),
        -stats.laplace.logpdf(y, p, scale),
    ),
    "t": (
        lambda: jaxloss.student_t_nll_loss(P, Y, scale=SCALE, df=SHAPE, full=True, **each),
        -stats.t.logpdf(y, shape, p, scale),
    ),
    "cauchy": (
        lambda: jaxloss.student_t_nll_loss(P, Y, scale=SCALE, df=1.0, full=True, **each),
        -stats.cauchy.logpdf(y, p, scale),
    ),
    "poisson": (
        lambda: jaxloss.poisson_nll_loss(P, COUNTS, full=True, **each),
        -stats.poisson.logpmf(COUNTS, np.exp(p)),
    ),
    "poisson-rate": (
        lambda: jaxloss.poisson_nll_loss(MEAN, COUNTS, log_input=False, full=True, **each),
        -stats.poisson.logpmf(COUNTS, mean),
    ),
    "nbinom": (
        lambda: jaxloss.negative_binomial_nll_loss(MEAN, COUNTS, dispersion=SHAPE, full=True, **each),
        -stats.nbinom.logpmf(COUNTS, 1 / shape, 1 / (1 + shape * mean)),
    ),
    "gamma": (
        lambda: jaxloss.gamma_nll_loss(MEAN, AMOUNTS, concentration=SHAPE, full=True, **each),
        -stats.gamma.logpdf(amounts, shape, scale=mean / shape),
    ),
    "expon": (
        lambda: jaxloss.gamma_nll_loss(MEAN, AMOUNTS, concentration=1.0, full=True, **each),
        -stats.expon.logpdf(amounts, scale=mean),
    ),
    "invgauss-tweedie": (
        lambda: jaxloss.tweedie_deviance_loss(MEAN, AMOUNTS, power=3, **each),
        # Twice the log-likelihood that is lost against a perfect prediction.
        2 * stats.invgauss.logpdf(amounts, amounts) - 2 * stats.invgauss.logpdf(amounts, mean),
    ),
    "mixture": (
        lambda: jaxloss.gaussian_mixture_nll_loss(P, Y[:, 0], means=MEAN, scales=SCALE, full=True, **each),
        -special.logsumexp(special.log_softmax(p, -1) + stats.norm.logpdf(y[:, :1], mean, scale), axis=-1),
    ),
    "crps-norm": (
        lambda: jaxloss.gaussian_crps_loss(P[:, 0], Y[:, 0], scale=SCALE[:, 0], **each),
        [crps(stats.norm(*row).cdf, label) for *row, label in zip(p[:, 0], scale[:, 0], y[:, 0])],
    ),
    "crps-ensemble": (
        lambda: jaxloss.ensemble_crps_loss(P, Y[:, 0], **each),
        [crps(lambda t, row=row: np.mean(row <= t), label) for row, label in zip(p, y[:, 0])],
    ),
    "energy_distance": (
        lambda: jaxloss.ensemble_crps_loss(P, Y[:, 0], **each),
        [0.5 * stats.energy_distance(row, [label]) ** 2 for row, label in zip(p, y[:, 0])],
    ),
}


@pytest.mark.parametrize("row", SCIPY)
def test_scipy(row):
    ours, expected = SCIPY[row]
    close(ours(), expected, rtol=2e-4 if row == "crps-ensemble" else 1e-5)  # a quadrature over steps


# --- scikit-learn: means ------------------------------------------------------------------------------------------


SKLEARN = {
    "mean_poisson_deviance": (
        lambda: jaxloss.tweedie_deviance_loss(MEAN[:, 0], COUNTS[:, 0], WEIGHTS[:, 0], power=1),
        metrics.mean_poisson_deviance(COUNTS[:, 0], mean[:, 0], sample_weight=w),
    ),
    "mean_gamma_deviance": (
        lambda: jaxloss.tweedie_deviance_loss(MEAN[:, 0], AMOUNTS[:, 0], WEIGHTS[:, 0], power=2),
        metrics.mean_gamma_deviance(amounts[:, 0], mean[:, 0], sample_weight=w),
    ),
    **{
        f"mean_tweedie_deviance({power})": (
            lambda power=power, labels=labels: jaxloss.tweedie_deviance_loss(MEAN[:, 0], labels, power=power),
            metrics.mean_tweedie_deviance(labels, mean[:, 0], power=power),
        )
        for power, labels in ((-1.5, Y[:, 0]), (0, Y[:, 0]), (1.2, COUNTS[:, 0]), (1.9, COUNTS[:, 0]))
    },
}


@pytest.mark.parametrize("row", SKLEARN)
def test_sklearn(row):
    ours, expected = SKLEARN[row]
    close(ours(), expected)


# --- PyTorch and Keras: the formulas they document ----------------------------------------------------------------


variance = scale**2
floor = np.maximum(variance, 0.5)
stirling = special.xlogy(COUNTS, COUNTS) - COUNTS + 0.5 * np.log(2 * np.pi * np.maximum(COUNTS, 1))

FORMULAS = {
    "gaussian_nll_loss": (
        lambda: jaxloss.gaussian_nll_loss(P, Y, variance=SCALE**2),
        0.5 * (np.log(variance) + (p - y) ** 2 / variance).mean(),
    ),
    "gaussian_nll_loss(full, eps)": (
        lambda: jaxloss.gaussian_nll_loss(P, Y, variance=SCALE**2, full=True, eps=0.5),
        0.5 * (np.log(floor) + (p - y) ** 2 / floor + np.log(2 * np.pi)).mean(),
    ),
    "gaussian_nll_loss(one variance a row)": (
        lambda: jaxloss.gaussian_nll_loss(P, Y, variance=SCALE[:, :1]),
        0.5 * (np.log(scale[:, :1]) + (p - y) ** 2 / scale[:, :1]).mean(),
    ),
    "poisson_nll_loss": (lambda: jaxloss.poisson_nll_loss(P, COUNTS), (np.exp(p) - COUNTS * p).mean()),
    "poisson_nll_loss(full)": (
        lambda: jaxloss.poisson_nll_loss(P, COUNTS, full="stirling"),
        (np.exp(p) - COUNTS * p + np.where(COUNTS > 1, stirling, 0)).mean(),
    ),
    "poisson_nll_loss(log_input=False, eps)": (
        lambda: jaxloss.poisson_nll_loss(MEAN + 0.1, COUNTS, log_input=False) - 0.1,
        (mean - COUNTS * np.log(mean + 0.1)).mean(),
    ),
    "keras.Poisson": (
        lambda: jaxloss.poisson_nll_loss(MEAN, COUNTS, log_input=False),
        (mean - COUNTS * np.log(mean + 1e-7)).mean(),
    ),
}


@pytest.mark.parametrize("row", FORMULAS)
def test_formulas(row):
    ours, expected = FORMULAS[row]
    close(ours(), expected)
