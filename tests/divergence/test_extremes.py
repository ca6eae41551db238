"""Divergences and distances between distributions at their extremes, against float64."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss

from ..harness.numbers import temporaries
from .formulas import distillation, gaussian_kl, js, kl, renyi, reverse_kl


pytestmark = pytest.mark.thin(4)
INF = np.inf
HALF = -np.log(2.0)
LARGEST = float(np.finfo(np.float32).max)


def both(f, *arguments):
    """The value, and the gradient of each argument, which must be the same in both modes."""
    arrays = [jnp.asarray(x, jnp.float32) for x in arguments]
    every = tuple(range(len(arrays)))
    all_ = jax.jit(lambda *x: (f(*x), *(derive(f, every)(*x) for derive in (jax.jacrev, jax.jacfwd))))
    value, *slopes = jax.tree.map(np.asarray, all_(*arrays))
    for reverse, forward in zip(*slopes):
        np.testing.assert_allclose(forward, reverse, rtol=1e-5, atol=1e-7)
    return float(value), slopes[0]


def with_options(loss, **options):
    return lambda *arguments, **more: loss(*arguments, **options, **more)


# --- zeros --------------------------------------------------------------------------------------------------------


AT_ZERO = [
    # loss, first argument, labels, value, gradient of the first, of the labels (a slope that is infinite: the largest)
    (jaxloss.kl_divergence, [-INF, HALF, HALF], [0, 0.5, 0.5], 0, [0, -0.5, -0.5], [0, 1, 1]),
    (jaxloss.kl_divergence, [-2, HALF, HALF], [0, 0.5, 0.5], 0, [0, -0.5, -0.5], [2, 1, 1]),
    (jaxloss.kl_divergence, [-INF, HALF, HALF], [0.5, 0.5, 0], INF, [-0.5, -0.5, 0], [LARGEST, 1, -HALF]),
    (
        with_options(jaxloss.kl_divergence, log_labels=True),
        [-INF, HALF, HALF],
        [-INF, HALF, HALF],
        0,
        [0, -0.5, -0.5],
        [0, 0.5, 0.5],
    ),
    (
        with_options(jaxloss.kl_divergence, log_labels=True),
        [-INF, HALF],
        [HALF, HALF],
        INF,
        [-0.5, -0.5],
        [LARGEST, 0.5],
    ),
    (jaxloss.reverse_kl_divergence, [-INF, HALF, HALF], [0, 0.5, 0.5], 0, [0, 0.5, 0.5], [0, -1, -1]),
    (jaxloss.reverse_kl_divergence, [-INF, HALF, HALF], [0.5, 0.5, 0], INF, [0, 0.5, LARGEST], [0, -1, -LARGEST]),
    (
        with_options(jaxloss.reverse_kl_divergence, log_labels=True),
        [-INF, HALF, HALF],
        [-INF, HALF, HALF],
        0,
        [0, 0.5, 0.5],
        [0, -0.5, -0.5],
    ),
    (jaxloss.generalized_kl_divergence, [-INF, 0, 1], [0, 1, np.e], 0, [0, 0, 0], [0, 0, 0]),
    (jaxloss.generalized_kl_divergence, [-2, 0], [0, 1], np.exp(-2), [np.exp(-2), 0], [1, 0]),
    (jaxloss.generalized_kl_divergence, [-INF, 0], [1, 1], INF, [-1, 0], [LARGEST, 0]),
    (jaxloss.js_divergence, [-INF, HALF, HALF], [0, 0.5, 0.5], 0, [0, 0, 0], [0, 0, 0]),
    (
        jaxloss.js_divergence,
        [-INF, HALF, HALF],
        [0.5, 0.5, 0],
        np.log(2) / 2,
        [0, 0, np.log(2) / 4],
        [np.log(2) / 2, 0, np.log(2) - 0.5],
    ),
    (with_options(jaxloss.js_divergence, mixture=0), [-INF, 0], [0.5, 0.5], 0, [0, 0], [0, 0]),
    (with_options(jaxloss.js_divergence, mixture=1), [HALF, HALF], [0, 1], 0, [0, 0], [0, 0]),
    (with_options(jaxloss.renyi_divergence, alpha=0.5), [-INF, 0], [0.5, 0.5], np.log(2), [0, -1], [2, 0]),
    (with_options(jaxloss.renyi_divergence, alpha=1), [-INF, 0], [0, 1], 0, [0, -1], [0, 1]),
    (with_options(jaxloss.renyi_divergence, alpha=1), [-INF, 0], [0.5, 0.5], INF, [-0.5, -0.5], [1, 1]),
    (with_options(jaxloss.renyi_divergence, alpha=2), [-2, HALF], [0, 1], -HALF, [0, -1], [-1, 1]),
    (with_options(jaxloss.renyi_divergence, alpha=2), [-1, -1], [0, 0], 0, [0, 0], [-1, -1]),
    (jaxloss.total_variation_distance, [0, 0.5, 0.5], [0.5, 0.5, 0], 0.5, [-0.5, 0, 0.5], [0.5, 0, -0.5]),
    (jaxloss.hellinger_distance, [0, 0.25, 0.75], [0, 0.25, 0.75], 0, [0, 0, 0], [0, 0, 0]),
    (jaxloss.hellinger_distance, [0, 1], [0, 0], 0.5**0.5, [0.5**1.5, 0.5**1.5], [0.5**1.5, -3.260954e18]),
    (jaxloss.wasserstein_distance, [0, 0.5, 0.5], [0, 0.5, 0.5], 0, [0, 0, 0], [0, 0, 0]),
    (jaxloss.wasserstein_distance, [1, 0, 0], [0, 0, 1], 2, [2, 1, 0], [-2, -1, 0]),
    (jaxloss.wasserstein_distance, [1], [0], 0, [0], [0]),
]


@pytest.mark.parametrize(("loss", "first", "labels", "value", "slope", "label_slope"), AT_ZERO)
def test_zeros(loss, first, labels, value, slope, label_slope):
    found, slopes = both(loss, first, labels)
    np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-7)
    assert not np.signbit(found)
    np.testing.assert_allclose(slopes[0], slope, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(slopes[1], label_slope, rtol=1e-5, atol=1e-6)


@pytest.mark.exhaustive
def test_labels_of_zero_have_finite_second_derivatives():
    first, labels = jnp.array([-INF, HALF, HALF]), jnp.array([0, 0.5, 0.5])
    for loss in (
        jaxloss.kl_divergence,
        jaxloss.reverse_kl_divergence,
        jaxloss.generalized_kl_divergence,
        jaxloss.js_divergence,
        with_options(jaxloss.renyi_divergence, alpha=1.0),
        with_options(jaxloss.renyi_divergence, alpha=2.0),
    ):
        for derive in (jax.hessian, lambda f: jax.jacrev(jax.jacrev(f))):
            assert np.all(np.isfinite(derive(lambda lp, loss=loss: loss(lp, labels))(first)))


@pytest.mark.parametrize("labels", [[0.0, 0.4, 0.6, 0.0], [1.0, 0.0, 0.0, 0.0]])
def test_the_gradient_of_a_zero_through_softmax_is_finite(labels):
    """A probability that underflows to 0 has a slope of 0 in its softmax; times infinity it would be NaN."""
    logits, labels = jnp.array([-200.0, 0.0, 1.0, 2.0]), jnp.array(labels)
    for loss in (jaxloss.total_variation_distance, jaxloss.hellinger_distance, jaxloss.wasserstein_distance):
        assert np.all(np.isfinite(jax.grad(lambda z, loss=loss: loss(jax.nn.softmax(z), labels))(logits)))
    for loss in (jaxloss.kl_divergence, jaxloss.generalized_kl_divergence, jaxloss.js_divergence):
        assert np.all(np.isfinite(jax.grad(lambda z, loss=loss: loss(jax.nn.log_softmax(z), labels))(logits)))


# --- small and large ----------------------------------------------------------------------------------------------


def near(gap: float, count: int = 50, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of two softmaxes that are close."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(4, count)) * 3
    return (z + gap * rng.normal(size=z.shape)).astype(np.float32), z.astype(np.float32)


DIVERGENCES = {
    "forward": {"divergence": "forward_kl"},
    "reverse": {"divergence": "reverse_kl"},
    **{f"js {mixture}": {"divergence": "js", "mixture": float(np.float32(mixture))} for mixture in (1e-4, 0.5, 0.9999)},
}
divergences = pytest.mark.parametrize("options", DIVERGENCES.values(), ids=DIVERGENCES)


def beyond_first(u: np.ndarray) -> np.ndarray:
    """``u - log1p(u)``."""
    return np.where(abs(u) < 1e-3, u**2 / 2 - u**3 / 3 + u**4 / 4 - u**5 / 5, u - np.log1p(u))


def distillation64(
    z: np.ndarray, t: np.ndarray, temperature: float, divergence: str = "forward_kl", mixture: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """The loss and its gradient, without the cancellation of the formula."""
    (log_p, log_y) = (
        x / temperature - np.log(np.exp(x / temperature).sum(-1, keepdims=True)) for x in (z, t - t.max())
    )
    p, y, d = np.exp(log_p), np.exp(log_y), log_p - log_y
    if divergence == "js":
        v = mixture * np.expm1(-d)
        terms = mixture * y * beyond_first((1 - mixture) * np.expm1(d)) + (1 - mixture) * p * beyond_first(v)
        slope = (1 - mixture) * p * -np.log1p(v)
    elif divergence == "reverse_kl":
        terms, slope = p * beyond_first(np.expm1(-d)), p * d
    else:
        terms, slope = y * beyond_first(np.expm1(d)), y * np.expm1(d)
    return temperature**2 * terms.sum(-1), temperature * (slope - p * slope.sum(-1, keepdims=True))


@functools.cache
def distilled(**options):
    """Losses, their slope, and how they change with the temperature, in both modes."""

    @jax.jit
    def all_(z, t, temperature):
        losses = lambda z, s: jaxloss.distillation_loss(z, t, temperature=s, reduction="none", **options)  # noqa: E731
        slope = jax.grad(lambda z: jnp.sum(losses(z, temperature)))(z)
        return losses(z, temperature), slope, [d(losses, 1)(z, temperature) for d in (jax.jacrev, jax.jacfwd)]

    return all_


@divergences
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 20.0, 1000.0])
@pytest.mark.parametrize("gap", [1e-4, 1e-3, 0.1, 3.0])
@pytest.mark.parametrize("offset", [0.0, 4096.0])
def test_distillation_near_agreement(gap, temperature, offset, options):
    z, t = near(gap)
    t = (t + np.float32(offset)).astype(np.float32)
    losses, found, by_temperature = distilled(**options)(z, t, jnp.float32(temperature))
    wide = functools.partial(distillation64, z.astype(np.float64), t.astype(np.float64), **options)
    wanted, gradient = wide(temperature)
    # Beside 4096 a float32 has steps of 2e-4: what is left of the logits is right, but not their difference to 1e-5.
    rtol = 1e-5 if offset == 0 else max(1e-4, 1e-7 / gap)
    np.testing.assert_allclose(losses, wanted, rtol=rtol, atol=1e-30)
    np.testing.assert_allclose(found, gradient, rtol=max(rtol, 1e-4), atol=2 * rtol * np.max(abs(gradient)))
    step = 1e-4 * temperature
    expected = (wide(temperature + step)[0] - wide(temperature - step)[0]) / (2 * step)
    for slope in by_temperature:
        np.testing.assert_allclose(slope, expected, rtol=2e-3, atol=1e-4 * np.max(wanted) / temperature)


@pytest.mark.parametrize("temperature", [1e5, 1e8, 1e12, 1e19])
def test_distillation_at_high_temperatures(temperature):
    """By the first two terms of its series in 1 / temperature, whose third is 1e-3 of the second at 1e5."""
    z, t = (x.astype(np.float64) for x in near(1.0, 20))
    u, apart = (x - x.mean(-1, keepdims=True) for x in (t, z - t))
    flat, linear = (apart**2).mean(-1) / 2, (apart**2 * u / 2 + apart**3 / 6).mean(-1)
    f = lambda z, s: jaxloss.distillation_loss(z, t.astype(np.float32), temperature=s, reduction="none")  # noqa: E731
    at = z.astype(np.float32), jnp.float32(temperature)
    np.testing.assert_allclose(f(*at), flat + linear / temperature, rtol=1e-6)
    for derive in (jax.jacrev, jax.jacfwd):
        by_logit, by_temperature = derive(f, (0, 1))(*at)
        found = by_logit[np.arange(4), np.arange(4)]
        np.testing.assert_allclose(found, apart / 20, rtol=1e-3, atol=3 / temperature)
        np.testing.assert_allclose(by_temperature, -linear / temperature**2, rtol=1e-3, atol=1e-37)


@divergences
def test_distillation_of_equal_logits_is_zero(options):
    z, _ = near(0)
    f = lambda z: jaxloss.distillation_loss(z, z, temperature=0.7, reduction="sum", **options)  # noqa: E731
    value, gradient = jax.value_and_grad(f)(z)
    assert value == 0
    assert not np.any(gradient)


@divergences
@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_distillation_is_never_negative(options, dtype):
    """Of a student that has all but reached a teacher in half precision."""
    z, _ = near(0, 2000)
    for gap in (0, 1e-7, 1e-6, 1e-5):
        student = z + np.float32(gap) * np.random.default_rng(1).normal(size=z.shape).astype(np.float32)
        for a, b in ((student, jnp.asarray(z, dtype)), (student, jnp.asarray(student, dtype))):
            losses = jaxloss.distillation_loss(a, b, reduction="none", **options)
            assert losses.dtype == np.float32 and np.all(losses >= 0)
            wide = distillation64(*(np.asarray(x, np.float64) for x in (a, b)), 2.0, **options)[0]
            np.testing.assert_allclose(losses, wide, rtol=1e-5, atol=1e-17)


@divergences
def test_an_offset_of_the_logits_changes_nothing(options):
    z, t = np.round(np.stack(near(3.0)) * 8)
    expected = jaxloss.distillation_loss(z, t, reduction="none", **options)
    for a, b in ((1e8, 0), (0, 1e8), (1e8, -1e8)):
        found = jaxloss.distillation_loss(
            z * 8 + np.float32(a), t * 8 + np.float32(b), temperature=16, reduction="none", **options
        )
        np.testing.assert_allclose(found / 64, expected, rtol=1e-5)


FORWARD, REVERSE, JS = DIVERGENCES["forward"], DIVERGENCES["reverse"], DIVERGENCES["js 0.5"]
ROOT = LARGEST**0.5


@pytest.mark.parametrize(
    ("options", "student", "teacher", "value", "slope"),
    [
        *((options, [0, 1, -INF], [0, 1, -INF], 0, [0, 0, 0]) for options in DIVERGENCES.values()),
        *((options, [0, INF, 0], [0, INF, 0], 0, [0, 0, 0]) for options in DIVERGENCES.values()),
        *((options, [0, 0], [-INF, -INF], INF, None) for options in DIVERGENCES.values()),
        *((options, [-INF, -INF], [0, 0], INF, None) for options in DIVERGENCES.values()),
        (FORWARD, [0, -INF, 0], [0, 0, -INF], INF, [0, -0.5, 0.5]),
        (FORWARD, [0, 0, 0], [0, INF, 0], np.log(3), [1 / 3, -2 / 3, 1 / 3]),
        (FORWARD, [INF, 0, 0], [0, INF, 0], INF, [1, -1, 0]),
        (FORWARD, [-INF, -INF], [0, 0], INF, [-0.5, -0.5]),
        (FORWARD, [0, 0], [-INF, -INF], INF, [0.5, 0.5]),
        (REVERSE, [0, -INF], [0, 0], np.log(2), [0, 0]),
        (REVERSE, [0, 0], [0, -INF], INF, [-ROOT / 4, ROOT / 4]),  # away from what the teacher rules out
        (REVERSE, [0, 0, 0], [0, 0, -INF], INF, [-ROOT / 9, -ROOT / 9, 2 * ROOT / 9]),
        (JS, [0, -INF, 0], [0, 0, -INF], np.log(2) / 2, [-np.log(2) / 8, 0, np.log(2) / 8]),
        (JS, [0, -INF], [-INF, 0], np.log(2), [0, 0]),
        (JS, [0, INF, 0], [INF, 0, 0], np.log(2), [0, 0, 0]),
        ({"divergence": "js", "mixture": 0.0}, [0, -INF], [0, 0], 0, [0, 0]),
        ({"divergence": "js", "mixture": 1.0}, [0, 0], [0, -INF], 0, [0, 0]),
    ],
)
def test_infinite_logits(options, student, teacher, value, slope):
    loss = functools.partial(jaxloss.distillation_loss, teacher_logits=jnp.array(teacher, jnp.float32), **options)
    f = lambda z, temperature: loss(z, temperature=temperature)  # noqa: E731
    found, (z, temperature) = both(f, student, 1.0)
    rounding = 1e-7  # of 1, where a term of 1 is taken from another and 0 is right
    np.testing.assert_allclose(found, value, rtol=1e-6, atol=rounding)
    assert not np.any(np.isnan(z)) and np.isfinite(temperature)
    if slope is not None:
        np.testing.assert_allclose(z, slope, rtol=1e-6, atol=rounding)
    if value < INF and options.get("mixture") not in (0, 1):  # where a part is infinite that has no weight
        second = jax.hessian(f, (0, 1))(jnp.array(student, jnp.float32), jnp.float32(1))
        assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(second))


@divergences
def test_no_gradient_reaches_the_teacher(options):
    z, t = near(1.0)
    for derive in (jax.jacrev, jax.jacfwd):
        assert not np.any(derive(lambda t: jaxloss.distillation_loss(z, t, **options))(t))


def test_a_mixture_goes_to_0_at_both_ends_and_to_the_two_divergences():
    z, t = near(1.0)
    forward, reverse = (jaxloss.distillation_loss(z, t, reduction="sum", **o) for o in (FORWARD, REVERSE))
    f = lambda mixture: jaxloss.distillation_loss(z, t, divergence="js", mixture=mixture, reduction="sum")  # noqa: E731
    small = 2.0**-20
    assert f(0.0) == 0 and f(1.0) == 0
    np.testing.assert_allclose([f(small) / small, f(1 - small) / small], [forward, reverse], rtol=1e-4)
    for derive in (jax.jacrev, jax.jacfwd):
        np.testing.assert_allclose([derive(f)(0.0), derive(f)(1.0)], [forward, -reverse], rtol=1e-5)
    step = 1e-3
    np.testing.assert_allclose(jax.grad(f)(0.3), (f(0.3 + step) - f(0.3 - step)) / (2 * step), rtol=1e-3)


@divergences
def test_distillation_takes_no_more_than_three_arrays_of_the_logits_size(options):
    x = jax.ShapeDtypeStruct((64, 8192), jnp.float32)
    f = functools.partial(jaxloss.distillation_loss, **options)
    for g in (f, jax.value_and_grad(f)):
        assert temporaries(g, x, x) < 3.02 * x.size * 4


def test_unknown_divergences():
    with pytest.raises(ValueError, match=r"divergence must be 'forward_kl', 'reverse_kl' or 'js', got 'kl'"):
        jaxloss.distillation_loss(jnp.zeros(2), jnp.zeros(2), divergence="kl")


@pytest.mark.parametrize("gap", [0.0, 1e-4, 1e-2])
@pytest.mark.parametrize("size", [1e-20, 1.0, 1e30])
def test_generalized_kl_near_agreement(gap, size):
    d = gap * np.array([-1, 0.3, 1], np.float32)
    labels = size * np.exp(np.array([0.0, 0, 0], np.float32))
    log_probs = (np.log(labels) + d).astype(np.float32)
    apart = log_probs.astype(np.float64) - np.log(labels.astype(np.float64))
    expected = (labels.astype(np.float64) * (np.expm1(apart) - apart)).sum()
    found, slopes = both(jaxloss.generalized_kl_divergence, log_probs, labels)
    assert found >= 0
    # The logarithm of the labels is rounded too.
    np.testing.assert_allclose(found, expected, rtol=1e-5 + 3e-5 / max(gap, 1e-9), atol=size * 1e-10)
    np.testing.assert_allclose(slopes[0], labels * np.expm1(apart), rtol=1e-4, atol=size * 1e-5)


@pytest.mark.parametrize("gap", [1e-4, 1e-2, 1.0])
@pytest.mark.parametrize("mixture", [0.0, 1e-20, 1e-3, 0.5, 0.999, 1.0])
def test_js_and_its_derivative_in_the_mixture(gap, mixture):
    rng = np.random.default_rng(0)
    labels = rng.dirichlet(np.ones(5)).astype(np.float32)
    log_probs = np.minimum(np.log(labels) + gap * rng.normal(size=5), -1e-3).astype(np.float32)
    mixture = float(np.float32(mixture))
    wide = functools.partial(js, log_probs.astype(np.float64), labels.astype(np.float64))
    found, (slope,) = both(lambda mixture: jaxloss.js_divergence(log_probs, labels, mixture=mixture), mixture)
    tolerance = 1e-5 + 1e-6 / gap
    if mixture > 1e-10:
        np.testing.assert_allclose(found, wide(mixture), rtol=tolerance, atol=1e-12)
    assert found >= 0 and (found > 0) is (0 < mixture < 1)
    step = 1e-6
    inside = np.clip(mixture, step, 1 - step)
    p, y = np.exp(log_probs.astype(np.float64)), labels.astype(np.float64)
    m = inside * y + (1 - inside) * p
    expected = (y * np.log(y / m) - p * np.log(p / m) - (y - p)).sum()
    np.testing.assert_allclose(slope, expected, rtol=1e-4 + 1e-5 / gap, atol=1e-5 * gap**2)


def test_js_at_the_ends_gives_the_two_kl_divergences():
    rng = np.random.default_rng(0)
    labels, probs = rng.dirichlet(np.ones(5), 2).astype(np.float32)
    small, log_probs = 2.0**-20, np.log(probs)
    wide = log_probs.astype(np.float64), labels.astype(np.float64)
    forward = jaxloss.js_divergence(log_probs, labels, mixture=small) / small
    np.testing.assert_allclose(forward, kl(*wide) + (np.exp(wide[0]) - wide[1]).sum(), rtol=1e-4)
    almost = float(np.float32(1 - small))
    backward = jaxloss.js_divergence(log_probs, labels, mixture=almost) / (1 - almost)
    np.testing.assert_allclose(backward, reverse_kl(*wide) - (np.exp(wide[0]) - wide[1]).sum(), rtol=1e-4)


@pytest.mark.parametrize("alpha", [1e-3, 0.3, 0.9, 1 - 1e-6, 1.0, 1 + 1e-6, 1.1, 2.0, 30.0, 1000.0])
@pytest.mark.parametrize("spread", [1.0, 100.0])
def test_renyi_of_every_order(alpha, spread):
    """Value and derivatives against float64, where near 1 the limit and its slope stand in."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(2, 6))
    log_probs, log_labels = (x - np.log(np.exp(x).sum()) for x in (z[0] * spread, z[1]))
    log_probs, labels = log_probs.astype(np.float32), np.exp(log_labels).astype(np.float32)
    wide = log_probs.astype(np.float64), labels.astype(np.float64)
    alpha = float(np.float32(alpha))

    def formula(order, log_probs=wide[0]):
        logs = order * np.log(wide[1]) + (1 - order) * log_probs
        top = logs.max()
        return (top + np.log(np.exp(logs - top).sum()) - np.log(wide[1].sum())) / (order - 1)

    found, (slope_p, slope_y, slope) = both(
        lambda lp, y, alpha: jaxloss.renyi_divergence(lp, y, alpha=alpha), log_probs, labels, alpha
    )
    order = alpha if abs(alpha - 1) > 1e-3 else 1 + 1e-4
    np.testing.assert_allclose(found, formula(order), rtol=1e-5 if order == alpha else 3e-3 * spread, atol=1e-7)
    step = 1e-5 * order
    np.testing.assert_allclose(
        slope,
        (formula(order + step) - formula(order - step)) / (2 * step),
        rtol=1e-3 if order == alpha else 0.05 * spread,
        atol=3e-8,
    )
    logs = order * np.log(wide[1]) + (1 - order) * wide[0]
    shares = np.exp(logs - logs.max()) / np.exp(logs - logs.max()).sum()
    np.testing.assert_allclose(slope_p, -shares, rtol=1e-3, atol=1e-5 if order == alpha else 1e-2)
    expected = order / (order - 1) * shares / wide[1] - 1 / (order - 1) / wide[1].sum()
    np.testing.assert_allclose(slope_y, expected, rtol=1e-3, atol=1e-4 * spread if order == alpha else 0.01 * spread**2)


@pytest.mark.parametrize("alpha", [1 - 1e-3, 1 - 1e-6, 1.0, 1 + 1e-6, 1 + 1e-3])
def test_slope_of_renyi_in_orders_near_one(alpha):
    """Against differences across 1 in float64."""
    probs, labels = np.random.default_rng(0).dirichlet(np.ones(5), 2).astype(np.float32)
    log_probs, alpha = np.log(probs), float(np.float32(alpha))
    slope = jax.grad(lambda alpha: jaxloss.renyi_divergence(log_probs, labels, alpha=alpha))(alpha)
    p, y = np.exp(log_probs.astype(np.float64)), labels.astype(np.float64)
    up, down = (
        np.log((y**order * p ** (1 - order)).sum() / y.sum()) / (order - 1) for order in (alpha + 2e-3, alpha - 2e-3)
    )
    np.testing.assert_allclose(slope, (up - down) / 4e-3, rtol=2e-5)


def test_renyi_is_kl_at_one():
    rng = np.random.default_rng(0)
    labels, probs = rng.dirichlet(np.ones(5), (2, 7)).astype(np.float32)
    found = jaxloss.renyi_divergence(np.log(probs), labels, alpha=1.0, reduction="none")
    np.testing.assert_allclose(found, jaxloss.kl_divergence(np.log(probs), labels, reduction="none"), rtol=1e-5)
    np.testing.assert_allclose(found, renyi(np.log(probs), labels, 1), rtol=1e-5)


@pytest.mark.parametrize("gap", [1e-12, 1e-6, 1e-3, 0.1])
def test_hellinger_near_agreement(gap):
    labels = np.array([0.25, 0.25, 0.5], np.float64)
    probs = (labels * (1 + gap * np.array([1, -1, 0]))).astype(np.float32)
    exact = np.sqrt(0.5 * np.sum((np.sqrt(probs.astype(np.float64)) - np.sqrt(labels)) ** 2))
    found, (slope, _) = both(jaxloss.hellinger_distance, probs, labels)
    np.testing.assert_allclose(found, exact, rtol=1e-5)
    if exact:
        expected = (np.sqrt(probs.astype(np.float64)) - np.sqrt(labels)) / np.sqrt(probs) / (4 * exact)
        np.testing.assert_allclose(slope, expected, rtol=1e-4)
    else:
        assert not np.any(slope)


@pytest.mark.parametrize("derive", [jax.jacrev, jax.jacfwd])
@pytest.mark.parametrize(
    "loss", [jaxloss.total_variation_distance, jaxloss.hellinger_distance, jaxloss.wasserstein_distance]
)
def test_coincident_distributions_have_no_gradient(loss, derive):
    probs = jnp.array([[0.1, 0.2, 0.7], [0.0, 1.0, 0.0]])
    for argument in (0, 1):
        assert not np.any(derive(loss, argument)(probs, probs))


@pytest.mark.parametrize(
    ("mean", "log_variance", "prior_mean", "prior_log_variance"),
    [
        (0, 0, 0, 0),
        (1e-4, 1e-4, 0, 0),
        (0, 1e-5, 0, 0),
        (1e-20, -1e-3, 0, 0),
        (3, -80, 2, -81),
        (1e25, 0, 0, 100),
        (5, 100, 5, 100),
        (1, -200, 1, -250),
        (0, -1e30, 0, 0),
    ],
)
def test_gaussian_kl(mean, log_variance, prior_mean, prior_log_variance):
    values = [np.float32(x) for x in (mean, log_variance, prior_mean, prior_log_variance)]
    d = np.float64(values[1]) - values[3]
    e = (np.float64(values[0]) - values[2]) * np.exp(-0.5 * np.float64(values[3]))
    spread = d * d / 2 + d**3 / 6 if abs(d) < 1e-2 else np.expm1(d) - d
    expected = 0.5 * (spread + e * e)
    f = lambda m, v, pm, pv: jaxloss.gaussian_kl_divergence(  # noqa: E731
        m, v, prior_mean=pm, prior_log_variance=pv, axis=None
    )
    found, slopes = both(f, *values)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    scale = np.exp(-0.5 * np.float64(values[3]))
    known = [e * scale, 0.5 * np.expm1(d), -e * scale, -0.5 * np.expm1(d) - 0.5 * e * e]
    np.testing.assert_allclose(slopes, known, rtol=1e-5)


@pytest.mark.parametrize(("log_variance", "slope"), [(-INF, -0.5), (INF, INF)])
def test_gaussian_kl_of_infinite_log_variances(log_variance, slope):
    f = lambda v: jaxloss.gaussian_kl_divergence(jnp.zeros(()), v, axis=None)  # noqa: E731
    found, (found_slope,) = both(f, log_variance)
    assert found == INF and found_slope == slope


def test_axis_none_keeps_every_dimension():
    mean, log_variance = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    each = functools.partial(jaxloss.gaussian_kl_divergence, mean, log_variance, reduction="none")
    wide = gaussian_kl(mean.astype(np.float64), log_variance.astype(np.float64), axis=None)
    np.testing.assert_allclose(each(axis=None), wide, rtol=1e-5)
    np.testing.assert_allclose(each(), wide.sum(1), rtol=1e-5)
    np.testing.assert_allclose(each(axis=(0, 1)), wide.sum(), rtol=1e-5)
    free = jaxloss.gaussian_kl_divergence(mean, log_variance, mask=np.arange(12).reshape(3, 4) < 5, axis=None)
    np.testing.assert_allclose(free, wide.ravel()[:5].mean(), rtol=1e-5)


def test_several_axes_are_one_distribution():
    rng = np.random.default_rng(0)
    labels, probs = rng.dirichlet(np.ones(6), (2, 4)).astype(np.float32)
    for loss in (
        jaxloss.kl_divergence,
        jaxloss.reverse_kl_divergence,
        jaxloss.generalized_kl_divergence,
        jaxloss.js_divergence,
        with_options(jaxloss.renyi_divergence, alpha=0.7),
    ):
        whole = loss(np.log(probs), labels)
        np.testing.assert_allclose(
            loss(np.log(probs).reshape(4, 2, 3), labels.reshape(4, 2, 3), axis=(1, -1)), whole, rtol=1e-6
        )


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=lambda dtype: dtype.__name__)
def test_half_precision_costs_only_the_rounding_of_the_inputs(dtype):
    z, t = (jnp.asarray(x, dtype) for x in near(0.1, 500))
    wide = [np.asarray(x).astype(np.float64) for x in (z, t)]
    found = jaxloss.distillation_loss(z, t, reduction="none")
    assert found.dtype == jnp.float32
    np.testing.assert_allclose(found, distillation(*wide), rtol=1e-5)
    log_probs = jax.nn.log_softmax(z)
    labels = np.asarray(jax.nn.softmax(jnp.asarray(t, jnp.float32)))
    found = jaxloss.kl_divergence(log_probs, labels, reduction="none")
    np.testing.assert_allclose(
        found, kl(np.asarray(log_probs).astype(np.float64), labels.astype(np.float64)), rtol=1e-4
    )


# --- errors -------------------------------------------------------------------------------------------------------


P, Y = jnp.full((2, 3), 0.5), jnp.full((2, 3), 0.25)
MESSAGES = [
    (
        lambda: jaxloss.wasserstein_distance(P, Y, positions=jnp.arange(4.0)),
        ValueError,
        "wasserstein_distance: positions must have shape (3,), one for each class, got (4,)",
    ),
    (
        lambda: jaxloss.wasserstein_distance(P, Y, positions=jnp.zeros((2, 3))),
        ValueError,
        "wasserstein_distance: positions must have shape (3,), one for each class, got (2, 3)",
    ),
    (
        lambda: jaxloss.wasserstein_distance(P, Y, axis=(0, 1)),
        TypeError,
        "wasserstein_distance: axis must be one integer, got (0, 1); reshape probs so that the classes lie on one axis",
    ),
    (
        lambda: jaxloss.checked(lambda x: jaxloss.wasserstein_distance(P, Y, positions=x))(jnp.array([0.0, 2.0, 1.0])),
        ValueError,
        "wasserstein_distance: positions must be finite and in ascending order, got 1.0 at index (2,)",
    ),
    (
        lambda: jaxloss.distillation_loss(P, Y, axis=(0, 1)),
        TypeError,
        "distillation_loss: axis must be one integer, got (0, 1); reshape logits so that the classes lie on one axis",
    ),
    (
        lambda: jaxloss.distillation_loss(P, Y, temperature=0.0),
        ValueError,
        "distillation_loss: temperature must lie in (0, inf), got 0.0",
    ),
    (
        lambda: jaxloss.renyi_divergence(-P, Y, alpha=0.0),
        ValueError,
        "renyi_divergence: alpha must lie in (0, inf), got 0.0",
    ),
    (
        lambda: jaxloss.js_divergence(-P, Y, mixture=1.5),
        ValueError,
        "js_divergence: mixture must lie in [0, 1], got 1.5",
    ),
    (
        lambda: jaxloss.gaussian_kl_divergence(P, Y, prior_mean=jnp.zeros(3)),
        ValueError,
        "gaussian_kl_divergence: prior_mean must be a scalar or match the mean, of shape (2, 3), axis by axis "
        "(each dimension equal or 1), got shape (3,); reshape it to (1, 3)",
    ),
]


@pytest.mark.thin(1)
@pytest.mark.parametrize(("call", "kind", "says"), MESSAGES, ids=[says[:60] for *_, says in MESSAGES])
def test_messages(call, kind, says):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value) == says


@pytest.mark.parametrize("positions", [[0.0, 2.0, 1.0], [0.0, 1.0, INF], [np.nan, 1.0, 2.0]])
def test_positions_out_of_order_are_nan(positions):
    value, gradient = jax.value_and_grad(jaxloss.wasserstein_distance)(P, Y, positions=jnp.array(positions))
    assert np.isnan(value) and np.all(np.isnan(gradient[:, :2]))


def test_a_label_below_zero_is_nan():
    value, gradient = jax.value_and_grad(jaxloss.kl_divergence)(jnp.array([-1.0]), jnp.array([-1.0]))
    assert np.isnan(value) and np.all(np.isnan(gradient))


# --- memory -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "forward", "backward"),
    [
        (jaxloss.kl_divergence, 1, 1),
        (jaxloss.reverse_kl_divergence, 1, 2),
        (jaxloss.generalized_kl_divergence, 1, 2),
        (jaxloss.js_divergence, 1, 3),
        (with_options(jaxloss.renyi_divergence, alpha=0.5), 3, 3),
        (jaxloss.total_variation_distance, 1, 1),
        (jaxloss.hellinger_distance, 1, 2),
        (jaxloss.wasserstein_distance, 2, 2),
        (jaxloss.gaussian_kl_divergence, 1, 2),
        (jaxloss.distillation_loss, 3, 3),
    ],
)
def test_few_temporaries_of_the_size_of_a_softmax(loss, forward, backward):
    x = jax.ShapeDtypeStruct((256, 8192), jnp.float32)
    size = 256 * 8192 * 4
    for f, most in ((loss, forward), (jax.value_and_grad(loss), backward)):
        used = jax.jit(f).lower(x, x).compile().memory_analysis().temp_size_in_bytes
        assert used <= (most + 0.2) * size, used / size
