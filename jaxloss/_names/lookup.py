"""What a name that the package doesn't have may have meant."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import re
import sys
import unicodedata
from typing import Any, NamedTuple

import jaxloss

from .elsewhere import ELSEWHERE


class Entry(NamedTuple):
    section: str
    here: str
    place: str
    names: list[str]


def attribute(name: str) -> Any:
    """A public module that nobody has imported yet; else an error that says what the name is called here."""
    if name.isidentifier() and importlib.util.find_spec(f"jaxloss.{name}"):
        return importlib.import_module(f"jaxloss.{name}")
    hint = meant(name)
    # `from jaxloss import name` asks whether there is an attribute, and would replace our error by its own.
    if hint and sys._getframe(2).f_code.co_name == "_handle_fromlist":
        raise ImportError(f"cannot import name {name!r} from 'jaxloss': {hint}", name="jaxloss")
    # Without its `name`, or Python would add a guess of its own to ours.
    raise AttributeError(f"module 'jaxloss' has no attribute {name!r}" + (f": {hint}" if hint else ""), obj=jaxloss)


def meant(name: str) -> str:
    """What others call so, or what is spelled almost so."""
    key, public = plain(name), {plain(ours): ours for ours in public_names()}
    if key in public:
        return f"it is called {public[key]}"
    if entry := SYNONYMS.get(key):
        if entry.here.isidentifier():
            return f"it is called {entry.here}"
        return f"it is {entry.here.replace('`', '')}" + (f"; see docs/{entry.place}" if entry.place else "")
    ours = {letters(other): other for other in public.values()}
    theirs = {letters(other): first_name(entry.here) for entry in ENTRIES for other in entry.names}
    for spelled in (ours, theirs):
        if near := difflib.get_close_matches(letters(name), spelled, n=3, cutoff=0.8):
            return f"did you mean {' or '.join(dict.fromkeys(spelled[key] for key in near))}?"
    return ""


def public_names() -> list[str]:
    return [name for name, x in vars(jaxloss).items() if getattr(x, "__module__", "").startswith("jaxloss.")]


def first_name(here: str) -> str:
    return next(word for word in re.findall(r"\w+", here) if word in public_names())


def letters(name: str) -> str:
    """Without case, accents and whatever is neither a letter nor a digit."""
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKD", name.lower().replace("ø", "o")))


def plain(name: str) -> str:
    return letters(name).removesuffix("loss")


def entries() -> list[Entry]:
    found, section = [], ""
    for line in re.sub(r"\n  +", " ", ELSEWHERE).splitlines():
        if line.startswith("# "):
            section = line.removeprefix("# ")
        else:
            here, *place, names = line.split(" | ")
            found.append(Entry(section, here, "".join(place), names.split(", ")))
    return found


ENTRIES = entries()
SYNONYMS = {plain(name): entry for entry in ENTRIES for name in entry.names}
