"""What is drawn for every public name, and what its caption says; a loss without a picture of its own gets a plain one.

The losses take what lies along the axis for their first argument, see `jaxloss.plotting.plot_loss`.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp

import jaxloss
from docs.scenes import SCENES
from jaxloss.plotting import plot_landscape, plot_loss
from tests.harness.case import Case
from tests.harness.rows import FIRST


def each(loss: Callable[..., Any], **options: Any) -> list[Callable[..., Any]]:
    """One curve for every value of an option."""
    ((name, values),) = options.items()
    return [partial(loss, **{name: value}) for value in values]


def yes_and_no(loss: Callable[..., Any], **options: Any) -> Callable[[], Any]:
    return partial(plot_loss, {"label 1": loss, "label 0": lambda x, y: loss(x, 1 - y)}, **options)


def like_and_unlike(loss: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    return {"label 1": loss, "label -1": lambda *arguments: loss(*arguments[:-1], -arguments[-1])}


def turned(angle: Any) -> Any:
    return jnp.stack([jnp.cos(angle), jnp.sin(angle)])


EAST = jnp.array([1.0, 0.0])
TO_EAST = {"over": lambda angle: (turned(angle), EAST), "span": (-3.1416, 3.1416)}
ERROR = "Over the error, the prediction minus the label."
CLASS = "Over the logit of the labelled class; those of two other classes are 0."
SCORE = "Over the score of the labelled class; those of two other classes are 0."
YES = "Over the logit of the positive class."
MARGIN = "Over the score, for the label 1."
SHARE = (
    "Over the probability of the first of three classes; the other two share the rest in equal parts. The label is "
    "(0.6, 0.2, 0.2)."
)


def robust(*losses: Any) -> tuple[str, Callable[[], Any]]:
    return ERROR, partial(plot_loss, *losses)


def divergence(*losses: Any) -> tuple[str, Callable[[], Any]]:
    return SHARE, partial(plot_loss, *losses, span=(0.02, 0.98))


def of_class(*losses: Any) -> tuple[str, Callable[[], Any]]:
    return CLASS, partial(plot_loss, *losses)


def of_score(*losses: Any) -> tuple[str, Callable[[], Any]]:
    return SCORE, partial(plot_loss, *losses)


def amount(label: float, *losses: Any, span: tuple[float, float]) -> tuple[str, Callable[[], Any]]:
    return f"Over the prediction, for the label {label:g}.", partial(
        plot_loss, *losses, over="prediction", label=label, span=span
    )


cosine_distance = partial(jaxloss.cosine_distance, reduction="none")


def shifted_box(*losses: Any) -> tuple[str, Callable[[], Any]]:
    unit = jnp.array([0.0, 0.0, 1.0, 1.0])
    return (
        "Over how far a box of size 1 is moved from its label along one axis.",
        partial(plot_loss, *losses, over=lambda shift: (unit + shift * jnp.array([1.0, 0, 1, 0]), unit)),
    )


def ensemble(spread: float) -> Callable[..., Any]:
    members = spread * jnp.array([-1.5, -0.5, 0.5, 1.5])
    return lambda predictions, labels: jaxloss.ensemble_crps_loss(predictions + members, labels)


def mixture(scale: float) -> Callable[..., Any]:
    means = jnp.array([-1.5, 1.5])
    return lambda predictions, labels: jaxloss.gaussian_mixture_nll_loss(
        jnp.zeros(2), labels, means=predictions + means, scales=scale
    )


def coral(label: int) -> Callable[..., Any]:
    return lambda predictions, labels: jaxloss.coral_loss(predictions + jnp.array([2.0, 0.0, -2.0]), label)


def graded(loss: Callable[..., Any], label: float) -> Callable[..., Any]:
    return lambda logits, _: loss(logits, label + 0 * logits)


def plain(case: Case) -> tuple[str, Callable[[], Any]]:
    """A loss over one number of its first argument, the rest as in its row of the tests."""
    (first, at), *others = case.arguments().items()
    names, rest = [first, *(name for name, _ in others)], [jnp.asarray(x) for _, x in others]

    def loss(*given: Any) -> Any:  # by name: an option may stand between them
        return case.loss(**dict(zip(names, given)), **case.options)

    over = partial(plot_loss, {case.loss.__name__: loss}, span=(float(at.min()), float(at.max())))
    return (
        f"Over one number of ``{first}``, whatever the others are.",
        partial(over, over=lambda number: (jnp.asarray(at).at[(0,) * at.ndim].set(number), *rest)),
    )


PICTURES: dict[str, tuple[str, Callable[[], Any]]] = {
    "l1_loss": robust(jaxloss.l1_loss, jaxloss.mse_loss),
    "mse_loss": robust(jaxloss.mse_loss, jaxloss.l1_loss),
    "huber_loss": robust(*each(jaxloss.huber_loss, delta=(0.5, 1, 2)), jaxloss.l1_loss),
    "smooth_l1_loss": robust(*each(jaxloss.smooth_l1_loss, beta=(0.5, 1, 2)), jaxloss.l1_loss),
    "log_cosh_loss": robust(jaxloss.log_cosh_loss, jaxloss.huber_loss),
    "charbonnier_loss": robust(*each(jaxloss.charbonnier_loss, scale=(1e-3, 0.5, 1))),
    "general_robust_loss": robust(*each(jaxloss.general_robust_loss, alpha=(2, 1, 0, -2, float("-inf")))),
    "quantile_loss": robust(*each(jaxloss.quantile_loss, quantile=(0.1, 0.5, 0.9))),
    "expectile_loss": robust(*each(jaxloss.expectile_loss, expectile=(0.1, 0.5, 0.9))),
    "mape_loss": (
        "Over the error, for the label 2: the prediction is this much more.",
        partial(plot_loss, jaxloss.mape_loss, jaxloss.smape_loss, label=2.0),
    ),
    "smape_loss": (
        "Over the error, for the label 2: the prediction is this much more, and 0 at -2.",
        partial(plot_loss, jaxloss.smape_loss, jaxloss.mape_loss, label=2.0),
    ),
    "msle_loss": amount(1.0, jaxloss.msle_loss, jaxloss.mse_loss, span=(-0.8, 4)),
    "relative_l2_loss": (
        "Over the two entries of a prediction. The label is (2, 1).",
        lambda: plot_landscape(lambda first, second: jaxloss.relative_l2_loss(jnp.stack([first, second]), EAST + 1)),
    ),
    "cosine_distance": (
        "Over the angle between prediction and label, both of length 1.",
        partial(plot_loss, jaxloss.cosine_distance, **TO_EAST),
    ),
    "gaussian_nll_loss": robust(*each(jaxloss.gaussian_nll_loss, variance=(0.5, 1.0, 4.0))),
    "laplace_nll_loss": robust(*each(jaxloss.laplace_nll_loss, scale=(0.5, 1.0, 2.0))),
    "student_t_nll_loss": robust(*each(partial(jaxloss.student_t_nll_loss, scale=1.0), df=(1.0, 3.0, 100.0))),
    "gaussian_mixture_nll_loss": (
        "Over the error of the middle of two components, 3 apart and equally likely.",
        partial(plot_loss, {f"scales={scale}": mixture(scale) for scale in (0.5, 1.0, 2.0)}),
    ),
    "gaussian_crps_loss": robust(*each(jaxloss.gaussian_crps_loss, scale=(0.1, 1.0, 3.0))),
    "ensemble_crps_loss": (
        "Over the error of the mean of four members, which lie the spread apart from each other.",
        partial(plot_loss, {f"spread {spread:g}": ensemble(spread) for spread in (0.0, 1.0, 2.0)}),
    ),
    "poisson_nll_loss": (
        "Over the logarithm of the predicted rate, for the label 3.",
        partial(plot_loss, jaxloss.poisson_nll_loss, over="prediction", label=3.0, span=(-1, 2.5)),
    ),
    "negative_binomial_nll_loss": amount(
        3.0, *each(jaxloss.negative_binomial_nll_loss, dispersion=(0.0, 0.5, 2.0)), span=(0.5, 10)
    ),
    "gamma_nll_loss": amount(1.0, *each(jaxloss.gamma_nll_loss, concentration=(1.0, 2.0, 4.0)), span=(0.3, 5)),
    "tweedie_deviance_loss": amount(
        1.0, *each(jaxloss.tweedie_deviance_loss, power=(0.0, 1.0, 1.5, 2.0, 3.0)), span=(0.4, 4)
    ),
    "binary_cross_entropy_with_logits": (YES, yes_and_no(jaxloss.binary_cross_entropy_with_logits)),
    "binary_cross_entropy": (
        "Over the probability of the positive class.",
        yes_and_no(jaxloss.binary_cross_entropy, span=(0.02, 0.98)),
    ),
    "cross_entropy": of_class(jaxloss.cross_entropy, *each(jaxloss.cross_entropy, label_smoothing=(0.1,))),
    "nll_loss": (
        "Over the probability of the labelled class, whose logarithm the loss is given.",
        partial(plot_loss, jaxloss.nll_loss, label=0, span=(0.02, 0.98)),
    ),
    "poly1_cross_entropy": of_class(*each(jaxloss.poly1_cross_entropy, epsilon=(-1.0, 0.0, 1.0, 2.0))),
    "linear_cross_entropy": (
        CLASS,
        partial(
            plot_loss,
            jaxloss.linear_cross_entropy,
            *each(jaxloss.linear_cross_entropy, soft_cap=(3.0,)),
            over=lambda logit: (jnp.stack([logit]), jnp.array([[1.0, 0.0, 0.0]]), 0),
            span=(-6, 6),
        ),
    ),
    "sigmoid_focal_loss": (
        "Over the logit of the positive class, for the label 1.",
        partial(plot_loss, *each(jaxloss.sigmoid_focal_loss, gamma=(0.0, 1.0, 2.0, 5.0))),
    ),
    "softmax_focal_loss": of_class(*each(jaxloss.softmax_focal_loss, gamma=(0.0, 1.0, 2.0, 5.0))),
    "asymmetric_loss": (YES, yes_and_no(jaxloss.asymmetric_loss)),
    "generalized_cross_entropy": of_class(
        *each(jaxloss.generalized_cross_entropy, q=(0.3, 0.7, 1.0)), jaxloss.cross_entropy
    ),
    "symmetric_cross_entropy": of_class(jaxloss.symmetric_cross_entropy, jaxloss.cross_entropy),
    "taylor_cross_entropy": of_class(*each(jaxloss.taylor_cross_entropy, order=(1, 2, 6)), jaxloss.cross_entropy),
    "bi_tempered_logistic_loss": of_class(
        *(partial(jaxloss.bi_tempered_logistic_loss, t1=t1, t2=t2) for t1, t2 in ((1.0, 1.0), (0.8, 1.2), (0.5, 2.0)))
    ),
    "coral_loss": (
        "Over a score to which the biases 2, 0 and -2 of the three thresholds are added, for each of four labels.",
        partial(plot_loss, {f"label {label}": coral(label) for label in range(4)}, over="score", span=(-5, 5)),
    ),
    "iou_loss": shifted_box(jaxloss.iou_loss, jaxloss.giou_loss),
    "giou_loss": shifted_box(jaxloss.giou_loss, jaxloss.iou_loss),
    "diou_loss": shifted_box(jaxloss.diou_loss, jaxloss.giou_loss),
    "ciou_loss": (
        "Over the width of a box of height 1, whose label is a square of size 1 with the same lower corner.",
        partial(
            plot_loss,
            jaxloss.ciou_loss,
            jaxloss.diou_loss,
            over=lambda width: (jnp.stack([0 * width, 0 * width, width, 1 + 0 * width]), jnp.array([0.0, 0, 1, 1])),
            span=(0.1, 4),
        ),
    ),
    "distribution_focal_loss": (
        "Over the label, for the logits 0, 2 and 1 of three bins.",
        partial(
            plot_loss,
            jaxloss.distribution_focal_loss,
            over=lambda label: (jnp.array([0.0, 2.0, 1.0]), label),
            span=(0.0, 2.0),
        ),
    ),
    "quality_focal_loss": (
        "Over the logit, for each of four labels.",
        partial(
            plot_loss, {f"label {label:g}": graded(jaxloss.quality_focal_loss, label) for label in (0, 0.3, 0.7, 1)}
        ),
    ),
    "varifocal_loss": (
        "Over the logit, for each of four labels.",
        partial(plot_loss, {f"label {label:g}": graded(jaxloss.varifocal_loss, label) for label in (0, 0.3, 0.7, 1)}),
    ),
    "gaussian_focal_loss": (
        "Over the logit, for each of four labels, of which 1 is a peak.",
        partial(
            plot_loss, {f"label {label:g}": graded(jaxloss.gaussian_focal_loss, label) for label in (0, 0.3, 0.7, 1)}
        ),
    ),
    "hinge_loss": (MARGIN, partial(plot_loss, jaxloss.hinge_loss, jaxloss.soft_margin_loss)),
    "squared_hinge_loss": (MARGIN, partial(plot_loss, jaxloss.squared_hinge_loss, jaxloss.hinge_loss)),
    "soft_margin_loss": (MARGIN, partial(plot_loss, jaxloss.soft_margin_loss, jaxloss.hinge_loss)),
    "perceptron_loss": (MARGIN, partial(plot_loss, jaxloss.perceptron_loss, jaxloss.hinge_loss)),
    "multiclass_hinge_loss": of_score(jaxloss.multiclass_hinge_loss, jaxloss.multiclass_perceptron_loss),
    "multi_margin_loss": of_score(*each(jaxloss.multi_margin_loss, p=(1, 2))),
    "multiclass_perceptron_loss": of_score(jaxloss.multiclass_perceptron_loss, jaxloss.multiclass_hinge_loss),
    "sparsemax_loss": of_score(jaxloss.sparsemax_loss, jaxloss.cross_entropy),
    "entmax15_loss": of_score(jaxloss.entmax15_loss, jaxloss.sparsemax_loss, jaxloss.cross_entropy),
    "multilabel_margin_loss": (
        "Over the score of the only target; those of two other classes are 0.",
        partial(plot_loss, jaxloss.multilabel_margin_loss, label=(True, False, False)),
    ),
    "multilabel_soft_margin_loss": (
        "Over the score of the only target; those of two other classes are 0.",
        partial(plot_loss, jaxloss.multilabel_soft_margin_loss, label=(1.0, 0.0, 0.0)),
    ),
    "hinge_embedding_loss": (
        "Over the distance.",
        partial(plot_loss, like_and_unlike(jaxloss.hinge_embedding_loss), over="distance"),
    ),
    "cosine_embedding_loss": (
        "Over the angle between the two, both of length 1, with the margin 0.",
        partial(
            plot_loss,
            like_and_unlike(jaxloss.cosine_embedding_loss),
            over=lambda angle: (turned(angle), EAST, 1),
            span=TO_EAST["span"],
        ),
    ),
    "margin_ranking_loss": (
        "Over the difference of the two scores, of which the first should be the larger.",
        partial(
            plot_loss,
            *each(jaxloss.margin_ranking_loss, margin=(0.0, 1.0)),
            over=lambda difference: (difference, 0 * difference, 1),
        ),
    ),
    "triplet_margin_loss": (
        "Over the place of the negative. The anchor is at (0, 0), the positive at (1, 0).",
        lambda: plot_landscape(
            lambda x, y: jaxloss.triplet_margin_loss(jnp.zeros(2), EAST, jnp.stack([x, y])), (-3, 3), (-3, 3)
        ),
    ),
    "triplet_margin_with_distance_loss": (
        "Over the angle between anchor and negative, with the cosine distance and the margin 1; the positive is at a "
        "right angle to the anchor.",
        partial(
            plot_loss,
            {"cosine distance": partial(jaxloss.triplet_margin_with_distance_loss, distance=cosine_distance)},
            over=lambda angle: (EAST[None], jnp.array([[0.0, 1.0]]), turned(angle)[None]),
            span=TO_EAST["span"],
        ),
    ),
    "kl_divergence": divergence(jaxloss.kl_divergence, jaxloss.reverse_kl_divergence),
    "reverse_kl_divergence": divergence(jaxloss.reverse_kl_divergence, jaxloss.kl_divergence),
    "generalized_kl_divergence": (
        "Over the probability of a single class whose label is 0.6: neither needs to sum to 1.",
        partial(
            plot_loss,
            jaxloss.generalized_kl_divergence,
            over=lambda probability: (jnp.log(jnp.stack([probability])), jnp.array([0.6])),
            span=(0.02, 0.98),
        ),
    ),
    "js_divergence": divergence(*each(jaxloss.js_divergence, mixture=(0.1, 0.5, 0.9))),
    "renyi_divergence": divergence(*each(jaxloss.renyi_divergence, alpha=(0.5, 1.0, 2.0))),
    "total_variation_distance": divergence(jaxloss.total_variation_distance, jaxloss.hellinger_distance),
    "hellinger_distance": divergence(jaxloss.hellinger_distance, jaxloss.total_variation_distance),
    "wasserstein_distance": divergence(jaxloss.wasserstein_distance, jaxloss.total_variation_distance),
    "gaussian_kl_divergence": (
        "Over the mean and the logarithm of the variance, in one dimension; the prior is the standard Gaussian.",
        lambda: plot_landscape(
            lambda mean, log_variance: jaxloss.gaussian_kl_divergence(mean, log_variance, axis=None), (-3, 3), (-3, 3)
        ),
    ),
    "distillation_loss": (
        "Over the logit of the first class; those of two others are 0. The teacher's logits are (2, 0, 0).",
        partial(plot_loss, *each(jaxloss.distillation_loss, temperature=(1.0, 2.0, 4.0)), label=(2.0, 0.0, 0.0)),
    ),
    "plotting.plot_loss": (
        "The first picture of the example.",
        partial(plot_loss, jaxloss.l1_loss, jaxloss.huber_loss, partial(jaxloss.huber_loss, delta=3.0)),
    ),
    "plotting.plot_landscape": (
        "The picture of the example.",
        lambda: plot_landscape(
            lambda slope, bias: jaxloss.mse_loss(slope * jnp.arange(3.0) + bias, 2 * jnp.arange(3.0) + 1)
        ),
    ),
}
PICTURES |= SCENES
PICTURES |= {case.loss.__name__: plain(case) for case in FIRST if case.loss.__name__ not in PICTURES}

WITHOUT = {
    "reduce": "has no curve of its own",
    "average_top_k_loss": "is a mean of other losses",
    "Total": "is two sums",
    "checked": "returns a function",
    "loss": "returns a loss",
    "testing.check_loss": "returns words",
    "LogProbs": "is four arrays",
    "softmax_log_probs": "returns what losses are made of",
    "linear_log_probs": "returns what losses are made of",
    "class_balanced_weights": "returns weights, not a loss",
    "next_token_labels": "returns labels, not a loss",
    "dynamic_weight_average": "returns weights, not a loss",
    "combine": "is a sum",
    "uncertainty_weighting": "is a sum with weights",
    "gradnorm_loss": "takes mappings, of which no one number tells",
}
