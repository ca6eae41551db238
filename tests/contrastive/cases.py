"""Losses of embeddings: each as the tests call it."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness.case import BAD_CLASS, Argument, Case, classes, normal, on_a_grid, signs
from ..harness.formulas import held
from . import formulas


BAD_SIGN = tuple(("labels", value, f"labels must be -1 or 1, or bool, got {value}") for value in (0.0, 0.5))
PAIRS = {"embeddings_a": normal(4), "embeddings_b": normal(4)}
IN_BATCH = {"members": (), "kept": (0,), "meeting": True}


def names(rng: np.random.Generator) -> np.ndarray:
    """Labels of which one is alone."""
    return rng.permutation([7, 7, 7, 9, 9, 9, 3, 4]).astype(np.int32)


BATCHES = {"embeddings": normal(4), "labels": Argument("name", names)}
GRIDS = {**BATCHES, "embeddings": on_a_grid(4)}
WHOLE_BATCH = {**IN_BATCH, "pooled": True}
PROXIES = np.random.default_rng(8).normal(size=(6, 4)).astype(np.float32)
KERNEL = np.random.default_rng(5).normal(size=(4, 6)).astype(np.float32)
CENTERS = np.random.default_rng(6).normal(size=(4, 6, 3)).astype(np.float32)
CLASSIFIED = {"embeddings": normal(4), "labels": classes(6)}
VIEWS = {"logits": normal(2, 6), "teacher_logits": normal(2, 6)}
TEACHING = {"members": (2,), "kept": (0, 1), "meeting": True, "split": False, "smooth": True}
CENTER = np.linspace(-0.5, 0.5, 6, dtype=np.float32)
MORE_ROWS = np.random.default_rng(7).normal(size=(5, 4)).astype(np.float32)

REFS = {
    "ref_embeddings": np.random.default_rng(8).normal(size=(7, 4)).astype(np.float32),
    "ref_labels": np.array([3, 3, 7, 9, 9, 8, 7], np.int32),
    "ref_mask": np.array([True, False, True, True, True, True, False]),
}

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
        jaxloss.ntxent_loss,
        BATCHES,
        formulas.ntxent,
        {"temperature": 0.4},
        formulas.with_positive,
        smooth=True,
        **IN_BATCH,
    ),
    Case(
        jaxloss.supcon_loss,
        BATCHES,
        formulas.supcon,
        {"temperature": 0.4, **REFS},
        formulas.with_positive,
        smooth=True,
        **IN_BATCH,
    ),
    Case(
        jaxloss.multi_similarity_loss,
        BATCHES,
        formulas.multi_similarity,
        {"alpha": 1.5, "beta": 10.0, "base_similarity": 0.3},
        smooth=True,
        **IN_BATCH,
    ),
    Case(
        jaxloss.circle_loss,
        GRIDS,
        formulas.circle,
        {"gamma": 4.0, "margin": 0.375},
        formulas.with_both,
        smooth=True,
        **IN_BATCH,
    ),
    *(
        Case(
            jaxloss.batch_triplet_loss,
            BATCHES,
            lambda *arguments, **options: formulas.triplets(*arguments, **options)[0],
            {"margin": 0.5, "mining": mining, **options},
            lambda *arguments, **options: formulas.triplets(*arguments, **options)[1],
            near_kinks=True,
            name=mining,
            **IN_BATCH,
        )
        for mining, options in {"hard": {}, "semihard": {}, "all": {"smooth": True}}.items()
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
        CLASSIFIED,
        formulas.proxy_anchor,
        {"proxies": PROXIES, "margin": 0.2, "alpha": 2.0},
        bad=BAD_CLASS,
        smooth=True,
        **WHOLE_BATCH,
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
    *(
        Case(loss, BATCHES, formula, {"normalize": False, **REFS}, counts, name="references", **IN_BATCH)
        for loss, formula, counts in [
            (jaxloss.ntxent_loss, formulas.ntxent, formulas.with_positive),
            (jaxloss.multi_similarity_loss, formulas.multi_similarity, None),
        ]
    ),
    Case(
        jaxloss.supcon_loss,
        BATCHES,
        formulas.supcon,
        {"normalize": False},
        formulas.with_positive,
        name="products",
        **IN_BATCH,
    ),
    Case(
        jaxloss.multi_similarity_loss,
        BATCHES,
        formulas.multi_similarity,
        {"mining_margin": 0.1},
        near_kinks=True,
        name="mined",
        **IN_BATCH,
    ),
    Case(
        jaxloss.circle_loss,
        GRIDS,
        formulas.circle,
        {
            "gamma": 0.5,
            "margin": 0.5,
            "normalize": False,
            **REFS,
            "ref_embeddings": held(REFS["ref_embeddings"]).astype(np.float32),
        },
        formulas.with_both,
        name="references",
        **IN_BATCH,
    ),
    *(
        Case(
            jaxloss.batch_triplet_loss,
            BATCHES,
            lambda *arguments, **options: formulas.triplets(*arguments, **options)[0],
            {"mining": mining, **REFS},
            lambda *arguments, **options: formulas.triplets(*arguments, **options)[1],
            near_kinks=True,
            name=f"{mining}, references",
            **IN_BATCH,
        )
        for mining in ("hard", "semihard", "all")
    ),
]
