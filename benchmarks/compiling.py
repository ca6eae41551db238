"""What the losses cost before they run: ``python benchmarks/compiling.py`` writes `results/compiling-cpu.md`.

Forty losses of one training step, masked and weighted, against the formulas as one would write them by hand: the time
to trace, lower and compile their values and gradients in one program, what is left of our functions in it, and how long
it runs. Then the dispatch of one loss of eight elements against Optax's, compiled.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.extend.core
import jax.numpy as jnp
import numpy as np
import optax
from jax import nn
from jax.scipy.special import gammaln

import jaxloss


SHAPE = (64, 128)


def label_of(x: Any, labels: Any) -> Any:
    return jnp.take_along_axis(x, labels[:, None], 1)[:, 0]


def softplus_nll(z: Any, y: Any) -> Any:
    return nn.softplus(z) - z * y


def leads(s: Any, y: Any) -> Any:
    """By how much each other class comes within 1 of the label's."""
    return jnp.where(nn.one_hot(y, s.shape[1], dtype=bool), -jnp.inf, s - label_of(s, y)[:, None])


def focal(z: Any, y: Any) -> Any:
    p = nn.sigmoid(z)
    return softplus_nll(z, y) * (p * (1 - y) + (1 - p) * y) ** 2


def asymmetric(z: Any, y: Any) -> Any:
    p = nn.sigmoid(z)
    shifted = jnp.maximum(p - 0.05, 0)
    return -(y * (1 - p) * nn.log_sigmoid(z) + (1 - y) * shifted**4 * jnp.log(1 - shifted))


def gaussian_crps(p: Any, y: Any, scale: Any) -> Any:
    z = (y - p) / scale
    pdf, cdf = jax.scipy.stats.norm.pdf(z), jax.scipy.stats.norm.cdf(z)
    return scale * (z * (2 * cdf - 1) + 2 * pdf - np.pi**-0.5)


def student_t(p: Any, y: Any, scale: Any, df: Any) -> Any:
    z = (y - p) / scale
    return (
        -0.5 * np.log(2)
        + gammaln(df / 2)
        - gammaln((df + 1) / 2)
        + 0.5 * jnp.log(df)
        + jnp.log(scale)
        + (df + 1) / 2 * jnp.log1p(z * z / df)
    )


def tweedie(p: Any, y: Any) -> Any:
    return 2 * (y**0.5 / -0.25 + y * p**-0.5 / 0.5 + p**0.5 / 0.5)


def js(q: Any, p: Any) -> Any:
    m = 0.5 * (jnp.exp(q) + p)
    return 0.5 * jnp.sum(p * jnp.log(p / m) + jnp.exp(q) * (q - jnp.log(m)), -1)


def cosine(p: Any, y: Any) -> Any:
    return 1 - jnp.sum(p * y, -1) / (jnp.linalg.norm(p, axis=-1) * jnp.linalg.norm(y, axis=-1))


def triplet(a: Any, p: Any, n: Any) -> Any:
    return nn.relu(1 + jnp.linalg.norm(a - p, axis=-1) - jnp.linalg.norm(a - n, axis=-1))


RNG = np.random.default_rng(0)
REAL, OTHER, THIRD = (RNG.normal(size=SHAPE).astype(np.float32) for _ in range(3))
POSITIVE, SCALE, DF = (RNG.uniform(0.5, 2, SHAPE).astype(np.float32) for _ in range(3))
PROBS = RNG.uniform(0.05, 0.95, SHAPE).astype(np.float32)
BINARY = RNG.integers(0, 2, SHAPE).astype(np.float32)
SIGNS = 2 * BINARY - 1
CLASSES = RNG.integers(0, SHAPE[1], SHAPE[0]).astype(np.int32)
SOFT = np.asarray(nn.softmax(OTHER), np.float32)
LOGS = np.asarray(nn.log_softmax(REAL), np.float32)

# name, arguments, options, the losses by hand
FORTY: list[tuple[str, tuple[Any, ...], dict[str, Any], Callable[..., Any]]] = [
    ("l1_loss", (REAL, OTHER), {}, lambda p, y: jnp.abs(p - y)),
    ("mse_loss", (REAL, OTHER), {}, lambda p, y: (p - y) ** 2),
    ("huber_loss", (REAL, OTHER), {}, lambda p, y: optax.losses.huber_loss(p, y)),
    (
        "smooth_l1_loss",
        (REAL, OTHER),
        {},
        lambda p, y: jnp.where(jnp.abs(p - y) < 1, 0.5 * (p - y) ** 2, jnp.abs(p - y) - 0.5),
    ),
    ("log_cosh_loss", (REAL, OTHER), {}, lambda p, y: jnp.logaddexp(p - y, y - p) - np.log(2)),
    ("charbonnier_loss", (REAL, OTHER), {"scale": 0.5}, lambda p, y: jnp.sqrt((p - y) ** 2 + 0.25)),
    (
        "quantile_loss",
        (REAL, OTHER),
        {"quantile": 0.9},
        lambda p, y: jnp.where(y > p, 0.9 * (y - p), 0.1 * (p - y)),
    ),
    (
        "expectile_loss",
        (REAL, OTHER),
        {"expectile": 0.9},
        lambda p, y: jnp.where(y > p, 0.9, 0.1) * (p - y) ** 2,
    ),
    ("mape_loss", (REAL, POSITIVE), {}, lambda p, y: jnp.abs(p - y) / jnp.abs(y)),
    ("smape_loss", (REAL, OTHER), {}, lambda p, y: 2 * jnp.abs(p - y) / (jnp.abs(p) + jnp.abs(y))),
    ("msle_loss", (POSITIVE, SCALE), {}, lambda p, y: (jnp.log1p(p) - jnp.log1p(y)) ** 2),
    (
        "gaussian_nll_loss",
        (REAL, OTHER, {"variance": SCALE}),
        {},
        lambda p, y, variance: 0.5 * (jnp.log(variance) + (p - y) ** 2 / variance),
    ),
    (
        "laplace_nll_loss",
        (REAL, OTHER, {"scale": SCALE}),
        {},
        lambda p, y, scale: jnp.log(scale) + jnp.abs(p - y) / scale,
    ),
    ("student_t_nll_loss", (REAL, OTHER, {"scale": SCALE, "df": DF}), {}, student_t),
    ("poisson_nll_loss", (REAL, POSITIVE), {}, lambda p, y: jnp.exp(p) - y * p),
    (
        "gamma_nll_loss",
        (POSITIVE, SCALE, {"concentration": DF}),
        {},
        lambda p, y, concentration: (
            concentration * (y / p + jnp.log(p / concentration)) - concentration * jnp.log(y) + gammaln(concentration)
        ),
    ),
    ("tweedie_deviance_loss", (POSITIVE, SCALE), {"power": 1.5}, tweedie),
    ("gaussian_crps_loss", (REAL, OTHER, {"scale": SCALE}), {}, gaussian_crps),
    (
        "binary_cross_entropy",
        (PROBS, BINARY),
        {},
        lambda p, y: -(y * jnp.log(p) + (1 - y) * jnp.log1p(-p)),
    ),
    ("binary_cross_entropy_with_logits", (REAL, BINARY), {}, softplus_nll),
    ("sigmoid_focal_loss", (REAL, BINARY), {"gamma": 2.0}, focal),
    ("asymmetric_loss", (REAL, BINARY), {"gamma_positive": 1.0, "gamma_negative": 4.0, "clip": 0.05}, asymmetric),
    ("hinge_loss", (REAL, SIGNS), {}, lambda s, y: nn.relu(1 - s * y)),
    ("squared_hinge_loss", (REAL, SIGNS), {}, lambda s, y: nn.relu(1 - s * y) ** 2),
    ("soft_margin_loss", (REAL, SIGNS), {}, lambda s, y: nn.softplus(-s * y)),
    ("perceptron_loss", (REAL, SIGNS), {}, lambda s, y: nn.relu(-s * y)),
    ("hinge_embedding_loss", (POSITIVE, SIGNS), {}, lambda d, y: jnp.where(y > 0, d, nn.relu(1 - d))),
    ("margin_ranking_loss", (REAL, OTHER, SIGNS), {}, lambda a, b, y: nn.relu(-y * (a - b))),
    ("cross_entropy", (REAL, CLASSES), {}, lambda z, y: -label_of(nn.log_softmax(z), y)),
    ("nll_loss", (LOGS, CLASSES), {}, lambda q, y: -label_of(q, y)),
    (
        "poly1_cross_entropy",
        (REAL, CLASSES),
        {"epsilon": 1.0},
        lambda z, y: 1 - label_of(nn.softmax(z), y) - label_of(nn.log_softmax(z), y),
    ),
    (
        "softmax_focal_loss",
        (REAL, CLASSES),
        {"gamma": 2.0},
        lambda z, y: -((1 - label_of(nn.softmax(z), y)) ** 2) * label_of(nn.log_softmax(z), y),
    ),
    (
        "generalized_cross_entropy",
        (REAL, CLASSES),
        {"q": 0.7},
        lambda z, y: (1 - label_of(nn.softmax(z), y) ** 0.7) / 0.7,
    ),
    ("multi_margin_loss", (REAL, CLASSES), {}, lambda s, y: jnp.mean(nn.relu(1 + leads(s, y)), -1)),
    ("multiclass_hinge_loss", (REAL, CLASSES), {}, lambda s, y: nn.relu(1 + jnp.max(leads(s, y), -1))),
    ("kl_divergence", (LOGS, SOFT), {}, lambda q, p: jnp.sum(p * (jnp.log(p) - q), -1)),
    ("js_divergence", (LOGS, SOFT), {}, js),
    ("total_variation_distance", (SOFT, PROBS), {}, lambda q, p: 0.5 * jnp.sum(jnp.abs(q - p), -1)),
    ("cosine_distance", (REAL, OTHER), {}, cosine),
    ("triplet_margin_loss", (REAL, OTHER, THIRD), {}, triplet),
]

WEIGHTS = RNG.uniform(0.5, 2, SHAPE).astype(np.float32)
MASK = RNG.random(SHAPE) < 0.7


def split(arguments: tuple[Any, ...]) -> tuple[list[Any], dict[str, Any]]:
    """By position and by keyword."""
    return [x for x in arguments if not isinstance(x, dict)], next((x for x in arguments if isinstance(x, dict)), {})


def rows_alone(f: Callable[..., Any], arguments: tuple[Any, ...]) -> bool:
    given, named = split(arguments)
    return len(jax.eval_shape(f, *given, **named).shape) == 1


BY_ROW = {name: rows_alone(f, arguments) for name, arguments, _, f in FORTY}


def ours(name: str, options: dict[str, Any], f: Any, given: Any, named: Any, weights: Any, mask: Any) -> Any:
    return getattr(jaxloss, name)(*given, weights=weights, mask=mask, **named, **options)


def by_hand(name: str, options: dict[str, Any], f: Any, given: Any, named: Any, weights: Any, mask: Any) -> Any:
    """Masked inputs are made harmless, so that no NaN among them reaches the gradient: the job that ours does."""
    exists = mask[:, None] if BY_ROW[name] else mask

    def clear(x: Any) -> Any:
        return jnp.where(exists if x.ndim == 2 else mask, x, jnp.ones_like(x))

    losses = f(*map(clear, given), **{name: clear(x) for name, x in named.items()})
    weights = jnp.where(mask, weights, 0)
    return jnp.sum(jnp.where(mask, losses, 0) * weights) / jnp.sum(weights)


def by_hand_unsafe(name: str, options: dict[str, Any], f: Any, given: Any, named: Any, weights: Any, mask: Any) -> Any:
    """As it is mostly written: NaN under the mask is NaN in the gradient."""
    weights = weights * mask
    return jnp.sum(f(*given, **named) * weights) / jnp.sum(weights)


WAYS = {"jaxloss": ours, "by hand": by_hand, "by hand, not safe from NaN": by_hand_unsafe}


def program(way: Callable[..., Any]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Value and gradient of all forty, as a new function; and what to call it on."""
    leads = {name: arguments[0] for name, arguments, _, _ in FORTY}
    rest = {name: split(arguments[1:]) for name, arguments, _, _ in FORTY}

    def total(leads: Any, rest: Any, weights: Any, mask: Any) -> Any:
        values = []
        for name, _, options, f in FORTY:
            place = (slice(None), 0) if BY_ROW[name] else ()
            given, named = rest[name]
            values.append(way(name, options, f, [leads[name], *given], named, weights[place], mask[place]))
        return sum(values), values

    return jax.value_and_grad(total, has_aux=True), (leads, rest, WEIGHTS, MASK)


def agree() -> None:
    """That they compute the same."""
    (_, values), slopes = jax.jit(program(ours)[0])(*program(ours)[1])
    for way in (by_hand, by_hand_unsafe):
        (_, others), other_slopes = jax.jit(program(way)[0])(*program(way)[1])
        for (name, *_), value, other in zip(FORTY, values, others):
            np.testing.assert_allclose(value, other, rtol=1e-4, atol=1e-5, err_msg=name)
            np.testing.assert_allclose(slopes[name], other_slopes[name], rtol=1e-3, atol=1e-5, err_msg=name)


def equations(jaxpr: Any) -> int:
    """Of a program, those inside of others included."""
    inner = [jaxpr for equation in jaxpr.eqns for jaxpr in jax.extend.core.jaxprs_in_params(equation.params)]
    return len(jaxpr.eqns) + sum(map(equations, inner))


def compiling(rounds: int) -> tuple[str, dict[str, Any]]:
    seconds: dict[str, list[list[float]]] = {name: [] for name in WAYS}
    found: dict[str, Any] = {}
    for _ in range(rounds + 1):
        for name, way in WAYS.items():
            f, arguments = program(way)
            jax.clear_caches()
            times = [time.perf_counter()]
            traced = jax.jit(f).trace(*arguments)
            times.append(time.perf_counter())
            lowered = traced.lower()
            times.append(time.perf_counter())
            compiled = lowered.compile()
            times.append(time.perf_counter())
            seconds[name].append([*np.diff(times), times[-1] - times[0]])
            found[name] = traced, lowered, compiled, jax.device_put(arguments)
    taken = {name: np.array(rows)[1:] for name, rows in seconds.items()}  # the first round warms up
    lines = [
        "| | trace, s | lower, s | compile, s | all, s | ours to it: compile | ours to it: all |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for name, times in taken.items():
        low, ratio, high = np.quantile(taken["jaxloss"] / times, [0.1, 0.5, 0.9], axis=0)
        shown = [f"**{ratio[i]:.2f}** ({low[i]:.2f} to {high[i]:.2f})" for i in (2, 3)]
        shown = ["", ""] if name == "jaxloss" else shown
        lines.append(f"| {name} | {' | '.join(f'{x:.2f}' for x in np.median(times, 0))} | {' | '.join(shown)} |")
    return "\n".join(lines), found


def inside(found: dict[str, Any], rounds: int) -> str:
    """What the programs hold, and how long they run."""
    taken: dict[str, list[float]] = {name: [] for name in found}
    for _ in range(rounds + 3):
        for name, (_, _, compiled, arguments) in found.items():
            start = time.perf_counter()
            jax.block_until_ready(compiled(*arguments))
            taken[name].append(time.perf_counter() - start)
    lines = [
        "| | equations | of them custom derivatives | calls of our functions, lowered | calls, compiled | runs, ms |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    public = "|".join(name for name in vars(jaxloss) if not name.startswith("_"))
    for name, (traced, lowered, compiled, _) in found.items():
        custom = len(re.findall(r"custom_[jv][vj]p_call", str(traced.jaxpr)))
        left = len(re.findall(rf"call @({public})\b", lowered.as_text()))
        calls = len(re.findall(r"= \S+ call\(", compiled.as_text()))
        middle = 1e3 * np.median(taken[name][3:])
        lines.append(f"| {name} | {equations(traced.jaxpr.jaxpr)} | {custom} | {left} | {calls} | {middle:.2f} |")
    return "\n".join(lines)


def dispatch(rounds: int) -> str:
    x, y, z, labels = jnp.arange(8.0) / 8, jnp.ones(8), jnp.arange(8.0).reshape(2, 4), jnp.array([1, 2])

    def smooth(z: Any, labels: Any) -> Any:
        return optax.softmax_cross_entropy(z, optax.smooth_labels(nn.one_hot(labels, 4), 0.1))

    rows: list[tuple[str, Callable[..., Any], Callable[..., Any], tuple[Any, Any]]] = [
        ("mse_loss(x, y)", jaxloss.mse_loss, optax.squared_error, (x, y)),
        ("huber_loss(x, y)", jaxloss.huber_loss, optax.huber_loss, (x, y)),
        (
            "huber_loss(x, y, delta=0.5)",
            lambda x, y: jaxloss.huber_loss(x, y, delta=0.5),
            lambda x, y: optax.huber_loss(x, y, delta=0.5),
            (x, y),
        ),
        (
            "cross_entropy(z, labels)",
            jaxloss.cross_entropy,
            optax.softmax_cross_entropy_with_integer_labels,
            (z, labels),
        ),
        (
            "cross_entropy(z, labels, label_smoothing=0.1)",
            lambda z, labels: jaxloss.cross_entropy(z, labels, label_smoothing=0.1),
            smooth,
            (z, labels),
        ),
        (
            "binary_cross_entropy_with_logits(x, y)",
            jaxloss.binary_cross_entropy_with_logits,
            optax.sigmoid_binary_cross_entropy,
            (x, y),
        ),
        ("mse_loss(x, y, weights, mask)", lambda x, y: jaxloss.mse_loss(x, y, y, y), None, (x, y)),
    ]
    lines = ["| | ours, µs | Optax's, compiled, µs | ratio |", "|---|--:|--:|--:|"]
    for name, our, their, arguments in rows:
        if their is None:

            def masked(x: Any, y: Any, weights: Any, mask: Any) -> Any:
                weights = weights * mask
                return jnp.sum(optax.squared_error(x, y) * weights) / jnp.sum(weights)

            compiled = jax.jit(masked)
            other = lambda x, y, compiled=compiled: compiled(x, y, y, y)  # noqa: E731
        else:
            compiled = jax.jit(lambda *arguments, their=their: jnp.mean(their(*arguments)))
            # One Python function around it, as around ours.
            other = lambda *arguments, compiled=compiled: compiled(*arguments)  # noqa: E731
        taken: list[list[float]] = []
        for _ in range(10 * rounds + 3):
            times = []
            for f in (our, other):
                jax.block_until_ready(f(*arguments))
                start = time.perf_counter()
                for _ in range(20):
                    last = f(*arguments)
                times.append((time.perf_counter() - start) / 20)
                jax.block_until_ready(last)
            taken.append(times)
        both = 1e6 * np.array(taken[3:])
        low, ratio, high = np.quantile(both[:, 0] / both[:, 1], [0.1, 0.5, 0.9])
        ours_, theirs = np.median(both, 0)
        lines.append(f"| `{name}` | {ours_:.1f} | {theirs:.1f} | **{ratio:.2f}** ({low:.2f} to {high:.2f}) |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="of the dispatch; of compiling a third")
    options = parser.parse_args()
    agree()
    calls = dispatch(options.rounds)
    rounds = max(options.rounds // 3, 1)
    compiled, found = compiling(rounds)
    device = f"{platform.machine()} CPU, {os.cpu_count()} cores"
    versions = f"JAX {jax.__version__}, Optax {optax.__version__}"
    text = f"""# What the losses cost before they run

{device}; {versions}; {datetime.date.today()}; medians, and of ratios 10 % to 90 %, of interleaved rounds.

## Value and gradient of forty losses, {SHAPE[0]} x {SHAPE[1]}, masked and weighted, in one program

{rounds} rounds after one to warm up, each with new functions and `jax.clear_caches()`. By hand: the plain formulas and
a weighted mean, masked inputs made harmless first; in the last row they aren't.

{compiled}

## Inside a caller's jit

{inside(found, options.rounds)}

## Dispatch of a small eager call, 8 elements

{10 * options.rounds} rounds of 20 calls, without waiting for each. Optax's function and `jnp.mean` in one `jax.jit`,
with options as constants of the program; ours are arguments that can change without compiling anew.

{calls}
"""
    print(text)
    results = Path(__file__).with_name("results")
    results.mkdir(exist_ok=True)
    results.joinpath(f"compiling-{jax.default_backend()}.md").write_text(text)


if __name__ == "__main__":
    main()
