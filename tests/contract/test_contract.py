"""Every rule of the contract, for every row of `cases.py`: values and derivatives in one program for each dtype.

A row's program takes its calls under `vmap`: with weights and masks of every kind, with junk where it is masked, with
the values that don't fit. What depends on JAX's machinery alone is traced here, and run in `test_transforms.py`.
"""

from __future__ import annotations

import functools
import inspect
import pickle
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec as P

import jaxloss
from jaxloss._testing import promises
from jaxloss._testing.calls import Calls, Subject, as_written, by_call, calls as calls_of, program

from ..harness.case import BATCH, Case
from ..harness.derivatives import agree, along, cast, differences, place, real, weighted
from ..harness.problems import TAIL, arrays, check, grid, of_any_size, open_arrays, places, problem
from ..harness.rows import CASES, FIRST, MORE, REDUCTIONS, all_cases, most_cases, one_case_a_loss, public_losses


EXIT = ["reduction", "axis_name"]
as_users_compile = pytest.mark.as_users_compile
pytestmark = pytest.mark.usefixtures("compiles_fast")


# --- the house ---------------------------------------------------------------------------------------------------


def test_every_public_loss_has_a_row():
    losses = set(public_losses()) - REDUCTIONS
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


# --- values and derivatives ----------------------------------------------------------------------------------------


def spoiled(case: Case, name: str, value: Any) -> tuple[dict[str, np.ndarray], tuple[int, ...]]:
    """The arguments with one bad value, in the one place of row 3 where every loss looks."""
    arguments = {key: x.copy() for key, x in case.arguments().items()}
    index: tuple[int, ...] = (3, *[0] * (arguments[name].ndim - 1))
    if name == "log_probs" and arguments["labels"].dtype.kind != "f":
        index = (3, int(arguments["labels"][3]))
    arguments[name][index] = value
    return arguments, index


def subject(case: Case) -> Subject:
    shape = case.weights_shape()
    return Subject(
        case.id,
        case.loss,
        case.arguments(),
        case.options,
        shape,
        case.mask_shape(shape),
        meeting=case.meeting and not case.pooled,
        constant=case.constant,
    )


@functools.cache
def calls(case: Case) -> Calls:
    """And with each value that doesn't fit."""
    row_3 = np.ones(case.mask_shape(case.weights_shape()), bool)
    row_3[3] = False
    bad = [spoiled(case, name, value)[0] for name, value, _ in case.bad]
    return calls_of(
        subject(case),
        {
            "without row 3": {"mask": row_3},
            **{f"bad {i}": x for i, x in enumerate(bad)},
            **{f"masked bad {i}": {"mask": row_3, **x} for i, x in enumerate(bad)},
        },
    )


@functools.cache
def compiled(case: Case) -> Any:
    """Once, whatever the mode of the test that asks first."""
    _, x, direction, held = calls(case)
    return as_written(program(subject(case)).lower(*cast((x, direction), jnp.float64), held))


def exact(case: Case, dtype: Any = np.float64) -> dict[str, dict[str, Any]]:
    """By call and name, all that the program says in float64; of a first argument that was rounded to `dtype`."""
    names, x, direction, held = calls(case)
    first = next(iter(x))
    with jax.enable_x64(True):
        x = {**x, first: np.asarray(rounded(x[first], dtype), np.float64)}
        return by_call(compiled(case)(*cast((x, direction), jnp.float64), held), names)


def rounded(x: np.ndarray, dtype: Any) -> np.ndarray:
    with np.errstate(over="ignore"):
        return x.astype(jnp.dtype(dtype))


def check_calls(case: Case, found: dict[str, dict[str, Any]], error: float = 0.0) -> None:
    """What holds between the calls, in any dtype and for all derivatives there are."""
    promises.masks(subject(case), found, error)
    promises.nothing(subject(case), found)
    promises.copies(subject(case), found)
    for i in range(len(case.bad)):
        promises.same(found[f"masked bad {i}"], found["without row 3"], f"masked bad {i}", error)
    first = next(iter(case.arguments()))
    for i, (name, value, _) in enumerate(case.bad):
        call, (_, index) = found[f"bad {i}"], spoiled(case, name, value)
        if case.meeting:
            assert np.isnan(call["mean"]) and np.all(np.isnan(call["slope of the mean"]))
            continue
        slope, shape = call["slope of the mean"], place(case).x["weights"].shape
        bad = np.zeros(shape, bool)
        axis = case.options.get("axis", -1)
        if case.kept:  # a number spoils its class, an index all of them
            bad[tuple(index[axis] for axis in case.kept) if len(index) == slope.ndim else index[0]] = True
            rows = case.lifted(bad)
        else:
            bad[index if shape == slope.shape else index[:1] + (0,) * (len(shape) - 1)] = True
            rows = bad if shape == slope.shape else np.broadcast_to(np.expand_dims(bad, axis), slope.shape)
        rows = rows & case.options.get("class_mask", True)  # a class that is ruled out keeps its 0
        assert np.isnan(call["mean"])
        for per_element in {"losses", "forward"} & {*call}:
            np.testing.assert_array_equal(np.isnan(call[per_element]), bad)
        if name != first:
            np.testing.assert_array_equal(np.isnan(slope), rows)
        else:  # a bad score alone can't reach the scores beside it
            assert np.isnan(slope[index]) and not np.any(np.isnan(slope[~rows]))


@pytest.mark.parametrize("case", CASES + MORE, ids=lambda case: case.id)
def test_values_and_derivatives(case):
    """Against the reference, in float64, where differences are good to 1e-9 and 1e-6."""
    found = exact(case)
    names, x, _, held = calls(case)
    assert {part.dtype for part in jax.tree.leaves(found)} == {np.dtype(float)}
    at = place(case)
    for i, name in enumerate(names[:2]):
        call = found[name]
        losses, count = weighted(case, held["mask"][i], {key: values[i] for key, values in x.items()})
        agree(call["losses"], losses * count, f"{name}, losses", 1e-12)
        agree(call["sum"], (losses * count).sum(), f"{name}, sum", 1e-12)
        agree(call["total"].total, (losses * count).sum(), f"{name}, total", 1e-12)
        agree(call["total"].weight, count.sum(), f"{name}, weight", 1e-12)
        agree(call["mean"], (losses * count).sum() / count.sum(), f"{name}, mean", 1e-12)
    gradient, product = differences(case, held["mask"][1], at)
    first = next(iter(at.x))
    for key in at.x:
        agree(call["gradient"][key], gradient[key], f"by {key}", 1e-6)
        agree(call["product"][key], product[key], f"second order, by {key}", 1e-4)
    agree(call["slope of the mean"], gradient[first] / count.sum(), "slope of the mean", 1e-6)
    agree(call["forward"].sum(), along(gradient, at.direction), "forward", 1e-6)
    v = at.direction[first]
    only_first = {key: v if key == first else np.zeros_like(x) for key, x in at.direction.items()}
    _, of_first = differences(case, held["mask"][1], at._replace(direction=only_first), [first])
    total = (losses * count).sum()
    of_square = 2 * ((gradient[first] * v).sum() * gradient[first] + total * of_first[first])
    scale = max(1, 2 * abs(total))  # which the differences' error is multiplied by
    agree(call["square in a scan"] / scale, of_square / scale, "second order of the square, in a scan", 1e-4)
    if not case.pooled:
        unweighted = weighted(case, held["mask"][0], {**at.x, "weights": np.ones(())})
        agree(found["no weight"]["gradient"]["weights"], np.multiply(*unweighted), "weights, from zero", 1e-12)


@all_cases
def test_masks_weights_and_values_that_do_not_fit(case):
    check_calls(case, exact(case))


BY_PLACE = {jaxloss.ssim_loss: 1e-6}  # XLA's products for CPUs round what is the same by where it stands


@as_users_compile
@most_cases
def test_precision(case):
    """Half precision costs the rounding of the inputs, nothing more: the exact program gets the same rounded inputs."""
    names, x, _, held = calls(case)
    first, *others = x
    held = held | cast({name: x[name] for name in others}, np.float32)
    choices = {name: option for name, option in case.options.items() if name not in x}
    slopes = jax.jit(jax.vmap(jax.value_and_grad(lambda x, held: case.loss(x, **held, **choices))))
    for dtype in ("float32", "bfloat16") if case in FIRST else ("float32",):
        mean, slope = slopes(rounded(x[first], dtype), held)
        assert mean.dtype == np.float32 and slope.dtype == dtype
        found = by_call({"mean": mean, "slope of the mean": slope.astype(np.float32)}, names)
        check_calls(case, found, BY_PLACE.get(case.loss, 0.0))
        for name, wanted in exact(case, dtype).items():
            for key, error in {"mean": 1e-5, "slope of the mean": max(float(jnp.finfo(dtype).eps), 1e-5)}.items():
                if "bad" not in name:
                    agree(found[name][key], wanted[key], f"{dtype}, {name}, {key}", error)


# --- traced, not run: what losses compute there is in test_transforms.py --------------------------------------------


@one_case_a_loss
def test_leaves_no_call_behind_in_a_callers_jit(case):
    p = problem(case)
    text = str(jax.make_jaxpr(lambda x: arrays(case, p.rest)(x, p.rest))(p.x))
    assert f"name={case.loss.__name__}" not in text and "name=reduce" not in text


@one_case_a_loss
def test_weak_types_and_python_scalars(case):
    p = problem(case)
    assert not jax.eval_shape(lambda x: arrays(case, p.rest)(x, p.rest), p.x).weak_type


@most_cases
def test_float32_stays_float32(case, x64):
    """Also with NumPy's float64 options, weights and labels."""
    p = problem(case)
    wide = {name: x.astype(np.float64) if real(x) else x for name, x in p.rest.items()}
    options = {name: np.asarray(x, np.float64) if real(x) else x for name, x in case.options.items()}
    f = lambda x: case.loss(x, **wide, **options)  # noqa: E731
    assert [x.dtype for x in jax.eval_shape(jax.value_and_grad(f), p.x)] == [np.float32, np.float32]


@most_cases
def test_symbolic_shapes(case):
    f, arguments = open_arrays(case, problem(case))
    symbolic = of_any_size(case, arguments)
    value, gradient = jax.eval_shape(jax.value_and_grad(f), *symbolic)
    assert value.shape == () and gradient.shape == symbolic[0].shape


@most_cases
def test_explicit_sharding(case):
    """Of rows, and of rows and each other axis: all operations take it, and the gradient stays where its input is."""
    p = problem(case)
    f = jax.value_and_grad(lambda x, rest: arrays(case, rest)(x, rest))
    for name, call in places(case, p, AxisType.Explicit):
        _, gradient = jax.jit(f).trace(*call).out_info
        assert gradient.sharding.spec == call[0].sharding.spec, name


@pytest.mark.parametrize("case", [case for case in FIRST if not case.meeting], ids=lambda case: case.id)
def test_devices_meet_in_scalars_only(case):
    """With `axis_name` the program is what it is without, but for scalars: the largest unit of the weights, both sums.

    So what holds of `reduce` holds.
    """
    p = problem(case)

    def primitives(axis_name):
        f = lambda x, rest: arrays(case, rest)(x, rest, axis_name=axis_name)[None]  # noqa: E731
        mapped = jax.shard_map(f, mesh=grid(), in_specs=P("data"), out_specs=P("data"), check_vma=False)
        return [(e.primitive.name, e.outvars[0].aval) for e in equations(jax.make_jaxpr(mapped)(p.x, p.rest).jaxpr)]

    alone, together = primitives(None), primitives("data")
    met = [(name, aval.shape) for name, aval in together if name.startswith(("psum", "pmax"))]
    assert [(name[:4], shape) for name, shape in met] == [("pmax", ()), ("psum", ()), ("psum", ())]
    assert [name for name, aval in together if aval.shape] == [name for name, aval in alone if aval.shape]


def equations(jaxpr):
    for equation in jaxpr.eqns:
        yield equation
        for held in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda x: hasattr(x, "eqns")):
            held = getattr(held, "jaxpr", held)
            if hasattr(held, "eqns"):
                yield from equations(held)


@one_case_a_loss
def test_debug_nans(case):
    p = problem(case)
    with jax.debug_nans(True):
        check(jax.jit(jax.value_and_grad(lambda x: arrays(case, p.rest)(x, p.rest)))(p.x), p)


# --- bad input-----------------------------------------------------------------------------------------------------


def complaint(case: Case, name: str, index: tuple[int, ...], says: str) -> str:
    whole = name != "labels" or case.arguments()["labels"].ndim == len(index)
    return f"{case.loss.__name__}: {says} at index {index if whole else index[:1]}"


@pytest.mark.parametrize("case", [case for case in CASES if case.bad], ids=lambda case: case.id)
def test_checked_names_loss_argument_value_and_index(case):
    checked = jaxloss.checked(functools.partial(case.loss, **case.options))
    for name, value, says in case.bad:
        arguments, index = spoiled(case, name, value)
        with pytest.raises(ValueError) as error:
            checked(**arguments)
        assert str(error.value) == complaint(case, name, index, says)


@most_cases
def test_empty_batch(case):
    arguments = {name: x[:0] for name, x in case.arguments().items()}
    first, *others = arguments
    f = jax.jit(jax.value_and_grad(arrays(case, {})))
    value, gradient = f(arguments[first], {name: arguments[name] for name in others})
    assert value == 0
    assert gradient.shape == arguments[first].shape


@most_cases
def test_shapes_that_do_not_fit(case):
    arguments = case.arguments()
    shape = case.weights_shape()
    for name in list(arguments)[1:]:
        fewer = [arguments[name][:-1]] if case.split else []  # of views some may be missing
        for x in (arguments[name][..., None], *fewer, arguments[name][0]):
            with pytest.raises((ValueError, TypeError), match=f"^{case.loss.__name__}: {name} must "):
                case.loss(**{**arguments, name: x}, **case.options)
    for name, fits in {"weights": shape, "mask": case.mask_shape(shape)}.items():
        for wrong in ((*fits, 1), (BATCH - 1, *fits[1:]), (1, *fits), fits[1:] or (1, 1)):
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
        *(({x: arguments[x].tolist()}, TypeError, f"{x} must be an array, got a list") for x in others[:1]),
        ({"reduction": "average"}, ValueError, "reduction must be 'mean', 'sum', 'none' or 'total', got 'average'"),
        ({"reduction": "none", "axis_name": "data"}, ValueError, "axis_name must be left out with reduction='none'"),
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
