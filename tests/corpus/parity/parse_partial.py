"""Headers of four bytes and bodies of six; what comes together in more than `most` bytes stays here."""

from skverdict.dsl import SK_PASS, Global, SkSkb, SockMap, i32, stream_parser, stream_verdict, u32

HEADER, MESSAGE = 4, 10

sockets = SockMap(max_entries=20)
most = Global(u32, 12)


@stream_parser
def parser(skb: SkSkb) -> i32:
    if skb.len < HEADER:
        return 0
    return MESSAGE


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    if skb.len > most.value:
        return SK_PASS
    return sockets.redirect(skb, 1)
