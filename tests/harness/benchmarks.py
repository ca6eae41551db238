"""The benchmarks are programs that find each other in their folder, no package; so does a test that looks into one."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType


FOLDER = Path(__file__).parents[2] / "benchmarks"


def benchmark(name: str) -> ModuleType:
    if str(FOLDER) not in sys.path:
        sys.path.append(str(FOLDER))  # last: a file there hides no package
    return importlib.import_module(name)
