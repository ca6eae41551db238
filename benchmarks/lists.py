"""Rows of ranked lists, beside rax and all pairs by hand, and of sequences."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax, nn
from row import Draw, F, Loss, Row, Targets, by_hand, by_optax, installed, torch


rax = installed("rax")


def lists(count: int = 64, items: int = 200) -> Draw:
    """Scores, and grades from 0 to 4."""
    return lambda r: (r.normal(size=(count, items)), r.integers(0, 5, (count, items)).astype(float))


def beside_rax(row: Row, name: str, times: float | None = None, **options: Any) -> Row:
    """With rax for the first peer, where it is installed; ours should be so many times as fast.

    It gets a list at a time: of a batch it would take the mean over all pairs.
    """
    if rax is None:
        return row
    f = jax.vmap(functools.partial(getattr(rax, name), **options))
    targets = row.targets if times is None else Targets(1 / times)
    return row._replace(peers={"rax": f} | row.peers, targets=targets, reference=next(iter(row.peers.values())))


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


def spoken(count: int, frames: int, classes: int, labels: int) -> Draw:
    return lambda r: (r.normal(size=(count, frames, classes)), r.integers(1, classes, (count, labels)))


def ctc(z: Any, y: Any) -> Any:
    return optax.ctc_loss(z, jnp.zeros(z.shape[:2], z.dtype), y, jnp.zeros(y.shape, z.dtype))


def ctc_of_torch(z: Any, y: Any) -> Any:
    frames, labels = (torch.full(x.shape[:1], x.shape[1]) for x in (z, y))
    return F.ctc_loss(z.log_softmax(-1).transpose(0, 1), y, frames, labels, reduction="none")


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


def hidden(frames: int, labels: int, features: int, classes: int) -> Draw:
    def draw(r: np.random.Generator) -> tuple[np.ndarray, ...]:
        f, g = r.normal(size=(4, frames, features)), r.normal(size=(4, labels + 1, features))
        return f, g, r.normal(size=(features, classes)) / features**0.5, r.integers(1, classes, (4, labels))

    return draw


def linear_rnnt(frames: Any, labels: Any, kernel: Any, y: Any) -> Any:
    return rnnt(jnp.tanh(frames[:, :, None] + labels[:, None]) @ kernel, y)


def products(frames: Any, labels: Any, kernel: Any, y: Any) -> Any:
    """The three that value and gradients take."""
    joint = frames[:, :, None] + labels[:, None]
    logits = joint @ kernel
    return logits @ kernel.T, jnp.tensordot(joint, logits, ((0, 1, 2), (0, 1, 2)))


def tagged(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return r.normal(size=(32, 200, 40)), r.normal(size=(40, 40)), r.integers(0, 40, (32, 200))


def crf(z: Any, t: Any, y: Any) -> Any:
    def step(alpha: Any, z: Any) -> tuple[Any, None]:
        return nn.logsumexp(alpha[:, :, None] + t[None], 1) + z, None

    alpha, _ = lax.scan(step, z[:, 0], jnp.moveaxis(z[:, 1:], 1, 0))
    score = jnp.take_along_axis(z, y[..., None], -1)[..., 0].sum(-1) + t[y[:, :-1], y[:, 1:]].sum(-1)
    return nn.logsumexp(alpha, -1) - score


def series(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return r.normal(size=(8, 200, 16)), r.normal(size=(8, 200, 16))


def soft_dtw(x: Any, y: Any) -> Any:
    """By diagonals, each of them as long as there are steps."""
    costs = ((x[:, :, None] - y[:, None]) ** 2).sum(-1)
    n = costs.shape[1]
    rows = [jnp.pad(costs[:, i], ((0, 0), (i, n - 1 - i)), constant_values=1e10) for i in range(n)]

    def step(carry: Any, cost: Any) -> Any:
        two, one = carry  # one and two diagonals before
        shifted = [jnp.pad(x[:, :-1], ((0, 0), (1, 0)), constant_values=1e10) for x in (one, two)]
        new = cost - nn.logsumexp(-jnp.stack([one, *shifted]), 0)
        return (one, new), None

    nothing = jnp.full_like(costs[:, 0], 1e10)
    first = nothing.at[:, 0].set(costs[:, 0, 0])
    (_, last), _ = lax.scan(step, (nothing, first), jnp.moveaxis(jnp.stack(rows, 1), 2, 0)[1:])
    return last[:, -1]


def unlikelihood(z: Any, y: Any) -> Any:
    return -jnp.log1p(-jnp.take_along_axis(nn.softmax(z), y[:, None], 1)[:, 0])


LOGISTIC = over_pairs(lambda d, t: nn.softplus(-d))
HINGE = over_pairs(lambda d, t: nn.relu(1 - d))
RANKED = [
    row
    for draw in (lists(), lists(8, 2000))
    for row in (
        beside_rax(by_hand("unique_softmax_loss", draw, unique, Targets(1.0)), "unique_softmax_loss", 5),
        beside_rax(by_hand("pairwise_logistic_loss", draw, LOGISTIC, Targets(0.5)), "pairwise_logistic_loss", 5),
        beside_rax(
            by_hand("pairwise_logistic_loss", draw, lambda_rank, Targets(0.5), lambda_weights="dcg"),
            "pairwise_logistic_loss",
            4,
            lambdaweight_fn=rax and rax.dcg_lambdaweight,
        )._replace(note="dcg"),
        beside_rax(by_hand("pairwise_hinge_loss", draw, HINGE, Targets(0.5)), "pairwise_hinge_loss", 2.5),
        beside_rax(by_hand("pairwise_mse_loss", draw, squares, Targets(0.05)), "pairwise_mse_loss", 20),
    )
]
SPOKEN = [(16, 200, 64, 40), (32, 500, 128, 100), (1, 500, 128, 100), (8, 1500, 32, 200), (16, 400, 1000, 60)]
ROWS_OF_LISTS = [
    beside_rax(
        by_optax("ranking_softmax_loss", lists(), lambda s, y: optax.losses.ranking_softmax_loss(s, y, reduce_fn=None)),
        "softmax_loss",
    ),
    beside_rax(by_hand("poly1_softmax_loss", lists(), poly1), "poly1_softmax_loss"),
    by_hand("listmle_loss", lists(), listmle),  # rax breaks ties by place
    *RANKED,
    beside_rax(
        by_hand("pairwise_soft_zero_one_loss", lists(), over_pairs(lambda d, t: nn.sigmoid(-d))),
        "pairwise_soft_zero_one_loss",
    ),
    beside_rax(
        by_hand("pairwise_quantile_loss", lists(), over_pairs(lambda d, t: 0.5 * abs(t - d))), "pairwise_qr_loss"
    ),
    by_hand("approx_ndcg_loss", lists(), ndcg),  # rax' approx_t12n fails on JAX 0.10
    by_hand("approx_mrr_loss", lists(), mrr),
    *(by_optax("ctc_loss", spoken(*size), ctc, Targets(0.5), torch=F and ctc_of_torch) for size in SPOKEN),
    by_hand("rnnt_loss", joint, rnnt),
    by_hand("linear_rnnt_loss", hidden(50, 20, 64, 256), linear_rnnt),
    by_hand("linear_rnnt_loss", hidden(200, 40, 256, 1000), linear_rnnt, Targets(None, None, 1.2))._replace(
        floor=products, argnums=(0, 1, 2), note="all gradients"
    ),
    by_hand("crf_nll_loss", tagged, crf)._replace(argnums=(0, 1), note="both gradients"),
    by_hand("soft_dtw_loss", series, soft_dtw)._replace(argnums=(0, 1), note="both gradients"),
    by_hand("unlikelihood_loss", lambda r: (r.normal(size=(4096, 256)), r.integers(0, 256, 4096)), unlikelihood),
]
LISTS = [row._replace(most=2**20) for row in ROWS_OF_LISTS]
