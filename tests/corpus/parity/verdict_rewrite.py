"""Mask an account number on its way: digits 4 to 11 of messages that begin with `ACCT` become stars."""

from skverdict.dsl import SK_DROP, SK_PASS, Array, SkSkb, SockMap, Struct, be32, i32, skb_verdict, u8

ACCT = 0x41434354
STAR = 0x2A


class Digits(Struct):
    digit: Array[u8, 8]


sockets = SockMap(max_entries=16)


@skb_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.len < 12:
        return SK_PASS
    if skb.pull_data(12) != 0:
        return SK_DROP
    word = skb.data.view(be32, 0)
    if word is None:
        return SK_DROP
    if word.value != be32(ACCT):
        return SK_PASS
    stars = Digits()
    for i in range(8):
        stars.digit[i] = STAR
    if skb.store_bytes(4, stars) != 0:
        return SK_DROP
    return SK_PASS
