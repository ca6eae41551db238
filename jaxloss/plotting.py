"""Pictures of losses, drawn by matplotlib: ``pip install jaxloss[plotting]``. The package itself never imports this."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ._contract.types import Array, ArrayLike


try:
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
except ImportError as error:
    raise ImportError("jaxloss.plotting needs matplotlib: pip install jaxloss[plotting]") from error

__all__ = ["plot_landscape", "plot_loss"]

Loss: TypeAlias = Callable[..., Array]
Span: TypeAlias = tuple[float, float]


def plot_loss(
    *losses: Loss | Mapping[str, Loss],
    over: str | Callable[[Array], tuple[Any, ...]] | None = None,
    label: ArrayLike | Sequence[float] | None = None,
    span: Span | None = None,
    axes: Sequence[Axes] | None = None,
) -> tuple[Axes, Axes]:
    """Value and gradient of one or several losses, side by side.

    Options are given with ``functools.partial``, and stand in the legend. What the number along the axis is follows
    from the name of the first loss's first argument, and from whether there is an ``axis`` of classes:

    ============================  ===========================================  =============================
    ``over``                      first argument                               label
    ============================  ===========================================  =============================
    ``"error"``                   the label plus this number                   0
    ``"prediction"``              this number                                  1
    ``"logit"``                   this number                                  1
    ``"score"``                   this number                                  1
    ``"probability"``             this number                                  1
    ``"distance"``                this number                                  1
    ``"logit of a class"``        this number for the first class, else 0      0, the first of three classes
    ``"score of a class"``        this number for the first class, else 0      0, the first of three classes
    ``"probability of a class"``  this number for the first class, of the      (0.6, 0.2, 0.2)
                                  rest equal parts for the others; or the
                                  logarithms of these for ``log_probs``
    ============================  ===========================================  =============================

    Args:
      losses: functions, or mappings from names for the legend to functions. Those of this package, or any that take
        predictions and labels and return a number.
      over: one of the strings above, or a function from a number to the arguments, which shows any loss over anything;
        the axis is then named after the function's own argument.
      label: another label than the table's; for classes the index of one of three, or one number for each class.
      span: the lowest and the highest number along the axis.
      axes: a pair of axes to draw into. None makes a new figure.

    Returns:
      The axes of the values and those of the gradients.

    Raises:
      ValueError: if there is no loss, or ``over`` is unknown.

    Example:
      >>> from functools import partial
      >>> from jaxloss.plotting import plot_loss
      >>> values, gradients = plot_loss(jaxloss.l1_loss, jaxloss.huber_loss, partial(jaxloss.huber_loss, delta=3.0))
      >>> [line.get_label() for line in values.lines]
      ['l1_loss', 'huber_loss', 'huber_loss(delta=3.0)']
      >>> values, gradients = plot_loss(jaxloss.cross_entropy, over=lambda z: (jnp.stack([z, 0 * z]), 1))
      >>> values.get_xlabel()
      'z'
    """
    curves: list[tuple[str, Loss]] = []
    for loss in losses:
        curves += loss.items() if isinstance(loss, Mapping) else [(_name(loss), loss)]
    if not curves:
        raise ValueError("plot_loss: losses must be given, got none")
    over = _over(curves[0][1]) if over is None else over
    if isinstance(over, str):
        if over not in _WAYS:
            raise ValueError(f"plot_loss: over must be {', '.join(map(repr, _WAYS))} or a function, got {over!r}")
        usual_span, usual_label, first = _WAYS[over]
        y: Any = usual_label if label is None else label
        y = jnp.asarray(y) if np.ndim(y) else y
        arguments, xlabel = lambda x: (first(x, y), y), over
    else:
        usual_span, arguments, xlabel = (-4, 4), over, _first_parameter(over)
    # An odd number of points, so that the middle is one of them; NumPy's, because JAX's may miss 0 there by a little.
    x = jnp.asarray(np.linspace(*(span or usual_span), 401))
    left, right = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")[1] if axes is None else axes
    for name, loss in curves:

        def value(x: Array, loss: Loss = loss) -> Array:
            first, *rest = arguments(x)
            log = over == "probability of a class" and _first_parameter(loss) == "log_probs"
            return loss(jnp.log(first) if log else first, *rest)

        values, slopes = jax.jit(jax.vmap(jax.value_and_grad(value)))(x)
        left.plot(x, values, label=name)
        right.plot(x, slopes, label=name)
    left.set(title="Loss", xlabel=xlabel)
    right.set(title="Gradient", xlabel=xlabel)
    left.legend()
    return left, right


def plot_landscape(
    loss: Callable[[Array, Array], Array], x: Span = (-4, 4), y: Span = (-4, 4), *, ax: Axes | None = None
) -> Axes:
    """A loss over two parameters: its value in colour, arrows downhill, and a cross at the lowest point drawn.

    Args:
      loss: a function of two numbers, after whose arguments the axes are named.
      x: the lowest and the highest first number.
      y: the lowest and the highest second number.
      ax: the axes to draw into. None makes a new figure.

    Returns:
      The axes.

    Example:
      >>> from jaxloss.plotting import plot_landscape
      >>> inputs, labels = jnp.array([0.0, 1.0, 2.0]), jnp.array([1.0, 3.0, 5.0])
      >>> ax = plot_landscape(lambda slope, bias: jaxloss.mse_loss(slope * inputs + bias, labels))
      >>> ax.get_xlabel(), ax.get_ylabel()
      ('slope', 'bias')
    """
    across, up = np.linspace(*x, 81), np.linspace(*y, 81)
    grid = np.stack(np.meshgrid(across, up), -1)
    both = jax.value_and_grad(lambda point: loss(point[0], point[1]))
    # In small batches: the loss may be one over a whole data set.
    values, slopes = jax.jit(lambda points: lax.map(both, points, batch_size=81))(grid.reshape(-1, 2))
    values = np.ma.masked_invalid(values).reshape(81, 81)
    slopes = np.where(np.isfinite(slopes), slopes, np.nan).reshape(81, 81, 2)  # an infinite one gets no arrow
    ax = plt.subplots(figsize=(5.6, 4.4), layout="constrained")[1] if ax is None else ax
    ax.figure.colorbar(ax.contourf(across, up, values, levels=20), ax=ax)
    ax.contour(across, up, values, levels=20, colors="white", linewidths=0.4, alpha=0.5)
    size = np.array([x[1] - x[0], y[1] - y[0]])
    length = np.linalg.norm(slopes / size, axis=-1, keepdims=True)
    arrows = -slopes / np.where(length > 0, length, 1) / 24
    some = slice(4, None, 8)
    along = {"angles": "xy", "scale_units": "xy", "scale": 1, "color": "white"}
    ax.quiver(across[some], up[some], *np.moveaxis(arrows[some, some], -1, 0), **along)
    row, column = np.unravel_index(np.argmin(values), values.shape)
    ax.plot(across[column], up[row], "x", color="white")
    xlabel, ylabel = inspect.signature(loss).parameters
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def _alone(x: Array, label: Any) -> Array:
    return x


def _first_of(x: Array, label: Any, others: ArrayLike = 0) -> Array:
    """The number for the first class; of as many as the label has, or three."""
    return jnp.full(np.shape(label) or 3, others, x.dtype).at[0].set(x)


def _share(x: Array, label: Any) -> Array:
    return _first_of(x, label, (1 - x) / ((np.size(label) if np.ndim(label) else 3) - 1))


_WAYS: dict[str, tuple[Span, Any, Callable[[Array, Any], Array]]] = {
    "error": ((-4, 4), 0.0, lambda x, label: label + x),
    "prediction": ((-4, 4), 1.0, _alone),
    "logit": ((-6, 6), 1.0, _alone),
    "score": ((-3, 3), 1.0, _alone),
    "probability": ((0.005, 0.995), 1.0, _alone),
    "distance": ((0, 3), 1.0, _alone),
    "logit of a class": ((-6, 6), 0, _first_of),
    "score of a class": ((-3, 3), 0, _first_of),
    "probability of a class": ((0.005, 0.995), (0.6, 0.2, 0.2), _share),
}
_OVER = {
    "logits": "logit",
    "scores": "score",
    "probs": "probability",
    "log_probs": "probability of a class",
    "distances": "distance",
}


def _name(loss: Callable[..., Any]) -> str:
    if not isinstance(loss, functools.partial):
        return getattr(loss, "__name__", type(loss).__name__)
    options = [*map(_shown, loss.args), *(f"{name}={_shown(value)}" for name, value in loss.keywords.items())]
    return f"{_name(loss.func)}({', '.join(options)})"


def _shown(value: Any) -> str:
    return _name(value) if callable(value) else str(value)


def _first_parameter(f: Callable[..., Any]) -> str:
    return next(iter(inspect.signature(f).parameters))


def _over(loss: Loss) -> str:
    over = _OVER.get(_first_parameter(loss), "error")
    of_a_class = f"{over} of a class"
    return of_a_class if of_a_class in _WAYS and "axis" in inspect.signature(loss).parameters else over
