"""What is special of sequences: lengths, what fits no path, long ones, sure ones, memory."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxloss

from . import formulas


pytestmark = pytest.mark.usefixtures("compiles_fast")
RNG = np.random.default_rng(0)
close = functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6)


def normal(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def classes(low, high, *shape):
    return RNG.integers(low, high, shape).astype(np.int32)


# --- lengths -------------------------------------------------------------------------------------------------------

LOGITS, CELLS, LABELS = normal(2, 6, 5), normal(2, 6, 4, 5), classes(1, 5, 2, 3)
HEAD = {"hidden_labels": normal(2, 4, 4), "kernel": normal(4, 5)}
LENGTHS = {"logit_lengths": np.array([4, 5]), "label_lengths": np.array([2, 1])}
SHORT = {
    jaxloss.ctc_loss: ({"logits": LOGITS, "labels": LABELS}, LENGTHS),
    jaxloss.rnnt_loss: ({"logits": CELLS, "labels": LABELS}, LENGTHS),
    jaxloss.linear_rnnt_loss: ({"hidden_frames": normal(2, 6, 4), **HEAD, "labels": LABELS}, LENGTHS),
    jaxloss.crf_nll_loss: (
        {"logits": LOGITS, "transitions": normal(5, 5), "labels": classes(0, 5, 2, 6)},
        {"lengths": np.array([4, 5])},
    ),
    jaxloss.soft_dtw_loss: (
        {"predictions": normal(2, 6, 3), "labels": normal(2, 3, 3)},
        {"prediction_lengths": np.array([4, 5]), "label_lengths": np.array([2, 1])},
    ),
}
every_loss = pytest.mark.parametrize("loss", SHORT, ids=lambda loss: loss.__name__)


def cut(name, x, lengths, row):
    """What exists of one sequence, and the same as an index."""
    counts = [int(x[row]) for x in lengths.values()]
    frames, labels = counts[0], counts[-1]
    sizes = {
        "predictions": (frames,),
        "logits": (frames, labels + 1)[: x.ndim - 2],
        "hidden_frames": (frames,),
        "hidden_labels": (labels + 1,),
        "labels": (labels,),
    }
    return (row, *map(slice, sizes[name])) if name in sizes else ...


@every_loss
def test_a_length_is_the_short_sequence_whatever_lies_beyond(loss):
    arguments, lengths = SHORT[loss]
    first = next(iter(arguments))
    soiled = {name: np.full_like(x, np.nan if x.dtype.kind == "f" else -100) for name, x in arguments.items()}
    for name, x in arguments.items():
        for row in range(2):
            soiled[name][cut(name, x, lengths, row)] = x[cut(name, x, lengths, row)]
    f = jax.jit(jax.value_and_grad(lambda x: loss(**{**soiled, first: x}, **lengths, reduction="sum")))
    value, slope = f(soiled[first])
    total = 0.0
    for row in range(2):
        short = {name: x[cut(name, x, lengths, row)] for name, x in arguments.items()}
        own, wanted = jax.jit(jax.value_and_grad(lambda x, short=short: loss(**{**short, first: x})))(short[first])
        here = cut(first, arguments[first], lengths, row)
        close(slope[here], wanted)
        total += own
        slope = slope.at[here].set(0)
    close(value, total)
    np.testing.assert_array_equal(slope, 0)


@every_loss
def test_no_place_at_all(loss):
    arguments, lengths = SHORT[loss]
    nothing = {name: np.zeros(2, np.int32) for name in lengths}
    losses = loss(**arguments, **nothing, reduction="none")
    close(losses, 0)
    if "label_lengths" in lengths:
        no_frames = {**nothing, "label_lengths": np.array([0, 1])}
        np.testing.assert_array_equal(loss(**arguments, **no_frames, reduction="none"), [0, np.inf])


def test_axes_without_a_place():
    z = normal(2, 3, 4)
    blanks = -jax.nn.log_softmax(z)[..., 0].sum(-1)
    close(jaxloss.ctc_loss(z, np.zeros((2, 0), int), reduction="none"), blanks)
    close(jaxloss.rnnt_loss(z[:, :, None], np.zeros((2, 0), int), reduction="none"), blanks)
    for labels, wanted in ((0, 0), (1, np.inf)):
        y = np.ones((2, labels), int)
        close(jaxloss.ctc_loss(z[:, :0], y, reduction="none"), wanted)
        close(jaxloss.rnnt_loss(np.zeros((2, 0, labels + 1, 4), np.float32), y, reduction="none"), wanted)
    crf = functools.partial(jaxloss.crf_nll_loss, z[:, :0], np.zeros((4, 4), np.float32), np.zeros((2, 0), int))
    close(crf(reduction="none"), 0)
    np.testing.assert_array_equal(crf(lengths=np.array([0, 1]), reduction="none"), [0, np.nan])


# --- what fits no path ---------------------------------------------------------------------------------------------


def derivatives(f, x):
    """Losses, slope and curvature along a line, forward over reverse and reverse over reverse."""
    total = lambda x: jnp.sum(f(x))  # noqa: E731
    line = jnp.broadcast_to(jnp.linspace(-1.0, 1.0, x[0].size).reshape(x.shape[1:]), x.shape)
    product = jax.jvp(jax.grad(total), (x,), (line,))[1]
    again = jax.grad(lambda x: jnp.vdot(jax.grad(total)(x), line))(x)
    return f(x), jax.grad(total)(x), product, again


RULED_OUT = normal(2, 6, 5)
RULED_OUT[1, :, 3] = -np.inf
IMPOSSIBLE = {
    "repeats without a frame between": (LOGITS[:, :3], [[1, 2, 3], [1, 1, 2]], {}),
    "fewer frames than labels": (LOGITS, [[1, 2, 3], [1, 4, 2]], {"logit_lengths": np.array([6, 2])}),
    "a class ruled out": (RULED_OUT, [[1, 2, 3], [1, 3, 2]], {}),
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_fits_no_path_costs_infinity_and_leaves_others_alone(name):
    logits, labels, options = IMPOSSIBLE[name]
    labels = np.array(labels)
    alone = {key: x[:1] for key, x in options.items()}
    f = lambda z: jaxloss.ctc_loss(z, labels, **options, reduction="none")  # noqa: E731
    losses, *found = jax.jit(functools.partial(derivatives, f))(jnp.asarray(logits))
    f = lambda z: jaxloss.ctc_loss(z, labels[:1], **alone)  # noqa: E731
    _, *wanted = jax.jit(functools.partial(derivatives, f))(jnp.asarray(logits[:1]))
    assert losses[1] == np.inf and np.isfinite(losses[0])
    for slopes, own in zip(found, wanted):
        close(slopes[:1], own)
        np.testing.assert_array_equal(slopes[1], 0)
    forgiven = jaxloss.ctc_loss(logits, labels, **options, zero_infinity=True, reduction="none")
    np.testing.assert_array_equal(forgiven, [losses[0], 0])


def test_transducers_and_chains_that_fit_no_path():
    cells = CELLS.copy()
    cells[1, :, :, LABELS[1, 1]] = -np.inf
    moves = np.zeros((5, 5), np.float32)
    moves[1, 2] = -np.inf
    tags = np.array([[0, 1, 3, 2, 1, 2], [0, 1, 3, 2, 1, 1]])[::-1]
    for f, x in (
        (lambda z: jaxloss.rnnt_loss(z, LABELS, reduction="none"), cells),
        (lambda z: jaxloss.crf_nll_loss(z, moves, tags, reduction="none"), LOGITS),
    ):
        losses, *found = jax.jit(functools.partial(derivatives, f))(jnp.asarray(x))
        assert losses[1] == np.inf and np.isfinite(losses[0])
        for slopes in found:
            assert np.all(np.isfinite(slopes)) and np.any(slopes[0])
            np.testing.assert_array_equal(slopes[1], 0)


# --- numbers -------------------------------------------------------------------------------------------------------


def test_an_offset_changes_nothing():
    z = np.round(LOGITS * 4) * 8  # what 1e8 leaves of a float32
    for offset in (1e8, -1e8):
        for f in (
            lambda z: jaxloss.ctc_loss(z, LABELS),
            lambda z: jaxloss.unlikelihood_loss(z, LABELS[:, :1].repeat(6, 1)),
            lambda z: jaxloss.rnnt_loss(jnp.stack([z] * 4, 2), LABELS),
        ):
            value, slope = jax.value_and_grad(f)(jnp.asarray(z))
            far, slope_far = jax.value_and_grad(f)(jnp.asarray(z + np.float32(offset)))
            close(far, value)
            close(slope_far, slope)


def test_sure_frames_keep_their_relative_accuracy():
    z = np.zeros((1, 40, 2), np.float32)
    z[..., 1] = 17
    with jax.enable_x64(True):
        exact = jaxloss.ctc_loss(z.astype(np.float64), np.array([[1]]))
    close(jaxloss.ctc_loss(z, np.array([[1]])), exact, rtol=1e-5, atol=0)
    tags = np.ones((1, 40), int)
    expected = jaxloss.cross_entropy(z, tags, reduction="sum")
    close(jaxloss.crf_nll_loss(z, np.zeros((2, 2), np.float32), tags), expected, rtol=1e-5, atol=0)


def test_a_long_sequence_against_float64():
    z, y = normal(2, 500, 32), classes(1, 32, 2, 100)
    slope = jax.jit(jax.grad(lambda z: jaxloss.ctc_loss(z, y, reduction="sum")))
    found = np.asarray(slope(z))
    with jax.enable_x64(True):
        exact = np.asarray(slope(z.astype(np.float64)))
    assert np.abs(found - exact).max() < 5e-5


def test_a_blank_of_numpy(x64):
    with jax.numpy_dtype_promotion("strict"):
        close(jaxloss.ctc_loss(LOGITS, LABELS, blank=np.int64(0)), jaxloss.ctc_loss(LOGITS, LABELS))
        close(jaxloss.rnnt_loss(CELLS, LABELS, blank=np.int64(0)), jaxloss.rnnt_loss(CELLS, LABELS))


def test_ctc_against_optax():
    z, y = normal(4, 30, 8), classes(1, 8, 4, 6)
    frames, labels = np.array([30, 25, 20, 30]), np.array([6, 5, 0, 3])
    paddings = [(np.arange(n) >= k[:, None]).astype(np.float32) for n, k in ((30, frames), (6, labels))]
    theirs = lambda z: optax.ctc_loss(z, paddings[0], y, paddings[1])  # noqa: E731
    ours = lambda z: jaxloss.ctc_loss(z, y, logit_lengths=frames, label_lengths=labels, reduction="none")  # noqa: E731
    close(ours(z), theirs(z), rtol=1e-4)
    close(*(jax.grad(lambda z, f=f: jnp.sum(f(z)))(z) for f in (ours, theirs)), atol=1e-4)


def test_a_chain_without_transitions_is_cross_entropy():
    y = classes(0, 5, 2, 6)
    found = jaxloss.crf_nll_loss(LOGITS, np.zeros((5, 5), np.float32), y, reduction="none")
    close(found, jaxloss.cross_entropy(LOGITS, y, reduction="none").sum(-1))
    close(jaxloss.crf_nll_loss(LOGITS[..., :1], np.zeros((1, 1), np.float32), 0 * y), 0)


def test_a_path_through_a_state_that_is_hardly_possible_survives():
    """The only way to the label leads through a tag of e^-200."""
    moves = np.full((3, 3), -np.inf, np.float32)
    moves[0, 0] = moves[0, 1] = moves[1, 2] = 0
    z = np.zeros((1, 3, 3), np.float32)
    z[0, 1, 1] = -200
    y = np.array([[0, 1, 2]])
    f = lambda z, moves: jaxloss.crf_nll_loss(z, moves, y)  # noqa: E731
    value, slopes = jax.value_and_grad(f, (0, 1))(z, moves)
    expected = formulas.crf(z.astype(float), y, moves.astype(float))
    close(value, expected[0])
    assert np.all(np.isfinite(slopes[0])) and np.all(np.isfinite(slopes[1]))


def test_unlikelihood_of_what_is_sure():
    z = np.zeros((1, 3), np.float32)
    z[0, 0] = 100
    for labels in (np.array([0]), np.array([[1.0, 0, 0]]), np.array([[True, False, False]])):
        value, slope = jax.value_and_grad(lambda z, labels=labels: jaxloss.unlikelihood_loss(z, labels))(z)
        close(value, 100 - np.log(2))
        close(slope, [[1, -0.5, -0.5]])
    close(jaxloss.unlikelihood_loss(z, np.array([1])), np.exp(-100.0), rtol=1e-5, atol=1e-40)
    assert jaxloss.unlikelihood_loss(z[:, :1], np.array([0])) == np.inf


@pytest.mark.parametrize("divergence", [False, True])
def test_soft_dtw_at_infinities_and_far_apart(divergence):
    """A series with an infinity costs infinity, beside itself nothing, and leaves others alone."""
    x, y = normal(3, 5, 2), normal(3, 4, 2)
    f = lambda x, y: jaxloss.soft_dtw_loss(x, y, divergence=divergence, reduction="none")  # noqa: E731
    slope = jax.grad(lambda x, y: jnp.sum(f(x, y)), (0, 1))
    (wanted, wanted_slopes), far = (f(x, y), slope(x, y)), x.copy()
    far[0, 1, 0], far[1, 2, 1] = np.inf, 3e38
    losses, slopes = f(far, y), slope(far, y)
    np.testing.assert_array_equal(losses[:2], np.inf)
    close(losses[2], wanted[2])
    for found, expected in zip(slopes, wanted_slopes):
        close(found[2], expected[2])
        assert not np.any(found[:2])
    assert np.all(np.isfinite(f(far, far)))


def test_soft_dtw_near_its_limit_and_as_a_divergence():
    x, y = normal(3, 6, 2), normal(3, 7, 2)
    costs = np.square(x[:, :, None] - y[:, None]).sum(-1)
    hard = np.full((3, 7, 8), np.inf)
    hard[:, 0, 0] = 0
    for i, j in np.ndindex(6, 7):
        hard[:, i + 1, j + 1] = costs[:, i, j] + np.minimum(
            np.minimum(hard[:, i, j + 1], hard[:, i + 1, j]), hard[:, i, j]
        )
    close(jaxloss.soft_dtw_loss(x, y, gamma=1e-5, reduction="none"), hard[:, -1, -1], rtol=1e-4)
    same = jax.value_and_grad(lambda x: jaxloss.soft_dtw_loss(x, y, divergence=True))(y)
    close(same[0], 0)
    close(same[1], 0)


def test_soft_dtw_by_its_gamma():
    x, y = normal(3, 6, 2), normal(3, 7, 2)
    expected = [formulas.soft_dtw(*(z[:, :4].astype(float) for z in (x, y)), gamma=gamma) for gamma in (0.699, 0.701)]
    slope = jax.grad(lambda gamma: jaxloss.soft_dtw_loss(x[:, :4], y[:, :4], gamma=gamma, reduction="sum"))(0.7)
    close(slope, np.sum(expected[1] - expected[0]) / 0.002, rtol=1e-4)


def test_linear_is_the_transducer_of_its_logits():
    frames, options = normal(2, 6, 4), {"bias": normal(5), **LENGTHS}
    joint = lambda f, g, w, b: jnp.tanh(f[:, :, None] + g[:, None]) @ w + b[None, None, None]  # noqa: E731
    x = frames, HEAD["hidden_labels"], HEAD["kernel"], options.pop("bias")
    plain = lambda *x: jaxloss.rnnt_loss(joint(*x), LABELS, **options)  # noqa: E731
    for chunk_size in (None, 1, 4):
        linear = lambda f, g, w, b, size=chunk_size: jaxloss.linear_rnnt_loss(  # noqa: E731
            f, g, w, LABELS, bias=b, chunk_size=size, **options
        )
        jax.tree.map(close, *(jax.value_and_grad(f, (0, 1, 2, 3))(*x) for f in (linear, plain)))


# --- memory, compiled and not run ----------------------------------------------------------------------------------


def temporaries(f, *shapes):
    arrays = [jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes]
    compiled = jax.jit(jax.value_and_grad(f, tuple(range(len(shapes))))).lower(*arrays).compile()
    return compiled.memory_analysis().temp_size_in_bytes


@pytest.mark.as_users_compile
def test_temporaries_of_ctc():
    """Less than half of what Optax takes."""
    y = classes(1, 64, 16, 40)
    shape = (16, 200, 64)
    ours = temporaries(lambda z: jaxloss.ctc_loss(z, y), shape)
    none = np.zeros((16, 200), np.float32), np.zeros((16, 40), np.float32)
    theirs = temporaries(lambda z: optax.ctc_loss(z, none[0], y, none[1]).mean(), shape)
    assert ours < 0.5 * theirs


@pytest.mark.as_users_compile
def test_temporaries_of_transducers():
    """Beside the logits and their gradient next to nothing; without logits a small part of them."""
    y = classes(1, 512, 2, 20)
    shape = (2, 64, 21, 512)
    logits = 4 * int(np.prod(shape))
    assert temporaries(lambda z: jaxloss.rnnt_loss(z, y), shape) < 0.05 * logits
    y = classes(1, 1000, 4, 40)
    linear = lambda f, g, w: jaxloss.linear_rnnt_loss(f, g, w, y)  # noqa: E731
    assert temporaries(linear, (4, 200, 256), (4, 41, 256), (256, 1000)) < 0.15 * 4 * 4 * 200 * 41 * 1000
    y = classes(1, 11, 64, 7)  # few: there the joint layer is what is large, of which some frames are held at once
    assert temporaries(linear, (64, 42, 128), (64, 8, 128), (128, 11)) < 0.7 * 4 * 64 * 42 * 8 * 128


@pytest.mark.as_users_compile
def test_temporaries_of_soft_dtw():
    """Some values for each pair of steps, none for each feature of one."""
    shape = (4, 100, 32)
    assert temporaries(jaxloss.soft_dtw_loss, shape, shape) < 12 * 4 * 4 * 100 * 100


# --- messages ------------------------------------------------------------------------------------------------------

J = jaxloss
ctc, crf, rnnt, linear = J.ctc_loss, J.crf_nll_loss, J.rnnt_loss, J.linear_rnnt_loss
ZEROS = np.zeros((5, 5), np.float32)
MESSAGES = [
    (lambda: ctc(LOGITS, LABELS.astype(np.float32)), "ctc_loss: labels must be integers of shape (2, labels), got f"),
    (lambda: ctc(LOGITS, LABELS[:, 0]), "ctc_loss: labels must have shape (2, labels), got (2,); with one number a"),
    (lambda: ctc(LOGITS[0, 0], LABELS), "ctc_loss: logits must have shape [..., frames, classes], got (5,)"),
    (lambda: ctc(LOGITS, LABELS, blank=5), "ctc_loss: blank must lie in [0, 5), got 5"),
    (lambda: ctc(LOGITS, LABELS, blank=True), "ctc_loss: blank must be an integer, got True"),
    (
        lambda: ctc(LOGITS, LABELS, logit_lengths=np.ones((2, 6))),
        "ctc_loss: logit_lengths must be integers of shape (2,), got float32 of shape (2, 6); of a mask take its sum",
    ),
    (
        lambda: ctc(LOGITS, LABELS, label_lengths=np.ones((2, 1), int)),
        "ctc_loss: label_lengths must have shape (2,), one for each sequence, got (2, 1); reshape it to (2,)",
    ),
    (lambda: ctc(LOGITS, LABELS, mask=np.ones((2, 6))), "ctc_loss: mask must be a scalar or match the per-element"),
    (lambda: crf(LOGITS[0, 0], ZEROS, LABELS), "crf_nll_loss: logits must have shape [..., steps, tags], got (5,)"),
    (lambda: crf(LOGITS, ZEROS[1:], LABELS), "crf_nll_loss: transitions must have shape (5, 5), to fit the tags of"),
    (lambda: crf(LOGITS, ZEROS, LABELS), "crf_nll_loss: labels must have shape (2, 6), got (2, 3)"),
    (
        lambda: crf(LOGITS, ZEROS, LABELS.repeat(2, 1), end=np.ones(4)),
        "crf_nll_loss: end must have shape (5,), to fit the tags",
    ),
    (lambda: rnnt(LOGITS[:, 0], LABELS), "rnnt_loss: logits must have shape [..., frames, labels + 1, classes], got"),
    (
        lambda: rnnt(CELLS, LABELS[:, 1:]),
        "rnnt_loss: labels must have shape (2, 3), one label less than the places of logits, got (2, 2)",
    ),
    (
        lambda: linear(normal(4), **HEAD, labels=LABELS),
        "linear_rnnt_loss: hidden_frames must have shape [..., frames, features], got (4,)",
    ),
    (
        lambda: linear(normal(2, 6, 4), **HEAD, labels=LABELS, bias=normal(9)),
        "linear_rnnt_loss: bias must have shape (5,), got (9,)",
    ),
    (
        lambda: linear(normal(2, 6, 4), **HEAD, labels=LABELS, chunk_size=True),
        "linear_rnnt_loss: chunk_size must be an integer, got True",
    ),
    (
        lambda: linear(normal(2, 6, 4), **HEAD | {"kernel": normal(5, 4)}, labels=LABELS),
        "linear_rnnt_loss: kernel must have shape (4, classes), got (5, 4); transposed it fits: kernel.T",
    ),
    (
        lambda: linear(normal(2, 6, 4), **HEAD | {"kernel": normal(4, 0)}, labels=LABELS),
        "linear_rnnt_loss: kernel must have shape (4, classes), got (4, 0)",
    ),
    (
        lambda: linear(normal(2, 6, 4), **HEAD, labels=LABELS, chunk_size=0),
        "linear_rnnt_loss: chunk_size must be at least 1, got 0",
    ),
    (
        lambda: J.soft_dtw_loss(normal(4), normal(4)),
        "soft_dtw_loss: predictions must have shape [..., steps, features], got (4,)",
    ),
    (
        lambda: J.soft_dtw_loss(normal(2, 4, 3), normal(2, 5, 2)),
        "soft_dtw_loss: labels must have shape (2, other steps, 3), got (2, 5, 2)",
    ),
    (
        lambda: J.soft_dtw_loss(normal(2, 4, 3), normal(2, 5, 3), prediction_lengths=np.ones(2)),
        "soft_dtw_loss: prediction_lengths must be integers of shape (2,), got float32 of shape (2,)",
    ),
]


@pytest.mark.parametrize(("call", "says"), MESSAGES, ids=[says[:60] for _, says in MESSAGES])
def test_messages(call, says):
    with pytest.raises((ValueError, TypeError)) as error:
        call()
    assert str(error.value).startswith(says)
