"""The decorator of every public function."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import jax
import jax.numpy as jnp
import numpy as np

from ._checks import array, calling, inside_call, message, nan_unless, report, within
from ._types import Array, Number, Parameter


P = ParamSpec("P")
R = TypeVar("R")


def jit(f: Callable[P, R]) -> Callable[P, R]:
    """`jax.jit` for public functions, told everything by their annotations.

    What takes no array is static. A `Number` is checked at the call where it is one of Python's or NumPy's,
    and made NaN where its value only shows when it is too late to raise; it reaches `f` as an array of the dtype of the
    loss. What comes back is a plain function, which pickles and which editors and `help` can read, and which leaves no
    nested call behind in a caller's jit.
    """
    hints = get_type_hints(f, include_extras=True)
    hints.pop("return")
    signature = inspect.signature(f)
    first = next(iter(signature.parameters))
    static = [name for name, hint in hints.items() if Array not in _parts(hint)]
    kinds = {
        name: part for name, hint in hints.items() for part in _parts(hint) if isinstance(part, (Number, Parameter))
    }
    numbers = {name: kind for name, kind in kinds.items() if isinstance(kind, Number)}

    @functools.wraps(f)
    def traced(*args: P.args, **kwargs: P.kwargs) -> R:
        with calling(f.__name__):
            dtype = widened(signature.bind(*args, **kwargs).arguments.get(first))
            options = {
                name: _option(name, kwargs[name], number, dtype)
                for name, number in numbers.items()
                if kwargs.get(name) is not None
            }
            return f(*args, **{**kwargs, **options})

    compiled = jax.jit(traced, static_argnames=static, inline=True)

    @functools.wraps(f)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with calling(f.__name__):
            for name, value in (*zip(signature.parameters, args), *kwargs.items()):
                if name in static:
                    _hashable(name, value)
                elif isinstance(value, str):
                    raise TypeError(message(f"{name} must be an array, got {value!r}; options are passed by keyword"))
                elif name in kinds and isinstance(value, _NUMBERS):
                    interval = kinds[name].interval
                    seen = name in numbers or np.ndim(value) == 0  # of many, some may be masked
                    if seen and not np.all(within(value, interval)):
                        raise ValueError(message(f"{name} must lie in {interval}, got {value}"))
                    if name in numbers and not np.all(
                        within(_rounded(value, args[0] if args else kwargs.get(first)), interval)
                    ):
                        hint = "rounded to the dtype of the loss it does not"
                        raise ValueError(message(f"{name} must lie in {interval}, got {value}; {hint}"))
        try:
            return (traced if inside_call() else compiled)(*args, **kwargs)
        except TypeError:
            with calling(f.__name__):
                _bind(signature, args, kwargs)
            raise

    return wrapper


_NUMBERS = (int, float, np.generic, np.ndarray)


def widened(x: Any) -> Any:
    """The dtype to compute in: at least float32, float64 where `x` is."""
    dtype = getattr(x, "dtype", jnp.float32)
    return dtype if jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits >= 32 else jnp.float32


def _rounded(value: Any, lead: Any) -> Any:
    """`value` as it reaches the loss."""
    with np.errstate(over="ignore"):
        return np.asarray(value, widened(lead))


def _option(name: str, value: Any, number: Number, dtype: Any) -> Array:
    value = array(name, value).astype(dtype)
    if number.scalar and value.shape:
        raise ValueError(message(f"{name} must be a scalar, got shape {value.shape}; jax.vmap sweeps over several"))
    fits = within(value, number.interval)
    report(name, value, fits, f"lie in {number.interval}")
    return value + nan_unless(fits, dtype)


def _hashable(name: str, value: Any) -> None:
    try:
        hash(value)
    except TypeError:
        kind = "an array" if isinstance(value, Array) else f"a {type(value).__name__}"
        raise TypeError(message(f"{name} must be a plain value or a tuple of them, got {kind}")) from None


def _bind(signature: inspect.Signature, args: Any, kwargs: Any) -> None:
    """Python's own errors of a wrong call, which `jax.jit` raises without the function's name."""
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(message(str(error))) from None


def _parts(hint: Any) -> set[Any]:
    """What an annotation is made of: `Annotated` and unions taken apart."""
    parts = () if get_origin(hint) is Literal else get_args(hint)
    return {hint}.union(*map(_parts, parts)) if parts else {hint}
