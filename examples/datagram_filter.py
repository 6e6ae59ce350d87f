"""Look into what arrives, without a parser: count by first byte, drop what starts with a blocked word.

`skb_verdict` runs once for each received buffer. It also runs with nothing in the buffer, at the end of a
stream, which must not be taken for data.
"""

from skverdict.dsl import (
    SK_DROP,
    SK_PASS,
    HashMap,
    LruHashMap,
    SkSkb,
    SockMap,
    be32,
    i32,
    skb_verdict,
    u8,
    u64,
)

watched = SockMap(max_entries=16)
blocked = HashMap(key=be32, value=u8, max_entries=64)  # first four bytes of what may not pass
seen = LruHashMap(key=u8, value=u64, max_entries=256)  # buffers by their first byte


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.len == 0:
        return SK_PASS
    if skb.pull_data(min(skb.len, 4)) != 0:
        return SK_DROP
    first = skb.data.view(u8, 0)
    if first is None:
        return SK_DROP
    count = seen.lookup(first.value)
    if count is None:
        seen.update(first.value, 1)
    else:
        count.value += 1
    word = skb.data.view(be32, 0)
    if word is not None and word.value in blocked:
        return SK_DROP
    return SK_PASS
