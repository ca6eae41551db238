"""Losses of a pair of answers, by the log-ratios of both."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, ParamSpec, TypeAlias, TypeVar, get_args

import jax.numpy as jnp
import numpy as np

from .._contract import inputs
from .._contract.messages import calling, choice, message
from .._contract.types import Array, ArrayLike, EachNumber, EachProportion
from .._numerics.derivatives import at_least, difference, positive, quotient, square, times, unbounded, with_partials
from .._numerics.elementary import exp_minus_abs, log1p_unit, sigmoid, softplus
from .._numerics.logistic import binary_nll
from .._numerics.special import exp_remainder, log1p_deficit
from .gaps import Divergence, gap, settled


P = ParamSpec("P")
R = TypeVar("R")

Variant: TypeAlias = Literal["sigmoid", "hinge", "ipo", "robust", "exo", "nca", "apo_zero", "apo_down"]
_OF_GAPS = ("sigmoid", "hinge", "ipo", "robust", "exo")
_SMOOTHED = ("sigmoid", "robust", "exo")


class Call(NamedTuple):
    """What losses of pairs of answers take; `divergence` and `alpha` say what the gap is."""

    mask: ArrayLike | None
    beta: Any
    variant: Variant
    label_smoothing: EachProportion | None
    margin: EachNumber | None
    divergence: Divergence
    alpha: Any


def below_half_if_robust(f: Callable[P, R]) -> Callable[P, R]:
    """The range of `label_smoothing` depends on the variant: checked while it can be seen, as others are by `jit`."""

    @functools.wraps(f)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        smoothing: Any = kwargs.get("label_smoothing")
        if kwargs.get("variant") == "robust" and isinstance(smoothing, (int, float, np.number)) and smoothing >= 0.5:
            with calling(f.__name__):
                raise ValueError(
                    message(f"label_smoothing must lie in [0, 0.5) with variant='robust', got {smoothing}")
                )
        return f(*args, **kwargs)

    return wrapper


def takes(variant: Variant, **given: Any) -> None:
    """Or an error: an option that does nothing is a mistake."""
    choice("variant", variant, *get_args(Variant))
    for name, value in given.items():
        takers = _SMOOTHED if name == "label_smoothing" else _OF_GAPS
        if value is not None and variant not in takers:
            *others, last = map(repr, takers)
            fits = f"{', '.join(others)} or {last} where {name} is given"
            raise ValueError(message(f"variant must be {fits}, got {variant!r}"))
    if variant == "robust" and given["label_smoothing"] is None:
        hint = "it is the share of pairs that are the wrong way round, such as 0.1"
        raise ValueError(message(f"label_smoothing must lie in [0, 0.5) with variant='robust', got None; {hint}"))


def of_pairs(a: Array, b: Array, call: Call) -> Array:
    """From the log-ratios of chosen and rejected answers."""
    beta, variant = call.beta, call.variant
    if variant not in _OF_GAPS:
        a, b = inputs.spoiled(a, b), inputs.spoiled(b, a)
        low, high = times(beta, a), times(beta, b)
        if variant == "nca":
            return softplus(-low) + 0.5 * (softplus(low) + softplus(high))
        if variant == "apo_zero":
            return sigmoid(-low) + sigmoid(high)
        return sigmoid(low) + sigmoid(times(beta, difference(b, a)))
    if variant in ("hinge", "exo") or (variant == "sigmoid" and call.label_smoothing is None):
        apart = settled(a, b, call.divergence, call.alpha, low=variant == "exo")
    else:
        apart = gap(a, b, call.divergence, call.alpha)
    margin = each("margin", call.margin, "(-inf, inf)", call.mask, a, 0.0)
    if variant == "ipo":  # the reciprocal of `beta` is taken of what is finite
        return square(apart - quotient(margin + 0.5, beta))
    x = times(beta, apart) - margin
    if variant == "hinge":
        return positive(1 - x)
    if call.label_smoothing is None and variant == "sigmoid":
        return softplus(-x)
    interval = "[0, 0.5)" if variant == "robust" else "[0, 1]"
    smoothing = each("label_smoothing", call.label_smoothing, interval, call.mask, a, 1e-3)
    if variant == "robust":
        return softplus(-x) - times(quotient(smoothing, 1 - 2 * smoothing), x)
    return _exo(x, smoothing) if variant == "exo" else logistic(x, smoothing)


def each(
    name: str,
    x: ArrayLike | None,
    interval: str,
    mask: ArrayLike | None,
    like: Array,
    default: float,
    of: str = "chosen_log_probs",
) -> Array:
    """An option of one number, or of one for each pair."""
    return jnp.asarray(default, like.dtype) if x is None else inputs.parameter(name, x, interval, mask, like, of)


def logistic(x: Array, smoothing: Array) -> Array:
    """Of pairs of which a share is the wrong way round. By the smaller share, which ``1 - smoothing`` would round."""
    return binary_nll(-inputs.spoiled(x, smoothing), smoothing)


def _exo_by_x(x: Array, e: Array) -> Array:
    return times(sigmoid(x) * sigmoid(-x), x - _logit(e))


def _exo_by_e(x: Array, e: Array) -> Array:
    return _over(sigmoid(x), 1 - e) - _over(sigmoid(-x), e)


def _logit(e: Array) -> Array:
    """Of ``1 - e``."""
    return jnp.log1p(-e) - jnp.log(e)


def _over(p: Array, q: Array) -> Array:
    """A quotient in which 0 over 0 is 0."""
    return jnp.where(p == 0, 0, p / jnp.where((p == 0) & (q == 0), 1, q))


@with_partials(unbounded(_exo_by_x), unbounded(_exo_by_e))
def _exo(x: Array, e: Array) -> Array:
    """The divergence of ``(p, 1 - p)`` from ``(1 - e, e)``, p = sigmoid(x), seen from the less likely of the two.

    That is what softplus rises by from there to its tangent; near each other by remainders, which are at least 0.
    """
    up = x > 0
    z, t = jnp.where(up, -x, x), jnp.where(up, -_logit(e), _logit(e))
    h, p = difference(t, z), sigmoid(z)
    near = jnp.abs(h) < 1
    small = jnp.where(near, h, 0)
    u = p * jnp.expm1(small)
    rest = p * exp_remainder(small) - u * log1p_deficit(u)
    # softplus(t) - p * t, in which no infinity is taken from another
    rise = log1p_unit(exp_minus_abs(t)) + times(jnp.where(t >= 0, 1 - p, -p), t)
    return jnp.where(near, at_least(rest, 0), rise + times(p, z) - softplus(z))
