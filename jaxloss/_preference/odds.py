"""The likelihood of an answer, and its odds against those of another."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import inputs
from .._contract.checks import nan_unless, nearest, report, rounding, within
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, NonNegative, Reduction
from .._numerics.derivatives import difference, times, unbounded, unfused, with_partials
from .._numerics.elementary import softplus


@jit
def orpo_loss(
    chosen_log_probs: ArrayLike,
    rejected_log_probs: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: NonNegative = 0.1,
    nll_weight: NonNegative = 1.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Odds ratio preference optimization: the likelihood of the better answer, and its odds against the worse one.

    .. math::
      \ell = -\lambda \log p_w + \beta \log \left( 1 + \frac{p_l / (1 - p_l)}{p_w / (1 - p_w)} \right)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is a pair. The probabilities are those of a token, on average: pass averages over the answer's tokens,
    as its authors do (tunix passes sums, of which :math:`1 - p` is 1, and ORPO then is CPO). TRL's likelihood term is
    the mean over all tokens of the batch, those of the prompt among them; ``nll_weight=0.0, beta=1.0`` is the odds
    ratio alone, to be added to one of your own. An empty answer has the probability 1: mask its pair.

    Choose it to tune a base model on pairs of answers in one stage, without a reference. The noise model of its first
    term is the categorical distribution, that of its second Bradley and Terry's, with the log-odds for strengths. A
    worse answer of probability 1 costs infinity, unless the better one has it too.

    Args:
      chosen_log_probs: average log-probabilities of the better answers in nats, at most 0, any shape:
        ``jaxloss.reduce(log_probs, mask=is_answer, axis=-1)``.
      rejected_log_probs: of the worse ones, of the same shape.
      beta: at least 0, how much the odds count.
      nll_weight: at least 0, :math:`\lambda`, how much the likelihood counts.

    Returns:
      The reduced loss, at least float32; per pair, in the shape of ``chosen_log_probs``, with ``reduction="none"``.

    Source: Hong, Lee and Thorne, *ORPO: monolithic preference optimization without reference model* (2024),
    arXiv:2403.07691.

    Example:
      >>> chosen, rejected = jnp.log(jnp.array([0.5, 0.5])), jnp.log(jnp.array([0.5, 0.25]))
      >>> jaxloss.orpo_loss(chosen, rejected, reduction="none")
      Array([0.7624619, 0.7219154], dtype=float32)
    """
    given = {"chosen_log_probs": chosen_log_probs, "rejected_log_probs": rejected_log_probs}
    arrays = inputs.elementwise(mask, harmless=-1.0, **given)
    chosen, rejected = (_at_most_0(name, x, came) for (name, came), x in zip(given.items(), arrays))
    losses = unfused(times(nll_weight, -chosen) + times(beta, _odds(chosen, rejected)))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _at_most_0(name: str, x: Array, given: ArrayLike) -> Array:
    fits = within(x, "[-inf, 0]", rounding(given, x.dtype))
    report(name, x, fits, "be at most 0")
    return nearest(x, "[-inf, 0]") + nan_unless(fits, x.dtype)


def _rests(chosen: Array, rejected: Array) -> tuple[Array, Array]:
    """``1 - p`` of both, 0 where they are sure, not -0."""
    return 0 - jnp.expm1(chosen), 0 - jnp.expm1(rejected)


def _shares(chosen: Array, rejected: Array) -> tuple[Array, Array, Array]:
    """What both slopes are made of: ``1 - p`` of the worse answer, and ``p_w q_l + p_l q_w`` over `p_l`, and `q_w` by
    that. Of nothing but terms of one sign, so that probabilities of 1 and of 1e-300 are alike."""
    q_w, q_l = _rests(chosen, rejected)
    total = times(q_l, jnp.exp(difference(chosen, rejected))) + q_w
    sure = total == 0  # both are: odds of infinity each
    return q_l, total, jnp.where(sure, 0.5, q_w / jnp.where(sure, 1, total))


def _by_chosen(chosen: Array, rejected: Array) -> Array:
    return -1 / _shares(chosen, rejected)[1]


def _by_rejected(chosen: Array, rejected: Array) -> Array:
    q_l, _, share = _shares(chosen, rejected)
    return share / q_l


@with_partials(unbounded(_by_chosen), unbounded(_by_rejected))
def _odds(chosen: Array, rejected: Array) -> Array:
    """``log(1 + odds(l) / odds(w))``. The slopes are written out: that of the log-odds is infinite at 0, not theirs.

    What is rounded off a logarithm near 0 is a relative error after the softplus, which shows no smaller one.
    """
    q_w, q_l = _rests(chosen, rejected)
    both = (q_w == 0) & (q_l == 0)
    quotient = jnp.where(both, 1, q_l) / jnp.where(both, 1, q_w)
    return softplus(-jnp.log(quotient) - difference(chosen, rejected))
