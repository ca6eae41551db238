"""Sharded classes, and programs without side effects. Sharded batches: see `test_contract.py`."""

from __future__ import annotations

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxloss

from ..harness.rows import some


pytestmark = pytest.mark.usefixtures("compiles_fast")
RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(4, 8)).astype(np.float32)
LABELS = RNG.integers(0, 8, 4).astype(np.int32)
SOFT = np.asarray(jax.nn.softmax(RNG.normal(size=(4, 8)).astype(np.float32)))
OPTIONS = {
    "plain": {},
    "all": {"class_weights": np.linspace(1, 2, 8, dtype=np.float32), "label_smoothing": 0.1, "z_loss": 0.1},
}


def grid(kind: AxisType) -> jax.sharding.Mesh:
    return jax.make_mesh((2, 2), ("data", "model"), axis_types=(kind, kind))


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
@pytest.mark.parametrize("spec", [P("data", "model"), P(None, "model"), P("data", None)], ids=str)
@pytest.mark.parametrize("options", some(OPTIONS, "all"))
@pytest.mark.parametrize("labels", [LABELS, SOFT], ids=["integers", "probabilities"])
def test_classes_over_devices(kind, spec, options, labels):
    """The value and gradient of one device, and logits that stay where they are."""
    f = jax.jit(jax.value_and_grad(lambda z, y: jaxloss.cross_entropy(z, y, **OPTIONS[options])))
    sharding = NamedSharding(grid(kind), spec)
    of_labels = sharding if labels is SOFT else NamedSharding(grid(kind), P(spec[0]))
    value, gradient = f(jax.device_put(LOGITS, sharding), jax.device_put(labels, of_labels))
    expected = f(LOGITS, labels)
    np.testing.assert_allclose(value, expected[0], rtol=1e-6)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-5, atol=1e-7)
    assert gradient.sharding.is_equivalent_to(sharding, 2)


@pytest.mark.parametrize("spec", [P("data", "model"), P(None, "model"), P("data", None)], ids=str)
def test_vmap_over_classes_over_devices(spec):
    """Explicit sharding, of which constants know only by the mesh of the context: here no one has set one."""
    f = jax.jit(jax.vmap(jax.value_and_grad(jaxloss.cross_entropy)))
    sharding = NamedSharding(grid(AxisType.Explicit), spec)
    of_labels = NamedSharding(grid(AxisType.Explicit), P(spec[0]))
    result = f(jax.device_put(LOGITS, sharding), jax.device_put(LABELS, of_labels))
    jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-7), result, f(LOGITS, LABELS))


@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def test_nll_of_classes_over_devices(kind):
    log_probs = np.asarray(jax.nn.log_softmax(LOGITS))
    f = jax.jit(jax.value_and_grad(lambda x, y: jaxloss.nll_loss(x, y)))
    mesh = grid(kind)
    x = jax.device_put(log_probs, NamedSharding(mesh, P("data", "model")))
    for spec in (P("data"), P()):
        value, gradient = f(x, jax.device_put(LABELS, NamedSharding(mesh, spec)))
        expected = f(log_probs, LABELS)
        np.testing.assert_allclose(value, expected[0], rtol=1e-6)
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-6)


TOKENS = {
    "hidden": RNG.normal(size=(64, 16)).astype(np.float32),
    "kernel": RNG.normal(size=(16, 24)).astype(np.float32),
    "labels": RNG.integers(0, 24, 64).astype(np.int32),
    "mask": np.arange(64) % 5 < 3,
}
OVER = {  # tokens and features, features and classes
    "data": (P("data"), P()),
    "both": (P(("data", "model")), P()),
    "classes": (P("data"), P(None, "model")),
    "classes-alone": (P(None), P(None, "model")),
    "features": (P("data", "model"), P("model", None)),
    "fsdp": (P("data"), P("data", None)),
    "fsdp-classes": (P("data"), P(None, "data")),
}


def linear(reduction):
    """Value and gradient in hidden and kernel."""

    def f(learned, rest):
        losses = jaxloss.linear_cross_entropy(**learned, **rest, chunk_size=16, reduction=reduction)
        return jnp.sum(losses)

    return jax.jit(jax.value_and_grad(f))


def spread(kind, over, masked):
    """What is learned and the rest, and where each belongs."""
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(kind, kind))
    of_hidden, of_kernel = (NamedSharding(mesh, spec) for spec in OVER[over])
    of_rows = NamedSharding(mesh, P(of_hidden.spec[0]))
    learned = {name: TOKENS[name] for name in ("hidden", "kernel")}
    rest = {name: TOKENS[name] for name in (("labels", "mask") if masked else ("labels",))}
    return (learned, rest), ({"hidden": of_hidden, "kernel": of_kernel}, dict.fromkeys(rest, of_rows))


@functools.cache
def alone(reduction, masked):
    arguments, _ = spread(AxisType.Auto, "data", masked)
    return linear(reduction)(*arguments)


@pytest.mark.parametrize("place", some(["auto", "explicit", "set_mesh"], "explicit"))
@pytest.mark.parametrize("over", OVER)
@pytest.mark.parametrize("reduction", some(["mean", "none"], "mean"))
@pytest.mark.parametrize("masked", some([False, True], True))
def test_linear_layers_over_devices(place, over, reduction, masked):
    arguments, shardings = spread(AxisType.Auto if place == "auto" else AxisType.Explicit, over, masked)
    expected = alone(reduction, masked)
    mesh = shardings[0]["hidden"].mesh
    with jax.set_mesh(mesh) if place == "set_mesh" else contextlib.nullcontext():
        value, slopes = linear(reduction)(*jax.device_put(arguments, shardings))
    np.testing.assert_allclose(value, expected[0], rtol=1e-6)
    for name, slope in slopes.items():
        most = np.max(np.abs(expected[1][name]))  # products over split features round otherwise, as others' entries do
        np.testing.assert_allclose(slope, expected[1][name], rtol=1e-5, atol=1e-6 * most)
        if place != "auto":
            assert slope.sharding.is_equivalent_to(shardings[0][name], 2)


LEARNED = {
    "kernel": TOKENS["kernel"],
    "bias": np.linspace(-1, 1, 24, dtype=np.float32),
    "class_weights": np.linspace(1, 2, 24, dtype=np.float32),
    "soft_cap": np.float32(3),
    "label_smoothing": np.float32(0.1),
}


@pytest.mark.parametrize("check_vma", [True, False])
@pytest.mark.parametrize("reduction", some(["mean", "none"], "mean"))
@pytest.mark.parametrize("masked", some([False, True], True))
@pytest.mark.parametrize("soft", some([False, True], False))
def test_gradient_of_what_all_tokens_share_inside_shard_map(check_vma, reduction, masked, soft):
    """Devices with different numbers of live chunks: none waits for another inside of the loop."""
    rest = {"hidden": TOKENS["hidden"], "labels": TOKENS["labels"]}
    if soft:
        rest["labels"] = np.asarray(jax.nn.softmax(3 * TOKENS["hidden"] @ TOKENS["kernel"]))
    if masked:
        rest["mask"] = np.arange(64) % 13 > np.arange(64) // 8

    def f(learned, rest, axis_name=None):
        within = axis_name if reduction == "mean" else None
        losses = jaxloss.linear_cross_entropy(**learned, **rest, chunk_size=3, reduction=reduction, axis_name=within)
        total = jnp.sum(losses)
        return lax.psum(total, axis_name) if axis_name != within else total

    def step(learned, rest):
        value, slopes = jax.value_and_grad(lambda learned: f(learned, rest, "data"))(learned)
        return value, slopes if check_vma else lax.pmean(slopes, "data")

    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    specs = P(), P("data")
    mapped = jax.shard_map(step, mesh=mesh, in_specs=specs, out_specs=P(), check_vma=check_vma)
    found, expected = jax.jit(mapped)(LEARNED, rest), jax.value_and_grad(f)(LEARNED, rest)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5), found, expected)


def test_sums_over_devices_leave_the_loop_inside_shard_map():
    def f(kernel, hidden, labels):
        return jaxloss.linear_cross_entropy(hidden, kernel, labels, chunk_size=2, reduction="none")

    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    step = jax.grad(lambda *arguments: lax.psum(jnp.sum(f(*arguments)), "data"))
    mapped = jax.shard_map(step, mesh=mesh, in_specs=(P(), P("data"), P("data")), out_specs=P())
    jaxpr = jax.make_jaxpr(mapped)(TOKENS["kernel"], TOKENS["hidden"], TOKENS["labels"])
    names = list(inside(jaxpr.jaxpr))
    loops = [set(inside_loop) for name, inside_loop in names if name == "scan"]
    assert any(name.startswith("psum") for name, _ in names)
    assert len(loops) == 2 and not any(name.startswith("psum") for loop in loops for name in loop)


def inside(jaxpr):
    """Every primitive by name, with the names of all that it holds."""
    for equation in jaxpr.eqns:
        held = [jaxpr for jaxpr in jax.tree.leaves(list(equation.params.values())) if hasattr(jaxpr, "eqns")]
        below = [pair for held_jaxpr in held for pair in inside(held_jaxpr)]
        yield equation.primitive.name, [name for name, _ in below]
        yield from below


@pytest.mark.as_users_compile
@pytest.mark.parametrize("over", some(["data", "both", "classes"], "both"))
@pytest.mark.parametrize("reduction", some(["mean", "none"], "mean"))
def test_chunks_of_a_sharded_batch_stay_where_they_are(over, reduction):
    """On eight devices: neither tokens nor kernel nor logits travel, only sums."""
    arguments, shardings = spread(AxisType.Auto, over, False)
    shapes = jax.tree.map(lambda x, at: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=at), arguments, shardings)
    text = linear(reduction).lower(*shapes).compile().as_text()
    assert "all-reduce" in text
    for moved in ("all-gather", "all-to-all", "collective-permute"):
        assert moved not in text


@pytest.mark.thin(5)
@pytest.mark.as_users_compile
@pytest.mark.parametrize("told_by", ["types", "explicit types", "set_mesh"])
@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_program_for_fewer_devices_than_jax_has(told_by, reduction, monkeypatch):
    """Each of four does what one would with a quarter of the tokens, though JAX has eight."""
    tokens, features, classes = 4096, 64, 1024
    kind = AxisType.Explicit if told_by == "explicit types" else AxisType.Auto
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:4]), ("data",), axis_types=(kind,))
    places = [NamedSharding(mesh, spec) for spec in (P("data"), P(), P("data"))]
    step = jax.value_and_grad(lambda *x: jnp.sum(jaxloss.linear_cross_entropy(*x, reduction=reduction)), (0, 1))

    def shapes(tokens, places=(None, None, None)):
        given = ((tokens, features), jnp.float32), ((features, classes), jnp.float32), ((tokens,), jnp.int32)
        return [jax.ShapeDtypeStruct(*x, sharding=place) for x, place in zip(given, places)]

    if told_by == "set_mesh":
        with jax.set_mesh(mesh):
            program = jax.jit(step, in_shardings=places).lower(*shapes(tokens)).compile()
    else:
        program = jax.jit(step).lower(*shapes(tokens, places)).compile()
    text = program.as_text()
    assert "all-reduce" in text
    for moved in ("all-gather", "all-to-all", "collective-permute"):
        assert moved not in text

    monkeypatch.setattr(jax, "device_count", lambda: 1)
    alone = jax.jit(step).lower(*shapes(tokens // 4)).compile()
    kernel = 4 * features * classes  # bytes: to be summed over the devices
    assert program.cost_analysis()["flops"] < 1.02 * alone.cost_analysis()["flops"]
    sizes = [x.memory_analysis().temp_size_in_bytes for x in (program, alone)]
    assert sizes[0] < 1.02 * sizes[1] + 2 * kernel


def info_nce(a, b, mask, axis_name=None, gathered=lambda x: x):
    """The pattern of docs/scaling.md for rows that need each other."""
    b, own, exists = jnp.where(mask[:, None], b, 0), jnp.arange(len(a)), mask
    if axis_name is not None:
        own += len(a) * lax.axis_index(axis_name)
        b, exists = gathered(lax.all_gather((b, exists), axis_name, tiled=True))
    return jaxloss.cross_entropy(a @ b.T, own, mask=mask, class_mask=exists, axis_name=axis_name)


@pytest.mark.parametrize("check_vma", [True, False])
def test_negatives_of_all_devices(check_vma):
    """Wholly masked shards take no part, nor what is masked in others; a constant gather would spoil the gradient."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 32, 5)).astype(np.float32)
    mask = (np.arange(32) % 3 > 0) & (np.arange(32) < 21)
    a[~mask] = b[~mask] = np.nan
    kernel = rng.normal(size=(5, 5)).astype(np.float32)

    def reference(kernel):
        logits = a[mask].astype(np.float64) @ kernel @ b[mask].T.astype(np.float64)
        top = logits.max(1)
        return np.mean(top + np.log(np.exp(logits - top[:, None]).sum(1)) - np.diagonal(logits))

    def step(kernel, a, b, mask, gathered=lambda x: x):
        f = lambda k: info_nce(jnp.where(mask[:, None], a, 0), b @ k.T, mask, "data", gathered)  # noqa: E731
        value, slope = jax.value_and_grad(f)(kernel)
        return value, slope if check_vma else lax.pmean(slope, "data")

    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    run = lambda f: jax.jit(  # noqa: E731
        jax.shard_map(f, mesh=mesh, in_specs=(P(), *(P("data"),) * 3), out_specs=P(), check_vma=check_vma)
    )(kernel, a, np.nan_to_num(b), mask)
    slopes = np.zeros_like(kernel, np.float64)
    for place in np.ndindex(kernel.shape):
        change = np.zeros_like(slopes)
        change[place] = 1e-6
        slopes[place] = (reference(kernel + change) - reference(kernel - change)) / 2e-6
    value, slope = run(step)
    np.testing.assert_allclose(value, reference(kernel), rtol=1e-5)
    np.testing.assert_allclose(slope, slopes, rtol=1e-4, atol=1e-5)
    value, slope = run(functools.partial(step, gathered=lax.stop_gradient))
    np.testing.assert_allclose(value, reference(kernel), rtol=1e-5)
    assert np.max(np.abs(slope - slopes)) > 0.1 * np.max(np.abs(slopes))


@pytest.mark.parametrize("labels", [LABELS, SOFT], ids=["integers", "probabilities"])
def test_checks_leave_nothing_in_a_program_that_did_not_ask(labels):
    """An effect would take the whole program off the fast dispatch, several times slower at every call."""
    jaxpr = jax.make_jaxpr(lambda z: jaxloss.cross_entropy(z, labels, mask=np.ones(4, np.int32)))(LOGITS)
    assert not jaxpr.effects


def test_checks_come_and_go():
    step = jax.jit(jaxloss.cross_entropy)
    bad = np.array([0, 9, 0, 0])
    assert np.isnan(step(LOGITS, bad))
    with pytest.raises(ValueError, match="labels must lie in"):
        jaxloss.checked(step)(LOGITS, bad)
    assert np.isnan(step(LOGITS, bad))


def test_weights_of_classes_and_rows_multiply_in_float32():
    for dtype in (jnp.int32, jnp.uint8, jnp.bfloat16, jnp.float16):
        weights = jnp.array([0.5, 1.5, 1e5, 1.003])
        total = jaxloss.cross_entropy(LOGITS, LABELS, weights, class_weights=jnp.full(8, 100, dtype), reduction="total")
        np.testing.assert_allclose(total.weight, 100 * weights.sum(), rtol=1e-6)


def test_masked_weights_leave_no_trace():
    weights, mask = jnp.array([1, jnp.nan, 1, 1]), jnp.array([True, False, True, True])
    by_class = jnp.ones(8)

    def f(weights, by_class):
        return jaxloss.cross_entropy(LOGITS, LABELS, weights, mask, class_weights=by_class)

    for slopes in jax.grad(f, argnums=(0, 1))(weights, by_class):
        assert np.all(np.isfinite(slopes))
    alone = int(np.setdiff1d(LABELS, LABELS[mask])[0]) if len(np.setdiff1d(LABELS, LABELS[mask])) else None
    assert alone == LABELS[1]
    assert np.all(np.isfinite(jax.grad(f)(jnp.ones(4), by_class.at[alone].set(jnp.nan))))
