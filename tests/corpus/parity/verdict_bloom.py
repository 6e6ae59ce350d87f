"""Refuse the clients that may be on a list of unwanted ones; those that say goodbye are put on it."""

from skverdict.dsl import SK_DROP, SK_PASS, BloomFilter, SkSkb, SockMap, be32, i32, stream_verdict

sockets = SockMap(max_entries=64)
unwanted = BloomFilter(value=be32, max_entries=64)


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.remote_ip4 in unwanted:
        return SK_DROP
    if skb.len == 3:
        unwanted.push(skb.remote_ip4)
    return SK_PASS
