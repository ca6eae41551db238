"""Against what users would otherwise call: Optax, SciPy and scikit-learn run, PyTorch and Keras by their formulas."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy
import sklearn.metrics
import sklearn.utils.class_weight

import jaxloss

from ..harness.peers import alike, close


# Libraries without types of their own.
pytestmark = pytest.mark.exhaustive
metrics: Any = sklearn.metrics
special: Any = scipy.special
stats: Any = scipy.stats


N, C = 12, 5
rng = np.random.default_rng(0)
P, Y = rng.normal(size=(2, N, 3)).astype(np.float32)
Z = (4 * rng.normal(size=(N, C))).astype(np.float32)
LABELS = np.concatenate([np.arange(C), rng.integers(0, C, N - C)]).astype(np.int32)
ONE_HOT = np.eye(C, dtype=np.float32)[LABELS]
SOFT = rng.dirichlet(np.ones(C), N).astype(np.float32)
TAGS = rng.integers(0, 2, (N, 3)).astype(np.int32)
SHARES = rng.uniform(size=(N, 3)).astype(np.float32)
PROBS = rng.uniform(0.01, 0.99, size=(N, 3)).astype(np.float32)
WEIGHTS = np.where(np.arange(N) % 4 == 1, 0, rng.uniform(0.5, 2, N)).astype(np.float32)
MASK = np.arange(N) % 3 != 2
CLASS_WEIGHTS = np.linspace(0.5, 3, C).astype(np.float32)
ALLOWED = np.arange(C) != (LABELS[:, None] + 2) % C  # a class that isn't the label
FEW = np.array([0, 1, 0.3, 1e-9], np.float32)
IMAGES = rng.normal(size=(4, C, 2, 3)).astype(np.float32)
PIXELS = rng.integers(0, C, (4, 2, 3)).astype(np.int32)

# float64, for references without a dtype of their own
p, y, z, probs, shares, w, cw, images, few = (
    x.astype(np.float64) for x in (P, Y, Z, PROBS, SHARES, WEIGHTS, CLASS_WEIGHTS, IMAGES, FEW)
)
log_p = special.log_softmax(z, -1)
nll = -log_p[np.arange(N), LABELS]
ls = -log_p.mean(-1)


# --- Optax: losses and gradients ----------------------------------------------------------------------------------


OPTAX = {
    "squared_error": (P, lambda x: jaxloss.mse_loss(x, Y, reduction="none"), lambda x: optax.squared_error(x, Y)),
    "l2_loss": (P, lambda x: jaxloss.mse_loss(x, Y, reduction="none"), lambda x: 2 * optax.l2_loss(x, Y)),
    "sigmoid": (
        P,
        lambda x: jaxloss.binary_cross_entropy_with_logits(x, TAGS, reduction="none"),
        lambda x: optax.sigmoid_binary_cross_entropy(x, TAGS.astype(np.float32)),
    ),
    "sigmoid-soft": (
        P,
        lambda x: jaxloss.binary_cross_entropy_with_logits(x, SHARES, reduction="none"),
        lambda x: optax.sigmoid_binary_cross_entropy(x, SHARES),
    ),
    "sigmoid-probs": (
        P,
        lambda x: jaxloss.binary_cross_entropy(jax.nn.sigmoid(x), SHARES, reduction="none"),
        lambda x: optax.sigmoid_binary_cross_entropy(x, SHARES),
    ),
    "softmax-integers": (
        Z,
        lambda x: jaxloss.cross_entropy(x, LABELS, reduction="none"),
        lambda x: optax.softmax_cross_entropy_with_integer_labels(x, LABELS),
    ),
    "softmax-integers-axis": (
        IMAGES,
        lambda x: jaxloss.cross_entropy(x, PIXELS, axis=1, reduction="none"),
        lambda x: optax.softmax_cross_entropy_with_integer_labels(x, PIXELS, axis=1),
    ),
    "softmax-integers-where": (
        Z,
        lambda x: jaxloss.cross_entropy(x, LABELS, class_mask=ALLOWED, reduction="none"),
        lambda x: optax.softmax_cross_entropy_with_integer_labels(x, LABELS, where=ALLOWED),
    ),
    "softmax": (
        Z,
        lambda x: jaxloss.cross_entropy(x, SOFT, reduction="none"),
        lambda x: optax.softmax_cross_entropy(x, SOFT),
    ),
    "softmax-axis": (
        Z,
        lambda x: jaxloss.cross_entropy(x.T, SOFT.T, axis=0, reduction="none"),
        lambda x: optax.softmax_cross_entropy(x.T, SOFT.T, axis=0),
    ),
    "softmax-where": (
        Z,
        lambda x: jaxloss.cross_entropy(x, ONE_HOT, class_mask=ALLOWED, reduction="none"),
        lambda x: optax.softmax_cross_entropy(x, ONE_HOT, where=ALLOWED),
    ),
    "softmax-where-rows": (
        Z,
        lambda x: jaxloss.cross_entropy(x, SOFT, mask=MASK, reduction="none"),
        lambda x: optax.softmax_cross_entropy(x, SOFT, where=np.repeat(MASK[:, None], C, 1)),
    ),
    "safe_softmax": (
        np.where(ALLOWED, Z, -np.inf),
        lambda x: jaxloss.cross_entropy(x, ONE_HOT, reduction="none"),
        lambda x: optax.safe_softmax_cross_entropy(x, ONE_HOT),
    ),
    "smooth_labels": (
        Z,
        lambda x: jaxloss.cross_entropy(x, LABELS, label_smoothing=0.1, reduction="none"),
        lambda x: optax.softmax_cross_entropy(x, optax.smooth_labels(ONE_HOT, 0.1)),
    ),
    "log_softmax": (
        Z,
        lambda x: jaxloss.nll_loss(jax.nn.log_softmax(x), LABELS, reduction="none"),
        lambda x: optax.softmax_cross_entropy_with_integer_labels(x, LABELS),
    ),
    "mean-of-where": (
        P,
        lambda x: jaxloss.mse_loss(x, Y, mask=MASK[:, None]),
        lambda x: jnp.mean(optax.squared_error(x, Y), where=MASK[:, None]),
    ),
    "weighted-mean": (
        Z,
        lambda x: jaxloss.cross_entropy(x, LABELS, WEIGHTS),
        lambda x: jnp.average(optax.softmax_cross_entropy_with_integer_labels(x, LABELS), weights=WEIGHTS),
    ),
}


@pytest.mark.parametrize("row", OPTAX)
def test_optax(row):
    x, *losses = OPTAX[row]

    alike(x, *losses)


# --- SciPy: losses ------------------------------------------------------------------------------------------------


SCIPY = {
    "laplace": (lambda: jaxloss.l1_loss(P, Y, reduction="none"), -stats.laplace.logpdf(y, loc=p) - np.log(2)),
    "norm": (
        lambda: jaxloss.mse_loss(P, Y, reduction="none"),
        -2 * stats.norm.logpdf(y, loc=p) - np.log(2 * np.pi),
    ),
    "bernoulli": (
        lambda: jaxloss.binary_cross_entropy(PROBS, TAGS, reduction="none"),
        -stats.bernoulli.logpmf(TAGS, probs),
    ),
    "bernoulli-logits": (
        lambda: jaxloss.binary_cross_entropy_with_logits(P, TAGS, reduction="none"),
        -stats.bernoulli.logpmf(TAGS, special.expit(p)),
    ),
    "log_expit": (
        lambda: jaxloss.binary_cross_entropy_with_logits(50 * P, SHARES, reduction="none"),
        -shares * special.log_expit(50 * p) - (1 - shares) * special.log_expit(-50 * p),
    ),
    "xlogy": (
        lambda: jaxloss.binary_cross_entropy(FEW, np.array([0, 1, 0, 1]), reduction="none"),
        -special.xlogy([0, 1, 0, 1], few) - special.xlog1py([1, 0, 1, 0], -few),
    ),
    "rel_entr": (
        lambda: jaxloss.nll_loss(log_p.astype(np.float32), SOFT, reduction="none"),
        (special.rel_entr(SOFT.astype(np.float64), np.exp(log_p)) + special.entr(SOFT.astype(np.float64))).sum(-1),
    ),
    "multinomial": (
        lambda: jaxloss.cross_entropy(Z, LABELS, reduction="none"),
        -stats.multinomial.logpmf(ONE_HOT, 1, special.softmax(z, -1)),
    ),
    "log_softmax": (
        lambda: jaxloss.cross_entropy(Z, SOFT, reduction="none"),
        -(SOFT * log_p).sum(-1),
    ),
    "logsumexp-axis": (
        lambda: jaxloss.cross_entropy(IMAGES, PIXELS, axis=1, reduction="none"),
        special.logsumexp(images, axis=1) - np.take_along_axis(images, PIXELS[:, None], 1)[:, 0],
    ),
    "logsumexp-allowed": (
        lambda: jaxloss.cross_entropy(Z, LABELS, class_mask=ALLOWED, reduction="none"),
        special.logsumexp(z, b=ALLOWED, axis=-1) - z[np.arange(N), LABELS],
    ),
    "logsumexp-z_loss": (
        lambda: jaxloss.cross_entropy(Z, LABELS, z_loss=0.01, reduction="none"),
        nll + 0.01 * special.logsumexp(z, axis=-1) ** 2,
    ),
}


@pytest.mark.parametrize("row", SCIPY)
def test_scipy(row):
    ours, expected = SCIPY[row]
    close(ours(), expected)


# --- scikit-learn: means ------------------------------------------------------------------------------------------


by_class = dict(enumerate(cw))
by_label = sklearn.utils.class_weight.compute_sample_weight(by_class, LABELS)
softmax = special.softmax(z, -1)
yes, chance = TAGS[:, 0], PROBS[:, 0]

SKLEARN = {
    "mean_absolute_error": (lambda: jaxloss.l1_loss(P, Y), metrics.mean_absolute_error(y, p)),
    "mean_absolute_error-weights": (
        lambda: jaxloss.l1_loss(P, Y, WEIGHTS[:, None]),
        metrics.mean_absolute_error(y, p, sample_weight=w),
    ),
    "mean_absolute_error-outputs": (
        lambda: jaxloss.l1_loss(P, Y, np.array([[1, 0, 3]], np.float32)),
        metrics.mean_absolute_error(y, p, multioutput=[1, 0, 3]),
    ),
    "mean_squared_error": (lambda: jaxloss.mse_loss(P, Y), metrics.mean_squared_error(y, p)),
    "mean_squared_error-weights": (
        lambda: jaxloss.mse_loss(P, Y, WEIGHTS[:, None]),
        metrics.mean_squared_error(y, p, sample_weight=w),
    ),
    "mean_squared_error-weights-mask": (
        lambda: jaxloss.mse_loss(P, Y, WEIGHTS[:, None], MASK[:, None]),
        metrics.mean_squared_error(y[MASK], p[MASK], sample_weight=w[MASK]),
    ),
    "mean_squared_error-raw": (
        lambda: jax.vmap(jaxloss.mse_loss, 1)(P, Y),
        metrics.mean_squared_error(y, p, multioutput="raw_values"),
    ),
    "brier_score_loss": (
        lambda: jaxloss.mse_loss(chance, yes, WEIGHTS),
        metrics.brier_score_loss(yes, chance, sample_weight=w),
    ),
    "log_loss-binary": (
        lambda: jaxloss.binary_cross_entropy(chance, yes, WEIGHTS),
        metrics.log_loss(yes, chance.astype(np.float64), sample_weight=w),
    ),
    "log_loss-binary-logits": (
        lambda: jaxloss.binary_cross_entropy_with_logits(P[:, 0], yes, WEIGHTS),
        metrics.log_loss(yes, special.expit(p[:, 0]), sample_weight=w),
    ),
    "log_loss": (lambda: jaxloss.cross_entropy(Z, LABELS), metrics.log_loss(LABELS, softmax)),
    "log_loss-weights": (
        lambda: jaxloss.cross_entropy(Z, LABELS, WEIGHTS),
        metrics.log_loss(LABELS, softmax, sample_weight=w, labels=np.arange(C)),
    ),
    "log_loss-zero-weight-is-mask": (
        lambda: jaxloss.cross_entropy(Z, LABELS, WEIGHTS),
        metrics.log_loss(LABELS[w > 0], softmax[w > 0], sample_weight=w[w > 0], labels=np.arange(C)),
    ),
    "log_loss-class_weights": (
        lambda: jaxloss.cross_entropy(Z, LABELS, class_weights=CLASS_WEIGHTS),
        metrics.log_loss(LABELS, softmax, sample_weight=by_label),
    ),
    "log_loss-class_weights-one-hot": (
        lambda: jaxloss.cross_entropy(Z, ONE_HOT, WEIGHTS, class_weights=CLASS_WEIGHTS),
        metrics.log_loss(LABELS, softmax, sample_weight=by_label * w, labels=np.arange(C)),
    ),
    "log_loss-sum": (
        lambda: jaxloss.nll_loss(log_p.astype(np.float32), LABELS, reduction="sum"),
        metrics.log_loss(LABELS, softmax, normalize=False),
    ),
    "accuracy": (lambda: jaxloss.reduce(Z.argmax(-1) == LABELS), metrics.accuracy_score(LABELS, z.argmax(-1))),
    "accuracy-weights": (
        lambda: jaxloss.reduce(Z.argmax(-1) == LABELS, WEIGHTS),
        metrics.accuracy_score(LABELS, z.argmax(-1), sample_weight=w),
    ),
}


@pytest.mark.parametrize("row", SKLEARN)
def test_sklearn(row):
    ours, expected = SKLEARN[row]
    close(ours(), expected)


# --- PyTorch and Keras: the formulas they document ----------------------------------------------------------------


w_y = cw[LABELS]
pw = np.array([0.5, 2, 3])
positive, negative = -shares * special.log_expit(p), -(1 - shares) * special.log_expit(-p)
kept = LABELS != 3

FORMULAS = {
    "cross_entropy(weight)": (
        lambda: jaxloss.cross_entropy(Z, LABELS, class_weights=CLASS_WEIGHTS),
        (w_y * nll).sum() / w_y.sum(),
    ),
    "cross_entropy(weight, ignore_index)": (
        lambda: jaxloss.cross_entropy(Z, np.where(kept, LABELS, -100), class_weights=CLASS_WEIGHTS, ignore_index=-100),
        (w_y * nll)[kept].sum() / w_y[kept].sum(),
    ),
    "cross_entropy(weight, reduction='sum')": (
        lambda: jaxloss.cross_entropy(Z, LABELS, class_weights=CLASS_WEIGHTS, reduction="sum"),
        (w_y * nll).sum(),
    ),
    "cross_entropy(one-hot, weight) divides by the examples": (
        lambda: jaxloss.cross_entropy(Z, ONE_HOT, class_weights=CLASS_WEIGHTS, reduction="sum") / N,
        -(cw * ONE_HOT * log_p).sum() / N,
    ),
    "cross_entropy(label_smoothing)": (
        lambda: jaxloss.cross_entropy(Z, LABELS, label_smoothing=0.1),
        (0.9 * nll + 0.1 * ls).mean(),
    ),
    "cross_entropy(label_smoothing, ignore_index)": (
        lambda: jaxloss.cross_entropy(Z, LABELS, label_smoothing=0.1, ignore_index=3),
        (0.9 * nll + 0.1 * ls)[kept].mean(),
    ),
    "nll_loss(weight, reduction='none')": (
        lambda: jaxloss.nll_loss(log_p.astype(np.float32), LABELS, class_weights=CLASS_WEIGHTS, reduction="none"),
        w_y * nll,
    ),
    "nll_loss(images)": (
        lambda: jaxloss.nll_loss(jax.nn.log_softmax(IMAGES, 1), PIXELS, axis=1),
        -np.take_along_axis(special.log_softmax(images, 1), PIXELS[:, None], 1).mean(),
    ),
    "binary_cross_entropy(weight) divides by the elements": (
        lambda: jaxloss.binary_cross_entropy(PROBS, SHARES, WEIGHTS[:, None], reduction="sum") / PROBS.size,
        (-w[:, None] * (shares * np.log(probs) + (1 - shares) * np.log(1 - probs))).mean(),
    ),
    "binary_cross_entropy_with_logits(pos_weight)": (
        lambda: jaxloss.binary_cross_entropy_with_logits(P, SHARES, pos_weight=pw.astype(np.float32)),
        (pw * positive + negative).mean(),
    ),
    "mse_loss(weight)": (
        lambda: jaxloss.mse_loss(P, Y, WEIGHTS[:, None]),
        (w[:, None] * (p - y) ** 2).sum() / w.sum() / 3,
    ),
    "l1_loss(weight)": (lambda: jaxloss.l1_loss(P, Y, WEIGHTS[:, None]), (w[:, None] * abs(p - y)).sum() / w.sum() / 3),
    "keras.BinaryCrossentropy(label_smoothing)": (
        lambda: jaxloss.binary_cross_entropy_with_logits(P, TAGS, label_smoothing=0.2),
        (np.logaddexp(0, p) - p * (0.8 * TAGS + 0.1)).mean(),
    ),
    "keras sample_weight divides by the elements": (
        lambda: jaxloss.mse_loss(P, Y, WEIGHTS[:, None], reduction="sum") / P.size,
        (w[:, None] * (p - y) ** 2).mean(),
    ),
}


@pytest.mark.parametrize("row", FORMULAS)
def test_formulas(row):
    ours, expected = FORMULAS[row]
    close(ours(), expected)


def test_class_weights_with_label_smoothing_differ_from_pytorch():
    """PyTorch weighs the smoothed mass class by class; here an example has one weight, as under `weights`."""
    pytorch = (0.9 * w_y * nll - 0.1 * (cw * log_p).mean(-1)).sum() / w_y.sum()
    ours = jaxloss.cross_entropy(Z, LABELS, class_weights=CLASS_WEIGHTS, label_smoothing=0.1)
    close(ours, np.average(0.9 * nll + 0.1 * ls, weights=w_y))
    assert abs(ours - pytorch) > 1e-2


def test_class_weights_with_probabilities_differ_from_pytorch():
    """PyTorch divides by the number of examples for probabilities, by their weight for the same labels as integers."""
    hard = jaxloss.cross_entropy(Z, LABELS, class_weights=CLASS_WEIGHTS)
    close(jaxloss.cross_entropy(Z, ONE_HOT, class_weights=CLASS_WEIGHTS), hard)
    assert abs(hard + (cw * ONE_HOT * log_p).sum() / N) > 0.1
