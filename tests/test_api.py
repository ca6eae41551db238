"""What is public stays as it is: names, signatures and defaults are those of ``tests/api.txt``."""

from __future__ import annotations

import difflib
import inspect
from pathlib import Path

import jaxloss
import jaxloss.plotting


FILE = Path(__file__).with_name("api.txt")


def public(module) -> list[str]:
    return [name for name in dir(module) if not name.startswith("_") and not inspect.ismodule(getattr(module, name))]


def described(name: str, value: object) -> list[str]:
    lines = [f"{name}{inspect.signature(value)}"]
    if inspect.isclass(value):
        members = {key: x for key, x in vars(value).items() if inspect.isfunction(x) and key in public(value)}
        lines += [f"{name}.{key}{inspect.signature(member)}" for key, member in members.items()]
    return lines


def api() -> str:
    names = [(name, getattr(jaxloss, name)) for name in public(jaxloss)]
    names += [(f"plotting.{name}", getattr(jaxloss.plotting, name)) for name in jaxloss.plotting.__all__]
    return "\n".join(line for name, value in names for line in described(name, value)) + "\n"


def test_nothing_public_changes_unnoticed():
    changes = "\n".join(difflib.unified_diff(FILE.read_text().splitlines(), api().splitlines(), lineterm="", n=0))
    assert not changes, (
        f"public names or signatures changed:\n{changes}\nIf that is meant, follow the deprecation policy in "
        "CONTRIBUTING.md, say so in CHANGELOG.md and run: python -m tests.test_api"
    )


if __name__ == "__main__":
    FILE.write_text(api())
