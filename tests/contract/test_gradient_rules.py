"""What the training loop does with the gradients: each cell of the table in the docstring of `jaxloss.reduce`."""

from __future__ import annotations

import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxloss


pytestmark = pytest.mark.usefixtures("compiles_fast")
DEVICES = 8
RNG = np.random.default_rng(0)
LEARNED = RNG.normal(size=8).astype(np.float32)
X = RNG.normal(size=(16, 8)).astype(np.float32)
LABELS = RNG.normal(size=16).astype(np.float32)
WEIGHTS = RNG.uniform(0.5, 2, 16).astype(np.float32)
MASK = np.array([0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 1, 1, 1, 1, 0, 0], bool)  # three devices have nothing
BATCH = X, LABELS, WEIGHTS, MASK
CHOICES = {
    "nothing": lambda gradient, names: gradient,
    "``lax.psum``": lax.psum,
    "``lax.pmean``": lax.pmean,
    "/ ``lax.axis_size``": lambda gradient, names: gradient / lax.axis_size(names),
}
ONE, TWO = "data", ("data", "model")
by_state = pytest.mark.parametrize("state", ["replicated", "sharded", "varying"])
by_names = pytest.mark.parametrize("names", [ONE, TWO], ids=["one_name", "two_names"])


def rule(row: str, state: str) -> str:
    """The cell of the table."""
    lines = inspect.getdoc(jaxloss.reduce).splitlines()
    (head,) = (line for line in lines if line.startswith("gradient taken"))
    (line,) = (line for line in lines if line.startswith(row))
    (column,) = (i for i, title in enumerate(re.split(" {2,}", head)) if state in title)
    return re.split(" {2,}", line)[column]


def exact(gradients: jax.Array) -> bool:
    """Whether each device has the gradient, or its shard of it: by hand, in float64."""
    x, labels, count, learned = (a.astype(np.float64) for a in (X, LABELS, WEIGHTS * MASK, LEARNED))
    expected = 2 * x.T @ (count * (x @ learned - labels)) / count.sum() + 0.2 * learned
    gradients = np.asarray(gradients).reshape(-1, LEARNED.size)  # shards make up one
    return np.allclose(gradients, expected, rtol=0, atol=1e-6 * abs(expected).max())


def loss(learned, batch, state="replicated", names=None, agreed=True):
    """A linear model with a penalty on what it has learned, about which the devices agree or not."""
    penalty = 0.1 * jnp.sum(learned**2)
    if state == "sharded":
        penalty = lax.psum(penalty, names) if agreed else penalty
        for name in [names] if names == ONE else reversed(names):  # `vmap` takes one at a time
            learned = lax.all_gather(learned, name, tiled=True)
    if state == "varying":
        penalty = lax.pmean(penalty, names) if agreed else penalty
    x, *rest = batch
    return jaxloss.mse_loss(x @ learned, *rest, axis_name=names) + penalty


def step(state, names, **options):
    """From a device's share to what comes of each choice."""

    def step(learned, batch):
        learned = varying(learned, names) if state == "varying" else learned
        gradient = jax.grad(loss)(learned, batch, state, names, **options)
        return {choice: finish(gradient, names)[None] for choice, finish in CHOICES.items()}

    return step


def varying(x, names):
    return lax.pcast(x, names, to="varying") if hasattr(lax, "pcast") else lax.pvary(x, names)  # JAX 0.8


def grid(names, kind=AxisType.Auto):
    shape = (DEVICES,) if names == ONE else (4, 2)
    return jax.make_mesh(shape, TWO[: len(shape)], axis_types=(kind,) * len(shape))


def sharded(f, state, names, out, check_vma):
    at = P(names if state == "sharded" else None)
    return jax.jit(jax.shard_map(f, mesh=grid(names), in_specs=(at, P(names)), out_specs=out, check_vma=check_vma))


def right(gradients) -> set[str]:
    return {choice for choice, gradient in gradients.items() if exact(gradient)}


@by_state
@by_names
def test_inside_shard_map(state, names):
    found = right(sharded(step(state, names), state, names, P(names), True)(LEARNED, BATCH))
    if state == "replicated":  # the mean of equal gradients only costs time
        found.remove("``lax.pmean``")
    assert found == {rule("inside ``shard_map``", state)}


@by_state
@by_names
def test_inside_shard_map_unchecked(state, names):
    found = right(sharded(step(state, names), state, names, P(names), False)(LEARNED, BATCH))
    assert found == {rule("inside ``pmap``", state)}


def in_rows(x, names):
    """A leading axis for each name."""
    shape = grid(names).devices.shape
    return jax.tree.map(lambda x: x.reshape(*shape, -1, *x.shape[1:]), x)


@by_state
def test_inside_pmap(state):
    learned, axis = (in_rows(LEARNED, ONE), 0) if state == "sharded" else (LEARNED, None)
    mapped = jax.pmap(step(state, ONE), axis_name=ONE, in_axes=(axis, 0))
    assert right(mapped(learned, in_rows(BATCH, ONE))) == {rule("inside ``pmap``", state)}


@pytest.mark.parametrize("state", ["replicated", "sharded"])  # nothing is cast under `vmap`
@by_names
def test_inside_vmap(state, names):
    learned, axis = (in_rows(LEARNED, names), 0) if state == "sharded" else (LEARNED, None)
    mapped = step(state, names)
    for name in [names] if names == ONE else reversed(names):
        mapped = jax.vmap(mapped, axis_name=name, in_axes=(axis, 0))
    assert right(jax.jit(mapped)(learned, in_rows(BATCH, names))) == {rule("inside ``pmap``", state)}


@by_state
@by_names
@pytest.mark.parametrize("check_vma", [True, False], ids=["checked", "unchecked"])
def test_outside_shard_map(state, names, check_vma):
    def inside(learned, batch):
        cast = state == "varying" and check_vma  # unchecked, JAX 0.8 gets the slope of a cast wrong
        return loss(varying(learned, names) if cast else learned, batch, state, names)

    assert exact(jax.jit(jax.grad(sharded(inside, state, names, P(), check_vma)))(LEARNED, BATCH))
    assert rule("under ``jit``", state) == "nothing"


@pytest.mark.parametrize("state", ["replicated", "sharded"])
@by_names
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def test_under_jit(state, names, kind):
    mesh = grid(names, kind)
    at = NamedSharding(mesh, P(names if state == "sharded" else None))
    learned, batch = jax.device_put((LEARNED, BATCH), (at, NamedSharding(mesh, P(names))))

    def whole_loss(learned, batch):
        whole = jax.sharding.reshard(learned, P()) if kind is AxisType.Explicit else learned
        return loss(whole, batch)

    with jax.set_mesh(mesh):
        gradient = jax.jit(jax.grad(whole_loss))(learned, batch)
    assert exact(gradient)
    assert gradient.sharding.is_equivalent_to(at, 1)
    assert rule("under ``jit``", state) == "nothing"


@pytest.mark.parametrize("state", ["sharded", "varying"])
@by_names
def test_devices_must_agree_on_what_is_added(state, names):
    """Else the gradient is that of the sum over devices, and the rule is wrong."""
    found = right(sharded(step(state, names, agreed=False), state, names, P(names), True)(LEARNED, BATCH))
    assert rule("inside ``shard_map``", state) not in found
