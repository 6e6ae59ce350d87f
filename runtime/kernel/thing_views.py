"""User space's side of maps that hold things which the kernel names by descriptors: programs, maps, and values
beside sockets.

They take the thing itself, as the simulator's do.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from skverdict.codegen.btf import Btf
from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.loading import kernel_map
from skverdict.runtime.kernel.maps import KernelMap, descriptor_of
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.map_view import MapView
from skverdict.runtime.maps.named_things import BesideSockets, program_name
from skverdict.runtime.maps.typed import ValueMismatch, value_codec
from skverdict.runtime.maps.user_side import BPF_ANY


class KernelProgramArrayView(MapView):
    """An array of programs. A lookup gives the number of a program."""

    raw: KernelMap

    def __init__(self, raw: KernelMap, programs: Mapping[str, int]) -> None:
        super().__init__(raw)
        self._programs = programs

    def update(self, key: Any, value: Any, flags: int = BPF_ANY) -> None:
        """Put a program in, by its name or itself. EINVAL: it is of another kind than the array's owner."""
        name = program_name(value, self._programs, self.raw.name)
        self.raw.update(self.key_bytes(key), _number(self._programs[name], self.raw), flags)


class KernelMapOfMapsView(MapView):
    """A map of maps. A lookup gives the number of a map, `map` the map itself. To be closed."""

    raw: KernelMap

    def __init__(self, bpf: Bpf, raw: KernelMap, btf: Btf | None) -> None:
        super().__init__(raw, btf)
        self._bpf = bpf
        self._btf = btf
        self._opened: dict[int, MapView] = {}

    def update(self, key: Any, value: Any, flags: int = BPF_ANY) -> None:
        """Put the map behind view `value` at `key`. EINVAL: it is not like the others."""
        if not isinstance(value, MapView) or not isinstance(value.raw, KernelMap):
            raise ValueMismatch(f"value of {self.raw.name}: {value!r} is no map")
        self.raw.update(self.key_bytes(key), _number(value.raw.descriptor, self.raw), flags)

    def map(self, key: Any) -> MapView | None:
        """The map at `key`."""
        number = self.get(key)
        if number is None:
            return None
        if number not in self._opened:
            self._opened[number] = self._viewed(self._bpf.map_by_id(number))
        return self._opened[number]

    def create(self) -> MapView:
        """A new map that can be put in. Raises KernelError EBADF where the object does not say what they are
        like."""
        inner = self.raw.spec.inner
        if inner is None:
            raise KernelError(Errno.EBADF, f"map {self.raw.name} does not say what the maps in it are like")
        descriptor = self._bpf.create_map(
            inner.map_type, inner.name, inner.key_size, inner.value_size, inner.max_entries, inner.flags
        )
        view = self._viewed(descriptor)
        self._opened[self._bpf.map_info(descriptor).id] = view
        return view

    def _viewed(self, descriptor: int) -> MapView:
        inner = self.raw.spec.inner
        types = (inner.key_type_id, inner.value_type_id) if inner is not None else (0, 0)
        info = self._bpf.map_info(descriptor)
        return MapView(kernel_map(self._bpf, descriptor, info.name, info, types), self._btf)

    def close(self) -> None:
        """Let go of the maps that were asked for."""
        for view in self._opened.values():
            assert isinstance(view.raw, KernelMap)
            os.close(view.raw.descriptor)
        self._opened.clear()


class KernelSocketStorageView(BesideSockets):
    """Values beside sockets, by the sockets. `raw` is the map itself."""

    def __init__(self, raw: KernelMap, btf: Btf | None) -> None:
        self.raw = raw
        self._value = value_codec(raw, btf)

    def _key(self, socket: Any) -> bytes:
        return descriptor_of(socket, self.raw, "key").to_bytes(self.raw.key_size, self.raw.order)

    def lookup(self, socket: Any) -> Any:
        """The value beside `socket`. ENOENT: it has none."""
        return self._value.decode(self.raw.read(self._key(socket)))

    def update(self, socket: Any, value: Any, flags: int = BPF_ANY) -> None:
        """Put a value beside `socket`."""
        content = self._value.encode(value, f"value of {self.raw.name}")
        self.raw.update(self._key(socket), content, flags)

    def delete(self, socket: Any) -> None:
        """Take the value away. ENOENT: there is none."""
        self.raw.delete(self._key(socket))

    def __contains__(self, socket: Any) -> bool:
        try:
            self.raw.read(self._key(socket))
        except KernelError as error:
            if error.number is not Errno.ENOENT:
                raise
            return False
        return True


def _number(descriptor: int, raw: KernelMap) -> bytes:
    """A descriptor as values of the map have it."""
    return descriptor.to_bytes(raw.value_size, raw.order)
