"""Scalars by name: losses, and what weighs them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

import jax.numpy as jnp

from .._contract import inputs
from .._contract.arrays import array, widest
from .._contract.messages import kind_of, message
from .._contract.total import Total
from .._contract.types import Array, ArrayLike


Loss: TypeAlias = ArrayLike | Total


def means(name: str, losses: Mapping[str, Loss]) -> dict[str, Array]:
    """Each as a scalar, in the widest of their dtypes."""
    mapping(name, losses)
    if not losses:
        raise ValueError(message(f"{name} must have at least one name, got none"))
    scalars = {}
    for key, loss in losses.items():
        place = f"{name}[{key!r}]"
        scalars[key] = mean = array(place, loss.mean() if isinstance(loss, Total) else loss)
        if mean.shape:
            hint = "; reduce it first, with reduction='mean' or 'total'" if name == "losses" else ""
            raise ValueError(message(f"{place} must be a scalar, got shape {mean.shape}{hint}"))
    dtype = widest(scalars)
    return {key: mean.astype(dtype) for key, mean in scalars.items()}


def sizes(name: str, losses: Mapping[str, Loss]) -> dict[str, Array]:
    """The same, of what can't lie below 0."""
    return {key: inputs.valid(f"{name}[{key!r}]", x, "[0, inf)") for key, x in means(name, losses).items()}


def same_names(name: str, wanted: Collection[str], other: str, given: Collection[str]) -> None:
    mapping(name, wanted)
    mapping(other, given)
    missing = [key for key in wanted if key not in given]
    if missing:
        raise ValueError(message(f"{other} must have the names of {name}, {listed(wanted)}, got no {listed(missing)}"))
    known_names(name, wanted, other, given)


def mapping(name: str, given: Any) -> None:
    if not isinstance(given, Mapping):
        raise TypeError(message(f"{name} must map names to scalars, got {kind_of(given)}"))


def known_names(name: str, wanted: Collection[str], other: str, given: Collection[str]) -> None:
    unknown = [key for key in given if key not in wanted]
    if unknown:
        raise ValueError(message(f"{other} must have names of {name}, {listed(wanted)}, got {listed(unknown)}"))


def listed(names: Collection[str]) -> str:
    return ", ".join(map(repr, names))


def add_up(terms: list[Array]) -> Array:
    return jnp.sum(jnp.stack(terms))
