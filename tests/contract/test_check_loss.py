"""`check_loss` finds each kind of broken promise, says which and by what, and finds none in what is right."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax import lax

import jaxloss
from jaxloss._testing.calls import as_written
from jaxloss.testing import check_loss

from ..harness.case import Case
from ..harness.rows import FIRST, exhaustive


pytestmark = pytest.mark.usefixtures("compiles_fast")
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(2, 8, 2)).astype(np.float32)


@jaxloss.loss
def good(predictions, labels, *, scale=1.0):
    return scale * jnp.square(predictions - labels)


def bad(predictions, labels, weights=None, mask=None, *, change, reduction="mean", axis_name=None):
    """`good` with one thing wrong."""
    x, y = (jnp.asarray(x) for x in (predictions, labels))
    weights, mask = jnp.ones_like(x) if weights is None else weights, jnp.ones(x.shape, bool) if mask is None else mask
    if change == "labels are broadcast" and y.ndim > x.ndim:
        y = jnp.broadcast_to(y[..., 0], x.shape)
    if change == "widened by labels" and y.dtype == jnp.float64:
        x = x.astype(y.dtype)
    if change == "mask multiplies":
        losses = jnp.square(x - y) * mask.astype(x.dtype)
        return jaxloss.reduce(losses, weights, reduction=reduction, axis_name=axis_name)
    if mask.shape == x.shape:
        x = jnp.where(mask, x, 0)
    if change == "batches are known" and reduction == "none":
        x = doubled(x)
    if change == "gradient":
        x = wrong(x)
    if change == "curvature":
        x = bent(x)
    total: Any = good(x, y, weights, mask, reduction="total", axis_name=axis_name)
    if reduction == "total" and change == "parts are means":
        return jaxloss.Total(total.mean(), jnp.ones_like(total.weight))
    if reduction == "mean" and change == "divided by the count":
        return total.total / jnp.maximum(1, jnp.sum(mask, dtype=total.total.dtype))
    if reduction == "mean" and change == "plain ratio":
        return total.total / total.weight
    if reduction == "mean" and change == "mean of means" and axis_name:
        return lax.pmean(good(x, y, weights, mask), axis_name)
    if change == "positive weights only":
        weights = jnp.where(weights > 0, weights, 0)
    result = good(x, y, weights, mask, reduction=reduction, axis_name=axis_name)
    return jax.tree.map(lambda part: part.astype(x.dtype), result) if change == "computed in its dtype" else result


@jax.custom_batching.custom_vmap
def doubled(x):
    """But only under `vmap`."""
    return x


doubled.def_vmap(lambda size, batched, x: (2 * x, True))


@jax.custom_jvp
def wrong(x):
    return x


wrong.defjvp(lambda x, dx: (x[0], 1.001 * dx[0]))


@jax.custom_jvp
def bent(x):
    return jnp.sinh(x)


bent.defjvp(lambda x, dx: (jnp.sinh(x[0]), lax.stop_gradient(jnp.cosh(x[0])) * dx[0]))


# By the first words of the promise, which are enough to know it.
BROKEN = {
    "batches are known": ("`vmap` changes nothing.", "an entry of the losses under vmap is "),
    "mask multiplies": (
        "What is masked",
        "the derivative in forward mode, with NaN, infinities and 1e30 where the mask",
    ),
    "plain ratio": ("Where nothing counts the mean is 0", "the mean with "),
    "divided by the count": ("A weight of 2 is two copies.", "the mean where row 1 has weight 2 is "),
    "positive weights only": ("A weight of 0 has a gradient", "the gradient by weights of 0 is 0 and not "),
    "parts are means": ("Parts of a batch, of unequal weight,", "the sum of `Total.total` over rows is "),
    "gradient": ("The gradient by each argument", "the gradient by predictions, by differences of the loss, is "),
    "curvature": ("Second derivatives", "forward over reverse by predictions, by differences of the gradient, is "),
    "computed in its dtype": ("Half precision costs the rounding", "the mean of bfloat16 predictions is bfloat16"),
    "widened by labels": ("float64 stays float64", "the mean of float32 predictions is float64"),
    "mean of means": ("Devices that hold parts of a batch", "the mean on 8 devices is "),
    "labels are broadcast": (
        "Shapes that don't fit",
        "labels of shape (8, 2, 1) beside predictions of shape (8, 2) gives",
    ),
}


@pytest.mark.parametrize("change", BROKEN)
def test_finds_each_broken_promise(change):
    promise, says = BROKEN[change]
    with pytest.raises(AssertionError) as error:
        check_loss(functools.partial(bad, change=change), X, Y)
    first, *broken = str(error.value).splitlines()
    assert first.startswith(f"bad breaks {len(broken)} of ")
    assert any(line.startswith(f"- {promise}") and f" But {says}" in line for line in broken), str(error.value)


def test_numbers_that_are_not_traced():
    def loss(predictions, labels, *, delta=1.0):
        return jnp.abs(predictions - labels) if delta > 0 else jnp.square(predictions - labels)

    says = "- It compiles, with numbers that are traced. But it raises TracerBoolConversionError: "
    with pytest.raises(AssertionError, match=f"^loss breaks 1 of 1 promises:\n{says}"):
        check_loss(loss, X, Y, delta=1.0)


def test_finds_nothing_where_nothing_is_wrong():
    assert len(check_loss(good, X, Y, scale=2.0)) == 13
    assert len(check_loss(jaxloss.loss(plain), X, Y)) == 13


def plain(predictions, labels):
    return optax.squared_error(predictions, labels)


def test_checks_what_a_loss_takes():
    """Of losses alone, or of a mean alone."""
    each = check_loss(lambda predictions, labels: good(predictions, labels, reduction="none"), X, Y)
    assert not any(word in " ".join(each) for word in ("masked", "weight", "Devices"))
    mean = check_loss(
        lambda predictions, labels, mask: good(predictions, labels, mask=mask), X, Y, mask=np.ones((8, 2))
    )
    assert {*mean} - {*each} == {
        "What is masked reaches no value and no derivative, whatever it holds.",
        "Where nothing counts the mean is 0, and so is its gradient.",
    }


def test_members_rows_that_meet_and_constants():
    probs, labels = RNG.uniform(0.1, 0.9, (8, 5, 3)), RNG.uniform(size=(8, 5, 3)) < 0.5
    kept = check_loss(jaxloss.dice_loss, probs, labels, mask=np.ones((8, 5)), meeting=True)
    assert "A weight of 2 is two copies." not in kept and len(kept) > 9
    with pytest.raises(
        AssertionError, match=r"the gradient by old_log_probs, by differences of the loss, is 0 and not"
    ):
        check_loss(jaxloss.ppo_clip_loss, X / 9, Y / 9, X)
    check_loss(jaxloss.ppo_clip_loss, X / 9, Y / 9, X, constant=("old_log_probs", "advantages"))


def test_members_without_labels_of_their_own():
    def bag_loss(scores, labels, mask):
        return jnp.square(jnp.sum(jnp.where(mask, scores, 0), -1) - labels)

    assert len(check_loss(jaxloss.loss(bag_loss), X, Y[:, 0], mask=np.ones((8, 2)))) == 13


def test_an_argument_that_all_rows_share():
    kernel, labels = RNG.normal(size=(2, 5)).astype(np.float32), RNG.integers(5, size=8)
    assert len(check_loss(jaxloss.linear_cross_entropy, X, kernel, labels)) == 13


def test_devices_without_masks():
    def loss(predictions, labels, *, reduction="mean", axis_name=None):
        return good(predictions, labels, reduction=reduction, axis_name=axis_name)

    assert "Devices that hold parts of a batch give the mean of the whole." in check_loss(loss, X, Y)


def test_labels_at_the_end_of_their_range():
    """Differences would leave it."""
    assert len(check_loss(jaxloss.poisson_nll_loss, X, np.floor(np.abs(2 * Y)))) == 13


@pytest.mark.parametrize(
    "arguments, options, says",
    [
        ((), {}, "good: check_loss takes arrays with names, the first one of floats in at least four rows"),
        ((X[:3], Y[:3]), {}, "good: check_loss takes arrays with names, the first one"),
        ((np.arange(8), Y), {}, "good: check_loss takes arrays with names, the first one"),
        ((X, Y, Y), {}, "good: check_loss takes arrays with names, the first one"),
    ],
)
def test_calls_that_cannot_be_checked(arguments, options, says):
    with pytest.raises(ValueError, match=f"^{says}"):
        check_loss(good, *arguments, **options)


def test_a_mean_alone_needs_the_shape_of_its_mask():
    def mean(predictions, labels, mask=None):
        return good(predictions, labels, mask=mask)

    with pytest.raises(
        ValueError, match=r"^mean returns one number: check_loss needs an example of mask, for its shape"
    ):
        check_loss(mean, X, Y)


def test_what_does_not_compile_as_written_compiles_as_it_does():
    class Lowered:
        def compile(self, options=None):
            if options:
                raise jax.errors.JaxRuntimeError("UNIMPLEMENTED")
            return "a program"

    assert as_written(Lowered()) == "a program"


SLOPES = ("- The gradient by each argument", "- Second derivatives are those of the gradient")
# Losses that hold a part of themselves constant, of which differences know nothing; and views in place of rows.
BY_DESIGN = {
    jaxloss.circle_loss: SLOPES,
    jaxloss.ciou_loss: SLOPES,
    jaxloss.cispo_loss: SLOPES,
    jaxloss.dino_loss: ("- Devices that hold parts of a batch", "- Shapes that don't fit are errors"),
}


@exhaustive(FIRST)
def test_every_loss_keeps_the_contract(case: Case):
    try:
        check(case)
    except AssertionError as error:
        _, *broken = str(error).splitlines()
        assert all(line.startswith(BY_DESIGN.get(case.loss, ())) for line in broken), str(error)
    else:
        assert case.loss not in BY_DESIGN


def check(case: Case) -> None:
    shape, given = case.weights_shape(), {**case.arguments(), **case.options}
    parameters = inspect.signature(case.loss).parameters.values()
    arrays = [given.pop(p.name) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.name in given]
    check_loss(
        case.loss,
        *arrays,
        weights=np.ones(shape),
        mask=np.ones(case.mask_shape(shape)),
        meeting=case.meeting,
        constant=case.constant,
        **given,
    )
