"""The elementary functions of the inner loops, against float64, to the second derivative."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from jaxloss._numerics import elementary


WIDE = np.concatenate([np.geomspace(1e-30, 1, 4001), np.linspace(1, 80, 4001)])
UNIT = np.concatenate([[0.0], np.geomspace(1e-30, 1, 20_001), np.linspace(0, 1, 20_001)])
BOTH = np.concatenate([-WIDE, [0.0], WIDE])

# By name: where, the function and its derivatives in float64, and the relative error that each may have.
FUNCTIONS = {
    "log1p_unit": (UNIT, [np.log1p, lambda x: 1 / (1 + x), lambda x: -1 / (1 + x) ** 2], (2e-7, 2e-7, 3e-7)),
    "sigmoid": (
        BOTH,
        [special.expit, lambda z: special.expit(z) * special.expit(-z)],
        (5e-7, 8e-7),
    ),
    "softplus": (
        BOTH,
        [lambda z: np.logaddexp(0, z), special.expit, lambda z: special.expit(z) * special.expit(-z)],
        (5e-7, 5e-7, 8e-7),
    ),
    "log_cosh": (
        BOTH,
        [
            lambda x: np.where(
                abs(x) < 1, np.log1p(np.sinh(np.minimum(abs(x), 1)) ** 2) / 2, np.logaddexp(x, -x) - np.log(2)
            ),
            np.tanh,
        ],
        (4e-7, 3e-7),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_against_float64(name, dtype):
    points, references, limits = FUNCTIONS[name]
    with jax.enable_x64(dtype == "float64"):
        f = getattr(elementary, name)
        x = jnp.asarray(points, dtype)
        for reference, limit in zip(references, limits):
            expected = reference(np.asarray(x, np.float64))
            found = np.asarray(jax.vmap(f)(x), np.float64)
            scale = np.where(abs(expected) > 1e-37, abs(expected), 1e-30)  # below, float32 has no more digits
            worst = np.max(abs(found - expected) / scale)
            # float64 has JAX's own functions, and the references cancel by as much
            assert worst < (limit if dtype == "float32" else 1e-12), (name, worst)
            f = jax.grad(f)


def test_curvature_of_the_sigmoid():
    z = jnp.asarray(BOTH, jnp.float32)
    slope = special.expit(BOTH) * special.expit(-BOTH)
    found = jax.vmap(jax.grad(jax.grad(elementary.sigmoid)))(z)
    np.testing.assert_array_less(abs(found + slope * np.tanh(BOTH / 2)), 1e-5 * slope)  # 80 rounded to float32: 4e-6


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 4.0])
def test_power(gamma):
    x = np.concatenate([[0.0], np.geomspace(1e-9, 1, 2001)])
    x32 = jnp.asarray(x, jnp.float32)
    x = np.asarray(x32, np.float64)
    log = np.log(np.where(x > 0, x, 1))
    # rounding y * log(x) to float32 leaves half of its last digit
    room = 3e-7 * (1 + abs(gamma * log))
    found = jax.vmap(elementary.power, (0, None))(x32, gamma)
    np.testing.assert_array_less(abs(found - x**gamma), room * x**gamma + 1e-37)
    inside = x > 0
    by_x = jax.vmap(jax.grad(elementary.power), (0, None))(x32, gamma)
    expected = gamma * x[inside] ** (gamma - 1)
    np.testing.assert_array_less(
        abs(by_x[inside] - expected), 3e-7 * (1 + abs((gamma - 1) * log[inside])) * expected + 1e-37
    )
    by_y = jax.vmap(jax.grad(elementary.power, 1), (0, None))(x32, gamma)
    expected = x[inside] ** gamma * log[inside]
    np.testing.assert_array_less(abs(by_y[inside] - expected), 2 * room[inside] * abs(expected) + 1e-37)
    twice = jax.vmap(jax.grad(jax.grad(elementary.power)), (0, None))(x32, gamma)
    expected = gamma * (gamma - 1) * x[inside] ** (gamma - 2)
    np.testing.assert_array_less(abs(twice[inside] - expected), 1e-5 * abs(expected) + 1e-37)


def test_zero_to_the_zero():
    assert elementary.power(jnp.zeros(()), jnp.zeros(())) == 1
    assert jax.grad(elementary.power)(jnp.zeros(()), jnp.zeros(())) == 0


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "log_cosh"])
def test_infinities_and_nan(name):
    expected = {"sigmoid": (0, 1), "softplus": (0, np.inf), "log_cosh": (np.inf, np.inf)}[name]
    x = jnp.array([-jnp.inf, jnp.inf, jnp.nan])
    np.testing.assert_array_equal(getattr(elementary, name)(x), [*expected, np.nan])


def test_one_exponential_for_a_logit_and_its_negative():
    def f(z):
        return elementary.softplus(z) * elementary.sigmoid(-z) + elementary.softplus(-z) * elementary.sigmoid(z)

    program = jax.jit(f).lower(jnp.zeros(1000)).compile().as_text()
    assert program.count(" exponential(") == 1
