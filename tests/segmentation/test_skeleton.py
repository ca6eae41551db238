"""Centerline Dice: layouts, edges, borders and masks, memory, messages."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss

from ..harness.rows import some
from . import formulas
from .test_regions import temporaries


pytestmark = pytest.mark.usefixtures("compiles_fast")
close = functools.partial(np.testing.assert_allclose, rtol=2e-6, atol=1e-6)
cldice = functools.partial(jaxloss.cldice_loss, iterations=2)
RNG = np.random.default_rng(0)
PROBS, LABELS = RNG.uniform(size=(2, 6, 7, 2)).astype(np.float32), RNG.integers(0, 2, (2, 6, 7)).astype(np.int32)
LINES = np.zeros((2, 6, 7), np.int32)
LINES[0, 1:4], LINES[1, :, 2:5] = 1, 1
EVERYWHERE = np.ones((2, 6, 7), bool)


@jax.jit
def compiled(probs, labels, mask, smooth):
    def f(probs):
        losses = cldice(probs, labels, mask=mask, smooth=smooth, reduction="none")
        return jnp.sum(losses), losses

    return jax.value_and_grad(f, has_aux=True)(probs)


def derived(probs, labels, mask=EVERYWHERE, smooth=1.0):
    """Losses and their slopes, of shapes and options that are compiled once."""
    (_, losses), slope = compiled(np.float32(probs), labels, mask, smooth)
    return losses, slope


def reference(probs, labels, mask=EVERYWHERE, **options):
    return formulas.cldice(probs.astype(float), labels, mask, **{"iterations": 2, **options})


LAYOUTS = [((2, 6, 7, 2), -1, 0, 3), ((2, 2, 5, 3, 4), 1, 0, 1), ((9, 2), -1, (), 4), ((3, 2, 6), None, (1, 0), 0)]


@pytest.mark.parametrize("shape, axis, batch_axes, iterations", some(LAYOUTS, LAYOUTS[2]))
def test_layouts(shape, axis, batch_axes, iterations):
    """Of signals, images and volumes."""
    p, y = RNG.uniform(size=(2, *shape)).astype(np.float32)
    mask = RNG.random(shape if axis is None else tuple(np.delete(shape, axis))) < 0.8
    options = {"axis": axis, "batch_axes": batch_axes, "iterations": iterations}
    found = jaxloss.cldice_loss(p, y, mask=mask, reduction="none", **options)
    close(found, formulas.cldice(p.astype(float), y.astype(float), mask, **options))


def test_right():
    right = np.eye(2, dtype=np.float32)[LINES]
    for smooth in (0.0, 1.0):
        losses, slope = derived(right, LINES, smooth=smooth)
        assert not np.any(losses) and np.all(np.isfinite(slope))
    near, nearer = (derived(np.where(right == 1, 1, scale * PROBS), LINES)[0] for scale in (1e-8, 1e-13))
    np.testing.assert_allclose(1e5 * nearer, near, rtol=1e-4)
    assert np.all(nearer > 0)


def test_nothing_labelled():
    """Nor predicted costs 0, anything predicted 1, and slopes are finite."""
    for p, wanted in ((0.0, 0.0), (1e-3, 1.0)):
        probs = np.zeros((2, 6, 7, 2), np.float32)
        probs[..., 1] = p * PROBS[..., 1]
        losses, slope = derived(probs, 0 * LABELS, smooth=0.0)
        close(losses[:, 1], wanted)
        assert np.all(np.isfinite(slope))
    losses, slope = derived(np.eye(2)[1 - LINES], LINES, smooth=0.0)
    assert np.array_equal(losses, np.ones((2, 2))) and np.all(np.isfinite(slope))  # all wrong


def test_a_gap_costs_more_than_its_pixels():
    gap = np.eye(2)[LINES]
    gap[0, :, 3] = [1, 0]
    dice = jaxloss.dice_loss(np.float32(gap), LINES, reduction="none")
    thin = LINES.copy()
    thin[0, [1, 3]] = 0
    assert derived(np.eye(2)[thin], LINES)[0][0, 1] == 0 < derived(gap, LINES)[0][0, 1]
    assert dice[0, 1] > 0


def test_padding_changes_nothing():
    """What is masked is out of the image, where nothing is; whatever it holds."""
    pads = [(0, 0), (2, 0), (0, 3), (0, 0)]
    mask = np.pad(np.ones((2, 4, 4), bool), pads[:3])
    p, y = PROBS[:, :4, :4], LABELS[:, :4, :4]
    wanted = reference(p, y, np.ones((2, 4, 4), bool))
    for junk in (0.0, 1.0, np.nan):
        padded = np.pad(p, pads, constant_values=junk), np.pad(y, pads[:3], constant_values=int(junk == 1))
        losses, slope = derived(*padded, mask)
        close(losses, wanted)
        assert not np.any(np.where(mask[..., None], 0, slope))
    holes = RNG.random((2, 6, 7)) < 0.7
    close(derived(PROBS, LABELS, holes)[0], reference(PROBS, LABELS, holes))
    losses, slope = derived(PROBS, LABELS, ~EVERYWHERE)
    assert not np.any(losses) and not np.any(slope)


def test_a_bad_pixel_spoils_its_own_regions():
    for value in (np.nan, 1.5):
        bad = PROBS.copy()
        bad[1, 5, 6, 0] = value
        losses, slope = derived(bad, LABELS)
        assert np.array_equal(np.argwhere(np.isnan(losses)), [[1, 0]])
        assert (
            np.isnan(slope[1, ..., 0]).all() and not np.isnan(slope[1, ..., 1]).any() and not np.isnan(slope[0]).any()
        )
    bad = LABELS.copy()
    bad[1, 0, 0] = 2
    losses, slope = derived(PROBS, bad)
    assert np.array_equal(np.isnan(losses), [[False] * 2, [True] * 2]) and np.isnan(slope[1]).all()
    assert np.isnan(derived(PROBS, LABELS, jnp.full((2, 6, 7), 2))[0]).all()


@pytest.mark.exhaustive
@pytest.mark.as_users_compile
def test_memory_grows_by_little_with_each_iteration():
    p = jax.ShapeDtypeStruct((2, 128, 128, 2), jnp.float32)
    y = jax.ShapeDtypeStruct((2, 128, 128), jnp.int32)
    few, many = (
        temporaries(jax.value_and_grad(functools.partial(jaxloss.cldice_loss, iterations=count)), p, y)
        for count in (2, 6)
    )
    assert many - few < 4 * 2.5 * p.size * 4


@pytest.mark.parametrize("iterations", [-1, 1.0, True])
def test_iterations_are_counted(iterations):
    with pytest.raises(
        ValueError, match=f"^cldice_loss: iterations must be an integer of at least 0, got {iterations}"
    ):
        jaxloss.cldice_loss(PROBS, LABELS, iterations=iterations)


def test_an_image_lies_on_one_device():
    says = r"cldice_loss: axis_name must not spread one region over devices, got batch_axes=\(\); keep .*: batch_axes=0"
    with pytest.raises(ValueError, match=says):
        jax.vmap(functools.partial(cldice, batch_axes=(), axis_name="data"), axis_name="data")(PROBS, LABELS)
