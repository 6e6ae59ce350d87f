"""A histogram of message sizes by powers of two, and a limit on the size."""

from skverdict.dsl import SK_DROP, SK_PASS, ArrayMap, PerCpuArray, SkSkb, SockMap, i32, skb_verdict, u32, u64

BUCKETS = 17

sockets = SockMap(max_entries=8)
sizes = PerCpuArray(value=u64, max_entries=BUCKETS)
most = ArrayMap(value=u32, max_entries=1)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    bucket: u32 = 0
    rest = skb.len
    while rest > 1 and bucket < BUCKETS - 1:
        rest >>= 1
        bucket += 1
    count = sizes.lookup(bucket)
    if count is not None:
        count.value += 1
    limit = most.lookup(0)
    if limit is not None and limit.value != 0 and skb.len > limit.value:
        return SK_DROP
    return SK_PASS
