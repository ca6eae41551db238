"""Kinks of classification, and edges of domains and options: with the derivatives there."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

import jaxloss

from ..harness.bends import at, sigmoid, softmax


SHARES = np.array([0.2, 0.5, 0.3])
Z = [1.0, 0.0, -1.0]
P = softmax(*Z)
NLL = -np.log(P)
ONE = np.array([0, 1, 0])  # the label of the rows below
ROW = {"logits": [Z], "labels": [1]}
HOT = {"logits": [Z], "labels": [[0.0, 1, 0]]}
BENT = P[1] * (P - ONE)  # the gradient of 1 - p
TINY = float(np.finfo(np.float32).tiny)


KINKS = [
    at(
        jaxloss.asymmetric_loss,
        "clip",
        {"logits": [0]},
        logits=[0.0],
        labels=[0.0],
        gamma_positive=0.0,
        gamma_negative=0.0,
        clip=0.5,
    ),
    at(
        jaxloss.bi_tempered_logistic_loss,
        "edge_of_the_tail",
        {"logits": [[0, 0]]},
        logits=[[0.0, -2]],
        labels=[0],
        t1=0.2,
        t2=0.5,
    ),
]
EDGES = [
    at(
        jaxloss.binary_cross_entropy,
        "sure_and_right",
        lost_in_a_scan=True,
        slopes={"probs": [1, -1], "labels": [-np.log(TINY), np.log(TINY)]},
        probs=[0.0, 1],
        labels=[0.0, 1],
    ),
    at(
        jaxloss.binary_cross_entropy,
        "sure_and_wrong",
        {"probs": [-1 / TINY, 1 / TINY]},
        probs=[0.0, 1],
        labels=[1.0, 0],
    ),
    at(
        jaxloss.softmax_entropy,
        "ruled_out",
        {"logits": [[*(-P * (np.log(P) + np.sum(P * NLL))), 0], [0, 0, 0, 0]]},
        logits=[[*Z, -np.inf], [-np.inf] * 4],
    ),
    at(jaxloss.nll_loss, "ruled_out", {"log_probs": [[0, -1]]}, log_probs=[[-np.inf, 0.0]], labels=[1]),
    at(jaxloss.nll_loss, "ruled_out_soft", {"log_probs": [[0, -1]]}, log_probs=[[-np.inf, 0.0]], labels=[[0.0, 1]]),
    at(
        jaxloss.cross_entropy,
        "no_smoothing",
        {"logits": [P - ONE], "label_smoothing": NLL.mean() - NLL[1], "z_loss": np.log(np.exp(Z).sum()) ** 2},
        **ROW,
        label_smoothing=0.0,
        z_loss=0.0,
    ),
    at(
        jaxloss.cross_entropy,
        "all_smoothing",
        {"logits": [P - 1 / 3], "label_smoothing": NLL.mean() - NLL[1]},
        **ROW,
        label_smoothing=1.0,
    ),
    at(
        jaxloss.asymmetric_loss,
        "below_the_clip",
        {"logits": [0, sigmoid(1) - 1], "gamma_negative": 0, "clip": 0},
        logits=[-4.0, 1],
        labels=[0.0, 1],
        gamma_positive=0.0,
        gamma_negative=4.0,
        clip=0.05,
    ),
    at(
        jaxloss.binary_cross_entropy_with_logits,
        "no_positive_weight_and_sure",
        {"logits": [0], "labels": [0]},
        logits=[-np.inf],
        labels=[0.0],
        pos_weight=0.0,
    ),
    at(jaxloss.poly1_cross_entropy, "all_smoothing", {"logits": [P - 1 / 3]}, **ROW, epsilon=0.0, label_smoothing=1.0),
    at(
        jaxloss.linear_cross_entropy,
        "all_smoothing",
        {"hidden": [P - 1 / 3], "label_smoothing": NLL.mean() - NLL[1]},
        hidden=[Z],
        kernel=np.eye(3),
        labels=[1],
        label_smoothing=1.0,
    ),
    at(
        jaxloss.binary_cross_entropy_with_logits,
        "no_smoothing",
        {"logits": [sigmoid(0.5) - 1], "label_smoothing": 0.25},
        logits=[0.5],
        labels=[1.0],
        label_smoothing=0.0,
    ),
    at(
        jaxloss.binary_cross_entropy_with_logits,
        "all_smoothing",
        {"logits": [sigmoid(0.5) - 0.5]},
        logits=[0.5],
        labels=[1.0],
        label_smoothing=1.0,
    ),
    at(
        jaxloss.binary_cross_entropy_with_logits,
        "no_positive_weight",
        {"logits": [0], "pos_weight": np.log1p(np.exp(-0.5))},
        logits=[0.5],
        labels=[1.0],
        pos_weight=0.0,
    ),
    *(
        at(
            jaxloss.softmax_focal_loss,
            f"no_strength_{kind}",
            {"logits": [P - ONE], "gamma": np.log(1 - P[1]) * NLL[1]},
            **row,
            gamma=0.0,
        )
        for kind, row in (("hard", ROW), ("soft", HOT))
    ),
    *(
        at(
            jaxloss.generalized_cross_entropy,
            f"{kind}_{q}",
            {"logits": [P - ONE if q == 0 else BENT], "q": slope},
            **row,
            q=q,
        )
        for kind, row in (("hard", ROW), ("soft", HOT))
        for q, slope in ((0.0, -(NLL[1] ** 2) / 2), (1.0, P[1] * NLL[1] - (1 - P[1])))
    ),
    at(
        jaxloss.poly1_cross_entropy,
        "minus_one",
        {"logits": [(1 - P[1]) * (P - ONE)], "epsilon": 1 - P[1]},
        **ROW,
        epsilon=-1.0,
    ),
    at(
        jaxloss.symmetric_cross_entropy,
        "nothing",
        {"logits": [[0, 0, 0]], "alpha": NLL[1], "beta": 4 * (1 - P[1])},
        **ROW,
        alpha=0.0,
        beta=0.0,
    ),
    at(jaxloss.taylor_cross_entropy, "first_term", {"logits": [BENT]}, **ROW, order=1),
    at(jaxloss.bi_tempered_logistic_loss, "temperatures_of_one", {"logits": [P - ONE]}, **ROW, t1=1.0, t2=1.0),
    at(
        jaxloss.sigmoid_focal_loss,
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
        jaxloss.sigmoid_focal_loss,
        "all_positive",
        {"logits": [sigmoid(0.5) - 1, 0], "alpha": np.log1p(np.exp(-0.5)) - np.log1p(np.exp(0.5))},
        logits=[0.5, 0.5],
        labels=[1.0, 0],
        gamma=0.0,
        alpha=1.0,
    ),
    at(
        jaxloss.asymmetric_loss,
        "nothing_clipped",
        {"logits": sigmoid([0.5, 0.5]) - [1, 0]},
        logits=[0.5, 0.5],
        labels=[1.0, 0],
        gamma_positive=0.0,
        gamma_negative=0.0,
        clip=0.0,
    ),
    at(jaxloss.asymmetric_loss, "all_clipped", {"logits": [0], "clip": 0}, logits=[0.5], labels=[0.0], clip=1.0),
    at(jaxloss.coral_loss, "ends", {"logits": [[0.5, 0.5], [-0.5, -0.5]]}, logits=[[0.0, 0]] * 2, labels=[0, 2]),
]
# Where a rule takes another branch, a random point never is: ties, and options at which a formula changes.
BENDS = [
    *(
        (
            f"{loss.__name__}_{kind}_{'_'.join(map(str, tied))}",
            lambda z, *values, loss=loss, options=options, label=label: loss(z, label, **dict(zip(options, values))),
            (np.array(tied, float), *options.values()),
        )
        for loss, options in (
            (jaxloss.cross_entropy, {"label_smoothing": 0.2}),
            (jaxloss.poly1_cross_entropy, {"epsilon": 1.0, "label_smoothing": 0.2}),
            (jaxloss.softmax_focal_loss, {"gamma": 2.0}),
            (jaxloss.generalized_cross_entropy, {"q": 0.7}),
        )
        for kind, label in (("hard", np.int32(0)), ("soft", SHARES))
        for tied in ((0, 0, 0), (1, 1, 0))
    ),
    *(
        (f"softmax_entropy_{'_'.join(map(str, tied))}", jaxloss.softmax_entropy, (np.array(tied, float),))
        for tied in ((0, 0, 0), (1, 1, 0), (1, 0, -9))
    ),
    (
        "class_balanced_at_a_half",
        lambda beta: jnp.sum(jnp.square(jaxloss.class_balanced_weights(np.array([1.0, 3, 10]), beta=beta))),
        (0.5,),
    ),
]
