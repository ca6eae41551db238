"""Losses of detectors: each as the tests call it."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness.case import Case, boxes
from . import formulas


BOXES = {"predictions": boxes(4, beside=1 / 16), "labels": boxes(4)}
BAD_CORNER = tuple(
    (name, value, f"{name} must be finite, and no lower corner above its upper one, got {float(value)}")
    for name in BOXES
    for value in (9, np.inf)
)


CASES = [
    Case(jaxloss.iou_loss, BOXES, formulas.iou, bad=BAD_CORNER),
    Case(jaxloss.giou_loss, BOXES, formulas.giou, bad=BAD_CORNER),
    Case(
        jaxloss.giou_loss,
        {"predictions": boxes(6, 2, axis=1, beside=1 / 16), "labels": boxes(6, 2, axis=1)},
        formulas.giou,
        {"axis": 1},
        bad=BAD_CORNER,
        name="solid",
    ),
    Case(jaxloss.diou_loss, BOXES, formulas.diou, bad=BAD_CORNER),
    Case(jaxloss.ciou_loss, BOXES, formulas.ciou, bad=BAD_CORNER),
]
