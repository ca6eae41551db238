"""Kinks of losses of embeddings, and edges of their domains and options: with the derivatives there."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness.bends import at


SHARE = 0.5 * 0.5 * np.sqrt(0.5)  # of two centers, in the softmax of two equal cosines, times their slope
KINKS = [
    at(
        jaxloss.arcface_loss,
        "same_and_opposite",
        {"embeddings": [[0, 0]] * 2, "kernel": [[0, 0]] * 2},
        embeddings=[[1.0, 0], [-1, 0]],
        kernel=[[1.0, -1], [0, 0]],
        labels=[0, 0],
        margin=0.5,
        scale=1.0,
    ),
    at(
        jaxloss.cosface_loss,
        "equal_centers",  # which share
        {"kernel": [[[0, 0], [SHARE, SHARE]], [[-SHARE, -SHARE], [0, 0]]]},
        embeddings=[[1.0, 1]],
        kernel=np.repeat(np.eye(2)[:, :, None], 2, 2),
        labels=[0],
        margin=0.0,
        scale=1.0,
    ),
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
        jaxloss.arcface_loss,
        "zero_vectors",
        {"embeddings": [[0, 0]] * 2, "kernel": [[0, 0], [0, 0]]},
        embeddings=[[0.0, 0]] * 2,
        kernel=[[0.0, 1], [0, 0]],
        labels=[0, 1],
    ),
    at(
        jaxloss.cosface_loss,
        "one_class",
        {"embeddings": [[0, 0]]},
        embeddings=[[1.0, 2]],
        kernel=[[1.0], [0]],
        labels=[0],
    ),
    at(
        jaxloss.dino_loss,
        "ruled_out",  # by both
        {"logits": [[[0.0, 0, 0]], [[0, 0, 0]]], "teacher_logits": [[[0.0, 0, 0]]] * 2},
        logits=[[[1.0, 1, -np.inf]]] * 2,
        teacher_logits=[[[2.0, 2, -np.inf]]] * 2,
    ),
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
