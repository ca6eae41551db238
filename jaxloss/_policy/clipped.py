"""Losses of a policy and of its value function that learn only as far as what they predict hasn't moved too far."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from .._contract import inputs
from .._contract.checks import nan_unless, report
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import AboveOne, Array, ArrayLike, AxisName, EachNumber, NonNegative, Positive, Reduction
from .._numerics.derivatives import difference, square, times, unbounded, unfused, with_partials


@jit
def ppo_clip_loss(
    log_probs: ArrayLike,
    old_log_probs: ArrayLike,
    advantages: EachNumber,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon_low: NonNegative = 0.2,
    epsilon_high: NonNegative = 0.2,
    dual_clip: AboveOne | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Clipped surrogate of proximal policy optimization: an action gains nothing from a ratio far from 1.

    .. math::
      \ell = -\min \left( r A, \; \mathrm{clip}(r, 1 - \epsilon_\text{low}, 1 + \epsilon_\text{high}) A \right)
      \qquad r = \exp(\log p - \log p_\text{old})

    With ``dual_clip``, :math:`c`, it is no more than :math:`-c A` for :math:`A < 0`. The gradient is :math:`-A r`, and
    0 where the loss is clipped and at the corners. None reaches the old log-probabilities or the advantages, so
    ``ppo_clip_loss(lp, lp, A)`` is the step on policy: ratio 1, gradient :math:`-A`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to take several steps on what an older policy did; GRPO, DAPO and GSPO differ from it in advantages,
    weights and what an element is. Under the policy's own distribution as the noise model it is a likelihood weighted
    by advantages, near ratio 1. An action with :math:`A < 0` that has become likely pulls with all of its ratio, as it
    must to become rare again, and costs infinity where that overflows; with ``dual_clip`` it doesn't pull at all beyond
    :math:`c`. Where a ratio is in the gradient as a factor, as in `cispo_loss`, clipping it loses no action.

    Args:
      log_probs: of what was done, under the policy, floating point, any shape: one for each token, or, summed or
        averaged, for each sequence.
      old_log_probs: the same under the policy that did it, of the shape of ``log_probs``.
      advantages: finite, how much better than expected it was. A scalar, or the rank of ``log_probs`` with each
        dimension equal or 1.
      epsilon_low: at least 0, how far below 1 the ratio matters. With 1 or more there is no lower bound.
      epsilon_high: at least 0, how far above 1 it does.
      dual_clip: above 1, the ratio up to which actions with :math:`A < 0` matter. (verl's ``clip_ratio_c``, there 3;
        TRL's ``delta`` is the same where it is above :math:`1 + \epsilon_\text{high}`.) None is no bound.

    Returns:
      The reduced loss, at least float32; per element in the shape of ``log_probs`` with ``reduction="none"``. (EasyDeL
      clips where it must learn for :math:`A < 0`, and nowhere else.)

    Raises:
      ValueError: if advantages don't match ``log_probs`` axis by axis: one for each row of tokens needs a reshape.

    Source: Schulman et al., *Proximal policy optimization algorithms* (2017), arXiv:1707.06347; ``dual_clip`` Ye et al.
    2020, arXiv:1912.09729; two epsilons Yu et al. 2025, arXiv:2503.14476.

    Example:
      >>> old, advantages = jnp.array([[-1.0, -2.0, -1.0]]), jnp.array([[2.0]])
      >>> jaxloss.ppo_clip_loss(old + jnp.array([[0.0, 9.0, -9.0]]), old, advantages, reduction="none")
      Array([[-2.0000000e+00, -2.4000001e+00, -2.4681960e-04]], dtype=float32)
    """
    _, log_ratio, advantages = _off_policy(log_probs, old_log_probs, advantages, mask)
    bounds = epsilon_low, epsilon_high, jnp.inf if dual_clip is None else dual_clip
    for bound in bounds:
        advantages = inputs.spoiled(advantages, jnp.asarray(bound))
    low, high = _log_bounds(advantages, *bounds)
    losses = unfused(-advantages * _clipped_ratio(log_ratio, low, high))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def cispo_loss(
    log_probs: ArrayLike,
    old_log_probs: ArrayLike,
    advantages: EachNumber,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    min_ratio: NonNegative = 0.0,
    max_ratio: Positive = 5.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Policy gradient weighted by a clipped ratio, which is held constant: no action is lost to the clipping.

    .. math::
      \ell = -\bar r A \log p \qquad \bar r = \mathrm{clip}(p / p_\text{old}, r_\text{min}, r_\text{max})

    The gradient is :math:`-\bar r A`, everywhere; none reaches the ratio and its bounds, the old log-probabilities or
    the advantages, in second order either.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it where the actions that `ppo_clip_loss` would no longer learn from are the rare ones that matter, such as a
    turn in a chain of thought. Its noise model is the policy's own distribution. No action pulls harder than with
    :math:`r_\text{max} |A|`. With both bounds at 1 it is the plain policy gradient of REINFORCE.

    Args:
      log_probs: of what was done, under the policy, floating point, any shape: one for each token.
      old_log_probs: the same under the policy that did it, of the shape of ``log_probs``.
      advantages: finite, how much better than expected it was. A scalar, or the rank of ``log_probs`` with each
        dimension equal or 1.
      min_ratio: at least 0, the lower bound of the ratio itself.
      max_ratio: above 0 and at least ``min_ratio``, the upper one. (TRL's and Liger's ``epsilon_high``; that of verl
        and open-instruct is less by 1.)

    Returns:
      The reduced loss, at least float32; per element in the shape of ``log_probs`` with ``reduction="none"``. Its
      gradient is what counts: the value tells little. (EasyDeL's ratio isn't constant.)

    Raises:
      ValueError: if advantages don't match ``log_probs`` axis by axis: one for each row of tokens needs a reshape.

    Source: MiniMax, *MiniMax-M1: scaling test-time compute efficiently with lightning attention* (2025),
    arXiv:2506.13585.

    Example:
      >>> old = jnp.array([-1.0, -4.0])
      >>> loss = lambda lp: jaxloss.cispo_loss(lp, old, jnp.array([2.0, 1.0]), reduction="sum")
      >>> jax.grad(loss)(jnp.array([-1.0, -1.0]))
      Array([-2., -5.], dtype=float32)
    """
    log_probs, log_ratio, advantages = _off_policy(log_probs, old_log_probs, advantages, mask)
    least, most = jnp.asarray(min_ratio), jnp.asarray(max_ratio)
    fits = least <= most
    report("min_ratio", least, fits, "be at most max_ratio")
    ratio = jnp.clip(jnp.exp(log_ratio), least, most) + nan_unless(fits, log_ratio.dtype)
    losses = unfused(-times(lax.stop_gradient(advantages * ratio), log_probs))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def clipped_value_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    old_predictions: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon: NonNegative = 0.2,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Squared error of a value function that gains nothing from moving far from what it said before.

    .. math::
      \ell = \max \left( (v - y)^2, \; (\mathrm{clip}(v, v_\text{old} - \epsilon, v_\text{old} + \epsilon) - y)^2
      \right)

    Within :math:`\epsilon` of the old prediction it is `mse_loss`, without the 1/2 that most codes of PPO put in front.
    The gradient is 0 where the clipped error is the larger one. None reaches the old predictions.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it beside `ppo_clip_loss` where returns come in batches that several steps are taken on; whether it does
    better than `mse_loss` is disputed. Its noise model is the Gaussian near the old prediction. An outlier moves the
    prediction by :math:`\epsilon` towards it and then pulls no more, while one that has moved away from its label pulls
    back with twice the error.

    Args:
      predictions: of the value function, floating point, any shape.
      labels: the returns, numbers of the predictions' shape.
      old_predictions: what it said when the returns were collected, of the predictions' shape.
      epsilon: at least 0, how far predictions may move, in the units of the returns.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Schulman et al., *High-dimensional continuous control using generalized advantage estimation* (2016),
    arXiv:1506.02438, for the bound on its steps; in this form OpenAI Baselines 2017, see Engstrom et al. 2020,
    arXiv:2005.12729.

    Example:
      >>> values, returns = jnp.array([0.1, 0.5, 0.5]), jnp.array([1.0, 1.0, -1.0])
      >>> jaxloss.clipped_value_loss(values, returns, jnp.zeros(3), reduction="none")
      Array([0.80999994, 0.64      , 2.25      ], dtype=float32)
    """
    predictions, labels, old = inputs.elementwise(
        mask, predictions=predictions, labels=labels, old_predictions=old_predictions
    )
    old, epsilon = lax.stop_gradient(old), jnp.asarray(epsilon)
    error = inputs.spoiled(inputs.spoiled(predictions - labels, old), epsilon)
    moved = difference(predictions, old)
    clipped = (old - labels) + jnp.clip(moved, -epsilon, epsilon)
    held = (jnp.abs(moved) > epsilon) & (jnp.abs(clipped) > jnp.abs(error))  # within, the two differ by rounding
    losses = unfused(square(jnp.where(held, clipped, error)))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _off_policy(
    log_probs: ArrayLike, old_log_probs: ArrayLike, advantages: ArrayLike, mask: ArrayLike | None
) -> tuple[Array, Array, Array]:
    """The log-probabilities, the logarithm of the ratio, and the advantages, which are constant."""
    log_probs, old = inputs.elementwise(mask, log_probs=log_probs, old_log_probs=old_log_probs)
    advantages = inputs.parameter("advantages", advantages, "(-inf, inf)", mask, log_probs, "log_probs")
    return log_probs, difference(log_probs, lax.stop_gradient(old)), lax.stop_gradient(advantages)


def _log_bounds(
    advantages: Array, epsilon_low: ArrayLike, epsilon_high: ArrayLike, most: ArrayLike
) -> tuple[Array, Array]:
    """Of the ratio, by the sign of the advantage: logarithms of single numbers, chosen from for each element."""
    some = jnp.less(epsilon_low, 1)
    least = jnp.where(some, jnp.log1p(-jnp.where(some, epsilon_low, 0)), -jnp.inf)
    up, down = advantages > 0, advantages < 0
    high = jnp.where(up, jnp.log1p(epsilon_high), jnp.where(down, jnp.log(most), 0))
    return jnp.where(down, least, -jnp.inf), high


def _above(log_ratio: Array, high: Array) -> Array:
    """Or at the bound, unless that is infinite and so none."""
    return (log_ratio >= high) & (high < jnp.inf)


def _slope(log_ratio: Array, low: Array, high: Array) -> Array:
    clipped = (log_ratio <= low) | _above(log_ratio, high)
    return jnp.where(clipped, 0, _clipped_ratio(log_ratio, low, high))


def _by_low(log_ratio: Array, low: Array, high: Array) -> Array:
    return jnp.where(log_ratio <= low, _clipped_ratio(log_ratio, low, high), 0)


def _by_high(log_ratio: Array, low: Array, high: Array) -> Array:
    return jnp.where(_above(log_ratio, high), _clipped_ratio(log_ratio, low, high), 0)


@with_partials(unbounded(_slope), _by_low, _by_high)
def _clipped_ratio(log_ratio: Array, low: Array, high: Array) -> Array:
    """Between bounds that are given by their logarithms; at the corners the slope is 0.

    Clipped before the exponential: a ratio that overflows reaches no derivative.
    """
    return jnp.exp(jnp.clip(log_ratio, low, high))
