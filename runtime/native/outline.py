"""What runs of native code need to know of their program, in a form that is kept on disk beside the code."""

from __future__ import annotations

import json
from typing import NamedTuple

from skverdict.runtime.machine.memory import STACK_SIZE
from skverdict.runtime.machine.semantics import mask
from skverdict.runtime.native.facts import Facts, Needs, marks_stack
from skverdict.runtime.native.graph import Function, Site, all_sites, is_local_call
from skverdict.runtime.native.written import helper_of

_ALL_WRITTEN = mask(STACK_SIZE)
_UNCHANGING = frozenset(("stack", "context", "packet", "data"))


class Known(NamedTuple):
    """What is known of an instruction: bit n of `registers` is set if register n always holds something there, bit n of
    `written` if byte n of the stack is known to be written.

    `gives_value`: it gives the address of plain bytes, of the map that has table number `table`, or -1; `counts`: it
    uses up some of the budget; `moves`: it may move the packet; `rereads`: fields of the context may be read behind it;
    `fresh`: in its function, nothing is noted of which bytes of the stack are written until Python looks at it;
    `loops`: it is a call that native code makes by itself of a function again and again.
    """

    registers: int
    written: int
    table: int
    gives_value: bool
    counts: bool
    moves: bool
    rereads: bool
    fresh: bool
    loops: bool


class Outline(NamedTuple):
    """What is known of a program: what its code `needs`; whether it `gives` a result wherever it exits; whether it
    may move the packet; whether it runs `alone`, changing nothing but its stack and calling nothing but functions of
    its own and redirects that are noted; whether it `marks` which bytes of its own stack are written. `rows` tell of
    each instruction."""

    needs: Needs
    gives: bool
    moves: bool
    alone: bool
    marks: bool
    rows: str

    def known(self) -> dict[int, Known]:
        """What is known of each instruction that can be reached, by its slot."""
        written, rows = json.loads(self.rows)
        return {
            slot: Known(registers, written[place], table, *(bool(flags >> bit & 1) for bit in range(6)))
            for slot, registers, place, table, flags in rows
        }


def outline(facts: Facts, needs: Needs) -> Outline:
    """What is known of a program of which code that `needs` this is made."""
    moves = any(_moves_packet(facts, site) for site in all_sites(facts.graph))
    gives, marks = bool(facts.registers.gives[0].always & 1), marks_stack(facts, facts.graph[0])
    return Outline(needs, gives, moves, _runs_alone(facts), marks, _rows(facts, needs))


def _rows(facts: Facts, needs: Needs) -> str:
    places: dict[int, int] = {}
    rows = []
    for function in facts.graph.values():
        rereading = _rereading(facts, function) if needs.fields else set()
        observed, fresh = function.slot in facts.proof.observed, not marks_stack(facts, function)
        for block in function.blocks.values():
            for site in block.sites:
                slot, state = site.slot, facts.proof.before.get(site.slot)
                written = state.always if observed and state is not None else _ALL_WRITTEN
                lookup = facts.proof.lookups.get(slot)
                table = needs.tables.index(lookup.name) if lookup is not None and lookup.name in needs.tables else -1
                flags = (
                    slot in facts.proof.lookups,
                    slot in facts.uncounted,
                    _moves_packet(facts, site),
                    block.slot in rereading,
                    fresh,
                    slot in facts.loops,
                )
                bits = sum(flag << bit for bit, flag in enumerate(flags))
                place = places.setdefault(written, len(places))
                rows.append((slot, facts.registers.before[slot].always, place, table, bits))
    return json.dumps((list(places), rows), separators=(",", ":"))


def _moves_packet(facts: Facts, site: Site) -> bool:
    """True if the packet may lie elsewhere behind an instruction."""
    helper = helper_of(site)
    return site.slot in facts.uncounted or (helper is not None and helper.moves_buffer)


def _rereading(facts: Facts, function: Function) -> set[int]:
    """The blocks of a function in which, or behind which, fields of the context may be read. Where functions call
    others these are all."""
    if len(facts.graph) > 1:
        return set(function.blocks)
    accesses = facts.proof.accesses
    found = {
        slot
        for slot, block in function.blocks.items()
        if any(site.slot in accesses and accesses[site.slot].base == "context" for site in block.sites)
    }
    grown = True
    while grown:
        more = {slot for slot, block in function.blocks.items() if found.intersection(block.successors)} - found
        found |= more
        grown = bool(more)
    return found


def _runs_alone(facts: Facts) -> bool:
    if facts.handed_back or facts.uncounted:
        return False
    for site in all_sites(facts.graph):
        family, access = site.operation.family, facts.proof.accesses.get(site.slot)
        if family == "call" and not is_local_call(site) and site.slot not in facts.redirects:
            return False
        if access is None:
            continue
        if access.base not in _UNCHANGING or (family not in ("load", "load_acquire") and access.base != "stack"):
            return False
    return True


def packed(known: Outline, code: bytes) -> bytes:
    """An outline with the code that it tells of, as bytes."""
    needs, *rest, rows = known
    return b"\n".join((json.dumps((needs, rest)).encode(), rows.encode(), code))


def unpacked(content: bytes) -> tuple[Outline, bytes]:
    """What was `packed`."""
    header, rows, code = content.split(b"\n", 2)
    (fields, addresses, packet, tables, notes), (gives, moves, alone, marks) = json.loads(header)
    needs = Needs(tuple(map(tuple, fields)), tuple(map(tuple, addresses)), packet, tuple(tables), notes)
    return Outline(needs, gives, moves, alone, marks, rows.decode()), code
