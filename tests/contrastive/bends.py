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
    at(
        jaxloss.vicreg_loss,
        "no_variance",
        {"embeddings_a": [[0, 0]] * 3, "embeddings_b": [[0, 0]] * 3},
        embeddings_a=[[1.0, 2]] * 3,
        embeddings_b=[[1.0, 2]] * 3,
        eps=0.0,
    ),
    at(
        jaxloss.vicreg_loss,
        "variance_of_1",
        {"embeddings_a": [[0]] * 3, "embeddings_b": [[0]] * 3, "eps": 0, "variance_weight": 0},
        embeddings_a=[[1.0], [-1], [0]],
        embeddings_b=[[1.0], [-1], [0]],
        variance_weight=25.0,
        eps=0.0,
    ),
]
KINKS += [
    at(
        jaxloss.batch_triplet_loss,
        f"{mining}, all equal",
        {"embeddings": [[0, 0]] * 4},
        embeddings=[[1.0, 2]] * 4,
        labels=[0, 0, 1, 1],
        mining=mining,
    )
    for mining in ("hard", "semihard", "all")
]
KINKS += [
    at(
        jaxloss.batch_triplet_loss,
        "corner",
        {"embeddings": [[0, 0]] * 3, "margin": 0},
        embeddings=[[0.0, 0], [1, 0], [0, 2]],
        labels=[0, 0, 1],
        mask=[True] * 3,
        margin=1.0,
        weights=[1.0, 0, 0],
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
    *(
        at(loss, "all_equal", {"embeddings": [[0, 0]] * 4}, embeddings=[[0.0, 2]] * 4, labels=[0, 0, 1, 1])
        for loss in (jaxloss.ntxent_loss, jaxloss.supcon_loss, jaxloss.multi_similarity_loss, jaxloss.circle_loss)
    ),
    *(
        at(loss, "zero_vectors", {"embeddings": [[0, 0]] * 4}, embeddings=[[0.0, 0]] * 4, labels=[0, 0, 1, 1])
        for loss in (jaxloss.ntxent_loss, jaxloss.supcon_loss, jaxloss.multi_similarity_loss, jaxloss.circle_loss)
    ),
    *(
        at(loss, "no_pairs", {"embeddings": [[0, 0]] * 2}, embeddings=[[1.0, 2], [2, 1]], labels=[0, 1])
        for loss in (jaxloss.ntxent_loss, jaxloss.supcon_loss, jaxloss.circle_loss, jaxloss.batch_triplet_loss)
    ),
    at(
        jaxloss.vicreg_loss,
        "one_row",
        {"embeddings_a": [[25, 0]], "embeddings_b": [[-25, 0]], "variance_weight": 0.9, "covariance_weight": 0},
        embeddings_a=[[1.0, 2]],
        embeddings_b=[[0.0, 2]],
        variance_weight=25.0,
        covariance_weight=1.0,
        eps=0.01,
    ),
    at(
        jaxloss.barlow_twins_loss,
        "no_variance",
        {"embeddings_a": [[0, 0]] * 3, "embeddings_b": [[0, 0]] * 3, "redundancy_weight": 0, "eps": 0},
        embeddings_a=[[1.0, 2]] * 3,
        embeddings_b=[[3.0, 4]] * 3,
        redundancy_weight=0.01,
        eps=0.0,
    ),
    at(
        jaxloss.proxy_anchor_loss,
        "zero_vectors",
        {"embeddings": [[0, 0]] * 2, "proxies": [[0, 0]] * 2},
        embeddings=[[0.0, 0]] * 2,
        proxies=[[1.0, 2], [3, 0]],
        labels=[0, 0],
    ),
    at(
        jaxloss.proxy_anchor_loss,
        "one_class",
        {"embeddings": [[0, 0]] * 2, "proxies": [[0, 0]], "margin": 2 / 3},
        embeddings=[[1.0, 2]] * 2,
        proxies=[[1.0, 2]],
        labels=[0, 0],
        margin=1.0,
        alpha=1.0,
    ),
]
