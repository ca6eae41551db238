"""Reward models: scores of answers, of which one is preferred to another."""

from __future__ import annotations

from .._contract import inputs
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, EachNumber, EachProportion, NonNegative, Reduction
from .._numerics.derivatives import difference, square, times, unfused
from .._numerics.elementary import softplus
from .variants import each, logistic


@jit
def bradley_terry_loss(
    chosen_scores: ArrayLike,
    rejected_scores: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: EachNumber | None = None,
    label_smoothing: EachProportion | None = None,
    centering: NonNegative | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Logistic loss of a pair: the better one should score higher. The loss of reward models.

    .. math::
      \ell = \log (1 + e^{-x}) + c \, (s_w + s_l)^2, \qquad x = s_w - s_l - m

    and under label smoothing :math:`\varepsilon`, :math:`(1 - \varepsilon) \log(1 + e^{-x}) + \varepsilon
    \log(1 + e^x)` for the first term. :math:`m` and :math:`c` are 0 unless given.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to train a reward model on pairs; of rankings of more than two, `listmle_loss` and
    `pairwise_logistic_loss` are. Its noise model is Bradley and Terry's: the better one wins with probability
    :math:`\sigma(x)`. A wrong pair pulls with 1 at most, no matter how sure the model is. What is added to all scores
    changes nothing without ``centering``.

    Args:
      chosen_scores: of the better ones, floating point, any shape, in log-odds.
      rejected_scores: of the worse ones, of the same shape.
      margin: :math:`m`, by how much the better one is better. A scalar, or the rank of ``chosen_scores`` with each
        dimension equal or 1, as for Llama 2.
      label_smoothing: in [0, 1], the share of pairs that are the wrong way round. A scalar, or the rank of
        ``chosen_scores`` with each dimension equal or 1.
      centering: at least 0, :math:`c`, which keeps the scores around 0; 0.01 is advised (TRL's
        ``center_rewards_coefficient``).

    Returns:
      The reduced loss, at least float32; per pair, in the shape of ``chosen_scores``, with ``reduction="none"``.

    Source: Bradley and Terry, *Rank analysis of incomplete block designs* (1952), doi:10.2307/2334029; Touvron et al.,
    *Llama 2* (2023), arXiv:2307.09288 (margins); Eisenstein et al., *Helping or herding?* (2023), arXiv:2312.09244
    (centering).

    Example:
      >>> jaxloss.bradley_terry_loss(jnp.array([2.0, 1.0]), jnp.array([0.0, 1.0]), reduction="none")
      Array([0.126928 , 0.6931472], dtype=float32)
    """
    chosen, rejected = inputs.elementwise(mask, chosen_scores=chosen_scores, rejected_scores=rejected_scores)
    of = "chosen_scores"
    x = difference(chosen, rejected) - each("margin", margin, "(-inf, inf)", mask, chosen, 0.0, of)
    if label_smoothing is None:
        losses = softplus(-x)
    else:
        losses = logistic(x, each("label_smoothing", label_smoothing, "[0, 1]", mask, chosen, 0.0, of))
    if centering is not None:
        losses += times(centering, square(difference(chosen, -rejected)))
    return reduce(unfused(losses), weights, mask, reduction=reduction, axis_name=axis_name)
