"""A libbpf through ctypes, of which only the functions that the caller lists are within reach.

The standard library alone: these modules also run under another C library, and inside a virtual machine.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping
from ctypes import c_char_p, c_int, c_uint32, c_void_p
from typing import Any

Signature = tuple[Any, list[Any]]  # result type, argument types

# What opens an object and reads it. None of these makes a map, loads a program or attaches one.
READING: dict[str, Signature] = {
    "libbpf_major_version": (c_uint32, []),
    "libbpf_minor_version": (c_uint32, []),
    "bpf_object__open_file": (c_void_p, [c_char_p, c_void_p]),
    "bpf_object__open_mem": (c_void_p, [c_char_p, ctypes.c_size_t, c_void_p]),
    "bpf_object__close": (None, [c_void_p]),
    "bpf_object__next_map": (c_void_p, [c_void_p, c_void_p]),
    "bpf_map__name": (c_char_p, [c_void_p]),
    "bpf_map__type": (c_int, [c_void_p]),
    "bpf_map__key_size": (c_uint32, [c_void_p]),
    "bpf_map__value_size": (c_uint32, [c_void_p]),
    "bpf_map__max_entries": (c_uint32, [c_void_p]),
    "bpf_map__map_flags": (c_uint32, [c_void_p]),
    "bpf_map__btf_key_type_id": (c_uint32, [c_void_p]),
    "bpf_map__btf_value_type_id": (c_uint32, [c_void_p]),
    "bpf_object__next_program": (c_void_p, [c_void_p, c_void_p]),
    "bpf_program__name": (c_char_p, [c_void_p]),
    "bpf_program__section_name": (c_char_p, [c_void_p]),
    "bpf_program__type": (c_int, [c_void_p]),
    "bpf_program__expected_attach_type": (c_int, [c_void_p]),
    "bpf_program__insn_cnt": (ctypes.c_size_t, [c_void_p]),
}
# int print(enum libbpf_print_level level, const char *format, va_list arguments)
PRINT = ctypes.CFUNCTYPE(c_int, c_int, c_char_p, c_void_p)
WARN = 0
LONGEST_MESSAGE = 1 << 20  # bytes; a verifier's log is one message


class Libbpf:
    """The functions of `signatures` in the libbpf at `path`, as attributes; no other function is bound.

    `log` gathers libbpf's warnings. Raises OSError if the library or a function is not there.
    """

    def __init__(self, path: str, signatures: Mapping[str, Signature]) -> None:
        library = ctypes.CDLL(path, use_errno=True)
        self._functions: dict[str, Callable[..., Any]] = {}
        for name, (result, arguments) in signatures.items():
            try:
                function = library[name]
            except AttributeError as error:
                raise OSError(f"{path} has no {name}") from error
            function.restype, function.argtypes = result, arguments
            self._functions[name] = function
        self.log: list[str] = []
        self._message = ctypes.create_string_buffer(LONGEST_MESSAGE)
        self._format = ctypes.CDLL(None).vsnprintf
        self._print = PRINT(self._keep)  # libbpf calls it for as long as it is loaded
        library.libbpf_set_print.restype = c_void_p
        library.libbpf_set_print(self._print)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            return self._functions[name]
        except KeyError:
            raise AttributeError(f"{name} is not one of the libbpf functions within reach here") from None

    def _keep(self, level: int, text: bytes, arguments: int) -> int:
        """libbpf's print function: keeps warnings, drops what is only information."""
        if level == WARN:
            self._format(self._message, ctypes.c_size_t(LONGEST_MESSAGE), c_char_p(text), c_void_p(arguments))
            self.log.append(self._message.value.decode(errors="replace"))
        return 0

    def maps(self, handle: int) -> Iterator[int]:
        """The maps of the open object `handle`, in its order."""
        return self._each("bpf_object__next_map", handle)

    def programs(self, handle: int) -> Iterator[int]:
        """The programs of the open object `handle`, in its order."""
        return self._each("bpf_object__next_program", handle)

    def _each(self, following: str, handle: int) -> Iterator[int]:
        last: int | None = None
        while last := self._functions[following](handle, last):
            yield last
