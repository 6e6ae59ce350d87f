"""Message lengths by service: user space fills `lengths` with one for each port, absent means all of it."""

from skverdict.dsl import BPF_F_INGRESS, HashMap, SkSkb, SockMap, i32, stream_parser, stream_verdict, u32

lengths = HashMap(key=u32, value=u32, max_entries=128)
peers = SockMap(max_entries=128)


@stream_parser
def parser(skb: SkSkb) -> i32:
    length = lengths.lookup(skb.local_port)
    if length is None:
        return i32(skb.len)
    return i32(length.value)


@stream_verdict
def verdict(skb: SkSkb) -> i32:
    return peers.redirect(skb, skb.local_port % 128, BPF_F_INGRESS)
