"""A program's control flow: functions, their blocks, and the places at which the budget is looked at.

Between two such places no way is longer than what the first one makes sure of. They are where functions begin,
where loops close, and behind calls that use up an unknown part of the budget.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from skverdict.codegen.instruction import Instruction
from skverdict.codegen.instruction_set import Operation, jump_target, operation
from skverdict.codegen.object import Program
from skverdict.runtime.machine.semantics import signed


class Site(NamedTuple):
    """An instruction at `slot`; `next` is the slot behind it, `target` where it may go beside that, or -1.

    That of a call is the function that it calls, or has called again and again.
    """

    slot: int
    instruction: Instruction
    operation: Operation
    next: int
    target: int


class Block(NamedTuple):
    """Instructions that run one after the other, and the slots of the blocks that may follow."""

    sites: tuple[Site, ...]
    successors: tuple[int, ...]

    @property
    def slot(self) -> int:
        return self.sites[0].slot


class Function(NamedTuple):
    """A function: its reachable blocks by their slots, in an order in which only loops go back.

    `checks` are the blocks that look at the budget, each with the instructions that it must allow for.
    """

    slot: int
    blocks: dict[int, Block]
    checks: dict[int, int]


#: The register in which helpers get the function to call.
_CALLBACK = 2

#: The functions of a program that can be reached by calls, by their slots, callers first.
Graph = dict[int, Function]


def graph(program: Program, uncounted: Collection[int], loops: Collection[int] = ()) -> Graph:
    """The control flow of a program that `machine.load` has accepted.

    `uncounted` are the slots of helper calls that use up an unknown part of the budget. What only these call is left
    out, but for those at `loops`, whose function is in r2, where it is plain which one that is.
    """
    sites = dict(_sites(program))
    functions: Graph = {}
    finished: list[int] = []

    def visit(slot: int) -> None:
        functions[slot] = made = _function(sites, slot, uncounted, loops)
        for block in made.blocks.values():
            for site in block.sites:
                if calls_function(site) and site.target not in functions:
                    visit(site.target)
        finished.append(slot)

    visit(0)
    return {slot: functions[slot] for slot in reversed(finished)}


def all_sites(graph: Graph) -> Iterator[Site]:
    """Every instruction that can be reached, function by function."""
    for function in graph.values():
        for block in function.blocks.values():
            yield from block.sites


def is_local_call(site: Site) -> bool:
    """True for a call of a function of the program."""
    return site.operation.family == "call" and site.operation.name == "local"


def calls_function(site: Site) -> bool:
    """True for a call of a function of the program, once or in a loop."""
    return site.operation.family == "call" and site.target >= 0


def _sites(program: Program) -> Iterator[tuple[int, Site]]:
    for slot, instruction in program.instructions.items():
        row = operation(instruction)
        target = jump_target(slot, instruction, row)
        yield slot, Site(slot, instruction, row, slot + instruction.slots, -1 if target is None else target)


def _following(site: Site) -> tuple[int, ...]:
    """Where the function goes on behind an instruction."""
    family = site.operation.family
    if family == "exit":
        return ()
    if family == "goto":
        return (site.target,)
    if family in ("jump", "may_goto"):
        return (site.next,) if site.target == site.next else (site.next, site.target)
    return (site.next,)


def _function(
    sites: Mapping[int, Site], begin: int, uncounted: Collection[int], loops: Collection[int]
) -> Function:
    leaders, seen, pending = {begin}, {begin}, [begin]
    after_calls = set()
    while pending:
        site = sites[pending.pop()]
        following = _following(site)
        if len(following) != 1 or site.operation.family == "goto":
            leaders.update(following)
        if is_local_call(site) or site.slot in uncounted:
            after_calls.add(site.next)
        for slot in following:
            if slot not in seen:
                seen.add(slot)
                pending.append(slot)
    leaders |= after_calls
    blocks = {slot: _with_loops(_block(sites, slot, leaders), loops) for slot in leaders}
    order, loops = _order(blocks, begin)
    checks = {begin} | after_calls | loops
    return Function(begin, {slot: blocks[slot] for slot in order}, _lengths(blocks, order, checks))


def _block(sites: Mapping[int, Site], slot: int, leaders: Collection[int]) -> Block:
    members = [sites[slot]]
    while True:
        following = _following(members[-1])
        if len(following) != 1 or following[0] in leaders:
            return Block(tuple(members), following)
        members.append(sites[following[0]])


def _with_loops(block: Block, loops: Collection[int]) -> Block:
    """The block, with the functions that its calls at `loops` call for their targets."""
    if not any(site.slot in loops for site in block.sites):
        return block
    made, named = [], -1
    for site in block.sites:
        if site.slot in loops:
            site = site._replace(target=named)
        made.append(site)
        fetches = site.operation.family == "atomic" and site.instruction.src == _CALLBACK
        if site.instruction.dst == _CALLBACK or fetches or site.operation.family == "call":
            named = _named(site)
    return block._replace(sites=tuple(made))


def _named(site: Site) -> int:
    """The function whose address an instruction loads, or -1."""
    if site.operation.family != "constant" or site.operation.name != "function":
        return -1
    return site.slot + 1 + signed(site.instruction.imm, 32)


def _order(blocks: Mapping[int, Block], begin: int) -> tuple[list[int], set[int]]:
    """Reverse postorder, and the blocks that something behind them goes back to."""
    open_, done, heads = {begin}, set(), set()
    order: list[int] = []
    path = [(begin, iter(blocks[begin].successors))]
    while path:
        slot, successors = path[-1]
        for successor in successors:
            if successor in open_:
                heads.add(successor)
            elif successor not in done:
                open_.add(successor)
                path.append((successor, iter(blocks[successor].successors)))
                break
        else:
            path.pop()
            open_.remove(slot)
            done.add(slot)
            order.append(slot)
    return order[::-1], heads


def _lengths(blocks: Mapping[int, Block], order: list[int], checks: set[int]) -> dict[int, int]:
    """For each check the longest way to the next ones, in instructions."""
    longest: dict[int, int] = {}
    for slot in reversed(order):
        block = blocks[slot]
        # What a loop goes back to is a check, so every other successor has been counted.
        behind = max((longest[each] for each in block.successors if each not in checks), default=0)
        longest[slot] = len(block.sites) + behind
    return {slot: longest[slot] for slot in sorted(checks)}
