"""Value and gradient of `linear_cross_entropy` beside what one would write instead, in one run:

    python benchmarks/linear_cross_entropy.py                      2048 x 256 x 16384, on the CPU
    python benchmarks/linear_cross_entropy.py 8192 2304 256000     the head of Gemma 2 2B, on a GPU
    python benchmarks/linear_cross_entropy.py --dtype bfloat16 --rounds 30 TOKENS FEATURES CLASSES

Rounds are interleaved, one call of each contender after the other; what is printed, and written to
`benchmarks/results/`, are medians and their ratio to the three bare matrix products. PyTorch, Liger and Apple's
cut-cross-entropy take part where they are installed (the last two on a GPU only).
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # PyTorch wants memory too

import jax
import jax.numpy as jnp
import optax

import jaxloss


MIB = 2**20


def product(a: Any, b: Any, over: tuple[int, int]) -> Any:
    return jax.lax.dot_general(a, b, (((over[0],), (over[1],)), ((), ())), preferred_element_type=jnp.float32)


def of_jax(tokens: int, features: int, classes: int, dtype: str) -> dict[str, tuple[Callable[[], Any], Any]]:
    """By name what to time, and its temporaries in MiB."""
    keys = jax.random.split(jax.random.key(0), 5)
    hidden = jax.random.normal(keys[0], (tokens, features)).astype(dtype)
    kernel = (jax.random.normal(keys[1], (features, classes)) / features**0.5).astype(dtype)
    labels = jax.random.randint(keys[2], (tokens,), 0, classes)
    mask = jax.random.permutation(keys[3], jnp.arange(tokens) % 10 < 3)
    slopes = jax.random.normal(keys[4], (tokens, classes)).astype(dtype)

    def ready(f: Any, *arguments: Any) -> tuple[Callable[[], Any], Any]:
        compiled = jax.jit(f).lower(*arguments).compile()
        size = compiled.memory_analysis().temp_size_in_bytes / MIB
        return lambda: jax.block_until_ready(compiled(*arguments)), size

    products = [
        ready(lambda a, b, over=over: product(a, b, over), a, b)
        for a, b, over in [(hidden, kernel, (1, 0)), (slopes, kernel, (1, 1)), (hidden, slopes, (0, 0))]
    ]

    def loss(hidden: Any, kernel: Any, labels: Any, mask: Any = None, **options: Any) -> Any:
        return jnp.sum(jaxloss.linear_cross_entropy(hidden, kernel, labels, mask=mask, **options))

    def dense(hidden: Any, kernel: Any, labels: Any) -> Any:
        logits = product(hidden, kernel, (1, 0))
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    def both(f: Any) -> Any:
        return jax.value_and_grad(f, (0, 1))

    given = hidden, kernel, labels
    contenders: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "jaxloss": (both(loss), given),
        'jaxloss, reduction="none"': (both(lambda *a: loss(*a, reduction="none")), given),
        "jaxloss, 70 % masked": (both(loss), (*given, mask)),
        "jaxloss, kernel frozen": (jax.value_and_grad(loss), given),
        "jaxloss, value alone": (loss, given),
        "optax, dense": (both(dense), given),
    }
    found: dict[str, tuple[Callable[[], Any], Any]] = {
        "three bare matrix products": (lambda: [run() for run, _ in products], tokens * classes * 4 / MIB)
    }
    for name, (f, arguments) in contenders.items():
        try:
            found[name] = ready(f, *arguments)
            found[name][0]()
        except jax.errors.JaxRuntimeError as error:
            found.pop(name, None)
            print(f"{name}: {str(error).splitlines()[0]}")
    return found


def of_torch(tokens: int, features: int, classes: int, dtype: str) -> dict[str, tuple[Callable[[], Any], Any]]:
    try:
        import torch
        from torch.nn import functional
    except ImportError:
        return {}
    gpu = torch.cuda.is_available() and jax.default_backend() == "gpu"
    options = {"device": "cuda" if gpu else "cpu", "dtype": getattr(torch, dtype)}
    torch.manual_seed(0)
    hidden = torch.randn(tokens, features, **options).requires_grad_()
    kernel = (torch.randn(classes, features, **options) / features**0.5).requires_grad_()
    labels = torch.randint(classes, (tokens,), device=options["device"])

    def ready(f: Callable[[], Any]) -> tuple[Callable[[], Any], Any]:
        def run() -> None:
            hidden.grad = kernel.grad = None
            f().backward()
            if gpu:
                torch.cuda.synchronize()

        if not gpu:
            return run, None
        hidden.grad = kernel.grad = None
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        run()
        gradients = (hidden.nbytes + kernel.nbytes) / MIB
        return run, (torch.cuda.max_memory_allocated() - before) / MIB - gradients

    contenders = {"torch, dense": lambda: functional.cross_entropy((hidden @ kernel.T).float(), labels)}
    if hasattr(functional, "linear_cross_entropy"):
        from torch.nn.modules.linear_cross_entropy_options import LinearCrossEntropyOptions

        for size in (128, 256, 512, 1024):
            chunks = LinearCrossEntropyOptions(batch_chunk_size=size, chunking_method=None)
            contenders[f"torch, linear_cross_entropy, {size} rows"] = lambda chunks=chunks: (
                functional.linear_cross_entropy(hidden, kernel, labels, options=chunks)
            )
    if gpu:
        try:
            from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss

            contenders["Liger"] = lambda: LigerFusedLinearCrossEntropyLoss()(kernel, hidden, labels)
        except ImportError:
            pass
        try:
            from cut_cross_entropy import linear_cross_entropy

            contenders["Apple, cut_cross_entropy"] = lambda: linear_cross_entropy(hidden, kernel, labels)
        except ImportError:
            pass
    found = {}
    for name, f in contenders.items():
        try:
            found[name] = ready(f)
            found[name][0]()
        except RuntimeError as error:
            found.pop(name, None)
            print(f"{name}: {str(error).splitlines()[0]}")
    return found


def table(contenders: dict[str, tuple[Callable[[], Any], Any]], rounds: int) -> str:
    for run, _ in contenders.values():
        for _ in range(2):
            run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, (run, _) in contenders.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    times = {name: np.array(taken) for name, taken in seconds.items()}
    floor = next(iter(times.values()))
    lines = ["| | ms | to the products, 10 % to 90 % | temporaries, MiB |", "|---|--:|--:|--:|"]
    for name, taken in times.items():
        low, middle, high = np.quantile(taken / floor, [0.1, 0.5, 0.9])
        size = contenders[name][1]
        memory = "" if size is None else f"{size:.1f}"
        lines.append(
            f"| {name} | {np.median(taken) * 1e3:.1f} | **{middle:.2f}** ({low:.2f} to {high:.2f}) | {memory} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("size", type=int, nargs="*", metavar="TOKENS FEATURES CLASSES")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"])
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    gpu = jax.default_backend() == "gpu"
    size = options.size or ([8192, 2304, 256000] if gpu else [2048, 256, 16384])
    if len(size) != 3:
        parser.error("give TOKENS, FEATURES and CLASSES, or none of them")
    device = jax.devices()[0].device_kind if gpu else f"{platform.machine()} CPU, {os.cpu_count()} cores"
    for dtype in [options.dtype] if options.dtype else ["bfloat16"] if gpu else ["float32", "bfloat16"]:
        contenders = of_jax(*size, dtype) | of_torch(*size, dtype)
        versions = f"JAX {jax.__version__}, Optax {optax.__version__}"
        if any(name.startswith("torch") for name in contenders):
            import torch

            versions += f", PyTorch {torch.__version__}"
        shape = " x ".join(map(str, size))
        text = (
            f"# Value and gradient, {shape}, {dtype}\n\n{device}; {versions}; {datetime.date.today()}; medians of "
            f"{options.rounds} interleaved rounds.\n\n{table(contenders, options.rounds)}\n"
        )
        print(text)
        kind = device.replace(" ", "-").lower() if gpu else "cpu"
        name = f"linear_cross_entropy-{kind}-{'x'.join(map(str, size))}-{dtype}.md"
        results = Path(__file__).with_name("results")
        results.mkdir(exist_ok=True)
        results.joinpath(name).write_text(text)


if __name__ == "__main__":
    main()
