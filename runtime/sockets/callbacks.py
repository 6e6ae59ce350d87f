"""Callbacks of kind sock_ops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.runtime.sockets.contexts import SockOpsContext

if TYPE_CHECKING:
    from skverdict.runtime.sockets.headers import Segment, SynPacket
    from skverdict.runtime.sockets.tcp import TcpSocket

#: Callbacks by number (`BPF_SOCK_OPS_*` of include/uapi/linux/bpf.h).
TIMEOUT_INIT = 1
RWND_INIT = 2
TCP_CONNECT_CB = 3
ACTIVE_ESTABLISHED_CB = 4
PASSIVE_ESTABLISHED_CB = 5
NEEDS_ECN = 6
STATE_CB = 10
TCP_LISTEN_CB = 11
PARSE_HDR_OPT_CB = 13
HDR_OPT_LEN_CB = 14
WRITE_HDR_OPT_CB = 15

NAMES = {
    TIMEOUT_INIT: "TIMEOUT_INIT",
    RWND_INIT: "RWND_INIT",
    TCP_CONNECT_CB: "TCP_CONNECT_CB",
    ACTIVE_ESTABLISHED_CB: "ACTIVE_ESTABLISHED_CB",
    PASSIVE_ESTABLISHED_CB: "PASSIVE_ESTABLISHED_CB",
    NEEDS_ECN: "NEEDS_ECN",
    STATE_CB: "STATE_CB",
    TCP_LISTEN_CB: "TCP_LISTEN_CB",
    PARSE_HDR_OPT_CB: "PARSE_HDR_OPT_CB",
    HDR_OPT_LEN_CB: "HDR_OPT_LEN_CB",
    WRITE_HDR_OPT_CB: "WRITE_HDR_OPT_CB",
}

#: A socket asks for STATE_CB with this flag (BPF_SOCK_OPS_STATE_CB_FLAG).
STATE_CB_FLAG = 1 << 2
ALL_FLAGS = 0x7F

#: The callbacks that may put their socket into a map.
MAY_ENTER_MAPS = (ACTIVE_ESTABLISHED_CB, PASSIVE_ESTABLISHED_CB, TCP_LISTEN_CB)


def call_back(
    socket: TcpSocket, op: int, args: tuple[int, ...] = (), full: bool = True, segment: Segment | None = None,
    syn: SynPacket | None = None,
) -> bool:  # fmt: skip
    """Run the sock_ops programs of the machine's cgroup on `socket`; False if one of them returned 0.

    They share what they see and write, one after the other. What they reply tunes timers and windows, which the model
    has not got. `full` is False for a connection that is only asked for. `segment` is the one that the callback is
    about, `syn` the request that a segment answers.
    """
    kernel = socket.kernel
    if not kernel.sock_ops:
        return True
    context = SockOpsContext(socket, op, args, full, segment, syn)
    agreed = True
    for program in kernel.sock_ops:
        length = 0 if segment is None else segment.length
        seen = b"" if segment is None else segment.header
        result = kernel.run(program, context, socket.name)
        agreed &= result != 0
        kernel.ran(program, socket.name, length, len(seen), kernel.head(seen), result, NAMES[op])
    return agreed
