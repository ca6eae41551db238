"""Lovász losses: layouts, corners, edges, numbers, memory, messages."""

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
softmax, hinge = jaxloss.lovasz_softmax_loss, jaxloss.lovasz_hinge_loss
RNG = np.random.default_rng(0)
PROBS, LABELS = RNG.uniform(size=(2, 9, 3)).astype(np.float32), RNG.integers(0, 2, (2, 9)).astype(np.int32)
SCORES, SIGNS = 2 * RNG.normal(size=(3, 8)).astype(np.float32), RNG.choice([-1, 1], (3, 8)).astype(np.int32)
EVERYWHERE, ALL = np.ones((2, 9), bool), np.ones((3, 8), bool)


def both(loss):
    """Losses and their slopes, of shapes that are compiled once."""

    def f(x, labels, mask):
        losses = loss(x, labels, mask=mask, reduction="none")
        return jnp.sum(losses), losses

    return jax.jit(jax.value_and_grad(f, has_aux=True))


of_probs = both(functools.partial(softmax, only_present=False))
of_scores = both(hinge)


def derived(probs, labels, mask=EVERYWHERE):
    (_, losses), slope = of_probs(probs, labels, mask)
    return losses, slope


def hinged(scores, signs, mask=ALL):
    (_, losses), slope = of_scores(scores, signs, mask)
    return losses, slope


# --- layouts -------------------------------------------------------------------------------------------------------

LAYOUTS = [((5, 3, 4, 6), -1, 0), ((5, 6, 3, 4), 1, 0), ((3, 5, 4, 6), 0, (3, 1)), ((5, 6), -1, ()), ((5, 6), 1, 0)]


@pytest.mark.parametrize("shape, axis, batch_axes", some(LAYOUTS, LAYOUTS[2]))
def test_layouts(shape, axis, batch_axes):
    p, rng = np.random.default_rng(1).uniform(size=shape).astype(np.float32), np.random.default_rng(2)
    y, mask = (rng.random(tuple(np.delete(shape, axis))) < share for share in (0.5, 0.8))
    options = {"axis": axis, "batch_axes": batch_axes, "only_present": False}
    found = softmax(p, y.astype(np.uint8), mask=mask, reduction="none", **options)
    close(found, formulas.lovasz_softmax(p.astype(float), y.astype(int), mask, **options))


@pytest.mark.parametrize("batch_axes", [(0, -1), pytest.param((), marks=pytest.mark.exhaustive)])
def test_layouts_of_scores(batch_axes):
    s, y = RNG.normal(size=(2, 4, 3)).astype(np.float32), RNG.random((2, 4, 3)) < 0.5
    wanted = formulas.lovasz_hinge(s.astype(float), 2 * y - 1, np.ones(s.shape, bool), batch_axes)
    close(hinge(s, y, batch_axes=batch_axes, reduction="none"), wanted)


# --- corners and edges ---------------------------------------------------------------------------------------------


def test_of_hard_predictions_it_is_the_jaccard_loss():
    hard = np.float32(RNG.integers(0, 2, PROBS.shape))
    losses = derived(hard, LABELS)[0]
    close(losses, jaxloss.jaccard_loss(hard, LABELS, smooth=0.0, reduction="none"))
    close(losses[:, 2], 1)  # of a class that no pixel has
    right = (hard[0, :, 0] == 1) == (LABELS[0] == 0)
    scores, labels = np.where(right, 1, 0)[None], np.where(LABELS[0] == 0, 1, -1)[None]
    close(hinge(np.float32(scores * labels), labels), losses[0, 0])


def test_by_its_definition():
    """The mean of the Jaccard loss over all thresholds of the errors."""
    thresholds = (np.arange(100_000) + 0.5) / 100_000
    y = LABELS[0] == 1
    wrong = np.abs(y - PROBS[0, :, 1].astype(float))[None] > thresholds[:, None]
    jaccard = 1 - (y & ~wrong).sum(1) / (y | wrong).sum(1)
    close(derived(PROBS, LABELS)[0][0, 1], jaccard.mean(), rtol=1e-4)


def test_a_class_that_is_absent_costs_its_largest_probability():
    losses, slope = derived(PROBS, LABELS)
    close(losses[:, 2], PROBS[..., 2].max(1))
    assert np.array_equal(slope[..., 2], PROBS[..., 2] == PROBS[..., 2].max(1, keepdims=True))
    close(softmax(PROBS, LABELS), losses[:, :2].mean())


def test_right():
    losses, slope = derived(np.eye(3, dtype=np.float32)[LABELS], LABELS)
    assert not np.any(losses) and np.all(np.isfinite(slope))
    losses, slope = hinged(np.float32(2 * SIGNS), SIGNS)
    assert not np.any(losses) and not np.any(slope)


def test_pixels_of_equal_errors_come_in_any_order():
    probs = np.round(4 * PROBS) / 4
    order = RNG.permutation(9)
    close(derived(probs, LABELS)[0], derived(probs[:, order], LABELS[:, order])[0])


def test_infinite_scores():
    """What is surely right costs nothing, what is surely wrong all; neither is NaN."""
    sure = SCORES.copy()
    sure[0, 3], sure[1, 3] = np.inf * SIGNS[0, 3], -np.inf * SIGNS[1, 3]
    losses, slope = hinged(sure, SIGNS)
    assert np.array_equal(np.isinf(losses), [False, True, False]) and not np.any(np.isnan(slope))
    every = hinged(-np.inf * SIGNS.astype(np.float32), SIGNS)
    assert np.all(np.isposinf(every[0])) and not np.any(np.isnan(every[1]))


def test_masked_pixels_are_not_there():
    mask = np.arange(9)[None] < [[6], [0]]
    for junk in (np.nan, 1e30):
        losses, slope = derived(np.where(mask[..., None], PROBS, junk), np.where(mask, LABELS, 99), mask)
        close(losses[0], formulas.lovasz_softmax(PROBS[:1, :6].astype(float), LABELS[:1, :6], mask[:1, :6])[0])
        assert not np.any(losses[1]) and not np.any(np.where(mask[..., None], 0, slope))
    mask = np.arange(8)[None] < [[5], [8], [0]]
    losses, slope = hinged(np.where(mask, SCORES, np.nan), np.where(mask, SIGNS, 7), mask)
    wanted = formulas.lovasz_hinge(SCORES[:2, :5].astype(float), SIGNS[:2, :5], mask[:2, :5])
    close(losses[0], wanted[0])
    assert losses[2] == 0 and not np.any(np.where(mask, 0, slope))
    assert hinge(SCORES, SIGNS, mask=mask, reduction="total").weight == 2


def test_a_bad_pixel_spoils_its_own_regions():
    bad = LABELS.copy()
    bad[1, 3] = 3
    losses, slope = derived(PROBS, bad)
    assert np.array_equal(np.isnan(losses), [[False] * 3, [True] * 3])
    assert np.array_equal(np.isnan(slope).all(1), np.isnan(losses)) and not np.any(np.isnan(slope[0]))
    for value in (np.nan, 1.5):
        probs = PROBS.copy()
        probs[1, 3, 2] = value
        losses, slope = derived(probs, LABELS)
        assert np.array_equal(np.argwhere(np.isnan(losses)), [[1, 2]])
        assert np.array_equal(np.isnan(slope).all(1), np.isnan(losses)) and not np.any(np.isnan(slope[..., :2]))
        assert np.isnan(softmax(probs, LABELS))  # though no pixel has that class
    scores = SCORES.copy()
    scores[1, 2] = np.nan
    losses, slope = hinged(scores, SIGNS)
    assert np.array_equal(np.isnan(losses), [False, True, False])
    assert np.array_equal(np.isnan(slope).all(1), np.isnan(slope).any(1)) and np.isnan(slope[1]).all()
    assert np.isnan(hinge(SCORES, SIGNS, mask=jnp.full((3, 8), 2)))


def test_labels_of_classes_that_overlap():
    """Bool, or 0 and 1 in any dtype, also where that rounded; nothing in between."""
    y = RNG.integers(0, 2, PROBS.shape)
    wanted = formulas.lovasz_softmax(PROBS.astype(float), y, EVERYWHERE)
    for labels in (y.astype(bool), y.astype(np.float32), y.astype(np.uint8), y * np.float32(1 + 2.0**-23)):
        close(softmax(PROBS, labels, reduction="none"), wanted)
    assert np.isnan(softmax(PROBS, 0.5 * y.astype(np.float32)))
    with pytest.raises(ValueError, match=r"lovasz_softmax_loss: labels must be 0 or 1, got 0\.5 at index"):
        jaxloss.checked(softmax)(PROBS, 0.5 * y.astype(np.float32))


# --- numbers, memory, messages -------------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_counts_go_on_where_those_of_float32_stop():
    misses, hits = 2**24 + 2**20, 2**20
    hit = np.arange(misses + hits) >= misses
    probs = np.where(hit, np.float32(0.75), np.float32(0.5))[None]
    share = misses / (misses + hits)  # the Jaccard loss of all that isn't labelled
    close(softmax(probs, hit[None], axis=None), 0.5 * share + 0.25 * (1 - share), rtol=2e-5)


@pytest.mark.as_users_compile
@pytest.mark.parametrize("loss", some([softmax, hinge], softmax))
def test_memory(loss):
    shape = (2, 128, 128, 4)[: 4 if loss is softmax else 3]
    x, y = jax.ShapeDtypeStruct(shape, jnp.float32), jax.ShapeDtypeStruct((2, 128, 128), jnp.int32)
    # Errors and places, both sorted; steps, and what they are written into; the hinge's own errors.
    assert temporaries(jax.value_and_grad(loss), x, y) < 5.2 * x.size * 4


MESSAGES = [
    (
        lambda: hinge(SCORES, SIGNS[:, :1]),
        "lovasz_hinge_loss: labels must have the shape of scores, (3, 8), got (3, 1)",
    ),
    (
        lambda: hinge(SCORES, SIGNS, weights=np.ones((3, 8))),
        "lovasz_hinge_loss: weights must be a scalar or match the regions, of shape (3,), axis by axis (each dimension "
        "equal or 1), got shape (3, 8); weights say how much each region counts: to leave pixels out pass mask",
    ),
    (
        lambda: softmax(PROBS, LABELS.astype(np.float32)),
        "lovasz_softmax_loss: labels must be integers of shape (2, 9) or probabilities of shape (2, 9, 3), to fit "
        "probs of shape (2, 9, 3), got float32 of shape (2, 9); class indices are integers: labels.astype(jnp.int32)",
    ),
]


@pytest.mark.parametrize("call, says", MESSAGES)
def test_messages(call, says):
    with pytest.raises((ValueError, TypeError)) as error:
        call()
    assert str(error.value) == says


@pytest.mark.parametrize("loss", [softmax, hinge])
def test_a_region_lies_on_one_device(loss):
    says = (
        f"{loss.__name__}: axis_name must not spread one region over devices, got batch_axes=..; keep .*: batch_axes=0"
    )
    arguments = (PROBS, LABELS) if loss is softmax else (SCORES, SIGNS)
    with pytest.raises(ValueError, match=says):
        jax.vmap(functools.partial(loss, batch_axes=(), axis_name="data"), axis_name="data")(*arguments)
