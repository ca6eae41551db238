"""The plan of the package: arrows point one way, and rooms are small enough to read."""

from __future__ import annotations

import ast
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
    assert len(ROOMS[room].read_text(encoding="utf-8").splitlines()) < 400


@pytest.mark.parametrize("fault", faults(), ids=lambda fault: fault.name)
def test_faults_have_their_place(fault):
    assert (PACKAGE / fault.where).read_text(encoding="utf-8").count(fault.old) == 1
