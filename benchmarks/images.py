"""Rows of images: regions of their pixels, their likeness, and boxes and heatmaps of the objects in them.

Our arrays are laid out as in Flax, with the channels last, and PyTorch's libraries see them with the channels first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
from jax import lax, nn
from row import Draw, Loss, Row, Targets, bce, by_hand, by_optax, ce, installed, row

import jaxloss


dm_pix, monai, torchvision = map(installed, ("dm_pix", "monai.losses", "torchvision"))
smp = installed("segmentation_models_pytorch")

N = 1_000_000


# Regions: logits and an index for each pixel. Objects are discs, and the classes of the data set differ in size.


def discs(r: np.random.Generator, images: int, side: int, classes: int) -> np.ndarray:
    """An index for each pixel: discs of each class on a background of class 0."""
    rows, columns = np.mgrid[:side, :side]
    labels = np.zeros((images, side, side), int)
    for image in labels:
        for k in range(1, classes):
            for x, y in r.uniform(0, side, (3, 2)):
                image[(rows - x) ** 2 + (columns - y) ** 2 < (side / (8 + 4 * k)) ** 2] = k
    return labels


def scenes(images: int = 8, side: int = 256, classes: int = 4) -> Draw:
    def draw(r: np.random.Generator) -> tuple[np.ndarray, ...]:
        labels = discs(r, images, side, classes)
        return r.normal(0, 2, (*labels.shape, classes)) + 4 * (labels[..., None] == np.arange(classes)), labels

    return draw


def outlines(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    logits, labels = scenes(4)(r)
    return logits[..., 1], np.where(labels == 1, 1.0, -1.0)


def vessels(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Probabilities of lines that wind through an image, and the lines."""
    rows, columns = np.mgrid[:128, :128]
    labels = np.empty((2, 128, 128, 2))
    for index in np.ndindex(2, 2):
        bend, shift = r.uniform(5, 20, 2)
        labels[index[0], :, :, index[1]] = (rows + bend * np.sin(columns / 9 + shift)) % 24 < 3
    return 1 / (1 + np.exp(r.normal(0, 1, labels.shape) + 2 - 4 * labels)), labels  # no two alike: ties are kinks


def pictures(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    smooth = r.uniform(size=(4, 32, 32, 3)).repeat(8, 1).repeat(8, 2)
    return np.clip(smooth + r.normal(0, 0.1, smooth.shape), 0, 1), smooth


def sums(z: Any, y: Any) -> tuple[Any, ...]:
    """Of each image and class: what is right, wrongly there and missing, and the size."""
    p, y = nn.softmax(z), nn.one_hot(y, z.shape[-1])
    return tuple(x.sum((1, 2)) for x in (p * y, p * (1 - y), (1 - p) * y, y))


def overlap(alpha: float, beta: float) -> Loss:
    def loss(z: Any, y: Any) -> Any:
        right, extra, missing, _ = sums(z, y)
        return 1 - (right + 1) / (right + alpha * extra + beta * missing + 1)

    return loss


def generalized(z: Any, y: Any) -> Any:
    right, extra, missing, size = sums(z, y)
    v = (size.min(-1, keepdims=True) / size) ** 2
    right, wrong = (v * right).sum(-1) + 1, (v * (extra + missing)).sum(-1) / 2
    return 1 - right / (right + wrong)


def optax_dice(z: Any, y: Any) -> Any:
    return optax.losses.dice_loss(z, nn.one_hot(y, z.shape[-1]), reduction="none")


def behind_softmax(row: Row) -> Row:
    return row._replace(ours=lambda z, y: getattr(jaxloss, row.loss)(nn.softmax(z), y), note="from logits")


# PyTorch's libraries.


def first(x: Any) -> Any:
    """The channels first."""
    return x.movedim(-1, 1)


def plain(x: Any) -> Any:
    return x


def of_images(f: Any, labels: Loss) -> Loss:
    return lambda x, y: f(first(x), labels(y))


def monai_region(loss: str, smooth: float, **options: Any) -> Loss | None:
    """From logits, and from indices in a channel of their own."""
    if monai is None:
        return None
    options |= dict(softmax=True, to_onehot_y=True, smooth_nr=smooth, smooth_dr=smooth)
    return of_images(getattr(monai, loss)(**options), lambda y: y[:, None])


# The Lovász extension, sorted as its authors do.


def extension(errors: Any, hits: Any) -> Any:
    """Of rows of pixels."""
    order = jnp.argsort(-lax.stop_gradient(errors), axis=-1)
    errors, hits = (jnp.take_along_axis(x, order, -1) for x in (errors, hits))
    total = hits.sum(-1, keepdims=True)
    jaccard = 1 - (total - hits.cumsum(-1)) / (total + (1 - hits).cumsum(-1))
    return (errors * jnp.diff(jaccard, axis=-1, prepend=0)).sum(-1)


def lovasz_softmax(z: Any, y: Any) -> Any:
    hits = nn.one_hot(y, z.shape[-1])
    return extension(
        *(jnp.moveaxis(x, -1, 1).reshape(len(x), x.shape[-1], -1) for x in (abs(hits - nn.softmax(z)), hits))
    )


def lovasz_hinge(s: Any, y: Any) -> Any:
    rows = s.reshape(len(s), -1), y.reshape(len(y), -1)
    return extension(nn.relu(1 - rows[0] * rows[1]), jnp.where(rows[1] > 0, 1.0, 0.0))


# clDice with pooling, as its authors write it.


def pool(x: Any, window: Sequence[int], largest: bool = True) -> Any:
    best, first = (lax.max, -np.inf) if largest else (lax.min, np.inf)
    return lax.reduce_window(x, first, best, (1, *window, 1), (1, 1, 1, 1), "SAME")


def eroded(x: Any) -> Any:
    return jnp.minimum(pool(x, (3, 1), False), pool(x, (1, 3), False))


def opened(x: Any) -> Any:
    return nn.relu(x - pool(eroded(x), (3, 3)))


def skeleton(x: Any) -> Any:
    result = opened(x)
    for _ in range(3):
        x = eroded(x)
        delta = opened(x)
        result = result + nn.relu(delta - delta * result)
    return result


def cldice(p: Any, y: Any) -> Any:
    q, t = skeleton(p), skeleton(y)
    precision, sensitivity = (((a * b).sum((1, 2)) + 1) / (a.sum((1, 2)) + 1) for a, b in ((q, y), (t, p)))
    return 1 - 2 * precision * sensitivity / (precision + sensitivity)


def by_convolutions(x: Any, y: Any) -> Any:
    """SSIM by convolutions, one along each axis."""
    w = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
    w = jnp.asarray(w / w.sum(), x.dtype)

    def smooth(x: Any) -> Any:
        for kernel in (w[:, None], w[None, :]):
            kernels = jnp.broadcast_to(kernel[..., None, None], (*kernel.shape, 1, x.shape[-1]))
            numbers = ("NHWC", "HWIO", "NHWC")
            x = lax.conv_general_dilated(
                x, kernels, (1, 1), "VALID", dimension_numbers=numbers, feature_group_count=x.shape[-1]
            )
        return x

    a, b, aa, bb, ab = map(smooth, (x, y, x * x, y * y, x * y))
    c1, c2 = 0.01**2, 0.03**2
    light = (2 * a * b + c1) / (a * a + b * b + c1)
    return 1 - light * (2 * (ab - a * b) + c2) / (aa - a * a + bb - b * b + c2)


def by_dm_pix(x: Any, y: Any) -> Any:
    return 1 - dm_pix.ssim(x, y)


def distances(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    return r.uniform(0, 1, N), r.normal(0, 20, N)


def hardest(losses: Any) -> Any:
    return lax.top_k(losses, len(losses) // 10)[0].mean()


def hardest_of_torch(losses: Any) -> Any:
    return losses.topk(len(losses) // 10).values.mean()


# Boxes.


def boxes(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Boxes, and others around the same places."""
    centre, size, shift, growth = r.uniform(0, 1, (4, N // 4, 2))
    low, moved = centre - (0.1 + size) / 2, centre + (shift - 0.5) / 2 - (0.1 + growth) / 2
    return np.concatenate([low, low + 0.1 + size], -1), np.concatenate([moved, moved + 0.1 + growth], -1)


def box_parts(a: Any, b: Any) -> tuple[Any, ...]:
    """Intersection over union, the union, and the sides of the enclosing box: as torchvision has them, with its eps."""
    low, high = jnp.maximum(a[:, :2], b[:, :2]), jnp.minimum(a[:, 2:], b[:, 2:])
    shared = jnp.clip(high - low, 0).prod(-1)
    union = (a[:, 2:] - a[:, :2]).prod(-1) + (b[:, 2:] - b[:, :2]).prod(-1) - shared
    return shared / (union + 1e-7), union, jnp.maximum(a[:, 2:], b[:, 2:]) - jnp.minimum(a[:, :2], b[:, :2])


def giou(a: Any, b: Any) -> Any:
    iou, union, sides = box_parts(a, b)
    around = sides.prod(-1)
    return 1 - iou + (around - union) / (around + 1e-7)


def diou(a: Any, b: Any) -> Any:
    iou, _, sides = box_parts(a, b)
    gap = (a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2
    return 1 - iou + (gap**2).sum(-1) / ((sides**2).sum(-1) + 1e-7)


def ciou(a: Any, b: Any) -> Any:
    iou, *_ = box_parts(a, b)
    angles = [jnp.arctan((x[:, 2] - x[:, 0]) / (x[:, 3] - x[:, 1])) for x in (a, b)]
    v = 4 / np.pi**2 * (angles[0] - angles[1]) ** 2
    return diou(a, b) + lax.stop_gradient(v / (1 - iou + v + 1e-7)) * v


def bins(z: Any, y: Any) -> Any:
    """As mmdetection has it."""
    low = jnp.floor(y).astype(int)
    return ce(z, low) * (low + 1 - y) + ce(z, low + 1) * (y - low)


def graded(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Logits, and labels of which nine in ten are background."""
    return r.normal(0, 2, N), np.where(r.random(N) < 0.9, 0, r.uniform(0, 1, N))


def quality(z: Any, y: Any) -> Any:
    return bce(z, y) * abs(y - nn.sigmoid(z)) ** 2


def varifocal(z: Any, y: Any) -> Any:
    return bce(z, y) * jnp.where(y > 0, y, 0.75 * nn.sigmoid(z) ** 2)


def peaked(r: np.random.Generator) -> tuple[np.ndarray, ...]:
    z, y = graded(r)
    return z, np.where(y > 0.9, 1, y)


def heatmap(z: Any, y: Any) -> Any:
    p = nn.sigmoid(z)
    positive, negative = (1 - p) ** 2 * jnp.log(p + 1e-12), p**2 * (1 - y) ** 4 * jnp.log(1 - p + 1e-12)
    return -jnp.where(y == 1, positive, negative)


def exact_heatmap(z: Any, y: Any) -> Any:
    """From logits, without mmdetection's eps."""
    p = nn.sigmoid(z)
    return jnp.where(y == 1, (1 - p) ** 2 * nn.softplus(-z), p**2 * (1 - y) ** 4 * nn.softplus(z))


AHEAD = Targets(1.0, 1.0)
IMAGES = [
    *map(
        behind_softmax,
        [
            by_optax("dice_loss", scenes(), optax_dice, Targets(0.85, 1.0), torch=monai_region("DiceLoss", smooth=2)),
            by_hand(
                "jaccard_loss", scenes(), overlap(1, 1), AHEAD, torch=monai_region("DiceLoss", smooth=2, jaccard=True)
            ),
            by_hand("tversky_loss", scenes(), overlap(0.5, 0.5), AHEAD, torch=monai_region("TverskyLoss", smooth=1)),
            by_hand(
                "generalized_dice_loss",
                scenes(),
                generalized,
                AHEAD,
                torch=monai_region("GeneralizedDiceLoss", smooth=2),
            ),
            by_hand(
                "lovasz_softmax_loss",
                scenes(4),
                lovasz_softmax,
                AHEAD,
                torch=smp and of_images(smp.losses.LovaszLoss("multiclass", per_image=True), plain),
            ),
        ],
    ),
    by_hand(
        "lovasz_hinge_loss",
        outlines,
        lovasz_hinge,
        AHEAD,
        torch=smp and (lambda s, y: smp.losses.LovaszLoss("binary", per_image=True)(s[:, None], (y > 0).to(s.dtype))),
    ),
    by_hand(
        "cldice_loss",
        vessels,
        cldice,
        Targets(None, 0.2),
        torch=monai and (lambda p, y: monai.SoftclDiceLoss()(first(y), first(p))),
    ),
    row(
        "dm_pix" if dm_pix else "by hand",
        "ssim_loss",
        pictures,
        by_dm_pix if dm_pix else by_convolutions,
        Targets(0.5, 0.5),
        torch=monai and of_images(monai.SSIMLoss(2), first),
        reference=by_convolutions,
    ),
    by_hand("boundary_loss", distances, lambda p, d: p * d),
    by_hand("average_top_k_loss", lambda r: (r.gamma(1, 1, N),), hardest, torch=hardest_of_torch, fraction=0.1),
    by_hand("iou_loss", boxes, lambda a, b: 1 - box_parts(a, b)[0]),
    by_hand("giou_loss", boxes, giou, Targets(None, 0.2), torch=monai and monai.BoxGIoULoss(reduction="none")),
    by_hand("diou_loss", boxes, diou, Targets(None, 0.2), torch=torchvision and torchvision.ops.distance_box_iou_loss),
    by_hand("ciou_loss", boxes, ciou, Targets(None, 0.2), torch=torchvision and torchvision.ops.complete_box_iou_loss),
    by_hand("distribution_focal_loss", lambda r: (r.normal(0, 2, (65536, 17)), r.uniform(0, 15.9, 65536)), bins),
    by_hand("quality_focal_loss", graded, quality),
    by_hand("varifocal_loss", graded, varifocal),
    by_hand("gaussian_focal_loss", peaked, heatmap, reference=exact_heatmap),
]
