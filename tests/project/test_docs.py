"""What the docs say is so: their examples run, and give what they show."""

from __future__ import annotations

import doctest
import inspect
import math
import operator
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import pytest

import jaxloss
import jaxloss.plotting
import jaxloss.testing
from docs.update import with_every_loss

from ..harness.rows import REDUCTIONS, some


ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {
    (path.name if path.parent == ROOT else path.relative_to(DOCS).as_posix()): path.read_text(encoding="utf-8")
    for path in (ROOT / "README.md", *DOCS.glob("*.md"), *DOCS.glob("choosing/*.md"))
}
WITHOUT_CODE = {"matrix.md", "names.md", "plan.md"} | {page for page in PAGES if "/" in page} - {"choosing/classes.md"}
pages = pytest.mark.parametrize("page", PAGES)


def public(name: str) -> Any:
    return operator.attrgetter(name)(jaxloss)


PUBLIC = [
    name
    for name, value in vars(jaxloss).items()
    if not name.startswith("_") and getattr(value, "__module__", "").startswith("jaxloss.")
]
PUBLIC += [f"plotting.{name}" for name in jaxloss.plotting.__all__]
PUBLIC += [f"testing.{name}" for name in jaxloss.testing.__all__]
FUNCTIONS = [name for name in PUBLIC if inspect.isfunction(public(name))]
SHARED = ["weights", "mask", "reduction", "axis_name"]
LOSSES = [n for n in FUNCTIONS if n != "reduce" and {*SHARED} <= {*inspect.signature(public(n)).parameters}]
CLASSES = [name for name in PUBLIC if inspect.isclass(public(name))]

# JAX as it comes; and errors without its note on hidden frames, which doctest would take for the message.
READERS_CONFIG = {
    "jax_debug_nans": False,
    "jax_enable_x64": False,
    "jax_numpy_dtype_promotion": "standard",
    "jax_numpy_rank_promotion": "allow",
    "jax_traceback_filtering": "off",
}


@pytest.fixture(autouse=True)
def readers_config():
    before = {name: getattr(jax.config, name) for name in READERS_CONFIG}
    for name, value in READERS_CONFIG.items():
        jax.config.update(name, value)
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    plt.close("all")


class Checker(doctest.OutputChecker):
    """Numbers may differ in the last digits, as from one JAX to the next; nothing else may."""

    NUMBER = re.compile(r"\s*[-+]?(?:\d+\.\d*|\.\d+|\d+(?=e))(?:e[-+]?\d+)?\s*")

    def check_output(self, want: str, got: str, optionflags: int) -> bool:
        wanted, found = ([float(number) for number in self.NUMBER.findall(text)] for text in (want, got))
        if len(wanted) == len(found) and all(math.isclose(a, b, rel_tol=1e-5) for a, b in zip(wanted, found)):
            want, got = (self.NUMBER.sub(" # ", text) for text in (want, got))
        return super().check_output(want, got, optionflags)


def run(session: doctest.DocTest) -> int:
    """How many examples there were; all gave what they show."""
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    report: list[str] = []
    results = doctest.DocTestRunner(Checker(), optionflags=flags).run(session, out=report.append, clear_globs=False)
    assert not results.failed, "".join(report)
    return results.attempted


@pytest.mark.parametrize(
    ("want", "got", "same"),
    [
        ("Array([ 0.5, -0. ], dtype=float32)", "Array([0.500001, 0.], dtype=float32)", True),
        ("2.06e-09", "2.060001e-09", True),
        ("0.5", "0.50001", False),
        ("0.", "1e-8", False),
        ("0.5", "nan", False),
        ("Array(0.5, dtype=float32)", "Array(0.5, dtype=float64)", False),
        ("ValueError: got 3 of 4", "ValueError: got 4 of 4", False),
    ],
)
def test_only_last_digits_may_differ(want: str, got: str, same: bool):
    assert Checker().check_output(want, got, doctest.NORMALIZE_WHITESPACE) is same


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", PUBLIC)
def test_examples(name: str):
    names = {"jax": jax, "jnp": jnp, "np": np, "jaxloss": jaxloss}
    # Without the module: the decorator of the losses makes their code look as if it were defined elsewhere.
    found: Any = doctest.DocTestFinder().find(public(name), name, module=False, globs=names)
    assert sum(map(run, found)) > 0, f"{name} has no example"


def section(doc: str, title: str) -> str:
    """What a docstring has under a heading."""
    match = re.search(rf"^{title}:(.*?)(?=^\S|\Z)", doc, re.DOTALL | re.MULTILINE)
    assert match and match[1].strip(), f"no {title}"
    return match[1]


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings_begin_with_one_line(name: str):
    first, *rest = inspect.cleandoc(public(name).__doc__).splitlines()
    assert re.fullmatch(r"[A-Z].*\.", first)
    assert rest[0] == ""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_of_functions(name: str):
    function = public(name)
    doc = inspect.cleandoc(function.__doc__)
    described = re.findall(r"^  (\w+): ", section(doc, "Args"), re.MULTILINE)
    assert described == [p for p in inspect.signature(function).parameters if name not in LOSSES or p not in SHARED]
    section(doc, "Returns")
    section(doc, "Example")


@pytest.mark.parametrize("name", LOSSES)
def test_docstrings_of_losses(name: str):
    doc = inspect.cleandoc(public(name).__doc__)
    paragraphs = doc.split("\n\n")
    assert "``weights``, ``mask``, ``reduction`` and ``axis_name`` are those of `jaxloss.reduce`." in paragraphs
    assert re.search(r"^\.\. math::\n  \S", doc, re.MULTILINE)
    source = next((paragraph for paragraph in paragraphs if paragraph.startswith("Source: ")), "")
    assert re.search(r"\b1[5-9]\d\d\b|\b20\d\d\b", source), "the source has no year"
    assert any(paragraph.startswith("Choose it ") for paragraph in paragraphs)


@pytest.mark.parametrize("name", CLASSES)
def test_docstrings_of_classes(name: str):
    cls = public(name)
    doc = inspect.cleandoc(cls.__doc__)
    described = re.findall(r"^  (\w+): ", section(doc, "Attributes"), re.MULTILINE)
    assert described == [*getattr(cls, "__dataclass_fields__", getattr(cls, "_fields", ()))]
    section(doc, "Example")
    assert all(value.__doc__ for key, value in vars(cls).items() if inspect.isfunction(value) and key[0] != "_")


@pytest.mark.parametrize("page", some([page for page in PAGES if page not in WITHOUT_CODE], "README.md"))
def test_pages_run(page: str):
    """From top to bottom as a reader would: sessions must give what they show, other blocks must run."""
    text = PAGES[page]
    names: dict[str, Any] = {"__name__": "page"}
    shown = 0
    for block in re.finditer(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
        code, line = block[1], text.count("\n", 0, block.start(1))
        if ">>>" in code:
            session = doctest.DocTestParser().get_doctest(code, names, page, page, line)
            shown += run(session)
            names = session.globs
        else:
            exec(compile("\n" * line + code, page, "exec"), names)
    assert shown > 0
    assert text.count("```") == 2 * text.count("\n```python\n"), "a block that no test runs"


@pages
def test_names_on_pages_exist(page: str):
    modules = {"jaxloss": jaxloss, "optax": optax}
    for module, name in re.findall(r"\b(jaxloss|optax)\.([a-z]\w*)", PAGES[page]):
        assert hasattr(modules[module], name), f"{module}.{name}"


@pages
def test_links_on_pages_lead_somewhere(page: str):
    folder = ROOT if page == "README.md" else (DOCS / page).parent
    for path in re.findall(r"\]\((?!https://)([^)#]+)\)", PAGES[page]):
        assert (folder / path).is_file(), path


def test_help_begins_with_every_name_by_family():
    listed = re.findall(r"\w+", " ".join(re.findall(r"^- [^:]*:(.*(?:\n  .*)*)", jaxloss.__doc__ or "", re.MULTILINE)))
    assert sorted(listed) == sorted(name for name in PUBLIC if "." not in name)


def test_readme_lists_every_loss():
    table = re.search(r"^## Losses$(.*?)^\|.*?^$", PAGES["README.md"], re.DOTALL | re.MULTILINE)
    assert table and sorted(re.findall(r"`(\w+)`", table[0])) == sorted({*LOSSES} - REDUCTIONS)


def test_changelog_has_the_version_and_every_name():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(.+?)\]", text, re.MULTILINE)[0] in (jaxloss.__version__, "Unreleased")
    assert [name for name in PUBLIC if not re.search(rf"`(@|\w+\.)?{re.escape(name.split('.')[-1])}\b", text)] == []


def test_nothing_waits_for_make_update():
    """The plan, the stub, the snapshot of what is public, the README's table, the matrix of tests, names elsewhere."""
    made = subprocess.run([sys.executable, "-m", "docs.update", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert not made.returncode, (
        f"{made.stdout}{made.stderr}\nIf that is meant, run `make update`; and where tests/project/api.txt changes, "
        "follow the deprecation policy in CONTRIBUTING.md and say so in CHANGELOG.md"
    )


@pytest.mark.parametrize(
    ("gone", "row"),
    [
        (["huber_loss"], r"^\| \[a number\]\(\S+\) \| `l1_loss`.*, `huber_loss` \|$"),
        (["coral_loss"], r"^\| \[wrong labels\]\(\S+\) \| .*, `coral_loss` \|$"),
        ([name for name in LOSSES if "._divergence." in public(name).__module__], r"^\| distributions against .* \|$"),
    ],
    ids=["of a room", "of a family", "of no row"],
)
def test_a_new_loss_gets_its_place_in_the_readme(gone, row):
    before = PAGES["README.md"]
    for name in gone:
        before = re.sub(rf", `{name}`|`{name}`, |^\| [^|]* \| `{name}` \|\n", "", before, flags=re.MULTILINE)
        assert f"| `{name}`" not in before and f", `{name}`" not in before
    after = with_every_loss(before)
    added = re.search(row, after, re.MULTILINE)
    assert added and all(f"`{name}`" in added[0] for name in gone)


def test_the_matrix_has_no_empty_cell():
    table = PAGES["matrix.md"]
    assert "|  |" not in table
    assert sorted(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == sorted({*LOSSES} - REDUCTIONS)


def test_contributing_is_short():
    assert 0 < len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 40
