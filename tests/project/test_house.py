"""The plan of the package: arrows point one way, rooms are small enough to read, and errors speak one language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from .mutants import faults


PACKAGE = Path(__file__).parents[2] / "jaxloss"
ROOMS = {f"{file.parent.name}.{file.stem}": file for file in PACKAGE.glob("_*/*.py") if file.stem != "__init__"}
BELOW = {"_contract": set(), "_numerics": {"_contract"}}
FAMILY = {"_contract", "_numerics"}


def imported(room: str) -> set[str]:
    """The rooms that a room imports, or imports from."""
    wing, found = room.partition(".")[0], set()
    for node in ast.walk(ast.parse(ROOMS[room].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            path = [wing] * (node.level == 1) + (node.module.split(".") if node.module else [])
            found |= {".".join(path)} if len(path) == 2 else {f"{path[0]}.{name.name}" for name in node.names}
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_point_one_way(room):
    wing = room.partition(".")[0]
    wings = {other.partition(".")[0] for other in imported(room)}
    assert imported(room) <= {*ROOMS}
    assert wings <= BELOW.get(wing, FAMILY) | {wing}


def test_no_circles():
    [*TopologicalSorter({room: imported(room) for room in ROOMS}).static_order()]


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_are_small(room):
    assert len(ROOMS[room].read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.name)
def test_faults_have_their_place(fault):
    assert (PACKAGE / fault.where).read_text(encoding="utf-8").count(fault.old) == 1


SENTENCE = re.compile(r"(\w+: )?[a-z{][^;]* must [^;]+, got [^;]+(; [^;]+)*")
OTHER_WORDS = (
    "has no attribute",  # Python's own, as the next one
    "cannot import name",
    "needs matplotlib",
    "nothing can be subtracted from a Total",  # which is no argument
    "must take an array, before its options",  # a formula, where nothing came
    "which the loss takes by itself",
)


def text_of(x: ast.expr, function: ast.AST) -> str:
    """What a string is made of, with `{}` for what only the call knows."""
    if isinstance(x, ast.JoinedStr):
        return "".join(text_of(part, function) for part in x.values)
    if isinstance(x, ast.FormattedValue):
        return text_of(x.value, function)
    if isinstance(x, ast.Name):
        given = [node.value for node in ast.walk(function) if isinstance(node, ast.Assign) and names(node) == [x.id]]
        return text_of(given[0], function) if [*map(type, given)] in ([ast.Constant], [ast.JoinedStr]) else "{}"
    return x.value if isinstance(x, ast.Constant) and isinstance(x.value, str) else "{}"


def names(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


def errors(file: Path) -> Iterator[str]:
    """What a room says: by `raise` and `message`, and by the two doors that make sentences of parts."""
    functions = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)]
    for function in functions:
        for node in ast.walk(function):
            call = node.exc if isinstance(node, ast.Raise) else node
            if not isinstance(call, ast.Call) or not call.args:
                continue
            texts = [text_of(x, function) for x in call.args]
            name = ast.unparse(call.func).rpartition(".")[2]
            if name == "exactly":
                yield f"{texts[0]} must have {texts[3]}, got {{}}"
            elif name == "report" and not any(isinstance(x, ast.Starred) for x in call.args):
                yield f"{texts[0]} must {texts[3]}, got {{}}" + "".join(texts[4:])
            elif name == "message" or node is not call:
                yield texts[0]


SAID = [
    (str(file.relative_to(PACKAGE)), text)
    for file in sorted(PACKAGE.rglob("*.py"))
    if "testing" not in str(file.relative_to(PACKAGE))  # which says what it found
    for text in dict.fromkeys(errors(file))
    if re.search("[a-z]", text) and not any(words in text for words in OTHER_WORDS)
]


def test_every_room_speaks():
    assert len(SAID) > 100


@pytest.mark.parametrize(("file", "text"), SAID)
def test_errors_say_what_must_be_and_what_came(file, text):
    assert SENTENCE.fullmatch(text)
    assert not text.endswith(".") and "  " not in text
    assert not re.search("must have (the )?shape.*, got shape", text)
