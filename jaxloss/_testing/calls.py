"""A loss, and the calls of it by which its promises show: of each kind of weights and masks, in one program."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


JUNK = (np.nan, np.inf, -np.inf, 1e30)
Results = dict[str, dict[str, Any]]


class Subject(NamedTuple):
    """A loss with a call of it."""

    name: str
    loss: Callable[..., Any]
    arguments: dict[str, np.ndarray]  # the first one is differentiated
    options: dict[str, Any]
    weights: tuple[int, ...] | None  # their shape, or None where the loss takes none
    mask: tuple[int, ...] | None
    reduces: bool = True  # takes ``reduction``
    spreads: bool = True  # takes ``axis_name``
    meeting: bool = False  # compares rows with each other
    constant: tuple[str, ...] = ()  # what no gradient is to reach

    @property
    def first(self) -> str:
        return next(iter(self.arguments))

    def by_row(self, x: Any) -> bool:
        return np.shape(x)[:1] == self.arguments[self.first].shape[:1]

    def some(self) -> range:
        """The rows that are masked, for what they may hold."""
        rows = range(len(self.arguments[self.first]))
        return rows[len(rows) // 4 : -(len(rows) // 4)]

    def of(self, given: dict[str, Any], reduction: str = "mean", **keywords: Any) -> Any:
        """The loss of what is given by name; without ``reduction``, that of what it returns."""
        given = {**self.options, **given, **keywords}
        if self.reduces:
            return self.loss(**given, reduction=reduction)
        losses = self.loss(**given)
        return losses if reduction == "none" else getattr(jnp, reduction)(losses)


class Calls(NamedTuple):
    """Calls of a loss, stacked; what is floating point, weights and options included, is differentiated."""

    names: list[str]
    x: dict[str, np.ndarray]
    direction: dict[str, np.ndarray]
    held: dict[str, np.ndarray]  # labels of classes, and the mask


def calls(s: Subject, more: dict[str, dict[str, Any]] | None = None) -> Calls:
    """With weights and masks of every kind, and with what is masked in any state."""
    given = {**s.arguments, **{key: np.asarray(x) for key, x in s.options.items() if is_float(x) or s.by_row(x)}}
    x = {name: np.asarray(value, np.float64) for name, value in given.items() if is_float(value)}
    changes: dict[str, dict[str, Any]] = {"plain": {}, "uneven": {}}
    rng, some = np.random.default_rng(4), s.some()
    ones, everywhere = np.ones(s.weights or ()), np.ones(s.mask or (), bool)
    if s.weights is not None:
        x["weights"] = rng.uniform(0.5, 2, s.weights)
        changes["plain"]["weights"], changes["no weight"] = ones, {"weights": 0 * ones}
    direction = {name: rng.choice([-1, 1], at.shape) * rng.uniform(0.5, 1.5, at.shape) for name, at in x.items()}
    direction |= {name: np.zeros_like(x[name]) for name in s.constant}
    if s.mask is not None:
        uneven, row_0, without = (everywhere.copy() for _ in range(3))
        uneven.flat[1::3] = row_0[0] = without[some] = False
        soil = functools.partial(soiled, s, some)
        junk = {name: soil(value) for name, value in {**given, **x}.items() if name not in s.options}
        changes["uneven"]["mask"] = uneven
        changes |= {"clean": {"mask": without}, "soiled": {"mask": without, **junk}, "no mask": {"mask": ~everywhere}}
        if s.mask != s.weights:
            changes["soiled members"] = {"mask": uneven, **_soiled_members(s, uneven)}
        if s.weights is not None:
            two = np.ones(s.weights)
            two[1] = 2
            copied = {name: np.concatenate([x[1:2], x[1:]]) for name, x in given.items() if s.by_row(x)}
            changes |= {"weight two": {"mask": row_0, "weights": two}, "two copies": {"weights": ones, **copied}}
    changes |= more or {}
    every = {**given, **x} | ({} if s.mask is None else {"mask": everywhere})
    stacked = {name: np.stack([call.get(name, at) for call in changes.values()]) for name, at in every.items()}
    direction = {name: np.stack([at] * len(changes)) for name, at in direction.items()}
    if "soiled" in changes:  # in the direction of what is masked nothing changes
        for name in direction:
            if s.by_row(x[name]):
                direction[name][[*changes].index("soiled"), some] *= 7
    return Calls([*changes], {name: stacked.pop(name) for name in x}, direction, stacked)


def program(s: Subject) -> Any:
    """Losses, reductions, and derivatives of first and second order by all that is floating point, for all calls."""

    @jax.jit
    @jax.vmap
    def everything(x: dict[str, Any], direction: dict[str, Any], held: dict[str, Any]) -> dict[str, Any]:
        def f(x: dict[str, Any], reduction: str = "sum") -> Any:
            return s.of({**held, **x}, reduction)

        def lead(one: Any, reduction: str = "sum") -> Any:
            return f({**x, s.first: one}, reduction)

        at, v = x[s.first], direction[s.first]
        losses, forward = jax.jvp(lambda x: f(x, "none"), (x,), (direction,))
        mean, slope = jax.value_and_grad(lambda one: lead(one, "mean"))(at)
        (value, gradient), (_, product) = jax.jvp(jax.value_and_grad(f), (x,), (direction,))
        return {
            "losses": losses,
            "sum": value,
            **({"total": f(x, "total")} if s.reduces else {}),
            "mean": mean,
            "slope of the mean": slope,
            "forward": forward,
            "gradient": gradient,
            "product": product,
            "square in a scan": jax.jvp(jax.grad(lambda one: jnp.square(scanned(lead)(one))), (at,), (v,))[1],
        }

    return everything


def scanned(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Where the value itself is differentiated twice, as in its square, that is done by its body, not by its rule."""
    return lambda x: jnp.sum(lax.map(f, x[None]))


def as_written(lowered: Any) -> Any:
    """Compiled without the pass that makes a choice of a product with a bool mask: that hides what becomes of a NaN."""
    try:
        return lowered.compile({"xla_disable_hlo_passes": "algsimp"})
    except jax.errors.JaxRuntimeError:  # XLA for CPUs leaves padding by less than nothing to that pass
        return lowered.compile()


def exact(s: Subject) -> Results:
    """By call and name, all that the program says in float64."""
    names, x, direction, held = calls(s)
    with jax.enable_x64(True):
        arguments = *cast((x, direction), jnp.float64), held
        return by_call(as_written(program(s).lower(*arguments))(*arguments), names)


def by_call(results: Any, names: list[str]) -> Results:
    results = jax.tree.map(np.asarray, results)
    return {name: jax.tree.map(lambda x, i=i: x[i], results) for i, name in enumerate(names)}


def soiled(s: Subject, rows: Any, x: np.ndarray) -> np.ndarray:
    """These rows hold what no loss is defined for."""
    if not s.by_row(x):
        return x
    x = x.copy()
    for row, junk in zip(rows, itertools.cycle(JUNK)):
        x[row] = junk if is_float(x) else 99
    return x


def _soiled_members(s: Subject, mask: np.ndarray) -> dict[str, np.ndarray]:
    """The same in the members that are masked, of elements that exist."""
    result = {}
    for name, x in s.arguments.items():
        if x.ndim >= mask.ndim:
            there = mask if x.ndim == mask.ndim else np.expand_dims(mask, s.options.get("axis", -1))
            junk = np.resize(JUNK if is_float(x) else 99, x.shape).astype(x.dtype)
            result[name] = np.where(np.broadcast_to(there, x.shape), x, junk)
    return result


def uneven_call(s: Subject) -> tuple[dict[str, Any], ...]:
    """The call with weights and an uneven mask: what is differentiated, in which direction, and what is held."""
    names, *parts = calls(s)
    place = names.index("uneven")
    return tuple({name: x[place] for name, x in part.items()} for part in parts)


def uneven(s: Subject) -> dict[str, np.ndarray]:
    """The arguments of that call, the mask last; of the options those that go by row."""
    x, _, held = uneven_call(s)
    given = {name: x for name, x in {**x, **held}.items() if name not in s.options or s.by_row(x)}
    return {name: given[name].copy() for name in sorted(given, key="mask".__eq__)}


def is_float(x: Any) -> bool:
    return np.asarray(x).dtype.kind == "f" or jnp.issubdtype(np.asarray(x).dtype, jnp.floating)


def cast(tree: Any, dtype: Any) -> Any:
    """Its floats."""
    return jax.tree.map(lambda x: jnp.asarray(x, dtype) if is_float(x) else x, tree)
