"""Where a loss is differentiated, and its derivatives of first and second order by differences of the reference."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .case import Case


def real(x: Any) -> bool:
    return np.asarray(x).dtype.kind == "f"


class Place(NamedTuple):
    """A call with weights. Its floating point arguments and options are differentiated all at once."""

    x: dict[str, np.ndarray]
    direction: dict[str, np.ndarray]  # 0 for what is held constant by the loss
    held: dict[str, np.ndarray]  # labels of classes


def place(case: Case) -> Place:
    arguments = case.arguments()
    rng = np.random.default_rng(4)
    x = {name: np.asarray(value, np.float64) for name, value in (arguments | case.options).items() if real(value)}
    x["weights"] = rng.uniform(0.5, 2, case.weights_shape())
    direction = {name: rng.choice([-1, 1], at.shape) * rng.uniform(0.5, 1.5, at.shape) for name, at in x.items()}
    direction |= {name: np.zeros_like(x[name]) for name in case.constant}
    return Place(x, direction, {name: value for name, value in arguments.items() if name not in x})


def weighted(case: Case, mask: np.ndarray, x: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Per-element losses by the reference, and what each counts."""
    arguments = {name: x.get(name, value) for name, value in case.arguments().items()}
    options = {name: x.get(name, value) for name, value in case.options.items()}
    return dataclasses.replace(case, options=options).expected(arguments, mask, x["weights"])


def differences(
    case: Case, mask: np.ndarray, at: Place, names: list[str] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of the weighted sum the gradient, and the Hessian times the direction: central differences, extrapolated once.

    By these arguments, or all. An entry moves in all rows at once where rows don't reach each other. Not by complex
    steps: an absolute value or a maximum is in nearly every formula.
    """
    step = 2e-5 if case.near_kinks else 1e-4

    def moved(by: float, along: dict[str, Any]) -> np.ndarray:
        """The sum of each row."""
        losses, count = weighted(case, mask, {name: x + by * step * along.get(name, 0) for name, x in at.x.items()})
        return (losses * count).reshape(len(losses) if losses.ndim else 1, -1).sum(1)

    def slope(along: dict[str, Any]) -> np.ndarray:
        near, far = (moved(by, along) - moved(-by, along) for by in (1, 2))
        return (8 * near - far) / (12 * step)

    def bend(along: dict[str, Any]) -> np.ndarray:
        """The second difference but for its middle, which cancels below."""
        near, far = (moved(by, along) + moved(-by, along) for by in (1, 2))
        return (16 * near - far) / (12 * step**2)

    here = moved(0, {})

    def apart(name: str) -> bool:
        """Whether each row of an argument reaches its own sum only."""
        x = at.x[name]
        if x.shape[:1] != here.shape:
            return False
        lone = (np.where(np.arange(len(x)).reshape(-1, *[1] * (x.ndim - 1)) == row, 1.0, 0) for row in range(len(x)))
        return all(
            np.array_equal(np.delete(moved(1, {name: row}), i), np.delete(here, i)) for i, row in enumerate(lone)
        )

    names = [name for name in names or at.x if name not in case.constant]
    gradient, product = ({name: np.zeros_like(x) for name, x in at.x.items()} for _ in range(2))
    for name in names:
        shape, by_row = at.x[name].shape, apart(name)
        for i in np.ndindex(shape[1:] if by_row else shape):
            entry, total = ((slice(None), *i), np.asarray) if by_row else (i, np.sum)
            unit = np.zeros(shape)
            unit[entry] = 1
            gradient[name][entry] = total(slope({name: unit}))
            up, down = (bend({**at.direction, name: at.direction[name] + sign * unit}) for sign in (1, -1))
            product[name][entry] = total((up - down) / 4)
    return gradient, product


def along(slopes: dict[str, Any], direction: dict[str, Any]) -> Any:
    return sum((slope * direction[name]).sum() for name, slope in slopes.items())


def cast(tree: Any, dtype: Any) -> Any:
    return jax.tree.map(lambda x: jnp.asarray(x, dtype), tree)


def agree(found: Any, expected: Any, name: str, error: float) -> None:
    """To this error, relative and in units of the largest entry of the array, or of 1."""
    atol = error * max(1, np.max(np.abs(expected), initial=0))
    np.testing.assert_allclose(found, expected, rtol=error, atol=atol, err_msg=name)
