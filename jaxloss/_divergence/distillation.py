"""Divergences between the softmaxes of a student's and a teacher's logits, accurate where the two agree."""

from __future__ import annotations

import functools
import math
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from .._contract import classes, inputs
from .._contract.jit import jit
from .._contract.messages import choice
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, Positive, Proportion, Reduction
from .._numerics.derivatives import clip_to_finite, precomputed, squarable, times
from .._numerics.elementary import horner
from .._numerics.softmax import directional, row_max, shifted
from .._numerics.sums import read_once
from .distributions import excess, finite, gain, log_or, to_mixture


@jit
def distillation_loss(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 2.0,
    axis: int = -1,
    divergence: Literal["forward_kl", "reverse_kl", "js"] = "forward_kl",
    mixture: Proportion = 0.5,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Divergence of a student's softmax from a teacher's, both softened by a temperature.

    .. math::
      \ell = T^2 \, D \left( \mathrm{softmax}(t / T), \; \mathrm{softmax}(z / T) \right)
      \qquad
      D(y, p) = \begin{cases} \mathrm{KL}(y \,\|\, p) & \text{forward} \\ \mathrm{KL}(p \,\|\, y) & \text{reverse} \\
      \pi \, \mathrm{KL}(y \,\|\, m) + (1 - \pi) \, \mathrm{KL}(p \,\|\, m), \quad m = \pi y + (1 - \pi) p &
      \text{js} \end{cases}

    With the factor :math:`T^2`, which TRL and Liger leave out, the gradients keep their size when the temperature
    changes; for large temperatures the forward and reverse ones are those of half the squared error of the centred
    logits, over the number of classes. No gradient reaches the teacher's logits; the temperature's own takes both into
    account.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to train a small model on the logits of a large one, usually beside `cross_entropy` with the true labels:
    ``0.5 * cross_entropy(z, y) + 0.5 * distillation_loss(z, t)``. Its noise model is the categorical distribution, with
    the teacher's softmax for labels. The forward gradient, :math:`T (p - y)`, never exceeds the temperature; a wrong
    teacher pulls with all of its probability, and a higher temperature lets it be less sure. The reverse divergence
    settles on what the teacher is sure of, and fits text that the student wrote itself; ``"js"`` is bounded, and lies
    between the two.

    Args:
      logits: the student's scores before the softmax, ``[..., classes]``, the class axis at ``axis``. A logit of
        ``-inf`` rules its class out; where only the student's does, the forward divergence is infinite.
      teacher_logits: the teacher's, of the same shape. Where only the teacher's rules a class out, the reverse
        divergence is infinite.
      temperature: above 0, :math:`T`. 1 is the plain divergence; Hinton et al. tried 1 to 20, and for small students
        2.5 to 4 was best.
      axis: the class axis.
      divergence: ``"forward_kl"``, ``"reverse_kl"`` or ``"js"``.
      mixture: in [0, 1], :math:`\pi`, the teacher's share in ``"js"``, which goes to 0 at both ends: take the other two
        there. (TRL and Liger jump to them.)

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Raises:
      ValueError: if there is no such divergence.

    Source: Hinton, Vinyals and Dean, *Distilling the knowledge in a neural network* (2015), arXiv:1503.02531; reverse
    and js Agarwal et al. 2024, arXiv:2306.13649.

    Example:
      >>> student, teacher = jnp.array([[0.0, 0.0], [3.0, 1.0]]), jnp.array([[2.0, 0.0], [13.0, 11.0]])
      >>> jaxloss.distillation_loss(student, teacher, temperature=1.0, reduction="none")
      Array([0.32781303, 0.        ], dtype=float32)
      >>> jaxloss.distillation_loss(student, teacher, temperature=1.0, divergence="reverse_kl", reduction="none")
      Array([0.43378082, 0.        ], dtype=float32)
    """
    choice("divergence", divergence, "forward_kl", "reverse_kl", "js")
    (logits, teacher_logits), _ = inputs.vectors(mask, axis=axis, logits=logits, teacher_logits=teacher_logits)
    axis = classes.axis_of(axis, "logits", logits)
    teacher_logits = lax.stop_gradient(teacher_logits)
    if divergence == "js":
        losses = _js(logits, teacher_logits, jnp.asarray(temperature), jnp.asarray(mixture), axis)
    else:
        two = (logits, teacher_logits) if divergence == "forward_kl" else (teacher_logits, logits)
        losses = _kl(*two, jnp.asarray(temperature), axis)
    return reduce(jnp.squeeze(losses, axis), weights, mask, reduction=reduction, axis_name=axis_name)


class _Softmaxes(NamedTuple):
    """Of `z` and `t`, with what tells them apart; the axis is kept at size 1 in `mean`, `gap` and `far`.

    Attributes:
      p: the softmax of `z`.
      y: that of `t`.
      x: the logits `z` below their top.
      u: the logits `t` below theirs.
      apart: ``x - u``, in the order that rounds less; 0 where `y` is.
      mean: of `apart`, under `y`.
      gap: between the logarithms of the two normalizers.
      far: the divergence, good where it is large: its parts are rounded.
    """

    p: Array
    y: Array
    x: Array
    u: Array
    apart: Array
    mean: Array
    gap: Array
    far: Array


def _sum(terms: Array, axis: int, lean: bool) -> Array:
    """Lean where `terms` stand beside all else that two divergences share; XLA's library for CPUs is faster."""
    return read_once([terms], axis)[0] if lean else jnp.sum(terms, axis, keepdims=True)


def _softmaxes(z: Array, t: Array, temperature: Array, axis: int, lean: bool) -> _Softmaxes:
    top_z, top_t = row_max(z, axis), row_max(t, axis)
    x, u = shifted(z, top_z), shifted(t, top_t)
    (p, log_x), (y, log_u) = _softmax(x, temperature, axis), _softmax(u, temperature, axis)
    near = jnp.isfinite(x) & jnp.isfinite(u) & (jnp.abs(z - t) + jnp.abs(top_z - top_t) <= -(x + u))
    apart = jnp.where(near, (z - t) - (top_z - top_t), x - jnp.where(y == 0, 0, u))
    apart = jnp.where(y == 0, 0, apart)
    mean = _sum(times(y, apart), axis, lean)
    gap = log_x - log_u
    return _Softmaxes(p, y, x, u, apart, mean, gap, gap - mean / temperature)


def _far_apart(s: _Softmaxes, kl: Array, temperature: Array) -> Array:
    """The logarithm of ``p / y`` times the temperature, from the divergence of `_kl`; 0 where `y` is."""
    near = s.apart - finite(s.mean) - finite(kl) / temperature
    return jnp.where(s.y == 0, 0, jnp.where(jnp.isinf(kl), s.apart - s.gap * temperature, near))


def _infinite_without_class(z: Array, axis: int) -> Array:
    """To be added, not selected: XLA may lose a NaN in the maximum."""
    return jnp.where(row_max(z, axis) == -jnp.finfo(z.dtype).max, jnp.inf, 0)


def _softmax(x: Array, temperature: Array, axis: int) -> tuple[Array, Array]:
    """With the logarithm of its normalizer. From logits that are finite, lest 0 times infinity be the change with the
    temperature."""
    x = jnp.maximum(x, -(jnp.finfo(x.dtype).max ** 0.5)) / temperature
    log_normalizer = log_or(jnp.sum(jnp.exp(x), axis, keepdims=True), 0)
    return jnp.exp(x - log_normalizer), log_normalizer


@functools.partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def _kl(z: Array, t: Array, temperature: Array, axis: int, lean: bool = False) -> Array:
    """Of the softmax of `z` from that of `t`, whichever is the student's; the axis is kept at size 1. Infinite for
    a `t` without any class.

    With `d` the differences of the logits from their mean, over the temperature, the divergence is the logarithm of
    the teacher's mean of exp(d), which is 1 and a sum of terms that aren't negative.
    """
    s = _softmaxes(z, t, temperature, axis, lean)
    centred = s.apart - finite(s.mean)
    d = centred / temperature
    square = jnp.square(squarable(temperature))
    rest = excess(s.p * jnp.exp(jnp.minimum(s.far, 1)), s.y, d)
    hot = (jnp.abs(d) < 1) & (s.y > 0)  # times the square last, the remainder would be too small
    terms = jnp.where(hot, s.y * jnp.square(centred) * _per_square(jnp.clip(d, -1, 1)), square * rest)
    total = _sum(terms, axis, lean)
    near = total / temperature / temperature
    near = total * jnp.where(near == 0, 1, jnp.log1p(near) / jnp.where(near == 0, 1, near))
    losses = jnp.where(s.far < 1, near, jnp.square(temperature) * s.far)
    return losses + _infinite_without_class(t, axis)


def _kl_rule(axis: int, lean: bool, primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    z, t, temperature = primals
    d_z, d_t, d_temperature = tangents
    losses = _kl(z, t, temperature, axis, lean)
    p, y, x, u, apart, mean, *_ = s = _softmaxes(z, t, temperature, axis, lean)
    d = _far_apart(s, losses, temperature) / temperature
    change = jnp.zeros_like(losses)
    if not isinstance(d_z, SymbolicZero):
        change += directional(temperature * gain(p, y, d), d_z, axis)
    if not isinstance(d_t, SymbolicZero):  # an infinite loss has a finite slope, in the right direction
        least = -(jnp.finfo(apart.dtype).max ** 0.5)
        lost = jnp.sum(jnp.where(apart == -jnp.inf, y, 0), axis, keepdims=True)
        centre = jnp.where(jnp.isinf(mean), least * lost, mean)
        change += directional(y * (centre - jnp.maximum(apart, least)), d_t, axis)
    if not isinstance(d_temperature, SymbolicZero):
        # By the teacher's softmax and by `d`; no terms that cancel where the temperature is high.
        mean_u = jnp.sum(times(y, u), axis, keepdims=True)
        u = jnp.where(y == 0, 0, u - mean_u)
        x = x - mean_u - mean - losses / temperature
        small = jnp.clip(d, -1, 1)
        near = y * jnp.square(small) * (u * _per_square(small) + temperature * small * _per_cube(small))
        far = times(p, x - 2 * temperature) - y * (u * (1 + d) - temperature * (2 + d))
        slope = -jnp.sum(jnp.where((jnp.abs(d) < 1) & (y > 0), near, far), axis, keepdims=True)
        change += jnp.where(losses == jnp.inf, 0, slope) * d_temperature
    return losses, change


_kl.defjvp(_kl_rule, symbolic_zeros=True)


def _mixed(s: _Softmaxes, apart: Array, temperature: Array, mixture: Array) -> tuple[Array, Array, Array]:
    """What `to_mixture` gives for both, times the temperature squared, and ``log(p / m)``."""
    over = temperature * gain(s.p, s.y, apart / temperature)
    m = mixture * s.y + (1 - mixture) * s.p
    reciprocal = 1 / jnp.where(m == 0, 1, m)
    of_y, _ = to_mixture(s.y, m, (mixture - 1) * over, reciprocal, temperature)
    of_p, log_p = to_mixture(s.p, m, mixture * over, reciprocal, temperature)
    return of_y, of_p, log_p


@functools.partial(jax.custom_jvp, nondiff_argnums=(4,))
def _js(z: Array, t: Array, temperature: Array, mixture: Array, axis: int) -> Array:
    """The axis is kept at size 1. What `to_mixture` takes off the two parts adds up to 0."""
    return _js_parts(z, t, temperature, mixture, axis)[0]


def _js_parts(
    z: Array, t: Array, temperature: Array, mixture: Array, axis: int
) -> tuple[Array, Array, Array, _Softmaxes, Array]:
    """The divergence, those from the mixture that it is made of, and what they are made of."""
    s = _softmaxes(z, t, temperature, axis, True)
    apart = _far_apart(s, _kl(z, t, temperature, axis, True), temperature)
    of_y, of_p, _ = _mixed(s, apart, temperature, mixture)
    of_y, of_p = read_once([of_y, of_p], axis)
    losses = times(mixture, of_y) + times(1 - mixture, of_p)
    return losses + _infinite_without_class(z, axis) + _infinite_without_class(t, axis), of_y, of_p, s, apart


def _js_rule(axis: int, primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    z, t, temperature, mixture = primals
    d_z, _, d_temperature, d_mixture = tangents
    losses, kl_y, kl_p, s, apart = _js_parts(z, t, temperature, mixture, axis)
    losses = precomputed(functools.partial(_js, axis=axis), losses, *primals)
    # What value and slope could share, XLA for CPUs would keep in memory.
    again = [one for (one,) in (inputs.apart(temperature, 1), inputs.apart(mixture, 1))]
    of_y, of_p, log_p = _mixed(s, apart, *again)
    change = jnp.zeros_like(losses)
    if not isinstance(d_z, SymbolicZero):
        far = squarable(log_p) - squarable(kl_p / temperature / temperature)
        change += directional(temperature * (1 - mixture) * s.p * far, d_z, axis)
    if not isinstance(d_mixture, SymbolicZero):
        change += clip_to_finite(kl_y - kl_p) * d_mixture
    if not isinstance(d_temperature, SymbolicZero):
        lone = s.y == 0  # of the student alone
        terms = times(mixture, of_y) + times(1 - mixture, of_p)
        pull = times(1 - mixture, times(s.p, log_p))
        u = jnp.where(lone, 0, s.u)
        means = [
            times(s.y, u),
            times(s.p, s.x),
            times(s.p, jnp.where(lone, s.x, s.apart)) + gain(s.p, s.y, apart / temperature) * u,
        ]
        mean_u, mean_x, mean_apart = (jnp.sum(x, axis, keepdims=True) for x in means)
        away = jnp.where(lone, s.x - mean_x, s.apart - mean_apart)
        slope = terms / temperature * (2 - jnp.where(lone, 0, u - mean_u) / temperature) - times(pull, away)
        change += jnp.where(jnp.isinf(losses), 0, jnp.sum(slope, axis, keepdims=True)) * d_temperature
    return losses, change


_js.defjvp(_js_rule, symbolic_zeros=True)


def _per_square(t: Array) -> Array:
    """``exp_remainder(t) / t**2`` for `t` in [-1, 1]."""
    return horner(t, *(1 / math.factorial(n) for n in range(2, _terms(t))))


def _per_cube(t: Array) -> Array:
    """``(t * expm1(t) - 2 * exp_remainder(t)) / t**3`` for `t` in [-1, 1]."""
    return horner(t, *((n - 2) / math.factorial(n) for n in range(3, _terms(t))))


def _terms(t: Array) -> int:
    """Where a series of reciprocal factorials has reached the precision of `t`."""
    return 13 if t.dtype == jnp.float32 else 21
