"""A parser that wants ten bytes of each segment where it can read them, and marks the eighth as seen."""

from skverdict.dsl import SK_DROP, SK_PASS, Array, SkSkb, SockMap, Struct, i32, stream_parser, stream_verdict, u8

HEAD = 10
SEEN = 1


class Head(Struct):
    bytes: Array[u8, HEAD]


sockets = SockMap(max_entries=20)


@stream_parser
def parser(skb: SkSkb) -> i32:
    head = skb.data.view(Head, 0)
    if head is None:
        if skb.pull_data(HEAD) != 0:
            return SK_DROP
        head = skb.data.view(Head, 0)
        if head is None:
            return SK_DROP
    head.bytes[7] = SEEN
    return skb.len


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    return SK_PASS
