"""Preferences at their extremes, against float64."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss

from ..harness.bends import sigmoid
from ..harness.numbers import F32, close, dtypes
from . import formulas


pytestmark = pytest.mark.thin(4)
INF = np.inf
LN2, A40, A50 = np.log(2), np.exp(-40), np.exp(-50)
dpo, cpo, orpo, kto, bradley_terry = (
    getattr(jaxloss, f"{name}_loss") for name in ("dpo", "cpo", "orpo", "kto", "bradley_terry")
)


@functools.cache
def program(loss, names, choices):
    total = lambda x: loss(**x, **dict(choices), reduction="sum")  # noqa: E731
    return jax.jit(lambda x: (total(x), jax.grad(total)(x), jax.jacfwd(total)(x)))


def derived(loss, *pair, **options):
    """The loss of a pair, and its slopes by both of it and by the options that are numbers, the same in both modes."""
    scored = "scores" if loss is bradley_terry else "log_probs"
    first, second = f"chosen_{scored}", f"rejected_{scored}"
    choices = tuple((name, x) for name, x in options.items() if isinstance(x, str))
    numbers = {name: x for name, x in options.items() if not isinstance(x, str)}
    x = {name: jnp.asarray(x, F32) for name, x in {first: pair[0], second: pair[1], **numbers}.items()}
    value, reverse, forward = program(loss, tuple(x), choices)(x)
    for name in x:
        close(reverse[name], forward[name], err_msg=name)
    short = {first: "w", second: "l"}
    return float(value), {short.get(name, name): float(slope) for name, slope in reverse.items()}


def ratio(*pair, **options):
    """`dpo_loss` of log-ratios."""
    return derived(of_ratios, *pair, **options)


def of_ratios(chosen_log_probs, rejected_log_probs, **options):
    zero = jnp.zeros_like(chosen_log_probs)
    return dpo(chosen_log_probs, rejected_log_probs, zero, zero, **options)


# --- DPO and CPO -------------------------------------------------------------------------------------------------


# By log-ratios and options: the loss and its slopes by both.
PAIRS = [
    ((0, 0), {}, LN2, -0.05, 0.05),
    ((-300, -300), {}, LN2, -0.05, 0.05),
    ((300, -300), {}, np.log1p(np.exp(-60)), -0.1 * np.exp(-60), 0.1 * np.exp(-60)),
    ((-300, 300), {}, 60, -0.1, 0.1),
    ((-INF, 0), {}, INF, -0.1, 0.1),
    ((0, -INF), {}, 0, 0, 0),
    ((-INF, -INF), {}, LN2, -0.05, 0.05),
    ((-1e30, 0), {}, 1e29, -0.1, 0.1),
    ((1e30, 0), {}, 0, 0, 0),
    ((-INF, 0), {"label_smoothing": 0.25}, INF, -0.075, 0.075),
    ((0, -INF), {"label_smoothing": 0.25}, INF, 0.025, -0.025),
    ((0, -INF), {"label_smoothing": 0.0}, 0, 0, 0),
    ((-INF, 0), {"label_smoothing": 1.0}, 0, 0, 0),
    ((600, 0), {"label_smoothing": 1e-9}, 6e-8, 1e-10, -1e-10),
    ((-INF, 0), {"variant": "hinge"}, INF, -0.1, 0.1),
    ((0, -INF), {"variant": "hinge"}, 0, 0, 0),
    ((-1e30, 0), {"variant": "hinge"}, 1e29, -0.1, 0.1),
    ((5.0625, 0), {"variant": "ipo"}, 0.0625**2, 0.125, -0.125),
    ((-1e15, 0), {"variant": "ipo"}, 1e30, -2e15, 2e15),
    ((-INF, 0), {"variant": "robust", "label_smoothing": 0.25}, INF, -0.15, 0.15),
    ((0, -INF), {"variant": "robust", "label_smoothing": 0.25}, -INF, -0.05, 0.05),
    ((-1e30, 0), {"variant": "robust", "label_smoothing": 0.25}, 1.5e29, -0.15, 0.15),
    ((INF, 0), {"variant": "exo"}, -np.log1p(-1e-3), 0, 0),
    ((-INF, 0), {"variant": "exo"}, -np.log(1e-3), 0, 0),
    ((1e30, 0), {"variant": "exo", "label_smoothing": 1e-9}, 1e-9, 0, 0),
    ((-3000, 0), {"variant": "exo", "label_smoothing": 0.25}, np.log(4), 0, 0),
    ((400, 0), {"variant": "nca"}, 20 + LN2 / 2, 0.05, 0.025),
    ((-INF, 0), {"variant": "nca"}, INF, -0.1, 0.025),
    ((400, -400), {"variant": "apo_zero"}, 2 * np.exp(-40), -0.1 * np.exp(-40), 0.1 * np.exp(-40)),
    ((INF, -INF), {"variant": "apo_zero"}, 0, 0, 0),
    ((-INF, INF), {"variant": "apo_zero"}, 2, 0, 0),
    ((-400, -900), {"variant": "apo_down"}, A40 + A50, 0.1 * (A40 - A50), 0.1 * A50),
    ((-INF, -INF), {"variant": "apo_down"}, 0.5, -0.025, 0.025),
    ((0, -300), {"divergence": "forward_kl"}, 0, 0, 0),
    ((-300, 0), {"divergence": "forward_kl"}, INF, -INF, 0.1),
    ((-300, -300), {"divergence": "forward_kl"}, LN2, -INF, INF),
    ((0, -INF), {"divergence": "forward_kl"}, 0, 0, 0),
    ((-INF, 0), {"divergence": "forward_kl"}, INF, -INF, 0.1),
    ((INF, 0), {"divergence": "forward_kl"}, np.log1p(np.exp(-0.1)), 0, 0.1 * sigmoid(-0.1)),
    ((-300, 300), {"divergence": "js"}, 30, -0.1, 0),
    ((-INF, 0), {"divergence": "js"}, INF, -0.1, 0.05),
    ((-INF, -INF), {"divergence": "js"}, LN2, -0.05, 0.05),
    ((0, -300), {"divergence": "alpha", "alpha": 1.5}, 0, 0, 0),
    ((-300, -INF), {"divergence": "alpha", "alpha": 1.5}, 0, 0, 0),
    ((300, 0), {"divergence": "alpha", "alpha": -1.5}, 0, 0, 0),
    ((0, 300), {"divergence": "alpha", "alpha": -1.5}, INF, -0.1, INF),
    ((-1e30, 0), {"divergence": "alpha", "alpha": 0.0}, 1e29, -0.1, 0.1),
    ((-INF, 0), {"divergence": "alpha", "alpha": 0.0}, INF, -0.1, 0.1),
    ((0, -INF), {"divergence": "alpha", "alpha": 0.0}, 0, 0, 0),
]


@pytest.mark.parametrize(("pair", "options", "value", "by_w", "by_l"), PAIRS, ids=str)
def test_pairs(pair, options, value, by_w, by_l):
    loss, slopes = ratio(*pair, **options)
    close(loss, value, rtol=3e-5)
    close([slopes["w"], slopes["l"]], [by_w, by_l], rtol=3e-5, atol=1e-37)
    assert not np.isnan([*slopes.values()]).any()


@pytest.mark.parametrize("alpha", [0.0, 1e-30, 1e-6, -1e-6, 1e-3, 0.5, -0.5, 1.0, -2.0])
@pytest.mark.parametrize(("a", "b"), [(-0.5, -0.5001), (3.0, -2.0), (-2.0, 3.0), (20.0, 21.0)])
def test_powers_near_each_other_and_near_the_logarithm(a, b, alpha):
    """By an integral in float64, which doesn't cancel."""
    a, b, alpha = (float(np.float32(x)) for x in (a, b, alpha))
    places, shares = np.polynomial.legendre.leggauss(64)
    t = (a + b) / 2 + (a - b) / 2 * places
    gap = (shares * np.exp(-alpha * t)).sum() * (a - b) / 2
    bend = -(shares * t * np.exp(-alpha * t)).sum() * (a - b) / 2
    center = 10.0  # IPO's, where the loss is the square of what the gap is off
    loss, slopes = derived(cpo, a, b, beta=0.05, variant="ipo", alpha=alpha)
    close(loss, (gap - center) ** 2, rtol=1e-5)
    off = 2 * (gap - center)
    close([slopes["w"], slopes["l"]], [off * np.exp(-alpha * a), -off * np.exp(-alpha * b)], rtol=1e-5)
    close(slopes["alpha"], off * bend, rtol=1e-4, atol=1e-4 * abs(off))


def test_powers_keep_the_digits_of_a_small_gap():
    one, above = jnp.float32(-3.0), jnp.float32(-3.0) + jnp.float32(2**-21)
    loss = cpo(above, one, beta=1.0, variant="ipo", alpha=1.0, margin=-0.5)
    close(loss, (np.exp(3) * 2**-21) ** 2, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [1e-3, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("off", [0.0, 1e-3, -1e-3, 0.5, -0.999, 1.001, 5.0, -30.0])
def test_exo_is_a_divergence(smoothing, off):
    """Never negative, and with its digits where it is nearly 0."""
    e = float(np.float32(smoothing))
    t = np.log1p(-e) - np.log(e)
    x = float(np.float32(t + off))
    loss, slopes = derived(cpo, x, 0.0, beta=1.0, variant="exo", label_smoothing=smoothing)
    p, wide = np.longdouble(sigmoid(x)), np.longdouble(e)
    exact = float(p * np.log(p / (1 - wide)) + (1 - p) * np.log((1 - p) / wide))
    assert loss >= 0
    close(loss, exact, rtol=1e-3 if abs(off) == 1e-3 else 2e-5, atol=1e-13)
    close(slopes["w"], sigmoid(x) * sigmoid(-x) * (x - t), rtol=1e-3 if abs(off) < 0.1 else 1e-5, atol=1e-7)
    close(slopes["label_smoothing"], sigmoid(x) / (1 - e) - sigmoid(-x) / e, rtol=1e-4, atol=2e-6 / min(e, 1 - e))


def test_exo_without_smoothing():
    """Infinite unless all of it is on the chosen answer."""
    for x, e, value in ((INF, 0.0, 0), (0.0, 0.0, INF), (-INF, 1.0, 0), (0.0, 1.0, INF)):
        loss, slopes = ratio(x, 0.0, variant="exo", label_smoothing=e)
        assert loss == value and not np.isnan([*slopes.values()]).any()


def test_the_reference_is_subtracted_first():
    """What is near needs no rounding: 1e-3 at 1e4, where the numbers themselves have a step of 1e-3."""
    chosen, rejected = jnp.float32(-1e4), jnp.float32(-3e6)
    near, far = jnp.nextafter(chosen, 0.0), jnp.nextafter(rejected, 0.0)
    gap = float(near - chosen) - float(far - rejected)
    loss = dpo(near, far, chosen, rejected, variant="ipo", beta=0.5)
    close(loss, (gap - 1) ** 2, rtol=1e-6)


@dtypes
def test_half_precision_is_widened_before_anything_is_subtracted(dtype):
    x = [jnp.asarray(x, dtype) for x in ([-300.0, -7.3], [-302.0, -7.1], [-301.0, -7.2], [-301.5, -7.4])]
    losses, slope = jax.value_and_grad(lambda w: dpo(w, *x[1:], beta=0.5, reduction="sum"))(x[0])
    assert losses.dtype == F32 and slope.dtype == dtype
    close(losses, formulas.dpo(*(np.asarray(y.astype(F32), np.float64) for y in x), beta=0.5).sum(), rtol=1e-6)


# --- what is constant, and what is masked ------------------------------------------------------------------------


def test_references_are_constant():
    """So that the first step, where they are the policy, is a call with the same arrays."""
    w, l = jnp.array([-3.0, -5.0]), jnp.array([-4.0, -2.0])
    value, (by_w, by_l) = jax.value_and_grad(lambda w, l: dpo(w, l, w, l, reduction="sum"), (0, 1))(w, l)
    close(value, 2 * LN2)
    close(by_w, -0.05)
    close(by_l, 0.05)
    slopes = jax.jacfwd(lambda r, k: kto(w, r, jnp.array([1, 0]), kl=k), (0, 1))(l, 2.0)
    assert not any(map(np.any, slopes))
    slope = jax.grad(lambda w: kto(w, w, jnp.array([1, 1]), kl=jnp.sum(w), beta=0.5, reduction="sum"))(-w)
    close(slope, -0.5 * sigmoid(-4.0) * sigmoid(4.0))


CALLS = {
    "dpo": (dpo, 4, {"divergence": "forward_kl"}),
    "robust": (dpo, 4, {"variant": "robust", "label_smoothing": jnp.array([0.1, 0.2, jnp.nan])}),
    "cpo": (cpo, 2, {"margin": jnp.array([0.1, 0.2, jnp.inf])}),
    "orpo": (orpo, 2, {}),
    "kto": (kto, 3, {"kl": jnp.array([0.1, 0.2, jnp.nan])}),
    "bradley_terry": (bradley_terry, 2, {"centering": 0.1}),
}


@pytest.mark.parametrize("junk", [np.nan, INF, -INF, 1e38, 200.0])
@pytest.mark.parametrize("name", CALLS)
def test_masked_pairs_leave_no_trace(name, junk):
    loss, count, options = CALLS[name]
    x = [jnp.array([-0.3, -0.7]) + (0.1, 0.2, 1.0, 0.3)[i] for i in range(count)]
    dirty, mask = [jnp.append(x, junk) for x in x], jnp.array([True, True, False])
    clean = {key: x[:2] if np.ndim(x) else x for key, x in options.items()}
    with jax.debug_nans(True):
        kept = jax.value_and_grad(lambda x: loss(*x, **clean))(x)
        value, slopes = jax.value_and_grad(lambda x: loss(*x, mask=mask, **options))(dirty)
    close(value, kept[0])
    for found, wanted in zip(slopes, kept[1]):
        close(found, np.append(wanted, 0))
    assert loss(*dirty, mask=jnp.zeros(3, bool), **options) == 0


def test_a_nan_of_one_answer_spoils_the_slope_of_the_other():
    x = jnp.array([-0.5, -0.5])
    bad = jnp.array([jnp.nan, -0.25])
    for f in (
        *(functools.partial(of_ratios, variant=variant) for variant in ("sigmoid", "nca", "apo_zero", "apo_down")),
        functools.partial(of_ratios, divergence="forward_kl"),
        orpo,
        bradley_terry,
    ):
        slopes = jax.grad(lambda w, l, f=f: f(w, l, reduction="sum"), (0, 1))(x, bad)
        np.testing.assert_array_equal(np.isnan(slopes), [[True, False]] * 2)


# --- ORPO --------------------------------------------------------------------------------------------------------


PROBABLE = [-1e-30, -1e-8, -3e-5, -0.5, -0.69314, -0.69315, -5.0, -150.0, -700.0]


@pytest.mark.parametrize("w", PROBABLE)
@pytest.mark.parametrize("l", PROBABLE)
def test_odds(w, l):
    """The slopes by the chain rule in float64, which holds all of them."""
    loss, slopes = derived(orpo, w, l, beta=1.0, nll_weight=0.0)
    w, l = float(np.float32(w)), float(np.float32(l))
    gap = formulas.log_odds(w) - formulas.log_odds(l)
    close(loss, formulas.softplus(-gap), rtol=2e-5, atol=1e-37)
    steep = sigmoid(-gap) if gap < 700 else 0.0
    close([slopes["w"], slopes["l"]], [steep / np.expm1(w), -steep / np.expm1(l)], rtol=3e-5, atol=2e-38)


@pytest.mark.parametrize(
    ("w", "l", "value", "by_w", "by_l"),
    [
        (0.0, -0.5, 0.0, -1 / np.expm1(0.5), 0.0),
        (0.0, -INF, 0.0, 0.0, 0.0),
        (-0.5, 0.0, INF, 1 / np.expm1(-0.5), INF),
        (0.0, 0.0, LN2, -INF, INF),
        (-INF, -INF, LN2, -0.5, 0.5),
        (-INF, -0.5, INF, -1.0, 1 / -np.expm1(-0.5)),
        (-0.5, -INF, 0.0, 0.0, 0.0),
        (-INF, 0.0, INF, -1.0, INF),
    ],
)
def test_odds_at_the_ends(w, l, value, by_w, by_l):
    loss, slopes = derived(orpo, w, l, beta=1.0, nll_weight=0.0)
    close(loss, value)
    close([slopes["w"], slopes["l"]], [by_w, by_l])


def test_near_odds():
    """log1p(-exp(x)), as others have it, is 1e-3 off here."""
    loss, _ = derived(orpo, -3e-5, -2e-5, beta=1.0, nll_weight=0.0)
    close(loss, np.log1p(np.expm1(np.float64(np.float32(-3e-5))) / np.expm1(np.float64(np.float32(-2e-5)))))


def test_a_positive_log_probability_has_no_odds():
    x, bad = jnp.array([-0.5, -0.5]), jnp.array([0.5, -0.25])
    for pair, name in (((bad, x), "chosen_log_probs"), ((x, bad), "rejected_log_probs")):
        losses = orpo(*pair, reduction="none")
        slopes = jax.grad(lambda w, l: orpo(w, l, reduction="sum"), (0, 1))(*pair)
        np.testing.assert_array_equal(np.isnan([losses, *slopes]), [[True, False]] * 3)
        with pytest.raises(ValueError, match=rf"orpo_loss: {name} must be at most 0, got 0.5 at index \(0,\)$"):
            jaxloss.checked(orpo)(*pair)
    assert orpo(jnp.array([1e-7]), jnp.array([-INF])) == 0  # which is rounding


# --- KTO and Bradley-Terry ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gain", "label", "kl", "value", "slope"),
    [
        (40.0, 1, 0.0, np.exp(-40), -np.exp(-40)),
        (-40.0, 0, 0.0, np.exp(-40), np.exp(-40)),
        (42.0, 1, 2.0, np.exp(-40), -np.exp(-40)),
        (40.0, 1, -7.0, np.exp(-40), -np.exp(-40)),
        (INF, 1, 1.0, 0, 0),
        (-INF, 1, 1.0, 1, 0),
        (1e30, 0, 1.0, 1, 0),
        (0.0, True, 0.0, 0.5, -0.25),
        (0.0, 0.25, 0.0, 0.5, 0.125),
    ],
)
def test_kto(gain, label, kl, value, slope):
    f = lambda x: kto(x, jnp.float32(-3), jnp.asarray(label), kl=kl, beta=1.0)  # noqa: E731
    for derive in (jax.grad, jax.jacfwd):
        close([f(gain - 3.0), derive(f)(gain - 3.0)], [value, slope], rtol=2e-5)


def test_kto_of_an_answer_that_neither_can_give():
    value, slope = jax.value_and_grad(lambda x: kto(x, -jnp.inf, 1.0, kl=0.0, beta=1.0))(-jnp.inf)
    close([value, slope], [0.5, -0.25])


@pytest.mark.parametrize(
    ("w", "l", "options", "value", "by_w"),
    [
        (1e8 + 8, 1e8, {}, np.log1p(np.exp(-8)), -sigmoid(-8.0)),
        (1e8 + 8, 1e8, {"margin": 8.0, "label_smoothing": 0.25}, LN2, -0.25),
        (20.0, 0.0, {}, np.log1p(np.exp(-20)), -sigmoid(-20.0)),
        (-1e30, 0.0, {}, 1e30, -1.0),
        (INF, 0.0, {}, 0, 0),
        (-INF, 0.0, {"label_smoothing": 0.25}, INF, -0.75),
        (INF, INF, {}, LN2, -0.5),
        (-INF, -INF, {"label_smoothing": 0.25}, LN2, -0.25),
        (INF, -INF, {"centering": 0.5}, 0, 0),
        (3.0, 1.0, {"centering": 0.5}, 8 + np.log1p(np.exp(-2)), 4 - sigmoid(-2.0)),
        (600.0, 0.0, {"label_smoothing": 1e-9}, 6e-7, 1e-9),
    ],
    ids=str,
)
def test_bradley_terry(w, l, options, value, by_w):
    loss, slopes = derived(bradley_terry, w, l, **options)
    close(loss, value, atol=1e-37)
    close(slopes["w"], by_w, atol=1e-37)


# --- errors --------------------------------------------------------------------------------------------------------


GAPS = "'sigmoid', 'hinge', 'ipo', 'robust' or 'exo'"
VARIANTS = "'sigmoid', 'hinge', 'ipo', 'robust', 'exo', 'nca', 'apo_zero' or 'apo_down'"
WRONG = [
    (cpo, {"variant": "slic"}, f"variant must be {VARIANTS}, got 'slic'"),
    (of_ratios, {"variant": "slic"}, f"variant must be {VARIANTS}, got 'slic'"),
    (
        of_ratios,
        {"divergence": "kl"},
        "divergence must be 'reverse_kl', 'forward_kl', 'js' or 'alpha', got 'kl'",
    ),
    *(
        (
            of_ratios,
            {"variant": variant, name: x},
            f"variant must be {GAPS} where {name} is given, got '{variant}'",
        )
        for variant in ("nca", "apo_zero", "apo_down")
        for name, x in {"margin": 0.5, "divergence": "js"}.items()
    ),
    *(
        (
            of_ratios,
            {"divergence": divergence, "alpha": alpha},
            f"divergence must be 'alpha' where alpha is given, got '{divergence}'",
        )
        for divergence, alpha in (("reverse_kl", 0.5), ("js", 0.0), ("forward_kl", jnp.ones(())))
    ),
    (
        cpo,
        {"variant": "nca", "alpha": 0.5},
        f"variant must be {GAPS} where alpha is given, got 'nca'",
    ),
    *(
        (
            loss,
            {"variant": variant, "label_smoothing": 0.1},
            f"variant must be 'sigmoid', 'robust' or 'exo' where label_smoothing is given, got '{variant}'",
        )
        for loss in (of_ratios, cpo)
        for variant in ("hinge", "ipo", "nca", "apo_zero", "apo_down")
    ),
    *(
        (
            loss,
            {"variant": "robust"},
            "label_smoothing must lie in [0, 0.5) with variant='robust', got None; "
            "it is the share of pairs that are the wrong way round, such as 0.1",
        )
        for loss in (of_ratios, cpo)
    ),
    *(
        (
            loss,
            {"variant": "robust", "label_smoothing": smoothing},
            f"label_smoothing must lie in [0, 0.5) with variant='robust', got {smoothing}",
        )
        for loss in (of_ratios, cpo)
        for smoothing in (0.5, 1, np.float32(0.75))
    ),
    (cpo, {"label_smoothing": 1.5}, "label_smoothing must lie in [0, 1], got 1.5"),
    (cpo, {"beta": 0.0}, "beta must lie in (0, inf), got 0.0"),
    (cpo, {"alpha": INF}, "alpha must lie in (-inf, inf), got inf"),
    (orpo, {"nll_weight": -1.0}, "nll_weight must lie in [0, inf), got -1.0"),
    (bradley_terry, {"centering": -1.0}, "centering must lie in [0, inf), got -1.0"),
    (
        cpo,
        {"margin": np.zeros((3, 1), np.float32)},
        "margin must be a scalar or match the chosen_log_probs, of shape (3,), axis by axis (each dimension equal or "
        "1), got shape (3, 1); reshape it to (3,)",
    ),
    (
        bradley_terry,
        {"margin": np.zeros(2, np.float32)},
        "margin must be a scalar or match the chosen_scores, of shape (3,), axis by axis (each dimension equal or 1), "
        "got shape (2,)",
    ),
]


@pytest.mark.thin(1)
@pytest.mark.parametrize(("loss", "options", "says"), WRONG, ids=map(str, range(len(WRONG))))
def test_errors(loss, options, says):
    x = -jnp.ones(3)
    with pytest.raises(ValueError) as error:
        loss(x, x, **options)
    assert str(error.value) == f"{'dpo_loss' if loss is of_ratios else loss.__name__}: {says}"


def test_shapes_that_do_not_fit():
    x = -jnp.ones((3, 1))
    for loss, count, last in (
        (dpo, 4, "reference_rejected_log_probs must have the shape of chosen_log_probs"),
        (cpo, 2, "rejected_log_probs must have the shape of chosen_log_probs"),
        (orpo, 2, "rejected_log_probs must have the shape of chosen_log_probs"),
        (functools.partial(kto, kl=0.0), 3, "labels must have the shape of log_probs"),
        (bradley_terry, 2, "rejected_scores must have the shape of chosen_scores"),
    ):
        with pytest.raises(ValueError, match=rf"{last}, \(3, 1\), got \(3,\); reshape it to \(3, 1\)"):
            loss(*[x] * (count - 1), x[:, 0])
        with pytest.raises(TypeError, match="must be floating point, got int32; cast with"):
            loss(*[x.astype(jnp.int32)] * count)


def test_kl_has_no_default():
    with pytest.raises(TypeError, match=r"kto_loss: missing a required .*'kl'"):
        kto(jnp.zeros(2), jnp.zeros(2), jnp.ones(2))


def test_a_smoothing_that_shows_too_late_to_raise():
    x, smoothing = -jnp.ones(2), jnp.array([0.25, 0.5])
    f = lambda x, **e: cpo(x, 2 * x, variant="robust", **e, reduction="none")  # noqa: E731
    np.testing.assert_array_equal(np.isnan(f(x, label_smoothing=smoothing)), [False, True])
    np.testing.assert_array_equal(np.isnan(jax.grad(lambda x: f(x, label_smoothing=smoothing).sum())(x)), [False, True])
    with pytest.raises(ValueError, match=r"cpo_loss: label_smoothing must lie in \[0, 0.5\), got 0.5 at index \(1,\)"):
        jaxloss.checked(f)(x, label_smoothing=smoothing)


# --- relations -----------------------------------------------------------------------------------------------------


def test_one_loss_as_another():
    rng = np.random.default_rng(0)
    w, l, rw, rl = (jnp.asarray(rng.normal(size=5), F32) for _ in range(4))
    none = {"reduction": "none"}
    ratios = dpo(w, l, rw, rl, beta=0.5, margin=0.2, label_smoothing=0.1, **none)
    close(ratios, cpo(w - rw, l - rl, beta=0.5, margin=0.2, label_smoothing=0.1, **none))
    scores = bradley_terry(0.5 * (w - rw), 0.5 * (l - rl), margin=0.2, label_smoothing=0.1, **none)
    close(ratios, scores)
    powers = functools.partial(dpo, w, l, rw, rl, divergence="alpha", **none)
    close(powers(alpha=0.0), dpo(w, l, rw, rl, **none))
    close(powers(alpha=1.0), dpo(w, l, rw, rl, divergence="forward_kl", **none))
    singles = [kto(x, r, jnp.full(5, y), kl=0.0, **none) for x, r, y in ((w, rw, True), (l, rl, False))]
    close(singles[0] + singles[1], dpo(w, l, rw, rl, variant="apo_zero", **none))
