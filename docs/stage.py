"""What moves along the axis of a picture, above the curves: regions, lists, pairs, alignments."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxloss
from jaxloss.plotting import plot_loss


Picture: TypeAlias = tuple[str, Callable[[], Any]]
DARK, LIGHT, MOVING = "#35618f", "#c9d6e3", "#d1495b"


def scene(caption: str, draw: Callable[..., None], over: Callable[..., Any], span: Any, *losses: Any) -> Picture:
    """The curves below five stations of the way."""

    def picture() -> Any:
        figure = plt.figure(figsize=(9, 5), layout="constrained")
        top, bottom = figure.subfigures(2, 1, height_ratios=(1, 2.6))
        axes = plot_loss(*losses, over=over, span=span, axes=bottom.subplots(1, 2))
        for place, ax in zip(np.linspace(*span, 7)[1:-1].round(2) + 0.0, top.subplots(1, 5)):
            ax.set(xticks=[], yticks=[])
            ax.set_title(f"{axes[0].get_xlabel()} {place:.2g}", fontsize=9)
            draw(ax, place)
        return axes

    return caption, picture


def marked(caption: str, marks: dict[float, str], over: Callable[..., Any], span: Any, *losses: Any) -> Picture:
    """The curves, and what places along the axis mean."""

    def picture() -> Any:
        axes = plot_loss(*losses, over=over, span=span)
        for ax in axes:
            for place, text in marks.items():
                ax.axvline(place, color="gray", linewidth=0.8, linestyle=":")
                ax.text(
                    place, 0.02, f" {text}", transform=ax.get_xaxis_transform(), fontsize=8, color="gray", rotation=90
                )
        return axes

    return caption, picture


# --- regions: one that grows ----------------------------------------------------------------------------------------

PIXELS = np.stack(np.meshgrid(*[np.arange(24, dtype=np.float32)] * 2), -1)
LABEL = np.linalg.norm(PIXELS - 11.5, axis=-1) - 6  # below 0 inside
ROAD = np.abs(PIXELS[..., 1] - 11.5) < np.where(PIXELS[..., 0] < 13, 1.6, 8)
TEXTURE = 0.5 + 0.4 * np.sin(PIXELS[..., 0]) * np.cos(PIXELS[..., 1] / 2)
NOISE = np.random.default_rng(0).normal(size=(24, 24)).astype(np.float32)


def grown(radius: Any) -> Any:
    """Scores of a disc beside the label's middle."""
    return 2 * (radius - jnp.linalg.norm(PIXELS - jnp.array([13.5, 11.5]), axis=-1))


def broken(gap: Any) -> Any:
    return ROAD * jax.nn.sigmoid(2 * (jnp.abs(PIXELS[..., 0] - 6) - gap / 2))


def show(pixels: Callable[..., Any], label: Any) -> Callable[..., None]:
    def draw(ax: Any, place: float) -> None:
        ax.imshow(pixels(place), cmap="Blues", vmin=0, vmax=1)
        if label is not None:
            ax.contour(label, [0.0], colors=MOVING)

    return draw


def region(*losses: Any, given: Callable[..., Any] = jax.nn.sigmoid, label: Any = LABEL < 0) -> Picture:
    return scene(
        "Over the radius of a predicted region; the label, outlined, has a radius of 6 and another middle.",
        show(lambda radius: jax.nn.sigmoid(grown(radius)), LABEL),
        lambda radius: (given(grown(radius))[None], jnp.asarray(label)[None]),
        (1, 12),
        *losses,
    )


def classes(scores: Any) -> Any:
    return jnp.stack([jax.nn.sigmoid(-scores), jax.nn.sigmoid(scores)], -1)


def alone(*losses: Any, **options: Any) -> dict[str, Any]:
    """Of one class, without an axis for it."""
    return {loss.__name__: partial(loss, axis=None, **options) for loss in losses}


# --- lists: one that is put in order --------------------------------------------------------------------------------

GRADES = np.array([2, 1, 0, 0, 1])


def scores(score: Any) -> Any:
    return jnp.stack([score, *(score * 0 + x for x in (1.5, 0.5, -0.5, -1.5))])


def ranks(ax: Any, score: float) -> None:
    for place, item in enumerate(np.argsort(-np.asarray(scores(jnp.asarray(score))))):
        color = MOVING if item == 0 else [LIGHT, DARK][GRADES[item]]
        ax.barh(-place, 1, color=color)
        ax.text(
            0.5,
            -place,
            GRADES[item],
            ha="center",
            va="center",
            fontsize=8,
            color="black" if color == LIGHT else "white",
        )


def of_list(*losses: Any) -> Picture:
    return scene(
        "Over the score of the best of five items; the others, of grades 1, 0, 0 and 1, have 1.5, 0.5, -0.5 and -1.5.",
        ranks,
        lambda score: (scores(score), jnp.asarray(GRADES, jnp.float32)),
        (-3, 3),
        *losses,
    )


# --- embeddings: a pair that moves apart ----------------------------------------------------------------------------

OTHERS = (1.8, 2.4, 4.2)
TURN = (-3.1416, 3.1416)
CLOUD = np.random.default_rng(1).normal(0, (1, 0.5), (16, 2)).astype(np.float32)


def at(*angles: Any) -> Any:
    return jnp.stack([jnp.stack([jnp.cos(jnp.asarray(a)), jnp.sin(jnp.asarray(a))]) for a in angles])


def batch(angle: Any) -> Any:
    return at(0 * angle, angle, *OTHERS), jnp.array([0, 0, 1, 1, 2])


def couples(angle: Any) -> Any:
    return at(0 * angle, 2.1, 4.2), at(angle, 2.1, 4.2)


def rotated(angle: Any) -> Any:
    return CLOUD, CLOUD @ jnp.stack([at(angle)[0], at(angle + jnp.pi / 2)[0]])


def on_circle(ax: Any, angle: float, others: Any, marker: str = "o") -> None:
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="lightgray"))
    points = np.asarray(at(0.0, angle))
    ax.plot(*points.T, color=MOVING, linewidth=0.8)
    ax.plot(*points[0], "o", color=MOVING)
    ax.plot(*points[1], marker, color=MOVING)
    for other in others:
        ax.plot(np.cos(other), np.sin(other), marker, color=DARK)
    ax.set(xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), aspect="equal")


def of_batch(*losses: Any) -> Picture:
    caption = "Over the angle between the two rows of one class; the other rows, of two other classes, stay."
    return scene(caption, partial(on_circle, others=OTHERS), batch, TURN, *losses)


def of_couples(*losses: Any) -> Picture:
    caption = "Over the angle between the two of a pair, a dot and a cross; two other pairs are where they should be."
    return scene(caption, partial(on_circle, others=(2.1, 4.2), marker="X"), couples, TURN, *losses)


def of_directions(over: Callable[..., Any], *losses: Any) -> Picture:
    def draw(ax: Any, angle: float) -> None:
        for other, color in ((0, MOVING), (2.1, DARK), (4.2, DARK)):
            ax.annotate("", (np.cos(other), np.sin(other)), (0, 0), arrowprops={"arrowstyle": "->", "color": color})
        on_circle(ax, angle, ())

    caption = "Over the angle between a row and the vector of its class; arrows are the vectors of three classes."
    return scene(caption, draw, over, TURN, *losses)


def of_views(*losses: Any) -> Picture:
    def draw(ax: Any, angle: float) -> None:
        for points, color in zip(rotated(angle), (DARK, MOVING)):
            ax.plot(*np.asarray(points).T, ".", color=color)
        ax.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")

    return scene("Over the angle by which one of two views of 16 things is turned.", draw, rotated, TURN, *losses)


def apart(ax: Any, distance: float) -> None:
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, color="gray", linestyle=":"))
    ax.plot([0, distance], [0, 0], "o-", color=MOVING, linewidth=0.8)
    ax.set(xlim=(-1.2, 2.2), ylim=(-1.3, 1.3), aspect="equal")


# --- sequences: an alignment that shifts ----------------------------------------------------------------------------

FRAMES = np.arange(8, dtype=np.float32)
AFTER = np.array([[0, 0, -9], [0, -9, 0], [0, -9, -9]], np.float32)  # what may come after 0, 1 and 2 labels
SPOKEN = np.array([[1, 2]])
TAGS = np.array([[0, 0, 0, 0, 1, 1, 1, 1]])
STEPS = np.arange(24, dtype=np.float32)


def spoken(place: Any) -> Any:
    """Logits of blank, of a label at frame 3 and of one at this place."""
    bump = lambda middle: 8 * jnp.exp(-((FRAMES - middle) ** 2)) - 2  # noqa: E731
    return jnp.stack([0 * FRAMES + 2, bump(3.0), bump(place)], -1)


def tags(switch: Any) -> Any:
    return 0.7 * jnp.stack([-jnp.tanh(FRAMES - switch), jnp.tanh(FRAMES - switch)], -1)


def heat(logits: Callable[..., Any], names: str) -> Callable[..., None]:
    def draw(ax: Any, place: float) -> None:
        ax.imshow(jax.nn.softmax(logits(place)).T, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        ax.set(yticks=range(len(names)), yticklabels=names)

    return draw


def of_alignment(over: Callable[..., Any], *losses: Any) -> Picture:
    caption = "Over the frame of the second of two labels, a and b, of which the first is at frame 3; _ is blank."
    return scene(caption, heat(spoken, "_ab"), over, (0, 7), *losses)


def pulse(shift: Any) -> Any:
    return jnp.exp(-(((STEPS - 11.5 - shift) / 2) ** 2))[:, None]


def series(ax: Any, shift: float) -> None:
    ax.plot(STEPS, pulse(0.0), color=DARK)
    ax.plot(STEPS, pulse(shift), color=MOVING)


def shares(*labels: float) -> Callable[..., None]:
    """Probabilities of three classes, the first of which moves, beside the label's."""

    def draw(ax: Any, logit: float) -> None:
        ax.bar(np.arange(3), jax.nn.softmax(jnp.array([logit, 0, 0])), 0.4, color=[MOVING, DARK, DARK])
        ax.bar(np.arange(3) + 0.4, labels or [0] * 3, 0.4, color=LIGHT)
        ax.set(ylim=(0, 1))

    return draw


def logits(logit: Any) -> Any:
    return jnp.stack([logit, 0 * logit, 0 * logit])


ADVANTAGES = {"advantage 1": 1.0, "advantage -1": -1.0}
CLIPPED = {float(np.log(0.8)): "ratio 0.8", float(np.log(1.2)): "1.2"}


def by_sign(loss: Any, **options: Any) -> dict[str, Any]:
    return {name: lambda x, a=a: loss(x, 0 * x, a, **options) for name, a in ADVANTAGES.items()}


def good_or_bad(log_ratio: Any, label: float) -> Any:
    return jaxloss.kto_loss(log_ratio, 0 * log_ratio, label, beta=1.0, kl=0.0)
