"""Losses and gradients of a call, and how near they must be."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest


F32, BF16, F16 = jnp.float32, jnp.bfloat16, jnp.float16
dtypes = pytest.mark.parametrize("dtype", [F32, BF16, F16], ids=lambda dtype: dtype.__name__)
close = functools.partial(np.testing.assert_allclose, rtol=1e-5)


def each(loss, *arguments, **options):
    """Per-element losses, and the gradient of their sum with respect to the first argument in both modes."""

    @jax.jit
    def all_(*arguments):
        total = lambda *x: jnp.sum(loss(*x, **options, reduction="none"))  # noqa: E731
        slopes = (derive(total)(*arguments) for derive in (jax.grad, jax.jacfwd))
        return loss(*arguments, **options, reduction="none"), *slopes

    losses, reverse, forward = all_(*arguments)
    rounding = 1e-5 if reverse.dtype == F32 else 1e-2  # each mode rounds to half precision by itself
    tiny = 1e-35  # factors of what is smaller have lost digits, in one mode others than in the other
    np.testing.assert_allclose(reverse.astype(F32), forward.astype(F32), rtol=rounding, atol=tiny)
    return np.asarray(losses), np.asarray(reverse.astype(F32))


def temporaries(f, *arguments) -> int:
    return jax.jit(f).lower(*arguments).compile().memory_analysis().temp_size_in_bytes


def extreme(loss, prediction, label, value, slope, **options):
    """A prediction and a label with the loss and its derivative in float64."""
    text = " ".join(f"{key}={option}" for key, option in options.items())
    return pytest.param(
        functools.partial(loss, **options),
        prediction,
        label,
        value,
        slope,
        id=f"{loss.__name__}-{prediction:g}-{label:g}-{text}",
    )


def slope64(f, x: float, step: float) -> float:
    return (f(x + step) - f(x - step)) / (2 * step)
