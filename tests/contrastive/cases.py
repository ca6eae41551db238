"""Losses of embeddings: each as the tests call it."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness.case import BAD_CLASS, Case, classes, normal, signs
from . import formulas


BAD_SIGN = tuple(("labels", value, f"labels must be -1 or 1, or bool, got {value}") for value in (0.0, 0.5))
PAIRS = {"embeddings_a": normal(4), "embeddings_b": normal(4)}
IN_BATCH = {"members": (), "kept": (0,), "meeting": True}
WHOLE_BATCH = {**IN_BATCH, "pooled": True}
LABELLED = {"embeddings": normal(4), "labels": classes(6)}
PROXIES = np.random.default_rng(8).normal(size=(6, 4)).astype(np.float32)
MORE_ROWS = np.random.default_rng(7).normal(size=(5, 4)).astype(np.float32)

CASES = [
    Case(
        jaxloss.contrastive_loss,
        {**PAIRS, "labels": signs()},
        formulas.contrastive,
        {"margin": 2.5, "positive_margin": 0.3},
        bad=BAD_SIGN,
    ),
    Case(
        jaxloss.contrastive_loss,
        {"embeddings_a": normal(4, 2), "embeddings_b": normal(4, 2), "labels": signs(2)},
        formulas.contrastive,
        {"axis": 1},
        bad=BAD_SIGN,
        name="axis",
    ),
    Case(
        jaxloss.info_nce_loss,
        PAIRS,
        formulas.info_nce,
        {"temperature": 0.3, "negatives": MORE_ROWS, "negatives_mask": np.arange(5) != 2},
        smooth=True,
        **IN_BATCH,
    ),
    Case(jaxloss.clip_loss, PAIRS, formulas.clip, {"logit_scale": 3.0}, smooth=True, **IN_BATCH),
    Case(
        jaxloss.siglip_loss,
        PAIRS,
        formulas.siglip,
        {"logit_scale": 3.0, "logit_bias": -2.0},
        smooth=True,
        **IN_BATCH,
    ),
    Case(
        jaxloss.vicreg_loss,
        PAIRS,
        formulas.vicreg,
        {"invariance_weight": 2.0, "variance_weight": 3.0, "covariance_weight": 0.7, "eps": 0.01},
        **WHOLE_BATCH,
    ),
    Case(
        jaxloss.barlow_twins_loss,
        PAIRS,
        formulas.barlow_twins,
        {"redundancy_weight": 0.3, "eps": 0.5},
        smooth=True,
        **WHOLE_BATCH,
    ),
    Case(
        jaxloss.proxy_anchor_loss,
        LABELLED,
        formulas.proxy_anchor,
        {"proxies": PROXIES, "margin": 0.2, "alpha": 2.0},
        bad=BAD_CLASS,
        smooth=True,
        **WHOLE_BATCH,
    ),
]


# Options that the rows leave alone, because each row runs under every test: for those of values and derivatives.
MORE = [
    Case(jaxloss.info_nce_loss, PAIRS, formulas.info_nce, {"normalize": False}, name="products", **IN_BATCH),
    Case(jaxloss.clip_loss, PAIRS, formulas.clip, {"normalize": False}, name="products", **IN_BATCH),
    Case(jaxloss.siglip_loss, PAIRS, formulas.siglip, {"normalize": False}, name="products", **IN_BATCH),
]
