"""How a function goes from instruction to instruction: its blocks, and which of them come before others on
every way.

A block is a run of instructions that is entered at its first one only and left behind its last one only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import Operation, jump_target

#: Instructions with two ways on: to the next one, and to their target.
BRANCHES = ("jump", "may_goto")
_LEAVE = (*BRANCHES, "goto", "gotox", "exit")


class Block(NamedTuple):
    """The instructions at `slots`, and the slots of the blocks that may come next.

    `ways` is empty behind an exit; behind a conditional jump, the way on comes first and the target second,
    unless they are the same.
    """

    slots: tuple[int, ...]
    ways: tuple[int, ...]

    @property
    def begin(self) -> int:
        return self.slots[0]


class Flow:
    """The blocks of the function at slot `begin`, by their first slots, in an order in which no block comes
    before all of those that lead to it (reverse postorder). What cannot be reached is left out. `table_targets` gives
    the slots that the `gotox` at a slot can go to.

    `arrivals` counts the ways that lead to a block. `heads` are the blocks that some way goes back to.
    """

    def __init__(
        self,
        begin: int,
        instructions: Mapping[int, Instruction],
        operations: Mapping[int, Operation],
        table_targets: Callable[[int], tuple[int, ...]],
    ) -> None:
        self.begin = begin
        self.blocks = _reached(begin, _blocks(begin, instructions, operations, table_targets))
        order = {slot: number for number, slot in enumerate(self.blocks)}
        self.sources: dict[int, list[int]] = {slot: [] for slot in self.blocks}
        self.heads: set[int] = set()
        for slot, block in self.blocks.items():
            for way in block.ways:
                self.sources[way].append(slot)
                if order[way] <= order[slot]:
                    self.heads.add(way)
        self._order = order
        self._dominators = self._find_dominators()
        self.arrivals = {slot: len(found) + (slot == begin) for slot, found in self.sources.items()}
        self._meetings: dict[int, int] = {}
        for slot in self.blocks:
            if self.arrivals[slot] > 1 and slot not in self.heads and slot != begin:
                # Of several, the last one in the text: where source code's `if` ends.
                before = self._dominators[slot]
                self._meetings[before] = max(slot, self._meetings.get(before, slot))

    def meeting(self, slot: int) -> int | None:
        """The block in which the ways from the block at `slot` meet again, if there is such a one."""
        return self._meetings.get(slot)

    def _find_dominators(self) -> dict[int, int]:
        """Of each block, the nearest one that every way to it leads through (Cooper, Harvey and Kennedy)."""
        found = {self.begin: self.begin}
        changed = True
        while changed:
            changed = False
            for slot in self.blocks:
                if slot == self.begin:
                    continue
                known = [source for source in self.sources[slot] if source in found]
                nearest = known[0]
                for other in known[1:]:
                    nearest = self._common(found, nearest, other)
                if found.get(slot) != nearest:
                    found[slot] = nearest
                    changed = True
        return found

    def _common(self, found: Mapping[int, int], one: int, other: int) -> int:
        order = self._order
        while one != other:
            if order[one] > order[other]:
                one = found[one]
            else:
                other = found[other]
        return one


def _blocks(
    begin: int,
    instructions: Mapping[int, Instruction],
    operations: Mapping[int, Operation],
    table_targets: Callable[[int], tuple[int, ...]],
) -> dict[int, Block]:
    """Every block that can be reached from `begin`, in any order."""

    def ways_from(slot: int) -> tuple[int, ...]:
        family, instruction = operations[slot].family, instructions[slot]
        if family == "exit":
            return ()
        if family == "gotox":
            return table_targets(slot)
        after = (slot + instruction.slots,)
        if family not in _LEAVE:
            return after
        target = jump_target(slot, instruction, operations[slot])
        assert target is not None
        if family == "goto":
            return (target,)
        return after if target == after[0] else (*after, target)

    ways: dict[int, tuple[int, ...]] = {}
    starts, waiting = {begin}, [begin]
    while waiting:
        slot = waiting.pop()
        if slot in ways:
            continue
        ways[slot] = ways_from(slot)
        waiting += ways[slot]
        if operations[slot].family in _LEAVE:
            starts.update(ways[slot])
    blocks = {}
    for start in starts:
        slots = [start]
        while len(ways[slots[-1]]) == 1 and operations[slots[-1]].family not in _LEAVE:
            (following,) = ways[slots[-1]]
            if following in starts:
                break
            slots.append(following)
        blocks[start] = Block(tuple(slots), ways[slots[-1]])
    return blocks


def _reached(begin: int, blocks: Mapping[int, Block]) -> dict[int, Block]:
    """The blocks in reverse postorder."""
    done: list[int] = []
    seen = {begin}
    path: list[tuple[int, Sequence[int]]] = [(begin, blocks[begin].ways)]
    while path:
        slot, ways = path.pop()
        unseen = next((way for way in ways if way not in seen), None)
        if unseen is None:
            done.append(slot)
        else:
            seen.add(unseen)
            path += [(slot, ways), (unseen, blocks[unseen].ways)]
    return {slot: blocks[slot] for slot in reversed(done)}
