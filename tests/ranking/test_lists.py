"""What holds of ranked lists beyond the contract: padding, ties, offsets, memory, and the metrics that are meant."""

from __future__ import annotations

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import ndcg_score

import jaxloss

from ..harness.case import BATCH, Case
from .cases import CASES, ITEMS, MORE


pytestmark = pytest.mark.usefixtures("compiles_fast")
close = functools.partial(np.testing.assert_allclose, rtol=1e-6, atol=1e-6)
ALL = CASES + MORE
every_row = pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
FIRST = list({case.loss: case for case in reversed(CASES)}.values())[::-1]
every_loss = pytest.mark.parametrize("case", FIRST, ids=lambda case: case.loss.__name__)
MEANS_OF_RANKS = ("dcg", "ndcg", "dcg2", "ndcg2")  # equal scores have ranks by their place


def call(case: Case, **keywords):
    return functools.partial(case.loss, **{**case.options, **keywords})


# --- items and lists -------------------------------------------------------------------------------------------------


@every_row
def test_a_padded_list_is_the_short_one(case):
    """Whatever lies between and behind its items."""
    arguments = case.arguments()
    places, width = [0, 2, 3, 5], ITEMS + 3

    def padded(x):
        junk = [np.nan, np.inf, -np.inf, 1e30] if x.dtype.kind == "f" else [99]
        wide = np.resize(np.asarray(junk, x.dtype), (BATCH, width))
        wide[:, places] = x
        return wide

    mask = np.isin(np.arange(width), places)[None]

    @jax.jit
    def found(arguments, mask):
        f = lambda x, **keywords: case.loss(**{**arguments, **case.options, "scores": x}, mask=mask, **keywords)  # noqa: E731
        return f(arguments["scores"], reduction="none"), jax.value_and_grad(f)(arguments["scores"])

    losses, (mean, wide) = found({name: padded(x) for name, x in arguments.items()}, mask)
    wanted, (wanted_mean, slope) = found(arguments, None)
    close(losses, wanted)
    close(mean, wanted_mean)
    close(wide[:, places], slope)
    assert not np.any(np.delete(wide, places, 1))


@every_loss
def test_lists_are_left_out(case):
    arguments = case.arguments()
    mask = (np.arange(BATCH) % 3 > 0)[:, None]
    kept = {name: x[mask[:, 0]] for name, x in arguments.items()}
    close(call(case, **arguments, mask=mask)(), call(case, **kept)())


@every_loss
def test_mask_and_weights_have_shapes_of_their_own(case):
    arguments = case.arguments()
    for name, shape, says in [
        ("mask", (BATCH,), r"match the items, .* a mask says which items exist: to leave lists out give them weight 0"),
        ("weights", (BATCH, ITEMS), r"match the lists, .* weights say how much each list counts: to leave items out"),
    ]:
        with pytest.raises(ValueError, match=rf"^{case.loss.__name__}: {name} must be a scalar or {says}"):
            call(case, **arguments, **{name: np.ones(shape, np.float32)})()


UNRANKED = {
    "pairwise_logistic_loss": [1, 1, 1],
    "pairwise_hinge_loss": [2, 2, 2],
    "pairwise_soft_zero_one_loss": [0, 0, 0],
    "pairwise_quantile_loss": [1, 1, 1],
    "approx_ndcg_loss": [0, 0, 0],
    "approx_mrr_loss": [0, 0, 0],
}


@every_loss
def test_lists_that_cannot_be_ranked_do_not_count(case):
    name = case.loss.__name__
    scores = jnp.float32([[1, 2, 0], [0.5, -1, 1]])
    labels = np.int32([UNRANKED.get(name, [0, 0, 0]), [0, 2, 1]])
    total = case.loss(scores, labels, reduction="total")
    assert total.weight == (1 if name in UNRANKED else 2)
    if name in UNRANKED:
        close(total.mean(), case.loss(scores[1:], labels[1:]))
        assert not np.any(jax.grad(lambda s: case.loss(s, labels))(scores)[0])


@every_loss
def test_one_item_and_none(case):
    for width in (0, 1):
        x, labels = jnp.ones((2, width)), jnp.ones((2, width))
        value, slope = jax.value_and_grad(lambda x, y=labels: case.loss(x, y))(x)
        assert np.isfinite(value) and not np.any(np.isnan(slope))
        if case.loss is not jaxloss.poly1_softmax_loss:
            assert value == 0 and not np.any(slope)


# --- numbers ---------------------------------------------------------------------------------------------------------


@every_row
def test_an_offset_changes_nothing(case):
    arguments = case.arguments()
    arguments["scores"] = np.float32(8) * np.round(2 * arguments["scores"])
    moved = {**arguments, "scores": arguments["scores"] + np.float32(1e8)}
    np.testing.assert_array_equal(moved["scores"] - np.float32(1e8), arguments["scores"])
    close(call(case, **moved, reduction="none")(), call(case, **arguments, reduction="none")())


@every_row
def test_the_order_in_which_items_are_listed_does_not_matter(case):
    """With scores that are equal as well."""
    arguments = case.arguments()
    if case.options.get("lambda_weights") not in MEANS_OF_RANKS:
        arguments["scores"] = np.round(arguments["scores"])
    expected = call(case, **arguments, reduction="none")()
    for order in ([3, 1, 0, 2], [1, 2, 3, 0]):
        close(call(case, **{name: x[:, order] for name, x in arguments.items()}, reduction="none")(), expected)


def test_equal_labels_share_a_denominator():
    scores = np.float32([1, 2, 3])
    total = np.logaddexp.reduce(scores)
    close(jaxloss.listmle_loss(scores, np.int32([1, 1, 1])), 3 * total - 6)
    close(jaxloss.listmle_loss(scores, np.int32([1, 1, 0])), 2 * total - 3)


def test_sure_lists_keep_their_relative_accuracy():
    scores, labels = jnp.float32([20, 0]), np.int32([1, 0])
    for loss in (
        jaxloss.ranking_softmax_loss,
        jaxloss.unique_softmax_loss,
        jaxloss.listmle_loss,
        jaxloss.pairwise_logistic_loss,
        jaxloss.approx_mrr_loss,
    ):
        np.testing.assert_allclose(loss(scores, labels), 2.0611537e-9, rtol=1e-5)


def test_scores_that_are_far_apart():
    """A case of rax's tests. The sum less the list's largest score would be infinite, or 0."""
    scores, labels = jnp.float32([0, -2.1e26, 3.4e37, 42]), np.int32([0, 3, 2, 1])
    for loss in (jaxloss.listmle_loss, jaxloss.unique_softmax_loss, jaxloss.pairwise_logistic_loss):
        value, slope = jax.value_and_grad(loss)(scores, labels)
        assert np.isfinite(value) and np.all(np.isfinite(slope)) and value > 1e26


def test_infinite_scores():
    """Those that agree with their labels cost nothing, others infinity; no slope is NaN."""
    low, high = jnp.float32([0, 1, -np.inf]), jnp.float32([np.inf, 0, 1])
    for loss, scores, labels, expected in [
        (jaxloss.ranking_softmax_loss, low, [0, 1, 0], np.log1p(np.exp(-1))),
        (jaxloss.ranking_softmax_loss, low, [0, 0, 1], np.inf),
        (jaxloss.listmle_loss, high, [2, 0, 1], np.log1p(np.exp(-1))),
        (jaxloss.listmle_loss, high, [0, 2, 1], np.inf),
        (jaxloss.unique_softmax_loss, high, [1, 0, 0], 0),
        (jaxloss.pairwise_logistic_loss, high, [1, 0, 0], 0),
        (jaxloss.pairwise_logistic_loss, high, [0, 0, 1], np.inf),
        (jaxloss.pairwise_hinge_loss, low, [1, 1, 0], 0),
        (jaxloss.approx_mrr_loss, high, [1, 0, 0], 0),
    ]:
        value, slope = jax.value_and_grad(loss)(scores, np.int32(labels))
        close(value, expected, err_msg=loss.__name__)
        assert not np.any(np.isnan(slope)), loss.__name__


def test_normalized_gains_do_not_overflow():
    scores, large, small = jnp.float32([0, 1, 2]), np.float32([200, 199, 190]), np.float32([30, 29, 20])
    for kind in ("ndcg", "ndcg2"):
        loss = functools.partial(jaxloss.pairwise_logistic_loss, scores, lambda_weights=kind)
        close(loss(large), loss(small), rtol=1e-5)
    close(jaxloss.approx_ndcg_loss(scores, large), jaxloss.approx_ndcg_loss(scores, small), rtol=1e-5)
    assert not np.isfinite(jaxloss.pairwise_logistic_loss(scores, large, lambda_weights="dcg"))


# --- as others have it -----------------------------------------------------------------------------------------------


def test_mean_over_all_pairs_of_a_batch():
    """rax's and TF-Ranking's number, by weights."""
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(5, 6)).astype(np.float32), rng.integers(0, 3, (5, 6))
    pairs = labels[:, :, None] > labels[:, None, :]
    costs = np.logaddexp(0, scores[:, None, :] - scores[:, :, None])[pairs]
    close(jaxloss.pairwise_logistic_loss(scores, labels, pairs.sum((1, 2))), costs.mean(), rtol=1e-5)


def test_one_relevant_item_is_a_class():
    rng = np.random.default_rng(0)
    scores, index = rng.normal(size=(5, 6)).astype(np.float32), rng.integers(0, 4, 5)
    mask = np.arange(6)[None] < [[4], [6], [5], [4], [6]]
    close(
        jaxloss.ranking_softmax_loss(scores, np.eye(6, dtype=bool)[index], mask=mask),
        jaxloss.cross_entropy(scores, index, class_mask=mask),
    )


def test_mse_of_pairs_is_twice_a_variance():
    """The closed form, against pairs one by one."""
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(2, 5, 6)).astype(np.float32)
    mask = rng.random((5, 6)) < 0.7
    each = functools.partial(jaxloss.pairwise_mse_loss, labels=labels, mask=mask, reduction="none")
    close(each(scores), each(scores, item_weights=np.ones((1, 1), np.float32)), rtol=1e-5)


def test_a_small_temperature_gives_the_metrics():
    """scikit-learn's gains are linear."""
    rng = np.random.default_rng(0)
    scores, gains = rng.normal(size=(20, 6)), rng.integers(0, 5, (20, 6))
    loss = jaxloss.approx_ndcg_loss(jnp.float32(scores), np.log2(1 + gains), temperature=1e-4, reduction="none")
    close(1 - loss, [ndcg_score(y[None], s[None]) for s, y in zip(scores, gains)], rtol=1e-5)
    first = [1 + np.flatnonzero(y[np.argsort(-s)] >= 1)[0] for s, y in zip(scores, gains)]
    loss = jaxloss.approx_mrr_loss(jnp.float32(scores), gains, temperature=1e-4, reduction="none")
    close(1 - loss, 1 / np.float32(first), rtol=1e-5)


# --- options ---------------------------------------------------------------------------------------------------------


def test_lambda_weights_that_do_not_fit():
    arguments = jnp.float32([1, 0]), np.int32([1, 0])
    for options, says in [
        ({"lambda_weights": "mrr"}, "lambda_weights must be 'label_diff', 'dcg', 'ndcg', 'dcg2', 'ndcg2' or None, got"),
        ({"top_n": 3}, "lambda_weights must be 'dcg', 'ndcg', 'dcg2' or 'ndcg2' with top_n, got None"),
        (
            {"top_n": 3, "lambda_weights": "label_diff"},
            "lambda_weights must be 'dcg', .* with top_n, got 'label_diff'",
        ),
        ({"top_n": 0, "lambda_weights": "dcg"}, "top_n must be an integer of at least 1, got 0"),
    ]:
        with pytest.raises(ValueError, match=f"^pairwise_hinge_loss: {says}"):
            jaxloss.pairwise_hinge_loss(*arguments, **options)


def test_scores_need_an_axis_of_items():
    with pytest.raises(ValueError, match=r"^listmle_loss: scores must have an axis of items"):
        jaxloss.listmle_loss(jnp.float32(1), np.int32(1))


# --- blocks ----------------------------------------------------------------------------------------------------------


def whole(name, s, y):
    """The same with all pairs at once."""
    gap = s[:, None, :] - s[:, :, None]
    lower = y[:, None, :] < y[:, :, None]
    if name.startswith("pairwise"):
        costs = jnp.logaddexp(0, gap) if name == "pairwise_logistic_loss" else jax.nn.sigmoid(gap)
        return jnp.sum(jnp.where(lower, costs, 0), (1, 2)) / jnp.sum(lower, (1, 2), dtype=s.dtype)
    if name == "listmle_loss":
        return jnp.sum(jax.nn.logsumexp(gap, 2, where=y[:, None, :] <= y[:, :, None]), 1)
    ranks = 0.5 + jnp.sum(jax.nn.sigmoid(gap), 2)
    gains = 2**y - 1
    best = jnp.sum(jnp.sort(gains, 1)[:, ::-1] / jnp.log2(2 + jnp.arange(s.shape[1], dtype=s.dtype))[None], 1)
    return 1 - jnp.sum(gains / jnp.log2(1 + ranks), 1) / best


BLOCKED = ["pairwise_logistic_loss", "pairwise_soft_zero_one_loss", "listmle_loss", "approx_ndcg_loss"]


@pytest.mark.parametrize("name", BLOCKED)
def test_blocks_are_the_whole(name, x64):
    """Of which the last isn't full; with derivatives of second order of a function of the value, at scores that tie."""
    rng = np.random.default_rng(0)
    s, y = jnp.asarray(rng.normal(size=(3, 301)).round(1)), jnp.asarray(rng.integers(0, 4, (3, 301)), float)
    v = jnp.asarray(rng.normal(size=s.shape))

    @functools.partial(jax.jit, static_argnums=0)
    def all_orders(f):
        return f(s), *jax.jvp(jax.grad(lambda s: jnp.sum(jnp.square(f(s)))), (s,), (v,))

    found = all_orders(lambda s: getattr(jaxloss, name)(s, y, reduction="none"))
    for one, other in zip(found, all_orders(lambda s: whole(name, s, y))):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


LISTS, LONG = 8, 1000
LAMBDAS = [{"lambda_weights": kind} for kind in ("dcg", "ndcg2")]


@pytest.mark.as_users_compile
@pytest.mark.parametrize(
    ("loss", "options"),
    [*itertools.product((case.loss for case in FIRST), [{}]), *((jaxloss.pairwise_hinge_loss, o) for o in LAMBDAS)],
    ids=lambda value: getattr(value, "__name__", None) or "-".join(value.values()) or "plain",
)
def test_pairs_are_never_held(loss, options):
    """Value and gradient of long lists take less than a tenth of the pairs."""
    x = jax.ShapeDtypeStruct((LISTS, LONG), jnp.float32)
    f = jax.jit(jax.value_and_grad(lambda s, y, m: loss(s, y, mask=m, **options)))
    memory = f.lower(x, x, jax.ShapeDtypeStruct(x.shape, bool)).compile().memory_analysis()
    assert memory.temp_size_in_bytes < LISTS * LONG**2 * 4 / 10
