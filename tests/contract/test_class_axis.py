"""`class_axis_name`: classes split over devices inside ``shard_map``, with the numbers of the whole."""

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


pytestmark = pytest.mark.usefixtures("compiles_fast")
RNG = np.random.default_rng(0)
ROWS, CLASSES, FEATURES = 16, 16, 6
DATA, MODEL = 2, 4


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def distributions(*shape):
    return np.asarray(jax.nn.softmax(normal(*shape)))


LABELS = RNG.integers(0, CLASSES, ROWS).astype(np.int32)
ALLOWED = np.ones((ROWS, CLASSES), bool)
ALLOWED[:, 3] = ALLOWED[:, 12:] = False  # with the whole slice of the last device
ALLOWED[np.arange(ROWS), LABELS] = True
MASK = np.array([0] * 8 + [1, 0, 1, 1, 1, 0, 1, 1], bool)  # the first device of "data" has no row
BY_ROW, BY_CLASS, BOTH, NONE = P("data"), P("model"), P("data", "model"), P()
NUMBERS = {"label_smoothing": (np.float32(0.1), NONE), "z_loss": (np.float32(0.1), NONE)}
WEIGHTS = {"weights": (RNG.uniform(0.5, 2, ROWS).astype(np.float32), BY_ROW)}
BY_CLASSES = {"class_weights": (np.linspace(1, 2, CLASSES, dtype=np.float32), BY_CLASS)}
LOGITS = {"logits": (normal(ROWS, CLASSES), BOTH)}
LINEAR = {"hidden": (normal(ROWS, FEATURES), BY_ROW), "kernel": (normal(FEATURES, CLASSES), P(None, "model"))}
LAYER = {"bias": (normal(CLASSES), BY_CLASS), "soft_cap": (np.float32(3), NONE)}
SOFT = {"labels": (distributions(ROWS, CLASSES), BOTH)}
ANGLES = {"embeddings": (normal(ROWS, FEATURES), BY_ROW), "kernel": (normal(FEATURES, CLASSES), P(None, "model"))}
ANGLES |= {"margin": (np.float32(0.4), NONE), "scale": (np.float32(3), NONE)}
CENTERS = {"kernel": (normal(FEATURES, CLASSES, 3), P(None, "model"))}
linear_cross_entropy = functools.partial(jaxloss.linear_cross_entropy, chunk_size=3)

# The loss, what it is differentiated by and what not, each with its place.
CALLS = {
    "logits": (jaxloss.cross_entropy, LOGITS | WEIGHTS, {"labels": (LABELS, BY_ROW)}),
    "logits, all": (
        jaxloss.cross_entropy,
        LOGITS | WEIGHTS | NUMBERS | BY_CLASSES,
        {"labels": (LABELS, BY_ROW), "class_mask": (ALLOWED, BOTH)},
    ),
    "logits, probabilities": (jaxloss.cross_entropy, LOGITS | SOFT | NUMBERS | BY_CLASSES, {}),
    "linear": (linear_cross_entropy, LINEAR | WEIGHTS, {"labels": (LABELS, BY_ROW)}),
    "linear, all": (
        linear_cross_entropy,
        LINEAR | LAYER | WEIGHTS | NUMBERS | BY_CLASSES,
        {"labels": (LABELS, BY_ROW)},
    ),
    "linear, probabilities": (linear_cross_entropy, LINEAR | LAYER | SOFT | NUMBERS | BY_CLASSES, {}),
    "angles": (jaxloss.cosface_loss, ANGLES | WEIGHTS, {"labels": (LABELS, BY_ROW)}),
    "angles, centers": (jaxloss.arcface_loss, ANGLES | CENTERS | WEIGHTS, {"labels": (LABELS, BY_ROW)}),
}
all_calls = pytest.mark.parametrize("call", CALLS)
either_way = pytest.mark.parametrize("check_vma", [True, False])


def grid(names=("data", "model"), sizes=(DATA, MODEL)):
    return jax.make_mesh(sizes, names, axis_types=(AxisType.Auto,) * len(sizes))


def arrays(call):
    _, learned, rest = CALLS[call]
    rest = rest | {"mask": (MASK, BY_ROW)}
    return [{name: pair[place] for name, pair in of.items()} for place in (0, 1) for of in (learned, rest)]


def derivatives(loss, over_data=False, typed=True):
    """Value, gradient, and both forward and backward over the gradient, along `direction`; what the devices of "data"
    have in common comes out as `jaxloss.reduce` says."""

    def f(learned, rest, direction):
        def slope(learned):
            value, slopes = jax.value_and_grad(loss)(learned, rest)
            if over_data and not typed:
                places = {name: place for _, of, _ in CALLS.values() for name, (_, place) in of.items()}
                slopes = {
                    name: x / DATA if "data" in places[name] else lax.pmean(x, "data") for name, x in slopes.items()
                }
            return value, slopes

        along = jax.jvp(lambda learned: loss(learned, rest), (learned,), (direction,))[1]
        curved = jax.jvp(lambda learned: slope(learned)[1], (learned,), (direction,))[1]
        return *slope(learned), along, curved

    return f


@functools.cache
def whole(call, reduction):
    loss = CALLS[call][0]
    learned, rest, *_ = arrays(call)
    f = derivatives(lambda learned, rest: jnp.sum(loss(**learned, **rest, reduction=reduction)))
    return jax.jit(f)(learned, rest, direction(learned))


def direction(learned):
    rng = np.random.default_rng(1)
    return {name: np.asarray(rng.normal(size=x.shape), np.float32) for name, x in learned.items()}


def same(found, expected):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        b = np.asarray(b)
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6 * np.abs(b).max())


@pytest.mark.parametrize("call", some(CALLS, "logits, all", "linear, all", "angles, centers"))
@either_way
@pytest.mark.parametrize("reduction", some(["mean", "none"], "mean"))
def test_slices_of_the_classes(call, check_vma, reduction):
    """Value, gradient, forward mode and curvature of one device, in everything that can be learned."""
    loss = CALLS[call][0]
    learned, rest, place, place_of_rest = arrays(call)

    def f(learned, rest):
        names = {"axis_name": "data"} if reduction == "mean" else {}
        losses = loss(**learned, **rest, **names, class_axis_name="model", reduction=reduction)
        return losses if names else lax.psum(jnp.sum(losses), "data")

    step = jax.shard_map(
        derivatives(f, True, check_vma),
        mesh=grid(),
        in_specs=(place, place_of_rest, place),
        out_specs=(P(), place, P(), place),
        check_vma=check_vma,
    )
    same(jax.jit(step)(learned, rest, direction(learned)), whole(call, reduction))


@pytest.mark.exhaustive
@all_calls
def test_gradient_from_outside(call):
    loss = CALLS[call][0]
    learned, rest, *specs = arrays(call)
    names = {"axis_name": "data", "class_axis_name": "model"}
    f = jax.shard_map(
        lambda learned, rest: loss(**learned, **rest, **names), mesh=grid(), in_specs=tuple(specs), out_specs=P()
    )
    same(jax.jit(jax.value_and_grad(f))(learned, rest), whole(call, "mean")[:2])


def test_gradient_from_outside_without_types():
    """Divided by JAX, as the docs say: nothing tells the loss apart from one whose gradient is taken inside."""
    learned, rest, *specs = arrays("logits")
    f = lambda learned, rest: jaxloss.cross_entropy(**learned, **rest, axis_name="data", class_axis_name="model")  # noqa: E731
    f = jax.shard_map(f, mesh=grid(), in_specs=tuple(specs), out_specs=P(), check_vma=False)
    slope = jax.jit(jax.grad(f))(learned, rest)["logits"]
    same(MODEL * slope, whole("logits", "mean")[1]["logits"])


@pytest.mark.exhaustive
@either_way
def test_transforms_inside(check_vma):
    """`vmap`, also over the rows of a Jacobian; reverse over reverse, which passes through both transposes twice."""
    z, y = LOGITS["logits"][0][:2], LABELS[:2]

    def loss(z, y, **names):
        return jaxloss.cross_entropy(z, y, label_smoothing=0.1, reduction="none", **names)

    def f(z, y, **names):
        total = lambda z: jnp.sum(jnp.square(loss(z, y, **names)))  # noqa: E731
        weighted = lambda z: jnp.vdot(jax.grad(total)(z), jnp.cos(z))  # noqa: E731
        if names:  # each device has its part of the product
            inner = weighted
            weighted = lambda z: lax.psum(inner(z), "model") if check_vma else inner(z)  # noqa: E731
        mapped = jax.vmap(lambda z, y: loss(z, y, **names))(jnp.stack([z, 2 * z]), jnp.stack([y, y]))
        looped = lax.map(lambda z: loss(z, y, **names), jnp.stack([z, 2 * z]))
        return jax.jacrev(total)(z), jax.grad(weighted)(z), mapped, looped

    split = P(None, "model")
    step = jax.shard_map(
        functools.partial(f, class_axis_name="model"),
        mesh=grid(("model",), (8,)),
        in_specs=(split, P()),
        out_specs=(split, split, P(), P()),
        check_vma=check_vma,
    )
    same(jax.jit(step)(z, y), f(z, y))


@either_way
def test_classes_over_two_axes(check_vma):
    learned, rest, *_ = arrays("logits, all")
    names = ("data", "model")
    place = {name: P(None, names) if np.ndim(x) == 2 else P() for name, x in learned.items()}
    place["class_weights"] = P(names)
    of_rest = {"labels": P(), "class_mask": P(None, names), "mask": P()}

    def f(learned, rest):
        return jax.value_and_grad(lambda x: jaxloss.cross_entropy(**x, **rest, class_axis_name=names))(learned)

    step = jax.shard_map(f, mesh=grid(), in_specs=(place, of_rest), out_specs=(P(), place), check_vma=check_vma)
    same(jax.jit(step)(learned, rest), whole("logits, all", "mean")[:2])


def split_rows(f, *arguments, specs, out, check_vma=True):
    mesh = grid(("model",), (MODEL,))
    return jax.jit(jax.shard_map(f, mesh=mesh, in_specs=specs, out_specs=out, check_vma=check_vma))(*arguments)


@either_way
def test_extremes(check_vma):
    """Ruled out classes, infinities, confident rows and labels that don't fit, wherever their class lies."""
    z = np.zeros((9, 8), np.float32)
    z[0] = 1e8  # no change
    z[1, :6] = -np.inf  # whole slices ruled out
    z[2, 5] = np.inf  # agrees
    z[3, 0] = np.inf  # disagrees
    z[4, 7] = 20  # confident
    z[5, :] = -np.inf
    z[8, 2] = np.nan
    labels = np.array([0, 6, 5, 5, 7, 1, 8, -1, 5], np.int32)
    f = functools.partial(jaxloss.cross_entropy, reduction="none")
    slope = lambda f: jax.grad(lambda z, y: jnp.sum(f(z, y)))  # noqa: E731
    over = functools.partial(f, class_axis_name="model")
    step = lambda z, y: (over(z, y), slope(over)(z, y))  # noqa: E731
    specs = P(None, "model"), P()
    losses, slopes = split_rows(step, z, labels, specs=specs, out=(P(), specs[0]), check_vma=check_vma)
    np.testing.assert_allclose(losses, f(z, labels), rtol=1e-6)
    np.testing.assert_allclose(slopes, slope(f)(z, labels), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(losses[4], 7 * np.exp(-20.0), rtol=1e-6)
    assert np.all(np.isnan(slopes[6:]))


@either_way
@pytest.mark.parametrize("place", [0, 7])
def test_probabilities_that_do_not_fit_spoil_the_whole_row(check_vma, place):
    labels = np.full((2, 8), 0.125, np.float32)
    labels[0, place] = 1.5
    f = functools.partial(jaxloss.cross_entropy, reduction="none", class_axis_name="model")
    step = lambda z, y: (f(z, y), jax.grad(lambda z: jnp.sum(f(z, y)))(z))  # noqa: E731
    split = P(None, "model")
    losses, slopes = split_rows(
        step, np.zeros((2, 8), np.float32), labels, specs=(split, split), out=(P(), split), check_vma=check_vma
    )
    assert np.isnan(losses[0]) and np.all(np.isnan(slopes[0]))
    np.testing.assert_allclose(losses[1], np.log(8), rtol=1e-6)
    np.testing.assert_allclose(slopes[1], 0, atol=1e-7)


def test_a_label_in_a_class_that_is_ruled_out_is_out_of_range():
    f = functools.partial(jaxloss.cross_entropy, reduction="none", class_axis_name="model")
    z, allowed = np.zeros((8, 8), np.float32), np.arange(8) != 5
    losses = split_rows(
        lambda z, y, allowed: f(z, y, class_mask=allowed),
        z,
        np.arange(8),
        allowed,
        specs=(P(None, "model"), P(), P("model")),
        out=P(),
    )
    np.testing.assert_allclose(losses, np.where(allowed, np.log(7), np.nan), rtol=1e-6)


def test_checked_names_the_label_of_the_whole():
    f = functools.partial(jaxloss.cross_entropy, class_axis_name="model")
    mapped = jax.shard_map(f, mesh=grid(("model",), (MODEL,)), in_specs=(P(None, "model"), P()), out_specs=P())
    with pytest.raises(ValueError, match=r"cross_entropy: labels must lie in \[0, 8\), got 8 at index \(1,\)"):
        jaxloss.checked(mapped)(np.zeros((2, 8), np.float32), np.array([7, 8]))


@pytest.mark.parametrize("loss", ["logits", "linear"])
def test_axes_that_do_not_fit(loss):
    f, learned, rest = CALLS[loss]
    arguments = {name: x for name, (x, _) in (learned | rest).items()}
    wanted = "cross_entropy: class_axis_name must be an axis of a surrounding shard_map, got 'model'\n"
    with pytest.raises(ValueError, match=wanted):
        f(**arguments, class_axis_name="model")
    with pytest.raises(ValueError, match=wanted):
        jax.vmap(lambda _: f(**arguments, class_axis_name="model"), axis_name="model")(np.zeros(2))

    def both(_):
        return f(**arguments, axis_name=("data", "model"), class_axis_name="model")

    wanted = (
        "axis_name and class_axis_name must differ, got 'model' in both; the devices that share the classes have the "
        "same rows\n"
    )
    with pytest.raises(ValueError, match=wanted):
        jax.shard_map(both, mesh=grid(), in_specs=P(), out_specs=P())(np.zeros(()))
