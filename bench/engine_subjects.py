"""What the engines are measured on: loops of one class of instructions each, and policies of the parity corpus.

A subject runs in all engines on the same input and must come to the same there.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from skverdict.codegen import build
from skverdict.codegen.assembler import assemble
from skverdict.codegen.object import Object
from skverdict.codegen.object_reader import read_object
from skverdict.dsl import load_policy
from skverdict.dsl.catalogue.contexts import CONTEXTS
from skverdict.dsl.catalogue.programs import KERNELS, PROGRAMS
from skverdict.runtime.helpers.generic import GENERIC
from skverdict.runtime.helpers.sockets import FUNCTIONS
from skverdict.runtime.machine.context import Context
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.fault import Fault, LoadError
from skverdict.runtime.machine.load import data_memory, load
from skverdict.runtime.machine.memory import Bytes
from skverdict.runtime.machine.run import LoadedProgram, run
from skverdict.runtime.machine.structures import layout
from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.maps.base import Map, MapError
from skverdict.runtime.maps.create import create_maps
from skverdict.runtime.maps.sockmap import SockHash, SockMap

from bench.ubpf import Low

ROOT = Path(__file__).resolve().parents[1]
#: What is in the packet: the first of these with which a policy can be measured.
PACKETS = tuple(
    packet.ljust(64, b".")
    for packet in (
        b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
        b"\x00\x00\x00\x10frame of a length",
        b"\x16\x03\x01\x00\x3b\x01\x00\x00\x37",
        b"\x0b\xad",
    )
)

# r6 points to the context, r7 to 16 bytes of the packet that were compared with its end, r8 to a map's value; r9
# counts the rounds.
LOOPS = {
    "64-bit arithmetic": "r1 = 7; r1 += r9; r1 *= 3; r1 ^= r9; r1 <<= 5; r1 s>>= 2; r1 -= r9; r0 += r1",
    "32-bit arithmetic": "w1 = 7; w1 += w9; w1 *= 3; w1 ^= w9; w1 <<= 5; w1 s>>= 2; w1 -= w9; w0 += w1",
    "division": "r1 = r9; r1 /= 7; r2 = r9; r2 %= 10; r1 += r2; w1 /= 3; r0 += r1",
    "memory: stack": """
        *(u64 *)(r10 - 8) = r9; r1 = *(u64 *)(r10 - 8); r1 += 1; *(u32 *)(r10 - 16) = r1; r2 = *(u32 *)(r10 - 16);
        r0 += r2""",
    "memory: packet": """
        r1 = *(u8 *)(r7 + 0); r2 = *(u16 *)(r7 + 2); r1 += r2; r2 = *(u32 *)(r7 + 4); r1 += r2; *(u8 *)(r7 + 9) = r1;
        r0 += r1""",
    "memory: map value": """
        r1 = *(u64 *)(r8 + 0); r1 += r9; *(u64 *)(r8 + 0) = r1; r2 = *(u32 *)(r8 + 8); r2 += 1; *(u32 *)(r8 + 8) = r2;
        r0 += r1""",
    "map lookup": """
        *(u32 *)(r10 - 24) = 0; r1 = map[values] ll; r2 = r10; r2 += -24; call bpf_map_lookup_elem;
        if r0 == 0 goto +4; r1 = *(u64 *)(r0 + 0); r1 += 1; *(u64 *)(r0 + 0) = r1; r0 = r1""",
    "function call": "r1 = r9; call small; r2 = r0; r2 += r9",
}
#: Loops that uBPF has nothing for: its programs have no hashes, and no helper that calls them back.
ALONE = {
    "hash lookup": """
        *(u64 *)(r10 - 32) = 0; r1 = map[others] ll; r2 = r10; r2 += -32; call bpf_map_lookup_elem;
        if r0 == 0 goto +4; r1 = *(u64 *)(r0 + 0); r1 += 1; *(u64 *)(r0 + 0) = r1; r0 = r1""",
    "rounds of bpf_loop": "r1 = 20; r2 = function[round] ll; r3 = r8; r4 = 0; call bpf_loop",
}
_LOOP = """
license "GPL"
map values array key 4 value 16 max_entries 1 flags 0
map others hash key 8 value 16 max_entries 8 flags 0
program main sk_skb/stream_verdict
    r6 = r1
    *(u32 *)(r10 - 24) = 0
    r1 = map[values] ll
    r2 = r10
    r2 += -24
    call bpf_map_lookup_elem
    if r0 == 0 goto out
    r8 = r0
    r7 = *(u32 *)(r6 + 76)
    r2 = *(u32 *)(r6 + 80)
    r1 = r7
    r1 += 16
    if r1 > r2 goto out
    r0 = 0
    r9 = {rounds}
again:
{body}
    r9 += -1
    if r9 != 0 goto again
out:
    exit
small:
    r0 = r1
    r0 += 3
    r0 ^= 5
    exit
round:
    r3 = *(u64 *)(r2 + 0)
    r3 += r1
    *(u64 *)(r2 + 0) = r3
    r0 = 0
    exit
"""


class Input(Context):
    """A context whose numbers follow from the fields' offsets, over one packet."""

    def __init__(self, kind: str, packet: bytes) -> None:
        self.kind = kind
        self.table = PROGRAMS[kind].context
        self.content = bytearray(packet)

    def field(self, name: str, index: int = 0) -> int:
        if name in ("len", "size"):
            return len(self.content)
        return {"family": 2, "local_port": 10000, "remote_port": 80, "op": 4}.get(name, 1)

    def packet(self) -> bytearray:
        return self.content


class Subject(NamedTuple):
    """A program with what it runs on. `loops`: one run is long; others run many times. `alone`: uBPF cannot run it."""

    name: str
    loops: bool
    alone: bool
    object: Object
    program: LoadedProgram
    maps: Mapping[str, Map]
    data: Mapping[str, Bytes]
    environment: Environment
    packet: bytes

    def context(self) -> Input:
        return Input(self.program.kind, self.packet)

    def reset(self) -> None:
        """Put zeros into all arrays again."""
        for map_ in self.maps.values():
            if isinstance(map_, ArrayMap):
                for index in range(map_.max_entries):
                    map_.write(index.to_bytes(4, "little"), bytes(map_.value_size))


def loops(rounds: int) -> Iterator[Subject]:
    """The loops, each of `rounds` rounds."""
    for name, body in {**LOOPS, **ALONE}.items():
        object_ = assemble(_LOOP.format(rounds=rounds, body=body.replace(";", "\n")))
        subject = _subject(name, True, object_, "main")
        subject.maps["others"].write(bytes(8), bytes(16))
        yield subject


def policies() -> Iterator[Subject]:
    """The programs of the corpus and of an example that, on some input, call nothing but lookups in arrays."""
    for path in (*sorted((ROOT / "tests" / "corpus" / "parity").glob("*.py")), ROOT / "examples" / "message_policy.py"):
        object_ = read_object(build(load_policy(str(path))))
        for name in object_.programs:
            found = (_measurable(f"{path.stem}.{name}", object_, name, packet) for packet in PACKETS)
            yield from filter(None, [next(filter(None, found), None)])


def _measurable(title: str, object_: Object, name: str, packet: bytes) -> Subject | None:
    """A policy with a packet, if it runs there and calls nothing but lookups in arrays."""
    try:
        subject = _subject(title, False, object_, name, packet)
        result = run(subject.program, subject.context(), subject.environment)
    except (LoadError, MapError, Fault):
        return None
    lookups = [call.arguments[0] for call in result.calls if call.name == "bpf_map_lookup_elem"]
    arrays = len(lookups) == len(result.calls) and all(isinstance(map_, ArrayMap) for map_ in lookups)
    return subject if arrays and result.instructions > 4 else None


def _subject(title: str, is_loop: bool, object_: Object, name: str, packet: bytes = PACKETS[0]) -> Subject:
    maps = create_maps(object_, 1, {"sockmap": SockMap, "sockhash": SockHash}, None)
    data = data_memory(object_)
    # There are no sockets here; what would need one does nothing, and such runs are not measured.
    helpers = {**GENERIC, **dict.fromkeys(FUNCTIONS, _nothing)}
    environment = Environment(helpers, budget=1 << 40)
    program = load(object_, name, maps, data, environment)
    return Subject(title, is_loop, title in ALONE, object_, program, maps, data, environment, packet)


def _nothing(*_: object) -> int:
    return 0


class Image:
    """A subject's context, packet, maps and data as uBPF gets them."""

    def __init__(self, subject: Subject) -> None:
        context = subject.context()
        table, kind = context.table, subject.program.kind
        self._packet = Low(4096)
        ctypes.memmove(self._packet.address, subject.packet, len(subject.packet))
        self._context = ctypes.create_string_buffer(1024)
        self.address, self.length = ctypes.addressof(self._context), 1024
        for (offset, size), access in layout(table, kind, KERNELS[-1]).reads.items():
            field = access.elements[0].field
            if field.role in ("data", "data_end"):
                end = len(subject.packet) if field.role == "data_end" else 0
                self._put(offset, size, self._packet.address + end)
            elif access.plain:
                self._put(offset, size, context.field(field.name, access.elements[0].number))
        assert CONTEXTS[table].fields
        self._kept: list[object] = []
        self._arrays: list[ctypes.Array[ctypes.c_uint64]] = []
        maps = {name: self._map(map_) for name, map_ in subject.maps.items()}
        data = {name: self._data(region) for name, region in subject.data.items()}
        code = subject.program.program
        self.places = {slot: maps[reference.map] for slot, reference in code.maps.items()}
        self.places |= {slot: data[each.section] + each.offset for slot, each in code.data.items()}

    def reset(self) -> None:
        """Put zeros into all arrays again."""
        for memory in self._arrays:
            ctypes.memset(ctypes.addressof(memory) + 16, 0, ctypes.sizeof(memory) - 16)

    def _put(self, offset: int, size: int, value: int) -> None:
        self._context[offset : offset + size] = value.to_bytes(size, "little")

    def _map(self, map_: Map) -> int:
        array = isinstance(map_, ArrayMap)
        memory = (ctypes.c_uint64 * (2 + (map_.max_entries * map_.value_size + 7) // 8 if array else 2))()
        memory[0], memory[1] = (map_.max_entries if array else 0), map_.value_size
        self._arrays.append(memory)
        return ctypes.addressof(memory)

    def _data(self, region: Bytes) -> int:
        memory = ctypes.create_string_buffer(bytes(region.content), len(region.content))
        self._kept.append(memory)
        return ctypes.addressof(memory)
