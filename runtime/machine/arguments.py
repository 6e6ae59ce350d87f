"""From registers to a helper's arguments: what the catalogue says of each is checked here, once for all
helpers.

The rules are those of `check_func_arg` and `check_map_func_compatibility` in kernel/bpf/verifier.c.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from skverdict.dsl.catalogue.helpers import MAP_CALLERS, Argument, Helper
from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.fault import Misuse
from skverdict.runtime.machine.memory import (
    ORIGIN,
    AccessError,
    Bytes,
    Ended,
    FunctionRegion,
    MapRegion,
    MapValue,
    RecordRegion,
    offset_of,
)
from skverdict.runtime.machine.semantics import mask, signed
from skverdict.runtime.machine.structures import StructureRegion
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.special import Place

_CHANGES_MAP = (
    "bpf_map_update_elem",
    "bpf_map_delete_elem",
    "bpf_map_push_elem",
    "bpf_map_pop_elem",
)

#: Reads one argument: the call, the registers r1..r5, and the arguments before it.
Reader = Callable[[Call, Sequence[int], Sequence[object]], object]

#: Takes what a helper function gets from the registers r1..r5.
ArgumentsReader = Callable[[Call, Sequence[int]], "list[object]"]


def arguments_reader(helper: Helper) -> ArgumentsReader | None:
    """How to read the arguments of `helper`; None if it takes what the machine does not have."""
    arguments = helper.arguments
    readers: list[Reader] = []
    names: list[str] = []
    for register, argument in enumerate(arguments):
        if argument.kind == "size" and arguments[register - 1].kind in _SIZED:
            continue
        make = _unread if (helper.name, argument.name) in _UNREAD else _READERS.get(argument.kind)
        if make is None:
            return None
        readers.append(make(helper, register))
        names.append(argument.name)

    if not readers:
        return _nothing

    def read(call: Call, registers: Sequence[int]) -> list[object]:
        values: list[object] = []
        try:
            for reader in readers:
                values.append(reader(call, registers, values))
        except AccessError as error:
            error.reason = f"{helper.name}, argument {names[len(values)]}: {error.reason}"
            raise
        except Misuse as error:
            raise Misuse(f"{helper.name}, argument {names[len(values)]}: {error}") from None
        return values

    return read


def _nothing(call: Call, registers: Sequence[int]) -> list[object]:
    """The arguments of a helper that takes none."""
    return []


#: Arguments that the kernel does not look at in programs for sockets, so that anything may stand there.
_UNREAD = (("bpf_get_cgroup_classid", "skb"),)


def _unread(helper: Helper, register: int) -> Reader:
    return lambda call, registers, before: None


def _scalar(helper: Helper, register: int) -> Reader:
    argument = helper.arguments[register]
    bits, kept = argument.bits, mask(argument.bits)
    if argument.signed:
        return lambda call, registers, before: signed(registers[register], bits)
    return lambda call, registers, before: registers[register] & kept


def _context(helper: Helper, register: int) -> Reader:
    nullable = helper.arguments[register].nullable

    def read(call: Call, registers: Sequence[int], before: Sequence[object]) -> object:
        if registers[register] == call.context_address:
            return call.context
        if nullable and registers[register] == 0:
            return None
        raise Misuse("is not the program's context")

    return read


def _map(helper: Helper, register: int) -> Reader:
    kinds = helper.maps

    def read(call: Call, registers: Sequence[int], before: Sequence[object]) -> Map:
        region = call.memory.region(registers[register])
        if not isinstance(region, MapRegion) or offset_of(registers[register]):
            raise Misuse("is not a map")
        kind = region.map.kind
        if kinds and kind not in kinds:
            raise Misuse(f"a map of kind {kind} is not for this helper")
        if helper.name in _CHANGES_MAP and not region.map.writable:
            raise Misuse(f"map {region.map.name} may only be read by programs")
        callers = MAP_CALLERS.get((helper.name, kind))
        if callers is not None and call.kind not in callers:
            raise Misuse(f"a {call.kind} program may not use it on a map of kind {kind}")
        return region.map

    return read


def _map_before(before: Sequence[object]) -> Map:
    return next(value for value in before if isinstance(value, Map))


def _key(helper: Helper, register: int) -> Reader:
    return lambda call, registers, before: call.read(registers[register], _map_before(before).key_size)


def _value(helper: Helper, register: int) -> Reader:
    nullable = helper.arguments[register].nullable

    def read(call: Call, registers: Sequence[int], before: Sequence[object]) -> bytes | None:
        if nullable and registers[register] == 0:
            return None
        return call.read(registers[register], _map_before(before).value_size)

    return read


def _writable(call: Call, address: int, size: int) -> Buffer:
    call.memory.check_write(address, size)
    return Buffer(call.memory, address, size)


def _value_buffer(helper: Helper, register: int) -> Reader:
    def read(call: Call, registers: Sequence[int], before: Sequence[object]) -> Buffer:
        map_ = _map_before(before)
        if map_.kind == "bloom_filter":
            # It is asked whether it has a value, so here the helper reads.
            call.read(registers[register], map_.value_size)
            return Buffer(call.memory, registers[register], map_.value_size)
        return _writable(call, registers[register], map_.value_size)

    return read


def _size(argument: Argument, register: int) -> Callable[[Sequence[int]], int]:
    bits = argument.bits

    def read(registers: Sequence[int]) -> int:
        size = signed(registers[register], bits) if argument.signed else registers[register] & mask(bits)
        if size < 0 or (size == 0 and not argument.nullable):
            raise Misuse(f"its size {argument.name} is {size}")
        return size

    return read


def _memory(helper: Helper, register: int) -> Reader:
    nullable = helper.arguments[register].nullable
    size_of = _size(helper.arguments[register + 1], register + 1)

    def read(call: Call, registers: Sequence[int], before: Sequence[object]) -> bytes:
        size = size_of(registers)
        if size == 0 and nullable and registers[register] == 0:
            return b""
        return call.read(registers[register], size)

    return read


def _buffer(helper: Helper, register: int) -> Reader:
    nullable = helper.arguments[register].nullable
    size_of = _size(helper.arguments[register + 1], register + 1)

    def read(call: Call, registers: Sequence[int], before: Sequence[object]) -> Buffer:
        size = size_of(registers)
        if size == 0 and nullable and registers[register] == 0:
            return Buffer(call.memory, 0, 0)
        return _writable(call, registers[register], size)

    return read


def _number(helper: Helper, register: int) -> Reader:
    size = helper.arguments[register].bits // 8

    def read(call: Call, registers: Sequence[int], before: Sequence[object]) -> Buffer:
        address = registers[register]
        if (address - ORIGIN) % size:
            raise Misuse(f"is not aligned to {size} bytes")
        return _writable(call, address, size)

    return read


def _string(helper: Helper, register: int) -> Reader:
    def read(call: Call, registers: Sequence[int], before: Sequence[object]) -> bytes:
        region, offset = call.memory.region(registers[register]), offset_of(registers[register])
        if not isinstance(region, Bytes) or region.writable:
            raise Misuse("is not in read-only memory")
        text, end, _ = region.read(offset, max(0, len(region.content) - offset)).partition(b"\0")
        if not end:
            raise Misuse("has no NUL at its end")
        return text

    return read


def _socket(helper: Helper, register: int) -> Reader:
    def read(call: Call, registers: Sequence[int], before: Sequence[object]) -> object:
        region, offset = call.memory.region(registers[register]), offset_of(registers[register])
        if not isinstance(region, StructureRegion) or region is call.context_region or offset:
            # Memory that is gone says better what is wrong.
            if isinstance(region, Ended):
                region.read(offset, 1)
            raise Misuse("is not a socket")
        return region.structure

    return read


def _record(helper: Helper, register: int) -> Reader:
    def read(call: Call, registers: Sequence[int], before: Sequence[object]) -> object:
        region, offset = call.memory.region(registers[register]), offset_of(registers[register])
        if not isinstance(region, RecordRegion) or offset:
            # Memory that is gone says better what is wrong.
            if isinstance(region, Ended):
                region.read(offset, 1)
            raise Misuse("is not the beginning of a record of a ring buffer")
        return region.record

    return read


def _special(kind: str) -> Callable[[Helper, int], Reader]:
    """The reader of an argument that is the member of `kind` of a map's value."""

    def make(helper: Helper, register: int) -> Reader:
        def read(call: Call, registers: Sequence[int], before: Sequence[object]) -> Place:
            region, offset = call.memory.region(registers[register]), offset_of(registers[register])
            if isinstance(region, MapValue):
                for member in region.special:
                    if member.kind == kind and member.offset == offset:
                        return Place(region.map, region.content, member)
            raise Misuse(f"is not the bpf_{kind} of a map's value")

        return read

    return make


def _dynptr(helper: Helper, register: int) -> Reader:
    return lambda call, registers, before: call.dynptrs.at(registers[register])


def _new_dynptr(helper: Helper, register: int) -> Reader:
    return lambda call, registers, before: call.dynptrs.slot(registers[register])


def _callback(helper: Helper, register: int) -> Reader:
    def read(call: Call, registers: Sequence[int], before: Sequence[object]) -> int:
        region = call.memory.region(registers[register])
        if not isinstance(region, FunctionRegion) or offset_of(registers[register]):
            raise Misuse("is not a function of the program")
        return region.slot

    return read


def _callback_context(helper: Helper, register: int) -> Reader:
    return lambda call, registers, before: registers[register] & mask(64)


def _varargs(helper: Helper, register: int) -> Reader:
    # Registers that no argument needs may be unwritten, so they are handed on without a look.
    return lambda call, registers, before: tuple(registers[register:])


_SIZED = ("memory", "buffer")

_READERS: dict[str, Callable[[Helper, int], Reader]] = {
    "scalar": _scalar,
    "alloc_size": _scalar,
    "context": _context,
    "map": _map,
    "key": _key,
    "value": _value,
    "value_buffer": _value_buffer,
    "memory": _memory,
    "buffer": _buffer,
    "number": _number,
    "string": _string,
    "socket": _socket,
    "record": _record,
    "spin_lock": _special("spin_lock"),
    "timer": _special("timer"),
    "dynptr": _dynptr,
    "new_dynptr": _new_dynptr,
    "callback": _callback,
    "callback_context": _callback_context,
    "varargs": _varargs,
}
