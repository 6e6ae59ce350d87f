"""What is known of a program before its text is written, and what that text will want of the shared memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from skverdict.codegen.object import Program
from skverdict.runtime.machine.memory import STACK_SIZE, ByteOrder
from skverdict.runtime.machine.semantics import mask
from skverdict.runtime.native import layout
from skverdict.runtime.native.graph import Function, Graph, Site
from skverdict.runtime.native.proof import Proof
from skverdict.runtime.native.source import MapTraits
from skverdict.runtime.native.written import Registers


class Readable(NamedTuple):
    """The context: the accesses by offset and size that give a number, and the fields that lead to the packet."""

    numbers: Collection[tuple[int, int]]
    packet: dict[tuple[int, int], str]


class Redirect(NamedTuple):
    """A redirect by a sockmap of so many entries; or by a sockhash, whose key lies wholly written in the stack."""

    entries: int
    key_offset: int | None = None
    key_size: int = 0


class Facts(NamedTuple):
    """Everything that is known of a program.

    `uncounted` are the calls that use up an unknown part of the budget, `handed_back` the instructions at which the
    interpreter goes on, and `tables` the maps that native code may look up by itself. `redirects` are the calls of
    `bpf_sk_redirect_map` and `bpf_sk_redirect_hash` that native code makes by itself: it notes them, and somebody else
    does what they ask for. `loops` are the calls of `bpf_loop` that it makes by itself.
    """

    program: Program
    order: ByteOrder
    graph: Graph
    registers: Registers
    proof: Proof
    readable: Readable
    uncounted: Collection[int]
    handed_back: Collection[int]
    tables: Mapping[str, MapTraits]
    redirects: Mapping[int, Redirect]
    loops: Collection[int]


class Needs(NamedTuple):
    """What native code wants in the shared memory: which fields of the context, as offset and size in bytes, and
    the addresses of which maps, data sections and functions, as kind (`map`, `data` or `function`) and name, which of a
    function is the slot that names it; whether the packet; the tables of which maps; and whether room to note calls."""

    fields: tuple[tuple[int, int], ...]
    addresses: tuple[tuple[str, str], ...]
    packet: bool
    tables: tuple[str, ...]
    notes: bool

    @property
    def row_size(self) -> int:
        """Bytes of a row, which tells of one run."""
        return layout.ROW_FIELDS + layout.WORD * len(self.fields)


def needs(facts: Facts) -> Needs:
    """What the text of a program will want; of what there is no room for, Python sees to what comes last."""
    fields: dict[tuple[int, int], None] = {}
    addresses: dict[tuple[str, str], None] = {}
    tables: dict[str, None] = {}
    packet = False
    for site in written_sites(facts):
        access, lookup = facts.proof.accesses.get(site.slot), facts.proof.lookups.get(site.slot)
        address = named_address(facts, site)
        if address is not None:
            addresses[address] = None
        if lookup is not None and lookup.name in facts.tables:
            tables[lookup.name] = None
        if access is not None and access.base == "context" and access.offset is not None:
            field = (access.offset, site.operation.size)
            packet |= leads(facts, site, field) is not None
            if field in facts.readable.numbers:
                fields[field] = None
    return Needs(
        tuple(fields)[: layout.MAX_FIELDS],
        tuple(addresses)[: layout.MAX_FIELDS],
        packet,
        tuple(tables)[: layout.MAX_TABLES],
        bool(tables or facts.redirects or facts.loops),
    )


def written_sites(facts: Facts) -> Iterator[Site]:
    """The instructions that become text: those that can be reached and are not left to the interpreter."""
    for function in facts.graph.values():
        for block in function.blocks.values():
            for site in block.sites if block.slot in facts.proof.before else ():
                if site.slot in facts.handed_back:
                    break
                yield site


def named_address(facts: Facts, site: Site) -> tuple[str, str] | None:
    """What an instruction loads the address of, as kind and name (`Needs`)."""
    map_, data = facts.program.maps.get(site.slot), facts.program.data.get(site.slot)
    if map_ is not None:
        return "map", map_.map
    if data is not None:
        return "data", data.section
    is_function = site.operation.family == "constant" and site.operation.name == "function"
    return ("function", str(site.slot)) if is_function else None


def leads(facts: Facts, site: Site, field: tuple[int, int]) -> str | None:
    """Where a field of the context, as offset and size, leads to: the `packet`, its `end`, or nowhere."""
    return None if site.operation.signed else facts.readable.packet.get(field)


def marks_stack(facts: Facts, function: Function) -> bool:
    """True if the text of a function looks at which bytes of its stack were written, or notes it, by itself; or hands
    its stack to one that may."""
    if function.slot not in facts.proof.observed:
        return False
    if facts.proof.unsure[function.slot] == mask(STACK_SIZE):
        return True
    return any(_marks(facts, function, site) for block in function.blocks.values() for site in block.sites)


def _marks(facts: Facts, function: Function, site: Site) -> bool:
    access, state = facts.proof.accesses.get(site.slot), facts.proof.before.get(site.slot)
    if access is None or state is None or access.base != "stack" or access.written:
        return False
    return access.offset is None or site.operation.family == "load" or marked(facts, function, site) != 0


def marked(facts: Facts, function: Function, site: Site) -> int:
    """The bytes of the stack that are noted as written when an instruction with a known place writes there."""
    access, state = facts.proof.accesses[site.slot], facts.proof.before[site.slot]
    assert access.offset is not None
    touched = mask(site.operation.size) << access.offset & ~state.always
    return touched & facts.proof.unsure[function.slot]
