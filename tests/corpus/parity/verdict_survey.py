"""Add up over all ports what was sent, and drop what goes beyond the budget of all."""

from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    ArrayMap,
    Cell,
    SkSkb,
    SockMap,
    Struct,
    i32,
    stream_verdict,
    subprogram,
    u32,
    u64,
)

BUDGET = 100


class Total(Struct):
    size: u64


sockets = SockMap(max_entries=64)
sizes = ArrayMap(value=u64, max_entries=4)


@subprogram
def add(key: u32, size: Cell[u64], total: Total) -> i32:
    total.size += size.value
    return 0


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    size = sizes.lookup(skb.local_port & 3)
    if size is None:
        return SK_DROP
    size.value += skb.len
    total = Total()
    sizes.for_each(add, total)
    return SK_PASS if total.size <= BUDGET else SK_DROP
