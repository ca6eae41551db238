"""Functions of the probability that a softmax gives to the label, and their expectation under its distribution."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from .._contract import classes
from .._contract.arrays import real
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._contract.weights import weigh
from .._numerics.derivatives import clip_to_finite, derivative, quotient, squarable, times, with_partials
from .._numerics.nll import every_nll, hard_nll
from .._numerics.soft_nll import soft_nll
from .._numerics.softmax import log_sum_exp, row_max
from .._numerics.special import exp_remainder, exprel, exprel_slope


class Call(NamedTuple):
    """What all losses of a label's probability take."""

    logits: ArrayLike
    labels: ArrayLike
    weights: ArrayLike | None
    mask: ArrayLike | None
    axis: int
    class_weights: ArrayLike | None
    ignore_index: ArrayLike | None
    reduction: Reduction
    axis_name: AxisName | None


def expected_curve(
    call: Call, curve: Callable[..., Array], *options: ArrayLike, label_smoothing: ArrayLike | None = None
) -> Array:
    """The expected `curve` of the negative log-likelihood of the label, reduced."""
    logits, labels, poison, axis, mask, *_ = classes.labelled(
        call.mask, call.labels, logits=call.logits, axis=call.axis, ignore_index=call.ignore_index
    )
    top = row_max(logits, axis, poison)
    if real(labels):
        losses, log_normalizer = _expected(curve, axis, logits, top, labels, *map(jnp.asarray, options))
    else:
        nll, log_normalizer = hard_nll(classes.reads(logits), top, labels, axis)
        losses = curve(nll, *options)
    if label_smoothing is not None:
        uniform = jnp.mean(curve(every_nll(logits, top, log_normalizer, axis), *options), axis, keepdims=True)
        losses = times(1 - label_smoothing, losses) + times(label_smoothing, uniform)
    losses = jnp.squeeze(losses, axis)
    weights = weigh(call.weights, call.class_weights, labels, mask, axis, logits)
    return reduce(losses, weights, mask, reduction=call.reduction, axis_name=call.axis_name)


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _expected(
    curve: Callable[..., Array], axis: int, z: Array, top: Array, labels: Array, *options: Array
) -> tuple[Array, Array]:
    """For each row the expected `curve` under its label's distribution, and log sum exp(z - top)."""
    log_normalizer = log_sum_exp(classes.reads(z), top, axis)
    terms = times(labels, curve(every_nll(z, top, log_normalizer, axis), *options))
    return jnp.sum(terms, axis, keepdims=True), log_normalizer


def _expected_rule(
    curve: Callable[..., Array], axis: int, primals: tuple[Array, ...], tangents: tuple[Any, ...]
) -> tuple[Any, Any]:
    """In the logits it is `soft_nll` with the slopes of the curve for labels, and as accurate."""
    z, top, labels, *options = primals
    d_z, _, d_labels, *d_options = tangents
    log_normalizer = log_sum_exp(classes.reads(z), top, axis)
    nll = every_nll(z, top, log_normalizer, axis)
    costs, slopes = jax.jvp(lambda nll: curve(nll, *options), (nll,), (jnp.ones_like(nll),))
    changes = [jnp.zeros_like(top), jnp.zeros_like(top)]
    if not isinstance(d_z, SymbolicZero):
        held = lax.stop_gradient(top), times(labels, slopes)
        changes = [*jax.jvp(lambda z: soft_nll(classes.reads(z), *held, axis), (z,), (d_z,))[1]]
    if not isinstance(d_labels, SymbolicZero):
        changes[0] += jax.jvp(lambda y: jnp.sum(times(y, costs), axis, keepdims=True), (labels,), (d_labels,))[1]
    for place, d_option in enumerate(d_options, start=1):
        if not isinstance(d_option, SymbolicZero):
            partial = derivative(curve, place)(nll, *options)
            changes[0] += jnp.sum(times(labels, partial), axis, keepdims=True) * d_option
    return (jnp.sum(times(labels, costs), axis, keepdims=True), log_normalizer), tuple(changes)


_expected.defjvp(_expected_rule, symbolic_zeros=True)


@with_partials(lambda nll: jnp.exp(-nll))
def miss(nll: Array) -> Array:
    """The probability of all other classes."""
    return -jnp.expm1(-nll)


@with_partials(lambda nll, epsilon: (1 + epsilon) - epsilon * miss(nll), lambda nll, epsilon: miss(nll))
def poly1(nll: Array, epsilon: Array) -> Array:
    near = nll < 1
    small = jnp.where(near, nll, 0)
    return jnp.where(near, (1 + epsilon) * small - epsilon * exp_remainder(-small), nll + epsilon * miss(nll))


def _power(nll: Array, gamma: Array) -> Array:
    """``(1 - p) ** gamma``, with a derivative at p = 1 that isn't infinite."""
    return jnp.maximum(miss(nll), jnp.finfo(nll.dtype).tiny) ** gamma


def _focal_slope(nll: Array, gamma: Array) -> Array:
    finite = squarable(nll)
    return _power(nll, gamma) * (1 + gamma * quotient(jnp.exp(-finite), exprel(-finite)))


def _log_miss(nll: Array) -> Array:
    """Also where the miss rounds to 1."""
    small = jnp.maximum(miss(nll), jnp.finfo(nll.dtype).tiny)
    return jnp.where(nll < 1, jnp.log(small), jnp.log1p(-jnp.exp(-jnp.maximum(nll, 1))))


def _focal_by_gamma(nll: Array, gamma: Array) -> Array:
    finite = squarable(nll)
    return _power(nll, gamma) * (finite * _log_miss(finite))


@with_partials(_focal_slope, _focal_by_gamma)
def focal(nll: Array, gamma: Array) -> Array:
    return miss(nll) ** gamma * nll


def _bounded(nll: Array) -> Array:
    """So large that the curve has levelled off, unless `q` is next to nothing, and yet its reciprocal isn't 0."""
    return jnp.minimum(nll, float(jnp.finfo(nll.dtype).max) / 64)


def _p_to_q_by_nll(nll: Array, q: Array) -> Array:
    return -q * _p_to_q(nll, q)


def _p_to_q_by_q(nll: Array, q: Array) -> Array:
    return -_bounded(nll) * _p_to_q(nll, q)


@with_partials(_p_to_q_by_nll, _p_to_q_by_q)
def _p_to_q(nll: Array, q: Array) -> Array:
    return jnp.exp(-q * _bounded(nll))


def _far(nll: Array, q: Array) -> tuple[Array, Array, Array, Array]:
    """Whether ``q * nll`` is large; and what it is where it isn't, and where it is, with `q` there."""
    t = q * _bounded(nll)
    far = t > 1
    return far, jnp.where(far, 0, t), jnp.where(far, jnp.minimum(t, 200), 1), jnp.where(far, q, 1)


def _box_cox_bend(nll: Array, q: Array) -> Array:
    far, few, many, rate = _far(nll, q)
    near = _bounded(nll) * (_bounded(nll) * (_bounded(nll) * derivative(exprel_slope, 0)(-few)))
    level = 2 * -jnp.expm1(-many) - many * (2 + many) * jnp.exp(-many)
    return clip_to_finite(jnp.where(far, level / rate / rate / rate, near))


@with_partials(lambda nll, q: -_bounded(nll) * _p_to_q(nll, q), _box_cox_bend)
def _box_cox_by_q(nll: Array, q: Array) -> Array:
    far, few, many, rate = _far(nll, q)
    near = _bounded(nll) * (_bounded(nll) * exprel_slope(-few))
    level = -jnp.expm1(-many) - many * jnp.exp(-many)
    return clip_to_finite(-jnp.where(far, level / rate / rate, near))


@with_partials(_p_to_q, _box_cox_by_q)
def box_cox(nll: Array, q: Array) -> Array:
    """``(1 - p ** q) / q``, the logarithm at q = 0."""
    finite = _bounded(nll)
    return jnp.where(q == 0, nll, finite * exprel(-q * finite))


def taylor(miss: Array, order: int) -> Array:
    total = jnp.zeros_like(miss)
    for k in range(order, 0, -1):
        total = miss * (1 / k + total)
    return total
