"""How far a policy has gone from another, by what it drew."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
from jax import lax

from .._contract import inputs
from .._contract.checks import nan_unless
from .._contract.jit import jit
from .._contract.messages import choice
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, Reduction
from .._numerics.derivatives import difference, square
from .._numerics.special import exp_remainder


@jit
def kl_estimate(
    log_probs: ArrayLike,
    reference_log_probs: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    estimator: Literal["k1", "k2", "k3"] = "k3",
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Estimate of the Kullback-Leibler divergence of a policy from a reference, from what the policy drew.

    .. math::
      k_1 = d \qquad k_2 = \tfrac{1}{2} d^2 \qquad k_3 = e^{-d} - 1 + d \qquad d = \log p - \log p_\text{ref}

    The mean of :math:`k_1` and of :math:`k_3` is :math:`\mathrm{KL}(p \,\|\, p_\text{ref})`, that of :math:`k_2` close
    to it where the two are close; :math:`k_2` and :math:`k_3` are never negative. The gradient is another matter, as
    what is drawn is held: on policy that of :math:`k_1` is 0 in the mean, that of :math:`k_2` is the divergence's own,
    and that of :math:`k_3`, :math:`(1 - e^{-d}) \nabla \log p`, is that of :math:`\mathrm{KL}(p_\text{ref} \,\|\, p)`.
    None reaches the reference.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to keep a policy near its reference, added to `ppo_clip_loss` or `cispo_loss` with the same weights and
    mask, or to log how far it has gone. Its noise model is the policy's own distribution. A token that the policy draws
    though it has become far less likely than under the reference, :math:`d = -20`, pulls with :math:`e^{20}` under
    :math:`k_3`, with :math:`d` under :math:`k_2`; for a bound pass ``jnp.maximum(log_probs, reference - 20)``. (verl
    clamps the value to 10.) For :math:`k_3`'s value with :math:`k_2`'s gradient, verl's ``k3+``, write
    ``k2 + jax.lax.stop_gradient(k3 - k2)``.

    Args:
      log_probs: of what the policy drew, under it, floating point, any shape: one for each token.
      reference_log_probs: the same under the reference, of the shape of ``log_probs``.
      estimator: ``"k1"``, ``"k2"`` or ``"k3"``.

    Returns:
      The reduced estimate, at least float32; per element in the shape of ``log_probs`` with ``reduction="none"``.

    Raises:
      ValueError: if there is no such estimator.

    Source: Schulman, *Approximating KL divergence* (2020), http://joschu.net/blog/kl-approx.html.

    Example:
      >>> reference = jnp.array([-1.0, -1.0])
      >>> jaxloss.kl_estimate(reference + jnp.array([0.0, -2.0]), reference, reduction="none")
      Array([0.      , 4.389056], dtype=float32)
    """
    choice("estimator", estimator, "k1", "k2", "k3")
    log_probs, reference = inputs.elementwise(mask, log_probs=log_probs, reference_log_probs=reference_log_probs)
    log_ratio = difference(log_probs, lax.stop_gradient(reference))
    if estimator == "k1":  # whose slope would not be NaN where it is
        losses = log_ratio * (1 + nan_unless(~jnp.isnan(log_ratio), log_ratio.dtype))
    else:
        losses = 0.5 * square(log_ratio) if estimator == "k2" else exp_remainder(-log_ratio)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)
