"""Labels of language models."""

from __future__ import annotations

import jax.numpy as jnp

from .._contract.arrays import array, iota, real
from .._contract.jit import jit
from .._contract.messages import message
from .._contract.shapes import broadcastable, exactly
from .._contract.types import Array, ArrayLike


@jit
def next_token_labels(
    tokens: ArrayLike, mask: ArrayLike | None = None, *, segment_ids: ArrayLike | None = None
) -> tuple[Array, Array]:
    r"""For each token the next one, and the mask of those that have one to predict.

    .. math::
      y_t = x_{t+1} \qquad m_t = m'_{t+1} \ \text{and} \ s_{t+1} = s_t

    for tokens :math:`x`, the given mask :math:`m'` and segments :math:`s`; the last :math:`m_t` is False. So logits and
    hidden states need not be sliced, which would copy them and leave a length that few chunks divide, and labels and
    mask can't be shifted apart.

    A sequence lies whole on its device.

    Args:
      tokens: integers, ``[..., time]``.
      mask: bool, which tokens are to be predicted: no padding, no prompt. A scalar, or the rank of ``tokens`` with each
        dimension equal or 1.
      segment_ids: integers of the shape of ``tokens``, for packed sequences: none predicts the next one's first token.

    Returns:
      ``(labels, mask)``, both of the shape of ``tokens``, for `cross_entropy`, `linear_cross_entropy` and their kin.
      The last label repeats the last token, and so is in range.

    Raises:
      TypeError: if ``tokens`` or ``segment_ids`` aren't integers, or ``mask`` isn't bool.
      ValueError: if shapes don't fit.

    Example:
      >>> labels, mask = jaxloss.next_token_labels(jnp.array([5, 6, 7, 8]), segment_ids=jnp.array([1, 1, 2, 2]))
      >>> labels, mask
      (Array([6, 7, 8, 8], dtype=int32), Array([ True, False,  True, False], dtype=bool))
    """
    tokens = _integers("tokens", tokens)
    if not tokens.ndim:
        raise ValueError(message("tokens must have an axis of time, got shape ()"))
    exists = jnp.ones((), bool) if mask is None else broadcastable("mask", mask, tokens.shape, "tokens")
    if exists.dtype != jnp.bool_:
        raise TypeError(message(f"mask must be bool, got {exists.dtype}; compare it with != 0"))
    exists = _next(jnp.broadcast_to(exists, tokens.shape))
    if segment_ids is not None:
        segment_ids = _integers("segment_ids", segment_ids)
        exactly("segment_ids", segment_ids, tokens.shape, f"the shape of tokens, {tokens.shape}")
        exists &= segment_ids == _next(segment_ids)
    last = iota(tokens, tokens.ndim - 1) == tokens.shape[-1] - 1
    return _next(tokens), exists & ~last


def _integers(name: str, x: ArrayLike) -> Array:
    x = array(name, x)
    if real(x) or x.dtype == jnp.bool_:
        raise TypeError(message(f"{name} must be integers, got {x.dtype}"))
    return x


def _next(x: Array) -> Array:
    """What comes next in time, at the end the last once more."""
    return jnp.concatenate([x[..., 1:], x[..., -1:]], -1)
