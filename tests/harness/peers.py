"""How near a loss must be to a peer's, in value and in gradient."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np


def close(found, expected, **tolerance):
    np.testing.assert_allclose(found, expected, **{"rtol": 1e-5, "atol": 1e-6, **tolerance})


def alike(x, *losses, **tolerance):
    """Ours and theirs as functions of `x`: their values, and a random direction pulled back through each.

    Peers mix dtypes and ranks, which the tests else forbid.
    """

    def value_and_gradient(f):
        value, pull = jax.vjp(f, jnp.asarray(x))
        slope = np.random.default_rng(1).normal(size=value.shape)
        return value, *pull(jnp.asarray(slope, jnp.float32))

    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        ours, theirs = jax.jit(lambda: [value_and_gradient(f) for f in losses])()
    jax.tree.map(lambda ours, theirs: close(ours, theirs, **tolerance), ours, theirs)
