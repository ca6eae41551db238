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


def angular(aim):
    """The cross entropy of scaled cosines, the own one replaced by what `aim` makes of its angle and of the margin."""

    def loss(embeddings, labels, kernel, margin, scale):
        centers = np.moveaxis(kernel.reshape(*kernel.shape[:2], -1), 0, 2)
        cosines = np.einsum("...f,cnf->...cn", units(embeddings), units(centers)).max(-1)
        own = np.take_along_axis(cosines, labels[..., None], -1)[..., 0]
        is_own = np.arange(kernel.shape[1]) == labels[..., None]
        z = np.where(is_own, aim(np.arccos(np.clip(own, -1, 1)), margin)[..., None], cosines) * scale
        return log_sum_exp(z.reshape(-1, z.shape[-1]), True).reshape(labels.shape) - (z * is_own).sum(-1)

    return loss


@angular
def _arcface(angle, margin):
    beyond = np.cos(angle) - margin * np.sin(margin)
    return np.where(angle <= np.pi - margin, np.cos(angle + margin), beyond)


@angular
def _cosface(angle, margin):
    return np.cos(angle) - margin


def arcface(embeddings, labels, kernel, margin=0.5, scale=64.0):
    return _arcface(embeddings, labels, kernel, margin, scale)


def cosface(embeddings, labels, kernel, margin=0.35, scale=64.0):
    return _cosface(embeddings, labels, kernel, margin, scale)


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def dino_terms(mask, teachers):
    """Which view each one learns from: [views, teacher views, batch]."""
    return ~np.eye(len(mask), teachers, dtype=bool)[:, :, None] & mask[:, None] & mask[None, :teachers]


def dino(logits, teacher_logits, mask, center=0.0, temperature=0.1, teacher_temperature=0.04):
    """The mean of a view's terms; 0 without any."""
    logits, teacher_logits = (np.where(mask[: len(x), :, None], x, 0) for x in (logits, teacher_logits))
    q = softmax((teacher_logits - center) / teacher_temperature)
    terms = dino_terms(mask, len(q))
    costs = -np.einsum("kbc,vbc->vkb", q, np.log(softmax(logits / temperature)))
    return (terms * costs).sum(1) / np.maximum(terms.sum(1), 1)


def dino_counts(_, mask, **options):
    return dino_terms(mask, len(mask)).sum(1)
