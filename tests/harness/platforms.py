"""The forms that `lax.platform_dependent` keeps for other platforms, run on this one."""

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import jax
from jax import lax


_platform = jax.make_user_context("cpu")  # a part of the key of every jit cache


@contextmanager
def forms_for(platform: str) -> Iterator[list[str]]:
    """Yields, for each form that is traced, whether it is this platform's or the default one."""
    named = []

    def chosen(*arguments, default=None, **forms):
        named.append(platform if platform in forms else "default")
        return forms.get(platform, default)(*arguments)

    with mock.patch.object(lax, "platform_dependent", chosen), _platform(platform):
        yield named
