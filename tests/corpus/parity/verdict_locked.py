"""Keep the bytes and the segments of each port together under a lock, so that user space reads both of one time."""

from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    ArrayMap,
    SkSkb,
    SockMap,
    Struct,
    bpf_spin_lock,
    i32,
    stream_verdict,
    u32,
    u64,
)


class Traffic(Struct):
    lock: bpf_spin_lock
    segments: u32
    size: u64


sockets = SockMap(max_entries=64)
traffic = ArrayMap(value=Traffic, max_entries=16)


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    seen = traffic.lookup(skb.local_port & 15)
    if seen is None:
        return SK_DROP
    length = skb.len
    with seen.lock:
        seen.segments += 1
        seen.size += length
    return SK_PASS
