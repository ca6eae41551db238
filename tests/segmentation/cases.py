"""Losses of regions and images: each as the tests call it."""

from __future__ import annotations

import functools

import numpy as np

import jaxloss

from ..harness.case import (
    BAD_CLASS,
    BAD_SHARE,
    Argument,
    Case,
    bits,
    classes,
    floats,
    linear_weights,
    normal,
    outside,
    signs,
    uniform,
)
from . import formulas


BAD_PROBS = outside(("probs", 1.5, "[0, 1]"), ("probs", -0.25, "[0, 1]"))
IMAGES = {"probs": uniform(2, 4, 6), "labels": classes(6, 2, 4)}
OF_PIXELS = {"members": (2, 4), "kept": (0, -1)}
OF_IMAGES = {"members": (2, 4), "kept": (0,)}
OPTIONS = {"smooth": 0.5, "class_weights": linear_weights(6), "ignore_index": 1, "only_present": True}
BAD_SIGN = tuple(("labels", value, f"labels must be -1 or 1, or bool, got {value}") for value in (0.0, 0.5))


def distinct(kind: str, low: float, high: float, *shape: int, axis: int | None = -1) -> Argument:
    """Numbers whose order, and that of their distances from either end, differences don't change: of each region."""

    def draw(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        pooled = tuple(place for place in range(1, len(shape)) if axis is None or place != axis % len(shape))
        order = rng.random(shape)
        count = np.prod([shape[place] for place in pooled])
        rows = np.moveaxis(order, pooled, range(-len(pooled), 0))
        ranks = rows.reshape(*rows.shape[: -len(pooled)], -1).argsort(-1).reshape(rows.shape)
        return low + (high - low) * np.moveaxis(ranks + 0.3, range(-len(pooled), 0), pooled) / count

    return floats(kind, draw, *shape)


jaccard = functools.partial(formulas.overlap, alpha=1, beta=1)

CASES = [
    Case(
        jaxloss.boundary_loss,
        {"probs": uniform(4), "labels": normal(4)},
        lambda probs, labels: probs * labels,
        bad=BAD_PROBS + outside(("labels", np.inf, "(-inf, inf)")),
        smooth=True,
    ),
    Case(jaxloss.dice_loss, IMAGES, formulas.overlap, bad=BAD_CLASS + BAD_PROBS, smooth=True, **OF_PIXELS),
    Case(
        jaxloss.dice_loss,
        IMAGES,
        formulas.overlap,
        {**OPTIONS, "squared": True},
        formulas.region_weights,
        bad=BAD_PROBS,
        smooth=True,
        name="options",
        **OF_PIXELS,
    ),
    Case(
        jaxloss.jaccard_loss,
        {"probs": uniform(6, 2, 4), "labels": uniform(6, 2, 4)},
        jaccard,
        {"axis": 1},
        bad=BAD_SHARE + BAD_PROBS,
        smooth=True,
        members=(2, 4),
        kept=(0, 1),
    ),
    Case(
        jaxloss.tversky_loss,
        IMAGES,
        formulas.overlap,
        {"alpha": 0.3, "beta": 0.7, "gamma": 0.75},
        bad=BAD_CLASS,
        smooth=True,
        **OF_PIXELS,
    ),
    Case(jaxloss.generalized_dice_loss, IMAGES, formulas.generalized, bad=BAD_CLASS, **OF_IMAGES),
    Case(
        jaxloss.generalized_dice_loss,
        {"probs": uniform(2, 4, 6), "labels": uniform(2, 4, 6)},
        formulas.generalized,
        {"power": 1.5, "smooth": 0.5, "class_weights": linear_weights(6)},
        bad=BAD_SHARE,
        name="options",
        **OF_IMAGES,
    ),
    Case(
        jaxloss.tversky_loss,
        {"probs": uniform(2, 4), "labels": uniform(2, 4)},
        formulas.overlap,
        {"axis": None, "batch_axes": 0},
        bad=BAD_SHARE,
        smooth=True,
        name="one class",
        members=(2, 4),
        kept=(0,),
    ),
    Case(
        jaxloss.lovasz_softmax_loss,
        {"probs": distinct("unit", 0, 1, 2, 4, 6), "labels": classes(6, 2, 4)},
        formulas.lovasz_softmax,
        {},
        functools.partial(formulas.region_weights, class_weights=np.ones(6), only_present=True),
        bad=BAD_CLASS + BAD_PROBS,
        **OF_PIXELS,
    ),
    Case(
        jaxloss.lovasz_softmax_loss,
        {"probs": distinct("unit", 0, 1, 4, 2), "labels": bits(4, 2)},
        formulas.lovasz_softmax,
        {"class_weights": linear_weights(2), "only_present": False},
        formulas.region_weights,
        bad=(("labels", 2, "labels must be 0 or 1, got 2.0"), *BAD_PROBS),
        name="options",
        members=(4,),
        kept=(0, -1),
    ),
    Case(
        jaxloss.lovasz_hinge_loss,
        {"scores": distinct("real", -2, 2, 2, 4, axis=None), "labels": signs(2, 4)},
        formulas.lovasz_hinge,
        bad=BAD_SIGN,
        members=(2, 4),
        kept=(0,),
    ),
    Case(
        jaxloss.cldice_loss,
        {"probs": distinct("unit", 0, 1, 2, 4, 2), "labels": classes(2, 2, 4)},
        formulas.cldice,
        {"iterations": 1},
        bad=(*outside(("labels", 2, "[0, 2)"), ("labels", -1, "[0, 2)")), *BAD_PROBS),
        **OF_PIXELS,
    ),
    Case(
        jaxloss.cldice_loss,
        {"probs": distinct("unit", 0, 1, 4, 2), "labels": distinct("unit", 0, 1, 4, 2)},
        formulas.cldice,
        {"iterations": 1, "smooth": 0.5, "class_weights": linear_weights(2)},
        formulas.region_weights,
        bad=BAD_SHARE,
        name="options",
        members=(4,),
        kept=(0, -1),
    ),
    # Windows of 2 in images of a width of 6: so that the harness's masks leave some.
    Case(
        jaxloss.ssim_loss,
        {"predictions": uniform(2, 6, 2), "labels": uniform(2, 6, 2)},
        formulas.ssim,
        {"window_size": 2},
        formulas.has_window,
        smooth=True,
        members=(2, 6),
        kept=(0, -1),
    ),
    Case(
        jaxloss.ssim_loss,
        {"predictions": normal(2, 6), "labels": normal(2, 6)},
        formulas.ssim,
        {"axis": None, "window_size": 2, "sigma": 0.8, "k1": 0.1, "k2": 0.2, "data_range": 3.0},
        formulas.has_window,
        smooth=True,
        name="options",
        members=(2, 6),
        kept=(0,),
    ),
]


# What the rows above leave out, in values and derivatives.
MORE = [
    Case(
        jaxloss.jaccard_loss,
        IMAGES,
        jaccard,
        {**OPTIONS, "squared": True},
        formulas.region_weights,
        name="options",
        **OF_PIXELS,
    ),
    Case(jaxloss.tversky_loss, IMAGES, formulas.overlap, OPTIONS, formulas.region_weights, name="options", **OF_PIXELS),
]
