"""Losses of ranked lists in float64, by their formulas: a loop over lists, and in each one over its items."""

from __future__ import annotations

import itertools

import numpy as np


def softplus(x):
    return np.logaddexp(0, x)


def sigmoid(x):
    return (1 + np.tanh(x / 2)) / 2


def positive(x):
    return max(0, x)


def softmax(s):
    e = np.exp(s - s.max())
    return e / e.sum()


def gain(label):
    return 2**label - 1


def discount(rank):
    return 1 / np.log2(1 + rank)


def ranks(s):
    """By place where scores are equal."""
    order = np.argsort(-s, kind="stable")
    return 1 + np.argsort(order)


def dcg_at_best(y, top_n):
    return sum(gain(label) * discount(r) for r, label in enumerate(np.sort(y)[::-1][:top_n], start=1))


def by_list(formula):
    """A formula of one list, of the items that exist and what is theirs, for each list; 0 without an item."""

    def losses(scores, labels, mask, item_weights=None, **options):
        found = np.zeros(scores.shape[:-1])
        for i in np.ndindex(found.shape):
            there = np.broadcast_to(mask, scores.shape)[i]
            w = np.ones(scores.shape) if item_weights is None else np.broadcast_to(item_weights, scores.shape)
            if there.any():
                found[i] = formula(scores[i][there], labels[i][there], w[i][there], **options)
        return found

    return losses


def lambda_of(kind, s, y, top_n=None):
    """Of two items of a list."""
    r, n = ranks(s), len(s)
    unit = dcg_at_best(y, top_n) if kind and kind[0] == "n" else 1
    within = lambda rank: discount(rank) if top_n is None or rank <= top_n else 0  # noqa: E731

    def of_pair(i, j):
        if kind is None:
            return 1
        if kind == "label_diff":
            return abs(y[i] - y[j])
        gap = n * abs(gain(y[i]) - gain(y[j])) / (unit or 1)
        if not kind.endswith("2"):
            return gap * abs(within(r[i]) - within(r[j]))
        apart, worse = abs(r[i] - r[j]), max(r[i], r[j])
        far = 1 / (1 - discount(worse)) if top_n is not None and worse > top_n else 1
        return gap * (discount(apart) - discount(apart + 1)) * far if i != j else 0

    return of_pair


def of_pairs(cost, every=False):
    """The mean of a cost of two items, by the differences of their scores and of their labels."""

    @by_list
    def loss(s, y, w, lambda_weights=None, top_n=None, **options):
        weight = lambda_of(lambda_weights, s, y, top_n)
        total = count = 0
        for i, j in itertools.product(range(len(s)), repeat=2):
            if every or y[i] > y[j]:
                total += w[i] * weight(i, j) * cost(s[i] - s[j], y[i] - y[j], **options)
                count += w[i]
        return total / count if count else 0

    return loss


pairwise_logistic = of_pairs(lambda d, t: softplus(-d))
pairwise_hinge = of_pairs(lambda d, t, margin=1.0: positive(margin - d))
pairwise_soft_zero_one = of_pairs(lambda d, t: sigmoid(-d))
pairwise_mse = of_pairs(lambda d, t: (t - d) ** 2, every=True)


@of_pairs
def pairwise_quantile(d, t, quantile=0.5, squared=False):
    k = 2 if squared else 1
    return quantile * positive(t - d) ** k + (1 - quantile) * positive(d - t) ** k


@by_list
def ranking_softmax(s, y, w):
    return -(y * np.log(softmax(s))).sum()


@by_list
def poly1_softmax(s, y, w, epsilon=1.0):
    p = softmax(s)
    return -(y * np.log(p)).sum() + (epsilon * (1 - (y * p).sum() / y.sum()) if y.sum() else 0)


@by_list
def unique_softmax(s, y, w):
    return sum(w[i] * gain(y[i]) * np.log1p(np.exp(s[y < y[i]] - s[i]).sum()) for i in range(len(s)))


@by_list
def listmle(s, y, w):
    return sum(np.log(np.exp(s[y <= y[i]]).sum()) - s[i] for i in range(len(s)))


def soft_ranks(s, temperature):
    return [1 + sum(sigmoid((s[j] - s[i]) / temperature) for j in range(len(s)) if j != i) for i in range(len(s))]


@by_list
def approx_ndcg(s, y, w, temperature=1.0):
    dcg = sum(gain(label) * discount(r) for r, label in zip(soft_ranks(s, temperature), y))
    return 1 - dcg / dcg_at_best(y, None) if np.any(y > 0) else 0


@by_list
def approx_mrr(s, y, w, temperature=1.0):
    return 1 - max([1 / r for r, label in zip(soft_ranks(s, temperature), y) if label >= 1], default=1)


# --- which lists count -----------------------------------------------------------------------------------------------


def counting(condition):
    """1 for each list whose labels are such."""

    def counts(labels, mask, **_):
        found = np.zeros(labels.shape[:-1])
        for i in np.ndindex(found.shape):
            found[i] = condition(labels[i][np.broadcast_to(mask, labels.shape)[i]])
        return found

    return counts


with_pair = counting(lambda y: len({*y}) > 1)
with_gain = counting(lambda y: np.any(y > 0))
with_relevant = counting(lambda y: np.any(y >= 1))
