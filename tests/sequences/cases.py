"""Sequences: each loss as the tests call it."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness.case import BAD_CLASS, BAD_SHARE, BATCH, Argument, Case, classes, linear_weights, normal, uniform
from . import formulas


def lengths(*each: int) -> Argument:
    assert len(each) == BATCH
    return Argument("length", lambda _: np.array(each, np.int32))


def no_blank(count: int, *shape: int) -> Argument:
    """Classes without the first."""
    return Argument("class", lambda rng: rng.integers(1, count, (BATCH, *shape)).astype(np.int32))


def out_of(name: str, count: int) -> tuple[tuple[str, int, str], ...]:
    return tuple((name, x, f"{name} must lie in [0, {count}], got {x}") for x in (count + 1, -1))


BAD_LABEL = tuple(("labels", x, f"labels must lie in [0, 4) and differ from blank, 0, got {x}") for x in (4, -1, 0))
CTC = Case(
    jaxloss.ctc_loss,
    {
        "logits": normal(6, 4),
        "labels": no_blank(4, 2),
        "logit_lengths": lengths(6, 5, 4, 6, 5, 3, 6, 4),
        "label_lengths": lengths(2, 1, 2, 2, 1, 1, 2, 2),
    },
    formulas.ctc,
    bad=(*BAD_LABEL, *out_of("logit_lengths", 6), *out_of("label_lengths", 2)),
    kept=(0,),
    smooth=True,
)
KERNEL = np.random.default_rng(7).normal(size=(6, 6)).astype(np.float32)
OF_TRANSDUCERS = {
    "labels": no_blank(6, 3),
    "logit_lengths": lengths(2, 1, 2, 2, 1, 2, 2, 1),
    "label_lengths": lengths(3, 1, 2, 3, 1, 1, 3, 2),
}
BAD_OF_TRANSDUCERS = (
    *(("labels", x, f"labels must lie in [0, 6) and differ from blank, 0, got {x}") for x in (6, -1, 0)),
    *out_of("logit_lengths", 2),
    *out_of("label_lengths", 3),
)


def cubic(x):
    return x - x**3 / 9


MOVES = np.random.default_rng(8).normal(size=(3, 3)).astype(np.float32)
BAD_TAG = tuple(("labels", x, f"labels must lie in [0, 2), got {x}") for x in (2, -1))
CASES = [
    CTC,
    Case(
        jaxloss.crf_nll_loss,
        {"logits": normal(4, 2), "labels": classes(2, 4), "lengths": lengths(4, 3, 2, 4, 1, 1, 4, 3)},
        formulas.crf,
        {"transitions": MOVES[:2, :2]},
        bad=(*BAD_TAG, *out_of("lengths", 4)),
        kept=(0,),
        smooth=True,
    ),
    Case(
        jaxloss.unlikelihood_loss,
        {"logits": normal(6), "labels": classes(6)},
        formulas.unlikelihood,
        bad=BAD_CLASS,
        smooth=True,
    ),
    Case(
        jaxloss.unlikelihood_loss,
        {"logits": normal(6, 2), "labels": uniform(6, 2)},
        formulas.unlikelihood,
        {"axis": 1},
        bad=BAD_SHARE,
        name="shares",
    ),
    Case(
        jaxloss.rnnt_loss,
        {"logits": normal(2, 4, 6), **OF_TRANSDUCERS},
        formulas.rnnt,
        bad=BAD_OF_TRANSDUCERS,
        kept=(0,),
        fixed=(3, 4),
        smooth=True,
    ),
    Case(
        jaxloss.linear_rnnt_loss,
        {"hidden_frames": normal(2, 6), "hidden_labels": normal(4, 6), **OF_TRANSDUCERS},
        formulas.linear_rnnt,
        {"kernel": KERNEL},
        bad=BAD_OF_TRANSDUCERS,
        kept=(0,),
        fixed=(3, 4),
        smooth=True,
    ),
    Case(
        jaxloss.soft_dtw_loss,
        {
            "predictions": normal(4, 2),
            "labels": normal(3, 2),
            "prediction_lengths": lengths(4, 3, 2, 4, 1, 3, 4, 2),
            "label_lengths": lengths(3, 1, 2, 3, 1, 1, 3, 2),
        },
        formulas.soft_dtw,
        bad=(*out_of("prediction_lengths", 4), *out_of("label_lengths", 3)),
        kept=(0,),
        smooth=True,
    ),
]
MORE = [
    Case(
        jaxloss.ctc_loss,
        {"logits": normal(5, 4), "labels": classes(3, 2)},
        formulas.ctc,
        {"blank": 3, "zero_infinity": True},
        kept=(0,),
        name="options",
    ),
    Case(
        jaxloss.crf_nll_loss,
        {"logits": normal(4, 3), "labels": classes(3, 4)},
        formulas.crf,
        {"transitions": MOVES, "start": linear_weights(3), "end": -linear_weights(3)},
        kept=(0,),
        name="ends",
    ),
    Case(
        jaxloss.rnnt_loss,
        {"logits": normal(4, 3, 4), "labels": classes(3, 2)},
        formulas.rnnt,
        {"blank": 3},
        kept=(0,),
        name="blank",
    ),
    Case(
        jaxloss.linear_rnnt_loss,
        {"hidden_frames": normal(5, 6), "hidden_labels": normal(3, 6), "labels": classes(5, 2)},
        formulas.linear_rnnt,
        {"kernel": KERNEL, "bias": linear_weights(6), "blank": 5, "activation": cubic, "chunk_size": 2},
        kept=(0,),
        name="options",
    ),
    Case(
        jaxloss.soft_dtw_loss,
        {"predictions": normal(4, 2), "labels": normal(4, 2)},
        formulas.soft_dtw,
        {"gamma": 0.5, "divergence": True},
        kept=(0,),
        name="divergence",
    ),
]
