"""Runs in the guest: load each BPF object given as an argument and report what the verifier said.

One result for each object: `object` (its file name), `accepted`, `log` (libbpf's warnings, with the
verifier's log of a refusal), and of each program its name, whether it was accepted by itself, and the
kernel's counts.
"""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import POINTER, byref, c_bool, c_int, c_uint32, c_void_p
from typing import Any

from skverdict.runtime.kernel.information import RawProgramInfo

from tests.interop.libbpf import READING, Libbpf, Signature
from tests.kernel.boundary import report, require_guest

LOADING: dict[str, Signature] = {
    "bpf_object__load": (c_int, [c_void_p]),
    "bpf_program__set_autoload": (c_int, [c_void_p, c_bool]),
    "bpf_program__fd": (c_int, [c_void_p]),
    "bpf_obj_get_info_by_fd": (c_int, [c_int, c_void_p, POINTER(c_uint32)]),
}


def counts(libbpf: Libbpf, program: int) -> dict[str, int]:
    """What the kernel tells of a loaded program; lengths are bytes."""
    info = RawProgramInfo()
    size = c_uint32(ctypes.sizeof(info))
    if libbpf.bpf_obj_get_info_by_fd(libbpf.bpf_program__fd(program), byref(info), byref(size)):
        raise OSError(ctypes.get_errno(), "BPF_OBJ_GET_INFO_BY_FD")
    return {
        "verified_instructions": info.verified_insns,
        "translated_bytes": info.xlated_prog_len,
        "native_bytes": info.jited_prog_len,
        "lines": info.nr_line_info,
        "functions": info.nr_func_info,
    }


def load(libbpf: Libbpf, path: str, only: str | None = None) -> tuple[bool, list[dict[str, Any]]]:
    """Load the object at `path`, or of its programs `only` one; whether that went well, and its programs."""
    handle = libbpf.bpf_object__open_file(os.fsencode(path), None)
    if not handle:
        return False, []
    names = {libbpf.bpf_program__name(program).decode(): program for program in libbpf.programs(handle)}
    for name, program in names.items():
        libbpf.bpf_program__set_autoload(program, only in (None, name))
    accepted = libbpf.bpf_object__load(handle) == 0
    programs = [
        {"name": name, "accepted": accepted, **(counts(libbpf, program) if accepted else {})}
        for name, program in names.items()
        if only in (None, name)
    ]
    libbpf.bpf_object__close(handle)
    return accepted, programs


def main(library: str, paths: list[str]) -> None:
    require_guest()
    libbpf = Libbpf(library, READING | LOADING)
    for path in paths:
        libbpf.log.clear()
        accepted, programs = load(libbpf, path)
        if not accepted:  # once more, one by one: libbpf gives up at the first refusal
            libbpf.log.clear()
            programs = [each for program in programs for each in load(libbpf, path, program["name"])[1]]
        name = os.path.basename(path)
        report({"object": name, "accepted": accepted, "programs": programs, "log": "".join(libbpf.log)})


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
