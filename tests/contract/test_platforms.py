"""What accelerators compile says what the form for CPUs says: values, derivatives, and what doesn't fit."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxloss

from ..harness.derivatives import cast
from ..harness.platforms import forms_for
from ..harness.rows import CASES, FIRST, in_turn, of_each_kind
from .test_contract import by_call, calls, check_calls, exact, program, subject


pytestmark = pytest.mark.usefixtures("compiles_fast")


ROWS = [case for case in CASES if case in FIRST or "class_mask" in case.options]
PAIRS = [case for case in FIRST if case.loss is jaxloss.ensemble_crps_loss]  # which no kind of loss in `make test` has


@in_turn(ROWS, PAIRS, of_each_kind(FIRST))
def test_forms_of_other_platforms(case, x64):
    names, x, direction, held = calls(case)
    seen = [[]]  # a program without forms was tested for what it is
    for platform in ("tpu", "cuda"):
        with forms_for(platform) as named:
            lowered = program(subject(case)).lower(*cast((x, direction), jnp.float64), held)
        if named in seen:
            continue
        seen.append(named)
        found = by_call(lowered.compile()(*cast((x, direction), jnp.float64), held), names)
        check_calls(case, found)
        for name, wanted in exact(case).items():
            if "bad" not in name:
                error = f"{platform}, {name}"
                agrees = functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-9, err_msg=error)
                jax.tree.map(agrees, found[name], wanted)
