"""A program made ready for native code: what it consists of, and why some programs cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.helpers import Helper
from skverdict.runtime.helpers.maps import map_lookup_elem
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.memory import STACK_SIZE, Bytes
from skverdict.runtime.machine.run import LoadedProgram
from skverdict.runtime.machine.semantics import mask
from skverdict.runtime.machine.structures import layout as structure_layout
from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.maps.base import Map
from skverdict.runtime.native.emit import Module, emit
from skverdict.runtime.native.facts import Facts, Readable, Redirect
from skverdict.runtime.native.graph import all_sites, graph, is_local_call
from skverdict.runtime.native.proof import Area, Proof, Surroundings, prove
from skverdict.runtime.native.tables import MOST_ENTRIES
from skverdict.runtime.native.values import Pointer
from skverdict.runtime.native.written import NUMBERED, Registers, UnclearRegister, follow

#: Kinds of maps whose values programs get as plain bytes.
_PLAIN = frozenset(
    ("array", "hash", "lru_hash", "percpu_array", "percpu_hash", "lru_percpu_hash", "lpm_trie")
)
_LEADS = {"data": "packet", "data_end": "end"}
_CALL = 0x85
#: The registers r3 and r4.
_KEY_AND_FLAGS = 0b11000
#: Keys of sockhashes that native code looks for, in bytes.
_LONGEST_KEY = 64


class NoNativeCode(Exception):
    """A program that only the interpreter runs, and why."""


class Draft(NamedTuple):
    """A program in LLVM's assembly language, with what a run needs to know: all facts, and the context's table."""

    module: Module
    facts: Facts


def draft(
    loaded: LoadedProgram,
    table: str,
    maps: Mapping[str, Map],
    data: Mapping[str, Bytes],
    environment: Environment,
    redirects_in: str = "",
) -> Draft:
    """Translate a program that was loaded with all this. `table` is its context's.

    Redirects by the socket map `redirects_in` are only noted. Raises NoNativeCode.
    """
    kernel = environment.kernel
    helpers = {
        slot: NUMBERED[instruction.imm]
        for slot, instruction in loaded.program.instructions.items()
        if instruction.opcode == _CALL and not instruction.src
    }
    kinds = {slot: {argument.kind for argument in helper.arguments} for slot, helper in helpers.items()}
    for slot, helper in helpers.items():
        if kinds[slot] & {"dynptr", "new_dynptr"}:
            raise NoNativeCode(f"{loaded.name} calls {helper.name}, and dynptrs hide bytes of the stack")
    uncounted = frozenset(slot for slot in helpers if "callback" in kinds[slot])
    flow = graph(loaded.program, uncounted)
    takes_locks = any(helper.name == "bpf_spin_lock" for helper in helpers.values())
    if takes_locks and kernel == "6.1" and any(is_local_call(site) for site in all_sites(flow)):
        raise NoNativeCode(f"{loaded.name} takes locks and calls functions, which Linux 6.1 does not allow at once")
    try:
        registers = follow(flow)
    except UnclearRegister as error:
        raise NoNativeCode(f"{loaded.name}: {error}") from None
    tail_calls = {slot for slot, helper in helpers.items() if helper.name == "bpf_tail_call"}
    surroundings = Surroundings(
        {
            name: Area(map_.value_size, map_.writable)
            for name, map_ in maps.items()
            if map_.kind in _PLAIN and map_.readable and not map_.special
        },
        {name: Area(len(region.content), region.writable) for name, region in data.items()},
        {
            field.offset: _LEADS.get(field.role, "")
            for field in CONTEXTS[table].fields.values()
            if field.role
        },
    )
    plain_lookup = environment.helpers.get("bpf_map_lookup_elem") is map_lookup_elem and not takes_locks
    arrays = {
        name: maps[name].max_entries
        for name in surroundings.values
        if plain_lookup and type(maps[name]) is ArrayMap and maps[name].max_entries <= MOST_ENTRIES
    }
    proof = prove(loaded.program, flow, surroundings)
    readable = _readable(table, loaded.kind, kernel)
    facts = Facts(
        loaded.program,
        loaded.order,
        flow,
        registers,
        proof,
        readable,
        uncounted,
        registers.faults | tail_calls,
        arrays,
        _redirects(helpers, proof, registers, redirects_in, maps),
    )
    return Draft(emit(facts), facts)


def _redirects(
    helpers: Mapping[int, Helper], proof: Proof, registers: Registers, name: str, maps: Mapping[str, Map]
) -> dict[int, Redirect]:
    """The calls that are sure to redirect the context's buffer by the map."""
    redirects = {}
    for slot, helper in helpers.items():
        state = proof.before.get(slot)
        known = state is not None and registers.before[slot].always & _KEY_AND_FLAGS == _KEY_AND_FLAGS
        if state is None or not known or (state.value(1), state.value(2)) != (Pointer("context"), Pointer("map", name)):
            continue
        if helper.name == "bpf_sk_redirect_map" and maps[name].kind == "sockmap":
            redirects[slot] = Redirect(maps[name].max_entries)
        elif helper.name == "bpf_sk_redirect_hash" and maps[name].kind == "sockhash":
            key, size = state.value(3), maps[name].key_size
            if isinstance(key, Pointer) and key.base == "stack" and key.first == key.last and size <= _LONGEST_KEY:
                touched = mask(size) << max(key.first, 0)
                if 0 <= key.first <= STACK_SIZE - size and state.always & touched == touched:
                    redirects[slot] = Redirect(maps[name].max_entries, key.first, size)
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
