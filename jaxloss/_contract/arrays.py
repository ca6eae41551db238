"""Numbers in arrays that JAX reads as they are, or an error that says what to pass; and the dtype to compute in."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from .messages import kind_of, message
from .types import Array


INTEGERS = (int, np.integer, np.ndarray)  # and what may hold some that JAX would cut


def array(name: str, x: Any) -> Array:
    """`x` as an array of numbers, or an error that says what to pass."""
    if not is_array(x):
        hint = "; jnp.asarray makes one of lists" if isinstance(x, (list, tuple)) else _unboxed(name, x)
        raise TypeError(message(f"{name} must be an array, got {kind_of(x)}{hint}"))
    x = as_jax_reads(name, x)
    if isinstance(x, (np.ndarray, np.generic)) and not_numbers(x.dtype):  # which JAX refuses in words of its own
        raise TypeError(message(f"{name} must hold real numbers, got {x.dtype}"))
    x = jnp.asarray(narrowed(x) if isinstance(x, INTEGERS) and overflows(x) else x)
    if hasattr(jax.typeof(x), "inner_aval"):
        raise TypeError(message(f"{name} must be an array, got a Ref; pass {name}[...]"))
    if not (x.dtype == jnp.bool_ or jnp.issubdtype(x.dtype, jnp.integer) or real(x)):
        raise TypeError(message(f"{name} must hold real numbers, got {x.dtype}"))
    return x


def _unboxed(name: str, x: Any) -> str:
    """How to get at the array that Flax's boxed parameters, or arrays with named axes, hold."""
    held = next((f"{name}.{held}" for held in ("value", "array") if is_array(getattr(x, held, None))), "")
    if held and callable(getattr(x, "unbox", None)):
        return f"; unbox it: nn.unbox(params), or {held}"
    return f"; pass {held}" if held else ""


def is_array(x: Any) -> bool:
    """Or a number, or a variable that JAX takes for one, as Flax's."""
    return isinstance(x, (jax.Array, np.ndarray, np.generic, bool, int, float)) or hasattr(x, "__jax_array__")


def misread(x: Any) -> bool:
    """Whether JAX might take NumPy's array for another: its fast dispatch looks at neither byte order nor subclass."""
    if isinstance(x, np.ndarray):
        foreign = type(x) is not np.ndarray and not type(x).__module__.startswith("jax.")
        return foreign or not x.dtype.isnative or x.dtype.char == "g"
    return (isinstance(x, np.floating) and x.dtype.char == "g") or (
        isinstance(x, (dict, list, tuple)) and any(map(misread, jax.tree.leaves(x)))
    )


def as_jax_reads(name: str, x: Any) -> Any:
    """The same numbers in an array of NumPy's own, or an error where there would be more to it than numbers."""
    if not misread(x):
        return x
    if isinstance(x, np.ma.MaskedArray):
        hint = f"; pass its data, and mask=~np.ma.getmaskarray({name})"
        raise TypeError(message(f"{name} must be a plain array, got a masked one{hint}"))
    if isinstance(x, np.ndarray) and type(x) not in (np.ndarray, np.memmap, np.matrix):
        kind = type(x).__name__
        raise TypeError(
            message(f"{name} must be a plain array, got a {kind}; np.asarray makes one, of its numbers alone")
        )
    x = np.asarray(x)
    return x.astype(np.float64 if x.dtype.char == "g" else x.dtype.newbyteorder("="))


def not_numbers(dtype: Any) -> bool:
    return dtype.kind in "OSUMm" or dtype.names is not None


def overflows(x: Any) -> bool:
    """Whether integers of Python's or NumPy's are more than JAX's hold, which would cut off bits."""
    bits = 64 if jax.config.read("jax_enable_x64") else 32
    if isinstance(x, int):
        return x.bit_length() >= bits
    if x.dtype.kind not in "iu" or 8 * x.dtype.itemsize <= bits or not x.size:
        return False
    return bool(np.min(x) < limits(x).min or np.max(x) > limits(x).max)


def narrowed(x: Any, index: bool = False) -> Any:
    """Integers beyond JAX's as floats, or as the nearest ones that fit."""
    most = limits(x)
    low, high, dtype = (most.min, most.max, most.dtype) if index else (-(2.0**128), 2.0**128, np.float32)
    with np.errstate(over="ignore"):
        return np.asarray(np.clip(x, low, high)).astype(dtype)


def limits(x: Any) -> np.iinfo:
    """Of JAX's integers, with a sign or without as those of `x`."""
    return np.iinfo(np.uint32 if getattr(x, "dtype", np.dtype(int)).kind == "u" else np.int32)


def indices(x: Array) -> Array:
    """The same, in a dtype that counts all of an axis."""
    return x.astype(jnp.int32) if x.dtype.itemsize < 4 else x


def real(x: Array) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


def widened(x: Any) -> Any:
    """The dtype to compute in: at least float32, float64 where `x` is."""
    return _wide(getattr(x, "dtype", jnp.float32))


def widest(tree: Any) -> Any:
    """The same for all that a tree holds."""
    if hasattr(tree, "dtype"):  # an array, as of nearly every eager call
        return widened(tree)
    return max(map(widened, jax.tree.leaves(tree)), key=lambda dtype: jnp.finfo(dtype).bits, default=jnp.float32)


@functools.cache
def _wide(dtype: Any) -> Any:
    return dtype if jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits >= 32 else jnp.float32


def iota(x: Array, axis: int, dtype: Any = jnp.int32) -> Array:
    """How far along an axis each entry of `x` lies; spread over devices as `x` is, which explicit sharding asks for."""
    return lax.broadcasted_iota(dtype, x.shape, axis, out_sharding=jax.typeof(x).sharding)
