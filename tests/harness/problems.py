"""One call of each row with weights and an uneven mask, its value and gradient, and the ways to place it on devices."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

from .case import BATCH, Case


TAIL = ["weights", "mask"]
DEVICES = 8


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
    shape = case.weights_shape()
    rng = np.random.default_rng(1)
    weights = rng.uniform(0.5, 2, shape).astype(np.float32)
    mask = rng.random(case.mask_shape(shape)) < 0.7
    mask[: 2 * BATCH // DEVICES] = False  # whole devices without an element
    mask[-1] = True
    rest = {name: arguments[name] for name in others} | {"weights": weights, "mask": mask}

    p = Problem(arguments[first], rest, np.nan, arguments[first])
    mean, x = mean_of(case, p), p.x.astype(np.float64)
    return p._replace(value=mean(x), gradient=slope(mean, x))


def mean_of(case: Case, p: Problem) -> Callable[[np.ndarray], float]:
    """The weighted mean of the reference as a function of the first argument."""
    arguments = case.arguments()
    first = next(iter(arguments))

    def mean(x: np.ndarray) -> float:
        losses, count = case.expected({**arguments, first: x}, p.rest["mask"], p.rest["weights"])
        return float((losses * count).sum() / count.sum())

    return mean


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


def open_arrays(case: Case, p: Problem) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The loss as a function of its first argument, the others, and the options that are arrays, and all of these."""
    options = {name: x for name, x in case.options.items() if isinstance(x, np.ndarray)}
    others = {name: x for name, x in case.options.items() if name not in options}
    return lambda x, rest, options, **keywords: case.loss(x, **rest, **options, **others, **keywords), (
        p.x,
        p.rest,
        options,
    )


def of_any_size(case: Case, arguments: Any) -> Any:
    """All axes symbolic, those of one size by one name; but boxes have their corners, and see `fixed`."""
    boxes = any(argument.kind == "box" for argument in case.inputs.values())
    corners = {x.shape[case.options.get("axis", -1)] for x in arguments[:1] if boxes}
    sizes = sorted({size for x in jax.tree.leaves(arguments) for size in x.shape if size > 1} - corners - {*case.fixed})
    symbols = dict(zip(sizes, jax.export.symbolic_shape(", ".join(f"size{size}" for size in sizes))))
    of = lambda x: jax.ShapeDtypeStruct([symbols.get(size, size) for size in x.shape], x.dtype)  # noqa: E731
    return jax.tree.map(of, arguments)


def check(result: Any, p: Problem, name: str = "") -> None:
    value, gradient = result
    np.testing.assert_allclose(value, p.value, rtol=1e-5, atol=1e-6, err_msg=name)
    # The differences' own error is 1e-8.
    np.testing.assert_allclose(gradient, p.gradient, rtol=1e-4, atol=1e-6, err_msg=name)


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
        value, slopes = jax.value_and_grad(stretched(case), argnums=(0, 1))(*learned, rest)
        return arrays(case, rest)(x, rest, reduction="none"), value, *slopes

    return Alone(*map(np.asarray, everything(p.x, p.rest)))


def stretched(case: Case, axis_name: Any = None):
    """The loss as a function of its first argument and of what every row shares, by which it is stretched.

    Not moved: some see no offset, and then there is only rounding to compare.
    """
    return lambda x, shared, rest: arrays(case, rest)(x * (1 + shared), rest, axis_name=axis_name)


def same(results: Any, expected: Any, name: str = "") -> None:
    """To 1e-6 of the largest entry, on every device."""
    for result, wanted in zip(jax.tree.leaves(results), jax.tree.leaves(expected), strict=True):
        wanted = np.broadcast_to(wanted, result.shape)
        np.testing.assert_allclose(result, wanted, rtol=0, atol=1e-6 * np.max(np.abs(wanted)), err_msg=name)


def grid(kind: AxisType = AxisType.Auto) -> jax.sharding.Mesh:
    return jax.make_mesh((4, 2), ("data", "model"), axis_types=(kind, kind))


def places(case: Case, p: Problem, *kinds: AxisType):
    """A problem spread by rows over all devices, and by rows and each other axis in turn."""
    axis = case.options.get("axis", -1)
    reduced = {place % p.x.ndim for place in np.ravel([] if axis is None else axis)}
    for place, kind in itertools.product(range(p.x.ndim), kinds):
        spec = ["data", *[None] * (p.x.ndim - 1)]
        spec[place] = "model" if place else ("data", "model")
        by_row = [name for i, name in enumerate(spec) if i not in reduced]
        on = lambda names, kind=kind: NamedSharding(grid(kind), P(*names))  # noqa: E731
        shardings = {name: on(spec if x.shape == p.x.shape else along(by_row, x)) for name, x in p.rest.items()}
        if case.members is not None:
            shardings["weights"] = on([spec[axis] for axis in case.kept])
        yield f"{kind} {spec}", jax.device_put((p.x, p.rest), (on(spec), shardings))


def along(by_row: list[Any], x: np.ndarray) -> list[Any]:
    """Of sequences labels and lengths have axes of their own, which two devices may be unable to share."""
    fits = x.ndim >= len(by_row) and not any(name and size % 2 for name, size in zip(by_row[1:], x.shape[1:]))
    return by_row if fits else by_row[:1]
