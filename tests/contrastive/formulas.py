"""Losses of embeddings in float64, by their formulas: whole matrices, a loop over anchors where that is plainer."""

from __future__ import annotations

import numpy as np

from ..harness.formulas import held


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


# --- anchors, by labels --------------------------------------------------------------------------------------------


REFS = ("ref_embeddings", "ref_labels", "ref_mask")


def compared(embeddings, labels, mask, normalize=True, ref_embeddings=None, ref_labels=None, ref_mask=None):
    """Of each anchor and each row or reference: the vectors, which are positives, which negatives."""
    x = np.where(mask[:, None], embeddings, 0)
    others, names, exists, itself = x, labels, mask, np.eye(len(x), dtype=bool)
    if ref_embeddings is not None:
        exists = np.ones(len(ref_labels), bool) if ref_mask is None else ref_mask
        others, names, itself = np.where(exists[:, None], ref_embeddings, 0), ref_labels, np.zeros((), bool)
    meets = mask[:, None] & exists & ~itself
    same = labels[:, None] == names
    return *((units(x) if normalize else x) for x in (x, others)), meets & same, meets & ~same


def of_similarities(formula):
    """A formula of one anchor, by the similarities of its positives and its negatives, and all that it has."""

    def losses(
        embeddings, labels, mask, normalize=True, ref_embeddings=None, ref_labels=None, ref_mask=None, **options
    ):
        x, others, pos, neg = compared(embeddings, labels, mask, normalize, ref_embeddings, ref_labels, ref_mask)
        s = x @ others.T
        return np.array([formula(s[i][pos[i]], s[i][neg[i]], **options) for i in range(len(s))])

    return losses


def with_positive(embeddings, labels, mask, **options):
    _, _, pos, _ = compared(embeddings, labels, mask, **{name: options.get(name) for name in REFS})
    return pos.any(1)


def with_both(embeddings, labels, mask, **options):
    _, _, pos, neg = compared(embeddings, labels, mask, **{name: options.get(name) for name in REFS})
    return pos.any(1) & neg.any(1)


def total(x):
    """log sum exp, -inf of nothing."""
    return log_sum_exp(x[None], True)[0] if len(x) else -np.inf


@of_similarities
def ntxent(p, n, temperature=0.07):
    return softplus(total(n / temperature) - p / temperature).mean() if len(p) else 0


@of_similarities
def supcon(p, n, temperature=0.1):
    return total(np.concatenate([p, n]) / temperature) - (p / temperature).mean() if len(p) else 0


@of_similarities
def multi_similarity(p, n, alpha=2.0, beta=50.0, base_similarity=0.5, mining_margin=None):
    if mining_margin is not None:
        p, n = p[p - mining_margin < n.max(initial=-np.inf)], n[n + mining_margin > p.min(initial=np.inf)]
    near, far = np.exp(-alpha * (p - base_similarity)).sum(), np.exp(beta * (n - base_similarity)).sum()
    return np.log1p(near) / alpha + np.log1p(far) / beta


def circle(embeddings, labels, mask, gamma=80.0, margin=0.4, normalize=True, ref_embeddings=None, **refs):
    """Its factors at the nearest point of a grid, on which the rows' numbers lie: differences don't move them."""
    fixed = None if ref_embeddings is None else held(ref_embeddings)
    x, others, pos, neg = compared(embeddings, labels, mask, normalize, ref_embeddings, **refs)
    fixed_x, fixed_others, _, _ = compared(held(embeddings), labels, mask, normalize, fixed, **refs)
    s, at = x @ others.T, fixed_x @ fixed_others.T
    near, far = np.maximum(1 + held(margin) - at, 0), np.maximum(at + held(margin), 0)
    together = log_sum_exp(-gamma * near * (s - 1 + margin), pos)
    apart = log_sum_exp(gamma * far * (s - margin), neg)
    return np.where(pos.any(1) & neg.any(1), softplus(together + apart), 0)


def triplets(embeddings, labels, mask, margin=1.0, mining="hard", smooth=False, **refs):
    """The losses and, of "all", how many triplets cost something."""
    x, others, pos, neg = compared(embeddings, labels, mask, False, **refs)
    d = np.linalg.norm(x[:, None] - others, axis=-1)
    cost = softplus if smooth else lambda x: np.maximum(x, 0)
    losses, terms = np.zeros(len(x)), np.zeros(len(x))
    for i in np.flatnonzero(pos.any(1) & neg.any(1)):
        p, n = d[i][pos[i]], d[i][neg[i]]
        if mining == "hard":
            each = cost(p.max() - n.min() + margin)
        elif mining == "semihard":
            each = cost(p - np.array([n[n > one].min() if np.any(n > one) else n.max() for one in p]) + margin)
        else:
            each = cost(p[:, None] - n + margin)
            each = each[each > 0]
        losses[i], terms[i] = np.mean(each) if np.size(each) else 0, np.size(each) if mining == "all" else 1
    return losses, terms


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


def dino_counts(teacher_logits, mask, **_):
    return dino_terms(mask, len(teacher_logits)).sum(1)
