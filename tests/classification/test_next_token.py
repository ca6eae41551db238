"""Labels of language models: shifted by one, masked where nothing follows."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss


TOKENS = np.array([[5, 6, 7, 8, 0], [1, 2, 3, 4, 9]], np.int32)


def by_hand(tokens, mask, segments):
    labels, exists = tokens.copy(), np.zeros(tokens.shape, bool)
    for row in np.ndindex(tokens.shape[:-1]):
        for t in range(tokens.shape[-1] - 1):
            labels[(*row, t)] = tokens[(*row, t + 1)]
            exists[(*row, t)] = mask[(*row, t + 1)] and segments[(*row, t)] == segments[(*row, t + 1)]
    return labels, exists


@pytest.mark.parametrize("masked", [None, (), (2, 1), (1, 5), (2, 5)])
@pytest.mark.parametrize("packed", [False, True])
def test_against_a_loop(masked, packed):
    rng = np.random.default_rng(0)
    mask = None if masked is None else rng.random(masked) < 0.6
    segments = np.array([[1, 1, 2, 2, 0], [1, 2, 2, 2, 2]]) if packed else np.zeros_like(TOKENS)
    wanted = by_hand(TOKENS, np.broadcast_to(True if mask is None else mask, TOKENS.shape), segments)
    found = jax.jit(jaxloss.next_token_labels)(TOKENS, mask, segment_ids=segments if packed else None)
    jax.tree.map(np.testing.assert_array_equal, found, wanted)
    assert found[0].dtype == jnp.int32 and found[1].dtype == jnp.bool_


@pytest.mark.parametrize("shape", [(0,), (1,), (3, 1), (2, 0), (0, 4)])
def test_nothing_follows(shape):
    labels, mask = jaxloss.next_token_labels(jnp.ones(shape, jnp.int32))
    assert labels.shape == mask.shape == shape
    assert not np.any(mask[..., -1:])


def test_the_loss_of_what_is_sliced():
    logits = np.random.default_rng(0).normal(size=(2, 5, 10)).astype(np.float32)
    labels, mask = jaxloss.next_token_labels(TOKENS, TOKENS != 0)
    found = jaxloss.cross_entropy(logits, labels, mask=mask)
    wanted = jaxloss.cross_entropy(logits[:, :-1], TOKENS[:, 1:], mask=TOKENS[:, 1:] != 0)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize(
    ("error", "arguments", "message"),
    [
        (TypeError, {"tokens": jnp.ones(3)}, "tokens must be integers, got float32"),
        (ValueError, {"tokens": 3}, "tokens must have an axis of time, got shape ()"),
        (TypeError, {"tokens": TOKENS, "mask": TOKENS}, "mask must be bool, got int32; compare it with != 0"),
        (
            ValueError,
            {"tokens": TOKENS, "mask": np.ones(2, bool)},
            "mask must be a scalar or match tokens, of shape (2, 5), axis by axis (each dimension equal or 1), got "
            "shape (2,); reshape it to (2, 1)",
        ),
        (TypeError, {"tokens": TOKENS, "segment_ids": TOKENS == 0}, "segment_ids must be integers, got bool"),
        (
            ValueError,
            {"tokens": TOKENS, "segment_ids": TOKENS[0]},
            "segment_ids must have the shape of tokens, (2, 5), got (5,)",
        ),
    ],
)
def test_messages(error, arguments, message):
    with pytest.raises(error, match=f"^{re.escape(f'next_token_labels: {message}')}(\n|$)"):
        jaxloss.next_token_labels(**arguments)
