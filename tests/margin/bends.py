"""Kinks of margins, and edges of domains and options: with the derivatives there."""

from __future__ import annotations

from typing import Any

import numpy as np

import jaxloss

from ..harness.bends import at


ROOT = 0.5**0.5 / 2


def signed(scores: list[float], label: float = 1.0) -> dict[str, list[float]]:
    return {"scores": scores, "labels": [label] * len(scores)}


def triplet(a: list[float], p: list[float], n: list[float]) -> dict[str, Any]:
    return {"anchors": [a], "positives": [p], "negatives": [n]}


KINKS = [
    at(jaxloss.hinge_loss, "corner", {"scores": [0], "labels": [0]}, **signed([1.0])),
    at(jaxloss.squared_hinge_loss, "corner", {"scores": [0]}, **signed([1.0])),
    at(jaxloss.perceptron_loss, "zero", {"scores": [0], "labels": [0]}, **signed([0.0])),
    at(jaxloss.multiclass_hinge_loss, "corner", {"scores": [[0, 0]]}, scores=[[1.0, 0]], labels=[0]),
    at(jaxloss.multiclass_hinge_loss, "ties", {"scores": [[-1, 0.5, 0.5]]}, scores=[[0.0, 1, 1]], labels=[0]),
    at(
        jaxloss.multi_margin_loss,
        "corner",
        {"scores": [[0, 0]], "margin": 0},
        scores=[[1.0, 0]],
        labels=[0],
        margin=1.0,
    ),
    at(jaxloss.multi_margin_loss, "corner_squared", {"scores": [[0, 0]]}, scores=[[1.0, 0]], labels=[0], p=2),
    at(jaxloss.multiclass_perceptron_loss, "all_alike", {"scores": [[0, 0, 0]]}, scores=[[1.0, 1, 1]], labels=[0]),
    at(jaxloss.multiclass_perceptron_loss, "ties", {"scores": [[-1, 0.5, 0.5]]}, scores=[[0.0, 1, 1]], labels=[0]),
    at(
        jaxloss.sparsemax_loss,
        "edge_of_the_support",
        {"scores": [[0, 0], [1, -1]]},
        scores=[[1.0, 0]] * 2,
        labels=[0, 1],
    ),
    at(
        jaxloss.entmax15_loss,
        "edge_of_the_support",
        {"scores": [[0, 0], [1, -1]]},
        scores=[[2.0, 0]] * 2,
        labels=[0, 1],
    ),
    at(jaxloss.multilabel_margin_loss, "corner", {"scores": [[0, 0]]}, scores=[[1.0, 0]], labels=[[True, False]]),
    at(
        jaxloss.hinge_embedding_loss,
        "corner",
        {"distances": [0], "margin": 0},
        distances=[0.5],
        labels=[-1],
        margin=0.5,
    ),
    at(
        jaxloss.cosine_embedding_loss,
        "zero_vector",
        {"embeddings_a": [[0, 0]] * 2, "embeddings_b": [[0, 0]] * 2},
        embeddings_a=[[0.0, 0]] * 2,
        embeddings_b=[[1.0, 2]] * 2,
        labels=[1, -1],
        margin=-0.5,
    ),
    at(
        jaxloss.cosine_embedding_loss,
        "corner",
        {"embeddings_a": [[0, 0]], "margin": 0},
        embeddings_a=[[1.0, 0]],
        embeddings_b=[[0.0, 1]],
        labels=[-1],
        margin=0.0,
    ),
    at(
        jaxloss.margin_ranking_loss,
        "corner",
        {"scores_a": [0], "scores_b": [0], "margin": 0},
        scores_a=[1.5],
        scores_b=[1.0],
        labels=[1],
        margin=0.5,
    ),
    at(
        jaxloss.triplet_margin_loss,
        "corner",
        {"anchors": [[0, 0]], "positives": [[0, 0]], "margin": 0},
        **triplet([0.0, 0], [1, 0], [2, 0]),
        margin=1.0,
    ),
    at(
        jaxloss.triplet_margin_loss,
        "no_distance",
        {"anchors": [[1, 0]], "positives": [[0, 0]], "negatives": [[-1, 0]]},
        **triplet([0.0, 0], [0, 0], [0.5, 0]),
        margin=1.0,
    ),
    at(
        jaxloss.triplet_margin_loss,
        "swap_of_equals",
        {"anchors": [[ROOT, ROOT - 1]]},
        **triplet([0.0, 0], [0, 2], [1, 1]),
        margin=1.0,
        swap=True,
    ),
    at(
        jaxloss.triplet_margin_loss,
        "largest_alike",
        {"positives": [[0.5, 0.5]]},
        **triplet([0.0, 0], [1, 1], [0, 0]),
        margin=1.0,
        p=np.inf,
    ),
    at(
        jaxloss.triplet_margin_loss,
        "entry_of_zero",
        {"positives": [[1, 0]]},
        **triplet([0.0, 0], [1, 0], [0, 0]),
        margin=1.0,
        p=1,
    ),
    at(
        jaxloss.triplet_margin_with_distance_loss,
        "no_distance",
        {"anchors": [[1, 0]], "positives": [[0, 0]], "negatives": [[-1, 0]]},
        **triplet([0.0, 0], [0, 0], [0.5, 0]),
        margin=1.0,
    ),
]
EDGES = [
    *(
        at(jaxloss.triplet_margin_loss, f"norm_{p}", {"positives": [slope]}, **triplet([0.0, 0], [3, -4], [0, 0]), p=p)
        for p, slope in ((1, [1, -1]), (2, [0.6, -0.8]), (np.inf, [0, -1]))
    ),
]
