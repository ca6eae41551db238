"""The cross entropy of a linear layer: the dense one's numbers, in less memory. The contract: `test_contract.py`."""

from __future__ import annotations

import functools
import math
import re
from unittest import mock

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec as P

import jaxloss
from jaxloss._classification import linear_blocks, linear_cross_entropy as room, linear_head

from ..harness.platforms import forms_for
from ..harness.rows import some


loss = jaxloss.linear_cross_entropy
MIB = 2**20
F32, BF16 = jnp.float32, jnp.bfloat16


def dense(hidden, kernel, labels, bias, weights, class_weights, soft_cap, label_smoothing, z_loss):
    """What each token costs and weighs, by the formula."""
    logits = hidden @ kernel + bias[None]
    logits = soft_cap * jnp.tanh(logits / soft_cap)
    if labels.ndim < hidden.ndim:
        labels = jax.nn.one_hot(labels, kernel.shape[1], dtype=hidden.dtype)
    normalizer = jax.nn.logsumexp(logits, -1)
    smooth = (1 - label_smoothing) * labels + label_smoothing / kernel.shape[1]
    costs = jnp.sum(smooth * (normalizer[:, None] - logits), -1) + z_loss * normalizer**2
    return costs, weights * (labels @ class_weights)


@pytest.mark.usefixtures("compiles_fast")
@pytest.mark.parametrize("labels", ["hard", "soft"])
@pytest.mark.parametrize("masked", some([False, True], True))
@pytest.mark.parametrize(
    ("tokens", "classes", "chunk_size"), some([(37, 53, 8), (24, 7, None), (5, 1, 2)], (37, 53, 8))
)
def test_value_and_every_gradient_of_the_dense_loss(x64, labels, masked, tokens, classes, chunk_size):
    """In float64; chunks that come out even and that don't, one class, the last label, a cotangent for each token."""
    rng = np.random.default_rng(0)
    hard = rng.integers(0, classes, tokens)
    hard[:2] = 0, classes - 1
    labels = hard if labels == "hard" else rng.dirichlet(np.ones(classes), tokens)
    mask = rng.random(tokens) < (0.4 if masked else 1)
    mask[0] = True
    cotangents = rng.normal(size=tokens)
    given = {
        "hidden": rng.normal(size=(tokens, 6)),
        "kernel": rng.normal(size=(6, classes)),
        "bias": rng.normal(size=classes),
        "weights": rng.uniform(0.5, 2, tokens),
        "class_weights": rng.uniform(0.5, 2, classes),
        "soft_cap": np.float64(3.0),
        "label_smoothing": np.float64(0.1),
        "z_loss": np.float64(0.01),
    }

    def expected(given, reduction):
        costs, weights = dense(labels=jnp.asarray(labels), **given)
        weights = jnp.where(mask, weights, 0)
        parts = {"mean": jnp.sum(costs * weights) / jnp.sum(weights), "sum": jnp.sum(costs * weights)}
        return parts[reduction] if reduction in parts else jnp.sum(cotangents * costs * weights)

    def found(given, reduction):
        result = loss(labels=labels, mask=mask if masked else None, chunk_size=chunk_size, reduction=reduction, **given)
        return jnp.sum(cotangents * result) if reduction == "none" else result

    @jax.jit
    def all_(given):
        reductions = "mean", "sum", "none"
        return [{r: jax.value_and_grad(f)(given, r) for r in reductions} for f in (found, expected)]

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11), *all_(given))


@pytest.mark.parametrize("reduction", some(["sum", "none"], "none"))
def test_curvature_in_the_kernel(x64, reduction):
    """Forward over reverse and reverse over reverse, against the dense loss."""
    rng = np.random.default_rng(0)
    hidden, kernel, direction = rng.normal(size=(9, 4)), rng.normal(size=(4, 7)), rng.normal(size=(4, 7))
    labels = rng.integers(0, 7, 9)

    def products(f):
        slope = jax.grad(f)
        return [jax.jvp(slope, (kernel,), (direction,))[1], jax.grad(lambda k: jnp.vdot(slope(k), direction))(kernel)]

    plain = {"bias": np.zeros(7), "weights": np.ones(9), "class_weights": np.ones(7), "soft_cap": 1e6}
    found = products(lambda k: jnp.sum(loss(hidden, k, labels, chunk_size=2, reduction=reduction)))
    expected = products(lambda k: jnp.sum(dense(hidden, k, labels, label_smoothing=0.0, z_loss=0.0, **plain)[0]))
    np.testing.assert_allclose(found, expected, rtol=1e-8)


def test_shapes_like_those_of_cross_entropy():
    rng = np.random.default_rng(0)
    hidden, kernel = rng.normal(size=(2, 3, 4)).astype(np.float32), rng.normal(size=(4, 5)).astype(np.float32)
    labels = rng.integers(0, 5, (2, 3))
    losses = loss(hidden, kernel, labels, reduction="none")
    assert losses.shape == (2, 3)
    np.testing.assert_allclose(losses, jaxloss.cross_entropy(hidden @ kernel, labels, reduction="none"), rtol=1e-5)
    one = loss(hidden[0, 0], kernel, labels[0, 0])
    assert one.shape == ()
    np.testing.assert_allclose(one, losses[0, 0], rtol=1e-5)
    many = jax.vmap(lambda kernel: loss(hidden, kernel, labels))(np.stack([kernel, 2 * kernel]))
    expected = [jaxloss.cross_entropy(hidden @ k, labels) for k in (kernel, 2 * kernel)]
    np.testing.assert_allclose(many, expected, rtol=1e-5)


@pytest.mark.parametrize(("hidden", "kernel"), [(F32, BF16), (BF16, F32), (BF16, jnp.float16)])
def test_dtypes_that_differ_meet_in_that_of_the_loss(hidden, kernel):
    x, k, y = jnp.full((2, 3), 0.3, hidden), jnp.ones((3, 4), kernel) * 0.7, jnp.array([0, 3])
    value, (by_x, by_k) = jax.value_and_grad(loss, (0, 1))(x, k, y)
    assert (value.dtype, by_x.dtype, by_k.dtype) == (F32, hidden, kernel)
    np.testing.assert_allclose(value, np.log(4), rtol=1e-6)


# --- numerics ----------------------------------------------------------------------------------------------------


def test_log_normalizer_of_half_precision():
    """Products add up in float32."""
    rng = np.random.default_rng(0)
    hidden = jnp.asarray(rng.normal(size=(64, 512)), BF16)
    kernel = jnp.asarray(rng.normal(size=(512, 1000)), BF16)
    logits = np.asarray(hidden, np.float64) @ np.asarray(kernel, np.float64)
    shift = logits.max(1)
    expected = shift + np.log(np.exp(logits - shift[:, None]).sum(1))
    squares = loss(hidden, kernel, np.zeros(64, int), reduction="none", z_loss=1.0)
    plain = loss(hidden, kernel, np.zeros(64, int), reduction="none", z_loss=0.0)
    np.testing.assert_allclose(plain + logits[:, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(np.sqrt(squares - plain), expected, rtol=1e-5)


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_half_precision_kernels_add_up_in_float32(reduction):
    """512 chunks of the same: in bfloat16 their sum would stop at 256 of them."""
    hidden, kernel, labels = jnp.ones((1024, 8), BF16), jnp.zeros((8, 3), BF16), np.zeros(1024, int)
    f = lambda k: jnp.sum(loss(hidden, k, labels, chunk_size=2, reduction=reduction))  # noqa: E731
    slope = jax.grad(f)(kernel)
    assert slope.dtype == BF16
    # The slopes themselves are rounded to bfloat16 for the product.
    np.testing.assert_allclose(slope.astype(F32), 1024 * np.array([[-2 / 3, 1 / 3, 1 / 3]] * 8), rtol=2**-8)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_half_precision_slopes_under_weights_of_any_size(scale, reduction):
    rng = np.random.default_rng(0)
    hidden, kernel = (jnp.asarray(rng.normal(size=shape), jnp.float16) for shape in [(8, 4), (4, 5)])
    labels, weights = rng.integers(0, 5, 8), rng.uniform(0.5, 2, 8).astype(np.float32)

    def f(h, k):
        result = loss(h, k, labels, scale * weights, chunk_size=2, reduction=reduction)
        return result if reduction == "mean" else jnp.sum(result) / jnp.sum(scale * weights)

    slopes = jax.grad(f, (0, 1))(hidden, kernel)
    wide = hidden.astype(F32), kernel.astype(F32)
    expected = jax.grad(lambda h, k: jaxloss.cross_entropy(h @ k, labels, weights), (0, 1))(*wide)
    for slope, wanted in zip(slopes, expected):
        np.testing.assert_allclose(slope.astype(F32), wanted, rtol=5e-3, atol=2e-4)  # float16 has three digits


def test_sums_over_many_chunks_do_not_drift():
    value = loss(jnp.full((20000, 1), 0.3), jnp.array([[1.0, 0.0]]), np.ones(20000, int), chunk_size=1, reduction="sum")
    np.testing.assert_allclose(value, 20000 * np.logaddexp(0, np.float64(np.float32(0.3))), rtol=1e-6)


def test_soft_cap_of_infinite_logits():
    bias, label = jnp.array([-jnp.inf, 0, 1]), np.array([1])
    f = lambda cap: loss(jnp.zeros((1, 1)), jnp.zeros((1, 3)), label, bias=bias, soft_cap=cap)  # noqa: E731
    cap, step = 2.0, 1e-3
    exact = lambda cap: np.log(np.exp(-cap) + 1 + np.exp(cap * np.tanh(1 / cap)))  # noqa: E731
    np.testing.assert_allclose(jax.grad(f)(cap), (exact(cap + step) - exact(cap - step)) / (2 * step), rtol=1e-4)


def test_export_for_any_size():
    tokens, features, classes = jax.export.symbolic_shape("n, d, c")
    shapes = [((tokens, features), F32), ((features, classes), F32), ((tokens,), jnp.int32)]
    exported = jax.export.export(jax.jit(loss))(*(jax.ShapeDtypeStruct(*shape) for shape in shapes))
    rng = np.random.default_rng(0)
    for size in ((3, 4, 5), (130, 7, 11)):
        hidden, kernel = rng.normal(size=size[:2]).astype(np.float32), rng.normal(size=size[1:]).astype(np.float32)
        labels = rng.integers(0, size[2], size[0]).astype(np.int32)
        np.testing.assert_allclose(exported.call(hidden, kernel, labels), loss(hidden, kernel, labels), rtol=1e-6)


def test_classes_ruled_out_by_the_bias():
    hidden, kernel, labels = jnp.ones((5, 2)), jnp.ones((2, 3)), np.array([1, 2, 1, 2, 1])
    bias = jnp.array([-jnp.inf, 0.0, 1.0])
    for options in ({}, {"chunk_size": 2}, {"mask": np.array([True, False, True, True, True])}):
        f = lambda h, k, b, options=options: loss(h, k, labels, bias=b, **options)  # noqa: E731
        value, slopes = jax.value_and_grad(f, (0, 1, 2))(hidden, kernel, bias)
        allowed = jaxloss.cross_entropy(jnp.array([[0.0, 1.0]] * 5), labels - 1, mask=options.get("mask"))
        np.testing.assert_allclose(value, allowed, rtol=1e-6)
        assert all(np.all(np.isfinite(slope)) for slope in slopes)
        assert not np.any(slopes[1][:, 0]) and slopes[2][0] == 0


def test_confident_tokens_keep_their_accuracy():
    hidden = jnp.array([[20.0], [0.5]])
    losses = loss(hidden, jnp.array([[1.0, 0.0]]), np.array([0, 0]), reduction="none")
    np.testing.assert_allclose(losses, np.log1p(np.exp([-20.0, -0.5])), rtol=1e-6)
    slope = jax.grad(lambda h: loss(h, jnp.array([[1.0, 0.0]]), np.array([0, 0]), reduction="sum"))(hidden)
    np.testing.assert_allclose(slope[:, 0], [-2.0611536e-09, -0.37754067], rtol=1e-6)


@pytest.mark.parametrize("z", [1e-3, 1.0, 20.0, 60.0])
def test_soft_cap_of_small_and_large_logits(z):
    f = lambda z, cap: loss(jnp.stack([z])[None], jnp.array([[1.0, 0.0]]), np.array([1]), soft_cap=cap)[()]  # noqa: E731
    value, (by_z, by_cap) = jax.value_and_grad(f, (0, 1))(jnp.float32(z), jnp.float32(5.0))
    z = float(np.float32(z))
    capped, p = 5 * np.tanh(z / 5), 1 / (1 + np.exp(-5 * np.tanh(z / 5)))
    np.testing.assert_allclose(value, np.logaddexp(0, capped), rtol=1e-6)
    np.testing.assert_allclose(by_z, p / np.cosh(z / 5) ** 2, rtol=1e-5)
    np.testing.assert_allclose(by_cap, p * (np.tanh(z / 5) - z / 5 / np.cosh(z / 5) ** 2), rtol=1e-5, atol=1e-7)


def test_more_than_2_to_the_31_logits():
    tokens, classes = 65600, 32768
    assert tokens * classes > 2**31
    values = np.linspace(-2, 2, 16, dtype=np.float32)
    kernel = np.linspace(-3, 3, classes, dtype=np.float32)
    hidden, labels = np.tile(values, tokens // 16), np.full(tokens, classes - 1)
    losses = loss(hidden[:, None], kernel[None], labels, chunk_size=256, reduction="none")
    logits = values[:, None].astype(np.float64) * kernel
    expected = np.log(np.exp(logits).sum(1)) - logits[:, -1]
    np.testing.assert_allclose(losses, np.tile(expected, tokens // 16), rtol=1e-5)


# --- by blocks of classes ------------------------------------------------------------------------------------------


@pytest.fixture
def by_blocks(monkeypatch):
    """As it is done on TPUs, in several blocks and a rest, and on one device."""

    gradient = mock.Mock(wraps=linear_blocks.gradient)
    monkeypatch.setattr(linear_blocks, "gradient", gradient)
    for name, value in {"_NARROW": 3, "_WIDE": 3, "_FEWEST": 1}.items():
        monkeypatch.setattr(linear_blocks, name, value)
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    jax.clear_caches()
    with forms_for("tpu"):
        yield
    jax.clear_caches()
    assert gradient.called


@pytest.mark.usefixtures("by_blocks", "compiles_fast")
class TestBlocks:
    @pytest.mark.parametrize("chunk_size", [8, None])
    def test_value_and_every_gradient_of_the_dense_loss(self, x64, chunk_size):
        test_value_and_every_gradient_of_the_dense_loss(x64, "hard", False, 37, 53, chunk_size)

    def test_curvature_in_the_kernel(self, x64):
        test_curvature_in_the_kernel(x64, "sum")

    @pytest.mark.parametrize(
        "test",
        [
            test_soft_cap_of_infinite_logits,
            test_classes_ruled_out_by_the_bias,
            test_confident_tokens_keep_their_accuracy,
        ],
    )
    def test_numbers(self, test):
        test()

    def test_half_precision_kernels_add_up_in_float32(self):
        test_half_precision_kernels_add_up_in_float32("sum")

    @pytest.mark.parametrize("step", [5.0, -5.0, 50.0, 1e4, 1e30, np.inf])
    @pytest.mark.parametrize("smoothing", [None, 0.1])
    def test_logits_that_rise_and_fall(self, step, smoothing):
        """From block to block by more than an exponential holds; infinite ones; whole blocks that are ruled out."""
        rng = np.random.default_rng(0)
        hidden, kernel = (rng.normal(size=shape).astype(np.float32) for shape in [(7, 4), (4, 20)])
        bias = np.append(np.full(5, -np.inf), np.float32(step) * np.arange(15, dtype=np.float32) ** np.isfinite(step))
        bias[10:15] = -np.inf if np.isinf(step) else bias[10:15]
        bias, labels = bias.astype(np.float32), np.array([5, 6, 7, 8, 9, 18, 19])

        def found(h, k):
            return loss(h, k, labels, bias=bias, label_smoothing=smoothing, chunk_size=3)

        def expected(h, k):
            return jaxloss.cross_entropy(h @ k + bias[None], labels, label_smoothing=smoothing)

        (value, slopes), (wanted, slopes_wanted) = (
            jax.jit(jax.value_and_grad(f, (0, 1)))(hidden, kernel) for f in (found, expected)
        )
        np.testing.assert_allclose(value, wanted, rtol=1e-5)
        for slope, wanted in zip(slopes, slopes_wanted):
            np.testing.assert_allclose(slope, wanted, rtol=1e-4, atol=1e-5)

    def test_labels_out_of_range(self):
        """NaN for their own rows alone, and for the kernel that all share."""
        hidden, kernel, labels = np.ones((4, 3), np.float32), np.ones((3, 7), np.float32), np.array([0, 9, -1, 6])
        value, slopes = jax.value_and_grad(lambda h, k: loss(h, k, labels), (0, 1))(hidden, kernel)
        assert np.isnan(value) and np.all(np.isnan(slopes[1]))
        np.testing.assert_array_equal(np.isnan(slopes[0]).any(1), [False, True, True, False])

    @pytest.mark.parametrize("check_vma", [True, False])
    def test_slices_of_the_classes(self, check_vma):
        rng = np.random.default_rng(0)
        arrays = [rng.normal(size=shape).astype(np.float32) for shape in [(12, 5), (5, 16), (16,)]]
        given = *arrays, np.float32(3), np.float32(0.1), np.float32(0.01), rng.integers(0, 16, 12)

        def f(hidden, kernel, bias, soft_cap, smoothing, z_loss, labels, **names):
            options = {"soft_cap": soft_cap, "label_smoothing": smoothing, "z_loss": z_loss}
            return loss(hidden, kernel, labels, bias=bias, **options, **names)

        step = jax.value_and_grad(functools.partial(f, class_axis_name="model"), range(6))
        mesh = jax.make_mesh((4,), ("model",), axis_types=(AxisType.Auto,))
        of_slices = P(), P(None, "model"), P("model"), P(), P(), P()
        mapped = jax.shard_map(
            step, mesh=mesh, in_specs=(*of_slices, P()), out_specs=(P(), of_slices), check_vma=check_vma
        )
        found, expected = jax.jit(mapped)(*given), jax.value_and_grad(f, range(6))(*given)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)


# --- tokens that don't exist ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["sum", "none"])
def test_chunks_without_a_token_are_skipped(reduction, monkeypatch):
    """Ten tokens of a hundred fill three chunks of four, wherever they lie."""
    seen = []
    costs = room._token_losses

    def counted(*arguments, **names):
        jax.debug.callback(lambda: seen.append(1))
        return costs(*arguments, **names)

    monkeypatch.setattr(room, "_token_losses", counted)
    rng = np.random.default_rng(0)
    mask = np.zeros(100, bool)
    mask[rng.permutation(100)[:10]] = True
    hidden, kernel, labels = rng.normal(size=(100, 3)), rng.normal(size=(3, 4)), rng.integers(0, 4, 100)
    f = lambda h: jnp.sum(loss(h, kernel, labels, mask=mask, chunk_size=4, reduction=reduction))  # noqa: E731
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    value, slope = jax.jit(jax.value_and_grad(f))(jnp.asarray(hidden, F32))
    jax.effects_barrier()
    assert len(seen) == {"sum": 3, "none": 6}[reduction]  # there once more on the way back
    logits = (hidden @ kernel).astype(np.float32)
    np.testing.assert_allclose(value, jaxloss.cross_entropy(logits, labels, mask=mask, reduction="sum"), rtol=1e-5)
    assert not np.any(slope[~mask]) and np.all(np.any(slope[mask], 1))


def test_ignored_tokens_are_masked_ones():
    rng = np.random.default_rng(0)
    hidden, kernel = rng.normal(size=(20, 3)).astype(np.float32), rng.normal(size=(3, 4)).astype(np.float32)
    labels = rng.integers(0, 4, 20)
    labels[::3] = -100
    hidden[::3] = np.nan
    f = jax.value_and_grad(loss, (0, 1))
    found = f(hidden, kernel, labels, ignore_index=-100, chunk_size=4)
    expected = f(hidden, kernel, np.maximum(labels, 0), mask=labels >= 0, chunk_size=4)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    assert np.all(np.isfinite(found[1][1]))


# --- cost --------------------------------------------------------------------------------------------------------


def compiled(f, tokens, features, classes, dtype=F32, *more):
    shapes = [((tokens, features), dtype), ((features, classes), dtype), ((tokens,), jnp.int32), *more]
    return jax.jit(f).lower(*(jax.ShapeDtypeStruct(*shape) for shape in shapes)).compile()


def temporaries(f, *size):
    return compiled(f, *size).memory_analysis().temp_size_in_bytes / MIB


def reduced(**options):
    return lambda h, k, y: jnp.sum(loss(h, k, y, **options))


both = lambda f: jax.value_and_grad(f, (0, 1))  # noqa: E731


@pytest.fixture
def one_device(monkeypatch):
    """The tests run on several, over which a chunk would be spread."""
    monkeypatch.setattr(jax, "device_count", lambda: 1)


@pytest.mark.usefixtures("one_device")
class TestMemory:
    """Of the compiled program, in MiB. The logits would take 128, a gradient of them as much, a kernel 16."""

    SIZE = 2048, 256, 16384

    @pytest.mark.parametrize("options", [{}, {"soft_cap": 30.0}, {"label_smoothing": 0.1, "z_loss": 1e-4}], ids=str)
    def test_of_a_number(self, options):
        assert temporaries(both(reduced(**options)), *self.SIZE) < 33

    def test_of_a_loss_for_every_token(self):
        # 20 in JAX 0.10; in 0.12 as much as for a number.
        assert temporaries(both(reduced(reduction="none")), *self.SIZE) < 33

    def test_of_an_evaluation(self):
        assert temporaries(reduced(), *self.SIZE) < 9

    def test_of_a_frozen_kernel(self):
        assert temporaries(jax.value_and_grad(reduced()), *self.SIZE) < 11

    def test_with_a_mask(self):
        f = lambda h, k, y, mask: loss(h, k, y, mask=mask)  # noqa: E731
        program = compiled(both(f), *self.SIZE, F32, ((2048,), jnp.bool_))
        assert program.memory_analysis().temp_size_in_bytes < 33 * MIB

    @pytest.mark.parametrize("reduction", ["mean", "none"])
    @pytest.mark.parametrize("dtype", [F32, BF16])
    def test_does_not_grow_with_the_tokens(self, reduction, dtype):
        few, many = (temporaries(both(reduced(reduction=reduction)), n, 256, 16384, dtype) for n in (2048, 16384))
        # In bfloat16 XLA for CPUs widens all of hidden before the products, and copies its slopes.
        copies = 0 if dtype == F32 else (16384 - 2048) * 256 * (4 + 2) / MIB
        assert many < few + copies + 1

    def test_share_of_the_logits(self):
        tokens, classes = 32768, 32768
        for options in ({}, {"reduction": "none"}):
            logits = tokens * classes * 4 / MIB
            assert temporaries(both(reduced(**options)), tokens, 512, classes) < 0.05 * logits


@pytest.mark.parametrize(
    ("f", "count"),
    [
        (both(reduced()), 3),
        (jax.value_and_grad(reduced()), 2),
        (jax.value_and_grad(reduced(), 1), 2),
        (reduced(), 1),
        (both(reduced(reduction="none")), 4),
        (jax.value_and_grad(reduced(reduction="none")), 3),
        (reduced(reduction="none"), 1),
    ],
)
def test_matrix_products(f, count):
    """No more than asked for: a frozen kernel has no gradient, an evaluation only its logits."""
    text = compiled(f, 4096, 64, 1024).as_text()  # several chunks
    assert len(re.findall(r" dot\(", text)) == count


@pytest.mark.usefixtures("compiles_fast")
@pytest.mark.parametrize("tokens", some([0, 1, 7, 64, 100, 1000, 1021], 0, 1, 100, 1021))
@pytest.mark.parametrize("chunk_size", [1, 8, 64, 2000])
def test_chunks_hold_every_token_once(tokens, chunk_size):
    """And at most as many as asked for, in each of the groups of neighbours."""
    numbers = jnp.arange(tokens, dtype=F32)
    exists = numbers % 3 < 1
    given = linear_head.Tokens(*[numbers[:, None]] * 3, numbers, exists)

    def cut(given, masked):
        chunks, restore = linear_head.chunked(given, chunk_size, "mean", masked)
        return chunks, restore(chunks.weight)

    for chunks, restored in jax.jit(lambda given: [cut(given, masked) for masked in (False, True)])(given):
        np.testing.assert_array_equal(restored, numbers)
        np.testing.assert_array_equal(np.sort(chunks.weight[chunks.exists]), numbers[exists])
        count, size = chunks.weight.shape
        groups = math.gcd(tokens, jax.device_count())
        assert size <= max(groups, chunk_size) and count * size <= tokens + groups * count


# --- calls that don't fit ------------------------------------------------------------------------------------------


HIDDEN, KERNEL, LABELS = np.ones((4, 3), np.float32), np.ones((3, 5), np.float32), np.zeros(4, int)
CALLS = [
    (
        lambda: loss(HIDDEN, KERNEL.T, LABELS),
        "kernel must have shape (3, classes), got (5, 3); transposed it fits: kernel.T",
    ),
    (lambda: loss(HIDDEN, KERNEL[:2], LABELS), "kernel must have shape (3, classes), got (2, 5)"),
    (lambda: loss(HIDDEN, KERNEL[0], LABELS), "kernel must have shape (3, classes), got (5,)"),
    (lambda: loss(HIDDEN, KERNEL[:, :0], LABELS), "kernel must have shape (3, classes), got (3, 0)"),
    (lambda: loss(np.float32(1), KERNEL, LABELS), "hidden must have an axis of features, got shape ()"),
    (lambda: loss(HIDDEN, KERNEL.astype(int), LABELS), "kernel must be floating point, got int32; cast with kernel."),
    (lambda: loss(HIDDEN, KERNEL, LABELS, bias=np.ones(3)), "bias must have shape (5,), got (3,)"),
    (lambda: loss(HIDDEN, KERNEL, LABELS, soft_cap=0.0), "soft_cap must lie in (0, inf), got 0.0"),
    (lambda: loss(HIDDEN, KERNEL, LABELS, chunk_size=0), "chunk_size must be at least 1, got 0"),
    (lambda: loss(HIDDEN, KERNEL, LABELS, chunk_size=True), "chunk_size must be an integer, got True"),
    (
        lambda: loss(HIDDEN, KERNEL, LABELS[:2]),
        "labels must be integers of shape (4,) or probabilities of shape (4, 5), to fit hidden @ kernel of shape "
        "(4, 5), got int32 of shape (2,)",
    ),
]


@pytest.mark.parametrize(("call", "says"), CALLS, ids=[says[:40] for _, says in CALLS])
def test_messages(call, says):
    with pytest.raises((ValueError, TypeError)) as error:
        call()
    assert str(error.value).startswith(f"linear_cross_entropy: {says}")
