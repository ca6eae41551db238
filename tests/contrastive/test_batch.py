"""One number for a whole batch: both forms of its sums, copies, microbatches, devices, numbers at the edge, memory."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxloss

from ..harness.numbers import close, temporaries
from . import formulas


VIEWS = {jaxloss.vicreg_loss: formulas.vicreg, jaxloss.barlow_twins_loss: formulas.barlow_twins}
REDUCTIONS = ("mean", "sum", "none", "total")
of_views = pytest.mark.parametrize("loss", VIEWS, ids=lambda loss: loss.__name__)


def views(rows, features, seed=0):
    return np.random.default_rng(seed).normal(size=(2, rows, features)).astype(np.float32)


def labelled(rows, features=4, count=3, seed=0):
    rng = np.random.default_rng(seed)
    x, proxies = (rng.normal(size=(length, features)).astype(np.float32) for length in (rows, count))
    return x, proxies, rng.integers(0, count, rows)


def calls(rows, features):
    """Of each loss, as a function of the arrays with a row for each of the batch, and these."""
    a, b = views(rows, features)
    x, proxies, labels = labelled(rows, features)
    by_labels = lambda x, labels, *rest, **exit: jaxloss.proxy_anchor_loss(x, proxies, labels, *rest, **exit)  # noqa: E731
    return [*((loss, (a, b)) for loss in VIEWS), (by_labels, (x, labels))]


# Squares beside the diagonal in one block, in two, and by rows x rows.
FORMS = [(6, 4), (560, 1100), (3, 9), (5, 700)]


@pytest.mark.usefixtures("compiles_fast")
@of_views
@pytest.mark.parametrize("shape", FORMS, ids=str)
def test_both_forms_are_the_formula(loss, shape, x64):
    """In the value and along a direction."""
    a, b, d_a, d_b = (0.5 * x.astype(np.float64) for seed in (0, 1) for x in views(*shape, seed))  # below a kink
    counts = np.random.default_rng(2).uniform(0.5, 2, len(a))
    value, slope = jax.jit(lambda x, v: jax.jvp(lambda a, b: loss(a, b, counts), x, v))((a, b), (d_a, d_b))
    gradient = jax.jit(jax.grad(lambda a, b: loss(a, b, counts), (0, 1)))(a, b)
    at = lambda step: VIEWS[loss](a + step * d_a, b + step * d_b, counts)  # noqa: E731
    step = 1e-5
    wanted = (8 * (at(step) - at(-step)) - at(2 * step) + at(-2 * step)) / (12 * step)
    close(value, at(0), rtol=1e-11)
    close(slope, wanted, rtol=1e-7)
    close(np.vdot(gradient[0], d_a) + np.vdot(gradient[1], d_b), wanted, rtol=1e-7)


@pytest.mark.usefixtures("compiles_fast")
@pytest.mark.parametrize("features", [4, 30])
def test_weights_are_copies_of_rows(features, x64):
    """Of value and gradient; 0 is none."""
    counts = np.array([2, 0, 1, 3, 1])
    for f, (x, other) in calls(5, features):
        x, more = x.astype(np.float64), np.repeat(np.arange(5), counts)
        value, slope = jax.jit(jax.value_and_grad(f))(x, other, counts)
        wanted, slopes = jax.jit(jax.value_and_grad(f))(x[more], other[more])
        close(value, wanted, rtol=1e-12)
        added = np.zeros_like(x)
        np.add.at(added, more, np.asarray(slopes))
        close(slope, added, rtol=1e-9, atol=1e-12)


def test_proxies_give_a_weight_of_0_a_slope(x64):
    (x, proxies, _), labels = labelled(5), np.array([0, 0, 1, 1, 2])
    weights, step = np.array([0, 1, 2, 1, 1.5]), np.array([1e-6, 0, 0, 0, 0])
    f = lambda weights: jaxloss.proxy_anchor_loss(x.astype(float), proxies, labels, weights, alpha=2.0)  # noqa: E731
    close(jax.grad(f)(weights)[0], (f(weights + step) - f(weights)) / 1e-6, rtol=1e-4)


@pytest.mark.usefixtures("compiles_fast")
def test_one_number_and_totals_that_add_up_to_its_mean():
    for f, arrays in calls(12, 4):
        ways = jax.jit(lambda arrays, mask, f=f: {way: f(*arrays, mask=mask, reduction=way) for way in REDUCTIONS})
        everywhere = np.ones(4, bool)
        each = [ways([x[start : start + 4] for x in arrays], everywhere) for start in (0, 4, 8)]
        empty = ways([x[:4] for x in arrays], ~everywhere)
        for number in each:
            assert number["mean"] == number["sum"] == number["none"] == number["total"].total
            assert number["none"].shape == () and number["total"].weight == 1
        assert empty["mean"] == empty["none"] == empty["total"].total == empty["total"].weight == 0
        totals = sum(number["total"] for number in [*each, empty])
        close(totals.mean(), np.mean([number["mean"] for number in each]))


@pytest.mark.usefixtures("compiles_fast")
@of_views
def test_few_rows_of_many_features_on_devices(loss):
    """Rows are gathered where rows x rows is less than features x features: of the joint batch."""
    a, b = views(8, 40)
    counts = np.array([1, 2, 0, 1, 1, 3, 1, 0], np.float32)
    wanted = jax.value_and_grad(loss, (0, 1))(a, b, counts)
    mesh = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:4])

    def f(*arrays):
        return jax.value_and_grad(functools.partial(loss, axis_name="data"), (0, 1))(*arrays)

    near = functools.partial(close, rtol=1e-4, atol=1e-4)
    for check_vma in (True, False):
        mapped = jax.shard_map(f, mesh=mesh, in_specs=P("data"), out_specs=(P(), P("data")), check_vma=check_vma)
        value, (of_a, of_b) = jax.jit(mapped)(a, b, counts)
        times = 1 if check_vma else 4
        jax.tree.map(near, (value, (of_a / times, of_b / times)), wanted)
    explicit = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Explicit,), devices=jax.devices()[:4])
    placed = jax.device_put((a, b, counts), NamedSharding(explicit, P("data")))
    jax.tree.map(near, jax.jit(jax.value_and_grad(loss, (0, 1)))(*placed), wanted)


# --- numbers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 3), (3, 20)], ids=str)
def test_vicreg_of_rows_that_are_equal(shape):
    """Its variances are 0, where a root has no slope."""
    x = np.ones(shape, np.float32)
    value, slopes = jax.value_and_grad(functools.partial(jaxloss.vicreg_loss, eps=0.0), (0, 1))(x, x)
    assert value == 25 and not np.any(slopes)


def test_a_covariance_of_nothing_is_never_negative():
    """Of rows by rows, where the diagonal is subtracted; also under a weight of 0, where it overflows."""
    only = {"invariance_weight": 0.0, "variance_weight": 0.0}
    x = np.zeros((50, 3, 8), np.float32)
    x[:, :, 0] = np.random.default_rng(0).normal(size=(50, 3))
    losses = jax.vmap(lambda x: jaxloss.vicreg_loss(x, x, **only))(x)
    assert np.all(losses >= 0) and np.all(losses < 1e-5)
    value, slope = jax.value_and_grad(functools.partial(jaxloss.vicreg_loss, covariance_weight=0.0))(
        *views(4, 3) * 1e15
    )
    assert np.isfinite(value) and np.all(np.isfinite(slope))


@pytest.mark.parametrize("size", [1e-25, 1, 1e25])
def test_barlow_twins_does_not_see_scale(size):
    a, b = views(6, 4)
    value, slope = jax.value_and_grad(functools.partial(jaxloss.barlow_twins_loss, eps=0.0))(a, b)
    f = jax.jit(jax.value_and_grad(functools.partial(jaxloss.barlow_twins_loss, eps=0.0)))
    scaled, its = f(np.float32(size) * a, np.float32(size) * b)
    close(scaled, value)
    close(its * np.float32(size), slope, rtol=1e-4, atol=1e-6)


def test_a_small_barlow_twins_loss_keeps_its_digits():
    """Features that are uncorrelated, and vary by 1: what is left is that of `eps`."""
    x = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]], np.float32)
    close(jaxloss.barlow_twins_loss(x, x), 2 * (1e-5 / (1 + 1e-5)) ** 2)


def test_float16_is_widened_before_it_is_squared():
    a, b = 300 * views(8, 4)
    wanted = formulas.vicreg(*np.float16([a, b]).astype(np.float64), np.ones(8))
    close(jaxloss.vicreg_loss(np.float16(a), np.float16(b)), wanted)


# --- proxies -------------------------------------------------------------------------------------------------------


def test_a_class_far_off_still_counts_where_others_devices_have_no_row_of_it():
    """exp(-alpha) is 0 beside what a device without a row starts from, unless that is the least there is."""
    x, proxies = np.eye(2, dtype=np.float32), np.array([[1, 0], [1, 0]], np.float32)
    labels, alpha = np.array([0, 1]), 300.0
    f = lambda *arrays, **exit: jaxloss.proxy_anchor_loss(arrays[0], proxies, arrays[1], alpha=alpha, **exit)  # noqa: E731
    wanted = formulas.proxy_anchor(x.astype(np.float64), labels, np.ones(2), proxies, alpha=alpha)
    close(f(x, labels), wanted)
    close(jax.vmap(functools.partial(f, axis_name="data"), axis_name="data")(x[:, None], labels[:, None]), wanted)


@pytest.mark.usefixtures("compiles_fast")
def test_a_label_out_of_range_spoils_all_slopes():
    """Also of rows that no sum has along with it; unless it is masked."""
    x, proxies, _ = labelled(2, count=2)
    f = jax.jit(jax.value_and_grad(jaxloss.proxy_anchor_loss, (0, 1)))
    alone = f(x[1:], proxies, np.array([1]))
    for label in (-1, 2):
        _, slopes = f(x, proxies, np.array([label, 1]))
        assert all(np.all(np.isnan(slope)) for slope in slopes)
        value, (of_x, of_proxies) = f(x, proxies, np.array([label, 1]), mask=np.array([0, 1]))
        close(value, alone[0])
        close(of_x, np.pad(alone[1][0], [(1, 0), (0, 0)]))
        close(of_proxies, alone[1][1])


def test_what_proxies_must_be():
    x, proxies, labels = labelled(5)
    for wrong, says in [
        (proxies[0], r"proxies must have shape \[classes, features\], got \(4,\)"),
        (proxies[:, :2], r"proxies must have 4 features, got shape \(3, 2\)"),
    ]:
        with pytest.raises(ValueError, match=f"^proxy_anchor_loss: {says}"):
            jaxloss.proxy_anchor_loss(x, wrong, labels)
    with pytest.raises(TypeError, match=r"^proxy_anchor_loss: labels must be integers"):
        jaxloss.proxy_anchor_loss(x, proxies, labels.astype(np.float32))


# --- memory --------------------------------------------------------------------------------------------------------


def sized(*shape, dtype=jnp.float32):
    return jax.ShapeDtypeStruct(shape, dtype)


@pytest.mark.parametrize(
    "loss, arguments, most",
    [
        (jaxloss.vicreg_loss, [sized(512, 8192)] * 2, 200),
        (jaxloss.barlow_twins_loss, [sized(512, 8192)] * 2, 200),
        (jaxloss.vicreg_loss, [sized(2048, 4096)] * 2, 400),
        (jaxloss.barlow_twins_loss, [sized(2048, 4096)] * 2, 420),
        (jaxloss.proxy_anchor_loss, [sized(8192, 64), sized(32768, 64), sized(8192, dtype=jnp.int32)], 100),
    ],
    ids=lambda x: x.__name__ if callable(x) else None,
)
def test_temporaries(loss, arguments, most):
    """Of value and gradient, in MiB; all at once they take 1392, 672, 544, 448, and classes x batch alone 1024."""
    assert temporaries(jax.value_and_grad(loss, (0, 1)), *arguments) <= most * 2**20
