"""One example that is infinite, or as large as floats go, leaves those beside it alone and takes no part in theirs."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from ..harness.case import BATCH
from ..harness.problems import open_arrays, problem
from ..harness.rows import CASES, exhaustive


EXTREMES = (np.inf, -np.inf, 3e38, -3e38, 0.0)


def extreme_calls(own):
    """The arrays with each pair of extremes in the first example of two of them: in all that it holds, or in one."""
    names = sorted(own)
    pairs = list(itertools.combinations(names, 2)) or [(names[0], names[0])]
    for pair, values in itertools.product(pairs, itertools.product(EXTREMES, (*EXTREMES, None))):
        for whole in (True, False):
            changed = {name: np.array(x) for name, x in own.items()}
            for name, value in zip(pair, values):
                if value is not None:
                    changed[name][0 if whole or changed[name].ndim == 1 else (0,) * changed[name].ndim] = value
            yield changed


@exhaustive([case for case in CASES if not case.meeting])
def test_slopes_beside_an_extreme_example(case):
    """In both modes: where it isn't asked for, an infinite slope is 0 times itself."""
    p = problem(case)
    rest = {name: p.rest[name] for name in case.inputs if name in p.rest}
    call, arguments = open_arrays(case, p._replace(rest=rest))
    arrays = dict(zip(("x", "rest", "options"), arguments))
    flat = {(part, name): x for part in ("rest", "options") for name, x in arrays[part].items()} | {("x", ""): p.x}
    own = {k: x for k, x in flat.items() if x.dtype.kind == "f" and np.ndim(x) and len(x) == BATCH}
    if case.label_weights is not None:
        own.pop(("rest", "labels"), None)  # by which the weight changes, of a loss that may be infinite
    fixed = {k: x for k, x in flat.items() if k not in own}

    def losses(own):
        every = {**own, **fixed}
        rest, options = ({name: x for (part, name), x in every.items() if part == of} for of in ("rest", "options"))
        return call(every["x", ""], rest, options, reduction="none")

    rng = np.random.default_rng(0)
    shape = jax.eval_shape(losses, own).shape
    pull, push = rng.uniform(0.5, 1, shape), {k: rng.normal(size=x.shape).astype(np.float32) for k, x in own.items()}
    for x in (pull, *push.values()):
        x[0] = 0

    @jax.jit
    def slopes(own):
        values, change = jax.jvp(losses, (own,), (push,))
        return values, change, jax.vjp(losses, own)[1](jnp.asarray(pull, values.dtype))[0]

    _, wanted_change, wanted_slopes = slopes(own)
    for changed in extreme_calls(own):
        values, change, by = slopes(changed)
        fit = ~np.isnan(values[0])  # the slopes of what is NaN are NaN too
        assert not np.any(np.asarray(change)[0][fit])
        np.testing.assert_allclose(change[1:], wanted_change[1:], rtol=1e-5, atol=1e-6)
        for k in own:
            np.testing.assert_allclose(by[k][1:], wanted_slopes[k][1:], rtol=1e-5, atol=1e-6)
            assert not np.all(fit) or not np.any(by[k][0]), k
