"""Bugs that were reported against other loss libraries, or measured in them, with the numbers that hold here."""

from __future__ import annotations

import dataclasses
from math import inf, nan
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class Bug:
    """A mistake that someone made.

    Attributes:
      id: a short name.
      function: the function of this package where it would show.
      sources: the threads, 'owner/repository#number'; none where it was found by measuring.
      wrong: what went wrong there.
      inputs: arguments by name, as lists or numbers: float32, int32 or bool.
      options: further arguments; lists are arrays.
      dtypes: other dtypes, by argument.
      holds: what must hold here: `("value", expected, rtol, atol)`, `("gradient", argument, expected, rtol, atol)` of
        the sum, `("finite", "value")`, `("finite", "gradient of argument")`, `("not negative",)`, `("nan",)` of loss
        and gradient, `("raises",)`.
      words: what else must hold; the function of this name in test_known_bugs.py proves it.
    """

    id: str
    function: str
    sources: tuple[str, ...]
    wrong: str
    _: dataclasses.KW_ONLY
    inputs: dict[str, Any] = dataclasses.field(default_factory=dict)
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    dtypes: dict[str, str] = dataclasses.field(default_factory=dict)
    holds: tuple[tuple[Any, ...], ...] = ()
    words: tuple[str, ...] = ()

    @property
    def link(self) -> str:
        return ",".join((self.id, *self.sources)) if self.sources else f"{self.id},measured"

    def arguments(self) -> dict[str, Any]:
        """Inputs and options as the loss gets them."""
        options = {name: _array(x) if isinstance(x, list) else x for name, x in self.options.items()}
        return {name: _array(x, self.dtypes.get(name)) for name, x in self.inputs.items()} | options


def _array(x: Any, dtype: Any = None) -> np.ndarray:
    x = np.asarray(x)
    return x.astype(dtype or {"f": np.float32, "i": np.int32, "b": np.bool_}[x.dtype.kind])


BUGS = [
    Bug(
        "logcosh_large",
        "log_cosh_loss",
        ("Lightning-AI/torchmetrics#3488", "keras-team/keras#8524", "UCL/STIR#768", "JuliaAI/MLJBase.jl#437"),
        "log(cosh(x)) overflows for |x|>88",
        inputs={"predictions": [100.0, -100.0], "labels": [0.0, 0.0]},
        options={"reduction": "none"},
        holds=(
            ("value", [99.3068528194, 99.3068528194], 1e-05, 1e-06),
            ("gradient", "predictions", [1.0, -1.0], 0.0001, 1e-06),
        ),
    ),
    Bug(
        "logcosh_tiny",
        "log_cosh_loss",
        (),
        "softplus/logaddexp form cancels near 0",
        inputs={"predictions": [0.0001, 0.001], "labels": [0.0, 0.0]},
        options={"reduction": "none"},
        holds=(("value", [5e-09, 5e-07], 0.001, 0),),
    ),
    Bug(
        "kl_zero_target_grad",
        "kl_divergence",
        (
            "google-deepmind/optax#1786",
            "pytorch/pytorch#89558",
            "Lightning-AI/torchmetrics#1029",
            "JuliaStats/Distributions.jl#793",
        ),
        "where(t==0,0,log t) still differentiates log 0",
        inputs={
            "log_probs": [-1.60943791243, -1.20397280433, -0.916290731874, -2.30258509299],
            "labels": [0.0, 0.4, 0.6, 0.0],
        },
        holds=(
            ("value", 0.358351893846, 1e-05, 1e-06),
            ("finite", "gradient of labels"),
            ("finite", "gradient of log_probs"),
            ("gradient", "log_probs", [0.0, -0.4, -0.6, 0.0], 0.0001, 1e-06),
        ),
    ),
    Bug(
        "kl_log_targets_neginf",
        "kl_divergence",
        ("google-deepmind/optax#1786",),
        "exp(-inf)*(-inf-x) = NaN",
        inputs={"log_probs": [-inf, -0.69314718056, -0.69314718056], "labels": [-inf, -0.69314718056, -0.69314718056]},
        options={"log_labels": True},
        holds=(("value", 0.0, 1e-05, 1e-06), ("finite", "gradient of log_probs")),
    ),
    Bug(
        "kl_negative_target",
        "kl_divergence",
        ("pytorch/pytorch#69230",),
        "negative targets silently gave 0",
        inputs={"log_probs": [-1.0], "labels": [-1.0]},
        holds=(("nan",),),
    ),
    Bug(
        "cosine_zero_vector",
        "cosine_distance",
        (
            "google-deepmind/optax#946",
            "google-deepmind/optax#1703",
            "tensorflow/tensorflow#37090",
            "gesistsa/sweater#41",
        ),
        "zero vector -> 0/0; eps clips the SQUARED norm",
        inputs={"predictions": [0.0, 0.0, 0.0], "labels": [1.0, 2.0, 3.0]},
        holds=(("value", 1.0, 1e-05, 1e-05), ("finite", "gradient of predictions"), ("finite", "gradient of labels")),
    ),
    Bug(
        "cosine_underflow",
        "cosine_distance",
        (),
        "squared norm underflows",
        inputs={"predictions": [1e-25, 1e-25], "labels": [1e-25, 1e-25]},
        words=(
            "distance 0 within 1e-3 (the vectors are parallel), not inf or NaN",
            "finite gradients in both modes",
        ),
    ),
    Bug(
        "triplet_identical_anchor_positive",
        "triplet_margin_loss",
        ("huggingface/sentence-transformers#4033",),
        "coincident embeddings",
        inputs={"anchors": [[1.0, 2.0]], "positives": [[1.0, 2.0]], "negatives": [[1.0, 2.0]]},
        options={"margin": 1.0, "reduction": "none"},
        holds=(("value", [1.0], 0.001, 1e-06), ("finite", "gradient of anchors")),
    ),
    Bug(
        "bce_inf_agree",
        "binary_cross_entropy_with_logits",
        ("google-deepmind/optax#431", "pytorch/pytorch#49844", "pytorch/pytorch#102894"),
        "infinite logits agreeing with label must cost 0",
        inputs={"logits": [inf, -inf], "labels": [1.0, 0.0]},
        options={"reduction": "none"},
        holds=(("value", [0.0, 0.0], 1e-05, 1e-06), ("gradient", "logits", [0.0, 0.0], 0.0001, 1e-06)),
    ),
    Bug(
        "bce_pos_weight_m120",
        "binary_cross_entropy_with_logits",
        ("pytorch/pytorch#13773",),
        "pos_weight=1 path overflowed",
        inputs={"logits": [0.0, -120.0], "labels": [0.0, 1.0]},
        options={"pos_weight": [1.0, 1.0], "reduction": "none"},
        holds=(("value", [0.69314718056, 120.0], 1e-05, 1e-06),),
    ),
    Bug(
        "bce_pos_weight_soft_target",
        "binary_cross_entropy_with_logits",
        ("paiml/aprender#2204",),
        "pos_weight must scale only the y*log p term",
        inputs={"logits": [0.5], "labels": [0.3]},
        options={"pos_weight": [3.0], "reduction": "none"},
        holds=(("value", [1.10852317469], 1e-05, 1e-06),),
    ),
    Bug(
        "bce_prob_wrong_has_gradient",
        "binary_cross_entropy",
        ("keras-team/keras#9664",),
        "clip kills the gradient exactly where it is needed",
        inputs={"probs": [0.0, 1.0], "labels": [1.0, 0.0]},
        words=(
            "gradients of both saturated wrong predictions are finite and not 0: negative at prob 0 with label 1,"
            " positive at prob 1 with label 0",
        ),
    ),
    Bug(
        "bce_prob_fp16",
        "binary_cross_entropy",
        (),
        "eps=1e-7 vanishes in half precision: 1-eps==1",
        inputs={"probs": [0.0, 1.0, 0.0, 1.0], "labels": [0.0, 1.0, 1.0, 0.0]},
        dtypes={"probs": "float16", "labels": "float16"},
        holds=(("finite", "value"),),
        words=(
            "finite values; 0 for the first two; the last two equal within 1e-3",
            "the same in bfloat16",
            "the gradient at the last two points to the label",
        ),
    ),
    Bug(
        "ce_int_neginf_logit",
        "cross_entropy",
        ("google-deepmind/optax#896", "Dao-AILab/flash-attention#1930"),
        "masked classes with integer label",
        inputs={"logits": [[-inf, 0.0, 0.0]], "labels": [1]},
        options={"reduction": "none"},
        holds=(("value", [0.69314718056], 1e-05, 1e-06), ("gradient", "logits", [[0.0, -0.5, 0.5]], 0.0001, 1e-06)),
    ),
    Bug(
        "ce_neginf_forward_mode",
        "cross_entropy",
        ("google-deepmind/optax#1762",),
        "JVP rule multiplies zero tangent by -inf",
        inputs={"logits": [[-inf, 0.0, 0.0]], "labels": [[0.0, 1.0, 0.0]]},
        words=(
            "jacfwd equals jacrev, [[0, -.5, .5]] for the logits",
            "no NaN in the gradient of the labels, in either mode",
        ),
    ),
    Bug(
        "ce_all_neginf_row",
        "cross_entropy",
        ("jax-ml/jax#6811", "pytorch/pytorch#31829", "allenai/allennlp#890", "onnx/tensorflow-onnx#1248"),
        "fully masked row poisons batch",
        inputs={"logits": [[-inf, -inf, -inf], [0.0, 0.0, 0.0]], "labels": [1, 1]},
        options={"mask": [False, True]},
        words=("value log 3; gradients finite in both modes, exactly 0 in the masked row",),
    ),
    Bug(
        "ce_where_nan_masked_logit",
        "cross_entropy",
        ("jax-ml/jax#347", "jax-ml/jax#26328"),
        "NaN in masked class",
        inputs={"logits": [[1.0, 1.0, nan]], "labels": [[1.0, 0.0, 0.0]]},
        options={"class_mask": [[True, True, False]], "reduction": "none"},
        holds=(("value", [0.69314718056], 1e-05, 1e-06), ("gradient", "logits", [[-0.5, 0.5, 0.0]], 0.0001, 1e-06)),
    ),
    Bug(
        "weight0_nan_target",
        "mse_loss",
        ("keras-team/keras#18818", "keras-team/keras#18052"),
        "NaN label under a weight of 0 made the loss and its gradient NaN",
        inputs={"predictions": [1.0, 1.0], "labels": [0.0, nan]},
        options={"weights": [1.0, 0.0]},
        words=(
            "weights multiply, and 0 keeps its gradient: the NaN shows in the loss",
            "with mask=[True, False] instead: value 1, gradient [2, 0]",
            "the gradient of the mean of errors (1, 9) with respect to weights (1, 0) is (0, 8)",
        ),
    ),
    Bug(
        "focal_gamma_half",
        "sigmoid_focal_loss",
        ("kornia/kornia#918", "google-deepmind/optax#1346", "liuyuisanai/Focal-Loss#11", "fizyr/keras-retinanet#706"),
        "pow(0,gamma-1)=inf for gamma<1",
        inputs={"logits": [-100.0, -100.0, 100.0, 100.0], "labels": [0.0, 1.0, 0.0, 1.0]},
        options={"gamma": 0.5, "reduction": "none"},
        holds=(("value", [0.0, 100.0, 100.0, 0.0], 1e-05, 1e-06), ("finite", "gradient of logits")),
    ),
    Bug(
        "huber_negative_side",
        "huber_loss",
        ("BobMcDear/attorch#13",),
        "threshold on signed difference",
        inputs={"predictions": [-3.0, -1.5, -0.5, 0.5, 1.5, 3.0], "labels": [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]},
        options={"delta": 1.0, "reduction": "none"},
        holds=(("value", [2.5, 1.0, 0.125, 0.125, 1.0, 2.5], 1e-05, 1e-06),),
    ),
    Bug(
        "huber_1e30",
        "huber_loss",
        (),
        "square of unselected branch overflows",
        inputs={"predictions": [1e30], "labels": [0.0]},
        options={"delta": 1.0, "reduction": "none"},
        holds=(("value", [1e30], 1e-05, 1e-06), ("gradient", "predictions", [1.0], 0.0001, 1e-06)),
    ),
    Bug(
        "poisson_nll_negative_rate",
        "poisson_nll_loss",
        ("pytorch/pytorch#184030", "pytorch/pytorch#187251"),
        "a negative rate gave a finite number",
        inputs={"predictions": [-1.0], "labels": [1.0]},
        options={"log_input": False},
        holds=(("nan",),),
    ),
    Bug(
        "ce_offset_invariance_1e8",
        "cross_entropy",
        ("ml-explore/mlx#4188", "pytorch/pytorch#195829"),
        "logsumexp(z)-z[y] rounds away the gap; loss 0 = 'perfect'",
        inputs={"logits": [[100000000.0, 100000000.0]], "labels": [0]},
        options={"reduction": "none"},
        holds=(("value", [0.69314718056], 1e-05, 1e-06), ("gradient", "logits", [[-0.5, 0.5]], 0.0001, 1e-06)),
    ),
    Bug(
        "ce_confident_tiny",
        "cross_entropy",
        ("mechanistic-interpretability-grokking/progress-measures-paper#2",),
        "float32 floor 1.2e-7: confident loss is exactly 0 (slingshots)",
        inputs={"logits": [[20.0, 0.0]], "labels": [0]},
        options={"reduction": "none"},
        holds=(("value", [2.06115362031e-09], 0.001, 0),),
    ),
    Bug(
        "gaussian_nll_zero_var",
        "gaussian_nll_loss",
        ("google-deepmind/optax#1124",),
        "variance 0 gave log 0",
        inputs={"predictions": [1.0], "labels": [1.0], "variance": [0.0]},
        holds=(("finite", "value"), ("finite", "gradient of variance")),
        words=("value .5 log(1e-6), the floor of the variance; gradient of the variance finite",),
    ),
    Bug(
        "all_ignored_mean",
        "cross_entropy",
        (
            "pytorch/pytorch#70348",
            "pytorch/pytorch#75181",
            "pytorch/pytorch#116349",
            "huggingface/trl#6668",
            "huggingface/trl#5826",
            "nvidia-cosmos/cosmos-rl#155",
            "mgmalek/efficient_cross_entropy#6",
        ),
        "all labels ignored: 0/0 (torch maintainers: intended NaN)",
        inputs={"logits": [[0.1, 0.2, 0.3], [0.0, 1.0, 2.0]], "labels": [-100, -100]},
        options={"ignore_index": -100},
        holds=(("value", 0.0, 1e-05, 1e-06), ("gradient", "logits", [[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], 0.0001, 1e-06)),
    ),
    Bug(
        "ignore_mean_denominator",
        "cross_entropy",
        (
            "open-mmlab/mmsegmentation#886",
            "PaddlePaddle/Paddle#23708",
            "pytorch/pytorch#30984",
            "ROCm/TransformerEngine#336",
            "ServiceNow/Fast-LLM#426",
        ),
        "mean must divide by non-ignored count",
        inputs={"logits": [[0.0, 0.0], [0.0, 0.0], [5.0, 0.0]], "labels": [0, -100, 0]},
        options={"ignore_index": -100},
        holds=(("value", 0.349931264525, 1e-05, 1e-06),),
    ),
    Bug(
        "mask_equals_01_weight",
        "mse_loss",
        ("keras-team/keras-core#802", "keras-team/keras#2546", "keras-team/keras#2541"),
        "mask and 0/1 weights must agree; denominators per element",
        inputs={"predictions": [[1.0, 2.0], [3.0, 4.0]], "labels": [[0.0, 0.0], [0.0, 0.0]]},
        options={"mask": [[True, False], [True, True]]},
        holds=(("value", 8.66666666667, 1e-05, 1e-06),),
    ),
    Bug(
        "class_weight_label_smoothing",
        "cross_entropy",
        ("pytorch/pytorch#104776",),
        "weighting smoothed terms moves the optimum to the rare class",
        inputs={"logits": [[0.0, 0.0, 0.0]], "labels": [0]},
        options={"class_weights": [1.0, 1.0, 1000.0], "label_smoothing": 0.1},
        words=(
            "the gradient is 0 at logits log [1-e+e/3, e/3, e/3]: the weight belongs to the example's own label, "
            "not to each smoothed class",
            "the same with the label as one-hot probabilities",
        ),
    ),
    Bug(
        "label_smoothing_ignore_weight",
        "cross_entropy",
        ("pytorch/pytorch#72056", "pytorch/pytorch#63122"),
        "index -1 out of bounds with weight+smoothing+ignore_index",
        inputs={"logits": [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]], "labels": [0, -1, 0]},
        options={"ignore_index": -1, "label_smoothing": 0.1, "class_weights": [1.0, 16.0]},
        holds=(("finite", "value"),),
        words=("value log 2; reduction 'none' gives 0 in row 1; the total weight is 2; row 1's gradient is exactly 0",),
    ),
    Bug(
        "grad_accum_unequal_tokens",
        "cross_entropy",
        (
            "huggingface/transformers#34191",
            "huggingface/transformers#34579",
            "meta-pytorch/torchtune#1875",
            "ml-explore/mlx-lm#1413",
            "Lightning-AI/pytorch-lightning#21386",
            "OpenNMT/OpenNMT-py#2209",
            "huggingface/blog#2414",
        ),
        "(x1/n1 + x2/n2)/2 is not (x1 + x2)/(n1 + n2)",
        words=(
            "the two Totals added, then mean(), equal the loss of the concatenated batch, 1.0454762 (the mean of "
            "the two means is 1.713); so does the gradient",
        ),
    ),
    Bug(
        "ppo_token_mean_microbatch",
        "reduce",
        ("modelscope/twinkle#292", "allenai/open-instruct#1161", "CarperAI/trlx#452"),
        "token-mean changes with micro_batch_size",
        words=(
            "reduce over the live tokens of -ratio * advantage is .5; the same as two microbatches of one "
            "sequence each by Totals; so are the gradients",
        ),
    ),
    Bug(
        "reduction_none_weighted_backward",
        "linear_cross_entropy",
        (
            "linkedin/Liger-Kernel#968",
            "linkedin/Liger-Kernel#678",
            "linkedin/Liger-Kernel#1298",
            "NVIDIA-NeMo/Automodel#3853",
            "NVIDIA/TransformerEngine#2139",
            "microsoft/DirectML#739",
        ),
        "custom backward scales all rows by grad_output[0]",
        inputs={
            "hidden": [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]],
            "kernel": [[0.1, 0.2, 0.3], [0.3, 0.1, 0.2]],
            "labels": [0, 1, 2],
            "upstream": [0.0, 1.0, 2.0],
        },
        options={"reduction": "none"},
        words=(
            "gradients of sum(upstream * losses) with respect to hidden and kernel equal dense cross entropy's, "
            "in both modes; upstream[0] = 0 does not zero the rest",
        ),
    ),
    Bug(
        "fused_bias_and_shards",
        "linear_cross_entropy",
        ("apple/ml-cross-entropy#52", "apple/ml-cross-entropy#53", "apple/ml-cross-entropy#59"),
        "bias added repeatedly to target logit (negative losses); sentinel index matches padded column -> inf",
        inputs={
            "hidden": [[1.0, 2.0]],
            "kernel": [[0.5, -0.5, 0.1], [0.2, 0.3, 0.4]],
            "bias": [1.0, -1.0, 0.5],
            "labels": [1],
        },
        words=(
            "equals the dense reference with every label (the last class too), every chunk_size (None, 1, 2, 3) "
            "and sizes that chunks don't divide, with gradients of hidden, kernel and bias",
        ),
    ),
    Bug(
        "dpo_ipo_avg_logp_zero_len",
        "reduce",
        ("huggingface/trl#1033", "huggingface/trl#5345"),
        "per-sequence mean with empty completion",
        words=("reduce under vmap over the rows gives [0, 3.5]; gradients finite",),
    ),
    Bug(
        "z_loss_normalisation",
        "cross_entropy",
        (
            "InternLM/xtuner#1101",
            "linkedin/Liger-Kernel#239",
            "AI-Hypercomputer/maxtext#3211",
            "NVIDIA/TransformerEngine#2707",
        ),
        "z-loss normalised differently from CE",
        inputs={"logits": [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0]], "labels": [2, 0]},
        options={"z_loss": 0.01, "mask": [True, False]},
        words=(
            "(cross entropy + .01 logsumexp^2) of the one live row, whatever its weight; its gradient is softmax "
            "(1 + .02 logsumexp) - onehot",
            "the z-term alone is the difference of two calls",
        ),
    ),
    Bug(
        "label_out_of_range_1000",
        "cross_entropy",
        (
            "jax-ml/jax#7595",
            "jax-ml/jax#2895",
            "tensorflow/tensorflow#8484",
            "tensorflow/tensorflow#10268",
            "tensorflow/tensorflow#126005",
            "keras-team/keras#23669",
            "tensorflow/tensorflow#57173",
        ),
        "invalid id under jit",
        inputs={"logits": [[0.0, 1.0, 2.0, 3.0, 4.0]], "labels": [1000]},
        holds=(("nan",),),
        words=(
            "NaN loss and NaN gradient of this element in both modes, also with label_smoothing, class_weights, "
            "z_loss; a neighbouring good element keeps its finite loss and gradient",
            "masked or ignored, it leaves no trace",
            "the same in nll_loss, multiclass_hinge_loss, linear_cross_entropy",
            "under checked (plain, jit, value_and_grad): an error that names cross_entropy, labels and 1000",
        ),
    ),
    Bug(
        "label_minus1_wraps",
        "cross_entropy",
        ("jax-ml/jax#7595", "tensorflow/tensorflow#16192", "pytorch/pytorch#12670"),
        "negative index wraps to last class",
        inputs={"logits": [[0.0, 1.0, 2.0, 3.0, 4.0]], "labels": [-1]},
        holds=(("nan",),),
        words=("as for a label too large: -1 never means the last class",),
    ),
    Bug(
        "label_int8_wrap",
        "cross_entropy",
        (),
        "ids cast to int8/uint8 lose range",
        inputs={"logits": np.zeros((1, 300)), "labels": [-1]},
        dtypes={"labels": "int8"},
        holds=(("nan",),),
    ),
    Bug(
        "label_bool",
        "cross_entropy",
        ("jax-ml/jax#25590",),
        "bool labels",
        inputs={"logits": [[0.0, 1.0]], "labels": [True]},
        options={"reduction": "none"},
        holds=(("value", [0.313261687518], 1e-05, 1e-06),),
    ),
    Bug(
        "int_regression_inputs",
        "mse_loss",
        ("keras-team/keras#15014",),
        "uint8 difference wraps (254^2)",
        inputs={"predictions": [3], "labels": [5]},
        options={"reduction": "none"},
        dtypes={"predictions": "uint8", "labels": "uint8"},
        words=(
            "4.0 in float32, or a TypeError because predictions must be floating; never 254^2",
            "with floating predictions and the uint8 label: 4.0",
        ),
    ),
    Bug(
        "hinge_01_labels",
        "hinge_loss",
        ("google/jaxopt#389",),
        "0/1 labels accepted where -1/+1 are meant: a constant loss without a gradient",
        inputs={"scores": [2.0, -2.0], "labels": [1.0, 0.0]},
        options={"reduction": "none"},
        words=(
            "labels are -1 and +1: label 1 costs 0; label 0 gives NaN loss and NaN gradient",
            "bool labels [True, False] give [0, 0]",
        ),
    ),
    Bug(
        "shape_N1_vs_N",
        "mse_loss",
        (
            "pytorch/pytorch#16045",
            "pytorch/pytorch#19699",
            "pytorch/pytorch#18349",
            "AIStream-Peelout/flow-forecast#246",
        ),
        "silent NxN broadcast",
        inputs={"predictions": [[0.0], [1.0], [2.0], [3.0]], "labels": [0.0, 1.0, 2.0, 3.0]},
        holds=(("raises",),),
        words=(
            "the message names the argument; the same in every elementwise loss, and for weights of shape (4,) "
            "against losses of shape (4, 4)",
        ),
    ),
    Bug(
        "shape_N1_vs_N_sigmoid_focal",
        "sigmoid_focal_loss",
        ("pytorch/pytorch#16045", "pytorch/pytorch#19699"),
        "silent NxN broadcast",
        inputs={"logits": [[0.0], [1.0], [2.0], [3.0]], "labels": [0.0, 1.0, 0.0, 1.0]},
        holds=(("raises",),),
    ),
    Bug(
        "shape_N1_vs_N_huber",
        "huber_loss",
        ("pytorch/pytorch#16045", "pytorch/pytorch#19699"),
        "silent NxN broadcast",
        inputs={"predictions": [[0.0], [1.0], [2.0], [3.0]], "labels": [0.0, 1.0, 0.0, 1.0]},
        holds=(("raises",),),
    ),
    Bug(
        "shape_class_dim_1_softmax_ce",
        "cross_entropy",
        ("pytorch/pytorch#16045",),
        "targets of class dim 1 broadcast over classes",
        inputs={
            "logits": [[0.1, 0.1, 0.1], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1]],
            "labels": [[1.0], [1.0], [1.0], [1.0]],
        },
        holds=(("raises",),),
    ),
    Bug(
        "shape_class_dim_1_cosine_similarity",
        "cosine_distance",
        ("pytorch/pytorch#16045",),
        "targets of class dim 1 broadcast over classes",
        inputs={
            "predictions": [[0.1, 0.1, 0.1], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1]],
            "labels": [[1.0], [1.0], [1.0], [1.0]],
        },
        holds=(("raises",),),
    ),
    Bug(
        "axis_tuple",
        "cross_entropy",
        ("google-deepmind/optax#1164", "google-deepmind/optax#902"),
        "class scores over two axes",
        inputs={"logits": np.zeros((2, 3, 4)), "labels": [0, 11]},
        options={"axis": (-2, -1), "reduction": "none"},
        words=("one class axis: a tuple is a TypeError or ValueError that says to reshape (or the right value)",),
    ),
    Bug(
        "bf16_large_vocab",
        "cross_entropy",
        ("google-deepmind/optax#1020", "NVIDIA/Megatron-LM#2206"),
        "log-normaliser rounded to bfloat16: log V = 12.4766 came as 12.5",
        inputs={"logits": np.zeros((1, 262144)), "labels": [3]},
        options={"reduction": "none"},
        dtypes={"logits": "bfloat16"},
        holds=(("value", [12.4766492501], 0.0001, 1e-06),),
    ),
    Bug(
        "fp16_cosine",
        "cosine_distance",
        (),
        "the squared norm 102400 exceeds float16's 65504",
        inputs={"predictions": np.full(1024, 10.0), "labels": np.full(1024, 10.0)},
        dtypes={"predictions": "float16", "labels": "float16"},
        holds=(("value", 0.0, 0.01, 0.01),),
    ),
    Bug(
        "bf16_fused_logits",
        "linear_cross_entropy",
        (
            "marin-community/marin#8217",
            "axolotl-ai-cloud/axolotl#1601",
            "apple/ml-cross-entropy#14",
            "apple/ml-cross-entropy#18",
        ),
        "bf16 logits in forward vs f32 in backward; bf16 grad accumulation over chunks",
        words=(
            "the log-normaliser is within 1e-5 (relative) of float64 arithmetic on the same bfloat16 inputs",
            "the kernel's gradient is accumulated in float32 across chunks and rounded once",
        ),
    ),
    Bug(
        "mixed_dtype_bf16_logits_f32_labels",
        "binary_cross_entropy_with_logits",
        ("pytorch/pytorch#43049", "tensorflow/tensorflow#39982", "keras-team/keras#15528"),
        "labels silently cast to logits dtype",
        inputs={"logits": [0.1], "labels": [0.3]},
        dtypes={"logits": "bfloat16"},
        words=(
            "float32 result that uses the label as given: log1p(exp(z)) - .3 z within 1e-6 for z = bfloat16(.1)",
            "bfloat16 gradient",
            "cross_entropy with float32 probability labels likewise",
        ),
    ),
    Bug(
        "custom_vjp_jvp",
        "cross_entropy",
        ("google-research/t5x#351", "jax-ml/jax#16049", "jax-ml/jax#7401"),
        "custom_vjp losses have no forward mode",
        inputs={"logits": [0.1, 0.2, 0.3], "labels": 1},
        words=(
            "with p = softmax(logits): jvp, jacfwd = p - onehot; hessian (forward over reverse), reverse over "
            "reverse and forward over forward = diag(p) - p p^T",
            "linear_cross_entropy with an identity kernel likewise",
        ),
    ),
    Bug(
        "vmap_pmap_shardmap",
        "cross_entropy",
        ("AI-Hypercomputer/maxtext#2858", "tenstorrent/tt-metal#39998"),
        "custom_vjp cotangent sharding for integer labels rejected; vocab-sharded loss needs all-gather",
        words=(
            "vmap over the batch equals reduction 'none'; pmap and shard_map (check_vma on and off) with "
            "axis_name equal the one-device masked mean, with the gradient",
            "jit with the batch, the class axis, or both sharded, automatic and explicit axis types, equals the "
            "unsharded value and gradient",
            "with class_axis_name inside shard_map over the vocabulary likewise",
        ),
    ),
    Bug(
        "fused_linear_ce_memory",
        "linear_cross_entropy",
        (
            "jax-ml/jax#35915",
            "pytorch/pytorch#124480",
            "pytorch/pytorch#163774",
            "pytorch/pytorch#175039",
            "NVIDIA/Megatron-LM#1738",
            "NovaSky-AI/SkyRL#1841",
        ),
        "logits dominate memory",
        words=(
            "compiled value_and_grad with respect to hidden and kernel: temporaries well under the logits' 512 "
            "MiB in float32 (no logits array), also with float32 inputs, and less with a frozen kernel",
            "at a small size equal to the dense loss and gradients",
        ),
    ),
    Bug(
        "int32_index_overflow",
        "cross_entropy",
        (
            "pytorch/pytorch#85786",
            "linkedin/Liger-Kernel#1296",
            "fla-org/flash-linear-attention#1080",
            "state-spaces/mamba#1015",
        ),
        "flat offsets overflow int32 (silent at some shapes)",
        words=(
            "with more than 2^31 logits (43008 x 50257 bfloat16), reduction 'none' gives the right loss in the "
            "first row, in row 42731 and in the last",
            "without temporaries of several times the logits",
        ),
    ),
    Bug(
        "ctc_negative_loss",
        "ctc_loss",
        (
            "google-deepmind/optax#1771",
            "google-deepmind/optax#1783",
            "keras-team/keras#23684",
            "keras-team/keras#23685",
        ),
        "confident alignment rounds below zero",
        inputs={"logits": [[[0.0, 17.0], [0.0, 17.0]]], "logit_lengths": [2], "labels": [[1]], "label_lengths": [1]},
        options={"reduction": "none"},
        holds=(("not negative",), ("value", [1.7139e-15], 1, 1e-07)),
    ),
    Bug(
        "ctc_empty_target",
        "ctc_loss",
        ("pytorch/pytorch#18215", "pytorch/pytorch#123193"),
        "zero-length target",
        inputs={
            "logits": [[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]],
            "logit_lengths": [2],
            "labels": [[0]],
            "label_lengths": [0],
        },
        options={"reduction": "none"},
        holds=(("value", [2.19722457734], 1e-05, 1e-06), ("finite", "gradient of logits")),
    ),
    Bug(
        "ctc_nan_in_padding",
        "ctc_loss",
        (),
        "garbage in padded frames",
        inputs={
            "logits": [[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0], [nan, nan, nan]]],
            "logit_lengths": [2],
            "labels": [[1]],
            "label_lengths": [1],
        },
        options={"reduction": "none"},
        holds=(("value", [1.09861228867], 1e-05, 1e-06), ("finite", "gradient of logits")),
    ),
    Bug(
        "ctc_neginf_unused_class",
        "ctc_loss",
        ("jax-ml/jax#6811",),
        "-inf logit on a class not in the target",
        inputs={
            "logits": [[[0.0, 0.0, -inf], [0.0, 0.0, -inf]]],
            "logit_lengths": [2],
            "labels": [[1]],
            "label_lengths": [1],
        },
        options={"reduction": "none"},
        holds=(("value", [0.287682072452], 1e-05, 1e-06), ("finite", "gradient of logits")),
    ),
    Bug(
        "dice_empty_empty",
        "dice_loss",
        ("Project-MONAI/MONAI#7883", "Project-MONAI/MONAI#7504", "open-mmlab/mmocr#408", "ivadomed/ivadomed#183"),
        "empty GT + empty prediction must be 0",
        inputs={"probs": np.zeros((1, 4, 4, 1)), "labels": np.zeros((1, 4, 4, 1))},
        options={"reduction": "none"},
        holds=(("value", [[0.0]], 1e-05, 0.001),),
    ),
    Bug(
        "generalized_dice_weights_matter",
        "generalized_dice_loss",
        ("Project-MONAI/MONAI#369", "Project-MONAI/MONAI#6765"),
        "w cancels if ratio taken per class",
        words=("1 - 2 sum(w I) / sum(w S), the sums over classes taken before the ratio",),
    ),
    Bug(
        "masked_dice_softmax",
        "dice_loss",
        ("Project-MONAI/MONAI#657", "Project-MONAI/MONAI#3917"),
        "mask applied before softmax",
        inputs={
            "logits": [[[[-2.30258509299, -0.223143551314]], [[-0.105360515658, -1.60943791243]]]],
            "labels": [[[[1, 0]]]],
            "layout": "NCHW",
        },
        options={"mask": [[[[True, False]]]], "reduction": "none"},
        words=("the mask removes the pixel after the softmax; it does not zero its logits",),
    ),
    Bug(
        "dice_batch_reduction",
        "dice_loss",
        ("Project-MONAI/MONAI#3025", "Project-MONAI/MONAI#3917"),
        "reduction none ignored",
        inputs={"probs": [[[1.0], [1.0]], [[0.0], [1.0]]], "labels": [[[1.0], [0.0]], [[0.0], [1.0]]]},
        options={"reduction": "none"},
        words=("reduction 'none' gives one value for each sample (and class), not one for the batch",),
    ),
    Bug(
        "dice_ignore_index",
        "dice_loss",
        ("kornia/kornia#839", "kornia/kornia#3034"),
        "255 void label crashes / pollutes",
        words=(
            "pixels with label 255 take no part when ignore_index=255 (or masked): the value equals that of the "
            "other pixels",
        ),
    ),
    Bug(
        "ntxent_zero_embedding",
        "ntxent_loss",
        ("google-deepmind/optax#946",),
        "zero row",
        inputs={"embeddings": [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.0, 0.0]], "labels": [0, 0, 1, 1]},
        holds=(("finite", "value"), ("finite", "gradient of embeddings")),
        words=("the gradient is bounded, below 1e3",),
    ),
    Bug(
        "ntxent_single_class",
        "ntxent_loss",
        ("KevinMusgrave/pytorch-metric-learning#272",),
        "no negatives",
        inputs={"embeddings": [[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.1, 1.0]], "labels": [0, 0, 0, 0]},
        holds=(("finite", "value"), ("finite", "gradient of embeddings")),
    ),
    Bug(
        "triplet_no_active",
        "triplet_margin_loss",
        ("KevinMusgrave/pytorch-metric-learning#107",),
        "mean over active (non-zero) triplets with none active = 0/0",
        inputs={"anchors": [[0.0, 0.0]], "positives": [[0.0, 0.1]], "negatives": [[10.0, 10.0]]},
        options={"margin": 1.0},
        words=("reduction 'mean' gives 0 with zero gradient; an unknown reduction is a ValueError",),
    ),
    Bug(
        "rank_all_masked",
        "margin_ranking_loss",
        ("keras-team/keras#545",),
        "empty query",
        inputs={"scores_a": [1.0, 2.0], "scores_b": [2.0, 0.0], "labels": [1.0, -1.0]},
        options={"mask": [False, False]},
        words=("value 0, finite gradients, for every ranking loss",),
    ),
    Bug(
        "nb_zero_mean",
        "negative_binomial_nll_loss",
        ("pyro-ppl/numpyro#2193", "pyro-ppl/numpyro#2256", "stan-dev/math#3302"),
        "a mean of 0 is a distribution too",
        inputs={"predictions": [0.0, 0.0, 0.0], "labels": [0.0, 1.0, 3.0], "dispersion": [1.0, 1.0, 1.0]},
        options={"reduction": "none"},
        holds=(
            ("value", [0.0, inf, inf], 1e-05, 1e-06),
            ("gradient", "predictions", [1.0, -inf, -inf], 0.0001, 1e-06),
        ),
        words=("the same of a Poisson rate of 0, with the factorial too: no NaN where a count is 0",),
    ),
    Bug(
        "js_underflow_both",
        "js_divergence",
        ("linkedin/Liger-Kernel#1453", "linkedin/Liger-Kernel#1397", "linkedin/Liger-Kernel#769"),
        "a class that underflows in both distributions: 0 log 0",
        inputs={
            "log_probs": [[-0.1269280110429726, -110.12692801104298, -2.1269280110429727, -200.12692801104296]],
            "labels": [[0.7310585786300049, 5.6054999022103115e-53, 0.2689414213699951, 5.245415463675382e-66]],
        },
        options={"reduction": "none"},
        holds=(("value", [0.0183055912], 1e-05, 1e-06), ("finite", "gradient of log_probs")),
        words=("mixtures of .1 and .9 give .00722936527 and .00613595311",),
    ),
    Bug(
        "ensemble_missing_member",
        "ensemble_crps_loss",
        ("google-research/weatherbench2#302", "ecmwf/anemoi-core#358"),
        "a missing member miscounted: a score of 1.5",
        inputs={
            "predictions": [[1.0, 3.0, nan], [1.0, nan, 3.0], [nan, 1.0, 3.0], [1.0, 2.0, 3.0]],
            "labels": [2.0, 2.0, 2.0, 2.0],
        },
        words=(
            "a missing member makes its score and its gradient NaN, wherever it stands; other rows keep theirs",
            "without it the fair score is 0",
        ),
    ),
    Bug(
        "smape_both_zero",
        "smape_loss",
        ("unit8co/darts#3122",),
        "0/0 in a symmetric percentage",
        inputs={"predictions": [0.0, 1.0, 0.0], "labels": [0.0, 0.0, 2.0]},
        options={"reduction": "none"},
        holds=(("value", [0.0, 2.0, 2.0], 1e-05, 1e-06), ("gradient", "predictions", [0.0, 0.0, -1.0], 0.0001, 1e-06)),
    ),
    Bug(
        "class_balanced_unseen_class",
        "class_balanced_weights",
        ("fcakyon/balanced-loss#12", "vandit15/Class-balanced-loss-pytorch#5"),
        "a class without an example: 1/0",
        inputs={"counts": [310.0, 2489.0, 114.0, 17.0, 0.0, 725.0]},
        holds=(("value", [0.2986004, 0.0868236, 0.7387016, 4.7215144, 0.0, 0.1543601], 1e-05, 1e-06),),
        words=("cross entropy and focal loss with these weights are finite, also for labels of the unseen class",),
    ),
    Bug(
        "bi_tempered_t2_2",
        "bi_tempered_logistic_loss",
        ("google/bi-tempered-loss#13",),
        "t1 .8, t2 2 gave NaN after some hundred steps",
        inputs={
            "logits": [[0.0, 0.0], [5.0, 0.0], [5.0, 0.0], [-60.0, 0.0], [10000.0, 0.0], [10000.0, 0.0]],
            "labels": [0, 0, 1, 0, 0, 1],
        },
        options={"t1": 0.8, "t2": 2.0, "reduction": "none"},
        holds=(
            (
                "value",
                [0.539372660468, 0.107749292233, 1.46256667759, 2.79238559898, 1.3210859241e-05, 4.20748263398],
                0.0001,
                0,
            ),
            ("finite", "gradient of logits"),
        ),
    ),
    Bug(
        "ce_channels_first",
        "cross_entropy",
        ("keras-team/keras#22140",),
        "axis ignored by the shape check",
        words=(
            "logits (2, 3, 4, 4) with axis=1 and labels (2, 4, 4) give the loss and gradient of float64",
            "labels (2, 1, 4, 4), or no axis, raise a ValueError that says what fits",
        ),
    ),
    Bug(
        "distillation_bf16_vocab",
        "distillation_loss",
        ("erfanzar/EasyDeL#267",),
        "a KL divergence that read -1.4, or .025 for no difference",
        words=(
            "identical bfloat16 logits over 248320 classes, under jit: exactly 0, with a gradient of 0",
            "with noise of .01: at least 0 and within 1e-4 (relative) of float64, also with logits up to 70",
        ),
    ),
    Bug(
        "uncertainty_zero_loss",
        "uncertainty_weighting",
        (
            "Hui-Li/multi-task-learning-example-PyTorch#2",
            "yaringal/multi-task-learning-example#6",
            "QunBB/DeepLearning#1",
        ),
        "log-variances keep falling; exp(-s) overflows, times 0",
        words=(
            "a loss of exactly 0 (a task learned, or an empty Total) with log-variances s of -80, -89 and -100: value "
            "s/2, slope 1/2, and no NaN in the slope of the loss",
        ),
    ),
    Bug(
        "smoothing_microbatches",
        "cross_entropy",
        ("huggingface/transformers#46731", "huggingface/transformers#47261", "hiyouga/LlamaFactory#7443"),
        "the smoothed part averaged per microbatch",
        words=(
            "label_smoothing .1 with ignored labels in microbatches of 3, 1 and 4: the Totals added up give the value "
            "and gradient of the whole",
        ),
    ),
    Bug(
        "weight_sum_overflow",
        "reduce",
        ("choxos/mlumr#72", "llnl/SSAPy#127", "scikit-adaptation/skada#205"),
        "the sum of finite weights overflows, and the mean is 0 or inf",
        inputs={"losses": [1.0, 3.0]},
        words=(
            "equal weights of 1e-30, 1e30, 1.5e38 and 3e38 leave the mean at 2 and its gradient at [.5, .5]",
            "class weights of 1e38 leave cross entropy at log 2",
        ),
    ),
    Bug(
        "padded_vocabulary_bias",
        "linear_cross_entropy",
        (),
        "a kernel padded to a multiple of 128",
        words=(
            "a bias of -inf rules the padded classes out: value and gradients are those of the dense loss without "
            "them, with z_loss too",
            "finite with soft_cap, which makes -inf finite; +inf with label_smoothing",
        ),
    ),
    Bug(
        "checkify_nan_checks",
        "cross_entropy",
        ("google-deepmind/distrax#187",),
        "NaN made in a branch that isn't taken",
        words=(
            "checkify with nan_checks finds nothing in values and gradients of good inputs: cross entropy (integers, "
            "probabilities with a 0, logits of -inf), KL, linear, focal, sparsemax and mixture",
        ),
    ),
    Bug(
        "jacrev_in_shard_map",
        "cross_entropy",
        ("jax-ml/jax#29832",),
        "no pvary on the cotangent",
        words=(
            "jacrev and jacfwd of per-example losses inside shard_map, check_vma on and off, automatic and explicit "
            "axes: as on one device",
        ),
    ),
    Bug(
        "total_export",
        "Total",
        ("jax-ml/jax#20134", "patrick-kidger/equinox#879"),
        "a pytree that jax.export can't serialize",
        words=("a function that returns reduction='total' goes through jax.export, serialize and deserialize",),
    ),
    Bug(
        "export_second_order",
        "linear_cross_entropy",
        (),
        "a head served elsewhere",
        words=(
            "exported with symbolic batch and tokens and a mask, serialized with vjp_order=2 and reloaded: value, "
            "gradient and Hessian product as before",
        ),
    ),
    Bug(
        "remat_policies",
        "linear_cross_entropy",
        (),
        "policies, batched map, donation",
        words=(
            "gradients under every jax.checkpoint policy as without",
            "lax.map with batch_size as vmap",
            "donated logits give the same",
        ),
    ),
    Bug(
        "big_endian_numpy",
        "mse_loss",
        ("pydata/xarray#416", "Unidata/netcdf4-python#346"),
        "netCDF3, FITS and IDX files are big-endian; JAX's fast dispatch reads the bytes as they lie",
        inputs={"predictions": [1.0, 2.0, 3.0], "labels": [0.0, 0.0, 0.0]},
        words=(
            "after a call with native arrays, '>f4' predictions, labels, weights, masks and options and '>i4' labels "
            "of classes give the right number, never 0",
        ),
    ),
    Bug(
        "nnx_variables",
        "combine",
        ("maxencefaldor/cax#2", "jax-ml/jax#23865"),
        "a variable is callable, and taken for a schedule",
        words=("nnx.Param as kernel, bias, option, log-variance and as a weight of combine means its value",),
    ),
    Bug(
        "float8_int4",
        "cross_entropy",
        ("jax-ml/jax#16717",),
        "dtypes without implicit promotion",
        words=(
            "float8_e4m3fn and float8_e5m2 logits, labels and weights give the float32 loss of the same numbers, and "
            "a gradient in the logits' dtype",
            "so do int4, uint4 and int2 labels; label -1 is NaN",
        ),
    ),
]
