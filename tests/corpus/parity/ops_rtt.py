"""Round-trip times by client network: smoothed mean of the last, the largest, and how many were measured."""

from skverdict.dsl import (
    BPF_ANY,
    BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB,
    BPF_SOCK_OPS_RTT_CB,
    BPF_SOCK_OPS_RTT_CB_FLAG,
    HashMap,
    SockOps,
    Struct,
    i32,
    sock_ops,
    u32,
    u64,
)


class Times(Struct):
    samples: u64
    mean: u32
    largest: u32


networks = HashMap(key=u32, value=Times, max_entries=4096)


@sock_ops
def measure(skops: SockOps) -> i32:
    if skops.op in (BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB):
        skops.cb_flags_set(BPF_SOCK_OPS_RTT_CB_FLAG)
        return 1
    if skops.op != BPF_SOCK_OPS_RTT_CB:
        return 1
    microseconds = skops.srtt_us >> 3
    network = skops.remote_ip4.host() >> 8
    times = networks.lookup(network)
    if times is None:
        networks.update(network, Times(samples=1, mean=microseconds, largest=microseconds), BPF_ANY)
        return 1
    times.samples += 1
    times.mean = (times.mean * 7 + microseconds) >> 3
    times.largest = max(times.largest, microseconds)
    return 1
