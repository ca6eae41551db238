"""How contenders are measured: time in interleaved rounds, memory, compilation, and error against float64."""

from __future__ import annotations

import ctypes
import functools
import gc
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from row import Row, torch
from rows import ROWS


MIB = 2**20
SHORTEST = 2e-3  # seconds; calls that are faster are repeated within one timing

try:
    libc: Any = ctypes.CDLL(None)
    libc.mallopt(-8, 1)  # one arena (M_ARENA_MAX), whose free memory malloc_trim can give back: see `peak`
except (OSError, AttributeError):  # not glibc
    libc = None


def allocate(fresh: bool) -> None:
    """From here on, every large array gets new pages from the system, or else those of freed ones.

    Left to itself, glibc does the one for some arrays and the other for others, by what went before; new pages take up
    to twice the time of the arithmetic, and so a ratio says little.
    """
    if libc is not None:
        libc.mallopt(-3, 2**17)  # M_MMAP_THRESHOLD, which else follows the sizes that are freed
        libc.mallopt(-4, 2**16 if fresh else 0)  # M_MMAP_MAX
        libc.mallopt(-1, 2**17 if fresh else 2**31 - 1)  # M_TRIM_THRESHOLD


class Contender(NamedTuple):
    """`run` makes one call and returns, when it is done, the value and a list of gradients; the rest is of JAX only."""

    run: Callable[[], tuple[Any, list[Any]]]
    temporaries: float | None = None  # MiB
    lowering: float | None = None  # seconds
    compiling: float | None = None  # seconds


class Result(NamedTuple):
    row: Row
    size: str
    records: dict[str, Record]


class Record(NamedTuple):
    """Of one contender. `ratio` is our time to its time, round by round: 10 %, median, 90 %; `fresh` the same median
    in memory that is new in every call."""

    milliseconds: float
    ratio: tuple[float, float, float]
    fresh: float | None
    temporaries: float | None
    peak: float | None
    lowering: float | None
    compiling: float | None
    errors: tuple[float, float, float] | None  # of the value, of the gradient, of the gradient's worst entry


def mean(losses: Any) -> Any:
    return losses if losses.ndim == 0 else losses.mean()


def step(f: Callable[..., Any], argnums: tuple[int, ...]) -> Callable[..., Any]:
    return jax.value_and_grad(lambda *a: mean(f(*a)), argnums)


def built(f: Callable[..., Any], arguments: Sequence[Any], platform: str | None = None) -> tuple[Any, float, float]:
    """The program, with the seconds of tracing and lowering, and of compiling."""
    jax.clear_caches()  # else what an earlier contender traced comes for free
    start = time.perf_counter()
    lowered = jax.jit(f).trace(*arguments).lower(lowering_platforms=None if platform is None else (platform,))
    middle = time.perf_counter()
    program = lowered.compile()
    return program, middle - start, time.perf_counter() - middle


def compiled(f: Callable[..., Any], arguments: Sequence[Any]) -> tuple[Callable[[], Any], float, float, float]:
    program, lowering, compiling = built(f, arguments)
    size = program.memory_analysis().temp_size_in_bytes / MIB
    return lambda: jax.block_until_ready(program(*arguments)), size, lowering, compiling


def of_jax(f: Callable[..., Any], arguments: Sequence[Any], argnums: tuple[int, ...]) -> Contender:
    return Contender(*compiled(step(f, argnums), arguments))


def copied(*arguments: jax.Array) -> jax.Array:
    """Reads every array of the first one's shape and writes one like it; in integers, which no platform widens."""
    width = jnp.dtype(f"uint{8 * arguments[0].dtype.itemsize}")

    def bits(x: jax.Array) -> jax.Array:
        if x.dtype == bool:
            return x.astype(width)
        return jax.lax.bitcast_convert_type(x, f"uint{8 * x.dtype.itemsize}").astype(width)

    return ~functools.reduce(jnp.bitwise_xor, [bits(x) for x in arguments if x.shape == arguments[0].shape])


def on_gpu() -> bool:
    return jax.default_backend() == "gpu"


def tensor(x: np.ndarray, differentiable: bool) -> Any:
    device = "cuda" if on_gpu() else "cpu"
    if x.dtype == bool:
        return torch.from_numpy(x).to(device)
    if np.issubdtype(x.dtype, np.integer):
        return torch.from_numpy(x).to(device, torch.int64)
    kind = getattr(torch, str(x.dtype))
    return torch.from_numpy(x.astype(np.float32)).to(device, kind).requires_grad_(differentiable)


def of_torch(f: Callable[..., Any], arguments: Sequence[np.ndarray], argnums: tuple[int, ...]) -> Contender:
    tensors = [tensor(x, i in argnums) for i, x in enumerate(arguments)]

    def run() -> tuple[Any, list[Any]]:
        loss = mean(f(*tensors))
        loss.backward()
        if on_gpu():
            torch.cuda.synchronize()
        gradients = [tensors[i].grad for i in argnums]
        for i in argnums:
            tensors[i].grad = None
        return loss.detach(), gradients

    return Contender(run)


@functools.cache
def torch_compiles() -> bool:
    """Whether PyTorch finds a compiler for C++, and all else that it takes."""
    try:
        torch.compile(lambda x: x.exp().sum())(torch.ones(8))
    except Exception as error:  # whatever is missing, in whatever layer
        print(f"without torch.compile: {str(error).splitlines()[0]}")
        return False
    return True


def contenders(row: Row, arrays: Sequence[np.ndarray], torch_compiled: bool = True) -> dict[str, Contender]:
    """Ours first, then what JAX users write, the rest, and the floor."""
    arguments = [jnp.asarray(x) for x in arrays]
    found = {"jaxloss": of_jax(row.ours, arguments, row.argnums)}
    for name, f in row.peers.items():
        found[name] = of_jax(f, arguments, row.argnums)
    if row.keras is not None:
        found["keras"] = of_jax(row.keras, arguments, row.argnums)
    if torch is not None and row.torch is not None:
        found["torch"] = of_torch(row.torch, arrays, row.argnums)
        if torch_compiled and row.targets is not None and torch_compiles():
            torch._dynamo.reset()
            try:
                found["torch.compile"] = of_torch(torch.compile(row.torch, dynamic=False), arrays, row.argnums)
                found["torch.compile"].run()
            except Exception as error:
                del found["torch.compile"]
                print(f"{row.loss}: without torch.compile: {str(error).splitlines()[0]}")
    return found | {"floor": Contender(*compiled(row.floor or copied, arguments))}


def as_numpy(x: Any) -> np.ndarray:
    if torch is not None and isinstance(x, torch.Tensor):
        x = x.to("cpu", torch.float64)
    return np.asarray(x).astype(np.float64)


def in_float64(row: Row, arrays: Sequence[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """From the very numbers that the contenders get."""
    f = row.reference or next(iter(row.peers.values()))
    with jax.enable_x64(True):
        arguments = [jnp.asarray(x if x.dtype.kind in "biu" else x.astype(np.float64)) for x in arrays]
        value, gradients = jax.jit(jax.value_and_grad(lambda *a: mean(f(*a)), row.argnums))(*arguments)
        return as_numpy(value), [as_numpy(g) for g in gradients]


def errors(run: Callable[[], Any], value: np.ndarray, gradients: list[np.ndarray]) -> tuple[float, float, float]:
    """Relative ones. Of single entries, only those that float32 has with all its digits."""
    ours, theirs = run()
    whole, single = [], []
    for g, expected in zip(map(as_numpy, theirs), gradients):
        difference, size = abs(g - expected), abs(expected)
        whole.append(difference.max() / size.max())
        normal = size > np.finfo(np.float32).tiny
        single.append((difference[normal] / size[normal]).max(initial=0))
    return float(abs(as_numpy(ours) - value) / abs(value)), float(max(whole)), float(max(single))


def resident(name: str) -> float:
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else float("nan")


def peak(run: Callable[[], Any]) -> float | None:
    """MiB that one call adds at its height, results included. Linux can tell; of a GPU's memory it says nothing."""
    if on_gpu():
        return None
    try:
        gc.collect()
        libc.malloc_trim(0)  # or freed memory that is still held would hide what the call takes
        Path("/proc/self/clear_refs").write_text("5")
        before = resident("VmRSS")
        run()
        return max(resident("VmHWM") - before, 0)
    except (OSError, AttributeError):
        return None


def interleaved(runs: Sequence[Callable[[], Any]], rounds: int) -> np.ndarray:
    """Seconds a call, of shape [rounds, runs]."""
    repeats = []
    for run in runs:
        taken = []
        for _ in range(3):
            start = time.perf_counter()
            run()
            taken.append(time.perf_counter() - start)
        repeats.append(max(1, round(SHORTEST / min(taken))))
    seconds = np.empty((rounds, len(runs)))
    gc.collect()
    gc.disable()
    for i in range(rounds):
        for j, run in enumerate(runs):
            start = time.perf_counter()
            for _ in range(repeats[j]):
                run()
            seconds[i, j] = (time.perf_counter() - start) / repeats[j]
    gc.enable()
    return seconds


def fresh_ratios(index: int, rounds: int) -> dict[str, float]:
    """Of row `index`, by contender; to be run in a process that allocates afresh from its start."""
    found = contenders(ROWS[index], ROWS[index].arrays(), torch_compiled=False)  # which takes long, for no target
    seconds = interleaved([c.run for c in found.values()], rounds)
    return dict(zip(found, np.median(seconds[:, :1] / seconds, axis=0).tolist()))


def measured(row: Row, rounds: int, fresh: dict[str, float]) -> Result:
    arrays = row.arrays()
    found = contenders(row, arrays)
    seconds = interleaved([c.run for c in found.values()], rounds)
    value, gradients = in_float64(row, arrays)
    records = {}
    for (name, c), taken in zip(found.items(), seconds.T):
        low, middle, high = np.quantile(seconds[:, 0] / taken, [0.1, 0.5, 0.9])
        records[name] = Record(
            float(np.median(taken)) * 1e3,
            (float(low), float(middle), float(high)),
            fresh.get(name),
            c.temporaries,
            peak(c.run),
            c.lowering,
            c.compiling,
            None if name == "floor" else errors(c.run, value, gradients),
        )
    return Result(row, ", ".join(" x ".join(map(str, arrays[i].shape)) for i in row.argnums), records)
