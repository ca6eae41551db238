"""Losses of regions: layouts, edges, numbers, memory, devices, messages."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec as P

import jaxloss

from ..harness.problems import grid
from ..harness.rows import some
from . import formulas


RATIOS = {
    "dice": (jaxloss.dice_loss, formulas.overlap, {}),
    "dice squared": (jaxloss.dice_loss, formulas.overlap, {"squared": True}),
    "jaccard": (jaxloss.jaccard_loss, functools.partial(formulas.overlap, alpha=1, beta=1), {}),
    "tversky": (jaxloss.tversky_loss, formulas.overlap, {"alpha": 0.3, "beta": 0.7, "gamma": 0.75}),
    "generalized": (jaxloss.generalized_dice_loss, formulas.generalized, {}),
}
ratios = pytest.mark.parametrize("name", RATIOS)
pytestmark = pytest.mark.usefixtures("compiles_fast")
close = functools.partial(np.testing.assert_allclose, rtol=2e-6, atol=1e-6)
J = jnp.array


def softmax(*shape, axis=-1, seed=0):
    return np.array(jax.nn.softmax(np.random.default_rng(seed).normal(size=shape).astype(np.float32), axis))


# --- layouts -------------------------------------------------------------------------------------------------------

LAYOUTS = [
    ((5, 3, 4, 6), -1, 0),
    ((5, 6, 3, 4), 1, 0),
    ((3, 5, 4, 6), 3, -3),
    ((3, 5, 4, 6), -1, (0, 1)),
    ((3, 5, 4, 6), 0, (3, 1)),
    ((5, 6), -1, ()),
    ((5, 6), 1, 0),
    ((6,), 0, ()),
    ((5, 3, 4), None, 0),
    ((5, 3, 4), None, ()),
    ((5, 3, 4), None, (2, 0)),
    ((0, 3, 6), -1, 0),
    ((5, 0, 6), -1, 0),
]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("shape, axis, batch_axes", LAYOUTS)
def test_layouts(shape, axis, batch_axes, soft):
    """Where the axes are, and that the losses keep theirs in order; every dtype of label."""
    rng = np.random.default_rng(0)
    probs = rng.uniform(size=shape).astype(np.float32)
    pixels = shape if axis is None else tuple(np.delete(shape, axis))
    labels = rng.uniform(size=shape).astype(np.float32) if soft else rng.integers(0, 2, pixels).astype(np.uint8)
    mask = rng.random(pixels) < 0.7
    found = jaxloss.dice_loss(probs, labels, mask=mask, axis=axis, batch_axes=batch_axes, reduction="none")
    wide = probs.astype(float)
    wanted = formulas.overlap(wide, labels.astype(float) if soft else labels, mask, axis=axis, batch_axes=batch_axes)
    close(found, wanted)
    if not soft:
        hot = labels if axis is None else np.moveaxis(np.eye(shape[axis], dtype=bool)[labels], -1, axis)
        for dtype in (bool, np.int32, np.float16):
            again = jaxloss.dice_loss(
                probs, hot.astype(dtype), mask=mask, axis=axis, batch_axes=batch_axes, reduction="none"
            )
            close(again, found)


def test_pixels_that_nobody_has_make_no_region():
    probs, labels = jnp.full((2, 3, 2), 0.5), jnp.zeros((2, 3), int)
    masked = jaxloss.dice_loss(probs, labels, mask=J([[1, 1, 0], [0, 0, 0]]), reduction="total")
    close(masked.weight, 2)
    close(jaxloss.dice_loss(jnp.zeros((4, 0, 2)), jnp.zeros((4, 0), int), reduction="total").weight, 0)


def test_as_optax():
    logits, labels = J(np.random.default_rng(0).normal(size=(3, 5, 7, 4)), jnp.float32), softmax(3, 5, 7, 4, seed=1)
    theirs = optax.losses.dice_loss(jax.nn.softmax(logits), labels, apply_softmax=False, reduction="none")
    close(jaxloss.dice_loss(jax.nn.softmax(logits), labels, reduction="none"), theirs)


def test_relatives():
    p, y = softmax(2, 30, 4), np.random.default_rng(1).integers(0, 4, (2, 30))
    dice, jaccard = (f(p, y, smooth=0.0, reduction="none") for f in (jaxloss.dice_loss, jaxloss.jaccard_loss))
    close(jaccard, 2 * dice / (1 + dice))
    close(jaxloss.tversky_loss(p, y, smooth=0.0, reduction="none"), dice)
    close(jaxloss.tversky_loss(p, y, alpha=1.0, beta=1.0, smooth=0.0, reduction="none"), jaccard)
    of_one = functools.partial(jaxloss.generalized_dice_loss, axis=None, reduction="none")
    close(of_one(p[..., 0], (y == 0), smooth=0.5), jaxloss.dice_loss(p, y, smooth=0.5, reduction="none")[:, 0])
    only_first = jaxloss.generalized_dice_loss(p, y, class_weights=J([1.0, 0, 0, 0]), smooth=0.0, reduction="none")
    close(only_first, dice[:, 0])


@ratios
def test_a_class_weight_of_zero_leaves_it_out(name):
    loss, reference, options = RATIOS[name]
    p, y = softmax(2, 30, 4), np.random.default_rng(1).integers(0, 4, (2, 30))
    f = jax.value_and_grad(lambda p: loss(p, y, class_weights=J([0.0, 1, 1, 1]), smooth=0.0, **options))
    value, slope = f(p)
    hot = np.eye(4)[y]
    close(
        value, np.mean(reference(p[..., 1:].astype(float), hot[..., 1:], np.ones((2, 30), bool), smooth=0, **options))
    )
    assert not np.any(slope[..., 0])


# --- edges ---------------------------------------------------------------------------------------------------------


@ratios
def test_nothing_labelled(name):
    """A region without label or prediction costs 0 and has finite slopes of both orders; any prediction costs 1."""
    loss, _, options = RATIOS[name]
    f = lambda p, smooth=0.0: loss(p, jnp.zeros(p.shape), axis=None, smooth=smooth, **options)  # noqa: E731
    both = jax.jit(lambda p, smooth: (*jax.value_and_grad(f)(p, smooth), jax.hessian(f)(p, smooth)))
    for smooth in (0.0, 1.0):
        value, *slopes = both(jnp.zeros((1, 4)), smooth)
        assert value == 0 and all(np.all(np.isfinite(slope)) for slope in slopes)
    value, slope, _ = both(jnp.full((1, 4), 1e-3), 0.0)
    close(value, 1)
    assert not np.any(slope > 1e-6) and np.all(both(jnp.full((1, 4), 0.25), 1.0)[1] > 0)


@ratios
def test_right_and_nearly_right(name):
    """Exactly 0, and a loss of 1e-12 is right to 1e-5 of itself."""
    loss, _, options = RATIOS[name]
    options = {key: x for key, x in options.items() if key != "gamma"}
    y = np.eye(3, dtype=np.float32)[np.random.default_rng(0).integers(0, 3, (1, 16))]
    assert loss(y, y, smooth=0.0, **options) == 0
    assert np.all(np.isfinite(jax.grad(lambda p: loss(p, y, smooth=0.0, **options))(y)))
    near = np.where(y == 0, np.float32(1e-12), y)
    found = loss(near, y, smooth=0.0, reduction="none", **options)
    wrong = {"dice": 0.5, "dice squared": 0.5e-12, "jaccard": 1, "tversky": 0.3, "generalized": 0.5}[name] * 1e-12
    sizes = y.sum(1).astype(float)
    wanted = wrong * (16 - sizes) / sizes
    if name == "generalized":
        v = (sizes.min() / sizes) ** 2
        wanted = wrong * (v * (16 - sizes)).sum(1) / (v * sizes).sum(1)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.exhaustive
@pytest.mark.parametrize("shape", [(1, 4096, 4096, 1), (1, 4096 * 4096, 1)])
def test_large_images(shape):
    probs = jnp.full(shape, 0.1)
    wanted = 0.9 / 1.1  # half of 0.9 over 0.1 and half of 0.9
    close(jaxloss.dice_loss(probs, jnp.ones(shape), smooth=0.0), wanted, rtol=2e-5)
    near = jaxloss.jaccard_loss(probs, jnp.zeros(shape, bool), smooth=1e6)
    close(near, 0.1 * 2**24 / (1e6 + 0.1 * 2**24), rtol=2e-5)


@pytest.mark.parametrize("count", [10_000, 9_998])  # 100 * 100, and 100 * 99 with a rest
def test_long_axes_are_summed_in_stages(count):
    probs = np.random.default_rng(0).uniform(size=(1, count, 2)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 2, (1, count))
    wanted = formulas.overlap(probs.astype(float), labels, np.ones((1, count), bool))
    close(jaxloss.dice_loss(probs, labels, reduction="none"), wanted, rtol=1e-6)


def test_a_bad_pixel_spoils_its_own_regions():
    """A bad index all classes of its image, a bad number its own; present or not."""
    p, y = softmax(3, 5, 4), np.random.default_rng(1).integers(0, 3, (3, 5))
    for only_present in (False, True):
        f = functools.partial(jaxloss.dice_loss, only_present=only_present, reduction="none")
        for label in (4, -1):
            bad = y.copy()
            bad[1] = label
            losses, slope = f(p, bad), jax.grad(lambda p, f=f, bad=bad: jnp.nansum(f(p, bad)[1]))(p)
            assert np.array_equal(np.isnan(losses), [[False] * 4, [True] * 4, [False] * 4])
            assert not np.any(np.isnan(slope[::2]))
        for value in (np.nan, 1.5, -0.5):
            bad = p.copy()
            bad[1, 0, 3] = value  # of a class that no pixel has
            losses, slope = f(bad, y), jax.grad(lambda p, f=f: f(p, y).sum())(bad)
            assert np.array_equal(np.argwhere(np.isnan(losses)), [[1, 3]])
            assert np.array_equal(np.isnan(slope).all(1), np.isnan(losses)) and not np.isnan(slope[1, :, :3]).any()
        assert np.isnan(jaxloss.dice_loss(p, y, mask=jnp.full((3, 5), 2), only_present=only_present))


def test_rounding_is_no_bad_value():
    p, y = J([[1 + 2.0**-23, -(2.0**-24)]]), J([[1.0, 0]])
    assert jaxloss.dice_loss(p, y, axis=None) == 0 == jaxloss.dice_loss(y, p, axis=None)


def test_an_absent_class_does_not_take_over():
    p, y = softmax(1, 8, 4), np.zeros((1, 8), int)
    value, slope = jax.value_and_grad(lambda p: jaxloss.generalized_dice_loss(p, y, smooth=0.0))(p)
    right, wrong = p[..., 0].sum(), (1 - p[..., 0]).sum() + p[..., 1:].sum()
    close(value, wrong / 2 / (right + wrong / 2))
    assert np.abs(slope).max() > 0.01


def test_half_precision_labels_are_not_rounded_further():
    y = J(np.random.default_rng(0).uniform(size=(2, 9, 3)), jnp.float32)
    p = J(softmax(2, 9, 3), jnp.bfloat16)
    wanted = jaxloss.dice_loss(p.astype(jnp.float32), y)
    found, slope = jax.value_and_grad(jaxloss.dice_loss)(p, y)
    assert found == wanted and found.dtype == jnp.float32 and slope.dtype == jnp.bfloat16


# --- memory --------------------------------------------------------------------------------------------------------


def temporaries(f, *arguments):
    return jax.jit(f).lower(*arguments).compile().memory_analysis().temp_size_in_bytes


@pytest.mark.as_users_compile
@ratios
@pytest.mark.parametrize("soft", some([False, True], False))
def test_nothing_of_the_size_of_the_probabilities(name, soft):
    loss, _, options = RATIOS[name]
    p = jax.ShapeDtypeStruct((2, 128, 128, 4), jnp.float32)
    y = p if soft else jax.ShapeDtypeStruct((2, 128, 128), jnp.int32)
    f = lambda p, y: loss(p, y, **options)  # noqa: E731
    size = p.size * 4
    assert temporaries(f, p, y) < 0.05 * size
    # Differences from soft labels are written where the gradient goes; the labels beside them, as they are clipped.
    assert temporaries(jax.value_and_grad(f), p, y) < (1.05 if soft and "squared" in name else 0.05) * size
    if not soft and name == "dice":
        behind = lambda z, y: f(jax.nn.softmax(z), y)  # noqa: E731
        assert temporaries(jax.value_and_grad(behind), p, y) < 2.6 * size
        masked = lambda p, y: loss(p, y, mask=y != 3, only_present=True)  # noqa: E731
        assert temporaries(jax.value_and_grad(masked), p, y) < 0.3 * size  # the mask, of one byte a pixel and class


# --- devices -------------------------------------------------------------------------------------------------------


def whole_batch(name, **more):
    loss, _, options = RATIOS[name]
    p, y = softmax(8, 4, 6, 3), np.random.default_rng(1).integers(0, 3, (8, 4, 6))
    mask = np.random.default_rng(2).random((8, 4, 6)) < 0.7
    mask[2:4] = False  # a whole device
    weights = J([[1.0, 2, 0.5]])[0] if name != "generalized" else J(2.0)
    f = lambda p, y, mask, **names: loss(p, y, weights, mask, batch_axes=(), **options, **names, **more)  # noqa: E731
    return f, (p, y, mask)


@pytest.mark.parametrize("name", some(RATIOS, "generalized"))
def test_regions_that_span_devices(name):
    """In value and gradient, whichever way the gradient is taken; and over two names."""
    f, arguments = whole_batch(name)
    wanted = jax.value_and_grad(f)(*arguments)
    mesh = grid()
    both = ("data", "model")
    shards, names = P(both), both
    for check_vma in (True, False):
        mapped = functools.partial(jax.shard_map, mesh=mesh, check_vma=check_vma)
        outside = mapped(functools.partial(f, axis_name=names), in_specs=(shards,) * 3, out_specs=P())
        jax.tree.map(close, jax.jit(jax.value_and_grad(outside))(*arguments), wanted)

        def inside(p, y, mask, check_vma=check_vma):
            value, slope = jax.value_and_grad(functools.partial(f, axis_name=names))(p, y, mask)
            return value, slope if check_vma else slope / 8

        found = jax.jit(mapped(inside, in_specs=(shards,) * 3, out_specs=(P(), shards)))(*arguments)
        jax.tree.map(close, found, wanted)
    by_device = [x.reshape(8, 1, *x.shape[1:]) for x in arguments]
    values = jax.vmap(functools.partial(f, axis_name="batch"), axis_name="batch")(*by_device)
    close(values, np.full(8, wanted[0]))
    with pytest.raises(ValueError, match="axis_name must be left out with reduction='none'"):
        jax.vmap(functools.partial(f, axis_name="batch", reduction="none"), axis_name="batch")(*by_device)


@pytest.mark.parametrize("spec", [P("data", "model"), P(None, "data", "model"), P(None, "data", None, None)])
@pytest.mark.parametrize("name", some(RATIOS, "jaccard"))
def test_images_split_along_their_height(name, spec):
    loss, _, options = RATIOS[name]
    p, y = softmax(4, 8, 6, 3), np.random.default_rng(1).integers(0, 3, (4, 8, 6))
    f = jax.jit(jax.value_and_grad(lambda p, y: loss(p, y, **options)))
    places = [NamedSharding(grid(), place) for place in (spec, P(*spec[:3]))]
    jax.tree.map(close, f(*jax.device_put((p, y), tuple(places))), f(p, y))


@pytest.mark.parametrize("name", some(RATIOS, "tversky"))
def test_microbatches_add_up(name):
    loss, _, options = RATIOS[name]
    p, y = softmax(6, 5, 3), np.random.default_rng(1).integers(0, 3, (6, 5))
    mask = np.random.default_rng(2).random((6, 5)) < 0.6
    f = functools.partial(loss, class_weights=J([0.5, 1, 2]), reduction="total", **options)
    parts = [f(p[i : i + 2], y[i : i + 2], mask=mask[i : i + 2]) for i in (0, 2, 4)]
    close(sum(parts).mean(), loss(p, y, mask=mask, class_weights=J([0.5, 1, 2]), **options))


# --- messages ------------------------------------------------------------------------------------------------------

PROBS, LABELS = np.full((2, 5, 3), 0.5, np.float32), np.zeros((2, 5), np.int32)
MESSAGES = [
    (
        dict(weights=np.ones((2, 5))),
        "weights must be a scalar or match the regions, of shape (2, 3), axis by axis (each dimension equal or 1), got "
        "shape (2, 5); weights say how much each region counts: to leave pixels out pass mask",
    ),
    (
        dict(mask=np.ones((2, 3), bool)),
        "mask must be a scalar or match the pixels, of shape (2, 5), axis by axis (each dimension equal or 1), got "
        "shape (2, 3); a mask says which pixels exist: to leave regions out give them weight 0",
    ),
    (
        dict(mask=np.ones(5, bool)),
        "mask must be a scalar or match the pixels, of shape (2, 5), axis by axis (each dimension equal or 1), got "
        "shape (5,); reshape it to (1, 5)",
    ),
    (dict(batch_axes=-1), "batch_axes must not hold the class axis, got -1 with axis=2"),
    (dict(batch_axes=(0, 0)), "batch_axes must name each axis only once, got (0, 0)"),
    (dict(batch_axes=3), "batch_axes must be an axis of probs, of shape (2, 5, 3), got 3"),
    (
        dict(axis=None),
        "labels must have the shape of probs, (2, 5, 3), got (2, 5); of class indices pass the class axis as axis",
    ),
    (
        dict(labels=LABELS.astype(np.float32)),
        "labels must be integers of shape (2, 5) or probabilities of shape (2, 5, 3), to fit probs of shape (2, 5, 3), "
        "got float32 of shape (2, 5); class indices are integers: labels.astype(jnp.int32)",
    ),
    (
        dict(labels=PROBS, ignore_index=2),
        "ignore_index must come with labels that are class indices, got float32; pass mask instead",
    ),
    (
        dict(labels=PROBS > 0, axis=None, ignore_index=2),
        "ignore_index must come with labels that are class indices, got bool; pass mask instead",
    ),
    (
        dict(labels=PROBS, axis=None, class_weights=np.ones(3)),
        "class_weights must come with a class axis, got axis=None",
    ),
    (dict(batch_axes=1.0), "batch_axes must be an integer or a tuple of them, got 1.0"),
    (dict(squared=1), "squared must be a bool, got 1"),
    (dict(class_weights=np.ones(2)), "class_weights must have shape (3,), one for each class, got (2,)"),
]


@pytest.mark.parametrize("change, says", MESSAGES)
def test_messages(change, says):
    with pytest.raises((ValueError, TypeError)) as error:
        jaxloss.dice_loss(**{"probs": PROBS, "labels": LABELS, **change})
    assert str(error.value) == f"dice_loss: {says}"


def test_checked_names_the_pixel():
    labels = np.zeros((2, 5, 4), int)
    labels[1, 2, 3] = 7
    with pytest.raises(ValueError, match=r"^dice_loss: labels must lie in \[0, 3\), got 7 at index \(1, 2, 3\)$"):
        jaxloss.checked(jaxloss.dice_loss)(np.full((2, 5, 4, 3), 0.5, np.float32), labels)


def test_ignore_index_with_and_without_a_class_axis():
    p = softmax(2, 9, 1)
    y = np.random.default_rng(0).choice([0, 1, 255], (2, 9))
    p[y == 255] = np.nan
    wanted = jaxloss.dice_loss(np.where(y == 255, 0, p[..., 0]), y == 1, mask=y != 255, axis=None)
    assert jaxloss.dice_loss(p[..., 0], y.astype(np.uint8), axis=None, ignore_index=255) == wanted
