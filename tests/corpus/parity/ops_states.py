"""Follow a connection from its start to its end: in the sockhash while it lives, out of it when it closes."""

from skverdict.dsl import (
    BPF_ANY,
    BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_STATE_CB,
    BPF_SOCK_OPS_STATE_CB_FLAG,
    BPF_TCP_CLOSE,
    ArrayMap,
    SockHash,
    SockOps,
    Struct,
    be32,
    i32,
    inline,
    sock_ops,
    u32,
    u64,
)


class Ends(Struct):
    local_ip: be32
    remote_ip: be32
    local_port: u32
    remote_port: be32


open_sockets = SockHash(key=Ends, max_entries=65536)
closed = ArrayMap(value=u64, max_entries=16)  # by the state that the connection was in


@inline
def ends_of(skops: SockOps, ends: Ends) -> None:
    ends.local_ip = skops.local_ip4
    ends.remote_ip = skops.remote_ip4
    ends.local_port = skops.local_port
    ends.remote_port = skops.remote_port


@sock_ops
def follow(skops: SockOps) -> i32:
    ends = Ends()
    if skops.op in (BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB):
        skops.cb_flags_set(BPF_SOCK_OPS_STATE_CB_FLAG)
        ends_of(skops, ends)
        open_sockets.update(skops, ends, BPF_ANY)
    elif skops.op == BPF_SOCK_OPS_STATE_CB and skops.args[1] == BPF_TCP_CLOSE:
        ends_of(skops, ends)
        open_sockets.delete(ends)
        count = closed.lookup(skops.args[0])
        if count is not None:
            count.value += 1
    return 1
