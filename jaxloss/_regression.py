"""Losses for a number against a number."""

from __future__ import annotations

import jax.numpy as jnp

from . import _inputs
from ._derivatives import absolute
from ._jit import jit
from ._reduction import reduce
from ._types import Array, ArrayLike, AxisName, Reduction


@jit
def l1_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Absolute error, also known as MAE.

    .. math::
      \ell = |p - y|

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when some labels are wrong or the noise has heavy tails: the gradient is the sign of the error, so an
    outlier pulls no harder than anything else, and the best constant is the median. Its noise model is the Laplace
    distribution. At zero error the gradient is 0.

    Args:
      predictions: floating point, any shape.
      labels: numbers of the predictions' shape.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Laplace, *Mémoire sur la probabilité des causes par les évènements* (1774).

    Example:
      >>> jaxloss.l1_loss(jnp.array([1.0, 2.0, 6.0]), jnp.array([1.0, 4.0, 2.0]))
      Array(2., dtype=float32)
    """
    predictions, labels = _inputs.elementwise(mask, predictions=predictions, labels=labels)
    losses = absolute(predictions - labels)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def mse_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Squared error.

    .. math::
      \ell = (p - y)^2

    Optax's ``l2_loss`` is half of it.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for clean labels with noise of one size: the best constant is the mean, and training slows down by itself
    as errors shrink. Its noise model is the Gaussian. The gradient grows with the error without bound, so a few wrong
    labels can own the fit; `l1_loss` is then the safer one.

    Args:
      predictions: floating point, any shape.
      labels: numbers of the predictions' shape.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Legendre, *Nouvelles méthodes pour la détermination des orbites des comètes* (1805).

    Example:
      >>> jaxloss.mse_loss(jnp.array([1.0, 2.0, 6.0]), jnp.array([1.0, 4.0, 2.0]), mask=jnp.array([1, 1, 0]))
      Array(2., dtype=float32)
    """
    predictions, labels = _inputs.elementwise(mask, predictions=predictions, labels=labels)
    losses = jnp.square(predictions - labels)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)
