"""Every loss on inputs that nobody thought of: shapes, dtypes and values drawn at random.

An example is one call's worth of values. Compiling costs a thousand times more than running, so values are drawn by the
hundred for each of a limited number of layouts (shapes and dtypes) and run in one program, under `vmap`. Shapes that
need no values are traced only, and drawn one by one.

`make fuzz` sets FUZZ_EXAMPLES: how many examples each family, which is a module of the package, has to see; with fewer
the run fails.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
from typing import Any

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss

from ..harness import fuzzing
from ..harness.case import Case
from ..harness.fuzzing import ALONE, FAMILIES, Layout, is_class, is_float
from ..harness.rows import exhaustive


EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", 0))
BATCH = 400 if EXAMPLES else 32
LAYOUTS = 48 if EXAMPLES else 1  # of a family, at least 6 of each row; else of each row
FEWEST_LAYOUTS = 6

# In the small run one row of each loss.
ROWS = ALONE if EXAMPLES else list({case.loss: case for case in reversed(ALONE)}.values())[::-1]
all_cases = pytest.mark.parametrize("case", ROWS, ids=lambda case: case.id)
pytestmark = pytest.mark.usefixtures("compiles_fast")


def settings(count: int):
    return hypothesis.settings(
        max_examples=count,
        deadline=None,
        derandomize=not EXAMPLES,  # each large run sees others; a failure prints the seed
        database=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate, hypothesis.Phase.shrink],
        suppress_health_check=list(hypothesis.HealthCheck),
    )


def share(case: Case) -> int:
    """How many batches of examples a row has to see; one layout in six is empty and doesn't count."""
    if not EXAMPLES:
        return 2
    return math.ceil(EXAMPLES / len(FAMILIES[case.loss.__module__]) / BATCH * 1.3) + 1


def layouts(case: Case) -> st.SearchStrategy[Layout]:
    count = max(FEWEST_LAYOUTS, LAYOUTS // len(FAMILIES[case.loss.__module__])) if EXAMPLES else LAYOUTS
    return st.integers(0, count - 1).map(functools.partial(fuzzing.layout, case))


seeds = st.integers(0, 2**32 - 1)


# --- values ------------------------------------------------------------------------------------------------------


@functools.cache
def program(layout: Layout):
    """Everything that is asked of a call, for a batch of them."""
    static = {name: x for name, x in layout.case.options.items() if name != "axis" or x is None}

    def one(floats, rest, weights, mask, options):
        def loss(floats, reduction):
            options_ = {**static, **options, **layout.axis_option}
            return layout.case.loss(**floats, **rest, weights=weights, mask=mask, **options_, reduction=reduction)

        losses, pull = jax.vjp(lambda floats: loss(floats, "none"), floats)
        (slopes,) = pull(jnp.ones_like(losses))
        return losses, slopes, {name: loss(floats, name) for name in ("sum", "mean", "total")}

    return jax.jit(jax.vmap(one, in_axes=(0, 0, 0, 0, None)))


def run(layout: Layout, arguments, weights, mask, options):
    floats = {name: x for name, x in arguments.items() if is_float(x.dtype)}
    rest = {name: x for name, x in arguments.items() if name not in floats}
    with jax.enable_x64(True) if layout.x64 else contextlib.nullcontext():
        losses, slopes, reduced = program(layout)(floats, rest, weights, mask, options)
    slopes = {name: np.asarray(x, np.float64) for name, x in slopes.items()}
    return np.asarray(losses), slopes, jax.tree.map(np.asarray, reduced)


def computed(layout: Layout) -> np.dtype:
    """The dtype to compute in is at least float32."""
    first = next(iter(layout.dtypes.values()))
    return first if first.itemsize == 8 else np.dtype("float32")


def eps(dtype: Any) -> float:
    return float(jnp.finfo(dtype).eps)


def near(found, wanted, rtol, atol, says: str, layout: Layout, arguments) -> None:
    """Close, or an error with the example that isn't."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    bad = ~((abs(found - wanted) <= rtol * abs(wanted) + atol) | (found == wanted))
    must(~bad, f"{says}: {found[bad][:1]}, not {wanted[bad][:1]},", layout, arguments)


def must(holds: np.ndarray, says: str, layout: Layout, arguments, name: str = "") -> None:
    """True of all examples, row by row, or number by number of one argument; or an error with what it isn't true of."""
    if np.all(holds):
        return
    if name:
        holds = layout.gathered(holds, name)
        holds = holds.all(tuple(range(1 + len(layout.rows), holds.ndim)))
    index = tuple(int(i) for i in np.argwhere(~holds)[0])
    example = {other: layout.gathered(x, other)[index].tolist() for other, x in arguments.items()}
    raise AssertionError(f"{layout}\n{says} at {index[1:]} for {example}")


def tolerance(layout: Layout, arguments) -> tuple[float, np.ndarray]:
    """A few dozen roundings, of the result and of what it is made of; references have their own, of float64."""
    unit = max(eps(computed(layout)), 1e-12)
    size = np.ones(len(next(iter(arguments.values()))))
    for name, x in arguments.items():
        if is_float(layout.dtypes[name]) and x.size:
            size = np.maximum(size, abs(x.astype(np.float64)).reshape(len(x), -1).max(1))
    return 100 * unit, 30 * unit * size.reshape(-1, *[1] * len(layout.rows))


@exhaustive(ROWS)
def test_values(case, record_property):
    seen = 0

    @settings(share(case))
    @hypothesis.given(layouts(case), seeds)
    def examples(layout, seed):
        nonlocal seen
        rng = np.random.default_rng(seed)
        ordinary(layout, rng)
        extreme(layout, rng)
        seen += BATCH * bool(math.prod(layout.rows))

    examples()
    record_property("examples", (case.loss.__module__, seen))


@np.errstate(all="ignore")  # where the reference is undefined, as for vectors of 0
def ordinary(layout: Layout, rng: np.random.Generator) -> None:
    arguments = fuzzing.values(layout, rng, BATCH)
    weights, mask = fuzzing.exit_values(layout, rng, BATCH)
    options = fuzzing.numbers(layout.case, rng)
    losses, slopes, reduced = run(layout, arguments, weights, mask, options)
    live = fuzzing.full(mask, layout, BATCH)
    says = functools.partial(must, layout=layout, arguments=arguments)
    close = functools.partial(near, layout=layout, arguments=arguments)

    says(np.asarray([losses.shape == (BATCH, *layout.rows)]), f"losses of shape {losses.shape}")
    says(np.asarray([losses.dtype == computed(layout)]), f"losses in {losses.dtype}")
    rtol, atol = tolerance(layout, arguments)
    plain, own = fuzzing.expected(layout, arguments, options)
    known = np.isfinite(plain)
    weight = own * fuzzing.full(weights, layout, BATCH) * live
    close(np.where(known, losses, 0), np.where(known, plain * weight, 0), rtol, atol * np.maximum(weight, 1), "loss")

    rows = tuple(range(1, losses.ndim))
    wide, unit = losses.astype(np.float64), 100 * eps(computed(layout))
    total = wide.sum(rows)
    rounding = unit * abs(wide).sum(rows)
    close(reduced["sum"], total, 0, rounding, "sum")
    close(reduced["total"].total, reduced["sum"], 0, 0, "total")
    close(reduced["total"].weight, weight.sum(rows), unit, 0, "weight of the total")
    count = reduced["total"].weight.astype(np.float64)
    close(reduced["mean"] * count, np.where(count == 0, 0, total), 0, 2 * rounding, "mean times weight")
    says((count != 0) | (reduced["mean"] == 0), "mean of nothing")

    for name, slope in slopes.items():
        overflows = layout.dtypes[name] == np.float16
        says(np.isfinite(slope) | (overflows & np.isinf(slope)), f"gradient of {name}", name=name)
        says((slope == 0) | (layout.by_row(live, name) > 0), f"masked gradient of {name}", name=name)
    directions(layout, rng, arguments, options, fuzzing.full(weights, layout, BATCH) * live, slopes, close)

    masked = live == 0
    if mask is not None:
        dirty = fuzzing.with_junk(layout, arguments, masked, rng, [np.nan, np.inf, -np.inf, 1e30, -1.0])
        again = run(layout, dirty, weights, mask, options)
        for found, clean in zip(jax.tree.leaves(again), jax.tree.leaves((losses, slopes, reduced))):
            says(np.isclose(found, clean, rtol=0, atol=0, equal_nan=True), "a trace of what is masked")
    assert known.size < 100 or known.mean() > 0.2, layout  # half of all bools are 0
    beside(layout, rng, arguments, weights, mask, options, losses, slopes, live)


def directions(layout, rng, arguments, options, weight, slopes, close) -> None:
    """The gradient along a random direction against differences of the reference."""
    moves = {}
    for name, x in arguments.items():
        still = not is_float(x.dtype) or name in layout.case.constant
        moves[name] = np.zeros(x.shape) if still else rng.normal(size=x.shape) * abs(x.astype(np.float64))
    step = 1e-6

    def at(far: float) -> np.ndarray:
        moved = {
            name: x.astype(np.float64) + far * moves[name] if np.any(moves[name]) else x
            for name, x in arguments.items()
        }
        return np.multiply(*fuzzing.expected(layout, moved, options))

    here = at(0)
    up, down = (at(step) - here) / step, (here - at(-step)) / step
    found, rounding = np.zeros(here.shape), np.zeros(here.shape)
    for name, slope in slopes.items():
        parts = layout.gathered(np.where(moves[name] == 0, 0, slope * moves[name]), name)
        axes = tuple(range(here.ndim, parts.ndim))
        found += parts.sum(axes)
        tiny = float(jnp.finfo(layout.dtypes[name]).smallest_subnormal)
        moved = layout.gathered(abs(moves[name]), name).sum(axes)
        rounding += max(eps(layout.dtypes[name]), 1e-4) * abs(parts).sum(axes) + tiny * moved
    smooth = (abs(up - down) <= 1e-3 * (abs(up) + abs(down)) + 1e-4) & np.isfinite(found)
    wanted = np.where(smooth, (up + down) / 2 * weight, 0)
    error = 1e-5 * (1 + abs(here)) * np.maximum(weight, 1)  # of the differences and of the loss itself
    close(np.where(smooth, found, 0), wanted, 1e-3, rounding + error + abs(up - down), "gradient")
    assert smooth.size < 1000 or smooth.mean() > 0.2, layout


def beside(layout, rng, arguments, weights, mask, options, losses, slopes, live) -> None:
    """NaN in some rows: NaN they become, and no other row notices."""
    says = functools.partial(must, layout=layout, arguments=arguments)
    bad = rng.random(losses.shape) < 0.3
    spoiled = fuzzing.with_junk(layout, arguments, bad, rng, [np.nan])
    found, found_slopes, _ = run(layout, spoiled, weights, mask, options)
    says(bad | (found == losses), "a neighbour's NaN in the loss")
    says(~(bad & (live > 0)) | np.isnan(found), "a loss of NaN")
    for name, value, _ in layout.case.bad:
        x, here = arguments[name], layout.by_row(bad, name)
        if x.dtype.kind == "b" or np.asarray(value).astype(x.dtype).astype(np.float64) != value:  # -1 is no uint8
            continue
        if is_class(layout.case, name) and value in layout.classes:  # of more classes than the row's
            continue
        one = {**arguments, name: np.where(here, np.asarray(value).astype(x.dtype), x)}
        outside, _, _ = run(layout, one, weights, mask, options)
        says(~(bad & (live > 0)) | np.isnan(outside), f"a loss where {name} is {value}")
    for name, slope in slopes.items():
        here = layout.by_row(bad, name)
        says(here | (found_slopes[name] == slope), f"a neighbour's NaN in the gradient of {name}", name=name)


# Of products that overflow where the loss does not: of mean and dispersion.
PRODUCTS = {jaxloss.negative_binomial_nll_loss}


def extreme(layout: Layout, rng: np.random.Generator) -> None:
    """As large and as small as they come: infinite or 0 may be right, NaN never is.

    Slopes as far as squares and ratios are finite: beyond, 0 may meet infinity on the way.
    """
    for reach in (1.0, 0.4)[layout.case.loss in PRODUCTS :]:
        arguments = fuzzing.values(layout, rng, BATCH, reach=reach)
        _, mask = fuzzing.exit_values(layout, rng, BATCH)
        weights = None if layout.weights is None else np.ones((BATCH, *layout.weights), layout.exit_dtypes[0])
        losses, slopes, _ = run(layout, arguments, weights, mask, fuzzing.numbers(layout.case, rng))
        must(~np.isnan(losses), "NaN from numbers", layout, arguments)
        for name, slope in slopes.items():
            must((reach == 1) | ~np.isnan(slope), f"NaN in the gradient of {name}", layout, arguments, name)


# Of several classes these read some: of the label alone, and of targets and others where there are both.
SOME = {jaxloss.nll_loss, jaxloss.multilabel_margin_loss}


@pytest.mark.as_users_compile
@exhaustive([case for case in ROWS if case.loss not in SOME])
def test_a_single_nan_among_many_rows_is_not_lost(case):
    """As it is in a maximum or a minimum that XLA for CPUs takes into a sum."""
    rows = 20001
    depth = fuzzing.anatomy(case).depth
    shapes = fuzzing.arranged(case, (rows,), list(range(1, 1 + depth)), 33)
    kinds = {name: x.dtype for name, x in case.arguments().items()}
    layout = Layout(case, **shapes, dtypes={name: np.dtype("f4") if is_float(d) else d for name, d in kinds.items()})
    given = {name: x[0] for name, x in fuzzing.values(layout, np.random.default_rng(0), 1).items()}
    options = {name: x for name, x in case.options.items() if name != "axis" or x is None} | layout.axis_option
    first = next(iter(given))

    @jax.jit
    def every(arguments):
        f = lambda x: case.loss(**{**arguments, first: x}, **options)  # noqa: E731
        return f(arguments[first]), jax.value_and_grad(f)(arguments[first])[0]

    for name, x in given.items():
        if is_float(x.dtype):
            spoiled = np.moveaxis(x.copy(), np.shape(x).index(rows), 0)
            spoiled[(rows // 2, *[0] * (x.ndim - 1))] = np.nan
            spoiled = np.moveaxis(spoiled, 0, np.shape(x).index(rows))
            assert np.all(np.isnan(every({**given, name: spoiled}))), name


# --- shapes ------------------------------------------------------------------------------------------------------

sizes = st.sampled_from([0, 1, 2, 3])


@st.composite
def any_layout(draw, case: Case) -> Layout:
    depth = fuzzing.anatomy(case).depth
    rows = tuple(draw(st.lists(sizes, max_size=5 - depth)))
    places = draw(st.lists(st.integers(0, 5), min_size=depth, max_size=depth))
    shapes = fuzzing.arranged(case, rows, places, draw(st.integers(1, 4)))
    dtypes = fuzzing.layout(case, draw(st.integers(0, 30))).dtypes
    return Layout(case, **shapes, dtypes=dtypes)


def fits(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    return shape == () or (len(shape) == len(whole) and all(own in (1, size) for own, size in zip(shape, whole)))


def result(layout: Layout, arguments, **rest):
    options = {name: x for name, x in layout.case.options.items() if name != "axis" or x is None}
    call = functools.partial(layout.case.loss, **options, **layout.axis_option)
    with jax.enable_x64(True):
        return jax.eval_shape(functools.partial(call, reduction="none"), **arguments, **rest)


SHAPES = 3 if not EXAMPLES else 100


def broadcastable(shape: tuple[int, ...]) -> st.SearchStrategy[tuple[int, ...]]:
    """What NumPy would take for `shape` in silence."""
    some = st.tuples(*(st.sampled_from([1, size]) for size in shape))
    return some | st.integers(0, len(shape)).map(lambda start: shape[start:]) | st.just((1, *shape))


BY_ELEMENT = {"alpha", "scale", "quantile", "variance", "df", "concentration", "dispersion", "power"}
BY_ELEMENT |= {"prior_mean", "prior_log_variance", "means", "scales", "weights", "mask"}


@pytest.mark.thin(3)
@all_cases
def test_shapes(case):
    """What fits has the documented shape; what doesn't raises, and says whose error it is."""

    @settings(SHAPES)
    @hypothesis.given(st.data())
    def examples(data):
        layout = data.draw(any_layout(case))
        arguments = {name: jax.ShapeDtypeStruct(layout.shape(name), dtype) for name, dtype in layout.dtypes.items()}
        found = result(layout, arguments)
        assert found.shape == layout.rows, layout
        assert found.dtype == computed(layout), layout

        name = data.draw(st.sampled_from([*list(arguments)[1:], "weights", "mask"]))
        whole = layout.shape(name) if name in arguments else layout.rows
        shape = data.draw(broadcastable(whole) | st.lists(sizes, max_size=5).map(tuple))
        loose = name in BY_ELEMENT
        right = fits(shape, whole) if loose else shape == whole
        dtype = arguments[name].dtype if name in arguments else np.dtype("float32")
        changed = {**arguments, name: jax.ShapeDtypeStruct(shape, dtype)}
        if right:
            assert result(layout, changed).shape == layout.rows, (layout, name, shape)
        else:
            with pytest.raises((ValueError, TypeError), match=f"^{case.loss.__name__}: {name} must "):
                assert result(layout, changed) is None, f"{layout} took {name} of shape {shape}"

    examples()


WRONG = st.sampled_from([np.complex64, np.dtype("datetime64[s]"), np.int32, np.bool_, np.str_, None])


@pytest.mark.thin(3)
@all_cases
def test_dtypes(case):
    """Of the first argument integers are none that fit, of the others complex numbers, dates and lists."""

    @settings(2 + SHAPES // 4)
    @hypothesis.given(any_layout(case), st.sampled_from(list(case.arguments())), WRONG)
    def examples(layout, name, wrong):
        first = next(iter(layout.dtypes))
        hypothesis.assume(name == first or wrong not in (np.int32, np.bool_))
        arguments = {name: np.ones(layout.shape(name), dtype) for name, dtype in layout.dtypes.items()}
        arguments[name] = arguments[name].tolist() if wrong is None else np.zeros(layout.shape(name), wrong)
        hypothesis.assume(wrong is not None or isinstance(arguments[name], list))
        with pytest.raises((ValueError, TypeError), match=f"^{case.loss.__name__}: {name} must "):
            options = {name: x for name, x in case.options.items() if name != "axis" or x is None}
            case.loss(**arguments, **options, **layout.axis_option)

    examples()


# --- what was found -----------------------------------------------------------------------------------------------

NAN, INF = np.nan, np.inf
LOST = np.full((400, 2, 3, 2), NAN, np.float32)  # many rows: XLA's maximum of several at once may lose a NaN
FOUND = {
    "distillation_loss of NaN was infinite": lambda: jaxloss.distillation_loss(LOST, LOST, reduction="none"),
    "cosine_distance of NaN was 1": lambda: jaxloss.cosine_distance(LOST, LOST, reduction="none"),
    "renyi_divergence of NaN was infinite": lambda: jaxloss.renyi_divergence(LOST, LOST, alpha=1.5, reduction="none"),
    "wasserstein_distance of NaN and one class was 0": lambda: jaxloss.wasserstein_distance(
        LOST[..., :1], LOST[..., :1]
    ),
    "wasserstein_distance of one class out of range was 0": lambda: jaxloss.wasserstein_distance(
        jnp.array([[2.0]]), jnp.array([[1.0]]), positions=jnp.array([3.0])
    ),
}


@pytest.mark.parametrize("call", FOUND.values(), ids=FOUND)
def test_nan_stays_nan(call):
    assert np.all(np.isnan(call()))
    assert np.all(np.isnan(jax.jit(call)()))


def test_focal_losses_are_differentiable_by_logits_labels_and_options_at_once():
    logits, labels = jnp.array([[0.5, -1.0, 2.0]]), jnp.array([[0.2, 0.3, 0.5]])

    def loss(logits, labels, gamma):
        return jaxloss.softmax_focal_loss(logits, labels, gamma=gamma)

    together = jax.grad(loss, (0, 1, 2))(logits, labels, 1.5)
    for place, slope in enumerate(together):
        np.testing.assert_allclose(slope, jax.grad(loss, place)(logits, labels, 1.5), rtol=1e-6)


def test_generalized_kl_divergence_of_a_measure_that_overflows_is_infinite():
    value, slope = jax.value_and_grad(jaxloss.generalized_kl_divergence)(jnp.array([3e34]), jnp.array([1e28]))
    assert value == INF and slope[0] == INF


def test_a_masked_parameter_of_a_single_number_leaves_no_trace():
    def loss(scale):
        return jaxloss.gaussian_crps_loss(jnp.float32(1), jnp.float32(2), mask=jnp.array(False), scale=scale)

    assert jax.grad(loss)(jnp.float32(NAN)) == 0


@pytest.mark.parametrize("dtype", ["datetime64[s]", "S1", "U1", "O"])
def test_arrays_of_no_numbers(dtype):
    with pytest.raises(TypeError, match=r"^mse_loss: labels must hold real numbers, got"):
        jaxloss.mse_loss(np.ones(3, np.float32), np.zeros(3, dtype))


def test_options_of_no_numbers():
    with pytest.raises(TypeError, match=r"^huber_loss: delta must hold real numbers, got datetime64\[s\]$"):
        jaxloss.huber_loss(jnp.ones(3), jnp.zeros(3), delta=np.datetime64(0, "s"))


def test_cosine_distance_of_nan_to_a_vector_of_0_is_nan():
    assert np.isnan(jaxloss.cosine_distance(jnp.array([NAN, 1]), jnp.zeros(2)))
    assert jaxloss.cosine_distance(jnp.ones(2), jnp.zeros(2)) == 1


def test_poisson_nll_loss_of_a_rate_that_overflows_is_infinite():
    value, slope = jax.value_and_grad(jaxloss.poisson_nll_loss)(jnp.float32(1e35), jnp.float32(1e35))
    assert value == INF and slope == INF


@pytest.mark.parametrize(
    ("p", "y", "power", "expected"), [(1.6e14, 1.6e14, -1.0, 0), (5.4e33, 1.2e-38, 1.575, 2 * 5.4e33**0.425 / 0.425)]
)
def test_tweedie_deviance_loss_of_powers_that_overflow(p, y, power, expected):
    loss = jaxloss.tweedie_deviance_loss(jnp.float32(p), jnp.float32(y), power=power)
    np.testing.assert_allclose(loss, expected, rtol=1e-4)  # the power of 1e33 in float32


def test_tweedie_deviance_loss_rises_and_falls_with_its_power():
    slope = jax.grad(lambda p, y, power: jaxloss.tweedie_deviance_loss(p, y, power=power), 2)
    # of 2 y^(2 - power) / (1 - power) / (2 - power), the other terms being nothing beside it
    np.testing.assert_allclose(slope(1e-10, 1e10, 0.0), 1e20 * (1.5 - np.log(1e10)), rtol=1e-6)
    assert slope(1.6e14, 102400.0, -1.0) == -INF
    assert slope(1.6e14, 1.6e14, -1.0) == 0
    assert slope(3.9e-9, 5.4e12, -1.0) == -INF


def test_gamma_nll_loss_of_a_ratio_that_overflows_is_infinite():
    def loss(p, y, k):
        return jaxloss.gamma_nll_loss(p, y, concentration=k)

    for p, y in ((2e-38, 10.0), (1e-30, 1e20)):
        value, slopes = jax.value_and_grad(loss, (0, 1, 2))(p, y, 2.0)
        assert value == INF and slopes[0] == -INF and slopes[2] == INF


@pytest.mark.parametrize(("x", "alpha"), [(6e12, 3.0), (9e37, 1.0), (1e19, 2.0)])
def test_general_robust_loss_rises_with_its_shape_to_infinity(x, alpha):
    slope = jax.grad(lambda alpha: jaxloss.general_robust_loss(jnp.float32(x), jnp.float32(0), alpha=alpha))
    assert slope(jnp.float32(alpha)) == INF


def test_renyi_divergence_of_a_class_that_the_model_all_but_rules_out():
    """alpha / (alpha - 1) / y for the class that rules the divergence, less the share in the sum of both."""

    def loss(log_probs, labels):
        return jaxloss.renyi_divergence(log_probs, labels, alpha=1.5)

    slopes = jax.grad(loss, (0, 1))(jnp.array([-1.25e30, -0.5]), jnp.array([2.6e-30, 0.4]))
    np.testing.assert_allclose(slopes[0], [-1, 0])
    np.testing.assert_allclose(slopes[1], [3 / 2.6e-30, -2 / 0.4], rtol=1e-5)
