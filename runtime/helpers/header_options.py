"""Helpers for TCP header options (net/core/filter.c, `bpf_sock_ops_load_hdr_opt` and its kin)."""

from __future__ import annotations

from skverdict.runtime.machine.call import Buffer, Call
from skverdict.runtime.machine.environment import HelperFunction
from skverdict.runtime.machine.errno import Errno, KernelError
from skverdict.runtime.sockets import headers
from skverdict.runtime.sockets.callbacks import HDR_OPT_LEN_CB, WRITE_HDR_OPT_CB
from skverdict.runtime.sockets.contexts import SockOpsContext
from skverdict.runtime.sockets.headers import END, EXPERIMENTAL, HEADER, NOP, Segment

#: BPF_LOAD_HDR_OPT_TCP_SYN: look into the SYN that the connection began with.
_FROM_SYN = 1
#: Bytes of an option at least: its kind and its length.
_LEAST = 2
#: Lengths with which a magic number of 2 or 4 bytes is looked for, and how many bytes tell two options apart.
_WITH_MAGIC = (4, 6)
_MAGIC = 2


def _invalid(what: str) -> KernelError:
    return KernelError(Errno.EINVAL, what)


def _segment(skops: SockOpsContext, op: int) -> Segment:
    """The segment of callback `op`. Raises KernelError EPERM in another callback."""
    if skops.op != op or skops.segment is None:
        raise KernelError(Errno.EPERM, "this callback is for something else")
    return skops.segment


def _options(skops: SockOpsContext, flags: int) -> bytes:
    """Where to look. EPERM where there is no header, ENOENT where there is no SYN."""
    if flags & _FROM_SYN:
        if skops.syn is None:
            raise KernelError(Errno.ENOENT, "no SYN is kept")
        return skops.syn.tcp[HEADER:]
    if skops.segment is None or skops.op == HDR_OPT_LEN_CB:
        raise KernelError(Errno.EPERM, "this callback has no header")
    return skops.segment.header[HEADER:]


def load_hdr_opt(call: Call, skops: SockOpsContext, wanted: Buffer, flags: int) -> int:
    """Look for an option of the kind, and with the magic number, that `wanted` begins with; it goes there. Returns its
    length. EINVAL for what is none to look for, ENOMSG if it is not there, EFAULT if what is there are no options,
    ENOSPC if it is longer than `wanted`, which then holds its beginning."""
    if wanted.size < _LEAST or flags & ~_FROM_SYN:
        raise _invalid(f"{wanted.size} bytes, flags {flags:#x}")
    begin = wanted.read()
    kind, length = begin[0], begin[1]
    lengths = _WITH_MAGIC if kind in EXPERIMENTAL else (0,)
    if kind in (END, NOP) or length not in lengths or length > wanted.size:
        raise _invalid(f"kind {kind} of length {length} is none to look for")
    option = headers.find(_options(skops, flags), kind, begin[_LEAST:length])
    if option is None:
        raise KernelError(Errno.ENOMSG, f"there is no option of kind {kind}")
    wanted.write(option[: wanted.size])
    if len(option) > wanted.size:
        raise KernelError(Errno.ENOSPC, f"the option has {len(option)} bytes")
    return len(option)


def store_hdr_opt(call: Call, skops: SockOpsContext, option: bytes, flags: int) -> int:
    """Write an option, as many of the bytes as it says. EPERM but in WRITE_HDR_OPT_CB, EINVAL for what is none, ENOSPC
    beyond what was reserved, EEXIST for one that is there, EFAULT behind what is none."""
    segment = _segment(skops, WRITE_HDR_OPT_CB)
    if len(option) < _LEAST or flags:
        raise _invalid(f"{len(option)} bytes, flags {flags:#x}")
    kind, length = option[0], option[1]
    if length > len(option) or kind in (END, NOP):
        raise _invalid(f"kind {kind} of length {length} in {len(option)} bytes")
    if length > segment.room:
        raise KernelError(Errno.ENOSPC, f"{segment.room} bytes are left, not {length}")
    magic = b""
    if kind in EXPERIMENTAL:
        if length < _LEAST + _MAGIC:
            raise _invalid(f"kind {kind} without a magic number")
        magic = option[_LEAST : _LEAST + _MAGIC]
    if headers.find(segment.header[HEADER:], kind, magic) is not None:
        raise KernelError(Errno.EEXIST, f"there is an option of kind {kind}")
    segment.header += option[:length]
    segment.room -= length
    return 0


def reserve_hdr_opt(call: Call, skops: SockOpsContext, length: int, flags: int) -> int:
    """Ask for `length` bytes more. EPERM but in HDR_OPT_LEN_CB, EINVAL for fewer than 2, ENOSPC for more than there
    are."""
    segment = _segment(skops, HDR_OPT_LEN_CB)
    if flags or length < _LEAST:
        raise _invalid(f"{length} bytes, flags {flags:#x}")
    if length > segment.room:
        raise KernelError(Errno.ENOSPC, f"{segment.room} bytes are left, not {length}")
    segment.room -= length
    return 0


FUNCTIONS: dict[str, HelperFunction] = {
    "bpf_load_hdr_opt": load_hdr_opt,
    "bpf_store_hdr_opt": store_hdr_opt,
    "bpf_reserve_hdr_opt": reserve_hdr_opt,
}
