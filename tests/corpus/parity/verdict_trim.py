"""Cut what is longer than the service allows, and pad what is shorter than a cell, before it is read."""

from skverdict.dsl import SK_DROP, SK_PASS, HashMap, SkSkb, SockMap, i32, skb_verdict, u32

CELL = 48

sockets = SockMap(max_entries=32)
longest = HashMap(key=u32, value=u32, max_entries=32)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    length = skb.len
    if length == 0:
        return SK_PASS
    limit = longest.lookup(skb.local_port)
    if limit is not None and length > limit.value:
        if skb.change_tail(limit.value) != 0:
            return SK_DROP
    elif length < CELL and skb.change_tail(CELL) != 0:
        return SK_DROP
    return SK_PASS
