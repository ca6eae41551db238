"""Values that tracing can't see: NaN where they don't fit, and an error under `checked`."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jax.experimental import checkify

from .arrays import INTEGERS, as_jax_reads, iota, overflows
from .messages import calling, message
from .types import Array


P = ParamSpec("P")
R = TypeVar("R")

# Part of the key of every jit cache: a function compiled without checks is compiled anew with them. Always on, even
# checks that nobody asked for would take each program that holds one off JAX's fast dispatch.
_checking = jax.make_user_context(False)


def within(value: Any, interval: str, rounding: float = 0.0) -> Any:
    """Whether values lie in an interval such as ``"[0, inf)"``, or by rounding beside its ends; NaN lies in none.

    Above 0 lie normal numbers: for others processors take 0, some of the time.
    """
    low, high = map(float, interval[1:-1].split(","))
    above = value >= low - rounding if interval[0] == "[" else value > low
    if interval[0] == "(" and low == 0 and jnp.issubdtype(getattr(value, "dtype", int), jnp.floating):
        above = value >= jnp.finfo(value.dtype).tiny
    below = value <= high + rounding if interval[-1] == "]" else value < high
    return above & below


def rounding(given: Any, dtype: Any) -> float:
    """By how much what came in one dtype, and is computed with in another, may leave its range."""
    epsilons = [float(jnp.finfo(dtype).eps)]
    if jnp.issubdtype(came := getattr(given, "dtype", dtype), jnp.floating):
        epsilons.append(float(jnp.finfo(came).eps))
    return min(4 * max(epsilons), 2.0**-5)  # what has 8 bits rounds to anything


def nearest(x: Array, interval: str) -> Array:
    """The nearest value of an interval, for what left it by rounding: the slopes are those of `x`."""
    return _nearest(x, interval)


def clipped(x: Array, low: Array | float, high: float) -> Array:
    """Not a clamp, which XLA for CPUs writes out before a sum; there its maxima may lose a NaN, so it is added."""
    return -jnp.maximum(-jnp.maximum(x, low), -high) + lax.stop_gradient(x - x)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def _nearest(x: Array, interval: str) -> Array:
    low, high = map(float, interval[1:-1].split(","))
    least, most = interval[0] == "[" and low > -math.inf, interval[-1] == "]" and high < math.inf
    if least and most:
        return clipped(x, low, high)
    x = jnp.maximum(x, low) if least else x
    return jnp.minimum(x, high) if most else x


@_nearest.defjvp
def _(interval: str, primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    return _nearest(*primals, interval), tangents[0]


def report(name: str, values: Array, fits: Array, rule: str, hint: str = "") -> None:
    """Under `checked`, an error that names the first of `values` that doesn't fit."""
    if not _checking.value:
        return
    value, index = _first(~fits, values)
    places = ", ".join("{" + place + "}" for place in index) + ("," if len(index) == 1 else "")
    where = f" at index ({places})" if index else ""
    text = message(f"{name} must {rule}, got {{value}}{where}{hint}")
    checkify.debug_check(jnp.all(fits), text, value=value, **index)


def nan_unless(fits: Array, dtype: Any) -> Array:
    """0 or NaN, to be added to whatever must not look plausible. No NaN where all fits, also for `jax_debug_nans`."""
    spoil = jnp.where(fits, jnp.zeros((), dtype), jnp.inf)
    return spoil - spoil


def nan_with_any(x: Array, axes: int | tuple[int, ...]) -> Array:
    """NaN for each row that holds one, else 0: comparisons and, on CPUs, XLA's maximum lose it."""

    def found(x: Array) -> Array:
        return jnp.any(jnp.isnan(x), axes, keepdims=True)

    def counted(x: Array) -> Array:  # a sum of numbers goes along with those of others, in one pass
        return jnp.sum(jnp.isnan(x).astype(x.dtype), axes, keepdims=True) > 0

    return nan_unless(~lax.platform_dependent(lax.stop_gradient(x), cpu=found, default=counted), x.dtype)


def nan_where(bad: Array, x: Array) -> Array:
    """`x`, or NaN, which is made of `x`: in JAX 0.10 XLA's exp for CPUs of one that the program holds is anything."""
    constant = jnp.clip(lax.stop_gradient(x), -1, 1)
    return x + (constant - constant) * jnp.where(bad, jnp.inf, 1.0)


def _first(bad: Array, values: Array) -> tuple[Array, dict[str, Array]]:
    """The first bad value and its index, axis by axis: no ravel or argmax, which a sharded axis refuses."""
    index = {}
    none = np.iinfo(np.int32).max
    for axis in range(bad.ndim):
        place = iota(bad, axis)
        first = jnp.min(jnp.where(bad, place, none), initial=none)
        bad = bad & (place == first)
        index[f"i{axis}"] = first
    return jnp.sum(jnp.where(bad, values, jnp.zeros_like(values))), index


def checked(f: Callable[P, R]) -> Callable[P, R]:
    """Runs ``f`` with value checks on: bad values raise a `ValueError` that says which and where.

    Losses can't look at values while they are compiled, so a label out of range or a probability above 1 makes the
    element's loss and gradient NaN. When a NaN turns up, wrap the loss, the ``value_and_grad`` or the whole training
    step (compiled or not) in ``checked`` and call it on the same batch.

    ``checked`` goes outermost, around ``jax.jit``, and its arguments are pytrees of arrays; anything else in them
    (strings, functions, Python numbers) is taken as constant and compiled for. Keep what ``checked`` returns: each new
    one compiles anew. Objects are rebuilt from their leaves: a stateful model or optimizer (Flax NNX) gives the right
    loss and errors, but it is a copy that is updated. Under ``vmap`` and ``shard_map`` the index is that within one
    example or shard; which shard, a message from ``shard_map`` says first. JAX drops the checks where a ``lax.scan`` or
    ``lax.map`` is differentiated in reverse from outside: look at one step of it.

    Args:
      f: a function of pytrees, such as a loss, ``jax.value_and_grad(loss)`` or a jitted training step.

    Returns:
      A function with the arguments and the result of ``f``.

    Raises:
      ValueError: at the call, if a value doesn't fit. The message has the loss, the argument, the value and its index.

    Example:
      >>> logits = jnp.zeros((2, 10))
      >>> jaxloss.checked(jaxloss.cross_entropy)(logits, jnp.array([3, 12]))
      Traceback (most recent call last):
      ...
      ValueError: cross_entropy: labels must lie in [0, 10), got 12 at index (1,)
    """

    if not callable(f):
        raise TypeError(f"checked: f must be a function, such as a loss, got {f!r}")
    function: Callable[..., R] = f

    @functools.partial(jax.jit, static_argnums=(0, 1))
    def run(tree: Any, constants: tuple[Any, ...], arrays: list[Any]) -> Any:
        def call(arrays: list[Any]) -> R:
            leaves = [next(rest) if leaf is _ARRAY else leaf for rest in [iter(arrays)] for leaf in constants]
            args, kwargs = jax.tree.unflatten(tree, leaves)
            return function(*args, **kwargs)

        return checkify.checkify(call, errors=checkify.user_checks)(arrays)

    @functools.wraps(f)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        leaves, tree = jax.tree.flatten((args, kwargs))
        with calling("checked"):
            leaves = [as_jax_reads("an argument", leaf) for leaf in leaves]
        arrays = [leaf for leaf in leaves if isinstance(leaf, _ARRAYS)]
        if any(isinstance(leaf, Tracer) for leaf in arrays):
            hint = "checked goes outermost: checked(jit(f)) or checked(grad(f)), not jit(checked(f))"
            raise TypeError(f"checked: arguments must hold numbers, got a tracer; {hint}")
        if any(isinstance(leaf, INTEGERS) and overflows(leaf) for leaf in arrays):
            raise ValueError(
                "checked: integers must fit into 32 bits, got larger ones; cast to float32, or turn on jax_enable_x64"
            )
        constants = tuple(_ARRAY if isinstance(leaf, _ARRAYS) else leaf for leaf in leaves)
        with _checking(True), jax.debug_nans(False):  # which would stop at the NaN that this explains
            error, result = run(tree, constants, arrays)
            text = error.get()
        if text:
            raise ValueError(text.replace(" (`check` failed)", ""))
        return result

    return wrapper


_ARRAY = object()
_ARRAYS = (jax.Array, np.ndarray, np.generic)
