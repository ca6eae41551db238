"""Each loss along a line: from far off to right, so that its gradients can be measured and compared.

`PROBES` gives for a loss, options bound, one or more lines. The first is what an outlier or a wrong label does; the
others reach the largest gradient, or a kink, that the first one misses.
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


three = classes(0.0, -1.0)
PROBES: dict[str, Callable[..., list[Probe]]] = {
    "l1_loss": number(),
    "mse_loss": number(),
    "huber_loss": number(),
    "smooth_l1_loss": number(),
    "log_cosh_loss": number(),
    "charbonnier_loss": number(),
    "general_robust_loss": number(),
    "quantile_loss": number(),
    "expectile_loss": number(),
    "mape_loss": number(0.5, 0.5, y=0.5),
    "smape_loss": number(0.5, 0.5, (-3.0, 3.0), y=0.5),
    "msle_loss": number(0.0, 0.0, (-0.9, 30.0)),
    "relative_l2_loss": lambda loss, **_: [
        Probe(
            lambda p, y: loss(p[None], y[None]),
            lambda s: s,
            jnp.array(0.5),
            0.5,
            lambda s: (0.5, jnp.array(0.5 + s)),
            names={"norm": 0.5},
        )
    ],
    "cosine_distance": directions(),
    "gaussian_nll_loss": number(),
    "laplace_nll_loss": number(),
    "student_t_nll_loss": number(),
    "gaussian_mixture_nll_loss": mixture,
    "gaussian_crps_loss": number(),
    "ensemble_crps_loss": ensemble,
    "poisson_nll_loss": lambda loss, **_: [Probe(loss, lambda s: s, 1.0, 0.0, lambda s: (0.0, s), (-3.0, 3.0))],
    "negative_binomial_nll_loss": number(1.0, 1.0, (0.05, 30.0)),
    "gamma_nll_loss": number(1.0, 1.0, (0.05, 30.0)),
    "tweedie_deviance_loss": number(1.0, 1.0, (0.05, 30.0)),
    "binary_cross_entropy_with_logits": signs(0.0),
    "binary_cross_entropy": lambda loss, **_: [
        dataclasses.replace(line, far=lambda s: (-30 * math.log10(s), 1.0))  # before the sigmoid rounds to 0
        for line in signs(0.0)(lambda z, y: loss(jax.nn.sigmoid(z), y))
    ],
    "cross_entropy": three,
    "nll_loss": lambda loss, **_: three(lambda z, y: loss(jax.nn.log_softmax(z), y)),
    "poly1_cross_entropy": three,
    "linear_cross_entropy": linear,
    "sigmoid_focal_loss": signs(0.0),
    "softmax_focal_loss": three,
    "asymmetric_loss": signs(0.0),
    "generalized_cross_entropy": three,
    "symmetric_cross_entropy": three,
    "taylor_cross_entropy": three,
    "bi_tempered_logistic_loss": classes(0.0),
    "coral_loss": lambda loss, **_: [Probe(loss, lambda s: s + jnp.array([1.0, 0.0, -1.0]), 3)],
    "hinge_loss": signs(-1.0),
    "squared_hinge_loss": signs(-1.0),
    "soft_margin_loss": signs(-1.0),
    "perceptron_loss": signs(-1.0),
    "multiclass_hinge_loss": three,
    "multi_margin_loss": three,
    "multiclass_perceptron_loss": three,
    "sparsemax_loss": three,
    "entmax15_loss": three,
    "multilabel_margin_loss": targets,
    "multilabel_soft_margin_loss": lambda loss, **_: [
        Probe(loss, lambda s: jnp.stack([s, -s, -s]), jnp.array([1.0, 0.0, 0.0]), names={"classes": 3})
    ],
    "hinge_embedding_loss": distances,
    "cosine_embedding_loss": pairs_of_directions,
    "margin_ranking_loss": ranking,
    "triplet_margin_loss": triplets,
    "triplet_margin_with_distance_loss": triplets,
    "kl_divergence": distributions(jax.nn.log_softmax),
    "reverse_kl_divergence": log_labelled,
    "generalized_kl_divergence": lambda loss, **_: [
        Probe(
            lambda z, y: loss(z[None], y[None]),
            lambda s: s,
            jnp.array(1.0),
            0.0,
            lambda s: (0.0, jnp.array(s)),
            (-3.0, 3.0),
        )
    ],
    "js_divergence": distributions(jax.nn.log_softmax),
    "renyi_divergence": distributions(jax.nn.log_softmax),
    "total_variation_distance": distributions(jax.nn.softmax),
    "hellinger_distance": distributions(jax.nn.softmax),
    "wasserstein_distance": ordered_distributions,
    "gaussian_kl_divergence": latent,
    "distillation_loss": classes(0.0, -1.0, label=jnp.array([50.0, 0.0, -1.0])),
}
