"""Count every callback by its number, and retransmissions by how often a packet was sent again."""

from skverdict.dsl import (
    BPF_SOCK_OPS_ALL_CB_FLAGS,
    BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_RETRANS_CB,
    ArrayMap,
    PerCpuArray,
    SockOps,
    i32,
    sock_ops,
    u64,
)

CALLBACKS = 16

callbacks = PerCpuArray(value=u64, max_entries=CALLBACKS)
repeated = ArrayMap(value=u64, max_entries=8)


@sock_ops
def count(skops: SockOps) -> i32:
    if skops.op >= CALLBACKS:
        return 0
    number = callbacks.lookup(skops.op)
    if number is not None:
        number.value += 1
    if skops.op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
        skops.cb_flags_set(BPF_SOCK_OPS_ALL_CB_FLAGS)
    if skops.op == BPF_SOCK_OPS_RETRANS_CB:
        times = repeated.lookup(min(skops.args[1], 7))
        if times is not None:
            times.value += 1
    return 1
