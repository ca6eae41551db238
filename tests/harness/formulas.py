"""The losses in float64 NumPy, from their formulas: what the rows of `cases.py` are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy


special: Any = scipy.special
stats: Any = scipy.stats


def log_normalizer(logits: np.ndarray, axis: int) -> np.ndarray:
    top = logits.max(axis, keepdims=True)
    return np.log(np.exp(logits - top).sum(axis, keepdims=True)) + top


def one_hot(labels: np.ndarray, count: int, axis: int = -1) -> np.ndarray:
    return np.moveaxis(np.eye(count)[labels], -1, axis)


def nll(log_probs, labels, axis=-1, class_weights=None, ignore_index=None):
    if labels.dtype.kind != "f":
        labels = one_hot(labels, log_probs.shape[axis], axis)
    return -(labels * log_probs).sum(axis)


def binary(probs, labels):
    return -labels * np.log(probs) - (1 - labels) * np.log1p(-probs)


def binary_with_logits(logits, labels, pos_weight=1.0, label_smoothing=0.0):
    labels = (1 - label_smoothing) * labels + label_smoothing / 2
    return pos_weight * labels * np.logaddexp(0, -logits) + (1 - labels) * np.logaddexp(0, logits)


def softmax(
    logits,
    labels,
    axis=-1,
    class_weights=None,
    class_mask=None,
    ignore_index=None,
    label_smoothing=0.0,
    z_loss=0.0,
):
    count = logits.shape[axis]
    if class_mask is None:
        class_mask = np.ones(count, bool)
    shape = [count if i == axis % logits.ndim else 1 for i in range(logits.ndim)]
    allowed = np.asarray(class_mask).reshape(shape)
    if labels.dtype.kind != "f":
        labels = one_hot(labels, count, axis)
    labels = (1 - label_smoothing) * labels + label_smoothing * allowed / allowed.sum()
    normalizer = log_normalizer(np.where(allowed, logits, -np.inf), axis)
    terms = np.where(allowed, labels * (normalizer - logits), 0)
    return terms.sum(axis) + z_loss * np.squeeze(normalizer, axis) ** 2


def linear_softmax(hidden, labels, kernel, bias=0.0, soft_cap=None, chunk_size=None, **options):
    logits = hidden @ np.asarray(kernel, np.float64) + np.asarray(bias, np.float64)
    if soft_cap is not None:
        logits = soft_cap * np.tanh(logits / soft_cap)
    return softmax(logits, labels, **{name: x for name, x in options.items() if name != "class_weights"})


def class_weighted(labels, class_weights, axis=-1, **options):
    if labels.dtype.kind != "f":
        return np.asarray(class_weights, np.float64)[labels]
    return np.moveaxis(labels, axis, -1) @ np.asarray(class_weights, np.float64)


def huber(predictions, labels, delta=1.0):
    error = abs(predictions - labels)
    return np.where(error <= delta, error**2 / 2, delta * (error - delta / 2))


def smooth_l1(predictions, labels, beta=1.0):
    error = abs(predictions - labels)
    return np.where(error < beta, error**2 / (2 * beta), error - beta / 2)


def barron(predictions, labels, alpha, scale=1.0):
    """The formula of the paper; its limits by continuity."""
    x, alpha = (predictions - labels) / scale, np.asarray(alpha, np.float64)
    apart = np.where((alpha == 2) | (alpha == 0) | np.isinf(alpha), 1, alpha)
    b = abs(apart - 2)
    general = b / apart * ((x**2 / b + 1) ** (apart / 2) - 1)
    limits = [(alpha == 2, x**2 / 2), (alpha == 0, np.log1p(x**2 / 2)), (np.isinf(alpha), -np.expm1(-(x**2) / 2))]
    return np.select(*map(list, zip(*limits)), general) + 0 * x


def charged(error, share):
    return np.where(error > 0, 1 - share, share)


def quantile(predictions, labels, quantile=0.5, huber_delta=None):
    error = predictions - labels
    distance = abs(error) if huber_delta is None else smooth_l1(predictions, labels, huber_delta)
    return charged(error, quantile) * distance


def relative_l2(predictions, labels, axis=-1, epsilon=0.0):
    length = lambda x: np.sqrt((x**2).sum(axis))  # noqa: E731
    return length(predictions - labels) / np.maximum(length(labels), epsilon)


def cosine(predictions, labels, axis=-1):
    lengths = np.sqrt((predictions**2).sum(axis) * (labels**2).sum(axis))
    return 1 - (predictions * labels).sum(axis) / lengths


def gaussian(predictions, labels, variance, full=False, eps=1e-6, beta=None):
    """Without `beta`, whose weight is held constant: see `test_numerics.py`."""
    variance = np.maximum(variance, eps)
    nll = 0.5 * (np.log(variance) + (predictions - labels) ** 2 / variance)
    return nll + (0.5 * np.log(2 * np.pi) if full else 0)


def laplace(predictions, labels, scale, full=False):
    return np.log(scale) + abs(predictions - labels) / scale + (np.log(2) if full else 0)


def student_t(predictions, labels, scale, df, full=False):
    nll = -stats.t.logpdf(labels, df, predictions, scale)
    return nll - (0 if full else 0.5 * np.log(2 * np.pi))


def poisson(predictions, labels, log_input=True, full=False):
    rate = np.exp(predictions) if log_input else predictions
    log_rate = predictions if log_input else np.log(predictions)
    nll = rate - labels * log_rate
    if full == "stirling":
        large = np.where(labels > 1, labels, 1)
        approximation = large * np.log(large) - large + 0.5 * np.log(2 * np.pi * large)
        return nll + np.where(labels > 1, approximation, 0)
    return nll + (special.gammaln(labels + 1) if full else 0)


def negative_binomial(predictions, labels, dispersion, full=False):
    n = 1 / dispersion
    rising = special.gammaln(labels + n) - special.gammaln(n)
    nll = n * np.log1p(predictions / n) - labels * np.log(predictions / (n + predictions)) - rising
    return nll + (special.gammaln(labels + 1) if full else 0)


def gamma(predictions, labels, concentration, full=False):
    nll = -stats.gamma.logpdf(labels, concentration, scale=predictions / concentration)
    return nll - (0 if full else np.log(labels))


def tweedie(predictions, labels, power):
    power = np.asarray(power, np.float64)
    p = np.where((power == 1) | (power == 2), 0, power)
    y, mu = labels, predictions
    general = np.maximum(y, 0) ** (2 - p) / ((1 - p) * (2 - p)) - y * mu ** (1 - p) / (1 - p) + mu ** (2 - p) / (2 - p)
    with np.errstate(divide="ignore"):  # a label of 0, where the power isn't 2
        limits = [(power == 1, special.xlogy(y, y / mu) - y + mu), (power == 2, y / mu - 1 - np.log(y / mu))]
    return 2 * np.select(*map(list, zip(*limits)), general)


def gaussian_crps(predictions, labels, scale):
    z = (labels - predictions) / scale
    return scale * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))


def ensemble_crps(predictions, labels, axis=-1, fair=False):
    x = np.moveaxis(predictions, axis, -1)
    m = x.shape[-1]
    spread = abs(x[..., :, None] - x[..., None, :]).sum((-2, -1)) / (2 * m * (m - 1 if fair else m))
    return abs(x - labels[..., None]).mean(-1) - spread


def mixture(logits, labels, means, scales, full=False):
    logs = special.log_softmax(logits, -1) + stats.norm.logpdf(labels[..., None], means, scales)
    return -special.logsumexp(logs, -1) - (0 if full else 0.5 * np.log(2 * np.pi))


def entropies(y, p):
    """Kullback-Leibler terms."""
    return special.xlogy(y, y) - special.xlogy(y, p)


def kl(log_probs, labels, log_labels=False, axis=-1):
    y = np.exp(labels) if log_labels else labels
    return (special.xlogy(y, y) - y * log_probs).sum(axis)


def reverse_kl(log_probs, labels, log_labels=False, axis=-1):
    log_y = labels if log_labels else np.log(labels)
    return (np.exp(log_probs) * (log_probs - log_y)).sum(axis)


def js(log_probs, labels, mixture=0.5, axis=-1):
    p, y = np.exp(log_probs), labels
    m = mixture * y + (1 - mixture) * p
    return (mixture * entropies(y, m) + (1 - mixture) * entropies(p, m)).sum(axis)


def renyi(log_probs, labels, alpha, axis=-1):
    if alpha == 1:
        return kl(log_probs, labels, axis=axis) / labels.sum(axis)
    powers = labels**alpha * np.exp((1 - alpha) * log_probs)
    return np.log(powers.sum(axis) / labels.sum(axis)) / (alpha - 1)


def wasserstein(probs, labels, positions=None, axis=-1):
    moved = abs(np.cumsum(np.moveaxis(probs - labels, axis, -1), -1)[..., :-1])
    gaps = 1 if positions is None else np.diff(np.asarray(positions, np.float64))
    return (moved * gaps).sum(-1)


def gaussian_kl(mean, log_variance, prior_mean=0.0, prior_log_variance=0.0, axis=-1):
    d = log_variance - prior_log_variance
    terms = 0.5 * (np.exp(d) - 1 - d + (mean - prior_mean) ** 2 / np.exp(prior_log_variance))
    return terms if axis is None else terms.sum(axis)


def distillation(logits, teacher_logits, temperature=2.0, axis=-1):
    log_p = special.log_softmax(logits / temperature, axis)
    log_y = special.log_softmax(teacher_logits / temperature, axis)
    return temperature**2 * (np.exp(log_y) * (log_y - log_p)).sum(axis)


def hinge(x):
    return np.maximum(x, 0)


def leads(scores, labels, axis=-1):
    """How far each class lies above the label, the classes last; and where it is the label."""
    scores = np.moveaxis(scores, axis, -1)
    return scores - np.take_along_axis(scores, labels[..., None], -1), one_hot(labels, scores.shape[-1])


def multi_margin(scores, labels, axis=-1, p=1, margin=1.0, class_weights=None):
    lead, is_label = leads(scores, labels, axis)
    return (hinge(margin + lead) ** p * (1 - is_label)).mean(-1)


def sparse_regret(scores, labels, power, axis=-1, class_mask=True):
    """The Fenchel-Young loss of sparsemax (power 1) or 1.5-entmax (power 2), the threshold by bisection."""
    scores = np.moveaxis(scores, axis, -1) * 1.0
    x = np.where(class_mask, scores, -np.inf) / power
    low, high = x.max(-1, keepdims=True) - 1, x.max(-1, keepdims=True)
    for _ in range(100):
        middle = (low + high) / 2
        enough = (hinge(x - middle) ** power).sum(-1, keepdims=True) >= 1
        low, high = np.where(enough, middle, low), np.where(enough, high, middle)
    p = hinge(x - low) ** power
    regularizer = (p**2).sum(-1) / 2 - 0.5 if power == 1 else 4 / 3 * ((p**1.5).sum(-1) - 1)
    lead = np.where(class_mask, scores, 0) - np.take_along_axis(scores, labels[..., None], -1)
    return (p * lead).sum(-1) - regularizer


def multilabel_margin(scores, labels, axis=-1):
    scores, labels = np.moveaxis(scores, axis, -1), np.moveaxis(labels, axis, -1)
    losses, rows = [], scores.shape[:-1]
    for s, listed in zip(scores.reshape(-1, scores.shape[-1]), labels.reshape(-1, labels.shape[-1])):
        targets = listed[: np.argmax(listed == -1)] if -1 in listed else listed
        others = [c for c in range(len(s)) if c not in targets]
        losses.append(sum(hinge(1 - s[t] + s[c]) for t in targets for c in others) / len(s))
    return np.reshape(losses, rows)


def cosine_embedding(embeddings_a, embeddings_b, labels, margin=0.0, axis=-1):
    distance = cosine(embeddings_a, embeddings_b, axis)
    return np.where(labels > 0, distance, hinge(1 - distance - margin))


def triplet(anchors, positives, negatives, margin=1.0, p=2, swap=False, axis=-1, distance=None):
    d = lambda a, b: np.linalg.norm(a - b, p, axis)  # noqa: E731
    away = np.minimum(d(anchors, negatives), d(positives, negatives)) if swap else d(anchors, negatives)
    return hinge(d(anchors, positives) - away + margin)


def city_block(a, b):
    return abs(a - b).sum(-1)


def bent(curve):
    """The expected curve of the probability of the label."""

    def reference(logits, labels, axis=-1, class_weights=None, label_smoothing=0.0, **options):
        if labels.dtype.kind != "f":
            labels = one_hot(labels, logits.shape[axis], axis)
        labels = (1 - label_smoothing) * labels + label_smoothing / logits.shape[axis]
        return (labels * curve(special.softmax(logits, axis), **options)).sum(axis)

    return reference


softmax_focal = bent(lambda p, gamma: -((1 - p) ** gamma) * np.log(p))


poly1 = bent(lambda p, epsilon: -np.log(p) + epsilon * (1 - p))


generalized = bent(lambda p, q: (1 - p**q) / q)


symmetric = bent(lambda p, alpha, beta, log_zero: -alpha * np.log(p) - beta * log_zero * (1 - p))


taylor = bent(lambda p, order: sum((1 - p) ** k / k for k in range(1, order + 1)))


def sigmoid_focal(logits, labels, gamma=2.0, alpha=None, label_smoothing=0.0):
    labels = (1 - label_smoothing) * labels + label_smoothing / 2
    p = special.expit(logits)
    miss = labels * (1 - p) + (1 - labels) * p
    share = 1 if alpha is None else alpha * labels + (1 - alpha) * (1 - labels)
    return share * miss**gamma * binary(p, labels)


def asymmetric(logits, labels, gamma_positive, gamma_negative, clip):
    p = special.expit(logits)
    q = np.maximum(p - clip, 0)
    return -labels * (1 - p) ** gamma_positive * np.log(p) - (1 - labels) * q**gamma_negative * np.log1p(-q)


def bi_tempered(logits, labels, t1, t2, axis=-1, class_weights=None):
    """By bisection."""
    exp = lambda x, t: np.maximum(1 + (1 - t) * x, 0) ** (1 / (1 - t))  # noqa: E731
    log = lambda x, t: (x ** (1 - t) - 1) / (1 - t)  # noqa: E731
    x = logits - logits.max(axis, keepdims=True)
    low, high = 0 * x.sum(axis, keepdims=True), 0 * x.sum(axis, keepdims=True) + 1e8
    for _ in range(100):
        middle = (low + high) / 2
        above = exp(x - middle, t2).sum(axis, keepdims=True) > 1
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    p = exp(x - low, t2)
    if labels.dtype.kind != "f":
        labels = one_hot(labels, logits.shape[axis], axis)
    return -(labels * log(p, t1)).sum(axis) - labels.sum(axis) * (1 - (p ** (2 - t1)).sum(axis)) / (2 - t1)


def coral(logits, labels):
    above = labels[..., None] > np.arange(logits.shape[-1])
    return (np.logaddexp(0, logits) - above * logits).sum(-1)
