"""Helpers for the options of sockets (net/core/filter.c, `bpf_sock_ops_getsockopt` and `bpf_sock_ops_setsockopt`)."""

from __future__ import annotations

from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.sockets import hazards, options
from skverdict.runtime.sockets.callbacks import HDR_OPT_LEN_CB, WRITE_HDR_OPT_CB
from skverdict.runtime.sockets.contexts import SockOpsContext
from skverdict.runtime.sockets.headers import FIN


def _check(skops: SockOpsContext) -> None:
    if not skops.full:
        raise KernelError(Errno.EINVAL, "a request for a connection has no options")


def getsockopt(call: Call, skops: SockOpsContext, level: int, number: int, value: Buffer) -> int:
    """The option goes to `value`, all of which is zero after an error."""
    value.write(bytes(value.size))
    if (level, number) in options.SYN:
        return _syn(skops, number, value)
    _check(skops)
    value.write(options.read(skops.socket, level, number, value.size, call.memory.order))
    return 0


def _syn(skops: SockOpsContext, number: int, value: Buffer) -> int:
    """The SYN from the header on that `number` says (`bpf_sock_ops_get_syn`). Returns its length. ENOENT if none is
    kept, or not that header, ENOSPC if it is longer than `value`, which then holds its beginning."""
    packet = skops.syn
    if packet is None or (number == options.SYN_MAC and not packet.mac):
        raise KernelError(Errno.ENOENT, "no SYN is kept")
    content = b"".join(packet[options.SYN_MAC - number :])
    value.write(content[: value.size])
    if len(content) > value.size:
        raise KernelError(Errno.ENOSPC, f"the headers have {len(content)} bytes")
    return len(content)


def _check_no_delay(skops: SockOpsContext) -> None:
    """TCP_NODELAY sends what waits, and asks for its header again: EOPNOTSUPP while a header is made. Before Linux 7.2
    the callback calls itself until the stack is full."""
    if skops.op not in (HDR_OPT_LEN_CB, WRITE_HDR_OPT_CB):
        return
    kernel = skops.socket.kernel
    if kernel.settings.kernel == "7.2" or kernel.ideal:
        raise KernelError(Errno.EOPNOTSUPP, "not while a header is made")
    segment = skops.segment
    if segment is not None and (segment.payload or segment.flags & FIN):
        kernel.crash(skops.socket, hazards.PANIC_OF_NO_DELAY)


def setsockopt(call: Call, skops: SockOpsContext, level: int, number: int, value: bytes) -> int:
    _check(skops)
    if (level, number) == options.NO_DELAY:
        _check_no_delay(skops)
    options.write(skops.socket, level, number, value, call.memory.order)
    return 0


FUNCTIONS: dict[str, HelperFunction] = {"bpf_getsockopt": getsockopt, "bpf_setsockopt": setsockopt}
