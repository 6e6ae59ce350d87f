"""Messages that begin with their own length: two bytes in network order, not counting themselves.

For clients that send one message and wait for the answer. What is too long ends the connection.
"""

from skverdict.dsl import SkSkb, SockMap, Struct, be16, i32, stream_parser, stream_verdict

LONGEST = 4096


class Prefix(Struct):
    length: be16


backends = SockMap(max_entries=4)


@stream_parser
def parser(skb: SkSkb) -> i32:
    if skb.len < 2:
        return 0
    prefix = Prefix()
    if skb.load_bytes(0, prefix) != 0:
        return 0
    length = prefix.length.host()
    if length > LONGEST:
        return -1
    return 2 + i32(length)


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    return backends.redirect(skb, 0)
