"""What native code knows of array maps, so that it looks entries up by itself.

For each entry of a map there are three numbers: where its bytes are (0 until somebody asked for it), the run in
which it last got an address, and that address.
"""

from __future__ import annotations

import ctypes
import struct

from skverdict.runtime.maps.array import ArrayMap
from skverdict.runtime.native.shared import Pins

ENTRY_SIZE = 24
#: Larger arrays are left to Python.
MOST_ENTRIES = 1 << 16

_ENTRY = struct.Struct("=QQQ")


class ArrayTable:
    """The entries of one map; their memory stays where it is for as long as this is there."""

    def __init__(self, map_: ArrayMap) -> None:
        self.map = map_
        self.entries = ctypes.create_string_buffer(map_.max_entries * ENTRY_SIZE)
        self.address = ctypes.addressof(self.entries)
        self._pins = Pins()
        self._indices: dict[int, int] = {}

    def __del__(self) -> None:
        self._pins.release_all()

    def memory(self, index: int) -> bytearray:
        """The memory of an entry."""
        memory = self.map.lookup(self.key(index))
        assert memory is not None
        return memory

    def key(self, index: int) -> bytes:
        return index.to_bytes(self.map.key_size, self.map.order)

    def index(self, memory: object) -> int | None:
        """The index of the entry that `memory` is of, if it was put here before."""
        return self._indices.get(id(memory))

    def put(self, index: int, run: int, address: int) -> None:
        """Note that an entry has an address in a run."""
        memory = self.memory(index)
        self._indices[id(memory)] = index
        _ENTRY.pack_into(self.entries, index * ENTRY_SIZE, self._pins.address(memory), run, address)
