"""Language models that should prefer one answer to another, by the log-probabilities of both."""

from __future__ import annotations

from typing import get_args

import jax.numpy as jnp
from jax import lax

from .._contract import inputs
from .._contract.jit import jit
from .._contract.messages import choice, message
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, EachNumber, EachProportion, Finite, Positive, Reduction
from .._numerics.derivatives import difference, unfused
from .gaps import Divergence
from .variants import Call, Variant, below_half_if_robust, of_pairs, takes


@below_half_if_robust
@jit
def dpo_loss(
    chosen_log_probs: ArrayLike,
    rejected_log_probs: ArrayLike,
    reference_chosen_log_probs: ArrayLike,
    reference_rejected_log_probs: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: Positive = 0.1,
    variant: Variant = "sigmoid",
    label_smoothing: EachProportion | None = None,
    margin: EachNumber | None = None,
    divergence: Divergence = "reverse_kl",
    alpha: Finite | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Direct preference optimization: a policy learns from pairs of answers, held to a reference.

    .. math::
      \ell = \log (1 + e^{-x}), \qquad x = \beta g(a, b) - m, \qquad
      a = \log \frac{\pi(y_w)}{\pi_\text{ref}(y_w)}, \quad b = \log \frac{\pi(y_l)}{\pi_\text{ref}(y_l)}

    with :math:`g = a - b` and :math:`m = 0` unless given. Other losses by ``variant``, with label smoothing
    :math:`\varepsilon`, :math:`A = \beta a` and :math:`B = \beta b`:

    - ``"sigmoid"``: the one above; smoothed, :math:`(1 - \varepsilon) \log(1 + e^{-x}) + \varepsilon \log(1 + e^x)`,
      which is conservative DPO
    - ``"hinge"``: :math:`\max(0, 1 - x)`, of SLiC and RSO
    - ``"ipo"``: :math:`((x - \tfrac12) / \beta)^2`; its authors pass averages over the tokens
    - ``"robust"``: :math:`((1 - \varepsilon) \log(1 + e^{-x}) - \varepsilon \log(1 + e^x)) / (1 - 2 \varepsilon)`,
      unbiased where that share of pairs is the wrong way round, and so unbounded below
    - ``"exo"``: the Kullback-Leibler divergence of :math:`(\sigma(x), \sigma(-x))` from
      :math:`(1 - \varepsilon, \varepsilon)`
    - ``"nca"``: :math:`\log(1 + e^{-A}) + \tfrac12 \log(1 + e^A) + \tfrac12 \log(1 + e^B)`
    - ``"apo_zero"``: :math:`\sigma(-A) + \sigma(B)`; ``"apo_down"``: :math:`\sigma(A) + \sigma(B - A)`

    and other gaps by ``divergence``:

    - ``"reverse_kl"``: :math:`a - b`
    - ``"forward_kl"``: :math:`e^{-b} - e^{-a}`
    - ``"js"``: :math:`\log(1 + e^{-b}) - \log(1 + e^{-a})`
    - ``"alpha"``: :math:`(e^{-\alpha b} - e^{-\alpha a}) / \alpha`, which at 0 is reverse and at 1 forward

    (TRL's ``f_alpha_divergence_coef`` is :math:`1 - \alpha`, and its sigmoid takes no notice of label smoothing.)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is a pair. No gradient reaches the reference, so that the first step, where it is the policy, is
    ``dpo_loss(w, l, w, l)``, with the loss :math:`\log 2`. The gradient of a rejected answer that the policy has all
    but given up is 0, also where its power is infinite.

    Choose it to tune a model on pairs of answers without a reward model. Its noise model is Bradley and Terry's: the
    chosen answer wins with probability :math:`\sigma(x)`; a wrong pair pulls with :math:`\beta` at most. Noisy pairs
    are what ``label_smoothing`` and ``"robust"`` are for; ``"ipo"`` stops at a gap, and so fits sure pairs no further.

    Args:
      chosen_log_probs: log-probabilities of the better answers in nats, any shape: sums over their tokens,
        ``jaxloss.reduce(log_probs, mask=is_answer, axis=-1, reduction="sum")``, in float32.
      rejected_log_probs: of the worse ones, of the same shape.
      reference_chosen_log_probs: of the better ones by the reference, of the same shape, held constant.
      reference_rejected_log_probs: of the worse ones by the reference, held constant.
      beta: above 0, how closely the policy is held to the reference.
      variant: which loss, see above.
      label_smoothing: the share of pairs that are the wrong way round, in [0, 1], below 1/2 for ``"robust"``, which
        needs it; for ``"exo"`` 1e-3 by default; others but ``"sigmoid"`` take none. A scalar, or the rank of
        ``chosen_log_probs`` with each dimension equal or 1: soft preferences.
      margin: :math:`m`, by how much the better answer is better, for the losses of :math:`x`. A scalar, or the rank of
        ``chosen_log_probs`` with each dimension equal or 1: offset DPO.
      divergence: what holds the policy to the reference, for the losses of :math:`x`.
      alpha: finite, of ``divergence="alpha"``, by default 0.5; others take none.

    Returns:
      The reduced loss, at least float32; per pair, in the shape of ``chosen_log_probs``, with ``reduction="none"``.

    Raises:
      ValueError: if ``variant`` or ``divergence`` is unknown or doesn't take an option, or ``"robust"`` gets no
        ``label_smoothing``.

    Source: Rafailov et al., *Direct preference optimization* (2023), arXiv:2305.18290; variants: Zhao et al. (2023),
    arXiv:2305.10425 (hinge), Azar et al. (2023), arXiv:2310.12036 (IPO), Chowdhury et al. (2024), arXiv:2403.00409
    (robust), Ji et al. (2024), arXiv:2402.00856 (EXO), Chen et al. (2024), arXiv:2402.05369 (NCA), D'Oosterlinck et
    al. (2024), arXiv:2408.06266 (APO); divergences: Wang et al. (2023), arXiv:2309.16240; margins: Amini et al.
    (2024), arXiv:2402.10571.

    Example:
      >>> chosen, rejected = jnp.array([-12.0, -30.0]), jnp.array([-15.0, -20.0])
      >>> jaxloss.dpo_loss(chosen, rejected, jnp.array([-13.0, -30.0]), jnp.array([-14.0, -20.0]), reduction="none")
      Array([0.5981389, 0.6931472], dtype=float32)
    """
    choice("divergence", divergence, *get_args(Divergence))
    if alpha is not None and divergence != "alpha":
        raise ValueError(message(f"divergence must be 'alpha' where alpha is given, got {divergence!r}"))
    alpha = 0.5 if alpha is None else alpha
    other = None if divergence == "reverse_kl" else divergence
    takes(variant, label_smoothing=label_smoothing, margin=margin, divergence=other)
    chosen, rejected, *references = inputs.elementwise(
        mask,
        chosen_log_probs=chosen_log_probs,
        rejected_log_probs=rejected_log_probs,
        reference_chosen_log_probs=reference_chosen_log_probs,
        reference_rejected_log_probs=reference_rejected_log_probs,
    )
    # Each against its reference first: they are close, so that nothing is rounded.
    a, b = (difference(x, lax.stop_gradient(to)) for x, to in zip((chosen, rejected), references))
    call = Call(mask, jnp.asarray(beta), variant, label_smoothing, margin, divergence, jnp.asarray(alpha))
    return reduce(unfused(of_pairs(a, b, call)), weights, mask, reduction=reduction, axis_name=axis_name)


@below_half_if_robust
@jit
def cpo_loss(
    chosen_log_probs: ArrayLike,
    rejected_log_probs: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: Positive = 0.1,
    variant: Variant = "sigmoid",
    label_smoothing: EachProportion | None = None,
    margin: EachNumber | None = None,
    alpha: Finite | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Contrastive preference optimization: `dpo_loss` without a reference, of which SimPO is one with averages.

    .. math::
      \ell = \log (1 + e^{-x}), \qquad x = \beta (r_w - r_l) - m, \qquad
      r = \log \pi(y) \quad \text{or} \quad r = (1 - \pi(y)^{-\alpha}) / \alpha

    or another loss of `dpo_loss` by ``variant``, with :math:`a = \log \pi(y_w)` and :math:`b = \log \pi(y_l)`.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    The element is a pair. SimPO is this one of averages over the tokens, with ``beta=2.0`` and ``margin=1.0``, its
    :math:`\gamma` itself, as TRL and Liger subtract it, not :math:`\beta \gamma`; AlphaPO has an ``alpha`` as well.
    CPO is of sums, beside the likelihood of the better answers, which `combine` adds (TRL's adds it by itself); SLiC
    is ``variant="hinge"``.

    Choose it where there is no memory for a reference; nothing but the margin then holds the policy back, so mind the
    learning rate. Its noise model is Bradley and Terry's: the chosen answer wins with probability :math:`\sigma(x)`; a
    wrong pair pulls with :math:`\beta` at most.

    Args:
      chosen_log_probs: log-probabilities of the better answers in nats, any shape: sums over their tokens, or for SimPO
        averages, ``jaxloss.reduce(log_probs, mask=is_answer, axis=-1)``.
      rejected_log_probs: of the worse ones, of the same shape.
      beta: above 0, what a nat is worth.
      variant: which loss, see `dpo_loss`.
      label_smoothing: the share of pairs that are the wrong way round, see `dpo_loss`.
      margin: :math:`m`, by how much the better answer should be better. A scalar, or the rank of ``chosen_log_probs``
        with each dimension equal or 1.
      alpha: finite, that of the reward; None is the logarithm, as is 0.

    Returns:
      The reduced loss, at least float32; per pair, in the shape of ``chosen_log_probs``, with ``reduction="none"``.

    Raises:
      ValueError: if ``variant`` is unknown or doesn't take an option, or ``"robust"`` gets no ``label_smoothing``.

    Source: Xu et al., *Contrastive preference optimization* (2024), arXiv:2401.08417; Meng et al., *SimPO* (2024),
    arXiv:2405.14734; Gupta et al., *AlphaPO* (2025), arXiv:2501.03884.

    Example:
      >>> chosen, rejected = jnp.array([-0.5, -2.0]), jnp.array([-1.5, -1.0])
      >>> jaxloss.cpo_loss(chosen, rejected, beta=2.0, margin=1.0, reduction="none")
      Array([0.31326166, 3.0485873 ], dtype=float32)
    """
    takes(variant, label_smoothing=label_smoothing, margin=margin, alpha=alpha)
    chosen, rejected = inputs.elementwise(
        mask, chosen_log_probs=chosen_log_probs, rejected_log_probs=rejected_log_probs
    )
    divergence, alpha = ("reverse_kl", 0.0) if alpha is None else ("alpha", alpha)
    call = Call(mask, jnp.asarray(beta), variant, label_smoothing, margin, divergence, jnp.asarray(alpha))
    return reduce(unfused(of_pairs(chosen, rejected, call)), weights, mask, reduction=reduction, axis_name=axis_name)
