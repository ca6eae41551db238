"""Losses for JAX: right over masks, weights, devices and microbatches; lean; one contract for all."""

from ._checks import checked as checked
from ._classification import (
    binary_cross_entropy as binary_cross_entropy,
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
    cross_entropy as cross_entropy,
    nll_loss as nll_loss,
)
from ._reduction import (
    Total as Total,
    reduce as reduce,
)
from ._regression import (
    l1_loss as l1_loss,
    mse_loss as mse_loss,
)


__version__ = "0.1.0"
