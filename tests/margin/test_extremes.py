"""Margins at their extremes, against float64."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxloss

from ..harness.formulas import one_hot
from ..harness.numbers import BF16, F16, F32, close, each
from .formulas import sparse_regret


pytestmark = pytest.mark.thin(4)
INF = np.inf
BINARY = [jaxloss.hinge_loss, jaxloss.squared_hinge_loss, jaxloss.soft_margin_loss, jaxloss.perceptron_loss]
CLASSES = [
    jaxloss.multiclass_hinge_loss,
    jaxloss.multi_margin_loss,
    jaxloss.multiclass_perceptron_loss,
    jaxloss.sparsemax_loss,
    jaxloss.entmax15_loss,
]
SPARSE = [(jaxloss.sparsemax_loss, 1), (jaxloss.entmax15_loss, 2)]
hinge, squared, soft, perceptron = BINARY


def where_nan(loss, scores, labels, rows):
    """NaN in these rows, wherever they hold anything: in the losses, the gradient and the forward mode."""
    f = lambda x: loss(x, labels, reduction="none")  # noqa: E731
    wanted = np.reshape(rows, (-1, *[1] * (scores.ndim - 1))) & np.ones(scores.shape, bool)
    np.testing.assert_array_equal(np.isnan(f(scores)), rows)
    np.testing.assert_array_equal(np.isnan(jax.grad(lambda x: jnp.sum(f(x)))(scores)), wanted)
    forward = np.isnan(jax.jacfwd(f)(scores))
    for row, is_bad in enumerate(rows):
        assert np.all(forward[row] == is_bad)


# --- two classes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [F32, BF16, F16], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(
    ("loss", "margin", "value", "slope"),
    [
        (hinge, 1, 0, 0),
        (hinge, 0.75, 0.25, -1),
        (hinge, INF, 0, 0),
        (hinge, -INF, INF, -1),
        (hinge, -1024, 1025, -1),
        (squared, 1, 0, 0),
        (squared, 0.5, 0.25, -1),
        (squared, INF, 0, 0),
        (soft, 0, np.log(2), -0.5),
        (soft, INF, 0, 0),
        (soft, -INF, INF, -1),
        (soft, -200, 200, -1),
        (perceptron, 0, 0, 0),
        (perceptron, -0.125, 0.125, -1),
        (perceptron, INF, 0, 0),
        (perceptron, -INF, INF, -1),
    ],
)
def test_two_classes(loss, margin, value, slope, dtype):
    scores, labels = jnp.array([margin, -margin], dtype), jnp.array([1, -1])
    losses, gradient = each(loss, scores, labels)
    close(losses, [value, value])
    # The gradient is rounded to the dtype of the scores.
    np.testing.assert_allclose(gradient, [slope, -slope], rtol=1e-5 if dtype == F32 else 1e-2, atol=1e-7)
    by_label = jax.grad(lambda y: loss(scores, y, reduction="sum"))(jnp.array([1.0, -1.0]))
    assert not np.any(np.isnan(by_label))


@pytest.mark.parametrize("loss", BINARY, ids=lambda loss: loss.__name__)
def test_large_scores_of_two_classes(loss):
    losses, gradient = each(loss, jnp.array([1e30, -1e18]), jnp.array([1, 1]))
    close(losses, [0, 1e36 if loss is squared else 1e18])
    close(gradient, [0, -2e18 if loss is squared else -1])


@pytest.mark.parametrize("loss", BINARY, ids=lambda loss: loss.__name__)
def test_nan_scores_of_two_classes_stay_nan(loss):
    where_nan(loss, jnp.array([jnp.nan, 0.5]), jnp.array([1, 1]), [True, False])


@pytest.mark.parametrize("loss", BINARY, ids=lambda loss: loss.__name__)
def test_labels_of_zero_and_one_are_not_taken_for_signs(loss):
    scores = jnp.array([2.0, -2.0])
    where_nan(loss, scores, jnp.array([1, 0]), [False, True])
    as_bools, as_signs = (each(loss, scores, labels) for labels in (jnp.array([True, False]), jnp.array([1, -1])))
    jax.tree.map(np.testing.assert_array_equal, as_bools, as_signs)
    if loss is not soft:
        assert not np.any(as_bools[0])
    with pytest.raises(ValueError, match=r"labels must be -1 or 1, or bool, got 0 at index \(1,\)"):
        jaxloss.checked(loss)(scores, jnp.array([1, 0]))


def test_curvature_of_soft_margin():
    for s in (-5.0, -1.0, 0.0, 3.0, 40.0):
        curvature = jax.hessian(lambda s: soft(s, 1))(s)
        close(curvature, np.exp(-abs(s)) / (1 + np.exp(-abs(s))) ** 2, rtol=1e-4)


@pytest.mark.parametrize("score", [8.0, 16.0, 64.0])
def test_small_losses_of_a_soft_margin(score):
    losses, gradient = each(soft, jnp.array([score, -score]), jnp.array([1, -1]))
    close(losses, np.log1p(np.exp(-score)))
    close(gradient, [-1 / (1 + np.exp(score)), 1 / (1 + np.exp(score))])


# --- many classes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "label", "hinge", "sum_of_hinges", "perceptron"),
    [
        ([INF, 0, 0], 0, 0, 0, 0),
        ([INF, 0, 0], 1, INF, INF, INF),
        ([-INF, 0, 0], 0, INF, INF, INF),
        ([-INF, 0, 0], 1, 1, 1 / 3, 0),
        ([INF, INF, 0], 0, 1, 1 / 3, 0),
        ([-INF, -INF, -INF], 0, INF, INF, INF),
        ([1e8, 1e8, 1e8 - 8], 0, 1, 1 / 3, 0),
        ([1e30, 0, 1], 1, 1e30, 1e30 / 3, 1e30),
        ([1, 0, 0], 0, 0, 0, 0),
        ([0, 0, 0], 0, 1, 2 / 3, 0),
        ([7], 0, 0, 0, 0),
    ],
)
def test_many_classes(scores, label, hinge, sum_of_hinges, perceptron):
    for loss, expected in zip(CLASSES, (hinge, sum_of_hinges, perceptron)):
        losses, gradient = each(loss, jnp.array([scores], F32), jnp.array([label]))
        close(losses, [expected])
        assert np.all(np.isfinite(gradient)) and abs(gradient.sum()) < 1e-6
        assert np.any(gradient) == (expected > 0)


def test_who_is_pulled():
    scores, label = jnp.array([[2.0, 1.0, 2.0, 1.5, -5.0]]), jnp.array([1])
    pulls = [
        (jaxloss.multiclass_hinge_loss, {}, [0.5, -1, 0.5, 0, 0]),
        (jaxloss.multiclass_perceptron_loss, {}, [0.5, -1, 0.5, 0, 0]),
        (jaxloss.multi_margin_loss, {}, [0.2, -0.6, 0.2, 0.2, 0]),
        (jaxloss.multi_margin_loss, {"p": 2}, [0.8, -2.2, 0.8, 0.6, 0]),
        (jaxloss.multi_margin_loss, {"margin": 0.0}, [0.2, -0.6, 0.2, 0.2, 0]),
    ]
    for loss, options, gradient in pulls:
        close(each(loss, scores, label, **options)[1], [gradient], atol=1e-7)


@pytest.mark.parametrize("loss", CLASSES, ids=lambda loss: loss.__name__)
def test_labels_out_of_range_poison_the_row_alone(loss):
    for count in (1, 5):
        where_nan(loss, jnp.zeros((3, count)), jnp.array([0, 1000, -1]), [False, True, True])


@pytest.mark.parametrize("loss", [loss for loss in CLASSES if loss is not jaxloss.multi_margin_loss])
def test_nan_scores_stay_nan(loss):
    where_nan(loss, jnp.array([[jnp.nan, 0.0, 1.0], [0.0, 0.0, 1.0]]), jnp.array([1, 1]), [True, False])


@pytest.mark.parametrize("loss", CLASSES, ids=lambda loss: loss.__name__)
def test_single_examples(loss):
    scores = jnp.array([0.5, 0.25, 0.0], BF16)
    found = loss(scores, jnp.int32(1))
    assert found.shape == () and found.dtype == F32
    close(found, loss(scores.astype(F32)[None], jnp.array([1])))


# --- sparse distributions ------------------------------------------------------------------------------------------


def sparse64(scores, labels, power):
    """Value, and distribution minus label, in float64."""
    value = sparse_regret(scores, labels, power)
    step = 1e-6
    slopes = np.stack(
        [
            (sparse_regret(scores + step * e, labels, power) - sparse_regret(scores - step * e, labels, power))
            / (2 * step)
            for e in np.eye(scores.shape[-1])
        ],
        -1,
    )
    return value, slopes


@pytest.mark.exhaustive
@pytest.mark.parametrize(("loss", "power"), SPARSE)
@pytest.mark.parametrize("scale", [0.01, 1, 30])
@pytest.mark.parametrize("count", [2, 3, 50])
def test_sparse_losses_of_every_size(loss, power, scale, count):
    rng = np.random.default_rng(0)
    scores = (scale * rng.normal(size=(20, count))).astype(np.float32)
    labels = rng.integers(0, count, 20)
    losses, gradient = each(loss, jnp.asarray(scores), jnp.asarray(labels))
    value, slopes = sparse64(scores.astype(np.float64), labels, power)
    close(losses, value, rtol=2e-6, atol=1e-7)
    close(gradient, slopes, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("short", [0.25, 1e-3, 1e-6])
def test_sparse_losses_that_are_nearly_zero(short):
    """Two classes, the label short of its margin: for sparsemax exactly a quarter of the square."""
    short = float(np.float32(1) - np.float32(1 - short))
    losses, gradient = each(jaxloss.sparsemax_loss, jnp.array([[1 - short, 0.0]]), jnp.array([0]))
    close(losses, short**2 / 4)
    close(gradient, [[-short / 2, short / 2]])
    losses, gradient = each(jaxloss.entmax15_loss, jnp.array([[2 - 2 * short, 0.0]]), jnp.array([0]))
    # sqrt(p) of the other is u, of the label v = u + 1 - short, and u^2 + v^2 = 1
    far = np.longdouble(1 - short)
    u = (np.longdouble(short) * (1 + far)) / (far + np.sqrt(2 - far**2))
    lack = u**2 / (1 + np.sqrt(1 - u**2))
    close(losses, float(2 / 3 * (u**3 + lack**2 * (3 - lack))))
    close(gradient, [[-float(u**2), float(u**2)]])


@pytest.mark.parametrize(("loss", "power"), SPARSE)
def test_sparse_losses_are_exactly_zero_from_their_margin_on(loss, power):
    for scores in ([power, 0, 0], [power + 1e7, 1e7, 1e7], [INF, 0, 1], [5, -INF, -INF], [1e30, 0, 0]):
        losses, gradient = each(loss, jnp.array([scores], F32), jnp.array([0]))
        assert losses == 0 and not np.any(gradient)


@pytest.mark.parametrize(("loss", "power"), SPARSE)
def test_sparse_losses_of_infinite_scores(loss, power):
    for scores, label, value, slope in [
        ([INF, 0, 0], 1, INF, [1, -1, 0]),
        ([-INF, 0, 0], 0, INF, [-1, 0.5, 0.5]),
        ([-INF, -INF, 0], 2, 0, [0, 0, 0]),
        ([1e30, 0, 0], 1, 1e30, [1, -1, 0]),
        ([-1e30, 0, 0], 0, 1e30, [-1, 0.5, 0.5]),
    ]:
        losses, gradient = each(loss, jnp.array([scores], F32), jnp.array([label]))
        close(losses, [value])
        close(gradient, [slope], atol=1e-6)
    losses, gradient = each(loss, jnp.full((1, 3), -INF), jnp.array([1]))
    assert losses == INF and np.all(np.isfinite(gradient))


@pytest.mark.parametrize(("loss", "power"), SPARSE)
def test_sparse_losses_of_many_ties(loss, power):
    for count in (2, 3, 1000):
        losses, gradient = each(loss, jnp.full((1, count), 3.0), jnp.array([0]))
        p = 1 / count
        value = 0.5 - p / 2 if power == 1 else 4 / 3 * (1 - np.sqrt(p))
        close(losses, [value])
        close(gradient[0, :2], [p - 1, p], rtol=1e-4)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("loss", "power"), SPARSE)
def test_curvature_of_sparse_losses(loss, power):
    """The derivative of the distribution: diag(w) - w w^T / sum(w), w the support or the roots of the probabilities."""
    scores = np.array([0.6, 0.5, 0.1, -3.0])
    gradient = lambda z: sparse64(z[None], np.array([1]), power)[1][0]  # noqa: E731
    p = gradient(scores) + np.eye(4)[1]
    w = (p > 1e-6) * 1.0 if power == 1 else np.sqrt(np.maximum(p, 0))
    expected = np.diag(w) - np.outer(w, w) / w.sum()
    f = lambda z: loss(z, 1)  # noqa: E731
    for derive in (jax.hessian, lambda f: jax.jacrev(jax.grad(f)), lambda f: jax.jacfwd(jax.jacfwd(f))):
        close(derive(f)(jnp.asarray(scores, F32)), expected, rtol=1e-4, atol=1e-4)
        outer = 2 * np.outer(gradient(scores), gradient(scores)) + 2 * float(f(jnp.asarray(scores, F32))) * expected
        for value in (f, lambda z: lax.map(f, z[None])[0]):  # out of a scan it is differentiated otherwise
            square = derive(lambda z, value=value: value(z) ** 2)(jnp.asarray(scores, F32))
            close(square, outer, rtol=1e-4, atol=1e-4)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("loss", "power"), SPARSE)
def test_third_derivatives_of_sparse_losses(loss, power, x64):
    """Against differences of the second ones, in a scan and outside of one."""
    scores, direction = np.array([0.6, 0.5, 0.1, -3.0]), np.array([0.3, -1.0, 0.5, 0.2])
    step = 1e-5
    f = lambda z: loss(z, 1) ** 2  # noqa: E731
    expected = (jax.hessian(f)(scores + step * direction) - jax.hessian(f)(scores - step * direction)) / (2 * step)
    for g in (f, lambda z: lax.map(lambda z: loss(z, 1), z[None])[0] ** 2):
        close(jax.jvp(jax.hessian(g), (scores,), (direction,))[1], expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize(("loss", "power"), SPARSE)
def test_classes_that_are_masked_out_take_no_part(loss, power):
    scores = jnp.array([[0.5, jnp.nan, 0.0], [0.5, INF, 0.0]])
    allowed = np.array([True, False, True])
    losses, gradient = each(loss, scores, jnp.array([0, 2]), class_mask=allowed)
    expected = each(loss, scores[:, ::2], jnp.array([0, 1]))
    close(losses, expected[0])
    close(gradient[:, ::2], expected[1])
    assert not np.any(gradient[:, 1])


# --- many labels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("labels", "value", "slope"),
    [
        ([3, 0, -1, 1], 0.85, [-0.5, 0.5, 0.5, -0.5]),
        ([3, 0, -1, -1], 0.85, [-0.5, 0.5, 0.5, -0.5]),
        ([3, 3, -1, 0], 0.65, [0.5, 0.5, 0.5, -1.5]),
        ([0, 0, 0, 0], 4.1, [-3, 1, 1, 1]),
        ([-1, 0, 1, 2], 0, [0, 0, 0, 0]),
        ([3, 0, 1, 2], 0, [0, 0, 0, 0]),
        ([3, -2, -1, 0], np.nan, [np.nan] * 4),
        ([0, -1, 7, 0], np.nan, [np.nan] * 4),
        ([True, False, False, True], 0.85, [-0.5, 0.5, 0.5, -0.5]),
        ([False] * 4, 0, [0, 0, 0, 0]),
    ],
)
def test_lists_of_targets(labels, value, slope):
    """The numbers of PyTorch, which raises an error where there is a NaN."""
    losses, gradient = each(jaxloss.multilabel_margin_loss, jnp.array([[0.1, 0.2, 0.4, 0.8]]), jnp.array([labels]))
    close(losses, [value])
    close(gradient, [slope], atol=1e-7)


def test_infinite_scores_of_many_labels():
    for scores, label, value in [
        ([INF, 0, 0], 0, 0),
        ([0, -INF, -INF], 0, 0),
        ([-INF, 0, 0], 0, INF),
        ([0, INF, 0], 0, INF),
        ([INF, INF, 0], 0, 1 / 3),
        ([1e8, 1e8, 0], 0, 1 / 3),
    ]:
        labels = one_hot(np.array([label]), 3).astype(bool)
        losses, gradient = each(jaxloss.multilabel_margin_loss, jnp.array([scores], F32), labels)
        close(losses, [value])
        assert np.all(np.isfinite(gradient))


def test_multilabel_soft_margin_keeps_small_and_infinite_losses():
    scores, labels = jnp.array([[20.0, -20.0], [INF, -INF], [-INF, -INF]]), jnp.array([[1, 0], [1, 0], [1, 0]])
    losses, gradient = each(jaxloss.multilabel_soft_margin_loss, scores, labels)
    close(losses, [np.log1p(np.exp(-20)), 0, INF])
    close(gradient, [[-np.exp(-20) / 2, np.exp(-20) / 2], [0, 0], [-0.5, 0]], rtol=1e-5)
    weighted, _ = each(jaxloss.multilabel_soft_margin_loss, scores, labels, class_weights=np.array([0.0, 1.0]))
    close(weighted, [np.exp(-20) / 2, 0, 0])


# --- distances, pairs, triplets ------------------------------------------------------------------------------------


def test_kinks_of_distances():
    for distance, label, value, slope in [(1, -1, 0, 0), (0.75, -1, 0.25, -1), (0, 1, 0, 1), (INF, -1, 0, 0)]:
        losses, gradient = each(jaxloss.hinge_embedding_loss, jnp.array([distance], F32), jnp.array([label]))
        close(losses, [value])
        close(gradient, [slope])
    for a, b, label, value, slope in [(1, 1, 1, 0, 0), (2, 1, -1, 1, 1), (INF, INF, 1, 0, 0), (-INF, 0, 1, INF, -1)]:
        losses, gradient = each(
            jaxloss.margin_ranking_loss, jnp.array([a], F32), jnp.array([b], F32), jnp.array([label])
        )
        close(losses, [value])
        close(gradient, [slope])


@pytest.mark.parametrize("size", [1e-25, 1.0, 1e25])
def test_cosine_embedding_of_every_size(size):
    a, b = size * jnp.array([[1.0, 0.0], [1.0, 0.0], [1.0, 1e-4]]), jnp.array([[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    losses, gradient = each(jaxloss.cosine_embedding_loss, a, b, jnp.array([1, -1, 1]), margin=0.5)
    root = np.sqrt(0.5)
    close(losses, [1 - root, root - 0.5, 2 * np.sin(np.arctan(1e-4) / 2) ** 2])
    close(gradient * np.float32(size), [[0, -root], [0, root], [-1e-8, 1e-4]], atol=1e-7)


def test_cosine_embedding_of_nothing():
    zero, some = jnp.zeros((2, 3)), jnp.ones((2, 3))
    for a, b in ((zero, some), (some, zero), (zero, zero)):
        losses, gradient = each(jaxloss.cosine_embedding_loss, a, b, jnp.array([1, -1]))
        close(losses, [1, 0])
        assert not np.any(gradient)


@pytest.mark.parametrize("p", [1, 1.5, 2, 2.0, 3, 7.3, INF])
@pytest.mark.parametrize(("dtype", "size"), [(F32, 1e-25), (F32, 1), (F32, 1e25), (BF16, 1e25), (F16, 1)])
def test_norms_of_every_power_and_size(p, dtype, size):
    x = jnp.array([[3.0, -4.0, 0.0], [0.5, 0.25, 1.0], [0.0, 0.0, 0.0]], dtype) * jnp.asarray(size, dtype)
    wide = np.asarray(x.astype(F32), np.float64)
    norms = np.linalg.norm(wide, p, -1)
    largest = abs(wide) == abs(wide).max(-1, keepdims=True)
    ratio = abs(wide) / np.where(norms, norms, 1)[:, None]
    expected = np.sign(wide) * (largest if p == INF else np.where(wide == 0, 0, ratio) ** (p - 1))
    # The negative at 0 and a margin of 0 leave the distance to the positive.
    f = lambda x: jaxloss.triplet_margin_loss(x, jnp.zeros((3, 3)), x, margin=0.0, p=p, reduction="none")  # noqa: E731
    close(f(x), norms, rtol=1e-5)
    for derive in (jax.jacrev, jax.jacfwd):
        slopes = derive(lambda x: jnp.sum(f(x)))(x).astype(F32)
        np.testing.assert_allclose(slopes, expected, rtol=1e-5 if dtype == F32 else 1e-2, atol=1e-6)


@pytest.mark.parametrize("p", [1, 1.5, 2, 3, INF])
def test_triplets_that_coincide(p):
    same = jnp.array([[1.0, 2.0]])
    for swap in (False, True):
        f = functools.partial(jaxloss.triplet_margin_loss, p=p, swap=swap)
        losses, gradient = each(f, same, same, same)
        assert losses == 1 and not np.any(gradient)
        for place in (1, 2):
            assert not np.any(jax.grad(f, place)(same, same, same))
    value, gradient = jax.value_and_grad(jaxloss.triplet_margin_loss)(jnp.zeros((1, 2)), same * 1e-3, same * 1e3)
    assert value == 0 and not np.any(gradient)


def test_curvature_of_norms():
    x = jnp.array([0.5, -1.0, 2.0])
    for p in (1.5, 2, 3, 4):
        wide = np.asarray(x, np.float64)
        f = lambda x, p=p: jaxloss.triplet_margin_loss(x, jnp.zeros(3), x, margin=0.0, p=p)  # noqa: E731
        n = np.linalg.norm(wide, p)
        u = np.sign(wide) * (abs(wide) / n) ** (p - 1)
        expected = (p - 1) / n * (np.diag((abs(wide) / n) ** (p - 2)) - np.outer(u, u))
        for derive in (jax.hessian, lambda f: jax.jacrev(jax.grad(f))):
            close(derive(f)(x), expected, rtol=1e-4, atol=1e-6)
        assert np.all(np.isfinite(jax.hessian(f)(x.at[0].set(0))))


def naive(a, b):
    """What users write: its derivative is NaN where the vectors coincide."""
    return jnp.sqrt(jnp.sum((a - b) ** 2, -1))


def test_masked_triplets_never_reach_a_distance_of_ones_own():
    rng = np.random.default_rng(0)
    anchors, positives, negatives = jnp.asarray(rng.normal(size=(3, 4, 2, 3)), F32)
    soiled = [x.at[1:3].set(junk) for x, junk in ((anchors, jnp.nan), (positives, INF), (negatives, 1e30))]
    mask = np.array([[True], [False], [False], [True]])
    f = lambda triplet: jaxloss.triplet_margin_with_distance_loss(*triplet, None, mask, distance=naive)  # noqa: E731
    value, slopes = jax.value_and_grad(f)(soiled)
    kept = [x[np.array([0, 3])] for x in (anchors, positives, negatives)]
    close(value, jaxloss.triplet_margin_loss(*kept))
    for slope, clean in zip(slopes, jax.grad(lambda kept: jaxloss.triplet_margin_loss(*kept))(kept)):
        close(slope[np.array([0, 3])], clean, atol=1e-7)
        assert not np.any(slope[1:3])


def test_the_distance_may_take_several_axes():
    a, b, c = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4, 2, 3)), F32)
    f = functools.partial(jaxloss.triplet_margin_with_distance_loss, a, b, c, reduction="none")
    for mask in (None, np.ones((), bool)):
        close(f(mask=mask), jaxloss.triplet_margin_loss(a, b, c, reduction="none"))
        both = f(mask=mask, distance=lambda a, b: jnp.sqrt(jnp.sum((a - b) ** 2, (-2, -1))))
        close(both, jaxloss.triplet_margin_loss(a, b, c, axis=(1, 2), reduction="none"))


# --- messages ------------------------------------------------------------------------------------------------------

X, I, ONES = np.zeros((4, 3), np.float32), np.zeros(4, np.int32), np.ones(4, np.int32)
ERRORS = [
    (
        lambda: jaxloss.hinge_loss(X, I),
        "hinge_loss: labels must have the shape of scores, (4, 3), got (4,)",
    ),
    (
        lambda: jaxloss.margin_ranking_loss(X, X, ONES[:, None]),
        "margin_ranking_loss: labels must have the shape of scores_a, (4, 3), got (4, 1)",
    ),
    (
        lambda: jaxloss.cosine_embedding_loss(X, X, ONES[:, None]),
        "cosine_embedding_loss: labels must have the shape of embeddings_a without axis -1, (4,), got (4, 1); "
        "reshape it to (4,)",
    ),
    (
        lambda: jaxloss.multiclass_hinge_loss(X, X),
        "multiclass_hinge_loss: labels must be integers of shape (4,), got float32 of shape (4, 3); of probabilities "
        "take jnp.argmax along the class axis",
    ),
    (
        lambda: jaxloss.sparsemax_loss(X, X.astype(int)),
        "sparsemax_loss: labels must be integers of shape (4,), to fit scores of shape (4, 3), got int32 of shape "
        "(4, 3)",
    ),
    (
        lambda: jaxloss.sparsemax_loss(X, I[:3]),
        "sparsemax_loss: labels must be integers of shape (4,), to fit scores of shape (4, 3), got int32 of shape "
        "(3,); with axis=0 they fit, for 4 classes",
    ),
    (lambda: jaxloss.multi_margin_loss(X, I, p=3), "multi_margin_loss: p must be 1 or 2, got 3"),
    (
        lambda: jaxloss.multi_margin_loss(X, I, margin=-1.0),
        "multi_margin_loss: margin must lie in [0, inf), got -1.0",
    ),
    (
        lambda: jaxloss.multilabel_margin_loss(X, X),
        "multilabel_margin_loss: labels must be integers, the indices of the targets, ended by -1, or bool, "
        "got float32",
    ),
    (
        lambda: jaxloss.multilabel_soft_margin_loss(X, X, class_weights=np.ones(4, np.float32)),
        "multilabel_soft_margin_loss: class_weights must have shape (3,), one for each class, got (4,)",
    ),
    (
        lambda: jaxloss.triplet_margin_loss(X, X, X[:3]),
        "triplet_margin_loss: negatives must have the shape of anchors, (4, 3), got (3, 3)",
    ),
    (
        lambda: jaxloss.triplet_margin_loss(X, X, X, p=0.5),
        "triplet_margin_loss: p must be a plain number of at least 1, or inf, got 0.5",
    ),
    (
        lambda: jaxloss.triplet_margin_loss(X, X, X, p=jnp.ones(())),
        "triplet_margin_loss: p must be a plain value or a tuple of them, got an array",
    ),
    (
        lambda: jaxloss.triplet_margin_with_distance_loss(X, X, X, distance="euclid"),
        "triplet_margin_with_distance_loss: distance must be a function of two arrays, such as lambda a, b: "
        "jnp.sum((a - b) ** 2, -1), or None for the Euclidean distance, got 'euclid'",
    ),
    (
        lambda: jaxloss.triplet_margin_with_distance_loss(X, X, X, distance=lambda a, b: jnp.abs(a - b)),
        "triplet_margin_with_distance_loss: distance must give one number for each example, of shape "
        f"{X.shape[:-1]}, got shape {X.shape}; sum over the features",
    ),
    (
        lambda: jaxloss.triplet_margin_with_distance_loss(X, X, X, distance=lambda a, b: jnp.sum((a - b) ** 2, 0)),
        "triplet_margin_with_distance_loss: distance must give a floating point number for each example, of a shape "
        "that anchors' shape, (4, 3), begins with, got float32 of shape (3,)",
    ),
]


@pytest.mark.thin(1)
@pytest.mark.parametrize(("call", "text"), ERRORS, ids=[text.split(":")[0] for _, text in ERRORS])
def test_messages(call, text):
    with pytest.raises((TypeError, ValueError)) as error:
        call()
    assert str(error.value) == text


def test_masked_labels_may_be_anything():
    for loss in (jaxloss.hinge_loss, jaxloss.soft_margin_loss):
        masked = loss(jnp.array([0.5, 3.0]), jnp.array([1.0, 0.0]), mask=jnp.array([True, False]))
        assert masked == loss(jnp.array([0.5]), jnp.array([1.0]))
