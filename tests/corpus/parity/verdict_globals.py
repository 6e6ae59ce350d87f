"""Count what passes in variables of the policy; a mode that user space sets, and a limit that is fixed at load."""

from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    Const,
    Global,
    SkSkb,
    SockMap,
    Struct,
    i32,
    stream_verdict,
    u32,
    u64,
)


class Totals(Struct):
    segments: u64
    size: u64


sockets = SockMap(max_entries=64)
longest = Const(u32, 40)
step = Global(u32, 2)
totals = Global(Totals)
refused = Global(u32)


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.len > longest.value:
        refused.value += step.value
        return SK_DROP
    totals.value.segments += 1
    totals.value.size += skb.len
    return SK_PASS
