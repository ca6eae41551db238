"""Inputs for `test_fuzz.py`: for each row of `cases.py` shapes, dtypes and values far beyond the row's own."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import zlib
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from .case import Case
from .formulas import held
from .rows import CASES


Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
FLOATS = tuple(map(np.dtype, ("float32", "float16", jnp.bfloat16)))
INTEGERS = tuple(map(np.dtype, ("int32", "int8", "uint8", "int16", "uint16")))
WIDE_INTEGERS = (*INTEGERS, np.dtype("int64"), np.dtype("uint64"))
FLOAT64 = np.dtype("float64")
UNIFORM = {1: FLOATS[0], 2: FLOATS[2], 3: FLOAT64}  # layouts of one dtype


def is_float(dtype: Any) -> bool:
    return bool(jnp.issubdtype(dtype, jnp.floating))


# --- kinds: what an argument may hold ----------------------------------------------------------------------------


def sizes(rng: np.random.Generator, shape: tuple[int, ...], *choices: float) -> np.ndarray:
    """One size for all of an example, so that small ones aren't drowned by large ones."""
    return rng.choice(choices, (shape[0], *[1] * (len(shape) - 1)))


def real(rng, shape):
    return rng.normal(size=shape) * sizes(rng, shape, 0.03, 0.3, 1, 4)


def grid(rng, shape):
    return held(real(rng, shape))


def positive(rng, shape):
    return rng.uniform(0.3, 2, shape) * sizes(rng, shape, 0.3, 1, 3)


def apart(rng, shape):
    return rng.choice([-1, 1], shape) * positive(rng, shape)


def counts(rng, shape):
    return rng.poisson(sizes(rng, shape, 0.5, 3, 10), shape).astype(float)


def unit(rng, shape):
    return rng.uniform(0.03, 0.97, shape)


def power(rng, shape):
    return rng.uniform(-1, 4, shape)


def robustness(rng, shape):
    return rng.uniform(-4, 1.9, shape)


def signs(rng, shape):
    return rng.choice([-1.0, 1.0], shape)


def distribution(rng, shape):
    p = rng.uniform(0.05, 1, shape) ** sizes(rng, shape, 0.2, 1, 2)
    return p / p.sum(-1, keepdims=True)


def log_distribution(rng, shape):
    return np.log(distribution(rng, shape))


def box(rng, shape):
    """On a grid of 1/16, see `tests/detection/formulas.py`."""
    low, size = np.split(rng.integers(0, 49, shape) / 16, 2, -1)
    return np.concatenate([low, low + size], -1)


ORDINARY: dict[str, Draw] = {
    "real": real,
    "grid": grid,
    "positive": positive,
    "negative": lambda rng, shape: -positive(rng, shape),
    "apart": apart,
    "counts": counts,
    "unit": unit,
    "power": power,
    "robustness": robustness,
    "signs": signs,
    "distribution": distribution,
    "log_distribution": log_distribution,
    "box": box,
    "bin": unit,  # of the bins, see `values`
}


# What the kind looks like in integers: labels of any width are welcome wherever numbers are.
WHOLE: dict[str, Draw] = {
    "real": lambda rng, shape: rng.integers(-3, 4, shape),
    "positive": lambda rng, shape: rng.integers(1, 5, shape),
    "apart": lambda rng, shape: rng.choice([-3, -1, 1, 2], shape),
    "counts": lambda rng, shape: rng.poisson(2, shape),
    "unit": lambda rng, shape: rng.integers(0, 2, shape),
    "signs": lambda rng, shape: rng.choice([-1, 1], shape),
    "box": lambda rng, shape: np.sort(rng.integers(0, 5, shape), -1),
    "bin": lambda rng, shape: rng.integers(0, 2, shape),
}


def whole(kind: str, rng: np.random.Generator, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    x = WHOLE[kind](rng, shape)
    if dtype.kind == "b":
        return x > 0 if kind not in ("apart", "positive") else np.ones(shape, bool)
    return (abs(x) if dtype.kind == "u" else x).astype(dtype)


# --- the same kinds, as far out as the dtype goes ----------------------------------------------------------------


class Reach:
    """How far out: the dtype's smallest and largest numbers, to a power of at most 1."""

    def __init__(self, dtype: Any, power: float):
        info = jnp.finfo(dtype)
        # A thousandth of the largest, so that the difference of two is finite; float16 is widened anyway.
        most = float(info.max) / (1 if info.nexp == 5 else 1024)
        self.least, self.most = float(info.tiny) ** power, most**power
        self.smallest = float(info.smallest_subnormal) if power == 1 else 0.0
        self.eps = float(info.eps)


def far(rng: np.random.Generator, shape: tuple[int, ...], reach: Reach) -> np.ndarray:
    """Positive numbers of every size, with the extremes among them and some that are the same."""
    x = 10 ** rng.uniform(np.log10(reach.least), np.log10(reach.most), shape)
    special = [1.0, 1.0, reach.least, reach.most, reach.eps, 1 + reach.eps, 1e-3, 30.0]
    x = np.where(rng.random(shape) < 0.4, rng.choice(special, shape), x)
    return np.where(rng.random(shape) < 0.3, x[:1], x) if shape[0] else x


def far_real(rng, shape, reach):
    x = far(rng, shape, reach) * rng.choice([-1, 1], shape)
    x = np.where(rng.random(shape) < 0.1, 0, x)
    return np.where(rng.random(shape) < 0.05, reach.smallest, x)


def far_unit(rng, shape, reach):
    x = np.minimum(far(rng, shape, reach), 1)
    return np.where(rng.random(shape) < 0.3, 1 - np.minimum(x, 0.5), np.where(rng.random(shape) < 0.1, 0, x))


def far_counts(rng, shape, reach):
    return np.where(rng.random(shape) < 0.3, 0, far(rng, shape, reach))


def far_distribution(rng, shape, reach):
    """One-hot, all the same, with zeros, or all of it but a little on one class."""
    p = far_unit(rng, shape, reach) + (np.arange(shape[-1]) == rng.integers(0, shape[-1], (*shape[:-1], 1)))
    return p / p.sum(-1, keepdims=True)


def far_log_distribution(rng, shape, reach):
    with np.errstate(divide="ignore", over="ignore"):
        logs = np.log(far_distribution(rng, shape, reach))
    return np.maximum(logs * rng.choice([1, 1, 1e3], shape), -reach.most)


def far_box(rng, shape, reach):
    one, other = np.split(far_real(rng, shape, reach), 2, -1)
    return np.concatenate([np.minimum(one, other), np.maximum(one, other)], -1)


FAR: dict[str, Callable[..., np.ndarray]] = {
    "real": far_real,
    "grid": far_real,
    "positive": far,
    "negative": lambda rng, shape, reach: -far(rng, shape, reach),
    "apart": lambda rng, shape, reach: far(rng, shape, reach) * rng.choice([-1, 1], shape),
    "counts": far_counts,
    "unit": far_unit,
    "power": lambda rng, shape, reach: rng.choice([-1, 0, 0.5, 1, 1 + 1e-6, 1.5, 2, 3], shape),
    "robustness": lambda rng, shape, reach: rng.choice([-1e3, -2, -1e-6, 0, 1e-6, 1, 2, 2 + 1e-6, 3], shape),
    "signs": lambda rng, shape, reach: signs(rng, shape),
    "distribution": far_distribution,
    "log_distribution": far_log_distribution,
    "box": far_box,
    "bin": far_unit,
}


# --- layouts: shapes and dtypes ----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Anatomy:
    """How the arguments of a row of `cases.py` hang together.

    Attributes:
      features: for each argument how many entries each of its vectors has, axis by axis; none where it has one number
        for each loss.
      free: whether there may be any number of them, the same for all; no option is one for each, and they are no box.
      movable: whether the loss has an option `axis` for them.
    tail: how long the last axis of the losses must be, where an option has a number for each entry of it.
    """

    features: dict[str, tuple[int, ...]]
    free: bool
    movable: bool
    tail: tuple[int, ...]

    @property
    def depth(self) -> int:
        return max(map(len, self.features.values()))


@functools.cache
def anatomy(case: Case) -> Anatomy:
    arguments = case.arguments()
    rows = case.expected(arguments)[0].ndim
    axis = case.options.get("axis", -1)
    axes = () if axis is None else axis if isinstance(axis, tuple) else (axis,)
    features = {name: tuple(x.shape[i] for i in axes) if x.ndim > rows else () for name, x in arguments.items()}
    bound = [np.shape(x) for x in case.options.values() if np.ndim(x)]
    tail = () if not bound or any(features.values()) else bound[0]
    movable = "axis" in inspect.signature(case.loss).parameters and axis is not None
    free = not bound and not any(argument.kind == "box" for argument in case.inputs.values())
    return Anatomy(features, free, movable, tail)


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """Shapes and dtypes of one call. `axes` are the places of the features, which the losses lack."""

    case: Case
    rows: tuple[int, ...]
    axes: tuple[int, ...]
    features: dict[str, tuple[int, ...]]
    dtypes: dict[str, np.dtype]
    weights: tuple[int, ...] | None = None
    mask: tuple[int, ...] | None = None
    exit_dtypes: tuple[np.dtype, np.dtype] = (np.dtype("float32"), np.dtype(bool))
    x64: bool = False

    def shape(self, name: str) -> tuple[int, ...]:
        shape = list(self.rows)
        for place, size in zip(self.axes, self.features[name]):
            shape.insert(place, size)
        return tuple(shape)

    def spread(self, x: np.ndarray, name: str) -> np.ndarray:
        """From features last to features in their place."""
        return np.moveaxis(x, self._last(name), self._places(name))

    def gathered(self, x: np.ndarray, name: str) -> np.ndarray:
        return np.moveaxis(x, self._places(name), self._last(name))

    def by_row(self, x: np.ndarray, name: str) -> np.ndarray:
        """Something for each row, lined up with an argument."""
        return np.expand_dims(x, self._places(name)) if self.features[name] else x

    def _last(self, name: str) -> list[int]:
        return list(range(-len(self.features[name]), 0))

    def _places(self, name: str) -> list[int]:
        rank = len(self.rows) + len(self.axes)
        return [place - rank for place in self.axes] if self.features[name] else []

    @property
    def axis_option(self) -> dict[str, Any]:
        """Counted from the front or from the end."""
        if not anatomy(self.case).movable:
            return {}
        rank = len(self.rows) + len(self.axes)
        axes = tuple(place - rank if place % 2 else place for place in self.axes)
        return {"axis": axes if len(axes) > 1 else axes[0]}

    @property
    def classes(self) -> np.ndarray:
        """Which classes a label may be."""
        (count,) = max(self.features.values(), key=len)
        if "kernel" in self.case.options:
            count = self.case.options["kernel"].shape[1]
        if self.case.loss.__name__ == "coral_loss":
            count += 1
        return np.flatnonzero(self.case.options.get("class_mask", np.ones(count, bool)))

    def __str__(self) -> str:
        inputs = ", ".join(f"{name} {dtype}{list(self.shape(name))}" for name, dtype in self.dtypes.items())
        weights, mask = (f"{dtype}{shape}" for dtype, shape in zip(self.exit_dtypes, (self.weights, self.mask)))
        return f"{self.case.id}({inputs}, weights {weights}, mask {mask}, {self.axis_option})"


def fewest(case: Case) -> int:
    return 2 if case.options.get("fair") else 1


def arranged(case: Case, rows: tuple[int, ...], places: list[int], count: int) -> dict[str, Any]:
    """The shapes of a layout, from what may be any number."""
    parts = anatomy(case)
    rows = (*rows[: 5 - len(parts.tail)], *parts.tail) if parts.tail else rows
    axes = sorted({place % (len(rows) + parts.depth) for place in places})
    if not parts.movable or len(axes) != parts.depth:
        axes = list(range(len(rows), len(rows) + parts.depth))
    count = max(count, fewest(case))
    features = {name: tuple(count if parts.free else size for size in sizes) for name, sizes in parts.features.items()}
    if not parts.free and parts.movable and parts.depth == 1:  # all are as many as the classes
        features = {name: sizes and parts.features[next(iter(parts.features))] for name, sizes in features.items()}
    return {"rows": rows, "axes": tuple(axes), "features": features}


def fitting(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Absent, a scalar, axis by axis, or full."""
    by_axis = tuple(size if rng.random() < 0.5 else 1 for size in shape)
    return [None, (), by_axis, shape][rng.integers(4)]


def is_class(case: Case, name: str) -> bool:
    return case.inputs[name].kind in ("class", "targets")


@functools.cache
def layout(case: Case, index: int) -> Layout:
    """One of all the layouts that a row may have; each costs a compilation.

    One in six is empty. Some of the first have one dtype only: there numbers reach farthest.
    """
    rng = np.random.default_rng([zlib.crc32(case.id.encode()), index])
    depth = anatomy(case).depth
    rows = tuple(rng.choice([1, 1, 2, 3], rng.integers(0, 6 - depth)))
    if index % 6 == 5 and rows:
        rows = (0, *rows[1:])
    rows = tuple(map(int, rows))
    shapes = arranged(case, rows, rng.integers(0, 6, depth).tolist(), int(rng.choice([1, 2, 3, 5, 6])))
    x64 = bool(rng.random() < 0.3)
    first = FLOAT64 if x64 and rng.random() < 0.7 else FLOATS[rng.integers(3)]
    only = UNIFORM.get(index)
    if only:
        x64, first = only == FLOAT64, only
    floats, integers = ((*FLOATS, FLOAT64), WIDE_INTEGERS) if x64 else (FLOATS, INTEGERS)
    dtypes = {}
    for place, name in enumerate(case.arguments()):
        kinds = first, floats[rng.integers(len(floats))], integers[rng.integers(len(integers))], np.dtype(bool)
        if is_class(case, name):
            signed = case.inputs[name].kind == "targets" and kinds[2].kind != "i"  # they end with -1
            dtypes[name] = np.dtype("int8") if signed else kinds[2]
        elif only:
            dtypes[name] = only
        elif name == "labels" and case.inputs[name].kind in WHOLE:
            dtypes[name] = kinds[rng.choice(4, p=[0.35, 0.2, 0.3, 0.15])]
        else:
            dtypes[name] = first if place == 0 else kinds[rng.integers(2)]
    rows = shapes["rows"]
    weights, mask = fitting(rng, rows), fitting(rng, rows)
    exits = (np.dtype(bool), *floats, *integers)
    exit_dtypes = exits[rng.integers(1, len(exits))], exits[rng.integers(len(exits))]
    return Layout(case, **shapes, dtypes=dtypes, weights=weights, mask=mask, exit_dtypes=exit_dtypes, x64=x64)


# --- values ------------------------------------------------------------------------------------------------------


def values(layout: Layout, rng: np.random.Generator, count: int, *, reach: float = 0) -> dict[str, np.ndarray]:
    """Arguments for `count` examples, stacked."""
    result = {}
    # What is finite in one dtype of the call may overflow in another.
    narrowest = min((d for d in layout.dtypes.values() if is_float(d)), key=lambda d: float(jnp.finfo(d).max))
    for name, dtype in layout.dtypes.items():
        shape = (count, *layout.rows, *layout.features[name])
        kind = layout.case.inputs[name].kind
        if is_class(layout.case, name):
            x = class_labels(layout, rng, shape)
        elif not is_float(dtype):
            x = whole(kind, rng, shape, dtype)
        elif reach:
            x = FAR[kind](rng, shape, Reach(narrowest, reach))
        else:
            x = ORDINARY[kind](rng, shape)
        if kind == "bin":
            (count,) = layout.features["logits"]
            x = x * (count - 1)
        result[name] = layout.spread(x, name).astype(dtype)
    return result


def class_labels(layout: Layout, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    if layout.case.inputs["labels"].kind == "class":
        return rng.choice(layout.classes, shape)
    lists = rng.permuted(np.broadcast_to(np.arange(shape[-1]), shape), axis=-1)
    return np.where(rng.random(shape) < 0.2, -1, lists)


def numbers(case: Case, rng: np.random.Generator) -> dict[str, float]:
    """The row's own options, and others near them: each a number that needs no compilation."""
    factors = {name: rng.choice([1.0, 1.0, 0.7, 0.9, 1.05]) for name, x in case.options.items() if isinstance(x, float)}
    return {name: float(case.options[name] * factor) for name, factor in factors.items() if name != "p"}


def exit_values(layout: Layout, rng: np.random.Generator, count: int) -> tuple[Any, Any]:
    """Weights with zeros among them, and a mask, which may leave nothing."""
    weights = mask = None
    if layout.weights is not None:
        shape = (count, *layout.weights)
        weights = (rng.uniform(0.1, 3, shape) * (rng.random(shape) < 0.8)).astype(layout.exit_dtypes[0])
    if layout.mask is not None:
        shape = (count, *layout.mask)
        exists = rng.random(shape) < rng.choice([0, 0.5, 0.8, 1], (count, *[1] * len(layout.mask)))
        mask = exists.astype(layout.exit_dtypes[1])
    return weights, mask


def full(x: Any, layout: Layout, count: int) -> np.ndarray:
    """Weights or a mask for every row."""
    if x is None:
        return np.ones((count, *layout.rows))
    x = np.asarray(x, np.float64)
    return np.broadcast_to(x.reshape(count, *(x.shape[1:] or [1] * len(layout.rows))), (count, *layout.rows))


def with_junk(
    layout: Layout, arguments: dict[str, np.ndarray], where: np.ndarray, rng: np.random.Generator, junk: list[float]
) -> dict[str, np.ndarray]:
    """In these rows, what no loss is defined for."""
    result = {}
    for name, x in arguments.items():
        here = np.broadcast_to(layout.by_row(where, name), x.shape)
        if is_float(x.dtype):
            with np.errstate(over="ignore"):
                bad = rng.choice(junk, x.shape).astype(x.dtype)
        else:
            bad = ~x if x.dtype.kind == "b" else np.full(x.shape, 99, x.dtype)
        result[name] = np.where(here, bad, x)
    return result


def expected(layout: Layout, arguments: dict[str, np.ndarray], options: dict[str, float]) -> Any:
    """The row's reference, features last: per-element losses and the weights that the loss itself gives them."""
    wide = {
        name: layout.gathered(x.astype(np.float64) if is_float(x.dtype) else as_reference(x, layout.case, name), name)
        for name, x in arguments.items()
    }
    axis = layout.case.options.get("axis", None)
    last = {} if axis is None else {"axis": (-2, -1) if isinstance(axis, tuple) else -1}
    return dataclasses.replace(layout.case, options={**layout.case.options, **options, **last}).expected(wide)


def as_reference(x: np.ndarray, case: Case, name: str) -> np.ndarray:
    if is_class(case, name):
        return x.astype(np.int64)
    numbers = x.astype(np.float64)
    return 2 * numbers - 1 if x.dtype.kind == "b" and case.inputs[name].kind == "signs" else numbers


# Losses of sets and of sequences have layouts of their own, in their families' tests.
ALONE = [case for case in CASES if case.members is None and not case.kept]
FAMILIES = {
    module: [case for case in ALONE if case.loss.__module__ == module]
    for module in dict.fromkeys(case.loss.__module__ for case in ALONE)
}
