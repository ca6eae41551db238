"""Losses of detectors at their extremes, against float64."""

from __future__ import annotations

import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss

from ..harness.numbers import BF16, F16, F32, close, each, temporaries
from . import formulas


pytestmark = pytest.mark.thin(4)
INF = np.inf
OVERLAPS: dict[Any, Any] = {
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
        assert np.all(np.isfinite(jax.jit(second)(equal, equal)))


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
    a, b = moved.astype(np.float32), np.array([[0.25, 0.5, 0.75, 1.0]] * 2, np.float32)
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


@pytest.mark.exhaustive
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


@pytest.mark.exhaustive
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


# --- labels that say how sure ----------------------------------------------------------------------------------------

GRADED: dict[Any, Any] = {
    jaxloss.quality_focal_loss: formulas.quality_focal,
    jaxloss.varifocal_loss: formulas.varifocal,
    jaxloss.gaussian_focal_loss: formulas.gaussian_focal,
}
graded = pytest.mark.parametrize("loss", GRADED, ids=lambda loss: loss.__name__)
quality, varifocal, gaussian = GRADED
LOGITS = np.array([0, 1e-3, 0.7, 3, 12, 20, 40, 90, 1e3, 1e4], np.float32)
LOGITS = np.concatenate([LOGITS, -LOGITS])
LABELS = np.array([0, 1, 0.5, 0.999, 1e-3, 1e-20, 0.25], np.float32)


@graded
def test_values_keep_their_digits(loss):
    z, y = (np.ravel(x) for x in np.meshgrid(LOGITS, LABELS))
    apart = (abs(formulas.sigmoid(z) - y) > 1e-2) | (y == 0) | (y == 1)  # where the two don't cancel
    z, y = z[apart], y[apart]
    wanted = GRADED[loss](z.astype(float), y.astype(float))
    np.testing.assert_allclose(loss(z, y, reduction="none"), wanted, rtol=4e-6, atol=1e-35)


@pytest.mark.thin(1)
@graded
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 1.5, 2.0, 4.0])
def test_slopes_of_every_logit(loss, power):
    """Finite to 1e4 with any power, and right; of second order not NaN."""
    z, y = (np.ravel(x) for x in np.meshgrid(LOGITS, LABELS))
    *_, name = [name for name in ("beta", "gamma", "alpha") if name in inspect.signature(loss).parameters]
    options = {name: power}
    f = lambda z, y: jnp.sum(loss(z, y, **options, reduction="none"))  # noqa: E731
    slopes = jax.grad(f)(z, y)
    above, below = (GRADED[loss](z.astype(float) + step, y.astype(float), **options) for step in (1e-4, -1e-4))
    wanted = (above - below) / 2e-4
    kink = (abs(formulas.sigmoid(z) - y) < 1e-3) & (power <= 1)
    np.testing.assert_allclose(np.where(kink, 0, slopes), np.where(kink, 0, wanted), rtol=2e-4, atol=1e-5)
    assert np.all(np.isfinite(slopes)) and np.all(np.isfinite(jax.grad(f, 1)(z, y)))
    for second in (
        jax.jvp(jax.grad(f), (z, y), (0 * z + 1, 0 * y))[1],
        jax.grad(lambda z: jnp.sum(jax.grad(f)(z, y)))(z),
    ):
        assert not np.any(np.isnan(second))


@graded
def test_infinite_logits(loss):
    """Those that agree with the label cost nothing, the others infinity; with slopes that have a direction."""
    z, y = jnp.array([INF, -INF, INF, -INF]), jnp.array([1.0, 0, 0, 1])
    losses, gradient = each(loss, z, y)
    np.testing.assert_array_equal(losses, [0, 0, INF, INF])
    far = 0.75 if loss is varifocal else 1
    np.testing.assert_array_equal(gradient, [0, 0, far, -1])
    assert not np.any(np.isnan(jax.grad(lambda y: jnp.sum(loss(z, y, reduction="none")))(y)))


def test_quality_is_least_where_it_is_right():
    y = jnp.linspace(0.05, 0.95, 19)
    losses, gradient = each(quality, jnp.log(y / (1 - y)), y)
    assert np.all(losses < 1e-12) and np.all(abs(gradient) < 1e-6)
    close(
        quality(jnp.array([2.0, -3.0]), jnp.array([0, 1])),
        jaxloss.sigmoid_focal_loss(jnp.array([2.0, -3.0]), jnp.array([0, 1])),
    )


def test_peaks_are_exactly_one():
    """What bfloat16 makes of a label beside a peak is one."""
    z, near = jnp.array([1.0]), jnp.array([0.999])
    assert gaussian(z, near) < 1e-10
    close(gaussian(z, near.astype(BF16)), gaussian(z, jnp.ones(1)))


def test_background_is_exactly_zero():
    z = jnp.array([1.0])
    close(varifocal(z, jnp.zeros(1), gamma=0.0, alpha=1.0), np.logaddexp(0, 1))
    assert varifocal(z, jnp.array([1e-6])) < 2e-6
    close(varifocal(z, jnp.array([-(2.0**-24)])), varifocal(z, jnp.zeros(1)))  # by rounding


# --- bins ------------------------------------------------------------------------------------------------------------

bins = jaxloss.distribution_focal_loss


@pytest.mark.exhaustive
def test_whole_numbers_are_classes():
    """As is the last bin; of every integer dtype."""
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(64, 8)).astype(np.float32), rng.integers(0, 8, 64)
    y[:2] = 0, 7
    expected = each(jaxloss.cross_entropy, z, y.astype(np.int32))
    for dtype in (np.int32, np.uint8, np.float32):
        for found, wanted in zip(each(bins, z, y.astype(dtype)), expected):
            close(found, wanted, rtol=1e-6, atol=1e-7)


def test_two_hot_labels():
    """Are what they would be in full; and the slope by the label is the difference of its bins."""
    rng = np.random.default_rng(1)
    z, y = 30 * rng.normal(size=(64, 8)).astype(np.float32), rng.uniform(0, 7, 64).astype(np.float32)
    low = np.floor(y).astype(int)
    two_hot = (
        np.eye(8, dtype=np.float32)[low] * (low + 1 - y)[:, None]
        + np.eye(8, dtype=np.float32)[low + 1] * (y - low)[:, None]
    )
    for found, wanted in zip(each(bins, z, y), each(jaxloss.cross_entropy, z, two_hot)):
        close(found, wanted, rtol=1e-5, atol=1e-6)
    slope = jax.grad(lambda y: jnp.sum(bins(z, y, reduction="none")))(y)
    close(slope, z[np.arange(64), low] - z[np.arange(64), low + 1], rtol=1e-4, atol=1e-5)


def test_bins_that_are_ruled_out():
    """Cost nothing if their share is 0; any other share infinity."""
    z = jnp.array([[0.0, -INF, 1.0], [-INF, 0.0, 1.0], [0.0, -INF, 1.0], [0.0, 1.0, -INF]])
    y = jnp.array([0.0, 1.0, 0.5, 1.0])
    losses = bins(z, y, reduction="none")
    close(losses, [np.log1p(np.e), np.log1p(np.e), INF, np.log1p(1 / np.e)])
    gradient = jax.grad(lambda z: jnp.sum(bins(z, y, mask=jnp.isfinite(losses), reduction="none")))(z)
    share = np.e / (1 + np.e)
    close(gradient, [[-share, 0, share], [0, -share, share], [0, 0, 0], [1 - share, share - 1, 0]], atol=1e-7)
    assert not np.any(np.isnan(jax.grad(lambda y: jnp.sum(bins(z, y, reduction="none")))(y)[jnp.array([1, 2])]))


def test_a_sure_bin_keeps_its_digits():
    z = jnp.array([[0.0, 30.0, 0.0], [1e8, 1e8 + 8, 1e8]])
    y = jnp.array([1.0, 1.0])
    close(bins(z, y, reduction="none"), [2 * np.exp(-30), np.log1p(2 * np.exp(-8))])


def test_labels_beyond_the_bins():
    z, labels = jnp.zeros((6, 3)), jnp.array([2.0, 2 + 2.0**-21, -(2.0**-24), 2.01, -0.01, np.nan])
    losses, pull = jax.vjp(lambda z: bins(z, labels, reduction="none"), z)
    (gradient,) = pull(jnp.ones(6))
    fits = np.arange(6) < 3
    assert np.array_equal(np.isfinite(losses), fits) and np.all(np.isfinite(gradient) == fits[:, None])
    assert bins(z[:, :1], jnp.zeros(6)) == 0
    with pytest.raises(
        ValueError, match=r"distribution_focal_loss: labels must lie in \[0, 2\], got 3.0 at index \(1,\)"
    ):
        jaxloss.checked(bins)(z[:2], jnp.array([0.0, 3]))


def test_inverted_boxes_are_named():
    with pytest.raises(ValueError) as error:
        jaxloss.checked(giou)(jnp.array([[0.0, 0, 1, 1], [0, 5, 1, 1]]), jnp.zeros((2, 4)))
    says = "giou_loss: predictions must be finite, and no lower corner above its upper one, got 5.0 at index (1, 1)"
    assert str(error.value) == says


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
        "giou_loss: predictions must hold 2 numbers a dimension along axis 1, a fixed number of them, got shape (b, c)",
    ),
    (
        lambda: bins(X, X),
        "distribution_focal_loss: labels must have the shape of logits without axis -1, (4,), got (4, 4)",
    ),
    (
        lambda: bins(X[:, :0], X[:, 0]),
        "distribution_focal_loss: logits must have at least one class, got shape (4, 0) with axis=-1",
    ),
    (lambda: quality(X, X, beta=-1.0), "quality_focal_loss: beta must lie in [0, inf), got -1.0"),
    (
        lambda: varifocal(X, X[:, 0]),
        "varifocal_loss: labels must have the shape of logits, (4, 4), got (4,)",
    ),
    (
        lambda: gaussian(X.astype(int), X),
        "gaussian_focal_loss: logits must be floating point, got int32; cast with logits.astype(jnp.float32)",
    ),
]


@pytest.mark.thin(1)
@pytest.mark.parametrize(("call", "text"), ERRORS, ids=[text.split(":")[0] for _, text in ERRORS])
def test_messages(call, text):
    with pytest.raises((TypeError, ValueError)) as error:
        call()
    assert str(error.value) == text
