"""One row for each loss, or for each way of calling it: arguments, options and a float64 NumPy reference.

A row is all that it takes to put a loss under every test of `test_contract.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

import jaxloss


BATCH = 8


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """A loss as the tests call it.

    Attributes:
      loss: the public function.
      inputs: from a random generator to the arguments by name, the first one differentiable, batch axis first.
      reference: from the arguments and options in float64 to per-element losses.
      options: keywords beyond weights, mask, reduction and axis_name.
      label_weights: from the labels and options to what each element counts by itself; None is 1 each.
      bad: single values that don't fit: argument, value, and what `checked` says of them.
      name: for the test's id, where a loss has several rows.
    """

    loss: Callable[..., Any]
    inputs: Callable[[np.random.Generator], dict[str, np.ndarray]]
    reference: Callable[..., np.ndarray]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    label_weights: Callable[..., np.ndarray] | None = None
    bad: tuple[tuple[str, Any, str], ...] = ()
    name: str = ""

    @property
    def id(self) -> str:
        return self.loss.__name__ + (f"-{self.name}" if self.name else "")

    def arguments(self, seed: int = 0) -> dict[str, np.ndarray]:
        return self.inputs(np.random.default_rng(seed))

    def expected(self, arguments: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Per-element losses and the weights that the loss itself gives them, in float64."""
        wide = {k: v.astype(np.float64) if v.dtype.kind == "f" else v for k, v in arguments.items()}
        losses = np.asarray(self.reference(**wide, **self.options), np.float64)
        if self.label_weights is None:
            return losses, np.ones(losses.shape)
        return losses, self.label_weights(wide["labels"], **self.options)


def normal(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.normal(size=(BATCH, *shape)).astype(np.float32)


def uniform(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.uniform(0.05, 0.95, size=(BATCH, *shape)).astype(np.float32)


def integers(high: int, *shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.integers(0, high, size=(BATCH, *shape)).astype(np.int32)


def probabilities(*shape: int, axis: int = -1) -> Callable[[np.random.Generator], np.ndarray]:
    def draw(rng: np.random.Generator) -> np.ndarray:
        p = rng.uniform(0.05, 1, size=(BATCH, *shape))
        return (p / p.sum(axis, keepdims=True)).astype(np.float32)

    return draw


def inputs(**draws: Callable[[np.random.Generator], np.ndarray]) -> Callable[..., dict[str, np.ndarray]]:
    return lambda rng: {name: draw(rng) for name, draw in draws.items()}


def log_probs(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: np.log(probabilities(*shape)(rng))


def log_normalizer(logits: np.ndarray, axis: int) -> np.ndarray:
    top = logits.max(axis, keepdims=True)
    return np.log(np.exp(logits - top).sum(axis, keepdims=True)) + top


def one_hot(labels: np.ndarray, count: int, axis: int = -1) -> np.ndarray:
    return np.moveaxis(np.eye(count)[labels], -1, axis)


def nll(log_probs, labels, axis=-1, class_weights=None, ignore_index=None):
    if labels.dtype.kind != "f":
        labels = one_hot(labels, log_probs.shape[axis], axis)
    return -(labels * log_probs).sum(axis)


def binary(probs, labels):
    return -labels * np.log(probs) - (1 - labels) * np.log1p(-probs)


def binary_with_logits(logits, labels, pos_weight=1.0, label_smoothing=0.0):
    labels = (1 - label_smoothing) * labels + label_smoothing / 2
    return pos_weight * labels * np.logaddexp(0, -logits) + (1 - labels) * np.logaddexp(0, logits)


def softmax(
    logits,
    labels,
    axis=-1,
    class_weights=None,
    class_mask=None,
    ignore_index=None,
    label_smoothing=0.0,
    z_loss=0.0,
):
    count = logits.shape[axis]
    if class_mask is None:
        class_mask = np.ones(count, bool)
    shape = [count if i == axis % logits.ndim else 1 for i in range(logits.ndim)]
    allowed = np.asarray(class_mask).reshape(shape)
    if labels.dtype.kind != "f":
        labels = one_hot(labels, count, axis)
    labels = (1 - label_smoothing) * labels + label_smoothing * allowed / allowed.sum()
    normalizer = log_normalizer(np.where(allowed, logits, -np.inf), axis)
    terms = np.where(allowed, labels * (normalizer - logits), 0)
    return terms.sum(axis) + z_loss * np.squeeze(normalizer, axis) ** 2


def class_weighted(labels, class_weights, axis=-1, **options):
    if labels.dtype.kind != "f":
        return np.asarray(class_weights, np.float64)[labels]
    return np.moveaxis(labels, axis, -1) @ np.asarray(class_weights, np.float64)


def _weights(count: int) -> np.ndarray:
    return np.linspace(0.5, 2, count, dtype=np.float32)


BAD_CLASS = (("labels", 5, "labels must lie in [0, 5), got 5"), ("labels", -1, "labels must lie in [0, 5), got -1"))
BAD_SHARE = (
    ("labels", 1.5, "labels must lie in [0, 1], got 1.5"),
    ("labels", -0.25, "labels must lie in [0, 1], got -0.25"),
)

CASES = [
    Case(
        jaxloss.l1_loss,
        inputs(predictions=normal(3), labels=normal(3)),
        lambda predictions, labels: abs(predictions - labels),
    ),
    Case(
        jaxloss.mse_loss,
        inputs(predictions=normal(3), labels=normal(3)),
        lambda predictions, labels: (predictions - labels) ** 2,
    ),
    Case(
        jaxloss.nll_loss,
        inputs(log_probs=log_probs(5), labels=integers(5)),
        nll,
        bad=(*BAD_CLASS, ("log_probs", 0.5, "log_probs must be at most 0, got 0.5")),
    ),
    Case(
        jaxloss.nll_loss,
        inputs(log_probs=log_probs(5), labels=probabilities(5)),
        nll,
        {"class_weights": _weights(5)},
        class_weighted,
        bad=(*BAD_SHARE, ("log_probs", 0.5, "log_probs must be at most 0, got 0.5")),
        name="probabilities",
    ),
    Case(
        jaxloss.nll_loss,
        inputs(log_probs=lambda rng: np.moveaxis(log_probs(2, 5)(rng), -1, 1), labels=integers(5, 2)),
        nll,
        {"axis": 1, "class_weights": _weights(5)},
        class_weighted,
        bad=BAD_CLASS,
        name="axis",
    ),
    Case(
        jaxloss.binary_cross_entropy,
        inputs(probs=uniform(3), labels=uniform(3)),
        binary,
        bad=(*BAD_SHARE, ("probs", 1.5, "probs must lie in [0, 1], got 1.5")),
    ),
    Case(
        jaxloss.binary_cross_entropy_with_logits,
        inputs(logits=normal(3), labels=integers(2, 3)),
        binary_with_logits,
        bad=(("labels", 2, "labels must lie in [0, 1], got 2.0"),),
    ),
    Case(
        jaxloss.binary_cross_entropy_with_logits,
        inputs(logits=normal(3), labels=uniform(3)),
        binary_with_logits,
        {"pos_weight": _weights(3), "label_smoothing": 0.1},
        bad=BAD_SHARE,
        name="options",
    ),
    Case(
        jaxloss.cross_entropy,
        inputs(logits=normal(5), labels=integers(5)),
        softmax,
        bad=BAD_CLASS,
    ),
    Case(
        jaxloss.cross_entropy,
        inputs(logits=normal(5), labels=integers(5)),
        softmax,
        {"class_weights": _weights(5), "label_smoothing": 0.1, "z_loss": 0.01},
        class_weighted,
        bad=BAD_CLASS,
        name="options",
    ),
    Case(
        jaxloss.cross_entropy,
        inputs(logits=normal(5), labels=probabilities(5)),
        softmax,
        {"class_weights": _weights(5), "label_smoothing": 0.1, "z_loss": 0.01},
        class_weighted,
        bad=BAD_SHARE,
        name="probabilities",
    ),
    Case(
        jaxloss.cross_entropy,
        inputs(logits=normal(5), labels=integers(3)),
        softmax,
        {"class_mask": np.array([True, True, True, False, True]), "label_smoothing": 0.1},
        bad=(("labels", 3, "labels must lie in [0, 5), in classes that class_mask allows, got 3"),),
        name="class_mask",
    ),
    Case(
        jaxloss.cross_entropy,
        inputs(logits=normal(5, 2, 3), labels=integers(5, 2, 3)),
        softmax,
        {"axis": 1, "label_smoothing": 0.1},
        bad=BAD_CLASS,
        name="images",
    ),
]
