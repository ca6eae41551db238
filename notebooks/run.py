"""Runs the code of a notebook as a terminal program: python notebooks/run.py notebooks/quickstart.ipynb"""

import json
import linecache
import sys
import traceback
import warnings
from pathlib import Path

import matplotlib


def run(path: str) -> None:
    """Executes the code cells one after the other in one namespace; errors show the cell and the line."""
    namespace = {"__name__": "__main__"}
    for number, cell in enumerate(json.loads(Path(path).read_text(encoding="utf-8"))["cells"]):
        if cell["cell_type"] == "code":
            source, name = "".join(cell["source"]), f"<{path}, cell {number}>"
            linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
            exec(compile(source, name, "exec"), namespace)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    matplotlib.use("Agg")  # Pictures go to files; nothing opens a window.
    warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
    sys.excepthook = traceback.print_exception  # Before Python 3.13 the built-in one reads source from files only.
    run(sys.argv[1])
