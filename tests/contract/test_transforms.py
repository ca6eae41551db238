"""Every loss under every transform, alone and on eight devices, two of them without a single element.

What losses compute under them is in `test_contract.py`; here it is the same. `make test` takes rows of a third of
the kinds, `make test-all` one of each loss, and all where a transform takes options.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import inspect
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxloss

from ..harness.case import Case
from ..harness.derivatives import agree, cast, place, real
from ..harness.problems import (
    DEVICES,
    TAIL,
    Problem,
    alone,
    arrays,
    check,
    grid,
    mean_of,
    of_any_size,
    open_arrays,
    places,
    problem,
    same,
    slope,
    stretched,
)
from ..harness.rows import CASES, FIRST, exhaustive
from .test_contract import complaint, spoiled


as_users_compile = pytest.mark.as_users_compile
pytestmark = pytest.mark.usefixtures("compiles_fast")


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


@exhaustive(FIRST)
@pytest.mark.parametrize("transform", EAGER)
def test_value_and_gradient_eagerly_through(case, transform):
    p = problem(case)
    check(EAGER[transform](lambda x: arrays(case, p.rest)(x, p.rest), jnp.asarray(p.x)), p)


@as_users_compile
@exhaustive(FIRST)
def test_value_and_gradient_through(case):
    """All in one program, which compiles once."""
    p = problem(case)
    f = lambda x: arrays(case, p.rest)(x, p.rest)  # noqa: E731
    results = jax.jit(lambda x: {name: run(f, x) for name, run in COMPILED.items()})(p.x)
    for name, result in results.items():
        check(result, p, name)


@exhaustive(FIRST)
def test_whole_hessians(case):
    """In each order of modes, by all unit vectors at once; in one direction they are in `test_contract.py`."""
    p = problem(case)
    f = lambda x: arrays(case, p.rest)(x, p.rest)  # noqa: E731
    v, expected = curvature(case, p)

    @jax.jit
    def hessians(x):
        return {
            f"{outer.__name__} of {inner.__name__}": jnp.tensordot(outer(inner(f))(x), v, v.ndim)
            for outer in (jax.jacfwd, jax.jacrev)
            for inner in (jax.jacfwd, jax.jacrev)
        }

    for mode, product in hessians(p.x).items():
        np.testing.assert_allclose(product, expected, rtol=1e-3, atol=3e-5, err_msg=mode)


def curvature(case: Case, p: Problem) -> tuple[jax.Array, np.ndarray]:
    """A direction and the Hessian's product with it: differences of differences, with an error of 1e-5."""
    direction = np.random.default_rng(3).normal(size=p.x.shape)
    x, step = p.x.astype(np.float64), 1e-4 if case.near_kinks else 1e-3
    up, down = (slope(mean_of(case, p), x + by * direction, 1e-5) for by in (step, -step))
    return jnp.asarray(direction, jnp.float32), (up - down) / (2 * step)


@exhaustive(CASES)
def test_gradient_of_every_other_argument_and_option(case):
    """Each alone, in both modes: all others are constants of the program, of which rules take no tangent."""
    p = problem(case)
    arguments = case.arguments()
    floats = {name: x for name, x in list(arguments.items())[1:] if x.dtype.kind == "f"}
    floats |= {name: np.asarray(x) for name, x in case.options.items() if np.asarray(x).dtype.kind == "f"}

    def mean(x: np.ndarray, name: str) -> float:
        changed = dataclasses.replace(case, options={**case.options, **({name: x} if name in case.options else {})})
        given = {**arguments, **({name: x} if name in arguments else {})}
        losses, count = changed.expected(given, p.rest["mask"], p.rest["weights"])
        return float((losses * count).sum() / count.sum())

    @jax.jit
    def slopes(floats):
        f = lambda x, name: case.loss(**{**arguments, **p.rest, **case.options, name: x})  # noqa: E731
        return {name: [derive(f)(x, name) for derive in (jax.grad, jax.jacfwd)] for name, x in floats.items()}

    for name, both in slopes({name: jnp.asarray(x, jnp.float32) for name, x in floats.items()}).items():
        wide = floats[name].astype(np.float64)
        expected = slope(lambda x, name=name: mean(x, name), wide) * (name not in case.constant)
        for gradient in both:
            np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-5, err_msg=name)


@exhaustive(FIRST)
def test_reverse_over_reverse_by_every_argument(case, x64):
    at = place(case)
    choices = {name: x for name, x in case.options.items() if not real(x)}
    x, direction = cast((at.x, at.direction), jnp.float64)
    slope = jax.grad(lambda x: case.loss(**at.held, **choices, **x, reduction="sum"))
    once, again = jax.jit(lambda x, v: (jax.jvp(slope, (x,), (v,))[1], jax.vjp(slope, x)[1](v)[0]))(x, direction)
    for name in x:
        agree(again[name], once[name], name, 1e-9)


@as_users_compile
@exhaustive(FIRST)
def test_float16(case):
    """Costs the rounding of the inputs, nothing more: the reference gets the same rounded inputs."""
    arguments = case.arguments()
    first = next(iter(arguments))
    x = jnp.asarray(arguments[first], jnp.float16)
    f = lambda x, **exit: case.loss(**{**arguments, first: x}, **case.options, **exit)  # noqa: E731
    result, gradient = jax.jit(jax.value_and_grad(f))(x)
    losses, own = case.expected({**arguments, first: np.asarray(x, np.float64)})
    assert result.dtype == jnp.float32 and gradient.dtype == jnp.float16
    np.testing.assert_allclose(result, (losses * own).sum() / own.sum(), rtol=1e-5)
    assert jax.eval_shape(lambda x: f(x, reduction="none"), x).dtype == jnp.float32


@exhaustive(FIRST)
def test_no_leaks(case, no_older_objects):
    p = problem(case)
    with jax.checking_leaks():
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


@exhaustive(CASES)
def test_vmap_over_every_argument(case):
    p = problem(case)
    f = lambda x, rest: case.loss(x, **rest, **_rowwise(case), reduction="none")  # noqa: E731
    whole = case.loss(p.x, **p.rest, **case.options, reduction="none")
    if not case.meeting:
        by_row = jax.jit(jax.vmap(f))(p.x, p.rest)
        np.testing.assert_allclose(by_row, whole, rtol=5e-6, atol=1e-6)  # another program rounds otherwise
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
    moved = {"axis": axis - 1} if isinstance(axis, int) and axis > 0 else {}
    takes = "batch_axes" in inspect.signature(case.loss).parameters
    return case.options | moved | ({"batch_axes": ()} if takes else {})


LEAST = {"dual_clip": 1.0}  # what a number must be above, where that isn't 0


def numbers_of(case: Case) -> dict[str, float]:
    return {name: x for name, x in case.options.items() if isinstance(x, float)}


@exhaustive([*filter(numbers_of, CASES)])
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
        scaled = {name: LEAST.get(name, 0) + scale * (x - LEAST.get(name, 0)) for name, x in numbers.items()}
        expected = case.loss(p.x, **p.rest, **{**case.options, **scaled})
        np.testing.assert_allclose(f(scaled), expected, rtol=1e-6)
    assert traces == 1
    swept = jax.vmap(f)({name: jnp.array([1, 0.5]) * x for name, x in numbers.items()})
    np.testing.assert_allclose(swept[0], p.value, rtol=1e-5)


@exhaustive(FIRST)
def test_export_for_any_size(case):
    """Of each axis; reloaded with first and second derivatives."""
    p = problem(case)
    f, arguments = open_arrays(case, p)
    exported = jax.export.export(jax.jit(f))(*of_any_size(case, arguments))
    loaded = jax.export.deserialize(exported.serialize(vjp_order=2)).call
    gradient = jax.grad(lambda x: loaded(x, *arguments[1:]))
    v, expected = curvature(case, p)
    check((loaded(*arguments), gradient(p.x)), p)
    product = jax.grad(lambda x: jnp.vdot(gradient(x), v))(p.x)
    np.testing.assert_allclose(product, expected, rtol=1e-3, atol=3e-5)  # see `curvature`
    x, rest, options = arguments
    without = x, {name: y for name, y in rest.items() if name not in TAIL}, options
    exported = jax.export.export(jax.jit(f))(*of_any_size(case, without))
    np.testing.assert_allclose(exported.call(*without), f(*without), rtol=1e-6)


@exhaustive([case for case in FIRST if case.split])
def test_mapped_axes(case):
    """Over one name, two, and one of two, with the gradient inside and outside, in one program."""
    p = problem(case)
    shared = jnp.zeros((1, *p.x.shape[1:]))
    both = ("data", "model")
    line = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))
    over = [(line, P("data"), "data"), (grid(), P(both), both)]
    if not case.meeting:  # where rows are the same, they would meet copies of themselves
        over.append((grid(), P("data"), both))

    def ways(x, shared, rest):
        for check_vma in (True, False):
            mapped = functools.partial(jax.shard_map, out_specs=P(), check_vma=check_vma)
            for mesh, spec, names in over:
                inside = mapped(step(case, names, mean=not check_vma), mesh=mesh, in_specs=(spec, P(), spec))
                yield f"inside, {spec} over {names}, check_vma={check_vma}", inside(x, shared, rest)
            outside = mapped(stretched(case, "data"), mesh=line, in_specs=(P("data"), P(), P("data")))
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
        value, gradient = jax.value_and_grad(stretched(case, names), argnums=1)(x, shared, rest)
        return value, lax.pmean(gradient, names) if mean else gradient

    return step


@exhaustive([case for case in FIRST if case.split])
def test_pmap(case):
    p = problem(case)
    x, rest = jax.tree.map(lambda x: x[:, None], (p.x, p.rest))
    mapped = jax.pmap(step(case, "data"), axis_name="data", in_axes=(0, None, 0))
    same(mapped(x, jnp.zeros((1, *p.x.shape[1:])), rest), (alone(case).value, alone(case).shared))


@exhaustive(FIRST)
def test_sharded_jit(case):
    """Value, gradient and losses, in one program; the gradient stays where the first argument is."""
    p = problem(case)
    placed = dict(places(case, p, AxisType.Auto, AxisType.Explicit))

    def everything(x, rest):
        f = arrays(case, rest)
        return f(x, rest, reduction="none"), *jax.value_and_grad(f)(x, rest)

    results = jax.jit(lambda placed: {name: everything(*call) for name, call in placed.items()})(placed)
    for name, result in results.items():
        same(result, alone(case)[:3], name)
        found, wanted = result[-1].sharding, placed[name][0].sharding
        if case.loss is jaxloss.rnnt_loss and name == "AxisType.Auto ['data', None, 'model', None]":
            # Labels of a lattice: XLA walks through all of them on every device.
            wanted = NamedSharding(wanted.mesh, P("data"))
        assert found.is_equivalent_to(wanted, p.x.ndim), name


CLASS_LOSSES = (
    jaxloss.nll_loss,
    jaxloss.cross_entropy,
    jaxloss.linear_cross_entropy,
    jaxloss.softmax_focal_loss,
    jaxloss.bi_tempered_logistic_loss,
    jaxloss.unlikelihood_loss,
)
LABELLED = [case for case in CASES if "labels" in case.arguments()]
HARD = [case for case in LABELLED if case.arguments()["labels"].dtype.kind == "i" or case.loss not in CLASS_LOSSES]


@exhaustive(HARD)
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


# --- checks --------------------------------------------------------------------------------------------------------


@exhaustive(FIRST)
def test_checked_changes_nothing_where_values_fit(case):
    p = problem(case)
    f = jaxloss.checked(jax.jit(jax.value_and_grad(lambda x, rest: arrays(case, rest)(x, rest))))
    check(f(p.x, p.rest), p)


@exhaustive([case for case in CASES if case.bad])
def test_checked_through_jit_and_scan(case):
    loss = functools.partial(case.loss, **case.options)

    def through_scan(**arguments):
        rows = {name: x[None] for name, x in arguments.items()}
        return lax.scan(lambda total, row: (total + loss(**row), None), jnp.float32(0), rows)[0]

    name, value, says = case.bad[0]
    arguments, index = spoiled(case, name, value)

    def step(**arguments):
        first = next(iter(case.arguments()))
        return jax.value_and_grad(lambda x: loss(**{**arguments, first: x}))(arguments[first])

    for call in (jax.jit(loss), step, through_scan):
        with pytest.raises(ValueError) as error:
            jaxloss.checked(call)(**arguments)
        assert str(error.value) == complaint(case, name, index, says)
