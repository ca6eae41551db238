"""The decorator of every public function."""

import contextlib
import difflib
import functools
import inspect
import itertools
import sys
from collections.abc import Callable
from typing import Any, Literal, ParamSpec, TypeVar, get_args, get_origin

import jax
import numpy as np
from jax.sharding import AxisType

from .arrays import INTEGERS, array, as_jax_reads, misread, narrowed, not_numbers, overflows, widest
from .checks import nan_unless, nearest, report, rounding, within
from .messages import calling, inside_call, kind_of, message
from .types import Array, Number, Parameter


P = ParamSpec("P")
R = TypeVar("R")


def jit_over_classes(f: Callable[P, R]) -> Callable[P, R]:
    """`jit` for losses whose labels count classes, and whose lengths count places."""
    lengths = ("lengths", "label_lengths", "logit_lengths", "prediction_lengths")
    return jit(f, indices=("labels", "ignore_index", *lengths))


def jit(f: Callable[P, R], indices: tuple[str, ...] = ()) -> Callable[P, R]:
    """`jax.jit` for public functions, told everything by their annotations.

    What takes no array is static. Integers that JAX would cut to 32 bits become floats, or, where they are `indices`,
    the nearest ones that fit, which are out of range as well. A `Number` is checked at the call where it is one of
    Python's or NumPy's, and made NaN where its value only shows when it is too late to raise; it reaches `f` as an
    array of the dtype of the loss. What comes back is a plain function, which pickles and which editors and `help` can
    read, and which leaves no nested call behind in a caller's jit.
    """
    hints = {name: _hint(hint, f.__module__) for name, hint in f.__annotations__.items() if name != "return"}
    signature = inspect.signature(f)
    names = tuple(signature.parameters)
    static = [name for name, hint in hints.items() if Array not in _parts(hint)]
    kinds = {
        name: part for name, hint in hints.items() for part in _parts(hint) if isinstance(part, (Number, Parameter))
    }
    numbers = {name: kind for name, kind in kinds.items() if isinstance(kind, Number)}

    @functools.wraps(f)
    def traced(*args: P.args, **kwargs: P.kwargs) -> R:
        with calling(f.__name__), _same_mesh(args, kwargs):
            dtype = widest(signature.bind(*args, **kwargs).arguments.get(names[0]))
            options = {
                name: _option(name, kwargs[name], number, dtype)
                for name, number in numbers.items()
                if kwargs.get(name) is not None
            }
            return f(*args, **{**kwargs, **options})

    compiled = jax.jit(traced, static_argnames=static, inline=_INLINE)

    @functools.wraps(f)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        # All that an eager call costs beyond its dispatch: whose name a message gets is looked up once there is one.
        converted = {}
        for name, value in (*zip(names, args), *kwargs.items()):
            if _is_variable(type(value)):
                held = _held(value)
                value = value if isinstance(held, jax.Array) else converted.setdefault(name, held)
            if _may_be_misread(type(value)) and misread(value) and name not in static:
                with calling(f.__name__):
                    value = converted[name] = jax.tree.map(functools.partial(as_jax_reads, name), value)
            if isinstance(value, INTEGERS) and overflows(value) and name not in static:
                value = converted[name] = narrowed(value, name in indices)
            if name in static:
                error, says = TypeError, _unhashable(name, value) or _no_bool(name, value, hints[name])
            elif isinstance(value, str):
                error, says = TypeError, f"{name} must be an array, got {value!r}; options are passed by keyword"
            elif name in kinds and isinstance(value, _NUMBERS):
                error, says = ValueError, _outside(name, value, kinds[name], args[0] if args else kwargs.get(names[0]))
            else:
                continue
            if says:
                with calling(f.__name__):
                    raise error(message(says))
        call: Any = traced if inside_call() else compiled
        try:
            if not converted:
                return call(*args, **kwargs)
            given = [converted.pop(name, value) for name, value in itertools.zip_longest(names[: len(args)], args)]
            return call(*given, **{**kwargs, **converted})
        except TypeError:
            with calling(f.__name__):
                for name, value in _bind(signature, args, kwargs).items():
                    for path, leaf in jax.tree.leaves_with_path(value) if name not in static else ():
                        array(f"{name}{jax.tree_util.keystr(path)}", leaf)
            raise

    return wrapper


def _same_mesh(*arguments: Any) -> Any:
    """A context of the mesh of explicitly sharded arguments, where the caller has set none.

    Without one JAX 0.12 forgets where constants belong, its own in derivatives as well.
    """
    if jax.sharding.get_abstract_mesh().empty:
        for x in jax.tree.leaves(arguments):
            mesh = jax.typeof(x).sharding.mesh if isinstance(x, jax.Array) else None
            if mesh is not None and AxisType.Explicit in mesh.axis_types:
                return jax.sharding.use_abstract_mesh(mesh)
    return contextlib.nullcontext()


# Into the program of a caller while that is traced; since JAX 0.12 ``True`` means only once it is lowered.
_INLINE: Any = getattr(getattr(jax, "Inline", None), "JAX_EARLY", True)
_NUMBERS = (int, float, np.generic, np.ndarray)
_KNOWN_AS = {"where": "mask", "sample_weight": "weights"}  # elsewhere
_KNOWN_AS |= dict.fromkeys(("label", "target", "targets", "y", "y_true"), "labels")
_KNOWN_AS |= {"ignore_class": "ignore_index", "var": "variance", "dim": "axis"}
_KNOWN_AS |= dict.fromkeys(("size_average", "reduce"), "reduction")
_FIRST = ("predictions", "logits", "log_probs", "probs", "scores", "input", "inputs", "outputs")
_FIRST += ("pred", "preds", "prediction", "y_hat", "y_pred")


@functools.cache
def _is_variable(kind: type) -> bool:
    """Flax's and others', which may hold an array of NumPy's."""
    return callable(getattr(kind, "__jax_array__", None))


def _held(variable: Any) -> Any:
    return variable.__jax_array__()


@functools.cache
def _may_be_misread(kind: type) -> bool:
    return issubclass(kind, (np.ndarray, np.floating, dict, list, tuple))


def _outside(name: str, value: Any, kind: Number | Parameter, lead: Any) -> str:
    """What is wrong with a number of Python's or NumPy's, as it is given or as it reaches the loss; or nothing."""
    plain = type(value) in (int, float)
    if not_numbers(getattr(value, "dtype", np.dtype(float))):  # which gets an error of its own
        return ""
    if isinstance(kind, Parameter) and not plain and np.ndim(value):  # of many, some may be masked
        return ""
    fits = _fits if plain else _fits.__wrapped__
    if not fits(value, kind.interval):
        return f"{name} must lie in {kind.interval}, got {value}"
    if not fits(value, kind.interval, widest(lead)):
        return f"{name} must lie in {kind.interval}, got {value}; rounded to the dtype of the loss it does not"
    return ""


@functools.lru_cache  # Python's numbers come back at every step, and NumPy takes longer over one than the dispatch
def _fits(value: Any, interval: str, dtype: Any = None) -> bool:
    """Whether a number lies in an interval, once rounded to `dtype`."""
    if dtype is not None:
        with np.errstate(over="ignore"):
            value = np.asarray(value, dtype)
    return bool(np.all(within(value, interval, 4 * float(np.finfo(dtype or np.float64).eps))))


def _option(name: str, value: Any, number: Number, dtype: Any) -> Array:
    given = array(name, value)
    if number.scalar and given.shape:
        raise ValueError(message(f"{name} must be a scalar, got shape {given.shape}; jax.vmap sweeps over several"))
    value = given.astype(dtype)
    fits = within(value, number.interval, rounding(given, dtype))
    report(name, value, fits, f"lie in {number.interval}")
    value, spoil = nearest(value, number.interval), nan_unless(fits, dtype)
    return value * (1 + spoil) if number.scalar else value + spoil  # of many, some may be masked


def _no_bool(name: str, value: Any, hint: Any) -> str:
    return f"{name} must be a bool, got {value!r}" if hint is bool and not isinstance(value, (bool, np.bool_)) else ""


def _unhashable(name: str, value: Any) -> str:
    try:
        hash(value)
    except TypeError:
        return f"{name} must be a plain value or a tuple of them, got {kind_of(value)}"
    return ""


def _bind(signature: inspect.Signature, args: Any, kwargs: Any) -> dict[str, Any]:
    """The arguments by name, or Python's own errors of a wrong call, which `jax.jit` raises without the function's."""
    try:
        return signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        first, *_ = names = [*signature.parameters]
        unknown = [name for name in kwargs if name not in names]
        guesses = [guess for name in unknown if (guess := _guess(name, names, str(error)))]
        hint = f"; {' '.join(guesses)}" if guesses else ""
        if "from_logits" in unknown:
            hint = f"; the name of the first argument, {first}, tells what it must hold"
        elif "positional" in str(error):
            hint = "; options are passed by keyword"
        raise TypeError(message(f"{error}{hint}")) from None


def _guess(unknown: str, names: list[str], error: str) -> str:
    """What an argument is called here that came by another name, or nothing."""
    known = names[0] if unknown in _FIRST else _KNOWN_AS.get(unknown)
    near = [name for name in names if name == known] if known else difflib.get_close_matches(unknown, names)
    got = "" if repr(unknown) in error else f"got {unknown}, "
    return f"{got}did you mean {' or '.join(near)}?" if near else ""


@functools.cache
def _hint(annotation: Any, module: str) -> Any:
    """As `typing.get_type_hints`, once for each text in a module rather than for each argument of each loss."""
    return eval(annotation, vars(sys.modules[module])) if isinstance(annotation, str) else annotation


@functools.cache
def _parts(hint: Any) -> set[Any]:
    """What an annotation is made of: `Annotated` and unions taken apart."""
    parts = () if get_origin(hint) is Literal else get_args(hint)
    return {hint}.union(*map(_parts, parts)) if parts else {hint}
