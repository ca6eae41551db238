"""Writes what follows from the functions, export lines and rows: `make update`. ``--check`` shows what would change.

The plan of the package, the families in its docstring, the stub that tells type checkers what `reduction` returns, the
snapshot of what is public, the README's table, the matrix of tests, the index of names elsewhere.
"""

from __future__ import annotations

import ast
import difflib
import functools
import inspect
import itertools
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import jaxloss
import jaxloss.plotting
import jaxloss.testing
from docs import matrix
from jaxloss._names.lookup import ENTRIES


ROOT = Path(__file__).parents[1]
BELOW = "_numerics _contract"
PUBLIC = [name for name, value in vars(jaxloss).items() if getattr(value, "__module__", "").startswith("jaxloss.")]
Imports = dict[str, set[str]]


def stub() -> str:
    """What type checkers read: a loss returns an `Array`, and for ``reduction="total"`` a `Total`."""
    imports: Imports = {"typing": {"Literal", "overload"}, "._contract.types": {"Array"}}
    text = ""
    for name in PUBLIC:
        f = getattr(jaxloss, name)
        if name in matrix.LOSSES or name in matrix.REDUCTIONS:
            text += overload(f, ["mean", "sum", "none"], "Array", imports) + overload(f, ["total"], "Total", imports)
        else:
            imports.setdefault(f.__module__.removeprefix("jaxloss"), set()).add(f"{name} as {name}")
    lines = "".join(f"from {room} import {', '.join(names)}\n" for room, names in imports.items())
    text = f'"""Made by `make update`."""\n\n{lines}from . import plotting as plotting\n\n__version__: str\n{text}'
    for command in (["format"], ["check", "--select", "I,F401", "--fix", "--quiet"], ["format"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--stdin-filename", "jaxloss/__init__.pyi", "-"]
        text = subprocess.run(ruff, input=text, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return text


def overload(f: Any, reductions: list[str], result: str, imports: Imports) -> str:
    parameters = []
    for p in inspect.signature(f).parameters.values():
        if p.name == "reduction":
            p = p.replace(annotation=f"Literal{reductions}", default=p.default if p.default in reductions else p.empty)
        if p.kind is p.KEYWORD_ONLY and "*" not in parameters:
            parameters.append("*")
        parameters.append(f"{p.name}: {p.annotation}" + ("" if p.default is p.empty else f" = {p.default!r}"))
        for node in ast.walk(ast.parse(p.annotation)):
            if isinstance(node, ast.Name) and node.id in names_of(f.__module__):
                imports.setdefault(names_of(f.__module__)[node.id], set()).add(node.id)
    return f"@overload\ndef {f.__name__}({', '.join(parameters)}) -> {result}: ...\n"


@functools.cache
def names_of(module: str) -> dict[str, str]:
    """Where the names that a room imports come from, seen from the package."""
    _, wing, _ = module.split(".")
    found = {}
    for node in ast.walk(ast.parse(inspect.getsource(sys.modules[module]))):
        if isinstance(node, ast.ImportFrom):
            room = {0: "", 1: f".{wing}.", 2: "."}[node.level] + (node.module or "")
            found |= {alias.name: room for alias in node.names}
    return found


def api() -> str:
    """What is public: names, signatures and defaults."""
    named = [(name, getattr(jaxloss, name)) for name in sorted(PUBLIC)]
    for module in (jaxloss.plotting, jaxloss.testing):
        named += [
            (f"{module.__name__.removeprefix('jaxloss.')}.{name}", getattr(module, name)) for name in module.__all__
        ]
    text = ""
    for name, value in named:
        text += f"{name}{inspect.signature(value)}\n"
        if inspect.isclass(value):
            methods = [key for key, x in vars(value).items() if inspect.isfunction(x) and key[0] != "_"]
            text += "".join(f"{name}.{key}{inspect.signature(getattr(value, key))}\n" for key in methods)
    return text


ROW = r"\| \[?(\w[^]|]*).*? \| (.*) \|$"


def families() -> dict[str, list[str]]:
    """Public names by the rows of the README's table; what stands in none comes last."""
    table = readme().partition("\n## Losses\n")[2]
    rows = (re.match(ROW, line) for line in table.partition("\n## ")[0].splitlines())
    found = {row[1]: re.findall(r"`(\w+)`", row[2]) for row in rows if row}
    listed = {name for names in found.values() for name in names}
    return found | {"around the losses": [name for name in PUBLIC if name not in listed]}


PACKAGE = """\
Losses for JAX: right over masks, weights, devices and microbatches; lean; one contract for all.

    jaxloss.name(predictions, labels, weights=None, mask=None, *, <options>, reduction="mean", axis_name=None)

What each loss is, for what, and by what formula, is in its own help; what all share, in that of `jaxloss.reduce`. A
name that others use is an error that says what it is called here: `jaxloss.MSELoss`.
"""


def package() -> str:
    """The module with its docstring, which has the families."""
    text = PACKAGE
    for family, names in families().items():
        lines = textwrap.wrap(f"{family}: {', '.join(names)}", 118, subsequent_indent="    ")
        text += "\n- " + "\n".join(lines)
    code = (ROOT / "jaxloss/__init__.py").read_text(encoding="utf-8").split('"""', 2)[2]
    return f'"""{text}\n"""{code}'


def readme() -> str:
    return with_every_loss((ROOT / "README.md").read_text(encoding="utf-8"))


def with_every_loss(text: str) -> str:
    """A loss that is in no row of the README's table joins the row of its room, or of its family, or gets one."""
    head, title, rest = text.partition("\n## Losses\n")
    lines = rest.split("\n")
    rows = [place for place, line in enumerate(lines) if re.match(ROW, line)]
    for name in sorted({*matrix.LOSSES} - {*re.findall(r"`(\w+)`", " ".join(lines[place] for place in rows))}):
        f = getattr(jaxloss, name)
        wing = f.__module__.rpartition(".")[0]

        def near(place: int, module: str) -> bool:
            there = (getattr(jaxloss, other, None) for other in re.findall(r"`(\w+)`", lines[place]))
            return any(getattr(other, "__module__", "").startswith(module) for other in there)

        fits = [place for module in (f.__module__, wing) for place in reversed(rows) if near(place, module)]
        if fits:
            lines[fits[0]] = lines[fits[0]].removesuffix(" |") + f", `{name}` |"
        else:
            family = sys.modules[wing].__doc__.splitlines()[0].rstrip(".")
            rows.append(rows[-1] + 1)
            lines.insert(rows[-1], f"| {family[0].lower()}{family[1:]} | `{name}` |")
    return head + title + "\n".join(lines)


PLAN = """\
# Plan of the package

A wing for each family of losses, and two below them that all share. Arrows point one way: a family imports `_contract`
and `_numerics` and never another family, `_numerics` imports `_contract`, and `_contract` neither. Data goes in by a
door (`inputs`, `classes`), across by a formula, out by `reduce`. The tests have the same wings, and beside them a
harness and what is of the project: docs, API, package, plotting. Nothing imports `_names` until somebody asks for a
name that isn't there. `tests/project/test_house.py` keeps it so; `make update` writes this page.
"""


def plan() -> str:
    """Wings from top to bottom, and their rooms, by the first lines of their docstrings."""
    text = PLAN
    for wing in sorted(
        (ROOT / "jaxloss").glob("_*/__init__.py"), key=lambda file: (BELOW.find(file.parent.name), file)
    ):
        text += f"\n## {wing.parent.name}\n\n{says(wing)}\n\n"
        for room in sorted(wing.parent.glob("[!_]*.py")):
            text += f"- [{room.stem}](../{room.relative_to(ROOT)}): {says(room)}\n"
    return text


def says(file: Path) -> str:
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n\n")[0].replace("``", "`").replace("\n", " ")


NAMES = """\
# Names elsewhere

What others call what is here: PyTorch, Optax and Keras, MONAI and torchvision, pytorch-metric-learning and lightly, rax
and TensorFlow Ranking, TRL, Liger and verl, papers and the vernacular. A wrong attribute says the same:
`jaxloss.SimCLRLoss` is an `AttributeError`, "it is called ntxent_loss". What differs beyond the name, and how each row
was compared, is in [migrating](migrating.md); this page is made from the index in the package.
"""


def names() -> str:
    """The index of names elsewhere, a table for each of its sections."""
    text = NAMES
    for section, entries in itertools.groupby(ENTRIES, lambda entry: entry.section):
        text += f"\n## {section[0].upper()}{section[1:]}\n\n| elsewhere | here | more |\n|---|---|---|\n"
        for _, here, place, others in entries:
            others = ", ".join(
                f"`{name}`" if re.fullmatch(r"\w*([a-z][A-Z]|_|Loss$)\w*", name) else name for name in others
            )
            more = f"[{place.partition('.')[0]}]({place})" if place else ""
            text += f"| {others} | {here if '`' in here else f'`{here}`'} | {more} |\n"
    return text


FILES = {
    "docs/plan.md": plan,
    "jaxloss/__init__.py": package,
    "jaxloss/__init__.pyi": stub,
    "tests/project/api.txt": api,
    "README.md": readme,
    "docs/names.md": names,
    "docs/matrix.md": matrix.page,
}


def main() -> int:
    changed = 0
    for name, make in FILES.items():
        before, after = (ROOT / name).read_text(encoding="utf-8") if (ROOT / name).exists() else "", make()
        if before != after and "--check" in sys.argv:
            changed += 1
            old, new = before.splitlines(), after.splitlines()
            print(*difflib.unified_diff(old, new, name, "make update", n=0, lineterm=""), sep="\n")
        elif before != after:
            (ROOT / name).write_text(after, encoding="utf-8")
            print(name)
    return changed


if __name__ == "__main__":
    sys.exit(main())
