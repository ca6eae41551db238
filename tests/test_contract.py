"""Every rule of the contract, for every row of `cases.py`."""

from __future__ import annotations

import dataclasses
import functools
import gc
import inspect
import itertools
import pickle
from typing import Any, NamedTuple

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxloss

from .cases import BATCH, CASES, Case


TAIL = ["weights", "mask"]
EXIT = ["reduction", "axis_name"]
DEVICES = 8
all_cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
# For what doesn't depend on the options: the first row of each loss.
FIRST = [case for case in CASES if case.loss not in [other.loss for other in CASES[: CASES.index(case)]]]
one_case_a_loss = pytest.mark.parametrize("case", FIRST, ids=lambda case: case.loss.__name__)
as_users_compile = pytest.mark.as_users_compile
pytestmark = pytest.mark.usefixtures("compiles_fast")


class Problem(NamedTuple):
    """A call with weights and an uneven mask, and its value and gradient in float64 by finite differences."""

    x: np.ndarray
    rest: dict[str, Any]
    value: float
    gradient: np.ndarray


@functools.cache
def problem(case: Case) -> Problem:
    arguments = case.arguments()
    first, *others = arguments
    shape = case.expected(arguments)[0].shape
    rng = np.random.default_rng(1)
    weights = rng.uniform(0.5, 2, shape).astype(np.float32)
    mask = rng.random(shape) < 0.7
    mask[: 2 * BATCH // DEVICES] = False  # whole devices without an element
    mask[-1] = True
    rest = {name: arguments[name] for name in others} | {"weights": weights, "mask": mask}

    def mean(x: np.ndarray) -> float:
        losses, own = case.expected({**arguments, first: x})
        count = own * weights.astype(np.float64) * mask
        return float((losses * count).sum() / count.sum())

    x = arguments[first]
    return Problem(x, rest, mean(x.astype(np.float64)), slope(mean, x.astype(np.float64)))


def slope(f, x: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """The gradient by central differences."""
    gradient = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        gradient[i] = (f(up) - f(down)) / (2 * step)
    return gradient


def arrays(case: Case, rest: dict[str, Any]):
    """The loss as a function of its first argument and the other arrays."""
    return lambda x, rest, **keywords: case.loss(x, **rest, **case.options, **keywords)


def check(result: Any, p: Problem, name: str = "") -> None:
    value, gradient = result
    np.testing.assert_allclose(value, p.value, rtol=1e-5, atol=1e-6, err_msg=name)
    # The differences' own error is 1e-8.
    np.testing.assert_allclose(gradient, p.gradient, rtol=1e-4, atol=1e-6, err_msg=name)


# --- the house ---------------------------------------------------------------------------------------------------


def public_losses() -> dict[str, Any]:
    return {
        name: f
        for name, f in vars(jaxloss).items()
        if inspect.isfunction(f) and not name.startswith("_") and "reduction" in inspect.signature(f).parameters
    }


def test_every_public_loss_has_a_row():
    losses = set(public_losses()) - {"reduce"}
    assert losses == {case.loss.__name__ for case in CASES}


@pytest.mark.parametrize("name", public_losses())
def test_signatures_are_uniform(name):
    parameters = inspect.signature(public_losses()[name]).parameters
    positional = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    keywords = [p.name for p in parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert positional[-2:] == TAIL
    assert keywords[-2:] == EXIT
    assert parameters["reduction"].default == "mean"
    assert all(parameters[name].default is None for name in [*TAIL, "axis_name"])
    required = [p.default is p.empty for p in parameters.values() if p.kind is p.KEYWORD_ONLY]
    assert required == sorted(required, reverse=True)  # parameters of a distribution, before the options


@one_case_a_loss
def test_is_a_plain_function_that_pickles_and_shows_itself(case):
    assert inspect.isfunction(case.loss)
    assert pickle.loads(pickle.dumps(case.loss)) is case.loss
    partial = pickle.loads(pickle.dumps(functools.partial(case.loss, reduction="sum")))
    assert partial.func is case.loss
    assert next(iter(inspect.signature(case.loss).parameters)) == next(iter(case.arguments()))


@one_case_a_loss
def test_leaves_no_call_behind_in_a_callers_jit(case):
    p = problem(case)
    text = str(jax.make_jaxpr(lambda x: arrays(case, p.rest)(x, p.rest))(p.x))
    assert f"name={case.loss.__name__}" not in text and "name=reduce" not in text


# --- weights, mask, reduction --------------------------------------------------------------------------------------


# All the ways that they combine are in test_reduction.py.
WEIGHTS_AND_MASKS = [("none", "none"), ("full", "bool"), ("rows", "scalar")]


@as_users_compile
@all_cases
def test_reductions(case):
    arguments = case.arguments()
    losses, own = case.expected(arguments)
    rng = np.random.default_rng(2)
    by_row = (BATCH, *[1] * (losses.ndim - 1))
    weights = {
        "none": None,
        "full": rng.uniform(0, 2, losses.shape).astype(np.float32),
        "rows": rng.uniform(0, 2, by_row).astype(np.float32),
    }
    masks = {
        "none": None,
        "bool": rng.random(losses.shape) < 0.5,
        "scalar": np.asarray(True),
    }

    @jax.jit
    def reductions(arguments, weights, masks):
        return [
            {
                reduction: case.loss(
                    **arguments, weights=weights[w], mask=masks[m], **case.options, reduction=reduction
                )
                for reduction in ("mean", "sum", "none", "total")
            }
            for w, m in WEIGHTS_AND_MASKS
        ]

    for (w, m), results in zip(WEIGHTS_AND_MASKS, reductions(arguments, weights, masks)):
        count = own * (1 if w == "none" else weights[w]) * (1 if m == "none" else masks[m]) * np.ones(losses.shape)
        close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6, err_msg=f"weights {w}, mask {m}")
        close(results["none"], losses * count)
        close(results["sum"], (losses * count).sum())
        close(results["mean"], (losses * count).sum() / count.sum())
        assert isinstance(results["total"], jaxloss.Total)
        close(results["total"].total, (losses * count).sum())
        close(results["total"].weight, count.sum())
        close(results["total"].mean(), results["mean"])


@all_cases
def test_weight_two_is_two_copies(case):
    arguments = case.arguments()
    shape = case.expected(arguments)[0].shape
    weights = np.ones(shape, np.float32)
    weights[1] = 2
    twice = {name: np.concatenate([x, x[1:2]]) for name, x in arguments.items()}
    once = case.loss(**arguments, weights=weights, **case.options)
    np.testing.assert_allclose(once, case.loss(**twice, **case.options), rtol=1e-5)


@all_cases
def test_weights_are_learned_from_zero(case):
    arguments = case.arguments()
    losses, own = case.expected(arguments)
    slopes = jax.jit(jax.grad(lambda w: case.loss(**arguments, weights=w, **case.options, reduction="sum")))(
        jnp.zeros(losses.shape)
    )
    np.testing.assert_allclose(slopes, losses * own, rtol=1e-5, atol=1e-6)


JUNK = [np.nan, np.inf, -np.inf, 1e30]


def soiled(x: np.ndarray) -> np.ndarray:
    """Rows 2 to 5 hold what no loss is defined for."""
    x = x.copy()
    for row, junk in enumerate(JUNK, start=2):
        x[row] = junk if x.dtype.kind == "f" else 99
    return x


@as_users_compile
@all_cases
def test_masked_elements_leave_no_trace(case):
    """Neither in the value nor in a derivative of either mode and order, whatever they hold."""
    arguments = case.arguments()
    first, *others = arguments
    shape = case.expected(arguments)[0].shape
    mask = np.ones(shape, bool)
    mask[2:6] = False
    rest = {"weights": np.ones(shape, np.float32), "mask": mask}

    @jax.jit
    def everything(x, others):
        f = lambda x: case.loss(x, **others, **rest, **case.options)  # noqa: E731
        slope = lambda x: jnp.sum(jax.grad(f)(x))  # noqa: E731
        values = [f(x), jnp.sum(case.loss(x, **others, **rest, **case.options, reduction="none")[2:6])]
        return values, [jax.grad(f)(x), jax.jacfwd(f)(x), jax.grad(slope)(x), jax.jacfwd(slope)(x)]

    clean = everything(arguments[first], {name: arguments[name] for name in others})
    dirty = everything(soiled(arguments[first]), {name: soiled(arguments[name]) for name in others})
    jax.tree.map(np.testing.assert_array_equal, dirty, clean)
    values, slopes = dirty
    assert values[1] == 0
    assert not any(np.any(slope[2:6]) for slope in slopes)


@all_cases
def test_masked_labels_leave_no_trace_in_their_own_gradient(case):
    arguments = case.arguments()
    mask = np.ones(case.expected(arguments)[0].shape, bool)
    mask[2:6] = False
    floats = {name: soiled(x) for name, x in arguments.items() if x.dtype.kind == "f"}

    @jax.jit
    def slopes(floats):
        f = lambda x, name: case.loss(**{**arguments, name: x}, mask=mask, **case.options)  # noqa: E731
        return {name: [derive(f)(x, name) for derive in (jax.grad, jax.jacfwd)] for name, x in floats.items()}

    for name, both in slopes(floats).items():
        for gradient in both:
            assert np.all(np.isfinite(gradient)) and not np.any(gradient[2:6]), name


@all_cases
def test_no_weight_left_is_zero_with_zero_gradient(case):
    p = problem(case)
    nothing = [{"mask": np.zeros((), bool)}, {"weights": np.zeros((), np.float32)}]
    f = jax.value_and_grad(arrays(case, {}))
    for value, gradient in jax.jit(lambda x, rest: [f(x, {**rest, **n}) for n in nothing])(p.x, p.rest):
        assert value == 0
        assert not np.any(gradient)


@all_cases
def test_empty_batch(case):
    arguments = {name: x[:0] for name, x in case.arguments().items()}
    first, *others = arguments
    value, gradient = jax.value_and_grad(arrays(case, {}))(arguments[first], {name: arguments[name] for name in others})
    assert value == 0
    assert gradient.shape == arguments[first].shape


# --- transforms --------------------------------------------------------------------------------------------------


def _through_scan(f, x):
    return lax.scan(lambda total, _: (total + f(x), None), jnp.zeros((), jnp.float32), None, length=1)[0]


def _through_while(f, x):
    return lax.while_loop(lambda c: c[0] < 1, lambda c: (c[0] + 1, c[1] + f(x)), (0, jnp.zeros((), jnp.float32)))[1]


def _linearized(f, x):
    value, push = jax.linearize(f, x)
    basis = jnp.eye(x.size, dtype=x.dtype).reshape(x.size, *x.shape)
    return value, jax.vmap(push)(basis).reshape(x.shape)


EAGER = {
    "plain": lambda f, x: jax.value_and_grad(f)(x),
    "aot": lambda f, x: jax.jit(jax.value_and_grad(f)).lower(x).compile()(x),
}
COMPILED = {
    "jit": lambda f, x: jax.value_and_grad(f)(x),
    "jacfwd": lambda f, x: (f(x), jax.jacfwd(f)(x)),
    "jacrev": lambda f, x: (f(x), jax.jacrev(f)(x)),
    "linearize": _linearized,
    "scan": lambda f, x: jax.value_and_grad(lambda x: _through_scan(f, x))(x),
    "while_loop": lambda f, x: (_through_while(f, x), jax.jacfwd(lambda x: _through_while(f, x))(x)),
    "cond": lambda f, x: jax.value_and_grad(lambda x: lax.cond(jnp.sum(x) < np.inf, f, lambda x: jnp.float32(0), x))(x),
    "remat": lambda f, x: jax.value_and_grad(jax.checkpoint(f))(x),
    "eval_shape": lambda f, x: (jax.eval_shape(f, x).dtype == jnp.float32 and f(x), jax.grad(f)(x)),
}


@one_case_a_loss
@pytest.mark.parametrize("transform", EAGER)
def test_value_and_gradient_eagerly_through(case, transform):
    p = problem(case)
    check(EAGER[transform](lambda x: arrays(case, p.rest)(x, p.rest), jnp.asarray(p.x)), p)


@as_users_compile
@all_cases
def test_value_and_gradient_through(case):
    """All in one program, which compiles once."""
    p = problem(case)
    f = lambda x: arrays(case, p.rest)(x, p.rest)  # noqa: E731
    results = jax.jit(lambda x: {name: run(f, x) for name, run in COMPILED.items()})(p.x)
    for name, result in results.items():
        check(result, p, name)


@all_cases
def test_second_derivatives_in_every_mode(case):
    p = problem(case)
    arguments = case.arguments()
    first = next(iter(arguments))
    direction = np.random.default_rng(3).normal(size=p.x.shape)
    count = case.expected(arguments)[1] * p.rest["weights"].astype(np.float64) * p.rest["mask"]

    def mean(x):
        return float((case.expected({**arguments, first: x})[0] * count).sum() / count.sum())

    step = 1e-3
    wide = p.x.astype(np.float64)
    expected = (slope(mean, wide + step * direction, 1e-5) - slope(mean, wide - step * direction, 1e-5)) / (2 * step)
    f = lambda x: arrays(case, p.rest)(x, p.rest)  # noqa: E731
    v = jnp.asarray(direction, jnp.float32)

    @jax.jit
    def products(x):
        return {
            "forward over reverse": jax.jvp(jax.grad(f), (x,), (v,))[1],
            "reverse over reverse": jax.grad(lambda x: jnp.vdot(jax.grad(f)(x), v))(x),
            "reverse over forward": jax.grad(lambda x: jax.jvp(f, (x,), (v,))[1])(x),
            "forward over forward": jax.jacfwd(lambda x: jax.jvp(f, (x,), (v,))[1])(x),
            "hessian": jnp.tensordot(jax.hessian(f)(x), v, v.ndim),
            "jacrev of grad": jnp.tensordot(jax.jacrev(jax.grad(f))(x), v, v.ndim),
            "in a scan": _curvature(_mapped, f, x, v) - _curvature(lambda f, x: f(x), f, x, v),
        }

    found = products(jnp.asarray(p.x))
    in_a_scan = found.pop("in a scan")
    np.testing.assert_allclose(in_a_scan, 0, atol=3e-5)
    for mode, product in found.items():
        # Differences of differences carry an error of 1e-5.
        np.testing.assert_allclose(product, expected, rtol=1e-3, atol=3e-5, err_msg=mode)


def _mapped(f, x):
    return jnp.sum(lax.map(f, x[None]))


def _curvature(through, f, x, v):
    """Of the square: there the value itself is differentiated too, by its body where it comes out of a scan."""
    return jax.jvp(jax.grad(lambda x: jnp.square(through(f, x))), (x,), (v,))[1]


@all_cases
def test_gradient_of_every_other_argument_and_option(case):
    """Labels, class weights, numbers: whatever is floating point is differentiable, in both modes."""
    p = problem(case)
    arguments = case.arguments()
    count = p.rest["weights"].astype(np.float64) * p.rest["mask"]
    floats = {name: x for name, x in list(arguments.items())[1:] if x.dtype.kind == "f"}
    floats |= {name: np.asarray(x) for name, x in case.options.items() if np.asarray(x).dtype.kind == "f"}

    def mean(x: np.ndarray, name: str) -> float:
        changed = dataclasses.replace(case, options={**case.options, **({name: x} if name in case.options else {})})
        losses, own = changed.expected({**arguments, **({name: x} if name in arguments else {})})
        return float((losses * own * count).sum() / (own * count).sum())

    @jax.jit
    def slopes(floats):
        f = lambda x, name: case.loss(**{**arguments, **p.rest, **case.options, name: x})  # noqa: E731
        return {name: [derive(f)(x, name) for derive in (jax.grad, jax.jacfwd)] for name, x in floats.items()}

    for name, both in slopes({name: jnp.asarray(x, jnp.float32) for name, x in floats.items()}).items():
        wide = floats[name].astype(np.float64)
        expected = slope(lambda x, name=name: mean(x, name), wide) * (name not in case.constant)
        for gradient in both:
            np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5, err_msg=name)


@all_cases
def test_vmap_over_every_argument(case):
    p = problem(case)
    f = lambda x, rest: case.loss(x, **rest, **_rowwise(case), reduction="none")  # noqa: E731
    whole = case.loss(p.x, **p.rest, **case.options, reduction="none")
    np.testing.assert_allclose(
        jax.jit(jax.vmap(f))(p.x, p.rest), whole, rtol=5e-6, atol=1e-6
    )  # another program rounds otherwise
    together = {"x": p.x, **p.rest}

    def over(name, together):
        stacked = {key: jnp.stack([x, x]) if key == name else x for key, x in together.items()}
        f = lambda x, **rest: case.loss(x, **rest, **case.options, reduction="none")  # noqa: E731
        return jax.vmap(lambda all_: f(**all_), ({key: 0 if key == name else None for key in stacked},))(stacked)

    every = jax.jit(lambda together: {name: over(name, together) for name in together})
    for key, both in every(together).items():
        np.testing.assert_allclose(both, np.stack([whole, whole]), rtol=5e-6, atol=1e-6, err_msg=key)


def _rowwise(case: Case) -> dict[str, Any]:
    """The options for one row of the batch: a class axis counted from the front moves."""
    axis = case.options.get("axis", -1)
    return case.options | ({"axis": axis - 1} if isinstance(axis, int) and axis > 0 else {})


def numbers_of(case: Case) -> dict[str, float]:
    return {name: x for name, x in case.options.items() if isinstance(x, float)}


@pytest.mark.parametrize("case", [*filter(numbers_of, CASES)], ids=lambda case: case.id)
def test_numbers_sweep_under_vmap_and_do_not_recompile(case):
    p = problem(case)
    numbers = numbers_of(case)
    traces = 0

    @jax.jit
    def f(numbers):
        nonlocal traces
        traces += 1
        return case.loss(p.x, **p.rest, **{**case.options, **numbers})

    for scale in (1, 0.5, 0.1):
        scaled = {name: scale * x for name, x in numbers.items()}
        expected = case.loss(p.x, **p.rest, **{**case.options, **scaled})
        np.testing.assert_allclose(f(scaled), expected, rtol=1e-6)
    assert traces == 1
    swept = jax.vmap(f)({name: jnp.array([1, 0.5]) * x for name, x in numbers.items()})
    np.testing.assert_allclose(swept[0], p.value, rtol=1e-5)


@one_case_a_loss
def test_export_with_a_symbolic_batch(case):
    p = problem(case)
    (batch,) = jax.export.symbolic_shape("b")
    symbolic = jax.tree.map(lambda x: jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype), (p.x, p.rest))
    exported = jax.export.export(jax.jit(jax.value_and_grad(arrays(case, p.rest))))(*symbolic)
    check(exported.call(p.x, p.rest), p)
    without = {name: x for name, x in p.rest.items() if name not in TAIL}
    symbolic = jax.tree.map(lambda x: jax.ShapeDtypeStruct((batch, *x.shape[1:]), x.dtype), (p.x, without))
    exported = jax.export.export(jax.jit(arrays(case, without)))(*symbolic)
    expected = case.loss(p.x, **without, **case.options)
    np.testing.assert_allclose(exported.call(p.x, without), expected, rtol=1e-6)


# --- devices: eight, two of them without a single element --------------------------------------------------------


class Alone(NamedTuple):
    """What one device makes of a problem."""

    losses: np.ndarray
    value: np.ndarray
    gradient: np.ndarray
    shared: np.ndarray  # the gradient of what every row shares


@functools.cache
def alone(case: Case) -> Alone:
    p = problem(case)

    @jax.jit
    def everything(x, rest):
        learned = x, jnp.zeros((1, *x.shape[1:]))
        value, slopes = jax.value_and_grad(offset(case), argnums=(0, 1))(*learned, rest)
        return arrays(case, rest)(x, rest, reduction="none"), value, *slopes

    return Alone(*map(np.asarray, everything(p.x, p.rest)))


def offset(case: Case, axis_name: Any = None):
    """The loss as a function of its first argument and of what every row shares: an offset of it."""
    return lambda x, shared, rest: arrays(case, rest)(x + shared, rest, axis_name=axis_name)


def same(results: Any, expected: Any, name: str = "") -> None:
    """To 1e-6 of the largest entry, on every device."""
    for result, wanted in zip(jax.tree.leaves(results), jax.tree.leaves(expected), strict=True):
        wanted = np.broadcast_to(wanted, result.shape)
        np.testing.assert_allclose(result, wanted, rtol=0, atol=1e-6 * np.max(np.abs(wanted)), err_msg=name)


def grid(kind: AxisType = AxisType.Auto) -> jax.sharding.Mesh:
    return jax.make_mesh((4, 2), ("data", "model"), axis_types=(kind, kind))


@one_case_a_loss
def test_mapped_axes(case):
    """Over one name, two, and one of two, with the gradient inside and outside, in one program."""
    p = problem(case)
    shared = jnp.zeros((1, *p.x.shape[1:]))
    both = ("data", "model")
    line = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))
    over = (line, P("data"), "data"), (grid(), P(both), both), (grid(), P("data"), both)

    def ways(x, shared, rest):
        for check_vma in (True, False):
            mapped = functools.partial(jax.shard_map, out_specs=P(), check_vma=check_vma)
            for mesh, spec, names in over:
                inside = mapped(step(case, names, mean=not check_vma), mesh=mesh, in_specs=(spec, P(), spec))
                yield f"inside, {spec} over {names}, check_vma={check_vma}", inside(x, shared, rest)
            outside = mapped(offset(case, "data"), mesh=line, in_specs=(P("data"), P(), P("data")))
            yield f"outside, check_vma={check_vma}", jax.value_and_grad(outside, argnums=1)(x, shared, rest)
        x, rest = jax.tree.map(lambda x: x[:, None], (x, rest))
        yield "vmap", jax.vmap(step(case, "data"), (0, None, 0), axis_name="data")(x, shared, rest)
        x, rest = jax.tree.map(lambda x: x.reshape(4, 2, *x.shape[1:]), (x, rest))
        inner = jax.vmap(step(case, both), (0, None, 0), axis_name="model")
        yield "vmap over two names", jax.vmap(inner, (0, None, 0), axis_name="data")(x, shared, rest)

    results = jax.jit(lambda *arguments: dict(ways(*arguments)))(p.x, shared, p.rest)
    for name, result in results.items():
        same(result, (alone(case).value, alone(case).shared), name)


def step(case: Case, names: Any, mean: bool = True):
    def step(x, shared, rest):
        value, gradient = jax.value_and_grad(offset(case, names), argnums=1)(x, shared, rest)
        return value, lax.pmean(gradient, names) if mean else gradient

    return step


@one_case_a_loss
def test_pmap(case):
    p = problem(case)
    x, rest = jax.tree.map(lambda x: x[:, None], (p.x, p.rest))
    mapped = jax.pmap(step(case, "data"), axis_name="data", in_axes=(0, None, 0))
    same(mapped(x, jnp.zeros((1, *p.x.shape[1:])), rest), (alone(case).value, alone(case).shared))


def places(case: Case, p: Problem):
    """A problem spread by rows over all devices, and by rows and each other axis in turn."""
    axis = case.options.get("axis", -1)
    reduced = {place % p.x.ndim for place in np.ravel([] if axis is None else axis)}
    for place, kind in itertools.product(range(p.x.ndim), (AxisType.Auto, AxisType.Explicit)):
        spec = ["data", *[None] * (p.x.ndim - 1)]
        spec[place] = "model" if place else ("data", "model")
        by_row = [name for i, name in enumerate(spec) if i not in reduced]
        spread = [NamedSharding(grid(kind), P(*names)) for names in (spec, by_row)]
        shardings = jax.tree.map(lambda x, spread=spread: spread[x.shape != p.x.shape], (p.x, p.rest))
        yield f"{kind} {spec}", jax.device_put((p.x, p.rest), shardings)


@all_cases
def test_sharded_jit(case):
    """Value, gradient and losses, in one program; the gradient stays where the first argument is."""
    p = problem(case)
    placed = dict(places(case, p))

    def everything(x, rest):
        f = arrays(case, rest)
        return f(x, rest, reduction="none"), *jax.value_and_grad(f)(x, rest)

    results = jax.jit(lambda placed: {name: everything(*call) for name, call in placed.items()})(placed)
    for name, result in results.items():
        same(result, alone(case)[:3], name)
        assert result[-1].sharding.is_equivalent_to(placed[name][0].sharding, p.x.ndim), name


# --- dtypes and strict modes -------------------------------------------------------------------------------------


@as_users_compile
@all_cases
def test_precision(case):
    """Half precision costs the rounding of the inputs, nothing more: the reference gets the same rounded inputs."""
    arguments = case.arguments()
    first = next(iter(arguments))
    rounded = {dtype: jnp.asarray(arguments[first], dtype) for dtype in ("bfloat16", "float16", "float32")}
    f = lambda x, **exit: case.loss(**{**arguments, first: x}, **case.options, **exit)  # noqa: E731
    results = jax.jit(lambda all_: {dtype: jax.value_and_grad(f)(x) for dtype, x in all_.items()})(rounded)
    for dtype, (result, gradient) in results.items():
        losses, own = case.expected({**arguments, first: np.asarray(rounded[dtype], np.float64)})
        assert result.dtype == jnp.float32
        assert gradient.dtype == dtype
        np.testing.assert_allclose(result, (losses * own).sum() / own.sum(), rtol=1e-5, err_msg=dtype)
        assert jax.eval_shape(lambda x: f(x, reduction="none"), rounded[dtype]).dtype == jnp.float32


@all_cases
def test_x64(case, x64):
    """float64 stays float64; float32 stays float32, also with NumPy's float64 options, weights and labels."""
    p = problem(case)
    wide = {k: v.astype(np.float64) if v.dtype.kind == "f" else v for k, v in p.rest.items()}
    options = {
        k: np.asarray(v, np.float64) if isinstance(v, float) or np.asarray(v).dtype.kind == "f" else v
        for k, v in case.options.items()
    }
    for dtype, rtol in ((np.float32, 1e-5), (np.float64, 1e-12)):
        x = p.x.astype(dtype)
        value, gradient = jax.jit(jax.value_and_grad(lambda x: case.loss(x, **wide, **options)))(x)
        assert value.dtype == gradient.dtype == dtype
        np.testing.assert_allclose(value, p.value, rtol=rtol)
        np.testing.assert_allclose(gradient, p.gradient, rtol=1e-4, atol=1e-6)
        assert case.loss(x, **p.rest, **case.options).dtype == dtype


CLASS_LOSSES = (
    jaxloss.nll_loss,
    jaxloss.cross_entropy,
    jaxloss.linear_cross_entropy,
    jaxloss.softmax_focal_loss,
    jaxloss.bi_tempered_logistic_loss,
)
LABELLED = [case for case in CASES if "labels" in case.arguments()]
HARD = [case for case in LABELLED if case.arguments()["labels"].dtype.kind == "i" or case.loss not in CLASS_LOSSES]


@pytest.mark.parametrize("case", HARD, ids=lambda case: case.id)
def test_integer_labels_of_every_width(case, x64):
    arguments = case.arguments()
    labels = arguments["labels"]
    if labels.dtype.kind == "f":
        zero_fits = not any(name == "labels" and value == 0 for name, value, _ in case.bad)
        labels = (labels > 0.5).astype(np.int32) if zero_fits else np.ones_like(labels, np.int32)
    integers, bools = labels, (labels > (arguments["labels"].dtype.kind == "i")).astype(np.int32)
    if case.loss is jaxloss.multilabel_margin_loss:
        integers = bools = abs(labels)  # unsigned, nothing ends the list; and bool says which classes are targets
    same = {dtype: integers.astype(dtype) for dtype in ("int32", "int8", "uint8", "int64", "uint64")}
    f = lambda labels: case.loss(**{**arguments, "labels": labels}, **case.options)  # noqa: E731
    expected, *results = jax.jit(lambda all_: [f(labels) for labels in all_])(list(same.values()))
    np.testing.assert_allclose(results, [expected] * len(results), rtol=1e-6)
    if case.loss is not jaxloss.multilabel_margin_loss:
        of_bools, expected = jax.jit(lambda a, b: (f(a), f(b)))(bools.astype(bool), bools)
        np.testing.assert_allclose(of_bools, expected, rtol=1e-6)


@one_case_a_loss
def test_weak_types_and_python_scalars(case):
    p = problem(case)
    assert not jax.eval_shape(lambda x: arrays(case, p.rest)(x, p.rest), p.x).weak_type


@one_case_a_loss
def test_debug_nans_and_leak_checks(case, no_older_objects):
    p = problem(case)
    with jax.debug_nans(True), jax.checking_leaks():
        check(jax.jit(jax.value_and_grad(lambda x: arrays(case, p.rest)(x, p.rest)))(p.x), p)


@pytest.fixture
def no_older_objects():
    """For leak checks, which search all objects that the collector knows, hundreds of times: those of this test do."""
    gc.freeze()
    yield
    gc.unfreeze()


def test_leak_checks_would_find_a_leak(no_older_objects):
    kept = []
    with jax.checking_leaks(), pytest.raises(Exception, match="Leaked"):
        jax.jit(lambda x: kept.append(x) or x)(1.0)


# --- bad input ---------------------------------------------------------------------------------------------------

bad_values = pytest.mark.parametrize(
    ("case", "name", "value", "says"),
    [pytest.param(case, *bad, id=f"{case.id}-{bad[0]}-{bad[1]}") for case in CASES for bad in case.bad],
)


def spoiled(case: Case, name: str, value: Any) -> tuple[dict[str, np.ndarray], tuple[int, ...]]:
    """The arguments with one bad value, in the one place of row 3 where every loss looks."""
    arguments = {key: x.copy() for key, x in case.arguments().items()}
    index: tuple[int, ...] = (3, *[0] * (arguments[name].ndim - 1))
    if name == "log_probs" and arguments["labels"].dtype.kind != "f":
        index = (3, int(arguments["labels"][3]))
    arguments[name][index] = value
    return arguments, index


class Programs(NamedTuple):
    """Of the arguments, compiled once for all bad values of a case; all but the first under `checked`."""

    together: Any  # losses and their gradients in both modes
    step: Any
    loss: Any
    compiled: Any
    through_scan: Any


@functools.cache
def programs(case: Case) -> Programs:
    loss = functools.partial(case.loss, **case.options)
    first = next(iter(case.arguments()))

    @jax.jit
    def together(arguments):
        f = lambda x: loss(**{**arguments, first: x}, reduction="none")  # noqa: E731
        x = arguments[first]
        return f(x), jax.grad(lambda x: jnp.sum(f(x)))(x), jax.jacfwd(f)(x)

    def through_scan(**arguments):
        return lax.scan(lambda total, row: (total + loss(**row), None), jnp.float32(0), _add_axis(arguments))[0]

    def step(**arguments):
        return jax.value_and_grad(lambda x: loss(**{**arguments, first: x}))(arguments[first])

    return Programs(together, *map(jaxloss.checked, (step, loss, jax.jit(loss), through_scan)))


@bad_values
def test_a_value_that_does_not_fit_is_nan_in_loss_and_gradient(case, name, value, says):
    arguments, index = spoiled(case, name, value)
    first = next(iter(arguments))
    losses, gradient, forward = (np.asarray(x) for x in programs(case).together(arguments))
    bad = np.zeros(losses.shape, bool)
    elementwise = losses.shape == arguments[first].shape
    bad[index if elementwise else index[:1] + (0,) * (losses.ndim - 1)] = True
    np.testing.assert_array_equal(np.isnan(losses), bad)
    axis = case.options.get("axis", -1)
    rows = bad if elementwise else np.broadcast_to(np.expand_dims(bad, axis), arguments[first].shape)
    rows = rows & case.options.get("class_mask", True)  # a class that is ruled out keeps its 0
    if name != first:  # a bad score alone can't reach the scores beside it
        np.testing.assert_array_equal(np.isnan(gradient), rows)
        assert np.all(np.isnan(forward[bad][:, rows]))
    else:
        assert np.isnan(gradient[index]) and np.isnan(forward[bad][(0, *index)])
    assert not np.any(np.isnan(gradient[~rows])) and not np.any(np.isnan(forward[~bad]))


@bad_values
def test_checked_names_loss_argument_value_and_index(case, name, value, says):
    arguments, index = spoiled(case, name, value)
    where = str(index if name != "labels" or arguments["labels"].ndim == len(index) else index[:1])
    message = f"{case.loss.__name__}: {says} at index {where}"
    for call in programs(case)[1:] if (name, value, says) == case.bad[0] else [programs(case).step]:
        with pytest.raises(ValueError) as error:
            call(**arguments)
        assert str(error.value) == message


def _add_axis(arguments):
    return {name: x[None] for name, x in arguments.items()}


@bad_values
def test_masked_out_it_does_not_matter(case, name, value, says):
    arguments, _ = spoiled(case, name, value)
    mask = np.ones(case.expected(case.arguments())[0].shape, bool)
    mask[3] = False
    expected = case.loss(**case.arguments(), mask=mask, **case.options)
    masked = programs(case).loss(**arguments, mask=mask)
    np.testing.assert_allclose(masked, expected, rtol=1e-6)


@one_case_a_loss
def test_checked_changes_nothing_where_values_fit(case):
    p = problem(case)
    f = jaxloss.checked(jax.jit(jax.value_and_grad(lambda x, rest: arrays(case, rest)(x, rest))))
    check(f(p.x, p.rest), p)


@all_cases
def test_shapes_that_do_not_fit(case):
    arguments = case.arguments()
    shape = case.expected(arguments)[0].shape
    for name in list(arguments)[1:]:
        for x in (arguments[name][..., None], arguments[name][:-1], arguments[name][0]):
            with pytest.raises((ValueError, TypeError), match=f"^{case.loss.__name__}: {name} must "):
                case.loss(**{**arguments, name: x}, **case.options)
    for name in ("weights", "mask"):
        for wrong in ((*shape, 1), (BATCH - 1, *shape[1:]), (1, *shape), shape[1:] or (1, 1)):
            with pytest.raises(ValueError, match=f"^{case.loss.__name__}: {name} must be a scalar or match"):
                case.loss(**arguments, **{name: np.ones(wrong, np.float32)}, **case.options)


@one_case_a_loss
def test_calls_that_do_not_fit(case):
    arguments = case.arguments()
    first, *others = arguments
    name = case.loss.__name__
    for change, kind, message in [
        ({first: arguments[first].astype(np.int32)}, TypeError, f"{first} must be floating point, got int32; cast"),
        ({first: arguments[first].tolist()}, TypeError, f"{first} must be an array, got a list"),
        ({first: arguments[first].astype(np.complex64)}, TypeError, f"{first} must hold real numbers, got complex64"),
        ({others[0]: arguments[others[0]].tolist()}, TypeError, f"{others[0]} must be an array, got a list"),
        ({"reduction": "average"}, ValueError, "reduction must be 'mean', 'sum', 'none' or 'total', got 'average'"),
        ({"reduction": "none", "axis_name": "data"}, ValueError, "axis_name reduces over devices"),
        ({"axis_name": ["data"]}, TypeError, "axis_name must be a plain value or a tuple of them, got a list"),
    ]:
        with pytest.raises(kind, match=f"^{name}: {message}"):
            case.loss(**{**arguments, **case.options, **change})
    parameters = inspect.signature(case.loss).parameters.values()
    leading = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name not in TAIL]
    arguments = {**arguments, **case.options}
    with pytest.raises(TypeError, match=f"^{name}: weights must be an array, got 'sum'; options are passed by keyword"):
        case.loss(*(arguments.pop(name) for name in leading), "sum", **arguments)


@pytest.mark.parametrize("loss", [jaxloss.nll_loss, jaxloss.cross_entropy], ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("ignore_index", [-100, -1, 255, 2])
def test_ignore_index_is_a_mask_by_label(loss, ignore_index):
    scores = -np.random.default_rng(0).uniform(0.1, 3, (6, 5)).astype(np.float32)
    labels = np.array([0, 1, ignore_index, 3, ignore_index, 4], np.int32)
    kept = labels != ignore_index
    scores[2] = np.nan
    value, gradient = jax.value_and_grad(lambda x: loss(x, labels, ignore_index=ignore_index))(scores)
    expected = jax.value_and_grad(lambda x: loss(x, np.where(kept, labels, 0), mask=kept))(scores)
    np.testing.assert_array_equal(value, expected[0])
    np.testing.assert_array_equal(gradient, expected[1])
    both = loss(scores, labels, mask=np.arange(6) < 4, ignore_index=ignore_index)
    np.testing.assert_array_equal(both, loss(scores, np.where(kept, labels, 0), mask=kept & (np.arange(6) < 4)))
    narrow = loss(scores, np.where(kept, labels, -1).astype(np.int8), ignore_index=-1)
    np.testing.assert_array_equal(narrow, value)
    assert loss(scores, np.full(6, ignore_index, np.int32), ignore_index=ignore_index) == 0
