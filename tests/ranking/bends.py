"""Kinks of losses of ranked lists, with the derivatives there."""

from __future__ import annotations

import jaxloss

from ..harness.bends import at


KINKS = [
    at(jaxloss.pairwise_hinge_loss, "corner", {"scores": [[0, 0]]}, scores=[[1.0, 0]], labels=[[1, 0]]),
    at(
        jaxloss.pairwise_quantile_loss,
        "corner",
        {"scores": [[0, 0]], "labels": [[0, 0]]},
        scores=[[1.5, 1]],
        labels=[[0.5, 0]],
    ),
    # Relevant items that tie for the first share the slope.
    at(jaxloss.approx_mrr_loss, "ties", {"scores": [[0, 0]]}, scores=[[0.0, 0]], labels=[[1, 1]]),
]
