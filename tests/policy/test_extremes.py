"""Losses of policies at their extremes, against float64: of ratios that overflow nothing reaches a derivative."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss

from ..harness.numbers import F32, close, dtypes, each
from .formulas import clipped_value, ppo_clip


pytestmark = pytest.mark.thin(4)
INF, LARGEST = np.inf, float(np.finfo(np.float32).max)
ppo = jaxloss.ppo_clip_loss
OFF = [-300.0, -200.0, -1.0, -0.1, 0.0, 0.1, 1.0, 200.0, 300.0]
SECOND = {"forward over reverse": jax.hessian, "reverse over reverse": lambda f: jax.jacrev(jax.jacrev(f))}
seconds = pytest.mark.parametrize("second", SECOND.values(), ids=SECOND)


def of(loss, *arguments, **options):
    """The loss of one element as a function of its log-probability."""
    return lambda log_prob: loss(log_prob, *map(jnp.float32, arguments), **options)


# --- the clipped surrogate --------------------------------------------------------------------------------------------


def surrogate(d: float, advantage: float, dual_clip: float | None) -> tuple[float, float]:
    """Value and slope, which is that of the unclipped term wherever that one is taken."""
    with np.errstate(over="ignore"):
        ratio = np.exp(np.float64(np.float32(d)))
    if advantage == 0:
        return 0, 0
    least, most = (0, 1.2) if advantage > 0 else (0.8, dual_clip or INF)
    inside = least < ratio < most or most == INF == ratio
    return -advantage * min(max(ratio, least), most), -advantage * ratio if inside else 0


@pytest.mark.parametrize("dual_clip", [None, 3.0])
@pytest.mark.parametrize("advantage", [2.0, -2.0, 0.0])
def test_the_surrogate_of_every_ratio(advantage, dual_clip):
    """Naively, 0 times the slope of a ratio that overflows is NaN, where it is clipped and where A is 0."""
    values, slopes = np.array([surrogate(d, advantage, dual_clip) for d in OFF]).T
    losses, gradient = each(
        ppo, jnp.array(OFF, F32), jnp.zeros(len(OFF)), jnp.full(len(OFF), advantage), dual_clip=dual_clip
    )
    close(losses, np.where(values > LARGEST, INF, values), atol=1e-37)
    close(gradient, np.where(slopes > LARGEST, INF, slopes), atol=1e-37)
    assert np.any(np.isinf(losses)) == (advantage < 0 and dual_clip is None)


@seconds
@pytest.mark.parametrize("advantage", [2.0, -2.0, 0.0])
def test_curvature_of_the_surrogate(advantage, second):
    found = jax.jit(jax.vmap(second(of(ppo, 0, advantage, dual_clip=3.0))))(jnp.array(OFF, F32))
    close(found, [surrogate(d, advantage, 3.0)[1] for d in OFF], atol=1e-37)  # of an exponential: its slope


def test_on_policy():
    """The same array twice: nothing reaches it as the old one."""
    log_probs, advantages = jnp.array([-1.0, -2.0, -300.0]), jnp.array([2.0, -3.0, 0.0])
    value, gradient = jax.value_and_grad(lambda x: ppo(x, x, advantages, reduction="sum"))(log_probs)
    assert value == 1
    np.testing.assert_array_equal(gradient, -advantages)


def test_without_a_lower_bound():
    losses, gradient = each(ppo, jnp.array([-5.0, -200.0]), jnp.zeros(2), jnp.full(2, -2.0), epsilon_low=2.0)
    close(losses, 2 * np.exp([-5.0, -200]), atol=1e-37)
    close(gradient, 2 * np.exp([-5.0, -200]), atol=1e-37)


def test_narrow_bounds_keep_their_digits():
    """Where sequences are clipped at 3e-4 and 4e-4; a bound of 1.0004 has 5e-5 of it wrong in float32."""
    bounds = {"epsilon_low": 3e-4, "epsilon_high": 4e-4}
    d = jnp.array([3.99905e-4, 3.99935e-4, -3.0003e-4, -3.0006e-4])  # beside log1p of each, by 1.5e-8
    _, gradient = each(ppo, d, jnp.zeros(4), jnp.array([1.0, 1, -1, -1]), **bounds)
    assert list(gradient != 0) == [True, False, True, False]


@pytest.mark.parametrize("dual_clip", [1.2, 1.5, 3.0])
def test_dual_clip_is_the_cap_of_the_unclipped_ratio(dual_clip):
    """TRL's ``delta``, wherever it is above the upper bound."""
    rng = np.random.default_rng(0)
    log_probs, old, advantages = rng.normal(size=(3, 500)).astype(np.float32)
    ratio = np.exp(log_probs.astype(np.float64) - old)
    capped = -np.minimum(np.minimum(ratio, dual_clip) * advantages, np.clip(ratio, 0.8, 1.2) * advantages)
    close(ppo(log_probs, old, advantages, dual_clip=dual_clip, reduction="none"), capped)


@pytest.mark.parametrize("loss", [ppo, jaxloss.cispo_loss])
def test_advantages_fit_axis_by_axis(loss):
    rng = np.random.default_rng(0)
    log_probs, old = rng.normal(size=(2, 4, 4)).astype(np.float32)
    by_row = rng.normal(size=(4, 1)).astype(np.float32)
    whole = loss(log_probs, old, np.broadcast_to(by_row, (4, 4)), reduction="none")
    np.testing.assert_array_equal(loss(log_probs, old, by_row, reduction="none"), whole)
    np.testing.assert_array_equal(loss(log_probs, old, by_row[:1], reduction="none")[0], whole[0])
    np.testing.assert_array_equal(
        loss(log_probs, old, 2.0, reduction="none"), loss(log_probs, old, np.full((4, 4), 2.0), reduction="none")
    )
    for wrong, remedy in ((by_row[:, 0], "(4, 1) or (1, 4)"), (by_row[:3, 0], None)):
        with pytest.raises(ValueError, match="advantages must be a scalar or match the log_probs") as error:
            loss(log_probs, old, wrong)
        assert str(error.value).endswith(f"; reshape it to {remedy}" if remedy else "got shape (3,)")


@pytest.mark.parametrize("loss", [ppo, jaxloss.cispo_loss, jaxloss.kl_estimate])
def test_equal_infinities_are_0_apart(loss):
    rest = () if loss is jaxloss.kl_estimate else (jnp.ones(2),)
    log_probs = jnp.array([-INF, INF])
    losses, gradient = each(loss, log_probs, log_probs, *rest)
    close(losses, {ppo: [-1, -1], jaxloss.cispo_loss: [INF, -INF]}.get(loss, [0, 0]))
    close(gradient, [-1, -1] if rest else [0, 0])


# --- a ratio that is constant -----------------------------------------------------------------------------------------


def test_cispo_clips_the_ratio_and_loses_no_action():
    losses, gradient = each(
        jaxloss.cispo_loss,
        jnp.array([200.0, -200, 0.5, 200, -INF]),
        jnp.zeros(5),
        jnp.array([2.0, 2, 2, 0, 1]),
        min_ratio=0.5,
    )
    close(losses, [-2000, 200, -np.exp(0.5), 0, INF])
    close(gradient, [-10, -1, -2 * np.exp(0.5), 0, -0.5])


@seconds
def test_the_ratio_is_constant_in_second_order_too(second):
    for x in (0.3, 200, -200):
        assert second(of(jaxloss.cispo_loss, 0, 2))(jnp.float32(x)) == 0


def test_cispo_at_ratio_one_is_the_policy_gradient():
    log_probs, old, advantages = np.random.default_rng(0).normal(size=(3, 50)).astype(np.float32)
    losses, gradient = each(jaxloss.cispo_loss, log_probs, old, advantages, min_ratio=1.0, max_ratio=1.0)
    close(losses, -advantages * log_probs)
    close(gradient, -advantages)


def test_bounds_of_cispo_in_the_wrong_order():
    x = jnp.zeros(2)
    value, gradient = jax.value_and_grad(lambda x: jaxloss.cispo_loss(x, x, 1.0, min_ratio=2.0, max_ratio=1.5))(x)
    assert np.isnan(value) and np.all(np.isnan(gradient))
    with pytest.raises(ValueError, match=r"cispo_loss: min_ratio must be at most max_ratio, got 2\.0"):
        jaxloss.checked(jaxloss.cispo_loss)(x, x, x, min_ratio=2.0, max_ratio=1.5)


# --- values -----------------------------------------------------------------------------------------------------------


def test_values_within_the_range_are_squared_errors():
    """Exactly: the clipped error of a value that isn't clipped may differ by rounding, and would have no slope."""
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(2, 1000)).astype(np.float32) * np.float32(100)
    old = values + rng.uniform(-0.2, 0.2, 1000).astype(np.float32)
    near = abs(values - old) <= 0.2
    for found, wanted in zip(
        each(jaxloss.clipped_value_loss, values, labels, old), each(jaxloss.mse_loss, values, labels)
    ):
        np.testing.assert_array_equal(found[near], wanted[near])


@pytest.mark.parametrize(
    ("value", "label", "old", "loss", "slope"),
    [
        (3, 1, 0, 4, 4),  # away from its label: it learns
        (3, 5, 0, 4.8**2, 0),  # towards it, too far
        (1e15, 0, 0, 1e30, 2e15),
        (1e15, 1e15, 0, 1e30, 0),
        (1e8, 1e8, 1e8, 0, 0),
        (INF, 0, 0, INF, LARGEST),
        (INF, 0, INF, INF, LARGEST),
    ],
)
def test_values_far_and_near(value, label, old, loss, slope):
    losses, gradient = each(jaxloss.clipped_value_loss, *(jnp.array([x], F32) for x in (value, label, old)))
    close(losses, [loss])
    close(gradient, [slope])


# --- estimates of a divergence ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1e-6, -1e-6, 1e-4, -1e-4, 0.1, 3.0, 80.0, -80.0])
def test_k3_keeps_its_digits_and_is_never_negative(d):
    """``exp(-d) - 1 + d`` is 1.7e-8 for 5.0e-9 in float32 at 1e-4, and -1.3e-8 at 1e-6."""
    wide = float(np.float32(d))
    expected = wide**2 / 2 - wide**3 / 6 + wide**4 / 24 if abs(wide) < 1e-3 else np.expm1(-wide) + wide
    losses, gradient = each(jaxloss.kl_estimate, jnp.array([d], F32), jnp.zeros(1))
    np.testing.assert_allclose(losses, [expected], rtol=1e-6)
    np.testing.assert_allclose(gradient, [-np.expm1(-wide)], rtol=1e-6)


def test_estimates_of_what_is_far():
    far = jnp.array([-200.0, 200, INF, -INF])
    for estimator, values, slopes in (
        ("k1", far, [1, 1, 1, 1]),
        ("k2", [2e4, 2e4, INF, INF], [-200, 200, LARGEST / 2, -LARGEST / 2]),
        ("k3", [INF, 199, INF, INF], [-INF, 1, 1, -INF]),
    ):
        losses, gradient = each(jaxloss.kl_estimate, far, jnp.zeros(4), estimator=estimator)
        close(losses, values)
        close(gradient, slopes)


def test_a_weight_of_0_has_no_gradient_where_the_estimate_is_infinite():
    for loss, rest in ((jaxloss.kl_estimate, ()), (ppo, (-1.0,))):
        f = lambda x, loss=loss, rest=rest: loss(x, -x, *rest, jnp.array([1.0, 0]), reduction="sum")  # noqa: E731
        gradient = jax.grad(f)(jnp.array([0.1, -100 if loss is jaxloss.kl_estimate else 100]))
        assert gradient[0] != 0 and gradient[1] == 0


@pytest.mark.parametrize(("estimator", "of"), [("k1", "nothing"), ("k2", "forward"), ("k3", "reverse")])
def test_the_gradient_on_policy_is_that_of_a_divergence(estimator, of):
    """Over all that can be drawn, each as often as it is."""
    z, reference = np.random.default_rng(0).normal(size=(2, 6))
    reference = jax.nn.log_softmax(jnp.float32(reference))
    p = jax.nn.softmax(jnp.float32(z))
    estimate = lambda z: jaxloss.kl_estimate(  # noqa: E731
        jax.nn.log_softmax(z), reference, p, estimator=estimator, reduction="sum"
    )
    divergence = {
        "nothing": lambda z: 0.0,
        "forward": lambda z: jnp.sum(jax.nn.softmax(z) * (jax.nn.log_softmax(z) - reference)),
        "reverse": lambda z: jnp.sum(jnp.exp(reference) * (reference - jax.nn.log_softmax(z))),
    }[of]
    wanted = jax.grad(divergence)(jnp.float32(z))
    np.testing.assert_allclose(jax.grad(estimate)(jnp.float32(z)), wanted, atol=1e-6)
    if estimator != "k2":
        own = jnp.sum(p * (jnp.log(p) - reference))
        np.testing.assert_allclose(estimate(jnp.float32(z)), own, rtol=1e-5)


def test_unknown_estimators():
    with pytest.raises(ValueError, match=r"^kl_estimate: estimator must be 'k1', 'k2' or 'k3', got 'k4'"):
        jaxloss.kl_estimate(jnp.zeros(2), jnp.zeros(2), estimator="k4")


def test_options_out_of_range():
    x = jnp.zeros(2)
    for option, value, interval in (
        ("dual_clip", 1.0, "(1, inf)"),
        ("dual_clip", 0.5, "(1, inf)"),
        ("epsilon_low", -0.1, "[0, inf)"),
        ("epsilon_high", -0.1, "[0, inf)"),
    ):
        with pytest.raises(ValueError) as error:
            ppo(x, x, x, **{option: value})
        assert str(error.value) == f"ppo_clip_loss: {option} must lie in {interval}, got {value}"
        assert np.isnan(jax.jit(lambda value, option=option: ppo(x, x, x, **{option: value}))(value))


# --- what is masked, and what is constant -----------------------------------------------------------------------------

CALLS = {
    "ppo": (ppo, 3),
    "ppo dual": (functools.partial(ppo, dual_clip=3.0), 3),
    "cispo": (jaxloss.cispo_loss, 3),
    "value": (jaxloss.clipped_value_loss, 3),
    **{k: (functools.partial(jaxloss.kl_estimate, estimator=k), 2) for k in ("k1", "k2", "k3")},
}
calls = pytest.mark.parametrize(("loss", "count"), CALLS.values(), ids=CALLS)


@calls
def test_what_is_masked_reaches_no_derivative(loss, count):
    """Trainers that multiply by the mask have 0 * inf, of one ratio of exp(200)."""
    clean = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    mask = jnp.array([True, True, False])
    f = lambda *x: loss(*x, mask=mask)  # noqa: E731
    ways = (f, jax.grad(f), jax.jacfwd(f), *(second(f) for second in SECOND.values()))
    all_of = jax.jit(lambda x: [way(*x) for way in ways])
    wanted = all_of(clean)
    for junk in (np.nan, INF, -INF, 200.0, -200.0):
        for place in range(count):
            dirty = clean.copy()
            dirty[:, 2], dirty[place, 2] = -junk, junk
            found = all_of(dirty)
            jax.tree.map(np.testing.assert_array_equal, found, wanted)
            assert not any(np.any(slope[..., 2]) for slope in found[1:])


@calls
def test_what_is_constant(loss, count):
    given = jnp.array(np.random.default_rng(0).normal(size=(count, 5)), F32)
    learns = (0, 1) if loss is jaxloss.clipped_value_loss else (0,)
    for derive in (jax.grad, jax.jacfwd):
        for place in range(count):
            assert np.any(derive(loss, place)(*given)) == (place in learns)


@calls
@dtypes
def test_half_precision_is_widened_before_the_subtraction(loss, count, dtype):
    given = jnp.array(np.random.default_rng(0).normal(size=(count, 64)) - 3, dtype)
    losses, gradient = each(loss, *given)
    wide, slope = each(loss, *(x.astype(F32) for x in given))
    assert losses.dtype == np.float32 and jax.grad(loss)(*given).dtype == dtype
    np.testing.assert_array_equal(losses, wide)
    np.testing.assert_allclose(gradient, slope, rtol=2 * float(jnp.finfo(dtype).eps))


def test_against_the_formulas_of_many():
    rng = np.random.default_rng(0)
    log_probs, old, advantages = rng.normal(size=(3, 10000)).astype(np.float32)
    given = (x.astype(np.float64) for x in (log_probs, old, advantages))
    close(ppo(log_probs, old, advantages, reduction="none"), ppo_clip(*given), atol=1e-7)
    values = (x.astype(np.float64) for x in (log_probs, old, advantages))
    found = jaxloss.clipped_value_loss(log_probs, old, advantages, reduction="none")
    close(found, clipped_value(*values), atol=1e-6)
