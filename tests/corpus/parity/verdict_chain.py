"""Judge by port in programs of their own, each of which the first one goes on in."""

from skverdict.dsl import SK_DROP, SK_PASS, ProgramArray, SkSkb, SockMap, i32, stream_verdict

sockets = SockMap(max_entries=64)


@stream_verdict
def short_only(skb: SkSkb) -> i32:
    return SK_PASS if skb.len <= 8 else SK_DROP


@stream_verdict
def to_port(skb: SkSkb) -> i32:
    return sockets.redirect(skb, skb.local_port & 63)


judges = ProgramArray(max_entries=4, programs=[short_only, to_port])


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    judges.tail_call(skb, skb.local_port - 10000)
    return SK_PASS
