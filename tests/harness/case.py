"""What a loss looks like to the tests: one row for each loss, or for each way of calling it.

A row is all that it takes to put a loss under every test that losses share. The rows of a family are in its `cases.py`,
`rows.py` has them all.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .formulas import held
from .probes import Probe


BATCH = 8
Draw = Callable[[np.random.Generator], np.ndarray]


class Argument(NamedTuple):
    """What a row has for an argument, the batch axis first.

    Attributes:
      kind: what else it may hold, for `fuzzing.py`, which draws more.
      draw: the row's own.
    """

    kind: str
    draw: Draw


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A loss as the tests call it.

    Attributes:
      loss: the public function.
      inputs: the arguments by name, the first one differentiable.
      reference: from the arguments and options in float64 to per-element losses.
      options: keywords beyond weights, mask, reduction and axis_name.
      label_weights: from the labels (where rows meet, from all arguments) and options to what each element counts by
        itself; None is 1 each.
      members: of a loss of sets, the shape of an image's members, which is that of the mask behind the batch axis. The
        reference and `label_weights` get the mask, too.
      kept: of a loss of sets, or of sequences with lengths, the axes of the first argument that the losses have.
      fixed: sizes that others follow from, which no program can leave open.
      meeting: rows of the batch meet each other, as anchors or in one number of the whole batch: what doesn't fit in
        one of them spoils all.
      split: devices may have a part of the first axis each; else it is of what meets, which all have whole.
      pooled: there is one number a batch, in which weights are copies; the reference gets them, too.
      constant: arguments that no gradient reaches.
      bad: single values that don't fit: argument, value, and what `checked` says of them.
      smooth: its derivatives are continuous wherever they are finite; else the family's `bends.py` has its kinks.
      near_kinks: what is drawn lies so near to one, or to infinite curvature, that differences take short steps.
      probes: lines along which `docs/choosing/` is measured, in one row of each loss.
      name: for the test's id, where a loss has several rows.
    """

    loss: Callable[..., Any]
    inputs: dict[str, Argument]
    reference: Callable[..., np.ndarray]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    label_weights: Callable[..., np.ndarray] | None = None
    _: dataclasses.KW_ONLY
    members: tuple[int, ...] | None = None
    kept: tuple[int, ...] = ()
    fixed: tuple[int, ...] = ()
    meeting: bool = False
    split: bool = True
    pooled: bool = False
    constant: tuple[str, ...] = ()
    bad: tuple[tuple[str, Any, str], ...] = ()
    smooth: bool = False
    near_kinks: bool = False
    probes: Callable[..., list[Probe]] | None = None
    name: str = ""

    @property
    def id(self) -> str:
        return self.loss.__name__ + (f"-{self.name}" if self.name else "")

    def arguments(self, seed: int = 0) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(seed)
        return {name: argument.draw(rng) for name, argument in self.inputs.items()}

    def expected(
        self, arguments: dict[str, np.ndarray], mask: np.ndarray | None = None, weights: Any = 1.0
    ) -> tuple[np.ndarray, np.ndarray]:
        """Per-element losses and what each counts, in float64: its weight, and what it has from the loss itself; none
        where masked."""
        wide = {k: v.astype(np.float64) if v.dtype.kind == "f" else v for k, v in arguments.items()}
        options, exists = self.options, 1.0 if mask is None else mask
        weights = np.asarray(weights, np.float64)
        if self.members is not None:
            options = {**options, "mask": np.ones((BATCH, *self.members), bool) if mask is None else mask}
        if self.pooled:
            counts = weights * options["mask"]
            return np.asarray(self.reference(**wide, **{**options, "mask": counts}), np.float64), np.ones(())
        losses = np.asarray(self.reference(**wide, **options), np.float64)
        if self.members is not None and mask is not None:
            exists = mask.reshape(BATCH, -1).any(1).reshape(BATCH, *[1] * (losses.ndim - 1))
        given = wide if self.meeting else {"labels": wide.get("labels")}
        own = 1.0 if self.label_weights is None else self.label_weights(**given, **options)
        return losses, np.broadcast_to(own * exists, losses.shape) * weights

    def weights_shape(self) -> tuple[int, ...]:
        return (BATCH,) if self.pooled else self.expected(self.arguments())[0].shape

    def mask_shape(self, losses: tuple[int, ...]) -> tuple[int, ...]:
        return losses if self.members is None else (BATCH, *self.members)

    def lifted(self, x: np.ndarray) -> np.ndarray:
        """What is true of an element of a loss of sets, for each entry of the first argument that exists."""
        arguments = self.arguments()
        shape = next(iter(arguments.values())).shape
        pooled = {*range(len(shape))} - {axis % len(shape) for axis in self.kept}
        exists = True
        if "ignore_index" in self.options:
            exists = np.expand_dims(arguments["labels"] != self.options["ignore_index"], self.options.get("axis", -1))
        return np.broadcast_to(np.expand_dims(x, tuple(pooled)), shape) & exists


def with_options(case: Case, **changes: Any) -> Case:
    return dataclasses.replace(case, options={**case.options, **changes.pop("options")}, **changes)


# --- arguments -------------------------------------------------------------------------------------------------------


def floats(kind: str, draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray], *shape: int) -> Argument:
    return Argument(kind, lambda rng: draw(rng, (BATCH, *shape)).astype(np.float32))


def normal(*shape: int) -> Argument:
    return floats("real", lambda rng, shape: rng.normal(size=shape), *shape)


def on_a_grid(*shape: int) -> Argument:
    """See `formulas.held`."""
    return floats("grid", lambda rng, shape: held(rng.normal(size=shape)), *shape)


def positive(*shape: int) -> Argument:
    return floats("positive", lambda rng, shape: rng.uniform(0.5, 2, shape), *shape)


def apart(*shape: int) -> Argument:
    """Numbers of either sign, away from 0."""
    return floats("apart", lambda rng, shape: rng.choice([-1, 1], shape) * rng.uniform(0.5, 2, shape), *shape)


def uniform(*shape: int, scale: float = 1.0) -> Argument:
    return floats("unit", lambda rng, shape: scale * rng.uniform(0.05, 0.95, shape), *shape)


def counts(*shape: int, least: int = 0) -> Argument:
    return floats("counts", lambda rng, shape: rng.poisson(2, shape) + least, *shape)


def signs(*shape: int) -> Argument:
    return floats("signs", lambda rng, shape: rng.choice([-1.0, 1.0], shape), *shape)


def bits(*shape: int) -> Argument:
    return Argument("unit", lambda rng: rng.integers(0, 2, (BATCH, *shape)).astype(np.int32))


def classes(count: int, *shape: int) -> Argument:
    return Argument("class", lambda rng: rng.integers(0, count, (BATCH, *shape)).astype(np.int32))


def bins(count: int, *shape: int) -> Argument:
    """Places between whole numbers, from 0 to the last one."""
    draw = lambda rng, shape: rng.integers(0, count - 1, shape) + rng.uniform(0.05, 0.95, shape)  # noqa: E731
    return floats("bin", draw, *shape)


def boxes(*shape: int, axis: int = -1, beside: float = 0.0) -> Argument:
    """Corners on a grid, as is `beside`, where it keeps them off those of other boxes: there losses have kinks."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        low, size = np.split(rng.integers(1, 9, shape) / 8, 2, axis)
        return np.concatenate([low, low + size], axis) + beside

    return floats("box", draw, *shape)


def probabilities(*shape: int, axis: int = -1) -> Argument:
    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        p = rng.uniform(0.05, 1, shape)
        return p / p.sum(axis, keepdims=True)

    return floats("distribution", draw, *shape)


def log_probs(*shape: int, axis: int = -1) -> Argument:
    draw = probabilities(*shape, axis=axis).draw
    return Argument("log_distribution", lambda rng: np.log(draw(rng)))


REALS = {"predictions": normal(4), "labels": normal(4)}
POSITIVES = {"predictions": positive(4), "labels": positive(4)}


# --- values that don't fit -------------------------------------------------------------------------------------------


def outside(*rows: tuple[str, Any, str]) -> tuple[tuple[str, Any, str], ...]:
    """Bad values by argument, value and interval."""
    return tuple((name, value, f"{name} must lie in {interval}, got {value}") for name, value, interval in rows)


BAD_CLASS = outside(("labels", 6, "[0, 6)"), ("labels", -1, "[0, 6)"))
BAD_SHARE = outside(("labels", 1.5, "[0, 1]"), ("labels", -0.25, "[0, 1]"))


def linear_weights(count: int) -> np.ndarray:
    return np.linspace(0.5, 2, count, dtype=np.float32)
