"""`reduce` and `Total`: rows by hand, the algebra of totals, and properties over random shapes and dtypes."""

from __future__ import annotations

import functools
import pickle
import re
from collections.abc import Callable
from typing import Any

import flax.serialization
import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import orbax.checkpoint
import pytest
from jax import lax
from jax.sharding import AxisType, PartitionSpec as P

import jaxloss
from jaxloss import Total
from jaxloss._contract.types import Reduction

from ..harness.formulas import log_normalizer, one_hot


F32, F16, BF16 = np.float32, np.float16, ml_dtypes.bfloat16
NAN, INF = np.nan, np.inf
T, F = True, False
REDUCTIONS = ("mean", "sum", "none", "total")


def reduced(loss, *arguments, reductions=REDUCTIONS, **options) -> dict[str, Any]:
    """Several reductions in one compilation."""
    return jax.jit(lambda arguments: {r: loss(*arguments, **options, reduction=r) for r in reductions})(arguments)


def same(found: dict[str, Any], none: Any, weight: float, **tolerance: float) -> None:
    """The reductions that were found are right, given the weighted per-element losses and the weight."""
    none = np.asarray(none, np.float64)
    total = none.sum()
    mean = total / weight if weight else 0
    expected = {"mean": mean, "sum": total, "none": none, "total": Total(jnp.float32(total), jnp.float32(weight))}
    assert all(leaf.dtype == F32 for leaf in jax.tree.leaves(found))
    assert found.get("none", none).shape == none.shape
    close = functools.partial(np.testing.assert_allclose, **({"rtol": 1e-5, "atol": 1e-6} | tolerance))
    for reduction, result in found.items():
        jax.tree.map(close, result, expected[reduction])


# --- rows by hand -------------------------------------------------------------------------------------------------


f32 = functools.partial(np.array, dtype=F32)
SQUARE = f32([[1, 2, 3], [4, 5, 6]])

# losses, weights, mask, weighted losses, weight
BY_HAND = {
    "plain": (f32([1, 2, 3]), None, None, [1, 2, 3], 3),
    "weights": (f32([1, 2, 3]), f32([1, 0, 3]), None, [1, 0, 9], 4),
    "mask": (f32([1, 2, 3]), None, np.array([T, F, T]), [1, 0, 3], 2),
    "both": (f32([1, 2, 3]), f32([2, 7, 0.5]), np.array([T, F, T]), [2, 0, 1.5], 2.5),
    "scalars": (f32([1, 2, 3]), f32(2), np.array(T), [2, 4, 6], 6),
    "Python scalars": (f32([1, 2, 3]), 2, 1, [2, 4, 6], 6),
    "nothing left": (f32([1, 2, 3]), None, np.array(F), [0, 0, 0], 0),
    "weight 0 left": (f32([1, 2, 3]), f32([5, 0, 0]), np.array([F, T, T]), [0, 0, 0], 0),
    "scalar": (f32(3), f32(2), np.array(T), 6, 2),
    "rows by columns": (SQUARE, f32([[2], [1]]), np.array([[T, F, T]]), [[2, 0, 6], [4, 0, 6]], 6),
    "columns by rows": (SQUARE, f32([[1, 2, 3]]), np.array([[F], [T]]), [[0, 0, 0], [4, 10, 18]], 6),
    "ones": (SQUARE, f32([[0.5]]), np.array([[T]]), SQUARE / 2, 3),
    "weight of a row": (SQUARE, f32([[2], [0]]), None, [[2, 4, 6], [0, 0, 0]], 6),
    "NaN under the mask": (f32([1, NAN, INF]), f32([2, 1, 1]), np.array([T, F, F]), [2, 0, 0], 2),
    "NaN in a masked weight": (f32([1, 2, 3]), f32([2, NAN, INF]), np.array([T, F, F]), [2, 0, 0], 2),
    "NaN of weight 0 shows": (f32([1, NAN]), f32([1, 0]), None, [1, NAN], 1),
    "inf of weight 0 shows": (f32([1, INF]), f32([1, 0]), None, [1, NAN], 1),
    "inf shows": (f32([1, INF]), None, None, [1, INF], 2),
    "mask of integers": (f32([1, 2, 3]), None, np.array([1, 0, 1], np.int8), [1, 0, 3], 2),
    "mask of floats": (f32([1, NAN, 3]), None, np.array([1, 0, 1], F16), [1, 0, 3], 2),
    "mask of neither 0 nor 1": (f32([1, 2, 3]), None, f32([1, 0, 2]), [1, 0, NAN], NAN),
    "weights of integers": (f32([1, 2, 3]), np.array([1, 0, 3]), None, [1, 0, 9], 4),
    "weights of bools": (f32([1, 2, 3]), np.array([T, F, T]), None, [1, 0, 3], 2),
    "weights of half precision": (f32([1, 2, 2049]), np.array([1, 0, 3], F16), None, [1, 0, 6147], 4),
    "integers": (np.array([1, 2, 4]), f32([0.5, 1, 1]), np.array([T, T, F]), [0.5, 2, 0], 1.5),
    "unsigned bytes": (np.array([200, 200], np.uint8), np.array([2, 2], np.uint8), None, [400, 400], 4),
    "bools": (np.array([T, F, T, T]), None, np.array([T, T, T, F]), [1, 0, 1, 0], 3),
    "float16": (np.array([6e4, 6e4, 1], F16), f32([1, 1, 4096]), None, [59_999.99, 59_999.99, 4096], 4098),
    "bfloat16": (np.array([256, 1, 1], BF16), None, None, [256, 1, 1], 3),
    "empty": (f32([]), f32([]), np.array([], bool), [], 0),
    "empty rows": (np.zeros((2, 0), F32), f32([[1], [2]]), None, np.zeros((2, 0)), 0),
    "empty columns": (np.zeros((0, 3), F32), None, np.array([[T, F, T]]), np.zeros((0, 3)), 0),
}


@pytest.mark.parametrize("row", BY_HAND)
def test_by_hand(row):
    losses, weights, mask, none, weight = BY_HAND[row]
    same(reduced(jaxloss.reduce, losses, weights, mask), none, weight)


@pytest.mark.parametrize("row", ["plain", "weights", "both", "nothing left", "weight 0 left", "NaN under the mask"])
def test_gradients_by_hand(row):
    """Also of the weights, which the divisor of the mean holds too."""
    losses, weights, mask, _, total = BY_HAND[row]
    weights = np.ones_like(losses) if weights is None else weights
    live = np.ones(3, bool) if mask is None else np.broadcast_to(mask, 3)
    counts = np.where(live, weights, 0)
    scale = 1 / total if total else 0
    average = (counts * np.where(live, losses, 0)).sum() * scale

    @jax.jit
    def slopes(losses, weights):
        return [
            (
                derive(lambda losses: jaxloss.reduce(losses, weights, mask))(losses),
                derive(lambda weights: jaxloss.reduce(losses, weights, mask))(weights),
                derive(lambda weights: jaxloss.reduce(losses, weights, mask, reduction="sum"))(weights),
            )
            for derive in (jax.grad, jax.jacfwd)
        ]

    for of_losses, of_weights, of_weights_in_sum in slopes(losses, weights):
        np.testing.assert_allclose(of_losses, counts * scale, rtol=1e-6)
        np.testing.assert_allclose(of_weights, np.where(live, losses - average, 0) * scale, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(of_weights_in_sum, np.where(live, losses, 0), rtol=1e-6)


def test_messages():
    losses = jnp.ones((2, 3))
    wrong = {
        "reduce: reduction must be 'mean', 'sum', 'none' or 'total', got 'average'": {"reduction": "average"},
        "reduce: axis_name must be left out with reduction='none', which reduces nothing, got 'i'": {
            "reduction": "none",
            "axis_name": "i",
        },
        "reduce: axis must be left out with reduction='none', which reduces nothing, got 0": {
            "reduction": "none",
            "axis": 0,
        },
        "reduce: axis must be an axis of losses, of shape (2, 3), got 2": {"axis": 2},
        "reduce: weights must be a scalar or match the per-element losses, of shape (2, 3), axis by axis (each "
        "dimension equal or 1), got shape (2,); reshape it to (2, 1)": {"weights": jnp.ones(2)},
        "reduce: mask must be a scalar or match the per-element losses, of shape (2, 3), axis by axis (each "
        "dimension equal or 1), got shape (3,); reshape it to (1, 3)": {"mask": jnp.ones(3)},
    }
    for message, keywords in wrong.items():
        with pytest.raises(ValueError, match=f"^{re.escape(message)}(\n|$)"):
            jaxloss.reduce(losses, **keywords)
    with pytest.raises(ValueError, match=re.escape("reduce: mask must be bool, or 0 and 1, got 2.0 at index (1, 0)")):
        jaxloss.checked(jaxloss.reduce)(losses, mask=jnp.array([[1.0], [2.0]]))
    with pytest.raises(TypeError, match="reduce: losses must hold real numbers, got complex64"):
        jaxloss.reduce(jnp.ones(3, jnp.complex64))


AXES = [(0, (0,)), (-1, (2,)), ((1, -1), (1, 2)), ((2, 0, 1), None)]
TAILS = [None, (), (4, 1, 1), (1, 3, 2), (4, 3, 2)]


@pytest.mark.thin(3)
@pytest.mark.parametrize(("axis", "places"), AXES)
@pytest.mark.parametrize("weighted", TAILS)
@pytest.mark.parametrize("masked", TAILS)
def test_each_remaining_entry_by_itself(axis, places, weighted, masked):
    """As all of it alone: the mean of an entry without weight is 0, and no slope reaches another one."""
    rng = np.random.default_rng(0)
    losses = rng.normal(size=(4, 3, 2)).astype(np.float32)
    weights = None if weighted is None else rng.uniform(0.5, 2, weighted).astype(np.float32)
    mask = None if masked is None else rng.random(masked) < 0.6
    w = np.broadcast_to(1.0 if weights is None else weights.astype(np.float64), losses.shape)
    w = w * np.broadcast_to(True if mask is None else mask, losses.shape)
    dirty = np.where(w == 0, np.nan, losses)
    total, weight = (losses * w).sum(places), w.sum(places)
    mean = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)

    @jax.jit
    def all_of_it(x):
        call = functools.partial(jaxloss.reduce, x, weights, mask, axis=axis)
        slopes = jax.grad(lambda x: jnp.sum(jaxloss.reduce(x, weights, mask, axis=axis) ** 2))(x)
        return call(), call(reduction="sum"), call(reduction="total"), slopes

    found, found_sum, found_total, slopes = all_of_it(dirty)
    np.testing.assert_allclose(found, mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found_sum, total, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found_total.weight, weight, rtol=1e-6)
    np.testing.assert_allclose(found_total.mean(), mean, rtol=1e-5, atol=1e-6)
    each = np.expand_dims(np.divide(mean, weight, out=np.zeros_like(mean), where=weight > 0), places or (0, 1, 2))
    np.testing.assert_allclose(slopes, 2 * each * w, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scale", [2e-38, 1.0, 3e38])
def test_the_scale_of_the_weights_of_each_entry(scale):
    """Across devices, too, each of which has another one."""
    losses, weights = jnp.array([[1.0, 3.0], [2.0, 6.0]]), jnp.array([[scale, scale], [1.0, 3.0]])
    np.testing.assert_allclose(jaxloss.reduce(losses, weights, axis=-1), [2, 5], rtol=1e-6)
    across = jax.vmap(lambda x, w: jaxloss.reduce(x, w, axis=0, axis_name="i"), axis_name="i")
    found = across(jnp.stack([losses, losses]), jnp.stack([weights.T, weights.T * 2.0**-100]))
    np.testing.assert_allclose(found, jnp.stack([jaxloss.reduce(losses, weights.T, axis=0)] * 2), rtol=1e-6)


# --- Total --------------------------------------------------------------------------------------------------------


totals: Callable[..., Any] = functools.partial(jaxloss.reduce, reduction="total")


def part(*losses: float, weight: float = 1) -> Any:
    return totals(jnp.array(losses), jnp.float32(weight))


def test_totals_add_up():
    one, two, nothing = part(1, 2, 3), part(10, weight=2), part()
    for total in (one + two, sum([one, two]), sum([nothing, two, one]), jax.tree.map(jnp.add, one, two)):
        assert isinstance(total, Total)
        assert (total.total, total.weight, total.mean()) == (26, 5, 5.2)
    assert (one.total, one.weight) == (6, 3)
    assert sum([]) == 0
    assert sum([one]) == one


@pytest.mark.parametrize("other", [1, 0.5, None, (1, 2), "0"])
def test_a_total_adds_to_nothing_but_totals(other):
    with pytest.raises(TypeError):
        _ = part(1) + other
    with pytest.raises(TypeError):
        _ = other + part(1)


def test_a_total_times_a_number_scales_each_loss():
    """And not the weight, as `jax.tree.map` would, which leaves the mean as it was."""
    total = part(1, 2, 6)
    for number in (2, 2.0, np.float32(2), np.array(2.0), jnp.float32(2)):
        for scaled in (total * number, number * total, total / (1 / number)):
            assert (scaled.total, scaled.weight, scaled.mean()) == (18, 3, 6)
    running = jax.lax.scan(lambda t, _: (t + part(1), None), part(2e9, weight=1), None, length=100)[0]
    assert (running * 2).mean() == 2 * running.mean()


def test_a_divisor_of_ones_own():
    """A sum over features and a mean over rows, of rows that are spread over devices unevenly."""
    losses, mask = np.arange(12.0).reshape(4, 3), np.array([[1], [1], [1], [0]], bool)

    def per_row(losses, mask):
        return totals(losses, None, mask).with_weight(jnp.sum(mask)).psum("i").mean()

    found = jax.vmap(per_row, axis_name="i")(losses.reshape(2, 2, 3), mask.reshape(2, 2, 1))
    np.testing.assert_allclose(found, [36 / 3] * 2)
    assert part(1, 2).with_weight(4).mean() == 0.75
    assert (part(1, 2) + part(5)).with_weight(4).mean() == 2


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda t: t - 1, "nothing can be subtracted from a Total; to take a number off each loss: Total(t.total - n"),
        (lambda t: t - t, "nothing can be subtracted from a Total"),
        (lambda t: t * t, "unsupported operand"),
        (lambda t: t / t, "unsupported operand"),
        (lambda t: t.sum(), "a Total has no attribute 'sum'; give a metric total=t.total and count=t.weight"),
        (lambda t: t.maen(), "a Total has no attribute 'maen'"),
    ],
)
def test_what_a_total_does_not_do(use, message):
    with pytest.raises((TypeError, AttributeError), match=f"^{re.escape(message)}"):
        use(part(1, 2))


def test_the_mean_of_nothing_is_zero_with_zero_gradient():
    nothing = Total(jnp.zeros(()), jnp.zeros(()))
    for derive in (jax.grad, jax.jacfwd):
        assert derive(Total.mean)(nothing) == nothing
    assert nothing.mean() == 0
    # Of several totals only the empty ones.
    several = Total(jnp.array([0.0, 6.0]), jnp.array([0.0, 3.0]))
    np.testing.assert_array_equal(several.mean(), [0, 2])
    slopes = jax.grad(lambda totals: jnp.sum(totals.mean()))(several)
    np.testing.assert_allclose(slopes.total, [0, 1 / 3], rtol=1e-6)
    np.testing.assert_allclose(slopes.weight, [0, -6 / 9], rtol=1e-6)


def test_more_elements_than_32_bits_count():
    size = 2**16, 2**16
    weight = jax.jit(lambda x: jaxloss.reduce(jnp.broadcast_to(x, size), reduction="total").weight)(jnp.float32(1))
    assert float(weight) == 2**32


def test_a_total_is_frozen_and_pickles():
    total = part(1, 2)
    with pytest.raises(AttributeError):
        total.weight = jnp.ones(())
    assert pickle.loads(pickle.dumps(total)) == total
    assert [path[0].name for path, _ in jax.tree_util.tree_leaves_with_path(total)] == [
        *("total", "weight", "total_rest", "weight_rest")
    ]
    assert repr(total) == "Total(total=Array(3., dtype=float32), weight=Array(2., dtype=float32))"


LOSSES = f32(np.random.default_rng(0).normal(size=(2, 4, 5)))
COUNTS = f32(np.random.default_rng(1).uniform(0, 2, (2, 4, 5)))
LIVE = np.random.default_rng(2).random((2, 4, 5)) < 0.5
LIVE[1] = False  # a device without an element
COUNT = (COUNTS * LIVE).sum(dtype=np.float64)
SUM = (LOSSES * COUNTS * LIVE).sum(dtype=np.float64)


def check(total: Total) -> None:
    np.testing.assert_allclose(total.total, SUM, rtol=1e-5)
    np.testing.assert_allclose(total.weight, COUNT, rtol=1e-5)
    np.testing.assert_allclose(total.mean(), SUM / COUNT, rtol=1e-5)


def test_totals_through_transforms():
    arrays = tuple(x.reshape(8, 5) for x in (LOSSES, COUNTS, LIVE))
    check(jax.jit(totals)(*arrays))
    check(jax.tree.map(jnp.sum, jax.vmap(totals)(*arrays)))
    start = Total(jnp.zeros(()), jnp.zeros(()))
    check(lax.scan(lambda total, row: (total + totals(*row), None), start, arrays)[0])
    check(lax.fori_loop(0, 8, lambda i, total: total + totals(*(jnp.asarray(x)[i] for x in arrays)), start))
    zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(totals, *arrays))
    assert zeros == start
    check(jax.jit(lambda totals: sum(totals, start=zeros))([totals(*(x[i] for x in arrays)) for i in range(8)]))


def test_totals_across_mapped_axes():
    """By `psum` afterwards or by `axis_name` in the call, over one name and over two."""
    local = jax.vmap(lambda *x: totals(*x).psum("i"), axis_name="i")
    direct = jax.vmap(functools.partial(totals, axis_name="i"), axis_name="i")
    for f in (local, direct):
        across = f(*(x.reshape(8, 5) for x in (LOSSES, COUNTS, LIVE)))
        for i in range(8):
            check(jax.tree.map(lambda x, i=i: x[i], across))

    def nested(f):
        return jax.vmap(jax.vmap(f, axis_name="inner"), axis_name="outer")(LOSSES, COUNTS, LIVE)

    for across in (
        nested(lambda *x: totals(*x).psum(("outer", "inner"))),
        nested(lambda *x: totals(*x).psum("inner").psum("outer")),
        nested(functools.partial(totals, axis_name=("inner", "outer"))),
    ):
        assert across.total.shape == (2, 4)
        check(jax.tree.map(lambda x: x[1, 2], across))
    inner = nested(lambda *x: totals(*x).psum("inner"))
    np.testing.assert_allclose(inner.weight[0], np.full(4, COUNT), rtol=1e-5)
    assert not np.any(inner.mean()[1])
    reductions: dict[Reduction, float] = {"sum": SUM, "mean": SUM / COUNT}
    for reduction, expected in reductions.items():
        across = nested(functools.partial(jaxloss.reduce, reduction=reduction, axis_name=("outer", "inner")))
        np.testing.assert_allclose(across, np.full((2, 4), expected), rtol=1e-5)


# --- weights of every scale, and very many of them ----------------------------------------------------------------


SCALES = [5e-38, 1e-30, 1.0, 1e30, 1.5e38, 3e38]  # below 1.2e-38 XLA for CPUs takes a number for 0


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shape", [(), (1, 1), (4, 1), (4, 3)])
def test_the_mean_does_not_depend_on_the_scale_of_the_weights(shape, scale):
    rng = np.random.default_rng(0)
    losses = f32(rng.uniform(0, 3, (4, 3)))
    weights = f32(rng.uniform(0.3, 1, shape) * scale)
    w = weights.astype(np.float64)
    every = np.broadcast_to(w, (4, 3))
    mean = (every * losses).sum() / every.sum()
    value, slopes = jax.value_and_grad(jaxloss.reduce)(losses, weights)
    np.testing.assert_allclose(value, mean, rtol=1e-6)
    np.testing.assert_allclose(slopes, every / every.sum(), rtol=1e-6)
    by_weight = jax.grad(lambda w: jaxloss.reduce(losses, w))(weights)
    expected = (losses - mean) / every.sum()
    axes = tuple(axis for axis in range(2) if not shape or shape[axis] == 1)
    expected = expected.sum(axes, keepdims=bool(shape)).reshape(shape)
    atol = 1e-6 * abs(losses - mean).sum() / every.sum() + 1.2e-38
    np.testing.assert_allclose(by_weight, expected, rtol=2e-5, atol=atol)


@pytest.mark.parametrize("check_vma", [True, False])
@pytest.mark.parametrize(
    "scales", [(1e-30, 1, 1e30, 3e38), (5e-38, 1e-30, 5e-38, 1e-37), (0, 0, 0, 3e38), (0, 0, 0, 0)]
)
def test_devices_whose_weights_are_of_another_scale(scales, check_vma):
    rng = np.random.default_rng(0)
    losses, weights = f32(rng.uniform(0, 3, (4, 3))), f32(rng.uniform(0.3, 1, (4, 3)) * np.array(scales)[:, None])
    mesh = jax.make_mesh((2, 2), ("a", "b"), axis_types=(AxisType.Auto,) * 2)
    f = functools.partial(jaxloss.reduce, axis_name=("a", "b"))
    mapped = jax.shard_map(f, mesh=mesh, in_specs=P(("a", "b")), out_specs=P(), check_vma=check_vma)
    every = weights.astype(np.float64)
    share = every / max(every.sum(), 1e-300)
    mean, slopes = jax.jit(jax.value_and_grad(mapped))(losses, weights)
    np.testing.assert_allclose(mean, (share * losses).sum(), rtol=1e-6)
    np.testing.assert_allclose(slopes, share, rtol=1e-6, atol=1e-30)


def test_very_many_small_weights():
    weights = jnp.full(2**20, 1e-37)
    losses = jnp.arange(2.0**20)
    np.testing.assert_allclose(jaxloss.reduce(losses, weights), (2**20 - 1) / 2, rtol=1e-6)


def test_class_weights_of_every_scale():
    for scale in SCALES:
        weights = f32([scale, scale])
        np.testing.assert_allclose(
            jaxloss.cross_entropy(jnp.zeros((4, 2)), jnp.array([0, 1, 1, 0]), class_weights=weights), np.log(2)
        )
        found = jaxloss.linear_cross_entropy(
            jnp.ones((4, 3)), jnp.zeros((3, 2)), jnp.array([0, 1, 1, 0]), class_weights=weights
        )
        np.testing.assert_allclose(found, np.log(2), rtol=1e-6)


def test_a_total_that_overflows_has_no_plausible_mean():
    total = jaxloss.reduce(jnp.array([1.0, 3.0]), jnp.full(2, 3e38), reduction="total")
    assert np.isinf(total.weight) and np.isnan(total.mean())
    assert np.isnan(Total(jnp.float32(1), jnp.float32(jnp.inf)).mean())
    assert Total(jnp.float32(jnp.inf), jnp.float32(2)).mean() == np.inf
    assert (Total(jnp.float32(jnp.inf), jnp.float32(2)) + Total(jnp.float32(1), jnp.float32(2))).mean() == np.inf


def test_a_running_total_never_stops_counting():
    """2^26 additions one by one, then some from 1e9 on; float32 alone stops at 2^24."""

    def run(total, loss, count):
        one = Total(loss, jnp.ones(()))
        return lax.fori_loop(0, count, lambda _, total: total + one, total)

    start = Total(jnp.zeros(()), jnp.zeros(()))
    total = jax.jit(run, static_argnums=2)(start, jnp.float32(0.1), 2**26)
    np.testing.assert_allclose(total.mean(), F32(0.1), rtol=1e-6)
    np.testing.assert_allclose(total.weight, 2**26, rtol=1e-6)
    many = Total(jnp.float32(2e9), jnp.float32(1e9))
    more = jax.jit(run, static_argnums=2)(many, jnp.float32(4), 2**20)
    np.testing.assert_allclose(np.float64(more.weight) + np.float64(more.weight_rest), 1e9 + 2**20, rtol=1e-12)
    np.testing.assert_allclose(more.mean(), (2e9 + 4 * 2**20) / (1e9 + 2**20), rtol=1e-6)


def test_a_running_total_is_differentiated_like_its_sum():
    def running(losses, weights):
        rows = jax.vmap(lambda loss, weight: Total(loss * weight, weight))(losses, weights)
        start = Total(jnp.zeros(()), jnp.zeros(()))
        return lax.scan(lambda total, row: (total + row, None), start, rows)[0].mean()

    rng = np.random.default_rng(0)
    losses, weights = f32(rng.normal(size=50)), f32(rng.uniform(0, 2, 50))
    for derive in (jax.grad, jax.jacfwd):
        for place in (0, 1):
            expected = derive(lambda l, w: jnp.sum(l * w) / jnp.sum(w), place)(losses, weights)
            np.testing.assert_allclose(derive(running, place)(losses, weights), expected, rtol=1e-4, atol=1e-6)


def test_totals_leave_the_process(tmp_path):
    """By `jax.export`, with derivatives; by Flax's bytes and state dicts; by Orbax. (Pickled: above.)"""
    (size,) = jax.export.symbolic_shape("n")
    shape = jax.ShapeDtypeStruct((size,), jnp.float32)
    call = jax.jit(functools.partial(jaxloss.mse_loss, reduction="total"))
    exported = jax.export.deserialize(jax.export.export(call)(shape, shape).serialize(vjp_order=2))
    x, y = jnp.arange(3.0), jnp.ones(3)
    assert exported.call(x, y) == call(x, y)
    np.testing.assert_allclose(jax.grad(lambda x: exported.call(x, y).mean())(x), 2 / 3 * (x - y), rtol=1e-6)
    twice = jax.export.export(jax.jit(lambda total: total + total))(call(x, y))
    assert jax.export.deserialize(twice.serialize()).call(call(x, y)).total == 4

    total = call(x, y) + Total(jnp.float32(1e8), jnp.float32(1e8))
    assert np.any(total.total_rest)
    empty = Total(jnp.zeros(()), jnp.zeros(()))
    assert flax.serialization.from_bytes(empty, flax.serialization.to_bytes(total)) == total
    state = flax.serialization.to_state_dict({"epoch": total})
    assert flax.serialization.from_state_dict({"epoch": empty}, state)["epoch"] == total
    with orbax.checkpoint.StandardCheckpointer() as checkpointer:
        checkpointer.save(tmp_path / "total", {"epoch": total})
        checkpointer.wait_until_finished()
        assert checkpointer.restore(tmp_path / "total", {"epoch": empty})["epoch"] == total


@pytest.mark.parametrize("axis_name", [("i", "i"), ("i", ("i",)), ("i", ("j", "i"))])
def test_a_mapped_axis_is_named_once(axis_name):
    x = jnp.ones((2, 3, 2))

    def mapped(f):
        return jax.vmap(jax.vmap(f, axis_name="i"), axis_name="j")(x)

    with pytest.raises(ValueError, match=r"reduce: axis_name must name each axis only once, got \('i', "):
        mapped(lambda x: jaxloss.reduce(x, axis_name=axis_name))
    with pytest.raises(ValueError, match=r"Total.psum: axis_name must name each axis only once, got \('i', "):
        mapped(lambda x: jaxloss.reduce(x, reduction="total").psum(axis_name).total)
    assert mapped(lambda x: jaxloss.reduce(x, axis_name=("i", ("j",)))).shape == (2, 3)


# --- properties ---------------------------------------------------------------------------------------------------


def examples(count: int):
    return hypothesis.settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[hypothesis.HealthCheck.too_slow],
    )


FLOATS = [F32, F16, BF16]
INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
seeds = st.integers(0, 2**32 - 1)
label_dtypes = st.sampled_from(FLOATS) | st.sampled_from([*INTEGERS, np.bool_])
one_reduction = st.sampled_from([(reduction,) for reduction in REDUCTIONS])
shapes = st.lists(st.sampled_from([0, 1, 2, 3]), max_size=3).map(tuple)
full_shapes = st.lists(st.sampled_from([1, 2, 3]), max_size=2).map(tuple)


def fitting(shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    """Absent, a scalar, or axis by axis."""
    by_axis = st.tuples(*(st.sampled_from([1, size]) for size in shape))
    return st.none() | st.just(()) | by_axis | st.just(shape)


def draw_weights(rng: np.random.Generator, shape: tuple[int, ...] | None) -> Any:
    """With zeros among them."""
    return None if shape is None else np.asarray(rng.uniform(0, 2, shape) * (rng.random(shape) < 0.7), F32)


def draw_mask(rng: np.random.Generator, shape: tuple[int, ...] | None) -> Any:
    mask = None if shape is None else np.asarray(rng.random(shape) < 0.6)
    return mask if mask is None or rng.random() < 0.7 else mask.astype([np.int32, F32][rng.integers(2)])


def soiled(rng: np.random.Generator, x: np.ndarray, mask: Any, axis: int | None = None) -> np.ndarray:
    """With junk where masked; along the class axis too."""
    if mask is None:
        return x
    rows = x.shape if axis is None else x.shape[:axis] + x.shape[axis + 1 :]
    live = np.broadcast_to(np.asarray(mask, bool), rows)
    live = live if axis is None else np.expand_dims(live, axis)
    junk = [NAN, INF, -INF, 1e30] if x.dtype.kind not in "iub" else [99, 100] if x.dtype.kind != "b" else [True]
    with np.errstate(over="ignore"):
        return np.where(live, x, np.asarray(rng.choice(junk), x.dtype)).astype(x.dtype)


def weigh(losses: np.ndarray, weights: Any, mask: Any, own: Any = 1.0) -> tuple[np.ndarray, float]:
    """The weighted losses and the weight, in float64; `own` is what elements count by themselves."""
    ones = np.ones(losses.shape)
    count = own * (1 if weights is None else weights.astype(np.float64)) * ones
    live = ones.astype(bool) if mask is None else (mask != 0) & ones.astype(bool)
    with np.errstate(invalid="ignore"):
        return np.where(live, losses * count, 0), np.where(live, count, 0).sum()


@examples(25)
@hypothesis.given(st.data(), shapes, st.sampled_from([*FLOATS, np.int32, np.bool_]), seeds)
def test_reduce_against_float64(data, shape, dtype, seed):
    rng = np.random.default_rng(seed)
    weights, mask = draw_weights(rng, data.draw(fitting(shape))), draw_mask(rng, data.draw(fitting(shape)))
    losses = soiled(rng, np.asarray(3 * rng.normal(size=shape)).astype(dtype), mask)
    same(reduced(jaxloss.reduce, losses, weights, mask), *weigh(losses.astype(np.float64), weights, mask))


@examples(25)
@hypothesis.given(st.integers(0, 4), st.sampled_from([(), (2,), (1, 3)]), st.booleans(), seeds)
def test_weights_count_copies_and_masks_leave_out(rows, tail, by_row, seed):
    """Weight k is k copies, a mask leaves out, and the order doesn't matter."""
    rng = np.random.default_rng(seed)
    losses = f32(rng.normal(size=(rows, *tail)))
    copies, live = rng.integers(0, 3, rows), rng.random(rows) < 0.7
    shape = (rows, *([1] * len(tail) if by_row else tail))
    weights, mask = (np.broadcast_to(x.reshape(rows, *[1] * len(tail)), shape) for x in (copies.astype(F32), live))
    counted = rng.permutation(np.repeat(losses[live], copies[live], 0))
    order = rng.permutation(rows)
    expected = jaxloss.reduce(counted, reduction="total")
    for found in (
        jaxloss.reduce(losses, weights, mask, reduction="total"),
        jaxloss.reduce(losses[order], weights[order], mask[order], reduction="total"),
    ):
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5), found, expected)


DOORS = {
    "reduce": lambda shape, **rest: jaxloss.reduce(jnp.ones(shape), **rest),
    "mse_loss": lambda shape, **rest: jaxloss.mse_loss(jnp.ones(shape), jnp.ones(shape), **rest),
    "cross_entropy": lambda shape, **rest: jaxloss.cross_entropy(
        jnp.ones((*shape, 4)), jnp.zeros(shape, jnp.int32), **rest
    ),
}


@examples(40)
@hypothesis.given(
    st.sampled_from(sorted(DOORS)),
    st.sampled_from(["weights", "mask"]),
    st.sampled_from([(), (1,), (3,), (2, 3), (3, 3), (2, 0), (2, 3, 1)]),
    shapes,
)
def test_no_other_shape_fits(door, name, shape, other):
    fits = other == () or (len(other) == len(shape) and all(a in (1, b) for a, b in zip(other, shape)))
    hypothesis.assume(not fits)
    expected = rf"^{door}: {name} must be .*{re.escape(str(shape))}.* got shape {re.escape(str(other))}"
    with pytest.raises(ValueError, match=expected) as error:
        DOORS[door](shape, **{name: jnp.ones(other)})
    # What it says would fit does.
    for remedy in re.findall(r"\([\d, ]*\)", str(error.value).partition("; reshape it to ")[2]):
        reshaped = tuple(int(size) for size in re.findall(r"\d+", remedy))
        assert np.prod(reshaped) == np.prod(other)
        assert all(a in (1, b) for a, b in zip(reshaped, shape, strict=True))


@examples(40)
@hypothesis.given(
    st.data(),
    shapes,
    st.sampled_from(FLOATS),
    label_dtypes,
    one_reduction,
    seeds,
)
def test_mse_loss_against_float64(data, shape, dtype, label_dtype, reductions, seed):
    rng = np.random.default_rng(seed)
    weights, mask = draw_weights(rng, data.draw(fitting(shape))), draw_mask(rng, data.draw(fitting(shape)))
    predictions = np.asarray(3 * rng.normal(size=shape)).astype(dtype)
    labels = np.asarray(abs(3 * rng.normal(size=shape))).astype(label_dtype)
    losses = (predictions.astype(np.float64) - labels.astype(np.float64)) ** 2
    predictions, labels = soiled(rng, predictions, mask), soiled(rng, labels, mask)
    found = reduced(jaxloss.mse_loss, predictions, labels, weights, mask, reductions=reductions)
    same(found, *weigh(losses, weights, mask))


@examples(40)
@hypothesis.given(
    st.data(),
    full_shapes,
    st.integers(1, 5),
    st.sampled_from(FLOATS),
    label_dtypes,
    st.sampled_from([1, 30]),
    one_reduction,
    seeds,
)
def test_cross_entropy_against_float64(data, rows, classes, dtype, label_dtype, scale, reductions, seed):
    rng = np.random.default_rng(seed)
    weights, mask = draw_weights(rng, data.draw(fitting(rows))), draw_mask(rng, data.draw(fitting(rows)))
    axis = data.draw(st.integers(-len(rows) - 1, len(rows)))
    front = axis % (len(rows) + 1)
    shape = (*rows[:front], classes, *rows[front:])
    logits = (scale * rng.normal(size=shape)).astype(dtype)
    soft = label_dtype in FLOATS
    if soft:
        labels = np.moveaxis(rng.dirichlet(np.ones(classes), rows), -1, front).astype(label_dtype)
        labels = np.minimum(labels, np.ones((), label_dtype))
    else:
        labels = np.asarray(rng.integers(0, min(classes, 2) if label_dtype is np.bool_ else classes, rows))
        labels = labels.astype(label_dtype)
    wide = logits.astype(np.float64)
    shares = labels.astype(np.float64) if soft else one_hot(labels.astype(np.int64), classes, front)
    losses = (shares * (log_normalizer(wide, front) - wide)).sum(front)
    own: Any = 1.0
    options = {}
    if data.draw(st.booleans()):
        options["class_weights"] = f32(rng.uniform(0, 2, classes))
        own = np.moveaxis(shares, front, -1) @ options["class_weights"].astype(np.float64)
    if data.draw(st.booleans()):
        options["label_smoothing"] = np.float32(0.1)
        uniform = (log_normalizer(wide, front) - wide).mean(front)
        losses = (1 - np.float64(np.float32(0.1))) * losses + np.float64(np.float32(0.1)) * uniform
    logits = soiled(rng, logits, mask, front)
    labels = soiled(rng, labels, mask, front if soft else None)
    found = reduced(jaxloss.cross_entropy, logits, labels, weights, mask, reductions=reductions, axis=axis, **options)
    same(found, *weigh(losses, weights, mask, own), atol=1e-5)


@pytest.mark.parametrize("weight", [3, np.int64(3), jnp.int32(3)], ids=repr)
def test_a_total_may_count_in_integers(weight):
    total = jaxloss.Total(jnp.float32(6), weight)
    assert total.mean() == jax.jit(lambda total: total.mean())(total) == (total + total).mean() == 2
