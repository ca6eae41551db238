"""What `accelerators.py` compiles: the rows of `rows.py`, larger, and what a language model takes of losses."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from batches import clip
from jax import nn
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec as P, Sharding
from linear_cross_entropy import product
from row import Loss, Row, ce
from rows import by_mean

from jaxloss import clip_loss, cross_entropy, linear_cross_entropy


ENTRIES = 2**26  # of the first array: smaller ones would stay in the 128 MiB of a TPU's VMEM, and their traffic be free


class Problem(NamedTuple):
    loss: str
    note: str
    ours: Loss
    peer: str
    theirs: Loss
    arguments: Sequence[jax.ShapeDtypeStruct]
    argnums: tuple[int, ...] = (0,)

    def __str__(self) -> str:
        return f"`{self.loss}`, {self.note}" if self.note else f"`{self.loss}`"

    @property
    def size(self) -> str:
        return ", ".join(" x ".join(map(str, self.arguments[i].shape)) for i in self.argnums)


def widened(f: Loss) -> Loss:
    """As a careful user calls it."""

    def wide(x: Any) -> Any:
        return x.astype(jnp.promote_types(x.dtype, jnp.float32)) if jnp.issubdtype(x.dtype, jnp.floating) else x

    return lambda *arguments: f(*map(wide, arguments))


def of_rows(rows: Sequence[Row], dtype: str, sharding: Sharding) -> Iterator[Problem]:
    """Those that differ in more than their dtype."""
    seen = set()
    for row in rows:
        if row.loss == "linear_cross_entropy":  # of which see `heads`
            continue
        arguments = row._replace(dtype=dtype).structures(ENTRIES, sharding)
        kind = row.loss, row.note, *(x.shape for x in arguments)
        if kind not in seen:
            seen.add(kind)
            peer, f = next(iter(row.peers.items()))
            yield Problem(row.loss, row.note, row.ours, peer.split(",")[0], widened(f), arguments, row.argnums)


# What Optax has no options for, with them.

weighed = by_mean(ce, jnp, safe=False)


def ignoring(z: Any, y: Any) -> Any:
    return weighed(z, jnp.where(y == -100, 0, y), 1.0, y != -100)


def smoothed(z: Any, y: Any) -> Any:
    return 0.9 * ce(z, y) + 0.1 * (nn.logsumexp(z, -1) - z.mean(-1))


def with_z_loss(z: Any, y: Any, f: Loss = ce) -> Any:
    return f(z, y) + 1e-4 * nn.logsumexp(z, -1) ** 2


def option(name: str, **options: Any) -> Loss:
    """With a third argument where it has no value."""
    return lambda z, y, *given: cross_entropy(z, y, **options, **dict(zip([name], given)))


def vocabularies(dtype: str, sharding: Sharding) -> Iterator[Problem]:
    """`cross_entropy` and its options at the sizes of language models."""

    def array(*shape: int, dtype: str = dtype) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)

    tokens, classes = 4096, 32768
    both = logits, _ = array(tokens, classes), array(tokens, dtype="int32")
    by_token = array(tokens, dtype="float32"), array(tokens, dtype="bool")
    images = array(256, 1000, 16, 16), array(256, 16, 16, dtype="int32")
    problems: list[tuple[str, Loss, Loss, Sequence[Any]]] = [
        ("", cross_entropy, ce, [array(tokens, 131072), both[1]]),
        ("weights and mask", cross_entropy, weighed, [*both, *by_token]),
        ("ignore_index", option("", ignore_index=-100), ignoring, both),
        (
            "class_weights",
            option("class_weights"),
            lambda z, y, w: weighed(z, y, w[y], True),
            [*both, array(classes, dtype="float32")],
        ),
        ("label_smoothing", option("", label_smoothing=0.1), smoothed, both),
        ("z_loss", option("", z_loss=1e-4), with_z_loss, both),
        (
            "class_mask",
            option("class_mask"),
            lambda z, y, exist: ce(jnp.where(exist, z, -jnp.inf), y),
            [*both, array(classes, dtype="bool")],
        ),
        ("probabilities", cross_entropy, optax.softmax_cross_entropy, [logits, logits]),
        ("axis=1", option("", axis=1), lambda z, y: ce(jnp.moveaxis(z, 1, -1), y), images),
    ]
    for note, ours, theirs, arguments in problems:
        yield Problem("cross_entropy", note, ours, "optax", widened(theirs), arguments)


def dense(hidden: Any, kernel: Any, labels: Any) -> Any:
    return ce(product(hidden, kernel, (1, 0)), labels)


def heads(dtype: str, sharding: Sharding) -> Iterator[Problem]:
    """`linear_cross_entropy` beside Optax on the logits, with both gradients. What is large is for half precision."""
    large = 8192, 2048, 131072
    sizes = [((2048, 256, 16384), None)]
    if dtype == "bfloat16":
        sizes += [
            ((16384, 1024, 32768), None),
            ((4096, 2304, 256000), None),
            (large, None),
            (large, 2048),
            (large, 4096),
        ]
    for (tokens, features, classes), chunk_size in sizes:
        shapes = [((tokens, features), dtype), ((features, classes), dtype), ((tokens,), "int32")]
        arguments = [jax.ShapeDtypeStruct(*x, sharding=sharding) for x in shapes]
        ours = functools.partial(linear_cross_entropy, chunk_size=chunk_size)
        note = f"chunk_size={chunk_size}" if chunk_size else ""
        yield Problem("linear_cross_entropy", note, ours, "optax", dense, arguments, (0, 1))


def sharded(devices: Sequence[Any]) -> Iterator[Problem]:
    """Steps of a head of 2048 features and 131072 classes on eight chips, two for the data by four for the model; and
    of 32768 pairs of 512 features."""
    mesh = Mesh(np.array(devices).reshape(2, 4), ("data", "model"), axis_types=(AxisType.Auto,) * 2)
    tokens, features, classes = 8192, 2048, 131072

    def array(shape: Sequence[int], spec: P, dtype: str = "bfloat16") -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(mesh, spec))

    def mapped(f: Loss, *specs: P, **options: Any) -> Loss:
        return jax.shard_map(functools.partial(f, **options), mesh=mesh, in_specs=specs, out_specs=P())

    every, data, logit, model = P(("data", "model")), P("data"), P("data", "model"), P(None, "model")
    names = {"axis_name": "data", "class_axis_name": "model"}
    labels = array((tokens,), data, "int32")
    by_token = array((tokens,), data, "float32"), array((tokens,), data, "bool")
    logits = array((tokens, classes), every), array((tokens,), every, "int32")
    split = array((tokens, classes), logit), labels
    layer = array((tokens, features), every), array((features, classes), P()), array((tokens,), every, "int32")
    split_layer = array((tokens, features), data), array((features, classes), model), labels
    peer, both = widened(ce), {"label_smoothing": 0.1, "z_loss": 1e-4}
    problems: list[tuple[str, Loss, Loss, Sequence[Any]]] = [
        ("jit, rows over 8", cross_entropy, peer, logits),
        ("jit, classes over 4", cross_entropy, peer, split),
        ("jit, classes over 4, weights and mask", cross_entropy, widened(weighed), [*split, *by_token]),
        ("shard_map, classes over 4", mapped(cross_entropy, logit, data, **names), peer, split),
        (
            "shard_map, classes over 4, label_smoothing and z_loss",
            mapped(cross_entropy, logit, data, **names, **both),
            widened(functools.partial(with_z_loss, f=smoothed)),
            split,
        ),
    ]
    for note, ours, theirs, arguments in problems:
        yield Problem("cross_entropy", note, ours, "optax", theirs, arguments)
    over_all = mapped(linear_cross_entropy, every, P(), every, axis_name=("data", "model"))
    over_four = mapped(linear_cross_entropy, data, model, data, **names)
    for note, ours, arguments in (
        ("jit, rows over 8", linear_cross_entropy, layer),
        ("shard_map, rows over 8", over_all, layer),
        ("jit, classes over 4", linear_cross_entropy, split_layer),
        ("shard_map, classes over 4", over_four, split_layer),
    ):
        yield Problem("linear_cross_entropy", note, ours, "optax", dense, arguments, (0, 1))
    pairs = [array((32768, 512), every)] * 2
    yield Problem("clip_loss", "jit, rows over 8", clip_loss, "by hand", widened(clip), pairs, (0, 1))
    over_all = mapped(clip_loss, every, every, axis_name=("data", "model"))
    yield Problem("clip_loss", "shard_map, rows over 8", over_all, "by hand", widened(clip), pairs, (0, 1))
