"""Losses of detectors against what users would otherwise call, by the formulas of torchvision and mmdetection."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxloss

from ..harness.peers import close
from .formulas import sigmoid


pytestmark = pytest.mark.exhaustive
rng = np.random.default_rng(0)
each: Any = {"reduction": "none"}
LOW, SIZE, SHIFT, GROWTH = rng.uniform(0.1, 1, (4, 64, 2))
A = np.concatenate([LOW, LOW + SIZE], -1).astype(np.float32)
B = np.concatenate([LOW + SHIFT - 0.5, LOW + SHIFT - 0.5 + GROWTH], -1).astype(np.float32)
Z, Y = rng.normal(0, 2, (2, 64)).astype(np.float32)
Y = np.clip(Y / 4 + 0.5, 0, 1)
Y[:8], Y[8:16] = 0, 1
z, y, p = Z.astype(float), Y.astype(float), sigmoid(Z)


def torchvision(a, b, eps=0.0):
    """Its three losses of boxes, with its names."""
    (x1, y1, x2, y2), (x1g, y1g, x2g, y2g) = a.T, b.T
    xkis1, ykis1, xkis2, ykis2 = np.maximum(x1, x1g), np.maximum(y1, y1g), np.minimum(x2, x2g), np.minimum(y2, y2g)
    intsct = np.where((ykis2 > ykis1) & (xkis2 > xkis1), (xkis2 - xkis1) * (ykis2 - ykis1), 0)
    union = (x2 - x1) * (y2 - y1) + (x2g - x1g) * (y2g - y1g) - intsct
    iou = intsct / (union + eps)
    xc1, yc1, xc2, yc2 = np.minimum(x1, x1g), np.minimum(y1, y1g), np.maximum(x2, x2g), np.maximum(y2, y2g)
    area_c = (xc2 - xc1) * (yc2 - yc1)
    giou = 1 - (iou - (area_c - union) / (area_c + eps))
    diagonal = (xc2 - xc1) ** 2 + (yc2 - yc1) ** 2 + eps
    centers = ((x1 + x2) / 2 - (x1g + x2g) / 2) ** 2 + ((y1 + y2) / 2 - (y1g + y2g) / 2) ** 2
    diou = 1 - iou + centers / diagonal
    v = 4 / np.pi**2 * (np.arctan((x2g - x1g) / (y2g - y1g)) - np.arctan((x2 - x1) / (y2 - y1))) ** 2
    return giou, diou, diou + v / (1 - iou + v + eps) * v


def test_boxes():
    for loss, wanted in zip(
        (jaxloss.giou_loss, jaxloss.diou_loss, jaxloss.ciou_loss), torchvision(A.astype(float), B.astype(float))
    ):
        close(loss(A, B, **each), wanted)
        close(loss(A, B), wanted.mean())


def test_slopes_of_torchvision():
    """That version 0.29 gives, of edges that boxes share as well."""
    boxes, labels = jnp.array([[0.0, 0, 2, 2], [0, 0, 1, 1]]), jnp.array([[0.0, 0, 2, 1], [3, 0, 4, 1]])
    far = [0.07266436517, 0.03114186972, -0.17647059262, -0.03114186972]
    for loss, wanted in (
        (jaxloss.giou_loss, [[0.0625, 0.125, -0.0625, 0.25], [0.125, 0, -0.25, 0]]),
        (jaxloss.diou_loss, [[-0.0546875, 0.1953125, 0.0546875, 0.296875], far]),
        (jaxloss.ciou_loss, [[-0.04963991046, 0.19026491046, 0.04963991046, 0.30192258955], far]),
    ):
        close(jax.grad(lambda x: loss(x, labels, reduction="sum"))(boxes), wanted, rtol=1e-5)  # noqa: B023


def test_mmdetection():
    bce = np.maximum(z, 0) - z * y + np.log1p(np.exp(-abs(z)))
    close(jaxloss.quality_focal_loss(Z, Y, **each), bce * abs(p - y) ** 2)
    close(jaxloss.varifocal_loss(Z, Y, **each), bce * np.where(y > 0, y, 0.75 * p**2))
    positive, negative = -np.log(p) * (1 - p) ** 2 * (y == 1), -np.log1p(-p) * p**2 * (1 - y) ** 4
    close(jaxloss.gaussian_focal_loss(Z, Y, **each), positive + negative)
    logits, places = rng.normal(size=(64, 17)).astype(np.float32), rng.uniform(0, 15.9, 64).astype(np.float32)
    low = places.astype(int)
    costs = np.log(np.exp(logits.astype(float)).sum(-1, keepdims=True)) - logits
    two = [np.take_along_axis(costs, bin[:, None], -1)[:, 0] for bin in (low, low + 1)]
    close(
        jaxloss.distribution_focal_loss(logits, places, **each), two[0] * (low + 1 - places) + two[1] * (places - low)
    )


def test_optax():
    """Of labels 0 and 1 a quality is a focal loss."""
    hard = (Y > 0.5).astype(np.float32)
    close(jaxloss.quality_focal_loss(Z, hard, **each), optax.sigmoid_focal_loss(jnp.asarray(Z), hard, gamma=2.0))
