"""Regression and likelihoods against what users would otherwise call: scipy.stats, scikit-learn, Optax; PyTorch and
Keras by the formulas they document."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy
import sklearn.metrics

import jaxloss


# Libraries without types of their own.
pytestmark = pytest.mark.exhaustive
metrics: Any = sklearn.metrics
pairwise: Any = sklearn.metrics.pairwise
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


def close(found, expected, **tolerance):
    np.testing.assert_allclose(found, expected, **{"rtol": 1e-5, "atol": 1e-6, **tolerance})


# --- scipy: log-densities and special functions -------------------------------------------------------------------


def crps(cdf, label: float) -> float:
    """The integral of the squared distance between two distribution functions."""
    below = integrate.quad(lambda t: cdf(t) ** 2, -40, label, limit=200)[0]
    return below + integrate.quad(lambda t: (1 - cdf(t)) ** 2, label, 40, limit=200)[0]


SCIPY = {
    "huber": (lambda: jaxloss.huber_loss(P, Y, delta=0.6, **each), special.huber(0.6, p - y)),
    "pseudo_huber": (
        lambda: 0.6 * (jaxloss.charbonnier_loss(P, Y, scale=0.6, **each) - 0.6),
        special.pseudo_huber(0.6, p - y),
    ),
    "pseudo_huber-barron": (
        lambda: 0.36 * jaxloss.general_robust_loss(P, Y, alpha=1, scale=0.6, **each),
        special.pseudo_huber(0.6, p - y),
    ),
    "hypsecant": (
        lambda: jaxloss.log_cosh_loss(P, Y, **each),
        -stats.hypsecant.logpdf(y, p) - np.log(np.pi),
    ),
    "laplace_asymmetric": (
        lambda: jaxloss.quantile_loss(P, Y, quantile=0.9, **each),
        # Its kappa is the root of the ratio of the two slopes.
        -stats.laplace_asymmetric.logpdf(y, 3, p, 1 / 0.3) + np.log(0.09),
    ),
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
    "cauchy-barron": (
        lambda: jaxloss.general_robust_loss(P, Y, alpha=0, scale=SCALE, **each),
        -stats.cauchy.logpdf(y, p, np.sqrt(2) * scale) - np.log(np.pi * np.sqrt(2) * scale),
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
    "mean_pinball_loss": (
        lambda: jaxloss.quantile_loss(P, Y, quantile=0.9),
        metrics.mean_pinball_loss(y, p, alpha=0.9),
    ),
    "mean_pinball_loss-weights": (
        lambda: jaxloss.quantile_loss(P, Y, WEIGHTS, quantile=0.2),
        metrics.mean_pinball_loss(y, p, sample_weight=w, alpha=0.2),
    ),
    "mean_absolute_percentage_error": (
        lambda: jaxloss.mape_loss(P, Y, WEIGHTS),
        metrics.mean_absolute_percentage_error(y, p, sample_weight=w),
    ),
    "mean_squared_log_error": (
        lambda: jaxloss.msle_loss(MEAN, AMOUNTS, WEIGHTS),
        metrics.mean_squared_log_error(amounts, mean, sample_weight=w),
    ),
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
    "paired_cosine_distances": (
        lambda: jaxloss.cosine_distance(P, Y, reduction="none"),
        pairwise.paired_cosine_distances(p, y),
    ),
}


@pytest.mark.parametrize("row", SKLEARN)
def test_sklearn(row):
    ours, expected = SKLEARN[row]
    close(ours(), expected)


# --- Optax: losses and gradients ----------------------------------------------------------------------------------


OPTAX = {
    "huber": (lambda x: jaxloss.huber_loss(x, Y, delta=0.6, **each), lambda x: optax.huber_loss(x, Y, delta=0.6)),
    "log_cosh": (lambda x: jaxloss.log_cosh_loss(x, Y, **each), lambda x: optax.log_cosh(x, Y)),
    "cosine_distance": (lambda x: jaxloss.cosine_distance(x, Y, **each), lambda x: optax.cosine_distance(x, Y)),
    "cosine_distance-axis": (
        lambda x: jaxloss.cosine_distance(x, Y, axis=0, **each),
        lambda x: optax.cosine_distance(x, Y, axis=0),
    ),
}


@pytest.mark.parametrize("row", OPTAX)
def test_optax(row):
    def value_and_gradient(f):
        value, pull = jax.vjp(f, P)
        slope = np.random.default_rng(1).normal(size=value.shape)
        return value, *pull(jnp.asarray(slope, jnp.float32))

    ours, theirs = jax.jit(lambda: [value_and_gradient(f) for f in OPTAX[row]])()
    jax.tree.map(close, ours, theirs)


# --- PyTorch and Keras: the formulas they document ----------------------------------------------------------------


variance = scale**2
floor = np.maximum(variance, 0.5)
stirling = special.xlogy(COUNTS, COUNTS) - COUNTS + 0.5 * np.log(2 * np.pi * np.maximum(COUNTS, 1))
log1p = np.log1p(np.stack([mean, amounts]))

FORMULAS = {
    "huber_loss(delta)": (
        lambda: jaxloss.huber_loss(P, Y, delta=0.6),
        np.where(abs(p - y) < 0.6, 0.5 * (p - y) ** 2, 0.6 * (abs(p - y) - 0.3)).mean(),
    ),
    "huber_loss(weight) divides by the elements": (
        lambda: jaxloss.huber_loss(P, Y, WEIGHTS, reduction="sum") / P.size,
        (w[:, None] * special.huber(1, p - y)).mean(),
    ),
    "smooth_l1_loss(beta)": (
        lambda: jaxloss.smooth_l1_loss(P, Y, beta=0.6),
        np.where(abs(p - y) < 0.6, 0.5 * (p - y) ** 2 / 0.6, abs(p - y) - 0.3).mean(),
    ),
    "smooth_l1_loss(beta=0)": (lambda: jaxloss.smooth_l1_loss(P, Y, beta=0), abs(p - y).mean()),
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
    "cosine_similarity": (
        lambda: 1 - jaxloss.cosine_distance(P, Y, **each),
        (p * y).sum(-1) / np.sqrt((p**2).sum(-1) * (y**2).sum(-1)),
    ),
    "keras.CosineSimilarity": (
        lambda: jaxloss.cosine_distance(P, Y) - 1,
        -((p * y).sum(-1) / np.sqrt((p**2).sum(-1) * (y**2).sum(-1))).mean(),
    ),
    "keras.LogCosh": (
        lambda: jaxloss.log_cosh_loss(P, Y),
        ((p - y) + np.logaddexp(0, -2 * (p - y)) - np.log(2)).mean(),
    ),
    "keras.MeanAbsolutePercentageError": (
        lambda: 100 * jaxloss.mape_loss(P, Y, epsilon=1e-7),
        100 * (abs(p - y) / np.maximum(abs(y), 1e-7)).mean(),
    ),
    "keras.MeanSquaredLogarithmicError": (
        lambda: jaxloss.msle_loss(MEAN, AMOUNTS),
        ((log1p[0] - log1p[1]) ** 2).mean(),
    ),
    "keras.Poisson": (
        lambda: jaxloss.poisson_nll_loss(MEAN, COUNTS, log_input=False),
        (mean - COUNTS * np.log(mean + 1e-7)).mean(),
    ),
    "rlax.quantile huber": (
        lambda: 0.5 * jaxloss.quantile_loss(P, Y, quantile=0.9, huber_delta=0.5, **each),
        np.where(p > y, 0.1, 0.9) * special.huber(0.5, p - y),
    ),
    "rlax.expectile": (
        lambda: jaxloss.expectile_loss(P, Y, expectile=0.9, **each),
        abs(0.9 - (y - p < 0)) * (p - y) ** 2,
    ),
}


@pytest.mark.parametrize("row", FORMULAS)
def test_formulas(row):
    ours, expected = FORMULAS[row]
    close(ours(), expected)
