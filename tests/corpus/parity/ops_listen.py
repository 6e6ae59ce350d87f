"""Listening sockets go into a map by their port, so that a new process can be handed to by index."""

from skverdict.dsl import (
    BPF_NOEXIST,
    BPF_SOCK_OPS_TCP_LISTEN_CB,
    HashMap,
    SockHash,
    SockOps,
    i32,
    sock_ops,
    u32,
    u64,
)
from skverdict.dsl.helpers import bpf_ktime_get_ns

listeners = SockHash(key=u32, max_entries=256)
since = HashMap(key=u32, value=u64, max_entries=256)


@sock_ops
def listening(skops: SockOps) -> i32:
    if skops.op != BPF_SOCK_OPS_TCP_LISTEN_CB or skops.local_port >= 32768:
        return 1
    if listeners.update(skops, skops.local_port, BPF_NOEXIST) == 0:
        since.update(skops.local_port, bpf_ktime_get_ns())
    return 1
