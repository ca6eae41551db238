"""Sharded classes, and programs without side effects. Sharded batches: see `test_contract.py`."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxloss


RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(4, 8)).astype(np.float32)
LABELS = RNG.integers(0, 8, 4).astype(np.int32)
SOFT = np.asarray(jax.nn.softmax(RNG.normal(size=(4, 8)).astype(np.float32)))
OPTIONS = {
    "plain": {},
    "all": {"class_weights": np.linspace(1, 2, 8, dtype=np.float32), "label_smoothing": 0.1, "z_loss": 0.1},
}


def grid(kind: AxisType) -> jax.sharding.Mesh:
    return jax.make_mesh((2, 2), ("data", "model"), axis_types=(kind, kind))


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
@pytest.mark.parametrize("spec", [P("data", "model"), P(None, "model"), P("data", None)], ids=str)
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("labels", [LABELS, SOFT], ids=["integers", "probabilities"])
def test_classes_over_devices(kind, spec, options, labels):
    """The value and gradient of one device, and logits that stay where they are."""
    f = jax.jit(jax.value_and_grad(lambda z, y: jaxloss.cross_entropy(z, y, **OPTIONS[options])))
    sharding = NamedSharding(grid(kind), spec)
    of_labels = sharding if labels is SOFT else NamedSharding(grid(kind), P(spec[0]))
    value, gradient = f(jax.device_put(LOGITS, sharding), jax.device_put(labels, of_labels))
    expected = f(LOGITS, labels)
    np.testing.assert_allclose(value, expected[0], rtol=1e-6)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-5, atol=1e-7)
    assert gradient.sharding.is_equivalent_to(sharding, 2)


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def test_nll_of_classes_over_devices(kind):
    log_probs = np.asarray(jax.nn.log_softmax(LOGITS))
    f = jax.jit(jax.value_and_grad(lambda x, y: jaxloss.nll_loss(x, y)))
    mesh = grid(kind)
    x = jax.device_put(log_probs, NamedSharding(mesh, P("data", "model")))
    for spec in (P("data"), P()):
        value, gradient = f(x, jax.device_put(LABELS, NamedSharding(mesh, spec)))
        expected = f(log_probs, LABELS)
        np.testing.assert_allclose(value, expected[0], rtol=1e-6)
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-6)


@pytest.mark.parametrize("labels", [LABELS, SOFT], ids=["integers", "probabilities"])
def test_checks_leave_nothing_in_a_program_that_did_not_ask(labels):
    """An effect would take the whole program off the fast dispatch, several times slower at every call."""
    jaxpr = jax.make_jaxpr(lambda z: jaxloss.cross_entropy(z, labels, mask=np.ones(4, np.int32)))(LOGITS)
    assert not jaxpr.effects


def test_checks_come_and_go():
    step = jax.jit(jaxloss.cross_entropy)
    bad = np.array([0, 9, 0, 0])
    assert np.isnan(step(LOGITS, bad))
    with pytest.raises(ValueError, match="labels must lie in"):
        jaxloss.checked(step)(LOGITS, bad)
    assert np.isnan(step(LOGITS, bad))


def test_weights_of_classes_and_rows_multiply_in_float32():
    for dtype in (jnp.int32, jnp.uint8, jnp.bfloat16, jnp.float16):
        weights = jnp.array([0.5, 1.5, 1e5, 1.003])
        total = jaxloss.cross_entropy(LOGITS, LABELS, weights, class_weights=jnp.full(8, 100, dtype), reduction="total")
        np.testing.assert_allclose(total.weight, 100 * weights.sum(), rtol=1e-6)


def test_masked_weights_leave_no_trace():
    weights, mask = jnp.array([1, jnp.nan, 1, 1]), jnp.array([True, False, True, True])
    by_class = jnp.ones(8)

    def f(weights, by_class):
        return jaxloss.cross_entropy(LOGITS, LABELS, weights, mask, class_weights=by_class)

    for slopes in jax.grad(f, argnums=(0, 1))(weights, by_class):
        assert np.all(np.isfinite(slopes))
    alone = int(np.setdiff1d(LABELS, LABELS[mask])[0]) if len(np.setdiff1d(LABELS, LABELS[mask])) else None
    assert alone == LABELS[1]
    assert np.all(np.isfinite(jax.grad(f)(jnp.ones(4), by_class.at[alone].set(jnp.nan))))
