"""Mistakes that other loss libraries made can't be made here: the links are in the tests' names."""

from __future__ import annotations

import functools
import math
import mmap
from collections.abc import Callable
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.experimental import checkify
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxloss

from ..harness.rows import FIRST, exhaustive
from .known_bugs import BUGS, Bug


F32, BF16, F16 = jnp.float32, jnp.bfloat16, jnp.float16
pytestmark = pytest.mark.usefixtures("compiles_fast")
close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)


def linked(bugs: list[Bug]):
    return pytest.mark.parametrize("bug", bugs, ids=lambda bug: bug.link)


def loss_of(bug: Bug) -> Callable[..., Any]:
    return getattr(jaxloss, bug.function)


def slopes(f: Callable[..., Any], x: Any) -> list[np.ndarray]:
    """The gradient of the sum, in reverse and in forward mode."""
    total = lambda x: jnp.sum(f(x))  # noqa: E731
    return [np.asarray(slope) for slope in jax.jit(lambda x: (jax.jacrev(total)(x), jax.jacfwd(total)(x)))(x)]


# --- the rows whose claims are numbers ---------------------------------------------------------------------------


@linked([bug for bug in BUGS if bug.holds])
def test_numbers_hold(bug):
    arguments = bug.arguments()
    for claim, *what in bug.holds:
        CLAIMS[claim](loss_of(bug), arguments, *what)


def _value(loss, arguments, expected, rtol, atol):
    close(loss(**arguments), expected, rtol=rtol, atol=atol)


def _slopes_of(loss, arguments, name):
    """In the two modes, and all arrays arguments of the program."""
    static = {key: x for key, x in arguments.items() if not isinstance(x, np.ndarray)}
    total = lambda arrays, x: jnp.sum(loss(**{**arrays, **static, name: x}))  # noqa: E731
    both = jax.jit(lambda arrays, x: [derive(total, 1)(arrays, x) for derive in (jax.jacrev, jax.jacfwd)])
    arrays = {key: x for key, x in arguments.items() if key not in static}
    return [np.asarray(slope) for slope in both(arrays, arguments[name])]


def _gradient(loss, arguments, name, expected, rtol, atol):
    for slope in _slopes_of(loss, arguments, name):
        close(slope, expected, rtol=rtol, atol=atol)


def _finite(loss, arguments, what):
    name = what.removeprefix("gradient of ")
    results = [loss(**arguments)] if what == "value" else _slopes_of(loss, arguments, name)
    assert all(np.all(np.isfinite(x)) for x in results)


def _nan(loss, arguments):
    first = next(iter(arguments))
    for x in (loss(**arguments), *_slopes_of(loss, arguments, first)):
        assert np.all(np.isnan(x))


def _not_negative(loss, arguments):
    assert np.all(loss(**arguments) >= 0)


def _raises(loss, arguments):
    for call in (loss, functools.partial(jax.eval_shape, loss)):
        with pytest.raises((ValueError, TypeError), match=f"^{loss.__name__}: labels must "):
            call(**arguments)


CLAIMS = {
    "value": _value,
    "gradient": _gradient,
    "finite": _finite,
    "nan": _nan,
    "not negative": _not_negative,
    "raises": _raises,
}


# --- the rows whose claims are words -----------------------------------------------------------------------------

MEMORY = "fused_linear_ce_memory", "int32_index_overflow"
ROUNDING = ("distillation_bf16_vocab",)
PROOFS: dict[str, Callable[[Bug], None]] = {}


def proof(f: Callable[[Bug], None]) -> Callable[[Bug], None]:
    PROOFS[f.__name__] = f
    return f


def test_all_that_is_claimed_is_tested():
    assert {bug.id for bug in BUGS if bug.words} == {*PROOFS}
    assert all(bug.holds or bug.words for bug in BUGS)
    assert len({bug.id for bug in BUGS}) == len(BUGS)


@pytest.mark.exhaustive
@linked([bug for bug in BUGS if bug.words and bug.id not in MEMORY + ROUNDING])
def test_words_hold(bug):
    PROOFS[bug.id](bug)


@pytest.mark.exhaustive
@linked([bug for bug in BUGS if bug.id in MEMORY])
def test_memory_holds(bug):
    PROOFS[bug.id](bug)


@pytest.mark.as_users_compile
@pytest.mark.exhaustive
@linked([bug for bug in BUGS if bug.id in ROUNDING])
def test_rounding_holds(bug):
    PROOFS[bug.id](bug)


@proof
def cosine_underflow(bug):
    arguments = bug.arguments()
    for loss in (jaxloss.cosine_distance, jaxloss.relative_l2_loss):  # as constants of a program, too
        close(jax.jit(lambda loss=loss: loss(**arguments))(), 0, atol=1e-3)
    close(jaxloss.cosine_distance(**arguments), 0, atol=1e-3)
    for name in arguments:
        assert np.all(np.isfinite(_slopes_of(jaxloss.cosine_distance, arguments, name)))


@proof
def bce_prob_wrong_has_gradient(bug):
    for slope in _slopes_of(jaxloss.binary_cross_entropy, bug.arguments(), "probs"):
        assert np.all(np.isfinite(slope)) and slope[0] < 0 < slope[1]


@proof
def bce_prob_fp16(bug):
    probs, labels = bug.arguments().values()
    for dtype in (F16, BF16):
        f = functools.partial(jaxloss.binary_cross_entropy, labels=labels.astype(dtype), reduction="none")
        losses = f(probs.astype(dtype))
        assert np.all(np.isfinite(losses)) and not np.any(losses[:2])
        close(losses[2], losses[3], rtol=1e-3)
        for slope in slopes(f, jnp.asarray(probs, dtype)):
            assert slope[2] < 0 < slope[3]


@proof
def ce_neginf_forward_mode(bug):
    for slope in _slopes_of(jaxloss.cross_entropy, bug.arguments(), "logits"):
        close(slope, [[0, -0.5, 0.5]])
    for slope in _slopes_of(jaxloss.cross_entropy, bug.arguments(), "labels"):
        assert not np.any(np.isnan(slope))


@proof
def ce_all_neginf_row(bug):
    close(jaxloss.cross_entropy(**bug.arguments()), math.log(3))
    for slope in _slopes_of(jaxloss.cross_entropy, bug.arguments(), "logits"):
        assert not np.any(slope[0])
        close(slope[1], [1 / 3, -2 / 3, 1 / 3])


@proof
def weight0_nan_target(bug):
    predictions, labels, weights = bug.arguments().values()
    assert np.isnan(jaxloss.mse_loss(predictions, labels, weights))
    masked = lambda x: jaxloss.mse_loss(x, labels, mask=np.array([True, False]))  # noqa: E731
    assert masked(predictions) == 1
    for slope in slopes(masked, predictions):
        np.testing.assert_array_equal(slope, [2, 0])
    for slope in slopes(lambda w: jaxloss.mse_loss(np.float32([1, 3]), np.zeros(2, F32), w), weights):
        close(slope, [0, 8])


@proof
def gaussian_nll_zero_var(bug):
    close(jaxloss.gaussian_nll_loss(**bug.arguments()), 0.5 * math.log(1e-6))
    assert np.all(np.isfinite(_slopes_of(jaxloss.gaussian_nll_loss, bug.arguments(), "variance")))


@proof
def class_weight_label_smoothing(bug):
    strength = bug.options["label_smoothing"]
    best = np.log(np.float32([[1 - strength + strength / 3, strength / 3, strength / 3]]))
    for labels in (np.array([0]), np.float32([[1, 0, 0]])):
        arguments = bug.arguments() | {"labels": labels}
        for at_best, elsewhere in zip(
            _slopes_of(jaxloss.cross_entropy, arguments | {"logits": best}, "logits"),
            _slopes_of(jaxloss.cross_entropy, arguments, "logits"),
        ):
            close(at_best, np.zeros((1, 3)))
            assert np.all(np.abs(elsewhere) > 0.1)


@proof
def label_smoothing_ignore_weight(bug):
    arguments = bug.arguments()
    close(jaxloss.cross_entropy(**arguments), math.log(2))
    assert jaxloss.cross_entropy(**arguments, reduction="none")[1] == 0
    assert jaxloss.cross_entropy(**arguments, reduction="total").weight == 2
    for slope in _slopes_of(jaxloss.cross_entropy, arguments, "logits"):
        assert not np.any(slope[1]) and np.all(slope[[0, 2]])


@proof
def grad_accum_unequal_tokens(bug):
    rows = np.float32([[0, 0], [1, 0], [2, 0], [-3, 0]])
    labels = np.zeros(4, np.int32)

    def by_parts(x):
        parts = [jaxloss.cross_entropy(x[s], labels[s], reduction="total") for s in (slice(3), slice(3, 4))]
        return (parts[0] + parts[1]).mean()

    wrong = 1 / (1 + np.exp(rows[:, 0].astype(float)))  # the probability of the other class
    expected = -np.log1p(-wrong).mean()
    close(expected, 1.0454762)
    close(by_parts(rows), expected)
    for slope in slopes(by_parts, rows):
        close(slope, np.stack([-wrong, wrong], 1) / 4)


@proof
def ppo_token_mean_microbatch(bug):
    live = np.array([[True, False, False], [True, True, True]])
    advantages = np.float32([[1, np.nan, np.nan], [-1, -1, -1]])

    def whole(ratio):
        return jaxloss.reduce(-ratio * advantages, mask=live)

    def by_sequence(ratio):
        parts = [jaxloss.reduce(-ratio[i] * advantages[i], mask=live[i], reduction="total") for i in (0, 1)]
        return sum(parts).mean()

    for f in (whole, by_sequence):
        close(f(np.ones((2, 3), F32)), 0.5)
    # The product with NaN is the caller's own, and so are its slopes where nothing is live.
    for a, b in zip(slopes(whole, np.ones((2, 3), F32)), slopes(by_sequence, np.ones((2, 3), F32))):
        close(a[live], [-0.25, 0.25, 0.25, 0.25])
        close(b[live], a[live])


def _dense(hidden, kernel, labels, upstream, bias=0.0, z_loss=0.0):
    """Losses of a linear layer and the gradients of their sum, weighed by `upstream`, in float64."""
    hidden, kernel = np.float64(hidden), np.float64(kernel)
    logits = hidden @ kernel + bias
    terms = np.exp(logits - logits.max(-1, keepdims=True))
    probs = terms / terms.sum(-1, keepdims=True)
    one_hot = np.eye(logits.shape[1])[labels]
    log_normalizer = np.log(terms.sum(-1)) + logits.max(-1)
    pull = np.float64(upstream)[:, None] * (probs * (1 + 2 * z_loss * log_normalizer[:, None]) - one_hot)
    losses = z_loss * log_normalizer**2 - np.log((probs * one_hot).sum(-1))
    return losses, pull @ kernel.T, hidden.T @ pull, pull.sum(0)


@proof
def reduction_none_weighted_backward(bug):
    hidden, kernel, labels, upstream = [x for name, x in bug.arguments().items() if name != "reduction"]
    losses, of_hidden, of_kernel, _ = _dense(hidden, kernel, labels, upstream)

    def weighed(hidden, kernel):
        return jnp.vdot(upstream, jaxloss.linear_cross_entropy(hidden, kernel, labels, reduction="none"))

    close(weighed(hidden, kernel), upstream @ losses)
    for slope in slopes(lambda hidden: weighed(hidden, kernel), hidden):
        close(slope, of_hidden)
    for slope in slopes(lambda kernel: weighed(hidden, kernel), kernel):
        close(slope, of_kernel)


@proof
def fused_bias_and_shards(bug):
    one, kernel, bias, _ = bug.arguments().values()
    hidden = np.concatenate([one, -one, one + 1, 2 * one, one * 0])
    labels = np.array([[0, 1, 2, 2, 1], [2, 2, 1, 0, 2]], np.int32)

    @jax.jit
    def every(hidden, kernel, bias, labels):
        def f(chunk_size, hidden, kernel, bias):
            return jnp.sum(
                jaxloss.linear_cross_entropy(hidden, kernel, labels, bias=bias, chunk_size=chunk_size, reduction="none")
            )

        chunked = [functools.partial(f, size) for size in (None, 1, 2, 3)]
        modes = jax.value_and_grad, lambda f, n: lambda *x: (f(*x), jax.jacfwd(f, n)(*x))
        return [derive(f, (0, 1, 2))(hidden, kernel, bias) for f in chunked for derive in modes]

    for own in labels:
        losses, *expected = _dense(hidden, kernel, own, np.ones(5), bias)
        for value, found in every(hidden, kernel, bias, own):
            close(value, losses.sum())
            for a, b in zip(found, expected, strict=True):
                close(a, b)
    for label in range(3):
        losses = _dense(one, kernel, [label], [1], bias)[0]
        close(jaxloss.linear_cross_entropy(one, kernel, np.array([label]), bias=bias), losses[0])


@proof
def dpo_ipo_avg_logp_zero_len(bug):
    losses, mask = np.float32([[1, 2], [3, 4]]), np.array([[0, 0], [1, 1]])
    by_row = jax.vmap(lambda losses, mask: jaxloss.reduce(losses, mask=mask))
    np.testing.assert_array_equal(by_row(losses, mask), [0, 3.5])
    for slope in slopes(lambda x: by_row(x, mask), losses):
        np.testing.assert_array_equal(slope, [[0, 0], [0.5, 0.5]])


@proof
def z_loss_normalisation(bug):
    arguments = bug.arguments()
    log_normalizer = math.log(math.e + math.e**2 + math.e**3)
    softmax = np.exp(np.array([1, 2, 3]) - log_normalizer)
    for weights in (None, np.float32([0.3, 5])):
        f = functools.partial(jaxloss.cross_entropy, weights=weights)
        close(f(**arguments), log_normalizer - 3 + 0.01 * log_normalizer**2)
        close(f(**arguments) - f(**{**arguments, "z_loss": None}), 0.01 * log_normalizer**2)
        for slope in _slopes_of(f, arguments, "logits"):
            close(slope, [softmax * (1 + 0.02 * log_normalizer) - [0, 0, 1], np.zeros(3)])


def _out_of_range(label):
    logits = np.float32([[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]])
    labels = np.array([label, 2], np.int32)
    options = [{}, {"label_smoothing": 0.1}, {"class_weights": np.ones(5, F32)}, {"z_loss": 0.01}]
    calls = [functools.partial(jaxloss.cross_entropy, **option) for option in options]
    calls += [lambda x, labels, **exit: jaxloss.linear_cross_entropy(x, jnp.eye(5), labels, **exit)]
    calls += [jaxloss.nll_loss, jaxloss.multiclass_hinge_loss]
    whole_rows = len(calls) - 2

    @jax.jit
    def everything(x, labels):
        bad, gone = [], []
        for call in calls:
            f = functools.partial(call, labels=labels, reduction="none")
            bad.append((f(x), jax.grad(lambda x, f=f: jnp.sum(f(x)))(x), jax.jacfwd(f)(x)))
        for call in calls[: len(options)]:
            for leave_out in ({"mask": np.array([False, True])}, {"ignore_index": label}):
                f = functools.partial(call, labels=labels, **leave_out)
                gone.append((f(x), jax.grad(f)(x), jax.jacfwd(f)(x)))
        return bad, gone

    bad, gone = everything(logits - 5, labels)
    for place, (losses, reverse, forward) in enumerate(bad):
        np.testing.assert_array_equal(np.isnan(losses), [True, False])
        for gradient in (reverse, np.stack([forward[0, 0], forward[1, 1]])):
            assert not np.any(np.isnan(gradient[1])) and np.any(np.isnan(gradient[0]))
            assert place >= whole_rows or np.all(np.isnan(gradient[0]))
    for value, *gradients in gone:
        assert np.isfinite(value)
        for gradient in gradients:
            assert not np.any(gradient[0]) and np.all(np.isfinite(gradient[1])) and np.any(gradient[1])

    message = f"cross_entropy: labels must lie in [0, 5), got {label} at index (0,)"
    for f in (
        jaxloss.cross_entropy,
        jax.jit(jaxloss.cross_entropy),
        jax.value_and_grad(jaxloss.cross_entropy),
        jax.jit(jax.value_and_grad(jaxloss.cross_entropy)),
    ):
        with pytest.raises(ValueError) as error:
            jaxloss.checked(f)(logits, labels)
        assert str(error.value) == message


@proof
def label_out_of_range_1000(bug):
    _out_of_range(1000)


@proof
def label_minus1_wraps(bug):
    _out_of_range(-1)


@proof
def int_regression_inputs(bug):
    predictions, labels, _ = bug.arguments().values()
    message = "mse_loss: predictions must be floating point, got uint8; cast with predictions.astype(jnp.float32)"
    with pytest.raises(TypeError) as error:
        jaxloss.mse_loss(predictions, labels)
    assert str(error.value) == message
    assert jaxloss.mse_loss(predictions.astype(F32), labels) == 4


@proof
def hinge_01_labels(bug):
    arguments = bug.arguments()
    losses = jaxloss.hinge_loss(**arguments)
    assert losses[0] == 0 and np.isnan(losses[1])
    for slope in _slopes_of(jaxloss.hinge_loss, arguments, "scores"):
        assert slope[0] == 0 and np.isnan(slope[1])
    bools = arguments | {"labels": np.array([True, False])}
    np.testing.assert_array_equal(jaxloss.hinge_loss(**bools), [0, 0])


@proof
def shape_N1_vs_N(bug):
    message = "mse_loss: labels must have the shape of predictions, (4, 1), got (4,); reshape it to (4, 1)"
    with pytest.raises(ValueError) as error:
        jaxloss.mse_loss(**bug.arguments())
    assert str(error.value) == message
    square, weights = np.ones((4, 4), F32), np.ones(4, F32)
    for name in ("weights", "mask"):
        with pytest.raises(ValueError, match=rf"^mse_loss: {name} must be a scalar or match .* got shape \(4,\)"):
            jaxloss.mse_loss(square, square, **{name: weights})


@proof
def axis_tuple(bug):
    with pytest.raises(TypeError) as error:
        jaxloss.cross_entropy(**bug.arguments())
    assert str(error.value) == (
        "cross_entropy: axis must be one integer, got (-2, -1); reshape logits so that the classes lie on one axis"
    )


@proof
def bf16_fused_logits(bug):
    rng = np.random.default_rng(0)
    hidden, kernel = (jnp.asarray(rng.normal(size=shape), BF16) for shape in ((64, 32), (32, 1000)))
    labels = rng.integers(0, 1000, 64)
    logits = np.float64(hidden) @ np.float64(kernel)
    losses, _, of_kernel, _ = _dense(hidden, kernel, labels, np.ones(64))
    of_label = logits[np.arange(64), labels]
    f = functools.partial(jaxloss.linear_cross_entropy, labels=labels, chunk_size=8)
    close(f(hidden, kernel, reduction="none") + of_label, losses + of_label, rtol=1e-5, atol=0)
    gradient = jax.grad(f, 1)(hidden, kernel, reduction="sum")
    assert gradient.dtype == BF16
    # Each entry is rounded to bfloat16 once (2^-9), and so is each of the slopes that it adds up.
    scale = np.abs(np.float64(hidden)).sum(0)[:, None]
    assert np.all(np.abs(np.float64(gradient) - of_kernel) <= 2**-8 * np.abs(of_kernel) + 2**-9 * scale * 0.2)
    # 4096 times 1/2 is 2048; a sum in bfloat16 stops where a half no longer counts, at 128.
    ones, zeros = jnp.ones((4096, 1), BF16), jnp.zeros((1, 2), BF16)
    f = functools.partial(jaxloss.linear_cross_entropy, labels=np.zeros(4096, int), chunk_size=8, reduction="sum")
    np.testing.assert_array_equal(jax.grad(f, 1)(ones, zeros), [[-2048, 2048]])


@proof
def mixed_dtype_bf16_logits_f32_labels(bug):
    arguments = bug.arguments()
    z = float(arguments["logits"][0])
    value = jaxloss.binary_cross_entropy_with_logits(**arguments)
    assert value.dtype == F32
    close(value, math.log1p(math.exp(z)) - float(np.float32(0.3)) * z, rtol=0)
    reverse, _ = _slopes_of(jaxloss.binary_cross_entropy_with_logits, arguments, "logits")
    assert reverse.dtype == BF16
    logits, labels = jnp.array([[0.1, 0.2]], BF16), np.float32([[0.3, 0.7]])
    value = jaxloss.cross_entropy(logits, labels)
    assert value.dtype == F32
    wide = np.float64(logits)[0]
    close(value, np.log(np.exp(wide).sum()) - np.float64(labels[0]) @ wide, rtol=0)
    reverse, _ = slopes(lambda z: jaxloss.cross_entropy(z, labels), logits)
    assert reverse.dtype == BF16


@proof
def custom_vjp_jvp(bug):
    logits, label = bug.arguments().values()
    probs = np.exp(np.float64(logits)) / np.exp(np.float64(logits)).sum()
    slope, curvature = probs - np.eye(3)[label], np.diag(probs) - np.outer(probs, probs)
    direction = np.float32([1, -2, 0.5])

    @functools.partial(jax.jit, static_argnums=0)
    def derivatives(f, x):
        first = jax.jvp(f, (x,), (direction,))[1], jax.jacfwd(f)(x), jax.jacrev(f)(x)
        second = jax.hessian(f)(x), jax.jacrev(jax.grad(f))(x), jax.jacfwd(jax.jacfwd(f))(x)
        return first, second

    for f in (
        lambda z: jaxloss.cross_entropy(z, label),
        lambda h: jaxloss.linear_cross_entropy(h, jnp.eye(3), label),
    ):
        (along, *first), second = derivatives(f, logits)
        close(along, slope @ direction)
        for found in first:
            close(found, slope)
        for found in second:
            close(found, curvature)


@proof
def vmap_pmap_shardmap(bug):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(4, 6)).astype(F32), np.arange(4, dtype=np.int32)
    mask = np.array([True, False, True, True])
    ce = jaxloss.cross_entropy
    f = lambda z, y, m, **names: ce(z, y, mask=m, **names)  # noqa: E731
    expected = jax.value_and_grad(f)(logits, labels, mask)
    probs = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(1, keepdims=True)
    close(expected[0], -np.log(probs[np.arange(4), labels])[mask].mean())
    close(expected[1], (probs - np.eye(6)[:4]) * mask[:, None] / 3)
    close(jax.vmap(ce)(logits, labels), ce(logits, labels, reduction="none"))

    def same(found, scale=1.0):
        close(np.ravel(found[0]), np.full(np.size(found[0]), expected[0]))
        close(np.reshape(found[1], (4, 6)), scale * expected[1])

    step = jax.value_and_grad(functools.partial(f, axis_name="data"))
    # Every device differentiates the same mean: its rows' gradient comes out once for each of the four.
    rows = [x[:, None] for x in (logits, labels, mask)]
    same(jax.pmap(step, axis_name="data", devices=jax.devices()[:4])(*rows), 4)
    line = jax.make_mesh((4,), ("data",), axis_types=(AxisType.Auto,), devices=jax.devices()[:4])
    for check_vma in (True, False):
        mapped = jax.shard_map(step, mesh=line, in_specs=P("data"), out_specs=(P(), P("data")), check_vma=check_vma)
        same(jax.jit(mapped)(logits, labels, mask), 1 if check_vma else 4)
    for kind in (AxisType.Auto, AxisType.Explicit):
        mesh = jax.make_mesh((2, 2), ("data", "model"), axis_types=(kind, kind), devices=jax.devices()[:4])
        for spec in (P("data"), P(None, "model"), P("data", "model")):
            sharded = jax.device_put(logits, NamedSharding(mesh, spec))
            spread = jax.device_put((labels, mask), NamedSharding(mesh, P(spec[0])))
            same(jax.jit(jax.value_and_grad(f))(sharded, *spread))
    mesh = jax.make_mesh((2, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2, devices=jax.devices()[:4])
    specs = P("data", "model"), P("data"), P("data")
    names = {"axis_name": "data", "class_axis_name": "model"}
    for check_vma in (True, False):
        mapped = jax.shard_map(
            jax.value_and_grad(functools.partial(f, **names)),
            mesh=mesh,
            in_specs=specs,
            out_specs=(P(), specs[0]),
            check_vma=check_vma,
        )
        same(jax.jit(mapped)(logits, labels, mask), 1 if check_vma else 2)


@proof
def fused_linear_ce_memory(bug):
    logits = 2048 * 65536 * 4
    for dtype in (BF16, F32):
        layer = [jax.ShapeDtypeStruct(shape, dtype) for shape in ((2048, 512), (512, 65536))]
        labels = jax.ShapeDtypeStruct((2048,), np.int32)

        def temporaries(argnums, layer=layer, labels=labels):
            f = functools.partial(jaxloss.linear_cross_entropy, chunk_size=256)  # the default of one device
            f = jax.jit(jax.value_and_grad(f, argnums))
            return f.lower(*layer, labels).compile().memory_analysis().temp_size_in_bytes

        both, frozen = temporaries((0, 1)), temporaries(0)
        assert frozen < both < 0.6 * logits
    rng = np.random.default_rng(0)
    hidden, kernel = (rng.normal(size=shape).astype(F32) for shape in ((16, 4), (4, 32)))
    labels = rng.integers(0, 32, 16)
    losses, *expected, _ = _dense(hidden, kernel, labels, np.full(16, 1 / 16))
    value, found = jax.value_and_grad(jaxloss.linear_cross_entropy, (0, 1))(hidden, kernel, labels)
    close(value, losses.mean())
    for a, b in zip(found, expected, strict=True):
        close(a, b)


@proof
def int32_index_overflow(bug):
    rows, count, marked = 43008, 50257, np.array([0, 42731, 43007])
    assert rows * count > 2**31
    labels = np.zeros(rows, np.int32)
    labels[marked] = count - 1, 123, 50000
    # Pages that were never written to take no memory.
    logits = np.frombuffer(mmap.mmap(-1, rows * count * 2, mmap.MAP_PRIVATE), BF16).reshape(rows, count)
    logits[marked, labels[marked]] = -1, -2, -3
    # Of log-probabilities, since XLA for CPUs makes a float32 copy of logits in bfloat16.
    losses = jaxloss.nll_loss(logits, labels, reduction="none")
    np.testing.assert_array_equal(losses[marked], [1, 2, 3])
    assert not np.any(np.delete(losses, marked))
    f = jax.jit(functools.partial(jaxloss.cross_entropy, reduction="none"))
    memory = f.lower(jax.ShapeDtypeStruct(logits.shape, BF16), labels).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 2.1 * logits.nbytes


@proof
def triplet_no_active(bug):
    arguments = bug.arguments()
    assert jaxloss.triplet_margin_loss(**arguments) == 0
    for name in ("anchors", "positives", "negatives"):
        assert not np.any(_slopes_of(jaxloss.triplet_margin_loss, arguments, name))
    with pytest.raises(ValueError) as error:
        jaxloss.triplet_margin_loss(**arguments, reduction="mean_of_active")
    assert str(error.value) == (
        "triplet_margin_loss: reduction must be 'mean', 'sum', 'none' or 'total', got 'mean_of_active'"
    )


@proof
def rank_all_masked(bug):
    arguments = bug.arguments()
    assert jaxloss.margin_ranking_loss(**arguments) == 0
    for name in ("scores_a", "scores_b"):
        assert not np.any(_slopes_of(jaxloss.margin_ranking_loss, arguments, name))
    empty = {"scores": np.float32([[1, np.nan]]), "labels": np.float32([[1, np.inf]]), "mask": np.zeros((1, 2), bool)}
    lists = [case.loss for case in FIRST if "scores" in case.inputs and len(case.members or ()) == 1]
    assert len(lists) == 11
    for loss in lists:
        assert loss(**empty) == 0 and not np.any(_slopes_of(loss, empty, "scores")), loss.__name__


@proof
def nb_zero_mean(bug):
    arguments = {name: x for name, x in bug.arguments().items() if name != "dispersion"}
    for full in (False, True, "stirling"):
        loss = functools.partial(jaxloss.poisson_nll_loss, log_input=False, full=full)
        _value(loss, arguments, [0, np.inf, np.inf], 1e-5, 1e-6)
        _gradient(loss, arguments, "predictions", [1, -np.inf, -np.inf], 1e-5, 0)


@proof
def js_underflow_both(bug):
    log_p, y = (np.array(x[0]) for x in bug.inputs.values())
    for mixture, expected in ((0.1, 0.00722936527), (0.9, 0.00613595311)):
        mixed = mixture * y + (1 - mixture) * np.exp(log_p)
        parts = mixture * y * np.log(y / mixed) + (1 - mixture) * np.exp(log_p) * (log_p - np.log(mixed))
        close(parts.sum(), expected)
        loss = functools.partial(jaxloss.js_divergence, mixture=mixture)
        _value(loss, bug.arguments(), [expected], 1e-5, 0)
        _finite(loss, bug.arguments(), "gradient of log_probs")


@proof
def generalized_dice_weights_matter(bug):
    rng = np.random.default_rng(0)
    probs, labels = rng.uniform(size=(2, 9, 3)).astype(F32), np.eye(3, dtype=F32)[rng.integers(0, 3, (2, 9))]
    both, sizes = ((x).sum(1) for x in (probs * labels, probs + labels))
    w = 1 / labels.sum(1) ** 2
    wanted = 1 - 2 * (w * both).sum(1) / (w * sizes).sum(1)
    close(jaxloss.generalized_dice_loss(probs, labels, smooth=0.0, reduction="none"), wanted)


@proof
def masked_dice_softmax(bug):
    logits, labels = np.array(bug.inputs["logits"]), np.array(bug.inputs["labels"])[:, 0]
    probs = jax.nn.softmax(jnp.array(logits), axis=1)
    f = functools.partial(jaxloss.dice_loss, axis=1, reduction="none")
    masked = f(probs, labels, mask=np.array(bug.options["mask"])[:, 0])
    close(masked, f(probs[..., :1], labels[..., :1]))
    assert abs(masked - f(jax.nn.softmax(jnp.array(logits * np.array([1.0, 0.0])), axis=1), labels)).min() > 0.1


@proof
def dice_batch_reduction(bug):
    losses = jaxloss.dice_loss(**bug.arguments(), smooth=0.0)
    close(losses, np.array([[1 / 3], [0]]))


@proof
def dice_ignore_index(bug):
    rng = np.random.default_rng(0)
    probs, labels = jax.nn.softmax(rng.normal(size=(2, 9, 3)).astype(F32)), rng.integers(0, 3, (2, 9)).astype(np.uint8)
    labels[:, 6:] = 255
    expected = jax.value_and_grad(jaxloss.dice_loss)(probs[:, :6], labels[:, :6])
    for names in ({"ignore_index": 255}, {"mask": labels != 255}):
        value, slope = jax.value_and_grad(lambda p, names=names: jaxloss.dice_loss(p, labels, **names))(probs)
        close(value, expected[0])
        close(slope[:, :6], expected[1])
        assert not np.any(slope[:, 6:])


@proof
def ntxent_zero_embedding(bug):
    arguments = bug.arguments()
    (slope, _) = _slopes_of(loss_of(bug), arguments, "embeddings")
    assert np.max(np.abs(slope)) < 1e3 and not np.any(slope[3])


@proof
def ensemble_missing_member(bug):
    predictions, labels = bug.arguments().values()
    for fair, score, slope in ((True, 0, np.zeros(3)), (False, 2 / 9, np.array([-1, 0, 1]) / 9)):
        f = functools.partial(jaxloss.ensemble_crps_loss, labels=labels, fair=fair, reduction="none")
        losses = f(predictions)
        forward = jax.jacfwd(f)(predictions)
        assert np.all(np.isnan(losses[:3]))
        close(losses[3], score)
        for gradient in (jax.grad(lambda x, f=f: jnp.sum(f(x)))(predictions), forward[np.arange(4), np.arange(4)]):
            assert np.all(np.isnan(gradient[:3]))
            close(gradient[3], slope)
    for row in predictions[:3]:
        assert jaxloss.ensemble_crps_loss(row[~np.isnan(row)], labels[0], fair=True) == 0


@proof
def class_balanced_unseen_class(bug):
    weights = jaxloss.class_balanced_weights(**bug.arguments())
    logits = np.random.default_rng(0).normal(size=(3, 6)).astype(F32)
    probs = np.exp(np.float64(logits)) / np.exp(np.float64(logits)).sum(1, keepdims=True)

    @jax.jit
    def every(labels):
        f = lambda loss: lambda z, w: loss(z, labels, class_weights=w)  # noqa: E731
        calls = f(jaxloss.cross_entropy), f(jaxloss.softmax_focal_loss)
        modes = jax.jacrev, jax.jacfwd
        return [(f(logits, weights), [derive(f, (0, 1))(logits, weights) for derive in modes]) for f in calls]

    for labels in (np.array([0, 4, 5]), np.array([4, 4, 4])):
        p, w = probs[np.arange(3), labels], np.float64(weights)[labels]
        for (value, both), losses in zip(every(labels), (-np.log(p), -((1 - p) ** 2) * np.log(p))):
            close(value, (w * losses).sum() / w.sum() if w.any() else 0)
            for slope in jax.tree.leaves(both):
                assert np.all(np.isfinite(slope)) and np.any(slope) == w.any()


@proof
def ce_channels_first(bug):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(2, 3, 4, 4)).astype(F32), rng.integers(0, 3, (2, 4, 4)).astype(np.int32)
    f = functools.partial(jaxloss.cross_entropy, labels=labels, axis=1)
    last = np.moveaxis(logits, 1, -1).reshape(-1, 3)
    losses, of_logits, *_ = _dense(last, np.eye(3), labels.ravel(), np.full(32, 1 / 32))
    close(f(logits, reduction="none"), losses.reshape(labels.shape))
    for slope in slopes(f, logits):
        close(np.moveaxis(slope, 1, -1).reshape(-1, 3), of_logits)
    for given, axis, fits, got in (
        (labels[:, None], 1, "(2, 4, 4)", "(2, 1, 4, 4); reshape it to (2, 4, 4)"),
        (labels, -1, "(2, 3, 4)", "(2, 4, 4); with axis=1 they fit, for 3 classes"),
    ):
        with pytest.raises(ValueError) as error:
            jaxloss.cross_entropy(logits, given, axis=axis)
        assert str(error.value) == (
            f"cross_entropy: labels must be integers of shape {fits} or probabilities of shape (2, 3, 4, 4), to fit "
            f"logits of shape (2, 3, 4, 4), got int32 of shape {got}"
        )


@proof
def distillation_bf16_vocab(bug):
    @jax.jit
    def everything(student, teacher, temperature):
        f = functools.partial(jaxloss.distillation_loss, teacher_logits=teacher, temperature=temperature)
        forward = jax.jvp(f, (teacher,), (jnp.cos(teacher),))[1]
        return f(student), f(teacher), jax.grad(f)(teacher), forward

    rng = np.random.default_rng(0)
    for scale in (1, 15):
        logits = np.clip(scale * rng.normal(size=(1, 248320)), -70, 70)
        teacher, student = (jnp.asarray(x, BF16) for x in (logits, logits + 0.01 * rng.normal(size=logits.shape)))
        assert scale == 1 or np.max(teacher) > 60
        for temperature in (1, 2):
            value, *nothing = everything(student, teacher, F32(temperature))
            assert not any(map(np.any, nothing))
            z, y = (np.float64(x) / temperature for x in (student, teacher))
            log_p, log_y = (x - x.max() - np.log(np.exp(x - x.max()).sum()) for x in (z, y))
            assert value >= 0
            close(value, temperature**2 * (np.exp(log_y) * (log_y - log_p)).sum(), rtol=1e-4, atol=0)


@proof
def uncertainty_zero_loss(bug):
    zero, scales = jnp.zeros(()), np.float32([-80, -89, -100])
    for loss in (zero, jaxloss.Total(zero, zero)):
        for task in ((), "a"):
            weigh = functools.partial(jaxloss.uncertainty_weighting, classification=task)
            f = lambda s, x, weigh=weigh: weigh({"a": x}, {"a": s})[0]  # noqa: E731
            every = lambda s, x, f=f: (f(s, x), *(derive(f, (0, 1))(s, x) for derive in (jax.jacrev, jax.jacfwd)))  # noqa: E731
            value, *both = jax.jit(jax.vmap(every, (0, None)))(scales, loss)
            close(value, scales / 2)
            for slope, of_loss in both:
                assert np.all(slope == 0.5) and not np.any(np.isnan(jax.tree.leaves(of_loss)))


@proof
def smoothing_microbatches(bug):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(8, 5)).astype(F32), rng.integers(0, 5, 8)
    labels[[1, 3, 6]] = -100  # the one of the second microbatch, too
    f = functools.partial(jaxloss.cross_entropy, label_smoothing=0.1, ignore_index=-100)
    cuts = slice(3), slice(3, 4), slice(4, 8)
    by_parts = lambda z: sum(f(z[cut], labels[cut], reduction="total") for cut in cuts).mean()  # noqa: E731
    probs = np.exp(np.float64(logits)) / np.exp(np.float64(logits)).sum(1, keepdims=True)
    live = labels >= 0
    smoothed = 0.9 * np.eye(5)[labels * live] + 0.1 / 5
    for g in (by_parts, lambda z: f(z, labels)):
        close(g(logits), -(smoothed * np.log(probs)).sum(1)[live].mean())
        for slope in slopes(g, logits):
            close(slope, live[:, None] * (probs - smoothed) / live.sum())


@proof
def weight_sum_overflow(bug):
    (losses,) = bug.arguments().values()
    for weight in (1e-30, 1e30, 1.5e38, 3e38):
        weights = np.full(2, weight, F32)
        assert jaxloss.reduce(losses, weights) == 2
        for slope in slopes(lambda x, w=weights: jaxloss.reduce(x, w), losses):
            close(slope, [0.5, 0.5])
    heavy = np.full(2, 1e38, F32)
    f = functools.partial(jaxloss.cross_entropy, labels=np.array([0, 1, 1, 0]), class_weights=heavy)
    close(f(np.zeros((4, 2), F32)), math.log(2))
    for slope in slopes(f, np.zeros((4, 2), F32)):
        close(slope, np.array([[-1, 1], [1, -1], [1, -1], [-1, 1]]) / 8)


@proof
def padded_vocabulary_bias(bug):
    rng = np.random.default_rng(0)
    hidden, kernel, bias = (rng.normal(size=shape).astype(F32) for shape in ((5, 3), (3, 128), 128))
    labels, real = rng.integers(0, 125, 5), slice(125)
    bias[125:] = -np.inf
    f = functools.partial(jaxloss.linear_cross_entropy, labels=labels, chunk_size=2, reduction="sum")

    @jax.jit
    def every(*layer):
        ways = {"z_loss": None}, {"z_loss": 0.01}, {"soft_cap": 30.0}
        calls = [lambda h, k, b, way=way: f(h, k, bias=b, **way) for way in ways]
        return [(f(*layer), *(derive(f, (0, 1, 2))(*layer) for derive in (jax.jacrev, jax.jacfwd))) for f in calls]

    *ruled_out, (value, *both) = every(hidden, kernel, bias)
    capped = 30 * np.tanh((np.float64(hidden) @ kernel + bias) / 30)
    close(value, _dense(capped, np.eye(128), labels, np.ones(5))[0].sum())
    assert all(np.all(np.isfinite(slope)) for slope in jax.tree.leaves(both))
    assert f(hidden, kernel, bias=bias, label_smoothing=0.1) == np.inf
    for z_loss, (value, *both) in zip((0, 0.01), ruled_out):
        losses, *expected = _dense(hidden, kernel[:, real], labels, np.ones(5), bias[real], z_loss)
        close(value, losses.sum())
        for of_hidden, of_kernel, of_bias in both:
            for found, wanted in zip((of_hidden, of_kernel[:, real], of_bias[real]), expected, strict=True):
                close(found, wanted)
            assert not np.any(of_kernel[:, 125:]) and not np.any(of_bias[125:])


@proof
def checkify_nan_checks(bug):
    hard, soft = np.array([1, 0]), np.float32([[0.5, 0, 0.5], [0.25, 0.75, 0]])
    logits, ruled_out = np.float32([[0, 1, 2], [2, 1, 0]]), np.float32([[-np.inf, 1, 2], [2, 1, -np.inf]])
    log_probs = np.asarray(jax.nn.log_softmax(logits))
    j = jaxloss
    calls = [
        (lambda x: j.cross_entropy(x, hard), logits),
        (lambda x: j.cross_entropy(x, soft), logits),
        (lambda x: j.cross_entropy(x, hard), ruled_out),
        (lambda x: j.kl_divergence(x, soft), log_probs),
        (lambda x: j.linear_cross_entropy(x, np.eye(3, dtype=F32), hard), logits),
        (lambda x: j.softmax_focal_loss(x, hard), logits),
        (lambda x: j.sigmoid_focal_loss(x, soft), logits),
        (lambda x: j.sparsemax_loss(x, hard), logits),
        (lambda x: j.gaussian_mixture_nll_loss(x, soft[:, 0], means=logits, scales=F32(1)), logits),
    ]
    every = lambda arrays: [jax.value_and_grad(f)(x) for (f, _), x in zip(calls, arrays)]  # noqa: E731
    error, _ = jax.jit(checkify.checkify(every, errors=checkify.nan_checks))([x for _, x in calls])
    assert not error.get()


@proof
def jacrev_in_shard_map(bug):
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(8, 3)).astype(F32), rng.integers(0, 3, 8)
    probs = np.exp(np.float64(logits)) / np.exp(np.float64(logits)).sum(1, keepdims=True)
    # The rows of a device by its rows: the blocks on the diagonal.
    expected = np.einsum("ij,ik->ijk", np.tile(np.eye(2), (4, 1)), probs - np.eye(3)[labels])
    f = functools.partial(jaxloss.cross_entropy, reduction="none")
    for kind in (AxisType.Auto, AxisType.Explicit):
        mesh = jax.make_mesh((4,), ("data",), axis_types=(kind,), devices=jax.devices()[:4])
        placed = jax.device_put((logits, labels), NamedSharding(mesh, P("data")))
        for derive in (jax.jacrev, jax.jacfwd):
            for check_vma in (True, False):
                mapped = jax.shard_map(
                    derive(f), mesh=mesh, in_specs=P("data"), out_specs=P("data"), check_vma=check_vma
                )
                close(jax.jit(mapped)(*placed), expected)


@proof
def total_export(bug):
    f = jax.jit(functools.partial(jaxloss.mse_loss, reduction="total"))
    x, y = np.float32([1, 2, 3]), np.float32([0, 0, 1])
    served = jax.export.deserialize(jax.export.export(f)(x, y).serialize())
    assert served.call(x, y) == f(x, y) == jaxloss.Total(F32(9), F32(3))


@proof
def export_second_order(bug):
    @functools.partial(jax.jit, static_argnums=0)
    def derivatives(f, hidden, kernel, labels, mask):
        slope = lambda h, k: jax.grad(f, (0, 1))(h, k, labels, mask)  # noqa: E731
        along = jnp.cos(hidden), jnp.sin(kernel)
        pull = lambda h, k: sum(map(jnp.vdot, slope(h, k), along))  # noqa: E731
        return f(hidden, kernel, labels, mask), slope(hidden, kernel), jax.grad(pull, (0, 1))(hidden, kernel)

    f = jax.jit(lambda h, k, y, m: jaxloss.linear_cross_entropy(h, k, y, mask=m))
    sizes = jax.export.symbolic_shape("batch, tokens")
    shapes = ((*sizes, 3), F32), ((3, 7), F32), (sizes, np.int32), (sizes, np.bool_)
    exported = jax.export.export(f)(*(jax.ShapeDtypeStruct(*shape) for shape in shapes))
    served = jax.export.deserialize(exported.serialize(vjp_order=2)).call
    rng = np.random.default_rng(0)
    hidden, kernel = (rng.normal(size=shape).astype(F32) for shape in ((3, 70, 3), (3, 7)))
    given = hidden, kernel, rng.integers(0, 7, (3, 70)).astype(np.int32), rng.random((3, 70)) < 0.6
    jax.tree.map(close, derivatives(served, *given), derivatives(f, *given))


@proof
def remat_policies(bug):
    rng = np.random.default_rng(0)
    hidden, kernel = (rng.normal(size=shape).astype(F32) for shape in ((7, 4, 3), (3, 5)))
    labels = rng.integers(0, 5, (7, 4))
    f = functools.partial(jaxloss.linear_cross_entropy, chunk_size=2)
    slope = jax.grad(f, (0, 1))
    known = vars(jax.checkpoint_policies)
    takes = {
        "offload_dot_with_no_batch_dims": {"offload_src": "device", "offload_dst": "pinned_host"},
        "save_from_both_policies": {
            "policy_1": known["dots_saveable"],
            "policy_2": known["everything_saveable"],
        },
    }
    takes["save_and_offload_only_these_names"] = {
        "names_which_can_be_saved": ["a"],
        "names_which_can_be_offloaded": ["b"],
        **takes["offload_dot_with_no_batch_dims"],
    }
    of_names = "save_any_names_but_these", "save_anything_except_these_names", "save_only_these_names"
    policies = {known[name](**keywords) for name, keywords in takes.items()} | {known[name]("a") for name in of_names}
    policies |= {policy for name, policy in known.items() if name not in (*takes, *of_names)}

    @jax.jit
    def every(hidden, kernel):
        by_row = lambda row: (f(row[0], kernel, row[1]), slope(row[0], kernel, row[1]))  # noqa: E731
        rows = jax.lax.map(by_row, (hidden, labels), batch_size=3), jax.vmap(by_row)((hidden, labels))
        ways = [jax.grad(jax.checkpoint(f, policy=policy), (0, 1)) for policy in policies]
        return rows, slope(hidden, kernel, labels), [way(hidden, kernel, labels) for way in ways]

    rows, expected, remade = every(hidden, kernel)
    jax.tree.map(close, *rows)
    for found in remade:
        jax.tree.map(close, found, expected)
    logits = jnp.asarray(hidden)
    step = lambda z: jax.value_and_grad(jaxloss.cross_entropy)(z, labels % 3)  # noqa: E731
    expected = step(logits)
    jax.tree.map(close, jax.jit(step, donate_argnums=0)(logits), expected)
    assert logits.is_deleted()


@proof
def big_endian_numpy(bug):
    predictions, labels = bug.arguments().values()
    native = {
        "predictions": predictions,
        "labels": labels,
        "weights": np.float32([1, 1, 2]),
        "mask": np.float32([1, 0, 1]),
        "delta": np.array(2, F32),
    }
    classes = {"logits": np.log(np.float32([[0.5, 0.25, 0.25]])), "labels": np.array([1], np.int32)}
    for loss, given, expected in (
        (jaxloss.mse_loss, {"predictions": predictions, "labels": labels}, 14 / 3),
        (jaxloss.huber_loss, native, (0.5 + 2 * 4) / 3),
        (jaxloss.cross_entropy, classes, math.log(4)),
    ):
        for _ in range(2):
            close(loss(**given), expected)
            for name, x in given.items():
                close(loss(**{**given, name: x.astype(x.dtype.newbyteorder(">"))}), expected)


@proof
def nnx_variables(bug):
    v = lambda x: nnx.Param(jnp.asarray(x))  # noqa: E731
    hidden, kernel, bias = np.eye(2, 3, dtype=F32), np.eye(3, dtype=F32), np.float32([1, 2, 3])
    f = functools.partial(jaxloss.linear_cross_entropy, hidden, labels=np.array([0, 2]))
    close(f(v(kernel), bias=v(bias), z_loss=v(F32(0.1))), f(kernel, bias=bias, z_loss=0.1))
    assert jaxloss.combine({"a": F32(3)}, {"a": v(F32(2))}) == jaxloss.combine({"a": F32(3)}, {"a": 2.0})
    close(jaxloss.uncertainty_weighting({"a": F32(3)}, {"a": v(F32(2))})[0], 1.5 * math.exp(-2) + 1)
    slope = jax.grad(lambda w: jaxloss.combine({"a": F32(3)}, w)[0])({"a": v(F32(2))})
    assert slope["a"][...] == 3


@proof
def float8_int4(bug):
    rng = np.random.default_rng(0)
    hard, soft = np.array([0, 1, 1, 0]), np.float32([[0.5, 0.25, 0.25], [0, 1, 0], [0.25, 0, 0.75], [0, 0.5, 0.5]])
    weights = np.float32([1, 0.5, 2, 4])
    f = functools.partial(jaxloss.cross_entropy, reduction="sum")
    for dtype in (jnp.float8_e4m3fn, jnp.float8_e5m2):
        logits = jnp.asarray(rng.normal(size=(4, 3)), dtype)
        losses = np.stack([_dense(logits, np.eye(3), np.full(4, label), weights)[0] for label in range(3)], 1)
        for labels, target in ((hard, np.eye(3)[hard]), (jnp.asarray(soft, dtype), soft)):
            loss = functools.partial(f, labels=labels, weights=jnp.asarray(weights, dtype))
            value = loss(logits)
            assert value.dtype == F32
            close(value, weights @ (target * losses).sum(1))
            reverse, forward = slopes(loss, logits)
            exact = (weights[:, None] * (np.exp(-losses) - target)).astype(F32)
            assert reverse.dtype == dtype
            np.testing.assert_array_equal(reverse, exact.astype(dtype))
            close(forward, exact)
    logits = rng.normal(size=(4, 3)).astype(F32)
    for dtype in (jnp.int4, jnp.uint4, jnp.int2):
        losses, *_ = _dense(logits, np.eye(3), hard, weights)
        close(f(logits, jnp.asarray(hard, dtype), weights), weights @ losses)
        if dtype != jnp.uint4:
            labels = jnp.asarray([-1, 1, 1, 0], dtype)
            losses = jaxloss.cross_entropy(logits, labels, reduction="none")
            np.testing.assert_array_equal(np.isnan(losses), [True, False, False, False])
            for slope in slopes(lambda z, y=labels: jaxloss.cross_entropy(z, y, reduction="none")[:1], logits):
                assert np.all(np.isnan(slope[0]))


# --- the same mistakes in every other loss -----------------------------------------------------------------------

OF_CLASSES = [
    case
    for case in FIRST
    if ("labels", -1) in [bad[:2] for bad in case.bad] and case.arguments()["labels"].dtype.kind == "i"
]
ELEMENTWISE = [case for case in FIRST if {x.shape for x in case.arguments().values()} == {(8, 4)}]
ELEMENTWISE = [case for case in ELEMENTWISE if case.expected(case.arguments())[0].shape == (8, 4)]


@exhaustive(ELEMENTWISE)
def test_a_column_never_meets_a_vector(case):
    columns = {name: x[:, :1] for name, x in case.arguments().items()}
    first, *others = columns
    for name in others:
        for lead, other in ((columns[first], columns[name][:, 0]), (columns[first][:, 0], columns[name])):
            rest = {key: x if lead.ndim == 2 else x[:, 0] for key, x in columns.items()}
            with pytest.raises(ValueError, match=rf"^{case.loss.__name__}: {name} must .*; reshape it to \(8"):
                case.loss(**{**rest, first: lead, name: other}, **case.options)


@exhaustive(OF_CLASSES)
def test_labels_out_of_range_in_every_integer(case, x64):
    """Narrow ones reach past their own range, wide ones come back to a class when they are cut to 32 bits."""
    arguments = case.arguments()
    for dtype, label in (
        ("int8", -1),
        ("uint8", 255),
        ("int64", 2**32 + 1),
        ("uint64", 2**64 - 1),
        ("int64", -(2**32)),
    ):
        labels = arguments["labels"].astype(dtype)
        labels[0] = label
        losses = np.atleast_1d(case.loss(**{**arguments, "labels": labels}, **case.options, reduction="none"))
        assert np.all(np.isnan(losses[0])) and not np.any(np.isnan(losses[1:])), label


@exhaustive(OF_CLASSES)
def test_labels_that_32_bits_do_not_hold(case):
    """NumPy's integers have 64 bits, of which JAX cuts off half without a word."""
    arguments = case.arguments()
    labels = np.stack([arguments["labels"].astype("int64")] * 3)
    for row, label in enumerate((2**32 + 1, -(2**32), 2**63 - 1)):
        labels[row, 0] = label
        losses = np.atleast_1d(case.loss(**{**arguments, "labels": labels[row]}, **case.options, reduction="none"))
        assert np.all(np.isnan(losses[0])) and not np.any(np.isnan(losses[1:])), label
    mask = np.ones(case.mask_shape(losses.shape), bool)
    mask[0] = False
    masked = case.loss(**{**arguments, "labels": labels[0]}, mask=mask, **case.options)
    np.testing.assert_array_equal(masked, case.loss(**arguments, mask=mask, **case.options))


@pytest.mark.parametrize("transform", [lambda f: f, jax.jit], ids=["eagerly", "jit"])
def test_numbers_that_32_bits_do_not_hold(transform):
    large, power = np.array([3_000_000_000, 0]), 2**40
    x = jnp.array([3e9, 1.0])
    j = jaxloss
    for got, expected in (
        (lambda x: j.mse_loss(x, large), 0.5),
        (lambda x: j.mse_loss(x, x - 1, np.array([2**32, 1]), reduction="total").weight, 2**32 + 1),
        (lambda x: j.mse_loss(x, x - 1, mask=np.array([2**32, 1])), np.nan),
        (lambda x: j.reduce(large), 1.5e9),
        (lambda x: j.l1_loss(x[0], -(2**70)), 2.0**70),
        (lambda x: j.huber_loss(x, jnp.zeros(2), delta=power), (4.5e18 + 0.5) / 2),
    ):
        np.testing.assert_allclose(transform(got)(x), expected, rtol=1e-6)
    for ignored in (power, np.int64(power)):
        losses = j.cross_entropy(jnp.zeros((2, 3)), np.array([0, power]), ignore_index=ignored, reduction="none")
        np.testing.assert_allclose(losses, [np.log(3), 0], rtol=1e-6)


def test_an_index_to_ignore_does_not_wrap_in_narrow_labels(x64):
    for ignored in (np.iinfo(np.int64).min, -(2**40)):
        losses = jaxloss.cross_entropy(
            jnp.zeros((2, 3)), jnp.array([0, 1], jnp.int32), ignore_index=ignored, reduction="none"
        )
        np.testing.assert_allclose(losses, np.log([3, 3]))


@exhaustive([case for case in FIRST if {name for name, *_ in case.bad} - {next(iter(case.arguments()))}])
def test_bad_values_that_are_constants_of_the_program(case):
    """What XLA's CPU backend computes of a NaN that it knows beforehand may be any number."""
    arguments = case.arguments()
    first = next(iter(arguments))
    for name, value, _ in case.bad:
        if name == first:
            continue
        given = {**arguments, name: np.full_like(arguments[name], value)}
        x = given.pop(first)
        gradient = jax.jit(jax.grad(lambda x, given=given: case.loss(x, **given, **case.options, reduction="sum")))(x)
        assert np.all(np.isnan(gradient) | (np.asarray(case.options.get("class_mask", True)) == 0)), (name, value)


@exhaustive([case for case in FIRST if not case.pooled])
def test_weights_and_masks_of_every_dtype(case):
    """255 does not overflow in the sum of bytes, nor is it rounded to 256 in bfloat16's."""
    arguments = case.arguments()
    losses, own = case.expected(arguments)
    for dtype, largest in (("uint8", 255), ("int8", 127), (np.bool_, 1), (BF16, 1)):
        weights = np.full(losses.shape, largest).astype(dtype)
        total = case.loss(**arguments, weights=weights, **case.options, reduction="total")
        close(total.weight, (own * largest).sum(), err_msg=str(dtype))
        close(total.total, (losses * own * largest).sum(), rtol=2e-5, err_msg=str(dtype))
