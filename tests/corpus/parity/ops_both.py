"""A connection goes into a sockmap and a sockhash at once, and out of both when it is closed."""

from skverdict.dsl import (
    BPF_ANY,
    BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_STATE_CB,
    BPF_SOCK_OPS_STATE_CB_FLAG,
    BPF_TCP_CLOSE,
    SockHash,
    SockMap,
    SockOps,
    i32,
    sock_ops,
    u32,
)

by_index = SockMap(max_entries=16)
by_port = SockHash(key=u32, max_entries=16)


@sock_ops
def remember(skops: SockOps) -> i32:
    index = skops.local_port & 15
    if skops.op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
        skops.cb_flags_set(BPF_SOCK_OPS_STATE_CB_FLAG)
        by_index.update(skops, index, BPF_ANY)
        by_port.update(skops, index, BPF_ANY)
    elif skops.op == BPF_SOCK_OPS_STATE_CB and skops.args[1] == BPF_TCP_CLOSE:
        by_index.delete(index)
        by_port.delete(index)
    return 1
