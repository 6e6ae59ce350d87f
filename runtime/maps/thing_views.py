"""User space's side of maps that hold things: maps, programs, perf events, records, values beside sockets.

Where the real system call takes a file descriptor, these take the thing itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from skverdict.codegen.btf import Btf
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.maps.base import Map
from skverdict.runtime.maps.map_of_maps import MapOfMaps
from skverdict.runtime.maps.map_view import MapView
from skverdict.runtime.maps.named_things import BesideSockets, program_name
from skverdict.runtime.maps.perf_event_array import BUFFER_SIZE, PerfEvent, PerfEventArray, PerfRecord
from skverdict.runtime.maps.program_array import ProgramArray
from skverdict.runtime.maps.queue import CopyingMap
from skverdict.runtime.maps.ring_buffer import RingBuffer
from skverdict.runtime.maps.socket_storage import SocketStorage
from skverdict.runtime.maps.sockmap import SocketMap
from skverdict.runtime.maps.typed import ValueMismatch, value_codec
from skverdict.runtime.maps.user_side import BPF_ANY
from skverdict.runtime.maps.view import QueueView, SocketMapView
from skverdict.runtime.sockets.socket import Socket

if TYPE_CHECKING:
    from skverdict.runtime.machine.run import LoadedProgram
    from skverdict.runtime.program import SimulatedProgram


class MapOfMapsView(MapView):
    """A map of maps. A lookup gives the number of a map, `map` the map itself."""

    raw: MapOfMaps

    def __init__(self, raw: MapOfMaps, btf: Btf | None = None) -> None:
        super().__init__(raw, btf)
        self._btf = btf
        self._views: dict[int, MapView] = {}

    def update(self, key: Any, value: Any, flags: int = BPF_ANY) -> None:
        """Put the map behind view `value` at `key`. EINVAL: it is not like the others."""
        if not isinstance(value, MapView):
            raise ValueMismatch(f"value of {self.raw.name}: {value!r} is no map")
        self.raw.check_writable()
        self.raw.insert(self.key_bytes(key), value.raw, flags)  # type: ignore[arg-type]
        self._views[id(value.raw)] = value

    def map(self, key: Any) -> MapView | None:
        """The map at `key`."""
        found = self.raw.map_at(self.key_bytes(key))
        if found is None or id(found) in self._views:
            return None if found is None else self._views[id(found)]
        return self._viewed(found)

    def create(self) -> MapView:
        """A new map that can be put in."""
        return self._viewed(self.raw.make())

    def _viewed(self, raw: Any) -> MapView:
        self._views[id(raw)] = MapView(raw, self._btf)
        return self._views[id(raw)]


class ProgramArrayView(MapView):
    """An array of programs. A lookup gives the number of a program."""

    raw: ProgramArray

    def __init__(self, raw: ProgramArray, programs: Mapping[str, SimulatedProgram]) -> None:
        super().__init__(raw)
        self._programs = programs

    def update(self, key: Any, value: Any, flags: int = BPF_ANY) -> None:
        """Put a program in, by its name or itself. EINVAL: it is of another kind than the array's owner."""
        name = program_name(value, self._programs, self.raw.name)
        self.raw.check_writable()
        loaded: LoadedProgram = self._programs[name].loaded
        number = list(self._programs).index(name) + 1
        self.raw.insert(self.raw.index(self.key_bytes(key)), loaded, flags, number)


class PerfEventsView(MapView):
    """An array of perf events. Nothing is open before `open`."""

    raw: PerfEventArray

    def open(self, size: int = BUFFER_SIZE, cpus: int = 1) -> None:
        """Open an event for each CPU of so many, with a buffer of `size` bytes, a power of 2 and 4096 or
        more."""
        if size < 4096 or size & (size - 1):
            raise ValueMismatch(f"buffers of {self.raw.name}: {size} bytes are no power of 2 from 4096 on")
        for cpu in range(min(cpus, self.raw.max_entries)):
            self.update(cpu, PerfEvent(cpu, size))

    def update(self, key: Any, value: Any, flags: int = BPF_ANY) -> None:
        """Put an opened event in."""
        if not isinstance(value, PerfEvent):
            raise ValueMismatch(f"value of {self.raw.name}: {value!r} is no perf event")
        self.raw.check_writable()
        self.raw.insert(self.raw.index(self.key_bytes(key)), value, flags)

    def records(self) -> Iterator[PerfRecord]:
        """Take what programs have put out, CPU by CPU."""
        for event in self._events():
            yield from event.consume()

    @property
    def lost(self) -> int:
        """Records that found no room."""
        return sum(event.lost for event in self._events())

    def _events(self) -> list[PerfEvent]:
        """The opened events. Raises KernelError ENOENT if there are none."""
        found = [event for event in map(self.raw.event, range(self.raw.max_entries)) if event is not None]
        if not found:
            raise KernelError(Errno.ENOENT, f"map {self.raw.name} has no open events; call open() first")
        return found


class SocketStorageView(BesideSockets):
    """Values beside sockets, by the sockets. `raw` is the map itself."""

    def __init__(self, raw: SocketStorage, btf: Btf | None = None) -> None:
        self.raw = raw
        self._value = value_codec(raw, btf)

    def _owner(self, socket: Any) -> object:
        if not isinstance(socket, Socket):
            raise ValueMismatch(f"key of {self.raw.name}: {socket!r} is no socket")
        return socket.kernel_socket

    def lookup(self, socket: Any) -> Any:
        """The value beside `socket`. ENOENT: it has none."""
        self.raw.check_readable()
        memory = self.raw.value_of(self._owner(socket))
        if memory is None:
            raise KernelError(Errno.ENOENT, f"map {self.raw.name} has no value for {socket!r}")
        return self._value.decode(bytes(self.raw.without_special(memory)))

    def update(self, socket: Any, value: Any, flags: int = BPF_ANY) -> None:
        """Put a value beside `socket`."""
        self.raw.check_writable()
        content = self._value.encode(value, f"value of {self.raw.name}")
        self.raw.put(self._owner(socket), content, flags)

    def delete(self, socket: Any) -> None:
        """Take the value away. ENOENT: there is none."""
        self.raw.check_writable()
        self.raw.drop(self._owner(socket))

    def __contains__(self, socket: Any) -> bool:
        return self.raw.value_of(self._owner(socket)) is not None

    def __len__(self) -> int:
        return len(self.raw)


#: User space's side of a map; of a ring buffer it is the buffer itself.
View = MapView | QueueView | SocketStorageView | RingBuffer


def view_of(map_: Map, btf: Btf | None, programs: Mapping[str, SimulatedProgram]) -> View:
    """User space's side of `map_`, with types from `btf`; `programs` are those that it may put in."""
    if isinstance(map_, SocketMap):
        return SocketMapView(map_, btf)
    if isinstance(map_, CopyingMap):
        return QueueView(map_, btf)
    if isinstance(map_, MapOfMaps):
        return MapOfMapsView(map_, btf)
    if isinstance(map_, ProgramArray):
        return ProgramArrayView(map_, programs)
    if isinstance(map_, PerfEventArray):
        return PerfEventsView(map_, btf)
    if isinstance(map_, SocketStorage):
        return SocketStorageView(map_, btf)
    return map_ if isinstance(map_, RingBuffer) else MapView(map_, btf)
