"""Losses of embeddings: each as the tests call it."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness.case import BAD_CLASS, Case, classes, normal, signs
from . import formulas


BAD_SIGN = tuple(("labels", value, f"labels must be -1 or 1, or bool, got {value}") for value in (0.0, 0.5))
PAIRS = {"embeddings_a": normal(4), "embeddings_b": normal(4)}
IN_BATCH = {"members": (), "kept": (0,), "meeting": True}
KERNEL = np.random.default_rng(5).normal(size=(4, 6)).astype(np.float32)
CENTERS = np.random.default_rng(6).normal(size=(4, 6, 3)).astype(np.float32)
CLASSIFIED = {"embeddings": normal(4), "labels": classes(6)}
VIEWS = {"logits": normal(2, 6), "teacher_logits": normal(2, 6)}
TEACHING = {"members": (2,), "kept": (0, 1), "meeting": True, "split": False, "smooth": True}
CENTER = np.linspace(-0.5, 0.5, 6, dtype=np.float32)
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
        jaxloss.arcface_loss,
        CLASSIFIED,
        formulas.arcface,
        {"kernel": KERNEL, "margin": 0.4, "scale": 3.0},
        bad=BAD_CLASS,
    ),
    Case(
        jaxloss.arcface_loss,
        {"embeddings": normal(2, 4), "labels": classes(6, 2)},
        formulas.arcface,
        {"kernel": CENTERS, "scale": 3.0},
        bad=BAD_CLASS,
        name="centers",
    ),
    Case(
        jaxloss.cosface_loss,
        CLASSIFIED,
        formulas.cosface,
        {"kernel": KERNEL, "margin": 0.2, "scale": 3.0},
        bad=BAD_CLASS,
    ),
    Case(
        jaxloss.dino_loss,
        VIEWS,
        formulas.dino,
        {"center": CENTER, "temperature": 0.5, "teacher_temperature": 0.7},
        formulas.dino_counts,
        constant=("teacher_logits", "center", "teacher_temperature"),
        **TEACHING,
    ),
]


# Options that the rows leave alone, because each row runs under every test: for those of values and derivatives.
MORE = [
    Case(jaxloss.info_nce_loss, PAIRS, formulas.info_nce, {"normalize": False}, name="products", **IN_BATCH),
    Case(jaxloss.clip_loss, PAIRS, formulas.clip, {"normalize": False}, name="products", **IN_BATCH),
    Case(jaxloss.siglip_loss, PAIRS, formulas.siglip, {"normalize": False}, name="products", **IN_BATCH),
]
