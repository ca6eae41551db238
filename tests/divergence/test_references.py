"""Divergences and distances between distributions against Optax and SciPy; PyTorch and Keras by their formulas."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy

import jaxloss


pytestmark = pytest.mark.exhaustive
distance: Any = scipy.spatial.distance
special: Any = scipy.special
stats: Any = scipy.stats

N, K = 12, 6
rng = np.random.default_rng(0)
PROBS, LABELS = rng.dirichlet(np.ones(K), (2, N)).astype(np.float32)
LOG_PROBS = np.log(PROBS)
SPARSE = np.where(LABELS < 0.1, 0, LABELS).astype(np.float32)
Z, T = rng.normal(size=(2, N, K)).astype(np.float32)
WEIGHTS = rng.uniform(0.5, 2, N).astype(np.float32)
POSITIONS = np.array([-1, 0, 0.5, 2, 4, 7], np.float32)
p, y, sparse, lp, z, t, w = (x.astype(np.float64) for x in (PROBS, LABELS, SPARSE, LOG_PROBS, Z, T, WEIGHTS))
each = {"reduction": "none"}


def close(found, expected, **tolerance):
    np.testing.assert_allclose(found, expected, **{"rtol": 2e-5, "atol": 1e-6, **tolerance})


def keras_kl(labels, probs):
    """It clips both from below, by 1e-7."""
    labels, probs = np.clip(labels, 1e-7, 1), np.clip(probs, 1e-7, 1)
    return (labels * np.log(labels / probs)).sum(-1)


def torch_kl(log_probs, labels, log_labels=False):
    if log_labels:
        return np.exp(labels) * (labels - log_probs)
    return special.xlogy(labels, labels) - labels * log_probs


ROWS = {
    "optax-kl": (lambda: jaxloss.kl_divergence(LOG_PROBS, LABELS, **each), optax.kl_divergence(LOG_PROBS, LABELS)),
    "optax-kl-zeros": (
        lambda: jaxloss.kl_divergence(LOG_PROBS, SPARSE, **each),
        optax.kl_divergence(LOG_PROBS, SPARSE),
    ),
    "optax-kl-log": (
        lambda: jaxloss.kl_divergence(LOG_PROBS, np.log(LABELS), log_labels=True, **each),
        optax.losses.kl_divergence_with_log_targets(LOG_PROBS, jnp.log(LABELS)),
    ),
    "optax-kl-axis-mask": (
        lambda: jaxloss.kl_divergence(LOG_PROBS, SPARSE, axis=0, mask=np.arange(K) < 3, **each),
        np.where(np.arange(K) < 3, optax.kl_divergence(LOG_PROBS, SPARSE, axis=0), 0),
    ),
    "optax-generalized": (
        lambda: jaxloss.generalized_kl_divergence(LOG_PROBS, 3 * LABELS, **each),
        optax.losses.generalized_kl_divergence(LOG_PROBS, 3 * LABELS),
    ),
    "scipy-entropy": (
        lambda: jaxloss.kl_divergence(LOG_PROBS, LABELS, **each),
        stats.entropy(y, np.exp(lp), axis=-1),
    ),
    "scipy-entropy-reverse": (
        lambda: jaxloss.reverse_kl_divergence(LOG_PROBS, LABELS, **each),
        stats.entropy(np.exp(lp), y, axis=-1),
    ),
    "scipy-rel_entr-reverse-log": (
        lambda: jaxloss.reverse_kl_divergence(LOG_PROBS, np.log(LABELS), log_labels=True, **each),
        special.rel_entr(p, y).sum(-1),
    ),
    "scipy-kl_div": (
        lambda: jaxloss.generalized_kl_divergence(LOG_PROBS, 3 * SPARSE, **each),
        special.kl_div(3 * sparse, p).sum(-1),
    ),
    "scipy-jensenshannon": (
        lambda: jaxloss.js_divergence(LOG_PROBS, LABELS, **each),
        distance.jensenshannon(p, y, axis=-1) ** 2,
    ),
    "scipy-kl-poisson": (
        lambda: jaxloss.generalized_kl_divergence(LOG_PROBS, np.round(5 * LABELS), **each),
        # The log-likelihood that is lost against a perfect prediction.
        (stats.poisson.logpmf(np.round(5 * y), np.round(5 * y)) - stats.poisson.logpmf(np.round(5 * y), p)).sum(-1),
    ),
    "scipy-gaussian-overlap-renyi": (
        lambda: jaxloss.renyi_divergence(LOG_PROBS, LABELS, alpha=0.5, **each),
        -2 * np.log(np.sqrt(y * p).sum(-1)),  # the Bhattacharyya coefficient
    ),
    "scipy-cityblock": (
        lambda: 2 * jaxloss.total_variation_distance(PROBS, LABELS, **each),
        [distance.cityblock(*row) for row in zip(p, y)],
    ),
    "scipy-euclidean-of-roots": (
        lambda: jaxloss.hellinger_distance(PROBS, LABELS, **each),
        [distance.euclidean(*row) / 2**0.5 for row in zip(np.sqrt(p), np.sqrt(y))],
    ),
    "scipy-wasserstein": (
        lambda: jaxloss.wasserstein_distance(PROBS, LABELS, positions=POSITIONS, **each),
        [stats.wasserstein_distance(POSITIONS, POSITIONS, *row) for row in zip(p, y)],
    ),
    "scipy-wasserstein-default": (
        lambda: jaxloss.wasserstein_distance(PROBS, LABELS, **each),
        [stats.wasserstein_distance(range(K), range(K), *row) for row in zip(p, y)],
    ),
    "torch-kl_div-none": (lambda: _per_class(LOG_PROBS, SPARSE), torch_kl(lp, sparse)),
    "torch-kl_div-sum": (
        lambda: jaxloss.kl_divergence(LOG_PROBS, SPARSE, reduction="sum"),
        torch_kl(lp, sparse).sum(),
    ),
    "torch-kl_div-batchmean": (lambda: jaxloss.kl_divergence(LOG_PROBS, SPARSE), torch_kl(lp, sparse).sum() / N),
    "torch-kl_div-mean": (lambda: jaxloss.kl_divergence(LOG_PROBS, SPARSE) / K, torch_kl(lp, sparse).mean()),
    "torch-kl_div-log_target": (
        lambda: jaxloss.kl_divergence(LOG_PROBS, np.log(LABELS), log_labels=True),
        torch_kl(lp, np.log(y), True).sum() / N,
    ),
    "torch-distributions-normal": (
        lambda: jaxloss.gaussian_kl_divergence(Z, T, prior_mean=0.3, prior_log_variance=-0.5, axis=None, **each),
        # kl_divergence(Normal(z, exp(t / 2)), Normal(0.3, exp(-0.25)))
        0.5 * (np.exp(t + 0.5) + (z - 0.3) ** 2 * np.exp(0.5) - 1 - (t + 0.5)),
    ),
    "torch-distillation": (
        lambda: jaxloss.distillation_loss(Z, T, temperature=4.0),
        16 * torch_kl(special.log_softmax(z / 4, -1), special.softmax(t / 4, -1)).sum() / N,
    ),
    "optax-distillation": (
        lambda: jaxloss.distillation_loss(Z, T, temperature=1.0, **each),
        optax.kl_divergence(jax.nn.log_softmax(Z), jax.nn.softmax(T)),
    ),
    "keras-KLDivergence": (lambda: jaxloss.kl_divergence(LOG_PROBS, LABELS), keras_kl(y, p).mean()),
    "keras-KLDivergence-weights": (
        lambda: jaxloss.kl_divergence(LOG_PROBS, LABELS, WEIGHTS, reduction="sum") / N,
        (w * keras_kl(y, p)).sum() / N,
    ),
    "weights": (
        lambda: jaxloss.kl_divergence(LOG_PROBS, LABELS, WEIGHTS),
        np.average(special.rel_entr(y, p).sum(-1), weights=w),
    ),
}


def _per_class(log_probs, labels):
    """One class on the axis: no sum."""
    return jaxloss.kl_divergence(log_probs[..., None], labels[..., None], **each)


@pytest.mark.parametrize("row", ROWS)
def test_reference(row):
    ours, expected = ROWS[row]
    close(ours(), expected)


@pytest.mark.parametrize("alpha", [0.3, 0.999, 1.0, 1.001, 2.0, 40.0])
def test_renyi_against_its_formula(alpha):
    powers = (
        np.log((y**alpha * p ** (1 - alpha)).sum(-1) / y.sum(-1)) / (alpha - 1)
        if alpha != 1
        else special.rel_entr(y, p).sum(-1)
    )
    close(
        jaxloss.renyi_divergence(LOG_PROBS, LABELS, alpha=alpha, **each), powers, rtol=1e-3 if alpha == 1.001 else 1e-4
    )


def test_monte_carlo_of_the_gaussian_term():
    """The mean of log q - log p under q."""
    mean, log_variance = 0.7, -0.4
    draws = stats.norm(mean, np.exp(log_variance / 2))
    expected = draws.expect(lambda x: draws.logpdf(x) - stats.norm(-0.2, np.exp(0.3)).logpdf(x))
    found = jaxloss.gaussian_kl_divergence(
        jnp.array([mean]), jnp.array([log_variance]), prior_mean=-0.2, prior_log_variance=0.6
    )
    close(found, expected)
