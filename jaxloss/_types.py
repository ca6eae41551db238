"""The types that signatures are written in."""

from typing import Annotated, Literal, NamedTuple, TypeAlias

import jax


Array: TypeAlias = jax.Array
ArrayLike: TypeAlias = jax.typing.ArrayLike


class Number(NamedTuple):
    """What an option may be: `jit` checks it wherever it can be seen, and says so in the error."""

    interval: str
    scalar: bool = True


NonNegative: TypeAlias = Annotated[ArrayLike, Number("[0, inf)")]
NonNegatives: TypeAlias = Annotated[ArrayLike, Number("[0, inf)", scalar=False)]
Proportion: TypeAlias = Annotated[ArrayLike, Number("[0, 1]")]

AxisName: TypeAlias = str | tuple[str, ...]
Reduction: TypeAlias = Literal["mean", "sum", "none", "total"]
