"""Losses of embeddings in float64, by their formulas: whole matrices, a loop over anchors where that is plainer."""

from __future__ import annotations

import numpy as np


def lengths(x):
    return np.linalg.norm(x, axis=-1, keepdims=True)


def units(x):
    length = lengths(x)
    return np.where(length > 0, x / np.where(length > 0, length, 1), 0)


def softplus(x):
    return np.logaddexp(0, x)


def log_sum_exp(z, where):
    """By row; -inf of nothing."""
    z = np.where(where, z, -np.inf)
    top = np.max(z, -1, initial=-1e300)
    with np.errstate(divide="ignore"):
        return np.log(np.exp(z - top[:, None]).sum(-1)) + top


def contrastive(embeddings_a, embeddings_b, labels, margin=1.0, positive_margin=0.0, axis=-1):
    distance = np.linalg.norm(embeddings_a - embeddings_b, axis=axis)
    return np.where(labels > 0, np.maximum(distance - positive_margin, 0), np.maximum(margin - distance, 0)) ** 2


def similarities(a, b, mask, normalize=True):
    """Of each row of a with each of b, and which are others that exist."""
    a, b = (np.where(mask[:, None], x, 0) for x in (a, b))
    a, b = (units(x) if normalize else x for x in (a, b))
    return a @ b.T, mask[:, None] & mask & ~np.eye(len(a), dtype=bool)


def info_nce(embeddings_a, embeddings_b, mask, temperature=0.07, normalize=True, negatives=None, negatives_mask=True):
    s, others = similarities(embeddings_a, embeddings_b, mask, normalize)
    z, own = s / temperature, np.diag(s) / temperature
    if negatives is not None:
        more = similarities(
            np.concatenate([embeddings_a, 0 * negatives]),
            np.concatenate([0 * embeddings_a, np.where(np.expand_dims(negatives_mask, -1), negatives, 0)]),
            np.concatenate([mask, np.ones(len(negatives), bool)]),
            normalize,
        )[0][: len(s), len(s) :]
        z = np.concatenate([z, more / temperature], 1)
        others = np.concatenate([others, mask[:, None] & np.broadcast_to(negatives_mask, len(negatives))], 1)
    return softplus(log_sum_exp(z, others) - own)


def clip(embeddings_a, embeddings_b, mask, logit_scale=1 / 0.07, normalize=True):
    s, others = similarities(embeddings_a, embeddings_b, mask, normalize)
    z, own = logit_scale * s, logit_scale * np.diag(s)
    return (softplus(log_sum_exp(z, others) - own) + softplus(log_sum_exp(z.T, others.T) - own)) / 2


def siglip(embeddings_a, embeddings_b, mask, logit_scale=10.0, logit_bias=-10.0, normalize=True):
    s, others = similarities(embeddings_a, embeddings_b, mask, normalize)
    z = logit_scale * s + logit_bias
    apart = np.where(others, softplus(z), 0)
    return softplus(-np.diag(z)) + (apart.sum(1) + apart.sum(0)) / 2


def covariances(a, b, counts, divisor):
    """Of each feature of a with each of b."""
    a, b = (x - counts @ x / counts.sum() for x in (a, b))
    return a.T @ np.diag(counts) @ b / divisor


def vicreg(
    embeddings_a,
    embeddings_b,
    mask,
    invariance_weight=25.0,
    variance_weight=25.0,
    covariance_weight=1.0,
    eps=1e-4,
):
    """`mask` has how often each row counts, as in all losses of whole batches."""
    if mask.sum() == 0:
        return 0.0
    gap = mask @ np.square(embeddings_a - embeddings_b).mean(1) / mask.sum()
    loss = invariance_weight * gap
    for x in (embeddings_a, embeddings_b):
        c = covariances(x, x, mask, mask.sum() - 1)
        short = np.maximum(1 - np.sqrt(np.diag(c) + eps), 0).mean()
        off = np.square(c[~np.eye(len(c), dtype=bool)]).sum() / len(c)
        loss = loss + variance_weight / 2 * short + covariance_weight * off
    return loss


def barlow_twins(embeddings_a, embeddings_b, mask, redundancy_weight=5e-3, eps=1e-5):
    if mask.sum() == 0:
        return 0.0
    a, b = embeddings_a, embeddings_b
    variances = [np.diag(covariances(x, x, mask, mask.sum())) + eps for x in (a, b)]
    c = covariances(a, b, mask, mask.sum()) / np.sqrt(np.outer(*variances))
    return np.square(1 - np.diag(c)).sum() + redundancy_weight * np.square(c[~np.eye(len(c), dtype=bool)]).sum()


def proxy_anchor(embeddings, labels, mask, proxies, margin=0.1, alpha=32.0):
    s = units(embeddings) @ units(proxies).T
    pulls, pushes = [], []
    for c in range(len(proxies)):
        own = (labels == c) & (mask > 0)
        if own.any():
            pulls.append(np.log1p((mask * np.exp(-alpha * (s[:, c] - margin)))[own].sum()))
        pushes.append(np.log1p((mask * np.exp(alpha * (s[:, c] + margin)))[labels != c].sum()))
    return np.sum(pulls) / max(len(pulls), 1) + np.mean(pushes)
