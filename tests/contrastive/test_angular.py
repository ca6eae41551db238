"""Angular margins where angles are hard: at 0 and pi, beyond the margin, of zero vectors; and of many classes."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxloss

from . import formulas


as_users_compile = pytest.mark.as_users_compile
pytestmark = pytest.mark.usefixtures("compiles_fast")
RNG = np.random.default_rng(0)
LOSSES = {jaxloss.arcface_loss: formulas.arcface, jaxloss.cosface_loss: formulas.cosface}
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)


def at_angles(angles):
    """Embeddings at these angles from the first of two classes, the second one at a right angle to the plane."""
    angles = np.asarray(angles, np.float64)
    plane = np.stack([np.cos(angles), np.sin(angles), 0 * angles], 1)
    return plane.astype(np.float32), np.array([[1, 0], [0, 0], [0, 1]], np.float32), np.zeros(len(angles), np.int32)


def aim(angle, margin):
    return np.where(angle <= np.pi - margin, np.cos(angle + margin), np.cos(angle) - margin * np.sin(margin))


def slope_of_aim(angle, margin):
    return np.where(angle <= np.pi - margin, -np.sin(angle + margin), -np.sin(angle))


@as_users_compile
def test_small_angles_and_those_near_pi():
    """By the cosine alone an angle of 1e-4 would be 0 or 3e-4, and its slope anything."""
    near = np.array([1e-5, 1e-4, 1e-3, 1e-2])
    angles = np.concatenate([near, np.pi - near])
    x, kernel, labels = at_angles(angles)
    f = lambda x: jnp.sum(losses(x))  # noqa: E731
    losses = functools.partial(
        jaxloss.arcface_loss, kernel=kernel, labels=labels, margin=0.5, scale=1.0, reduction="none"
    )
    target = aim(angles, 0.5)
    np.testing.assert_allclose(losses(x), formulas.softplus(-target), rtol=3e-7)
    slope = -slope_of_aim(angles, 0.5) / (1 + np.exp(target))  # by the angle: along the tangent
    tangent = np.stack([-np.sin(angles), np.cos(angles)], 1)
    found = np.asarray(jax.grad(f)(x), np.float64)[:, :2]
    np.testing.assert_allclose((found * tangent).sum(1), slope, rtol=1e-4, atol=1e-6)


def test_the_target_keeps_falling_beyond_pi_less_the_margin():
    angles = np.linspace(0, np.pi, 200)
    x, kernel, labels = at_angles(angles)
    losses = jaxloss.arcface_loss(x, kernel, labels, margin=0.7, scale=1.0, reduction="none")
    np.testing.assert_allclose(losses, formulas.softplus(-aim(angles, 0.7)), rtol=1e-5)
    assert np.all(np.diff(losses) > -1e-6)


@each_loss
def test_vectors_that_are_the_same_opposite_or_zero(loss):
    """Of any length: the derivatives of first and second order are finite, and no slope is of rounding."""
    v = RNG.normal(size=(4, 5)).astype(np.float32)
    sizes = [1, -1, 1e-25, 1e25, 0]
    direction = RNG.normal(size=v.shape).astype(np.float32)

    def f(x, kernel):
        losses = loss(x, kernel, np.arange(4), margin=0.3, scale=4.0, reduction="none")
        return jnp.sum(losses), losses

    @jax.jit
    @jax.vmap
    def derivatives(x):
        slopes = jax.grad(f, (0, 1), has_aux=True)
        inner = lambda *x: sum(jnp.vdot(direction, slope) for slope in (slopes(*x)[0][0], slopes(*x)[0][1].T))  # noqa: E731
        curved = jax.jvp(lambda *x: slopes(*x)[0], (x, v.T), (0 * x + direction, direction.T))[1]
        return *slopes(x, v.T), curved, jax.grad(inner, (0, 1))(x, v.T)

    xs = np.stack([np.float32(size) * v for size in sizes])
    slopes, losses, *curved = derivatives(xs)
    assert all(np.isfinite(part).all() for part in jax.tree.leaves(slopes))
    # The curvature at 1e-25 is more than float32 holds.
    assert all(np.isfinite(np.delete(part, 2, 0)).all() for part in jax.tree.leaves(curved))
    by_x = np.asarray(slopes[0], np.float64)
    np.testing.assert_array_equal(by_x[4], 0)
    for place in (2, 3):
        np.testing.assert_allclose(losses[place], losses[0], rtol=1e-5)
        np.testing.assert_allclose(by_x[place] * sizes[place], by_x[0], rtol=1e-4, atol=1e-5)


def test_sure_by_far():
    """The own class is in no sum with the others: what is sure by 100 costs exp(-100), and has that slope."""
    x, kernel = np.array([[1, 0]], np.float32), np.array([[1, -1], [0, 0]], np.float32)
    f = lambda scale: jaxloss.cosface_loss(x, kernel, np.array([0]), margin=0.0, scale=scale)  # noqa: E731
    value, slope = jax.value_and_grad(f)(20.0)
    np.testing.assert_allclose(value, np.exp(-40.0), rtol=1e-5)
    np.testing.assert_allclose(slope, -2 * np.exp(-40.0), rtol=1e-5)


@each_loss
def test_the_nearest_center_counts(loss):
    """The others get no slope; classes with one center twice are those with one."""
    x, labels = RNG.normal(size=(4, 5)).astype(np.float32), RNG.integers(0, 6, 4)
    kernel = RNG.normal(size=(5, 6, 3)).astype(np.float32)
    f = jax.jit(functools.partial(loss, x, labels=labels, scale=4.0))
    np.testing.assert_allclose(
        f(kernel), LOSSES[loss](x.astype(float), labels, kernel.astype(float), scale=4.0).mean(), rtol=1e-5
    )
    slope = np.asarray(jax.jit(jax.grad(f))(kernel))
    cosines = np.einsum("bf,fcn->bcn", formulas.units(x), np.moveaxis(formulas.units(np.moveaxis(kernel, 0, 2)), 2, 0))
    used = (cosines == cosines.max(2, keepdims=True)).any(0)
    assert not used.all()
    np.testing.assert_array_equal((slope != 0).any(0), used)
    one = kernel[..., :1]
    for kernel in (one, np.concatenate([one, one], 2)):
        np.testing.assert_allclose(f(kernel), f(one[..., 0]), rtol=1e-6)


@each_loss
def test_a_label_that_does_not_fit_spoils_its_row_and_the_kernel(loss):
    x, kernel = RNG.normal(size=(4, 5)).astype(np.float32), RNG.normal(size=(5, 6)).astype(np.float32)

    @jax.jit
    def slopes(labels, mask):
        f = lambda *x: loss(*x, labels, mask=mask, reduction="sum")  # noqa: E731
        return jax.grad(f, (0, 1))(x, kernel)

    for bad in (6, -1):
        labels = np.array([0, bad, 5, 3])
        by_x, by_kernel = slopes(labels, np.ones(4, bool))
        np.testing.assert_array_equal(np.isnan(by_x), (np.arange(4) == 1)[:, None] & np.ones(5, bool))
        assert np.isnan(by_kernel).all()
        masked, without = slopes(labels, labels != bad), slopes(np.where(labels == bad, 0, labels), labels != bad)
        jax.tree.map(np.testing.assert_array_equal, masked, without)
        assert not np.any(masked[0][1]) and np.all(np.isfinite(masked[1]))


@as_users_compile
@pytest.mark.parametrize("centers", [1, 2, 3])
def test_a_class_that_is_nan_spoils_all_rows(centers):
    kernel = RNG.normal(size=(5, 6, centers)).astype(np.float32)
    kernel[2, 3, 0] = np.nan
    x = RNG.normal(size=(64, 5)).astype(np.float32)
    losses = jax.jit(functools.partial(jaxloss.cosface_loss, reduction="none"))(x, kernel, np.arange(64) % 6)
    assert np.isnan(losses).all()


@each_loss
def test_blocks_of_rows(loss):
    """A batch that takes several, by shape and by axis, with rows masked: the numbers of the formula."""
    x = RNG.normal(size=(3, 500, 4)).astype(np.float32)
    kernel, labels = RNG.normal(size=(4, 1500)).astype(np.float32), RNG.integers(0, 1500, (3, 500))
    mask = RNG.random((3, 500)) < 0.7
    f = lambda x, kernel: loss(np.where(mask[..., None], x, np.nan), kernel, labels, mask=mask, scale=8.0)  # noqa: E731
    losses = jax.jit(loss, static_argnames="reduction")(x, kernel, labels, mask=mask, scale=8.0, reduction="none")
    expected = np.where(mask, LOSSES[loss](x.astype(float), labels, kernel.astype(float), scale=8.0), 0)
    np.testing.assert_allclose(losses, expected, rtol=2e-5, atol=1e-5)
    np.testing.assert_allclose(f(x, kernel), expected.sum() / mask.sum(), rtol=1e-5)


@as_users_compile
@each_loss
def test_temporaries_of_many_classes(loss):
    """The cosines of 8192 rows with 32768 classes are 1024 MiB."""
    shapes = [
        jax.ShapeDtypeStruct(shape, kind)
        for shape, kind in (((8192, 64), jnp.float32), ((64, 32768), jnp.float32), ((8192,), jnp.int32))
    ]
    step = jax.jit(jax.value_and_grad(loss, (0, 1)))
    assert step.lower(*shapes).compile().memory_analysis().temp_size_in_bytes <= 64 * 2**20


@pytest.mark.parametrize("check_vma", [True, False])
@pytest.mark.parametrize("data", [False, True])
def test_classes_over_devices_in_blocks(check_vma, data):
    """Several blocks of rows, labels in all slices, with and without rows of its own for each device of "data"."""
    mesh = jax.make_mesh((2, 4), ("data", "model"), axis_types=(AxisType.Auto,) * 2)
    x, labels = RNG.normal(size=(1024, 4)).astype(np.float32), RNG.integers(0, 8192, 1024)
    kernel = RNG.normal(size=(4, 8192)).astype(np.float32)
    names = {"axis_name": "data"} if data else {}
    rows = P("data") if data else P()

    def f(x, kernel, labels, **names):
        return jax.value_and_grad(lambda *x: jaxloss.arcface_loss(*x, labels, scale=8.0, **names), (0, 1))(x, kernel)

    def step(x, kernel, labels):
        value, (by_x, by_kernel) = f(x, kernel, labels, class_axis_name="model", **names)
        if data and not check_vma:
            by_x, by_kernel = by_x / 2, jax.lax.pmean(by_kernel, "data")
        return value, (by_x, by_kernel)

    split = P(None, "model")
    mapped = jax.jit(
        jax.shard_map(
            step, mesh=mesh, in_specs=(rows, split, rows), out_specs=(P(), (rows, split)), check_vma=check_vma
        )
    )
    found, expected = mapped(x, kernel, labels), f(x, kernel, labels)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * np.abs(b).max())


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_a_kernel_split_by_classes_under_jit(kind):
    """Nothing to name there; the gradient stays where the kernel is."""
    mesh = jax.make_mesh((2, 4), ("data", "model"), axis_types=(kind, kind))
    arrays = RNG.normal(size=(8, 4)).astype(np.float32), RNG.normal(size=(4, 16)).astype(np.float32)
    arrays = *arrays, RNG.integers(0, 16, 8)
    specs = P("data"), P(None, "model"), P("data")
    placed = [jax.device_put(x, NamedSharding(mesh, spec)) for x, spec in zip(arrays, specs)]
    step = jax.jit(jax.value_and_grad(functools.partial(jaxloss.arcface_loss, scale=4.0), (0, 1)))
    found, expected = step(*placed), step(*arrays)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)
    if kind == AxisType.Explicit:
        assert found[1][1].sharding.spec == specs[1]


def test_kernels_that_do_not_fit():
    x, labels = np.zeros((2, 3), np.float32), np.zeros(2, int)
    for kernel, says in [
        (np.zeros((4, 3)), r"\(3, classes\) or \(3, classes, centers\), got \(4, 3\); transposed it fits: kernel.T\n"),
        (np.zeros(3), r"\(3, classes\) or \(3, classes, centers\), got \(3,\)\n"),
        (np.zeros((3, 0)), r"\(3, classes\) or \(3, classes, centers\), got \(3, 0\)\n"),
    ]:
        with pytest.raises(ValueError, match=f"arcface_loss: kernel must have shape {says}"):
            jaxloss.arcface_loss(x, kernel, labels)
    with pytest.raises(ValueError, match="cosface_loss: embeddings must have an axis of features"):
        jaxloss.cosface_loss(np.float32(0), np.zeros((3, 2)), np.array(0))
    with pytest.raises(TypeError, match="arcface_loss: kernel must be floating point, got int32"):
        jaxloss.arcface_loss(x, np.zeros((3, 2), np.int32), labels)
    with pytest.raises(TypeError, match=r"arcface_loss: labels must be integers of shape \(2,\), got float32"):
        jaxloss.arcface_loss(x, np.zeros((3, 2)), np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="cosface_loss: class_axis_name must be an axis of a surrounding shard_map"):
        jaxloss.cosface_loss(x, np.zeros((3, 2)), labels, class_axis_name="model")
