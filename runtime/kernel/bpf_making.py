"""Maps and programs that are made without an object."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_int, c_size_t, c_uint32, c_void_p
from typing import NamedTuple

from skverdict.runtime.kernel.bpf_calls import Calls


class _LoadOptions(ctypes.Structure):
    """The beginning of `struct bpf_prog_load_opts`; `size` tells libbpf that it ends here."""

    _fields_ = (
        ("size", c_size_t),
        ("attempts", c_int),
        ("expected_attach_type", c_int),
        ("prog_btf_fd", c_uint32),
        ("prog_flags", c_uint32),
        ("prog_ifindex", c_uint32),
        ("kern_version", c_uint32),
        ("attach_btf_id", c_uint32),
        ("attach_prog_fd", c_uint32),
        ("attach_btf_obj_fd", c_uint32),
        ("fd_array", c_void_p),
    )


class _MapOptions(ctypes.Structure):
    """The beginning of `struct bpf_map_create_opts`."""

    _fields_ = (
        ("size", c_size_t),
        ("btf_fd", c_uint32),
        ("btf_key_type_id", c_uint32),
        ("btf_value_type_id", c_uint32),
        ("btf_vmlinux_value_type_id", c_uint32),
        ("inner_map_fd", c_uint32),
        ("map_flags", c_uint32),
    )


class Traced(NamedTuple):
    """What a tracing program watches: the descriptor of a program, and the BTF id of a function of it."""

    program: int
    function: int


class Making(Calls):
    """Maps and programs by themselves; descriptors are to be closed."""

    def create_map(
        self, map_type: int, name: str, key_size: int, value_size: int, max_entries: int, flags: int = 0
    ) -> int:
        options = _MapOptions(size=ctypes.sizeof(_MapOptions), map_flags=flags)
        function = self.library.bpf_map_create
        result = function(map_type, name.encode(), key_size, value_size, max_entries, byref(options))
        return self._checked(result, f"map {name}")

    def load_program(
        self, program_type: int, name: str, code: bytes, attach_type: int = 0, traced: Traced | None = None
    ) -> int:
        """Load instructions, 8 bytes each, in the machine's byte order, as a program under the GPL."""
        options = _LoadOptions(size=ctypes.sizeof(_LoadOptions), expected_attach_type=attach_type)
        if traced is not None:
            options.attach_btf_id, options.attach_prog_fd = traced.function, traced.program
        result = self.library.bpf_prog_load(
            program_type, name.encode(), b"GPL", code, len(code) // 8, byref(options)
        )
        return self._checked(result, f"program {name}")
