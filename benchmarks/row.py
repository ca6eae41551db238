"""A row of the tables: a loss, its arrays, and what a user would write instead."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import jaxloss


def installed(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


keras, torch = installed("keras"), installed("torch")
F = torch and torch.nn.functional

Draw = Callable[[np.random.Generator], tuple[np.ndarray, ...]]
Loss = Callable[..., Any]


class Targets(NamedTuple):
    """The largest ratios of our time to theirs."""

    peer: float | None
    torch: float | None = None
    floor: float | None = None


class Row(NamedTuple):
    loss: str
    draw: Draw
    ours: Loss
    peers: dict[str, Loss]
    torch: Loss | None = None
    keras: Loss | None = None
    targets: Targets | None = None
    reference: Loss | None = None
    dtype: str = "float32"
    note: str = ""
    floor: Loss | None = None
    argnums: tuple[int, ...] = (0,)
    most: int | None = None  # entries of the first array, of whose rows each meets all

    def arrays(self) -> list[np.ndarray]:
        kinds = {"f": jnp.dtype(self.dtype), "i": np.dtype(np.int32), "b": np.dtype(bool)}
        return [x.astype(kinds[x.dtype.kind]) for x in self.draw(np.random.default_rng(0))]

    def structures(self, entries: int = 0, sharding: Any = None) -> list[jax.ShapeDtypeStruct]:
        """The arrays without their numbers, and with more rows, until the first has about as many entries."""
        lead, *rest = self.arrays()
        times = max(1, round(min(entries, self.most or entries) / lead.size))
        shapes = [(x.shape[0] * times, *x.shape[1:]) if len(x) == len(lead) else x.shape for x in (lead, *rest)]
        return [jax.ShapeDtypeStruct(s, x.dtype, sharding=sharding) for s, x in zip(shapes, (lead, *rest))]


def row(
    peer: str,
    loss: str,
    draw: Draw,
    f: Loss,
    targets: Targets | None = None,
    *,
    torch: Loss | None = None,
    keras: Loss | None = None,
    reference: Loss | None = None,
    arrays: tuple[str, ...] = (),
    **options: Any,
) -> Row:
    """`arrays` are the last ones drawn, which ours takes by keyword. PyTorch mostly has a loss by the same name."""

    def ours(*given: Any) -> Any:
        first = len(given) - len(arrays)
        return getattr(jaxloss, loss)(*given[:first], **dict(zip(arrays, given[first:])), **options)

    if torch is None and hasattr(F, loss):
        torch = by_torch(loss)
    return Row(loss, draw, ours, {peer: f}, torch, keras, targets, reference)


def by_torch(name: str) -> Loss:
    return lambda *arrays, **reduction: getattr(F, name)(*arrays, **reduction)


def by_keras(name: str, of: Loss = lambda x: x, **options: Any) -> Loss | None:
    """Keras' loss, of what it takes for the predictions."""
    return keras and (lambda x, y: getattr(keras.losses, name)(y, of(x), **options))


by_optax, by_hand = functools.partial(row, "optax"), functools.partial(row, "by hand")
ce, bce = optax.softmax_cross_entropy_with_integer_labels, optax.sigmoid_binary_cross_entropy
