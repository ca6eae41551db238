"""The types that signatures are written in."""

from typing import Annotated, Literal, NamedTuple, TypeAlias

import jax


Array: TypeAlias = jax.Array
ArrayLike: TypeAlias = jax.typing.ArrayLike


class Number(NamedTuple):
    """What an option may be: `jit` checks it wherever it can be seen, and says so in the error."""

    interval: str
    scalar: bool = True  # else it may be one for each class


class Parameter(NamedTuple):
    """What an option of one number an element may be: `jit` checks a plain number, `inputs.parameter` the rest."""

    interval: str


Finite: TypeAlias = Annotated[ArrayLike, Number("(-inf, inf)")]
NonPositive: TypeAlias = Annotated[ArrayLike, Number("(-inf, 0]")]
NonNegative: TypeAlias = Annotated[ArrayLike, Number("[0, inf)")]
NonNegatives: TypeAlias = Annotated[ArrayLike, Number("[0, inf)", scalar=False)]
AboveOne: TypeAlias = Annotated[ArrayLike, Number("(1, inf)")]
Positive: TypeAlias = Annotated[ArrayLike, Number("(0, inf)")]
Proportion: TypeAlias = Annotated[ArrayLike, Number("[0, 1]")]

EachNonNegative: TypeAlias = Annotated[ArrayLike, Parameter("[0, inf)")]
EachNumber: TypeAlias = Annotated[ArrayLike, Parameter("(-inf, inf)")]
EachPositive: TypeAlias = Annotated[ArrayLike, Parameter("(0, inf)")]
EachProportion: TypeAlias = Annotated[ArrayLike, Parameter("[0, 1]")]
EachShape: TypeAlias = Annotated[ArrayLike, Parameter("[-inf, inf)")]

Axes: TypeAlias = int | tuple[int, ...]
AxisName: TypeAlias = str | tuple[str, ...]
Reduction: TypeAlias = Literal["mean", "sum", "none", "total"]
