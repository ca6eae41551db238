"""The types that signatures are written in."""

from typing import Annotated, Literal, TypeAlias

import jax


Array: TypeAlias = jax.Array
ArrayLike: TypeAlias = jax.typing.ArrayLike

# Numbers with a range. The interval is checked wherever the number can be seen, and stands in the error.
NonNegative: TypeAlias = Annotated[ArrayLike, "[0, inf)"]
Proportion: TypeAlias = Annotated[ArrayLike, "[0, 1]"]

AxisName: TypeAlias = str | tuple[str, ...]
Reduction: TypeAlias = Literal["mean", "sum", "none", "total"]
