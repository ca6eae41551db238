"""Rows of losses that tune language models, beside what is written by hand."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import lax, nn
from row import Draw, Loss, by_hand, installed, torch


N = 1_000_000


def log_probs(count: int) -> Draw:
    """Of answers, by a policy and by a reference that is near it."""

    def draw(r: np.random.Generator) -> tuple[np.ndarray, ...]:
        own = -r.gamma(4, 5, (2, N))
        return tuple(own[place % 2] + (place > 1) * r.normal(size=N) for place in range(count))

    return draw


def averages(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return tuple(-r.gamma(2, 0.7, (2, N)) - 1e-3)


def answers(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    own = -r.gamma(4, 5, N)
    return own, own + r.normal(size=N), 1.0 * r.integers(0, 2, N)


def dpo(w: Any, l: Any, rw: Any, rl: Any) -> Any:
    return nn.softplus(-0.1 * ((w - rw) - (l - rl)))


def log_odds(x: Any) -> Any:
    return x - jnp.log1p(-jnp.exp(x))


def kto(p: Any, r: Any, y: Any) -> Any:
    u = 0.1 * (p - r - 1)
    return jnp.where(y == 1, 1 - nn.sigmoid(u), 1 - nn.sigmoid(-u))


def sampled(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Log-probabilities of tokens a few steps later and before, and how much better than expected they were."""
    old = -r.exponential(1.0, N)
    return old + r.normal(0, 0.2, N), old, r.normal(size=N)


def ppo(p: Any, old: Any, a: Any) -> Any:
    r = jnp.exp(p - old)
    return -jnp.minimum(r * a, jnp.clip(r, 0.8, 1.2) * a)


def cispo(p: Any, old: Any, a: Any) -> Any:
    return -lax.stop_gradient(jnp.clip(jnp.exp(p - old), 0, 5)) * a * p


def clipped_value(v: Any, y: Any, old: Any) -> Any:
    return jnp.maximum((v - y) ** 2, (jnp.clip(v, old - 0.2, old + 0.2) - y) ** 2)


def by_liger(name: str, algorithm: str, call: Loss) -> Loss | None:
    """What its chunked heads do with log-probabilities, which is plain PyTorch; of a target it takes the length."""
    room = installed(f"liger_kernel.chunked_loss.{name}_loss")
    if room is None:
        return None
    f = getattr(room, f"LigerFusedLinear{algorithm}Function").preference_loss_fn
    return lambda x, *rest: call(f, torch.empty(2 * len(x), 0), x, *rest)


LIGER_DPO = by_liger(
    "dpo",
    "DPO",
    lambda f, target, w, l, rw, rl: f(w, l, target, ref_chosen_logps=rw, ref_rejected_logps=rl)[0],
)
LIGER_SIMPO = by_liger("simpo", "SimPO", lambda f, target, w, l: f(w, l, target, beta=2.0, gamma=1.0)[0])
LIGER_ORPO = by_liger("orpo", "ORPO", lambda f, target, w, l: f(w, l, target)[0] - w.mean())
LIGER_KTO = by_liger("kto", "KTO", lambda f, target, p, r, y: f(p, y == 1, target[: len(p)], r, kl=1.0)[0])

POST_TRAINING = [
    by_hand("dpo_loss", log_probs(4), dpo, torch=LIGER_DPO),
    by_hand(
        "cpo_loss", log_probs(2), lambda w, l: nn.softplus(1 - 2 * (w - l)), torch=LIGER_SIMPO, beta=2.0, margin=1.0
    ),
    by_hand(
        "orpo_loss",
        averages,
        lambda w, l: -w - 0.1 * nn.log_sigmoid(log_odds(w) - log_odds(l)),
        torch=LIGER_ORPO,
    ),
    by_hand("kto_loss", answers, kto, torch=LIGER_KTO, kl=1.0),
    by_hand("bradley_terry_loss", lambda r: tuple(r.normal(0, 2, (2, N))), lambda w, l: nn.softplus(l - w)),
    by_hand("ppo_clip_loss", sampled, ppo),
    by_hand("cispo_loss", sampled, cispo),
    by_hand("clipped_value_loss", sampled, clipped_value),
    by_hand("kl_estimate", lambda r: sampled(r)[:2], lambda p, ref: jnp.expm1(ref - p) - (ref - p)),
]
