"""What losses send over the network in a training step: ``python benchmarks/network.py`` prints the tables of
docs/scaling.md. The tests compare these messages with the compiled programs of eight devices."""

from __future__ import annotations

from typing import NamedTuple


class Message(NamedTuple):
    kind: str  # all-reduce, all-gather or reduce-scatter
    size: int  # bytes of the whole: what each device gives and gets, gets, or gives
    devices: int  # that talk to each other
    times: int = 1

    @property
    def sent(self) -> float:
        """Bytes that each device sends, in a ring."""
        laps = 2 if self.kind == "all-reduce" else 1
        return laps * (self.devices - 1) / self.devices * self.size * self.times


FLOAT = 4  # bytes; losses, their sums and the logits of a chunk are float32


def mean(data: int) -> list[Message]:
    """Any loss under ``axis_name``: the total and the weight."""
    return [Message("all-reduce", 2 * FLOAT, data)]


def cross_entropy(rows: int, data: int, model: int, *, gradient: bool = True) -> list[Message]:
    """Classes split over `model` devices: for each row the largest logit, and two sums (three without gradient)."""
    here = rows // data
    sums = 2 if gradient else 3
    return [Message("all-reduce", here * FLOAT, model), Message("all-reduce", sums * here * FLOAT, model), *mean(data)]


def linear_cross_entropy(
    rows: int,
    features: int,
    classes: int,
    data: int,
    model: int,
    *,
    chunks: int = 1,
    width: int = FLOAT,
    fsdp: bool = False,
) -> list[Message]:
    """Value and gradient of ``hidden`` and ``kernel`` of `width` bytes a number, inside ``shard_map``."""
    here = rows // data
    *by_row, of_mean = cross_entropy(rows, data, model)
    by_chunk = [message._replace(size=message.size // chunks, times=chunks) for message in by_row]
    kernel = features * (classes // model) * width
    kinds = ["all-gather", "reduce-scatter"] if fsdp else ["all-reduce"]
    of_kernel = [Message(kind, kernel, data) for kind in kinds]
    return [*by_chunk, of_mean, Message("all-reduce", here * features * width, model), *of_kernel]


def linear_cross_entropy_under_jit(
    rows: int, features: int, classes: int, data: int, model: int, *, chunks: int = 1, width: int = FLOAT
) -> list[Message]:
    """The same under ``jit`` with sharded arrays, where XLA adds the slopes of each chunk up over the devices."""
    messages = linear_cross_entropy(rows, features, classes, data, model, chunks=chunks, width=width)
    *by_chunk, of_mean, of_hidden, of_kernel = messages
    of_hidden = of_hidden._replace(size=of_hidden.size // width * FLOAT // chunks, times=chunks)
    of_kernel = of_kernel._replace(size=of_kernel.size // width * FLOAT, times=chunks)
    return [*by_chunk, of_mean._replace(size=FLOAT, devices=data), of_hidden, of_kernel]


def negatives(rows: int, features: int, data: int, *, width: int = FLOAT) -> list[Message]:
    """Embeddings of which each device sees all: gathered, and their slopes scattered; and which of them exist."""
    kinds = ["all-gather", "reduce-scatter"]
    embeddings = [Message(kind, rows * features * width, data) for kind in kinds]
    return [*embeddings, Message("all-gather", rows, data), *mean(data)]


def sent(messages: list[Message]) -> float:
    """Bytes that each device sends in a step."""
    return sum(message.sent for message in messages)


def table(title: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in (title, ["---:"] * len(title), *rows))


def amount(size: float) -> str:
    units = ["B", "kB", "MB", "GB", "TB"]
    place = 0
    while size >= 999.5:
        size, place = size / 1000, place + 1
    return f"{size:.3g} {units[place]}"


MODEL, ROWS, FEATURES, CLASSES, WIDTH, CHUNK = 8, 8192, 4096, 131072, 2, 2048


def main() -> str:
    """A head of 4096 features and 131072 classes in bfloat16, over 8 devices each, with 8192 tokens for each 8."""
    title = ["devices", "data x model", "a mean", "logits, gathered", "`cross_entropy`"]
    title += ["`linear_cross_entropy`", "kernel under FSDP", "under plain `jit`"]
    lines = []
    for devices in (8, 64, 512, 4096, 65536):
        data = devices // MODEL
        rows = ROWS * data
        gathered = Message("all-gather", ROWS * CLASSES * WIDTH, MODEL)
        shape = rows, FEATURES, CLASSES, data, MODEL
        chunks = ROWS // CHUNK
        head = linear_cross_entropy(*shape, chunks=chunks, width=WIDTH)
        fsdp = linear_cross_entropy(*shape, chunks=chunks, width=WIDTH, fsdp=True)
        jitted = linear_cross_entropy_under_jit(*shape, chunks=-(-ROWS * data // (CHUNK * devices)), width=WIDTH)
        ways = mean(data), [gathered], cross_entropy(rows, data, MODEL), head, fsdp, jitted
        lines.append([str(devices), f"{data} x {MODEL}", *(amount(sent(way)) for way in ways)])
    return table(title, lines)


if __name__ == "__main__":
    print(main())
