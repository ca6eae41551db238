"""Likeness of images: layouts, edges, numbers, masks, memory, messages."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec as P

import jaxloss

from ..harness.problems import grid
from ..harness.rows import some
from . import formulas
from .test_regions import temporaries


pytestmark = pytest.mark.usefixtures("compiles_fast")
close = functools.partial(np.testing.assert_allclose, rtol=2e-6, atol=1e-6)
ssim = functools.partial(jaxloss.ssim_loss, window_size=3)
EVERYWHERE = np.ones((2, 6, 6), bool)


@jax.jit
def compiled(x, y, mask, numbers):
    def f(x, y):
        losses = ssim(x, y, mask=mask, reduction="none", **numbers)
        return jnp.sum(losses), losses

    (_, losses), slopes = jax.value_and_grad(f, (0, 1), has_aux=True)(x, y)
    return losses, *slopes


def derived(x, y, mask=EVERYWHERE, data_range=1.0, k1=0.01, k2=0.03):
    """Losses and both slopes, of shapes and options that are compiled once."""
    return compiled(np.float32(x), np.float32(y), mask, {"data_range": data_range, "k1": k1, "k2": k2})


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).uniform(size=(2, *shape)).astype(np.float32)


def reference(x, y, mask=None, axis=-1, window_size=3, **options):
    x, y = (part.astype(float) for part in (x, y))
    pixels = x.shape if axis is None else np.delete(x.shape, axis)
    mask = np.ones(pixels, bool) if mask is None else mask
    return formulas.ssim(x, y, mask, axis=axis, window_size=window_size, **options)


# --- layouts -------------------------------------------------------------------------------------------------------

LAYOUTS = [
    ((2, 12, 13, 3), -1, 0, 11),
    ((2, 3, 5, 4), 1, 0, 4),
    ((2, 3, 4, 5, 2), -1, 0, 3),
    ((2, 3, 4, 5, 2), 4, (1, 0), 3),
    ((4, 5, 2), -1, (), 3),
    ((5, 3), None, 1, 2),
    ((4, 5), None, (), 1),
    ((1, 600), None, 0, 11),
]


@pytest.mark.parametrize("shape, axis, batch_axes, size", some(LAYOUTS, LAYOUTS[1], LAYOUTS[-1]))
def test_layouts(shape, axis, batch_axes, size):
    """Of signals, images and volumes; and longer than the blocks in which they are filtered."""
    x, y = drawn(*shape)
    options = {"axis": axis, "batch_axes": batch_axes, "window_size": size}
    close(jaxloss.ssim_loss(x, y, reduction="none", **options), reference(x, y, **options))


SPLIT = [P("data", "model"), P(None, ("data", "model")), P(None, None, "data", "model")]


@pytest.mark.exhaustive
@pytest.mark.parametrize("spec", SPLIT)
def test_images_split_along_their_axes(spec):
    x, y = drawn(4, 8, 8, 2)
    f = jax.jit(jax.value_and_grad(ssim))
    places = [NamedSharding(grid(), spec)] * 2
    jax.tree.map(close, f(*jax.device_put((x, y), tuple(places))), f(x, y))


# --- numbers -------------------------------------------------------------------------------------------------------


def test_equal_images():
    x = drawn(2, 6, 6, 2)[0]
    for image in (x, 0 * x, 0 * x + 1, 1e30 * x):
        for k in (0.01, 0.0):
            assert not any(np.any(part) for part in derived(image, image, k1=k, k2=k))


def test_nearly_equal_images():
    """A loss of 1e-10 keeps its digits, and so do its slopes."""
    x, y = drawn(2, 6, 6, 2)
    y = np.float32(x + 1e-5 * y)
    losses, slope, _ = derived(x, y)
    wanted = reference(x, y)
    assert wanted.max() < 1e-9
    np.testing.assert_allclose(losses, wanted, rtol=1e-4)
    step = 1e-5 * np.random.default_rng(1).normal(size=x.shape)
    change = (reference(x + step, y) - reference(x - step, y)) / 2
    np.testing.assert_allclose((slope * step).sum((1, 2)), change, rtol=1e-3)


def test_a_common_offset_takes_no_digits():
    """As in computed tomography; under a mask that of the pixels that exist."""
    x, y = 999 + 2 * drawn(2, 6, 6, 2)
    left = EVERYWHERE & (np.arange(6) < 4)
    for mask, hidden in ((EVERYWHERE, 0), (left, np.nan)):
        given = (np.where(mask[..., None], part, hidden) for part in (x, y))
        wanted = reference(x, y, mask, data_range=2.0)
        np.testing.assert_allclose(derived(*given, mask, data_range=2.0)[0], wanted, rtol=3e-6)
        assert wanted.min() > 0.1


@pytest.mark.parametrize("scale", [3e38, 1e30, 1e-30])
def test_images_of_any_scale(scale):
    x, y = drawn(2, 6, 6, 2)
    losses, slope, _ = derived(scale * x, scale * y, data_range=scale)
    close(losses, reference(x, y))
    if scale < 1e38:  # else it is smaller than what has all its digits
        close(scale * slope, derived(x, y)[1])
    assert np.isfinite(derived(scale * x, y)[0]).all()


def test_opposite_images():
    """Without constants brightness and structure are as wrong as can be, which together is right."""
    x = drawn(2, 6, 6, 2)[0]
    for scale, k in ((1, 0.0), (1000, 0.01)):
        losses = derived(scale * x, -scale * x, k1=k, k2=k)[0]
        assert np.all(losses >= 0) and np.all(losses < 1e-5)


def test_windows_of_one_pixel():
    """Have no structure, only brightness; and where the deviation is small, all windows are."""
    x, y = drawn(1, 4, 4, 1)
    wanted = 1 - (2 * x * y + 1e-4) / (x**2 + y**2 + 1e-4)
    close(ssim(x, y, sigma=1e-3), wanted[:, 1:-1, 1:-1].mean())
    close(ssim(x, y, window_size=1), wanted.mean())
    assert np.isfinite(ssim(x, y, window_size=2, sigma=1e-3))


# --- masks ---------------------------------------------------------------------------------------------------------


def test_padding_changes_nothing():
    """Nor does what it holds."""
    x, y = drawn(2, 5, 4, 2)
    pads = [(0, 0), (0, 1), (2, 0), (0, 0)]
    mask = np.pad(np.ones((2, 5, 4), bool), pads[:3])
    for junk in (0.0, np.nan, 1e30):
        losses, *slopes = derived(*(np.pad(part, pads, constant_values=junk) for part in (x, y)), mask)
        close(losses, reference(x, y))
        for slope in slopes:
            assert np.all(slope[:, :5, 2:]) and not np.any(slope[:, 5:]) and not np.any(slope[:, :, :2])


def test_windows_that_are_whole():
    x, y = drawn(2, 6, 6, 2)
    mask = np.random.default_rng(1).random((2, 6, 6)) < 0.8
    mask[1] = np.arange(6) % 3 < 2  # no window
    close(derived(x, y, mask)[0], reference(x, y, mask))
    total = ssim(x, y, mask=mask, reduction="total")
    close(total.weight, formulas.has_window(y, mask, window_size=3).sum())
    assert total.weight == 2


@pytest.mark.exhaustive
@pytest.mark.parametrize("shape", [(2, 1, 1), (1, 6, 5), (2, 6, 1)])
def test_masks_axis_by_axis(shape):
    x, y = drawn(2, 6, 5, 2)
    mask = np.random.default_rng(1).random(shape) < 0.8
    wanted = reference(x, y, np.broadcast_to(mask, (2, 6, 5)))
    close(ssim(x, y, mask=mask, reduction="none"), wanted)


def test_a_bad_pixel_spoils_its_own_image_and_channel():
    x, y = drawn(2, 6, 6, 2)
    for value in (np.nan, np.inf):
        for given in (0, 1):
            bad = [x.copy(), y.copy()]
            bad[given][1, 5, 5, 0] = value
            losses, *slopes = derived(*bad)
            assert np.array_equal(np.argwhere(np.isnan(losses)), [[1, 0]])
            for slope in slopes:
                assert np.isnan(slope[1, ..., 0]).all() and not np.isnan(slope[1, ..., 1]).any()
                assert not np.isnan(slope[0]).any()
    lonely = np.zeros((2, 6, 6), bool)
    lonely[1, 0, 0] = True  # in no window
    losses = derived(np.where(lonely[..., None], np.nan, x), y, lonely)[0]
    assert np.isnan(losses[1]).all() and not np.any(losses[0])
    assert np.isnan(derived(x, y, jnp.full((2, 6, 6), 2))[0]).all()


# --- memory, messages ----------------------------------------------------------------------------------------------


@pytest.mark.exhaustive
@pytest.mark.as_users_compile
def test_memory():
    x = jax.ShapeDtypeStruct((2, 128, 128, 3), jnp.float32)
    assert temporaries(jaxloss.ssim_loss, x, x) < 8 * x.size * 4
    assert temporaries(jax.value_and_grad(jaxloss.ssim_loss), x, x) < 12 * x.size * 4


X = np.zeros((2, 5, 6, 3), np.float32)
MESSAGES = [
    (
        dict(window_size=6),
        "window_size must fit into an image, of shape (5, 6), got 6; an image is what axis=3 and batch_axes=0 leave of "
        "shape (2, 5, 6, 3)",
    ),
    (dict(window_size=0), "window_size must be an integer of at least 1, got 0"),
    (dict(window_size=3.0), "window_size must be an integer of at least 1, got 3.0"),
    (dict(window_size=True), "window_size must be an integer of at least 1, got True"),
    (
        dict(batch_axes=(0, 1, 2)),
        "window_size must fit into an image, of shape (), got 3; an image is what axis=3 and batch_axes=(0, 1, 2) "
        "leave of shape (2, 5, 6, 3)",
    ),
    (dict(batch_axes=3), "batch_axes must not hold the channel axis, got 3 with axis=3"),
    (
        dict(axis=(1, 2)),
        "axis must be one integer, got (1, 2); reshape predictions so that the channels lie on one axis",
    ),
    (
        dict(weights=np.ones((2, 5, 6))),
        "weights must be a scalar or match the images, of shape (2, 3), axis by axis (each dimension equal or 1), got "
        "shape (2, 5, 6); weights say how much each image counts: to leave pixels out pass mask",
    ),
    (dict(labels=X[0]), "labels must have the shape of predictions, (2, 5, 6, 3), got (5, 6, 3)"),
]


@pytest.mark.parametrize("change, says", MESSAGES)
def test_messages(change, says):
    with pytest.raises((ValueError, TypeError)) as error:
        ssim(**{"predictions": X, "labels": X, **change})
    assert str(error.value) == f"ssim_loss: {says}"


def test_an_image_lies_on_one_device():
    says = r"ssim_loss: axis_name must not spread one image over devices, got batch_axes=\(\); keep .*: batch_axes=0"
    with pytest.raises(ValueError, match=says):
        jax.vmap(functools.partial(ssim, batch_axes=(), axis_name="data"), axis_name="data")(X, X)
