"""A stand-in for the kernel's BPF operations, for tests of the kernel backend on any machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from skverdict.codegen.object_reader import read_object
from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.information import MapInfo, ProgramInfo
from skverdict.runtime.kernel.kernel import Kernel

LAB = Path(__file__).parents[1] / "corpus" / "lab" / "lab.o"

SOCKMAP, QUEUE = 15, 22


def refuse(number: int) -> NoReturn:
    raise OSError(number, os.strerror(number))


class StandIn(Bpf):
    """Objects, maps and programs in dictionaries. `refusals` are the errors that operations are to raise,
    each once; `said` is what libbpf prints and `log` what the verifier writes while it loads. `links` says
    whether maps can have links."""

    def __init__(self, links: bool = True) -> None:
        self.refusals: dict[str, int] = {}
        self.said: list[str] = []
        self.log = b""
        self.links = links
        self.calls: list[str] = []
        self.kinds: dict[str, tuple[int, int]] = {}
        self.entries: dict[int, dict[bytes | None, bytes]] = {}
        self.attached_programs: dict[tuple[int, int], int] = {}
        self.linked: dict[int, tuple[int, int]] = {}
        self.open_handles: set[int] = set()
        self.pins: dict[str, int] = {}
        self._opened: dict[int, int] = {}
        self._names: dict[int, str] = {}
        self._object: Any = None

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if what in self.refusals:
            refuse(self.refusals.pop(what))

    @property
    def cpus(self) -> int:
        return 2

    @contextmanager
    def gathered(self) -> Iterator[list[str]]:
        yield self.said

    def _handle(self, name: str) -> int:
        number = 1000 + len(self._names)
        self._names[number] = name
        return number

    def open(self, content: bytes, name: str, log: Any) -> int:
        self._called("open")
        log.value = self.log
        self._object = read_object(content)
        handle = self._handle(name)
        self.open_handles.add(handle)
        return handle

    def load(self, handle: int) -> None:
        self._called("load")

    def close(self, handle: int) -> None:
        self.open_handles.remove(handle)

    def maps(self, handle: int) -> dict[str, int]:
        return {name: 10 + number for number, name in enumerate(sorted(self._object.maps))}

    def data_maps(self, handle: int) -> dict[str, int]:
        return {}

    def programs(self, handle: int) -> dict[str, int]:
        return {name: 50 + number for number, name in enumerate(sorted(self._object.programs))}

    def set_kind(self, program_handle: int, program_type: int, attach_type: int) -> None:
        names = {handle: name for name, handle in self.programs(0).items()}
        self.kinds[names[program_handle]] = (program_type, attach_type)

    def set_max_entries(self, map_handle: int, entries: int) -> None:
        self._called(f"max_entries {entries}")

    def set_pin_path(self, map_handle: int, path: str) -> None:
        self._called(f"pin {path}")

    def map_descriptor(self, map_handle: int) -> int:
        return map_handle + 100

    def program_descriptor(self, program_handle: int) -> int:
        return program_handle + 100

    def map_info(self, descriptor: int) -> MapInfo:
        number = self._opened.get(descriptor, descriptor)
        spec = self._object.maps[sorted(self._object.maps)[number - 110]]
        return MapInfo(number, spec.map_type, spec.key_size, spec.value_size, spec.max_entries, 0, spec.name)

    def program_info(self, descriptor: int) -> ProgramInfo:
        number = self._opened.get(descriptor, descriptor)
        return ProgramInfo(number, 14, "name", "tag", 8, 8, 3, 1500, 9)

    def _another(self, descriptor: int) -> int:
        """A descriptor that can be closed, for what `descriptor` is."""
        made = os.open(os.devnull, os.O_RDONLY)
        self._opened[made] = descriptor
        return made

    def pin(self, descriptor: int, path: str) -> None:
        self._called(f"pin {Path(path).name}")
        Path(path).touch(exist_ok=False)
        self.pins[path] = descriptor

    def pinned(self, path: str) -> int:
        if not os.path.exists(path):
            refuse(errno.ENOENT)
        return self._another(self.pins[path])

    def map_by_id(self, number: int) -> int:
        return self._by_id(number)

    def program_by_id(self, number: int) -> int:
        return self._by_id(number)

    def _by_id(self, number: int) -> int:
        """The numbers of what is in the kernel are its descriptors, as long as an object is open."""
        if not self.open_handles:
            refuse(errno.ENOENT)
        return self._another(number)

    def enable_statistics(self) -> int:
        return self._another(0)

    def create_map(
        self, map_type: int, name: str, key_size: int, value_size: int, max_entries: int, flags: int = 0
    ) -> int:
        self._called(f"create {name}")
        return self._another(0)

    def lookup(self, map_: int, key: bytes | None, size: int, flags: int = 0) -> bytes:
        entries = self.entries.setdefault(map_, {})
        if key not in entries:
            refuse(errno.ENOENT)
        return entries[key]

    def take(self, map_: int, key: bytes | None, size: int, flags: int = 0) -> bytes:
        value = self.lookup(map_, key, size)
        del self.entries[map_][key]
        return value

    def update(self, map_: int, key: bytes | None, value: bytes, flags: int) -> None:
        self._called("update")
        self.entries.setdefault(map_, {})[key] = value

    def delete(self, map_: int, key: bytes) -> None:
        self.lookup(map_, key, 0)
        del self.entries[map_][key]

    def next_key(self, map_: int, key: bytes | None, size: int) -> bytes:
        map_ = self._opened.get(map_, map_)
        keys = [each for each in self.entries.get(map_, {}) if each is not None]
        following = keys if key is None else keys[keys.index(key) + 1 :]
        if not following:
            refuse(errno.ENOENT)
        return following[0]

    def attach(self, program: int, target: int, attach_type: int, flags: int = 0) -> None:
        self._called("attach")
        self.attached_programs[target, attach_type] = program

    def detach(self, program: int, target: int, attach_type: int) -> None:
        self._called("detach")
        program, target = (self._opened.get(each, each) for each in (program, target))
        if self.attached_programs.get((target, attach_type)) != program:
            refuse(errno.ENOENT)
        del self.attached_programs[target, attach_type]

    def link(self, program: int, target: int, attach_type: int) -> int:
        self._called("link")
        if not self.links:
            refuse(errno.EINVAL)
        descriptor = os.open(os.devnull, os.O_RDONLY)
        self.linked[descriptor] = (program, target)
        return descriptor

    def update_link(self, link: int, program: int, old: int | None = None) -> None:
        self._called("update link")
        held, target = self.linked.get(link) or refuse(errno.EBADF)
        if old not in (None, held):
            refuse(errno.EPERM)
        self.linked[link] = (program, target)

    def detach_link(self, link: int) -> None:
        self._called("detach link")
        if link not in self.linked:
            refuse(errno.EBADF)


def lab(bpf: StandIn, **options: Any) -> Kernel:
    """The laboratory's object on a stand-in for the kernel."""
    return Kernel(LAB, bpf=bpf, settle=0, **options)
