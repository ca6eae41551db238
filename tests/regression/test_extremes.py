"""Regression at its extremes, against float64."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss

from ..harness.numbers import BF16, F16, F32, close, each, extreme, slope64


pytestmark = pytest.mark.thin(4)
f32 = np.float32
INF = np.inf
robust = jaxloss.general_robust_loss
EXTREMES = [
    extreme(jaxloss.huber_loss, 1e30, 0, 1e30, 1),
    extreme(jaxloss.huber_loss, -1e30, 0, 2e30, -2, delta=2),
    extreme(jaxloss.huber_loss, 1e-15, 0, 5e-31, 1e-15),
    extreme(jaxloss.huber_loss, INF, 0, INF, 1),
    extreme(jaxloss.smooth_l1_loss, 1e30, 0, 1e30, 1),
    extreme(jaxloss.smooth_l1_loss, 1e-3, 0, 5e-7, 1e-3),
    extreme(jaxloss.smooth_l1_loss, 3, 0, 3, 1, beta=0),
    extreme(jaxloss.smooth_l1_loss, 0, 0, 0, 0, beta=0),
    extreme(jaxloss.smooth_l1_loss, 1e-20, 0, 1e-20, 1, beta=1e-30),
    extreme(jaxloss.log_cosh_loss, 1e-4, 0, 5e-9, 1e-4),
    extreme(jaxloss.log_cosh_loss, -1e-8, 0, 5e-17, -1e-8),
    extreme(jaxloss.log_cosh_loss, 0.999, 0, np.log(np.cosh(0.999)), np.tanh(0.999)),
    extreme(jaxloss.log_cosh_loss, 1.001, 0, np.log(np.cosh(1.001)), np.tanh(1.001)),
    extreme(jaxloss.log_cosh_loss, 100, 0, 100 - np.log(2), 1),
    extreme(jaxloss.log_cosh_loss, 1e30, 0, 1e30, 1),
    extreme(jaxloss.log_cosh_loss, -INF, 0, INF, -1),
    extreme(jaxloss.charbonnier_loss, 0, 0, 1e-3, 0),
    extreme(jaxloss.charbonnier_loss, 1e30, 0, 1e30, 1),
    extreme(jaxloss.charbonnier_loss, -INF, 0, INF, -1),
    extreme(jaxloss.charbonnier_loss, 1e-25, 0, np.sqrt(2) * 1e-25, np.sqrt(0.5), scale=1e-25),
    extreme(jaxloss.charbonnier_loss, 1e25, 0, np.sqrt(2) * 1e25, np.sqrt(0.5), scale=1e25),
    extreme(jaxloss.quantile_loss, 1e30, 0, 1e29, 0.1, quantile=0.9),
    extreme(jaxloss.quantile_loss, -1e30, 0, 9e29, -0.9, quantile=0.9),
    extreme(jaxloss.quantile_loss, 2, 2, 0, 0, quantile=0.9),
    extreme(jaxloss.quantile_loss, INF, 0, INF, 1, quantile=0),
    extreme(jaxloss.quantile_loss, -INF, 0, 0, 0, quantile=0),
    extreme(jaxloss.quantile_loss, INF, 0, 0, 0, quantile=1, huber_delta=1),
    extreme(jaxloss.quantile_loss, -INF, 0, INF, -1, quantile=1, huber_delta=1),
    extreme(jaxloss.quantile_loss, 1, 0, 0, 0, quantile=1),
    extreme(jaxloss.quantile_loss, -1, 0, 0.9, -0.9, quantile=0.9, huber_delta=0),
    extreme(jaxloss.quantile_loss, -0.5, 0, 0.9 * 0.125, -0.9 * 0.5, quantile=0.9, huber_delta=1),
    extreme(jaxloss.expectile_loss, 1e-15, 0, 1e-31, 2e-16, expectile=0.9),
    extreme(robust, 1e30, 0, 1e30, 1, alpha=1),
    extreme(robust, 1e30, 0, np.log(0.5) + 2 * np.log(1e30), 2e-30, alpha=0),
    extreme(robust, INF, 0, INF, 0, alpha=0),
    extreme(robust, -INF, 0, INF, -1, alpha=1),
    extreme(robust, INF, 0, 2, 0, alpha=-2),
    extreme(robust, 1e30, 0, 2, 0, alpha=-2),
    extreme(robust, 1e15, 0, 5e29, 1e15, alpha=2),
    extreme(robust, 1e-10, 0, 5e-21, 1e-10, alpha=-INF),
    extreme(robust, 1e30, 0, 1, 0, alpha=-INF),
    extreme(robust, 1e-8, 0, 5e-17, 1e-8, alpha=1e-6),
    extreme(robust, 1e-8, 0, 5e-17, 1e-8, alpha=1.9),
    extreme(robust, 3, 1, 0.5, 0.5, alpha=2, scale=2),
    extreme(jaxloss.mape_loss, 1e30, 1e-3, 1e33, 1e3),
    extreme(jaxloss.mape_loss, 5, 5, 0, 0),
    extreme(jaxloss.mape_loss, 1e25, 3e25, 2 / 3, -1 / 3e25),
    extreme(jaxloss.mape_loss, 1, 0, 100, 100, epsilon=0.01),
    extreme(jaxloss.smape_loss, 0, 0, 0, 0),
    extreme(jaxloss.smape_loss, 1e-30, 1e-30, 0, 0),
    extreme(jaxloss.smape_loss, 1e25, 3e25, 1, -7.5e-26),
    extreme(jaxloss.smape_loss, 1e-25, 3e-25, 1, -7.5e24),
    extreme(jaxloss.smape_loss, -1, 1e30, 2, 0),
    extreme(jaxloss.smape_loss, 2e38, -2e38, 2, 0),
    extreme(jaxloss.smape_loss, 2.3e-38, 0, 2, 0),
    extreme(jaxloss.msle_loss, 1e30, 0, np.log(1e30) ** 2, 2 * np.log(1e30) / 1e30),
    extreme(jaxloss.msle_loss, 1e-5, 0, np.log1p(1e-5) ** 2, 2 * np.log1p(1e-5) / (1 + 1e-5)),
    extreme(jaxloss.msle_loss, -1 + 2**-20, 0, np.log(2.0**-20) ** 2, 2 * np.log(2.0**-20) * 2**20),
    extreme(jaxloss.msle_loss, 1000.0625, 1000, np.log1p(0.0625 / 1001) ** 2, 2 * np.log1p(0.0625 / 1001) / 1001.0625),
]


@pytest.mark.parametrize(("loss", "prediction", "label", "value", "slope"), EXTREMES)
def test_extremes(loss, prediction, label, value, slope):
    losses, gradient = each(loss, jnp.array([prediction], F32), jnp.array([label], F32))
    np.testing.assert_allclose(losses, [value], rtol=1e-5, atol=1e-37)
    np.testing.assert_allclose(gradient, [slope], rtol=1e-5, atol=1e-37)


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


def test_at_the_kink_the_gradient_is_zero():
    _, gradient = each(jaxloss.l1_loss, jnp.array([1.5, 0.0]), jnp.array([1.5, 0.0]))
    assert not np.any(gradient)


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


def test_one_call_trains_many_quantiles():
    labels = jnp.asarray(np.random.default_rng(0).gumbel(size=2001), F32)
    levels = jnp.array([0.1, 0.5, 0.9])
    wide = jnp.broadcast_to(labels[:, None], (2001, 3))
    f = lambda q: jaxloss.quantile_loss(jnp.broadcast_to(q, wide.shape), wide, quantile=levels[None])  # noqa: E731
    slopes = jax.jit(jax.grad(f))(jnp.quantile(labels, levels))
    assert np.all(abs(slopes) < 1e-3)


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


def test_expectiles_at_the_ends():
    large = jnp.array([1e30, -1e30])
    losses = jaxloss.expectile_loss(large, jnp.zeros(2), expectile=jnp.array([1.0, 0.0]), reduction="none")
    assert not np.any(losses)


def test_bad_parameters_spoil_the_gradient():
    x = jnp.full(2, 1.0)
    for loss, options in (
        (jaxloss.smooth_l1_loss, {"beta": jnp.array([-1.0, 1.0])}),
        (jaxloss.quantile_loss, {"huber_delta": jnp.array([-1.0, 1.0])}),
        (jaxloss.quantile_loss, {"quantile": jnp.array([1.5, 0.5])}),
        (jaxloss.tweedie_deviance_loss, {"power": jnp.array([jnp.inf, 1.0])}),
    ):
        gradient = jax.grad(lambda p, f=loss, o=options: f(p, 0.5 * x, **o, reduction="sum"))(x)
        np.testing.assert_array_equal(np.isnan(gradient), [True, False])


def test_slope_of_charbonnier_in_its_scale():
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


def test_slopes_of_a_label_below_a_tiny_epsilon():
    """None, without a product of infinity and 0; and of a tiny epsilon, whose square underflows."""
    for epsilon in (1e-3, 1e-20):
        for loss in (jaxloss.mape_loss, jaxloss.relative_l2_loss):
            f = lambda y, loss=loss, e=epsilon: loss(jnp.array([1.0, 1e33])[:1], y, epsilon=e)  # noqa: E731
            with jax.debug_nans(True):
                value, slope = jax.value_and_grad(f)(jnp.zeros(1))
            close(value, 1 / epsilon)
            close(slope, [-1 / epsilon])
    with jax.debug_nans(True):
        f = lambda y: jaxloss.mape_loss(jnp.array([1e33, 1.0]), y, epsilon=1e-3, reduction="sum")  # noqa: E731
        close(jax.grad(f)(jnp.zeros(2)), [-1e3, -1e3])


def test_slope_of_a_large_logarithm():
    for p, y in ((1e38, 1.0), (1.0, 1e38)):
        found = jax.jit(jax.grad(jaxloss.msle_loss, (0, 1)))(jnp.float32(p), jnp.float32(y))
        gap = np.log1p(p) - np.log1p(y)
        close(found, [2 * gap / (1 + p), -2 * gap / (1 + y)], atol=0)
