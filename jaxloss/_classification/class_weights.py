"""Weights of classes, by how many examples each has."""

from __future__ import annotations

from typing import Annotated

import jax.numpy as jnp

from .._contract import inputs
from .._contract.arrays import array, widened
from .._contract.jit import jit
from .._contract.messages import message
from .._contract.shapes import as_number
from .._contract.types import Array, ArrayLike, Number


@jit
def class_balanced_weights(counts: ArrayLike, *, beta: Annotated[ArrayLike, Number("[0, 1)")] = 0.999) -> Array:
    r"""Class weights by the effective number of examples.

    .. math::
      w_c \propto \frac{1 - \beta}{1 - \beta^{n_c}}

    normalised to sum to the number of classes. At ``beta=0`` all weigh 1; near 1 they go like :math:`1 / n_c`. A class
    without an example gets 0. For the ``class_weights`` of `cross_entropy` and its kin.

    Args:
      counts: the number of examples of each class, ``[classes]``, numbers of at least 0.
      beta: in [0, 1), nearer to 1 the more each example tells that is new.

    Returns:
      The weights, ``[classes]``, float32 or wider.

    Raises:
      ValueError: if ``counts`` isn't a vector.

    Source: Cui et al., *Class-balanced loss based on effective number of samples* (2019), arXiv:1901.05555.

    Example:
      >>> jaxloss.class_balanced_weights(jnp.array([1000, 100, 10]))
      Array([0.04216039, 0.28000015, 2.6778393 ], dtype=float32)
    """
    counts = array("counts", counts)
    if counts.ndim != 1:
        raise ValueError(message(f"counts must have shape (classes,), got {counts.shape}"))
    counts = inputs.valid("counts", counts.astype(widened(counts)), "[0, inf)")
    powers = jnp.where(counts == 0, 1, counts)
    few = jnp.asarray(beta) < 0.5
    low, high = jnp.where(few, beta, 0.5), jnp.where(few, 0.5, beta)
    missing = jnp.where(few, 1 - low**powers, -jnp.expm1(powers * jnp.log1p(high - 1)))
    raw = jnp.where(counts == 0, 0, 1 / missing)
    total = jnp.sum(raw)
    return raw * (as_number(counts.shape[0], raw.dtype) / jnp.where(total == 0, 1, total))
