"""Settings by distance: larger buffers and windows for remote peers, a short time-out for those nearby."""

from skverdict.dsl import (
    BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_RWND_INIT,
    BPF_SOCK_OPS_TCP_CONNECT_CB,
    BPF_SOCK_OPS_TIMEOUT_INIT,
    SockOps,
    Struct,
    i32,
    sock_ops,
)

SOL_SOCKET, SO_SNDBUF, SO_RCVBUF = 1, 7, 8
NEARBY = 0x0A000000  # 10.0.0.0/8
MASK = 0xFF000000


class Size(Struct):
    bytes: i32


@sock_ops
def tune(skops: SockOps) -> i32:
    near = skops.remote_ip4.host() & MASK == NEARBY
    op = skops.op
    if op == BPF_SOCK_OPS_TIMEOUT_INIT:
        if near:
            skops.reply = 10
    elif op == BPF_SOCK_OPS_RWND_INIT:
        if not near:
            skops.reply = 40
    elif not near and op in (
        BPF_SOCK_OPS_TCP_CONNECT_CB,
        BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB,
        BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    ):
        size = Size(bytes=1 << 20)
        skops.setsockopt(SOL_SOCKET, SO_SNDBUF, size)
        skops.setsockopt(SOL_SOCKET, SO_RCVBUF, size)
    return 1
