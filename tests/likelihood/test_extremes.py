"""Likelihoods at their extremes, against float64."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy

import jaxloss

from ..harness.numbers import F32, close, each, extreme, slope64, temporaries
from . import formulas


pytestmark = pytest.mark.thin(4)
special: Any = scipy.special
stats: Any = scipy.stats
f32 = np.float32
INF = np.inf
tweedie, poisson = jaxloss.tweedie_deviance_loss, jaxloss.poisson_nll_loss
binomial = jaxloss.negative_binomial_nll_loss
EXTREMES = [
    extreme(jaxloss.gaussian_nll_loss, 1e25, 0, 5e19 + 0.5 * np.log(1e30), 1e-5, variance=1e30),
    extreme(jaxloss.gaussian_nll_loss, 1, 1, 0.5 * np.log(1e-6), 0, variance=0),
    extreme(jaxloss.laplace_nll_loss, 1e30, 0, 1e30, 1, scale=1),
    extreme(jaxloss.laplace_nll_loss, 3, 3, 0, 0, scale=1),
    extreme(jaxloss.student_t_nll_loss, 1e15, 0, 2 * np.log(1e15) + 0.5 * np.log(np.pi / 2), 2e-15, scale=1, df=1),
    extreme(jaxloss.student_t_nll_loss, 3, 0, 4.5, 3, scale=1, df=1e12),
    extreme(jaxloss.student_t_nll_loss, 3, 0, 4.5, 3, scale=1, df=1e30),
    extreme(poisson, -INF, 0, 0, 0),
    extreme(poisson, -INF, 2, INF, -2),
    extreme(poisson, -INF, 0, 0, 0, full=True),
    extreme(poisson, 0, 0, 0, 1, log_input=False),
    extreme(poisson, 0, 0, 0, 1, log_input=False, full=True),
    extreme(poisson, 0, 2, INF, -INF, log_input=False),
    extreme(poisson, 1e30, 1, 1e30, 1, log_input=False),
    extreme(poisson, -INF, 20, INF, -20, full=True),
    extreme(poisson, -100, 20, 2000 + special.gammaln(21), -20, full=True),
    extreme(poisson, 100, 20, INF, INF, full=True),
    extreme(poisson, 80, 20, np.exp(80), np.exp(80), full="stirling"),
    extreme(poisson, 0, 20, INF, -INF, log_input=False, full=True),
    extreme(poisson, 1e-30, 20, 600 * np.log(10) + special.gammaln(21), -2e31, log_input=False, full=True),
    extreme(poisson, 1e30, 20, 1e30, 1, log_input=False, full="stirling"),
    extreme(binomial, 0, 0, 0, 1, dispersion=0.5),
    extreme(binomial, 0, 0, 0, 1, dispersion=0.5, full=True),
    extreme(binomial, 2, 3, 2 - 3 * np.log(2), -0.5, dispersion=0),
    extreme(binomial, 1e6, 0, np.log1p(1e7) / 10, 1 / (1 + 1e7), dispersion=10),
    extreme(binomial, 0, 20, INF, -INF, dispersion=0.5, full=True),
    extreme(binomial, 1e-30, 20, 600 * np.log(10) + special.gammaln(21), -2e31, dispersion=0, full=True),
    extreme(jaxloss.gamma_nll_loss, 1e-3, 1e3, 1e6 - np.log(1e6), (1e-3 - 1e3) / 1e-6, concentration=1),
    extreme(jaxloss.gamma_nll_loss, 2, 2, 0.5 * np.log(2 * np.pi) - 0.5 * np.log(1e12), 0, concentration=1e12),
    extreme(tweedie, -3, 2, 25, -10, power=0),
    extreme(tweedie, 2, 0, 4, 2, power=1),
    extreme(tweedie, 4, 0, 8, 1, power=1.5),
    extreme(tweedie, 2, -1, 2 * (2 + 8 / 3), 12, power=-1),
    extreme(tweedie, 1, 1 + 2**-12, 2**-24 * (1 - 2**-12 / 3 + 2**-24 / 6), -(2**-11), power=1),
    extreme(tweedie, 1, 1 + 2**-12, 2**-24, -(2**-11), power=0),
    extreme(tweedie, 3, 3, 0, 0, power=1.7),
    extreme(tweedie, 1e-10, 100, 4 * (100 * 1e5 - 20 + 1e-5), -200 * 1e15, power=1.5),
    extreme(jaxloss.gaussian_crps_loss, 1e30, 0, 1e30, 1, scale=1),
    extreme(jaxloss.gaussian_crps_loss, 1, 0, 1, 1, scale=1e-30),
    extreme(jaxloss.gaussian_crps_loss, INF, 0, INF, 1, scale=1),
    extreme(jaxloss.gaussian_crps_loss, 2, 2, (np.sqrt(2) - 1) / np.sqrt(np.pi), 0, scale=1),
]


def test_an_offset_of_shares_changes_nothing():
    arguments = {"labels": jnp.array([0.3]), "means": jnp.array([[-1.0, 1]]), "scales": jnp.array([[0.5, 0.25]])}
    f = jax.value_and_grad(lambda z: jaxloss.gaussian_mixture_nll_loss(z, **arguments))
    plain = f(jnp.array([[0.0, 8]]))
    for offset in (1e4, 1e8):
        jax.tree.map(np.testing.assert_array_equal, f(jnp.array([[0.0, 8]]) + offset), plain)
    jax.tree.map(close, f(jnp.array([[0.0, INF]])), f(jnp.array([[-INF, 0.0]])))


@pytest.mark.parametrize(("loss", "prediction", "label", "value", "slope"), EXTREMES)
def test_extremes(loss, prediction, label, value, slope):
    losses, gradient = each(loss, jnp.array([prediction], F32), jnp.array([label], F32))
    np.testing.assert_allclose(losses, [value], rtol=1e-5, atol=1e-37)
    np.testing.assert_allclose(gradient, [slope], rtol=1e-5, atol=1e-37)


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
    with pytest.raises(ValueError, match="predictions must have at least two members where fair, got shape"):
        jaxloss.ensemble_crps_loss(one, jnp.array([1.0]), fair=True)
    with pytest.raises(ValueError, match="predictions must have at least one member, got shape"):
        jaxloss.ensemble_crps_loss(one[:, :0], jnp.array([1.0]))


def test_infinite_members():
    losses, gradient = each(jaxloss.ensemble_crps_loss, jnp.array([[jnp.inf, jnp.inf, 1.0]]), jnp.zeros(1))
    assert losses == np.inf
    assert np.all(np.isfinite(gradient))


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("members", [1, 2, 50, 300])  # of which few are compared, many sorted
def test_slopes_of_equal_members(members, axis):
    """A member's slope counts those below it less those above; equal ones count for neither."""
    x = np.random.default_rng(0).integers(-9, 9, (5, members)).astype(np.float32)
    over = np.sign(x[:, :, None] - x[:, None]).sum(-1)
    expected = np.sign(x - 0.5) / members - over / members**2
    f = lambda x: jaxloss.ensemble_crps_loss(x, jnp.full(5, 0.5), axis=axis, reduction="sum")  # noqa: E731
    slopes = jax.grad(f)(x.T if axis == 0 else x)
    np.testing.assert_allclose(slopes.T if axis == 0 else slopes, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("members", [100, 1000])
def test_an_ensemble_never_holds_all_pairs(members):
    members, labels = jax.ShapeDtypeStruct((64, members), F32), jax.ShapeDtypeStruct((64,), F32)
    assert temporaries(jax.value_and_grad(jaxloss.ensemble_crps_loss), members, labels) < 12 * 4 * members.size


# --- what a review found ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mean", "count", "dispersion"),
    [(100, 200, 1e6), (1e5, 1.01e5, 0.1), (1e5, 1.1e5, 1), (1, 1, 0.5), (1e33, 2, 1e6), (0.5, 3, 0)],
)
def test_slope_of_a_negative_binomial_does_not_cancel(mean, count, dispersion):
    m, y, a = (np.float64(np.float32(x)) for x in (mean, count, dispersion))
    slope = jax.grad(lambda p: binomial(p, jnp.float32(count), dispersion=dispersion))(jnp.float32(mean))
    close(slope, (1 - y / m) / (1 + a * m), rtol=1e-5, atol=1e-37)


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


def test_an_infinite_log_rate_costs_infinity():
    assert jax.jit(poisson)(jnp.float32(jnp.inf), jnp.float32(1)) == np.inf


def test_many_members():
    """More pairs than an int32 counts."""
    members = jnp.linspace(0, 1, 50_000)[None]
    value, slopes = jax.value_and_grad(jaxloss.ensemble_crps_loss)(members, jnp.array([0.5]))
    close(value, 1 / 12, rtol=1e-3)
    assert np.all(np.isfinite(slopes))


@pytest.mark.parametrize("derive", [jax.jacfwd, jax.jacrev])
@pytest.mark.parametrize("loss", [poisson, binomial], ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("full", [False, True])
def test_rows_beside_one_whose_slope_is_infinite(loss, full, derive):
    """In both modes they have theirs, and no part in it, in predictions, labels and dispersion."""
    options = {"full": full, **({"log_input": False} if loss is poisson else {})}
    held = {"dispersion": jnp.full(4, 0.5)} if loss is binomial else {}
    x, y = jnp.array([0.0, 0.0, 2.0, 0.0]), jnp.array([0.0, 1.0, 3.0, 20.0])
    f = lambda x, y, held: loss(x, y, **held, **options, reduction="none")  # noqa: E731
    by_x, by_y, by_held = derive(f, (0, 1, 2))(x, y, held)
    slope = [1, -INF, -0.5 if loss is poisson else -0.25, -INF]
    np.testing.assert_allclose(np.diag(by_x), slope, rtol=1e-6)
    for slopes in (by_x, by_y, *by_held.values()):
        assert not np.any(np.isnan(slopes))
        assert not np.any(slopes[~np.eye(4, dtype=bool)])


@pytest.mark.parametrize("derive", [jax.hessian, lambda f: jax.jacrev(jax.grad(f))])
def test_second_derivatives_at_no_count(derive):
    rate = lambda p: poisson(p, jnp.float32(0), log_input=False)  # noqa: E731
    assert derive(rate)(0.0) == 0
    close(derive(lambda p: binomial(p, jnp.float32(0), dispersion=0.5))(0.0), -0.5)


# --- derivatives in what isn't predicted, and masks of whole vectors ----------------------------------------------


def test_slope_of_tweedie_in_the_label():
    labels = jnp.array([0.5, 2.0, 2.001, 30.0])
    slope = jax.vmap(jax.grad(lambda y: tweedie(jnp.float32(2), y, power=1.5)))(labels)
    y = np.asarray(labels, np.float64)
    close(slope, 2 * (y**-0.5 - 2**-0.5) / -0.5, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("power", [-2.5, -1, 0, 0.5, 1, 1.5, 1.9, 2, 2.5, 3])
def test_slopes_of_tweedie_of_every_size(power):
    """Neither factor of one leaves the range where the slope doesn't."""
    sizes = [1e-30, 1e-3, 1, 50, 1e30, 3e38]
    grid = [jnp.array(x, F32).ravel() for x in np.meshgrid(sizes, [0, *sizes] if power < 2 else sizes)]
    by_prediction, by_label = jax.jit(jax.vmap(jax.grad(functools.partial(tweedie, power=power), (0, 1))))(*grid)
    p, y = (np.asarray(x, np.longdouble) for x in grid)
    a = 1 - np.longdouble(power)
    with np.errstate(divide="ignore", over="ignore"):
        of_label = np.log(y / p) if power == 1 else (y**a - p**a) / a
    for found, wanted in ((by_prediction, 2 * (p - y) * p ** (a - 1)), (by_label, 2 * of_label)):
        wanted = np.where(np.abs(wanted) > float(jnp.finfo(F32).max), np.copysign(np.inf, wanted), wanted)
        # That of the label is cut off at 0 for a power of 1, and where the mean's power is less than normal numbers.
        some = (found is by_prediction) | ((y > 0) | (power != 1)) & ~(p**a < float(jnp.finfo(F32).tiny))
        np.testing.assert_allclose(np.asarray(found, np.float64)[some], wanted[some].astype(float), 3e-5, 1e-36)


def test_masked_members_leave_no_trace():
    rng = np.random.default_rng(0)
    x, y = (jnp.asarray(rng.normal(size=(3, 4)), F32) for _ in range(2))
    dirty, mask = x.at[1].set(jnp.nan), jnp.array([True, False, True])
    members = jaxloss.ensemble_crps_loss(dirty, y[:, 0], mask=mask)
    close(members, jaxloss.ensemble_crps_loss(x[::2], y[::2, 0]))
    options = {"means": jnp.where(mask[:, None], y, jnp.inf), "scales": jnp.float32(1)}
    found = jaxloss.gaussian_mixture_nll_loss(dirty, y[:, 0], mask=mask, **options)
    close(found, jaxloss.gaussian_mixture_nll_loss(x[::2], y[::2, 0], means=y[::2], scales=1.0))


# --- rows beside one without a finite slope -----------------------------------------------------------------------


def side_by_side(loss, arguments, options):
    """The jacobians in all arguments and options, equal in both modes, 0 off the diagonal; their diagonals."""
    f = lambda x, o: loss(*x, **o, reduction="none")  # noqa: E731
    reverse, forward = (jax.jit(derive(f, (0, 1)))(arguments, options) for derive in (jax.jacrev, jax.jacfwd))
    jax.tree.map(close, reverse, forward)
    for slopes in map(np.asarray, jax.tree.leaves(reverse)):
        assert not np.any(slopes[~np.eye(len(slopes), dtype=bool)])
    return jax.tree.map(jnp.diagonal, reverse)


KL = functools.partial(jaxloss.gaussian_kl_divergence, axis=None)
BESIDE: dict[str, Any] = {
    "laplace": (jaxloss.laplace_nll_loss, [[INF, 1, 3e38], [0, 0, -3e38]], {"scale": [1, 2, 1]}),
    "gaussian": (jaxloss.gaussian_nll_loss, [[INF, 1, 3e38], [0, 0, -3e38]], {"variance": [1, 2, 0]}),
    "quantile": (jaxloss.quantile_loss, [[INF, 1, -INF], [0, 0, 0]], {"quantile": [1, 0.3, 0.4]}),
    "huber": (jaxloss.huber_loss, [[INF, 1], [0, 0]], {"delta": [1, 2]}),
    "barron": (
        jaxloss.general_robust_loss,
        [[INF, 1, -INF, INF, INF, 3e38], [0, 0, 0, 0, 0, -3e38]],
        {"alpha": [1, 1, 0, 2, -INF, 1.5], "scale": [1, 1, 2, 1, 1, 1]},
    ),
    "gaussian kl": (
        KL,
        [[1, 1, INF, 3e38], [INF, 0, 0, 0]],
        {"prior_mean": [0, 0, 0, -3e38], "prior_log_variance": [0, 0, 1, 0]},
    ),
    "mape": (jaxloss.mape_loss, [[3e38, 1, 3e38], [-3e38, 2, 1e-30]], {}),
    "poisson": (poisson, [[-INF, 1, -INF, 100, INF], [0, 0, 2, 1, 1]], {}),
    "gamma": (jaxloss.gamma_nll_loss, [[1e-30, 3], [1, 1]], {"concentration": [1.5, 2]}),
}


@pytest.mark.parametrize("name", BESIDE)
def test_rows_beside_an_infinite_slope(name):
    """In both modes they have theirs, in predictions, labels and options together, and no part in it."""
    loss, arguments, options = BESIDE[name]
    arguments, options = [jnp.array(x, F32) for x in arguments], {k: jnp.array(x, F32) for k, x in options.items()}
    found = side_by_side(loss, arguments, options)
    alone = side_by_side(loss, [x[1:2] for x in arguments], {key: x[1:2] for key, x in options.items()})
    jax.tree.map(lambda a, b: close(a[1], b[0]), found, alone)


def test_mixtures_beside_an_infinite_slope():
    arrays = [jnp.array([[0, 1], [1, 0.0]]), jnp.array([INF, 1]), jnp.array([[0, 1], [1, 0.0]]), jnp.ones((2, 2))]
    f = lambda z, y, m, s: jaxloss.gaussian_mixture_nll_loss(z, y, means=m, scales=s, reduction="none")  # noqa: E731
    reverse, forward = (jax.jit(derive(f, (0, 1, 2, 3)))(*arrays) for derive in (jax.jacrev, jax.jacfwd))
    jax.tree.map(functools.partial(close, atol=1e-7), reverse, forward)
    for slopes in reverse:
        assert not np.any(slopes[0, 1]) and not np.any(slopes[1, 0])


@pytest.mark.parametrize(("size", "power"), [(1e13, -2), (1e20, -1), (1e-10, 5)])
def test_a_perfect_prediction_of_tweedie(size, power):
    """Has no slope, though the variance's power overflows."""
    slopes = jax.jit(jax.grad(lambda p, y: tweedie(p, y, power=power), (0, 1)))(f32(size), f32(size))
    assert slopes == (0, 0)
