"""The Rényi divergence, continuous and differentiable in its order."""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, Axes, AxisName, Positive, Reduction
from .._numerics.derivatives import times
from .._numerics.special import exprel, exprel_slope, log1prel
from .distributions import finite, from_logs, log_or


@jit
def renyi_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: Positive,
    axis: Axes = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Rényi divergence of the predicted distribution from the label's: a family around the Kullback-Leibler one.

    .. math::
      \ell = \frac{1}{\alpha - 1} \log \frac{\sum_c y_c^\alpha \, p_c^{1 - \alpha}}{\sum_c y_c}

    with its limit at :math:`\alpha = 1`, which is `kl_divergence` (over the sum of the labels, which Rényi divides by
    for distributions that don't sum to 1). It grows with :math:`\alpha`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to say how much the worst class counts: a large order is ruled by the largest ratio :math:`y / p`, as in
    differential privacy; one below 1 stays finite where the model gives a label no probability. The gradient at the
    log-probabilities is minus a distribution, :math:`y^\alpha p^{1 - \alpha}` normalised, so a wrong label pulls with 1
    at most: at a large order alone with all of it, below 1 with less the surer the model is.

    Args:
      log_probs: logarithms of probabilities, at most 0 (``-inf`` too), any shape with ``axis``.
      labels: probabilities of the shape of ``log_probs``; where all are 0 the divergence is 0.
      alpha: above 0, the order.
      axis: the axis of the classes, or a tuple of axes.

    Returns:
      The reduced loss, at least float32; per distribution, without ``axis``, with ``reduction="none"``.

    Source: Rényi, *On measures of entropy and information* (1961); van Erven and Harremoës 2014, arXiv:1206.2459.

    Example:
      >>> probs, labels = jnp.array([0.5, 0.5]), jnp.array([0.2, 0.8])
      >>> [round(float(jaxloss.renyi_divergence(jnp.log(probs), labels, alpha=a)), 4) for a in (0.5, 1, 2)]
      [0.1054, 0.1927, 0.3075]
    """
    log_probs, labels, sound, axes = from_logs(mask, axis, log_probs, labels, "[0, 1]")
    losses = sound * jnp.squeeze(_renyi(log_probs, labels, jnp.asarray(alpha), axes), axes)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _expm1_ratio(x: Array, b: Array) -> Array:
    """``(exp(b * x) - 1) / b``, `x` at b = 0."""
    endless = jnp.isinf(x)
    limit = jnp.where(b == 0, x, jnp.expm1(times(b, x)) / jnp.where(b == 0, 1, b))
    x = jnp.where(endless, 0, x)
    return jnp.where(endless, limit, x * exprel(b * x))


def _shares(log_p: Array, y: Array, axes: tuple[int, ...]) -> tuple[Array, Array, Array]:
    """The labels' sum, their shares of it, and the logarithm of p / y where there is a label."""
    total = jnp.sum(y, axes, keepdims=True)
    total = jnp.where(total == 0, 1, total)
    return total, y / total, jnp.where(y == 0, 0, log_p - log_or(y, 0))


@functools.partial(jax.custom_jvp, nondiff_argnums=(3,))
def _renyi(log_p: Array, y: Array, alpha: Array, axes: tuple[int, ...]) -> Array:
    """With b = 1 - alpha and the labels' shares w: ``-log(sum(w * (p / y)**b)) / b``, the axes kept at size 1.

    Where that sum is near 1, one plus b times ``slope``; elsewhere scaled by its largest term.
    """
    b = 1 - alpha
    _, share, d = _shares(log_p, y, axes)
    slope = jnp.sum(times(share, _expm1_ratio(d, b)), axes, keepdims=True)
    change = times(b, slope)
    close = (change > -0.5) & (change < 1e30)
    logs = log_or(share, -jnp.inf) + times(b, d)
    top = jnp.max(logs, axes, keepdims=True, initial=-jnp.inf)
    total = jnp.sum(jnp.exp(logs - finite(top)), axes, keepdims=True)
    gone = jnp.isinf(top) & ~jnp.isnan(total)  # XLA may lose a NaN in the maximum
    far = -(top + jnp.log(jnp.where(gone, 1, total))) / jnp.where(b == 0, 1, b)
    return jnp.where(close, 0 - slope * log1prel(jnp.where(close, change, 0)), far)


def _renyi_rule(axes: tuple[int, ...], primals: tuple[Array, ...], tangents: tuple[Any, ...]) -> tuple[Array, Array]:
    """With e = log(p / y) + divergence, the sum of w * exp(b * e) is 1: so no terms cancel near alpha = 1."""
    log_p, y, alpha = primals
    d_log_p, d_y, d_alpha = tangents
    value = _renyi(log_p, y, alpha, axes)
    b = 1 - alpha
    total, share, d = _shares(log_p, y, axes)
    gone = (d == -jnp.inf) & (value < jnp.inf)  # only at orders below 1
    e = jnp.where((y == 0) | (value == jnp.inf) | gone, 0, d + finite(value))
    t = jnp.where(gone, -jnp.inf, b * e)
    # That sum is 1 but for rounding, which is large at large orders and where log(p / y) is: it may even overflow.
    top = lax.stop_gradient(jnp.max(jnp.where(y == 0, -jnp.inf, t), axes, keepdims=True, initial=-jnp.inf))
    top = jnp.where((top > -math.log(jnp.finfo(t.dtype).tiny)) | (top < -1), finite(top), 0)
    rise = jnp.exp(t - top)
    rounded = lax.stop_gradient(jnp.sum(share * rise, axes, keepdims=True))
    rounded = jnp.where(rounded == 0, 1, rounded)
    rise, off = rise / rounded, jnp.abs(top + jnp.log(rounded)) > 1e-3
    change = jnp.zeros_like(value)
    if not isinstance(d_log_p, SymbolicZero):
        change -= jnp.sum(share * rise * d_log_p, axes, keepdims=True)
    plain = off | gone
    over = jnp.where(plain, (rise - 1) / jnp.where(b == 0, 1, b), e * exprel(jnp.where(plain, 0, t)))
    if not isinstance(d_y, SymbolicZero):
        edge = jnp.where(b < 0, 1 / jnp.where(b < 0, b, 1), -finite(log_p) - finite(value))
        change += jnp.sum(jnp.where(y == 0, edge, rise - over) / total * d_y, axes, keepdims=True)
    if not isinstance(d_alpha, SymbolicZero):
        close = (b == 0) | ((jnp.abs(t) < 0.5) & ~gone)
        near = jnp.square(e) * exprel_slope(jnp.clip(t, -0.5, 0.5))
        slope = jnp.where(close, near, (rise * e - over) / jnp.where(b == 0, 1, b))
        change += jnp.sum(share * slope, axes, keepdims=True) * d_alpha
    return value, change


_renyi.defjvp(_renyi_rule, symbolic_zeros=True)
