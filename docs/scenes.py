"""The pictures of losses of sets and pairs."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

import jaxloss
from docs.stage import (
    AFTER,
    CLIPPED,
    LABEL,
    NOISE,
    ROAD,
    SPOKEN,
    TAGS,
    TEXTURE,
    Picture,
    alone,
    apart,
    at,
    broken,
    by_sign,
    classes,
    good_or_bad,
    heat,
    logits,
    marked,
    of_alignment,
    of_batch,
    of_couples,
    of_directions,
    of_list,
    of_views,
    pulse,
    region,
    scene,
    series,
    shares,
    show,
    spoken,
    tags,
)


SCENES: dict[str, Picture] = {
    "dice_loss": region(alone(jaxloss.dice_loss)),
    "jaccard_loss": region(alone(jaxloss.jaccard_loss, jaxloss.dice_loss)),
    "tversky_loss": region(
        {
            f"alpha={a}, beta={b}": partial(jaxloss.tversky_loss, axis=None, alpha=a, beta=b)
            for a, b in ((0.3, 0.7), (0.7, 0.3))
        }
    ),
    "generalized_dice_loss": region(jaxloss.generalized_dice_loss, given=classes, label=1 * (LABEL < 0)),
    "lovasz_softmax_loss": region(alone(jaxloss.lovasz_softmax_loss, jaxloss.jaccard_loss)),
    "lovasz_hinge_loss": region(jaxloss.lovasz_hinge_loss, given=lambda scores: scores),
    "boundary_loss": region(jaxloss.boundary_loss, label=LABEL),
    "cldice_loss": scene(
        "Over the gap in a predicted line that leads into something wide; the label, outlined, has no gap.",
        show(broken, 0.5 - ROAD),
        lambda gap: (broken(gap)[None], 1.0 * ROAD[None]),
        (0, 10),
        alone(jaxloss.cldice_loss, jaxloss.dice_loss),
    ),
    "ssim_loss": scene(
        "Over the noise in a picture. The other curve is of a picture that is brighter by as much.",
        show(lambda noise: TEXTURE + noise * NOISE, None),
        lambda noise: (noise * jnp.stack([NOISE, jnp.ones((24, 24))]) + TEXTURE, jnp.stack([TEXTURE, TEXTURE])),
        (0, 0.3),
        {
            "ssim_loss": lambda p, y: jaxloss.ssim_loss(p[:1], y[:1], axis=None),
            "ssim_loss, brighter": lambda p, y: jaxloss.ssim_loss(p[1:], y[1:], axis=None),
            "l1_loss": lambda p, y: jaxloss.l1_loss(p[:1], y[:1]),
        },
    ),
    "ranking_softmax_loss": of_list(jaxloss.ranking_softmax_loss),
    "poly1_softmax_loss": of_list(*(partial(jaxloss.poly1_softmax_loss, epsilon=e) for e in (0.0, 2.0))),
    "unique_softmax_loss": of_list(jaxloss.unique_softmax_loss, jaxloss.ranking_softmax_loss),
    "listmle_loss": of_list(jaxloss.listmle_loss),
    "approx_ndcg_loss": of_list(*(partial(jaxloss.approx_ndcg_loss, temperature=t) for t in (0.1, 1.0))),
    "approx_mrr_loss": of_list(*(partial(jaxloss.approx_mrr_loss, temperature=t) for t in (0.1, 1.0))),
    "pairwise_logistic_loss": of_list(
        jaxloss.pairwise_logistic_loss, partial(jaxloss.pairwise_logistic_loss, lambda_weights="ndcg")
    ),
    "pairwise_hinge_loss": of_list(jaxloss.pairwise_hinge_loss, jaxloss.pairwise_logistic_loss),
    "pairwise_soft_zero_one_loss": of_list(jaxloss.pairwise_soft_zero_one_loss),
    "pairwise_mse_loss": of_list(jaxloss.pairwise_mse_loss),
    "pairwise_quantile_loss": of_list(*(partial(jaxloss.pairwise_quantile_loss, quantile=q) for q in (0.1, 0.9))),
    "ntxent_loss": of_batch(*(partial(jaxloss.ntxent_loss, temperature=t) for t in (0.1, 0.5))),
    "supcon_loss": of_batch(jaxloss.supcon_loss),
    "circle_loss": of_batch(jaxloss.circle_loss),
    "multi_similarity_loss": of_batch(jaxloss.multi_similarity_loss),
    "batch_triplet_loss": of_batch(*(partial(jaxloss.batch_triplet_loss, mining=m) for m in ("hard", "all"))),
    "clip_loss": of_couples(jaxloss.clip_loss),
    "siglip_loss": of_couples(jaxloss.siglip_loss),
    "info_nce_loss": of_couples(jaxloss.info_nce_loss),
    "contrastive_loss": scene(
        "Over the distance between the two of a pair; the dotted circle is the margin.",
        apart,
        lambda distance: (jnp.zeros(2), jnp.stack([distance, 0 * distance])),
        (0, 2),
        {f"label {y}": lambda a, b, y=y: jaxloss.contrastive_loss(a, b, y) for y in (1, -1)},
    ),
    "arcface_loss": of_directions(
        lambda angle: (at(angle), at(0.0, 2.1, 4.2).T, jnp.array([0])),
        *(partial(jaxloss.arcface_loss, margin=m, scale=16.0) for m in (0.0, 0.5)),
    ),
    "cosface_loss": of_directions(
        lambda angle: (at(angle), at(0.0, 2.1, 4.2).T, jnp.array([0])),
        *(partial(jaxloss.cosface_loss, margin=m, scale=16.0) for m in (0.0, 0.35)),
    ),
    "proxy_anchor_loss": of_directions(
        lambda angle: (at(angle), at(0.0, 2.1, 4.2), jnp.array([0])),
        jaxloss.proxy_anchor_loss,
    ),
    "vicreg_loss": of_views(jaxloss.vicreg_loss),
    "barlow_twins_loss": of_views(jaxloss.barlow_twins_loss),
    "dino_loss": scene(
        "Over the first of a student's three logits; the teacher's probabilities stand beside the student's.",
        shares(*jax.nn.softmax(jnp.array([1.0, 0.0, 0.0])).tolist()),
        lambda logit: (jnp.stack([logits(logit)] * 2)[:, None], jnp.array([[[1.0, 0.0, 0.0]]])),
        (-4, 4),
        {f"temperature={t}": partial(jaxloss.dino_loss, temperature=t, teacher_temperature=1.0) for t in (0.5, 1.0)},
    ),
    "ctc_loss": of_alignment(lambda place: (spoken(place)[None], SPOKEN), jaxloss.ctc_loss),
    "rnnt_loss": of_alignment(
        lambda place: (spoken(place)[None, :, None] + AFTER, SPOKEN),
        jaxloss.rnnt_loss,
    ),
    "linear_rnnt_loss": of_alignment(
        lambda place: (spoken(place)[None], AFTER[None], jnp.eye(3), SPOKEN),
        {"linear_rnnt_loss": partial(jaxloss.linear_rnnt_loss, activation=lambda x: x)},
    ),
    "crf_nll_loss": scene(
        "Over the step at which scores change from the first tag to the second; the labels change at 3.5.",
        heat(tags, "01"),
        lambda step: (tags(step)[None], TAGS),
        (0, 7),
        {f"staying scores {s}": lambda z, y, s=s: jaxloss.crf_nll_loss(z, s * jnp.eye(2), y) for s in (0, 2)},
    ),
    "soft_dtw_loss": scene(
        "Over how much later a pulse comes than its label.",
        series,
        lambda shift: (pulse(shift), pulse(0.0)),
        (-8, 8),
        partial(jaxloss.soft_dtw_loss, divergence=True),
        {"mse_loss, summed": partial(jaxloss.mse_loss, reduction="sum")},
    ),
    "unlikelihood_loss": scene(
        "Over the logit of a class that should not be said; the bars are probabilities.",
        shares(),
        lambda logit: (logits(logit), jnp.array([True, False, False])),
        (-6, 6),
        jaxloss.unlikelihood_loss,
    ),
    "softmax_entropy": scene(
        "Over the first of three logits; the bars are probabilities.",
        shares(),
        lambda logit: (logits(logit),),
        (-6, 6),
        jaxloss.softmax_entropy,
    ),
    "dpo_loss": marked(
        "Over the log-ratio of the better answer to the reference, less that of the worse one, with a beta of 1.",
        {0.0: "as the reference has it"},
        lambda log_ratio: (log_ratio, 0 * log_ratio, 0 * log_ratio, 0 * log_ratio),
        (-2, 3),
        partial(jaxloss.dpo_loss, beta=1.0),
        partial(jaxloss.dpo_loss, beta=1.0, label_smoothing=0.1),
        *(partial(jaxloss.dpo_loss, beta=1.0, variant=v) for v in ("hinge", "ipo")),
    ),
    "cpo_loss": marked(
        "Over the logarithm of the ratio of the two answers' probabilities, with a beta of 2.",
        {0.0: "equally likely"},
        lambda log_ratio: (log_ratio, 0 * log_ratio),
        (-3, 3),
        *(partial(jaxloss.cpo_loss, beta=2.0, margin=m) for m in (0.0, 1.0)),
    ),
    "orpo_loss": marked(
        "Over the log-odds of the better answer; the worse one has a probability of 1/2.",
        {0.0: "equally likely"},
        lambda log_odds: (jax.nn.log_sigmoid(log_odds), jnp.log(0.5) + 0 * log_odds),
        (-5, 5),
        *(partial(jaxloss.orpo_loss, beta=1.0, nll_weight=w) for w in (0.0, 1.0)),
    ),
    "kto_loss": marked(
        "Over the log-ratio of an answer to the reference, with a beta of 1.",
        {0.0: "as the reference has it"},
        lambda log_ratio: (log_ratio,),
        (-6, 6),
        {"a good answer": partial(good_or_bad, label=1.0), "a bad answer": partial(good_or_bad, label=0.0)},
    ),
    "bradley_terry_loss": marked(
        "Over how far the score of the better answer lies above that of the worse one.",
        {0.0: "scored alike"},
        lambda lead: (lead, 0 * lead),
        (-4, 4),
        *(partial(jaxloss.bradley_terry_loss, margin=m) for m in (0.0, 1.0)),
    ),
    "ppo_clip_loss": marked(
        "Over the logarithm of the ratio of the policy to the older one.",
        CLIPPED,
        lambda log_ratio: (log_ratio,),
        (-1.5, 1.5),
        by_sign(jaxloss.ppo_clip_loss),
        {"advantage -1, dual_clip=2": lambda x: jaxloss.ppo_clip_loss(x, 0 * x, -1.0, dual_clip=2.0)},
    ),
    "cispo_loss": marked(
        "Over the logarithm of the ratio of the policy to the older one. Its weight is held constant, so that the "
        "gradient isn't the slope of the curve.",
        {float(np.log(5.0)): "ratio 5"},
        lambda log_ratio: (log_ratio,),
        (-2.5, 2.5),
        by_sign(jaxloss.cispo_loss),
    ),
    "kl_estimate": marked(
        "Over the logarithm of the ratio of the policy to the reference, for one token that was drawn.",
        {0.0: "as the reference has it"},
        lambda log_ratio: (log_ratio, 0 * log_ratio),
        (-2.5, 2.5),
        *(partial(jaxloss.kl_estimate, estimator=k) for k in ("k1", "k2", "k3")),
    ),
    "clipped_value_loss": marked(
        "Over the prediction, with an old one of 0, an epsilon of 0.5 and a return of 1.",
        {-0.5: "clipped", 0.5: "clipped", 1.0: "the return"},
        lambda prediction: (prediction, 1 + 0 * prediction),
        (-1.5, 2.5),
        {"clipped_value_loss": lambda p, y: jaxloss.clipped_value_loss(p, y, 0 * p, epsilon=0.5)},
        jaxloss.mse_loss,
    ),
}
