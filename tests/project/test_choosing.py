"""What docs/choosing.md and the pages of tasks say of losses is measured here, on the losses themselves."""

from __future__ import annotations

import functools
import inspect
import math
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy

import jaxloss

from ..harness.probes import Probe
from ..harness.rows import CASES
from .test_docs import PAGES, PUBLIC, public


stats: Any = scipy.stats
TASKS = {page: text for page, text in PAGES.items() if page.startswith("choosing/")}
pytestmark = pytest.mark.usefixtures("x64", "compiles_fast")


def section(title: str) -> str:
    """Of the one page or the several that have it."""
    pages = [PAGES["choosing.md"], *TASKS.values()]
    found = [re.search(rf"^## {title}$(.*?)(?=^## |\Z)", page, re.DOTALL | re.MULTILINE) for page in pages]
    assert any(found)
    return "".join(match[1] for match in found if match)


def rows(text: str) -> list[list[str]]:
    """Of all its tables, without their heads."""
    lines = re.findall(r"^\| .*$(?!\n\|---)", text, re.MULTILINE)
    return [line.strip("| ").split(" | ") for line in lines]


def code(cell: str) -> str:
    return re.search("`(.*?)`", cell)[1]


PROBES = {case.loss.__name__: case.probes for case in CASES if case.probes}
LOSSES = sorted(PROBES)  # of a number, a class or a pair; what a loss of a set does to training is no line
WITHOUT_PROBES = {case.loss.__name__ for case in CASES} - {*LOSSES}
COMBINING = {name for name in PUBLIC if "._combination." in public(name).__module__}
LINES = [(code(row[0]).split("(")[0], row) for row in rows(section("Every loss, one line"))]
TABLE = {name: row for name, row in LINES if len(row) == 7}
every_loss = pytest.mark.parametrize("name", LOSSES)


def test_every_loss_has_one_line():
    """With probes it says what is measured; without, what the loss is for, and what shows that."""
    assert sorted(name for name, row in LINES if len(row) == 7) == LOSSES
    others = {name: row for name, row in LINES if len(row) == 3}
    assert {*others} == WITHOUT_PROBES | COMBINING
    assert len(LINES) == len(TABLE) + len(others)
    assert all(row[1] and re.fullmatch(r"\[\w+\]\(\S+\)", row[2]) for row in others.values())


def test_the_first_page_leads_to_all_others():
    """In at most ten questions, each of which has a page."""
    questions = re.findall(r"^\d+\. \*\*\[[^]]+\]\((\S+)\)\.\*\* ", section("In short"), re.MULTILINE)
    assert len(questions) == len({*questions}) <= 10
    assert {*questions} == {*TASKS}
    assert all("\n## Begin with\n" in text and "\n## Every loss, one line\n" in text for text in TASKS.values())


def told(name: str) -> dict[str, Any]:
    """The options that the table names, or others that have the same rules."""
    return eval(code(TABLE[name][0]).replace(name, "dict", 1)) if "(" in TABLE[name][0] else {}


def probes(name: str, **options: Any) -> list[Probe]:
    return PROBES[name](functools.partial(getattr(jaxloss, name), **options), **options)


# --- the columns: bound, far off, nearly right, derivatives ---------------------------------------------------------

# Where a bound or a count is a formula, it must hold for more options than those in the table.
OTHERS: dict[str, dict[str, Any]] = {
    "huber_loss": {"delta": 0.3},
    "smooth_l1_loss": {"beta": 3.0},
    "charbonnier_loss": {"scale": 2.0},
    "general_robust_loss": {"alpha": -2.0, "scale": 3.0},
    "quantile_loss": {"quantile": 0.2},
    "laplace_nll_loss": {"scale": 3.0},
    "student_t_nll_loss": {"scale": 2.0, "df": 5.0},
    "gaussian_crps_loss": {"scale": 0.5},
    "symmetric_cross_entropy": {"alpha": 0.5, "beta": 2.0, "log_zero": -3.0},
    "generalized_cross_entropy": {"q": 0.3},
    "taylor_cross_entropy": {"order": 5},
    "distillation_loss": {"temperature": 5.0},
    "dpo_loss": {"beta": 3.0},
    "cpo_loss": {"beta": 3.0},
    "orpo_loss": {"beta": 2.0, "nll_weight": 0.5},
    "kto_loss": {"beta": 3.0, "kl": 0.0},
}
both_options = pytest.mark.parametrize(
    ("name", "options"),
    [(n, None) for n in LOSSES] + [(n, o) for n, o in OTHERS.items()],
    ids=lambda value: value if isinstance(value, str) else "others" if value else "table",
)


@pytest.mark.exhaustive
@both_options
def test_largest_pull(name, options):
    """Of one element of what the network puts out: it stays below the bound and comes near it, or has none."""
    options = told(name) if options is None else options
    lines, said = probes(name, **options), TABLE[name][2]
    if said == "unbounded":
        pulls = [lines[0].pull_of_outlier(distance) for distance in (1e3, 1e6, 1e12)]
        assert 1.2 * pulls[0] < pulls[1] and 1.2 * pulls[1] < pulls[2]
        return
    defaults = {k: p.default for k, p in inspect.signature(getattr(jaxloss, name)).parameters.items()}
    bound = eval(code(said), {"sqrt": math.sqrt}, defaults | options | lines[0].names)
    assert 0.97 * bound < max(line.largest_pull() for line in lines) < 1.005 * bound
    assert lines[0].pull_of_outlier(1e6) <= 1.005 * bound


@pytest.mark.exhaustive
@both_options
def test_far_off(name, options):
    line = probes(name, **(told(name) if options is None else options))[0]
    near, far = line.pull_of_outlier(1e3), line.pull_of_outlier(1e6)
    growth = 0.0 if far < 1e-9 else far / near
    found = "vanishes" if growth < 0.9 else "grows" if growth > 1.1 else "constant"
    assert found == TABLE[name][3]


@pytest.mark.exhaustive
@every_loss
def test_nearly_right(name):
    line = probes(name, **told(name))[0]
    steps = [10.0**-k for k in range(7)] if math.isfinite(line.right) else [2.5, 5.0, 10.0, 30.0]
    first, *_, last = [line.pull_at(line.right + s if math.isfinite(line.right) else s) for s in steps]
    found = "stops" if last == 0 else "fades" if last < 0.01 * first else "stays"
    assert found == TABLE[name][4]


def jumps(line: Probe, count: int) -> list[float]:
    """Of the derivatives along the line, as shares of their largest values: zoom in to where each changes most."""
    derivatives, found = line.derivatives(count), []
    for order in range(count):
        low, high, largest = max(line.ends[0], -6.123), min(line.ends[1], 6.071), 0.0
        while True:
            places = np.linspace(low, high, 4001)
            values = np.asarray(derivatives(places)[:, order])
            largest = max(largest, np.abs(values).max(), 1e-6)  # below are rounding errors
            changes = np.abs(np.diff(values))
            if high - low < 1e-7:
                break
            widest = changes.argmax()
            low, high = places[max(widest - 1, 0)], places[min(widest + 2, 4000)]
        found.append(changes.max() / largest)
    return found


@pytest.mark.exhaustive
@every_loss
def test_continuous_derivatives(name):
    said, options = TABLE[name][5], told(name)
    count = 3 if said == "all" else int(eval(said.strip("`"), {}, options))
    found = np.array([jumps(line, count if said == "all" else count + 1) for line in probes(name, **options)])
    assert (found[:, :count] < 1e-3).all()
    assert said == "all" or found[:, count].max() > 1e-2


# --- the column of noise models -------------------------------------------------------------------------------------

NUMBERS = np.linspace(-3, 3, 25), (-1.0, 0.5, 2.0)
AMOUNTS = np.linspace(0.2, 5, 24), (0.3, 1.0, 4.0)
COUNTS = AMOUNTS[0], (0.0, 1.0, 4.0)
LOGITS = np.random.default_rng(0).normal(size=(20, 3))
YES_NO = np.linspace(-4, 4, 25), (1.0, 0.0)
PAIRS = np.linspace(-4, 4, 25), (0.0, -1.5)


def pieces(inside: Any, outside: Any, at: float) -> Callable[..., Any]:
    """One density for small errors, another for large ones, of which the second meets the first."""

    def log_density(y, p, **_):
        error = np.abs(y - p)
        step = outside.logpdf(at) - inside.logpdf(at)
        return np.where(error <= at, inside.logpdf(error), outside.logpdf(error) - step)

    return log_density


def two_sided(y, p, expectile):
    return np.where(
        y > p, -expectile * (y - p) ** 2, -(1 - expectile) * (y - p) ** 2
    )  # halves of two Gaussians with one peak


def asymmetric_laplace(y, p, quantile):
    ratio = math.sqrt(quantile / (1 - quantile))
    return stats.laplace_asymmetric(ratio, p, ratio / quantile).logpdf(y)


def tweedie(y, p, power):
    model = {1: stats.poisson(p).logpmf, 2: stats.gamma(1, scale=p).logpdf, 3: stats.invgauss(p).logpdf}
    return 2 * (model[power](y) if power in model else stats.norm(p).logpdf(y))


def mixture(y, means):
    return np.log(stats.norm(means, 1).pdf(y).mean(-1))


def categorical(y, logits):
    return (logits - scipy.special.logsumexp(logits, -1, keepdims=True))[:, y]


def expected_categorical(y, logits):
    return (logits - scipy.special.logsumexp(logits, -1, keepdims=True)) @ np.asarray(y)


def bernoulli(y, z):
    return stats.bernoulli(scipy.special.expit(z)).logpmf(y > 0)


def bradley_terry(worse, better, beta=1.0):
    return stats.bernoulli(scipy.special.expit(beta * (better - worse))).logpmf(1)


def von_mises_fisher(y, vectors):
    return np.array([stats.vonmises_fisher(v / np.linalg.norm(v), 1).logpdf(y) for v in vectors])


SOFT = tuple(jnp.array(p) for p in ([0.7, 0.2, 0.1], [0.0, 1.0, 0.0]))
# By loss: what the table says; minus the loss up to a constant in the prediction; predictions and labels; options.
NOISE: dict[str, tuple[Any, ...]] = {
    "l1_loss": ("Laplace", lambda y, p: stats.laplace(p).logpdf(y), NUMBERS),
    "mse_loss": ("Gaussian", lambda y, p: stats.norm(p, math.sqrt(0.5)).logpdf(y), NUMBERS),
    "huber_loss": ("Gaussian, Laplace tails", pieces(stats.norm, stats.laplace(0, 1), 1), NUMBERS),
    "smooth_l1_loss": ("Laplace, Gaussian peak", pieces(stats.norm(0, 2**0.5), stats.laplace, 2), NUMBERS, {"beta": 2}),
    "log_cosh_loss": ("hyperbolic secant", lambda y, p: stats.hypsecant(p).logpdf(y), NUMBERS),
    "charbonnier_loss": (
        "symmetric hyperbolic",
        lambda y, p, scale: stats.genhyperbolic(1, scale, 0, p, scale).logpdf(y),
        NUMBERS,
        {"scale": 0.5},
    ),
    "general_robust_loss": (
        "Cauchy at `alpha=0`, Gaussian at 2, none below 0",
        lambda y, p, alpha: (stats.norm(p) if alpha == 2 else stats.cauchy(p, math.sqrt(2))).logpdf(y),
        NUMBERS,
        {"alpha": 0},
        {"alpha": 2},
    ),
    "quantile_loss": ("asymmetric Laplace", asymmetric_laplace, NUMBERS, {"quantile": 0.9}, {"quantile": 0.3}),
    "expectile_loss": ("asymmetric Gaussian", two_sided, NUMBERS, {"expectile": 0.9}),
    "msle_loss": ("log-normal, of 1 + label", lambda y, p: stats.lognorm(0.5**0.5, 0, 1 + p).logpdf(1 + y), AMOUNTS),
    "cosine_distance": ("von Mises-Fisher", von_mises_fisher, (LOGITS, tuple(np.eye(3)))),
    "gaussian_nll_loss": (
        "Gaussian",
        lambda y, p, variance: stats.norm(p, math.sqrt(variance)).logpdf(y),
        NUMBERS,
        {"variance": 2.0},
    ),
    "laplace_nll_loss": ("Laplace", lambda y, p, scale: stats.laplace(p, scale).logpdf(y), NUMBERS, {"scale": 2.0}),
    "student_t_nll_loss": (
        "Student's t",
        lambda y, p, scale, df: stats.t(df, p, scale).logpdf(y),
        NUMBERS,
        {"scale": 2.0, "df": 3.0},
    ),
    "gaussian_mixture_nll_loss": ("Gaussian mixture", mixture, (LOGITS[:, :2], NUMBERS[1])),
    "poisson_nll_loss": ("Poisson", lambda y, p, log_input: stats.poisson(p).logpmf(y), COUNTS, {"log_input": False}),
    "negative_binomial_nll_loss": (
        "negative binomial",
        lambda y, p, dispersion: stats.nbinom(1 / dispersion, 1 / (1 + dispersion * p)).logpmf(y),
        COUNTS,
        {"dispersion": 0.5},
    ),
    "gamma_nll_loss": (
        "gamma",
        lambda y, p, concentration: stats.gamma(concentration, scale=p / concentration).logpdf(y),
        AMOUNTS,
        {"concentration": 3.0},
    ),
    "tweedie_deviance_loss": (
        "Tweedie: 0 Gaussian, 1 Poisson, 2 gamma, 3 inverse Gaussian",
        tweedie,
        (AMOUNTS[0], (1.0, 4.0)),
        *({"power": power} for power in range(4)),
    ),
    "binary_cross_entropy_with_logits": ("Bernoulli", bernoulli, YES_NO),
    "binary_cross_entropy": ("Bernoulli", bernoulli, YES_NO),
    "soft_margin_loss": ("Bernoulli", bernoulli, (YES_NO[0], (1.0, -1.0))),
    "multilabel_soft_margin_loss": (
        "Bernoulli, class by class",
        lambda y, z: bernoulli(np.asarray(y), z).mean(-1),
        (LOGITS, (jnp.array([1.0, 0.0, 1.0]),)),
    ),
    "coral_loss": (
        "Bernoulli, threshold by threshold",
        lambda y, z: bernoulli(np.arange(3) < y, z).sum(-1),
        (LOGITS, (0, 2, 3)),
    ),
    "cross_entropy": ("categorical", categorical, (LOGITS, (0, 2))),
    "nll_loss": ("categorical", categorical, (LOGITS, (0, 2))),
    "linear_cross_entropy": ("categorical", categorical, (LOGITS, (0, 2))),
    "distribution_focal_loss": ("categorical", categorical, (LOGITS, (0, 2))),
    "kl_divergence": ("categorical", expected_categorical, (LOGITS, SOFT)),
    "distillation_loss": (
        "categorical",
        lambda y, z, temperature: expected_categorical(jax.nn.softmax(y), z),
        (LOGITS, SOFT),
        {"temperature": 1.0},
    ),
    "dpo_loss": ("Bradley-Terry", bradley_terry, PAIRS, {"beta": 2.0}),
    "cpo_loss": ("Bradley-Terry", bradley_terry, PAIRS, {"beta": 2.0}),
    "bradley_terry_loss": ("Bradley-Terry", bradley_terry, PAIRS),
    "generalized_kl_divergence": ("Poisson", lambda y, z: stats.poisson(np.exp(z)).logpmf(y), (NUMBERS[0], COUNTS[1])),
}


@pytest.mark.exhaustive
@every_loss
def test_noise_models(name):
    said = TABLE[name][1]
    if name not in NOISE:
        assert said == "—"
        return
    model, log_density, (outputs, labels), *options = NOISE[name]
    assert said == model
    for option in options or [{}]:
        loss = probes(name, **option)[0].loss
        for label in labels:
            losses = jax.vmap(lambda x: loss(x, jnp.asarray(label)))(jnp.asarray(outputs))  # noqa: B023
            both = np.asarray(losses) + log_density(label, outputs, **option)
            np.testing.assert_allclose(both, both[0], atol=1e-6)


# --- the last column: when it hurts ---------------------------------------------------------------------------------


def slope(loss, x, *rest, **options):
    return jax.grad(lambda x: jnp.sum(loss(x, *rest, **options, reduction="sum")))(jnp.asarray(x, jnp.float64))


def bend(loss, error, **options):
    """The second derivative at an error."""
    return jax.grad(jax.grad(lambda x: loss(x, 0.0, **options)))(error)


def best(loss, labels, shares=None, ends=(-30.0, 30.0)):
    """The best constant for labels that occur in these shares, by default alike."""
    constants, labels = jnp.linspace(*ends, 6001), jnp.asarray(labels)
    losses = jax.vmap(lambda c: jax.vmap(lambda y: loss(c, y))(labels))(constants)
    return float(constants[(losses @ jnp.asarray(shares or [1.0] * len(labels))).argmin()])


def descent(loss, rate=0.1, start=0.55):
    x = start
    for _ in range(100):
        x = x - rate * float(slope(loss, x, 0.0))
    return abs(x)


def two(loss, **options):
    """Of two classes: the log-odds of class 1 move."""
    return lambda z, y: loss(jnp.stack([jnp.zeros_like(z), z]), y, **options)


def one(loss, **options):
    """Of yes and no."""
    return lambda z, y: loss(z, jnp.asarray(y, jnp.float64), **options)


def margins(loss):
    return lambda z, y: loss(z, 2 * jnp.asarray(y, jnp.float64) - 1)


def said(curve, share):
    """The probability that comes out best when this share of the labels is 1."""
    return 1 / (1 + math.exp(-best(curve, [0, 1], [1 - share, share], (-12.0, 12.0))))


def start_of(loss, classes=1000, **options):
    """The pull on the label's logit when all classes are equally likely."""
    return abs(float(slope(loss, jnp.zeros(classes), 0, **options)[0]))


def narrow(loss, **options):
    """A perfect prediction with a scale that goes to 0."""
    return float(loss(1.0, 1.0, scale=1e-6, **options)) < -10


def at(*probabilities):
    return jnp.log(jnp.array(probabilities))


ZEROS, HOT = np.zeros(3), np.eye(1000)[0]
OWNED = "one gross outlier owns the fit"
MEMORY = "many labels are wrong: it [learns them by heart](../../notebooks/classification.ipynb)"
MODEST = "probabilities count: 0.8 comes out as {}"
SLOW = "there are 1000 classes: at an even start it pulls with {}"
NARROW = "a fit is perfect: the scale goes to 0, the loss to -infinity"
LOST = "all embeddings are the same: no gradient leads away"
LEVEL = "no class has half of the labels: all scores alike are best"
ANYHOW = "probabilities count: 0.6 and 0.95 have the same best score"


def owned(loss, **options):
    return best(functools.partial(loss, **options), [0.0] * 20 + [500.0]) > 10


def level(loss):
    logits = jnp.asarray(np.random.default_rng(0).normal(size=(5000, 3)))
    expected = lambda z: 0.4 * loss(z, 0) + 0.3 * loss(z, 1) + 0.3 * loss(z, 2)  # noqa: E731
    return bool((jax.vmap(expected)(logits) >= expected(ZEROS)).all())


def learns_anyhow(name):
    """A notebook shows it; here only that a wrong label pulls with everything, however sure the model is."""
    return probes(name, **told(name))[0].pull_of_outlier(30) > 0.99


j = jaxloss
HURTS: dict[str, tuple[str, Callable[[], Any]]] = {
    "l1_loss": (
        "the learning rate doesn't fall: steps of one size overshoot",
        lambda: descent(j.l1_loss) > 0.04 > 1e-6 > descent(j.mse_loss),
    ),
    "mse_loss": (OWNED, lambda: owned(j.mse_loss)),
    "huber_loss": (
        "`delta` is far above the errors: it is half of `mse_loss`",
        lambda: j.huber_loss(3.0, 0.0, delta=100) == j.mse_loss(3.0, 0.0) / 2,
    ),
    "smooth_l1_loss": (
        "`beta` is small: the tip bends with `1 / beta`",
        lambda: math.isclose(bend(j.smooth_l1_loss, 1e-4, beta=0.01), 100),
    ),
    "log_cosh_loss": (
        "errors are far from 1 in size: it is all square or all absolute",
        lambda: bend(j.log_cosh_loss, 0.01) > 0.99 and bend(j.log_cosh_loss, 10.0) < 1e-6,
    ),
    "charbonnier_loss": (
        "`scale` is small: the tip bends with `1 / scale`",
        lambda: math.isclose(bend(j.charbonnier_loss, 0.0, scale=0.01), 100),
    ),
    "general_robust_loss": (
        "it starts far off: it isn't convex, and hardly pulls there",
        lambda: (
            bend(j.general_robust_loss, 3.0, alpha=-2.0) < 0 and slope(j.general_robust_loss, 100, 0, alpha=-2) < 1e-4
        ),
    ),
    "quantile_loss": (
        "the quantile is extreme: at 0.99 nearly all labels pull with 0.01",
        lambda: math.isclose(slope(j.quantile_loss, 1.0, 0.0, quantile=0.99), 0.01),
    ),
    "expectile_loss": (OWNED, lambda: owned(j.expectile_loss)),
    "mape_loss": (
        "labels differ in size: of 1, 2 and 10 the smallest is the best constant",
        lambda: round(best(j.mape_loss, [1.0, 2.0, 10.0]), 2) == 1,
    ),
    "smape_loss": (
        "the sign is wrong: no gradient",
        lambda: slope(j.smape_loss, -1.0, 1.0) == 0,
    ),
    "msle_loss": (
        "too low is no worse than too high: it charges more for too low",
        lambda: j.msle_loss(5.0, 10.0) > 2 * j.msle_loss(15.0, 10.0),
    ),
    "relative_l2_loss": (
        "a label is small: it pulls with one over its norm",
        lambda: math.isclose(slope(j.relative_l2_loss, [1.0], jnp.array([0.01]))[0], 100),
    ),
    "cosine_distance": (
        "a prediction is short: it is turned with one over its norm",
        lambda: math.isclose(slope(j.cosine_distance, [0.0, 0.01], jnp.array([1.0, 0.0]))[0], -100),
    ),
    "gaussian_nll_loss": (
        "the variance is large before the mean is right: it pulls with `1 / variance`, unless `beta=1`",
        lambda: (
            math.isclose(slope(j.gaussian_nll_loss, 1.0, 0.0, variance=100.0), 0.01)
            and math.isclose(slope(j.gaussian_nll_loss, 1.0, 0.0, variance=100.0, beta=1), 1)
        ),
    ),
    "laplace_nll_loss": (NARROW, lambda: narrow(j.laplace_nll_loss)),
    "student_t_nll_loss": (NARROW, lambda: narrow(j.student_t_nll_loss, df=3.0)),
    "gaussian_mixture_nll_loss": (
        "a component settles on one label: its scale goes to 0, the loss to -infinity",
        lambda: (
            j.gaussian_mixture_nll_loss(jnp.zeros(2), 1.0, means=jnp.array([1.0, 0.0]), scales=jnp.array([1e-6, 1.0]))
            < -10
        ),
    ),
    "gaussian_crps_loss": (
        "the scale is far too large: it hardly pulls, with 0.008 at 100 times the error",
        lambda: round(float(slope(j.gaussian_crps_loss, 1.0, 0.0, scale=100.0)), 3) == 0.008,
    ),
    "ensemble_crps_loss": (
        "the ensemble has one member: it is `l1_loss`",
        lambda: j.ensemble_crps_loss(jnp.array([3.0]), 1.0) == j.l1_loss(3.0, 1.0),
    ),
    "poisson_nll_loss": (
        "a logarithm of a rate is far too large: it pulls with its exponential",
        lambda: slope(j.poisson_nll_loss, 20.0, 1.0) > 1e8,
    ),
    "negative_binomial_nll_loss": (
        "a prediction comes near 0: it pulls with one over it",
        lambda: slope(j.negative_binomial_nll_loss, 1e-6, 1.0, dispersion=1.0) < -9e5,
    ),
    "gamma_nll_loss": (
        "a label is 0: the loss is NaN",
        lambda: jnp.isnan(j.gamma_nll_loss(1.0, 0.0, concentration=1.0)),
    ),
    "tweedie_deviance_loss": (
        "a label is 0 and the power 2 or more: the loss is NaN",
        lambda: (
            jnp.isnan(j.tweedie_deviance_loss(1.0, 0.0, power=2))
            & ~jnp.isnan(j.tweedie_deviance_loss(1.0, 0.0, power=1.9))
        ),
    ),
    "binary_cross_entropy_with_logits": (
        "the model is sure and a label wrong: it costs as much as its logit",
        lambda: j.binary_cross_entropy_with_logits(100.0, 0.0) == 100,
    ),
    "binary_cross_entropy": (
        "the model is sure: in float32 `sigmoid(20)` is 1, and a wrong label costs 87 instead of 20",
        lambda: round(float(j.binary_cross_entropy(jax.nn.sigmoid(jnp.float32(20)), 0.0))) == 87,
    ),
    "cross_entropy": (MEMORY, lambda: learns_anyhow("cross_entropy")),
    "nll_loss": (MEMORY, lambda: learns_anyhow("nll_loss")),
    "linear_cross_entropy": (MEMORY, lambda: learns_anyhow("linear_cross_entropy")),
    "poly1_cross_entropy": (MODEST.format(0.87), lambda: round(said(two(j.poly1_cross_entropy), 0.8), 2) == 0.87),
    "sigmoid_focal_loss": (MODEST.format(0.63), lambda: round(said(one(j.sigmoid_focal_loss), 0.8), 2) == 0.63),
    "softmax_focal_loss": (MODEST.format(0.63), lambda: round(said(two(j.softmax_focal_loss), 0.8), 2) == 0.63),
    "asymmetric_loss": (
        "probabilities count: 0.2 comes out as 0.53",
        lambda: round(said(one(j.asymmetric_loss), 0.2), 2) == 0.53,
    ),
    "generalized_cross_entropy": (
        SLOW.format(0.008) + "; 0.8 comes out as 0.99",
        lambda: (
            round(start_of(j.generalized_cross_entropy), 3) == 0.008
            and round(said(two(j.generalized_cross_entropy), 0.8), 2) == 0.99
        ),
    ),
    "symmetric_cross_entropy": (
        SLOW.format(0.10) + "; 0.8 comes out as 0.99",
        lambda: (
            round(start_of(j.symmetric_cross_entropy), 2) == 0.10
            and round(said(two(j.symmetric_cross_entropy), 0.8), 2) == 0.99
        ),
    ),
    "taylor_cross_entropy": (
        SLOW.format(0.002) + "; 0.8 comes out as 1.00",
        lambda: round(start_of(j.taylor_cross_entropy), 3) == 0.002 and said(two(j.taylor_cross_entropy), 0.8) > 0.995,
    ),
    "bi_tempered_logistic_loss": (
        "its softmax is not the one that predicts: by the usual one 0.8 comes out as 0.90",
        lambda: round(said(two(j.bi_tempered_logistic_loss, t1=0.7, t2=1.5), 0.8), 2) == 0.90,
    ),
    "coral_loss": (
        "the classes have no order: one that is off by three is pulled at three thresholds",
        lambda: math.isclose(-slope(j.coral_loss, -50 * jnp.ones(4), 3).sum(), 3),
    ),
    "distribution_focal_loss": (
        "a label lies beyond the bins: the loss is NaN",
        lambda: jnp.isnan(j.distribution_focal_loss(ZEROS, jnp.float64(2.1))),
    ),
    "quality_focal_loss": (MODEST.format(0.63), lambda: round(said(one(j.quality_focal_loss), 0.8), 2) == 0.63),
    "varifocal_loss": (
        "probabilities count: 0.2 comes out as 0.42",
        lambda: round(said(one(j.varifocal_loss), 0.2), 2) == 0.42,
    ),
    "gaussian_focal_loss": (
        "there is no peak: the papers' divisor is 0",
        lambda: jnp.isinf(j.gaussian_focal_loss(ZEROS, ZEROS, reduction="sum") / jnp.sum(ZEROS == 1, dtype=float)),
    ),
    "hinge_loss": (ANYHOW, lambda: said(margins(j.hinge_loss), 0.6) == said(margins(j.hinge_loss), 0.95)),
    "squared_hinge_loss": (
        "labels are wrong: it pulls in proportion to how far off they are",
        lambda: slope(j.squared_hinge_loss, -99.0, 1.0) == 100 * slope(j.squared_hinge_loss, 0.0, 1.0),
    ),
    "soft_margin_loss": (
        "labels come as 0 and 1: a 0 makes it NaN",
        lambda: jnp.isnan(j.soft_margin_loss(0.5, 0.0)),
    ),
    "perceptron_loss": (
        "all scores are 0: no loss, no gradient",
        lambda: j.perceptron_loss(0.0, 1.0) == 0 == slope(j.perceptron_loss, 0.0, 1.0),
    ),
    "multiclass_hinge_loss": (LEVEL, lambda: level(j.multiclass_hinge_loss)),
    "multi_margin_loss": (
        ANYHOW,
        lambda: said(two(j.multi_margin_loss), 0.6) == said(two(j.multi_margin_loss), 0.95),
    ),
    "multiclass_perceptron_loss": (
        "all scores are alike: no loss, no gradient",
        lambda: j.multiclass_perceptron_loss(ZEROS, 0) == 0 and not slope(j.multiclass_perceptron_loss, ZEROS, 0).sum(),
    ),
    "sparsemax_loss": (
        "a class has got no probability: it gets no gradient either",
        lambda: slope(j.sparsemax_loss, [2.0, 1.9, 0.0], 1)[2] == 0,
    ),
    "entmax15_loss": (
        "a class has got no probability: it gets no gradient either",
        lambda: slope(j.entmax15_loss, [3.0, 2.9, 0.0], 1)[2] == 0,
    ),
    "multilabel_margin_loss": (
        "an example has no targets: no loss, no gradient",
        lambda: not slope(j.multilabel_margin_loss, [1.0, 2.0], jnp.array([False, False])).any(),
    ),
    "multilabel_soft_margin_loss": (
        "there are many classes: each pulls with one over their number",
        lambda: math.isclose(start_of(lambda z, y, **o: j.multilabel_soft_margin_loss(z, jnp.ones(1000), **o)), 0.5e-3),
    ),
    "hinge_embedding_loss": (
        "unlike pairs are beyond the margin already: they teach nothing",
        lambda: slope(j.hinge_embedding_loss, 1.1, -1.0) == 0,
    ),
    "cosine_embedding_loss": (
        "a pair that belongs together points in opposite directions: hardly any gradient",
        lambda: abs(slope(j.cosine_embedding_loss, [1.0, 1e-6], jnp.array([-1.0, 0.0]), 1.0)).max() < 1e-5,
    ),
    "margin_ranking_loss": (
        "the margin is 0: scores that are all alike cost nothing",
        lambda: j.margin_ranking_loss(1.0, 1.0, 1.0) == 0,
    ),
    "triplet_margin_loss": (LOST, lambda: not slope(j.triplet_margin_loss, ZEROS, ZEROS, ZEROS).any()),
    "triplet_margin_with_distance_loss": (
        LOST,
        lambda: not slope(j.triplet_margin_with_distance_loss, ZEROS, ZEROS, ZEROS).any(),
    ),
    "kl_divergence": (
        "the model rules out what the labels don't: infinite",
        lambda: jnp.isinf(j.kl_divergence(at(1, 0), jnp.array([0.9, 0.1]))),
    ),
    "reverse_kl_divergence": (
        "the labels rule out what the model doesn't: infinite, so never one-hot",
        lambda: jnp.isinf(j.reverse_kl_divergence(at(0.9, 0.1), jnp.array([1.0, 0.0]))),
    ),
    "generalized_kl_divergence": (
        "only the shares matter: the total costs too",
        lambda: j.generalized_kl_divergence(at(1.0, 1.0), jnp.array([0.5, 0.5])) > 0.3,
    ),
    "js_divergence": (
        SLOW.format(0.003),
        lambda: round(start_of(lambda z, y, **o: j.js_divergence(jax.nn.log_softmax(z), HOT, **o)), 3) == 0.003,
    ),
    "renyi_divergence": (
        "the order is large: at 50 a class with 1 % of the labels rules when the model gives it 0.1 %",
        lambda: slope(j.renyi_divergence, at(0.999, 0.001), jnp.array([0.99, 0.01]), alpha=50.0)[1] < -0.99,
    ),
    "total_variation_distance": (
        SLOW.format(0.001),
        lambda: round(start_of(lambda z, y, **o: j.total_variation_distance(jax.nn.softmax(z), HOT, **o)), 3) == 0.001,
    ),
    "hellinger_distance": (
        SLOW.format(0.008),
        lambda: round(start_of(lambda z, y, **o: j.hellinger_distance(jax.nn.softmax(z), HOT, **o)), 3) == 0.008,
    ),
    "wasserstein_distance": (
        "the classes have no order: being off by three costs three times as much",
        lambda: math.isclose(
            j.wasserstein_distance(jnp.eye(4)[3], jnp.eye(4)[0]),
            3 * j.wasserstein_distance(jnp.eye(4)[1], jnp.eye(4)[0]),
        ),
    ),
    "gaussian_kl_divergence": (
        "a log-variance is far too large: it pulls with its exponential",
        lambda: abs(slope(lambda v, **o: j.gaussian_kl_divergence(jnp.zeros(1), v, **o), [20.0])[0]) > 1e8,
    ),
    "distillation_loss": (
        "the temperature is high: it fits the logits of unlikely classes as well, by their squares",
        lambda: math.isclose(
            j.distillation_loss(jnp.array([1.0, 0.0, -1.0]), ZEROS, temperature=1e3), 0.5 * 2 / 3, rel_tol=1e-2
        ),
    ),
}
HURTS |= {
    "dpo_loss": (
        "the better answer has to stay likely: both may fall by 100 nats, and it costs the same",
        lambda: j.dpo_loss(-101.0, -102.0, -1.0, -2.0) == j.dpo_loss(-1.0, -2.0, -1.0, -2.0),
    ),
    "cpo_loss": (
        "answers differ in length and are given by sums: 20 tokens of -0.5 lose against 5 of -1",
        lambda: j.cpo_loss(20 * -0.5, 5 * -1.0) > math.log(2) > j.cpo_loss(-0.5, -1.0),
    ),
    "orpo_loss": (
        "it is given sums of long answers: at -100 odds are as good as probabilities",
        lambda: math.isclose(
            j.orpo_loss(-100.0, -101.0, beta=1.0, nll_weight=0.0), j.cpo_loss(-100.0, -101.0, beta=1.0)
        ),
    ),
    "kto_loss": (
        "an answer is far off: 5 nats from the reference it pulls with 0.007",
        lambda: all(
            round(abs(float(slope(j.kto_loss, x, 0.0, good, beta=1.0, kl=0.0))), 3) == 0.007
            for x in (-5.0, 5.0)
            for good in (0.0, 1.0)
        ),
    ),
    "bradley_terry_loss": (
        "scores should stay near 0: only their difference counts, unless `centering` says so",
        lambda: (
            j.bradley_terry_loss(100.0, 99.0) == j.bradley_terry_loss(1.0, 0.0)
            and j.bradley_terry_loss(100.0, 99.0, centering=0.01) > 100 * j.bradley_terry_loss(1.0, 0.0, centering=0.01)
        ),
    ),
}


@pytest.mark.exhaustive
@every_loss
def test_when_it_hurts(name):
    text, shown = HURTS[name]
    assert TABLE[name][6] == text
    assert bool(shown())


# --- the views ------------------------------------------------------------------------------------------------------


def listed(start: str) -> set[str]:
    """The losses in rows of the last view that begin so."""
    found = [row for row in rows(section("By what it does to training")) if row[0].startswith(start)]
    assert found
    return {name for row in found for name in re.findall(r"`(\w+)`", row[1])}


def with_word(column: int, *words: str) -> set[str]:
    return {name for name, row in TABLE.items() if row[column] in words}


def test_training_view_sorts_by_the_table():
    assert listed("far off, a label pulls ever harder") == with_word(3, "grows")
    assert listed("far off, a label pulls less and less") == with_word(3, "vanishes")
    assert listed("near the optimum, the pull stays") == with_word(4, "stays")
    assert listed("right by a margin") == with_word(4, "stops")
    assert listed("the gradient jumps") == with_word(5, "0")
    assert listed("the gradient is continuous") == set(LOSSES) - with_word(5, "0", "all")


YES: dict[str, Callable[..., Any]] = {
    "binary_cross_entropy": lambda z, y: j.binary_cross_entropy(jax.nn.sigmoid(z), jnp.asarray(y, jnp.float64)),
    "nll_loss": two(lambda z, y: j.nll_loss(jax.nn.log_softmax(z), y)),
    "linear_cross_entropy": two(lambda z, y: j.linear_cross_entropy(z, jnp.eye(2), y)),
    "soft_margin_loss": margins(j.soft_margin_loss),
    "multilabel_soft_margin_loss": lambda z, y: j.multilabel_soft_margin_loss(z[None], jnp.asarray(y)[None]),
    "coral_loss": lambda z, y: j.coral_loss(z[None], y),
    "bi_tempered_logistic_loss": two(j.bi_tempered_logistic_loss, t1=0.7, t2=1.5),
    **{
        name: one(getattr(j, name))
        for name in (
            "binary_cross_entropy_with_logits",
            "sigmoid_focal_loss",
            "asymmetric_loss",
            "quality_focal_loss",
            "varifocal_loss",
            "gaussian_focal_loss",
        )
    },
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", sorted(listed("probabilities")))
def test_probabilities(name):
    """As they are least costly; the usual sigmoid or softmax makes them of the scores."""
    outcome = said(YES.get(name) or two(getattr(j, name)), 0.8)
    found = "right" if abs(outcome - 0.8) < 1e-3 else "too modest" if outcome < 0.8 else "too sure"
    assert name in listed(f"probabilities come out {found}")


def test_losses_with_a_likelihood_of_classes_have_right_probabilities():
    models = {name for name, row in TABLE.items() if row[1].startswith(("Bernoulli", "categorical"))}
    assert listed("probabilities come out right") == models - {"kl_divergence", "distillation_loss"}


@pytest.mark.parametrize("view", ["Begin with", "By data"])
def test_views_name_losses_and_what_shows_it(view):
    for row in rows(section(view)):
        assert re.search(r"\]\(", row[-1]), row
    names = set(re.findall(r"`(\w+_(?:loss|entropy|logits|distance|divergence))`", section(view) + section("In short")))
    assert names <= {*LOSSES, *WITHOUT_PROBES, *COMBINING, "z_loss"}
