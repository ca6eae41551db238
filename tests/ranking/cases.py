"""Losses of ranked lists: each as the tests call it."""

from __future__ import annotations

from typing import Any

import numpy as np

import jaxloss

from ..harness.case import Argument, Case, classes, floats, outside, positive
from . import formulas


ITEMS = 4


def spaced(low: float, high: float, kind: str = "real") -> Argument:
    """Numbers whose order in their list differences don't change."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return low + (high - low) * (rng.random(shape).argsort(-1) + rng.uniform(0.3, 0.7, shape)) / shape[-1]

    return floats(kind, draw, ITEMS)


SCORES = spaced(-2, 2)
GRADES = classes(3, ITEMS)
RELEVANCE = spaced(0, 3, "positive")
GRADED = {"scores": SCORES, "labels": GRADES}
WEIGHED = {**GRADED, "item_weights": positive(ITEMS)}
BAD_GRADE = outside(("labels", -2.0, "[0, inf)"))
BAD_RELEVANCE = outside(("labels", -0.5, "[0, inf)"), ("labels", np.inf, "[0, inf)"))
BAD_LABEL = outside(("labels", np.inf, "(-inf, inf)"))
BAD_WEIGHT = outside(("item_weights", -1.0, "[0, inf)"))
OF_LISTS: dict[str, Any] = {"members": (ITEMS,), "kept": (0,)}
OF_PAIRS: dict[str, Any] = {"label_weights": formulas.with_pair, **OF_LISTS}

CASES = [
    Case(jaxloss.pairwise_logistic_loss, GRADED, formulas.pairwise_logistic, smooth=True, **OF_PAIRS),
    Case(
        jaxloss.pairwise_logistic_loss,
        WEIGHED,
        formulas.pairwise_logistic,
        {"lambda_weights": "ndcg", "top_n": 2},
        bad=BAD_GRADE + BAD_WEIGHT,
        name="lambdarank",
        **OF_PAIRS,
    ),
    Case(jaxloss.pairwise_hinge_loss, GRADED, formulas.pairwise_hinge, {"margin": 0.7}, **OF_PAIRS),
    Case(
        jaxloss.pairwise_hinge_loss,
        WEIGHED,
        formulas.pairwise_hinge,
        {"lambda_weights": "dcg2", "top_n": 2},
        bad=BAD_GRADE + BAD_WEIGHT,
        name="lambdas",
        **OF_PAIRS,
    ),
    Case(jaxloss.pairwise_soft_zero_one_loss, GRADED, formulas.pairwise_soft_zero_one, smooth=True, **OF_PAIRS),
    Case(
        jaxloss.pairwise_soft_zero_one_loss,
        WEIGHED,
        formulas.pairwise_soft_zero_one,
        {"lambda_weights": "dcg", "top_n": 3},
        bad=BAD_GRADE + BAD_WEIGHT,
        name="lambdas",
        **OF_PAIRS,
    ),
    Case(
        jaxloss.pairwise_mse_loss,
        {"scores": SCORES, "labels": RELEVANCE},
        formulas.pairwise_mse,
        bad=BAD_LABEL,
        smooth=True,
        **OF_LISTS,
    ),
    Case(
        jaxloss.pairwise_mse_loss,
        WEIGHED,
        formulas.pairwise_mse,
        {"lambda_weights": "ndcg2", "top_n": 2},
        bad=BAD_GRADE + BAD_WEIGHT,
        name="lambdas",
        **OF_LISTS,
    ),
    Case(
        jaxloss.pairwise_quantile_loss,
        {"scores": SCORES, "labels": RELEVANCE},
        formulas.pairwise_quantile,
        {"quantile": 0.3},
        bad=BAD_LABEL,
        **OF_PAIRS,
    ),
    Case(
        jaxloss.pairwise_quantile_loss,
        WEIGHED,
        formulas.pairwise_quantile,
        {"quantile": 0.7, "squared": True, "lambda_weights": "ndcg", "top_n": 2},
        bad=BAD_GRADE + BAD_WEIGHT,
        name="expectiles",
        **OF_PAIRS,
    ),
    Case(
        jaxloss.ranking_softmax_loss,
        {"scores": SCORES, "labels": RELEVANCE},
        formulas.ranking_softmax,
        bad=BAD_RELEVANCE,
        smooth=True,
        **OF_LISTS,
    ),
    Case(
        jaxloss.poly1_softmax_loss,
        {"scores": SCORES, "labels": RELEVANCE},
        formulas.poly1_softmax,
        {"epsilon": 0.6},
        bad=BAD_RELEVANCE,
        smooth=True,
        **OF_LISTS,
    ),
    Case(
        jaxloss.unique_softmax_loss,
        {"scores": SCORES, "labels": RELEVANCE},
        formulas.unique_softmax,
        bad=BAD_RELEVANCE,
        smooth=True,
        **OF_LISTS,
    ),
    Case(
        jaxloss.unique_softmax_loss,
        WEIGHED,
        formulas.unique_softmax,
        bad=BAD_GRADE + BAD_WEIGHT,
        smooth=True,
        name="grades",
        **OF_LISTS,
    ),
    Case(jaxloss.listmle_loss, GRADED, formulas.listmle, smooth=True, **OF_LISTS),
    Case(
        jaxloss.approx_ndcg_loss,
        {"scores": SCORES, "labels": RELEVANCE},
        formulas.approx_ndcg,
        {"temperature": 0.5},
        formulas.with_gain,
        bad=BAD_RELEVANCE,
        smooth=True,
        **OF_LISTS,
    ),
    Case(
        jaxloss.approx_mrr_loss,
        GRADED,
        formulas.approx_mrr,
        {"temperature": 0.5},
        formulas.with_relevant,
        **OF_LISTS,
    ),
]

# What the rows above leave out, in values and derivatives.
MORE = [
    Case(
        jaxloss.pairwise_logistic_loss,
        GRADED,
        formulas.pairwise_logistic,
        {"lambda_weights": kind, **({} if top_n is None else {"top_n": top_n})},
        name=f"{kind}-{top_n}",
        **OF_PAIRS,
    )
    for kind, top_n in [
        ("label_diff", None),
        *((kind, n) for kind in ("dcg", "ndcg", "dcg2", "ndcg2") for n in (None, 1)),
    ]
]
