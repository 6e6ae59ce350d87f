"""What native code of a program follows from, and nothing else: so that code made of one source is good for any other
of the same identity."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from skverdict.codegen.object import Program
from skverdict.runtime.helpers.loops import loop
from skverdict.runtime.helpers.maps import map_lookup_elem
from skverdict.runtime.machine.environment import Environment
from skverdict.runtime.machine.memory import ByteOrder, Bytes
from skverdict.runtime.machine.run import LoadedProgram
from skverdict.runtime.machine.semantics import mask
from skverdict.runtime.maps.base import Map
from skverdict.runtime.native.proof import Area
from skverdict.runtime.native.tables import searchable

#: Kinds of maps whose values programs get as plain bytes.
_PLAIN = frozenset(
    ("array", "hash", "lru_hash", "percpu_array", "percpu_hash", "lru_percpu_hash", "lpm_trie")
)
# A slot and its instruction.
_INSTRUCTION = struct.Struct("<IBBBhQ")


class MapTraits(NamedTuple):
    """What counts of a map. `plain`: programs get its values as plain bytes; `table`: native code may look up in it by
    itself."""

    kind: str
    key_size: int
    value_size: int
    max_entries: int
    writable: bool
    plain: bool
    table: bool


class Source(NamedTuple):
    """A program of a kind whose context is `table`'s, the maps and data sections that it names, and Linux's version.

    Redirects by the socket map `redirects_in` are only noted. `has_loops`: `bpf_loop` is what it is in the kernel.
    """

    program: Program
    order: ByteOrder
    table: str
    kernel: str
    maps: Mapping[str, MapTraits]
    data: Mapping[str, Area]
    redirects_in: str
    has_loops: bool

    def identity(self) -> str:
        """Two sources of the same identity differ in nothing but names and source lines."""
        program = self.program
        instructions = b"".join(
            _INSTRUCTION.pack(slot, opcode, dst, src, offset, imm & mask(64))
            for slot, (opcode, dst, src, offset, imm) in program.instructions.items()
        )
        maps = [(slot, reference.map) for slot, reference in program.maps.items()]
        data = [(slot, reference.section, reference.offset) for slot, reference in program.data.items()]
        rest = (program.kind, maps, data, *self[1:4], sorted(self.maps.items()), sorted(self.data.items()))
        return f"{instructions.hex()} {rest!r} {self[6:]!r}"


def source_of(
    loaded: LoadedProgram,
    table: str,
    maps: Mapping[str, Map],
    data: Mapping[str, Bytes],
    environment: Environment,
    redirects_in: str = "",
) -> Source:
    """The source for a program that was loaded with all this. `table` is its context's."""
    program = loaded.program
    looks_up = environment.helpers.get("bpf_map_lookup_elem") is map_lookup_elem
    return Source(
        program,
        loaded.order,
        table,
        environment.kernel,
        {name: _traits(maps[name], looks_up) for name in {reference.map for reference in program.maps.values()}},
        {
            name: Area(len(data[name].content), data[name].writable)
            for name in {reference.section for reference in program.data.values()}
        },
        redirects_in,
        environment.helpers.get("bpf_loop") is loop,
    )


def _traits(map_: Map, looks_up: bool) -> MapTraits:
    plain = map_.kind in _PLAIN and map_.readable and not map_.special
    table = looks_up and plain and searchable(map_)
    return MapTraits(map_.kind, map_.key_size, map_.value_size, map_.max_entries, map_.writable, plain, table)
