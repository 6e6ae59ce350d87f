"""Helpers for the options of sockets (net/core/filter.c, `bpf_sock_ops_getsockopt` and `bpf_sock_ops_setsockopt`)."""

from __future__ import annotations

from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.sockets import options
from skverdict.runtime.sockets.contexts import SockOpsContext


def _check(skops: SockOpsContext) -> None:
    if not skops.full:
        raise KernelError(Errno.EINVAL, "a request for a connection has no options")


def getsockopt(call: Call, skops: SockOpsContext, level: int, number: int, value: Buffer) -> int:
    """The option goes to `value`, all of which is zero after an error."""
    value.write(bytes(value.size))
    if (level, number) not in options.SYN:
        _check(skops)
    value.write(options.read(skops.socket, level, number, value.size, call.memory.order))
    return 0


def setsockopt(call: Call, skops: SockOpsContext, level: int, number: int, value: bytes) -> int:
    _check(skops)
    options.write(skops.socket, level, number, value, call.memory.order)
    return 0


FUNCTIONS: dict[str, HelperFunction] = {"bpf_getsockopt": getsockopt, "bpf_setsockopt": setsockopt}
