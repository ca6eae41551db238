"""What `lax.platform_dependent` keeps for accelerators, run here: it says what the form for CPUs says."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from ..harness.derivatives import cast
from ..harness.rows import CASES, FIRST, exhaustive
from .test_contract import by_call, calls, check_calls, exact, program


pytestmark = pytest.mark.usefixtures("compiles_fast")

platform_of = jax.make_user_context("cpu")  # a part of the key of every jit cache


def built(case, platform, monkeypatch):
    """The row's program with the forms for a platform, and for which platforms these are named."""
    named = []

    def chosen(*arguments, default=None, **forms):
        named.append(platform if platform in forms else "default")
        return forms.get(platform, default)(*arguments)

    _, x, direction, held = calls(case)
    with monkeypatch.context() as patch, platform_of(platform):
        patch.setattr(lax, "platform_dependent", chosen)
        return program(case).lower(*cast((x, direction), jnp.float64), held), named


@exhaustive([case for case in CASES if case in FIRST or "class_mask" in case.options])
def test_forms_of_other_platforms(case, x64, monkeypatch):
    names, x, direction, held = calls(case)
    seen = [[]]  # a program without forms was tested for what it is
    for platform in ("tpu", "cuda"):
        lowered, named = built(case, platform, monkeypatch)
        if named in seen:
            continue
        seen.append(named)
        found = by_call(lowered.compile()(*cast((x, direction), jnp.float64), held), names)
        check_calls(case, found)
        for name, wanted in exact(case).items():
            if "bad" not in name:
                agrees = functools.partial(
                    np.testing.assert_allclose, rtol=1e-9, atol=1e-9, err_msg=f"{platform}, {name}"
                )
                jax.tree.map(agrees, found[name], wanted)
