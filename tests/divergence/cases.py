"""Divergences and distances: each loss as the tests call it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

import jaxloss

from ..harness import probes
from ..harness.case import (
    BAD_SHARE,
    Case,
    log_probs,
    normal,
    outside,
    positive,
    probabilities,
    uniform,
)
from . import formulas


DISTRIBUTIONS = {"log_probs": log_probs(6), "labels": probabilities(6)}
PAIRS = {"probs": probabilities(6), "labels": probabilities(6)}
LOG_LABELS = {"log_probs": log_probs(6), "labels": log_probs(6)}
BAD_LOG = ("log_probs", 0.5, "log_probs must be at most 0, got 0.5")
BAD_LOGS = (BAD_LOG, ("labels", 0.5, "labels must be at most 0, got 0.5"))
BAD_PROBS = (*BAD_SHARE, ("probs", 1.5, "probs must lie in [0, 1], got 1.5"))

CASES = [
    Case(
        jaxloss.kl_divergence,
        DISTRIBUTIONS,
        formulas.kl,
        bad=(*BAD_SHARE, BAD_LOG),
        smooth=True,
        probes=probes.distributions(jax.nn.log_softmax),
    ),
    Case(jaxloss.kl_divergence, LOG_LABELS, formulas.kl, {"log_labels": True}, bad=BAD_LOGS, name="logs"),
    Case(
        jaxloss.reverse_kl_divergence,
        DISTRIBUTIONS,
        formulas.reverse_kl,
        bad=(*BAD_SHARE, BAD_LOG),
        smooth=True,
        probes=probes.log_labelled,
    ),
    Case(
        jaxloss.reverse_kl_divergence,
        LOG_LABELS,
        formulas.reverse_kl,
        {"log_labels": True},
        bad=BAD_LOGS,
        name="logs",
    ),
    Case(
        jaxloss.generalized_kl_divergence,
        {"log_probs": normal(6), "labels": positive(6)},
        lambda log_probs, labels: formulas.kl(log_probs, labels) + (np.exp(log_probs) - labels).sum(-1),
        bad=outside(("labels", -1.0, "[0, inf)"), ("log_probs", np.inf, "[-inf, inf)")),
        smooth=True,
        probes=lambda loss, **_: [
            probes.Probe(
                lambda z, y: loss(z[None], y[None]),
                lambda s: s,
                jnp.array(1.0),
                0.0,
                lambda s: (0.0, jnp.array(s)),
                (-3.0, 3.0),
            )
        ],
    ),
    Case(
        jaxloss.js_divergence,
        DISTRIBUTIONS,
        formulas.js,
        {"mixture": 0.3},
        bad=(*BAD_SHARE, BAD_LOG),
        smooth=True,
        probes=probes.distributions(jax.nn.log_softmax),
    ),
    Case(
        jaxloss.renyi_divergence,
        DISTRIBUTIONS,
        formulas.renyi,
        {"alpha": 1.5},
        bad=(*BAD_SHARE, BAD_LOG),
        smooth=True,
        probes=probes.distributions(jax.nn.log_softmax),
    ),
    Case(
        jaxloss.total_variation_distance,
        PAIRS,
        lambda probs, labels: 0.5 * abs(probs - labels).sum(-1),
        bad=BAD_PROBS,
        near_kinks=True,
        probes=probes.distributions(jax.nn.softmax),
    ),
    Case(
        jaxloss.hellinger_distance,
        {"probs": uniform(6), "labels": uniform(6, scale=1 / 40)},  # apart: curvature grows with closeness
        lambda probs, labels: np.sqrt(0.5 * ((np.sqrt(probs) - np.sqrt(labels)) ** 2).sum(-1)),
        bad=BAD_PROBS,
        near_kinks=True,
        probes=probes.distributions(jax.nn.softmax),
    ),
    Case(
        jaxloss.wasserstein_distance,
        {"probs": probabilities(6), "labels": probabilities(6)},  # off the kinks
        formulas.wasserstein,
        bad=BAD_PROBS,
        near_kinks=True,
        probes=probes.ordered_distributions,
    ),
    Case(
        jaxloss.wasserstein_distance,
        {"probs": probabilities(4, 2, axis=1), "labels": probabilities(4, 2, axis=1)},
        formulas.wasserstein,
        {"positions": np.array([0, 0.5, 2, 2.5], np.float32), "axis": 1},
        name="positions",
        near_kinks=True,
    ),
    Case(
        jaxloss.gaussian_kl_divergence,
        {"mean": normal(4), "log_variance": normal(4), "prior_mean": normal(4), "prior_log_variance": normal(4)},
        formulas.gaussian_kl,
        bad=outside(("prior_mean", np.inf, "(-inf, inf)"), ("prior_log_variance", np.inf, "(-inf, inf)")),
        smooth=True,
        probes=probes.latent,
    ),
    Case(
        jaxloss.gaussian_kl_divergence,
        {"mean": normal(4), "log_variance": normal(4)},
        formulas.gaussian_kl,
        {"prior_mean": 0.5, "axis": None},
        name="per_dimension",
    ),
    Case(
        jaxloss.distillation_loss,
        {"logits": normal(6), "teacher_logits": normal(6)},
        formulas.distillation,
        {"temperature": 3.0},
        constant=("teacher_logits",),
        smooth=True,
        probes=probes.classes(0.0, -1.0, label=jnp.array([50.0, 0.0, -1.0])),
    ),
    *(
        Case(
            jaxloss.distillation_loss,
            {"logits": normal(6), "teacher_logits": normal(6)},
            formulas.distillation,
            {"divergence": divergence, **options},
            constant=("teacher_logits",),
            name=divergence,
        )
        for divergence, options in (
            ("reverse_kl", {"temperature": 1.5}),
            ("js", {"temperature": 0.7, "mixture": 0.3}),
        )
    ),
]
