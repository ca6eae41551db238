"""The numbers are right: every rule of the design for value and gradient, against float64."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy

import jaxloss

from . import formulas
from .cases import CASES
from .formulas import log_normalizer, one_hot


pytestmark = pytest.mark.thin(4)
special: Any = scipy.special
stats: Any = scipy.stats
f32 = np.float32
F32, BF16, F16 = jnp.float32, jnp.bfloat16, jnp.float16
dtypes = pytest.mark.parametrize("dtype", [F32, BF16, F16], ids=lambda dtype: dtype.__name__)
all_cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
close = functools.partial(np.testing.assert_allclose, rtol=1e-5)


def each(loss, *arguments, **options):
    """Per-element losses, and the gradient of their sum with respect to the first argument in both modes."""
    first, *rest = arguments
    total = lambda x: jnp.sum(loss(x, *rest, **options, reduction="none"))  # noqa: E731
    losses = loss(*arguments, **options, reduction="none")
    reverse, forward = jax.grad(total)(first), jax.jacfwd(total)(first)
    rounding = 1e-5 if reverse.dtype == F32 else 1e-2  # each mode rounds to half precision by itself
    np.testing.assert_allclose(reverse.astype(F32), forward.astype(F32), rtol=rounding)
    return np.asarray(losses), np.asarray(reverse.astype(F32))


def both_labels(labels, count):
    """Class indices, and the same as probabilities."""
    return [jnp.asarray(labels), jnp.asarray(one_hot(np.asarray(labels), count), F32)]


# --- 1: adding a constant to all logits changes nothing -----------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"class_mask": np.array([True, True, False])}])
@pytest.mark.parametrize(("dtype", "step", "offset"), [(F32, 8, 1e8), (BF16, 1, 128), (F16, 1, 1024)])
def test_an_offset_changes_nothing(dtype, step, offset, options):
    logits = step * jnp.array([[0, 0, 1], [2, 1, 0], [0, 1, 0]], dtype)
    for labels in both_labels([0, 1, 1], 3):
        plain = each(jaxloss.cross_entropy, logits, labels, **options)
        shifted = each(jaxloss.cross_entropy, logits + jnp.asarray(offset, dtype), labels, **options)
        np.testing.assert_array_equal(shifted[0], plain[0])
        np.testing.assert_array_equal(shifted[1], plain[1])


def test_logits_alike_at_1e8_cost_log_two():
    losses, gradient = each(jaxloss.cross_entropy, jnp.array([[1e8, 1e8]]), jnp.array([0]))
    close(losses, np.log(2))
    close(gradient, [[-0.5, 0.5]])


def test_an_offset_of_shares_changes_nothing():
    arguments = {"labels": jnp.array([0.3]), "means": jnp.array([[-1.0, 1]]), "scales": jnp.array([[0.5, 0.25]])}
    f = jax.value_and_grad(lambda z: jaxloss.gaussian_mixture_nll_loss(z, **arguments))
    plain = f(jnp.array([[0.0, 8]]))
    for offset in (1e4, 1e8):
        jax.tree.map(np.testing.assert_array_equal, f(jnp.array([[0.0, 8]]) + offset), plain)
    jax.tree.map(close, f(jnp.array([[0.0, INF]])), f(jnp.array([[-INF, 0.0]])))


def test_smoothing_of_classes_that_lie_far_below():
    logits = jnp.full(10, -1e38).at[0].set(0)
    close(jaxloss.cross_entropy(logits, jnp.int32(0), label_smoothing=0.1), 9e36)
    allowed = jnp.arange(10) < 5
    close(jaxloss.cross_entropy(logits, jnp.int32(0), class_mask=allowed, label_smoothing=0.1), 8e36)


# --- 2: infinite logits -------------------------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize(
    ("logits", "label", "loss", "gradient"),
    [
        ([np.inf, 0, 0], 0, 0, [0, 0, 0]),
        ([np.inf, 0, 0], 1, np.inf, [1, -1, 0]),
        ([-np.inf, 0, 0], 1, np.log(2), [0, -0.5, 0.5]),
        ([-np.inf, 0, 0], 0, np.inf, [-1, 0.5, 0.5]),
        ([-np.inf, 0, -np.inf], 1, 0, [0, 0, 0]),
        ([np.inf, np.inf, 0], 0, np.log(2), [-0.5, 0.5, 0]),
        ([np.inf, -np.inf, 0], 0, 0, [0, 0, 0]),
    ],
)
def test_infinite_logits(dtype, logits, label, loss, gradient):
    for labels in both_labels([label], 3):
        found = each(jaxloss.cross_entropy, jnp.array([logits], dtype), labels)
        close(found[0], [loss], atol=1e-7)
        np.testing.assert_allclose(found[1], [gradient], atol=1e-3 if dtype != F32 else 1e-7)  # rounded to half


def test_a_row_of_nothing_but_ruled_out_classes_costs_infinity():
    for labels in both_labels([1], 3):
        losses, gradient = each(jaxloss.cross_entropy, jnp.full((1, 3), -jnp.inf), labels)
        assert losses == np.inf
        assert np.all(np.isfinite(gradient))


def test_label_smoothing_of_zero_leaves_ruled_out_classes_alone():
    logits = jnp.array([[-jnp.inf, 0, 0]])
    for labels in both_labels([1], 3):
        losses, gradient = each(jaxloss.cross_entropy, logits, labels, label_smoothing=0.0)
        close(losses, np.log(2))
        close(gradient, [[0, -0.5, 0.5]])
        assert jaxloss.cross_entropy(logits, labels, label_smoothing=0.1) == np.inf


@pytest.mark.parametrize("derive", [jax.jacrev, jax.jacfwd])
def test_ruled_out_class_without_probability_has_no_nan_in_the_labels_gradient(derive):
    logits, labels = jnp.array([[-jnp.inf, 0.0, 0.0]]), jnp.array([[0.0, 1.0, 0.0]])
    gradient = derive(lambda labels: jaxloss.cross_entropy(logits, labels))(labels)
    close(gradient, [[0, np.log(2), np.log(2)]])
    gradient = derive(lambda labels: jaxloss.nll_loss(jax.nn.log_softmax(logits), labels))(labels)
    close(gradient, [[0, np.log(2), np.log(2)]])


def test_nll_of_a_ruled_out_class():
    log_probs = jnp.log(jnp.array([[0.0, 0.5, 0.5], [0.0, 0.5, 0.5]]))
    for labels in both_labels([1, 0], 3):
        losses, gradient = each(jaxloss.nll_loss, log_probs, labels)
        close(losses, [np.log(2), np.inf])
        close(gradient, [[0, -1, 0], [-1, 0, 0]])


@dtypes
def test_infinite_logits_of_two_classes(dtype):
    logits = jnp.array([np.inf, -np.inf, np.inf, -np.inf], dtype)
    labels = jnp.array([1, 0, 0, 1])
    losses, gradient = each(jaxloss.binary_cross_entropy_with_logits, logits, labels)
    close(losses, [0, 0, np.inf, np.inf])
    close(gradient, [0, 0, 1, -1])
    losses, gradient = each(jaxloss.binary_cross_entropy_with_logits, logits, labels, label_smoothing=0.1)
    close(losses, np.inf)
    close(gradient, [0.05, -0.05, 0.95, -0.95], rtol=1e-2)  # rounded to half


def test_one_value_whether_differentiated_or_not_where_all_classes_are_ruled_out():
    logits = jnp.array([[-jnp.inf, -jnp.inf], [0.0, 1.0]])
    for labels in (jnp.array([[0.5, 0.5], [1.0, 0.0]]), jnp.zeros((2, 2))):
        f = lambda x, labels=labels: jaxloss.cross_entropy(x, labels, reduction="none")  # noqa: E731
        np.testing.assert_array_equal(jax.jvp(f, (logits,), (jnp.ones_like(logits),))[0], f(logits))
        assert not np.any(np.isnan(f(logits)))


@pytest.mark.parametrize("top", [np.inf, 1e20])
def test_z_loss_of_zero_is_absent(top):
    for labels in both_labels([0], 2):
        losses, gradient = each(jaxloss.cross_entropy, jnp.array([[top, 0.0]]), labels, z_loss=0.0)
        assert not np.any(losses) and not np.any(gradient)


def test_nan_stays_nan_in_loss_and_gradient():
    for labels in both_labels([0], 2):
        losses, gradient = each(jaxloss.nll_loss, jnp.array([[jnp.nan, -1.0]]), labels)
        assert np.all(np.isnan(losses)) and np.all(np.isnan(gradient))


# --- 3: small losses keep their relative accuracy -----------------------------------------------------------------


@pytest.mark.parametrize("gap", [1e-3, 0.3, 0.7, 3, 10, 20, 40, 80])
@pytest.mark.parametrize("count", [2, 3, 1000])
def test_confident_cross_entropy(gap, count):
    logits = np.zeros((2, count), np.float32)
    logits[:, 1] = gap
    labels = np.array([1, 0])
    wide = logits.astype(np.float64)
    others = (count - 1) * np.exp(-np.float64(wide[0, 1]))
    expected = np.array([np.log1p(others), log_normalizer(wide[1:], -1).item()])
    softmax = np.exp(wide - log_normalizer(wide, -1))
    slopes = softmax - one_hot(labels, count)
    slopes[0, 1] = -others / (1 + others)
    for given in both_labels(labels, count):
        losses, gradient = each(jaxloss.cross_entropy, jnp.asarray(logits), given)
        close(losses, expected)
        close(gradient, slopes)


@pytest.mark.parametrize("logit", [20.0, 60.0])
def test_confident_binary_cross_entropy(logit):
    logits, labels = jnp.array([logit, -logit]), jnp.array([1, 0])
    losses, gradient = each(jaxloss.binary_cross_entropy_with_logits, logits, labels)
    close(losses, np.exp(-logit))
    close(gradient, [-np.exp(-logit), np.exp(-logit)])


def test_small_probabilities():
    probs, labels = jnp.array([1e-9, 1e-30, 1e-30, 0.25]), jnp.array([0, 0, 1, 0])
    losses, gradient = each(jaxloss.binary_cross_entropy, probs, labels)
    wide = np.asarray(probs, np.float64)
    close(losses, [*-np.log1p(-wide[:2]), -np.log(wide[2]), -np.log1p(-0.25)])
    close(gradient, [1, 1, -1 / wide[2], 1 / 0.75])


def test_small_errors():
    error = jnp.array([1e-15])
    close(jaxloss.mse_loss(error, jnp.zeros(1)), np.float64(error[0]) ** 2)
    close(jaxloss.l1_loss(error, jnp.zeros(1)), error[0])


# --- 4: large numbers ---------------------------------------------------------------------------------------------


def test_large_errors():
    large = jnp.array([1e30, -1e30])
    losses, gradient = each(jaxloss.l1_loss, large, jnp.zeros(2))
    close(losses, 1e30)
    close(gradient, [1, -1])
    _, gradient = each(jaxloss.mse_loss, large, jnp.zeros(2))
    close(gradient, [2e30, -2e30])


def test_large_logits():
    losses, gradient = each(
        jaxloss.binary_cross_entropy_with_logits, jnp.array([1e30, -1e30, 1e30]), jnp.array([0, 1, 1])
    )
    close(losses, [1e30, 1e30, 0])
    close(gradient, [1, -1, 0])
    for labels in both_labels([1, 0], 2):
        losses, gradient = each(jaxloss.cross_entropy, jnp.array([[1e30, 0], [1e30, 0]]), labels)
        close(losses, [1e30, 0])
        close(gradient, [[1, -1], [0, 0]])


@pytest.mark.parametrize(("dtype", "cost"), [(F32, 87.336545), (BF16, 87.336545), (F16, 9.704061)])
def test_certain_and_wrong_probabilities_cost_a_finite_number_and_know_the_way(dtype, cost):
    probs, labels = jnp.array([0, 1, 0, 1], dtype), jnp.array([0, 1, 1, 0])
    losses, gradient = each(jaxloss.binary_cross_entropy, probs, labels)
    close(losses, [0, 0, cost, cost])
    least = float(jnp.finfo(dtype).tiny)
    np.testing.assert_allclose(gradient, [1, -1, -1 / least, 1 / least], rtol=1e-3)
    assert np.all(np.isfinite(gradient))


# --- 6: sums ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [BF16, F16], ids=lambda dtype: dtype.__name__)
def test_half_precision_sums_do_not_saturate(dtype):
    ones = jnp.ones(100_000, dtype)
    assert jaxloss.l1_loss(ones, jnp.zeros(100_000), reduction="sum") == 100_000
    assert jaxloss.reduce(ones, reduction="sum") == 100_000
    assert jaxloss.mse_loss(jnp.full(10, 300, dtype), jnp.zeros(10)) == 90_000


def test_long_sums_do_not_drift():
    for weights in (None, jnp.float32(0.3)):
        losses = jnp.full(100_000_000, 0.1, jnp.float32)
        total = jaxloss.reduce(losses, weights, reduction="total")
        factor = 1 if weights is None else float(weights)
        close(total.total, 1e8 * float(np.float32(0.1)) * factor, rtol=1e-6)
        close(total.weight, 1e8 * factor, rtol=1e-6)
        close(total.mean(), 0.1, rtol=1e-6)


# --- 7: signs and kinks -------------------------------------------------------------------------------------------


@all_cases
def test_never_negative(case):
    """Also where rounding could push it below zero; a log-density may lie there."""
    arguments = case.arguments(seed=5)
    first = next(iter(arguments))
    for scale in (1e-6, 1e-3, 1, 30):
        scaled = {**arguments, first: np.minimum(arguments[first] * np.float32(scale), 1 if first == "probs" else 1e30)}
        with np.errstate(invalid="ignore", divide="ignore"):
            expected, _ = case.expected(scaled)
        losses = np.asarray(case.loss(**scaled, **case.options, reduction="none"))
        assert np.all(losses[expected >= 0] >= 0)


def test_at_the_kink_the_gradient_is_zero():
    _, gradient = each(jaxloss.l1_loss, jnp.array([1.5, 0.0]), jnp.array([1.5, 0.0]))
    assert not np.any(gradient)


def test_second_derivative_of_probabilities():
    for p, y in ((0.25, 1.0), (0.75, 0.3), (0.0, 0.0), (1.0, 1.0)):
        second = jax.hessian(lambda p, y=y: jaxloss.binary_cross_entropy(p, jnp.float32(y)))(p)
        close(second, (y / p**2 if y else 0) + ((1 - y) / (1 - p) ** 2 if y < 1 else 0))


def test_second_derivative_at_logit_zero():
    second = jax.hessian(lambda z: jaxloss.binary_cross_entropy_with_logits(z, jnp.float32(1)))(0.0)
    close(second, 0.25)
    second = jax.hessian(lambda z: jaxloss.cross_entropy(z, 0))(jnp.zeros(2))
    close(second, [[0.25, -0.25], [-0.25, 0.25]])
    second = jax.hessian(lambda z: jaxloss.cross_entropy(z, jnp.array([1.0, 0])))(jnp.zeros(2))
    close(second, [[0.25, -0.25], [-0.25, 0.25]])


@pytest.mark.exhaustive
def test_second_derivatives_of_the_loss_itself():
    """Through the value as well as the gradient: the loss squared."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=4)
    softmax = np.exp(logits) / np.exp(logits).sum()
    slope = softmax - np.eye(4)[1]
    value = -np.log(softmax[1])
    expected = 2 * np.outer(slope, slope) + 2 * value * (np.diag(softmax) - np.outer(softmax, softmax))
    for label in (1, jnp.eye(4)[1]):
        square = lambda z, label=label: jaxloss.cross_entropy(z, label) ** 2  # noqa: E731
        x = jnp.asarray(logits, F32)
        for derive in (jax.hessian, lambda f: jax.jacrev(jax.grad(f)), lambda f: jax.jacfwd(jax.jacfwd(f))):
            close(derive(square)(x), expected, rtol=1e-4, atol=1e-5)


# --- 8: little data -----------------------------------------------------------------------------------------------


def test_a_single_class_costs_nothing():
    for labels in both_labels([0, 0], 1):
        losses, gradient = each(jaxloss.cross_entropy, jnp.array([[3.0], [-2.0]]), labels, label_smoothing=0.1)
        assert not np.any(losses) and not np.any(gradient)


def test_scalars():
    assert jaxloss.l1_loss(jnp.float32(3), 1) == 2
    close(jaxloss.cross_entropy(jnp.zeros(4), 2), np.log(4))
    close(jaxloss.binary_cross_entropy_with_logits(jnp.float32(0), True), np.log(2))


# --- 9: size ------------------------------------------------------------------------------------------------------


@pytest.mark.exhaustive
def test_more_than_two_to_the_31_elements():
    """The last row of 2^31 + 2^20 bool losses counts as much as the first, and so does its mask."""
    rows, count = 2**20 + 512, 2048
    ends = jnp.zeros((rows, 1), jnp.bool_).at[jnp.array([0, rows - 1])].set(True)
    total = jaxloss.reduce(jnp.broadcast_to(ends, (rows, count)), mask=ends, reduction="total")
    assert total.total == total.weight == 2 * count


# --- regression and likelihoods at their extremes -----------------------------------------------------------------


def at(loss, prediction, label, value, slope, **options):
    """A prediction and a label with the loss and its derivative in float64."""
    text = " ".join(f"{key}={option}" for key, option in options.items())
    return pytest.param(
        functools.partial(loss, **options),
        prediction,
        label,
        value,
        slope,
        id=f"{loss.__name__}-{prediction:g}-{label:g}-{text}",
    )


INF = np.inf
robust, tweedie, poisson = jaxloss.general_robust_loss, jaxloss.tweedie_deviance_loss, jaxloss.poisson_nll_loss
binomial = jaxloss.negative_binomial_nll_loss
EXTREMES = [
    at(jaxloss.huber_loss, 1e30, 0, 1e30, 1),
    at(jaxloss.huber_loss, -1e30, 0, 2e30, -2, delta=2),
    at(jaxloss.huber_loss, 1e-15, 0, 5e-31, 1e-15),
    at(jaxloss.huber_loss, INF, 0, INF, 1),
    at(jaxloss.smooth_l1_loss, 1e30, 0, 1e30, 1),
    at(jaxloss.smooth_l1_loss, 1e-3, 0, 5e-7, 1e-3),
    at(jaxloss.smooth_l1_loss, 3, 0, 3, 1, beta=0),
    at(jaxloss.smooth_l1_loss, 0, 0, 0, 0, beta=0),
    at(jaxloss.smooth_l1_loss, 1e-20, 0, 1e-20, 1, beta=1e-30),
    at(jaxloss.log_cosh_loss, 1e-4, 0, 5e-9, 1e-4),
    at(jaxloss.log_cosh_loss, -1e-8, 0, 5e-17, -1e-8),
    at(jaxloss.log_cosh_loss, 0.999, 0, np.log(np.cosh(0.999)), np.tanh(0.999)),
    at(jaxloss.log_cosh_loss, 1.001, 0, np.log(np.cosh(1.001)), np.tanh(1.001)),
    at(jaxloss.log_cosh_loss, 100, 0, 100 - np.log(2), 1),
    at(jaxloss.log_cosh_loss, 1e30, 0, 1e30, 1),
    at(jaxloss.log_cosh_loss, -INF, 0, INF, -1),
    at(jaxloss.charbonnier_loss, 0, 0, 1e-3, 0),
    at(jaxloss.charbonnier_loss, 1e30, 0, 1e30, 1),
    at(jaxloss.charbonnier_loss, -INF, 0, INF, -1),
    at(jaxloss.charbonnier_loss, 1e-25, 0, np.sqrt(2) * 1e-25, np.sqrt(0.5), scale=1e-25),
    at(jaxloss.charbonnier_loss, 1e25, 0, np.sqrt(2) * 1e25, np.sqrt(0.5), scale=1e25),
    at(jaxloss.quantile_loss, 1e30, 0, 1e29, 0.1, quantile=0.9),
    at(jaxloss.quantile_loss, -1e30, 0, 9e29, -0.9, quantile=0.9),
    at(jaxloss.quantile_loss, 2, 2, 0, 0, quantile=0.9),
    at(jaxloss.quantile_loss, INF, 0, INF, 1, quantile=0),
    at(jaxloss.quantile_loss, -INF, 0, 0, 0, quantile=0),
    at(jaxloss.quantile_loss, INF, 0, 0, 0, quantile=1, huber_delta=1),
    at(jaxloss.quantile_loss, -INF, 0, INF, -1, quantile=1, huber_delta=1),
    at(jaxloss.quantile_loss, 1, 0, 0, 0, quantile=1),
    at(jaxloss.quantile_loss, -1, 0, 0.9, -0.9, quantile=0.9, huber_delta=0),
    at(jaxloss.quantile_loss, -0.5, 0, 0.9 * 0.125, -0.9 * 0.5, quantile=0.9, huber_delta=1),
    at(jaxloss.expectile_loss, 1e-15, 0, 1e-31, 2e-16, expectile=0.9),
    at(robust, 1e30, 0, 1e30, 1, alpha=1),
    at(robust, 1e30, 0, np.log(0.5) + 2 * np.log(1e30), 2e-30, alpha=0),
    at(robust, INF, 0, INF, 0, alpha=0),
    at(robust, -INF, 0, INF, -1, alpha=1),
    at(robust, INF, 0, 2, 0, alpha=-2),
    at(robust, 1e30, 0, 2, 0, alpha=-2),
    at(robust, 1e15, 0, 5e29, 1e15, alpha=2),
    at(robust, 1e-10, 0, 5e-21, 1e-10, alpha=-INF),
    at(robust, 1e30, 0, 1, 0, alpha=-INF),
    at(robust, 1e-8, 0, 5e-17, 1e-8, alpha=1e-6),
    at(robust, 1e-8, 0, 5e-17, 1e-8, alpha=1.9),
    at(robust, 3, 1, 0.5, 0.5, alpha=2, scale=2),
    at(jaxloss.mape_loss, 1e30, 1e-3, 1e33, 1e3),
    at(jaxloss.mape_loss, 5, 5, 0, 0),
    at(jaxloss.mape_loss, 1e25, 3e25, 2 / 3, -1 / 3e25),
    at(jaxloss.mape_loss, 1, 0, 100, 100, epsilon=0.01),
    at(jaxloss.smape_loss, 0, 0, 0, 0),
    at(jaxloss.smape_loss, 1e-30, 1e-30, 0, 0),
    at(jaxloss.smape_loss, 1e25, 3e25, 1, -7.5e-26),
    at(jaxloss.smape_loss, 1e-25, 3e-25, 1, -7.5e24),
    at(jaxloss.smape_loss, -1, 1e30, 2, 0),
    at(jaxloss.smape_loss, 2e38, -2e38, 2, 0),
    at(jaxloss.smape_loss, 2.3e-38, 0, 2, 0),
    at(jaxloss.msle_loss, 1e30, 0, np.log(1e30) ** 2, 2 * np.log(1e30) / 1e30),
    at(jaxloss.msle_loss, 1e-5, 0, np.log1p(1e-5) ** 2, 2 * np.log1p(1e-5) / (1 + 1e-5)),
    at(jaxloss.msle_loss, -1 + 2**-20, 0, np.log(2.0**-20) ** 2, 2 * np.log(2.0**-20) * 2**20),
    at(jaxloss.msle_loss, 1000.0625, 1000, np.log1p(0.0625 / 1001) ** 2, 2 * np.log1p(0.0625 / 1001) / 1001.0625),
    at(jaxloss.gaussian_nll_loss, 1e25, 0, 5e19 + 0.5 * np.log(1e30), 1e-5, variance=1e30),
    at(jaxloss.gaussian_nll_loss, 1, 1, 0.5 * np.log(1e-6), 0, variance=0),
    at(jaxloss.laplace_nll_loss, 1e30, 0, 1e30, 1, scale=1),
    at(jaxloss.laplace_nll_loss, 3, 3, 0, 0, scale=1),
    at(jaxloss.student_t_nll_loss, 1e15, 0, 2 * np.log(1e15) + 0.5 * np.log(np.pi / 2), 2e-15, scale=1, df=1),
    at(jaxloss.student_t_nll_loss, 3, 0, 4.5, 3, scale=1, df=1e12),
    at(jaxloss.student_t_nll_loss, 3, 0, 4.5, 3, scale=1, df=1e30),
    at(poisson, -INF, 0, 0, 0),
    at(poisson, -INF, 2, INF, -2),
    at(poisson, -INF, 0, 0, 0, full=True),
    at(poisson, 0, 0, 0, 1, log_input=False),
    at(poisson, 0, 0, 0, 1, log_input=False, full=True),
    at(poisson, 0, 2, INF, -INF, log_input=False),
    at(poisson, 1e30, 1, 1e30, 1, log_input=False),
    at(poisson, -INF, 20, INF, -20, full=True),
    at(poisson, -100, 20, 2000 + special.gammaln(21), -20, full=True),
    at(poisson, 100, 20, INF, INF, full=True),
    at(poisson, 80, 20, np.exp(80), np.exp(80), full="stirling"),
    at(poisson, 0, 20, INF, -INF, log_input=False, full=True),
    at(poisson, 1e-30, 20, 600 * np.log(10) + special.gammaln(21), -2e31, log_input=False, full=True),
    at(poisson, 1e30, 20, 1e30, 1, log_input=False, full="stirling"),
    at(binomial, 0, 0, 0, 1, dispersion=0.5),
    at(binomial, 0, 0, 0, 1, dispersion=0.5, full=True),
    at(binomial, 2, 3, 2 - 3 * np.log(2), -0.5, dispersion=0),
    at(binomial, 1e6, 0, np.log1p(1e7) / 10, 1 / (1 + 1e7), dispersion=10),
    at(binomial, 0, 20, INF, -INF, dispersion=0.5, full=True),
    at(binomial, 1e-30, 20, 600 * np.log(10) + special.gammaln(21), -2e31, dispersion=0, full=True),
    at(jaxloss.gamma_nll_loss, 1e-3, 1e3, 1e6 - np.log(1e6), (1e-3 - 1e3) / 1e-6, concentration=1),
    at(jaxloss.gamma_nll_loss, 2, 2, 0.5 * np.log(2 * np.pi) - 0.5 * np.log(1e12), 0, concentration=1e12),
    at(tweedie, -3, 2, 25, -10, power=0),
    at(tweedie, 2, 0, 4, 2, power=1),
    at(tweedie, 4, 0, 8, 1, power=1.5),
    at(tweedie, 2, -1, 2 * (2 + 8 / 3), 12, power=-1),
    at(tweedie, 1, 1 + 2**-12, 2**-24 * (1 - 2**-12 / 3 + 2**-24 / 6), -(2**-11), power=1),
    at(tweedie, 1, 1 + 2**-12, 2**-24, -(2**-11), power=0),
    at(tweedie, 3, 3, 0, 0, power=1.7),
    at(tweedie, 1e-10, 100, 4 * (100 * 1e5 - 20 + 1e-5), -200 * 1e15, power=1.5),
    at(jaxloss.gaussian_crps_loss, 1e30, 0, 1e30, 1, scale=1),
    at(jaxloss.gaussian_crps_loss, 1, 0, 1, 1, scale=1e-30),
    at(jaxloss.gaussian_crps_loss, INF, 0, INF, 1, scale=1),
    at(jaxloss.gaussian_crps_loss, 2, 2, (np.sqrt(2) - 1) / np.sqrt(np.pi), 0, scale=1),
]


@pytest.mark.parametrize(("loss", "prediction", "label", "value", "slope"), EXTREMES)
def test_extremes(loss, prediction, label, value, slope):
    losses, gradient = each(loss, jnp.array([prediction], F32), jnp.array([label], F32))
    np.testing.assert_allclose(losses, [value], rtol=1e-5, atol=1e-37)
    np.testing.assert_allclose(gradient, [slope], rtol=1e-5, atol=1e-37)


@pytest.mark.parametrize(
    ("dtype", "size"),
    [(F32, 1), (F32, 1e25), (F32, 1e-25), (BF16, 1), (BF16, 1e25), (BF16, 1e-25), (F16, 1), (F16, 1e4), (F16, 1e-3)],
)
def test_norms_of_every_size(dtype, size):
    predictions = jnp.array([[3.0, 4.0], [4.0, 3.0], [-3.0, -4.0], [4.0, -3.0]], dtype) * jnp.asarray(size, dtype)
    labels = jnp.array([[3.0, 4.0]] * 4, dtype) * jnp.asarray(size, dtype)
    p, y = (np.asarray(x.astype(F32), np.float64) for x in (predictions, labels))
    lengths = np.linalg.norm(p, axis=-1, keepdims=True), np.linalg.norm(y, axis=-1, keepdims=True)
    a, b = p / lengths[0], y / lengths[1]
    cosines = (a * b).sum(-1, keepdims=True)
    errors = np.linalg.norm(p - y, axis=-1, keepdims=True)
    away = np.divide(p - y, errors * lengths[1], where=errors > 0, out=0 * p)
    for loss, values, slopes in (
        (jaxloss.cosine_distance, 1 - cosines, (a * cosines - b) / lengths[0]),
        (jaxloss.relative_l2_loss, errors / lengths[1], away),
    ):
        close(loss(predictions, labels, reduction="none"), values[:, 0], atol=1e-7)
        for derive in (jax.jacrev, jax.jacfwd):
            gradient = derive(lambda x, loss=loss: loss(x, labels, reduction="sum"))(predictions).astype(F32)
            rounding = 1e-5 if dtype == F32 else 1e-2
            np.testing.assert_allclose(gradient * F32(size), slopes * size, rtol=rounding, atol=2e-6)


@pytest.mark.parametrize("angle", [1e-2, 1e-4, 1e-6])
def test_small_angles(angle):
    predictions, labels = jnp.array([[1.0, angle]]), jnp.array([[2.0, 0.0]])
    losses, gradient = each(jaxloss.cosine_distance, predictions, labels)
    wide = float(jnp.float32(angle))
    close(losses, 2 * np.sin(np.arctan(wide) / 2) ** 2)
    slope = np.array([[-(wide**2), wide]]) / (1 + wide**2) ** 1.5
    close(gradient, slope, atol=1e-7)  # along the vector it is the difference of two numbers near 1


def test_zero_vectors():
    zero, some = jnp.zeros((1, 3)), jnp.array([[1.0, 2.0, 3.0]])
    for a, b in ((zero, some), (some, zero), (zero, zero)):
        losses, gradient = each(jaxloss.cosine_distance, a, b)
        assert losses == 1 and not np.any(gradient)
        assert not np.any(jax.grad(lambda b, a=a: jaxloss.cosine_distance(a, b))(b))
    losses, gradient = each(jaxloss.relative_l2_loss, some, some)
    assert losses == 0 and not np.any(gradient)
    losses, gradient = each(jaxloss.relative_l2_loss, some, zero)
    assert np.all(np.isnan(losses)) and np.all(np.isnan(gradient))
    losses, gradient = each(jaxloss.relative_l2_loss, jnp.array([[3.0, 4.0]]), jnp.zeros((1, 2)), epsilon=0.5)
    close(losses, 10)
    close(gradient, [[1.2, 1.6]])
    with pytest.raises(
        ValueError, match=r"labels must have a norm above 0 unless epsilon is given, got 0.0 at index \(0,"
    ):
        jaxloss.checked(jaxloss.relative_l2_loss)(some, zero)


def test_zero_vectors_that_are_constants():
    zero, some = np.zeros((2, 3), np.float32), np.ones((2, 3), np.float32)
    assert jax.jit(lambda: jaxloss.relative_l2_loss(some, some))() == 0
    assert jax.jit(lambda: jaxloss.relative_l2_loss(zero, zero, epsilon=1.0))() == 0
    assert jax.jit(lambda: jaxloss.cosine_distance(zero, some))() == 1
    for size in (1e-25, 1e25):
        close(jax.jit(lambda size=size: jaxloss.relative_l2_loss(1.5 * some * f32(size), some * f32(size)))(), 0.5)


def test_infinite_entries_of_vectors():
    """Their norm is infinite, and they have no direction."""
    infinite, ones = jnp.array([[jnp.inf, 1.0], [1.0, 2.0]]), jnp.ones((2, 2))
    np.testing.assert_array_equal(jaxloss.relative_l2_loss(infinite, ones, reduction="none")[0], np.inf)
    losses = jaxloss.cosine_distance(infinite, ones, reduction="none")
    assert np.isnan(losses[0]) and not np.isnan(losses[1])


def slope64(f, x: float, step: float) -> float:
    return (f(x + step) - f(x - step)) / (2 * step)


def barron64(x: float, alpha: float) -> float:
    b = abs(alpha - 2)
    power = alpha / 2 * np.log1p(np.longdouble(x) ** 2 / b)
    return float(b / alpha * np.expm1(power))


@pytest.mark.parametrize(
    "alpha", [-1e9, -30, -2, -0.5, -1e-3, 1e-3, 0.5, 1, 1.49, 1.51, 1.9, 1.999, 2.001, 2.3, 2.49, 2.51, 4]
)
@pytest.mark.parametrize("x", [0.0, 1e-3, 0.1, 1.0, 3.0, 100.0, 1e4])
def test_general_robust_loss_and_its_derivatives(alpha, x):
    wide = float(jnp.float32(alpha))
    value, (by_x, by_alpha) = jax.value_and_grad(lambda x, a: robust(x, 0.0, alpha=a), (0, 1))(x, jnp.float32(alpha))
    expected = barron64(float(jnp.float32(x)), wide)
    if not np.isfinite(expected) or expected > 1e38:
        return
    close(value, expected, rtol=2e-5 if expected > 1e9 else 5e-6)  # the exponential of 20 magnifies rounding
    slope = x * np.exp((wide / 2 - 1) * np.log1p(x**2 / abs(wide - 2)))
    close(by_x, slope, rtol=2e-5, atol=1e-37)
    step = 1e-5 * max(1, abs(wide)) if abs(wide) > 0.01 else 1e-4
    near = min(step, abs(wide - 2) / 4, abs(wide) / 4)
    close(by_alpha, slope64(lambda a: barron64(x, a), wide, near), rtol=1e-3, atol=1e-6 * max(1, abs(expected)))


@pytest.mark.parametrize(("alpha", "limit"), [(0, lambda x: np.log1p(x**2 / 2)), (2, lambda x: x**2 / 2)])
@pytest.mark.parametrize("offset", [0, 1e-30, 1e-7, -1e-7, 1e-4])
def test_general_robust_loss_is_continuous(alpha, limit, offset):
    x = jnp.array([1e-4, 0.5, 3.0, 50.0])
    losses = robust(x, jnp.zeros(4), alpha=alpha + offset, reduction="none")
    np.testing.assert_allclose(losses, limit(np.asarray(x, np.float64)), rtol=3e-3 if offset == 1e-4 else 1e-5)


@pytest.mark.parametrize("derive", [jax.jacrev, jax.jacfwd])
@pytest.mark.parametrize("x", [0.0, 1e-20, 1e-3, 1.0, 1e4, 1e18, 1e25, 1e30, jnp.inf])
def test_derivative_in_alpha_is_never_nan(derive, x):
    alphas = jnp.array([-jnp.inf, -1e30, -1e9, -2, -1e-20, 0, 1e-20, 1, 1.5, 2 - 1e-6, 2, 2 + 1e-6, 2.5, 3, 1e6])
    slopes = jax.vmap(derive(lambda a: robust(jnp.float32(x), 0.0, alpha=a)))(alphas)
    assert not np.any(np.isnan(slopes))
    assert abs(slopes[0]) < 1e-12  # at -inf
    if x < 1e18:
        assert np.all(np.isfinite(slopes[alphas <= 2]))
    close(
        jax.vmap(derive(lambda a: robust(jnp.float32(1), 0.0, alpha=a)))(jnp.array([2.0])),
        0.25 * (23 * np.log(2) - 2),
        rtol=1e-2,
    )


def test_negative_binomial_becomes_poisson():
    means, counts = jnp.array([0.5, 2.0, 30.0]), jnp.array([0.0, 3.0, 25.0])
    expected = poisson(means, counts, log_input=False, reduction="none")
    for dispersion in (0.0, 1e-30, 1e-9):
        close(binomial(means, counts, dispersion=dispersion, reduction="none"), expected)
    slope = jax.vmap(jax.grad(lambda a, m, y: binomial(m, y, dispersion=a)), (None, 0, 0))(
        jnp.float32(0), means, counts
    )
    m, y = np.asarray(means, np.float64), np.asarray(counts, np.float64)
    close(slope, m * y - m**2 / 2 - y * (y - 1) / 2, rtol=1e-4)


@pytest.mark.parametrize("dispersion", [1e-6, 1e-3, 0.1, 0.13, 1.0, 50.0])
def test_negative_binomial_of_every_dispersion(dispersion):
    means, counts = np.array([0.1, 5.0, 100.0, 1e4]), np.array([1.0, 7.0, 60.0, 1.2e4])
    n = 1 / dispersion
    expected = -stats.nbinom.logpmf(counts, n, n / (n + means)) - special.gammaln(counts + 1)
    found = binomial(jnp.asarray(means, F32), jnp.asarray(counts, F32), dispersion=dispersion, reduction="none")
    np.testing.assert_allclose(found, expected, rtol=3e-6, atol=1e-6)


def test_likelihood_of_many_counts_does_not_cancel():
    counts = np.array([0.0, 1e-6, 1.0, 7.9, 8.1, 100.0, 1e5, 1e6, 1e7], f32)[:, None]
    rate = f32([0.1, 1 - 1e-4, 1.0, 1.3, 100.0]) * np.maximum(counts, 1)
    y, z = np.broadcast_to(counts, rate.shape), np.log(rate)
    x, x64 = (y, rate, z), tuple(np.float64(each) for each in (y, rate, z))
    for full in (True, "stirling"):
        close(poisson(x[2], x[0], full=full, reduction="none"), formulas.poisson(x64[2], x64[0], True, full))
        found = poisson(x[1], x[0], log_input=False, full=full, reduction="none")
        close(found, formulas.poisson(x64[1], x64[0], False, full), rtol=3e-6)
    for a in map(f32, (1e-3, 0.3, 50)):
        expected = formulas.negative_binomial(x64[1], x64[0], np.float64(a), full=True)
        close(binomial(x[1], x[0], dispersion=a, full=True, reduction="none"), expected, rtol=3e-6)


def binomial64(p, y, a, full):
    """The gradient and the Hessian of a negative binomial's loss in p, y, a."""
    n, psi = 1 / a, special.polygamma
    mean, mean_a = (1 - y / p) / (1 + a * p), (y - p) / (1 + a * p) ** 2
    mean_p = y / p**2 / (1 + a * p) - (1 - y / p) * a / (1 + a * p) ** 2
    label = np.log1p(a * p) - np.log(a * p) - psi(0, y + n) + full * psi(0, y + 1)
    by_n = np.log1p(a * p) + (y - p) / (n + p) - psi(0, y + n) + psi(0, n)
    by_n_n = 1 / (n + p) - 1 / n - (y - p) / (n + p) ** 2 - psi(1, y + n) + psi(1, n)
    label_a = -n * n * (1 / (n + p) - psi(1, y + n))
    label_y = full * psi(1, y + 1) - psi(1, y + n)
    mixed, bend = -1 / p / (1 + a * p), n**4 * by_n_n + 2 * n**3 * by_n
    return [mean, label, -n * n * by_n], [[mean_p, mixed, mean_a], [mixed, label_y, label_a], [mean_a, label_a, bend]]


@pytest.mark.exhaustive
@pytest.mark.usefixtures("compiles_fast")
@pytest.mark.parametrize("full", [False, True])
def test_derivatives_of_a_negative_binomial(full):
    rows = [(70495, 69618, 2.2154e-4), (8972.8, 9094, 1.2614e-4), (61632, 171590, 3.4776), (67545, 167790, 0.86465)]
    rows += [(8.05e-5, 2.435e-6, 1.19), (50, 40, 0.1), (5, 7.9, 0.124), (1e5, 9, 100), (3, 2e4, 0.01)]
    x = np.array(rows, f32).T
    p, y, a = np.float64(x)
    loss = lambda x: binomial(x[0], x[1], dispersion=x[2], full=full)  # noqa: E731
    derive = lambda x: (loss(x), jax.grad(loss)(x), jax.hessian(loss)(x), jax.jacrev(jax.grad(loss))(x))  # noqa: E731
    value, gradient, *hessians = jax.jit(jax.vmap(derive, 1, -1))(x)
    expected_gradient, expected = binomial64(p, y, a, full)
    if not full:  # else log(1 + y) rounds for the smallest
        close(value, formulas.negative_binomial(p, y, a), rtol=3e-6)
    close(gradient, expected_gradient, rtol=1e-5, atol=2e-6 * full)
    for hessian in hessians:
        close(hessian, expected, rtol=1e-4, atol=1e-9 * full)


def test_second_derivatives_of_a_likelihood_of_many_counts():
    for full, by_count in ((True, special.polygamma(1, 41)), ("stirling", 1 / 40 - 1 / 3200)):
        for log_input, x in ((True, np.log(50)), (False, 50.0)):
            loss = lambda x, kind=log_input, full=full: poisson(x[0], x[1], log_input=kind, full=full)  # noqa: E731
            expected = [[50, -1], [-1, by_count]] if log_input else [[40 / 2500, -1 / 50], [-1 / 50, by_count]]
            for derive in (jax.hessian, lambda f: jax.jacrev(jax.grad(f))):
                close(jax.jit(derive(loss))(np.array([x, 40], f32)), expected)


@pytest.mark.parametrize("around", [0, 1, 2])
@pytest.mark.parametrize("offset", [1e-30, 1e-6, -1e-6])
def test_tweedie_is_continuous_in_the_power(around, offset):
    means, labels = jnp.array([0.5, 2.0, 1.0, 7.0]), jnp.array([3.0, 0.25, 1.001, 7.5])
    at_it, near = (tweedie(means, labels, power=p, reduction="none") for p in (around, around + offset))
    close(near, at_it, rtol=2e-5)


@pytest.mark.parametrize("power", [-2.5, 0.3, 1.0, 1.5, 2.0, 3.0])
def test_tweedie_near_and_far(power):
    """Down to a millionth part off, and up to a million times."""
    ratio = np.array([1 + 1e-6, 1 - 1e-4, 1.01, 1.3, 0.6, 3, 0.01, 1e3, 1e6])
    labels = jnp.asarray(2 * ratio, F32)
    r = np.asarray(labels, np.longdouble) / 2
    a, b = np.longdouble(1 - power), np.longdouble(2 - power)
    log = np.log(r)
    series = sum((sum(b**j for j in range(n - 1))) * log**n / special.factorial(n) for n in range(2, 30))
    with np.errstate(divide="ignore", invalid="ignore"):
        far = r * (np.expm1(a * log) / a if a else log) - (np.expm1(b * log) / b if b else log)
    expected = 2 * 2**b * np.where(abs(log) * max(1, abs(b)) < 1, series, far)
    found, gradient = each(tweedie, jnp.full(9, 2.0), labels, power=power)
    np.testing.assert_allclose(found, expected.astype(np.float64), rtol=2e-5)
    close(gradient, (2 * np.longdouble(2) ** -power * 2 * (1 - r)).astype(np.float64))


def test_derivative_of_tweedie_in_the_power():
    """Also for labels of 0 and below."""
    for mean, label, power in ((2.0, 0.0, 1.4), (2.0, -1.0, -1.5), (2.0, 5.0, 0.0), (0.5, 3.0, 1.0), (0.5, 0.1, 2.0)):

        def f(p, mean=mean, label=label):
            first = max(label, 0) ** (2 - p) / ((1 - p) * (2 - p))
            return 2 * (first - label * mean ** (1 - p) / (1 - p) + mean ** (2 - p) / (2 - p))

        slope = jax.grad(lambda p, m=mean, y=label: tweedie(m, y, power=p))(power)
        step = 1e-3 if power in (1.0, 2.0) else 1e-5
        close(slope, slope64(f, power, step), rtol=1e-4)


def test_a_variance_below_its_floor_still_learns():
    variance = jnp.array([0.0, 1e-9, 1e-6, 4.0])
    f = lambda v, **options: jaxloss.gaussian_nll_loss(  # noqa: E731
        jnp.full(4, 0.5), jnp.zeros(4), variance=v, reduction="sum", **options
    )
    floor = np.maximum(np.asarray(variance, np.float64), 1e-6)
    slopes = 0.5 / floor - 0.125 / floor**2
    close(jax.grad(f)(variance), slopes)
    assert np.all(np.isfinite(jax.grad(lambda v: f(v, eps=1e-12))(variance)))


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_beta_weighs_by_a_variance_held_constant(beta):
    variance, error = jnp.array([0.25, 4.0]), np.array([1.5, -2.0])
    f = lambda p, v: jaxloss.gaussian_nll_loss(p, jnp.zeros(2), variance=v, beta=beta, reduction="sum")  # noqa: E731
    value, (by_p, by_v) = jax.value_and_grad(f, (0, 1))(jnp.asarray(error, F32), variance)
    v = np.asarray(variance, np.float64)
    close(value, (v**beta * 0.5 * (np.log(v) + error**2 / v)).sum())
    close(by_p, v**beta * error / v)
    close(by_v, v**beta * 0.5 * (1 / v - error**2 / v**2))


@pytest.mark.parametrize("scale", [1.0, 1e-20, 1e-30])
def test_a_component_collapses(scale):
    """Onto the label, and away from it; what the other one says still counts."""
    logits, means = jnp.array([0.5, -0.5]), jnp.array([1.0, -1.0])
    scales = jnp.array([scale, 2.0])

    def f(logits, means, scales, label):
        return jaxloss.gaussian_mixture_nll_loss(logits, label, means=means, scales=scales)

    shares = special.log_softmax([0.5, -0.5])
    for label in (1.0, -0.5):
        z = (np.array([1.0, -1.0]) - label) / np.asarray(scales, np.float64)
        terms = shares - 0.5 * z**2 - np.log(np.asarray(scales, np.float64))
        for derive in (jax.grad, jax.jacfwd):
            slopes = derive(f, (0, 1, 2))(logits, means, scales, label)
            posterior = special.softmax(terms)
            close(slopes[0], np.exp(shares) - posterior, atol=1e-7)
            close(slopes[1], posterior * z / np.asarray(scales, np.float64), atol=1e-7)
            close(slopes[2], posterior * (1 - z**2) / np.asarray(scales, np.float64), atol=1e-7)
        close(f(logits, means, scales, label), -special.logsumexp(terms), rtol=2e-6)


def test_a_label_beyond_every_component():
    logits, means = jnp.zeros(2), jnp.array([1.0, -1.0])
    f = lambda z, m, s: jaxloss.gaussian_mixture_nll_loss(z, 1e30, means=m, scales=s)  # noqa: E731
    by_logits, by_means, by_scales = jax.grad(f, (0, 1, 2))(logits, means, jnp.ones(2))
    assert np.all(np.isfinite(by_logits)) and np.all(np.isfinite(by_means)) and np.all(by_means < 0)  # toward the label
    assert np.all(by_scales == -np.inf)  # -1e60 in truth


def test_one_call_trains_many_quantiles():
    labels = jnp.asarray(np.random.default_rng(0).gumbel(size=2001), F32)
    levels = jnp.array([0.1, 0.5, 0.9])
    wide = jnp.broadcast_to(labels[:, None], (2001, 3))
    f = lambda q: jaxloss.quantile_loss(jnp.broadcast_to(q, wide.shape), wide, quantile=levels[None])  # noqa: E731
    slopes = jax.jit(jax.grad(f))(jnp.quantile(labels, levels))
    assert np.all(abs(slopes) < 1e-3)


def test_ensembles():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 7)), rng.normal(size=20)
    for fair in (False, True):
        pairs = abs(x[:, :, None] - x[:, None]).sum((1, 2)) / (2 * 7 * (7 - fair))
        expected = abs(x - y[:, None]).mean(-1) - pairs
        f = functools.partial(jaxloss.ensemble_crps_loss, fair=fair)
        close(f(jnp.asarray(x, F32), jnp.asarray(y, F32), reduction="none"), expected)
        far = f(jnp.asarray(x + 2**10, F32), jnp.asarray(y + 2**10, F32), reduction="none")
        np.testing.assert_allclose(far, expected, atol=2e-4)  # the rounding of the numbers themselves


def test_members_of_an_ensemble_that_coincide():
    """The kink of their distance has the slope 0; so have members that hit the label."""
    f = lambda x, fair=False: jaxloss.ensemble_crps_loss(x, jnp.zeros(1), fair=fair)  # noqa: E731
    assert not np.any(jax.grad(f)(jnp.zeros((1, 5))))
    slopes = jax.grad(f)(jnp.array([[1.0, 2.0, 1.0, -3.0]]))
    close(slopes, [[0.25, 0.25 - 3 / 16, 0.25, -0.25 + 3 / 16]])
    assert f(jnp.array([[1.0, 2.0, 1.0, -3.0]])) == f(jnp.array([[-3.0, 1.0, 1.0, 2.0]]))


def test_ensembles_of_one_and_none():
    one = jnp.array([[3.0]])
    assert jaxloss.ensemble_crps_loss(one, jnp.array([1.0])) == 2
    with pytest.raises(ValueError, match="predictions must have at least 2 members, got shape"):
        jaxloss.ensemble_crps_loss(one, jnp.array([1.0]), fair=True)
    with pytest.raises(ValueError, match="predictions must have at least 1 members, got shape"):
        jaxloss.ensemble_crps_loss(one[:, :0], jnp.array([1.0]))


def test_infinite_members():
    losses, gradient = each(jaxloss.ensemble_crps_loss, jnp.array([[jnp.inf, jnp.inf, 1.0]]), jnp.zeros(1))
    assert losses == np.inf
    assert np.all(np.isfinite(gradient))


def test_an_ensemble_never_holds_all_pairs():
    members, labels = jax.ShapeDtypeStruct((64, 1000), F32), jax.ShapeDtypeStruct((64,), F32)
    assert temporaries(jax.value_and_grad(jaxloss.ensemble_crps_loss), members, labels) < 64 * 1000 * 4 * 12


# --- memory -------------------------------------------------------------------------------------------------------


def temporaries(f, *arguments) -> int:
    return jax.jit(f).lower(*arguments).compile().memory_analysis().temp_size_in_bytes


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"class_weights": np.ones(32_768, np.float32)}])
def test_cross_entropy_never_holds_a_one_hot(options):
    """Forward, a hundredth of the logits, and half of one-hot's temporaries for value and gradient."""
    logits = jax.ShapeDtypeStruct((512, 32_768), F32)
    labels = jax.ShapeDtypeStruct((512,), jnp.int32)
    loss = lambda z, y: jaxloss.cross_entropy(z, y, **options)  # noqa: E731
    dense = lambda z, y: -jnp.mean(jnp.sum(jax.nn.one_hot(y, 32_768) * jax.nn.log_softmax(z), -1))  # noqa: E731
    size = 512 * 32_768 * 4
    assert temporaries(loss, logits, labels) < size / 100
    ours = temporaries(jax.value_and_grad(loss), logits, labels)
    assert ours <= temporaries(jax.value_and_grad(dense), logits, labels) / 2
    if "label_smoothing" not in options:  # whose gradient is a second term of the logits' size
        assert ours < size / 100


# --- what a review found ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "count", "dispersion"),
    [(100, 200, 1e6), (1e5, 1.01e5, 0.1), (1e5, 1.1e5, 1), (1, 1, 0.5), (1e33, 2, 1e6), (0.5, 3, 0)],
)
def test_slope_of_a_negative_binomial_does_not_cancel(mean, count, dispersion):
    m, y, a = (np.float64(np.float32(x)) for x in (mean, count, dispersion))
    slope = jax.grad(lambda p: binomial(p, jnp.float32(count), dispersion=dispersion))(jnp.float32(mean))
    close(slope, (1 - y / m) / (1 + a * m), rtol=1e-5, atol=1e-37)


def test_slope_of_general_robust_loss_in_alpha_for_small_errors():
    for x, alpha in ((0.1, 1.0), (0.1, -2.0), (0.3, 0.0), (1.0, 4.0)):
        b = np.longdouble(abs(alpha - 2))
        u = (np.linspace(0, np.longdouble(np.float32(x)), 20001)) ** 2 / b
        y = np.sqrt(u * b)
        terms = (
            0.5 * y * (1 + u) ** np.longdouble(alpha / 2 - 1) * (np.log1p(u) - u / (1 + u))
        )  # d/d alpha of the slope
        expected = ((terms[1:] + terms[:-1]) / 2 * np.diff(y)).sum()
        close(jax.grad(lambda a, x=x: robust(jnp.float32(x), 0.0, alpha=a))(alpha), float(expected), rtol=5e-4)


def test_tweedie_of_a_vanishing_mean():
    slope = jax.grad(lambda z: tweedie(jnp.exp(z), jnp.float32(0), power=1.5))(-60.0)
    close(slope, 2 * np.exp(-30.0))
    assert jax.grad(lambda p: tweedie(p, jnp.float32(1e-30), power=1.5))(1e-30) == 0


@pytest.mark.parametrize(("p", "y", "power", "value"), [(1e4, 1e-6, 5, 5e17 / 3), (1e-5, 1e6, 5, 5e25)])
def test_tweedie_of_large_powers(p, y, power, value):
    close(tweedie(jnp.float32(p), jnp.float32(y), power=power), value, rtol=1e-4)


def test_gamma_of_small_equal_numbers():
    for size in (1e-19, 1e-30):
        slopes = jax.jit(jax.grad(jaxloss.gamma_nll_loss, (0, 1)))(
            jnp.float32(size), jnp.float32(size), concentration=1.0
        )
        assert slopes == (0, 0)


def test_second_derivatives_of_tweedie_in_the_label():
    rows = [(2.129e-6, 21219.75, -1.0678), (4.53e-6, 1322.9, 3.7986), (3, 3, 1.5), (-2, 1, 0), (2, -1, -1.5)]
    x = np.array(rows, f32).T
    p, y, power = np.float64(x)
    expected = [-2 * np.where(power == 0, 1, p) ** -power, 2 * np.maximum(y, 0) ** -power]
    slope = jax.grad(lambda p, y, power: tweedie(p, y, power=power), 1)
    for mode in (jax.jacfwd, jax.jacrev):
        close(jax.jit(jax.vmap(mode(slope, (0, 1))))(*x), expected)


def test_second_derivatives_of_gamma_in_the_label():
    x = np.array([12796.6, 3.77e-6, 8.34e-4], f32)
    p, y, k = np.float64(x)
    slope = jax.grad(lambda p, y, k: jaxloss.gamma_nll_loss(p, y, concentration=k), 1)
    for mode in (jax.jacfwd, jax.jacrev):
        close(jax.jit(mode(slope, (0, 1)))(*x), [-k / p**2, k / y**2])


def test_far_outliers_of_student_t():
    f = lambda p, s: jaxloss.student_t_nll_loss(p, jnp.float32(0), scale=s, df=3.0)  # noqa: E731
    close(jax.grad(f)(1e20, 1.0), 4e-20)
    close(jax.grad(f, 1)(1e18, 1e-10), -3e10)


def test_expectiles_at_the_ends():
    large = jnp.array([1e30, -1e30])
    losses = jaxloss.expectile_loss(large, jnp.zeros(2), expectile=jnp.array([1.0, 0.0]), reduction="none")
    assert not np.any(losses)


def test_an_infinite_log_rate_costs_infinity():
    assert jax.jit(poisson)(jnp.float32(jnp.inf), jnp.float32(1)) == np.inf


def test_many_members():
    """More pairs than an int32 counts."""
    members = jnp.linspace(0, 1, 50_000)[None]
    value, slopes = jax.value_and_grad(jaxloss.ensemble_crps_loss)(members, jnp.array([0.5]))
    close(value, 1 / 12, rtol=1e-3)
    assert np.all(np.isfinite(slopes))


@pytest.mark.parametrize("derive", [jax.hessian, lambda f: jax.jacrev(jax.grad(f))])
def test_second_derivatives_at_no_count(derive):
    rate = lambda p: poisson(p, jnp.float32(0), log_input=False)  # noqa: E731
    assert derive(rate)(0.0) == 0
    close(derive(lambda p: binomial(p, jnp.float32(0), dispersion=0.5))(0.0), -0.5)


def test_bad_parameters_spoil_the_gradient():
    x = jnp.full(2, 1.0)
    for loss, options in (
        (jaxloss.smooth_l1_loss, {"beta": jnp.array([-1.0, 1.0])}),
        (jaxloss.quantile_loss, {"huber_delta": jnp.array([-1.0, 1.0])}),
        (jaxloss.quantile_loss, {"quantile": jnp.array([1.5, 0.5])}),
        (tweedie, {"power": jnp.array([jnp.inf, 1.0])}),
    ):
        gradient = jax.grad(lambda p, f=loss, o=options: f(p, 0.5 * x, **o, reduction="sum"))(x)
        np.testing.assert_array_equal(np.isnan(gradient), [True, False])


# --- derivatives in what isn't predicted, and masks of whole vectors ----------------------------------------------


def test_slopes_in_labels_and_scales():
    labels = jnp.array([0.5, 2.0, 2.001, 30.0])
    slope = jax.vmap(jax.grad(lambda y: tweedie(jnp.float32(2), y, power=1.5)))(labels)
    y = np.asarray(labels, np.float64)
    close(slope, 2 * (y**-0.5 - 2**-0.5) / -0.5, rtol=1e-5, atol=1e-7)
    for error, scale in ((3.0, 4.0), (4.0, 3.0), (-1e30, 1.0), (0.0, 2.0)):
        slope = jax.grad(lambda s, e=error: jaxloss.charbonnier_loss(e, 0.0, scale=s))(scale)
        close(slope, scale / np.hypot(error, scale))


def test_masked_vectors_leave_no_trace():
    rng = np.random.default_rng(0)
    x, y = (jnp.asarray(rng.normal(size=(3, 4)), F32) for _ in range(2))
    dirty, mask = x.at[1].set(jnp.nan), jnp.array([True, False, True])
    for loss in (jaxloss.cosine_distance, jaxloss.relative_l2_loss):
        kept = jax.value_and_grad(loss)(x[::2], y[::2])
        value, gradient = jax.value_and_grad(lambda x, f=loss: f(x, y, mask=mask))(dirty)
        close(value, kept[0])
        close(gradient[::2], kept[1])
        assert not np.any(gradient[1])
    members = jaxloss.ensemble_crps_loss(dirty, y[:, 0], mask=mask)
    close(members, jaxloss.ensemble_crps_loss(x[::2], y[::2, 0]))
    options = {"means": jnp.where(mask[:, None], y, jnp.inf), "scales": jnp.float32(1)}
    found = jaxloss.gaussian_mixture_nll_loss(dirty, y[:, 0], mask=mask, **options)
    close(found, jaxloss.gaussian_mixture_nll_loss(x[::2], y[::2, 0], means=y[::2], scales=1.0))
