"""Batches that go through in blocks, over devices, against references; and what is said where they don't fit."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxloss
from jaxloss._contrastive import columns

from ..harness.rows import some
from . import formulas
from .cases import CASES


pytestmark = pytest.mark.usefixtures("compiles_fast")
RNG = np.random.default_rng(0)
ROWS = 56  # 7 a device
A, B = RNG.normal(size=(2, ROWS, 4)).astype(np.float32)
NAMES = RNG.integers(-3, 9, ROWS).astype(np.int32)
EXISTS = np.arange(ROWS) % 5 != 3
MEETING = {case.id: case for case in CASES if case.meeting and case.members == () and not case.pooled}
QUICK = "clip_loss", "batch_triplet_loss-hard"


def call(name: str, **arguments: Any) -> Any:
    """A row's loss on more rows than it has."""
    case = MEETING[name]
    given = {"embeddings_a": A, "embeddings_b": B, "embeddings": A, "labels": NAMES} | arguments
    return functools.partial(case.loss, **{key: given[key] for key in [*case.inputs, *arguments]}, **case.options)


def in_blocks(monkeypatch: Any, numbers: int) -> None:
    """From here on; what is compiled already isn't."""
    monkeypatch.setattr(columns, "_BLOCK", numbers)
    jax.clear_caches()


def both(name: str) -> Any:
    """Value and gradient by the first argument, with a mask."""
    first = next(iter(MEETING[name].inputs))
    return jax.jit(jax.value_and_grad(lambda x, rest: call(name, **{first: x}, **rest)()))


@pytest.mark.parametrize("name", some(MEETING, *QUICK))
def test_blocks_give_what_the_whole_gives(name, monkeypatch):
    """Which don't fill the last one: 3 of a device's 7 rows. In value, gradient and curvature."""

    def everything(x):
        f = lambda x: call(name, **{first: x}, mask=EXISTS)()  # noqa: E731
        value, slope = jax.value_and_grad(f)(x)
        return value, slope, jax.jvp(jax.grad(f), (x,), (jnp.ones_like(x),))[1]

    first = next(iter(MEETING[name].inputs))
    whole = jax.jit(everything)(A)
    in_blocks(monkeypatch, 24 * (7 if "ref_labels" in MEETING[name].options else ROWS))
    blocks = jax.jit(lambda x: everything(x))
    assert "scan" in str(jax.make_jaxpr(blocks)(A))
    for found, expected in zip(blocks(A), whole):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * max(1, np.max(np.abs(expected))))


@pytest.mark.parametrize("name", some(MEETING, *QUICK))
def test_blocks_of_a_batch_over_devices(name, monkeypatch):
    """By types, by the compiler and by hand; some devices have nothing."""
    exists = EXISTS & (np.arange(ROWS) >= 14)
    value, slope = both(name)(A, {"mask": exists})
    in_blocks(monkeypatch, 20 * ROWS)
    for kind in (AxisType.Auto, AxisType.Explicit):
        by_row = NamedSharding(jax.make_mesh((8,), ("data",), axis_types=(kind,)), P("data"))
        case = MEETING[name]
        given = {"embeddings_b": B, "labels": NAMES, "mask": exists}
        given = {key: x for key, x in given.items() if key in case.inputs or key == "mask"}
        found = both(name)(*jax.device_put((A, given), by_row))
        np.testing.assert_allclose(found[0], value, rtol=1e-5)
        np.testing.assert_allclose(found[1], slope, rtol=1e-4, atol=1e-6)
        assert found[1].sharding.is_equivalent_to(by_row, 2)


@pytest.mark.parametrize("check_vma", [True, False])
@pytest.mark.parametrize("name", some(MEETING, "clip_loss", "ntxent_loss"))
def test_rows_get_the_slopes_that_they_earn_on_other_devices(name, check_vma, monkeypatch):
    in_blocks(monkeypatch, 4 * ROWS)
    case = MEETING[name]
    rest = {key: x for key, x in {"embeddings_b": B, "labels": NAMES, "mask": EXISTS}.items() if key != "labels"}
    rest = {"labels": NAMES, "mask": EXISTS} if "labels" in case.inputs else rest
    value, slope = both(name)(A, rest)
    mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
    first = next(iter(case.inputs))

    def f(x, rest):
        loss = functools.partial(case.loss, **case.options, axis_name="data")
        return jax.value_and_grad(lambda x: loss(**{first: x}, **rest))(x)

    mapped = jax.shard_map(f, mesh=mesh, in_specs=P("data"), out_specs=(P(), P("data")), check_vma=check_vma)
    found = jax.jit(mapped)(A, rest)
    np.testing.assert_allclose(found[0], value, rtol=1e-5)
    copies = 1 if check_vma else 8  # each device's copy of the loss counts, as in the table of `reduce`
    np.testing.assert_allclose(found[1] / copies, slope, rtol=1e-4, atol=1e-6)


def test_an_axis_along_which_the_batch_is_the_same():
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2)
    f = lambda a, b: jaxloss.clip_loss(a, b, axis_name=("data", "model"))  # noqa: E731
    with pytest.raises(ValueError, match=r"axis_name must name axes that split the batch, got 'model'; along"):
        jax.shard_map(f, mesh=mesh, in_specs=P("data"), out_specs=P())(A, B)


MEMORY = {
    "info_nce_loss": (lambda x, _: jaxloss.info_nce_loss(x, x + 1), 256),
    "clip_loss": (lambda x, _: jaxloss.clip_loss(x, x + 1), 256),
    "siglip_loss": (lambda x, _: jaxloss.siglip_loss(x, x + 1), 256),
    "ntxent_loss": (jaxloss.ntxent_loss, 256),
    "supcon_loss": (jaxloss.supcon_loss, 256),
    "multi_similarity_loss": (jaxloss.multi_similarity_loss, 256),
    "circle_loss": (jaxloss.circle_loss, 256),
    "batch_triplet_loss": (jaxloss.batch_triplet_loss, 256),
    "semihard": (functools.partial(jaxloss.batch_triplet_loss, mining="semihard"), 256),
    "all": (functools.partial(jaxloss.batch_triplet_loss, mining="all"), 256),
}


@pytest.mark.parametrize("name", MEMORY)
def test_the_matrix_of_a_large_batch_is_never_held(name):
    """It would take 1024 MiB."""
    loss, most = MEMORY[name]
    arrays = jax.ShapeDtypeStruct((16384, 64), jnp.float32), jax.ShapeDtypeStruct((16384,), jnp.int32)
    program = jax.jit(jax.value_and_grad(loss)).lower(*arrays).compile()
    assert program.memory_analysis().temp_size_in_bytes < most * 2**20


# --- numbers ------------------------------------------------------------------------------------------------------


def test_sure_by_far_is_no_zero():
    """exp(-80): each lies with its own, and opposite to the other."""
    a, t = np.array([[1.0, 0], [-1, 0]], np.float32), 0.025
    value, slope = jax.value_and_grad(lambda t: jaxloss.info_nce_loss(a, a, temperature=t))(t)
    np.testing.assert_allclose(value, np.exp(-80.0), rtol=1e-4)
    np.testing.assert_allclose(slope, np.exp(-80.0) * 2 / t**2, rtol=1e-4)
    np.testing.assert_allclose(jaxloss.clip_loss(a, a, logit_scale=1 / t), np.exp(-80.0), rtol=1e-4)
    found = jaxloss.ntxent_loss(np.repeat(a, 2, 0), np.array([0, 0, 1, 1]), temperature=t)
    np.testing.assert_allclose(found, 2 * np.exp(-80.0), rtol=1e-4)


@pytest.mark.parametrize("temperature", [1e-30, 1e30])
@pytest.mark.parametrize("loss", [jaxloss.info_nce_loss, jaxloss.ntxent_loss, jaxloss.supcon_loss])
def test_temperatures_of_every_size(loss, temperature):
    def learned(x, log_t):
        return loss(x, B if loss is jaxloss.info_nce_loss else NAMES, temperature=jnp.exp(log_t))

    found = jax.value_and_grad(learned, (0, 1))(A, jnp.log(temperature))
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(found))


@pytest.mark.parametrize("mining", ["hard", "semihard", "all"])
def test_distances_far_from_zero(mining):
    """Squares of norms of 1e6 would leave nothing of distances of 1 in float32."""
    near = np.round(16 * A) / 16
    losses, terms = formulas.triplets(near.astype(float), NAMES, np.ones(ROWS, bool), mining=mining)
    f = jax.value_and_grad(lambda x: jaxloss.batch_triplet_loss(x, NAMES, mining=mining))
    value, slope = f(near + 1000)
    np.testing.assert_allclose(value, (losses * terms).sum() / terms.sum(), rtol=1e-5)
    np.testing.assert_allclose(slope, f(near)[1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("mining", ["hard", "semihard", "all"])
def test_distances_of_any_size(mining):
    expected = jax.grad(lambda x: jaxloss.batch_triplet_loss(x, NAMES, mining=mining, margin=0.0))(A)
    for size in (1e-25, 1e25):
        value, slope = jax.value_and_grad(
            lambda x: jaxloss.batch_triplet_loss(x, NAMES, mining=mining, margin=0.0)
        )(np.float32(size) * A)  # fmt: skip
        assert 0 < value < np.inf
        np.testing.assert_allclose(slope, expected, rtol=1e-4, atol=1e-6)


def test_bfloat16_is_compared_in_float32():
    a, b = (x.astype(jnp.bfloat16) for x in (A, B))
    for loss in (jaxloss.info_nce_loss, jaxloss.clip_loss, jaxloss.siglip_loss):
        np.testing.assert_allclose(loss(a, b), loss(a.astype(np.float32), b.astype(np.float32)), rtol=1e-6)


@pytest.mark.parametrize("p", [4, 13])
def test_many_positives_at_once(p):
    """More than go through at once, and as many as there are."""
    names = np.repeat([0, 1, 2], [p, 20, ROWS - 20 - p]).astype(np.int32)
    for mining in ("semihard", "all"):
        losses, terms = formulas.triplets(A.astype(float), names, EXISTS, mining=mining)
        found = jaxloss.batch_triplet_loss(A, names, mask=EXISTS, mining=mining)
        np.testing.assert_allclose(found, (losses * terms).sum() / terms.sum(), rtol=1e-5)


# --- what counts --------------------------------------------------------------------------------------------------


LABELLED = [jaxloss.ntxent_loss, jaxloss.supcon_loss, jaxloss.multi_similarity_loss, jaxloss.circle_loss]
LABELLED += [jaxloss.batch_triplet_loss]


@pytest.mark.parametrize("loss", LABELLED, ids=lambda loss: loss.__name__)
def test_a_ring_buffer_that_is_half_empty(loss):
    """What isn't there yet may hold anything."""
    memory, names = np.concatenate([B, np.full_like(B, np.nan)]), np.concatenate([NAMES, NAMES])
    f = jax.jit(jax.value_and_grad(lambda x, refs: loss(x, NAMES, **refs), (0, 1), allow_int=True))
    full = {"ref_embeddings": memory, "ref_labels": names, "ref_mask": np.arange(2 * ROWS) < ROWS}
    value, (slope, of_refs) = f(A, full)
    expected, (same, of_those) = f(A, {"ref_embeddings": B, "ref_labels": NAMES})
    np.testing.assert_allclose(value, expected, rtol=1e-6)
    # Slopes are up to 3 and cancel; with twice as many columns XLA adds them up in another order.
    np.testing.assert_allclose(slope, same, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_refs["ref_embeddings"][:ROWS], of_those["ref_embeddings"], rtol=1e-4, atol=1e-5)
    assert not np.any(of_refs["ref_embeddings"][ROWS:])
    for nothing in (np.zeros((0, 4), np.float32), memory[ROWS:]):
        refs = {
            "ref_embeddings": nothing,
            "ref_labels": NAMES[: len(nothing)],
            "ref_mask": np.zeros(len(nothing), bool),
        }
        assert loss(A, NAMES, **refs) == 0
    assert np.isnan(loss(A, NAMES, **{**full, "ref_mask": np.full(2 * ROWS, 0.5, np.float32)}))


@pytest.mark.parametrize("loss", LABELLED, ids=lambda loss: loss.__name__)
def test_one_class_and_only_classes_of_one(loss):
    finite = jax.value_and_grad(lambda x, names: loss(x, names))
    for names in (np.zeros(ROWS, np.int32), np.arange(ROWS)):
        value, slope = finite(A, names)
        assert np.isfinite(value) and np.all(np.isfinite(slope))
    if loss in (jaxloss.ntxent_loss, jaxloss.circle_loss, jaxloss.batch_triplet_loss):
        assert loss(A, np.zeros(ROWS, np.int32)) == 0
    if loss is not jaxloss.multi_similarity_loss:
        assert loss(A, np.arange(ROWS), reduction="total").weight == 0


MINED = {
    **{loss.__name__: loss for loss in LABELLED},
    "semihard": functools.partial(jaxloss.batch_triplet_loss, mining="semihard"),
    "all": functools.partial(jaxloss.batch_triplet_loss, mining="all"),
    "margin": functools.partial(jaxloss.multi_similarity_loss, mining_margin=0.1),
}


@pytest.mark.parametrize("loss", MINED.values(), ids=MINED)
def test_what_is_nan_is_met_by_all(loss):
    spoilt = np.where(np.arange(ROWS)[:, None] == 3, np.nan, A)
    assert np.all(np.isnan(loss(spoilt, np.arange(ROWS) % 4, reduction="none")))


def test_a_mining_margin_that_is_nan():
    margin = jax.jit(lambda margin: jaxloss.multi_similarity_loss(A, NAMES, mining_margin=margin, reduction="none"))
    assert np.all(np.isnan(margin(np.float32(np.nan))))


def test_the_mean_over_positive_pairs():
    """As Optax and pytorch-metric-learning take it."""
    positives = ((NAMES[:, None] == NAMES).sum(1) - 1).astype(np.float32)
    x = formulas.units(A.astype(float)) @ formulas.units(A.astype(float)).T / 0.07
    same = NAMES[:, None] == NAMES
    pairs = [
        np.log1p(np.exp(x[i][~same[i]] - x[i, j]).sum()) for i, j in zip(*np.nonzero(same & ~np.eye(ROWS, dtype=bool)))
    ]
    np.testing.assert_allclose(jaxloss.ntxent_loss(A, NAMES, positives), np.mean(pairs), rtol=1e-5)


def test_names_are_any_integers():
    expected = jaxloss.supcon_loss(A, NAMES)
    for names in (NAMES.astype(np.int8), NAMES * 10**8, (NAMES + 3).astype(np.uint32) + 2**31, NAMES + 2**30):
        np.testing.assert_array_equal(jaxloss.supcon_loss(A, names), expected)
    np.testing.assert_array_equal(jaxloss.supcon_loss(A, NAMES > 2), jaxloss.supcon_loss(A, (NAMES > 2).astype(int)))


# --- what is said -------------------------------------------------------------------------------------------------


MESSAGES = {
    "a hash": (
        lambda: jaxloss.ntxent_loss(A, NAMES.astype(np.int64) + 2**40),
        "ntxent_loss: labels must be integers of at most 32 bits, got float32; "
        "np.unique(labels, return_inverse=True)[1] numbers any names",
    ),
    "several batches": (
        lambda: jaxloss.clip_loss(A[None], B[None]),
        "clip_loss: embeddings_a must have shape [batch, features], got (1, 56, 4); "
        "reshape(-1, features) makes one batch of several, jax.vmap keeps them apart",
    ),
    "pairs as a mask": (
        lambda: jaxloss.supcon_loss(A, NAMES, mask=np.ones((ROWS, ROWS), bool)),
        "supcon_loss: mask must be a scalar or match the rows, of shape (56,), axis by axis (each dimension equal or "
        "1), got shape (56, 56); mask says which rows exist, pairs follow from that",
    ),
    "another number of rows": (
        lambda: jaxloss.info_nce_loss(A, B[:4]),
        "info_nce_loss: embeddings_b must have the shape of embeddings_a, (56, 4), got (4, 4)",
    ),
    "negatives of each row": (
        lambda: jaxloss.info_nce_loss(A, B, negatives=B[:, None]),
        "info_nce_loss: negatives must have shape [n, features], got (56, 1, 4); "
        "reshape(-1, features) makes one batch of several, jax.vmap keeps them apart",
    ),
    "a mask of nothing": (
        lambda: jaxloss.info_nce_loss(A, B, negatives_mask=EXISTS),
        "info_nce_loss: negatives must come with negatives_mask, got None",
    ),
    "references without labels": (
        lambda: jaxloss.circle_loss(A, NAMES, ref_embeddings=B),
        "circle_loss: ref_labels must come with ref_embeddings, got None",
    ),
    "labels of nothing": (
        lambda: jaxloss.circle_loss(A, NAMES, ref_labels=NAMES),
        "circle_loss: ref_embeddings must come with ref_labels, got None",
    ),
    "other features": (
        lambda: jaxloss.circle_loss(A, NAMES, ref_embeddings=B[:, :3], ref_labels=NAMES),
        "circle_loss: ref_embeddings must have 4 features, got shape (56, 3)",
    ),
    "other references": (
        lambda: jaxloss.circle_loss(A, NAMES, ref_embeddings=B, ref_labels=NAMES[:3]),
        "circle_loss: ref_labels must have shape (56,), one for each row of ref_embeddings, got (3,)",
    ),
    "another mining": (
        lambda: jaxloss.batch_triplet_loss(A, NAMES, mining="easy"),
        "batch_triplet_loss: mining must be 'hard', 'semihard' or 'all', got 'easy'",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(name):
    wrong, says = MESSAGES[name]
    with pytest.raises((TypeError, ValueError)) as error:
        wrong()
    assert str(error.value) == says
