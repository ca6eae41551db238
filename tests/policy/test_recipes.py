"""The recipes of docs/recipes.md against the papers' formulas: who divides by what, over microbatches and devices."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, PartitionSpec as P

import jaxloss


pytestmark = pytest.mark.usefixtures("compiles_fast")
close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)
RNG = np.random.default_rng(0)
ROWS, TOKENS, GROUP = 8, 6, 4  # completions, the longest of them, and of a prompt
DRAWN = -np.abs(RNG.normal(size=(ROWS, TOKENS))).astype(np.float32)
OLD = DRAWN + RNG.normal(size=DRAWN.shape).astype(np.float32) / 3
REWARDS = RNG.normal(size=(ROWS // GROUP, GROUP)).astype(np.float32)
LENGTHS = np.array([6, 3, 5, 2, 0, 4, 1, 6])
EXIST = np.arange(TOKENS) < LENGTHS[:, None]
CENTRED = REWARDS - REWARDS.mean(-1, keepdims=True)
ADVANTAGES = (CENTRED / (REWARDS.std(-1, keepdims=True, ddof=1) + 1e-4)).reshape(ROWS, 1)
clipped = functools.partial(jaxloss.ppo_clip_loss, DRAWN, OLD, ADVANTAGES, mask=EXIST)


def surrogate(low=0.2, high=0.2, drawn=DRAWN, old=OLD, advantages=ADVANTAGES):
    ratio = np.exp(drawn.astype(float) - old)
    return -np.minimum(ratio * advantages, np.clip(ratio, 1 - low, 1 + high) * advantages)


def mean_of_completions(x):
    """Of those that aren't empty."""
    return np.mean([x[row, :length].mean() for row, length in enumerate(LENGTHS) if length])


def test_grpo():
    weights = 1 / np.maximum(LENGTHS, 1)[:, None]
    close(clipped(weights=weights), mean_of_completions(surrogate()))


def test_dapo_and_the_mean_over_prompts():
    each = surrogate(high=0.28)
    close(clipped(epsilon_high=0.28), each[EXIST].mean())
    of_prompts = each.reshape(2, -1), EXIST.reshape(2, -1)
    counts = np.repeat(of_prompts[1].sum(-1), GROUP)[:, None]
    expected = np.mean([x[here].mean() for x, here in zip(*of_prompts)])
    close(clipped(weights=1 / np.maximum(counts, 1), epsilon_high=0.28), expected)


def test_dr_grpo_and_luspo():
    centred = CENTRED.reshape(ROWS, 1)
    found = jaxloss.ppo_clip_loss(DRAWN, OLD, centred, mask=EXIST, reduction="sum") / (ROWS * TOKENS)
    close(found, surrogate(advantages=centred)[EXIST].sum() / (ROWS * TOKENS))
    close(clipped(reduction="sum") / ROWS, np.where(EXIST, surrogate(), 0).sum(-1).mean())


def test_gspo():
    drawn, old = (jaxloss.reduce(x, mask=EXIST, axis=-1) for x in (DRAWN, OLD))
    low, high = 3e-4, 4e-4
    found = jaxloss.ppo_clip_loss(drawn, old, ADVANTAGES[:, 0], mask=EXIST.any(-1), epsilon_low=low, epsilon_high=high)
    some = LENGTHS > 0
    means = [np.array([x[row, :length].mean() for row, length in enumerate(LENGTHS) if length]) for x in (DRAWN, OLD)]
    close(found, surrogate(low, high, *means, ADVANTAGES[some, 0]).mean())


def test_reinforce_by_the_head():
    """The slope of the log-probability times the advantage."""
    hidden, kernel = (RNG.normal(size=shape).astype(np.float32) for shape in ((ROWS, TOKENS, 4), (4, 5)))
    tokens = RNG.integers(0, 5, (ROWS, TOKENS))
    of_others = CENTRED.reshape(ROWS, 1) * GROUP / (GROUP - 1)
    leave_one_out = [reward - np.delete(group, place).mean() for group in REWARDS for place, reward in enumerate(group)]
    close(of_others[:, 0], leave_one_out, rtol=1e-4)

    def recipe(kernel):
        told = {"weights": of_others, "mask": EXIST, "reduction": "sum"}
        return jaxloss.linear_cross_entropy(hidden, kernel, tokens, **told) / float(EXIST.sum())

    def plain(kernel):
        log_probs = jnp.take_along_axis(jax.nn.log_softmax(hidden @ kernel), tokens[..., None], -1)[..., 0]
        return -jnp.sum(jnp.where(EXIST, of_others * log_probs, 0)) / float(EXIST.sum())

    jax.tree.map(close, *(jax.value_and_grad(f)(kernel) for f in (recipe, plain)))


def test_a_sampler_that_is_not_the_trainer():
    factor = np.minimum(np.exp(OLD - (OLD + RNG.normal(size=OLD.shape))), 2).astype(np.float32)
    found = jaxloss.reduce(factor * clipped(reduction="none"), mask=EXIST)
    close(found, (factor * surrogate())[EXIST].mean())


def of_rows(rows, drawn=DRAWN, **keywords):
    return jaxloss.ppo_clip_loss(drawn[rows], OLD[rows], ADVANTAGES[rows], mask=EXIST[rows], **keywords)


@pytest.mark.parametrize("weighted", [False, True], ids=["tokens", "completions"])
def test_microbatches_of_unequal_length(weighted):
    """Value and gradient; the mean of means is neither."""
    weights = 1 / np.maximum(LENGTHS, 1)[:, None] if weighted else np.ones((ROWS, 1))
    parts = [slice(0, 3), slice(3, 5), slice(5, 8)]

    def by_parts(drawn):
        totals = [of_rows(rows, drawn, weights=weights[rows], reduction="total") for rows in parts]
        return sum(totals[1:], totals[0]).mean()

    def whole(drawn):
        return of_rows(slice(None), drawn, weights=weights)

    def mean_of_means(drawn):
        return sum(of_rows(rows, drawn, weights=weights[rows]) for rows in parts) / len(parts)

    (value, slope), wanted, wrong = (jax.value_and_grad(f)(DRAWN) for f in (by_parts, whole, mean_of_means))
    close(value, wanted[0])
    close(slope, wanted[1])
    assert abs(wrong[0] - wanted[0]) > 1e-3


def test_devices():
    mesh = Mesh(jax.devices("cpu")[:4], ("data",))
    weights = 1 / np.maximum(LENGTHS, 1)[:, None]
    options = {"axis_name": "data"}
    split = jax.shard_map(
        lambda d, o, a, w, m: jaxloss.ppo_clip_loss(d, o, a, w, m, **options),
        mesh=mesh,
        in_specs=(P("data"),) * 5,
        out_specs=P(),
    )
    close(split(DRAWN, OLD, ADVANTAGES, weights, EXIST), clipped(weights=weights))


def test_min_snr():
    snr = np.array([0.1, 1.0, 20.0, 300.0])[:, None]
    errors = RNG.normal(size=(4, 5)).astype(np.float32)
    each = jaxloss.mse_loss(errors, np.zeros_like(errors), reduction="none")
    for factor in (np.minimum(snr, 5) / snr, np.minimum(snr, 5), np.minimum(snr, 5) / (snr + 1)):
        close(jaxloss.reduce(factor * each), (factor * errors.astype(float) ** 2).mean())


def test_a_teacher_of_which_the_top_is_known():
    """With one more class for the rest; the whole of it where k is all but one."""
    z, teacher = RNG.normal(size=(3, 4)).astype(np.float32), RNG.dirichlet(np.ones(4), 3).astype(np.float32)
    top = np.argsort(-teacher, -1)[:, :3]
    student = jaxloss.softmax_log_probs(z, top).log_probs
    rest = jnp.log(-jnp.expm1(jax.nn.logsumexp(student, -1, keepdims=True)))
    known = np.take_along_axis(teacher, top, -1)
    probs = np.concatenate([known, 1 - known.sum(-1, keepdims=True)], -1)
    found = jaxloss.kl_divergence(jnp.concatenate([student, rest], -1), probs)
    close(found, jaxloss.kl_divergence(jax.nn.log_softmax(z), teacher), rtol=1e-4)
