"""The benchmarks are programs, no package: a test that looks into one loads it by its name."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType


FOLDER = Path(__file__).parents[2] / "benchmarks"


def benchmark(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmarks.{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses look there for their own
    spec.loader.exec_module(module)
    return module
