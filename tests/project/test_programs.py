"""The rows of docs/programs.md, value and gradient, against what the programs compute, in float64 NumPy.

A row that offers several calls is several rows; a formula has the name of its row's first cell, up to a bracket.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import numpy as np
import pytest

import jaxloss

from .test_docs import PAGES, readers_config


__all__ = ["readers_config"]  # as a user has it, which the tests here otherwise forbid
PAGE = PAGES["programs.md"]


# --- what all of the programs have -----------------------------------------------------------------------------------


def logsumexp(x: Any, axis: int = -1) -> Any:
    top = x.max(axis, keepdims=True)
    return np.log(np.exp(x - top).sum(axis, keepdims=True)) + top


def log_softmax(x: Any, axis: int = -1) -> Any:
    return x - logsumexp(x, axis)


def one_hot(labels: Any, classes: int, on: float = 1.0, off: float = 0.0) -> Any:
    return np.where(labels[..., None] == np.arange(classes), on, off)


def xent(logits: Any, labels: Any) -> Any:
    """Softmax cross entropies of labels that are indices or one-hot."""
    labels = one_hot(labels, logits.shape[-1]) if labels.ndim < logits.ndim else labels
    return -(labels * log_softmax(logits)).sum(-1)


def smoothed(n: Any) -> Any:
    """Over the other classes."""
    return xent(n.logits, one_hot(n.labels, n.V, 1 - n.s, n.s / (n.V - 1)))


def log_sigmoid(x: Any) -> Any:
    return -np.logaddexp(0, -x)


def sigmoid_xent(logits: Any, labels: Any) -> Any:
    return -labels * log_sigmoid(logits) - (1 - labels) * log_sigmoid(-logits)


def mean_of(losses: Any, mask: Any) -> Any:
    return (losses * mask).sum() / mask.sum()


def safely(total: Any, count: Any) -> Any:
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)


def over_sequences(losses: Any, mask: Any) -> Any:
    """The mean of each sequence, 0 where it is empty."""
    return safely((losses * mask).sum(-1), mask.sum(-1))


def packed(n: Any) -> Any:
    """Sequence by sequence, in Python."""
    losses = xent(n.logits, n.labels)
    means = []
    for row, ids, mask in zip(losses, n.segment_ids, n.mask):
        for one in set(ids.tolist()):
            there = (ids == one) & mask
            means += [row[there].mean()] if there.any() else []
    return np.mean(means)


def next_token(logits: Any, tokens: Any, mask: Any) -> Any:
    """Sliced, with one-hot rows zeroed, as tunix does."""
    targets = one_hot(tokens[:, 1:], logits.shape[-1]) * mask[:, 1:, None]
    return -(targets * log_softmax(logits[:, :-1])).sum() / mask[:, 1:].sum()


def clip_both_ways(similarity: Any, mask: Any) -> Any:
    kept = similarity[mask][:, mask]
    return (-np.diag(log_softmax(kept, 1)) - np.diag(log_softmax(kept, 0))).mean() / 2


def capped_head(n: Any) -> Any:
    logits = 30 * np.tanh(n.hidden @ n.kernel / 30)
    losses = xent(logits, n.labels) + 1e-4 * logsumexp(logits)[..., 0] ** 2
    return mean_of(losses, n.mask)


def autoencoder(n: Any) -> Any:
    divergence = -0.5 * (1 + n.log_variance - n.mean**2 - np.exp(n.log_variance)).sum(-1)
    return sigmoid_xent(n.scores, n.targets).sum(-1).mean() + divergence.mean()


def distillation(n: Any) -> Any:
    """At a temperature of 2."""
    ours, theirs = log_softmax(n.class_scores / 2), log_softmax(n.teacher_logits / 2)
    return 4 * (np.exp(theirs) * (theirs - ours)).sum(-1).mean()


def label_weights_and_smoothing(n: Any) -> Any:
    labels = one_hot(n.classes, n.V) * (1 - n.s) + n.s / n.V
    losses = -labels * n.class_weights * log_softmax(n.class_scores) * n.exists[:, None, None]
    return losses.sum() / (n.exists.sum() * 12)


def clipped_value(n: Any) -> Any:
    clipped = n.old_values + np.clip(n.values - n.old_values, -0.2, 0.2)
    return 0.5 * np.maximum((n.values - n.returns) ** 2, (clipped - n.returns) ** 2).mean()


def clipped_surrogate(n: Any) -> Any:
    ratio = np.exp(-decoder_xent(n) - n.old_log_probs)
    clipped = np.where(ratio < 0.8, 0.8, np.where(ratio > 1.2, 1.2, ratio))
    return -mean_of(np.minimum(ratio * n.advantages, clipped * n.advantages), n.mask)


def decoder_xent(n: Any) -> Any:
    return xent(n.logits, n.labels)


def segmentation(n: Any) -> Any:
    return xent(n.class_scores, n.classes)


def log_normalizers(n: Any) -> Any:
    return logsumexp(n.logits)[..., 0]


# --- row by row: what is differentiated, and the formula -------------------------------------------------------------

FORMULAS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "weights of 0 and 1": ("logits", lambda n: mean_of(decoder_xent(n), n.weights)),
    "`NUM_REAL_TARGET_TOKENS`, with weights of any size": ("logits", lambda n: mean_of(decoder_xent(n), n.weights)),
    "`NUM_TOTAL_TARGET_TOKENS`; the mean over padding, too": (
        "logits",
        lambda n: (decoder_xent(n) * n.mask).sum() / n.labels.size,
    ),
    "`loss_normalizing_factor`, a constant": ("logits", lambda n: (decoder_xent(n) * n.mask / 233472).sum()),
    "`AVERAGE_PER_SEQUENCE`": (
        "logits",
        lambda n: over_sequences(decoder_xent(n), n.mask)[n.mask.any(-1)].mean(),
    ),
    "`AVERAGE_PER_SEQUENCE`, packed": ("logits", packed),
    "the mean over sequences of the means over tokens": (
        "logits",
        lambda n: over_sequences(decoder_xent(n), n.mask).mean(),
    ),
    "one loss for each sequence": ("logits", lambda n: over_sequences(decoder_xent(n), n.mask)),
    "a sum and its weight, to be added up": ("logits", lambda n: ((decoder_xent(n) * n.mask).sum(), n.mask.sum())),
    "each device's mean, then `pmean`": ("logits", lambda n: np.full(4, mean_of(decoder_xent(n), n.mask))),
    "smoothing over the *other* classes": ("logits", lambda n: mean_of(smoothed(n), n.mask)),
    "the same, minus the entropy of that label": (
        "logits",
        lambda n: mean_of(smoothed(n) + (1 - n.s) * np.log(1 - n.s) + n.s * np.log(n.s / (n.V - 1)), n.mask),
    ),
    "z-loss within the loss": (
        "logits",
        lambda n: mean_of(decoder_xent(n) + 1e-4 * log_normalizers(n) ** 2, n.mask),
    ),
    "z-loss for the log": ("logits", lambda n: mean_of(1e-4 * log_normalizers(n) ** 2, n.mask)),
    "z-loss for the log, from one pass": (
        "logits",
        lambda n: mean_of(1e-4 * log_normalizers(n) ** 2, n.mask),
    ),
    "the next token": ("logits", lambda n: next_token(n.logits, n.tokens, n.mask)),
    "the next token of packed sequences": (
        "logits",
        lambda n: next_token(
            n.logits, n.tokens, n.mask & (n.segment_ids == np.roll(n.segment_ids, 1, -1)) & (np.arange(6) > 0)
        ),
    ),
    "head, soft cap and loss in blocks": ("hidden", capped_head),
    "log-probabilities of tokens": ("logits", lambda n: -decoder_xent(n) * n.mask),
    "log-probabilities of tokens, from the head": (
        "hidden",
        lambda n: -xent(n.hidden @ n.kernel, n.labels) * n.mask,
    ),
    "log-probabilities of sequences": ("logits", lambda n: -(decoder_xent(n) * n.mask).sum(-1)),
    "accuracy": ("logits", lambda n: mean_of(n.logits.argmax(-1) == n.labels, n.mask)),
    "binary cross entropy": ("scores", lambda n: sigmoid_xent(n.scores, n.targets).sum(-1).mean()),
    "the same of squared errors, with a mask of examples": (
        "scores",
        lambda n: ((n.scores - n.targets) ** 2).sum(-1)[n.exists].mean(),
    ),
    "an autoencoder's loss": ("scores", autoencoder),
    "many labels": (
        "scores",
        lambda n: (sigmoid_xent(n.scores, n.targets * (1 - n.s) + n.s / 12) * n.label_weights)[n.exists].sum(-1).mean(),
    ),
    "labels that are NaN where there are none": (
        "scores",
        lambda n: np.nanmean(sigmoid_xent(n.scores, n.partly)),
    ),
    "one class": (
        "class_scores",
        lambda n: xent(n.class_scores, one_hot(n.classes, n.V) * (1 - n.s) + n.s / n.V)[n.exists].mean(),
    ),
    "segmentation": (
        "class_scores",
        lambda n: (segmentation(n) * n.class_weights[n.classes])[n.exists].mean(),
    ),
    "label weights *and* smoothing, class by class": ("class_scores", label_weights_and_smoothing),
    '"no object" at a tenth, divided by the weights': (
        "class_scores",
        lambda n: mean_of(segmentation(n), n.class_weights[n.classes]),
    ),
    "mixup, distillation to probabilities": ("class_scores", lambda n: xent(n.class_scores, n.probs).mean()),
    "the divergence from probabilities": (
        "class_scores",
        lambda n: (xent(n.class_scores, n.probs) + (n.probs * np.log(n.probs)).sum(-1)).mean(),
    ),
    "distillation": ("class_scores", distillation),
    "CLIP": ("similarity", lambda n: clip_both_ways(n.similarity, np.full(4, True))),
    "the same, with examples left out": ("similarity", lambda n: clip_both_ways(n.similarity, n.exists)),
    "SigLIP": (
        "similarity",
        lambda n: -log_sigmoid(n.similarity * (2 * np.eye(4) - 1)).sum(-1).mean(),
    ),
    "diffusion": (
        "scores",
        lambda n: np.mean([w * ((a - b) ** 2).mean() for a, b, w in zip(n.scores, n.noise, n.weight_of_t)]),
    ),
    "a penalty on the weights of rank above 1": (
        "class_scores",
        lambda n: segmentation(n).mean() + 0.5e-4 * (n.params["kernel"] ** 2).sum(),
    ),
    "DPO, with smoothing": (
        "margins",
        lambda n: -((1 - n.s) * log_sigmoid(0.1 * n.margins) + n.s * log_sigmoid(-0.1 * n.margins)).mean(),
    ),
    "policy gradient, as a sum": ("logits", lambda n: (decoder_xent(n) * n.advantages * n.mask).sum()),
    "the clipped surrogate": ("logits", clipped_surrogate),
    "entropy of a policy": (
        "logits",
        lambda n: mean_of(-(np.exp(log_softmax(n.logits)) * log_softmax(n.logits)).sum(-1), n.mask),
    ),
    "the clipped squared error of a value": ("values", clipped_value),
    "C51, its labels a distribution over atoms": ("class_scores", lambda n: xent(n.class_scores, n.probs).mean()),
}


def title(cell: str) -> str:
    return re.split(r":? \(|: |\(", cell)[0]


def calls(cell: str) -> list[str]:
    return re.findall(r"`(.*?)`", cell)


pytestmark = pytest.mark.usefixtures("compiles_fast")
TABLES = re.findall(r"^\| (?!in the program|--)(.*?) \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
ROWS = [(title(row[0]), call) for row in TABLES for call in calls(row[1])]
SETUP = "".join(
    block for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE) if ">>>" not in block
)


def test_every_row_has_a_formula_and_every_formula_a_row():
    assert sorted(title(row[0]) for row in TABLES) == sorted(FORMULAS)


@pytest.fixture(scope="module")
def arrays() -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(SETUP, names)
    return names


def in_float64(x: Any) -> Any:
    x = np.asarray(x)
    return x.astype(np.float64) if x.dtype == np.float32 else x


def evaluate(code: str, names: dict[str, Any]) -> Any:
    *before, last = code.split("; ")
    names = {**names}
    exec("\n".join(before), names)
    return eval(last, names)


@pytest.mark.thin(4)
@pytest.mark.parametrize(("name", "code"), ROWS, ids=[f"{name}-{number}" for number, (name, _) in enumerate(ROWS)])
def test_rows(name, code, arrays):
    lead, formula = FORMULAS[name]
    numbers = {key: value for key, value in arrays.items() if isinstance(value, (jax.Array, float, int, dict))}
    exact = jax.tree.map(in_float64, {key: value for key, value in numbers.items() if key[0] != "_"})
    direction = np.random.default_rng(0).normal(size=arrays[lead].shape)

    def ours(x: Any) -> Any:
        return evaluate(code, {**arrays, lead: x})

    def theirs(step: float) -> list[Any]:
        value = formula(SimpleNamespace(**{**exact, lead: exact[lead] + step * direction}))
        return [np.asarray(part, np.float64) for part in jax.tree.leaves(value)]

    value, slope = jax.jvp(ours, (arrays[lead],), (direction.astype(np.float32),))
    value, slope, expected = jax.tree.leaves(value), jax.tree.leaves(slope), theirs(0.0)
    assert [part.shape for part in value] == [part.shape for part in expected]
    for found, change, part, above, below in zip(value, slope, expected, theirs(1e-5), theirs(-1e-5)):
        np.testing.assert_allclose(found, part, rtol=2e-6, atol=1e-6)
        np.testing.assert_allclose(change, (above - below) / 2e-5, rtol=1e-5, atol=1e-5)


def test_scenics_number_is_not_that_of_class_weights(arrays):
    """So the recipe is needed, and as labels alone the same numbers are refused."""
    n = SimpleNamespace(**arrays)
    code = next(code for name, code in ROWS if name.startswith("label weights"))
    recipe = evaluate(code, arrays)
    by_class = jaxloss.cross_entropy(
        n.class_scores,
        n.classes,
        mask=n.exists[:, None],
        class_weights=n.class_weights,
        label_smoothing=n.s,
        reduction="sum",
    ) / (12 * n.exists.sum())
    assert abs(recipe / by_class - 1) > 1e-3
    labels, weights = n.weighted_labels(n.classes, n.class_weights, n.s)
    assert np.isnan(jaxloss.cross_entropy(n.class_scores, labels * weights[..., None]))


def test_packed_sequences_of_any_number(arrays):
    """As many as tokens; and every token is counted by a mask of its own."""
    ids, mask = np.array([[1, 2, 3, 4, 5, 6], [1, 1, 1, 1, 2, 2]]), np.array([[1] * 6, [0, 1, 1, 1, 0, 0]])
    weights = np.asarray(arrays["one_a_sequence"](ids, mask)) * mask
    np.testing.assert_allclose(weights, [[1] * 6, [0, 1 / 3, 1 / 3, 1 / 3, 0, 0]], rtol=1e-6)


@pytest.mark.parametrize("code", [code for name, code in ROWS if name == "entropy of a policy"])
def test_actions_that_are_ruled_out(code, arrays):
    """Where the formula of Flax's ppo is NaN."""

    def entropy(logits: Any) -> Any:
        return evaluate(code, {**arrays, "logits": logits})

    logits = arrays["logits"]
    value, slope = jax.value_and_grad(entropy)(logits.at[..., 2].set(-np.inf))
    without = jax.numpy.delete(logits, 2, -1)
    np.testing.assert_allclose(value, entropy(without), rtol=1e-6)
    assert not slope[..., 2].any()
    np.testing.assert_allclose(jax.numpy.delete(slope, 2, -1), jax.grad(entropy)(without), rtol=1e-5, atol=1e-7)
