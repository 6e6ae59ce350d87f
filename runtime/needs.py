"""What of an object only newer kernels have, and what newer kernels refuse of it.

Helpers and fields of contexts are as the verifiers of KERNELS answered for each; kinds and flags of maps,
special members of values and instructions are those of include/uapi/linux/bpf.h and kernel/bpf/verifier.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

from skverdict.codegen.btf import Btf
from skverdict.codegen.btf_types import Array, Composite
from skverdict.codegen.instruction_set import InstructionError, Operation, operation
from skverdict.codegen.object import MapSpec, Object, Program
from skverdict.dsl.catalogue.contexts import CONTEXTS, Context, Field
from skverdict.dsl.catalogue.helpers import HELPERS
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS
from skverdict.dsl.ir.types import size_of
from skverdict.runtime.context_use import Access, context_accesses
from skverdict.runtime.machine.first_kernels import first_kernel

_HELPERS = {helper.number: helper for helper in HELPERS.values()}

#: `enum bpf_map_type` behind BPF_MAP_TYPE_USER_RINGBUF, the last one of Linux 6.1.
_LAST_MAP_TYPE = 31
_NEWER_MAP_TYPES = {32: "6.12", 33: "6.12", 34: "7.2"}
#: Bits of `map_flags` behind BPF_F_LINK, the last one of Linux 6.1.
_LAST_FLAG = 13
_NEWER_FLAGS = {14: "6.12", 15: "6.12", 16: "6.12", 17: "6.12", 18: "6.12", 19: "7.2"}
#: Members of a map's value that the kernel looks after.
_NEWER_MEMBERS = {
    "bpf_wq": "6.12",
    "bpf_list_head": "6.12",
    "bpf_rb_root": "6.12",
    "bpf_refcount": "6.12",
    "bpf_task_work": "7.2",
    "bpf_res_spin_lock": "7.2",
}


class Need(NamedTuple):
    """Something that only kernels from `since` on have; empty: none of them, as far as is known."""

    what: str
    since: str


class Limit(NamedTuple):
    """Something that kernels after `until` refuse."""

    what: str
    until: str


def needs_of(content: Object) -> tuple[Need, ...]:
    """What some of KERNELS lack of what an object uses, each once."""
    found = [need for program in content.programs.values() for need in _program_needs(program)]
    found += [need for spec in content.maps.values() for need in _map_needs(spec, content.btf)]
    return tuple(dict.fromkeys(need for need in found if need.since != KERNELS[0]))


def limits_of(content: Object) -> tuple[Limit, ...]:
    """What newer ones of KERNELS refuse: a parser that may change the packet is EINVAL at attach on 7.2."""
    return tuple(
        dict.fromkeys(
            Limit(f"{helper.name} in a stream_parser program", KERNELS[-2])
            for program in content.programs.values()
            if program.kind == "stream_parser"
            for number in called_helpers(program)
            if (helper := _HELPERS.get(number)) is not None and helper.moves_buffer
        )
    )


def oldest_kernel(needs: tuple[Need, ...], limits: tuple[Limit, ...]) -> str:
    """The first of KERNELS that will do; empty if none will."""
    firsts = [need.since for need in needs]
    if "" in firsts:
        return ""
    oldest = max((KERNELS[0], *firsts), key=KERNELS.index)
    return oldest if KERNELS.index(oldest) <= KERNELS.index(_last(limits)) else ""


def newest_kernel(needs: tuple[Need, ...], limits: tuple[Limit, ...]) -> str:
    """The last of KERNELS that will do; empty if none will."""
    return _last(limits) if oldest_kernel(needs, limits) else ""


def _last(limits: tuple[Limit, ...]) -> str:
    return min((KERNELS[-1], *(limit.until for limit in limits)), key=KERNELS.index)


def operations(program: Program) -> Iterator[tuple[int, Operation]]:
    """The slots with what is done there; bytes that are no instruction do nothing."""
    for slot, instruction in program.instructions.items():
        with suppress(InstructionError):
            yield slot, operation(instruction)


def called_helpers(program: Program) -> list[int]:
    """The numbers of the helpers that a program calls, in the order of the calls."""
    return [
        program.instructions[slot].imm
        for slot, row in operations(program)
        if (row.family, row.name) == ("call", "helper")
    ]


def _program_needs(program: Program) -> Iterator[Need]:
    for number in called_helpers(program):
        helper = _HELPERS.get(number)
        name = f"helper {number}" if helper is None else helper.name
        since = "" if helper is None or helper.sleeps else helper.callers.get(program.kind, "")
        yield Need(f"{name} in a {program.kind} program", since)
    for _, row in operations(program):
        yield Need(f"instruction {row.name}", first_kernel(row))
    yield from _context_needs(program)


def _map_needs(spec: MapSpec, btf: Btf | None) -> Iterator[Need]:
    since = KERNELS[0] if spec.map_type <= _LAST_MAP_TYPE else _NEWER_MAP_TYPES.get(spec.map_type, "")
    yield Need(f"map {spec.name} of kind {spec.map_type}", since)
    for bit in range(_LAST_FLAG + 1, spec.flags.bit_length()):
        if spec.flags >> bit & 1:
            yield Need(f"flag {1 << bit:#x} of map {spec.name}", _NEWER_FLAGS.get(bit, ""))
    if btf is not None and spec.value_type_id:
        for member in sorted(_structures(btf, spec.value_type_id) & _NEWER_MEMBERS.keys()):
            yield Need(f"{member} in map {spec.name}", _NEWER_MEMBERS[member])


def _structures(btf: Btf, type_id: int) -> set[str]:
    """The names of the structures that lie in a value of a type."""
    type_ = btf.resolve(type_id)
    if isinstance(type_, Array):
        return _structures(btf, type_.element_id)
    if isinstance(type_, Composite):
        return {type_.name}.union(*(_structures(btf, member.type_id) for member in type_.members))
    return set()


def _context_needs(program: Program) -> Iterator[Need]:
    """The context's fields that a program reads and writes."""
    if program.kind not in PROGRAMS:
        return
    context = CONTEXTS[PROGRAMS[program.kind].context]
    for access in context_accesses(program):
        field = _field_at(context, access)
        name = f"byte {access.offset}" if field is None else field.name
        callers = () if field is None else field.writers if access.writes else field.readers
        since = field.since if field is not None and program.kind in callers else ""
        yield Need(f"{'writing ' * access.writes}{name} of {context.name} in a {program.kind} program", since)


def _field_at(context: Context, access: Access) -> Field | None:
    """The field that is accessed; of the several of a union, one that may be written if it is."""
    fields = [each for each in context.fields.values() if 0 <= access.offset - each.offset < size_of(each.type)]
    writable = [each for each in fields if each.writers] if access.writes else []
    return next(iter(writable or fields), None)
