"""What the pictures show is what the losses are."""

from __future__ import annotations

import functools
import importlib
import runpy
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import jaxloss
from jaxloss.plotting import plot_landscape, plot_loss

from ..harness.rows import FIRST, REDUCTIONS
from .test_docs import LOSSES, PUBLIC


DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def no_window():
    matplotlib.use("Agg")
    yield
    plt.close("all")


def check(axes, index, value, slope):
    """The curve against formulas in float64."""
    for ax, f in zip(axes, (value, slope)):
        x, y = (np.asarray(part, np.float64) for part in ax.lines[index].get_data())
        np.testing.assert_allclose(y, f(x), rtol=1e-4, atol=1e-5)


def names(axes):
    return [text.get_text() for text in axes[0].get_legend().get_texts()]


def softmax(x):
    return np.exp(x) / (np.exp(x) + 2)


def kl(p):
    return 0.6 * np.log(0.6 / p) + 0.4 * np.log(0.4 / (1 - p))


def test_several_losses_over_the_error():
    axes = plot_loss(jaxloss.mse_loss, jaxloss.l1_loss, functools.partial(jaxloss.huber_loss, delta=3.0))
    assert names(axes) == ["mse_loss", "l1_loss", "huber_loss(delta=3.0)"]
    assert [ax.get_xlabel() for ax in axes] == ["error", "error"]
    assert [ax.get_title() for ax in axes] == ["Loss", "Gradient"]
    assert axes[0].lines[0].get_xdata()[[0, 200, 400]].tolist() == [-4, 0, 4]
    check(axes, 0, np.square, lambda e: 2 * e)
    check(axes, 1, np.abs, np.sign)
    huber = lambda e: np.where(abs(e) < 3, e**2 / 2, 3 * abs(e) - 4.5)  # noqa: E731
    check(axes, 2, huber, lambda e: np.clip(e, -3, 3))


@pytest.mark.parametrize(
    ("loss", "options", "xlabel", "value", "slope"),
    [
        (
            jaxloss.binary_cross_entropy_with_logits,
            {},
            "logit",
            lambda z: np.log1p(np.exp(-z)),
            lambda z: -1 / (1 + np.exp(z)),
        ),
        (
            jaxloss.binary_cross_entropy_with_logits,
            {"label": 0},
            "logit",
            lambda z: np.log1p(np.exp(z)),
            lambda z: 1 / (1 + np.exp(-z)),
        ),
        (jaxloss.hinge_loss, {}, "score", lambda s: np.maximum(0, 1 - s), lambda s: np.where(s < 1, -1, 0)),
        (jaxloss.binary_cross_entropy, {}, "probability", lambda p: -np.log(p), lambda p: -1 / p),
        (jaxloss.hinge_embedding_loss, {}, "distance", lambda d: d, np.ones_like),
        (
            jaxloss.hinge_embedding_loss,
            {"label": -1},
            "distance",
            lambda d: np.maximum(0, 1 - d),
            lambda d: np.where(d < 1, -1, 0),
        ),
        (jaxloss.mape_loss, {"label": 2.0}, "error", lambda e: abs(e) / 2, lambda e: np.sign(e) / 2),
        (
            jaxloss.poisson_nll_loss,
            {"over": "prediction", "label": 3},
            "prediction",
            lambda z: np.exp(z) - 3 * z,
            lambda z: np.exp(z) - 3,
        ),
        (
            jaxloss.cross_entropy,
            {},
            "logit of a class",
            lambda z: np.log(np.exp(z) + 2) - z,
            lambda z: softmax(z) - 1,
        ),
        (jaxloss.cross_entropy, {"label": 1}, "logit of a class", lambda z: np.log(np.exp(z) + 2), softmax),
        (
            jaxloss.cross_entropy,
            {"label": (0.5, 0.5)},
            "logit of a class",
            lambda z: np.log(np.exp(z) + 1) - z / 2,
            lambda z: 1 / (1 + np.exp(-z)) - 0.5,
        ),
        (jaxloss.multi_margin_loss, {}, "score of a class", lambda s: np.maximum(0, 1 - s) * 2 / 3, None),
        (jaxloss.kl_divergence, {}, "probability of a class", kl, lambda p: 0.4 / (1 - p) - 0.6 / p),
        (jaxloss.nll_loss, {"label": 1}, "probability of a class", lambda p: -np.log((1 - p) / 2), None),
        (
            jaxloss.total_variation_distance,
            {"label": (0.5, 0.25, 0.125, 0.125)},
            "probability of a class",
            lambda p: abs(p - 0.5) / 2 + abs((1 - p) / 3 - 0.25) / 2 + abs((1 - p) / 3 - 0.125),
            None,
        ),
        (lambda predictions, labels: (predictions - labels) ** 4, {}, "error", lambda e: e**4, lambda e: 4 * e**3),
    ],
)
def test_the_first_argument_says_what_it_is_drawn_over(loss, options, xlabel, value, slope):
    axes = plot_loss(loss, **options)
    assert [ax.get_xlabel() for ax in axes] == [xlabel, xlabel]
    check(axes, 0, value, slope or (lambda x: (value(x + 1e-6) - value(x - 1e-6)) / 2e-6))


def test_divergences_from_probabilities_and_logarithms_in_one_picture():
    axes = plot_loss(jaxloss.total_variation_distance, jaxloss.kl_divergence)
    check(axes, 1, kl, lambda p: 0.4 / (1 - p) - 0.6 / p)


def test_over_a_function():
    distance = lambda gap: (jnp.stack([0 * gap]), jnp.stack([0 * gap]), jnp.stack([gap]))  # noqa: E731
    axes = plot_loss(jaxloss.triplet_margin_loss, over=distance, span=(0.5, 3))
    assert axes[0].get_xlabel() == "gap"
    check(axes, 0, lambda d: np.maximum(0, 1 - d), lambda d: np.where(d < 1, -1, 0))
    assert axes[0].lines[0].get_xdata()[[0, -1]].tolist() == [0.5, 3]


def test_names_in_the_legend():
    class Squared:
        def __call__(self, predictions, labels):
            return (predictions - labels) ** 2

    turned = functools.partial(jaxloss.mse_loss, 1.0)
    axes = plot_loss(
        {"half": lambda p, y: jaxloss.mse_loss(p, y) / 2, "whole": jaxloss.mse_loss}, Squared(), over="error"
    )
    assert names(axes) == ["half", "whole", "Squared"]
    check(axes, 0, lambda e: e**2 / 2, lambda e: e)
    assert names(plot_loss(turned, over=lambda y: (y,))) == ["mse_loss(1.0)"]
    far = functools.partial(jaxloss.triplet_margin_with_distance_loss, distance=jaxloss.l1_loss, margin=2.0)
    apart = lambda gap: (jnp.zeros(1), jnp.zeros(1), jnp.stack([gap]))  # noqa: E731
    assert names(plot_loss(far, over=apart)) == ["triplet_margin_with_distance_loss(distance=l1_loss, margin=2.0)"]


def test_draws_into_axes_that_are_there():
    _, own = plt.subplots(1, 2)
    assert list(plot_loss(jaxloss.l1_loss, axes=own)) == list(own)
    assert plt.get_fignums() == [1]


def test_what_does_not_fit():
    with pytest.raises(ValueError, match=r"^plot_loss: losses must be given, got none$"):
        plot_loss()
    with pytest.raises(ValueError, match=r"^plot_loss: over must be 'error', .* or a function, got 'errors'$"):
        plot_loss(jaxloss.l1_loss, over="errors")


def test_landscape():
    ax = plot_landscape(lambda slope, bias: (slope - 1) ** 2 + 4 * (bias + 0.5) ** 2, (-1, 3), (-2, 2))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("slope", "bias")
    assert (ax.get_xlim(), ax.get_ylim()) == ((-1, 3), (-2, 2))
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[1, -0.5]], atol=1e-6)
    (arrows,) = (part for part in ax.collections if isinstance(part, matplotlib.quiver.Quiver))
    downhill = -np.stack([2 * (arrows.X - 1), 8 * (arrows.Y + 0.5)], -1)
    found = np.stack([arrows.U, arrows.V], -1)
    np.testing.assert_allclose(found, downhill * 4 / 24 / np.linalg.norm(downhill, axis=-1, keepdims=True), atol=1e-6)
    values = ax.collections[0].get_array()
    assert 0 < values.min() < 1 < 25 < values.max() < 30


def test_landscape_into_axes_and_over_a_flat_or_infinite_loss():
    _, own = plt.subplots()
    assert plot_landscape(lambda a, b: jnp.where(a < 0, jnp.inf, 0 * a * b + 1.0), ax=own) is own
    plot_landscape(lambda a, b: jnp.log(jnp.abs(a)) + b)  # whose slope is infinite at 0


def test_the_package_itself_draws_nothing():
    run = "import sys, jaxloss; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", run], check=True)


def test_without_matplotlib(monkeypatch):
    for name in ("matplotlib.pyplot", "matplotlib.axes"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, "jaxloss.plotting")
    with pytest.raises(ImportError, match=r"jaxloss\.plotting needs matplotlib: pip install jaxloss\[plotting\]"):
        importlib.import_module("jaxloss.plotting")


def test_every_public_name_has_a_picture_or_a_reason_why_not():
    site = runpy.run_path(str(DOCS / "pictures.py"))
    pictures, without = site["PICTURES"], site["WITHOUT"]
    assert sorted([*pictures, *without]) == sorted(PUBLIC)
    assert not {*LOSSES} - {*pictures} - REDUCTIONS


@pytest.mark.parametrize("name", ["huber_loss", "triplet_margin_loss"])
def test_a_picture_for_a_loss_that_has_none(name):
    (case,) = (case for case in FIRST if case.loss.__name__ == name)
    caption, draw = runpy.run_path(str(DOCS / "pictures.py"))["plain"](case)
    (values, slopes), first = draw(), next(iter(case.arguments()))
    assert first in caption and values.get_xlabel() == "number"
    x, y = values.lines[0].get_data()
    arguments = case.arguments()
    for i in (0, 123, 400):
        arguments[first].flat[0] = x[i]
        np.testing.assert_allclose(y[i], case.expected(arguments)[0].mean(), rtol=1e-5)
    np.testing.assert_allclose(np.trapezoid(slopes.lines[0].get_ydata(), x), y[-1] - y[0], rtol=1e-2)
