"""Made by `make update`."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, overload

from . import plotting as plotting
from ._classification.class_weights import class_balanced_weights as class_balanced_weights
from ._classification.log_probs import (
    LogProbs as LogProbs,
    linear_log_probs as linear_log_probs,
    softmax_log_probs as softmax_log_probs,
)
from ._classification.next_token import next_token_labels as next_token_labels
from ._combination.combine import combine as combine
from ._combination.weighing import (
    dynamic_weight_average as dynamic_weight_average,
    gradnorm_loss as gradnorm_loss,
    uncertainty_weighting as uncertainty_weighting,
)
from ._contract.checks import checked as checked
from ._contract.formula import loss as loss
from ._contract.total import Total as Total
from ._contract.types import (
    AboveOne,
    Array,
    ArrayLike,
    Axes,
    AxisName,
    EachNonNegative,
    EachNumber,
    EachPositive,
    EachProportion,
    EachShape,
    Finite,
    NonNegative,
    NonNegatives,
    NonPositive,
    Number,
    Positive,
    Proportion,
)
from ._preference.gaps import Divergence
from ._preference.variants import Variant
from ._ranking.pairs import LambdaWeights

__version__: str

@overload
def bi_tempered_logistic_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    t1: Proportion,
    t2: Positive,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def bi_tempered_logistic_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    t1: Proportion,
    t2: Positive,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def binary_cross_entropy(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def binary_cross_entropy(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    pos_weight: NonNegatives | None = None,
    label_smoothing: Proportion | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def binary_cross_entropy_with_logits(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    pos_weight: NonNegatives | None = None,
    label_smoothing: Proportion | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    class_mask: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    label_smoothing: Proportion | None = None,
    z_loss: NonNegative | None = None,
    class_axis_name: AxisName | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    class_mask: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    label_smoothing: Proportion | None = None,
    z_loss: NonNegative | None = None,
    class_axis_name: AxisName | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def nll_loss(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def nll_loss(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def softmax_entropy(
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_mask: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def softmax_entropy(
    logits: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_mask: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def asymmetric_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma_positive: NonNegative = 1.0,
    gamma_negative: NonNegative = 4.0,
    clip: Proportion = 0.05,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def asymmetric_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma_positive: NonNegative = 1.0,
    gamma_negative: NonNegative = 4.0,
    clip: Proportion = 0.05,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def sigmoid_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma: NonNegative = 2.0,
    alpha: Proportion | None = None,
    label_smoothing: Proportion | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def sigmoid_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma: NonNegative = 2.0,
    alpha: Proportion | None = None,
    label_smoothing: Proportion | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def poly1_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon: Finite = 1.0,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    label_smoothing: Proportion | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def poly1_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon: Finite = 1.0,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    label_smoothing: Proportion | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def softmax_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma: NonNegative = 2.0,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def softmax_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma: NonNegative = 2.0,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def linear_cross_entropy(
    hidden: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    bias: ArrayLike | None = None,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    label_smoothing: Proportion | None = None,
    z_loss: NonNegative | None = None,
    soft_cap: Positive | None = None,
    chunk_size: int | None = None,
    class_axis_name: AxisName | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def linear_cross_entropy(
    hidden: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    bias: ArrayLike | None = None,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    label_smoothing: Proportion | None = None,
    z_loss: NonNegative | None = None,
    soft_cap: Positive | None = None,
    chunk_size: int | None = None,
    class_axis_name: AxisName | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def generalized_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    q: Proportion = 0.7,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def generalized_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    q: Proportion = 0.7,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def symmetric_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: NonNegative = 0.1,
    beta: NonNegative = 1.0,
    log_zero: NonPositive = -4.0,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def symmetric_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: NonNegative = 0.1,
    beta: NonNegative = 1.0,
    log_zero: NonPositive = -4.0,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def taylor_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    order: int = 2,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def taylor_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    order: int = 2,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def coral_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def coral_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def average_top_k_loss(
    losses: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    fraction: Annotated[ArrayLike, Number("(0, 1]")],
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def average_top_k_loss(
    losses: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    fraction: Annotated[ArrayLike, Number("(0, 1]")],
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def reduce(
    losses: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def reduce(
    losses: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def arcface_loss(
    embeddings: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 0.5,
    scale: Positive = 64.0,
    class_axis_name: AxisName | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def arcface_loss(
    embeddings: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 0.5,
    scale: Positive = 64.0,
    class_axis_name: AxisName | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def cosface_loss(
    embeddings: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 0.35,
    scale: Positive = 64.0,
    class_axis_name: AxisName | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def cosface_loss(
    embeddings: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 0.35,
    scale: Positive = 64.0,
    class_axis_name: AxisName | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def barlow_twins_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    redundancy_weight: NonNegative = 0.005,
    eps: NonNegative = 1e-05,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def barlow_twins_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    redundancy_weight: NonNegative = 0.005,
    eps: NonNegative = 1e-05,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def vicreg_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    invariance_weight: NonNegative = 25.0,
    variance_weight: NonNegative = 25.0,
    covariance_weight: NonNegative = 1.0,
    eps: NonNegative = 0.0001,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def vicreg_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    invariance_weight: NonNegative = 25.0,
    variance_weight: NonNegative = 25.0,
    covariance_weight: NonNegative = 1.0,
    eps: NonNegative = 0.0001,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def contrastive_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    positive_margin: NonNegative = 0.0,
    axis: Axes = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def contrastive_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    positive_margin: NonNegative = 0.0,
    axis: Axes = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def ntxent_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 0.07,
    normalize: bool = True,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def ntxent_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 0.07,
    normalize: bool = True,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def supcon_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 0.1,
    normalize: bool = True,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def supcon_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 0.1,
    normalize: bool = True,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def clip_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    logit_scale: Positive = 14.285714285714285,
    normalize: bool = True,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def clip_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    logit_scale: Positive = 14.285714285714285,
    normalize: bool = True,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def info_nce_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 0.07,
    normalize: bool = True,
    negatives: ArrayLike | None = None,
    negatives_mask: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def info_nce_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 0.07,
    normalize: bool = True,
    negatives: ArrayLike | None = None,
    negatives_mask: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def siglip_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    logit_scale: Positive = 10.0,
    logit_bias: Finite = -10.0,
    normalize: bool = True,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def siglip_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    logit_scale: Positive = 10.0,
    logit_bias: Finite = -10.0,
    normalize: bool = True,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def proxy_anchor_loss(
    embeddings: ArrayLike,
    proxies: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: Finite = 0.1,
    alpha: Positive = 32.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def proxy_anchor_loss(
    embeddings: ArrayLike,
    proxies: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: Finite = 0.1,
    alpha: Positive = 32.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def circle_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma: Positive = 80.0,
    margin: Finite = 0.4,
    normalize: bool = True,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def circle_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma: Positive = 80.0,
    margin: Finite = 0.4,
    normalize: bool = True,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def multi_similarity_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: Positive = 2.0,
    beta: Positive = 50.0,
    base_similarity: Finite = 0.5,
    mining_margin: Finite | None = None,
    normalize: bool = True,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def multi_similarity_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: Positive = 2.0,
    beta: Positive = 50.0,
    base_similarity: Finite = 0.5,
    mining_margin: Finite | None = None,
    normalize: bool = True,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def batch_triplet_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    mining: Literal["hard", "semihard", "all"] = "hard",
    smooth: bool = False,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def batch_triplet_loss(
    embeddings: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    mining: Literal["hard", "semihard", "all"] = "hard",
    smooth: bool = False,
    ref_embeddings: ArrayLike | None = None,
    ref_labels: ArrayLike | None = None,
    ref_mask: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def dino_loss(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    center: ArrayLike | None = None,
    temperature: Positive = 0.1,
    teacher_temperature: Positive = 0.04,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def dino_loss(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    center: ArrayLike | None = None,
    temperature: Positive = 0.1,
    teacher_temperature: Positive = 0.04,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def ciou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def ciou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def diou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def diou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def giou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def giou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def iou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def iou_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def distribution_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def distribution_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def gaussian_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: NonNegative = 2.0,
    beta: NonNegative = 4.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def gaussian_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: NonNegative = 2.0,
    beta: NonNegative = 4.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def quality_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: NonNegative = 2.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def quality_focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: NonNegative = 2.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def varifocal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: NonNegative = 0.75,
    gamma: NonNegative = 2.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def varifocal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: NonNegative = 0.75,
    gamma: NonNegative = 2.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def hellinger_distance(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def hellinger_distance(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def total_variation_distance(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def total_variation_distance(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def wasserstein_distance(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    positions: ArrayLike | None = None,
    axis: int = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def wasserstein_distance(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    positions: ArrayLike | None = None,
    axis: int = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def distillation_loss(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 2.0,
    axis: int = -1,
    divergence: Literal["forward_kl", "reverse_kl", "js"] = "forward_kl",
    mixture: Proportion = 0.5,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def distillation_loss(
    logits: ArrayLike,
    teacher_logits: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 2.0,
    axis: int = -1,
    divergence: Literal["forward_kl", "reverse_kl", "js"] = "forward_kl",
    mixture: Proportion = 0.5,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def generalized_kl_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def generalized_kl_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def js_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    mixture: Proportion = 0.5,
    axis: Axes = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def js_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    mixture: Proportion = 0.5,
    axis: Axes = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def kl_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    log_labels: bool = False,
    axis: Axes = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def kl_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    log_labels: bool = False,
    axis: Axes = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def reverse_kl_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    log_labels: bool = False,
    axis: Axes = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def reverse_kl_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    log_labels: bool = False,
    axis: Axes = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def gaussian_kl_divergence(
    mean: ArrayLike,
    log_variance: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    prior_mean: EachNumber = 0.0,
    prior_log_variance: EachNumber = 0.0,
    axis: Axes | None = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def gaussian_kl_divergence(
    mean: ArrayLike,
    log_variance: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    prior_mean: EachNumber = 0.0,
    prior_log_variance: EachNumber = 0.0,
    axis: Axes | None = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def renyi_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: Positive,
    axis: Axes = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def renyi_divergence(
    log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: Positive,
    axis: Axes = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def gamma_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    concentration: EachPositive,
    full: bool = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def gamma_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    concentration: EachPositive,
    full: bool = False,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def tweedie_deviance_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    power: EachNumber,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def tweedie_deviance_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    power: EachNumber,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def negative_binomial_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    dispersion: EachNonNegative,
    full: bool = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def negative_binomial_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    dispersion: EachNonNegative,
    full: bool = False,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def poisson_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    log_input: bool = True,
    full: bool | Literal["stirling"] = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def poisson_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    log_input: bool = True,
    full: bool | Literal["stirling"] = False,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def ensemble_crps_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    fair: bool = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def ensemble_crps_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    fair: bool = False,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def gaussian_crps_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: EachPositive,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def gaussian_crps_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: EachPositive,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def gaussian_mixture_nll_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    means: EachNumber,
    scales: EachPositive,
    full: bool = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def gaussian_mixture_nll_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    means: EachNumber,
    scales: EachPositive,
    full: bool = False,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def gaussian_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    variance: EachNonNegative,
    full: bool = False,
    eps: Positive = 1e-06,
    beta: Proportion | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def gaussian_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    variance: EachNonNegative,
    full: bool = False,
    eps: Positive = 1e-06,
    beta: Proportion | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def laplace_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: EachPositive,
    full: bool = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def laplace_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: EachPositive,
    full: bool = False,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def student_t_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: EachPositive,
    df: EachPositive,
    full: bool = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def student_t_nll_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: EachPositive,
    df: EachPositive,
    full: bool = False,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def perceptron_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def perceptron_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def soft_margin_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def soft_margin_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def squared_hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def squared_hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def cosine_embedding_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: Finite = 0.0,
    axis: Axes = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def cosine_embedding_loss(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: Finite = 0.0,
    axis: Axes = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def hinge_embedding_loss(
    distances: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def hinge_embedding_loss(
    distances: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def margin_ranking_loss(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: Finite = 0.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def margin_ranking_loss(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: Finite = 0.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def multi_margin_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    p: Literal[1, 2] = 1,
    margin: NonNegative = 1.0,
    class_weights: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def multi_margin_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    p: Literal[1, 2] = 1,
    margin: NonNegative = 1.0,
    class_weights: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def multiclass_hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def multiclass_hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def multiclass_perceptron_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def multiclass_perceptron_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def multilabel_margin_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def multilabel_margin_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def multilabel_soft_margin_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def multilabel_soft_margin_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_weights: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def entmax15_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_mask: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def entmax15_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_mask: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def sparsemax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_mask: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def sparsemax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    class_mask: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def triplet_margin_loss(
    anchors: ArrayLike,
    positives: ArrayLike,
    negatives: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    p: float = 2.0,
    swap: bool = False,
    axis: Axes = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def triplet_margin_loss(
    anchors: ArrayLike,
    positives: ArrayLike,
    negatives: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    p: float = 2.0,
    swap: bool = False,
    axis: Axes = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def triplet_margin_with_distance_loss(
    anchors: ArrayLike,
    positives: ArrayLike,
    negatives: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    distance: Callable[..., Any] | None = None,
    margin: NonNegative = 1.0,
    swap: bool = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def triplet_margin_with_distance_loss(
    anchors: ArrayLike,
    positives: ArrayLike,
    negatives: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    distance: Callable[..., Any] | None = None,
    margin: NonNegative = 1.0,
    swap: bool = False,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def cispo_loss(
    log_probs: ArrayLike,
    old_log_probs: ArrayLike,
    advantages: EachNumber,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    min_ratio: NonNegative = 0.0,
    max_ratio: Positive = 5.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def cispo_loss(
    log_probs: ArrayLike,
    old_log_probs: ArrayLike,
    advantages: EachNumber,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    min_ratio: NonNegative = 0.0,
    max_ratio: Positive = 5.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def clipped_value_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    old_predictions: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon: NonNegative = 0.2,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def clipped_value_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    old_predictions: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon: NonNegative = 0.2,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def ppo_clip_loss(
    log_probs: ArrayLike,
    old_log_probs: ArrayLike,
    advantages: EachNumber,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon_low: NonNegative = 0.2,
    epsilon_high: NonNegative = 0.2,
    dual_clip: AboveOne | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def ppo_clip_loss(
    log_probs: ArrayLike,
    old_log_probs: ArrayLike,
    advantages: EachNumber,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon_low: NonNegative = 0.2,
    epsilon_high: NonNegative = 0.2,
    dual_clip: AboveOne | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def kl_estimate(
    log_probs: ArrayLike,
    reference_log_probs: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    estimator: Literal["k1", "k2", "k3"] = "k3",
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def kl_estimate(
    log_probs: ArrayLike,
    reference_log_probs: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    estimator: Literal["k1", "k2", "k3"] = "k3",
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def kto_loss(
    log_probs: ArrayLike,
    reference_log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    kl: EachNumber,
    beta: Positive = 0.1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def kto_loss(
    log_probs: ArrayLike,
    reference_log_probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    kl: EachNumber,
    beta: Positive = 0.1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def orpo_loss(
    chosen_log_probs: ArrayLike,
    rejected_log_probs: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: NonNegative = 0.1,
    nll_weight: NonNegative = 1.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def orpo_loss(
    chosen_log_probs: ArrayLike,
    rejected_log_probs: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: NonNegative = 0.1,
    nll_weight: NonNegative = 1.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def cpo_loss(
    chosen_log_probs: ArrayLike,
    rejected_log_probs: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: Positive = 0.1,
    variant: Variant = "sigmoid",
    label_smoothing: EachProportion | None = None,
    margin: EachNumber | None = None,
    alpha: Finite | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def cpo_loss(
    chosen_log_probs: ArrayLike,
    rejected_log_probs: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: Positive = 0.1,
    variant: Variant = "sigmoid",
    label_smoothing: EachProportion | None = None,
    margin: EachNumber | None = None,
    alpha: Finite | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def dpo_loss(
    chosen_log_probs: ArrayLike,
    rejected_log_probs: ArrayLike,
    reference_chosen_log_probs: ArrayLike,
    reference_rejected_log_probs: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: Positive = 0.1,
    variant: Variant = "sigmoid",
    label_smoothing: EachProportion | None = None,
    margin: EachNumber | None = None,
    divergence: Divergence = "reverse_kl",
    alpha: Finite | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def dpo_loss(
    chosen_log_probs: ArrayLike,
    rejected_log_probs: ArrayLike,
    reference_chosen_log_probs: ArrayLike,
    reference_rejected_log_probs: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: Positive = 0.1,
    variant: Variant = "sigmoid",
    label_smoothing: EachProportion | None = None,
    margin: EachNumber | None = None,
    divergence: Divergence = "reverse_kl",
    alpha: Finite | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def bradley_terry_loss(
    chosen_scores: ArrayLike,
    rejected_scores: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: EachNumber | None = None,
    label_smoothing: EachProportion | None = None,
    centering: NonNegative | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def bradley_terry_loss(
    chosen_scores: ArrayLike,
    rejected_scores: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: EachNumber | None = None,
    label_smoothing: EachProportion | None = None,
    centering: NonNegative | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def pairwise_mse_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def pairwise_mse_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def pairwise_quantile_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    quantile: Proportion = 0.5,
    squared: bool = False,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def pairwise_quantile_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    quantile: Proportion = 0.5,
    squared: bool = False,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def listmle_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def listmle_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def poly1_softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon: Finite = 1.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def poly1_softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon: Finite = 1.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def ranking_softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def ranking_softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def unique_softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    item_weights: EachNonNegative | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def unique_softmax_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    item_weights: EachNonNegative | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def approx_mrr_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 1.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def approx_mrr_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 1.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def approx_ndcg_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 1.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def approx_ndcg_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    temperature: Positive = 1.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def pairwise_hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def pairwise_hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    margin: NonNegative = 1.0,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def pairwise_logistic_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def pairwise_logistic_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def pairwise_soft_zero_one_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def pairwise_soft_zero_one_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    item_weights: EachNonNegative | None = None,
    lambda_weights: LambdaWeights | None = None,
    top_n: int | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def charbonnier_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: EachPositive = 0.001,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def charbonnier_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    scale: EachPositive = 0.001,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def huber_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    delta: EachPositive = 1.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def huber_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    delta: EachPositive = 1.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def l1_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def l1_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def log_cosh_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def log_cosh_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def mse_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def mse_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def smooth_l1_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: EachNonNegative = 1.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def smooth_l1_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    beta: EachNonNegative = 1.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def general_robust_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: EachShape,
    scale: EachPositive = 1.0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def general_robust_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: EachShape,
    scale: EachPositive = 1.0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def expectile_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    expectile: EachProportion = 0.5,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def expectile_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    expectile: EachProportion = 0.5,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def quantile_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    quantile: EachProportion = 0.5,
    huber_delta: EachNonNegative | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def quantile_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    quantile: EachProportion = 0.5,
    huber_delta: EachNonNegative | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def cosine_distance(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def cosine_distance(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def mape_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon: Positive | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def mape_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    epsilon: Positive | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def msle_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def msle_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def relative_l2_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    epsilon: Positive | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def relative_l2_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: Axes = -1,
    epsilon: Positive | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def smape_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def smape_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def boundary_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def boundary_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def generalized_dice_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    power: NonNegative = 2.0,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def generalized_dice_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    power: NonNegative = 2.0,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def lovasz_hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    batch_axes: Axes = 0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def lovasz_hinge_loss(
    scores: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    batch_axes: Axes = 0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def lovasz_softmax_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_present: bool = True,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def lovasz_softmax_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_present: bool = True,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def dice_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    squared: bool = False,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_present: bool = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def dice_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    squared: bool = False,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_present: bool = False,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def jaccard_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    squared: bool = False,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_present: bool = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def jaccard_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    squared: bool = False,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_present: bool = False,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def tversky_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: NonNegative = 0.5,
    beta: NonNegative = 0.5,
    gamma: Positive | None = None,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_present: bool = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def tversky_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    alpha: NonNegative = 0.5,
    beta: NonNegative = 0.5,
    gamma: Positive | None = None,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    only_present: bool = False,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def ssim_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    data_range: Positive = 1.0,
    window_size: int = 11,
    sigma: Positive = 1.5,
    k1: NonNegative = 0.01,
    k2: NonNegative = 0.03,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def ssim_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    data_range: Positive = 1.0,
    window_size: int = 11,
    sigma: Positive = 1.5,
    k1: NonNegative = 0.01,
    k2: NonNegative = 0.03,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def cldice_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    iterations: int = 3,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def cldice_loss(
    probs: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    iterations: int = 3,
    axis: int | None = -1,
    batch_axes: Axes = 0,
    smooth: NonNegative = 1.0,
    class_weights: ArrayLike | None = None,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def crf_nll_loss(
    logits: ArrayLike,
    transitions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def crf_nll_loss(
    logits: ArrayLike,
    transitions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    start: ArrayLike | None = None,
    end: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def ctc_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    logit_lengths: ArrayLike | None = None,
    label_lengths: ArrayLike | None = None,
    blank: int = 0,
    zero_infinity: bool = False,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def ctc_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    logit_lengths: ArrayLike | None = None,
    label_lengths: ArrayLike | None = None,
    blank: int = 0,
    zero_infinity: bool = False,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def soft_dtw_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma: Positive = 1.0,
    divergence: bool = False,
    prediction_lengths: ArrayLike | None = None,
    label_lengths: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def soft_dtw_loss(
    predictions: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    gamma: Positive = 1.0,
    divergence: bool = False,
    prediction_lengths: ArrayLike | None = None,
    label_lengths: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def linear_rnnt_loss(
    hidden_frames: ArrayLike,
    hidden_labels: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    bias: ArrayLike | None = None,
    activation: Callable[..., Any] | None = None,
    chunk_size: int | None = None,
    logit_lengths: ArrayLike | None = None,
    label_lengths: ArrayLike | None = None,
    blank: int = 0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def linear_rnnt_loss(
    hidden_frames: ArrayLike,
    hidden_labels: ArrayLike,
    kernel: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    bias: ArrayLike | None = None,
    activation: Callable[..., Any] | None = None,
    chunk_size: int | None = None,
    logit_lengths: ArrayLike | None = None,
    label_lengths: ArrayLike | None = None,
    blank: int = 0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def rnnt_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    logit_lengths: ArrayLike | None = None,
    label_lengths: ArrayLike | None = None,
    blank: int = 0,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def rnnt_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    logit_lengths: ArrayLike | None = None,
    label_lengths: ArrayLike | None = None,
    blank: int = 0,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
@overload
def unlikelihood_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["mean", "sum", "none"] = "mean",
    axis_name: AxisName | None = None,
) -> Array: ...
@overload
def unlikelihood_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    weights: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    *,
    axis: int = -1,
    ignore_index: ArrayLike | None = None,
    reduction: Literal["total"],
    axis_name: AxisName | None = None,
) -> Total: ...
