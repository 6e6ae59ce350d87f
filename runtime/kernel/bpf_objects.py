"""Objects: opened, prepared and loaded by libbpf. Handles are its pointers."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from ctypes import byref, c_char

from skverdict.runtime.kernel.bpf_calls import Calls
from skverdict.runtime.kernel.libbpf import OpenOptions


class Objects(Calls):
    """What is done with an object before and while it is loaded."""

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
