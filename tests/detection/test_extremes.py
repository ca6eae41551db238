"""Losses of detectors at their extremes, against float64."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss

from ..harness.numbers import BF16, F16, F32, close, each, temporaries
from . import formulas


pytestmark = pytest.mark.thin(4)
INF = np.inf
OVERLAPS = {
    jaxloss.iou_loss: formulas.iou,
    jaxloss.giou_loss: formulas.giou,
    jaxloss.diou_loss: formulas.diou,
    jaxloss.ciou_loss: formulas.ciou,
}
overlaps = pytest.mark.parametrize("loss", OVERLAPS, ids=lambda loss: loss.__name__)
iou, giou, diou, ciou = OVERLAPS


def pairs(*boxes):
    """Predictions and labels of these pairs of boxes."""
    return (jnp.asarray(x, F32) for x in zip(*boxes))


# --- boxes ---------------------------------------------------------------------------------------------------------


@overlaps
def test_equal_boxes_cost_nothing(loss):
    """Of every size and shape, without an area too; and are no place to leave."""
    equal = jnp.array(
        [[0.1, 0.2, 0.4, 0.9], [0, 0, 0, 0], [1, 2, 1, 3], [0.3, 0.3, 0.3001, 0.3001], [-1e9, 0, 1e9, 1e-9]]
    )
    losses, gradient = each(loss, equal, equal)
    assert not np.any(losses) and not np.any(gradient)
    assert not np.any(jax.grad(loss, 1)(equal, equal))
    for second in (jax.hessian(loss), jax.jacrev(jax.grad(loss))):
        assert np.all(np.isfinite(second(equal, equal)))


@pytest.mark.thin(1)
@overlaps
@pytest.mark.parametrize("size", [1e-32, 1e-25, 1e25, 1e32])
def test_the_unit_does_not_matter(loss, size):
    """The numbers are those of boxes a unit large, the gradient in that unit."""
    rng = np.random.default_rng(0)
    a, b = np.sort(rng.uniform(0, 1, (2, 20, 2, 2)), -1).swapaxes(-1, -2).reshape(2, 20, 4).astype(np.float32)
    unit = np.float32(2.0 ** np.round(np.log2(size)))
    expected, slopes = each(loss, a, b)
    losses, gradient = each(loss, a * unit, b * unit)
    close(losses, expected, rtol=1e-6)
    close(np.asarray(gradient, float) * unit, slopes, rtol=1e-5, atol=1e-6)


@overlaps
def test_boxes_of_very_unequal_sides(loss):
    """Long and flat, and one a speck in the other: values of any size, and no derivative is NaN."""
    predictions, labels = pairs(
        ([0, 0, 1e20, 1e-10], [0, 0, 1e-10, 1e20]),
        ([0, 0, 1e-18, 1], [0, 0, 1, 1e-18]),
        ([0, 0, 1e-30, 1e-30], [-1, -1, 1, 1]),
        ([-3e38, -3e38, 3e38, 3e38], [0, 0, 1, 1]),
        ([-3e38, 0, -2e38, 1], [2e38, 0, 3e38, 1]),
    )
    losses, gradient = each(loss, predictions, labels)
    close(losses, OVERLAPS[loss](predictions, labels), rtol=1e-5)
    assert np.all(np.isfinite(gradient))
    close(losses, loss(labels, predictions, reduction="none"), rtol=1e-5)


@overlaps
@pytest.mark.parametrize("axis", [0, 1])
def test_near_boxes_keep_their_digits(loss, axis):
    """A step of 2^-20 is of 1e-6, where 1 - 0.999999 has one digit left."""
    moved = np.array([[0.25, 0.5, 0.75, 1.0]] * 2)
    moved[0, axis] += 2.0**-20
    moved[1, [axis, axis + 2]] += 2.0**-20
    a, b = np.float32(moved), np.float32([[0.25, 0.5, 0.75, 1.0]] * 2)
    losses, gradient = each(loss, a, b)
    with jax.enable_x64(True):
        exact, slopes = each(loss, a.astype(float), b.astype(float))
    close(losses, exact)
    close(gradient, slopes, atol=1e-6)
    close(losses, OVERLAPS[loss](a, b), rtol=1e-5)


FAR = {
    "touching": ([0, 0, 1, 1], [1, 0, 2, 1], (1, 1, 1.2, 1.2)),
    "touching corners": ([0, 0, 1, 1], [1, 1, 2, 2], (1, 1.5, 1.25, 1.25)),
    "apart": ([0, 0, 1, 1], [3, 0, 4, 1], (1, 1.5, 1 + 9 / 17, 1 + 9 / 17)),
    "a point within": ([0.5, 0.5, 0.5, 0.5], [0, 0, 1, 1], (1, 1, 1, None)),
    "a point in a corner": ([0, 0, 0, 0], [0, 0, 1, 1], (1, 1, 1.25, None)),
    "two points": ([0, 0, 0, 0], [1, 1, 1, 1], (1, 2, 2, 2)),
    "two lines that cross": ([0, 1, 2, 1], [1, 0, 1, 2], (1, 2, 1, 1.5)),
    "two lines on one": ([0, 0, 2, 0], [1, 0, 3, 0], (1, 1, 1 + 1 / 9, 1 + 1 / 9)),
    "one in the other": ([0, 0, 2, 2], [0, 0, 1, 1], (0.75, 0.75, 0.8125, 0.8125)),
}


@pytest.mark.thin(1)
@pytest.mark.parametrize("name", FAR)
def test_boxes_by_hand(name):
    prediction, label, expected = FAR[name]
    for loss, wanted in zip(OVERLAPS, expected):
        losses, gradient = each(loss, *pairs((prediction, label)))
        if wanted is not None:
            close(losses, [wanted])
        close(losses, OVERLAPS[loss](*pairs((prediction, label))))
        assert np.all(np.isfinite(gradient))


def test_boxes_that_are_apart_move_closer():
    """All but by their overlap alone, which has nothing to tell."""
    for loss in OVERLAPS:
        _, gradient = each(loss, *pairs(([0, 0, 1, 1], [3, 0, 4, 1])))
        assert (gradient[0, 2] < 0) == (loss is not iou) and (loss is not iou) == np.any(gradient)


def test_the_shape_of_a_box_without_sides():
    """A point has the angle 0 of an upright line, and no slope of its own."""
    losses, gradient = each(ciou, *pairs(([0, 0, 0, 0], [0, 0, 1, 1]), ([0, 0, 0, 0], [0, 0, 0, 1])))
    v = 4 / np.pi**2 * (np.pi / 4) ** 2
    close(losses, [1.25 + v * v / (1 + v), 1.25])
    assert np.all(np.isfinite(gradient))


def test_alpha_is_constant():
    """As torchvision and mmdetection hold it; in second order too."""
    label = jnp.array([0.0, 0, 1, 1])

    def shape(w):
        return ciou(jnp.stack([0 * w, 0 * w, w, 1 + 0 * w]), label) - diou(
            jnp.stack([0 * w, 0 * w, w, 1 + 0 * w]), label
        )

    v = lambda w: 4 / np.pi**2 * (jnp.arctan(w) - np.pi / 4) ** 2  # noqa: E731
    alpha = float(v(2.0)) / (0.5 + float(v(2.0)))
    close(shape(2.0), alpha * v(2.0), rtol=1e-4)
    close(jax.grad(shape)(2.0), alpha * jax.grad(v)(2.0), rtol=1e-4)
    close(jax.grad(jax.grad(shape))(2.0), alpha * jax.grad(jax.grad(v))(2.0), rtol=1e-3)


def test_boxes_in_any_number_of_dimensions():
    rng = np.random.default_rng(0)
    for dimensions in (1, 2, 3, 4):
        low, size, shift = rng.uniform(0, 1, (3, 16, dimensions))
        a, b = np.concatenate([low, low + size], -1), np.concatenate([low + shift / 2, low + shift / 2 + size], -1)
        for loss in (iou, giou, diou):
            losses, gradient = each(loss, np.float32(a), np.float32(b))
            close(losses, OVERLAPS[loss](a, b), rtol=1e-5)
            assert np.any(gradient)
            np.testing.assert_array_equal(losses, loss(np.float32(a.T), np.float32(b.T), axis=0, reduction="none"))
        assert not np.any(each(giou, np.float32(a), np.float32(a))[1])


@overlaps
@pytest.mark.parametrize("dtype", [BF16, F16])
def test_boxes_of_half_precision(loss, dtype):
    """Are widened before edges are subtracted; of the largest numbers no length overflows."""
    most = float(jnp.finfo(dtype).max)
    predictions = jnp.array([[0, 0, 100, 100], [-most, -most, most, most]], dtype)
    labels = jnp.array([[0, 0, 101, 100], [-most, 0, most, most]], F32)
    losses, gradient = loss(predictions, labels, reduction="none"), jax.grad(loss)(predictions, labels)
    close(losses, OVERLAPS[loss](*(np.asarray(x.astype(F32), float) for x in (predictions, labels))), rtol=1e-5)
    assert gradient.dtype == dtype and jnp.all(jnp.isfinite(gradient))


@overlaps
@pytest.mark.parametrize("bad", [[1, 0, 0, 1], [0, 1, 1, 0], [0, np.nan, 1, 1], [0, 0, INF, 1], [-INF, 0, INF, 1]])
def test_what_is_no_box(loss, bad):
    """Is NaN, as is the gradient of all its corners; the box beside it stays."""
    good = [0, 0, 1, 1]
    for predictions, labels in (pairs((bad, good), (good, good)), pairs((good, bad), (good, good))):
        losses = loss(predictions, labels, reduction="none")
        gradient = jax.grad(lambda x: jnp.sum(loss(x, labels, reduction="none")))(predictions)  # noqa: B023
        np.testing.assert_array_equal(np.isnan(losses), [True, False])
        np.testing.assert_array_equal(np.isnan(gradient), [[True] * 4, [False] * 4])


def test_boxes_of_integers():
    a = jnp.array([[0.0, 0, 3, 2]])
    for dtype in (np.int32, np.uint8):
        close(giou(a, np.array([[1, 0, 3, 2]], dtype)), 1 / 3)


@pytest.mark.thin(1)
@overlaps
def test_memory_of_boxes(loss):
    """Less than four arrays of boxes: autodiff of the formula keeps seven."""
    a = jnp.zeros((100_000, 4))
    assert temporaries(jax.value_and_grad(loss), a, a) < 3.6 * a.nbytes


# --- messages ------------------------------------------------------------------------------------------------------

X = np.zeros((4, 4), np.float32)
ERRORS = [
    (
        lambda: giou(X, X[:3]),
        "giou_loss: labels must have the shape of predictions, (4, 4), got (3, 4)",
    ),
    (
        lambda: iou(X[:, :3], X[:, :3]),
        "iou_loss: predictions must hold 2 numbers a dimension along axis 1, lower corner, then upper, got shape "
        "(4, 3)",
    ),
    (
        lambda: diou(X[:, :0], X[:, :0]),
        "diou_loss: predictions must hold 2 numbers a dimension along axis 1, lower corner, then upper, got shape "
        "(4, 0)",
    ),
    (
        lambda: ciou(np.zeros((4, 6), np.float32), np.zeros((4, 6), np.float32)),
        "ciou_loss: predictions must hold 4 numbers along axis 1, lower corner, then upper, got shape (4, 6)",
    ),
    (
        lambda: giou(X, X, axis=(0, 1)),
        "giou_loss: axis must be one integer, got (0, 1); reshape predictions so that the corners lie on one axis",
    ),
    (
        lambda: giou(X, X, mask=np.ones((4, 4), bool)),
        "giou_loss: mask must be a scalar or match the per-element losses, of shape (4,), axis by axis (each dimension "
        "equal or 1), got shape (4, 4)",
    ),
    (
        lambda: jax.export.export(jax.jit(giou))(*[jax.ShapeDtypeStruct(jax.export.symbolic_shape("b, c"), F32)] * 2),
        "giou_loss: predictions must hold 2 numbers a dimension along axis 1, and that many are compiled for, got "
        "shape (b, c)",
    ),
]


@pytest.mark.thin(1)
@pytest.mark.parametrize(("call", "text"), ERRORS, ids=[text.split(":")[0] for _, text in ERRORS])
def test_messages(call, text):
    with pytest.raises((TypeError, ValueError)) as error:
        call()
    assert str(error.value) == text
