"""A call of libbpf, and what its result means."""

from __future__ import annotations

import ctypes
import errno
import os

from skverdict.runtime.kernel.libbpf import Libbpf


class Calls:
    """Calls by way of `library`."""

    def __init__(self, library: Libbpf) -> None:
        self.library = library

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
