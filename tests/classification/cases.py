"""Classification: each loss as the tests call it."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

import jaxloss

from ..harness import probes
from ..harness.case import (
    BAD_CLASS,
    BAD_SHARE,
    Case,
    bits,
    classes,
    linear_weights,
    log_probs,
    normal,
    probabilities,
    uniform,
    with_options,
)
from ..harness.formulas import binary_with_logits, class_weighted
from . import formulas


KERNEL = np.random.default_rng(7).normal(size=(4, 6)).astype(np.float32)

CASES = [
    Case(
        jaxloss.nll_loss,
        {"log_probs": log_probs(6), "labels": classes(6)},
        formulas.nll,
        bad=(*BAD_CLASS, ("log_probs", 0.5, "log_probs must be at most 0, got 0.5")),
        smooth=True,
        probes=lambda loss, **_: probes.three(lambda z, y: loss(jax.nn.log_softmax(z), y)),
    ),
    Case(
        jaxloss.nll_loss,
        {"log_probs": log_probs(6), "labels": probabilities(6)},
        formulas.nll,
        {"class_weights": linear_weights(6)},
        class_weighted,
        bad=(*BAD_SHARE, ("log_probs", 0.5, "log_probs must be at most 0, got 0.5")),
        name="probabilities",
    ),
    Case(
        jaxloss.nll_loss,
        {"log_probs": log_probs(6, 2, axis=1), "labels": classes(6, 2)},
        formulas.nll,
        {"axis": 1, "class_weights": linear_weights(6)},
        class_weighted,
        bad=BAD_CLASS,
        name="axis",
    ),
    Case(
        jaxloss.binary_cross_entropy,
        {"probs": uniform(4), "labels": uniform(4)},
        formulas.binary,
        bad=(*BAD_SHARE, ("probs", 1.5, "probs must lie in [0, 1], got 1.5")),
        smooth=True,
        probes=lambda loss, **_: [
            dataclasses.replace(line, far=lambda s: (-30 * math.log10(s), 1.0))  # before the sigmoid rounds to 0
            for line in probes.signs(0.0)(lambda z, y: loss(jax.nn.sigmoid(z), y))
        ],
    ),
    Case(
        jaxloss.binary_cross_entropy_with_logits,
        {"logits": normal(4), "labels": bits(4)},
        binary_with_logits,
        bad=(("labels", 2, "labels must lie in [0, 1], got 2.0"),),
        smooth=True,
        probes=probes.signs(0.0),
    ),
    Case(
        jaxloss.binary_cross_entropy_with_logits,
        {"logits": normal(4), "labels": uniform(4)},
        binary_with_logits,
        {"pos_weight": linear_weights(4), "label_smoothing": 0.1},
        bad=BAD_SHARE,
        name="options",
    ),
    Case(
        jaxloss.cross_entropy,
        {"logits": normal(6), "labels": classes(6)},
        formulas.softmax,
        bad=BAD_CLASS,
        smooth=True,
        probes=probes.three,
    ),
    Case(
        jaxloss.cross_entropy,
        {"logits": normal(6), "labels": classes(6)},
        formulas.softmax,
        {"class_weights": linear_weights(6), "label_smoothing": 0.1, "z_loss": 0.01},
        class_weighted,
        bad=BAD_CLASS,
        name="options",
    ),
    Case(
        jaxloss.cross_entropy,
        {"logits": normal(6), "labels": probabilities(6)},
        formulas.softmax,
        {"class_weights": linear_weights(6), "label_smoothing": 0.1, "z_loss": 0.01},
        class_weighted,
        bad=BAD_SHARE,
        name="probabilities",
    ),
    Case(
        jaxloss.cross_entropy,
        {"logits": normal(6), "labels": classes(3)},
        formulas.softmax,
        {"class_mask": np.array([True, True, True, False, True, True]), "label_smoothing": 0.1},
        bad=(("labels", 3, "labels must lie in [0, 6), in classes that class_mask allows, got 3"),),
        name="class_mask",
    ),
    Case(
        jaxloss.cross_entropy,
        {"logits": normal(6, 2, 4), "labels": classes(6, 2, 4)},
        formulas.softmax,
        {"axis": 1, "label_smoothing": 0.1},
        bad=BAD_CLASS,
        name="images",
    ),
    Case(
        jaxloss.linear_cross_entropy,
        {"hidden": normal(4), "labels": classes(6)},
        formulas.linear_softmax,
        {"kernel": KERNEL},
        bad=BAD_CLASS,
        smooth=True,
        probes=probes.linear,
    ),
    Case(
        jaxloss.linear_cross_entropy,
        {"hidden": normal(4), "labels": classes(6)},
        formulas.linear_softmax,
        {"kernel": KERNEL, "bias": linear_weights(6), "soft_cap": 2.0, "class_weights": linear_weights(6)}
        | {"label_smoothing": 0.1, "z_loss": 0.01, "chunk_size": 3},
        class_weighted,
        bad=BAD_CLASS,
        name="options",
    ),
    Case(
        jaxloss.linear_cross_entropy,
        {"hidden": normal(2, 4), "labels": probabilities(2, 6)},
        formulas.linear_softmax,
        {"kernel": KERNEL, "z_loss": 0.01, "chunk_size": 4},
        bad=BAD_SHARE,
        name="probabilities",
    ),
    Case(
        jaxloss.softmax_entropy,
        {"logits": normal(6)},
        formulas.entropy,
        smooth=True,
    ),
    Case(
        jaxloss.softmax_entropy,
        {"logits": normal(6, 2)},
        formulas.entropy,
        {"axis": 1, "class_mask": np.array([True, False, True, True, True, True])},
        name="axis",
    ),
    Case(
        jaxloss.softmax_focal_loss,
        {"logits": normal(6), "labels": classes(6)},
        formulas.softmax_focal,
        {"gamma": 1.5},
        bad=BAD_CLASS,
        smooth=True,
        probes=probes.three,
    ),
    Case(
        jaxloss.softmax_focal_loss,
        {"logits": normal(6), "labels": probabilities(6)},
        formulas.softmax_focal,
        {"gamma": 2.0, "class_weights": linear_weights(6)},
        class_weighted,
        bad=BAD_SHARE,
        name="probabilities",
    ),
    Case(
        jaxloss.poly1_cross_entropy,
        {"logits": normal(6), "labels": classes(6)},
        formulas.poly1,
        {"epsilon": 2.0, "label_smoothing": 0.1},
        bad=BAD_CLASS,
        smooth=True,
        probes=probes.three,
    ),
    Case(
        jaxloss.generalized_cross_entropy,
        {"logits": normal(6), "labels": classes(6)},
        formulas.generalized,
        {"q": 0.6},
        bad=BAD_CLASS,
        smooth=True,
        probes=probes.three,
    ),
    Case(
        jaxloss.symmetric_cross_entropy,
        {"logits": normal(6), "labels": classes(6)},
        formulas.symmetric,
        {"alpha": 0.5, "beta": 1.5, "log_zero": -3.0},
        bad=BAD_CLASS,
        smooth=True,
        probes=probes.three,
    ),
    Case(
        jaxloss.taylor_cross_entropy,
        {"logits": normal(6), "labels": classes(6)},
        formulas.taylor,
        {"order": 3},
        bad=BAD_CLASS,
        smooth=True,
        probes=probes.three,
    ),
    Case(
        jaxloss.sigmoid_focal_loss,
        {"logits": normal(4), "labels": bits(4)},
        formulas.sigmoid_focal,
        {"gamma": 1.5},
        bad=(("labels", 2, "labels must lie in [0, 1], got 2.0"),),
        smooth=True,
        probes=probes.signs(0.0),
    ),
    Case(
        jaxloss.sigmoid_focal_loss,
        {"logits": normal(4), "labels": uniform(4)},
        formulas.sigmoid_focal,
        {"gamma": 2.0, "alpha": 0.25, "label_smoothing": 0.1},
        bad=BAD_SHARE,
        name="options",
    ),
    Case(
        jaxloss.asymmetric_loss,
        {"logits": normal(4), "labels": uniform(4)},
        formulas.asymmetric,
        {"gamma_positive": 0.5, "gamma_negative": 3.0, "clip": 0.1},
        bad=BAD_SHARE,
        probes=probes.signs(0.0),
    ),
    Case(
        jaxloss.bi_tempered_logistic_loss,
        {"logits": normal(6), "labels": classes(6)},
        formulas.bi_tempered,
        {"t1": 0.7, "t2": 1.5},
        bad=BAD_CLASS,
        probes=probes.classes(0.0),
    ),
    Case(
        jaxloss.bi_tempered_logistic_loss,
        {"logits": normal(6), "labels": probabilities(6)},
        formulas.bi_tempered,
        {"t1": 0.2, "t2": 0.6, "class_weights": linear_weights(6)},
        class_weighted,
        bad=BAD_SHARE,
        name="probabilities",
    ),
    Case(
        jaxloss.coral_loss,
        {"logits": normal(4), "labels": classes(5)},
        formulas.coral,
        bad=(("labels", 5, "labels must lie in [0, 5), got 5"), ("labels", -1, "labels must lie in [0, 5), got -1")),
        smooth=True,
        probes=lambda loss, **_: [probes.Probe(loss, lambda s: s + jnp.array([1.0, 0.0, -1.0]), 3)],
    ),
]


CURVED = [
    jaxloss.generalized_cross_entropy,
    jaxloss.poly1_cross_entropy,
    jaxloss.symmetric_cross_entropy,
    jaxloss.taylor_cross_entropy,
]
# Options that the rows leave alone, because each row runs under every test: for those of values and derivatives.
MORE = [
    with_options(
        case,
        options={"class_weights": np.linspace(0.5, 2, 6)},
        label_weights=class_weighted,
        name="class_weights",
    )
    for case in CASES
    if case.loss in CURVED
]
