"""Messages with a length of one to four bytes in front, seven bits in each, the lowest first."""

from skverdict.dsl import SkSkb, SockMap, Struct, i32, stream_parser, stream_verdict, u8, u32

MORE = 0x80


class Byte(Struct):
    value: u8


sockets = SockMap(max_entries=8)


@stream_parser
def parser(skb: SkSkb) -> i32:
    byte = Byte()
    length: u32 = 0
    for i in range(4):
        if skb.load_bytes(i, byte) != 0:
            return 0
        length |= u32(byte.value & 0x7F) << (7 * i)
        if byte.value & MORE == 0:
            return i32(length + i + 1)
    return -1


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    return sockets.redirect(skb, skb.remote_ip4.host() & 7)
