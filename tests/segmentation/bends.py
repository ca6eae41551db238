"""Kinks of losses of regions, and edges of their domains: with the derivatives there."""

from __future__ import annotations

import jaxloss

from ..harness.bends import at


KINKS = [
    at(  # the smallest size, of classes that are as large, moves with each by half
        jaxloss.generalized_dice_loss,
        "sizes_tie",
        {"probs": [[[-1 / 16, -1 / 16]]], "labels": [[[-1 / 16, -1 / 16]]]},
        probs=[[[0.5, 0.5]]],
        labels=[[[0.5, 0.5]]],
    ),
    # Of pixels whose errors are equal the first comes first.
    at(jaxloss.lovasz_softmax_loss, "ties", {"probs": [[[0.5], [-0.5]]]}, probs=[[[0.5], [0.5]]], labels=[[[0], [1]]]),
    at(jaxloss.lovasz_softmax_loss, "right", {"probs": [[[-1], [0]]]}, probs=[[[1.0], [0]]], labels=[[[1], [0]]]),
    at(jaxloss.lovasz_hinge_loss, "corner", {"scores": [[0, 0]]}, scores=[[1.0, -1]], labels=[[1, -1]]),
    # In a signal of one pixel nothing is opened away, and so nothing is left of it for a skeleton.
    at(jaxloss.cldice_loss, "one_pixel", {"probs": [[[0]]]}, probs=[[[0.5]]], labels=[[[1]]]),
    at(jaxloss.lovasz_hinge_loss, "ties", {"scores": [[-1, 0]]}, scores=[[0.0, 0]], labels=[[1, -1]]),
]
