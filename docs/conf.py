"""The site that `make docs` builds from README, docs, notebooks and docstrings. The pages of `docs/api` are made here.

All paths are those of the repository, so links between its files lead somewhere here too; what is no page is offered
for download.
"""

import importlib.util
import operator
import re
import shutil
import sys
from pathlib import Path

import jax
import matplotlib
from docutils import nodes
from sphinx.addnodes import pending_xref


ROOT = Path(__file__).parents[1]
API = ROOT / "docs/api"
sys.path[:0] = [str(ROOT / "docs"), str(ROOT)]
matplotlib.use("Agg")
jax.config.update("jax_disable_most_optimizations", True)  # what runs once is sooner compiled so

import matplotlib.pyplot as plt  # noqa: E402
from pictures import PICTURES  # noqa: E402

import jaxloss  # noqa: E402
import jaxloss.plotting  # noqa: E402
import jaxloss.testing  # noqa: E402
from docs import update  # noqa: E402


project = "jaxloss"
version = release = jaxloss.__version__
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "docs/choosing/*.md", "docs/api/*.rst", "notebooks/*.ipynb"]
include_patterns += ["benchmarks/*.md", "benchmarks/results/*.md"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon", "sphinx_copybutton"]

default_role = "py:obj"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "exclude-members": "total, weight"}  # these are described as attributes
napoleon_attr_annotations = False
napoleon_use_ivar = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_ipywidgets_js = {}
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

mathjax_path = "tex-svg.js"  # in a package, so that no page needs a network
mathjax = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent / "static/mathjax/tex-svg.js"

html_theme = "furo"
html_title = f"jaxloss {version}"
html_static_path = ["static", str(mathjax)]
html_css_files = ["site.css"]
html_extra_path = ["index.html"]
html_copy_source = html_show_copyright = html_show_sourcelink = False

PUBLIC = [name for name, value in vars(jaxloss).items() if getattr(value, "__module__", "").startswith("jaxloss.")]
PUBLIC += [f"plotting.{name}" for name in jaxloss.plotting.__all__]
PUBLIC += [f"testing.{name}" for name in jaxloss.testing.__all__]
CONTENTS = """
```{toctree}
:hidden:
:glob:
:caption: Guides

docs/*
```

```{toctree}
:hidden:
:glob:
:caption: Notebooks

notebooks/quickstart
notebooks/*
```

```{toctree}
:hidden:
:caption: Functions

{groups}
```

```{toctree}
:hidden:
:glob:
:caption: Benchmarks

benchmarks/results/README
benchmarks/*
benchmarks/results/losses-cpu
benchmarks/results/*
```

```{toctree}
:hidden:
:caption: The project

CHANGELOG
CONTRIBUTING
SECURITY
```
"""


def families():
    """The rows of the README's table, and what is drawn with."""
    groups = {title[0].upper() + title[1:]: names for title, names in update.families().items()}
    return groups | {"Pictures": [name for name in PUBLIC if "." in name]}


def write_pages(app):
    shutil.rmtree(API, ignore_errors=True)
    API.mkdir()
    for family, names in families().items():
        lines = [family, "=" * len(family), "", ".. currentmodule:: jaxloss", ""]
        for name in names:
            lines += [f"`{name}`", f"  {public(name).__doc__.strip().splitlines()[0]}", ""]
        write(slug(family), *lines, ".. toctree::", "  :hidden:", "", *(f"  {name}" for name in names))
    for name in PUBLIC:
        kind = "class" if isinstance(public(name), type) else "function"
        write(name, name, "=" * len(name), "", f".. auto{kind}:: jaxloss.{name}")


def write(page, *lines):
    (API / f"{page}.rst").write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw_pictures(app):
    for name, (_, draw) in PICTURES.items():
        draw()
        plt.savefig(API / f"{name}.svg")
        plt.close()


def public(name):
    return operator.attrgetter(name)(jaxloss)


def slug(family):
    return re.sub(r"\W+", "-", family.lower())


def prepare(app, docname, source):
    source[0] = source[0].replace("\n\n```\n", "\n```\n")  # the empty line that ends a doctest
    if docname == root_doc:
        groups = "\n".join(f"docs/api/{slug(family)}" for family in families())
        source[0] += CONTENTS.replace("{groups}", groups)
    if docname == "docs/choosing":
        tasks = "\n".join(re.findall(r"^\d+\. .*?\]\((choosing/\S+)\.md\)", source[0], re.MULTILINE))
        source[0] += f"\n```{{toctree}}\n:hidden:\n\n{tasks}\n```\n"


def add_to_docstring(app, what, name, obj, options, lines):
    """The picture below the formula, and links to the sources."""
    name = name.removeprefix("jaxloss.")
    lines[:] = [
        re.sub(r"\bdoi:(10\.\S+?)(?=[.,;)]*(?:\s|$))", r"`doi:\1 <https://doi.org/\1>`__", line) for line in lines
    ]
    lines[:] = [re.sub(r"\barXiv:(\d+\.\d+)", r"`arXiv:\1 <https://arxiv.org/abs/\1>`__", line) for line in lines]
    if name in PICTURES:
        place = next(i for i, line in enumerate(lines) if line.startswith(("``weights``, ``mask``", "Args:")))
        caption = PICTURES[name][0]
        lines[place:place] = [f".. figure:: /docs/api/{name}.svg", f"  :alt: {name}. {caption}", "", f"  {caption}", ""]


def link_names(app, doctree):
    """Public names on pages and in notebooks lead to their own; not where a table's column says whose else they are."""
    if app.env.docname.startswith("docs/api/"):
        return
    for literal in list(doctree.findall(nodes.literal)):
        name = literal.astext().removeprefix("jaxloss.").split("(")[0]
        if name in PUBLIC and not within(literal, nodes.reference, nodes.title, pending_xref) and is_ours(literal):
            target = {"refdomain": "py", "reftype": "obj", "reftarget": f"jaxloss.{name}", "refdoc": app.env.docname}
            literal.replace_self(pending_xref("", literal.deepcopy(), refwarn=True, refexplicit=True, **target))


def within(node, *kinds):
    while node := node.parent:
        if isinstance(node, kinds):
            return node
    return None


def is_ours(literal):
    entry, group = within(literal, nodes.entry), within(literal, nodes.tgroup)
    if entry is None:
        return True
    heads = next(group.findall(nodes.thead))[0]
    return not re.search("torch|optax|keras", heads[entry.parent.index(entry)].astext(), re.IGNORECASE)


def setup(app):
    app.connect("builder-inited", write_pages)
    app.connect("builder-inited", draw_pictures)
    app.connect("source-read", prepare)
    app.connect("autodoc-process-docstring", add_to_docstring, priority=400)  # before napoleon makes fields of Args
    app.connect("doctree-read", link_names)
