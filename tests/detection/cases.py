"""Losses of detectors: each as the tests call it."""

from __future__ import annotations

import numpy as np

import jaxloss

from ..harness import probes
from ..harness.case import BAD_SHARE, Case, bins, bits, boxes, normal, outside, uniform
from . import formulas


BOXES = {"predictions": boxes(4, beside=1 / 16), "labels": boxes(4)}
BAD_CORNER = tuple(
    (name, value, f"{name} must be finite, and no lower corner above its upper one, got {float(value)}")
    for name in BOXES
    for value in (np.inf, -np.inf)
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
    Case(
        jaxloss.distribution_focal_loss,
        {"logits": normal(6), "labels": bins(6)},
        formulas.distribution_focal,
        bad=outside(("labels", 5.5, "[0, 5]"), ("labels", -0.25, "[0, 5]")),
        probes=probes.three,
    ),
    Case(
        jaxloss.distribution_focal_loss,
        {"logits": normal(6, 2), "labels": bins(6, 2)},
        formulas.distribution_focal,
        {"axis": 1},
        bad=outside(("labels", 5.5, "[0, 5]"), ("labels", -0.25, "[0, 5]")),
        name="axis",
    ),
    Case(
        jaxloss.quality_focal_loss,
        {"logits": normal(4), "labels": uniform(4)},
        formulas.quality_focal,
        {"beta": 3.0},
        bad=BAD_SHARE,
        probes=probes.signs(0.0),
    ),
    Case(
        jaxloss.varifocal_loss,
        {"logits": normal(4), "labels": uniform(4)},
        formulas.varifocal,
        {"alpha": 0.6, "gamma": 1.5},
        bad=BAD_SHARE,
        smooth=True,
        probes=probes.signs(0.0),
    ),
    Case(
        jaxloss.varifocal_loss,
        {"logits": normal(4), "labels": bits(4)},
        formulas.varifocal,
        {"alpha": 0.6, "gamma": 1.5},
        smooth=True,
        name="background",
    ),
    Case(
        jaxloss.gaussian_focal_loss,
        {"logits": normal(4), "labels": uniform(4)},
        formulas.gaussian_focal,
        {"alpha": 1.5, "beta": 3.0},
        bad=BAD_SHARE,
        smooth=True,
        probes=probes.signs(0.0),
    ),
    Case(
        jaxloss.gaussian_focal_loss,
        {"logits": normal(4), "labels": bits(4)},
        formulas.gaussian_focal,
        {"alpha": 1.5, "beta": 3.0},
        smooth=True,
        name="peaks",
    ),
]
