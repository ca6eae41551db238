"""Several losses as one number, and options that change from step to step."""

from __future__ import annotations

import functools
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, PartitionSpec as P

import jaxloss


f32 = np.float32
LOSSES = {"class": f32(2), "box": f32(3), "mask": f32(0.5)}
RNG = np.random.default_rng(0)


def totals(**parts):
    return {name: jaxloss.Total(jnp.float32(total), jnp.float32(weight)) for name, (total, weight) in parts.items()}


def test_weighted_sum_and_parts():
    weights = {"mask": f32(4), "class": 0.5, "box": np.int32(2)}
    value, parts = jaxloss.combine(LOSSES, weights)
    assert value == 0.5 * 2 + 2 * 3 + 4 * 0.5 and value.dtype == jnp.float32
    assert parts == LOSSES
    assert jaxloss.combine(LOSSES)[0] == 5.5
    assert jaxloss.combine({"one": 2})[0] == 2
    assert not any(x.weak_type for x in jax.tree.leaves(jaxloss.combine({"one": 2.0})))


def test_totals_count_with_their_mean():
    value, parts = jaxloss.combine(totals(a=(6, 2), b=(1, 4), none=(0, 0)), {"a": 1, "b": 2, "none": 3})
    assert value == 3.5 and parts == {"a": 3, "b": 0.25, "none": 0}


def test_a_weight_of_zero_leaves_out_what_is_infinite():
    f = lambda x: jaxloss.combine({"a": x, "b": jnp.exp(x)}, {"a": 1, "b": 0})[0]  # noqa: E731
    assert f(jnp.float32(100)) == 100
    assert np.isnan(jaxloss.combine({"a": jnp.nan, "b": 1.0}, {"a": 0, "b": 1})[0])  # never hidden


def test_dtypes(x64):
    for dtype, expected in [(jnp.bfloat16, jnp.float32), (jnp.float32, jnp.float32), (jnp.float64, jnp.float64)]:
        losses = {"a": jnp.asarray(0.5, dtype), "b": jnp.asarray(2, jnp.float32)}
        value, parts = jaxloss.combine(losses, {"a": np.float64(0.25), "b": jnp.float16(2)})
        assert value == 4.125 and value.dtype == expected
        assert jaxloss.uncertainty_weighting(losses, {"a": np.float64(0), "b": 0.0})[0].dtype == expected
        weights = jaxloss.dynamic_weight_average([losses, losses])
        norm = jaxloss.gradnorm_loss({"a": jnp.asarray(1, dtype), "b": jnp.float32(1)}, losses, losses, losses)
        assert {part.dtype for part in (*parts.values(), *weights.values(), norm)} == {jnp.dtype(expected)}


def test_schedules_in_a_training_step():
    """Against Optax' formulas; the step is traced, so nothing is compiled anew."""
    schedules = {"class": optax.linear_schedule(1.0, 0.0, 10), "box": lambda step: 2.0**-step, "mask": 1.0}
    traces = []

    @jax.jit
    def train(x, step):
        traces.append(1)
        losses = lambda x: {"class": x**2, "box": jnp.sin(x), "mask": x}  # noqa: E731
        f = lambda x: jaxloss.combine(losses(x), schedules, step=step)  # noqa: E731
        with jax.numpy_dtype_promotion("standard"):  # Optax'
            return jax.value_and_grad(f, has_aux=True)(x)

    for step in (0, 3, 20):
        (value, parts), slope = train(0.5, step)
        weights = max(0, 1 - step / 10), 2.0**-step, 1
        np.testing.assert_allclose(value, np.dot(weights, [0.25, np.sin(0.5), 0.5]), rtol=1e-6)
        np.testing.assert_allclose(slope, np.dot(weights, [1, np.cos(0.5), 1]), rtol=1e-6)
        np.testing.assert_allclose(parts["box"], np.sin(0.5), rtol=1e-6)
    assert len(traces) == 1


X = RNG.normal(size=(8, 3)).astype(f32)
LABELS, TARGETS = RNG.integers(0, 3, 8), RNG.normal(size=8).astype(f32)
LIVE = {"class": np.arange(8) % 4 == 0, "box": np.arange(8) < 5}
WEIGHTS = {"class": 0.5, "box": 2.0}


def parts_of(kernel, x, labels, targets, live):
    return {
        "class": jaxloss.cross_entropy(x @ kernel, labels, mask=live["class"], reduction="total"),
        "box": jaxloss.mse_loss(x @ kernel[:, 0], targets, mask=live["box"], reduction="total"),
    }


def one_batch(kernel):
    """The formulas, in float64."""
    logits = X.astype(float) @ kernel
    nll = np.log(np.exp(logits).sum(1)) - logits[np.arange(8), LABELS]
    return 0.5 * nll[LIVE["class"]].mean() + 2 * np.square(logits[:, 0] - TARGETS)[LIVE["box"]].mean()


KERNEL = RNG.normal(size=(3, 3)).astype(f32)


def slopes_of(f, x):
    """Central differences."""
    slopes = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        change = np.zeros(x.shape)
        change[place] = 1e-6
        slopes[place] = (f(x + change) - f(x - change)) / 2e-6
    return slopes


def same_as_one_batch(value, slope):
    np.testing.assert_allclose(value, one_batch(KERNEL.astype(float)), rtol=1e-6)
    np.testing.assert_allclose(slope, slopes_of(one_batch, KERNEL.astype(float)), rtol=1e-5, atol=1e-6)


def test_exact_over_microbatches():
    """Each task has its own uneven weight."""

    def f(kernel):
        batches = jax.tree.map(lambda x: x.reshape(4, 2, *x.shape[1:]), (X, LABELS, TARGETS, LIVE))
        added = jax.tree.map(lambda x: jnp.sum(x, 0), jax.lax.map(lambda batch: parts_of(kernel, *batch), batches))
        return jaxloss.combine(added, WEIGHTS)

    (value, _), slope = jax.jit(jax.value_and_grad(f, has_aux=True))(KERNEL)
    same_as_one_batch(value, slope)


def test_exact_over_devices():
    def f(kernel, *batch):
        summed = {name: total.psum("data") for name, total in parts_of(kernel, *batch).items()}
        return jaxloss.combine(summed, WEIGHTS)

    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    step = jax.value_and_grad(f, has_aux=True)
    mapped = jax.shard_map(step, mesh=mesh, in_specs=(P(), *(P("data"),) * 4), out_specs=P())
    (value, _), slope = jax.jit(mapped)(KERNEL, X, LABELS, TARGETS, LIVE)
    same_as_one_batch(value, slope)


def test_uncertainty_is_the_likelihood_of_gaussian_noise():
    """Of squared errors, but for a constant; its best variance is the mean squared error."""
    errors = RNG.normal(size=100).astype(f32)
    losses = {"depth": jaxloss.mse_loss(errors, np.zeros(100, f32))}
    f = lambda s: jaxloss.uncertainty_weighting(losses, {"depth": s})[0]  # noqa: E731
    likelihood = lambda s: jaxloss.gaussian_nll_loss(errors, np.zeros(100, f32), variance=jnp.exp(s))  # noqa: E731
    for s in (-2.0, 0.0, 3.0):
        for a, b in zip(jax.value_and_grad(f)(s), jax.value_and_grad(likelihood)(s)):
            np.testing.assert_allclose(a, b, rtol=1e-5)
    np.testing.assert_allclose(jax.grad(f)(float(np.log(losses["depth"]))), 0, atol=1e-6)


def test_uncertainty_of_cross_entropies():
    scales = {"class": 0.7, "box": -0.4, "mask": 0.0}
    value, parts = jaxloss.uncertainty_weighting(LOSSES, scales, classification=("class",))
    np.testing.assert_allclose(value, np.exp(-0.7) * 2 + np.exp(0.4) * 3 / 2 + 0.25 + (0.7 - 0.4) / 2, rtol=1e-6)
    assert parts == LOSSES
    assert jaxloss.uncertainty_weighting(LOSSES, scales, classification="class")[0] == value
    assert jaxloss.uncertainty_weighting(totals(a=(6, 2)), {"a": 0.0})[0] == 1.5


@pytest.mark.parametrize("log_variance", [-80.0, -89.0, -100.0, -200.0])
@pytest.mark.parametrize("loss", [0.0, jaxloss.Total(jnp.zeros(()), jnp.zeros(()))], ids=["learned", "absent"])
def test_uncertainty_of_a_loss_of_zero(loss, log_variance):
    def value(loss, s):
        return jaxloss.uncertainty_weighting({"a": loss}, {"a": s})[0]

    np.testing.assert_allclose(value(loss, log_variance), log_variance / 2, rtol=1e-6)
    by_loss, slope = jax.grad(value, (0, 1))(jax.tree.map(jnp.float32, loss), log_variance)
    assert slope == 0.5 and np.all(np.isfinite(jax.tree.leaves(by_loss)))


def test_ratios_that_overflow():
    weights = jaxloss.dynamic_weight_average([{"a": 1e-37, "b": 1.0}, {"a": 3e38, "b": 1.0}])
    assert weights == {"a": 2, "b": 0}
    weights = jaxloss.dynamic_weight_average([{"a": 1e-37, "b": 1e-37}, {"a": 3e38, "b": 3e38}])
    assert weights == {"a": 1, "b": 1}
    assert jaxloss.dynamic_weight_average([{"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 2.0}], temperature=1e-37)["b"] == 2
    weights = jaxloss.dynamic_weight_average([{"a": 1e-30, "b": 1e-30}, {"a": 1e30, "b": 2e30}])
    assert weights == {"a": 0, "b": 2}
    weights = jaxloss.dynamic_weight_average([{"a": 1e-15, "b": 1e-15}, {"a": 1e20, "b": 2e20}], temperature=1e35)
    np.testing.assert_allclose(weights["b"] / weights["a"], np.e, rtol=1e-4)
    even = {"a": 1.0, "b": 1.0}
    for start, end in (
        ({"a": 1e-37, "b": 1e-37}, {"a": 1e37, "b": 3e37}),
        ({"a": 3e37, "b": 1e37}, dict.fromkeys("ab", 1e-37)),
    ):
        norms = {"a": 1.0, "b": 2.0}  # of which the rates, of 1/2 and 3/2, want 3/4 and 9/4
        np.testing.assert_allclose(jaxloss.gradnorm_loss(even, norms, end, start, alpha=1.0), 0.5, rtol=1e-4)
    none = {"a": 0.0, "b": 0.0}
    assert jaxloss.gradnorm_loss(none, even, {"a": 1.0, "b": 3.0}, even, alpha=500.0) == 0


def test_slow_losses_get_more_weight():
    history = [{"a": 9.0, "b": 9.0}, {"a": 1.0, "b": 2.0}, totals(a=(1, 2), b=(9, 5))]
    weights = jaxloss.dynamic_weight_average(history, temperature=0.5)
    rates = np.exp(np.array([0.5, 0.9]) / 0.5)
    np.testing.assert_allclose([weights["a"], weights["b"]], 2 * rates / rates.sum(), rtol=1e-6)
    assert np.isnan(jaxloss.dynamic_weight_average([{"a": -1.0}, {"a": 1.0}])["a"])
    nothing = totals(a=(0, 0), b=(0, 0))
    assert jaxloss.dynamic_weight_average([nothing, nothing]) == {"a": 1, "b": 1}
    assert jaxloss.dynamic_weight_average(history[:1]) == {"a": 1, "b": 1}
    assert jaxloss.dynamic_weight_average([{"a": 0.0, "b": 1.0}, {"a": 0.0, "b": 1.0}]) == {"a": 1, "b": 1}
    slope = jax.grad(lambda x: jaxloss.dynamic_weight_average([{"a": 1.0, "b": 1.0}, {"a": x, "b": 1.0}])["a"])(0.5)
    assert slope == 0


def test_gradnorm():
    names = ["a", "b", "c"]
    weights, norms, losses, initial = RNG.uniform(0.5, 2, (4, 3)).astype(f32)
    weights[2] = 0
    by_name = [dict(zip(names, x)) for x in (weights, norms, losses, initial)]
    f = functools.partial(jaxloss.gradnorm_loss, alpha=0.7)
    w, g, now, before = (x.astype(float) for x in (weights, norms, losses, initial))
    target = np.mean(w * g) * (now / before / np.mean(now / before)) ** 0.7
    value, slopes = jax.value_and_grad(f)(*by_name)
    np.testing.assert_allclose(value, np.abs(w * g - target).sum(), rtol=1e-6)
    np.testing.assert_allclose([slopes[name] for name in names], np.sign(w * g - target) * g, rtol=1e-6)
    for others in jax.grad(f, argnums=(1, 2, 3))(*by_name):
        assert not any(others.values())
    for place in range(4):
        bad = [one if i != place else {**one, "a": -1.0} for i, one in enumerate(by_name)]
        assert np.isnan(f(*bad))
    even = dict.fromkeys(names, 1.0)
    assert jaxloss.gradnorm_loss(even, even, dict.fromkeys(names, 0.0), even) == 0
    assert jax.grad(jaxloss.gradnorm_loss)(even, even, even, even) == dict.fromkeys(names, 0)


def test_under_transforms():
    f = lambda x: jaxloss.combine({"a": x, "b": x**2}, {"a": 1, "b": x})[0]  # noqa: E731
    np.testing.assert_allclose(jax.vmap(jax.grad(f))(jnp.array([1.0, 2.0])), [4, 13])
    np.testing.assert_allclose(jax.jit(jax.hessian(f))(2.0), 12)
    for name in ("combine", "uncertainty_weighting", "dynamic_weight_average", "gradnorm_loss"):
        function = getattr(jaxloss, name)
        assert pickle.loads(pickle.dumps(function)) is function


ERRORS = [
    (
        lambda: jaxloss.combine(LOSSES, {"class": 1, "box": 1}),
        "combine: weights must have the names of losses, 'class', 'box', 'mask', got no 'mask'",
    ),
    (
        lambda: jaxloss.combine({"class": 1.0, "box": 1.0}, {"class": 1, "box": 1, "bok": 1, "x": 2}),
        "combine: weights must have names of losses, 'class', 'box', got 'bok', 'x'",
    ),
    (
        lambda: jaxloss.combine({"class": np.zeros(3, f32)}),
        "combine: losses['class'] must be a scalar, got shape (3,); reduce it first, with reduction='mean' or 'total'",
    ),
    (
        lambda: jaxloss.combine({"class": 1.0}, {"class": np.ones(2)}),
        "combine: weights['class'] must be a scalar, got shape (2,)",
    ),
    (
        lambda: jaxloss.combine({"class": 1.0}, {"class": lambda step: step}),
        "combine: step must be given where weights['class'] is a schedule, got None",
    ),
    (lambda: jaxloss.combine({}), "combine: losses must have at least one name, got none"),
    (
        lambda: jaxloss.uncertainty_weighting({"a": 1.0}, {"b": 0.0}),
        "uncertainty_weighting: log_variances must have the names of losses, 'a', got no 'a'",
    ),
    (
        lambda: jaxloss.uncertainty_weighting({"a": 1.0}, {"a": 0.0}, classification=("b",)),
        "uncertainty_weighting: classification must have names of losses, 'a', got 'b'",
    ),
    *(
        (
            lambda names=names: jaxloss.uncertainty_weighting({"a": 1.0}, {"a": 0.0}, classification=names),
            f"uncertainty_weighting: classification must be a name or a collection of names, got {names!r}",
        )
        for names in ([["a"]], 3)
    ),
    (lambda: jaxloss.combine([1.0, 2.0]), "combine: losses must map names to scalars, got a list"),
    (lambda: jaxloss.combine({"a": 1.0}, 0.5), "combine: weights must map names to scalars, got a float"),
    (lambda: jaxloss.combine({"a": 1.0}, 2), "combine: weights must map names to scalars, got an int"),
    (lambda: jaxloss.combine({"a": np.array("1")}), "combine: losses['a'] must hold real numbers, got <U1"),
    (
        lambda: jaxloss.dynamic_weight_average({"a": 1.0}),
        "dynamic_weight_average: history must be a list of at least one mapping of names to losses, got one alone",
    ),
    *(
        (
            lambda given=given: jaxloss.dynamic_weight_average(given),
            f"dynamic_weight_average: history must be a list of at least one mapping of names to losses, got {says}",
        )
        for given, says in ((1.0, "an array"), (None, "None"), ((), "none"))
    ),
    *(
        (lambda given=given: jaxloss.gradnorm_loss({"a": 1.0}, {"a": 1.0}, given, {"a": 1.0}), f"gradnorm_loss: {says}")
        for given, says in (
            (1.0, "losses must map names to scalars, got an array"),
            (None, "losses must map names to scalars, got None"),
            ({"a": None}, "losses['a'] must be an array, got None"),
            ({"a": "1"}, "losses['a'] must be an array, got a str"),
            ({"a": np.array("1")}, "losses['a'] must hold real numbers, got <U1"),
        )
    ),
    (
        lambda: jaxloss.uncertainty_weighting({}, 0.5),
        "uncertainty_weighting: log_variances must map names to scalars, got a float",
    ),
    (
        lambda: jaxloss.checked(jaxloss.gradnorm_loss)({"a": -1.0}, {"a": 1.0}, {"a": 1.0}, {"a": 1.0}),
        "gradnorm_loss: weights['a'] must lie in [0, inf), got -1.0",
    ),
    (
        lambda: jaxloss.dynamic_weight_average([]),
        "dynamic_weight_average: history must be a list of at least one mapping of names to losses, got none",
    ),
    (
        lambda: jaxloss.dynamic_weight_average([{"a": 1.0}, {"a": 1.0, "b": 1.0}]),
        "dynamic_weight_average: history[-1] must have names of history[-2], 'a', got 'b'",
    ),
    (
        lambda: jaxloss.dynamic_weight_average([{"a": 1.0}], temperature=0),
        "dynamic_weight_average: temperature must lie in (0, inf), got 0",
    ),
    (
        lambda: jaxloss.gradnorm_loss({"a": 1.0}, {}, {"a": 1.0}, {"a": 1.0}),
        "gradnorm_loss: gradient_norms must have the names of weights, 'a', got no 'a'",
    ),
    (
        lambda: jaxloss.gradnorm_loss({"a": 1.0}, {"a": 1.0}, {"a": 1.0}, {"a": 1.0}, alpha=-1),
        "gradnorm_loss: alpha must lie in [0, inf), got -1",
    ),
]


@pytest.mark.parametrize(("call", "text"), ERRORS, ids=[text[:60] for _, text in ERRORS])
def test_errors(call, text):
    with pytest.raises((ValueError, TypeError)) as error:
        call()
    assert str(error.value).splitlines()[0] == text


def test_options_keep_their_digits(x64):
    """Also where the first argument is no array but holds some."""
    names, (rates, rest) = ("a", "b"), RNG.uniform(0.5, 2, (2, 2))
    rate, end = dict(zip(names, rates)), dict(zip(names, rates * rest))
    shares = np.exp(rest / 0.3)
    averages = jaxloss.dynamic_weight_average([rate, end], temperature=0.3)
    np.testing.assert_allclose([*averages.values()], 2 * shares / shares.sum(), rtol=1e-13)
    assert jaxloss.dynamic_weight_average([rate, end], temperature=1e-60)  # no float32
    target = np.mean(rates) * (rest / rest.mean()) ** 0.1
    value = jaxloss.gradnorm_loss(rate, {"a": 1.0, "b": 1.0}, end, rate, alpha=0.1)
    np.testing.assert_allclose(value, np.abs(rates - target).sum(), rtol=1e-13)


def test_options_that_change_compile_nothing_anew():
    """Label smoothing, temperature, margin and focal strength as schedules of a traced step."""
    falling, rising = optax.cosine_decay_schedule(0.5, 10), optax.linear_schedule(0.0, 2.0, 10)
    z, labels, yes = X, LABELS, (LABELS > 0).astype(f32)
    losses = {
        "smoothing": lambda s, t: jaxloss.cross_entropy(z, labels, label_smoothing=s),
        "temperature": lambda s, t: jaxloss.cross_entropy(z / (1 + t), labels),
        "margin": lambda s, t: jaxloss.multi_margin_loss(z, labels, margin=1 + t),
        "focal": lambda s, t: jaxloss.sigmoid_focal_loss(z[:, 0], yes, gamma=t),
    }
    traces = []

    @jax.jit
    def f(step):
        traces.append(1)
        with jax.numpy_dtype_promotion("standard"):  # Optax'
            s, t = falling(step), rising(step)
        return {name: loss(s, t) for name, loss in losses.items()}

    for step in (0, 4, 10):
        found = f(step)
        s, t = 0.25 * (1 + np.cos(np.pi * step / 10)), 0.2 * step
        for name, loss in losses.items():
            np.testing.assert_allclose(found[name], loss(float(s), float(t)), rtol=1e-5, atol=1e-6, err_msg=name)
    assert len(traces) == 1
