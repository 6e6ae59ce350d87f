"""Count what passes and what is dropped, and bytes of both, per CPU; a switch in a map decides."""

from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    ArrayMap,
    PerCpuArray,
    SkSkb,
    SockMap,
    Struct,
    i32,
    stream_parser,
    stream_verdict,
    u32,
    u64,
)


class Traffic(Struct):
    messages: u64
    bytes: u64


sockets = SockMap(max_entries=64)
allowed = ArrayMap(value=u32, max_entries=1)
traffic = PerCpuArray(value=Traffic, max_entries=2)


@stream_parser
def parser(skb: SkSkb) -> i32:
    return skb.len


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    switch = allowed.lookup(0)
    if switch is None:
        return SK_DROP
    answer = SK_PASS if switch.value != 0 else SK_DROP
    seen = traffic.lookup(answer)
    if seen is not None:
        seen.messages += 1
        seen.bytes += skb.len
    return answer
