"""Losses for JAX: right over masks, weights, devices and microbatches; lean; one contract for all.

    jaxloss.name(predictions, labels, weights=None, mask=None, *, <options>, reduction="mean", axis_name=None)

What each loss is, for what, and by what formula, is in its own help; what all share, in that of `jaxloss.reduce`. A
name that others use is an error that says what it is called here: `jaxloss.MSELoss`.

- a number: l1_loss, mse_loss, huber_loss, smooth_l1_loss, log_cosh_loss, charbonnier_loss, general_robust_loss
- a quantile or an expectile: quantile_loss, expectile_loss
- by proportion, by direction: mape_loss, smape_loss, msle_loss, relative_l2_loss, cosine_distance
- a number and how sure it is: gaussian_nll_loss, laplace_nll_loss, student_t_nll_loss, gaussian_mixture_nll_loss,
    gaussian_crps_loss, ensemble_crps_loss
- counts and positive amounts: poisson_nll_loss, negative_binomial_nll_loss, gamma_nll_loss, tweedie_deviance_loss
- yes or no: binary_cross_entropy_with_logits, binary_cross_entropy
- a class: cross_entropy, nll_loss, poly1_cross_entropy, linear_cross_entropy
- rare classes, easy examples: sigmoid_focal_loss, softmax_focal_loss, asymmetric_loss
- no label: softmax_entropy
- wrong labels: generalized_cross_entropy, symmetric_cross_entropy, taylor_cross_entropy, bi_tempered_logistic_loss
- classes in order: coral_loss
- margins of classes: hinge_loss, squared_hinge_loss, soft_margin_loss, perceptron_loss, multiclass_hinge_loss,
    multi_margin_loss, multiclass_perceptron_loss, sparsemax_loss, entmax15_loss, multilabel_margin_loss,
    multilabel_soft_margin_loss
- margins of distances: hinge_embedding_loss, cosine_embedding_loss, triplet_margin_loss,
    triplet_margin_with_distance_loss, margin_ranking_loss
- a distribution: kl_divergence, reverse_kl_divergence, generalized_kl_divergence, js_divergence, renyi_divergence,
    total_variation_distance, hellinger_distance, wasserstein_distance, gaussian_kl_divergence, distillation_loss
- regions and images: dice_loss, generalized_dice_loss, jaccard_loss, tversky_loss, lovasz_softmax_loss,
    lovasz_hinge_loss, cldice_loss, boundary_loss, ssim_loss
- boxes and detectors: iou_loss, giou_loss, diou_loss, ciou_loss, distribution_focal_loss, quality_focal_loss,
    varifocal_loss, gaussian_focal_loss
- embeddings: contrastive_loss, info_nce_loss, clip_loss, siglip_loss, ntxent_loss, supcon_loss, multi_similarity_loss,
    circle_loss, batch_triplet_loss, arcface_loss, cosface_loss, proxy_anchor_loss, vicreg_loss, barlow_twins_loss,
    dino_loss
- ranked lists: ranking_softmax_loss, poly1_softmax_loss, unique_softmax_loss, listmle_loss, pairwise_logistic_loss,
    pairwise_hinge_loss, pairwise_soft_zero_one_loss, pairwise_mse_loss, pairwise_quantile_loss, approx_ndcg_loss,
    approx_mrr_loss
- sequences: ctc_loss, rnnt_loss, linear_rnnt_loss, crf_nll_loss, unlikelihood_loss, soft_dtw_loss
- preferred answers: dpo_loss, cpo_loss, orpo_loss, kto_loss, bradley_terry_loss
- policies: ppo_clip_loss, cispo_loss, clipped_value_loss, kl_estimate
- around the losses: class_balanced_weights, LogProbs, linear_log_probs, softmax_log_probs, next_token_labels, combine,
    average_top_k_loss, dynamic_weight_average, gradnorm_loss, uncertainty_weighting, checked, loss, reduce, Total
"""

from ._classification.bi_tempered import bi_tempered_logistic_loss as bi_tempered_logistic_loss
from ._classification.binary import (
    binary_cross_entropy as binary_cross_entropy,
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from ._classification.class_weights import class_balanced_weights as class_balanced_weights
from ._classification.cross_entropy import cross_entropy as cross_entropy, nll_loss as nll_loss
from ._classification.entropy import softmax_entropy as softmax_entropy
from ._classification.focal import asymmetric_loss as asymmetric_loss, sigmoid_focal_loss as sigmoid_focal_loss
from ._classification.label_probability import (
    poly1_cross_entropy as poly1_cross_entropy,
    softmax_focal_loss as softmax_focal_loss,
)
from ._classification.linear_cross_entropy import linear_cross_entropy as linear_cross_entropy
from ._classification.log_probs import (
    LogProbs as LogProbs,
    linear_log_probs as linear_log_probs,
    softmax_log_probs as softmax_log_probs,
)
from ._classification.next_token import next_token_labels as next_token_labels
from ._classification.noisy_labels import (
    generalized_cross_entropy as generalized_cross_entropy,
    symmetric_cross_entropy as symmetric_cross_entropy,
    taylor_cross_entropy as taylor_cross_entropy,
)
from ._classification.ordinal import coral_loss as coral_loss
from ._combination.combine import combine as combine
from ._combination.hardest import average_top_k_loss as average_top_k_loss
from ._combination.weighing import (
    dynamic_weight_average as dynamic_weight_average,
    gradnorm_loss as gradnorm_loss,
    uncertainty_weighting as uncertainty_weighting,
)
from ._contract.checks import checked as checked
from ._contract.formula import loss as loss
from ._contract.reduction import reduce as reduce
from ._contract.total import Total as Total
from ._contrastive.angular import arcface_loss as arcface_loss, cosface_loss as cosface_loss
from ._contrastive.batch import barlow_twins_loss as barlow_twins_loss, vicreg_loss as vicreg_loss
from ._contrastive.distances import contrastive_loss as contrastive_loss
from ._contrastive.labelled import ntxent_loss as ntxent_loss, supcon_loss as supcon_loss
from ._contrastive.pairs import clip_loss as clip_loss, info_nce_loss as info_nce_loss, siglip_loss as siglip_loss
from ._contrastive.proxies import proxy_anchor_loss as proxy_anchor_loss
from ._contrastive.similarities import circle_loss as circle_loss, multi_similarity_loss as multi_similarity_loss
from ._contrastive.triplets import batch_triplet_loss as batch_triplet_loss
from ._contrastive.views import dino_loss as dino_loss
from ._detection.boxes import (
    ciou_loss as ciou_loss,
    diou_loss as diou_loss,
    giou_loss as giou_loss,
    iou_loss as iou_loss,
)
from ._detection.quality import (
    distribution_focal_loss as distribution_focal_loss,
    gaussian_focal_loss as gaussian_focal_loss,
    quality_focal_loss as quality_focal_loss,
    varifocal_loss as varifocal_loss,
)
from ._divergence.distance import (
    hellinger_distance as hellinger_distance,
    total_variation_distance as total_variation_distance,
    wasserstein_distance as wasserstein_distance,
)
from ._divergence.distillation import distillation_loss as distillation_loss
from ._divergence.kl import (
    generalized_kl_divergence as generalized_kl_divergence,
    js_divergence as js_divergence,
    kl_divergence as kl_divergence,
    reverse_kl_divergence as reverse_kl_divergence,
)
from ._divergence.parametric import gaussian_kl_divergence as gaussian_kl_divergence
from ._divergence.renyi import renyi_divergence as renyi_divergence
from ._likelihood.amounts import gamma_nll_loss as gamma_nll_loss, tweedie_deviance_loss as tweedie_deviance_loss
from ._likelihood.counts import (
    negative_binomial_nll_loss as negative_binomial_nll_loss,
    poisson_nll_loss as poisson_nll_loss,
)
from ._likelihood.crps import ensemble_crps_loss as ensemble_crps_loss, gaussian_crps_loss as gaussian_crps_loss
from ._likelihood.location_scale import (
    gaussian_mixture_nll_loss as gaussian_mixture_nll_loss,
    gaussian_nll_loss as gaussian_nll_loss,
    laplace_nll_loss as laplace_nll_loss,
    student_t_nll_loss as student_t_nll_loss,
)
from ._margin.binary import (
    hinge_loss as hinge_loss,
    perceptron_loss as perceptron_loss,
    soft_margin_loss as soft_margin_loss,
    squared_hinge_loss as squared_hinge_loss,
)
from ._margin.embedding import (
    cosine_embedding_loss as cosine_embedding_loss,
    hinge_embedding_loss as hinge_embedding_loss,
    margin_ranking_loss as margin_ranking_loss,
)
from ._margin.multiclass import (
    multi_margin_loss as multi_margin_loss,
    multiclass_hinge_loss as multiclass_hinge_loss,
    multiclass_perceptron_loss as multiclass_perceptron_loss,
)
from ._margin.multilabel import (
    multilabel_margin_loss as multilabel_margin_loss,
    multilabel_soft_margin_loss as multilabel_soft_margin_loss,
)
from ._margin.sparsemax import entmax15_loss as entmax15_loss, sparsemax_loss as sparsemax_loss
from ._margin.triplets import (
    triplet_margin_loss as triplet_margin_loss,
    triplet_margin_with_distance_loss as triplet_margin_with_distance_loss,
)
from ._policy.clipped import (
    cispo_loss as cispo_loss,
    clipped_value_loss as clipped_value_loss,
    ppo_clip_loss as ppo_clip_loss,
)
from ._policy.estimate import kl_estimate as kl_estimate
from ._preference.examples import kto_loss as kto_loss
from ._preference.odds import orpo_loss as orpo_loss
from ._preference.pairs import cpo_loss as cpo_loss, dpo_loss as dpo_loss
from ._preference.scores import bradley_terry_loss as bradley_terry_loss
from ._ranking.differences import (
    pairwise_mse_loss as pairwise_mse_loss,
    pairwise_quantile_loss as pairwise_quantile_loss,
)
from ._ranking.lists import (
    listmle_loss as listmle_loss,
    poly1_softmax_loss as poly1_softmax_loss,
    ranking_softmax_loss as ranking_softmax_loss,
    unique_softmax_loss as unique_softmax_loss,
)
from ._ranking.metrics import approx_mrr_loss as approx_mrr_loss, approx_ndcg_loss as approx_ndcg_loss
from ._ranking.pairwise import (
    pairwise_hinge_loss as pairwise_hinge_loss,
    pairwise_logistic_loss as pairwise_logistic_loss,
    pairwise_soft_zero_one_loss as pairwise_soft_zero_one_loss,
)
from ._regression.error import (
    charbonnier_loss as charbonnier_loss,
    huber_loss as huber_loss,
    l1_loss as l1_loss,
    log_cosh_loss as log_cosh_loss,
    mse_loss as mse_loss,
    smooth_l1_loss as smooth_l1_loss,
)
from ._regression.general_robust import general_robust_loss as general_robust_loss
from ._regression.quantile import expectile_loss as expectile_loss, quantile_loss as quantile_loss
from ._regression.relative import (
    cosine_distance as cosine_distance,
    mape_loss as mape_loss,
    msle_loss as msle_loss,
    relative_l2_loss as relative_l2_loss,
    smape_loss as smape_loss,
)
from ._segmentation.boundary import boundary_loss as boundary_loss
from ._segmentation.generalized_dice import generalized_dice_loss as generalized_dice_loss
from ._segmentation.lovasz import (
    lovasz_hinge_loss as lovasz_hinge_loss,
    lovasz_softmax_loss as lovasz_softmax_loss,
)
from ._segmentation.overlap import dice_loss as dice_loss, jaccard_loss as jaccard_loss, tversky_loss as tversky_loss
from ._segmentation.similarity import ssim_loss as ssim_loss
from ._segmentation.skeleton import cldice_loss as cldice_loss
from ._sequences.chain import crf_nll_loss as crf_nll_loss
from ._sequences.ctc import ctc_loss as ctc_loss
from ._sequences.time_warping import soft_dtw_loss as soft_dtw_loss
from ._sequences.transducer import linear_rnnt_loss as linear_rnnt_loss, rnnt_loss as rnnt_loss
from ._sequences.unlikelihood import unlikelihood_loss as unlikelihood_loss


__version__ = "0.2.0"


def __getattr__(name: str) -> object:
    """Of what isn't there: what it is called here, for those who come from elsewhere."""
    if name.startswith("_"):
        raise AttributeError(f"module 'jaxloss' has no attribute {name!r}")
    from ._names.lookup import attribute

    return attribute(name)
