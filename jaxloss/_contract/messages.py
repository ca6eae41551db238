"""Errors name the function that the user called, and say what an option may be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np

from .types import Array


_caller: ContextVar[str] = ContextVar("caller", default="")


@contextmanager
def calling(name: str) -> Iterator[None]:
    """Messages name the function that the user called, not one that it calls in turn."""
    token = _caller.set(_caller.get() or name)
    try:
        yield
    finally:
        _caller.reset(token)


def inside_call() -> bool:
    return bool(_caller.get())


def message(text: str) -> str:
    return f"{_caller.get()}: {text}"


def kind_of(x: Any) -> str:
    """What came in place of something else, in words."""
    if x is None:
        return "None"
    kind = "array" if isinstance(x, Array) else type(x).__name__  # or a tracer, whose class says nothing
    return f"{'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind}"


def whole_number(name: str, value: Any, least: int) -> int:
    """A count that is static, or an error that says what it must be."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        raise ValueError(message(f"{name} must be an integer of at least {least}, got {value!r}"))
    return int(value)


def choice(name: str, value: Any, *known: str | int | None) -> None:
    """An error that says what an option may be, if it is anything else."""
    if value not in known:
        *others, last = map(repr, known)
        raise ValueError(message(f"{name} must be {', '.join(others)} or {last}, got {value!r}"))
