"""Linux's error numbers, the same on every machine that the simulator runs on, and the error that carries
one."""

from __future__ import annotations

from enum import IntEnum


class Errno(IntEnum):
    """Numbers of include/uapi/asm-generic/errno*.h and include/linux/errno.h (ENOTSUPP)."""

    EPERM = 1
    ENOENT = 2
    EIO = 5
    E2BIG = 7
    EBADF = 9
    EAGAIN = 11
    ENOMEM = 12
    EACCES = 13
    EFAULT = 14
    EBUSY = 16
    EEXIST = 17
    ENODEV = 19
    EINVAL = 22
    ENOSPC = 28
    EPIPE = 32
    EDOM = 33
    ERANGE = 34
    EDEADLK = 35
    ENAMETOOLONG = 36
    ENOTSOCK = 88
    EDESTADDRREQ = 89
    EPROTOTYPE = 91
    EMSGSIZE = 90
    ENOMSG = 42
    ENODATA = 61
    ENOLINK = 67
    EPROTO = 71
    ESTRPIPE = 86
    ENOPROTOOPT = 92
    EPROTONOSUPPORT = 93
    EOPNOTSUPP = 95
    EAFNOSUPPORT = 97
    EADDRINUSE = 98
    EADDRNOTAVAIL = 99
    ENETUNREACH = 101
    ECONNABORTED = 103
    ECONNRESET = 104
    ENOBUFS = 105
    EISCONN = 106
    ENOTCONN = 107
    ETIMEDOUT = 110
    ECONNREFUSED = 111
    EALREADY = 114
    EINPROGRESS = 115
    ENOTSUPP = 524


class KernelError(OSError):
    """What the kernel answers with an error number. A helper that raises it returns `-number` to the program.

    On the user's side it reaches the caller as it is, an OSError whose `errno` is Linux's number.
    """

    def __init__(self, number: Errno, reason: str) -> None:
        super().__init__(int(number), f"{reason} ({number.name})")
        self.number = number
        self.reason = reason
