"""What must hold of the calls of a loss: each promise is a function that raises where it is broken."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, PartitionSpec as P

from .calls import Results, Subject, cast, exact, is_float, scanned, uneven, uneven_call


WORDS = {"forward": "derivative in forward mode", "product": "second derivative"}


def compiles(s: Subject, found: Results) -> None:
    """It compiles, with numbers that are traced."""
    found.update(exact(s))


def mapped(s: Subject, found: Results) -> None:
    """`vmap` changes nothing."""
    x, _, held = uneven_call(s)
    with jax.enable_x64(True):
        alone = jax.jit(lambda x: (s.of({**held, **x}, "none"), jax.grad(lambda x: s.of({**held, **x}, "sum"))(x)))(x)
    for key, wanted in zip(("losses", "gradient"), alone):
        same(found["uneven"][key], wanted, f"an entry of the {key} under vmap", 1e-9)


def masks(s: Subject, found: Results, error: float = 0.0) -> bool:
    """What is masked reaches no value and no derivative, whatever it holds."""
    pairs = [("soiled", "clean"), ("soiled members", "uneven")]
    for dirty, clean in pairs:
        for key, wanted in found[clean].items() if dirty in found else ():
            same(
                found[dirty][key],
                wanted,
                f"the {WORDS.get(key, key)}, with NaN, infinities and 1e30 where the mask is False,",
                error,
            )
    for order in ("gradient", "product") if "soiled" in found else ():
        for name, slope in found["soiled"].get(order, {}).items():
            if s.by_row(slope):
                same(slope[s.some()], 0, f"the {WORDS.get(order, order)} by {name} where the mask is False")
    return s.mask is not None


def nothing(s: Subject, found: Results) -> bool:
    """Where nothing counts the mean is 0, and so is its gradient."""
    calls = {"no mask": "a mask of False", "no weight": "weights of 0"}
    for call in calls.keys() & found:
        same(found[call]["mean"], 0, f"the mean with {calls[call]}")
        same(found[call]["slope of the mean"], 0, f"its gradient with {calls[call]}")
    return bool(calls.keys() & found)


def copies(s: Subject, found: Results) -> bool:
    """A weight of 2 is two copies."""
    if "weight two" not in found or s.meeting:  # two of a row are two columns
        return False
    same(found["weight two"]["mean"], found["two copies"]["mean"], "the mean where row 1 has weight 2", 5e-6, 0.0)
    return True


def weights(s: Subject, found: Results) -> bool:
    """A weight of 0 has a gradient, by which it can be learned."""
    if not s.reduces or s.weights is None or s.weights != np.shape(found["plain"]["losses"]):
        return False
    same(found["no weight"]["gradient"]["weights"], found["plain"]["losses"], "the gradient by weights of 0", 1e-9)
    return True


def parts(s: Subject, found: Results) -> bool:
    """Parts of a batch, of unequal weight, add up to it."""
    if s.meeting or not s.reduces:
        return False
    given = uneven(s)
    rows = {name: np.asarray(x)[:, None] if s.by_row(x) else x for name, x in given.items()}
    with jax.enable_x64(True):
        each = {name: 0 if s.by_row(given[name]) else None for name in rows}
        totals = jax.jit(jax.vmap(lambda rows: s.of(rows, "total"), (each,)))(cast(rows, jnp.float64))
        totals = jax.tree.map(np.asarray, totals)
    whole = found["uneven"]
    for name in ("total", "weight"):
        same(np.sum(getattr(totals, name)), getattr(whole["total"], name), f"the sum of `Total.{name}` over rows", 1e-9)
    same(np.sum(totals.total) / np.sum(totals.weight), whole["mean"], "the mean of its parts", 1e-9)
    return True


def slopes(s: Subject, found: Results) -> None:
    """The gradient by each argument and option is that of the loss, in both modes."""
    call, x, direction, held = found["uneven"], *uneven_call(s)
    along = {name: np.sum(call["gradient"][name] * direction[name]) for name in x}
    same(np.sum(call["forward"]), sum(along.values()), "in forward mode it", 1e-9)
    total = jax.jit(lambda x: s.of({**held, **x}, "sum"))
    for name in x:
        if name in s.constant:
            same(call["gradient"][name], 0, f"the gradient by {name}, which is constant,")
            continue
        wanted = _difference(total, x, {name: direction[name]})
        if np.isnan(wanted) and not np.isnan(call["sum"]):
            continue  # beside it the loss isn't defined, as for labels at the end of their range
        same(along[name], wanted, f"the gradient by {name}, by differences of the loss,", 1e-5)


def curvature(s: Subject, found: Results) -> None:
    """Second derivatives are those of the gradient, in both modes, and where the loss comes out of a scan."""
    x, direction, held = uneven_call(s)
    at, v = x.pop(s.first), direction[s.first]

    def square(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda one: jnp.square(f(one))

    def f(one: Any) -> Any:
        return s.of({**held, **x, s.first: one}, "sum")

    @jax.jit
    def products(at: Any) -> dict[str, Any]:
        slope = jax.grad(square(f))
        return {
            "forward over reverse": jax.jvp(slope, (at,), (v,))[1],
            "reverse over reverse": jax.vjp(slope, at)[1](v)[0],
            "forward over reverse, of a loss that comes out of a scan,": jax.jvp(
                jax.grad(square(scanned(f))), (at,), (v,)
            )[1],
        }

    with jax.enable_x64(True):
        wanted = _difference(jax.jit(jax.grad(square(f))), at, v)
        for mode, product in products(cast(at, jnp.float64)).items():
            same(product, wanted, f"{mode} by {s.first}, by differences of the gradient,", 1e-5)


def precision(s: Subject, found: Results) -> None:
    """Half precision costs the rounding of its inputs, nothing more, and has its gradient in its own dtype."""
    given = uneven(s)
    at = given.pop(s.first)
    f = jax.jit(jax.value_and_grad(lambda at, given: s.of({**given, s.first: at})))
    for dtype in (jnp.float32, jnp.bfloat16, jnp.float16):
        rounded = jnp.asarray(at, dtype)
        with jax.enable_x64(True):
            wanted = f(np.asarray(rounded, np.float64), cast(given, jnp.float64))
        value, slope = f(rounded, cast(given, jnp.float32))
        kind, gradient = f"of {rounded.dtype} {s.first}", f"the gradient by {s.first}"
        assert value.dtype == jnp.float32, f"the mean {kind} is {value.dtype}"
        assert slope.dtype == dtype, f"{gradient} {kind} is {slope.dtype}"
        same(value, wanted[0], f"the mean {kind}", 1e-5)
        same(
            slope.astype(jnp.float32),
            wanted[1],
            f"{gradient} {kind}",
            max(float(jnp.finfo(dtype).eps), 1e-5),
        )


def width(s: Subject, found: Results) -> None:
    """float64 stays float64, and float32 stays float32 beside labels and options of float64."""
    given = {**uneven(s), **{name: np.asarray(x, np.float64) for name, x in s.options.items() if is_float(x)}}
    with jax.enable_x64(True):
        given = cast(given, jnp.float64)
        for dtype in (jnp.float64, jnp.float32):
            result = jax.eval_shape(lambda at: s.of({**given, s.first: at}), given[s.first].astype(dtype))
            assert result.dtype == dtype, f"the mean of {dtype.__name__} {s.first} is {result.dtype}"


def devices(s: Subject, found: Results) -> bool:
    """Devices that hold parts of a batch give the mean of the whole."""
    given = uneven(s)
    rows = len(given[s.first])
    count = max(n for n in range(1, jax.device_count() + 1) if rows % n == 0)
    if not s.spreads or count == 1:
        return False
    if s.mask is not None:
        given["mask"][: rows // count] = False  # of the first device
    specs = {name: P("devices") if s.by_row(x) else P() for name, x in given.items()}
    mesh = jax.make_mesh((count,), ("devices",), axis_types=(AxisType.Auto,), devices=jax.devices()[:count])
    each = jax.shard_map(
        lambda given: s.of(given, axis_name="devices"), mesh=mesh, in_specs=(specs,), out_specs=P(), check_vma=False
    )
    lead = given.pop(s.first)
    with jax.enable_x64(True):
        found, wanted = (
            jax.jit(jax.value_and_grad(lambda x, f=f: f({**given, s.first: x})))(jnp.asarray(lead, jnp.float64))
            for f in (each, s.of)
        )
    for key, here, there in zip(("mean", "gradient"), found, wanted):
        same(here, there, f"the {key} on {count} devices", 1e-9)
    return True


def shapes(s: Subject, found: Results) -> None:
    """Shapes that don't fit are errors, where they might be broadcast."""
    given = uneven(s)
    for name, x in given.items():
        if name == s.first or not s.by_row(x):
            continue
        for wrong in (x[..., None], x[:-1]):
            try:
                jax.eval_shape(lambda given: s.of(given), {**given, name: wrong})
            except (ValueError, TypeError):
                continue
            shape = given[s.first].shape
            raise AssertionError(f"{name} of shape {wrong.shape} beside {s.first} of shape {shape} gives a number")


def _difference(f: Callable[[Any], Any], x: Any, along: Any) -> Any:
    """The change of `f` along a direction, by central differences in float64, extrapolated once."""
    step = 2e-5

    def moved(by: float) -> Any:
        if isinstance(x, dict):
            return {name: at + by * step * along.get(name, 0) for name, at in x.items()}
        return x + by * step * along

    with jax.enable_x64(True):
        near, far = (np.asarray(f(moved(by))) - np.asarray(f(moved(-by))) for by in (1, 2))
    return (8 * near - far) / (12 * step)


def same(found: Any, wanted: Any, what: str, error: float = 0.0, least: float = 1.0) -> None:
    """To this error, relative and in units of the largest entry of an array, or of 1."""
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted)):
        a, b = (np.asarray(x, np.float64) for x in np.broadcast_arrays(a, b))
        atol = error * max(least, np.max(np.abs(b), initial=0, where=np.isfinite(b)))
        off = np.argwhere(~np.isclose(a, b, rtol=error, atol=atol, equal_nan=True))
        if len(off):
            index = tuple(map(int, off[0]))
            at = f" at index {index}" if index else ""
            raise AssertionError(f"{what} is {a[index]:.9g} and not {b[index]:.9g}{at}")


PROMISES: list[Callable[[Subject, Results], Any]] = [compiles, mapped, masks, nothing, copies, weights, parts]
PROMISES += [slopes, curvature, precision, width, devices, shapes]
