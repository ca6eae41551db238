"""What `check_loss` finds in losses of others: the table of docs/own.md, by the same calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax


RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 8, 3)).astype(np.float32)
LOG_PROBS, OTHER = (np.asarray(jax.nn.log_softmax(x)) for x in (X, Y))
CLASSES = np.arange(8) % 3
MASK = np.ones(8)


# --- public programs, as they compute it ---------------------------------------------------------------------------


def xent(logits, labels):
    return -jnp.sum(jax.nn.one_hot(labels, logits.shape[-1]) * jax.nn.log_softmax(logits), -1)


def flax_wmt(logits, labels, mask):
    return jnp.sum(xent(logits, labels) * mask) / jnp.sum(mask)


def maxtext(logits, labels, mask):
    return jnp.sum(xent(logits, labels) * (mask != 0)) / (jnp.sum(mask != 0) + 1e-8)


def big_vision(logits, labels):
    return jnp.mean(xent(logits, labels))


def scenic(logits, labels, weights):
    return jnp.sum(xent(logits, labels) * weights) / (jnp.sum(weights) + 1e-8)


def tunix(logits, labels, mask):
    one_hot = jax.nn.one_hot(labels, logits.shape[-1]) * mask.astype(logits.dtype)[..., None]
    return -jnp.sum(jax.nn.log_softmax(logits) * one_hot) / (jnp.sum(mask) + 1e-8)


# --- Optax -----------------------------------------------------------------------------------------------------------


def given(f: Callable[..., Any]) -> Callable[..., Any]:
    """With labels that aren't optional."""

    def loss(predictions, labels):
        return f(predictions, labels)

    loss.__name__ = f.__name__
    return loss


SOFT = np.asarray(jax.nn.softmax(Y))
ELSEWHERE: dict[str, tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = {
    "Flax's wmt": (flax_wmt, (X, CLASSES), {"mask": MASK}),
    "MaxText": (maxtext, (X, CLASSES), {"mask": MASK}),
    "big_vision": (big_vision, (X, CLASSES), {}),
    "scenic": (scenic, (X, CLASSES), {"weights": MASK}),
    "tunix": (tunix, (X, CLASSES), {"mask": MASK}),
    **{
        f"`optax.{f.__name__}`": (given(f), (X, Y), {})
        for f in (optax.squared_error, optax.l2_loss, optax.huber_loss, optax.log_cosh)
    },
    "`optax.cosine_distance`": (optax.cosine_distance, (X, Y), {}),
    "`optax.softmax_cross_entropy`": (optax.softmax_cross_entropy, (X, SOFT), {}),
    "`optax.softmax_cross_entropy_with_integer_labels`": (
        optax.softmax_cross_entropy_with_integer_labels,
        (X, CLASSES),
        {},
    ),
    "`optax.sigmoid_binary_cross_entropy`": (optax.sigmoid_binary_cross_entropy, (X, SOFT), {}),
    "`optax.sigmoid_focal_loss`": (optax.sigmoid_focal_loss, (X, SOFT), {"gamma": 1.5}),
    "`optax.losses.poly_loss_cross_entropy`": (optax.losses.poly_loss_cross_entropy, (X, SOFT), {"epsilon": 1.5}),
    "`optax.hinge_loss`": (optax.hinge_loss, (X, np.sign(Y)), {}),
    "`optax.kl_divergence`": (optax.kl_divergence, (LOG_PROBS, SOFT), {}),
    "`optax.losses.triplet_margin_loss`": (optax.losses.triplet_margin_loss, (X, Y, X[::-1]), {"margin": 9.0}),
}
