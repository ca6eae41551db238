"""Cross entropies bent: losses of a class that are a function of its probability alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_derivatives import SymbolicZero

from . import _inputs
from ._checks import message, real
from ._classification import weigh_classes
from ._derivatives import finite_at_zero, squarable, times, with_partials
from ._jit import jit
from ._reduction import reduce
from ._softmax import every_nll, hard_nll, peak, soft_nll
from ._special import exp_remainder, exprel, exprel_slope
from ._types import Array, ArrayLike, AxisName, Finite, NonNegative, NonPositive, Proportion, Reduction


@jit
def softmax_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma: NonNegative = 2.0,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy of the softmax that turns away from easy examples.

    .. math::
      \ell = -(1 - p_y)^\gamma \log p_y \qquad\text{or, for probabilities}\qquad
      \ell = -\sum_c y_c (1 - p_c)^\gamma \log p_c \qquad p = \mathrm{softmax}(z)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when a few hard classes drown in many easy examples. It has no noise model: it isn't proper, and its
    probabilities come out less sure than they should be, which often helps an overconfident network. A wrong label
    pulls as hard as under `cross_entropy`. Keras' ``CategoricalFocalCrossentropy`` multiplies all of it by ``alpha``,
    0.25.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``.
      labels: class indices, the logits' shape without the class axis; or probabilities of the logits' shape, for which
        the loss is the expected one. The dtype decides.
      gamma: at least 0; 0 is `cross_entropy`.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its label. The mean divides by these
        weights too.
      ignore_index: integer labels of this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Lin et al., *Focal loss for dense object detection* (2017), arXiv:1708.02002.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> jaxloss.softmax_focal_loss(logits, jnp.array([0, 1]), reduction="none")
      Array([0.01086933, 4.9469457 ], dtype=float32)
    """
    losses, weights, mask = _bent(
        _focal,
        (gamma,),
        logits,
        labels,
        weights,
        mask,
        axis=axis,
        class_weights=class_weights,
        ignore_index=ignore_index,
    )
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def poly1_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon: Finite = 1.0,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    label_smoothing: Proportion | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy with its first polynomial coefficient changed.

    .. math::
      \ell = -\log p_y + \varepsilon (1 - p_y) \qquad p = \mathrm{softmax}(z)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it as a cheap variation of `cross_entropy`: one number to tune, above 0 for more weight on examples that are
    nearly right, below 0 (not under -1) for less. It has no noise model of its own. A wrong label pulls with 1 at most,
    as under `cross_entropy`. Optax' default is ``epsilon=2``.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``.
      labels: class indices, the logits' shape without the class axis; or probabilities of the logits' shape, for which
        the loss is the expected one. The dtype decides.
      epsilon: any number; 0 is `cross_entropy`.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its label. The mean divides by these
        weights too.
      ignore_index: integer labels of this value are masked. None ignores nothing.
      label_smoothing: in [0, 1], over all classes.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Leng et al., *PolyLoss* (2022), arXiv:2204.12511.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> jaxloss.poly1_cross_entropy(logits, jnp.array([0, 1]), reduction="none")
      Array([0.4525587, 6.006737 ], dtype=float32)
    """
    losses, weights, mask = _bent(
        _poly1,
        (epsilon,),
        logits,
        labels,
        weights,
        mask,
        axis=axis,
        class_weights=class_weights,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
    )
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def generalized_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    q: Proportion = 0.7,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Between cross entropy and mean absolute error, by one number.

    .. math::
      \ell = \frac{1 - p_y^q}{q} \qquad p = \mathrm{softmax}(z)

    with its limit :math:`-\log p_y` at :math:`q = 0`; at 1 it is half the absolute error between the probabilities and
    the one-hot label.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when many labels are wrong. Its noise model is labels flipped at random. An example pulls with
    :math:`p_y^q (1 - p_y)`: a label that the model finds impossible pulls hardly at all, which protects from wrong
    labels and makes the beginning of the training slow.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``.
      labels: class indices, the logits' shape without the class axis; or probabilities of the logits' shape, for which
        the loss is the expected one. The dtype decides.
      q: in [0, 1].
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its label. The mean divides by these
        weights too.
      ignore_index: integer labels of this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Zhang and Sabuncu 2018, *Generalized cross entropy loss for training deep neural networks with noisy
    labels*, arXiv:1805.07836.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> jaxloss.generalized_cross_entropy(logits, jnp.array([0, 1]), reduction="none")
      Array([0.22053815, 1.3858346 ], dtype=float32)
    """
    losses, weights, mask = _bent(
        _box_cox,
        (q,),
        logits,
        labels,
        weights,
        mask,
        axis=axis,
        class_weights=class_weights,
        ignore_index=ignore_index,
    )
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def symmetric_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: NonNegative = 0.1,
    beta: NonNegative = 1.0,
    log_zero: NonPositive = -4.0,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy plus cross entropy with label and prediction exchanged.

    .. math::
      \ell = -\alpha \log p_y - \beta A (1 - p_y) \qquad p = \mathrm{softmax}(z)

    where :math:`A` stands for the :math:`\log 0` of a one-hot label.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when many labels are wrong: the second term, a mean absolute error, is bounded and keeps learning from
    clean labels; the first keeps it fast. Its noise model is labels flipped at random. A wrong label pulls with
    :math:`\alpha` at most where the model finds it impossible.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``.
      labels: class indices, the logits' shape without the class axis; or probabilities of the logits' shape, for which
        the loss is the expected one. The dtype decides.
      alpha: at least 0, the strength of the cross entropy.
      beta: at least 0, the strength of the reversed one.
      log_zero: :math:`A`, at most 0.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its label. The mean divides by these
        weights too.
      ignore_index: integer labels of this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Wang et al., *Symmetric cross entropy for robust learning with noisy labels* (2019), arXiv:1908.06112.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> jaxloss.symmetric_cross_entropy(logits, jnp.array([0, 1]), reduction="none")
      Array([0.8760102, 4.4747453], dtype=float32)
    """
    losses, weights, mask = _bent(
        lambda nll, alpha, price: times(alpha, nll) + price * _miss(nll),
        (alpha, jnp.multiply(beta, -jnp.asarray(log_zero))),
        logits,
        labels,
        weights,
        mask,
        axis=axis,
        class_weights=class_weights,
        ignore_index=ignore_index,
    )
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def taylor_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    order: int = 2,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Cross entropy cut off after the first terms of its Taylor series.

    .. math::
      \ell = \sum_{k=1}^{t} \frac{(1 - p_y)^k}{k} \qquad p = \mathrm{softmax}(z)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when many labels are wrong. Its noise model is labels flipped at random: order 1 is half the absolute
    error and forgets them entirely, a large order comes close to `cross_entropy`. An example pulls with :math:`p_y (1 -
    (1 - p_y)^t)` at most, so an impossible label hardly at all.

    Args:
      logits: scores before the softmax, ``[..., classes]``, the class axis at ``axis``.
      labels: class indices, the logits' shape without the class axis; or probabilities of the logits' shape, for which
        the loss is the expected one. The dtype decides.
      order: the number of terms, at least 1.
      axis: the class axis; ``axis=1`` for images as PyTorch lays them out.
      class_weights: ``[classes]``; an example counts with the (expected) weight of its label. The mean divides by these
        weights too.
      ignore_index: integer labels of this value are masked. None ignores nothing.

    Returns:
      The reduced loss, at least float32; per example, without the class axis, with ``reduction="none"``.

    Source: Feng et al., *Can cross entropy loss be robust to label noise?* (2020), doi:10.24963/ijcai.2020/305.

    Example:
      >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 5.0]])
      >>> jaxloss.taylor_cross_entropy(logits, jnp.array([0, 1]), reduction="none")
      Array([0.2357014, 1.4867254], dtype=float32)
    """
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise ValueError(message(f"order must be an integer of at least 1, got {order!r}"))
    losses, weights, mask = _bent(
        lambda nll: _taylor(_miss(nll), order),
        (),
        logits,
        labels,
        weights,
        mask,
        axis=axis,
        class_weights=class_weights,
        ignore_index=ignore_index,
    )
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


def _bent(
    curve: Callable[..., Array],
    options: tuple[ArrayLike, ...],
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None,
    mask: ArrayLike | None,
    *,
    label_smoothing: ArrayLike | None = None,
    class_weights: ArrayLike | None,
    **door: Any,
) -> tuple[Array, ArrayLike | None, ArrayLike | None]:
    """The expected `curve` of the negative log-likelihood of the label, with what `reduce` needs besides."""
    logits, labels, doubt, axis, mask, _ = _inputs.classes(mask, labels, logits=logits, **door)
    top = peak(logits, doubt, axis)
    if real(labels):
        losses, log_normalizer = _expected(curve, axis, logits, top, labels, *map(jnp.asarray, options))
    else:
        nll, log_normalizer = hard_nll(logits, top, labels, axis)
        losses = curve(nll, *options)
    if label_smoothing is not None:
        uniform = jnp.mean(curve(every_nll(logits, top, log_normalizer), *options), axis, keepdims=True)
        losses = times(1 - label_smoothing, losses) + times(label_smoothing, uniform)
    losses = jnp.squeeze(losses, axis)
    weights = weigh_classes(weights, class_weights, labels, mask, axis, losses, logits.shape[axis])
    return losses, weights, mask


@functools.partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def _expected(
    curve: Callable[..., Array], axis: int, z: Array, top: Array, labels: Array, *options: Array
) -> tuple[Array, Array]:
    """For each row the expected `curve` under its label's distribution, and log sum exp(z - top)."""
    _, log_normalizer = soft_nll(z, top, labels, axis)
    terms = times(labels, curve(every_nll(z, top, log_normalizer), *options))
    return jnp.sum(terms, axis, keepdims=True), log_normalizer


def _expected_rule(
    curve: Callable[..., Array], axis: int, primals: tuple[Array, ...], tangents: tuple[Any, ...]
) -> tuple[Any, Any]:
    """In the logits it is `soft_nll` with the slopes of the curve for labels, and as accurate."""
    z, top, labels, *options = primals
    d_z, _, d_labels, *d_options = tangents
    _, log_normalizer = soft_nll(z, top, labels, axis)
    nll = every_nll(z, top, log_normalizer)
    costs, slopes = jax.jvp(lambda nll: curve(nll, *options), (nll,), (jnp.ones_like(nll),))
    changes = [jnp.zeros_like(top), jnp.zeros_like(top)]
    if not isinstance(d_z, SymbolicZero):
        held = lax.stop_gradient(top), times(labels, slopes)
        _, changes = jax.jvp(lambda z: soft_nll(z, *held, axis), (z,), (d_z,))
    if not isinstance(d_labels, SymbolicZero):
        changes[0] += jnp.sum(finite_at_zero(labels, costs) * d_labels, axis, keepdims=True)
    for place, d_option in enumerate(d_options):
        if not isinstance(d_option, SymbolicZero):
            by_option = lambda option: curve(nll, *options[:place], option, *options[place + 1 :])  # noqa: B023, E731
            _, partial = jax.jvp(by_option, (options[place],), (jnp.ones_like(options[place]),))
            changes[0] += jnp.sum(times(labels, partial), axis, keepdims=True) * d_option
    return (jnp.sum(times(labels, costs), axis, keepdims=True), log_normalizer), tuple(changes)


_expected.defjvp(_expected_rule, symbolic_zeros=True)


@with_partials(lambda nll: jnp.exp(-nll))
def _miss(nll: Array) -> Array:
    """The probability of all other classes."""
    return -jnp.expm1(-nll)


@with_partials(lambda nll, epsilon: (1 + epsilon) - epsilon * _miss(nll), lambda nll, epsilon: _miss(nll))
def _poly1(nll: Array, epsilon: Array) -> Array:
    near = nll < 1
    small = jnp.where(near, nll, 0)
    return jnp.where(near, (1 + epsilon) * small - epsilon * exp_remainder(-small), nll + epsilon * _miss(nll))


def _power(nll: Array, gamma: Array) -> Array:
    """``(1 - p) ** gamma``, with a derivative at p = 1 that isn't infinite."""
    return jnp.maximum(_miss(nll), jnp.finfo(nll.dtype).tiny) ** gamma


def _focal_slope(nll: Array, gamma: Array) -> Array:
    finite = squarable(nll)
    return _power(nll, gamma) * (1 + gamma * jnp.exp(-finite) / exprel(-finite))


def _focal_by_gamma(nll: Array, gamma: Array) -> Array:
    finite = squarable(nll)
    return _power(nll, gamma) * (finite * jnp.log(jnp.maximum(_miss(nll), jnp.finfo(nll.dtype).tiny)))


@with_partials(_focal_slope, _focal_by_gamma)
def _focal(nll: Array, gamma: Array) -> Array:
    return _miss(nll) ** gamma * nll


def _box_cox_by_q(nll: Array, q: Array) -> Array:
    finite = squarable(nll)
    return -finite * (finite * exprel_slope(-q * finite))


@with_partials(lambda nll, q: jnp.exp(-q * squarable(nll)), _box_cox_by_q)
def _box_cox(nll: Array, q: Array) -> Array:
    """``(1 - p ** q) / q``, the logarithm at q = 0."""
    finite = squarable(nll)
    return jnp.where(q == 0, nll, finite * exprel(-q * finite))


def _taylor(miss: Array, order: int) -> Array:
    total = jnp.zeros_like(miss)
    for k in range(order, 0, -1):
        total = miss * (1 / k + total)
    return total
