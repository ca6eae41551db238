"""Margins: each loss as the tests call it."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

import jaxloss

from ..harness import probes
from ..harness.case import (
    BAD_CLASS,
    BAD_SHARE,
    BATCH,
    Argument,
    Case,
    classes,
    linear_weights,
    normal,
    positive,
    signs,
    uniform,
    with_options,
)
from ..harness.formulas import binary_with_logits, class_weighted
from . import formulas


SIGNS = {"scores": normal(4), "labels": signs(4)}
BAD_SIGN = (
    ("labels", 0, "labels must be -1 or 1, or bool, got 0.0"),
    ("labels", 0.5, "labels must be -1 or 1, or bool, got 0.5"),
)
TRIPLETS = {"anchors": normal(4), "positives": normal(4), "negatives": normal(4)}


def lists(rng: np.random.Generator) -> np.ndarray:
    """For each row the indices of two, three or four targets, the rest -1 or, after the first, whatever."""
    labels = np.stack([rng.permutation(6) for _ in range(BATCH)]).astype(np.int32)
    labels[np.arange(BATCH), rng.integers(2, 6, BATCH)] = -1
    return labels


CASES = [
    Case(
        jaxloss.hinge_loss,
        SIGNS,
        lambda scores, labels: formulas.hinge(1 - labels * scores),
        bad=BAD_SIGN,
        probes=probes.signs(-1.0),
    ),
    Case(
        jaxloss.squared_hinge_loss,
        SIGNS,
        lambda scores, labels: formulas.hinge(1 - labels * scores) ** 2,
        bad=BAD_SIGN,
        probes=probes.signs(-1.0),
    ),
    Case(
        jaxloss.soft_margin_loss,
        SIGNS,
        lambda scores, labels: np.logaddexp(0, -labels * scores),
        bad=BAD_SIGN,
        smooth=True,
        probes=probes.signs(-1.0),
    ),
    Case(
        jaxloss.perceptron_loss,
        SIGNS,
        lambda scores, labels: formulas.hinge(-labels * scores),
        bad=BAD_SIGN,
        probes=probes.signs(-1.0),
    ),
    Case(
        jaxloss.multiclass_hinge_loss,
        {"scores": normal(6), "labels": classes(6)},
        lambda scores, labels: (formulas.leads(scores, labels)[0] + 1 - formulas.leads(scores, labels)[1]).max(-1),
        bad=BAD_CLASS,
        probes=probes.three,
    ),
    Case(
        jaxloss.multi_margin_loss,
        {"scores": normal(6), "labels": classes(6)},
        formulas.multi_margin,
        bad=BAD_CLASS,
        probes=probes.three,
    ),
    Case(
        jaxloss.multi_margin_loss,
        {"scores": normal(6, 2), "labels": classes(6, 2)},
        formulas.multi_margin,
        {"axis": 1, "p": 2, "margin": 0.8, "class_weights": linear_weights(6)},
        lambda labels, class_weights, **options: class_weighted(labels, class_weights),
        bad=BAD_CLASS,
        name="squared",
    ),
    Case(
        jaxloss.multiclass_perceptron_loss,
        {"scores": normal(6), "labels": classes(6)},
        lambda scores, labels: formulas.leads(scores, labels)[0].max(-1),
        bad=BAD_CLASS,
        probes=probes.three,
    ),
    Case(
        jaxloss.sparsemax_loss,
        {"scores": normal(6), "labels": classes(3)},
        lambda scores, labels, class_mask: formulas.sparse_regret(scores, labels, 1, class_mask=class_mask),
        {"class_mask": np.array([True, True, True, False, True, True])},
        bad=(("labels", 3, "labels must lie in [0, 6), in classes that class_mask allows, got 3"),),
        probes=probes.three,
    ),
    Case(
        jaxloss.entmax15_loss,
        {"scores": normal(6, 2), "labels": classes(6, 2)},
        lambda scores, labels, axis: formulas.sparse_regret(scores, labels, 2, axis),
        {"axis": 1},
        bad=BAD_CLASS,
        probes=probes.three,
    ),
    Case(
        jaxloss.multilabel_margin_loss,
        {"scores": normal(6), "labels": Argument("targets", lists)},
        formulas.multilabel_margin,
        bad=(
            ("labels", 6, "labels must lie in [-1, 6), got 6"),
            ("labels", -2, "labels must lie in [-1, 6), got -2"),
        ),
        probes=probes.targets,
    ),
    Case(
        jaxloss.multilabel_soft_margin_loss,
        {"scores": normal(6), "labels": uniform(6)},
        lambda scores, labels, class_weights: (class_weights * binary_with_logits(scores, labels)).mean(-1),
        {"class_weights": linear_weights(6)},
        bad=BAD_SHARE,
        smooth=True,
        probes=lambda loss, **_: [
            probes.Probe(loss, lambda s: jnp.stack([s, -s, -s]), jnp.array([1.0, 0.0, 0.0]), names={"classes": 3})
        ],
    ),
    Case(
        jaxloss.hinge_embedding_loss,
        {"distances": positive(4), "labels": signs(4)},
        lambda distances, labels, margin: np.where(labels > 0, distances, formulas.hinge(margin - distances)),
        {"margin": 1.4},
        bad=BAD_SIGN,
        probes=probes.distances,
    ),
    Case(
        jaxloss.cosine_embedding_loss,
        {"embeddings_a": normal(4), "embeddings_b": normal(4), "labels": signs()},
        formulas.cosine_embedding,
        {"margin": -0.2},
        bad=BAD_SIGN,
        probes=probes.pairs_of_directions,
    ),
    Case(
        jaxloss.margin_ranking_loss,
        {"scores_a": normal(4), "scores_b": normal(4), "labels": signs(4)},
        lambda scores_a, scores_b, labels, margin: formulas.hinge(margin - labels * (scores_a - scores_b)),
        {"margin": 0.5},
        bad=BAD_SIGN,
        probes=probes.ranking,
    ),
    Case(jaxloss.triplet_margin_loss, TRIPLETS, formulas.triplet, {"margin": 0.5}, probes=probes.triplets),
    Case(
        jaxloss.triplet_margin_loss,
        {"anchors": normal(4, 2), "positives": normal(4, 2), "negatives": normal(4, 2)},
        formulas.triplet,
        {"margin": 0.5, "p": 3, "swap": True, "axis": 1},
        name="cubed",
    ),
    Case(
        jaxloss.triplet_margin_with_distance_loss,
        TRIPLETS,
        lambda anchors, positives, negatives, distance, **options: formulas.triplet(
            anchors, positives, negatives, p=1, **options
        ),
        {"margin": 0.5, "distance": formulas.city_block, "swap": True},
        probes=probes.triplets,
    ),
]


# Options that the rows leave alone, because each row runs under every test: for those of values and derivatives.
MORE = [
    with_options(
        case,
        options={"class_mask": np.arange(6) != 3},
        inputs={"scores": normal(6, 2), "labels": classes(3, 2)},
        reference=lambda scores, labels, **options: formulas.sparse_regret(scores, labels, 2, **options),
        name="class_mask",
    )
    for case in CASES
    if case.loss is jaxloss.entmax15_loss
]
