"""Classification against what users would otherwise call: Optax; Keras, torchvision and the papers' authors by the
formulas of their code."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy

import jaxloss

from ..harness.peers import alike


pytestmark = pytest.mark.exhaustive
losses: Any = optax.losses
special: Any = scipy.special
rng = np.random.default_rng(0)
N, C = 16, 5
Z = (2 * rng.normal(size=(N, C))).astype(np.float32)
Y = rng.integers(0, C, N)
ONE_HOT = np.eye(C, dtype=np.float32)[Y]
SOFT = rng.dirichlet(np.ones(C), N).astype(np.float32)
TAGS = rng.integers(0, 2, (N, C)).astype(np.float32)
COUNTS = np.array([500, 100, 50, 10, 3])
z, soft = Z.astype(np.float64), SOFT.astype(np.float64)
p, q = special.expit(z), special.softmax(z, -1)
p_y = q[np.arange(N), Y]
each = {"reduction": "none"}


def binary(p, y):
    return -y * np.log(p) - (1 - y) * np.log1p(-p)


def torchvision_focal(z, y, alpha=0.25, gamma=2.0):
    p = special.expit(z)
    p_t = p * y + (1 - p) * (1 - y)
    return (alpha * y + (1 - alpha) * (1 - y)) * binary(p, y) * (1 - p_t) ** gamma


def keras_binary_focal(p, y, gamma=2.0, alpha=None, label_smoothing=0.0):
    y = y * (1 - label_smoothing) + 0.5 * label_smoothing
    p_t = y * p + (1 - y) * (1 - p)
    weight = 1 if alpha is None else y * alpha + (1 - y) * (1 - alpha)
    return weight * (1 - p_t) ** gamma * binary(p, y)


def authors_asymmetric(z, y, gamma_negative=4.0, gamma_positive=1.0, clip=0.05):
    """Ridnik et al.: the probability of a negative is shifted up and clamped at 1."""
    positive = special.expit(z)
    negative = np.minimum(1 - positive + clip, 1)
    loss = y * np.log(np.maximum(positive, 1e-8)) + (1 - y) * np.log(np.maximum(negative, 1e-8))
    p_t = positive * y + negative * (1 - y)
    return -loss * (1 - p_t) ** (gamma_positive * y + gamma_negative * (1 - y))


def authors_symmetric(z, y, alpha, beta, floor):
    """Wang et al.: the logarithm of the one-hot label clamped from below."""
    p = special.softmax(z, -1)
    return -alpha * np.log(p[np.arange(N), y]) - beta * (p * np.log(np.maximum(np.eye(C)[y], floor))).sum(-1)


def authors_bi_tempered(z, y, t1, t2, steps=200):
    """Amid et al.: for t2 above 1 the normaliser by a fixed point; the loss of one-hot labels."""
    log_t = lambda u, t: (u ** (1 - t) - 1) / (1 - t)  # noqa: E731
    exp_t = lambda u, t: np.maximum(1 + (1 - t) * u, 0) ** (1 / (1 - t))  # noqa: E731
    top = z.max(-1, keepdims=True)
    base = shifted = z - top
    for _ in range(steps):
        shifted = base * exp_t(shifted, t2).sum(-1, keepdims=True) ** (1 - t2)
    partition = exp_t(shifted, t2).sum(-1, keepdims=True)
    p = exp_t(z - (-log_t(1 / partition, t2) + top), t2)
    y = np.eye(C)[y]
    first = y * (log_t(y + 1e-300, t1) - log_t(p, t1))
    return (first - (y ** (2 - t1) - p ** (2 - t1)) / (2 - t1)).sum(-1)


def authors_coral(z, y):
    """Cao et al.: one binary level for each threshold."""
    levels = (np.arange(C) < y[:, None]).astype(float)
    log_sigmoid = -np.logaddexp(0, -z)
    return -(log_sigmoid * levels + (log_sigmoid - z) * (1 - levels)).sum(-1)


def authors_class_balanced(counts, beta):
    weights = (1 - beta) / (1 - np.power(beta, counts))
    return weights / weights.sum() * len(counts)


FORMULAS = {
    "torchvision-focal": (jaxloss.sigmoid_focal_loss(Z, TAGS, alpha=0.25, **each), torchvision_focal(z, TAGS)),
    "torchvision-focal-soft": (
        jaxloss.sigmoid_focal_loss(Z, SOFT, alpha=0.6, gamma=1.5, **each),
        torchvision_focal(z, soft, 0.6, 1.5),
    ),
    "keras-binary-focal": (jaxloss.sigmoid_focal_loss(Z, TAGS, **each), keras_binary_focal(p, TAGS)),
    "keras-binary-focal-options": (
        jaxloss.sigmoid_focal_loss(Z, TAGS, gamma=1.0, alpha=0.25, label_smoothing=0.1, **each),
        keras_binary_focal(p, TAGS, 1.0, 0.25, 0.1),
    ),
    "keras-categorical-focal": (
        0.25 * jaxloss.softmax_focal_loss(Z, ONE_HOT, **each),
        (0.25 * (1 - q) ** 2 * -ONE_HOT * np.log(q)).sum(-1),
    ),
    "keras-generalized": (jaxloss.generalized_cross_entropy(Z, Y, q=0.5, **each), (1 - p_y**0.5) / 0.5),
    "asymmetric": (jaxloss.asymmetric_loss(Z, TAGS, **each), authors_asymmetric(z, TAGS)),
    "asymmetric-options": (
        jaxloss.asymmetric_loss(Z, TAGS, gamma_positive=0.0, gamma_negative=2.0, clip=0.2, **each),
        authors_asymmetric(z, TAGS, 2.0, 0.0, 0.2),
    ),
    "symmetric": (
        jaxloss.symmetric_cross_entropy(Z, Y, alpha=0.1, beta=1.0, log_zero=np.log(1e-4), **each),
        authors_symmetric(z, Y, 0.1, 1.0, 1e-4),
    ),
    "bi-tempered": (
        jaxloss.bi_tempered_logistic_loss(Z, Y, t1=0.7, t2=1.3, **each),
        authors_bi_tempered(z, Y, 0.7, 1.3),
    ),
    "coral": (jaxloss.coral_loss(Z, Y + (np.arange(N) % 2), **each), authors_coral(z, Y + (np.arange(N) % 2))),
    "class-balanced": (jaxloss.class_balanced_weights(COUNTS, beta=0.99), authors_class_balanced(COUNTS, 0.99)),
    "logit-adjustment": (
        jaxloss.cross_entropy(Z + np.log(COUNTS[None] / COUNTS.sum()).astype(np.float32), Y, **each),
        -np.log((COUNTS[Y] * np.exp(z[np.arange(N), Y])) / (COUNTS * np.exp(z)).sum(-1)),
    ),
}


@pytest.mark.parametrize("row", FORMULAS)
def test_formulas(row):
    found, expected = FORMULAS[row]
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-6)


OPTAX = {
    "focal": (
        lambda z: jaxloss.sigmoid_focal_loss(z, TAGS, alpha=0.3, gamma=1.5, **each),
        lambda z: optax.sigmoid_focal_loss(z, TAGS, alpha=0.3, gamma=1.5),
    ),
    "focal-soft": (
        lambda z: jaxloss.sigmoid_focal_loss(z, SOFT, **each),
        lambda z: optax.sigmoid_focal_loss(z, SOFT),
    ),
    "poly1": (
        lambda z: jaxloss.poly1_cross_entropy(z, SOFT, epsilon=2.0, **each),
        lambda z: losses.poly_loss_cross_entropy(z, SOFT),
    ),
    "poly1-hard": (
        lambda z: jaxloss.poly1_cross_entropy(z, Y, epsilon=-0.5, **each),
        lambda z: losses.poly_loss_cross_entropy(z, ONE_HOT, epsilon=-0.5),
    ),
    "poly1-smoothing": (
        lambda z: jaxloss.poly1_cross_entropy(z, Y, label_smoothing=0.1, **each),
        lambda z: losses.poly_loss_cross_entropy(z, optax.smooth_labels(jnp.asarray(ONE_HOT), 0.1), epsilon=1.0),
    ),
}


@pytest.mark.parametrize("row", OPTAX)
def test_optax(row):
    alike(Z, *OPTAX[row], rtol=1e-4)  # theirs rounds
