"""Likelihoods in float64 NumPy, from the formulas: what the rows of `cases.py` are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy


special: Any = scipy.special
stats: Any = scipy.stats


def gaussian(predictions, labels, variance, full=False, eps=1e-6, beta=None):
    """Without `beta`, whose weight is held constant: see `test_numerics.py`."""
    variance = np.maximum(variance, eps)
    nll = 0.5 * (np.log(variance) + (predictions - labels) ** 2 / variance)
    return nll + (0.5 * np.log(2 * np.pi) if full else 0)


def laplace(predictions, labels, scale, full=False):
    return np.log(scale) + abs(predictions - labels) / scale + (np.log(2) if full else 0)


def student_t(predictions, labels, scale, df, full=False):
    nll = -stats.t.logpdf(labels, df, predictions, scale)
    return nll - (0 if full else 0.5 * np.log(2 * np.pi))


def poisson(predictions, labels, log_input=True, full=False):
    rate = np.exp(predictions) if log_input else predictions
    log_rate = predictions if log_input else np.log(predictions)
    nll = rate - labels * log_rate
    if full == "stirling":
        large = np.where(labels > 1, labels, 1)
        approximation = large * np.log(large) - large + 0.5 * np.log(2 * np.pi * large)
        return nll + np.where(labels > 1, approximation, 0)
    return nll + (special.gammaln(labels + 1) if full else 0)


def negative_binomial(predictions, labels, dispersion, full=False):
    n = 1 / dispersion
    rising = special.gammaln(labels + n) - special.gammaln(n)
    nll = n * np.log1p(predictions / n) - labels * np.log(predictions / (n + predictions)) - rising
    return nll + (special.gammaln(labels + 1) if full else 0)


def gamma(predictions, labels, concentration, full=False):
    nll = -stats.gamma.logpdf(labels, concentration, scale=predictions / concentration)
    return nll - (0 if full else np.log(labels))


def tweedie(predictions, labels, power):
    power = np.asarray(power, np.float64)
    p = np.where((power == 1) | (power == 2), 0, power)
    y, mu = labels, predictions
    general = np.maximum(y, 0) ** (2 - p) / ((1 - p) * (2 - p)) - y * mu ** (1 - p) / (1 - p) + mu ** (2 - p) / (2 - p)
    with np.errstate(divide="ignore"):  # a label of 0, where the power isn't 2
        limits = [(power == 1, special.xlogy(y, y / mu) - y + mu), (power == 2, y / mu - 1 - np.log(y / mu))]
    return 2 * np.select(*map(list, zip(*limits)), general)


def gaussian_crps(predictions, labels, scale):
    z = (labels - predictions) / scale
    return scale * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))


def ensemble_crps(predictions, labels, axis=-1, fair=False):
    x = np.moveaxis(predictions, axis, -1)
    m = x.shape[-1]
    spread = abs(x[..., :, None] - x[..., None, :]).sum((-2, -1)) / (2 * m * (m - 1 if fair else m))
    return abs(x - labels[..., None]).mean(-1) - spread


def mixture(logits, labels, means, scales, full=False):
    logs = special.log_softmax(logits, -1) + stats.norm.logpdf(labels[..., None], means, scales)
    return -special.logsumexp(logs, -1) - (0 if full else 0.5 * np.log(2 * np.pi))
