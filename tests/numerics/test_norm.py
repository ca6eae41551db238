"""Lengths of vectors of every size, in the forms of all platforms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxloss._numerics import norm

from ..harness.platforms import forms_for


SIZES = [3e-35, 1e-30, 1e-20, 1e-12, 1e-6, 1, 1e6, 1e12, 1e18, 1e19, 1e25, 1e30, 1e37]
VECTORS = [[size * x for x in (3, -4, 0, 1e-3)] for size in SIZES] + [
    [0.0] * 4,
    [1e25, 1, 1e-25, -1e25],
    [1e-9, 1, 0, 0],
]
VECTORS = np.array(VECTORS, np.float32)


@pytest.fixture(params=["cpu", "tpu"], autouse=True)
def _platform(request):
    with forms_for(request.param):
        yield


def length(x):
    return jnp.squeeze(norm.euclidean(x, (1,)), 1)


def test_lengths_and_directions():
    exact = VECTORS.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1)
    np.testing.assert_allclose(jax.jit(length)(VECTORS), lengths, rtol=3e-7)
    directions = exact / np.where(lengths, lengths, 1)[:, None]
    for derive in (jax.jacrev, jax.jacfwd):
        slopes = jax.jit(derive(lambda x: jnp.sum(length(x))))(VECTORS)
        np.testing.assert_allclose(slopes, directions, rtol=1e-6, atol=1e-30)


def test_curvature():
    """That of a length is (1 - x x' / |x|^2) / |x|: by hand, along a direction of its own size."""
    x = VECTORS[2:11]
    exact, v = x.astype(np.float64), np.roll(x, 1, 1)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    unit = exact / lengths
    wide = v.astype(np.float64)
    expected = (wide - unit * np.sum(unit * wide, 1, keepdims=True)) / lengths
    found = jax.jit(lambda x: jax.jvp(jax.grad(lambda x: jnp.sum(length(x))), (x,), (v,))[1])(x)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_infinity_and_nan():
    x = jnp.array([[np.inf, 1], [-np.inf, 1e9], [np.nan, 1], [3, 4]], jnp.float32)
    np.testing.assert_array_equal(jax.jit(length)(x), [np.inf, np.inf, np.nan, 5])
    slopes = jax.jit(jax.grad(lambda x: jnp.sum(length(x))))(x)
    np.testing.assert_allclose(slopes[:2], [[1, 0], [-1, 0]], atol=1e-6)
    assert np.all(np.isnan(slopes[2])) and not np.any(np.isnan(slopes[3]))
