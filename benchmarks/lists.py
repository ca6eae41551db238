"""Rows of ranked lists, with all pairs by hand, and of sequences."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from jax import lax, nn
from row import Draw, Loss, Targets, by_hand, by_optax


def lists(count: int = 64, items: int = 200) -> Draw:
    """Scores, and grades from 0 to 4."""
    return lambda r: (r.normal(size=(count, items)), r.integers(0, 5, (count, items)).astype(float))


def over_pairs(cost: Loss) -> Loss:
    """The mean of ``cost(difference of scores, of labels)`` over the pairs of different labels."""

    def loss(s: Any, y: Any) -> Any:
        d, t = (x[..., :, None] - x[..., None, :] for x in (s, y))
        return jnp.where(t > 0, cost(d, t), 0).sum((-1, -2)) / (t > 0).sum((-1, -2))

    return loss


def lambda_rank(s: Any, y: Any) -> Any:
    rank = 1 + jnp.argsort(jnp.argsort(-s, -1), -1)
    gains, discounts = 2**y - 1, 1 / jnp.log2(1 + rank)
    d, t, g, c = (x[..., :, None] - x[..., None, :] for x in (s, y, gains, discounts))
    costs = s.shape[-1] * abs(g) * abs(c) * nn.softplus(-d)
    return jnp.where(t > 0, costs, 0).sum((-1, -2)) / (t > 0).sum((-1, -2))


def squares(s: Any, y: Any) -> Any:
    d, t = (x[..., :, None] - x[..., None, :] for x in (s, y))
    return ((t - d) ** 2).mean((-1, -2))


def poly1(s: Any, y: Any) -> Any:
    return -(y * nn.log_softmax(s)).sum(-1) + 1 - (y * nn.softmax(s)).sum(-1) / y.sum(-1)


def unique(s: Any, y: Any) -> Any:
    lower = y[..., None, :] < y[..., :, None]
    rivals = jnp.where(lower, jnp.exp(s[..., None, :] - s[..., :, None]), 0).sum(-1)
    return ((2**y - 1) * jnp.log1p(rivals)).sum(-1)


def listmle(s: Any, y: Any) -> Any:
    behind = y[..., None, :] <= y[..., :, None]
    return (nn.logsumexp(jnp.where(behind, s[..., None, :], -jnp.inf), -1) - s).sum(-1)


def soft_ranks(s: Any) -> Any:
    return 0.5 + nn.sigmoid(s[..., None, :] - s[..., :, None]).sum(-1)


def ndcg(s: Any, y: Any) -> Any:
    gains = 2**y - 1
    best = -jnp.sort(-gains, -1) / jnp.log2(2 + jnp.arange(s.shape[-1]))
    return 1 - (gains / jnp.log2(1 + soft_ranks(s))).sum(-1) / best.sum(-1)


def mrr(s: Any, y: Any) -> Any:
    return 1 - jnp.where(y >= 1, 1 / soft_ranks(s), 0).max(-1)


# Sequences.


def spoken(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return r.normal(size=(16, 200, 64)), r.integers(1, 64, (16, 40))


def ctc(z: Any, y: Any) -> Any:
    return optax.ctc_loss(z, jnp.zeros(z.shape[:2], z.dtype), y, jnp.zeros(y.shape, z.dtype))


def joint(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return r.normal(size=(4, 50, 21, 256)), r.integers(1, 256, (4, 20))


def rnnt(z: Any, y: Any) -> Any:
    """A row of the lattice after the other."""
    log_p = nn.log_softmax(z)
    blank = log_p[..., 0]
    label = jnp.take_along_axis(log_p[:, :, :-1], y[:, None, :, None], -1)[..., 0]

    def along(alpha: Any, step: Any) -> Any:
        """Through the labels of one frame."""
        _, done = lax.scan(lambda c, x: (jnp.logaddexp(c + x[1], x[0]),) * 2, alpha[0], (alpha[1:], step.T))
        return jnp.concatenate([alpha[:1], done])

    alpha = jnp.concatenate([jnp.zeros((1, len(z))), jnp.cumsum(label[:, 0], -1).T])
    alpha, _ = lax.scan(
        lambda a, x: (along(a + x[0].T, x[1]), None),
        alpha,
        (jnp.moveaxis(blank[:, :-1], 1, 0), jnp.moveaxis(label[:, 1:], 1, 0)),
    )
    return -(alpha[-1] + blank[:, -1, -1])


def hidden(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    frames, labels, kernel = r.normal(size=(4, 50, 64)), r.normal(size=(4, 21, 64)), r.normal(size=(64, 256)) / 8
    return frames, labels, kernel, r.integers(1, 256, (4, 20))


def linear_rnnt(frames: Any, labels: Any, kernel: Any, y: Any) -> Any:
    return rnnt(jnp.tanh(frames[:, :, None] + labels[:, None]) @ kernel, y)


def tagged(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return r.normal(size=(32, 200, 40)), r.normal(size=(40, 40)), r.integers(0, 40, (32, 200))


def crf(z: Any, t: Any, y: Any) -> Any:
    def step(alpha: Any, z: Any) -> tuple[Any, None]:
        return nn.logsumexp(alpha[:, :, None] + t[None], 1) + z, None

    alpha, _ = lax.scan(step, z[:, 0], jnp.moveaxis(z[:, 1:], 1, 0))
    score = jnp.take_along_axis(z, y[..., None], -1)[..., 0].sum(-1) + t[y[:, :-1], y[:, 1:]].sum(-1)
    return nn.logsumexp(alpha, -1) - score


def unlikelihood(z: Any, y: Any) -> Any:
    return -jnp.log1p(-jnp.take_along_axis(nn.softmax(z), y[:, None], 1)[:, 0])


ROWS_OF_LISTS = [
    by_optax("ranking_softmax_loss", lists(), lambda s, y: optax.losses.ranking_softmax_loss(s, y, reduce_fn=None)),
    by_hand("poly1_softmax_loss", lists(), poly1),
    by_hand("unique_softmax_loss", lists(), unique, Targets(1.0)),
    by_hand("listmle_loss", lists(), listmle),
    by_hand("pairwise_logistic_loss", lists(), over_pairs(lambda d, t: nn.softplus(-d)), Targets(0.5)),
    by_hand("pairwise_logistic_loss", lists(8, 2000), over_pairs(lambda d, t: nn.softplus(-d)), Targets(0.5)),
    by_hand("pairwise_logistic_loss", lists(), lambda_rank, Targets(0.5), lambda_weights="dcg"),
    by_hand("pairwise_hinge_loss", lists(), over_pairs(lambda d, t: nn.relu(1 - d)), Targets(0.5)),
    by_hand("pairwise_soft_zero_one_loss", lists(), over_pairs(lambda d, t: nn.sigmoid(-d))),
    by_hand("pairwise_quantile_loss", lists(), over_pairs(lambda d, t: 0.5 * abs(t - d))),
    by_hand("pairwise_mse_loss", lists(), squares, Targets(0.05)),
    by_hand("approx_ndcg_loss", lists(), ndcg),
    by_hand("approx_mrr_loss", lists(), mrr),
    by_optax("ctc_loss", spoken, ctc, Targets(0.5)),
    by_hand("rnnt_loss", joint, rnnt),
    by_hand("linear_rnnt_loss", hidden, linear_rnnt),
    by_hand("crf_nll_loss", tagged, crf),
    by_hand("unlikelihood_loss", lambda r: (r.normal(size=(4096, 256)), r.integers(0, 256, 4096)), unlikelihood),
]
LISTS = [row._replace(most=2**20) for row in ROWS_OF_LISTS]
