"""A program made ready for native code: what it consists of, and why some programs cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.helpers import Helper
from skverdict.runtime.machine.memory import STACK_SIZE
from skverdict.runtime.machine.semantics import mask
from skverdict.runtime.machine.structures import layout as structure_layout
from skverdict.runtime.native.emit import emit
from skverdict.runtime.native.facts import Facts, Readable, Redirect
from skverdict.runtime.native.graph import Graph, all_sites, calls_function, graph, is_local_call
from skverdict.runtime.native.outline import Outline, outline
from skverdict.runtime.native.proof import Area, Proof, Surroundings, prove
from skverdict.runtime.native.source import Source
from skverdict.runtime.native.values import Pointer
from skverdict.runtime.native.written import NUMBERED, Registers, UnclearRegister, follow

_LEADS = {"data": "packet", "data_end": "end"}
_CALL = 0x85
#: The registers r3 and r4.
_KEY_AND_FLAGS = 0b11000
#: The registers r1 to r4.
_LOOP_ARGUMENTS = 0b11110
#: Keys of sockhashes that native code looks for, in bytes.
_LONGEST_KEY = 64


class NoNativeCode(Exception):
    """A program that only the interpreter runs, and why."""


class Draft(NamedTuple):
    """A program in LLVM's assembly language, with what runs need to know of it."""

    text: str
    outline: Outline


def draft(source: Source) -> Draft:
    """Translate a program. Raises NoNativeCode."""
    program, name = source.program, source.program.name
    helpers = {
        slot: NUMBERED[instruction.imm]
        for slot, instruction in program.instructions.items()
        if instruction.opcode == _CALL and not instruction.src
    }
    kinds = {slot: {argument.kind for argument in helper.arguments} for slot, helper in helpers.items()}
    if program.tables:
        raise NoNativeCode(f"{name} jumps by tables")
    for slot, helper in helpers.items():
        if kinds[slot] & {"dynptr", "new_dynptr"}:
            raise NoNativeCode(f"{name} calls {helper.name}, and dynptrs hide bytes of the stack")
    uncounted = frozenset(slot for slot in helpers if "callback" in kinds[slot])
    takes_locks = any(helper.name == "bpf_spin_lock" for helper in helpers.values())
    loops = [slot for slot, helper in helpers.items() if helper.name == "bpf_loop"]
    flow = graph(program, uncounted, loops if source.has_loops and not takes_locks else ())
    if takes_locks and source.kernel == "6.1" and any(is_local_call(site) for site in all_sites(flow)):
        raise NoNativeCode(f"{name} takes locks and calls functions, which Linux 6.1 does not allow at once")
    try:
        registers = follow(flow)
    except UnclearRegister as error:
        raise NoNativeCode(f"{name}: {error}") from None
    tail_calls = {slot for slot, helper in helpers.items() if helper.name == "bpf_tail_call"}
    tables = {name: map_ for name, map_ in source.maps.items() if map_.table and not takes_locks}
    surroundings = Surroundings(
        {name: Area(map_.value_size, map_.writable) for name, map_ in source.maps.items() if map_.plain},
        source.data,
        {
            field.offset: _LEADS.get(field.role, "")
            for field in CONTEXTS[source.table].fields.values()
            if field.role
        },
        {name: map_.key_size for name, map_ in tables.items()},
    )
    proof = prove(program, flow, surroundings)
    readable = _readable(source.table, program.kind, source.kernel)
    facts = Facts(
        program,
        source.order,
        flow,
        registers,
        proof,
        readable,
        uncounted,
        registers.faults | tail_calls,
        tables,
        _redirects(helpers, proof, registers, source),
        _loops(flow, registers),
    )
    text, needs = emit(facts)
    return Draft(text, outline(facts, needs))


def _loops(flow: Graph, registers: Registers) -> frozenset[int]:
    """The calls of `bpf_loop` of which it is known that they have their arguments, and what they call a result."""
    return frozenset(
        site.slot
        for site in all_sites(flow)
        if calls_function(site)
        and not is_local_call(site)
        and registers.before[site.slot].always & _LOOP_ARGUMENTS == _LOOP_ARGUMENTS
        and registers.gives[site.target].always & 1
    )


def _redirects(
    helpers: Mapping[int, Helper], proof: Proof, registers: Registers, source: Source
) -> dict[int, Redirect]:
    """The calls that are sure to redirect the context's buffer by the map whose redirects are only noted."""
    redirects: dict[int, Redirect] = {}
    map_, there = source.maps.get(source.redirects_in), Pointer("map", source.redirects_in)
    if map_ is None:
        return redirects
    for slot, helper in helpers.items():
        state = proof.before.get(slot)
        known = state is not None and registers.before[slot].always & _KEY_AND_FLAGS == _KEY_AND_FLAGS
        if state is None or not known or (state.value(1), state.value(2)) != (Pointer("context"), there):
            continue
        if helper.name == "bpf_sk_redirect_map" and map_.kind == "sockmap":
            redirects[slot] = Redirect(map_.max_entries)
        elif helper.name == "bpf_sk_redirect_hash" and map_.kind == "sockhash":
            key, size = state.value(3), map_.key_size
            if isinstance(key, Pointer) and key.base == "stack" and key.first == key.last and size <= _LONGEST_KEY:
                touched = mask(size) << max(key.first, 0)
                if 0 <= key.first <= STACK_SIZE - size and state.always & touched == touched:
                    redirects[slot] = Redirect(map_.max_entries, key.first, size)
    return redirects


@cache
def _readable(table: str, kind: str, kernel: str) -> Readable:
    reads = structure_layout(table, kind, kernel).reads
    numbers = frozenset(place for place, access in reads.items() if not access.elements[0].field.role)
    packet = {
        place: _LEADS[access.elements[0].field.role]
        for place, access in reads.items()
        if access.elements[0].field.role in _LEADS
    }
    return Readable(numbers, packet)
