"""Regression against what users would otherwise call: scipy.stats, scikit-learn, Optax; PyTorch and
Keras by the formulas they document."""

from __future__ import annotations

from typing import Any

import numpy as np
import optax
import pytest
import scipy
import sklearn.metrics

import jaxloss

from ..harness.peers import alike, close


# Libraries without types of their own.
pytestmark = pytest.mark.exhaustive
metrics: Any = sklearn.metrics
pairwise: Any = sklearn.metrics.pairwise
special: Any = scipy.special
stats: Any = scipy.stats


N = 12
rng = np.random.default_rng(0)
P, Y = rng.normal(size=(2, N, 3)).astype(np.float32)
SCALE, MEAN = rng.uniform(0.3, 3, (2, N, 3)).astype(np.float32)
AMOUNTS = rng.gamma(2, size=(N, 3)).astype(np.float32)
WEIGHTS = rng.uniform(0.5, 2, (N, 1)).astype(np.float32)
p, y, scale, mean, amounts, w = (x.astype(np.float64) for x in (P, Y, SCALE, MEAN, AMOUNTS, WEIGHTS[:, 0]))
each = {"reduction": "none"}


# --- scipy: log-densities and special functions -------------------------------------------------------------------


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
    "cauchy-barron": (
        lambda: jaxloss.general_robust_loss(P, Y, alpha=0, scale=SCALE, **each),
        -stats.cauchy.logpdf(y, p, np.sqrt(2) * scale) - np.log(np.pi * np.sqrt(2) * scale),
    ),
}


@pytest.mark.parametrize("row", SCIPY)
def test_scipy(row):
    ours, expected = SCIPY[row]
    close(ours(), expected)


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
    alike(P, *OPTAX[row])


# --- PyTorch and Keras: the formulas they document ----------------------------------------------------------------


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
