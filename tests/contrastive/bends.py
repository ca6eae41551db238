"""Kinks of losses of embeddings, and edges of their domains and options: with the derivatives there."""

from __future__ import annotations

import jaxloss

from ..harness.bends import at


KINKS = [
    at(
        jaxloss.contrastive_loss,
        "no_distance",
        {"embeddings_a": [[0, 0]] * 2, "embeddings_b": [[0, 0]] * 2},
        embeddings_a=[[1.0, 2]] * 2,
        embeddings_b=[[1.0, 2]] * 2,
        labels=[1, -1],
        margin=1.0,
    ),
    at(
        jaxloss.contrastive_loss,
        "margins",
        {"embeddings_a": [[0, 0]] * 2, "margin": 0, "positive_margin": 0},
        embeddings_a=[[1.0, 0]] * 2,
        embeddings_b=[[0.0, 0]] * 2,
        labels=[1, -1],
        margin=1.0,
        positive_margin=1.0,
    ),
]
EDGES = [
    at(
        jaxloss.info_nce_loss,
        "zero_vectors",
        {"embeddings_a": [[0, 0]] * 2, "embeddings_b": [[0, 0]] * 2},
        embeddings_a=[[0.0, 0]] * 2,
        embeddings_b=[[0.0, 0]] * 2,
    ),
    at(
        jaxloss.clip_loss,
        "all_equal",
        {"embeddings_a": [[0, 0]] * 3, "embeddings_b": [[0, 0]] * 3},
        embeddings_a=[[1.0, 2]] * 3,
        embeddings_b=[[1.0, 2]] * 3,
    ),
    at(
        jaxloss.clip_loss,
        "one_row",
        {"embeddings_a": [[0, 0]], "logit_scale": 0},
        embeddings_a=[[1.0, 2]],
        embeddings_b=[[2.0, 2]],
        logit_scale=10.0,
    ),
]
