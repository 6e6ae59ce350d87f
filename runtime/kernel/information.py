"""What the kernel tells of programs, maps and links: its structures, and what is taken from them.

The structures are `bpf_prog_info`, `bpf_map_info`, `bpf_link_info` and `bpf_func_info` of
include/uapi/linux/bpf.h (Linux 6.1), as far as anything here looks.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char, c_uint32, c_uint64
from typing import NamedTuple


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


class LinkInfo(NamedTuple):
    """What the kernel tells of a link: its type (`enum bpf_link_type`) and the id of its program."""

    id: int
    link_type: int
    program: int


class RawProgramInfo(ctypes.Structure):
    _fields_ = (
        ("type", c_uint32),
        ("id", c_uint32),
        ("tag", c_char * 8),
        ("jited_prog_len", c_uint32),
        ("xlated_prog_len", c_uint32),
        ("jited_prog_insns", c_uint64),
        ("xlated_prog_insns", c_uint64),
        ("load_time", c_uint64),
        ("created_by_uid", c_uint32),
        ("nr_map_ids", c_uint32),
        ("map_ids", c_uint64),
        ("name", c_char * 16),
        ("ifindex", c_uint32),
        ("gpl_compatible", c_uint32),
        ("netns_dev", c_uint64),
        ("netns_ino", c_uint64),
        ("nr_jited_ksyms", c_uint32),
        ("nr_jited_func_lens", c_uint32),
        ("jited_ksyms", c_uint64),
        ("jited_func_lens", c_uint64),
        ("btf_id", c_uint32),
        ("func_info_rec_size", c_uint32),
        ("func_info", c_uint64),
        ("nr_func_info", c_uint32),
        ("nr_line_info", c_uint32),
        ("line_info", c_uint64),
        ("jited_line_info", c_uint64),
        ("nr_jited_line_info", c_uint32),
        ("line_info_rec_size", c_uint32),
        ("jited_line_info_rec_size", c_uint32),
        ("nr_prog_tags", c_uint32),
        ("prog_tags", c_uint64),
        ("run_time_ns", c_uint64),
        ("run_cnt", c_uint64),
        ("recursion_misses", c_uint64),
        ("verified_insns", c_uint32),
        ("attach_btf_obj_id", c_uint32),
        ("attach_btf_id", c_uint32),
    )

    def told(self) -> ProgramInfo:
        return ProgramInfo(
            self.id,
            self.type,
            self.name.decode(),
            # A c_char array ends at the first zero byte; a tag may hold some.
            bytes(self)[RawProgramInfo.tag.offset :][:8].hex(),
            self.xlated_prog_len,
            self.jited_prog_len,
            self.run_cnt,
            self.run_time_ns,
            self.verified_insns,
        )


class RawMapInfo(ctypes.Structure):
    _fields_ = (
        ("type", c_uint32),
        ("id", c_uint32),
        ("key_size", c_uint32),
        ("value_size", c_uint32),
        ("max_entries", c_uint32),
        ("map_flags", c_uint32),
        ("name", c_char * 16),
    )

    def told(self) -> MapInfo:
        return MapInfo(
            self.id,
            self.type,
            self.key_size,
            self.value_size,
            self.max_entries,
            self.map_flags,
            self.name.decode(),
        )


class RawLinkInfo(ctypes.Structure):
    _fields_ = (("type", c_uint32), ("id", c_uint32), ("prog_id", c_uint32), ("end", c_uint32))

    def told(self) -> LinkInfo:
        return LinkInfo(self.id, self.type, self.prog_id)


class FunctionInfo(ctypes.Structure):
    _fields_ = (("insn_off", c_uint32), ("type_id", c_uint32))
