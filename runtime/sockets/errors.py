"""Errors of sockets: Linux's number, as the Python exception that the standard library would raise for it."""

from __future__ import annotations

from skverdict.runtime.machine.errno import Errno, KernelError


class SimulationError(Exception):
    """The simulator was asked for something that it has not got: an unknown name, an unsupported kind of
    socket."""


class HazardError(Exception):
    """A known kernel fault struck, and the simulator was told to treat that as an error; says how to avoid
    it."""


class WouldBlock(KernelError, BlockingIOError):
    """EAGAIN: nothing to read yet."""


class BrokenPipe(KernelError, BrokenPipeError):
    """EPIPE: the sending side is shut down, or the connection is gone."""


class ConnectionWasReset(KernelError, ConnectionResetError):
    """ECONNRESET: the other end answered with a reset."""


class AccessDenied(KernelError, PermissionError):
    """EACCES: a program dropped what was sent."""


_KINDS: dict[Errno, type[KernelError]] = {
    Errno.EAGAIN: WouldBlock,
    Errno.EPIPE: BrokenPipe,
    Errno.ECONNRESET: ConnectionWasReset,
    Errno.EACCES: AccessDenied,
}


def socket_error(number: int, reason: str) -> OSError:
    """The exception for error `number` (positive). Programs may make up numbers that Linux has no name for.
    """
    try:
        known = Errno(number)
    except ValueError:
        return OSError(number, f"{reason} (error {number})")
    return _KINDS.get(known, KernelError)(known, reason)
