"""The hardest losses: against sorting, with weights, masks, ties, devices."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxloss

from ..harness.problems import grid


top = jaxloss.average_top_k_loss
close = functools.partial(np.testing.assert_allclose, rtol=2e-6, atol=1e-6)
RNG = np.random.default_rng(0)
LOSSES = RNG.normal(size=(8, 25)).astype(np.float32)
WEIGHTS = RNG.uniform(0.2, 2, (8, 25)).astype(np.float32)
MASK = RNG.random((8, 25)) < 0.7
pytestmark = pytest.mark.usefixtures("compiles_fast")


def shares(losses, weights, fraction):
    """By sorting: the largest until the weight is taken, the last one in part."""
    order = np.argsort(-losses)
    before = np.cumsum(weights[order]) - weights[order]
    share = np.empty(len(losses))
    share[order] = np.clip((fraction * weights.sum() - before) / weights[order], 0, 1)
    return share


@pytest.mark.thin(3)
@pytest.mark.parametrize("fraction", [1e-6, 0.01, 0.25, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("masked", [False, True])
def test_against_sorting(fraction, masked):
    kept = MASK if masked else np.ones_like(MASK)
    for weights in (None, WEIGHTS, WEIGHTS[:, :1]):
        w = np.broadcast_to(1.0 if weights is None else weights, LOSSES.shape).astype(np.float64)
        share = np.zeros(LOSSES.shape)
        share[kept] = shares(LOSSES[kept].astype(float), w[kept], fraction)
        f = functools.partial(top, mask=MASK if masked else None, weights=weights, fraction=fraction)
        close(f(LOSSES, reduction="none"), LOSSES * w * share, atol=1e-4)  # the last share: sums less sums, of 200
        close(f(LOSSES), (LOSSES * w * share).sum() / (w * share).sum(), rtol=2e-5)
        close(f(LOSSES, reduction="total").weight, fraction * w[kept].sum(), rtol=2e-5)
        close(jax.grad(f)(LOSSES), w * share / (w * share).sum(), atol=1e-5 / max(fraction, 0.01))


def test_ends():
    assert top(LOSSES, WEIGHTS, MASK, fraction=1.0) == jaxloss.reduce(LOSSES, WEIGHTS, MASK)
    assert top(LOSSES, fraction=1e-6) == LOSSES.max()
    assert top(LOSSES, mask=False, fraction=0.5) == 0 == top(jnp.zeros(0), fraction=0.5)
    assert not np.any(jax.grad(lambda x: top(x, mask=False, fraction=0.5))(LOSSES))


def test_equals_share_alike_and_a_weight_is_copies():
    f = functools.partial(top, fraction=0.5, reduction="none")
    close(f(jnp.array([2.0, 2, 2, 0])), [4 / 3, 4 / 3, 4 / 3, 0])
    copies = np.repeat(LOSSES[0], 3)
    close(top(LOSSES[0], jnp.array(3.0), fraction=0.3), top(copies, fraction=0.3))
    twice = np.concatenate([LOSSES[0], LOSSES[0, :5]])
    close(top(LOSSES[0], np.where(np.arange(25) < 5, 2, 1), fraction=0.3), top(twice, fraction=0.3))


@pytest.mark.parametrize("scale", [1e-37, 1e37, 1e38])
def test_the_scale_of_weights_changes_nothing(scale):
    weights = np.array([1, 2, 1, 2], np.float32)
    for fraction in (0.2, 0.6):
        close(top(LOSSES[0, :4], scale * weights, fraction=fraction), top(LOSSES[0, :4], weights, fraction=fraction))


def test_what_is_infinite_or_no_number():
    x = jnp.array([1.0, -jnp.inf, 3, 2])
    assert top(x, fraction=0.5) == 2.5 and np.array_equal(jax.grad(lambda x: top(x, fraction=0.5))(x), [0, 0, 0.5, 0.5])
    assert top(x.at[0].set(jnp.inf), fraction=0.25) == jnp.inf
    for junk in (jnp.nan, -jnp.nan):
        assert np.isnan(top(x.at[1].set(junk), fraction=0.25))
        assert top(x.at[1].set(junk), mask=jnp.isfinite(x), fraction=1 / 3) == 3


@pytest.mark.exhaustive
def test_curvature_is_that_of_the_losses():
    f = lambda x: top(jnp.square(x), fraction=0.5)  # noqa: E731
    x = jnp.array([1.0, 3, -2, 0.5])
    for hessian in (jax.hessian, lambda f: jax.jacrev(jax.jacrev(f)), lambda f: jax.jacfwd(jax.jacfwd(f))):
        close(hessian(f)(x), np.diag([0.0, 1, 1, 0]))


def test_dtypes(x64):
    for dtype, wide in [(jnp.bfloat16, jnp.float32), (jnp.float16, jnp.float32), (jnp.float64, jnp.float64)]:
        x = jnp.asarray(LOSSES, dtype)
        value, slope = jax.value_and_grad(lambda x: top(x, fraction=0.25))(x)
        assert value.dtype == wide and slope.dtype == dtype
        close(value, np.sort(np.asarray(x, float).ravel())[-50:].mean(), rtol=2e-6)


def test_the_threshold_is_that_of_all_devices():
    wanted = jax.value_and_grad(lambda x: top(x, WEIGHTS, MASK, fraction=0.2))(LOSSES)
    both = ("data", "model")
    for check_vma in (True, False):
        f = functools.partial(top, fraction=0.2, axis_name=both)
        mapped = jax.shard_map(f, mesh=grid(), in_specs=(P(both),) * 3, out_specs=P(), check_vma=check_vma)
        jax.tree.map(close, jax.jit(jax.value_and_grad(mapped))(LOSSES, WEIGHTS, MASK), wanted)
    alone = jax.shard_map(lambda x: top(x, fraction=0.2)[None], mesh=grid(), in_specs=P(both), out_specs=P(both))
    close(jax.jit(alone)(LOSSES), [top(row, fraction=0.2) for row in LOSSES])
    close(
        jax.vmap(lambda x, w, m: top(x, w, m, fraction=0.2, axis_name="i"), axis_name="i")(LOSSES, WEIGHTS, MASK)[0],
        wanted[0],
    )
    for kind in (AxisType.Auto, AxisType.Explicit):
        placed = jax.device_put((LOSSES, WEIGHTS, MASK), NamedSharding(grid(kind), P(both)))
        found = jax.jit(jax.value_and_grad(lambda x, w, m: top(x, w, m, fraction=0.2)))(*placed)
        jax.tree.map(close, found, wanted)
        assert found[1].sharding.is_equivalent_to(placed[0].sharding, 2)


def test_no_sort_and_little_memory():
    x = jax.ShapeDtypeStruct((1 << 20,), jnp.float32)
    compiled = jax.jit(jax.value_and_grad(lambda x: top(x, fraction=0.1))).lower(x).compile()
    assert " sort(" not in compiled.as_text() and compiled.memory_analysis().temp_size_in_bytes < 2.1 * x.size * 4


def test_of_any_size_and_messages():
    symbolic = jax.ShapeDtypeStruct(jax.export.symbolic_shape("n"), jnp.float32)
    exported = jax.export.export(jax.jit(lambda x: top(x, fraction=0.25)))(symbolic)
    close(exported.call(LOSSES[0]), top(LOSSES[0], fraction=0.25))
    swept = jax.vmap(lambda k: top(LOSSES, fraction=k))(jnp.array([0.1, 1.0]))
    close(swept, [top(LOSSES, fraction=0.1), LOSSES.mean()])
    for fraction in (0, 1.5, -1.0):
        with pytest.raises(ValueError, match=r"^average_top_k_loss: fraction must lie in \(0, 1\], got "):
            top(LOSSES, fraction=fraction)
    assert np.isnan(jax.jit(lambda k: top(LOSSES, fraction=k))(0.0))
    with pytest.raises(TypeError, match=r"^average_top_k_loss: losses must be floating point, got int32; cast"):
        top(jnp.arange(3), fraction=0.5)
    with pytest.raises(ValueError, match=r"^average_top_k_loss: mask must be a scalar or match the per-element losses"):
        top(LOSSES, mask=MASK[:, 0], fraction=0.5)
