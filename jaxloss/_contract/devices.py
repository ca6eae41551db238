"""The devices of a mapped axis: what varies over them, and sums over those that share the classes.

Under ``check_vma=True`` JAX's types tell what varies from device to device, and the derivative of a sum over devices
follows from them. Without, JAX takes each device's copy of the sum for a result of its own, and the gradient comes out
times their number. There, two operations that are each other's transpose do what the types would: `psum`, whose
derivative comes back as it is, and `pbroadcast`, whose derivatives are summed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.interpreters import ad, batching, mlir
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from .messages import message
from .types import Array, AxisName


def names(axis_name: AxisName | None, option: str = "axis_name") -> tuple[str, ...]:
    if axis_name is None:
        return ()
    if not isinstance(axis_name, tuple):
        if option == "axis_name" and not _bound(axis_name):
            hint = "under jit alone leave it out"
            raise ValueError(
                message(
                    f"axis_name must be an axis of a surrounding shard_map, pmap or vmap, got {axis_name!r}; {hint}"
                )
            )
        return (axis_name,)
    flat = tuple(name for part in axis_name for name in names(part, option))
    if len({*flat}) < len(flat):
        raise ValueError(message(f"{option} must name each axis only once, got {axis_name!r}"))
    return flat


def _bound(name: str) -> bool:
    try:
        lax.axis_size(name)
    except NameError:
        return False
    return True


def splits_classes(class_axis_name: AxisName | None, axis_name: AxisName | None) -> None:
    """Raises where the classes can't be split over these axes."""
    mesh = jax.sharding.get_abstract_mesh()
    for name in names(class_axis_name, "class_axis_name"):
        if (name, AxisType.Manual) not in zip(mesh.axis_names, mesh.axis_types):
            raise ValueError(message(f"class_axis_name must be an axis of a surrounding shard_map, got {name!r}"))
        if name in names(axis_name):
            hint = "the devices that share the classes have the same rows"
            raise ValueError(message(f"axis_name and class_axis_name must differ, got {name!r} in both; {hint}"))


def spread_of(x: Array) -> int:
    """Over how many devices ``jit`` may spread the rows of `x`, all of its axes but the last.

    Types with explicit axes tell. Of automatic ones only their mesh is known, if the program is traced under
    ``jax.set_mesh``, and rows may lie over all of it. Without a mesh it may be all devices of this host and others.
    Inside ``shard_map`` rows are taken to be those of one.
    """
    mesh = _mesh_of(x)
    if mesh.empty:
        return jax.device_count()
    if AxisType.Manual in mesh.axis_types:
        return 1
    of_rows = {*jax.tree.leaves([*jax.typeof(x).sharding.spec[:-1]])}
    sizes = zip(mesh.axis_names, mesh.axis_sizes, mesh.axis_types)
    return math.prod(size for name, size, kind in sizes if kind == AxisType.Auto or name in of_rows)


def is_alone(x: Array) -> bool:
    """Whether neither ``jit`` nor types can spread what meets `x` over devices."""
    mesh = _mesh_of(x)
    if mesh.empty:
        return jax.device_count() == 1
    return all(kind == AxisType.Manual or size == 1 for size, kind in zip(mesh.axis_sizes, mesh.axis_types))


def split_by_many(x: Array) -> Array:
    """`x` without axes of a single device in its explicit sharding: an axis that they split counts as split."""
    kind = jax.typeof(x).sharding
    sizes = dict(zip(kind.mesh.axis_names, kind.mesh.axis_sizes))
    many = [tuple(name for name in jax.tree.leaves(part) if sizes[name] > 1) or None for part in [*kind.spec]]
    one = any(sizes[name] == 1 for name in jax.tree.leaves([*kind.spec]))
    return jax.sharding.reshard(x, NamedSharding(kind.mesh, PartitionSpec(*many))) if one else x


def in_one_place(x: Array) -> Array:
    """All rows of `x` on each device over which ``jit`` or types may spread them: once, before a loop that reads them
    again and again. Of automatic axes that takes a mesh that is known, as in `spread_of`."""
    kind, mesh = jax.typeof(x).sharding, _mesh_of(x)
    if {*kind.spec} - {None}:
        return jax.sharding.reshard(x, NamedSharding(kind.mesh, PartitionSpec()))
    if AxisType.Auto in mesh.axis_types and AxisType.Manual not in mesh.axis_types:
        rows = PartitionSpec(None, *[PartitionSpec.UNCONSTRAINED] * (x.ndim - 1))
        return lax.with_sharding_constraint(x, NamedSharding(mesh, rows))
    return x


def mesh_is_known(x: Array) -> bool:
    return not _mesh_of(x).empty


def _mesh_of(x: Array) -> Any:
    mesh = jax.typeof(x).sharding.mesh
    return jax.sharding.get_abstract_mesh() if mesh.empty else mesh


def axis_size(axis_name: AxisName | None) -> int:
    return math.prod(map(lax.axis_size, names(axis_name)))


def local_index(index: Array, size: int, axis_name: AxisName | None) -> Array:
    """`index` counted from the first of this device's slice of this size; `size` if it lies in another's."""
    if not names(axis_name):
        return index
    index = index - size * jnp.asarray(lax.axis_index(names(axis_name)))
    return jnp.where((index >= 0) & (index < size), index, size)


def pmax(x: Array, axis_name: AxisName | None) -> Array:
    """The maximum over the devices, of what is held constant."""
    return functools.reduce(lax.pmax, names(axis_name), x)


def pmin(x: Array, axis_name: AxisName | None) -> Array:
    """The same of the minimum."""
    return functools.reduce(lax.pmin, names(axis_name), x)


def pall(fits: Array, axis_name: AxisName | None) -> Array:
    """What is true on all devices."""
    return pmin(fits.astype(jnp.int32), axis_name) > 0 if names(axis_name) else fits


def psum(parts: list[Array], axis_name: AxisName | None) -> list[Array]:
    """The sum of each over the devices, in one message: the same on all of them."""
    if not names(axis_name):
        return parts
    packed = jnp.stack(parts)
    for name in names(axis_name):
        packed = lax.psum(packed, name) if _typed(name) else _untyped()[0].bind(packed, name=name)
    return [*packed]


def pbroadcast(x: Array, axis_name: AxisName | None) -> Array:
    """What is the same on all devices, about to be used by each for a part of its own."""
    for name in names(axis_name):
        x = varying(x, {name}) if _typed(name) else _untyped()[1].bind(x, name=name)
    return x


def varying(x: Array, axes: set[str] | frozenset[str]) -> Array:
    """`x`, typed as varying over these mapped axes as well."""
    missing = tuple(axes - mapped_axes(x))
    if not missing:
        return x
    cast: Any = lax  # which calls it `pvary` in JAX 0.8
    return cast.pcast(x, missing, to="varying") if hasattr(lax, "pcast") else cast.pvary(x, missing)


def alike(tree: Any, but: AxisName | None = None) -> Any:
    """Everything as varying over the mapped axes over which anything does, but for these."""
    axes = frozenset().union(*map(mapped_axes, jax.tree.leaves(tree))) - {*names(but)}
    return jax.tree.map(lambda x: varying(x, axes), tree)


def mapped_axes(x: Any) -> frozenset[str]:
    """Over which axes `x` varies."""
    kind: Any = jax.typeof(x)
    return kind.vma if hasattr(kind, "vma") else kind.mat.varying  # before and since JAX 0.10


def _typed(name: str) -> bool:
    """Whether JAX's types tell what varies over this axis."""
    return name in mapped_axes(lax.axis_index(name))


@functools.cache
def _untyped() -> tuple[Any, Any]:
    """`psum` and `pbroadcast` over an axis where types don't tell. Made when needed: `jax.extend` imports much."""
    from jax.extend.core import Primitive

    def linear(name: str, work: Callable[..., Array]) -> Any:
        operation: Any = Primitive(name)
        operation.def_impl(work)
        operation.def_abstract_eval(lambda x, **_: x)
        mlir.register_lowering(operation, mlir.lower_fun(work, multiple_results=False))
        batching.primitive_batchers[operation] = lambda xs, axes, **name: (operation.bind(*xs, **name), *axes)
        return operation

    psum = linear("jaxloss_psum", lambda x, name: lax.psum(x, name))
    pbroadcast = linear("jaxloss_pbroadcast", lambda x, name: x)
    ad.deflinear2(psum, lambda slope, _, name: [pbroadcast.bind(slope, name=name)])
    ad.deflinear2(pbroadcast, lambda slope, _, name: [psum.bind(slope, name=name)])
    return psum, pbroadcast
