"""Matrix products, in the dtype to compute in."""

from __future__ import annotations

import jax
import numpy as np
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

from .._contract.arrays import widened
from .._contract.types import Array


def product(a: Array, b: Array, over: tuple[int, int] = (1, 0), like: Array | None = None) -> Array:
    """The matrix product over these axes, contracted in place: a transposed kernel would be copied.

    Explicit sharding is told where the result belongs: with `like`, or with the tokens and classes that it is made of.
    """
    dimensions = ((over[0],), (over[1],)), ((), ())
    kinds = [jax.typeof(x).sharding for x in (a, b)]
    mesh = next((kind.mesh for kind in kinds if AxisType.Explicit in kind.mesh.axis_types), None)
    place = None
    if mesh is not None and {*kinds[0].spec, *kinds[1].spec} != {None}:
        rows, columns = kinds[0].spec[1 - over[0]], kinds[1].spec[1 - over[1]]
        columns = None if {*np.ravel(rows)} & {*np.ravel(columns)} else columns  # the tokens keep their devices
        place = NamedSharding(mesh, P(rows, columns) if like is None else jax.typeof(like).sharding.spec)
    return lax.dot_general(a, b, dimensions, preferred_element_type=widened(a), out_sharding=place)
