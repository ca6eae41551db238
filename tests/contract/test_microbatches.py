"""Gradient accumulation: microbatches of unequal weight give the gradient of the one batch that they are."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax
from jax.sharding import AxisType, PartitionSpec as P

import jaxloss
from jaxloss import Total

from ..harness.formulas import log_normalizer, one_hot
from ..harness.rows import some
from ..project.test_docs import PAGES


pytestmark = pytest.mark.usefixtures("compiles_fast")
K, TOKENS, FEATURES, CLASSES = 4, 16, 5, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(K, TOKENS, FEATURES)).astype(np.float32)
PARAMS = {
    "bias": RNG.normal(size=CLASSES).astype(np.float32),
    "kernel": RNG.normal(size=(FEATURES, CLASSES)).astype(np.float32),
}
INTEGERS = RNG.integers(0, CLASSES, (K, TOKENS)).astype(np.int32)
NUMBERS = RNG.normal(size=(K, TOKENS, CLASSES)).astype(np.float32)
WEIGHTS = RNG.uniform(0.5, 2, (K, TOKENS)).astype(np.float32)
LIVE = {"uneven": [16, 3, 1, 7], "some masked": [0, 16, 3, 0], "all masked": [0, 0, 0, 0]}
NOTHING = Total(jnp.zeros(()), jnp.zeros(()))


# --- losses, and what they must give ------------------------------------------------------------------------------


def layer(params, x):
    return x @ params["kernel"] + params["bias"][None]


def with_logits(params, x, labels, weights, mask, reduction: Any = "mean") -> Any:
    return jaxloss.cross_entropy(layer(params, x), labels, weights, mask, reduction=reduction)


def without_logits(params, x, labels, weights, mask, reduction: Any = "mean") -> Any:
    head = params["kernel"], labels, weights, mask
    return jaxloss.linear_cross_entropy(x, *head, bias=params["bias"], chunk_size=4, reduction=reduction)


def regression(params, x, labels, weights, mask, reduction: Any = "mean") -> Any:
    return jaxloss.huber_loss(layer(params, x), labels, weights[:, None], mask[:, None], reduction=reduction)


def cross_entropy(z, labels):
    """The loss and the slope of each token, in float64."""
    log_probs, labels = z - log_normalizer(z, -1), one_hot(labels, CLASSES)
    return -(labels * log_probs).sum(-1, keepdims=True), np.exp(log_probs) - labels


def huber(z, labels):
    error = z - labels
    slopes = np.clip(error, -1, 1)
    return slopes * (error - slopes / 2), slopes


# The loss of a model, labels, weights, and its formula.
LOSSES: dict[str, tuple[Callable[..., Any], np.ndarray, np.ndarray, Callable[..., Any]]] = {
    "cross_entropy": (with_logits, INTEGERS, np.ones_like(WEIGHTS), cross_entropy),
    "linear_cross_entropy": (without_logits, INTEGERS, WEIGHTS, cross_entropy),
    "huber_loss": (regression, NUMBERS, WEIGHTS, huber),
}


class Task(NamedTuple):
    """A loss, microbatches with junk where masked; and the weight, loss and gradient of the one batch, by formula."""

    loss: Callable[..., Any]
    batches: tuple[np.ndarray, ...]
    weight: np.ndarray
    value: Any = None
    gradient: Any = None


def task(loss: str, live: list[int], params: Any = PARAMS) -> Task:
    function, labels, weights, formula = LOSSES[loss]
    mask = np.random.default_rng(1).permuted(np.arange(TOKENS) < np.array(live)[:, None], axis=1)
    x, kernel, bias = (np.asarray(a, np.float64) for a in (X, params["kernel"], params["bias"]))
    losses, slopes = formula(x @ kernel + bias, labels)
    counts = np.where(mask, weights, 0).astype(np.float64)[..., None]
    weight = (counts * np.ones_like(losses)).sum()
    divisor = weight or 1
    slopes = counts * slopes / divisor
    gradient = {"bias": slopes.sum((0, 1)), "kernel": np.einsum("ktf,ktc->fc", x, slopes)}
    junk = np.array(-1 if labels is INTEGERS else np.nan, labels.dtype)
    labels = np.where(mask.reshape(*mask.shape, *[1] * (labels.ndim - 2)), labels, junk)
    value = (counts * losses).sum() / divisor
    return Task(function, (X, labels, weights, mask), np.float32(weight), value, gradient)


def error(found: Any, expected: Any) -> float:
    """The largest, as a share of the largest entry; a gradient of zero is exact."""
    a, b = jax.tree.leaves(found), jax.tree.leaves(expected)
    assert all(x.dtype == np.float32 and x.shape == y.shape for x, y in zip(a, b, strict=True))
    a, b = (np.concatenate([np.ravel(x) for x in leaves]).astype(np.float64) for leaves in (a, b))
    return float(np.max(np.abs(a - b)) / (np.max(np.abs(b)) or 1e-30))


# --- ways to accumulate -------------------------------------------------------------------------------------------


def sum_and_total(task, params, batch):
    total = task.loss(params, *batch, reduction="total")
    return total.total, total


def one_batch(task, params):
    return jax.grad(task.loss)(params, *(x.reshape(-1, *x.shape[2:]) for x in task.batches))


def gradients_added(task, params):
    """Each microbatch is differentiated; the weight shows at the end."""

    def add(so_far, batch):
        gradient, total = jax.grad(sum_and_total, 1, has_aux=True)(task, params, batch)
        return jax.tree.map(jnp.add, so_far, (total, gradient)), None

    (total, gradient), _ = lax.scan(add, (NOTHING, jax.tree.map(jnp.zeros_like, params)), task.batches)
    return jax.tree.map(lambda g: Total(g, total.weight).mean(), gradient)


def totals_added(task, params):
    """The scan is differentiated as a whole."""

    def mean(params):
        def add(total, batch):
            return total + sum_and_total(task, params, batch)[1], None

        return lax.scan(jax.checkpoint(add), NOTHING, task.batches)[0].mean()

    return jax.grad(mean)(params)


def totals_mapped(task, params):
    def mean(params):
        totals = lax.map(jax.checkpoint(lambda batch: sum_and_total(task, params, batch)[1]), task.batches)
        return jax.tree.map(jnp.sum, totals).mean()

    return jax.grad(mean)(params)


def shares_added(task, params):
    """The weight is known ahead: each sum over it is a share of the mean."""

    def add(so_far, batch):
        share = jax.grad(lambda params: sum_and_total(task, params, batch)[0] / task.weight)(params)
        return jax.tree.map(jnp.add, so_far, share), None

    return lax.scan(add, jax.tree.map(jnp.zeros_like, params), task.batches)[0]


def optimized(optimizer, gradient, task, params):
    """The updates after each microbatch; those of sgd(1.0) are minus the gradient."""

    def step(state, batch):
        gradients, options = gradient(batch)
        with jax.numpy_dtype_promotion("standard"):  # as Optax needs it
            updates, state = optimizer.update(gradients, state, params, **options)
        return state, updates

    return lax.scan(step, optimizer.init(params), task.batches)[1]


def at_last(updates):
    """Minus the last update; NaN unless the earlier ones are zero."""
    early, last = (jax.tree.map(lambda x, k=k: -x[k], updates) for k in (slice(K - 1), K - 1))
    return jax.tree.map(lambda x, y: jnp.where(jnp.all(x == 0), y, jnp.nan), early, last)


def averaged_by_multi_steps(task, params):
    def gradient(batch):
        return jax.grad(lambda params: sum_and_total(task, params, batch)[0] / (task.weight / K))(params), {}

    return at_last(optimized(optax.MultiSteps(optax.sgd(1.0), K), gradient, task, params))


def added_by_multi_steps(task, params):
    def gradient(batch):
        return jax.grad(lambda params: sum_and_total(task, params, batch)[0] / task.weight)(params), {}

    return at_last(optimized(optax.MultiSteps(optax.sgd(1.0), K, use_grad_mean=False), gradient, task, params))


def recipe(name: str) -> Any:
    """A function of docs/recipes.md."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGES["recipes.md"], re.DOTALL | re.MULTILINE)
    (block,) = (block for block in blocks if f"def {name}(" in block)
    names = {"jax": jax, "jnp": jnp, "jaxloss": jaxloss, "optax": optax}
    exec(block, names)
    return names[name]


def sums_and_weight(task, params, batch):
    gradient, total = jax.grad(sum_and_total, 1, has_aux=True)(task, params, batch)
    return gradient, {"weight": total.weight}


def weighted_in_multi_steps(task, params):
    optimizer = recipe("over_microbatches")(optax.sgd(1.0), K)
    return at_last(optimized(optimizer, functools.partial(sums_and_weight, task, params), task, params))


def means_averaged(task, params):
    def mean(params):
        return jnp.mean(lax.map(lambda batch: task.loss(params, *batch), task.batches))

    return jax.grad(mean)(params)


def means_in_multi_steps(task, params):
    def gradient(batch):
        return jax.grad(task.loss)(params, *batch), {}

    return at_last(optimized(optax.MultiSteps(optax.sgd(1.0), K), gradient, task, params))


WEIGHT_KNOWN = [shares_added, averaged_by_multi_steps, added_by_multi_steps]
WEIGHT_UNKNOWN = [gradients_added, totals_added, totals_mapped, weighted_in_multi_steps]


def gradients(way, loss, rows):
    """What it gives for each row, in one compilation, and what it should give."""
    f = jax.jit(lambda batches, weight: way(Task(LOSSES[loss][0], batches, weight), PARAMS))
    for live in rows:
        expected = task(loss, LIVE[live])
        yield f(expected.batches, expected.weight), expected.gradient


@pytest.mark.parametrize("way", [one_batch, *WEIGHT_KNOWN, *WEIGHT_UNKNOWN])
@pytest.mark.parametrize("loss", some(LOSSES, "cross_entropy"))
def test_the_gradient_of_the_one_batch(loss, way):
    rows = ["uneven", "some masked"] if way in WEIGHT_KNOWN else LIVE
    assert all(error(*pair) < 1e-6 for pair in gradients(way, loss, rows))


@pytest.mark.parametrize("way", [means_averaged, means_in_multi_steps])
@pytest.mark.parametrize("loss", LOSSES)
def test_means_of_means_are_far_off(loss, way):
    """So the test above can tell."""
    assert all(error(*pair) > 0.1 for pair in gradients(way, loss, ["uneven", "some masked"]))


def test_an_optimizer_over_microbatches():
    """Three updates by clipped AdamW: memory, clipping and decay see the gradient of the mean, and only at the end."""
    inner = optax.chain(optax.clip_by_global_norm(0.5), optax.adamw(0.1, weight_decay=0.1))
    optimizer = recipe("over_microbatches")(inner, K)
    expected = found = jax.tree.map(jnp.asarray, PARAMS)
    memory, state = inner.init(expected), optimizer.init(found)
    update, with_weight = jax.jit(inner.update), jax.jit(optimizer.update)
    for live in ("uneven", "some masked", "uneven"):
        microbatches = task("cross_entropy", LIVE[live], expected)
        with jax.numpy_dtype_promotion("standard"):  # as Optax needs it
            updates, memory = update(jax.tree.map(np.float32, microbatches.gradient), memory, expected)
            expected = optax.apply_updates(expected, updates)
            for batch in zip(*microbatches.batches):
                gradient, weight = sums_and_weight(microbatches, found, batch)
                updates, state = with_weight(gradient, state, found, **weight)
                found = optax.apply_updates(found, updates)
        assert error(found, expected) < 1e-6


# --- totals on their way ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", range(K + 1))
def test_a_checkpoint_between_microbatches(stop, tmp_path):
    """Written as plain arrays, read into the structure that a fresh start has."""
    microbatches = task("cross_entropy", LIVE["uneven"])

    @functools.partial(jax.jit, donate_argnums=0)
    def add(so_far, batch):
        (_, total), gradient = jax.value_and_grad(sum_and_total, 1, has_aux=True)(microbatches, PARAMS, batch)
        return jax.tree.map(jnp.add, so_far, (total, gradient))

    def start():
        return jax.tree.map(jnp.zeros_like, (NOTHING, PARAMS))

    batches = [*zip(*microbatches.batches)]
    np.savez(tmp_path / "state.npz", *jax.tree.leaves(functools.reduce(add, batches[:stop], start())))
    with np.load(tmp_path / "state.npz") as arrays:
        state = jax.tree.unflatten(jax.tree.structure(start()), map(jnp.asarray, arrays.values()))
    total, gradient = functools.reduce(add, batches[stop:], state)
    assert isinstance(total, Total)
    assert error(total.mean(), microbatches.value) < 1e-6
    assert error(total.weight, microbatches.weight) < 1e-6
    assert error(jax.tree.map(lambda g: g / total.weight, gradient), microbatches.gradient) < 1e-6


@pytest.mark.parametrize("mapped", ["shard_map", "shard_map, check_vma=False", "vmap"])
@pytest.mark.parametrize("loss", some(LOSSES, "cross_entropy"))
def test_microbatches_on_devices(loss, mapped):
    """Two devices with two microbatches each."""

    def on_device(task, params):
        def mean(params):
            totals = lax.map(jax.checkpoint(lambda batch: sum_and_total(task, params, batch)[1]), task.batches)
            return jax.tree.map(jnp.sum, totals).psum("i").mean()

        gradient = jax.grad(mean)(params)
        return gradient if mapped == "shard_map" else lax.pmean(gradient, "i")

    def way(task, params):
        f = lambda *batches: on_device(task._replace(batches=batches), params)  # noqa: E731
        if mapped == "vmap":
            halves = (x.reshape(2, K // 2, *x.shape[1:]) for x in task.batches)
            return jax.tree.map(lambda x: x[1], jax.vmap(f, axis_name="i")(*halves))
        mesh, check_vma = jax.make_mesh((2,), ("i",), axis_types=(AxisType.Auto,)), mapped == "shard_map"
        return jax.shard_map(f, mesh=mesh, in_specs=P("i"), out_specs=P(), check_vma=check_vma)(*task.batches)

    assert all(error(*pair) < 1e-6 for pair in gradients(way, loss, LIVE))
