"""A policy whose maps hold programs and maps: the program and the counts are chosen by user space."""

from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    ArrayMap,
    ArrayOfMaps,
    ProgramArray,
    SkSkb,
    SockMap,
    i32,
    stream_verdict,
    u64,
)

watched = SockMap(max_entries=4)
first_counts = ArrayMap(value=u64, max_entries=2)
tables = ArrayOfMaps(inner=first_counts, max_entries=2, maps=[first_counts])
steps = ProgramArray(max_entries=2)


@stream_verdict
def dropping(skb: SkSkb) -> i32:
    return SK_DROP


@stream_verdict
def choosing(skb: SkSkb) -> i32:
    table = tables.lookup(0)
    if table is not None:
        count = table.lookup(0)
        if count is not None:
            count.value += 1
    steps.tail_call(skb, 0)
    return SK_PASS
