"""The kernel's BPF operations as Python calls on descriptors and bytes.

Every method raises OSError with the kernel's number where the kernel refuses. Handles of objects, maps and
programs are libbpf's pointers; descriptors belong to their object and are closed with it, unless said
otherwise.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from ctypes import byref, c_char, c_uint32, c_uint64
from typing import NamedTuple

from skverdict.runtime.kernel.libbpf import Libbpf, OpenOptions

#: `BPF_STATS_RUN_TIME` of `enum bpf_stats_type`.
RUN_TIME = 0


class _ProgramInfo(ctypes.Structure):
    """`struct bpf_prog_info` of include/uapi/linux/bpf.h, as far as `verified_insns`."""

    _fields_ = (
        ("type", c_uint32),
        ("id", c_uint32),
        ("tag", c_char * 8),
        ("jited_prog_len", c_uint32),
        ("xlated_prog_len", c_uint32),
        ("pointers", c_uint64 * 2),
        ("load_time", c_uint64),
        ("created_by_uid", c_uint32),
        ("nr_map_ids", c_uint32),
        ("map_ids", c_uint64),
        ("name", c_char * 16),
        ("between", c_uint32 * 28),
        ("run_time_ns", c_uint64),
        ("run_cnt", c_uint64),
        ("recursion_misses", c_uint64),
        ("verified_insns", c_uint32),
        ("end", c_uint32),
    )


class _MapInfo(ctypes.Structure):
    """`struct bpf_map_info`, as far as `name`."""

    _fields_ = (
        ("type", c_uint32),
        ("id", c_uint32),
        ("key_size", c_uint32),
        ("value_size", c_uint32),
        ("max_entries", c_uint32),
        ("map_flags", c_uint32),
        ("name", c_char * 16),
    )


class ProgramInfo(NamedTuple):
    """What the kernel tells of a loaded program.

    Sizes are bytes; `native_size` is 0 where there is no JIT. `runs` and `run_time` (nanoseconds) count while
    statistics are on. `verified` is how many instructions the verifier went through.
    """

    id: int
    program_type: int
    name: str
    tag: str
    translated_size: int
    native_size: int
    runs: int
    run_time: int
    verified: int


class MapInfo(NamedTuple):
    """What the kernel tells of a map."""

    id: int
    map_type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    name: str


class Bpf:
    """BPF by way of `library`."""

    def __init__(self, library: Libbpf) -> None:
        self.library = library

    @property
    def cpus(self) -> int:
        """How many CPUs this machine can have: per-CPU maps have a value for each."""
        return self._checked(self.library.libbpf_num_possible_cpus(), "number of CPUs")

    def gathered(self) -> AbstractContextManager[list[str]]:
        """What libbpf prints meanwhile."""
        return self.library.gathered()

    # Objects

    def open(self, content: bytes, name: str, log: ctypes.Array[c_char]) -> int:
        """Read an object file; nothing of it is in the kernel yet. Gives its handle, to be closed.

        `log` is where the kernel writes why it refuses a program; it must live until the object is loaded.
        """
        options = OpenOptions(size=ctypes.sizeof(OpenOptions), object_name=name.encode())
        options.log, options.log_size = ctypes.addressof(log), len(log)
        return self._pointer(
            self.library.bpf_object__open_mem(content, len(content), byref(options)), f"object {name}"
        )

    def load(self, handle: int) -> None:
        """Make the object's maps and have the verifier take its programs."""
        self._checked(self.library.bpf_object__load(handle), "load")

    def close(self, handle: int) -> None:
        """Forget an object, and close its descriptors."""
        self.library.bpf_object__close(handle)

    def maps(self, handle: int) -> dict[str, int]:
        """The handles of the maps that the object declares, by name; data sections are left out."""
        found = self._each(self.library.bpf_object__next_map, handle)
        return {
            self.library.bpf_map__name(each).decode(): each
            for each in found
            if not self.library.bpf_map__is_internal(each)
        }

    def data_maps(self, handle: int) -> dict[str, int]:
        """The handles of the maps that hold the object's data sections, by libbpf's names for them."""
        found = self._each(self.library.bpf_object__next_map, handle)
        return {
            self.library.bpf_map__name(each).decode(): each
            for each in found
            if self.library.bpf_map__is_internal(each)
        }

    def programs(self, handle: int) -> dict[str, int]:
        """The handles of the object's programs by name."""
        found = self._each(self.library.bpf_object__next_program, handle)
        return {self.library.bpf_program__name(each).decode(): each for each in found}

    def _each(self, following: object, handle: int) -> Iterator[int]:
        last: int | None = None
        while last := following(handle, last):  # type: ignore[operator]
            yield last

    def set_max_entries(self, map_handle: int, entries: int) -> None:
        self._checked(self.library.bpf_map__set_max_entries(map_handle, entries), "max_entries")

    def set_initial_value(self, map_handle: int, content: bytes) -> None:
        """Set the content of a data section; EINVAL if it has another size."""
        size = len(content)
        self._checked(self.library.bpf_map__set_initial_value(map_handle, content, size), "initial value")

    def set_pin_path(self, map_handle: int, path: str) -> None:
        """Have `load` use the map that is pinned at `path`, or pin the one that it makes there."""
        self._checked(self.library.bpf_map__set_pin_path(map_handle, os.fsencode(path)), path)

    def set_kind(self, program_handle: int, program_type: int, attach_type: int) -> None:
        """Say what a program is, whatever its section's name tells libbpf."""
        self._checked(self.library.bpf_program__set_type(program_handle, program_type), "program type")
        set_attach_type = self.library.bpf_program__set_expected_attach_type
        self._checked(set_attach_type(program_handle, attach_type), "attach type")

    def map_descriptor(self, map_handle: int) -> int:
        return self._checked(self.library.bpf_map__fd(map_handle), "map")

    def program_descriptor(self, program_handle: int) -> int:
        return self._checked(self.library.bpf_program__fd(program_handle), "program")

    # Elements of maps; a key of None is for maps that have no keys

    def lookup(self, map_: int, key: bytes | None, size: int, flags: int = 0) -> bytes:
        """The value, of `size` bytes, at `key`."""
        value = ctypes.create_string_buffer(size)
        self._checked(self.library.bpf_map_lookup_elem_flags(map_, key, value, flags), "lookup")
        return value.raw

    def take(self, map_: int, key: bytes | None, size: int, flags: int = 0) -> bytes:
        """The same, and the entry is deleted."""
        value = ctypes.create_string_buffer(size)
        function = self.library.bpf_map_lookup_and_delete_elem_flags
        self._checked(function(map_, key, value, flags), "lookup and delete")
        return value.raw

    def contains(self, map_: int, value: bytes) -> bool:
        """For a bloom filter: whether `value` may have been put in."""
        content = ctypes.create_string_buffer(value, len(value))
        try:
            self._checked(self.library.bpf_map_lookup_elem_flags(map_, None, content, 0), "lookup")
        except FileNotFoundError:
            return False
        return True

    def update(self, map_: int, key: bytes | None, value: bytes, flags: int) -> None:
        self._checked(self.library.bpf_map_update_elem(map_, key, value, flags), "update")

    def delete(self, map_: int, key: bytes) -> None:
        self._checked(self.library.bpf_map_delete_elem(map_, key), "delete")

    def next_key(self, map_: int, key: bytes | None, size: int) -> bytes:
        """The key, of `size` bytes, behind `key` in the kernel's order, or the first; ENOENT after the last.
        """
        following = ctypes.create_string_buffer(size)
        self._checked(self.library.bpf_map_get_next_key(map_, key, following), "next key")
        return following.raw

    def freeze(self, map_: int) -> None:
        """Let user space write no more to a map."""
        self._checked(self.library.bpf_map_freeze(map_), "freeze")

    # Attaching

    def attach(self, program: int, target: int, attach_type: int, flags: int = 0) -> None:
        self._checked(self.library.bpf_prog_attach(program, target, attach_type, flags), "attach")

    def detach(self, program: int, target: int, attach_type: int) -> None:
        self._checked(self.library.bpf_prog_detach2(program, target, attach_type), "detach")

    def attached(self, target: int, attach_type: int, most: int = 64) -> list[int]:
        """The ids of the programs attached to a map or cgroup, `most` of them at most."""
        flags, count, ids = c_uint32(), c_uint32(most), (c_uint32 * most)()
        query = self.library.bpf_prog_query
        self._checked(query(target, attach_type, 0, byref(flags), ids, byref(count)), "query")
        return list(ids[: count.value])

    def link(self, program: int, target: int, attach_type: int) -> int:
        """Attach for as long as the descriptor that this gives, or a pin of it, is there. To be closed."""
        return self._checked(self.library.bpf_link_create(program, target, attach_type, None), "link")

    def update_link(self, link: int, program: int) -> None:
        """Let another program take the place of the link's."""
        self._checked(self.library.bpf_link_update(link, program, None), "link update")

    # What is in the kernel already

    def pin(self, descriptor: int, path: str) -> None:
        """Give a map, program or link a name in a BPF file system. EEXIST if the path is taken."""
        self._checked(self.library.bpf_obj_pin(descriptor, os.fsencode(path)), path)

    def pinned(self, path: str) -> int:
        """A new descriptor, to be closed, of what is pinned at `path`."""
        return self._checked(self.library.bpf_obj_get(os.fsencode(path)), path)

    def program_by_id(self, number: int) -> int:
        """A new descriptor, to be closed. ENOENT if that program is gone."""
        return self._checked(self.library.bpf_prog_get_fd_by_id(number), f"program {number}")

    def program_info(self, descriptor: int) -> ProgramInfo:
        info = _ProgramInfo()
        self._info(descriptor, info)
        return ProgramInfo(
            info.id,
            info.type,
            info.name.decode(),
            info.tag.hex(),
            info.xlated_prog_len,
            info.jited_prog_len,
            info.run_cnt,
            info.run_time_ns,
            info.verified_insns,
        )

    def map_info(self, descriptor: int) -> MapInfo:
        info = _MapInfo()
        self._info(descriptor, info)
        return MapInfo(
            info.id,
            info.type,
            info.key_size,
            info.value_size,
            info.max_entries,
            info.map_flags,
            info.name.decode(),
        )

    def _info(self, descriptor: int, info: ctypes.Structure) -> None:
        size = c_uint32(ctypes.sizeof(info))
        result = self.library.bpf_obj_get_info_by_fd(descriptor, byref(info), byref(size))
        self._checked(result, "information")

    def enable_statistics(self) -> int:
        """Have the kernel count runs while the descriptor that this gives is open. To be closed."""
        return self._checked(self.library.bpf_enable_stats(RUN_TIME), "statistics")

    def has_map_type(self, number: int) -> bool:
        """Whether the kernel makes maps of that type."""
        return bool(self._checked(self.library.libbpf_probe_bpf_map_type(number, None), "probe"))

    def has_program_type(self, number: int) -> bool:
        """Whether the kernel takes programs of that type."""
        return bool(self._checked(self.library.libbpf_probe_bpf_prog_type(number, None), "probe"))

    @staticmethod
    def _checked(result: int, what: str) -> int:
        """`result`, unless it is an error of libbpf 1.x: the negative number."""
        if result < 0:
            raise OSError(-result, f"{what}: {os.strerror(-result)}")
        return result

    @staticmethod
    def _pointer(result: int | None, what: str) -> int:
        """`result`, unless it is NULL: then errno has the error."""
        if not result:
            number = ctypes.get_errno() or errno.EINVAL
            raise OSError(number, f"{what}: {os.strerror(number)}")
        return result
