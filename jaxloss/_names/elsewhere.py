"""The index of names elsewhere: of PyTorch, Optax, Keras, MONAI, rax, TRL and others, of papers, of the vernacular."""

# A line an entry: what it is here; the place in docs/ that has more of it, if there is one; what others call it. Case,
# accents, spaces, underscores and a final "loss" don't matter to `lookup`: names that differ from the public one in
# nothing else are for the search of the site.
ELSEWHERE = """\
# numbers
l1_loss | MAE, L1Loss, MeanAbsoluteError, absolute_error, least absolute deviations
mse_loss | MSE, MSELoss, MeanSquaredError, squared_error, least squares, pointwise_mse_loss
`0.5 * mse_loss` | migrating.md#what-is-called-what | l2_loss, half squared error
`jnp.sqrt` of `mse_loss` | RMSE, RMSELoss, RootMeanSquaredError
`mse_loss` of probabilities, summed over classes where there are several | Brier score, BrierLoss
huber_loss | Huber, HuberLoss
smooth_l1_loss | SmoothL1Loss
log_cosh_loss | LogCosh, log_cosh, LogCoshLoss, LogCoshError
`charbonnier_loss`, but for a constant and a factor | pseudo-Huber, PseudoHuberLoss
charbonnier_loss | CharbonnierLoss, smooth absolute error
general_robust_loss | Barron's loss, BarronLoss, adaptive robust loss
general_robust_loss(alpha=0) | Cauchy, CauchyLoss, Lorentzian
general_robust_loss(alpha=-2) | Geman-McClure
general_robust_loss(alpha=float('-inf')) | Welsch, Leclerc, correntropy
quantile_loss | pinball, PinballLoss, mean_pinball_loss, check loss, quantile regression
expectile_loss | asymmetric least squares, expectile regression
mape_loss | MAPE, MAPELoss
`mape_loss`, which is a share and not in percent | MeanAbsolutePercentageError
smape_loss | SMAPE, SMAPELoss, SymmetricMeanAbsolutePercentageError
msle_loss | MSLE, MeanSquaredLogarithmicError, MeanSquaredLogError
relative_l2_loss | relative error, LpLoss, RelativeL2Error
cosine_distance | CosineSimilarity, cosine_similarity, cosine, CosineLoss, CosineDistance
# numbers and how sure they are, counts, amounts
gaussian_nll_loss | GaussianNLLLoss, heteroscedastic loss, NormalNLLLoss, mean-variance estimation
gaussian_nll_loss(beta=0.5) | beta-NLL, BetaNLLLoss
student_t_nll_loss | StudentTLoss, t-distribution
laplace_nll_loss | LaplaceLoss, LaplaceNLLLoss
gaussian_mixture_nll_loss | MDN, MDNLoss, mixture density network, GMMLoss
`gaussian_crps_loss`, or `ensemble_crps_loss` of members | CRPS, CRPSLoss, continuous ranked probability score
poisson_nll_loss | PoissonNLLLoss, log_poisson_loss
poisson_nll_loss(log_input=False) | Poisson, PoissonLoss
negative_binomial_nll_loss | NegativeBinomialLoss, NB loss
gamma_nll_loss | GammaLoss, gamma deviance
tweedie_deviance_loss | Tweedie, TweedieLoss, TweedieDevianceScore
# yes or no, a class
binary_cross_entropy | BCE, BCELoss, BinaryCrossentropy
binary_cross_entropy_with_logits | BCEWithLogitsLoss, BCEWithLogits, sigmoid_binary_cross_entropy,
  sigmoid_cross_entropy, pointwise_sigmoid_loss, sigmoid_cross_entropy_with_logits, sigmoid_xent,
  SigmoidCrossEntropyLoss
`binary_cross_entropy_with_logits`, or `soft_margin_loss` if labels are -1 and 1 | log loss, logistic loss,
  binary_logistic_loss, deviance
cross_entropy | CrossEntropyLoss, softmax_cross_entropy, softmax_cross_entropy_with_integer_labels, softmax_xent,
  safe_softmax_cross_entropy, softmax_cross_entropy_with_logits, sparse_softmax_cross_entropy_with_logits,
  multiclass_logistic_loss, multinomial logistic loss
`cross_entropy` of logits; of probabilities `nll_loss(jnp.log(probs), labels)` | migrating.md#what-is-called-what |
  CategoricalCrossentropy, SparseCategoricalCrossentropy
`cross_entropy`, whose labels may be probabilities | recipes.md#labels-that-are-no-single-class |
  SoftTargetCrossEntropy, mixup, CutMix, soft labels
cross_entropy(label_smoothing=0.1) | label smoothing, LabelSmoothingCrossEntropy, smooth_labels
cross_entropy(z_loss=1e-4) | z-loss, lse_square_scale
`cross_entropy`, with the logarithms of the classes' shares added to logits | recipes.md#rare-classes | logit
  adjustment, LogitAdjustedLoss, balanced softmax
`cross_entropy`, of margins | recipes.md#rare-classes | LDAM, LDAMLoss
`cross_entropy` with `class_balanced_weights` | recipes.md#rare-classes | class-balanced loss, CBLoss, effective
  number of samples, weighted cross entropy
`cross_entropy` of `next_token_labels` | programs.md#tokens | ForCausalLMLoss, causal language modeling, next-token
  prediction, perplexity
`cross_entropy`, with a distribution over atoms or bins for labels | programs.md#rewards-and-preferences | C51,
  HL-Gauss, two-hot, categorical DQN
linear_cross_entropy | AdaptiveLogSoftmaxWithLoss, LigerFusedLinearCrossEntropyLoss, FusedLinearCrossEntropy,
  cut cross entropy, chunked cross entropy, CCE
nll_loss | NLL, NLLLoss, negative log-likelihood
softmax_entropy | entropy, entropy_loss, entropy bonus, entropy minimization, TENT
`sigmoid_focal_loss` for yes or no, `softmax_focal_loss` for one of many classes | focal loss, FocalLoss, RetinaNet
sigmoid_focal_loss | BinaryFocalCrossentropy
softmax_focal_loss | CategoricalFocalCrossentropy
asymmetric_loss | ASL, AsymmetricLoss, AsymmetricLossMultiLabel
poly1_cross_entropy | Poly1, PolyLoss, poly_loss_cross_entropy
generalized_cross_entropy | GCE, GCELoss, CategoricalGeneralizedCrossEntropy, Lq loss
symmetric_cross_entropy | SCE, SCELoss, reverse cross entropy
taylor_cross_entropy | TaylorSoftmaxLoss, TaylorCrossEntropyLoss
bi_tempered_logistic_loss | BiTemperedLoss, tempered softmax
coral_loss | CORAL, ordinal regression, OrdinalLoss, rank-consistent logits
# margins
hinge_loss | Hinge, HingeLoss, SVM loss, binary hinge
squared_hinge_loss | SquaredHinge
soft_margin_loss | SoftMarginLoss
multiclass_hinge_loss | CategoricalHinge, Crammer-Singer
multi_margin_loss | MultiMarginLoss, Weston-Watkins
sparsemax_loss | SparsemaxLoss, multiclass_sparsemax_loss
entmax15_loss | Entmax15Loss, EntmaxBisectLoss, entmax
multilabel_margin_loss | MultiLabelMarginLoss
multilabel_soft_margin_loss | MultiLabelSoftMarginLoss
hinge_embedding_loss | HingeEmbeddingLoss
cosine_embedding_loss | CosineEmbeddingLoss
margin_ranking_loss | MarginRankingLoss
triplet_margin_loss | TripletMarginLoss
triplet_margin_with_distance_loss | TripletMarginWithDistanceLoss
# distributions
kl_divergence | KL, KLD, KLDivLoss, kl_div, KLDivergence, relative entropy
kl_divergence(log_labels=True) | kl_divergence_with_log_targets
`reverse_kl_divergence`, or `distillation_loss(divergence='reverse_kl')` of logits | reverse KL, RKL, MiniLLM
js_divergence | JSD, JSDivergence, Jensen-Shannon, jensen_shannon_divergence
distillation_loss(divergence='js') | migrating.md#post-training | GKD, GKDTrainer, generalized JSD,
  LigerFusedLinearJSDLoss, LigerJSD
total_variation_distance | TVD, TVDLoss, LigerTVDLoss, total variation of distributions
hellinger_distance | Hellinger, HellingerLoss
wasserstein_distance | EMD, EMDLoss, earth mover's distance, Wasserstein, WassersteinLoss
renyi_divergence | Rényi, alpha divergence, RenyiLoss
gaussian_kl_divergence | VAE's KL, kl_normal, kl_to_standard_normal_loss, KL to a prior
`gaussian_kl_divergence` beside a loss of what was reconstructed | programs.md#autoencoders | ELBO, VAE, VAELoss,
  beta-VAE
distillation_loss | knowledge distillation, KD, KDLoss, KnowledgeDistillationLoss, Hinton's distillation
# regions and images
dice_loss | Dice, DiceLoss, SoftDiceLoss, Sørensen-Dice, F-score loss
dice_loss(smooth=0.0, batch_axes=()) | soft F1, SoftF1Loss, F1Loss, macro soft F1
`dice_loss` plus `cross_entropy` | recipes.md#regions-of-pixels | DiceCELoss, DiceBCELoss, DC_and_CE_loss, ComboLoss,
  dice cross entropy
`dice_loss` plus a focal loss | recipes.md#regions-of-pixels | DiceFocalLoss
`dice_loss` with a `mask` | MaskedDiceLoss
generalized_dice_loss | GDL, GeneralizedDiceLoss, multiclass_generalized_dice_loss
jaccard_loss | Jaccard, JaccardLoss, soft IoU, mIoULoss
tversky_loss | Tversky, TverskyLoss
tversky_loss(alpha=0.3, beta=0.7, gamma=0.75) | focal Tversky, FocalTverskyLoss, focal_tversky
`lovasz_softmax_loss`, or `lovasz_hinge_loss` of a single class | Lovász, LovaszLoss
lovasz_softmax_loss | Lovász softmax, LovaszSoftmaxLoss
lovasz_hinge_loss | Lovász hinge, LovaszHingeLoss
cldice_loss | clDice, soft clDice, SoftclDiceLoss, centerline Dice
boundary_loss | recipes.md#regions-of-pixels | surface loss, BoundaryLoss
average_top_k_loss | recipes.md#regions-of-pixels | OHEM, OhemCELoss, TopKLoss, top-k cross entropy, online hard
  example mining, bootstrapped cross entropy, CVaR, conditional value at risk
ssim_loss | SSIM, SSIMLoss, DSSIM, structural similarity, StructuralSimilarityIndexMeasure
# boxes
iou_loss | IoU, IoULoss, box IoU, intersection over union
giou_loss | GIoU, GIoULoss, generalized_box_iou_loss, BoxGIoULoss, generalized IoU
diou_loss | DIoU, DIoULoss, distance_box_iou_loss
ciou_loss | CIoU, CIoULoss, complete_box_iou_loss
`4 * l1_loss` plus `giou_loss`, of objects that were matched | recipes.md#objects-in-images | DETR, SetCriterion,
  Hungarian loss, bipartite matching
distribution_focal_loss | DFL, DFLLoss, DistributionFocalLoss
quality_focal_loss | QFL, QualityFocalLoss, generalized focal loss, GFL
varifocal_loss | VFL, VarifocalLoss
gaussian_focal_loss | GaussianFocalLoss, CenterNet, CornerNet, penalty-reduced focal loss, heatmap focal loss
# embeddings
contrastive_loss | ContrastiveLoss, siamese loss, pairwise contrastive loss
ntxent_loss | recipes.md#embeddings | SimCLR, SimCLRLoss, NT-Xent, NTXentLoss, ntxent, normalized temperature cross
  entropy
supcon_loss | SupCon, SupConLoss, supervised contrastive loss, SupervisedContrastiveLoss
`supcon_loss`, or another loss of labelled batches, with `ref_embeddings` | recipes.md#embeddings | XBM,
  CrossBatchMemory, cross-batch memory
info_nce_loss | InfoNCE, InfoNCELoss, CPC, MultipleNegativesRankingLoss, MNRL, in-batch negatives
info_nce_loss(normalize=False, temperature=1.0) | recipes.md#embeddings | N-pairs, NPairsLoss, NPairLoss, npairs_loss
`cross_entropy`, or `info_nce_loss` with a memory for `negatives` | recipes.md#embeddings | MoCo, MoCoLoss, momentum
  contrast
clip_loss | CLIP, ClipLoss, OpenCLIP, CLIPLoss, bidirectional_contrastive_loss
siglip_loss | SigLIP, SigLipLoss, sigmoid contrastive loss
batch_triplet_loss | BatchHardTripletLoss, TripletHardLoss, hard triplet mining, BatchAllTripletLoss
batch_triplet_loss(mining='semihard') | migrating.md#embeddings | TripletSemiHardLoss, BatchSemiHardTripletLoss,
  FaceNet
`batch_triplet_loss` of a batch with labels, `triplet_margin_loss` of triplets that somebody chose | triplet loss,
  TripletLoss
circle_loss | Circle, CircleLoss
multi_similarity_loss | MultiSimilarityLoss, MS loss
arcface_loss | ArcFace, ArcFaceLoss, SubCenterArcFaceLoss, AAM-softmax, additive angular margin
cosface_loss | CosFace, CosFaceLoss, AM-softmax, LMCL, large margin cosine loss, additive margin softmax
cosface_loss(margin=0.0) | recipes.md#embeddings | NormFace, NormSoftmaxLoss, normalized softmax
proxy_anchor_loss | ProxyAnchorLoss
vicreg_loss | VICReg, VICRegLoss
barlow_twins_loss | BarlowTwinsLoss, Barlow Twins
dino_loss | recipes.md#embeddings | DINO, DINOLoss, self-distillation without labels
`cosine_distance`, with a gradient that stops on one side | recipes.md#embeddings | BYOL, BYOLLoss, SimSiam,
  NegativeCosineSimilarity
`cross_entropy`, with probabilities for labels | recipes.md#embeddings | SwAV, SwAVLoss, iBOT
# sequences
ctc_loss | CTC, CTCLoss, connectionist temporal classification, ctc_batch_cost
rnnt_loss | RNN-T, RNNTLoss, transducer, TransducerLoss, rnn_transducer
linear_rnnt_loss | fused RNN-T, pruned RNN-T
crf_nll_loss | CRF, CRFLoss, linear-chain CRF, crf_log_likelihood, conditional random field
soft_dtw_loss | DTW, soft-DTW, SoftDTW, dynamic time warping
unlikelihood_loss | recipes.md#sequences | UnlikelihoodLoss, unlikelihood training
`reduce` over hypotheses, with their wrong words for losses | recipes.md#sequences | MWER, MWERLoss, minimum risk
  training, minimum word error rate
# ranked lists
pairwise_logistic_loss | RankNet, RankNetLoss, PairwiseLogisticLoss
`pairwise_logistic_loss` of labels of 0 and 1 | recipes.md#ranked-lists | BPR, BPRLoss, Bayesian personalized ranking
pairwise_logistic_loss(lambda_weights='ndcg') | LambdaRank, LambdaMART, NDCGLambdaWeight
pairwise_logistic_loss(lambda_weights='ndcg2') | LambdaLoss, NDCGLoss2, NDCGLambdaWeightV2
`lambda_weights='label_diff'` of `pairwise_logistic_loss` and other pairwise losses | migrating.md#sequences-and-lists
  | labeldiff_lambdaweight, LabelDiffLambdaWeight
`lambda_weights='dcg'` or `'dcg2'` of `pairwise_logistic_loss` and other pairwise losses |
  migrating.md#sequences-and-lists | dcg_lambdaweight, dcg2_lambdaweight, DCGLambdaWeight
pairwise_hinge_loss | PairwiseHingeLoss, RankSVM
pairwise_soft_zero_one_loss | PairwiseSoftZeroOneLoss
pairwise_mse_loss | PairwiseMSELoss
pairwise_quantile_loss | pairwise_qr_loss
`ranking_softmax_loss` of lists; of classes it is `cross_entropy` | softmax loss, SoftmaxLoss
`ranking_softmax_loss`, of the softmax of the labels | recipes.md#ranked-lists | ListNet, ListNetLoss
unique_softmax_loss | UniqueSoftmaxLoss
listmle_loss | ListMLE, ListMLELoss, Plackett-Luce
approx_ndcg_loss | migrating.md#sequences-and-lists | ApproxNDCG, ApproxNDCGLoss, approx_t12n, NDCG, NDCGLoss,
  ndcg_metric
`approx_ndcg_loss`, or another loss of lists, of scores with Gumbel noise | recipes.md#ranked-lists | gumbel_t12n,
  GumbelApproxNDCGLoss
approx_mrr_loss | migrating.md#sequences-and-lists | ApproxMRRLoss, MRR, mrr_metric, mean reciprocal rank
# answers that people prefer to others
dpo_loss | recipes.md#post-training | DPO, DPOLoss, DPOTrainer, direct preference optimization,
  LigerFusedLinearDPOLoss, sigmoid_norm
dpo_loss(label_smoothing=0.1) | cDPO, conservative DPO
`dpo_loss(variant='ipo')`, of averages | migrating.md#post-training | IPO, IPOLoss
dpo_loss(variant='robust') | rDPO, robust DPO
dpo_loss(variant='hinge') | SLiC, SLiC-HF, RSO, RSOLoss
dpo_loss(variant='exo') | EXO, exo_pair
dpo_loss(variant='nca') | nca_pair, noise contrastive alignment
dpo_loss(variant='apo_zero') | APO, apo_zero, anchored preference optimization
dpo_loss(variant='apo_down') | apo_down
dpo_loss(divergence='forward_kl') | f-DPO, f_divergence_type
`dpo_loss` of sorted log-ratios | migrating.md#post-training | AOT, aot_unpaired, alignment via optimal transport
`dpo_loss`, plus the likelihood of the better answer | recipes.md#post-training | RPO, iterative RPO
two calls of `binary_cross_entropy_with_logits` | migrating.md#post-training | BCO, bco_pair, BCOTrainer
two calls of `mse_loss` | migrating.md#post-training | SPPO, sppo_hard
cpo_loss | CPO, CPOLoss, contrastive preference optimization
`cpo_loss`, plus the likelihood of the better answer | migrating.md#post-training | CPOTrainer,
  LigerFusedLinearCPOLoss
`cpo_loss(beta=2.0, margin=1.0)`, of averages | migrating.md#post-training | SimPO, SimPOLoss,
  LigerFusedLinearSimPOLoss
`cpo_loss(alpha=...)`, of averages | migrating.md#post-training | AlphaPO
orpo_loss | ORPO, ORPOLoss, ORPOTrainer, LigerFusedLinearORPOLoss, odds ratio preference optimization
kto_loss | recipes.md#post-training | KTO, KTOLoss, KTOTrainer, LigerFusedLinearKTOLoss, Kahneman-Tversky optimization
kto_loss(kl=0.0) | apo_zero_unpaired
bradley_terry_loss | Bradley-Terry, reward model, RewardTrainer, reward modeling, preference loss
# policies
ppo_clip_loss | PPO, PPOLoss, PPO-clip, clipped surrogate, clipped_surrogate_pg_loss, proximal policy optimization
`ppo_clip_loss`, whose weights say who divides by what | recipes.md#post-training | GRPO, GRPOLoss, GRPOTrainer,
  LigerFusedLinearGRPOLoss, DAPO, BNPO, Dr. GRPO, LUSPO, RLOO, RLOOTrainer, group relative policy optimization
`ppo_clip_loss` of the averages of sequences | recipes.md#post-training | GSPO, gspo-token, group sequence policy
  optimization
`cross_entropy`, with advantages for weights | recipes.md#post-training | REINFORCE, policy gradient,
  policy_gradient_loss, score function estimator
cispo_loss | CISPO
`0.5 * clipped_value_loss` | migrating.md#post-training | PPO's value loss, ppo_value_loss_fn, compute_value_loss,
  critic loss, value loss
kl_estimate | KL penalty, k3, k1, k2, low_var_kl, mse_kl, approx_kl, Schulman's estimator
`mse_loss`, with weights of the noise level | recipes.md#diffusion-models | min-SNR, diffusion loss, DDPM, v-prediction
# several losses, and around them
combine | multi-task loss, MultiTaskLoss, compound loss, weighted sum of losses
uncertainty_weighting | homoscedastic uncertainty, Kendall's weighting, AutomaticWeightedLoss, UncertaintyLoss
dynamic_weight_average | DWA
gradnorm_loss | GradNorm
reduce | masked mean, weighted mean, compute_weighted_loss, masked_mean, MaskedLoss, Reduction
Total | metric state, running mean, AverageMeter, WeightedMetric
checked | checkify, detect NaN, detect_anomaly, debug NaNs
`softmax_log_probs`, or `linear_log_probs` without the logits | recipes.md#thousands-of-classes |
  selective_log_softmax, get_per_token_logps, token_log_probs, logprobs_from_logits
"""
