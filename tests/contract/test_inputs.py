"""What is said to someone who calls a loss wrongly: a message is part of the API."""

from __future__ import annotations

import functools
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import jaxloss


f32 = np.float32
X, Y = np.zeros((4, 3), f32), np.zeros((4, 3), f32)
LOGITS, LABELS = np.zeros((4, 3), f32), np.array([0, 1, 2, 0], np.int32)
PROBS, BOXED = np.full((4, 3), 1 / 3, f32), linen.Partitioned(jnp.ones((3, 3)), ("embed", "vocab"))
ce, bce, logits_bce = jaxloss.cross_entropy, jaxloss.binary_cross_entropy, jaxloss.binary_cross_entropy_with_logits

MESSAGES = {
    "column against vector": (
        lambda: jaxloss.mse_loss(X[:, :1], Y[:, 0]),
        "mse_loss: labels must have the shape of predictions, (4, 1), got (4,); reshape it to (4, 1)",
    ),
    "vector against column": (
        lambda: jaxloss.l1_loss(X[:, 0], Y[:, :1]),
        "l1_loss: labels must have the shape of predictions, (4,), got (4, 1); reshape it to (4,)",
    ),
    "another size": (
        lambda: jaxloss.mse_loss(X, Y[:3]),
        "mse_loss: labels must have the shape of predictions, (4, 3), got (3, 3)",
    ),
    "integer predictions": (
        lambda: jaxloss.mse_loss(X.astype(int), Y),
        "mse_loss: predictions must be floating point, got int32; cast with predictions.astype(jnp.float32)",
    ),
    "list": (
        lambda: jaxloss.mse_loss([1.0, 2.0], Y),
        "mse_loss: predictions must be an array, got a list; jnp.asarray makes one of lists",
    ),
    "complex": (
        lambda: jaxloss.mse_loss(X.astype(np.complex64), Y),
        "mse_loss: predictions must hold real numbers, got complex64",
    ),
    "reduction by position": (
        lambda: jaxloss.mse_loss(X, Y, "sum"),
        "mse_loss: weights must be an array, got 'sum'; options are passed by keyword",
    ),
    "unknown reduction": (
        lambda: jaxloss.mse_loss(X, Y, reduction="average"),
        "mse_loss: reduction must be 'mean', 'sum', 'none' or 'total', got 'average'",
    ),
    "unknown option": (
        lambda: jaxloss.mse_loss(X, Y, delta=1.0),
        "mse_loss: got an unexpected keyword argument 'delta'",
    ),
    "weights of PyTorch": (
        lambda: ce(LOGITS, LABELS, weight=np.ones(3, f32)),
        "cross_entropy: got an unexpected keyword argument 'weight'; did you mean weights or class_weights?",
    ),
    "weights of Keras": (
        lambda: jaxloss.mse_loss(X, Y, sample_weight=np.ones(3, f32)),
        "mse_loss: got an unexpected keyword argument 'sample_weight'; did you mean weights?",
    ),
    "mask of Optax": (
        lambda: ce(LOGITS, LABELS, where=np.ones(4, bool)),
        "cross_entropy: got an unexpected keyword argument 'where'; did you mean mask?",
    ),
    "ignored class of Keras": (
        lambda: ce(LOGITS, LABELS, ignore_class=0),
        "cross_entropy: got an unexpected keyword argument 'ignore_class'; did you mean ignore_index?",
    ),
    "variance of PyTorch": (
        lambda: jaxloss.gaussian_nll_loss(X, Y, var=X),
        "gaussian_nll_loss: missing a required argument: 'variance'; got var, did you mean variance?",
    ),
    "axis of PyTorch": (
        lambda: ce(LOGITS, LABELS, dim=0),
        "cross_entropy: got an unexpected keyword argument 'dim'; did you mean axis?",
    ),
    "axis of PyTorch, where there is none": (
        lambda: jaxloss.mse_loss(X, Y, dim=0),
        "mse_loss: got an unexpected keyword argument 'dim'",
    ),
    "reductions of old": (
        lambda: jaxloss.mse_loss(X, Y, size_average=False),
        "mse_loss: got an unexpected keyword argument 'size_average'; did you mean reduction?",
    ),
    "reductions of older": (
        lambda: jaxloss.mse_loss(X, Y, reduce=False),
        "mse_loss: got an unexpected keyword argument 'reduce'; did you mean reduction?",
    ),
    "logits or not, of Keras": (
        lambda: jaxloss.binary_cross_entropy(X, Y, from_logits=True),
        "binary_cross_entropy: got an unexpected keyword argument 'from_logits'; the name of the first argument, "
        "probs, tells what it must hold",
    ),
    "no axis of devices": (
        lambda: jaxloss.mse_loss(X, Y, axis_name="data"),
        "mse_loss: axis_name must be an axis of a surrounding shard_map, pmap or vmap, got 'data'; "
        "under jit alone leave it out",
    ),
    "no second axis of devices": (
        lambda: jax.vmap(lambda x, y: jaxloss.mse_loss(x, y, axis_name=("a", "b")), axis_name="a")(X, Y),
        "mse_loss: axis_name must be an axis of a surrounding shard_map, pmap or vmap, got 'b'; "
        "under jit alone leave it out",
    ),
    "no axis of devices for a total": (
        lambda: jaxloss.mse_loss(X, Y, reduction="total").psum("data"),
        "Total.psum: axis_name must be an axis of a surrounding shard_map, pmap or vmap, got 'data'; "
        "under jit alone leave it out",
    ),
    "predictions by another name": (
        lambda: ce(predictions=LOGITS, labels=LABELS),
        "cross_entropy: missing a required argument: 'logits'; got predictions, did you mean logits?",
    ),
    "labels by another name": (
        lambda: jaxloss.mse_loss(X, targets=Y),
        "mse_loss: missing a required argument: 'labels'; got targets, did you mean labels?",
    ),
    "targets of classes": (
        lambda: ce(logits=LOGITS, targets=LABELS),
        "cross_entropy: missing a required argument: 'labels'; got targets, did you mean labels?",
    ),
    "target of PyTorch": (
        lambda: jaxloss.kl_divergence(PROBS, target=PROBS),
        "kl_divergence: missing a required argument: 'labels'; got target, did you mean labels?",
    ),
    "both of PyTorch": (
        lambda: jaxloss.mse_loss(input=X, target=Y),
        "mse_loss: missing a required argument: 'predictions'; got input, did you mean predictions? "
        "got target, did you mean labels?",
    ),
    "both of Keras": (
        lambda: ce(y_true=LABELS, y_pred=LOGITS),
        "cross_entropy: missing a required argument: 'logits'; got y_true, did you mean labels? "
        "got y_pred, did you mean logits?",
    ),
    "preds": (
        lambda: jaxloss.kl_divergence(preds=PROBS, labels=PROBS),
        "kl_divergence: missing a required argument: 'log_probs'; got preds, did you mean log_probs?",
    ),
    "prediction, which is near reduction": (
        lambda: ce(prediction=LOGITS, labels=LABELS),
        "cross_entropy: missing a required argument: 'logits'; got prediction, did you mean logits?",
    ),
    "label, which is near log_labels": (
        lambda: jaxloss.kl_divergence(PROBS, label=PROBS),
        "kl_divergence: missing a required argument: 'labels'; got label, did you mean labels?",
    ),
    "boxed kernel": (
        lambda: jaxloss.linear_cross_entropy(X, BOXED, LABELS),
        "linear_cross_entropy: kernel must be an array, got a Partitioned; unbox it: nn.unbox(params), or kernel.value",
    ),
    "boxed predictions": (
        lambda: jaxloss.mse_loss(BOXED, Y[:3]),
        "mse_loss: predictions must be an array, got a Partitioned; unbox it: nn.unbox(params), or predictions.value",
    ),
    "array of named axes": (
        lambda: jaxloss.mse_loss(X, SimpleNamespace(array=Y)),
        "mse_loss: labels must be an array, got a SimpleNamespace; pass labels.array",
    ),
    "an option that rounds to 0": (
        lambda: jaxloss.huber_loss(X, Y, delta=1e-300),
        "huber_loss: delta must lie in (0, inf), got 1e-300; rounded to the dtype of the loss it does not",
    ),
    "an option that processors take for 0": (
        lambda: jaxloss.huber_loss(X, Y, delta=1e-39),
        "huber_loss: delta must lie in (0, inf), got 1e-39; rounded to the dtype of the loss it does not",
    ),
    "an option that rounds to infinity": (
        lambda: jaxloss.general_robust_loss(X, Y, alpha=1e39),
        "general_robust_loss: alpha must lie in [-inf, inf), got 1e+39; rounded to the dtype of the loss it does not",
    ),
    "smoothing by another name": (
        lambda: ce(LOGITS, LABELS, smoothing=0.1),
        "cross_entropy: got an unexpected keyword argument 'smoothing'; did you mean label_smoothing?",
    ),
    "no component": (
        lambda: jaxloss.gaussian_mixture_nll_loss(X[:, :0], Y[:, 0], means=0.0, scales=1.0),
        "gaussian_mixture_nll_loss: logits must have at least one component, got shape (4, 0)",
    ),
    "too many": (
        lambda: jaxloss.mse_loss(X, Y, None, None, None),
        "mse_loss: too many positional arguments; options are passed by keyword",
    ),
    "labels missing": (lambda: ce(LOGITS), "cross_entropy: missing a required argument: 'labels'"),
    "rank of the weights": (
        lambda: jaxloss.mse_loss(X, Y, np.ones(4, f32)),
        "mse_loss: weights must be a scalar or match the per-element losses, of shape (4, 3), axis by axis "
        "(each dimension equal or 1), got shape (4,); reshape it to (4, 1)",
    ),
    "weights of a square": (
        lambda: jaxloss.reduce(np.ones((2, 2), f32), np.ones(2, f32)),
        "reduce: weights must be a scalar or match the per-element losses, of shape (2, 2), axis by axis "
        "(each dimension equal or 1), got shape (2,); reshape it to (2, 1) or (1, 2)",
    ),
    "rank of the mask": (
        lambda: ce(LOGITS, LABELS, mask=np.ones((4, 1), bool)),
        "cross_entropy: mask must be a scalar or match the per-element losses, of shape (4,), axis by axis "
        "(each dimension equal or 1), got shape (4, 1); reshape it to (4,)",
    ),
    "axis_name with none": (
        lambda: jaxloss.mse_loss(X, Y, reduction="none", axis_name="data"),
        "mse_loss: axis_name must be left out with reduction='none', which reduces nothing, got 'data'",
    ),
    "axis_name in a list": (
        lambda: jaxloss.mse_loss(X, Y, axis_name=["data"]),
        "mse_loss: axis_name must be a plain value or a tuple of them, got a list",
    ),
    "one-hot integers": (
        lambda: ce(LOGITS, Y.astype(np.int32)),
        "cross_entropy: labels must be integers of shape (4,) or probabilities of shape (4, 3), to fit logits of shape "
        "(4, 3), got int32 of shape (4, 3); one-hot labels are probabilities: labels.astype(jnp.float32)",
    ),
    "float class indices": (
        lambda: ce(LOGITS, LABELS.astype(f32)),
        "cross_entropy: labels must be integers of shape (4,) or probabilities of shape (4, 3), to fit logits of shape "
        "(4, 3), got float32 of shape (4,); class indices are integers: labels.astype(jnp.int32)",
    ),
    "column of class indices": (
        lambda: jaxloss.nll_loss(LOGITS, LABELS[:, None]),
        "nll_loss: labels must be integers of shape (4,) or probabilities of shape (4, 3), to fit log_probs of shape "
        "(4, 3), got int32 of shape (4, 1); reshape it to (4,)",
    ),
    "images in PyTorch's layout": (
        lambda: ce(np.zeros((2, 5, 4, 6), f32), np.zeros((2, 4, 6), np.int32)),
        "cross_entropy: labels must be integers of shape (2, 5, 4) or probabilities of shape (2, 5, 4, 6), to fit "
        "logits of shape (2, 5, 4, 6), got int32 of shape (2, 4, 6); with axis=1 they fit, for 5 classes",
    ),
    "class axis of size 1": (
        lambda: ce(LOGITS, Y[:, :1]),
        "cross_entropy: labels must be integers of shape (4,) or probabilities of shape (4, 3), to fit logits of shape "
        "(4, 3), got float32 of shape (4, 1)",
    ),
    "axis out of range": (
        lambda: ce(LOGITS, LABELS, axis=2),
        "cross_entropy: axis must be an axis of logits, of shape (4, 3), got 2",
    ),
    "two class axes": (
        lambda: ce(np.zeros((2, 3, 4), f32), np.zeros(2, int), axis=(1, 2)),
        "cross_entropy: axis must be one integer, got (1, 2); reshape logits so that the classes lie on one axis",
    ),
    "traced axis": (
        lambda: ce(LOGITS, LABELS, axis=jnp.array(1)),
        "cross_entropy: axis must be a plain value or a tuple of them, got an array",
    ),
    "delta of 0": (lambda: jaxloss.huber_loss(X, Y, delta=0), "huber_loss: delta must lie in (0, inf), got 0"),
    "one delta a row": (
        lambda: jaxloss.huber_loss(X, Y, delta=np.ones(4, f32)),
        "huber_loss: delta must be a scalar or match the predictions, of shape (4, 3), axis by axis (each dimension "
        "equal or 1), got shape (4,); reshape it to (4, 1)",
    ),
    "variance forgotten": (
        lambda: jaxloss.gaussian_nll_loss(X, Y),
        "gaussian_nll_loss: missing a required argument: 'variance'",
    ),
    "variance by position": (
        lambda: jaxloss.gaussian_nll_loss(X, Y, None, None, X),
        "gaussian_nll_loss: too many positional arguments; options are passed by keyword",
    ),
    "unknown full": (
        lambda: jaxloss.poisson_nll_loss(X, Y, full="exact"),
        "poisson_nll_loss: full must be a bool or 'stirling', got 'exact'",
    ),
    "axis of vectors": (
        lambda: jaxloss.cosine_distance(X, Y, axis=2),
        "cosine_distance: axis must be an axis of predictions, of shape (4, 3), got 2",
    ),
    "axis of vectors by name": (
        lambda: jaxloss.cosine_distance(X, Y, axis="features"),
        "cosine_distance: axis must be an integer or a tuple of them, got 'features'",
    ),
    "axis twice": (
        lambda: jaxloss.relative_l2_loss(X, Y, axis=(1, -1)),
        "relative_l2_loss: axis must name each axis only once, got (1, -1)",
    ),
    "no axis": (
        lambda: jaxloss.relative_l2_loss(X, Y, axis=()),
        "relative_l2_loss: axis must name at least one axis, got ()",
    ),
    "two axes of members": (
        lambda: jaxloss.ensemble_crps_loss(X[None], Y[0, :1], axis=(1, 2)),
        "ensemble_crps_loss: axis must be one integer, got (1, 2); reshape predictions so that they lie on one axis",
    ),
    "labels of an ensemble": (
        lambda: jaxloss.ensemble_crps_loss(X, Y),
        "ensemble_crps_loss: labels must have the shape of predictions without axis -1, (4,), got (4, 3)",
    ),
    "no class": (
        lambda: ce(np.zeros((4, 0), f32), LABELS),
        "cross_entropy: logits must have at least one class, got shape (4, 0) with axis=-1",
    ),
    "smoothing too strong": (
        lambda: ce(LOGITS, LABELS, label_smoothing=1.5),
        "cross_entropy: label_smoothing must lie in [0, 1], got 1.5",
    ),
    "smoothing by NaN": (
        lambda: ce(LOGITS, LABELS, label_smoothing=np.float64("nan")),
        "cross_entropy: label_smoothing must lie in [0, 1], got nan",
    ),
    "smoothing by example": (
        lambda: ce(LOGITS, LABELS, label_smoothing=np.full(4, 0.1)),
        "cross_entropy: label_smoothing must be a scalar, got shape (4,); jax.vmap sweeps over several",
    ),
    "smoothing by text": (
        lambda: ce(LOGITS, LABELS, label_smoothing="0.1"),
        "cross_entropy: label_smoothing must be an array, got '0.1'; options are passed by keyword",
    ),
    "negative z_loss": (
        lambda: ce(LOGITS, LABELS, z_loss=-1e-4),
        "cross_entropy: z_loss must lie in [0, inf), got -0.0001",
    ),
    "negative pos_weight": (
        lambda: logits_bce(X, Y, pos_weight=np.array([1.0, -2.0, 1.0])),
        "binary_cross_entropy_with_logits: pos_weight must lie in [0, inf), got [ 1. -2.  1.]",
    ),
    "shape of pos_weight": (
        lambda: logits_bce(X, Y, pos_weight=np.ones(4)),
        "binary_cross_entropy_with_logits: pos_weight must have shape (3,), one for each class, got (4,)",
    ),
    "pos_weight in a list": (
        lambda: logits_bce(X, Y, pos_weight=[1.0, 2.0, 3.0]),
        "binary_cross_entropy_with_logits: pos_weight must be an array, got a list; jnp.asarray makes one of lists",
    ),
    "number of class weights": (
        lambda: ce(LOGITS, LABELS, class_weights=np.ones(4, f32)),
        "cross_entropy: class_weights must have shape (3,), one for each class, got (4,)",
    ),
    "shape of the class mask": (
        lambda: ce(LOGITS, LABELS, class_mask=np.ones((4, 2), bool)),
        "cross_entropy: class_mask must be a scalar or match the logits, of shape (4, 3), axis by axis "
        "(each dimension equal or 1), got shape (4, 2)",
    ),
    "class mask of numbers": (
        lambda: ce(LOGITS, LABELS, class_mask=np.ones(3, np.int32)),
        "cross_entropy: class_mask must be bool, got int32; compare it with != 0",
    ),
    "ignoring probabilities": (
        lambda: ce(LOGITS, Y, ignore_index=-100),
        "cross_entropy: ignore_index must come with integer labels, got probabilities; pass mask instead",
    ),
    "ignoring a fraction": (
        lambda: ce(LOGITS, LABELS, ignore_index=0.5),
        "cross_entropy: ignore_index must be an integer, got float32 of shape ()",
    ),
    "no argument": (lambda: jaxloss.mse_loss(), "mse_loss: missing a required argument: 'predictions'"),
    "None for labels": (
        lambda: jaxloss.mse_loss(X, None),
        "mse_loss: labels must be an array, got None",
    ),
    "a set for labels": (lambda: jaxloss.mse_loss(X, {1.0}), "mse_loss: labels must be an array, got a set"),
    "labels twice": (lambda: jaxloss.mse_loss(X, Y, labels=Y), "mse_loss: multiple values for argument 'labels'"),
    "axis_name with none of a class": (
        lambda: ce(LOGITS, LABELS, reduction="none", axis_name=("data",)),
        "cross_entropy: axis_name must be left out with reduction='none', which reduces nothing, got ('data',)",
    ),
    "classes over no device": (
        lambda: ce(LOGITS, LABELS, class_axis_name="model"),
        "cross_entropy: class_axis_name must be an axis of a surrounding shard_map, got 'model'",
    ),
    "weights in a list": (
        lambda: jaxloss.mse_loss(X, Y, [1.0, 2.0]),
        "mse_loss: weights must be an array, got a list; jnp.asarray makes one of lists",
    ),
    "integer kernel": (
        lambda: jaxloss.linear_cross_entropy(X, np.ones((3, 5), np.int32), LABELS),
        "linear_cross_entropy: kernel must be floating point, got int32; cast with kernel.astype(jnp.float32)",
    ),
    "kernel as PyTorch keeps it": (
        lambda: jaxloss.linear_cross_entropy(X, np.ones((5, 3), f32), LABELS),
        "linear_cross_entropy: kernel must have shape (3, classes), got (5, 3); transposed it fits: kernel.T",
    ),
    "losses not reduced": (
        lambda: jaxloss.combine({"class": np.zeros(3, f32)}),
        "combine: losses['class'] must be a scalar, got shape (3,); reduce it first, with reduction='mean' or 'total'",
    ),
    "names that differ": (
        lambda: jaxloss.combine({"a": 1.0, "b": 1.0}, {"a": 1.0}),
        "combine: weights must have the names of losses, 'a', 'b', got no 'b'",
    ),
    "schedule without a step": (
        lambda: jaxloss.combine({"a": 1.0}, {"a": lambda step: step}),
        "combine: step must be given where weights['a'] is a schedule, got None",
    ),
    "complex losses": (
        lambda: jaxloss.reduce(X.astype(np.complex64)),
        "reduce: losses must hold real numbers, got complex64",
    ),
    "class indices for signs": (
        lambda: jaxloss.hinge_loss(X, LABELS),
        "hinge_loss: labels must have the shape of scores, (4, 3), got (4,)",
    ),
    "negative variance": (
        lambda: jaxloss.gaussian_nll_loss(X, Y, variance=-1.0),
        "gaussian_nll_loss: variance must lie in [0, inf), got -1.0",
    ),
    "integer probabilities": (
        lambda: bce(np.ones(3, np.int32), np.ones(3)),
        "binary_cross_entropy: probs must be floating point, got int32; cast with probs.astype(jnp.float32)",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(name):
    call, message = MESSAGES[name]
    with pytest.raises((ValueError, TypeError)) as error:
        call()
    assert str(error.value).split("\n--------------------\n")[0] == message


@pytest.mark.parametrize("name", MESSAGES)
def test_messages_inside_a_callers_jit(name):
    call, message = MESSAGES[name]
    with pytest.raises((ValueError, TypeError)) as error:
        jax.jit(call)()
    assert str(error.value).split("\n--------------------\n")[0] == message


CHECKED = {
    "mask of 2": (
        lambda: jaxloss.checked(jaxloss.mse_loss)(X[:, 0], Y[:, 0], mask=np.array([0, 1, 2, 1])),
        "mse_loss: mask must be bool, or 0 and 1, got 2 at index (2,); segment ids make one with segment_ids != 0",
    ),
    "mask of reduce": (
        lambda: jaxloss.checked(jaxloss.reduce)(X, mask=np.full((4, 1), 0.5, f32)),
        "reduce: mask must be bool, or 0 and 1, got 0.5 at index (0, 0)",
    ),
    "mask of segment ids": (
        lambda: jaxloss.checked(ce)(LOGITS, LABELS, mask=np.array([1, 1, 2, 0])),
        "cross_entropy: mask must be bool, or 0 and 1, got 2 at index (2,); segment ids make one with segment_ids != 0",
    ),
    "traced smoothing": (
        lambda: jaxloss.checked(ce)(LOGITS, LABELS, label_smoothing=jnp.float32(1.5)),
        "cross_entropy: label_smoothing must lie in [0, 1], got 1.5",
    ),
    "ruled out with probability": (
        lambda: jaxloss.checked(ce)(LOGITS, np.full((4, 3), 0.25, f32), class_mask=np.array([True, False, True])),
        "cross_entropy: labels must lie in [0, 1], in classes that class_mask allows, got 0.25 at index (0, 1)",
    ),
    "integers of 64 bits": (
        lambda: jaxloss.checked(ce)(LOGITS, np.array([0, 1, 2**32, 0])),
        "checked: integers must fit into 32 bits, got larger ones; cast to float32, or turn on jax_enable_x64",
    ),
    "scalar label": (
        lambda: jaxloss.checked(ce)(LOGITS[0], np.int32(7)),
        "cross_entropy: labels must lie in [0, 3), got 7",
    ),
}


@pytest.mark.parametrize("name", CHECKED)
def test_messages_of_checked(name):
    call, message = CHECKED[name]
    with pytest.raises(ValueError) as error:
        call()
    assert str(error.value) == message


def test_what_checked_reports_is_nan_without_it():
    assert np.isnan(jaxloss.mse_loss(X[:, 0], Y[:, 0], mask=np.array([0, 1, 2, 1])))
    assert np.isnan(ce(LOGITS, LABELS, label_smoothing=jnp.float32(1.5)))
    assert np.isnan(ce(LOGITS[0], np.int32(7)))
    losses = logits_bce(X, Y, pos_weight=jnp.array([1.0, -2, 1]), reduction="none")
    np.testing.assert_array_equal(np.isnan(losses[0]), [False, True, False])


def test_checked_under_vmap_and_through_shard_map():
    rows = jaxloss.checked(jax.vmap(lambda z, y: ce(z, y)))
    with pytest.raises(ValueError, match="cross_entropy: labels must lie in"):
        rows(LOGITS, np.array([0, 1, 7, 0]))
    mesh = jax.make_mesh((4,), ("data",), axis_types=(jax.sharding.AxisType.Auto,))
    P = jax.sharding.PartitionSpec
    mean = jax.shard_map(
        lambda z, y: ce(z, y, axis_name="data"), mesh=mesh, in_specs=(P("data"), P("data")), out_specs=P()
    )
    checked = jaxloss.checked(jax.jit(mean))
    np.testing.assert_allclose(checked(LOGITS, LABELS), np.log(3), rtol=1e-6)
    with pytest.raises(ValueError, match="cross_entropy: labels must lie in"):
        checked(LOGITS, np.array([0, 1, 7, 0]))


@pytest.mark.parametrize("at", [(0, 1), (2, 3)])
def test_checked_names_value_and_index_inside_scan_shard_map_and_a_flax_step(at):
    labels = np.zeros((3, 4), np.int32)
    labels[at] = 12
    logits = np.zeros((3, 4, 10), f32)

    def scanned(logits, labels):
        return jax.lax.scan(lambda total, row: (total + ce(*row), None), jnp.float32(0), (logits, labels))[0]

    mesh = jax.make_mesh((1,), ("data",), axis_types=(jax.sharding.AxisType.Auto,), devices=jax.devices()[:1])
    P = jax.sharding.PartitionSpec
    mean = functools.partial(ce, axis_name="data")
    mapped = jax.shard_map(lambda z, y: mean(z, y), mesh=mesh, in_specs=P("data"), out_specs=P())
    model = nnx.Linear(10, 10, rngs=nnx.Rngs(0))

    @nnx.jit
    def step(model, inputs, labels):
        return nnx.value_and_grad(lambda model: ce(model(inputs), labels))(model)

    says = "cross_entropy: labels must lie in [0, 10), got 12 at index"
    for call, message in (
        (lambda: jaxloss.checked(jax.jit(scanned))(logits, labels), f"{says} ({at[1]},)"),
        (lambda: jaxloss.checked(jax.jit(mapped))(logits, labels), f"at mapped index 0: {says} {at}"),
        (lambda: jaxloss.checked(step)(model, logits, labels), f"{says} {at}"),
    ):
        with pytest.raises(ValueError) as error:
            call()
        assert str(error.value) == message


def test_checked_goes_outermost():
    with pytest.raises(TypeError, match=r"checked: arguments must hold numbers, got a tracer; .*: checked\(jit\(f\)\)"):
        jax.jit(jaxloss.checked(ce))(LOGITS, LABELS)


def test_checked_wraps_a_function():
    with pytest.raises(TypeError, match=r"^checked: f must be a function, such as a loss, got 3$"):
        jaxloss.checked(3)


def test_checked_takes_what_is_not_an_array_as_constant_and_compiles_once():
    traces = 0

    def loss(logits, labels, how):
        nonlocal traces
        traces += 1
        return ce(logits, labels, **how)

    checked = jaxloss.checked(loss)
    for _ in range(3):
        checked(LOGITS, LABELS, {"reduction": "sum", "label_smoothing": 0.1})
    assert traces == 1
    with pytest.raises(ValueError, match=r"label_smoothing must lie in \[0, 1\], got 1.5"):
        checked(LOGITS, LABELS, {"label_smoothing": 1.5})


def test_classes_to_sort_or_add_up_are_brought_together_under_explicit_sharding():
    mesh = jax.make_mesh((2, 2), ("data", "model"), axis_types=(jax.sharding.AxisType.Explicit,) * 2)
    sharding = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("data", "model"))
    probs = np.random.default_rng(0).dirichlet(np.ones(4), (2, 6)).astype(f32)
    f = jax.jit(jax.value_and_grad(jaxloss.wasserstein_distance))
    expected = f(*probs)
    value, gradient = f(*jax.device_put([*probs], sharding))
    np.testing.assert_allclose(value, expected[0], rtol=1e-6)
    np.testing.assert_allclose(gradient, expected[1], rtol=1e-6)
    assert gradient.sharding.is_equivalent_to(sharding, 2)


@pytest.mark.parametrize("integer", [int, np.int32, np.int64])
def test_axes_may_be_numpys_integers(integer):
    losses = np.arange(12, dtype=f32).reshape(4, 3)
    assert ce(losses, LABELS, axis=integer(-1)) == ce(losses, LABELS)
    assert np.array_equal(jaxloss.reduce(losses, axis=integer(0)), losses.mean(0))


@pytest.mark.parametrize("value", ["False", 1, None, (False,)], ids=repr)
def test_bools_are_bools(value):
    with pytest.raises(TypeError, match="poisson_nll_loss: log_input must be a bool, got "):
        jaxloss.poisson_nll_loss(jnp.ones(2), jnp.ones(2), log_input=value)


@pytest.mark.parametrize("compiled", [lambda f: f, jax.jit], ids=["plain", "jit"])
def test_checked_speaks_first_where_nans_are_debugged(compiled):
    with jax.debug_nans(True), pytest.raises(ValueError, match=r"labels must lie in \[0, 2\), got 9 at index \(1,\)"):
        jaxloss.checked(compiled(jaxloss.cross_entropy))(jnp.zeros((2, 2)), np.array([0, 9]))
