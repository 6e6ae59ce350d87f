"""What is in the kernel already, and what the kernel can."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from ctypes import byref, c_uint32
from typing import TypeVar

from skverdict.runtime.kernel.bpf_calls import Calls
from skverdict.runtime.kernel.information import (
    FunctionInfo,
    LinkInfo,
    MapInfo,
    ProgramInfo,
    RawLinkInfo,
    RawMapInfo,
    RawProgramInfo,
)

Raw = TypeVar("Raw", bound=ctypes.Structure)

#: `BPF_STATS_RUN_TIME` of `enum bpf_stats_type`.
RUN_TIME = 0


class Inspection(Calls):
    """Questions about programs, maps and links."""

    def program_by_id(self, number: int) -> int:
        """A new descriptor, to be closed. ENOENT if that program is gone."""
        return self._checked(self.library.bpf_prog_get_fd_by_id(number), f"program {number}")

    def map_by_id(self, number: int) -> int:
        """A new descriptor, to be closed. ENOENT if that map is gone."""
        return self._checked(self.library.bpf_map_get_fd_by_id(number), f"map {number}")

    def programs_there(self) -> list[int]:
        """The ids of all programs in the kernel."""
        return list(self._ids(self.library.bpf_prog_get_next_id))

    def maps_there(self) -> list[int]:
        """The ids of all maps in the kernel."""
        return list(self._ids(self.library.bpf_map_get_next_id))

    def links_there(self) -> list[int]:
        """The ids of all links in the kernel."""
        return list(self._ids(self.library.bpf_link_get_next_id))

    def _ids(self, following: Callable[..., int]) -> Iterator[int]:
        number = c_uint32()
        while True:
            try:
                self._checked(following(number, byref(number)), "next id")
            except FileNotFoundError:
                return
            yield number.value

    def program_info(self, descriptor: int) -> ProgramInfo:
        return self._info(descriptor, RawProgramInfo()).told()

    def main_function(self, descriptor: int) -> int:
        """The BTF id of a program's first function; 0 if the program has no BTF."""
        functions = (FunctionInfo * 1)()
        raw = RawProgramInfo(
            nr_func_info=1,
            func_info_rec_size=ctypes.sizeof(FunctionInfo),
            func_info=ctypes.addressof(functions),
        )
        self._info(descriptor, raw)
        return int(functions[0].type_id)

    def map_info(self, descriptor: int) -> MapInfo:
        return self._info(descriptor, RawMapInfo()).told()

    def link_info(self, descriptor: int) -> LinkInfo:
        return self._info(descriptor, RawLinkInfo()).told()

    def _info(self, descriptor: int, info: Raw) -> Raw:
        size = c_uint32(ctypes.sizeof(info))
        result = self.library.bpf_obj_get_info_by_fd(descriptor, byref(info), byref(size))
        self._checked(result, "information")
        return info

    def enable_statistics(self) -> int:
        """Have the kernel count runs while the descriptor that this gives is open. To be closed."""
        return self._checked(self.library.bpf_enable_stats(RUN_TIME), "statistics")

    def has_map_type(self, number: int) -> bool:
        """Whether the kernel makes maps of that type."""
        return bool(self._checked(self.library.libbpf_probe_bpf_map_type(number, None), "probe"))

    def has_program_type(self, number: int) -> bool:
        """Whether the kernel takes programs of that type."""
        return bool(self._checked(self.library.libbpf_probe_bpf_prog_type(number, None), "probe"))
