"""Open BPF objects with a libbpf and print what it sees in each, as JSON lines. Nothing is ever loaded.

    python -m tests.interop.inspect_object LIBBPF OBJECT...

A program of its own, so that it can run under another C library than pytest does; only the functions of
`libbpf.READING` are within its reach.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.interop.libbpf import READING, Libbpf


def describe_map(libbpf: Libbpf, handle: int) -> dict[str, Any]:
    """A map's name, kernel number, sizes in bytes, entries, flags and BTF type ids."""
    return {
        "name": libbpf.bpf_map__name(handle).decode(),
        "type": libbpf.bpf_map__type(handle),
        "key_size": libbpf.bpf_map__key_size(handle),
        "value_size": libbpf.bpf_map__value_size(handle),
        "max_entries": libbpf.bpf_map__max_entries(handle),
        "flags": libbpf.bpf_map__map_flags(handle),
        "key_type_id": libbpf.bpf_map__btf_key_type_id(handle),
        "value_type_id": libbpf.bpf_map__btf_value_type_id(handle),
    }


def describe_program(libbpf: Libbpf, handle: int) -> dict[str, Any]:
    """A program's name, section, kernel numbers and length in instruction slots."""
    return {
        "name": libbpf.bpf_program__name(handle).decode(),
        "section": libbpf.bpf_program__section_name(handle).decode(),
        "type": libbpf.bpf_program__type(handle),
        "attach_type": libbpf.bpf_program__expected_attach_type(handle),
        "instructions": libbpf.bpf_program__insn_cnt(handle),
    }


def open_both_ways(libbpf: Libbpf, path: str) -> int | None:
    """Open the object by its path, and again from memory; gives the second handle, None if either fails."""
    by_path = libbpf.bpf_object__open_file(os.fsencode(path), None)
    if not by_path:
        return None
    libbpf.bpf_object__close(by_path)
    content = Path(path).read_bytes()
    from_memory: int | None = libbpf.bpf_object__open_mem(content, len(content), None)
    return from_memory


def inspect(library: str, path: str) -> dict[str, Any]:
    """What the libbpf at `library` sees in the object at `path`; `opened` is False if it refuses it.

    Left out are the maps that it makes of sections with data, whose names begin with a part of the object's.
    """
    libbpf = Libbpf(library, READING)
    version = [libbpf.libbpf_major_version(), libbpf.libbpf_minor_version()]
    handle = open_both_ways(libbpf, path)
    if not handle:
        return {"version": version, "opened": False, "log": libbpf.log}
    maps = [describe_map(libbpf, each) for each in libbpf.maps(handle)]
    seen = {
        "version": version,
        "opened": True,
        "log": libbpf.log,
        "maps": [each for each in maps if "." not in each["name"]],
        "programs": [describe_program(libbpf, each) for each in libbpf.programs(handle)],
    }
    libbpf.bpf_object__close(handle)
    return seen


if __name__ == "__main__":
    for argument in sys.argv[2:]:
        print(json.dumps(inspect(sys.argv[1], argument)))
