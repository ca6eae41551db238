"""Rows of embeddings: whole matrices by hand, where they fit, and the libraries of PyTorch."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from jax import lax, nn
from row import Draw, Loss, Row, Targets, by_hand, by_keras, by_optax, ce, installed

import jaxloss


distances, pml = map(installed, ("pytorch_metric_learning.distances", "pytorch_metric_learning.losses"))
miners, lightly, open_clip = map(installed, ("pytorch_metric_learning.miners", "lightly.loss", "open_clip.loss"))


def pairs(rows: int, features: int) -> Draw:
    """Two views of the same directions."""

    def draw(r: np.random.Generator) -> tuple[np.ndarray, ...]:
        x = r.normal(size=(rows, features))
        return x + 0.5 * r.normal(size=x.shape), x

    return draw


def named(rows: int, features: int, each: int = 4) -> Draw:
    """So many of each class, around a middle of their own."""

    def draw(r: np.random.Generator) -> tuple[np.ndarray, ...]:
        labels = r.permutation(np.arange(rows) // each)
        middles = r.normal(size=(rows // each + 1, features))
        return middles[labels] + r.normal(size=(rows, features)), labels

    return draw


def unit(x: Any) -> Any:
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def itself(x: Any) -> Any:
    return jnp.eye(len(x), dtype=bool)


def parts(x: Any, y: Any) -> tuple[Any, Any, Any]:
    """Cosines, which are positives, which negatives."""
    same = y[:, None] == y[None]
    return unit(x) @ unit(x).T, same & ~itself(x), ~same


def lse(z: Any, where: Any) -> Any:
    return nn.logsumexp(jnp.where(where, z, -jnp.inf), -1)


# Whole matrices, by hand.


def info_nce(a: Any, b: Any) -> Any:
    z = unit(a) @ unit(b).T / 0.07
    return nn.logsumexp(z, -1) - jnp.diag(z)


def clip(a: Any, b: Any) -> Any:
    z = unit(a) @ unit(b).T / 0.07
    return (nn.logsumexp(z, -1) + nn.logsumexp(z, 0)) / 2 - jnp.diag(z)


def siglip(a: Any, b: Any) -> Any:
    z = 10 * (unit(a) @ unit(b).T) - 10
    return nn.softplus(jnp.where(itself(a), -z, z)).sum(-1)


def supcon(x: Any, y: Any) -> Any:
    s, positive, negative = parts(x, y)
    z = s / 0.1
    return lse(z, positive | negative) - jnp.where(positive, z, 0).sum(-1) / positive.sum(-1)


def multi_similarity(x: Any, y: Any) -> Any:
    s, positive, negative = parts(x, y)
    near, far = lse(-2 * (s - 0.5), positive), lse(50 * (s - 0.5), negative)
    return nn.softplus(near) / 2 + nn.softplus(far) / 50


def circle(x: Any, y: Any) -> Any:
    s, positive, negative = parts(x, y)
    held = lax.stop_gradient(s)
    near, far = nn.relu(1.4 - held), nn.relu(held + 0.4)
    return nn.softplus(lse(-80 * near * (s - 0.6), positive) + lse(80 * far * (s - 0.4), negative))


def contrastive(a: Any, b: Any, y: Any) -> Any:
    d = jnp.linalg.norm(a - b, axis=-1)
    return jnp.where(y > 0, d, nn.relu(1 - d)) ** 2


def hardest(x: Any, y: Any) -> Any:
    """By products, of unit vectors."""
    _, positive, negative = parts(x, y)
    squares = (x**2).sum(-1)
    d = jnp.sqrt(nn.relu(squares[:, None] + squares[None] - 2 * x @ x.T) + 1e-12)
    return nn.relu(jnp.where(positive, d, -jnp.inf).max(-1) - jnp.where(negative, d, jnp.inf).min(-1) + 1)


# PyTorch's libraries. What is a mean over pairs there is so here, by weights.


def of_pml(loss: Any, miner: Any = None, scale: float = 1.0) -> Loss | None:
    if pml is None:
        return None
    return lambda x, y: scale * loss()(x, y, miner()(x, y) if miner else None)


def triplets_of_pml(**options: Any) -> Loss | None:
    """Without its normalization."""
    return pml and of_pml(lambda: pml.TripletMarginLoss(1.0, distance=plain_distance(), **options))


def plain_distance() -> Any:
    return distances.LpDistance(normalize_embeddings=False)


def hardest_of_pml() -> Any:
    return miners.BatchHardMiner(distance=plain_distance())


def by_pairs(loss: Any) -> Loss:
    """The mean over all positive pairs."""
    return lambda x, y: loss(x, y, (y[:, None] == y[None]).sum(1) - 1)


def clip_of_torch(a: Any, b: Any) -> Any:
    return open_clip.ClipLoss()(unit_of_torch(a), unit_of_torch(b), 1 / 0.07)


def siglip_of_torch(a: Any, b: Any) -> Any:
    return open_clip.SigLipLoss()(unit_of_torch(a), unit_of_torch(b), 10.0, -10.0)


def unit_of_torch(x: Any) -> Any:
    return x / x.norm(dim=-1, keepdim=True)


# Class kernels, statistics, views.


def with_kernel(r: np.random.Generator, rows: int = 256, features: int = 64, count: int = 8192) -> tuple[Any, ...]:
    return r.normal(size=(rows, features)), r.normal(size=(features, count)), r.integers(0, count, rows)


def cosines(x: Any, k: Any) -> Any:
    return unit(x) @ (k / jnp.linalg.norm(k, axis=0, keepdims=True))


def arcface(x: Any, k: Any, y: Any) -> Any:
    c = cosines(x, k)
    own = jnp.take_along_axis(c, y[:, None], 1)
    turned = own * math.cos(0.5) - jnp.sqrt(1 - own**2) * math.sin(0.5)
    turned = jnp.where(own >= -math.cos(0.5), turned, own - 0.5 * math.sin(0.5))
    return ce(64 * jnp.where(jnp.arange(k.shape[1]) == y[:, None], turned, c), y)


def cosface(x: Any, k: Any, y: Any) -> Any:
    return ce(64 * (cosines(x, k) - 0.35 * (jnp.arange(k.shape[1]) == y[:, None])), y)


def head_of_pml(loss: str, **options: Any) -> Loss | None:
    if pml is None:
        return None

    def f(x: Any, k: Any, y: Any) -> Any:
        head = getattr(pml, loss)(k.shape[1], k.shape[0], scale=64, **options)
        del head.W
        head.W = k
        return head(x, y)

    return f


def proxies(r: np.random.Generator) -> tuple[Any, ...]:
    x, k, y = with_kernel(r)
    return x, k.T, y


def proxy_anchor(x: Any, p: Any, y: Any) -> Any:
    s, own = unit(p) @ unit(x).T, jnp.arange(len(p))[:, None] == y
    near, far = lse(-32 * (s - 0.1), own), lse(32 * (s + 0.1), ~own)
    return nn.softplus(near).sum() / own.any(1).sum() + nn.softplus(far).mean()


def proxy_anchor_of_pml(x: Any, p: Any, y: Any) -> Any:
    head = pml.ProxyAnchorLoss(len(p), p.shape[1])
    del head.proxies
    head.proxies = p
    return head(x, y)


def off_diagonal(c: Any) -> Any:
    return (c**2).sum() - (jnp.diag(c) ** 2).sum()


def vicreg(a: Any, b: Any) -> Any:
    value = 25 * ((a - b) ** 2).mean()
    for x in (a, b):
        x = x - x.mean(0)
        spread = nn.relu(1 - jnp.sqrt(x.var(0, ddof=1) + 1e-4)).mean()
        value += 25 * spread / 2 + off_diagonal(x.T @ x / (len(x) - 1)) / x.shape[1]
    return value


def barlow(a: Any, b: Any) -> Any:
    a, b = ((x - x.mean(0)) / jnp.sqrt(x.var(0) + 1e-5) for x in (a, b))
    c = a.T @ b / len(a)
    return ((jnp.diag(c) - 1) ** 2).sum() + 5e-3 * off_diagonal(c)


def views(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return r.normal(size=(8, 32, 16384)), r.normal(size=(2, 32, 16384))


def dino(z: Any, t: Any) -> Any:
    q, log_p = nn.softmax(t / 0.04), nn.log_softmax(z / 0.1)
    return -sum((q[i] * log_p[k]).sum(-1).mean() for i in range(len(q)) for k in range(len(z)) if i != k) / 14


def dino_of_torch(z: Any, t: Any) -> Any:
    """lightly's formula, without its center."""
    q, log_p = (t / 0.04).softmax(-1), (z / 0.1).log_softmax(-1)
    return -sum((q[i] * log_p[k]).sum(-1).mean() for i in range(len(q)) for k in range(len(z)) if i != k) / 14


def sized(row: Row, draw: Draw, targets: Targets) -> Row:
    return row._replace(draw=draw, targets=targets)


EVEN = Targets(1.0, 1.0)
NTXENT = by_optax("ntxent_loss", named(128, 128), lambda x, y: optax.ntxent(x, y), Targets(0.1, 0.05))._replace(
    ours=by_pairs(jaxloss.ntxent_loss), torch=of_pml(pml and pml.NTXentLoss)
)
SUPCON = by_hand("supcon_loss", named(512, 128), supcon, Targets(1.0, 0.4), torch=of_pml(pml and pml.SupConLoss))
SIMILAR = by_hand(
    "multi_similarity_loss",
    named(512, 128),
    multi_similarity,
    Targets(1.0, 0.15),
    torch=of_pml(pml and pml.MultiSimilarityLoss),
)
CIRCLE = by_hand(
    "circle_loss",
    named(512, 128),
    circle,
    Targets(1.0, 0.1),
    torch=of_pml(pml and pml.CircleLoss),
    keras=by_keras("circle", unit),
)
HARD = by_hand(
    "batch_triplet_loss",
    named(512, 128),
    hardest,
    Targets(None, 0.5),
    torch=triplets_of_pml() and of_pml(lambda: pml.TripletMarginLoss(1.0, distance=plain_distance()), hardest_of_pml),
)
CLIP = by_hand("clip_loss", pairs(512, 128), clip, EVEN, torch=open_clip and clip_of_torch)
SIGLIP = by_hand("siglip_loss", pairs(512, 128), siglip, EVEN, torch=open_clip and siglip_of_torch)
EMBEDDINGS = [
    by_hand(
        "contrastive_loss",
        lambda r: (*pairs(4096, 256)(r), r.choice([-1, 1], 4096)),
        contrastive,
        torch=lambda a, b, y: ((a - b).norm(dim=-1) * (y > 0) + (1 - (a - b).norm(dim=-1)).relu() * (y < 0)) ** 2,
    ),
    by_hand("info_nce_loss", pairs(256, 128), info_nce, EVEN),
    by_hand("info_nce_loss", pairs(4096, 64), info_nce, EVEN),
    sized(CLIP, pairs(256, 128), EVEN),
    CLIP,
    sized(CLIP, pairs(4096, 64), Targets(0.7, 0.5)),
    SIGLIP,
    sized(SIGLIP, pairs(4096, 64), Targets(0.7, 0.5)),
    NTXENT,
    SUPCON,
    sized(SUPCON, named(4096, 64), Targets(1.0, 0.4)),
    SIMILAR,
    sized(SIMILAR, named(4096, 64), Targets(1.0, 0.15)),
    CIRCLE,
    sized(CIRCLE, named(4096, 64), Targets(1.0, 0.1)),
    HARD,
    sized(HARD, named(4096, 64), Targets(None, 0.5)),
    by_hand("arcface_loss", with_kernel, arcface, Targets(0.7, 0.7), torch=head_of_pml("ArcFaceLoss", margin=28.6479)),
    by_hand("cosface_loss", with_kernel, cosface, Targets(0.7, 0.7), torch=head_of_pml("CosFaceLoss", margin=0.35)),
    by_hand("proxy_anchor_loss", proxies, proxy_anchor, Targets(1.0, 0.33), torch=pml and proxy_anchor_of_pml),
    by_hand(
        "vicreg_loss",
        pairs(256, 4096),
        vicreg,
        Targets(1.0, 0.07),
        torch=lightly and (lambda a, b: lightly.VICRegLoss()(a, b)),
    ),
    by_hand(
        "barlow_twins_loss",
        pairs(256, 4096),
        barlow,
        Targets(1.0, 0.2),
        torch=lightly and (lambda a, b: lightly.BarlowTwinsLoss()(a, b)),
    ),
    by_hand("dino_loss", views, dino, Targets(1.0, 0.25), torch=dino_of_torch),
]
BATCHES = [row if row.loss == "contrastive_loss" else row._replace(most=2**20) for row in EMBEDDINGS]
