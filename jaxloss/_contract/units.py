"""Powers of two as units: products with them are exact, and sums in them stay in range."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax

from .types import Array


def inverse_power(size: Any) -> float:
    """A power of two in which the sum of so many stays in range."""
    return 0.5 ** (size.bit_length() if isinstance(size, int) else 31)


def power_of_two(x: Array) -> Array:
    """The one nearest to `x`, by which products and quotients are exact; 1 for what has none."""
    info = jnp.finfo(x.dtype)
    power = lax.reduce_precision(lax.stop_gradient(x), info.nexp, 0)
    power = jnp.where((power > 0) & ~jnp.isnan(power), power, 1)
    return jnp.clip(power, 4 * info.tiny, 1 / (4 * info.tiny))  # whose reciprocal is one too
