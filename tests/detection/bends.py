"""Kinks of the losses of detectors, and edges of what they are defined for: with the derivatives there."""

from __future__ import annotations

from typing import Any

import jaxloss

from ..harness.bends import at, softmax


OVERLAPS = [jaxloss.iou_loss, jaxloss.giou_loss, jaxloss.diou_loss, jaxloss.ciou_loss]


def pair(prediction: list[float], label: list[float]) -> dict[str, Any]:
    return {"predictions": [prediction], "labels": [label]}


NONE = [[0, 0, 0, 0]]
LEVEL = {"predictions": NONE, "labels": NONE}
UNIT, POINT = [0.0, 0, 1, 1], [0.5, 0.5, 0.5, 0.5]
KINKS = [
    *(at(loss, "equal", LEVEL, **pair(UNIT, UNIT)) for loss in OVERLAPS),
    *(at(loss, "equal_lines", LEVEL, **pair([0.0, 0, 1, 0], [0.0, 0, 1, 0])) for loss in OVERLAPS),
    *(at(loss, "equal_points", LEVEL, **pair(POINT, POINT)) for loss in OVERLAPS),
    # Where edges lie on each other, what is covered and what is left over share.
    at(
        jaxloss.iou_loss,
        "shared_edges",
        {"predictions": [[1 / 8, 1 / 8, -1 / 2, -1 / 8]], "labels": [[1 / 8, -1 / 8, 1 / 4, 1 / 8]]},
        **pair(UNIT, [0.0, 0, 2, 1]),
    ),
    at(jaxloss.iou_loss, "touching", LEVEL, **pair(UNIT, [1.0, 0, 2, 1])),
    at(jaxloss.giou_loss, "touching", {"predictions": [[0, 0, -1 / 2, 0]]}, **pair(UNIT, [1.0, 0, 2, 1])),
    at(
        jaxloss.distribution_focal_loss,
        "whole_numbers",  # from the bin below to the one above, of the last one to the last
        {"logits": [softmax(0, 1, 3) - [0, 1, 0], softmax(0, 1, 3) - [0, 0, 1]], "labels": [-2, -2]},
        logits=[[0.0, 1, 3]] * 2,
        labels=[1.0, 2],
    ),
    at(
        jaxloss.quality_focal_loss,
        "right",
        {"logits": [0], "labels": [0], "beta": 0},
        logits=[0.0],
        labels=[0.5],
        beta=1.0,
    ),
]
EDGES = [
    at(jaxloss.iou_loss, "apart", LEVEL, **pair(UNIT, [2.0, 0, 3, 1])),
    at(jaxloss.iou_loss, "without_area", {"predictions": NONE}, **pair(POINT, UNIT)),
    at(jaxloss.giou_loss, "apart", {"predictions": [[1 / 9, 0, -1 / 3, 0]]}, **pair(UNIT, [2.0, 0, 3, 1])),
    at(jaxloss.giou_loss, "points", {"predictions": NONE}, **pair([0.0, 0, 0, 0], [1.0, 1, 1, 1])),
    at(jaxloss.diou_loss, "points", {"predictions": [[0.5, 0.5, -0.5, -0.5]]}, **pair([0.0] * 4, [1.0] * 4)),
    at(jaxloss.ciou_loss, "apart", {"predictions": [[0.04, 0.04, -0.2, -0.04]]}, **pair(UNIT, [2.0, 0, 3, 1])),
]
