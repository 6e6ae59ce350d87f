"""libbpf through ctypes: the functions that this package calls, as one table, and what libbpf prints.

Nothing is loaded before `load_library` is called, and it refuses where REFUSAL_VARIABLE is set, by which a
test suite can make sure that nothing in it reaches the machine's kernel.
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ctypes import POINTER, c_bool, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from typing import Any

from skverdict.runtime.kernel.errors import KernelUnavailable

SONAME = "libbpf.so.1"
OLDEST = (1, 1)

REFUSAL_VARIABLE = "SKVERDICT_NO_KERNEL"
"""Environment variable that, if not empty, forbids this process and its children to ask the kernel."""

Signature = tuple[Any, list[Any]]  # result, arguments

# int sample(void *context, void *data, size_t size), and the two of a perf buffer
SAMPLE = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)
PERF_SAMPLE = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_void_p, c_uint32)
PERF_LOST = ctypes.CFUNCTYPE(None, c_void_p, c_int, c_uint64)
# int print(enum libbpf_print_level level, const char *format, va_list arguments)
PRINT = ctypes.CFUNCTYPE(c_int, c_int, c_char_p, c_void_p)
DEBUG = 2

# map, where the last one ended, where this one ends, keys, values, how many, options
BATCH_OF_LOOKUPS: Signature = (
    c_int,
    [c_int, c_char_p, c_char_p, c_char_p, c_char_p, POINTER(c_uint32), c_void_p],
)
NEXT_ID: Signature = (c_int, [c_uint32, POINTER(c_uint32)])

FUNCTIONS: Mapping[str, Signature] = {
    "libbpf_num_possible_cpus": (c_int, []),
    # Objects
    "bpf_object__open_mem": (c_void_p, [c_char_p, c_size_t, c_void_p]),
    "bpf_object__load": (c_int, [c_void_p]),
    "bpf_object__close": (None, [c_void_p]),
    "bpf_object__next_map": (c_void_p, [c_void_p, c_void_p]),
    "bpf_object__next_program": (c_void_p, [c_void_p, c_void_p]),
    "bpf_map__name": (c_char_p, [c_void_p]),
    "bpf_map__fd": (c_int, [c_void_p]),
    "bpf_map__is_internal": (c_bool, [c_void_p]),
    "bpf_map__reuse_fd": (c_int, [c_void_p, c_int]),
    "bpf_map__set_max_entries": (c_int, [c_void_p, c_uint32]),
    "bpf_map__set_initial_value": (c_int, [c_void_p, c_char_p, c_size_t]),
    "bpf_map__set_pin_path": (c_int, [c_void_p, c_char_p]),
    "bpf_program__name": (c_char_p, [c_void_p]),
    "bpf_program__fd": (c_int, [c_void_p]),
    "bpf_program__set_type": (c_int, [c_void_p, c_int]),
    "bpf_program__set_expected_attach_type": (c_int, [c_void_p, c_int]),
    # Elements of maps
    "bpf_map_lookup_elem_flags": (c_int, [c_int, c_char_p, c_char_p, c_uint64]),
    "bpf_map_lookup_and_delete_elem_flags": (c_int, [c_int, c_char_p, c_char_p, c_uint64]),
    "bpf_map_update_elem": (c_int, [c_int, c_char_p, c_char_p, c_uint64]),
    "bpf_map_delete_elem": (c_int, [c_int, c_char_p]),
    "bpf_map_get_next_key": (c_int, [c_int, c_char_p, c_char_p]),
    "bpf_map_freeze": (c_int, [c_int]),
    "bpf_map_lookup_batch": BATCH_OF_LOOKUPS,
    "bpf_map_lookup_and_delete_batch": BATCH_OF_LOOKUPS,
    "bpf_map_update_batch": (c_int, [c_int, c_char_p, c_char_p, POINTER(c_uint32), c_void_p]),
    "bpf_map_delete_batch": (c_int, [c_int, c_char_p, POINTER(c_uint32), c_void_p]),
    # Attaching
    "bpf_prog_attach": (c_int, [c_int, c_int, c_int, c_uint32]),
    "bpf_prog_detach2": (c_int, [c_int, c_int, c_int]),
    "bpf_prog_query": (
        c_int,
        [c_int, c_int, c_uint32, POINTER(c_uint32), POINTER(c_uint32), POINTER(c_uint32)],
    ),
    "bpf_link_create": (c_int, [c_int, c_int, c_int, c_void_p]),
    "bpf_link_update": (c_int, [c_int, c_int, c_void_p]),
    "bpf_link_detach": (c_int, [c_int]),
    # What is in the kernel already
    "bpf_obj_pin": (c_int, [c_int, c_char_p]),
    "bpf_obj_get": (c_int, [c_char_p]),
    "bpf_obj_get_info_by_fd": (c_int, [c_int, c_void_p, POINTER(c_uint32)]),
    "bpf_prog_get_fd_by_id": (c_int, [c_uint32]),
    "bpf_map_get_fd_by_id": (c_int, [c_uint32]),
    "bpf_prog_get_next_id": NEXT_ID,
    "bpf_map_get_next_id": NEXT_ID,
    "bpf_link_get_next_id": NEXT_ID,
    "bpf_enable_stats": (c_int, [c_int]),
    "libbpf_probe_bpf_map_type": (c_int, [c_int, c_void_p]),
    "libbpf_probe_bpf_prog_type": (c_int, [c_int, c_void_p]),
    # Made without an object
    "bpf_map_create": (c_int, [c_int, c_char_p, c_uint32, c_uint32, c_uint32, c_void_p]),
    "bpf_prog_load": (c_int, [c_int, c_char_p, c_char_p, c_char_p, c_size_t, c_void_p]),
    # Events
    "ring_buffer__new": (c_void_p, [c_int, SAMPLE, c_void_p, c_void_p]),
    "ring_buffer__consume": (c_int, [c_void_p]),
    "ring_buffer__epoll_fd": (c_int, [c_void_p]),
    "ring_buffer__free": (None, [c_void_p]),
    "perf_buffer__new": (c_void_p, [c_int, c_size_t, PERF_SAMPLE, PERF_LOST, c_void_p, c_void_p]),
    "perf_buffer__consume": (c_int, [c_void_p]),
    "perf_buffer__epoll_fd": (c_int, [c_void_p]),
    "perf_buffer__free": (None, [c_void_p]),
}


class OpenOptions(ctypes.Structure):
    """The beginning of `struct bpf_object_open_opts`; `size` tells libbpf that it ends here.

    Programs that are refused are loaded again with their log going to `log`, `log_size` bytes long.
    """

    _fields_ = (
        ("size", c_size_t),
        ("object_name", c_char_p),
        ("relaxed_maps", c_bool),
        ("pin_root_path", c_char_p),
        ("unused", c_uint32),
        ("kconfig", c_char_p),
        ("btf_custom_path", c_char_p),
        ("log", c_void_p),
        ("log_size", c_size_t),
        ("log_level", c_uint32),
    )


class Libbpf:
    """The functions of FUNCTIONS as attributes; what they print is in `gathered`.

    `version` is (major, minor). A function that returns a negative number or NULL also sets ctypes' errno.
    """

    def __init__(self, library: ctypes.CDLL, version: tuple[int, int]) -> None:
        self.version = version
        self._functions: dict[str, Callable[..., Any]] = {}
        for name, (result, arguments) in FUNCTIONS.items():
            function = library[name]
            function.restype, function.argtypes = result, arguments
            self._functions[name] = function
        self._messages = threading.local()
        c_library = ctypes.CDLL(None)
        self._format = c_library.vasprintf
        self._format.argtypes = [POINTER(c_void_p), c_char_p, c_void_p]
        self._free = c_library.free
        self._free.argtypes = [c_void_p]
        self._print = PRINT(self._keep)  # libbpf calls it for as long as it is loaded
        library.libbpf_set_print.restype = c_void_p
        library.libbpf_set_print(self._print)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        try:
            return self._functions[name]
        except KeyError:
            raise AttributeError(f"{name} is not in the table of libbpf's functions") from None

    @contextmanager
    def gathered(self) -> Iterator[list[str]]:
        """What libbpf prints in this thread meanwhile, warnings and information, a message an entry."""
        messages: list[str] = []
        self._messages.open = messages
        try:
            yield messages
        finally:
            self._messages.open = None

    def _keep(self, level: int, text: bytes, arguments: int) -> int:
        """libbpf's print function: formats a message, of any length, for who gathers them."""
        messages: list[str] | None = getattr(self._messages, "open", None)
        if messages is None or level >= DEBUG:
            return 0
        message = c_void_p()
        length = self._format(ctypes.byref(message), text, arguments)
        if length >= 0:
            messages.append(ctypes.string_at(message, length).decode(errors="replace"))
            self._free(message)
        return 0


def load_library(path: str = SONAME) -> Libbpf:
    """libbpf at `path`. Raises KernelUnavailable where there is none that fits, or where it is forbidden."""
    if os.environ.get(REFUSAL_VARIABLE):
        raise KernelUnavailable(
            f"{REFUSAL_VARIABLE} is set in the environment: this process must not ask the kernel"
        )
    if sys.platform != "linux":
        raise KernelUnavailable(f"BPF is Linux's, and this is {sys.platform}; use the simulator here")
    try:
        library = ctypes.CDLL(path, use_errno=True)
    except OSError as error:
        raise KernelUnavailable(
            f"libbpf cannot be loaded ({error}); Debian has it as libbpf1: apt-get install libbpf1"
        ) from None
    try:
        version = (library.libbpf_major_version(), library.libbpf_minor_version())
        if version >= OLDEST:
            return Libbpf(library, version)
    except AttributeError as error:
        raise KernelUnavailable(f"{path} is no whole libbpf: {error}") from None
    oldest = ".".join(map(str, OLDEST))
    raise KernelUnavailable(f"{path} is libbpf {version[0]}.{version[1]}, and {oldest} or newer is needed")
