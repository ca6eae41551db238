"""What a softmax says of each row, of logits and of a linear layer: one set of numbers, against float64 NumPy."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, PartitionSpec as P

import jaxloss

from ..harness.rows import some


MIB = 2**20
F32, BF16 = jnp.float32, jnp.bfloat16
FIELDS = jaxloss.LogProbs._fields
FLOATS = FIELDS[:3]
RNG = np.random.default_rng(0)
ROWS, CLASSES, FEATURES = 6, 8, 5
Z = 2 * RNG.normal(size=(ROWS, CLASSES)).astype(np.float32)
HIDDEN = RNG.normal(size=(ROWS, FEATURES)).astype(np.float32)
KERNEL = RNG.normal(size=(FEATURES, CLASSES)).astype(np.float32)
LABELS = RNG.integers(0, CLASSES, ROWS)
SEVERAL = RNG.integers(0, CLASSES, (ROWS, 3))
SEVERAL[:, 0] = Z.argmax(1)
SEVERAL[0, 1:] = SEVERAL[0, 0]  # one three times
every_kind = pytest.mark.parametrize("labels", [LABELS, SEVERAL], ids=["one", "several"])
either_way = pytest.mark.parametrize("check_vma", [True, False])


def reference(z, labels):
    """In float64, by the formulas; the classes last."""
    z = np.asarray(z, np.float64)
    top = z.max(-1, keepdims=True)
    normalizer = top + np.log(np.exp(z - top).sum(-1, keepdims=True))
    p = np.exp(z - normalizer)
    log_probs = np.take_along_axis(z - normalizer, labels.reshape(*z.shape[:-1], -1), -1).reshape(labels.shape)
    entropy = -np.sum(p * np.log(np.where(p == 0, 1, p)), -1)
    return jaxloss.LogProbs(log_probs, normalizer[..., 0], entropy, z.argmax(-1))


def plain(z, labels):
    """The same, for JAX to differentiate."""
    log_p = jax.nn.log_softmax(z)
    at = jnp.take_along_axis(log_p, labels.reshape(*z.shape[:-1], -1), -1).reshape(labels.shape)
    return at, jax.nn.logsumexp(z, -1), -jnp.sum(jnp.exp(log_p) * log_p, -1)


def close(found, expected, rtol=1e-6, atol=1e-6):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=atol), tuple(found), tuple(expected))


def mixed(fields, only=FLOATS):
    """One number from some of the fields, with another slope for each entry."""
    of = dict(zip(FIELDS, fields))
    return sum(
        jnp.sum(jnp.sin(of[name] + jnp.arange(of[name].size, dtype=of[name].dtype).reshape(of[name].shape)))
        for name in only
    )


linear = functools.partial(jaxloss.linear_log_probs, HIDDEN, KERNEL, chunk_size=4)


# --- values ----------------------------------------------------------------------------------------------------------


@every_kind
def test_numbers(labels):
    found = jaxloss.softmax_log_probs(Z, labels)
    close(found, reference(Z, labels))
    assert [x.dtype for x in found] == [F32, F32, F32, jnp.int32]
    close(linear(labels), reference(HIDDEN @ KERNEL, labels))


@pytest.mark.parametrize("classes", [1, 7, 64, 66, 127, 1000])
def test_any_number_of_classes(classes):
    """Whatever the blocks that the largest is looked for in."""
    z = np.random.default_rng(classes).integers(0, 50, (40, classes)).astype(np.float32)  # with ties
    labels = np.arange(40) % classes
    close(jaxloss.softmax_log_probs(z, labels), reference(z, labels), rtol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("several", [False, True])
def test_axis(axis, several):
    z = RNG.normal(size=(3, 4, CLASSES)).astype(np.float32)
    labels = RNG.integers(0, CLASSES, (3, 4, 2) if several else (3, 4))
    expected = reference(z, labels)
    there = np.moveaxis(z, -1, axis), np.moveaxis(labels, -1, axis) if several else labels
    found = jaxloss.softmax_log_probs(*there, axis=axis)
    if several:
        assert found.log_probs.shape == there[1].shape
        found = found._replace(log_probs=np.moveaxis(found.log_probs, axis, -1))
    close(found, expected)


@pytest.mark.parametrize("dtype", [BF16, jnp.float16])
def test_half_precision(dtype):
    z = jnp.asarray(30 * RNG.normal(size=(4, 65536)), dtype)
    labels = RNG.integers(0, 65536, 4)
    found = jaxloss.softmax_log_probs(z, labels)
    close(found, reference(z, labels), rtol=1e-5)
    assert found.log_probs.dtype == F32
    hidden, kernel = jnp.asarray(HIDDEN, dtype), jnp.asarray(KERNEL, dtype)
    wide = np.asarray(hidden, np.float64) @ np.asarray(kernel, np.float64)
    close(jaxloss.linear_log_probs(hidden, kernel, LABELS), reference(wide, LABELS), rtol=1e-5, atol=1e-5)
    flat = jaxloss.softmax_log_probs(jnp.zeros((1, 65536), dtype), np.zeros(1, int))
    close(flat, [[-np.log(65536)], [np.log(65536)], [np.log(65536)], [0]])


@every_kind
def test_extremes(labels):
    inf = np.inf
    rows = [[0.0, 20, -inf], [1e8, 1e8, 1e8], [inf, 0, 0], [inf, inf, 0], [-inf] * 3, [-3e38, 3e38, 0], [-inf, 1, -inf]]
    z, n = np.array(rows, np.float32), len(rows)
    labels = np.ones(n, int) if labels.ndim == 1 else np.tile([1, 0, 2], (n, 1))
    found = jaxloss.softmax_log_probs(z, labels)
    log_2, log_3, sure = np.log(2), np.log(3), np.log1p(np.exp(-20.0))
    each = np.array(
        [
            [-sure, -20 - sure, -inf],
            [-log_3] * 3,
            [-inf, 0, -inf],
            [-log_2, -log_2, -inf],
            [-inf] * 3,
            [0, -inf, -3e38],
            [0, -inf, -inf],
        ]
    )
    np.testing.assert_allclose(found.log_probs, each[:, 0] if labels.ndim == 1 else each, rtol=1e-6)
    np.testing.assert_allclose(found.log_normalizer, [20, 1e8, inf, inf, -inf, 3e38, 1], rtol=1e-6)
    entropy = [sure + 20 * np.exp(-20.0) / (1 + np.exp(-20.0)), log_3, 0, log_2, 0, 0, 0]
    np.testing.assert_allclose(found.entropy, entropy, rtol=1e-6)
    np.testing.assert_array_equal(found.predicted, [1, 0, 0, 0, 0, 1, 1])
    for field in ("log_normalizer", "entropy"):
        slopes = jax.grad(lambda z, field=field: jnp.sum(getattr(jaxloss.softmax_log_probs(z, labels), field)))(z)
        assert np.all(np.isfinite(slopes)), field
        assert not np.any(slopes[4])
    p = np.exp(-20.0) / (1 + np.exp(-20.0))
    slopes = jax.grad(lambda z: jnp.sum(jaxloss.softmax_log_probs(z, labels).entropy))(z)
    np.testing.assert_allclose(slopes[0], [20 * p * (1 - p), -20 * p * (1 - p), 0], rtol=1e-6)
    slopes = jax.grad(lambda z: jnp.sum(jaxloss.softmax_log_probs(z, labels).log_probs[0].ravel()[0]))(z)
    np.testing.assert_allclose(slopes[0], [-p, p, 0], rtol=1e-6)  # 1 - p without a subtraction


@pytest.mark.usefixtures("compiles_fast")
@every_kind
def test_curvature_beside_classes_that_are_ruled_out(labels):
    """Also of what comes out of a scan, of which JAX differentiates the bodies."""
    z = np.array([[1.0, 0, -1, -np.inf], [-np.inf] * 4], np.float32)
    labels = np.tile([0, 2], (2, 1)) if labels.ndim == 2 else np.zeros(2, int)
    f = lambda z: mixed(jaxloss.softmax_log_probs(z, labels), ["entropy"])  # noqa: E731
    scanned = lambda z: lax.scan(lambda _, x: (None, f(x)), None, z[None])[1][0]  # noqa: E731
    exact = jax.jit(jax.hessian(lambda z: mixed([None, None, plain(z, labels[:1])[2]], ["entropy"])))(z[:1, :3])
    for g in (f, scanned):
        for second in (jax.hessian(g), jax.jacrev(jax.grad(g)), jax.jacrev(jax.jacfwd(g))):
            found = jax.jit(second)(z)
            close([found[:1, :3, :1, :3]], [exact])
            assert np.all(np.isfinite(found)) and not np.any(found[:, 3]) and not np.any(found[1])


def test_signs():
    """Not even by rounding is a probability above 1 or an entropy below 0."""
    rng = np.random.default_rng(1)
    for scale in (1e-6, 1.0, 10.0, 100.0):
        z = (scale * rng.normal(size=(200, 50)) + 100).astype(np.float32)
        for labels in (z.argmax(1), np.argsort(z, 1)[:, -3:]):
            found = jaxloss.softmax_log_probs(z, labels)
            assert np.all(found.log_probs <= 0) and np.all(found.entropy >= 0)


def test_nan_makes_its_row_nan():
    z = Z.copy()
    z[1, 2] = np.nan
    found = jaxloss.softmax_log_probs(z, LABELS)
    for name in FLOATS:
        np.testing.assert_array_equal(np.isnan(getattr(found, name)), np.arange(ROWS) == 1)
        slope = jax.grad(lambda z, name=name: jnp.sum(getattr(jaxloss.softmax_log_probs(z, LABELS), name)))(z)
        np.testing.assert_array_equal(np.isnan(slope), np.tile(np.arange(ROWS)[:, None] == 1, CLASSES))
    assert 0 <= found.predicted[1] < CLASSES


# --- derivatives -----------------------------------------------------------------------------------------------------


@pytest.mark.thin(3)
@pytest.mark.usefixtures("compiles_fast")
@every_kind
@pytest.mark.parametrize("only", [*((name,) for name in FLOATS), FLOATS], ids="-".join)
def test_derivatives(x64, labels, only):
    """Both modes, and second order both ways; also of a value that comes out of a scan."""
    z = np.asarray(Z, np.float64)
    f = lambda z: mixed(jaxloss.softmax_log_probs(z, labels), only)  # noqa: E731
    scanned = lambda z: lax.scan(lambda _, x: (None, f(x)), None, z[None])[1][0]  # noqa: E731
    exact = lambda z: mixed(plain(z, labels), only)  # noqa: E731
    orders = [jax.grad, jax.jacfwd, jax.hessian, lambda f: jax.jacrev(jax.grad(f))]
    expected = jax.jit(lambda z: [order(exact)(z) for order in (jax.grad, jax.hessian)])(z)
    for g in (f, scanned):
        found = jax.jit(lambda z, g=g: [order(g)(z) for order in orders])(z)
        close(found, [expected[0], expected[0], expected[1], expected[1]], rtol=1e-9, atol=1e-12)


@pytest.mark.thin(3)
@pytest.mark.usefixtures("compiles_fast")
@every_kind
@pytest.mark.parametrize("masked", [False, True])
def test_derivatives_of_the_layer(x64, labels, masked):
    rng = np.random.default_rng(0)
    given = {
        "hidden": rng.normal(size=(ROWS, FEATURES)),
        "kernel": rng.normal(size=(FEATURES, CLASSES)),
        "bias": rng.normal(size=CLASSES),
        "soft_cap": np.float64(3.0),
    }
    mask = np.array([1, 0, 1, 1, 0, 1], bool)[:ROWS] if masked else np.ones(ROWS, bool)
    exists = mask[:, None] if labels.ndim == 2 else mask

    def found(given):
        given = given | {"hidden": jnp.where(mask[:, None], given["hidden"], jnp.nan)}
        fields = jaxloss.linear_log_probs(labels=labels, mask=mask if masked else None, chunk_size=2, **given)
        return mixed(fields), fields

    def expected(given):
        z = given["hidden"] @ given["kernel"] + given["bias"][None]
        fields = plain(given["soft_cap"] * jnp.tanh(z / given["soft_cap"]), labels)
        return mixed(jnp.where(m, x, 0) for m, x in zip((exists, mask, mask), fields)), fields

    def all_(f):
        one = lambda given: f(given)[0]  # noqa: E731
        curved = lambda given: sum(jnp.sum(jnp.cos(x)) for x in jax.tree.leaves(jax.grad(one)(given)))  # noqa: E731
        forward = jax.jvp(one, (given,), (jax.tree.map(jnp.ones_like, given),))[1]
        return one(given), jax.grad(one)(given), forward, jax.grad(curved)(given)

    close(jax.jit(lambda: all_(found))(), jax.jit(lambda: all_(expected))(), rtol=1e-8, atol=1e-10)


def test_kernels_of_half_precision_add_up_in_float32():
    """512 chunks of the same: in bfloat16 their sum would stop at 256 of them."""
    hidden, kernel, labels = jnp.ones((1024, 8), BF16), jnp.zeros((8, 3), BF16), np.zeros(1024, int)
    slope = jax.grad(lambda k: jnp.sum(jaxloss.linear_log_probs(hidden, k, labels, chunk_size=2).log_probs))(kernel)
    np.testing.assert_allclose(slope.astype(F32), 1024 * np.array([[2 / 3, -1 / 3, -1 / 3]] * 8), rtol=2**-8)


# --- what doesn't exist, and what doesn't fit ------------------------------------------------------------------------


@pytest.mark.usefixtures("compiles_fast")
@every_kind
def test_masked_rows(labels):
    """0 in every field, in no derivative, whatever they hold."""
    mask = np.array([True, False, True, True, False, True])
    z, h, y = Z.copy(), HIDDEN.copy(), labels.copy()
    z[~mask], h[~mask], y[~mask] = np.nan, np.inf, -7
    for f, x, clean in (
        (jaxloss.softmax_log_probs, z, Z),
        (lambda h, y, m: jaxloss.linear_log_probs(h, KERNEL, y, m, chunk_size=2), h, HIDDEN),
    ):

        @jax.jit
        def all_(x, y, mask, f=f):
            forward = jax.jvp(lambda x: f(x, y, mask).entropy, (x,), (jnp.ones_like(x),))[1]
            return f(x, y, mask), jax.grad(lambda x: mixed(f(x, y, mask)))(x), forward

        (found, slopes, forward), (expected, wanted, _) = all_(x, y, mask), all_(clean, labels, None)
        for a, b in zip(found, expected):
            np.testing.assert_allclose(a[mask], b[mask], rtol=1e-6)
            assert not np.any(a[~mask])
        np.testing.assert_allclose(slopes[mask], wanted[mask], rtol=1e-5)
        assert not np.any(slopes[~mask]) and not np.any(forward[~mask])


@pytest.mark.usefixtures("compiles_fast")
@every_kind
def test_masks_of_numbers_that_are_neither_0_nor_1(labels):
    """NaN for the row, as in every loss: such a mask is another's, such as the ids of segments."""
    mask = np.float32([1, 0.5, 0, 1, 1, 1])
    for f, x in (
        (lambda z: jaxloss.softmax_log_probs(z, labels, mask), Z),
        (lambda h: jaxloss.linear_log_probs(h, KERNEL, labels, mask), HIDDEN),
    ):
        for name in FLOATS:
            found = getattr(f(x), name)
            bad = np.isnan(found) if found.ndim == 1 else np.isnan(found).all(1)
            np.testing.assert_array_equal(bad, np.arange(ROWS) == 1)
            slope = jax.grad(lambda x, f=f, name=name: jnp.sum(getattr(f(x), name)))(x)
            np.testing.assert_array_equal(np.isnan(slope), np.tile(np.arange(ROWS)[:, None] == 1, x.shape[1]))
        assert not np.any(f(x).log_probs[2])


@pytest.mark.usefixtures("compiles_fast")
@pytest.mark.parametrize("bad", [CLASSES, -1])
def test_labels_out_of_range(bad):
    """NaN for the log-probability and for the gradient through it; the other fields know nothing of labels."""
    one, many = LABELS.copy(), SEVERAL.copy()
    one[2], many[2, 1] = bad, bad
    for labels, clean, place in ((one, LABELS, (2,)), (many, SEVERAL, (2, 1))):
        for f, x in (
            (jaxloss.softmax_log_probs, Z),
            (lambda h, y: jaxloss.linear_log_probs(h, KERNEL, y), HIDDEN),
        ):
            found, expected = f(x, labels), f(x, clean)
            np.testing.assert_array_equal(np.argwhere(np.isnan(found.log_probs)), [place])
            close(found[1:], expected[1:])
            for name in FLOATS:
                slope = jax.grad(lambda x, f=f, labels=labels, name=name: jnp.sum(getattr(f(x, labels), name)))(x)
                rows = np.arange(ROWS) == 2 if name == "log_probs" else np.zeros(ROWS, bool)
                np.testing.assert_array_equal(np.isnan(slope), np.tile(rows[:, None], x.shape[1]))


def test_narrow_labels_among_more_classes_than_they_count():
    hidden, kernel = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 300))
    labels = np.array([200, 7], np.uint8)
    expected = jax.nn.log_softmax(hidden @ kernel)[np.arange(2), labels]
    for found in (
        jaxloss.softmax_log_probs(hidden @ kernel, labels),
        jaxloss.linear_log_probs(hidden, kernel, labels),
        jaxloss.linear_log_probs(hidden, kernel, labels[:, None]),
    ):
        np.testing.assert_allclose(np.squeeze(found.log_probs), expected, rtol=1e-4)


def test_class_mask():
    allowed = np.ones(CLASSES, bool)
    allowed[[1, 5]] = False
    z = Z.copy()
    z[:, 1], z[:, 5] = np.nan, 1e9
    labels = np.array([[0, 2], [3, 4], [6, 7], [7, 0], [2, 2], [1, 3]])
    found = jaxloss.softmax_log_probs(z, labels, class_mask=allowed)
    close(found[1:], reference(np.where(allowed, Z, -np.inf), labels)[1:])
    expected = reference(np.where(allowed, Z, -np.inf), labels).log_probs
    expected[5, 0] = np.nan
    np.testing.assert_allclose(found.log_probs, expected, rtol=1e-6)
    slope = jax.grad(lambda z: mixed(jaxloss.softmax_log_probs(z, labels, class_mask=allowed), FLOATS[1:]))(z)
    assert not np.any(slope[:, ~allowed]) and np.all(slope[:, allowed])


CALLS = [
    (
        lambda: jaxloss.softmax_log_probs(Z, Z),
        TypeError,
        r"softmax_log_probs: labels must be integers of shape \(6,\), ",
    ),
    (
        lambda: jaxloss.softmax_log_probs(Z, LABELS[:2]),
        ValueError,
        r"softmax_log_probs: labels must be integers of shape \(6,\), or \(6, k\) for k classes of each row, to fit "
        r"logits of shape \(6, 8\), got int32 of shape \(2,\)",
    ),
    (
        lambda: linear(LABELS[None]),
        ValueError,
        r"linear_log_probs: labels must be .*, to fit hidden @ kernel of shape \(6, 8\), got int32 of shape \(1, 6\); "
        r"reshape it to \(6,\)",
    ),
    (lambda: linear(LABELS, np.ones(5)), ValueError, "linear_log_probs: mask must be a scalar or match"),
    (lambda: linear(LABELS, soft_cap=0.0), ValueError, r"linear_log_probs: soft_cap must lie in \(0, inf\), got 0.0"),
    (
        lambda: jaxloss.softmax_log_probs(Z, LABELS, class_axis_name="model"),
        ValueError,
        "softmax_log_probs: class_axis_name must be an axis of a surrounding shard_map, got 'model'",
    ),
    (
        lambda: jaxloss.checked(jaxloss.softmax_log_probs)(Z, np.full(ROWS, 9)),
        ValueError,
        r"softmax_log_probs: labels must lie in \[0, 8\), got 9 at index \(0,\)",
    ),
    (
        lambda: jaxloss.checked(jaxloss.linear_log_probs)(HIDDEN, KERNEL, LABELS, np.arange(ROWS)),
        ValueError,
        r"linear_log_probs: mask must be bool, or 0 and 1, got 2 at index \(2,\); segment ids make one with",
    ),
    (
        lambda: jaxloss.checked(jaxloss.linear_log_probs)(HIDDEN, KERNEL, SEVERAL - 8 * (np.arange(3) == 2)),
        ValueError,
        r"linear_log_probs: labels must lie in \[0, 8\), got -\d at index \(0, 2\)",
    ),
]


@pytest.mark.parametrize(("call", "error", "says"), CALLS, ids=[says[:60] for *_, says in CALLS])
def test_messages(call, error, says):
    with pytest.raises(error, match=f"^{says}"):
        call()


# --- transforms and devices ------------------------------------------------------------------------------------------


@every_kind
def test_vmap(labels):
    z, many = np.stack([Z, Z[::-1]]), np.stack([labels, labels])
    close(jax.vmap(jaxloss.softmax_log_probs)(z, many), jaxloss.softmax_log_probs(z, many))
    f = jax.vmap(lambda k: jaxloss.linear_log_probs(HIDDEN, k, labels, chunk_size=4))
    kernels = np.stack([KERNEL, -KERNEL])
    close(f(kernels), jaxloss.softmax_log_probs(np.stack([HIDDEN @ k for k in kernels]), many), rtol=1e-5)


@pytest.mark.thin(5)
@pytest.mark.usefixtures("compiles_fast")
@either_way
@every_kind
@pytest.mark.parametrize("kind", ["logits", "masked", "linear"])
def test_classes_over_devices(check_vma, labels, kind):
    """Eight devices with a class each, whose indices count all: values, gradient and curvature of the whole."""
    options = {"class_mask": np.arange(CLASSES) != SEVERAL[3, 1] + 8 * 0} if kind == "masked" else {}
    mask = np.array([1, 1, 0, 1, 1, 1], bool)
    names = {"class_axis_name": "model"}
    if kind == "linear":
        learned, places = (HIDDEN, KERNEL), (P(), P(None, "model"))
        f = lambda h, k, y, m, names: jaxloss.linear_log_probs(h, k, y, mask, chunk_size=2, **names)  # noqa: E731
    else:
        learned, places = (Z,), (P(None, "model"),)
        f = lambda z, y, m, names: jaxloss.softmax_log_probs(  # noqa: E731
            z, y, mask, **({"class_mask": m} if options else {}), **names
        )
    allowed = options.get("class_mask", np.ones(CLASSES, bool))

    def all_(*arguments, names):
        *x, y, m = arguments
        one = lambda *x: mixed(map(jnp.nan_to_num, f(*x, y, m, names)[:3]))  # noqa: E731
        count = tuple(range(len(x)))
        slope = jax.grad(one, count)
        curved = jax.jvp(slope, tuple(x), tuple(map(jnp.cos, x)))[1]
        return f(*x, y, m, names), slope(*x), curved

    mesh = jax.make_mesh((8,), ("model",), axis_types=(AxisType.Auto,))
    step = jax.shard_map(
        functools.partial(all_, names=names),
        mesh=mesh,
        in_specs=(*places, P(), P("model")),
        out_specs=(P(), places, places),
        check_vma=check_vma,
    )
    if kind == "masked":  # a label that is ruled out would be NaN
        labels = np.where(allowed[labels], labels, np.flatnonzero(allowed)[0])
    found = jax.jit(step)(*learned, labels, allowed)
    expected = jax.jit(functools.partial(all_, names={}))(*learned, labels, allowed)
    close(found, expected, rtol=2e-5, atol=1e-5)


@pytest.mark.thin(5)
@pytest.mark.usefixtures("compiles_fast")
@every_kind
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
@pytest.mark.parametrize("spec", [P("data", "model"), P(None, "model"), P("data", None)], ids=str)
def test_sharded_jit(spec, kind, labels):
    """Rows and classes that are placed and not mapped: the numbers of one device, and gradients that stay in place."""
    mesh = jax.make_mesh((2, 4), ("data", "model"), axis_types=(kind, kind))
    put = lambda x, spec: jax.device_put(x, jax.NamedSharding(mesh, spec))  # noqa: E731
    by_row = [jnp.asarray(x) for x in (labels, np.array([1, 1, 0, 1, 1, 1], bool))]
    placed = [put(x, P(spec[0])) for x in by_row]
    held = lambda z, y, m: jaxloss.softmax_log_probs(z, y, m)  # noqa: E731
    layer = lambda h, k, y, m: jaxloss.linear_log_probs(h, k, y, m, chunk_size=2)  # noqa: E731
    for f, learned, specs in ((held, (Z,), [spec]), (layer, (HIDDEN, KERNEL), [P(spec[0]), P(None, spec[1])])):
        one = lambda *x: mixed(f(*x)[:3])  # noqa: B023, E731
        both = jax.jit(lambda *x: (f(*x), jax.grad(one, tuple(range(len(x) - 2)))(*x)))  # noqa: B023
        found = both(*map(put, learned, specs), *placed)
        close(found[0], both(*learned, *by_row)[0], rtol=1e-5, atol=1e-5)
        close(found[1], both(*learned, *by_row)[1], rtol=2e-5, atol=1e-5)
        for slope, spec_of in zip(found[1], specs):
            assert slope.sharding.is_equivalent_to(jax.NamedSharding(mesh, spec_of), 2)


# --- cost ------------------------------------------------------------------------------------------------------------


def temporaries(f, *shapes):
    program = jax.jit(f).lower(*(jax.ShapeDtypeStruct(*shape) for shape in shapes)).compile()
    return program.memory_analysis().temp_size_in_bytes / MIB


def logged(f, argnums=0):
    """A loss and its gradient, and the other fields beside."""

    def loss(*x):
        fields = f(*x)
        return -jnp.mean(fields.log_probs), [jnp.mean(field.astype(F32)) for field in fields[1:]]

    return jax.value_and_grad(loss, argnums, has_aux=True)


def test_memory_of_held_logits():
    """No array of their size, which is 32 MiB, beside the gradient."""
    logits, labels = ((512, 16384), F32), ((512,), jnp.int32)
    assert temporaries(logged(jaxloss.softmax_log_probs), logits, labels) < 1
    assert temporaries(jaxloss.softmax_log_probs, logits, labels) < 1
    assert temporaries(jaxloss.softmax_log_probs, ((512, 16384), BF16), labels) < 1
    some = np.arange(16384) % 3 > 0
    assert temporaries(lambda z, y: jaxloss.softmax_log_probs(z, y, class_mask=some), logits, labels) < 1
    for f in (jaxloss.softmax_entropy, jax.value_and_grad(jaxloss.softmax_entropy)):
        assert temporaries(f, logits) < 1


def test_memory_of_the_layer(monkeypatch):
    """A few chunks of the logits of 8 MiB, of which all would be 128, and a kernel of 16."""
    monkeypatch.setattr(jax, "device_count", lambda: 1)
    shapes = ((2048, 256), F32), ((256, 16384), F32), ((2048,), jnp.int32)
    # 33 with half the tokens in a chunk, which took 1.1 to 1.3 of the time.
    assert temporaries(logged(jaxloss.linear_log_probs, (0, 1)), *shapes) < 49
    assert temporaries(jaxloss.linear_log_probs, *shapes) < 17


@pytest.mark.parametrize("f", some(["softmax_log_probs", "linear_log_probs"], "softmax_log_probs"))
def test_fields_that_nobody_uses_cost_nothing(f):
    """The work of the compiled program is that of the loss alone."""
    x = (
        (np.zeros((64, 512), np.float32),)
        if f == "softmax_log_probs"
        else (HIDDEN[:, :4].copy(), np.ones((4, 512), np.float32))
    )
    labels = np.zeros(len(x[0]), int)

    def exponentials(g):
        text = jax.jit(g).lower(*x).compile().as_text()
        return text.count(" exponential(")

    fields = lambda *x: getattr(jaxloss, f)(*x, labels)  # noqa: E731
    alone = exponentials(lambda *x: fields(*x).log_probs)
    assert exponentials(lambda *x: fields(*x).predicted) == 0
    assert alone < exponentials(lambda *x: fields(*x))
