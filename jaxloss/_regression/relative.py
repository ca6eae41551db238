"""Losses for a number or a vector against another, by their ratio or direction."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract import inputs
from .._contract.checks import nan_unless, report
from .._contract.jit import jit
from .._contract.reduction import reduce
from .._contract.types import Array, ArrayLike, Axes, AxisName, Positive, Reduction
from .._numerics import norm
from .._numerics.derivatives import absolute, quotient, with_partials


@jit
def mape_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon: Positive | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Absolute error as a fraction of the label.

    .. math::
      \ell = \frac{|p - y|}{|y|} \qquad\text{or}\qquad \frac{|p - y|}{\max(|y|, \varepsilon)}

    A fraction, not per cent: 0.1 is ten per cent (Keras multiplies by 100).

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when an error of one in ten is as bad as of ten in a hundred and no label is near 0. It is `l1_loss` with
    the weights :math:`1 / |y|`, and so has no noise model of its own: the best constant is a median weighted toward
    small labels, which predicts low. An outlier pulls with :math:`1 / |y|`: a wrong label that is large hardly at all,
    one that is small very hard.

    Args:
      predictions: floating point, any shape.
      labels: numbers of the predictions' shape; 0 is out of range unless ``epsilon`` is given.
      epsilon: above 0, bounds the denominator from below, in the units of the labels.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: de Myttenaere et al., *Mean absolute percentage error for regression models* (2016), arXiv:1605.02541.

    Example:
      >>> jaxloss.mape_loss(jnp.array([9.0, 120.0]), jnp.array([10.0, 100.0]))
      Array(0.15, dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, harmless=1.0, predictions=predictions, labels=labels)
    if epsilon is None:
        fits = labels != 0
        report("labels", labels, fits, "not be 0 unless epsilon is given")
        size = absolute(labels) + nan_unless(fits, labels.dtype)
    else:
        size = absolute(labels)
        size = jnp.where(size >= epsilon, size, epsilon)  # maximum would multiply slopes by 0
    losses = quotient(absolute(predictions - labels), size)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def smape_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Symmetric absolute percentage error: the error as a fraction of the mean size of prediction and label.

    .. math::
      \ell = \frac{2 |p - y|}{|p| + |y|}

    A fraction between 0 and 2, not per cent; 0 where prediction and label are both 0.

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it to be measured as in the M4 forecasting competition, where labels may be 0. It has no noise model. It is
    bounded, and an outlier pulls the less the farther it lies; but a prediction of the wrong sign, or any prediction
    for a label of 0, costs 2 and has no gradient that leads away from there.

    Args:
      predictions: floating point, any shape.
      labels: numbers of the predictions' shape.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Makridakis, *Accuracy measures: theoretical and practical concerns* (1993),
    doi:10.1016/0169-2070(93)90079-3; in this form Makridakis et al. 2020, doi:10.1016/j.ijforecast.2019.04.014.

    Example:
      >>> jaxloss.smape_loss(jnp.array([100.0, 0.0, 0.0]), jnp.array([300.0, 5.0, 0.0]), reduction="none")
      Array([1., 2., 0.], dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    scale = jnp.where(jnp.maximum(jnp.abs(predictions), jnp.abs(labels)) > 1, 0.125, 1)  # exact, and nothing overflows
    predictions, labels = scale * predictions, scale * labels
    size = absolute(predictions) + absolute(labels)
    losses = quotient(2 * absolute(predictions - labels), jnp.where(size == 0, 1, size))
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def msle_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Squared error of the logarithms of one plus.

    .. math::
      \ell = \left( \log(1 + p) - \log(1 + y) \right)^2

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for amounts that span orders of magnitude and may be 0: it is about the squared relative error for large
    labels, and charges predictions that are too low more. Its noise model is the log-normal distribution of :math:`1 +
    y`. An outlier pulls with :math:`2 \log \frac{1 + y}{1 + p} / (1 + p)`, so like the logarithm of its size, without
    bound.

    Args:
      predictions: floating point above -1, any shape. (Keras clamps what is negative, and so has no gradient there.)
      labels: numbers above -1, of the predictions' shape.

    Returns:
      The reduced loss, at least float32; per element in the predictions' shape with ``reduction="none"``.

    Source: Hastie et al., *The Elements of Statistical Learning* (2009), section 2.6 (squared error, here of
    logarithms).

    Example:
      >>> jaxloss.msle_loss(jnp.array([0.0, 99.0]), jnp.array([0.0, 9.0]), reduction="none")
      Array([0.      , 5.301898], dtype=float32)
    """
    predictions, labels = inputs.elementwise(mask, predictions=predictions, labels=labels)
    p, y = inputs.valid("predictions", predictions, "(-1, inf)"), inputs.valid("labels", labels, "(-1, inf)")
    losses = _squared_log1p_difference(p, y)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def relative_l2_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    epsilon: Positive | None = None,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""Norm of the error over the norm of the label, one for each example.

    .. math::
      \ell = \frac{\lVert p - y \rVert_2}{\lVert y \rVert_2} \qquad\text{or}\qquad
      \frac{\lVert p - y \rVert_2}{\max(\lVert y \rVert_2, \varepsilon)}

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it for fields of very different size, as neural operators do: every example counts alike. It has no noise
    model. The gradient of an example is a vector of length :math:`1 / \lVert y \rVert`, however far off the prediction
    is, so an outlying example pulls no harder than others of its norm. At zero error the gradient is 0.

    Args:
      predictions: floating point, any shape with ``axis``.
      labels: numbers of the predictions' shape; a label of norm 0 is out of range unless ``epsilon`` is given.
      axis: an axis or a tuple of axes over which the norms are taken; ``axis=(1, 2)`` for fields ``[batch, x, y]``.
      epsilon: above 0, bounds the label's norm from below, in the units of the labels.

    Returns:
      The reduced loss, at least float32; per vector, without ``axis``, with ``reduction="none"``.

    Source: Li et al., *Fourier neural operator for parametric partial differential equations* (2021), arXiv:2010.08895.

    Example:
      >>> labels = jnp.array([[3.0, 4.0], [300.0, 400.0]])
      >>> jaxloss.relative_l2_loss(1.1 * labels, labels, reduction="none")
      Array([0.1, 0.1], dtype=float32)
    """
    (predictions, labels), axes = inputs.vectors(mask, axis=axis, harmless=1.0, predictions=predictions, labels=labels)
    size = norm.euclidean(labels, axes)
    if epsilon is None:
        fits = size > 0
        report(
            "labels", jnp.squeeze(size, axes), jnp.squeeze(fits, axes), "have a norm above 0 unless epsilon is given"
        )
        size = size + nan_unless(fits, size.dtype)
    else:
        size = jnp.where(size >= epsilon, size, epsilon)
    losses = jnp.squeeze(quotient(norm.euclidean(predictions - labels, axes), size), axes)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@jit
def cosine_distance(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    reduction: Reduction = "mean",
    axis_name: AxisName | None = None,
) -> Array:
    r"""One minus the cosine of the angle between two vectors.

    .. math::
      \ell = 1 - \frac{\langle p, y \rangle}{\lVert p \rVert_2 \lVert y \rVert_2}

    Between 0 and 2; 1, without gradient, where one of them is 0. (Keras' ``CosineSimilarity`` is one less.)

    ``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`.

    Choose it when only the direction counts, as for embeddings. Its noise model is the von Mises-Fisher distribution.
    The gradient is orthogonal to the prediction, never longer than :math:`1 / \lVert p \rVert`, and vanishes for
    opposite directions as it does for equal ones: an outlier at the far side hardly pulls at all.

    Args:
      predictions: floating point, any shape with ``axis``.
      labels: numbers of the predictions' shape.
      axis: the axis of the vectors, or a tuple of axes.

    Returns:
      The reduced loss, at least float32; per vector, without ``axis``, with ``reduction="none"``.

    Source: Salton and McGill, *Introduction to Modern Information Retrieval* (1983).

    Example:
      >>> predictions = jnp.array([[2.0, 0.0], [0.0, 1e-25], [-2.0, 0.0], [0.0, 0.0]])
      >>> jaxloss.cosine_distance(predictions, jnp.tile(jnp.array([3.0, 0.0]), (4, 1)), reduction="none")
      Array([0., 1., 2., 1.], dtype=float32)
    """
    (predictions, labels), axes = inputs.vectors(mask, axis=axis, predictions=predictions, labels=labels)
    losses = jnp.squeeze(norm.one_minus_cosine(predictions, labels, axes), axes)
    return reduce(losses, weights, mask, reduction=reduction, axis_name=axis_name)


@with_partials(lambda p, y: 1 / (1 + p), lambda p, y: -1 / (1 + y))
def _log1p_difference(p: Array, y: Array) -> Array:
    """``log1p(p) - log1p(y)``, in one logarithm where the two are close."""
    ratio = (p - y) / (1 + y)
    near = jnp.abs(ratio) < 0.5
    return jnp.where(near, jnp.log1p(jnp.where(near, ratio, 0)), jnp.log1p(p) - jnp.log1p(y))


@with_partials(lambda p, y: 2 * _log1p_difference(p, y) / (1 + p), lambda p, y: -2 * _log1p_difference(p, y) / (1 + y))
def _squared_log1p_difference(p: Array, y: Array) -> Array:
    return jnp.square(_log1p_difference(p, y))
