"""Which registers hold something at each instruction: what each one uses and sets, and what follows of that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from skverdict.dsl.catalogue.helpers import HELPERS, Helper
from skverdict.runtime.native.graph import Function, Graph, Site, calls_function, is_local_call

#: Helpers by their numbers.
NUMBERED: dict[int, Helper] = {helper.number: helper for helper in HELPERS.values()}

_ARGUMENTS = 0b111110
_ENTRY = _ARGUMENTS | 1 << 10


class Written(NamedTuple):
    """Bit n: register n holds something, in all cases (`always`) or in some (`ever`)."""

    always: int
    ever: int


#: r1 and r10, as a program begins.
PROGRAM_ENTRY = Written(0b10000000010, 0b10000000010)
#: r1, r2 and r10, as a function begins that is called in a loop.
_ROUND = Written(0b10000000110, 0b10000000110)


class UnclearRegister(Exception):
    """The instruction at `slot` uses register `number`, which holds something in some cases only."""

    def __init__(self, number: int, slot: int) -> None:
        super().__init__(f"r{number} holds a value in some cases only at instruction {slot}")
        self.number = number
        self.slot = slot


def helper_of(site: Site) -> Helper | None:
    """The helper that an instruction calls, if it calls one."""
    if site.operation.family == "call" and site.operation.name == "helper":
        return NUMBERED[site.instruction.imm]
    return None


def _alu(site: Site) -> tuple[int, ...]:
    name, source = site.operation.name, site.operation.source
    operand = (site.instruction.src,) if source == "reg" else ()
    return operand if name.startswith("mov") else (site.instruction.dst, *operand)


def _dst_and_source(site: Site) -> tuple[int, ...]:
    return (site.instruction.dst, site.instruction.src) if site.operation.source == "reg" else (site.instruction.dst,)


def _dst(site: Site) -> tuple[int, ...]:
    return (site.instruction.dst,)


def _src(site: Site) -> tuple[int, ...]:
    return (site.instruction.src,)


def _atomic(site: Site) -> tuple[int, ...]:
    compared = (0,) if site.operation.name == "cmpxchg" else ()
    return (site.instruction.dst, site.instruction.src, *compared)


def _call(site: Site) -> tuple[int, ...]:
    helper = helper_of(site)
    return tuple(range(1, 6)) if helper is None else tuple(range(1, 1 + len(helper.arguments)))


_USES: dict[str, Callable[[Site], tuple[int, ...]]] = {
    "alu": _alu,
    "byte_order": _dst,
    "jump": _dst_and_source,
    "load": _src,
    "store": _dst_and_source,
    "atomic": _atomic,
    "load_acquire": _src,
    "store_release": _dst_and_source,
    "call": _call,
}


def uses(site: Site) -> tuple[int, ...]:
    """The registers that an instruction reads. A call of the program's own functions hands on r1..r5."""
    using = _USES.get(site.operation.family)
    return () if using is None else using(site)


def sets(site: Site) -> int | None:
    """The register that gets a value, if one does. Calls set r0, and lose r1..r5."""
    family = site.operation.family
    if family in ("alu", "byte_order", "load", "load_acquire", "constant"):
        return site.instruction.dst
    if family == "atomic" and site.operation.fetch:
        return 0 if site.operation.name == "cmpxchg" else site.instruction.src
    return 0 if family == "call" else None


class Registers(NamedTuple):
    """`before` each instruction what registers hold, by its slot; `faults` are the slots of those that use a
    register which never holds anything there; `gives` tells of each function whether it gives a result."""

    before: dict[int, Written]
    faults: frozenset[int]
    gives: dict[int, Written]


def follow(graph: Graph) -> Registers:
    """Follow a program's registers. Raises UnclearRegister."""
    gives: dict[int, Written] = {}
    for slot in reversed(graph):
        gives[slot] = _Walk(graph[slot], gives).result(Written(_ENTRY, _ENTRY))
    entries: dict[int, Written] = {0: PROGRAM_ENTRY}
    before: dict[int, Written] = {}
    for slot, function in graph.items():
        _Walk(function, gives).record(entries[slot], before)
        for block in function.blocks.values():
            for site in block.sites:
                if calls_function(site):
                    given = _ROUND
                    if is_local_call(site):
                        given = before[site.slot]
                        # r0 is handed on as well, though no compiler counts on that.
                        given = Written(given.always & _ARGUMENTS | 1 << 10, given.ever & (_ARGUMENTS | 1) | 1 << 10)
                    known = entries.get(site.target)
                    entries[site.target] = given if known is None else _joined(known, given)
    for block in graph[0].blocks.values():
        if block.sites[-1].operation.family == "exit":
            _check(block.sites[-1], before[block.sites[-1].slot], (0,))
    faults = frozenset(
        site.slot
        for function in graph.values()
        for block in function.blocks.values()
        for site in block.sites
        if _misuses(site, before[site.slot])
    )
    return Registers(before, faults, gives)


def _joined(one: Written, other: Written) -> Written:
    return Written(one.always & other.always, one.ever | other.ever)


def _misuses(site: Site, written: Written) -> bool:
    """True if an instruction uses what holds nothing. Calls may be given it, and say so themselves."""
    if site.operation.family == "call":
        helper = helper_of(site)
        if helper is not None:
            _check(site, written, range(1, 6) if _varies(helper) else uses(site))
        return False
    _check(site, written, uses(site))
    return any(not written.always >> number & 1 for number in uses(site))


def _varies(helper: Helper) -> bool:
    return any(argument.kind == "varargs" for argument in helper.arguments)


def _check(site: Site, written: Written, used: Iterable[int]) -> None:
    for number in used:
        if (written.always ^ written.ever) >> number & 1:
            raise UnclearRegister(number, site.slot)


class _Walk:
    """The walk through one function."""

    def __init__(self, function: Function, gives: Mapping[int, Written]) -> None:
        self.function = function
        self.gives = gives

    def result(self, entry: Written) -> Written:
        """What is known of r0 where the function returns."""
        known: Written | None = None
        for slot, at_begin in self._blocks(entry).items():
            block = self.function.blocks[slot]
            if block.sites[-1].operation.family == "exit":
                here = at_begin
                for site in block.sites:
                    here = self._after(site, here)
                known = here if known is None else _joined(known, here)
        return known or Written(1, 1)

    def record(self, entry: Written, before: dict[int, Written]) -> None:
        """Note what holds before each instruction."""
        for slot, here in self._blocks(entry).items():
            for site in self.function.blocks[slot].sites:
                before[site.slot] = here
                here = self._after(site, here)

    def _blocks(self, entry: Written) -> dict[int, Written]:
        """What holds where each block begins."""
        known = {self.function.slot: entry}
        pending = [self.function.slot]
        while pending:
            block = self.function.blocks[pending.pop()]
            here = known[block.slot]
            for site in block.sites:
                here = self._after(site, here)
            for successor in block.successors:
                old = known.get(successor)
                new = here if old is None else _joined(old, here)
                if new != old:
                    known[successor] = new
                    pending.append(successor)
        return known

    def _after(self, site: Site, here: Written) -> Written:
        register = sets(site)
        if site.operation.family != "call":
            return here if register is None else Written(here.always | 1 << register, here.ever | 1 << register)
        helper = helper_of(site)
        if helper is None:
            # A function that sets no r0 leaves that of its caller.
            given = self.gives[site.target]
            result = Written(given.always, given.ever | here.ever)
        else:
            result = Written(0, 0) if helper.returns == "void" else Written(1, 1)
        kept = ~(_ARGUMENTS | 1)
        return Written(here.always & kept | result.always & 1, here.ever & kept | result.ever & 1)
