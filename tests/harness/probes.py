"""Each loss along a line: from far off to right, so that its gradients can be measured and compared.

A row's `probes` give for its loss, options bound, one or more lines. The first is what an outlier or a wrong label
does; the others reach the largest gradient, or a kink, that the first one misses.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Probe:
    """A loss along a line.

    Attributes:
      loss: of a network's outputs and the label.
      path: from a place to the outputs.
      label: of all places.
      right: the place where the outputs are right; infinity where they get ever better.
      far: from how far off a label is to outputs and label; by default the outputs move, away from infinity.
      ends: between these the gradient is measured and kinks are looked for.
      names: what bounds may speak of beyond the options.
    """

    loss: Callable[[Any, Any], jax.Array]
    path: Callable[[Any], jax.Array]
    label: Any
    right: float = math.inf
    far: Callable[[float], tuple[Any, Any]] | None = None
    ends: tuple[float, float] = (-30.0, 30.0)
    names: dict[str, float] = dataclasses.field(default_factory=dict)

    def pull(self, outputs, label) -> float:
        """The largest entry of the gradient."""
        return float(jnp.abs(jax.grad(self.loss)(jnp.asarray(outputs, jnp.float64), label)).max())

    def pull_at(self, place: float) -> float:
        return self.pull(self.path(jnp.float64(place)), self.label)

    def pull_of_outlier(self, distance: float) -> float:
        return self.pull(*self.far(distance)) if self.far else self.pull_at(-distance)

    def largest_pull(self) -> float:
        places = jnp.linspace(*self.ends, 6001)
        gradient = jax.vmap(jax.grad(self.loss), (0, None))(jax.vmap(self.path)(places), self.label)
        return float(jnp.abs(gradient).max())

    def derivatives(self, count: int) -> Callable[[Any], jax.Array]:
        """From places to the first derivatives along the line."""

        def value(s):
            return self.loss(self.path(s), self.label)

        functions, function = [], value
        for _ in range(count):
            function = jax.jacfwd(function)
            functions.append(function)
        return jax.jit(jax.vmap(lambda s: jnp.stack([f(s) for f in functions])))


def number(label=0.0, at=0.0, ends=(-30.0, 30.0), **names):
    """Predictions move past a label; outliers are labels far from the prediction `at`."""

    def probes(loss, **_):
        return [Probe(loss, lambda s: s, label, label, lambda s: (at, at + s), ends, names)]

    return probes


def classes(*others: float, label=0, **names):
    """The score of the first class moves, the others stay; the label is the first one."""

    def probes(loss, **_):
        path = lambda s: jnp.stack([s, *(jnp.full_like(s, other) for other in others)])  # noqa: E731
        return [Probe(loss, path, label, names=names | {"classes": 1 + len(others)})]

    return probes


def signs(negative):
    """Yes and no; `negative` is the label of no."""

    def probes(loss, **_):
        return [Probe(loss, lambda s: s, 1.0), Probe(loss, lambda s: -s, negative)]

    return probes


def distributions(outputs):
    """Logits of two classes move past soft labels; then away from one-hot ones."""

    def probes(loss, **_):
        through = lambda logits, labels: loss(outputs(logits), labels)  # noqa: E731
        path = lambda s: jnp.stack([s + np.log(7 / 3), jnp.zeros_like(s)])  # noqa: E731
        even = lambda s: jnp.stack([s, jnp.zeros_like(s)])  # noqa: E731
        return [
            Probe(through, path, jnp.array([0.7, 0.3]), 0.0),
            Probe(through, even, jnp.array([0.5, 0.5]), 0.0),
            Probe(through, even, jnp.array([1.0, 0.0])),
        ]

    return probes


def ordered_distributions(loss, **_):
    """Four classes in order; all that moves lies in the first and the last one."""

    def lines(labels, right):
        path = lambda s: jnp.stack([jnp.zeros_like(s), jnp.full_like(s, -50), jnp.full_like(s, -50), s])  # noqa: E731
        through = lambda logits, labels: loss(jax.nn.softmax(logits), labels)  # noqa: E731
        return Probe(through, path, jnp.array(labels), right, names={"classes": 4})

    return [lines([0.5, 0.0, 0.0, 0.5], 0.0), lines([0.0, 0.0, 0.0, 1.0], math.inf)]


def log_labelled(loss, **_):
    """The labels' logarithms say that what the model thinks likely is ever less possible."""
    through = lambda logits, labels: loss(jax.nn.log_softmax(logits), labels, log_labels=True)  # noqa: E731
    path = lambda s: jnp.stack([s + np.log(7 / 3), jnp.zeros_like(s)])  # noqa: E731
    far = lambda s: (jnp.zeros(2), jnp.array([-1 / s, -s]))  # noqa: E731
    return [Probe(through, path, jnp.log(jnp.array([0.7, 0.3])), 0.0, far)]


def directions(norm=2.0):
    """Vectors of one length turn away from the label."""

    def probes(loss, **_):
        path = lambda s: norm * jnp.stack([jnp.cos(s), jnp.sin(s)])  # noqa: E731
        far = lambda s: (path(jnp.float64(math.pi - 1 / s)), jnp.array([1.0, 0.0]))  # noqa: E731
        return [Probe(loss, path, jnp.array([1.0, 0.0]), 0.0, far, (-3.0, 3.0), {"norm": norm})]

    return probes


def pairs_of_directions(loss, **options):
    alike = directions()(lambda a, b: loss(a, b, jnp.array(1.0)))
    unlike = directions()(lambda a, b: loss(a, b, jnp.array(-1.0)))
    return [*alike, *unlike]


def distances(loss, **_):
    return [Probe(loss, lambda s: s, label, 0.0, lambda s: (s, 1.0), (0.01, 30.0)) for label in (1.0, -1.0)]


def triplets(loss, **_):
    """A positive on one side of the anchor, a negative on the other, as wrong as can be."""
    apart = jnp.array([1.0, 0.0])

    def line(anchor, positive):
        return loss(anchor, positive * apart, apart)

    far = lambda s: (jnp.zeros(2), -s)  # noqa: E731
    return [Probe(line, lambda s: jnp.stack([-s, jnp.zeros_like(s)]), 0.0, math.inf, far)]


def ranking(loss, **_):
    return [Probe(lambda a, y: loss(a, jnp.zeros_like(a), y), lambda s: s, 1.0)]


def ensemble(loss, **_):
    path = lambda s: s + jnp.array([0.0, 1.0, 2.0, 3.0])  # noqa: E731
    return [Probe(loss, path, 1.5, 0.0, lambda s: (path(0.0), s), names={"members": 4})]


def mixture(loss, **_):
    """The means of two components, of which only the first is near."""
    shares, scales = jnp.zeros(2), jnp.ones(2)
    by_means = lambda means, label: loss(shares, label, means=means, scales=scales)  # noqa: E731
    path = lambda s: jnp.stack([s, jnp.full_like(s, 60)])  # noqa: E731
    return [Probe(by_means, path, 0.0, 0.0, lambda s: (jnp.array([0.0, 60.0]), -s))]


def linear(loss, **_):
    """A layer that hands its inputs on, so that they are the logits."""
    return classes(0.0, -1.0)(lambda hidden, label: loss(hidden, jnp.eye(3), label))


def targets(loss, **_):
    """One target in front of two classes that are none."""
    path = lambda s: jnp.stack([s, jnp.zeros_like(s), jnp.full_like(s, -1)])  # noqa: E731
    return [Probe(loss, path, jnp.array([True, False, False]), names={"classes": 3})]


def latent(loss, **_):
    path = lambda s: s[None]  # noqa: E731
    by_mean = lambda mean, prior: loss(mean, jnp.zeros(1), prior_mean=prior)  # noqa: E731
    return [Probe(by_mean, path, 0.0, 0.0, lambda s: (jnp.zeros(1), s))]


def pairs_of_answers(*references):
    """The better answer moves; the label is the worse one."""

    def probes(loss, **_):
        return [Probe(lambda better, worse: loss(better, worse, *references), lambda s: s, 0.0)]

    return probes


def odds(loss, **_):
    """The better answer moves by its log-odds; the worse one is a coin."""
    return [Probe(lambda s, worse: loss(jax.nn.log_sigmoid(s), worse), lambda s: s, math.log(0.5))]


def single_answers(loss, **_):
    """Good ones and bad ones, held to a reference of 0."""
    return [
        Probe(lambda s, good: loss(s, 0.0, good), lambda s, sign=2 * good - 1: sign * s, good) for good in (1.0, 0.0)
    ]


three = classes(0.0, -1.0)
