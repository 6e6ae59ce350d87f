"""Callbacks of kind sock_ops, and the handshake that makes most of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skverdict.runtime.sockets.contexts import SockOpsContext

if TYPE_CHECKING:
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

NAMES = {
    TIMEOUT_INIT: "TIMEOUT_INIT",
    RWND_INIT: "RWND_INIT",
    TCP_CONNECT_CB: "TCP_CONNECT_CB",
    ACTIVE_ESTABLISHED_CB: "ACTIVE_ESTABLISHED_CB",
    PASSIVE_ESTABLISHED_CB: "PASSIVE_ESTABLISHED_CB",
    NEEDS_ECN: "NEEDS_ECN",
    STATE_CB: "STATE_CB",
    TCP_LISTEN_CB: "TCP_LISTEN_CB",
}

#: A socket asks for STATE_CB with this flag (BPF_SOCK_OPS_STATE_CB_FLAG).
STATE_CB_FLAG = 1 << 2
ALL_FLAGS = 0x7F

#: The callbacks that may put their socket into a map.
MAY_ENTER_MAPS = (ACTIVE_ESTABLISHED_CB, PASSIVE_ESTABLISHED_CB, TCP_LISTEN_CB)


def call_back(socket: TcpSocket, op: int, args: tuple[int, ...] = (), full: bool = True) -> None:
    """Run the sock_ops programs of the machine's cgroup on `socket`.

    What they reply tunes timers and windows, which the model has not got. `full` is False for a connection
    that is only asked for.
    """
    kernel = socket.kernel
    for program in kernel.sock_ops:
        result = kernel.run(program, SockOpsContext(socket, op, args, full), socket.name)
        kernel.ran(program, socket.name, 0, 0, b"", result, NAMES[op])
