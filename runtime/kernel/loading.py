"""An object in the kernel: its maps made, its programs taken by the verifier."""

from __future__ import annotations

import ctypes
import errno
import mmap
from collections.abc import Mapping

from skverdict.codegen.object import MapSpec
from skverdict.dsl.catalogue.programs import PROGRAMS
from skverdict.runtime.kernel.abilities import explained
from skverdict.runtime.kernel.bpf import Bpf
from skverdict.runtime.kernel.errors import KernelUseError
from skverdict.runtime.kernel.information import MapInfo
from skverdict.runtime.kernel.maps import KIND_BY_TYPE, KernelMap, KernelPerCpuMap
from skverdict.runtime.kernel.source import Source
from skverdict.runtime.kernel.verifier import rejection

#: Bytes kept of a refusal's log. A program that is too large for the verifier would give hundreds of MiB.
LOG_SIZE = 4 << 20


class LoadedObject:
    """`source` in the kernel, until `close`.

    `max_entries` overrides what maps declare, by name. `data` sets the content of data sections (`.rodata`,
    `.data`, `.bss`) before programs see them. `pins` are the paths of maps to share: one that is pinned
    there already is used, any other is made and pinned there.

    Raises VerifierError, KernelUnavailable if the process may not load, and OSError for what else the kernel
    refuses.
    """

    def __init__(
        self,
        bpf: Bpf,
        source: Source,
        *,
        max_entries: Mapping[str, int] | None = None,
        data: Mapping[str, bytes] | None = None,
        pins: Mapping[str, str] | None = None,
    ) -> None:
        self._bpf = bpf
        self._source = source
        self._log = ctypes.create_string_buffer(LOG_SIZE)
        with bpf.gathered() as messages:
            try:
                self._handle = bpf.open(source.content, source.name, self._log)
            except OSError as error:
                raise _told(error, messages) from None
        try:
            self._prepare(max_entries or {}, data or {}, pins or {})
            self._load()
            self.maps = {name: self._map(name, handle) for name, handle in bpf.maps(self._handle).items()}
            self.data = {
                section: self._memory(section, handle)
                for section, handle in self._sections().items()
                if section in source.object.data
            }
            self.programs = {
                name: bpf.program_descriptor(handle) for name, handle in bpf.programs(self._handle).items()
            }
        except BaseException:
            bpf.close(self._handle)
            raise

    def _prepare(
        self, max_entries: Mapping[str, int], data: Mapping[str, bytes], pins: Mapping[str, str]
    ) -> None:
        """Say of the object what its file does not, or not so that every libbpf understands it."""
        for name, handle in self._bpf.programs(self._handle).items():
            program = self._source.object.programs.get(name)
            if program is not None and program.kind in PROGRAMS:
                kind = PROGRAMS[program.kind]
                self._bpf.set_kind(handle, kind.prog_type, kind.attach_type)
        maps = self._bpf.maps(self._handle)
        for name, entries in max_entries.items():
            self._bpf.set_max_entries(_named(maps, name, "map"), entries)
        for name, path in pins.items():
            self._bpf.set_pin_path(_named(maps, name, "map"), path)
        sections = self._sections()
        for name, content in data.items():
            self._bpf.set_initial_value(_named(sections, name, "data section"), content)

    def _sections(self) -> dict[str, int]:
        """The handles of the maps of data sections, by the sections' names."""
        # libbpf's name for the map of `.bss` is `policy.bss`, the object's part cut short.
        data_maps = self._bpf.data_maps(self._handle).items()
        return {"." + name.split(".", 1)[1]: handle for name, handle in data_maps}

    def _memory(self, section: str, handle: int) -> mmap.mmap:
        """The section's bytes, as programs see them."""
        access = mmap.PROT_READ if section.startswith(".rodata") else mmap.PROT_READ | mmap.PROT_WRITE
        size = len(self._source.object.data[section].content)
        return mmap.mmap(self._bpf.map_descriptor(handle), size, mmap.MAP_SHARED, access)

    def _load(self) -> None:
        with self._bpf.gathered() as messages:
            try:
                self._bpf.load(self._handle)
            except OSError as error:
                raise self._refusal(error, "".join(messages)) from None

    def _refusal(self, error: OSError, said: str) -> Exception:
        """What to raise where loading failed with `error` after libbpf `said` so much."""
        log = self._log.value.decode(errors="replace")
        rejected = rejection(self._source.object, said, log, error.errno or 0)
        if rejected is not None:
            return rejected
        if error.errno == errno.EPERM:
            return explained(
                "this process may not load BPF programs: it needs root, or the capabilities CAP_BPF and "
                "CAP_NET_ADMIN"
            )
        return _told(error, said.splitlines(keepends=True))

    def _map(self, name: str, handle: int) -> KernelMap:
        """The map with the sizes that it has in the kernel."""
        descriptor = self._bpf.map_descriptor(handle)
        declared, real = self._source.object.maps.get(name), self._bpf.map_info(descriptor)
        types = (declared.key_type_id, declared.value_type_id) if declared else (0, 0)
        inner = declared.inner if declared else None
        return kernel_map(self._bpf, descriptor, name, real, types, inner)

    def close(self) -> None:
        """Let go of it; what is attached or pinned stays in the kernel."""
        for memory in self.data.values():
            memory.close()
        self._bpf.close(self._handle)


def kernel_map(
    bpf: Bpf,
    descriptor: int,
    name: str,
    real: MapInfo,
    types: tuple[int, int] = (0, 0),
    inner: MapSpec | None = None,
) -> KernelMap:
    """The map behind `descriptor`; `types` are the BTF ids of key and value in its object, 0 if not known, and
    `inner` is what the maps in a map of maps are like."""
    spec = MapSpec(
        name, real.map_type, real.key_size, real.value_size, real.max_entries, real.flags, *types, inner
    )
    kind = KIND_BY_TYPE.get(real.map_type)
    return (KernelPerCpuMap if kind is not None and kind.per_cpu else KernelMap)(bpf, descriptor, spec)


def _named(handles: Mapping[str, int], name: str, what: str) -> int:
    if name not in handles:
        raise KernelUseError(f"no {what} {name!r}; there are {', '.join(handles) or 'none'}")
    return handles[name]


def _told(error: OSError, messages: list[str]) -> OSError:
    """`error` with what libbpf said about it."""
    said = " ".join(line.strip().removeprefix("libbpf: ") for line in messages if line.strip())
    return OSError(error.errno, f"{error.strerror}: {said}" if said else error.strerror)
