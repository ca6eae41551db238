"""What compiled programs send from device to device, against the formulas behind docs/scaling.md."""

from __future__ import annotations

import math
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxloss

from ..harness.benchmarks import benchmark
from ..harness.rows import some
from .test_devices import info_nce


ROOT = Path(__file__).parents[2]
network = benchmark("network")

ROWS, FEATURES, CLASSES, CHUNKS = 64, 16, 32, 4
NAMES = {"axis_name": "data", "class_axis_name": "model"}
SIZES = {"f32": 4, "bf16": 2, "s32": 4, "u32": 4, "pred": 1}
grids = pytest.mark.parametrize(("data", "model"), some([(8, 1), (4, 2), (2, 4), (1, 8)], (4, 2)))


def messages(f, *arguments):
    """Kind and bytes of all messages in the compiled program, once for each place in its text; those of no more than
    one device left out."""
    text = jax.jit(f).lower(*arguments).compile().as_text()
    found = []
    kinds = "all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute|collective-broadcast"
    for line in text.splitlines():
        match = re.search(rf"= (.*?) ({kinds})(?:-start)?\(", line)
        if match and not to_itself(line):
            shapes = re.findall(r"(\w+)\[([\d,]*)\]", match[1])
            sizes = [SIZES[dtype] * math.prod(map(int, filter(None, shape.split(",")))) for dtype, shape in shapes]
            found.append((match[2], sum(sizes)))
    return sorted(found)


def to_itself(message):
    """Whether the groups are of one device each: listed, or, since JAX 0.12, axes of a mesh that have size 1."""
    if match := re.search(r"replica_groups=mesh\[(.*?)\] \{(.*?)\}", message):
        sizes = dict(axis.split("=") for axis in match[1].split(","))
        return all(sizes[name] == "1" for name in match[2].split(","))
    return re.search(r"replica_groups=\{\{\d+\}", message)


def expected(messages):
    """The same of the formulas, in which the bytes of a scatter are those that go in."""
    return sorted(
        (message.kind, message.size // (message.devices if message.kind == "reduce-scatter" else 1))
        for message in messages
        if message.devices > 1
    )


def arrays(data, model, kind=AxisType.Auto, **arguments):
    """Shapes with their places, of arguments given as a shape and a spec."""
    mesh = jax.make_mesh((data, model), ("data", "model"), axis_types=(kind,) * 2)
    return mesh, [
        jax.ShapeDtypeStruct(shape, jnp.int32 if name == "labels" else jnp.float32, sharding=NamedSharding(mesh, spec))
        for name, (shape, spec) in arguments.items()
    ]


LOGITS = {"logits": ((ROWS, CLASSES), P("data", "model")), "labels": ((ROWS,), P("data"))}


def layer(of_kernel):
    kernel = {"kernel": ((FEATURES, CLASSES), of_kernel)}
    return {"hidden": ((ROWS, FEATURES), P("data")), **kernel, "labels": ((ROWS,), P("data"))}


def specs(arguments):
    return tuple(spec for _, spec in arguments.values())


@grids
def test_a_mean(data, model):
    arguments = {"predictions": ((ROWS,), P("data")), "labels": ((ROWS,), P("data"))}
    mesh, given = arrays(data, model, **arguments)
    f = lambda x, y: jaxloss.l1_loss(x, y.astype(x.dtype), mask=y > 0, axis_name="data")  # noqa: E731
    f = jax.shard_map(f, mesh=mesh, in_specs=specs(arguments), out_specs=P())
    assert messages(f, *given) == expected(network.mean(data))


@grids
@pytest.mark.parametrize("gradient", [True, False])
@pytest.mark.parametrize("check_vma", [True, False])
def test_slices_of_the_classes(data, model, gradient, check_vma):
    """One maximum and one packed sum, and nothing on the way back."""
    mesh, given = arrays(data, model, **LOGITS)

    def step(z, y):
        f = lambda z: jaxloss.cross_entropy(z, y, **NAMES)  # noqa: E731
        return jax.value_and_grad(f)(z) if gradient else f(z)

    out = (P(), specs(LOGITS)[0]) if gradient else P()
    f = jax.shard_map(step, mesh=mesh, in_specs=specs(LOGITS), out_specs=out, check_vma=check_vma)
    wanted = network.cross_entropy(ROWS, data, model, gradient=gradient)
    if gradient and not check_vma:  # without types the slope of the mean is summed, too
        wanted.append(network.Message("all-reduce", network.FLOAT, data))
    assert messages(f, *given) == expected(wanted)


@grids
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
@pytest.mark.parametrize("gradient", [True, False])
def test_sharded_classes(data, model, kind, gradient):
    """XLA and the types find the same messages."""
    _, given = arrays(data, model, kind, **LOGITS)
    f = jaxloss.cross_entropy
    *by_row, of_mean = network.cross_entropy(ROWS, data, model, gradient=gradient)
    wanted = [*by_row, of_mean._replace(size=network.FLOAT)]  # the weight is a constant
    assert messages(jax.value_and_grad(f) if gradient else f, *given) == expected(wanted)


def head(hidden, kernel, labels, **names):
    return jaxloss.linear_cross_entropy(hidden, kernel, labels, **names)


@grids
@pytest.mark.parametrize("fsdp", [False, True], ids=["replicated", "fsdp"])
def test_linear_layer(data, model, fsdp):
    """Only rows travel inside of the loop over the chunks."""
    arguments = layer(P("data" if fsdp else None, "model"))
    mesh, given = arrays(data, model, **arguments)

    def step(hidden, kernel, labels):
        def f(hidden, kernel):
            if fsdp:
                kernel = lax.all_gather(kernel, "data", tiled=True)
            return head(hidden, kernel, labels, chunk_size=ROWS // data // CHUNKS, **NAMES)

        return jax.value_and_grad(f, (0, 1))(hidden, kernel)

    of_hidden, of_kernel, _ = specs(arguments)
    f = jax.shard_map(step, mesh=mesh, in_specs=specs(arguments), out_specs=(P(), (of_hidden, of_kernel)))
    chunks = min(CHUNKS, ROWS // data)
    wanted = network.linear_cross_entropy(ROWS, FEATURES, CLASSES, data, model, chunks=chunks, fsdp=fsdp)
    assert messages(f, *given) == expected(wanted)


@grids
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=["auto", "explicit"])
def test_linear_layer_under_jit(data, model, kind):
    _, given = arrays(data, model, kind, **layer(P(None, "model")))
    f = jax.value_and_grad(lambda *arguments: head(*arguments, chunk_size=ROWS // CHUNKS), (0, 1))
    wanted = network.linear_cross_entropy_under_jit(ROWS, FEATURES, CLASSES, data, model, chunks=CHUNKS)
    assert messages(f, *given) == expected(wanted)


@grids
def test_negatives(data, model):
    arguments = {name: ((ROWS, FEATURES), P("data")) for name in "ab"} | {"labels": ((ROWS,), P("data"))}
    mesh, given = arrays(data, model, **arguments)
    f = lambda a, b, labels: info_nce(a, b, labels > 0, "data")  # noqa: E731
    f = jax.shard_map(f, mesh=mesh, in_specs=specs(arguments), out_specs=P())
    wanted = expected(network.negatives(ROWS, FEATURES, data))
    assert messages(jax.value_and_grad(f, (0, 1)), *given) == wanted


def test_the_tables_are_in_the_docs():
    assert network.main() in (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
