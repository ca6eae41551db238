"""Derivatives of first and second order against float64: of every argument and option, at kinks, edges and masks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import jaxloss

from ..harness.case import Case, with_options
from ..harness.derivatives import agree, cast, place, real
from ..harness.rows import CASES, FIRST, MORE, REDUCTIONS, exhaustive, gathered, public_losses


j = jaxloss
INF = np.inf
pytestmark = pytest.mark.usefixtures("compiles_fast")
LOSSES = sorted(set(public_losses()) - REDUCTIONS)

# --- along another axis, without an index --------------------------------------------------------------------------


def forward_over_reverse(case: Case) -> Callable[..., dict[str, Any]]:
    """Of the weighted sum: the gradient, the Hessian times the direction, and the derivative in forward mode."""
    choices = {name: x for name, x in case.options.items() if not real(x)}

    @jax.jit
    def derivatives(x, direction, held, mask=None):
        f = lambda x: case.loss(**held, **choices, **x, mask=mask, reduction="sum")  # noqa: E731
        gradient, product = jax.jvp(jax.grad(f), (x,), (direction,))
        return {"gradient": gradient, "product": product, "forward": jax.jvp(f, (x,), (direction,))[1]}

    return derivatives


def having(option: str) -> Any:
    cases = [case for case in FIRST if option in inspect.signature(case.loss).parameters and option not in case.options]
    return exhaustive([case for case in cases if case.members is None])


def same(found: Any, expected: Any) -> None:
    for order, slopes in expected.items():
        for name, slope in slopes.items() if isinstance(slopes, dict) else [("", slopes)]:
            agree(found[order][name] if name else found[order], slope, f"{order} {name}", 1e-12)


@having("axis")
def test_axis_is_where_the_classes_or_features_are(case, x64):
    """Along the first axis: the derivatives along the last, moved."""
    at = place(case)
    rank = next(iter(case.arguments().values())).ndim

    def moved(tree):
        return {name: np.moveaxis(x, -1, 0) if np.ndim(x) == rank else x for name, x in tree.items()}

    expected = forward_over_reverse(case)(*cast((at.x, at.direction), jnp.float64), at.held)
    first = with_options(case, options={"axis": 0})
    x, direction = cast((moved(at.x), moved(at.direction)), jnp.float64)
    found = forward_over_reverse(first)(x, direction, moved(at.held))
    same(found, {order: moved(slopes) if isinstance(slopes, dict) else slopes for order, slopes in expected.items()})


@pytest.mark.exhaustive
@having("ignore_index")
def test_ignore_index_is_a_mask_by_label(case, x64):
    at = place(case)
    mask = at.held["labels"] != 2
    assert mask.any() and not mask.all()
    x, direction = cast((at.x, at.direction), jnp.float64)
    ignoring = with_options(case, options={"ignore_index": 2})
    found = forward_over_reverse(ignoring)(x, direction, at.held)
    same(found, forward_over_reverse(case)(x, direction, at.held, mask))


# --- no option without a row -----------------------------------------------------------------------------------------


# Tested above, or, as they need devices, in test_class_axis.py, or, for losses of sets, by their families; of what
# gaussian_nll_loss holds constant no reference knows: see the edges below.
EXCEPT = {"reduction", "axis_name", "class_axis_name", "axis", "batch_axes", "ignore_index"}
HELD = {"gaussian_nll_loss": {"beta", "eps"}}


@pytest.mark.parametrize("name", LOSSES)
def test_every_option_has_a_row_that_changes_it(name):
    parameters = inspect.signature(getattr(jaxloss, name)).parameters.values()
    options = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    options = {option: x for option, x in options.items() if option not in EXCEPT}
    rows = [case.options | case.arguments() for case in CASES + MORE if case.loss.__name__ == name]
    changed = {o for o, x in options.items() for row in rows if o in row and not np.array_equal(row[o], x)}
    assert set(options) - changed == HELD.get(name, set())


# --- kinks and edges -------------------------------------------------------------------------------------------------


KINKS, EDGES = gathered("bends", "KINKS"), gathered("bends", "EDGES")
BENDS = {name: bend for name, *bend in gathered("bends", "BENDS")}


def test_every_loss_has_its_kinks_listed_or_none():
    smooth = {case.loss.__name__ for case in CASES if case.smooth}
    kinked = {row.loss.__name__ for row in KINKS}
    assert not smooth & kinked and smooth | kinked == set(LOSSES)


STATIC = ("p", "order", "swap", "full", "log_input", "mining", "variant", "divergence")


@functools.cache
def both(loss: Callable[..., Any], ways: tuple[Any, ...], **choices: Any) -> Callable[..., Any]:
    """Compiled once for rows of the same shapes."""

    @jax.jit
    def both(x, held):
        f = lambda x: loss(**held, **choices, **x, reduction="sum")  # noqa: E731
        return jax.grad(f)(x), jax.jacfwd(f)(x), [second(x) for way in ways for second in seconds(way(f))]

    return both


@pytest.mark.thin(12)
@pytest.mark.parametrize("row", KINKS + EDGES, ids=lambda row: row.id)
def test_kinks_and_edges(row):
    """In both modes; and no second derivative is NaN, in any mode, nor where the loss comes out of a scan."""
    choices = {name: x for name, x in row.arguments.items() if name in STATIC}
    arrays = {name: np.asarray(x) for name, x in row.arguments.items() if name not in choices}
    arrays = {name: x.astype(np.float32) if real(x) else x for name, x in arrays.items()}
    held = {name: x for name, x in arrays.items() if name not in row.slopes}
    x = cast({name: arrays[name] for name in row.slopes}, jnp.float32)
    ways = (plainly,) if row.lost_in_a_scan else (plainly, scanned)
    reverse, forward, second = both(row.loss, ways, **choices)(x, held)
    for name, expected in row.slopes.items():
        for found in (reverse[name], forward[name]):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6, err_msg=name)
        assert not any(np.any(np.isnan(way[name])) for way in second), name


@pytest.mark.thin(12)
@pytest.mark.parametrize("name", BENDS)
def test_curvature_where_a_rule_bends(name, x64):
    """Against differences of the gradient, which others check, in every mode and where the loss comes out of a scan."""
    f, point = BENDS[name]
    point = jax.tree.map(jnp.float64, point)
    argnums = tuple(range(len(point)))
    gradient = jax.jit(jax.grad(f, argnums))

    @jax.jit
    def hessians(*x):
        return [way(jax.grad(f, argnums), argnums)(*x) for f in (f, scanned(f)) for way in (jax.jacfwd, jax.jacrev)]

    def differences(name, index, step=1e-5):
        up, down = (
            [jnp.asarray(x).at[index].add(s) if i == name else x for i, x in enumerate(point)] for s in (step, -step)
        )
        return [(a - b) / (2 * step) for a, b in zip(gradient(*up), gradient(*down))]

    for found in hessians(*point):
        for argument, x in enumerate(point):
            for index in np.ndindex(x.shape):
                expected = differences(argument, index)
                for row, wanted in zip(found, expected):
                    np.testing.assert_allclose(row[argument][(..., *index)], wanted, rtol=1e-5, atol=1e-6)


def plainly(f):
    return f


def scanned(f):
    """There the value is differentiated by its body, rules or not."""

    def through(*x):
        return jnp.sum(lax.scan(lambda _, x: (None, f(*x)), None, jax.tree.map(lambda x: x[None], x))[1])

    return through


def seconds(f):
    """The Hessian times a vector of ones, forward and reverse over reverse."""
    ones = functools.partial(jax.tree.map, jnp.ones_like)
    yield lambda x: jax.jvp(jax.grad(f), (x,), (ones(x),))[1]
    yield jax.grad(lambda x: sum(map(jnp.sum, jax.tree.leaves(jax.grad(f)(x)))))
