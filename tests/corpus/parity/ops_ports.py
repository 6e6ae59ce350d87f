"""Connections to a range of ports go into one sockmap, those from here to such ports into another."""

from skverdict.dsl import (
    AF_INET,
    BPF_NOEXIST,
    BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    SockMap,
    SockOps,
    i32,
    sock_ops,
)

FIRST, LAST = 10000, 10015

accepted = SockMap(max_entries=16)
connected = SockMap(max_entries=16)


@sock_ops
def remember(skops: SockOps) -> i32:
    if skops.family != AF_INET:
        return 1
    if skops.op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
        if skops.local_port in range(FIRST, LAST + 1):
            accepted.update(skops, skops.local_port - FIRST, BPF_NOEXIST)
    elif skops.op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
        port = skops.remote_port.host()
        if FIRST <= port <= LAST:
            connected.update(skops, port - FIRST, BPF_NOEXIST)
    return 1
