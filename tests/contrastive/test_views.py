"""Views that teach each other: which count, what they hold, and where devices split the batch."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, PartitionSpec as P

import jaxloss

from . import formulas


pytestmark = pytest.mark.usefixtures("compiles_fast")
RNG = np.random.default_rng(0)
Z, TEACHER = RNG.normal(size=(5, 8, 6)).astype(np.float32), RNG.normal(size=(2, 8, 6)).astype(np.float32)
MASK = np.ones((5, 8), bool)
MASK[0, 1] = MASK[:2, 2] = MASK[3:, 3] = MASK[:, 4] = False
dino = functools.partial(jaxloss.dino_loss, temperature=0.5, teacher_temperature=0.7)
dino_formula = functools.partial(formulas.dino, temperature=0.5, teacher_temperature=0.7)


@pytest.mark.parametrize("teachers", [1, 2])
def test_fewer_teacher_views(teachers):
    """Global views have one other, local ones two; the mean is that over all pairs, as in the source."""
    teacher = TEACHER[:teachers]
    terms = formulas.dino_terms(MASK, teachers).sum(1)
    expected = terms * dino_formula(Z, teacher, MASK)
    total = dino(Z, teacher, mask=MASK, reduction="total")
    np.testing.assert_allclose(dino(Z, teacher, mask=MASK, reduction="none"), expected, rtol=1e-5)
    np.testing.assert_allclose(total.weight, terms.sum())
    np.testing.assert_allclose([total.mean(), dino(Z, teacher, mask=MASK)], expected.sum() / terms.sum(), rtol=1e-5)


def test_the_mean_over_all_pairs_is_that_of_the_source():
    q = formulas.softmax(TEACHER.astype(float) / 0.7)
    log_p = np.log(formulas.softmax(Z.astype(float) / 0.5))
    pairs = [-(q[k] * log_p[v]).sum(-1).mean() for k in range(2) for v in range(5) if v != k]
    np.testing.assert_allclose(dino(Z, TEACHER), np.mean(pairs), rtol=1e-5)


def test_what_does_not_exist_leaves_no_trace():
    """Masked views, and a view without another that teaches, of which nothing is asked, whatever they hold."""
    dirty, teacher = np.where(MASK[..., None], Z, np.nan), np.where(MASK[:2, :, None], TEACHER, np.inf)
    dirty[:, 2] = np.nan  # whose teachers are all masked
    weights = np.where(formulas.dino_terms(MASK, 2).any(1), 1, np.nan).astype(np.float32)
    f = jax.value_and_grad(lambda z, w, teacher: dino(z, teacher, w, MASK), (0, 1))
    value, (slope, by_weight) = f(dirty, weights, teacher)
    clean, (clean_slope, _) = f(Z, np.ones_like(weights), TEACHER)
    np.testing.assert_allclose(value, clean, rtol=1e-6)
    np.testing.assert_allclose(slope, clean_slope, rtol=1e-6, atol=1e-9)
    assert not np.any(slope[np.isnan(weights)]) and not np.any(by_weight[np.isnan(weights)])


def test_one_view_that_is_nan_spoils_those_that_it_teaches():
    teacher = TEACHER.copy()
    teacher[1, 3, 2] = np.nan
    f = lambda z: dino(z, teacher, reduction="none")  # noqa: E731
    slope = jax.grad(lambda z: jnp.sum(f(z)))(Z)
    spoiled = np.zeros((5, 8), bool)
    spoiled[[0, 2, 3, 4], 3] = True
    np.testing.assert_array_equal(np.isnan(f(Z)), spoiled)
    np.testing.assert_array_equal(np.isnan(slope), np.broadcast_to(spoiled[..., None], slope.shape))


def test_weights_count_with_the_terms():
    weights = RNG.uniform(0.5, 2, (5, 8)).astype(np.float32)
    terms = formulas.dino_terms(MASK, 2).sum(1) * weights
    total = dino(Z, TEACHER, weights, MASK, reduction="total")
    np.testing.assert_allclose(total.weight, terms.sum(), rtol=1e-6)
    np.testing.assert_allclose(total.total, (terms * dino_formula(Z, TEACHER, MASK)).sum(), rtol=1e-5)


def test_an_offset_is_nothing():
    z, teacher = np.round(Z * 8) * 8, np.round(TEACHER * 8) * 8  # which float32 adds to 1e8 without rounding
    f = jax.value_and_grad(lambda z, teacher: jaxloss.dino_loss(z, teacher, temperature=50.0, teacher_temperature=30.0))
    value, slope = f(z + np.float32(1e8), teacher - np.float32(1e8))
    expected, expected_slope = f(z, teacher)
    np.testing.assert_array_equal(value, expected)
    np.testing.assert_array_equal(slope, expected_slope)


def test_sure_views_cost_what_is_left():
    """2.06e-9, not 0; a class that both rule out, or of which both are infinitely sure, costs nothing."""
    z = np.array([[[2.0, 0.0]]] * 2, np.float32)
    value, slope = jax.value_and_grad(lambda z: jaxloss.dino_loss(z, 100 * z))(z)
    np.testing.assert_allclose(value, np.exp(-20.0), rtol=1e-5)
    assert np.isfinite(slope).all()
    for extreme in (np.inf, -np.inf):
        z = np.array([[[extreme, 0.0, 0.0 if extreme < 0 else -1.0]]] * 2, np.float32)
        value, slope = jax.value_and_grad(jaxloss.dino_loss)(z, z)
        np.testing.assert_allclose(value, np.log(2) if extreme < 0 else 0, rtol=1e-6)
        assert np.isfinite(slope).all()
    ruled_out, told = np.array([[[-np.inf, 0.0]]] * 2, np.float32), np.zeros((2, 1, 2), np.float32)
    assert jaxloss.dino_loss(ruled_out, told) == np.inf


def test_no_slope_to_the_teacher():
    def f(teacher, center, temperature):
        return jaxloss.dino_loss(Z, teacher, center=center, teacher_temperature=temperature)

    arguments = jnp.asarray(TEACHER), jnp.ones(6), jnp.float32(0.5)
    assert not any(np.any(slope) for slope in jax.grad(f, (0, 1, 2))(*arguments))
    assert f(*arguments) != f(arguments[0], 0.1 * jnp.arange(6.0), arguments[2])


@pytest.mark.parametrize("check_vma", [True, False])
def test_the_batch_over_devices(check_vma):
    """Two of eight with nothing; the gradient inside, by what all share, and outside."""
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    split = P(None, "data")
    mask = MASK.copy()
    mask[:, :2] = False

    def loss(z, offset, teacher, mask, **names):
        return dino(z + offset, teacher, mask=mask, **names)

    def inside(*arguments):
        value, slope = jax.value_and_grad(functools.partial(loss, axis_name="data"), 1)(*arguments)
        return value, slope if check_vma else lax.pmean(slope, "data")

    mapped = functools.partial(
        jax.shard_map, mesh=mesh, in_specs=(split, P(), split, split), out_specs=P(), check_vma=check_vma
    )
    arguments = Z, np.zeros((5, 1, 6), np.float32), TEACHER, mask
    expected = jax.value_and_grad(loss, 1)(*arguments)
    outside = jax.value_and_grad(mapped(functools.partial(loss, axis_name="data")), 1)
    for found in (jax.jit(mapped(inside))(*arguments), jax.jit(outside)(*arguments)):
        for a, b in zip(found, expected):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.as_users_compile
def test_temporaries_of_many_classes():
    """10 views of which 2 are the teacher's, as in the source: pairs of views by class would be twice the logits."""
    z, teacher = (jax.ShapeDtypeStruct((views, 32, 4096), jnp.float32) for views in (10, 2))
    step = jax.jit(jax.value_and_grad(jaxloss.dino_loss)).lower(z, teacher).compile()
    assert step.memory_analysis().temp_size_in_bytes <= 2.5 * z.size * 4


def test_views_that_do_not_fit():
    z = np.zeros((3, 4, 5), np.float32)
    wanted = r"teacher_logits must be of the first views, of shape \(1 to 3, 4, 5\), got"
    for teacher in (z[:0], np.zeros((4, 4, 5)), z[:, :2], z[0], z[..., :2]):
        with pytest.raises(ValueError, match=f"dino_loss: {wanted}"):
            jaxloss.dino_loss(z, teacher)
    with pytest.raises(ValueError, match=r"dino_loss: logits must have shape \[views, batch, classes\], got \(4, 5\)"):
        jaxloss.dino_loss(z[0], z[0])
    with pytest.raises(ValueError, match=r"dino_loss: center must have shape \(5,\), got \(4,\)"):
        jaxloss.dino_loss(z, z, center=np.zeros(4))
    with pytest.raises(ValueError, match="dino_loss: temperature must lie in"):
        jaxloss.dino_loss(z, z, temperature=0)
