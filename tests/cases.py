"""One row for each loss, or for each way of calling it: arguments, options and a float64 NumPy reference.

A row is all that it takes to put a loss under every test of `test_contract.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy

import jaxloss


special: Any = scipy.special
stats: Any = scipy.stats


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


def positive(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.uniform(0.5, 2, size=(BATCH, *shape)).astype(np.float32)


def counts(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.poisson(2, size=(BATCH, *shape)).astype(np.float32)


def apart(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Numbers of either sign, away from 0."""
    return lambda rng: (rng.choice([-1, 1], (BATCH, *shape)) * rng.uniform(0.5, 2, (BATCH, *shape))).astype(np.float32)


def huber(predictions, labels, delta=1.0):
    error = abs(predictions - labels)
    return np.where(error <= delta, error**2 / 2, delta * (error - delta / 2))


def smooth_l1(predictions, labels, beta=1.0):
    error = abs(predictions - labels)
    return np.where(error < beta, error**2 / (2 * beta), error - beta / 2)


def barron(predictions, labels, alpha, scale=1.0):
    """The formula of the paper; its limits by continuity."""
    x, alpha = (predictions - labels) / scale, np.asarray(alpha, np.float64)
    apart = np.where((alpha == 2) | (alpha == 0) | np.isinf(alpha), 1, alpha)
    b = abs(apart - 2)
    general = b / apart * ((x**2 / b + 1) ** (apart / 2) - 1)
    limits = [(alpha == 2, x**2 / 2), (alpha == 0, np.log1p(x**2 / 2)), (np.isinf(alpha), -np.expm1(-(x**2) / 2))]
    return np.select(*map(list, zip(*limits)), general) + 0 * x


def charged(error, share):
    return np.where(error > 0, 1 - share, share)


def quantile(predictions, labels, quantile=0.5, huber_delta=None):
    error = predictions - labels
    distance = abs(error) if huber_delta is None else smooth_l1(predictions, labels, huber_delta)
    return charged(error, quantile) * distance


def relative_l2(predictions, labels, axis=-1, epsilon=0.0):
    length = lambda x: np.sqrt((x**2).sum(axis))  # noqa: E731
    return length(predictions - labels) / np.maximum(length(labels), epsilon)


def cosine(predictions, labels, axis=-1):
    lengths = np.sqrt((predictions**2).sum(axis) * (labels**2).sum(axis))
    return 1 - (predictions * labels).sum(axis) / lengths


def gaussian(predictions, labels, variance, full=False, eps=1e-6, beta=None):
    """Without `beta`, whose weight is held constant: see `test_numerics.py`."""
    variance = np.maximum(variance, eps)
    nll = 0.5 * (np.log(variance) + (predictions - labels) ** 2 / variance)
    return nll + (0.5 * np.log(2 * np.pi) if full else 0)


def laplace(predictions, labels, scale, full=False):
    return np.log(scale) + abs(predictions - labels) / scale + (np.log(2) if full else 0)


def student_t(predictions, labels, scale, df, full=False):
    nll = -stats.t.logpdf(labels, df, predictions, scale)
    return nll - (0 if full else 0.5 * np.log(2 * np.pi))


def poisson(predictions, labels, log_input=True, full=False):
    rate = np.exp(predictions) if log_input else predictions
    log_rate = predictions if log_input else np.log(predictions)
    nll = rate - labels * log_rate
    if full == "stirling":
        large = np.where(labels > 1, labels, 1)
        approximation = large * np.log(large) - large + 0.5 * np.log(2 * np.pi * large)
        return nll + np.where(labels > 1, approximation, 0)
    return nll + (special.gammaln(labels + 1) if full else 0)


def negative_binomial(predictions, labels, dispersion, full=False):
    n = 1 / dispersion
    rising = special.gammaln(labels + n) - special.gammaln(n)
    nll = n * np.log1p(predictions / n) - labels * np.log(predictions / (n + predictions)) - rising
    return nll + (special.gammaln(labels + 1) if full else 0)


def gamma(predictions, labels, concentration, full=False):
    nll = -stats.gamma.logpdf(labels, concentration, scale=predictions / concentration)
    return nll - (0 if full else np.log(labels))


def tweedie(predictions, labels, power):
    power = np.asarray(power, np.float64)
    p = np.where((power == 1) | (power == 2), 0, power)
    y, mu = labels, predictions
    general = np.maximum(y, 0) ** (2 - p) / ((1 - p) * (2 - p)) - y * mu ** (1 - p) / (1 - p) + mu ** (2 - p) / (2 - p)
    with np.errstate(divide="ignore"):  # a label of 0, where the power isn't 2
        limits = [(power == 1, special.xlogy(y, y / mu) - y + mu), (power == 2, y / mu - 1 - np.log(y / mu))]
    return 2 * np.select(*map(list, zip(*limits)), general)


def gaussian_crps(predictions, labels, scale):
    z = (labels - predictions) / scale
    return scale * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))


def ensemble_crps(predictions, labels, axis=-1, fair=False):
    x = np.moveaxis(predictions, axis, -1)
    m = x.shape[-1]
    spread = abs(x[..., :, None] - x[..., None, :]).sum((-2, -1)) / (2 * m * (m - 1 if fair else m))
    return abs(x - labels[..., None]).mean(-1) - spread


def mixture(logits, labels, means, scales, full=False):
    shares = special.softmax(logits, -1)
    density = (shares * stats.norm.pdf(labels[..., None], means, scales)).sum(-1)
    return -np.log(density) - (0 if full else 0.5 * np.log(2 * np.pi))


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


def outside(*rows: tuple[str, Any, str]) -> tuple[tuple[str, Any, str], ...]:
    """Bad values by argument, value and interval."""
    return tuple((name, value, f"{name} must lie in {interval}, got {value}") for name, value, interval in rows)


REALS = {"predictions": normal(3), "labels": normal(3)}
POSITIVES = {"predictions": positive(3), "labels": positive(3)}
COUNTS = {"predictions": positive(3), "labels": counts(3)}

CASES += [
    Case(jaxloss.huber_loss, inputs(**REALS), huber, {"delta": 0.7}),
    Case(jaxloss.smooth_l1_loss, inputs(**REALS), smooth_l1, {"beta": 0.7}),
    Case(jaxloss.log_cosh_loss, inputs(**REALS), lambda predictions, labels: np.log(np.cosh(predictions - labels))),
    Case(
        jaxloss.charbonnier_loss,
        inputs(**REALS),
        lambda predictions, labels, scale: np.hypot(predictions - labels, scale),
        {"scale": 0.5},
    ),
    Case(
        jaxloss.general_robust_loss,
        inputs(**REALS, alpha=lambda rng: rng.uniform(-3, 1.4, (BATCH, 3)).astype(np.float32), scale=positive(3)),
        barron,
        bad=outside(("alpha", np.inf, "[-inf, inf)"), ("scale", -1.0, "(0, inf)")),
    ),
    Case(jaxloss.general_robust_loss, inputs(**REALS), barron, {"alpha": 1.8, "scale": 0.5}, name="near_2"),
    Case(
        jaxloss.quantile_loss,
        inputs(**REALS, quantile=uniform(3)),
        quantile,
        bad=outside(("quantile", 1.5, "[0, 1]")),
    ),
    Case(jaxloss.quantile_loss, inputs(**REALS), quantile, {"quantile": 0.9, "huber_delta": 0.5}, name="huber"),
    Case(
        jaxloss.expectile_loss,
        inputs(**REALS),
        lambda predictions, labels, expectile: charged(predictions - labels, expectile) * (predictions - labels) ** 2,
        {"expectile": 0.9},
    ),
    Case(
        jaxloss.mape_loss,
        inputs(predictions=normal(3), labels=apart(3)),
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
    Case(jaxloss.relative_l2_loss, inputs(predictions=normal(4), labels=normal(4)), relative_l2),
    Case(
        jaxloss.relative_l2_loss,
        inputs(predictions=normal(3, 2, 2), labels=normal(3, 2, 2)),
        relative_l2,
        {"axis": (-3, -1), "epsilon": 3.0},
        name="axes",
    ),
    Case(jaxloss.cosine_distance, inputs(predictions=normal(4), labels=normal(4)), cosine),
    Case(
        jaxloss.gaussian_nll_loss,
        inputs(**REALS, variance=positive(3)),
        gaussian,
        {"full": True},
        bad=outside(("variance", -0.5, "[0, inf)")),
    ),
    Case(
        jaxloss.laplace_nll_loss, inputs(**REALS, scale=positive(3)), laplace, bad=outside(("scale", 0.0, "(0, inf)"))
    ),
    Case(
        jaxloss.student_t_nll_loss,
        inputs(**REALS, scale=positive(3), df=positive(3)),
        student_t,
        {"full": True},
        bad=outside(("scale", 0.0, "(0, inf)"), ("df", -2.0, "(0, inf)")),
    ),
    Case(
        jaxloss.gaussian_mixture_nll_loss,
        inputs(logits=normal(3), labels=normal(), means=normal(3), scales=positive(3)),
        mixture,
        bad=outside(("means", np.inf, "(-inf, inf)"), ("scales", 0.0, "(0, inf)")),
    ),
    Case(jaxloss.poisson_nll_loss, inputs(predictions=normal(3), labels=counts(3)), poisson, {"full": True}),
    Case(
        jaxloss.poisson_nll_loss,
        inputs(predictions=positive(3), labels=lambda rng: counts(3)(rng) + 2),  # off the step at 1
        poisson,
        {"log_input": False, "full": "stirling"},
        bad=outside(("predictions", -1.0, "[0, inf)"), ("labels", -1.0, "[0, inf)")),
        name="rate",
    ),
    Case(
        jaxloss.negative_binomial_nll_loss,
        inputs(**COUNTS, dispersion=positive(3)),
        negative_binomial,
        {"full": True},
        bad=outside(("predictions", -1.0, "[0, inf)"), ("labels", -1.0, "[0, inf)"), ("dispersion", -0.5, "[0, inf)")),
    ),
    Case(
        jaxloss.gamma_nll_loss,
        inputs(**POSITIVES, concentration=positive(3)),
        gamma,
        bad=outside(("predictions", 0.0, "(0, inf)"), ("labels", 0.0, "(0, inf)"), ("concentration", -1.0, "(0, inf)")),
    ),
    Case(
        jaxloss.tweedie_deviance_loss,
        inputs(**POSITIVES, power=lambda rng: rng.uniform(-1, 4, (BATCH, 3)).astype(np.float32)),
        tweedie,
        bad=(
            ("predictions", 0.0, "predictions must be above 0, any number where power is 0, got 0.0"),
            ("power", np.inf, "power must lie in (-inf, inf), got inf"),
        ),
    ),
    Case(
        jaxloss.tweedie_deviance_loss,
        inputs(predictions=positive(3), labels=lambda rng: counts(3)(rng) + 1),
        tweedie,
        {"power": 1.5},
        bad=(("labels", -1, "labels must be above 0 for a power of 2 or more, at least 0 between 0 and 2, got -1.0"),),
        name="counts",
    ),
    Case(
        jaxloss.gaussian_crps_loss,
        inputs(**REALS, scale=positive(3)),
        gaussian_crps,
        bad=outside(("scale", 0.0, "(0, inf)")),
    ),
    Case(jaxloss.ensemble_crps_loss, inputs(predictions=normal(4), labels=normal()), ensemble_crps),
    Case(
        jaxloss.ensemble_crps_loss,
        inputs(predictions=normal(4, 2), labels=normal(2)),
        ensemble_crps,
        {"axis": 1, "fair": True},
        name="fair",
    ),
]


def entropies(y, p):
    """Kullback-Leibler terms."""
    return special.xlogy(y, y) - special.xlogy(y, p)


def kl(log_probs, labels, log_labels=False, axis=-1):
    y = np.exp(labels) if log_labels else labels
    return (special.xlogy(y, y) - y * log_probs).sum(axis)


def reverse_kl(log_probs, labels, log_labels=False, axis=-1):
    log_y = labels if log_labels else np.log(labels)
    return (np.exp(log_probs) * (log_probs - log_y)).sum(axis)


def js(log_probs, labels, mixture=0.5, axis=-1):
    p, y = np.exp(log_probs), labels
    m = mixture * y + (1 - mixture) * p
    return (mixture * entropies(y, m) + (1 - mixture) * entropies(p, m)).sum(axis)


def renyi(log_probs, labels, alpha, axis=-1):
    if alpha == 1:
        return kl(log_probs, labels, axis=axis) / labels.sum(axis)
    powers = labels**alpha * np.exp((1 - alpha) * log_probs)
    return np.log(powers.sum(axis) / labels.sum(axis)) / (alpha - 1)


def wasserstein(probs, labels, positions=None, axis=-1):
    moved = abs(np.cumsum(np.moveaxis(probs - labels, axis, -1), -1)[..., :-1])
    gaps = 1 if positions is None else np.diff(np.asarray(positions, np.float64))
    return (moved * gaps).sum(-1)


def gaussian_kl(mean, log_variance, prior_mean=0.0, prior_log_variance=0.0, axis=-1):
    d = log_variance - prior_log_variance
    terms = 0.5 * (np.exp(d) - 1 - d + (mean - prior_mean) ** 2 / np.exp(prior_log_variance))
    return terms if axis is None else terms.sum(axis)


def distillation(logits, teacher_logits, temperature=2.0, axis=-1):
    log_p = special.log_softmax(logits / temperature, axis)
    log_y = special.log_softmax(teacher_logits / temperature, axis)
    return temperature**2 * (np.exp(log_y) * (log_y - log_p)).sum(axis)


DISTRIBUTIONS = {"log_probs": log_probs(5), "labels": probabilities(5)}
PAIRS = {"probs": probabilities(5), "labels": probabilities(5)}
LOG_LABELS = {"log_probs": log_probs(5), "labels": log_probs(5)}
BAD_LOG = ("log_probs", 0.5, "log_probs must be at most 0, got 0.5")
BAD_LOGS = (BAD_LOG, ("labels", 0.5, "labels must be at most 0, got 0.5"))
BAD_PROBS = (*BAD_SHARE, ("probs", 1.5, "probs must lie in [0, 1], got 1.5"))

CASES += [
    Case(jaxloss.kl_divergence, inputs(**DISTRIBUTIONS), kl, bad=(*BAD_SHARE, BAD_LOG)),
    Case(jaxloss.kl_divergence, inputs(**LOG_LABELS), kl, {"log_labels": True}, bad=BAD_LOGS, name="logs"),
    Case(jaxloss.reverse_kl_divergence, inputs(**DISTRIBUTIONS), reverse_kl, bad=(*BAD_SHARE, BAD_LOG)),
    Case(
        jaxloss.reverse_kl_divergence, inputs(**LOG_LABELS), reverse_kl, {"log_labels": True}, bad=BAD_LOGS, name="logs"
    ),
    Case(
        jaxloss.generalized_kl_divergence,
        inputs(log_probs=normal(5), labels=positive(5)),
        lambda log_probs, labels: kl(log_probs, labels) + (np.exp(log_probs) - labels).sum(-1),
        bad=outside(("labels", -1.0, "[0, inf)"), ("log_probs", np.inf, "[-inf, inf)")),
    ),
    Case(jaxloss.js_divergence, inputs(**DISTRIBUTIONS), js, {"mixture": 0.3}, bad=(*BAD_SHARE, BAD_LOG)),
    Case(jaxloss.renyi_divergence, inputs(**DISTRIBUTIONS), renyi, {"alpha": 1.5}, bad=(*BAD_SHARE, BAD_LOG)),
    Case(
        jaxloss.total_variation_distance,
        inputs(**PAIRS),
        lambda probs, labels: 0.5 * abs(probs - labels).sum(-1),
        bad=BAD_PROBS,
    ),
    Case(
        jaxloss.hellinger_distance,
        inputs(probs=uniform(5), labels=lambda rng: uniform(5)(rng) / 40),  # apart: curvature grows with closeness
        lambda probs, labels: np.sqrt(0.5 * ((np.sqrt(probs) - np.sqrt(labels)) ** 2).sum(-1)),
        bad=BAD_PROBS,
    ),
    Case(jaxloss.wasserstein_distance, inputs(**PAIRS), wasserstein, bad=BAD_PROBS),
    Case(
        jaxloss.wasserstein_distance,
        inputs(probs=probabilities(4, 2, axis=1), labels=probabilities(4, 2, axis=1)),
        wasserstein,
        {"positions": np.array([0, 0.5, 2, 2.5], np.float32), "axis": 1},
        name="positions",
    ),
    Case(
        jaxloss.gaussian_kl_divergence,
        inputs(mean=normal(3), log_variance=normal(3), prior_mean=normal(3), prior_log_variance=normal(3)),
        gaussian_kl,
        bad=outside(("prior_mean", np.inf, "(-inf, inf)"), ("prior_log_variance", np.inf, "(-inf, inf)")),
    ),
    Case(
        jaxloss.gaussian_kl_divergence,
        inputs(mean=normal(3), log_variance=normal(3)),
        gaussian_kl,
        {"prior_mean": 0.5, "axis": None},
        name="per_dimension",
    ),
    Case(
        jaxloss.distillation_loss,
        inputs(logits=normal(5), teacher_logits=normal(5)),
        distillation,
        {"temperature": 3.0},
        constant=("teacher_logits",),
    ),
]
