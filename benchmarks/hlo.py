"""What an optimised program of XLA costs, read from its text: traffic to and from the main memory, XLA's own estimate
of cycles, kernels, and messages between devices.

XLA's `cost_analysis` counts the body of a loop once, a TPU's VMEM like its HBM, and a gather as all that it picks from.
Here a loop counts as often as it runs, what lies on the chip is free, and of what is sliced only the slice counts.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple


FREE = {"parameter", "constant", "bitcast", "tuple", "get-tuple-element", "after-all", "partition-id", "replica-id"}
FREE |= {"opt-barrier", "optimization-barrier", "async-update", "add-dependency", "domain"}
SLICES = {"slice", "dynamic-slice", "gather"}
THROUGH = {"bitcast", "convert", "copy", "negate", "reshape"}  # inside of a fusion, done where their result is read
MESSAGES = {"all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute", "collective-broadcast"}
TURNS = 5  # for a loop whose end depends on its data

COMPUTATION = re.compile(r"(ENTRY )?%?([\w.\-]+) \(.*\) -> .* \{")
INSTRUCTION = re.compile(r"\s+(ROOT )?%?([\w.\-]+) = (.*)")
ARRAY = re.compile(r"\b([a-z]+\d*[a-z0-9]*)\[([\d,]*)\](?:\{([^}:]*):?([^}]*)\})?")


class Instruction(NamedTuple):
    opcode: str
    kind: str  # its type, with layouts
    inside: str  # what stands in the parentheses: operands, a parameter's number, a constant's value
    attributes: str
    root: bool

    @property
    def operands(self) -> list[str]:
        return re.findall(r"%([\w.\-]+)", self.inside)

    def named(self, attribute: str) -> str:
        """The computation that an attribute names."""
        return re.findall(rf"{attribute}=%?([\w.\-]+)", self.attributes)[0]

    def branches(self) -> list[str]:
        listed = re.findall(r"branch_computations=\{([^}]*)\}", self.attributes)
        either = re.findall(r"(?:true|false)_computation=%?([\w.\-]+)", self.attributes)
        return re.findall(r"[\w.\-]+", listed[0]) if listed else either

    @property
    def cycles(self) -> int:
        """As XLA:TPU estimates them."""
        return sum(map(int, re.findall(r'estimated_cycles":"(\d+)"', self.attributes)))


@dataclasses.dataclass
class Cost:
    traffic: float = 0  # bytes
    cycles: float = 0
    kernels: float = 0
    messages: Counter[str] = dataclasses.field(default_factory=Counter)
    sent: Counter[str] = dataclasses.field(default_factory=Counter)  # bytes, by the kind of message

    def add(self, other: Cost, times: int = 1) -> None:
        self.traffic += times * other.traffic
        self.cycles += times * other.cycles
        self.kernels += times * other.kernels
        for counts, more in ((self.messages, other.messages), (self.sent, other.sent)):
            counts.update({kind: times * count for kind, count in more.items()})


def sizes(kind: str, everywhere: bool = False) -> list[int]:
    """Bytes of each array of a type, padded to its tiles; 0 for those on the chip, unless they count everywhere."""
    found = []
    for name, shape, order, layout in ARRAY.findall(re.sub(r"/\*.*?\*/", "", kind)):
        if not everywhere and re.search(r"S\([1-9]", layout):
            found.append(0)
            continue
        lengths = [int(length) for length in shape.split(",") if length]
        if tile := re.search(r"T\(([\d,]+)\)", layout):
            tiled = reversed([int(length) for length in tile[1].split(",")])
            if not lengths:
                lengths, order = [1], "0"
            for length, axis in zip(tiled, map(int, order.split(","))):
                lengths[axis] = -(-lengths[axis] // length) * length
        bits = re.search(r"\d+", name)  # none in "pred", "token" and "opaque"
        found.append(
            math.ceil(math.prod(lengths) * int(bits[0]) / 8) if bits else math.prod(lengths) * (name == "pred")
        )
    return found


def closing(text: str, start: int) -> int:
    """Where the parenthesis that opens at `start` closes."""
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise ValueError(f"unbalanced: {text}")


def instruction(text: str, root: bool) -> Instruction:
    """From what stands on the right of the equals sign."""
    end = closing(text, 0) + 1 if text[0] == "(" else text.index(" ")
    kind, text = text[:end], text[end:].lstrip()
    opened = text.index("(")
    closed = closing(text, opened)
    return Instruction(text[:opened], kind, text[opened + 1 : closed], text[closed + 1 :], root)


class Program:
    """`guessed` says whether a loop was met of which the text doesn't tell how often it runs."""

    def __init__(self, text: str):
        self.computations: dict[str, dict[str, Instruction]] = {}
        self.entry = ""
        self.guessed = False
        body: dict[str, Instruction] = {}
        for line in text.splitlines():
            if head := COMPUTATION.fullmatch(line):
                body = self.computations[head[2]] = {}
                self.entry = head[2] if head[1] else self.entry
            elif found := INSTRUCTION.fullmatch(line):
                body[found[2]] = instruction(found[3], bool(found[1]))

    def cost(self, computation: str = "") -> Cost:
        total = Cost()
        body = self.computations[computation or self.entry]
        for x in body.values():
            if x.opcode == "while":
                total.add(self.cost(x.named("body")), self.turns(x))
            elif x.opcode == "conditional":
                total.add(max(map(self.cost, x.branches()), key=lambda cost: cost.traffic + cost.cycles))
            elif x.opcode == "call":
                total.add(self.cost(x.named("to_apply")))
            else:
                total.add(self.alone(x, body))
        return total

    def turns(self, loop: Instruction) -> int:
        if known := re.search(r'known_trip_count":\{"n":"(\d+)"', loop.attributes):
            return int(known[1])
        condition = self.computations[loop.named("condition")]
        end = next(x for x in condition.values() if x.root)
        limits = [condition[name].inside for name in end.operands if condition[name].opcode == "constant"]
        if end.opcode == "compare" and "direction=LT" in end.attributes and limits and limits[0].isdigit():
            return int(limits[0])
        self.guessed = True
        return TURNS

    def alone(self, x: Instruction, body: dict[str, Instruction]) -> Cost:
        """Of an instruction that runs no others of `body`'s kind, a fusion included."""
        if x.opcode in FREE or x.opcode.endswith("-done") or "AllocateBuffer" in x.attributes:
            return Cost(cycles=x.cycles)
        cost = Cost(self.read(x, body) + self.written(x, body), x.cycles, 1)
        kind = x.opcode.removesuffix("-start")
        if kind == "async":
            kind = next(y.opcode for y in self.computations[x.named("calls")].values() if y.opcode not in FREE)
        if kind in MESSAGES:
            given = sum(sum(sizes(body[name].kind, everywhere=True)) for name in x.operands)
            cost.messages[kind] = 1
            cost.sent[kind] = max(sizes(x.kind, everywhere=True)) if kind == "all-gather" else given
        return cost

    def read(self, x: Instruction, body: dict[str, Instruction]) -> float:
        kind, starts = x.opcode.removesuffix("-start"), x.opcode.endswith("-start")
        result = sizes(x.kind, everywhere=True)[starts:]  # what is started has its operand in its type, too
        total = 0.0
        for index, name in enumerate(x.operands):
            whole = sum(sizes(body[name].kind))
            if kind == "fusion" and whole:
                taken, passes = self.taken(x.named("calls"), index)
                whole = whole if passes else min(whole, taken)
            elif kind in SLICES and index == 0:
                whole = min(whole, max(result, default=whole))
            elif kind == "dynamic-update-slice" and index == 0:
                whole = 0
            total += whole
        return total

    def written(self, x: Instruction, body: dict[str, Instruction]) -> float:
        if x.opcode == "fusion":
            return self.written_by(x.named("calls"), x.kind)
        if x.opcode == "dynamic-update-slice":
            return sum(sizes(body[x.operands[1]].kind))
        if x.opcode.endswith("-start"):  # mostly brings something onto the chip; a copy may take it off, too
            return sizes(x.kind)[0] if x.opcode == "copy-start" else 0
        return sum(sizes(x.kind))

    def taken(self, fusion: str, index: int) -> tuple[float, bool]:
        """Bytes of operand `index` that are read in slices, infinite where it is read as a whole; and whether it comes
        out as it went in."""
        body = self.computations[fusion]
        names = [name for name, x in body.items() if x.opcode == "parameter" and x.inside.strip() == str(index)]
        total = 0.0
        while names:
            name = names.pop()
            if body[name].root:
                return total, True
            for user, x, places in self.users(name, body):
                if x.opcode == "fusion":
                    for place in places:
                        taken, passes = self.taken(x.named("calls"), place)
                        total += taken
                        names += [user] * passes
                elif x.opcode in THROUGH:
                    names.append(user)
                elif x.opcode in SLICES and places == [0]:
                    total += sum(sizes(x.kind, everywhere=True))
                elif x.opcode != "dynamic-update-slice" or places != [0]:  # which is done in place
                    return math.inf, False
        return total, False

    @staticmethod
    def users(name: str, body: dict[str, Instruction]) -> Iterator[tuple[str, Instruction, list[int]]]:
        """Each with the places that it has `name` at."""
        for user, x in body.items():
            if places := [place for place, operand in enumerate(x.operands) if operand == name]:
                yield user, x, places

    def written_by(self, fusion: str, kind: str) -> float:
        """Of an array that is updated in place only the slice."""
        body = self.computations[fusion]
        found: list[Any] = sizes(kind)
        root = next(name for name, x in body.items() if x.root)
        if body[root].opcode == "fusion":
            return min(sum(found), self.written_by(body[root].named("calls"), kind))
        for place, name in enumerate(body[root].operands if body[root].opcode == "tuple" else [root]):
            while body[name].opcode == "bitcast":
                name = body[name].operands[0]
            if body[name].opcode == "dynamic-update-slice":
                found[place] = min(found[place], sum(sizes(body[body[name].operands[1]].kind, everywhere=True)))
        return sum(found)
