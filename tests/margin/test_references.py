"""Margins against what users would otherwise call: Optax and scikit-learn; PyTorch and Keras by the formulas they
document."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pytest
import sklearn.metrics

import jaxloss

from ..harness.formulas import cosine
from ..harness.peers import alike, close
from .formulas import hinge, leads, multilabel_margin


pytestmark = pytest.mark.exhaustive
metrics: Any = sklearn.metrics  # a library without types of its own
losses: Any = optax.losses
rng = np.random.default_rng(0)
S, T, U = 2 * rng.normal(size=(3, 16, 5)).astype(np.float32)
SIGNS = rng.choice([-1.0, 1.0], (16, 5)).astype(np.float32)
Y = rng.integers(0, 5, 16)
LISTS = np.stack([rng.permutation(5) for _ in range(16)])
LISTS[np.arange(16), rng.integers(0, 5, 16)] = -1
CLASS_WEIGHTS = rng.uniform(0.5, 2, 5).astype(np.float32)
WEIGHTS = rng.uniform(0.5, 2, 16).astype(np.float32)
s, t, u = (x.astype(np.float64) for x in (S, T, U))
each = {"reduction": "none"}
lead, is_label = leads(s, Y)


OPTAX = {
    "hinge": (lambda x: jaxloss.hinge_loss(x, SIGNS, **each), lambda x: losses.hinge_loss(x, SIGNS)),
    "perceptron": (lambda x: jaxloss.perceptron_loss(x, SIGNS, **each), lambda x: losses.perceptron_loss(x, SIGNS)),
    "multiclass_hinge": (
        lambda x: jaxloss.multiclass_hinge_loss(x, Y, **each),
        lambda x: losses.multiclass_hinge_loss(x, jnp.asarray(Y)),
    ),
    "multiclass_perceptron": (
        lambda x: jaxloss.multiclass_perceptron_loss(x, Y, **each),
        lambda x: losses.multiclass_perceptron_loss(x, jnp.asarray(Y)),
    ),
    "multiclass_sparsemax": (
        lambda x: jaxloss.sparsemax_loss(x, Y, **each),
        lambda x: losses.multiclass_sparsemax_loss(x, jnp.asarray(Y)),
    ),
    "sparsemax": (
        lambda x: jaxloss.sparsemax_loss(jnp.stack([0 * x, x], -1), (SIGNS > 0).astype(int), **each),
        lambda x: losses.sparsemax_loss(x, jnp.asarray(SIGNS > 0)),
    ),
    "triplet": (
        lambda x: jaxloss.triplet_margin_loss(x, T, U, margin=0.7, **each),
        lambda x: losses.triplet_margin_loss(x, T, U, margin=0.7, eps=0),
    ),
}


@pytest.mark.parametrize("row", OPTAX)
def test_optax(row):
    alike(S, *OPTAX[row])


def test_scikit_learn():
    for weights in (None, WEIGHTS):
        two = jaxloss.hinge_loss(S[:, 0], SIGNS[:, 0], weights)
        close(two, metrics.hinge_loss(SIGNS[:, 0], s[:, 0], sample_weight=weights))
        many = jaxloss.multiclass_hinge_loss(S, Y, weights)
        close(many, metrics.hinge_loss(Y, s, labels=np.arange(5), sample_weight=weights))


def torch_triplet(p, swap, margin=0.7):
    d = lambda a, b: np.linalg.norm(a - b, p, -1)  # noqa: E731  (with an eps of 0)
    away = np.minimum(d(s, u), d(t, u)) if swap else d(s, u)
    return hinge(margin + d(s, t) - away)


PYTORCH = {
    "soft_margin": (lambda **k: jaxloss.soft_margin_loss(S, SIGNS, **k), np.log1p(np.exp(-SIGNS * s))),
    "multi_margin": (lambda **k: jaxloss.multi_margin_loss(S, Y, **k), (hinge(1 + lead) * (1 - is_label)).mean(-1)),
    "multi_margin-options": (
        lambda **k: jaxloss.multi_margin_loss(S, Y, p=2, margin=0.3, **k),
        (hinge(0.3 + lead) ** 2 * (1 - is_label)).mean(-1),
    ),
    "multilabel_margin": (lambda **k: jaxloss.multilabel_margin_loss(S, LISTS, **k), multilabel_margin(s, LISTS)),
    "multilabel_soft_margin": (
        lambda **k: jaxloss.multilabel_soft_margin_loss(S, SIGNS > 0, class_weights=CLASS_WEIGHTS, **k),
        (CLASS_WEIGHTS * np.log1p(np.exp(-SIGNS * s))).mean(-1),
    ),
    "hinge_embedding": (
        lambda **k: jaxloss.hinge_embedding_loss(abs(S), SIGNS, margin=0.8, **k),
        np.where(SIGNS > 0, abs(s), hinge(0.8 - abs(s))),
    ),
    "cosine_embedding": (
        lambda **k: jaxloss.cosine_embedding_loss(S, T, SIGNS[:, 0], margin=0.2, **k),
        np.where(SIGNS[:, 0] > 0, cosine(s, t), hinge(1 - cosine(s, t) - 0.2)),
    ),
    "margin_ranking": (
        lambda **k: jaxloss.margin_ranking_loss(S, T, SIGNS, margin=0.2, **k),
        hinge(-SIGNS * (s - t) + 0.2),
    ),
} | {
    f"triplet-{p}-{swap}": (
        lambda p=p, swap=swap, **k: jaxloss.triplet_margin_loss(S, T, U, margin=0.7, p=p, swap=swap, **k),
        torch_triplet(p, swap),
    )
    for p in (1, 1.5, 2, 3, np.inf)
    for swap in (False, True)
}


@pytest.mark.parametrize("row", PYTORCH)
def test_pytorch(row):
    ours, expected = PYTORCH[row]
    for reduction, reduce in (("none", np.asarray), ("sum", np.sum), ("mean", np.mean)):
        close(ours(reduction=reduction), reduce(expected))


def test_class_weights_of_multi_margin():
    """The terms are PyTorch's; the mean divides by the weights, PyTorch's by the number of examples."""
    terms = CLASS_WEIGHTS[Y] * (hinge(1 + lead) * (1 - is_label)).mean(-1)
    close(jaxloss.multi_margin_loss(S, Y, class_weights=CLASS_WEIGHTS, **each), terms)
    close(jaxloss.multi_margin_loss(S, Y, class_weights=CLASS_WEIGHTS), terms.sum() / CLASS_WEIGHTS[Y].sum())


def test_keras():
    close(jaxloss.hinge_loss(S, SIGNS), hinge(1 - SIGNS * s).mean())
    close(jaxloss.hinge_loss(S, SIGNS > 0), hinge(1 - SIGNS * s).mean())  # Keras takes 0 and 1 for signs
    close(jaxloss.squared_hinge_loss(S, SIGNS), (hinge(1 - SIGNS * s) ** 2).mean())
    one_hot = np.eye(5)[Y]
    wrong, right = ((1 - one_hot) * s).max(-1), (one_hot * s).sum(-1)  # of negative scores the label's 0 is the largest
    some = ((1 - one_hot) * s).max(-1) > 0
    close(jaxloss.multiclass_hinge_loss(S, Y, **each)[some], hinge(wrong - right + 1)[some])
