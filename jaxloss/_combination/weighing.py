"""How much each of several losses should count."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import jax
import jax.numpy as jnp
from jax import lax

from .._contract.jit import jit
from .._contract.messages import calling, kind_of, message
from .._contract.types import Array, ArrayLike, NonNegative, Positive
from .._numerics.derivatives import absolute, clip_to_finite, times, with_partials
from .named import Loss, add_up, known_names, means, same_names, sizes


@calling("uncertainty_weighting")
def uncertainty_weighting(
    losses: Mapping[str, Loss], log_variances: Mapping[str, ArrayLike], *, classification: str | Collection[str] = ()
) -> tuple[Array, dict[str, Array]]:
    r"""Losses weighted by how uncertain each task is, which is learned.

    .. math::
      \ell = \sum_k c_k e^{-s_k} \ell_k + \tfrac{1}{2} s_k

    with the log-variances :math:`s_k` and :math:`c_k` 1 for cross entropies, 1/2 for others. Of squared errors it is
    the negative log-likelihood of Gaussian noise, one variance a task, whose best value is the mean squared error; of
    cross entropies about that of a softmax with a temperature. (Some implementations take 1/2 for all, some 1.)

    Choose it for tasks whose losses have different units or noise. A task that is learned perfectly, or by heart, gets
    weight without bound; give such a task a weight by hand (`combine`).

    Args:
      losses: by name, each a scalar or a `Total`, which counts with its mean.
      log_variances: by the same names, scalars; parameters to be trained along with the model's, from 0 or from
        the logarithms of the first losses, which far from 1 is much better; and at a learning rate of their own.
      classification: the names of the losses that are cross entropies, or the one name.

    Returns:
      The sum, and the losses by name, without their weights; at least float32.

    Raises:
      ValueError: if a name is missing or unknown, or a loss or a log-variance isn't a scalar.

    Source: Kendall et al., *Multi-task learning using uncertainty to weigh losses* (2018), arXiv:1705.07115.

    Example:
      >>> losses = {"class": jnp.array(0.5), "depth": jnp.array(4.0)}
      >>> log_variances = {"class": jnp.array(0.0), "depth": jnp.log(4.0)}
      >>> jaxloss.uncertainty_weighting(losses, log_variances, classification={"class"})[0]
      Array(1.6931472, dtype=float32)
    """
    if isinstance(classification, str):
        classification = (classification,)
    try:
        hash(tuple(classification))
    except TypeError:
        says = f"classification must be a name or a collection of names, got {classification!r}"
        raise TypeError(message(says)) from None
    same_names("losses", losses, "log_variances", log_variances)
    known_names("losses", losses, "classification", classification)
    parts, scales = means("losses", losses), means("log_variances", log_variances)
    terms = []
    for name, loss in parts.items():
        scale = scales[name].astype(loss.dtype)
        terms.append((1 if name in classification else 0.5) * _precise(loss, scale) + 0.5 * scale)
    return add_up(terms), parts


def _times_exp(loss: Array, s: Array) -> Array:
    half = jnp.exp(-0.5 * s)  # in two steps, lest it overflow, and a loss of 0 with it
    return jnp.where(loss == 0, 0, loss * half * half)


# ``exp(-s) * loss``, with slopes that are finite: a task that is learned, or absent, has a slope of 0 to multiply.
_precise = with_partials(lambda loss, s: clip_to_finite(jnp.exp(-s)), lambda loss, s: -_times_exp(loss, s))(_times_exp)


@jit
def dynamic_weight_average(history: Sequence[Mapping[str, Loss]], *, temperature: Positive = 2.0) -> dict[str, Array]:
    r"""Weights by how slowly each loss falls.

    .. math::
      w_k = K \operatorname{softmax}_k \left( \frac{\ell_k^{(-1)}}{\ell_k^{(-2)} T} \right)

    of the last two of the history, for :math:`K` losses. They sum to :math:`K`.

    Choose it where tasks learn at different speeds; it needs no gradients, and does nothing about different units. For
    the ``weights`` of `combine`.

    Args:
      history: the losses of past epochs by name, the last one last, without weights, each a scalar of at least 0 or
        a `Total`, which counts with its mean. A ratio to a loss of 0, or to a `Total` of nothing, counts as 1; so with
        fewer than two epochs all weigh 1.
      temperature: above 0, :math:`T`; the larger, the more equal the weights.

    Returns:
      The weights by name, constant for differentiation; at least float32.

    Raises:
      ValueError: if ``history`` is empty, its names differ, or a loss isn't a scalar.

    Source: Liu et al., *End-to-end multi-task learning with attention* (2019), arXiv:1803.10704.

    Example:
      >>> epochs = [{"class": 1.0, "depth": 1.0}, {"class": 0.5, "depth": 0.9}]
      >>> jaxloss.dynamic_weight_average(epochs)
      {'class': Array(0.900332, dtype=float32), 'depth': Array(1.0996679, dtype=float32)}
    """
    if not isinstance(history, Sequence) or not history:
        alone = "one alone" if isinstance(history, Mapping) else kind_of(history)
        got = "none" if isinstance(history, Sequence) else alone
        raise ValueError(message(f"history must be a list of at least one mapping of names to losses, got {got}"))
    before, last = history[-2:] if len(history) > 1 else (history[-1], history[-1])
    same_names("history[-2]", before, "history[-1]", last)
    now = sizes("history[-1]", last)
    rates, largest = _loss_ratios(now, sizes("history[-2]", before))
    steepness = jnp.exp(jnp.minimum(largest - jnp.log(jnp.asarray(temperature, rates.dtype)), 80))
    shares = jax.nn.softmax(steepness * (rates - 1))
    return dict(zip(now, lax.stop_gradient(len(now) * shares)))


@jit
def gradnorm_loss(
    weights: Mapping[str, ArrayLike],
    gradient_norms: Mapping[str, ArrayLike],
    losses: Mapping[str, Loss],
    initial_losses: Mapping[str, Loss],
    *,
    alpha: NonNegative = 1.5,
) -> Array:
    r"""How unevenly losses pull on what they share, as a loss for their weights.

    .. math::
      \ell = \sum_k \left| w_k g_k - \bar{G} r_k^\alpha \right| \qquad
      r_k = \frac{\ell_k / \ell_k^{(0)}}{\tfrac{1}{K} \sum_j \ell_j / \ell_j^{(0)}} \qquad
      \bar{G} = \tfrac{1}{K} \textstyle\sum_j w_j g_j

    with the norms :math:`g_k` of the unweighted losses' gradients in the shared parameters, often those of the last
    shared layer. Only the weights of the first term are differentiated by: the targets are constant.

    Choose it to balance tasks by what they do to the shared layers. After each step of the weights, scale them to sum
    to their number, as the paper does; and train their logarithms, or large gradients drive them below 0, where the
    loss is NaN.

    Args:
      weights: by name, scalars of at least 0: what to differentiate by.
      gradient_norms: by the same names, scalars of at least 0.
      losses: by the same names, each a scalar of at least 0 or a `Total`, which counts with its mean.
      initial_losses: those of the first step. A ratio to a loss of 0 counts as 1.
      alpha: how much more those that learn slowly shall pull; 0 makes all pull alike.

    Returns:
      A scalar, at least float32.

    Raises:
      ValueError: if a name is missing or unknown, or something isn't a scalar.

    Source: Chen et al., *GradNorm* (2018), arXiv:1711.02257.

    Example:
      >>> weights, norms = {"class": 1.0, "depth": 1.0}, {"class": 1.0, "depth": 3.0}
      >>> losses, initial = {"class": 0.5, "depth": 0.5}, {"class": 1.0, "depth": 1.0}
      >>> jax.grad(jaxloss.gradnorm_loss)(weights, norms, losses, initial)
      {'class': Array(-1., dtype=float32, weak_type=True), 'depth': Array(3., dtype=float32, weak_type=True)}
    """
    given = {"gradient_norms": gradient_norms, "losses": losses, "initial_losses": initial_losses}
    for name, mapping in given.items():
        same_names("weights", weights, name, mapping)
    factors, norms = sizes("weights", weights), sizes("gradient_norms", gradient_norms)
    pulls = jnp.stack([factors[name] * lax.stop_gradient(norms[name]).astype(factors[name].dtype) for name in factors])
    now, before = sizes("losses", losses), sizes("initial_losses", initial_losses)
    rate = _loss_ratios({name: now[name] for name in factors}, before)[0].astype(pulls.dtype)
    relative = rate / jnp.mean(rate)
    target = times(jnp.sum(pulls / pulls.size), relative ** jnp.asarray(alpha, pulls.dtype))
    return jnp.sum(absolute(pulls - lax.stop_gradient(target)))


def _loss_ratios(now: dict[str, Array], before: dict[str, Array]) -> tuple[Array, Array]:
    """How far each loss has come, as a share of what it was, in units of the largest; and the logarithm of that one."""
    a = jnp.stack([*now.values()])
    b = jnp.stack([before[name].astype(a.dtype) for name in now])
    none, b = b == 0, jnp.where(b == 0, 1, b)
    ratio, log = jnp.where(none, 1, jnp.clip(a / b, 0, 1e30)), jnp.where(none, 0, jnp.log(a) - jnp.log(b))
    top, largest = jnp.max(log), jnp.max(ratio)
    far = jnp.isfinite(top) & (jnp.abs(top) > 60)  # out of range, or nearly
    near = jnp.where(largest == 0, 1, ratio / jnp.where(largest == 0, 1, largest))
    return jnp.where(far, jnp.exp(log - jnp.where(far, top, 0)), near), top
