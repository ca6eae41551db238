"""What is compared: a row for each loss, or for each way of calling it, with what a user would write instead.

Contenders take the same arrays in the same order and give losses, whose mean is taken, or their mean. The first of a
row's JAX peers is the one that targets speak of; in float64, it is what errors are measured against, unless the row
has a reference of its own. Options are those of the loss by default, unless the row's own function says otherwise.
"""

from __future__ import annotations

import inspect
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from batches import BATCHES
from images import IMAGES
from jax import lax, nn
from jax.scipy import special, stats
from lists import LISTS
from post_training import POST_TRAINING
from row import Draw, F, Loss, Row, Targets, bce, by_hand, by_keras, by_optax, ce, keras, torch

import jaxloss


# Data as in training: some rows are sure, right or wrong.

N, SHAPE = 1_000_000, (4096, 256)


def reals(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return r.normal(0, 2, N), r.normal(size=N)


def binary(r: np.random.Generator, shape: Any = N) -> tuple[np.ndarray, ...]:
    logits = r.normal(0, 2, shape) * r.choice([1, 10], shape, p=[0.98, 0.02])
    return logits, 1.0 * (r.uniform(size=shape) < 1 / (1 + np.exp(-logits)))


def signs(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    logits, labels = binary(r)
    return logits, 2 * labels - 1


def classes(rows: int = SHAPE[0], count: int = SHAPE[1]) -> Draw:
    def draw(r: np.random.Generator) -> tuple[np.ndarray, ...]:
        logits, labels = r.normal(0, 2, (rows, count)).astype(np.float32), r.integers(0, count, rows)
        logits[np.arange(rows), labels] += r.choice([0, 5, 25], rows)
        return logits, labels

    return draw


def softmax(x: np.ndarray) -> np.ndarray:
    p = np.exp(x - x.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def soft_classes(rows: int, count: int) -> Draw:
    """Labels as of a mixture of two examples, most of whose classes have a little, too."""

    def draw(r: np.random.Generator) -> tuple[np.ndarray, ...]:
        logits, labels = classes(rows, count)(r)
        y = 0.1 * softmax(r.normal(0, 2, (rows, count)))
        for share, of in ((0.6, labels), (0.3, r.integers(0, count, rows))):
            y[np.arange(rows), of] += share
        return logits, y

    return draw


def distributions(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    p, y = softmax(r.normal(0, 2, SHAPE)), softmax(r.normal(0, 2, SHAPE))
    return p, y


def log_distributions(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    p, y = distributions(r)
    return np.log(p), y


def positives(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return r.uniform(0.2, 5, N), r.gamma(2, 1, N) + 1e-3


def vectors(*shape: int, count: int = 2) -> Draw:
    return lambda r: tuple(r.normal(size=shape) for _ in range(count))


def pair_signs(r: np.random.Generator, *shape: int) -> np.ndarray:
    return r.choice([-1.0, 1.0], shape)


def scaled(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return *reals(r), r.uniform(0.5, 2, N)


def counts(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return r.uniform(0.5, 5, N), 1.0 * r.poisson(2, N)


def log_rates(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return r.normal(size=N), 1.0 * r.poisson(2, N)


def log_classes(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    logits, labels = classes()(r)
    return np.log(softmax(logits)), labels


def ranks(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return r.normal(0, 2, (131072, 8)), r.integers(0, 9, 131072)


def lists(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Scores of 64 classes, and the indices of one to eight targets, the rest -1."""
    labels = r.permuted(np.tile(np.arange(64), (2048, 1)), axis=1)
    labels[np.arange(64) >= r.integers(1, 9, (2048, 1))] = -1
    return r.normal(0, 2, (2048, 64)), labels


# What users write by hand, where neither Optax nor PyTorch has it.


def by_mean(f: Loss, xp: Any, safe: bool) -> Loss:
    """The masked, weighted mean; safe: what is masked is made harmless before it reaches the loss."""

    def loss(predictions: Any, labels: Any, weights: Any, mask: Any) -> Any:
        if safe:
            predictions, labels = xp.where(mask, predictions, 0), xp.where(mask, labels, 0)
        terms = f(predictions, labels, reduction="none") if xp is torch else f(predictions, labels)
        return xp.where(mask, terms * weights, 0).sum() / xp.where(mask, weights, 0).sum()

    return loss


def masked(row: Row, targets: Targets, safe: bool = False) -> Row:
    def draw(r: np.random.Generator) -> tuple[np.ndarray, ...]:
        predictions, labels = row.draw(r)
        weights, mask = r.uniform(0.1, 2, N), r.uniform(size=N) < 0.8
        return np.where(mask | (not safe), predictions, np.nan), labels, weights, mask

    peers = {name: by_mean(f, jnp, safe) for name, f in row.peers.items()}
    peer = by_mean(row.torch, torch, safe) if row.torch else None
    note = "masked, weighted" + (", NaN-safe" if safe else "")
    return row._replace(draw=draw, peers=peers, torch=peer, keras=None, targets=targets, note=note)


def upcast(f: Loss) -> Loss:
    return lambda x, *rest: f(x.astype(jnp.promote_types(x.dtype, jnp.float32)), *rest)


def picked(x: Any, labels: Any) -> Any:
    return jnp.take_along_axis(x, labels[:, None], -1)[:, 0]


def of_label(curve: Loss) -> Loss:
    """A curve of the label's probability."""
    return lambda z, y: curve(picked(nn.softmax(z), y))


def torch_focal(x: Any, y: Any, **reduction: Any) -> Any:
    """As torchvision has it."""
    p = torch.sigmoid(x)
    miss = p * (1 - y) + (1 - p) * y
    return F.binary_cross_entropy_with_logits(x, y, reduction="none") * miss**2 * (0.25 * y + 0.75 * (1 - y))


def torch_log_cosh(p: Any, y: Any) -> Any:
    e = p - y
    return e + F.softplus(-2 * e) - float(np.log(2))


def student_t(p: Any, y: Any, s: Any) -> Any:
    z, df = (y - p) / s, 4.0
    constant = special.gammaln(df / 2) - special.gammaln((df + 1) / 2) + 0.5 * np.log(np.pi * df)
    return constant + jnp.log(s) + (df + 1) / 2 * jnp.log1p(z**2 / df)


def mixture(z: Any, y: Any, means: Any, scales: Any) -> Any:
    terms = nn.log_softmax(z) - jnp.log(scales) - 0.5 * ((y[:, None] - means) / scales) ** 2
    return -nn.logsumexp(terms, axis=-1)


def crps(p: Any, y: Any, s: Any) -> Any:
    z = (y - p) / s
    return s * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))


def ensemble(x: Any, y: Any) -> Any:
    return abs(x - y[:, None]).mean(-1) - 0.5 * abs(x[:, :, None] - x[:, None, :]).mean((-2, -1))


def negative_binomial(mu: Any, y: Any) -> Any:
    n = 2.0
    rising = special.gammaln(y + n) - special.gammaln(n)
    return n * jnp.log1p(mu / n) - y * jnp.log(mu / (n + mu)) - rising


def tweedie(mu: Any, y: Any) -> Any:
    p = 1.5
    return 2 * (y ** (2 - p) / ((1 - p) * (2 - p)) - y * mu ** (1 - p) / (1 - p) + mu ** (2 - p) / (2 - p))


def exact_tweedie(mu: Any, y: Any) -> Any:
    """Whose derivative at `mu = y` is 0, not what is left of two powers."""
    fixed = lax.stop_gradient(mu)
    return lax.stop_gradient(tweedie(mu, y)) + (mu - fixed) * 2 * (fixed - y) * fixed**-1.5


def smape(p: Any, y: Any) -> Any:
    return 2 * abs(p - y) / (abs(p) + abs(y))


def robust(p: Any, y: Any) -> Any:
    a, x = 0.5, p - y
    b = abs(a - 2)
    return b / a * ((x**2 / b + 1) ** (a / 2) - 1)


def asymmetric(x: Any, y: Any, log: Loss = lambda p: jnp.log(jnp.maximum(p, 1e-8))) -> Any:
    """As its authors wrote it."""
    p, q = nn.sigmoid(x), jnp.minimum(nn.sigmoid(-x) + 0.05, 1)
    return -(y * log(p) * (1 - p) + (1 - y) * log(q) * (1 - q) ** 4)


def exact_asymmetric(x: Any, y: Any) -> Any:
    q = jnp.minimum(nn.sigmoid(-x) + 0.05, 1)
    return -(y * nn.log_sigmoid(x) * nn.sigmoid(-x) + (1 - y) * jnp.log(q) * (1 - q) ** 4)


def bi_tempered(z: Any, y: Any, exact: bool = False) -> Any:
    """As its authors wrote it, in five iterations; the exact one takes a hundred, and implicit derivatives."""
    t1, t2 = 0.7, 1.5
    exp = lambda x: jnp.maximum(1 + (1 - t2) * x, 0) ** (1 / (1 - t2))  # noqa: E731
    log = lambda x, t: (x ** (1 - t) - 1) / (1 - t)  # noqa: E731
    x = z - z.max(-1, keepdims=True)
    fixed = lax.stop_gradient(x) if exact else x
    step = lambda _, a: fixed * exp(a).sum(-1, keepdims=True) ** (1 - t2)  # noqa: E731
    a = lax.fori_loop(0, 100 if exact else 5, step, fixed)
    normalizer = -log(1 / exp(a).sum(-1, keepdims=True), t2)
    if exact:
        excess = exp(x - normalizer).sum(-1, keepdims=True) - 1
        normalizer = normalizer + excess / lax.stop_gradient((exp(x - normalizer) ** t2).sum(-1, keepdims=True))
    p = exp(x - normalizer)
    return -log(picked(p, y), t1) - (1 - (p ** (2 - t1)).sum(-1)) / (2 - t1)


def exact_bi_tempered(z: Any, y: Any) -> Any:
    return bi_tempered(z, y, exact=True)


def gamma(p: Any, y: Any) -> Any:
    return special.gammaln(2.0) + 2 * jnp.log(p / 2) + 2 * y / p - 2 * jnp.log(y)


def poly1(z: Any, y: Any) -> Any:
    return optax.losses.poly_loss_cross_entropy(z, nn.one_hot(y, z.shape[-1]), epsilon=1.0)


def entmax15(z: Any, y: Any) -> Any:
    """Sorted, as its authors wrote it; its derivative is that of the envelope."""
    x = lax.stop_gradient(z - z.max(-1, keepdims=True)) / 2
    s = -jnp.sort(-x, axis=-1)
    k = jnp.arange(1, z.shape[-1] + 1)
    average, squares = jnp.cumsum(s, -1) / k, jnp.cumsum(s**2, -1) / k
    tau = average - jnp.sqrt(jnp.maximum((1 - k * (squares - average**2)) / k, 0))
    support = (tau <= s).sum(-1, keepdims=True)
    p = jnp.maximum(x - jnp.take_along_axis(tau, support - 1, -1), 0) ** 2
    return (p * z).sum(-1) - picked(z, y) + 4 / 3 * (1 - (p**1.5).sum(-1))


def multi_margin(s: Any, y: Any) -> Any:
    terms = nn.relu(1 + s - picked(s, y)[:, None])
    return jnp.where(nn.one_hot(y, s.shape[-1]) > 0, 0, terms).mean(-1)


def multilabel_margin(s: Any, y: Any) -> Any:
    target = nn.one_hot(y, s.shape[-1], dtype=bool).any(-2)
    terms = nn.relu(1 - s[:, :, None] + s[:, None, :])
    return jnp.where(target[:, :, None] & ~target[:, None, :], terms, 0).sum((-2, -1)) / s.shape[-1]


def distance(a: Any, b: Any) -> Any:
    return jnp.linalg.norm(a - b, axis=-1)


def triplet(a: Any, p: Any, n: Any) -> Any:
    return nn.relu(distance(a, p) - distance(a, n) + 1)


def cosine_embedding(a: Any, b: Any, y: Any) -> Any:
    similarity = (a * b).sum(-1) / (jnp.linalg.norm(a, axis=-1) * jnp.linalg.norm(b, axis=-1))
    return jnp.where(y > 0, 1 - similarity, nn.relu(similarity))


def js(lp: Any, y: Any) -> Any:
    p = jnp.exp(lp)
    m = (p + y) / 2
    return 0.5 * (y * jnp.log(y / m) + p * (lp - jnp.log(m))).sum(-1)


def dense_head(hidden: Any, kernel: Any, labels: Any) -> Any:
    return optax.softmax_cross_entropy_with_integer_labels(hidden @ kernel, labels)


def products(hidden: Any, kernel: Any, labels: Any) -> Any:
    logits = hidden @ kernel
    return logits @ kernel.T, hidden.T @ logits


def dense_head_in_torch(hidden: Any, kernel: Any, labels: Any) -> Any:
    return F.cross_entropy(hidden @ kernel, labels)


def gaussian(p: Any, y: Any, v: Any) -> Any:
    v = jnp.maximum(v, 1e-6)
    return 0.5 * (jnp.log(v) + (p - y) ** 2 / v)


def distilled_by_torch(z: Any, teacher: Any) -> Any:
    return 4 * F.kl_div(F.log_softmax(z / 2, -1), F.softmax(teacher / 2, -1), reduction="batchmean")


def smooth_l1(p: Any, y: Any) -> Any:
    return jnp.where(abs(p - y) < 1, 0.5 * (p - y) ** 2, abs(p - y) - 0.5)


def bhattacharyya(lp: Any, y: Any) -> Any:
    return -2 * jnp.log(jnp.sqrt(y * jnp.exp(lp)).sum(-1))


def heads(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return r.normal(size=(2048, 256)), r.normal(size=(256, 16384)) / 16, r.integers(0, 16384, 2048)


def mixtures(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    shape = (131072, 8)
    return r.normal(size=shape), r.normal(size=shape[0]), r.normal(size=shape), r.uniform(0.5, 2, shape)


CE = by_optax(
    "cross_entropy",
    classes(8192, 1000),
    ce,
    Targets(1.0, 0.4, 1.4),
    keras=by_keras("sparse_categorical_crossentropy", from_logits=True),
)
CE16 = CE._replace(dtype="bfloat16", targets=Targets(0.7, 0.8, 4.0), peers={"optax, upcast": upcast(ce), "optax": ce})
SOFT = by_optax("cross_entropy", soft_classes(1024, 256), optax.softmax_cross_entropy, Targets(1.1))
SOFT = SOFT._replace(note="of probabilities")
SOFT16 = SOFT._replace(dtype="bfloat16", peers={"optax, upcast": upcast(optax.softmax_cross_entropy)})
BCE = by_optax(
    "binary_cross_entropy_with_logits",
    binary,
    bce,
    Targets(0.25, 0.5),
    keras=by_keras("binary_crossentropy", from_logits=True),
)
BCE16 = BCE._replace(dtype="bfloat16", targets=Targets(0.12, 0.4))
FOCAL = by_optax(
    "sigmoid_focal_loss",
    binary,
    lambda x, y: optax.sigmoid_focal_loss(x, y, alpha=0.25, gamma=2.0),
    Targets(0.15, 0.25),
    torch=torch_focal,
    keras=by_keras("binary_focal_crossentropy", apply_class_balancing=True, from_logits=True),
    alpha=0.25,
    gamma=2.0,
)
HUBER = by_optax("huber_loss", reals, optax.huber_loss, Targets(0.3, 0.7), keras=by_keras("huber"))
TIE = Targets(1.0, 0.5)
MSE = by_optax("mse_loss", reals, optax.squared_error, TIE, keras=by_keras("mean_squared_error"))
L1 = by_hand("l1_loss", reals, lambda p, y: abs(p - y), TIE, keras=by_keras("mean_absolute_error"))

# Targets are for two CPU cores.
TARGETED = [
    CE,
    CE._replace(draw=classes(2048, 32768)),
    CE16,
    CE16._replace(draw=classes(2048, 32768)),
    CE._replace(draw=classes(65536, 10), targets=Targets(1.0, 0.12)),
    *(
        soft._replace(draw=soft_classes(*shape))
        for shape in ((1024, 256), (4096, 1000), (512, 32000))
        for soft in (SOFT, SOFT16)
    ),
    BCE,
    BCE16,
    masked(BCE, Targets(0.4, 0.4), safe=True),
    masked(BCE16, Targets(0.4, 0.4), safe=True),
    FOCAL,
    FOCAL._replace(dtype="bfloat16", targets=Targets(0.1, 0.25)),
    HUBER,
    HUBER._replace(dtype="bfloat16", targets=Targets(0.15, 0.5)),
    by_optax(
        "log_cosh_loss", reals, optax.log_cosh, Targets(0.5, 0.4), torch=torch_log_cosh, keras=by_keras("log_cosh")
    ),
    MSE,
    L1,
    by_optax("hinge_loss", signs, optax.hinge_loss, TIE, torch=lambda s, y: F.relu(1 - y * s), keras=by_keras("hinge")),
    by_optax(
        "kl_divergence",
        log_distributions,
        optax.kl_divergence,
        TIE,
        torch=lambda lp, y: F.kl_div(lp, y, reduction="batchmean"),
        keras=by_keras("kl_divergence", jnp.exp),
    ),
    by_hand("gaussian_nll_loss", scaled, gaussian, TIE, arrays=("variance",)),
    by_hand(
        "poisson_nll_loss",
        log_rates,
        lambda p, y: jnp.exp(p) - y * p,
        TIE,
        keras=by_keras("poisson", jnp.exp),
    ),
    by_optax("triplet_margin_loss", vectors(*SHAPE, count=3), optax.losses.triplet_margin_loss, TIE, reference=triplet),
    *(masked(row, TIE) for row in (MSE, L1, HUBER)),
    by_optax(
        "cosine_distance",
        vectors(8192, 512),
        optax.cosine_distance,
        Targets(0.35, 0.15),
        torch=lambda p, y: 1 - F.cosine_similarity(p, y, dim=-1),
        keras=keras and (lambda p, y: 1 + keras.losses.cosine_similarity(y, p)),
    ),
    by_optax("sparsemax_loss", classes(4096, 1000), optax.losses.multiclass_sparsemax_loss, Targets(0.05)),
    by_optax("linear_cross_entropy", heads, dense_head, Targets(0.85, 0.75, 1.05), torch=dense_head_in_torch)._replace(
        floor=products, argnums=(0, 1), note="both gradients"
    ),
    *(row for row in IMAGES + BATCHES + LISTS if row.targets),
]

OTHERS = [
    by_hand("smooth_l1_loss", reals, smooth_l1),
    by_hand("charbonnier_loss", reals, lambda p, y: jnp.sqrt((p - y) ** 2 + 1e-6)),
    by_hand("general_robust_loss", reals, robust, alpha=0.5),
    by_hand("quantile_loss", reals, lambda p, y: jnp.maximum(0.9 * (y - p), -0.1 * (y - p)), quantile=0.9),
    by_hand("expectile_loss", reals, lambda p, y: jnp.where(p > y, 0.1, 0.9) * (p - y) ** 2, expectile=0.9),
    by_hand(
        "mape_loss",
        positives,
        lambda p, y: abs(p - y) / abs(y),
        keras=keras and (lambda p, y: keras.losses.mean_absolute_percentage_error(y, p) / 100),
    ),
    by_hand("smape_loss", reals, smape, reference=lambda p, y: jnp.where(p * y < 0, 2, smape(p, y))),
    by_hand(
        "msle_loss",
        positives,
        lambda p, y: (jnp.log1p(p) - jnp.log1p(y)) ** 2,
        keras=by_keras("mean_squared_logarithmic_error"),
    ),
    by_hand("relative_l2_loss", vectors(*SHAPE), lambda p, y: distance(p, y) / jnp.linalg.norm(y, axis=-1)),
    by_hand("laplace_nll_loss", scaled, lambda p, y, s: jnp.log(s) + abs(p - y) / s, arrays=("scale",)),
    by_hand("student_t_nll_loss", scaled, student_t, arrays=("scale",), df=4.0, full=True),
    by_hand("gaussian_mixture_nll_loss", mixtures, mixture, arrays=("means", "scales")),
    by_hand("gaussian_crps_loss", scaled, crps, arrays=("scale",)),
    by_hand("ensemble_crps_loss", lambda r: (r.normal(size=(16384, 32)), r.normal(size=16384)), ensemble),
    by_hand("negative_binomial_nll_loss", counts, negative_binomial, dispersion=0.5),
    by_hand("gamma_nll_loss", positives, gamma, concentration=2.0),
    by_hand("tweedie_deviance_loss", counts, tweedie, reference=exact_tweedie, power=1.5),
    by_hand("nll_loss", log_classes, lambda lp, y: -picked(lp, y)),
    by_hand(
        "binary_cross_entropy",
        lambda r: (r.uniform(0.001, 0.999, N), 1.0 * r.integers(0, 2, N)),
        lambda p, y: -(y * jnp.log(p) + (1 - y) * jnp.log(1 - p)),
        keras=by_keras("binary_crossentropy"),
    ),
    by_optax("poly1_cross_entropy", classes(), poly1),
    by_hand(
        "softmax_focal_loss",
        classes(),
        lambda z, y: -((1 - picked(nn.softmax(z), y)) ** 2) * picked(nn.log_softmax(z), y),
    ),
    by_hand("generalized_cross_entropy", classes(), of_label(lambda p: (1 - p**0.7) / 0.7)),
    by_hand("symmetric_cross_entropy", classes(), lambda z, y: 0.1 * ce(z, y) + 4 * (1 - picked(nn.softmax(z), y))),
    by_hand("taylor_cross_entropy", classes(), of_label(lambda p: (1 - p) + (1 - p) ** 2 / 2)),
    by_hand("bi_tempered_logistic_loss", classes(), bi_tempered, reference=exact_bi_tempered, t1=0.7, t2=1.5),
    by_hand("asymmetric_loss", binary, asymmetric, reference=exact_asymmetric),
    by_hand("coral_loss", ranks, lambda z, y: bce(z, y[:, None] > jnp.arange(z.shape[-1])).sum(-1)),
    by_hand("squared_hinge_loss", signs, lambda s, y: nn.relu(1 - y * s) ** 2, keras=by_keras("squared_hinge")),
    by_hand("soft_margin_loss", signs, lambda s, y: nn.softplus(-y * s)),
    by_optax("perceptron_loss", signs, optax.losses.perceptron_loss),
    by_optax("multiclass_hinge_loss", classes(), optax.losses.multiclass_hinge_loss),
    by_hand("multi_margin_loss", classes(), multi_margin),
    by_optax("multiclass_perceptron_loss", classes(), optax.losses.multiclass_perceptron_loss),
    by_hand("entmax15_loss", classes(4096, 1000), entmax15),
    by_hand("multilabel_margin_loss", lists, multilabel_margin),
    by_optax("multilabel_soft_margin_loss", lambda r: binary(r, SHAPE), lambda x, y: bce(x, y).mean(-1)),
    by_hand(
        "hinge_embedding_loss",
        lambda r: (r.uniform(0, 2, N), pair_signs(r, N)),
        lambda d, y: jnp.where(y > 0, d, nn.relu(1 - d)),
    ),
    by_hand("cosine_embedding_loss", lambda r: (*vectors(*SHAPE)(r), pair_signs(r, SHAPE[0])), cosine_embedding),
    by_hand("margin_ranking_loss", lambda r: (*reals(r), pair_signs(r, N)), lambda a, b, y: nn.relu(-y * (a - b))),
    by_hand("triplet_margin_with_distance_loss", vectors(*SHAPE, count=3), triplet),
    by_hand("reverse_kl_divergence", log_distributions, lambda lp, y: (jnp.exp(lp) * (lp - jnp.log(y))).sum(-1)),
    by_optax("generalized_kl_divergence", log_distributions, optax.losses.generalized_kl_divergence),
    by_hand("js_divergence", log_distributions, js),
    by_hand(
        "renyi_divergence",
        log_distributions,
        bhattacharyya,
        reference=lambda lp, y: bhattacharyya(lp, y / y.sum(-1, keepdims=True) ** 2),
        alpha=0.5,
    ),
    by_hand("total_variation_distance", distributions, lambda p, y: 0.5 * abs(p - y).sum(-1)),
    by_hand("hellinger_distance", distributions, lambda p, y: distance(p**0.5, y**0.5) / 2**0.5),
    by_hand("wasserstein_distance", distributions, lambda p, y: abs(jnp.cumsum(p - y, -1)[:, :-1]).sum(-1)),
    by_hand("gaussian_kl_divergence", vectors(*SHAPE), lambda m, lv: 0.5 * (jnp.exp(lv) - 1 - lv + m**2).sum(-1)),
    by_hand(
        "softmax_entropy",
        vectors(*SHAPE, count=1),
        lambda z: -(nn.softmax(z) * nn.log_softmax(z)).sum(-1),
    ),
    by_hand(
        "distillation_loss",
        vectors(*SHAPE),
        lambda z, t: 4 * optax.kl_divergence(nn.log_softmax(z / 2), nn.softmax(t / 2)),
        torch=distilled_by_torch,
    ),
    *(row for row in IMAGES + BATCHES + LISTS + POST_TRAINING if row.targets is None),
]

ROWS = TARGETED + OTHERS
SIGNATURES = {name: inspect.signature(f) for name, f in vars(jaxloss).items() if inspect.isfunction(f)}
LOSSES = {name for name, signature in SIGNATURES.items() if "reduction" in signature.parameters} - {"reduce"}
MISSING = sorted(LOSSES - {row.loss for row in ROWS})
