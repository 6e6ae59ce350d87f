"""The two answers alone: whatever comes in is dropped, whatever goes out passes."""

from skverdict.dsl import SK_DROP, SK_PASS, SkMsg, SkSkb, SockMap, i32, msg_verdict, skb_verdict

sockets = SockMap(max_entries=20)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    return SK_DROP


@msg_verdict
def sender(msg: SkMsg) -> i32:
    return SK_PASS
