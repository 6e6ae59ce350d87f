"""A bucket of tokens for each client address: one token a message, refilled with time, else it is dropped."""

from skverdict.dsl import SK_DROP, SK_PASS, LruHashMap, SkSkb, SockMap, Struct, be32, i32, skb_verdict, u64
from skverdict.dsl.helpers import bpf_ktime_get_ns

REFILL = 10_000_000  # nanoseconds a token
DEPTH = 64


class Bucket(Struct):
    tokens: u64
    filled: u64


sockets = SockMap(max_entries=1024)
buckets = LruHashMap(key=be32, value=Bucket, max_entries=4096)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.len == 0:
        return SK_PASS
    now = bpf_ktime_get_ns()
    bucket = buckets.lookup(skb.remote_ip4)
    if bucket is None:
        buckets.update(skb.remote_ip4, Bucket(tokens=DEPTH - 1, filled=now))
        return SK_PASS
    passed = now - bucket.filled
    if passed >= REFILL:
        earned = passed // REFILL
        bucket.tokens = min(bucket.tokens + earned, DEPTH)
        bucket.filled = now
    if bucket.tokens == 0:
        return SK_DROP
    bucket.tokens -= 1
    return SK_PASS
