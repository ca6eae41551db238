"""One of several processes of a training step, as `test_processes.py` starts them: address, count, index, file."""

from __future__ import annotations

import sys

import jax
import numpy as np
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxloss


RNG = np.random.default_rng(0)
HIDDEN = RNG.normal(size=(64, 16)).astype(np.float32)
KERNEL = RNG.normal(size=(16, 24)).astype(np.float32)
LABELS = RNG.integers(0, 24, 64).astype(np.int32)
MASK = (np.arange(64) % 5 < 3) & (np.arange(64) < 40)  # the last shards hold nothing


def by_sharding(kernel, hidden, labels, mask):
    return jaxloss.cross_entropy(hidden @ kernel, labels, mask=mask)


def by_names(kernel, hidden, labels, mask):
    names = {"axis_name": "data", "class_axis_name": "model"}
    return jaxloss.linear_cross_entropy(hidden, kernel, labels, mask=mask, chunk_size=4, **names)


def main(address: str, processes: int, index: int, file: str) -> None:
    jax.distributed.initialize(address, processes, index)
    mesh = jax.make_mesh((4, 2), ("data", "model"), axis_types=(AxisType.Auto,) * 2)
    rows, classes = NamedSharding(mesh, P("data")), NamedSharding(mesh, P(None, "model"))
    share = np.split(np.arange(64), processes)[index]  # each process loads rows of its own
    batch = [jax.make_array_from_process_local_data(rows, x[share]) for x in (HIDDEN, LABELS, MASK)]
    kernel = jax.make_array_from_callback(KERNEL.shape, classes, lambda place: KERNEL[place])
    specs = classes.spec, *(rows.spec,) * 3

    step = jax.value_and_grad(by_names)

    def legacy(*arguments):
        value, slope = step(*arguments)
        return value, lax.pmean(slope, "data")

    steps = {
        "jit": jax.value_and_grad(by_sharding),
        "shard_map": jax.shard_map(step, mesh=mesh, in_specs=specs, out_specs=(P(), specs[0])),
        "check_vma=False": jax.shard_map(legacy, mesh=mesh, in_specs=specs, out_specs=(P(), specs[0]), check_vma=False),
    }
    found = {}
    for name, way in steps.items():
        value, slope = jax.jit(way, out_shardings=NamedSharding(mesh, P()))(kernel, *batch)
        found[f"{name} value"], found[f"{name} slope"] = map(np.asarray, (value, slope))
    np.savez(file, processes=jax.process_count(), devices=jax.device_count(), **found)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
