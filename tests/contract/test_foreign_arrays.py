"""Arrays that JAX's fast dispatch would misread: converted or refused by name, at the first call and at later ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.experimental.sparse import BCOO

import jaxloss

from ..harness.case import Case
from ..harness.derivatives import real
from ..harness.rows import FIRST, exhaustive


A, Z = np.array([1, 2, 3], np.float32), np.zeros(3, np.float32)
pytestmark = pytest.mark.usefixtures("compiles_fast")


def swapped(x: np.ndarray) -> np.ndarray:
    return x.astype(x.dtype.newbyteorder())


@exhaustive(FIRST)
def test_foreign_byte_order_in_every_argument_and_option(case: Case, tmp_path):
    arguments = case.arguments()
    options = {name: np.asarray(x) for name, x in case.options.items() if real(x)}
    choices = {name: x for name, x in case.options.items() if name not in options}
    shape = case.weights_shape()
    weights = np.full((1,) * len(shape), 2, np.float32)
    mask = np.ones((1,) * len(case.mask_shape(shape)), np.int32)
    given = {**arguments, **options, "weights": weights, "mask": mask}
    expected = case.loss(**given, **choices)
    for _ in range(2):
        np.testing.assert_array_equal(case.loss(**given, **choices), expected)
        for name, x in given.items():
            np.testing.assert_array_equal(case.loss(**{**given, name: swapped(x)}, **choices), expected, err_msg=name)
    first = next(iter(arguments))
    file = np.memmap(tmp_path / "array", arguments[first].dtype, "w+", shape=arguments[first].shape)
    file[...] = arguments[first]
    file.flags.writeable = False
    np.testing.assert_array_equal(case.loss(**{**given, first: file}, **choices), expected)


@pytest.mark.parametrize(
    "x", [np.float32(1).astype(np.longdouble), A.astype(np.longdouble), np.matrix(A), swapped(A)[::-1][::-1]], ids=repr
)
def test_the_same_numbers_in_another_array(x):
    labels = np.zeros(np.shape(x), np.float32)
    for f in (jaxloss.mse_loss, jax.jit(lambda x, y: jaxloss.mse_loss(x, y))):
        given = x if f is jaxloss.mse_loss else np.asarray(x, np.float32)
        np.testing.assert_allclose(f(given, labels), np.mean(np.square(np.asarray(x, float))), rtol=1e-6)
    np.testing.assert_allclose(jaxloss.checked(jaxloss.mse_loss)(x, labels), np.mean(np.square(np.asarray(x, float))))


def test_foreign_byte_order_within_mappings_and_integers():
    epochs = [{"a": np.float32(1), "b": np.array(2, ">f4")}, {"a": np.array(3, ">f4"), "b": np.float32(2)}]
    plain = [{name: np.float32(x) for name, x in epoch.items()} for epoch in epochs]
    for _ in range(2):
        assert jaxloss.dynamic_weight_average(epochs) == jaxloss.dynamic_weight_average(plain)
    assert jaxloss.combine({"a": np.array(3, ">f4")})[0] == 3
    logits = np.log(np.array([[0.5, 0.25, 0.25]], np.float32))
    for dtype in (">i2", ">i4", ">i8", ">u8"):
        assert jaxloss.cross_entropy(logits, np.array([1], dtype)) == jaxloss.cross_entropy(logits, np.array([1]))
    assert np.isnan(jaxloss.cross_entropy(logits, np.array([2**40 + 1], ">i8")))
    with pytest.raises(ValueError, match=r"delta must lie in \(0, inf\), got -1.0"):
        jaxloss.huber_loss(A, Z, delta=np.array(-1, ">f8"))


class Meters(np.ndarray):
    """As units come: a subclass whose numbers mean something else."""


masked = np.ma.array([1, 1e10, 1], np.float32, mask=[0, 1, 0])
REFUSED = {
    "masked": (
        lambda: masked,
        r"be a plain array, got a masked one; pass its data, and mask=~np.ma.getmaskarray\({name}\)",
    ),
    "masked without a mask": (lambda: np.ma.array(A), "be a plain array, got a masked one"),
    "a subclass": (lambda: A.view(Meters), "be a plain array, got a Meters; np.asarray makes one"),
    "structured": (lambda: np.zeros(3, [("x", "f4")]), "hold real numbers"),
    "objects": (lambda: A.astype(object), "hold real numbers, got object"),
    "dates": (lambda: np.zeros(3, "M8[s]"), r"hold real numbers, got datetime64\[s\]"),
    "sparse": (lambda: BCOO.fromdense(jnp.asarray(A)), "be an array, got a BCOO"),
    "a shape": (lambda: jax.ShapeDtypeStruct((3,), jnp.float32), "be an array, got a ShapeDtypeStruct"),
    "a reference": (lambda: jax.new_ref(jnp.asarray(A)), r"be an array, got a Ref"),
}


@pytest.mark.parametrize("name", ["predictions", "labels", "weights", "mask", "delta"])
@pytest.mark.parametrize("kind", REFUSED)
def test_refused_by_name(kind, name):
    make, says = REFUSED[kind]
    for _ in range(2):
        jaxloss.huber_loss(A, Z, weights=A, mask=A == A, delta=1.0)
        with pytest.raises(TypeError, match=f"^huber_loss: {name} must {says}".replace("{name}", name)):
            jaxloss.huber_loss(**{"predictions": A, "labels": Z, name: make()})


def test_a_reference_inside_a_callers_jit():
    with pytest.raises(TypeError, match=r"mse_loss: predictions must be an array, got a Ref; pass predictions\[...\]"):
        jax.jit(lambda x: jaxloss.mse_loss(x, Z))(jax.new_ref(jnp.asarray(A)))


@pytest.mark.parametrize("variable", [nnx.Param, nnx.Variable])
def test_variables_of_flax_mean_their_value(variable):
    """Everywhere an array may be; they are callable, but no schedule."""

    def v(x):
        return variable(jnp.asarray(x))

    assert jaxloss.mse_loss(v(A), v(Z), v(np.float32(2)), v(A > 1)) == jaxloss.mse_loss(A, Z, 2, A > 1)
    assert jaxloss.huber_loss(A, Z, delta=v(np.float32(2))) == jaxloss.huber_loss(A, Z, delta=2)
    assert jaxloss.reduce(v(A)) == 2
    logits, labels = np.eye(3, dtype=np.float32), np.array([0, 2, 1])
    assert jaxloss.cross_entropy(v(logits), v(labels), class_weights=v(A), label_smoothing=v(np.float32(0.1))) == (
        jaxloss.cross_entropy(logits, labels, class_weights=A, label_smoothing=0.1)
    )
    assert jaxloss.linear_cross_entropy(v(logits), v(logits), v(labels), bias=v(A)) == (
        jaxloss.linear_cross_entropy(logits, logits, labels, bias=A)
    )
    assert jaxloss.combine({"a": v(np.float32(3))}, {"a": v(np.float32(2))})[0] == 6
    log_variance = {"a": v(np.float32(0))}
    assert jaxloss.uncertainty_weighting({"a": jnp.float32(2)}, log_variance)[0] == 1
    gradient = jax.grad(lambda s: jaxloss.uncertainty_weighting({"a": jnp.float32(2)}, s)[0])(log_variance)
    assert gradient["a"][...] == -0.5


@pytest.mark.parametrize("x", [swapped(A), nnx.Variable(A), np.array([2**40])], ids=["swapped", "variable", "large"])
def test_conversion_hides_no_wrong_call(x):
    """What is converted reaches the loss in its place: else an option might take what comes there once too often."""
    with pytest.raises(TypeError, match="huber_loss: too many positional arguments"):
        jaxloss.huber_loss(A, Z, x, None, 2.0)
    with pytest.raises(TypeError, match="huber_loss: multiple values for argument 'labels'"):
        jaxloss.huber_loss(A, x, labels=Z)


def test_numpy_arrays_in_variables():
    loss, weights = jaxloss.mse_loss, np.array([0.5, 1, 2], np.float32)
    expected = loss(A, Z, weights)
    for held in (weights, swapped(weights), weights.astype(np.longdouble)):
        assert loss(A, Z, nnx.Variable(held)) == expected
    with pytest.raises(TypeError, match="weights must be a plain array, got a masked one"):
        loss(A, Z, nnx.Variable(np.ma.array(weights, mask=[True, False, False])))
    logits, labels = np.eye(3, dtype=np.float32), np.array([0, 1, 2**32 + 2])
    assert np.isnan(jaxloss.cross_entropy(logits, nnx.Variable(labels)))


def test_arrays_that_jax_makes_of_numpys():
    """Those of ``custom_vjp``, ``vjp`` and ``grad(allow_int=True)``, a subclass of its own."""
    loss, logits, labels = jaxloss.cross_entropy, np.eye(3, dtype=np.float32), np.array([0, 1, 0])
    expected, mask = loss(logits, labels), np.ones(3, bool)
    by_hand = jax.custom_vjp(lambda a, b: loss(a, b))
    by_hand.defvjp(lambda a, b: (loss(a, b), None), lambda rest, slope: None)
    assert by_hand(logits, labels) == expected
    np.testing.assert_allclose(jax.vjp(lambda x, m: loss(x, labels, None, m), logits, mask)[0], expected, rtol=1e-6)
    jax.grad(loss, (0, 1), allow_int=True)(logits, labels)


@pytest.mark.parametrize("large", [np.int64(3_000_000_000), 3_000_000_000, np.array(3_000_000_000)], ids=repr)
def test_integers_beyond_32_bits_in_mappings(large):
    assert jaxloss.combine({"a": jnp.float32(1)}, {"a": large})[0] == 3e9
    assert jaxloss.combine({"a": large}, {"a": 1.0})[0] == 3e9
    assert jaxloss.uncertainty_weighting({"a": large}, {"a": 0.0})[0] == 1.5e9
