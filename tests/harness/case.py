"""One row for each loss, or for each way of calling it: arguments, options and a float64 NumPy reference.

A row is all that it takes to put a loss under every test of `test_contract.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

import jaxloss

from . import formulas


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
      constant: arguments that no gradient reaches.
      bad: single values that don't fit: argument, value, and what `checked` says of them.
      name: for the test's id, where a loss has several rows.
    """

    loss: Callable[..., Any]
    inputs: Callable[[np.random.Generator], dict[str, np.ndarray]]
    reference: Callable[..., np.ndarray]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    label_weights: Callable[..., np.ndarray] | None = None
    constant: tuple[str, ...] = ()
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


def _weights(count: int) -> np.ndarray:
    return np.linspace(0.5, 2, count, dtype=np.float32)


def positive(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.uniform(0.5, 2, size=(BATCH, *shape)).astype(np.float32)


def counts(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.poisson(2, size=(BATCH, *shape)).astype(np.float32)


def apart(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Numbers of either sign, away from 0."""
    return lambda rng: (rng.choice([-1, 1], (BATCH, *shape)) * rng.uniform(0.5, 2, (BATCH, *shape))).astype(np.float32)


def outside(*rows: tuple[str, Any, str]) -> tuple[tuple[str, Any, str], ...]:
    """Bad values by argument, value and interval."""
    return tuple((name, value, f"{name} must lie in {interval}, got {value}") for name, value, interval in rows)


def both_signs(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.choice([-1.0, 1.0], (BATCH, *shape)).astype(np.float32)


def lists(rng: np.random.Generator) -> np.ndarray:
    """For each row the indices of two, three or four targets, the rest -1 or, after the first, whatever."""
    labels = np.stack([rng.permutation(6) for _ in range(BATCH)]).astype(np.int32)
    labels[np.arange(BATCH), rng.integers(2, 6, BATCH)] = -1
    return labels


BAD_CLASS = (("labels", 6, "labels must lie in [0, 6), got 6"), ("labels", -1, "labels must lie in [0, 6), got -1"))
BAD_SHARE = (
    ("labels", 1.5, "labels must lie in [0, 1], got 1.5"),
    ("labels", -0.25, "labels must lie in [0, 1], got -0.25"),
)
REALS = {"predictions": normal(4), "labels": normal(4)}
POSITIVES = {"predictions": positive(4), "labels": positive(4)}
COUNTS = {"predictions": positive(4), "labels": counts(4)}
DISTRIBUTIONS = {"log_probs": log_probs(6), "labels": probabilities(6)}
KERNEL = np.random.default_rng(7).normal(size=(4, 6)).astype(np.float32)
PAIRS = {"probs": probabilities(6), "labels": probabilities(6)}
LOG_LABELS = {"log_probs": log_probs(6), "labels": log_probs(6)}
BAD_LOG = ("log_probs", 0.5, "log_probs must be at most 0, got 0.5")
BAD_LOGS = (BAD_LOG, ("labels", 0.5, "labels must be at most 0, got 0.5"))
BAD_PROBS = (*BAD_SHARE, ("probs", 1.5, "probs must lie in [0, 1], got 1.5"))
SIGNS = {"scores": normal(4), "labels": both_signs(4)}
BAD_SIGN = (
    ("labels", 0, "labels must be -1 or 1, or bool, got 0.0"),
    ("labels", 0.5, "labels must be -1 or 1, or bool, got 0.5"),
)
TRIPLETS = {"anchors": normal(4), "positives": normal(4), "negatives": normal(4)}

CASES = [
    # regression
    Case(
        jaxloss.l1_loss,
        inputs(predictions=normal(4), labels=normal(4)),
        lambda predictions, labels: abs(predictions - labels),
    ),
    Case(
        jaxloss.mse_loss,
        inputs(predictions=normal(4), labels=normal(4)),
        lambda predictions, labels: (predictions - labels) ** 2,
    ),
    Case(jaxloss.huber_loss, inputs(**REALS), formulas.huber, {"delta": 0.7}),
    Case(jaxloss.smooth_l1_loss, inputs(**REALS), formulas.smooth_l1, {"beta": 0.7}),
    Case(jaxloss.log_cosh_loss, inputs(**REALS), lambda predictions, labels: np.log(np.cosh(predictions - labels))),
    Case(
        jaxloss.charbonnier_loss,
        inputs(**REALS),
        lambda predictions, labels, scale: np.hypot(predictions - labels, scale),
        {"scale": 0.5},
    ),
    Case(
        jaxloss.general_robust_loss,
        inputs(**REALS, alpha=lambda rng: rng.uniform(-3, 1.4, (BATCH, 4)).astype(np.float32), scale=positive(4)),
        formulas.barron,
        bad=outside(("alpha", np.inf, "[-inf, inf)"), ("scale", -1.0, "(0, inf)")),
    ),
    Case(jaxloss.general_robust_loss, inputs(**REALS), formulas.barron, {"alpha": 1.8, "scale": 0.5}, name="near_2"),
    Case(
        jaxloss.quantile_loss,
        inputs(**REALS, quantile=uniform(4)),
        formulas.quantile,
        bad=outside(("quantile", 1.5, "[0, 1]")),
    ),
    Case(
        jaxloss.quantile_loss, inputs(**REALS), formulas.quantile, {"quantile": 0.9, "huber_delta": 0.5}, name="huber"
    ),
    Case(
        jaxloss.expectile_loss,
        inputs(**REALS),
        lambda predictions, labels, expectile: (
            formulas.charged(predictions - labels, expectile) * (predictions - labels) ** 2
        ),
        {"expectile": 0.9},
    ),
    Case(
        jaxloss.mape_loss,
        inputs(predictions=normal(4), labels=apart(4)),
        lambda predictions, labels: abs(predictions - labels) / abs(labels),
        bad=(("labels", 0, "labels must not be 0 unless epsilon is given, got 0.0"),),
    ),
    Case(
        jaxloss.mape_loss,
        inputs(**REALS),
        lambda predictions, labels, epsilon: abs(predictions - labels) / np.maximum(abs(labels), epsilon),
        {"epsilon": 0.5},
        name="epsilon",
    ),
    Case(
        jaxloss.smape_loss,
        inputs(**REALS),
        lambda predictions, labels: 2 * abs(predictions - labels) / (abs(predictions) + abs(labels)),
    ),
    Case(
        jaxloss.msle_loss,
        inputs(**POSITIVES),
        lambda predictions, labels: (np.log1p(predictions) - np.log1p(labels)) ** 2,
        bad=outside(("predictions", -1.0, "(-1, inf)"), ("labels", -1.5, "(-1, inf)")),
    ),
    Case(jaxloss.relative_l2_loss, inputs(predictions=normal(4), labels=normal(4)), formulas.relative_l2),
    Case(
        jaxloss.relative_l2_loss,
        inputs(predictions=normal(4, 2, 2), labels=normal(4, 2, 2)),
        formulas.relative_l2,
        {"axis": (-3, -1), "epsilon": 3.0},
        name="axes",
    ),
    Case(jaxloss.cosine_distance, inputs(predictions=normal(4), labels=normal(4)), formulas.cosine),
    Case(
        jaxloss.gaussian_nll_loss,
        inputs(**REALS, variance=positive(4)),
        formulas.gaussian,
        {"full": True},
        bad=outside(("variance", -0.5, "[0, inf)")),
    ),
    Case(
        jaxloss.laplace_nll_loss,
        inputs(**REALS, scale=positive(4)),
        formulas.laplace,
        {"full": True},
        bad=outside(("scale", 0.0, "(0, inf)")),
    ),
    Case(
        jaxloss.student_t_nll_loss,
        inputs(**REALS, scale=positive(4), df=positive(4)),
        formulas.student_t,
        {"full": True},
        bad=outside(("scale", 0.0, "(0, inf)"), ("df", -2.0, "(0, inf)")),
    ),
    Case(
        jaxloss.gaussian_mixture_nll_loss,
        inputs(logits=normal(4), labels=normal(), means=normal(4), scales=positive(4)),
        formulas.mixture,
        {"full": True},
        bad=outside(("means", np.inf, "(-inf, inf)"), ("scales", 0.0, "(0, inf)")),
    ),
    Case(jaxloss.poisson_nll_loss, inputs(predictions=normal(4), labels=counts(4)), formulas.poisson, {"full": True}),
    Case(
        jaxloss.poisson_nll_loss,
        inputs(predictions=positive(4), labels=lambda rng: counts(4)(rng) + 2),  # off the step at 1
        formulas.poisson,
        {"log_input": False, "full": "stirling"},
        bad=outside(("predictions", -1.0, "[0, inf)"), ("labels", -1.0, "[0, inf)")),
        name="rate",
    ),
    Case(
        jaxloss.negative_binomial_nll_loss,
        inputs(**COUNTS, dispersion=positive(4)),
        formulas.negative_binomial,
        {"full": True},
        bad=outside(("predictions", -1.0, "[0, inf)"), ("labels", -1.0, "[0, inf)"), ("dispersion", -0.5, "[0, inf)")),
    ),
    Case(
        jaxloss.gamma_nll_loss,
        inputs(**POSITIVES, concentration=positive(4)),
        formulas.gamma,
        {"full": True},
        bad=outside(("predictions", 0.0, "(0, inf)"), ("labels", 0.0, "(0, inf)"), ("concentration", -1.0, "(0, inf)")),
    ),
    Case(
        jaxloss.tweedie_deviance_loss,
        inputs(**POSITIVES, power=lambda rng: rng.uniform(-1, 4, (BATCH, 4)).astype(np.float32)),
        formulas.tweedie,
        bad=(
            ("predictions", 0.0, "predictions must be above 0, any number where power is 0, got 0.0"),
            ("power", np.inf, "power must lie in (-inf, inf), got inf"),
        ),
    ),
    Case(
        jaxloss.tweedie_deviance_loss,
        inputs(predictions=positive(4), labels=lambda rng: counts(4)(rng) + 1),
        formulas.tweedie,
        {"power": 1.5},
        bad=(("labels", -1, "labels must be above 0 for a power of 2 or more, at least 0 between 0 and 2, got -1.0"),),
        name="counts",
    ),
    Case(
        jaxloss.gaussian_crps_loss,
        inputs(**REALS, scale=positive(4)),
        formulas.gaussian_crps,
        bad=outside(("scale", 0.0, "(0, inf)")),
    ),
    Case(jaxloss.ensemble_crps_loss, inputs(predictions=normal(4), labels=normal()), formulas.ensemble_crps),
    Case(
        jaxloss.ensemble_crps_loss,
        inputs(predictions=normal(4, 2), labels=normal(2)),
        formulas.ensemble_crps,
        {"axis": 1, "fair": True},
        name="fair",
    ),
    # classes
    Case(
        jaxloss.nll_loss,
        inputs(log_probs=log_probs(6), labels=integers(6)),
        formulas.nll,
        bad=(*BAD_CLASS, ("log_probs", 0.5, "log_probs must be at most 0, got 0.5")),
    ),
    Case(
        jaxloss.nll_loss,
        inputs(log_probs=log_probs(6), labels=probabilities(6)),
        formulas.nll,
        {"class_weights": _weights(6)},
        formulas.class_weighted,
        bad=(*BAD_SHARE, ("log_probs", 0.5, "log_probs must be at most 0, got 0.5")),
        name="probabilities",
    ),
    Case(
        jaxloss.nll_loss,
        inputs(log_probs=lambda rng: np.moveaxis(log_probs(2, 6)(rng), -1, 1), labels=integers(6, 2)),
        formulas.nll,
        {"axis": 1, "class_weights": _weights(6)},
        formulas.class_weighted,
        bad=BAD_CLASS,
        name="axis",
    ),
    Case(
        jaxloss.binary_cross_entropy,
        inputs(probs=uniform(4), labels=uniform(4)),
        formulas.binary,
        bad=(*BAD_SHARE, ("probs", 1.5, "probs must lie in [0, 1], got 1.5")),
    ),
    Case(
        jaxloss.binary_cross_entropy_with_logits,
        inputs(logits=normal(4), labels=integers(2, 4)),
        formulas.binary_with_logits,
        bad=(("labels", 2, "labels must lie in [0, 1], got 2.0"),),
    ),
    Case(
        jaxloss.binary_cross_entropy_with_logits,
        inputs(logits=normal(4), labels=uniform(4)),
        formulas.binary_with_logits,
        {"pos_weight": _weights(4), "label_smoothing": 0.1},
        bad=BAD_SHARE,
        name="options",
    ),
    Case(
        jaxloss.cross_entropy,
        inputs(logits=normal(6), labels=integers(6)),
        formulas.softmax,
        bad=BAD_CLASS,
    ),
    Case(
        jaxloss.cross_entropy,
        inputs(logits=normal(6), labels=integers(6)),
        formulas.softmax,
        {"class_weights": _weights(6), "label_smoothing": 0.1, "z_loss": 0.01},
        formulas.class_weighted,
        bad=BAD_CLASS,
        name="options",
    ),
    Case(
        jaxloss.cross_entropy,
        inputs(logits=normal(6), labels=probabilities(6)),
        formulas.softmax,
        {"class_weights": _weights(6), "label_smoothing": 0.1, "z_loss": 0.01},
        formulas.class_weighted,
        bad=BAD_SHARE,
        name="probabilities",
    ),
    Case(
        jaxloss.cross_entropy,
        inputs(logits=normal(6), labels=integers(3)),
        formulas.softmax,
        {"class_mask": np.array([True, True, True, False, True, True]), "label_smoothing": 0.1},
        bad=(("labels", 3, "labels must lie in [0, 6), in classes that class_mask allows, got 3"),),
        name="class_mask",
    ),
    Case(
        jaxloss.cross_entropy,
        inputs(logits=normal(6, 2, 4), labels=integers(6, 2, 4)),
        formulas.softmax,
        {"axis": 1, "label_smoothing": 0.1},
        bad=BAD_CLASS,
        name="images",
    ),
    Case(
        jaxloss.linear_cross_entropy,
        inputs(hidden=normal(4), labels=integers(6)),
        formulas.linear_softmax,
        {"kernel": KERNEL},
        bad=BAD_CLASS,
    ),
    Case(
        jaxloss.linear_cross_entropy,
        inputs(hidden=normal(4), labels=integers(6)),
        formulas.linear_softmax,
        {"kernel": KERNEL, "bias": _weights(6), "soft_cap": 2.0, "class_weights": _weights(6)}
        | {"label_smoothing": 0.1, "z_loss": 0.01, "chunk_size": 3},
        formulas.class_weighted,
        bad=BAD_CLASS,
        name="options",
    ),
    Case(
        jaxloss.linear_cross_entropy,
        inputs(hidden=normal(2, 4), labels=probabilities(2, 6)),
        formulas.linear_softmax,
        {"kernel": KERNEL, "z_loss": 0.01, "chunk_size": 4},
        bad=BAD_SHARE,
        name="probabilities",
    ),
    Case(
        jaxloss.softmax_focal_loss,
        inputs(logits=normal(6), labels=integers(6)),
        formulas.softmax_focal,
        {"gamma": 1.5},
        bad=BAD_CLASS,
    ),
    Case(
        jaxloss.softmax_focal_loss,
        inputs(logits=normal(6), labels=probabilities(6)),
        formulas.softmax_focal,
        {"gamma": 2.0, "class_weights": _weights(6)},
        formulas.class_weighted,
        bad=BAD_SHARE,
        name="probabilities",
    ),
    Case(
        jaxloss.poly1_cross_entropy,
        inputs(logits=normal(6), labels=integers(6)),
        formulas.poly1,
        {"epsilon": 2.0, "label_smoothing": 0.1},
        bad=BAD_CLASS,
    ),
    Case(
        jaxloss.generalized_cross_entropy,
        inputs(logits=normal(6), labels=integers(6)),
        formulas.generalized,
        {"q": 0.6},
        bad=BAD_CLASS,
    ),
    Case(
        jaxloss.symmetric_cross_entropy,
        inputs(logits=normal(6), labels=integers(6)),
        formulas.symmetric,
        {"alpha": 0.5, "beta": 1.5, "log_zero": -3.0},
        bad=BAD_CLASS,
    ),
    Case(
        jaxloss.taylor_cross_entropy,
        inputs(logits=normal(6), labels=integers(6)),
        formulas.taylor,
        {"order": 3},
        bad=BAD_CLASS,
    ),
    Case(
        jaxloss.sigmoid_focal_loss,
        inputs(logits=normal(4), labels=integers(2, 4)),
        formulas.sigmoid_focal,
        {"gamma": 1.5},
        bad=(("labels", 2, "labels must lie in [0, 1], got 2.0"),),
    ),
    Case(
        jaxloss.sigmoid_focal_loss,
        inputs(logits=normal(4), labels=uniform(4)),
        formulas.sigmoid_focal,
        {"gamma": 2.0, "alpha": 0.25, "label_smoothing": 0.1},
        bad=BAD_SHARE,
        name="options",
    ),
    Case(
        jaxloss.asymmetric_loss,
        inputs(logits=normal(4), labels=uniform(4)),
        formulas.asymmetric,
        {"gamma_positive": 0.5, "gamma_negative": 3.0, "clip": 0.1},
        bad=BAD_SHARE,
    ),
    Case(
        jaxloss.bi_tempered_logistic_loss,
        inputs(logits=normal(6), labels=integers(6)),
        formulas.bi_tempered,
        {"t1": 0.7, "t2": 1.5},
        bad=BAD_CLASS,
    ),
    Case(
        jaxloss.bi_tempered_logistic_loss,
        inputs(logits=normal(6), labels=probabilities(6)),
        formulas.bi_tempered,
        {"t1": 0.2, "t2": 0.6, "class_weights": _weights(6)},
        formulas.class_weighted,
        bad=BAD_SHARE,
        name="probabilities",
    ),
    Case(
        jaxloss.coral_loss,
        inputs(logits=normal(4), labels=integers(5)),
        formulas.coral,
        bad=(("labels", 5, "labels must lie in [0, 5), got 5"), ("labels", -1, "labels must lie in [0, 5), got -1")),
    ),
    # distributions
    Case(jaxloss.kl_divergence, inputs(**DISTRIBUTIONS), formulas.kl, bad=(*BAD_SHARE, BAD_LOG)),
    Case(jaxloss.kl_divergence, inputs(**LOG_LABELS), formulas.kl, {"log_labels": True}, bad=BAD_LOGS, name="logs"),
    Case(jaxloss.reverse_kl_divergence, inputs(**DISTRIBUTIONS), formulas.reverse_kl, bad=(*BAD_SHARE, BAD_LOG)),
    Case(
        jaxloss.reverse_kl_divergence,
        inputs(**LOG_LABELS),
        formulas.reverse_kl,
        {"log_labels": True},
        bad=BAD_LOGS,
        name="logs",
    ),
    Case(
        jaxloss.generalized_kl_divergence,
        inputs(log_probs=normal(6), labels=positive(6)),
        lambda log_probs, labels: formulas.kl(log_probs, labels) + (np.exp(log_probs) - labels).sum(-1),
        bad=outside(("labels", -1.0, "[0, inf)"), ("log_probs", np.inf, "[-inf, inf)")),
    ),
    Case(jaxloss.js_divergence, inputs(**DISTRIBUTIONS), formulas.js, {"mixture": 0.3}, bad=(*BAD_SHARE, BAD_LOG)),
    Case(jaxloss.renyi_divergence, inputs(**DISTRIBUTIONS), formulas.renyi, {"alpha": 1.5}, bad=(*BAD_SHARE, BAD_LOG)),
    Case(
        jaxloss.total_variation_distance,
        inputs(**PAIRS),
        lambda probs, labels: 0.5 * abs(probs - labels).sum(-1),
        bad=BAD_PROBS,
    ),
    Case(
        jaxloss.hellinger_distance,
        inputs(probs=uniform(6), labels=lambda rng: uniform(6)(rng) / 40),  # apart: curvature grows with closeness
        lambda probs, labels: np.sqrt(0.5 * ((np.sqrt(probs) - np.sqrt(labels)) ** 2).sum(-1)),
        bad=BAD_PROBS,
    ),
    Case(
        jaxloss.wasserstein_distance,
        inputs(probs=probabilities(6), labels=lambda rng: probabilities(6)(rng)[::-1]),  # off the kinks
        formulas.wasserstein,
        bad=BAD_PROBS,
    ),
    Case(
        jaxloss.wasserstein_distance,
        inputs(probs=probabilities(4, 2, axis=1), labels=probabilities(4, 2, axis=1)),
        formulas.wasserstein,
        {"positions": np.array([0, 0.5, 2, 2.5], np.float32), "axis": 1},
        name="positions",
    ),
    Case(
        jaxloss.gaussian_kl_divergence,
        inputs(mean=normal(4), log_variance=normal(4), prior_mean=normal(4), prior_log_variance=normal(4)),
        formulas.gaussian_kl,
        bad=outside(("prior_mean", np.inf, "(-inf, inf)"), ("prior_log_variance", np.inf, "(-inf, inf)")),
    ),
    Case(
        jaxloss.gaussian_kl_divergence,
        inputs(mean=normal(4), log_variance=normal(4)),
        formulas.gaussian_kl,
        {"prior_mean": 0.5, "axis": None},
        name="per_dimension",
    ),
    Case(
        jaxloss.distillation_loss,
        inputs(logits=normal(6), teacher_logits=normal(6)),
        formulas.distillation,
        {"temperature": 3.0},
        constant=("teacher_logits",),
    ),
    # margins
    Case(jaxloss.hinge_loss, inputs(**SIGNS), lambda scores, labels: formulas.hinge(1 - labels * scores), bad=BAD_SIGN),
    Case(
        jaxloss.squared_hinge_loss,
        inputs(**SIGNS),
        lambda scores, labels: formulas.hinge(1 - labels * scores) ** 2,
        bad=BAD_SIGN,
    ),
    Case(
        jaxloss.soft_margin_loss,
        inputs(**SIGNS),
        lambda scores, labels: np.logaddexp(0, -labels * scores),
        bad=BAD_SIGN,
    ),
    Case(
        jaxloss.perceptron_loss, inputs(**SIGNS), lambda scores, labels: formulas.hinge(-labels * scores), bad=BAD_SIGN
    ),
    Case(
        jaxloss.multiclass_hinge_loss,
        inputs(scores=normal(6), labels=integers(6)),
        lambda scores, labels: (formulas.leads(scores, labels)[0] + 1 - formulas.leads(scores, labels)[1]).max(-1),
        bad=BAD_CLASS,
    ),
    Case(jaxloss.multi_margin_loss, inputs(scores=normal(6), labels=integers(6)), formulas.multi_margin, bad=BAD_CLASS),
    Case(
        jaxloss.multi_margin_loss,
        inputs(scores=normal(6, 2), labels=integers(6, 2)),
        formulas.multi_margin,
        {"axis": 1, "p": 2, "margin": 0.8, "class_weights": _weights(6)},
        lambda labels, class_weights, **options: formulas.class_weighted(labels, class_weights),
        bad=BAD_CLASS,
        name="squared",
    ),
    Case(
        jaxloss.multiclass_perceptron_loss,
        inputs(scores=normal(6), labels=integers(6)),
        lambda scores, labels: formulas.leads(scores, labels)[0].max(-1),
        bad=BAD_CLASS,
    ),
    Case(
        jaxloss.sparsemax_loss,
        inputs(scores=normal(6), labels=integers(3)),
        lambda scores, labels, class_mask: formulas.sparse_regret(scores, labels, 1, class_mask=class_mask),
        {"class_mask": np.array([True, True, True, False, True, True])},
        bad=(("labels", 3, "labels must lie in [0, 6), in classes that class_mask allows, got 3"),),
    ),
    Case(
        jaxloss.entmax15_loss,
        inputs(scores=normal(6, 2), labels=integers(6, 2)),
        lambda scores, labels, axis: formulas.sparse_regret(scores, labels, 2, axis),
        {"axis": 1},
        bad=BAD_CLASS,
    ),
    Case(
        jaxloss.multilabel_margin_loss,
        inputs(scores=normal(6), labels=lists),
        formulas.multilabel_margin,
        bad=(
            ("labels", 6, "labels must lie in [-1, 6), got 6"),
            ("labels", -2, "labels must lie in [-1, 6), got -2"),
        ),
    ),
    Case(
        jaxloss.multilabel_soft_margin_loss,
        inputs(scores=normal(6), labels=uniform(6)),
        lambda scores, labels, class_weights: (class_weights * formulas.binary_with_logits(scores, labels)).mean(-1),
        {"class_weights": _weights(6)},
        bad=BAD_SHARE,
    ),
    Case(
        jaxloss.hinge_embedding_loss,
        inputs(distances=positive(4), labels=both_signs(4)),
        lambda distances, labels, margin: np.where(labels > 0, distances, formulas.hinge(margin - distances)),
        {"margin": 1.4},
        bad=BAD_SIGN,
    ),
    Case(
        jaxloss.cosine_embedding_loss,
        inputs(embeddings_a=normal(4), embeddings_b=normal(4), labels=both_signs()),
        formulas.cosine_embedding,
        {"margin": -0.2},
        bad=BAD_SIGN,
    ),
    Case(
        jaxloss.margin_ranking_loss,
        inputs(scores_a=normal(4), scores_b=normal(4), labels=both_signs(4)),
        lambda scores_a, scores_b, labels, margin: formulas.hinge(margin - labels * (scores_a - scores_b)),
        {"margin": 0.5},
        bad=BAD_SIGN,
    ),
    Case(jaxloss.triplet_margin_loss, inputs(**TRIPLETS), formulas.triplet, {"margin": 0.5}),
    Case(
        jaxloss.triplet_margin_loss,
        inputs(anchors=normal(4, 2), positives=normal(4, 2), negatives=normal(4, 2)),
        formulas.triplet,
        {"margin": 0.5, "p": 3, "swap": True, "axis": 1},
        name="cubed",
    ),
    Case(
        jaxloss.triplet_margin_with_distance_loss,
        inputs(**TRIPLETS),
        lambda anchors, positives, negatives, distance, **options: formulas.triplet(
            anchors, positives, negatives, p=1, **options
        ),
        {"margin": 0.5, "distance": formulas.city_block, "swap": True},
    ),
]


CURVED = [
    jaxloss.generalized_cross_entropy,
    jaxloss.poly1_cross_entropy,
    jaxloss.symmetric_cross_entropy,
    jaxloss.taylor_cross_entropy,
]


def with_options(case: Case, **changes: Any) -> Case:
    return dataclasses.replace(case, options={**case.options, **changes.pop("options")}, **changes)


# Options that the rows leave alone, because each row runs under every test: for those of values and derivatives.
_MORE = [
    (
        CURVED,
        {
            "options": {"class_weights": np.linspace(0.5, 2, 6)},
            "label_weights": formulas.class_weighted,
            "name": "class_weights",
        },
    ),
    (
        [jaxloss.entmax15_loss],
        {
            "options": {"class_mask": np.arange(6) != 3},
            "inputs": lambda rng: {"scores": rng.normal(size=(8, 6, 2)), "labels": rng.integers(0, 3, (8, 2))},
            "reference": lambda scores, labels, **options: formulas.sparse_regret(scores, labels, 2, **options),
            "name": "class_mask",
        },
    ),
    ([jaxloss.laplace_nll_loss], {"options": {"full": False}, "name": "not-full"}),
]
MORE = [with_options(case, **changes) for losses, changes in _MORE for case in CASES if case.loss in losses]
