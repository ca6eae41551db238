"""Calls where a loss bends, or at the edge of what it is defined for, with what its derivatives are there.

The rows are in the families' `bends.py`: `KINKS`, where an absolute value or a norm has the derivative 0, a hinge 0 at
its corner, and equals share; `EDGES`; and `BENDS`, functions and points at which a rule takes another branch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class At(NamedTuple):
    """A call, and the derivative of its sum by some of what it gets."""

    loss: Callable[..., Any]
    arguments: dict[str, Any]
    slopes: dict[str, Any]
    name: str
    lost_in_a_scan: bool

    @property
    def id(self) -> str:
        return f"{self.loss.__name__}-{self.name}"


def at(loss: Any, name: str, slopes: dict[str, Any], *, lost_in_a_scan: bool = False, **arguments: Any) -> At:
    """With `lost_in_a_scan` JAX divides by a square that is 0 where a scan loses the rule of `quotient`."""
    return At(loss, arguments, slopes, name, lost_in_a_scan)


def errors(*x: float) -> dict[str, list[float]]:
    return {"predictions": [float(error) for error in x], "labels": [0.0] * len(x)}


def sigmoid(z: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(z, np.float64)))


def softmax(*z: float) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum()


def near(f: Callable[[float], float], x: float, step: float = 1e-2) -> float:
    """The derivative at a removable gap, from around it."""
    return (8 * (f(x + step) - f(x - step)) - f(x + 2 * step) + f(x - 2 * step)) / (12 * step)
