"""Losses for a number against a number, by the error alone."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from .._contract import inputs
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, AxisName, EachNonNegative, EachPositive, Reduction
from .._numerics.derivatives import absolute, quotient, square, unbounded, with_partials
from .._numerics.elementary import log_cosh, smooth_l1


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
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
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
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    losses = square(predictions - labels)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def huber_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    delta: EachPositive = 1.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Quadratic for small errors, linear for large ones.

    .. math::
      \ell = \begin{cases} \tfrac{1}{2} e^2 & |e| \le \delta \\ \delta (|e| - \tfrac{1}{2} \delta) & |e| > \delta
      \end{cases} \qquad e = p - y

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for mostly clean labels with some outliers: near zero it learns as smoothly as `mse_loss`, and an outlier
    pulls with :math:`\delta` and no harder. Its noise model is a Gaussian with the tails of a Laplace distribution. Set
    ``delta`` to the size of an ordinary error.

    Args:
      predictions: floating point, any shape.
      labels: numbers of the predictions' shape.
      delta: above 0, the error at which the loss turns linear, in the units of the labels. A scalar, or the
        predictions' rank with each dimension equal or 1.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Huber, *Robust estimation of a location parameter* (1964), doi:10.1214/aoms/1177703732.

    Example:
      >>> jaxloss.huber_loss(jnp.array([0.5, 3.0]), jnp.zeros(2), reduction="none")
      Array([0.125, 2.5  ], dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    delta = inputs.parameter("delta", delta, "(0, inf)", mask, predictions)
    losses = _huber(predictions - labels, delta)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def smooth_l1_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: EachNonNegative = 1.0,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Absolute error with a rounded tip; `huber_loss` divided by its threshold.

    .. math::
      \ell = \begin{cases} e^2 / 2\beta & |e| < \beta \\ |e| - \tfrac{1}{2} \beta & |e| \ge \beta \end{cases}
      \qquad e = p - y

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it where `l1_loss` is right but jitters around zero error, as for bounding boxes: an outlier pulls with 1,
    whatever ``beta`` is. Its noise model is a Laplace distribution with a rounded peak. With ``beta=0`` it is
    `l1_loss`, in the gradient too.

    Args:
      predictions: floating point, any shape.
      labels: numbers of the predictions' shape.
      beta: at least 0, the error at which the loss turns linear, in the units of the labels. A scalar, or the
        predictions' rank with each dimension equal or 1.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Girshick, *Fast R-CNN* (2015), arXiv:1504.08083.

    Example:
      >>> jaxloss.smooth_l1_loss(jnp.array([0.5, 3.0]), jnp.zeros(2), beta=2.0, reduction="none")
      Array([0.0625, 2.    ], dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    beta = inputs.parameter("beta", beta, "[0, inf)", mask, predictions)
    losses = smooth_l1(predictions - labels, beta)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def log_cosh_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Logarithm of the hyperbolic cosine of the error: a Huber loss without a corner.

    .. math::
      \ell = \log \cosh(p - y)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it like `huber_loss`, where the second derivative matters too: it is about half the squared error for small
    errors and :math:`|e| - \log 2` for large ones, so an outlier pulls with 1. Its noise model is the hyperbolic secant
    distribution. Errors of about 1 are where it turns: scale the labels accordingly.

    Args:
      predictions: floating point, any shape.
      labels: numbers of the predictions' shape.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Green, *Bayesian reconstructions from emission tomography data* (1990), doi:10.1109/42.52985.

    Example:
      >>> jaxloss.log_cosh_loss(jnp.array([1e-4, 1e30]), jnp.zeros(2), reduction="none")
      Array([5.e-09, 1.e+30], dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    losses = log_cosh(predictions - labels)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def charbonnier_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: EachPositive = 1e-3,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Absolute error with a tip rounded by a hyperbola; the pseudo-Huber loss but for a constant and a factor.

    .. math::
      \ell = \sqrt{(p - y)^2 + s^2}

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for images and flow fields, where `l1_loss` is right but must be smooth: it has all derivatives, and an
    outlier pulls with 1. Its noise model is the symmetric hyperbolic distribution. A perfect prediction costs
    ``scale``, not 0.

    Args:
      predictions: floating point, any shape.
      labels: numbers of the predictions' shape.
      scale: above 0, the width of the tip in the units of the labels. A scalar, or the predictions' rank with each
        dimension equal or 1.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Charbonnier et al., *Two deterministic half-quadratic regularization algorithms* (1994),
    doi:10.1109/ICIP.1994.413553; in this form Lai et al. 2017, arXiv:1704.03915.

    Example:
      >>> jaxloss.charbonnier_loss(jnp.array([0.0, 4.0]), jnp.zeros(2), scale=3.0, reduction="none")
      Array([3., 5.], dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    scale = inputs.parameter("scale", scale, "(0, inf)", mask, predictions)
    losses = _hypotenuse(predictions - labels, scale)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@with_partials(
    lambda error, delta: jnp.clip(error, -delta, delta),
    unbounded(lambda error, delta: jnp.maximum(jnp.abs(error) - delta, 0)),
)
def _huber(error: Array, delta: Array) -> Array:
    distance = jnp.abs(error)
    quadratic = jnp.minimum(distance, delta)
    return 0.5 * jnp.square(quadratic) + delta * (distance - quadratic)


def _hypotenuse_parts(error: Array, scale: Array) -> tuple[Array, Array, Array]:
    """Whether the error is the smaller of the two, how much smaller that one is, and 1 over their hypotenuse at 1."""
    near = jnp.abs(error) < scale
    small = quotient(jnp.where(near, error, scale), jnp.where(near, scale, error))
    return near, small, lax.rsqrt(1 + jnp.square(small))


def _sine(error: Array, scale: Array) -> Array:
    near, small, root = _hypotenuse_parts(error, scale)
    return jnp.where(near, small, jnp.sign(error)) * root


def _cosine(error: Array, scale: Array) -> Array:
    near, small, root = _hypotenuse_parts(error, scale)
    return jnp.where(near, 1, absolute(small)) * root


@with_partials(_sine, _cosine)
def _hypotenuse(error: Array, scale: Array) -> Array:
    near, small, _ = _hypotenuse_parts(error, scale)
    return jnp.where(near, scale, jnp.abs(error)) * jnp.sqrt(1 + jnp.square(small))
