"""`check_loss`: runs what every loss here promises on any loss: one of this package, of another, or your own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from ._testing.calls import Results, Subject, is_float
from ._testing.promises import PROMISES


__all__ = ["check_loss"]


def check_loss(
    loss: Callable[..., Any],
    *arguments: Any,
    weights: Any = None,
    mask: Any = None,
    meeting: bool = False,
    constant: tuple[str, ...] = (),
    **options: Any,
) -> list[str]:
    """Runs the contract on a loss, and says in words which promise it breaks, and by which input.

    The loss is called with weights and masks of every kind, with junk where it is masked, in every precision; it is
    differentiated in both modes and twice, mapped, and spread over the devices there are. Those of ``weights``,
    ``mask``, ``reduction`` and ``axis_name`` that it doesn't take are left out, with what is promised of them; without
    ``reduction`` it returns losses or their mean. Right values are known to nobody here: a reference is yours to write.

    Args:
      loss: a function of arrays. A ``lambda`` gives other names to what it takes: ``lambda x, y, mask: f(x, y, mask)``.
      arguments: arrays, the first one floating point with at least four rows; of the others those with as many rows go
        along with it. Draw them at random: at a kink, or where two are equal, differences say nothing of a slope.
      weights: any weights, where their shape is not that of the losses.
      mask: any mask, where its shape is not that of the losses: where elements have members.
      meeting: whether rows are compared with each other, as in contrastive losses: then copies and parts of a batch are
        another batch.
      constant: names of arguments that no gradient is to reach.
      options: passed on; floats are differentiated.

    Returns:
      The promises that were checked, in words.

    Raises:
      AssertionError: if some of them are broken: which, and by what.
      ValueError: if there is no call that could be checked.

    Example:
      >>> from jaxloss.testing import check_loss
      >>> x, y = jnp.linspace(-1, 2, 6), jnp.array([1.0, 0.5, -1.0, 2.0, 0.0, 3.0])
      >>> "A weight of 2 is two copies." in check_loss(jaxloss.huber_loss, x, y, delta=0.7)
      True
      >>> def by_hand(predictions, labels, mask):
      ...     return jnp.sum((predictions - labels) ** 2 * mask) / jnp.sum(mask)
      >>> check_loss(by_hand, x, y, mask=jnp.ones(6))
      Traceback (most recent call last):
      ...
      AssertionError: by_hand breaks 4 of 9 promises:
      - What is masked reaches no value and no derivative, whatever it holds. But ...
    """
    s = _subject(loss, arguments, weights, mask, options)._replace(meeting=meeting, constant=constant)
    found: Results = {}
    kept, broken = [], []
    for promise in PROMISES:
        try:
            kept += [str(promise.__doc__)] * (promise(s, found) is not False)
        except Exception as error:
            says = str(error).partition("\n")[0]
            says = says if isinstance(error, AssertionError) else f"it raises {type(error).__name__}: {says}"
            broken.append(f"- {promise.__doc__} But {says}")
            if not found:
                break
    if broken:
        raise AssertionError(
            "\n".join([f"{s.name} breaks {len(broken)} of {len(kept) + len(broken)} promises:", *broken])
        )
    return kept


def _subject(loss: Any, arguments: Any, weights: Any, mask: Any, options: dict[str, Any]) -> Subject:
    name = getattr(getattr(loss, "func", loss), "__name__", repr(loss))
    parameters = inspect.signature(loss).parameters.values()
    takes = {p.name for p in parameters} & {"weights", "mask", "reduction", "axis_name"}
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    given = dict(zip([key for key in names if key not in takes], map(np.asarray, arguments)))
    first = next(iter(given.values()), np.zeros(()))
    if len(given) < len(arguments) or first.ndim == 0 or len(first) < 4 or not is_float(first):
        raise ValueError(f"{name}: check_loss takes arrays with names, the first one of floats in at least four rows")
    s = Subject(name, loss, given, options, None, None, "reduction" in takes, "axis_name" in takes)
    examples = {key: np.ones(np.shape(x)) for key, x in {"weights": weights, "mask": mask}.items() if x is not None}
    losses = jax.eval_shape(lambda given: s.of(given, "none", **examples), given).shape
    shapes = {key: examples[key].shape if key in examples else losses for key in ("weights", "mask") if key in takes}
    if unknown := " and ".join(key for key, shape in shapes.items() if not shape):
        raise ValueError(f"{name} returns one number: check_loss needs an example of {unknown}, for its shape")
    return s._replace(**shapes)
