"""What is called otherwise elsewhere, or misspelled, leads to what it is here."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

import jaxloss
from jaxloss._names import lookup
from jaxloss._names.lookup import ENTRIES, letters, plain, public_names

from .test_docs import PAGES, PUBLIC


OURS = {plain(name): name for name in PUBLIC}


def message(name: str) -> str:
    with pytest.raises(AttributeError) as error:
        getattr(jaxloss, name)
    start, _, rest = str(error.value).partition(f"module 'jaxloss' has no attribute {name!r}")
    assert not start
    return rest.removeprefix(": ")


NOT_OURS = {"jnp", "float", "probs", "labels", "mask", "scale", "negatives", "ref_embeddings", "lambda_weights"}


def test_entries_lead_to_public_names():
    for entry in ENTRIES:
        code = re.findall("`(.*?)`", entry.here) or [entry.here]
        names = {node.id for part in code for node in ast.walk(ast.parse(part)) if isinstance(node, ast.Name)}
        assert names & {*PUBLIC}, entry
        assert names <= {*PUBLIC} | NOT_OURS, entry


def test_places_exist():
    for entry in ENTRIES:
        if entry.place:
            page, _, anchor = entry.place.partition("#")
            titles = re.findall(r"^#+ (.*)$", PAGES[page], re.MULTILINE)
            assert anchor in {re.sub(r"[^\w-]", "", title.lower().replace(" ", "-")) for title in titles}, entry


def test_every_family_has_entries():
    assert len({entry.section for entry in ENTRIES}) == 13 and all(entry.section for entry in ENTRIES)


def test_a_name_has_one_meaning():
    meanings: dict[str, set[str]] = {}
    for entry in ENTRIES:
        for name in entry.names:
            meanings.setdefault(plain(name), set()).add(entry.here)
    assert not {name: here for name, here in meanings.items() if len(here) > 1}
    assert not {name: here for name, here in meanings.items() if name in OURS and here != {OURS[name]}}


def test_public_names_are_told_apart():
    names = [name for name in PUBLIC if "." not in name]
    assert sorted(public_names()) == sorted(names)
    assert len({*map(plain, names)}) == len({*map(letters, names)}) == len(names)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("simclr_loss", "it is called ntxent_loss"),
        ("SimCLRLoss", "it is called ntxent_loss"),
        ("simclr", "it is called ntxent_loss"),
        ("MSELoss", "it is called mse_loss"),
        ("Lovász_softmax", "it is called lovasz_softmax_loss"),
        ("smooth_labels", "it is cross_entropy(label_smoothing=0.1)"),
        ("l2_loss", "it is 0.5 * mse_loss; see docs/migrating.md#what-is-called-what"),
        ("GRPO", "it is ppo_clip_loss, whose weights say who divides by what; see docs/recipes.md#post-training"),
        ("FocalLoss", "it is sigmoid_focal_loss for yes or no, softmax_focal_loss for one of many classes"),
        ("huber_los", "did you mean huber_loss?"),
        ("cross_entrop", "did you mean cross_entropy?"),
        ("eiou_loss", "did you mean iou_loss or giou_loss or diou_loss?"),
        ("focal_tversky_los", "did you mean tversky_loss?"),
        ("nonsense", ""),
        ("plotting.plot_loss", ""),
        ("_rooms", ""),
        ("__wrapped__", ""),
    ],
)
def test_messages(name: str, hint: str):
    assert message(name) == hint


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("simclr_loss", "cannot import name 'simclr_loss' from 'jaxloss': it is called ntxent_loss"),
        ("huber_los", "cannot import name 'huber_los' from 'jaxloss': did you mean huber_loss?"),
        ("nonsense", f"cannot import name 'nonsense' from 'jaxloss' ({jaxloss.__file__})"),
    ],
)
def test_messages_of_imports(name: str, says: str):
    with pytest.raises(ImportError) as error:
        exec(f"from jaxloss import {name}")
    assert str(error.value) == says


def test_python_adds_no_guess_of_its_own():
    run = subprocess.run([sys.executable, "-c", "import jaxloss; jaxloss.huber_los"], capture_output=True, text=True)
    assert run.stderr.endswith("has no attribute 'huber_los': did you mean huber_loss?\n")


def test_modules_come_when_they_are_asked_for():
    run = (
        "import sys, jaxloss; assert 'jaxloss.plotting' not in sys.modules; print(jaxloss.plotting.plot_loss.__name__)"
    )
    assert subprocess.run([sys.executable, "-c", run], capture_output=True, text=True).stdout == "plot_loss\n"


def test_the_index_costs_no_import():
    run = "import sys, jaxloss; sys.exit(any(name.startswith('jaxloss._names') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", run], check=True)


def test_public_modules_are_imported_when_asked_for():
    assert lookup.attribute("testing").__name__ == "jaxloss.testing"
