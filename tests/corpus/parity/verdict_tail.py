"""The first byte asks for one byte less or more at the end, or for more than fits; user space sees what came of it."""

from skverdict.dsl import SK_PASS, Global, SkSkb, SockMap, i32, i64, skb_verdict, u8

TOO_MUCH = 65535

sockets = SockMap(max_entries=4)
outcome = Global(i64, 1)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.pull_data(1) != 0:
        return SK_PASS
    first = skb.data.view(u8, 0)
    if first is None:
        return SK_PASS
    match first.value:
        case 0x54:  # T: trim
            outcome.value = skb.change_tail(skb.len - 1)
        case 0x47:  # G: grow
            outcome.value = skb.change_tail(skb.len + 1)
        case 0x45:  # E: an error
            outcome.value = skb.change_tail(TOO_MUCH)
    return SK_PASS
