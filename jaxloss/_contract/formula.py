"""A formula of one's own under the contract."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol, overload

import jax
import jax.numpy as jnp
from jax import lax

from .arrays import array, indices, iota, real
from .checks import nan_unless, report
from .inputs import floating
from .jit import jit
from .messages import message
from .reduction import reduce
from .sets import Sets, existing, weights_of
from .shapes import bool_mask, places, reshape_hint, without
from .total import Total
from .types import Array, ArrayLike, AxisName, Reduction


class Loss(Protocol):
    """A loss as type checkers see it, which can't add arguments to those of a formula."""

    __name__: str

    @overload
    def __call__(
        self,
        first: ArrayLike,
        /,
        *others: ArrayLike | None,
        reduction: Literal["mean", "sum", "none"] = "mean",
        axis_name: AxisName | None = None,
        **named: Any,
    ) -> Array: ...

    @overload
    def __call__(
        self,
        first: ArrayLike,
        /,
        *others: ArrayLike | None,
        reduction: Literal["total"],
        axis_name: AxisName | None = None,
        **named: Any,
    ) -> Total: ...


def loss(formula: Callable[..., Any]) -> Loss:
    """Turns a formula for per-element losses into a loss that keeps the contract of all the others.

    The loss takes ``weights`` and ``mask`` behind the formula's own arrays, and ``reduction`` and ``axis_name`` among
    its options; it is compiled, and errors have the formula's name. What the formula needn't care for:

    - Arrays come in floating point, at least float32. Each has the shape of the first one or, where rows of it make one
      loss, that of the losses; anything else is an error, where it might have been broadcast.
    - A masked element reaches no derivative, whatever its arrays hold: the formula sees there what an element holds
      that exists, which lies where the formula is defined. Options come as they are.
    - Numbers are traced, so ``jax.grad`` and ``jax.vmap`` take them. Static are options whose default or annotation is
      a string, a bool or a tuple, or whose annotation is an ``int``, and ``axis``.

    The formula returns one number for each entry of its first array, or for each row, without the axes at its end or
    the option ``axis``. Beside ``logits``, ``log_probs``, ``probs`` or ``scores``, integers without that axis count
    classes: out of range, they make loss and gradient NaN.

    Where elements are made of members, as a region is of pixels, the formula takes ``mask`` as its last array: which
    members exist, bool, of the first array's shape, or without ``axis`` where it has that option. It leaves the others
    out of its sums; an element without any doesn't exist.

    Args:
      formula: a function of arrays, and of options by keyword or with defaults, that returns the per-element losses.

    Returns:
      The loss, a function that ``jax.jit``, ``jax.grad``, ``jax.vmap`` and ``shard_map`` take, and that pickles.

    Raises:
      TypeError: if the formula's arguments leave no place for the contract's.

    Example:
      >>> @jaxloss.loss
      ... def log_ratio_loss(predictions, labels, *, scale=1.0):
      ...     return scale * jnp.log(predictions / labels) ** 2
      >>> log_ratio_loss(jnp.array([1.0, jnp.nan]), jnp.array([2.0, 1.0]), mask=jnp.array([True, False]))
      Array(0.48045298, dtype=float32)
    """
    names, options, of_members, signature = _arguments(formula)

    def bound(*args: Any, **kwargs: Any) -> Any:
        given = signature.bind(*args, **kwargs)
        given.apply_defaults()
        weights, mask, reduction, axis_name = (given.arguments.pop(name) for name in _CONTRACT)
        call = _taken_in(names, options, given.arguments, of_members)
        members, there, spoil = without(call.lead.shape, call.axes), None, 0
        if of_members:
            exists, spoil = existing(mask, Sets(members, members, "element", "member"), call.lead.dtype)
            there = jnp.broadcast_to(True if exists is None else exists, members)
            call.options["mask"] = there
        shape = _shape_of_losses(formula, call)
        if mask is not None:
            rows = members if of_members else shape
            call = _cleared(call, bool_mask(mask, rows), rows)
        losses = _in_range(formula, call)
        if there is not None:
            sets = Sets(shape, members, "element", "member")
            weights = None if weights is None else weights_of(weights, sets)
            mask = jnp.any(there, tuple(range(len(shape), len(members))))
            losses *= 1 + jnp.sum(spoil)
        return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)

    return jit(_dressed(bound, formula, signature, options))


_CONTRACT = ("weights", "mask", "reduction", "axis_name")
_OF_CLASSES = ("logits", "log_probs", "probs", "scores")  # beside which integers are classes


class _Call(NamedTuple):
    """What reaches a formula."""

    lead: Array
    inputs: dict[str, Array]  # the first one is the lead
    options: dict[str, Any]
    axes: tuple[int, ...]  # of classes or features, where that is known before the losses are
    classes: list[str]  # inputs that are classes


def _taken_in(names: list[str], options: dict[str, bool], given: dict[str, Any], of_members: bool) -> _Call:
    """In the dtypes to compute in, and of shapes that fit."""
    first, *others = names
    lead = floating(first, given[first])
    chosen = {name: given[name] if static else _number(name, given[name], lead) for name, static in options.items()}
    axes = places("axis", chosen["axis"], first, lead) if "axis" in chosen else ()
    inputs = {name: array(name, given[name]) for name in others}
    last = axes or (lead.ndim - 1,)
    of_classes = [
        name
        for name, x in inputs.items()
        if first in _OF_CLASSES
        and (axes or (lead.ndim and not of_members))
        and jnp.issubdtype(x.dtype, jnp.integer)
        and x.shape == without(lead.shape, last)
    ]
    axes = last if of_classes else axes
    for name, x in inputs.items():
        if x.shape not in _fits(lead, axes):
            hint = reshape_hint(x.shape, lead.shape, whole=True)
            fits = " or ".join(map(str, _fits(lead, axes)))
            raise ValueError(
                message(f"{name} must have the shape of {first}, or of its rows, {fits}, got {x.shape}{hint}")
            )
    inputs = {name: indices(x) if name in of_classes else x.astype(lead.dtype) for name, x in inputs.items()}
    return _Call(lead, {first: lead, **inputs}, chosen, axes, of_classes)


def _fits(lead: Array, axes: tuple[int, ...]) -> list[tuple[int, ...]]:
    """What the losses may have for a shape."""
    return [lead.shape, without(lead.shape, axes)] if axes else [lead.shape[:rank] for rank in range(lead.ndim, -1, -1)]


def _number(name: str, x: Any, lead: Array) -> Any:
    """An option that is traced: a number in the dtype to compute in; integers in an array may be places."""
    if x is None:
        return None
    x = array(name, x)
    return x.astype(lead.dtype) if real(x) or not (x.ndim or x.dtype == jnp.bool_) else x


def _shape_of_losses(formula: Callable[..., Any], call: _Call) -> tuple[int, ...]:
    """Ahead of the losses; an error where the formula has broadcast what it shouldn't have."""
    with jax.numpy_rank_promotion("allow"):  # whose own error says less
        losses = jax.eval_shape(lambda *inputs: formula(*inputs, **call.options), *call.inputs.values())
    shape = getattr(losses, "shape", None)
    fits = _fits(call.lead, call.axes)
    if shape not in fits or (shape == call.lead.shape and any(x.shape != shape for x in call.inputs.values())):
        of = ", ".join(f"{name} {x.shape}" for name, x in call.inputs.items())
        wanted = " or ".join(map(str, fits))
        raise ValueError(message(f"the formula must return losses of shape {wanted}, got {shape} of {of}"))
    return shape


def _cleared(call: _Call, exists: Array, rows: tuple[int, ...]) -> _Call:
    """With what the first element holds that exists wherever none does. Not options: what is of classes may happen to
    have the shape of rows."""
    if 0 in exists.shape:
        return call
    exists = exists if exists.ndim else exists.reshape((1,) * len(rows))
    lost = () if len(rows) == call.lead.ndim else call.axes or tuple(range(len(rows), call.lead.ndim))
    place = _first(exists)

    def clear(x: Array) -> Array:
        kept = [axis for axis in range(x.ndim) if axis not in lost or x.shape != call.lead.shape]
        if x.ndim < len(rows):  # of elements, where members are masked
            there = jnp.any(exists, tuple(range(x.ndim, len(rows))))
        else:
            there = jnp.expand_dims(exists, lost if x.shape == call.lead.shape else tuple(range(len(rows), x.ndim)))
        held = lax.stop_gradient(x)
        for axis, at in zip(kept, place):
            held = held if at is None else _one_along(held, at, axis)
        harmless = 0.25 if real(x) else 0  # which lies in most domains
        return jnp.where(there, x, jnp.where(jnp.any(exists), held, jnp.asarray(harmless, x.dtype)))

    return call._replace(inputs={name: clear(x) for name, x in call.inputs.items()})


def _first(exists: Array) -> list[Array | None]:
    """Where along each axis the first one is, or None where the axis is that of all; the last where none is."""
    place, left = [], exists.astype(jnp.int32)
    for axis, size in enumerate(exists.shape):
        if size == 1:
            place.append(None)
            continue
        some = jnp.any(left > 0, tuple(other for other in range(left.ndim) if other != axis))
        last = jnp.asarray(size - 1, jnp.int32)
        place.append(jnp.min(jnp.where(some, iota(some, 0), last)))
        left = _one_along(left, place[-1], axis)
    return place


def _one_along(x: Array, place: Array, axis: int) -> Array:
    if jax.typeof(x).sharding.spec[axis] is not None:
        return jnp.sum(jnp.where(iota(x, axis) == place, x, jnp.zeros_like(x)), axis, keepdims=True, dtype=x.dtype)
    return jnp.take(x, place[None], axis, mode="clip")


def _in_range(formula: Callable[..., Any], call: _Call) -> Array:
    """The losses, where all classes are there; NaN with every slope where one is not."""
    inputs, spoil = {**call.inputs}, None
    for name in call.classes:
        count = math.prod(call.lead.shape[axis] for axis in call.axes)
        fits = (inputs[name] >= 0) & (inputs[name] < count)
        report(name, inputs[name], fits, f"lie in [0, {count})")
        inputs[name] = jnp.where(fits, inputs[name], 0)
        spoil = nan_unless(fits, call.lead.dtype) + (0 if spoil is None else spoil)
    losses = formula(*inputs.values(), **call.options)
    return losses if spoil is None else losses * (1 + spoil)


def _arguments(formula: Callable[..., Any]) -> tuple[list[str], dict[str, bool], bool, inspect.Signature]:
    """The names of its arrays; its options, and which are static; whether it takes a mask; how the loss is called."""
    if not inspect.isfunction(formula):
        raise TypeError(f"loss must get a function of arrays that returns per-element losses, got {formula!r}")
    name, parameters = formula.__name__, [*inspect.signature(formula).parameters.values()]
    for p in parameters:
        if p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
            raise TypeError(f"loss: {name} must name each of its arguments, got {p}")
        if p.name in ("weights", "reduction", "axis_name"):
            raise TypeError(f"loss: {name} must not take {p.name}, which the loss takes by itself")
    of_members = any(p.name == "mask" for p in parameters)
    parameters = [p for p in parameters if p.name != "mask"]
    arrays = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty]
    if not arrays:
        raise TypeError(f"loss: {name} must take an array, before its options")
    options = [p.replace(kind=p.KEYWORD_ONLY) for p in parameters if p not in arrays]
    optional = {"default": None, "annotation": "ArrayLike | None"}
    tail = [inspect.Parameter(key, inspect.Parameter.POSITIONAL_OR_KEYWORD, **optional) for key in ("weights", "mask")]
    exit = [
        inspect.Parameter("reduction", inspect.Parameter.KEYWORD_ONLY, default="mean", annotation="Reduction"),
        inspect.Parameter("axis_name", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="AxisName | None"),
    ]
    signature = inspect.Signature([*arrays, *tail, *options, *exit], return_annotation="Array")
    return [p.name for p in arrays], {p.name: _static(p) for p in options}, of_members, signature


def _static(option: inspect.Parameter) -> bool:
    words = {*re.findall(r"\w+", str(option.annotation))}
    named = words & {"str", "tuple", "Literal"} or (words & {"bool", "int"} and "float" not in words)
    return bool(named) or isinstance(option.default, (str, bool, tuple)) or option.name == "axis"


def _dressed(bound: Any, formula: Any, signature: inspect.Signature, options: dict[str, bool]) -> Any:
    """As `formula`, with the arguments of the loss; annotated for `jit`."""
    bound.__module__, bound.__name__, bound.__qualname__ = (
        getattr(formula, key) for key in ("__module__", "__name__", "__qualname__")
    )
    pointer = "``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`."
    bound.__doc__ = "\n\n".join(filter(None, (inspect.getdoc(formula), pointer)))
    kinds = {name: object if static else ArrayLike | None for name, static in options.items()}
    kinds |= {"reduction": Reduction, "axis_name": AxisName | None}
    bound.__annotations__ = {name: kinds.get(name, ArrayLike | None) for name in signature.parameters} | {
        "return": Array
    }
    bound.__signature__ = signature
    return bound
