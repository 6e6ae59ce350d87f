"""A policy that tells of each segment in every way that programs have, and lets it pass."""

from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    ArrayMap,
    Const,
    HashMap,
    PerCpuArray,
    PerfEventArray,
    RingBuffer,
    SkSkb,
    SockMap,
    Struct,
    i32,
    stream_verdict,
    u32,
    u64,
)

limit = Const(u32, 100)


class Segment(Struct):
    length: u32
    port: u32


watched = SockMap(max_entries=4)
segments = RingBuffer(max_entries=4096)
samples = PerfEventArray()
lengths = HashMap(key=u32, value=u64, max_entries=64)
total = ArrayMap(value=u64, max_entries=4)
per_cpu = PerCpuArray(value=u64, max_entries=1)


@stream_verdict
def tell(skb: SkSkb) -> i32:
    if skb.len == 0:
        return SK_PASS
    segment = Segment(length=skb.len, port=skb.local_port)
    segments.output(segment)
    samples.output(skb, segment)
    lengths.update(skb.len, u64(1))
    slot = per_cpu.lookup(0)
    if slot is not None:
        slot.value += u64(skb.len)
    print(f"length {skb.len}")
    return SK_DROP if skb.len > limit.value else SK_PASS
