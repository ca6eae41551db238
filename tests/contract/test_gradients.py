"""Derivatives of first and second order against float64: of every argument and option, at kinks, edges and masks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxloss

from . import formulas
from .cases import CASES, MORE, Case, with_options
from .derivatives import agree, cast, place, real
from .rows import FIRST, exhaustive, public_losses


j = jaxloss
INF = np.inf
pytestmark = pytest.mark.usefixtures("compiles_fast")
LOSSES = sorted(set(public_losses()) - {"reduce"})

# --- along another axis, without an index --------------------------------------------------------------------------


def forward_over_reverse(case: Case) -> Callable[..., dict[str, Any]]:
    """Of the weighted sum: the gradient, the Hessian times the direction, and the derivative in forward mode."""
    choices = {name: x for name, x in case.options.items() if not real(x)}

    @jax.jit
    def derivatives(x, direction, held, mask=None):
        f = lambda x: case.loss(**held, **choices, **x, mask=mask, reduction="sum")  # noqa: E731
        gradient, product = jax.jvp(jax.grad(f), (x,), (direction,))
        return {"gradient": gradient, "product": product, "forward": jax.jvp(f, (x,), (direction,))[1]}

    return derivatives


def having(option: str) -> Any:
    cases = [case for case in FIRST if option in inspect.signature(case.loss).parameters and option not in case.options]
    return exhaustive(cases)


def same(found: Any, expected: Any) -> None:
    for order, slopes in expected.items():
        for name, slope in slopes.items() if isinstance(slopes, dict) else [("", slopes)]:
            agree(found[order][name] if name else found[order], slope, f"{order} {name}", 1e-12)


@having("axis")
def test_axis_is_where_the_classes_or_features_are(case, x64):
    """Along the first axis: the derivatives along the last, moved."""
    at = place(case)
    rank = next(iter(case.arguments().values())).ndim

    def moved(tree):
        return {name: np.moveaxis(x, -1, 0) if np.ndim(x) == rank else x for name, x in tree.items()}

    expected = forward_over_reverse(case)(*cast((at.x, at.direction), jnp.float64), at.held)
    first = with_options(case, options={"axis": 0})
    x, direction = cast((moved(at.x), moved(at.direction)), jnp.float64)
    found = forward_over_reverse(first)(x, direction, moved(at.held))
    same(found, {order: moved(slopes) if isinstance(slopes, dict) else slopes for order, slopes in expected.items()})


@pytest.mark.exhaustive
@having("ignore_index")
def test_ignore_index_is_a_mask_by_label(case, x64):
    at = place(case)
    mask = at.held["labels"] != 2
    assert mask.any() and not mask.all()
    x, direction = cast((at.x, at.direction), jnp.float64)
    ignoring = with_options(case, options={"ignore_index": 2})
    found = forward_over_reverse(ignoring)(x, direction, at.held)
    same(found, forward_over_reverse(case)(x, direction, at.held, mask))


# --- no option without a row -----------------------------------------------------------------------------------------


# Tested above, or, as they need devices, in test_class_axis.py; of what gaussian_nll_loss holds constant no reference
# knows: see the edges below.
EXCEPT = {"reduction", "axis_name", "class_axis_name", "axis", "ignore_index"}
HELD = {"gaussian_nll_loss": {"beta", "eps"}}


@pytest.mark.parametrize("name", LOSSES)
def test_every_option_has_a_row_that_changes_it(name):
    parameters = inspect.signature(getattr(jaxloss, name)).parameters.values()
    options = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    options = {option: x for option, x in options.items() if option not in EXCEPT}
    rows = [case.options | case.arguments() for case in CASES + MORE if case.loss.__name__ == name]
    changed = {o for o, x in options.items() for row in rows if o in row and not np.array_equal(row[o], x)}
    assert set(options) - changed == HELD.get(name, set())


# --- kinks and edges -------------------------------------------------------------------------------------------------


class At(NamedTuple):
    """A call, and the derivative of its sum by some of what it gets."""

    loss: Callable[..., Any]
    arguments: dict[str, Any]
    slopes: dict[str, Any]
    name: str

    @property
    def id(self) -> str:
        return f"{self.loss.__name__}-{self.name}"


def at(loss: Any, name: str, slopes: dict[str, Any], **arguments: Any) -> At:
    return At(loss, arguments, slopes, name)


def errors(*x: float) -> dict[str, list[float]]:
    return {"predictions": [float(error) for error in x], "labels": [0.0] * len(x)}


def signed(scores: list[float], label: float = 1.0) -> dict[str, list[float]]:
    return {"scores": scores, "labels": [label] * len(scores)}


def triplet(a: list[float], p: list[float], n: list[float]) -> dict[str, Any]:
    return {"anchors": [a], "positives": [p], "negatives": [n]}


ROOT = 0.5**0.5 / 2
# An absolute value or a norm has the derivative 0 at its kink, a hinge 0 at its corner; equals share.
KINKS = [
    at(j.l1_loss, "zero", {"predictions": [0, 1], "labels": [0, -1]}, **errors(0, 1)),
    at(j.huber_loss, "zero_and_delta", {"predictions": [0, 1, -1], "delta": 0}, **errors(0, 1, -1), delta=1.0),
    at(j.smooth_l1_loss, "zero_and_beta", {"predictions": [0, 1, -1], "beta": -1}, **errors(0, 0.5, -0.5), beta=0.5),
    at(j.smooth_l1_loss, "beta_of_zero", {"predictions": [0, 1], "beta": -0.5}, **errors(0, 2), beta=0.0),
    at(j.quantile_loss, "zero", {"predictions": [0], "labels": [0], "quantile": 0}, **errors(0), quantile=0.9),
    at(
        j.quantile_loss,
        "zero_and_huber_delta",
        {"predictions": [0, 0.1, -0.9], "huber_delta": -0.5},
        **errors(0, 0.5, -0.5),
        quantile=0.9,
        huber_delta=0.5,
    ),
    at(j.quantile_loss, "huber_delta_of_zero", {"predictions": [0]}, **errors(0), quantile=0.9, huber_delta=0.0),
    at(j.expectile_loss, "zero", {"predictions": [0], "expectile": 0}, **errors(0), expectile=0.9),
    at(j.mape_loss, "zero_error", {"predictions": [0], "labels": [0]}, predictions=[2.0], labels=[2.0]),
    at(j.mape_loss, "label_of_zero", {"labels": [-2]}, predictions=[2.0], labels=[0.0], epsilon=0.5),
    at(j.smape_loss, "equal", {"predictions": [0, 0], "labels": [0, 0]}, predictions=[1.0, 0.0], labels=[1.0, 0.0]),
    at(j.smape_loss, "prediction_of_zero", {"predictions": [-0.4]}, predictions=[0.0], labels=[5.0]),
    at(j.relative_l2_loss, "equal", {"predictions": [3 * [0]]}, predictions=[[1.0, 2, 3]], labels=[[1.0, 2, 3]]),
    at(
        j.cosine_distance,
        "zero_vector",
        {"predictions": [[0, 0]], "labels": [[0, 0]]},
        predictions=[[0.0, 0]],
        labels=[[1.0, 2]],
    ),
    at(j.laplace_nll_loss, "zero", {"predictions": [0], "scale": 0.5}, **errors(0), scale=2.0),
    at(
        j.gaussian_nll_loss,
        "variance_at_its_floor",
        {"predictions": [2], "variance": -1},
        **errors(1),
        variance=0.5,
        eps=0.5,
    ),
    at(
        j.poisson_nll_loss,
        "stirling_from_one",
        {"labels": [-np.log(2)]},
        predictions=[2.0],
        labels=[1.0],
        log_input=False,
        full="stirling",
    ),
    at(
        j.ensemble_crps_loss,
        "members_at_the_label_and_each_other",
        {"predictions": [[1 / 9] * 3], "labels": [-1 / 3]},
        predictions=[[0.0, 0, 1]],
        labels=[0.0],
    ),
    at(
        j.asymmetric_loss,
        "clip",
        {"logits": [0]},
        logits=[0.0],
        labels=[0.0],
        gamma_positive=0.0,
        gamma_negative=0.0,
        clip=0.5,
    ),
    at(
        j.bi_tempered_logistic_loss,
        "edge_of_the_tail",
        {"logits": [[0, 0]]},
        logits=[[0.0, -2]],
        labels=[0],
        t1=0.2,
        t2=0.5,
    ),
    at(
        j.total_variation_distance,
        "equal",
        {"probs": [[0, 0.5, -0.5]], "labels": [[0, -0.5, 0.5]]},
        probs=[[0.5, 0.3, 0.2]],
        labels=[[0.5, 0.2, 0.3]],
    ),
    at(
        j.hellinger_distance,
        "equal",
        {"probs": [[0, 0]], "labels": [[0, 0]]},
        probs=[[0.25, 0.75]],
        labels=[[0.25, 0.75]],
    ),
    at(
        j.wasserstein_distance,
        "equal",
        {"probs": [[0, 0]], "positions": [0, 0]},
        probs=[[0.25, 0.75]],
        labels=[[0.25, 0.75]],
        positions=[0.0, 1],
    ),
    at(j.hinge_loss, "corner", {"scores": [0], "labels": [0]}, **signed([1.0])),
    at(j.squared_hinge_loss, "corner", {"scores": [0]}, **signed([1.0])),
    at(j.perceptron_loss, "zero", {"scores": [0], "labels": [0]}, **signed([0.0])),
    at(j.multiclass_hinge_loss, "corner", {"scores": [[0, 0]]}, scores=[[1.0, 0]], labels=[0]),
    at(j.multiclass_hinge_loss, "ties", {"scores": [[-1, 0.5, 0.5]]}, scores=[[0.0, 1, 1]], labels=[0]),
    at(
        j.multi_margin_loss,
        "corner",
        {"scores": [[0, 0]], "margin": 0},
        scores=[[1.0, 0]],
        labels=[0],
        margin=1.0,
    ),
    at(j.multi_margin_loss, "corner_squared", {"scores": [[0, 0]]}, scores=[[1.0, 0]], labels=[0], p=2),
    at(j.multiclass_perceptron_loss, "all_alike", {"scores": [[0, 0, 0]]}, scores=[[1.0, 1, 1]], labels=[0]),
    at(j.multiclass_perceptron_loss, "ties", {"scores": [[-1, 0.5, 0.5]]}, scores=[[0.0, 1, 1]], labels=[0]),
    at(j.sparsemax_loss, "edge_of_the_support", {"scores": [[0, 0], [1, -1]]}, scores=[[1.0, 0]] * 2, labels=[0, 1]),
    at(j.entmax15_loss, "edge_of_the_support", {"scores": [[0, 0], [1, -1]]}, scores=[[2.0, 0]] * 2, labels=[0, 1]),
    at(j.multilabel_margin_loss, "corner", {"scores": [[0, 0]]}, scores=[[1.0, 0]], labels=[[True, False]]),
    at(
        j.hinge_embedding_loss,
        "corner",
        {"distances": [0], "margin": 0},
        distances=[0.5],
        labels=[-1],
        margin=0.5,
    ),
    at(
        j.cosine_embedding_loss,
        "zero_vector",
        {"embeddings_a": [[0, 0]] * 2, "embeddings_b": [[0, 0]] * 2},
        embeddings_a=[[0.0, 0]] * 2,
        embeddings_b=[[1.0, 2]] * 2,
        labels=[1, -1],
        margin=-0.5,
    ),
    at(
        j.cosine_embedding_loss,
        "corner",
        {"embeddings_a": [[0, 0]], "margin": 0},
        embeddings_a=[[1.0, 0]],
        embeddings_b=[[0.0, 1]],
        labels=[-1],
        margin=0.0,
    ),
    at(
        j.margin_ranking_loss,
        "corner",
        {"scores_a": [0], "scores_b": [0], "margin": 0},
        scores_a=[1.5],
        scores_b=[1.0],
        labels=[1],
        margin=0.5,
    ),
    at(
        j.triplet_margin_loss,
        "corner",
        {"anchors": [[0, 0]], "positives": [[0, 0]], "margin": 0},
        **triplet([0.0, 0], [1, 0], [2, 0]),
        margin=1.0,
    ),
    at(
        j.triplet_margin_loss,
        "no_distance",
        {"anchors": [[1, 0]], "positives": [[0, 0]], "negatives": [[-1, 0]]},
        **triplet([0.0, 0], [0, 0], [0.5, 0]),
        margin=1.0,
    ),
    at(
        j.triplet_margin_loss,
        "swap_of_equals",
        {"anchors": [[ROOT, ROOT - 1]]},
        **triplet([0.0, 0], [0, 2], [1, 1]),
        margin=1.0,
        swap=True,
    ),
    at(
        j.triplet_margin_loss,
        "largest_alike",
        {"positives": [[0.5, 0.5]]},
        **triplet([0.0, 0], [1, 1], [0, 0]),
        margin=1.0,
        p=INF,
    ),
    at(
        j.triplet_margin_loss,
        "entry_of_zero",
        {"positives": [[1, 0]]},
        **triplet([0.0, 0], [1, 0], [0, 0]),
        margin=1.0,
        p=1,
    ),
    at(
        j.triplet_margin_with_distance_loss,
        "no_distance",
        {"anchors": [[1, 0]], "positives": [[0, 0]], "negatives": [[-1, 0]]},
        **triplet([0.0, 0], [0, 0], [0.5, 0]),
        margin=1.0,
    ),
]
# Their derivative is continuous wherever they are finite, in every argument but for edges of a domain.
SMOOTH = "mse log_cosh charbonnier general_robust msle student_t_nll gaussian_mixture_nll negative_binomial_nll "
SMOOTH += "gamma_nll tweedie_deviance gaussian_crps nll softmax_focal sigmoid_focal bi_tempered coral distillation "
SMOOTH += "soft_margin multilabel_soft_margin"


def test_every_loss_has_its_kinks_listed_or_none():
    smooth = {f"{name}_loss" for name in SMOOTH.split()} - {"bi_tempered_loss"}
    smooth |= {name for name in LOSSES if "cross_entropy" in name}
    smooth |= {name for name in LOSSES if name.endswith("_divergence")}
    kinked = {row.loss.__name__ for row in KINKS}
    assert not smooth & kinked and smooth | kinked == set(LOSSES)


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(z, np.float64)))


def softmax(*z: float) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum()


def near(f: Callable[[float], float], x: float, step: float = 1e-2) -> float:
    """The derivative at a removable gap, from around it."""
    return (8 * (f(x + step) - f(x - step)) - f(x + 2 * step) + f(x - 2 * step)) / (12 * step)


Z = [1.0, 0.0, -1.0]
P = softmax(*Z)
NLL = -np.log(P)
ONE = np.array([0, 1, 0])  # the label of the rows below
ROW = {"logits": [Z], "labels": [1]}
HOT = {"logits": [Z], "labels": [[0.0, 1, 0]]}
BENT = P[1] * (P - ONE)  # the gradient of 1 - p
TINY = float(np.finfo(np.float32).tiny)
LOGS, SHARES = np.log([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])


def kl(y: Any, p: Any) -> float:
    return float((y * np.log(y / p)).sum())


EDGES = [
    # probabilities
    at(
        j.binary_cross_entropy,
        "sure_and_right",
        {"probs": [1, -1], "labels": [-np.log(TINY), np.log(TINY)]},
        probs=[0.0, 1],
        labels=[0.0, 1],
    ),
    at(j.binary_cross_entropy, "sure_and_wrong", {"probs": [-1 / TINY, 1 / TINY]}, probs=[0.0, 1], labels=[1.0, 0]),
    at(j.nll_loss, "ruled_out", {"log_probs": [[0, -1]]}, log_probs=[[-INF, 0.0]], labels=[1]),
    at(j.nll_loss, "ruled_out_soft", {"log_probs": [[0, -1]]}, log_probs=[[-INF, 0.0]], labels=[[0.0, 1]]),
    at(
        j.kl_divergence,
        "no_label",
        {"log_probs": [[0, -1]], "labels": [[0, 1]]},
        log_probs=[[-INF, 0.0]],
        labels=[[0.0, 1]],
    ),
    at(
        j.js_divergence,
        "mixture_of_zero",
        {"mixture": kl(SHARES, np.exp(LOGS)), "log_probs": [[0, 0, 0]]},
        log_probs=[LOGS],
        labels=[SHARES],
        mixture=0.0,
    ),
    at(
        j.js_divergence,
        "mixture_of_one",
        {"mixture": -kl(np.exp(LOGS), SHARES), "log_probs": [[0, 0, 0]]},
        log_probs=[LOGS],
        labels=[SHARES],
        mixture=1.0,
    ),
    at(
        j.renyi_divergence,
        "order_of_one",
        {"log_probs": [-SHARES], "alpha": near(lambda a: float(formulas.renyi(LOGS, SHARES, a)), 1.0)},
        log_probs=[LOGS],
        labels=[SHARES],
        alpha=1.0,
    ),
    # smoothing and weights of classes
    at(
        j.cross_entropy,
        "no_smoothing",
        {"logits": [P - ONE], "label_smoothing": NLL.mean() - NLL[1], "z_loss": np.log(np.exp(Z).sum()) ** 2},
        **ROW,
        label_smoothing=0.0,
        z_loss=0.0,
    ),
    at(
        j.cross_entropy,
        "all_smoothing",
        {"logits": [P - 1 / 3], "label_smoothing": NLL.mean() - NLL[1]},
        **ROW,
        label_smoothing=1.0,
    ),
    *(
        at(
            j.general_robust_loss,
            f"zero_error_{alpha}",
            {"predictions": [0], "alpha": 0, "scale": 0},
            **errors(0),
            alpha=alpha,
            scale=2.0,
        )
        for alpha in (-2.0, 0.0, 0.5, 1.0)
    ),
    at(
        j.general_robust_loss,
        "hardly_an_error",
        {"predictions": [1.69e-15], "scale": 0},
        predictions=[-0.00012023091403],
        labels=[-0.00012023106683],
        alpha=-0.0012,
        scale=319.6,
    ),
    at(
        j.msle_loss,
        "far_below",
        {"predictions": [-2 * np.log1p(2e7)], "labels": [2 * np.log1p(2e7) / 2e7]},
        predictions=[0.0],
        labels=[2e7],
    ),
    at(j.charbonnier_loss, "far", {"predictions": [1, -1], "scale": 0}, **errors(1e36, -INF), scale=1e-3),
    at(
        j.asymmetric_loss,
        "below_the_clip",
        {"logits": [0, sigmoid(1) - 1], "gamma_negative": 0, "clip": 0},
        logits=[-4.0, 1],
        labels=[0.0, 1],
        gamma_positive=0.0,
        gamma_negative=4.0,
        clip=0.05,
    ),
    at(
        j.binary_cross_entropy_with_logits,
        "no_positive_weight_and_sure",
        {"logits": [0], "labels": [0]},
        logits=[-INF],
        labels=[0.0],
        pos_weight=0.0,
    ),
    at(j.poly1_cross_entropy, "all_smoothing", {"logits": [P - 1 / 3]}, **ROW, epsilon=0.0, label_smoothing=1.0),
    at(
        j.linear_cross_entropy,
        "all_smoothing",
        {"hidden": [P - 1 / 3], "label_smoothing": NLL.mean() - NLL[1]},
        hidden=[Z],
        kernel=np.eye(3),
        labels=[1],
        label_smoothing=1.0,
    ),
    at(
        j.binary_cross_entropy_with_logits,
        "no_smoothing",
        {"logits": [sigmoid(0.5) - 1], "label_smoothing": 0.25},
        logits=[0.5],
        labels=[1.0],
        label_smoothing=0.0,
    ),
    at(
        j.binary_cross_entropy_with_logits,
        "all_smoothing",
        {"logits": [sigmoid(0.5) - 0.5]},
        logits=[0.5],
        labels=[1.0],
        label_smoothing=1.0,
    ),
    at(
        j.binary_cross_entropy_with_logits,
        "no_positive_weight",
        {"logits": [0], "pos_weight": np.log1p(np.exp(-0.5))},
        logits=[0.5],
        labels=[1.0],
        pos_weight=0.0,
    ),
    # strengths and temperatures
    *(
        at(
            j.softmax_focal_loss,
            f"no_strength_{kind}",
            {"logits": [P - ONE], "gamma": np.log(1 - P[1]) * NLL[1]},
            **row,
            gamma=0.0,
        )
        for kind, row in (("hard", ROW), ("soft", HOT))
    ),
    *(
        at(
            j.generalized_cross_entropy,
            f"{kind}_{q}",
            {"logits": [P - ONE if q == 0 else BENT], "q": slope},
            **row,
            q=q,
        )
        for kind, row in (("hard", ROW), ("soft", HOT))
        for q, slope in ((0.0, -(NLL[1] ** 2) / 2), (1.0, P[1] * NLL[1] - (1 - P[1])))
    ),
    at(
        j.poly1_cross_entropy,
        "minus_one",
        {"logits": [(1 - P[1]) * (P - ONE)], "epsilon": 1 - P[1]},
        **ROW,
        epsilon=-1.0,
    ),
    at(
        j.symmetric_cross_entropy,
        "nothing",
        {"logits": [[0, 0, 0]], "alpha": NLL[1], "beta": 4 * (1 - P[1])},
        **ROW,
        alpha=0.0,
        beta=0.0,
    ),
    at(j.taylor_cross_entropy, "first_term", {"logits": [BENT]}, **ROW, order=1),
    at(j.bi_tempered_logistic_loss, "temperatures_of_one", {"logits": [P - ONE]}, **ROW, t1=1.0, t2=1.0),
    at(
        j.sigmoid_focal_loss,
        "no_strength",
        {
            "logits": sigmoid([0.5, 0.5]) - [1, 0],
            "gamma": sum(np.log(q) * -np.log(1 - q) for q in sigmoid([-0.5, 0.5])),
        },
        logits=[0.5, 0.5],
        labels=[1.0, 0],
        gamma=0.0,
    ),
    at(
        j.sigmoid_focal_loss,
        "all_positive",
        {"logits": [sigmoid(0.5) - 1, 0], "alpha": np.log1p(np.exp(-0.5)) - np.log1p(np.exp(0.5))},
        logits=[0.5, 0.5],
        labels=[1.0, 0],
        gamma=0.0,
        alpha=1.0,
    ),
    at(
        j.asymmetric_loss,
        "nothing_clipped",
        {"logits": sigmoid([0.5, 0.5]) - [1, 0]},
        logits=[0.5, 0.5],
        labels=[1.0, 0],
        gamma_positive=0.0,
        gamma_negative=0.0,
        clip=0.0,
    ),
    at(j.asymmetric_loss, "all_clipped", {"logits": [0], "clip": 0}, logits=[0.5], labels=[0.0], clip=1.0),
    at(
        j.distillation_loss,
        "temperature_of_one",
        {"logits": [P - 1 / 3]},
        logits=[Z],
        teacher_logits=[[0.0, 0, 0]],
        temperature=1.0,
    ),
    at(
        j.distillation_loss,
        "very_hot",
        {"logits": [np.array(Z) / 3]},
        logits=[Z],
        teacher_logits=[[0.0, 0, 0]],
        temperature=1e6,
    ),
    # variances, shapes, powers, counts
    at(
        j.gaussian_nll_loss,
        "no_variance",
        {"predictions": [200], "variance": [0.5 * (100 - 4e4)], "eps": 0},
        **errors(2),
        variance=[0.0],
        eps=0.01,
    ),
    *(
        at(
            j.gaussian_nll_loss,
            f"beta_of_{beta}",
            {"predictions": [0.5 * 4.0**beta], "beta": 0.5 * (np.log(4) + 1) * np.log(4) * 4.0**beta},
            **errors(2),
            variance=4.0,
            beta=float(beta),
        )
        for beta in (0, 1)
    ),
    *(
        at(
            j.general_robust_loss,
            f"alpha_of_{alpha}",
            {"predictions": [slope]},
            **errors(2),
            alpha=alpha,
        )
        for alpha, slope in ((2.0, 2), (1.0, 2 / 5**0.5), (0.0, 2 / 3), (-2.0, 2 / 4), (-INF, 2 * np.exp(-2)))
    ),
    at(
        j.general_robust_loss,
        "slope_in_alpha_at_zero",
        {"alpha": near(lambda a: float(formulas.barron(2.0, 0.0, a)), 0.0)},
        **errors(2),
        alpha=0.0,
    ),
    at(j.charbonnier_loss, "zero", {"predictions": [0], "scale": 1}, **errors(0), scale=0.5),
    at(j.gaussian_crps_loss, "no_scale", {"predictions": [1], "scale": -(np.pi**-0.5)}, **errors(2), scale=1e-30),
    at(j.gaussian_crps_loss, "far", {"predictions": [1], "scale": -(np.pi**-0.5)}, **errors(1e30), scale=1.0),
    *(
        at(
            j.tweedie_deviance_loss,
            f"power_of_{power}",
            {
                "predictions": [-2 / 2.0**power],
                "labels": [slope],
                "power": near(lambda r: float(formulas.tweedie(2.0, 3.0, r)), float(power)),
            },
            predictions=[2.0],
            labels=[3.0],
            power=float(power),
        )
        for power, slope in ((0, 2), (1, 2 * np.log(1.5)), (2, 2 * (1 / 2 - 1 / 3)), (3, 1 / 4 - 1 / 9))
    ),
    at(
        j.tweedie_deviance_loss,
        "label_of_zero",
        {"predictions": [2 * 2**0.5, 4], "labels": [-4 * 2**0.5, -8]},
        predictions=[2.0, 4],
        labels=[0.0, 0],
        power=0.5,
    ),
    at(
        j.poisson_nll_loss,
        "no_count",
        {"predictions": [np.exp(0.5)], "labels": [-0.5 - np.euler_gamma]},
        predictions=[0.5],
        labels=[0.0],
        full=True,
    ),
    at(j.poisson_nll_loss, "no_rate", {"predictions": [1]}, predictions=[0.0], labels=[0.0], log_input=False),
    at(j.poisson_nll_loss, "log_of_no_rate", {"predictions": [0]}, predictions=[-INF], labels=[0.0]),
    at(
        j.negative_binomial_nll_loss,
        "no_dispersion",
        {"predictions": [-0.5], "dispersion": -2 + 6 - 3},
        predictions=[2.0],
        labels=[3.0],
        dispersion=0.0,
    ),
    at(
        j.negative_binomial_nll_loss,
        "no_count_and_no_mean",
        {"predictions": [1], "dispersion": 0},
        predictions=[0.0],
        labels=[0.0],
        dispersion=0.5,
    ),
    # shares of quantiles, norms
    *(
        at(
            j.quantile_loss,
            f"quantile_of_{q}",
            {"predictions": [1 - q, -q], "quantile": 1},
            **errors(2, -3),
            quantile=float(q),
        )
        for q in (0, 1)
    ),
    *(
        at(
            j.expectile_loss,
            f"expectile_of_{q}",
            {"predictions": [4 * (1 - q), -6 * q], "expectile": 5},
            **errors(2, -3),
            expectile=float(q),
        )
        for q in (0, 1)
    ),
    *(
        at(j.triplet_margin_loss, f"norm_{p}", {"positives": [slope]}, **triplet([0.0, 0], [3, -4], [0, 0]), p=p)
        for p, slope in ((1, [1, -1]), (2, [0.6, -0.8]), (INF, [0, -1]))
    ),
    at(j.ensemble_crps_loss, "one_member", {"predictions": [[1]]}, predictions=[[2.0]], labels=[0.0]),
    at(j.coral_loss, "ends", {"logits": [[0.5, 0.5], [-0.5, -0.5]]}, logits=[[0.0, 0]] * 2, labels=[0, 2]),
]


@functools.cache
def both(loss: Callable[..., Any], ways: tuple[Any, ...], **choices: Any) -> Callable[..., Any]:
    """Compiled once for rows of the same shapes."""

    @jax.jit
    def both(x, held):
        f = lambda x: loss(**held, **choices, **x, reduction="sum")  # noqa: E731
        return jax.grad(f)(x), jax.jacfwd(f)(x), [second(x) for way in ways for second in seconds(way(f))]

    return both


@pytest.mark.thin(6)
@pytest.mark.parametrize("row", KINKS + EDGES, ids=lambda row: row.id)
def test_kinks_and_edges(row):
    """In both modes; and no second derivative is NaN, in any mode, nor where the loss comes out of a scan."""
    choices = {name: x for name, x in row.arguments.items() if name in ("p", "order", "swap", "full", "log_input")}
    arrays = {name: np.asarray(x) for name, x in row.arguments.items() if name not in choices}
    arrays = {name: x.astype(np.float32) if real(x) else x for name, x in arrays.items()}
    held = {name: x for name, x in arrays.items() if name not in row.slopes}
    x = cast({name: arrays[name] for name in row.slopes}, jnp.float32)
    ways = (plainly,) if row.id in LOST_IN_A_SCAN else (plainly, scanned)
    reverse, forward, second = both(row.loss, ways, **choices)(x, held)
    for name, expected in row.slopes.items():
        for found in (reverse[name], forward[name]):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6, err_msg=name)
        assert not any(np.any(np.isnan(way[name])) for way in second), name


# Of these JAX divides by a square that is 0 where a scan loses the rule of `quotient`.
LOST_IN_A_SCAN = {"binary_cross_entropy-sure_and_right", "gaussian_crps_loss-no_scale"}


LOG_P, SHARES = np.log([0.5, 0.3, 0.2]), np.array([0.2, 0.5, 0.3])
# Where a rule takes another branch, a random point never is: ties, limits, options at which a formula changes.
BENDS = {
    **{
        f"{loss.__name__}_{kind}_{'_'.join(map(str, tied))}": (
            lambda z, *values, loss=loss, options=options, label=label: loss(z, label, **dict(zip(options, values))),
            (np.array(tied, float), *options.values()),
        )
        for loss, options in (
            (j.cross_entropy, {"label_smoothing": 0.2}),
            (j.poly1_cross_entropy, {"epsilon": 1.0, "label_smoothing": 0.2}),
            (j.softmax_focal_loss, {"gamma": 2.0}),
            (j.generalized_cross_entropy, {"q": 0.7}),
        )
        for kind, label in (("hard", np.int32(0)), ("soft", SHARES))
        for tied in ((0, 0, 0), (1, 1, 0))
    },
    "renyi_of_order_one": (lambda y, alpha: j.renyi_divergence(LOG_P, y, alpha=alpha), (SHARES, 1.0)),
    "class_balanced_at_a_half": (
        lambda beta: jnp.sum(jnp.square(j.class_balanced_weights(np.array([1.0, 3, 10]), beta=beta))),
        (0.5,),
    ),
    "general_robust": (lambda p, alpha: j.general_robust_loss(p, 1.0, alpha=alpha), (np.array(1.0), 1.0)),
    "msle_far_below": (lambda p: j.msle_loss(p, 1e17), (np.array(0.0),)),
}


@pytest.mark.thin(6)
@pytest.mark.parametrize("name", BENDS)
def test_curvature_where_a_rule_bends(name, x64):
    """Against differences of the gradient, which others check, in every mode and where the loss comes out of a scan."""
    f, point = BENDS[name]
    point = jax.tree.map(jnp.float64, point)
    argnums = tuple(range(len(point)))
    gradient = jax.jit(jax.grad(f, argnums))

    @jax.jit
    def hessians(*x):
        return [way(jax.grad(f, argnums), argnums)(*x) for f in (f, scanned(f)) for way in (jax.jacfwd, jax.jacrev)]

    def differences(name, index, step=1e-5):
        up, down = (
            [jnp.asarray(x).at[index].add(s) if i == name else x for i, x in enumerate(point)] for s in (step, -step)
        )
        return [(a - b) / (2 * step) for a, b in zip(gradient(*up), gradient(*down))]

    for found in hessians(*point):
        for argument, x in enumerate(point):
            for index in np.ndindex(x.shape):
                expected = differences(argument, index)
                for row, wanted in zip(found, expected):
                    np.testing.assert_allclose(row[argument][(..., *index)], wanted, rtol=1e-5, atol=1e-6)


def plainly(f):
    return f


def scanned(f):
    """There the value is differentiated by its body, rules or not."""

    def through(*x):
        return jnp.sum(lax.scan(lambda _, x: (None, f(*x)), None, jax.tree.map(lambda x: x[None], x))[1])

    return through


def seconds(f):
    """The Hessian times a vector of ones, forward and reverse over reverse."""
    ones = functools.partial(jax.tree.map, jnp.ones_like)
    yield lambda x: jax.jvp(jax.grad(f), (x,), (ones(x),))[1]
    yield jax.grad(lambda x: sum(map(jnp.sum, jax.tree.leaves(jax.grad(f)(x)))))
