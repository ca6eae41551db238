"""The table of docs/own.md: what `check_loss` finds in losses of others."""

from __future__ import annotations

import re

import pytest

from jaxloss.testing import check_loss

from ..harness.rows import some
from .found import ELSEWHERE
from .test_docs import PAGES, readers_config


__all__ = ["readers_config"]  # as a user has it, which the tests here otherwise forbid
HEAD, _, *ROWS = re.findall(r"^\| .* \|$|^\|-.*\|$", PAGES["own.md"], re.MULTILINE)
BEGINS = {
    "NaN under the mask": "What is masked reaches no value and no derivative",
    "mean of nothing": "Where nothing counts the mean is 0",
    "half precision": "Half precision costs the rounding of its inputs",
    "float32 beside float64": "float64 stays float64, and float32 stays float32",
    "shapes broadcast": "Shapes that don't fit are errors",
}


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.strip("|").split("|")]


def test_every_loss_has_its_row():
    assert [cells(row)[0] for row in ROWS] == [*ELSEWHERE]
    assert cells(HEAD) == ["loss", *BEGINS]


@pytest.mark.parametrize("name", some(ELSEWHERE, "MaxText"))
def test_found_elsewhere(name):
    loss, arguments, options = ELSEWHERE[name]
    row = next(cells(row) for row in ROWS if cells(row)[0] == name)
    with pytest.raises(AssertionError) as error:
        check_loss(loss, *arguments, **options)
    _, *broken = str(error.value).splitlines()
    found = {promise for line in broken for promise, begins in BEGINS.items() if line.startswith(f"- {begins}")}
    assert len(found) == len(broken)
    assert found == {promise for promise, cell in zip(BEGINS, row[1:], strict=True) if cell == "broken"}
