"""Cross entropies at their extremes: offsets, ruled out classes, sure rows, certain probabilities; against float64."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss

from ..harness.formulas import log_normalizer, one_hot
from ..harness.numbers import BF16, F16, F32, close, dtypes, each, temporaries


pytestmark = pytest.mark.thin(4)


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


@pytest.mark.parametrize("rows", [1, 5])
@pytest.mark.parametrize("sure", [0, 3, 30])
@pytest.mark.parametrize("charged", [0.0, 1e-30, 0.25])
def test_probability_labels_beside_ruled_out_classes(rows, sure, charged):
    """Rows in which no class leads, one leads or is sure, and whose label gives nothing, next to nothing or something
    to a class that is ruled out, beside rows without any such."""
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(rows, 40)), rng.dirichlet(np.ones(40), rows)
    z[0, 7] += sure
    z[0, 3] = -np.inf
    y[0, 3] = charged
    z, y = z.astype(np.float32), y.astype(np.float32)
    with np.errstate(invalid="ignore"):
        x = z - log_normalizer(z.astype(np.float64), -1)
        wanted = -np.where(y > 0, y * x, 0).sum(-1)
    value, pull = jax.vjp(jax.jit(functools.partial(jaxloss.cross_entropy, reduction="none")), z, y)
    by_logits, by_labels = pull(jnp.ones_like(value))
    close(value, wanted)
    mass = y.astype(np.float64).sum(-1, keepdims=True)
    close(by_logits, mass * np.exp(x) - y, rtol=1e-4, atol=1e-7)
    close(by_labels, np.where((y == 0) & np.isinf(x), 0, -x), rtol=1e-5, atol=1e-14)  # of float64 at logits of 30


@pytest.mark.parametrize("sure", [0, 30])
def test_a_nan_among_many_probability_labels_or_their_logits(sure):
    z = jax.random.normal(jax.random.key(0), (64, 1000)).at[3, 4].add(sure)
    y = jax.nn.softmax(jax.random.normal(jax.random.key(1), z.shape))
    both = jax.jit(jax.vmap(jax.value_and_grad(jaxloss.cross_entropy, (0, 1))))
    one_by_one = jax.jit(jax.grad(lambda z, y: jnp.sum(jaxloss.cross_entropy(z, y, reduction="none")), (0, 1)))
    for place in ((5, 7), (60, 999)):
        for logits, labels in ((z.at[place].set(jnp.nan), y), (z, y.at[place].set(jnp.nan))):
            value, slopes = both(logits, labels)
            for found in (value[:, None], *slopes, *one_by_one(logits, labels)):
                np.testing.assert_array_equal(np.isnan(found).all(1), np.arange(64) == place[0])
                assert np.isnan(found).any(1).sum() == 1


def test_probability_labels_under_vmap():
    """What only some examples need is done where one does, and nowhere else; nothing is of the logits' size."""
    z = 2 * jax.random.normal(jax.random.key(0), (3, 4, 256))
    y = jax.nn.softmax(jax.random.normal(jax.random.key(1), z.shape))
    odd = z.at[1, 2, 3].set(jnp.inf).at[2, 0, 5].set(-jnp.inf).at[0, 1, 7].set(40)
    both = jax.value_and_grad(lambda z, y: jnp.sum(jaxloss.cross_entropy(z, y, reduction="none")))
    mapped = jax.vmap(jax.vmap(both))
    for logits in (z, odd):
        found, wanted = jax.jit(mapped)(logits, y), [[both(*pair) for pair in zip(*rows)] for rows in zip(logits, y)]
        close(found[0], [[value for value, _ in rows] for rows in wanted])
        np.testing.assert_allclose(found[1], [[slope for _, slope in rows] for rows in wanted], rtol=1e-5, atol=1e-7)
    large = jax.ShapeDtypeStruct((8, 64, 1024), F32)
    assert temporaries(mapped, large, large) < 8 * 64 * 1024 * 4 / 10


@pytest.mark.parametrize("dtype", [F32, BF16])
def test_second_derivatives_out_of_a_scan_beside_a_ruled_out_class(dtype):
    """There JAX differentiates the sums themselves, of a row that is sure as well."""
    z = jnp.zeros((2, 5), dtype).at[0, 1].set(-jnp.inf).at[1, 2].set(9)
    for labels in both_labels([0, 2], 5):
        plain = lambda z, labels=labels: jaxloss.cross_entropy(z, labels)  # noqa: E731
        scanned = lambda z, f=plain: jnp.sum(jax.lax.map(f, z[None]))  # noqa: E731
        second = [
            jax.jvp(jax.grad(lambda z, f=f: jnp.square(f(z))), (z,), (jnp.ones_like(z).at[1, 2].set(2),))[1]
            for f in (plain, scanned)
        ]
        np.testing.assert_allclose(*(np.asarray(x, np.float64) for x in second), rtol=1e-2, atol=1e-5)


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


ROWS, MANY = 512, 32_768
OPTIONS = {
    "mask": np.arange(ROWS) % 3 > 0,
    "weights": np.ones(ROWS, np.float32),
    "ignore_index": -100,
    "class_mask": np.arange(MANY) % 5 > 0,
    "class_weights": np.ones(MANY, np.float32),
    "label_smoothing": 0.1,
    "z_loss": 1e-4,
}
LEAN = [{}, *({name: x} for name, x in OPTIONS.items()), OPTIONS]


@pytest.mark.parametrize("options", LEAN, ids=lambda options: ", ".join(options))
@pytest.mark.parametrize("dtype", [F32, jnp.bfloat16])
def test_no_memory_of_the_logits_size(dtype, options):
    """Of the value, and of value and gradient beside the gradient itself."""
    logits, labels = jax.ShapeDtypeStruct((ROWS, MANY), dtype), jax.ShapeDtypeStruct((ROWS,), jnp.int32)
    loss = lambda z, y: jaxloss.cross_entropy(z, y, **options)  # noqa: E731
    for f in (loss, jax.value_and_grad(loss)):
        assert temporaries(f, logits, labels) < ROWS * MANY * logits.dtype.itemsize / 100


@pytest.mark.parametrize(
    "options", [{}, {"class_mask": np.arange(5) != 3, "label_smoothing": 0.1, "z_loss": 0.1}], ids=str
)
def test_curvature_in_half_precision_beside_a_masked_row(options):
    logits, direction = np.round(np.random.default_rng(0).normal(size=(2, 4, 5)) * 8) / 8
    labels, mask = np.array([0, 1, 2, 4]), np.array([True, False, True, True])
    loss = lambda z: jaxloss.cross_entropy(z, labels, mask=mask, reduction="sum", **options)  # noqa: E731
    product = jax.jit(lambda z, v: jax.grad(lambda z: jnp.vdot(jax.grad(loss)(z), v))(z))
    expected = product(jnp.float32(logits), jnp.float32(direction))
    logits[1] = np.nan
    found = product(jnp.bfloat16(logits), jnp.bfloat16(direction))
    assert not np.any(found[1])
    close(found.astype(F32), expected, rtol=2**-6, atol=2**-7)
