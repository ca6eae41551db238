"""The bi-tempered logistic loss."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from jax import lax

from .._contract import classes
from .._contract.arrays import real
from .._contract.checks import nan_unless
from .._contract.jit import jit_over_classes
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, Positive, Proportion, Reduction
from .._contract.weights import weigh
from .._numerics.derivatives import clip_to_finite, derivative, quotient, times, with_partials
from .._numerics.softmax import row_max, shifted
from .._numerics.special import log1p_deficit, log1prel
from .curves import box_cox


@jit_over_classes
def bi_tempered_logistic_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    t1: Proportion,
    t2: Positive,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy with a bounded logarithm and a softmax with heavy tails.

    .. math::
      \ell = -\log_{t_1} p_y - \frac{1}{2 - t_1} \left( 1 - \sum_c p_c^{2 - t_1} \right)
      \qquad p_c = \exp_{t_2}(z_c - \lambda), \; \textstyle\sum_c p_c = 1

    with :math:`\log_t x = (x^{1 - t} - 1) / (1 - t)` and its inverse :math:`\exp_t`; both are the usual ones at 1,
    where the loss is `cross_entropy`. For probabilities as labels it is the expected loss: it differs from the paper's
    by what depends on the labels alone.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when labels are wrong: ``t1`` below 1 bounds the loss by :math:`1 / (1 - t_1)`, against labels that are
    far off; ``t2`` above 1 gives the softmax heavy tails, against wrong labels near the boundary. It has no noise
    model. A label that the model finds impossible pulls on its own logit with a gradient that goes to 0 if ``t1`` is
    below ``t2``.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``.
      labels: class indices, the logits' shape without the class axis; or probabilities of the logits' shape.
      t1: in [0, 1], the temperature of the logarithm.
      t2: above 0, the temperature of the softmax; usually above 1. Below 1 classes far from the best get exactly 0. NaN
        where the number of classes to the power ``t2 - 1`` overflows.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its label. The mean divides by these
        weights too.
      ignore_index: integer labels of this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Amid et al., *Robust bi-tempered logistic loss based on Bregman divergences* (2019), arXiv:1906.03361.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 50.0]])
      >>> jaxloss.bi_tempered_logistic_loss(logits, jnp.array([0, 1]), t1=0.5, t2=1.5, reduction="none")
      Array([0.19998279, 1.9202012 ], dtype=float32)
    """
    logits, labels, poison, axis, mask, *_ = classes.labelled(
        mask, labels, logits=logits, axis=axis, ignore_index=ignore_index
    )
    t1, t2 = jnp.asarray(t1), jnp.asarray(t2)
    x = shifted(logits, row_max(logits, axis, poison))
    log_probs = _log_exp(x - _normalizer(x, t2, axis), t2)
    probs = jnp.exp(log_probs)
    powers = jnp.exp((2 - t1) * log_probs) / (2 - t1)
    if real(labels):
        is_top = x == 0
        rest = jnp.sum(jnp.where(is_top, 0, probs), axis, keepdims=True)
        tops = jnp.sum(jnp.where(is_top, probs, 0), axis, keepdims=True)
        miss = jnp.where(is_top, rest + (tops - probs), 1 - probs)
        others = (jnp.sum(labels, axis, keepdims=True) - labels) * powers
        losses = jnp.sum(times(labels, _tempered_nll(log_probs, miss, t1)) + others, axis)
    else:
        is_label = classes.is_label(logits, labels, axis)
        miss = jnp.sum(jnp.where(is_label, 0, probs), axis, keepdims=True)
        own = _tempered_nll(classes.at_label(log_probs, labels, axis), miss, t1)
        losses = jnp.squeeze(own, axis) + jnp.sum(jnp.where(is_label, 0, powers), axis)
    weights = weigh(weights, class_weights, labels, mask, axis, logits)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _tempered_nll(log_p: Array, miss: Array, t: Array) -> Array:
    """``-log_t p - (1 - p**(2 - t)) / (2 - t)``, where `miss` is 1 - p: half its square for an easy example."""
    near = (miss < 0.1) & (log_p > -1)
    m = jnp.where(near, miss, 0)
    series = jnp.zeros_like(m)
    for k in range(16, 0, -1):  # the integral of v / (1 - v)**t from 0 to m
        series = (t + (k - 1)) / k * m * (1 / (k + 2) + series)
    impossible = (log_p == _lowest(log_p)) & (t == 1)
    log_p = jnp.where(impossible, 0, log_p)
    far = box_cox(-log_p, 1 - t) + jnp.expm1((2 - t) * log_p) / (2 - t)
    return jnp.where(impossible, jnp.inf, jnp.where(near, m * m * (0.5 + series), far))


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _normalizer(x: Array, t: Array, axis: int) -> Array:
    """The shift at which ``exp_t(x - shift)`` sums to 1, for x of at most 0 with a 0 in it.

    The sum is convex and falls, so that Newton's steps from 0 rise to the root. The last step has the derivative of
    all: where a scan loses the rule, the loop would have none.
    """

    def step(x: Array, t: Array, shift: Array) -> Array:
        log = _log_exp(x - shift, t)
        excess = jnp.sum(jnp.exp(log), axis, keepdims=True) - 1
        slope = jnp.sum(jnp.exp(t * log), axis, keepdims=True)
        return jnp.where(slope == 0, jnp.where(excess < 0, -jnp.inf, jnp.inf), excess / jnp.where(slope == 0, 1, slope))

    def advance(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        _, shift, count = state
        return shift, shift + jnp.maximum(step(*still, shift), 0), count + 1

    def rising(state: tuple[Array, Array, Array]) -> Array:
        last, shift, count = state
        return jnp.any(shift > last) & (count < 10_000)

    still = lax.stop_gradient((x, t))
    start = 0 * jnp.max(jnp.maximum(still[0], -1), axis, keepdims=True)
    shift = lax.while_loop(rising, advance, advance((start, start, jnp.zeros((), jnp.int32))))[1]
    shift = shift + nan_unless(shift != jnp.inf, shift.dtype)
    last = step(x, t, shift)
    return shift + jnp.where(jnp.isfinite(last), last - lax.stop_gradient(last), 0)


@_normalizer.defjvp
def _(axis: int, primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    x, t = primals
    shift = _normalizer(x, t, axis)
    log, change = jax.jvp(lambda x, t: _log_exp(x - shift, t), primals, tangents)
    total = jnp.sum(jnp.exp(log) * change, axis, keepdims=True)
    slope = jnp.sum(jnp.exp(t * log), axis, keepdims=True)
    return shift, total / jnp.where(slope == 0, 1, slope)  # 0 where all classes are ruled out


def _bend(x: Array, t: Array) -> tuple[Array, Array, Array]:
    """Where ``exp_t`` is 0, `x` elsewhere, and ``(1 - t) * x``."""
    ruled_out = x == -jnp.inf
    x = jnp.where(ruled_out, 0, x)
    bend = (1 - t) * x
    zero = ruled_out | (bend <= -1)
    return zero, x, jnp.where(zero, 0, bend)


def _log_exp_by_x(x: Array, t: Array) -> Array:
    zero, _, bend = _bend(x, t)
    return jnp.where(zero, 0, 1 / (1 + bend))


def _log_exp_by_t(x: Array, t: Array) -> Array:
    zero, x, bend = _bend(x, t)
    far = bend > 1
    x, few = jnp.where(far, 0, x), jnp.where(far, 0, bend)
    many, rate = jnp.where(far, bend, 1), jnp.where(far, 1 - t, 1)
    near = x * (x * derivative(log1p_deficit, 0)(few))
    slope = jnp.where(far, (jnp.log1p(many) - quotient(many, 1 + many)) / rate / rate, near)
    return jnp.where(zero, 0, clip_to_finite(slope))


@with_partials(_log_exp_by_x, _log_exp_by_t)
def _log_exp(x: Array, t: Array) -> Array:
    """The logarithm of ``exp_t``; a large negative number where that is 0."""
    zero, x, bend = _bend(x, t)
    return jnp.where(zero, _lowest(x), x * log1prel(bend))


def _lowest(x: Array) -> float:
    return -0.25 * float(jnp.finfo(x.dtype).max) ** 0.5  # finite when squared
