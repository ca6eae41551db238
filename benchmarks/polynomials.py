"""The polynomials of `jaxloss/_numerics/elementary.py`: `python benchmarks/polynomials.py` prints coefficients, errors.

Remez: of the polynomials of a degree, the best one has an error that alternates between its largest size and the
negative of that, at one point more than there are coefficients. Found by moving the points to where the error peaks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial


def least_relative_error(f: Callable[[np.ndarray], np.ndarray], degree: int) -> tuple[np.ndarray, float]:
    """Coefficients of the best polynomial for `f` on [0, 1], the constant first, and its error."""
    grid = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, 20_001))
    points = 0.5 - 0.5 * np.cos(np.linspace(0, np.pi, degree + 2))
    for _ in range(30):
        basis = np.stack([Chebyshev.basis(n, domain=[0, 1])(points) for n in range(degree + 1)], 1)
        signs = (-1.0) ** np.arange(degree + 2)
        *found, _ = np.linalg.solve(np.column_stack([basis / f(points)[:, None], signs]), np.ones(degree + 2))
        best = Chebyshev(found, domain=[0, 1])
        error = best(grid) / f(grid) - 1
        runs = np.split(np.arange(grid.size), np.flatnonzero(np.diff(np.sign(error))) + 1)
        if len(runs) < degree + 2:
            break
        peaks = np.array([run[np.abs(error[run]).argmax()] for run in runs])
        while len(peaks) > degree + 2:
            peaks = peaks[1:] if abs(error[peaks[0]]) < abs(error[peaks[-1]]) else peaks[:-1]
        points = grid[peaks]
    return best.convert(kind=Polynomial).coef, float(np.abs(error).max())


def log1p_by_itself(x: np.ndarray) -> np.ndarray:
    return np.divide(np.log1p(x), x, out=np.ones_like(x), where=x > 0)


def log_cosh_by_square(square: np.ndarray) -> np.ndarray:
    sinh = np.sinh(np.sqrt(square))
    return np.divide(0.5 * np.log1p(sinh**2), square, out=np.full_like(square, 0.5), where=square > 0)


if __name__ == "__main__":
    for name, f, degree in [
        ("log1p(x) / x", log1p_by_itself, 9),
        ("log(cosh(x)) / x**2, by x**2", log_cosh_by_square, 6),
    ]:
        coefficients, error = least_relative_error(f, degree)
        print(f"{name}, to {error:.1e}: {', '.join(f'{c:.9g}' for c in coefficients)}")
