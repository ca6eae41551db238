"""Language models that learn from answers one at a time, each of which is good or bad."""

from __future__ import annotations

from jax import lax

from .._contract import inputs
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, EachNumber, Positive, Reduction
from .._numerics.derivatives import difference, positive, times, with_partials
from .._numerics.elementary import sigmoid
from .._numerics.logistic import split_by_sign


@jit
def kto_loss(
    log_probs: ArrayLike,
    reference_log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    kl: EachNumber,
    beta: Positive = 0.1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Kahneman-Tversky optimization: answers that are good or bad, one at a time, held to a reference.

    .. math::
      \ell = y \, \sigma(-u) + (1 - y) \, \sigma(u), \qquad
      u = \beta \left( \log \frac{\pi}{\pi_\text{ref}} - \max(\text{kl}, 0) \right)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is an answer. No gradient reaches the reference or ``kl``. Where good and bad answers are not equally
    many, weigh them, ``weights=jnp.where(labels, 1.0, 1.33)``: TRL's ``desirable_weight`` and ``undesirable_weight``,
    but that the mean divides by the weights, TRL's by the number of answers.

    Choose it where answers are rated by themselves, a thumb up or down, and don't come in pairs. It has no noise model;
    it is a utility with the shape that people's have. The gradient, at most :math:`\beta / 4`, vanishes for answers
    that the policy is sure of, right or wrong, so that wrong labels are given up on.

    Args:
      log_probs: log-probabilities of the answers in nats, any shape: sums over their tokens,
        ``jaxloss.reduce(log_probs, mask=is_answer, axis=-1, reduction="sum")``, in float32.
      reference_log_probs: by the reference, of the same shape, held constant.
      labels: bool, or numbers in [0, 1], of the same shape: whether an answer is good.
      kl: finite, what the divergence of the policy from the reference is estimated to be in nats, from answers to other
        prompts: ``jaxloss.reduce(mismatched_log_probs - mismatched_reference_log_probs)``. A scalar, or the rank of
        ``log_probs`` with each dimension equal or 1. It has no default: 0 makes another loss, that of APO-zero.
      beta: above 0, how closely the policy is held to the reference.

    Returns:
      The reduced loss, at least float32; per answer, in the shape of ``log_probs``, with ``reduction="none"``.

    Source: Ethayarajh et al., *KTO: model alignment as prospect theoretic optimization* (2024), arXiv:2402.01306.

    Example:
      >>> log_probs, reference = jnp.array([-10.0, -20.0]), jnp.array([-12.0, -20.0])
      >>> jaxloss.kto_loss(log_probs, reference, jnp.array([True, False]), kl=2.0, reduction="none")
      Array([0.5       , 0.45016602], dtype=float32)
    """
    log_probs, reference, labels = inputs.proportions(
        mask, log_probs=log_probs, reference_log_probs=reference_log_probs, labels=labels
    )
    least = positive(inputs.parameter("kl", kl, "(-inf, inf)", mask, log_probs, "log_probs"))
    gain = difference(log_probs, lax.stop_gradient(reference)) - lax.stop_gradient(least)
    return reduce(_utility(times(beta, gain), labels), weights, mask, reduction=reduction, axis_name=axis_name)


def _by_gain(u: Array, labels: Array) -> Array:
    return inputs.spoiled((1 - 2 * labels) * (sigmoid(u) * sigmoid(-u)), u)


def _by_label(u: Array, labels: Array) -> Array:
    return sigmoid(-u) - sigmoid(inputs.spoiled(u, labels))


@with_partials(_by_gain, _by_label)
def _utility(u: Array, labels: Array) -> Array:
    """``labels * sigmoid(-u) + (1 - labels) * sigmoid(u)``, over one denominator.

    NaN where `u` is, which exp may lose: see `nan_where`.
    """
    _, larger, smaller, e = split_by_sign(u, 1 - labels, labels)
    return inputs.spoiled((larger + smaller * e) / (1 + e), u)
