"""Cut the stream into messages of ten bytes, and count them where user space can read it."""

from skverdict.dsl import SK_PASS, ArrayMap, SkSkb, SockMap, i32, stream_parser, stream_verdict, u64

MESSAGE = 10

sockets = SockMap(max_entries=20)
messages = ArrayMap(value=u64, max_entries=1)


@stream_parser
def parser(skb: SkSkb) -> i32:
    return MESSAGE


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    count = messages.lookup(0)
    if count is not None:
        count.value += 1
    return SK_PASS
