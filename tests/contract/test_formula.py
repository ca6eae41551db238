"""`jaxloss.loss`: formulas of others under the contract, with what it says where they don't fit."""

from __future__ import annotations

import inspect
import pickle
import re
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

import jaxloss
from jaxloss.testing import check_loss


pytestmark = pytest.mark.usefixtures("compiles_fast")
RNG = np.random.default_rng(0)
X, Y = RNG.uniform(0.5, 2, (2, 8, 3)).astype(np.float32)
CLASSES = np.arange(8) % 3


@jaxloss.loss
def log_ratio_loss(predictions, labels, *, scale=1.0):
    """Square of the logarithm of the ratio."""
    return scale * jnp.log(predictions / labels) ** 2


@jaxloss.loss
def class_nll_loss(logits, labels, *, axis=-1, kind: str = "log"):
    at_label = jnp.take_along_axis(jax.nn.log_softmax(logits, axis), jnp.expand_dims(labels, axis), axis)
    return -jnp.squeeze(at_label if kind == "log" else jnp.exp(at_label) - 1, axis)


@jaxloss.loss
def tanimoto_loss(probs, labels, mask, *, smooth=1.0):
    p, y = (jnp.where(mask, x, 0) for x in (probs, labels))
    both = jnp.sum(p * y, -1)
    return 1 - (both + smooth) / (jnp.sum(p * p + y * y, -1) - both + smooth)


@jaxloss.loss
def distance_loss(predictions, labels, delta=None):
    squares = jnp.square(predictions - labels)
    return jnp.sum(squares if delta is None else squares * delta, -1)


def test_shows_itself_and_pickles():
    assert str(inspect.signature(log_ratio_loss)).replace("'", "") == (
        "(predictions, labels, weights: ArrayLike | None = None, mask: ArrayLike | None = None, *, scale=1.0, "
        "reduction: Reduction = mean, axis_name: AxisName | None = None) -> Array"
    )
    assert log_ratio_loss.__doc__ == (
        "Square of the logarithm of the ratio.\n\n"
        "``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`."
    )
    assert inspect.isfunction(log_ratio_loss) and pickle.loads(pickle.dumps(log_ratio_loss)) is log_ratio_loss


@pytest.mark.parametrize(
    "loss, arguments, options",
    [
        (log_ratio_loss, (X, Y), {"scale": 2.0}),
        (class_nll_loss, (X, CLASSES), {}),
        (distance_loss, (X, Y), {"delta": Y}),
        (tanimoto_loss, (X / 2, Y / 2), {"mask": np.ones((8, 3))}),
    ],
)
def test_keeps_the_contract(loss, arguments, options):
    assert len(check_loss(loss, *arguments, **options)) == 13


def test_is_the_formula():
    np.testing.assert_allclose(log_ratio_loss(X, Y, reduction="none"), np.log(X / Y) ** 2, rtol=1e-5)
    np.testing.assert_allclose(class_nll_loss(X, CLASSES), jaxloss.cross_entropy(X, CLASSES), rtol=1e-6)
    np.testing.assert_allclose(class_nll_loss(X.T, CLASSES, axis=0), jaxloss.cross_entropy(X, CLASSES), rtol=1e-6)
    other = class_nll_loss(X, CLASSES, kind="linear", reduction="none")
    np.testing.assert_allclose(other, 1 - jax.nn.softmax(X)[np.arange(8), CLASSES], rtol=1e-5)
    np.testing.assert_allclose(distance_loss(X, Y, reduction="none"), ((X - Y) ** 2).sum(1), rtol=1e-5)
    mask = RNG.random((8, 3)) < 0.6
    mask[2] = False
    jaccard = tanimoto_loss(X / 2, Y > 1, mask=mask, reduction="none")
    p, y = X / 2 * mask, (Y > 1) * mask
    both = (p * y).sum(1)
    expected = 1 - (both + 1) / ((p * p + y * y).sum(1) - both + 1)
    np.testing.assert_allclose(jaccard, np.where(mask.any(1), expected, 0), rtol=1e-5)
    assert float(tanimoto_loss(X, Y, mask=mask, reduction="total").weight) == mask.any(1).sum()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32"])
def test_narrow_labels_among_more_classes_than_they_count(dtype):
    logits, labels = RNG.normal(size=(2, 70_000 if dtype == "int16" else 300)), np.array([200, 7], dtype)
    found = class_nll_loss(logits, labels, reduction="none")
    np.testing.assert_allclose(found, jaxloss.cross_entropy(logits, labels, reduction="none"), rtol=1e-6)


def test_masked_elements_hold_what_lies_in_the_domain():
    """Nothing but an element that exists does: here only what is below its label."""
    x, y, mask = Y - 3 - 0.1 * np.arange(24).reshape(8, 3), Y, np.arange(24).reshape(8, 3) == 13

    def loss(predictions, labels, *, scale):
        return scale * jnp.sqrt(labels - predictions - 2.9 - 0.1 * 12)

    slope = jax.grad(lambda scale: jaxloss.loss(loss)(x, y, mask=mask, scale=scale))(2.0)
    np.testing.assert_allclose(slope, np.sqrt((y - x)[4, 1] - 4.1), rtol=1e-4)
    assert not np.isnan(jax.grad(lambda scale: log_ratio_loss(x, y, mask=mask & False, scale=scale))(2.0))


def test_options_are_left_alone():
    """Also those that happen to have the shape of rows, as weights of eight features beside eight rows."""
    square, mask = RNG.uniform(0.5, 2, (2, 8, 8)).astype(np.float32), np.arange(8) > 2
    expected = ((square[0] - square[1]) ** 2 * Y[:, 0]).sum(-1)

    def loss(predictions, labels, *, table):
        return jnp.sum(jnp.square(predictions - labels) * table[None], -1)

    found = jaxloss.loss(loss)(*square, table=Y[:, 0], mask=mask, reduction="none")
    np.testing.assert_allclose(found, np.where(mask, expected, 0), rtol=1e-5)


@pytest.mark.parametrize(
    ("kind", "traced"),
    [*((kind, False) for kind in (int, "int", int | None, "int | None", str | None, tuple[int, ...]))]
    + [(kind, True) for kind in (float, "float | int", float | int | None, jax.typing.ArrayLike, "ArrayLike | None")],
    ids=str,
)
def test_annotations_say_which_options_are_static(kind, traced):
    """As types or as their text, alone or beside None."""
    seen = []

    def power_loss(predictions, labels, *, order=None):
        seen.append(isinstance(order, jax.Array))
        return jnp.abs(predictions - labels) ** (order if traced else 2)

    power_loss.__annotations__["order"] = kind
    jaxloss.loss(power_loss)(X, Y, order=2 if "int" in str(kind) else 2.0 if traced else "2")
    assert {*seen} == {traced}


def test_arrays_of_some_axes_are_masked_with_their_rows():
    """Of frames, beside their features, where a loss is made of a whole series."""

    def series_loss(predictions, labels, starts):
        return jnp.sum(jnp.square(predictions - labels[..., None]), (-2, -1)) + starts

    x, y, start = RNG.normal(size=(8, 3, 2)), RNG.normal(size=(8, 3)), RNG.normal(size=8)
    assert len(check_loss(jaxloss.loss(series_loss), x, y, start)) == 13


def test_exports_for_any_size():
    rows, features = jax.export.symbolic_shape("rows, features")
    shapes = [jax.ShapeDtypeStruct((rows, features), dtype) for dtype in (jnp.float32, jnp.float32, jnp.bool_)]
    exported = jax.export.export(jax.jit(lambda x, y, mask: log_ratio_loss(x, y, mask=mask)))(*shapes)
    loaded = jax.export.deserialize(exported.serialize()).call
    np.testing.assert_allclose(loaded(X, Y, X > 1), log_ratio_loss(X, Y, mask=X > 1), rtol=1e-6)


def test_empty_batches_and_scalars():
    assert log_ratio_loss(X[:0], Y[:0], mask=np.ones((0, 3), bool)) == 0
    assert log_ratio_loss(X[0, 0], Y[0, 0], mask=False) == 0
    assert log_ratio_loss(X, Y, mask=False) == 0
    np.testing.assert_allclose(log_ratio_loss(X[0, 0], Y[0, 0]), np.log(X[0, 0] / Y[0, 0]) ** 2, rtol=1e-5)


def test_classes_out_of_range():
    labels = np.array([0, 1, 3, -1, 2, 0, 1, 2])
    value, slope = jax.value_and_grad(lambda x: jnp.sum(class_nll_loss(x, labels, reduction="none")))(X)
    assert np.isnan(value) and np.array_equal(np.isnan(slope).all(1), (labels < 0) | (labels > 2))
    assert not np.isnan(class_nll_loss(X, labels, mask=(labels >= 0) & (labels < 3)))
    with pytest.raises(ValueError, match=r"^class_nll_loss: labels must lie in \[0, 3\), got 3 at index \(2,\)"):
        jaxloss.checked(class_nll_loss)(X, labels)


def test_members_that_are_neither_there_nor_not():
    value, slope = jax.value_and_grad(lambda x: tanimoto_loss(x, Y, mask=np.where(X > 1, 0.5, 1)))(X)
    assert np.isnan(value) and np.isnan(slope).all()
    with pytest.raises(
        ValueError, match=r"^tanimoto_loss: mask must be a scalar or match the members, of shape \(8, 3\)"
    ):
        tanimoto_loss(X, Y, mask=np.ones(8))
    with pytest.raises(ValueError, match=r"weights say how much each element counts: to leave members out pass mask"):
        tanimoto_loss(X, Y, np.ones((8, 3)))


def operations(f: Any, *arguments: Any) -> list[str]:
    """What XLA runs, in order, without names."""
    text = jax.jit(f).lower(*arguments).compile().as_text()
    return re.findall(r"= (\w+\[[\d,]*\])\S* ([\w-]+)\(", text)


@pytest.mark.as_users_compile
def test_costs_nothing():
    """The same program as by hand."""

    @jaxloss.loss
    def squared_loss(predictions, labels):
        return jnp.square(predictions - labels)

    def by_hand(x, y):
        return jnp.sum(jnp.square(x - y)) / 1000

    x, y = np.ones((2, 1000), np.float32)
    for transform in (lambda f: f, jax.value_and_grad):
        assert operations(transform(squared_loss), x, y) == operations(transform(by_hand), x, y)


@pytest.mark.as_users_compile
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_a_mask_gathers_nothing(kind):
    """Of what is spread over devices no more than one row is exchanged."""
    mesh = jax.make_mesh((8,), ("data",), axis_types=(kind,))
    placed = jax.device_put((X, Y, X > 1), NamedSharding(mesh, P("data")))
    f = jax.jit(jax.value_and_grad(lambda x, y, mask: log_ratio_loss(x, y, mask=mask)))
    value, slope = f(*placed)
    expected = f(X, Y, X > 1)
    np.testing.assert_allclose(value, expected[0], rtol=1e-6)
    np.testing.assert_allclose(slope, expected[1], rtol=1e-6, atol=1e-7)
    text = f.lower(*placed).compile().as_text()
    assert "all-gather" not in text and "all-to-all" not in text


@pytest.mark.parametrize(
    "loss, arguments, says",
    [
        (
            log_ratio_loss,
            (X, Y[..., :1]),
            "log_ratio_loss: labels must have the shape of predictions, or of its rows, (8, 3) or (8,) or (), "
            "got (8, 1)",
        ),
        (
            log_ratio_loss,
            (X[:, :1], Y[:, 0]),
            "log_ratio_loss: the formula must return losses of shape (8, 1) or (8,) or (), got (8, 8) of "
            "predictions (8, 1), labels (8,)",
        ),
        (log_ratio_loss, (X, Y[0, 0]), "log_ratio_loss: the formula must return losses of shape (8, 3) or (8,) or ()"),
        (class_nll_loss, (X, CLASSES[:, None]), "class_nll_loss: labels must have the shape of logits, or of its rows"),
        (jaxloss.loss(lambda x: (x, x)), (X,), "<lambda>: the formula must return losses of shape (8, 3)"),
        (log_ratio_loss, (X.tolist(), Y), "log_ratio_loss: predictions must be an array, got a list"),
        (log_ratio_loss, (X,), "log_ratio_loss: missing a required argument: 'labels'"),
    ],
)
def test_calls_that_do_not_fit(loss, arguments, says):
    with pytest.raises((ValueError, TypeError)) as error:
        loss(*arguments)
    assert str(error.value).startswith(says), str(error.value)


@pytest.mark.parametrize(
    "formula, says",
    [
        (jnp.square, "loss must get a function of arrays that returns per-element losses, got "),
        (lambda *x: x, "loss: <lambda> must name each of its arguments, got *x"),
        (lambda x, weights: x, "loss: <lambda> must not take weights, which the loss takes by itself"),
        (lambda scale=1.0: scale, "loss: <lambda> must take an array, before its options"),
    ],
)
def test_formulas_that_do_not_fit(formula, says):
    with pytest.raises(TypeError) as error:
        jaxloss.loss(formula)
    assert str(error.value).startswith(says), str(error.value)
