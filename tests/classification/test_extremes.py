"""Classification at its extremes: sure, impossible, ruled out, at the ends of every option; float64 for reference."""

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


pytestmark = pytest.mark.thin(4)
special: Any = scipy.special
inf = np.inf
each = {"reduction": "none"}


def derivatives(f, x):
    """Value, slope and curvature of a function of one number, the curvature in two modes."""
    x = jnp.float32(x)
    forward, reverse = jax.jacfwd(jax.grad(f))(x), jax.grad(jax.grad(f))(x)
    np.testing.assert_allclose(forward, reverse, rtol=1e-5, atol=1e-30)
    return f(x), jax.grad(f)(x), forward


def close(found, expected, rtol=1e-5, atol=1e-37):
    np.testing.assert_allclose(np.asarray(found, np.float64), expected, rtol=rtol, atol=atol)


# --- sigmoid focal, asymmetric -------------------------------------------------------------------------------------


@pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("logit", [0.0, 0.5, -2.0, 15.0, -15.0, 50.0, -50.0])
def test_sigmoid_focal_and_two_derivatives(gamma, label, logit):
    sign = 1 - 2 * label
    gamma = float(np.float32(gamma))
    miss, hit = special.expit(sign * logit), special.expit(-sign * logit)
    nll = np.logaddexp(0, sign * logit)
    power = miss**gamma
    first = gamma * hit * nll + miss
    expected = power * nll, sign * power * first, power * (gamma * hit * (first - miss * nll + miss) + miss * hit)
    found = derivatives(lambda z: jaxloss.sigmoid_focal_loss(z, jnp.int32(label), gamma=gamma), logit)
    close(found, expected, rtol=2e-5)


@pytest.mark.parametrize("loss", [jaxloss.sigmoid_focal_loss, jaxloss.asymmetric_loss], ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("size", [1000.0, 1e30, inf])
def test_saturated_logits(loss, gamma, size):
    options = {"gamma": gamma}
    if loss is jaxloss.asymmetric_loss:
        options = {"gamma_positive": gamma, "gamma_negative": gamma, "clip": 0.0}
    for label, logit, expected in [
        (1, size, (0, 0, 0)),
        (0, -size, (0, 0, 0)),
        (1, -size, (size, -1, 0)),
        (0, size, (size, 1, 0)),
    ]:
        close(derivatives(lambda z, y=label: loss(z, jnp.int32(y), **options), logit), expected)
    half = derivatives(lambda z: loss(z, jnp.float32(0.25), **options), size)
    assert np.all(np.isfinite(half[1:]))


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}])
def test_focal_without_strength_is_binary_cross_entropy(options):
    logits = jnp.array([0.0, 3.0, -8.0, 40.0, -40.0, 1000.0])
    labels = jnp.array([0.0, 1.0, 0.3, 1.0, 1.0, 0.5])
    focal = jax.vmap(
        lambda z, y: jnp.stack(derivatives_of(lambda z: jaxloss.sigmoid_focal_loss(z, y, gamma=0.0, **options), z))
    )
    plain = jax.vmap(
        lambda z, y: jnp.stack(derivatives_of(lambda z: jaxloss.binary_cross_entropy_with_logits(z, y, **options), z))
    )
    close(focal(logits, labels), plain(logits, labels))


@pytest.mark.parametrize("loss", [jaxloss.binary_cross_entropy_with_logits, jaxloss.sigmoid_focal_loss])
@pytest.mark.parametrize("label", [0.0, 1.0])
@pytest.mark.parametrize("smoothing", [1e-3, 1e-5, 1e-7, 1e-10, 1e-30])
def test_smoothing_is_no_less_accurate_for_positives(loss, label, smoothing):
    """A label of 1 less a little rounds to 1, and the little is all that a confident loss consists of."""
    options = {} if loss is jaxloss.binary_cross_entropy_with_logits else {"gamma": 0.0}
    f = lambda z, y, e: loss(z, y, label_smoothing=e, **options)  # noqa: E731
    sign, e = 2 * label - 1, float(np.float32(smoothing))
    for size in (16.0, 40.0, 1e10, 1e30):
        found, slopes = jax.value_and_grad(f, (0, 1, 2))(*map(jnp.float32, (sign * size, label, smoothing)))
        agree, differ = np.logaddexp(0, -size), np.logaddexp(0, size)
        close(found, (1 - e / 2) * agree + e / 2 * differ, rtol=2e-6)
        slope = e / 2 * special.expit(size) - (1 - e / 2) * special.expit(-size)
        close(slopes, [sign * slope, -(1 - e) * sign * size, size / 2], rtol=1e-5)
    if options:  # the shares of the sides, and the strength
        z, gamma, alpha, minor = 16.0, 2.0, 0.25, e / 2
        found = loss(jnp.float32(sign * z), jnp.float32(label), label_smoothing=e, gamma=gamma, alpha=alpha)
        miss = (1 - minor) * special.expit(-z) + minor * special.expit(z)
        share = (alpha if label else 1 - alpha) * (1 - minor) + (1 - alpha if label else alpha) * minor
        nll = (1 - minor) * np.logaddexp(0, -z) + minor * np.logaddexp(0, z)
        close(found, share * miss**gamma * nll, rtol=2e-6)


@pytest.mark.parametrize("label", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("derive", [jax.grad, jax.jacfwd])
def test_smoothed_labels_of_infinite_logits(derive, smoothing, label):
    f = lambda y, z: jaxloss.binary_cross_entropy_with_logits(z, y, label_smoothing=smoothing)  # noqa: E731
    assert derive(f)(jnp.float32(label), jnp.float32(inf)) == (0 if smoothing == 1 else -inf)
    assert derive(f)(jnp.float32(label), jnp.float32(-inf)) == (0 if smoothing == 1 else inf)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("bad", [np.nan, inf, -inf, -1.0])
@pytest.mark.parametrize("shape", [(3,), (1, 3), (2, 3), ()])
def test_masked_positive_weights_reach_no_derivative(shape, bad, reduction):
    """Of a class that is masked entirely, or of one element; where all share one weight, all are masked."""
    weight, mask = np.full(shape, 2.0, np.float32), np.ones((2, 3), bool)
    weight[(..., -1) if shape else ()] = bad
    mask[:, -1 if shape else slice(None)] = False
    logits, labels = jnp.array([[1.0, 2, -1], [0, 3, 1]]), jnp.array([[1.0, 0, 1], [0, 1, 1]])

    def loss(e, z, w):
        return jaxloss.binary_cross_entropy_with_logits(
            z, labels, mask=mask, pos_weight=w, label_smoothing=e, reduction=reduction
        )

    arguments = jnp.float32(0.1), logits, jnp.array(weight)
    clean = jnp.float32(0.1), logits, jnp.full(shape, 2.0)
    found = jax.jit(lambda *x: [derive(loss, (0, 1, 2))(*x) for derive in (jax.grad, jax.jacfwd, jax.hessian)])
    jax.tree.map(np.testing.assert_array_equal, found(*arguments), found(*clean))


def derivatives_of(f, x):
    return f(x), jax.grad(f)(x), jax.grad(jax.grad(f))(x)


def test_focal_of_labels_in_between():
    """The definition for soft labels: one factor for both terms."""
    z, y, gamma, alpha = 1.3, 0.7, 2.0, 0.25
    p = special.expit(z)
    pt, share = y * p + (1 - y) * (1 - p), alpha * y + (1 - alpha) * (1 - y)
    expected = share * (1 - pt) ** gamma * -(y * np.log(p) + (1 - y) * np.log(1 - p))
    close(jaxloss.sigmoid_focal_loss(jnp.float32(z), jnp.float32(y), gamma=gamma, alpha=alpha), expected)


def test_negatives_below_the_clip_cost_nothing():
    clip = 0.05
    edge = float(special.logit(clip))
    loss = lambda z: jaxloss.asymmetric_loss(z, jnp.int32(0), clip=clip)  # noqa: E731
    assert derivatives(loss, edge - 0.01) == (0, 0, 0)
    assert derivatives(loss, -1000.0) == (0, 0, 0)
    assert loss(jnp.float32(edge + 0.5)) > 0
    close(derivatives(loss, 1000.0), ((1 - clip) ** 4 * -np.log(clip), 0, 0))


def test_asymmetric_loss_of_zeros_is_binary_cross_entropy():
    logits, labels = jnp.linspace(-30, 30, 13), jnp.linspace(0, 1, 13)
    zeros = {"gamma_positive": 0.0, "gamma_negative": 0.0, "clip": 0.0}
    ours, plain = (
        jax.value_and_grad(lambda z, f=f: jnp.sum(f(z)))(logits)
        for f in (
            lambda z: jaxloss.asymmetric_loss(z, labels, **zeros, **each),
            lambda z: jaxloss.binary_cross_entropy_with_logits(z, labels, **each),
        )
    )
    close(ours[0], plain[0])
    close(ours[1], plain[1], atol=1e-7)


# --- functions of the label's probability ------------------------------------------------------------------------


def taylor(n, order):
    return sum((-np.expm1(-n)) ** k / k for k in range(1, order + 1))


BENT = {
    "focal": (jaxloss.softmax_focal_loss, {"gamma": 2.0}, lambda n: (-np.expm1(-n)) ** 2 * n),
    "focal-half": (jaxloss.softmax_focal_loss, {"gamma": 0.5}, lambda n: (-np.expm1(-n)) ** 0.5 * n),
    "focal-none": (jaxloss.softmax_focal_loss, {"gamma": 0.0}, lambda n: n),
    "poly1": (jaxloss.poly1_cross_entropy, {"epsilon": 2.0}, lambda n: n - 2 * np.expm1(-n)),
    "poly1-quadratic": (
        jaxloss.poly1_cross_entropy,
        {"epsilon": -1.0},
        lambda n: n**2 / 2 if n < 1e-4 else n + np.expm1(-n),
    ),
    "generalized": (
        jaxloss.generalized_cross_entropy,
        {"q": 0.7},
        lambda n: -np.expm1(-np.float32(0.7) * n) / np.float32(0.7),
    ),
    "generalized-log": (jaxloss.generalized_cross_entropy, {"q": 0.0}, lambda n: n),
    "generalized-linear": (jaxloss.generalized_cross_entropy, {"q": 1.0}, lambda n: -np.expm1(-n)),
    "symmetric": (jaxloss.symmetric_cross_entropy, {"alpha": 0.5, "beta": 1.0}, lambda n: 0.5 * n - 4 * np.expm1(-n)),
    "taylor": (jaxloss.taylor_cross_entropy, {"order": 3}, lambda n: taylor(n, 3)),
}
bent = pytest.mark.parametrize("name", BENT)


def nll_of(gap):
    """Of the first of three classes that lies `gap` above the others."""
    return np.logaddexp(0, np.log(2) - gap)


@functools.cache
def bent_loss(name, one_hot):
    """Its derivatives by the gap and its curvature, compiled."""
    loss, options, _ = BENT[name]
    label = jnp.array([1.0, 0, 0]) if one_hot else jnp.int32(0)
    f = lambda z: loss(z, label, **options)  # noqa: E731
    by_gap = lambda gap: derivatives_of(lambda gap: f(jnp.stack([gap, 0 * gap, 0 * gap])), gap)  # noqa: E731
    return jax.jit(by_gap), jax.jit(jax.hessian(f))


@bent
@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("gap", [20.0, 9.0, 0.0, -3.0, -60.0, -1000.0])
def test_bent_cross_entropies(name, one_hot, gap):
    """Relative accuracy of value and gradient, however sure or wrong; a hard label and its one-hot form agree."""
    _, _, curve = BENT[name]
    value, slope, curvature = bent_loss(name, one_hot)[0](jnp.float32(gap))
    close(value, curve(nll_of(gap)), rtol=2e-5)
    step = 1e-4
    if abs(gap) < 20:
        expected = (curve(nll_of(gap + step)) - curve(nll_of(gap - step))) / (2 * step)
        close(slope, expected, rtol=1e-4)
    assert np.isfinite(curvature)


@bent
@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("gap", [20.0, 25.0])
def test_curvature_of_sure_rows(name, one_hot, gap):
    """There the loss goes like a power of the negative log-likelihood n, whose slope is (-2p, p, p)."""
    _, _, curve = BENT[name]
    hessian = bent_loss(name, one_hot)[1](jnp.array([gap, 0.0, 0.0]))
    p, n, slope = 0.5 * nll_of(gap), nll_of(gap), np.array([-2, 1, 1])
    power = {"focal": 3, "focal-half": 1.5, "poly1-quadratic": 2}.get(name, 1)
    curved = power * n ** (power - 1) * p * np.array([[2, -1, -1], [-1, 1, 0], [-1, 0, 1]])
    bent = power * (power - 1) * n ** (power - 2) * p**2 * np.outer(slope, slope)
    expected = curve(1e-3) / 1e-3**power * (curved + bent)
    close(hessian, expected, rtol=2e-3, atol=1e-3 * np.max(expected))  # the factor is that of n = 0 but for 1e-3


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("far", [-inf, -1e30, -1e19])
def test_curvature_of_focal_losses_beside_ruled_out_classes(gamma, far):
    loss = lambda z: jaxloss.softmax_focal_loss(z, jnp.array([1.0, 0.0, 0.0]), gamma=gamma)  # noqa: E731
    assert np.all(np.isfinite(jax.hessian(loss)(jnp.array([1.0, 0.0, far]))))


@bent
@pytest.mark.parametrize("one_hot", [False, True])
def test_ruled_out_classes(name, one_hot):
    loss, options, curve = BENT[name]
    as_label = lambda y: jax.nn.one_hot(y, 3) if one_hot else jnp.int32(y)  # noqa: E731
    logits = jnp.array([0.5, -inf, 0.0])
    value, slope = jax.value_and_grad(loss)(logits, as_label(0), **options)
    close(value, curve(np.log1p(np.exp(-0.5))))
    assert np.all(np.isfinite(slope)) and slope[1] == 0
    value, slope = jax.value_and_grad(loss)(logits, as_label(1), **options)
    assert value == np.float32(curve(inf))  # bounded, or infinite
    assert np.all(np.isfinite(slope))
    assert loss(jnp.array([inf, 0.0, 1.0]), as_label(0), **options) == 0


@bent
def test_slope_of_a_sure_row_with_other_labels(name):
    """What the labels beside the sure class leave over doesn't drown in its own."""
    loss, options, _ = BENT[name]
    labels = jnp.array([0.2, 0.3, 0.5])
    gradient = jax.grad(lambda z: loss(z, labels, **options))(jnp.array([20.0, 0.0, 0.0]))
    np.testing.assert_allclose(gradient[0], -(gradient[1] + gradient[2]), rtol=2e-2)


@pytest.mark.parametrize("nll", [0.01, 1.0, 30.0])
def test_generalized_cross_entropy_between_its_ends(nll):
    p = np.exp(-nll)
    logits = jnp.array([np.log(p / (1 - p)), 0.0], jnp.float32)
    f = lambda q: jaxloss.generalized_cross_entropy(logits, jnp.int32(0), q=q)  # noqa: E731
    close(f(1e-6), nll, rtol=1e-4)
    close(f(0.0), jaxloss.cross_entropy(logits, jnp.int32(0)))
    close(f(1.0), 0.5 * np.sum(abs(special.softmax(np.asarray(logits, np.float64)) - [1, 0])))
    close(jax.grad(f)(0.0), -(nll**2) / 2, rtol=1e-4)
    close(jax.jacfwd(f)(1e-3), (-np.expm1(-1e-3 * nll) / -1e-6) + nll * np.exp(-1e-3 * nll) / 1e-3, rtol=1e-3)


@pytest.mark.parametrize("q", [0.7, 1e-3, 1e-20, 0.0])
@pytest.mark.parametrize("nll", [1e18, 1e20, 1e30, inf])
def test_generalized_cross_entropy_of_what_is_impossible(nll, q):
    """Its limit, and that of its derivatives; what overflows is the largest number."""
    f = lambda z, q: jaxloss.generalized_cross_entropy(z, jnp.int32(1), q=q)  # noqa: E731
    z, q, most = jnp.array([0.0, -nll]), float(np.float32(q)), float(np.finfo(np.float32).max)
    value, (by_logit, by_q) = jax.value_and_grad(f, (0, 1))(z, q)
    bends = [jax.jacfwd(jax.grad(f, 1), 1)(z, jnp.float32(q)), jax.grad(jax.grad(f, 1), 1)(z, jnp.float32(q))]
    t = min(q * nll, 1e3) if q else 0.0
    if t < 0.1:  # by the first terms of the series
        expected = nll, np.exp(-t), -nll * nll / 2, nll * nll * nll / 3
    else:
        e = np.exp(-t)
        expected = (1 - e) / q, e, -(1 - e - t * e) / q / q, (2 * (1 - e - t * e) - t * t * e) / q / q / q
    rtol = 1e-5 + (t if t < 0.1 else 0)
    for found, wanted in zip((value, by_logit[0], by_q), expected):
        close(found, np.clip(wanted, -most, most) if np.isfinite(found) else wanted, rtol=rtol)
    close(bends, [min(expected[3], most)] * 2, rtol=rtol)


def test_focal_strength_of_what_is_nearly_impossible():
    """Where the probability of the others rounds to 1."""
    f = lambda gamma, z: jaxloss.softmax_focal_loss(z, jnp.int32(1), gamma=gamma)  # noqa: E731
    for gap in (0.5, 1.0, 20.0, 60.0):
        nll = np.logaddexp(0, gap)
        close(jax.grad(f)(2.0, jnp.array([0.0, -gap])), np.expm1(-nll) ** 2 * nll * np.log1p(-np.exp(-nll)), rtol=2e-5)


@pytest.mark.parametrize("name", ["focal", "poly1", "generalized", "symmetric", "taylor"])
def test_bent_cross_entropies_never_hold_a_one_hot(name):
    loss, options, _ = BENT[name]
    logits, labels = jnp.zeros((512, 32768)), jnp.zeros(512, jnp.int32)
    step = jax.jit(jax.value_and_grad(lambda z: loss(z, labels, **options)))
    assert step.lower(logits).compile().memory_analysis().temp_size_in_bytes < 0.02 * logits.nbytes


def test_taylor_cross_entropy_between_its_ends():
    logits, label = jnp.array([0.3, 1.0, -1.0]), jnp.int32(0)
    p = special.softmax(np.array([0.3, 1, -1]))
    close(jaxloss.taylor_cross_entropy(logits, label, order=1), 0.5 * abs(p - [1, 0, 0]).sum())
    close(jaxloss.taylor_cross_entropy(logits, label, order=200), -np.log(p[0]))


# --- bi-tempered -----------------------------------------------------------------------------------------------------


def bi_tempered(logits, label, t1, t2):
    logits = np.asarray(logits, np.float64)
    return formulas.bi_tempered(logits[None], np.array([label]), t1, t2)[0]


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize(("t1", "t2"), [(0.5, 1.5), (0.0, 4.0), (0.3, 0.7), (0.999, 1.001), (0.9, 2.5)])
@pytest.mark.parametrize(
    "logits", [[0.2, -1.0, 0.7], [30.0, 0.0, 1.0], [1000.0, 0.0, -5.0], [-4.0, 2.0, 2.0], [0.0] * 300]
)
def test_bi_tempered(one_hot, t1, t2, logits):
    t1, t2 = float(np.float32(t1)), float(np.float32(t2))
    label = jax.nn.one_hot(0, len(logits)) if one_hot else jnp.int32(0)
    value, slopes = jax.value_and_grad(jaxloss.bi_tempered_logistic_loss)(jnp.array(logits), label, t1=t1, t2=t2)
    # Bisection and the differences in float64 leave 1e-12.
    close(value, bi_tempered(logits, 0, t1, t2), rtol=2e-5, atol=1e-11)
    step = 1e-5 * np.eye(len(logits))[:3]
    expected = [(bi_tempered(logits + s, 0, t1, t2) - bi_tempered(logits - s, 0, t1, t2)) / 2e-5 for s in step]
    close(slopes[:3], expected, rtol=5e-3, atol=1e-6)


def test_bi_tempered_at_one_is_cross_entropy():
    logits = jnp.array([[2.0, -1.0, 0.5], [0.0, 20.0, 0.0], [-1000.0, 0.0, 1.0]])
    labels = jnp.array([0, 1, 0])
    ours, plain = (
        jax.value_and_grad(lambda z, f=f: jnp.sum(f(z)))(logits)
        for f in (
            lambda z: jaxloss.bi_tempered_logistic_loss(z, labels, t1=1.0, t2=1.0, **each),
            lambda z: jaxloss.cross_entropy(z, labels, **each),
        )
    )
    close(ours[0], plain[0])
    close(ours[1], plain[1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("classes", "t2"), [(1000, 80.0), (10, 250.0)])
def test_bi_tempered_takes_as_many_steps_as_it_needs(classes, t2, x64):
    """Equal logits have equal shares, whatever the temperature."""
    loss = jaxloss.bi_tempered_logistic_loss(jnp.zeros(classes), jnp.int32(0), t1=0.5, t2=t2)
    missing = 1 - classes**-0.5
    close(loss, missing / 0.5 - missing / 1.5, rtol=1e-9)


@pytest.mark.parametrize(("t1", "t2"), [(1.0, 1.0), (0.5, 1.0), (1.0, 1.5)])
def test_temperatures_are_differentiable_at_one(t1, t2):
    logits, step = [0.2, -1.0, 0.7], 1e-3
    f = lambda t1, t2: jaxloss.bi_tempered_logistic_loss(jnp.array(logits), jnp.int32(0), t1=t1, t2=t2)  # noqa: E731
    reference = lambda t1, t2: bi_tempered(logits, 0, t1, t2)  # noqa: E731
    # Differences from points on either side of 1, where the reference divides 0 by 0.
    expected = [
        (reference(t1 + step, t2 + 1e-5) - reference(t1 - step, t2 + 1e-5)) / (2 * step),
        (reference(t1 + 1e-5, t2 + step) - reference(t1 + 1e-5, t2 - step)) / (2 * step),
    ]
    close(jax.grad(f, (0, 1))(t1, t2), expected, rtol=2e-4)


def test_wrong_labels_cost_a_bounded_amount():
    far = jnp.array([-1e6, 0.0])
    f = lambda z, **options: jaxloss.bi_tempered_logistic_loss(z, jnp.int32(0), **options)  # noqa: E731
    value, slope = jax.value_and_grad(f)(far, t1=0.8, t2=1.0)
    close(value, 1 / (1 - np.float32(0.8)) - 0 * far[0], rtol=1e-4)
    assert not np.any(slope)
    assert f(jnp.array([-inf, 0.0]), t1=0.5, t2=1.5) == 2
    value, slope = jax.value_and_grad(f)(jnp.array([-inf, 0.0]), t1=1.0, t2=1.5)
    assert value == inf and not np.any(np.isnan(slope))
    assert f(jnp.array([inf, 0.0]), t1=0.5, t2=1.5) == 0
    assert f(jnp.array([3.0]), t1=0.5, t2=1.5) == 0


def test_temperature_of_a_label_far_off():
    slope = jax.grad(lambda t2: jaxloss.bi_tempered_logistic_loss(jnp.array([-1e6, 0]), jnp.int32(0), t1=0.5, t2=t2))
    far = lambda t2: bi_tempered([-1e6, 0.0], 0, 0.5, t2)  # noqa: E731
    close(slope(3.0), (far(3.001) - far(2.999)) / 0.002, rtol=1e-3)


@pytest.mark.parametrize("gap", [1e10, 1e20, 1e25, 1e30])
@pytest.mark.parametrize(("t1", "t2"), [(0.9, 2.0), (1.0, 2.0), (0.9, 3.0)])
def test_bi_tempered_of_a_label_next_to_impossible(t1, t2, gap):
    """The other class is all but sure, so that ``log p`` is that of one ``exp_t``."""
    t1 = float(np.float32(t1))
    f = lambda z, t2: jaxloss.bi_tempered_logistic_loss(z, jnp.int32(0), t1=t1, t2=t2)  # noqa: E731
    z, u = jnp.array([0.0, gap]), t2 - 1
    log_p = -np.log1p(u * gap) / u
    by_t2 = (np.log1p(u * gap) - u * gap / (1 + u * gap)) / u**2
    pull = np.exp((1 - t1) * log_p)
    value, (by_logit, by_t) = jax.value_and_grad(f, (0, 1))(z, t2)
    close(value, special.boxcox(np.exp(-log_p), t1 - 1) if t1 < 1 else -log_p, rtol=1e-4)
    close(by_logit[0], -pull / (1 + u * gap), rtol=1e-4)
    close(by_t, -pull * by_t2, rtol=1e-4)
    forward, reverse = jax.jacfwd(jax.grad(f, 1), 1)(z, t2), jax.grad(jax.grad(f, 1), 1)(z, t2)
    bend = 2 / u**3 * (u * gap / (1 + u * gap) - np.log1p(u * gap)) + (u * gap / (1 + u * gap)) ** 2 / u**3
    close([forward, reverse], [-pull * (bend + (1 - t1) * by_t2**2)] * 2, rtol=1e-3)


def test_normalizers_that_overflow_are_never_plausible():
    f = lambda z: jaxloss.bi_tempered_logistic_loss(z, jnp.int32(0), t1=0.5, t2=40.0)  # noqa: E731
    value, slope = jax.value_and_grad(f)(jnp.zeros(10))
    assert np.isnan(value) and np.all(np.isnan(slope))


def test_tails_that_end():
    """Below a temperature of 1 a class far from the best has no probability at all, and no pull."""
    value, slope = jax.value_and_grad(jaxloss.bi_tempered_logistic_loss)(
        jnp.array([5.0, 0.0, 0.0]), jnp.int32(0), t1=0.5, t2=0.5
    )
    assert value == 0 and not np.any(slope)


# --- ordinal, class weights ----------------------------------------------------------------------------------------


def test_coral_adds_up_its_thresholds():
    logits = jnp.array([[20.0, 3.0, -1000.0], [-inf, 0.0, inf]])
    losses = jaxloss.coral_loss(logits, jnp.array([2, 3]), **each)
    close(losses[0], np.log1p(np.exp(-20)) + np.log1p(np.exp(-3)))
    assert losses[1] == inf
    slopes = jax.grad(lambda z: jaxloss.coral_loss(z, jnp.array([2, 3]), reduction="sum"))(logits)
    close(slopes[0], [-special.expit(-20.0), -special.expit(-3.0), 0])
    assert np.all(np.isfinite(slopes))


def test_coral_without_thresholds():
    np.testing.assert_array_equal(jaxloss.coral_loss(jnp.zeros((2, 0)), jnp.array([0, 1]), **each), [0, np.nan])


def test_coral_of_two_classes_is_binary():
    logits = jnp.array([0.3, -2.0, 4.0])
    close(
        jaxloss.coral_loss(logits[:, None], jnp.array([True, False, False]), **each),
        jaxloss.binary_cross_entropy_with_logits(logits, jnp.array([1, 0, 0]), **each),
    )


def test_class_balanced_weights():
    counts = np.array([1000, 100, 10, 1, 0])
    for beta in (0.0, 0.9, 0.9999):
        weights = np.asarray(jaxloss.class_balanced_weights(jnp.array(counts), beta=beta))
        b = float(np.float32(beta))
        raw = np.append(((1 - b) / (1 - b ** counts[:4].astype(float))), 0)
        close(weights, raw * 5 / raw.sum(), rtol=2e-6)
    weights = jaxloss.class_balanced_weights(jnp.array([1e12, 1e6, 1.0]), beta=0.9999)
    assert np.all(np.isfinite(weights)) and np.all(weights > 0)
    close(jaxloss.class_balanced_weights(jnp.zeros(3, jnp.int32)), [0, 0, 0])
    close(jax.grad(lambda beta: jaxloss.class_balanced_weights(jnp.array([5, 1]), beta=beta)[0])(0.0), -0.5)
    assert np.isnan(jaxloss.class_balanced_weights(jnp.array([2.0, -1.0]))).all()
    with pytest.raises(ValueError, match=r"^class_balanced_weights: counts must lie in \[0, inf\), got -1.0 at index"):
        jaxloss.checked(jaxloss.class_balanced_weights)(jnp.array([2.0, -1.0]))
    counts = jax.ShapeDtypeStruct(jax.export.symbolic_shape("classes"), jnp.float32)
    exported = jax.export.export(jax.jit(jaxloss.class_balanced_weights))(counts)
    close(exported.call(jnp.array([3.0, 1.0])), jaxloss.class_balanced_weights(jnp.array([3.0, 1.0])), rtol=1e-7)


@pytest.mark.thin(1)
@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda z, y: jaxloss.taylor_cross_entropy(z, y, order=0), "order must be an integer of at least 1, got 0"),
        (lambda z, y: jaxloss.taylor_cross_entropy(z, y, order=2.0), "order must be an integer of at least 1, got 2.0"),
        (lambda z, y: jaxloss.softmax_focal_loss(z, y, gamma=-1.0), "gamma must lie in [0, inf), got -1.0"),
        (lambda z, y: jaxloss.generalized_cross_entropy(z, y, q=1.5), "q must lie in [0, 1], got 1.5"),
        (lambda z, y: jaxloss.symmetric_cross_entropy(z, y, log_zero=0.5), "log_zero must lie in (-inf, 0], got 0.5"),
        (
            lambda z, y: jaxloss.bi_tempered_logistic_loss(z, y, t1=1.2, t2=1.0),
            "t1 must lie in [0, 1], got 1.2",
        ),
        (
            lambda z, y: jaxloss.bi_tempered_logistic_loss(z, y, t1=0.5, t2=0.0),
            "t2 must lie in (0, inf), got 0.0",
        ),
        (lambda z, y: jaxloss.asymmetric_loss(z, z * 0, clip=-0.1), "clip must lie in [0, 1], got -0.1"),
        (
            lambda z, y: jaxloss.coral_loss(z, z),
            "labels must be integers, got float32; cast with labels.astype(jnp.int32)",
        ),
        (
            lambda z, y: jaxloss.coral_loss(z, y[:1]),
            "labels must have the shape of logits without axis -1, (2,), got (1,)",
        ),
        (lambda z, y: jaxloss.class_balanced_weights(z), "counts must have shape (classes,), got (2, 3)"),
        (lambda z, y: jaxloss.class_balanced_weights(y, beta=1.0), "beta must lie in [0, 1), got 1.0"),
        (
            lambda z, y: jaxloss.class_balanced_weights(y, beta=0.99999999),
            "beta must lie in [0, 1), got 0.99999999; rounded to the dtype of the loss it does not",
        ),
    ],
)
def test_messages(call, says):
    with pytest.raises((ValueError, TypeError)) as error:
        call(jnp.zeros((2, 3)), jnp.array([0, 1]))
    assert str(error.value).split(": ", 1)[1] == says


# --- derivatives in options and labels -------------------------------------------------------------------------------


def central(f, x, step=1e-5):
    return (f(x + step) - f(x - step)) / (2 * step)


@pytest.mark.parametrize("derive", [jax.grad, jax.jacfwd])
@pytest.mark.parametrize("logit", [-3.0, 0.4, 2.0])
def test_sigmoid_focal_in_its_strength_and_labels(derive, logit):
    f = lambda y, gamma: formulas.sigmoid_focal(np.array(logit), np.array(y), gamma)  # noqa: E731
    loss = lambda y, gamma: jaxloss.sigmoid_focal_loss(jnp.float32(logit), y, gamma=gamma)  # noqa: E731
    by_label, by_gamma = derive(loss, (0, 1))(jnp.float32(0.3), 1.5)
    close(by_label, central(lambda y: f(y, 1.5), 0.3), rtol=1e-4)
    close(by_gamma, central(lambda gamma: f(0.3, gamma), 1.5), rtol=1e-4)


@pytest.mark.parametrize("logit", [-2.0, 0.4, 3.0])
def test_asymmetric_loss_in_its_options(logit):
    f = lambda *options: formulas.asymmetric(np.array(logit), np.array(0.3), *options)  # noqa: E731
    names, at = ("gamma_positive", "gamma_negative", "clip"), (1.5, 2.5, 0.05)
    slopes = jax.grad(lambda options: jaxloss.asymmetric_loss(jnp.float32(logit), jnp.float32(0.3), **options))(
        dict(zip(names, at))
    )
    for place, name in enumerate(names):
        expected = central(lambda x, place=place: f(*at[:place], x, *at[place + 1 :]), at[place])
        close(slopes[name], expected, rtol=1e-4)


@pytest.mark.parametrize("loss", [jaxloss.sigmoid_focal_loss, jaxloss.asymmetric_loss], ids=lambda loss: loss.__name__)
@pytest.mark.parametrize("label", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("logit", [inf, -inf, 1e30])
def test_options_of_infinite_logits_are_never_nan(loss, label, logit):
    options = {"gamma": 2.0}
    if loss is jaxloss.asymmetric_loss:
        options = {"gamma_positive": 1.0, "gamma_negative": 4.0, "clip": 0.0}
    slopes = jax.grad(lambda options: loss(jnp.float32(logit), jnp.float32(label), **options))(options)
    assert not any(np.isnan(slope) for slope in slopes.values())


@pytest.mark.parametrize("name", ["focal", "poly1", "generalized", "symmetric"])
@pytest.mark.parametrize("derive", [jax.grad, jax.jacfwd])
def test_bent_cross_entropies_in_options_and_labels(name, derive):
    loss, options, curve = BENT[name]
    logits, labels = jnp.array([0.5, -1.0, 0.0]), jnp.array([0.2, 0.5, 0.3])
    nll = -special.log_softmax(np.asarray(logits, np.float64))
    close(derive(lambda y: loss(logits, y, **options))(labels), curve(nll))
    formula = {
        "focal": formulas.softmax_focal,
        "poly1": formulas.poly1,
        "generalized": formulas.generalized,
        "symmetric": lambda z, y, **options: formulas.symmetric(z, y, **{"log_zero": -4.0, **options}),
    }[name]
    arguments = np.asarray(logits, np.float64), np.asarray(labels, np.float64)
    slopes = derive(lambda options: loss(logits, labels, **options))(options)
    for key, x in options.items():
        close(slopes[key], central(lambda x, key=key: formula(*arguments, **{**options, key: x}), x), rtol=1e-4)


@pytest.mark.exhaustive
def test_temperatures_of_ruled_out_classes():
    f = lambda z, t1, t2: jaxloss.bi_tempered_logistic_loss(z, jnp.int32(0), t1=t1, t2=t2)  # noqa: E731
    slopes = jax.grad(f, (0, 1, 2))(jnp.array([1.0, -inf, 0.5]), 0.5, 1.5)
    expected = jax.grad(f, (0, 1, 2))(jnp.array([1.0, 0.5]), 0.5, 1.5)
    close(slopes[0], [expected[0][0], 0, expected[0][1]])
    close(slopes[1:], expected[1:])
    value, slope = jax.value_and_grad(f)(jnp.full(3, -inf), 0.5, 1.5)
    assert np.isfinite(value) and value > 0 and not np.any(slope)


def test_smoothed_focal_loss_that_focuses_on_nothing_is_the_cross_entropy():
    logits, labels = jnp.array([-3.0, 0.5, 40.0, 40.0]), jnp.array([1, 0, 1, 0])
    found = jaxloss.sigmoid_focal_loss(logits, labels, alpha=None, gamma=0.0, label_smoothing=1e-6, reduction="none")
    wide, smoothed = np.float64(logits), np.abs(np.float64(labels) - 0.5e-6)
    expected = smoothed * np.log1p(np.exp(-wide)) + (1 - smoothed) * (wide + np.log1p(np.exp(-wide)))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
