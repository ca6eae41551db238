"""The decorator of every public function."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np

from ._checks import calling, inside_call, message, nan_unless, report, within
from ._types import Array


P = ParamSpec("P")
R = TypeVar("R")


def jit(f: Callable[P, R]) -> Callable[P, R]:
    """`jax.jit` for public functions, told everything by their annotations.

    A parameter that takes no array is static. A number with an interval is checked at the call where it is a Python or
    NumPy number, and made NaN where it only shows when it is too late to raise; it reaches `f` as an array of the
    dtype of the loss. What comes back is a plain function, which pickles and which editors and `help` can read, and
    which leaves no nested call behind in a caller's jit.
    """
    hints = get_type_hints(f, include_extras=True)
    hints.pop("return")
    signature = inspect.signature(f)
    first = next(iter(signature.parameters))
    static = [name for name, hint in hints.items() if Array not in _parts(hint)]
    intervals = {name: part for name, hint in hints.items() for part in _parts(hint) if isinstance(part, str)}

    @functools.wraps(f)
    def traced(*args: P.args, **kwargs: P.kwargs) -> R:
        with calling(f.__name__):
            dtype = widened(signature.bind(*args, **kwargs).arguments.get(first))
            options = {
                name: _option(name, kwargs[name], interval, dtype)
                for name, interval in intervals.items()
                if kwargs.get(name) is not None
            }
            return f(*args, **{**kwargs, **options})

    compiled = jax.jit(traced, static_argnames=static, inline=True)

    @functools.wraps(f)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with calling(f.__name__):
            for name, value in zip(signature.parameters, args):
                if isinstance(value, str):
                    raise TypeError(message(f"{name} must be an array, got {value!r}; options are passed by keyword"))
            for name in static:
                if isinstance(kwargs.get(name), list):
                    raise TypeError(message(f"{name} must be hashable, got a list; pass a tuple"))
            for name, interval in intervals.items():
                value = kwargs.get(name)
                if isinstance(value, _NUMBERS) and not np.all(within(value, interval)):
                    raise ValueError(message(f"{name} must lie in {interval}, got {value}"))
        return (traced if inside_call() else compiled)(*args, **kwargs)

    return wrapper


_NUMBERS = (int, float, np.generic, np.ndarray)


def widened(x: Any) -> Any:
    """The dtype to compute in: at least float32, float64 where `x` is."""
    dtype = getattr(x, "dtype", jnp.float32)
    return jnp.promote_types(dtype, jnp.float32) if jnp.issubdtype(dtype, jnp.floating) else jnp.float32


def _option(name: str, value: Any, interval: str, dtype: Any) -> Array:
    value = jnp.asarray(value).astype(dtype)
    fits = within(value, interval)
    report(name, value, fits, f"lie in {interval}")
    return value + nan_unless(fits, dtype)


def _parts(hint: Any) -> set[Any]:
    """What an annotation is made of: `Annotated` and unions taken apart."""
    parts = () if get_origin(hint) is Literal else get_args(hint)
    return {hint}.union(*map(_parts, parts)) if parts else {hint}
